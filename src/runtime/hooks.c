/* hooks.c: runs a document's hooks, each with the container's state on standard input and within
 * its timeout. runtime-spec 1.2, config.md "POSIX-platform Hooks". */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/program.h"
#include "os/pidfd.h"
#include "runtime/private.h"

char *hook_state_text(const HookState *state) {
        _cleanup_buf_ Buf text = {};

        buf_add_str(&text, "{\"ociVersion\":");
        json_add_quoted(&text, state->version ?: "1.0.2");
        buf_add_str(&text, ",\"id\":");
        json_add_quoted(&text, state->id);
        buf_add_str(&text, ",\"status\":");
        json_add_quoted(&text, state->status);
        if (state->pid > 0)
                buf_format(&text, ",\"pid\":%d", (int)state->pid);
        buf_add_str(&text, ",\"bundle\":");
        json_add_quoted(&text, state->bundle ?: "");
        for (size_t i = 0; state->annotations && i < state->annotations->count; i++) {
                buf_add_str(&text, i ? "," : ",\"annotations\":{");
                json_add_quoted(&text, state->annotations->items[i].key);
                buf_add_char(&text, ':');
                json_add_quoted(&text, state->annotations->items[i].value);
        }
        if (state->annotations && state->annotations->count > 0)
                buf_add_char(&text, '}');
        buf_add_char(&text, '}');
        return buf_take(&text);
}

/* The state in a file rather than a pipe: nobody waits for a hook that does not read it. */
static int open_state(const HookState *state, int *ret_fd, Error *err) {
        _cleanup_free_ char *text = hook_state_text(state);
        _cleanup_close_ int fd = memfd_create("state", MFD_CLOEXEC);
        int r;

        if (fd < 0)
                return error_set(err, errno, "memfd");
        r = fd_write_full(fd, text, strlen(text));
        if (r < 0 || lseek(fd, 0, SEEK_SET) < 0)
                return error_set(err, r < 0 ? -r : errno, "memfd");
        *ret_fd = TAKE_FD(fd);
        return 0;
}

static int spawn(const OciHook *hook, char *const *environment, int state_fd, int output_fd,
                 pid_t *ret, Error *err) {
        char *just_path[] = { hook->path, NULL };
        const SpawnFd fds[] = { { state_fd, STDIN_FILENO },
                                { output_fd, STDOUT_FILENO },
                                { output_fd, STDERR_FILENO } };
        const Spawn spawn = { .program = hook->path,
                              .argv = hook->args && *hook->args ? hook->args : just_path,
                              .environment = hook->env ?: (char **)environment,
                              .fds = fds,
                              .fd_count = ELEMENTS(fds) };
        int r = program_spawn(&spawn, ret);

        return r < 0 ? error_set(err, -r, "start '%s'", hook->path) : 0;
}

/* What the hook said last, for the error. */
static void output_tail(int fd, char *text, size_t size) {
        off_t length = lseek(fd, 0, SEEK_END);
        off_t from = length > (off_t)size - 1 ? length - (off_t)size + 1 : 0;
        ssize_t n = pread(fd, text, size - 1, from);

        text[n > 0 ? n : 0] = '\0';
}

/* As Go's runtimes write them: "bad system call". */
static const char *signal_words(int signal) {
        static char words[64];

        (void)snprintf(words, sizeof(words), "%s", sigdescr_np(signal) ?: "unknown");
        return str_lower(words);
}

static int run_one(const OciHook *hook, const HookState *state, char *const *environment,
                   Error *err) {
        _cleanup_close_ int state_fd = -1, pidfd = -1,
                            output_fd = memfd_create("output", MFD_CLOEXEC);
        char output[512];
        int status = 0, r = open_state(state, &state_fd, err);
        pid_t pid;

        if (r == 0)
                r = spawn(hook, environment, state_fd, output_fd, &pid, err);
        if (r == 0)
                r = pidfd_of_child(pid, &pidfd, err);
        if (r < 0)
                return r;
        r = hook->timeout ? pidfd_wait_or_kill(&pidfd, *hook->timeout * NSEC_PER_SEC, &status, err)
                          : pidfd_wait(pidfd, &status, err);
        if (r == -ETIMEDOUT)
                return error_kind(err, ERROR_INTERNAL, "did not end within %lld s",
                                  (long long)*hook->timeout);
        if (r < 0 || status == 0)
                return r;
        output_tail(output_fd, output, sizeof(output));
        if (WIFSIGNALED(status))
                return error_kind(err, ERROR_INTERNAL, "error running hook: signal: %s, output: %s",
                                  signal_words(WTERMSIG(status)), output);
        return error_kind(err, ERROR_INTERNAL, "error running hook: exit status %d, output: %s",
                          WEXITSTATUS(status), output);
}

int hooks_run(const JsonArray *hooks, const char *kind, const HookState *state,
              char *const *environment, Error *err) {
        const OciHook *list = hooks->items;

        for (size_t i = 0; i < hooks->count; i++) {
                int r = run_one(&list[i], state, environment, err);

                if (r < 0)
                        return error_prefix(err, "error running %s hook #%zu", kind, i);
        }
        return 0;
}
