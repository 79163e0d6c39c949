/* capabilities.c: which capabilities a container gets. capabilities(7); the default set is Docker's
 * documented one. */
#include <ctype.h>
#include <strings.h>
#include <sys/prctl.h>

#include "engine/ocispec.h"

/* By number, as linux/capability.h has them. */
static const char *const names[] = {
        "CAP_CHOWN",
        "CAP_DAC_OVERRIDE",
        "CAP_DAC_READ_SEARCH",
        "CAP_FOWNER",
        "CAP_FSETID",
        "CAP_KILL",
        "CAP_SETGID",
        "CAP_SETUID",
        "CAP_SETPCAP",
        "CAP_LINUX_IMMUTABLE",
        "CAP_NET_BIND_SERVICE",
        "CAP_NET_BROADCAST",
        "CAP_NET_ADMIN",
        "CAP_NET_RAW",
        "CAP_IPC_LOCK",
        "CAP_IPC_OWNER",
        "CAP_SYS_MODULE",
        "CAP_SYS_RAWIO",
        "CAP_SYS_CHROOT",
        "CAP_SYS_PTRACE",
        "CAP_SYS_PACCT",
        "CAP_SYS_ADMIN",
        "CAP_SYS_BOOT",
        "CAP_SYS_NICE",
        "CAP_SYS_RESOURCE",
        "CAP_SYS_TIME",
        "CAP_SYS_TTY_CONFIG",
        "CAP_MKNOD",
        "CAP_LEASE",
        "CAP_AUDIT_WRITE",
        "CAP_AUDIT_CONTROL",
        "CAP_SETFCAP",
        "CAP_MAC_OVERRIDE",
        "CAP_MAC_ADMIN",
        "CAP_SYSLOG",
        "CAP_WAKE_ALARM",
        "CAP_BLOCK_SUSPEND",
        "CAP_AUDIT_READ",
        "CAP_PERFMON",
        "CAP_BPF",
        "CAP_CHECKPOINT_RESTORE",
};

static const char *const defaults[] = {
        "CAP_CHOWN",   "CAP_DAC_OVERRIDE", "CAP_FSETID",           "CAP_FOWNER",
        "CAP_MKNOD",   "CAP_NET_RAW",      "CAP_SETGID",           "CAP_SETUID",
        "CAP_SETFCAP", "CAP_SETPCAP",      "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT",
        "CAP_KILL",    "CAP_AUDIT_WRITE",
};

/* "net_admin" → "CAP_NET_ADMIN"; the caller's. */
static char *normalise(const char *name) {
        char *full = strncasecmp(name, "CAP_", 4) == 0 || strcasecmp(name, "ALL") == 0
                             ? str_copy(name)
                             : str_format("CAP_%s", name);

        for (char *c = full; *c; c++)
                *c = (char)toupper((unsigned char)*c);
        return full;
}

static bool has(char *const *list, const char *wanted) {
        for (; list && *list; list++) {
                _cleanup_free_ char *name = normalise(*list);

                if (str_equal(name, wanted))
                        return true;
        }
        return false;
}

static bool is_known(const char *name) {
        for (size_t i = 0; i < ELEMENTS(names); i++)
                if (str_equal(names[i], name))
                        return true;
        return str_equal(name, "ALL");
}

static int list_check(const char *field, char *const *list, Error *err) {
        for (; list && *list; list++) {
                _cleanup_free_ char *name = normalise(*list);

                if (!is_known(name))
                        return error_kind(err, ERROR_INVALID,
                                          "invalid %s: unknown capability: \"%s\"", field, name);
        }
        return 0;
}

int capabilities_check(const HostConfig *host, Error *err) {
        int r = list_check("CapAdd", host->cap_add, err);

        return r < 0 ? r : list_check("CapDrop", host->cap_drop, err);
}

/* No container can have what the daemon itself has not: in a restricted environment "all" is what
 * is there. */
static void add_all(char ***list, char *const *except) {
        for (size_t i = 0; i < ELEMENTS(names); i++)
                if (prctl(PR_CAPBSET_READ, i, 0, 0, 0) == 1 && !has(except, names[i]))
                        strv_add(list, names[i]);
}

static void add_named(char ***list, char *const *wanted) {
        for (; wanted && *wanted; wanted++) {
                _cleanup_free_ char *name = normalise(*wanted);

                if (!strv_has(*list, name))
                        strv_add(list, name);
        }
}

char **capabilities_of(const HostConfig *host, bool privileged) {
        char **list = NULL;

        if (privileged || has(host->cap_add, "ALL")) {
                add_all(&list, privileged ? NULL : host->cap_drop);
                return list;
        }
        if (!has(host->cap_drop, "ALL"))
                for (size_t i = 0; i < ELEMENTS(defaults); i++)
                        if (!has(host->cap_drop, defaults[i]))
                                strv_add(&list, defaults[i]);
        add_named(&list, host->cap_add);
        return list;
}
