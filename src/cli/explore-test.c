/* explore-test.c: the report as it is read, its forms, and the rules of --fail-if. */
#include "base/test.h"
#include "cli/explore-example.h"
#include "cli/explore-rules.h"

#define _cleanup_report_ _cleanup_(report_done)

static char *text_of(const Report *report) {
        char *text = NULL;
        size_t length;
        FILE *out = open_memstream(&text, &length);

        report_print_text(report, out);
        (void)fclose(out);
        return text;
}

static int read_one(const char *line, Error *err) {
        _cleanup_report_ Report report = {};

        return report_add(&report, line, strlen(line), err);
}

TEST(reads_the_lines) {
        _cleanup_report_ Report report = {};
        Error err = {};

        ASSERT_OK(example_report(&report, &err), &err);
        ASSERT_INT(report.count, 8);
        ASSERT(report.rows[2].path == report.rows[3].path);
        ASSERT_INT(report.rows[3].change, REPORT_CHANGED);
        ASSERT_INT(report.rows[1].mode, 04755);
        ASSERT_STR(report.rows[6].findings, "secret: an SSH private key by its name");
        ASSERT_STR(report_name(&report), "demo:latest");
}

TEST(refuses_what_makes_no_sense) {
        static const char *const lines[] = {
                "{}",
                "{\"File\":{\"Path\":\"a\",\"Layer\":0,\"Change\":\"grown\",\"Kind\":\"file\"}}",
                "{\"File\":{\"Path\":\"a\",\"Layer\":0,\"Change\":\"added\",\"Kind\":\"door\"}}",
                "{\"File\":{\"Path\":\"a\",\"Layer\":-1,\"Change\":\"added\",\"Kind\":\"file\"}}",
                "{\"File\":{\"Path\":\"/a\",\"Layer\":0,\"Change\":\"added\",\"Kind\":\"file\"}}",
                "{\"File\":{\"Path\":\"\",\"Layer\":0,\"Change\":\"added\",\"Kind\":\"file\"}}",
                "{\"File\":{\"Path\":\"a\",\"Layer\":0,\"Change\":\"added\",\"Size\":-1}}",
                "{\"File\":{\"Path\":\"a\",\"Change\":\"added\",\"Kind\":\"file\"}}",
                "{\"error\":\"gone\"}",
                "nonsense",
        };
        _cleanup_report_ Report report = {};
        const char *row = "{\"File\":{\"Path\":\"a\",\"Layer\":3,\"Change\":\"added\",\"Kind\":"
                          "\"file\"}}";
        Error err = {};

        for (size_t i = 0; i < ELEMENTS(lines); i++)
                ASSERT(read_one(lines[i], &err) < 0);
        ASSERT_OK(report_add(&report, row, strlen(row), &err), &err);
        ASSERT(report_end(&report, &err) < 0); /* no summary */
        ASSERT_STR(err.message, "the daemon's answer ends early");
        row = "{\"Summary\":{\"Id\":\"x\",\"Size\":0,\"Paths\":0,\"Wasted\":0,\"Efficiency\":1}}";
        ASSERT_OK(report_add(&report, row, strlen(row), &err), &err);
        ASSERT(report_end(&report, &err) < 0);                   /* layer 3 of none */
        ASSERT(report_add(&report, row, strlen(row), &err) < 0); /* a second one */
}

TEST(prints_tables) {
        _cleanup_report_ Report report = {};
        _cleanup_free_ char *text = NULL;
        Error err = {};

        ASSERT_OK(example_report(&report, &err), &err);
        text = text_of(&report);
        ASSERT_STR(
                text,
                "Image:       demo:latest\n"
                "Id:          sha256:abc\n"
                "Size:        1.65kB in 3 layers, 5 paths\n"
                "Efficiency:  80.00%\n"
                "Wasted:      330B (20.00%)\n"
                "Found:       1 secrets, 1 setuid, 0 setgid, 1 world-writable\n"
                "\n"
                "LAYER   SIZE   ADDED   CHANGED   REMOVED   SAME   WASTED   CREATED BY\n"
                "1       1kB    3       0         0         0      0B       ADD x in / \n"
                "2       350B   3       0         0         0      30B      RUN make <all> && x\n"
                "3       300B   0       1         1         0      300B     RUN rm /etc/id_rsa\n"
                "\n"
                "WASTED   COPIES   PATH\n"
                "300B     2        bin/tool\n"
                "30B      1        etc/id_rsa (removed)\n"
                "\n"
                "LAYER   PATH                      FOUND\n"
                "1       bin/su                    setuid\n"
                "2       etc/</script><b>\\x1b[2J   world-writable\n"
                "2       etc/id_rsa                secret: an SSH private key by its name "
                "(removed later, still in the layer)\n");
}

TEST(writes_json_that_is_the_same_document) {
        _cleanup_report_ Report report = {};
        _cleanup_buf_ Buf json = {};
        _cleanup_json_ json_object *object = NULL;
        Error err = {};

        ASSERT_OK(example_report(&report, &err), &err);
        report_add_json(&report, &json);
        ASSERT_OK(json_parse_any(json.data, json.length, &object, &err), &err);
        json_object *files = json_member(object, "Files");
        ASSERT_INT(json_object_array_length(files), 8);
        ASSERT_INT(json_object_array_length(json_member(object, "Layers")), 3);
        json_object *file = json_object_array_get_idx(files, 5);
        ASSERT_STR(json_member_string(file, "Path"), "etc/</script><b>\033[2J");
        ASSERT_STR(json_object_get_string(json_member(file, "Findings")), "[ \"world-writable\" ]");
}

static size_t occurrences(const char *text, const char *part) {
        size_t count = 0;

        while ((text = strstr(text, part))) {
                text += strlen(part);
                count++;
        }
        return count;
}

TEST(a_name_cannot_leave_the_page_s_data) {
        _cleanup_report_ Report report = {}, none = {};
        _cleanup_buf_ Buf html = {}, empty = {};
        Error err = {};

        ASSERT_OK(example_report(&report, &err), &err);
        report_add_html(&report, &html);
        none.summary.id = str_copy("x");
        report_add_html(&none, &empty);
        ASSERT_INT(occurrences(empty.data, "</script>"), 2);
        ASSERT_INT(occurrences(html.data, "</script>"), 2);
        ASSERT_INT(occurrences(html.data, "<b>"), occurrences(empty.data, "<b>"));
        ASSERT(strstr(html.data, "etc/\\u003c/script\\u003e\\u003cb\\u003e\\u001b[2J"));
        ASSERT(strstr(html.data, "RUN make \\u003call\\u003e \\u0026\\u0026 x"));
        ASSERT(!strstr(html.data, "@DATA@"));
        ASSERT(!strstr(html.data, "://") &&
               !strstr(html.data, "src=")); /* nothing from elsewhere */
}

TEST(the_page_s_data_is_json) {
        _cleanup_report_ Report report = {};
        _cleanup_buf_ Buf html = {};
        _cleanup_json_ json_object *data = NULL;
        Error err = {};

        ASSERT_OK(example_report(&report, &err), &err);
        report_add_html(&report, &html);
        const char *start = strstr(html.data, "id=\"data\">"), *end;
        ASSERT(start);
        start += strlen("id=\"data\">");
        end = strstr(start, "</script>");
        ASSERT_OK(json_parse_any(start, (size_t)(end - start), &data, &err), &err);
        json_object *rows = json_member(data, "rows");
        ASSERT_INT(json_object_array_length(rows), 8);
        ASSERT_STR(json_object_get_string(json_object_array_get_idx(rows, 3)),
                   "[ 0, 2, 1, 0, 300, 493, 0, 0, 300 ]");
}

/* ---- rules ---- */

/* What the rule says of the example; "passes"; or the error. The caller's. */
static char *judged(const char *text) {
        _cleanup_report_ Report report = {};
        Rule rule;
        Error err = {};
        char *broken;

        if (example_report(&report, &err) < 0 || rule_parse(text, &rule, &err) < 0)
                return str_copy(err.message);
        broken = rule_broken(&rule, &report.summary);
        return broken ?: str_copy("passes");
}

#define ASSERT_RULE(text, expected)                                                                \
        do {                                                                                       \
                _cleanup_free_ char *said_ = judged(text);                                         \
                ASSERT_STR(said_, expected);                                                       \
        } while (0)

TEST(rules) {
        ASSERT_RULE("efficiency<0.9", "efficiency is 0.8000");
        ASSERT_RULE("efficiency < 90%", "efficiency is 0.8000");
        ASSERT_RULE("efficiency<0.8", "passes");
        ASSERT_RULE("efficiency<=0.8", "efficiency is 0.8000");
        ASSERT_RULE("wasted>20MB", "passes");
        ASSERT_RULE("wasted>0.3kB", "wasted is 330B (330 bytes)");
        ASSERT_RULE("wasted>329", "wasted is 330B (330 bytes)");
        ASSERT_RULE("wasted>=0.32226562KiB", "wasted is 330B (330 bytes)");
        ASSERT_RULE("wasted-percent>10", "wasted-percent is 20.00%");
        ASSERT_RULE("wasted-percent>20", "passes");
        ASSERT_RULE(" secrets > 0 ", "secrets is 1");
        ASSERT_RULE("setuid>1", "passes");
        ASSERT_RULE("setuid>=1", "setuid is 1");
        ASSERT_RULE("size>1TiB", "passes");
        ASSERT_RULE("world-writable>0", "world-writable is 1");
}

TEST(rules_that_are_none) {
        ASSERT_RULE("efficiency", "invalid rule \"efficiency\": write it as efficiency<0.9, with "
                                  "<, <=, > or >=");
        ASSERT_RULE("beauty<1", "invalid rule \"beauty<1\": no such measure; there are efficiency, "
                                "wasted, wasted-percent, size, paths, secrets, setuid, setgid and "
                                "world-writable");
        ASSERT_RULE("wasted>20XB",
                    "invalid rule \"wasted>20XB\": \"20XB\" is no size such as 20MB");
        ASSERT_RULE("secrets>", "invalid rule \"secrets>\": \"\" is no number");
        ASSERT_RULE("secrets>1MB", "invalid rule \"secrets>1MB\": \"1MB\" is no number");
        ASSERT_RULE("secrets>>1", "invalid rule \"secrets>>1\": \">1\" is no number");
        ASSERT_RULE("secrets>-1", "invalid rule \"secrets>-1\": \"-1\" is no number");
        ASSERT_RULE("efficiency<nan", "invalid rule \"efficiency<nan\": \"nan\" is no number");
}

TEST_MAIN()
