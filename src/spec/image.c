/* image.c: the tables of spec/image.h. Names are those of OCI image-spec 1.1 (config.md,
 * manifest.md, image-index.md) and of Docker's image document; empty members are left out, as both
 * write them. */
#include "spec/image.h"

#define OMIT JSON_OMIT_EMPTY

static const JsonField health_fields[] = {
        JSON_FIELD(HealthConfig, "Test", JSON_WORDS, test, OMIT),
        JSON_FIELD(HealthConfig, "Interval", JSON_INT, interval, OMIT),
        JSON_FIELD(HealthConfig, "Timeout", JSON_INT, timeout, OMIT),
        JSON_FIELD(HealthConfig, "StartPeriod", JSON_INT, start_period, OMIT),
        JSON_FIELD(HealthConfig, "StartInterval", JSON_INT, start_interval, OMIT),
        JSON_FIELD(HealthConfig, "Retries", JSON_INT, retries, OMIT),
};
const JsonTable health_config_table = JSON_TABLE(HealthConfig, "Healthcheck", health_fields);

static const JsonField run_fields[] = {
        JSON_FIELD(ImageRunConfig, "User", JSON_STRING, user, OMIT),
        JSON_FIELD(ImageRunConfig, "ExposedPorts", JSON_SET, exposed_ports, OMIT),
        JSON_FIELD(ImageRunConfig, "Env", JSON_STRINGS, env, OMIT),
        JSON_FIELD(ImageRunConfig, "Entrypoint", JSON_WORDS, entrypoint, OMIT),
        JSON_FIELD(ImageRunConfig, "Cmd", JSON_WORDS, cmd, OMIT),
        JSON_FIELD(ImageRunConfig, "Volumes", JSON_SET, volumes, OMIT),
        JSON_FIELD(ImageRunConfig, "WorkingDir", JSON_STRING, working_dir, OMIT),
        JSON_FIELD(ImageRunConfig, "OnBuild", JSON_STRINGS, on_build, OMIT),
        JSON_FIELD(ImageRunConfig, "Labels", JSON_PAIRS, labels, OMIT),
        JSON_FIELD(ImageRunConfig, "StopSignal", JSON_STRING, stop_signal, OMIT),
        JSON_FIELD(ImageRunConfig, "Shell", JSON_WORDS, shell, OMIT),
        JSON_NESTED(ImageRunConfig, "Healthcheck", JSON_OBJECT, health, OMIT, &health_config_table),
        JSON_FIELD(ImageRunConfig, "ArgsEscaped", JSON_BOOL, args_escaped, OMIT),
};
const JsonTable image_run_config_table = JSON_TABLE(ImageRunConfig, "config", run_fields);

static const JsonField history_fields[] = {
        JSON_FIELD(ImageHistory, "created", JSON_TIME, created, OMIT),
        JSON_FIELD(ImageHistory, "created_by", JSON_STRING, created_by, OMIT),
        JSON_FIELD(ImageHistory, "author", JSON_STRING, author, OMIT),
        JSON_FIELD(ImageHistory, "comment", JSON_STRING, comment, OMIT),
        JSON_FIELD(ImageHistory, "empty_layer", JSON_BOOL, empty_layer, OMIT),
};
const JsonTable image_history_table = JSON_TABLE(ImageHistory, "history", history_fields);

static const JsonField rootfs_fields[] = {
        JSON_FIELD(ImageRootfs, "type", JSON_STRING, type, 0),
        JSON_FIELD(ImageRootfs, "diff_ids", JSON_STRINGS, diff_ids, 0),
};
static const JsonTable rootfs_table = JSON_TABLE(ImageRootfs, "rootfs", rootfs_fields);

static const JsonField config_fields[] = {
        JSON_FIELD(ImageConfig, "created", JSON_TIME, created, OMIT),
        JSON_FIELD(ImageConfig, "author", JSON_STRING, author, OMIT),
        JSON_FIELD(ImageConfig, "architecture", JSON_STRING, architecture, 0),
        JSON_FIELD(ImageConfig, "os", JSON_STRING, os, 0),
        JSON_FIELD(ImageConfig, "variant", JSON_STRING, variant, OMIT),
        JSON_FIELD(ImageConfig, "os.version", JSON_STRING, os_version, OMIT),
        JSON_FIELD(ImageConfig, "docker_version", JSON_STRING, docker_version, OMIT),
        JSON_FIELD(ImageConfig, "comment", JSON_STRING, comment, OMIT),
        JSON_FIELD(ImageConfig, "parent", JSON_STRING, parent, OMIT),
        JSON_FIELD(ImageConfig, "container", JSON_STRING, container, OMIT),
        JSON_FIELD(ImageConfig, "container_config", JSON_RAW, container_config, OMIT),
        JSON_NESTED(ImageConfig, "config", JSON_INLINE, config, 0, &image_run_config_table),
        JSON_NESTED(ImageConfig, "rootfs", JSON_INLINE, rootfs, 0, &rootfs_table),
        JSON_NESTED(ImageConfig, "history", JSON_ARRAY, history, OMIT, &image_history_table),
        JSON_FIELD(ImageConfig, "brig.buildcache.v1", JSON_RAW, build_cache, OMIT),
};
const JsonTable image_config_table = JSON_TABLE(ImageConfig, "image config", config_fields);

static const JsonField platform_fields[] = {
        JSON_FIELD(ImagePlatform, "architecture", JSON_STRING, architecture, 0),
        JSON_FIELD(ImagePlatform, "os", JSON_STRING, os, 0),
        JSON_FIELD(ImagePlatform, "os.version", JSON_STRING, os_version, OMIT),
        JSON_FIELD(ImagePlatform, "variant", JSON_STRING, variant, OMIT),
};
static const JsonTable platform_table = JSON_TABLE(ImagePlatform, "platform", platform_fields);

static const JsonField descriptor_fields[] = {
        JSON_FIELD(Descriptor, "mediaType", JSON_STRING, media_type, OMIT),
        JSON_FIELD(Descriptor, "digest", JSON_STRING, digest, JSON_REQUIRED),
        JSON_FIELD(Descriptor, "size", JSON_INT, size, JSON_REQUIRED),
        JSON_FIELD(Descriptor, "urls", JSON_STRINGS, urls, OMIT),
        JSON_FIELD(Descriptor, "annotations", JSON_PAIRS, annotations, OMIT),
        JSON_NESTED(Descriptor, "platform", JSON_OBJECT, platform, OMIT, &platform_table),
};
const JsonTable descriptor_table = JSON_TABLE(Descriptor, "descriptor", descriptor_fields);

static const JsonField manifest_fields[] = {
        JSON_FIELD(ImageManifest, "schemaVersion", JSON_INT, schema_version, JSON_REQUIRED),
        JSON_FIELD(ImageManifest, "mediaType", JSON_STRING, media_type, OMIT),
        JSON_NESTED(ImageManifest, "config", JSON_INLINE, config, JSON_REQUIRED, &descriptor_table),
        JSON_NESTED(ImageManifest, "layers", JSON_ARRAY, layers, JSON_REQUIRED, &descriptor_table),
        JSON_FIELD(ImageManifest, "annotations", JSON_PAIRS, annotations, OMIT),
};
const JsonTable image_manifest_table = JSON_TABLE(ImageManifest, "manifest", manifest_fields);

static const JsonField index_fields[] = {
        JSON_FIELD(ImageIndex, "schemaVersion", JSON_INT, schema_version, JSON_REQUIRED),
        JSON_FIELD(ImageIndex, "mediaType", JSON_STRING, media_type, OMIT),
        JSON_NESTED(ImageIndex, "manifests", JSON_ARRAY, manifests, JSON_REQUIRED,
                    &descriptor_table),
        JSON_FIELD(ImageIndex, "annotations", JSON_PAIRS, annotations, OMIT),
};
const JsonTable image_index_table = JSON_TABLE(ImageIndex, "index", index_fields);
