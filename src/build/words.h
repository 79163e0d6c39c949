/* words.h: substitution and splitting of words as a Dockerfile's instructions have them (quotes,
 * escapes, $v and ${v…} in all forms of the Dockerfile reference's "Environment replacement"). */
#pragma once

#include "base/error.h"
#include "base/str.h"

typedef struct WordRules {
        char escape;       /* '\\' or '`' */
        char *const *env;  /* NAME=value; later ones win; names compared exactly */
        bool keep_quotes;  /* quotes and escapes do their work and stay in the text */
        bool drop_escapes; /* with keep_quotes: escapes do their work and go, as in progress */
        bool plain_quotes; /* quotes are characters as others: the content of a heredoc */
        bool keep_unset;   /* $v without a value stays as it is */
        char ***unmatched; /* where wanted: names that had no value are added, each once
                              (UndefinedVar); after an error those found up to there */
} WordRules;

/* What one word may become: a name that doubles itself in each instruction ends here. All that is
 * made on the way, and dropped again, may be twice as long. */
#define WORD_LIMIT ((size_t)4 << 20)

/* One word with its variables replaced and its quotes removed. Errors are of the kind invalid: an
 * unclosed quote or brace, an unknown modifier, ${v:?message} of an unset v, a result beyond
 * WORD_LIMIT. *ret is the caller's. */
int word_expand(const char *word, const WordRules *rules, char **ret, Error *err);
/* The same, split at white space outside quotes; what a variable holds is split, too. Words that
 * are empty are left out, quoted ones as well. */
int words_expand(const char *text, const WordRules *rules, char ***ret, Error *err);
/* The names that text refers to, in order, each once; those before the error where there is one. */
char **word_names(const char *text, char escape);
