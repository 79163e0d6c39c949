/* binfmt-test.c: which handlers are for which processor. The texts are what the kernel prints of
 * Debian's registrations of qemu-user. */
#include "os/binfmt.h"

#include <sys/utsname.h>

#include "base/str.h"
#include "base/test.h"

#define HANDLER(flags, magic, mask)                                                                \
        "enabled\ninterpreter /usr/bin/qemu\nflags: " flags "\noffset 0\nmagic " magic             \
        "\nmask " mask "\n"
#define ARM64 "7f454c460201010000000000000000000200b700"
#define ARM "7f454c4601010100000000000000000002002800"
#define S390X "7f454c4602020100000000000000000000020016"
#define MASK_LITTLE "ffffffffffffff00fffffffffffffffffeffffff"
#define MASK_BIG "ffffffffffffff00fffffffffffffffffffeffff"

TEST(a_handler_is_known_by_the_programs_that_it_takes) {
        static const char arm64[] = HANDLER("POCF", ARM64, MASK_LITTLE);
        static const char s390x[] = HANDLER("F", S390X, MASK_BIG);

        ASSERT(binfmt_handles(arm64, "arm64"));
        ASSERT(!binfmt_handles(arm64, "arm"));
        ASSERT(!binfmt_handles(arm64, "amd64"));
        ASSERT(binfmt_handles(s390x, "s390x"));
        ASSERT(!binfmt_handles(s390x, "ppc64le"));
        ASSERT(binfmt_handles(HANDLER("F", ARM, MASK_LITTLE), "arm"));
        ASSERT(!binfmt_handles(arm64, "unheard-of"));
}

TEST(a_handler_that_a_container_does_not_see_is_none) {
        ASSERT(!binfmt_handles(HANDLER("OC", ARM64, MASK_LITTLE), "arm64"));
        ASSERT(!binfmt_handles(
                "disabled\ninterpreter /usr/bin/qemu\nflags: F\noffset 0\nmagic " ARM64 "\n",
                "arm64"));
}

TEST(what_is_no_program_of_another_processor_is_none) {
        ASSERT(!binfmt_handles("enabled\ninterpreter /usr/bin/jar\nflags: F\nextension .jar\n",
                               "arm64"));
        ASSERT(!binfmt_handles(HANDLER("F", "504b0304", "ffffffff"), "arm64"));
        /* Every ELF file: no emulator is that. */
        ASSERT(!binfmt_handles(HANDLER("F", "7f454c46", "ffffffff"), "arm64"));
        ASSERT(!binfmt_handles("enabled\nflags: F\noffset 4096\nmagic 7f45\n", "arm64"));
        ASSERT(!binfmt_handles("enabled\nflags: F\noffset 0\nmagic zz\n", "arm64"));
        ASSERT(!binfmt_handles("", "arm64"));
}

TEST(this_machine_runs_its_own_programs) {
        struct utsname here;

        ASSERT(uname(&here) == 0);
        if (str_equal(here.machine, "x86_64"))
                ASSERT(machine_runs("amd64") && machine_runs("386"));
        if (str_equal(here.machine, "aarch64"))
                ASSERT(machine_runs("arm64"));
        ASSERT(!machine_runs("unheard-of"));
}

TEST_MAIN()
