/* ports.c: holding host ports. A socket that is bound but does not listen keeps others from binding
 * the port and never sees a packet, as the firewall redirects them before. */
#include "net/ports.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "net/ipam.h"

#define EPHEMERAL_FIRST 49153
#define EPHEMERAL_LAST 65535

struct PortTable {
        Map held; /* "tcp 80" → as many as addresses hold it; values are HeldPort */
        int next; /* where the search for an ephemeral port goes on */
};

typedef struct HeldPort {
        uint32_t *addresses; /* host byte order; 0: every address */
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

PortTable *ports_free(PortTable *ports) {
        if (!ports)
                return NULL;
        map_done(&ports->held, free_held);
        free(ports);
        return NULL;
}

static void key_of(const char *protocol, int64_t number, char key[32]) {
        (void)snprintf(key, 32, "%s %d", protocol, (int)number);
}

static bool is_held(const PortTable *ports, const char *protocol, int64_t number,
                    uint32_t address) {
        char key[32];
        const HeldPort *held;

        key_of(protocol, number, key);
        held = map_get(&ports->held, key);
        for (size_t i = 0; held && i < held->count; i++)
                if (address == 0 || held->addresses[i] == 0 || held->addresses[i] == address)
                        return true;
        return false;
}

static void note_held(PortTable *ports, const char *protocol, int64_t number, uint32_t address) {
        char key[32];
        HeldPort *held;

        key_of(protocol, number, key);
        held = map_get(&ports->held, key);
        if (!held) {
                held = NEW(HeldPort);
                (void)map_put(&ports->held, key, held);
        }
        GROW(held->addresses, held->count);
        held->addresses[held->count++] = address;
}

/* Binds one port. *ret_fd is -1 where the kernel knows no such sockets: nobody else can then bind
 * it either. */
static int bind_port(uint8_t protocol, uint32_t address, int64_t number, int *ret_fd) {
        struct sockaddr_in name = { .sin_family = AF_INET,
                                    .sin_port = htons((uint16_t)number),
                                    .sin_addr.s_addr = htonl(address) };
        _cleanup_close_ int fd = -1;

        for (size_t i = 0; i < ELEMENTS(protocols); i++)
                if (protocols[i].number == protocol)
                        fd = socket(AF_INET, protocols[i].type | SOCK_CLOEXEC, protocol);
        if (fd < 0 && (errno == EPROTONOSUPPORT || errno == ESOCKTNOSUPPORT)) {
                *ret_fd = -1;
                return 0;
        }
        if (fd < 0 || bind(fd, (struct sockaddr *)&name, sizeof(name)) < 0)
                return -errno;
        *ret_fd = TAKE_FD(fd);
        return 0;
}

/* One certain port. -EADDRINUSE, in Docker's words, when it is taken, by us or by another program.
 */
static int hold_one(PortTable *ports, NetPort *port, uint32_t address, int64_t number, int *ret_fd,
                    Error *err) {
        uint8_t protocol = port_protocol(port->protocol);
        int r;

        if (is_held(ports, port->protocol, number, address)) {
                (void)error_kind(err, ERROR_INTERNAL,
                                 "Bind for %s:%d failed: port is already allocated", port->host_ip,
                                 (int)number);
                return -EADDRINUSE;
        }
        r = bind_port(protocol, address, number, ret_fd);
        if (r < 0) {
                const char *why = r == -EADDRINUSE      ? "address already in use"
                                  : r == -EADDRNOTAVAIL ? "cannot assign requested address (this "
                                                          "host has no such address)"
                                                        : strerrordesc_np(-r);

                (void)error_kind(err, ERROR_INTERNAL, "failed to bind host port for %s:%d/%s: %s",
                                 port->host_ip, (int)number, port->protocol, why);
                return r;
        }
        note_held(ports, port->protocol, number, address);
        port->host_port = number;
        port->host_port_end = 0;
        return 0;
}

/* The first of first … last that is free, beginning at `start`; returns its number. The last
 * failure is what err tells. */
static int hold_any(PortTable *ports, NetPort *port, uint32_t address, int first, int last,
                    int start, int *ret_fd, Error *err) {
        int r = -EADDRINUSE, count = last - first + 1;

        for (int i = 0; i < count && r == -EADDRINUSE; i++) {
                int number = first + (start - first + i) % count;

                r = hold_one(ports, port, address, number, ret_fd, err);
                if (r == 0)
                        return number;
        }
        return r;
}

static void ephemeral_range(int *ret_first, int *ret_last) {
        _cleanup_free_ char *text = NULL;
        size_t length;
        unsigned first, last;

        *ret_first = EPHEMERAL_FIRST;
        *ret_last = EPHEMERAL_LAST;
        if (file_read_at(AT_FDCWD, "/proc/sys/net/ipv4/ip_local_port_range", 64, &text, &length,
                         NULL) < 0 ||
            sscanf(text, "%u %u", &first, &last) != 2 || first == 0 || last > 65535 || first > last)
                return;
        *ret_first = (int)first;
        *ret_last = (int)last;
}

static int hold_ephemeral(PortTable *ports, NetPort *port, uint32_t address, int *ret_fd,
                          Error *err) {
        int first, last, r;

        ephemeral_range(&first, &last);
        if (ports->next < first || ports->next > last)
                ports->next = first;
        r = hold_any(ports, port, address, first, last, ports->next, ret_fd, err);
        if (r == -EADDRINUSE)
                return error_prefix(err, "all ports from %d to %d are taken", first, last);
        if (r < 0)
                return r;
        ports->next = r + 1;
        return 0;
}

static void fill_port(NetPort *port, const char *default_ip) {
        if (str_empty(port->host_ip))
                str_replace(&port->host_ip, default_ip);
        if (str_empty(port->protocol))
                str_replace(&port->protocol, "tcp");
}

void ports_note(PortTable *ports, NetPort *port, const char *default_ip) {
        uint32_t address;

        fill_port(port, default_ip);
        if (ipv4_parse(port->host_ip, &address) == 0)
                note_held(ports, port->protocol, port->host_port, address);
}

int ports_hold(PortTable *ports, NetPort *port, const char *default_ip, int *ret_fd, Error *err) {
        uint32_t address;
        int r;

        fill_port(port, default_ip);
        if (port_protocol(port->protocol) == 0)
                return error_kind(err, ERROR_INVALID, "invalid proto: %s", port->protocol);
        if (strchr(port->host_ip, ':'))
                return error_kind(err, ERROR_UNSUPPORTED,
                                  "publish on %s: IPv6 host addresses are not supported yet",
                                  port->host_ip);
        if (ipv4_parse(port->host_ip, &address) < 0)
                return error_kind(err, ERROR_INVALID, "invalid IP address %s", port->host_ip);
        if (port->host_port < 0 || port->host_port > 65535 || port->host_port_end > 65535)
                return error_kind(err, ERROR_INVALID, "invalid host port %lld",
                                  (long long)MAX(port->host_port, port->host_port_end));
        if (port->host_port == 0)
                return hold_ephemeral(ports, port, address, ret_fd, err);
        if (port->host_port_end <= port->host_port)
                return hold_one(ports, port, address, port->host_port, ret_fd, err);
        r = hold_any(ports, port, address, (int)port->host_port, (int)port->host_port_end,
                     (int)port->host_port, ret_fd, err);
        return r < 0 ? r : 0;
}

void ports_release(PortTable *ports, const NetPort *port, int fd) {
        char key[32];
        HeldPort *held;
        uint32_t address;

        close_fd(&fd);
        if (ipv4_parse(port->host_ip, &address) < 0)
                return;
        key_of(port->protocol, port->host_port, key);
        held = map_get(&ports->held, key);
        for (size_t i = 0; held && i < held->count; i++) {
                if (held->addresses[i] != address)
                        continue;
                held->addresses[i] = held->addresses[--held->count];
                break;
        }
        if (held && held->count == 0)
                free_held(map_drop(&ports->held, key));
}
