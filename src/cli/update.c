/* update.c: brig update: other labels for containers that are there. Docker's options of that
 * command, limits and the restart policy, are refused by name. */
#include "cli/commands.h"
#include "spec/container.h"

typedef struct UpdateOptions {
        char **labels, **labels_removed;
} UpdateOptions;

#define REFUSED(name_, letter_, help_)                                                             \
        {                                                                                          \
                .name = name_, .letter = letter_, .type = OPTION_STRING, .help = help_,            \
                .flags = OPTION_REFUSED, .remedy = "remove the container and run it anew with it"  \
        }

static const Option update_rows[] = {
        REFUSED("blkio-weight", 0, "Block IO weight (10 to 1000)"),
        REFUSED("cpu-period", 0, "Period of the CPU quota"),
        REFUSED("cpu-quota", 0, "CPU quota"),
        REFUSED("cpu-rt-period", 0, "Period of real-time scheduling"),
        REFUSED("cpu-rt-runtime", 0, "Runtime of real-time scheduling"),
        REFUSED("cpu-shares", 'c', "CPU shares"),
        REFUSED("cpus", 0, "Number of CPUs"),
        REFUSED("cpuset-cpus", 0, "CPUs it may run on"),
        REFUSED("cpuset-mems", 0, "Memory nodes it may use"),
        { "label", 'l', OPTION_LABEL, offsetof(UpdateOptions, labels), "Set labels" },
        { "label-rm", 0, OPTION_LIST, offsetof(UpdateOptions, labels_removed),
          "Remove labels, by their names" },
        REFUSED("memory", 'm', "Memory limit"),
        REFUSED("memory-reservation", 0, "Soft memory limit"),
        REFUSED("memory-swap", 0, "Limit of memory and swap together"),
        REFUSED("pids-limit", 0, "Limit of processes"),
        REFUSED("restart", 0, "Restart policy"),
};

/* Another engine would leave what is brig's own unheard. */
static int need_brigd(Cli *cli, Error *err) {
        int r = cli_connect(cli, err);

        return r < 0 || cli->is_brigd
                       ? r
                       : error_kind(err, ERROR_UNSUPPORTED,
                                    "labels of a container are changed by brigd, and %s is none",
                                    cli->host);
}

static int update_one(Cli *cli, const Options *options, const char *name, Error *err) {
        const UpdateOptions *o = options->values;
        _cleanup_free_ char *path = path_format("/containers/%s/update", name);
        _cleanup_json_ json_object *body = NULL, *answer = NULL;
        ContainerUpdate update = { .labels_removed = o->labels_removed };

        for (char **word = o->labels; word && *word; word++) {
                const size_t length = strcspn(*word, "=");
                _cleanup_free_ char *key = str_copy_n(*word, length);

                pairs_put(&update.labels, key, (*word)[length] ? *word + length + 1 : "");
        }
        body = json_write(&container_update_table, &update);
        pairs_done(&update.labels);
        return api_json(cli, "POST", path, body, &answer, err);
}

static int run_update(Cli *cli, const Options *options, Error *err) {
        const UpdateOptions *o = options->values;
        int r;

        if (!o->labels && !o->labels_removed)
                return error_kind(err, ERROR_INVALID,
                                  "you must provide one or more flags when using this command");
        r = need_brigd(cli, err);
        return r < 0 ? r : for_each_argument(cli, options, update_one);
}

const Command update_command = { "[OPTIONS] CONTAINER [CONTAINER...]",
                                 "Change the labels of one or more containers",
                                 { update_rows, ELEMENTS(update_rows), sizeof(UpdateOptions) },
                                 run_update,
                                 1,
                                 -1 };
