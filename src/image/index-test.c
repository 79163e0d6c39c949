/* index-test.c: multi-platform indexes in the store: pulled from a registry of canned answers, one
 * platform after the other, made of images that are there, saved and loaded, and removed again. */
#include "image/test-index.h"

TEST(an_index_is_kept_whole_with_the_chosen_image) {
        _cleanup_(world_done) World world;
        _cleanup_(image_done) Image image = {};
        _cleanup_free_ char *digest = NULL;
        Error err = {};

        world_init(&world);
        ASSERT_OK(pull(&world, "team/app:v1", NULL, &err), &err);
        ASSERT_INT(blobs(&world), 5); /* index, manifest, configuration, two layers */
        ASSERT(blob_exists(world.test.store, world.index.digest));
        ASSERT_OK(image_find(world.test.store, world.ids[0], &image, &err), &err);
        digest = str_format("127.0.0.1:%d/team/app@%s", world.registry.port, world.index.digest);
        ASSERT_STR(image.digests[0], digest);
        ASSERT_INT(image.variant, false);
        ASSERT_STR(id_of(&world, "team/app:v1", FOREIGN), "");
        ASSERT_OK(test_store_reopen(&world.test, &err), &err);
        ASSERT_INT(blobs(&world), 5);
        ASSERT_OK(drop_name(&world, "team/app:v1", &err), &err);
        ASSERT_INT(blobs(&world), 0);
        ASSERT_INT(test_count(&world.test, "snapshots"), 0);
}

TEST(platforms_of_a_tag_are_here_together) {
        _cleanup_(world_done) World world;
        _cleanup_(image_done) Image image = {};
        Error err = {};

        world_init(&world);
        ASSERT_OK(pull(&world, "team/app:v1", FOREIGN, &err), &err);
        ASSERT_STR(id_of(&world, "team/app:v1", NULL), world.ids[1]); /* all that there is */
        ASSERT_OK(pull(&world, "team/app:v1", NULL, &err), &err);
        ASSERT_STR(id_of(&world, "team/app:v1", NULL), world.ids[0]);
        ASSERT_STR(id_of(&world, "team/app:v1", FOREIGN), world.ids[1]);
        ASSERT_STR(id_of(&world, "team/app:v1", "linux/s390x"), "");
        ASSERT_OK(pull(&world, "team/app:v1", FOREIGN, &err), &err); /* the host's stays first */
        ASSERT_STR(id_of(&world, "team/app:v1", NULL), world.ids[0]);
        ASSERT_OK(image_find(world.test.store, world.ids[1], &image, &err), &err);
        ASSERT_INT(strv_length(image.names), 1); /* both are called so */
        ASSERT(image.variant);
        ASSERT_INT(blobs(&world), 8); /* the lower layer is the same */
        ASSERT_OK(drop_name(&world, "team/app:v1", &err), &err);
        ASSERT_INT(blobs(&world), 0);
        ASSERT_INT(test_count(&world.test, "snapshots"), 0);
}

TEST(a_variant_is_removed_by_its_id_and_the_names_stay) {
        _cleanup_(world_done) World world;
        Error err = {};

        world_init(&world);
        ASSERT_OK(pull(&world, "team/app:v1", NULL, &err), &err);
        ASSERT_OK(pull(&world, "team/app:v1", FOREIGN, &err), &err);
        ASSERT_OK(drop(&world, world.ids[0], &err), &err);
        ASSERT_STR(id_of(&world, "team/app:v1", NULL), world.ids[1]);
        ASSERT_INT(blobs(&world), 5);
        ASSERT_OK(drop(&world, world.ids[1], &err), &err);
        ASSERT_STR(id_of(&world, "team/app:v1", NULL), "");
        ASSERT_INT(blobs(&world), 0);
}

TEST(a_tag_means_the_index_too) {
        _cleanup_(world_done) World world;
        _cleanup_free_ char *source = NULL, *target = NULL;
        Error err = {};

        world_init(&world);
        ASSERT_OK(pull(&world, "team/app:v1", NULL, &err), &err);
        ASSERT_OK(pull(&world, "team/app:v1", FOREIGN, &err), &err);
        source = name_of(&world, "team/app:v1");
        target = name_of(&world, "other:v2");
        ASSERT_OK(image_tag(world.test.store, source, target, &err), &err);
        ASSERT_OK(image_tag(world.test.store, source, source, &err), &err);
        ASSERT_OK(drop_name(&world, "team/app:v1", &err), &err);
        ASSERT_STR(id_of(&world, "other:v2", FOREIGN), world.ids[1]);
        ASSERT_INT(blobs(&world), 8);
        /* of an image alone, by its id, it means that alone */
        ASSERT_OK(image_tag(world.test.store, world.ids[1], target, &err), &err);
        ASSERT_STR(id_of(&world, "other:v2", NULL), world.ids[1]);
        ASSERT_OK(drop(&world, world.ids[0], &err), &err); /* nobody's any more */
        ASSERT_OK(drop_name(&world, "other:v2", &err), &err);
        ASSERT_INT(blobs(&world), 5); /* the index lost its name, and is known by its digest */
        ASSERT_OK(drop(&world, world.index.digest, &err), &err);
        ASSERT_INT(blobs(&world), 0);
}

TEST(another_index_under_the_tag_leaves_the_old_images_without_it) {
        _cleanup_(world_done) World world;
        _cleanup_free_ char *was = NULL;
        Error err = {};

        world_init(&world);
        ASSERT_OK(pull(&world, "team/app:v1", NULL, &err), &err);
        ASSERT_OK(pull(&world, "team/app:v1", FOREIGN, &err), &err);
        test_registry_lock(&world.registry);
        was = str_copy(world.index.text);
        free(world.index.text);
        world.index = document(make_index(&world, ",\"annotations\":{\"new\":\"1\"}"));
        test_registry_unlock(&world.registry);
        ASSERT_OK(pull(&world, "team/app:v1", NULL, &err), &err);
        ASSERT_STR(id_of(&world, "team/app:v1", NULL), world.ids[0]);
        ASSERT_STR(id_of(&world, "team/app:v1", FOREIGN), ""); /* the new one's was not pulled */
        ASSERT_INT(blobs(&world), 9);
        ASSERT_OK(pull(&world, "team/app:v1", FOREIGN, &err), &err);
        ASSERT_STR(id_of(&world, "team/app:v1", FOREIGN), world.ids[1]);
        ASSERT_OK(drop_name(&world, "team/app:v1", &err), &err);
        ASSERT_INT(blobs(&world), 0);
}

/* What the registry lists, until the next call. */
static void list_tags(World *world, const char *tags) {
        test_registry_lock(&world->registry);
        world->tags = tags;
        test_registry_unlock(&world->registry);
}

TEST(every_tag_page_by_page) {
        _cleanup_(world_done) World world;
        _cleanup_free_ char *repository = NULL, *tagged = NULL;
        _cleanup_buf_ Buf many = {};
        Error err = {};

        world_init(&world);
        repository = name_of(&world, "team/app");
        tagged = name_of(&world, "team/app:v1");
        ASSERT_OK(image_pull_tags(world.test.store, repository, NULL, NULL, NULL, NULL, NULL, &err),
                  &err);
        ASSERT_STR(id_of(&world, "team/app:plain", NULL), world.ids[0]);
        ASSERT_STR(id_of(&world, "team/app:both", NULL), world.ids[0]);
        ASSERT_STR(id_of(&world, "team/app:v1", NULL), world.ids[0]);
        ASSERT(image_pull_tags(world.test.store, tagged, NULL, NULL, NULL, NULL, NULL, &err) < 0);
        list_tags(&world, "{\"tags\":\"v1\"}");
        ASSERT(image_pull_tags(world.test.store, repository, NULL, NULL, NULL, NULL, NULL, &err) <
               0);
        ASSERT(strstr(err.message, "is no array"));
        buf_add_str(&many, "{\"tags\":[\"0\"");
        for (int i = 1; i <= 50000; i++)
                buf_format(&many, ",\"%d\"", i);
        buf_add_str(&many, "]}");
        list_tags(&world, many.data);
        ASSERT(image_pull_tags(world.test.store, repository, NULL, NULL, NULL, NULL, NULL, &err) <
               0);
        ASSERT(strstr(err.message, "has more than 50000 tags"));
        list_tags(&world, NULL);
        ASSERT_OK(drop_name(&world, "team/app:plain", &err), &err);
        ASSERT_OK(drop_name(&world, "team/app:both", &err), &err);
        ASSERT_OK(drop_name(&world, "team/app:v1", &err), &err);
        ASSERT_INT(blobs(&world), 0);
}

TEST(an_index_is_made_of_images_that_are_here) {
        _cleanup_(world_done) World world;
        char digest[DIGEST_TEXT_MAX];
        char *const names[] = { (char *)"made:v1", (char *)"made:latest", NULL };
        char *ids[3] = {};
        Error err = {};
        Image image = {};

        world_init(&world);
        ids[0] = world.ids[1];
        ids[1] = world.ids[0];
        ASSERT_OK(pull(&world, "team/app:v1", NULL, &err), &err);
        ASSERT(make_index_of(&world, ids, NULL, names, digest, &err) == -ENOENT);
        ASSERT_OK(pull(&world, "team/app:v1", FOREIGN, &err), &err);
        ASSERT_OK(make_index_of(&world, ids, NULL, names, digest, &err), &err);
        ASSERT(blob_exists(world.test.store, digest));
        ASSERT_OK(drop_name(&world, "team/app:v1", &err), &err);
        ASSERT_OK(test_store_reopen(&world.test, &err), &err);
        ASSERT_OK(image_find(world.test.store, "made:v1", &image, &err), &err);
        ASSERT_STR(image.id, world.ids[0]); /* the host's, though it is not the first */
        image_done(&image);
        ASSERT_OK(image_find_platform(world.test.store, "made", FOREIGN, &image, &err), &err);
        ASSERT_STR(image.id, world.ids[1]);
        image_done(&image);
        ASSERT_OK(drop(&world, "made:v1", &err), &err);
        ASSERT_OK(drop(&world, "made", &err), &err);
        ASSERT_INT(blobs(&world), 0);
}

static int save_and_load(World *world, TestStore *to, const char *rest, char ***loaded,
                         Error *err) {
        _cleanup_free_ char *name = name_of(world, rest);
        char *const refs[] = { name, NULL };
        _cleanup_close_ int fd = memfd_create("archive", MFD_CLOEXEC);
        int r = image_save(world->test.store, refs, fd, err);

        if (r < 0)
                return r;
        if (lseek(fd, 0, SEEK_SET) < 0)
                abort();
        return image_load(to->store, fd, NULL, NULL, loaded, err);
}

TEST(an_archive_carries_the_index_and_what_is_here_of_it) {
        _cleanup_(world_done) World world;
        _cleanup_(test_store_done) TestStore other = test_store();
        _cleanup_strv_ char **alone = NULL, **both = NULL;
        _cleanup_free_ char *name = NULL;
        Image image = {};
        Error err = {};

        world_init(&world);
        name = name_of(&world, "team/app:v1");
        ASSERT_OK(pull(&world, "team/app:v1", NULL, &err), &err);
        ASSERT_OK(save_and_load(&world, &other, "team/app:v1", &alone, &err), &err);
        ASSERT_INT(strv_length(alone), 1);
        ASSERT(!blob_exists(other.store, world.index.digest)); /* of one image no index is made */
        ASSERT_OK(pull(&world, "team/app:v1", FOREIGN, &err), &err);
        ASSERT_OK(save_and_load(&world, &other, "team/app:v1", &both, &err), &err);
        ASSERT_INT(strv_length(both), 1);
        ASSERT(str_ends(both[0], "/team/app:v1"));
        ASSERT(blob_exists(other.store, world.index.digest));
        ASSERT_OK(image_find(other.store, name, &image, &err), &err);
        ASSERT_STR(image.id, world.ids[0]);
        image_done(&image);
        ASSERT_OK(image_find_platform(other.store, name, FOREIGN, &image, &err), &err);
        ASSERT_STR(image.id, world.ids[1]);
        image_done(&image);
}

/* The index of an archive names the manifests that go along. */
TEST(an_archive_in_another_form_has_an_index_of_what_goes) {
        _cleanup_(world_done) World world;
        _cleanup_(test_store_done) TestStore other = test_store();
        _cleanup_(image_done) Image host = {}, foreign = {};
        _cleanup_close_ int fd = memfd_create("archive", MFD_CLOEXEC);
        _cleanup_free_ char *plain = NULL, *name = NULL;
        _cleanup_strv_ char **loaded = NULL;
        const ImageForm form = { .compression = LAYERS_GZIP };
        char *refs[] = { NULL, NULL, NULL };
        Error err = {};

        world_init(&world);
        refs[0] = plain = name_of(&world, "team/app:plain");
        refs[1] = name = name_of(&world, "team/app:v1");
        ASSERT_OK(pull(&world, "team/app:plain", NULL, &err), &err);
        ASSERT_OK(pull(&world, "team/app:v1", NULL, &err), &err);
        ASSERT_OK(pull(&world, "team/app:v1", FOREIGN, &err), &err);
        ASSERT_OK(image_save_as(world.test.store, &(ImageSave){ .refs = refs, .form = &form }, fd,
                                &err),
                  &err);
        ASSERT(lseek(fd, 0, SEEK_SET) == 0);
        ASSERT_OK(image_load(other.store, fd, NULL, NULL, &loaded, &err), &err);
        ASSERT_OK(image_find(other.store, name, &host, &err), &err);
        ASSERT_STR(host.id, world.ids[0]);
        ASSERT(!blob_exists(other.store, world.index.digest)); /* its manifests name plain layers */
        ASSERT(host.index != NULL);
        ASSERT_OK(image_find_platform(other.store, name, FOREIGN, &foreign, &err), &err);
        ASSERT_STR(foreign.id, world.ids[1]);
        ASSERT_STR(foreign.index, host.index);
}

static int saved_names(World *world, const char *ref, char *const *names, char ***loaded,
                       Error *err) {
        _cleanup_(test_store_done) TestStore other = test_store();
        _cleanup_close_ int fd = memfd_create("archive", MFD_CLOEXEC);
        char *const refs[] = { (char *)ref, NULL };
        int r = image_save_as(world->test.store, &(ImageSave){ .refs = refs, .names = names }, fd,
                              err);

        if (r < 0)
                return r;
        if (lseek(fd, 0, SEEK_SET) < 0)
                abort();
        return image_load(other.store, fd, NULL, NULL, loaded, err);
}

TEST(an_archive_has_the_names_that_it_was_given) {
        _cleanup_(world_done) World world;
        _cleanup_strv_ char **index = NULL, **image = NULL, **nameless = NULL;
        char *const names[] = { (char *)"docker.io/library/mine:1", NULL };
        Error err = {};

        world_init(&world);
        ASSERT_OK(pull(&world, "team/app:v1", NULL, &err), &err);
        ASSERT_OK(pull(&world, "team/app:v1", FOREIGN, &err), &err);
        ASSERT_OK(saved_names(&world, world.index.digest, names, &index, &err), &err);
        ASSERT_INT(strv_length(index), 1);
        ASSERT_STR(index[0], "Loaded image: mine:1");
        ASSERT_OK(saved_names(&world, world.ids[1], names, &image, &err), &err);
        ASSERT_STR(image[0], "Loaded image: mine:1");
        /* Of an index without a name an archive of both kinds has what it stands for. */
        ASSERT_OK(saved_names(&world, world.index.digest, NULL, &nameless, &err), &err);
        ASSERT(strstr(nameless[0], world.ids[0]));
}

TEST(a_list_is_pushed_to_a_tag) {
        _cleanup_(world_done) World world;
        _cleanup_free_ char *rest = NULL, *name = NULL;
        char digest[DIGEST_TEXT_MAX];
        Error err = {};

        world_init(&world);
        rest = str_format("team/app@%s", world.index.digest);
        name = name_of(&world, rest);
        ASSERT(image_manifest_push(
                       world.test.store, name,
                       &(ManifestPush){ .text = world.index.text, .media_type = INDEX_TYPE }, NULL,
                       NULL, digest, &err) < 0);
        ASSERT(strstr(err.message, "is pushed to a tag, not to a digest"));
}

TEST(a_store_without_its_last_transaction_has_nothing_of_it) {
        _cleanup_(world_done) World world;
        char digest[DIGEST_TEXT_MAX];
        Error err = {};

        world_init(&world);
        ASSERT_OK(pull(&world, "team/app:plain", NULL, &err), &err);
        ASSERT_INT(blobs(&world), 4);
        /* what a daemon leaves that dies between the document and the record */
        ASSERT_OK(blob_put(world.test.store, world.index.text, strlen(world.index.text), digest,
                           &err),
                  &err);
        ASSERT_OK(test_store_reopen(&world.test, &err), &err);
        ASSERT_INT(blobs(&world), 4);
        ASSERT_STR(id_of(&world, "team/app:plain", NULL), world.ids[0]);
}

TEST_MAIN()
