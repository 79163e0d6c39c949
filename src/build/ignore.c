/* ignore.c: patterns compiled to a short automaton that reads a path once. A pattern never makes
 * the work grow beyond its length times the path's, whatever it says. What is a line of the file
 * and what of it is a pattern is here, too; whoever walks a context asks ignore_matches. */
#include "build/ignore.h"

#include <stdint.h>

#include "base/str.h"
#include "build/scan.h"

/* ---- one pattern ---- */

typedef enum StepKind {
        STEP_BYTE,      /* that byte */
        STEP_ANY,       /* one character but '/': "?" */
        STEP_CLASS,     /* one character of a class, which may be '/' */
        STEP_STAR,      /* any characters but '/', or none */
        STEP_ALL,       /* any characters, or none: a "**" at the end */
        STEP_TREE,      /* nothing, or a STEP_TREE_BODY: a "**" in the middle */
        STEP_TREE_BODY, /* any characters, the last of them '/' */
} StepKind;

typedef struct Range {
        uint32_t low, high;
} Range;

typedef struct Step {
        StepKind kind;
        char byte;
        bool negated; /* of a class */
        Range *ranges;
        size_t range_count;
} Step;

typedef struct Pattern {
        char *text;
        bool exception; /* it began with '!' */
        bool plain;     /* nothing special in it: a path must be equal */
        Step *steps;
        size_t count;
} Pattern;

struct IgnorePatterns {
        Pattern *list;
        size_t count;
        bool exceptions;
};

static void pattern_done(Pattern *pattern) {
        for (size_t i = 0; i < pattern->count; i++)
                free(pattern->steps[i].ranges);
        free(pattern->steps);
        free(pattern->text);
        *pattern = (Pattern){};
}

/* The character at *text, which moves on behind it; a byte that is no UTF-8 is one character that
 * nothing else equals. */
static uint32_t next_character(const char **text) {
        const unsigned char *at = (const unsigned char *)*text;
        static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
        unsigned length = *at < 0x80             ? 1
                          : (*at & 0xe0) == 0xc0 ? 2
                          : (*at & 0xf0) == 0xe0 ? 3
                          : (*at & 0xf8) == 0xf0 ? 4
                                                 : 0;
        uint32_t value = length < 2 ? *at : *at & (0x7fu >> length);

        for (unsigned i = 1; i < length; i++) {
                if ((at[i] & 0xc0) != 0x80) {
                        length = 0;
                        break;
                }
                value = value << 6 | (at[i] & 0x3f);
        }
        if (length == 0 || value < least[length] || value > 0x10ffff ||
            (value >= 0xd800 && value <= 0xdfff)) {
                *text += 1;
                return 0xfffd;
        }
        *text += length;
        return value;
}

static Step *add_step(Pattern *pattern, StepKind kind) {
        GROW(pattern->steps, pattern->count);
        pattern->steps[pattern->count] = (Step){ .kind = kind };
        return &pattern->steps[pattern->count++];
}

/* One end of a range in a class. */
static int class_character(const char **at, uint32_t *ret) {
        if (**at == '\0' || **at == '-' || **at == ']')
                return -1;
        if (**at == '\\') {
                *at += 1;
                if (**at == '\0')
                        return -1;
        }
        *ret = next_character(at);
        return **at == '\0' ? -1 : 0; /* a class that is not closed */
}

/* at is behind the '['. */
static int compile_class(Pattern *pattern, const char **at) {
        Step *step = add_step(pattern, STEP_CLASS);

        if (**at == '^') {
                step->negated = true;
                *at += 1;
        }
        while (**at != ']' || step->range_count == 0) {
                Range range;

                if (class_character(at, &range.low) < 0)
                        return -1;
                range.high = range.low;
                if (**at == '-') {
                        *at += 1;
                        if (class_character(at, &range.high) < 0)
                                return -1;
                }
                if (range.low > range.high)
                        return -1;
                GROW(step->ranges, step->range_count);
                step->ranges[step->range_count++] = range;
        }
        *at += 1;
        return 0;
}

/* "**" with a slash behind it is as without. At the end it takes everything; before a name without
 * wildcards at the pattern's very start without a slash ("**file") any beginning of the name, too,
 * as patternmatcher does; elsewhere whole directories. */
static void compile_tree(Pattern *pattern, const char **at, bool first) {
        bool slash;

        *at += 2;
        slash = **at == '/';
        *at += slash;
        if (**at == '\0' || (first && !slash && !strpbrk(*at, "*?[]\\"))) {
                (void)add_step(pattern, STEP_ALL);
                return;
        }
        (void)add_step(pattern, STEP_TREE);
        (void)add_step(pattern, STEP_TREE_BODY);
}

/* text is clean and without '!'. -1: the syntax is bad. */
static int compile(const char *text, Pattern *pattern) {
        const char *at = text;

        pattern->text = str_copy(text);
        pattern->plain = !strpbrk(text, "*?[\\");
        while (*at) {
                if (at[0] == '*' && at[1] == '*') {
                        compile_tree(pattern, &at, at == text);
                } else if (*at == '*' || *at == '?') {
                        (void)add_step(pattern, *at++ == '*' ? STEP_STAR : STEP_ANY);
                } else if (*at == '[') {
                        at++;
                        if (compile_class(pattern, &at) < 0)
                                return -1;
                } else {
                        if (*at == '\\' && *++at == '\0')
                                return -1;
                        add_step(pattern, STEP_BYTE)->byte = *at++;
                }
        }
        return 0;
}

/* ---- reading a path ---- */

/* The steps that may come next, one bit each; bit `count` is the end of the pattern. */
typedef struct States {
        uint64_t *bits;
        size_t words;
} States;

#define STATE_WORDS 8 /* patterns of up to 511 steps need no allocation */

static bool has(const uint64_t *bits, size_t i) {
        return bits[i / 64] >> (i % 64) & 1;
}

/* Adds step i and what can be reached from it without a character. What is there already was added
 * with all that can be reached from it: a row of trees is not walked once for each of them. */
static void enter(const Pattern *pattern, uint64_t *bits, size_t i) {
        while (!has(bits, i)) {
                bits[i / 64] |= UINT64_C(1) << (i % 64);
                if (i >= pattern->count)
                        return;
                switch (pattern->steps[i].kind) {
                case STEP_STAR:
                case STEP_ALL:
                        i++;
                        break;
                case STEP_TREE:
                        bits[(i + 1) / 64] |= UINT64_C(1) << ((i + 1) % 64);
                        i += 2;
                        break;
                default:
                        return;
                }
        }
}

static bool in_class(const Step *step, uint32_t character) {
        for (size_t i = 0; i < step->range_count; i++)
                if (character >= step->ranges[i].low && character <= step->ranges[i].high)
                        return !step->negated;
        return step->negated;
}

/* What step i does with a character, which is the byte where bytes are compared. */
static void take(const Pattern *pattern, size_t i, uint32_t character, uint64_t *next) {
        const Step *step = &pattern->steps[i];

        switch (step->kind) {
        case STEP_ANY:
                if (character != '/')
                        enter(pattern, next, i + 1);
                break;
        case STEP_CLASS:
                if (in_class(step, character))
                        enter(pattern, next, i + 1);
                break;
        case STEP_STAR:
                if (character != '/')
                        enter(pattern, next, i);
                break;
        case STEP_ALL:
                enter(pattern, next, i);
                break;
        case STEP_TREE_BODY:
                enter(pattern, next, i);
                if (character == '/')
                        enter(pattern, next, i + 1);
                break;
        case STEP_TREE:
        case STEP_BYTE:
                break;
        }
}

/* Follows a run of bytes that make one character: STEP_BYTEs for each, others for the whole. */
static bool advance(const Pattern *pattern, const uint64_t *now, uint64_t *next, size_t words,
                    const char *bytes, size_t length, uint32_t character) {
        bool any = false;

        memset(next, 0, words * sizeof(*next));
        for (size_t word = 0; word < words; word++)
                for (uint64_t left = now[word]; left; left &= left - 1) {
                        size_t i = word * 64 + (size_t)__builtin_ctzll(left), k = 0;

                        if (i >= pattern->count)
                                continue;
                        if (pattern->steps[i].kind != STEP_BYTE) {
                                take(pattern, i, character, next);
                                continue;
                        }
                        while (k < length && i + k < pattern->count &&
                               pattern->steps[i + k].kind == STEP_BYTE &&
                               pattern->steps[i + k].byte == bytes[k])
                                k++;
                        if (k == length)
                                enter(pattern, next, i + k);
                }
        for (size_t word = 0; word < words; word++)
                any = any || next[word];
        return any;
}

typedef enum Reading {
        READING_NO,    /* no path that begins so matches */
        READING_BEGUN, /* a longer path could match */
        READING_WHOLE, /* this path matches */
} Reading;

typedef enum ReadAs {
        READ_AS_IS,
        READ_OR_PARENT,    /* READING_WHOLE also where a directory above it matches */
        READ_AS_DIRECTORY, /* with a '/' behind it */
} ReadAs;

/* Reads path[0..length), once. */
static Reading read_path(const Pattern *pattern, const char *path, size_t length, ReadAs as) {
        uint64_t first[STATE_WORDS] = { 0 }, second[STATE_WORDS], *now = first, *next = second;
        _cleanup_free_ uint64_t *large = NULL;
        size_t words = pattern->count / 64 + 1;
        const char *at = path;
        bool slash = as == READ_AS_DIRECTORY;

        if (words > STATE_WORDS) {
                large = NEW_ARRAY(uint64_t, 2 * words);
                now = large;
                next = large + words;
        }
        enter(pattern, now, 0);
        while (at < path + length || slash) {
                const char *start = at < path + length ? at : "/";
                const char *end = start;
                uint32_t character = next_character(&end);
                uint64_t *swap = now;

                if (as == READ_OR_PARENT && *start == '/' && has(now, pattern->count))
                        return READING_WHOLE;
                if (at < path + length)
                        at = end;
                else
                        slash = false;
                if (!advance(pattern, now, next, words, start, (size_t)(end - start), character))
                        return READING_NO;
                now = next;
                next = swap;
        }
        return has(now, pattern->count) ? READING_WHOLE : READING_BEGUN;
}

static bool pattern_matches(const Pattern *pattern, const char *path) {
        if (pattern->plain)
                return str_equal(pattern->text, path);
        return read_path(pattern, path, strlen(path), READ_AS_IS) == READING_WHOLE;
}

/* The path or a directory above it. */
static bool matches_or_parent(const Pattern *pattern, const char *path, size_t length) {
        if (pattern->plain) {
                size_t own = strlen(pattern->text);

                return own <= length && !memcmp(pattern->text, path, own) &&
                       (own == length || path[own] == '/');
        }
        return read_path(pattern, path, length, READ_OR_PARENT) == READING_WHOLE;
}

/* ---- paths ---- */

/* Drops the last name of what was cleaned so far; false where there is none to drop. */
static bool drop_name(Buf *clean, bool rooted) {
        size_t start = clean->length;

        while (start > 0 && clean->data[start - 1] != '/')
                start--;
        if (start == clean->length || !strcmp(clean->data + start, ".."))
                return false;
        clean->length = start > (rooted ? 1u : 0u) ? start - 1 : start;
        clean->data[clean->length] = '\0';
        return true;
}

char *ignore_clean_path(const char *path) {
        _cleanup_buf_ Buf clean = {};
        bool rooted = *path == '/';

        if (rooted)
                buf_add_char(&clean, '/');
        while (*path) {
                size_t length = strcspn(path, "/");

                if (length == 2 && !strncmp(path, "..", 2)) {
                        if (!drop_name(&clean, rooted) && !rooted)
                                buf_add_str(&clean, clean.length ? "/.." : "..");
                } else if (length > 0 && !(length == 1 && *path == '.')) {
                        if (clean.length > (rooted ? 1u : 0u))
                                buf_add_char(&clean, '/');
                        buf_add(&clean, path, length);
                }
                path += length;
                path += *path == '/';
        }
        if (clean.length == 0)
                buf_add_char(&clean, '.');
        return buf_take(&clean);
}

/* ---- lists of patterns ---- */

static char *trimmed(const char *text, size_t length) {
        _cleanup_free_ char *copy = str_copy_n(text, length);
        const char *start = copy + space_span(copy);

        return str_copy_n(start, trimmed_length(start, strlen(start)));
}

/* text: trimmed, not blank; cleaned here, before '!' is looked at, as patternmatcher does. */
static int add_pattern(IgnorePatterns *patterns, const char *text, Error *err) {
        _cleanup_free_ char *clean = ignore_clean_path(text);
        bool exception = *clean == '!';
        Pattern *pattern;

        if (exception && clean[1] == '\0')
                return error_kind(err, ERROR_INVALID,
                                  "illegal exclusion pattern: \"!\": a pattern must follow");
        GROW(patterns->list, patterns->count);
        pattern = &patterns->list[patterns->count++];
        *pattern = (Pattern){ .exception = exception };
        patterns->exceptions |= exception;
        if (compile(clean + exception, pattern) < 0)
                return error_kind(err, ERROR_INVALID,
                                  "syntax error in pattern '%s': a '[' without its ']', an empty "
                                  "or backward range, or a '\\' at the end; put a '\\' before a "
                                  "character that is meant as itself",
                                  text);
        return 0;
}

DEFINE_CLEANUP(IgnorePatterns *, ignore_free)

int ignore_from_list(char *const *patterns, IgnorePatterns **ret, Error *err) {
        _cleanup_(ignore_freep) IgnorePatterns *made = NEW(IgnorePatterns);

        for (; patterns && *patterns; patterns++) {
                _cleanup_free_ char *text = trimmed(*patterns, strlen(*patterns));
                int r = *text ? add_pattern(made, text, err) : 0;

                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(made);
        return 0;
}

/* One line of an ignore file to a pattern; NULL: it holds none. The caller's. */
static char *line_pattern(const char *line, size_t length) {
        _cleanup_free_ char *text = NULL, *rest = NULL, *clean = NULL;
        bool exception;

        if (length > 0 && *line == '#')
                return NULL;
        text = trimmed(line, length);
        if (*text == '\0')
                return NULL;
        exception = *text == '!';
        rest = trimmed(text + exception, strlen(text + exception));
        clean = *rest ? ignore_clean_path(rest) : str_copy("");
        return str_format("%s%s", exception ? "!" : "",
                          clean[0] == '/' && clean[1] ? clean + 1 : clean);
}

int ignore_parse(const char *text, size_t length, IgnorePatterns **ret, Error *err) {
        _cleanup_(ignore_freep) IgnorePatterns *made = NEW(IgnorePatterns);
        const char *end = text + length;
        unsigned number = 0;

        if (length >= 3 && !memcmp(text, "\xef\xbb\xbf", 3))
                text += 3;
        while (text < end) {
                const char *newline = memchr(text, '\n', (size_t)(end - text)) ?: end;
                _cleanup_free_ char *pattern = line_pattern(text, (size_t)(newline - text));
                int r;

                number++;
                text = newline < end ? newline + 1 : end;
                r = pattern ? add_pattern(made, pattern, err) : 0;
                if (r < 0)
                        return error_prefix(err, "line %u", number);
        }
        *ret = TAKE_PTR(made);
        return 0;
}

IgnorePatterns *ignore_free(IgnorePatterns *patterns) {
        if (!patterns)
                return NULL;
        for (size_t i = 0; i < patterns->count; i++)
                pattern_done(&patterns->list[i]);
        free(patterns->list);
        free(patterns);
        return NULL;
}

bool ignore_matches(const IgnorePatterns *patterns, const char *path, bool *ret_descend) {
        size_t length = strlen(path), decided = 0;
        bool matched = false, descend = false;

        for (size_t i = 0; patterns && i < patterns->count; i++) {
                const Pattern *pattern = &patterns->list[i];

                if (pattern->exception != matched || !matches_or_parent(pattern, path, length))
                        continue;
                matched = !pattern->exception;
                decided = i;
        }
        for (size_t i = decided + 1; matched && !descend && i < patterns->count; i++)
                descend = patterns->list[i].exception && read_path(&patterns->list[i], path, length,
                                                                   READ_AS_DIRECTORY) != READING_NO;
        if (ret_descend)
                *ret_descend = !matched || descend;
        return matched;
}

bool ignore_has_exceptions(const IgnorePatterns *patterns) {
        return patterns && patterns->exceptions;
}

bool ignore_covers_all(const IgnorePatterns *patterns) {
        for (size_t i = 0; patterns && i < patterns->count; i++) {
                const char *text = patterns->list[i].text;

                if (!patterns->list[i].exception &&
                    (!strcmp(text, "*") || !strcmp(text, "**") || !strcmp(text, "**/*")))
                        return true;
        }
        return false;
}

int ignore_match_one(const char *pattern, const char *path, bool *ret, Error *err) {
        Pattern compiled = {};
        int r = 0;

        if (compile(pattern, &compiled) < 0)
                r = error_kind(err, ERROR_INVALID, "syntax error in pattern '%s'", pattern);
        else
                *ret = pattern_matches(&compiled, path);
        pattern_done(&compiled);
        return r;
}
