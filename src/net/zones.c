/* zones.c: see zones.h. firewalld refuses forwarded packets of links that are in no zone which
 * allows them. The zone is installed with brig (firewalld-zone.xml); which links are in it is told
 * over the message bus, and told again whenever firewalld begins anew. */
#include "net/zones.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/state.h"

#define ZONE "brig"
#define PATIENCE_MS 5000
/* The bus may start after brigd, or again. */
#define RETRY_AFTER (10 * NSEC_PER_SEC)
#define RETRIES 30
#define FIREWALLD "org.fedoraproject.FirewallD1"
#define BUS "org.freedesktop.DBus"

/* True if firewalld began anew. */
static bool is_beginning(const DBusSignal *signal) {
        if (str_equal(signal->member, "Reloaded"))
                return str_equal(signal->interface, FIREWALLD);
        return str_equal(signal->member, "NameOwnerChanged") &&
               str_equal(signal->arguments[0], FIREWALLD) && !str_empty(signal->arguments[2]);
}

void zones_add_all(Net *net) {
        const char *id;
        Network *network;

        MAP_EACH(&net->networks, id, network)
                if (network->driver->routed)
                        zones_add(net, network->config.bridge);
}

static void look_later(Net *net);

static void disconnect(Zones *zones) {
        zones->source = loop_remove(zones->source);
        zones->bus = dbus_close(zones->bus);
        zones->broken = false;
}

static void on_bus(void *data, int fd, uint32_t events) {
        Net *net = data;
        DBusSignal signal = { 0 };
        bool began = false;
        Error err = { 0 };
        int r = 0;

        (void)fd;
        (void)events;
        net_lock(net);
        while (!net->zones.broken && (r = dbus_next(net->zones.bus, &signal, &err)) > 0) {
                began |= is_beginning(&signal);
                dbus_signal_done(&signal);
        }
        if (began)
                zones_add_all(net);
        if (r < 0 || net->zones.broken) {
                log_debug("the message bus: %s", err.message);
                disconnect(&net->zones);
                net->zones.retries = 0;
                look_later(net);
        }
        net_unlock(net);
}

static int hear(DBus *bus, const char *rule, Error *err) {
        const DBusCall call = { BUS, "/org/freedesktop/DBus", BUS, "AddMatch", { rule } };

        return dbus_call(bus, &call, err);
}

static int connect_bus(Net *net, Error *err) {
        Zones *zones = &net->zones;
        int r = dbus_open(DBUS_SYSTEM_SOCKET, PATIENCE_MS, &zones->bus, err);

        if (r == 0)
                r = hear(zones->bus,
                         "type='signal',sender='" FIREWALLD "',interface='" FIREWALLD
                         "',member='Reloaded'",
                         err);
        if (r == 0)
                r = hear(zones->bus,
                         "type='signal',sender='" BUS "',member='NameOwnerChanged',arg0='" FIREWALLD
                         "'",
                         err);
        if (r == 0)
                r = loop_add_fd(net->loop, dbus_fd(zones->bus), EPOLLIN, on_bus, net,
                                &zones->source, err);
        if (r < 0)
                disconnect(zones);
        return r;
}

static void on_retry(void *data) {
        Net *net = data;

        net_lock(net);
        net->zones.retry = NULL;
        if (connect_bus(net, NULL) == 0)
                zones_add_all(net);
        else
                look_later(net);
        net_unlock(net);
}

static void look_later(Net *net) {
        if (net->zones.retries++ < RETRIES)
                net->zones.retry =
                        loop_add_timer(net->loop, clock_monotonic() + RETRY_AFTER, on_retry, net);
}

void zones_open(Net *net) {
        Error err = { 0 };

        if (connect_bus(net, &err) == 0)
                return;
        log_debug("firewalld: %s", err.message);
        look_later(net);
}

void zones_close(Net *net) {
        net->zones.retry = loop_remove(net->zones.retry);
        disconnect(&net->zones);
}

/* A firewalld of another network namespace has no business with our links: -ENOENT. */
static int find_firewalld(DBus *bus, Error *err) {
        static const DBusCall call = {
                BUS, "/org/freedesktop/DBus", BUS, "GetConnectionUnixProcessID", { FIREWALLD }
        };
        _cleanup_free_ char *path = NULL;
        struct stat ours, theirs;
        uint32_t pid;
        int r = dbus_ask(bus, &call, &pid, err);

        if (r < 0)
                return r;
        path = str_format("/proc/%u/ns/net", (unsigned)pid);
        if (stat("/proc/thread-self/ns/net", &ours) < 0 || stat(path, &theirs) < 0 ||
            ours.st_ino != theirs.st_ino || ours.st_dev != theirs.st_dev)
                return -ENOENT;
        return 0;
}

static int tell(Net *net, const char *method, const char *bridge, Error *err) {
        const DBusCall call = { FIREWALLD,
                                "/org/fedoraproject/FirewallD1",
                                FIREWALLD ".zone",
                                method,
                                { ZONE, bridge } };
        int r = find_firewalld(net->zones.bus, err);

        if (r == 0)
                r = dbus_call(net->zones.bus, &call, err);
        if (r == 0 || r == -ENOENT || r == -EREMOTEIO)
                return r;
        net->zones.broken = true;
        (void)shutdown(dbus_fd(net->zones.bus), SHUT_RDWR); /* which the loop's thread notices */
        return r;
}

void zones_add(Net *net, const char *bridge) {
        Error err = { 0 };
        int r;

        if (!net->zones.bus || net->zones.broken)
                return;
        r = tell(net, "changeZoneOfInterface", bridge, &err);
        if (r == 0 || r == -ENOENT || strstr(err.message, "ZONE_ALREADY_SET"))
                return;
        log_warn("firewalld does not take bridge %s into its zone " ZONE
                 " and may refuse its containers' packets: %s (if it does not know the zone: "
                 "firewall-cmd --reload)",
                 bridge, err.message);
}

void zones_remove(Net *net, const char *bridge) {
        Error err = { 0 };

        if (net->zones.bus && !net->zones.broken && tell(net, "removeInterface", bridge, &err) < 0)
                log_debug("firewalld: take out bridge %s: %s", bridge, err.message);
}
