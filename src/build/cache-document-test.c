/* cache-document-test.c: what is written is read back, and what anybody may have made of it is
 * refused. */
#include "base/test.h"
#include "build/cache-document.h"

#define DIGEST(digit) "sha256:" digit digit digit digit digit digit digit digit
#define A DIGEST("aaaaaaaa")
#define B DIGEST("bbbbbbbb")
#define C DIGEST("cccccccc")

static int read_text(const char *text, size_t layers, CacheDocument *ret, Error *err) {
        return cache_document_read(text, strlen(text), NULL, layers, ret, err);
}

static char *written(CacheDocument *document) {
        json_object *object = cache_document_write(document);
        char *text = str_copy(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN));

        (void)json_object_put(object);
        return text;
}

TEST(there_and_back) {
        _cleanup_(cache_document_done) CacheDocument made = {}, read = {};
        char *const keys[] = { (char *)A, (char *)B, NULL }, *const other[] = { (char *)C, NULL };
        _cleanup_free_ char *text = NULL;
        const DocumentRecord *record;
        char chain[DIGEST_TEXT_MAX];
        Error err = {};

        cache_document_add_layer(&made, A, B);
        cache_document_add_layer(&made, NULL, C);
        cache_document_add_record(&made, keys, C, 0, 12345);
        cache_document_add_record(&made, other, B, -1, 0);
        text = written(&made);
        ASSERT_OK(read_text(text, 2, &read, &err), &err);
        record = map_get(&read.by_key, B);
        ASSERT(record && record == map_get(&read.by_key, A));
        ASSERT_STR(record->result, C);
        ASSERT_INT(record->created_at, 12345);
        digest_chain(A, B, chain);
        ASSERT_STR(cache_document_layer(&read, (size_t)*record->layer)->chain, chain);
        ASSERT_STR(cache_document_layer(&read, 1)->chain, C); /* the first: its own diff id */
        record = map_get(&read.by_key, C);
        ASSERT(record && !record->layer);
}

TEST(an_image_s_layers) {
        _cleanup_(cache_document_done) CacheDocument made = {}, read = {};
        char *const keys[] = { (char *)A, NULL };
        char *const diffs[] = { (char *)A, (char *)B, NULL };
        _cleanup_free_ char *text = NULL;
        char chain[DIGEST_TEXT_MAX];
        Error err = {};

        cache_document_add_record(&made, keys, C, 1, 0);
        text = written(&made);
        ASSERT_OK(cache_document_read(text, strlen(text), diffs, 2, &read, &err), &err);
        digest_chain(A, B, chain);
        ASSERT_STR(cache_document_layer(&read, 1)->chain, chain);
        ASSERT_STR(cache_document_layer(&read, 1)->parent, A);
}

TEST(what_is_refused) {
        static const struct {
                const char *text;
                size_t layers;
                const char *reason;
        } cases[] = {
                { "", 0, "JSON" },
                { "{\"version\":2}", 0, "version 2" },
                { "{\"layers\":[]}", 0, "version" },
                { "{\"version\":1}", 1, "names 0 layers" },
                { "{\"version\":1,\"layers\":[{\"diff\":\"../../etc\"}]}", 1, "sha256" },
                { "{\"version\":1,\"layers\":[{\"diff\":\"" A "\",\"parent\":\"x\"}]}", 1,
                  "sha256" },
                { "{\"version\":1,\"records\":[{\"keys\":[],\"result\":\"" A "\"}]}", 0, "a key" },
                { "{\"version\":1,\"records\":[{\"keys\":[\"" A "\"],\"result\":\"x\"}]}", 0,
                  "result" },
                { "{\"version\":1,\"records\":[{\"keys\":[\"x\"],\"result\":\"" A "\"}]}", 0,
                  "a key" },
                { "{\"version\":1,\"records\":[{\"keys\":[\"" A "\"],\"result\":\"" A
                  "\",\"layer\":0}]}",
                  0, "no layer 0" },
                { "{\"version\":1,\"records\":[{\"keys\":[\"" A "\"],\"result\":\"" A
                  "\",\"layer\":-1}]}",
                  0, "no layer -1" },
                { "{\"version\":1,\"records\":[{\"keys\":[\"" A "\"],\"result\":\"" A
                  "\",\"created\":-1}]}",
                  0, "time" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                CacheDocument document = {};
                Error err = {};

                ASSERT(read_text(cases[i].text, cases[i].layers, &document, &err) < 0);
                ASSERT(strstr(err.message, cases[i].reason));
        }
}

TEST(too_many_keys) {
        _cleanup_(cache_document_done) CacheDocument made = {};
        _cleanup_strv_ char **keys = NULL;
        _cleanup_free_ char *text = NULL;
        CacheDocument read = {};
        Error err = {};

        for (size_t i = 0; i < 65; i++)
                strv_add(&keys, A);
        cache_document_add_record(&made, keys, B, -1, 0);
        text = written(&made);
        ASSERT(read_text(text, 0, &read, &err) < 0);
}

TEST_MAIN()
