/* apparmor-test.c: the kernel's list of profiles; and what a process is told where there is no such
 * profile, with AppArmor or without. */
#include "os/apparmor.h"

#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "base/test.h"
#include "os/procfs.h"

#define LIST "brig-default (enforce)\n/usr/bin/man (complain)\na (b) (enforce)\nlast (kill)"

TEST(a_profile_is_found_by_its_whole_name) {
        ASSERT(apparmor_lists(LIST, "brig-default"));
        ASSERT(apparmor_lists(LIST, "/usr/bin/man"));
        ASSERT(apparmor_lists(LIST, "a (b)"));
        ASSERT(apparmor_lists(LIST, "last"));
        ASSERT(!apparmor_lists(LIST, "brig"));
        ASSERT(!apparmor_lists(LIST, "brig-default (enforce)"));
        ASSERT(!apparmor_lists(LIST, "a"));
        ASSERT(!apparmor_lists(LIST, ""));
        ASSERT(!apparmor_lists("", "brig-default"));
}

TEST(a_profile_that_is_not_there_is_named) {
        _cleanup_close_ int proc_fd = -1;
        Error err = {};

        ASSERT(procfs_open(&proc_fd, &err) == 0);
        ASSERT(apparmor_on_exec(proc_fd, "brig-test-none", &err) < 0);
        ASSERT(strstr(err.message, "unable to apply apparmor profile 'brig-test-none'"));
}

TEST(this_process_has_one_where_the_kernel_confines) {
        _cleanup_free_ char *profile = NULL;
        Error err = {};
        int r = apparmor_of(getpid(), &profile, &err);

        ASSERT(r < 0 ? !apparmor_enabled() : !str_empty(profile));
}

TEST_MAIN()
