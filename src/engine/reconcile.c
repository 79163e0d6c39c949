/* reconcile.c: at the daemon's start the record and the kernel are made to agree. What runs is
 * found by its monitor, what ended by its exit file; removals are finished, addresses and rules
 * restored, restart policies followed. Runs on the loop's thread before the loop does. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "engine/cgroup.h"
#include "engine/checkpoint.h"
#include "engine/container-health.h"
#include "engine/container-limits.h"
#include "engine/endpoints.h"
#include "engine/engine-private.h"
#include "engine/execs.h"
#include "engine/image-mount.h"
#include "engine/lifecycle.h"
#include "engine/mounts-change.h"
#include "engine/mounts.h"
#include "engine/network-mode.h"
#include "engine/networks.h"
#include "engine/policies.h"
#include "engine/registry.h"
#include "engine/state.h"
#include "engine/volumes.h"
#include "os/cgroup.h"
#include "os/pidfd.h"

#define FREEZE_TIMEOUT (10 * NSEC_PER_SEC)

/* How long a start waits for all dumps that an earlier daemon let end containers. */
#define DUMPS_TIMEOUT (20 * NSEC_PER_SEC)

typedef struct Reconcile {
        Engine *engine;
        Container **containers; /* references; those that are being removed too */
        size_t count;
        bool unread;         /* a row could not be read */
        bool *ended;         /* one a container: it ended while no daemon watched */
        ExitRecord *records; /* of one that runs: its execs only */
} Reconcile;

/* ---- rows ---- */

static int load_row(void *data, const DbRecord *row, Error *err) {
        Reconcile *job = data;
        Container *container;

        /* One row that cannot be read must not keep all the others from their daemon. */
        if (container_load(job->engine, row, &container, err) < 0) {
                log_error("%s; it is left alone", err->message);
                job->unread = true;
                return 0;
        }
        GROW(job->containers, job->count);
        job->containers[job->count++] = container;
        return 0;
}

static void reconcile_done(Reconcile *job) {
        for (size_t i = 0; job->records && i < job->count; i++)
                json_done(&exit_record_table, &job->records[i]);
        for (size_t i = 0; i < job->count; i++)
                container_unref(job->containers[i]);
        free(job->containers);
        free(job->records);
        free(job->ended);
}

static bool is_going(const Container *container) {
        return container->state.status == CONTAINER_REMOVING ||
               container->state.status == CONTAINER_DEAD;
}

static void forget_endpoints(Container *container) {
        ContainerEndpoint *endpoints = container->endpoints.items;

        for (size_t i = 0; i < container->endpoints.count; i++) {
                json_done(&net_endpoint_table, &endpoints[i].endpoint);
                free(TAKE_PTR(endpoints[i].endpoint_id));
                endpoints[i].joined = false;
        }
}

/* ---- what runs ---- */

/* Its daemon was killed while it made an image of it. */
static bool end_commits_pause(Container *container, const char *cgroup) {
        Error error = { 0 };

        container->state.paused_for_commit = false;
        if (cgroup_freeze(cgroup, false, FREEZE_TIMEOUT, &error) == 0)
                return true;
        log_error("container %s stays paused, though the commit that paused it is over: %s",
                  container->id, error.message);
        return false;
}

static int adopt_running(Container *container, pid_t pid, Error *err) {
        ContainerState *state = &container->state;
        _cleanup_free_ char *cgroup = container_cgroup(container);
        const char *mode = container_network_mode(container);
        bool frozen = false;
        char path[64];

        container_ref(container); /* the notices' */
        state->pid = pid;
        if (cgroup_is_frozen(cgroup, &frozen, NULL) < 0)
                frozen = state->status == CONTAINER_PAUSED;
        if (frozen && state->paused_for_commit)
                frozen = !end_commits_pause(container, cgroup);
        state->status = frozen ? CONTAINER_PAUSED : CONTAINER_RUNNING;
        if (str_equal(mode, "host") || str_after(mode, "container:"))
                return 0;
        (void)snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
        container->netns_fd = open(path, O_RDONLY | O_CLOEXEC);
        if (container->netns_fd < 0)
                return error_set(err, errno, "open the network namespace of container %s",
                                 container->id);
        /* If it is there still, the number was its own when the file was opened. */
        int r = pidfd_signal(container->pidfd, 0, err);
        if (r < 0)
                close_fd(&container->netns_fd);
        return r;
}

/* This daemon lacks what it needs to ask, so it cannot tell that the monitor is gone. */
static bool is_shortage(int r) {
        return r == -EMFILE || r == -ENFILE || r == -ENOMEM || r == -ENOBUFS;
}

/* Nothing is judged on a shortage, as the verdict would be a kill: the containers go on. */
static int not_asked(const Container *container, int r, Error *err) {
        if (!is_shortage(r)) {
                log_debug("container %s: %s", container->id, err ? err->message : strerror(-r));
                return 0;
        }
        return error_set(err, -r,
                         "container %s runs and cannot be asked; it goes on. Give brigd more "
                         "descriptors or memory and start it again",
                         container->id);
}

/* 1: its monitor was found and it runs; 0: there is none. */
static int find_running(Container *container, JsonArray *ret_execs, Error *err) {
        Engine *engine = container->engine;
        _cleanup_close_ int run_fd = -1;
        MonitorReply state = { 0 };
        Error error = { 0 };

        int r = dir_open_at(engine->run_fd, container->id, 0, &run_fd, err);
        if (r == 0)
                r = monitor_connect(engine->loop, run_fd, monitor_notice, container,
                                    &container->monitor, &state, &container->pidfd, err);
        if (r < 0)
                return not_asked(container, r, err);
        if (adopt_running(container, (pid_t)state.pid, &error) < 0)
                log_warn("%s", error.message);
        *ret_execs = state.execs;
        state.execs = (JsonArray){ 0 };
        json_done(&monitor_reply_table, &state);
        return 1;
}

/* Neither monitor nor exit file: the monitor was killed, and what it ran has nobody. */
static void note_orphan(Container *container, ExitRecord *record) {
        str_replace(&container->state.error, "the container's monitor was killed");
        record->exit_code = 128 + SIGKILL;
        record->exited_at = clock_now();
}

/* A restart by policy was begun and counted: see start_intent. */
static bool is_in_restart(const Container *container) {
        const ContainerState *state = &container->state;

        return state->status == CONTAINER_RESTARTING && state->start_begun;
}

/* Whether a monitor was made for the start that was begun, and was killed: the file of its socket
 * stays. After a boot, which leaves no directory, nobody can tell, and it counts as made. */
static bool had_monitor(const Container *container) {
        _cleanup_free_ char *socket = str_format("%s/" MONITOR_SOCKET, container->id);
        int run_fd = container->engine->run_fd;
        struct stat status;

        return fstatat(run_fd, container->id, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
               fstatat(run_fd, socket, &status, AT_SYMLINK_NOFOLLOW) == 0;
}

/* What the record says and what is there become one. *ret_ended: it has ended since the record was
 * written. */
static int judge(Container *container, ExitRecord *record, bool *ret_ended, Error *err) {
        bool running = container_is_running(container);
        int r = find_running(container, &record->execs, err);

        *ret_ended = false;
        if (r != 0)
                return r < 0 ? r : 0;
        bool has_record = exit_record_of(container, record, NULL) == 0;
        /* A start whose daemon was killed before it could write that the container runs. The end
         * that the record has is the file's to the nanosecond. */
        bool unnoticed = !running && has_record && !record->error &&
                         record->exited_at != container->state.finished_at;
        if (is_in_restart(container) && !unnoticed) {
                unnoticed = !has_record && had_monitor(container);
                /* Nothing ran: it is done again, not counted again. */
                if (!unnoticed)
                        container->state.restart_count--;
        }
        forget_endpoints(container);
        if (!running && !unnoticed)
                return 0;
        container_kill_orphan(container);
        if (!has_record)
                note_orphan(container, record);
        *ret_ended = true;
        return 0;
}

/* ---- network ---- */

typedef struct Places {
        NetworkConfig *configs;
        Endpoint *endpoints;
        int *netns_fds;
        size_t count;
} Places;

/* remade: the id of a network that is made anew, which nobody is on yet; or NULL. */
static void places_add(Places *places, Container *container, const char *remade) {
        ContainerEndpoint *endpoints = container->endpoints.items;

        for (size_t i = 0; i < container->endpoints.count; i++) {
                _cleanup_network_ NetworkObject *network = NULL;
                const char *id = endpoints[i].endpoint.network_id;
                if (!id || str_equal(id, remade) ||
                    network_acquire(container->engine, id, &network, NULL) < 0)
                        continue;
                endpoints[i].joined = true;
                if (!network_has_endpoints(&network->config))
                        continue;
                places->endpoints =
                        alloc_resize(places->endpoints, places->count + 1, sizeof(Endpoint));
                places->netns_fds = alloc_resize(places->netns_fds, places->count + 1, sizeof(int));
                places->endpoints[places->count] = endpoints[i].endpoint;
                endpoint_lend_labels(container, &places->endpoints[places->count]);
                places->netns_fds[places->count++] = container->netns_fd;
        }
}

/* Where the default bridge was made anew, as the daemon's options want it now, who was on the old
 * one is connected to it, under another address; else those whom an earlier daemon could not
 * connect. */
static void reconnect(Reconcile *job, const char *bridge, bool remade) {
        for (size_t i = 0; i < job->count; i++) {
                Container *container = job->containers[i];
                Error error = { 0 };

                if (!container_is_running(container) || job->ended[i])
                        continue;
                CONTAINER_LOCKED(container);
                if (container_reconnect(container, bridge, remade, &error) < 0)
                        log_error("container %s is not on the default bridge; the next start of "
                                  "brigd "
                                  "tries again: %s",
                                  container->id, error.message);
        }
}

/* The structs are lent: they hold the containers' and the networks' pointers. */
static int reconcile_network(Reconcile *job, Error *err) {
        NetworkObject **networks;
        Places places = { 0 };
        Error error = { 0 };
        size_t network_count, config_count = 0;
        bool remade;
        const char *bridge = networks_bridge(job->engine, &remade);

        networks_all(job->engine, &networks, &network_count);
        places.configs = NEW_ARRAY(NetworkConfig, network_count + 1);
        for (size_t i = 0; i < network_count; i++)
                if (!networks[i]->config_only)
                        places.configs[config_count++] = networks[i]->config;
        for (size_t i = 0; i < job->count; i++)
                if (container_is_running(job->containers[i]) && !job->ended[i])
                        places_add(&places, job->containers[i], remade ? bridge : NULL);
        int r = net_reconcile(job->engine->net, places.configs, config_count, places.endpoints,
                              places.netns_fds, places.count, &error);
        free(places.configs);
        free(places.endpoints);
        free(places.netns_fds);
        networks_all_free(networks, network_count);
        /* net has told each failure; one container's broken link is no reason to serve none. */
        if (r < 0)
                log_warn("not every network was restored as it was: %s", error.message);
        r = networks_start(job->engine, err);
        if (r < 0 || !bridge)
                return r;
        reconnect(job, bridge, remade);
        return networks_settled(job->engine, err);
}

static void restore_resolver(Container *container) {
        Error error = { 0 };

        if (container->netns_fd >= 0 && container_on_resolver(container) &&
            container_resolver_attach(container, container->netns_fd, &error) < 0)
                log_error("serve names to container %s: %s", container->id, error.message);
}

/* ---- registry ---- */

static int enlist(Container *container, Error *err) {
        int r = registry_reserve_name(container->engine, container->name, container->id, err);
        if (r < 0)
                return r;
        container_publish(container);
        registry_add(container->engine, container);
        return 0;
}

static void finish_removal(Container *container) {
        mounts_adopt(container, false);
        mounts_release(container, container->state.remove_volumes);
        removal_finish_later(container);
}

/* A power cut may have taken the hold, which is not synced, and left the row, which is. Of an image
 * that was removed by force the hold is all there is. */
static void hold_again(Container *container) {
        Error error = { 0 };
        int r = image_hold(container->engine->images, container->image_id, container->id, &error);

        if (r < 0 && r != -ENOENT)
                log_error("hold the image of container %s: %s", container->id, error.message);
        image_mounts_hold_again(container);
}

static bool policy_wants_start(const Container *container) {
        const HostConfig host = container_host(container);
        const char *policy = host.restart_policy.name;
        const ContainerState *state = &container->state;

        if (state->status == CONTAINER_RESTARTING)
                return true;
        if (state->status != CONTAINER_EXITED)
                return false;
        if (str_equal(policy, "always"))
                return true;
        return str_equal(policy, "unless-stopped") && !state->stopped_by_user;
}

/* A daemon that was killed in an update may have recorded limits and not come to put them in force.
 */
static void restore_limits(const Container *container) {
        Error error = { 0 };

        if (container->limits && container_limits_apply(container, &error) < 0)
                log_error("the limits of container %s: %s", container->id, error.message);
}

/* On the end of the daemon-less time: waits, removal by --rm, restart policies. */
static void settle(Container *container, bool ended, ExitRecord *record, int64_t dumps_until) {
        Error error = { 0 };

        CONTAINER_LOCKED(container);
        if (ended || container_is_running(container))
                execs_adopt(container, &record->execs);
        container_end_checkpointing(container,
                                    ended ? checkpoint_may_have_ended(container)
                                          : container_is_running(container) &&
                                                    checkpoint_await_end(container, dumps_until));
        if (ended) {
                container->state.status = CONTAINER_RUNNING;
                exit_handle_locked(container, record);
                return;
        }
        if (container_is_running(container)) {
                restore_resolver(container);
                restore_limits(container);
                container_health_adopt(container);
                if (container_save(container, false, &error) < 0)
                        log_error("%s", error.message);
                container_publish(container);
                prober_adopt(container);
                return;
        }
        if (container->spec.host.auto_remove) {
                if (container_remove_locked(container, true, &error) < 0)
                        log_error("remove container %s: %s", container->id, error.message);
                return;
        }
        if (policy_wants_start(container)) {
                container->state.status = CONTAINER_RESTARTING;
                container_publish(container);
                restart_now(container);
        }
}

/* ---- directories that no row knows ---- */

static bool is_known(const Reconcile *job, const char *id) {
        for (size_t i = 0; i < job->count; i++)
                if (str_equal(job->containers[i]->id, id))
                        return true;
        return false;
}

/* A create that was cut short: the directory is made first and goes last. */
static void sweep(const Reconcile *job, int dir_fd) {
        _cleanup_close_ int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_closedir_ DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
        const struct dirent *entry;
        Error error = { 0 };

        if (!dir) {
                log_warn("look for left-over directories: %s", strerror(errno));
                return;
        }
        TAKE_FD(fd);
        while ((entry = readdir(dir))) {
                if (!id_valid(entry->d_name) || is_known(job, entry->d_name))
                        continue;
                log_info("removing what is left of container %s, which the record does not know",
                         entry->d_name);
                if (dir_fd == job->engine->containers_fd)
                        mounts_abandon(job->engine, entry->d_name);
                if (image_release(job->engine->images, entry->d_name, &error) < 0 ||
                    dir_remove_at(dir_fd, entry->d_name, &error) < 0)
                        log_warn("remove '%s': %s", entry->d_name, error.message);
        }
}

/* Of a daemon that does not start: the monitors go on without it. */
static void forget_monitors(Reconcile *job) {
        for (size_t i = 0; i < job->count; i++)
                container_drop_monitor(job->containers[i], true);
}

int engine_reconcile(Engine *engine, Error *err) {
        _cleanup_(reconcile_done) Reconcile job = { .engine = engine };

        int r = networks_check(engine, err);
        if (r == 0)
                r = db_each(engine->db, DB_CONTAINERS, load_row, &job, err);
        if (r < 0)
                return r;
        job.ended = NEW_ARRAY(bool, job.count + 1);
        job.records = NEW_ARRAY(ExitRecord, job.count + 1);
        for (size_t i = 0; i < job.count; i++)
                if (r == 0 && !is_going(job.containers[i]))
                        r = judge(job.containers[i], &job.records[i], &job.ended[i], err);
        if (r == 0)
                r = reconcile_network(&job, err);
        if (r < 0) {
                forget_monitors(&job);
                return r;
        }
        const int64_t dumps_until = clock_monotonic() + DUMPS_TIMEOUT;
        /* Before any of them is found to have ended: others may still use its volumes. */
        for (size_t i = 0; i < job.count; i++)
                if (!is_going(job.containers[i]))
                        mounts_adopt(job.containers[i],
                                     container_is_running(job.containers[i]) && !job.ended[i]);
        volumes_finish_removals(engine, !job.unread && !engine_record_was_restored(engine));
        for (size_t i = 0; i < job.count; i++) {
                Error error = { 0 };
                if (is_going(job.containers[i])) {
                        finish_removal(job.containers[i]);
                        continue;
                }
                hold_again(job.containers[i]);
                checkpoints_sweep(job.containers[i]);
                mounts_change_forget(job.containers[i]);
                if (enlist(job.containers[i], &error) < 0)
                        log_error("container %s: %s", job.containers[i]->id, error.message);
                else
                        settle(job.containers[i], job.ended[i], &job.records[i], dumps_until);
        }
        volumes_settle(engine);
        if (engine_record_was_restored(engine)) {
                log_warn("'" RECORD_NAME ".damaged' is there: containers that the record does not "
                         "know stay; 'brig system check' lists them. Remove that file once nothing "
                         "is missed");
                return 0;
        }
        sweep(&job, engine->containers_fd);
        sweep(&job, engine->run_fd);
        return 0;
}
