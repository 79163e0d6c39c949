/* explore-fuzz.c: any text as a rule, as lines of a report with all its forms and a viewer upon it,
 * and as keys. The first byte chooses. */
#include <stdint.h>

#include "cli/explore-rules.h"
#include "cli/explore-view.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_rule(const char *text) {
        const ExploreSummary summary = { .size = 1000, .wasted = 100, .efficiency = 0.9 };
        Error err = {};
        Rule rule;

        if (rule_parse(text, &rule, &err) == 0)
                free(rule_broken(&rule, &summary));
}

static void use_keys(View *view, const char *keys, size_t length) {
        size_t used;
        int key;

        while ((used = view_key_read(keys, length, true, &key)) > 0) {
                _cleanup_buf_ Buf drawn = {};

                keys += used;
                length -= used;
                if (key != KEY_NONE && view_key(view, key))
                        return;
                view_draw(view, &drawn);
        }
}

static void use_report(const Report *report, const char *keys) {
        _cleanup_buf_ Buf html = {}, json = {};
        FILE *nowhere = fopen("/dev/null", "w");
        View view;

        report_add_html(report, &html);
        report_add_json(report, &json);
        if (nowhere) {
                report_print_text(report, nowhere);
                (void)fclose(nowhere);
        }
        if (report->summary.layers.count == 0)
                return;
        view_init(&view, report);
        view_resize(&view, 12, 60);
        use_keys(&view, keys, strlen(keys));
        view_done(&view);
}

/* Lines up to an empty one, then keys. */
static void fuzz_report(const char *text) {
        _cleanup_(report_done) Report report = {};
        Error err = {};

        while (*text && *text != '\n') {
                size_t length = strcspn(text, "\n");

                if (report_add(&report, text, length, &err) < 0)
                        return;
                text += length + (text[length] == '\n');
        }
        if (report_end(&report, &err) == 0)
                use_report(&report, *text ? text + 1 : "\t\033[B");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *text = size > 0 ? str_copy_n((const char *)data + 1, size - 1) : NULL;

        if (!text)
                return 0;
        if (data[0] % 2 == 0)
                fuzz_rule(text);
        else
                fuzz_report(text);
        return 0;
}
