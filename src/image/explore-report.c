/* explore-report.c: judges one path: which copies differ, what is wasted, what is found; counts it
 * and hands it out. Its neighbour explore.c walks. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/fd.h"
#include "image/explore-walk.h"

#define BLOCK 65536
#define CAPABILITY_MAX 64 /* struct vfs_ns_cap_data has 24 bytes */

static const char *const change_names[] = { "added", "changed", "removed", "same" };

static const char *kind_name(mode_t mode) {
        static const struct {
                mode_t type;
                const char *name;
        } kinds[] = { { S_IFREG, "file" },   { S_IFDIR, "directory" }, { S_IFLNK, "symlink" },
                      { S_IFCHR, "char" },   { S_IFBLK, "block" },     { S_IFIFO, "fifo" },
                      { S_IFSOCK, "socket" } };

        for (size_t i = 0; i < ELEMENTS(kinds); i++)
                if ((mode & S_IFMT) == kinds[i].type)
                        return kinds[i].name;
        return "file";
}

/* ---- comparing ---- */

/* What setcap(8) gives a file. */
static bool same_capabilities(int a, int b) {
        char left[CAPABILITY_MAX], right[CAPABILITY_MAX];
        ssize_t n = fgetxattr(a, "security.capability", left, sizeof(left));
        ssize_t m = fgetxattr(b, "security.capability", right, sizeof(right));

        return (n < 0 && m < 0) || (n == m && memcmp(left, right, (size_t)n) == 0);
}

static int same_bytes(int a, int b, const char *path, bool *ret, Error *err) {
        _cleanup_free_ char *left = NEW_ARRAY(char, BLOCK), *right = NEW_ARRAY(char, BLOCK);
        ssize_t n, m;

        do {
                n = fd_read_full(a, left, BLOCK);
                m = fd_read_full(b, right, BLOCK);
                if (n < 0 || m < 0)
                        return error_set(err, (int)MIN(n, m), "read '%s'", path);
                if (n != m || memcmp(left, right, (size_t)n) != 0)
                        return 0;
        } while (n > 0);
        *ret = true;
        return 0;
}

static int same_file(const Explore *explore, const char *path, const Copy *lower, const Copy *upper,
                     bool *ret, Error *err) {
        _cleanup_close_ int a = -1, b = -1;
        int r = lower->size == upper->size
                        ? explore_open(explore, lower->layer, path, O_RDONLY | O_NONBLOCK, &a, err)
                        : 0;

        if (r == 0 && a >= 0)
                r = explore_open(explore, upper->layer, path, O_RDONLY | O_NONBLOCK, &b, err);
        if (r < 0 || a < 0 || !same_capabilities(a, b))
                return r;
        return same_bytes(a, b, path, ret, err);
}

static int read_link(const Explore *explore, size_t layer, const char *path, char target[],
                     size_t size, Error *err) {
        _cleanup_close_ int fd = -1;
        ssize_t n;
        int r = explore_open(explore, layer, path, O_PATH, &fd, err);

        if (r < 0)
                return r;
        n = readlinkat(fd, "", target, size - 1);
        if (n < 0)
                return error_set(err, errno, "read the link '%s'", path);
        target[n] = '\0';
        return 0;
}

static int same_link(const Explore *explore, const char *path, const Copy *lower, const Copy *upper,
                     bool *ret, Error *err) {
        char left[PATH_MAX], right[PATH_MAX];
        int r = read_link(explore, lower->layer, path, left, sizeof(left), err);

        if (r == 0)
                r = read_link(explore, upper->layer, path, right, sizeof(right), err);
        if (r == 0)
                *ret = str_equal(left, right);
        return r;
}

int explore_compare(const Explore *explore, const char *path, const Copy *lower, const Copy *upper,
                    bool *ret, Error *err) {
        *ret = false;
        if (lower->mode != upper->mode || lower->uid != upper->uid || lower->gid != upper->gid)
                return 0;
        if (S_ISREG(lower->mode))
                return same_file(explore, path, lower, upper, ret, err);
        if (S_ISLNK(lower->mode))
                return same_link(explore, path, lower, upper, ret, err);
        *ret = (!S_ISCHR(lower->mode) && !S_ISBLK(lower->mode)) || lower->device == upper->device;
        return 0;
}

bool explore_first_link(Explore *explore, const Copy *copy) {
        _cleanup_free_ char *key =
                str_format("%zu:%llu", copy->layer, (unsigned long long)copy->inode);

        return !map_put(&explore->links, key, explore);
}

/* ---- what is wasted ---- */

static bool counts(const ExploreRow *row) {
        return row->change != EXPLORE_REMOVED && S_ISREG(row->copy.mode) && !row->repeated;
}

static int64_t row_size(const ExploreRow *row) {
        return S_ISREG(row->copy.mode) && !row->repeated ? row->copy.size : 0;
}

/* All copies but the smallest, the first of them where there are several; all, where none is left
 * at the end. */
static void set_wasted(Column *column) {
        ExploreRow *smallest = NULL;

        for (size_t i = 0; i < column->count; i++) {
                ExploreRow *row = &column->rows[i];

                if (!counts(row))
                        continue;
                row->wasted = row->copy.size;
                if (!smallest || row->copy.size < smallest->copy.size)
                        smallest = row;
        }
        if (smallest && column->live)
                smallest->wasted = 0;
}

/* ---- what is found ---- */

static int find_secret(Explore *explore, const Column *column, const ExploreRow *row,
                       char ***findings, Error *err) {
        _cleanup_close_ int fd = -1;
        const char *reason = NULL;
        int r = explore_open(explore, row->layer, column->path, O_RDONLY | O_NONBLOCK, &fd, err);

        if (r == 0)
                r = explore_secret(fd, column->path, row->copy.size, &reason, err);
        if (r == 0 && reason) {
                strv_format(findings, "secret: %s", reason);
                explore->summary.secrets++;
        }
        return r;
}

/* last: the image shows this copy. */
static int find(Explore *explore, const Column *column, const ExploreRow *row, char ***findings,
                Error *err) {
        ExploreSummary *summary = &explore->summary;
        mode_t mode = row->copy.mode;
        bool file = S_ISREG(mode), last = column->live && row == &column->rows[column->count - 1];
        const struct {
                bool found;
                const char *name;
                int64_t *count;
        } checks[] = {
                { file && (mode & S_ISUID), "setuid", &summary->setuid },
                { file && (mode & S_ISGID), "setgid", &summary->setgid },
                { (file && (mode & S_IWOTH)) ||
                          (S_ISDIR(mode) && (mode & (S_IWOTH | S_ISVTX)) == S_IWOTH),
                  "world-writable", &summary->world_writable },
        };

        for (size_t i = 0; i < ELEMENTS(checks); i++) {
                if (!checks[i].found)
                        continue;
                strv_add(findings, checks[i].name);
                *checks[i].count += last;
        }
        return file && row->copy.size > 0 ? find_secret(explore, column, row, findings, err) : 0;
}

/* ---- counting and handing out ---- */

static void count_row(ExploreSummary *summary, const ExploreRow *row) {
        ExploreLayer *layer = (ExploreLayer *)summary->layers.items + row->layer;
        struct {
                int64_t *paths, *bytes;
        } sums[] = { [EXPLORE_ADDED] = { &layer->added, &layer->added_bytes },
                     [EXPLORE_CHANGED] = { &layer->changed, &layer->changed_bytes },
                     [EXPLORE_REMOVED] = { &layer->removed, &layer->removed_bytes },
                     [EXPLORE_SAME] = { &layer->same, &layer->same_bytes } };

        ++*sums[row->change].paths;
        *sums[row->change].bytes += row_size(row);
        if (row->change == EXPLORE_REMOVED)
                return;
        layer->size += row_size(row);
        layer->wasted += row->wasted;
        summary->size += row_size(row);
        summary->wasted += row->wasted;
}

static int report_row(Explore *explore, const Column *column, const ExploreRow *row, Error *err) {
        _cleanup_strv_ char **findings = NULL;
        int r = row->change == EXPLORE_REMOVED ? 0 : find(explore, column, row, &findings, err);
        const ExploreFile file = {
                .path = (char *)column->path,
                .layer = (int64_t)row->layer,
                .change = (char *)change_names[row->change],
                .kind = (char *)kind_name(row->copy.mode),
                .size = row_size(row),
                .mode = row->copy.mode & 07777,
                .uid = row->copy.uid,
                .gid = row->copy.gid,
                .wasted = row->wasted,
                .findings = findings,
        };

        if (r < 0)
                return r;
        count_row(&explore->summary, row);
        r = explore->sink(explore->data, &file);
        return r < 0 ? error_set(err, r, "hand out what was found") : 0;
}

int explore_report(Explore *explore, Column *column, Error *err) {
        int r = 0;

        set_wasted(column);
        explore->summary.paths += column->live ? 1 : 0;
        for (size_t i = 0; r == 0 && i < column->count; i++)
                r = report_row(explore, column, &column->rows[i], err);
        return r;
}
