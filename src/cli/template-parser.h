/* template-parser.h: where the parser of a template stands in its text, for template-parse.c, which
 * knows the grammar, and template-literal.c, which knows literals. */
#pragma once

#include <string.h>

#include "cli/template-private.h"

typedef struct Parser {
        const char *text;
        size_t at, length;
        char **variables; /* in scope */
        unsigned depth, ranges;
        bool trim; /* the action just read ended in -}} */
        Error *err;
} Parser;

/* "template: :LINE: …"; the negative errno. */
int parser_fail(Parser *p, const char *format, ...) PRINTF_LIKE(2, 3);

static inline char parser_peek(const Parser *p) {
        return p->text[p->at];
}

static inline bool parser_ahead(const Parser *p, const char *word) {
        return strncmp(p->text + p->at, word, strlen(word)) == 0;
}

/* Each stands at its first character, and then behind its last one. *ret is the caller's. */
int literal_string(Parser *p, json_object **ret);
int literal_raw_string(Parser *p, json_object **ret);
int literal_character(Parser *p, json_object **ret); /* 'a': the number of its code point */
int literal_number(Parser *p, json_object **ret);
