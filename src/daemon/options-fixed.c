/* options-fixed.c: dockerd's options that say of brig what is so anyway, or what it does not do.
 * The values that change nothing are taken; any other is refused by name, with the reason. */
#include "daemon/options-private.h"

#define SWITCH true
#define VALUE false

static const FixedOption rows[] = {
        { "allow-direct-routing",
          "allow-direct-routing",
          SWITCH,
          { "false" },
          "containers are reached at their published ports; a network of its own can be routed "
          "(com.docker.network.bridge.gateway_mode_ipv4=routed)" },
        { "allow-nondistributable-artifacts",
          "allow-nondistributable-artifacts",
          VALUE,
          { "" },
          "layers are pushed as the registry's rules have it" },
        { "api-cors-header",
          "api-cors-header",
          VALUE,
          { "" },
          "a browser's pages have no business with this API: put a proxy before it" },
        { "authorization-plugin",
          "authorization-plugins",
          VALUE,
          { "" },
          "there are no plugins: who may connect is said by --group and --tlsverify" },
        { "bip6",
          "bip6",
          VALUE,
          { "" },
          "the default bridge's IPv6 subnet is fixed-cidr-v6's, its address default-gateway-v6's" },
        { "bridge-accept-fwmark",
          "bridge-accept-fwmark",
          VALUE,
          { "" },
          "brig's firewall looks at no marks: say what may pass with brig policy" },
        { "cdi-spec-dir",
          "cdi-spec-dirs",
          VALUE,
          { "" },
          "devices are not described by CDI: give them with --device" },
        { "containerd", "containerd", VALUE, { "" }, "brig does what containerd does itself" },
        { "containerd-namespace",
          "containerd-namespace",
          VALUE,
          { "", "moby" },
          "there is no containerd to have namespaces" },
        { "containerd-plugins-namespace",
          "containerd-plugins-namespace",
          VALUE,
          { "", "plugins.moby" },
          "there is no containerd to have namespaces" },
        { "cpu-rt-period",
          "cpu-rt-period",
          VALUE,
          { "0" },
          "real-time shares of control groups are not given" },
        { "cpu-rt-runtime",
          "cpu-rt-runtime",
          VALUE,
          { "0" },
          "real-time shares of control groups are not given" },
        { "cri-containerd", "cri-containerd", SWITCH, { "false" }, "there is no containerd" },
        { "default-network-opt",
          "default-network-opts",
          VALUE,
          { "" },
          "give the options when a network is made (network create -o); the default bridge has "
          "settings of its own (mtu, icc, ip-masq, ip)" },
        { "experimental", "experimental", SWITCH, { "true", "false" }, "" },
        { "firewall-backend",
          "firewall-backend",
          VALUE,
          { "", "nftables" },
          "the firewall is a table of nftables" },
        { "ip-forward-no-drop", "ip-forward-no-drop", SWITCH, { "true", "false" }, "" },
        { "ip6tables",
          "ip6tables",
          SWITCH,
          { "true" },
          "without its firewall nothing would keep networks apart" },
        { "iptables",
          "iptables",
          SWITCH,
          { "true" },
          "without its firewall nothing would keep networks apart" },
        { "live-restore",
          "live-restore",
          SWITCH,
          { "true" },
          "containers always outlive brigd: stop them before it, if they are to stop" },
        { "log-format", "log-format", VALUE, { "", "text" }, "brigd's own log is lines of text" },
        { "metrics-addr", "metrics-addr", VALUE, { "" }, "there are no metrics for Prometheus" },
        { "network-control-plane-mtu",
          "network-control-plane-mtu",
          VALUE,
          { "0", "1500" },
          "there is no swarm" },
        { "node-generic-resource", "node-generic-resources", VALUE, { "" }, "there is no swarm" },
        { "oom-score-adjust",
          "oom-score-adjust",
          VALUE,
          { "0" },
          "the unit that starts brigd says it: OOMScoreAdjust=" },
        { "raw-logs", "raw-logs", SWITCH, { "true", "false" }, "" },
        { "rootless", NULL, SWITCH, { "false" }, "brigd runs as root" },
        { "selinux-enabled", "selinux-enabled", SWITCH, { "false" }, "labels are not set" },
        { "storage-driver",
          "storage-driver",
          VALUE,
          { "", "overlay2", "overlayfs" },
          "layers are overlayfs's" },
        { "storage-opt", "storage-opts", VALUE, { "" }, "layers are overlayfs's, without options" },
        { "swarm-default-advertise-addr",
          "swarm-default-advertise-addr",
          VALUE,
          { "" },
          "there is no swarm" },
        { "userland-proxy", "userland-proxy", SWITCH, { "true", "false" }, "" },
        { "userland-proxy-path",
          "userland-proxy-path",
          VALUE,
          { "" },
          "published ports need no process" },
};

const FixedOption *fixed_find(const char *name, size_t length) {
        for (size_t i = 0; i < ELEMENTS(rows); i++)
                if (strlen(rows[i].name) == length && strncmp(rows[i].name, name, length) == 0)
                        return &rows[i];
        return NULL;
}

const FixedOption *fixed_find_member(const char *name) {
        for (size_t i = 0; i < ELEMENTS(rows); i++)
                if (str_equal(rows[i].member, name))
                        return &rows[i];
        return NULL;
}

static char *list_taken(const FixedOption *fixed) {
        Buf text = { 0 };

        for (size_t i = 0; i < ELEMENTS(fixed->taken) && fixed->taken[i]; i++)
                buf_format(&text, "%s%s", i > 0 ? " or " : "",
                           *fixed->taken[i] ? fixed->taken[i] : "nothing");
        return buf_take(&text);
}

int fixed_check(const FixedOption *fixed, const char *value, Error *err) {
        _cleanup_free_ char *taken = NULL;

        for (size_t i = 0; i < ELEMENTS(fixed->taken) && fixed->taken[i]; i++)
                if (str_equal(fixed->taken[i], value))
                        return 0;
        taken = list_taken(fixed);
        return error_kind(err, ERROR_INVALID,
                          "%s '%s' is not supported: %s; leave it out, or say %s",
                          fixed->member ?: fixed->name, value, fixed->reason, taken);
}

int fixed_check_json(const FixedOption *fixed, json_object *value, Error *err) {
        bool empty = !value ||
                     (json_object_is_type(value, json_type_array) &&
                      json_object_array_length(value) == 0) ||
                     (json_object_is_type(value, json_type_object) &&
                      json_object_object_length(value) == 0);

        /* A text that is what a switch or a number would be is none. */
        if (fixed->is_switch && !empty && !json_object_is_type(value, json_type_boolean))
                return error_kind(err, ERROR_INVALID, "%s: must be true or false", fixed->member);
        return empty ? 0 : fixed_check(fixed, json_object_get_string(value), err);
}
