/* dockerfile-expose.c: the words of EXPOSE. They are documentation, but what is none of the forms
 * is an error with BuildKit, so it is here. */
#include <arpa/inet.h>

#include "build/dockerfile-private.h"

static const char *const protocols[] = { "tcp", "udp", "sctp" };

static bool read_port(const char *text, unsigned *ret) {
        int port;
        if (str_to_int_in(text, 0, 65535, &port) < 0)
                return false;
        *ret = (unsigned)port;
        return true;
}

/* "80" or "80-90"; text is changed. */
static bool read_range(char *text, unsigned *ret_first, unsigned *ret_last) {
        char *dash = strchr(text, '-');
        if (dash)
                *dash = '\0';
        return read_port(text, ret_first) && read_port(dash ? dash + 1 : text, ret_last) &&
               *ret_first <= *ret_last;
}

/* An address as it stands before ':', IPv6 in brackets or not; text is changed. */
static bool is_address(char *text) {
        unsigned char bytes[sizeof(struct in6_addr)];
        size_t length = strlen(text);
        if (*text == '[' && text[length - 1] == ']') {
                text[length - 1] = '\0';
                text++;
        }
        return inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1;
}

static int bad_part(const char *what, const char *part, Error *err) {
        return error_kind(err, ERROR_INVALID, "invalid %s: %.100s", what, part);
}

/* Takes "/protocol" off text. */
static int read_protocol(const char *word, char *text, ExposedPorts *ret, Error *err) {
        char *slash = strchr(text, '/');
        const char *written = slash && slash[1] ? slash + 1 : "tcp";
        _cleanup_free_ char *lower = str_lower(str_copy(written));
        size_t known = 0;
        while (known < ELEMENTS(protocols) && !str_equal(lower, protocols[known]))
                known++;
        if (known == ELEMENTS(protocols))
                return error_kind(err, ERROR_INVALID,
                                  "invalid port: \"%.100s\": invalid proto: %.100s (tcp, udp and "
                                  "sctp are known)",
                                  word, written);
        ret->cased = !str_equal(lower, written);
        (void)snprintf(ret->protocol, sizeof(ret->protocol), "%s", protocols[known]);
        if (slash)
                *slash = '\0';
        return 0;
}

/* What stands before the port itself is checked, and then means nothing. */
static int check_host(char *host, const ExposedPorts *ports, Error *err) {
        unsigned first, last;
        char *colon = strrchr(host, ':');
        const char *port = colon ? colon + 1 : host;
        _cleanup_free_ char *range = str_copy(port);
        if (colon)
                *colon = '\0';
        _cleanup_free_ char *address = str_copy(host);
        if (colon && *host && !is_address(address))
                return bad_part("IP address", host, err);
        if (!*port)
                return 0;
        if (!read_range(range, &first, &last))
                return bad_part("hostPort", port, err);
        if (ports->last > ports->first && last - first != ports->last - ports->first)
                return bad_part("ranges: container and host differ in length", port, err);
        return 0;
}

int exposed_ports_read(const char *word, ExposedPorts *ret, Error *err) {
        _cleanup_free_ char *text = str_copy(word);
        ExposedPorts ports = {};
        char *colon = strrchr(text, ':');
        char *port = colon ? colon + 1 : text;
        int r = read_protocol(word, port, &ports, err);
        if (r < 0)
                return r;
        _cleanup_free_ char *range = str_copy(port);
        if (!read_range(range, &ports.first, &ports.last))
                return bad_part("containerPort", port, err);
        if (colon) {
                *colon = '\0';
                ports.mapped = true;
                r = check_host(text, &ports, err);
                if (r < 0)
                        return r;
        }
        *ret = ports;
        return 0;
}
