/* index-digest-test.c: indexes that are known by their digests, with and without names; which
 * removal takes what of them, and what nobody removes while a build has use for it. */
#include <stdatomic.h>

#include "image/test-index.h"

TEST(an_index_without_a_name_is_known_by_its_digest) {
        _cleanup_(world_done) World world = {}; /* its ids get their place here, their text later */
        _cleanup_(image_done) Image image = {};
        _cleanup_strv_ char **dangling = NULL;
        _cleanup_free_ char *name = NULL, *prefix = NULL, *blob = NULL;
        char *const ids[] = { world.ids[0], world.ids[1],
                              NULL }; /* the registry's has another order */
        char digest[DIGEST_TEXT_MAX];
        Descriptor descriptor = {};
        Error err = {};

        world_init(&world);
        ASSERT_OK(pull(&world, "team/app:v1", NULL, &err), &err);
        ASSERT_OK(pull(&world, "team/app:v1", FOREIGN, &err), &err);
        ASSERT_OK(make_index_of(&world, ids, NULL, NULL, digest, &err), &err);
        ASSERT_OK(drop_name(&world, "team/app:v1", &err), &err);
        ASSERT_OK(test_store_reopen(&world.test, &err), &err);
        ASSERT_INT(blobs(&world), 8); /* all but the registry's index */
        ASSERT_OK(image_list_dangling_indexes(world.test.store, &dangling, &err), &err);
        ASSERT_STR(dangling[0], digest);
        ASSERT_OK(image_find(world.test.store, digest, &image, &err), &err);
        ASSERT_STR(image.id, world.ids[0]);
        ASSERT_STR(image.index, digest);
        image_done(&image);
        prefix = str_copy_n(digest_hex(digest), 12);
        ASSERT_OK(image_find_platform(world.test.store, prefix, FOREIGN, &image, &err), &err);
        ASSERT_STR(image.id, world.ids[1]);
        image_done(&image);
        ASSERT(image_find_platform(world.test.store, digest, "linux/s390x", &image, &err) ==
               -ENOENT);
        ASSERT_OK(image_index_descriptor(world.test.store, digest, &descriptor, &err), &err);
        ASSERT_STR(descriptor.media_type, INDEX_TYPE);
        ASSERT_STR(descriptor.digest, digest);
        json_done(&descriptor_table, &descriptor);
        /* A list of images asks for it each time: its file is not read again. */
        blob = str_format("blobs/sha256/%s", digest_hex(digest));
        ASSERT_INT(renameat(world.test.fd, blob, world.test.fd, "kept"), 0);
        ASSERT_OK(image_index_descriptor(world.test.store, digest, &descriptor, &err), &err);
        ASSERT_INT(renameat(world.test.fd, "kept", world.test.fd, blob), 0);
        ASSERT_STR(descriptor.digest, digest);
        ASSERT_STR(descriptor.media_type, INDEX_TYPE);
        ASSERT(descriptor.size > 100);
        json_done(&descriptor_table, &descriptor);
        /* A name that is given to it means all of it. */
        name = name_of(&world, "named:v1");
        ASSERT_OK(image_tag(world.test.store, digest, name, &err), &err);
        ASSERT_STR(id_of(&world, "named:v1", FOREIGN), world.ids[1]);
        ASSERT_OK(drop(&world, digest, &err), &err);
        ASSERT_STR(id_of(&world, "named:v1", NULL), "");
        ASSERT_INT(image_index_descriptor(world.test.store, digest, &descriptor, &err), -ENOENT);
        ASSERT_INT(blobs(&world), 0);
        ASSERT_INT(test_count(&world.test, "snapshots"), 0);
}

TEST(an_image_of_two_indexes_goes_with_the_last) {
        _cleanup_(world_done) World world = {}; /* its ids get their place here, their text later */
        char *const one[] = { world.ids[0], NULL }, *const both[] = { world.ids[0], world.ids[1],
                                                                      NULL };
        char *const names[] = { (char *)"made:v1", NULL };
        char first[DIGEST_TEXT_MAX], second[DIGEST_TEXT_MAX];
        Error err = {};

        world_init(&world);
        ASSERT_OK(pull(&world, "team/app:v1", NULL, &err), &err);
        ASSERT_OK(pull(&world, "team/app:v1", FOREIGN, &err), &err);
        ASSERT_OK(make_index_of(&world, one, NULL, names, first, &err), &err);
        ASSERT_OK(drop_name(&world, "team/app:v1", &err), &err);
        ASSERT_INT(blobs(&world), 5);
        ASSERT_OK(pull(&world, "team/app:v1", FOREIGN, &err), &err);
        ASSERT_OK(make_index_of(&world, both, NULL, names, second, &err), &err);
        ASSERT_OK(drop_name(&world, "team/app:v1", &err), &err);
        /* The first lost its name, and is there still, as an image that loses its name is. */
        ASSERT_OK(drop(&world, "made:v1", &err), &err);
        ASSERT_INT(blobs(&world), 5);
        ASSERT_OK(drop(&world, first, &err), &err);
        ASSERT_INT(blobs(&world), 0);
}

TEST(equal_images_have_an_entry_for_each_platform) {
        _cleanup_(world_done) World world = {}; /* its ids get their place here, their text later */
        _cleanup_(stored_index_done) StoredIndex index = {};
        char *const ids[] = { world.ids[0], world.ids[0], NULL };
        char *const platforms[] = { (char *)"linux/amd64", (char *)"linux/arm/v7", NULL };
        const Descriptor *entries;
        char digest[DIGEST_TEXT_MAX];
        Image image = {};
        Error err = {};

        world_init(&world);
        ASSERT_OK(pull(&world, "team/app:v1", NULL, &err), &err);
        ASSERT_OK(make_index_of(&world, ids, platforms, NULL, digest, &err), &err);
        {
                STORE_LOCKED(world.test.store);
                ASSERT_OK(index_load(world.test.store, digest, &index, &err), &err);
        }
        ASSERT_INT(index.document.index.manifests.count, 2);
        entries = index.document.index.manifests.items;
        ASSERT_STR(entries[0].digest, entries[1].digest);
        ASSERT_STR(entries[0].platform->architecture, "amd64");
        ASSERT_STR(entries[1].platform->architecture, "arm");
        ASSERT_STR(entries[1].platform->variant, "v7");
        ASSERT_OK(image_find_platform(world.test.store, digest, "linux/arm/v7", &image, &err),
                  &err);
        ASSERT_STR(image.id, world.ids[0]);
        image_done(&image);
        ASSERT_OK(drop_name(&world, "team/app:v1", &err), &err);
        ASSERT_OK(drop(&world, digest, &err), &err);
        ASSERT_INT(blobs(&world), 0);
}

TEST(what_is_leased_is_removed_by_nobody) {
        _cleanup_(world_done) World world = {}; /* its ids get their place here, their text later */
        char *const ids[] = { world.ids[0], NULL }, *const names[] = { (char *)"made:v1", NULL };
        const IndexMake make = { .ids = ids, .names = names, .lease = "a build" };
        char digest[DIGEST_TEXT_MAX];
        bool is_new = false;
        Image image = {};
        Error err = {};

        world_init(&world);
        ASSERT_OK(pull(&world, "team/app:v1", NULL, &err), &err);
        ASSERT_OK(image_index_make(world.test.store, &make, digest, &is_new, &err), &err);
        ASSERT(is_new);
        ASSERT_OK(drop_name(&world, "team/app:v1", &err), &err);
        ASSERT(drop(&world, digest, &err) < 0);
        ASSERT(strstr(err.message, "image is being used by a running build"));
        ASSERT_OK(drop(&world, "made:v1", &err), &err); /* the name goes, what it meant stays */
        ASSERT_OK(image_find(world.test.store, digest, &image, &err), &err);
        ASSERT_STR(image.id, world.ids[0]);
        image_done(&image);
        ASSERT_OK(image_release(world.test.store, "a build", &err), &err);
        ASSERT_OK(drop(&world, digest, &err), &err);
        ASSERT_INT(blobs(&world), 0);
}

TEST(one_index_takes_the_place_of_another) {
        _cleanup_(world_done) World world = {}; /* its ids get their place here, their text later */
        char *const one[] = { world.ids[0], NULL }, *const both[] = { world.ids[0], world.ids[1],
                                                                      NULL };
        char *const names[] = { (char *)"docker.io/library/made:v1", NULL };
        char first[DIGEST_TEXT_MAX], second[DIGEST_TEXT_MAX];
        Image image = {};
        Error err = {};

        world_init(&world);
        ASSERT_OK(pull(&world, "team/app:v1", NULL, &err), &err);
        ASSERT_OK(pull(&world, "team/app:v1", FOREIGN, &err), &err);
        ASSERT_OK(make_index_of(&world, one, NULL, names, first, &err), &err);
        ASSERT_OK(make_index_of(&world, both, NULL, NULL, second, &err), &err);
        /* Another build has use for it. */
        ASSERT_OK(lease_put(world.test.store, "another build", first, &err), &err);
        ASSERT_OK(image_index_replace(world.test.store, first, second, names, "a build", &err),
                  &err);
        ASSERT_OK(image_find(world.test.store, first, &image, &err), &err);
        image_done(&image);
        ASSERT_OK(image_release(world.test.store, "another build", &err), &err);
        ASSERT_OK(lease_put(world.test.store, "a build", first, &err), &err);
        ASSERT_OK(image_index_replace(world.test.store, first, second, names, "a build", &err),
                  &err);
        ASSERT(image_find(world.test.store, first, &image, &err) == -ENOENT);
        ASSERT(!blob_exists(world.test.store, first));
        ASSERT_OK(drop_name(&world, "team/app:v1", &err), &err);
        ASSERT_OK(image_find_platform(world.test.store, "made:v1", FOREIGN, &image, &err), &err);
        image_done(&image);
        ASSERT_OK(drop(&world, "made:v1", &err), &err);
        ASSERT_INT(blobs(&world), 0);
}

/* A digest of the repository goes with the last tag, and takes its index along. */
TEST(an_older_index_of_the_repository_goes_with_the_last_tag) {
        _cleanup_(world_done) World world = {}; /* its ids get their place here, their text later */
        Error err = {};

        world_init(&world);
        ASSERT_OK(pull(&world, "team/app:v1", NULL, &err), &err);
        ASSERT_OK(pull(&world, "team/app:v1", FOREIGN, &err), &err);
        test_registry_lock(&world.registry);
        free(world.index.text);
        world.index = document(make_index(&world, ",\"annotations\":{\"new\":\"1\"}"));
        test_registry_unlock(&world.registry);
        ASSERT_OK(pull(&world, "team/app:v1", NULL, &err), &err);
        ASSERT_OK(drop_name(&world, "team/app:v1", &err), &err);
        ASSERT_INT(blobs(&world), 0);
        ASSERT_INT(test_count(&world.test, "snapshots"), 0);
}

/* ---- against others ---- */

typedef struct Hunter {
        ImageStore *store;
        atomic_bool ended;
        size_t removed;
} Hunter;

/* As `image prune` does, without a pause. */
static void *remover_main(void *data) {
        Hunter *remover = data;

        while (!atomic_load(&remover->ended)) {
                Image *images = NULL;
                size_t count = 0;

                if (image_list(remover->store, &images, &count, NULL) < 0)
                        abort();
                for (size_t i = 0; i < count; i++) {
                        JsonArray removals = {};

                        if (!images[i].names && image_remove(remover->store, images[i].id, true,
                                                             false, NULL, &removals, NULL) == 0)
                                remover->removed++;
                        for (size_t k = 0; k < removals.count; k++)
                                json_done(&image_removal_table, (ImageRemoval *)removals.items + k);
                        free(removals.items);
                        image_done(&images[i]);
                }
                free(images);
        }
        return NULL;
}

/* What a build for one platform does, until its index is there. */
static int make_one(ImageStore *store, const Image *base, int round, Error *err) {
        _cleanup_free_ char *text = str_format("%d", round), *id = NULL;
        char *ids[2] = {}, digest[DIGEST_TEXT_MAX];
        const char *holder = "building:test";
        ImageConfig config = {};
        const ImageMake make = { .config = &config, .chains = base->chain_ids, .lease = holder };
        const IndexMake index = { .ids = ids, .lease = holder };
        Image found = {};
        bool is_new;
        int r;

        json_copy(&image_config_table, &base->config, &config);
        pairs_put(&config.config.labels, "round", text);
        r = image_make_as(store, &make, &id, err);
        ids[0] = id;
        if (r == 0)
                r = image_index_make(store, &index, digest, &is_new, err);
        if (r == 0)
                r = image_find(store, digest, &found, err);
        image_done(&found);
        json_done(&image_config_table, &config);
        if (image_release(store, holder, r == 0 ? err : NULL) < 0)
                return -EIO;
        return r;
}

TEST(an_index_is_made_while_others_remove_what_has_no_name) {
        _cleanup_(world_done) World world = {}; /* its ids get their place here, their text later */
        Hunter remover = {};
        Image base = {};
        pthread_t thread;
        Error err = {};
        int r = 0;

        world_init(&world);
        ASSERT_OK(pull(&world, "team/app:plain", NULL, &err), &err);
        ASSERT_OK(image_find(world.test.store, world.ids[0], &base, &err), &err);
        remover.store = world.test.store;
        ASSERT(pthread_create(&thread, NULL, remover_main, &remover) == 0);
        for (int i = 0; r == 0 && i < 50; i++)
                r = make_one(world.test.store, &base, i, &err);
        atomic_store(&remover.ended, true);
        (void)pthread_join(thread, NULL);
        image_done(&base);
        ASSERT_OK(r, &err);
        ASSERT(remover.removed > 0);
}

TEST_MAIN()
