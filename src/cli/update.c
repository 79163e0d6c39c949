/* update.c: brig update: other limits, another restart policy, other labels, ports and mounts for
 * containers that are there. The latter three are brig's own. */
#include "cli/commands.h"
#include "cli/specs.h"
#include "spec/container.h"

typedef struct UpdateOptions {
        char **labels, **labels_removed, **ports, **ports_removed, **mounts_removed;
        JsonArray mounts; /* of MountSpec */
        int64_t blkio_weight, cpu_period, cpu_quota, cpu_rt_period, cpu_rt_runtime, cpu_shares,
                cpus, kernel_memory, memory, memory_reservation, memory_swap, pids_limit;
        char *cpuset_cpus, *cpuset_mems, *restart;
} UpdateOptions;

#define ROW(name_, letter_, type_, member_, help_)                                                 \
        { name_, letter_, type_, offsetof(UpdateOptions, member_), help_ }

static const Option update_rows[] = {
        ROW("blkio-weight", 0, OPTION_UINT16, blkio_weight,
            "Block IO weight, 10 to 1000, or 0 for none"),
        ROW("cpu-period", 0, OPTION_INT, cpu_period, "CFS period in microseconds"),
        ROW("cpu-quota", 0, OPTION_INT, cpu_quota, "CFS quota in microseconds"),
        ROW("cpu-rt-period", 0, OPTION_INT, cpu_rt_period, "Real-time period in microseconds"),
        ROW("cpu-rt-runtime", 0, OPTION_INT, cpu_rt_runtime, "Real-time runtime in microseconds"),
        ROW("cpu-shares", 'c', OPTION_INT, cpu_shares, "Relative weight of the processors"),
        ROW("cpus", 0, OPTION_CPUS, cpus, "Number of processors"),
        ROW("cpuset-cpus", 0, OPTION_STRING, cpuset_cpus, "Processors to run on (0-3, 0,1)"),
        ROW("cpuset-mems", 0, OPTION_STRING, cpuset_mems, "Memory nodes to use (0-3, 0,1)"),
        { "kernel-memory", 0, OPTION_BYTES, offsetof(UpdateOptions, kernel_memory),
          "Kernel memory limit", NULL, NULL, OPTION_HIDDEN },
        ROW("label", 'l', OPTION_LABEL, labels, "Set labels"),
        ROW("label-add", 0, OPTION_LABEL, labels, "The same as --label"),
        ROW("label-rm", 0, OPTION_LIST, labels_removed, "Remove labels, by their names"),
        ROW("memory", 'm', OPTION_BYTES, memory, "Memory limit"),
        ROW("memory-reservation", 0, OPTION_BYTES, memory_reservation, "Soft memory limit"),
        ROW("memory-swap", 0, OPTION_SWAP, memory_swap,
            "Limit of memory and swap together; -1: no limit on swap"),
        { "mount-add", 0, OPTION_PARSED, offsetof(UpdateOptions, mounts),
          "Attach file systems at its next start, as run --mount does", "mount", NULL, 0,
          mount_parse, NULL },
        ROW("mount-rm", 0, OPTION_LIST, mounts_removed,
            "Detach file systems, by their places in the container"),
        ROW("pids-limit", 0, OPTION_INT, pids_limit, "Limit of processes (-1: none)"),
        ROW("publish-add", 0, OPTION_LIST, ports, "Publish ports, as run -p does"),
        ROW("publish-rm", 0, OPTION_LIST, ports_removed,
            "Publish ports no more ([[HOST_IP:]HOST_PORT:]PORT[/PROTO])"),
        ROW("restart", 0, OPTION_STRING, restart, "What to do when the container exits"),
};

/* ---- the request ---- */

static void fill_labels(const UpdateOptions *o, ContainerUpdate *update) {
        for (char **word = o->labels; word && *word; word++) {
                const size_t length = strcspn(*word, "=");
                _cleanup_free_ char *key = str_copy_n(*word, length);

                pairs_put(&update->labels, key, (*word)[length] ? *word + length + 1 : "");
        }
        update->labels_removed = strv_copy(o->labels_removed);
}

/* What is exposed stays what it was at the creation. */
static int fill_ports(char *const *words, JsonArray *bindings, Error *err) {
        _cleanup_strv_ char **exposed = NULL;
        int r = 0;

        for (; r == 0 && words && *words; words++)
                r = port_publish(*words, &exposed, bindings, err);
        return r;
}

static int fill_limits(const UpdateOptions *o, HostLimits *limits, Error *err) {
        limits->blkio_weight = o->blkio_weight;
        limits->cpu_shares = o->cpu_shares;
        limits->nano_cpus = o->cpus;
        limits->cpu_period = o->cpu_period;
        limits->cpu_quota = o->cpu_quota;
        limits->cpu_realtime_period = o->cpu_rt_period;
        limits->cpu_realtime_runtime = o->cpu_rt_runtime;
        limits->memory = o->memory;
        limits->memory_swap = o->memory_swap;
        limits->memory_reservation = o->memory_reservation;
        limits->cpuset_cpus = str_copy(o->cpuset_cpus);
        limits->cpuset_mems = str_copy(o->cpuset_mems);
        if (o->pids_limit != 0) {
                limits->pids_limit = NEW(int64_t);
                *limits->pids_limit = o->pids_limit;
        }
        return o->restart ? restart_parse(o->restart, &limits->restart_policy, err) : 0;
}

static void fill_mounts(const UpdateOptions *o, ContainerUpdate *update) {
        const MountSpec *mounts = o->mounts.items;

        for (size_t i = 0; i < o->mounts.count; i++)
                json_copy(&mount_spec_table, &mounts[i],
                          json_append(&update->mounts_added, &mount_spec_table));
        update->mounts_removed = strv_copy(o->mounts_removed);
}

static int make_body(const UpdateOptions *o, json_object **ret, Error *err) {
        _cleanup_(container_update_done) ContainerUpdate update = { 0 };
        int r = fill_limits(o, &update.limits, err);

        if (r == 0)
                r = fill_ports(o->ports, &update.ports_added, err);
        if (r == 0)
                r = fill_ports(o->ports_removed, &update.ports_removed, err);
        if (r < 0)
                return r;
        fill_labels(o, &update);
        fill_mounts(o, &update);
        *ret = container_update_write(&update);
        if (o->kernel_memory != 0)
                (void)json_object_object_add(*ret, "KernelMemory",
                                             json_object_new_int64(o->kernel_memory));
        return 0;
}

/* ---- the command ---- */

static int update_one(Cli *cli, const char *name, json_object *body, char ***warnings, Error *err) {
        _cleanup_free_ char *path = path_format("/containers/%s/update", name);
        _cleanup_json_ json_object *answer = NULL;
        json_object *list;
        int r = api_json(cli, "POST", path, body, &answer, err);

        if (r < 0)
                return r;
        (void)printf("%s\n", name);
        list = json_member(answer, "Warnings");
        for (size_t i = 0;
             json_object_is_type(list, json_type_array) && i < json_object_array_length(list); i++)
                strv_add(warnings, json_object_get_string(json_object_array_get_idx(list, i)));
        return 0;
}

/* Each of them; what could not be done is said at the end, in one error. */
static int update_each(Cli *cli, const Options *options, json_object *body, Error *err) {
        _cleanup_strv_ char **warnings = NULL, **failed = NULL;

        for (size_t i = 0; i < options->count; i++) {
                Error why = { 0 };

                if (update_one(cli, options->arguments[i], body, &warnings, &why) < 0)
                        strv_add(&failed, why.message);
        }
        for (char **warning = warnings; warning && *warning; warning++)
                (void)printf("%s\n", *warning);
        if (!failed)
                return 0;
        _cleanup_free_ char *text = strv_join(failed, "\n");
        return error_kind(err, ERROR_INVALID, "%s", text);
}

/* What dockerd would take and do nothing about. */
static bool is_own(const UpdateOptions *o) {
        return o->labels || o->labels_removed || o->ports || o->ports_removed ||
               o->mounts.count > 0 || o->mounts_removed;
}

static void update_options_done(void *values) {
        UpdateOptions *o = values;
        MountSpec *mounts = o->mounts.items;

        for (size_t i = 0; i < o->mounts.count; i++)
                json_done(&mount_spec_table, &mounts[i]);
        free(mounts);
}

static int run_update(Cli *cli, const Options *options, Error *err) {
        const UpdateOptions *o = options->values;
        _cleanup_json_ json_object *body = NULL;
        bool given = false;
        int r;

        for (size_t i = 0; i < ELEMENTS(update_rows); i++)
                given |= options->given[i];
        if (!given)
                return error_kind(err, ERROR_INVALID,
                                  "you must provide one or more flags when using this command");
        r = make_body(o, &body, err);
        if (r == 0 && is_own(o))
                r = cli_need_brigd(cli, "labels, ports and mounts of a container are changed", err);
        return r < 0 ? r : update_each(cli, options, body, err);
}

const Command update_command = {
        "[OPTIONS] CONTAINER [CONTAINER...]",
        "Change one or more containers: limits, restart policy, labels, ports, mounts",
        { update_rows, ELEMENTS(update_rows), sizeof(UpdateOptions), update_options_done },
        run_update,
        1,
        -1
};
