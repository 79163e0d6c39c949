/* seccomp-default.c: the seccomp profile of a container: Docker's default allow-list, or the
 * profile document that the client sent, for the container's capabilities. What is compiled from it
 * is seccomp-cache.c's. seccomp(2); the document is Docker's, which extends that of runtime-spec.
 */
#include "base/bug.h"
#include "engine/engine-private.h"
#include "engine/ocispec.h"
#include "engine/seccomp.h"

/* ---- the default ---- */

typedef struct CapabilityCalls {
        const char *capability;
        const char *const *names;
} CapabilityCalls;

#define CALLS(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* Allowed if the container has the capability that the kernel asks for anyway. */
static const CapabilityCalls by_capability[] = {
        { "CAP_DAC_READ_SEARCH", CALLS("open_by_handle_at") },
        { "CAP_SYS_ADMIN",
          CALLS("bpf", "clone", "clone3", "fanotify_init", "fsconfig", "fsmount", "fsopen",
                "fspick", "lookup_dcookie", "mount", "mount_setattr", "move_mount", "open_tree",
                "perf_event_open", "quotactl", "quotactl_fd", "setdomainname", "sethostname",
                "setns", "syslog", "umount", "umount2", "unshare") },
        { "CAP_SYS_BOOT", CALLS("reboot") },
        { "CAP_SYS_CHROOT", CALLS("chroot") },
        { "CAP_SYS_MODULE", CALLS("delete_module", "init_module", "finit_module") },
        { "CAP_SYS_PACCT", CALLS("acct") },
        { "CAP_SYS_PTRACE", CALLS("kcmp", "pidfd_getfd", "process_madvise") },
        { "CAP_SYS_RAWIO", CALLS("iopl", "ioperm") },
        { "CAP_SYS_TIME", CALLS("settimeofday", "stime", "clock_settime", "clock_settime64") },
        { "CAP_SYS_TTY_CONFIG", CALLS("vhangup") },
        { "CAP_SYS_NICE",
          CALLS("get_mempolicy", "mbind", "set_mempolicy", "set_mempolicy_home_node") },
        { "CAP_SYSLOG", CALLS("syslog") },
        { "CAP_BPF", CALLS("bpf") },
        { "CAP_PERFMON", CALLS("perf_event_open") },
};

#if defined(__x86_64__)
static const char *const architectures[] = { "SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32" };
static const char *const by_architecture[] = { "arch_prctl", "modify_ldt" };
#elif defined(__aarch64__)
static const char *const architectures[] = { "SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM" };
static const char *const by_architecture[] = { "arm_fadvise64_64", "arm_sync_file_range",
                                               "sync_file_range2", "breakpoint",
                                               "cacheflush",       "set_tls" };
#else
#error "seccomp-default.c: say which calls this architecture has of its own"
#endif

/* Personalities that change nothing that the kernel protects. */
static const uint64_t personalities[] = { 0x0, 0x8, 0x20000, 0x20008, 0xffffffff };

/* CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET */
#define CLONE_NAMESPACES 0x7e020000

/* Families of sockets but AF_ALG (38) and AF_VSOCK (40): those of which the masked bits have that
 * value. Of the argument the kernel takes the lower 32 bits, so that a comparison with all 64 would
 * let 38 pass with a bit above. What is beyond Linux's families, 48 and more, is none. */
static const struct {
        uint64_t mask, value;
} families[] = {
        { 0xffffffe0, 0 },  { 0xfffffffc, 32 }, { 0xfffffffe, 36 }, { 0xffffffff, 39 },
        { 0xffffffff, 41 }, { 0xfffffffe, 42 }, { 0xfffffffc, 44 },
};

static OciSyscall *rule(OciSeccomp *profile, const char *action) {
        OciSyscall *item = json_append(&profile->syscalls, &oci_syscall_table);

        item->action = str_copy(action);
        return item;
}

static OciSyscall *allow(OciSeccomp *profile, const char *name) {
        OciSyscall *item = rule(profile, "SCMP_ACT_ALLOW");

        strv_add(&item->names, name);
        return item;
}

static void compare(OciSyscall *item, const char *op, uint64_t value, uint64_t value_two) {
        OciSeccompArg *arg = json_append(&item->args, &oci_seccomp_arg_table);

        *arg = (OciSeccompArg){ 0, value, value_two, str_copy(op) };
}

static void refuse_as_unknown(OciSeccomp *profile, const char *name) {
        OciSyscall *item = rule(profile, "SCMP_ACT_ERRNO");

        strv_add(&item->names, name);
        item->errno_ret = PUT_INT(int64_t, ENOSYS);
}

/* A caller without CAP_SYS_ADMIN may make threads and processes, but no namespaces. clone3 hides
 * its flags from the filter: ENOSYS makes libraries fall back to clone. */
static void allow_clone(OciSeccomp *profile) {
        compare(allow(profile, "clone"), "SCMP_CMP_MASKED_EQ", CLONE_NAMESPACES, 0);
        refuse_as_unknown(profile, "clone3");
}

/* All families but the kernel's cryptography and the hypervisor's sockets. i386's socketcall has
 * the family in memory, where a filter can't look, and libseccomp would make each rule for socket,
 * bind and the like one for it, too: so it has a rule of its own, and libraries fall back. */
static void allow_socket(OciSeccomp *profile) {
        for (size_t i = 0; i < ELEMENTS(families); i++)
                compare(allow(profile, "socket"), "SCMP_CMP_MASKED_EQ", families[i].mask,
                        families[i].value);
        refuse_as_unknown(profile, "socketcall");
}

static OciSeccomp *build_default(char *const *capabilities) {
        OciSeccomp *profile = NEW(OciSeccomp);

        profile->default_action = str_copy("SCMP_ACT_ERRNO");
        profile->default_errno_ret = PUT_INT(int64_t, EPERM);
        for (size_t i = 0; i < ELEMENTS(architectures); i++)
                strv_add(&profile->architectures, architectures[i]);
        OciSyscall *always = rule(profile, "SCMP_ACT_ALLOW");
        for (const char *const *name = seccomp_always_allowed; *name; name++)
                strv_add(&always->names, *name);
        for (size_t i = 0; i < ELEMENTS(by_architecture); i++)
                strv_add(&always->names, by_architecture[i]);
        for (size_t i = 0; i < ELEMENTS(personalities); i++)
                compare(allow(profile, "personality"), "SCMP_CMP_EQ", personalities[i], 0);
        allow_socket(profile);
        for (size_t i = 0; i < ELEMENTS(by_capability); i++) {
                if (!strv_has(capabilities, by_capability[i].capability))
                        continue;
                OciSyscall *calls = rule(profile, "SCMP_ACT_ALLOW");
                for (const char *const *name = by_capability[i].names; *name; name++)
                        strv_add(&calls->names, *name);
        }
        if (!strv_has(capabilities, "CAP_SYS_ADMIN"))
                allow_clone(profile);
        return profile;
}

/* ---- which profile ---- */

int seccomp_profile_key(const Container *container, bool privileged, char **ret_key, Error *err) {
        const HostConfig *host = &container->spec.host;
        _cleanup_strv_ char **capabilities = capabilities_of(host, privileged || host->privileged);
        SecurityOptions security;
        Buf key = { 0 };

        *ret_key = NULL;
        int r = security_parse(&container->engine->options.defaults, host->security_opt, &security,
                               err);
        if (r < 0)
                return r;
        if (security.unconfined || BUG("seccomp") ||
            (host->privileged && !(security.seccomp && security.own_seccomp)))
                return 0;
        buf_add_str(&key, "default:");
        if (security.seccomp) {
                char digest[DIGEST_TEXT_MAX];

                digest_of(security.seccomp, strlen(security.seccomp), digest);
                buf_clear(&key);
                buf_format(&key, "file:%s:", digest);
        }
        /* A document of the client's may ask for any capability. */
        for (char **name = capabilities; security.seccomp && name && *name; name++)
                buf_format(&key, "%s,", *name);
        for (size_t i = 0; !security.seccomp && i < ELEMENTS(by_capability); i++)
                if (strv_has(capabilities, by_capability[i].capability))
                        buf_format(&key, "%s,", by_capability[i].capability);
        *ret_key = buf_take(&key);
        return 0;
}

int seccomp_profile_build(const Container *container, bool privileged, OciSeccomp **ret,
                          Error *err) {
        const HostConfig *host = &container->spec.host;
        _cleanup_strv_ char **capabilities = capabilities_of(host, privileged || host->privileged);
        SecurityOptions security;

        int r = security_parse(&container->engine->options.defaults, host->security_opt, &security,
                               err);
        if (r < 0)
                return r;
        if (security.seccomp)
                return seccomp_document_read(security.seccomp, capabilities, ret, err);
        *ret = build_default(capabilities);
        return 0;
}
