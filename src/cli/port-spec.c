/* port-spec.c: -p and --expose; see specs.h. */
#include <arpa/inet.h>
#include <errno.h>

#include "cli/specs.h"

typedef struct Range {
        int first, last; /* last < first: none */
} Range;

static int parse_range(const char *text, Range *ret) {
        const char *dash = strchr(text, '-');
        _cleanup_free_ char *first = str_copy_n(text, dash ? (size_t)(dash - text) : strlen(text));

        if (str_to_int_in(first, 0, 65535, &ret->first) < 0 ||
            str_to_int_in(dash ? dash + 1 : first, 0, 65535, &ret->last) < 0 ||
            ret->last < ret->first)
                return -EINVAL;
        return 0;
}

static bool is_protocol(const char *text) {
        return str_equal(text, "tcp") || str_equal(text, "udp") || str_equal(text, "sctp");
}

/* Cuts "/proto" off spec. The protocol, the caller's, in lower case. */
static char *take_protocol(char *spec) {
        char *slash = strchr(spec, '/');

        if (!slash)
                return str_copy("tcp");
        *slash = '\0';
        return str_lower(str_copy(slash[1] ? slash + 1 : "tcp"));
}

/* Parts "ip:host:container" from its end; a part that is missing is "". IPv6 addresses are in
 * brackets. */
static void split_spec(char *spec, char **ip, char **host, char **container) {
        static char none[] = "";
        char *colon = strrchr(spec, ':');

        *ip = *host = none;
        *container = spec;
        if (!colon || strchr(colon, ']'))
                return;
        *colon = '\0';
        *container = colon + 1;
        *host = spec;
        colon = strrchr(spec, ':');
        if (!colon || strchr(colon, ']'))
                return;
        *colon = '\0';
        *host = colon + 1;
        *ip = spec;
        if (*spec == '[' && spec[strlen(spec) - 1] == ']') {
                spec[strlen(spec) - 1] = '\0';
                *ip = spec + 1;
        }
}

static bool is_address(const char *text) {
        struct in6_addr address;

        return inet_pton(AF_INET, text, &address) == 1 || inet_pton(AF_INET6, text, &address) == 1;
}

/* What is there already, by name: a range may have 65,536 ports, so none is searched for in a list.
 * Bindings are kept as their index and one, as the array moves. */
typedef struct PortIndex {
        Map exposed, bound;
        size_t exposed_count;
} PortIndex;

static void index_done(PortIndex *index) {
        map_done(&index->exposed, NULL);
        map_done(&index->bound, NULL);
}

static void index_fill(PortIndex *index, char *const *exposed, const JsonArray *bindings) {
        for (; exposed && exposed[index->exposed_count]; index->exposed_count++)
                (void)map_put(&index->exposed, exposed[index->exposed_count], index);
        for (size_t i = 0; bindings && i < bindings->count; i++)
                (void)map_put(&index->bound, ((PortBindings *)bindings->items)[i].port,
                              (void *)(i + 1));
}

static PortBindings *bindings_of(PortIndex *index, JsonArray *all, const char *port) {
        size_t found = (size_t)map_get(&index->bound, port);
        PortBindings *item;

        if (found)
                return (PortBindings *)all->items + found - 1;
        item = json_append(all, &port_bindings_table);
        item->port = str_copy(port);
        (void)map_put(&index->bound, port, (void *)all->count);
        return item;
}

static void add_binding(PortIndex *index, JsonArray *all, const char *port, const char *ip,
                        const char *host) {
        PortBindings *of = bindings_of(index, all, port);
        PortBinding *binding = json_append(&of->bindings, &port_binding_table);

        binding->host_ip = str_copy(ip);
        binding->host_port = str_copy(host);
}

static void expose(PortIndex *index, char ***exposed, const char *port) {
        if (!map_put(&index->exposed, port, index))
                strv_take_at(exposed, index->exposed_count++, str_copy(port));
}

/* The host's port for the i-th of the container's: one each, or the whole range for a single one.
 */
static char *host_port(const char *text, Range host, Range container, int i) {
        if (!*text)
                return str_copy("");
        if (host.last - host.first == container.last - container.first)
                return str_format("%d", host.first + i);
        return str_format("%d-%d", host.first, host.last);
}

int port_publish(const char *text, char ***exposed, JsonArray *bindings, Error *err) {
        _cleanup_free_ char *spec = str_copy(text), *protocol = take_protocol(spec);
        char *ip, *host, *container;
        _cleanup_(index_done) PortIndex index = {};
        Range from, to = { 0, -1 };

        split_spec(spec, &ip, &host, &container);
        if (*ip && !is_address(ip))
                return error_kind(err, ERROR_INVALID, "invalid IP address: %s", ip);
        if (!*container)
                return error_kind(err, ERROR_INVALID, "no port specified: %s<empty>", text);
        if (parse_range(container, &from) < 0)
                return error_kind(err, ERROR_INVALID, "invalid containerPort: %s", container);
        if (*host && parse_range(host, &to) < 0)
                return error_kind(err, ERROR_INVALID, "invalid hostPort: %s", host);
        if (*host && to.last - to.first != from.last - from.first && from.first != from.last)
                return error_kind(err, ERROR_INVALID,
                                  "invalid ranges specified for container and host Ports: %s and "
                                  "%s",
                                  container, host);
        if (!is_protocol(protocol))
                return error_kind(err, ERROR_INVALID, "invalid proto: %s", protocol);
        index_fill(&index, *exposed, bindings);
        for (int port = from.first; port <= from.last; port++) {
                _cleanup_free_ char *name = str_format("%d/%s", port, protocol);
                _cleanup_free_ char *at = host_port(host, to, from, port - from.first);

                expose(&index, exposed, name);
                add_binding(&index, bindings, name, ip, at);
        }
        return 0;
}

int port_expose(const char *text, char ***exposed, Error *err) {
        _cleanup_free_ char *spec = str_copy(text), *protocol = take_protocol(spec);
        _cleanup_(index_done) PortIndex index = {};
        Range range;

        if (strchr(spec, ':'))
                return error_kind(err, ERROR_INVALID, "invalid port format for --expose: %s", text);
        if (parse_range(spec, &range) < 0)
                return error_kind(err, ERROR_INVALID,
                                  "invalid range format for --expose: %s, error: "
                                  "strconv.ParseUint: parsing \"%s\": invalid syntax",
                                  text, spec);
        if (!is_protocol(protocol))
                return error_kind(err, ERROR_INVALID, "invalid proto: %s", protocol);
        index_fill(&index, *exposed, NULL);
        for (int port = range.first; port <= range.last; port++) {
                _cleanup_free_ char *name = str_format("%d/%s", port, protocol);

                expose(&index, exposed, name);
        }
        return 0;
}
