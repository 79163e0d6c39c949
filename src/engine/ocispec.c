/* ocispec.c: a container and its options as the OCI document that the runtime gets, as Docker's
 * daemon writes it. The parts that are lists are in ocispec-mounts.c, -devices.c, -resources.c and
 * namespaces.c; seccomp is seccomp-default.c's. */
#include <ctype.h>

#include "base/bug.h"
#include "engine/apparmor.h"
#include "engine/engine-private.h"
#include "engine/links.h"
#include "engine/ocispec.h"

#define DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define INIT_PATH "/sbin/docker-init"

/* ---- environment: Docker's variables first, then the container's, then `more` ---- */

static void env_apply(char ***env, char *const *entries) {
        for (; entries && *entries; entries++) {
                _cleanup_free_ char *name = str_copy_n(*entries, strcspn(*entries, "="));
                const char *equals = strchr(*entries, '=');

                /* A name alone takes the variable away. */
                if (equals)
                        env_put(env, name, equals + 1);
                else if (*env)
                        env_drop(*env, name);
        }
}

static char **environment(const Container *container, bool tty, char *const *more) {
        _cleanup_strv_ char **links = links_environment(container);
        char **env = NULL;

        strv_add(&env, DEFAULT_PATH);
        strv_format(&env, "HOSTNAME=%s", container->spec.config.hostname ?: "");
        if (tty)
                strv_add(&env, "TERM=xterm");
        env_apply(&env, links);
        env_apply(&env, container->spec.config.env);
        env_apply(&env, more);
        return env;
}

/* ---- process ---- */

static void set_capabilities(const Container *container, bool privileged, OciProcess *process) {
        OciCapabilities *capabilities = process->capabilities = NEW(OciCapabilities);

        capabilities->bounding = capabilities_of(&container->spec.host, privileged);
        capabilities->effective = strv_copy(capabilities->bounding);
        capabilities->permitted = strv_copy(capabilities->bounding);
        if (BUG("capabilities"))
                capabilities->inheritable = strv_copy(capabilities->bounding);
}

static void set_rlimits(const HostConfig *host, OciProcess *process) {
        const Ulimit *ulimits = host->ulimits.items;

        for (size_t i = 0; i < host->ulimits.count; i++) {
                OciRlimit *rlimit = json_append(&process->rlimits, &oci_rlimit_table);

                rlimit->type = str_format("RLIMIT_%s", ulimits[i].name);
                for (char *c = rlimit->type; *c; c++)
                        *c = (char)toupper((unsigned char)*c);
                rlimit->soft = (uint64_t)ulimits[i].soft; /* -1: RLIM_INFINITY */
                rlimit->hard = (uint64_t)ulimits[i].hard;
        }
}

static void set_args(const Container *container, OciProcess *process) {
        const HostConfig *host = &container->spec.host;

        if (host->init && *host->init && pid_mode_is_private(host)) {
                strv_add(&process->args, INIT_PATH);
                strv_add(&process->args, "--");
        }
        strv_add(&process->args, container->path ?: "");
        for (char **arg = container->args; arg && *arg; arg++)
                strv_add(&process->args, *arg);
}

static void set_cwd(const Container *container, const char *wanted, OciProcess *process) {
        const char *image = container->spec.config.working_dir;

        process->cwd = str_copy(!str_empty(wanted) ? wanted : !str_empty(image) ? image : "/");
}

/* Unattended upgrades take loaded profiles away. */
static int set_profile(const Container *container, const SecurityOptions *security,
                       OciProcess *process, Error *err) {
        const char *profile = apparmor_profile(container->engine, &container->spec.host, security);

        process->apparmor_profile = str_copy(profile);
        return str_equal(profile, APPARMOR_DEFAULT) ? apparmor_ensure(container->engine, err) : 0;
}

/* What the container's process and an exec have in common. An exec's own --privileged leaves the
 * profile, as in Docker. */
static int set_common(const Container *container, const char *user, bool privileged,
                      OciProcess *process, Error *err) {
        const HostConfig *host = &container->spec.host;
        SecurityOptions security;

        int r = security_parse(&container->engine->options.defaults, host->security_opt, &security,
                               err);
        if (r == 0)
                r = user_resolve(container, user, host->group_add, &process->user, err);
        if (r == 0)
                r = set_profile(container, &security, process, err);
        if (r < 0)
                return r;
        process->no_new_privileges = security.no_new_privileges;
        set_capabilities(container, privileged || host->privileged, process);
        set_rlimits(host, process);
        process->oom_score_adj = PUT_INT(int64_t, host->oom_score_adj);
        return 0;
}

static int set_process(const Container *container, OciConfig *ret, Error *err) {
        const ContainerConfig *config = &container->spec.config;
        const HostConfig *host = &container->spec.host;
        OciProcess *process = ret->process = NEW(OciProcess);

        process->terminal = config->tty;
        if (config->tty && host->console_height > 0 && host->console_width > 0) {
                process->console_size = NEW(OciBox);
                *process->console_size = (OciBox){ host->console_height, host->console_width };
        }
        set_args(container, process);
        process->env = environment(container, config->tty, NULL);
        set_cwd(container, NULL, process);
        return set_common(container, config->user, false, process, err);
}

/* ---- linux ---- */

static const struct {
        const char *name, *value;
} network_sysctls[] = {
        /* Docker's since 20.10: ping and low ports need no privilege in a namespace of one's own.
         */
        { "net.ipv4.ip_unprivileged_port_start", "0" },
        { "net.ipv4.ping_group_range", NULL }, /* to the last group that there is */
};

static void set_sysctls(const Container *container, bool own_netns, OciLinux *linux_) {
        const HostConfig *host = &container->spec.host;
        _cleanup_free_ char *groups = str_format("0 %lld", (long long)userns_last_gid(container));

        for (size_t i = 0; own_netns && i < ELEMENTS(network_sysctls); i++)
                pairs_put(&linux_->sysctl, network_sysctls[i].name,
                          network_sysctls[i].value ?: groups);
        pairs_copy(&linux_->sysctl, &host->sysctls);
}

static int set_paths(const Container *container, OciLinux *linux_, Error *err) {
        const HostConfig *host = &container->spec.host;
        SecurityOptions security;

        int r = security_parse(&container->engine->options.defaults, host->security_opt, &security,
                               err);
        if (r < 0 || host->privileged || security.systempaths_unconfined)
                return r;
        if (!BUG("masked-paths"))
                linux_->masked_paths = strv_copy(host->masked_paths);
        if (!BUG("read-only-paths"))
                linux_->readonly_paths = strv_copy(host->readonly_paths);
        return 0;
}

static int set_linux(Container *container, const OcispecContext *context, OciConfig *ret,
                     Error *err) {
        OciLinux *linux_ = ret->linux_ = NEW(OciLinux);

        linux_->cgroups_path = str_copy(context->cgroup);
        linux_->resources = NEW(OciResources);
        set_sysctls(container, context->own_netns, linux_);
        int r = ocispec_resources(container, linux_->resources, err);
        if (r == 0)
                r = ocispec_namespaces(container, context, linux_, err);
        if (r == 0)
                r = ocispec_devices(container, linux_, err);
        return r < 0 ? r : set_paths(container, linux_, err);
}

/* ---- the documents ---- */

int ocispec_build(Container *container, const OcispecContext *context, OciConfig *ret, Error *err) {
        const ContainerConfig *config = &container->spec.config;
        const HostConfig *host = &container->spec.host;

        ret->version = str_copy("1.0.2");
        ret->root = NEW(OciRoot);
        ret->root->path = str_copy(context->rootfs ?: "rootfs");
        ret->root->readonly = host->readonly_rootfs;
        if (!str_equal(host->uts_mode, "host")) {
                ret->hostname = str_copy(config->hostname);
                ret->domainname =
                        str_empty(config->domainname) ? NULL : str_copy(config->domainname);
        }
        pairs_copy(&ret->annotations, &host->annotations);
        int r = set_process(container, ret, err);
        if (r == 0)
                r = set_linux(container, context, ret, err);
        return r < 0 ? r : ocispec_mounts(container, context, ret, err);
}

int ocispec_exec_process(Container *container, const ExecConfig *exec, OciProcess *ret,
                         Error *err) {
        const char *user = str_empty(exec->user) ? container->spec.config.user : exec->user;

        ret->terminal = exec->tty;
        ret->args = strv_copy(exec->cmd);
        ret->env = environment(container, exec->tty, exec->env);
        set_cwd(container, exec->working_dir, ret);
        return set_common(container, user, exec->privileged, ret, err);
}
