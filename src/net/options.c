/* options.c: what networks and endpoints are told by --opt and driver-opt: checked and read. Which
 * there are is the drivers' to say. */
#include "net/options.h"

#include <net/if.h>
#include <string.h>

#include "net/netns.h"

int option_bool(const char *name, const char *value, bool *ret, Error *err) {
        static const char *const words[][6] = { { "0", "f", "F", "false", "FALSE", "False" },
                                                { "1", "t", "T", "true", "TRUE", "True" } };

        for (size_t word = 0; word < 12; word++) {
                if (!str_equal(value, words[word / 6][word % 6]))
                        continue;
                *ret = word >= 6;
                return 0;
        }
        return error_kind(err, ERROR_INVALID,
                          "failed to parse %s value: %s (must be true or false)", name, value);
}

int option_link_name(const char *what, const char *value, size_t longest, Error *err) {
        bool good = *value && strlen(value) <= longest && !str_equal(value, ".") &&
                    !str_equal(value, "..");

        for (const char *c = value; *c; c++)
                good &= *c > ' ' && *c < 127 && *c != '/' && *c != ':' && *c != '%';
        if (good)
                return 0;
        return error_kind(err, ERROR_INVALID,
                          "invalid %s '%s': a link's name has 1 to %zu visible characters, none of "
                          "them '/', ':' or '%%'",
                          what, value, longest);
}

int option_mtu(const char *name, const char *value, unsigned *ret, Error *err) {
        int mtu;

        if (str_to_int_in(value, 0, 65535, &mtu) < 0 || (mtu > 0 && mtu < 68))
                return error_kind(err, ERROR_INVALID,
                                  "failed to parse %s value: %s (must be 0, or from 68 to 65535)",
                                  name, value);
        *ret = (unsigned)mtu;
        return 0;
}

/* ---- an endpoint's ---- */

#define LINK_WORD "IFNAME"

/* Below /proc/sys/net, the directories that hold one for each link. */
static bool has_links(const char *family, const char *kind) {
        static const char *const trees[][2] = {
                { "ipv4", "conf" },  { "ipv4", "neigh" }, { "ipv6", "conf" },
                { "ipv6", "neigh" }, { "mpls", "conf" },
        };

        for (size_t i = 0; i < ELEMENTS(trees); i++)
                if (str_equal(family, trees[i][0]) && str_equal(kind, trees[i][1]))
                        return true;
        return false;
}

static bool is_plain(const char *key) {
        return *key && strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(key);
}

/* One "net.ipv4.conf.IFNAME.log_martians=1"; link NULL: it is only checked. */
static int take_sysctl(const char *text, const char *link, Error *err) {
        const char *equals = strchr(text, '=');
        _cleanup_free_ char *name = str_copy_n(text, equals ? (size_t)(equals - text) : 0);
        _cleanup_free_ char *path = NULL;
        _cleanup_strv_ char **parts = str_split(name, strchr(name, '/') ? '/' : '.');

        if (!equals || !equals[1] || strv_length(parts) != 5 || !str_equal(parts[0], "net") ||
            !has_links(parts[1], parts[2]) || !str_equal(parts[3], LINK_WORD) ||
            !is_plain(parts[4]))
                return error_kind(err, ERROR_INVALID,
                                  "invalid " ENDPOINT_OPTION "sysctls '%s': write it like "
                                  "net.ipv4.conf." LINK_WORD ".log_martians=1, several with "
                                  "commas between",
                                  text);
        if (!link)
                return 0;
        path = str_format("%s/%s/%s/%s", parts[1], parts[2], link, parts[4]);
        return sysctl_write(path, equals + 1, err);
}

static const char *sysctls_of(const Endpoint *endpoint) {
        return pairs_get(&endpoint->options, ENDPOINT_OPTION "sysctls");
}

bool endpoint_has_sysctls(const Endpoint *endpoint) {
        return !str_empty(sysctls_of(endpoint));
}

static int take_sysctls(const Endpoint *endpoint, const char *link, Error *err) {
        const char *all = sysctls_of(endpoint);
        _cleanup_strv_ char **each = str_empty(all) ? NULL : str_split(all, ',');
        int r = 0;

        for (char **text = each; r == 0 && text && *text; text++)
                r = take_sysctl(*text, link, err);
        return r;
}

const char *endpoint_options_link(const Endpoint *endpoint) {
        return pairs_get(&endpoint->options, ENDPOINT_OPTION "ifname");
}

int endpoint_link_local(const char *text, Subnet *ret, Error *err) {
        if (ip_parse(text, &ret->address) < 0)
                return error_kind(err, ERROR_INVALID, "Invalid link-local IP address: %s", text);
        if (!ip_is_link_local(ret->address))
                return error_kind(err, ERROR_INVALID,
                                  "Invalid link-local IP address: %s: it is neither of "
                                  "169.254.0.0/16 nor of fe80::/10; an address of the network is "
                                  "given with --ip or --ip6",
                                  text);
        ret->prefix = ret->address.family == AF_INET ? 16 : 64;
        return 0;
}

static int check_link_local(const Endpoint *endpoint, Error *err) {
        Subnet subnet;
        int r = 0;

        for (char *const *text = endpoint->link_local; r == 0 && text && *text; text++)
                r = endpoint_link_local(*text, &subnet, err);
        return r;
}

int endpoint_options_check(const Endpoint *endpoint, Error *err) {
        const char *link = endpoint_options_link(endpoint);
        int r = link ? option_link_name(ENDPOINT_OPTION "ifname", link, IFNAMSIZ - 1, err) : 0;

        if (r == 0)
                r = check_link_local(endpoint, err);
        if (r == 0 && str_equal(link, "lo"))
                r = error_kind(err, ERROR_INVALID,
                               "invalid " ENDPOINT_OPTION "ifname 'lo': the container has a link "
                               "of that name");
        return r < 0 ? r : take_sysctls(endpoint, NULL, err);
}

int endpoint_options_apply(const Endpoint *endpoint, const char *link, Error *err) {
        return take_sysctls(endpoint, link, err);
}
