/* cache-memo.c: the digests of files by what stat(2) says of them. A row an inode, so that a file
 * that is changed again and again takes one. Rows are written a batch at a time: the transaction is
 * left open, in which this connection sees them. */
#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "build/cache-private.h"

#define BATCH_MAX 1000
#define DIGEST_BYTES 32
#define ROW_BYTES (DIGEST_BYTES + 1) /* earlier rows say nothing of extended attributes */

static unsigned nibble(char digit) {
        return (unsigned)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
}

static void digest_pack(const char *digest, unsigned char bytes[ROW_BYTES]) {
        const char *hex = digest_hex(digest);

        bytes[DIGEST_BYTES] = 1;
        for (size_t i = 0; i < DIGEST_BYTES; i++)
                bytes[i] = (unsigned char)(nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1]));
}

static void bind_stamp(sqlite3_stmt *statement, const FileStamp *stamp) {
        (void)sqlite3_bind_int64(statement, 1, (int64_t)stamp->device);
        (void)sqlite3_bind_int64(statement, 2, (int64_t)stamp->inode);
        (void)sqlite3_bind_int64(statement, 3, (int64_t)stamp->size);
        (void)sqlite3_bind_int64(statement, 4, stamp->mtime);
        (void)sqlite3_bind_int64(statement, 5, stamp->ctime);
}

/* What went wrong costs a file read again, no build. */
static void failed(BuildCache *cache) {
        Error err = {};

        (void)cache_note(cache, sql_error(cache->db, &err, "digests of files"));
        log_warn("build cache: %s", err.message);
}

static void put_bytes(BuildCache *cache, const FileStamp *stamp, const void *bytes, int64_t today) {
        sqlite3_stmt *put = cache->memo_put;
        Error err = {};

        if (cache->batched == 0 && cache_note(cache, sql_begin(cache->db, &err)) < 0) {
                log_warn("build cache: digests of files: %s", err.message);
                return;
        }
        bind_stamp(put, stamp);
        (void)sqlite3_bind_blob(put, 6, bytes, ROW_BYTES, SQLITE_TRANSIENT);
        (void)sqlite3_bind_int64(put, 7, today);
        cache->batched++;
        if (sqlite3_step(put) != SQLITE_DONE)
                failed(cache);
        (void)sqlite3_reset(put);
        if (sqlite3_get_autocommit(cache->db)) /* rolled back: the disk is full */
                cache->batched = 0;
        else if (cache->batched >= BATCH_MAX)
                cache_flush_locked(cache);
}

static bool memo_get(void *data, const FileStamp *stamp, char digest[DIGEST_TEXT_MAX]) {
        BuildCache *cache = data;
        int64_t today = clock_now() / NSEC_PER_DAY, asked = today;
        unsigned char bytes[ROW_BYTES];
        bool found = false;

        CACHE_LOCKED(cache);
        bind_stamp(cache->memo_get, stamp);
        int r = sqlite3_step(cache->memo_get);
        if (r == SQLITE_ROW && sqlite3_column_bytes(cache->memo_get, 0) == ROW_BYTES) {
                memcpy(bytes, sqlite3_column_blob(cache->memo_get, 0), ROW_BYTES);
                asked = sqlite3_column_int64(cache->memo_get, 1);
                found = true;
        } else if (r != SQLITE_ROW && r != SQLITE_DONE) {
                failed(cache);
        }
        (void)sqlite3_reset(cache->memo_get);
        if (!found)
                return false;
        (void)snprintf(digest, DIGEST_TEXT_MAX, "sha256:");
        hex_encode(bytes, DIGEST_BYTES, digest + strlen("sha256:"));
        if (asked != today)
                put_bytes(cache, stamp, bytes, today);
        return true;
}

static void memo_put(void *data, const FileStamp *stamp, const char *digest) {
        BuildCache *cache = data;
        unsigned char bytes[ROW_BYTES];

        if (!digest_valid(digest))
                return;
        digest_pack(digest, bytes);
        CACHE_LOCKED(cache);
        put_bytes(cache, stamp, bytes, clock_now() / NSEC_PER_DAY);
}

FileMemo build_cache_memo(BuildCache *cache) {
        return (FileMemo){ .get = memo_get, .put = memo_put, .data = cache };
}

void build_cache_flush(BuildCache *cache) {
        CACHE_LOCKED(cache);

        cache_flush_locked(cache);
}
