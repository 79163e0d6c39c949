/* json-test.c: tables in both directions, and what they refuse. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/sanitizer.h"
#include "base/test.h"
#include "format/json.h"

typedef struct Inner {
        char *key;
        int64_t number;
} Inner;

typedef struct Outer {
        char *name;
        bool on;
        int64_t *maybe;
        uint64_t large;
        char **words;
        Pairs labels;
        JsonArray map, list;
        Inner *object;
        json_object *raw;
        int64_t when;
} Outer;

static const JsonField inner_fields[] = { JSON_FIELD(Inner, "Number", JSON_INT, number, 0) };
static const JsonTable inner_table = JSON_TABLE(Inner, "Inner", inner_fields);

static const JsonField outer_fields[] = {
        JSON_FIELD(Outer, "Name", JSON_STRING, name, JSON_REQUIRED),
        JSON_FIELD(Outer, "On", JSON_BOOL, on, 0),
        JSON_FIELD(Outer, "Maybe", JSON_MAYBE_INT, maybe, 0),
        JSON_FIELD(Outer, "Large", JSON_UINT, large, JSON_OMIT_EMPTY),
        JSON_FIELD(Outer, "Words", JSON_WORDS, words, JSON_NULL_EMPTY),
        JSON_FIELD(Outer, "Labels", JSON_PAIRS, labels, 0),
        JSON_NESTED(Outer, "Map", JSON_MAP, map, JSON_OMIT_EMPTY, &inner_table),
        JSON_NESTED(Outer, "List", JSON_ARRAY, list, JSON_OMIT_EMPTY, &inner_table),
        JSON_NESTED(Outer, "Object", JSON_OBJECT, object, 0, &inner_table),
        JSON_FIELD(Outer, "Raw", JSON_RAW, raw, 0),
        JSON_FIELD(Outer, "When", JSON_TIME, when, JSON_OMIT_EMPTY),
};
static const JsonTable outer_table = JSON_TABLE(Outer, "Outer", outer_fields);

static int parse(const char *text, Outer *ret, Error *err) {
        return json_parse(&outer_table, text, strlen(text), ret, err);
}

TEST(documents_go_both_ways) {
        static const char text[] =
                "{\"Name\":\"a/"
                "b\",\"On\":true,\"Maybe\":0,\"Large\":18446744073709551615,\"Words\":[\"x\",\"y\"]"
                ","
                "\"Labels\":{\"k\":\"v\"},\"Map\":{\"m\":{\"Number\":1}},\"List\":[{\"Number\":2},{"
                "\"Number\":3}],"
                "\"Object\":{\"Number\":4},\"Raw\":[1,{}],\"When\":\"2026-01-02T03:04:05Z\"}";
        Outer outer = {}, copy = {};
        Error err = {};
        _cleanup_free_ char *again = NULL;

        ASSERT_OK(parse(text, &outer, &err), &err);
        json_copy(&outer_table, &outer, &copy);
        again = json_text(&outer_table, &copy);
        ASSERT_STR(again, text);
        json_done(&outer_table, &outer);
        json_done(&outer_table, &copy);
}

TEST(empty_members_are_written_as_go_does) {
        Outer outer = {};
        _cleanup_free_ char *text = json_text(&outer_table, &outer);

        ASSERT_STR(text, "{\"Name\":\"\",\"On\":false,\"Words\":null,\"Labels\":{}}");
}

static const struct {
        const char *text, *message;
} refused[] = {
        { "{}", "Name: is missing" },
        { "{\"Name\":1}", "Name: must be a string" },
        { "{\"Name\":\"a\\u0000b\"}", "Name: must be a string without NUL characters" },
        { "{\"Name\":\"a\",\"Large\":-1}", "Large: must be zero or more" },
        { "{\"Name\":\"a\",\"Maybe\":1.5}", "Maybe: must be a whole number" },
        { "{\"Name\":\"a\",\"Maybe\":9223372036854775808}", "Maybe: must be below 2^63" },
        { "{\"Name\":\"a\",\"Object\":{\"Number\":\"4\"}}",
          "Object.Number: must be a whole number" },
        { "{\"Name\":\"a\",\"List\":[{},{\"Number\":[]}]}",
          "List[1].Number: must be a whole number" },
        { "[]", "Outer: must be an object" },
        { "{\"Name\":\"a\"} x", "invalid JSON at byte 13: text after the document" },
};

TEST(maps_are_written_sorted) {
        _cleanup_(pairs_done) Pairs pairs = {};
        _cleanup_json_ json_object *object = NULL;

        pairs_put(&pairs, "z", "1");
        pairs_put(&pairs, "B", "2");
        pairs_put(&pairs, "a", NULL);
        object = json_write_pairs(&pairs);
        ASSERT_STR(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN),
                   "{\"B\":\"2\",\"a\":\"\",\"z\":\"1\"}");
}

TEST(wrong_documents_are_refused_by_path) {
        for (size_t i = 0; i < ELEMENTS(refused); i++) {
                Outer outer = {};
                Error err = {};

                ASSERT_INT(parse(refused[i].text, &outer, &err), -EINVAL);
                ASSERT_STR(err.message, refused[i].message);
                json_done(&outer_table, &outer);
        }
}

TEST(names_match_regardless_of_case_and_null_is_absent) {
        Outer outer = {};
        Error err = {};

        ASSERT_OK(parse("{\"name\":\"n\",\"words\":\"one\",\"object\":null}", &outer, &err), &err);
        ASSERT_STR(outer.words[0], "one");
        ASSERT(!outer.object);
        json_done(&outer_table, &outer);
}

/* json-c counts references without atomics: copies that shared one could not be used by threads. */
TEST(copies_share_nothing) {
        Outer outer = {}, copy = {};
        Error err = {};

        ASSERT_OK(parse("{\"Name\":\"a\",\"Raw\":[1,{}]}", &outer, &err), &err);
        json_copy(&outer_table, &outer, &copy);
        ASSERT(copy.raw && copy.raw != outer.raw);
        ASSERT(json_object_equal(copy.raw, outer.raw));
        ASSERT(json_object_array_get_idx(copy.raw, 1) != json_object_array_get_idx(outer.raw, 1));
        json_done(&outer_table, &outer);
        json_done(&outer_table, &copy);
}

static int64_t nanoseconds(struct timespec t) {
        return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Processor time, in nanoseconds, that reading lists of this many takes: the least of three. */
static void time_lists(int count, int64_t *ret) {
        _cleanup_buf_ Buf text = {};
        Error err = {};

        buf_add_str(&text, "{\"Name\":\"a\",\"Words\":[\"\"");
        for (int i = 1; i < count; i++)
                buf_add_str(&text, ",\"\"");
        buf_add_str(&text, "],\"Labels\":{\"0\":\"\"");
        for (int i = 1; i < count; i++)
                buf_format(&text, ",\"%d\":\"\"", i);
        buf_add_str(&text, "}}");
        *ret = INT64_MAX;
        for (int i = 0; i < 3; i++) {
                Outer outer = {};
                struct timespec before, after;

                ASSERT_INT(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before), 0);
                ASSERT_OK(parse(text.data, &outer, &err), &err);
                ASSERT_INT(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after), 0);
                *ret = MIN(*ret, nanoseconds(after) - nanoseconds(before));
                ASSERT_INT(strv_length(outer.words), count);
                strv_add(&outer.words, "more");
                ASSERT_INT(strv_length(outer.words), count + 1);
                ASSERT_INT(outer.labels.count, count);
                json_done(&outer_table, &outer);
        }
}

/* A sanitizer takes ten times as long for each; the release build looks at the longer ones. */
#define LIST (SANITIZED ? 2000 : 20000)

/* An image's author chooses how many there are: the time must not grow with their square. Ten
 * times as many take about ten times as long, on any machine, and a hundred times by the square. */
TEST(long_lists_are_read_at_once) {
        int64_t few = 0, many = INT64_MAX;

        time_lists(LIST, &few);
        time_lists(10 * LIST, &many);
        ASSERT(many < 40 * few);
}

TEST_MAIN()
