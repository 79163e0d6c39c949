/* portspec.c: the grammar of -p, as Docker's client and daemon share it. Text only: see ports.c for
 * the ports themselves. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>

#include "net/ports.h"

/* "80" or "80-90". As in Docker, 0 is a port, and the second may not be less than the first. */
static int parse_range(const char *text, int *ret_first, int *ret_last) {
        const char *dash = strchr(text, '-');
        _cleanup_free_ char *first = dash ? str_copy_n(text, (size_t)(dash - text)) : NULL;

        if (str_to_int_in(dash ? first : text, 0, 65535, ret_first) < 0 ||
            str_to_int_in(dash ? dash + 1 : text, 0, 65535, ret_last) < 0 || *ret_last < *ret_first)
                return -EINVAL;
        return 0;
}

/* Splits "80/tcp" in place; no protocol means tcp, no port means no protocol either. */
static const char *split_protocol(char *port) {
        char *slash = strchr(port, '/'), *second = slash ? strchr(slash + 1, '/') : NULL;

        if (slash)
                *slash = '\0';
        if (second)
                *second = '\0';
        if (*port == '\0')
                return "";
        return slash && slash[1] ? str_lower(slash + 1) : "tcp";
}

/* Takes the brackets off "[::1]" and checks that it is an address. */
static int parse_host_ip(char *text, const char **ret, Error *err) {
        unsigned char address[sizeof(struct in6_addr)];
        size_t length = strlen(text);
        char *ip = text;

        if (length > 1 && text[0] == '[' && text[length - 1] == ']') {
                text[length - 1] = '\0';
                ip++;
        }
        if (*ip && inet_pton(AF_INET, ip, address) != 1 && inet_pton(AF_INET6, ip, address) != 1)
                return error_kind(err, ERROR_INVALID, "invalid IP address: %s", ip);
        *ret = ip;
        return 0;
}

typedef struct Parts {
        const char *ip, *host, *container, *protocol;
        int host_first, host_last, container_first, container_last;
} Parts;

static int parse_parts(const char *spec, char *copy, Parts *parts, Error *err) {
        char *container = strrchr(copy, ':'), *host = NULL, *ip = NULL;
        int r;

        if (container) {
                *container++ = '\0';
                host = strrchr(copy, ':');
                if (host) {
                        *host++ = '\0';
                        ip = copy;
                } else {
                        host = copy;
                }
        } else {
                container = copy;
        }
        parts->protocol = split_protocol(container);
        parts->container = container;
        parts->host = host ?: "";
        parts->ip = "";
        if (*container == '\0')
                return error_kind(err, ERROR_INVALID, "no port specified: %s<empty>", spec);
        if (port_protocol(parts->protocol) == 0)
                return error_kind(err, ERROR_INVALID, "invalid proto: %s", parts->protocol);
        r = ip ? parse_host_ip(ip, &parts->ip, err) : 0;
        if (r < 0)
                return r;
        if (parse_range(container, &parts->container_first, &parts->container_last) < 0)
                return error_kind(err, ERROR_INVALID, "invalid containerPort: %s", container);
        if (*parts->host && parse_range(parts->host, &parts->host_first, &parts->host_last) < 0)
                return error_kind(err, ERROR_INVALID, "invalid hostPort: %s", parts->host);
        return 0;
}

int port_spec_parse(const char *spec, JsonArray *ports, Error *err) {
        _cleanup_free_ char *copy = str_copy(spec);
        Parts parts = { 0 };
        int count, host_count, r = parse_parts(spec, copy, &parts, err);

        if (r < 0)
                return r;
        count = parts.container_last - parts.container_first + 1;
        host_count = parts.host_last - parts.host_first + 1;
        if (*parts.host && count != host_count && count != 1)
                return error_kind(err, ERROR_INVALID,
                                  "invalid ranges specified for container and host Ports: %s and "
                                  "%s",
                                  parts.container, parts.host);
        for (int i = 0; i < count; i++) {
                NetPort *port = json_append(ports, &net_port_table);

                str_replace(&port->host_ip, *parts.ip ? parts.ip : NULL);
                str_replace(&port->protocol, parts.protocol);
                port->container_port = parts.container_first + i;
                port->host_port = *parts.host ? parts.host_first + i : 0;
                port->host_port_end = count == 1 && host_count > 1 ? parts.host_last : 0;
        }
        return 0;
}
