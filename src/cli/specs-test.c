/* specs-test.c: ports, mounts, limits, devices, networks, files of variables. */
#include "base/fd.h"
#include "base/test.h"
#include "cli/specs.h"

/* What -p makes of text: "80/tcp=ip:port,…;…", or the error. The caller's. */
static char *published(const char *text) {
        _cleanup_strv_ char **exposed = NULL;
        JsonArray bindings = {};
        Error err = {};
        Buf out = {};

        if (port_publish(text, &exposed, &bindings, &err) < 0)
                buf_add_str(&out, err.message);
        for (size_t i = 0; i < bindings.count; i++) {
                PortBindings *port = (PortBindings *)bindings.items + i;

                buf_format(&out, "%s%s=", i ? ";" : "", port->port);
                for (size_t j = 0; j < port->bindings.count; j++) {
                        PortBinding *binding = (PortBinding *)port->bindings.items + j;

                        buf_format(&out, "%s:%s", binding->host_ip, binding->host_port);
                        free(binding->host_ip);
                        free(binding->host_port);
                }
                free(port->bindings.items);
                free(port->port);
        }
        free(bindings.items);
        return buf_take(&out);
}

#define ASSERT_PORT(text, expected)                                                                \
        do {                                                                                       \
                _cleanup_free_ char *made_ = published(text);                                      \
                ASSERT_STR(made_, expected);                                                       \
        } while (0)

TEST(ports) {
        ASSERT_PORT("80", "80/tcp=:");
        ASSERT_PORT("8080:80", "80/tcp=:8080");
        ASSERT_PORT("8080:80/udp", "80/udp=:8080");
        ASSERT_PORT("127.0.0.1::80", "80/tcp=127.0.0.1:");
        ASSERT_PORT("[::1]:8080:80", "80/tcp=::1:8080");
        ASSERT_PORT("192.168.1.100:8000-8100:80", "80/tcp=192.168.1.100:8000-8100");
        ASSERT_PORT("8080-8081:80-81", "80/tcp=:8080;81/tcp=:8081");
        ASSERT_PORT("80-81", "80/tcp=:;81/tcp=:");
        ASSERT_PORT("x", "invalid containerPort: x");
        ASSERT_PORT("x:80", "invalid hostPort: x");
        ASSERT_PORT("1:2:3:4", "invalid IP address: 1:2");
        ASSERT_PORT("80/foo", "invalid proto: foo");
        ASSERT_PORT("80-81:80-83",
                    "invalid ranges specified for container and host Ports: 80-83 and 80-81");
        ASSERT_PORT("99999:80", "invalid hostPort: 99999");
        ASSERT_PORT("9:8-7", "invalid containerPort: 8-7");
}

TEST(the_widest_range) {
        _cleanup_strv_ char **exposed = NULL;
        Error err = {};

        ASSERT_OK(port_expose("0-65535", &exposed, &err), &err);
        ASSERT_OK(port_expose("5-70", &exposed, &err), &err);
        ASSERT_INT(strv_length(exposed), 65536);
}

TEST(exposed_ports) {
        _cleanup_strv_ char **exposed = NULL;
        Error err = {};

        ASSERT_OK(port_expose("80", &exposed, &err), &err);
        ASSERT_OK(port_expose("53-54/UDP", &exposed, &err), &err);
        ASSERT_OK(port_expose("80/tcp", &exposed, &err), &err);
        ASSERT_INT(strv_length(exposed), 3);
        ASSERT_STR(exposed[2], "54/udp");
        ASSERT(port_expose("80:80", &exposed, &err) < 0);
        ASSERT(port_expose("a", &exposed, &err) < 0);
}

/* The mount as JSON, or the error; the caller's. */
static char *mounted(const char *text) {
        JsonArray mounts = {};
        Error err = {};
        char *out;

        if (mount_parse(&mounts, text, &err) < 0)
                return str_copy(err.message);
        out = str_format("%s|%s|%s|%s", ((MountSpec *)mounts.items)->type,
                         ((MountSpec *)mounts.items)->source ?: "",
                         ((MountSpec *)mounts.items)->target,
                         ((MountSpec *)mounts.items)->read_only ? "ro" : "rw");
        json_done(&mount_spec_table, mounts.items);
        free(mounts.items);
        return out;
}

#define ASSERT_MOUNT(text, expected)                                                               \
        do {                                                                                       \
                _cleanup_free_ char *made_ = mounted(text);                                        \
                ASSERT_STR(made_, expected);                                                       \
        } while (0)

TEST(mounts) {
        ASSERT_MOUNT("type=bind,source=/a,target=/b,readonly", "bind|/a|/b|ro");
        ASSERT_MOUNT("type=bind,src=/a,dst=/b,ro=false", "bind|/a|/b|rw");
        ASSERT_MOUNT("source=v,destination=/b", "volume|v|/b|rw");
        ASSERT_MOUNT("type=tmpfs,target=/b,tmpfs-size=64m,tmpfs-mode=1770", "tmpfs||/b|rw");
        ASSERT_MOUNT("type=bind,\"source=/a,b\",target=/c", "bind|/a,b|/c|rw");
        ASSERT_MOUNT("type=bind,\"source=/a\"\"b\",target=/c", "bind|/a\"b|/c|rw");
        ASSERT_MOUNT("type=bind,target=/c,\"source=/a\"", "bind|/a|/c|rw");
        ASSERT_MOUNT("type=volume,target=/a,volume-opt=o=addr,volume-label=x=y", "volume||/a|rw");
        ASSERT_MOUNT("x", "invalid field 'x' must be a key=value pair");
        ASSERT_MOUNT("type=bind", "target is required");
        ASSERT_MOUNT("type=volume,target=/a,foo=b", "unexpected key 'foo' in 'foo=b'");
        ASSERT_MOUNT("target=/a,readonly=x", "invalid value for readonly: x");
        ASSERT_MOUNT("target=/a,tmpfs-size=x", "invalid value for tmpfs-size: x");
        ASSERT_MOUNT("type=bind,target=/a,volume-nocopy=true",
                     "cannot mix 'volume-*' options with mount type 'bind'");
}

TEST(volumes) {
        _cleanup_strv_ char **binds = NULL, **volumes = NULL;
        Error err = {};

        ASSERT_OK(volume_parse("/data", &binds, &volumes, &err), &err);
        ASSERT_OK(volume_parse("/a:/b:ro", &binds, &volumes, &err), &err);
        ASSERT_OK(volume_parse("../x/./y:/b", &binds, &volumes, &err), &err);
        ASSERT_STR(volumes[0], "/data");
        ASSERT_STR(binds[0], "/a:/b:ro");
        ASSERT(binds[1][0] == '/' && str_ends(binds[1], "/x/y:/b") && !strstr(binds[1], ".."));
        ASSERT(volume_parse(":/a", &binds, &volumes, &err) < 0);
        ASSERT_STR(err.message, "invalid spec: :/a: empty section between colons");
}

TEST(limits) {
        JsonArray limits = {};
        Ulimit *first;
        Error err = {};

        ASSERT_OK(ulimit_parse(&limits, "nofile=1024:2048", &err), &err);
        ASSERT_OK(ulimit_parse(&limits, "nofile=5", &err), &err);
        ASSERT_OK(ulimit_parse(&limits, "core=-1:-1", &err), &err);
        first = limits.items;
        ASSERT_INT(limits.count, 2);
        ASSERT_INT(first->soft, 5);
        ASSERT_INT(first->hard, 5);
        ASSERT(ulimit_parse(&limits, "x", &err) < 0);
        ASSERT_STR(err.message, "invalid ulimit argument: x");
        ASSERT(ulimit_parse(&limits, "a=1", &err) < 0);
        ASSERT(ulimit_parse(&limits, "nofile=5:3", &err) < 0);
        for (size_t i = 0; i < limits.count; i++)
                json_done(&ulimit_table, (Ulimit *)limits.items + i);
        free(limits.items);
}

TEST(devices) {
        JsonArray devices = {};
        DeviceMapping *d;
        Error err = {};

        ASSERT_OK(device_parse("/dev/a", &devices, &err), &err);
        ASSERT_OK(device_parse("/dev/a:/dev/b", &devices, &err), &err);
        ASSERT_OK(device_parse("/dev/a:r", &devices, &err), &err);
        ASSERT_OK(device_parse("/dev/a:/dev/b:rw", &devices, &err), &err);
        d = devices.items;
        ASSERT_STR(d[0].path_in_container, "/dev/a");
        ASSERT_STR(d[1].path_in_container, "/dev/b");
        ASSERT_STR(d[2].cgroup_permissions, "r");
        ASSERT_STR(d[3].cgroup_permissions, "rw");
        ASSERT(device_parse("/dev/a:/b:z", &devices, &err) < 0);
        ASSERT_STR(err.message, "bad mode specified: z");
        ASSERT(device_parse("", &devices, &err) < 0);
        for (size_t i = 0; i < devices.count; i++)
                json_done(&device_mapping_table, (DeviceMapping *)devices.items + i);
        free(devices.items);
}

TEST(rates_and_weights_of_devices) {
        JsonArray weights = {}, rates = {};
        Error err = {};

        ASSERT_OK(weight_device_parse(&weights, "/dev/a:300", &err), &err);
        ASSERT(weight_device_parse(&weights, "/dev/a:5", &err) < 0);
        ASSERT_STR(err.message, "invalid weight for device: /dev/a:5");
        ASSERT_OK(rate_device_parse(&rates, "/dev/a:1mb", &err), &err);
        ASSERT_OK(count_device_parse(&rates, "/dev/b:100", &err), &err);
        ASSERT(count_device_parse(&rates, "/dev/b:1k", &err) < 0);
        ASSERT(rate_device_parse(&rates, "/dev/b", &err) < 0);
        ASSERT_STR(err.message, "bad format: /dev/b");
        ASSERT(rate_device_parse(&rates, "/tmp/b:1", &err) < 0);
        ASSERT_STR(err.message, "bad format for device path: /tmp/b:1");
        ASSERT_INT(weights.count, 1);
        ASSERT_INT(rates.count, 2);
        ASSERT_INT(((WeightDevice *)weights.items)->weight, 300);
        ASSERT_INT(((ThrottleDevice *)rates.items)[0].rate, 1048576);
        ASSERT_STR(((ThrottleDevice *)rates.items)[1].path, "/dev/b");
        json_done(&weight_device_table, weights.items);
        free(weights.items);
        for (size_t i = 0; i < rates.count; i++)
                json_done(&throttle_device_table, (ThrottleDevice *)rates.items + i);
        free(rates.items);
}

TEST(networks) {
        NetworkSpecs specs = {};
        Error err = {};

        ASSERT_OK(network_spec_parse(&specs, "front", &err), &err);
        ASSERT_OK(network_spec_parse(&specs, "name=back,alias=db,alias=sql,ip=10.0.0.5", &err),
                  &err);
        ASSERT_STR(specs.items[0].name, "front");
        ASSERT_INT(strv_length(specs.items[1].aliases), 2);
        ASSERT_STR(specs.items[1].ip, "10.0.0.5");
        ASSERT(network_spec_parse(&specs, "a=b", &err) < 0);
        ASSERT_STR(err.message, "invalid field key a");
        ASSERT(network_spec_parse(&specs, "alias=x", &err) < 0);
        network_specs_done(&specs);
}

TEST(hosts) {
        _cleanup_strv_ char **hosts = NULL;
        Error err = {};

        ASSERT_OK(extra_host_parse(&hosts, "a:1.2.3.4", &err), &err);
        ASSERT_OK(extra_host_parse(&hosts, "b=[::1]", &err), &err);
        ASSERT_OK(extra_host_parse(&hosts, "c:host-gateway", &err), &err);
        ASSERT_STR(hosts[0], "a:1.2.3.4");
        ASSERT_STR(hosts[1], "b:::1");
        ASSERT(extra_host_parse(&hosts, "x", &err) < 0);
        ASSERT(extra_host_parse(&hosts, "a:b", &err) < 0);
}

TEST(restart_policies) {
        RestartPolicy policy = {};
        Error err = {};

        ASSERT_OK(restart_parse("on-failure:3", &policy, &err), &err);
        ASSERT_STR(policy.name, "on-failure");
        ASSERT_INT(policy.maximum_retry_count, 3);
        free(policy.name);
        ASSERT(restart_parse("on-failure:x", &policy, &err) < 0);
        ASSERT(restart_parse(":3", &policy, &err) < 0);
}

TEST(files_of_variables) {
        static const char text[] =
                "\xEF\xBB\xBF# comment\nA=1\r\n\n  B=x y \nBRIG_TEST_SET\nBRIG_NOT_SET\n";
        char name[] = "/tmp/brig-env.XXXXXX";
        _cleanup_close_ int fd = mkstemp(name);
        _cleanup_strv_ char **all = NULL, **bad = NULL;
        Error err = {};
        int r;

        (void)setenv("BRIG_TEST_SET", "yes", 1);
        (void)unsetenv("BRIG_NOT_SET");
        ASSERT_INT(fd_write_full(fd, text, sizeof(text) - 1), 0);
        r = variables_read((char *[]){ name, NULL }, (char *[]){ (char *)"C=3", NULL }, true, &all,
                           &err);
        ASSERT_INT(fd_write_full(fd, "A B=c\n", 6), 0);
        ASSERT(variables_read((char *[]){ name, NULL }, NULL, true, &bad, &err) < 0);
        (void)unlink(name);
        ASSERT_OK(r, &err);
        ASSERT_INT(strv_length(all), 4);
        ASSERT_STR(all[0], "A=1");
        ASSERT_STR(all[1], "B=x y ");
        ASSERT_STR(all[2], "BRIG_TEST_SET=yes");
        ASSERT_STR(all[3], "C=3");
        ASSERT(strstr(err.message, "contains whitespaces"));
        ASSERT(variables_read((char *[]){ (char *)"/nope", NULL }, NULL, true, &bad, &err) < 0);
        ASSERT_STR(err.message, "open /nope: no such file or directory");
}

TEST_MAIN()
