/* port-holder.c: who has a port of the host that could not be had: a container, or a program of the
 * host's, by /proc. Only for an error's words. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/ip.h"
#include "engine/publish.h"
#include "engine/registry.h"
#include "engine/snapshot.h"

#define TABLE_MAX (16 << 20) /* bytes of /proc/net/tcp */

static bool collides(const NetPort *a, const NetPort *b) {
        IpAddress x, y;

        if (a->open || b->open || a->host_port != b->host_port ||
            !str_equal(a->protocol, b->protocol))
                return false;
        if (str_empty(a->host_ip) || str_empty(b->host_ip))
                return true;
        return ip_parse(a->host_ip, &x) == 0 && ip_parse(b->host_ip, &y) == 0 &&
               x.family == y.family && (ip_is_any(x) || ip_is_any(y) || ip_equal(x, y));
}

static bool publishes(Container *container, const NetPort *port) {
        _cleanup_snapshot_ ContainerSnapshot *snapshot = container_snapshot(container);
        const ContainerEndpoint *places = snapshot->endpoints.items;

        for (size_t i = 0; i < snapshot->endpoints.count; i++) {
                const NetPort *ports = places[i].endpoint.ports.items;

                for (size_t j = 0; j < places[i].endpoint.ports.count; j++)
                        if (collides(&ports[j], port))
                                return true;
        }
        return false;
}

static char *container_holder(const Container *but, const NetPort *port) {
        char *holder = NULL;

        _cleanup_roster_ Roster *all = containers_all(but->engine);
        for (size_t i = 0; !holder && i < all->count; i++)
                if (publishes(all->items[i], port)) {
                        _cleanup_snapshot_ ContainerSnapshot *snapshot =
                                container_snapshot(all->items[i]);

                        holder = str_format("container %s", snapshot->name);
                }
        return holder;
}

/* ---- programs of the host's ---- */

/* The inode of the socket in a line of /proc/net/tcp, if it is bound to that port and listens or
 * has no peer; 0: it is not. */
static unsigned long line_inode(const char *line, int64_t number) {
        unsigned long inode;
        unsigned port, peer;

        if (sscanf(line, " %*u: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%x %*x %*s %*s %*s %*u %*u %lu",
                   &port, &peer, &inode) != 3)
                return 0;
        return port == (unsigned)number && peer == 0 ? inode : 0;
}

static unsigned long socket_inode(const char *table, int64_t number) {
        _cleanup_free_ char *path = str_format("/proc/self/net/%s", table), *text = NULL;
        size_t length;
        unsigned long inode = 0;

        if (file_read_at(AT_FDCWD, path, TABLE_MAX, &text, &length, NULL) < 0)
                return 0;
        for (const char *line = text; line && !inode; line = strchr(line, '\n')) {
                line += *line == '\n';
                inode = line_inode(line, number);
        }
        return inode;
}

static bool has_socket(int fds, const char *wanted) {
        DIR *directory = fdopendir(fds);
        bool found = false;
        char target[64];

        if (!directory) {
                (void)close(fds);
                return false;
        }
        for (const struct dirent *entry; !found && (entry = readdir(directory));) {
                ssize_t length =
                        readlinkat(dirfd(directory), entry->d_name, target, sizeof(target) - 1);

                target[MAX(length, 0)] = '\0';
                found = str_equal(target, wanted);
        }
        (void)closedir(directory);
        return found;
}

static char *process_name(const char *pid) {
        _cleanup_free_ char *path = str_format("/proc/%s/comm", pid), *name = NULL;
        size_t length = 0;

        if (file_read_at(AT_FDCWD, path, 64, &name, &length, NULL) < 0)
                return str_format("process %s", pid);
        return str_format("process %s (%.*s)", pid, (int)strcspn(name, "\n"), name);
}

static char *socket_holder(unsigned long inode) {
        _cleanup_free_ char *wanted = str_format("socket:[%lu]", inode);
        DIR *proc = opendir("/proc");
        char *holder = NULL;

        for (const struct dirent *entry; proc && !holder && (entry = readdir(proc));) {
                _cleanup_free_ char *path = str_format("/proc/%s/fd", entry->d_name);
                int fds;

                if (strspn(entry->d_name, "0123456789") != strlen(entry->d_name))
                        continue;
                fds = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                if (fds >= 0 && has_socket(fds, wanted))
                        holder = process_name(entry->d_name);
        }
        if (proc)
                (void)closedir(proc);
        return holder;
}

char *port_holder(const Container *but, const NetPort *port) {
        _cleanup_free_ char *six = str_format("%s6", port->protocol);
        char *holder = container_holder(but, port);
        unsigned long inode;

        if (holder)
                return holder;
        inode = socket_inode(port->protocol, port->host_port);
        if (!inode)
                inode = socket_inode(six, port->host_port);
        return inode ? socket_holder(inode) : NULL;
}
