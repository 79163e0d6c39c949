/* spec/image.h: the OCI image documents: config, manifest, index; and Docker's forms of them. OCI
 * image-spec 1.1. */
#pragma once

#include "format/json.h"

typedef struct HealthConfig {
        char **test;
        int64_t interval, timeout, start_period, start_interval, retries; /* times in ns */
} HealthConfig;

/* "config" of an image, and "Config" of a container in Docker's API: the same document with more
 * members. */
typedef struct ImageRunConfig {
        char *user, *working_dir, *stop_signal;
        char **env, **cmd, **entrypoint, **shell, **on_build;
        char **exposed_ports, **volumes; /* sets: "80/tcp", "/data" */
        Pairs labels;
        bool args_escaped;
        HealthConfig *health;
} ImageRunConfig;

typedef struct ImageHistory {
        int64_t created;
        char *created_by, *author, *comment;
        bool empty_layer;
} ImageHistory;

typedef struct ImageRootfs {
        char *type;
        char **diff_ids;
} ImageRootfs;

typedef struct ImageConfig {
        int64_t created;
        char *author, *architecture, *os, *variant, *os_version;
        char *docker_version, *comment, *parent; /* Docker's own */
        char *container;               /* Docker's own: id of the container that was committed */
        json_object *container_config; /* and its Config */
        ImageRunConfig config;
        ImageRootfs rootfs;
        JsonArray history; /* of ImageHistory */
        json_object
                *build_cache; /* brig's own: build/cache-document.h, of the image's layers; NULL:
                                 none. It is this image's, and no other's that is made of it */
} ImageConfig;

typedef struct ImagePlatform {
        char *architecture, *os, *variant, *os_version;
} ImagePlatform;

typedef struct Descriptor {
        char *media_type, *digest;
        int64_t size;
        char **urls;
        Pairs annotations;
        ImagePlatform *platform;
} Descriptor;

typedef struct ImageManifest {
        int64_t schema_version;
        char *media_type;
        Descriptor config;
        JsonArray layers; /* of Descriptor */
        Pairs annotations;
} ImageManifest;

typedef struct ImageIndex {
        int64_t schema_version;
        char *media_type;
        JsonArray manifests; /* of Descriptor */
        Pairs annotations;
} ImageIndex;

/* An image that is made of another one: what is only that one's goes. */
static inline void image_config_inherit(ImageConfig *config) {
        json_putp(&config->build_cache);
        config->build_cache = NULL;
        json_putp(&config->container_config);
        config->container_config = NULL;
        str_replace(&config->container, NULL);
        str_replace(&config->parent, NULL);
}

extern const JsonTable health_config_table, image_run_config_table, image_history_table,
        image_config_table;
extern const JsonTable descriptor_table, image_manifest_table, image_index_table;
