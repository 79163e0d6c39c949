/* words.h: substitution and splitting of words as a Dockerfile's instructions have them (quotes,
 * escapes, $v and ${v…} in all forms of the Dockerfile reference's "Environment replacement"). */
#pragma once

#include "base/error.h"
#include "base/str.h"

typedef struct WordRules {
        char escape;      /* '\\' or '`' */
        char *const *env; /* NAME=value; later ones win; names compared exactly */
        bool keep_quotes; /* quotes and escapes stay as they are: for RUN's heredocs and the like */
        char ***unmatched; /* where wanted: names that had no value are added (UndefinedVar) */
} WordRules;

/* One word with its variables replaced and its quotes removed. Errors: an unclosed quote or brace,
 * an unknown modifier, ${v:?message} of an unset v. *ret is the caller's. */
int word_expand(const char *word, const WordRules *rules, char **ret, Error *err);
/* The same, split at white space outside quotes; what a variable holds is split, too. */
int words_expand(const char *text, const WordRules *rules, char ***ret, Error *err);
/* The names that text refers to, in order, each once. */
char **word_names(const char *text, char escape);
