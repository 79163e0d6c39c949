/* events.c: what happens in the engine, as it happens. */
#include <errno.h>
#include <time.h>

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/list.h"
#include "cli/times.h"

typedef struct EventsOptions {
        char **filters, *format, *since, *until;
} EventsOptions;

static const Option events_rows[] = {
        { "filter", 'f', OPTION_FILTER, offsetof(EventsOptions, filters),
          "Show only what fits (key=value)" },
        { "format", 0, OPTION_STRING, offsetof(EventsOptions, format),
          "Format: json, or a Go template" },
        { "since", 0, OPTION_STRING, offsetof(EventsOptions, since),
          "Begin with what happened since a time" },
        { "until", 0, OPTION_STRING, offsetof(EventsOptions, until), "End at a time" },
};

static int compare_texts(const void *a, const void *b) {
        return strcmp(*(char *const *)a, *(char *const *)b);
}

static void print_attributes(json_object *attributes) {
        _cleanup_strv_ char **words = NULL;
        _cleanup_free_ char *text = NULL;

        if (!json_object_is_type(attributes, json_type_object) ||
            json_object_object_length(attributes) == 0)
                return;
        json_object_object_foreach(attributes, name, value)
                strv_format(&words, "%s=%s", name, json_object_get_string(value) ?: "");
        if (words)
                qsort(words, strv_length(words), sizeof(*words), compare_texts);
        text = strv_join(words, ", ");
        (void)printf(" (%s)", text);
}

/* A time with exactly nine digits in our own zone, as Go's RFC3339NanoFixed. */
static void print_time(json_object *event) {
        int64_t nano = json_number(event, "timeNano");
        int64_t when = nano ? nano : json_number(event, "time") * NSEC_PER_SEC;
        time_t seconds = (time_t)(when / NSEC_PER_SEC);
        struct tm tm;
        char text[64], zone[16];

        (void)localtime_r(&seconds, &tm);
        (void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
        (void)strftime(zone, sizeof(zone), "%z", &tm);
        if (tm.tm_gmtoff == 0)
                (void)printf("%s.%09lldZ", text, (long long)(when % NSEC_PER_SEC));
        else
                (void)printf("%s.%09lld%.3s:%s", text, (long long)(when % NSEC_PER_SEC), zone,
                             zone + 3);
}

static void print_event(json_object *event) {
        json_object *actor = json_member(event, "Actor");

        print_time(event);
        (void)printf(" %s %s %s", json_words(event, "Type"), json_words(event, "Action"),
                     json_words(actor, "ID"));
        print_attributes(json_member(actor, "Attributes"));
        (void)printf("\n");
}

/* Templates use the names of Go's fields. */
static void add_go_names(json_object *event) {
        static const char *const names[][2] = {
                { "status", "Status" }, { "id", "ID" },     { "from", "From" },
                { "scope", "Scope" },   { "time", "Time" }, { "timeNano", "TimeNano" }
        };

        for (size_t i = 0; i < ELEMENTS(names); i++) {
                json_object *member = json_member(event, names[i][0]);

                (void)json_object_object_add(event, names[i][1],
                                             member ? json_object_get(member)
                                                    : json_object_new_string(""));
        }
}

static int print_as(const char *format, const Template *template, json_object *event, Error *err) {
        TemplateData data = { .dot = event, .type = "*events.Message" };
        _cleanup_buf_ Buf out = {};
        int r = 0;

        if (!format) {
                print_event(event);
        } else if (!template) {
                json_add_go(&out, event, true);
                (void)printf("%s\n", out.data);
        } else {
                add_go_names(event);
                r = template_run(template, &data, &out, err);
                if (r == 0)
                        (void)printf("%s\n", out.data ?: "");
        }
        (void)fflush(stdout);
        return r < 0 ? format_refused("Error parsing format", err) : 0;
}

static int add_time(char **path, const char *name, const char *text, Error *err) {
        _cleanup_free_ char *stamp = NULL;

        if (str_empty(text))
                return 0;
        if (time_stamp(text, &stamp) < 0)
                return error_kind(err, ERROR_INVALID,
                                  "failed to parse value as time or "
                                  "duration: \"%s\"",
                                  text);
        path_query(path, name, stamp);
        return 0;
}

static int run_events(Cli *cli, const Options *options, Error *err) {
        const EventsOptions *o = options->values;
        const char *format = str_empty(o->format) ? NULL : o->format;
        _cleanup_(template_freep) Template *template = NULL;
        _cleanup_free_ char *path = str_copy("/events");
        _cleanup_reply_ HttpReply *reply = NULL;
        _cleanup_buf_ Buf held = {};
        int r = 0;

        if (format && !str_equal(format, "json") && template_parse(format, &template, err) < 0)
                return format_refused("Error parsing format", err);
        r = add_time(&path, "since", o->since, err);
        if (r == 0)
                r = add_time(&path, "until", o->until, err);
        if (r < 0)
                return r;
        path_filters(&path, o->filters);
        r = api_call(cli, "GET", path, NULL, &reply, err);
        if (r < 0)
                return r;
        for (;;) {
                _cleanup_json_ json_object *event = NULL;

                r = api_next_json(reply, &held, &event, err);
                if (r <= 0)
                        return r;
                r = print_as(format, template, event, err);
                if (r != 0)
                        return r;
        }
}

const Command events_command = { "[OPTIONS]",
                                 "Show what happens in the engine",
                                 { events_rows, ELEMENTS(events_rows), sizeof(EventsOptions) },
                                 run_events,
                                 0,
                                 0 };
