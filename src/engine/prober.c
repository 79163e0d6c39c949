/* prober.c: when which container's health is checked: one heap and one timer for all, on the loop's
 * thread. Others, who hold a container's lock, post what they want, in the order of its life. How a
 * check is run is probe.c's, what its result means health.c's. */
#include "engine/prober.h"
#include "engine/container-health.h"
#include "engine/engine-private.h"
#include "engine/events.h"
#include "engine/registry.h"
#include "engine/state.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "os/pidfd.h"

/* Checks that are being started at once: each takes a worker and the processor for some
 * milliseconds. */
#define STARTS_MAX 8
/* Checks that run at once: each is a process and a descriptor here. What hangs may do so for long,
 * so there are many. */
#define RUNS_MAX 1024

struct Probers {
        Engine *engine;
        Prober **heap; /* the earliest first */
        size_t count;
        size_t starts, runs;
        LoopSource *timer; /* for the earliest, unless all places are taken */
};

int probers_new(Engine *engine, Probers **ret, Error *err) {
        Probers *probers = NEW(Probers);

        (void)err;
        probers->engine = engine;
        *ret = probers;
        return 0;
}

Probers *probers_free(Probers *probers) {
        if (probers)
                free(probers->heap);
        free(probers);
        return NULL;
}

/* ---- the heap ---- */

static void put(Probers *probers, Prober *prober, size_t place) {
        probers->heap[place - 1] = prober;
        prober->place = place;
}

static void sift_up(Probers *probers, Prober *prober, size_t place) {
        while (place > 1 && probers->heap[place / 2 - 1]->due > prober->due) {
                put(probers, probers->heap[place / 2 - 1], place);
                place /= 2;
        }
        put(probers, prober, place);
}

static void sift_down(Probers *probers, Prober *prober, size_t place) {
        for (size_t child; (child = place * 2) <= probers->count; place = child) {
                child += child < probers->count &&
                         probers->heap[child]->due < probers->heap[child - 1]->due;
                if (probers->heap[child - 1]->due >= prober->due)
                        break;
                put(probers, probers->heap[child - 1], place);
        }
        put(probers, prober, place);
}

static void heap_drop(Probers *probers, Prober *prober) {
        size_t place = prober->place;

        if (place == 0)
                return;
        prober->place = 0;
        Prober *last = probers->heap[--probers->count];
        if (last == prober)
                return;
        sift_down(probers, last, place);
        sift_up(probers, last, last->place);
}

static void heap_add(Probers *probers, Prober *prober, int64_t due) {
        heap_drop(probers, prober);
        prober->due = due;
        GROW(probers->heap, probers->count);
        probers->count++;
        sift_up(probers, prober, probers->count);
}

/* ---- places ---- */

static void on_timer(void *data);

static bool has_room(const Probers *probers) {
        return probers->starts < STARTS_MAX && probers->runs < RUNS_MAX;
}

static void arm(Probers *probers) {
        probers->timer = loop_remove(probers->timer);
        if (probers->count > 0 && has_room(probers))
                probers->timer = loop_add_timer(probers->engine->loop, probers->heap[0]->due,
                                                on_timer, probers);
}

static void release_start(Prober *prober) {
        prober->container->engine->probers->starts -= prober->holds_start;
        prober->holds_start = false;
}

static void release(Prober *prober) {
        release_start(prober);
        prober->container->engine->probers->runs -= prober->holds_run;
        prober->holds_run = false;
}

static void begin(Probers *probers, Prober *prober) {
        heap_drop(probers, prober);
        if (prober->probe) {
                HealthResult result = { .start = clock_now(), .exit_code = -1 };
                result.end = result.start;
                result.output = str_copy("the health check before this one was killed and has not "
                                         "ended: it is stuck in the kernel");
                prober_result(prober, &result, clock_monotonic() - prober->started);
                free(result.output);
                return;
        }
        prober->holds_start = prober->holds_run = true;
        probers->starts++;
        probers->runs++;
        prober->probe = probe_begin(prober);
}

static void on_timer(void *data) {
        Probers *probers = data;
        int64_t now = clock_monotonic();

        probers->timer = NULL;
        while (probers->count > 0 && has_room(probers) && probers->heap[0]->due <= now)
                begin(probers, probers->heap[0]);
        arm(probers);
}

void prober_started(Prober *prober) {
        release_start(prober);
        arm(prober->container->engine->probers);
}

/* ---- results ---- */

/* On a worker. Not each result is written: a status that is a few results old serves the next
 * daemon as well. */
static void save(void *data) {
        Container *container = data;
        Error error = { 0 };

        container_lock(container);
        if (container_is_running(container) && container_save(container, false, &error) < 0)
                log_error("record the health of container %s: %s", container->id, error.message);
        container_unlock(container);
        container_unref(container);
}

static void tell(Container *container, const char *status) {
        _cleanup_free_ char *action = str_format("health_status: %s", status);

        container_event(container, action, NULL);
        workers_post(container->engine->workers, save, container_ref(container));
}

static int64_t wait_of(const Prober *prober) {
        Container *container = prober->container;
        _cleanup_snapshot_ ContainerSnapshot *snapshot = container_snapshot(container);

        return health_wait(container_health_status(container, snapshot), &prober->policy,
                           clock_monotonic() - prober->started);
}

void prober_result(Prober *prober, HealthResult *result, int64_t age) {
        Container *container = prober->container;
        Probers *probers = container->engine->probers;
        const char *status = NULL;
        bool changed = false;

        release(prober);
        if (result &&
            container_health_judge(container, prober->generation, result, age, &status, &changed)) {
                const bool unhealthy = str_equal(status, HEALTH_UNHEALTHY);

                if (changed)
                        tell(container, status);
                if (changed || unhealthy)
                        unhealthy_notice(container, prober->generation, !unhealthy);
        }
        /* One that was killed has its result, and its end is no new beginning. */
        if (result || prober->place == 0)
                heap_add(probers, prober, clock_monotonic() + wait_of(prober));
        arm(probers);
}

void prober_notice(Container *container, const MonitorReply *reply) {
        if (container->prober && container->prober->probe)
                probe_notice(container->prober->probe, reply);
}

/* ---- a container's life, as others post it ---- */

typedef struct Step {
        Container *container; /* a reference */
        Monitor *monitor;
        int64_t generation, started; /* clock_monotonic */
        bool adopted, paused;
} Step;

static void step_done(Step *step) {
        container_unref(step->container);
        free(step);
}

static void prober_stop(Prober *prober, bool kill) {
        Container *container = prober->container;
        Probers *probers = container->engine->probers;

        if (prober->probe)
                probe_abandon(prober->probe, kill);
        prober->probe = NULL;
        release(prober);
        heap_drop(probers, prober);
        arm(probers);
}

static void prober_drop(Prober *prober) {
        Container *container = prober->container;

        prober_stop(prober, false);
        container->prober = NULL;
        free(prober);
        container_unref(container);
}

/* Containers that are found again at once are not to be checked at once. */
static int64_t spread(const Container *container, int64_t wait) {
        _cleanup_free_ char *digits = str_copy_n(container->id, 4);
        unsigned long part = strtoul(digits, NULL, 16);

        return wait / 0x10000 * (int64_t)part;
}

static void on_begin(void *data) {
        Step *step = data;
        Container *container = step->container;

        if (atomic_load(&container->engine->stopping)) {
                step_done(step);
                return;
        }
        if (container->prober)
                prober_drop(container->prober);
        Prober *prober = container->prober = NEW(Prober);
        prober->container = container_ref(container);
        prober->monitor = step->monitor;
        prober->generation = step->generation;
        prober->started = step->started;
        health_policy(container->spec.config.health, &prober->policy);
        if (!step->paused) {
                int64_t wait = wait_of(prober);

                heap_add(container->engine->probers, prober,
                         clock_monotonic() + (step->adopted ? spread(container, wait) : wait));
                arm(container->engine->probers);
        }
        step_done(step);
}

static void on_pause(void *data) {
        Step *step = data;
        Prober *prober = step->container->prober;

        if (prober && step->paused)
                prober_stop(prober, true);
        else if (prober && prober->place == 0 && !prober->probe) {
                heap_add(step->container->engine->probers, prober,
                         clock_monotonic() + wait_of(prober));
                arm(step->container->engine->probers);
        }
        step_done(step);
}

static void on_end(void *data) {
        Step *step = data;

        if (step->container->prober)
                prober_drop(step->container->prober);
        step_done(step);
}

static void post(Container *container, LoopHandler handler, const Step *model) {
        if (!health_is_checked(container->spec.config.health))
                return;
        Step *step = alloc_copy(model, sizeof(*model));
        step->container = container_ref(container);
        step->monitor = container->monitor;
        step->generation = container->state.generation;
        loop_post(container->engine->loop, handler, step);
}

void prober_begin(Container *container) {
        post(container, on_begin, &(Step){ .started = clock_monotonic() });
}

/* How long the container has run, which its start period is measured by. */
static int64_t run_time(const Container *container) {
        uint64_t ticks;

        if (process_start_time((pid_t)container->state.pid, &ticks, NULL) < 0)
                return 0; /* it has just ended, and is not checked */
        return MAX(clock_boot() - (int64_t)ticks * (NSEC_PER_SEC / sysconf(_SC_CLK_TCK)), 0);
}

void prober_adopt(Container *container) {
        int64_t age = run_time(container);

        post(container, on_begin,
             &(Step){ .started = clock_monotonic() - age,
                      .adopted = true,
                      .paused = container->state.status == CONTAINER_PAUSED });
}

void prober_pause(Container *container, bool paused) {
        post(container, on_pause, &(Step){ .paused = paused });
}

void prober_end(Container *container) {
        post(container, on_end, &(Step){ 0 });
}

void probers_stop(Engine *engine) {

        if (!engine->probers)
                return;
        _cleanup_roster_ Roster *containers = containers_all(engine);
        for (size_t i = 0; i < containers->count; i++)
                if (containers->items[i]->prober)
                        prober_drop(containers->items[i]->prober);
        engine->probers->timer = loop_remove(engine->probers->timer);
}
