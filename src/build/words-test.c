/* words-test.c: substitution in all its forms, and the splitting of words. */
#include "base/test.h"
#include "build/words.h"

static const char *const env[] = { "a=old",  "a=alpha",     "path=/usr/local/lib",
                                   "empty=", "many=x  y z", "back=a\\bc",
                                   "flag",   NULL };

TEST(forms) {
        static const struct {
                const char *word, *wanted;
        } cases[] = {
                { "plain", "plain" },
                { "$a-$none-${a}", "alpha--alpha" },
                { "$a.$", "alpha.$" },
                { "'$a' \"$a\" \\$a", "$a alpha $a" },
                { "\"a\\\"b\\n\"", "a\"b\\n" },
                { "${none:-d}${empty:-d}${empty-d}", "dd" },
                { "${a:+d}${none:+d}${empty:+d}${empty+e}", "de" },
                { "${none:-${b:-$a}}", "alpha" },
                { "${a?}${empty?}", "alpha" },
                { "${path#*/}|${path##*/}", "usr/local/lib|lib" },
                { "${path%/*}|${path%%/*}", "/usr/local|" },
                { "${path/l/L}|${path//l/L}", "/usr/Local/lib|/usr/LocaL/Lib" },
                { "${path//\\//:}", ":usr:local:lib" },
                { "${a#?}|${a%?}|${a#x}", "lpha|alph|alpha" },
                { "${back#\"a\\b\"}|${back#'a\\b'}|${back/'\\b'/x}", "c|c|axc" },
                { "${back%\"\\bc\"}|${back#'*'}|${back/b/\"\\d\"}", "a|a\\bc|a\\\\dc" },
                { "${flag}${flag-unset}", "" },
                { "end\\", "end" },
                { "gr\xc3\xbc\xc3\x9f $a\xe2\x80\x94", "gr\xc3\xbc\xc3\x9f alpha\xe2\x80\x94" },
                { "a << b <c", "a << b <c" },
        };
        WordRules rules = { .escape = '\\', .env = (char *const *)env };
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_free_ char *got = NULL;
                Error err = {};
                ASSERT_OK(word_expand(cases[i].word, &rules, &got, &err), &err);
                ASSERT_STR(got, cases[i].wanted);
        }
}

TEST(mistakes) {
        static const struct {
                const char *word, *wanted;
        } cases[] = {
                { "it's", "looking for matching single-quote" },
                { "\"x", "looking for matching double-quote" },
                { "${a", "missing '}'" },
                { "${a:-b", "missing '}'" },
                { "${a/b}", "missing '/' in ${}" },
                { "${}", "bad substitution" },
                { "${a^}", "unsupported modifier (^) in substitution" },
                { "${a:#b}", "unsupported modifier (:#) in substitution" },
                { "${none?gone}", "none: gone" },
                { "${none:?}", "none: is not allowed to be unset" },
                { "${empty:?}", "empty: is not allowed to be empty" },
                { "${a#\\x}", "invalid escape '\\x'" },
        };
        WordRules rules = { .escape = '\\', .env = (char *const *)env };
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_free_ char *got = NULL;
                Error err = {};
                ASSERT(word_expand(cases[i].word, &rules, &got, &err) < 0);
                ASSERT_INT(err.kind, ERROR_INVALID);
                if (!strstr(err.message, cases[i].wanted))
                        ASSERT_STR(err.message, cases[i].wanted);
        }
}

TEST(splitting) {
        static const struct {
                const char *text, *wanted;
        } cases[] = {
                { "one  two\tthree", "one|two|three" },
                { "$many \"$many\" a$many", "x|y|z|x  y z|ax|y|z" },
                { "a\\ b 'c d'", "a b|c d" },
                { "'' x \"\"", "x" },
                { "he${none:-0}xx", "he0xx" },
                { "cat << EOF >x", "cat|<< EOF|>x" },
                { "", "" },
        };
        WordRules rules = { .escape = '\\', .env = (char *const *)env };
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_strv_ char **got = NULL;
                Error err = {};
                ASSERT_OK(words_expand(cases[i].text, &rules, &got, &err), &err);
                _cleanup_free_ char *joined = strv_join(got, "|");
                ASSERT_STR(joined, cases[i].wanted);
        }
}

TEST(rules) {
        Error err = {};
        _cleanup_free_ char *kept = NULL, *plain = NULL, *unset = NULL, *tick = NULL;
        WordRules rules = { .escape = '\\', .env = (char *const *)env, .keep_quotes = true };
        ASSERT_OK(word_expand("'$a' \"$a\\\"\" \\x", &rules, &kept, &err), &err);
        ASSERT_STR(kept, "'$a' \"alpha\\\"\" \\x");
        rules = (WordRules){ .escape = '\\', .env = (char *const *)env, .plain_quotes = true };
        ASSERT_OK(word_expand("it's \"$a\"", &rules, &plain, &err), &err);
        ASSERT_STR(plain, "it's \"alpha\"");
        rules = (WordRules){ .escape = '\\', .keep_unset = true };
        ASSERT_OK(word_expand("$x ${y} ${z:-d} ${w//a/b}", &rules, &unset, &err), &err);
        ASSERT_STR(unset, "$x ${y} ${z:-d} ${w//a/b}");
        rules = (WordRules){ .escape = '`', .env = (char *const *)env };
        ASSERT_OK(word_expand("c:\\$a`$a", &rules, &tick, &err), &err);
        ASSERT_STR(tick, "c:\\alpha$a");
}

TEST(names) {
        _cleanup_strv_ char **names = word_names("$b ${a:-$c} '$no' \\$no $b ${d", '\\');
        _cleanup_free_ char *joined = strv_join(names, " ");
        ASSERT_STR(joined, "b c a");
        _cleanup_strv_ char **unmatched = NULL;
        WordRules rules = { .escape = '\\', .env = (char *const *)env, .unmatched = &unmatched };
        _cleanup_free_ char *got = NULL;
        Error err = {};
        ASSERT_OK(word_expand("$a $b ${b}", &rules, &got, &err), &err);
        ASSERT_INT(strv_length(unmatched), 1);
        ASSERT_STR(unmatched[0], "b");
}

TEST(limits) {
        Buf deep = {};
        for (int i = 0; i < 5000; i++)
                buf_add_str(&deep, "${a:-");
        _cleanup_free_ char *text = buf_take(&deep), *got = NULL, *huge = NULL;
        WordRules rules = { .escape = '\\' };
        Error err = {};
        ASSERT(word_expand(text, &rules, &got, &err) < 0);
        ASSERT(strstr(err.message, "nested too deep"));

        Buf value = {};
        buf_add_str(&value, "v=");
        for (int i = 0; i < 1 << 16; i++)
                buf_add_str(&value, "0123456789abcdef");
        _cleanup_free_ char *entry = buf_take(&value);
        char *large[] = { entry, NULL };
        rules.env = large;
        ASSERT(word_expand("$v$v$v$v$v$v$v$v$v$v$v$v$v$v$v$v$v", &rules, &huge, &err) < 0);
        ASSERT(strstr(err.message, "longer than"));

        /* Dropped text counts, too. */
        _cleanup_free_ char *dropped = NULL;
        ASSERT(word_expand("${n+$v$v$v}${n+$v$v$v}${n+$v$v$v}", &rules, &dropped, &err) < 0);
        ASSERT(strstr(err.message, "on the way is too long"));
}

TEST_MAIN()
