/* index-make.c: an index of images that the store has: the builder's, or of whoever has several. */
#include <errno.h>

#include "base/failpoint.h"
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
        maker->index.annotations = (Pairs){}; /* the caller's */
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

static int describe(IndexMaker *maker, const Image *image, const char *manifest, Error *err) {
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
        descriptor->platform = platform_of(&image->config);
        return 0;
}

static int add_image(IndexMaker *maker, const char *id, Error *err) {
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
        for (size_t i = 0; i < maker->count; i++)
                if (str_equal(maker->variants[i].manifest, variant.manifest))
                        return 0;
        memcpy(variant.image, image.id, DIGEST_TEXT_MAX);
        GROW(maker->variants, maker->count);
        maker->variants[maker->count++] = variant;
        return describe(maker, &image, variant.manifest, err);
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

static int insert(ImageStore *store, const char *digest, const Variant *variants, size_t count,
                  char *const *names, Error *err) {
        STORE_LOCKED(store);
        int r = sql_run(store->db, err, "BEGIN IMMEDIATE", "");

        if (r < 0)
                return r;
        for (size_t i = 0; r == 0 && names && names[i]; i++)
                r = sql_run(store->db, err, "INSERT OR REPLACE INTO names(name, image) VALUES(?,?)",
                            "tt", names[i], variants[0].image);
        if (r == 0)
                r = index_record(store, digest, variants, count, names, err);
        if (r == 0)
                r = failpoint("image.index-record", err);
        return sql_end(store->db, r, err);
}

int index_store(PinSet *pins, const char *text, size_t length, const Variant *variants,
                size_t count, char *const *names, char digest[DIGEST_TEXT_MAX], Error *err) {
        int r;

        digest_of(text, length, digest);
        pins_add(pins, digest);
        r = blob_put(pins->store, text, length, digest, err);
        if (r == 0)
                r = failpoint("image.index-put", err);
        if (r == 0) /* what was built a moment ago may not be durable yet */
                r = store_settle(pins->store, err);
        return r < 0 ? r : insert(pins->store, digest, variants, count, names, err);
}

static int put(IndexMaker *maker, char digest[DIGEST_TEXT_MAX], Error *err) {
        _cleanup_free_ char *text = json_text(&image_index_table, &maker->index);

        return index_store(&maker->pins, text, strlen(text), maker->variants, maker->count,
                           maker->names, digest, err);
}

int image_index_make(ImageStore *store, char *const *ids, char *const *names,
                     const Pairs *annotations, char ret_digest[], Error *err) {
        _cleanup_(index_maker_done) IndexMaker maker = { .store = store,
                                                         .pins = { .store = store },
                                                         .index = { .schema_version = 2 } };
        char digest[DIGEST_TEXT_MAX];
        int r = 0;

        maker.index.media_type = str_copy(MEDIA_OCI_INDEX);
        if (annotations)
                maker.index.annotations = *annotations;
        if (!ids || !ids[0] || !names || !names[0])
                return error_kind(err, ERROR_INVALID,
                                  "an index needs an image and a name at the least");
        for (size_t i = 0; r == 0 && names[i]; i++) {
                char *full = NULL;

                r = image_target_name(names[i], &full, err);
                if (r == 0)
                        strv_take(&maker.names, full);
        }
        for (size_t i = 0; r == 0 && ids[i]; i++)
                r = add_image(&maker, ids[i], err);
        if (r == 0)
                r = mark_host(&maker, err);
        if (r == 0)
                r = put(&maker, digest, err);
        if (r == 0)
                memcpy(ret_digest, digest, DIGEST_TEXT_MAX);
        return r;
}
