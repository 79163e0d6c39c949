/* default.c: the document that `brig-runtime spec` writes: a shell with a terminal in namespaces of
 * its own, with few capabilities. It is the same as runc's in what it means, so that tools that
 * edit it find what they expect. */
#include <stdlib.h>
#include <unistd.h>

#include "runtime/private.h"

static const char text[] =
        "{\"ociVersion\":\"1.0.2\","
        "\"process\":{\"terminal\":true,\"user\":{\"uid\":0,\"gid\":0},\"args\":[\"sh\"],"
        "\"env\":[\"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/"
        "bin\",\"TERM=xterm\"],\"cwd\":\"/\","
        "\"capabilities\":{\"bounding\":[\"CAP_AUDIT_WRITE\",\"CAP_KILL\",\"CAP_NET_BIND_SERVICE\"]"
        ","
        "\"effective\":[\"CAP_AUDIT_WRITE\",\"CAP_KILL\",\"CAP_NET_BIND_SERVICE\"],"
        "\"permitted\":[\"CAP_AUDIT_WRITE\",\"CAP_KILL\",\"CAP_NET_BIND_SERVICE\"]},"
        "\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\",\"hard\":1024,\"soft\":1024}],"
        "\"noNewPrivileges\":true},"
        "\"root\":{\"path\":\"rootfs\",\"readonly\":true},\"hostname\":\"brig\","
        "\"mounts\":["
        "{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"},"
        "{\"destination\":\"/"
        "dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\",\"options\":[\"nosuid\",\"strictatime\","
        "\"mode=755\",\"size=65536k\"]},"
        "{\"destination\":\"/dev/pts\",\"type\":\"devpts\",\"source\":\"devpts\","
        "\"options\":[\"nosuid\",\"noexec\",\"newinstance\",\"ptmxmode=0666\",\"mode=0620\",\"gid="
        "5\"]},"
        "{\"destination\":\"/dev/shm\",\"type\":\"tmpfs\",\"source\":\"shm\","
        "\"options\":[\"nosuid\",\"noexec\",\"nodev\",\"mode=1777\",\"size=65536k\"]},"
        "{\"destination\":\"/dev/"
        "mqueue\",\"type\":\"mqueue\",\"source\":\"mqueue\",\"options\":[\"nosuid\",\"noexec\","
        "\"nodev\"]},"
        "{\"destination\":\"/"
        "sys\",\"type\":\"sysfs\",\"source\":\"sysfs\",\"options\":[\"nosuid\",\"noexec\","
        "\"nodev\",\"ro\"]},"
        "{\"destination\":\"/sys/fs/cgroup\",\"type\":\"cgroup\",\"source\":\"cgroup\","
        "\"options\":[\"nosuid\",\"noexec\",\"nodev\",\"relatime\",\"ro\"]}],"
        "\"linux\":{\"resources\":{\"devices\":[{\"allow\":false,\"access\":\"rwm\"}]},"
        "\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"network\"},{\"type\":\"ipc\"},{\"type\":"
        "\"uts\"},{\"type\":\"mount\"},{\"type\":\"cgroup\"}],"
        "\"maskedPaths\":[\"/proc/acpi\",\"/proc/asound\",\"/proc/kcore\",\"/proc/keys\",\"/proc/"
        "latency_stats\",\"/proc/timer_list\","
        "\"/proc/timer_stats\",\"/proc/sched_debug\",\"/sys/firmware\",\"/proc/scsi\",\"/sys/"
        "devices/virtual/powercap\"],"
        "\"readonlyPaths\":[\"/proc/bus\",\"/proc/fs\",\"/proc/irq\",\"/proc/sys\",\"/proc/"
        "sysrq-trigger\"]}}";

/* For a caller without privileges: a user namespace in which it is root, the caller's network, no
 * limits. */
static void make_rootless(OciConfig *config) {
        OciNamespace *namespaces = config->linux_->namespaces.items;
        OciMount *mounts = config->mounts.items;
        OciIdMapping *mapping;

        for (size_t i = 0; i < config->linux_->namespaces.count; i++)
                if (str_equal(namespaces[i].type, "network"))
                        str_replace(&namespaces[i].type, "user");
        mapping = json_append(&config->linux_->uid_mappings, &oci_id_mapping_table);
        *mapping = (OciIdMapping){ .host_id = geteuid(), .size = 1 };
        mapping = json_append(&config->linux_->gid_mappings, &oci_id_mapping_table);
        *mapping = (OciIdMapping){ .host_id = getegid(), .size = 1 };
        json_free(&oci_resources_table, config->linux_->resources);
        config->linux_->resources = NULL;
        for (size_t i = 0; i < config->mounts.count; i++) {
                (void)strv_drop(mounts[i].options, "gid=5"); /* the group is not mapped */
                if (!str_equal(mounts[i].type, "sysfs"))
                        continue;
                str_replace(&mounts[i].type, "none");
                str_replace(&mounts[i].source, "/sys");
                mounts[i].options = strv_free(mounts[i].options);
                mounts[i].options = str_split("rbind,nosuid,noexec,nodev,ro", ',');
        }
}

/* On version 1 the group's own path is what tools look for in /proc/self/cgroup; runc's document
 * leaves it there, too. */
static void leave_cgroup_namespace(OciConfig *config) {
        OciNamespace *namespaces = config->linux_->namespaces.items;
        size_t *count = &config->linux_->namespaces.count;
        CgroupMode mode;

        if (cgroup_mode(&mode, NULL) < 0 || mode == CGROUP_V2 ||
            !str_equal(namespaces[*count - 1].type, "cgroup"))
                return;
        json_done(&oci_namespace_table, &namespaces[--*count]);
}

void runtime_default_config(OciConfig *ret, bool rootless) {
        Error err = {};

        if (json_parse(&oci_config_table, text, sizeof(text) - 1, ret, &err) < 0)
                abort(); /* the text above is wrong: a unit test reads it */
        leave_cgroup_namespace(ret);
        if (rootless)
                make_rootless(ret);
}
