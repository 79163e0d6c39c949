/* layout-test.c: an OCI layout in a directory: which of its entries a tag means, what an image of
 * it is, its layers in the store and out of it again; and layouts that lie. */
#include "image/layout-write.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/test.h"
#include "image/test-store.h"

#define HEX "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define HEX2 "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
#define OCI_NAME "org.opencontainers.image.ref.name"
#define CONTAINERD_NAME "io.containerd.image.name"

/* ---- tags ---- */

/* An entry of that digest with those annotations, without their braces. */
#define ENTRY(hex, annotations)                                                                    \
        "{\"mediaType\":\"" MEDIA_OCI_MANIFEST "\",\"digest\":\"sha256:" hex                       \
        "\",\"size\":3,\"annotations\":{" annotations "}}"
#define NAMED(hex, name) ENTRY(hex, "\"" OCI_NAME "\":\"" name "\"")

/* "1", "2": the entry; "other": the one that there is; "": none. */
static const char *meant(const char *entries, const char *tag, char **ret_tags) {
        _cleanup_free_ char *text = str_format("{\"schemaVersion\":2,\"manifests\":[%s]}", entries);
        _cleanup_(image_index_done) ImageIndex index = {};
        const Descriptor *found;
        Error err = {};
        bool other;

        if (json_parse(&image_index_table, text, strlen(text), &index, &err) < 0)
                abort();
        found = layout_find_tag(&index, tag, &other);
        if (ret_tags)
                *ret_tags = layout_list_tags(&index);
        return !found ? "" : other ? "other" : str_equal(found->digest, "sha256:" HEX) ? "1" : "2";
}

TEST(the_entry_of_a_tag) {
        static const struct {
                const char *entries, *tag, *meant;
        } cases[] = {
                { NAMED(HEX, "v1") "," NAMED(HEX2, "v2"), "v2", "2" },
                { NAMED(HEX, "v1") "," NAMED(HEX2, "v1"), "v1", "1" },
                { NAMED(HEX, "v1") "," NAMED(HEX2, "v2"), "v3", "" },
                { NAMED(HEX, "v1"), "v3", "other" },
                { ENTRY(HEX, ""), "latest", "other" },
                { "", "latest", "" },
                /* What podman writes, and what `docker save` does. */
                { NAMED(HEX, "docker.io/library/a:v1") "," NAMED(HEX2, "h:5000/a:v2"), "v2", "2" },
                { NAMED(HEX, "h:5000/a") "," NAMED(HEX2, "b"), "5000/a", "" },
                { NAMED(HEX, "x") "," ENTRY(HEX2, "\"" CONTAINERD_NAME "\":\"docker.io/library/"
                                                  "a:v2\""),
                  "v2", "2" },
                /* As it is goes before a part of it. */
                { NAMED(HEX, "a:v1") "," NAMED(HEX2, "v1"), "v1", "2" },
        };
        _cleanup_free_ char *tags = NULL, *first = NULL;
        _cleanup_buf_ Buf many = {};

        for (size_t i = 0; i < ELEMENTS(cases); i++)
                ASSERT_STR(meant(cases[i].entries, cases[i].tag, NULL), cases[i].meant);
        (void)meant(NAMED(HEX, "v1") "," NAMED(HEX2, "\\u001b[2J") "," NAMED(
                            HEX, "h:1/a:v2") "," NAMED(HEX, "v1"),
                    "x", &tags);
        ASSERT_STR(tags, "v1, v2");
        for (int i = 0; i < 12; i++)
                buf_format(&many,
                           "%s{\"digest\":\"sha256:" HEX "\",\"size\":3,\"annotations\":{"
                           "\"" OCI_NAME "\":\"v%d\"}}",
                           i > 0 ? "," : "", i);
        ASSERT_STR(meant(many.data, "x", &first), "");
        ASSERT_STR(first, "v0, v1, v2, v3, v4, v5, v6, v7, v8, v9, …");
}

/* ---- a layout ---- */

typedef struct TestLayout {
        char path[40];
        int fd, blobs_fd;
        char manifest[DIGEST_TEXT_MAX];
} TestLayout;

static void put(int dir_fd, const char *name, const char *data, size_t length) {
        Error err = {};

        if (file_replace_at(dir_fd, name, data, length, 0644, false, &err) < 0)
                abort();
}

/* A document as a blob, and its descriptor, with more members. The caller's. */
static char *put_document(TestLayout *layout, const char *type, const char *text, const char *more,
                          char digest[DIGEST_TEXT_MAX]) {
        digest_of(text, strlen(text), digest);
        put(layout->blobs_fd, digest_hex(digest), text, strlen(text));
        return str_format("{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%zu%s}", type, digest,
                          strlen(text), more);
}

static char *put_manifest(TestLayout *layout, const TestImage *image, const char *more) {
        _cleanup_buf_ Buf layers = {};
        _cleanup_free_ char *config = NULL, *text = NULL;
        char digest[DIGEST_TEXT_MAX];

        for (size_t i = 0; i < 2; i++) {
                put(layout->blobs_fd, digest_hex(image->diffs[i]), image->layers[i].data,
                    image->layers[i].length);
                buf_format(&layers, "%s{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%zu}",
                           i > 0 ? "," : "", MEDIA_OCI_LAYER, image->diffs[i],
                           image->layers[i].length);
        }
        config = put_document(layout, MEDIA_OCI_CONFIG, image->config.data, "", digest);
        text = str_format("{\"schemaVersion\":2,\"config\":%s,\"layers\":[%s]}", config,
                          layers.data);
        return put_document(layout, MEDIA_OCI_MANIFEST, text, more, layout->manifest);
}

static void put_index(TestLayout *layout, const char *entries) {
        _cleanup_free_ char *text = str_format("{\"schemaVersion\":2,\"manifests\":[%s]}", entries);

        put(layout->fd, "index.json", text, strlen(text));
}

/* Of one image, tagged v1. */
static TestLayout test_layout(const TestImage *image) {
        TestLayout layout = { .path = "/tmp/brig-layout-XXXXXX", .fd = -1, .blobs_fd = -1 };
        _cleanup_free_ char *entry = NULL;
        Error err = {};

        if (!mkdtemp(layout.path) ||
            dir_open_at(AT_FDCWD, layout.path, 0700, &layout.fd, &err) < 0 ||
            dir_open_at(layout.fd, "blobs/sha256", 0755, &layout.blobs_fd, &err) < 0)
                abort();
        entry = put_manifest(&layout, image, ",\"annotations\":{\"" OCI_NAME "\":\"v1\"}");
        put_index(&layout, entry);
        return layout;
}

static void test_layout_done(TestLayout *layout) {
        close_fd(&layout->blobs_fd);
        close_fd(&layout->fd);
        (void)dir_remove_at(AT_FDCWD, layout->path, NULL);
}

static ImageLayout place(const TestLayout *layout, const char *tag, const char *digest) {
        return (ImageLayout){ .dir_fd = layout->fd, .path = "dir", .tag = tag, .digest = digest };
}

static void remote_donep(ImageRemote *remote) {
        image_remote_done(remote);
}

/* ---- an image of it ---- */

TEST(an_image_is_told_of_and_brought_and_leaves_with_its_holder) {
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_(test_image_done) TestImage image = test_image("one");
        _cleanup_(test_layout_done) TestLayout layout = test_layout(&image);
        _cleanup_(remote_donep) ImageRemote remote = {};
        const ImageLayout by_tag = place(&layout, "v1", NULL);
        const ImageLayout by_digest = place(&layout, NULL, layout.manifest);
        _cleanup_free_ char *path = NULL;
        Image *images = NULL;
        size_t count = 1;
        Error err = {};

        ASSERT_INT(image_layout_find(test.store, &by_tag, NULL, &remote, &err), 0);
        ASSERT_STR(remote.digest, layout.manifest);
        ASSERT_STR(remote.id, image.id);
        ASSERT_STR(remote.config.config.cmd[0], "one");
        ASSERT_INT(strv_length(remote.chain_ids), 2);
        ASSERT_INT(test_count(&test, "blobs/sha256"), 0); /* nothing is fetched for that */

        ASSERT_OK(image_layout_bring(test.store, &by_digest, "me", NULL, NULL, &err), &err);
        ASSERT_INT(test_count(&test, "snapshots"), 2);
        ASSERT_OK(image_layer_path(test.store, remote.chain_ids[1], &path, &err), &err);
        ASSERT_OK(image_list(test.store, &images, &count, &err), &err);
        ASSERT_INT(count, 0);
        free(images);
        /* What is there is not looked at again. */
        ASSERT_INT(unlinkat(layout.blobs_fd, digest_hex(image.diffs[0]), 0), 0);
        ASSERT_OK(image_layout_bring(test.store, &by_digest, "other", NULL, NULL, &err), &err);
        ASSERT_OK(image_release(test.store, "me", &err), &err);
        ASSERT_INT(test_count(&test, "snapshots"), 2);
        ASSERT_OK(image_release(test.store, "other", &err), &err);
        ASSERT_INT(test_count(&test, "snapshots"), 0);
        ASSERT_INT(test_count(&test, "blobs/sha256"), 0);
        ASSERT_INT(test_count(&test, "tmp"), 0);
}

TEST(a_platform_of_an_index_and_the_one_image_of_another_tag) {
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_(test_image_done) TestImage image = test_image("one"), other = test_image("two");
        _cleanup_(test_layout_done) TestLayout layout = test_layout(&image);
        const ImageLayout latest = place(&layout, NULL, NULL), v2 = place(&layout, "v2", NULL);
        _cleanup_free_ char *host = NULL, *foreign = NULL, *text = NULL, *entry = NULL,
                            *outer = NULL;
        ImageRemote remote = {};
        char digest[DIGEST_TEXT_MAX];
        Error err = {};

        ASSERT_INT(image_layout_find(test.store, &v2, NULL, &remote, &err), IMAGE_LAYOUT_OTHER);
        image_remote_done(&remote);
        host = put_manifest(&layout, &image,
                            ",\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"}");
        foreign = put_manifest(&layout, &other,
                               ",\"platform\":{\"os\":\"linux\",\"architecture\":\"s390x\"}");
        text = str_format("{\"schemaVersion\":2,\"manifests\":[%s,%s]}", host, foreign);
        entry = put_document(&layout, MEDIA_OCI_INDEX, text, "", digest);
        put_index(&layout, entry);
        ASSERT_INT(image_layout_find(test.store, &latest, "linux/s390x", &remote, &err),
                   IMAGE_LAYOUT_OTHER);
        ASSERT_STR(remote.id, other.id);
        ASSERT_STR(remote.digest, layout.manifest); /* not the index's */
        image_remote_done(&remote);
        ASSERT(image_layout_find(test.store, &latest, "linux/riscv64", &remote, &err) < 0);
        ASSERT_INT(err.kind, ERROR_NOT_FOUND);
        ASSERT(strstr(err.message, "the OCI layout 'dir' has no image for linux/riscv64"));
        /* An index in an index. */
        free(text);
        text = str_format("{\"schemaVersion\":2,\"manifests\":[%s]}", entry);
        outer = put_document(&layout, MEDIA_OCI_INDEX, text, "", digest);
        put_index(&layout, outer);
        ASSERT(image_layout_find(test.store, &latest, NULL, &remote, &err) < 0);
        ASSERT(strstr(err.message, "the OCI layout 'dir' has an index in an index"));
}

/* ---- what lies ---- */

static int find(TestStore *test, TestLayout *layout, const char *digest, Error *err) {
        const ImageLayout image = place(layout, "v1", digest);
        ImageRemote remote = {};
        int r = image_layout_find(test->store, &image, NULL, &remote, err);

        image_remote_done(&remote);
        return r;
}

TEST(documents_that_are_damaged_missing_or_elsewhere) {
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_(test_image_done) TestImage image = test_image("one");
        _cleanup_(test_layout_done) TestLayout layout = test_layout(&image);
        const char *config = digest_hex(image.id), *manifest = digest_hex(layout.manifest);
        Error err = {};

        ASSERT(find(&test, &layout, "sha256:" HEX, &err) == -ENOENT);
        ASSERT(strstr(err.message, "open '" HEX "' of the OCI layout 'dir'"));
        ASSERT(find(&test, &layout, "md5:1", &err) < 0);
        ASSERT(strstr(err.message, "'md5:1', which is no sha256 digest"));
        put(layout.blobs_fd, config, "{}", 2);
        ASSERT(find(&test, &layout, NULL, &err) < 0);
        ASSERT(strstr(err.message, "the OCI layout 'dir' has sha256:"));
        ASSERT(unlinkat(layout.blobs_fd, config, 0) == 0);
        ASSERT(symlinkat("/etc/passwd", layout.blobs_fd, config) == 0);
        ASSERT(find(&test, &layout, NULL, &err) < 0);
        ASSERT(strstr(err.message, "' of the OCI layout 'dir' is a symbolic link, which is not "
                                   "followed"));
        ASSERT(unlinkat(layout.blobs_fd, config, 0) == 0);
        ASSERT(mkfifoat(layout.blobs_fd, config, 0600) == 0); /* nobody waits for it */
        ASSERT(find(&test, &layout, NULL, &err) < 0);
        ASSERT(strstr(err.message, "is no regular file"));
        put(layout.blobs_fd, manifest, "x", 1);
        _cleanup_close_ int fd = openat(layout.blobs_fd, manifest, O_WRONLY | O_CLOEXEC);
        ASSERT(ftruncate(fd, (off_t)1 << 40) == 0);
        ASSERT(find(&test, &layout, NULL, &err) < 0);
        ASSERT(strstr(err.message, "larger than the 4 MiB that a document may have"));
        ASSERT(renameat(layout.fd, "blobs", layout.fd, "moved") == 0);
        ASSERT(symlinkat("moved", layout.fd, "blobs") == 0);
        ASSERT(find(&test, &layout, NULL, &err) < 0);
        ASSERT(strstr(err.message, "'blobs' of the OCI layout 'dir' is no directory, or a "
                                   "symbolic link, which is not followed"));
        ASSERT(unlinkat(layout.fd, "index.json", 0) == 0);
        ASSERT(find(&test, &layout, NULL, &err) < 0);
        ASSERT(strstr(err.message, "the OCI layout 'dir' has no index.json: it is no OCI layout"));
        put(layout.fd, "index.json", "{\"manifests\":3}", 15);
        ASSERT(find(&test, &layout, NULL, &err) < 0);
        ASSERT(strstr(err.message, "'index.json' of the OCI layout 'dir': "));
        put_index(&layout, "");
        ASSERT(find(&test, &layout, NULL, &err) < 0);
        ASSERT(strstr(err.message, "the OCI layout 'dir' has no image"));
        put_index(&layout, NAMED(HEX, "v2") "," NAMED(HEX2, "v3"));
        ASSERT(find(&test, &layout, NULL, &err) < 0);
        ASSERT(strstr(err.message, "has no tag 'v1', and 2 images of the tags v2, v3: give "
                                   "PATH:TAG or PATH@DIGEST"));
}

static int bring(TestStore *test, TestLayout *layout, Error *err) {
        const ImageLayout image = place(layout, "v1", NULL);

        return image_layout_bring(test->store, &image, "me", NULL, NULL, err);
}

TEST(layers_that_are_damaged_or_of_any_size) {
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_(test_image_done) TestImage image = test_image("one");
        _cleanup_(test_layout_done) TestLayout layout = test_layout(&image);
        const char *top = digest_hex(image.diffs[1]);
        _cleanup_free_ char *damaged = alloc_zero(1, image.layers[1].length);
        _cleanup_free_ char *config = NULL, *text = NULL, *entry = NULL;
        char digest[DIGEST_TEXT_MAX];
        Error err = {};

        put(layout.blobs_fd, top, "short", 5);
        ASSERT(bring(&test, &layout, &err) < 0);
        ASSERT(strstr(err.message, "the OCI layout 'dir' has 5 bytes for layer sha256:"));
        put(layout.blobs_fd, top, damaged, image.layers[1].length);
        ASSERT(bring(&test, &layout, &err) < 0);
        ASSERT(strstr(err.message, "the OCI layout 'dir' has sha256:"));
        /* A file of holes that is as large as its manifest says: nothing of it is written. */
        config = str_format("{\"digest\":\"%s\",\"size\":%zu}", image.id, image.config.length);
        text = str_format("{\"schemaVersion\":2,\"config\":%s,\"layers\":[{\"digest\":\"%s\","
                          "\"size\":%zu},{\"digest\":\"sha256:" HEX "\",\"size\":%lld}]}",
                          config, image.diffs[0], image.layers[0].length, 1LL << 43);
        put(layout.blobs_fd, HEX, "", 0);
        _cleanup_close_ int fd = openat(layout.blobs_fd, HEX, O_WRONLY | O_CLOEXEC);
        ASSERT(ftruncate(fd, (off_t)1 << 43) == 0);
        entry = put_document(&layout, MEDIA_OCI_MANIFEST, text, "", digest);
        put_index(&layout, entry);
        ASSERT_INT(bring(&test, &layout, &err), -ENOSPC);
        ASSERT(strstr(err.message, "more than are free for images"));
        ASSERT_INT(test_count(&test, "tmp"), 0);
        ASSERT_OK(image_release(test.store, "me", &err), &err);
        ASSERT_INT(test_count(&test, "snapshots"), 0);
}

static int stop(void *data, const ImageProgress *progress) {
        str_replace((char **)data, progress->status);
        return -1;
}

TEST(who_is_gone_waits_for_no_layer) {
        _cleanup_(test_store_done) TestStore test = test_store();
        _cleanup_(test_image_done) TestImage image = test_image("one");
        _cleanup_(test_layout_done) TestLayout layout = test_layout(&image);
        const ImageLayout where = place(&layout, "v1", NULL);
        _cleanup_free_ char *status = NULL;
        Error err = {};

        ASSERT_INT(image_layout_bring(test.store, &where, "me", stop, &status, &err), -ECANCELED);
        ASSERT_STR(status, "Copying");
        ASSERT_INT(test_count(&test, "tmp"), 0);
}

/* ---- writing ---- */

typedef struct Swap {
        int dir_fd;
        atomic_bool stop;
} Swap;

static void *swap(void *data) {
        Swap *swap = data;

        while (!atomic_load(&swap->stop))
                (void)renameat2(swap->dir_fd, "made", swap->dir_fd, "another's", RENAME_EXCHANGE);
        return NULL;
}

TEST(a_directory_that_takes_a_new_ones_place_does_not_become_the_clients) {
        char path[] = "/tmp/brig-layout-XXXXXX";
        _cleanup_close_ int dir_fd = -1, others_fd = -1;
        LayoutWriter writer = { .layout.what = "the directory", .uid = 65534, .gid = 65534 };
        Swap swapping = {};
        pthread_t thread;
        struct stat others;
        Error err = {};

        ASSERT(mkdtemp(path));
        ASSERT_OK(dir_open_at(AT_FDCWD, path, 0700, &dir_fd, &err), &err);
        ASSERT_OK(dir_open_at(dir_fd, "another's", 0700, &others_fd, &err), &err);
        put(others_fd, "file", "x", 1);
        swapping.dir_fd = writer.layout.dir_fd = dir_fd;
        ASSERT_INT(pthread_create(&thread, NULL, swap, &swapping), 0);
        for (int i = 0; i < 10000; i++) {
                _cleanup_close_ UNUSED int fd = layout_make_below(&writer, dir_fd, "made", &err);

                while (unlinkat(dir_fd, "made", AT_REMOVEDIR) < 0 && errno == ENOTEMPTY)
                        ; /* until the swapping gives the empty one that name */
        }
        atomic_store(&swapping.stop, true);
        ASSERT_INT(pthread_join(thread, NULL), 0);
        ASSERT_INT(fstat(others_fd, &others), 0);
        ASSERT_INT(others.st_uid, getuid());
        ASSERT_OK(dir_remove_at(AT_FDCWD, path, &err), &err);
}

TEST(an_index_that_nobody_could_read_is_not_written) {
        char path[] = "/tmp/brig-layout-XXXXXX";
        _cleanup_close_ int dir_fd = -1;
        _cleanup_(image_index_done) ImageIndex entries = {}, there = {};
        _cleanup_free_ char *value = alloc_zero(DOCUMENT_MAX + 1, 1);
        LayoutWriter writer = { .layout.what = "the directory", .uid = -1 };
        Descriptor *entry;
        Error err = {};

        ASSERT(mkdtemp(path));
        ASSERT_OK(dir_open_at(AT_FDCWD, path, 0700, &dir_fd, &err), &err);
        writer.layout.dir_fd = dir_fd;
        entry = json_append(&entries.manifests, &descriptor_table);
        pairs_put(&entry->annotations, LAYOUT_REF_NAME, "first");
        ASSERT_OK(layout_put_entries(&writer, &entries, NULL, NULL, &err), &err);
        memset(value, 'a', DOCUMENT_MAX);
        pairs_put(&entry->annotations, LAYOUT_REF_NAME, "second");
        pairs_put(&entry->annotations, "note", value);
        ASSERT_INT(layout_put_entries(&writer, &entries, NULL, NULL, &err), -EINVAL);
        ASSERT(strstr(err.message, "nobody could read it"));
        ASSERT_OK(layout_read_index(&writer.layout, &there, &err), &err);
        ASSERT_INT(there.manifests.count, 1);
        ASSERT_OK(dir_remove_at(AT_FDCWD, path, &err), &err);
}

TEST_MAIN()
