/* command-list.c: state and list: what there is. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "os/cgroup.h"
#include "runtime/cli.h"

static const CommandOption list_options[] = {
        { "format", 'f', OPTION_TEXT, offsetof(Options, format), "table or json" },
        { "quiet", 'q', OPTION_FLAG, offsetof(Options, quiet), "ids only" },
        {},
};

/* What `state` and `list -f json` print. */
typedef struct StateView {
        char *version, *id;
        int64_t pid;
        char *status, *bundle, *rootfs;
        int64_t created;
        Pairs annotations;
        char *owner;
} StateView;

static const JsonField view_fields[] = {
        JSON_FIELD(StateView, "ociVersion", JSON_STRING, version, 0),
        JSON_FIELD(StateView, "id", JSON_STRING, id, 0),
        JSON_FIELD(StateView, "pid", JSON_INT, pid, 0),
        JSON_FIELD(StateView, "status", JSON_STRING, status, 0),
        JSON_FIELD(StateView, "bundle", JSON_STRING, bundle, 0),
        JSON_FIELD(StateView, "rootfs", JSON_STRING, rootfs, 0),
        JSON_FIELD(StateView, "created", JSON_TIME, created, 0),
        JSON_FIELD(StateView, "annotations", JSON_PAIRS, annotations, JSON_OMIT_EMPTY),
        JSON_FIELD(StateView, "owner", JSON_STRING, owner, 0),
};
static const JsonTable view_table = JSON_TABLE(StateView, "state", view_fields);

static int view_load(const Options *options, const char *id, StateView *ret, Error *err) {
        _cleanup_close_ int dir_fd = -1, pidfd = -1;
        ContainerStatus status = STATUS_STOPPED;
        Record record = {};
        int r = record_load(options, id, &record, &dir_fd, &pidfd, &status, err);

        if (r == 0) {
                ret->version = TAKE_PTR(record.version);
                ret->id = TAKE_PTR(record.id);
                ret->pid = status == STATUS_STOPPED ? 0 : record.pid;
                ret->status = str_copy(status_names[status]);
                ret->bundle = TAKE_PTR(record.bundle);
                ret->rootfs = TAKE_PTR(record.rootfs);
                ret->created = record.created;
                ret->annotations = record.annotations;
                ret->owner = TAKE_PTR(record.owner);
                record.annotations = (Pairs){};
        }
        record_done(&record);
        return r;
}

static int run_state(const Options *options, char **words, Error *err) {
        _cleanup_json_ json_object *object = NULL;
        StateView view = {};
        int r = view_load(options, words[0], &view, err);

        if (r == 0) {
                object = json_write(&view_table, &view);
                (void)puts(json_object_to_json_string_ext(
                        object, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
                                        JSON_C_TO_STRING_NOSLASHESCAPE));
        }
        json_done(&view_table, &view);
        return r;
}

/* ---- list ---- */

static int by_id(const void *a, const void *b) {
        const StateView *one = a, *two = b;

        return strcmp(one->id, two->id);
}

static int load_all(const Options *options, JsonArray *ret, Error *err) {
        _cleanup_close_ int root_fd = -1;
        _cleanup_closedir_ DIR *dir = NULL;

        if (root_directory(options, false, &root_fd, NULL) < 0)
                return 0; /* nothing was ever made */
        dir = fdopendir(root_fd);
        if (!dir)
                return error_set(err, errno, "read '%s'", options->root);
        root_fd = -1; /* dir's now */
        for (struct dirent *entry; (entry = readdir(dir));) {
                StateView view = {};

                /* One that is being made or deleted just now has no record, and is passed over. */
                if (id_check(entry->d_name, NULL) == 0 &&
                    view_load(options, entry->d_name, &view, NULL) == 0)
                        *(StateView *)json_append(ret, &view_table) = view;
        }
        if (ret->count > 1)
                qsort(ret->items, ret->count, sizeof(StateView), by_id);
        return 0;
}

static void print_table(const StateView *views, size_t count) {
        (void)printf("%-11s %-11s %-11s %-11s %-30s %s\n", "ID", "PID", "STATUS", "BUNDLE",
                     "CREATED", "OWNER");
        for (size_t i = 0; i < count; i++) {
                char when[CLOCK_TEXT_MAX];

                (void)printf("%-11s %-11lld %-11s %-11s %-30s %s\n", views[i].id,
                             (long long)views[i].pid, views[i].status, views[i].bundle ?: "",
                             clock_format(views[i].created, when), views[i].owner ?: "");
        }
}

static void print_json(const StateView *views, size_t count) {
        _cleanup_buf_ Buf text = {};

        for (size_t i = 0; i < count; i++) {
                buf_add_char(&text, i ? ',' : '[');
                json_add_text(&text, &view_table, &views[i]);
        }
        (void)puts(count ? (buf_add_char(&text, ']'), text.data) : "null");
}

int check_format(const char *format, Error *err) {
        if (!format || str_equal(format, "table") || str_equal(format, "json"))
                return 0;
        return error_kind(err, ERROR_INVALID,
                          "invalid format option '%s': table and json are known", format);
}

static int run_list(const Options *options, char **words, Error *err) {
        JsonArray views = {};
        int r = check_format(options->format, err);

        if (r == 0)
                r = load_all(options, &views, err);
        if (r == 0 && options->quiet)
                for (size_t i = 0; i < views.count; i++)
                        (void)puts(((StateView *)views.items)[i].id);
        else if (r == 0 && str_equal(options->format, "json"))
                print_json(views.items, views.count);
        else if (r == 0)
                print_table(views.items, views.count);
        for (size_t i = 0; i < views.count; i++)
                json_done(&view_table, &((StateView *)views.items)[i]);
        free(views.items);
        return r;
}

const Command command_state = { "state", "<container-id>", "print the state of a container", 1, 1,
                                NULL,    run_state };
const Command command_list = { "list",       "",      "list the containers below --root", 0, 0,
                               list_options, run_list };
