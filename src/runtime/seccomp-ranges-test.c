/* seccomp-ranges-test.c: a rewritten program answers as libseccomp's own does, for every number
 * that either could tell apart, on each architecture. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/sanitizer.h"
#include "base/test.h"
#include "runtime/seccomp-ranges.h"

#define PROGRAMS (SANITIZED ? 4u : 40u)

/* ---- what the kernel would answer: classic BPF, as far as libseccomp uses it ---- */

static uint32_t load(const struct seccomp_data *call, uint32_t offset) {
        uint32_t value;

        memcpy(&value, (const char *)call + offset, sizeof(value));
        return value;
}

static bool holds(const struct sock_filter *i, uint32_t value) {
        switch (BPF_OP(i->code)) {
        case BPF_JEQ:
                return value == i->k;
        case BPF_JGT:
                return value > i->k;
        case BPF_JGE:
                return value >= i->k;
        case BPF_JSET:
                return value & i->k;
        default:
                abort();
        }
}

static uint32_t answer(const Buf *program, const struct seccomp_data *call) {
        const struct sock_filter *code = (const struct sock_filter *)(const void *)program->data;
        size_t count = program->length / sizeof(*code);
        uint32_t value = 0;

        for (size_t at = 0; at < count; at++) {
                const struct sock_filter *i = &code[at];

                if (i->code == (BPF_LD | BPF_W | BPF_ABS))
                        value = load(call, i->k);
                else if (i->code == (BPF_ALU | BPF_AND | BPF_K))
                        value &= i->k;
                else if (i->code == (BPF_RET | BPF_K))
                        return i->k;
                else if (i->code == (BPF_JMP | BPF_JA))
                        at += i->k;
                else
                        at += holds(i, value) ? i->jt : i->jf;
        }
        abort(); /* it ran over its end: the kernel would have refused it */
}

/* ---- programs ---- */

static unsigned seed;

static unsigned below(unsigned limit) {
        seed = seed * 1103515245 + 12345;
        return (seed >> 8) % limit;
}

static void add_rule(scmp_filter_ctx context, int number) {
        static const enum scmp_compare operators[] = { SCMP_CMP_NE,       SCMP_CMP_LT, SCMP_CMP_LE,
                                                       SCMP_CMP_EQ,       SCMP_CMP_GE, SCMP_CMP_GT,
                                                       SCMP_CMP_MASKED_EQ };
        struct scmp_arg_cmp condition = { .arg = below(6),
                                          .op = operators[below(7)],
                                          .datum_a = below(1000),
                                          .datum_b = below(1000) };

        (void)seccomp_rule_add_array(context,
                                     below(40) ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(below(100)),
                                     number, below(25) ? 0 : 1, &condition); /* some are refused */
}

/* One number in `gaps` is followed by some that no rule names. */
static void make_program(unsigned gaps, Buf *ret) {
        scmp_filter_ctx context = seccomp_init(SCMP_ACT_ERRNO(EPERM));
        _cleanup_close_ int fd = memfd_create("program", MFD_CLOEXEC);
        char data[4096];
        ssize_t n;

        (void)seccomp_arch_add(context, SCMP_ARCH_X86);
        (void)seccomp_arch_add(context, SCMP_ARCH_X32);
        (void)seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2);
        for (unsigned number = 0; number < 450; number += below(gaps) ? 1 : 1 + below(20))
                add_rule(context, (int)number);
        if (seccomp_export_bpf(context, fd) < 0 || lseek(fd, 0, SEEK_SET) < 0)
                abort();
        while ((n = read(fd, data, sizeof(data))) > 0)
                buf_add(ret, data, (size_t)n);
        seccomp_release(context);
}

static bool rewrite(const Buf *program, Buf *ret) {
        return seccomp_by_ranges((const struct sock_filter *)(const void *)program->data,
                                 program->length / sizeof(struct sock_filter), ret) == 0;
}

/* Arguments near the values that rules compare with. */
static bool same_answers(const Buf *one, const Buf *other, uint32_t architecture, uint32_t number) {
        struct seccomp_data call = { .nr = (int)number, .arch = architecture };

        for (unsigned round = 0; round < 4; round++) {
                for (size_t i = 0; i < 6; i++)
                        call.args[i] = below(4) ? below(1001) : (uint64_t)below(3) << 32;
                if (answer(one, &call) != answer(other, &call))
                        return false;
        }
        return true;
}

static bool alike(const Buf *one, const Buf *other) {
        static const uint32_t architectures[] = { AUDIT_ARCH_X86_64,     AUDIT_ARCH_I386,
                                                  AUDIT_ARCH_AARCH64,    0,
                                                  AUDIT_ARCH_X86_64 + 1, UINT32_MAX },
                              starts[] = { 0, 0x40000000, UINT32_MAX - 600, 0x3fffff00 };

        for (size_t a = 0; a < ELEMENTS(architectures); a++)
                for (size_t s = 0; s < ELEMENTS(starts); s++)
                        for (uint32_t number = 0; number < 600; number++)
                                if (!same_answers(one, other, architectures[a], starts[s] + number))
                                        return false;
        return true;
}

TEST(rewritten_programs_answer_alike) {
        unsigned rewritten = 0;

        for (seed = 1; seed <= PROGRAMS; seed++) {
                unsigned kept = seed;
                _cleanup_buf_ Buf program = {}, shorter = {};

                make_program(3 + below(20), &program);
                if (rewrite(&program, &shorter)) {
                        rewritten++;
                        ASSERT(alike(&program, &shorter));
                        ASSERT(shorter.length < program.length);
                }
                seed = kept;
        }
        ASSERT(rewritten > PROGRAMS * 3 / 4);
}

TEST(a_difference_is_seen) {
        _cleanup_buf_ Buf program = {}, other = {};
        struct sock_filter *code;

        seed = 7;
        make_program(10, &program);
        buf_add(&other, program.data, program.length);
        code = (struct sock_filter *)(void *)other.data;
        for (size_t i = 0; i < other.length / sizeof(*code); i++)
                if (code[i].code == (BPF_RET | BPF_K) && code[i].k == SECCOMP_RET_ALLOW)
                        code[i].k = SECCOMP_RET_KILL_PROCESS;
        ASSERT(!alike(&program, &other));
}

/* Arithmetic on the number: whatever is between two compared values may differ. */
TEST(programs_that_compute_are_left_alone) {
        static const struct sock_filter computing[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xff),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 3, 0, 1),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
        };
        static const struct sock_filter masking[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
                BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 3, 0, 1),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
        };
        static const struct sock_filter endless[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        };
        _cleanup_buf_ Buf ret = {};

        ASSERT_INT(seccomp_by_ranges(computing, ELEMENTS(computing), &ret), -ENOTSUP);
        ASSERT_INT(seccomp_by_ranges(masking, ELEMENTS(masking), &ret), -ENOTSUP);
        ASSERT_INT(seccomp_by_ranges(endless, ELEMENTS(endless), &ret), -ENOTSUP);
        ASSERT_INT(seccomp_by_ranges(NULL, 0, &ret), -ENOTSUP);
        ASSERT_INT(ret.length, 0);
}

TEST_MAIN()
