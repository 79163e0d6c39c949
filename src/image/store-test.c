/* store-test.c: archives of every age into a store and out again; names, removal, holds; what a
 * killed daemon left; and archives that lie. */
#include "base/test-full.h"
#include "base/test-gate.h"
#include "image/store.h"
#include "image/test-store.h"

#define HEX "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

/* ---- load ---- */

TEST(loads_what_docker_20_saves) {
        static const int filters[] = { 0, ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_ZSTD };
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_(test_image_done) TestImage image = test_image("one");
        Error err = {};

        for (size_t i = 0; i < ELEMENTS(filters); i++) {
                _cleanup_buf_ Buf archive = test_docker_archive(
                        &image, "\"app:v1\",\"127.0.0.1:5000/app:v1\"", filters[i]);
                _cleanup_strv_ char **loaded = NULL;

                ASSERT_OK(test_load(&test, &archive, &loaded, &err), &err);
                ASSERT_INT(strv_length(loaded), 2);
                ASSERT_STR(loaded[0], "Loaded image: app:v1");
                ASSERT_STR(loaded[1], "Loaded image: 127.0.0.1:5000/app:v1");
        }
        ASSERT_INT(test_count(&test, "snapshots"), 2);
        ASSERT_INT(test_count(&test, "blobs/sha256"), 3);
        ASSERT_INT(test_count(&test, "tmp"), 0);
}

TEST(reads_an_image) {
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_(image_done) Image image = {};
        _cleanup_strv_ char **lowers = NULL;
        _cleanup_free_ char *word = NULL, *path = NULL;
        char id[DIGEST_TEXT_MAX];
        Error err = {};

        ASSERT_OK(test_load_word(&test, "one", "\"app:v1\"", id, &err), &err);
        ASSERT_OK(image_find(test.store, "app:v1", &image, &err), &err);
        ASSERT_STR(image.id, id);
        ASSERT_STR(image.names[0], "app:v1");
        ASSERT_STR(image.config.config.cmd[0], "one");
        ASSERT_INT(image.size, 5);
        ASSERT_OK(image_layers(test.store, &image, &lowers, &err), &err);
        ASSERT_INT(strv_length(lowers), 2);
        path = str_format("%s/etc/word", lowers[0]);
        ASSERT_OK(file_read_at(test.fd, path, 100, &word, NULL, &err), &err);
        ASSERT_STR(word, "one");
}

/* skopeo's docker-archive: <digest>.tar, and links to it. */
TEST(follows_links_in_an_archive) {
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_(test_image_done) TestImage image = test_image("linked");
        const TestEntry entries[] = {
                { .name = "x.tar",
                  .type = 'f',
                  .data = image.layers[0].data,
                  .length = image.layers[0].length },
                { .name = "y.tar",
                  .type = 'f',
                  .data = image.layers[1].data,
                  .length = image.layers[1].length },
                { "aa/layer.tar", 'l', "../x.tar" },
                { "bb/layer.tar", 'h', "y.tar" },
                { "loop", 'l', "loop" },
                { "c.json", 'f', image.config.data },
                { "manifest.json", 'f',
                  "[{\"Config\":\"c.json\",\"RepoTags\":null,\"Layers\":[\"aa/layer.tar\",\"bb/"
                  "layer.tar\"]}]" },
        };
        _cleanup_buf_ Buf archive = test_archive(entries, ELEMENTS(entries), 0);
        _cleanup_strv_ char **loaded = NULL;
        _cleanup_free_ char *line = str_format("Loaded image ID: %s", image.id);
        Error err = {};

        ASSERT_OK(test_load(&test, &archive, &loaded, &err), &err);
        ASSERT_STR(loaded[0], line);
}

static char *oci_manifest(const TestImage *image, const Buf *top, const char *top_type) {
        char digest[DIGEST_TEXT_MAX];

        digest_of(top->data, top->length, digest);
        return str_format("{\"schemaVersion\":2,\"config\":{\"mediaType\":\"application/"
                          "vnd.oci.image.config.v1+json\","
                          "\"digest\":\"%s\",\"size\":%zu},\"layers\":[{\"mediaType\":"
                          "\"application/vnd.oci.image.layer.v1.tar\","
                          "\"digest\":\"%s\",\"size\":%zu},{\"mediaType\":\"%s\",\"digest\":\"%s\","
                          "\"size\":%zu}]}",
                          image->id, image->config.length, image->diffs[0], image->layers[0].length,
                          top_type, digest, top->length);
}

/* An OCI layout; `claimed` is the digest under which the second layer stands (NULL: its own). */
static Buf oci_archive(const TestImage *image, const char *claimed) {
        const TestEntry top_entries[] = { { "etc/", 'd' },
                                          { "etc/word", 'f', "oci" },
                                          { "bin/.wh.tool", 'f', "" } };
        _cleanup_buf_ Buf top =
                test_archive(top_entries, ELEMENTS(top_entries), ARCHIVE_FILTER_ZSTD);
        _cleanup_free_ char *manifest = oci_manifest(image, &top,
                                                     "application/vnd.oci.image.layer.v1.tar+zstd"),
                            *index = NULL;
        char digests[2][DIGEST_TEXT_MAX], names[4][96];

        digest_of(manifest, strlen(manifest), digests[0]);
        digest_of(top.data, top.length, digests[1]);
        index = str_format("{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"application/"
                           "vnd.oci.image.manifest.v1+json\","
                           "\"digest\":\"%s\",\"size\":%zu,\"annotations\":{\"org.opencontainers."
                           "image.ref.name\":\"oci:v1\"}}]}",
                           digests[0], strlen(manifest));
        (void)snprintf(names[0], 96, "blobs/sha256/%s", digest_hex(image->id));
        (void)snprintf(names[1], 96, "blobs/sha256/%s", digest_hex(digests[0]));
        (void)snprintf(names[2], 96, "blobs/sha256/%s", digest_hex(image->diffs[0]));
        (void)snprintf(names[3], 96, "blobs/sha256/%s", digest_hex(claimed ? claimed : digests[1]));
        {
                const TestEntry entries[] = {
                        { "oci-layout", 'f', "{\"imageLayoutVersion\":\"1.0.0\"}" },
                        { "index.json", 'f', index },
                        { names[0], 'f', image->config.data },
                        { names[1], 'f', manifest },
                        { .name = names[2],
                          .type = 'f',
                          .data = image->layers[0].data,
                          .length = image->layers[0].length },
                        { .name = names[3], .type = 'f', .data = top.data, .length = top.length },
                };

                return test_archive(entries, ELEMENTS(entries), ARCHIVE_FILTER_GZIP);
        }
}

TEST(loads_an_oci_layout) {
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_(test_image_done) TestImage image = test_image("oci");
        _cleanup_buf_ Buf archive = oci_archive(&image, NULL);
        _cleanup_strv_ char **loaded = NULL;
        Error err = {};

        ASSERT_OK(test_load(&test, &archive, &loaded, &err), &err);
        ASSERT_STR(loaded[0], "Loaded image: oci:v1");
}

/* ---- archives that lie ---- */

static int load_entries(TestStore *test, const TestEntry *entries, size_t count, Error *err) {
        _cleanup_buf_ Buf archive = test_archive(entries, count, 0);
        _cleanup_strv_ char **loaded = NULL;

        return test_load(test, &archive, &loaded, err);
}

TEST(refuses_damaged_archives) {
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_(test_image_done) TestImage image = test_image("x"), other = test_image("y");
        _cleanup_buf_ Buf wrong = {};
        _cleanup_strv_ char **loaded = NULL;
        const char *one_layer = "[{\"Config\":\"c\",\"Layers\":[\"l\"]}]";
        Error err = {};

        ASSERT(load_entries(&test, (const TestEntry[]){ { "hello", 'f', "x" } }, 1, &err) < 0);
        ASSERT(strstr(err.message, "neither manifest.json nor index.json"));
        ASSERT(load_entries(&test, (const TestEntry[]){ { "manifest.json", 'f', one_layer } }, 1,
                            &err) < 0);
        ASSERT(strstr(err.message, "has no file 'c'"));
        ASSERT(load_entries(&test,
                            (const TestEntry[]){ { "c", 'f', image.config.data },
                                                 { "manifest.json", 'f', one_layer } },
                            2, &err) < 0);
        ASSERT(strstr(err.message, "names 2 layers, its manifest 1"));
        ASSERT(load_entries(&test, (const TestEntry[]){ { "repositories", 'f', "{}" } }, 1, &err) <
               0);
        ASSERT_INT(err.kind, ERROR_UNSUPPORTED);

        buf_clear(&image.layers[1]); /* well-formed, but another's */
        buf_add(&image.layers[1], other.layers[1].data, other.layers[1].length);
        wrong = test_docker_archive(&image, "\"app:v1\"", 0);
        ASSERT(test_load(&test, &wrong, &loaded, &err) < 0);
        ASSERT(strstr(err.message, "the image is damaged"));
        ASSERT_OK(test_store_reopen(&test, &err), &err);
        ASSERT_INT(test_count(&test, "blobs/sha256"), 0);
        ASSERT_INT(test_count(&test, "snapshots"), 0);
}

TEST(checks_the_digests_of_an_oci_layout) {
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_(test_image_done) TestImage image = test_image("oci");
        _cleanup_buf_ Buf archive = oci_archive(&image, "sha256:" HEX);
        _cleanup_strv_ char **loaded = NULL;
        Error err = {};

        ASSERT(test_load(&test, &archive, &loaded, &err) < 0);
        ASSERT_INT(err.kind, ERROR_INVALID);
}

TEST(refuses_no_archive) {
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_buf_ Buf text = {};
        _cleanup_strv_ char **loaded = NULL;
        Error err = {};

        buf_add_str(&text, "this is no tar archive");
        ASSERT(test_load(&test, &text, &loaded, &err) < 0);
        ASSERT_INT(err.kind, ERROR_INVALID);
        ASSERT_INT(test_count(&test, "tmp"), 0);
}

/* ---- save, import ---- */

TEST(saves_what_it_can_load) {
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_(test_store_done) TestStore other = test_store();
        char *refs[] = { (char *)"app:v1", NULL }, *all[] = { (char *)"app", NULL };
        _cleanup_close_ int first = memfd_create("saved", MFD_CLOEXEC);
        _cleanup_close_ int second = memfd_create("saved", MFD_CLOEXEC);
        _cleanup_strv_ char **loaded = NULL;
        _cleanup_buf_ Buf a = {};
        _cleanup_buf_ Buf b = {};
        char id[DIGEST_TEXT_MAX];
        Error err = {};

        ASSERT_OK(test_load_word(&test, "one", "\"app:v1\"", id, &err), &err);
        ASSERT_OK(image_save_as(test.store, &(ImageSave){ .refs = refs }, first, &err), &err);
        ASSERT_OK(image_save_as(test.store, &(ImageSave){ .refs = all }, second, &err), &err);
        ASSERT(lseek(first, 0, SEEK_SET) == 0 && lseek(second, 0, SEEK_SET) == 0);
        ASSERT(fd_read_all(first, 1 << 20, &a) == 0 && fd_read_all(second, 1 << 20, &b) == 0);
        ASSERT_INT(a.length, b.length);
        ASSERT(memcmp(a.data, b.data, a.length) == 0);
        ASSERT_OK(test_load(&other, &a, &loaded, &err), &err);
        ASSERT_STR(loaded[0], "Loaded image: app:v1");
        refs[0] = (char *)"nope";
        ASSERT(image_save_as(test.store, &(ImageSave){ .refs = refs }, first, &err) < 0);
        ASSERT_STR(err.message, "No such image: nope:latest");
}

TEST(imports_a_file_system) {
        static const TestEntry entries[] = { { "./", 'd' }, { "./hello", 'f', "hi" } };
        char *changes[] = { (char *)"CMD [\"/hello\"]", NULL };
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_buf_ Buf archive = test_archive(entries, ELEMENTS(entries), ARCHIVE_FILTER_XZ);
        _cleanup_(image_done) Image image = {};
        _cleanup_close_ int fd = test_archive_fd(&archive);
        _cleanup_free_ char *id = NULL;
        Error err = {};

        ASSERT_OK(image_import(test.store, fd, "base", "made here", changes, &id, &err), &err);
        ASSERT_OK(image_find(test.store, "base:latest", &image, &err), &err);
        ASSERT_STR(image.id, id);
        ASSERT_STR(image.config.config.cmd[0], "/hello");
        ASSERT_STR(image.config.comment, "made here");
        ASSERT_INT(image.config.history.count, 1);
}

/* ---- names ---- */

TEST(finds_by_name_and_id) {
        _cleanup_(test_store_done) TestStore test = test_store();
        char one[DIGEST_TEXT_MAX], two[DIGEST_TEXT_MAX], prefix[14];
        const char *refs[] = { "app:v1", "docker.io/library/app:v1", one, digest_hex(one), prefix,
                               "other" };
        Image *images = NULL;
        size_t count = 0;
        Error err = {};

        ASSERT_OK(test_load_word(&test, "one", "\"app:v1\"", one, &err), &err);
        ASSERT_OK(test_load_word(&test, "two", "\"two\"", two, &err), &err);
        ASSERT_OK(image_tag(test.store, "app:v1", "other", &err), &err);
        (void)snprintf(prefix, sizeof(prefix), "%.12s", digest_hex(one));
        for (size_t i = 0; i < ELEMENTS(refs); i++) {
                _cleanup_(image_done) Image image = {};

                ASSERT_OK(image_find(test.store, refs[i], &image, &err), &err);
                ASSERT_STR(image.id, one);
        }
        ASSERT_OK(image_list(test.store, &images, &count, &err), &err);
        for (size_t i = 0; i < count; i++)
                image_done(&images[i]);
        free(images);
        ASSERT_INT(count, 2);
        {
                Image image = {};

                ASSERT(image_find(test.store, "app", &image, &err) < 0);
                ASSERT_STR(err.message, "No such image: app:latest");
                ASSERT(image_find(test.store, "sha256:" HEX, &image, &err) < 0);
                ASSERT_STR(err.message, "No such image: sha256:" HEX);
                ASSERT(image_find(test.store, "Bad", &image, &err) < 0);
                ASSERT_INT(err.kind, ERROR_INVALID);
        }
        ASSERT(image_tag(test.store, "two", "x@sha256:" HEX, &err) < 0);
        ASSERT_STR(err.message, "refusing to create a tag with a digest reference");
}

TEST(a_tag_moves) {
        _cleanup_(test_store_done) TestStore test = test_store();
        char one[DIGEST_TEXT_MAX], two[DIGEST_TEXT_MAX];
        _cleanup_(image_done) Image image = {}, old = {};
        Error err = {};

        ASSERT_OK(test_load_word(&test, "one", "\"app:v1\"", one, &err), &err);
        ASSERT_OK(test_load_word(&test, "two", "\"app:v1\"", two, &err), &err);
        ASSERT_OK(image_find(test.store, "app:v1", &image, &err), &err);
        ASSERT_STR(image.id, two);
        ASSERT_OK(image_find(test.store, one, &old, &err), &err);
        ASSERT_INT(strv_length(old.names), 0);
}

/* ---- removal ---- */

typedef struct User {
        const char *container;
        bool running;
} User;

static char *container_of(void *data, const char *image_id, bool *running) {
        const User *user = data;

        (void)image_id;
        *running = user->running;
        return str_copy(user->container);
}

/* "-app:v1 !sha256:…": untagged and deleted, ids cut to 19 characters; or the error. */
static const char *remove_image(TestStore *test, const char *ref, bool force, User *user) {
        static char *text;
        const ImageUse use = { container_of, user };
        JsonArray removals = {};
        Error err = {};
        Buf buf = {};
        int r = image_remove(test->store, ref, force, false, user ? &use : NULL, &removals, &err);

        for (size_t i = 0; i < removals.count; i++) {
                ImageRemoval *removal = (ImageRemoval *)removals.items + i;

                buf_format(&buf, "%s%c%.19s", i ? " " : "", removal->untagged ? '-' : '!',
                           removal->untagged ? removal->untagged : removal->deleted);
                json_done(&image_removal_table, removal);
        }
        free(removals.items);
        free(text);
        text = buf_take(&buf);
        if (r < 0) {
                free(text);
                text = str_copy(err.message);
        }
        return text;
}

TEST(removes_by_name) {
        _cleanup_(test_store_done) TestStore test = test_store();
        char id[DIGEST_TEXT_MAX];
        const char *text;
        Error err = {};

        ASSERT_OK(test_load_word(&test, "one", "\"app:v1\",\"app:v2\"", id, &err), &err);
        ASSERT_STR(remove_image(&test, "app:v1", false, NULL), "-app:v1");
        ASSERT_STR(remove_image(&test, "app:v1", false, NULL), "No such image: app:v1");
        text = remove_image(&test, "app:v2", false, NULL);
        ASSERT(str_after(text, "-app:v2 !sha256:"));
        ASSERT_INT(test_count(&test, "snapshots"), 0);
        ASSERT_INT(test_count(&test, "blobs/sha256"), 0);
        ASSERT_INT(test_count(&test, "tmp"), 0);
}

TEST(a_removal_does_not_wait_for_the_disk) {
        _cleanup_(test_store_done) TestStore test = test_store();
        char one[DIGEST_TEXT_MAX], two[DIGEST_TEXT_MAX];
        Gate gate;
        Error err = {};

        ASSERT_INT(sem_init(&gate.closed, 0, 0) | sem_init(&gate.open, 0, 0), 0);
        ASSERT_OK(test_load_word(&test, "one", "\"one:v1\"", one, &err), &err);
        ASSERT_OK(test_load_word(&test, "two", "\"two:v1\"", two, &err), &err);
        image_removed_wait(test.store, 0);
        image_on_removed(test.store, gate_pass, &gate);
        ASSERT(str_after(remove_image(&test, "one:v1", false, NULL), "-one:v1 !sha256:"));
        ASSERT_INT(sem_wait(&gate.closed), 0); /* from here on nothing is removed */
        ASSERT(str_after(remove_image(&test, "two:v1", false, NULL), "-two:v1 !sha256:"));
        ASSERT_INT(test_count(&test, "snapshots"), 0);
        ASSERT_INT(test_count(&test, "blobs/sha256"), 0);
        ASSERT(test_count_now(&test, "tmp") > 0);
        image_removed_wait(test.store, 1);
        image_on_removed(test.store, NULL, NULL);
        ASSERT_INT(sem_post(&gate.open), 0);
        ASSERT_INT(test_count(&test, "tmp"), 0);
        (void)sem_destroy(&gate.closed);
        (void)sem_destroy(&gate.open);
}

static bool opens_and_clears(void *data) {
        TestStore *test = data;
        Error err = {};

        if (test_store_reopen(test, &err) < 0) {
                printf("# %s\n", err.message);
                (void)fflush(stdout);
                return false;
        }
        return test_count(test, "snapshots") == 2 && test_count(test, "blobs/sha256") == 3 &&
               str_after(remove_image(test, "kept", false, NULL), "-kept:latest !sha256:") &&
               test_count(test, "snapshots") == 0 && test_count(test, "blobs/sha256") == 0;
}

TEST(a_full_disk_does_not_keep_what_would_make_room) {
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_close_ int fd = -1;
        char id[DIGEST_TEXT_MAX];
        Error err = {};

        ASSERT_OK(test_load_word(&test, "kept", "\"kept\"", id, &err), &err);
        ASSERT_INT(test_count(&test, "blobs/sha256"), 3);
        test.store = image_store_free(test.store);
        ASSERT_OK(dir_open_at(test.fd, "snapshots/unknown/fs/deep", 0755, &fd, &err), &err);
        ASSERT_INT(symlinkat("nothing", test.fd, "blobs/sha256/unknown"), 0);
        ASSERT(test_on_full_disk(opens_and_clears, &test));
}

TEST(shared_layers_stay) {
        _cleanup_(test_store_done) TestStore test = test_store();
        char one[DIGEST_TEXT_MAX], two[DIGEST_TEXT_MAX];
        _cleanup_(image_done) Image image = {};
        _cleanup_strv_ char **lowers = NULL;
        Error err = {};

        ASSERT_OK(test_load_word(&test, "one", "\"one\"", one, &err), &err);
        ASSERT_OK(test_load_word(&test, "two", "\"two\"", two, &err), &err);
        ASSERT_INT(test_count(&test, "snapshots"), 3);
        ASSERT(str_after(remove_image(&test, "one", false, NULL), "-one:latest !sha256:"));
        ASSERT_INT(test_count(&test, "snapshots"), 2);
        ASSERT_OK(image_find(test.store, "two", &image, &err), &err);
        ASSERT_OK(image_layers(test.store, &image, &lowers, &err), &err);
}

TEST(conflicts_are_worded_as_docker_does) {
        _cleanup_(test_store_done) TestStore test = test_store();
        User stopped = { "0123456789abcdef", false }, running = { "0123456789abcdef", true };
        _cleanup_free_ char *expected = NULL;
        char id[DIGEST_TEXT_MAX];
        Error err = {};

        ASSERT_OK(test_load_word(&test, "one", "\"app:v1\"", id, &err), &err);
        expected = str_format("conflict: unable to remove repository reference \"app:v1\" (must "
                              "force) - container "
                              "0123456789ab is using its referenced image %.12s",
                              digest_hex(id));
        ASSERT_STR(remove_image(&test, "app:v1", false, &stopped), expected);
        free(expected);
        expected = str_format("conflict: unable to delete %.12s (must be forced) - image is being "
                              "used by stopped "
                              "container 0123456789ab",
                              digest_hex(id));
        ASSERT_STR(remove_image(&test, id, false, &stopped), expected);
        free(expected);
        expected = str_format("conflict: unable to delete %.12s (cannot be forced) - image is "
                              "being used by running "
                              "container 0123456789ab",
                              digest_hex(id));
        ASSERT_STR(remove_image(&test, id, true, &running), expected);
        ASSERT_OK(image_tag(test.store, "app:v1", "else:v1", &err), &err);
        free(expected);
        expected = str_format("conflict: unable to delete %.12s (must be forced) - image is "
                              "referenced in multiple "
                              "repositories",
                              digest_hex(id));
        ASSERT_STR(remove_image(&test, id, false, NULL), expected);
        ASSERT(str_after(remove_image(&test, id, true, NULL), "-app:v1 -else:v1 !sha256:"));
}

TEST(a_forced_name_goes_and_the_used_image_stays) {
        _cleanup_(test_store_done) TestStore test = test_store();
        User running = { "0123456789abcdef", true };
        _cleanup_(image_done) Image image = {};
        char id[DIGEST_TEXT_MAX];
        Error err = {};

        ASSERT_OK(test_load_word(&test, "one", "\"app:v1\"", id, &err), &err);
        ASSERT_STR(remove_image(&test, "app:v1", true, &running), "-app:v1");
        ASSERT_OK(image_find(test.store, id, &image, &err), &err);
}

TEST(an_archive_without_an_index_is_asked_for_its_variant) {
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_(test_image_done) TestImage image = test_image("one");
        _cleanup_(image_done) Image found = {};
        _cleanup_strv_ char **loaded = NULL;
        Error err = {};

        buf_clear(&image.config);
        buf_format(&image.config,
                   "{\"architecture\":\"arm\",\"variant\":\"v7\",\"os\":\"linux\",\"rootfs\":{"
                   "\"type\":"
                   "\"layers\",\"diff_ids\":[\"%s\",\"%s\"]}}",
                   image.diffs[0], image.diffs[1]);
        digest_of(image.config.data, image.config.length, image.id);
        _cleanup_buf_ Buf archive = test_docker_archive(&image, "\"app:v1\"", 0);
        _cleanup_close_ int fd = test_archive_fd(&archive), again = test_archive_fd(&archive);
        ASSERT_INT(image_load_platform(test.store, fd, "linux/arm/v6", NULL, NULL, &loaded, &err),
                   -ENOENT);
        ASSERT_OK(image_load_platform(test.store, again, "linux/arm/v7", NULL, NULL, &loaded, &err),
                  &err);
        ASSERT_INT(image_find_platform(test.store, "app:v1", "linux/arm/v6", &found, &err),
                   -ENOENT);
        ASSERT(strstr(err.message, "actual: linux/arm/v7"));
        ASSERT_OK(image_find_platform(test.store, "app:v1", "linux/arm/v7", &found, &err), &err);
}

/* Also where it is not known when it was used before. */
TEST(an_image_that_was_used_meanwhile_stays) {
        _cleanup_(test_store_done) TestStore test = test_store();
        ImageUse use = { .unused = true };
        char id[DIGEST_TEXT_MAX];
        JsonArray removals = {};
        Error err = {};

        ASSERT_OK(test_load_word(&test, "one", "\"app:v1\"", id, &err), &err);
        ASSERT_OK(image_used(test.store, id, &err), &err);
        ASSERT_INT(image_remove(test.store, id, false, false, &use, &removals, &err), -EEXIST);
        ASSERT(strstr(err.message, "was used meanwhile"));
        use.unused_since = INT64_MAX;
        ASSERT_OK(image_remove(test.store, "app:v1", false, false, &use, &removals, &err), &err);
        for (size_t i = 0; i < removals.count; i++)
                json_done(&image_removal_table, (ImageRemoval *)removals.items + i);
        free(removals.items);
}

TEST(holds_keep_layers) {
        _cleanup_(test_store_done) TestStore test = test_store();
        char id[DIGEST_TEXT_MAX];
        Error err = {};

        ASSERT_OK(test_load_word(&test, "one", "\"app:v1\"", id, &err), &err);
        ASSERT_OK(image_hold(test.store, id, "container", &err), &err);
        ASSERT_OK(image_hold(test.store, id, "container", &err), &err);
        ASSERT(str_after(remove_image(&test, id, true, NULL), "-app:v1 !sha256:"));
        ASSERT_INT(test_count(&test, "snapshots"), 2);
        ASSERT_OK(test_store_reopen(&test, &err), &err);
        ASSERT_INT(test_count(&test, "snapshots"), 2);
        ASSERT_OK(image_release(test.store, "container", &err), &err);
        ASSERT_OK(image_release(test.store, "container", &err), &err);
        ASSERT_INT(test_count(&test, "snapshots"), 0);
        ASSERT_INT(test_count(&test, "blobs/sha256"), 0);
}

/* ---- what a killed daemon left ---- */

TEST(leftovers_go) {
        _cleanup_(test_store_done) TestStore test = test_store();
        char id[DIGEST_TEXT_MAX];
        Error err = {};

        ASSERT_OK(test_load_word(&test, "one", "\"app:v1\"", id, &err), &err);
        ASSERT_OK(dir_make_at(test.fd, "tmp/snap-1/fs/etc", 0755, &err), &err);
        ASSERT_OK(dir_make_at(test.fd, "snapshots/" HEX "/fs/etc", 0755, &err), &err);
        ASSERT_OK(file_replace_at(test.fd, "blobs/sha256/" HEX, "half", 4, 0600, false, &err),
                  &err);
        ASSERT_OK(file_replace_at(test.fd, "tmp/blob-1", "half", 4, 0600, false, &err), &err);
        ASSERT_OK(test_store_reopen(&test, &err), &err);
        ASSERT_INT(test_count(&test, "tmp"), 0);
        ASSERT_INT(test_count(&test, "snapshots"), 2);
        ASSERT_INT(test_count(&test, "blobs/sha256"), 3);
}

TEST(a_lost_snapshot_is_unpacked_again) {
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_(image_done) Image image = {};
        _cleanup_strv_ char **lowers = NULL;
        _cleanup_free_ char *path = NULL, *word = NULL, *lost = NULL;
        char id[DIGEST_TEXT_MAX];
        Error err = {};

        ASSERT_OK(test_load_word(&test, "one", "\"app:v1\"", id, &err), &err);
        ASSERT_OK(image_find(test.store, "app:v1", &image, &err), &err);
        lost = str_format("snapshots/%s", digest_hex(image.chain_ids[1]));
        ASSERT_OK(dir_remove_at(test.fd, lost, &err), &err);
        ASSERT_OK(image_layers(test.store, &image, &lowers, &err), &err);
        path = str_format("%s/fs/etc/word", lost);
        ASSERT_OK(file_read_at(test.fd, path, 100, &word, NULL, &err), &err);
        ASSERT_STR(word, "one");
}

/* ---- check ---- */

typedef struct Findings {
        int count, repaired;
        int64_t size;
        char text[200]; /* kinds and problems of the first ones */
} Findings;

static int on_found(void *data, const CheckFinding *finding) {
        Findings *findings = data;
        const size_t length = strlen(findings->text);

        findings->count++;
        findings->repaired += finding->repaired;
        findings->size += finding->size;
        (void)snprintf(findings->text + length, sizeof(findings->text) - length, "%s: %s; ",
                       finding->kind, finding->problem);
        return 0;
}

static int on_progress(void *data, const char *step, int64_t current, int64_t total) {
        (void)data, (void)step, (void)current, (void)total;
        return 0;
}

static int look(const TestStore *test, bool repair, Findings *ret, Error *err) {
        const CheckSink sink = {
                .repair = repair, .found = on_found, .progress = on_progress, .data = ret
        };

        *ret = (Findings){};
        return image_check(test->store, &sink, true, err);
}

TEST(a_check_finds_what_nothing_names_and_leaves_what_a_job_has) {
        _cleanup_(test_store_done) TestStore test = test_store();
        char id[DIGEST_TEXT_MAX], digest[DIGEST_TEXT_MAX];
        Findings findings;
        Error err = {};

        ASSERT_OK(test_load_word(&test, "one", "\"app:v1\"", id, &err), &err);
        ASSERT_OK(look(&test, false, &findings, &err), &err);
        ASSERT_STR(findings.text, "");
        ASSERT_OK(blob_put(test.store, "stray", 5, digest, &err), &err);
        ASSERT_INT(mkdirat(test.store->snapshots_fd, HEX, 0700), 0);
        int file = openat(test.store->snapshots_fd, HEX "/file", O_CREAT | O_WRONLY, 0600);
        ASSERT_INT(write(file, "seven b", 7), 7);
        close_fd(&file);
        /* Both may be a job's that is about to record them. */
        ASSERT_OK(look(&test, true, &findings, &err), &err);
        ASSERT_INT(findings.count, 0);
        test.store->opened = clock_mark();
        PinSet pins = { .store = test.store };
        pins_add(&pins, digest);
        ASSERT_OK(look(&test, false, &findings, &err), &err);
        ASSERT_STR(findings.text, "layer-directory: no image, index or layer has it; ");
        pins_release(&pins);
        ASSERT_OK(look(&test, false, &findings, &err), &err);
        ASSERT_INT(findings.count, 2);
        ASSERT_INT(findings.size, 5 + 7);
        ASSERT_OK(look(&test, true, &findings, &err), &err);
        ASSERT_INT(findings.repaired, 2);
        ASSERT_OK(look(&test, true, &findings, &err), &err);
        ASSERT_INT(findings.count, 0);
        ASSERT(!blob_exists(test.store, digest));
        ASSERT_INT(test_count(&test, "snapshots"), 2);
}

TEST_MAIN()
