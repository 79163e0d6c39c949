/* lint-print.c: findings as text, as BuildKit's JSON and as SARIF 2.1.0. */
#include "base/base64.h"
#include "build/lint-private.h"
#include "format/json.h"

/* ---- text ---- */

static const char *line_start(const char *text, unsigned line) {
        for (; line > 1 && text; line--)
                text = strchr(text, '\n') ? strchr(text, '\n') + 1 : NULL;
        return text;
}

/* The lines first to last with two or, for a single line, four lines around them, taken in turn
 * from both sides while there are any: the frame of BuildKit's client. */
static void quote(const Dockerfile *file, SourceRange at, Buf *ret) {
        unsigned lines = 1, first = at.line, last = at.end_line, pad;

        for (const char *text = file->source; *text; text++)
                lines += *text == '\n';
        if (first < 1 || first > lines)
                return;
        last = MIN(MAX(last, first), lines);
        pad = first == last ? 4 : 2;
        for (unsigned taken = 0; taken < pad; taken++) {
                if (first > 1) {
                        first--;
                        taken++;
                }
                if (last != lines) {
                        last++;
                        taken++;
                }
        }
        buf_format(ret, "%s:%u\n--------------------\n", file->name, at.line);
        for (unsigned i = first; i <= last; i++) {
                const char *text = line_start(file->source, i) ?: "";

                buf_format(ret, " %3u | %s %.*s\n", i,
                           i >= at.line && i <= MAX(at.end_line, at.line) ? ">>>" : "   ",
                           (int)strcspn(text, "\n"), text);
        }
        buf_add_str(ret, "--------------------\n");
}

static void print_text(const Dockerfile *file, const Findings *findings, Buf *ret) {
        if (findings->count == 1)
                buf_add_str(ret, "Check complete, 1 warning has been found!\n");
        else if (findings->count)
                buf_format(ret, "Check complete, %zu warnings have been found!\n", findings->count);
        for (size_t i = 0; i < findings->count; i++) {
                const Finding *finding = &findings->list[i];

                buf_format(ret, "\nWARNING: %s - %s\n%s\n", finding->rule, finding->url,
                           finding->detail);
                quote(file, finding->at, ret);
        }
        if (findings->count == 0)
                buf_add_str(ret, "Check complete, no warnings found.\n");
}

/* ---- JSON ---- */

static void add_member(Buf *ret, const char *indent, const char *name, const char *value,
                       const char *end) {
        buf_format(ret, "%s\"%s\": ", indent, name);
        json_add_quoted(ret, value);
        buf_add_str(ret, end);
}

static void add_location(Buf *ret, SourceRange at) {
        buf_format(ret,
                   "      \"location\": {\n        \"ranges\": [\n          {\n"
                   "            \"start\": {\n              \"line\": %u\n            },\n"
                   "            \"end\": {\n              \"line\": %u\n            }\n"
                   "          }\n        ]\n      }\n",
                   at.line, MAX(at.end_line, at.line));
}

static void add_build_error(Buf *ret, const Findings *findings) {
        buf_add_str(ret, ",\n  \"buildError\": {\n");
        add_member(ret, "      ", "message", findings->error, ",\n");
        if (findings->error_at.line)
                add_location(ret, findings->error_at);
        else
                buf_add_str(ret, "      \"location\": null\n");
        buf_add_str(ret, "  }");
}

static void print_json(const Dockerfile *file, const Findings *findings, Buf *ret) {
        _cleanup_free_ char *source = base64_encode(file->source, strlen(file->source));

        buf_add_str(ret, findings->count ? "{\n  \"warnings\": [" : "{\n  \"warnings\": null");
        for (size_t i = 0; i < findings->count; i++) {
                const Finding *finding = &findings->list[i];

                buf_add_str(ret, i ? ",\n    {\n" : "\n    {\n");
                add_member(ret, "      ", "ruleName", finding->rule, ",\n");
                add_member(ret, "      ", "description", finding->description, ",\n");
                add_member(ret, "      ", "url", finding->url, ",\n");
                add_member(ret, "      ", "detail", finding->detail, ",\n");
                add_location(ret, finding->at);
                buf_add_str(ret, "    }");
        }
        buf_add_str(ret, findings->count ? "\n  ],\n  \"sources\": [\n    {\n"
                                         : ",\n  \"sources\": [\n    {\n");
        add_member(ret, "      ", "filename", file->name, ",\n");
        buf_add_str(ret, "      \"data\": \"");
        buf_add_str(ret, source);
        buf_add_str(ret, "\",\n      \"language\": \"Dockerfile\"\n    }\n  ]");
        if (findings->error)
                add_build_error(ret, findings);
        buf_add_str(ret, "\n}\n");
}

/* ---- SARIF ---- */

/* Behind "{" and what stands before the level. */
static void add_result(Buf *ret, const Dockerfile *file, const char *level, const char *text,
                       SourceRange at) {
        add_member(ret, "", "level", level, ",\"message\":");
        add_member(ret, "{", "text", text, "},\"locations\":[");
        add_member(ret, "{\"physicalLocation\":{\"artifactLocation\":{", "uri", file->name, "}");
        if (at.line)
                buf_format(ret, ",\"region\":{\"startLine\":%u,\"endLine\":%u}", at.line,
                           MAX(at.end_line, at.line));
        buf_add_str(ret, "}}]}");
}

static void print_sarif(const Dockerfile *file, const Findings *findings, Buf *ret) {
        buf_add_str(ret, "{\"$schema\":\"https://json.schemastore.org/sarif-2.1.0.json\","
                         "\"version\":\"2.1.0\",\"runs\":[{\"tool\":{\"driver\":{"
                         "\"name\":\"brig\",\"rules\":[");
        for (size_t i = 0; i < RULES; i++) {
                buf_add_str(ret, i ? "," : "");
                add_member(ret, "{", "id", lint_rules[i].name, ",");
                add_member(ret, "", "helpUri", lint_rules[i].url, ",\"shortDescription\":");
                add_member(ret, "{", "text", lint_rules[i].description, "}}");
        }
        buf_add_str(ret, "]}},\"results\":[");
        for (size_t i = 0; i < findings->count; i++) {
                const Finding *finding = &findings->list[i];

                buf_add_str(ret, i ? ",{" : "{");
                add_member(ret, "", "ruleId", finding->rule, ",");
                add_result(ret, file, "warning", finding->detail, finding->at);
        }
        if (findings->error) {
                buf_add_str(ret, findings->count ? ",{" : "{");
                add_result(ret, file, "error", findings->error, findings->error_at);
        }
        buf_add_str(ret, "]}]}\n");
}

void findings_print(const Dockerfile *file, const Findings *findings, LintFormat format, Buf *ret) {
        static void (*const printers[])(const Dockerfile *, const Findings *, Buf *) = {
                [LINT_TEXT] = print_text,
                [LINT_JSON] = print_json,
                [LINT_SARIF] = print_sarif,
        };

        printers[format](file, findings, ret);
}
