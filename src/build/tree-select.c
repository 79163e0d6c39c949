/* tree-select.c: what the patterns of COPY and ADD name: Go's filepath.Match a component, links as
 * BuildKit follows them; with --parents moby/patternmatcher's "**" upon whole paths. */
#include <errno.h>
#include <fcntl.h>

#include "base/fd.h"
#include "build/tree-private.h"

DEFINE_CLEANUP(IgnorePatterns *, ignore_free)

typedef struct Selector {
        const Tree *tree;
        const SelectOptions *options;
        const IgnorePatterns *excludes;
        const char *pattern; /* as it was given, for errors */
        Selection found;     /* of this pattern */
        bool excluded;       /* something matched, but --exclude took it */
} Selector;

void selection_done(Selection *selection) {
        for (size_t i = 0; i < selection->count; i++) {
                free(selection->items[i].path);
                free(selection->items[i].name);
        }
        free(selection->items);
        *selection = (Selection){};
}

static int not_found(const char *pattern, Error *err) {
        pattern += strspn(pattern, "/");
        return error_kind(err, ERROR_NOT_FOUND, "\"/%s\": not found", pattern);
}

/* A '\' takes the meaning from what follows it. */
static bool has_wildcard(const char *text) {
        for (; *text; text++) {
                if (strchr("*?[", *text))
                        return true;
                if (*text == '\\' && *++text == '\0')
                        return false;
        }
        return false;
}

/* "**" is no more than "*" within a component, as in filepath.Match. */
static char *single_stars(const char *component) {
        char *copy = str_copy(component), *to = copy;
        bool in_class = false;

        for (const char *from = component; *from; from++) {
                if (*from == '\\' && from[1]) {
                        *to++ = *from++;
                } else if (*from == '[') {
                        in_class = true;
                } else if (*from == ']') {
                        in_class = false;
                } else if (*from == '*' && !in_class && to > copy && from[-1] == '*') {
                        continue;
                }
                *to++ = *from;
        }
        *to = '\0';
        return copy;
}

static bool hidden_wholly(const Selector *selector, const char *path) {
        bool below;

        return *path && ignore_matches(selector->tree->ignored, path, &below) && !below;
}

/* ---- what was found ---- */

static int stop_at(void *data, const WalkEntry *entry, Error *err) {
        (void)entry;
        (void)err;
        *(bool *)data = true;
        return -EINTR; /* one is enough */
}

/* Whether a hidden directory has something in it that an exception brings back. */
static int holds_anything(Selector *selector, const char *path, bool *ret, Error *err) {
        static const WalkVisitor visitor = { stop_at, stop_at, stop_at };
        const Selected item = { .path = (char *)path, .name = (char *)"", .directory = true };
        bool any = false;
        Walk walk = { .tree = selector->tree, .visitor = &visitor, .data = &any, .base_fd = -1 };
        int r = walk_item(&walk, &item, err);

        walk_done(&walk);
        if (r < 0 && !any)
                return r;
        *ret = any;
        return 0;
}

/* path: without links, or of a link that leads nowhere. */
static int add(Selector *selector, const char *path, const char *name, bool directory, Error *err) {
        Selection *found = &selector->found;
        bool below = true, hidden = *path && ignore_matches(selector->tree->ignored, path, &below);

        if (hidden && (!directory || !below))
                return 0;
        if (hidden) {
                bool any = false;
                int r = holds_anything(selector, path, &any, err);

                if (r < 0 || !any)
                        return r;
        }
        if (*name && ignore_matches(selector->excludes, name, &below) && !(directory && below)) {
                selector->excluded = true;
                return 0;
        }
        GROW(found->items, found->count);
        found->items[found->count++] = (Selected){ str_copy(path), str_copy(name), directory };
        return 0;
}

/* A path that may lead through links; name is what it is called if it is no directory. dangling: a
 * link that leads nowhere is taken itself. */
static int add_resolved(Selector *selector, const char *path, const char *name, bool dangling,
                        Error *err) {
        _cleanup_(resolver_done) Resolver resolver = { .root_fd = selector->tree->root_fd,
                                                       .hidden = selector->tree->ignored };
        _cleanup_close_ int fd = -1;
        struct stat status;
        int r = resolver_run(&resolver, path);

        if (r == -ENOENT || r == -ENOTDIR || r == -ELOOP)
                return dangling ? add(selector, path, name, false, err) : 0;
        if (r < 0)
                return error_set(err, r, "look up '%s'", path);
        path = resolver.done.length ? resolver.done.data : "";
        fd = tree_open(selector->tree->root_fd, path, O_PATH | O_NOFOLLOW);
        if (fd < 0 || fstat(fd, &status) < 0)
                return error_set(err, fd < 0 ? -fd : errno, "look up '%s'", path);
        return add(selector, path, S_ISDIR(status.st_mode) ? "" : name, S_ISDIR(status.st_mode),
                   err);
}

/* ---- filepath.Match, a component at a time ---- */

static int match_rest(Selector *selector, const char *directory, char *const *components,
                      Error *err);

/* An entry whose name fits components[0]. */
static int match_entry(Selector *selector, int dir_fd, const char *directory, const char *name,
                       char *const *components, Error *err) {
        _cleanup_free_ char *path = tree_path(directory, name);
        struct stat status;

        if (hidden_wholly(selector, path))
                return 0;
        if (!components[1])
                return add_resolved(selector, path, name, true, err);
        if (fstatat(dir_fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT ? 0 : error_set(err, errno, "look up '%s'", path);
        return S_ISDIR(status.st_mode) ? match_rest(selector, path, components + 1, err) : 0;
}

/* directory has no links in its path, and those below it are not followed on the way. */
static int match_rest(Selector *selector, const char *directory, char *const *components,
                      Error *err) {
        _cleanup_(directory_names_done) DirectoryNames names = {};
        _cleanup_close_ int fd =
                tree_open(selector->tree->root_fd, directory, O_RDONLY | O_DIRECTORY | O_NONBLOCK);
        _cleanup_free_ char *pattern = NULL;
        int r;

        if (fd < 0)
                return error_set(err, fd, "open directory '%s'", directory);
        if (!has_wildcard(components[0])) {
                struct stat status;

                return fstatat(fd, components[0], &status, AT_SYMLINK_NOFOLLOW) < 0
                               ? 0
                               : match_entry(selector, fd, directory, components[0], components,
                                             err);
        }
        pattern = single_stars(components[0]);
        r = directory_names(fd, &names, err);
        for (size_t i = 0; r == 0 && i < names.count; i++) {
                bool matches = false;

                r = ignore_match_one(pattern, names.items[i], &matches, err);
                if (r == 0 && matches)
                        r = match_entry(selector, fd, directory, names.items[i], components, err);
        }
        return r;
}

/* Patterns are refused even where there is no name to compare them with. */
static int check_components(char *const *components, Error *err) {
        int r = 0;

        for (; r == 0 && components && *components; components++) {
                bool matches;

                if (has_wildcard(*components))
                        r = ignore_match_one(*components, "", &matches, err);
        }
        return r;
}

/* pattern is clean and relative, "" the root. */
static int expand(Selector *selector, const char *pattern, Error *err) {
        _cleanup_strv_ char **components = str_split(pattern, '/');
        _cleanup_(resolver_done) Resolver resolver = { .root_fd = selector->tree->root_fd,
                                                       .hidden = selector->tree->ignored };
        _cleanup_close_ int fd = -1;
        _cleanup_buf_ Buf above = {};
        size_t plain = 0;
        int r;

        if (selector->options->literal)
                return add_resolved(selector, pattern, tree_base_name(pattern), false, err);
        r = check_components(components, err);
        if (r < 0)
                return r;
        for (; components && components[plain] && !has_wildcard(components[plain]); plain++)
                buf_format(&above, "%s/", components[plain]);
        if (!components || !components[plain])
                return add_resolved(selector, pattern, tree_base_name(pattern), false, err);
        r = resolver_run(&resolver, above.length ? above.data : "");
        if (r == -ENOENT || r == -ENOTDIR || r == -ELOOP)
                return 0;
        if (r < 0)
                return error_set(err, r, "look up '%s'", above.data);
        fd = tree_open(selector->tree->root_fd, resolver.done.length ? resolver.done.data : "",
                       O_PATH | O_DIRECTORY);
        if (fd == -ENOTDIR)
                return 0;
        return match_rest(selector, resolver.done.length ? resolver.done.data : "",
                          components + plain, err);
}

/* ---- --parents ---- */

typedef struct ParentsMatch {
        Selector *selector;
        const char *pattern;
        char **components; /* of the pattern */
        size_t count;
        const char *pivot; /* below the root */
} ParentsMatch;

/* Whether something in a directory, the depth-th component of a path, may match. */
static int may_match_below(const ParentsMatch *match, const char *base, size_t depth, bool *ret,
                           Error *err) {
        for (size_t i = 0; i <= depth && i < match->count; i++)
                if (strstr(match->components[i], "**")) {
                        *ret = true;
                        return 0;
                }
        *ret = false;
        if (depth + 1 >= match->count)
                return 0;
        return ignore_match_one(match->components[depth], base, ret, err);
}

static int match_parents_below(const ParentsMatch *match, int dir_fd, const char *name,
                               size_t depth, Error *err);

static int match_parents_entry(const ParentsMatch *match, int dir_fd, const char *above,
                               const char *base, size_t depth, Error *err) {
        _cleanup_free_ char *name = tree_path(above, base), *path = tree_path(match->pivot, name);
        _cleanup_close_ int fd = -1;
        struct stat status;
        bool matches = false, descend = false;
        int r;

        if (hidden_wholly(match->selector, path))
                return 0;
        r = ignore_match_one(match->pattern, name, &matches, err);
        if (r < 0)
                return r;
        if (fstatat(dir_fd, base, &status, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT ? 0 : error_set(err, errno, "look up '%s'", path);
        if (matches)
                return add(match->selector, path, name, S_ISDIR(status.st_mode), err);
        r = S_ISDIR(status.st_mode) ? may_match_below(match, base, depth, &descend, err) : 0;
        if (r < 0 || !descend)
                return r;
        if (depth + 1 >= TREE_DEPTH_MAX)
                return error_kind(err, ERROR_INVALID, "'%.200s…' is nested too deeply", path);
        fd = openat(dir_fd, base, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0)
                return error_set(err, errno, "open directory '%s'", path);
        return match_parents_below(match, fd, name, depth + 1, err);
}

/* name: of the directory, below the pivot. */
static int match_parents_below(const ParentsMatch *match, int dir_fd, const char *name,
                               size_t depth, Error *err) {
        _cleanup_(directory_names_done) DirectoryNames names = {};
        int r = directory_names(dir_fd, &names, err);

        for (size_t i = 0; r == 0 && i < names.count; i++)
                r = match_parents_entry(match, dir_fd, name, names.items[i], depth, err);
        return r;
}

static int match_parents(Selector *selector, const char *pivot, const char *pattern, Error *err) {
        _cleanup_strv_ char **components = str_split(pattern, '/');
        _cleanup_close_ int fd =
                tree_open(selector->tree->root_fd, pivot, O_RDONLY | O_DIRECTORY | O_NONBLOCK);
        const ParentsMatch match = {
                .selector = selector,
                .pattern = pattern,
                .components = components,
                .count = strv_length(components),
                .pivot = pivot,
        };
        bool matches;
        int r = ignore_match_one(pattern, "", &matches, err);

        if (r < 0)
                return r;
        if (fd < 0)
                return error_set(err, fd, "open directory '%s'", pivot);
        if (*pattern == '\0')
                return add(selector, pivot, "", true, err);
        return match_parents_below(&match, fd, "", 0, err);
}

/* ---- patterns ---- */

/* "a//b/../c/" to "a/c"; nothing leads above the root, which is "". The caller's. */
static char *clean_pattern(const char *pattern, size_t length) {
        _cleanup_free_ char *part = str_copy_n(pattern, length);
        _cleanup_free_ char *rooted = str_format("/%s", part);
        _cleanup_free_ char *clean = ignore_clean_path(rooted);

        return str_copy(clean + 1);
}

/* The part before "/./" is looked up, the part behind it matched and kept. */
static int expand_parents(Selector *selector, const char *pattern, Error *err) {
        const char *pivot = strstr(pattern, "/./");
        size_t length = pivot ? (size_t)(pivot - pattern) : 0;
        const char *behind = pivot ? pivot + 3 : pattern;
        _cleanup_free_ char *above = clean_pattern(pattern, length);
        _cleanup_free_ char *below = clean_pattern(behind, strlen(behind));
        _cleanup_(selection_done) Selection pivots = {};
        int r = expand(selector, above, err);

        pivots = selector->found;
        selector->found = (Selection){};
        for (size_t i = 0; r == 0 && i < pivots.count; i++)
                if (pivots.items[i].directory)
                        r = match_parents(selector, pivots.items[i].path, below, err);
        return r;
}

/* As a walk comes to them: a directory's content before "directory.c". */
static int compare_paths(const char *a, const char *b) {
        for (; *a && *a == *b; a++, b++)
                ;
        return (*a == '/' ? 1 : 2 * (unsigned char)*a) - (*b == '/' ? 1 : 2 * (unsigned char)*b);
}

static int compare_items(const void *a, const void *b) {
        const Selected *left = a, *right = b;

        return compare_paths(left->path, right->path) ?: strcmp(left->name, right->name);
}

/* Appends what the pattern found, sorted, to all; each once. */
static void gather(Selector *selector, Selection *all) {
        Selection *found = &selector->found;

        if (found->count > 1)
                qsort(found->items, found->count, sizeof(*found->items), compare_items);
        for (size_t i = 0; i < found->count; i++) {
                if (i > 0 && compare_items(&found->items[i - 1], &found->items[i]) == 0)
                        continue;
                GROW(all->items, all->count);
                all->items[all->count++] =
                        (Selected){ str_copy(found->items[i].path), str_copy(found->items[i].name),
                                    found->items[i].directory };
        }
        selection_done(found);
}

static int select_one(Selector *selector, Selection *all, Error *err) {
        const char *pattern = selector->pattern;
        _cleanup_free_ char *clean = clean_pattern(pattern, strlen(pattern));
        bool wildcard = !selector->options->literal && has_wildcard(clean);
        int r = selector->options->parents ? expand_parents(selector, pattern, err)
                                           : expand(selector, clean, err);

        all->wildcard = all->wildcard || wildcard;
        if (r < 0)
                return r;
        if (selector->found.count == 0 && !selector->excluded &&
            !(wildcard && selector->options->allow_nothing))
                return not_found(clean, err);
        gather(selector, all);
        return 0;
}

int tree_select(const Tree *tree, const SelectOptions *options, Selection *ret, Error *err) {
        _cleanup_(ignore_freep) IgnorePatterns *excludes = NULL;
        _cleanup_(selection_done) Selection all = {};
        int r = options->excludes ? ignore_from_list(options->excludes, &excludes, err) : 0;

        for (char *const *pattern = options->patterns; r == 0 && pattern && *pattern; pattern++) {
                Selector selector = {
                        .tree = tree, .options = options, .excludes = excludes, .pattern = *pattern
                };

                r = select_one(&selector, &all, err);
                selection_done(&selector.found);
        }
        if (r < 0)
                return r;
        *ret = all;
        all = (Selection){};
        return 0;
}
