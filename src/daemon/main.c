/* main.c: brigd. Puts the pieces together in order (settings, locks, sockets, engine, API), runs
 * the event loop, and takes them down again. Containers go on without it. */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>

#include "api/api.h"
#include "base/bug.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "daemon/options.h"
#include "daemon/remap.h"
#include "daemon/service.h"
#include "daemon/sockets.h"
#include "daemon/tls.h"
#include "runtime/seccomp.h"

#define STOP_GRACE (10 * NSEC_PER_SEC)

typedef struct Daemon {
        DaemonOptions options;
        int argc;
        char **argv;
        char *monitor_program, *logger_program, *image_program, *init_program, *tls_program;
        int data_lock, exec_lock, pid_fd, signal_fd;
        int64_t stop_grace; /* for calls that are under way at SIGTERM */
        Sockets sockets;
        Remap remap;
        Loop *loop;
        Engine *engine;
        Api *api;
        HttpServer *server;
        TlsServer *tls;
} Daemon;

/* ---- the process ---- */

static int block_signals(Daemon *daemon, Error *err) {
        sigset_t set;

        (void)sigemptyset(&set);
        (void)sigaddset(&set, SIGTERM);
        (void)sigaddset(&set, SIGINT);
        (void)sigaddset(&set, SIGHUP);
        /* Before any thread is there: each of them inherits it. */
        if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
                return error_set(err, errno, "sigprocmask");
        (void)signal(SIGPIPE, SIG_IGN);
        (void)signal(SIGCHLD,
                     SIG_DFL); /* ignored, as a parent may have it, no child can be waited for */
        daemon->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        return daemon->signal_fd < 0 ? error_set(err, errno, "signalfd") : 0;
}

/* Helpers get them from there. */
static int set_proxies(Daemon *daemon, Error *err) {
        const ProxySettings *proxies = &daemon->options.proxies;
        const struct {
                const char *names[2], *value;
        } rows[] = {
                { { "HTTP_PROXY", "http_proxy" }, proxies->http },
                { { "HTTPS_PROXY", "https_proxy" }, proxies->https },
                { { "NO_PROXY", "no_proxy" }, proxies->none },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++)
                for (size_t k = 0; rows[i].value && k < ELEMENTS(rows[i].names); k++)
                        if (setenv(rows[i].names[k], rows[i].value, 1) < 0)
                                return error_set(err, errno, "setenv");
        return 0;
}

/* A connection, a monitor, a pidfd each take a descriptor. */
static void raise_limits(void) {
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
                return;
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
                log_warn("raise the number of descriptors: %s", strerror(errno));
}

/* Many short threads: by default each could leave an arena of its own behind. */
static void limit_memory(void) {
        (void)mallopt(M_ARENA_MAX, 2);
        (void)mallopt(M_TRIM_THRESHOLD, 256 * 1024);
        (void)mallopt(M_MXFAST, 0); /* else each larger piece first sweeps the small free ones */
}

static void trim_memory(void *data) {
        (void)data;
        (void)malloc_trim(0);
}

/* ---- signals ---- */

static int64_t grace_of(const DaemonSettings *settings) {
        return settings->shutdown_timeout ? *settings->shutdown_timeout * NSEC_PER_SEC : STOP_GRACE;
}

/* All of it or nothing. */
static void reload(Daemon *daemon) {
        DaemonOptions fresh = { 0 };
        _cleanup_strv_ char **others = NULL;
        _cleanup_free_ char *names = NULL;
        Error err = { 0 };
        LogLevel level;

        if (options_read(daemon->argc, daemon->argv, &fresh, &err) < 0 ||
            options_log_level(&fresh, &level, &err) < 0 || failpoint("reload.settings", &err) < 0) {
                log_error("the settings were not read again, nothing changes: %s", err.message);
                options_done(&fresh);
                return;
        }
        log_set_level(level);
        daemon->stop_grace = grace_of(&fresh.settings);
        if (daemon->engine)
                engine_reload(daemon->engine, &fresh.settings);
        others = options_need_restart(&daemon->options, &fresh);
        names = others ? strv_join(others, ", ") : NULL;
        log_info("the settings were read again%s%s", names ? "; a restart is needed for: " : "",
                 names ?: "");
        options_done(&fresh);
}

static void on_signal(void *data, int fd, uint32_t events) {
        Daemon *daemon = data;
        struct signalfd_siginfo info;

        (void)events;
        while (read(fd, &info, sizeof(info)) == sizeof(info)) {
                if (info.ssi_signo == SIGHUP) {
                        reload(daemon);
                        continue;
                }
                log_info("signal %u: stopping; containers go on", info.ssi_signo);
                loop_stop(daemon->loop);
        }
}

/* ---- up ---- */

static int find_programs(Daemon *daemon, Error *err) {
        int r = service_find_program("brig-monitor", "monitor", &daemon->monitor_program, err);

        if (r >= 0)
                r = service_find_program("brig-logger", "logger", &daemon->logger_program, err);
        if (r >= 0)
                r = service_find_program("brig-image", "image", &daemon->image_program, err);
        if (r >= 0 && options_tls(&daemon->options))
                r = service_find_program("brig-tls", "tls", &daemon->tls_program, err);
        if (r >= 0 && daemon->options.init_path)
                daemon->init_program = str_copy(daemon->options.init_path);
        else if (r >= 0)
                r = service_find_program("brig-init", "init", &daemon->init_program, err);
        return r;
}

static int take_roots(Daemon *daemon, Error *err) {
        const DaemonOptions *options = &daemon->options;
        int r = service_lock_root(options->data_root, 0710, &daemon->data_lock, err);

        if (r >= 0)
                r = service_close_root(options->data_root, 0710, err);
        /* The default socket lives below exec-root, and the group must reach it. */
        if (r >= 0)
                r = service_lock_root(options->exec_root, 0711, &daemon->exec_lock, err);
        if (r >= 0)
                r = service_write_pid(options->pidfile, &daemon->pid_fd, err);
        return r;
}

static int open_sockets(Daemon *daemon, Error *err) {
        daemon->sockets.tls = options_tls(&daemon->options);
        daemon->sockets.verify = options_tls_verify(&daemon->options);
        for (size_t i = 0; i < strv_length(daemon->options.hosts); i++) {
                int r = sockets_open(&daemon->sockets, daemon->options.hosts[i],
                                     daemon->options.group, err);

                if (r < 0)
                        return r;
        }
        return 0;
}

static int remap_users(Daemon *daemon, Error *err) {
        const DaemonOptions *options = &daemon->options;
        int r;

        if (str_empty(options->userns_remap))
                return 0;
        r = remap_resolve(options->userns_remap, &daemon->remap, err);
        return r < 0 ? r : remap_check(&daemon->remap, options->data_root, err);
}

static int start_engine(Daemon *daemon, Error *err) {
        const DaemonOptions *options = &daemon->options;
        const BuilderEntitlements *entitlements = &options->builder.entitlements;
        const Remap *remap = &daemon->remap;
        _cleanup_free_ char *mtu =
                options->mtu ? str_format("%lld", (long long)*options->mtu) : NULL;
        EngineOptions engine = {
                .data_root = options->data_root,
                .exec_root = options->exec_root,
                .monitor_program = daemon->monitor_program,
                .logger_program = daemon->logger_program,
                .image_program = daemon->image_program,
                .init_program = daemon->init_program,
                .bridge = { .link = options->bridge,
                            .bip = options->bip,
                            .fixed_cidr = options->fixed_cidr,
                            .fixed_cidr6 = options->fixed_cidr6,
                            .gateway = options->gateway,
                            .gateway6 = options->gateway6,
                            .host_ip = options->host_ip,
                            .mtu = mtu,
                            .ipv6 = options->ipv6,
                            .no_icc = options->icc && !*options->icc,
                            .no_masquerade = options->masquerade && !*options->masquerade },
                .pools = options->address_pools,
                .cgroup_parent = options->cgroup_parent,
                .systemd_cgroup = options_systemd_cgroup(options),
                .dns = options->dns,
                .registry_hosts_dirs = options->registry_hosts_dirs,
                .settings = options->settings,
                .defaults = options->defaults,
                .remap = { remap->uids, remap->gids, remap->uid_count, remap->gid_count },
                .no_forwarding = options->ip_forward && !*options->ip_forward,
                .log = { options->log_driver, options->log_opts },
                .build_cache_max = options->build_cache_max,
                .build_insecure = entitlements->insecure && *entitlements->insecure,
                .build_no_host_network = entitlements->host_network && !*entitlements->host_network,
        };

        return engine_new(daemon->loop, &engine, &daemon->engine, err);
}

static int start_server(Daemon *daemon, Error *err) {
        HttpServerOptions options = { .handler = api_handle, .on_idle = trim_memory };
        int r;

        daemon->api = api_new(daemon->engine);
        options.data = daemon->api;
        r = http_server_new(daemon->loop, &options, &daemon->server, err);
        if (r == 0)
                r = sockets_serve(&daemon->sockets, daemon->server, err);
        if (r == 0 && daemon->tls_program)
                r = tls_server_new(daemon->loop, daemon->tls_program, &daemon->options.tls,
                                   &daemon->sockets, daemon->server, &daemon->tls, err);
        return r;
}

typedef struct Step {
        const char *name;
        int (*run)(Daemon *daemon, Error *err);
} Step;

static int make_loop(Daemon *daemon, Error *err) {
        int r = loop_new(&daemon->loop, err);

        return r < 0 ? r
                     : loop_add_fd(daemon->loop, daemon->signal_fd, EPOLLIN, on_signal, daemon,
                                   NULL, err);
}

static const Step start_steps[] = {
        { "block signals", block_signals }, { "set proxies", set_proxies },
        { "find programs", find_programs }, { "take roots", take_roots },
        { "remap users", remap_users },     { "open sockets", open_sockets },
        { "make loop", make_loop },         { "start engine", start_engine },
        { "start server", start_server },
};

/* What --restore does, in the place of all else. */
static int restore(Daemon *daemon, Error *err) {
        _cleanup_strv_ char **restored = NULL;
        int r = service_lock_root(daemon->options.data_root, 0710, &daemon->data_lock, err);

        if (r >= 0)
                r = engine_restore(daemon->options.data_root, &restored, err);
        for (char *const *path = restored; path && *path; path++)
                printf("'%s' is the copy now; '%s.damaged' is what was there, empty if that was "
                       "gone. "
                       "Start brigd, see what 'brig system check' finds, and remove that file once "
                       "nothing is missed\n",
                       *path, *path);
        if (r >= 0 && !restored)
                printf("nothing is damaged\n");
        return r;
}

static int run(Daemon *daemon, Error *err) {
        for (size_t i = 0; i < ELEMENTS(start_steps); i++) {
                int r = start_steps[i].run(daemon, err);

                if (r < 0)
                        return r;
                log_debug("start: %s: done", start_steps[i].name);
        }
        (void)malloc_trim(0);
        service_notify("READY=1");
        log_info("brigd %s is ready, API %s", BRIG_VERSION, API_VERSION);
        return loop_run(daemon->loop, err);
}

/* ---- down ---- */

/* Where calls are still under way, the process ends under them, as if it had been killed: the next
 * brigd finds everything on record. */
static void take_down(Daemon *daemon) {
        service_notify("STOPPING=1");
        daemon->tls = tls_server_free(daemon->tls);
        if (daemon->engine)
                engine_hurry(daemon->engine);
        if (daemon->server && !http_server_stop(daemon->server, daemon->stop_grace)) {
                log_warn("some requests did not end in time and are cut off");
                sockets_done(&daemon->sockets);
                service_remove_pid(daemon->options.pidfile, &daemon->pid_fd);
                _exit(0);
        }
        daemon->server = http_server_free(daemon->server);
        daemon->api = api_free(daemon->api);
        daemon->engine = engine_free(daemon->engine);
        daemon->loop = loop_free(daemon->loop);
        remap_done(&daemon->remap);
        sockets_done(&daemon->sockets);
        service_remove_pid(daemon->options.pidfile, &daemon->pid_fd);
        close_fd(&daemon->exec_lock);
        close_fd(&daemon->data_lock);
        close_fd(&daemon->signal_fd);
        free(daemon->monitor_program);
        free(daemon->logger_program);
        free(daemon->image_program);
        free(daemon->init_program);
        free(daemon->tls_program);
        options_done(&daemon->options);
}

int main(int argc, char **argv) {
        Daemon daemon = { .argc = argc,
                          .argv = argv,
                          .data_lock = -1,
                          .exec_lock = -1,
                          .pid_fd = -1,
                          .signal_fd = -1 };
        Error err = { 0 };
        LogLevel level;
        int r;

        if (seccomp_compiler_is_meant(argv))
                return seccomp_compiler_run();
        r = options_read(argc, argv, &daemon.options, &err);
        if (r < 0) {
                (void)fprintf(stderr, "brigd: %s\n", err.message);
                options_done(&daemon.options);
                return 125;
        }
        if (daemon.options.help || daemon.options.version) {
                if (daemon.options.help)
                        options_print_help();
                else
                        printf("brigd version %s%s%s\n", BRIG_VERSION, FAILPOINTS_MARK, BUGS_MARK);
                options_done(&daemon.options);
                return 0;
        }
        if (daemon.options.validate) {
                (void)fprintf(stderr, "configuration OK\n");
                options_done(&daemon.options);
                return 0;
        }
        daemon.stop_grace = grace_of(&daemon.options.settings);
        if (options_log_level(&daemon.options, &level, &err) >= 0)
                log_set_level(level);
        (void)umask(0022);
        limit_memory();
        raise_limits();
        r = daemon.options.restore ? restore(&daemon, &err) : run(&daemon, &err);
        if (r < 0)
                log_error("%s", err.message);
        take_down(&daemon);
        return r < 0 ? 1 : 0;
}
