/* plan-run.c: RUN: its command, heredocs and environment. Its mounts are in plan-mount.c. */
#include "build/plan-private.h"
#include "build/scan.h"
#include "build/words.h"

/* Where a script out of a heredoc is mounted. */
#define SCRIPT_FOLDER "/dev/pipes/"

/* The heredoc that is the whole command: `RUN <<EOF`; NULL: none, or there is more. */
static const Heredoc *whole_heredoc(const Instruction *at) {
        if (!at->heredoc_count || at->is_json || !at->word_count ||
            !heredoc_word(at->words[0], NULL))
                return NULL;
        return &at->heredocs[0];
}

/* ---- the command ---- */

/* The line with its heredocs, for the shell to read. */
static char *line_with_heredocs(const Instruction *at) {
        _cleanup_buf_ Buf text = {};

        buf_add_str(&text, at->words[0]);
        for (size_t i = 0; i < at->heredoc_count; i++)
                buf_format(&text, "\n%s%s", at->heredocs[i].content, at->heredocs[i].name);
        return buf_take(&text);
}

static int read_command(Dispatch *dispatch, Error *err) {
        const Instruction *at = dispatch->instruction;
        const Heredoc *heredoc = whole_heredoc(at);
        RunStep *run = &dispatch->step.run;
        _cleanup_free_ char *text = NULL;

        if (heredoc && str_after(heredoc->content, "#!")) {
                if (strchr(heredoc->name, '/'))
                        return dispatch_error(dispatch, err,
                                              "heredoc \"%.100s\": the name of a script cannot "
                                              "hold '/'",
                                              heredoc->name);
                run->script_path = str_format(SCRIPT_FOLDER "%s", heredoc->name);
                run->script = str_copy(heredoc->content);
                text = str_copy(run->script_path);
        } else if (heredoc) {
                text = str_copy(heredoc->content);
        } else if (at->heredoc_count) {
                text = line_with_heredocs(at);
        }
        run->argv = dispatch_command(dispatch, text);
        if (!run->argv || !*run->argv)
                return dispatch_error(dispatch, err, "RUN has an empty command: name a program");
        return dispatch_count_list(dispatch, run->argv, err);
}

/* ---- the environment ---- */

static void add_ssh(const RunStep *run, char ***env) {
        for (size_t i = 0; i < run->mount_count && !env_get(*env, "SSH_AUTH_SOCK"); i++)
                if (run->mounts[i].kind == MOUNT_SSH)
                        env_put(env, "SSH_AUTH_SOCK", run->mounts[i].target);
}

static int read_env(Dispatch *dispatch, Error *err) {
        RunStep *run = &dispatch->step.run;

        run->env = strv_copy(dispatch->env);
        plan_add_proxies(dispatch->plan, &run->env, &run->volatile_env);
        add_ssh(run, &run->env);
        return dispatch_count_list(dispatch, run->env, err);
}

/* ---- flags ---- */

/* What a step may not have unless its build was granted it; asker: what wants it. */
static int need(const Dispatch *dispatch, Entitlement which, const char *asker, Error *err) {
        static const char *const names[ENTITLEMENTS] = {
                [ENTITLEMENT_INSECURE] = "security.insecure",
                [ENTITLEMENT_HOST_NETWORK] = "network.host",
        };
        const char *why_not = dispatch->plan->why_not[which];

        if (dispatch->plan->granted[which])
                return 0;
        return dispatch_error(dispatch, err, "%s: %s is not allowed%s%s", asker, names[which],
                              why_not ? ": " : "", why_not ?: "");
}

static int read_security(Dispatch *dispatch, Error *err) {
        const char *security = instruction_flag(dispatch->instruction, "security");

        if (!str_equal(security, "insecure"))
                return 0;
        dispatch->step.run.insecure = true;
        return need(dispatch, ENTITLEMENT_INSECURE, "RUN --security=insecure", err);
}

static int read_network(Dispatch *dispatch, Error *err) {
        const char *network = instruction_flag(dispatch->instruction, "network");
        bool own = network && !str_equal(network, "default");

        if (!own)
                network = dispatch->plan->network;
        dispatch->step.run.network = str_copy(network);
        if (!str_equal(network, "host"))
                return 0;
        return need(dispatch, ENTITLEMENT_HOST_NETWORK,
                    own ? "RUN --network=host" : "RUN in the build's network 'host'", err);
}

static int read_flags(Dispatch *dispatch, Error *err) {
        const Instruction *at = dispatch->instruction;

        if (instruction_flag(at, "device"))
                return dispatch_error(dispatch, err,
                                      "RUN --device=%.100s: devices are not given to builds; leave "
                                      "the flag out, and use the device in a container",
                                      instruction_flag(at, "device"));
        int r = read_security(dispatch, err);

        return r < 0 ? r : read_network(dispatch, err);
}

/* ---- as it is shown ---- */

/* A heredoc's first line, "..." if there are more. */
static char *summary(const char *content) {
        const char *start = content + space_span(content);
        size_t length = trimmed_length(start, strlen(start));
        size_t line = MIN(strcspn(start, "\n"), length);
        bool more = line < length;

        if (line && start[line - 1] == '\r')
                line--;
        _cleanup_free_ char *first = str_copy_n(start, line);
        return str_format(" (%s%s)", first, more ? "..." : "");
}

/* Values that come out of secrets are masked, so that it shows that they do. */
static char **shown_env(const Dispatch *dispatch) {
        char **env = strv_copy(dispatch->env);
        const RunStep *run = &dispatch->step.run;

        for (size_t i = 0; i < run->mount_count; i++)
                if (run->mounts[i].kind == MOUNT_SECRET && run->mounts[i].env)
                        env_put(&env, run->mounts[i].env, "****");
        return env;
}

static void show(Dispatch *dispatch) {
        const Heredoc *heredoc = whole_heredoc(dispatch->instruction);
        _cleanup_free_ char *more = heredoc ? summary(heredoc->content) : str_copy("");
        _cleanup_free_ char *text = str_format("%s%s", dispatch->step.text, more), *made = NULL;
        _cleanup_strv_ char **env = shown_env(dispatch);
        WordRules rules = { .escape = dispatch->plan->file->directives.escape,
                            .env = env,
                            .keep_quotes = true,
                            .drop_escapes = true,
                            .keep_unset = true };
        Error ignored = {};

        if (word_expand(text, &rules, &made, &ignored) == 0)
                str_replace(&dispatch->step.text, made);
        else
                str_replace(&dispatch->step.text, text);
}

int dispatch_run(Dispatch *dispatch, Error *err) {
        int r = read_flags(dispatch, err);

        if (r == 0)
                r = dispatch_mounts(dispatch, err);
        if (r == 0)
                r = read_command(dispatch, err);
        if (r == 0)
                r = read_env(dispatch, err);
        if (r < 0)
                return r;
        show(dispatch);
        _cleanup_free_ char *args = dispatch_args_text(dispatch);
        _cleanup_free_ char *command = strv_join(dispatch->step.run.argv, " ");
        /* BuildKit's words, and whoever reads an image's history sees what had every privilege. */
        return dispatch_commit(dispatch, STEP_RUN, false,
                               str_format("RUN %s%s%s # buildkit",
                                          dispatch->step.run.insecure ? "--security=insecure " : "",
                                          args, command),
                               err);
}
