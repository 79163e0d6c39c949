/* yaml.c: libyaml's events as json-c objects. What makes YAML dangerous or ambiguous (aliases that
 * multiply, keys that override) is refused rather than interpreted. */
#include "format/yaml.h"

#include <yaml.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "format/json.h"

typedef struct Reader {
        yaml_parser_t parser;
        yaml_event_t event;
        bool has_event;
} Reader;

static void next_free(Reader *reader) {
        if (reader->has_event)
                yaml_event_delete(&reader->event);
        reader->has_event = false;
}

static int refuse(const Reader *reader, Error *err, const char *why) {
        return error_kind(err, ERROR_INVALID, "line %zu: %s", reader->event.start_mark.line + 1,
                          why);
}

/* The next event into reader->event. */
static int next(Reader *reader, Error *err) {
        next_free(reader);
        if (!yaml_parser_parse(&reader->parser, &reader->event))
                return error_kind(err, ERROR_INVALID, "line %zu: %s",
                                  reader->parser.problem_mark.line + 1,
                                  reader->parser.problem ?: "no YAML");
        reader->has_event = true;
        if (reader->event.type == YAML_ALIAS_EVENT)
                return refuse(reader, err, "an alias (*name) is not supported: write the value");
        return 0;
}

/* ---- scalars ---- */

static bool is_word(const char *text, const char *const *words, size_t count) {
        for (size_t i = 0; i < count; i++)
                if (str_equal(text, words[i]))
                        return true;
        return false;
}

static bool is_number(const char *text, bool *ret_whole) {
        bool digits = false;

        *ret_whole = true;
        if (*text == '-' || *text == '+')
                text++;
        for (; *text; text++) {
                if (*text >= '0' && *text <= '9') {
                        digits = true;
                        continue;
                }
                if (!strchr(".eE+-", *text))
                        return false;
                if (*text != '.' && !digits)
                        return false;
                *ret_whole = false;
        }
        return digits;
}

/* Without quotes: by its form. The words are those of YAML 1.1, which Kubernetes' tools read. */
static json_object *plain_value(const char *text, size_t length) {
        static const char *const nulls[] = { "", "~", "null", "Null", "NULL" };
        static const char *const yes[] = { "true", "True", "TRUE", "yes", "Yes",
                                           "YES",  "on",   "On",   "ON" };
        static const char *const no[] = { "false", "False", "FALSE", "no", "No",
                                          "NO",    "off",   "Off",   "OFF" };
        int64_t number;
        double decimal;
        bool whole;

        if (is_word(text, nulls, ELEMENTS(nulls)))
                return NULL;
        if (is_word(text, yes, ELEMENTS(yes)))
                return json_object_new_boolean(true);
        if (is_word(text, no, ELEMENTS(no)))
                return json_object_new_boolean(false);
        if (is_number(text, &whole)) {
                if (whole && str_to_int64(text, &number) == 0)
                        return json_object_new_int64(number);
                if (!whole && str_to_double(text, &decimal) == 0)
                        return json_object_new_double(decimal);
        }
        return json_object_new_string_len(text, (int)length);
}

static int read_scalar(Reader *reader, json_object **ret, Error *err) {
        const char *text = (const char *)reader->event.data.scalar.value;
        const size_t length = reader->event.data.scalar.length;

        if (reader->event.data.scalar.anchor)
                return refuse(reader, err, "an anchor (&name) is not supported");
        if (reader->event.data.scalar.tag)
                return refuse(reader, err, "a tag (!name) is not supported");
        if (memchr(text, '\0', length))
                return refuse(reader, err, "a value contains the character NUL");
        *ret = reader->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE
                       ? plain_value(text, length)
                       : json_object_new_string_len(text, (int)length);
        return 0;
}

/* ---- nodes ---- */

static int read_node(Reader *reader, unsigned depth, json_object **ret, Error *err);

static int read_sequence(Reader *reader, unsigned depth, json_object **ret, Error *err) {
        _cleanup_json_ json_object *array = json_object_new_array();

        if (reader->event.data.sequence_start.anchor)
                return refuse(reader, err, "an anchor (&name) is not supported");
        if (reader->event.data.sequence_start.tag)
                return refuse(reader, err, "a tag (!name) is not supported");
        for (;;) {
                json_object *item = NULL;
                int r = next(reader, err);

                if (r == 0 && reader->event.type == YAML_SEQUENCE_END_EVENT)
                        break;
                if (r == 0)
                        r = read_node(reader, depth + 1, &item, err);
                if (r < 0)
                        return r;
                (void)json_object_array_add(array, item);
        }
        *ret = TAKE_PTR(array);
        return 0;
}

/* The key that the reader stands on, the caller's. */
static int read_key(Reader *reader, json_object *object, char **ret, Error *err) {
        const yaml_event_t *event = &reader->event;
        const char *text;

        if (event->type != YAML_SCALAR_EVENT)
                return refuse(reader, err, "a key must be a string");
        text = (const char *)event->data.scalar.value;
        if (event->data.scalar.anchor || event->data.scalar.tag)
                return refuse(reader, err, "an anchor or tag is not supported");
        if (memchr(text, '\0', event->data.scalar.length))
                return refuse(reader, err, "a key contains the character NUL");
        if (str_equal(text, "<<"))
                return refuse(reader, err, "a merge key (<<) is not supported");
        if (json_object_object_get_ex(object, text, NULL))
                return error_kind(err, ERROR_INVALID, "line %zu: the key '%.100s' comes twice",
                                  event->start_mark.line + 1, text);
        *ret = str_copy(text);
        return 0;
}

static int read_mapping(Reader *reader, unsigned depth, json_object **ret, Error *err) {
        _cleanup_json_ json_object *object = json_object_new_object();

        if (reader->event.data.mapping_start.anchor)
                return refuse(reader, err, "an anchor (&name) is not supported");
        if (reader->event.data.mapping_start.tag)
                return refuse(reader, err, "a tag (!name) is not supported");
        for (;;) {
                _cleanup_free_ char *key = NULL;
                json_object *value = NULL;
                int r = next(reader, err);

                if (r == 0 && reader->event.type == YAML_MAPPING_END_EVENT)
                        break;
                if (r == 0)
                        r = read_key(reader, object, &key, err);
                if (r == 0)
                        r = next(reader, err);
                if (r == 0)
                        r = read_node(reader, depth + 1, &value, err);
                if (r < 0)
                        return r;
                (void)json_object_object_add(object, key, value);
        }
        *ret = TAKE_PTR(object);
        return 0;
}

static int read_node(Reader *reader, unsigned depth, json_object **ret, Error *err) {
        if (depth > YAML_DEPTH_MAX)
                return refuse(reader, err, "more than 32 levels deep");
        switch (reader->event.type) {
        case YAML_SCALAR_EVENT:
                return read_scalar(reader, ret, err);
        case YAML_SEQUENCE_START_EVENT:
                return read_sequence(reader, depth, ret, err);
        case YAML_MAPPING_START_EVENT:
                return read_mapping(reader, depth, ret, err);
        default:
                return refuse(reader, err, "a value is missing");
        }
}

/* ---- documents ---- */

static int read_stream(Reader *reader, json_object *documents, Error *err) {
        for (;;) {
                json_object *document = NULL;
                int r = next(reader, err);

                if (r < 0 || reader->event.type == YAML_STREAM_END_EVENT)
                        return r;
                if (reader->event.type != YAML_DOCUMENT_START_EVENT)
                        continue; /* the stream's start, a document's end */
                r = next(reader, err);
                if (r == 0)
                        r = read_node(reader, 1, &document, err);
                if (r < 0)
                        return r;
                if (!document)
                        continue;
                (void)json_object_array_add(documents, document);
                if (json_object_array_length(documents) > YAML_DOCUMENTS_MAX)
                        return refuse(reader, err, "more than 1024 documents");
        }
}

int yaml_parse(const char *text, size_t length, json_object **ret, Error *err) {
        _cleanup_json_ json_object *documents = json_object_new_array();
        Reader reader = { 0 };
        int r;

        if (length > YAML_BYTES_MAX)
                return error_kind(err, ERROR_INVALID, "line 1: the file is larger than 1 MiB");
        if (!yaml_parser_initialize(&reader.parser))
                abort();
        yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
        yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text, length);
        r = read_stream(&reader, documents, err);
        next_free(&reader);
        yaml_parser_delete(&reader.parser);
        if (r == 0)
                *ret = TAKE_PTR(documents);
        return r;
}
