/* changes.c: what a container changed in its root, as `diff` shows it, and its root as an archive,
 * as `export` writes it. Its upper directory says the one, a read-only view of all its layers the
 * other. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/fd.h"
#include "engine/engine-private.h"
#include "engine/ocispec.h"
#include "engine/registry.h"
#include "engine/snapshot.h"
#include "engine/state.h"
#include "image/pack.h"

#define PATH_LENGTH_MAX 4095

/* Docker's numbers. */
typedef enum ChangeKind { CHANGE_MODIFIED, CHANGE_ADDED, CHANGE_DELETED } ChangeKind;

typedef struct Change {
        char *path;
        int64_t kind; /* ChangeKind */
} Change;

static const JsonField change_fields[] = {
        JSON_FIELD(Change, "Path", JSON_STRING, path, 0),
        JSON_FIELD(Change, "Kind", JSON_INT, kind, 0),
};
static const JsonTable change_table = JSON_TABLE(Change, "change", change_fields);

/* A directory of the upper layer that is being looked at. Kept in a list, not on the stack: a
 * container may nest them as deep as a path is long. */
typedef struct Level {
        int upper_fd, lower_fd; /* lower_fd -1: what lies below has no such directory */
        char **names;           /* sorted */
        size_t next;
        size_t path_length; /* of what comes before its names */
        size_t first;       /* index of its first change */
        bool listed;        /* it is a change itself */
} Level;

typedef struct Differ {
        Buf path;
        JsonArray changes; /* of Change */
        Level *levels;
        size_t depth;
} Differ;

static void leave_level(Differ *differ) {
        Level *level = &differ->levels[--differ->depth];

        close_fd(&level->upper_fd);
        close_fd(&level->lower_fd);
        level->names = strv_free(level->names);
}

static void differ_done(Differ *differ) {
        Change *changes = differ->changes.items;

        while (differ->depth > 0)
                leave_level(differ);
        free(differ->levels);
        for (size_t i = 0; i < differ->changes.count; i++)
                json_done(&change_table, &changes[i]);
        free(changes);
        buf_done(&differ->path);
}

/* ---- the list ---- */

static void add_change(Differ *differ, const char *path, ChangeKind kind) {
        Change *change = json_append(&differ->changes, &change_table);

        change->path = str_copy(path);
        change->kind = kind;
}

/* A directory with changes below it is one, and stands before them. */
static void add_directory(Differ *differ, const Level *level) {
        Change *changes, last;

        if (level->listed || level->first == differ->changes.count || level->path_length <= 1)
                return;
        differ->path.length = level->path_length - 1; /* without the slash */
        differ->path.data[differ->path.length] = '\0';
        add_change(differ, differ->path.data, CHANGE_MODIFIED);
        changes = differ->changes.items;
        last = changes[differ->changes.count - 1];
        memmove(&changes[level->first + 1], &changes[level->first],
                (differ->changes.count - 1 - level->first) * sizeof(Change));
        changes[level->first] = last;
}

/* ---- looking ---- */

static bool is_whiteout(const struct stat *status) {
        return S_ISCHR(status->st_mode) && status->st_rdev == makedev(0, 0);
}

/* As Docker tells: of directories neither size nor time counts. */
static bool differs(const struct stat *a, const struct stat *b) {
        return a->st_mode != b->st_mode || a->st_uid != b->st_uid || a->st_gid != b->st_gid ||
               a->st_rdev != b->st_rdev ||
               (!S_ISDIR(a->st_mode) &&
                (a->st_size != b->st_size || a->st_mtim.tv_sec != b->st_mtim.tv_sec ||
                 a->st_mtim.tv_nsec != b->st_mtim.tv_nsec));
}

static int compare_names(const void *a, const void *b) {
        return strcmp(*(char *const *)a, *(char *const *)b);
}

static int read_names(int fd, char ***ret, Error *err) {
        int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_closedir_ DIR *dir = copy < 0 ? NULL : fdopendir(copy);
        size_t count = 0;
        struct dirent *entry;

        if (!dir)
                return error_set(err, errno, "read a directory of the container");
        for (errno = 0; (entry = readdir(dir)); errno = 0)
                if (!str_equal(entry->d_name, ".") && !str_equal(entry->d_name, ".."))
                        strv_take_at(ret, count++, str_copy(entry->d_name));
        if (errno != 0)
                return error_set(err, errno, "read a directory of the container");
        if (*ret)
                qsort(*ret, count, sizeof(char *), compare_names);
        return 0;
}

/* Of an opaque directory: what lies below and is not there any more. */
static int add_hidden(const Level *level, char ***names, Error *err) {
        _cleanup_strv_ char **hidden = NULL;
        char value[2];
        int r;

        if (level->lower_fd < 0 ||
            fgetxattr(level->upper_fd, "trusted.overlay.opaque", value, sizeof(value)) < 1 ||
            value[0] != 'y')
                return 0;
        r = read_names(level->lower_fd, &hidden, err);
        for (size_t i = 0; r == 0 && hidden && hidden[i]; i++)
                if (!strv_has(*names, hidden[i]))
                        strv_add(names, hidden[i]);
        if (r == 0 && *names)
                qsort(*names, strv_length(*names), sizeof(char *), compare_names);
        return r;
}

/* The descriptors are taken. differ->path ends with '/'. */
static int enter_level(Differ *differ, int upper_fd, int lower_fd, size_t first, bool listed,
                       Error *err) {
        Level *level;
        int r;

        GROW(differ->levels, differ->depth);
        level = &differ->levels[differ->depth++];
        *level = (Level){ .upper_fd = upper_fd,
                          .lower_fd = lower_fd,
                          .path_length = differ->path.length,
                          .first = first,
                          .listed = listed };
        r = read_names(upper_fd, &level->names, err);
        return r < 0 ? r : add_hidden(level, &level->names, err);
}

static int open_directory(int parent_fd, const char *name) {
        return openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* One name of the topmost level; differ->path is its path. */
static int look_at(Differ *differ, const char *name, Error *err) {
        Level level = differ->levels[differ->depth - 1];
        size_t first = differ->changes.count;
        struct stat upper, lower;
        bool below = level.lower_fd >= 0 &&
                     fstatat(level.lower_fd, name, &lower, AT_SYMLINK_NOFOLLOW) == 0;
        bool gone = fstatat(level.upper_fd, name, &upper, AT_SYMLINK_NOFOLLOW) < 0 ||
                    is_whiteout(&upper);
        int upper_fd;

        if (gone) {
                if (below)
                        add_change(differ, differ->path.data, CHANGE_DELETED);
                return 0;
        }
        if (!below || differs(&upper, &lower))
                add_change(differ, differ->path.data, below ? CHANGE_MODIFIED : CHANGE_ADDED);
        if (!S_ISDIR(upper.st_mode))
                return 0;
        if (differ->path.length > PATH_LENGTH_MAX)
                return error_kind(err, ERROR_INVALID,
                                  "a path of the container is longer than 4,095 bytes: '%.200s…'",
                                  differ->path.data);
        upper_fd = open_directory(level.upper_fd, name);
        if (upper_fd < 0) /* replaced meanwhile */
                return errno == ENOENT || errno == ENOTDIR
                               ? 0
                               : error_set(err, errno, "open '%s'", differ->path.data);
        buf_add_char(&differ->path, '/');
        return enter_level(differ, upper_fd, below ? open_directory(level.lower_fd, name) : -1,
                           first, differ->changes.count > first, err);
}

static int look_at_all(Differ *differ, Error *err) {
        int r = 0;

        while (r == 0 && differ->depth > 0) {
                Level *level = &differ->levels[differ->depth - 1];
                const char *name = level->names ? level->names[level->next] : NULL;

                if (!name) {
                        add_directory(differ, level);
                        leave_level(differ);
                        continue;
                }
                level->next++;
                differ->path.length = level->path_length;
                buf_add_str(&differ->path, name);
                r = look_at(differ, name, err);
        }
        return r;
}

/* ---- the engine's calls ---- */

int container_check_exists(const Container *container, const char *doing, Error *err) {
        _cleanup_snapshot_ ContainerSnapshot *snapshot = container_snapshot((Container *)container);
        int64_t status = snapshot->state.status;

        if (status == CONTAINER_REMOVING)
                return error_kind(err, ERROR_CONFLICT,
                                  "You cannot %s container %s which is being removed", doing,
                                  container->id);
        if (status == CONTAINER_DEAD)
                return error_kind(err, ERROR_CONFLICT, "You cannot %s container %s which is Dead",
                                  doing, container->id);
        return 0;
}

static void write_changes(const Differ *differ, Buf *json) {
        const Change *changes = differ->changes.items;

        if (differ->changes.count == 0) {
                buf_add_str(json, "null"); /* as Docker has it */
                return;
        }
        for (size_t i = 0; i < differ->changes.count; i++) {
                buf_add_char(json, i == 0 ? '[' : ',');
                json_add_text(json, &change_table, &changes[i]);
        }
        buf_add_char(json, ']');
}

int container_open_upper(const Container *container, int *ret_fd, Error *err) {
        _cleanup_free_ char *path = str_format("%s/upper", container->id);

        return dir_open_at(container->engine->containers_fd, path, 0, ret_fd, err);
}

int engine_container_changes(Engine *engine, const char *ref, Buf *json, Error *err) {
        _cleanup_container_ Container *container = NULL;
        _cleanup_(differ_done) Differ differ = { 0 };
        int upper_fd = -1, lower_fd = -1;
        int r = container_lookup(engine, ref, &container, err);

        if (r == 0)
                r = container_check_exists(container, "diff", err);
        if (r == 0)
                r = rootfs_open_image(container, &lower_fd, err);
        if (r == 0)
                r = container_open_upper(container, &upper_fd, err);
        if (r < 0) {
                close_fd(&lower_fd);
                return r;
        }
        buf_add_char(&differ.path, '/');
        r = enter_level(&differ, upper_fd, lower_fd, 0, true, err);
        if (r == 0)
                r = look_at_all(&differ, err);
        if (r == 0) /* a removal may have taken files that were not looked at yet */
                r = container_check_exists(container, "diff", err);
        if (r == 0)
                write_changes(&differ, json);
        return r;
}

int engine_container_export(Engine *engine, const char *ref, int fd, Error *err) {
        const PackOptions options = { .epoch = -1 };
        _cleanup_container_ Container *container = NULL;
        _cleanup_close_ int root_fd = -1;
        int r = container_lookup(engine, ref, &container, err);

        if (r == 0)
                r = container_check_exists(container, "export", err);
        if (r == 0)
                r = rootfs_open(container, &root_fd, err);
        if (r == 0)
                r = pack_directory(root_fd, fd, &options, NULL, NULL, err);
        if (r == 0) /* a removal may have taken files that were not read yet */
                r = container_check_exists(container, "export", err);
        return r < 0 && container ? error_prefix(err, "%s", container->id) : r;
}
