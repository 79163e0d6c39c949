/* engine.c: an engine's parts, made in the order of what needs what, and ended in the opposite one.
 */
#include "engine/engine.h"
#include "engine/builder.h"
#include "engine/cgroup.h"
#include "engine/container-health.h"
#include "engine/engine-private.h"
#include "engine/events.h"
#include "engine/execs.h"
#include "engine/image-collect.h"
#include "engine/lifecycle.h"
#include "engine/networks.h"
#include "engine/policies.h"
#include "engine/registry.h"
#include "engine/volumes.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "engine/apparmor.h"
#include "engine/locks.h"
#include "engine/log-driver.h"
#include "engine/room.h"
#include "engine/seccomp-cache.h"
#include "os/cgroup.h"
#include "sql/copy.h"

/* ---- options ---- */

/* As in dockerd, an empty option says nothing. */
static char *given(const char *value) {
        return str_empty(value) ? NULL : str_copy(value);
}

static void bridge_copy(const BridgeOptions *from, BridgeOptions *to) {
        *to = *from;
        to->link = given(from->link);
        to->bip = given(from->bip);
        to->fixed_cidr = given(from->fixed_cidr);
        to->fixed_cidr6 = given(from->fixed_cidr6);
        to->gateway = given(from->gateway);
        to->gateway6 = given(from->gateway6);
        to->host_ip = given(from->host_ip);
        to->mtu = given(from->mtu);
}

static void bridge_done(BridgeOptions *options) {
        free((char *)options->link);
        free((char *)options->bip);
        free((char *)options->fixed_cidr);
        free((char *)options->fixed_cidr6);
        free((char *)options->gateway);
        free((char *)options->gateway6);
        free((char *)options->host_ip);
        free((char *)options->mtu);
}

static void options_copy(const EngineOptions *from, EngineOptions *to) {
        *to = *from;
        to->data_root = str_copy(from->data_root);
        to->exec_root = str_copy(from->exec_root);
        to->monitor_program = str_copy(from->monitor_program);
        to->logger_program = str_copy(from->logger_program);
        to->image_program = str_copy(from->image_program);
        to->init_program = str_copy(from->init_program);
        bridge_copy(&from->bridge, &to->bridge);
        to->pools = (JsonArray){ 0 };
        for (size_t i = 0; i < from->pools.count; i++) {
                AddressPoolSpec *copy = json_append(&to->pools, &address_pool_spec_table);
                json_copy(&address_pool_spec_table, (const AddressPoolSpec *)from->pools.items + i,
                          copy);
        }
        to->cgroup_parent = str_copy(!str_empty(from->cgroup_parent) ? from->cgroup_parent
                                     : from->systemd_cgroup          ? "system.slice"
                                                                     : CGROUP_PARENT);
        to->dns = strv_copy(from->dns);
        to->registry_hosts_dirs = strv_copy(from->registry_hosts_dirs);
        to->settings = (DaemonSettings){ 0 };
        json_copy(&daemon_settings_table, &from->settings, &to->settings);
        to->defaults = (ContainerDefaults){ 0 };
        json_copy(&container_defaults_table, &from->defaults, &to->defaults);
        to->log.type = str_copy(from->log.type);
        to->log.config = (Pairs){ 0 };
        pairs_copy(&to->log.config, &from->log.config);
}

static void options_done(EngineOptions *options) {
        free((char *)options->data_root);
        free((char *)options->exec_root);
        free((char *)options->monitor_program);
        free((char *)options->logger_program);
        free((char *)options->image_program);
        free((char *)options->init_program);
        bridge_done(&options->bridge);
        for (size_t i = 0; i < options->pools.count; i++)
                json_done(&address_pool_spec_table, (AddressPoolSpec *)options->pools.items + i);
        free(options->pools.items);
        free((char *)options->cgroup_parent);
        strv_free(options->dns);
        strv_free(options->registry_hosts_dirs);
        json_done(&daemon_settings_table, &options->settings);
        json_done(&container_defaults_table, &options->defaults);
        free(options->log.type);
        pairs_done(&options->log.config);
}

/* ---- opening ---- */

/* Else each start would fail, with the kernel's words for it. */
static int check_data_root(const Engine *engine, Error *err) {
        struct statfs info;

        if (fstatfs(engine->data_root_fd, &info) < 0)
                return error_set(err, errno, "look at the data root");
        if (info.f_type != OVERLAYFS_SUPER_MAGIC)
                return 0;
        return error_kind(err, ERROR_UNAVAILABLE,
                          "the data root '%s' lies on an overlay, as the root of a container or of "
                          "a live system does, and no overlay can be made of that for containers: "
                          "mount a disk, a volume or a tmpfs there, or have --data-root elsewhere",
                          engine->options.data_root);
}

static int open_directories(Engine *engine, Error *err) {
        const EngineOptions *options = &engine->options;

        int r = dir_open_at(AT_FDCWD, options->data_root, 0710, &engine->data_root_fd, err);
        if (r == 0)
                r = check_data_root(engine, err);
        if (r == 0)
                r = dir_open_at(AT_FDCWD, options->exec_root, 0711, &engine->exec_root_fd, err);
        if (r == 0)
                r = dir_open_at(engine->data_root_fd, "containers", 0710, &engine->containers_fd,
                                err);
        if (r == 0)
                dir_spread(engine->containers_fd);
        if (r == 0)
                r = dir_open_at(engine->exec_root_fd, "containers", 0700, &engine->run_fd, err);
        return r;
}

static void refill(void *engine) {
        room_refill(engine);
}

static int open_images(Engine *engine, Error *err) {
        _cleanup_close_ int root_fd = -1;

        int r = dir_open_at(engine->data_root_fd, "image", 0710, &root_fd, err);
        if (r < 0)
                return r;
        r = image_store_open(root_fd, engine->options.image_program, &engine->images, err);
        if (r == 0)
                image_on_removed(engine->images, refill, engine);
        return r;
}

static char *record_path(const char *data_root) {
        return str_format("%s/" RECORD_NAME, data_root);
}

bool engine_record_was_restored(const Engine *engine) {
        _cleanup_free_ char *path = record_path(engine->options.data_root);

        return sql_was_restored(path);
}

int engine_restore(const char *data_root, char ***ret, Error *err) {
        const char *const names[] = { RECORD_NAME, "image/images.db" };
        int r = 0;

        for (size_t i = 0; r == 0 && i < ELEMENTS(names); i++) {
                _cleanup_free_ char *path = str_format("%s/%s", data_root, names[i]);
                bool restored = false;

                r = sql_restore(path, &restored, err);
                if (restored)
                        strv_add(ret, path);
        }
        return r;
}

static int open_record(Engine *engine, Error *err) {
        _cleanup_free_ char *path = record_path(engine->options.data_root);

        int r = db_open(path, &engine->db, err);
        if (r == 0)
                r = networks_new(engine, &engine->networks, err);
        if (r == 0)
                r = policies_new(engine, &engine->policies, err);
        if (r == 0)
                r = volumes_new(engine, &engine->volumes, err);
        return r;
}

static int set_pools(Engine *engine, Error *err) {
        const AddressPoolSpec *specs = engine->options.pools.items;
        const size_t count = engine->options.pools.count;
        _cleanup_free_ NetPoolSource *sources = NEW_ARRAY(NetPoolSource, count);

        for (size_t i = 0; i < count; i++)
                sources[i] = (NetPoolSource){ specs[i].base, specs[i].size };
        return net_set_pools(engine->net, sources, count, err);
}

static int open_parts(Engine *engine, Error *err) {
        CgroupMode mode;

        engine->removals = removals_new();
        engine->seccomp = seccomp_cache_new(engine->data_root_fd);
        /* Its first call looks, and must come before there are threads. */
        int r = cgroup_mode(&mode, err);
        if (r == 0)
                r = cgroup_check_driver(&engine->options, err);
        if (r == 0)
                r = workers_new(engine->loop, &engine->workers, err);
        if (r == 0)
                r = events_new(engine, &engine->events, err);
        if (r == 0)
                r = execs_new(engine, &engine->execs, err);
        if (r == 0)
                r = probers_new(engine, &engine->probers, err);
        if (r == 0)
                r = net_new(engine->loop, &engine->net, err);
        if (r == 0 && engine->options.no_forwarding)
                net_leave_forwarding(engine->net);
        if (r == 0)
                r = set_pools(engine, err);
        if (r == 0)
                r = policies_start(engine, err);
        return r;
}

int engine_new(Loop *loop, const EngineOptions *options, Engine **ret, Error *err) {
        Engine *engine = NEW(Engine);

        engine->data_root_fd = engine->exec_root_fd = engine->containers_fd = engine->run_fd = -1;
        options_copy(options, &engine->options);
        settings_start(engine);
        engine->loop = loop;
        engine->started = clock_mark();
        pthread_mutex_init(&engine->registry_lock, NULL);
        pthread_mutex_init(&engine->alive_lock, NULL);
        pthread_mutex_init(&engine->room_lock, NULL);
        int r = log_config_check(&engine->options.log, &engine->options.log, err);
        if (r < 0)
                (void)error_prefix(err, "failed to set log opts");
        if (r == 0)
                r = child_reaper_new(loop, &engine->reaper, err);
        if (r == 0)
                r = open_directories(engine, err);
        if (r == 0)
                (void)room_release(engine); /* starting forgets what a killed daemon left */
        if (r == 0)
                r = open_images(engine, err);
        if (r == 0)
                r = builder_new(engine, &engine->builder, err);
        if (r == 0)
                r = open_record(engine, err);
        if (r == 0)
                engine_identify(engine);
        if (r == 0)
                apparmor_start(engine);
        if (r == 0)
                r = open_parts(engine, err);
        if (r == 0)
                r = engine_reconcile(engine, err);
        if (r < 0) {
                engine_free(engine);
                return r;
        }
        room_reserve(engine);
        image_collector_start(engine);
        *ret = engine;
        return 0;
}

/* ---- ending ---- */

/* Connections only: monitors and containers go on. */
static void drop_monitors(Engine *engine) {
        _cleanup_roster_ Roster *containers = containers_all(engine);

        for (size_t i = 0; i < containers->count; i++) {
                CONTAINER_LOCKED(containers->items[i]);
                container_drop_monitor(containers->items[i], true);
        }
}

static void drop_containers(Engine *engine) {
        _cleanup_roster_ Roster *containers = containers_all(engine);

        for (size_t i = 0; i < containers->count; i++)
                registry_drop(engine, containers->items[i]);
}

void engine_hurry(Engine *engine) {
        image_removed_hurry(engine->images);
        builder_hurry(engine->builder);
}

Engine *engine_free(Engine *engine) {
        if (!engine)
                return NULL;
        atomic_store(&engine->stopping, true);
        if (engine->loop)
                restart_timers_drop(engine);
        if (engine->workers)
                workers_stop(engine->workers);
        probers_stop(engine);
        drop_monitors(engine);
        /* What was posted for the loop's thread, which is this one. */
        (void)loop_step(engine->loop, 0, NULL);
        drop_containers(engine);
        engine->workers = workers_free(engine->workers);
        monitor_spawner_end(); /* it would end by itself, but not at once */
        engine->reaper = child_reaper_free(engine->reaper);
        engine->collector = image_collector_free(engine->collector);
        probers_free(engine->probers);
        roster_unref(engine->roster);
        map_done(&engine->by_id, NULL);
        map_done(&engine->by_name, free);
        removals_free(engine->removals);
        net_free(engine->net);
        execs_free(engine->execs);
        events_free(engine->events);
        volumes_free(engine->volumes);
        networks_free(engine->networks);
        policies_done(engine->policies);
        db_close(engine->db);
        builder_free(engine->builder);
        image_store_free(engine->images);
        seccomp_cache_free(engine->seccomp);
        if (engine->options.cgroup_parent && !engine->options.systemd_cgroup)
                (void)cgroup_remove_empty(engine->options.cgroup_parent); /* others may use it */
        close_fd(&engine->run_fd);
        close_fd(&engine->containers_fd);
        close_fd(&engine->exec_root_fd);
        close_fd(&engine->data_root_fd);
        pthread_mutex_destroy(&engine->registry_lock);
        pthread_mutex_destroy(&engine->alive_lock);
        map_done(&engine->alive, NULL);
        pthread_mutex_destroy(&engine->room_lock);
        settings_end(engine);
        options_done(&engine->options);
        free(engine);
        return NULL;
}
