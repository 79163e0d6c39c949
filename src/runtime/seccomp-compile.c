/* seccomp-compile.c: OCI documents to programs by libseccomp (runtime-spec config-linux.md
 * "Seccomp"). */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "runtime/seccomp-private.h"
#include "runtime/seccomp-ranges.h"

static void release_context(scmp_filter_ctx *context) {
        if (*context)
                seccomp_release(*context);
}

/* ---- names ---- */

static const struct {
        const char *name;
        uint32_t action;
} actions[] = {
        { "SCMP_ACT_ALLOW", SCMP_ACT_ALLOW },
        { "SCMP_ACT_ERRNO", SCMP_ACT_ERRNO(0) },
        { "SCMP_ACT_KILL", SCMP_ACT_KILL_THREAD },
        { "SCMP_ACT_KILL_THREAD", SCMP_ACT_KILL_THREAD },
        { "SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS },
        { "SCMP_ACT_TRAP", SCMP_ACT_TRAP },
        { "SCMP_ACT_TRACE", SCMP_ACT_TRACE(0) },
        { "SCMP_ACT_LOG", SCMP_ACT_LOG },
        { "SCMP_ACT_NOTIFY", SCMP_ACT_NOTIFY },
};

static const struct {
        const char *name;
        enum scmp_compare op;
} operators[] = {
        { "SCMP_CMP_NE", SCMP_CMP_NE },
        { "SCMP_CMP_LT", SCMP_CMP_LT },
        { "SCMP_CMP_LE", SCMP_CMP_LE },
        { "SCMP_CMP_EQ", SCMP_CMP_EQ },
        { "SCMP_CMP_GE", SCMP_CMP_GE },
        { "SCMP_CMP_GT", SCMP_CMP_GT },
        { "SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ },
};

static const struct {
        const char *name;
        unsigned flag;
} flags[] = {
        { "SECCOMP_FILTER_FLAG_TSYNC", 0 }, /* a process of one thread has nobody to synchronise */
        { "SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG },
        { "SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW },
};

char **seccomp_action_list(void) {
        char **list = NULL;

        for (size_t i = 0; i < ELEMENTS(actions); i++)
                strv_add(&list, actions[i].name);
        return list;
}

char **seccomp_operator_list(void) {
        char **list = NULL;

        for (size_t i = 0; i < ELEMENTS(operators); i++)
                strv_add(&list, operators[i].name);
        return list;
}

char **seccomp_flag_list(void) {
        char **list = NULL;

        for (size_t i = 0; i < ELEMENTS(flags); i++)
                strv_add(&list, flags[i].name);
        return list;
}

/* Those of the specification that this libseccomp knows. */
char **seccomp_arch_list(void) {
        static const char *const names[] = { "X86",     "X86_64",   "X32",         "ARM",
                                             "AARCH64", "MIPS",     "MIPS64",      "MIPS64N32",
                                             "MIPSEL",  "MIPSEL64", "MIPSEL64N32", "PPC",
                                             "PPC64",   "PPC64LE",  "S390",        "S390X",
                                             "PARISC",  "PARISC64", "RISCV64" };
        char **list = NULL;

        for (size_t i = 0; i < ELEMENTS(names); i++) {
                _cleanup_free_ char *name = str_copy(names[i]),
                                    *word = str_format("SCMP_ARCH_%s", names[i]);

                if (seccomp_arch_resolve_name(str_lower(name)))
                        strv_add(&list, word);
        }
        return list;
}

static int action_of(const char *name, const int64_t *errno_ret, uint32_t *ret, Error *err) {
        int64_t number = errno_ret ? *errno_ret : EPERM;

        if (number < 0 || number > 0xffff)
                return error_kind(err, ERROR_INVALID,
                                  "linux.seccomp: errnoRet %lld is out of range",
                                  (long long)number);
        for (size_t i = 0; i < ELEMENTS(actions); i++) {
                if (!str_equal(actions[i].name, name))
                        continue;
                *ret = actions[i].action;
                if (actions[i].action == SCMP_ACT_ERRNO(0) ||
                    actions[i].action == SCMP_ACT_TRACE(0))
                        *ret |= (uint32_t)number;
                return 0;
        }
        return error_kind(err, ERROR_INVALID, "linux.seccomp: no action '%s'", name ?: "");
}

int seccomp_flags_of(char *const *names, unsigned *ret, Error *err) {
        unsigned all = 0;

        for (; names && *names; names++) {
                size_t i = 0;

                while (i < ELEMENTS(flags) && !str_equal(flags[i].name, *names))
                        i++;
                if (i == ELEMENTS(flags))
                        return error_kind(err, ERROR_UNSUPPORTED,
                                          "linux.seccomp.flags: '%s' is not done", *names);
                all |= flags[i].flag;
        }
        *ret = all;
        return 0;
}

/* ---- compiling ---- */

static int add_architectures(scmp_filter_ctx context, char *const *names, Error *err) {
        for (; names && *names; names++) {
                _cleanup_free_ char *name = str_copy(str_after(*names, "SCMP_ARCH_") ?: *names);
                uint32_t token = seccomp_arch_resolve_name(str_lower(name));
                int r = token ? seccomp_arch_add(context, token) : -EINVAL;

                if (r < 0 && r != -EEXIST)
                        return error_kind(err, ERROR_INVALID,
                                          "linux.seccomp.architectures: no architecture '%s'",
                                          *names);
        }
        return 0;
}

static int compare_of(const OciSeccompArg *arg, struct scmp_arg_cmp *ret, Error *err) {
        if (arg->index < 0 || arg->index > 5)
                return error_kind(err, ERROR_INVALID,
                                  "linux.seccomp: argument index %lld is not between 0 and 5",
                                  (long long)arg->index);
        for (size_t i = 0; i < ELEMENTS(operators); i++) {
                if (!str_equal(operators[i].name, arg->op))
                        continue;
                *ret = (struct scmp_arg_cmp){ .arg = (unsigned)arg->index,
                                              .op = operators[i].op,
                                              .datum_a = arg->value,
                                              .datum_b = arg->value_two };
                return 0;
        }
        return error_kind(err, ERROR_INVALID, "linux.seccomp: no operator '%s'", arg->op);
}

static int add_rule(scmp_filter_ctx context, uint32_t action, int number,
                    const struct scmp_arg_cmp *compares, unsigned count, const char *name,
                    Error *err) {
        int r = seccomp_rule_add_array(context, action, number, count, compares);

        return r < 0 ? error_set(err, -r, "linux.seccomp: rule for '%s'", name) : 0;
}

/* All conditions must hold; but two on one argument, which libseccomp cannot join, stand for
 * either, as in every runtime. */
static int add_syscall(scmp_filter_ctx context, uint32_t action, int number, const JsonArray *args,
                       const char *name, Error *err) {
        const OciSeccompArg *list = args->items;
        struct scmp_arg_cmp compares[6];
        unsigned seen = 0;
        bool repeated = false;
        int r = 0;

        if (args->count > ELEMENTS(compares))
                return error_kind(err, ERROR_INVALID,
                                  "linux.seccomp: '%s' has more than six conditions", name);
        for (size_t i = 0; r == 0 && i < args->count; i++) {
                r = compare_of(&list[i], &compares[i], err);
                repeated = repeated || (r == 0 && (seen & (1u << list[i].index)));
                seen |= r == 0 ? 1u << list[i].index : 0;
        }
        if (r == 0 && !repeated)
                return add_rule(context, action, number, compares, (unsigned)args->count, name,
                                err);
        for (size_t i = 0; r == 0 && i < args->count; i++)
                r = add_rule(context, action, number, &compares[i], 1, name, err);
        return r;
}

static int add_syscalls(scmp_filter_ctx context, const OciSyscall *entry, uint32_t standard,
                        int *last, Error *err) {
        uint32_t action;
        int r = action_of(entry->action, entry->errno_ret, &action, err);

        for (char **name = entry->names; r == 0 && name && *name; name++) {
                int number = seccomp_syscall_resolve_name(*name);

                if (number == __NR_SCMP_ERROR) /* unknown here: nothing to allow or forbid */
                        continue;
                *last = MAX(*last, number);
                if (action != standard)
                        r = add_syscall(context, action, number, &entry->args, *name, err);
        }
        return r;
}

#if defined(__x86_64__)
#define NATIVE_AUDIT_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE_AUDIT_ARCH AUDIT_ARCH_AARCH64
#endif

/* A system call newer than all that the document names cannot have been meant: "no such call" lets
 * a libc fall back to an older one, which "not permitted" would not. These instructions go before
 * the program's own. */
static size_t add_prologue(struct sock_filter *to, int last) {
#ifdef NATIVE_AUDIT_ARCH
        const struct sock_filter prologue[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NATIVE_AUDIT_ARCH, 0, 4),
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 2, 0), /* x32 */
                BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, (unsigned)last, 0, 1),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        };

        memcpy(to, prologue, sizeof(prologue));
        return sizeof(prologue);
#else
        (void)to;
        (void)last;
        return 0;
#endif
}

#define PROLOGUE_MAX (8 * sizeof(struct sock_filter))

static int export_program(scmp_filter_ctx context, int last, bool prologue, SeccompProgram *ret,
                          Error *err) {
        _cleanup_close_ int fd = memfd_create("seccomp", MFD_CLOEXEC);
        _cleanup_free_ char *filter = NULL;
        _cleanup_buf_ Buf shorter = {};
        size_t start = 0;
        off_t length;
        int r = fd < 0 ? -errno : seccomp_export_bpf(context, fd);

        if (r < 0)
                return error_set(err, -r, "compile the seccomp document");
        length = lseek(fd, 0, SEEK_END);
        filter = NEW_ARRAY(char, (size_t)length + PROLOGUE_MAX);
        if (prologue && last > 0)
                start = add_prologue((struct sock_filter *)(void *)filter, last);
        if (pread(fd, filter + start, (size_t)length, 0) != length)
                return error_set(err, EIO, "read the compiled seccomp program");
        if ((start + (size_t)length) / sizeof(struct sock_filter) > BPF_MAXINSNS)
                return error_kind(
                        err, ERROR_INVALID,
                        "linux.seccomp: the program is longer than the kernel's %d instructions",
                        BPF_MAXINSNS);
        length += (off_t)start;
        if (seccomp_by_ranges((const struct sock_filter *)(const void *)filter,
                              (size_t)length / sizeof(struct sock_filter), &shorter) < 0)
                buf_add(&shorter, filter, (size_t)length);
        ret->length = shorter.length;
        ret->filter = buf_take(&shorter);
        return 0;
}

/* An empty one with the document's default action, whose value is *ret_standard. */
static int make_context(const OciSeccomp *document, scmp_filter_ctx *ret, uint32_t *ret_standard,
                        Error *err) {
        int r = action_of(document->default_action, document->default_errno_ret, ret_standard, err);

        if (r < 0)
                return r;
        *ret = seccomp_init(*ret_standard);
        return *ret ? 0
                    : error_kind(err, ERROR_INVALID, "linux.seccomp.defaultAction: '%s' is refused",
                                 document->default_action);
}

int seccomp_compile_here(const OciSeccomp *document, SeccompProgram *ret, Error *err) {
        _cleanup_(release_context) scmp_filter_ctx context = NULL;
        const OciSyscall *list = document->syscalls.items;
        uint32_t standard;
        int last = 0, r = make_context(document, &context, &standard, err);

        if (r == 0)
                r = add_architectures(context, document->architectures, err);
        /* The process execs after loading; libseccomp must not set no_new_privs or fail on an
         * architecture's lack. */
        if (r == 0)
                (void)seccomp_attr_set(context, SCMP_FLTATR_CTL_NNP, 0);
        /* A binary tree: at loading, the kernel runs the program once for each number of a call to
         * learn which are always allowed, and a list of comparisons takes it ten times as long. */
        if (r == 0)
                (void)seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2);
        for (size_t i = 0; r == 0 && i < document->syscalls.count; i++)
                r = add_syscalls(context, &list[i], standard, &last, err);
        return r < 0 ? r
                     : export_program(context, last,
                                      (standard & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO,
                                      ret, err);
}
