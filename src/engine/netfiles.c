/* netfiles.c: /etc/hosts, /etc/hostname and /etc/resolv.conf of a container: files in its
 * directory, bound over those of its image by ocispec.c. They are written in place, as a mount
 * holds the file, not its name. */
#include <errno.h>
#include <fcntl.h>

#include "base/bug.h"
#include "base/fd.h"
#include "engine/endpoints.h"
#include "engine/engine-private.h"
#include "engine/links.h"
#include "engine/network-mode.h"
#include "engine/networks.h"
#include "format/resolvconf.h"

#define FILE_LIMIT (1 << 20)
#define RESOLVER_ADDRESS "127.0.0.11"

static int write_in_place(int dir_fd, const char *name, const Buf *text, Error *err) {
        _cleanup_close_ int fd =
                openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);

        if (fd < 0)
                return error_set(err, errno, "write the container's file '%s'", name);
        int r = fd_write_full(fd, text->data ? text->data : "", text->length);
        return r < 0 ? error_set(err, -r, "write the container's file '%s'", name) : 0;
}

/* ---- /etc/resolv.conf ---- */

/* A host without the file has no name servers. */
static void resolv_read_host(ResolvConf *ret) {
        _cleanup_free_ char *text = NULL;
        size_t length;

        if (file_read_at(AT_FDCWD, "/etc/resolv.conf", FILE_LIMIT, &text, &length, NULL) == 0)
                resolv_parse(text, ret);
}

static void replace_if_given(char ***list, char *const *given) {
        if (strv_length(given) == 0)
                return;
        strv_free(*list);
        *list = strv_copy(given);
}

static char *const *daemon_servers(const Container *container) {
        static char *const docker_default[] = { (char *)"8.8.8.8", (char *)"8.8.4.4", NULL };
        char *const *dns = container->engine->options.dns;

        return strv_length(dns) > 0 ? dns : docker_default;
}

char **netfiles_upstream(Container *container, bool *ret_given) {
        *ret_given = strv_length(container->spec.host.dns) > 0;
        if (*ret_given)
                return strv_copy(container->spec.host.dns);
        return strv_length(container->engine->options.dns) > 0
                       ? strv_copy(container->engine->options.dns)
                       : NULL;
}

static bool has_ndots(char *const *options) {
        for (; options && *options; options++)
                if (str_after(*options, "ndots:"))
                        return true;
        return false;
}

static int write_resolv(Container *container, int dir_fd, Error *err) {
        const HostConfig *host = &container->spec.host;
        const ContainerDefaults *defaults = &container->engine->options.defaults;
        bool own = !str_equal(container_network_mode(container), "host");
        _cleanup_(resolv_done) ResolvConf conf = { 0 };
        _cleanup_buf_ Buf text = { 0 };

        resolv_read_host(&conf);
        if (own) {
                replace_if_given(&conf.servers, container->engine->options.dns);
                replace_if_given(&conf.search, defaults->dns_search);
                replace_if_given(&conf.options, defaults->dns_options);
        }
        replace_if_given(&conf.servers, host->dns);
        replace_if_given(&conf.search, host->dns_search);
        replace_if_given(&conf.options, host->dns_options);
        if (own && container_on_resolver(container)) {
                static char *const resolver[] = { (char *)RESOLVER_ADDRESS, NULL };
                replace_if_given(&conf.servers, resolver);
                if (!has_ndots(conf.options))
                        strv_add(&conf.options, "ndots:0");
        } else if (own && strv_length(host->dns) == 0) {
                resolv_drop_loopback(&conf, daemon_servers(container));
        }
        resolv_write(&conf, &text);
        return write_in_place(dir_fd, "resolv.conf", &text, err);
}

/* ---- /etc/hosts ---- */

/* The first address that host-gateway stands for; others of the daemon's settings follow. */
static int gateway_address(const Container *container, char **ret, Error *err) {
        const ContainerEndpoint *endpoints = container->endpoints.items;
        char *const *given = container->engine->options.defaults.host_gateway;
        _cleanup_network_ NetworkObject *bridge = NULL;

        if (given && *given) {
                *ret = str_copy(*given);
                return 0;
        }
        if (network_lookup(container->engine, "bridge", &bridge, NULL) == 0 &&
            bridge->config.pools.count > 0) {
                *ret = str_copy(((const NetPool *)bridge->config.pools.items)->gateway);
                return 0;
        }
        for (size_t i = 0; i < container->endpoints.count; i++)
                if (endpoints[i].endpoint.gateway) {
                        *ret = str_copy(endpoints[i].endpoint.gateway);
                        return 0;
                }
        return error_kind(err, ERROR_INVALID,
                          "unable to derive the IP value for host-gateway: there is no bridge");
}

/* "name:address"; the address may hold colons itself, and Docker's newer clients write
 * "name=address". */
static int extra_hosts(const Container *container, Buf *buf, Error *err) {
        char *const *gateways = container->engine->options.defaults.host_gateway;

        for (char **host = container->spec.host.extra_hosts; host && *host; host++) {
                size_t length = strcspn(*host, ":=");
                _cleanup_free_ char *name = str_copy_n(*host, length), *address = NULL;
                const char *value = (*host)[length] ? *host + length + 1 : "";
                char *const *more = NULL;

                if (length == 0 || !*value || (strpbrk(*host, "\n\r \t") && !BUG("file-lines")))
                        return error_kind(err, ERROR_INVALID, "bad format for add-host: \"%s\"",
                                          *host);
                if (str_equal(value, "host-gateway")) {
                        int r = gateway_address(container, &address, err);
                        if (r < 0)
                                return r;
                        value = address;
                        more = strv_length(gateways) > 1 ? gateways + 1 : NULL;
                }
                buf_format(buf, "%s\t%s\n", value, name);
                for (; more && *more; more++)
                        buf_format(buf, "%s\t%s\n", *more, name);
        }
        return 0;
}

/* The container's own names, for each of its addresses. */
static void own_hosts(const Container *container, Buf *buf) {
        const ContainerConfig *config = &container->spec.config;
        const ContainerEndpoint *endpoints = container->endpoints.items;
        _cleanup_free_ char *full =
                str_empty(config->domainname)
                        ? str_copy(config->hostname)
                        : str_format("%s.%s", config->hostname, config->domainname);

        if (str_empty(full))
                return;
        const char *dot = strchr(full, '.');
        for (size_t i = 0; i < 2 * container->endpoints.count; i++) {
                const Endpoint *endpoint = &endpoints[i / 2].endpoint;
                const char *address = i % 2 ? endpoint->address6 : endpoint->address;
                if (!address)
                        continue;
                buf_format(buf, "%.*s\t%s", (int)strcspn(address, "/"), address, full);
                if (dot)
                        buf_format(buf, " %.*s", (int)(dot - full), full);
                buf_add_char(buf, '\n');
        }
}

static const char hosts_start[] = "127.0.0.1\tlocalhost\n"
                                  "::1\tlocalhost ip6-localhost ip6-loopback\n"
                                  "fe00::0\tip6-localnet\n"
                                  "ff00::0\tip6-mcastprefix\n"
                                  "ff02::1\tip6-allnodes\n"
                                  "ff02::2\tip6-allrouters\n";

static int write_hosts(Container *container, int dir_fd, Error *err) {
        _cleanup_buf_ Buf text = { 0 };
        bool host = str_equal(container_network_mode(container), "host");
        _cleanup_free_ char *own = NULL;
        size_t length;

        if (host && file_read_at(AT_FDCWD, "/etc/hosts", FILE_LIMIT, &own, &length, NULL) == 0) {
                buf_add(&text, own, length);
                if (length > 0 && own[length - 1] != '\n')
                        buf_add_char(&text, '\n');
        } else {
                buf_add_str(&text, hosts_start);
        }
        int r = extra_hosts(container, &text, err);
        if (r < 0)
                return r;
        links_hosts(container, &text);
        own_hosts(container, &text);
        return write_in_place(dir_fd, "hosts", &text, err);
}

static int write_hostname(Container *container, int dir_fd, Error *err) {
        const ContainerConfig *config = &container->spec.config;
        _cleanup_buf_ Buf text = { 0 };

        buf_add_str(&text, config->hostname ? config->hostname : "");
        if (!str_empty(config->domainname))
                buf_format(&text, ".%s", config->domainname);
        buf_add_char(&text, '\n');
        return write_in_place(dir_fd, "hostname", &text, err);
}

/* ---- together ---- */

int netfiles_write(Container *container, Error *err) {
        _cleanup_close_ int dir_fd = -1;

        int r = dir_open_at(container->engine->containers_fd, container->id, 0, &dir_fd, err);
        if (r < 0)
                return r;
        r = write_hostname(container, dir_fd, err);
        if (r == 0)
                r = write_hosts(container, dir_fd, err);
        if (r == 0)
                r = write_resolv(container, dir_fd, err);
        return r;
}

int netfiles_update_hosts(Container *container, Error *err) {
        _cleanup_close_ int dir_fd = -1;

        int r = dir_open_at(container->engine->containers_fd, container->id, 0, &dir_fd, err);
        if (r < 0)
                return r;
        r = write_hosts(container, dir_fd, err);
        return r < 0 ? r : write_resolv(container, dir_fd, err);
}
