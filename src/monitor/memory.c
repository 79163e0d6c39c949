/* memory.c: see memory.h. A start runs through most of the program, while waiting for the container
 * needs one page of it; without this every page of the start would count for as long as the
 * container lives. The kernel maps sixteen pages of a file around each that is missing, so that
 * even a call of a C library function from here would cost 64 KiB: the system calls are made in
 * place. */
#include "monitor/memory.h"

#include <fcntl.h>
#include <link.h>
#include <malloc.h>
#include <poll.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/macro.h"

#define PAGE 4096 /* a kernel with larger ones refuses the advice, and nothing is lost */
#define RANGES_MAX 8
#define STACK_USED (256 * 1024) /* more than a start uses of it */

typedef struct Range {
        uintptr_t start, length;
} Range;

static Range ranges[RANGES_MAX];
static size_t range_count;

static void add_range(uintptr_t start, uintptr_t end) {
        if (range_count < RANGES_MAX && start < end)
                ranges[range_count++] = (Range){ start, end - start };
}

/* Where the first page is that was written to, and so is not as it is in the file: proc(5),
 * pagemap, whose bits say that a page is swapped, present, and a file's. start where the kernel
 * does not tell. */
static uintptr_t first_written(uintptr_t start, uintptr_t end) {
        const uint64_t file = UINT64_C(1) << 61, swapped = UINT64_C(1) << 62,
                       present = UINT64_C(1) << 63;
        _cleanup_close_ int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
        uint64_t page;

        while (start < end &&
               pread(fd, &page, sizeof(page), (off_t)(start / PAGE * sizeof(page))) ==
                       (ssize_t)sizeof(page) &&
               !(page & swapped) && (!(page & present) || (page & file)))
                start += PAGE;
        return start;
}

/* The parts of the program that are as they are in its file: those that were never writable, and of
 * what became read-only after the program was linked, what nothing had to be written to. */
static void find_ranges(void) {
        const ElfW(Phdr) *header = (const ElfW(Phdr) *)getauxval(AT_PHDR);
        unsigned long count = getauxval(AT_PHNUM);
        uintptr_t slide = 0;

        for (unsigned long i = 0; i < count; i++)
                if (header[i].p_type == PT_PHDR)
                        slide = (uintptr_t)header - header[i].p_vaddr;
        for (unsigned long i = 0; i < count; i++) {
                uintptr_t start = (slide + header[i].p_vaddr) & ~(uintptr_t)(PAGE - 1);
                uintptr_t end = slide + header[i].p_vaddr + header[i].p_memsz;

                if (header[i].p_type == PT_LOAD && !(header[i].p_flags & PF_W))
                        add_range(start, end);
                else if (header[i].p_type == PT_GNU_RELRO)
                        add_range(start, first_written(start, end & ~(uintptr_t)(PAGE - 1)));
        }
}

#ifdef __x86_64__
static inline long call(long number, long first, long second, long third) {
        register long fourth __asm__("r10") = 0;
        long result;

        __asm__ volatile("syscall"
                         : "=a"(result)
                         : "a"(number), "D"(first), "S"(second), "d"(third), "r"(fourth)
                         : "rcx", "r11", "memory");
        return result;
}
#else
static inline long call(long number, long first, long second, long third) {
        return syscall(number, first, second, third, 0);
}
#endif

__attribute__((noinline, aligned(PAGE))) static void release_and_wait(struct pollfd *poll_fd) {
        uintptr_t stack = ((uintptr_t)__builtin_frame_address(0) & ~(uintptr_t)(PAGE - 1)) - PAGE;

        (void)call(SYS_madvise, (long)(stack - STACK_USED), STACK_USED, MADV_DONTNEED);
        for (size_t i = 0; i < range_count; i++)
                (void)call(SYS_madvise, (long)ranges[i].start, (long)ranges[i].length,
                           MADV_DONTNEED);
        (void)call(SYS_ppoll, (long)poll_fd, 1, 0);
}

void memory_rest(int fd) {
        struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

        if (range_count == 0) {
                find_ranges();
                /* A flag that its neighbours do not have splits the mapping. */
                (void)madvise((void *)release_and_wait, PAGE, MADV_DONTDUMP);
        }
        (void)malloc_trim(0);
        release_and_wait(&poll_fd);
}
