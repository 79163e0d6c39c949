/* cache-room-test.c: what takes room: mounts, the collector; and all at once by several threads. */
#include <errno.h>
#include <pthread.h>

#include "build/cache-private.h"
#include "build/test-cache.h"

/* ---- mounts ---- */

static bool same(const TestMount *a, const TestMount *b) {
        return a->mount && b->mount &&
               str_equal(cache_mount_path(a->mount), cache_mount_path(b->mount));
}

TEST(a_mount_keeps_its_files) {
        _cleanup_cache_ TestCache test = test_cache();
        _cleanup_mount_ TestMount first = ready_mount(test.cache, "/root/.cache", MOUNT_SHARED);
        _cleanup_mount_ TestMount other = ready_mount(test.cache, "other", MOUNT_SHARED);
        struct stat st;

        ASSERT_INT(first.result, 0);
        ASSERT_INT(first.is_new, 1);
        ASSERT_INT(fstat(first.fd, &st), 0);
        ASSERT_INT(st.st_mode & 07777, 0755);
        ASSERT_INT(exists(&test, ".", str_after(cache_mount_path(first.mount), "build/")), 1);
        ASSERT_INT(write_file(first.fd, "file", 10), 1);
        ASSERT_INT(same(&first, &other), 0);
        test_mount_done(&first);
        test_mount_done(&other);
        reopen(&test);
        first = take_mount(test.cache, "/root/.cache", MOUNT_SHARED);
        ASSERT_INT(first.is_new, 0);
        ASSERT_INT(fstatat(first.fd, "file", &st, 0), 0);
}

TEST(sharing_is_as_the_mount_says) {
        _cleanup_cache_ TestCache test = test_cache();
        _cleanup_mount_ TestMount shared = ready_mount(test.cache, "m", MOUNT_SHARED);
        _cleanup_mount_ TestMount again = take_mount(test.cache, "m", MOUNT_SHARED);
        _cleanup_mount_ TestMount locked = take_mount(test.cache, "m", MOUNT_LOCKED);
        _cleanup_mount_ TestMount private = ready_mount(test.cache, "m", MOUNT_PRIVATE_);
        _cleanup_mount_ TestMount third = take_mount(test.cache, "m", MOUNT_SHARED);

        ASSERT_INT(same(&shared, &again), 1);
        ASSERT_INT(again.is_new, 0);
        ASSERT_INT(locked.result, -ECANCELED);
        ASSERT_INT(private.is_new, 1);
        ASSERT_INT(same(&shared, &private), 0);
        ASSERT_INT(same(&shared, &third), 1); /* not the private one */
        test_mount_done(&shared);
        test_mount_done(&again);
        locked = take_mount(test.cache, "m", MOUNT_LOCKED);
        ASSERT_INT(locked.result, -ECANCELED); /* third still has it, private the other */
        test_mount_done(&private);
        locked = take_mount(test.cache, "m", MOUNT_LOCKED);
        ASSERT_INT(locked.result, 0);
        ASSERT_INT(locked.is_new, 0);
        test_mount_done(&third);
        private = take_mount(test.cache, "m", MOUNT_PRIVATE_);
        ASSERT_INT(private.is_new, 0); /* the one that third gave back */
}

TEST(nobody_shares_a_mount_before_it_is_filled) {
        _cleanup_cache_ TestCache test = test_cache();
        _cleanup_mount_ TestMount first = take_mount(test.cache, "m", MOUNT_SHARED);
        _cleanup_mount_ TestMount second = take_mount(test.cache, "m", MOUNT_SHARED);

        ASSERT_INT(first.is_new, 1);
        ASSERT_INT(second.result, -ECANCELED);
        ASSERT_INT(write_file(first.fd, "half", 1), 1);
        test_mount_done(&first); /* it could not be filled */
        remover_wait(&test.cache->remover, 0);
        ASSERT_INT(count_in(&test, "mounts"), 0);
        second = take_mount(test.cache, "m", MOUNT_SHARED);
        ASSERT_INT(second.is_new, 1);
        ASSERT_INT(count_in(&test, "mounts"), 1);
}

static bool mount_beside_files(TestCache *test) {
        FileMemo memo = build_cache_memo(test->cache);
        FileStamp stamp = stamp_of(1);
        TestMount mount;

        memo.put(memo.data, &stamp, DIGEST_A);
        mount = ready_mount(test->cache, "m", MOUNT_SHARED);
        return mount.result == 0 && write_file(mount.fd, "file", 1);
}

TEST(a_kill_leaves_a_mount_that_was_made_while_files_were_not_flushed) {
        _cleanup_cache_ TestCache test = test_cache_closed();

        ASSERT_INT(killed_after(&test, mount_beside_files), 1);
        reopen(&test);
        _cleanup_mount_ TestMount mount = take_mount(test.cache, "m", MOUNT_SHARED);
        ASSERT_INT(mount.result, 0);
        ASSERT_INT(mount.is_new, 0);
}

typedef struct Waiter {
        BuildCache *cache;
        const char *id;
        MountSharing sharing;
        int64_t started;
        bool cancel, asked;
        pthread_mutex_t lock;
        pthread_cond_t waiting;
        TestMount mount;
} Waiter;

static bool waiter_cancelled(void *data) {
        Waiter *waiter = data;

        pthread_mutex_lock(&waiter->lock);
        waiter->asked = true;
        pthread_cond_signal(&waiter->waiting);
        bool cancel = waiter->cancel;
        pthread_mutex_unlock(&waiter->lock);
        return cancel;
}

static void *waiter_main(void *data) {
        Waiter *waiter = data;
        TestMount *mount = &waiter->mount;

        mount->result =
                build_cache_mount(waiter->cache, waiter->id, waiter->sharing, waiter_cancelled,
                                  waiter, &mount->mount, &mount->fd, &mount->is_new, &mount->err);
        return NULL;
}

static void until_it_waits(Waiter *waiter) {
        pthread_mutex_lock(&waiter->lock);
        while (!waiter->asked)
                pthread_cond_wait(&waiter->waiting, &waiter->lock);
        pthread_mutex_unlock(&waiter->lock);
}

static Waiter waiter_of(BuildCache *cache, MountSharing sharing) {
        return (Waiter){ .cache = cache,
                         .id = "m",
                         .sharing = sharing,
                         .lock = PTHREAD_MUTEX_INITIALIZER,
                         .waiting = PTHREAD_COND_INITIALIZER,
                         .mount.fd = -1 };
}

TEST(a_locked_mount_is_waited_for) {
        _cleanup_cache_ TestCache test = test_cache();
        _cleanup_mount_ TestMount first = ready_mount(test.cache, "m", MOUNT_LOCKED);
        Waiter waiter = waiter_of(test.cache, MOUNT_LOCKED);
        pthread_t thread;

        ASSERT_INT(pthread_create(&thread, NULL, waiter_main, &waiter), 0);
        until_it_waits(&waiter);
        test_mount_done(&first);
        ASSERT_INT(pthread_join(thread, NULL), 0);
        ASSERT_INT(waiter.mount.result, 0);
        ASSERT_INT(waiter.mount.is_new, 0);
        test_mount_done(&waiter.mount);
}

TEST(a_wait_for_a_mount_can_be_cancelled) {
        _cleanup_cache_ TestCache test = test_cache();
        _cleanup_mount_ UNUSED TestMount first = ready_mount(test.cache, "m", MOUNT_LOCKED);
        Waiter waiter = waiter_of(test.cache, MOUNT_LOCKED);
        pthread_t thread;

        ASSERT_INT(pthread_create(&thread, NULL, waiter_main, &waiter), 0);
        until_it_waits(&waiter);
        pthread_mutex_lock(&waiter.lock);
        waiter.cancel = true;
        pthread_mutex_unlock(&waiter.lock);
        ASSERT_INT(pthread_join(thread, NULL), 0);
        ASSERT_INT(waiter.mount.result, -ECANCELED);
        ASSERT_INT(strstr(waiter.mount.err.message, "'m'") != NULL, 1);
}

TEST(a_sharer_waits_until_the_mount_is_filled) {
        _cleanup_cache_ TestCache test = test_cache();
        _cleanup_mount_ TestMount first = take_mount(test.cache, "m", MOUNT_SHARED);
        Waiter waiter = waiter_of(test.cache, MOUNT_SHARED);
        pthread_t thread;
        Error err = {};

        ASSERT_INT(pthread_create(&thread, NULL, waiter_main, &waiter), 0);
        until_it_waits(&waiter);
        int r = cache_mount_ready(first.mount, &err);
        ASSERT_INT(pthread_join(thread, NULL), 0);
        ASSERT_OK(r, &err);
        bool shares = same(&first, &waiter.mount) && !waiter.mount.is_new;
        test_mount_done(&waiter.mount);
        ASSERT_INT(shares, 1);
}

/* ---- the collector ---- */

TEST(lists_with_what_docker_shows) {
        _cleanup_cache_ TestCache test = test_cache();
        _cleanup_free_ UNUSED char *a = make_record(test.cache, "[1/2] RUN a", 10);
        _cleanup_free_ UNUSED char *b = make_record(test.cache, "[2/2] RUN b", 20);
        _cleanup_mount_ TestMount mount = ready_mount(test.cache, "/var/cache", MOUNT_SHARED);
        CacheEntry *entries = NULL;
        size_t count = 0;
        Error err = {};

        ASSERT_INT(write_file(mount.fd, "file", 30), 1);
        ASSERT_INT(found(test.cache, "[1/2] RUN a"), CACHE_FOUND);
        ASSERT_OK(build_cache_list(test.cache, &entries, &count, &err), &err);
        bool well = count == 3 && str_equal(entries[0].description, "[1/2] RUN a") &&
                    str_equal(entries[0].type, "regular") && entries[0].size == 10 &&
                    entries[0].uses == 1 && !entries[0].in_use && !entries[0].shared &&
                    str_equal(entries[1].type, "exec.cachemount") && entries[1].size == 30 &&
                    entries[1].in_use && entries[1].uses == 1 &&
                    str_equal(entries[1].description, "cache mount /var/cache") &&
                    entries[2].size == 20 && entries[2].uses == 0;
        cache_entries_free(entries, count);
        ASSERT_INT(well, 1);
        /* What was written since it was listed is counted, too. */
        ASSERT_INT(write_file(mount.fd, "more", 5), 1);
        test_mount_done(&mount);
        ASSERT_INT(prune(&test, (CachePrune){ .all = true }, NULL), 65);
}

TEST(prunes_all_but_what_is_in_use) {
        _cleanup_cache_ TestCache test = test_cache();
        _cleanup_free_ UNUSED char *a = make_record(test.cache, "a", 10),
                                   *b = make_layer(test.cache, 20);
        _cleanup_mount_ UNUSED TestMount held = ready_mount(test.cache, "held", MOUNT_SHARED);
        _cleanup_mount_ TestMount idle = ready_mount(test.cache, "idle", MOUNT_SHARED);
        _cleanup_strv_ char **ids = NULL;
        Error err = {};

        ASSERT_INT(write_file(idle.fd, "file", 5), 1);
        test_mount_done(&idle);
        ASSERT_OK(put(test.cache, "b", b, "b", &err), &err);
        ASSERT_INT(prune(&test, (CachePrune){}, &ids), 15); /* mounts go without all, too */
        ASSERT_INT(strv_length(ids), 2);
        ASSERT_INT(found(test.cache, "a"), 0);
        ASSERT_INT(found(test.cache, "b"), CACHE_FOUND);
        ASSERT_INT(count_in(&test, "layers"), 1);
        ASSERT_INT(count_in(&test, "mounts"), 1);
        build_cache_release(test.cache, b);
        ASSERT_INT(prune(&test, (CachePrune){}, NULL), 20);
        ASSERT_INT(count_in(&test, "layers"), 0);
}

TEST(a_cap_counts_what_is_in_use_and_mounts_and_takes_neither_that_nor_an_image_s) {
        _cleanup_cache_ TestCache test = test_cache();
        _cleanup_free_ UNUSED char *a = make_record(test.cache, "a", 100),
                                   *b = make_record(test.cache, "b", 100);
        _cleanup_free_ char *held = make_layer(test.cache, 100);
        _cleanup_mount_ TestMount idle = ready_mount(test.cache, "idle", MOUNT_SHARED);
        char chain[DIGEST_TEXT_MAX];
        Error err = {};

        digest_of("x", 1, chain);
        ASSERT_INT(write_file(idle.fd, "file", 100), 1);
        test_mount_done(&idle); /* used last */
        ASSERT_OK(put(test.cache, "held", held, "held", &err), &err);
        ASSERT_OK(put(test.cache, "image's", chain, "image's", &err), &err);
        build_cache_release(test.cache, chain);
        ASSERT_INT(prune(&test, (CachePrune){ .cap = true, .keep = 400 }, NULL), 0);
        ASSERT_INT(prune(&test, (CachePrune){ .cap = true, .keep = 300 }, NULL), 100);
        ASSERT_INT(prune(&test, (CachePrune){ .cap = true, .keep = 1 }, NULL), 200);
        ASSERT_INT(count_in(&test, "mounts"), 0);
        ASSERT_INT(found(test.cache, "held"), CACHE_FOUND);
        ASSERT_INT(found(test.cache, "image's"), CACHE_FOUND);
        build_cache_release(test.cache, held);
        build_cache_release(test.cache, held);
        ASSERT_INT(prune(&test, (CachePrune){ .cap = true, .keep = 1 }, NULL), 100);
}

TEST(what_is_larger_than_the_cap_goes_before_all_others) {
        _cleanup_cache_ TestCache test = test_cache();
        _cleanup_free_ UNUSED char *a = make_record(test.cache, "a", 100);
        _cleanup_mount_ TestMount mount = ready_mount(test.cache, "large", MOUNT_SHARED);

        ASSERT_INT(write_file(mount.fd, "file", 400), 1);
        test_mount_done(&mount);
        ASSERT_INT(prune(&test, (CachePrune){ .cap = true, .keep = 300 }, NULL), 400);
        ASSERT_INT(found(test.cache, "a"), CACHE_FOUND);
}

/* A build that found that and ends. */
static bool build_used(TestCache *test, const char *key, const char *layer) {
        char *held[] = { (char *)layer, NULL };
        int64_t began = clock_now();
        bool well = found(test->cache, key) == CACHE_FOUND;

        build_cache_used(test->cache, held, began);
        return well;
}

TEST(what_was_used_last_stays_longest) {
        _cleanup_cache_ TestCache test = test_cache();
        _cleanup_free_ char *a = make_record(test.cache, "a", 100),
                            *b = make_record(test.cache, "b", 100),
                            *c = make_record(test.cache, "c", 100);

        ASSERT(build_used(&test, "c", c) && build_used(&test, "a", a) && build_used(&test, "b", b));
        ASSERT_INT(prune(&test, (CachePrune){ .keep = 300 }, NULL), 0);
        ASSERT_INT(prune(&test, (CachePrune){ .keep = 299 }, NULL), 100);
        ASSERT_INT(found(test.cache, "c"), 0);
        ASSERT_INT(prune(&test, (CachePrune){ .keep = 199 }, NULL), 100);
        ASSERT_INT(found(test.cache, "a"), 0);
        ASSERT_INT(found(test.cache, "b"), CACHE_FOUND);
}

/* What a build used counts as used at its end, its first layers and mounts as its last ones. */
TEST(of_one_build_what_others_stand_upon_stays_longer) {
        _cleanup_cache_ TestCache test = test_cache();
        int64_t began = clock_now();
        _cleanup_free_ UNUSED char *a = make_record(test.cache, "a", 100);
        _cleanup_mount_ TestMount mount = ready_mount(test.cache, "m", MOUNT_SHARED);
        _cleanup_free_ UNUSED char *b = make_record(test.cache, "b", 100),
                                   *old = make_record(test.cache, "old", 100);
        char chain[DIGEST_TEXT_MAX];
        Error err = {};

        ASSERT_INT(write_file(mount.fd, "file", 100), 1);
        test_mount_done(&mount);
        digest_of("b", 1, chain);
        char *held[] = { b, a, (char *)"", NULL };
        /* By its old name, as a build knows it. */
        ASSERT_OK(put(test.cache, "b", b, "b", &err), &err);
        ASSERT_OK(build_cache_layer_moved(test.cache, b, chain, &err), &err);
        build_cache_used(test.cache, held, began);
        build_cache_release(test.cache, b);
        ASSERT_INT(prune(&test, (CachePrune){ .all = true, .keep = 300 }, NULL), 100);
        ASSERT_INT(found(test.cache, "old"), 0);
        ASSERT_INT(prune(&test, (CachePrune){ .all = true, .keep = 299 }, NULL), 0); /* a chain's */
        ASSERT_INT(found(test.cache, "b"), 0);
        ASSERT_INT(prune(&test, (CachePrune){ .all = true, .keep = 199 }, NULL), 100);
        ASSERT_INT(found(test.cache, "a"), 0);
        ASSERT_INT(count_in(&test, "mounts"), 1);
}

TEST(prunes_by_time_and_by_id) {
        _cleanup_cache_ TestCache test = test_cache();
        _cleanup_free_ UNUSED char *a = make_record(test.cache, "a", 1);
        int64_t between = clock_now();
        _cleanup_free_ UNUSED char *b = make_record(test.cache, "b", 2),
                                   *c = make_record(test.cache, "c", 4);
        CacheEntry *entries = NULL;
        size_t count = 0;
        Error err = {};

        ASSERT_INT(prune(&test, (CachePrune){ .until = between }, NULL), 1);
        ASSERT_OK(build_cache_list(test.cache, &entries, &count, &err), &err);
        char *ids[] = { (char *)"unknown", count == 2 ? entries[1].id : NULL, NULL };
        int64_t bytes = prune(&test, (CachePrune){ .ids = ids }, NULL);
        cache_entries_free(entries, count);
        ASSERT_INT(bytes, 2);
        ASSERT_INT(found(test.cache, "c"), CACHE_FOUND);
}

static int64_t note_chain(void *data, const char *chain) {
        strv_add(data, chain);
        return 4;
}

static bool not_shared(void *data, const char *chain) {
        (void)data;
        return !str_equal(chain, CHAIN);
}

TEST(prunes_a_layer_with_the_last_record_that_names_it) {
        _cleanup_cache_ TestCache test = test_cache();
        _cleanup_free_ char *a = make_record(test.cache, "a", 10);
        _cleanup_strv_ char **chains = NULL, **ids = NULL, **more = NULL;
        const CachePrune half = { .all = true, .keep = 10 };
        const CachePrune own = { .shared = not_shared, .release = note_chain, .data = &chains };
        int64_t bytes = 0;
        Error err = {};

        ASSERT_OK(put(test.cache, "again", a, "again", &err), &err);
        build_cache_release(test.cache, a);
        ASSERT_INT(prune(&test, half, NULL), 0); /* the other record has it still */
        ASSERT_INT(exists(&test, "layers", a), 1);
        ASSERT_OK(build_cache_layer_moved(test.cache, a, CHAIN, &err), &err);
        ASSERT_INT(prune(&test, (CachePrune){}, NULL), 0); /* an image has it, perhaps */
        ASSERT_OK(build_cache_prune(test.cache, &own, &ids, &bytes, &err), &err);
        ASSERT_INT(strv_length(ids), 1);
        ASSERT_INT(strv_length(chains), 1);
        ASSERT_STR(chains[0], CHAIN);
        ASSERT_INT(bytes, 4); /* the image store's */
        chains = strv_free(chains);
        ASSERT_OK(build_cache_prune(test.cache, &own, &more, &bytes, &err), &err);
        ASSERT_INT(strv_length(chains), 0);
}

typedef struct Anew {
        BuildCache *cache;
        bool recorded; /* by a build, while the collector lets go of it */
        size_t holds;
} Anew;

static int64_t release_recorded(void *data, const char *chain) {
        Anew *anew = data;

        if (anew->recorded && put(anew->cache, "anew", chain, "anew", NULL) < 0)
                abort();
        return 0;
}

static void count_hold(void *data, const char *chain) {
        ((Anew *)data)->holds += str_equal(chain, CHAIN);
}

TEST(what_is_recorded_anew_while_it_is_let_go_of_is_held_again) {
        for (int recorded = 0; recorded < 2; recorded++) {
                _cleanup_cache_ TestCache test = test_cache();
                Anew anew = { .cache = test.cache, .recorded = recorded };
                const CachePrune all = {
                        .all = true, .release = release_recorded, .hold = count_hold, .data = &anew
                };
                Error err = {};

                ASSERT_OK(put(test.cache, "a", CHAIN, "a", &err), &err);
                build_cache_release(test.cache, CHAIN);
                ASSERT_INT(prune(&test, all, NULL), 0);
                ASSERT_INT(found(test.cache, "a"), 0);
                ASSERT_INT(found(test.cache, "anew"), recorded ? CACHE_FOUND : 0);
                ASSERT_INT(anew.holds, recorded);
        }
}

/* ---- threads ---- */

#define THREADS 8
#define ROUNDS 60

typedef struct Crowd {
        BuildCache *cache;
        unsigned number;
        pthread_mutex_t *lock;
        unsigned *inside; /* of the locked mount; guarded by lock */
        bool failed;
} Crowd;

static bool never(void *data) {
        return false;
}

static bool use_locked_mount(Crowd *crowd) {
        CacheMount *mount = NULL;
        bool is_new, alone;
        int fd = -1;
        Error err = {};

        if (build_cache_mount(crowd->cache, "crowd", MOUNT_LOCKED, never, NULL, &mount, &fd,
                              &is_new, &err) < 0 ||
            (is_new && cache_mount_ready(mount, &err) < 0))
                return false;
        pthread_mutex_lock(crowd->lock);
        alone = ++*crowd->inside == 1;
        pthread_mutex_unlock(crowd->lock);
        close_fd(&fd);
        pthread_mutex_lock(crowd->lock);
        --*crowd->inside;
        pthread_mutex_unlock(crowd->lock);
        (void)cache_mount_release(mount);
        return alone;
}

static bool use_records(Crowd *crowd, unsigned round) {
        _cleanup_free_ char *own = str_format("own %u %u", crowd->number, round), *id = NULL;
        _cleanup_free_ char *common = str_format("common %u", round % 5);
        _cleanup_(cache_record_done) CacheRecord record = {};
        CacheParts parts = {};
        char *reason = NULL;
        Error err = {};

        id = make_layer(crowd->cache, crowd->number);
        if (put(crowd->cache, common, id, common, &err) < 0)
                return false;
        /* Others replace it and prune, but what is held stays. */
        if (build_cache_find(crowd->cache, common, &record, &err) < 0)
                return false;
        build_cache_release(crowd->cache, record.layer);
        build_cache_release(crowd->cache, id);
        free(id);
        id = make_layer(crowd->cache, 1);
        bool well = put(crowd->cache, own, id, own, &err) == 0 &&
                    found(crowd->cache, own) == CACHE_FOUND;
        build_cache_release(crowd->cache, id);
        well = well && build_cache_explain(crowd->cache, common, &parts, &reason, &err) == 0;
        free(reason);
        return well;
}

static bool use_memo(Crowd *crowd, unsigned round) {
        FileMemo memo = build_cache_memo(crowd->cache);
        char digest[DIGEST_TEXT_MAX];

        for (unsigned i = 0; i < 100; i++) {
                FileStamp stamp = stamp_of(((uint64_t)crowd->number * ROUNDS + round) * 100 + i);

                memo.put(memo.data, &stamp, DIGEST_B);
                if (!memo.get(memo.data, &stamp, digest) || !str_equal(digest, DIGEST_B))
                        return false;
        }
        return true;
}

static bool prune_some(Crowd *crowd) {
        _cleanup_strv_ char **ids = NULL;
        const CachePrune all = { .all = true };
        int64_t bytes;
        Error err = {};

        return build_cache_prune(crowd->cache, &all, &ids, &bytes, &err) == 0;
}

static void *crowd_main(void *data) {
        Crowd *crowd = data;

        for (unsigned round = 0; round < ROUNDS && !crowd->failed; round++) {
                if (!use_records(crowd, round) || !use_memo(crowd, round) ||
                    !use_locked_mount(crowd))
                        crowd->failed = true;
                if (crowd->number == 0 && round % 7 == 0 && !prune_some(crowd))
                        crowd->failed = true;
        }
        return NULL;
}

TEST(many_threads_at_once) {
        _cleanup_cache_ TestCache test = test_cache();
        pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
        Crowd crowd[THREADS];
        pthread_t threads[THREADS];
        unsigned inside = 0, failed = 0;

        for (unsigned i = 0; i < THREADS; i++) {
                crowd[i] = (Crowd){
                        .cache = test.cache, .number = i, .lock = &lock, .inside = &inside
                };
                if (pthread_create(&threads[i], NULL, crowd_main, &crowd[i]) != 0)
                        abort();
        }
        for (unsigned i = 0; i < THREADS; i++) {
                (void)pthread_join(threads[i], NULL);
                failed += crowd[i].failed;
        }
        ASSERT_INT(failed, 0);
        (void)prune(&test, (CachePrune){ .all = true }, NULL);
        ASSERT_INT(count_in(&test, "layers"), 0); /* nobody holds anything any more */
        ASSERT_INT(count_in(&test, "mounts"), 0);
        reopen(&test);
        FileMemo memo = build_cache_memo(test.cache);
        FileStamp last = stamp_of((uint64_t)THREADS * ROUNDS * 100 - 1);
        char digest[DIGEST_TEXT_MAX];
        ASSERT_INT(memo.get(memo.data, &last, digest), 1);
}

TEST_MAIN()
