/* closer-test.c: a close that waits holds nobody, and what redirects a container's DNS leaves its
 * netfilter socket to it. */
#include "net/closer.h"

#include <linux/netlink.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/test.h"
#include "net/netns.h"
#include "net/redirect.h"
#include "net/test-namespace.h"

#define LINGER_SECONDS 60

/* A connection whose close waits until *ret_listener is closed: nobody takes what it has sent. -1:
 * it could not be made. */
static int lingering(int *ret_listener) {
        const struct linger linger = { 1, LINGER_SECONDS };
        struct sockaddr_in name = { .sin_family = AF_INET,
                                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        static const char data[65536];
        _cleanup_close_ int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        _cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        socklen_t length = sizeof(name);

        if (bind(listener, (struct sockaddr *)&name, sizeof(name)) < 0 || listen(listener, 1) < 0 ||
            getsockname(listener, (struct sockaddr *)&name, &length) < 0 ||
            connect(fd, (struct sockaddr *)&name, sizeof(name)) < 0 ||
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) < 0)
                return -1;
        while (send(fd, data, sizeof(data), MSG_DONTWAIT) > 0)
                ;
        *ret_listener = TAKE_FD(listener);
        return TAKE_FD(fd);
}

/* The netfilter sockets of programs in this thread's network namespace; -1: cannot be told. */
static int netfilter_sockets(void) {
        FILE *file = fopen("/proc/thread-self/net/netlink", "re");
        char line[256];
        int count = 0;

        if (!file)
                return -1;
        while (fgets(line, sizeof(line), file)) {
                unsigned protocol, port;

                if (sscanf(line, "%*s %u %u", &protocol, &port) == 2)
                        count += protocol == NETLINK_NETFILTER && port != 0;
        }
        (void)fclose(file);
        return count;
}

TEST(a_waiting_close_holds_nobody) {
        _cleanup_netns_ int home = -1;
        _cleanup_close_ int netns = -1, udp = -1, tcp = -1;
        _cleanup_(closer_freep) Closer *closer = NULL;
        _cleanup_close_ int listener = -1;
        Error err = { 0 };
        int waits;

        ASSERT_OK(netns_new(&netns, &err), &err);
        ASSERT_OK(netns_enter(netns, &home, &err), &err);
        ASSERT_OK(closer_new(&closer, &err), &err);
        waits = lingering(&listener);
        ASSERT(waits >= 0);
        closer_take(closer, waits);
        ASSERT_OK(redirect_open(netns, closer, &udp, &tcp, &err), &err);
        ASSERT_INT(netfilter_sockets(), 1);
        close_fd(&listener);
        closer = closer_free(closer);
        ASSERT_INT(netfilter_sockets(), 0);
}

TEST_MAIN()
