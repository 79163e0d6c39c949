/* zones.c: see zones.h. firewalld refuses forwarded packets of links that are in no zone which
 * allows them. The zone is installed with brig (firewalld-zone.xml); which links are in it is told
 * over the message bus, and told again whenever firewalld starts or has reloaded: unless it is
 * configured otherwise (FlushAllOnReload=no) it has then forgotten. */
#include "net/zones.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/str.h"
#include "os/dbus.h"

#define ZONE "brig"
/* firewalld has its name on the bus before it has begun to answer. */
#define PATIENCE_MS 30000
/* Between attempts to reach the bus: the pause doubles. */
#define PAUSE_MIN (NSEC_PER_SEC)
#define PAUSE_MAX (64 * NSEC_PER_SEC)
#define LAST_WORDS NSEC_PER_SEC
#define FIREWALLD "org.fedoraproject.FirewallD1"
#define BUS "org.freedesktop.DBus"

typedef struct Bridge {
        bool wanted; /* in the zone; if not, it is forgotten once that is told */
        bool told;
} Bridge;

struct Zones {
        pthread_t thread;
        pthread_mutex_t lock; /* guards these three; taken last */
        pthread_cond_t idle_changed;
        Map bridges;          /* name → Bridge */
        bool idle;            /* nothing is left to tell, or there is nobody to tell it */
        int wake_fd, stop_fd; /* eventfds */
        /* The thread's alone. */
        DBus *bus;
        int64_t pause, next_try; /* clock_monotonic */
};

/* ---- what is to be told ---- */

static void queue(Zones *zones, const char *name, bool wanted) {
        Bridge *bridge;

        (void)pthread_mutex_lock(&zones->lock);
        bridge = map_get(&zones->bridges, name);
        if (!bridge) {
                bridge = NEW(Bridge);
                (void)map_put(&zones->bridges, name, bridge);
        }
        *bridge = (Bridge){ .wanted = wanted };
        zones->idle = false;
        (void)pthread_mutex_unlock(&zones->lock);
        (void)eventfd_write(zones->wake_fd, 1);
}

void zones_add(Zones *zones, const char *bridge) {
        queue(zones, bridge, true);
}

void zones_remove(Zones *zones, const char *bridge) {
        queue(zones, bridge, false);
}

/* The name of one that is to be told, the caller's, or NULL; it counts as told from here on. */
static char *next_bridge(Zones *zones, bool *ret_wanted) {
        char *result = NULL;
        const char *name;
        Bridge *bridge;

        (void)pthread_mutex_lock(&zones->lock);
        MAP_EACH(&zones->bridges, name, bridge) {
                if (bridge->told)
                        continue;
                result = str_copy(name);
                *ret_wanted = bridge->wanted;
                bridge->told = true;
                break;
        }
        if (result && !*ret_wanted)
                free(map_drop(&zones->bridges, result));
        (void)pthread_mutex_unlock(&zones->lock);
        return result;
}

/* firewalld knows nothing yet. */
static void tell_all_again(Zones *zones) {
        const char *name;
        Bridge *bridge;

        (void)pthread_mutex_lock(&zones->lock);
        MAP_EACH(&zones->bridges, name, bridge)
                bridge->told = false;
        (void)pthread_mutex_unlock(&zones->lock);
}

/* Without a bus nobody needs to hear what is not wanted any more: it must not pile up. */
static void forget_unwanted(Zones *zones) {
        char **names = NULL;
        const char *name;
        Bridge *bridge;

        (void)pthread_mutex_lock(&zones->lock);
        MAP_EACH(&zones->bridges, name, bridge)
                if (!bridge->wanted)
                        strv_add(&names, name);
        for (size_t i = 0; names && names[i]; i++)
                free(map_drop(&zones->bridges, names[i]));
        (void)pthread_mutex_unlock(&zones->lock);
        strv_free(names);
}

/* ---- the bus ---- */

static int hear(DBus *bus, const char *rule, Error *err) {
        const DBusCall call = { BUS, "/org/freedesktop/DBus", BUS, "AddMatch", { rule } };

        return dbus_call(bus, &call, err);
}

static int connect_bus(Zones *zones, Error *err) {
        int r = dbus_open(DBUS_SYSTEM_SOCKET, PATIENCE_MS, zones->stop_fd, &zones->bus, err);

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
                tell_all_again(zones);
        return r;
}

/* True if firewalld began anew. */
static bool is_beginning(const DBusSignal *signal) {
        if (str_equal(signal->member, "Reloaded"))
                return str_equal(signal->interface, FIREWALLD);
        return str_equal(signal->member, "NameOwnerChanged") &&
               str_equal(signal->arguments[0], FIREWALLD) && !str_empty(signal->arguments[2]);
}

/* Reads what has come, until nothing is left. */
static int listen_to_bus(Zones *zones, Error *err) {
        DBusSignal signal = { 0 };
        bool began = false;
        int r;

        while ((r = dbus_next(zones->bus, &signal, err)) > 0) {
                began |= is_beginning(&signal);
                dbus_signal_done(&signal);
        }
        if (began)
                tell_all_again(zones);
        return r;
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

/* What firewalld refuses is logged and is no failure of the bus. */
static int tell(DBus *bus, const char *bridge, bool wanted, Error *err) {
        const DBusCall call = { FIREWALLD,
                                "/org/fedoraproject/FirewallD1",
                                FIREWALLD ".zone",
                                wanted ? "changeZoneOfInterface" : "removeInterface",
                                { ZONE, bridge } };
        int r = find_firewalld(bus, err);

        if (r == 0)
                r = dbus_call(bus, &call, err);
        if (r == -ENOENT)
                return 0;
        if (r == 0 || strstr(err->message, "ZONE_ALREADY_SET"))
                return 0;
        if (wanted && r != -ECANCELED)
                log_warn("firewalld does not take bridge %s into its zone " ZONE
                         " and may refuse its containers' packets: %s (if it does not know the "
                         "zone: firewall-cmd --reload)",
                         bridge, err->message);
        else
                log_debug("firewalld: bridge %s: %s", bridge, err->message);
        return r == -EREMOTEIO ? 0 : r;
}

/* ---- the thread ---- */

static int work(Zones *zones, Error *err) {
        int r = zones->bus ? 0 : connect_bus(zones, err);

        if (r == 0)
                r = listen_to_bus(zones, err);
        while (r == 0) {
                bool wanted = false;
                _cleanup_free_ char *bridge = next_bridge(zones, &wanted);

                if (!bridge)
                        break;
                r = tell(zones->bus, bridge, wanted, err);
                /* A signal that came meanwhile makes the socket readable no more. */
                if (r == 0)
                        r = listen_to_bus(zones, err);
        }
        if (r == 0)
                zones->pause = PAUSE_MIN;
        return r;
}

static void lose_bus(Zones *zones, const Error *err) {
        log_debug("firewalld: %s", err->message);
        zones->bus = dbus_close(zones->bus);
        zones->next_try = clock_monotonic() + zones->pause;
        zones->pause = MIN(zones->pause * 2, PAUSE_MAX);
}

/* False: it is time to end. */
static bool wait_for_work(Zones *zones) {
        struct pollfd items[] = { { .fd = zones->stop_fd, .events = POLLIN },
                                  { .fd = zones->wake_fd, .events = POLLIN },
                                  { .fd = zones->bus ? dbus_fd(zones->bus) : -1,
                                    .events = POLLIN } };
        int64_t left = (zones->next_try - clock_monotonic()) / NSEC_PER_MSEC + 1;
        eventfd_t count;

        if (zones->bus)
                left = -1;
        else if (left < 0)
                left = 0;
        if (poll(items, ELEMENTS(items), (int)left) < 0)
                return true; /* EINTR */
        if (items[1].revents)
                (void)eventfd_read(zones->wake_fd, &count);
        return !items[0].revents;
}

static void note_idle(Zones *zones) {
        bool idle = true;
        const char *name;
        Bridge *bridge;

        (void)pthread_mutex_lock(&zones->lock);
        MAP_EACH(&zones->bridges, name, bridge)
                idle &= bridge->told || !zones->bus;
        zones->idle = idle;
        (void)pthread_cond_broadcast(&zones->idle_changed);
        (void)pthread_mutex_unlock(&zones->lock);
}

static void *run(void *data) {
        Zones *zones = data;

        do {
                Error err = { 0 };

                if ((zones->bus || clock_monotonic() >= zones->next_try) && work(zones, &err) < 0)
                        lose_bus(zones, &err);
                if (!zones->bus)
                        forget_unwanted(zones);
                note_idle(zones);
        } while (wait_for_work(zones));
        zones->bus = dbus_close(zones->bus);
        return NULL;
}

/* ---- begin and end ---- */

static void free_zones(Zones *zones) {
        close_fd(&zones->wake_fd);
        close_fd(&zones->stop_fd);
        map_done(&zones->bridges, free);
        (void)pthread_cond_destroy(&zones->idle_changed);
        (void)pthread_mutex_destroy(&zones->lock);
        free(zones);
}

static int start(Zones *zones, Error *err) {
        sigset_t all, before;
        int r;

        if (zones->wake_fd < 0 || zones->stop_fd < 0)
                return error_set(err, errno, "make an event descriptor");
        (void)sigfillset(&all);
        (void)pthread_sigmask(SIG_BLOCK, &all, &before);
        r = pthread_create(&zones->thread, NULL, run, zones);
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
        return r > 0 ? error_set(err, r, "start the thread for firewalld") : 0;
}

int zones_new(Zones **ret, Error *err) {
        Zones *zones = NEW(Zones);
        pthread_condattr_t attributes;
        int r;

        (void)pthread_mutex_init(&zones->lock, NULL);
        (void)pthread_condattr_init(&attributes);
        (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        (void)pthread_cond_init(&zones->idle_changed, &attributes);
        zones->pause = PAUSE_MIN;
        zones->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        zones->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        r = start(zones, err);
        if (r < 0) {
                free_zones(zones);
                return r;
        }
        *ret = zones;
        return 0;
}

Zones *zones_free(Zones *zones) {
        const int64_t until = clock_monotonic() + LAST_WORDS;
        const struct timespec end = { until / NSEC_PER_SEC, until % NSEC_PER_SEC };
        int r = 0;

        if (!zones)
                return NULL;
        (void)pthread_mutex_lock(&zones->lock);
        while (r == 0 && !zones->idle)
                r = pthread_cond_timedwait(&zones->idle_changed, &zones->lock, &end);
        (void)pthread_mutex_unlock(&zones->lock);
        (void)eventfd_write(zones->stop_fd, 1);
        (void)pthread_join(zones->thread, NULL);
        free_zones(zones);
        return NULL;
}
