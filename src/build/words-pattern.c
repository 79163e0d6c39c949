/* words-pattern.c: a pattern is cut at its stars into runs of single characters. A run is found
 * where it first stands, since that leaves the most to those after it: no backtracking, so no
 * pattern takes long. A suffix is a prefix of the reversed text for the reversed pattern. */
#include "build/words-pattern.h"

#include "base/str.h"

#define ANY_CHARACTER (-1)
#define NOWHERE ((size_t)-1)

typedef struct Characters {
        int *list;
        size_t count;
} Characters;

typedef struct Pattern {
        Characters *runs; /* a star stands between each two */
        size_t count;
} Pattern;

static void characters_done(Characters *characters) {
        free(characters->list);
}

static void add_character(Characters *characters, int character) {
        GROW(characters->list, characters->count);
        characters->list[characters->count++] = character;
}

/* The length of the UTF-8 character at text; a byte that is part of none is one of its own. */
static size_t character_length(const char *text) {
        unsigned char first = (unsigned char)*text;
        size_t wanted = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
        for (size_t i = 1; i < wanted; i++)
                if (((unsigned char)text[i] & 0xc0) != 0x80)
                        return 1;
        return wanted;
}

/* A character as a number: its bytes, which tell it from every other one. */
static int character_number(const char *text, size_t length) {
        unsigned number = 0;
        for (size_t i = 0; i < length; i++)
                number = number << 8 | (unsigned char)text[i];
        return (int)(number & 0x7fffffff);
}

static Characters characters_of(const char *text) {
        Characters ret = {};
        for (size_t length; *text; text += length) {
                length = character_length(text);
                add_character(&ret, character_number(text, length));
        }
        return ret;
}

/* The first byte of character number `index`, which may be the one behind the last. */
static size_t byte_offset(const char *text, size_t index) {
        size_t offset = 0;
        while (index--)
                offset += character_length(text + offset);
        return offset;
}

static void pattern_done(Pattern *pattern) {
        for (size_t i = 0; i < pattern->count; i++)
                free(pattern->runs[i].list);
        free(pattern->runs);
}

static void add_run(Pattern *pattern) {
        GROW(pattern->runs, pattern->count);
        pattern->runs[pattern->count++] = (Characters){};
}

static int pattern_read(const char *text, Pattern *ret, Error *err) {
        add_run(ret);
        for (size_t length; *text; text += length) {
                length = 1;
                if (*text == '*') {
                        add_run(ret);
                        continue;
                }
                int character = ANY_CHARACTER;
                if (*text == '\\') {
                        if (!text[1] || !strchr("*?\\}/", text[1]))
                                return error_kind(err, ERROR_INVALID,
                                                  "invalid pattern in substitution: invalid "
                                                  "escape '%.2s'",
                                                  text);
                        character = (unsigned char)text[1];
                        length = 2;
                } else if (*text != '?') {
                        length = character_length(text);
                        character = character_number(text, length);
                }
                add_character(&ret->runs[ret->count - 1], character);
        }
        return 0;
}

static void reverse(Characters *characters) {
        for (size_t i = 0, j = characters->count; i + 1 < j; i++, j--) {
                int kept = characters->list[i];
                characters->list[i] = characters->list[j - 1];
                characters->list[j - 1] = kept;
        }
}

static void pattern_reverse(Pattern *pattern) {
        for (size_t i = 0; i < pattern->count; i++)
                reverse(&pattern->runs[i]);
        for (size_t i = 0, j = pattern->count; i + 1 < j; i++, j--) {
                Characters kept = pattern->runs[i];
                pattern->runs[i] = pattern->runs[j - 1];
                pattern->runs[j - 1] = kept;
        }
}

static bool run_at(const Characters *run, const Characters *text, size_t at) {
        if (text->count - at < run->count)
                return false;
        for (size_t i = 0; i < run->count; i++)
                if (run->list[i] != ANY_CHARACTER && run->list[i] != text->list[at + i])
                        return false;
        return true;
}

/* Where the run first, or last, ends in what follows `at`. */
static size_t run_find(const Characters *run, const Characters *text, size_t at, bool last) {
        size_t found = NOWHERE;
        for (; at + run->count <= text->count && (last || found == NOWHERE); at++)
                if (run_at(run, text, at))
                        found = at + run->count;
        return found;
}

/* The end of the shortest or longest match that begins at `at`. *ret_hopeless: none begins later.
 */
static size_t match_at(const Pattern *pattern, const Characters *text, size_t at, bool longest,
                       bool *ret_hopeless) {
        *ret_hopeless = false;
        if (!run_at(&pattern->runs[0], text, at))
                return NOWHERE;
        at += pattern->runs[0].count;
        for (size_t i = 1; i < pattern->count; i++) {
                at = run_find(&pattern->runs[i], text, at, longest && i + 1 == pattern->count);
                if (at == NOWHERE) {
                        *ret_hopeless = true;
                        break;
                }
        }
        return at;
}

static void add_characters(Buf *out, const char **value, size_t count) {
        size_t length = byte_offset(*value, count);
        buf_add(out, *value, length);
        *value += length;
}

/* An empty match right behind another one is none, as everywhere that patterns are replaced. */
static int replace(const Pattern *pattern, bool every, const char *value, const char *replacement,
                   size_t limit, char **ret, Error *err) {
        _cleanup_(characters_done) Characters text = characters_of(value);
        _cleanup_buf_ Buf out = {};
        bool hopeless = false;
        size_t at = 0, behind = NOWHERE;
        while (at <= text.count && !hopeless) {
                size_t end = match_at(pattern, &text, at, true, &hopeless);
                bool found = end != NOWHERE && (end > at || at != behind);
                if (found)
                        buf_add_str(&out, replacement);
                if (out.length > limit)
                        return error_kind(err, ERROR_INVALID,
                                          "substitution: the result is longer than %zu bytes",
                                          limit);
                if (found && end > at) {
                        value += byte_offset(value, end - at);
                        at = behind = end;
                } else if (at++ < text.count) {
                        add_characters(&out, &value, 1);
                }
                if (found && !every)
                        break;
        }
        buf_add_str(&out, value);
        *ret = buf_take(&out);
        return 0;
}

static char *cut(Pattern *pattern, bool suffix, bool longest, const char *value) {
        _cleanup_(characters_done) Characters text = characters_of(value);
        if (suffix) {
                pattern_reverse(pattern);
                reverse(&text);
        }
        bool hopeless;
        size_t end = match_at(pattern, &text, 0, longest, &hopeless);
        if (end == NOWHERE)
                return str_copy(value);
        return suffix ? str_copy_n(value, byte_offset(value, text.count - end))
                      : str_copy(value + byte_offset(value, end));
}

int pattern_apply(const char *text, PatternUse use, bool greedy, const char *value,
                  const char *replacement, size_t limit, char **ret, Error *err) {
        _cleanup_(pattern_done) Pattern pattern = {};
        int r = pattern_read(text, &pattern, err);
        if (r < 0)
                return r;
        if (use == PATTERN_REPLACE)
                return replace(&pattern, greedy, value, replacement, limit, ret, err);
        *ret = cut(&pattern, use == PATTERN_SUFFIX, greedy, value);
        return 0;
}
