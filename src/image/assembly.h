/* assembly.h: an image in the making, whatever it comes from: its configuration, its layers' chain
 * ids, what it pins, and its progress. Also reads manifests and indexes. */
#pragma once

#include "image/store.h"

#define DOCUMENT_MAX (4u << 20) /* bytes of a manifest, index or configuration */

#define MEDIA_DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define MEDIA_DOCKER_LIST "application/vnd.docker.distribution.manifest.list.v2+json"
#define MEDIA_DOCKER_CONFIG "application/vnd.docker.container.image.v1+json"
#define MEDIA_OCI_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define MEDIA_OCI_INDEX "application/vnd.oci.image.index.v1+json"
#define MEDIA_OCI_CONFIG "application/vnd.oci.image.config.v1+json"
#define MEDIA_OCI_LAYER "application/vnd.oci.image.layer.v1.tar"

typedef struct Assembly {
        ImageStore *store;
        PinSet pins;
        ImageConfig config;
        ImageRecord
                record; /* id and chains from assembly_begin; manifest and names are the caller's */
        ImageProgressFn progress;
        void *data;
        pthread_mutex_t lock; /* serialises progress */
        int cancelled;        /* what progress answered when it answered a negative number */
} Assembly;

void assembly_init(Assembly *assembly, ImageStore *store, ImageProgressFn progress, void *data);
/* Releases the pins; frees all. */
void assembly_done(Assembly *assembly);
/* Reads the configuration document. layer_count: how many layers come with it. */
int assembly_read(Assembly *assembly, const char *config, size_t length, size_t layer_count,
                  Error *err);
/* The same, and stores it. */
int assembly_begin(Assembly *assembly, const char *config, size_t length, size_t layer_count,
                   Error *err);
/* The layer at `position` (0: the base), its chain, parent and diff set. */
void assembly_layer(const Assembly *assembly, size_t position, Layer *ret);
int assembly_claim(Assembly *assembly, const Layer *layer, bool *ret_present, Error *err);
int assembly_commit(Assembly *assembly, Error *err);

/* Any thread. A negative errno and "cancelled" when the caller wants no more. */
int assembly_report(Assembly *assembly, const char *id, const char *status, int64_t current,
                    int64_t total, Error *err);

/* A manifest or an index: refuses a document that is both (CVE-2021-41190) and one of neither kind.
 */
typedef struct Document {
        bool is_index;
        ImageManifest manifest;
        ImageIndex index;
} Document;
void document_done(Document *document);
int document_parse(const char *text, size_t length, const char *media_type, Document *ret,
                   Error *err);

/* "os/arch[/variant]" or NULL for this host's. */
int platform_parse(const char *text, ImagePlatform *ret, Error *err);
void platform_done(ImagePlatform *platform);
/* Whether an image of that configuration runs on the platform: one that does not say its
 * architecture is taken for any, and one without a variant for each. */
bool platform_fits(const ImageConfig *config, const ImagePlatform *wanted);
/* The manifest of index that runs on platform, borrowed; NULL: none. */
const Descriptor *index_choose(const ImageIndex *index, const ImagePlatform *platform);
/* "linux/amd64", "linux/arm/v7"; the caller's. */
char *platform_text(const ImagePlatform *platform);
