/* cache-test.c: results and layers; what is found after a daemon was killed or in a damaged file.
 */
#include "base/test-full.h"
#include "base/test-gate.h"
#include "build/cache-private.h"
#include "build/test-cache.h"

/* ---- results ---- */

TEST(finds_what_was_put) {
        _cleanup_cache_ TestCache test = test_cache();
        _cleanup_(cache_record_done) CacheRecord record = {};
        _cleanup_free_ char *id = make_layer(test.cache, 1000);
        char *const keys[] = { (char *)"one", (char *)"two", NULL };
        CacheRecord made = {
                .result = "sha256:r", .layer = id, .description = (char *)"[1/2] RUN", .size = -1
        };
        Error err = {};

        ASSERT_INT(build_cache_find(test.cache, "one", &record, &err), 0);
        ASSERT_OK(build_cache_put(test.cache, keys, &made, &err), &err);
        ASSERT_INT(build_cache_find(test.cache, "one", &record, &err), CACHE_FOUND);
        ASSERT_STR(record.result, "sha256:r");
        ASSERT_STR(record.layer, id);
        ASSERT_STR(record.description, "[1/2] RUN");
        ASSERT_INT(record.size, 1000);
        ASSERT_INT(record.uses, 1);
        ASSERT_INT(record.created_at > 0 && record.used_at >= record.created_at, 1);
        cache_record_done(&record);
        ASSERT_INT(build_cache_find(test.cache, "two", &record, &err), CACHE_FOUND);
        ASSERT_INT(record.uses, 2);
        ASSERT_INT(found(test.cache, "three"), 0);
}

TEST(a_key_is_replaced_and_an_unnamed_record_goes_with_its_layer) {
        _cleanup_cache_ TestCache test = test_cache();
        _cleanup_free_ char *a = make_layer(test.cache, 1), *b = make_layer(test.cache, 2);
        char *const both[] = { (char *)"x", (char *)"y", NULL };
        CacheRecord record = { .result = "first", .layer = a, .size = -1 };
        Error err = {};

        ASSERT_OK(build_cache_put(test.cache, both, &record, &err), &err);
        build_cache_release(test.cache, a);
        ASSERT_OK(put(test.cache, "x", b, "second", &err), &err);
        ASSERT_INT(exists(&test, "layers", a), 1); /* y names it */
        ASSERT_OK(put(test.cache, "y", "", "third", &err), &err);
        ASSERT_INT(exists(&test, "layers", a), 0);
        build_cache_release(test.cache, b);
        ASSERT_INT(exists(&test, "layers", b), 1);
        ASSERT_INT(found(test.cache, "x"), CACHE_FOUND);
}

TEST(a_replaced_layer_that_is_held_stays_until_it_is_released) {
        _cleanup_cache_ TestCache test = test_cache();
        _cleanup_free_ char *a = make_layer(test.cache, 1);
        Error err = {};

        ASSERT_OK(put(test.cache, "x", a, "first", &err), &err);
        ASSERT_OK(put(test.cache, "x", "", "second", &err), &err);
        ASSERT_INT(exists(&test, "layers", a), 1);
        build_cache_release(test.cache, a);
        ASSERT_INT(exists(&test, "layers", a), 0);
}

TEST(refuses_what_is_no_layer) {
        _cleanup_cache_ TestCache test = test_cache();
        char id[ID_LENGTH + 1];
        Error err = {};

        id_new(id);
        ASSERT_INT(put(test.cache, "x", "../../etc", "d", &err) < 0, 1);
        ASSERT_INT(err.kind, ERROR_INVALID);
        ASSERT_INT(put(test.cache, "x", id, "d", &err) < 0, 1);
        ASSERT_INT(err.kind, ERROR_NOT_FOUND);
        ASSERT_INT(found(test.cache, "x"), 0);
}

TEST(a_record_whose_layer_is_gone_is_none) {
        _cleanup_cache_ TestCache test = test_cache();
        _cleanup_free_ char *id = make_record(test.cache, "x", 1);
        _cleanup_free_ char *path = str_format("layers/%s", id);
        Error err = {};

        ASSERT_OK(dir_remove_at(test.fd, path, &err), &err);
        ASSERT_INT(found(test.cache, "x"), 0);
        ASSERT_INT(found(test.cache, "x"), 0);
}

/* ---- layers ---- */

TEST(a_layer_without_a_record_goes_at_its_release) {
        _cleanup_cache_ TestCache test = test_cache();
        _cleanup_free_ char *id = make_layer(test.cache, 1);

        ASSERT_INT(exists(&test, "layers", id), 1);
        build_cache_release(test.cache, id);
        ASSERT_INT(exists(&test, "layers", id), 0);
        build_cache_release(test.cache, id); /* once too often */
        build_cache_release(test.cache, "");
        build_cache_release(test.cache, NULL);
}

static bool in_use(BuildCache *cache) {
        CacheEntry *entries = NULL;
        size_t count = 0;
        Error err = {};
        bool used = build_cache_list(cache, &entries, &count, &err) == 0 && count == 1 &&
                    entries[0].in_use;

        cache_entries_free(entries, count);
        return used;
}

TEST(a_layer_that_moved_is_known_by_its_chain_id) {
        _cleanup_cache_ TestCache test = test_cache();
        _cleanup_free_ char *id = make_layer(test.cache, 1), *path = str_format("layers/%s", id);
        _cleanup_(cache_record_done) CacheRecord record = {};
        _cleanup_strv_ char **chains = NULL;
        Error err = {};

        ASSERT_OK(put(test.cache, "x", id, "d", &err), &err);
        ASSERT_INT(renameat(test.fd, path, test.fd, "elsewhere"), 0);
        ASSERT_OK(build_cache_layer_moved(test.cache, id, CHAIN, &err), &err);
        ASSERT_INT(build_cache_find(test.cache, "x", &record, &err), CACHE_FOUND);
        ASSERT_STR(record.layer, CHAIN);
        ASSERT_OK(build_cache_chains(test.cache, &chains, &err), &err);
        ASSERT_INT(strv_length(chains), 1);
        ASSERT_STR(chains[0], CHAIN);
        build_cache_release(test.cache, CHAIN);
        ASSERT_INT(in_use(test.cache), 1); /* by the put, whose hold went with the layer */
        build_cache_release(test.cache, id);
        ASSERT_INT(in_use(test.cache), 0);
        ASSERT_INT(build_cache_layer_moved(test.cache, "x", CHAIN, &err) < 0, 1);
        ASSERT_INT(build_cache_layer_moved(test.cache, id, "x", &err) < 0, 1);
}

TEST(a_moved_layer_may_be_released_by_its_new_name) {
        _cleanup_cache_ TestCache test = test_cache();
        _cleanup_free_ char *id = make_layer(test.cache, 1);
        Error err = {};

        ASSERT_OK(put(test.cache, "x", id, "d", &err), &err);
        ASSERT_OK(build_cache_layer_moved(test.cache, id, CHAIN, &err), &err);
        build_cache_release(test.cache, CHAIN);
        ASSERT_INT(in_use(test.cache), 0);
}

TEST(a_layer_that_another_one_became_goes_with_its_last_hold) {
        _cleanup_cache_ TestCache test = test_cache();
        _cleanup_free_ char *id = make_layer(test.cache, 1);
        Error err = {};

        ASSERT_OK(put(test.cache, "x", id, "d", &err), &err);
        ASSERT_INT(found(test.cache, "x"), CACHE_FOUND);
        ASSERT_OK(build_cache_layer_moved(test.cache, id, CHAIN, &err), &err);
        ASSERT(exists(&test, "layers", id)); /* who holds it may have it mounted */
        build_cache_release(test.cache, id);
        ASSERT(!exists(&test, "layers", id));
        ASSERT_INT(found(test.cache, "x"), CACHE_FOUND);
}

TEST(what_the_image_store_lost_is_found_no_more) {
        _cleanup_cache_ TestCache test = test_cache();
        _cleanup_free_ char *id = make_record(test.cache, "x", 1);
        Error err = {};

        ASSERT_OK(build_cache_layer_moved(test.cache, id, CHAIN, &err), &err);
        ASSERT_INT(found(test.cache, "x"), CACHE_FOUND);
        ASSERT_OK(build_cache_chain_lost(test.cache, CHAIN, &err), &err);
        ASSERT_INT(found(test.cache, "x"), 0);
}

TEST(a_size_counts_each_inode_once_however_deep) {
        _cleanup_cache_ TestCache test = test_cache();
        _cleanup_(cache_record_done) CacheRecord record = {};
        _cleanup_free_ char *id = make_layer(test.cache, 100),
                            *path = str_format("layers/%s/fs", id);
        _cleanup_close_ int fs_fd = -1, fd = -1;
        Error err = {};

        ASSERT_OK(dir_open_at(test.fd, path, 0, &fs_fd, &err), &err);
        ASSERT_INT(linkat(fs_fd, "file", fs_fd, "again", 0), 0);
        ASSERT_INT(symlinkat("file", fs_fd, "link"), 0);
        fd = dup(fs_fd);
        for (int i = 0; i < 3000; i++) { /* more than there are descriptors, longer than PATH_MAX */
                ASSERT_INT(mkdirat(fd, "d", 0755), 0);
                int next = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                close_fd(&fd);
                fd = next;
        }
        ASSERT_INT(write_file(fd, "bottom", 23), 1);
        ASSERT_OK(put(test.cache, "x", id, "d", &err), &err);
        ASSERT_INT(build_cache_find(test.cache, "x", &record, &err), CACHE_FOUND);
        ASSERT_INT(record.size, 123);
}

/* ---- after a kill ---- */

static char killed_kept[ID_LENGTH + 1];

static bool work_of_a_build(TestCache *test) {
        _cleanup_free_ char *kept = make_layer(test->cache, 10),
                            *lost = make_layer(test->cache, 10);
        _cleanup_free_ UNUSED char *unfinished = make_layer(test->cache, 10);
        _cleanup_free_ char *path = str_format("layers/%s", lost);
        CacheMount *ready = NULL, *filling = NULL;
        int ready_fd, filling_fd;
        bool is_new;
        Error err = {};

        return put(test->cache, "kept", kept, "kept", &err) == 0 &&
               put(test->cache, "lost", lost, "lost", &err) == 0 &&
               dir_remove_at(test->fd, path, &err) == 0 &&
               build_cache_mount(test->cache, "ready", MOUNT_LOCKED, NULL, NULL, &ready, &ready_fd,
                                 &is_new, &err) == 0 &&
               cache_mount_ready(ready, &err) == 0 &&
               build_cache_mount(test->cache, "filling", MOUNT_LOCKED, NULL, NULL, &filling,
                                 &filling_fd, &is_new, &err) == 0 &&
               file_replace_at(test->fd, "kept", kept, ID_LENGTH, 0600, false, &err) == 0;
}

TEST(a_killed_daemon_leaves_what_was_finished) {
        _cleanup_cache_ TestCache test = test_cache_closed();
        _cleanup_free_ char *kept = NULL;
        CacheEntry *entries = NULL;
        size_t count = 0;
        Error err = {};

        ASSERT_INT(killed_after(&test, work_of_a_build), 1);
        ASSERT_INT(count_in(&test, "layers"), 2);
        ASSERT_INT(count_in(&test, "mounts"), 2);
        reopen(&test);
        ASSERT_OK(file_read_at(test.fd, "kept", 100, &kept, NULL, &err), &err);
        (void)snprintf(killed_kept, sizeof(killed_kept), "%s", kept);
        ASSERT_INT(count_in(&test, "layers"), 1);
        ASSERT_INT(exists(&test, "layers", killed_kept), 1);
        ASSERT_INT(count_in(&test, "mounts"), 1);
        ASSERT_OK(build_cache_list(test.cache, &entries, &count, &err), &err);
        bool free_now = count == 2 && !entries[0].in_use && !entries[1].in_use;
        cache_entries_free(entries, count);
        ASSERT_INT(free_now, 1); /* nobody holds anything */
        ASSERT_INT(found(test.cache, "kept"), CACHE_FOUND);
        ASSERT_INT(found(test.cache, "lost"), 0);
}

static bool rows_deleted(TestCache *test) {
        _cleanup_free_ char *a = make_record(test->cache, "a", 10);

        return a != NULL;
}

TEST(a_prune_that_was_killed_after_its_rows_is_ended_by_the_next_start) {
        _cleanup_cache_ TestCache test = test_cache_closed();

        ASSERT_INT(killed_after(&test, rows_deleted), 1);
        (void)query(&test, "DELETE FROM records");
        ASSERT_INT(mkdirat(test.fd, "mounts/.gone-1", 0755), 0);
        ASSERT_INT(count_in(&test, "layers"), 1);
        reopen(&test);
        ASSERT_INT(count_in(&test, "layers"), 0);
        ASSERT_INT(count_in(&test, "mounts"), 0);
}

TEST(a_secret_stays_and_is_no_other_caches) {
        _cleanup_cache_ TestCache test = test_cache(), other = test_cache();
        char first[ID_LENGTH + 1], again[ID_LENGTH + 1], others[ID_LENGTH + 1];
        Error err = {};

        ASSERT_OK(build_cache_secret(test.cache, first, &err), &err);
        reopen(&test);
        ASSERT_OK(build_cache_secret(test.cache, again, &err), &err);
        ASSERT_OK(build_cache_secret(other.cache, others, &err), &err);
        ASSERT_STR(again, first);
        ASSERT(id_valid(first));
        ASSERT(!str_equal(others, first));
}

static bool opens_prunes_and_clears(void *data) {
        TestCache *test = data;
        const CachePrune all = { .all = true };

        reopen(test);
        if (count_in(test, "layers") != 1 || count_in(test, "mounts") != 1)
                return false;
        (void)prune(test, all, NULL);
        remover_wait(&test->cache->remover, 0);
        return count_in(test, "layers") == 0 && count_in(test, "mounts") == 0;
}

TEST(a_full_disk_does_not_keep_what_would_make_room) {
        _cleanup_cache_ TestCache test = test_cache();
        _cleanup_free_ UNUSED char *record = make_record(test.cache, "a", 10);
        _cleanup_close_ int layer_fd = -1, mount_fd = -1;
        CacheMount *mount = NULL;
        bool is_new;
        Error err = {};

        ASSERT_OK(build_cache_mount(test.cache, "kept", MOUNT_SHARED, NULL, NULL, &mount, &mount_fd,
                                    &is_new, &err),
                  &err);
        ASSERT_OK(cache_mount_ready(mount, &err), &err);
        (void)cache_mount_release(mount);
        close_fd(&mount_fd);
        test.cache = build_cache_free(test.cache);
        ASSERT_OK(dir_open_at(test.fd, "layers/unknown/fs", 0755, &layer_fd, &err), &err);
        ASSERT_OK(dir_open_at(test.fd, "mounts/unknown/fs", 0755, &mount_fd, &err), &err);
        ASSERT(test_on_full_disk(opens_prunes_and_clears, &test));
}

/* A layer of many files; the caller's. */
static char *large_record(TestCache *test, const char *key) {
        char *id = make_layer(test->cache, 10);
        _cleanup_free_ char *path = str_format("layers/%s/fs", id);
        _cleanup_close_ int fd = openat(test->fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        Error err = {};

        for (int i = 0; i < 3000; i++) {
                char name[16];

                (void)snprintf(name, sizeof(name), "%d", i);
                if (!write_file(fd, name, 0))
                        abort();
        }
        if (put(test->cache, key, id, key, &err) < 0)
                abort();
        build_cache_release(test->cache, id);
        return id;
}

TEST(a_prune_does_not_wait_for_ever_and_the_next_start_goes_on) {
        _cleanup_cache_ TestCache test = test_cache();
        _cleanup_free_ char *first = large_record(&test, "a"), *second = NULL;
        const CachePrune hasty = { .all = true, .patience = 1 };
        _cleanup_strv_ char **ids = NULL;

        ASSERT(prune(&test, hasty, &ids) > 0);
        ASSERT_INT(strv_length(ids), 1);
        ASSERT_INT(found(test.cache, "a"), 0);
        remover_wait(&test.cache->remover, 0);
        ASSERT_INT(exists(&test, "layers", first), 0);
        second = large_record(&test, "b");
        ASSERT(prune(&test, hasty, NULL) > 0);
        test.cache = build_cache_free(test.cache); /* in the middle of it, mostly */
        reopen(&test);
        remover_wait(&test.cache->remover, 0);
        ASSERT_INT(exists(&test, "layers", second), 0);
        ASSERT_INT(found(test.cache, "b"), 0);
}

TEST(after_a_power_cut_what_was_not_synced_goes) {
        _cleanup_cache_ TestCache test = test_cache();
        _cleanup_free_ UNUSED char *a = make_record(test.cache, "synced", 1), *b = NULL;

        test.cache = build_cache_free(test.cache); /* syncs */
        ASSERT_INT(query(&test, "SELECT count(*) FROM records"), 1);
        reopen(&test);
        b = make_record(test.cache, "later", 1);
        test.cache = build_cache_free(test.cache);
        (void)query(&test, "UPDATE meta SET value='another' WHERE name='boot'");
        (void)query(&test, "UPDATE meta SET value=(SELECT min(recorded_at) FROM records) WHERE "
                           "name='synced'");
        reopen(&test);
        ASSERT_INT(found(test.cache, "synced"), CACHE_FOUND);
        ASSERT_INT(found(test.cache, "later"), 0);
        ASSERT_INT(exists(&test, "layers", b), 0);
        reopen(&test); /* the same boot now: nothing goes */
        ASSERT_INT(found(test.cache, "synced"), CACHE_FOUND);
}

/* recorded_at must tell what came after the sync even then. */
TEST(after_a_power_cut_what_was_not_synced_goes_though_the_clock_was_set_back) {
        _cleanup_cache_ TestCache test = test_cache();
        _cleanup_free_ UNUSED char *a = make_record(test.cache, "synced", 1), *b = NULL;

        test.cache = build_cache_free(test.cache);
        (void)query(&test, "UPDATE records SET recorded_at=recorded_at+86400000000000");
        reopen(&test);
        b = make_record(test.cache, "later", 1);
        test.cache = build_cache_free(test.cache);
        ASSERT_INT(query(&test, "SELECT count(DISTINCT recorded_at) FROM records"), 2);
        (void)query(&test, "UPDATE meta SET value='another' WHERE name='boot'");
        (void)query(&test, "UPDATE meta SET value=(SELECT recorded_at FROM records ORDER BY id "
                           "LIMIT 1) WHERE name='synced'");
        reopen(&test);
        ASSERT_INT(found(test.cache, "synced"), CACHE_FOUND);
        ASSERT_INT(found(test.cache, "later"), 0);
}

/* A cache is reconciled a second time when its database is begun anew while builds run. */
TEST(a_mount_of_the_same_name_may_be_made_while_the_old_one_is_removed) {
        _cleanup_cache_ TestCache test = test_cache();
        TestMount mount = ready_mount(test.cache, "m", MOUNT_SHARED);
        _cleanup_free_ char *path = str_copy(cache_mount_path(mount.mount)), *layer = NULL;
        const char *name = str_after(path, "build/");
        Gate gate;
        Error err = {};

        ASSERT_INT(sem_init(&gate.closed, 0, 0) | sem_init(&gate.open, 0, 0), 0);
        test_mount_done(&mount);
        layer = make_layer(test.cache, 1);
        build_cache_on_removed(test.cache, gate_pass, &gate);
        ASSERT_INT(mkdirat(test.fd, "layers/unknown", 0755), 0);
        {
                CACHE_LOCKED(test.cache);
                ASSERT_OK(cache_reconcile(test.cache, &err), &err);
        }
        ASSERT_INT(sem_wait(&gate.closed), 0); /* from here on nothing is removed */
        {
                CACHE_LOCKED(test.cache);
                ASSERT_OK(sql_run(test.cache->db, &err, "DELETE FROM mounts", ""), &err);
                ASSERT_OK(cache_reconcile(test.cache, &err), &err);
        }
        ASSERT_INT(exists(&test, ".", name), 0);
        mount = ready_mount(test.cache, "m", MOUNT_SHARED);
        ASSERT_STR(cache_mount_path(mount.mount), path);
        build_cache_on_removed(test.cache, NULL, NULL);
        ASSERT_INT(sem_post(&gate.open), 0);
        remover_wait(&test.cache->remover, 0);
        ASSERT_INT(exists(&test, ".", name), 1);
        ASSERT_INT(count_in(&test, "mounts"), 1);
        test_mount_done(&mount);
        build_cache_release(test.cache, layer);
}

/* ---- a file that is not ours ---- */

TEST(what_is_no_database_is_moved_aside) {
        _cleanup_cache_ TestCache test = test_cache_closed();
        _cleanup_free_ char *bad = NULL;
        Error err = {};

        for (int i = 0; i < 2; i++) { /* the second time a cache.db.bad is there */
                ASSERT_OK(file_replace_at(test.fd, "cache.db",
                                          "no database, but long enough for "
                                          "a header of one hundred bytes: "
                                          "......................................",
                                          100, 0600, false, &err),
                          &err);
                reopen(&test);
                ASSERT_OK(put(test.cache, "x", "", "d", &err), &err);
                ASSERT_INT(found(test.cache, "x"), CACHE_FOUND);
                test.cache = build_cache_free(test.cache);
        }
        ASSERT_OK(file_read_at(test.fd, "cache.db.bad", 100, &bad, NULL, &err), &err);
        ASSERT_INT(str_after(bad, "no database") != NULL, 1);
}

TEST(another_schema_is_moved_aside) {
        _cleanup_cache_ TestCache test = test_cache();
        _cleanup_free_ char *id = make_record(test.cache, "x", 1);

        test.cache = build_cache_free(test.cache);
        (void)query(&test, "PRAGMA user_version=99");
        reopen(&test);
        ASSERT_INT(found(test.cache, "x"), 0);
        ASSERT_INT(exists(&test, "layers", id), 0);
        ASSERT_INT(exists(&test, ".", "cache.db.bad"), 1);
}

static void damage(TestCache *test) {
        char junk[4096];
        struct stat st;
        _cleanup_close_ int fd = openat(test->fd, "cache.db", O_WRONLY | O_CLOEXEC);

        memset(junk, 0x5a, sizeof(junk));
        if (fd < 0 || fstat(fd, &st) < 0)
                abort();
        for (off_t at = 4096; at < st.st_size; at += 4096) /* all but the schema */
                if (pwrite(fd, junk, sizeof(junk), at) < 0)
                        abort();
}

TEST(damage_seen_when_opening_costs_the_cache_not_the_daemon) {
        _cleanup_cache_ TestCache test = test_cache();
        _cleanup_free_ char *id = make_record(test.cache, "x", 1);
        Error err = {};

        test.cache = build_cache_free(test.cache);
        damage(&test);
        reopen(&test);
        ASSERT_INT(found(test.cache, "x"), 0);
        ASSERT_OK(put(test.cache, "y", "", "d", &err), &err);
        ASSERT_INT(found(test.cache, "y"), CACHE_FOUND);
        ASSERT_INT(exists(&test, ".", "cache.db.bad"), 1);
        remover_wait(&test.cache->remover, 0);
        ASSERT_INT(exists(&test, "layers", id), 0);
}

TEST_MAIN()
