/* stats-document.c: a sample as Docker's document, with its members and in their order: GET
 * /containers/{id}/stats. */
#include "engine/documents.h"
#include "engine/stats.h"

/* Numbers beyond int64_t do not come out of the kernel's counters. */
static void put_count(json_object *object, const char *name, uint64_t value) {
        json_put_int(object, name, (int64_t)value);
}

static void put_unless_0(json_object *object, const char *name, uint64_t value) {
        if (value > 0)
                put_count(object, name, value);
}

static void put_pids(json_object *document, const StatsSample *sample) {
        json_object *pids = json_object_new_object();

        put_unless_0(pids, "current", sample->cgroup.pids_current);
        put_unless_0(pids, "limit", sample->cgroup.pids_limit);
        json_put(document, "pids_stats", pids);
}

static json_object *io_list(const CgroupIoCounts *counts) {
        json_object *list = json_object_new_array();

        for (size_t i = 0; i < counts->count; i++) {
                const CgroupIoCount *item = &counts->items[i];
                json_object *object = json_object_new_object();

                put_count(object, "major", item->major);
                put_count(object, "minor", item->minor);
                json_put_text(object, "op", item->operation);
                put_count(object, "value", item->value);
                (void)json_object_array_add(list, object);
        }
        return list;
}

/* Version 1 has all eight lists, 2 the bytes alone: so does dockerd. */
static void put_block_io(json_object *document, const StatsSample *sample) {
        static const char *const names[CGROUP_IO_KINDS] = {
                [CGROUP_IO_BYTES] = "io_service_bytes_recursive",
                [CGROUP_IO_OPERATIONS] = "io_serviced_recursive",
                [CGROUP_IO_QUEUED] = "io_queue_recursive",
                [CGROUP_IO_SERVICE_TIME] = "io_service_time_recursive",
                [CGROUP_IO_WAIT_TIME] = "io_wait_time_recursive",
                [CGROUP_IO_MERGED] = "io_merged_recursive",
                [CGROUP_IO_TIME] = "io_time_recursive",
                [CGROUP_IO_SECTORS] = "sectors_recursive",
        };
        json_object *lists = json_object_new_object();
        CgroupMode mode = CGROUP_V2;

        (void)cgroup_mode(&mode, NULL);
        for (size_t i = 0; i < CGROUP_IO_KINDS; i++)
                json_put(lists, names[i],
                         sample->running && (mode != CGROUP_V2 || i == CGROUP_IO_BYTES)
                                 ? io_list(&sample->cgroup.io[i])
                                 : NULL);
        json_put(document, "blkio_stats", lists);
}

/* NULL: there is no such sample. */
static void put_cpu(json_object *document, const char *name, const StatsSample *sample) {
        static const CgroupStats none;
        const CgroupStats *cgroup = sample ? &sample->cgroup : &none;
        json_object *cpu = json_object_new_object(), *usage = json_object_new_object(),
                    *throttling = json_object_new_object();

        put_count(usage, "total_usage", cgroup->cpu_total);
        if (cgroup->cpu_count > 0) {
                json_object *each = json_object_new_array();

                for (size_t i = 0; i < cgroup->cpu_count; i++)
                        (void)json_object_array_add(
                                each, json_object_new_int64((int64_t)cgroup->cpu_each[i]));
                json_put(usage, "percpu_usage", each);
        }
        put_count(usage, "usage_in_kernelmode", cgroup->cpu_system);
        put_count(usage, "usage_in_usermode", cgroup->cpu_user);
        json_put(cpu, "cpu_usage", usage);
        put_unless_0(cpu, "system_cpu_usage", sample ? sample->system_cpu : 0);
        put_unless_0(cpu, "online_cpus", sample ? (uint64_t)sample->online : 0);
        put_count(throttling, "periods", cgroup->cpu_periods);
        put_count(throttling, "throttled_periods", cgroup->cpu_throttled_periods);
        put_count(throttling, "throttled_time", cgroup->cpu_throttled);
        json_put(cpu, "throttling_data", throttling);
        json_put(document, name, cpu);
}

static void put_memory(json_object *document, const StatsSample *sample) {
        const CgroupStats *cgroup = &sample->cgroup;
        json_object *memory = json_object_new_object();

        put_unless_0(memory, "usage", cgroup->memory_usage);
        put_unless_0(memory, "max_usage", cgroup->memory_max_usage);
        if (cgroup->memory_count > 0) {
                json_object *stats = json_object_new_object();

                for (size_t i = 0; i < cgroup->memory_count; i++)
                        put_count(stats, cgroup->memory[i].name, cgroup->memory[i].value);
                json_put(memory, "stats", stats);
        }
        put_unless_0(memory, "failcnt", cgroup->memory_failures);
        put_unless_0(memory, "limit", sample->memory_limit);
        json_put(document, "memory_stats", memory);
}

static void put_networks(json_object *document, const StatsSample *sample) {
        json_object *networks;

        if (sample->link_count == 0)
                return;
        networks = json_object_new_object();
        for (size_t i = 0; i < sample->link_count; i++) {
                const StatsLink *link = &sample->links[i];
                json_object *object = json_object_new_object();

                put_count(object, "rx_bytes", link->rx_bytes);
                put_count(object, "rx_packets", link->rx_packets);
                put_count(object, "rx_errors", link->rx_errors);
                put_count(object, "rx_dropped", link->rx_dropped);
                put_count(object, "tx_bytes", link->tx_bytes);
                put_count(object, "tx_packets", link->tx_packets);
                put_count(object, "tx_errors", link->tx_errors);
                put_count(object, "tx_dropped", link->tx_dropped);
                json_put(networks, link->name, object);
        }
        json_put(document, "networks", networks);
}

char *stats_document(const char *id, const char *name, const StatsSample *sample,
                     const StatsSample *before) {
        _cleanup_free_ char *path = str_format("/%s", name);
        json_object *document = json_object_new_object();
        Buf text = { 0 };

        /* What another run used says nothing of this one. */
        if (before && (!before->running || before->generation != sample->generation))
                before = NULL;
        json_put_time(document, "read", sample->running ? sample->when : 0);
        json_put_time(document, "preread", before ? before->when : 0);
        put_pids(document, sample);
        put_block_io(document, sample);
        json_put_int(document, "num_procs", 0); /* Windows' */
        json_put(document, "storage_stats", json_object_new_object());
        put_cpu(document, "cpu_stats", sample);
        put_cpu(document, "precpu_stats", before);
        put_memory(document, sample);
        json_put_text(document, "name", path);
        json_put_text(document, "id", id);
        put_networks(document, sample);
        json_add_object(&text, document);
        return buf_take(&text);
}
