/* query.c: finds, reads, lists and tags images. See image.h. */
#include <fcntl.h>

#include "base/failpoint.h"
#include "base/id.h"
#include "base/log.h"
#include "format/reference.h"
#include "image/index.h"
#include "sql/sql.h"

#define CONFIG_MAX (8u << 20)

static void reference_donep(Reference *reference) {
        reference_done(reference);
}

void image_done(Image *image) {
        free(image->id);
        image->names = strv_free(image->names);
        image->digests = strv_free(image->digests);
        json_done(&image_config_table, &image->config);
        free(image->config_text);
        image->chain_ids = strv_free(image->chain_ids);
        free(image->layer_sizes);
        free(image->index);
        *image = (Image){};
}

/* ---- reading ---- */

static int read_names(ImageStore *store, Image *image, Error *err) {
        _cleanup_sql_ sqlite3_stmt *statement = NULL;
        int r = sql_prepare(store->db, &statement, err,
                            "SELECT name, (SELECT count(DISTINCT image) FROM index_images JOIN "
                            "name_indexes ON index_digest=digest"
                            " WHERE name_indexes.name=names.name) FROM names " SQL_NAMES_OF_IMAGE,
                            "t", image->id);

        while (r >= 0 && (r = sql_step(statement, err)) > 0) {
                _cleanup_(reference_donep) Reference reference = {};

                r = reference_parse((const char *)sqlite3_column_text(statement, 0), &reference,
                                    err);
                if (r < 0)
                        return r;
                strv_take(reference.digest ? &image->digests : &image->names,
                          reference_familiar(&reference));
                image->variant |= sqlite3_column_int64(statement, 1) > 1;
        }
        return r;
}

static int read_layers(ImageStore *store, Image *image, Error *err) {
        _cleanup_sql_ sqlite3_stmt *statement = NULL;
        size_t count = 0;
        int r = sql_prepare(store->db, &statement, err,
                            "SELECT chain, size FROM image_layers JOIN layers USING(chain) WHERE "
                            "image=? ORDER BY position",
                            "t", image->id);

        while (r >= 0 && (r = sql_step(statement, err)) > 0) {
                strv_take(&image->chain_ids, sql_text(statement, 0));
                GROW(image->layer_sizes, count);
                image->layer_sizes[count] = sqlite3_column_int64(statement, 1);
                image->size += image->layer_sizes[count++];
        }
        return r;
}

static int read_row(ImageStore *store, const char *id, Image *image, Error *err) {
        _cleanup_sql_ sqlite3_stmt *statement = NULL;
        int r = sql_prepare(store->db, &statement, err,
                            "SELECT id, tagged_at, " SQL_USED_AT " FROM images WHERE id=?1", "t",
                            id);

        if (r == 0)
                r = sql_step(statement, err);
        if (r < 0)
                return r;
        if (r == 0)
                return error_kind(err, ERROR_NOT_FOUND, "No such image: %s", id);
        image->id = sql_text(statement, 0);
        image->tagged_at = sqlite3_column_int64(statement, 1);
        image->used_at = sqlite3_column_int64(statement, 2);
        return 0;
}

int image_read(ImageStore *store, const char *id, Image *ret, Error *err) {
        Image image = {};
        size_t length = 0;
        int r = read_row(store, id, &image, err);

        if (r == 0)
                r = read_names(store, &image, err);
        if (r == 0)
                r = read_layers(store, &image, err);
        if (r == 0)
                r = index_of_image(store, id, &image.index, err);
        if (r == 0)
                r = blob_read(store, id, CONFIG_MAX, &image.config_text, &length, err);
        if (r == 0)
                r = json_parse(&image_config_table, image.config_text, length, &image.config, err);
        if (r < 0)
                image_done(&image);
        else
                *ret = image;
        return r;
}

/* ---- finding ---- */

void resolved_done(Resolved *resolved) {
        free(resolved->id);
        free(resolved->name);
        free(resolved->index);
        *resolved = (Resolved){};
}

static int find_by_name(ImageStore *store, const Reference *reference, Resolved *ret, Error *err) {
        _cleanup_free_ char *repository = reference_repository(reference);
        _cleanup_free_ char *name = reference->digest
                                            ? str_format("%s@%s", repository, reference->digest)
                                            : reference_full(reference);
        int r = sql_find_text(store->db, &ret->id, err, "SELECT image FROM names WHERE name=?",
                              name);

        if (r <= 0)
                return r;
        ret->name = TAKE_PTR(name);
        r = index_of_name(store, ret->name, &ret->index, err);
        return r < 0 ? r : 1;
}

/* 1 if exactly one id, or digest of an index, begins so. */
static int find_by_prefix(ImageStore *store, const char *prefix, Resolved *ret, Error *err) {
        _cleanup_sql_ sqlite3_stmt *statement = NULL;
        _cleanup_free_ char *low = str_format("sha256:%s", prefix),
                            *high = str_format("sha256:%sg", prefix), *found = NULL;
        bool is_index;
        int r = sql_prepare(store->db, &statement, err,
                            "SELECT id, 0 FROM images WHERE id>=?1 AND id<?2 UNION ALL "
                            "SELECT DISTINCT index_digest, 1 FROM index_images WHERE "
                            "index_digest>=?1 AND index_digest<?2 LIMIT 2",
                            "tt", low, high);

        if (r == 0)
                r = sql_step(statement, err);
        if (r <= 0)
                return r;
        found = sql_text(statement, 0);
        is_index = sqlite3_column_int64(statement, 1) != 0;
        r = sql_step(statement, err);
        if (r != 0)
                return MIN(r, 0);
        *(is_index ? &ret->index : &ret->id) = TAKE_PTR(found);
        return is_index ? index_default(store, ret->index, &ret->id, err) : 1;
}

static int resolve_name(ImageStore *store, const char *ref, Resolved *ret, char **ret_printed,
                        Error *err) {
        _cleanup_(reference_donep) Reference reference = {};
        int r = reference_parse(ref, &reference, err);

        if (r < 0)
                return r;
        reference_default_tag(&reference);
        *ret_printed = reference_familiar(&reference);
        return find_by_name(store, &reference, ret, err);
}

static int resolve(ImageStore *store, const char *ref, Resolved *ret, Error *err) {
        const char *prefix = str_after(ref, "sha256:");
        _cleanup_free_ char *printed = NULL;
        int r = 0;

        if (!prefix)
                prefix = ref;
        if (!id_valid(prefix) && prefix == ref)
                r = resolve_name(store, ref, ret, &printed, err);
        if (r == 0 && id_prefix_valid(prefix))
                r = find_by_prefix(store, prefix, ret, err);
        if (r < 0)
                return r;
        return r > 0 ? 0
                     : error_kind(err, ERROR_NOT_FOUND, "No such image: %s",
                                  printed ? printed : ref);
}

int image_resolve(ImageStore *store, const char *ref, Resolved *ret, Error *err) {
        int r;

        *ret = (Resolved){};
        r = resolve(store, ref, ret, err);
        if (r < 0)
                resolved_done(ret);
        return r;
}

int image_find(ImageStore *store, const char *ref, Image *ret, Error *err) {
        return image_find_platform(store, ref, NULL, ret, err);
}

int image_find_id(ImageStore *store, const char *ref, char **ret, Error *err) {
        _cleanup_(resolved_done) Resolved found = {};
        STORE_LOCKED(store);
        int r = image_resolve(store, ref, &found, err);

        if (r == 0)
                *ret = TAKE_PTR(found.id);
        return r;
}

static int check_platform(const Image *image, const char *ref, const ImagePlatform *platform,
                          Error *err) {
        const ImageConfig *config = &image->config;
        _cleanup_free_ char *wanted = platform_text(platform);

        if (platform_fits(config, platform))
                return 0;
        return error_kind(err, ERROR_NOT_FOUND,
                          "image with reference %s was found but does not match the specified "
                          "platform: wanted %s, actual: %s/%s%s%s",
                          ref, wanted, config->os ?: "linux", config->architecture ?: "unknown",
                          str_empty(config->variant) ? "" : "/", config->variant ?: "");
}

/* platform NULL: that which is meant where nobody asks. An index knows better than its images what
 * they are for. The lock is held. */
static int find_platform(ImageStore *store, const char *ref, const ImagePlatform *platform,
                         Image *ret, Error *err) {
        _cleanup_(resolved_done) Resolved found = {};
        _cleanup_(image_done) Image image = {};
        bool fits = !platform;
        int r = image_resolve(store, ref, &found, err);

        if (r == 0 && platform && found.index)
                r = index_prefer(store, found.index, platform, &found.id, &fits, err);
        if (r == 0)
                r = image_read(store, found.id, &image, err);
        if (r == 0 && !fits)
                r = check_platform(&image, ref, platform, err);
        if (r < 0)
                return r;
        if (found.index) /* of several that the image may be of, the one that was meant */
                str_replace(&image.index, found.index);
        *ret = image;
        image = (Image){};
        return 0;
}

int image_resolve_platform(ImageStore *store, const char *ref, const char *platform, Resolved *ret,
                           Error *err) {
        _cleanup_(image_done) Image image = {};
        ImagePlatform wanted = {};
        int r = platform_parse(platform, &wanted, err);

        if (r == 0)
                r = find_platform(store, ref, &wanted, &image, err);
        platform_done(&wanted);
        if (r == 0)
                r = image_resolve(store, ref, ret, err);
        if (r < 0)
                return r;
        str_replace(&ret->id, image.id);
        free(TAKE_PTR(ret->index));
        return 0;
}

/* holder: NULL: nobody. */
static int take(ImageStore *store, const char *ref, const char *platform, const char *holder,
                Image *ret, Error *err) {
        ImagePlatform wanted = {};
        _cleanup_(image_done) Image image = {};
        int r = str_empty(platform) ? 0 : platform_parse(platform, &wanted, err);
        STORE_LOCKED(store);

        if (r == 0)
                r = find_platform(store, ref, str_empty(platform) ? NULL : &wanted, &image, err);
        platform_done(&wanted);
        if (r == 0 && holder)
                r = image_hold_locked(store, image.id, holder, err);
        if (r < 0)
                return r;
        *ret = image;
        image = (Image){};
        return 0;
}

int image_find_platform(ImageStore *store, const char *ref, const char *platform, Image *ret,
                        Error *err) {
        return take(store, ref, platform, NULL, ret, err);
}

int image_take(ImageStore *store, const char *ref, const char *platform, const char *holder,
               Image *ret, Error *err) {
        return take(store, ref, platform, holder, ret, err);
}

static int newest_first(const void *a, const void *b) {
        const Image *left = a, *right = b;

        if (left->config.created != right->config.created)
                return left->config.created < right->config.created ? 1 : -1;
        return strcmp(left->id, right->id);
}

static int list_ids(ImageStore *store, char ***ret, Error *err) {
        _cleanup_sql_ sqlite3_stmt *statement = NULL;
        int r = sql_prepare(store->db, &statement, err, "SELECT id FROM images", "");

        while (r >= 0 && (r = sql_step(statement, err)) > 0)
                strv_take(ret, sql_text(statement, 0));
        return r;
}

int image_list(ImageStore *store, Image **ret, size_t *ret_count, Error *err) {
        STORE_LOCKED(store);
        _cleanup_strv_ char **ids = NULL;
        Image *images = NULL;
        size_t count = 0;
        int r = list_ids(store, &ids, err);

        if (r < 0)
                return r;
        for (size_t i = 0; ids && ids[i]; i++) {
                Error why = {};

                GROW(images, count);
                images[count] = (Image){};
                if (image_read(store, ids[i], &images[count], &why) == 0)
                        count++;
                else /* one damaged image must not hide the others */
                        log_error("image %s can't be read: %s; remove it by its id, and pull or "
                                  "load it again",
                                  ids[i], why.message);
        }
        if (count > 0)
                qsort(images, count, sizeof(Image), newest_first);
        *ret = images;
        *ret_count = count;
        return 0;
}

int image_layers_size(ImageStore *store, int64_t *ret, Error *err) {
        STORE_LOCKED(store);
        _cleanup_sql_ sqlite3_stmt *statement = NULL;
        int r = sql_prepare(store->db, &statement, err, "SELECT sum(size) FROM layers", "");

        if (r == 0)
                r = sql_step(statement, err);
        if (r < 0)
                return r;
        *ret = sqlite3_column_int64(statement, 0); /* NULL, where there is none, is 0 */
        return 0;
}

int image_size_in_use(ImageStore *store, int64_t *ret, Error *err) {
        STORE_LOCKED(store);

        return sql_number(store->db, ret, err,
                          "SELECT coalesce(sum(size), 0) FROM layers WHERE chain IN (SELECT chain "
                          "FROM image_layers)",
                          "");
}

int image_layer_size(ImageStore *store, const char *chain, int64_t *ret, bool *ret_image,
                     Error *err) {
        STORE_LOCKED(store);
        _cleanup_sql_ sqlite3_stmt *statement = NULL;
        int r = sql_prepare(store->db, &statement, err,
                            "SELECT size, EXISTS(SELECT 1 FROM image_layers WHERE chain=?1) FROM "
                            "layers WHERE chain=?1",
                            "t", chain);

        if (r == 0)
                r = sql_step(statement, err);
        if (r == 0)
                return error_kind(err, ERROR_NOT_FOUND, "No such layer: %s", chain);
        if (r < 0)
                return r;
        *ret = sqlite3_column_int64(statement, 0);
        *ret_image = sqlite3_column_int64(statement, 1) != 0;
        return 0;
}

/* ---- tags ---- */

int image_target_name(const char *target, char **ret, Error *err) {
        _cleanup_(reference_donep) Reference reference = {};
        int r = reference_parse(target, &reference, err);

        if (r < 0)
                return r;
        if (reference.digest)
                return error_kind(err, ERROR_INVALID,
                                  "refusing to create a tag with a digest reference");
        if (str_equal(reference.path, "library/sha256"))
                return error_kind(
                        err, ERROR_INVALID,
                        "refusing to create an ambiguous tag using digest algorithm as name");
        reference_default_tag(&reference);
        *ret = reference_full(&reference);
        return 0;
}

int image_tag(ImageStore *store, const char *source, const char *target, Error *err) {
        _cleanup_(resolved_done) Resolved from = {};
        _cleanup_free_ char *name = NULL;
        int r = image_target_name(target, &name, err);
        STORE_LOCKED(store);

        if (r == 0)
                r = image_resolve(store, source, &from, err);
        if (r < 0 || str_equal(from.name, name))
                return r;
        r = sql_run(store->db, err, "BEGIN IMMEDIATE", "");
        if (r < 0)
                return r;
        r = sql_run(store->db, err, "INSERT OR REPLACE INTO names(name, image) VALUES(?,?)", "tt",
                    name, from.id);
        if (r == 0 && from.index)
                r = index_put_name(store, from.index, name, err);
        if (r == 0)
                r = failpoint("image.tag", err);
        return sql_end(store->db, r, err);
}

/* ---- root file systems ---- */

int image_layers(ImageStore *store, const Image *image, char ***ret_lowers, Error *err) {
        _cleanup_strv_ char **lowers = NULL;

        for (size_t i = strv_length(image->chain_ids); i-- > 0;) {
                int r = layer_ensure(store, image->chain_ids[i], err);

                if (r < 0)
                        return r;
                strv_format(&lowers, "snapshots/%s/fs", digest_hex(image->chain_ids[i]));
        }
        *ret_lowers = TAKE_PTR(lowers);
        return 0;
}
