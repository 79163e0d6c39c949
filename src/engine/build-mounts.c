/* build-mounts.c: what cache mounts hold, as an archive: mounts.json, which says whose is what, and
 * an archive for each. A mount that a step has is not waited for. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/fd.h"
#include "engine/build-private.h"
#include "engine/documents.h"
#include "engine/engine-private.h"
#include "format/tar.h"
#include "image/pack.h"

#define INDEX "mounts.json"
#define INDEX_MAX ((size_t)1 << 20)
#define EMPTY_ARCHIVE ((int64_t)2 * TAR_BLOCK)

typedef struct MountDocument {
        char *id;
        char *file;             /* "3.tar"; NULL: it is empty */
        int64_t mode, uid, gid; /* of its root */
} MountDocument;

static const JsonField mount_fields[] = {
        JSON_FIELD(MountDocument, "id", JSON_STRING, id, JSON_REQUIRED),
        JSON_FIELD(MountDocument, "file", JSON_STRING, file, JSON_PRESENT),
        JSON_FIELD(MountDocument, "mode", JSON_INT, mode, JSON_REQUIRED),
        JSON_FIELD(MountDocument, "uid", JSON_INT, uid, JSON_REQUIRED),
        JSON_FIELD(MountDocument, "gid", JSON_INT, gid, JSON_REQUIRED),
};
static const JsonTable mount_table = JSON_TABLE(MountDocument, "mount", mount_fields);

typedef struct MountsDocument {
        int64_t version;
        JsonArray mounts; /* of MountDocument */
} MountsDocument;

static const JsonField mounts_fields[] = {
        JSON_FIELD(MountsDocument, "version", JSON_INT, version, JSON_REQUIRED),
        JSON_NESTED(MountsDocument, "mounts", JSON_ARRAY, mounts, JSON_REQUIRED, &mount_table),
};
static const JsonTable mounts_table = JSON_TABLE(MountsDocument, INDEX, mounts_fields);

static void document_donep(MountsDocument *document) {
        json_done(&mounts_table, document);
}

static void mount_releasep(CacheMount **mount) {
        cache_mount_release(*mount);
}

static bool do_not_wait(void *data) {
        (void)data;
        return true;
}

/* The mount alone, made if there is none. */
static int take(Builder *builder, const char *id, CacheMount **ret, int *ret_fd, bool *ret_new,
                Error *err) {
        int r = build_cache_mount(builder->cache, id, MOUNT_LOCKED, do_not_wait, NULL, ret, ret_fd,
                                  ret_new, err);

        return r == -ECANCELED ? error_kind(err, ERROR_CONFLICT,
                                            "cache mount '%s' is in use: wait until its build has "
                                            "ended",
                                            id)
                               : r;
}

/* ---- export ---- */

typedef struct Exporting {
        Builder *builder;
        int fd;
        MountsDocument document;
} Exporting;

static int pack_mount(Exporting *exporting, const char *id, int dir_fd, Error *err) {
        const PackOptions options = { .epoch = -1 };
        MountDocument *document = json_append(&exporting->document.mounts, &mount_table);
        _cleanup_close_ int temp_fd = -1;
        _cleanup_free_ char *name = NULL;
        struct stat st;
        int64_t size = 0;
        int r;

        document->id = str_copy(id);
        temp_fd = openat(exporting->builder->dir_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        if (temp_fd < 0 || fstat(dir_fd, &st) < 0)
                return error_set(err, errno, "pack cache mount '%s'", id);
        document->mode = st.st_mode & 07777;
        document->uid = st.st_uid;
        document->gid = st.st_gid;
        r = pack_directory(dir_fd, temp_fd, &options, NULL, &size, err);
        if (r < 0)
                return error_prefix(err, "pack cache mount '%s'", id);
        if (size <= EMPTY_ARCHIVE)
                return 0;
        name = str_format("%zu.tar", exporting->document.mounts.count - 1);
        document->file = str_copy(name);
        return tar_put_file(exporting->fd, name, temp_fd, size, clock_now() / NSEC_PER_SEC, err);
}

static int export_mount(Exporting *exporting, const char *id, Error *err) {
        _cleanup_(mount_releasep) CacheMount *mount = NULL;
        _cleanup_close_ int dir_fd = -1;
        bool is_new = false;
        int r = take(exporting->builder, id, &mount, &dir_fd, &is_new, err);

        if (r < 0)
                return r;
        /* Collected since it was listed: the new one goes. */
        return is_new ? error_kind(err, ERROR_NOT_FOUND, "no cache mount '%s'", id)
                      : pack_mount(exporting, id, dir_fd, err);
}

static int check_ids(char *const *ids, char *const *known, Error *err) {
        _cleanup_free_ char *names = known ? strv_join(known, ", ") : str_copy("none");

        for (; ids && *ids; ids++)
                if (!strv_has(known, *ids))
                        return error_kind(err, ERROR_NOT_FOUND, "no cache mount '%s': there is %s",
                                          *ids, names);
        return 0;
}

int engine_build_mounts_export(Engine *engine, char *const *ids, int fd, Error *err) {
        Exporting exporting = { .builder = engine->builder, .fd = fd, .document.version = 1 };
        _cleanup_strv_ char **known = NULL;
        _cleanup_free_ char *text = NULL;
        int r = build_cache_mount_ids(engine->builder->cache, &known, err);

        if (r == 0)
                r = check_ids(ids, known, err);
        for (char *const *id = ids ? ids : known; r == 0 && id && *id; id++)
                r = export_mount(&exporting, *id, err);
        if (r == 0) {
                text = json_text(&mounts_table, &exporting.document);
                r = tar_put_bytes(fd, INDEX, text, strlen(text), clock_now() / NSEC_PER_SEC, err);
        }
        json_done(&mounts_table, &exporting.document);
        return r < 0 ? r : tar_end(fd, err);
}

/* ---- import ---- */

typedef struct Scratch {
        Engine *engine;
        int fd;
} Scratch;

static void scratch_done(Scratch *scratch) {
        if (scratch->fd >= 0)
                engine_build_context_done(scratch->engine, scratch->fd);
}

static int open_file(int dir_fd, const char *name, int *ret_fd, Error *err) {
        int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        struct stat st;

        if (fd < 0)
                return error_set(err, errno, "read '%s' of the archive", name);
        *ret_fd = fd;
        if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
                return error_kind(err, ERROR_INVALID, "'%s' of the archive is no file", name);
        return 0;
}

static bool is_name(const char *file) {
        size_t digits = strspn(file, "0123456789");

        return digits > 0 && digits < 10 && str_equal(file + digits, ".tar");
}

static int read_index(int dir_fd, MountsDocument *ret, Error *err) {
        _cleanup_close_ int fd = -1;
        _cleanup_buf_ Buf text = {};
        int r = open_file(dir_fd, INDEX, &fd, err);

        if (r == 0 && (r = fd_read_all(fd, INDEX_MAX, &text)) < 0)
                r = error_set(err, r, "read '" INDEX "' of the archive");
        if (r == 0)
                r = json_parse(&mounts_table, text.data ?: "", text.length, ret, err);
        if (r == 0 && ret->version != 1)
                r = error_kind(err, ERROR_UNSUPPORTED,
                               "the archive is of version %lld; this brig reads version 1",
                               (long long)ret->version);
        for (size_t i = 0; r == 0 && i < ret->mounts.count; i++) {
                const MountDocument *mount = (const MountDocument *)ret->mounts.items + i;

                if (str_empty(mount->id) || (mount->file && !is_name(mount->file)))
                        r = error_kind(err, ERROR_INVALID,
                                       "mount %zu of the archive has no id, or no file's name", i);
        }
        return r < 0 ? error_prefix(err, "this is no archive of cache mounts") : 0;
}

/* The directory "fs" of a scratch directory, as the mount's shall be. */
static int unpack_mount(Engine *engine, int archive_fd, const MountDocument *document, int to_fd,
                        Error *err) {
        static const TreeUnpack options = {};
        _cleanup_close_ int fd = -1, dir_fd = -1;
        int r = dir_open_at(to_fd, "fs", 0700, &dir_fd, err);

        if (r == 0 && document->file)
                r = open_file(archive_fd, document->file, &fd, err);
        if (r == 0 && document->file)
                r = image_unpack_tree(engine->images, fd, dir_fd, &options, err);
        if (r < 0)
                return error_prefix(err, "unpack cache mount '%s'", document->id);
        if (fchown(dir_fd, (uid_t)document->uid, (gid_t)document->gid) < 0 ||
            fchmod(dir_fd, (mode_t)document->mode & 07777) < 0)
                return error_set(err, errno, "unpack cache mount '%s'", document->id);
        return 0;
}

/* What it held before goes with the scratch directory. */
static int replace(Engine *engine, const MountDocument *document, int from_fd, Error *err) {
        _cleanup_(mount_releasep) CacheMount *mount = NULL;
        _cleanup_close_ UNUSED int dir_fd = -1;
        bool is_new = false;
        int r = take(engine->builder, document->id, &mount, &dir_fd, &is_new, err);

        if (r < 0)
                return r;
        if (renameat2(from_fd, "fs", engine->data_root_fd, cache_mount_path(mount),
                      RENAME_EXCHANGE) < 0)
                return error_set(err, errno, "put cache mount '%s' in its place", document->id);
        return is_new ? cache_mount_ready(mount, err) : 0;
}

static int import_mount(Engine *engine, int archive_fd, const MountDocument *document, Error *err) {
        _cleanup_(scratch_done) Scratch scratch = { engine, -1 };
        int r = build_scratch_directory(engine->builder, &scratch.fd, err);

        if (r == 0)
                r = unpack_mount(engine, archive_fd, document, scratch.fd, err);
        return r < 0 ? r : replace(engine, document, scratch.fd, err);
}

int engine_build_mounts_import(Engine *engine, int tar_fd, Buf *json, Error *err) {
        static const TreeUnpack options = {};
        _cleanup_(scratch_done) Scratch archive = { engine, -1 };
        _cleanup_(document_donep) MountsDocument document = {};
        json_object *answer, *list;
        int r = build_scratch_directory(engine->builder, &archive.fd, err);

        if (r == 0)
                r = image_unpack_tree(engine->images, tar_fd, archive.fd, &options, err);
        if (r >= 0)
                r = read_index(archive.fd, &document, err);
        const MountDocument *mounts = document.mounts.items;
        for (size_t i = 0; r == 0 && i < document.mounts.count; i++)
                r = import_mount(engine, archive.fd, &mounts[i], err);
        if (r < 0)
                return r;
        list = json_object_new_array();
        for (size_t i = 0; i < document.mounts.count; i++)
                (void)json_object_array_add(list, json_object_new_string(mounts[i].id));
        answer = json_object_new_object();
        json_put(answer, "Mounts", list);
        json_add_object(json, answer);
        builder_collect(engine->builder);
        return 0;
}
