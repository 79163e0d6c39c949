/* limits.c: what can be changed of a container that is there: POST /containers/{id}/update. What a
 * value means is the engine's business. */
#include <strings.h>

#include "spec/container.h"

#define OMIT JSON_OMIT_EMPTY

/* ---- limits ---- */

static const JsonField limit_fields[] = {
        JSON_FIELD(HostLimits, "BlkioWeight", JSON_INT, blkio_weight, OMIT),
        JSON_FIELD(HostLimits, "CpuShares", JSON_INT, cpu_shares, OMIT),
        JSON_FIELD(HostLimits, "NanoCpus", JSON_INT, nano_cpus, OMIT),
        JSON_FIELD(HostLimits, "CpuPeriod", JSON_INT, cpu_period, OMIT),
        JSON_FIELD(HostLimits, "CpuQuota", JSON_INT, cpu_quota, OMIT),
        JSON_FIELD(HostLimits, "CpuRealtimePeriod", JSON_INT, cpu_realtime_period, OMIT),
        JSON_FIELD(HostLimits, "CpuRealtimeRuntime", JSON_INT, cpu_realtime_runtime, OMIT),
        JSON_FIELD(HostLimits, "CpusetCpus", JSON_STRING, cpuset_cpus, OMIT),
        JSON_FIELD(HostLimits, "CpusetMems", JSON_STRING, cpuset_mems, OMIT),
        JSON_FIELD(HostLimits, "Memory", JSON_INT, memory, OMIT),
        JSON_FIELD(HostLimits, "MemorySwap", JSON_INT, memory_swap, OMIT),
        JSON_FIELD(HostLimits, "MemoryReservation", JSON_INT, memory_reservation, OMIT),
        JSON_FIELD(HostLimits, "PidsLimit", JSON_MAYBE_INT, pids_limit, OMIT),
        JSON_NESTED(HostLimits, "RestartPolicy", JSON_INLINE, restart_policy, OMIT,
                    &restart_policy_table),
};
const JsonTable host_limits_table = JSON_TABLE(HostLimits, "limits", limit_fields);

/* The members that are in both, but for the restart policy: numbers, and what is owned. */
#define NUMBERS(X)                                                                                 \
        X(blkio_weight)                                                                            \
        X(cpu_shares)                                                                              \
        X(nano_cpus)                                                                               \
        X(cpu_period)                                                                              \
        X(cpu_quota)                                                                               \
        X(cpu_realtime_period)                                                                     \
        X(cpu_realtime_runtime)                                                                    \
        X(memory)                                                                                  \
        X(memory_swap)                                                                             \
        X(memory_reservation)

HostLimits host_limits_of(const HostConfig *host) {
        HostLimits limits = {
                .pids_limit = host->pids_limit,
                .cpuset_cpus = host->cpuset_cpus,
                .cpuset_mems = host->cpuset_mems,
                .restart_policy = host->restart_policy,
        };

#define TAKE(member) limits.member = host->member;
        NUMBERS(TAKE)
#undef TAKE
        return limits;
}

void host_limits_lend(HostConfig *host, const HostLimits *limits) {
        host->pids_limit = limits->pids_limit;
        host->cpuset_cpus = limits->cpuset_cpus;
        host->cpuset_mems = limits->cpuset_mems;
        host->restart_policy = limits->restart_policy;
#define LEND(member) host->member = limits->member;
        NUMBERS(LEND)
#undef LEND
}

void host_limits_change(HostLimits *limits, const HostLimits *given) {
        if (given->pids_limit) {
                if (!limits->pids_limit)
                        limits->pids_limit = NEW(int64_t);
                *limits->pids_limit = MAX(*given->pids_limit, 0);
        }
        if (!str_empty(given->cpuset_cpus))
                str_replace(&limits->cpuset_cpus, given->cpuset_cpus);
        if (!str_empty(given->cpuset_mems))
                str_replace(&limits->cpuset_mems, given->cpuset_mems);
        if (!str_empty(given->restart_policy.name)) {
                str_replace(&limits->restart_policy.name, given->restart_policy.name);
                limits->restart_policy.maximum_retry_count =
                        given->restart_policy.maximum_retry_count;
        }
#define CHANGE(member)                                                                             \
        if (given->member != 0)                                                                    \
                limits->member = given->member;
        NUMBERS(CHANGE)
#undef CHANGE
}

bool host_limits_any(const HostLimits *given) {
        bool any = given->pids_limit || !str_empty(given->cpuset_cpus) ||
                   !str_empty(given->cpuset_mems) || !str_empty(given->restart_policy.name);

#define SEE(member) any |= given->member != 0;
        NUMBERS(SEE)
#undef SEE
        return any;
}

/* ---- the request ---- */

static const JsonField label_fields[] = {
        JSON_FIELD(ContainerUpdate, "Labels", JSON_PAIRS, labels, OMIT),
        JSON_FIELD(ContainerUpdate, "LabelsRemoved", JSON_STRINGS, labels_removed, OMIT),
};
static const JsonTable labels_table = JSON_TABLE(ContainerUpdate, "update", label_fields);

static const JsonField mount_fields[] = {
        JSON_NESTED(ContainerUpdate, "MountsAdded", JSON_ARRAY, mounts_added, OMIT,
                    &mount_spec_table),
        JSON_FIELD(ContainerUpdate, "MountsRemoved", JSON_STRINGS, mounts_removed, OMIT),
};
static const JsonTable mounts_table = JSON_TABLE(ContainerUpdate, "update", mount_fields);

/* Docker's clients send every member, those that nobody gave as nothing. */
static bool is_nothing(json_object *value) {
        switch (json_object_get_type(value)) {
        case json_type_null:
                return true;
        case json_type_string:
                return json_object_get_string_len(value) == 0;
        case json_type_array:
                return json_object_array_length(value) == 0;
        case json_type_object: {
                json_object_object_foreach(value, name, member) {
                        (void)name;
                        if (!is_nothing(member))
                                return false;
                }
                return true;
        }
        default:
                return json_object_get_double(value) == 0;
        }
}

static bool is_field(const JsonTable *table, const char *name) {
        for (size_t i = 0; i < table->count; i++)
                if (strcasecmp(table->fields[i].name, name) == 0)
                        return true;
        return false;
}

static const struct {
        const char *name;
        size_t offset;
} port_members[] = {
        { "PortsAdded", offsetof(ContainerUpdate, ports_added) },
        { "PortsRemoved", offsetof(ContainerUpdate, ports_removed) },
};

static JsonArray *ports_of(const ContainerUpdate *update, size_t index) {
        return (JsonArray *)((char *)update + port_members[index].offset);
}

static bool is_port_member(const char *name) {
        for (size_t i = 0; i < ELEMENTS(port_members); i++)
                if (str_equal(port_members[i].name, name))
                        return true;
        return false;
}

static int ports_read(json_object *object, ContainerUpdate *ret, Error *err) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < ELEMENTS(port_members); i++)
                r = port_bindings_read(port_members[i].name,
                                       json_member(object, port_members[i].name), ports_of(ret, i),
                                       err);
        return r;
}

static int labels_check(const ContainerUpdate *update, Error *err) {
        for (size_t i = 0; i < update->labels.count; i++) {
                const char *name = update->labels.items[i].key;

                if (str_empty(name))
                        return error_kind(err, ERROR_INVALID, "Labels: a label has no name");
                if (strv_has(update->labels_removed, name))
                        return error_kind(err, ERROR_INVALID,
                                          "label '%s' is to be given and to be removed", name);
        }
        return 0;
}

int container_update_read(json_object *object, ContainerUpdate *ret, Error *err) {
        int r;

        if (!json_object_is_type(object, json_type_object))
                return error_kind(err, ERROR_INVALID, "update: must be an object");
        json_object_object_foreach(object, name, value) {
                if (!is_field(&labels_table, name) && !is_field(&mounts_table, name) &&
                    !is_field(&host_limits_table, name) && !is_port_member(name) &&
                    !is_nothing(value))
                        return error_kind(err, ERROR_UNSUPPORTED,
                                          "%s cannot be changed of a container that is there: "
                                          "remove it and run it anew with the other value",
                                          name);
        }
        r = json_read(&labels_table, object, ret, err);
        if (r == 0)
                r = json_read(&host_limits_table, object, &ret->limits, err);
        if (r == 0)
                r = ports_read(object, ret, err);
        if (r == 0)
                r = json_read(&mounts_table, object, ret, err);
        return r < 0 ? r : labels_check(ret, err);
}

static void write_members(const JsonTable *table, const ContainerUpdate *update,
                          json_object *object) {
        json_object *members = json_write(table, update);

        json_object_object_foreach(members, name, value)
                (void)json_object_object_add(object, name, json_object_get(value));
        (void)json_object_put(members);
}

json_object *container_update_write(const ContainerUpdate *update) {
        json_object *object = json_write(&host_limits_table, &update->limits);

        write_members(&labels_table, update, object);
        write_members(&mounts_table, update, object);
        for (size_t i = 0; i < ELEMENTS(port_members); i++)
                if (ports_of(update, i)->count > 0)
                        (void)json_object_object_add(object, port_members[i].name,
                                                     port_bindings_write(ports_of(update, i)));
        return object;
}

void container_update_done(ContainerUpdate *update) {
        json_done(&labels_table, update);
        json_done(&mounts_table, update);
        json_done(&host_limits_table, &update->limits);
        for (size_t i = 0; i < ELEMENTS(port_members); i++)
                port_bindings_done(ports_of(update, i));
}
