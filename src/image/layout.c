/* layout.c: see layout.h. */
#include "image/layout.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/fd.h"
#include "format/reference.h"

#define CONTAINERD_NAME "io.containerd.image.name"
#define PIECE ((size_t)256 * 1024)
#define LISTED_MAX 10 /* tags: an index may have tens of thousands */

/* ---- files ---- */

static int open_error(const Layout *layout, const char *name, Error *err) {
        if (errno == ELOOP || errno == ENOTDIR)
                return error_kind(err, ERROR_INVALID, "'%s' of %s is %s, which is not followed",
                                  name, layout->what,
                                  errno == ELOOP ? "a symbolic link"
                                                 : "no directory, or a symbolic link");
        return error_set(err, errno, "open '%s' of %s", name, layout->what);
}

int layout_open_below(const Layout *layout, int dir_fd, const char *name, Error *err) {
        int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        return fd < 0 ? open_error(layout, name, err) : fd;
}

int layout_open_blobs(const Layout *layout, Error *err) {
        _cleanup_close_ int blobs_fd = layout_open_below(layout, layout->dir_fd, "blobs", err);

        return blobs_fd < 0 ? blobs_fd : layout_open_below(layout, blobs_fd, "sha256", err);
}

int layout_open_regular(const Layout *layout, int dir_fd, const char *name, int *ret_fd,
                        Error *err) {
        _cleanup_close_ int fd =
                openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return open_error(layout, name, err);
        if (!S_ISREG(st.st_mode))
                return error_kind(err, ERROR_INVALID, "'%s' of %s is no regular file", name,
                                  layout->what);
        *ret_fd = TAKE_FD(fd);
        return 0;
}

/* ---- documents ---- */

static int read_regular(const Layout *layout, int dir_fd, const char *name, Buf *text, Error *err) {
        _cleanup_close_ int fd = -1;
        int r = layout_open_regular(layout, dir_fd, name, &fd, err);

        if (r < 0)
                return r;
        r = fd_read_all(fd, DOCUMENT_MAX, text);
        if (r == -EFBIG)
                return error_kind(err, ERROR_INVALID,
                                  "'%s' of %s is larger than the %u MiB that a document may have",
                                  name, layout->what, DOCUMENT_MAX >> 20);
        return r < 0 ? error_set(err, r, "read '%s' of %s", name, layout->what) : 0;
}

int layout_read_document(const Layout *layout, const char *digest, Buf *text, Error *err) {
        _cleanup_close_ int blobs_fd = -1;
        char found[DIGEST_TEXT_MAX];
        int r;

        if (!digest_valid(digest))
                return error_kind(err, ERROR_INVALID, "%s names '%.80s', which is no sha256 digest",
                                  layout->what, digest ?: "");
        r = blobs_fd = layout_open_blobs(layout, err);
        if (r >= 0)
                r = read_regular(layout, blobs_fd, digest_hex(digest), text, err);
        if (r < 0)
                return r;
        digest_of(text->data ?: "", text->length, found);
        return str_equal(found, digest) ? 0
                                        : error_kind(err, ERROR_INVALID, "%s has %s for %s",
                                                     layout->what, found, digest);
}

int layout_read_index(const Layout *layout, ImageIndex *ret, Error *err) {
        _cleanup_buf_ Buf text = {};
        int r = read_regular(layout, layout->dir_fd, "index.json", &text, err);

        if (r < 0)
                return r;
        r = json_parse(&image_index_table, text.data ?: "", text.length, ret, err);
        return r < 0 ? error_prefix(err, "'index.json' of %s", layout->what) : 0;
}

void image_index_done(ImageIndex *index) {
        json_done(&image_index_table, index);
}

/* ---- tags ---- */

/* "docker.io/library/a:v1" → "v1", "v1" → "v1"; NULL: it has none. Borrowed. */
static const char *tag_of(const char *name) {
        const char *slash = name ? strrchr(name, '/') : NULL;
        const char *colon = name ? strchr(slash ?: name, ':') : NULL;

        return colon ? colon + 1 : slash ? NULL : name;
}

static bool is_called(const Descriptor *entry, const char *tag, bool whole) {
        const char *const names[] = { pairs_get(&entry->annotations, LAYOUT_REF_NAME),
                                      pairs_get(&entry->annotations, CONTAINERD_NAME) };

        for (size_t i = 0; i < ELEMENTS(names); i++)
                if (names[i] && str_equal(whole ? names[i] : tag_of(names[i]), tag))
                        return true;
        return false;
}

const Descriptor *layout_find_tag(const ImageIndex *index, const char *tag, bool *ret_other) {
        const Descriptor *entries = index->manifests.items;
        size_t count = index->manifests.count;

        *ret_other = false;
        for (int whole = 1; whole >= 0; whole--)
                for (size_t i = 0; i < count; i++)
                        if (is_called(&entries[i], tag, whole))
                                return &entries[i];
        *ret_other = count == 1;
        return count == 1 ? &entries[0] : NULL;
}

char *layout_list_tags(const ImageIndex *index) {
        const Descriptor *entries = index->manifests.items;
        _cleanup_strv_ char **tags = NULL;
        size_t count = 0;

        for (size_t i = 0; i < index->manifests.count; i++) {
                const Pairs *names = &entries[i].annotations;
                const char *tag = tag_of(pairs_get(names, LAYOUT_REF_NAME)
                                                 ?: pairs_get(names, CONTAINERD_NAME));

                if (!tag || !reference_tag_valid(tag) || strv_has(tags, tag))
                        continue;
                strv_add(&tags, count == LISTED_MAX ? "…" : tag);
                if (count++ == LISTED_MAX)
                        break;
        }
        return strv_join(tags, ", ");
}

/* ---- layers ---- */

int layout_copy(const Layout *layout, const LayoutCopy *copy, char ret_digest[DIGEST_TEXT_MAX],
                Error *err) {
        _cleanup_free_ char *piece = alloc_zero(1, PIECE);
        Digester digester;
        int64_t done = 0;

        digester_init(&digester);
        for (;;) {
                ssize_t n = fd_read_full(copy->from_fd, piece, PIECE);
                int r = n < 0 || copy->to_fd < 0 ? (int)MIN(n, 0)
                                                 : fd_write_full(copy->to_fd, piece, (size_t)n);

                if (r < 0)
                        return error_set(err, r, "copy a layer of %s", layout->what);
                if (n == 0)
                        break;
                done += n;
                if (done > copy->limit)
                        return error_kind(err, ERROR_INVALID,
                                          "a layer of %s is larger than the %lld bytes that its "
                                          "manifest says",
                                          layout->what, (long long)copy->limit);
                digester_add(&digester, piece, (size_t)n);
                if (copy->assembly)
                        r = assembly_report(copy->assembly, copy->id, "Copying", done, copy->limit,
                                            err);
                if (r < 0)
                        return r;
        }
        digester_end(&digester, ret_digest);
        return 0;
}

/* Before anything is written: a file of holes may claim any size. */
static int check_size(const Layout *layout, const Layer *layer, int fd, int to_fd, Error *err) {
        struct statvfs room;
        struct stat st;

        if (fstat(fd, &st) < 0 || fstatvfs(to_fd, &room) < 0)
                return error_set(err, errno, "look at layer %s of %s", layer->blob, layout->what);
        if (st.st_size != layer->blob_size)
                return error_kind(err, ERROR_INVALID,
                                  "%s has %lld bytes for layer %s, its manifest says %lld",
                                  layout->what, (long long)st.st_size, layer->blob,
                                  (long long)layer->blob_size);
        if ((uint64_t)st.st_size / room.f_frsize >= room.f_bavail)
                return error_set(err, ENOSPC,
                                 "layer %s of %s has %lld bytes, more than are free for images",
                                 layer->blob, layout->what, (long long)st.st_size);
        return 0;
}

static int copy_blob(const Layout *layout, Assembly *assembly, const Layer *layer, const char *id,
                     BlobTemp *temp, Error *err) {
        _cleanup_close_ int blobs_fd = layout_open_blobs(layout, err), fd = -1;
        LayoutCopy copy = {
                .to_fd = temp->fd, .limit = layer->blob_size, .assembly = assembly, .id = id
        };
        char digest[DIGEST_TEXT_MAX];
        int r = blobs_fd < 0
                        ? blobs_fd
                        : layout_open_regular(layout, blobs_fd, digest_hex(layer->blob), &fd, err);

        copy.from_fd = fd;
        if (r == 0)
                r = check_size(layout, layer, fd, temp->fd, err);
        if (r == 0)
                r = layout_copy(layout, &copy, digest, err);
        if (r == 0 && !str_equal(digest, layer->blob))
                r = error_kind(err, ERROR_INVALID, "%s has %s for layer %s", layout->what, digest,
                               layer->blob);
        if (r == 0 && lseek(temp->fd, 0, SEEK_SET) < 0)
                r = error_set(err, errno, "read a layer of %s", layout->what);
        return r;
}

static int unpack_blob(Assembly *assembly, const Layer *layer, const char *id, int fd,
                       Unpack *unpack, Error *err) {
        int64_t consumed = 0;
        int r = unpack_start(assembly->store, fd, -1, unpack, err);

        while (r == 0) {
                r = unpack_step(unpack, &consumed, err);
                if (r == 0)
                        r = assembly_report(assembly, id, "Extracting", consumed, layer->blob_size,
                                            err);
        }
        return MIN(r, 0);
}

/* The claim is ended. */
static int land(const Layout *layout, Assembly *assembly, Layer *layer, Error *err) {
        ImageStore *store = assembly->store;
        _cleanup_(blob_temp_done) BlobTemp temp = { .fd = -1 };
        _cleanup_(unpack_done) Unpack unpack = {};
        char id[13];
        int r = blob_temp_new(store, &temp, err);

        (void)snprintf(id, sizeof(id), "%.12s", digest_hex(layer->diff));
        if (r == 0)
                r = copy_blob(layout, assembly, layer, id, &temp, err);
        if (r == 0)
                r = unpack_blob(assembly, layer, id, temp.fd, &unpack, err);
        if (r == 0)
                return layer_land(layer, &unpack, blob_exists(store, layer->blob) ? NULL : &temp,
                                  err);
        layer_give_up(store, layer->chain);
        return r;
}

int layout_bring(const Layout *layout, Assembly *assembly, Layer *layer, Error *err) {
        bool present;
        int r;

        pins_add(&assembly->pins, layer->blob);
        r = assembly_claim(assembly, layer, &present, err);
        return r < 0 || present ? r : land(layout, assembly, layer, err);
}
