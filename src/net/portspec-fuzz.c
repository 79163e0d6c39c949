/* portspec-fuzz.c: text as -p takes it. */
#include <stddef.h>
#include <stdint.h>

#include "net/net.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *text =
                str_copy_n((const char *)data, strnlen((const char *)data, size));
        JsonArray ports = { 0 };
        Error err = { 0 };
        int r = port_spec_parse(text, &ports, &err);

        if ((r < 0) != (ports.count == 0) || (r < 0 && err.kind != ERROR_INVALID))
                abort();
        for (size_t i = 0; i < ports.count; i++) {
                const NetPort *port = (const NetPort *)ports.items + i;

                if (port->container_port < 0 || port->container_port > 65535 ||
                    port->host_port < 0 || port->host_port > 65535 || !port->protocol)
                        abort();
        }
        for (size_t i = 0; i < ports.count; i++)
                json_done(&net_port_table, (NetPort *)ports.items + i);
        free(ports.items);
        return 0;
}
