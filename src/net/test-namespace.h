/* test-namespace.h: a test that includes it runs in a network namespace of its own, from before
 * main on, or is skipped where it may have none. */
#pragma once

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fd.h"
#include "net/netns.h"

__attribute__((constructor)) static void own_namespace(void) {
        int fd;

        if (unshare(CLONE_NEWNET) < 0 || netns_new(&fd, NULL) < 0 || setns(fd, CLONE_NEWNET) < 0) {
                printf("1..0 # SKIP network namespaces need root\n");
                exit(0);
        }
        close_fd(&fd);
}
