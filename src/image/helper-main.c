/* helper-main.c: brig-image, the program that brigd starts, confined, for what meets untrusted
 * input or needs large libraries: registries, downloads, and reading archives. `brig-image JOB`,
 * never by hand. */
#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "image/job.h"
#include "image/message.h"

static const struct {
        const char *name;
        int (*run)(Error *err);
} jobs[] = {
        { "unpack", job_unpack }, { "tree", job_tree },         { "stage", job_stage },
        { "fetch", job_fetch },   { "download", job_download }, { "compress", job_compress },
        { "git", job_git },       { "copy", job_copy },
};

/* `brig cp`'s. */
static const struct {
        const char *name;
        int (*run)(char **words, Error *err);
} local_jobs[] = { { "pack-local", job_pack_local }, { "unpack-local", job_unpack_local } };
#define LOCAL_WORDS 3
#define LOCAL_NOT_READ 2 /* nobody reads the archive any more: who reads knows why */

static int usage(void) {
        (void)fputs("brig-image: brigd starts this program by itself; it is of no use by hand\n",
                    stderr);
        return 64;
}

static int run_local(char **argv) {
        for (size_t i = 0; i < ELEMENTS(local_jobs); i++) {
                Error err = {};

                if (!str_equal(argv[1], local_jobs[i].name))
                        continue;
                int r = local_jobs[i].run(argv + 2, &err);

                if (r >= 0)
                        return 0;
                if (r == -EPIPE)
                        return LOCAL_NOT_READ;
                (void)fprintf(stderr, "%s\n", err.message);
                return 1;
        }
        return usage();
}

int main(int argc, char *argv[]) {
        if (argc == 2 + LOCAL_WORDS) {
                (void)signal(SIGPIPE, SIG_IGN);
                (void)setlocale(LC_CTYPE, "C.UTF-8");
                return run_local(argv);
        }
        if (argc != 2)
                return usage();
        /* brigd's end of the socket tells that it has gone; the signal ends a job that isn't
         * listening. */
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        /* Its descriptors and program are not for a container in the host's pid namespace, whose
         * capabilities may be more than a confined job's: ptrace(2), "access mode checking". */
        (void)prctl(PR_SET_DUMPABLE, 0);
        (void)signal(SIGPIPE, SIG_IGN);
        (void)setlocale(LC_CTYPE, "C.UTF-8"); /* libarchive reads names by it */
        for (size_t i = 0; i < ELEMENTS(jobs); i++) {
                Error err = {};
                int r;

                if (!str_equal(argv[1], jobs[i].name))
                        continue;
                r = jobs[i].run(&err);
                if (r < 0 && !err.message[0])
                        (void)error_set(&err, -r, "%s", jobs[i].name);
                if (r < 0)
                        image_message_send_error(IMAGE_FD_SOCKET, &err);
                _exit(r < 0); /* what the job left behind goes with the process */
        }
        return usage();
}
