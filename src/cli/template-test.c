/* template-test.c: what templates print, and Go's words where they are wrong. */
#include "base/test.h"
#include "cli/template.h"
#include "format/json.h"

static const char document[] =
        "{\"Id\":\"4a947e\",\"Name\":\"/one\",\"Args\":[\"a\",\"b\"],\"Empty\":[],\"Null\":null,"
        "\"State\":{\"Running\":true,\"Pid\":42,\"Status\":\"running\"},\"Ratio\":1.5,"
        "\"Config\":{\"Labels\":{\"z\":\"1\",\"a\":\"<2>\"},\"Env\":null},"
        "\"Big\":18446744073709551615,\"Ports\":{\"80/tcp\":[{\"HostPort\":\"8080\"}]}}";

/* What the template prints, or the error's message; the caller's. */
static char *run_on(const char *text, const char *json, bool typed, const char *type) {
        _cleanup_(template_freep) Template *template = NULL;
        _cleanup_json_ json_object *dot = NULL, *labels = NULL;
        _cleanup_buf_ Buf out = {};
        TemplateData data = { .typed = typed, .type = type };
        Error err = {};

        if (json_parse_any(json, strlen(json), &dot, &err) < 0 ||
            template_parse(text, &template, &err) < 0)
                return str_copy(err.message);
        labels = json_object_new_object();
        (void)json_object_object_add(labels, "a", json_object_new_string("b"));
        data.dot = dot;
        data.labels = labels;
        return template_run(template, &data, &out, &err) < 0 ? str_copy(err.message)
                                                             : buf_take(&out);
}

#define ASSERT_RUN(text, expected)                                                                 \
        do {                                                                                       \
                _cleanup_free_ char *printed_ = run_on(text, document, false, NULL);               \
                ASSERT_STR(printed_, expected);                                                    \
        } while (0)

TEST(fields) {
        ASSERT_RUN("plain", "plain");
        ASSERT_RUN("", "");
        ASSERT_RUN("{{.Id}}", "4a947e");
        ASSERT_RUN("{{.State.Pid}} {{.State.Running}} {{.Ratio}}", "42 true 1.5");
        ASSERT_RUN("{{.Args}} {{.Empty}} {{.Config.Labels}}", "[a b] [] map[a:<2> z:1]");
        ASSERT_RUN("{{.Null}}", "<no value>");
        ASSERT_RUN("{{(.State).Status}}", "running");
        ASSERT_RUN("{{$.Id}} {{.Id}}}}", "4a947e 4a947e}}");
        ASSERT_RUN("{{.Big}}", "18446744073709551615");
}

TEST(literals) {
        ASSERT_RUN("{{\"a\\tb\"}}{{`r\\aw`}}{{'a'}} {{'ä'}}", "a\tbr\\aw97 228");
        ASSERT_RUN("{{1.5}} {{0x10}} {{1e3}} {{-3}} {{true}}", "1.5 16 1000 -3 true");
        ASSERT_RUN("{{\"\\u00e4\\x41\\101\"}}", "äAA");
        ASSERT_RUN("{{1_0}}", "template: :1: bad number syntax: \"1_0\"");
}

TEST(trimming_and_comments) {
        ASSERT_RUN("a  {{- 1 -}}  b", "a1b");
        ASSERT_RUN("a {{/* c */}} b", "a  b");
        ASSERT_RUN("a {{- /* c */ -}} b", "ab");
        ASSERT_RUN("{{-3}}", "-3");
}

TEST(conditions) {
        ASSERT_RUN("{{if .State.Running}}y{{else}}n{{end}}", "y");
        ASSERT_RUN("{{if .Empty}}y{{else if .Id}}e{{else}}n{{end}}", "e");
        ASSERT_RUN("{{with .State}}{{.Status}}{{end}}", "running");
        ASSERT_RUN("{{with .Null}}x{{else}}none{{end}}", "none");
        ASSERT_RUN("{{with $s := .State}}{{$s.Pid}}{{end}}", "42");
        ASSERT_RUN("{{if and .Id (not .Empty)}}y{{end}}", "y");
        ASSERT_RUN("{{if eq .State.Status \"running\"}}r{{end}}", "r");
}

TEST(ranges) {
        ASSERT_RUN("{{range .Args}}[{{.}}]{{end}}", "[a][b]");
        ASSERT_RUN("{{range $i, $e := .Args}}{{$i}}{{$e}} {{end}}", "0a 1b ");
        ASSERT_RUN("{{range $k, $v := .Config.Labels}}{{$k}}={{$v}};{{end}}", "a=<2>;z=1;");
        ASSERT_RUN("{{range .Empty}}x{{else}}none{{end}}", "none");
        ASSERT_RUN("{{range .Args}}{{if eq . \"b\"}}{{continue}}{{end}}{{.}}{{end}}", "a");
        ASSERT_RUN("{{range .Args}}{{.}}{{break}}{{end}}", "a");
        ASSERT_RUN("{{range 3}}{{.}}{{end}}", "012");
        ASSERT_RUN("{{range $p, $b := .Ports}}{{$p}} {{(index $b 0).HostPort}}{{end}}",
                   "80/tcp 8080");
}

TEST(variables) {
        ASSERT_RUN("{{$x := 1}}{{if true}}{{$x = 2}}{{end}}{{$x}}", "2");
        ASSERT_RUN("{{$x := 1}}{{if true}}{{$x := 2}}{{$x}}{{end}}{{$x}}", "21");
        ASSERT_RUN("{{$y}}", "template: :1: undefined variable \"$y\"");
        ASSERT_RUN("{{if true}}{{$x := 2}}{{end}}{{$x}}",
                   "template: :1: undefined variable \"$x\"");
}

TEST(functions) {
        ASSERT_RUN("{{len .Args}} {{len .Id}} {{len .State}}", "2 6 3");
        ASSERT_RUN(
                "{{index .Args 1}} {{index .Config.Labels \"z\"}}|{{index .Config.Labels \"q\"}}|",
                "b 1||");
        ASSERT_RUN("{{join .Args \",\"}} {{split \"a,b\" \",\"}}", "a,b [a b]");
        ASSERT_RUN("{{upper .Id}} {{lower \"AB\"}} {{title \"hello world\"}}",
                   "4A947E ab Hello World");
        ASSERT_RUN("{{pad \"x\" 2 3}}|{{pad \"\" 2 3}}|{{truncate .Id 4}}", "  x   ||4a94");
        ASSERT_RUN("{{slice .Name 1}} {{slice .Args 1 2}}", "one [b]");
        ASSERT_RUN("{{json .Config.Labels}}", "{\"z\":\"1\",\"a\":\"<2>\"}");
        ASSERT_RUN("{{print 1 2 \"x\" \"y\" 3}} {{println \"z\"}}", "1 2xy3 z\n");
        ASSERT_RUN("{{html \"<a>\"}} {{urlquery \"a b\"}}", "&lt;a&gt; a+b");
        ASSERT_RUN("{{or .Null \"d\"}} {{and 1 0}} {{not 0}}", "d 0 true");
        ASSERT_RUN("{{.Id | upper | printf \"%.3s\"}}", "4A9");
}

TEST(comparison) {
        ASSERT_RUN("{{eq 1 2 1}} {{ne \"a\" \"b\"}} {{lt 1 2}} {{le 2 2}} {{gt \"b\" \"a\"}} {{ge "
                   "1 2}}",
                   "true true true true true false");
        ASSERT_RUN("{{eq 1 \"a\"}}",
                   "template: :1:2: executing \"\" at <eq 1 \"a\">: error calling "
                   "eq: incompatible types for comparison");
}

TEST(printf_verbs) {
        ASSERT_RUN("{{printf \"%-5s|%5s|%.2s\" \"ab\" \"cd\" \"efg\"}}", "ab   |   cd|ef");
        ASSERT_RUN("{{printf \"%5d|%05d|%-5d|%+d|%x|%X|%o|%b\" 3 4 5 6 255 255 8 5}}",
                   "    3|00004|5    |+6|ff|FF|10|101");
        ASSERT_RUN("{{printf \"%q %v %t %T\" \"q\" .Args true 1}}", "\"q\" [a b] true int");
        ASSERT_RUN("{{printf \"%.2f %g %e\" 1.5 2.5 3.5}}", "1.50 2.5 3.500000e+00");
        ASSERT_RUN(
                "{{printf \"%d\" \"x\"}} {{printf \"%s\"}} {{printf \"%z\" 1}} {{printf \"x\" 1}}",
                "%!d(string=x) %!s(MISSING) %!z(int=1) x%!(EXTRA int=1)");
        ASSERT_RUN("{{printf \"100%%\"}} {{printf \"%x\" \"hi\"}} {{printf \"%\"}}",
                   "100% 6869 %!(NOVERB)");
}

TEST(errors_of_parsing) {
        ASSERT_RUN("{{.Id", "template: :1: unclosed action");
        ASSERT_RUN("{{foo}}", "template: :1: function \"foo\" not defined");
        ASSERT_RUN("{{if}}", "template: :1: missing value for if");
        ASSERT_RUN("{{ }}", "template: :1: missing value for command");
        ASSERT_RUN("{{end}}", "template: :1: unexpected {{end}}");
        ASSERT_RUN("{{else}}", "template: :1: unexpected {{else}}");
        ASSERT_RUN("{{range .Id}}", "template: :1: unexpected EOF");
        ASSERT_RUN("{{\"abc}}", "template: :1: unterminated quoted string");
        ASSERT_RUN("{{break}}", "template: :1: {{break}} outside {{range}}");
        ASSERT_RUN("{{(.Id}}", "template: :1: unclosed left paren");
        ASSERT_RUN("a\n{{.Id)}}", "template: :2: unexpected right paren");
        ASSERT_RUN("{{/* x }}", "template: :1: unclosed comment");
}

TEST(errors_of_running) {
        ASSERT_RUN("{{.Foo}}",
                   "template: :1:2: executing \"\" at <.Foo>: map has no entry for key \"Foo\"");
        ASSERT_RUN("{{.State.Foo}}", "template: :1:8: executing \"\" at <.State.Foo>: map has no "
                                     "entry for key \"Foo\"");
        ASSERT_RUN("a\n {{.Foo}}",
                   "template: :2:3: executing \"\" at <.Foo>: map has no entry for key \"Foo\"");
        ASSERT_RUN("{{1 2}}", "template: :1:2: executing \"\" at <1>: can't give argument to "
                              "non-function 1");
        ASSERT_RUN("{{.Id \"x\"}}", "template: :1:2: executing \"\" at <.Id>: Id is not a method "
                                    "but has arguments");
        ASSERT_RUN("{{len 3}}", "template: :1:2: executing \"\" at <len 3>: error calling len: len "
                                "of type int");
        ASSERT_RUN("{{nil}}", "template: :1:2: executing \"\" at <nil>: nil is not a command");
}

TEST(nil_of_known_types) {
        static const char text[] =
                "{{.Config.Healthcheck}} {{.Config.Env}} {{if .State.Health}}h{{else}}n{{end}}";
        _cleanup_free_ char *printed = run_on(text, document, true, NULL);
        _cleanup_free_ char *deeper = run_on("{{.State.Health.Status}}", document, true, NULL);
        _cleanup_free_ char *as_json =
                run_on("{{json .Config.Entrypoint}} {{json .Config.Env}} {{json .Config.Volumes}} "
                       "{{json .Args}} {{json .Empty}} {{.Config.Volumes}}",
                       document, true, NULL);

        ASSERT_STR(printed, "<nil> [] n");
        ASSERT_STR(as_json, "null null null [\"a\",\"b\"] [] map[]");
        ASSERT_STR(deeper, "template: :1:8: executing \"\" at <.State.Health.Status>: map has no "
                           "entry for key \"Health\"");
}

TEST(rows) {
        _cleanup_free_ char *label =
                run_on("{{.Label \"a\"}}|{{.Label \"q\"}}", "{}", false, "*row");
        _cleanup_free_ char *field = run_on("{{.Foo}}", "{}", false, "*row");
        _cleanup_free_ char *whole = run_on("{{json .}}", "{\"P\":\"a->b\"}", false, "*row");

        ASSERT_STR(label, "b|");
        ASSERT_STR(field, "template: :1:2: executing \"\" at <.Foo>: can't evaluate field Foo in "
                          "type *row");
        ASSERT_STR(whole, "{\"P\":\"a-\\u003eb\"}");
}

TEST(depth_is_bounded) {
        Buf deep = {};
        _cleanup_free_ char *text = NULL, *printed = NULL;

        buf_add_str(&deep, "{{");
        for (int i = 0; i < 1000; i++)
                buf_add_char(&deep, '(');
        buf_add_str(&deep, "1}}");
        text = buf_take(&deep);
        printed = run_on(text, "{}", false, NULL);
        ASSERT_STR(printed, "template: :1: too deeply nested");
}

TEST_MAIN()
