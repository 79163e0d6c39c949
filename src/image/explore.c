/* explore.c: see explore.h. All layers are walked together: in each directory the names of every
 * layer are gathered and sorted, and for one name the layers are gone through from the base up, as
 * overlayfs would stack them (kernel: Documentation/filesystems/overlayfs.rst). What is wasted is
 * counted as dive counts it: of a path with several copies, all but the smallest; of a path that
 * is gone at the end, all. */
#include "image/explore.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/fd.h"
#include "image/explore-walk.h"
#include "image/store.h"

/* ---- opening below a layer ---- */

int explore_open(const Explore *explore, size_t layer, const char *path, int flags, int *ret_fd,
                 Error *err) {
        struct open_how how = { .flags = (unsigned)(flags | O_CLOEXEC | O_NOFOLLOW),
                                .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };
        long fd = syscall(SYS_openat2, explore->layers[layer].fd, *path ? path : ".", &how,
                          sizeof(how));

        if (fd < 0)
                return error_set(err, errno, "open '%s' of layer %zu", path, layer);
        *ret_fd = (int)fd;
        return 0;
}

/* ---- one directory, in all layers ---- */

static bool is_whiteout(const struct stat *status) {
        return S_ISCHR(status->st_mode) && status->st_rdev == makedev(0, 0);
}

static bool is_opaque(int fd) {
        char value = '\0';

        return fgetxattr(fd, "trusted.overlay.opaque", &value, 1) == 1 && value == 'y';
}

static int add_name(Directory *directory, int fd, size_t layer, const char *name, Error *err) {
        struct stat status;
        Copy *copy;

        if (fstatat(fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
                return error_set(err, errno, "read the attributes of '%s'", name);
        GROW(directory->copies, directory->count);
        copy = &directory->copies[directory->count++];
        *copy = (Copy){
                .name = str_copy(name),
                .layer = layer,
                .mode = status.st_mode,
                .uid = status.st_uid,
                .gid = status.st_gid,
                .size = S_ISREG(status.st_mode) ? status.st_size : 0,
                .inode = status.st_ino,
                .device = status.st_rdev,
                .linked = S_ISREG(status.st_mode) && status.st_nlink > 1,
                .whiteout = is_whiteout(&status),
        };
        return 0;
}

/* Appends layer's names of the directory at path; *state becomes LAYER_HIDES where it is opaque. */
static int read_layer(const Explore *explore, const char *path, size_t layer, LayerState *state,
                      Directory *directory, Error *err) {
        _cleanup_closedir_ DIR *dir = NULL;
        struct dirent *entry;
        int fd = -1, r = explore_open(explore, layer, path, O_RDONLY | O_DIRECTORY, &fd, err);

        if (r < 0)
                return r;
        dir = fdopendir(fd);
        if (!dir) {
                r = error_set(err, errno, "read the directory '%s'", path);
                close_fd(&fd);
                return r;
        }
        if (is_opaque(fd))
                *state = LAYER_HIDES;
        while (r == 0 && (errno = 0, entry = readdir(dir)))
                if (!str_equal(entry->d_name, ".") && !str_equal(entry->d_name, ".."))
                        r = add_name(directory, fd, layer, entry->d_name, err);
        if (r == 0 && errno != 0)
                r = error_set(err, errno, "read the directory '%s'", path);
        return r;
}

static int by_name_and_layer(const void *a, const void *b) {
        const Copy *left = a, *right = b;
        int order = strcmp(left->name, right->name);

        if (order != 0)
                return order;
        return left->layer < right->layer ? -1 : left->layer > right->layer;
}

static void directory_done(Directory *directory) {
        for (size_t i = 0; i < directory->count; i++)
                free(directory->copies[i].name);
        free(directory->copies);
}

/* ---- one name, in all layers ---- */

static ExploreRow *add_row(Column *column, size_t layer, ExploreChange change, const Copy *copy) {
        ExploreRow *row = &column->rows[column->count++];

        *row = (ExploreRow){ .layer = layer, .change = change, .copy = *copy };
        return row;
}

/* A copy in this layer, upon what the layers below it show. */
static int take_copy(Explore *explore, Column *column, const Copy *copy, bool hides, Error *err) {
        bool tree = column->live && S_ISDIR(column->live->mode);
        bool same = false;
        ExploreRow *row;
        int r = column->live
                        ? explore_compare(explore, column->path, column->live, copy, &same, err)
                        : 0;

        if (r < 0)
                return r;
        row = add_row(column, copy->layer,
                      !column->live ? EXPLORE_ADDED
                      : same        ? EXPLORE_SAME
                                    : EXPLORE_CHANGED,
                      copy);
        if (copy->linked) /* the bytes of several names are there once */
                row->repeated = !explore_first_link(explore, copy);
        if (S_ISDIR(copy->mode))
                column->below[copy->layer] = hides ? LAYER_HIDES : LAYER_MERGES;
        else
                column->below[copy->layer] = tree ? LAYER_REMOVES : LAYER_SILENT;
        column->live = copy;
        return 0;
}

static void take_removal(Column *column, size_t layer) {
        bool repeated = column->rows[column->count - 1].repeated; /* of the row of column->live */

        add_row(column, layer, EXPLORE_REMOVED, column->live)->repeated = repeated;
        column->below[layer] = S_ISDIR(column->live->mode) ? LAYER_REMOVES : LAYER_SILENT;
        column->live = NULL;
}

/* copies: of one name, `count` of them, by layer. states: what each layer does to the directory. */
static int fill_column(Explore *explore, Column *column, const LayerState *states,
                       const Copy *copies, size_t count, Error *err) {
        size_t next = 0;
        int r = 0;

        column->count = 0;
        column->live = NULL;
        for (size_t layer = 0; r == 0 && layer < explore->count; layer++) {
                const Copy *copy =
                        next < count && copies[next].layer == layer ? &copies[next++] : NULL;
                bool hides = states[layer] == LAYER_HIDES || states[layer] == LAYER_REMOVES;

                column->below[layer] = LAYER_SILENT;
                if (copy && !copy->whiteout)
                        r = take_copy(explore, column, copy, hides, err);
                else if (column->live && (copy || hides))
                        take_removal(column, layer);
        }
        return r;
}

/* ---- the walk ---- */

static int walk(Explore *explore, Buf *path, LayerState *states, Error *err);

static bool any_directory(const LayerState *states, size_t count) {
        for (size_t i = 0; i < count; i++)
                if (states[i] == LAYER_MERGES || states[i] == LAYER_HIDES)
                        return true;
        return false;
}

static int walk_name(Explore *explore, Buf *path, const LayerState *states, const Copy *copies,
                     size_t count, Error *err) {
        _cleanup_free_ ExploreRow *rows = NEW_ARRAY(ExploreRow, explore->count);
        _cleanup_free_ LayerState *below = NEW_ARRAY(LayerState, explore->count);
        Column column = { .rows = rows, .below = below };
        size_t before = path->length;
        int r;

        if (before > 0)
                buf_add_char(path, '/');
        buf_add_str(path, copies[0].name);
        column.path = path->data;
        r = fill_column(explore, &column, states, copies, count, err);
        if (r == 0)
                r = explore_report(explore, &column, err);
        if (r == 0 && any_directory(below, explore->count))
                r = walk(explore, path, below, err);
        path->length = before;
        path->data[before] = '\0';
        return r;
}

/* The directory at path; states are what each layer does to it. */
static int walk(Explore *explore, Buf *path, LayerState *states, Error *err) {
        _cleanup_(directory_done) Directory directory = {};
        size_t end;
        int r = 0;

        for (size_t i = 0; r == 0 && i < explore->count; i++)
                if (states[i] == LAYER_MERGES || states[i] == LAYER_HIDES)
                        r = read_layer(explore, path->data, i, &states[i], &directory, err);
        if (r == 0 && directory.count > 0)
                qsort(directory.copies, directory.count, sizeof(Copy), by_name_and_layer);
        for (size_t i = 0; r == 0 && i < directory.count; i = end) {
                for (end = i + 1; end < directory.count &&
                                  str_equal(directory.copies[i].name, directory.copies[end].name);)
                        end++;
                r = walk_name(explore, path, states, directory.copies + i, end - i, err);
        }
        return r;
}

/* ---- the image ---- */

static void explore_done(Explore *explore) {
        for (size_t i = 0; i < explore->count; i++)
                close_fd(&explore->layers[i].fd);
        free(explore->layers);
        map_done(&explore->links, NULL);
        json_done(&explore_summary_table, &explore->summary);
}

/* History has a row for each instruction; those that made a layer are in the layers' order. */
static void name_layers(const Image *image, Explore *explore) {
        const ImageHistory *history = image->config.history.items;
        size_t next = 0;

        for (size_t i = 0; i < explore->count; i++) {
                ExploreLayer *layer = json_append(&explore->summary.layers, &explore_layer_table);

                if (i < strv_length(image->config.rootfs.diff_ids))
                        layer->digest = str_copy(image->config.rootfs.diff_ids[i]);
                while (next < image->config.history.count && history[next].empty_layer)
                        next++;
                if (next < image->config.history.count) {
                        layer->created_by = str_copy(history[next].created_by);
                        layer->created = history[next++].created;
                }
        }
        explore->summary.id = str_copy(image->id);
        explore->summary.names = strv_copy(image->names);
}

static int open_layers(ImageStore *store, const Image *image, Explore *explore, Error *err) {
        _cleanup_strv_ char **lowers = NULL;
        int r = image_layers(store, image, &lowers, err); /* topmost first */
        size_t count = strv_length(lowers);

        if (r < 0)
                return r;
        explore->layers = NEW_ARRAY(ExploredLayer, count + 1);
        for (; explore->count < count; explore->count++) {
                int *fd = &explore->layers[explore->count].fd;

                r = dir_open_at(store->root_fd, lowers[count - 1 - explore->count], 0, fd, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int explore_image(ImageStore *store, const Image *image, Explore *explore, Error *err) {
        _cleanup_buf_ Buf path = {};
        LayerState *states;
        int r = open_layers(store, image, explore, err);

        if (r < 0)
                return r;
        name_layers(image, explore);
        buf_add_str(&path, "");
        states = NEW_ARRAY(LayerState, explore->count + 1);
        for (size_t i = 0; i < explore->count; i++)
                states[i] = LAYER_MERGES;
        r = walk(explore, &path, states, err);
        free(states);
        return r;
}

int image_explore(ImageStore *store, const char *ref, ExploreSink sink, void *data,
                  ExploreSummary *ret, Error *err) {
        _cleanup_(explore_done) Explore explore = { .sink = sink, .data = data };
        _cleanup_(pins_release) PinSet pins = { .store = store };
        Image image = {};
        ExploreSummary *summary = &explore.summary;
        int r = image_find(store, ref, &image, err);

        if (r < 0)
                return r;
        for (size_t i = 0; i < strv_length(image.chain_ids); i++)
                pins_add(&pins, image.chain_ids[i]);
        r = explore_image(store, &image, &explore, err);
        image_done(&image);
        if (r < 0)
                return r;
        summary->efficiency =
                summary->size > 0 ? 1 - (double)summary->wasted / (double)summary->size : 1;
        *ret = *summary;
        *summary = (ExploreSummary){};
        return 0;
}
