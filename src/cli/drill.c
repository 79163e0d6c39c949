/* drill.c: `brig drill`: starts brig-drill, which does it (docs/drill.md), in place of this
 * program. */
#include <errno.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/drill-options.h"

extern char **environ;

/* Beside this program, in libexec, or where the build leaves it, which is looked at only where it
 * is Meson's: what lies beside an installed brig may be anybody's. "" where there is none. The
 * caller's. */
static char *find_program(void) {
        static const struct {
                const char *program, *needs;
        } places[] = { { "brig-drill", "brig-drill" },
                       { "../libexec/brig/brig-drill", "../libexec/brig/brig-drill" },
                       { "../drill/brig-drill", "../../build.ninja" } };
        char self[4096];
        ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
        char *slash;

        self[MAX(length, 0)] = '\0';
        slash = strrchr(self, '/');
        for (size_t i = 0; slash && i < ELEMENTS(places); i++) {
                int folder_length = (int)(slash - self);
                _cleanup_free_ char *path =
                        str_format("%.*s/%s", folder_length, self, places[i].program);
                _cleanup_free_ char *needs =
                        str_format("%.*s/%s", folder_length, self, places[i].needs);

                if (access(path, X_OK) == 0 && access(needs, F_OK) == 0)
                        return TAKE_PTR(path);
        }
        return str_copy("");
}

static char **words_for(const Cli *cli, const DrillOptions *o, char *const *names) {
        char **words = NULL;

        strv_add(&words, "brig-drill");
        if (!o->list)
                strv_add(&words, cli->host);
        else
                strv_add(&words, "");
        if (o->format)
                strv_format(&words, "--format=%s", o->format);
        if (o->list)
                strv_add(&words, "--list");
        if (o->rounds)
                strv_format(&words, "--rounds=%lld", (long long)o->rounds);
        strv_add(&words, "--");
        for (; names && *names; names++)
                strv_add(&words, *names);
        return words;
}

static int check(Cli *cli, const Options *options, Error *err) {
        const DrillOptions *o = options->values;

        if (o->format && !strv_has((char *const *)drill_formats, o->format))
                return error_kind(err, ERROR_INVALID,
                                  "--format '%s' is none of text, json and junit", o->format);
        if (options_given(options, "rounds") && (o->rounds < 1 || o->rounds > 1000000))
                return error_kind(err, ERROR_INVALID, "--rounds is 1 to 1000000");
        if (o->list)
                return 0;
        if (geteuid() != 0)
                return error_kind(err, ERROR_FORBIDDEN,
                                  "a drill looks at the host before and after: run it as root");
        int r = cli_need_brigd(cli, "drills are done", err);

        if (r == 0 && !str_after(cli->host, "unix://"))
                return error_kind(err, ERROR_UNSUPPORTED,
                                  "a drill looks at the daemon's host, and %s may be another: run "
                                  "it there, over its Unix socket",
                                  cli->host);
        return r;
}

static int run_drill(Cli *cli, const Options *options, Error *err) {
        _cleanup_free_ char *program = NULL;
        _cleanup_strv_ char **words = NULL;
        int r = check(cli, options, err);

        if (r < 0)
                return r;
        program = find_program();
        words = words_for(cli, options->values, options->arguments);
        (void)execve(program, words, environ);
        return error_kind(err, ERROR_NOT_FOUND,
                          "the program brig-drill does not start from ../libexec/brig beside brig "
                          "(%s): install brig as a whole",
                          strerror(errno));
}

const Command drill_command = { "[OPTIONS] [DRILL...]",
                                "Try known attacks on the running engine, and show what held",
                                { NULL, 0, 0 },
                                run_drill,
                                0,
                                -1,
                                0,
                                &drill_option_table };
