/* specs-fuzz.c: any text as a port, a mount, a volume, a network, a limit, a device, a host. The
 * first byte chooses. */
#include <stdint.h>

#include "cli/specs.h"
#include "cli/values.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_port(const char *text) {
        ContainerCreate create = {};
        Error err = {};

        (void)port_publish(text, &create.config.exposed_ports, &create.host.port_bindings, &err);
        (void)port_expose(text, &create.config.exposed_ports, &err);
        container_create_done(&create);
}

static void fuzz_mount(const char *text) {
        ContainerCreate create = {};
        Error err = {};

        (void)mount_parse(&create.host.mounts, text, &err);
        (void)volume_parse(text, &create.host.binds, &create.config.volumes, &err);
        container_create_done(&create);
}

static void fuzz_network(const char *text) {
        NetworkSpecs specs = {};
        Error err = {};

        (void)network_spec_parse(&specs, text, &err);
        network_specs_done(&specs);
}

static void fuzz_rest(const char *text) {
        ContainerCreate create = {};
        Error err = {};
        int64_t size;

        (void)ulimit_parse(&create.host.ulimits, text, &err);
        (void)device_parse(text, &create.host.devices, &err);
        (void)extra_host_parse(&create.host.extra_hosts, text, &err);
        (void)restart_parse(text, &create.host.restart_policy, &err);
        (void)str_to_size(text, &size);
        container_create_done(&create);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static void (*const all[])(const char *) = { fuzz_port, fuzz_mount, fuzz_network,
                                                     fuzz_rest };
        _cleanup_free_ char *text = NULL;

        if (size == 0)
                return 0;
        text = str_copy_n((const char *)data + 1, size - 1);
        all[data[0] % ELEMENTS(all)](text);
        return 0;
}
