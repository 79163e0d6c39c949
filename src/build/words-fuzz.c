/* words-fuzz.c: any text as a word; its first byte chooses the rules. */
#include "build/words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const char *const env[] = { "a=alpha", "b=", "c=x  y\xc3\xbcz*?", NULL };
        if (!size)
                return 0;
        _cleanup_free_ char *text = str_copy_n((const char *)data + 1, size - 1);
        _cleanup_free_ char *word = NULL;
        _cleanup_strv_ char **words = NULL, **unmatched = NULL;
        WordRules rules = { .escape = *data & 1 ? '`' : '\\',
                            .env = (char *const *)env,
                            .keep_quotes = *data & 2,
                            .plain_quotes = *data & 4,
                            .keep_unset = *data & 8,
                            .unmatched = &unmatched };
        Error err = {};
        (void)word_expand(text, &rules, &word, &err);
        (void)words_expand(text, &rules, &words, &err);
        strv_free(word_names(text, rules.escape));
        return 0;
}
