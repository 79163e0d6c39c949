/* prober.h: what prober.c, which knows when, and probe.c, which runs one check, tell each other.
 * The loop thread's alone. Inside engine only. */
#pragma once

#include "engine/container.h"
#include "engine/health.h"

typedef struct Probe Probe;

typedef struct Prober {
        Container *container; /* a reference */
        Monitor *monitor;     /* its owner says so before it goes */
        HealthPolicy policy;
        int64_t generation; /* of the run */
        int64_t started;    /* clock_monotonic */
        int64_t due;        /* clock_monotonic */
        size_t place;       /* in the heap, from 1; 0: it is not there */
        Probe *probe;       /* under way, or one that was killed and has not ended; NULL */
        bool holds_start;   /* the check is being started */
        bool holds_run;     /* and has no result yet */
} Prober;

/* ---- probe.c ---- */
Probe *probe_begin(Prober *prober);
/* Nobody wants its result. kill: the monitor is there still. */
void probe_abandon(Probe *probe, bool kill);
void probe_notice(Probe *probe, const MonitorReply *reply);

/* ---- prober.c ---- */
/* The check runs, or its start takes so long that others are not to wait for it. */
void prober_started(Prober *prober);
/* Takes the result's output. age: ns from the container's start to the check's. */
void prober_result(Prober *prober, HealthResult *result, int64_t age);
