/* endpoint.c: see endpoint.h. */
#include "image/endpoint.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"

#define HUB "docker.io"
#define HUB_URL "https://registry-1.docker.io"

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

static void add(Endpoint **endpoints, size_t *count, char *url, bool insecure, bool mirror) {
        size_t length = strlen(url);

        while (length > 0 && url[length - 1] == '/')
                url[--length] = '\0';
        GROW(*endpoints, *count);
        (*endpoints)[(*count)++] = (Endpoint){ url, insecure, mirror };
}

Endpoint *endpoints_of(const char *registry, char *const *insecure, char *const *mirrors,
                       size_t *ret_count) {
        Endpoint *endpoints = NULL;
        size_t count = 0;
        bool hub = str_equal(registry, HUB);
        _cleanup_free_ char *host = host_of(registry);

        for (size_t i = 0; hub && mirrors && mirrors[i]; i++)
                add(&endpoints, &count, str_copy(mirrors[i]),
                    str_after(mirrors[i], "http://") != NULL, true);
        if (hub) {
                add(&endpoints, &count, str_copy(HUB_URL), false, false);
        } else if (!registry_is_insecure(registry, insecure)) {
                add(&endpoints, &count, str_format("https://%s", registry), false, false);
        } else if (is_loopback(host)) { /* encryption is of no use there, and rare */
                add(&endpoints, &count, str_format("http://%s", registry), true, false);
                add(&endpoints, &count, str_format("https://%s", registry), true, false);
        } else {
                add(&endpoints, &count, str_format("https://%s", registry), true, false);
                add(&endpoints, &count, str_format("http://%s", registry), true, false);
        }
        *ret_count = count;
        return endpoints;
}

Endpoint *endpoints_free(Endpoint *endpoints, size_t count) {
        for (size_t i = 0; i < count; i++)
                free(endpoints[i].url);
        free(endpoints);
        return NULL;
}
