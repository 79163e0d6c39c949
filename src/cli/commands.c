/* commands.c: the tree of words that lead to commands, in the order of the help. A word with
 * neither a command nor a group is one of Docker's that is not done yet. */
#include "cli/commands.h"

#define COMMAND(name_, section_, command_)                                                         \
        { name_, section_, &command_, NULL, NULL }
#define GROUP(name_, section_, group_)                                                             \
        { name_, section_, NULL, &group_, NULL }
#define UNDONE(name_, section_, summary_)                                                          \
        { name_, section_, NULL, NULL, summary_ }
#define ALIAS(name_, command_)                                                                     \
        { name_, SECTION_ALIAS, &command_, NULL, NULL }

static const Entry container_entries[] = {
        COMMAND("attach", SECTION_COMMANDS, attach_command),
        COMMAND("commit", SECTION_COMMANDS, commit_command),
        COMMAND("cp", SECTION_COMMANDS, cp_command),
        COMMAND("create", SECTION_COMMANDS, create_command),
        COMMAND("debug", SECTION_COMMANDS, debug_command),
        COMMAND("diff", SECTION_COMMANDS, diff_command),
        COMMAND("exec", SECTION_COMMANDS, exec_command),
        COMMAND("exec-kill", SECTION_COMMANDS, exec_kill_command),
        COMMAND("exec-ls", SECTION_COMMANDS, exec_ls_command),
        COMMAND("export", SECTION_COMMANDS, export_command),
        COMMAND("inspect", SECTION_COMMANDS, container_inspect_command),
        COMMAND("kill", SECTION_COMMANDS, kill_command),
        COMMAND("logs", SECTION_COMMANDS, logs_command),
        COMMAND("ls", SECTION_COMMANDS, ps_command),
        ALIAS("list", ps_command),
        ALIAS("ps", ps_command),
        COMMAND("pause", SECTION_COMMANDS, pause_command),
        COMMAND("port", SECTION_COMMANDS, port_command),
        COMMAND("prune", SECTION_COMMANDS, container_prune_command),
        COMMAND("rename", SECTION_COMMANDS, rename_command),
        COMMAND("restart", SECTION_COMMANDS, restart_command),
        COMMAND("rm", SECTION_COMMANDS, rm_command),
        ALIAS("remove", rm_command),
        COMMAND("run", SECTION_COMMANDS, run_command),
        COMMAND("start", SECTION_COMMANDS, start_command),
        COMMAND("stats", SECTION_COMMANDS, stats_command),
        COMMAND("stop", SECTION_COMMANDS, stop_command),
        COMMAND("top", SECTION_COMMANDS, top_command),
        COMMAND("unpause", SECTION_COMMANDS, unpause_command),
        COMMAND("update", SECTION_COMMANDS, update_command),
        COMMAND("wait", SECTION_COMMANDS, wait_command),
};
static const Group container_group = { "Manage containers", container_entries,
                                       ELEMENTS(container_entries) };

static const Entry image_entries[] = {
        COMMAND("build", SECTION_COMMANDS, build_command),
        COMMAND("explore", SECTION_COMMANDS, explore_command),
        COMMAND("history", SECTION_COMMANDS, history_command),
        COMMAND("import", SECTION_COMMANDS, import_command),
        COMMAND("inspect", SECTION_COMMANDS, image_inspect_command),
        COMMAND("load", SECTION_COMMANDS, load_command),
        COMMAND("ls", SECTION_COMMANDS, images_command),
        ALIAS("list", images_command),
        COMMAND("prune", SECTION_COMMANDS, image_prune_command),
        COMMAND("pull", SECTION_COMMANDS, pull_command),
        COMMAND("push", SECTION_COMMANDS, push_command),
        COMMAND("rm", SECTION_COMMANDS, rmi_command),
        ALIAS("remove", rmi_command),
        COMMAND("save", SECTION_COMMANDS, save_command),
        COMMAND("tag", SECTION_COMMANDS, tag_command),
};
static const Group image_group = { "Manage images", image_entries, ELEMENTS(image_entries) };

static const Entry network_entries[] = {
        COMMAND("connect", SECTION_COMMANDS, network_connect_command),
        COMMAND("create", SECTION_COMMANDS, network_create_command),
        COMMAND("disconnect", SECTION_COMMANDS, network_disconnect_command),
        COMMAND("inspect", SECTION_COMMANDS, network_inspect_command),
        COMMAND("ls", SECTION_COMMANDS, network_ls_command),
        ALIAS("list", network_ls_command),
        COMMAND("map", SECTION_COMMANDS, network_map_command),
        COMMAND("prune", SECTION_COMMANDS, network_prune_command),
        COMMAND("rm", SECTION_COMMANDS, network_rm_command),
        ALIAS("remove", network_rm_command),
};
static const Group network_group = { "Manage networks", network_entries,
                                     ELEMENTS(network_entries) };

static const Entry policy_entries[] = {
        COMMAND("apply", SECTION_COMMANDS, policy_apply_command),
        COMMAND("inspect", SECTION_COMMANDS, policy_inspect_command),
        COMMAND("ls", SECTION_COMMANDS, policy_ls_command),
        ALIAS("list", policy_ls_command),
        COMMAND("rm", SECTION_COMMANDS, policy_rm_command),
        ALIAS("remove", policy_rm_command),
        COMMAND("test", SECTION_COMMANDS, policy_test_command),
};
static const Group policy_group = { "Manage network policies", policy_entries,
                                    ELEMENTS(policy_entries) };

static const Entry checkpoint_entries[] = {
        COMMAND("create", SECTION_COMMANDS, checkpoint_create_command),
        COMMAND("ls", SECTION_COMMANDS, checkpoint_ls_command),
        ALIAS("list", checkpoint_ls_command),
        COMMAND("rm", SECTION_COMMANDS, checkpoint_rm_command),
        ALIAS("remove", checkpoint_rm_command),
};
static const Group checkpoint_group = { "Manage checkpoints", checkpoint_entries,
                                        ELEMENTS(checkpoint_entries) };

static const Entry volume_entries[] = {
        COMMAND("create", SECTION_COMMANDS, volume_create_command),
        COMMAND("inspect", SECTION_COMMANDS, volume_inspect_command),
        COMMAND("ls", SECTION_COMMANDS, volume_ls_command),
        ALIAS("list", volume_ls_command),
        COMMAND("prune", SECTION_COMMANDS, volume_prune_command),
        COMMAND("rm", SECTION_COMMANDS, volume_rm_command),
        ALIAS("remove", volume_rm_command),
        UNDONE("update", SECTION_COMMANDS, "Change a cluster volume"),
};
static const Group volume_group = { "Manage volumes", volume_entries, ELEMENTS(volume_entries) };

static const Entry context_entries[] = {
        COMMAND("create", SECTION_COMMANDS, context_create_command),
        COMMAND("export", SECTION_COMMANDS, context_export_command),
        COMMAND("import", SECTION_COMMANDS, context_import_command),
        COMMAND("inspect", SECTION_COMMANDS, context_inspect_command),
        COMMAND("ls", SECTION_COMMANDS, context_ls_command),
        ALIAS("list", context_ls_command),
        COMMAND("rm", SECTION_COMMANDS, context_rm_command),
        ALIAS("remove", context_rm_command),
        COMMAND("show", SECTION_COMMANDS, context_show_command),
        COMMAND("update", SECTION_COMMANDS, context_update_command),
        COMMAND("use", SECTION_COMMANDS, context_use_command),
};
static const Group context_group = { "Manage contexts", context_entries,
                                     ELEMENTS(context_entries) };

static const Entry system_entries[] = {
        COMMAND("check", SECTION_COMMANDS, system_check_command),
        COMMAND("df", SECTION_COMMANDS, df_command),
        ALIAS("dial-stdio", dial_stdio_command), /* for programs: in no help */
        COMMAND("events", SECTION_COMMANDS, events_command),
        COMMAND("info", SECTION_COMMANDS, info_command),
        COMMAND("prune", SECTION_COMMANDS, system_prune_command),
};
static const Group system_group = { "Manage the engine", system_entries, ELEMENTS(system_entries) };

static const Entry manifest_entries[] = {
        COMMAND("annotate", SECTION_COMMANDS, manifest_annotate_command),
        COMMAND("create", SECTION_COMMANDS, manifest_create_command),
        COMMAND("inspect", SECTION_COMMANDS, manifest_inspect_command),
        COMMAND("push", SECTION_COMMANDS, manifest_push_command),
        COMMAND("rm", SECTION_COMMANDS, manifest_rm_command),
};
static const Group manifest_group = { "Manage image manifests and lists of them", manifest_entries,
                                      ELEMENTS(manifest_entries) };

static const Entry builder_cache_entries[] = {
        COMMAND("export", SECTION_COMMANDS, mounts_export_command),
        COMMAND("import", SECTION_COMMANDS, mounts_import_command),
};
static const Group builder_cache_group = { "Manage cache mounts", builder_cache_entries,
                                           ELEMENTS(builder_cache_entries) };

static const Entry builder_entries[] = {
        COMMAND("build", SECTION_COMMANDS, build_command),
        GROUP("cache", SECTION_COMMANDS, builder_cache_group),
        COMMAND("prune", SECTION_COMMANDS, builder_prune_command),
};
static const Group builder_group = { "Manage builds", builder_entries, ELEMENTS(builder_entries) };

static const Entry buildx_entries[] = {
        UNDONE("bake", SECTION_COMMANDS, "Build what a file says"),
        COMMAND("build", SECTION_COMMANDS, build_command),
        ALIAS("b", build_command),
        UNDONE("create", SECTION_COMMANDS, "Create a builder"),
        UNDONE("du", SECTION_COMMANDS, "Show what the build cache takes"),
        UNDONE("imagetools", SECTION_COMMANDS, "Work on images in registries"),
        UNDONE("inspect", SECTION_COMMANDS, "Show a builder"),
        UNDONE("ls", SECTION_COMMANDS, "List builders"),
        COMMAND("prune", SECTION_COMMANDS, builder_prune_command),
        UNDONE("rm", SECTION_COMMANDS, "Remove a builder"),
        UNDONE("stop", SECTION_COMMANDS, "Stop a builder"),
        UNDONE("use", SECTION_COMMANDS, "Choose a builder"),
        UNDONE("version", SECTION_COMMANDS, "Show the version of buildx"),
};
static const Group buildx_group = { "Build with buildx's words", buildx_entries,
                                    ELEMENTS(buildx_entries) };

static const Entry root_entries[] = {
        COMMAND("run", SECTION_COMMON, run_command),
        COMMAND("exec", SECTION_COMMON, exec_command),
        COMMAND("ps", SECTION_COMMON, ps_command),
        COMMAND("build", SECTION_COMMON, build_command),
        COMMAND("pull", SECTION_COMMON, pull_command),
        COMMAND("push", SECTION_COMMON, push_command),
        COMMAND("images", SECTION_COMMON, images_command),
        COMMAND("login", SECTION_COMMON, login_command),
        COMMAND("logout", SECTION_COMMON, logout_command),
        COMMAND("search", SECTION_COMMON, search_command),
        COMMAND("version", SECTION_COMMON, version_command),
        COMMAND("info", SECTION_COMMON, info_command),

        GROUP("builder", SECTION_MANAGEMENT, builder_group),
        GROUP("buildx", SECTION_MANAGEMENT, buildx_group),
        GROUP("checkpoint", SECTION_MANAGEMENT, checkpoint_group),
        UNDONE("compose", SECTION_MANAGEMENT, "Run applications of several containers"),
        GROUP("container", SECTION_MANAGEMENT, container_group),
        GROUP("context", SECTION_MANAGEMENT, context_group),
        GROUP("image", SECTION_MANAGEMENT, image_group),
        GROUP("manifest", SECTION_MANAGEMENT, manifest_group),
        GROUP("network", SECTION_MANAGEMENT, network_group),
        UNDONE("plugin", SECTION_MANAGEMENT, "Manage plugins"),
        GROUP("policy", SECTION_MANAGEMENT, policy_group),
        GROUP("system", SECTION_MANAGEMENT, system_group),
        UNDONE("trust", SECTION_MANAGEMENT, "Manage trust in images"),
        GROUP("volume", SECTION_MANAGEMENT, volume_group),

        UNDONE("config", SECTION_SWARM, "Manage Swarm configs"),
        UNDONE("node", SECTION_SWARM, "Manage Swarm nodes"),
        UNDONE("secret", SECTION_SWARM, "Manage Swarm secrets"),
        UNDONE("service", SECTION_SWARM, "Manage Swarm services"),
        UNDONE("stack", SECTION_SWARM, "Manage Swarm stacks"),
        UNDONE("swarm", SECTION_SWARM, "Manage Swarm"),

        COMMAND("attach", SECTION_COMMANDS, attach_command),
        COMMAND("commit", SECTION_COMMANDS, commit_command),
        COMMAND("cp", SECTION_COMMANDS, cp_command),
        COMMAND("create", SECTION_COMMANDS, create_command),
        COMMAND("debug", SECTION_COMMANDS, debug_command),
        COMMAND("diff", SECTION_COMMANDS, diff_command),
        COMMAND("drill", SECTION_COMMANDS, drill_command),
        COMMAND("events", SECTION_COMMANDS, events_command),
        COMMAND("export", SECTION_COMMANDS, export_command),
        COMMAND("history", SECTION_COMMANDS, history_command),
        COMMAND("import", SECTION_COMMANDS, import_command),
        COMMAND("inspect", SECTION_COMMANDS, inspect_command),
        COMMAND("kill", SECTION_COMMANDS, kill_command),
        COMMAND("load", SECTION_COMMANDS, load_command),
        COMMAND("logs", SECTION_COMMANDS, logs_command),
        COMMAND("pause", SECTION_COMMANDS, pause_command),
        COMMAND("port", SECTION_COMMANDS, port_command),
        COMMAND("rename", SECTION_COMMANDS, rename_command),
        COMMAND("restart", SECTION_COMMANDS, restart_command),
        COMMAND("rm", SECTION_COMMANDS, rm_command),
        COMMAND("rmi", SECTION_COMMANDS, rmi_command),
        COMMAND("save", SECTION_COMMANDS, save_command),
        COMMAND("start", SECTION_COMMANDS, start_command),
        COMMAND("stats", SECTION_COMMANDS, stats_command),
        COMMAND("stop", SECTION_COMMANDS, stop_command),
        COMMAND("tag", SECTION_COMMANDS, tag_command),
        COMMAND("top", SECTION_COMMANDS, top_command),
        COMMAND("unpause", SECTION_COMMANDS, unpause_command),
        COMMAND("update", SECTION_COMMANDS, update_command),
        COMMAND("wait", SECTION_COMMANDS, wait_command),
        COMMAND("completion", SECTION_NONE, completion_command),
};
const Group root_group = { "A container engine in C, a drop-in for Docker", root_entries,
                           ELEMENTS(root_entries) };
