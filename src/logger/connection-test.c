/* connection-test.c: what a server has not acknowledged at the end is counted, and none else. */
#include "logger/connection.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/test.h"

#define RECORD_SIZE 1000
#define RECORDS 8

/* A server that accepts nobody: its kernel takes `room` bytes of what is sent. The caller's. */
static int listen_with(int room, char **ret_address) {
        struct sockaddr_in address = { .sin_family = AF_INET,
                                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t size = sizeof(address);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
        if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 1) < 0 ||
            getsockname(fd, (struct sockaddr *)&address, &size) < 0)
                return -1;
        *ret_address = str_format("tcp://127.0.0.1:%d", ntohs(address.sin_port));
        return fd;
}

static int send_all(Connection *connection, Error *err) {
        static const char record[RECORD_SIZE];
        int r = 0;

        for (int i = 0; r == 0 && i < RECORDS; i++)
                r = connection_send(connection, record, sizeof(record), err);
        return r;
}

TEST(records_that_nobody_acknowledged_are_counted) {
        LoggerOptions options = { 0 };
        _cleanup_close_ int server = listen_with(1, &options.address);
        Connection *connection = NULL;
        Error err = {};

        ASSERT(server >= 0);
        ASSERT_OK(connection_open(&options, false, &connection, &err), &err);
        ASSERT_OK(send_all(connection, &err), &err);
        size_t left = connection_end(connection, 20);
        ASSERT(left > 0 && left <= RECORDS);
        connection_free(connection);
        free(options.address);
}

TEST(records_that_arrived_are_not) {
        LoggerOptions options = { 0 };
        _cleanup_close_ int server = listen_with(1 << 20, &options.address);
        Connection *connection = NULL;
        Error err = {};

        ASSERT(server >= 0);
        ASSERT_OK(connection_open(&options, false, &connection, &err), &err);
        ASSERT_OK(send_all(connection, &err), &err);
        ASSERT_INT(connection_end(connection, 60000), 0);
        connection_free(connection);
        free(options.address);
}

TEST_MAIN()
