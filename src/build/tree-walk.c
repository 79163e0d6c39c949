/* tree-walk.c: visits what is selected of a tree, by descriptors, links unfollowed, in an order
 * that depends on names alone. Of each directory it holds the names and one descriptor. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>

#include "build/tree-private.h"

#define CANCEL_EVERY                                                                               \
        32u /* entries, each of which thousands of ignore patterns may be asked about */

struct WalkFrame {
        int fd;
        size_t path_length, name_length; /* of the walk's buffers up to this directory */
        bool entered, parent;
        struct stat status;
};

/* ---- names ---- */

static int compare_names(const void *a, const void *b) {
        return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* fd is taken. */
static int read_names(int fd, DirectoryNames *names, Error *err) {
        _cleanup_closedir_ DIR *dir = fdopendir(fd);
        struct dirent *entry;

        if (!dir) {
                int r = error_set(err, errno, "read the directory");

                (void)close(fd);
                return r;
        }
        rewinddir(dir);
        while ((errno = 0, entry = readdir(dir))) {
                if (str_equal(entry->d_name, ".") || str_equal(entry->d_name, ".."))
                        continue;
                buf_add(&names->text, entry->d_name, strlen(entry->d_name) + 1);
                names->count++;
        }
        return errno ? error_set(err, errno, "read the directory") : 0;
}

int directory_names(int dir_fd, DirectoryNames *ret, Error *err) {
        _cleanup_(directory_names_done) DirectoryNames names = {};
        int fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 0);
        const char *at;
        int r;

        if (fd < 0)
                return error_set(err, errno, "open the directory");
        r = read_names(fd, &names, err);
        if (r < 0)
                return r;
        names.items = NEW_ARRAY(const char *, names.count + 1);
        at = names.text.data;
        for (size_t i = 0; i < names.count; i++, at += strlen(at) + 1)
                names.items[i] = at;
        qsort(names.items, names.count, sizeof(*names.items), compare_names);
        *ret = names;
        names = (DirectoryNames){};
        return 0;
}

void directory_names_done(DirectoryNames *names) {
        buf_done(&names->text);
        free(names->items);
        *names = (DirectoryNames){};
}

/* ---- frames ---- */

static const char *text_of(const Buf *buf) {
        return buf->length ? buf->data : "";
}

static void truncate_to(Buf *buf, size_t length) {
        buf->length = length;
        if (buf->data)
                buf->data[length] = '\0';
}

static void append(Buf *buf, const char *component) {
        if (buf->length > 0)
                buf_add_char(buf, '/');
        buf_add_str(buf, component);
}

static int parent_fd(const Walk *walk, size_t frame) {
        return frame > 0 ? walk->frames[frame - 1].fd : walk->base_fd;
}

/* The entry of a frame's directory. The strings are the caller's to free. */
static int call_for_frame(Walk *walk, size_t index,
                          int (*call)(void *data, const WalkEntry *entry, Error *err), Error *err) {
        const WalkFrame *frame = &walk->frames[index];
        _cleanup_free_ char *path = str_copy_n(text_of(&walk->path), frame->path_length);
        _cleanup_free_ char *name = str_copy_n(text_of(&walk->name), frame->name_length);
        WalkEntry entry = {
                .dir_fd = *name ? parent_fd(walk, index) : frame->fd,
                .base = *name ? tree_base_name(path) : "",
                .path = path,
                .name = name,
                .status = &frame->status,
                .parent = frame->parent,
        };

        return call(walk->data, &entry, err);
}

/* Something is visited: so are the directories that it is in. */
static int enter_frames(Walk *walk, Error *err) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < walk->frame_count; i++) {
                if (walk->frames[i].entered)
                        continue;
                r = call_for_frame(walk, i, walk->visitor->enter, err);
                walk->frames[i].entered = r == 0;
        }
        return r;
}

/* fd becomes the frame's. */
static void push_frame(Walk *walk, int fd, const struct stat *status) {
        if (!walk->frames)
                walk->frames = NEW_ARRAY(WalkFrame, TREE_DEPTH_MAX);
        walk->frames[walk->frame_count++] = (WalkFrame){
                .fd = fd,
                .path_length = walk->path.length,
                .name_length = walk->name.length,
                .status = *status,
        };
}

/* r: of what was done in it. */
static int pop_frame(Walk *walk, int r, Error *err) {
        WalkFrame *frame = &walk->frames[walk->frame_count - 1];

        truncate_to(&walk->path, frame->path_length);
        truncate_to(&walk->name, frame->name_length);
        if (r == 0 && frame->entered)
                r = call_for_frame(walk, walk->frame_count - 1, walk->visitor->leave, err);
        close_fd(&frame->fd);
        walk->frame_count--;
        return r;
}

static int open_frame(Walk *walk, int dir_fd, const char *base, Error *err) {
        _cleanup_close_ int fd = -1;
        struct stat status;

        if (walk->frame_count == TREE_DEPTH_MAX)
                return error_kind(err, ERROR_INVALID,
                                  "'%.200s…' is nested too deeply: more than %d directories",
                                  text_of(&walk->path), TREE_DEPTH_MAX);
        fd = openat(dir_fd, base,
                    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_NOATIME | O_CLOEXEC);
        if (fd < 0 && errno == EPERM)
                fd = openat(dir_fd, base, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 && (errno == ENOTDIR || errno == ELOOP)) /* it was one a moment ago */
                return changed_during(text_of(&walk->path), err);
        if (fd < 0 || fstat(fd, &status) < 0)
                return error_set(err, errno, "open directory '%s'", text_of(&walk->path));
        push_frame(walk, TAKE_FD(fd), &status);
        return 0;
}

/* ---- the walk ---- */

/* Whether ignore patterns leave it out; *ret_below: not what is in it. */
static bool is_hidden(const Walk *walk, bool *ret_below) {
        bool ignored_below = true, excluded_below = true, hidden = false;

        if (walk->path.length > 0)
                hidden = ignore_matches(walk->tree->ignored, walk->path.data, &ignored_below);
        if (walk->name.length > 0)
                hidden = ignore_matches(walk->excludes, walk->name.data, &excluded_below) || hidden;
        *ret_below = ignored_below && excluded_below;
        return hidden;
}

static int visit(Walk *walk, int dir_fd, const char *base, Error *err);

static int visit_content(Walk *walk, Error *err) {
        int fd = walk->frames[walk->frame_count - 1].fd;
        size_t path_length = walk->path.length, name_length = walk->name.length;
        _cleanup_(directory_names_done) DirectoryNames names = {};
        int r = directory_names(fd, &names, err);

        if (r < 0)
                return error_prefix(err, "'%s'", text_of(&walk->path));
        for (size_t i = 0; r == 0 && i < names.count; i++) {
                append(&walk->path, names.items[i]);
                append(&walk->name, names.items[i]);
                r = visit(walk, fd, names.items[i], err);
                truncate_to(&walk->path, path_length);
                truncate_to(&walk->name, name_length);
        }
        return r;
}

static int visit_directory(Walk *walk, int dir_fd, const char *base, Error *err) {
        bool below, hidden = is_hidden(walk, &below);
        int r;

        if (hidden && !below)
                return 0;
        r = open_frame(walk, dir_fd, base, err);
        if (r < 0)
                return r;
        if (!hidden)
                r = enter_frames(walk, err);
        if (r == 0)
                r = visit_content(walk, err);
        return pop_frame(walk, r, err);
}

/* What a socket counts as. */
static struct stat as_empty_file(const struct stat *status) {
        struct stat file = *status;

        file.st_mode = (status->st_mode & PERMISSION_BITS) | S_IFREG;
        file.st_size = 0;
        file.st_nlink = 1;
        return file;
}

static int visit_other(Walk *walk, int dir_fd, const char *base, const struct stat *status,
                       Error *err) {
        const struct stat empty = as_empty_file(status);
        WalkEntry entry = {
                .dir_fd = dir_fd,
                .base = base,
                .path = text_of(&walk->path),
                .name = text_of(&walk->name),
                .status = S_ISSOCK(status->st_mode) ? &empty : status,
                .socket = S_ISSOCK(status->st_mode),
                .chosen = walk->frame_count == 0 || walk->frames[walk->frame_count - 1].parent,
        };
        bool below;
        int r;

        if (is_hidden(walk, &below))
                return 0;
        r = enter_frames(walk, err);
        return r < 0 ? r : walk->visitor->other(walk->data, &entry, err);
}

/* The walk's buffers name it already. */
static int visit(Walk *walk, int dir_fd, const char *base, Error *err) {
        struct stat status;
        int r = walk->visited++ % CANCEL_EVERY == 0 ? tree_check_cancelled(walk->job, err) : 0;

        if (r < 0)
                return r;
        if (fstatat(dir_fd, base, &status, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT ? changed_during(text_of(&walk->path), err)
                                       : error_set(err, errno, "'%s'", text_of(&walk->path));
        (void)tree_grows(walk->tree, &status);
        return S_ISDIR(status.st_mode) ? visit_directory(walk, dir_fd, base, err)
                                       : visit_other(walk, dir_fd, base, &status, err);
}

/* ---- items ---- */

/* Makes path the directory that names are relative to. */
static int open_base(Walk *walk, const char *path, Error *err) {
        close_fd(&walk->base_fd);
        str_replace(&walk->base_path, path);
        walk->base_fd = tree_open(walk->tree->root_fd, path, O_RDONLY | O_DIRECTORY | O_NONBLOCK);
        if (walk->base_fd < 0)
                return error_set(err, walk->base_fd, "open directory '%s'", path);
        return 0;
}

static void set_place(Walk *walk, const char *path, const char *name) {
        truncate_to(&walk->path, 0);
        truncate_to(&walk->name, 0);
        buf_add_str(&walk->path, path);
        buf_add_str(&walk->name, name);
}

int walk_end(Walk *walk, Error *err) {
        int r = 0;

        while (walk->frame_count > 0)
                r = pop_frame(walk, r, err);
        return r;
}

/* Whether the top frame's directory is one above name. */
static bool frame_is_above(const Walk *walk, const char *name) {
        size_t length = walk->frames[walk->frame_count - 1].name_length;

        return !strncmp(name, text_of(&walk->name), length) && name[length] == '/';
}

/* Leaves what is not above name and opens what is and was not: entered with the first thing in it.
 */
static int open_parents(Walk *walk, const char *name, Error *err) {
        int r = 0;

        while (r == 0 && walk->frame_count > 0 && !frame_is_above(walk, name))
                r = pop_frame(walk, 0, err);
        if (walk->frame_count == 0) {
                set_place(walk, walk->base_path, "");
        } else {
                truncate_to(&walk->path, walk->frames[walk->frame_count - 1].path_length);
                truncate_to(&walk->name, walk->frames[walk->frame_count - 1].name_length);
        }
        while (r == 0) {
                const char *rest = name + walk->name.length + (walk->name.length > 0);
                const char *slash = strchr(rest, '/');
                _cleanup_free_ char *component = NULL;

                if (!slash)
                        break;
                component = str_copy_n(rest, (size_t)(slash - rest));
                append(&walk->path, component);
                append(&walk->name, component);
                r = open_frame(walk, parent_fd(walk, walk->frame_count), component, err);
                if (r == 0)
                        walk->frames[walk->frame_count - 1].parent = true;
        }
        return r;
}

static int walk_parents_item(Walk *walk, const Selected *item, Error *err) {
        size_t above = strlen(item->path) - strlen(item->name);
        _cleanup_free_ char *base = str_copy_n(item->path, above > 0 ? above - 1 : 0);
        size_t path_length, name_length;
        int r = 0;

        if (walk->base_fd < 0 || !str_equal(base, walk->base_path))
                r = walk_end(walk, err) ?: open_base(walk, base, err);
        if (r == 0)
                r = open_parents(walk, item->name, err);
        if (r < 0)
                return r;
        path_length = walk->path.length;
        name_length = walk->name.length;
        append(&walk->path, tree_base_name(item->name));
        append(&walk->name, tree_base_name(item->name));
        r = visit(walk, parent_fd(walk, walk->frame_count), tree_base_name(item->name), err);
        truncate_to(&walk->path, path_length);
        truncate_to(&walk->name, name_length);
        return r;
}

int walk_item(Walk *walk, const Selected *item, Error *err) {
        _cleanup_free_ char *parent = NULL;
        int r;

        if (walk->parents && *item->name)
                return walk_parents_item(walk, item, err);
        r = walk_end(walk, err);
        parent = *item->name ? tree_parent(item->path) : str_copy(item->path);
        if (r == 0)
                r = open_base(walk, parent, err);
        if (r < 0)
                return r;
        set_place(walk, item->path, item->name);
        r = visit(walk, walk->base_fd, *item->name ? tree_base_name(item->path) : ".", err);
        close_fd(&walk->base_fd);
        return r;
}

int walk_selection(Walk *walk, const Selection *selection, Error *err) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < selection->count; i++)
                r = walk_item(walk, &selection->items[i], err);
        return r < 0 ? r : walk_end(walk, err);
}

void walk_done(Walk *walk) {
        for (size_t i = 0; i < walk->frame_count; i++)
                close_fd(&walk->frames[i].fd);
        close_fd(&walk->base_fd);
        free(walk->frames);
        free(walk->base_path);
        buf_done(&walk->path);
        buf_done(&walk->name);
}
