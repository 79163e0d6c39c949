/* main.c: brig-drill, which `brig drill` starts: HOST, then the command's own options and names.
 * Tries the drills one after the other and looks at the host before and after each. */
#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/drill-options.h"
#include "drill/drill.h"

#define ROUNDS 200
#define DRILLS_MAX 128
#define IMAGE "brig-drill:guest"

static size_t all_drills(const Drill *ret[DRILLS_MAX]) {
        size_t count = 0;

        for (const DrillSet *const *set = drill_sets; *set; set++)
                for (size_t i = 0; i < (*set)->count && count < DRILLS_MAX; i++)
                        ret[count++] = &(*set)->drills[i];
        return count;
}

/* In the catalogue's order, whatever the names' is. */
static int choose(char *const *names, const Drill *ret[DRILLS_MAX], size_t *ret_count, Error *err) {
        const Drill *all[DRILLS_MAX];
        size_t count = all_drills(all), chosen = 0;

        for (char *const *name = names; name && *name; name++) {
                bool known = false;

                for (size_t i = 0; i < count; i++)
                        known = known || str_equal(all[i]->name, *name);
                if (!known)
                        return error_kind(err, ERROR_NOT_FOUND,
                                          "no drill '%s': --list shows what there is", *name);
        }
        for (size_t i = 0; i < count; i++)
                if (strv_length(names) == 0 || strv_has(names, all[i]->name))
                        ret[chosen++] = all[i];
        *ret_count = chosen;
        return 0;
}

static int make_guest_image(Cli *cli, Error *err) {
        _cleanup_buf_ Buf tar = {};
        int r = box_guest_tar(&tar, err);

        if (r < 0)
                return r;
        tar_end(&tar);
        return box_import(cli, "guest", &tar, NULL, err);
}

/* What the daemon opens for its first container stays open: that is no drill's doing. */
static int warm_up(Cli *cli, Error *err) {
        _cleanup_json_ json_object *request = box_request(IMAGE, "directory");
        _cleanup_(box_end_done) BoxEnd end = {};
        int r = box_run(cli, request, &end, err);

        return r < 0 || !end.refused
                       ? r
                       : error_kind(err, ERROR_UNAVAILABLE, "no container runs: %s", end.output);
}

static void try_drill(Cli *cli, const Host *host, const Drill *drill, int64_t rounds, Result *ret) {
        _cleanup_strv_ char **before = NULL;
        _cleanup_buf_ Buf got = {};
        Attempt attempt = { cli, IMAGE, host, host->directory, rounds, &got };
        int64_t begin = clock_monotonic();
        Error err = {};
        int r = host_renew(host, &err);

        host_settle(host);
        before = host_snapshot(host);
        if (r == 0)
                r = drill->run(drill, &attempt, &err);
        host_compare(host, before, &got);
        *ret = (Result){ .drill = drill, .duration = clock_monotonic() - begin };
        ret->verdict = got.length > 0 ? VERDICT_BROKEN : r < 0 ? VERDICT_ERROR : VERDICT_HELD;
        ret->detail = ret->verdict == VERDICT_ERROR ? str_copy(err.message) : buf_take(&got);
}

static int try_all(Cli *cli, const Drill *const *drills, size_t count, const DrillOptions *o,
                   Error *err) {
        _cleanup_(host_done) Host host = {};
        Result results[DRILLS_MAX];
        size_t held = 0, tried = 0, removed = 0;
        Error ignored = {};
        int r = run_name_begin(err);

        if (r == 0)
                r = host_begin(cli, &host, err);
        if (r < 0)
                return r;
        leftovers_remove(cli, &host);
        r = make_guest_image(cli, err);
        if (r == 0)
                r = warm_up(cli, err);
        if (r < 0) {
                (void)images_remove(cli, &removed, &ignored);
                return r;
        }
        for (; tried < count && interrupt_signal() == 0; tried++) {
                try_drill(cli, &host, drills[tried], o->rounds ?: ROUNDS, &results[tried]);
                held += results[tried].verdict == VERDICT_HELD;
        }
        report_write(o->format, results, tried, stdout);
        for (size_t i = 0; i < tried; i++)
                free(results[i].detail);
        r = images_remove(cli, &removed, err);
        if (r == 0 && interrupt_signal() > 0)
                return 128 + interrupt_signal();
        return r < 0 ? r : held == count ? 0 : 1;
}

static int run(char **words, const char *host, Error *err) {
        DrillOptions values = {};
        Options options = { .values = &values };
        char *hosts[] = { (char *)host, NULL };
        Cli cli = { .program = "brig", .hosts = hosts, .no_start = true };
        const Drill *drills[DRILLS_MAX];
        size_t count = 0;
        int r = options_parse(&drill_option_table, words, true, &options, err);

        if (r == 0)
                r = choose(options.arguments, drills, &count, err);
        if (r == 0 && values.list)
                report_list(values.format, drills, count, stdout);
        else if (r == 0) {
                interrupt_begin();
                r = try_all(&cli, drills, count, &values, err);
        }
        cli_disconnect(&cli);
        free(cli.api);
        options_done(&options);
        return r;
}

int main(int argc, char **argv) {
        Error err = {};
        int r;

        if (argc < 3) {
                (void)fputs("brig-drill: 'brig drill' starts it\n", stderr);
                return 64;
        }
        (void)umask(022);
        /* A daemon that closes first, or who reads no report, ends nothing half done. */
        (void)signal(SIGPIPE, SIG_IGN);
        r = run(argv + 2, argv[1], &err);
        if (fflush(stdout) != 0)
                return 1;
        return r < 0 ? cli_complain(&err) : r;
}
