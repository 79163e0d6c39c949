/* form.c: see form.h. */
#include "image/form.h"

#include "image/assembly.h"
#include "sql/sql.h"

#define DOCKER_LAYER "application/vnd.docker.image.rootfs.diff.tar"

static const struct {
        const char *name;
        LayerCompression wish;
        Compression compression;
        const char *media_type, *docker; /* docker NULL: it has no name for it */
} forms[] = {
        { "gzip", LAYERS_GZIP, COMPRESSION_GZIP, MEDIA_OCI_LAYER "+gzip", DOCKER_LAYER ".gzip" },
        { "zstd", LAYERS_ZSTD, COMPRESSION_ZSTD, MEDIA_OCI_LAYER "+zstd", NULL },
        { "uncompressed", LAYERS_UNCOMPRESSED, COMPRESSION_NONE, MEDIA_OCI_LAYER, DOCKER_LAYER },
};

const char *form_media_type(Compression compression) {
        for (size_t i = 0; i < ELEMENTS(forms); i++)
                if (forms[i].compression == compression)
                        return forms[i].media_type;
        return NULL;
}

static Compression wish_of(const ImageForm *form) {
        for (size_t i = 0; i < ELEMENTS(forms); i++)
                if (forms[i].wish == form->compression)
                        return forms[i].compression;
        return FORM_KEEP;
}

Compression form_of_layer(const ImageForm *form, const char *media_type, bool registry) {
        bool plain = str_equal(media_type, MEDIA_OCI_LAYER);
        Compression wish = wish_of(form);

        if (wish == FORM_KEEP)
                return plain && registry ? COMPRESSION_GZIP : FORM_KEEP;
        if ((!plain && !form->force) || str_equal(media_type, form_media_type(wish)))
                return FORM_KEEP;
        return wish;
}

void form_key(const ImageForm *form, Compression compression, char ret[FORM_TEXT_MAX]) {
        const char *name = "";

        for (size_t i = 0; i < ELEMENTS(forms); i++)
                if (forms[i].compression == compression)
                        name = forms[i].name;
        if (form->has_level && form->compression != LAYERS_AS_KEPT)
                (void)snprintf(ret, FORM_TEXT_MAX, "%s:%d", name, form->level);
        else
                (void)snprintf(ret, FORM_TEXT_MAX, "%s", name);
}

/* ---- as text ---- */

void form_text(const ImageForm *form, char ret[FORM_TEXT_MAX]) {
        (void)snprintf(ret, FORM_TEXT_MAX, "%d %d %d %d %d", (int)form->compression,
                       form->has_level, form->level, form->force, form->docker);
}

ImageForm form_read(const char *text) {
        int values[5] = {}, taken = 0;

        for (const char *at = text ?: ""; *at && taken < 5; taken++) {
                _cleanup_free_ char *word = str_copy_n(at, strcspn(at, " "));

                if (str_to_int_in(word, 0, 99, &values[taken]) < 0)
                        return (ImageForm){};
                at += strlen(word);
                at += *at == ' ';
        }
        if (taken != 5 || values[0] > LAYERS_UNCOMPRESSED)
                return (ImageForm){};
        return (ImageForm){ .compression = (LayerCompression)values[0],
                            .has_level = values[1] != 0,
                            .level = values[2],
                            .force = values[3] != 0,
                            .docker = values[4] != 0 };
}

bool form_is_default(const ImageForm *form) {
        return form->compression == LAYERS_AS_KEPT && !form->docker && !form->has_level;
}

int form_of_image(ImageStore *store, const char *id, ImageForm *ret, Error *err) {
        _cleanup_sql_ sqlite3_stmt *statement = NULL;
        _cleanup_free_ char *text = NULL;
        int r = sql_prepare(store->db, &statement, err,
                            "SELECT form FROM image_forms WHERE image=?", "t", id);

        if (r == 0)
                r = sql_step(statement, err);
        if (r < 0)
                return r;
        if (r > 0)
                text = sql_text(statement, 0);
        *ret = form_read(text);
        return 0;
}

/* ---- the manifest ---- */

/* NULL: Docker has none. */
static const char *docker_type(const char *media_type) {
        for (size_t i = 0; i < ELEMENTS(forms); i++)
                if (str_equal(media_type, forms[i].media_type))
                        return forms[i].docker;
        return NULL;
}

static bool can_be_docker(const FormManifest *manifest) {
        if (!manifest->docker || (manifest->annotations && manifest->annotations->count > 0))
                return false;
        for (size_t i = 0; i < manifest->count; i++)
                if (!docker_type(manifest->layers[i].media_type))
                        return false;
        return true;
}

char *form_manifest(const FormManifest *manifest, const char **ret_type) {
        bool docker = can_be_docker(manifest);
        const char *docker_config = docker ? MEDIA_DOCKER_CONFIG : MEDIA_OCI_CONFIG;
        const char *type = docker ? MEDIA_DOCKER_MANIFEST : MEDIA_OCI_MANIFEST;
        _cleanup_free_ Descriptor *layers = NEW_ARRAY(Descriptor, manifest->count + 1);
        /* All of it is borrowed. */
        ImageManifest document = {
                .schema_version = 2,
                .media_type = (char *)type,
                .config = { .media_type = (char *)(manifest->config_type ?: docker_config),
                            .digest = (char *)manifest->id,
                            .size = manifest->config_size },
                .layers = { layers, manifest->count },
        };

        for (size_t i = 0; i < manifest->count; i++) {
                layers[i] = manifest->layers[i];
                if (docker)
                        layers[i].media_type = (char *)docker_type(layers[i].media_type);
        }
        if (manifest->annotations)
                document.annotations = *manifest->annotations;
        *ret_type = type;
        return json_text(&image_manifest_table, &document);
}

/* ---- annotations ---- */

void image_annotations_done(ImageAnnotations *annotations) {
        for (size_t i = 0; i < annotations->count; i++) {
                pairs_done(&annotations->manifests[i].manifest);
                pairs_done(&annotations->manifests[i].descriptor);
        }
        free(annotations->manifests);
        pairs_done(&annotations->index);
        pairs_done(&annotations->index_descriptor);
        *annotations = (ImageAnnotations){};
}

const ManifestAnnotations *annotations_of(const ImageAnnotations *annotations, size_t i) {
        return annotations && i < annotations->count ? &annotations->manifests[i] : NULL;
}

static void replace(Pairs *pairs, const Pairs *with) {
        pairs_done(pairs);
        pairs_copy(pairs, with);
}

void form_annotate_index(ImageIndex *index, const ImageAnnotations *annotations) {
        Descriptor *entries = index->manifests.items;

        if (!annotations)
                return;
        replace(&index->annotations, &annotations->index);
        for (size_t i = 0; i < index->manifests.count; i++)
                if (annotations_of(annotations, i))
                        replace(&entries[i].annotations,
                                &annotations_of(annotations, i)->descriptor);
}

/* ---- an index ---- */

static bool is_dockers(const ImageIndex *index) {
        const Descriptor *manifests = index->manifests.items;

        for (size_t i = 0; i < index->manifests.count; i++)
                if (!str_equal(manifests[i].media_type, MEDIA_DOCKER_MANIFEST) ||
                    manifests[i].annotations.count > 0)
                        return false;
        return index->annotations.count == 0;
}

char *form_index(ImageIndex *index) {
        str_replace(&index->media_type, is_dockers(index) ? MEDIA_DOCKER_LIST : MEDIA_OCI_INDEX);
        return json_text(&image_index_table, index);
}
