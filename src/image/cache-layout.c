/* cache-layout.c: a build cache in a directory: OCI image-spec, image-layout.md; how it is read is
 * layout.c's. The directory is a client's: links are not followed. */
#include "image/cache-layout.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/id.h"
#include "base/log.h"
#include "image/layout.h"
#include "image/origin.h"

#define LAYOUT_TEXT "{\"imageLayoutVersion\":\"1.0.0\"}"
#define INDEX_LOCK "index.json.lock"
#define LOCK_PAUSE_MS 50
#define LOCK_PATIENCE (60 * NSEC_PER_SEC)

static const char *tag_of(const CachePlace *place) {
        return str_empty(place->tag) ? "latest" : place->tag;
}

static Layout layout_of(const CachePlace *place) {
        return (Layout){ .dir_fd = place->dir_fd, .what = "the cache's directory" };
}

/* ---- reading ---- */

static const Descriptor *find_tag(const ImageIndex *index, const CachePlace *place) {
        const Descriptor *entries = index->manifests.items;

        for (size_t i = index->manifests.count; i-- > 0;)
                if (str_equal(pairs_get(&entries[i].annotations, LAYOUT_REF_NAME), tag_of(place)))
                        return &entries[i];
        return NULL;
}

static int find_manifest(const CachePlace *place, char **ret, Error *err) {
        const Layout layout = layout_of(place);
        _cleanup_(image_index_done) ImageIndex index = {};
        const Descriptor *entry;
        int r;

        if (!str_empty(place->digest)) { /* which need not be in the index */
                *ret = str_copy(place->digest);
                return 0;
        }
        r = layout_read_index(&layout, &index, err);
        if (r < 0)
                return r;
        entry = find_tag(&index, place);
        if (!entry)
                return error_kind(err, ERROR_NOT_FOUND,
                                  "the cache's directory has nothing of the tag '%s'",
                                  tag_of(place));
        *ret = str_copy(entry->digest);
        return 0;
}

int cache_layout_fetch(const CachePlace *place, CacheFound *ret, Error *err) {
        const Layout layout = layout_of(place);
        _cleanup_(document_done) Document document = {};
        _cleanup_buf_ Buf text = {}, config = {};
        _cleanup_free_ char *digest = NULL;
        int r = find_manifest(place, &digest, err);

        if (r == 0)
                r = layout_read_document(&layout, digest, &text, err);
        if (r == 0)
                r = document_parse(text.data ?: "", text.length, NULL, &document, err);
        if (r == 0 && document.is_index)
                r = error_kind(err, ERROR_INVALID, "'%s' of the cache's directory is no manifest",
                               digest);
        if (r == 0)
                r = layout_read_document(&layout, document.manifest.config.digest, &config, err);
        if (r < 0)
                return r;
        ret->manifest = document.manifest;
        document.manifest = (ImageManifest){};
        ret->length = config.length;
        ret->config = buf_take(&config);
        return 0;
}

int cache_layout_bring(const CachePlace *place, Assembly *assembly, const CacheLayer *wanted,
                       Error *err) {
        const Layout layout = layout_of(place);
        _cleanup_(layer_done) Layer layer = {};

        cache_layer_take(wanted, &layer);
        return layout_bring(&layout, assembly, &layer, err);
}

/* ---- writing ---- */

static int own(const CachePlace *place, int fd, Error *err) {
        if (place->uid >= 0 && fchown(fd, (uid_t)place->uid, (gid_t)place->gid) < 0)
                return error_set(err, errno, "give a file of the cache to its owner");
        return 0;
}

static int make_below(const CachePlace *place, int dir_fd, const char *name, Error *err) {
        const Layout layout = layout_of(place);
        bool made = mkdirat(dir_fd, name, 0755) == 0;
        _cleanup_close_ int fd = layout_open_below(&layout, dir_fd, name, err);
        int r = fd < 0 ? fd : made ? own(place, fd, err) : 0;

        return r < 0 ? r : TAKE_FD(fd);
}

static int make_blobs(const CachePlace *place, Error *err) {
        _cleanup_close_ int blobs_fd = make_below(place, place->dir_fd, "blobs", err);

        return blobs_fd < 0 ? blobs_fd : make_below(place, blobs_fd, "sha256", err);
}

static int sum(const CachePlace *place, int from_fd, int to_fd, int64_t limit,
               char ret_digest[DIGEST_TEXT_MAX], Error *err) {
        const Layout layout = layout_of(place);
        const LayoutCopy copy = { .from_fd = from_fd, .to_fd = to_fd, .limit = limit };

        return layout_copy(&layout, &copy, ret_digest, err);
}

/* A file appears whole or not at all. from_fd, else text. */
static int write_named(const CachePlace *place, int dir_fd, const char *name, const char *text,
                       int from_fd, Error *err) {
        char id[ID_LENGTH + 1], digest[DIGEST_TEXT_MAX];
        _cleanup_free_ char *temporary = NULL;
        _cleanup_close_ int fd = -1;
        int r = 0;

        id_new(id);
        temporary = str_format(".brig-%.20s", id);
        fd = openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
        if (fd < 0)
                return error_set(err, errno, "write '%s' of the cache's directory", name);
        if (from_fd >= 0)
                r = sum(place, from_fd, fd, INT64_MAX, digest, err);
        else if ((r = fd_write_full(fd, text, strlen(text))) < 0)
                r = error_set(err, r, "write '%s' of the cache's directory", name);
        if (r == 0)
                r = own(place, fd, err);
        if (r == 0 && renameat(dir_fd, temporary, dir_fd, name) < 0)
                r = error_set(err, errno, "write '%s' of the cache's directory", name);
        if (r < 0)
                (void)unlinkat(dir_fd, temporary, 0);
        return r;
}

/* Whole: one that is damaged is written anew. */
static bool has_blob(const CachePlace *place, int blobs_fd, const char *digest, int64_t size) {
        const Layout layout = layout_of(place);
        _cleanup_close_ int fd = -1;
        char found[DIGEST_TEXT_MAX];

        return layout_open_regular(&layout, blobs_fd, digest_hex(digest), &fd, NULL) == 0 &&
               sum(place, fd, -1, size, found, NULL) == 0 && str_equal(found, digest);
}

static int write_layer(const CachePlace *place, Push *push, size_t index, int blobs_fd,
                       Error *err) {
        const Layer *layer = &push->layers[index];
        ImageStore *store = push->assembly.store;
        Descriptor *descriptor = &push->descriptors[index];
        _cleanup_(blob_temp_done) BlobTemp temp = { .fd = -1 };
        _cleanup_close_ int fd = -1;
        char id[13], digest[DIGEST_TEXT_MAX], key[FORM_TEXT_MAX];
        bool packs = push_packs(push, layer);
        int64_t size = layer->blob_size;
        int r;

        form_key(&push->form, push_form(push, layer), key);
        r = packs ? packed_find(store, layer->blob, key, digest, &size, err) : 1;

        push_layer_id(layer, id);
        if (!packs)
                memcpy(digest, layer->blob, DIGEST_TEXT_MAX);
        if (r > 0 && has_blob(place, blobs_fd, digest, size))
                r = 2;
        else if (r >= 0)
                r = packs ? push_pack(push, layer, id, &temp, digest, &size, err)
                          : layer_blob_open(store, layer->blob, &fd, &size, err);
        if (r == 0 && packs && lseek(temp.fd, 0, SEEK_SET) < 0)
                r = error_set(err, errno, "read a compressed layer");
        if (r == 0)
                r = write_named(place, blobs_fd, digest_hex(digest), NULL, packs ? temp.fd : fd,
                                err);
        if (r < 0)
                return r;
        descriptor->media_type =
                str_copy(packs ? form_media_type(push_form(push, layer)) : layer->media_type);
        descriptor->digest = str_copy(digest);
        descriptor->size = size;
        return 0;
}

static int write_text(const CachePlace *place, int blobs_fd, const char *text,
                      char digest[DIGEST_TEXT_MAX], Error *err) {
        digest_of(text, strlen(text), digest);
        return write_named(place, blobs_fd, digest_hex(digest), text, -1, err);
}

/* ---- the index, which several may write to ---- */

/* Only a new one becomes the client's: what has the name already may be any file. */
static int open_lock(const CachePlace *place, bool *ret_made, Error *err) {
        const int flags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
        _cleanup_close_ int fd = openat(place->dir_fd, INDEX_LOCK, flags | O_CREAT | O_EXCL, 0644);
        int r;

        *ret_made = fd >= 0;
        if (fd < 0 && errno == EEXIST)
                fd = openat(place->dir_fd, INDEX_LOCK, flags);
        else if (fd >= 0 && (r = own(place, fd, err)) < 0)
                return r;
        return fd < 0 ? -errno : TAKE_FD(fd);
}

/* flock(2) of network and other file systems that know no locks, or have none left. */
static bool has_no_locks(int number) {
        return number == ENOLCK || number == ENOSYS || number == EOPNOTSUPP;
}

/* 0, or a negative errno of flock. */
static int take_lock(int fd) {
        return flock(fd, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;
}

/* 1: it is locked, or (*ret_fd is -1) cannot be: the index is replaced whole, so of two who write
 * at once one may lose its entry, no more. 0: somebody has it. */
static int try_lock(const CachePlace *place, int *ret_fd, Error *err) {
        bool made = false;
        _cleanup_close_ int fd = open_lock(place, &made, err);
        struct stat opened, named;
        int r = fd < 0 ? fd : take_lock(fd);

        if (r == -EWOULDBLOCK || (fd == -ENOENT && !made)) /* removed between two looks */
                return 0;
        if (r < 0 && made)
                (void)unlinkat(place->dir_fd, INDEX_LOCK, 0);
        if (fd >= 0 && has_no_locks(-r))
                return 1;
        if (r < 0)
                return error_set(err, r, "lock '" INDEX_LOCK "' of the cache's directory");
        /* Who had it before may have removed it meanwhile: another one is the lock then. */
        if (fstat(fd, &opened) < 0 ||
            fstatat(place->dir_fd, INDEX_LOCK, &named, AT_SYMLINK_NOFOLLOW) < 0 ||
            named.st_dev != opened.st_dev || named.st_ino != opened.st_ino)
                return 0;
        *ret_fd = TAKE_FD(fd);
        return 1;
}

/* Of all daemons one, and of BuildKit's, which lock the same file. It is held for as long as a file
 * of some kilobytes takes. */
static int wait_for_lock(const CachePlace *place, Push *push, int *ret_fd, Error *err) {
        const struct timespec pause = { .tv_nsec = LOCK_PAUSE_MS * NSEC_PER_MSEC };
        int64_t until = clock_monotonic() + LOCK_PATIENCE;

        for (;;) {
                int r = try_lock(place, ret_fd, err);

                if (r != 0)
                        return MIN(r, 0);
                r = assembly_report(&push->assembly, NULL, "Waiting for another writer", 0, 0, err);
                if (r < 0)
                        return r;
                if (clock_monotonic() > until)
                        return error_kind(err, ERROR_CONFLICT,
                                          "another process has had '" INDEX_LOCK
                                          "' of the cache's directory locked for a minute: end it");
                (void)nanosleep(&pause, NULL);
        }
}

static int lock_index(const CachePlace *place, Push *push, int *ret_fd, Error *err) {
        int r = wait_for_lock(place, push, ret_fd, err);

        if (r < 0 || *ret_fd >= 0)
                return r;
        log_warn("a build cache's directory is on a file system without locks: of several builds "
                 "that write to it at once one may lose its entry");
        return assembly_report(&push->assembly, NULL,
                               "Writing without a lock, which the file system has not", 0, 0, err);
}

static void unlock_index(const CachePlace *place, int *fd) {
        if (*fd >= 0)
                (void)unlinkat(place->dir_fd, INDEX_LOCK, 0); /* while it is ours */
        close_fd(fd);
}

/* The tag's entry is replaced; what else the index names stays. */
static int write_index(const CachePlace *place, const char *manifest, Error *err) {
        const Layout layout = layout_of(place);
        _cleanup_(image_index_done) ImageIndex old = {}, index = { .schema_version = 2 };
        _cleanup_free_ char *text = NULL;
        const Descriptor *entries;
        Descriptor *entry;
        char digest[DIGEST_TEXT_MAX];

        (void)layout_read_index(&layout, &old, NULL); /* one that is none is begun anew */
        entries = old.manifests.items;
        index.media_type = str_copy(MEDIA_OCI_INDEX);
        for (size_t i = 0; i < old.manifests.count; i++)
                if (!str_equal(pairs_get(&entries[i].annotations, LAYOUT_REF_NAME), tag_of(place)))
                        json_copy(&descriptor_table, &entries[i],
                                  json_append(&index.manifests, &descriptor_table));
        digest_of(manifest, strlen(manifest), digest);
        entry = json_append(&index.manifests, &descriptor_table);
        entry->media_type = str_copy(MEDIA_OCI_MANIFEST);
        entry->digest = str_copy(digest);
        entry->size = (int64_t)strlen(manifest);
        pairs_put(&entry->annotations, LAYOUT_REF_NAME, tag_of(place));
        text = json_text(&image_index_table, &index);
        return write_named(place, place->dir_fd, "index.json", text, -1, err);
}

static int replace_entry(const CachePlace *place, Push *push, Error *err) {
        int lock_fd = -1;
        int r = lock_index(place, push, &lock_fd, err);

        if (r < 0)
                return r;
        r = write_index(place, push->manifest, err);
        unlock_index(place, &lock_fd);
        return r;
}

int cache_layout_send(const CachePlace *place, Push *push, Error *err) {
        _cleanup_close_ int blobs_fd = make_blobs(place, err);
        char digest[DIGEST_TEXT_MAX];
        int r = MIN(blobs_fd, 0);

        for (size_t i = 0; r == 0 && i < push->count; i++)
                r = write_layer(place, push, i, blobs_fd, err);
        if (r == 0)
                r = write_text(place, blobs_fd, push->image.config_text, digest, err);
        if (r < 0)
                return r;
        push_make_manifest(push);
        r = write_text(place, blobs_fd, push->manifest, digest, err);
        if (r == 0)
                r = write_named(place, place->dir_fd, "oci-layout", LAYOUT_TEXT, -1, err);
        return r < 0 ? r : replace_entry(place, push, err);
}
