/* portspec-test.c: the grammar of -p, against what Docker's client says. */
#include "base/test.h"
#include "net/net.h"

static void free_ports(JsonArray *ports) {
        for (size_t i = 0; i < ports->count; i++)
                json_done(&net_port_table, (NetPort *)ports->items + i);
        free(ports->items);
}

/* "ip:host-end:container/protocol" of each, with commas between. */
static char *shown(const JsonArray *ports) {
        Buf text = { 0 };

        for (size_t i = 0; i < ports->count; i++) {
                const NetPort *port = (const NetPort *)ports->items + i;

                buf_format(&text, "%s%s:%d-%d:%d/%s", i ? "," : "", port->host_ip ?: "",
                           (int)port->host_port, (int)port->host_port_end,
                           (int)port->container_port, port->protocol);
        }
        return buf_take(&text);
}

TEST(specs) {
        static const struct {
                const char *spec, *result;
        } rows[] = {
                { "80", ":0-0:80/tcp" },
                { "8080:80", ":8080-0:80/tcp" },
                { "8080:80/udp", ":8080-0:80/udp" },
                { "8080:80/UDP", ":8080-0:80/udp" },
                { "80/", ":0-0:80/tcp" },
                { ":80", ":0-0:80/tcp" },
                { "127.0.0.1::80", "127.0.0.1:0-0:80/tcp" },
                { "192.168.1.100:8000-8100:80", "192.168.1.100:8000-8100:80/tcp" },
                { "80-82", ":0-0:80/tcp,:0-0:81/tcp,:0-0:82/tcp" },
                { "80-81:90-91/sctp", ":80-0:90/sctp,:81-0:91/sctp" },
                { "[::1]:80:80", "::1:80-0:80/tcp" },
                { "::1:80:80", "::1:80-0:80/tcp" },
                { "443:443/tcp", ":443-0:443/tcp" },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_(free_ports) JsonArray ports = { 0 };
                _cleanup_free_ char *text = NULL;
                Error err = { 0 };

                ASSERT_OK(port_spec_parse(rows[i].spec, &ports, &err), &err);
                text = shown(&ports);
                ASSERT_STR(text, rows[i].result);
        }
}

TEST(refused) {
        static const struct {
                const char *spec, *message;
        } rows[] = {
                { "x", "invalid containerPort: x" },
                { "80:", "no port specified: 80:<empty>" },
                { "", "no port specified: <empty>" },
                { "80:x", "invalid containerPort: x" },
                { "x:80", "invalid hostPort: x" },
                { "80/foo", "invalid proto: foo" },
                { "999999", "invalid containerPort: 999999" },
                { "-1:80", "invalid hostPort: -1" },
                { "1.2.3:80:80", "invalid IP address: 1.2.3" },
                { "80-81:90-92",
                  "invalid ranges specified for container and host Ports: 90-92 and 80-81" },
                { "81-80:80", "invalid hostPort: 81-80" },
                { "80-81:90-89", "invalid containerPort: 90-89" },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_(free_ports) JsonArray ports = { 0 };
                Error err = { 0 };

                ASSERT(port_spec_parse(rows[i].spec, &ports, &err) < 0);
                ASSERT_STR(err.message, rows[i].message);
                ASSERT_INT(err.kind, ERROR_INVALID);
                ASSERT_INT(ports.count, 0);
        }
}

TEST_MAIN()
