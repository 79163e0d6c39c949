/* report.c: what was tried and what held, as a table, as JSON, or as JUnit's XML. */
#include "base/clock.h"
#include "drill/drill.h"

static const char *const verdict_names[] = { "held", "BROKEN", "error" };

typedef struct Form {
        const char *name;
        void (*results)(const Result *results, size_t count, FILE *out);
        void (*list)(const Drill *const *drills, size_t count, FILE *out);
} Form;

static double seconds_of(int64_t duration) {
        return (double)duration / (double)NSEC_PER_SEC;
}

static size_t count_of(const Result *results, size_t count, Verdict verdict) {
        size_t found = 0;

        for (size_t i = 0; i < count; i++)
                found += results[i].verdict == verdict;
        return found;
}

/* ---- text ---- */

/* What a container says goes to a terminal: nothing of it is obeyed there. */
static void print_lines(const char *text, FILE *out) {
        _cleanup_strv_ char **lines = str_split(text, '\n');

        for (char **line = lines; line && *line; line++) {
                if (!**line)
                        continue;
                (void)fputs("    ", out);
                for (const char *c = *line; *c; c++)
                        (void)fputc((unsigned char)*c < ' ' || *c == 127 ? '?' : *c, out);
                (void)fputc('\n', out);
        }
}

static void text_results(const Result *results, size_t count, FILE *out) {
        (void)fprintf(out, "%-22s %-16s %-7s %6s  %s\n", "DRILL", "CVE", "RESULT", "TIME",
                      "WHAT WAS TRIED");
        for (size_t i = 0; i < count; i++) {
                const Result *result = &results[i];

                (void)fprintf(out, "%-22s %-16s %-7s %5.1fs  %s\n", result->drill->name,
                              result->drill->cve, verdict_names[result->verdict],
                              seconds_of(result->duration), result->drill->summary);
                if (result->verdict == VERDICT_HELD)
                        continue;
                print_lines(result->detail, out);
                if (result->verdict == VERDICT_BROKEN)
                        (void)fprintf(out, "    what to change: %s\n", result->drill->remedy);
        }
        (void)fprintf(out, "\n%zu held, %zu broken, %zu could not be tried, %zu not covered\n",
                      count_of(results, count, VERDICT_HELD),
                      count_of(results, count, VERDICT_BROKEN),
                      count_of(results, count, VERDICT_ERROR), uncovered_count);
}

static void text_list(const Drill *const *drills, size_t count, FILE *out) {
        (void)fprintf(out, "%-22s %-16s %s\n", "DRILL", "CVE", "WHAT IS TRIED");
        for (size_t i = 0; i < count; i++)
                (void)fprintf(out, "%-22s %-16s %s\n", drills[i]->name, drills[i]->cve,
                              drills[i]->summary);
        (void)fprintf(out, "\nNOT COVERED\n");
        for (size_t i = 0; i < uncovered_count; i++)
                (void)fprintf(out, "%s\n    %s\n", uncovered[i].name, uncovered[i].where);
}

/* ---- JSON ---- */

static void put(json_object *object, const char *name, const char *text) {
        (void)json_object_object_add(object, name, json_object_new_string(text ?: ""));
}

static json_object *drill_object(const Drill *drill) {
        json_object *object = json_object_new_object();

        put(object, "Name", drill->name);
        put(object, "CVE", drill->cve);
        put(object, "Summary", drill->summary);
        return object;
}

static json_object *uncovered_array(void) {
        json_object *array = json_object_new_array();

        for (size_t i = 0; i < uncovered_count; i++) {
                json_object *object = json_object_new_object();

                put(object, "Name", uncovered[i].name);
                put(object, "HeldBy", uncovered[i].where);
                (void)json_object_array_add(array, object);
        }
        return array;
}

static void print_json(json_object *drills, FILE *out) {
        _cleanup_json_ json_object *document = json_object_new_object();

        (void)json_object_object_add(document, "Drills", drills);
        (void)json_object_object_add(document, "NotCovered", uncovered_array());
        (void)fprintf(out, "%s\n",
                      json_object_to_json_string_ext(
                              document, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
                                                JSON_C_TO_STRING_NOSLASHESCAPE));
}

static void json_results(const Result *results, size_t count, FILE *out) {
        static const char *const words[] = { "held", "broken", "error" };
        json_object *array = json_object_new_array();

        for (size_t i = 0; i < count; i++) {
                json_object *object = drill_object(results[i].drill);

                put(object, "Result", words[results[i].verdict]);
                put(object, "Detail", results[i].detail);
                put(object, "Remedy",
                    results[i].verdict == VERDICT_BROKEN ? results[i].drill->remedy : "");
                (void)json_object_object_add(
                        object, "Seconds", json_object_new_double(seconds_of(results[i].duration)));
                (void)json_object_array_add(array, object);
        }
        print_json(array, out);
}

static void json_list(const Drill *const *drills, size_t count, FILE *out) {
        json_object *array = json_object_new_array();

        for (size_t i = 0; i < count; i++)
                (void)json_object_array_add(array, drill_object(drills[i]));
        print_json(array, out);
}

/* ---- JUnit ---- */

/* XML 1.0 has no control characters, not even escaped. */
static void print_escaped(const char *text, FILE *out) {
        for (const char *c = text ?: ""; *c; c++)
                if (*c == '&')
                        (void)fputs("&amp;", out);
                else if (*c == '<')
                        (void)fputs("&lt;", out);
                else if (*c == '>')
                        (void)fputs("&gt;", out);
                else if (*c == '"')
                        (void)fputs("&quot;", out);
                else if ((unsigned char)*c >= 127 || ((unsigned char)*c < ' ' && *c != '\n'))
                        (void)fputc('?', out);
                else
                        (void)fputc(*c, out);
}

static void junit_case(const Drill *drill, double seconds, FILE *out) {
        (void)fprintf(out, "  <testcase classname=\"brig.drill\" name=\"%s\" time=\"%.3f\"",
                      drill->name, seconds);
}

static void junit_uncovered(FILE *out) {
        for (size_t i = 0; i < uncovered_count; i++) {
                (void)fputs("  <testcase classname=\"brig.drill.uncovered\" name=\"", out);
                print_escaped(uncovered[i].name, out);
                (void)fputs("\"><skipped message=\"not covered\"/></testcase>\n", out);
        }
        (void)fputs("</testsuite>\n", out);
}

static void junit_results(const Result *results, size_t count, FILE *out) {
        static const char *const elements[] = { "", "failure", "error" };

        (void)fprintf(out,
                      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"brig drill\" "
                      "tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"%zu\">\n",
                      count + uncovered_count, count_of(results, count, VERDICT_BROKEN),
                      count_of(results, count, VERDICT_ERROR), uncovered_count);
        for (size_t i = 0; i < count; i++) {
                const char *element = elements[results[i].verdict];

                junit_case(results[i].drill, seconds_of(results[i].duration), out);
                if (results[i].verdict == VERDICT_HELD) {
                        (void)fputs("/>\n", out);
                        continue;
                }
                (void)fprintf(out, "><%s message=\"", element);
                print_escaped(results[i].drill->remedy, out);
                (void)fputs("\">", out);
                print_escaped(results[i].detail, out);
                (void)fprintf(out, "</%s></testcase>\n", element);
        }
        junit_uncovered(out);
}

static void junit_list(const Drill *const *drills, size_t count, FILE *out) {
        (void)fprintf(out,
                      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"brig drill\" "
                      "tests=\"%zu\" skipped=\"%zu\">\n",
                      count + uncovered_count, count + uncovered_count);
        for (size_t i = 0; i < count; i++) {
                junit_case(drills[i], 0, out);
                (void)fputs("><skipped message=\"only listed\"/></testcase>\n", out);
        }
        junit_uncovered(out);
}

/* ---- which ---- */

static const Form forms[] = {
        { "text", text_results, text_list },
        { "json", json_results, json_list },
        { "junit", junit_results, junit_list },
};

static const Form *form_of(const char *format) {
        for (size_t i = 0; i < ELEMENTS(forms); i++)
                if (str_equal(forms[i].name, format))
                        return &forms[i];
        return &forms[0];
}

void report_write(const char *format, const Result *results, size_t count, FILE *out) {
        form_of(format)->results(results, count, out);
}

void report_list(const char *format, const Drill *const *drills, size_t count, FILE *out) {
        form_of(format)->list(drills, count, out);
}
