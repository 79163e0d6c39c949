/* drills-registry.c: drills that are hostile registries of our own, on the host's loopback, where
 * the engine asks without TLS. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/fd.h"
#include "drill/drill.h"

#define HEAD_MAX 16384
#define ANSWER_MAX ((size_t)1 << 20)

/* What the servers note of a request, a byte each. */
enum { NOTE_TRUSTED = 't', NOTE_ASKED = 'a', NOTE_LEAKED = 'l' };

typedef struct Servers {
        int fds[2];   /* the registry, and another that it leads to */
        int ports[2]; /* theirs */
        int notes;    /* where they are written to */
} Servers;

/* ---- the servers, in a process of their own ---- */

/* False where there is no whole head, as of who speaks TLS. */
static bool read_head(int fd, char head[HEAD_MAX]) {
        struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
        size_t length = 0;

        while (length < HEAD_MAX - 1 && poll(&poll_fd, 1, 2000) == 1) {
                ssize_t n = read(fd, head + length, HEAD_MAX - 1 - length);

                if (n <= 0)
                        return false;
                length += (size_t)n;
                head[length] = '\0';
                if (head[0] < 'A' || head[0] > 'Z')
                        return false;
                if (strstr(head, "\r\n\r\n"))
                        return true;
        }
        return false;
}

static void note(const Servers *servers, char what) {
        (void)fd_write_full(servers->notes, &what, 1);
}

/* Both want a password; who gives the first one is led to the second. */
static void answer(const Servers *servers, size_t which, int fd) {
        static const char wants[] =
                "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"drill\"\r\n"
                "Content-Length: 0\r\nConnection: close\r\n\r\n";
        _cleanup_buf_ Buf text = {};
        char head[HEAD_MAX], path[1024];
        bool has_password;

        if (!read_head(fd, head) || sscanf(head, "%*s %1023s", path) != 1)
                return;
        has_password = strcasestr(head, "\nAuthorization:");
        if (which == 1)
                note(servers, has_password ? NOTE_LEAKED : NOTE_ASKED);
        if (which == 1 || !has_password) {
                buf_add_str(&text, wants);
        } else {
                note(servers, NOTE_TRUSTED);
                buf_format(&text,
                           "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:%d%s\r\n"
                           "Content-Length: 0\r\nConnection: close\r\n\r\n",
                           servers->ports[1], path);
        }
        (void)fd_write_full(fd, text.data, text.length);
}

static void serve(const Servers *servers) {
        struct pollfd fds[] = { { .fd = servers->fds[0], .events = POLLIN },
                                { .fd = servers->fds[1], .events = POLLIN } };

        while (poll(fds, ELEMENTS(fds), -1) > 0)
                for (size_t i = 0; i < ELEMENTS(fds); i++) {
                        _cleanup_close_ int fd = -1;

                        if (!fds[i].revents)
                                continue;
                        /* cppcheck-suppress nullPointer ; the address may be NULL: accept(2) */
                        fd = accept4(fds[i].fd, NULL, NULL, SOCK_CLOEXEC);
                        if (fd >= 0)
                                answer(servers, i, fd);
                }
}

static int listen_on_loopback(int *ret_fd, int *ret_port, Error *err) {
        struct sockaddr_in address = { .sin_family = AF_INET,
                                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        _cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        socklen_t length = sizeof(address);

        if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) < 0 || listen(fd, 16) < 0 ||
            getsockname(fd, (struct sockaddr *)&address, &length) < 0)
                return error_set(err, errno, "listen on 127.0.0.1");
        *ret_fd = TAKE_FD(fd);
        *ret_port = ntohs(address.sin_port);
        return 0;
}

static int begin_servers(Servers *servers, pid_t *ret, Error *err) {
        pid_t parent = getpid(), pid = fork();

        if (pid < 0)
                return error_set(err, errno, "fork");
        if (pid == 0) {
                if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent)
                        serve(servers);
                _exit(1);
        }
        *ret = pid;
        return 0;
}

/* ---- the drill ---- */

/* With a password; that it fails is what it is to do. */
static int pull(Cli *cli, int port, Error *err) {
        _cleanup_free_ char *path =
                str_format("/images/create?fromImage=127.0.0.1:%d/brig-drill&tag=x", port);
        _cleanup_free_ char *account = str_format("{\"username\":\"drill\",\"password\":\"drill\","
                                                  "\"serveraddress\":\"127.0.0.1:%d\"}",
                                                  port);
        _cleanup_free_ char *auth = base64_url_encode(account, strlen(account));
        _cleanup_reply_ HttpReply *reply = NULL;
        _cleanup_buf_ Buf answer = {};
        Pairs headers = {};
        HttpRequest request = { .method = "POST", .headers = &headers };
        int r;

        pairs_put(&headers, "X-Registry-Auth", auth);
        r = api_send(cli, &request, path, &reply, err);
        pairs_done(&headers);
        if (r < 0 && !cli_lost(err)) {
                *err = (Error){};
                return 0;
        }
        return r < 0 ? r : http_reply_read_all(reply, ANSWER_MAX, &answer, err);
}

static int judge(int notes, Buf *got, Error *err) {
        char text[256] = "";
        ssize_t length = read(notes, text, sizeof(text) - 1);

        text[MAX(length, 0)] = '\0';
        if (!strchr(text, NOTE_TRUSTED))
                return error_kind(err, ERROR_INTERNAL,
                                  "the engine did not give its registry the password, which this "
                                  "needs");
        if (strchr(text, NOTE_LEAKED))
                buf_add_str(got, "a registry's password goes to the server that it leads to\n");
        return 0;
}

static int run_credentials(const Drill *drill, Attempt *attempt, Error *err) {
        _cleanup_close_ int reads = -1, writes = -1, registry = -1, other = -1;
        Servers servers = {};
        int ends[2], r;
        pid_t pid = -1;

        (void)drill;
        if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
                return error_set(err, errno, "make a pipe");
        reads = ends[0];
        writes = servers.notes = ends[1];
        r = listen_on_loopback(&registry, &servers.ports[0], err);
        if (r == 0)
                r = listen_on_loopback(&other, &servers.ports[1], err);
        servers.fds[0] = registry;
        servers.fds[1] = other;
        if (r == 0)
                r = begin_servers(&servers, &pid, err);
        if (r < 0)
                return r;
        r = pull(attempt->cli, servers.ports[0], err);
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
        return r < 0 ? r : judge(reads, attempt->got, err);
}

static const Drill drills[] = {
        { "credentials", "CVE-2020-15157", "A registry leads to a server that wants its password",
          "report it: credentials go to another host than theirs", run_credentials, NULL },
};

const DrillSet registry_drills = { drills, ELEMENTS(drills) };
