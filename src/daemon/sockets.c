/* sockets.c: a path is bound with its final mode from the start, and only a socket that nobody
 * answers at is replaced. */
#include "daemon/sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"

#define BACKLOG 512
#define GROUPS_MAX 65536
#define PREDECESSOR_PATIENCE (3 * NSEC_PER_SEC)
#define LISTEN_FDS_START 3 /* sd_listen_fds(3) */

static Socket *add_socket(Sockets *sockets, int fd) {
        Socket *sock = NEW(Socket);

        sock->fd = fd;
        sock->group = -1;
        GROW(sockets->items, sockets->count);
        sockets->items[sockets->count++] = sock;
        return sock;
}

/* ---- who may connect ---- */

static bool in_group(int fd, long group) {
        _cleanup_free_ gid_t *groups = NULL;
        socklen_t size = 0;

        /* The first call tells the size (socket(7), SO_PEERGROUPS). */
        if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &size) == 0 || errno != ERANGE ||
            size > GROUPS_MAX * sizeof(gid_t))
                return false;
        groups = alloc_zero(1, size);
        if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) < 0)
                return false;
        for (size_t i = 0; i < size / sizeof(gid_t); i++)
                if ((long)groups[i] == group)
                        return true;
        return false;
}

/* The file's mode lets no other in; this holds even where somebody widened it. */
static bool allow_local(void *data, int fd, const char **why) {
        const Socket *sock = data;
        struct ucred peer;
        socklen_t size = sizeof(peer);

        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
                return false;
        if (peer.uid == 0 || peer.uid == geteuid())
                return true;
        if (sock->group >= 0 && ((long)peer.gid == sock->group || in_group(fd, sock->group)))
                return true;
        log_warn("user %u (process %d) was turned away: it is not in the socket's group",
                 (unsigned)peer.uid, (int)peer.pid);
        *why = "only root and members of the socket's group may talk to this daemon: see brigd "
               "--group";
        return false;
}

/* ---- Unix sockets ---- */

static int find_group(const char *name, gid_t *ret, Error *err) {
        struct group *group = getgrnam(name ?: "brig");

        if (!group && name)
                return error_kind(err, ERROR_INVALID,
                                  "group '%s' does not exist: create it or name another with "
                                  "--group",
                                  name);
        *ret = group ? group->gr_gid : 0;
        return 0;
}

/* A socket left by a killed daemon is in the way; one where somebody answers is not ours. */
static int remove_stale(const struct sockaddr_un *address, Error *err) {
        _cleanup_close_ int fd = -1;
        struct stat st;

        if (lstat(address->sun_path, &st) < 0)
                return errno == ENOENT ? 0
                                       : error_set(err, errno, "look at '%s'", address->sun_path);
        if (!S_ISSOCK(st.st_mode))
                return error_kind(
                        err, ERROR_CONFLICT,
                        "'%s' exists and is no socket: remove it or listen elsewhere with "
                        "-H",
                        address->sun_path);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return error_set(err, errno, "socket");
        if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 || errno == EAGAIN)
                return error_kind(
                        err, ERROR_CONFLICT,
                        "another daemon answers at '%s': stop it or listen elsewhere with "
                        "-H",
                        address->sun_path);
        if (unlink(address->sun_path) < 0 && errno != ENOENT)
                return error_set(err, errno, "remove the old socket '%s'", address->sun_path);
        return 0;
}

static int make_parent(const char *path, Error *err) {
        const char *slash = strrchr(path, '/');
        _cleanup_free_ char *parent = NULL;

        if (slash == path)
                return 0;
        parent = str_copy_n(path, (size_t)(slash - path));
        return dir_make_at(AT_FDCWD, parent, 0755, err);
}

static int bind_unix(int fd, const struct sockaddr_un *address, gid_t group, Error *err) {
        mode_t mask = umask(0117);
        int r = bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? errno : 0;

        (void)umask(mask);
        if (r != 0)
                return error_set(err, r, "listen on '%s'", address->sun_path);
        if (group != 0 && chown(address->sun_path, (uid_t)-1, group) < 0)
                return error_set(err, errno, "give '%s' to its group", address->sun_path);
        if (listen(fd, BACKLOG) < 0)
                return error_set(err, errno, "listen on '%s'", address->sun_path);
        return 0;
}

static int open_unix(Sockets *sockets, const char *path, const char *group_name, Error *err) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        _cleanup_close_ int fd = -1;
        gid_t group = 0;
        Socket *sock;
        int r;

        if (path[0] != '/')
                return error_kind(err, ERROR_INVALID,
                                  "unix://%s: the path must be absolute (abstract sockets are "
                                  "refused: their file mode protects nothing)",
                                  path);
        if (strlen(path) >= sizeof(address.sun_path))
                return error_kind(err, ERROR_INVALID,
                                  "unix://%s: a socket's path has at most %zu bytes", path,
                                  sizeof(address.sun_path) - 1);
        memcpy(address.sun_path, path, strlen(path));
        r = find_group(group_name, &group, err);
        if (r >= 0)
                r = make_parent(path, err);
        if (r >= 0)
                r = remove_stale(&address, err);
        if (r < 0)
                return r;
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return error_set(err, errno, "socket");
        r = bind_unix(fd, &address, group, err);
        if (r < 0)
                return r;
        sock = add_socket(sockets, TAKE_FD(fd));
        sock->local = true;
        sock->path = str_copy(path);
        sock->group = group != 0 ? (long)group : -1;
        return 0;
}

/* ---- TCP ---- */

static int refuse_tcp(const char *host, Error *err) {
        return error_kind(err, ERROR_UNSUPPORTED,
                          "tcp://%s: whoever reaches this address would own the host: ask for "
                          "clients' certificates (--tlsverify, --tlscacert, --tlscert, --tlskey), "
                          "or listen on 127.0.0.1, [::1] or a Unix socket",
                          host);
}

/* "127.0.0.1:2375", "[::1]:2375", "localhost:2375"; without a host it is the loopback. */
static int parse_tcp(const char *text, bool anywhere, struct sockaddr_storage *ret,
                     socklen_t *ret_size, Error *err) {
        const char *colon = strrchr(text, ':');
        _cleanup_free_ char *host = NULL;
        struct sockaddr_in *four = (struct sockaddr_in *)ret;
        struct sockaddr_in6 *six = (struct sockaddr_in6 *)ret;
        int port;

        if (!colon || str_to_int_in(colon + 1, 1, 65535, &port) < 0)
                return error_kind(
                        err, ERROR_INVALID,
                        "tcp://%s: give an address and a port, as in tcp://127.0.0.1:2375", text);
        host = str_copy_n(text, (size_t)(colon - text));
        memset(ret, 0, sizeof(*ret));
        if (host[0] == '[') {
                host[strcspn(host, "]")] = '\0';
                six->sin6_family = AF_INET6;
                six->sin6_port = htons((uint16_t)port);
                *ret_size = sizeof(*six);
                return inet_pton(AF_INET6, host + 1, &six->sin6_addr) == 1 &&
                                       (anywhere || IN6_IS_ADDR_LOOPBACK(&six->sin6_addr))
                               ? 0
                               : refuse_tcp(text, err);
        }
        four->sin_family = AF_INET;
        four->sin_port = htons((uint16_t)port);
        *ret_size = sizeof(*four);
        if (str_empty(host) || str_equal(host, "localhost"))
                four->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        else if (inet_pton(AF_INET, host, &four->sin_addr) != 1 ||
                 (!anywhere && ntohl(four->sin_addr.s_addr) >> 24 != IN_LOOPBACKNET))
                return refuse_tcp(text, err);
        return 0;
}

/* A killed brigd's brig-tls has the port until it notices. */
static int bind_tcp(int fd, const struct sockaddr *address, socklen_t size) {
        const int64_t end = clock_monotonic() + PREDECESSOR_PATIENCE;

        while (bind(fd, address, size) < 0 || listen(fd, BACKLOG) < 0) {
                if (errno != EADDRINUSE || clock_monotonic() >= end)
                        return -errno;
                (void)poll(NULL, 0, 10);
        }
        return 0;
}

static int open_tcp(Sockets *sockets, const char *text, Error *err) {
        struct sockaddr_storage address = { 0 };
        socklen_t size = 0;
        _cleanup_close_ int fd = -1;
        int on = 1, r;

        r = parse_tcp(text, sockets->verify, &address, &size, err);
        if (r < 0)
                return r;
        fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return error_set(err, errno, "socket");
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        if (address.ss_family == AF_INET6)
                (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
        r = bind_tcp(fd, (const struct sockaddr *)&address, size);
        if (r < 0)
                return error_set(err, -r, "listen on tcp://%s", text);
        if (!sockets->verify)
                log_warn("tcp://%s: every user of this host can use it to become root", text);
        add_socket(sockets, TAKE_FD(fd))->tls = sockets->tls;
        return 0;
}

/* ---- systemd ---- */

/* The socket unit decides mode and group of its file; the peers are held to the same. */
static void read_passed(const Sockets *sockets, Socket *sock) {
        struct sockaddr_un address = { 0 };
        socklen_t size = sizeof(address) - 1;
        struct stat st;

        if (getsockname(sock->fd, (struct sockaddr *)&address, &size) < 0 ||
            address.sun_family != AF_UNIX) {
                sock->tls = sockets->tls;
                return;
        }
        sock->local = true;
        if (address.sun_path[0] == '/' && lstat(address.sun_path, &st) == 0 && st.st_gid != 0 &&
            (st.st_mode & 0060))
                sock->group = (long)st.st_gid;
}

static bool is_loopback_or_local(int fd) {
        struct sockaddr_storage address = { 0 };
        const struct sockaddr_in *four = (const struct sockaddr_in *)&address;
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&address;
        socklen_t size = sizeof(address);

        if (getsockname(fd, (struct sockaddr *)&address, &size) < 0)
                return false;
        if (address.ss_family == AF_INET)
                return ntohl(four->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
        if (address.ss_family == AF_INET6)
                return IN6_IS_ADDR_LOOPBACK(&six->sin6_addr);
        return address.ss_family == AF_UNIX;
}

static int open_passed(Sockets *sockets, Error *err) {
        const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
        int64_t owner;
        int passed;

        if (!pid || !count || str_to_int64(pid, &owner) < 0 || owner != getpid() ||
            str_to_int_in(count, 1, 64, &passed) < 0)
                return error_kind(err, ERROR_INVALID,
                                  "fd://: no socket was passed: start brigd by its socket unit");
        for (int fd = LISTEN_FDS_START; fd < LISTEN_FDS_START + passed; fd++) {
                int r = fd_set_cloexec(fd, true);

                if (r < 0)
                        return error_set(err, -r, "fd://: descriptor %d", fd);
                if (!sockets->verify && !is_loopback_or_local(fd))
                        return refuse_tcp("… (a socket passed by systemd)", err);
                read_passed(sockets, add_socket(sockets, fd));
        }
        (void)unsetenv("LISTEN_PID");
        (void)unsetenv("LISTEN_FDS");
        (void)unsetenv("LISTEN_FDNAMES");
        return 0;
}

/* ---- all ---- */

int sockets_open(Sockets *sockets, const char *address, const char *group, Error *err) {
        const char *rest = str_after(address, "unix://");

        if (rest)
                return open_unix(sockets, rest, group, err);
        rest = str_after(address, "tcp://");
        if (rest)
                return open_tcp(sockets, rest, err);
        if (str_equal(address, "fd://"))
                return open_passed(sockets, err);
        return error_kind(err, ERROR_INVALID,
                          "host '%s': give unix://PATH, tcp://ADDRESS:PORT or fd://", address);
}

int sockets_serve(Sockets *sockets, HttpServer *server, Error *err) {
        for (size_t i = 0; i < sockets->count; i++) {
                Socket *sock = sockets->items[i];
                int r = sock->tls ? 0
                                  : http_server_listen(server, TAKE_FD(sock->fd),
                                                       sock->local ? allow_local : NULL, sock, err);

                if (r < 0)
                        return r;
        }
        return 0;
}

void sockets_done(Sockets *sockets) {
        for (size_t i = 0; i < sockets->count; i++) {
                Socket *sock = sockets->items[i];

                if (sock->path)
                        (void)unlink(sock->path);
                free(sock->path);
                close_fd(&sock->fd);
                free(sock);
        }
        free(sockets->items);
        *sockets = (Sockets){ 0 };
}
