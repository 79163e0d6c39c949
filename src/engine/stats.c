/* stats.c: what containers use. A container is read at most once a second, however many look: who
 * comes first reads, the others take what was read. Nothing is read while nobody looks, and a
 * client that does not listen holds up its own thread alone, with one sample. */
#include "engine/stats.h"
#include "engine/cgroup.h"
#include "engine/namespaces.h"
#include "engine/network-mode.h"
#include "engine/registry.h"
#include "engine/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>

#include "base/clock.h"
#include "base/fd.h"
#include "net/netns.h"
#include "os/rtnetlink.h"

#define PERIOD NSEC_PER_SEC
#define PROC_STAT_MAX ((size_t)4 << 20)

StatsSample *stats_sample_unref(StatsSample *sample) {
        if (!sample || atomic_fetch_sub_explicit(&sample->references, 1, memory_order_acq_rel) != 1)
                return NULL;
        for (size_t i = 0; i < sample->link_count; i++)
                free(sample->links[i].name);
        free(sample->links);
        cgroup_stats_done(&sample->cgroup);
        free(sample);
        return NULL;
}

/* ---- reading ---- */

void stats_parse_processors(const char *text, uint64_t *ret_ticks, int64_t *ret_online) {
        const char *all = str_after(text, "cpu ");
        uint64_t ticks = 0;
        int64_t online = 0;

        /* user, nice, system, idle, iowait, irq, softirq: those after them are in these. */
        for (int i = 0; all && i < 7; i++) {
                char *end;

                ticks += strtoull(all, &end, 10);
                all = end;
        }
        for (const char *at = strchr(text, '\n'); at && str_after(at, "\ncpu");
             at = strchr(at + 1, '\n'))
                online++;
        *ret_ticks = ticks;
        *ret_online = online;
}

static int read_machine(StatsSample *sample, Error *err) {
        _cleanup_free_ char *text = NULL;
        const uint64_t memory = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
        uint64_t ticks;
        int r = file_read_at(AT_FDCWD, "/proc/stat", PROC_STAT_MAX, &text, NULL, err);

        if (r < 0)
                return r;
        stats_parse_processors(text, &ticks, &sample->online);
        sample->system_cpu = ticks * (uint64_t)(NSEC_PER_SEC / sysconf(_SC_CLK_TCK));
        sample->memory_limit = sample->cgroup.memory_limit;
        if (sample->memory_limit == 0 || sample->memory_limit > memory)
                sample->memory_limit = memory;
        return 0;
}

static void take_link(void *data, const RtnlLink *link) {
        const struct rtnl_link_stats64 *counters = link->counters;
        StatsSample *sample = data;

        if (!counters || str_equal(link->name, "lo"))
                return;
        for (size_t i = 0; i < sample->link_count; i++)
                if (str_equal(sample->links[i].name, link->name))
                        return; /* the kernel was asked again */
        GROW(sample->links, sample->link_count);
        sample->links[sample->link_count++] = (StatsLink){
                .name = str_copy(link->name),
                .rx_bytes = counters->rx_bytes,
                .rx_packets = counters->rx_packets,
                .rx_errors = counters->rx_errors,
                .rx_dropped = counters->rx_dropped,
                .tx_bytes = counters->tx_bytes,
                .tx_packets = counters->tx_packets,
                .tx_errors = counters->tx_errors,
                .tx_dropped = counters->tx_dropped,
        };
}

/* The links of its namespace; the host's are not its own. */
static int read_links(Container *container, StatsSample *sample, Error *err) {
        _cleanup_(rtnl_closep) Rtnl *rtnl = NULL;
        _cleanup_close_ int netns_fd = -1;
        _cleanup_netns_ int home = -1;
        int r;

        if (str_equal(container_network_mode(container), "host"))
                return 0;
        r = container_namespace_open(container, "network", "net", &netns_fd, err);
        if (r == 0)
                r = netns_enter(netns_fd, &home, err);
        if (r == 0)
                r = rtnl_open(&rtnl, err);
        return r < 0 ? r : rtnl_each_link(rtnl, take_link, sample, err);
}

/* Whether it still is in the run of that generation. */
static bool runs(Container *container, int64_t *generation) {
        _cleanup_snapshot_ ContainerSnapshot *snapshot = container_snapshot(container);
        const ContainerState *state = &snapshot->state;

        if (state->status != CONTAINER_RUNNING && state->status != CONTAINER_PAUSED)
                return false;
        if (*generation == 0)
                *generation = state->generation;
        return *generation == state->generation;
}

/* Its group or its processes are gone: its monitor took them away, and the engine is about to hear
 * of it. Docker shows such a one as not running. */
static bool is_gone(int r) {
        return r == -ENOENT || r == -ENODEV || r == -ESRCH;
}

static int sample_take(Container *container, StatsSample **ret, Error *err) {
        _cleanup_(stats_sample_unrefp) StatsSample *sample = NEW(StatsSample);
        _cleanup_free_ char *cgroup = container_cgroup(container);
        int r = 0;

        atomic_init(&sample->references, 1);
        sample->taken = clock_monotonic();
        sample->when = clock_now();
        sample->running = runs(container, &sample->generation);
        if (sample->running) {
                r = cgroup_stats(cgroup, &sample->cgroup, err);
                if (r == 0)
                        r = read_machine(sample, err);
                if (r == 0)
                        r = read_links(container, sample, err);
                /* One that ended meanwhile could not be read, or half. */
                sample->running = runs(container, &sample->generation) && !is_gone(r);
                if (!sample->running)
                        r = 0;
        }
        if (r < 0)
                return error_prefix(err, "container %s", container->id);
        *ret = TAKE_PTR(sample);
        return 0;
}

/* ---- sharing ---- */

/* A sample that was taken after that moment (monotonic; 0: any of this last second), a reference.
 */
static int sample_after(Container *container, int64_t after, StatsSample **ret, Error *err) {
        StatsSample *sample = NULL;
        int r = 0;

        pthread_mutex_lock(&container->stats_lock);
        if (container->stats && container->stats->taken > after &&
            container->stats->taken + PERIOD > clock_monotonic())
                sample = container->stats;
        else
                r = sample_take(container, &sample, err);
        if (r == 0) {
                if (sample != container->stats) {
                        stats_sample_unref(container->stats);
                        container->stats = sample;
                }
                (void)atomic_fetch_add_explicit(&sample->references, 1, memory_order_relaxed);
                *ret = sample;
        }
        pthread_mutex_unlock(&container->stats_lock);
        return r;
}

static void watch_begin(Container *container) {
        pthread_mutex_lock(&container->stats_lock);
        container->stats_watchers++;
        pthread_mutex_unlock(&container->stats_lock);
}

/* The last one takes the sample with it. */
static void watch_end(Container *const *container) {
        pthread_mutex_lock(&(*container)->stats_lock);
        if (--(*container)->stats_watchers == 0)
                (*container)->stats = stats_sample_unref((*container)->stats);
        pthread_mutex_unlock(&(*container)->stats_lock);
}

/* ---- the call ---- */

static bool is_removed(Container *container) {
        _cleanup_snapshot_ ContainerSnapshot *snapshot = container_snapshot(container);

        return snapshot->state.status == CONTAINER_REMOVING;
}

/* Until that moment of the monotonic clock. -ECANCELED: the client left. */
static int wait_until(int64_t when, int cancel_fd) {
        struct pollfd client = { .fd = cancel_fd, .events = POLLRDHUP };

        for (;;) {
                const int64_t left = when - clock_monotonic();
                int r;

                if (left <= 0)
                        return 0;
                r = poll(&client, cancel_fd >= 0 ? 1 : 0,
                         (int)((left + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC));
                if (r < 0 && errno != EINTR)
                        return -errno;
                if (r > 0)
                        return -ECANCELED;
        }
}

static int next_sample(Container *container, StatsSample **sample, StatsSample **before,
                       int cancel_fd, Error *err) {
        StatsSample *next = NULL;
        int r = *sample ? wait_until((*sample)->taken + PERIOD, cancel_fd) : 0;

        if (r < 0)
                return error_set(err, -r, "statistics of container %s", container->id);
        r = sample_after(container, *sample ? (*sample)->taken : 0, &next, err);
        if (r < 0)
                return r;
        stats_sample_unref(*before);
        *before = *sample;
        *sample = next;
        return 0;
}

static int send_sample(Container *container, const StatsSample *sample, const StatsSample *before,
                       StatsSink sink, void *data) {
        _cleanup_snapshot_ ContainerSnapshot *snapshot = container_snapshot(container);
        _cleanup_free_ char *text = stats_document(container->id, snapshot->name, sample, before);

        return sink(data, text);
}

int engine_container_stats(Engine *engine, const char *ref, const StatsOptions *options,
                           StatsSink sink, void *data, int cancel_fd, Error *err) {
        _cleanup_(stats_sample_unrefp) StatsSample *sample = NULL, *before = NULL;
        _cleanup_container_ Container *container = NULL;
        int r = container_lookup(engine, ref, &container, err);

        if (r < 0)
                return r;
        watch_begin(container);
        _cleanup_(watch_end) UNUSED Container *watched = container;
        r = next_sample(container, &sample, &before, cancel_fd, err);
        /* A single answer is about a second, so that its share of the processors can be told. */
        if (r == 0 && !options->stream && !options->one_shot && sample->running)
                r = next_sample(container, &sample, &before, cancel_fd, err);
        while (r == 0) {
                r = send_sample(container, sample, before, sink, data);
                if (r < 0)
                        return error_set(err, -r, "send the statistics of container %s",
                                         container->id);
                if (!options->stream)
                        return 0;
                r = next_sample(container, &sample, &before, cancel_fd, err);
                if (r == 0 && is_removed(container))
                        return 0;
        }
        return r;
}
