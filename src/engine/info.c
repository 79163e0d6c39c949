/* info.c: what the daemon says of itself and its host, in the members of Docker's info. */
#include <dirent.h>
#include <fcntl.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "engine/documents.h"
#include "engine/engine-private.h"
#include "engine/ocispec.h"
#include "engine/registry.h"
#include "os/cgroup.h"

#define FILE_MAX_SIZE 65536

/* ---- containers and images ---- */

static void put_counts(json_object *object, Engine *engine) {
        Image *images = NULL;
        size_t image_count = 0;
        int64_t running = 0, paused = 0;

        _cleanup_roster_ Roster *containers = containers_all(engine);
        for (size_t i = 0; i < containers->count; i++) {
                _cleanup_snapshot_ ContainerSnapshot *snapshot =
                        container_snapshot(containers->items[i]);

                running += snapshot->state.status == CONTAINER_RUNNING ||
                           snapshot->state.status == CONTAINER_RESTARTING;
                paused += snapshot->state.status == CONTAINER_PAUSED;
        }
        json_put_int(object, "Containers", (int64_t)containers->count);
        json_put_int(object, "ContainersRunning", running);
        json_put_int(object, "ContainersPaused", paused);
        json_put_int(object, "ContainersStopped", (int64_t)containers->count - running - paused);
        if (image_list(engine->images, &images, &image_count, NULL) == 0)
                for (size_t i = 0; i < image_count; i++)
                        image_done(&images[i]);
        free(images);
        json_put_int(object, "Images", (int64_t)image_count);
}

/* ---- lists ---- */

static json_object *words(const char *const *list, size_t count) {
        json_object *array = json_object_new_array();

        for (size_t i = 0; i < count; i++)
                (void)json_object_array_add(array, json_object_new_string(list[i]));
        return array;
}

#define WORDS(...)                                                                                 \
        words((const char *const[]){ __VA_ARGS__ },                                                \
              ELEMENTS(((const char *const[]){ __VA_ARGS__ })))

static json_object *pair(const char *name, const char *value) {
        json_object *array = json_object_new_array();

        (void)json_object_array_add(array, json_object_new_string(name));
        (void)json_object_array_add(array, json_object_new_string(value));
        return array;
}

static void put_driver(json_object *object) {
        json_object *status = json_object_new_array();

        json_put_text(object, "Driver", "overlay2");
        (void)json_object_array_add(status, pair("Supports d_type", "true"));
        (void)json_object_array_add(status, pair("Native Overlay Diff", "true"));
        json_put(object, "DriverStatus", status);
}

static void put_plugins(json_object *object) {
        json_object *plugins = json_object_new_object();

        json_put(plugins, "Volume", WORDS("local"));
        json_put(plugins, "Network", WORDS("bridge", "host", "ipvlan", "macvlan", "null"));
        json_put(plugins, "Authorization", NULL);
        json_put(plugins, "Log", WORDS("journald", "json-file", "local", "syslog"));
        json_put(object, "Plugins", plugins);
}

/* ---- the host ---- */

static bool sysctl_is(const char *path, const char *wanted) {
        _cleanup_free_ char *text = NULL;
        size_t length;

        return file_read_at(AT_FDCWD, path, FILE_MAX_SIZE, &text, &length, NULL) == 0 &&
               str_equal(str_trim(text), wanted);
}

/* PRETTY_NAME of os-release(5); the caller's. */
static char *os_name(const char *field) {
        _cleanup_free_ char *text = NULL;
        size_t length;

        if (file_read_at(AT_FDCWD, "/etc/os-release", FILE_MAX_SIZE, &text, &length, NULL) < 0)
                return str_copy("Linux");
        _cleanup_strv_ char **lines = str_split(text, '\n');
        for (char **line = lines; line && *line; line++) {
                const char *value = str_after(*line, field);

                if (!value || *value != '=')
                        continue;
                value++;
                size_t quoted = strlen(value);
                if (quoted >= 2 && value[0] == '"')
                        return str_copy_n(value + 1, quoted - 2);
                return str_copy(value);
        }
        return str_copy("");
}

static void put_cgroups(const Engine *engine, json_object *object) {
        CgroupMode mode = CGROUP_V1;

        (void)cgroup_mode(&mode, NULL);
        json_put_text(object, "CgroupDriver",
                      engine->options.systemd_cgroup ? "systemd" : "cgroupfs");
        json_put_text(object, "CgroupVersion", mode == CGROUP_V2 ? "2" : "1");
        json_put_bool(object, "MemoryLimit", true);
        json_put_bool(object, "SwapLimit", true);
        json_put_bool(object, "CpuCfsPeriod", true);
        json_put_bool(object, "CpuCfsQuota", true);
        json_put_bool(object, "CPUShares", true);
        json_put_bool(object, "CPUSet", true);
        json_put_bool(object, "PidsLimit", true);
        json_put_bool(object, "OomKillDisable", mode != CGROUP_V2);
}

static void put_host(json_object *object) {
        struct utsname host = { 0 };
        struct sysinfo memory = { 0 };
        _cleanup_free_ char *name = os_name("PRETTY_NAME"), *version = os_name("VERSION_ID");

        (void)uname(&host);
        (void)sysinfo(&memory);
        json_put_bool(object, "IPv4Forwarding", sysctl_is("/proc/sys/net/ipv4/ip_forward", "1"));
        json_put_text(object, "KernelVersion", host.release);
        json_put_text(object, "OperatingSystem", name);
        json_put_text(object, "OSVersion", version);
        json_put_text(object, "OSType", "linux");
        json_put_text(object, "Architecture", host.machine);
        json_put_int(object, "NCPU", sysconf(_SC_NPROCESSORS_ONLN));
        json_put_int(object, "MemTotal", (int64_t)memory.totalram * memory.mem_unit);
        json_put_text(object, "Name", host.nodename);
}

/* ---- the daemon ---- */

static void put_registry(json_object *object, const RegistryOptions *options) {
        json_object *registry = json_object_new_object(), *networks = json_object_new_array();
        json_object *mirrors = json_object_new_array(), *indexes = json_object_new_object();

        (void)json_object_array_add(networks, json_object_new_string("127.0.0.0/8"));
        for (char **host = options->insecure; host && *host; host++)
                (void)json_object_array_add(networks, json_object_new_string(*host));
        for (char **url = options->mirrors; url && *url; url++)
                (void)json_object_array_add(mirrors, json_object_new_string(*url));
        json_put(registry, "InsecureRegistryCIDRs", networks);
        json_put(registry, "IndexConfigs", indexes);
        json_put(registry, "Mirrors", mirrors);
        json_put(object, "RegistryConfig", registry);
        json_put_text(object, "IndexServerAddress", "https://index.docker.io/v1/");
}

static void put_pools(json_object *object, const JsonArray *pools) {
        json_object *array = json_object_new_array();

        for (size_t i = 0; i < pools->count; i++)
                (void)json_object_array_add(array,
                                            json_write(&address_pool_spec_table,
                                                       (const AddressPoolSpec *)pools->items + i));
        json_put(object, "DefaultAddressPools", array);
}

static void put_runtimes(json_object *object, const DaemonSettings *settings) {
        json_object *runtimes = json_object_new_object(), *runc = json_object_new_object();
        const RuntimeSpec *others = settings->runtimes.items;

        json_put_text(runc, "path", "brig-runtime");
        json_put(runtimes, "runc", runc);
        for (size_t i = 0; i < settings->runtimes.count; i++)
                json_put(runtimes, others[i].name, json_write(&runtime_spec_table, &others[i]));
        json_put(object, "Runtimes", runtimes);
        json_put_text(object, "DefaultRuntime", settings->default_runtime ?: "runc");
        json_put_text(object, "InitBinary", "brig-init");
}

static json_object *list_of(char *const *words) {
        json_object *array = json_object_new_array();

        for (; words && *words; words++)
                (void)json_object_array_add(array, json_object_new_string(*words));
        return array;
}

static void put_settings(json_object *object, const DaemonSettings *settings) {
        json_put_bool(object, "Debug", settings->debug);
        json_put(object, "Labels", list_of(settings->labels));
}

/* Those of brigd's environment, which has the settings' by now. */
static void put_proxies(json_object *object) {
        static const struct {
                const char *member, *names[2];
        } rows[] = {
                { "HttpProxy", { "HTTP_PROXY", "http_proxy" } },
                { "HttpsProxy", { "HTTPS_PROXY", "https_proxy" } },
                { "NoProxy", { "NO_PROXY", "no_proxy" } },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++)
                json_put_text(object, rows[i].member,
                              getenv(rows[i].names[0]) ?: getenv(rows[i].names[1]));
}

static void put_security(json_object *object, const Engine *engine) {
        const ContainerDefaults *defaults = &engine->options.defaults;
        json_object *array = json_object_new_array();
        const char *profile = !defaults->seccomp                           ? "default"
                              : str_equal(defaults->seccomp, "unconfined") ? "unconfined"
                                                                           : "custom";
        _cleanup_free_ char *word = str_format("name=seccomp,profile=%s", profile);

        if (engine->apparmor)
                (void)json_object_array_add(array, json_object_new_string("name=apparmor"));
        (void)json_object_array_add(array, json_object_new_string(word));
        if (defaults->no_new_privileges)
                (void)json_object_array_add(array,
                                            json_object_new_string("name=no-new-privileges"));
        if (engine_remaps(engine))
                (void)json_object_array_add(array, json_object_new_string("name=userns"));
        json_put(object, "SecurityOptions", array);
}

/* Of no cluster: clients look at the state. */
static void put_swarm(json_object *object) {
        json_object *swarm = json_object_new_object();

        json_put_text(swarm, "NodeID", "");
        json_put_text(swarm, "NodeAddr", "");
        json_put_text(swarm, "LocalNodeState", "inactive");
        json_put_bool(swarm, "ControlAvailable", false);
        json_put_text(swarm, "Error", "");
        json_put(swarm, "RemoteManagers", NULL);
        json_put(object, "Swarm", swarm);
}

/* And what dockerd says of devices that CDI describes: brig reads no such descriptions. */
static void put_firewall(json_object *object) {
        json_object *backend = json_object_new_object();

        json_put_text(backend, "Driver", "nftables");
        json_put(object, "FirewallBackend", backend);
        json_put(object, "CDISpecDirs", json_object_new_array());
        json_put(object, "DiscoveredDevices", json_object_new_array());
}

/* What Docker counts of itself for those who debug it; a goroutine here is a thread. */
static void put_debug(json_object *object) {
        static const struct {
                const char *member, *path;
        } counts[] = { { "NFd", "/proc/self/fd" }, { "NGoroutines", "/proc/self/task" } };

        for (size_t i = 0; i < ELEMENTS(counts); i++) {
                _cleanup_closedir_ DIR *dir = opendir(counts[i].path);
                const struct dirent *entry;
                int64_t count = 0;

                while (dir && (entry = readdir(dir)))
                        count += entry->d_name[0] != '.';
                json_put_int(object, counts[i].member, count);
        }
}

int engine_info(Engine *engine, Buf *json, Error *err) {
        json_object *object = json_object_new_object();
        char now[CLOCK_TEXT_MAX];

        json_put_text(object, "ID", engine->id);
        put_counts(object, engine);
        put_driver(object);
        put_plugins(object);
        put_cgroups(engine, object);
        json_put_text(object, "SystemTime", clock_format(clock_now(), now));
        json_put_text(object, "LoggingDriver", engine->options.log.type ?: "json-file");
        put_host(object);
        put_registry(object, engine_registry(engine));
        if (engine->options.pools.count > 0)
                put_pools(object, &engine->options.pools);
        json_put_text(object, "DockerRootDir", engine->options.data_root);
        put_settings(object, engine_settings(engine));
        put_debug(object);
        json_put_bool(object, "ExperimentalBuild", true);
        put_proxies(object);
        json_put_text(object, "ServerVersion", BRIG_VERSION);
        put_runtimes(object, engine_settings(engine));
        put_swarm(object);
        put_firewall(object);
        json_put_bool(object, "LiveRestoreEnabled", true);
        json_put_text(object, "Isolation", "");
        put_security(object, engine);
        json_put(object, "Warnings", json_object_new_array());
        json_add_object(json, object);
        return 0;
}
