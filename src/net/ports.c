/* ports.c: holding host ports. A socket that is bound but does not listen keeps others from binding
 * the port and never sees a packet, as the firewall redirects them before. */
#include "net/ports.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/ip.h"
#include "base/program.h"

#define EPHEMERAL_FIRST 49153
#define EPHEMERAL_LAST 65535

struct PortTable {
        Map held; /* "tcp 80" → as many as addresses hold it; values are HeldPort */
        int next; /* where the search for an ephemeral port goes on */
        size_t sockets;
};

typedef struct HeldPort {
        IpAddress *addresses; /* 0.0.0.0 and ::: every one of the family */
        size_t count;
} HeldPort;

static const struct {
        const char *name;
        uint8_t number;
        int type;
} protocols[] = {
        { "tcp", IPPROTO_TCP, SOCK_STREAM },
        { "udp", IPPROTO_UDP, SOCK_DGRAM },
        { "sctp", IPPROTO_SCTP, SOCK_STREAM },
};

uint8_t port_protocol(const char *name) {
        for (size_t i = 0; i < ELEMENTS(protocols); i++)
                if (str_equal(name, protocols[i].name))
                        return protocols[i].number;
        return 0;
}

static void free_held(void *value) {
        HeldPort *held = value;

        free(held->addresses);
        free(held);
}

PortTable *ports_new(void) {
        return NEW(PortTable);
}

PortTable *ports_free(PortTable *table) {
        if (!table)
                return NULL;
        map_done(&table->held, free_held);
        free(table);
        return NULL;
}

static void key_of(const char *protocol, int64_t number, char key[32]) {
        (void)snprintf(key, 32, "%s %d", protocol, (int)number);
}

static bool collide(IpAddress a, IpAddress b) {
        return a.family == b.family && (a.number == b.number || a.number == 0 || b.number == 0);
}

static bool is_held(const PortTable *table, const char *protocol, int64_t number,
                    IpAddress address) {
        char key[32];
        const HeldPort *held;

        key_of(protocol, number, key);
        held = map_get(&table->held, key);
        for (size_t i = 0; held && i < held->count; i++)
                if (collide(held->addresses[i], address))
                        return true;
        return false;
}

static void note_held(PortTable *table, const char *protocol, int64_t number, IpAddress address) {
        char key[32];
        HeldPort *held;

        key_of(protocol, number, key);
        held = map_get(&table->held, key);
        if (!held) {
                held = NEW(HeldPort);
                (void)map_put(&table->held, key, held);
        }
        GROW(held->addresses, held->count);
        held->addresses[held->count++] = address;
}

static socklen_t socket_name(IpAddress address, int64_t number, struct sockaddr_storage *ret) {
        struct sockaddr_in *four = (struct sockaddr_in *)ret;
        struct sockaddr_in6 *six = (struct sockaddr_in6 *)ret;

        *ret = (struct sockaddr_storage){ .ss_family = (sa_family_t)address.family };
        if (address.family == AF_INET) {
                four->sin_port = htons((uint16_t)number);
                (void)ip_bytes(address, (uint8_t *)&four->sin_addr);
                return sizeof(*four);
        }
        six->sin6_port = htons((uint16_t)number);
        (void)ip_bytes(address, (uint8_t *)&six->sin6_addr);
        return sizeof(*six);
}

/* Binds one port. *ret_fd is -1 where the kernel knows no such sockets: nobody else can then bind
 * it either. */
static int bind_port(uint8_t protocol, IpAddress address, int64_t number, int *ret_fd) {
        struct sockaddr_storage name;
        socklen_t length = socket_name(address, number, &name);
        _cleanup_close_ int fd = -1;
        int only = 1;

        for (size_t i = 0; i < ELEMENTS(protocols); i++)
                if (protocols[i].number == protocol)
                        fd = socket(address.family, protocols[i].type | SOCK_CLOEXEC, protocol);
        if (fd < 0 && (errno == EPROTONOSUPPORT || errno == ESOCKTNOSUPPORT)) {
                *ret_fd = -1;
                return 0;
        }
        if (fd < 0)
                return -errno;
        /* The IPv4 port of the same number has a socket of its own. */
        if (address.family == AF_INET6 &&
            setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only)) < 0)
                return -errno;
        if (bind(fd, (struct sockaddr *)&name, length) < 0)
                return -errno;
        *ret_fd = TAKE_FD(fd);
        return 0;
}

/* "0.0.0.0:80", "[::]:80" */
static char *host_text(const NetPort *port, int64_t number) {
        return str_format(strchr(port->host_ip, ':') ? "[%s]:%d" : "%s:%d", port->host_ip,
                          (int)number);
}

/* Each held port takes a descriptor: an eighth of them is left to everything else that the daemon
 * does. */
static int check_room(const PortTable *table, const char *text, Error *err) {
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0 ||
            table->sockets < limit.rlim_cur - limit.rlim_cur / 8)
                return 0;
        (void)error_kind(err, ERROR_UNAVAILABLE,
                         "failed to bind host port for %s: %zu ports of the host are published, "
                         "each held by one of brigd's %llu descriptors: raise the limit "
                         "(LimitNOFILE= of its unit), or publish fewer",
                         text, table->sockets, (unsigned long long)limit.rlim_cur);
        return -EMFILE;
}

/* One certain port. -EADDRINUSE, in Docker's words, when it is taken, by us or by another program.
 */
static int hold_one(PortTable *table, NetPort *port, int64_t number, int *ret_fd, Error *err) {
        _cleanup_free_ char *text = host_text(port, number);
        IpAddress address;
        int r;

        if (ip_parse(port->host_ip, &address) < 0)
                return error_kind(err, ERROR_INVALID, "invalid IP address %s", port->host_ip);
        if (is_held(table, port->protocol, number, address)) {
                (void)error_kind(err, ERROR_INTERNAL,
                                 "Bind for %s failed: port is already allocated", text);
                return -EADDRINUSE;
        }
        r = check_room(table, text, err);
        if (r < 0)
                return r;
        r = bind_port(port_protocol(port->protocol), address, number, ret_fd);
        if (r == -EADDRINUSE) {
                /* A program that is being started may hold one of ours that was just released. */
                program_settle();
                r = bind_port(port_protocol(port->protocol), address, number, ret_fd);
        }
        if (r < 0) {
                const char *why = r == -EADDRINUSE      ? "address already in use"
                                  : r == -EADDRNOTAVAIL ? "cannot assign requested address (this "
                                                          "host has no such address)"
                                                        : strerrordesc_np(-r);

                (void)error_kind(err, ERROR_INTERNAL, "failed to bind host port for %s/%s: %s",
                                 text, port->protocol, why);
                return r;
        }
        table->sockets += *ret_fd >= 0;
        note_held(table, port->protocol, number, address);
        port->host_port = number;
        port->host_port_end = 0;
        return 0;
}

/* A port and its twin at one number. What is said of the range is the first's. */
static int hold_group(PortTable *table, NetPort *ports, size_t count, int64_t number, int *ret_fds,
                      Error *err) {
        const int64_t port = ports[0].host_port, end = ports[0].host_port_end;

        for (size_t i = 0; i < count; i++) {
                int r = hold_one(table, &ports[i], number, &ret_fds[i], err);

                if (r == 0)
                        continue;
                while (i-- > 0) {
                        ports_release(table, &ports[i], ret_fds[i]);
                        ret_fds[i] = -1;
                }
                ports[0].host_port = port;
                ports[0].host_port_end = end;
                return r;
        }
        return 0;
}

typedef struct Range {
        int first, last;
} Range;

/* The first of the range that is free, beginning at `start`; returns its number. The last failure
 * is what err tells. */
static int hold_any(PortTable *table, NetPort *ports, size_t count, Range range, int start,
                    int *ret_fds, Error *err) {
        int r = -EADDRINUSE, size = range.last - range.first + 1;

        for (int i = 0; i < size && r == -EADDRINUSE; i++) {
                int number = range.first + (start - range.first + i) % size;

                r = hold_group(table, ports, count, number, ret_fds, err);
                if (r == 0)
                        return number;
        }
        return r;
}

static Range ephemeral_range(void) {
        const Range usual = { EPHEMERAL_FIRST, EPHEMERAL_LAST };
        _cleanup_free_ char *text = NULL;
        size_t length;
        unsigned first, last;

        if (file_read_at(AT_FDCWD, "/proc/sys/net/ipv4/ip_local_port_range", 64, &text, &length,
                         NULL) < 0 ||
            sscanf(text, "%u %u", &first, &last) != 2 || first == 0 || last > 65535 || first > last)
                return usual;
        return (Range){ (int)first, (int)last };
}

static int hold_ephemeral(PortTable *table, NetPort *ports, size_t count, int *ret_fds,
                          Error *err) {
        const Range range = ephemeral_range();
        int r;

        if (table->next < range.first || table->next > range.last)
                table->next = range.first;
        r = hold_any(table, ports, count, range, table->next, ret_fds, err);
        if (r == -EADDRINUSE)
                return error_prefix(err, "all ports from %d to %d are taken", range.first,
                                    range.last);
        if (r < 0)
                return r;
        table->next = r + 1;
        return 0;
}

void ports_note(PortTable *table, const NetPort *port) {
        IpAddress address;

        if (ip_parse(port->host_ip, &address) == 0)
                note_held(table, port->protocol, port->host_port, address);
}

bool ports_have(const PortTable *table, const NetPort *port) {
        IpAddress address;

        return ip_parse(port->host_ip, &address) == 0 &&
               is_held(table, port->protocol, port->host_port, address);
}

int ports_hold(PortTable *table, NetPort *ports, size_t count, int *ret_fds, Error *err) {
        const Range range = { (int)ports->host_port, (int)ports->host_port_end };
        int r;

        if (port_protocol(ports->protocol) == 0)
                return error_kind(err, ERROR_INVALID, "invalid proto: %s", ports->protocol);
        if (ports->host_port < 0 || ports->host_port > 65535 || ports->host_port_end > 65535)
                return error_kind(err, ERROR_INVALID, "invalid host port %lld",
                                  (long long)MAX(ports->host_port, ports->host_port_end));
        if (ports->host_port == 0)
                return hold_ephemeral(table, ports, count, ret_fds, err);
        if (ports->host_port_end <= ports->host_port)
                return hold_group(table, ports, count, ports->host_port, ret_fds, err);
        r = hold_any(table, ports, count, range, range.first, ret_fds, err);
        return r < 0 ? r : 0;
}

void ports_release(PortTable *table, const NetPort *port, int fd) {
        char key[32];
        HeldPort *held;
        IpAddress address;

        table->sockets -= fd >= 0;
        close_fd(&fd);
        if (ip_parse(port->host_ip, &address) < 0)
                return;
        key_of(port->protocol, port->host_port, key);
        held = map_get(&table->held, key);
        for (size_t i = 0; held && i < held->count; i++) {
                if (!ip_equal(held->addresses[i], address))
                        continue;
                held->addresses[i] = held->addresses[--held->count];
                break;
        }
        if (held && held->count == 0)
                free_held(map_drop(&table->held, key));
}
