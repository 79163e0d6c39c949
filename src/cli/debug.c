/* debug.c: debug, brig's own: a shell with tools beside a container that has none. It is a
 * container of its own, of an image that has them, in the other's namespaces, confined as that one
 * is, with the other's root at /target; so nothing of the other is changed, and nothing of it is
 * run. */
#include <errno.h>

#include "cli/commands.h"
#include "cli/config.h"
#include "cli/container-options.h"
#include "cli/specs.h"
#include "cli/stream.h"
#include "cli/target-user.h"

#define DEFAULT_IMAGE "busybox"
#define TARGET "/target"
#define LABEL "brig.debug"

typedef struct DebugOptions {
        bool interactive, tty, quiet, read_only;
        char *detach_keys, *image, *pull, *user, *workdir;
        char **env, **env_files;
} DebugOptions;

static const Option debug_rows[] = {
        { "detach-keys", 0, OPTION_STRING, offsetof(DebugOptions, detach_keys),
          "Keys that detach from it" },
        { "env", 'e', OPTION_ENV, offsetof(DebugOptions, env), "Set environment variables" },
        { "env-file", 0, OPTION_LIST, offsetof(DebugOptions, env_files),
          "Read environment variables from a file" },
        { "image", 0, OPTION_STRING, offsetof(DebugOptions, image),
          "Image that has the tools (debugImage of config.json, or " DEFAULT_IMAGE ")" },
        { "interactive", 'i', OPTION_BOOL, offsetof(DebugOptions, interactive),
          "Keep STDIN open; without a command and on a terminal that is so anyway" },
        { "pull", 0, OPTION_STRING, offsetof(DebugOptions, pull),
          "When the image is pulled: always, missing, never", NULL, "missing" },
        { "quiet", 'q', OPTION_BOOL, offsetof(DebugOptions, quiet), "Do not show the pull" },
        { "read-only", 0, OPTION_BOOL, offsetof(DebugOptions, read_only),
          "Mount the container's root read-only at " TARGET },
        { "tty", 't', OPTION_BOOL, offsetof(DebugOptions, tty),
          "Give it a terminal; without a command and on a terminal that is so anyway" },
        { "user", 'u', OPTION_STRING, offsetof(DebugOptions, user),
          "User, in the image (the container's own user, by its number)" },
        { "workdir", 'w', OPTION_STRING, offsetof(DebugOptions, workdir),
          "Working directory (" TARGET " is the container's root)", NULL, "/" },
};

/* ---- what is asked of the engine ---- */

/* What confines the container, and so what it brings in; all else of HostConfig is its own. */
static const char *const confinement[] = {
        "CapAdd",        "CapDrop",     "SecurityOpt", "Privileged",        "MaskedPaths",
        "ReadonlyPaths", "UsernsMode",  "UTSMode",     "CgroupnsMode",      "Runtime",
        "Ulimits",       "OomScoreAdj", "Devices",     "DeviceCgroupRules", "Memory",
        "MemorySwap",    "NanoCpus",    "CpuShares",   "CpuPeriod",         "CpuQuota",
        "CpusetCpus",    "CpusetMems",  "PidsLimit",   "BlkioWeight",       "CgroupParent",
};

static void add_text(json_object *object, const char *name, const char *text) {
        (void)json_object_object_add(object, name, json_object_new_string(text));
}

/* A namespace that the container itself has from elsewhere is joined there. */
static void add_mode(json_object *host, json_object *target_host, const char *name,
                     const char *id) {
        const char *mode = json_words(target_host, name);
        _cleanup_free_ char *own = str_format("container:%s", id);

        add_text(host, name,
                 str_equal(mode, "host") || str_after(mode, "container:") ||
                                 (str_equal(mode, "none") && str_equal(name, "IpcMode"))
                         ? mode
                         : own);
}

static json_object *root_mount(const DebugOptions *o, const char *id) {
        json_object *mounts = json_object_new_array(), *mount = json_object_new_object();

        add_text(mount, "Type", "container");
        add_text(mount, "Source", id);
        add_text(mount, "Target", TARGET);
        (void)json_object_object_add(mount, "ReadOnly", json_object_new_boolean(o->read_only));
        (void)json_object_array_add(mounts, mount);
        return mounts;
}

static json_object *host_config(const DebugOptions *o, json_object *target, const char *id) {
        json_object *host = json_object_new_object(), *log = json_object_new_object();
        json_object *of_target = json_member(target, "HostConfig");

        for (size_t i = 0; i < ELEMENTS(confinement); i++) {
                json_object *value = json_member(of_target, confinement[i]);

                if (value)
                        (void)json_object_object_add(host, confinement[i], json_object_get(value));
        }
        add_mode(host, of_target, "PidMode", id);
        add_mode(host, of_target, "NetworkMode", id);
        add_mode(host, of_target, "IpcMode", id);
        (void)json_object_object_add(host, "Mounts", root_mount(o, id));
        (void)json_object_object_add(host, "AutoRemove", json_object_new_boolean(true));
        add_text(log, "Type", "none"); /* what is typed is nobody else's */
        (void)json_object_object_add(host, "LogConfig", log);
        return host;
}

static int fill_config(const DebugOptions *o, char **command, const char *image, const char *id,
                       ContainerConfig *config, Error *err) {
        static char *const shell[] = { (char *)"sh", NULL };

        config->image = str_copy(image);
        config->working_dir = str_copy(o->workdir);
        strv_add(&config->entrypoint, ""); /* the image's is not asked for */
        config->has_entrypoint = true;
        config->health = NEW(HealthConfig);
        strv_add(&config->health->test, "NONE");
        config->cmd = strv_copy(*command ? command : (char **)shell);
        config->attach_stdin = config->open_stdin = config->stdin_once = o->interactive;
        config->attach_stdout = config->attach_stderr = true;
        config->tty = o->tty;
        pairs_put(&config->labels, LABEL, id);
        return variables_read(o->env_files, o->env, true, &config->env, err);
}

static int fill(Cli *cli, const DebugOptions *o, const Options *options, json_object *target,
                ContainerCreate *create, Error *err) {
        _cleanup_json_ json_object *body = json_object_new_object();
        const char *id = json_words(target, "Id");
        const char *image = o->image ?: config_string(cli, "debugImage");
        int r;

        (void)json_object_object_add(body, "HostConfig", host_config(o, target, id));
        r = container_create_read(body, create, err);
        if (r == 0)
                r = fill_config(o, options->arguments + 1, image ?: DEFAULT_IMAGE, id,
                                &create->config, err);
        if (r == 0 && o->user)
                create->config.user = str_copy(o->user);
        else if (r == 0)
                r = target_user(cli, id, json_words(json_member(target, "Config"), "User"),
                                &create->config.user, err);
        return r;
}

/* ---- the command ---- */

static int find_target(Cli *cli, const char *name, json_object **ret, Error *err) {
        _cleanup_free_ char *path = path_format("/containers/%s/json", name);
        json_object *state;
        int r = cli_need_brigd(cli, "containers are debugged", err);

        if (r == 0)
                r = api_json(cli, "GET", path, NULL, ret, err);
        if (r < 0)
                return r;
        state = json_member(*ret, "State");
        if (!json_truth(state, "Running") || json_truth(state, "Restarting"))
                return error_kind(err, ERROR_CONFLICT,
                                  "container %s is not running: start it, or look at its files "
                                  "with '%s cp' and '%s export'",
                                  name, cli->program, cli->program);
        if (json_truth(state, "Paused"))
                return error_kind(err, ERROR_CONFLICT, "container %s is paused: unpause it first",
                                  name);
        return 0;
}

static int run_debug(Cli *cli, const Options *options, Error *err) {
        DebugOptions *o = options->values;
        const ContainerOptions run = {
                .sig_proxy = true, .detach_keys = o->detach_keys, .pull = o->pull, .quiet = o->quiet
        };
        _cleanup_json_ json_object *target = NULL;
        ContainerCreate create = {};
        int r = run_options_check(cli, &run, err);

        if (r == 0)
                r = find_target(cli, options->arguments[0], &target, err);
        if (!options->arguments[1] && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO))
                o->interactive = o->tty = true;
        if (r == 0)
                r = fill(cli, o, options, target, &create, err);
        if (r == 0)
                r = container_run(cli, &run, &create, err);
        container_create_done(&create);
        return r;
}

const Command debug_command = { "[OPTIONS] CONTAINER [COMMAND] [ARG...]",
                                "Run a shell with tools beside a container that has none",
                                { debug_rows, ELEMENTS(debug_rows), sizeof(DebugOptions) },
                                run_debug,
                                1,
                                -1,
                                COMMAND_RUNS | COMMAND_FIRST };
