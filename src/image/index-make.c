/* index-make.c: an index of images that the store has: the builder's, or of whoever has several. */
#include <errno.h>

#include "base/failpoint.h"
#include "image/form.h"
#include "image/index.h"
#include "sql/sql.h"

typedef struct IndexMaker {
        ImageStore *store;
        PinSet pins;
        char **names;
        ImageIndex index;
        Variant *variants;
        size_t count;
} IndexMaker;

static void index_maker_done(IndexMaker *maker) {
        pins_release(&maker->pins);
        maker->names = strv_free(maker->names);
        json_done(&image_index_table, &maker->index);
        free(maker->variants);
}

static int find_manifest(ImageStore *store, const char *id, char ret[DIGEST_TEXT_MAX], Error *err) {
        _cleanup_sql_ sqlite3_stmt *statement = NULL;
        int r = sql_prepare(store->db, &statement, err, "SELECT manifest FROM images WHERE id=?",
                            "t", id);

        if (r == 0)
                r = sql_step(statement, err);
        if (r < 0)
                return r;
        if (!r || !sqlite3_column_text(statement, 0))
                return error_kind(err, ERROR_NOT_FOUND,
                                  "image %s has no manifest here, which an index could name: build "
                                  "it, or push it and pull it again",
                                  id);
        (void)snprintf(ret, DIGEST_TEXT_MAX, "%s", (const char *)sqlite3_column_text(statement, 0));
        return 0;
}

static ImagePlatform *platform_of(const ImageConfig *config) {
        ImagePlatform *platform = NEW(ImagePlatform);

        platform->architecture = str_copy(config->architecture);
        platform->os = str_copy(config->os);
        platform->variant = str_copy(str_empty(config->variant) ? NULL : config->variant);
        platform->os_version = str_copy(str_empty(config->os_version) ? NULL : config->os_version);
        return platform;
}

/* wanted: the platform that the image was made for, or NULL: the one that it says. */
static int describe(IndexMaker *maker, const Image *image, const char *manifest, const char *wanted,
                    Error *err) {
        _cleanup_(document_done) Document document = {};
        _cleanup_free_ char *text = NULL;
        Descriptor *descriptor;
        size_t length = 0;
        int r = blob_read(maker->store, manifest, DOCUMENT_MAX, &text, &length, err);

        if (r == 0)
                r = document_parse(text, length, NULL, &document, err);
        if (r < 0)
                return r;
        descriptor = json_append(&maker->index.manifests, &descriptor_table);
        descriptor->media_type = str_copy(document.manifest.media_type ?: MEDIA_OCI_MANIFEST);
        descriptor->digest = str_copy(manifest);
        descriptor->size = (int64_t)length;
        if (!wanted) {
                descriptor->platform = platform_of(&image->config);
                return 0;
        }
        descriptor->platform = NEW(ImagePlatform);
        return platform_parse(wanted, descriptor->platform, err);
}

/* The same image may stand for several platforms: it has an entry for each, and one row. */
static void add_variant(IndexMaker *maker, const Variant *variant) {
        for (size_t i = 0; i < maker->count; i++)
                if (str_equal(maker->variants[i].manifest, variant->manifest))
                        return;
        GROW(maker->variants, maker->count);
        maker->variants[maker->count++] = *variant;
}

static int add_image(IndexMaker *maker, const char *id, const char *wanted, Error *err) {
        _cleanup_(image_done) Image image = {};
        Variant variant = {};
        int r;

        pins_add(&maker->pins, id);
        {
                STORE_LOCKED(maker->store);
                r = image_read(maker->store, id, &image, err);
                if (r == 0)
                        r = find_manifest(maker->store, id, variant.manifest, err);
        }
        if (r < 0)
                return r;
        pins_add(&maker->pins, variant.manifest);
        memcpy(variant.image, image.id, DIGEST_TEXT_MAX);
        add_variant(maker, &variant);
        return describe(maker, &image, variant.manifest, wanted, err);
}

static int mark_host(IndexMaker *maker, Error *err) {
        ImagePlatform host = {};
        const Descriptor *chosen;
        int r = platform_parse(NULL, &host, err);

        if (r < 0)
                return r;
        chosen = index_choose(&maker->index, &host);
        for (size_t i = 0; i < maker->count; i++)
                maker->variants[i].host =
                        chosen && str_equal(maker->variants[i].manifest, chosen->digest);
        platform_done(&host);
        return 0;
}

/* ---- recording ---- */

/* The lock is held, in a transaction. */
static int insert_rows(ImageStore *store, const IndexPut *put, const char *digest, Error *err) {
        int64_t known = 0;
        int r = sql_number(store->db, &known, err,
                           "SELECT count(*) FROM index_images WHERE index_digest=?", "t", digest);

        for (size_t i = 0; r == 0 && put->names && put->names[i]; i++)
                r = sql_run(store->db, err, "INSERT OR REPLACE INTO names(name, image) VALUES(?,?)",
                            "tt", put->names[i], put->variants[0].image);
        if (r == 0)
                r = index_record(store, digest, put->variants, put->count, put->names, err);
        if (r == 0 && put->lease)
                r = lease_put(store, put->lease, digest, err);
        if (r == 0)
                r = failpoint("image.index-record", err);
        if (r == 0 && put->ret_new)
                *put->ret_new = known == 0;
        return r;
}

static int insert(ImageStore *store, const IndexPut *put, const char *digest, Error *err) {
        STORE_LOCKED(store);
        int r = sql_run(store->db, err, "BEGIN IMMEDIATE", "");

        return r < 0 ? r : sql_end(store->db, insert_rows(store, put, digest, err), err);
}

int index_store(PinSet *pins, const IndexPut *put, char digest[DIGEST_TEXT_MAX], Error *err) {
        int r;

        digest_of(put->text, put->length, digest);
        pins_add(pins, digest);
        r = blob_put(pins->store, put->text, put->length, digest, err);
        if (r == 0)
                r = failpoint("image.index-put", err);
        if (r == 0) /* what was built a moment ago may not be durable yet */
                r = store_settle(pins->store, err);
        return r < 0 ? r : insert(pins->store, put, digest, err);
}

static int put_index(IndexMaker *maker, const IndexMake *make, char digest[DIGEST_TEXT_MAX],
                     bool *ret_new, Error *err) {
        _cleanup_free_ char *text = json_text(&image_index_table, &maker->index);
        const IndexPut put = { .text = text,
                               .length = strlen(text),
                               .variants = maker->variants,
                               .count = maker->count,
                               .names = maker->names,
                               .lease = make->lease,
                               .ret_new = ret_new };

        return index_store(&maker->pins, &put, digest, err);
}

static int add_names(IndexMaker *maker, char *const *names, Error *err) {
        int r = 0;

        for (; r == 0 && names && *names; names++) {
                char *full = NULL;

                r = image_target_name(*names, &full, err);
                if (r == 0)
                        strv_take(&maker->names, full);
        }
        return r;
}

int image_index_make(ImageStore *store, const IndexMake *make, char ret_digest[], bool *ret_new,
                     Error *err) {
        _cleanup_(index_maker_done) IndexMaker maker = { .store = store,
                                                         .pins = { .store = store },
                                                         .index = { .schema_version = 2 } };
        char digest[DIGEST_TEXT_MAX];
        int r;

        maker.index.media_type = str_copy(MEDIA_OCI_INDEX);
        if (!make->ids || !make->ids[0])
                return error_kind(err, ERROR_INVALID, "an index needs an image at the least");
        r = add_names(&maker, make->names, err);
        for (size_t i = 0; r == 0 && make->ids[i]; i++)
                r = add_image(&maker, make->ids[i], make->platforms ? make->platforms[i] : NULL,
                              err);
        form_annotate_index(&maker.index, make->annotations);
        if (r == 0)
                r = mark_host(&maker, err);
        if (r == 0)
                r = put_index(&maker, make, digest, ret_new, err);
        if (r == 0)
                memcpy(ret_digest, digest, DIGEST_TEXT_MAX);
        return r;
}

/* ---- one in another's place ---- */

/* The lock is held, in a transaction. */
static int replace_rows(ImageStore *store, const char *from, const char *to, char *const *names,
                        const char *holder, char ***blobs, Error *err) {
        int64_t left = 0;
        int r = 0;

        for (; r == 0 && names && *names; names++)
                r = sql_run(store->db, err,
                            "UPDATE name_indexes SET digest=?1 WHERE name=?2 AND digest=?3", "ttt",
                            to, *names, from);
        if (r == 0)
                r = sql_number(store->db, &left, err,
                               "SELECT (SELECT count(*) FROM name_indexes WHERE digest=?1) + "
                               "(SELECT count(*) FROM leases WHERE digest=?1 AND holder IS NOT ?2)",
                               "tt", from, holder);
        return r < 0 || left > 0 || !holder ? r : index_forget(store, from, blobs, err);
}

int image_index_replace(ImageStore *store, const char *from, const char *to, char *const *names,
                        const char *holder, Error *err) {
        _cleanup_strv_ char **blobs = NULL;
        int r;

        if (str_equal(from, to))
                return 0;
        {
                STORE_LOCKED(store);
                r = sql_run(store->db, err, "BEGIN IMMEDIATE", "");
                if (r == 0)
                        r = sql_end(store->db,
                                    replace_rows(store, from, to, names, holder, &blobs, err), err);
        }
        return r < 0 ? r : store_collect(store, blobs, NULL, err);
}
