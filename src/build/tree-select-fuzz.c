/* tree-select-fuzz.c: a flag, then lines: the pattern, an exclude, the rest an ignore file; upon a
 * small tree with links. What is selected must be there, without links in its path, and digest. */
#include <stdint.h>

#include "build/test-tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

DEFINE_CLEANUP(IgnorePatterns *, ignore_free)

static Place sample = { .fd = -1 };

static void remove_sample(void) {
        place_done(&sample);
}

static void make_sample(void) {
        sample = place_elsewhere();
        (void)atexit(remove_sample);
        put(sample.fd, "a.txt", "a");
        put(sample.fd, "b/a.txt", "b");
        put(sample.fd, "b/c/d.c", "");
        put(sample.fd, "b/c/[x", "x");
        put_link(sample.fd, "l", "b/c");
        put_link(sample.fd, "b/up", "../..");
        put_link(sample.fd, "b/c/out", "/etc/passwd");
        put_link(sample.fd, "loop", "loop/x");
}

/* The next line; *at is moved behind it. The caller's. */
static char *next_line(const char **at, const char *end) {
        const char *newline = memchr(*at, '\n', (size_t)(end - *at)) ?: end;
        char *line = str_copy_n(*at, (size_t)(newline - *at));

        *at = newline < end ? newline + 1 : end;
        return line;
}

static void check_selected(const Selected *item, bool parents) {
        _cleanup_free_ char *rooted = str_format("/%s", item->path);
        _cleanup_free_ char *clean = ignore_clean_path(rooted);
        struct stat status;

        if (!str_equal(rooted, clean) || (!parents && strchr(item->name, '/')))
                abort();
        if (fstatat(sample.fd, *item->path ? item->path : ".", &status, AT_SYMLINK_NOFOLLOW) < 0 ||
            S_ISDIR(status.st_mode) != item->directory)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        const char *at = (const char *)data + 1, *end = (const char *)data + size;
        _cleanup_(ignore_freep) IgnorePatterns *ignored = NULL;
        _cleanup_(selection_done) Selection selection = {};
        _cleanup_free_ char *pattern = NULL, *exclude = NULL;
        char digest[DIGEST_TEXT_MAX];
        Error err = {};

        if (sample.fd < 0)
                make_sample();
        if (size < 1)
                return 0;
        pattern = next_line(&at, end);
        exclude = next_line(&at, end);
        if (ignore_parse(at, (size_t)(end - at), &ignored, NULL) < 0)
                return 0;
        const Tree tree = { .root_fd = sample.fd, .ignored = ignored };
        char *patterns[] = { pattern, NULL }, *excludes[] = { exclude, NULL };
        const SelectOptions options = { .patterns = patterns,
                                        .excludes = *exclude ? excludes : NULL,
                                        .parents = data[0] & 1,
                                        .allow_nothing = data[0] & 2 };
        const TreeJob job = { .threads = 1 };
        if (tree_select(&tree, &options, &selection, &err) < 0) {
                if (err.kind != ERROR_INVALID && err.kind != ERROR_NOT_FOUND &&
                    err.number != ENAMETOOLONG)
                        abort();
                return 0;
        }
        for (size_t i = 0; i < selection.count; i++)
                check_selected(&selection.items[i], options.parents);
        if (tree_digest(&tree, &selection, &options, &job, digest, NULL) < 0)
                abort();
        return 0;
}
