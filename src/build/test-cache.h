/* test-cache.h: for the cache's tests: a cache in a directory of its own, and what is put into it.
 */
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/id.h"
#include "base/test.h"
#include "build/cache.h"
#include "sql/sql.h"

typedef struct TestCache {
        char path[40];
        int fd;
        BuildCache *cache;
} TestCache;

static inline void test_cache_done(TestCache *test) {
        (void)build_cache_free(test->cache);
        close_fd(&test->fd);
        (void)dir_remove_at(AT_FDCWD, test->path, NULL);
}
#define _cleanup_cache_ _cleanup_(test_cache_done)

static inline TestCache test_cache_closed(void) {
        TestCache test = { .path = "/tmp/brig-cache-XXXXXX", .fd = -1 };
        Error err = {};

        if (!mkdtemp(test.path) || dir_open_at(AT_FDCWD, test.path, 0700, &test.fd, &err) < 0)
                abort();
        return test;
}

static inline void reopen(TestCache *test) {
        Error err = {};

        test->cache = build_cache_free(test->cache);
        if (build_cache_open(test->fd, &test->cache, &err) < 0) {
                printf("# %s\n", err.message);
                abort();
        }
}

static inline TestCache test_cache(void) {
        TestCache test = test_cache_closed();

        reopen(&test);
        return test;
}

/* Runs work in a process of its own that opens the cache and is killed: nothing is closed. */
static inline bool killed_after(TestCache *test, bool (*work)(TestCache *test)) {
        int status;
        pid_t pid;

        (void)fflush(stdout);
        pid = fork();
        if (pid == 0) {
                reopen(test);
                if (!work(test))
                        _exit(1);
                (void)raise(SIGKILL);
        }
        return pid > 0 && waitpid(pid, &status, 0) == pid && WIFSIGNALED(status);
}

static inline bool exists(const TestCache *test, const char *format, const char *name) {
        _cleanup_free_ char *path = str_format("%s/%s", format, name);
        struct stat st;

        return fstatat(test->fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static inline bool write_file(int dir_fd, const char *path, size_t size) {
        _cleanup_free_ char *data = alloc_zero(1, size + 1);
        _cleanup_close_ int fd = openat(dir_fd, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

        return fd >= 0 && fd_write_full(fd, data, size) == 0;
}

/* A finished layer with one file. */
static inline char *make_layer(BuildCache *cache, size_t size) {
        _cleanup_close_ int fd = -1;
        Error err = {};
        char *id = NULL;

        if (build_cache_layer_new(cache, &id, &fd, &err) < 0 || mkdirat(fd, "fs", 0755) < 0 ||
            !write_file(fd, "fs/file", size))
                abort();
        return id;
}

static inline int put(BuildCache *cache, const char *key, const char *layer,
                      const char *description, Error *err) {
        char *const keys[] = { (char *)key, NULL };
        CacheRecord record = { .layer = (char *)layer,
                               .description = (char *)description,
                               .size = -1 };

        digest_of(key, strlen(key), record.result);
        return build_cache_put(cache, keys, &record, err);
}

/* A layer with a record, not held. */
static inline char *make_record(BuildCache *cache, const char *key, size_t size) {
        char *id = make_layer(cache, size);
        Error err = {};

        if (put(cache, key, id, key, &err) < 0) {
                printf("# %s\n", err.message);
                abort();
        }
        build_cache_release(cache, id);
        return id;
}

/* As build_cache_find, and gives the layer back. */
static inline int found(BuildCache *cache, const char *key) {
        _cleanup_(cache_record_done) CacheRecord record = {};
        Error err = {};
        int r = build_cache_find(cache, key, &record, &err);

        if (r < 0)
                printf("# %s\n", err.message);
        build_cache_release(cache, record.layer);
        return r;
}

static inline int64_t query(const TestCache *test, const char *sql) {
        sqlite3 *db = NULL;
        int64_t number = -1;
        Error err = {};

        if (sql_open_at(test->fd, "cache.db", "", &db, &err) < 0 ||
            sql_number(db, &number, &err, sql, "") < 0)
                printf("# %s\n", err.message);
        if (db)
                sql_close(db);
        return number;
}

static inline size_t count_in(const TestCache *test, const char *name) {
        int fd = openat(test->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_closedir_ DIR *dir = fdopendir(fd);
        struct dirent *entry;
        size_t count = 0;

        while ((entry = readdir(dir)))
                count += !str_equal(entry->d_name, ".") && !str_equal(entry->d_name, "..");
        return count;
}

static inline FileStamp stamp_of(uint64_t number) {
        return (FileStamp){
                .device = 7, .inode = number, .size = number * 3, .mtime = 5, .ctime = 6
        };
}

#define CHAIN "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

#define DIGEST_A "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define DIGEST_B "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

/* ---- mounts ---- */

typedef struct TestMount {
        CacheMount *mount;
        int fd, result;
        bool is_new;
        Error err;
} TestMount;

static inline void test_mount_done(TestMount *mount) {
        mount->mount = cache_mount_release(mount->mount);
        close_fd(&mount->fd);
}
#define _cleanup_mount_ _cleanup_(test_mount_done)

static inline bool at_once(void *data) {
        (*(int *)data)++;
        return true;
}

/* Gives up where it would have to wait: result is -ECANCELED then. */
static inline TestMount take_mount(BuildCache *cache, const char *id, MountSharing sharing) {
        TestMount mount = { .fd = -1 };
        int asked = 0;

        mount.result = build_cache_mount(cache, id, sharing, at_once, &asked, &mount.mount,
                                         &mount.fd, &mount.is_new, &mount.err);
        return mount;
}

/* The same, filled. */
static inline TestMount ready_mount(BuildCache *cache, const char *id, MountSharing sharing) {
        TestMount mount = take_mount(cache, id, sharing);

        if (mount.mount && mount.is_new && cache_mount_ready(mount.mount, &mount.err) < 0)
                abort();
        return mount;
}

/* ---- the collector ---- */

static inline int64_t prune(TestCache *test, CachePrune what, char ***ret_ids) {
        _cleanup_strv_ char **ids = NULL;
        int64_t bytes = -1;
        Error err = {};

        if (build_cache_prune(test->cache, &what, &ids, &bytes, &err) < 0)
                printf("# %s\n", err.message);
        if (ret_ids)
                *ret_ids = TAKE_PTR(ids);
        return bytes;
}
