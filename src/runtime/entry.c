/* entry.c: brig-runtime's first instructions, before the C library's. The library asks the
 * processor for its features, which under a hypervisor takes as long as half of an exec: the exec
 * that protects the program's file (protect.c) is done before it here, so that it is paid once.
 * Whatever fails is left to protect.c, which tells why. */
#if defined(__x86_64__)

#include <asm/unistd.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>

#include "runtime/private.h"

#ifndef OPEN_TREE_CLOEXEC
#define OPEN_TREE_CLOEXEC O_CLOEXEC
#endif

/* Without the library there is no thread-local storage, where a stack protector keeps its value. */
#define BEFORE_LIBRARY __attribute__((no_stack_protector))

__asm__(".globl runtime_entry\n"
        ".type runtime_entry, @function\n"
        "runtime_entry:\n"
        "        xor %ebp, %ebp\n"
        "        mov %rsp, %rdi\n"
        "        call runtime_protect_early\n"
        "        xor %edx, %edx\n" /* no function to call at exit: there is no dynamic linker */
        "        jmp _start\n");

BEFORE_LIBRARY static inline long call5(long number, long a, long b, long c, long d, long e) {
        long result;
        register long r10 __asm__("r10") = d;
        register long r8 __asm__("r8") = e;

        __asm__ volatile("syscall"
                         : "=a"(result)
                         : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
                         : "rcx", "r11", "memory");
        return result;
}

BEFORE_LIBRARY static inline bool same_word(const char *a, const char *b) {
        while (*a && *a == *b) {
                a++;
                b++;
        }
        return *a == *b;
}

/* Only these start a process in a container; a word that merely looks like one costs an exec. */
BEFORE_LIBRARY static inline bool starts_process(char **argv) {
        for (; *argv; argv++)
                if (same_word(*argv, "run") || same_word(*argv, "create") ||
                    same_word(*argv, "exec"))
                        return true;
        return false;
}

void runtime_protect_early(char **stack); /* called by the instructions above only */

/* stack is what the kernel left: the count of arguments, they, NULL, the environment, NULL. System
 * V ABI, AMD64 supplement, "Process Initialization". */
BEFORE_LIBRARY __attribute__((used)) void runtime_protect_early(char **stack) {
        char **argv = stack + 1, **env = argv + (intptr_t)stack[0] + 1;
        struct mount_attr attributes = { .attr_set = MOUNT_ATTR_RDONLY };
        struct statfs info;
        long fd, copy;

        if (!starts_process(argv))
                return;
        info.f_flags = 0;
        fd = call5(__NR_openat, AT_FDCWD, (long)"/proc/self/exe", O_PATH | O_CLOEXEC, 0, 0);
        if (fd < 0)
                return;
        if (call5(__NR_fstatfs, fd, (long)&info, 0, 0, 0) == 0 && !(info.f_flags & ST_RDONLY)) {
                copy = call5(__NR_open_tree, fd, (long)"",
                             OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH, 0, 0);
                if (copy >= 0 && call5(__NR_mount_setattr, copy, (long)"", AT_EMPTY_PATH,
                                       (long)&attributes, sizeof(attributes)) == 0)
                        (void)call5(__NR_execveat, copy, (long)"", (long)argv, (long)env,
                                    AT_EMPTY_PATH);
                if (copy >= 0)
                        (void)call5(__NR_close, copy, 0, 0, 0, 0);
        }
        (void)call5(__NR_close, fd, 0, 0, 0, 0);
}

#endif
