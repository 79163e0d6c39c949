/* container-request.c: from run's and create's options to the request; see container-options.h.
 * Each function fills what one family of options is about. */
#include <errno.h>
#include <fcntl.h>

#include "base/fd.h"
#include "cli/config.h"
#include "cli/container-options.h"

#define PROFILE_MAX (4u << 20)

/* The options' lists are copied: the request and the options are freed apart. */
static int64_t *maybe(int64_t value) {
        int64_t *copy = NEW(int64_t);

        *copy = value;
        return copy;
}

static bool *maybe_bool(bool value) {
        bool *copy = NEW(bool);

        *copy = value;
        return copy;
}

static void put_pairs(Pairs *pairs, char *const *words) {
        for (; words && *words; words++) {
                size_t length = strcspn(*words, "=");
                _cleanup_free_ char *key = str_copy_n(*words, length);

                pairs_put(pairs, key, (*words)[length] ? *words + length + 1 : "");
        }
}

/* ---- the process ---- */

static void fill_streams(const ContainerOptions *o, const Options *options, ContainerConfig *c) {
        bool all = strv_length(o->attach) == 0;

        c->tty = o->tty;
        c->open_stdin = o->interactive;
        c->attach_stdin = all ? o->interactive : strv_has(o->attach, "stdin");
        c->attach_stdout = all || strv_has(o->attach, "stdout");
        c->attach_stderr = all || strv_has(o->attach, "stderr");
        if (o->detach)
                c->attach_stdin = c->attach_stdout = c->attach_stderr = false;
        c->stdin_once = c->open_stdin && c->attach_stdin;
}

static int fill_process(const ContainerOptions *o, const Options *options, ContainerConfig *c,
                        Error *err) {
        char **words = options->arguments;

        c->image = str_copy(words[0]);
        for (words++; *words; words++)
                strv_add(&c->cmd, *words);
        c->has_cmd = c->cmd != NULL;
        if (options_given(options, "entrypoint")) {
                strv_add(&c->entrypoint, o->entrypoint);
                c->has_entrypoint = true;
        }
        c->user = str_copy(o->user);
        c->working_dir = str_copy(o->workdir);
        c->stop_signal = str_copy(o->stop_signal);
        if (options_given(options, "stop-timeout"))
                c->stop_timeout = maybe(o->stop_timeout);
        fill_streams(o, options, c);
        return variables_read(o->env_files, o->env, true, &c->env, err);
}

static int fill_labels(const ContainerOptions *o, ContainerCreate *ret, Error *err) {
        _cleanup_strv_ char **labels = NULL;
        int r = variables_read(o->label_files, o->labels, false, &labels, err);

        put_pairs(&ret->config.labels, labels);
        if (o->restart_unhealthy)
                pairs_put(&ret->config.labels, "brig.restart-unhealthy", "true");
        pairs_copy(&ret->host.annotations, &o->annotations);
        return r;
}

static int check_health(const ContainerOptions *o, Error *err) {
        const struct {
                int64_t value;
                const char *name;
        } values[] = { { o->health_interval, "health-interval" },
                       { o->health_timeout, "health-timeout" },
                       { o->health_retries, "health-retries" },
                       { o->health_start_period, "health-start-period" },
                       { o->health_start_interval, "health-start-interval" } };

        for (size_t i = 0; i < ELEMENTS(values); i++)
                if (values[i].value < 0)
                        return error_kind(err, ERROR_INVALID, "--%s cannot be negative",
                                          values[i].name);
        return 0;
}

static int fill_health(const ContainerOptions *o, ContainerConfig *c, Error *err) {
        bool any = o->health_cmd || o->health_interval || o->health_timeout || o->health_retries ||
                   o->health_start_period || o->health_start_interval;
        HealthConfig *health;
        int r = check_health(o, err);

        if (r < 0)
                return r;
        if (o->no_healthcheck && any)
                return error_kind(err, ERROR_INVALID,
                                  "--no-healthcheck conflicts with --health-* options");
        if (!o->no_healthcheck && !any)
                return 0;
        health = c->health = NEW(HealthConfig);
        if (o->no_healthcheck) {
                strv_add(&health->test, "NONE");
                return 0;
        }
        if (o->health_cmd) {
                strv_add(&health->test, "CMD-SHELL");
                strv_add(&health->test, o->health_cmd);
        }
        health->interval = o->health_interval;
        health->timeout = o->health_timeout;
        health->retries = o->health_retries;
        health->start_period = o->health_start_period;
        health->start_interval = o->health_start_interval;
        return 0;
}

static void copy_all(const JsonArray *from, const JsonTable *table, JsonArray *to) {
        for (size_t i = 0; i < from->count; i++)
                json_copy(table, (const char *)from->items + i * table->size,
                          json_append(to, table));
}

/* ---- file systems ---- */

static void fill_tmpfs(const ContainerOptions *o, HostConfig *h) {
        for (char **text = o->tmpfs; text && *text; text++) {
                size_t length = strcspn(*text, ":");
                _cleanup_free_ char *path = str_copy_n(*text, length);

                pairs_put(&h->tmpfs, path, (*text)[length] ? *text + length + 1 : "");
        }
}

static int fill_mounts(const ContainerOptions *o, ContainerCreate *ret, Error *err) {
        for (char **text = o->volumes; text && *text; text++) {
                int r = volume_parse(*text, &ret->host.binds, &ret->config.volumes, err);

                if (r < 0)
                        return r;
        }
        copy_all(&o->mounts, &mount_spec_table, &ret->host.mounts);
        fill_tmpfs(o, &ret->host);
        put_pairs(&ret->host.storage_opt, o->storage_opts);
        ret->host.volumes_from = strv_copy(o->volumes_from);
        ret->host.volume_driver = str_copy(o->volume_driver);
        ret->host.readonly_rootfs = o->read_only;
        ret->host.shm_size = o->shm_size;
        return 0;
}

/* ---- networks ---- */

static bool is_user_defined(const char *network) {
        return !str_equal(network, "default") && !str_equal(network, "bridge") &&
               !str_equal(network, "host") && !str_equal(network, "none") &&
               !str_after(network, "container:");
}

/* Options without a network's name are about the first network. */
static int apply_to_first(const ContainerOptions *o, const char *network, EndpointSettings *e,
                          Error *err) {
        if (o->aliases && !is_user_defined(network))
                return error_kind(err, ERROR_INVALID,
                                  "network-scoped aliases are only supported for user-defined "
                                  "networks");
        for (char **alias = o->aliases; alias && *alias; alias++)
                strv_add(&e->aliases, *alias);
        if ((o->ip || o->ip6 || o->link_local_ips) && !e->ipam)
                e->ipam = NEW(EndpointIpam);
        if (o->ip)
                str_replace(&e->ipam->ipv4_address, o->ip);
        if (o->ip6)
                str_replace(&e->ipam->ipv6_address, o->ip6);
        for (char **ip = o->link_local_ips; ip && *ip; ip++)
                strv_add(&e->ipam->link_local_ips, *ip);
        if (o->mac_address)
                str_replace(&e->mac_address, o->mac_address);
        if (o->links && is_user_defined(network))
                e->links = strv_copy(o->links);
        return 0;
}

static void fill_endpoint(const NetworkSpec *spec, EndpointSettings *e) {
        e->network = str_copy(spec->name);
        e->aliases = strv_copy(spec->aliases);
        e->mac_address = str_copy(spec->mac_address);
        pairs_copy(&e->driver_opts, &spec->driver_opts);
        e->gw_priority = spec->gw_priority;
        if (!spec->ip && !spec->ip6 && !spec->link_local_ips)
                return;
        e->ipam = NEW(EndpointIpam);
        e->ipam->ipv4_address = str_copy(spec->ip);
        e->ipam->ipv6_address = str_copy(spec->ip6);
        e->ipam->link_local_ips = strv_copy(spec->link_local_ips);
}

static bool is_mac(const char *text) {
        unsigned bytes[6];
        char rest;

        return sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%c", &bytes[0], &bytes[1], &bytes[2], &bytes[3],
                      &bytes[4], &bytes[5], &rest) == 6;
}

/* The daemons before 1.44 know one MAC address, the container's. */
static void move_mac_address(const Cli *cli, ContainerCreate *ret) {
        EndpointSettings *first = ret->endpoints.items;

        if (api_at_least(cli, 44) || !first->mac_address)
                return;
        ret->config.mac_address = TAKE_PTR(first->mac_address);
}

static int fill_networks(Cli *cli, const ContainerOptions *o, ContainerCreate *ret, Error *err) {
        NetworkSpec none = { .name = (char *)"default" };
        const NetworkSpec *specs = o->networks.count ? o->networks.items : &none;
        size_t count = MAX(o->networks.count, (size_t)1);

        if (o->mac_address && !is_mac(o->mac_address))
                return error_kind(err, ERROR_INVALID, "%s is not a valid mac address",
                                  o->mac_address);
        for (size_t i = 0; i < count; i++) {
                EndpointSettings *e = json_append(&ret->endpoints, &endpoint_settings_table);
                int r;

                fill_endpoint(&specs[i], e);
                if (i > 0 &&
                    (!is_user_defined(specs[i].name) && !str_equal(specs[i].name, "bridge")))
                        return error_kind(err, ERROR_INVALID,
                                          "conflicting options: cannot attach both user-defined "
                                          "and non-user-defined network-modes");
                r = i == 0 ? apply_to_first(o, specs[0].name, e, err) : 0;
                if (r < 0)
                        return r;
        }
        ret->host.network_mode = str_copy(specs[0].name);
        move_mac_address(cli, ret);
        return 0;
}

static int fill_ports(const ContainerOptions *o, ContainerCreate *ret, Error *err) {
        for (char **text = o->publish; text && *text; text++) {
                int r = port_publish(*text, &ret->config.exposed_ports, &ret->host.port_bindings,
                                     err);

                if (r < 0)
                        return r;
        }
        for (char **text = o->expose; text && *text; text++) {
                int r = port_expose(*text, &ret->config.exposed_ports, err);

                if (r < 0)
                        return r;
        }
        ret->host.publish_all_ports = o->publish_all;
        return 0;
}

static void fill_names(const ContainerOptions *o, ContainerCreate *ret) {
        ret->config.hostname = str_copy(o->hostname);
        ret->config.domainname = str_copy(o->domainname);
        ret->host.dns = strv_copy(o->dns);
        ret->host.dns_options = strv_copy(o->dns_options);
        ret->host.dns_search = strv_copy(o->dns_search);
        /* Lists, as docker's client writes them, not null. */
        ret->host.has_dns = ret->host.has_dns_options = ret->host.has_dns_search = true;
        ret->host.extra_hosts = strv_copy(o->extra_hosts);
        ret->host.links = strv_copy(o->links);
}

/* ---- resources ---- */

static int fill_memory(const ContainerOptions *o, HostConfig *h, const Options *options,
                       Error *err) {
        bool given = options_given(options, "memory-swappiness");

        if (given && (o->memory_swappiness < -1 || o->memory_swappiness > 100))
                return error_kind(err, ERROR_INVALID,
                                  "invalid value: %lld. Valid memory swappiness range is 0-100",
                                  (long long)o->memory_swappiness);
        h->memory = o->memory;
        h->memory_swap = o->memory_swap;
        h->memory_reservation = o->memory_reservation;
        h->kernel_memory = o->kernel_memory;
        h->memory_swappiness = maybe(given ? o->memory_swappiness : -1);
        h->oom_kill_disable = maybe_bool(o->oom_kill_disable);
        h->oom_score_adj = o->oom_score_adj;
        return 0;
}

static void fill_block_io(const ContainerOptions *o, HostConfig *h) {
        h->blkio_weight = o->blkio_weight;
        copy_all(&o->blkio_weight_device, &weight_device_table, &h->blkio_weight_device);
        copy_all(&o->device_read_bps, &throttle_device_table, &h->blkio_read_bps);
        copy_all(&o->device_write_bps, &throttle_device_table, &h->blkio_write_bps);
        copy_all(&o->device_read_iops, &throttle_device_table, &h->blkio_read_iops);
        copy_all(&o->device_write_iops, &throttle_device_table, &h->blkio_write_iops);
}

static int fill_resources(const ContainerOptions *o, HostConfig *h, const Options *options,
                          Error *err) {
        h->nano_cpus = o->cpus;
        h->cpu_shares = o->cpu_shares;
        h->cpu_period = o->cpu_period;
        h->cpu_quota = o->cpu_quota;
        h->cpu_realtime_period = o->cpu_rt_period;
        h->cpu_realtime_runtime = o->cpu_rt_runtime;
        h->cpuset_cpus = str_copy(o->cpuset_cpus);
        h->cpuset_mems = str_copy(o->cpuset_mems);
        fill_block_io(o, h);
        h->cgroup_parent = str_copy(o->cgroup_parent);
        h->pids_limit = maybe(o->pids_limit);
        copy_all(&o->ulimits, &ulimit_table, &h->ulimits);
        h->device_cgroup_rules = strv_copy(o->device_cgroup_rules);
        for (char **text = o->devices; text && *text; text++) {
                int r = device_parse(*text, &h->devices, err);

                if (r < 0)
                        return r;
        }
        return fill_memory(o, h, options, err);
}

/* ---- isolation ---- */

/* The profile goes to the daemon as text: it may be on another machine. */
static int read_profile(const char *path, char ***ret, Error *err) {
        _cleanup_free_ char *text = NULL;
        _cleanup_json_ json_object *profile = NULL;
        size_t length;
        int r = file_read_at(AT_FDCWD, path, PROFILE_MAX, &text, &length, NULL);

        if (r < 0)
                return error_kind(err, ERROR_INVALID,
                                  "opening seccomp profile (%s) failed: open %s: %s", path, path,
                                  r == -ENOENT ? "no such file or directory" : strerror(-r));
        r = json_parse_any(text, length, &profile, err);
        if (r < 0)
                return error_prefix(err, "compacting json for seccomp profile (%s) failed", path);
        strv_format(ret, "seccomp=%s",
                    json_object_to_json_string_ext(
                            profile, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
        return 0;
}

static int fill_security(const ContainerOptions *o, HostConfig *h, Error *err) {
        for (char **text = o->security_opts; text && *text; text++) {
                const char *path = str_after(*text, "seccomp=") ?: str_after(*text, "seccomp:");
                int r = 0;

                if (!strchr(*text, '=') && !strchr(*text, ':') &&
                    !str_equal(*text, "no-new-privileges"))
                        return error_kind(err, ERROR_INVALID, "Invalid --security-opt: \"%s\"",
                                          *text);
                if (str_equal(*text, "systempaths=unconfined"))
                        h->has_masked_paths = h->has_readonly_paths = true;
                else if (path && !str_equal(path, "unconfined") && !str_equal(path, "builtin"))
                        r = read_profile(path, &h->security_opt, err);
                else
                        strv_add(&h->security_opt, *text);
                if (r < 0)
                        return r;
        }
        return 0;
}

static bool one_of(const char *text, const char *a, const char *b) {
        return str_empty(text) || str_equal(text, a) || str_equal(text, b);
}

static int fill_namespaces(const ContainerOptions *o, HostConfig *h, Error *err) {
        if (!one_of(o->pid, "host", "private") && str_empty(str_after(o->pid, "container:")))
                return error_kind(err, ERROR_INVALID, "--pid: invalid PID mode");
        if (!one_of(o->uts, "host", "private"))
                return error_kind(err, ERROR_INVALID, "--uts: invalid UTS mode");
        if (!one_of(o->userns, "host", "private"))
                return error_kind(err, ERROR_INVALID, "--userns: invalid USER mode");
        if (!one_of(o->cgroupns, "host", "private"))
                return error_kind(err, ERROR_INVALID, "--cgroupns: invalid CGROUP mode");
        h->pid_mode = str_copy(str_equal(o->pid, "private") ? "" : o->pid);
        h->ipc_mode = str_copy(o->ipc);
        h->uts_mode = str_copy(o->uts);
        h->userns_mode = str_copy(o->userns);
        h->cgroupns_mode = str_copy(o->cgroupns);
        h->runtime = str_copy(o->runtime);
        h->isolation = str_copy(o->isolation);
        h->privileged = o->privileged;
        h->cap_add = strv_copy(o->cap_add);
        h->cap_drop = strv_copy(o->cap_drop);
        h->group_add = strv_copy(o->group_add);
        pairs_copy(&h->sysctls, &o->sysctls);
        return fill_security(o, h, err);
}

/* ---- life ---- */

static int fill_life(const ContainerOptions *o, HostConfig *h, const Options *options, Error *err) {
        int r = restart_parse(o->restart ?: "no", &h->restart_policy, err);

        if (r < 0)
                return r;
        if (o->remove && !str_empty(h->restart_policy.name) &&
            !str_equal(h->restart_policy.name, "no"))
                return error_kind(err, ERROR_INVALID,
                                  "conflicting options: cannot specify both --restart and --rm");
        if (str_equal(o->log_driver, "none") && o->log_opts)
                return error_kind(err, ERROR_INVALID, "invalid logging opts for driver none");
        h->auto_remove = o->remove;
        h->log_config.type = str_copy(o->log_driver);
        put_pairs(&h->log_config.config, o->log_opts);
        h->container_id_file = str_copy(o->cidfile);
        if (options_given(options, "init"))
                h->init = maybe_bool(o->init);
        return 0;
}

int container_request(Cli *cli, const Options *options, ContainerCreate *ret, Error *err) {
        const ContainerOptions *o = options->values;
        int r = cli_connect(cli, err); /* some fields depend on the API's version */

        if (r == 0)
                r = fill_process(o, options, &ret->config, err);
        if (r == 0)
                config_proxies(cli, NULL, &ret->config.env);
        if (r == 0)
                r = fill_mounts(o, ret, err);
        if (r == 0)
                r = fill_ports(o, ret, err);
        if (r == 0)
                r = fill_resources(o, &ret->host, options, err);
        if (r == 0)
                r = fill_namespaces(o, &ret->host, err);
        if (r == 0)
                r = fill_labels(o, ret, err);
        if (r == 0)
                r = fill_health(o, &ret->config, err);
        if (r == 0)
                r = fill_life(o, &ret->host, options, err);
        if (r == 0)
                r = fill_networks(cli, o, ret, err);
        fill_names(o, ret);
        return r;
}
