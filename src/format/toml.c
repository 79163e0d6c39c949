/* toml.c: see toml.h. One pass over the text; toml.io/en/v1.0.0. */
#include "format/toml.h"

#include <ctype.h>
#include <string.h>

#include "base/str.h"
#include "base/utf8.h"

#define DEPTH_MAX 16
#define ITEMS_MAX 10000 /* of a file: keys are looked up one after the other */

typedef struct Reader {
        const char *at, *end;
        unsigned line;
        size_t items;
        TomlNode *root, *table; /* table: of the last header */
} Reader;

static int fail(const Reader *reader, Error *err, const char *what) {
        return error_kind(err, ERROR_INVALID, "line %u: %s", reader->line, what);
}

const char *toml_type_text(TomlType type) {
        static const char *const texts[] = {
                [TOML_TABLE] = "a table",      [TOML_ARRAY] = "an array",
                [TOML_STRING] = "a string",    [TOML_INTEGER] = "a whole number",
                [TOML_BOOL] = "a truth value",
        };

        return texts[type];
}

/* ---- nodes ---- */

static TomlNode *node_new(Reader *reader, TomlType type) {
        TomlNode *node = NEW(TomlNode);

        node->type = type;
        node->line = reader->line;
        reader->items++;
        return node;
}

TomlNode *toml_free(TomlNode *node) {
        if (!node)
                return NULL;
        for (size_t i = 0; i < node->count; i++)
                (void)toml_free(node->items[i]);
        free(node->items);
        free(node->key);
        free(node->text);
        free(node);
        return NULL;
}

static TomlNode *find(const TomlNode *table, const char *key) {
        for (size_t i = 0; i < table->count; i++)
                if (str_equal(table->items[i]->key, key))
                        return table->items[i];
        return NULL;
}

const TomlNode *toml_get(const TomlNode *table, const char *key) {
        return find(table, key);
}

static void append(TomlNode *to, TomlNode *item) {
        GROW(to->items, to->count);
        to->items[to->count++] = item;
}

/* ---- white space ---- */

static char peek(const Reader *reader) {
        return reader->at < reader->end ? *reader->at : '\0';
}

static void skip_blanks(Reader *reader) {
        while (peek(reader) == ' ' || peek(reader) == '\t')
                reader->at++;
}

static bool at_newline(const Reader *reader) {
        return peek(reader) == '\n' ||
               (peek(reader) == '\r' && reader->at + 1 < reader->end && reader->at[1] == '\n');
}

static void skip_newline(Reader *reader) {
        reader->at += peek(reader) == '\r' ? 2 : 1;
        reader->line++;
}

static int skip_comment(Reader *reader, Error *err) {
        if (peek(reader) != '#')
                return 0;
        for (; reader->at < reader->end && !at_newline(reader); reader->at++)
                if ((unsigned char)*reader->at < ' ' && *reader->at != '\t')
                        return fail(reader, err, "a control character in a comment");
        return 0;
}

/* Blanks, comments and newlines. */
static int skip_lines(Reader *reader, Error *err) {
        for (;;) {
                int r;

                skip_blanks(reader);
                r = skip_comment(reader, err);
                if (r < 0)
                        return r;
                if (!at_newline(reader))
                        return 0;
                skip_newline(reader);
        }
}

static int end_line(Reader *reader, Error *err) {
        int r;

        skip_blanks(reader);
        r = skip_comment(reader, err);
        if (r < 0)
                return r;
        if (reader->at < reader->end && !at_newline(reader))
                return fail(reader, err, "something stands behind the value: one line holds one");
        if (reader->at < reader->end)
                skip_newline(reader);
        return 0;
}

/* ---- strings ---- */

static int read_code(Reader *reader, int digits, Buf *buf, Error *err) {
        uint32_t code = 0;

        for (int i = 0; i < digits; i++) {
                char c = peek(reader);

                if (!isxdigit((unsigned char)c))
                        return fail(reader, err, "\\u takes four hexadecimal digits, \\U eight");
                code = code << 4 | (uint32_t)(c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
                reader->at++;
        }
        if (code == 0 || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000))
                return fail(reader, err, "an escape for what is no character");
        buf_add_utf8(buf, code);
        return 0;
}

static int read_escape(Reader *reader, Buf *buf, Error *err) {
        static const char names[] = "btnfr\"\\", values[] = "\b\t\n\f\r\"\\";
        char c = peek(reader);
        const char *name = c ? strchr(names, c) : NULL;

        reader->at++;
        if (c == 'u' || c == 'U')
                return read_code(reader, c == 'u' ? 4 : 8, buf, err);
        if (!name)
                return fail(reader, err, "an unknown escape in a string");
        buf_add_char(buf, values[name - names]);
        return 0;
}

static int read_string(Reader *reader, char **ret, Error *err) {
        char quote = *reader->at;
        _cleanup_buf_ Buf buf = {};

        if (reader->end - reader->at >= 3 && reader->at[1] == quote && reader->at[2] == quote)
                return fail(reader, err, "strings of several lines are not known: use one line");
        for (reader->at++; peek(reader) != quote;) {
                unsigned char c = (unsigned char)peek(reader);
                int r = 0;

                if (reader->at == reader->end || at_newline(reader))
                        return fail(reader, err, "a string without its closing quote");
                if ((c < ' ' && c != '\t') || c == 0x7F)
                        return fail(reader, err, "a control character in a string");
                reader->at++;
                if (c == '\\' && quote == '"')
                        r = read_escape(reader, &buf, err);
                else
                        buf_add_char(&buf, (char)c);
                if (r < 0)
                        return r;
        }
        reader->at++;
        *ret = buf_take(&buf);
        return 0;
}

/* ---- values ---- */

static bool is_bare(char c) {
        return isalnum((unsigned char)c) || c == '_' || c == '-';
}

static bool is_scalar(char c) {
        return is_bare(c) || c == '+' || c == '.' || c == ':';
}

static int read_number(const Reader *reader, char *word, TomlNode *node, Error *err) {
        const char *digits = word + (*word == '+' || *word == '-');
        char *to = word;

        if (digits[0] == '0' && digits[1])
                return fail(reader, err, "a number with a zero before it, or of another base");
        for (const char *c = word; *c; c++) {
                if (*c == '_' && (c == digits || !isdigit((unsigned char)c[1])))
                        return fail(reader, err, "an underscore that is not between two digits");
                if (*c != '_' && !(c == word && *c == '+'))
                        *to++ = *c;
        }
        *to = '\0';
        if (!isdigit((unsigned char)*digits) || str_to_int64(word, &node->number) < 0)
                return fail(reader, err,
                            "a value that is no string, whole number, truth value or array");
        node->type = TOML_INTEGER;
        return 0;
}

static int read_scalar(Reader *reader, TomlNode *node, Error *err) {
        const char *start = reader->at;
        _cleanup_free_ char *word = NULL;

        while (is_scalar(peek(reader)))
                reader->at++;
        word = str_copy_n(start, (size_t)(reader->at - start));
        if (!*word)
                return fail(reader, err, "a value is missing");
        node->truth = str_equal(word, "true");
        node->type = TOML_BOOL;
        if (node->truth || str_equal(word, "false"))
                return 0;
        return read_number(reader, word, node, err);
}

static int read_value(Reader *reader, int depth, TomlNode **ret, Error *err);

static int read_array(Reader *reader, int depth, TomlNode *array, Error *err) {
        int r;

        reader->at++;
        array->type = TOML_ARRAY;
        for (;;) {
                TomlNode *item = NULL;

                r = skip_lines(reader, err);
                if (r < 0)
                        return r;
                if (peek(reader) == ']')
                        break;
                r = read_value(reader, depth + 1, &item, err);
                if (r < 0)
                        return r;
                append(array, item);
                r = skip_lines(reader, err);
                if (r < 0)
                        return r;
                if (peek(reader) == ',')
                        reader->at++;
                else if (peek(reader) != ']')
                        return fail(reader, err, "an array lacks a comma or its closing bracket");
        }
        reader->at++;
        return 0;
}

static int read_value(Reader *reader, int depth, TomlNode **ret, Error *err) {
        _cleanup_(toml_freep) TomlNode *node = node_new(reader, TOML_STRING);
        int r;

        if (depth > DEPTH_MAX)
                return fail(reader, err, "arrays in arrays too deep");
        if (reader->items > ITEMS_MAX)
                return fail(reader, err, "the file has more values than any of its kind needs");
        if (peek(reader) == '{')
                return fail(reader, err,
                            "inline tables are not known: write [table] and its keys below it");
        if (peek(reader) == '"' || peek(reader) == '\'')
                r = read_string(reader, &node->text, err);
        else if (peek(reader) == '[')
                r = read_array(reader, depth, node, err);
        else
                r = read_scalar(reader, node, err);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(node);
        return 0;
}

/* ---- keys and tables ---- */

static int read_key(Reader *reader, char **ret, Error *err) {
        const char *start = reader->at;

        if (peek(reader) == '"' || peek(reader) == '\'')
                return read_string(reader, ret, err);
        while (is_bare(peek(reader)))
                reader->at++;
        if (reader->at == start)
                return fail(reader, err, "a key is missing, or has to be in quotes");
        *ret = str_copy_n(start, (size_t)(reader->at - start));
        return 0;
}

/* The table of that name below another, made where it isn't. */
static int enter(Reader *reader, TomlNode *table, char *key, TomlNode **ret, Error *err) {
        TomlNode *below = find(table, key);

        if (below && below->type != TOML_TABLE)
                return error_kind(err, ERROR_INVALID,
                                  "line %u: '%.80s' has a value since line %u: it is no table",
                                  reader->line, key, below->line);
        if (!below) {
                below = node_new(reader, TOML_TABLE);
                below->key = str_copy(key);
                append(table, below);
        }
        *ret = below;
        return 0;
}

/* a.b."c": leaves the last part to the caller; *table is where it belongs. */
static int read_path(Reader *reader, TomlNode **table, char **ret, Error *err) {
        for (int depth = 0;; depth++) {
                _cleanup_free_ char *key = NULL;
                int r;

                skip_blanks(reader);
                r = read_key(reader, &key, err);
                if (r < 0)
                        return r;
                skip_blanks(reader);
                if (peek(reader) != '.') {
                        *ret = TAKE_PTR(key);
                        return 0;
                }
                reader->at++;
                if (depth > DEPTH_MAX)
                        return fail(reader, err, "tables in tables too deep");
                r = enter(reader, *table, key, table, err);
                if (r < 0)
                        return r;
        }
}

static int read_header(Reader *reader, Error *err) {
        _cleanup_free_ char *key = NULL;
        TomlNode *table = reader->root;
        int r;

        reader->at++;
        if (peek(reader) == '[')
                return fail(reader, err, "arrays of tables ([[…]]) are not known");
        r = read_path(reader, &table, &key, err);
        if (r == 0)
                r = enter(reader, table, key, &table, err);
        if (r < 0)
                return r;
        if (table->closed)
                return error_kind(err, ERROR_INVALID,
                                  "line %u: the table '%.80s' is there already, since line %u",
                                  reader->line, key, table->line);
        table->closed = true;
        table->line = reader->line;
        if (peek(reader) != ']')
                return fail(reader, err, "a table's name lacks its closing bracket");
        reader->at++;
        reader->table = table;
        return end_line(reader, err);
}

static int read_pair(Reader *reader, Error *err) {
        _cleanup_(toml_freep) TomlNode *value = NULL;
        _cleanup_free_ char *key = NULL;
        TomlNode *table = reader->table;
        const TomlNode *there;
        int r = read_path(reader, &table, &key, err);

        if (r < 0)
                return r;
        if (peek(reader) != '=')
                return fail(reader, err, "a key without '=' and a value");
        reader->at++;
        skip_blanks(reader);
        r = read_value(reader, 0, &value, err);
        if (r < 0)
                return r;
        there = find(table, key);
        if (there)
                return error_kind(err, ERROR_INVALID,
                                  "line %u: '%.80s' is there already, since line %u", value->line,
                                  key, there->line);
        value->key = TAKE_PTR(key);
        append(table, TAKE_PTR(value));
        return end_line(reader, err);
}

int toml_parse(const char *text, size_t length, TomlNode **ret, Error *err) {
        Reader reader = { .at = text, .end = text + length, .line = 1 };
        _cleanup_(toml_freep) TomlNode *root = node_new(&reader, TOML_TABLE);
        int r;

        if (length >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
                reader.at += 3;
        if (length > 0 && memchr(text, '\0', length))
                return error_kind(err, ERROR_INVALID,
                                  "line 1: the file holds a NUL: it is no text");
        reader.root = reader.table = root;
        for (;;) {
                r = skip_lines(&reader, err);
                if (r < 0)
                        return r;
                if (reader.at == reader.end)
                        break;
                r = peek(&reader) == '[' ? read_header(&reader, err) : read_pair(&reader, err);
                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(root);
        return 0;
}
