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
#include "format/digest.h"

#define HEAD_MAX 16384
#define ANSWER_MAX ((size_t)1 << 20)

/* What the servers note of a request, a byte each. */
enum { NOTE_TRUSTED = 't', NOTE_ASKED = 'a', NOTE_LEAKED = 'l', NOTE_LAYER = 'y' };

/* The registry, which wants a password and gets it, and another server, which wants it as well. */
typedef struct Servers Servers;
struct Servers {
        int fds[2];
        int ports[2];
        int notes; /* where they are written to */
        /* The registry's answer to whoever gave the password, added to text. */
        void (*answer)(const Servers *servers, const char *path, Buf *text);
        char *manifest, *config, config_digest[DIGEST_TEXT_MAX]; /* of layer-urls */
};

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

static void serve_one(const Servers *servers, size_t which, int fd) {
        static const char wants[] =
                "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"drill\"\r\n"
                "Content-Length: 0\r\nConnection: close\r\n\r\n";
        _cleanup_buf_ Buf text = {};
        char head[HEAD_MAX], path[1024];
        bool has_password;

        if (which == 1)
                note(servers, NOTE_ASKED);
        if (!read_head(fd, head) || sscanf(head, "%*s %1023s", path) != 1)
                return;
        has_password = strcasestr(head, "\nAuthorization:");
        if (has_password)
                note(servers, which == 1 ? NOTE_LEAKED : NOTE_TRUSTED);
        if (which == 1 || !has_password)
                buf_add_str(&text, wants);
        else
                servers->answer(servers, path, &text);
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
                                serve_one(servers, i, fd);
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

/* Also what a server had no time for before it ended. */
static int read_notes(const Servers *servers, int notes, char ret[256], Error *err) {
        struct pollfd other = { .fd = servers->fds[1], .events = POLLIN };
        ssize_t length = read(notes, ret, 254);

        length = MAX(length, 0);
        if (poll(&other, 1, 0) > 0)
                ret[length++] = NOTE_ASKED;
        ret[length] = '\0';
        return strchr(ret, NOTE_TRUSTED)
                       ? 0
                       : error_kind(err, ERROR_INTERNAL,
                                    "the engine did not give its registry the password, which "
                                    "this needs");
}

/* Pulls from the registry that answers so; ret: the notes. */
static int pull_from(Attempt *attempt, Servers *servers, void (*prepare)(Servers *servers),
                     char ret[256], Error *err) {
        _cleanup_close_ int reads = -1, writes = -1, registry = -1, other = -1;
        int ends[2], r;
        pid_t pid = -1;

        if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
                return error_set(err, errno, "make a pipe");
        reads = ends[0];
        writes = servers->notes = ends[1];
        r = listen_on_loopback(&registry, &servers->ports[0], err);
        if (r == 0)
                r = listen_on_loopback(&other, &servers->ports[1], err);
        servers->fds[0] = registry;
        servers->fds[1] = other;
        if (r == 0 && prepare)
                prepare(servers);
        if (r == 0)
                r = begin_servers(servers, &pid, err);
        if (r < 0)
                return r;
        r = pull(attempt->cli, servers->ports[0], err);
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
        return r < 0 ? r : read_notes(servers, reads, ret, err);
}

/* ---- redirections ---- */

static void redirect(const Servers *servers, const char *path, Buf *text) {
        buf_format(text,
                   "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:%d%s\r\n"
                   "Content-Length: 0\r\nConnection: close\r\n\r\n",
                   servers->ports[1], path);
}

static int run_credentials(const Drill *drill, Attempt *attempt, Error *err) {
        Servers servers = { .answer = redirect };
        char notes[256];
        int r = pull_from(attempt, &servers, NULL, notes, err);

        (void)drill;
        if (r == 0 && strchr(notes, NOTE_LEAKED))
                buf_add_str(attempt->got,
                            "a registry's password goes to the server that it leads to\n");
        return r;
}

/* ---- layers that a manifest has elsewhere ---- */

#define MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define FOREIGN "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
#define NONDISTRIBUTABLE "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"

static void write_documents(Servers *servers) {
        static const char *const types[] = { FOREIGN, NONDISTRIBUTABLE };
        _cleanup_buf_ Buf layers = {}, diffs = {};
        char digest[DIGEST_TEXT_MAX];

        for (size_t i = 0; i < ELEMENTS(types); i++) {
                digest_of(types[i], strlen(types[i]), digest);
                buf_format(&layers,
                           "%s{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%zu,\"urls\":["
                           "\"http://127.0.0.1:%d/layer%zu\"]}",
                           i > 0 ? "," : "", types[i], digest, strlen(types[i]), servers->ports[1],
                           i);
                buf_format(&diffs, "%s\"%s\"", i > 0 ? "," : "", digest);
        }
        servers->config = str_format("{\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":{"
                                     "\"type\":\"layers\",\"diff_ids\":[%s]}}",
                                     diffs.data);
        digest_of(servers->config, strlen(servers->config), servers->config_digest);
        servers->manifest = str_format(
                "{\"schemaVersion\":2,\"mediaType\":\"" MANIFEST "\",\"config\":{\"mediaType\":"
                "\"application/"
                "vnd.docker.container.image.v1+json\",\"digest\":\"%s\",\"size\":%zu},"
                "\"layers\":[%s]}",
                servers->config_digest, strlen(servers->config), layers.data);
}

/* It has everything but the layers. */
static void give_documents(const Servers *servers, const char *path, Buf *text) {
        const char *body = str_equal(path, "/v2/")                ? "{}"
                           : strstr(path, "/manifests/")          ? servers->manifest
                           : strstr(path, servers->config_digest) ? servers->config
                                                                  : NULL;
        const char *digest = strstr(path, "/blobs/");

        if (!body && digest && strstr(servers->manifest, digest + strlen("/blobs/")))
                note(servers, NOTE_LAYER);
        buf_format(text,
                   "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
                   "Connection: close\r\n\r\n%s",
                   body ? "200 OK" : "404 Not Found",
                   body == servers->manifest ? MANIFEST : "application/json",
                   body ? strlen(body) : 0, body ?: "");
}

static int run_urls(const Drill *drill, Attempt *attempt, Error *err) {
        Servers servers = { .answer = give_documents };
        char notes[256];
        int r = pull_from(attempt, &servers, write_documents, notes, err);

        (void)drill;
        free(servers.manifest);
        free(servers.config);
        if (r == 0 && !strchr(notes, NOTE_LAYER) && !strchr(notes, NOTE_ASKED))
                return error_kind(err, ERROR_INTERNAL,
                                  "the engine asked nobody for the manifest's layers");
        if (r == 0 && strchr(notes, NOTE_ASKED))
                buf_add_str(attempt->got, "the engine asks a server that a manifest names\n");
        if (r == 0 && strchr(notes, NOTE_LEAKED))
                buf_add_str(attempt->got, "it gives that the registry's password\n");
        return r;
}

static const Drill drills[] = {
        { "credentials", "CVE-2020-15157", "A registry leads to a server that wants its password",
          "report it: credentials go to another host than theirs", run_credentials, NULL },
        { "layer-urls", "CVE-2020-15157", "A manifest whose layers are at another server",
          "report it: who writes a manifest says whom the engine asks", run_urls, NULL },
};

const DrillSet registry_drills = { drills, ELEMENTS(drills) };
