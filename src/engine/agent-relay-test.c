/* agent-relay-test.c: an agent that says everything back, and who speaks to it through a relay. */
#include "engine/agent-relay.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/fd.h"
#include "base/test.h"

#define WAIT_MS 10000
#define LARGE ((size_t)1 << 20)

typedef struct Place {
        char directory[64];
        int dir_fd, listen_fd, agent_fd;
        pthread_t thread;
        AgentRelay *relay;
} Place;

static int in_directory(int dir_fd, const char *name, struct sockaddr_un *address) {
        *address = (struct sockaddr_un){ .sun_family = AF_UNIX };
        (void)snprintf(address->sun_path, sizeof(address->sun_path), "/proc/self/fd/%d/%s", dir_fd,
                       name);
        return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static void *say_back(void *data) {
        _cleanup_close_ int fd = *(int *)data;
        char text[4096];
        ssize_t n;

        free(data);
        while ((n = read(fd, text, sizeof(text))) > 0)
                if (fd_write_full(fd, text, (size_t)n) < 0)
                        break;
        return NULL;
}

/* Until its socket is shut down. */
static void *be_agent(void *data) {
        const Place *place = data;
        int fd;

        /* cppcheck-suppress nullPointer ; the address may be NULL: accept(2) */
        while ((fd = accept4(place->listen_fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
                int *copy = NEW(int);
                pthread_t thread;

                *copy = fd;
                if (pthread_create(&thread, NULL, say_back, copy) != 0)
                        abort();
                (void)pthread_detach(thread);
        }
        return NULL;
}

static int place_open(Place *place, Error *err) {
        const AgentAccess access = { .uid = getuid() ? getuid() : 1234,
                                     .gid = getuid() ? getgid() : 1235,
                                     .mode = 0620 };
        struct sockaddr_un address;

        *place = (Place){ .directory = "/tmp/brig-relay-XXXXXX", .listen_fd = -1, .agent_fd = -1 };
        if (!mkdtemp(place->directory))
                return error_set(err, errno, "mkdtemp");
        place->dir_fd = open(place->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        place->listen_fd = in_directory(place->dir_fd, "agent", &address);
        if (bind(place->listen_fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
            listen(place->listen_fd, 64) < 0)
                return error_set(err, errno, "listen");
        place->agent_fd = openat(place->dir_fd, "agent", O_PATH | O_CLOEXEC);
        /* What a client's path means to the client is nothing to the daemon. */
        if (unlinkat(place->dir_fd, "agent", 0) < 0)
                return error_set(err, errno, "unlink");
        if (pthread_create(&place->thread, NULL, be_agent, place) != 0)
                abort();
        return agent_relay_new(place->agent_fd, place->dir_fd, "0", &access, &place->relay, err);
}

static void end_agent(Place *place) {
        if (place->listen_fd < 0)
                return;
        (void)shutdown(place->listen_fd, SHUT_RDWR);
        (void)pthread_join(place->thread, NULL);
        close_fd(&place->listen_fd);
}

static void place_done(Place *place) {
        place->relay = agent_relay_free(place->relay);
        end_agent(place);
        close_fd(&place->agent_fd);
        close_fd(&place->dir_fd);
        (void)dir_remove_at(AT_FDCWD, place->directory, NULL);
}
#define _place_ _cleanup_(place_done)

static int client(const Place *place) {
        struct sockaddr_un address;
        int fd = in_directory(place->dir_fd, "0", &address);

        if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
                close_fd(&fd);
        return fd;
}

/* 1: what was sent came back; 0: the end came; -1: neither in time. */
static int ask(int fd, char letter) {
        struct pollfd wait = { .fd = fd, .events = POLLIN };
        char answer = 0;

        if (send(fd, &letter, 1, MSG_NOSIGNAL) < 0)
                return 0;
        if (poll(&wait, 1, WAIT_MS) <= 0)
                return -1;
        return read(fd, &answer, 1) == 1 && answer == letter;
}

TEST(what_is_said_arrives) {
        _place_ Place place;
        Error err = {};
        _cleanup_close_ int fd = -1;

        ASSERT_OK(place_open(&place, &err), &err);
        fd = client(&place);
        ASSERT_INT(ask(fd, 'a'), 1);
        ASSERT_INT(ask(fd, 'b'), 1);
}

static void *send_large(void *data) {
        const int *fd = data;
        _cleanup_free_ char *text = alloc_zero(1, LARGE);

        for (size_t i = 0; i < LARGE; i++)
                text[i] = (char)(i * 7 / 3);
        (void)fd_write_full(*fd, text, LARGE);
        (void)shutdown(*fd, SHUT_WR);
        return NULL;
}

/* More than all buffers together, and each side's end is told to the other. */
TEST(much_is_said_and_ended) {
        _place_ Place place;
        Error err = {};
        _cleanup_close_ int fd = -1;
        _cleanup_free_ char *text = alloc_zero(1, LARGE + 1);
        pthread_t thread;
        ssize_t n;
        bool same = true;

        ASSERT_OK(place_open(&place, &err), &err);
        fd = client(&place);
        ASSERT_INT(pthread_create(&thread, NULL, send_large, &fd), 0);
        n = fd_read_full(fd, text, LARGE + 1);
        (void)pthread_join(thread, NULL);
        ASSERT_INT(n, LARGE);
        for (size_t i = 0; i < LARGE; i++)
                same &= text[i] == (char)(i * 7 / 3);
        ASSERT(same);
}

TEST(who_may_connect_is_chosen) {
        _place_ Place place;
        Error err = {};
        struct stat st;

        ASSERT_OK(place_open(&place, &err), &err);
        ASSERT_INT(fstatat(place.dir_fd, "0", &st, AT_SYMLINK_NOFOLLOW), 0);
        ASSERT(S_ISSOCK(st.st_mode));
        ASSERT_INT(st.st_mode & 07777, 0620);
        ASSERT_INT(st.st_uid, getuid() ? getuid() : 1234);
        ASSERT_INT(st.st_gid, getuid() ? getgid() : 1235);
}

/* Seventeen wait until one of sixteen has gone. */
TEST(connections_are_bounded) {
        _place_ Place place;
        Error err = {};
        int fds[17];
        struct pollfd wait;

        ASSERT_OK(place_open(&place, &err), &err);
        for (size_t i = 0; i < ELEMENTS(fds); i++)
                fds[i] = client(&place);
        for (size_t i = 0; i < 16; i++)
                ASSERT_INT(ask(fds[i], 'x'), 1);
        ASSERT_INT(send(fds[16], "y", 1, MSG_NOSIGNAL), 1);
        wait = (struct pollfd){ .fd = fds[16], .events = POLLIN };
        ASSERT_INT(poll(&wait, 1, 50), 0);
        close_fd(&fds[3]);
        ASSERT_INT(poll(&wait, 1, WAIT_MS), 1);
        for (size_t i = 0; i < ELEMENTS(fds); i++)
                close_fd(&fds[i]);
}

TEST(its_end_ends_connections) {
        _place_ Place place;
        Error err = {};
        _cleanup_close_ int fd = -1;
        char byte;

        ASSERT_OK(place_open(&place, &err), &err);
        fd = client(&place);
        ASSERT_INT(ask(fd, 'a'), 1);
        place.relay = agent_relay_free(place.relay);
        ASSERT_INT(read(fd, &byte, 1), 0);
        ASSERT_INT(faccessat(place.dir_fd, "0", F_OK, AT_SYMLINK_NOFOLLOW), -1);
        ASSERT_INT(client(&place), -1);
}

TEST(an_agent_that_has_gone) {
        _place_ Place place;
        Error err = {};
        _cleanup_close_ int fd = -1;

        ASSERT_OK(place_open(&place, &err), &err);
        end_agent(&place);
        fd = client(&place);
        ASSERT_INT(ask(fd, 'a'), 0);
}

TEST_MAIN()
