/* test-store.h: for the tests of this folder: a store in a directory of its own, with the
 * brig-image that was built beside the test; and image archives. Needs root, as layers do. */
#pragma once

#include <limits.h>

#include "base/test.h"
#include "format/digest.h"
#include "image/image.h"
#include "image/test-archive.h"

typedef struct TestStore {
        char path[40];
        int fd;
        ImageStore *store;
} TestStore;

__attribute__((constructor)) static void need_root(void) {
        if (geteuid() == 0)
                return;
        printf("1..0 # SKIP needs root\n");
        exit(0);
}

static inline char *helper_path(void) {
        char path[PATH_MAX] = "";
        ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

        if (n < 0)
                abort();
        return str_format("%.*s/brig-image", (int)(strrchr(path, '/') - path), path);
}

static inline int test_store_reopen(TestStore *test, Error *err) {
        _cleanup_free_ char *helper = helper_path();

        test->store = image_store_free(test->store);
        return image_store_open(test->fd, helper, &test->store, err);
}

static inline TestStore test_store(void) {
        TestStore test = { .path = "/tmp/brig-store-XXXXXX", .fd = -1 };
        Error err = {};

        if (!mkdtemp(test.path) || dir_open_at(AT_FDCWD, test.path, 0700, &test.fd, &err) < 0 ||
            test_store_reopen(&test, &err) < 0) {
                printf("# %s\n", err.message);
                abort();
        }
        return test;
}

static inline void test_store_done(TestStore *test) {
        (void)image_store_free(test->store);
        close_fd(&test->fd);
        (void)dir_remove_at(AT_FDCWD, test->path, NULL);
}

/* ---- one image of two layers, as parts ---- */
typedef struct TestImage {
        Buf layers[2]; /* plain tar */
        char diffs[2][DIGEST_TEXT_MAX];
        Buf config;
        char id[DIGEST_TEXT_MAX];
} TestImage;

/* word makes it differ from others; the first layer is the same in all. */
static inline TestImage test_image(const char *word) {
        const TestEntry base[] = { { "bin/", 'd' }, { "bin/tool", 'f', "#!", 0755 } };
        const TestEntry top[] = { { "etc/", 'd' },
                                  { "etc/word", 'f', word },
                                  { "bin/.wh.tool", 'f', "" } };
        TestImage image = {};

        image.layers[0] = test_archive(base, ELEMENTS(base), 0);
        image.layers[1] = test_archive(top, ELEMENTS(top), 0);
        for (size_t i = 0; i < 2; i++)
                digest_of(image.layers[i].data, image.layers[i].length, image.diffs[i]);
        buf_format(&image.config,
                   "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"Cmd\":[\"%s\"]},"
                   "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"%s\",\"%s\"]}}",
                   word, image.diffs[0], image.diffs[1]);
        digest_of(image.config.data, image.config.length, image.id);
        return image;
}

static inline void test_image_done(TestImage *image) {
        buf_done(&image->layers[0]);
        buf_done(&image->layers[1]);
        buf_done(&image->config);
}

/* As docker 20.10 saves it. */
static inline Buf test_docker_archive(const TestImage *image, const char *tags, int filter) {
        _cleanup_free_ char *config_name = str_format("%s.json", digest_hex(image->id));
        _cleanup_free_ char *manifest =
                str_format("[{\"Config\":\"%s\",\"RepoTags\":[%s],\"Layers\":[\"aa/"
                           "layer.tar\",\"bb/layer.tar\"]}]",
                           config_name, tags);
        const TestEntry entries[] = {
                { "aa/", 'd' },
                { .name = "aa/layer.tar",
                  .type = 'f',
                  .data = image->layers[0].data,
                  .length = image->layers[0].length },
                { "bb/", 'd' },
                { .name = "bb/layer.tar",
                  .type = 'f',
                  .data = image->layers[1].data,
                  .length = image->layers[1].length },
                { config_name, 'f', image->config.data },
                { "manifest.json", 'f', manifest },
        };

        return test_archive(entries, ELEMENTS(entries), filter);
}

static inline int test_load(TestStore *test, const Buf *archive, char ***loaded, Error *err) {
        _cleanup_close_ int fd = test_archive_fd(archive);

        return image_load(test->store, fd, NULL, NULL, loaded, err);
}

/* Loads an image made of word under tags ("\"a:b\""). */
static inline int test_load_word(TestStore *test, const char *word, const char *tags,
                                 char id[DIGEST_TEXT_MAX], Error *err) {
        _cleanup_(test_image_done) TestImage image = test_image(word);
        _cleanup_buf_ Buf archive = test_docker_archive(&image, tags, 0);
        _cleanup_strv_ char **loaded = NULL;

        memcpy(id, image.id, DIGEST_TEXT_MAX);
        return test_load(test, &archive, &loaded, err);
}

/* What lies there just now. */
static inline size_t test_count_now(const TestStore *test, const char *directory) {
        _cleanup_close_ int fd = openat(test->fd, directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(dup(fd));
        size_t count = 0;

        while (dir && readdir(dir))
                count++;
        return count < 2 ? 0 : count - 2;
}

static inline size_t test_count(const TestStore *test, const char *directory) {
        if (test->store && str_equal(directory, "tmp"))
                image_removed_wait(test->store, 0);
        return test_count_now(test, directory);
}
