/* list.c: see list.h. */
#include "cli/list.h"

#include <errno.h>

#include "cli/config.h"
#include "cli/values.h"

#define EXIT_FORMAT 64
#define LEAST_WIDTH 10
#define PADDING 3

void list_add(List *list, json_object *fields, json_object *labels) {
        GROW(list->rows, list->count);
        list->rows[list->count++] = (ListRow){ fields, labels };
}

void list_done(List *list) {
        for (size_t i = 0; i < list->count; i++) {
                (void)json_object_put(list->rows[i].fields);
                (void)json_object_put(list->rows[i].labels);
        }
        free(list->rows);
        *list = (List){};
}

char *format_unescape(const char *format) {
        Buf out = {};

        for (; *format; format++) {
                if (format[0] == '\\' && (format[1] == 't' || format[1] == 'n'))
                        buf_add_char(&out, *++format == 't' ? '\t' : '\n');
                else
                        buf_add_char(&out, *format);
        }
        return buf_take(&out);
}

/* ---- the table ---- */

typedef struct Line {
        char **cells;
        size_t count;
        size_t *widths; /* of the cells but the last */
} Line;

static size_t column_width(const Line *lines, size_t first, size_t end, size_t column, size_t least,
                           size_t padding) {
        size_t width = least;

        for (size_t i = first; i < end; i++)
                width = MAX(width, text_width(lines[i].cells[column]) + padding);
        return width;
}

/* A column is made of neighbouring lines that have it; each run of them has its own width. */
static void set_widths(Line *lines, size_t count, size_t column, size_t least, size_t padding) {
        for (size_t first = 0, end; first < count; first = end) {
                size_t width;

                for (end = first; end < count && lines[end].count > column + 1;)
                        end++;
                if (end == first) {
                        end++;
                        continue;
                }
                width = column_width(lines, first, end, column, least, padding);
                for (size_t i = first; i < end; i++)
                        lines[i].widths[column] = width;
        }
}

static void print_line(const Line *line, FILE *out) {
        for (size_t i = 0; i < line->count; i++) {
                size_t fill =
                        i + 1 < line->count ? line->widths[i] - text_width(line->cells[i]) : 0;

                (void)fprintf(out, "%s%*s", line->cells[i], (int)fill, "");
        }
        (void)fputc('\n', out);
}

void table_print(const char *text, size_t least, size_t padding, FILE *out) {
        _cleanup_strv_ char **texts = str_split(text, '\n');
        size_t count = strv_length(texts), most = 0;
        _cleanup_free_ Line *lines = NEW_ARRAY(Line, count + 1);

        if (count > 0 && !*texts[count - 1])
                count--; /* what follows the last line's end */
        for (size_t i = 0; i < count; i++) {
                lines[i].cells = str_split(texts[i], '\t');
                lines[i].count = strv_length(lines[i].cells);
                lines[i].widths = NEW_ARRAY(size_t, lines[i].count + 1);
                most = MAX(most, lines[i].count);
        }
        for (size_t column = 0; column + 1 < most; column++)
                set_widths(lines, count, column, least, padding);
        for (size_t i = 0; i < count; i++) {
                print_line(&lines[i], out);
                (void)strv_free(lines[i].cells);
                free(lines[i].widths);
        }
}

/* ---- formats ---- */

const char *list_format(Cli *cli, const ListKind *kind, const char *format, bool quiet) {
        if (!str_empty(format))
                return format;
        if (quiet || !kind->config)
                return NULL;
        return config_string(cli, kind->config);
}

static void add_heads(const ListKind *kind, const Template *template, Buf *out) {
        _cleanup_json_ json_object *heads = json_object_new_object();
        TemplateData data = { .dot = heads, .headers = true };
        Error ignored = {};

        for (size_t i = 0; i < kind->count; i++)
                (void)json_object_object_add(heads, kind->columns[i].field,
                                             json_object_new_string(kind->columns[i].head));
        (void)template_run(template, &data, out, &ignored);
        buf_add_char(out, '\n');
}

static int run_rows(const ListKind *kind, const Template *template, const List *list, Buf *out,
                    Error *err) {
        for (size_t i = 0; i < list->count; i++) {
                _cleanup_json_ json_object *none = json_object_new_object();
                TemplateData data = { .dot = list->rows[i].fields,
                                      .type = kind->type,
                                      .labels = list->rows[i].labels ?: none };

                if (template_run(template, &data, out, err) < 0)
                        return error_prefix(err, "%s", kind->failure ?: "template parsing error");
                buf_add_char(out, '\n');
        }
        return 0;
}

int list_write(const ListKind *kind, const char *format, const char *table, bool quiet,
               const List *list, FILE *file, Error *err) {
        _cleanup_(template_freep) Template *template = NULL;
        _cleanup_free_ char *text = NULL;
        _cleanup_buf_ Buf out = {};
        const char *rest = format ? str_after(format, "table") : NULL;
        bool is_table = !format ? !quiet : rest != NULL;
        int r;

        if (!format || (is_table && !rest[strspn(rest, " ")]))
                text = str_copy(quiet ? kind->quiet : table ?: kind->table);
        else if (str_equal(format, "json"))
                text = str_copy("{{json .}}");
        else
                text = format_unescape(is_table ? rest + strspn(rest, " ") : format);
        r = template_parse(text, &template, err);
        if (r < 0)
                return error_prefix(err, "%s",
                                    kind->failure ? "failed to parse template"
                                                  : "template parsing error");
        if (is_table && !(quiet && !format))
                add_heads(kind, template, &out);
        r = run_rows(kind, template, list, &out, err);
        if (r < 0)
                return r;
        if (is_table)
                table_print(out.data ?: "", LEAST_WIDTH, PADDING, file);
        else
                (void)fputs(out.data ?: "", file);
        return 0;
}

int list_print(const ListKind *kind, const char *format, const char *table, bool quiet,
               const List *list, Error *err) {
        return list_write(kind, format, table, quiet, list, stdout, err);
}

int format_refused(const char *words, Error *err) {
        (void)error_prefix(err, "%s", words);
        (void)cli_complain(err);
        return EXIT_FORMAT;
}

int format_document(const char *format, const TemplateData *data, Buf *out, Error *err) {
        _cleanup_(template_freep) Template *template = NULL;

        if (str_equal(format, "json")) {
                json_add_go(out, data->dot, true);
                return 0;
        }
        if (template_parse(format, &template, err) < 0)
                return format_refused("template parsing error", err);
        return template_run(template, data, out, err);
}
