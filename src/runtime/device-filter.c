/* device-filter.c: device rules as BPF (bpf(2), BPF_PROG_TYPE_CGROUP_DEVICE). The kernel gives the
 * program the access and type in one word, then major and minor; it answers 1 for allowed. */
#include "runtime/device-filter.h"

#include <errno.h>
#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "os/cgroup.h"

#define NUMBER(n) ((int64_t[]){ n })
#define ALLOW(type_, major_, minor_, access_)                                                      \
        {                                                                                          \
                .allow = true, .type = (char[]){ type_ }, .major = major_, .minor = minor_,        \
                .access = (char[]) {                                                               \
                        access_                                                                    \
                }                                                                                  \
        }

const OciDeviceRule device_rules_default[] = {
        ALLOW("c", NULL, NULL, "m"),
        ALLOW("b", NULL, NULL, "m"),
        ALLOW("c", NUMBER(1), NUMBER(3), "rwm"), /* null */
        ALLOW("c", NUMBER(1), NUMBER(5), "rwm"), /* zero */
        ALLOW("c", NUMBER(1), NUMBER(7), "rwm"), /* full */
        ALLOW("c", NUMBER(1), NUMBER(8), "rwm"), /* random */
        ALLOW("c", NUMBER(1), NUMBER(9), "rwm"), /* urandom */
        ALLOW("c", NUMBER(5), NUMBER(0), "rwm"), /* tty */
        ALLOW("c", NUMBER(5), NUMBER(2), "rwm"), /* ptmx */
        ALLOW("c", NUMBER(136), NULL, "rwm"),    /* pts */
};
const size_t device_rules_default_count = ELEMENTS(device_rules_default);

#define RULES_MAX 2000
#define PER_RULE 8

typedef struct Program {
        struct bpf_insn *code;
        size_t length;
} Program;

static void add(Program *program, uint8_t code, uint8_t to, uint8_t from, int16_t offset,
                int32_t immediate) {
        program->code[program->length++] = (struct bpf_insn){
                .code = code, .dst_reg = to, .src_reg = from, .off = offset, .imm = immediate
        };
}

/* r2 type, r3 access, r4 major, r5 minor */
static void add_start(Program *program) {
        add(program, BPF_LDX | BPF_MEM | BPF_W, 2, 1, 0, 0);
        add(program, BPF_ALU | BPF_MOV | BPF_X, 3, 2, 0, 0);
        add(program, BPF_ALU | BPF_AND | BPF_K, 2, 0, 0, 0xffff);
        add(program, BPF_ALU | BPF_RSH | BPF_K, 3, 0, 0, 16);
        add(program, BPF_LDX | BPF_MEM | BPF_W, 4, 1, 4, 0);
        add(program, BPF_LDX | BPF_MEM | BPF_W, 5, 1, 8, 0);
}

static int access_bits(const char *access) {
        int bits = 0;

        for (; access && *access; access++)
                bits |= *access == 'r'   ? BPF_DEVCG_ACC_READ
                        : *access == 'w' ? BPF_DEVCG_ACC_WRITE
                                         : BPF_DEVCG_ACC_MKNOD;
        return bits ? bits : BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE | BPF_DEVCG_ACC_MKNOD;
}

/* A jump over the rest of the rule; its length is known once the rule is complete. */
static void add_unless(Program *program, uint8_t reg, int32_t value) {
        add(program, BPF_JMP | BPF_JNE | BPF_K, reg, 0, 0, value);
}

/* Rules are tried from the last to the first, so that the first match decides. An allowing rule
 * must cover all that is asked for; a denying one matches if it forbids any of it. True: the rule
 * matches everything, and what would follow it is out of reach, which the kernel refuses in a
 * program. */
static bool add_rule(Program *program, const OciDeviceRule *rule) {
        bool any_type = str_empty(rule->type) || str_equal(rule->type, "a");
        size_t start = program->length;
        int access = access_bits(rule->access);

        if (!any_type)
                add_unless(program, 2,
                           str_equal(rule->type, "b") ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
        if (rule->major && *rule->major >= 0)
                add_unless(program, 4, (int32_t)*rule->major);
        if (rule->minor && *rule->minor >= 0)
                add_unless(program, 5, (int32_t)*rule->minor);
        if (access != 7) {
                add(program, BPF_ALU | BPF_MOV | BPF_X, 1, 3, 0, 0);
                add(program, BPF_ALU | BPF_AND | BPF_K, 1, 0, 0,
                    rule->allow ? ~access & 7 : access);
                add(program, BPF_JMP | (rule->allow ? BPF_JNE : BPF_JEQ) | BPF_K, 1, 0, 0, 0);
        }
        add(program, BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, rule->allow);
        add(program, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
        for (size_t i = start; i < program->length; i++)
                if (BPF_CLASS(program->code[i].code) == BPF_JMP &&
                    BPF_OP(program->code[i].code) != BPF_EXIT)
                        program->code[i].off = (int16_t)(program->length - i - 1);
        return program->length == start + 2;
}

static int load(const Program *program, int *ret_fd, Error *err) {
        union bpf_attr attr = { .prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
                                .insns = (uint64_t)(uintptr_t)program->code,
                                .insn_cnt = (uint32_t)program->length,
                                .license = (uint64_t)(uintptr_t) "Apache-2.0" };
        int fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));

        if (fd < 0)
                return error_set(err, errno, "load the device filter (BPF)");
        *ret_fd = fd;
        return 0;
}

static int attach(const char *cgroup, int program_fd, Error *err) {
        _cleanup_close_ int group_fd = -1;
        union bpf_attr attr = { .attach_type = BPF_CGROUP_DEVICE,
                                .attach_flags = BPF_F_ALLOW_MULTI };
        int r = cgroup_clone_fd(cgroup, &group_fd, err);

        if (r < 0)
                return r;
        attr.target_fd = (uint32_t)group_fd;
        attr.attach_bpf_fd = (uint32_t)program_fd;
        if (syscall(SYS_bpf, BPF_PROG_ATTACH, &attr, sizeof(attr)) < 0)
                return error_set(err, errno, "attach the device filter to cgroup '%s'", cgroup);
        return 0;
}

static void add_rules(Program *program, const OciDeviceRule *rules, size_t count) {
        bool complete = false;

        for (size_t i = device_rules_default_count; i-- > 0;)
                (void)add_rule(program, &device_rules_default[i]);
        for (size_t i = count; i-- > 0 && !complete;)
                complete = add_rule(program, &rules[i]);
        if (complete)
                return;
        add(program, BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0);
        add(program, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

int device_filter_attach(const char *cgroup, const JsonArray *rules, Error *err) {
        const OciDeviceRule *list = rules->items;
        _cleanup_free_ struct bpf_insn *code = NULL;
        _cleanup_close_ int fd = -1;
        Program program = {};
        int r;

        if (rules->count == 0)
                return 0;
        if (rules->count > RULES_MAX)
                return error_kind(err, ERROR_INVALID,
                                  "linux.resources.devices: %zu rules; the limit is %d",
                                  rules->count, RULES_MAX);
        code = NEW_ARRAY(struct bpf_insn,
                         (rules->count + device_rules_default_count) * PER_RULE + PER_RULE);
        program.code = code;
        add_start(&program);
        add_rules(&program, list, rules->count);
        r = load(&program, &fd, err);
        return r < 0 ? r : attach(cgroup, fd, err);
}
