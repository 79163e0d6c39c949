/* build-raw.c: --progress rawjson: what happens as BuildKit's clients write and read it, one
 * SolveStatus a line (buildkit, client/graph.go). A step is a vertex, which is told anew as it
 * begins and ends; what moves is a status of one; output comes as it came, in base64. docs/cli.md
 * has the members. */
#include "base/base64.h"
#include "cli/build-progress.h"
#include "format/digest.h"

#define BUILD_STEP_DEFINITION INT64_MIN /* the id of no step */

typedef struct Vertex {
        char *digest, **inputs, *name;
        int64_t started, completed;
        bool cached;
        char *error;
} Vertex;

static const JsonField vertex_fields[] = {
        JSON_FIELD(Vertex, "digest", JSON_STRING, digest, 0),
        JSON_FIELD(Vertex, "inputs", JSON_STRINGS, inputs, JSON_OMIT_EMPTY),
        JSON_FIELD(Vertex, "name", JSON_STRING, name, JSON_OMIT_EMPTY),
        JSON_FIELD(Vertex, "started", JSON_TIME, started, JSON_OMIT_EMPTY),
        JSON_FIELD(Vertex, "completed", JSON_TIME, completed, JSON_OMIT_EMPTY),
        JSON_FIELD(Vertex, "cached", JSON_BOOL, cached, JSON_OMIT_EMPTY),
        JSON_FIELD(Vertex, "error", JSON_STRING, error, JSON_OMIT_EMPTY),
};
static const JsonTable vertex_table = JSON_TABLE(Vertex, "vertex", vertex_fields);

typedef struct VertexStatus {
        char *id, *vertex;
        int64_t total, current, timestamp, started, completed;
} VertexStatus;

static const JsonField status_fields[] = {
        JSON_FIELD(VertexStatus, "id", JSON_STRING, id, 0),
        JSON_FIELD(VertexStatus, "vertex", JSON_STRING, vertex, 0),
        JSON_FIELD(VertexStatus, "total", JSON_INT, total, JSON_OMIT_EMPTY),
        JSON_FIELD(VertexStatus, "current", JSON_INT, current, 0),
        JSON_FIELD(VertexStatus, "timestamp", JSON_TIME, timestamp, 0),
        JSON_FIELD(VertexStatus, "started", JSON_TIME, started, JSON_OMIT_EMPTY),
        JSON_FIELD(VertexStatus, "completed", JSON_TIME, completed, JSON_OMIT_EMPTY),
};
static const JsonTable status_table = JSON_TABLE(VertexStatus, "status", status_fields);

typedef struct VertexLog {
        char *vertex, *data;
        int64_t stream, timestamp;
} VertexLog;

static const JsonField log_fields[] = {
        JSON_FIELD(VertexLog, "vertex", JSON_STRING, vertex, 0),
        JSON_FIELD(VertexLog, "stream", JSON_INT, stream, JSON_OMIT_EMPTY),
        JSON_FIELD(VertexLog, "data", JSON_STRING, data, 0),
        JSON_FIELD(VertexLog, "timestamp", JSON_TIME, timestamp, 0),
};
static const JsonTable log_table = JSON_TABLE(VertexLog, "log", log_fields);

typedef struct Position {
        int64_t line;
} Position;

static const JsonField position_fields[] = {
        JSON_FIELD(Position, "line", JSON_INT, line, 0),
};
static const JsonTable position_table = JSON_TABLE(Position, "position", position_fields);

typedef struct Range {
        Position start, end;
} Range;

static const JsonField range_fields[] = {
        JSON_NESTED(Range, "start", JSON_INLINE, start, 0, &position_table),
        JSON_NESTED(Range, "end", JSON_INLINE, end, 0, &position_table),
};
static const JsonTable range_table = JSON_TABLE(Range, "range", range_fields);

typedef struct SourceInfo {
        char *filename, *data, *language;
} SourceInfo;

static const JsonField source_fields[] = {
        JSON_FIELD(SourceInfo, "filename", JSON_STRING, filename, 0),
        JSON_FIELD(SourceInfo, "data", JSON_STRING, data, JSON_OMIT_EMPTY),
        JSON_FIELD(SourceInfo, "language", JSON_STRING, language, JSON_OMIT_EMPTY),
};
static const JsonTable source_table = JSON_TABLE(SourceInfo, "source", source_fields);

typedef struct VertexWarning {
        char *vertex, *text;
        int64_t level;
        SourceInfo *source;
        JsonArray range;
} VertexWarning;

static const JsonField warning_fields[] = {
        JSON_FIELD(VertexWarning, "vertex", JSON_STRING, vertex, 0),
        JSON_FIELD(VertexWarning, "level", JSON_INT, level, 0),
        JSON_FIELD(VertexWarning, "short", JSON_STRING, text, 0),
        JSON_NESTED(VertexWarning, "sourceInfo", JSON_OBJECT, source, JSON_OMIT_EMPTY,
                    &source_table),
        JSON_NESTED(VertexWarning, "range", JSON_ARRAY, range, JSON_OMIT_EMPTY, &range_table),
};
static const JsonTable warning_table = JSON_TABLE(VertexWarning, "warning", warning_fields);

/* A line has one thing of one kind. */
typedef struct Line {
        JsonArray vertexes, statuses, logs, warnings;
} Line;

static const JsonField line_fields[] = {
        JSON_NESTED(Line, "vertexes", JSON_ARRAY, vertexes, JSON_OMIT_EMPTY, &vertex_table),
        JSON_NESTED(Line, "statuses", JSON_ARRAY, statuses, JSON_OMIT_EMPTY, &status_table),
        JSON_NESTED(Line, "logs", JSON_ARRAY, logs, JSON_OMIT_EMPTY, &log_table),
        JSON_NESTED(Line, "warnings", JSON_ARRAY, warnings, JSON_OMIT_EMPTY, &warning_table),
};
static const JsonTable line_table = JSON_TABLE(Line, "status", line_fields);

/* ---- lines ---- */

static void put(BuildDisplay *display, Line *line) {
        json_add_text(&display->out, &line_table, line);
        buf_add_char(&display->out, '\n');
        json_done(&line_table, line);
}

/* A vertex is a step of this build: what others stand upon may be told later than they are. The
 * caller's. */
static char *vertex_of(const BuildDisplay *display, int64_t id) {
        _cleanup_free_ char *text =
                str_format("brig build %lld step %lld", (long long)display->begun, (long long)id);
        char digest[DIGEST_TEXT_MAX];

        digest_of(text, strlen(text), digest);
        return str_copy(digest);
}

/* What is told of the Dockerfile belongs to this one; BuildKit calls it so. */
static char *definition_name(const BuildDisplay *display) {
        return str_format("[internal] load build definition from %s",
                          display->source_name ?: "Dockerfile");
}

static char **inputs_of(const BuildDisplay *display, const BuildStep *step) {
        char **inputs = NULL;

        for (size_t i = 0; i < step->input_count; i++)
                strv_take(&inputs, vertex_of(display, step->inputs[i]));
        return inputs;
}

static void put_vertex(BuildDisplay *display, BuildStep *step, const char *error) {
        Line line = {};
        Vertex *vertex = json_append(&line.vertexes, &vertex_table);

        *vertex = (Vertex){ .digest = vertex_of(display, step->id),
                            .inputs = inputs_of(display, step),
                            .name = str_copy(step->name),
                            .started = step->started,
                            .completed = step->ended,
                            .cached = step->cached,
                            .error = str_copy(error) };
        step->headed = true;
        step->closed = step->ended > 0;
        put(display, &line);
}

static void put_definition(BuildDisplay *display, int64_t time) {
        Line line = {};
        Vertex *vertex = json_append(&line.vertexes, &vertex_table);

        vertex->name = definition_name(display);
        vertex->digest = vertex_of(display, BUILD_STEP_DEFINITION);
        vertex->started = vertex->completed = time;
        put(display, &line);
}

static void put_status(BuildDisplay *display, const BuildStep *step, const VertexStatus *status) {
        Line line = {};
        VertexStatus *added = json_append(&line.statuses, &status_table);

        *added = *status;
        added->id = str_copy(status->id);
        added->vertex = vertex_of(display, step->id);
        put(display, &line);
}

static void put_item(BuildDisplay *display, const BuildStep *step, int64_t time) {
        const BuildItem *item = &step->items[step->changed];

        put_status(display, step,
                   &(VertexStatus){ .id = item->label,
                                    .total = item->total,
                                    .current = item->current,
                                    .timestamp = time,
                                    .started = item->started,
                                    .completed = item->ended });
}

/* Why the cache did not have it: BuildKit has no place for that. */
static void put_why(BuildDisplay *display, const BuildStep *step, int64_t time) {
        _cleanup_free_ char *id = step->why ? str_format("miss: %s", step->why) : NULL;

        if (id)
                put_status(
                        display, step,
                        &(VertexStatus){
                                .id = id, .timestamp = time, .started = time, .completed = time });
}

static void put_warning(BuildDisplay *display, const BuildProgress *event) {
        _cleanup_free_ char *text =
                event->line > 0
                        ? str_format("%s (line %lld)", event->text ?: "", (long long)event->line)
                        : str_copy(event->text ?: "");
        Line line = {};
        VertexWarning *warning = json_append(&line.warnings, &warning_table);

        warning->vertex = vertex_of(display, BUILD_STEP_DEFINITION);
        warning->level = 1;
        warning->text = base64_encode(text, strlen(text));
        if (event->line > 0) {
                Range *range = json_append(&warning->range, &range_table);
                const char *source = display->source ?: "";

                range->start.line = event->line;
                range->end.line = MAX(event->line, event->end_line);
                warning->source = NEW(SourceInfo);
                warning->source->filename = str_copy(display->source_name ?: "Dockerfile");
                warning->source->data = base64_encode(source, strlen(source));
                warning->source->language = str_copy("Dockerfile");
        }
        put(display, &line);
}

/* ---- the view ---- */

static void on_output(BuildDisplay *display, BuildStep *step, const BuildProgress *event,
                      const char *data, size_t length) {
        Line line = {};
        VertexLog *log = json_append(&line.logs, &log_table);

        *log = (VertexLog){ .vertex = vertex_of(display, step->id),
                            .data = base64_encode(data, length),
                            .stream = event->stream,
                            .timestamp = event->time };
        put(display, &line);
}

static void on_step(BuildDisplay *display, const BuildProgress *event, BuildStep *step) {
        static const char *const told[] = { "started", "cached", "done", NULL };

        if (strv_has((char *const *)told, event->kind)) {
                put_vertex(display, step, NULL);
                if (str_equal(event->kind, "started"))
                        put_why(display, step, event->time);
        } else if (str_equal(event->kind, "failed")) {
                put_vertex(display, step, step->error);
        } else if (!str_equal(event->kind, "output")) {
                if (!step->headed && !step->ended)
                        put_vertex(display, step, NULL);
                put_item(display, step, event->time);
                if (step->ended && !step->closed)
                        put_vertex(display, step, NULL);
        }
}

static void on_event(BuildDisplay *display, const BuildProgress *event, BuildStep *step) {
        if (!display->opened)
                put_definition(display, event->time ?: display->begun);
        display->opened = true;
        if (step)
                on_step(display, event, step);
        else if (str_equal(event->kind, "warning"))
                put_warning(display, event);
}

/* What has not ended by now never will. */
static void on_end(BuildDisplay *display, int64_t now) {
        for (size_t i = 0; i < display->count; i++) {
                BuildStep *step = display->steps[i];
                bool canceled = step->ended == 0;

                if (step->closed)
                        continue;
                if (canceled)
                        step->ended = MAX(now, step->started);
                put_vertex(display, step, canceled ? "context canceled" : NULL);
        }
}

const BuildView build_view_raw = { .event = on_event, .output = on_output, .end = on_end };
