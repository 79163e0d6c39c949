/* stats-figures.c: see stats.h. The arithmetic is that of Docker's client. */
#include <string.h>

#include "cli/cli.h"
#include "cli/stats.h"

static int64_t number_in(json_object *document, const char *outer, const char *name) {
        return json_number(json_member(document, outer), name);
}

static int64_t cpu_total(json_object *document, const char *outer) {
        return json_number(json_member(json_member(document, outer), "cpu_usage"), "total_usage");
}

static int64_t processors(json_object *document) {
        json_object *each = json_member(
                json_member(json_member(document, "cpu_stats"), "cpu_usage"), "percpu_usage");
        const int64_t online = number_in(document, "cpu_stats", "online_cpus");

        if (online > 0)
                return online;
        return json_object_is_type(each, json_type_array) ? (int64_t)json_object_array_length(each)
                                                          : 0;
}

static void cpu_figures(json_object *document, StatsFigures *figures) {
        const int64_t total = cpu_total(document, "cpu_stats");
        const int64_t system = number_in(document, "cpu_stats", "system_cpu_usage");
        int64_t total_before = cpu_total(document, "precpu_stats");
        int64_t system_before = number_in(document, "precpu_stats", "system_cpu_usage");

        if (system_before == 0) {
                total_before = figures->total;
                system_before = figures->system;
        }
        figures->has_before = system_before > 0;
        figures->cpu = 0;
        if (figures->has_before && total > total_before && system > system_before)
                figures->cpu = (double)(total - total_before) / (double)(system - system_before) *
                               (double)processors(document) * 100;
        figures->total = total;
        figures->system = system;
}

/* Version 1 of the control groups counts those below it apart, 2 together. */
static void memory_figures(json_object *document, StatsFigures *figures) {
        json_object *memory = json_member(document, "memory_stats"),
                    *stats = json_member(memory, "stats");
        const char *name =
                json_member(stats, "total_inactive_file") ? "total_inactive_file" : "inactive_file";
        const int64_t usage = json_number(memory, "usage"), inactive = json_number(stats, name);

        figures->memory = (double)(inactive < usage ? usage - inactive : usage);
        figures->limit = (double)json_number(memory, "limit");
        figures->memory_percent = figures->limit > 0 ? figures->memory / figures->limit * 100 : 0;
}

static void network_figures(json_object *document, StatsFigures *figures) {
        json_object *networks = json_member(document, "networks");

        figures->received = figures->sent = 0;
        if (!json_object_is_type(networks, json_type_object))
                return;
        json_object_object_foreach(networks, name, network) {
                (void)name;
                figures->received += (double)json_number(network, "rx_bytes");
                figures->sent += (double)json_number(network, "tx_bytes");
        }
}

static void block_figures(json_object *document, StatsFigures *figures) {
        json_object *list =
                json_member(json_member(document, "blkio_stats"), "io_service_bytes_recursive");

        figures->read = figures->written = 0;
        if (!json_object_is_type(list, json_type_array))
                return;
        for (size_t i = 0; i < json_object_array_length(list); i++) {
                json_object *item = json_object_array_get_idx(list, i);
                const char *operation = json_words(item, "op");

                if (*operation == 'r' || *operation == 'R')
                        figures->read += (double)json_number(item, "value");
                else if (*operation == 'w' || *operation == 'W')
                        figures->written += (double)json_number(item, "value");
        }
}

void stats_figures(json_object *document, StatsFigures *figures) {
        cpu_figures(document, figures);
        memory_figures(document, figures);
        network_figures(document, figures);
        block_figures(document, figures);
        figures->pids = number_in(document, "pids_stats", "current");
}
