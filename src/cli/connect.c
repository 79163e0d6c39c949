/* connect.c: where the daemon is, starting one where none runs and it may, and the version of the
 * API that is spoken. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "base/clock.h"
#include "base/fd.h"
#include "cli/cli.h"
#include "cli/config.h"
#include "cli/endpoint.h"

#define RUN_DIRECTORY "/run/brig"
#define LOG_PATH RUN_DIRECTORY "/brigd.log"
#define START_TIMEOUT (10 * NSEC_PER_SEC)
#define LOG_TAIL 1200

extern char **environ;

/* ---- starting a daemon ---- */

/* The daemon beside this program, else its bare name, to be found in PATH. The caller's. */
static char *find_daemon(void) {
        char self[4096];
        ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
        _cleanup_free_ char *beside = NULL;
        char *slash;

        if (length <= 0)
                return str_copy("brigd");
        self[length] = '\0';
        slash = strrchr(self, '/');
        *slash = '\0';
        beside = str_format("%s/brigd", self);
        return access(beside, X_OK) == 0 ? TAKE_PTR(beside) : str_copy("brigd");
}

/* A socket on which the daemon says READY=1 (sd_notify(3)); its abstract address goes to name. */
static int notify_socket(char name[64], Error *err) {
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        size_t length;

        if (fd < 0)
                return error_set(err, errno, "socket");
        (void)snprintf(name, 64, "@brig-start-%d", (int)getpid());
        length = strlen(name);
        memcpy(address.sun_path, name, length);
        address.sun_path[0] = '\0';
        if (bind(fd, (struct sockaddr *)&address,
                 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) < 0)
                return error_set(err, errno, "bind the readiness socket '%s'", name);
        return TAKE_FD(fd);
}

static int spawn_daemon(const char *program, const char *notify, int log_fd, Error *err) {
        char *const words[] = { (char *)program, NULL };
        _cleanup_strv_ char **environment = strv_copy(environ);
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attributes;
        pid_t pid;
        int r, pidfd;

        env_put(&environment, "NOTIFY_SOCKET", notify);
        (void)posix_spawn_file_actions_init(&actions);
        (void)posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        (void)posix_spawn_file_actions_adddup2(&actions, log_fd, STDOUT_FILENO);
        (void)posix_spawn_file_actions_adddup2(&actions, log_fd, STDERR_FILENO);
        (void)posix_spawnattr_init(&attributes);
        (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
        r = posix_spawnp(&pid, program, &actions, &attributes, words, environment);
        (void)posix_spawnattr_destroy(&attributes);
        (void)posix_spawn_file_actions_destroy(&actions);
        if (r != 0)
                return error_set(err, r, "start the daemon '%s'", program);
        pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
        return pidfd < 0 ? error_set(err, errno, "pidfd_open") : pidfd;
}

/* Waits until the daemon is ready or gone. */
static int await_ready(int notify_fd, int pidfd) {
        int64_t end = clock_monotonic() + START_TIMEOUT;
        struct pollfd fds[] = { { notify_fd, POLLIN, 0 }, { pidfd, POLLIN, 0 } };

        for (;;) {
                int64_t left = end - clock_monotonic();
                char text[512];
                ssize_t got;

                if (left <= 0)
                        return -ETIMEDOUT;
                if (poll(fds, 2, (int)(left / NSEC_PER_MSEC) + 1) < 0 && errno != EINTR)
                        return -errno;
                if (fds[0].revents & POLLIN) {
                        got = recv(notify_fd, text, sizeof(text) - 1, MSG_DONTWAIT);
                        text[MAX(got, 0)] = '\0';
                        if (strstr(text, "READY=1"))
                                return 0;
                } else if (fds[1].revents & POLLIN) {
                        return -ECHILD;
                }
        }
}

/* What the daemon logged from start on, its end. The caller's. */
static char *log_tail(int log_fd, off_t start) {
        _cleanup_free_ char *text = NEW_ARRAY(char, LOG_TAIL + 1);
        off_t end = lseek(log_fd, 0, SEEK_END);
        ssize_t got;

        start = MAX(start, end - LOG_TAIL);
        got = pread(log_fd, text, LOG_TAIL, start);
        text[MAX(got, 0)] = '\0';
        return TAKE_PTR(text);
}

/* One brig at a time starts a daemon: lock_fd is held meanwhile, by the lock's file. */
static int start_locked(Error *err) {
        _cleanup_close_ int log_fd = -1, notify_fd = -1, pidfd = -1;
        _cleanup_free_ char *program = find_daemon(), *tail = NULL;
        char notify[64];
        off_t start;
        int r;

        log_fd = open(LOG_PATH, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (log_fd < 0)
                return error_set(err, errno, "open '%s'", LOG_PATH);
        start = lseek(log_fd, 0, SEEK_END);
        notify_fd = notify_socket(notify, err);
        if (notify_fd < 0)
                return notify_fd;
        pidfd = spawn_daemon(program, notify, log_fd, err);
        if (pidfd < 0)
                return pidfd;
        r = await_ready(notify_fd, pidfd);
        if (r == 0)
                return 0;
        tail = log_tail(log_fd, start);
        return error_kind(err, ERROR_UNAVAILABLE, "the daemon '%s' %s; its log %s ends:\n%s",
                          program,
                          r == -ECHILD ? "ended at its start" : "was not ready within 10 seconds",
                          LOG_PATH, *tail ? tail : "(nothing)");
}

static int ping(Cli *cli, HttpReply **ret, Error *err) {
        HttpRequest request = { .method = "HEAD", .path = "/_ping" };

        return http_client_send(cli->http, &request, ret, err);
}

static int start_daemon(Cli *cli, HttpReply **ret, Error *err) {
        _cleanup_close_ int lock_fd = -1;
        int r;

        if (mkdirat(AT_FDCWD, RUN_DIRECTORY, 0755) < 0 && errno != EEXIST)
                return error_set(err, errno, "mkdir '%s'", RUN_DIRECTORY);
        lock_fd = open(RUN_DIRECTORY "/start.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (lock_fd < 0 || flock(lock_fd, LOCK_EX) < 0)
                return error_set(err, errno, "lock '%s'", RUN_DIRECTORY "/start.lock");
        if (ping(cli, ret, NULL) == 0) /* another brig was faster */
                return 0;
        r = start_locked(err);
        return r < 0 ? r : ping(cli, ret, err);
}

/* ---- the daemon ---- */

static void add_config_headers(Cli *cli) {
        json_object *headers = json_member(config_get(cli), "HttpHeaders");

        http_client_header(cli->http, "User-Agent", "Docker-Client/" BRIG_VERSION " (linux; brig)");
        if (!json_object_is_type(headers, json_type_object))
                return;
        json_object_object_foreach(headers, name, value)
                http_client_header(cli->http, name, json_object_get_string(value));
}

static int cannot_connect(const Cli *cli, Error *err) {
        int number = err->number;

        if (number == EACCES || number == EPERM)
                return error_kind(err, ERROR_FORBIDDEN,
                                  "permission denied while trying to connect to the daemon's "
                                  "socket at %s: run as root or as a member of its group",
                                  cli->host);
        if (str_equal(cli->program, "docker"))
                return error_kind(err, ERROR_UNAVAILABLE,
                                  "Cannot connect to the Docker daemon at %s. Is the docker daemon "
                                  "running?",
                                  cli->host);
        return error_kind(err, ERROR_UNAVAILABLE,
                          "Cannot connect to the brig daemon at %s (%s). Is brigd running?",
                          cli->host, strerror(number));
}

/* ---- the version ---- */

static int minor_of(const char *version) {
        const char *rest = version ? str_after(version, "1.") : NULL;
        int minor;

        return rest && str_to_int_in(rest, 0, 999, &minor) == 0 ? minor : -1;
}

bool api_at_least(const Cli *cli, int minor) {
        return minor_of(cli->api) >= minor;
}

int cli_need_brigd(Cli *cli, const char *what, Error *err) {
        int r = cli_connect(cli, err);

        return r < 0 || cli->is_brigd ? r
                                      : error_kind(err, ERROR_UNSUPPORTED,
                                                   "%s by brigd, and %s is none", what, cli->host);
}

static void negotiate(Cli *cli, HttpReply *reply) {
        const char *wanted = getenv("DOCKER_API_VERSION");
        const char *offered = http_reply_header(reply, "Api-Version");
        const char *experimental = http_reply_header(reply, "Docker-Experimental");
        const char *server = http_reply_header(reply, "Server");

        cli->experimental = str_equal(experimental, "true");
        cli->is_brigd = server && str_after(server, "brig/");
        if (!str_empty(wanted))
                cli->api = str_copy(wanted);
        else if (minor_of(offered) >= 0 && minor_of(offered) < minor_of(API_VERSION))
                cli->api = str_copy(offered);
        else
                cli->api = str_copy(offered ? API_VERSION : "1.24");
}

void cli_disconnect(Cli *cli) {
        cli->http = http_client_free(cli->http);
        cli->host = NULL;
        if (cli->endpoint)
                endpoint_done(cli->endpoint);
        free(cli->endpoint);
        cli->endpoint = NULL;
}

int cli_connect(Cli *cli, Error *err) {
        _cleanup_reply_ HttpReply *reply = NULL;
        int r;

        if (cli->http)
                return 0;
        cli->endpoint = NEW(Endpoint);
        r = endpoint_find(cli, cli->endpoint, err);
        if (r == 0)
                r = endpoint_client(cli->endpoint, &cli->http, err);
        if (r < 0) {
                cli_disconnect(cli);
                return r;
        }
        cli->host = cli->endpoint->host;
        add_config_headers(cli);
        r = ping(cli, &reply, err);
        if ((r == -ENOENT || r == -ECONNREFUSED) && str_equal(cli->host, ENDPOINT_DEFAULT_HOST) &&
            geteuid() == 0 && !cli->no_start)
                r = start_daemon(cli, &reply, err);
        else if (r < 0 && err->kind == ERROR_UNAVAILABLE && !endpoint_is_dialed(cli->endpoint))
                r = cannot_connect(cli, err);
        if (r < 0) {
                cli_disconnect(cli);
                return r;
        }
        negotiate(cli, reply);
        return 0;
}
