/* plan-args.c: ARG: where its value comes from, what of it reaches a RUN and the history, and which
 * of the build's arguments nothing asked for. */
#include <strings.h>

#include "build/plan-private.h"

/* What an image's scanner reads of ARG; no process sees it. */
static const char *const unseen[] = { "BUILDKIT_SBOM_SCAN_CONTEXT", "BUILDKIT_SBOM_SCAN_STAGE" };

/* Under both casings in a RUN, without ARG, and never in the history. */
static const char *const proxies[][2] = {
        { "HTTP_PROXY", "http_proxy" }, { "HTTPS_PROXY", "https_proxy" },
        { "FTP_PROXY", "ftp_proxy" },   { "NO_PROXY", "no_proxy" },
        { "ALL_PROXY", "all_proxy" },
};

static bool is_unseen(const char *name) {
        for (size_t i = 0; i < ELEMENTS(unseen); i++)
                if (str_equal(unseen[i], name))
                        return true;
        return false;
}

/* The build's argument, else the default, else what stands before the first FROM. *ret_made is the
 * caller's where a default was expanded; *ret NULL: no value. */
static int value_of(const Dispatch *dispatch, size_t number, char **ret, Error *err) {
        const Instruction *at = dispatch->instruction;
        const char *name = at->words[2 * number];
        const char *given = env_get(dispatch->plan->args, name);

        if (!given && at->has_value[number])
                return dispatch_expand(dispatch, at->words[2 * number + 1], ret, err);
        *ret = str_copy(given ?: env_get(dispatch->plan->global, name));
        return 0;
}

int dispatch_arg(Dispatch *dispatch, Error *err) {
        const Instruction *at = dispatch->instruction;
        _cleanup_buf_ Buf words = {};

        buf_add_str(&words, "ARG");
        for (size_t i = 0; 2 * i + 1 < at->word_count; i++) {
                const char *name = at->words[2 * i];
                _cleanup_free_ char *value = NULL;
                int r = value_of(dispatch, i, &value, err);

                if (r < 0)
                        return r;
                buf_format(&words, " %s%s%s", name, value ? "=" : "", value ?: "");
                /* As ENV does: what comes later wins, which is BuildKit's order. */
                if (value && !is_unseen(name))
                        env_put(&dispatch->env, name, value);
                env_put(&dispatch->args, name, value ?: "");
        }
        return dispatch_commit(dispatch, STEP_META, true, buf_take(&words), err);
}

char *dispatch_args_text(const Dispatch *dispatch) {
        size_t count = strv_length(dispatch->args);
        _cleanup_buf_ Buf text = {};

        if (count)
                buf_format(&text, "|%zu ", count);
        for (char **arg = dispatch->args; arg && *arg; arg++) {
                _cleanup_free_ char *name = str_copy_n(*arg, strcspn(*arg, "="));
                const char *value = env_get(dispatch->env, name);

                buf_format(&text, "%s=%s ", name, value ?: *arg + strlen(name) + 1);
        }
        return buf_take(&text);
}

static const char *proxy_value(const Plan *plan, const char *name) {
        const char *value = NULL;

        for (char **arg = plan->args; arg && *arg; arg++)
                if (!strncasecmp(*arg, name, strlen(name)) && (*arg)[strlen(name)] == '=')
                        value = *arg + strlen(name) + 1;
        return value;
}

void plan_add_proxies(const Plan *plan, char ***env, char ***ret_volatile) {
        for (size_t i = 0; i < ELEMENTS(proxies); i++) {
                const char *value = proxy_value(plan, proxies[i][0]);

                for (size_t k = 0; k < 2 && !str_empty(value); k++) {
                        if (env_get(*env, proxies[i][k]))
                                continue;
                        env_put(env, proxies[i][k], value);
                        strv_add(ret_volatile, proxies[i][k]);
                }
        }
}

/* ---- arguments that nothing asked for ---- */

/* Those that mean something without ARG. */
static bool is_predefined(const Plan *plan, const char *name) {
        for (size_t i = 0; i < ELEMENTS(proxies); i++)
                if (!strcasecmp(proxies[i][0], name))
                        return true;
        return str_equal(name, "SOURCE_DATE_EPOCH") || str_after(name, "BUILDKIT_") ||
               env_get(plan->global, name);
}

char **plan_unused_args(const Plan *plan) {
        char **unused = NULL;

        for (char **arg = plan->args; arg && *arg; arg++) {
                _cleanup_free_ char *name = str_copy_n(*arg, strcspn(*arg, "="));
                bool used = is_predefined(plan, name) || strv_has(plan->global_args, name);

                for (size_t i = 0; i < plan->count && !used; i++)
                        used = env_get(plan->stages[i].args, name) != NULL;
                if (!used)
                        strv_add(&unused, name);
        }
        return unused;
}
