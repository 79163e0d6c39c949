/* load.c: image archives: docker-archive (manifest.json); OCI layout (index.json) is load-oci.c's.
 * brig-image spreads the archive out below tmp/, as numbered files; here their documents are read
 * and their layers taken over. */
#include <errno.h>
#include <fcntl.h>

#include "base/failpoint.h"
#include "base/fd.h"
#include "base/id.h"
#include "image/load.h"

#define LINKS_MAX 8

/* manifest.json's element */
typedef struct ArchiveImage {
        char *config;
        char **tags, **layers;
} ArchiveImage;
static const JsonField archive_image_fields[] = {
        JSON_FIELD(ArchiveImage, "Config", JSON_STRING, config, JSON_REQUIRED),
        JSON_FIELD(ArchiveImage, "RepoTags", JSON_STRINGS, tags, 0),
        JSON_FIELD(ArchiveImage, "Layers", JSON_STRINGS, layers, 0),
};
static const JsonTable archive_image_table =
        JSON_TABLE(ArchiveImage, "manifest.json", archive_image_fields);

static void archive_image_done(ArchiveImage *image) {
        json_done(&archive_image_table, image);
}

static void reference_donep(Reference *reference) {
        reference_done(reference);
}

/* ---- staging ---- */

static void free_staged(void *data) {
        StagedFile *file = data;

        free(file->link);
        free(file);
}

static void staging_done(Staging *staging) {
        map_done(&staging->files, free_staged);
        if (staging->name[0])
                (void)dir_remove_at(staging->store->tmp_fd, staging->name,
                                    NULL); /* else at the next start */
}

/* "./a//b/../c" → "a/c"; names in archives and links between them meet in this form. */
static char *normal_name(const char *directory, size_t directory_length, const char *name) {
        _cleanup_free_ char *joined =
                str_format("%.*s/%s", *name == '/' ? 0 : (int)directory_length, directory, name);
        _cleanup_strv_ char **parts = str_split(joined, '/');
        _cleanup_buf_ Buf clean = {};

        for (size_t i = 0; parts && parts[i]; i++) {
                if (str_equal(parts[i], "..")) {
                        char *slash = clean.length ? strrchr(clean.data, '/') : NULL;

                        clean.length = slash ? (size_t)(slash - clean.data) : 0;
                        if (clean.data)
                                clean.data[clean.length] = '\0';
                } else if (*parts[i] && !str_equal(parts[i], ".")) {
                        buf_format(&clean, "%s%s", clean.length ? "/" : "", parts[i]);
                }
        }
        return buf_take(&clean);
}

static int add_staged(Staging *staging, const ImageMessage *message, Error *err) {
        _cleanup_free_ char *name = normal_name("", 0, message->name ? message->name : "");
        const char *slash = strrchr(name, '/');
        StagedFile *file;

        if (message->number > 0 && !digest_valid(message->digest))
                return error_kind(err, ERROR_INTERNAL, "brig-image gave no digest for '%.200s'",
                                  name);
        file = NEW(StagedFile);
        file->number = message->number;
        file->size = message->size;
        if (message->number > 0)
                memcpy(file->digest, message->digest, DIGEST_TEXT_MAX);
        else /* size tells a hard link, whose target counts from the archive's root */
                file->link =
                        normal_name(name, message->size == 0 && slash ? (size_t)(slash - name) : 0,
                                    message->link ? message->link : "");
        file = map_put(&staging->files, name, file);
        if (file)
                free_staged(file);
        return 0;
}

static int receive_entries(Staging *staging, const Helper *helper, Error *err) {
        for (;;) {
                _cleanup_(image_message_done) ImageMessage message = {};
                int r = helper_report(helper, &message, err);

                if (r != 0)
                        return r < 0 ? r : 0;
                if (str_equal(message.kind, "entry"))
                        r = add_staged(staging, &message, err);
                if (r < 0)
                        return r;
        }
}

static int stage(Staging *staging, int fd, Error *err) {
        char id[ID_LENGTH + 1];
        _cleanup_close_ int target_fd = -1;
        _cleanup_(helper_end) Helper helper = { .socket = -1 };
        SpawnFd fds[] = { { fd, IMAGE_FD_INPUT }, { -1, IMAGE_FD_TARGET } };
        int r;

        id_new(id);
        (void)snprintf(staging->name, sizeof(staging->name), "stage-%.16s", id);
        r = dir_open_at(staging->store->tmp_fd, staging->name, 0700, &target_fd, err);
        if (r < 0)
                return r;
        fds[1].ours = target_fd;
        r = helper_start(staging->store->helper, "stage", fds, ELEMENTS(fds), &helper, err);
        if (r == 0)
                r = receive_entries(staging, &helper, err);
        return r < 0 ? error_prefix(err, "read the image archive") : 0;
}

const StagedFile *load_find(const Staging *staging, const char *name) {
        _cleanup_free_ char *normal = normal_name("", 0, name);
        const StagedFile *file = map_get(&staging->files, normal);

        for (int links = 0; file && file->number == 0 && links < LINKS_MAX; links++)
                file = map_get(&staging->files, file->link);
        return file && file->number > 0 ? file : NULL;
}

int load_need(const Staging *staging, const char *name, const StagedFile **ret, Error *err) {
        *ret = load_find(staging, name);
        if (*ret)
                return 0;
        return error_kind(err, ERROR_INVALID,
                          "the image archive has no file '%.200s', which its manifest names", name);
}

static void staged_path(const Staging *staging, const StagedFile *file, char path[48]) {
        (void)snprintf(path, 48, "%.24s/%lld", staging->name, (long long)file->number);
}

/* A file may have become a blob by an image of the same archive before. */
static int open_staged(const Staging *staging, const StagedFile *file, int *ret_fd, Error *err) {
        char path[48];
        int fd;

        staged_path(staging, file, path);
        fd = openat(staging->store->tmp_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0 && errno == ENOENT)
                return blob_open(staging->store, file->digest, ret_fd, NULL, err);
        if (fd < 0)
                return error_set(err, errno, "open a file of the image archive");
        *ret_fd = fd;
        return 0;
}

int load_read(const Staging *staging, const char *name, Buf *buf, Error *err) {
        const StagedFile *file;
        _cleanup_close_ int fd = -1;
        int r = load_need(staging, name, &file, err);

        if (r == 0)
                r = open_staged(staging, file, &fd, err);
        if (r < 0)
                return r;
        r = fd_read_all(fd, DOCUMENT_MAX, buf);
        return r < 0 ? error_set(err, -r, "read '%.200s' of the image archive", name) : 0;
}

/* ---- layers ---- */

static int unpack_layer_file(Assembly *assembly, Layer *layer, int fd, BlobTemp *temp, Error *err) {
        _cleanup_(unpack_done) Unpack unpack = {};
        char id[13];
        int64_t consumed = 0;
        int r = unpack_start(assembly->store, fd, -1, &unpack, err);

        (void)snprintf(id, sizeof(id), "%.12s", digest_hex(layer->diff));
        while (r == 0) {
                r = unpack_step(&unpack, &consumed, err);
                if (r == 0)
                        r = assembly_report(assembly, id, "Loading layer", consumed,
                                            layer->blob_size, err);
        }
        if (r < 0) {
                layer_give_up(assembly->store, layer->chain);
                return r;
        }
        r = layer_land(layer, &unpack, temp, err);
        return r < 0 ? r
                     : assembly_report(assembly, id, "Loading layer", layer->blob_size,
                                       layer->blob_size, err);
}

int load_layer(const Loader *loader, Assembly *assembly, size_t position, const StagedFile *file,
               Error *err) {
        _cleanup_(layer_done) Layer layer = {};
        BlobTemp temp = { .store = assembly->store, .fd = -1 };
        bool present;
        int r;

        assembly_layer(assembly, position, &layer);
        r = assembly_claim(assembly, &layer, &present, err);
        if (r < 0 || present)
                return r;
        memcpy(layer.blob, file->digest, DIGEST_TEXT_MAX);
        layer.blob_size = file->size;
        pins_add(&assembly->pins, layer.blob);
        staged_path(loader->staging, file, temp.name);
        r = open_staged(loader->staging, file, &temp.fd, err);
        if (r < 0)
                layer_give_up(assembly->store, layer.chain);
        else
                r = unpack_layer_file(assembly, &layer, temp.fd,
                                      blob_exists(assembly->store, layer.blob) ? NULL : &temp, err);
        close_fd(&temp.fd);
        return r;
}

/* ---- images ---- */

int load_say(const Loader *loader, const char *id, char *const *names, Error *err) {
        if (!names)
                strv_format(loader->loaded, "Loaded image ID: %s", id);
        for (size_t i = 0; names && names[i]; i++) {
                _cleanup_(reference_donep) Reference reference = {};
                _cleanup_free_ char *familiar = NULL;
                int r = reference_parse(names[i], &reference, err);

                if (r < 0)
                        return r;
                familiar = reference_familiar(&reference);
                strv_format(loader->loaded, "Loaded image: %s", familiar);
        }
        return 0;
}

int load_add_name(char ***names, const char *name, Error *err) {
        _cleanup_(reference_donep) Reference reference = {};
        int r = reference_parse(name, &reference, err);

        if (r < 0)
                return error_prefix(err, "image name '%.200s' in the archive", name);
        if (reference.digest)
                return 0;
        reference_default_tag(&reference);
        strv_take(names, reference_full(&reference));
        return 0;
}

int load_fits(const Loader *loader, const Buf *config, size_t layer_count, bool *ret, Error *err) {
        const ImagePlatform *wanted = loader->platform;
        _cleanup_(assembly_done) Assembly look = {};
        int r;

        *ret = true;
        if (!wanted)
                return 0;
        assembly_init(&look, loader->staging->store, NULL, NULL);
        r = assembly_read(&look, config->data, config->length, layer_count, err);
        if (r < 0)
                return r;
        *ret = platform_fits(&look.config, wanted);
        *loader->matched |= *ret;
        return 0;
}

static int load_docker_image(const Loader *loader, const ArchiveImage *image, Error *err) {
        _cleanup_(assembly_done) Assembly assembly = {};
        _cleanup_buf_ Buf config = {};
        bool fits = false;
        int r = load_read(loader->staging, image->config, &config, err);

        if (r == 0)
                r = load_fits(loader, &config, strv_length(image->layers), &fits, err);
        if (r < 0 || !fits)
                return r;
        assembly_init(&assembly, loader->staging->store, loader->progress, loader->data);
        r = assembly_begin(&assembly, config.data, config.length, strv_length(image->layers), err);
        for (size_t i = 0; r == 0 && image->layers && image->layers[i]; i++) {
                const StagedFile *file;

                r = load_need(loader->staging, image->layers[i], &file, err);
                if (r == 0)
                        r = load_layer(loader, &assembly, i, file, err);
        }
        for (size_t i = 0; r == 0 && image->tags && image->tags[i]; i++)
                r = load_add_name(&assembly.record.names, image->tags[i], err);
        if (r == 0)
                r = assembly_commit(&assembly, err);
        return r < 0 ? r : load_say(loader, assembly.record.id, assembly.record.names, err);
}

static int load_docker_archive(const Loader *loader, Error *err) {
        _cleanup_buf_ Buf text = {};
        _cleanup_json_ json_object *array = NULL;
        int r = load_read(loader->staging, "manifest.json", &text, err);

        if (r == 0)
                r = json_parse_any(text.data, text.length, &array, err);
        if (r == 0 && !json_object_is_type(array, json_type_array))
                r = error_kind(err, ERROR_INVALID, "manifest.json of the archive is no array");
        for (size_t i = 0; r == 0 && i < json_object_array_length(array); i++) {
                _cleanup_(archive_image_done) ArchiveImage image = {};

                r = json_read(&archive_image_table, json_object_array_get_idx(array, i), &image,
                              err);
                if (r == 0)
                        r = load_docker_image(loader, &image, err);
        }
        return r;
}

static int load_staged(const Loader *loader, Error *err) {
        if (!load_has_index(loader) && load_find(loader->staging, "manifest.json"))
                return load_docker_archive(loader, err);
        if (load_find(loader->staging, "index.json"))
                return load_oci_archive(loader, err);
        if (load_find(loader->staging, "repositories"))
                return error_kind(err, ERROR_UNSUPPORTED,
                                  "the archive is of Docker before 1.10 (it has no manifest.json): "
                                  "save it again with a "
                                  "newer one");
        return error_kind(err, ERROR_INVALID,
                          "the archive has neither manifest.json nor index.json: it is no image; "
                          "`import` takes plain "
                          "file systems");
}

static void platform_donep(ImagePlatform *platform) {
        platform_done(platform);
}

int image_load_platform(ImageStore *store, int fd, const char *platform, ImageProgressFn progress,
                        void *data, char ***loaded, Error *err) {
        _cleanup_(staging_done) Staging staging = { .store = store };
        _cleanup_(platform_donep) ImagePlatform wanted = {};
        bool matched = str_empty(platform);
        const Loader loader = { .staging = &staging,
                                .progress = progress,
                                .data = data,
                                .loaded = loaded,
                                .platform = matched ? NULL : &wanted,
                                .matched = &matched };
        int r = matched ? 0 : platform_parse(platform, &wanted, err);

        if (r == 0)
                r = stage(&staging, fd, err);
        if (r == 0)
                r = failpoint("load.staged", err);
        if (r == 0)
                r = load_staged(&loader, err);
        if (r < 0 || matched)
                return r;
        return error_kind(err, ERROR_NOT_FOUND, "the image archive has no image for platform %s",
                          platform);
}

int image_load(ImageStore *store, int fd, ImageProgressFn progress, void *data, char ***loaded,
               Error *err) {
        return image_load_platform(store, fd, NULL, progress, data, loaded, err);
}
