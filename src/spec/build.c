/* build.c: the tables of what brig and brigd say about a build; see build.h. */
#include "spec/build.h"

int build_allow_check(char *const *names, Error *err) {
        for (; names && *names; names++) {
                if (str_equal(*names, "device") || str_after(*names, "device="))
                        return error_kind(err, ERROR_UNSUPPORTED,
                                          "allow %.100s: devices are not given to builds: use the "
                                          "device in a container",
                                          *names);
                if (!str_equal(*names, BUILD_ALLOW_INSECURE) &&
                    !str_equal(*names, BUILD_ALLOW_HOST_NETWORK))
                        return error_kind(
                                err, ERROR_INVALID,
                                "allow %.100s: no such thing can be allowed: " BUILD_ALLOW_INSECURE
                                " or " BUILD_ALLOW_HOST_NETWORK,
                                *names);
        }
        return 0;
}

int build_network_check(const char *network, Error *err) {
        if (str_empty(network) || !str_after(network, "container:"))
                return 0;
        return error_kind(err, ERROR_UNSUPPORTED,
                          "network '%.100s': steps have the network default, none, host, or one of "
                          "your own by its name",
                          network);
}

static const JsonField context_fields[] = {
        JSON_FIELD(BuildContextDocument, "name", JSON_STRING, name, JSON_REQUIRED),
        JSON_FIELD(BuildContextDocument, "fd", JSON_MAYBE_INT, fd, JSON_PRESENT),
        JSON_FIELD(BuildContextDocument, "tar", JSON_MAYBE_INT, tar, JSON_PRESENT),
        JSON_FIELD(BuildContextDocument, "image", JSON_STRING, image, JSON_PRESENT),
        JSON_FIELD(BuildContextDocument, "url", JSON_STRING, url, JSON_PRESENT),
        JSON_FIELD(BuildContextDocument, "layout", JSON_MAYBE_INT, layout, JSON_PRESENT),
        JSON_FIELD(BuildContextDocument, "path", JSON_STRING, path, JSON_PRESENT),
        JSON_FIELD(BuildContextDocument, "tag", JSON_STRING, tag, JSON_PRESENT),
        JSON_FIELD(BuildContextDocument, "digest", JSON_STRING, digest, JSON_PRESENT),
        JSON_FIELD(BuildContextDocument, "growing", JSON_STRINGS, growing, JSON_OMIT_EMPTY),
};
const JsonTable build_context_document_table =
        JSON_TABLE(BuildContextDocument, "context", context_fields);

static const JsonField secret_fields[] = {
        JSON_FIELD(BuildSecretDocument, "id", JSON_STRING, id, JSON_REQUIRED),
        JSON_FIELD(BuildSecretDocument, "value", JSON_STRING, value, JSON_REQUIRED),
};
const JsonTable build_secret_document_table =
        JSON_TABLE(BuildSecretDocument, "secret", secret_fields);

static const JsonField ssh_fields[] = {
        JSON_FIELD(BuildSshDocument, "id", JSON_STRING, id, JSON_REQUIRED),
        JSON_FIELD(BuildSshDocument, "fd", JSON_INT, fd, JSON_REQUIRED),
};
const JsonTable build_ssh_document_table = JSON_TABLE(BuildSshDocument, "ssh", ssh_fields);

static const JsonField annotation_fields[] = {
        JSON_FIELD(BuildAnnotation, "of", JSON_STRING, of, JSON_REQUIRED),
        JSON_FIELD(BuildAnnotation, "platform", JSON_STRING, platform, JSON_PRESENT),
        JSON_FIELD(BuildAnnotation, "key", JSON_STRING, key, JSON_REQUIRED),
        JSON_FIELD(BuildAnnotation, "value", JSON_STRING, value, JSON_REQUIRED),
};
const JsonTable build_annotation_table =
        JSON_TABLE(BuildAnnotation, "annotation", annotation_fields);

void build_annotations_done(JsonArray *annotations) {
        BuildAnnotation *items = annotations->items;

        for (size_t i = 0; i < annotations->count; i++)
                json_done(&build_annotation_table, &items[i]);
        free(items);
        *annotations = (JsonArray){ 0 };
}

void build_annotations_copy(JsonArray *to, const JsonArray *from) {
        const BuildAnnotation *items = from->items;

        for (size_t i = 0; i < from->count; i++)
                json_copy(&build_annotation_table, &items[i],
                          json_append(to, &build_annotation_table));
}

static const JsonField output_fields[] = {
        JSON_FIELD(BuildOutputDocument, "type", JSON_STRING, type, JSON_REQUIRED),
        JSON_FIELD(BuildOutputDocument, "fd", JSON_MAYBE_INT, fd, JSON_PRESENT),
        JSON_FIELD(BuildOutputDocument, "names", JSON_STRINGS, names, JSON_OMIT_EMPTY),
        JSON_FIELD(BuildOutputDocument, "layout", JSON_BOOL, layout, JSON_OMIT_EMPTY),
        JSON_FIELD(BuildOutputDocument, "push", JSON_BOOL, push, JSON_OMIT_EMPTY),
        JSON_FIELD(BuildOutputDocument, "byDigest", JSON_BOOL, by_digest, JSON_OMIT_EMPTY),
        JSON_FIELD(BuildOutputDocument, "compression", JSON_STRING, compression, JSON_PRESENT),
        JSON_FIELD(BuildOutputDocument, "compressionLevel", JSON_MAYBE_INT, compression_level,
                   JSON_PRESENT),
        JSON_FIELD(BuildOutputDocument, "forceCompression", JSON_BOOL, force_compression,
                   JSON_OMIT_EMPTY),
        JSON_FIELD(BuildOutputDocument, "dockerMediaTypes", JSON_BOOL, docker_media_types,
                   JSON_OMIT_EMPTY),
        JSON_NESTED(BuildOutputDocument, "annotations", JSON_ARRAY, annotations, JSON_OMIT_EMPTY,
                    &build_annotation_table),
};
const JsonTable build_output_document_table =
        JSON_TABLE(BuildOutputDocument, "output", output_fields);

static const JsonField cache_fields[] = {
        JSON_FIELD(BuildCacheDocument, "type", JSON_STRING, type, JSON_REQUIRED),
        JSON_FIELD(BuildCacheDocument, "ref", JSON_STRING, ref, JSON_PRESENT),
        JSON_FIELD(BuildCacheDocument, "tag", JSON_STRING, tag, JSON_PRESENT),
        JSON_FIELD(BuildCacheDocument, "digest", JSON_STRING, digest, JSON_PRESENT),
        JSON_FIELD(BuildCacheDocument, "fd", JSON_MAYBE_INT, fd, JSON_PRESENT),
        JSON_FIELD(BuildCacheDocument, "path", JSON_STRING, path, JSON_PRESENT),
        JSON_FIELD(BuildCacheDocument, "max", JSON_BOOL, max, JSON_OMIT_EMPTY),
        JSON_FIELD(BuildCacheDocument, "ignoreError", JSON_BOOL, ignore_error, JSON_OMIT_EMPTY),
};
const JsonTable build_cache_document_table = JSON_TABLE(BuildCacheDocument, "cache", cache_fields);

static const JsonField document_fields[] = {
        JSON_FIELD(BuildDocument, "dockerfile", JSON_STRING, dockerfile, JSON_PRESENT),
        JSON_FIELD(BuildDocument, "dockerfileName", JSON_STRING, dockerfile_name, JSON_PRESENT),
        JSON_FIELD(BuildDocument, "ignore", JSON_STRING, ignore, JSON_PRESENT),
        JSON_FIELD(BuildDocument, "ignoreName", JSON_STRING, ignore_name, JSON_PRESENT),
        JSON_NESTED(BuildDocument, "contexts", JSON_ARRAY, contexts, JSON_OMIT_EMPTY,
                    &build_context_document_table),
        JSON_FIELD(BuildDocument, "args", JSON_STRINGS, args, JSON_OMIT_EMPTY),
        JSON_FIELD(BuildDocument, "labels", JSON_STRINGS, labels, JSON_OMIT_EMPTY),
        JSON_FIELD(BuildDocument, "tags", JSON_STRINGS, tags, JSON_OMIT_EMPTY),
        JSON_FIELD(BuildDocument, "noCacheFilter", JSON_STRINGS, no_cache_filter, JSON_OMIT_EMPTY),
        JSON_FIELD(BuildDocument, "extraHosts", JSON_STRINGS, extra_hosts, JSON_OMIT_EMPTY),
        JSON_FIELD(BuildDocument, "allow", JSON_STRINGS, allow, JSON_OMIT_EMPTY),
        JSON_FIELD(BuildDocument, "target", JSON_STRING, target, JSON_PRESENT),
        JSON_FIELD(BuildDocument, "platform", JSON_STRING, platform, JSON_PRESENT),
        JSON_FIELD(BuildDocument, "network", JSON_STRING, network, JSON_PRESENT),
        JSON_NESTED(BuildDocument, "ulimits", JSON_ARRAY, ulimits, JSON_OMIT_EMPTY, &ulimit_table),
        JSON_FIELD(BuildDocument, "shmSize", JSON_INT, shm_size, JSON_OMIT_EMPTY),
        JSON_FIELD(BuildDocument, "memory", JSON_INT, memory, JSON_OMIT_EMPTY),
        JSON_FIELD(BuildDocument, "memorySwap", JSON_INT, memory_swap, JSON_OMIT_EMPTY),
        JSON_FIELD(BuildDocument, "cpuShares", JSON_INT, cpu_shares, JSON_OMIT_EMPTY),
        JSON_FIELD(BuildDocument, "cpuPeriod", JSON_INT, cpu_period, JSON_OMIT_EMPTY),
        JSON_FIELD(BuildDocument, "cpuQuota", JSON_INT, cpu_quota, JSON_OMIT_EMPTY),
        JSON_FIELD(BuildDocument, "cpusetCpus", JSON_STRING, cpuset_cpus, JSON_PRESENT),
        JSON_FIELD(BuildDocument, "cpusetMems", JSON_STRING, cpuset_mems, JSON_PRESENT),
        JSON_FIELD(BuildDocument, "cgroupParent", JSON_STRING, cgroup_parent, JSON_PRESENT),
        JSON_NESTED(BuildDocument, "annotations", JSON_ARRAY, annotations, JSON_OMIT_EMPTY,
                    &build_annotation_table),
        JSON_NESTED(BuildDocument, "secrets", JSON_ARRAY, secrets, JSON_OMIT_EMPTY,
                    &build_secret_document_table),
        JSON_NESTED(BuildDocument, "ssh", JSON_ARRAY, ssh, JSON_OMIT_EMPTY,
                    &build_ssh_document_table),
        JSON_FIELD(BuildDocument, "noCache", JSON_BOOL, no_cache, JSON_OMIT_EMPTY),
        JSON_FIELD(BuildDocument, "texts", JSON_BOOL, texts, JSON_OMIT_EMPTY),
        JSON_FIELD(BuildDocument, "pull", JSON_BOOL, pull, JSON_OMIT_EMPTY),
        JSON_NESTED(BuildDocument, "outputs", JSON_ARRAY, outputs, JSON_OMIT_EMPTY,
                    &build_output_document_table),
        JSON_NESTED(BuildDocument, "cacheFrom", JSON_ARRAY, cache_from, JSON_OMIT_EMPTY,
                    &build_cache_document_table),
        JSON_NESTED(BuildDocument, "cacheTo", JSON_ARRAY, cache_to, JSON_OMIT_EMPTY,
                    &build_cache_document_table),
};
const JsonTable build_document_table = JSON_TABLE(BuildDocument, "build", document_fields);

static const JsonField progress_fields[] = {
        JSON_FIELD(BuildProgress, "kind", JSON_STRING, kind, JSON_REQUIRED),
        JSON_FIELD(BuildProgress, "step", JSON_INT, step, JSON_OMIT_EMPTY),
        JSON_FIELD(BuildProgress, "total", JSON_INT, total, JSON_OMIT_EMPTY),
        JSON_FIELD(BuildProgress, "current", JSON_INT, current, JSON_OMIT_EMPTY),
        JSON_FIELD(BuildProgress, "stream", JSON_INT, stream, JSON_OMIT_EMPTY),
        JSON_FIELD(BuildProgress, "time", JSON_INT, time, JSON_OMIT_EMPTY),
        JSON_FIELD(BuildProgress, "line", JSON_INT, line, JSON_OMIT_EMPTY),
        JSON_FIELD(BuildProgress, "endLine", JSON_INT, end_line, JSON_OMIT_EMPTY),
        JSON_FIELD(BuildProgress, "name", JSON_STRING, name, JSON_PRESENT),
        JSON_FIELD(BuildProgress, "why", JSON_STRING, why, JSON_PRESENT),
        JSON_FIELD(BuildProgress, "text", JSON_STRING, text, JSON_PRESENT),
        JSON_FIELD(BuildProgress, "status", JSON_STRING, status, JSON_PRESENT),
        JSON_FIELD(BuildProgress, "layer", JSON_STRING, layer, JSON_PRESENT),
        JSON_FIELD(BuildProgress, "inputs", JSON_INTS, inputs, JSON_OMIT_EMPTY),
        JSON_FIELD(BuildProgress, "encoded", JSON_BOOL, encoded, JSON_OMIT_EMPTY),
        JSON_FIELD(BuildProgress, "error", JSON_STRING, error, JSON_PRESENT),
        JSON_FIELD(BuildProgress, "image", JSON_STRING, image, JSON_PRESENT),
};
const JsonTable build_progress_table = JSON_TABLE(BuildProgress, "progress", progress_fields);
