/* job-git.c: the job that asks a git server for its refs, and the one that fetches a commit and its
 * submodules into a directory: a "start" message whose `name` is "refs" or "checkout", `path` the
 * URL, `headers` "<origin> <header>" and `environment` the proxies. Answers with `ref`, `object`
 * and `commit`, or with `commit` and `time`. git does the work, as a user of its own and in a
 * namespace of processes that ends with this program, which ends with its socket. What git wrote is
 * given back to root here, once nothing of git's is left. See job.h. */
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
#include "image/git.h"
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

/* What the child checked out, for its parent. */
typedef struct GitResult {
        char commit[GIT_OBJECT_MAX];
        int64_t time;
} GitResult;

static int ask_refs(GitJob *job, Error *err) {
        char *arguments[] = { (char *)"ls-remote", (char *)"--symref", (char *)"-q",
                              (char *)"--",        (char *)"origin",   NULL };
        _cleanup_(git_output_done) GitOutput output = {};
        _cleanup_(git_found_done) GitFound found = {};
        int r = git_remote_run(job, arguments, NULL, &output, err);

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

static int ask_checkout(GitJob *job, int result_fd, Error *err) {
        GitResult result = {};
        int r = git_checkout(job, result.commit, &result.time, err);

        if (r < 0)
                return r;
        r = fd_write_full(result_fd, &result, sizeof(result));
        return r < 0 ? error_set(err, -r, "tell what was checked out") : 0;
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

static int run_confined(const ImageMessage *request, bool agent, int result_fd, Error *err) {
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

        for (char *const *proxy = request->environment; proxy && *proxy; proxy++)
                (void)putenv(*proxy); /* for libcurl in this process; the request lasts */
        if (r == 0)
                r = git_remote_set(&job, request->path, err);
        if (r == 0)
                r = str_equal(request->name, "refs") ? ask_refs(&job, err)
                                                     : ask_checkout(&job, result_fd, err);
        free(job.url);
        return r < 0 && err->message[0] ? explain(r, request, err) : r;
}

/* ---- processes ---- */

/* What brigd gave beside the socket, seen before anything else takes its numbers. */
typedef struct Given {
        bool target, agent;
} Given;

static bool is_open(int fd) {
        return fcntl(fd, F_GETFD) >= 0;
}

static Given look_at_given(void) {
        const Given given = { is_open(IMAGE_FD_TARGET), is_open(IMAGE_FD_AGENT) };

        (void)fcntl(IMAGE_FD_SOCKET, F_SETFD, FD_CLOEXEC);
        if (given.target)
                (void)fcntl(IMAGE_FD_TARGET, F_SETFD, FD_CLOEXEC);
        if (given.agent)
                (void)fcntl(IMAGE_FD_AGENT, F_SETFD, FD_CLOEXEC);
        return given;
}

/* The parent's end ends this process, too; it may have come before this could be said. */
static int end_with_parent(int result_fd, Error *err) {
        struct pollfd result = { .fd = result_fd };

        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
                return error_set(err, errno, "end with brig-image");
        return poll(&result, 1, 0) > 0 ? -EPIPE : 0;
}

/* Pid 1 of the new namespace: what it started ends with it. */
static int run_child(Given given, int result_fd, Error *err) {
        _cleanup_(image_message_done) ImageMessage request = {};
        int r;

        (void)umask(022); /* what is made for git is git's to read */
        r = image_message_receive(IMAGE_FD_SOCKET, &request, NULL, 0, NULL, err);
        if (r <= 0)
                return r;
        if (!request.path || !request.name)
                return error_kind(err, ERROR_INTERNAL, "brig-image was asked for no repository");
        r = confine_for_git(given.target ? IMAGE_FD_TARGET : -1, given.agent ? IMAGE_FD_AGENT : -1,
                            err);
        if (r == 0) /* another user forgets it */
                r = end_with_parent(result_fd, err);
        if (r < 0)
                return r;
        if (given.target)
                (void)close(IMAGE_FD_TARGET); /* it is GIT_WORK now */
        if (given.agent)
                (void)close(IMAGE_FD_AGENT);
        return run_confined(&request, given.agent, result_fd, err);
}

static void be_child(Given given, int result_fd) {
        Error err = {};
        int r = run_child(given, result_fd, &err);

        if (r < 0 && !err.message[0])
                (void)error_set(&err, -r, "git");
        if (r < 0)
                image_message_send_error(IMAGE_FD_SOCKET, &err);
        _exit(r < 0);
}

/* Until the child has ended, or nobody is at the other end of the socket: then with all that it has
 * started. It has said why it failed. */
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
        if (!fds[0].revents)
                return -EPIPE;
        if (!WIFEXITED(status))
                return error_kind(err, ERROR_INTERNAL, "the child that runs git was killed");
        if (WEXITSTATUS(status) != 0)
                _exit(WEXITSTATUS(status));
        return 0;
}

/* ---- the files' owner ---- */

static int give_to(uid_t user, Error *err) {
        return fchown(IMAGE_FD_TARGET, user, user) < 0
                       ? error_set(err, errno, "make user %u the owner of what git writes", user)
                       : 0;
}

/* All of git's processes have ended: nothing moves in there any more. */
static int take_back(const GitResult *result, Error *err) {
        const ImageMessage done = { .kind = (char *)"done",
                                    .commit = (char *)result->commit,
                                    .time = result->time };
        _cleanup_close_ int files_fd = -1;
        int r = dir_open_at(IMAGE_FD_TARGET, "fs", 0, &files_fd, err);

        if (r == 0)
                r = git_settle(files_fd, result->time, err);
        if (r == 0)
                r = give_to(0, err);
        return r < 0 ? r : image_message_send(IMAGE_FD_SOCKET, &done, NULL, 0);
}

static int finish(int result_fd, Error *err) {
        GitResult result = {};
        ssize_t n = fd_read_full(result_fd, &result, sizeof(result));

        if (n < 0)
                return error_set(err, (int)-n, "hear what was checked out");
        if (n == 0) /* refs: the child has answered */
                return 0;
        if (n < (ssize_t)sizeof(result) || result.commit[GIT_OBJECT_MAX - 1] != '\0')
                return error_kind(err, ERROR_INTERNAL,
                                  "the child that runs git did not say what "
                                  "it checked out");
        return take_back(&result, err);
}

int job_git(Error *err) {
        /* Directories within directories are open while owners are set: git_settle. */
        static const ConfineLimit limit = { RLIMIT_NOFILE, 4096 };
        const Given given = look_at_given();
        _cleanup_close_ int result_fd = -1, child_fd = -1;
        int result[2], r;
        pid_t pid;

        r = confine_limits(&limit, 1, err);
        if (r == 0 && given.target)
                r = give_to(GIT_USER, err);
        if (r < 0)
                return r;
        if (pipe2(result, O_CLOEXEC) < 0)
                return error_set(err, errno, "make a pipe");
        result_fd = result[0];
        child_fd = result[1];
        if (unshare(CLONE_NEWPID) < 0)
                return error_set(err, errno, "make a namespace of processes");
        pid = fork();
        if (pid < 0)
                return error_set(err, errno, "start the child that runs git");
        if (pid == 0) {
                close_fd(&result_fd);
                be_child(given, child_fd);
        }
        close_fd(&child_fd);
        r = wait_child(pid, err);
        return r < 0 ? r : finish(result_fd, err);
}
