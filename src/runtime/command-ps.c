/* command-ps.c: ps prints a container's processes: their numbers, or the lines of the host's ps
 * that are theirs, as its columns are whatever the caller asks that program for. */
#include <errno.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/program.h"
#include "os/cgroup.h"
#include "runtime/cli.h"

#define OUTPUT_MAX (64 << 20)

static const CommandOption ps_options[] = {
        { "format", 'f', OPTION_TEXT, offsetof(Options, format),
          "table (the words that follow the id go to ps) or json" },
        {},
};

static void print_pids(const pid_t *pids, size_t count) {
        (void)fputs("[", stdout);
        for (size_t i = 0; i < count; i++)
                (void)printf("%s%d", i ? "," : "", (int)pids[i]);
        (void)fputs("]\n", stdout);
}

static int run_host_ps(char *const *words, char **ret, Error *err) {
        _cleanup_close_ int fd = memfd_create("ps", MFD_CLOEXEC);
        _cleanup_strv_ char **argv = strv_copy((char *[]){ (char *)"ps", NULL });
        const SpawnFd fds[] = { { fd, STDOUT_FILENO }, { STDERR_FILENO, STDERR_FILENO } };
        Spawn spawn = {
                .program = "/bin/ps", .environment = environ, .fds = fds, .fd_count = ELEMENTS(fds)
        };
        _cleanup_buf_ Buf text = {};
        int status = 0, r;
        pid_t pid = -1;

        for (; words && *words; words++)
                strv_add(&argv, *words);
        if (strv_length(argv) == 1)
                strv_add(&argv, "-ef");
        spawn.argv = argv;
        r = fd < 0 ? -errno : program_spawn(&spawn, &pid);
        if (r < 0)
                return error_set(err, -r, "run %s: use --format json", spawn.program);
        if (waitpid(pid, &status, 0) < 0 || status != 0)
                return error_kind(err, ERROR_INVALID, "%s: exit status %d", spawn.program,
                                  WEXITSTATUS(status));
        if (lseek(fd, 0, SEEK_SET) < 0 || (r = fd_read_all(fd, OUTPUT_MAX, &text)) < 0)
                return error_set(err, r < 0 ? -r : errno, "read what ps said");
        *ret = text.data ? buf_take(&text) : str_copy("");
        return 0;
}

/* Where "PID" stands among the columns' names; negative: nowhere. */
static int pid_column(const char *header) {
        _cleanup_strv_ char **words = str_split(header, ' ');
        int column = 0;

        for (char **word = words; word && *word; word++) {
                if (str_equal(*word, "PID"))
                        return column;
                column += **word != '\0';
        }
        return -1;
}

static bool is_member(const char *line, int column, const pid_t *pids, size_t count) {
        _cleanup_strv_ char **words = str_split(line, ' ');
        int at = 0, pid = -1;

        for (char **word = words; word && *word; word++) {
                if (!**word)
                        continue;
                if (at++ == column)
                        (void)str_to_int_in(*word, 1, INT32_MAX, &pid); /* else none of ours */
        }
        for (size_t i = 0; i < count; i++)
                if (pids[i] == pid)
                        return true;
        return false;
}

static int print_table(char *const *words, const pid_t *pids, size_t count, Error *err) {
        _cleanup_free_ char *text = NULL;
        _cleanup_strv_ char **lines = NULL;
        int column, r = run_host_ps(words, &text, err);

        if (r < 0)
                return r;
        lines = str_split(text, '\n');
        column = lines && lines[0] ? pid_column(lines[0]) : -1;
        if (column < 0)
                return error_kind(err, ERROR_INVALID, "couldn't find PID field in ps output");
        (void)puts(lines[0]);
        for (char **line = lines + 1; *line; line++)
                if (**line && is_member(*line, column, pids, count))
                        (void)puts(*line);
        return 0;
}

static int run_ps(const Options *options, char **words, Error *err) {
        _cleanup_close_ int dir_fd = -1, pidfd = -1;
        _cleanup_free_ pid_t *pids = NULL;
        ContainerStatus status = STATUS_STOPPED;
        Record record = {};
        size_t count = 0;
        int r = check_format(options->format, err);

        if (r == 0)
                r = record_load(options, words[0], &record, &dir_fd, &pidfd, &status, err);
        if (r == 0)
                r = cgroup_pids(record.cgroup, &pids, &count, err);
        if (r == 0 && str_equal(options->format, "json"))
                print_pids(pids, count);
        else if (r == 0)
                r = print_table(words + 1, pids, count, err);
        record_done(&record);
        return r;
}

const Command command_ps = {
        "ps",  "<container-id> [ps options]", "print a container's processes", 1, -1, ps_options,
        run_ps
};
