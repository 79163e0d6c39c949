/* daemon-test.c: brigd's options and file, its sockets, locks and notices. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/test.h"
#include "daemon/options.h"
#include "daemon/service.h"
#include "daemon/sockets.h"

static char folder[] = "/tmp/brigd-test.XXXXXX";

static char *in_folder(const char *name) {
        return str_format("%s/%s", folder, name);
}

TEST(setup) {
        ASSERT(mkdtemp(folder));
}

/* Reads flags (a NULL-terminated list) with `file` as daemon.json, or without one. */
static int read_options(const char *const *flags, const char *file, DaemonOptions *ret,
                        Error *err) {
        _cleanup_free_ char *path = in_folder("daemon.json");
        _cleanup_strv_ char **argv = NULL;
        int r;

        strv_add(&argv, "brigd");
        for (size_t i = 0; flags[i]; i++)
                strv_add(&argv, flags[i]);
        r = file_replace_at(AT_FDCWD, path, file, strlen(file), 0600, false, err);
        if (r < 0)
                return r;
        strv_format(&argv, "--config-file=%s", path);
        *ret = (DaemonOptions){ 0 };
        return options_read((int)strv_length(argv), argv, ret, err);
}

#define FLAGS(...) ((const char *[]){ __VA_ARGS__, NULL })
#define NO_FLAGS ((const char *[]){ NULL })

TEST(options_flags) {
        DaemonOptions options;
        Error err = { 0 };

        ASSERT_OK(read_options(FLAGS("-D", "--data-root=/d", "--exec-root", "/e", "-H", "unix:///a",
                                     "-Htcp://127.0.0.1:1", "--log-opt", "max-size=1m", "-l",
                                     "warn", "--debug=false", "-p", "/p"),
                               "{}", &options, &err),
                  &err);
        ASSERT_STR(options.data_root, "/d");
        ASSERT_STR(options.exec_root, "/e");
        ASSERT_STR(options.pidfile, "/p");
        ASSERT_STR(options.hosts[0], "unix:///a");
        ASSERT_STR(options.hosts[1], "tcp://127.0.0.1:1");
        ASSERT_STR(pairs_get(&options.log_opts, "max-size"), "1m");
        ASSERT(!options.settings.debug);
        options_done(&options);
}

TEST(options_file) {
        DaemonOptions options;
        Error err = { 0 };
        LogLevel level;

        ASSERT_OK(read_options(NO_FLAGS,
                               "{\"hosts\":[\"unix:///x\"],\"debug\":true,\"dns\":[\"1.1.1.1\"],"
                               "\"log-opts\":{\"max-file\":\"2\"},\"insecure-registries\":[\"r\"]}",
                               &options, &err),
                  &err);
        ASSERT_STR(options.hosts[0], "unix:///x");
        ASSERT_STR(options.dns[0], "1.1.1.1");
        ASSERT_STR(options.settings.insecure_registries[0], "r");
        ASSERT_STR(options.data_root, "/var/lib/brig");
        ASSERT_OK(options_log_level(&options, &level, &err), &err);
        ASSERT_INT(level, LOG_LEVEL_DEBUG);
        options_done(&options);
        ASSERT_OK(read_options(NO_FLAGS, "", &options, &err), &err);
        ASSERT(!options.build_cache_max);
        ASSERT_STR(options.hosts[0], "unix:///run/brig/brig.sock");
        options_done(&options);
}

TEST(options_of_networks) {
        DaemonOptions options;
        const AddressPoolSpec *pools;
        Error err = { 0 };

        ASSERT_OK(read_options(FLAGS("--icc=false", "--ip-masq", "--mtu", "1400", "--fixed-cidr=c",
                                     "--default-address-pool", "size=24,base=10.10.0.0/16",
                                     "--default-address-pool=base=fd00::/48,size=64"),
                               "{\"ipv6\":true,\"ip\":\"127.0.0.1\"}", &options, &err),
                  &err);
        ASSERT(options.icc && !*options.icc && options.masquerade && *options.masquerade);
        ASSERT(options.mtu && *options.mtu == 1400 && options.ipv6);
        ASSERT_STR(options.host_ip, "127.0.0.1");
        ASSERT_INT(options.address_pools.count, 2);
        pools = options.address_pools.items;
        ASSERT_STR(pools[0].base, "10.10.0.0/16");
        ASSERT_INT(pools[1].size, 64);
        options_done(&options);
        ASSERT_OK(read_options(NO_FLAGS,
                               "{\"icc\":false,\"mtu\":0,\"default-address-pools\":"
                               "[{\"base\":\"10.0.0.0/8\",\"size\":20}]}",
                               &options, &err),
                  &err);
        ASSERT(options.icc && !*options.icc && !options.masquerade);
        ASSERT(options.mtu && *options.mtu == 0);
        ASSERT_INT(((const AddressPoolSpec *)options.address_pools.items)->size, 20);
        options_done(&options);
}

TEST(options_of_the_build_cache) {
        static const struct {
                const char *keep;
                int64_t bytes;
        } cases[] = {
                { "{\"defaultKeepStorage\":\"0\"}", 0 },
                { "{\"defaultKeepStorage\":\"1000\"}", 1000 },
                { "{\"defaultKeepStorage\":\"1.5k\"}", 1536 },
                { "{\"defaultKeepStorage\":\"20GB\",\"enabled\":true}", (int64_t)20 << 30 },
                { "{\"defaultKeepStorage\":\"2MiB\"}", (int64_t)2 << 20 },
                { "{\"defaultKeepStorage\":\"20GB\",\"enabled\":false}", 0 },
                { "{\"enabled\":false}", 0 },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_free_ char *file = str_format("{\"builder\":{\"gc\":%s}}", cases[i].keep);
                DaemonOptions options;
                Error err = { 0 };

                ASSERT_OK(read_options(NO_FLAGS, file, &options, &err), &err);
                bool well = options.build_cache_max && *options.build_cache_max == cases[i].bytes;
                options_done(&options);
                ASSERT(well);
        }
}

TEST(options_of_what_builds_may) {
        DaemonOptions options;
        Error err = { 0 };

        ASSERT_OK(read_options(NO_FLAGS, "{\"builder\":{}}", &options, &err), &err);
        ASSERT(!options.builder.entitlements.insecure &&
               !options.builder.entitlements.host_network);
        options_done(&options);
        ASSERT_OK(read_options(NO_FLAGS,
                               "{\"builder\":{\"gc\":{\"enabled\":true},\"entitlements\":"
                               "{\"network-host\":false,\"security-insecure\":true,"
                               "\"device\":false}}}",
                               &options, &err),
                  &err);
        ASSERT(*options.builder.entitlements.insecure &&
               !*options.builder.entitlements.host_network);
        options_done(&options);
}

TEST(options_of_containers) {
        DaemonOptions options;
        const Ulimit *limits;
        Error err = { 0 };

        ASSERT_OK(read_options(FLAGS("--default-shm-size", "64M", "--default-ulimit",
                                     "nofile=512:1024", "--default-ulimit=core=0", "--init",
                                     "--dns-opt=ndots:1", "--no-new-privileges"),
                               "{\"seccomp-profile\":\"unconfined\","
                               "\"default-ipc-mode\":\"shareable\"}",
                               &options, &err),
                  &err);
        ASSERT_INT(options.defaults.shm_size, 64 << 20);
        ASSERT_INT(options.defaults.ulimits.count, 2);
        limits = options.defaults.ulimits.items;
        ASSERT_STR(limits[0].name, "nofile");
        ASSERT_INT(limits[0].soft, 512);
        ASSERT_INT(limits[0].hard, 1024);
        ASSERT_INT(limits[1].hard, 0);
        ASSERT(options.defaults.init && options.defaults.no_new_privileges);
        ASSERT_STR(options.defaults.dns_options[0], "ndots:1");
        ASSERT_STR(options.defaults.seccomp, "unconfined");
        ASSERT_STR(options.defaults.ipc_mode, "shareable");
        options_done(&options);
        ASSERT_OK(read_options(NO_FLAGS,
                               "{\"default-shm-size\":1024,\"default-ulimits\":"
                               "{\"nofile\":{\"Name\":\"nofile\",\"Soft\":1,\"Hard\":-1}}}",
                               &options, &err),
                  &err);
        limits = options.defaults.ulimits.items;
        ASSERT_INT(options.defaults.shm_size, 1024);
        ASSERT_STR(limits[0].name, "nofile");
        ASSERT_INT(limits[0].hard, -1);
        options_done(&options);
}

TEST(options_that_are_so_anyway) {
        DaemonOptions options;
        Error err = { 0 };

        ASSERT_OK(read_options(FLAGS("--userland-proxy=0", "-s", "overlay2", "--iptables",
                                     "--live-restore", "--feature", "buildkit"),
                               "{\"storage-opts\":[],\"userns-remap\":\"\",\"experimental\":"
                               "false,\"node-generic-resources\":null,\"oom-score-adjust\":0}",
                               &options, &err),
                  &err);
        ASSERT(json_object_get_boolean(json_member(options.settings.features, "buildkit")));
        options_done(&options);
}

TEST(options_read_again) {
        DaemonOptions running, fresh;
        char **names;
        Error err = { 0 };

        ASSERT_OK(read_options(FLAGS("--label=a=b"), "{\"mtu\":1400}", &running, &err), &err);
        ASSERT_OK(read_options(FLAGS("--label=a=b"), "{\"mtu\":1300,\"debug\":true,\"icc\":false}",
                               &fresh, &err),
                  &err);
        names = options_need_restart(&running, &fresh);
        ASSERT_INT(strv_length(names), 2);
        ASSERT(strv_has(names, "mtu") && strv_has(names, "icc"));
        strv_free(names);
        /* What is no longer said is another value, too. */
        names = options_need_restart(&fresh, &running);
        ASSERT_INT(strv_length(names), 2);
        ASSERT(strv_has(names, "mtu") && strv_has(names, "icc"));
        strv_free(names);
        ASSERT(!options_need_restart(&fresh, &fresh));
        options_done(&running);
        options_done(&fresh);
}

TEST(options_runtimes) {
        DaemonOptions options;
        const RuntimeSpec *runtime;
        Error err = { 0 };

        ASSERT_OK(read_options(FLAGS("--default-runtime", "crun"),
                               "{\"runtimes\":{\"crun\":{\"path\":\"/usr/bin/crun\","
                               "\"runtimeArgs\":[\"--debug\"]}}}",
                               &options, &err),
                  &err);
        runtime = settings_runtime(&options.settings, "crun");
        ASSERT(runtime);
        ASSERT_STR(runtime->path, "/usr/bin/crun");
        ASSERT_STR(runtime->arguments[0], "--debug");
        ASSERT(!settings_runtime(&options.settings, "runc") && runtime_is_own("runc"));
        options_done(&options);
}

TEST(options_refused) {
        static const struct {
                const char *flag, *file, *words;
        } cases[] = {
                { "--nonsense", "{}", "unknown flag: --nonsense" },
                { "-x", "{}", "unknown flag: -x" },
                { "word", "{}", "accepts no arguments, but was given 'word'" },
                { "--log-opt=x", "{}", "give KEY=VALUE" },
                { "--debug=perhaps", "{}", "give true or false" },
                { "--log-level=loud", "{}", "log-level 'loud' is none of" },
                { "--data-root=d", "{}", "must be absolute paths" },
                { "-D", "{\"live-restored\":true}",
                  "don't match any configuration option: "
                  "live-restored" },
                { "-D", "{\"live-restore\":false}", "containers always outlive brigd" },
                { "-D", "{\"live-restore\":\"true\"}", "live-restore: must be true or false" },
                { "--live-restore", "{\"live-restore\":true}", "both as a flag and" },
                { "--iptables=false", "{}", "iptables 'false' is not supported" },
                { "-sbtrfs", "{}", "storage-driver 'btrfs' is not supported" },
                { "-D", "{\"authorization-plugins\":[\"x\"]}", "authorization-plugins" },
                { "--label=x", "{}", "bad attribute format: x" },
                { "--label=a=1", "{\"labels\":[]}", "both as a flag and" },
                { "-D", "{\"labels\":[\"a=1\",\"a=2\"]}", "conflict labels for a=1 and a=2" },
                { "--max-concurrent-downloads=0", "{}", "invalid max-concurrent-downloads: 0" },
                { "-D", "{\"max-download-attempts\":-1}", "invalid max-download-attempts: -1" },
                { "--default-shm-size=x", "{}", "invalid default-shm-size 'x'" },
                { "--default-ulimit=nofile", "{}", "give NAME=SOFT[:HARD]" },
                { "--default-ulimit=nofile=2:1", "{}", "soft limit must be less than" },
                { "--default-ipc-mode=host", "{}", "IPC mode 'host' is not supported" },
                { "--default-cgroupns-mode=x", "{}", "invalid default-cgroupns-mode 'x'" },
                { "--default-runtime=crun", "{}", "default runtime 'crun' does not exist" },
                { "--add-runtime=runc=/x", "{}", "runtime name 'runc' is reserved" },
                { "--add-runtime=crun", "{}", "give NAME=PATH" },
                { "-D", "{\"runtimes\":{\"x\":{\"runtimeType\":\"io.x\"}}}", "give a path" },
                { "--exec-opt=native.cgroupdriver=x", "{}", "or native.cgroupdriver=systemd" },
                { "--exec-opt=native.cgroupdriver=systemd", "{\"cgroup-parent\":\"/x\"}",
                  "should be a valid slice" },
                { "--exec-opt=x", "{}", "invalid exec-opts 'x'" },
                { "--seccomp-profile=/none", "{}", "opening seccomp profile (/none) failed" },
                { "--feature=cdi", "{}", "feature cdi is not supported" },
                { "--feature=x", "{}", "unknown feature 'x'" },
                { "-D", "{\"features\":{\"containerd-snapshotter\":true}}",
                  "feature containerd-snapshotter is not supported: images are in brig's own "
                  "store" },
                { "-D", "{\"features\":{\"nonsense\":true}}", "unknown feature 'nonsense'" },
                { "-D", "{\"features\":{\"buildkit\":1}}", "features.buildkit: must be" },
                { "--dns=x", "{}", "dns 'x' is no IP address" },
                { "--host-gateway-ip=x", "{}", "host-gateway-ips 'x' is no IP address" },
                { "--registry-mirror=x", "{}", "'x' is no URL" },
                { "--init-path=x", "{}", "init-path 'x' must be absolute" },
                { "--tlsverify", "{}", "tlscert '/etc/brig/cert.pem': No such file" },
                { "--tls=false", "{\"tls\":true}", "both as a flag and" },
                { "--mtu=-1", "{}", "invalid mtu: -1" },
                { "-D", "{\"proxies\":{\"http-proxy\":1}}", "http-proxy" },
                { "--debug=false", "{\"debug\":true}",
                  "both as a flag and in the configuration file: debug" },
                { "-D", "{\"debug\":false}",
                  "both as a flag and in the configuration file: debug" },
                { "-D", "{\"hosts\":\"x\"}", "hosts" },
                { "--builder-keep-storage=much", "{}", "invalid size of the build cache" },
                { "--builder-keep-storage=1x", "{}", "invalid size of the build cache" },
                { "--builder-keep-storage=1g", "{\"builder\":{}}", "both as a flag and" },
                { "--image-gc-max-size=much", "{}", "invalid image-gc.max-size \"much\"" },
                { "--image-gc-unused-for=30d", "{}", "invalid image-gc.unused-for \"30d\"" },
                { "-D", "{\"image-gc\":{\"min-age\":\"-1s\"}}",
                  "invalid image-gc.min-age \"-1s\"" },
                { "-D", "{\"image-gc\":{\"max\":\"1GB\"}}",
                  "don't match any configuration option: image-gc.max" },
                { "--image-gc-max-size=1g", "{\"image-gc\":{}}", "both as a flag and" },
                { "-D", "{\"builder\":{\"gc\":{\"policy\":[]}}}", "policy is not done" },
                { "-D", "{\"builder\":{\"entitlements\":{\"device\":true}}}",
                  "builder.entitlements.device is not done" },
                { "-D", "{\"builder\":{\"entitlements\":{\"security-insecure\":\"yes\"}}}",
                  "security-insecure" },
                { "--mtu=much", "{}", "give a whole number" },
                { "--icc=perhaps", "{}", "give true or false" },
                { "--icc", "{\"icc\":true}", "both as a flag and" },
                { "--default-address-pool=base=10.0.0.0/8", "{}", "give base=10.10.0.0/16" },
                { "--default-address-pool=base=10.0.0.0/8,size=x", "{}", "give base=10.10.0.0/16" },
                { "--default-address-pool=base=10.0.0.0/8,size=24",
                  "{\"default-address-pools\":[]}", "both as a flag and" },
                { "-D", "[]", "must be an object" },
                { "-D", "{", "invalid JSON" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                DaemonOptions options;
                Error err = { 0 };

                ASSERT(read_options(FLAGS(cases[i].flag), cases[i].file, &options, &err) < 0);
                if (!strstr(err.message, cases[i].words))
                        printf("# %s\n", err.message);
                ASSERT(strstr(err.message, cases[i].words));
                ASSERT_INT(err.kind, ERROR_INVALID);
                options_done(&options);
        }
}

TEST(sockets_refused) {
        static const struct {
                const char *address, *words;
        } cases[] = {
                { "tcp://0.0.0.0:2375", "ask for clients' certificates" },
                { "tcp://:99999", "give an address and a port" },
                { "tcp://example.org:2375", "ask for clients' certificates" },
                { "tcp://[::]:2375", "ask for clients' certificates" },
                { "unix://@abstract", "the path must be absolute" },
                { "unix://relative", "the path must be absolute" },
                { "fd://", "no socket was passed" },
                { "npipe://x", "give unix://PATH" },
                { "unix:///tmp", "is no socket" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                Sockets sockets = { 0 };
                Error err = { 0 };

                ASSERT(sockets_open(&sockets, cases[i].address, NULL, &err) < 0);
                if (!strstr(err.message, cases[i].words))
                        printf("# %s\n", err.message);
                ASSERT(strstr(err.message, cases[i].words));
                sockets_done(&sockets);
        }
}

TEST(sockets_stale) {
        _cleanup_free_ char *path = in_folder("sub/x.sock");
        _cleanup_free_ char *address = str_format("unix://%s", path);
        Sockets first = { 0 }, second = { 0 };
        struct stat st;
        Error err = { 0 };

        ASSERT_OK(sockets_open(&first, address, NULL, &err), &err);
        ASSERT(stat(path, &st) == 0);
        ASSERT_INT(st.st_mode & 0777, 0660);
        ASSERT(sockets_open(&second, address, NULL, &err) < 0);
        ASSERT_INT(err.kind, ERROR_CONFLICT);
        ASSERT(strstr(err.message, "another daemon answers"));
        close_fd(&first.items[0]->fd); /* as if it had been killed */
        ASSERT_OK(sockets_open(&second, address, NULL, &err), &err);
        sockets_done(&second);
        ASSERT(stat(path, &st) < 0);
        sockets_done(&first);
}

static void answer(void *data, HttpExchange *exchange) {
        http_answer(exchange, 200, "text/plain", "yes", 3);
}

TEST(sockets_served) {
        _cleanup_free_ char *path = in_folder("y.sock");
        _cleanup_free_ char *host = str_format("unix://%s", path);
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        HttpServerOptions options = { .handler = answer };
        Sockets sockets = { 0 };
        HttpServer *server = NULL;
        Loop *loop = NULL;
        _cleanup_buf_ Buf text = { 0 };
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        Error err = { 0 };

        memcpy(address.sun_path, path, strlen(path));
        ASSERT_OK(loop_new(&loop, &err), &err);
        ASSERT_OK(http_server_new(loop, &options, &server, &err), &err);
        ASSERT_OK(sockets_open(&sockets, host, NULL, &err), &err);
        ASSERT_OK(sockets_serve(&sockets, server, &err), &err);
        ASSERT(connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0);
        ASSERT_INT(fd_write_full(fd, "GET / HTTP/1.0\r\n\r\n", 18), 0);
        ASSERT_OK(loop_step(loop, 10000, &err), &err);
        ASSERT_INT(fd_read_all(fd, 10000, &text), 0);
        ASSERT(str_ends(text.data, "yes"));
        ASSERT(http_server_stop(server, 20 * NSEC_PER_SEC));
        server = http_server_free(server);
        loop = loop_free(loop);
        sockets_done(&sockets);
}

TEST(a_root_is_closed_to_others) {
        static const struct {
                mode_t before, after;
        } cases[] = { { 0755, 0710 }, { 0700, 0700 }, { 0710, 0710 }, { 01777, 01777 } };
        _cleanup_free_ char *root = in_folder("open");
        Error err = {};

        ASSERT_INT(mkdir(root, 0700), 0);
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct stat st;

                ASSERT_INT(chmod(root, cases[i].before), 0);
                ASSERT_OK(service_close_root(root, 0710, &err), &err);
                ASSERT_INT(stat(root, &st), 0);
                ASSERT_INT(st.st_mode & ALLPERMS, cases[i].after);
        }
}

TEST(locks) {
        _cleanup_free_ char *root = in_folder("root");
        _cleanup_free_ char *pidfile = in_folder("pid");
        _cleanup_free_ char *expected = str_format("process %d", (int)getpid());
        _cleanup_free_ char *text = NULL;
        int first = -1, second = -1;
        size_t length;
        Error err = { 0 };

        ASSERT_OK(service_lock_root(root, 0710, &first, &err), &err);
        ASSERT(service_lock_root(root, 0710, &second, &err) < 0);
        ASSERT_INT(err.kind, ERROR_CONFLICT);
        ASSERT(strstr(err.message, expected));
        close_fd(&first);
        ASSERT_OK(service_lock_root(root, 0710, &second, &err), &err);
        close_fd(&second);
        ASSERT_OK(service_write_pid(pidfile, &first, &err), &err);
        ASSERT(service_write_pid(pidfile, &second, &err) < 0);
        ASSERT_OK(file_read_at(AT_FDCWD, pidfile, 100, &text, &length, &err), &err);
        ASSERT_INT(strtol(text, NULL, 10), getpid());
        service_remove_pid(pidfile, &first);
        ASSERT(access(pidfile, F_OK) < 0);
}

/* What a killed daemon was starting has its descriptors for a moment yet. */
TEST(lock_of_one_that_was_killed) {
        _cleanup_free_ char *root = in_folder("left");
        int fd, status;
        Error err = { 0 };
        pid_t pid = fork();

        if (pid == 0) {
                if (service_lock_root(root, 0710, &fd, &err) == 0 && fork() == 0)
                        (void)poll(NULL, 0, 100); /* holds it so long */
                _exit(0);
        }
        ASSERT(waitpid(pid, &status, 0) == pid);
        ASSERT_OK(service_lock_root(root, 0710, &fd, &err), &err);
        close_fd(&fd);
}

TEST(notify) {
        _cleanup_free_ char *path = in_folder("notify");
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        char text[32] = "";

        memcpy(address.sun_path, path, strlen(path));
        ASSERT(bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0);
        ASSERT(setenv("NOTIFY_SOCKET", path, 1) == 0);
        service_notify("READY=1");
        ASSERT_INT(recv(fd, text, sizeof(text) - 1, 0), 7);
        ASSERT_STR(text, "READY=1");
        ASSERT(unsetenv("NOTIFY_SOCKET") == 0);
        service_notify("READY=1"); /* nobody to tell */
}

TEST(teardown) {
        Error err = { 0 };

        ASSERT_OK(dir_remove_at(AT_FDCWD, folder, &err), &err);
}

TEST_MAIN()
