/* tree-test.c: what is selected, and what its digest depends on. */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>

#include "base/clock.h"
#include "base/map.h"
#include "build/test-tree.h"

DEFINE_CLEANUP(IgnorePatterns *, ignore_free)

/* ---- selecting ---- */

/* "path=name path/" for what is selected (a directory's content has no name), or the error. The
 * caller's. patterns: parted by '|'. */
static char *chosen(const Tree *tree, const char *patterns, SelectOptions options) {
        _cleanup_strv_ char **split = *patterns ? str_split(patterns, '|') : NULL;
        _cleanup_(selection_done) Selection selection = {};
        _cleanup_buf_ Buf text = {};
        Error err = {};

        if (!split)
                strv_add(&split, "");
        options.patterns = split;
        if (tree_select(tree, &options, &selection, &err) < 0)
                return str_copy(err.message);
        for (size_t i = 0; i < selection.count; i++)
                buf_format(&text, "%s%s%s%s%s", i ? " " : "", selection.items[i].path,
                           selection.items[i].directory ? "/" : "",
                           *selection.items[i].name ? "=" : "", selection.items[i].name);
        return buf_take(&text);
}

#define ASSERT_CHOSEN(tree, patterns, expected, ...)                                               \
        do {                                                                                       \
                _cleanup_free_ char *got_ =                                                        \
                        chosen(tree, patterns, (SelectOptions){ __VA_ARGS__ });                    \
                ASSERT_STR(got_, expected);                                                        \
        } while (0)

static Place sample(void) {
        Place place = place_new();

        put(place.fd, "b.txt", "b");
        put(place.fd, "a.txt", "a");
        put(place.fd, ".hidden.txt", "h");
        put(place.fd, "src/main.c", "main");
        put(place.fd, "src/lib/util.c", "util");
        put(place.fd, "src/lib/util.h", "util");
        put(place.fd, "src/app/x.c", "x");
        return place;
}

TEST(literal_paths) {
        _cleanup_place_ Place place = sample();
        const Tree tree = { .root_fd = place.fd };

        ASSERT_CHOSEN(&tree, "a.txt", "a.txt=a.txt", 0);
        ASSERT_CHOSEN(&tree, "/src//lib/../main.c", "src/main.c=main.c", 0);
        ASSERT_CHOSEN(&tree, "src/lib", "src/lib/", 0);
        ASSERT_CHOSEN(&tree, "src/lib/.", "src/lib/", 0);
        ASSERT_CHOSEN(&tree, ".", "/", 0);
        ASSERT_CHOSEN(&tree, "", "/", 0);
        ASSERT_CHOSEN(&tree, "../../..", "/", 0);
        ASSERT_CHOSEN(&tree, "b.txt|a.txt", "b.txt=b.txt a.txt=a.txt", 0);
}

TEST(what_is_not_there) {
        _cleanup_place_ Place place = sample();
        const Tree tree = { .root_fd = place.fd };
        char *patterns[] = { (char *)"/nothing/here", NULL };
        const SelectOptions options = { .patterns = patterns };
        Selection selection = {};
        Error err = {};

        ASSERT_CHOSEN(&tree, "x", "\"/x\": not found", 0);
        ASSERT_CHOSEN(&tree, "a.txt|x", "\"/x\": not found", .allow_nothing = true);
        ASSERT_CHOSEN(&tree, "a.txt/x", "\"/a.txt/x\": not found", 0);
        ASSERT_CHOSEN(&tree, "*.zip", "\"/*.zip\": not found", 0);
        ASSERT_CHOSEN(&tree, "a.txt|*.zip", "a.txt=a.txt", .allow_nothing = true);
        ASSERT_CHOSEN(&tree, "x/*.zip", "", .allow_nothing = true);
        ASSERT(tree_select(&tree, &options, &selection, &err) < 0);
        ASSERT_INT(err.kind, ERROR_NOT_FOUND);
        ASSERT(!selection.items);
}

TEST(wildcards_match_a_component) {
        _cleanup_place_ Place place = sample();
        const Tree tree = { .root_fd = place.fd };

        ASSERT_CHOSEN(&tree, "*.txt", ".hidden.txt=.hidden.txt a.txt=a.txt b.txt=b.txt", 0);
        ASSERT_CHOSEN(&tree, "[a-b].txt", "a.txt=a.txt b.txt=b.txt", 0);
        ASSERT_CHOSEN(&tree, "src/*", "src/app/ src/lib/ src/main.c=main.c", 0);
        ASSERT_CHOSEN(&tree, "src/*/*.c", "src/app/x.c=x.c src/lib/util.c=util.c", 0);
        ASSERT_CHOSEN(&tree, "s*/lib/util.?", "src/lib/util.c=util.c src/lib/util.h=util.h", 0);
        ASSERT_CHOSEN(&tree, "s*/main.c", "src/main.c=main.c", 0);
        /* No more than '*' here. */
        ASSERT_CHOSEN(&tree, "**/main.c", "src/main.c=main.c", 0);
        ASSERT_CHOSEN(&tree, "**/util.c", "\"/**/util.c\": not found", 0);
        ASSERT_CHOSEN(&tree, "a.txt/*", "\"/a.txt/*\": not found", 0);
}

TEST(bad_patterns_are_refused) {
        _cleanup_place_ Place place = sample();
        const Tree tree = { .root_fd = place.fd };
        char *patterns[] = { (char *)"none/[", NULL };
        const SelectOptions options = { .patterns = patterns };
        SelectOptions parents = options;
        Selection selection = {};
        Error err = {};

        parents.parents = true;
        ASSERT(tree_select(&tree, &options, &selection, &err) < 0 && err.kind == ERROR_INVALID);
        ASSERT(tree_select(&tree, &parents, &selection, &err) < 0 && err.kind == ERROR_INVALID);
}

/* A mount's source= is a name. */
TEST(literal_patterns_are_names) {
        _cleanup_place_ Place place = sample();
        const Tree tree = { .root_fd = place.fd };

        put(place.fd, "[ab].txt", "brackets");
        put(place.fd, "src/*", "star");
        put(place.fd, "back\\slash", "b");
        ASSERT_CHOSEN(&tree, "[ab].txt", "[ab].txt=[ab].txt", .literal = true);
        ASSERT_CHOSEN(&tree, "src/*", "src/*=*", .literal = true);
        ASSERT_CHOSEN(&tree, "back\\slash", "back\\slash=back\\slash", .literal = true);
        ASSERT_CHOSEN(&tree, "*.txt", "\"/*.txt\": not found", .literal = true,
                      .allow_nothing = true);
        ASSERT_CHOSEN(&tree, "none/[", "\"/none/[\": not found", .literal = true);
}

TEST(links_stay_within_the_root) {
        _cleanup_place_ Place place = sample(), outside = place_new();
        const Tree tree = { .root_fd = place.fd };
        _cleanup_free_ char *out = str_format("%s/secret", outside.path);

        put(outside.fd, "secret", "secret");
        put_link(place.fd, "out", out);
        put_link(place.fd, "up", "../../../../../../a.txt");
        put_link(place.fd, "absolute", "/src/lib");
        put_link(place.fd, "deep/link", "../src/main.c");
        put_link(place.fd, "loop", "loop");
        ASSERT_CHOSEN(&tree, "out", "\"/out\": not found", 0);
        ASSERT_CHOSEN(&tree, "up", "a.txt=up", 0);
        ASSERT_CHOSEN(&tree, "absolute", "src/lib/", 0);
        ASSERT_CHOSEN(&tree, "absolute/util.c", "src/lib/util.c=util.c", 0);
        ASSERT_CHOSEN(&tree, "absolute/*.c", "src/lib/util.c=util.c", 0);
        ASSERT_CHOSEN(&tree, "deep/link", "src/main.c=link", 0);
        ASSERT_CHOSEN(&tree, "loop", "\"/loop\": not found", 0);
        /* A wildcard follows at the end, and takes a link that leads nowhere as it is. */
        ASSERT_CHOSEN(&tree, "u*", "a.txt=up", 0);
        ASSERT_CHOSEN(&tree, "lo*", "loop=loop", 0);
        ASSERT_CHOSEN(&tree, "ou*", "out=out", 0);
        /* Not on the way behind it. */
        ASSERT_CHOSEN(&tree, "a*/util.c", "\"/a*/util.c\": not found", 0);
}

TEST(proc_is_no_way_out) {
        _cleanup_close_ int root = open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        const Tree tree = { .root_fd = root };

        ASSERT(root >= 0);
        ASSERT_CHOSEN(&tree, "root/etc", "\"/root/etc\": not found", 0);
}

TEST(ignored_is_not_there) {
        _cleanup_place_ Place place = sample();
        _cleanup_(ignore_freep) IgnorePatterns *ignored = NULL;
        static const char lines[] = "*.txt\nsrc/lib\n!src/lib/*.h\nsrc/app\n!src/app/none\n";
        const Tree tree = { .root_fd = place.fd, .ignored = NULL };
        Tree with = tree;

        ASSERT(ignore_parse(lines, strlen(lines), &ignored, NULL) == 0);
        with.ignored = ignored;
        put_link(place.fd, "to", "a.txt");
        ASSERT_CHOSEN(&with, "a.txt", "\"/a.txt\": not found", 0);
        ASSERT_CHOSEN(&with, "to", "\"/to\": not found", 0);
        ASSERT_CHOSEN(&with, "*.txt", "\"/*.txt\": not found", 0);
        ASSERT_CHOSEN(&with, "src/lib", "src/lib/", 0);
        ASSERT_CHOSEN(&with, "src/lib/*", "src/lib/util.h=util.h", 0);
        ASSERT_CHOSEN(&with, "src/app", "\"/src/app\": not found", 0);
        ASSERT_CHOSEN(&with, "src/*", "src/lib/ src/main.c=main.c", 0);
        ASSERT_CHOSEN(&with, "**/*.c", "src/main.c=src/main.c", .parents = true);
}

TEST(excludes_take_names) {
        _cleanup_place_ Place place = sample();
        const Tree tree = { .root_fd = place.fd };
        char *excludes[] = { (char *)"a.*", (char *)"**/*.h", NULL };

        ASSERT_CHOSEN(&tree, "[ab].txt", "b.txt=b.txt", .excludes = excludes);
        ASSERT_CHOSEN(&tree, "a.txt", "", .excludes = excludes);
        ASSERT_CHOSEN(&tree, "src/lib", "src/lib/", .excludes = excludes);
        ASSERT_CHOSEN(&tree, "src/lib/util.h", "", .excludes = excludes);
        ASSERT_CHOSEN(&tree, "**/util.*", "src/lib/util.c=src/lib/util.c", .excludes = excludes,
                      .parents = true);
}

TEST(parents_keep_paths) {
        _cleanup_place_ Place place = sample();
        const Tree tree = { .root_fd = place.fd };

        put_link(place.fd, "link", "src");
        ASSERT_CHOSEN(&tree, "src/lib/util.c", "src/lib/util.c=src/lib/util.c", .parents = true);
        ASSERT_CHOSEN(&tree, "src/lib", "src/lib/=src/lib", .parents = true);
        ASSERT_CHOSEN(&tree, "src/./lib/util.c", "src/lib/util.c=lib/util.c", .parents = true);
        ASSERT_CHOSEN(&tree, "./src/./lib/./util.c", "src/lib/util.c=lib/util.c", .parents = true);
        ASSERT_CHOSEN(&tree, "src/*/*.c", "src/app/x.c=src/app/x.c src/lib/util.c=src/lib/util.c",
                      .parents = true);
        ASSERT_CHOSEN(&tree, "**/*.c",
                      "src/app/x.c=src/app/x.c src/lib/util.c=src/lib/util.c "
                      "src/main.c=src/main.c",
                      .parents = true);
        ASSERT_CHOSEN(&tree, "link/./lib", "src/lib/=lib", .parents = true);
        ASSERT_CHOSEN(&tree, "link/lib", "\"/link/lib\": not found", .parents = true);
        ASSERT_CHOSEN(&tree, "**/*.zip", "", .parents = true, .allow_nothing = true);
        ASSERT_CHOSEN(&tree, ".", "/", .parents = true);
        ASSERT_CHOSEN(&tree, "s*/./util.c|s*/./main.c", "\"/s*/util.c\": not found",
                      .parents = true);
}

/* ---- digests ---- */

static int digest_with(const Tree *tree, const char *pattern, SelectOptions options,
                       const TreeJob *job, char digest[DIGEST_TEXT_MAX], Error *err) {
        _cleanup_(selection_done) Selection selection = {};
        char *patterns[] = { (char *)pattern, NULL };
        int r;

        options.patterns = patterns;
        r = tree_select(tree, &options, &selection, err);
        return r < 0 ? r : tree_digest(tree, &selection, &options, job, digest, err);
}

/* The caller's; the error's words where there is one. */
static char *sum(const Tree *tree, const char *pattern, SelectOptions options) {
        char digest[DIGEST_TEXT_MAX];
        Error err = {};

        if (digest_with(tree, pattern, options, NULL, digest, &err) < 0)
                return str_copy(err.message);
        return str_copy(digest);
}

/* Whether what `change` does changes the digest of pattern. 1, 0; -1: it could not be made. */
static int matters(const Place *place, const char *pattern, SelectOptions options,
                   int (*change)(int fd)) {
        const Tree tree = { .root_fd = place->fd };
        _cleanup_free_ char *before = sum(&tree, pattern, options), *after = NULL;

        if (change(place->fd) < 0 || !digest_valid(before))
                return -1;
        after = sum(&tree, pattern, options);
        return digest_valid(after) ? !str_equal(before, after) : -1;
}

static int change_content(int fd) {
        put(fd, "src/main.c", "niam");
        return 0;
}

static int change_mode(int fd) {
        return fchmodat(fd, "src/main.c", 0600, 0);
}

static int change_directory_mode(int fd) {
        return fchmodat(fd, "src/lib", 0700, 0);
}

static int change_top_mode(int fd) {
        return fchmodat(fd, "src", 0700, 0);
}

static int change_owner(int fd) {
        return fchownat(fd, "src/main.c", 7, 8, 0);
}

static int change_link(int fd) {
        return unlinkat(fd, "src/link", 0) < 0 || symlinkat("b", fd, "src/link") < 0 ? -1 : 0;
}

static int change_name(int fd) {
        return renameat(fd, "src/main.c", fd, "src/nain.c");
}

static int change_xattr(int fd) {
        _cleanup_close_ int file = openat(fd, "src/main.c", O_RDONLY | O_CLOEXEC);

        return fsetxattr(file, "user.brig", "1", 1, 0);
}

static int change_overlay_xattr(int fd) {
        _cleanup_close_ int file = openat(fd, "src/lib", O_RDONLY | O_CLOEXEC);

        return fsetxattr(file, "trusted.overlay.opaque", "y", 1, 0);
}

static int change_time(int fd) {
        const struct timespec times[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };

        return utimensat(fd, "src/main.c", times, 0) < 0 || utimensat(fd, "src", times, 0) < 0 ? -1
                                                                                               : 0;
}

/* Another inode, another directory size. */
static int change_inode(int fd) {
        for (int i = 0; i < 200; i++) {
                char name[64];

                (void)snprintf(name, sizeof(name), "src/long-name-for-a-large-directory-%d", i);
                put(fd, name, "");
                if (unlinkat(fd, name, 0) < 0)
                        return -1;
        }
        put(fd, "src/main.c", "main");
        return linkat(fd, "src/main.c", fd, "elsewhere", 0);
}

static int change_nothing_in_it(int fd) {
        put(fd, "a.txt", "other");
        return 0;
}

static int add_socket(int fd) {
        _cleanup_close_ int made = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct sockaddr_un name = { .sun_family = AF_UNIX };

        (void)snprintf(name.sun_path, sizeof(name.sun_path), "/proc/self/fd/%d/src/socket", fd);
        return bind(made, (struct sockaddr *)&name, sizeof(name));
}

static int add_fifo(int fd) {
        return mkfifoat(fd, "src/fifo", 0600);
}

static int add_device(int fd) {
        return mknodat(fd, "src/device", S_IFCHR | 0600, makedev(1, 3));
}

static int change_device(int fd) {
        return unlinkat(fd, "src/device", 0) < 0 ||
                               mknodat(fd, "src/device", S_IFCHR | 0600, makedev(1, 5)) < 0
                       ? -1
                       : 0;
}

TEST(digest_covers) {
        static int (*const changes[])(int) = { change_content, change_mode, change_directory_mode,
                                               change_owner,   change_link, change_xattr,
                                               add_fifo,       add_device,  change_device,
                                               change_name,    add_socket };
        _cleanup_place_ Place place = sample();

        put_link(place.fd, "src/link", "a");
        for (size_t i = 0; i < ELEMENTS(changes); i++) {
                int got = matters(&place, "src", (SelectOptions){}, changes[i]);

                if (got != 1)
                        printf("# change %zu\n", i);
                ASSERT_INT(got, 1);
        }
}

static int change_top_owner(int fd) {
        return fchownat(fd, "src", 5, 6, 0);
}

static int change_top_xattr(int fd) {
        _cleanup_close_ int top_fd = openat(fd, "src", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        return fsetxattr(top_fd, "user.brig-test", "y", 1, 0);
}

/* A directory that a step has mounted. */
TEST(digest_of_a_directory_itself) {
        static int (*const changes[])(int) = { change_top_mode, change_top_owner,
                                               change_top_xattr };
        static const SelectOptions itself = { .itself = true };
        _cleanup_place_ Place place = sample();
        const Tree neutral = { .root_fd = place.fd, .neutral_owner = true };
        _cleanup_free_ char *before = NULL, *after = NULL;

        for (size_t i = 0; i < ELEMENTS(changes); i++) {
                int got = matters(&place, "src", itself, changes[i]);

                if (got != 1)
                        printf("# change %zu\n", i);
                ASSERT_INT(got, 1);
        }
        /* A context's root is one thing here and another in the next clone. */
        before = sum(&neutral, "", itself);
        ASSERT_INT(fchmod(place.fd, 0700), 0);
        after = sum(&neutral, "", itself);
        ASSERT_STR(after, before);
}

static int append_to(const Place *place, const char *path, const char *text) {
        _cleanup_close_ int fd = openat(place->fd, path, O_WRONLY | O_APPEND | O_CLOEXEC);

        return fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) ? -1 : 0;
}

TEST(a_file_that_grows_counts_as_it_was) {
        _cleanup_place_ Place place = sample();
        struct stat then = {};
        const Tree tree = { .root_fd = place.fd, .growing = &then, .growing_count = 1 };
        _cleanup_free_ char *before = NULL, *after = NULL, *anew = NULL;

        ASSERT_INT(fstatat(place.fd, "src/main.c", &then, 0), 0);
        before = sum(&tree, "src", (SelectOptions){});
        ASSERT_INT(append_to(&place, "src/main.c", "and more"), 0);
        after = sum(&tree, "src", (SelectOptions){});
        ASSERT_STR(after, before);
        put(place.fd, "src/main.c", ""); /* shorter than it was: it is another */
        anew = sum(&tree, "src", (SelectOptions){});
        ASSERT(digest_valid(anew) && !str_equal(anew, before));
}

/* Several things demand a directory at the destination, also where of one nothing is copied. */
TEST(digest_counts_what_was_selected) {
        _cleanup_place_ Place place = sample();

        ASSERT_INT(matters(&place, "src/*", (SelectOptions){}, add_socket), 1);
}

TEST(digest_does_not_cover) {
        static int (*const changes[])(int) = { change_time, change_inode, change_top_mode,
                                               change_nothing_in_it, change_overlay_xattr };
        _cleanup_place_ Place place = sample();

        for (size_t i = 0; i < ELEMENTS(changes); i++) {
                int got = matters(&place, "src", (SelectOptions){}, changes[i]);

                if (got != 0)
                        printf("# change %zu\n", i);
                ASSERT_INT(got, 0);
        }
}

TEST(what_is_overridden_does_not_count) {
        _cleanup_place_ Place place = sample();

        ASSERT_INT(matters(&place, "src", (SelectOptions){ .chmod = "755" }, change_mode), 0);
        ASSERT_INT(fchmodat(place.fd, "src/main.c", 0644, 0), 0);
        ASSERT_INT(matters(&place, "src", (SelectOptions){ .chmod = "u+x" }, change_mode), 1);
        ASSERT_INT(fchmodat(place.fd, "src/main.c", 0644, 0), 0);
        ASSERT_INT(matters(&place, "src", (SelectOptions){ .chmod = "go=" }, change_mode), 0);
        ASSERT_INT(matters(&place, "src", (SelectOptions){ .chown = true }, change_owner), 0);
}

TEST(digest_is_of_names_below_the_destination) {
        _cleanup_place_ Place place = sample();
        const Tree tree = { .root_fd = place.fd };
        _cleanup_free_ char *src = NULL, *moved = NULL, *one = NULL, *two = NULL, *all = NULL,
                            *link = NULL;

        src = sum(&tree, "src", (SelectOptions){});
        all = sum(&tree, "src", (SelectOptions){ .parents = true });
        ASSERT(digest_valid(src) && digest_valid(all) && !str_equal(src, all));
        ASSERT_INT(renameat(place.fd, "src", place.fd, "moved"), 0);
        moved = sum(&tree, "moved", (SelectOptions){});
        ASSERT_STR(src, moved);
        one = sum(&tree, "a.txt", (SelectOptions){});
        put(place.fd, "c.txt", "a");
        two = sum(&tree, "c.txt", (SelectOptions){});
        ASSERT(digest_valid(one) && !str_equal(one, two));
        put_directory(place.fd, "d");
        put_link(place.fd, "d/a.txt", "../c.txt");
        link = sum(&tree, "d/a.txt", (SelectOptions){});
        ASSERT_STR(link, one);
}

/* ADD unpacks b.tar where it was selected, not where a directory was that has it. */
TEST(digest_tells_what_was_selected_itself) {
        _cleanup_place_ Place place = sample();
        const Tree tree = { .root_fd = place.fd };
        _cleanup_free_ char *beside = NULL, *inside = NULL;

        put_directory(place.fd, "x");
        put_directory(place.fd, "x/a");
        put(place.fd, "x/b.tar", "archive");
        beside = sum(&tree, "x/*", (SelectOptions){});
        ASSERT_INT(renameat(place.fd, "x/b.tar", place.fd, "x/a/b.tar"), 0);
        inside = sum(&tree, "x/*", (SelectOptions){});
        ASSERT(digest_valid(beside) && digest_valid(inside) && !str_equal(beside, inside));
}

TEST(neutral_owners) {
        _cleanup_place_ Place place = sample();
        const Tree plain = { .root_fd = place.fd },
                   neutral = { .root_fd = place.fd, .neutral_owner = true };
        _cleanup_free_ char *before = sum(&plain, "src", (SelectOptions){}), *after = NULL;

        ASSERT_INT(change_owner(place.fd), 0);
        after = sum(&neutral, "src", (SelectOptions){});
        ASSERT_STR(after, before);
}

typedef struct Trace {
        Buf text;
        unsigned count;
} Trace;

static void trace(void *data, const char *path, const char *digest) {
        Trace *to = data;

        buf_format(&to->text, "%s ", *path ? path : ".");
        to->count += digest_valid(digest);
}

TEST(entries_come_in_order) {
        _cleanup_place_ Place place = sample();
        _cleanup_(ignore_freep) IgnorePatterns *ignored = NULL;
        static const char lines[] = "src/lib\n!src/lib/util.h\nsrc/app\n!src/app/none\n";
        Trace got = {};
        const TreeJob job = { .sink = trace, .data = &got };
        char digest[DIGEST_TEXT_MAX], *excludes[] = { (char *)"main.c", NULL };
        Error err = {};
        Tree tree = { .root_fd = place.fd };

        put(place.fd, "src/lib.c", "");
        ASSERT_OK(digest_with(&tree, "src", (SelectOptions){}, &job, digest, &err), &err);
        ASSERT_STR(got.text.data, "src src/app src/app/x.c src/lib src/lib/util.c src/lib/util.h "
                                  "src/lib.c src/main.c ");
        ASSERT_INT(got.count, 8);
        buf_clear(&got.text);
        ASSERT(ignore_parse(lines, strlen(lines), &ignored, NULL) == 0);
        tree.ignored = ignored;
        ASSERT_OK(digest_with(&tree, "src", (SelectOptions){ .excludes = excludes }, &job, digest,
                              &err),
                  &err);
        ASSERT_STR(got.text.data, "src src/lib src/lib/util.h src/lib.c ");
        buf_clear(&got.text);
        tree.ignored = NULL;
        ASSERT_OK(digest_with(&tree, "**/*.c", (SelectOptions){ .parents = true }, &job, digest,
                              &err),
                  &err);
        ASSERT_STR(got.text.data, "src src/app src/app/x.c src/lib src/lib/util.c src/lib.c "
                                  "src/main.c ");
        buf_done(&got.text);
}

/* ---- the memo and threads ---- */

typedef struct TestMemo {
        pthread_mutex_t lock;
        Map digests;
        unsigned hits, misses, puts;
} TestMemo;

static char *memo_key(const FileStamp *stamp) {
        return str_format("%llx %llx %llx %lld %lld", (unsigned long long)stamp->device,
                          (unsigned long long)stamp->inode, (unsigned long long)stamp->size,
                          (long long)stamp->mtime, (long long)stamp->ctime);
}

static bool memo_get(void *data, const FileStamp *stamp, char digest[DIGEST_TEXT_MAX]) {
        TestMemo *memo = data;
        _cleanup_free_ char *key = memo_key(stamp);
        const char *found;

        (void)pthread_mutex_lock(&memo->lock);
        found = map_get(&memo->digests, key);
        if (found)
                memcpy(digest, found, DIGEST_TEXT_MAX);
        memo->hits += found != NULL;
        memo->misses += found == NULL;
        (void)pthread_mutex_unlock(&memo->lock);
        return found;
}

static void memo_put(void *data, const FileStamp *stamp, const char *digest) {
        TestMemo *memo = data;
        _cleanup_free_ char *key = memo_key(stamp);

        (void)pthread_mutex_lock(&memo->lock);
        free(map_put(&memo->digests, key, str_copy(digest)));
        memo->puts++;
        (void)pthread_mutex_unlock(&memo->lock);
}

/* A clock's tick after the last change, as what is younger is not remembered. */
static void let_settle(const Place *place, const char *path) {
        struct stat status;

        if (fstatat(place->fd, path, &status, 0) < 0)
                abort();
        while (clock_now() -
                       ((int64_t)status.st_ctim.tv_sec * NSEC_PER_SEC + status.st_ctim.tv_nsec) <
               2 * NSEC_PER_SEC + 50 * NSEC_PER_MSEC)
                if (status.st_ctim.tv_nsec != 0 &&
                    clock_now() - ((int64_t)status.st_ctim.tv_sec * NSEC_PER_SEC +
                                   status.st_ctim.tv_nsec) >
                            50 * NSEC_PER_MSEC)
                        return;
}

TEST(what_is_remembered_is_not_read) {
        _cleanup_place_ Place place = sample();
        TestMemo memory = { .lock = PTHREAD_MUTEX_INITIALIZER };
        const FileMemo memo = { memo_get, memo_put, &memory };
        const Tree tree = { .root_fd = place.fd, .memo = &memo }, bare = { .root_fd = place.fd };
        _cleanup_free_ char *plain = NULL, *cold = NULL, *warm = NULL, *changed = NULL;

        put(place.fd, "src/zero", "");
        let_settle(&place, "src/zero");
        plain = sum(&bare, "src", (SelectOptions){});
        cold = sum(&tree, "src", (SelectOptions){});
        ASSERT_INT(memory.misses, 4); /* not the empty one */
        ASSERT_INT(memory.puts, 4);
        warm = sum(&tree, "src", (SelectOptions){});
        ASSERT_INT(memory.hits, 4);
        ASSERT_INT(memory.misses, 4);
        ASSERT(digest_valid(cold));
        ASSERT_STR(cold, plain);
        ASSERT_STR(warm, plain);
        put(place.fd, "src/main.c", "niam"); /* of the same size, and too young to remember */
        changed = sum(&tree, "src", (SelectOptions){});
        ASSERT(digest_valid(changed) && !str_equal(changed, plain));
        ASSERT_INT(memory.hits, 7);
        ASSERT_INT(memory.misses, 5);
        map_done(&memory.digests, free);
}

TEST(attributes_are_remembered_with_the_content) {
        _cleanup_place_ Place place = sample();
        TestMemo memory = { .lock = PTHREAD_MUTEX_INITIALIZER };
        const FileMemo memo = { memo_get, memo_put, &memory };
        const Tree tree = { .root_fd = place.fd, .memo = &memo }, bare = { .root_fd = place.fd };
        _cleanup_free_ char *without = sum(&tree, "src", (SelectOptions){}), *plain = NULL,
                            *cold = NULL, *warm = NULL, *changed = NULL;
        _cleanup_close_ int fd = openat(place.fd, "src/main.c", O_RDONLY | O_CLOEXEC);

        ASSERT_INT(fsetxattr(fd, "user.brig-test", "one", 3, 0), 0);
        let_settle(&place, "src/main.c");
        plain = sum(&bare, "src", (SelectOptions){});
        ASSERT(!str_equal(plain, without));
        cold = sum(&tree, "src", (SelectOptions){});
        memory.hits = 0;
        warm = sum(&tree, "src", (SelectOptions){});
        ASSERT_INT(memory.hits, 4);
        ASSERT_STR(cold, plain);
        ASSERT_STR(warm, plain);
        ASSERT_INT(fsetxattr(fd, "user.brig-test", "two", 3, 0), 0);
        changed = sum(&tree, "src", (SelectOptions){});
        ASSERT(digest_valid(changed) && !str_equal(changed, plain));
        map_done(&memory.digests, free);
}

TEST(threads_give_the_same) {
        _cleanup_place_ Place place = place_new();
        const Tree tree = { .root_fd = place.fd };
        char first[DIGEST_TEXT_MAX];
        Error err = {};

        for (int i = 0; i < 1500; i++) {
                char name[32], text[32];

                (void)snprintf(name, sizeof(name), "%d/%d", i % 7, i);
                (void)snprintf(text, sizeof(text), "%d", i * 7);
                put(place.fd, name, i % 5 ? text : "");
        }
        for (unsigned threads = 0; threads <= 8; threads++) {
                const TreeJob job = { .threads = threads };
                char digest[DIGEST_TEXT_MAX];

                ASSERT_OK(digest_with(&tree, "", (SelectOptions){}, &job, digest, &err), &err);
                if (threads == 0)
                        memcpy(first, digest, sizeof(first));
                ASSERT_STR(digest, first);
        }
}

static bool always(void *data) {
        (void)data;
        return true;
}

TEST(cancelling) {
        _cleanup_place_ Place place = sample();
        const Tree tree = { .root_fd = place.fd };
        const TreeJob job = { .cancelled = always };
        char digest[DIGEST_TEXT_MAX];
        Error err = {};

        ASSERT_INT(digest_with(&tree, "", (SelectOptions){}, &job, digest, &err), -ECANCELED);
}

/* A memo that is asked, and changes the file before it is opened. */
static bool change_when_asked(void *data, const FileStamp *stamp, char digest[DIGEST_TEXT_MAX]) {
        (void)stamp;
        (void)digest;
        put(*(int *)data, "src/main.c", "longer than before");
        return false;
}

static void keep_nothing(void *data, const FileStamp *stamp, const char *digest) {
        (void)data;
        (void)stamp;
        (void)digest;
}

TEST(a_change_meanwhile_is_noticed) {
        for (unsigned threads = 1; threads <= 4; threads += 3) {
                _cleanup_place_ Place place = sample();
                const FileMemo memo = { change_when_asked, keep_nothing, &place.fd };
                const Tree tree = { .root_fd = place.fd, .memo = &memo };
                const TreeJob job = { .threads = threads };
                char digest[DIGEST_TEXT_MAX];
                Error err = {};

                ASSERT(digest_with(&tree, "src/main.c", (SelectOptions){}, &job, digest, &err) < 0);
                ASSERT_INT(err.kind, ERROR_CONFLICT);
                ASSERT(strstr(err.message, "'src/main.c' changed during the build"));
        }
}

TEST(depth_has_a_limit) {
        _cleanup_place_ Place place = place_new();
        const Tree tree = { .root_fd = place.fd };
        _cleanup_free_ char *got = NULL;
        int fd = dup(place.fd);

        for (int i = 0; i < 300; i++) {
                int next;

                ASSERT_INT(mkdirat(fd, "d", 0755), 0);
                next = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                (void)close(fd);
                fd = next;
        }
        (void)close(fd);
        got = sum(&tree, "", (SelectOptions){});
        ASSERT(strstr(got, "nested too deeply"));
}

/* ---- what was changed last ---- */

static char *newest(const Tree *tree, const char *patterns, SelectOptions options) {
        _cleanup_strv_ char **split = str_split(patterns, '|');
        _cleanup_(selection_done) Selection selection = {};
        char *path = NULL;
        Error err = {};

        options.patterns = split;
        if (tree_select(tree, &options, &selection, &err) < 0 ||
            tree_newest(tree, &selection, &options, &path, &err) < 0)
                return str_copy(err.message);
        return path ?: str_copy("nothing");
}

#define ASSERT_NEWEST(tree, patterns, expected, ...)                                               \
        do {                                                                                       \
                _cleanup_free_ char *got_ =                                                        \
                        newest(tree, patterns, (SelectOptions){ __VA_ARGS__ });                    \
                ASSERT_STR(got_, expected);                                                        \
        } while (0)

/* Changes the inode, on a later tick of the file system's clock than the one of `before`. */
static bool touch(int fd, const char *path, const char *before) {
        struct stat old, now;

        if (fstatat(fd, before, &old, 0) < 0)
                return false;
        do {
                if (fchmodat(fd, path, 0600, 0) < 0 || fchmodat(fd, path, 0644, 0) < 0 ||
                    fstatat(fd, path, &now, 0) < 0)
                        return false;
        } while (now.st_ctim.tv_sec == old.st_ctim.tv_sec &&
                 now.st_ctim.tv_nsec == old.st_ctim.tv_nsec);
        return true;
}

TEST(the_newest_is_found) {
        _cleanup_place_ Place place = sample();
        static char *excludes[] = { (char *)"util.c", NULL };
        const Tree tree = { .root_fd = place.fd };

        ASSERT(touch(place.fd, "src/lib/util.h", "src/app/x.c"));
        ASSERT_NEWEST(&tree, ".", "src/lib/util.h", );
        ASSERT(touch(place.fd, "src/lib/util.c", "src/lib/util.h"));
        ASSERT_NEWEST(&tree, ".", "src/lib/util.c", );
        ASSERT_NEWEST(&tree, "src/lib", "src/lib/util.h", .excludes = excludes);
        ASSERT_NEWEST(&tree, "b.txt|a.txt", "a.txt", );
        ASSERT_NEWEST(&tree, "none*", "nothing", .allow_nothing = true);
}

TEST_MAIN()
