/* cache-explain.c: why a step is run: what its key is made of, beside what it was made of when the
 * same place was built last. */
#include <errno.h>

#include "base/clock.h"
#include "build/cache-private.h"

#define FILES_MAX 4096
#define SHORT_DIGEST 16 /* digits; enough to tell that something differs */
#define TRIM_EVERY 256u /* writes: a look at all parts costs as much as some of them */
#define PARTS_MAX ((int64_t)16 << 20) /* bytes of places, and of records */

typedef enum Difference { CHANGED, NEW, GONE, DIFFERENCES } Difference;

/* The most telling first; the last is of what begins with none of them. */
typedef struct Kind {
        const char *prefix;             /* without a space at its end: the whole name */
        const char *words[DIFFERENCES]; /* %s: what follows the prefix */
        bool counted;                   /* "(and 3 more)" */
} Kind;

static const Kind kinds[] = {
        { "instruction",
          { "the instruction changed", "the instruction is new", "the instruction is gone" },
          false },
        { "network",
          { "the network changed", "it has a network now", "it has no network any more" },
          false },
        { "security",
          { "--security changed", "it runs with --security=insecure now",
            "it runs without --security=insecure now" },
          false },
        { "base",
          { "the base image changed", "it has a base image now", "it has no base image any more" },
          false },
        { "before",
          { "the step before it ran", "a step stands before it now",
            "no step stands before it any more" },
          false },
        { "arg ",
          { "build argument %s changed", "build argument %s is new", "build argument %s is gone" },
          true },
        { "from ",
          { "what it takes from %s changed", "it takes from %s now",
            "it takes nothing from %s any more" },
          true },
        { "git ",
          { "%s points at another commit", "it takes from %s now",
            "it takes nothing from %s any more" },
          true },
        { "git-user ",
          { "%s was fetched for another user", "%s is one user's now", "%s is anybody's now" },
          true },
        { "file ", { "file %s changed", "file %s is new", "file %s is gone" }, true },
        { "", { "%s changed", "%s is new", "%s is gone" }, true },
};

void cache_parts_done(CacheParts *parts) {
        pairs_done(&parts->items);
        *parts = (CacheParts){};
}

void cache_parts_file(void *data, const char *path, const char *digest) {
        CacheParts *parts = data;
        _cleanup_free_ char *name = NULL;
        Digester digester;

        if (parts->files++ < FILES_MAX) {
                name = str_format("file %s", path);
                pairs_append(&parts->items, name, digest);
                return;
        }
        parts->cut = true;
        digester_init(&digester);
        digester_add(&digester, parts->rest, strlen(parts->rest));
        digester_add(&digester, path, strlen(path) + 1);
        digester_add(&digester, digest, strlen(digest));
        digester_end(&digester, parts->rest);
}

/* ---- as it is kept: name NUL value NUL, again and again: a path is any bytes ---- */

static void pack_one(Buf *buf, const char *name, const char *value) {
        buf_add(buf, name, strlen(name) + 1);
        if (digest_valid(value))
                buf_add(buf, digest_hex(value), SHORT_DIGEST);
        else
                buf_add_str(buf, value);
        buf_add_char(buf, '\0');
}

static void pack(const CacheParts *parts, Buf *ret) {
        for (size_t i = 0; i < parts->items.count; i++)
                pack_one(ret, parts->items.items[i].key, parts->items.items[i].value);
        if (parts->cut)
                pack_one(ret, "one of the files beyond the first 4096", parts->rest);
}

/* Takes one off the front; false at the end. */
static bool next(const char **at, const char *end, const char **name, const char **value) {
        const char *middle, *last;

        *name = *at;
        if (*at >= end || !(middle = memchr(*at, '\0', (size_t)(end - *at))))
                return false;
        *value = middle + 1;
        if (*value >= end || !(last = memchr(*value, '\0', (size_t)(end - *value))))
                return false;
        *at = last + 1;
        return true;
}

static void index_parts(const Buf *parts, Map *ret) {
        const char *at = parts->data, *end = at ? at + parts->length : at, *name, *value;

        while (next(&at, end, &name, &value))
                (void)map_put(ret, name, (void *)value);
}

/* ---- what differs ---- */

typedef struct Differences {
        const char *first[ELEMENTS(kinds)][DIFFERENCES]; /* names, borrowed */
        size_t count[ELEMENTS(kinds)];
} Differences;

static size_t kind_of(const char *name) {
        for (size_t i = 0; i < ELEMENTS(kinds) - 1; i++) {
                const char *prefix = kinds[i].prefix, *after = str_after(name, prefix);

                if (after && (*after == '\0' || str_ends(prefix, " ")))
                        return i;
        }
        return ELEMENTS(kinds) - 1;
}

static void note(Differences *differences, Difference difference, const char *name) {
        size_t kind = kind_of(name);

        if (!differences->first[kind][difference])
                differences->first[kind][difference] = name;
        differences->count[kind]++;
}

/* Notes the parts of `these` that `others` has not, or, where changed, that it has otherwise. */
static void compare(const Buf *these, const Map *others, bool changed, Difference absent,
                    Differences *ret) {
        const char *at = these->data, *end = at ? at + these->length : at, *name, *value;

        while (next(&at, end, &name, &value)) {
                const char *other = map_get(others, name);

                if (!other)
                        note(ret, absent, name);
                else if (changed && !str_equal(other, value))
                        note(ret, CHANGED, name);
        }
}

static void put_words(Buf *buf, const char *words, const char *name) {
        const char *hole = strstr(words, "%s");

        if (!hole) {
                buf_add_str(buf, words);
                return;
        }
        buf_add(buf, words, (size_t)(hole - words));
        for (; *name; name++) /* one line, whatever a file is called */
                buf_add_char(buf, (unsigned char)*name < ' ' || *name == 127 ? '?' : *name);
        buf_add_str(buf, hole + 2);
}

static char *words_of(const Differences *differences) {
        _cleanup_buf_ Buf buf = {};

        for (size_t i = 0; i < ELEMENTS(kinds); i++) {
                const Kind *kind = &kinds[i];

                for (Difference d = 0; d < DIFFERENCES; d++) {
                        const char *name = differences->first[i][d];

                        if (!name)
                                continue;
                        put_words(&buf, kind->words[d], str_after(name, kind->prefix));
                        if (kind->counted && differences->count[i] > 1)
                                buf_format(&buf, " (and %zu more)", differences->count[i] - 1);
                        return buf_take(&buf);
                }
        }
        return NULL;
}

static void index_done(Map *map) {
        map_done(map, NULL);
}

static char *explain(const Buf *old, const Buf *parts, bool built) {
        _cleanup_(index_done) Map before = {}, now = {};
        Differences differences = {};
        char *words;

        index_parts(old, &before);
        index_parts(parts, &now);
        compare(parts, &before, true, NEW, &differences);
        compare(old, &now, false, GONE, &differences);
        words = words_of(&differences);
        return words ? words
                     : str_copy(built ? "its layer was collected" : "its last run did not finish");
}

/* ---- the database ---- */

/* 1: it was built here, or begun. */
static int load(BuildCache *cache, const char *place, Buf *ret, bool *ret_built, Error *err) {
        _cleanup_sql_ sqlite3_stmt *row = NULL;
        int r = sql_prepare(cache->db, &row, err, "SELECT parts, built FROM places WHERE place=?",
                            "t", place);

        if (r == 0)
                r = sql_step(row, err);
        if (r <= 0)
                return r;
        buf_add(ret, sqlite3_column_blob(row, 0), (size_t)sqlite3_column_bytes(row, 0));
        *ret_built = sqlite3_column_int(row, 1);
        return 1;
}

static int keep(BuildCache *cache, const char *place, const Buf *parts, Error *err) {
        _cleanup_sql_ sqlite3_stmt *statement = NULL;
        int r = sql_prepare(cache->db, &statement, err,
                            "INSERT OR REPLACE INTO places(place, built, asked, parts) "
                            "VALUES(?,0,?,?)",
                            "ti", place, clock_now() / NSEC_PER_DAY);

        if (r < 0)
                return r;
        (void)sqlite3_bind_blob64(statement, 3, parts->data ? parts->data : "", parts->length,
                                  SQLITE_STATIC);
        r = sql_step(statement, err);
        return r < 0 ? r : cache_parts_written(cache, err);
}

int cache_parts_trim(BuildCache *cache, Error *err) {
        int r = sql_run(cache->db, err,
                        "DELETE FROM places WHERE rowid IN (SELECT row FROM (SELECT rowid AS row, "
                        "sum(length(parts)) OVER (ORDER BY asked DESC, rowid DESC) AS total FROM "
                        "places) WHERE total>?)",
                        "i", PARTS_MAX);

        return r < 0 ? r
                     : sql_run(cache->db, err,
                               "DELETE FROM made WHERE record IN (SELECT record FROM (SELECT "
                               "record, sum(length(parts)) OVER (ORDER BY used_at DESC, record "
                               "DESC) AS total FROM made JOIN records ON id=record) WHERE total>?)",
                               "i", PARTS_MAX);
}

int cache_parts_written(BuildCache *cache, Error *err) {
        return ++cache->parts_written % TRIM_EVERY != 0 ? 0 : cache_parts_trim(cache, err);
}

int build_cache_found_at(BuildCache *cache, const char *place, const char *result, Error *err) {
        CACHE_LOCKED(cache);
        int r = sql_run(cache->db, err,
                        "INSERT INTO places(place, built, asked, parts) SELECT ?1, 1, ?2, "
                        "made.parts FROM made JOIN records ON id=record WHERE result=?3 LIMIT 1 "
                        "ON CONFLICT(place) DO UPDATE SET built=1, asked=excluded.asked, "
                        "parts=excluded.parts WHERE NOT built OR asked<>excluded.asked OR "
                        "parts<>excluded.parts",
                        "tit", place, clock_now() / NSEC_PER_DAY, result);

        if (r == 0 && sqlite3_changes(cache->db) > 0)
                r = cache_parts_written(cache, err);
        return cache_note(cache, r);
}

int build_cache_explain(BuildCache *cache, const char *place, const CacheParts *parts,
                        char **ret_why, Error *err) {
        _cleanup_buf_ Buf now = {}, old = {};
        bool built = false;
        int known;

        pack(parts, &now);
        {
                CACHE_LOCKED(cache);
                known = load(cache, place, &old, &built, err);
                int r = known < 0 ? known : keep(cache, place, &now, err);
                if (cache_note(cache, r) < 0)
                        return r;
        }
        *ret_why = known ? explain(&old, &now, built) : str_copy("it was never built here");
        return 0;
}
