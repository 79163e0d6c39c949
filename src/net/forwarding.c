/* forwarding.c: makes the host a router for the networks' packets, and keeps it none for others if
 * it was none before. */
#include <dirent.h>

#include "net/netns.h"
#include "net/state.h"

/* Below /proc/sys/net; in the order of net_families. */
static const char *const knobs[NET_FAMILIES] = { "ipv4/ip_forward", "ipv6/conf/all/forwarding" };

/* A router takes no router's advertisement, unless accept_ra is 2 (ip-sysctl): links that take
 * their addresses and routes so go on doing it, and so do links that come later ("default"). */
static int keep_advertisements(Error *err) {
        _cleanup_closedir_ DIR *links = opendir("/proc/sys/net/ipv6/conf");
        int r = 0;

        for (struct dirent *entry; r == 0 && links && (entry = readdir(links));) {
                _cleanup_free_ char *path = str_format("ipv6/conf/%s/accept_ra", entry->d_name);

                if (!str_equal(entry->d_name, "all") && sysctl_read(path) == '1')
                        r = sysctl_write(path, "2", err);
        }
        return r;
}

static int turn_on(Net *net, size_t index, Error *err) {
        int r;

        firewall_close_host(net->firewall, net_families[index]);
        /* The table may be there without the chain: it comes before what it guards. */
        r = net_apply(net, err);
        if (r == 0 && index == NET_IPV6)
                r = keep_advertisements(err);
        return r < 0 ? r : sysctl_write(knobs[index], "1", err);
}

int net_ensure_forwarding(Net *net, const Network *network, Error *err) {
        for (size_t i = 0; i < NET_FAMILIES; i++) {
                int r;

                if (net->leave_forwarding || net->forwarding[i] ||
                    !network_has_family(network, net_families[i]))
                        continue;
                r = sysctl_read(knobs[i]) == '1' ? 0 : turn_on(net, i, err);
                if (r < 0)
                        return r;
                net->forwarding[i] = true;
        }
        return 0;
}

void net_leave_forwarding(Net *net) {
        net->leave_forwarding = true;
}

int net_stop_forwarding(Net *net, Error *err) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < NET_FAMILIES; i++) {
                if (firewall_host_is_closed(net->firewall, net_families[i]))
                        r = sysctl_write(knobs[i], "0", err);
                net->forwarding[i] = false;
        }
        return r;
}
