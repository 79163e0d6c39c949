/* binfmt.c: see binfmt.h. A handler is recognised by what the kernel does: its magic and mask are
 * compared with the first bytes that a program of the architecture has. */
#include "os/binfmt.h"

#include <dirent.h>
#include <elf.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/utsname.h>

#include "base/fd.h"
#include "base/str.h"
#include "os/mount.h"

#define HANDLER_MAX ((size_t)64 * 1024)
#define HEAD 20 /* of an ELF file: up to its machine */

static const struct {
        const char *name, *machine; /* Go's, uname(2)'s */
        unsigned char class, data;
        unsigned short elf;
} architectures[] = {
        { "386", "i686", ELFCLASS32, ELFDATA2LSB, EM_386 },
        { "amd64", "x86_64", ELFCLASS64, ELFDATA2LSB, EM_X86_64 },
        { "arm", "armv7l", ELFCLASS32, ELFDATA2LSB, EM_ARM },
        { "arm64", "aarch64", ELFCLASS64, ELFDATA2LSB, EM_AARCH64 },
        { "loong64", "loongarch64", ELFCLASS64, ELFDATA2LSB, 258 },
        { "mips64le", "mips64", ELFCLASS64, ELFDATA2LSB, EM_MIPS },
        { "ppc64le", "ppc64le", ELFCLASS64, ELFDATA2LSB, EM_PPC64 },
        { "riscv64", "riscv64", ELFCLASS64, ELFDATA2LSB, EM_RISCV },
        { "s390x", "s390x", ELFCLASS64, ELFDATA2MSB, EM_S390 },
};

static ssize_t row_of(const char *name) {
        for (size_t i = 0; i < ELEMENTS(architectures); i++)
                if (str_equal(architectures[i].name, name))
                        return (ssize_t)i;
        return -1;
}

static void program_head(size_t row, unsigned char head[HEAD]) {
        static const unsigned char magic[] = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3 };
        bool big = architectures[row].data == ELFDATA2MSB;
        unsigned short type = ET_EXEC, machine = architectures[row].elf;

        memset(head, 0, HEAD);
        memcpy(head, magic, sizeof(magic));
        head[EI_CLASS] = architectures[row].class;
        head[EI_DATA] = architectures[row].data;
        head[EI_VERSION] = EV_CURRENT;
        head[16 + big] = (unsigned char)type;
        head[18 + big] = (unsigned char)(machine & 0xff);
        head[19 - big] = (unsigned char)(machine >> 8);
}

/* ---- handlers ---- */

/* The value of a line "name value", the caller's; NULL: there is none. */
static char *line_value(const char *text, const char *name) {
        for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
                const char *value = str_after(line, name);

                if (value)
                        return str_copy_n(value, strcspn(value, "\n"));
        }
        return NULL;
}

static int digit(char c) {
        if (c >= '0' && c <= '9')
                return c - '0';
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte at that position; -1: the text ends before. */
static int hex_at(const char *hex, size_t at) {
        int high, low;

        if (strlen(hex) < 2 * at + 2)
                return -1;
        high = digit(hex[2 * at]);
        low = digit(hex[2 * at + 1]);
        return high < 0 || low < 0 ? -1 : high << 4 | low;
}

/* One that does not look at the machine is for no machine's programs. */
static bool magic_fits(const char *magic, const char *mask, const unsigned char head[HEAD]) {
        for (size_t i = 0; i < HEAD; i++) {
                int wanted = hex_at(magic, i), bits = mask ? hex_at(mask, i) : 0xff;

                if (wanted < 0 || bits < 0)
                        return false;
                if ((head[i] & bits) != (wanted & bits))
                        return false;
        }
        return true;
}

bool binfmt_handles(const char *handler, const char *architecture) {
        _cleanup_free_ char *flags = line_value(handler, "flags: ");
        _cleanup_free_ char *offset = line_value(handler, "offset ");
        _cleanup_free_ char *magic = line_value(handler, "magic ");
        _cleanup_free_ char *mask = line_value(handler, "mask ");
        unsigned char head[HEAD];
        ssize_t row = row_of(architecture);
        int64_t at = 0;

        if (row < 0 || !str_after(handler, "enabled\n") || !flags || !strchr(flags, 'F') ||
            !magic || (offset && str_to_int64(offset, &at) < 0) || at != 0)
                return false;
        program_head((size_t)row, head);
        return magic_fits(magic, mask, head);
}

static bool file_handles(int dir_fd, const char *name, const char *architecture) {
        _cleanup_free_ char *text = NULL;
        size_t length = 0;

        return file_read_at(dir_fd, name, HANDLER_MAX, &text, &length, NULL) == 0 &&
               binfmt_handles(text, architecture);
}

static bool is_on(int dir_fd) {
        _cleanup_free_ char *text = NULL;
        size_t length = 0;

        return file_read_at(dir_fd, "status", HANDLER_MAX, &text, &length, NULL) == 0 &&
               str_after(text, "enabled");
}

/* The handlers are the kernel's, wherever they are shown: a mount of our own shows them, too. */
static bool is_emulated(const char *architecture) {
        _cleanup_closedir_ DIR *dir = NULL;
        int fd = -1;
        struct dirent *entry;
        bool found = false;

        if (mount_new("binfmt_misc", NULL, NULL, 0, &fd, NULL) < 0)
                return false;
        dir = fdopendir(fd);
        if (!dir) {
                close_fd(&fd);
                return false;
        }
        if (!is_on(fd))
                return false;
        while (!found && (entry = readdir(dir)))
                if (entry->d_name[0] != '.' && !str_equal(entry->d_name, "status") &&
                    !str_equal(entry->d_name, "register"))
                        found = file_handles(fd, entry->d_name, architecture);
        return found;
}

/* ---- this machine ---- */

/* The kernel refuses the personality where the processor has no such mode (arm64). */
static bool runs_32_bits(void) {
        int before = personality(0xffffffff);
        bool does = before >= 0 && personality((unsigned)PER_LINUX32) >= 0;

        if (does)
                (void)personality((unsigned)before);
        return does;
}

static bool is_native(const char *architecture) {
        struct utsname here;
        ssize_t row = row_of(architecture);

        if (row < 0 || uname(&here) < 0)
                return false;
        if (str_equal(here.machine, architectures[row].machine))
                return true;
        if (str_equal(here.machine, "x86_64"))
                return str_equal(architecture, "386");
        if (str_after(here.machine, "arm") && str_equal(architecture, "arm"))
                return true;
        return str_equal(here.machine, "aarch64") && str_equal(architecture, "arm") &&
               runs_32_bits();
}

bool machine_runs(const char *architecture) {
        return is_native(architecture) || is_emulated(architecture);
}
