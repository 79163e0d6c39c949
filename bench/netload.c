/* netload.c: the load of bench/net.py, one small program so that Python is not what is measured. */
static const char usage[] =
        "netload serve FIRST LAST: answers on these TCP ports: a byte first, then what it gets\n"
        "netload connect ADDRESS FIRST LAST SECONDS: connections a second, to ports by turns\n"
        "netload request ADDRESS PORT COUNT: median ns of a request on a kept connection\n"
        "netload get ADDRESS PORT COUNT: the same of an HTTP request, each on a new one\n"
        "netload ask ADDRESS NAME RATE SECONDS: DNS: sent, answered, wrong, a second";

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WORKERS 2  /* as many as there are processors on the project's machines */
#define AT_ONCE 32 /* connections of a worker under way */
#define EVENTS 64

static int64_t now(void) {
        struct timespec time;

        (void)clock_gettime(CLOCK_MONOTONIC, &time);
        return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static int number(const char *text) {
        char *end;
        long value = strtol(text, &end, 10);

        if (!*text || *end || value < 0 || value > 100000000)
                errx(64, "'%s' is no number", text);
        return (int)value;
}

static struct sockaddr_in address_of(const char *text, int port) {
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };

        if (inet_pton(AF_INET, text, &address.sin_addr) != 1)
                errx(64, "'%s' is no IPv4 address", text);
        return address;
}

static void watch(int epoll, int fd, uint32_t events, uint64_t tag) {
        struct epoll_event event = { .events = events, .data.u64 = tag };

        if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
                err(1, "epoll_ctl");
}

/* Closed with a reset, neither side keeps the pair of ports for a minute. */
static void drop(int fd) {
        const struct linger linger = { 1, 0 };

        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
        (void)close(fd);
}

/* ---- serve ---- */

static int listen_at(int port) {
        struct sockaddr_in address = address_of("0.0.0.0", port);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;

        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0 ||
            bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 4096) < 0)
                err(1, "listen at port %d", port);
        return fd;
}

static void greet(int epoll, int listener) {
        for (;;) {
                int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);

                if (fd < 0)
                        return;
                if (send(fd, "", 1, MSG_NOSIGNAL) == 1)
                        watch(epoll, fd, EPOLLIN, (uint64_t)fd << 1);
                else
                        (void)close(fd);
        }
}

static void echo(int fd) {
        char data[256];
        ssize_t length = recv(fd, data, sizeof(data), 0);

        if (length > 0)
                (void)send(fd, data, (size_t)length, MSG_NOSIGNAL);
        else if (length == 0 || errno != EAGAIN)
                (void)close(fd);
}

static void serve(const int *listeners, int count) {
        int epoll = epoll_create1(0);
        struct epoll_event events[EVENTS];

        for (int i = 0; i < count; i++)
                watch(epoll, listeners[i], EPOLLIN | EPOLLEXCLUSIVE,
                      (uint64_t)listeners[i] << 1 | 1);
        for (;;) {
                int ready = epoll_wait(epoll, events, EVENTS, -1);

                for (int i = 0; i < ready; i++) {
                        int fd = (int)(events[i].data.u64 >> 1);

                        if (events[i].data.u64 & 1)
                                greet(epoll, fd);
                        else
                                echo(fd);
                }
        }
}

static int run_serve(char **words) {
        int first = number(words[0]), count = number(words[1]) - first + 1;
        struct rlimit limit;
        int *listeners = calloc((size_t)count, sizeof(int));

        if (!listeners || getrlimit(RLIMIT_NOFILE, &limit) < 0)
                err(1, "serve");
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
        for (int i = 0; i < count; i++)
                listeners[i] = listen_at(first + i);
        (void)puts("ready");
        (void)fflush(stdout);
        for (int i = 1; i < WORKERS; i++)
                if (fork() == 0) {
                        (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
                        break;
                }
        serve(listeners, count);
        return 0;
}

/* ---- connect ---- */

static void start(int epoll, struct sockaddr_in address, int first, int count, unsigned *turn) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

        /* Far apart, so that no part of a list of rules is asked more than another. */
        address.sin_port = htons((uint16_t)(first + (int)(*turn % (unsigned)count)));
        *turn += 2503;
        if (fd < 0 ||
            (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 && errno != EINPROGRESS))
                err(1, "connect");
        watch(epoll, fd, EPOLLIN, (uint64_t)fd);
}

/* How many were greeted within the time. */
static int64_t connect_for(struct sockaddr_in address, int first, int count, int64_t duration,
                           unsigned turn) {
        const int64_t end = now() + duration;
        struct epoll_event events[EVENTS];
        int epoll = epoll_create1(0);
        int64_t done = 0;

        for (int i = 0; i < AT_ONCE; i++)
                start(epoll, address, first, count, &turn);
        while (now() < end) {
                int ready = epoll_wait(epoll, events, EVENTS, 1000);

                if (ready <= 0)
                        errx(1, "no connection for a second");
                for (int i = 0; i < ready; i++) {
                        int fd = (int)events[i].data.u64;
                        char byte;

                        if (recv(fd, &byte, 1, 0) != 1)
                                err(1, "a connection was not greeted");
                        drop(fd);
                        done++;
                        start(epoll, address, first, count, &turn);
                }
        }
        return done;
}

static int run_connect(char **words) {
        int first = number(words[1]), count = number(words[2]) - first + 1, pipes[2];
        const int64_t duration = number(words[3]) * 1000000000LL;
        int64_t sum = 0;

        if (pipe(pipes) < 0)
                err(1, "pipe");
        for (unsigned i = 0; i < WORKERS; i++) {
                if (fork() != 0)
                        continue;
                int64_t done =
                        connect_for(address_of(words[0], first), first, count, duration, i * 31);
                return write(pipes[1], &done, sizeof(done)) == sizeof(done) ? 0 : 1;
        }
        for (int i = 0; i < WORKERS; i++) {
                int64_t done;
                int status;

                if (wait(&status) < 0 || status != 0 ||
                    read(pipes[0], &done, sizeof(done)) != sizeof(done))
                        errx(1, "a worker failed");
                sum += done;
        }
        printf("%.0f\n", (double)sum * 1e9 / (double)duration);
        return 0;
}

/* ---- request ---- */

static int ascending(const void *left, const void *right) {
        const int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
        return a < b ? -1 : a > b;
}

static int connected(struct sockaddr_in address) {
        int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

        if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0)
                err(1, "connect");
        return fd;
}

static void request(int *fd, struct sockaddr_in address) {
        char data[64] = "";

        if (*fd < 0) {
                *fd = connected(address);
                if (recv(*fd, data, 1, 0) != 1)
                        err(1, "greeting");
        }
        if (send(*fd, data, sizeof(data), 0) != sizeof(data) ||
            recv(*fd, data, sizeof(data), MSG_WAITALL) != sizeof(data))
                err(1, "request");
}

static void get(int *fd, struct sockaddr_in address) {
        static const char words[] = "GET / HTTP/1.0\r\n\r\n";
        char data[4096] = "";
        ssize_t length, sum = 0;

        *fd = connected(address);
        if (send(*fd, words, sizeof(words) - 1, 0) != sizeof(words) - 1)
                err(1, "request");
        while ((length = recv(*fd, data + sum, sizeof(data) - 1 - (size_t)sum, 0)) > 0)
                sum += length;
        if (length < 0 || !strstr(data, " 200 "))
                errx(1, "no answer: %s", data);
        drop(*fd);
}

/* The first one, of a cold path, does not count. */
static int median_of(char **words, void (*once)(int *fd, struct sockaddr_in address)) {
        struct sockaddr_in address = address_of(words[0], number(words[1]));
        int count = number(words[2]), fd = -1;
        int64_t *taken = calloc((size_t)count, sizeof(*taken));

        if (!taken || count == 0)
                errx(64, "nothing to count");
        once(&fd, address);
        for (int i = 0; i < count; i++) {
                int64_t begun = now();

                once(&fd, address);
                taken[i] = now() - begun;
        }
        qsort(taken, (size_t)count, sizeof(*taken), ascending);
        printf("%lld\n", (long long)taken[count / 2]);
        return 0;
}

static int run_request(char **words) {
        return median_of(words, request);
}

static int run_get(char **words) {
        return median_of(words, get);
}

/* ---- ask ---- */

/* A question for an A record; its id says which it is. */
static size_t question(uint8_t *data, uint16_t id, const char *name) {
        const uint8_t header[12] = { (uint8_t)(id >> 8), (uint8_t)id, 1, 0, 0, 1 };
        uint8_t *at = data + sizeof(header);

        memcpy(data, header, sizeof(header));
        while (*name) {
                size_t length = strcspn(name, ".");

                *at++ = (uint8_t)length;
                memcpy(at, name, length);
                at += length;
                name += length + (name[length] == '.');
        }
        memcpy(at, "\0\0\1\0\1", 5);
        return (size_t)(at + 5 - data);
}

typedef struct Answers {
        int64_t right, wrong;
} Answers;

static void take_answers(int fd, Answers *answers) {
        uint8_t data[512];
        ssize_t length;

        while ((length = recv(fd, data, sizeof(data), MSG_DONTWAIT)) > 0) {
                /* NOERROR, one answer */
                if (length > 12 && (data[3] & 15) == 0 && data[7] == 1)
                        answers->right++;
                else
                        answers->wrong++;
        }
}

static int run_ask(char **words) {
        struct sockaddr_in address = address_of(words[0], 53);
        const int64_t rate = number(words[2]), total = rate * number(words[3]), begun = now();
        const struct timespec pause = { 0, 200000 };
        int fd = socket(AF_INET, SOCK_DGRAM, 0), room = 4 << 20;
        Answers answers = { 0 };
        uint8_t data[300];
        int64_t sent = 0;

        if (strlen(words[1]) > 250)
                errx(64, "the name is too long");
        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) < 0 ||
            connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
                err(1, "socket");
        while (sent < total) {
                const int64_t due = (now() - begun) * rate / 1000000000;

                for (; sent < due && sent < total; sent++) {
                        size_t length = question(data, (uint16_t)sent, words[1]);

                        if (send(fd, data, length, 0) != (ssize_t)length)
                                err(1, "send");
                }
                take_answers(fd, &answers);
                (void)nanosleep(&pause, NULL);
        }
        const int64_t took = now() - begun;
        for (int64_t end = now() + 1000000000;
             answers.right + answers.wrong < sent && now() < end;) {
                take_answers(fd, &answers);
                (void)nanosleep(&pause, NULL);
        }
        printf("%lld %lld %lld %.0f\n", (long long)sent, (long long)answers.right,
               (long long)answers.wrong, (double)sent * 1e9 / (double)took);
        return 0;
}

static const struct {
        const char *name;
        int words;
        int (*run)(char **words);
} modes[] = {
        { "serve", 2, run_serve }, { "connect", 4, run_connect }, { "request", 3, run_request },
        { "get", 3, run_get },     { "ask", 4, run_ask },
};

int main(int argc, char **argv) {
        for (size_t i = 0; argc > 1 && i < sizeof(modes) / sizeof(*modes); i++)
                if (strcmp(argv[1], modes[i].name) == 0 && argc - 2 == modes[i].words)
                        return modes[i].run(argv + 2);
        errx(64, "%s", usage);
}
