/* stats.h: what a container uses at a moment, and Docker's document of it. Inside engine only. */
#pragma once

#include <stdatomic.h>

#include "base/cleanup.h"
#include "os/cgroup.h"

typedef struct StatsLink {
        char *name;
        uint64_t rx_bytes, rx_packets, rx_errors, rx_dropped;
        uint64_t tx_bytes, tx_packets, tx_errors, tx_dropped;
} StatsLink;

/* Immutable; freed with the last reference. */
typedef struct StatsSample {
        atomic_int references;
        bool running;       /* else there is nothing in it but its times */
        int64_t when;       /* ns since 1970 */
        int64_t taken;      /* ns of the monotonic clock */
        int64_t generation; /* of the container's run that it is about */
        CgroupStats cgroup;
        uint64_t system_cpu;   /* ns that all processors of the machine were there */
        int64_t online;        /* of them */
        uint64_t memory_limit; /* bytes; the machine's where the container has none */
        StatsLink *links;
        size_t link_count;
} StatsSample;
StatsSample *stats_sample_unref(StatsSample *sample); /* NULL is fine; returns NULL */
DEFINE_CLEANUP(StatsSample *, stats_sample_unref)

/* The "cpu" lines of /proc/stat: what they add up to, and how many processors they name. */
void stats_parse_processors(const char *text, uint64_t *ret_ticks, int64_t *ret_online);

/* stats-document.c: the caller's text. before: the sample before it, NULL: none. */
char *stats_document(const char *id, const char *name, const StatsSample *sample,
                     const StatsSample *before);
