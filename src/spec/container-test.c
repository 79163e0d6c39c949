/* container-test.c: the request documents, read and written. */
#include "base/test.h"
#include "format/json.h"
#include "spec/container.h"

static int read_text(const char *text, ContainerCreate *ret, Error *err) {
        _cleanup_json_ json_object *body = NULL;

        int r = json_parse_any(text, strlen(text), &body, err);
        return r < 0 ? r : container_create_read(body, ret, err);
}

#define CREATE(name, text)                                                                         \
        _cleanup_(container_create_done) ContainerCreate name = { 0 };                             \
        Error err = { 0 };                                                                         \
        ASSERT_OK(read_text(text, &name, &err), &err)

TEST(one_string_is_a_list) {
        CREATE(create, "{\"Image\":\"busybox\",\"Cmd\":\"top\",\"Entrypoint\":[]}");
        ASSERT_STR(create.config.cmd[0], "top");
        ASSERT(create.config.has_cmd && create.config.has_entrypoint && !create.config.entrypoint);
}

TEST(null_is_absent) {
        CREATE(create, "{\"Cmd\":null,\"HostConfig\":{\"MaskedPaths\":null,\"ReadonlyPaths\":[],"
                       "\"PortBindings\":{\"80/tcp\":null}}}");
        ASSERT(!create.config.has_cmd && !create.host.has_masked_paths);
        ASSERT(create.host.has_readonly_paths);
        ASSERT_INT(create.host.port_bindings.count, 1);
}

TEST(lists_of_servers_are_written_as_given) {
        CREATE(create, "{\"HostConfig\":{\"Dns\":[],\"DnsOptions\":null}}");
        _cleanup_json_ json_object *written = host_config_write(&create.host);
        ASSERT_INT(json_object_get_type(json_member(written, "Dns")), json_type_array);
        ASSERT(!json_member(written, "DnsOptions") && !json_member(written, "DnsSearch"));
}

TEST(round_trip_keeps_what_was_given) {
        CREATE(create,
               "{\"Entrypoint\":[\"\"],\"HostConfig\":{\"ConsoleSize\":[24,80],\"MaskedPaths\":[],"
               "\"PortBindings\":{\"80/tcp\":[{\"HostPort\":\"8080\"}]}},\"NetworkingConfig\":{"
               "\"EndpointsConfig\":{\"net\":{\"Aliases\":[\"web\"]}}}}");
        _cleanup_json_ json_object *written = container_create_write(&create);
        _cleanup_(container_create_done) ContainerCreate again = { 0 };
        ASSERT_OK(container_create_read(written, &again, &err), &err);
        ASSERT(again.config.has_entrypoint && !again.config.has_cmd);
        ASSERT(again.host.has_masked_paths && !again.host.has_readonly_paths);
        ASSERT_INT(again.host.console_width, 80);
        const PortBindings *ports = again.host.port_bindings.items;
        ASSERT_STR(ports[0].port, "80/tcp");
        ASSERT_STR(((PortBinding *)ports[0].bindings.items)->host_port, "8080");
        const EndpointSettings *endpoint = again.endpoints.items;
        ASSERT_STR(endpoint->network, "net");
        ASSERT_STR(endpoint->aliases[0], "web");
}

TEST(errors_name_the_path) {
        ContainerCreate create = { 0 };
        Error err = { 0 };
        ASSERT(read_text("{\"HostConfig\":{\"Memory\":\"1\"}}", &create, &err) < 0);
        ASSERT_STR(err.message, "HostConfig.Memory: must be a whole number");
        container_create_done(&create);
        ASSERT(read_text("{\"HostConfig\":{\"PortBindings\":{\"80/tcp\":1}}}", &create, &err) < 0);
        ASSERT_STR(err.message, "HostConfig.PortBindings.80/tcp: must be an array");
        container_create_done(&create);
}

TEST(refused_by_name) {
        CREATE(create, "{\"HostConfig\":{\"DeviceRequests\":[{}],\"BlkioDeviceReadBps\":[]}}");
        ASSERT(container_create_refused(&create, &err) < 0);
        ASSERT_INT(err.kind, ERROR_UNSUPPORTED);
        ASSERT(str_after(err.message, "DeviceRequests (--gpus)"));
}

TEST(filters_in_both_forms) {
        _cleanup_(filters_done) Filters filters = { 0 };
        Error err = { 0 };
        ASSERT_OK(filters_parse("{\"label\":[\"a\",\"b=c\"],\"name\":{\"x\":true,\"y\":false}}",
                                &filters, &err),
                  &err);
        ASSERT_INT(strv_length(filters_get(&filters, "label")), 2);
        ASSERT_INT(strv_length(filters_get(&filters, "name")), 1);
        ASSERT(!filters_get(&filters, "id"));
        static const char *const accepted[] = { "label", NULL };
        ASSERT(filters_check(&filters, accepted, &err) < 0);
        ASSERT_STR(err.message, "Invalid filter 'name'");
}

TEST(filters_refused) {
        static const char *const wrong[] = { "[]", "{\"a\":1}", "{\"a\":[1]}", "{" };
        for (size_t i = 0; i < ELEMENTS(wrong); i++) {
                _cleanup_(filters_done) Filters filters = { 0 };
                Error err = { 0 };
                ASSERT(filters_parse(wrong[i], &filters, &err) < 0);
                ASSERT_INT(err.kind, ERROR_INVALID);
        }
}

TEST_MAIN()
