/* inner.c: see inner.h. */
#include "net/drivers/inner.h"
#include "base/bug.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/utsname.h>

#include "base/fd.h"
#include "net/netns.h"
#include "net/options.h"
#include "os/procfs.h"

int inner_parse_mac(const char *text, uint8_t ret[MAC_LENGTH], Error *err) {
        unsigned b[MAC_LENGTH];

        if (sscanf(text ?: "", "%2x:%2x:%2x:%2x:%2x:%2x", &b[0], &b[1], &b[2], &b[3], &b[4],
                   &b[5]) != MAC_LENGTH)
                return error_kind(err, ERROR_INVALID, "%s is not a valid mac address", text ?: "");
        for (size_t i = 0; i < MAC_LENGTH; i++)
                ret[i] = (uint8_t)b[i];
        return 0;
}

/* ---- name ---- */

/* It may be the link of a network that the container left just now. 1 or 0. */
static int is_free(Net *net, const Member *member, Rtnl *inner, const char *name, Error *err) {
        int r = rtnl_exists(inner, name, err);

        if (r > 0) {
                reaper_wait(net->reaper, member->endpoint.container_id);
                r = rtnl_exists(inner, name, err);
        }
        return r < 0 ? r : !r;
}

/* A name that the endpoint has already stays: it lost its link, and comes back. */
int inner_choose_name(Net *net, const Member *member, Rtnl *inner, char ret[IFNAMSIZ], Error *err) {
        const char *wanted = endpoint_options_link(&member->endpoint);
        const char *prefix = member->network->inner_prefix;
        int r;

        if (!str_empty(member->endpoint.inner_link)) {
                (void)snprintf(ret, IFNAMSIZ, "%s", member->endpoint.inner_link);
                return 0;
        }
        if (wanted) {
                (void)snprintf(ret, IFNAMSIZ, "%s", wanted);
                r = is_free(net, member, inner, ret, err);
                return r == 0 ? error_kind(err, ERROR_CONFLICT,
                                           "the container has a link '%s' already: give the "
                                           "endpoint another " ENDPOINT_OPTION "ifname",
                                           wanted)
                              : MIN(r, 0);
        }
        for (int number = 0; number < 1000; number++) {
                (void)snprintf(ret, IFNAMSIZ, "%.11s%d", prefix, number);
                r = is_free(net, member, inner, ret, err);
                if (r != 0)
                        return MIN(r, 0);
        }
        return error_kind(err, ERROR_CONFLICT,
                          "all link names from %s0 to %s999 are taken in the container", prefix,
                          prefix);
}

/* ---- IPv6 or not ---- */

int inner_settings_open(InnerSettings *settings, Error *err) {
        _cleanup_close_ int proc_fd = -1;
        int r = procfs_open_young(&proc_fd, err);

        *settings = (InnerSettings){ .conf_fd = -1, .default_fd = -1 };
        if (r < 0)
                return r;
        settings->conf_fd = openat(proc_fd, "sys/net/ipv6/conf", O_PATH | O_DIRECTORY | O_CLOEXEC);
        return settings->conf_fd >= 0 || errno == ENOENT
                       ? 0
                       : error_set(err, errno, "open /proc/sys/net/ipv6/conf");
}

void inner_settings_close(InnerSettings *settings) {
        close_fd(&settings->default_fd);
        close_fd(&settings->conf_fd);
}

/* Writing a link's disable_ipv6 needs the kernel's lock of all links (RTNL): who does not get it at
 * once tries again and again, in the way of who has it. That of links to come needs no lock since
 * Linux 6.9 (before, it would be two such writes for one). */
static bool has_free_default(void) {
        struct utsname name;
        int major, minor;

        return uname(&name) == 0 && sscanf(name.release, "%d.%d", &major, &minor) == 2 &&
               (major > 6 || (major == 6 && minor >= 9));
}

static bool has_ipv6(const Endpoint *endpoint) {
        bool found = !str_empty(endpoint->address6);

        for (char *const *text = endpoint->link_local; text && *text; text++)
                found |= strchr(*text, ':') != NULL;
        return found;
}

static int write_default(const InnerSettings *settings, char value, Error *err) {
        return pwrite(settings->default_fd, &value, 1, 0) == 1
                       ? 0
                       : error_set(err, errno,
                                   "write '%c' to sysctl 'net.ipv6.conf.default.disable_ipv6'",
                                   value);
}

int inner_expect(InnerSettings *settings, const Endpoint *endpoint, Error *err) {
        const char wanted = has_ipv6(endpoint) ? '0' : '1';
        int r = 0;

        if (settings->conf_fd < 0 || !has_free_default())
                return 0;
        settings->default_fd =
                openat(settings->conf_fd, "default/disable_ipv6", O_RDWR | O_CLOEXEC);
        if (settings->default_fd < 0 || pread(settings->default_fd, &settings->was, 1, 0) != 1)
                return error_set(err, errno, "read sysctl 'net.ipv6.conf.default.disable_ipv6'");
        if (settings->was != wanted)
                r = write_default(settings, wanted, err);
        else
                close_fd(&settings->default_fd);
        settings->expected = r == 0;
        return r;
}

int inner_expected(InnerSettings *settings, Error *err) {
        int r = settings->default_fd < 0 ? 0 : write_default(settings, settings->was, err);

        close_fd(&settings->default_fd);
        return r;
}

/* A link of an MTU that is too short for IPv6 has no such keys. */
static int write_link(const InnerSettings *settings, const char *link, const char *key,
                      const char *value, Error *err) {
        _cleanup_free_ char *path = str_format("%s/%s", link, key);

        return sysctl_write_at(settings->conf_fd, path, value, err);
}

static int set_ipv6(const InnerSettings *settings, const char *link, bool ipv6, Error *err) {
        _cleanup_free_ char *path = str_format("%s/disable_ipv6", link), *text = NULL;
        const char *wanted = ipv6 ? "0" : "1";
        size_t length;

        if (settings->expected ||
            (file_read_at(settings->conf_fd, path, 16, &text, &length, NULL) == 0 &&
             text[0] == *wanted))
                return 0;
        return sysctl_write_at(settings->conf_fd, path, wanted, err);
}

/* ndisc_notify makes the kernel announce the addresses itself once the link is up. Where there are
 * none, who turns IPv6 on in the container gets no stranger's routes all the same. */
static int set_sysctls(const InnerSettings *settings, const char *link, bool ipv6, Error *err) {
        const struct {
                const char *key, *value;
                bool wanted;
        } sysctls[] = { { "accept_ra", BUG("router-advertisements") ? "1" : "0", true },
                        { "accept_dad", "0", ipv6 },
                        { "ndisc_notify", "1", ipv6 } };

        if (settings->conf_fd < 0)
                return 0;
        for (size_t i = 0; i < ELEMENTS(sysctls); i++) {
                int r = sysctls[i].wanted
                                ? write_link(settings, link, sysctls[i].key, sysctls[i].value, err)
                                : 0;

                if (r < 0)
                        return r;
        }
        return set_ipv6(settings, link, ipv6, err);
}

/* ---- addresses ---- */

/* "172.28.0.2/16": not the subnet, but the address in it. */
static int read_address(const char *text, Subnet *ret, Error *err) {
        const char *slash = strchr(text, '/');
        _cleanup_free_ char *address = str_copy_n(text, slash ? (size_t)(slash - text) : 0);
        int prefix;

        if (ip_parse(address, &ret->address) < 0 ||
            str_to_int_in(slash + 1, 1, (int)ip_width(ret->address.family), &prefix) < 0)
                return error_kind(err, ERROR_INVALID, "invalid address %s", text);
        ret->prefix = (unsigned)prefix;
        return 0;
}

static int put_addresses(const Endpoint *endpoint, Rtnl *inner, unsigned index, Error *err) {
        const char *const addresses[] = { endpoint->address, endpoint->address6 };

        for (size_t i = 0; i < ELEMENTS(addresses); i++) {
                Subnet subnet;
                int r;

                if (str_empty(addresses[i]))
                        continue;
                r = read_address(addresses[i], &subnet, err);
                if (r < 0)
                        return r;
                rtnl_put_address(inner, index, subnet.address, subnet.prefix);
        }
        for (char *const *text = endpoint->link_local; text && *text; text++) {
                Subnet subnet;
                int r = endpoint_link_local(*text, &subnet, err);

                if (r == 0)
                        r = rtnl_make_room(inner, err);
                if (r < 0)
                        return r;
                rtnl_put_address(inner, index, subnet.address, subnet.prefix);
        }
        return 0;
}

/* ---- routes ---- */

/* Queues the default routes of the families whose packets leave the container here. */
static int put_routes(const Member *member, Rtnl *inner, unsigned index, Error *err) {
        const Endpoint *endpoint = &member->endpoint;
        const struct {
                bool wanted;
                const char *address, *gateway;
        } routes[NET_FAMILIES] = {
                { endpoint->default_gateway, endpoint->address, endpoint->gateway },
                { endpoint->default_gateway6, endpoint->address6, endpoint->gateway6 },
        };

        for (size_t i = 0; i < NET_FAMILIES; i++) {
                IpAddress gateway;

                if (!routes[i].wanted || str_empty(routes[i].address) ||
                    member->network->config.internal)
                        continue;
                if (member->network->device_route) {
                        rtnl_put_device_route(inner, index, net_families[i]);
                        continue;
                }
                if (str_empty(routes[i].gateway))
                        continue;
                if (ip_parse(routes[i].gateway, &gateway) < 0)
                        return error_kind(err, ERROR_INVALID, "invalid gateway '%s'",
                                          routes[i].gateway);
                rtnl_put_default_route(inner, index, gateway);
        }
        return 0;
}

int inner_configure(const Member *member, Rtnl *inner, const char *link,
                    const InnerSettings *settings, Error *err) {
        const Endpoint *endpoint = &member->endpoint;
        int r, index = rtnl_index(inner, link);

        if (index < 0)
                return error_set(err, -index, "link '%s'", link);
        r = set_sysctls(settings, link, has_ipv6(endpoint), err);
        if (r < 0)
                return r;
        rtnl_put_announcing(inner, (unsigned)index);
        if (endpoint_has_sysctls(endpoint)) { /* they have the last word */
                r = rtnl_commit(inner, err);
                if (r == 0)
                        r = endpoint_options_apply(endpoint, link, err);
        }
        if (r == 0)
                r = put_addresses(endpoint, inner, (unsigned)index, err);
        if (r < 0)
                return r;
        rtnl_put_up(inner, (unsigned)index);
        r = put_routes(member, inner, (unsigned)index, err);
        return r < 0 ? r : rtnl_commit(inner, err);
}

int inner_route(const Member *member, int netns_fd, Error *err) {
        _cleanup_(rtnl_closep) Rtnl *rtnl = NULL;
        int index, home = -1, r;

        r = netns_enter(netns_fd, &home, err);
        if (r == 0)
                r = rtnl_open(&rtnl, err);
        netns_return(&home);
        if (r < 0)
                return r;
        index = rtnl_index(rtnl, member->endpoint.inner_link);
        if (index < 0)
                return error_set(err, -index, "link '%s'", member->endpoint.inner_link);
        r = put_routes(member, rtnl, (unsigned)index, err);
        return r < 0 ? r : rtnl_commit(rtnl, err);
}
