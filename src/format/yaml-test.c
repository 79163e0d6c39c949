/* yaml-test.c: YAML as JSON text, and what is refused. */
#include "base/test.h"
#include "format/json.h"
#include "format/yaml.h"

static char *as_json(const char *text) {
        _cleanup_json_ json_object *documents = NULL;
        Error err = { 0 };

        if (yaml_parse(text, strlen(text), &documents, &err) < 0)
                return str_copy(err.message);
        return str_copy(json_object_to_json_string_ext(documents, JSON_C_TO_STRING_PLAIN));
}

#define YAML(text, expected)                                                                       \
        do {                                                                                       \
                _cleanup_free_ char *json_ = as_json(text);                                        \
                ASSERT_STR(json_, expected);                                                       \
        } while (0)

TEST(documents) {
        YAML("", "[]");
        YAML("---\n---\n", "[]");
        YAML("a: 1\n---\nb: [x, 'y', \"z\"]\n...\n", "[{\"a\":1},{\"b\":[\"x\",\"y\",\"z\"]}]");
        YAML("{}", "[{}]");
        YAML("a:\n- b: {}\n  c:\n", "[{\"a\":[{\"b\":{},\"c\":null}]}]");
}

TEST(scalars) {
        YAML("[80, -1, '80', 1.5, 1.2.3, 1e3, 0x10, 10.0.0.0/8, -, .]",
             "[[80,-1,\"80\",1.5,\"1.2.3\",1000.0,\"0x10\",\"10.0.0.0\\/8\",\"-\",\".\"]]");
        YAML("[true, no, on, 'no', null, ~, nullx]",
             "[[true,false,true,\"no\",null,null,\"nullx\"]]");
        YAML("[99999999999999999999]", "[[\"99999999999999999999\"]]");
}

TEST(refused) {
        YAML("a: &x 1\nb: *x\n", "line 1: an anchor (&name) is not supported");
        YAML("a: 1\nb: *x\n", "line 2: an alias (*name) is not supported: write the value");
        YAML("a: !!str 1\n", "line 1: a tag (!name) is not supported");
        YAML("a: 1\na: 2\n", "line 2: the key 'a' comes twice");
        YAML("<<: {}\n", "line 1: a merge key (<<) is not supported");
        YAML("? [a]\n: b\n", "line 1: a key must be a string");
        YAML("a: \"x\\0y\"\n", "line 1: a value contains the character NUL");
        YAML("a: [1\n", "line 2: did not find expected ',' or ']'");
        YAML("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "line 1: more than 32 levels deep");
}

TEST_MAIN()
