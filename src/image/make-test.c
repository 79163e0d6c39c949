/* make-test.c: directories become layers and layers become images; who holds them, and what is left
 * of them when the daemon dies. */
#include <errno.h>

#include "image/assembly.h"
#include "image/test-store.h"

typedef struct Made {
        char diff[DIGEST_TEXT_MAX], chain[DIGEST_TEXT_MAX];
        int64_t size;
} Made;

/* tmp/<name>/fs with one file that says text. */
static void make_directory(const TestStore *test, const char *name, const char *text) {
        _cleanup_free_ char *directory = str_format("tmp/%s/fs/etc", name);
        _cleanup_free_ char *file = str_format("%s/%s", directory, text);

        if (dir_make_at(test->fd, directory, 0755, NULL) < 0 ||
            file_replace_at(test->fd, file, text, strlen(text), 0644, false, NULL) < 0)
                abort();
}

static bool test_keep;
static const ImageForm *test_form;

static int add(const TestStore *test, const char *text, const char *parent, bool durable, Made *ret,
               Error *err) {
        _cleanup_close_ int tmp_fd = openat(test->fd, "tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        const LayerAdd add = {
                .from_fd = tmp_fd,
                .name = "made",
                .parent_chain = parent,
                .holder = "build",
                .epoch = 1000, /* the same text, the same layer */
                .durable = durable,
                .keep = test_keep,
        };

        make_directory(test, "made", text);
        return image_layer_add(test->store, &add, ret->diff, ret->chain, &ret->size, err);
}

static int make(const TestStore *test, char *const *chains, char **ret_id, Error *err) {
        char *names[] = { (char *)"made", (char *)"127.0.0.1:5000/team/made:v2", NULL };
        ImageConfig config = { .os = str_copy("linux"), .architecture = str_copy("amd64") };
        Pairs annotations = {};
        const ImageMake make = { .config = &config,
                                 .chains = chains,
                                 .names = names,
                                 .annotations = &annotations,
                                 .form = test_form };
        int r;

        strv_add(&config.config.cmd, "hello");
        pairs_put(&annotations, "note", "an annotation");
        r = image_make_as(test->store, &make, ret_id, err);
        json_done(&image_config_table, &config);
        pairs_done(&annotations);
        return r;
}

static char *content(const TestStore *test, const char *lower, const char *text) {
        _cleanup_free_ char *path = str_format("%s/etc/%s", lower, text);
        char *found = NULL;

        return file_read_at(test->fd, path, 100, &found, NULL, NULL) < 0 ? str_copy("") : found;
}

TEST(layers_become_an_image) {
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_(image_done) Image image = {};
        _cleanup_strv_ char **lowers = NULL, **chains = NULL;
        _cleanup_free_ char *id = NULL, *top = NULL, *base = NULL;
        Made one, two;
        Error err = {};

        ASSERT_OK(add(&test, "one", NULL, false, &one, &err), &err);
        ASSERT_STR(one.chain, one.diff);
        ASSERT_INT(one.size, 3);
        ASSERT_OK(add(&test, "two!", one.chain, false, &two, &err), &err);
        strv_add(&chains, one.chain);
        strv_add(&chains, two.chain);
        ASSERT_OK(make(&test, chains, &id, &err), &err);
        ASSERT_OK(image_find(test.store, "made", &image, &err), &err);
        ASSERT_STR(image.id, id);
        ASSERT_STR(image.names[1], "127.0.0.1:5000/team/made:v2");
        ASSERT_STR(image.config.config.cmd[0], "hello");
        ASSERT_STR(image.config.rootfs.diff_ids[1], two.diff);
        ASSERT_INT(image.size, 7);
        ASSERT_OK(image_layers(test.store, &image, &lowers, &err), &err);
        top = content(&test, lowers[0], "two!");
        base = content(&test, lowers[1], "one");
        ASSERT_STR(top, "two!");
        ASSERT_STR(base, "one");
        ASSERT_INT(test_count(&test, "tmp"), 0);
        ASSERT_OK(test_store_reopen(&test, &err), &err);
        ASSERT_INT(test_count(&test, "snapshots"), 2);
        ASSERT_INT(test_count(&test, "blobs/sha256"), 2); /* of the layers none is kept */
}

TEST(a_layer_without_what_it_lies_upon_is_one_but_makes_no_image) {
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_strv_ char **chains = NULL;
        _cleanup_free_ char *id = NULL;
        Made made;
        Error err = {};

        digest_of("base", 4, made.diff);
        strv_add(&chains, made.diff);
        ASSERT_OK(add(&test, "one", chains[0], false, &made, &err), &err);
        strv_add(&chains, made.chain);
        ASSERT_INT(make(&test, chains, &id, &err), -ENOENT);
        ASSERT_INT(test_count(&test, "snapshots"), 1);
}

static ino_t inode_of(const TestStore *test, const char *chain, const char *text) {
        _cleanup_free_ char *path = str_format("snapshots/%s/fs/etc/%s", digest_hex(chain), text);
        struct stat st;

        return fstatat(test->fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0 ? 0 : st.st_ino;
}

static int rebase(TestStore *test, const char *chain, const char *parent, char ret[], Error *err) {
        const LayerAdd add = { .parent_chain = parent, .holder = "build" };

        return image_layer_rebase(test->store, chain, &add, ret, err);
}

/* The client goes when the first directory was made. */
static bool gone_at_second(void *data) {
        return ++*(int *)data >= 2;
}

TEST(a_client_that_goes_ends_a_rebase) {
        _cleanup_(test_store_done) TestStore test = test_store();
        char joined[DIGEST_TEXT_MAX] = "";
        int asked = 0;
        LayerAdd how = { .holder = "build", .cancelled = gone_at_second, .data = &asked };
        Made one, other, top;
        Error err = {};

        ASSERT_OK(add(&test, "one", NULL, false, &one, &err), &err);
        ASSERT_OK(add(&test, "other", NULL, false, &other, &err), &err);
        ASSERT_OK(add(&test, "top", one.chain, false, &top, &err), &err);
        how.parent_chain = other.chain;
        ASSERT_INT(image_layer_rebase(test.store, top.chain, &how, joined, &err), -ECANCELED);
        ASSERT_INT(test_count(&test, "tmp"), 0);
        ASSERT_INT(test_count(&test, "snapshots"), 3);
        ASSERT_OK(rebase(&test, top.chain, other.chain, joined, &err), &err);
}

TEST(a_layer_upon_another_parent_has_the_same_files) {
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_strv_ char **chains = NULL;
        _cleanup_free_ char *id = NULL;
        char expected[DIGEST_TEXT_MAX], joined[DIGEST_TEXT_MAX], again[DIGEST_TEXT_MAX];
        Made one, other, top;
        Error err = {};

        ASSERT_OK(add(&test, "one", NULL, false, &one, &err), &err);
        ASSERT_OK(add(&test, "other", NULL, false, &other, &err), &err);
        ASSERT_OK(add(&test, "top", one.chain, false, &top, &err), &err);
        ASSERT_OK(rebase(&test, top.chain, other.chain, joined, &err), &err);
        digest_chain(other.chain, top.diff, expected);
        ASSERT_STR(joined, expected);
        ASSERT(inode_of(&test, joined, "top") != 0);
        ASSERT_INT(inode_of(&test, joined, "top"), inode_of(&test, top.chain, "top"));
        ASSERT_OK(rebase(&test, joined, other.chain, again, &err), &err);
        ASSERT_STR(again, joined);
        ASSERT_OK(rebase(&test, joined, NULL, again, &err), &err);
        ASSERT_STR(again, top.diff);
        ASSERT_INT(test_count(&test, "tmp"), 0);
        strv_add(&chains, other.chain);
        strv_add(&chains, joined);
        ASSERT_OK(make(&test, chains, &id, &err), &err);
        ASSERT_OK(image_release(test.store, "build", &err), &err);
        ASSERT_INT(test_count(&test, "snapshots"), 2);
        ASSERT(inode_of(&test, joined, "top") != 0);
        ASSERT_INT(rebase(&test, top.chain, NULL, again, &err), -ENOENT);
}

TEST(an_image_without_layers) {
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_(image_done) Image image = {};
        _cleanup_free_ char *id = NULL;
        Error err = {};

        ASSERT_OK(make(&test, NULL, &id, &err), &err);
        ASSERT_OK(image_find(test.store, id, &image, &err), &err);
        ASSERT_INT(image.size, 0);
        ASSERT(strstr(image.config_text, "\"diff_ids\":[]"));
}

TEST(a_configuration_that_can_not_be_read_again_makes_no_image) {
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_free_ char *id = NULL, *value = alloc_zero(DOCUMENT_MAX + 1, 1);
        ImageConfig config = { .os = str_copy("linux"), .architecture = str_copy("amd64") };
        const ImageMake make = { .config = &config };
        Error err = {};

        memset(value, 'a', DOCUMENT_MAX);
        pairs_put(&config.config.labels, "long", value);
        ASSERT_INT(image_make_as(test.store, &make, &id, &err), -EINVAL);
        ASSERT(strstr(err.message, "and no more than 4194304 can be read again or pushed"));
        json_done(&image_config_table, &config);
}

TEST(a_made_image_is_saved_and_loaded) {
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_(test_store_done) TestStore other = test_store();
        _cleanup_close_ int fd = memfd_create("saved", MFD_CLOEXEC);
        _cleanup_strv_ char **loaded = NULL, **refs = NULL, **chains = NULL;
        _cleanup_(image_done) Image image = {};
        _cleanup_buf_ Buf archive = {};
        _cleanup_free_ char *id = NULL;
        Made one;
        Error err = {};

        ASSERT_OK(add(&test, "one", NULL, true, &one, &err), &err);
        strv_add(&chains, one.chain);
        ASSERT_OK(make(&test, chains, &id, &err), &err);
        strv_add(&refs, "made");
        ASSERT_OK(image_save_as(test.store, &(ImageSave){ .refs = refs }, fd, &err), &err);
        ASSERT_INT(lseek(fd, 0, SEEK_SET), 0);
        ASSERT_INT(fd_read_all(fd, 1 << 20, &archive), 0);
        ASSERT(memmem(archive.data, archive.length, "an annotation", 13));
        ASSERT_INT(lseek(fd, 0, SEEK_SET), 0);
        ASSERT_OK(image_load(other.store, fd, NULL, NULL, &loaded, &err), &err);
        ASSERT_STR(loaded[0], "Loaded image: made:latest");
        ASSERT_OK(image_find(other.store, "made", &image, &err), &err);
        ASSERT_STR(image.id, id);
        ASSERT_STR(image.chain_ids[0], one.chain);
}

static bool archive_has(int fd, const char *bytes, size_t length) {
        _cleanup_buf_ Buf archive = {};

        return lseek(fd, 0, SEEK_SET) == 0 && fd_read_all(fd, 1 << 20, &archive) == 0 &&
               memmem(archive.data, archive.length, bytes, length);
}

TEST(an_image_is_saved_in_the_form_that_it_was_made_to_have_or_another) {
        static const ImageForm zstd = { .compression = LAYERS_ZSTD, .has_level = true, .level = 9 };
        static const ImageForm gzip = { .compression = LAYERS_GZIP, .docker = true };
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_(test_store_done) TestStore other = test_store();
        _cleanup_close_ int own = memfd_create("own", MFD_CLOEXEC);
        _cleanup_close_ int asked = memfd_create("asked", MFD_CLOEXEC);
        _cleanup_strv_ char **loaded = NULL, **refs = NULL, **chains = NULL;
        _cleanup_(image_done) Image image = {};
        _cleanup_free_ char *id = NULL;
        Made one;
        Error err = {};
        int r;

        ASSERT_OK(add(&test, "one", NULL, true, &one, &err), &err);
        strv_add(&chains, one.chain);
        test_form = &zstd;
        r = make(&test, chains, &id, &err);
        test_form = NULL;
        ASSERT_OK(r, &err);
        strv_add(&refs, "made");
        strv_add(&refs, "127.0.0.1:5000/team/made:v2");
        ASSERT_OK(image_save_as(test.store, &(ImageSave){ .refs = refs }, own, &err), &err);
        ASSERT(archive_has(own, "tar+zstd", 8) && archive_has(own, "\x28\xb5\x2f\xfd", 4));
        ASSERT(archive_has(own, "an annotation", 13));
        ASSERT_OK(
                image_save_as(test.store, &(ImageSave){ .refs = refs, .form = &gzip }, asked, &err),
                &err);
        ASSERT(archive_has(asked, "tar+gzip", 8)); /* OCI's types, as Docker has no annotations */
        ASSERT_INT(lseek(own, 0, SEEK_SET), 0);
        ASSERT_OK(image_load(other.store, own, NULL, NULL, &loaded, &err), &err);
        ASSERT_OK(image_find(other.store, "made", &image, &err), &err);
        ASSERT_STR(image.id, id);
        ASSERT_STR(image.chain_ids[0], one.chain);
}

TEST(a_layer_that_is_there_is_used) {
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_free_ char *path = NULL, *text = NULL;
        Made first, again, other;
        Error err = {};

        ASSERT_OK(add(&test, "one", NULL, true, &first, &err), &err);
        ASSERT_OK(add(&test, "one", NULL, true, &again, &err), &err);
        ASSERT_STR(again.chain, first.chain);
        ASSERT_INT(test_count(&test, "tmp"), 0);
        test_keep = true;
        ASSERT_OK(add(&test, "one", NULL, true, &again, &err), &err);
        test_keep = false;
        ASSERT_STR(again.chain, first.chain);
        ASSERT_INT(test_count(&test, "tmp"), 1);
        ASSERT_OK(dir_remove_at(test.fd, "tmp/made", &err), &err);
        /* The same files upon another layer: another snapshot, the same diff. */
        ASSERT_OK(add(&test, "one", first.chain, true, &other, &err), &err);
        ASSERT_STR(other.diff, first.diff);
        ASSERT(!str_equal(other.chain, first.chain));
        ASSERT_INT(test_count(&test, "snapshots"), 2);
        ASSERT_INT(test_count(&test, "blobs/sha256"), 0);
        ASSERT_OK(image_layer_path(test.store, other.chain, &path, &err), &err);
        text = content(&test, path, "one");
        ASSERT_STR(text, "one");
}

TEST(a_copied_directory_stays) {
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_close_ int fd = -1;
        _cleanup_free_ char *path = NULL, *copied = NULL, *kept = NULL;
        const LayerAdd add = { .holder = "commit", .epoch = -1, .durable = true };
        Made first, again;
        Error err = {};

        make_directory(&test, "own", "one");
        ASSERT_OK(dir_open_at(test.fd, "tmp/own/fs", 0, &fd, &err), &err);
        ASSERT_OK(
                image_layer_copy(test.store, fd, &add, first.diff, first.chain, &first.size, &err),
                &err);
        ASSERT_INT(first.size, 3);
        ASSERT_OK(
                image_layer_copy(test.store, fd, &add, again.diff, again.chain, &again.size, &err),
                &err);
        ASSERT_STR(again.chain, first.chain);
        ASSERT_OK(image_layer_path(test.store, first.chain, &path, &err), &err);
        copied = content(&test, path, "one");
        kept = content(&test, "tmp/own/fs", "one");
        ASSERT_STR(copied, "one");
        ASSERT_STR(kept, "one");
        ASSERT_INT(test_count(&test, "tmp"), 1);
        ASSERT_OK(image_release(test.store, "commit", &err), &err);
        ASSERT_INT(test_count(&test, "snapshots"), 0);
}

/* Once somebody has saved or pushed it; a copy (a commit) has its blob from the beginning. */
TEST(a_lost_layer_is_unpacked_again) {
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_free_ char *lost = NULL, *path = NULL, *text = NULL;
        _cleanup_close_ int blob = -1;
        int64_t size;
        Made one;
        Error err = {};

        ASSERT_OK(add(&test, "one", NULL, true, &one, &err), &err);
        ASSERT(blob_open(test.store, one.diff, &blob, &size, &err) < 0);
        ASSERT_OK(layer_blob_open(test.store, one.diff, &blob, &size, &err), &err);
        ASSERT(size > 512);
        lost = str_format("snapshots/%s", digest_hex(one.chain));
        ASSERT_OK(dir_remove_at(test.fd, lost, &err), &err);
        ASSERT_OK(image_layer_path(test.store, one.chain, &path, &err), &err);
        text = content(&test, path, "one");
        ASSERT_STR(text, "one");
}

TEST(a_layer_that_is_lost_for_good_says_so) {
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_free_ char *lost = NULL, *path = NULL;
        _cleanup_close_ int blob = -1;
        Made one;
        Error err = {};

        ASSERT_OK(add(&test, "one", NULL, true, &one, &err), &err);
        lost = str_format("snapshots/%s/fs/etc/one", digest_hex(one.chain));
        ASSERT_OK(dir_remove_at(test.fd, lost, &err), &err);
        ASSERT(layer_blob_open(test.store, one.diff, &blob, NULL, &err) < 0);
        ASSERT(strstr(err.message, "are not those that it was made of"));
        *strstr(lost, "/fs") = '\0';
        ASSERT_OK(dir_remove_at(test.fd, lost, &err), &err);
        ASSERT(image_layer_path(test.store, one.chain, &path, &err) < 0);
        ASSERT(strstr(err.message, "build, pull or load the image again"));
}

TEST(holders_keep_layers) {
        _cleanup_(test_store_done) TestStore test = test_store();
        Made one, two;
        Error err = {};

        ASSERT_OK(add(&test, "one", NULL, true, &one, &err), &err);
        ASSERT_OK(add(&test, "two", one.chain, true, &two, &err), &err);
        ASSERT_OK(image_hold_layer(test.store, one.chain, "other", &err), &err);
        ASSERT_OK(image_hold_layer(test.store, one.chain, "other", &err), &err);
        ASSERT_OK(image_release(test.store, "build", &err), &err);
        ASSERT_INT(test_count(&test, "snapshots"), 1);
        ASSERT_OK(image_release(test.store, "other", &err), &err);
        ASSERT_INT(test_count(&test, "snapshots"), 0);
        ASSERT_INT(test_count(&test, "blobs/sha256"), 0);
        ASSERT(image_hold_layer(test.store, one.chain, "other", &err) < 0);
        ASSERT_INT(err.kind, ERROR_NOT_FOUND);
}

TEST(an_image_keeps_layers) {
        const ImageUse nobody = {};
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_strv_ char **chains = NULL;
        _cleanup_free_ char *id = NULL;
        JsonArray removals = {};
        Made one;
        Error err = {};

        ASSERT_OK(add(&test, "one", NULL, true, &one, &err), &err);
        strv_add(&chains, one.chain);
        ASSERT_OK(make(&test, chains, &id, &err), &err);
        ASSERT_OK(image_release(test.store, "build", &err), &err);
        ASSERT_INT(test_count(&test, "snapshots"), 1);
        ASSERT_OK(image_remove(test.store, id, true, false, &nobody, &removals, &err), &err);
        for (size_t i = 0; i < removals.count; i++)
                json_done(&image_removal_table, (ImageRemoval *)removals.items + i);
        free(removals.items);
        ASSERT_INT(test_count(&test, "snapshots"), 0);
        ASSERT_INT(test_count(&test, "blobs/sha256"), 0);
}

/* ---- what is refused ---- */

TEST(wrong_layers_are_refused) {
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_strv_ char **chains = NULL;
        _cleanup_free_ char *id = NULL, *path = NULL;
        char missing[DIGEST_TEXT_MAX];
        Made one, two, never;
        Error err = {};

        digest_of("missing", 7, missing);
        ASSERT(add(&test, "one", missing, true, &never, &err) < 0);
        ASSERT_INT(err.kind, ERROR_NOT_FOUND);
        ASSERT(image_layer_path(test.store, missing, &path, &err) < 0);
        ASSERT_INT(err.kind, ERROR_NOT_FOUND);
        ASSERT_OK(add(&test, "one", NULL, true, &one, &err), &err);
        ASSERT_OK(add(&test, "two", one.chain, true, &two, &err), &err);
        strv_add(&chains, two.chain);
        ASSERT(make(&test, chains, &id, &err) < 0);
        ASSERT(strstr(err.message, "does not lie upon 'nothing'"));
        strv_add(&chains, missing);
        strv_drop(chains, two.chain);
        ASSERT(make(&test, chains, &id, &err) < 0);
        ASSERT_INT(err.kind, ERROR_NOT_FOUND);
        ASSERT_INT(test_count(&test, "blobs/sha256"), 0);
}

TEST(another_mount_is_refused) {
        char path[] = "/dev/shm/brig-make-XXXXXX";
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_close_ int fd = -1;
        LayerAdd add = { .name = "made", .epoch = -1, .durable = true };
        Made made;
        Error err = {};

        ASSERT(mkdtemp(path) && dir_open_at(AT_FDCWD, path, 0, &fd, &err) == 0);
        ASSERT_OK(dir_make_at(fd, "made/fs/etc", 0755, &err), &err);
        add.from_fd = fd;
        ASSERT(image_layer_add(test.store, &add, made.diff, made.chain, &made.size, &err) < 0);
        (void)dir_remove_at(AT_FDCWD, path, NULL);
        ASSERT(strstr(err.message, "must be made on the image store's own mount"));
        ASSERT_INT(test_count(&test, "snapshots"), 0);
}

static bool always(void *data) {
        return data != NULL;
}

TEST(it_can_be_cancelled) {
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_close_ int tmp_fd = openat(test.fd, "tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        const LayerAdd add = {
                .from_fd = tmp_fd, .name = "made", .cancelled = always, .data = &test
        };
        Made made;
        Error err = {};

        make_directory(&test, "made", "one");
        ASSERT_INT(image_layer_add(test.store, &add, made.diff, made.chain, &made.size, &err),
                   -ECANCELED);
        ASSERT_INT(test_count(&test, "tmp"), 1); /* the caller's directory is still there */
}

/* ---- when the daemon dies ---- */

/* Opens the store as if the daemon that had it were dead. */
static int open_after_death(TestStore *test, Error *err) {
        _cleanup_free_ char *helper = helper_path();
        ImageStore *dead = test->store;
        int r = image_store_open(test->fd, helper, &test->store, err);

        (void)image_store_free(dead);
        return r;
}

TEST(what_is_not_durable_goes) {
        _cleanup_(test_store_done) TestStore test = test_store();
        Made one, two;
        Error err = {};

        ASSERT_OK(add(&test, "one", NULL, true, &one, &err), &err);
        ASSERT_OK(add(&test, "two", one.chain, false, &two, &err), &err);
        ASSERT_OK(open_after_death(&test, &err), &err);
        ASSERT_INT(test_count(&test, "snapshots"), 1);
}

TEST(a_durable_layer_makes_its_parents_durable) {
        _cleanup_(test_store_done) TestStore test = test_store();
        Made one, two, again;
        Error err = {};

        ASSERT_OK(add(&test, "one", NULL, false, &one, &err), &err);
        ASSERT_OK(add(&test, "two", one.chain, true, &two, &err), &err);
        ASSERT_OK(open_after_death(&test, &err), &err);
        ASSERT_INT(test_count(&test, "snapshots"), 2);
        /* So does one that was there already. */
        ASSERT_OK(add(&test, "three", one.chain, false, &two, &err), &err);
        ASSERT_OK(add(&test, "three", one.chain, true, &again, &err), &err);
        ASSERT_OK(open_after_death(&test, &err), &err);
        ASSERT_INT(test_count(&test, "snapshots"), 3);
}

TEST(an_image_makes_its_layers_durable) {
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_strv_ char **chains = NULL;
        _cleanup_free_ char *id = NULL;
        Made one;
        Error err = {};

        ASSERT_OK(add(&test, "one", NULL, false, &one, &err), &err);
        strv_add(&chains, one.chain);
        ASSERT_OK(make(&test, chains, &id, &err), &err);
        ASSERT_OK(open_after_death(&test, &err), &err);
        ASSERT_INT(test_count(&test, "snapshots"), 1);
}

TEST(closing_the_store_makes_layers_durable) {
        _cleanup_(test_store_done) TestStore test = test_store();
        Made one;
        Error err = {};

        ASSERT_OK(add(&test, "one", NULL, false, &one, &err), &err);
        ASSERT_OK(test_store_reopen(&test, &err), &err);
        ASSERT_INT(test_count(&test, "snapshots"), 1);
}

TEST_MAIN()
