/* endpoint.c: see endpoint.h. */
#include "image/endpoint.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "image/hosts.h"

#define HUB "docker.io"
#define HUB_HOST "registry-1.docker.io"

/* "host", "host:port", "[::1]:port" → host. */
static char *host_of(const char *registry) {
        const char *end = strrchr(registry, ':');

        if (*registry == '[') {
                const char *bracket = strchr(registry, ']');

                return bracket ? str_copy_n(registry + 1, (size_t)(bracket - registry) - 1)
                               : str_copy(registry);
        }
        return end ? str_copy_n(registry, (size_t)(end - registry)) : str_copy(registry);
}

static bool is_loopback(const char *host) {
        struct in_addr four;
        struct in6_addr six;

        if (strcasecmp(host, "localhost") == 0)
                return true;
        if (inet_pton(AF_INET, host, &four) == 1)
                return ntohl(four.s_addr) >> 24 == 127;
        return inet_pton(AF_INET6, host, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

static bool bits_equal(const unsigned char *a, const unsigned char *b, int bits) {
        int whole = bits / 8, rest = bits % 8;

        if (memcmp(a, b, (size_t)whole) != 0)
                return false;
        return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

static bool in_network(const char *host, const char *network) {
        const char *slash = strchr(network, '/');
        _cleanup_free_ char *base = slash ? str_copy_n(network, (size_t)(slash - network)) : NULL;
        unsigned char address[16], prefix[16];
        int family = strchr(host, ':') ? AF_INET6 : AF_INET, bits;

        return slash && str_to_int_in(slash + 1, 0, family == AF_INET ? 32 : 128, &bits) == 0 &&
               inet_pton(family, host, address) == 1 && inet_pton(family, base, prefix) == 1 &&
               bits_equal(address, prefix, bits);
}

bool registry_is_insecure(const char *registry, char *const *insecure) {
        _cleanup_free_ char *host = host_of(registry);

        if (is_loopback(host))
                return true;
        for (size_t i = 0; insecure && insecure[i]; i++)
                if (strcasecmp(insecure[i], registry) == 0 || strcasecmp(insecure[i], host) == 0 ||
                    in_network(host, insecure[i]))
                        return true;
        return false;
}

Endpoint *endpoint_add(Endpoint **endpoints, size_t *count, const char *url) {
        const char *rest = strstr(url, "://");
        size_t length = rest ? (size_t)(rest + 3 - url) : 0, end = strlen(url);
        Endpoint *endpoint;

        length += strcspn(url + length, "/");
        while (end > length && url[end - 1] == '/')
                end--;
        GROW(*endpoints, *count);
        endpoint = &(*endpoints)[(*count)++];
        *endpoint = (Endpoint){ .url = str_copy_n(url, length),
                                .path = str_copy_n(url + length, end - length),
                                .insecure = str_after(url, "http://") != NULL,
                                .can = HOST_ALL };
        return endpoint;
}

static void add(Endpoint **endpoints, size_t *count, const char *url, bool insecure, bool mirror) {
        Endpoint *endpoint = endpoint_add(endpoints, count, url);
        char *path = str_format("%s/v2", endpoint->path);

        free(endpoint->path);
        endpoint->path = path;
        endpoint->insecure = insecure;
        endpoint->mirror = mirror;
        if (mirror)
                endpoint->can = HOST_PULL | HOST_RESOLVE;
}

void endpoints_own(const char *registry, char *const *insecure, Endpoint **endpoints,
                   size_t *count) {
        _cleanup_free_ char *host = host_of(registry),
                            *tls = str_format("https://%s",
                                              str_equal(registry, HUB) ? HUB_HOST : registry),
                            *plain = str_format("http://%s", registry);

        if (str_equal(registry, HUB) || !registry_is_insecure(registry, insecure)) {
                add(endpoints, count, tls, false, false);
        } else if (is_loopback(host)) { /* encryption is of no use there, and rare */
                add(endpoints, count, plain, true, false);
                add(endpoints, count, tls, true, false);
        } else {
                add(endpoints, count, tls, true, false);
                add(endpoints, count, plain, true, false);
        }
}

/* A mirror's table may name the registry's own scheme, host and port, for its certificates, say. */
static bool is_registry(const Endpoint *endpoint, const Endpoint *endpoints, size_t count) {
        for (size_t i = 0; i < count; i++)
                if (!endpoints[i].mirror && str_equal(endpoint->url, endpoints[i].url))
                        return true;
        return false;
}

int endpoints_of(const char *registry, const EndpointOptions *options, Endpoint **ret,
                 size_t *ret_count, Error *err) {
        char *const *mirrors = str_equal(registry, HUB) ? options->mirrors : NULL;
        Endpoint *endpoints = NULL;
        size_t count = 0;
        int r = hosts_read(options->directories, registry, options->insecure, &endpoints, &count,
                           err);

        if (r == 0) { /* there are no settings for it */
                for (size_t i = 0; mirrors && mirrors[i]; i++)
                        add(&endpoints, &count, mirrors[i],
                            str_after(mirrors[i], "http://") != NULL, true);
                endpoints_own(registry, options->insecure, &endpoints, &count);
                r = hosts_certificates(options->directories, registry, endpoints, count, err);
        }
        if (r < 0) {
                (void)endpoints_free(endpoints, count);
                return r;
        }
        for (size_t i = 0; i < count; i++)
                endpoints[i].trusted = is_registry(&endpoints[i], endpoints, count);
        *ret = endpoints;
        *ret_count = count;
        return 0;
}

Endpoint *endpoints_free(Endpoint *endpoints, size_t count) {
        for (size_t i = 0; i < count; i++) {
                free(endpoints[i].url);
                free(endpoints[i].path);
                free(endpoints[i].authorities);
                free(endpoints[i].certificate);
                free(endpoints[i].key);
                free(endpoints[i].authorization);
                endpoints[i].headers = strv_free(endpoints[i].headers);
        }
        free(endpoints);
        return NULL;
}
