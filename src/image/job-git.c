/* job-git.c: the job that asks a git server for its refs, and the one that fetches a commit and its
 * submodules into a directory: a "start" message whose `name` is "refs" or "checkout", `path` the
 * URL, `headers` "<origin> <header>" and `environment` the proxies. Answers with `ref`, `object`
 * and `commit`, or with `commit` and `time`. git does the work, in a namespace of processes that
 * ends with this program, which ends with its socket. See job.h. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "image/confine.h"
#include "image/git-job.h"
#include "image/job.h"

#define IDLE (300 * NSEC_PER_SEC)
#define TOTAL (3600 * NSEC_PER_SEC)
#define OUTPUT_MAX ((size_t)256 << 20)
#define REPORT_EVERY (200 * NSEC_PER_MSEC)

/* ---- what git is given ---- */

static const char *const fixed_environment[] = {
        "PATH=/usr/bin:/bin",
        "HOME=" GIT_TEMPORARY,
        "TMPDIR=" GIT_TEMPORARY,
        "LC_ALL=C.UTF-8",
        "GIT_CONFIG_NOSYSTEM=1",
        "GIT_CONFIG_GLOBAL=" GIT_TEMPORARY "/config",
        "GIT_ATTR_NOSYSTEM=1",
        "GIT_ALLOW_PROTOCOL=http:https:ssh:git",
        "GIT_TERMINAL_PROMPT=0",
        "GIT_ASKPASS=",
        "GIT_NO_REPLACE_OBJECTS=1",
        "GIT_LITERAL_PATHSPECS=1",
        "GIT_OPTIONAL_LOCKS=0",
        "GIT_FLUSH=1",
        "GIT_SSH_VARIANT=ssh",
        /* The machine's list of known hosts counts; one that it does not have is taken as it is. */
        "GIT_SSH_COMMAND=ssh -F /dev/null -o BatchMode=yes -o StrictHostKeyChecking=accept-new "
        "-o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o ConnectTimeout=30 "
        "-o ServerAliveInterval=15 -o ServerAliveCountMax=4 -o ForwardAgent=no "
        "-o ControlPath=none -o PermitLocalCommand=no",
        NULL,
};

static char **make_environment(const ImageMessage *request, bool agent) {
        char **environment = strv_copy((char *const *)fixed_environment);

        if (agent)
                strv_add(&environment, "SSH_AUTH_SOCK=" GIT_AGENT);
        for (char *const *item = request->environment; item && *item; item++)
                strv_add(&environment, *item);
        return environment;
}

static const char *find_program(const char *const *paths) {
        while (*paths && access(*paths, X_OK) < 0)
                paths++;
        return *paths;
}

static int find_programs(GitJob *job, Error *err) {
        static const char *const git[] = { "/usr/bin/git", "/usr/local/bin/git", "/bin/git", NULL };
        static const char *const ssh[] = { "/usr/bin/ssh", "/bin/ssh", NULL };
        bool is_http = str_after(job->request->path, "http") != NULL;

        job->runner.program = find_program(git);
        if (!job->runner.program)
                return error_kind(err, ERROR_UNAVAILABLE,
                                  "git is not installed where the engine runs: install its "
                                  "package (apt-get install git), or name a tar archive of the "
                                  "repository");
        if (!is_http && !str_after(job->request->path, "git://") && !find_program(ssh))
                return error_kind(err, ERROR_UNAVAILABLE,
                                  "ssh is not installed where the engine runs: install its "
                                  "package (apt-get install openssh-client), or give an https URL");
        return 0;
}

/* ---- telling ---- */

typedef struct Telling {
        int64_t told;
} Telling;

static int tell(void *data, const char *line) {
        ImageMessage message = { .kind = (char *)"progress", .name = (char *)line };
        Telling *telling = data;
        int64_t now = clock_monotonic();

        if (now - telling->told < REPORT_EVERY)
                return 0;
        telling->told = now;
        return image_message_send(IMAGE_FD_SOCKET, &message, NULL, 0);
}

/* ---- the two questions ---- */

static int ask_refs(GitJob *job, Error *err) {
        char *arguments[] = { (char *)"ls-remote", (char *)"--symref", (char *)"-q",
                              (char *)"--",        (char *)"origin",   NULL };
        _cleanup_(git_output_done) GitOutput output = {};
        _cleanup_(git_found_done) GitFound found = {};
        int r = git_run(&job->runner, arguments, NULL, &output, err);

        if (r == 0)
                r = git_refs_find(output.text.data ?: "", job->request->ref, &found, err);
        if (r < 0)
                return r;
        const ImageMessage done = { .kind = (char *)"done",
                                    .ref = found.name,
                                    .object = found.object,
                                    .commit = found.commit };
        return image_message_send(IMAGE_FD_SOCKET, &done, NULL, 0);
}

static int ask_checkout(GitJob *job, Error *err) {
        char commit[GIT_OBJECT_MAX];
        int64_t time;
        int r = git_checkout(job, commit, &time, err);
        const ImageMessage done = { .kind = (char *)"done", .commit = commit, .time = time };

        return r < 0 ? r : image_message_send(IMAGE_FD_SOCKET, &done, NULL, 0);
}

/* git's own words say little to who has not run it. */
static int explain(int r, const ImageMessage *request, Error *err) {
        static const char *const signs[] = {
                "could not read Username", "could not read Password",    "Authentication failed",
                "Permission denied",       "Could not read from remote", "returned error: 403"
        };

        for (size_t i = 0; i < ELEMENTS(signs); i++) {
                char words[600];

                if (!strstr(err->message, signs[i]))
                        continue;
                (void)snprintf(words, sizeof(words), "%.599s", err->message);
                return error_kind(err, ERROR_FORBIDDEN,
                                  "git '%s': %s: it may need --secret id=GIT_AUTH_TOKEN,env=… for "
                                  "https, or --ssh default for ssh",
                                  request->path, words);
        }
        return r == -ECANCELED ? r : error_prefix(err, "git '%s'", request->path);
}

static int run_confined(const ImageMessage *request, bool agent, Error *err) {
        Telling telling = {};
        _cleanup_strv_ char **environment = make_environment(request, agent);
        GitJob job = { .request = request,
                       .environment = environment,
                       .work_fd = -1,
                       .runner = { .environment = environment,
                                   .idle = IDLE,
                                   .total = TOTAL,
                                   .output_max = OUTPUT_MAX,
                                   .alive = tell,
                                   .data = &telling } };
        int r = find_programs(&job, err);

        (void)umask(022);
        if (r == 0)
                r = git_config_write(request->path, request->headers, err);
        if (r < 0)
                return r;
        r = str_equal(request->name, "refs") ? ask_refs(&job, err) : ask_checkout(&job, err);
        return r < 0 && err->message[0] ? explain(r, request, err) : r;
}

/* ---- processes ---- */

static bool is_open(int fd) {
        return fcntl(fd, F_GETFD) >= 0;
}

/* Pid 1 of the new namespace: what it started ends with it. */
static int run_child(Error *err) {
        _cleanup_(image_message_done) ImageMessage request = {};
        bool agent = is_open(IMAGE_FD_AGENT);
        int r;

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        r = image_message_receive(IMAGE_FD_SOCKET, &request, NULL, 0, NULL, err);
        if (r <= 0)
                return r;
        if (!request.path || !request.name)
                return error_kind(err, ERROR_INTERNAL, "brig-image was asked for no repository");
        r = confine_for_git(is_open(IMAGE_FD_TARGET) ? IMAGE_FD_TARGET : -1,
                            agent ? IMAGE_FD_AGENT : -1, err);
        if (r == 0) {
                (void)close(IMAGE_FD_TARGET); /* it is GIT_WORK now */
                (void)close(IMAGE_FD_AGENT);
                r = run_confined(&request, agent, err);
        }
        return r;
}

static int exit_status(int status, Error *err) {
        if (WIFEXITED(status))
                _exit(WEXITSTATUS(status)); /* it has said why */
        return error_kind(err, ERROR_INTERNAL, "the child that runs git was killed");
}

/* Until the child has ended, or nobody is at the other end of the socket: then with all that it has
 * started. */
static int wait_child(pid_t pid, Error *err) {
        _cleanup_close_ int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
        struct pollfd fds[] = { { .fd = pidfd, .events = POLLIN }, { .fd = IMAGE_FD_SOCKET } };
        int status;

        if (pidfd < 0)
                return error_set(err, errno, "watch the child that runs git");
        while (poll(fds, ELEMENTS(fds), -1) < 0)
                if (errno != EINTR)
                        return error_set(err, errno, "wait for the child that runs git");
        if (!fds[0].revents)
                (void)kill(pid, SIGKILL);
        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return error_set(err, errno, "wait for the child that runs git");
        return fds[0].revents ? exit_status(status, err) : -EPIPE;
}

int job_git(Error *err) {
        pid_t pid;

        for (int fd = IMAGE_FD_SOCKET; fd <= IMAGE_FD_AGENT; fd++)
                if (is_open(fd))
                        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
        if (unshare(CLONE_NEWPID) < 0)
                return error_set(err, errno, "make a namespace of processes");
        pid = fork();
        if (pid < 0)
                return error_set(err, errno, "start the child that runs git");
        if (pid > 0)
                return wait_child(pid, err);
        int r = run_child(err);
        if (r < 0 && !err->message[0])
                (void)error_set(err, -r, "git");
        if (r < 0)
                image_message_send_error(IMAGE_FD_SOCKET, err);
        _exit(r < 0);
}
