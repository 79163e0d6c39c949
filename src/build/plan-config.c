/* plan-config.c: the instructions that change the image's configuration and run nothing. */
#include <signal.h>
#include <strings.h>

#include "base/clock.h"
#include "build/plan-private.h"
#include "build/words.h"

static ImageRunConfig *config_of(const Dispatch *dispatch) {
        return &dispatch->made->config.config;
}

/* An instruction without a layer; words become its own. */
static int commit_meta(Dispatch *dispatch, char *words, Error *err) {
        return dispatch_commit(dispatch, STEP_META, true, words, err);
}

/* ---- ENV and LABEL ---- */

/* The instruction's words with their variables replaced, all of them by what was before it. */
static int expand_all(const Dispatch *dispatch, char ***ret, Error *err) {
        const Instruction *at = dispatch->instruction;
        _cleanup_strv_ char **made = strv_new(at->word_count);

        for (size_t i = 0; i < at->word_count; i++) {
                int r = dispatch_expand(dispatch, at->words[i], &made[i], err);

                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(made);
        return 0;
}

static int expand_pairs(Dispatch *dispatch, char ***ret, Buf *words, Error *err) {
        const char *name = instruction_name(dispatch->instruction->kind);
        _cleanup_strv_ char **made = NULL;
        int r = expand_all(dispatch, &made, err);

        if (r == 0)
                r = dispatch_count_list(dispatch, made, err);
        if (r < 0)
                return r;
        buf_add_str(words, name);
        for (char **pair = made; pair[0] && pair[1]; pair += 2) {
                if (!*pair[0])
                        return dispatch_error(dispatch, err, "%s names can not be blank", name);
                buf_format(words, " %s=%s", pair[0], pair[1]);
        }
        *ret = TAKE_PTR(made);
        return 0;
}

int dispatch_env(Dispatch *dispatch, Error *err) {
        _cleanup_strv_ char **made = NULL;
        _cleanup_buf_ Buf words = {};
        int r = expand_pairs(dispatch, &made, &words, err);

        if (r < 0)
                return r;
        for (char **pair = made; pair[0] && pair[1]; pair += 2) {
                env_put(&dispatch->env, pair[0], pair[1]);
                env_put(&config_of(dispatch)->env, pair[0], pair[1]);
        }
        return commit_meta(dispatch, buf_take(&words), err);
}

int dispatch_label(Dispatch *dispatch, Error *err) {
        _cleanup_strv_ char **made = NULL;
        _cleanup_buf_ Buf words = {};
        int r = expand_pairs(dispatch, &made, &words, err);

        if (r < 0)
                return r;
        for (char **pair = made; pair[0] && pair[1]; pair += 2)
                pairs_put(&config_of(dispatch)->labels, pair[0], pair[1]);
        return commit_meta(dispatch, buf_take(&words), err);
}

/* ---- what is run ---- */

static int commit_command(Dispatch *dispatch, const char *name, char *const *command, Error *err) {
        _cleanup_free_ char *list = go_quoted_list(command);

        return commit_meta(dispatch, str_format("%s %s", name, list), err);
}

int dispatch_cmd(Dispatch *dispatch, Error *err) {
        ImageRunConfig *config = config_of(dispatch);

        strv_free(config->cmd);
        config->cmd = dispatch_command(dispatch, NULL);
        config->args_escaped = true;
        dispatch->cmd_set = true;
        return commit_command(dispatch, "CMD", config->cmd, err);
}

/* A CMD of the base was for the base's ENTRYPOINT. */
int dispatch_entrypoint(Dispatch *dispatch, Error *err) {
        ImageRunConfig *config = config_of(dispatch);

        strv_free(config->entrypoint);
        config->entrypoint = dispatch_command(dispatch, NULL);
        if (!dispatch->cmd_set)
                config->cmd = strv_free(config->cmd);
        return commit_command(dispatch, "ENTRYPOINT", config->entrypoint, err);
}

int dispatch_shell(Dispatch *dispatch, Error *err) {
        ImageRunConfig *config = config_of(dispatch);

        strv_free(config->shell);
        config->shell = strv_copy(dispatch->instruction->words);
        _cleanup_free_ char *list = go_list(config->shell);
        return commit_meta(dispatch, str_format("SHELL %s", list), err);
}

/* Their values were checked when the file was read; one that is missing or "" is 0. */
static void read_health_flags(const Instruction *at, HealthConfig *health) {
        const struct {
                const char *name;
                int64_t *value;
        } flags[] = { { "interval", &health->interval },
                      { "timeout", &health->timeout },
                      { "start-period", &health->start_period },
                      { "start-interval", &health->start_interval } };
        const char *retries = instruction_flag(at, "retries");

        for (size_t i = 0; i < ELEMENTS(flags); i++) {
                const char *written = instruction_flag(at, flags[i].name);

                if (str_empty(written) || duration_parse(written, flags[i].value) < 0)
                        *flags[i].value = 0;
        }
        if (str_empty(retries) || str_to_int64(retries, &health->retries) < 0)
                health->retries = 0;
}

static char *health_text(const HealthConfig *health) {
        _cleanup_free_ char *test = go_list(health->test);
        _cleanup_free_ char *interval = duration_text(health->interval);
        _cleanup_free_ char *timeout = duration_text(health->timeout);
        _cleanup_free_ char *period = duration_text(health->start_period);
        _cleanup_free_ char *start = duration_text(health->start_interval);

        return str_format("HEALTHCHECK {Test:%s Interval:%s Timeout:%s StartPeriod:%s "
                          "StartInterval:%s Retries:%lld}",
                          test, interval, timeout, period, start, (long long)health->retries);
}

int dispatch_health(Dispatch *dispatch, Error *err) {
        const Instruction *at = dispatch->instruction;
        HealthConfig *health = NEW(HealthConfig);
        bool none = !strcasecmp(at->words[0], "NONE");

        strv_add(&health->test, none ? "NONE" : at->is_json ? "CMD" : "CMD-SHELL");
        for (size_t i = 1; i < at->word_count; i++)
                strv_add(&health->test, at->words[i]);
        if (!none)
                read_health_flags(at, health);
        json_free(&health_config_table, config_of(dispatch)->health);
        config_of(dispatch)->health = health;
        return commit_meta(dispatch, health_text(health), err);
}

/* ---- how it is run ---- */

int dispatch_user(Dispatch *dispatch, Error *err) {
        _cleanup_free_ char *user = NULL;
        int r = dispatch_expand(dispatch, dispatch->instruction->words[0], &user, err);

        if (r < 0)
                return r;
        str_replace(&config_of(dispatch)->user, user);
        return commit_meta(dispatch, str_format("USER %s", user), err);
}

/* "/" is there in any case: no layer. */
int dispatch_workdir(Dispatch *dispatch, Error *err) {
        _cleanup_free_ char *written = NULL, *path = NULL;
        int r = dispatch_expand(dispatch, dispatch->instruction->words[0], &written, err);

        if (r < 0)
                return r;
        path = path_below(config_of(dispatch)->working_dir ?: "/", written);
        str_replace(&config_of(dispatch)->working_dir, path);
        bool root = str_equal(path, "/");
        char *words = str_format("WORKDIR %s", path);
        dispatch->step.workdir = TAKE_PTR(path);
        return dispatch_commit(dispatch, root ? STEP_META : STEP_WORKDIR, root, words, err);
}

/* A number, or a name with or without "SIG"; of realtime ones "RTMIN+n" and "RTMAX-n". */
static bool is_signal(const char *text) {
        const char *name = strncasecmp(text, "SIG", 3) ? text : text + 3;
        int number;

        if (str_to_int_in(text, 1, SIGRTMAX, &number) == 0)
                return true;
        for (number = 1; number < SIGRTMIN; number++)
                if (sigabbrev_np(number) && !strcasecmp(sigabbrev_np(number), name))
                        return true;
        if (!strcasecmp(name, "IOT") || !strcasecmp(name, "CLD") || !strcasecmp(name, "POLL"))
                return true;
        if (strncasecmp(name, "RTMIN", 5) != 0 && strncasecmp(name, "RTMAX", 5) != 0)
                return false;
        return !name[5] || (name[5] == (strncasecmp(name, "RTMIN", 5) ? '-' : '+') &&
                            str_to_int_in(name + 6, 1, SIGRTMAX - SIGRTMIN, &number) == 0);
}

int dispatch_stop_signal(Dispatch *dispatch, Error *err) {
        _cleanup_free_ char *signal = NULL;
        int r = dispatch_expand(dispatch, dispatch->instruction->words[0], &signal, err);

        if (r < 0)
                return r;
        if (!is_signal(signal))
                return dispatch_error(dispatch, err,
                                      "invalid signal: %.100s: give a number or a name, as SIGTERM",
                                      signal);
        str_replace(&config_of(dispatch)->stop_signal, signal);
        return commit_meta(dispatch, str_format("STOPSIGNAL %s", signal), err);
}

/* ---- sets ---- */

int dispatch_volume(Dispatch *dispatch, Error *err) {
        ImageRunConfig *config = config_of(dispatch);
        _cleanup_strv_ char **made = NULL;
        int r = expand_all(dispatch, &made, err);

        if (r < 0)
                return r;
        for (char **volume = made; *volume; volume++) {
                if (!**volume)
                        return dispatch_error(dispatch, err,
                                              "VOLUME specified can not be an empty string");
                if (!strv_has(config->volumes, *volume))
                        strv_add(&config->volumes, *volume);
        }
        _cleanup_free_ char *list = go_list(made);
        return commit_meta(dispatch, str_format("VOLUME %s", list), err);
}

static int compare_words(const void *a, const void *b) {
        return strcmp(*(char *const *)a, *(char *const *)b);
}

/* EXPOSE's words, sorted as they are written, then with their variables replaced and split. */
static int expand_ports(const Dispatch *dispatch, char ***ret, Error *err) {
        const Instruction *at = dispatch->instruction;
        WordRules rules = { .escape = dispatch->plan->file->directives.escape,
                            .env = dispatch->env };
        _cleanup_strv_ char **written = strv_copy(at->words), **made = NULL;
        Error why = {};

        if (written)
                qsort(written, at->word_count, sizeof(*written), compare_words);
        for (char **word = written; word && *word; word++) {
                _cleanup_strv_ char **words = NULL;

                if (words_expand(*word, &rules, &words, &why) < 0)
                        return dispatch_error(dispatch, err, "%s", why.message);
                for (char **one = words; *one; one++)
                        strv_add(&made, *one);
        }
        *ret = TAKE_PTR(made);
        return 0;
}

typedef struct PortSet {
        Map seen;
        char **list; /* of the configuration */
        size_t count;
} PortSet;

static void add_ports(PortSet *set, const ExposedPorts *ports, Buf *words) {
        for (unsigned port = ports->first; port <= ports->last; port++) {
                char text[16];

                (void)snprintf(text, sizeof(text), "%u/%s", port, ports->protocol);
                buf_format(words, "%s%s", words->data[words->length - 1] == '[' ? "" : " ", text);
                if (map_put(&set->seen, text, set))
                        continue;
                strv_take_at(&set->list, set->count++, str_copy(text));
        }
}

static int read_ports(Dispatch *dispatch, char *const *words, PortSet *set, Buf *text, Error *err) {
        buf_add_str(text, "EXPOSE [");
        for (; words && *words; words++) {
                ExposedPorts ports;
                Error why = {};

                if (exposed_ports_read(*words, &ports, &why) < 0)
                        return dispatch_error(dispatch, err, "%s", why.message);
                add_ports(set, &ports, text);
                int r = dispatch_count(dispatch, (ports.last - ports.first + 1u) * 16, err);
                if (r < 0)
                        return r;
        }
        buf_add_char(text, ']');
        return 0;
}

int dispatch_expose(Dispatch *dispatch, Error *err) {
        ImageRunConfig *config = config_of(dispatch);
        _cleanup_strv_ char **made = NULL;
        _cleanup_buf_ Buf words = {};
        PortSet set = { .list = config->exposed_ports,
                        .count = strv_length(config->exposed_ports) };
        int r = expand_ports(dispatch, &made, err);

        for (size_t i = 0; i < set.count; i++)
                (void)map_put(&set.seen, set.list[i], &set);
        if (r == 0)
                r = read_ports(dispatch, made, &set, &words, err);
        config->exposed_ports = set.list;
        map_done(&set.seen, NULL);
        return r < 0 ? r : commit_meta(dispatch, buf_take(&words), err);
}

/* ---- others ---- */

int dispatch_maintainer(Dispatch *dispatch, Error *err) {
        const char *name = dispatch->instruction->words[0];

        str_replace(&dispatch->made->config.author, name);
        return commit_meta(dispatch, str_format("MAINTAINER %s", name), err);
}

/* Kept for who builds upon the image; neither a step nor in the history, as with BuildKit. */
int dispatch_onbuild(Dispatch *dispatch, Error *err) {
        _cleanup_free_ char *source = instruction_source(dispatch->instruction->onbuild);

        strv_add(&config_of(dispatch)->on_build, source);
        return dispatch_count(dispatch, strlen(source), err);
}
