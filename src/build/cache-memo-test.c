/* cache-memo-test.c: what the cache remembers for the next build: why a step ran, and the digests
 * of files. */
#include "base/sanitizer.h"
#include "build/test-cache.h"

/* ---- why a step is run ---- */

/* parts: "instruction=A,file x=B"; returns the reason. */
static char *why(BuildCache *cache, const char *place, const char *parts) {
        _cleanup_(cache_parts_done) CacheParts made = {};
        _cleanup_strv_ char **items = str_split(parts, ',');
        char *reason = NULL;
        Error err = {};

        for (size_t i = 0; items && items[i]; i++) {
                char *value = strchr(items[i], '=');

                *value++ = '\0';
                if (str_after(items[i], "file "))
                        cache_parts_file(&made, str_after(items[i], "file "),
                                         *value == 'A' ? DIGEST_A : DIGEST_B);
                else
                        pairs_append(&made.items, items[i], *value == 'A' ? DIGEST_A : DIGEST_B);
        }
        if (build_cache_explain(cache, place, &made, &reason, &err) < 0)
                return str_copy(err.message);
        return reason;
}

static const struct {
        const char *before, *now, *why;
} reasons[] = {
        { "instruction=A", "instruction=B", "the instruction changed" },
        { "instruction=A,file a=A", "instruction=B,file a=B", "the instruction changed" },
        { "base=A,arg X=A", "base=B,arg X=B", "the base image changed" },
        { "before=A", "before=B", "the step before it ran" },
        { "base=A", "base=A,before=A", "a step stands before it now" },
        { "base=A", "before=A", "it has no base image any more" },
        { "arg VERSION=A", "arg VERSION=B", "build argument VERSION changed" },
        { "arg VERSION=A", "base=A", "it has a base image now" },
        { "arg A=A,arg B=A", "instruction=A,arg A=B", "the instruction is new" },
        { "arg A=A,arg B=A", "arg A=B", "build argument A changed (and 1 more)" },
        { "from build=A", "from build=B", "what it takes from build changed" },
        { "git u=A,git-user u=A", "git u=A,git-user u=B", "u was fetched for another user" },
        { "git u=A,git-user u=A", "git u=B,git-user u=B", "u points at another commit" },
        { "git u=A", "git u=A,git-user u=B", "u is one user's now" },
        { "git u=A,git-user u=B", "git u=A", "u is anybody's now" },
        { "file a=A,file b=A", "file a=A,file b=B", "file b changed" },
        { "file a=A,file b=A,file c=A", "file a=B,file b=B,file d=B",
          "file a changed (and 3 more)" },
        { "file a=A", "file a=A,file x=A", "file x is new" },
        { "file a=A,file x=A", "file a=A", "file x is gone" },
        { "file a\nb=A", "file a\nb=B", "file a?b changed" },
        { "platform=A", "platform=B", "platform changed" },
        { "beforehand=A", "beforehand=B", "beforehand changed" },
};

TEST(says_what_differs_most_telling_first) {
        _cleanup_cache_ TestCache test = test_cache();

        for (size_t i = 0; i < ELEMENTS(reasons); i++) {
                _cleanup_free_ char *place = str_format("place %zu", i);
                _cleanup_free_ char *first = why(test.cache, place, reasons[i].before);
                _cleanup_free_ char *second = NULL;

                reopen(&test); /* it is kept */
                second = why(test.cache, place, reasons[i].now);
                ASSERT_STR(first, "it was never built here");
                ASSERT_STR(second, reasons[i].why);
        }
}

TEST(tells_a_failed_run_from_a_collected_layer) {
        _cleanup_cache_ TestCache test = test_cache();
        char *const keys[] = { (char *)"k", NULL };
        CacheRecord record = { .result = "r", .place = "p" };
        Error err = {};
        _cleanup_free_ char *first = why(test.cache, "p", "instruction=A");
        _cleanup_free_ char *failed = why(test.cache, "p", "instruction=A"), *collected = NULL;

        ASSERT_STR(first, "it was never built here");
        ASSERT_STR(failed, "its last run did not finish");
        ASSERT_OK(build_cache_put(test.cache, keys, &record, &err), &err);
        collected = why(test.cache, "p", "instruction=A");
        ASSERT_STR(collected, "its layer was collected");
}

static char *why_many(BuildCache *cache, size_t changed) {
        _cleanup_(cache_parts_done) CacheParts parts = {};
        char *reason = NULL;
        Error err = {};

        for (size_t i = 0; i < 6000; i++) {
                _cleanup_free_ char *path = str_format("dir/%zu", i);

                cache_parts_file(&parts, path, i == changed ? DIGEST_B : DIGEST_A);
        }
        if (!parts.cut || parts.items.count != 4096 ||
            build_cache_explain(cache, "many", &parts, &reason, &err) < 0)
                return str_copy("it failed");
        return reason;
}

TEST(keeps_a_sum_of_more_files_than_it_keeps) {
        _cleanup_cache_ TestCache test = test_cache();
        _cleanup_free_ char *none = why_many(test.cache, 10000), *early = why_many(test.cache, 7);
        _cleanup_free_ char *late = NULL, *same = NULL;

        ASSERT_STR(none, "it was never built here");
        ASSERT_STR(early, "file dir/7 changed");
        free(why_many(test.cache, 10000));
        late = why_many(test.cache, 5000);
        same = why_many(test.cache, 5000);
        ASSERT_STR(late, "one of the files beyond the first 4096 changed");
        ASSERT_STR(same, "its last run did not finish");
}

/* A step's parts of so many bytes; why it is run. */
static char *long_parts(BuildCache *cache, const char *name, size_t size) {
        _cleanup_(cache_parts_done) CacheParts parts = {};
        _cleanup_free_ char *value = alloc_zero(1, size + 1);
        char *reason = NULL;
        Error err = {};

        memset(value, 'x', size);
        pairs_append(&parts.items, name, value);
        if (build_cache_explain(cache, name, &parts, &reason, &err) < 0)
                abort();
        return reason;
}

/* And a record that was made of them. */
static char *long_step(BuildCache *cache, const char *name, size_t size) {
        char *const keys[] = { (char *)name, NULL };
        char *reason = long_parts(cache, name, size);
        CacheRecord record = { .place = name };
        Error err = {};

        digest_of(name, strlen(name), record.result);
        if (build_cache_put(cache, keys, &record, &err) < 0)
                abort();
        return reason;
}

TEST(what_is_kept_of_keys_is_bounded) {
        const char *const sum[] = { "SELECT sum(length(parts)) FROM made",
                                    "SELECT sum(length(parts)) FROM places" };
        _cleanup_cache_ TestCache test = test_cache();
        _cleanup_free_ char *newest = NULL, *oldest = NULL;

        for (int i = 0; i < 260; i++) {
                _cleanup_free_ char *name = str_format("step %d", i);
                _cleanup_free_ UNUSED char *reason = long_step(test.cache, name, 100 * 1000);
        }
        test.cache = build_cache_free(test.cache);
        for (size_t i = 0; i < ELEMENTS(sum); i++)
                ASSERT(query(&test, sum[i]) < (16 << 20) + 10 * 100 * 1000);
        reopen(&test);
        newest = long_step(test.cache, "step 259", 1);
        ASSERT_STR(newest, "step 259 changed");
        oldest = long_step(test.cache, "step 0", 1);
        ASSERT_STR(oldest, "it was never built here");
        test.cache = build_cache_free(test.cache);
        for (size_t i = 0; i < ELEMENTS(sum); i++) {
                ASSERT(query(&test, sum[i]) <= 16 << 20);
                ASSERT(query(&test, sum[i]) > 15 << 20);
        }
        ASSERT_INT(query(&test, "SELECT count(*) FROM records"), 260);
}

TEST(what_is_kept_of_steps_that_are_not_recorded_is_bounded) {
        const char *sum = "SELECT sum(length(parts)) FROM places";
        _cleanup_cache_ TestCache test = test_cache(), other = test_cache();
        _cleanup_free_ UNUSED char *step = long_step(other.cache, "step", 100 * 1000);
        char result[DIGEST_TEXT_MAX];
        Error err = {};

        digest_of("step", 4, result);
        for (int i = 0; i < 260; i++) {
                _cleanup_free_ char *name = str_format("step %d", i);
                _cleanup_free_ UNUSED char *failed = long_parts(test.cache, name, 100 * 1000);

                ASSERT_OK(build_cache_found_at(other.cache, name, result, &err), &err);
        }
        test.cache = build_cache_free(test.cache);
        other.cache = build_cache_free(other.cache);
        ASSERT(query(&test, sum) < (16 << 20) + 10 * 100 * 1000);
        ASSERT(query(&other, sum) < (16 << 20) + 10 * 100 * 1000);
}

/* ---- files ---- */

TEST(remembers_files_by_all_that_stat_says) {
        _cleanup_cache_ TestCache test = test_cache();
        FileMemo memo = build_cache_memo(test.cache);
        char digest[DIGEST_TEXT_MAX];
        FileStamp stamp = stamp_of(UINT64_MAX), other;

        memo.put(memo.data, &stamp, DIGEST_A);
        ASSERT_INT(memo.get(memo.data, &stamp, digest), 1);
        ASSERT_STR(digest, DIGEST_A);
        for (int i = 0; i < 5; i++) {
                other = stamp;
                other.device += i == 0;
                other.inode -= i == 1;
                other.size++, other.size -= i != 2;
                other.mtime += i == 3;
                other.ctime += i == 4;
                ASSERT_INT(memo.get(memo.data, &other, digest), 0);
        }
        reopen(&test);
        memo = build_cache_memo(test.cache);
        ASSERT_INT(memo.get(memo.data, &stamp, digest), 1);
        other = stamp;
        other.mtime++;
        memo.put(memo.data, &other, DIGEST_B);
        ASSERT_INT(memo.get(memo.data, &stamp, digest), 0);
        ASSERT_INT(memo.get(memo.data, &other, digest), 1);
        ASSERT_STR(digest, DIGEST_B);
        memo.put(memo.data, &stamp, "no digest");
        ASSERT_INT(memo.get(memo.data, &stamp, digest), 0);
}

static bool put_and_flush(TestCache *test) {
        FileMemo memo = build_cache_memo(test->cache);

        for (uint64_t i = 0; i < 1500; i++) {
                FileStamp stamp = stamp_of(i);

                memo.put(memo.data, &stamp, DIGEST_A);
                if (i == 1200)
                        build_cache_flush(test->cache);
        }
        return true;
}

TEST(a_kill_costs_what_was_not_flushed) {
        _cleanup_cache_ TestCache test = test_cache_closed();
        FileStamp last = stamp_of(1200), after = stamp_of(1201);
        char digest[DIGEST_TEXT_MAX];

        ASSERT_INT(killed_after(&test, put_and_flush), 1);
        reopen(&test);
        FileMemo memo = build_cache_memo(test.cache);
        ASSERT_INT(memo.get(memo.data, &last, digest), 1);
        ASSERT_INT(memo.get(memo.data, &after, digest), 0);
}

TEST(a_file_that_is_asked_for_stays_longer_than_one_that_is_not) {
        _cleanup_cache_ TestCache test = test_cache();
        FileMemo memo = build_cache_memo(test.cache);
        FileStamp used = stamp_of(1), unused = stamp_of(2);
        char digest[DIGEST_TEXT_MAX];

        memo.put(memo.data, &used, DIGEST_A);
        memo.put(memo.data, &unused, DIGEST_A);
        free(why(test.cache, "p", "instruction=A"));
        test.cache = build_cache_free(test.cache);
        (void)query(&test, "UPDATE files SET asked=asked-20");
        reopen(&test);
        memo = build_cache_memo(test.cache);
        ASSERT_INT(memo.get(memo.data, &used, digest), 1);
        test.cache = build_cache_free(test.cache);
        (void)query(&test, "UPDATE files SET asked=asked-11"); /* 31 days and 11 */
        (void)query(&test, "UPDATE places SET asked=asked-31");
        (void)query(&test, "UPDATE meta SET value='1' WHERE name='expired'");
        reopen(&test);
        memo = build_cache_memo(test.cache);
        ASSERT_INT(memo.get(memo.data, &used, digest), 1);
        ASSERT_INT(memo.get(memo.data, &unused, digest), 0);
        _cleanup_free_ char *reason = why(test.cache, "p", "instruction=A");
        ASSERT_STR(reason, "it was never built here");
}

/* Under a sanitizer, which tells nothing about speed, a tenth: the same code. */
#define FILES (SANITIZED ? 10000 : 100000)

TEST(a_hundred_thousand_files_are_quick) {
        _cleanup_cache_ TestCache test = test_cache();
        FileMemo memo = build_cache_memo(test.cache);
        char digest[DIGEST_TEXT_MAX];
        int64_t start = clock_monotonic(), put_end, get_end;
        size_t hits = 0;

        for (uint64_t i = 0; i < FILES; i++) {
                FileStamp stamp = stamp_of(i * 17);

                memo.put(memo.data, &stamp, DIGEST_A);
        }
        build_cache_flush(test.cache);
        put_end = clock_monotonic();
        for (uint64_t i = 0; i < FILES; i++) {
                FileStamp stamp = stamp_of(i * 17);

                hits += memo.get(memo.data, &stamp, digest);
        }
        get_end = clock_monotonic();
        printf("# %d puts in %lld ms, gets in %lld ms\n", FILES,
               (long long)((put_end - start) / NSEC_PER_MSEC),
               (long long)((get_end - put_end) / NSEC_PER_MSEC));
        ASSERT_INT(hits, FILES);
        /* Far above what it takes, for busy machines. */
        ASSERT_INT(put_end - start < 60 * NSEC_PER_SEC, 1);
        ASSERT_INT(get_end - put_end < 60 * NSEC_PER_SEC, 1);
}

TEST_MAIN()
