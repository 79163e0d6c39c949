/* container-options.h: the options that run and create share, and the request that they make. */
#pragma once

#include "cli/cli.h"
#include "cli/specs.h"

typedef struct ContainerOptions {
        /* run's own */
        bool detach, sig_proxy;
        char *detach_keys;
        /* the client's */
        char *name, *pull, *platform, *cidfile;
        bool quiet, remove, disable_trust;
        /* the process */
        char **attach, **env, **env_files, **group_add;
        char *entrypoint, *user, *workdir, *stop_signal;
        bool interactive, tty, init;
        int64_t stop_timeout;
        /* labels and health */
        char **labels, **label_files;
        Pairs annotations;
        char *health_cmd;
        int64_t health_interval, health_timeout, health_start_period, health_start_interval,
                health_retries;
        bool no_healthcheck;
        /* file systems */
        char **volumes, **volumes_from, **tmpfs, **storage_opts;
        char *volume_driver;
        JsonArray mounts; /* of MountSpec */
        bool read_only;
        int64_t shm_size;
        /* networks */
        NetworkSpecs networks;
        char **aliases, **link_local_ips, **links;
        char *ip, *ip6, *mac_address, *hostname, *domainname;
        char **publish, **expose, **dns, **dns_options, **dns_search, **extra_hosts;
        bool publish_all;
        /* resources */
        int64_t memory, memory_swap, memory_reservation, kernel_memory, memory_swappiness;
        int64_t cpus, cpu_shares, cpu_period, cpu_quota, cpu_rt_period, cpu_rt_runtime;
        int64_t blkio_weight, pids_limit, oom_score_adj;
        char *cpuset_cpus, *cpuset_mems, *cgroup_parent;
        bool oom_kill_disable;
        JsonArray ulimits;             /* of Ulimit */
        JsonArray blkio_weight_device; /* of WeightDevice */
        JsonArray device_read_bps, device_write_bps, device_read_iops,
                device_write_iops; /* of ThrottleDevice */
        char **devices, **device_cgroup_rules;
        /* isolation */
        char **cap_add, **cap_drop, **security_opts;
        Pairs sysctls;
        bool privileged;
        char *pid, *ipc, *uts, *userns, *cgroupns, *runtime, *isolation;
        /* life */
        char *restart, *log_driver;
        bool restart_unhealthy;
        char **log_opts;
} ContainerOptions;

/* run.c: what of o can be wrong by itself: how it pulls, and the keys. invalid. */
int run_options_check(Cli *cli, const ContainerOptions *o, Error *err);
/* Creates, attaches, starts and waits, as run does: o's own members of run and the client, which
 * were checked, are read, create is the rest. The process's exit code, or as CommandRun. */
int container_run(Cli *cli, const ContainerOptions *o, ContainerCreate *create, Error *err);

extern const OptionTable run_option_table, create_option_table;

/* Fills *ret (zeroed) from the options and the arguments IMAGE [COMMAND] [ARG...]. Reads the files
 * that options name. Errors are those of Docker's client. container_create_done it, on error too.
 */
int container_request(Cli *cli, const Options *options, ContainerCreate *ret, Error *err);
