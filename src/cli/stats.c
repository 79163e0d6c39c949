/* stats.c: what containers use, once or again and again. Every second it asks for each container's
 * counters as they are and compares them with those that it had; where it shows all containers, it
 * asks before for those that there are, so that new ones come and removed ones go. */
#include "cli/stats.h"

#include <errno.h>
#include <time.h>

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/list.h"
#include "cli/values.h"

typedef struct StatsOptions {
        bool all, no_stream, no_trunc;
        char *format;
} StatsOptions;

static const Option stats_rows[] = {
        { "all", 'a', OPTION_BOOL, offsetof(StatsOptions, all), "Show those that do not run, too" },
        { "format", 0, OPTION_STRING, offsetof(StatsOptions, format),
          "Format: table, json, or a Go template" },
        { "no-stream", 0, OPTION_BOOL, offsetof(StatsOptions, no_stream),
          "Show it once, not again and again" },
        { "no-trunc", 0, OPTION_BOOL, offsetof(StatsOptions, no_trunc), "Do not cut the output" },
};

static const ListColumn columns[] = {
        { "BlockIO", "BLOCK I/O" }, { "CPUPerc", "CPU %" }, { "Container", "CONTAINER" },
        { "ID", "CONTAINER ID" },   { "MemPerc", "MEM %" }, { "MemUsage", "MEM USAGE / LIMIT" },
        { "Name", "NAME" },         { "NetIO", "NET I/O" }, { "PIDs", "PIDS" },
};

static const ListKind kind = { "*container.statsContext",
                               "{{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t"
                               "{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}",
                               NULL,
                               "statsFormat",
                               NULL,
                               columns,
                               ELEMENTS(columns) };

typedef struct Watched {
        char *container; /* as it was asked for */
        char *id, *name; /* NULL: not heard of yet */
        StatsFigures figures;
        bool listed; /* by the last list of all */
} Watched;

typedef struct Watch {
        Cli *cli;
        const StatsOptions *options;
        bool follows; /* shows all containers that there are */
        Watched *items;
        size_t count;
} Watch;

static void watched_done(Watched *watched) {
        free(watched->container);
        free(watched->id);
        free(watched->name);
}

static void watch_done(Watch *watch) {
        for (size_t i = 0; i < watch->count; i++)
                watched_done(&watch->items[i]);
        free(watch->items);
}

static Watched *watch_add(Watch *watch, const char *container) {
        GROW(watch->items, watch->count);
        watch->items[watch->count] = (Watched){ .container = str_copy(container) };
        return &watch->items[watch->count++];
}

static void watch_drop(Watch *watch, size_t index) {
        watched_done(&watch->items[index]);
        watch->count--;
        memmove(&watch->items[index], &watch->items[index + 1],
                (watch->count - index) * sizeof(*watch->items));
}

/* ---- all that there are ---- */

static void mark_listed(Watch *watch, const char *id) {
        for (size_t i = 0; i < watch->count; i++)
                if (str_equal(watch->items[i].container, id)) {
                        watch->items[i].listed = true;
                        return;
                }
        watch_add(watch, id)->listed = true;
}

static int follow(Watch *watch, Error *err) {
        const char *path = watch->options->all ? "/containers/json?all=1" : "/containers/json";
        _cleanup_json_ json_object *all = NULL;
        int r = api_json(watch->cli, "GET", path, NULL, &all, err);

        if (r < 0)
                return r;
        for (size_t i = 0; i < watch->count; i++)
                watch->items[i].listed = false;
        for (size_t i = 0;
             json_object_is_type(all, json_type_array) && i < json_object_array_length(all); i++)
                mark_listed(watch, json_words(json_object_array_get_idx(all, i), "Id"));
        for (size_t i = watch->count; i-- > 0;)
                if (!watch->items[i].listed)
                        watch_drop(watch, i);
        return 0;
}

/* ---- one of them ---- */

static int ask_one(Watch *watch, Watched *watched, Error *err) {
        _cleanup_free_ char *path = path_format("/containers/%s/stats", watched->container);
        _cleanup_json_ json_object *document = NULL;
        const char *name;
        int r;

        path_query(&path, "stream", "0");
        /* An older daemon takes its time and compares itself. */
        if (api_at_least(watch->cli, 41))
                path_query(&path, "one-shot", "1");
        r = api_json(watch->cli, "GET", path, NULL, &document, err);
        if (r < 0)
                return r;
        name = json_words(document, "name");
        str_replace(&watched->id, json_words(document, "id"));
        str_replace(&watched->name, name + (*name == '/'));
        stats_figures(document, &watched->figures);
        return 0;
}

/* What cannot be asked for goes; *ret_failed: what was asked for by name and is not there, a line
 * each, the caller's. */
static int ask_all(Watch *watch, char ***ret_failed, Error *err) {
        for (size_t i = 0; i < watch->count;) {
                Error why = { 0 };
                int r = ask_one(watch, &watch->items[i], &why);

                if (r < 0 && cli_lost(&why)) {
                        if (err)
                                *err = why;
                        return r;
                }
                if (r < 0 && !watch->follows)
                        strv_add(ret_failed, why.message);
                if (r < 0)
                        watch_drop(watch, i);
                else
                        i++;
        }
        return 0;
}

/* ---- showing ---- */

static char *pair_text(char *(*shown)(double bytes, char text[SIZE_TEXT_MAX]), double first,
                       double second) {
        char one[SIZE_TEXT_MAX], two[SIZE_TEXT_MAX];

        return str_format("%s / %s", shown(first, one), shown(second, two));
}

static char *human(double bytes, char text[SIZE_TEXT_MAX]) {
        return size_human(bytes, 3, text);
}

static json_object *make_row(const Watch *watch, const Watched *watched) {
        const StatsFigures *figures = &watched->figures;
        json_object *row = json_object_new_object();
        const bool whole = watch->options->no_trunc;

        row_take(row, "BlockIO", pair_text(human, figures->read, figures->written));
        row_take(row, "CPUPerc", str_format("%.2f%%", figures->cpu));
        row_take(row, "Container",
                 watch->follows ? short_id(watched->container) : str_copy(watched->container));
        row_take(row, "ID", whole ? str_copy(watched->id) : short_id(watched->id));
        row_take(row, "MemPerc", str_format("%.2f%%", figures->memory_percent));
        row_take(row, "MemUsage", pair_text(size_binary, figures->memory, figures->limit));
        row_put(row, "Name", watched->name);
        row_take(row, "NetIO", pair_text(human, figures->received, figures->sent));
        row_take(row, "PIDs", str_format("%lld", (long long)figures->pids));
        return row;
}

static int write_rows(const Watch *watch, FILE *file, Error *err) {
        const char *format = list_format(watch->cli, &kind, watch->options->format, false);
        _cleanup_(list_done) List list = { 0 };

        for (size_t i = 0; i < watch->count; i++)
                list_add(&list, make_row(watch, &watch->items[i]), NULL);
        return list_write(&kind, format, NULL, false, &list, file, err);
}

/* Over what stands there, line by line, so that nothing flickers. */
static int draw(const Watch *watch, Error *err) {
        _cleanup_free_ char *text = NULL;
        _cleanup_strv_ char **lines = NULL;
        size_t length;
        FILE *file = open_memstream(&text, &length);
        int r = file ? write_rows(watch, file, err) : -ENOMEM;

        if (file)
                (void)fclose(file);
        if (r < 0)
                return r;
        lines = str_split(text, '\n');
        (void)fputs("\033[H", stdout);
        for (char **line = lines; line && line[0] && (line[1] || *line[0]); line++)
                (void)printf("%s \033[K\n", *line);
        (void)fputs("\033[J", stdout);
        return fflush(stdout) == 0 ? 0 : error_set(err, errno, "write the output");
}

/* ---- the command ---- */

/* Whether one of them has used what can only be told with the next counters. */
static bool needs_second(const Watch *watch) {
        for (size_t i = 0; i < watch->count; i++)
                if (watch->items[i].figures.system > 0 && !watch->items[i].figures.has_before)
                        return true;
        return false;
}

static void sleep_until(int64_t when) {
        const struct timespec time = { .tv_sec = when / NSEC_PER_SEC,
                                       .tv_nsec = when % NSEC_PER_SEC };

        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL) == EINTR)
                ;
}

static int ask_again(Watch *watch, int64_t *when, Error *err) {
        _cleanup_strv_ char **gone = NULL;
        int r;

        *when = MAX(*when + NSEC_PER_SEC, clock_monotonic());
        sleep_until(*when);
        r = watch->follows ? follow(watch, err) : 0;
        return r < 0 ? r : ask_all(watch, &gone, err);
}

static int show_again(Watch *watch, int64_t when, Error *err) {
        int r = 0;

        (void)fputs("\033[2J", stdout);
        while (r == 0 && (watch->follows || watch->count > 0)) {
                r = draw(watch, err);
                if (r == 0)
                        r = ask_again(watch, &when, err);
        }
        return r;
}

static int run_stats(Cli *cli, const Options *options, Error *err) {
        _cleanup_(watch_done) Watch watch = { .cli = cli,
                                              .options = options->values,
                                              .follows = options->count == 0 };
        _cleanup_strv_ char **failed = NULL;
        int64_t when = clock_monotonic();
        int r = cli_connect(cli, err);

        for (size_t i = 0; i < options->count; i++)
                (void)watch_add(&watch, options->arguments[i]);
        if (r == 0 && watch.follows)
                r = follow(&watch, err);
        if (r == 0)
                r = ask_all(&watch, &failed, err);
        if (r == 0 && failed) {
                _cleanup_free_ char *text = strv_join(failed, "\n");

                return error_kind(err, ERROR_NOT_FOUND, "%s", text);
        }
        if (r < 0 || !watch.options->no_stream)
                return r < 0 ? r : show_again(&watch, when, err);
        if (needs_second(&watch))
                r = ask_again(&watch, &when, err);
        return r < 0 ? r : write_rows(&watch, stdout, err);
}

const Command stats_command = { "[OPTIONS] [CONTAINER...]",
                                "Show what containers use, live",
                                { stats_rows, ELEMENTS(stats_rows), sizeof(StatsOptions) },
                                run_stats,
                                0,
                                -1 };
