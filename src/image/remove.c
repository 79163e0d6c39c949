/* remove.c: untags and deletes images, with the rules and conflicts of Docker's DELETE
 * /images/{name}. Images know no children here: no build keeps its steps as images. */
#include "base/failpoint.h"
#include "base/id.h"
#include "format/reference.h"
#include "image/index.h"
#include "sql/sql.h"

static const JsonField removal_fields[] = {
        JSON_FIELD(ImageRemoval, "Untagged", JSON_STRING, untagged, JSON_OMIT_EMPTY),
        JSON_FIELD(ImageRemoval, "Deleted", JSON_STRING, deleted, JSON_OMIT_EMPTY),
};
const JsonTable image_removal_table = JSON_TABLE(ImageRemoval, "removal", removal_fields);

typedef struct Removal {
        ImageStore *store;
        bool force;
        const ImageUse *use;
        char *id;
        char *index;     /* digest of the one that is meant, or NULL */
        char *container; /* one that uses the image, or NULL */
        bool running;    /* and whether it runs */
        bool leased;     /* a build has further use for the image */
        char **names;    /* full, of tags and digests, what is left of them */
        char **indexes;  /* digests of those that lose a name, or must go */
        char **others;   /* images that share an index with it, which no container uses */
        bool alone;      /* the image alone is meant, and its indexes keep the names */
        JsonArray *records;
} Removal;

static void reference_donep(Reference *reference) {
        reference_done(reference);
}

static void removal_done(Removal *removal) {
        free(removal->id);
        free(removal->index);
        free(removal->container);
        removal->names = strv_free(removal->names);
        removal->indexes = strv_free(removal->indexes);
        removal->others = strv_free(removal->others);
}

static const char *short_id(const char *id) { /* for "%.12s" */
        const char *hex = str_after(id, "sha256:");

        return hex ? hex : id;
}

static void record_deleted(Removal *removal, const char *id) {
        ImageRemoval *record = json_append(removal->records, &image_removal_table);

        record->deleted = str_copy(id);
}

static bool is_digest(const char *name) {
        return strchr(name, '@') != NULL;
}

static char *repository_of(const char *name) {
        Reference reference = {};
        char *repository = NULL;

        if (reference_parse(name, &reference, NULL) == 0) {
                repository = reference_repository(&reference);
                reference_done(&reference);
        }
        return repository ? repository : str_copy(name);
}

/* At most one tag, and all digests in its repository: the names are one thing to a user. */
static bool single_reference(char *const *names) {
        const char *only = NULL;
        _cleanup_free_ char *repository = NULL;

        if (strv_length(names) <= 1)
                return true;
        for (size_t i = 0; names[i]; i++) {
                if (is_digest(names[i]))
                        continue;
                if (only)
                        return false;
                only = names[i];
        }
        repository = repository_of(only ? only : names[0]);
        for (size_t i = 0; names[i]; i++) {
                _cleanup_free_ char *other = repository_of(names[i]);

                if (!str_equal(repository, other))
                        return false;
        }
        return true;
}

/* The index that the name means loses it. */
static int note_index(Removal *removal, const char *name, Error *err) {
        _cleanup_free_ char *digest = NULL;
        int r = index_of_name(removal->store, name, &digest, err);

        if (r > 0 && !strv_has(removal->indexes, digest))
                strv_take(&removal->indexes, TAKE_PTR(digest));
        return MIN(r, 0);
}

static int untag(Removal *removal, const char *name, Error *err) {
        _cleanup_free_ char *kept = str_copy(name);
        _cleanup_(reference_donep) Reference reference = {};
        ImageRemoval *record;
        bool moved = false;
        int r = reference_parse(kept, &reference, err);

        if (r == 0 && removal->alone)
                r = index_move_name(removal->store, kept, removal->id, &moved, err);
        if (r == 0 && !moved)
                r = note_index(removal, kept, err);
        if (r == 0 && !moved)
                r = sql_run(removal->store->db, err, "DELETE FROM names WHERE name=?", "t", kept);
        if (r < 0)
                return r;
        (void)strv_drop(removal->names, kept);
        if (moved)
                return 0;
        record = json_append(removal->records, &image_removal_table);
        record->untagged = reference_familiar(&reference);
        return 0;
}

static int untag_all(Removal *removal, Error *err) {
        while (removal->names && removal->names[0]) {
                int r = untag(removal, removal->names[0], err);

                if (r < 0)
                        return r;
        }
        return 0;
}

/* Digests of a repository go with its last tag. */
static int untag_orphaned_digests(Removal *removal, const char *name, Error *err) {
        _cleanup_free_ char *repository = repository_of(name);
        _cleanup_strv_ char **orphans = NULL;

        for (size_t i = 0; removal->names && removal->names[i]; i++) {
                _cleanup_free_ char *other = repository_of(removal->names[i]);

                if (!str_equal(repository, other))
                        continue;
                if (!is_digest(removal->names[i]))
                        return 0;
                strv_add(&orphans, removal->names[i]);
        }
        for (size_t i = 0; orphans && orphans[i]; i++) {
                int r = untag(removal, orphans[i], err);

                if (r < 0)
                        return r;
        }
        return 0;
}

/* What forbids deleting the image. soft: what force overrides counts too. *ret_used: it is a
 * container. */
static int check_conflicts(const Removal *removal, bool soft, bool tags_count, bool *ret_used,
                           Error *err) {
        const char *container = removal->container, *id = short_id(removal->id);

        *ret_used = removal->leased || (container && (removal->running || soft));
        if (removal->leased)
                return error_kind(err, ERROR_CONFLICT,
                                  "conflict: unable to delete %.12s (cannot be forced) - image is "
                                  "being used by a running build",
                                  id);
        if (container && removal->running)
                return error_kind(err, ERROR_CONFLICT,
                                  "conflict: unable to delete %.12s (cannot be forced) - image is "
                                  "being used by "
                                  "running container %.12s",
                                  id, container);
        if (soft && tags_count && removal->names && removal->names[0])
                return error_kind(err, ERROR_CONFLICT,
                                  "conflict: unable to delete %.12s (must be forced) - image is "
                                  "referenced in "
                                  "multiple repositories",
                                  id);
        if (soft && container)
                return error_kind(err, ERROR_CONFLICT,
                                  "conflict: unable to delete %.12s (must be forced) - image is "
                                  "being used by "
                                  "stopped container %.12s",
                                  id, container);
        return 0;
}

/* ref was a name. */
static int remove_name(Removal *removal, const char *ref, const char *name, Error *err) {
        int r;

        if (!removal->force && single_reference(removal->names) && removal->container)
                return error_kind(
                        err, ERROR_CONFLICT,
                        "conflict: unable to remove repository reference \"%s\" (must force) - "
                        "container %.12s is using its referenced image %.12s",
                        ref, removal->container, short_id(removal->id));
        r = untag(removal, name, err);
        return r < 0 || is_digest(name) ? r : untag_orphaned_digests(removal, name, err);
}

/* ref was an id: its names go if they are one thing. */
static int remove_names_of_id(Removal *removal, Error *err) {
        bool used;
        int r;

        if (!single_reference(removal->names))
                return 0;
        r = check_conflicts(removal, !removal->force, false, &used, err);
        return r < 0 ? r : untag_all(removal, err);
}

static int list_blobs(Removal *removal, const char *id, char ***blobs, Error *err) {
        _cleanup_sql_ sqlite3_stmt *statement = NULL;
        int r = sql_prepare(removal->store->db, &statement, err,
                            "SELECT manifest FROM images WHERE id=?1 UNION SELECT manifest FROM "
                            "index_images WHERE image=?1",
                            "t", id);

        strv_add(blobs, id);
        while (r >= 0 && (r = sql_step(statement, err)) > 0)
                if (sqlite3_column_text(statement, 0))
                        strv_add(blobs, (const char *)sqlite3_column_text(statement, 0));
        return r;
}

static int delete_row(Removal *removal, const char *id, char ***blobs, Error *err) {
        int r = list_blobs(removal, id, blobs, err);

        if (r == 0)
                r = sql_run(removal->store->db, err, "DELETE FROM images WHERE id=?", "t", id);
        if (r == 0)
                record_deleted(removal, id);
        return r;
}

/* quiet: a name was removed already, so a container that keeps the image is no error. */
static int delete_image(Removal *removal, bool quiet, char ***blobs, Error *err) {
        bool used = false;
        Error conflict = {};
        int r = check_conflicts(removal, !removal->force, true, &used, &conflict);

        if (r < 0 && quiet && used)
                return 0;
        if (r < 0)
                return error_kind(err, conflict.kind, "%s", conflict.message);
        r = untag_all(removal, err);
        return r < 0 ? r : delete_row(removal, removal->id, blobs, err);
}

/* Another name, another index or a build has the image. */
static int is_wanted(Removal *removal, const char *id, bool *ret, Error *err) {
        int64_t users = 0;
        int r = lease_find(removal->store, id, ret, err);

        if (r == 0)
                r = sql_number(removal->store->db, &users, err,
                               "SELECT (SELECT count(*) FROM index_images WHERE image=?1) + "
                               "(SELECT count(*) FROM names " SQL_NAMES_OF_IMAGE ")",
                               "t", id);
        *ret |= users > 0;
        return r;
}

/* What the index had here besides goes with it, unless something else has it. */
static int delete_others(Removal *removal, char ***blobs, Error *err) {
        int r = 0;

        for (size_t i = 0; r == 0 && removal->others && removal->others[i]; i++) {
                bool wanted;

                r = is_wanted(removal, removal->others[i], &wanted, err);
                if (r == 0 && !wanted)
                        r = delete_row(removal, removal->others[i], blobs, err);
        }
        return r;
}

/* Of an image all that mean it, also as one of an index; of an index those that mean it. */
static int read_names(Removal *removal, bool of_index, Error *err) {
        _cleanup_sql_ sqlite3_stmt *statement = NULL;
        int r = sql_prepare(removal->store->db, &statement, err,
                            of_index ? "SELECT name FROM name_indexes WHERE digest=? ORDER BY rowid"
                                     : "SELECT name FROM names " SQL_NAMES_OF_IMAGE,
                            "t", of_index ? removal->index : removal->id);

        while (r >= 0 && (r = sql_step(statement, err)) > 0)
                strv_take(&removal->names, sql_text(statement, 0));
        return r;
}

/* ref was an index's digest: its names go if they are one thing, or must. */
static int remove_names_of_index(Removal *removal, Error *err) {
        bool used;
        int r = check_conflicts(removal, !removal->force, !single_reference(removal->names), &used,
                                err);

        return r < 0 ? r : untag_all(removal, err);
}

static int leave_index(Removal *removal, const char *digest, char ***blobs, Error *err) {
        int64_t names = 0;
        bool leased = false;
        int r = sql_number(removal->store->db, &names, err,
                           "SELECT count(*) FROM name_indexes WHERE digest=?", "t", digest);

        if (r == 0)
                r = lease_find(removal->store, digest, &leased, err);
        return r < 0 || names > 0 || leased ? r : index_forget(removal->store, digest, blobs, err);
}

/* An index goes with its last name, or when its digest was given. */
static int leave_indexes(Removal *removal, char ***blobs, Error *err) {
        int r = 0;

        for (size_t i = 0; r == 0 && removal->indexes && removal->indexes[i]; i++)
                r = leave_index(removal, removal->indexes[i], blobs, err);
        return r;
}

/* Indexes that have no image here any more. */
static int record_indexes(Removal *removal, char ***blobs, Error *err) {
        _cleanup_strv_ char **digests = NULL;
        int r = index_list_unused(removal->store, &digests, err);

        for (size_t i = 0; r == 0 && digests && digests[i]; i++) {
                record_deleted(removal, digests[i]);
                strv_add(blobs, digests[i]);
        }
        return r;
}

static int check_unchanged(const Removal *removal, const char *ref, Resolved *found, Error *err) {
        int r = image_resolve(removal->store, ref, found, err);

        if (r < 0 || (str_equal(found->id, removal->id) && str_equal(found->index, removal->index)))
                return r;
        return error_kind(err, ERROR_CONFLICT, "image %s was changed meanwhile: try again", ref);
}

/* Under the lock, as who takes it into use has it. */
static int check_unused(const Removal *removal, const char *ref, Error *err) {
        const ImageUse *use = removal->use;
        int64_t used = 0;
        int r = use && use->unused ? sql_number(removal->store->db, &used, err,
                                                "SELECT " SQL_USED_AT " FROM images WHERE id=?1",
                                                "t", removal->id)
                                   : 0;

        if (r < 0 || !use || !use->unused || used <= use->unused_since)
                return r;
        return error_kind(err, ERROR_CONFLICT, "image %s was used meanwhile", ref);
}

static int remove_locked(Removal *removal, const char *ref, char ***blobs, Error *err) {
        _cleanup_(resolved_done) Resolved found = {};
        bool of_index, kept = false;
        int r = check_unchanged(removal, ref, &found, err);

        if (r == 0)
                r = check_unused(removal, ref, err);
        of_index = removal->index && !found.name;

        if (r == 0)
                r = lease_find(removal->store, of_index ? removal->index : removal->id,
                               &removal->leased, err);
        if (r == 0)
                r = read_names(removal, of_index, err);
        if (r == 0)
                r = found.name ? remove_name(removal, ref, found.name, err)
                    : of_index ? remove_names_of_index(removal, err)
                               : remove_names_of_id(removal, err);
        if (r == 0 && of_index && !strv_has(removal->indexes, removal->index))
                strv_add(&removal->indexes, removal->index);
        if (r == 0)
                r = leave_indexes(removal, blobs, err);
        if (r == 0 && !removal->alone)
                r = is_wanted(removal, removal->id, &kept, err);
        if (r == 0 && !kept)
                r = delete_image(removal, !removal->alone, blobs, err);
        if (r == 0)
                r = delete_others(removal, blobs, err);
        return r < 0 ? r : record_indexes(removal, blobs, err);
}

static int remove_in_transaction(Removal *removal, const char *ref, char ***blobs, Error *err) {
        ImageStore *store = removal->store;
        STORE_LOCKED(store);
        int r = sql_run(store->db, err, "BEGIN IMMEDIATE", "");

        if (r < 0)
                return r;
        r = remove_locked(removal, ref, blobs, err);
        if (r == 0)
                r = failpoint("image.untag", err);
        if (r == 0)
                r = sql_run(store->db, err, "COMMIT", "");
        if (r < 0)
                (void)sql_run(store->db, NULL, "ROLLBACK", "");
        return r;
}

/* Asks who uses the image, without the lock: the answer may need other locks. */
static int find_user(Removal *removal, const char *ref, Error *err) {
        const ImageUse *use = removal->use;
        _cleanup_(resolved_done) Resolved found = {};
        _cleanup_strv_ char **others = NULL;
        int r;

        store_lock(removal->store);
        r = image_resolve(removal->store, ref, &found, err);
        if (r == 0 && (found.index || found.name))
                r = index_others(removal->store, found.id, &others, err);
        store_unlock(removal->store);
        removal->alone = !found.name && !found.index;
        removal->id = TAKE_PTR(found.id);
        removal->index = TAKE_PTR(found.index);
        if (r == 0 && use && use->container_of)
                removal->container = use->container_of(use->data, removal->id, &removal->running);
        for (size_t i = 0; r == 0 && others && others[i]; i++) {
                bool running;
                _cleanup_free_ char *container =
                        use && use->container_of ? use->container_of(use->data, others[i], &running)
                                                 : NULL;

                if (!container)
                        strv_add(&removal->others, others[i]);
        }
        return r;
}

int image_remove(ImageStore *store, const char *ref, bool force, bool no_prune, const ImageUse *use,
                 JsonArray *removals, Error *err) {
        JsonArray records = {};
        _cleanup_(removal_done) Removal removal = {
                .store = store, .force = force, .use = use, .records = &records
        };
        _cleanup_strv_ char **blobs = NULL, **chains = NULL;
        int r = find_user(&removal, ref, err);

        (void)no_prune; /* it spares untagged parents, which exist in no store of this engine */
        if (r == 0)
                r = remove_in_transaction(&removal, ref, &blobs, err);
        if (r == 0)
                r = failpoint("image.untagged", err);
        if (r == 0 && blobs)
                r = store_collect(store, blobs, &chains, err);
        for (size_t i = 0; r == 0 && chains && chains[i]; i++)
                record_deleted(&removal, chains[i]);
        for (size_t i = 0; i < records.count; i++) {
                ImageRemoval *record = (ImageRemoval *)records.items + i;

                if (r == 0)
                        *(ImageRemoval *)json_append(removals, &image_removal_table) = *record;
                else
                        json_done(&image_removal_table, record);
        }
        free(records.items);
        return r;
}
