/* toml-test.c: what is read, and what is refused, by which words and on which line. */
#include "base/str.h"
#include "base/test.h"
#include "format/toml.h"

static TomlNode *read_text(const char *text, Error *err) {
        TomlNode *root = NULL;

        return toml_parse(text, strlen(text), &root, err) < 0 ? NULL : root;
}

static const char *text_of(const TomlNode *table, const char *key) {
        const TomlNode *node = table ? toml_get(table, key) : NULL;

        return node && node->type == TOML_STRING ? node->text : NULL;
}

TEST(reads_a_hosts_file) {
        Error err = {};
        _cleanup_(toml_freep) TomlNode *root =
                read_text("\xEF\xBB\xBF# a comment\r\n"
                          "server = \"https://docker.io\" # another\n"
                          "[host.\"https://mirror:5000\"]\n"
                          "  capabilities = [\n    \"pull\", # of it\n    'resolve',\n  ]\n"
                          "  client = [[\"a\", \"b\"], [\"c\"]]\n"
                          "  skip_verify = true\n  override_path=false\n"
                          "[host.\"https://mirror:5000\".header]\n"
                          "  x-custom = \"t\\u00e4b\\t\\\"\"\n"
                          "[ host . 'http://second' ]\n"
                          "limits.count = 1_000\nlimits.low = -5",
                          &err);
        const TomlNode *host, *first, *limits;

        ASSERT(root);
        ASSERT_STR(text_of(root, "server"), "https://docker.io");
        host = toml_get(root, "host");
        ASSERT_INT(host->count, 2);
        first = host->items[0];
        ASSERT_STR(first->key, "https://mirror:5000");
        ASSERT_INT(first->line, 3);
        ASSERT_INT(toml_get(first, "capabilities")->count, 2);
        ASSERT_STR(toml_get(first, "capabilities")->items[1]->text, "resolve");
        ASSERT_STR(toml_get(first, "client")->items[0]->items[1]->text, "b");
        ASSERT(toml_get(first, "skip_verify")->truth);
        ASSERT(!toml_get(first, "override_path")->truth);
        ASSERT_STR(text_of(toml_get(first, "header"), "x-custom"), "t\xC3\xA4"
                                                                   "b\t\"");
        limits = toml_get(host->items[1], "limits");
        ASSERT_INT(toml_get(limits, "count")->number, 1000);
        ASSERT_INT(toml_get(limits, "low")->number, -5);
        ASSERT(!toml_get(root, "nothing"));
}

TEST(an_empty_file_is_a_table) {
        Error err = {};
        _cleanup_(toml_freep) TomlNode *root = read_text("", &err);

        ASSERT(root);
        ASSERT_INT(root->count, 0);
}

TEST(refuses_by_line) {
        static const struct {
                const char *text, *message;
        } cases[] = {
                { "a = 1\nb 2\n", "line 2: a key without '=' and a value" },
                { "a = \"x\n", "line 1: a string without its closing quote" },
                { "\n\na = \"\"\"x\"\"\"", "line 3: strings of several lines are not known" },
                { "a = {b = 1}", "line 1: inline tables are not known" },
                { "[[a]]\n", "line 1: arrays of tables ([[…]]) are not known" },
                { "[a\n", "line 1: a table's name lacks its closing bracket" },
                { "[a]\n[b]\n[a]\n", "line 3: the table 'a' is there already, since line 1" },
                { "a = 1\na = 2\n", "line 2: 'a' is there already, since line 1" },
                { "a = 1\n[a.b]\n", "line 2: 'a' has a value since line 1: it is no table" },
                { "a = 1 b = 2", "line 1: something stands behind the value" },
                { "a = [1 2]", "line 1: an array lacks a comma" },
                { "a = [1,\n", "line 2: a value is missing" },
                { "a = 1.5", "line 1: a value that is no string, whole number" },
                { "a = 2024-01-01", "line 1: a value that is no string, whole number" },
                { "a = 0x10", "line 1: a number with a zero before it" },
                { "a = 1__0", "line 1: an underscore that is not between two digits" },
                { "a = yes", "line 1: a value that is no string, whole number" },
                { "a = ", "line 1: a value is missing" },
                { "a = \"\\q\"", "line 1: an unknown escape" },
                { "a = \"\\u12\"", "line 1: \\u takes four hexadecimal digits" },
                { "a = \"\\ud800\"", "line 1: an escape for what is no character" },
                { "= 1", "line 1: a key is missing" },
                { "a = \"\x01\"", "line 1: a control character in a string" },
                { "a = 99999999999999999999", "line 1: a value that is no string" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                Error err = {};
                _cleanup_(toml_freep) TomlNode *root = read_text(cases[i].text, &err);

                ASSERT(!root);
                if (!str_after(err.message, cases[i].message))
                        printf("# %s: %s\n", cases[i].text, err.message);
                ASSERT(str_after(err.message, cases[i].message));
                ASSERT_INT(err.kind, ERROR_INVALID);
        }
}

TEST(has_limits) {
        _cleanup_buf_ Buf deep = {}, wide = {};
        TomlNode *root = NULL;
        Error err = {};

        buf_add_str(&deep, "a = ");
        for (int i = 0; i < 100000; i++)
                buf_add_char(&deep, '[');
        ASSERT(toml_parse(deep.data, deep.length, &root, &err) < 0);
        ASSERT(strstr(err.message, "too deep"));
        buf_add_str(&wide, "a = [");
        for (int i = 0; i < 10000; i++)
                buf_add_str(&wide, "1, ");
        buf_add_str(&wide, "1]\n");
        ASSERT(toml_parse(wide.data, wide.length, &root, &err) < 0);
        ASSERT(strstr(err.message, "more values"));
        ASSERT(toml_parse("a\0b", 3, &root, &err) < 0);
}

TEST_MAIN()
