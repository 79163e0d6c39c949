/* explore-report.c: see explore-report.h. */
#include "cli/explore-report.h"

#include <limits.h>

#include "cli/cells.h"

const char *const report_change_names[REPORT_CHANGES] = { "added", "changed", "removed", "same",
                                                          "unmodified" };
const char *const report_kind_names[REPORT_KINDS] = { "file",  "directory", "symlink", "char",
                                                      "block", "fifo",      "socket" };

/* ---- one line ---- */

static int index_of(const char *const *names, size_t count, const char *name) {
        for (size_t i = 0; i < count; i++)
                if (str_equal(names[i], name))
                        return (int)i;
        return -1;
}

static bool in_range(const ExploreFile *file) {
        return *file->path && *file->path != '/' && file->layer >= 0 && file->layer < INT_MAX &&
               file->size >= 0 && file->wasted >= 0 && file->mode >= 0 && file->mode <= 07777 &&
               file->uid >= 0 && file->uid <= UINT32_MAX && file->gid >= 0 &&
               file->gid <= UINT32_MAX;
}

/* The previous row's path if it is the same and that row is of a layer below. */
static const char *shared_path(const Report *report, const char *path, int64_t layer) {
        const ReportRow *last = report->count > 0 ? &report->rows[report->count - 1] : NULL;

        return last && last->layer < layer && str_equal(last->path, path) ? last->path : NULL;
}

static int add_file(Report *report, const ExploreFile *file, Error *err) {
        int change = index_of(report_change_names, REPORT_UNMODIFIED, file->change);
        int kind = index_of(report_kind_names, REPORT_KINDS, file->kind);
        _cleanup_free_ char *path = NULL;
        const char *shared;

        if (change < 0 || kind < 0 || !in_range(file))
                return error_kind(err, ERROR_INTERNAL, "the daemon's row of '%s' makes no sense",
                                  file->path);
        if (report->count >= REPORT_ROWS_MAX)
                return error_kind(err, ERROR_UNSUPPORTED,
                                  "the image has more than %zu files in its layers; read them one "
                                  "by one from GET /images/{name}/explore",
                                  REPORT_ROWS_MAX);
        path = text_utf8(file->path);
        shared = shared_path(report, path, file->layer);
        GROW(report->rows, report->count);
        report->rows[report->count++] = (ReportRow){
                .path = shared ?: TAKE_PTR(path),
                .findings = file->findings ? strv_join(file->findings, ", ") : NULL,
                .size = file->size,
                .wasted = file->wasted,
                .layer = (uint32_t)file->layer,
                .uid = (uint32_t)file->uid,
                .gid = (uint32_t)file->gid,
                .mode = (uint16_t)file->mode,
                .change = (uint8_t)change,
                .kind = (uint8_t)kind,
        };
        return 0;
}

static int add_line(Report *report, ExploreLine *line, Error *err) {
        if (line->error)
                return error_kind(err, ERROR_INTERNAL, "Error response from daemon: %s",
                                  line->error);
        if (report->complete || !line->file == !line->summary)
                return error_kind(err, ERROR_INTERNAL, "the daemon's answer makes no sense");
        if (line->file)
                return add_file(report, line->file, err);
        report->summary = *line->summary;
        *line->summary = (ExploreSummary){};
        report->complete = true;
        return 0;
}

int report_add(Report *report, const char *text, size_t length, Error *err) {
        ExploreLine line = {};
        int r = json_parse(&explore_line_table, text, length, &line, err);

        if (r == 0)
                r = add_line(report, &line, err);
        json_done(&explore_line_table, &line);
        return r;
}

int report_end(const Report *report, Error *err) {
        if (!report->complete)
                return error_kind(err, ERROR_UNAVAILABLE, "the daemon's answer ends early");
        for (size_t i = 0; i < report->count; i++)
                if (report->rows[i].layer >= report->summary.layers.count)
                        return error_kind(
                                err, ERROR_INTERNAL,
                                "the daemon's row of '%s' names a layer that is not there",
                                report->rows[i].path);
        return 0;
}

/* ---- all of them ---- */

static int take_lines(Report *report, Buf *held, Error *err) {
        size_t start = 0;
        int r = 0;

        for (char *end; r == 0 && start < held->length &&
                        (end = memchr(held->data + start, '\n', held->length - start));) {
                size_t length = (size_t)(end - held->data) - start;

                r = report_add(report, held->data + start, length, err);
                start += length + 1;
        }
        buf_drop_front(held, start);
        return r;
}

int report_fetch(Cli *cli, const char *image, Report *ret, Error *err) {
        _cleanup_free_ char *path = path_format("/images/%s/explore", image);
        _cleanup_reply_ HttpReply *reply = NULL;
        _cleanup_buf_ Buf held = {};
        char block[65536];
        ssize_t n = 1;
        int r = api_call(cli, "GET", path, NULL, &reply, err);

        while (r == 0 && n > 0) {
                n = http_reply_read(reply, block, sizeof(block), err);
                if (n < 0)
                        return (int)n;
                buf_add(&held, block, (size_t)n);
                r = take_lines(ret, &held, err);
        }
        return r < 0 ? r : report_end(ret, err);
}

void report_done(Report *report) {
        for (size_t i = 0; i < report->count; i++) {
                if (i == 0 || report->rows[i].path != report->rows[i - 1].path)
                        free((char *)report->rows[i].path);
                free(report->rows[i].findings);
        }
        free(report->rows);
        json_done(&explore_summary_table, &report->summary);
        *report = (Report){};
}

/* ---- what is in it ---- */

const ExploreLayer *report_layer(const Report *report, size_t i) {
        return (const ExploreLayer *)report->summary.layers.items + i;
}

char *report_instruction(const ExploreLayer *layer) {
        static const char *const fronts[] = { "/bin/sh -c #(nop) ", "/bin/sh -c " };
        static const char buildkit[] = " # buildkit";
        const char *text = str_empty(layer->created_by) ? "<unknown>" : layer->created_by;
        bool nop = str_after(text, fronts[0]) != NULL;
        _cleanup_free_ char *rest = NULL;

        for (size_t i = 0; i < ELEMENTS(fronts); i++) {
                const char *after = str_after(text, fronts[i]);

                if (after) {
                        rest = str_format("%s%s", nop ? "" : "RUN ", after + strspn(after, " "));
                        break;
                }
        }
        if (!rest)
                rest = str_copy(text);
        if (str_ends(rest, buildkit))
                rest[strlen(rest) - (sizeof(buildkit) - 1)] = '\0';
        for (char *c = rest; *c; c++)
                if (*c == '\t' || *c == '\n')
                        *c = ' ';
        return TAKE_PTR(rest);
}

size_t report_path_end(const Report *report, size_t i) {
        const char *path = report->rows[i].path;

        while (i < report->count && report->rows[i].path == path)
                i++;
        return i;
}

const char *report_name(const Report *report) {
        char **names = report->summary.names;

        return names && names[0] ? names[0] : report->summary.id;
}
