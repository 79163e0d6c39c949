/* job-unpack.c: the jobs that read archives: unpack (a layer into its snapshot), tree (an archive's
 * files into a directory, as they are) and stage (an image archive's files into numbered files, for
 * brigd to look at). See job.h. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "image/confine.h"
#include "image/job.h"
#include "image/message.h"
#include "image/unpack.h"

#define STAGE_ENTRIES_MAX 100000
#define STAGE_BYTES_MAX (1LL << 40)
#define STAGE_STREAM_MAX (STAGE_BYTES_MAX + (1LL << 30)) /* headers and padding, too */

static void report_progress(void *data, int64_t consumed) {
        ImageMessage message = { .kind = (char *)"progress", .current = consumed };

        (void)data;
        if (image_message_send(IMAGE_FD_SOCKET, &message, NULL, 0) == -EPIPE)
                _exit(1); /* brigd has gone: nobody wants the rest */
}

/* image-spec layer.md and Docker know these three; another compression is read, but is no layer's.
 */
static const char *media_type_of(Compression compression) {
        switch (compression) {
        case COMPRESSION_NONE:
                return "application/vnd.oci.image.layer.v1.tar";
        case COMPRESSION_GZIP:
                return "application/vnd.oci.image.layer.v1.tar+gzip";
        case COMPRESSION_ZSTD:
                return "application/vnd.oci.image.layer.v1.tar+zstd";
        case COMPRESSION_XZ:
        case COMPRESSION_BZIP2:
                break;
        }
        return NULL;
}

static int report_done(const TarStream *stream, const char *digest, int64_t size) {
        ImageMessage message = {
                .kind = (char *)"done",
                .digest = (char *)digest,
                .size = size,
                .media_type = (char *)media_type_of(tar_stream_compression(stream)),
        };

        return image_message_send(IMAGE_FD_SOCKET, &message, NULL, 0);
}

int job_unpack(Error *err) {
        _cleanup_(tar_stream_freep) TarStream *stream = NULL;
        char digest[DIGEST_TEXT_MAX];
        int copy_fd = fcntl(IMAGE_FD_COPY, F_GETFD) < 0 ? -1 : IMAGE_FD_COPY;
        int64_t size = 0;
        int r = confine_to_directory(IMAGE_FD_TARGET, err);

        if (r == 0)
                r = tar_stream_new(IMAGE_FD_INPUT, copy_fd, unpack_limits.stream, &stream, err);
        if (r == 0)
                r = unpack_layer(stream, IMAGE_FD_TARGET, &unpack_limits, report_progress, NULL,
                                 &size, err);
        if (r == 0)
                r = tar_stream_finish(stream, digest, err);
        return r < 0 ? r : report_done(stream, digest, size);
}

/* ---- tree ---- */

/* A smaller limit than a layer's counts for headers, too: an eighth, as there. */
static UnpackLimits tree_limits(int64_t bytes) {
        UnpackLimits limits = unpack_limits;

        if (bytes > 0 && bytes < limits.bytes) {
                limits.bytes = bytes;
                limits.stream = bytes + bytes / 8 + (16LL << 20);
        }
        return limits;
}

static int take_tree(const UnpackTree *options, const UnpackLimits *limits, Error *err) {
        _cleanup_(tar_stream_freep) TarStream *stream = NULL;
        char digest[DIGEST_TEXT_MAX];
        Error why = {};
        int r = tar_stream_new(IMAGE_FD_INPUT, -1, limits->stream, &stream, &why);

        if (r < 0 && why.kind == ERROR_INVALID && options->detect)
                return 0;
        if (r < 0) {
                if (err)
                        *err = why;
                return r;
        }
        r = unpack_tree(stream, IMAGE_FD_TARGET, limits, options, report_progress, NULL, err);
        if (r <= 0 || options->probe)
                return r;
        r = tar_stream_finish(stream, digest, err);
        return r < 0 ? r : 1;
}

int job_tree(Error *err) {
        _cleanup_(image_message_done) ImageMessage request = {};
        ImageMessage done = { .kind = (char *)"done" };
        UnpackLimits limits;
        UnpackTree options;
        int r = confine_to_directory(IMAGE_FD_TARGET, err);

        if (r == 0)
                r = image_message_receive(IMAGE_FD_SOCKET, &request, NULL, 0, NULL, err);
        if (r <= 0)
                return r;
        limits = tree_limits(request.size);
        options = (UnpackTree){ .devices = request.devices,
                                .detect = request.detect,
                                .probe = request.probe,
                                .ret_bytes = &done.size };
        r = take_tree(&options, &limits, err);
        if (r < 0)
                return r;
        done.number = r;
        return image_message_send(IMAGE_FD_SOCKET, &done, NULL, 0);
}

/* ---- stage ---- */

typedef struct Stage {
        TarStream *stream;
        int64_t entries, files, bytes;
} Stage;

static int report_entry(Stage *stage, const char *name, const char *link, int64_t number,
                        const char *digest, int64_t size, Error *err) {
        ImageMessage message = {
                .kind = (char *)"entry",
                .name = (char *)name,
                .link = (char *)link,
                .number = number,
                .digest = (char *)digest,
                .size = size,
        };
        int r = image_message_send(IMAGE_FD_SOCKET, &message, NULL, 0);

        (void)stage;
        return r < 0 ? error_set(err, -r, "report archive entry '%.200s'", name) : 0;
}

static int copy_content(Stage *stage, int fd, char digest[DIGEST_TEXT_MAX], int64_t *ret_size,
                        Error *err) {
        Digester digester;
        const void *data;
        size_t length;
        int64_t offset, end = 0;
        int r;

        digester_init(&digester);
        while ((r = tar_stream_data(stage->stream, &data, &length, &offset, err)) > 0) {
                if (offset != end)
                        return error_kind(err, ERROR_INVALID,
                                          "the image archive has a sparse file");
                r = fd_write_full(fd, data, length);
                if (r < 0)
                        return error_set(err, -r, "store a file of the archive");
                digester_add(&digester, data, length);
                end += (int64_t)length;
                stage->bytes += (int64_t)length;
                if (stage->bytes > STAGE_BYTES_MAX)
                        return error_kind(err, ERROR_INVALID,
                                          "the image archive is larger than 1 TiB");
        }
        digester_end(&digester, digest);
        *ret_size = end;
        return r;
}

static int stage_file(Stage *stage, const char *name, Error *err) {
        char digest[DIGEST_TEXT_MAX], number[24];
        _cleanup_close_ int fd = -1;
        int64_t size = 0;
        int r;

        (void)snprintf(number, sizeof(number), "%lld", (long long)++stage->files);
        fd = openat(IMAGE_FD_TARGET, number, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0)
                return error_set(err, errno, "create a file for the archive");
        r = copy_content(stage, fd, digest, &size, err);
        return r < 0 ? r : report_entry(stage, name, NULL, stage->files, digest, size, err);
}

static int stage_entry(Stage *stage, struct archive_entry *entry, Error *err) {
        const char *name = archive_entry_pathname(entry), *link = archive_entry_hardlink(entry);

        if (++stage->entries > STAGE_ENTRIES_MAX)
                return error_kind(err, ERROR_INVALID, "the image archive has more than %d entries",
                                  STAGE_ENTRIES_MAX);
        if (!name)
                return error_kind(err, ERROR_INVALID,
                                  "the image archive has an entry whose name can't be read");
        if (!link && archive_entry_filetype(entry) == S_IFLNK)
                link = archive_entry_symlink(entry);
        if (link)
                return report_entry(stage, name, link, 0, NULL,
                                    archive_entry_hardlink(entry) ? 1 : 0, err);
        return archive_entry_filetype(entry) == S_IFREG ? stage_file(stage, name, err) : 0;
}

int job_stage(Error *err) {
        _cleanup_(tar_stream_freep) TarStream *stream = NULL;
        Stage stage = {};
        struct archive_entry *entry;
        char digest[DIGEST_TEXT_MAX];
        int r = confine_to_directory(IMAGE_FD_TARGET, err);

        if (r == 0)
                r = tar_stream_new(IMAGE_FD_INPUT, -1, STAGE_STREAM_MAX, &stream, err);
        stage.stream = stream;
        while (r == 0 && (r = tar_stream_next(stream, &entry, err)) > 0)
                r = stage_entry(&stage, entry, err);
        if (r == 0)
                r = tar_stream_finish(stream, digest, err);
        return r < 0 ? r : report_done(stream, digest, stage.bytes);
}
