/* explore-json.c: `brig image explore --json`: the summary's members and "Files", the rows, as the
 * daemon sends them: one document of what were lines. */
#include "cli/explore-report.h"

void report_add_json(const Report *report, Buf *out) {
        json_add_text(out, &explore_summary_table, &report->summary);
        out->data[--out->length] = '\0'; /* the brace that closes the object */
        buf_add_str(out, ",\"Files\":[");
        for (size_t i = 0; i < report->count; i++) {
                const ReportRow *row = &report->rows[i];
                _cleanup_strv_ char **findings = NULL;
                ExploreFile file = {
                        .path = (char *)row->path,
                        .layer = row->layer,
                        .change = (char *)report_change_names[row->change],
                        .kind = (char *)report_kind_names[row->kind],
                        .size = row->size,
                        .mode = row->mode,
                        .uid = row->uid,
                        .gid = row->gid,
                        .wasted = row->wasted,
                };

                for (const char *at = row->findings; at && *at;) {
                        const char *end = strstr(at, ", ") ?: at + strlen(at);

                        strv_take(&findings, str_copy_n(at, (size_t)(end - at)));
                        at = *end ? end + 2 : end;
                }
                file.findings = findings;
                buf_add_str(out, i > 0 ? ",\n" : "\n");
                json_add_text(out, &explore_file_table, &file);
        }
        buf_add_str(out, "\n]}\n");
}
