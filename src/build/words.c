/* words.c: reads a word once from left to right. What stands inside ${v:-…} is read by the same
 * code until its brace. Bytes suffice: all that is special is ASCII but white space and names. */
#include "build/words.h"

#include "build/scan.h"
#include "build/words-pattern.h"

/* ${a:-${b:-…}}: no one nests this deep by hand, and each level costs stack. */
#define NESTING_LIMIT 100

typedef enum Escapes {
        ESCAPES_DONE, /* they do their work and go */
        ESCAPES_KEPT,
        ESCAPES_OF_PATTERN, /* kept, for words-pattern.h: what quotes make plain gets one */
} Escapes;

typedef struct Words {
        char **list;
        size_t count;
        Buf word;
} Words;

typedef struct Reader {
        const char *at;
        const WordRules *rules;
        Escapes escapes;
        unsigned depth;
        size_t made;  /* bytes inside braces, which may come to nothing in the end */
        Words *words; /* NULL unless the text is to be split */
        Error *err;
} Reader;

static int fail(Reader *reader, const char *what) {
        return error_kind(reader->err, ERROR_INVALID, "%s", what);
}

static void word_end(Words *words) {
        if (words->word.length)
                strv_take_at(&words->list, words->count++, buf_take(&words->word));
}

/* Adds text to the word at hand; split: white space in it ends words. */
static void words_add(Words *words, const char *text, size_t length, bool split) {
        for (size_t i = 0; words && i < length;) {
                size_t space = split ? space_at(text + i) : 0;
                if (space)
                        word_end(words);
                else
                        buf_add_char(&words->word, text[i]);
                i += space ? space : 1;
        }
}

static const char *value_of(const Reader *reader, const char *name) {
        size_t count = strv_length(reader->rules->env);
        while (count--) {
                const char *after = str_after(reader->rules->env[count], name);
                if (after && (!*after || *after == '='))
                        return *after ? after + 1 : after;
        }
        if (reader->rules->unmatched && !strv_has(*reader->rules->unmatched, name))
                strv_add(reader->rules->unmatched, name);
        return NULL;
}

/* The length of a letter beyond ASCII: what is neither white space nor in the blocks of
 * punctuation, symbols and private use. */
static size_t wide_letter(const char *text) {
        unsigned char first = (unsigned char)text[0];
        unsigned char second = first ? (unsigned char)text[1] : '\0';
        if (first < 0xc3 || first > 0xf0 || (second & 0xc0) != 0x80)
                return 0;
        if (first == 0xc3)
                return second == 0x97 || second == 0xb7 ? 0 : 2;
        if (first < 0xe0)
                return 2;
        bool symbol = (first == 0xe2 && second < 0xb0) || (first == 0xe3 && second == 0x80) ||
                      first == 0xee || (first == 0xef && (second < 0xa4 || second >= 0xb8)) ||
                      (first == 0xf0 && second == 0x9f);
        size_t length = first == 0xf0 ? 4 : 3;
        for (size_t i = 2; i < length; i++)
                if (((unsigned char)text[i] & 0xc0) != 0x80)
                        return 0;
        return symbol ? 0 : length;
}

static bool is_digit(char c) {
        return c >= '0' && c <= '9';
}

/* A name: letters, digits and '_'; a number; or one of the shell's special parameters. */
static char *read_name(Reader *reader) {
        const char *start = reader->at;
        if (is_digit(*start)) {
                while (is_digit(*reader->at))
                        reader->at++;
        } else if (*start && strchr("@*#?-$!", *start)) {
                reader->at++;
        } else {
                for (size_t length;; reader->at += length) {
                        char c = *reader->at;
                        bool plain = is_digit(c) || c == '_' || (c >= 'a' && c <= 'z') ||
                                     (c >= 'A' && c <= 'Z');
                        length = plain ? 1 : wide_letter(reader->at);
                        if (!length)
                                break;
                }
        }
        return str_copy_n(start, (size_t)(reader->at - start));
}

static int read_until(Reader *reader, char stop, Escapes escapes, char **ret);

/* Nested replacements grow with the power of their depth. */
static int count_made(Reader *reader, const char *text) {
        reader->made += strlen(text);
        if (reader->made > 2 * WORD_LIMIT)
                return fail(reader, "substitution: what it makes on the way is too long");
        return 0;
}

/* The text up to stop, which is inside braces: another level. what: the error where it ends
 * before. */
static int read_nested(Reader *reader, char stop, Escapes escapes, const char *what, char **ret) {
        if (++reader->depth > NESTING_LIMIT)
                return fail(reader, "syntax error: substitutions are nested too deep");
        Words *words = TAKE_PTR(reader->words);
        int r = read_until(reader, stop, escapes, ret);
        reader->words = words;
        reader->depth--;
        if (r < 0)
                return !*reader->at ? fail(reader, what) : r;
        return count_made(reader, *ret);
}

static int unsupported(Reader *reader, bool colon, char modifier) {
        return error_kind(reader->err, ERROR_INVALID, "unsupported modifier (%s%c) in substitution",
                          colon ? ":" : "", modifier);
}

/* ${v#…}, ${v##…}, ${v%…}, ${v%%…} of a value that is set. */
static int cut_value(Reader *reader, char modifier, const char *pattern, const char *value,
                     char **ret) {
        bool longest = *pattern == modifier;
        return pattern_apply(pattern + longest, modifier == '%' ? PATTERN_SUFFIX : PATTERN_PREFIX,
                             longest, value, NULL, WORD_LIMIT, ret, reader->err);
}

static int missing_value(Reader *reader, const char *name, const char *word, bool set) {
        if (!*word)
                word = set ? "is not allowed to be empty" : "is not allowed to be unset";
        return error_kind(reader->err, ERROR_INVALID, "%s: %s", name, word);
}

/* What follows the name in ${name<modifier>…}. */
static int read_modified(Reader *reader, const char *name, char **ret) {
        bool colon = *reader->at == ':';
        reader->at += colon;
        char modifier = *reader->at;
        if (!modifier)
                return fail(reader, "syntax error: missing '}'");
        reader->at++;
        bool cuts = modifier == '#' || modifier == '%';
        if (!strchr("+-?#%", modifier) || (colon && cuts))
                return unsupported(reader, colon, modifier);
        _cleanup_free_ char *word = NULL;
        int r = read_nested(reader, '}', cuts ? ESCAPES_OF_PATTERN : ESCAPES_DONE,
                            "syntax error: missing '}'", &word);
        if (r < 0)
                return r;
        const char *value = value_of(reader, name);
        bool set = value && !(colon && !*value);
        if (!value && reader->rules->keep_unset)
                *ret = str_format("${%s%s%c%s}", name, colon ? ":" : "", modifier, word);
        else if (modifier == '-')
                *ret = str_copy(set ? value : word);
        else if (modifier == '+')
                *ret = str_copy(set ? word : "");
        else if (modifier == '?' && !set)
                return missing_value(reader, name, word, value != NULL);
        else if (cuts)
                return cut_value(reader, modifier, word, value ? value : "", ret);
        else
                *ret = str_copy(value);
        return 0;
}

/* ${name/pattern/replacement}, ${name//pattern/replacement}, from behind the first slash on. */
static int read_replaced(Reader *reader, const char *name, char **ret) {
        bool every = *reader->at == '/';
        reader->at += every;
        _cleanup_free_ char *pattern = NULL, *replacement = NULL;
        int r = read_nested(reader, '/', ESCAPES_OF_PATTERN, "syntax error: missing '/' in ${}",
                            &pattern);
        if (r == 0)
                r = read_nested(reader, '}', ESCAPES_KEPT, "syntax error: missing '}'",
                                &replacement);
        if (r < 0)
                return r;
        const char *value = value_of(reader, name);
        if (!value && reader->rules->keep_unset) {
                *ret = str_format("${%s/%s%s/%s}", name, every ? "/" : "", pattern, replacement);
                return 0;
        }
        r = pattern_apply(pattern, PATTERN_REPLACE, every, value ? value : "", replacement,
                          WORD_LIMIT, ret, reader->err);
        return r < 0 ? r : count_made(reader, *ret);
}

static int read_braced(Reader *reader, char **ret) {
        if (!*++reader->at)
                return fail(reader, "syntax error: missing '}'");
        if (strchr("{}:", *reader->at))
                return fail(reader, "syntax error: bad substitution");
        _cleanup_free_ char *name = read_name(reader);
        if (*reader->at == '/') {
                reader->at++;
                return read_replaced(reader, name, ret);
        }
        if (*reader->at != '}')
                return read_modified(reader, name, ret);
        reader->at++;
        const char *value = value_of(reader, name);
        *ret = !value && reader->rules->keep_unset ? str_format("${%s}", name)
                                                   : str_copy(value ? value : "");
        return 0;
}

static int read_dollar(Reader *reader, char **ret) {
        if (*++reader->at == '{')
                return read_braced(reader, ret);
        _cleanup_free_ char *name = read_name(reader);
        const char *value = *name ? value_of(reader, name) : NULL;
        if (!*name || (!value && reader->rules->keep_unset))
                *ret = str_format("$%s", name);
        else
                *ret = str_copy(value ? value : "");
        return 0;
}

/* A character that quotes make plain. */
static void add_quoted(const Reader *reader, Buf *out, char c) {
        if (c == '\\' && reader->escapes == ESCAPES_OF_PATTERN)
                buf_add_char(out, '\\');
        buf_add_char(out, c);
}

static int read_single_quoted(Reader *reader, Buf *out) {
        const char *start = reader->at + 1, *end = strchr(start, '\'');
        bool keep = reader->rules->keep_quotes;
        if (!end) {
                reader->at += strlen(reader->at);
                return fail(reader, "unexpected end of statement while looking for matching "
                                    "single-quote");
        }
        reader->at = end + 1;
        if (keep)
                buf_add_char(out, '\'');
        for (; start < end; start++)
                add_quoted(reader, out, *start);
        if (keep)
                buf_add_char(out, '\'');
        return 0;
}

static int read_double_quoted(Reader *reader, Buf *out) {
        char escape = reader->rules->escape;
        if (reader->rules->keep_quotes)
                buf_add_char(out, '"');
        for (reader->at++; *reader->at != '"';) {
                if (!*reader->at)
                        return fail(reader, "unexpected end of statement while looking for "
                                            "matching double-quote");
                if (*reader->at == '$') {
                        _cleanup_free_ char *value = NULL;
                        int r = read_dollar(reader, &value);
                        if (r < 0)
                                return r;
                        buf_add_str(out, value);
                        continue;
                }
                /* Only what means something in here is escaped. */
                char next = *reader->at == escape ? reader->at[1] : '\0';
                if (next == '"' || next == '$' || next == escape) {
                        if (reader->escapes != ESCAPES_DONE)
                                buf_add_char(out, escape);
                        buf_add_char(out, next);
                        reader->at += 2;
                } else {
                        add_quoted(reader, out, *reader->at++);
                }
        }
        reader->at++;
        if (reader->rules->keep_quotes)
                buf_add_char(out, '"');
        return 0;
}

/* "<<" and the blanks behind it stay with the word that follows: a heredoc's name. */
static void read_heredoc_mark(Reader *reader, Buf *out) {
        size_t length = 1;
        if (reader->at[1] == '<')
                length = 2 + strspn(reader->at + 2, "\t\r ");
        buf_add(out, reader->at, length);
        reader->at += length;
}

/* A character that means itself, an escaped one included. */
static void read_plain(Reader *reader, Buf *out) {
        size_t space = space_at(reader->at), length = space ? space : 1;
        bool escaped = *reader->at == reader->rules->escape;
        if (escaped) {
                if (reader->escapes != ESCAPES_DONE) {
                        buf_add_char(out, *reader->at);
                        words_add(reader->words, reader->at, 1, false);
                }
                reader->at++;
                length = *reader->at ? 1 : 0;
        }
        buf_add(out, reader->at, length);
        words_add(reader->words, reader->at, length, !escaped);
        reader->at += length;
}

/* What has a meaning of its own: a variable, quotes, the mark of a heredoc. */
static int read_special(Reader *reader, Buf *out) {
        _cleanup_buf_ Buf part = {};
        char first = *reader->at;
        int r = 0;
        if (first == '$') {
                _cleanup_free_ char *value = NULL;
                r = read_dollar(reader, &value);
                if (r == 0)
                        buf_add_str(&part, value);
        } else if (first == '\'') {
                r = read_single_quoted(reader, &part);
        } else if (first == '"') {
                r = read_double_quoted(reader, &part);
        } else {
                read_heredoc_mark(reader, &part);
        }
        if (r < 0)
                return r;
        buf_add(out, part.data ? part.data : "", part.length);
        if (part.length)
                words_add(reader->words, part.data, part.length, first == '$');
        return 0;
}

/* Reads on behind stop, or to the end if it is '\0'. */
static int read_until(Reader *reader, char stop, Escapes escapes, char **ret) {
        _cleanup_buf_ Buf out = {};
        Escapes before = reader->escapes;
        int r = 0;
        reader->escapes = escapes;
        while (r == 0 && *reader->at && !(stop && *reader->at == stop)) {
                char c = *reader->at;
                bool quote = (c == '\'' || c == '"') && !reader->rules->plain_quotes;
                if (c == '$' || c == '<' || quote)
                        r = read_special(reader, &out);
                else
                        read_plain(reader, &out);
                if (out.length > WORD_LIMIT)
                        r = error_kind(reader->err, ERROR_INVALID,
                                       "substitution: the result is longer than %zu bytes",
                                       WORD_LIMIT);
        }
        reader->escapes = before;
        if (r < 0)
                return r;
        if (stop && !*reader->at)
                return error_kind(reader->err, ERROR_INVALID,
                                  "unexpected end of statement while looking for matching %c",
                                  stop);
        reader->at += stop != '\0';
        *ret = buf_take(&out);
        return 0;
}

static int expand(const char *text, const WordRules *rules, Words *words, char **ret, Error *err) {
        Reader reader = { .at = text, .rules = rules, .words = words, .err = err };
        bool keep = rules->keep_quotes && !rules->drop_escapes;
        int r = read_until(&reader, '\0', keep ? ESCAPES_KEPT : ESCAPES_DONE, ret);
        return r < 0 ? error_prefix(err, "failed to process \"%.200s\"", text) : 0;
}

int word_expand(const char *word, const WordRules *rules, char **ret, Error *err) {
        Error own = {};
        return expand(word, rules, NULL, ret, err ? err : &own);
}

int words_expand(const char *text, const WordRules *rules, char ***ret, Error *err) {
        _cleanup_free_ char *whole = NULL;
        Words words = {};
        Error own = {};
        int r = expand(text, rules, &words, &whole, err ? err : &own);
        if (r == 0)
                word_end(&words);
        _cleanup_strv_ char **list = words.list;
        buf_done(&words.word);
        if (r < 0)
                return r;
        *ret = list ? TAKE_PTR(list) : strv_new(0);
        return 0;
}

char **word_names(const char *text, char escape) {
        char **names = NULL;
        WordRules rules = { .escape = escape, .unmatched = &names };
        _cleanup_free_ char *ignored = NULL;
        Error err = {};
        (void)word_expand(text, &rules, &ignored, &err);
        return names;
}
