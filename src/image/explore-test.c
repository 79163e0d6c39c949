/* explore-test.c: layers laid by hand into a store, and what is told of them: each kind of change,
 * opaque directories, trees that go, hard links, waste and its sums, what looks like a secret. */
#include <errno.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "image/explore.h"
#include "image/test-store.h"

#define CHAINS_MAX 8

typedef struct Work {
        TestStore store;
        int from;
        char *chains[CHAINS_MAX];
        size_t count;
        Buf rows;     /* "path layer change size wasted\n" */
        Buf findings; /* "path layer finding\n" */
        ExploreSummary summary;
        size_t limit; /* rows after which the sink refuses; 0: none */
        size_t seen;
} Work;

static Work work_new(void) {
        Work work = { .store = test_store(), .from = -1 };

        if (dir_open_at(work.store.fd, "from", 0755, &work.from, NULL) < 0)
                abort();
        return work;
}

static void work_done(Work *work) {
        for (size_t i = 0; i < work->count; i++)
                free(work->chains[i]);
        buf_done(&work->rows);
        buf_done(&work->findings);
        json_done(&explore_summary_table, &work->summary);
        close_fd(&work->from);
        test_store_done(&work->store);
}

/* One entry of a layer: what a path is, by the first letter of `what`: d, f, l (to what follows),
 * h (hard link to what follows), w (whiteout), o (opaque directory). */
typedef struct Laid {
        const char *path, *what;
        mode_t mode; /* 0: 0755 for directories, 0644 */
} Laid;

static void lay_one(int fd, const Laid *laid) {
        const char *text = laid->what + 1;
        mode_t mode = laid->mode ? laid->mode : strchr("do", laid->what[0]) ? 0755 : 0644;
        bool ok = true;

        if (laid->what[0] == 'd' || laid->what[0] == 'o') {
                _cleanup_close_ int made = -1;

                ok = dir_open_at(fd, laid->path, 0755, &made, NULL) == 0 && fchmod(made, mode) == 0;
                if (laid->what[0] == 'o')
                        ok = ok && fsetxattr(made, "trusted.overlay.opaque", "y", 1, 0) == 0;
        } else if (laid->what[0] == 'f') {
                ok = file_replace_at(fd, laid->path, text, strlen(text), 0644, false, NULL) == 0 &&
                     fchmodat(fd, laid->path, mode, 0) == 0;
        } else if (laid->what[0] == 'l') {
                ok = symlinkat(text, fd, laid->path) == 0;
        } else if (laid->what[0] == 'h') {
                ok = linkat(fd, text, fd, laid->path, 0) == 0;
        } else {
                ok = mknodat(fd, laid->path, S_IFCHR, makedev(0, 0)) == 0;
        }
        if (!ok)
                abort();
}

static int lay(Work *work, const Laid *laid, size_t count, Error *err) {
        _cleanup_close_ int fd = -1;
        char diff[DIGEST_TEXT_MAX], chain[DIGEST_TEXT_MAX];
        const LayerAdd add = { .from_fd = work->from,
                               .name = "layer",
                               .parent_chain = work->count ? work->chains[work->count - 1] : NULL,
                               .holder = "test",
                               .epoch = -1 };
        int64_t size;
        int r = dir_open_at(work->from, "layer/fs", 0755, &fd, err);

        for (size_t i = 0; r == 0 && i < count; i++)
                lay_one(fd, &laid[i]);
        if (r == 0)
                r = image_layer_add(work->store.store, &add, diff, chain, &size, err);
        if (r == 0)
                work->chains[work->count++] = str_copy(chain);
        return r;
}

#define LAY(work, ...)                                                                             \
        do {                                                                                       \
                const Laid laid_[] = { __VA_ARGS__ };                                              \
                ASSERT_OK(lay(&(work), laid_, ELEMENTS(laid_), &err), &err);                       \
        } while (0)

static int note(void *data, const ExploreFile *file) {
        Work *work = data;

        if (work->limit > 0 && ++work->seen > work->limit)
                return -ECANCELED;
        buf_format(&work->rows, "%s %lld %s %lld %lld\n", file->path, (long long)file->layer,
                   file->change, (long long)file->size, (long long)file->wasted);
        for (char **finding = file->findings; finding && *finding; finding++)
                buf_format(&work->findings, "%s %lld %s\n", file->path, (long long)file->layer,
                           *finding);
        return 0;
}

/* Instructions of the history; an empty layer between them all. */
static void add_history(ImageConfig *config, size_t layers) {
        for (size_t i = 0; i < layers; i++) {
                ImageHistory *entry = json_append(&config->history, &image_history_table);

                entry->created_by = str_format("RUN %zu", i);
                entry = json_append(&config->history, &image_history_table);
                entry->created_by = str_copy("ENV a=b");
                entry->empty_layer = true;
        }
}

static int explore(Work *work, Error *err) {
        ImageConfig config = { .architecture = str_copy("amd64"), .os = str_copy("linux") };
        char *names[] = { (char *)"explored:v1", NULL };
        const ImageMake make = { .config = &config, .chains = work->chains, .names = names };
        _cleanup_free_ char *id = NULL;
        int r;

        add_history(&config, work->count);
        r = image_make_as(work->store.store, &make, &id, err);
        json_done(&image_config_table, &config);
        if (r == 0)
                r = image_explore(work->store.store, "explored:v1", note, work, &work->summary,
                                  err);
        return r;
}

static const ExploreLayer *layer_of(const Work *work, size_t i) {
        return (const ExploreLayer *)work->summary.layers.items + i;
}

#define _cleanup_work_ _cleanup_(work_done)

TEST(tells_each_kind_of_change) {
        _cleanup_work_ Work work = work_new();
        Error err = {};

        LAY(work, { "a", "d" }, { "a/same", "f12345" }, { "a/text", "f123" },
            { "a/mode", "f1234567" }, { "a/gone", "f12" }, { "link", "la/same" });
        LAY(work, { "a", "d" }, { "a/same", "f12345" }, { "a/text", "f12345" },
            { "a/mode", "f1234567", 0600 }, { "a/gone", "w" }, { "a/new", "f1" },
            { "link", "la/text" });
        ASSERT_OK(explore(&work, &err), &err);
        ASSERT_STR(work.rows.data, "a 0 added 0 0\na 1 same 0 0\n"
                                   "a/gone 0 added 2 2\na/gone 1 removed 2 0\n"
                                   "a/mode 0 added 7 0\na/mode 1 changed 7 7\n"
                                   "a/new 1 added 1 0\n"
                                   "a/same 0 added 5 0\na/same 1 same 5 5\n"
                                   "a/text 0 added 3 0\na/text 1 changed 5 5\n"
                                   "link 0 added 0 0\nlink 1 changed 0 0\n");
        ASSERT_INT(work.summary.size, 5 + 3 + 7 + 2 + 5 + 5 + 7 + 1);
        ASSERT_INT(work.summary.wasted, 2 + 7 + 5 + 5);
        ASSERT_INT(work.summary.paths, 6);
        ASSERT_INT(work.summary.efficiency * 1e6, 457142);
}

TEST(counts_by_layer) {
        _cleanup_work_ Work work = work_new();
        Error err = {};

        LAY(work, { "a", "f123" }, { "b", "f1" });
        LAY(work, { "a", "f12345" }, { "b", "w" }, { "c", "f7777777" });
        ASSERT_OK(explore(&work, &err), &err);
        ASSERT_INT(work.summary.layers.count, 2);
        ASSERT_STR(layer_of(&work, 0)->created_by, "RUN 0");
        ASSERT_STR(layer_of(&work, 1)->created_by, "RUN 1");
        ASSERT(str_after(layer_of(&work, 1)->digest, "sha256:"));
        ASSERT_INT(layer_of(&work, 0)->size, 4);
        ASSERT_INT(layer_of(&work, 0)->added, 2);
        ASSERT_INT(layer_of(&work, 0)->wasted, 1);
        ASSERT_INT(layer_of(&work, 1)->size, 12);
        ASSERT_INT(layer_of(&work, 1)->added_bytes, 7);
        ASSERT_INT(layer_of(&work, 1)->changed, 1);
        ASSERT_INT(layer_of(&work, 1)->changed_bytes, 5);
        ASSERT_INT(layer_of(&work, 1)->removed, 1);
        ASSERT_INT(layer_of(&work, 1)->removed_bytes, 1);
        ASSERT_INT(layer_of(&work, 1)->wasted, 5);
        ASSERT_INT(work.summary.wasted, 6);
}

TEST(a_tree_that_goes_is_told_path_by_path) {
        _cleanup_work_ Work work = work_new();
        Error err = {};

        LAY(work, { "d", "d" }, { "d/e", "d" }, { "d/e/f", "f12" }, { "x", "d" },
            { "x/y", "f123" });
        LAY(work, { "d", "w" }, { "x", "f1" });
        LAY(work, { "d", "d" }, { "d/e", "f4444" });
        ASSERT_OK(explore(&work, &err), &err);
        ASSERT_STR(work.rows.data, "d 0 added 0 0\nd 1 removed 0 0\nd 2 added 0 0\n"
                                   "d/e 0 added 0 0\nd/e 1 removed 0 0\nd/e 2 added 4 0\n"
                                   "d/e/f 0 added 2 2\nd/e/f 1 removed 2 0\n"
                                   "x 0 added 0 0\nx 1 changed 1 0\n"
                                   "x/y 0 added 3 3\nx/y 1 removed 3 0\n");
}

TEST(an_opaque_directory_hides_what_lies_below) {
        _cleanup_work_ Work work = work_new();
        Error err = {};

        LAY(work, { "d", "d" }, { "d/a", "f12" }, { "d/s", "d" }, { "d/s/b", "f123" },
            { "d/s/c", "f1" });
        LAY(work, { "d", "o" }, { "d/s", "d" }, { "d/s/b", "f12345" });
        LAY(work, { "d", "d" }, { "d/s", "d" }, { "d/s/c", "f22" });
        ASSERT_OK(explore(&work, &err), &err);
        ASSERT_STR(work.rows.data, "d 0 added 0 0\nd 1 same 0 0\nd 2 same 0 0\n"
                                   "d/a 0 added 2 2\nd/a 1 removed 2 0\n"
                                   "d/s 0 added 0 0\nd/s 1 same 0 0\nd/s 2 same 0 0\n"
                                   "d/s/b 0 added 3 0\nd/s/b 1 changed 5 5\n"
                                   "d/s/c 0 added 1 0\nd/s/c 1 removed 1 0\nd/s/c 2 added 2 2\n");
}

TEST(whiteouts_of_nothing_are_nothing) {
        _cleanup_work_ Work work = work_new();
        Error err = {};

        LAY(work, { "a", "f1" });
        LAY(work, { "b", "w" }, { "c", "d" }, { "c/d", "w" });
        ASSERT_OK(explore(&work, &err), &err);
        ASSERT_STR(work.rows.data, "a 0 added 1 0\nc 1 added 0 0\n");
}

TEST(hard_links_count_once) {
        _cleanup_work_ Work work = work_new();
        Error err = {};

        LAY(work, { "a", "f12345" }, { "b", "ha" });
        LAY(work, { "b", "f123" });
        LAY(work, { "b", "w" });
        ASSERT_OK(explore(&work, &err), &err);
        ASSERT_STR(work.rows.data, "a 0 added 5 0\n"
                                   "b 0 added 0 0\nb 1 changed 3 3\nb 2 removed 3 0\n");
        ASSERT_INT(work.summary.size, 8);
}

TEST(finds_modes_that_give_rights) {
        _cleanup_work_ Work work = work_new();
        Error err = {};

        LAY(work, { "su", "fx", 04755 }, { "sg", "fx", 02755 }, { "open", "fx", 0666 },
            { "tmp", "d", 01777 }, { "share", "d", 0777 }, { "mail", "d", 02775 },
            { "link", "lsu" }, { "was", "fx", 04755 });
        LAY(work, { "was", "fx", 0755 }, { "open", "w" });
        ASSERT_OK(explore(&work, &err), &err);
        ASSERT_STR(work.findings.data, "open 0 world-writable\nsg 0 setgid\n"
                                       "share 0 world-writable\nsu 0 setuid\nwas 0 setuid\n");
        ASSERT_INT(work.summary.setuid, 1);
        ASSERT_INT(work.summary.setgid, 1);
        ASSERT_INT(work.summary.world_writable, 1);
        ASSERT_INT(work.summary.secrets, 0);
}

TEST(finds_what_looks_like_a_secret) {
        _cleanup_work_ Work work = work_new();
        Error err = {};

        LAY(work, { "r", "d" }, { "r/.env", "fA=b" }, { "r/.npmrc", "fregistry=x" },
            { "r/id_rsa", "fx" }, { "r/id_rsa.pub", "fssh-rsa" },
            { "r/notes", "f-----BEGIN OPENSSH PRIVATE KEY-----\nabc" },
            { "r/ca.pem", "f-----BEGIN CERTIFICATE-----\n" },
            { "r/both.pem", "f-----BEGIN CERTIFICATE-----\nx\n-----BEGIN PRIVATE KEY-----\n" },
            { "r/pub.key", "f-----BEGIN PGP PUBLIC KEY BLOCK-----\n" }, { "r/tls.key", "fx" },
            { "r/.aws", "d" }, { "r/.aws/credentials", "fx" }, { "r/x.p12", "fx" },
            { "r/empty.p12", "f" });
        LAY(work, { "r", "d" }, { "r/.env", "w" }, { "r/.npmrc", "f//x/:_authToken=abc" });
        ASSERT_OK(explore(&work, &err), &err);
        ASSERT_STR(work.findings.data, "r/.aws/credentials 0 secret: AWS credentials\n"
                                       "r/.env 0 secret: an environment file\n"
                                       "r/.npmrc 1 secret: an npm token\n"
                                       "r/both.pem 0 secret: a private key\n"
                                       "r/id_rsa 0 secret: an SSH private key by its name\n"
                                       "r/notes 0 secret: a private key by its first line\n"
                                       "r/tls.key 0 secret: a private key by its name\n"
                                       "r/x.p12 0 secret: a PKCS #12 key store by its name\n");
        ASSERT_INT(work.summary.secrets, 8);
}

TEST(a_link_leads_nowhere) {
        _cleanup_work_ Work work = work_new();
        Error err = {};

        LAY(work, { "etc", "l/etc" }, { "id_rsa", "l/etc/shadow" });
        LAY(work, { "etc", "d" }, { "etc/passwd", "f1" });
        ASSERT_OK(explore(&work, &err), &err);
        ASSERT_STR(work.rows.data, "etc 0 added 0 0\netc 1 changed 0 0\netc/passwd 1 added 1 0\n"
                                   "id_rsa 0 added 0 0\n");
        ASSERT_INT(work.findings.length, 0);
}

TEST(ends_where_its_reader_does) {
        _cleanup_work_ Work work = work_new();
        Error err = {};

        LAY(work, { "a", "f1" }, { "b", "f1" }, { "c", "f1" });
        work.limit = 2;
        ASSERT_INT(explore(&work, &err), -ECANCELED);
        ASSERT_STR(work.rows.data, "a 0 added 1 0\nb 0 added 1 0\n");
        ASSERT_INT(image_explore(work.store.store, "nothing", note, &work, &work.summary, &err),
                   -ENOENT);
        ASSERT_STR(err.message, "No such image: nothing:latest");
}

TEST_MAIN()
