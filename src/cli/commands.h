/* commands.h: every command's row, in the file of its family; and what families share. */
#pragma once

#include "cli/cli.h"
#include "cli/stream.h"

/* run.c */
extern const Command run_command, create_command, start_command;
/* containers.c */
extern const Command stop_command, restart_command, kill_command, rm_command, pause_command,
        unpause_command, wait_command, rename_command, top_command, port_command;
/* checkpoint.c */
extern const Command checkpoint_create_command, checkpoint_ls_command, checkpoint_rm_command;
/* stats.c */
extern const Command stats_command;
/* update.c */
extern const Command update_command;
/* changes.c */
extern const Command commit_command, diff_command, export_command;
extern const Command cp_command;
/* ps.c, logs.c, exec.c */
extern const Command ps_command, logs_command, exec_command, attach_command;
extern const Command system_check_command;               /* system-check.c */
extern const Command exec_ls_command, exec_kill_command; /* execs.c */
/* inspect.c */
extern const Command inspect_command, container_inspect_command, image_inspect_command,
        network_inspect_command, volume_inspect_command, context_inspect_command;
/* build-command.c, builder.c */
extern const Command build_command, builder_prune_command, mounts_export_command,
        mounts_import_command;
/* images.c, image-archives.c */
extern const Command pull_command, images_command, rmi_command, tag_command, history_command;
extern const Command load_command, save_command, import_command;
/* registry.c, login.c */
extern const Command push_command, search_command, login_command, logout_command;
/* manifest.c, manifest-annotate.c */
extern const Command manifest_create_command, manifest_annotate_command, manifest_inspect_command,
        manifest_push_command, manifest_rm_command;
/* explore.c */
extern const Command explore_command;
/* debug.c, drill.c */
extern const Command debug_command;
extern const Command drill_command;
/* networks.c, volumes.c */
extern const Command network_create_command, network_ls_command, network_rm_command,
        network_connect_command, network_disconnect_command, network_map_command;
extern const Command volume_create_command, volume_ls_command, volume_rm_command;
/* policies.c */
extern const Command policy_apply_command, policy_ls_command, policy_rm_command,
        policy_test_command, policy_inspect_command;
/* context.c */
extern const Command context_create_command, context_ls_command, context_rm_command,
        context_show_command, context_update_command, context_use_command;
extern const Command context_export_command, context_import_command; /* context-transfer.c */
/* Of "default", too; the caller's. */
int context_describe(Cli *cli, const char *name, json_object **ret, Error *err);
char *policy_inspect_path(const char *name); /* of the API; the caller's */
/* prune.c */
extern const Command container_prune_command, image_prune_command, network_prune_command,
        volume_prune_command, system_prune_command;
/* system.c, events.c, df.c */
extern const Command version_command, info_command, events_command, df_command;
/* completion.c */
extern const Command completion_command;
/* dial-stdio.c */
extern const Command dial_stdio_command;

/* Attaches stream to the container: POST …/attach; keys: --detach-keys or NULL. */
int stream_attach(Stream *stream, const char *id, const char *keys, Error *err);
/* The option's value, or config.json's; NULL: the usual keys. */
const char *chosen_detach_keys(Cli *cli, const char *option);

/* Writes the reply's body to the file, which appears whole or not at all; NULL: to standard output.
 * failure: what comes before an error of the file. */
int reply_to_file(HttpReply *reply, const char *output, const char *failure, Error *err);

/* Adds a text member to a row. */
void row_put(json_object *row, const char *name, const char *text);
/* Adds one that is made for it and freed here. */
void row_take(json_object *row, const char *name, char *text);
/* "a=b,c=d" of an object of strings, sorted; the caller's. */
char *labels_text(json_object *labels);
/* The ID's first 12 digits, without "sha256:"; the caller's. */
char *short_id(const char *id);
/* "2006-01-02 15:04:05 +0000 UTC", as Go prints a time; seconds since 1970. The caller's. */
char *go_time(int64_t seconds);
/* "2 minutes ago" */
char *time_ago(int64_t seconds);
