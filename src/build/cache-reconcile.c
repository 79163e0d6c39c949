/* cache-reconcile.c: brings directories and rows into agreement when the cache is opened, and knows
 * which layers a power cut may have damaged. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "build/cache-private.h"

#define SYNC_INTERVAL (300 * NSEC_PER_SEC)

/* ---- directories without a row ---- */

static int names_in(int dir_fd, char ***ret, Error *err) {
        int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        size_t count = 0;
        struct dirent *entry;

        if (!dir)
                return error_set(err, errno, "read a directory of the build cache");
        while ((entry = readdir(dir)))
                if (!str_equal(entry->d_name, ".") && !str_equal(entry->d_name, ".."))
                        strv_take_at(ret, count++, str_copy(entry->d_name));
        return 0;
}

/* What is held has no row before its step has ended; after the database was begun anew, either. */
static bool layer_busy(const BuildCache *cache, const char *name) {
        return cache_layer_held(cache, name);
}

/* Under another name: a build may make a mount of that name while it is being removed. No layer
 * gets a name again. */
static void discard(BuildCache *cache, int dir_fd, const char *name) {
        _cleanup_free_ char *aside = NULL;

        if (dir_fd == cache->layers_fd || str_after(name, GONE_PREFIX))
                remover_add(&cache->remover, dir_fd, name);
        else if (cache_set_aside(dir_fd, name, &aside))
                remover_add(&cache->remover, dir_fd, aside);
}

static int remove_unknown(BuildCache *cache, int dir_fd, const char *sql,
                          bool (*busy)(const BuildCache *, const char *), Error *err) {
        _cleanup_strv_ char **names = NULL;
        int r = names_in(dir_fd, &names, err);

        for (size_t i = 0; r == 0 && names && names[i]; i++) {
                int64_t known = 0;

                r = sql_number(cache->db, &known, err, sql, "t", names[i]);
                if (r < 0 || known || busy(cache, names[i]))
                        continue;

                log_info("build cache: removing the unfinished '%.24s'", names[i]);
                discard(cache, dir_fd, names[i]);
        }
        return r;
}

/* ---- rows without a directory ---- */

static int drop_missing(BuildCache *cache, int dir_fd, const char *list, const char *drop,
                        Error *err) {
        _cleanup_sql_ sqlite3_stmt *row = NULL;
        _cleanup_strv_ char **missing = NULL;
        int r = sql_prepare(cache->db, &row, err, list, "");

        while (r == 0 && (r = sql_step(row, err)) > 0) {
                const char *name = (const char *)sqlite3_column_text(row, 0);
                _cleanup_free_ char *path = str_format("%s/fs", name);
                struct stat st;

                r = 0;
                if (fstatat(dir_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
                        strv_add(&missing, name);
        }
        for (size_t i = 0; r == 0 && missing && missing[i]; i++) {
                log_info("build cache: '%.24s' is gone from disk", missing[i]);
                r = sql_run(cache->db, err, drop, "t", missing[i]);
        }
        return r;
}

/* ---- what nobody asked for ---- */

/* Once a day, as it reads the whole table. */
static int expire(BuildCache *cache, Error *err) {
        int64_t today = clock_now() / NSEC_PER_DAY;
        _cleanup_free_ char *last = NULL, *now = str_format("%lld", (long long)today);
        int r = cache_meta_get(cache, "expired", &last, err);

        if (r < 0 || str_equal(last, now))
                return r;
        r = sql_run(cache->db, err, "DELETE FROM files WHERE asked<?", "i",
                    today - CACHE_EXPIRY_DAYS);
        if (r == 0)
                r = sql_run(cache->db, err, "DELETE FROM places WHERE asked<?", "i",
                            today - CACHE_EXPIRY_DAYS);
        return r < 0 ? r : cache_meta_set(cache, "expired", now, err);
}

static int reconcile(BuildCache *cache, Error *err) {
        int r = expire(cache, err);

        if (r == 0)
                r = cache_parts_trim(cache, err);
        if (r == 0)
                r = drop_missing(cache, cache->layers_fd,
                                 "SELECT DISTINCT layer FROM records WHERE layer<>'' AND layer NOT "
                                 "LIKE 'sha256:%'",
                                 "DELETE FROM records WHERE layer=?", err);
        if (r == 0)
                r = sql_run(cache->db, err, "DELETE FROM mounts WHERE NOT ready", "");
        return r < 0 ? r
                     : drop_missing(cache, cache->mounts_fd, "SELECT name FROM mounts",
                                    "DELETE FROM mounts WHERE name=?", err);
}

int cache_reconcile(BuildCache *cache, Error *err) {
        int r = cache_begin(cache, err);

        if (r == 0)
                r = cache_end(cache, reconcile(cache, err), err);
        if (r == 0)
                r = remove_unknown(cache, cache->layers_fd, "SELECT 1 FROM records WHERE layer=?",
                                   layer_busy, err);
        return r < 0 ? r
                     : remove_unknown(cache, cache->mounts_fd, "SELECT 1 FROM mounts WHERE name=?",
                                      cache_mount_in_use, err);
}

/* ---- power cuts ---- */

static int boot_id(char **ret, Error *err) {
        _cleanup_free_ char *text = NULL;
        int r = file_read_at(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 128, &text, NULL, err);

        if (r == 0)
                *ret = str_copy(str_trim(text));
        return r;
}

int cache_drop_unsynced(BuildCache *cache, Error *err) {
        _cleanup_free_ char *boot = NULL, *last = NULL, *synced = NULL;
        int64_t since = 0;
        int r = boot_id(&boot, err);

        if (r == 0)
                r = cache_meta_get(cache, "boot", &last, err);
        if (r == 0)
                r = cache_meta_get(cache, "synced", &synced, err);
        if (r < 0)
                return r;
        if (str_to_int64(synced, &since) < 0)
                since = 0; /* never */
        r = sql_number(cache->db, &cache->recorded, err, "SELECT max(recorded_at) FROM records",
                       "");
        if (r < 0)
                return r;
        cache->recorded = MAX(cache->recorded, since);
        if (str_equal(boot, last)) {
                int64_t some = 0;

                r = sql_number(cache->db, &some, err,
                               "SELECT 1 FROM records WHERE recorded_at>? LIMIT 1", "i", since);
                cache->unsynced = some != 0;
                return r;
        }
        r = sql_run(cache->db, err,
                    "DELETE FROM records WHERE layer<>'' AND layer NOT LIKE 'sha256:%' AND "
                    "recorded_at>?",
                    "i", since);
        return r < 0 ? r : cache_meta_set(cache, "boot", boot, err);
}

/* The newest record that the sync is for. */
static int64_t begin_sync(BuildCache *cache) {
        CACHE_LOCKED(cache);
        cache->synced_at = clock_monotonic();
        cache->unsynced = false;
        return cache->recorded;
}

int cache_sync(BuildCache *cache, Error *err) {
        _cleanup_free_ char *text = str_format("%lld", (long long)begin_sync(cache));
        int r;

        r = syncfs(cache->layers_fd) < 0 ? error_set(err, errno, "sync the layers") : 0;
        CACHE_LOCKED(cache);
        if (r == 0)
                r = cache_note(cache, cache_meta_set(cache, "synced", text, err));
        cache->unsynced = cache->unsynced || r < 0;
        return r;
}

static bool sync_due(BuildCache *cache) {
        CACHE_LOCKED(cache);

        return cache->unsynced && clock_monotonic() - cache->synced_at >= SYNC_INTERVAL;
}

/* Most of what is as old as the interval is on disk by then, so it is not long. */
void cache_sync_now_and_then(BuildCache *cache) {
        Error err = {};

        if (sync_due(cache) && cache_sync(cache, &err) < 0)
                log_warn("build cache: %s", err.message);
}
