/* resolver-test.c: asks the resolver from inside network namespaces of this process's own. The
 * upstream server is a socket of the test's. */
#include <arpa/inet.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/id.h"
#include "base/test.h"
#include "net/dns.h"
#include "net/netns.h"
#include "net/resolver.h"
#include "net/test-namespace.h"

#define WAIT_MS 2000 /* for an answer that should come */
#define TEXT(text) ((char[]){ text })
#define WEB "aaaaaaaaaaaa0000000000000000000000000000000000000000000000000000"
#define DB "bbbbbbbbbbbb0000000000000000000000000000000000000000000000000000"
#define SPY "cccccccccccc0000000000000000000000000000000000000000000000000000"

static char *web_aliases[] = { TEXT("www"), TEXT("shared"), NULL };
static Pair web_links[] = { { TEXT("storage"), TEXT("db") } };
static char *db_aliases[] = { TEXT("shared"), NULL };
static NetworkConfig front = { .id = TEXT("1"), .name = TEXT("front"), .resolver = true };
static NetworkConfig inner = {
        .id = TEXT("2"), .name = TEXT("inner"), .resolver = true, .internal = true
};
static Endpoint web = { .container_id = TEXT(WEB),
                        .container_name = TEXT("web"),
                        .aliases = web_aliases,
                        .links = { web_links, 1 } };
static Endpoint db = { .container_id = TEXT(DB),
                       .container_name = TEXT("db"),
                       .aliases = db_aliases };
static Endpoint spy = { .container_id = TEXT(SPY), .container_name = TEXT("spy") };

typedef struct Scene {
        Resolver *resolver;
        int web_netns, spy_netns;
        int upstream_udp, upstream_tcp; /* 127.0.0.1:53 of the host's side */
} Scene;

static int bind_upstream(int type) {
        struct sockaddr_in name = { .sin_family = AF_INET,
                                    .sin_port = htons(53),
                                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0), on = 1;

        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        if (bind(fd, (struct sockaddr *)&name, sizeof(name)) < 0 ||
            (type == SOCK_STREAM && listen(fd, 8) < 0))
                close_fd(&fd);
        return fd;
}

static void add(Resolver *resolver, const NetworkConfig *network, const Endpoint *endpoint,
                const char *ipv4, const char *ipv6) {
        IpAddress addresses[NAMES_ADDRESSES] = { 0 };

        (void)ip_parse(ipv4, &addresses[0]);
        (void)ip_parse(ipv6, &addresses[1]); /* NULL: none */
        resolver_add(resolver, network, endpoint, addresses);
}

static int scene_new(Scene *scene, Error *err) {
        char *upstream[] = { TEXT("127.0.0.1"), NULL };
        int r;

        *scene = (Scene){ .web_netns = -1, .spy_netns = -1 };
        scene->upstream_udp = bind_upstream(SOCK_DGRAM);
        scene->upstream_tcp = bind_upstream(SOCK_STREAM);
        r = resolver_new(&scene->resolver, err);
        if (r == 0)
                r = netns_new(&scene->web_netns, err);
        if (r == 0)
                r = netns_new(&scene->spy_netns, err);
        if (r == 0)
                r = resolver_open(scene->resolver, WEB, scene->web_netns, upstream, false, err);
        if (r == 0)
                r = resolver_open(scene->resolver, SPY, scene->spy_netns, upstream, false, err);
        if (r < 0)
                return r;
        add(scene->resolver, &front, &web, "172.28.0.2", "fd00:28::2");
        add(scene->resolver, &front, &db, "172.28.0.3", NULL);
        add(scene->resolver, &inner, &spy, "172.30.0.2", NULL);
        return 0;
}

static void scene_done(Scene *scene) {
        resolver_free(scene->resolver);
        close_fd(&scene->web_netns);
        close_fd(&scene->spy_netns);
        close_fd(&scene->upstream_udp);
        close_fd(&scene->upstream_tcp);
}

/* ---- a client ---- */

static void make_query(Buf *query, const char *name, uint16_t type) {
        _cleanup_strv_ char **labels = str_split(name, '.');
        uint8_t header[DNS_HEADER] = { 0x12, 0x34, 1, 0, 0, 1 };
        uint8_t tail[5] = { 0, (uint8_t)(type >> 8), (uint8_t)type, 0, DNS_CLASS_IN };

        buf_add(query, header, sizeof(header));
        for (size_t i = 0; labels && labels[i]; i++) {
                buf_add_char(query, (char)strlen(labels[i]));
                buf_add_str(query, labels[i]);
        }
        buf_add(query, tail, sizeof(tail));
}

static int client_socket(int netns, int type) {
        _cleanup_netns_ int home = -1;

        return netns_enter(netns, &home, NULL) < 0 ? -1 : socket(AF_INET, type | SOCK_CLOEXEC, 0);
}

static int connect_client(int fd) {
        struct sockaddr_in server = { .sin_family = AF_INET,
                                      .sin_port = htons(53),
                                      .sin_addr.s_addr = inet_addr("127.0.0.11") };

        return connect(fd, (struct sockaddr *)&server, sizeof(server));
}

static int client(int netns, int type) {
        int fd = client_socket(netns, type);

        if (connect_client(fd) < 0)
                close_fd(&fd);
        return fd;
}

static bool readable(int fd) {
        struct pollfd item = { .fd = fd, .events = POLLIN };

        return poll(&item, 1, WAIT_MS) == 1;
}

typedef struct Reply {
        uint8_t data[DNS_UDP_MAX];
        ssize_t length;
} Reply;

/* Asks over UDP; answers as upstream with one address if upstream is asked. */
static bool ask(const Scene *scene, int netns, const char *name, uint16_t type, Reply *reply) {
        _cleanup_buf_ Buf query = { 0 };
        _cleanup_close_ int fd = client(netns, SOCK_DGRAM);
        struct pollfd items[2] = { { .fd = fd, .events = POLLIN },
                                   { .fd = scene->upstream_udp, .events = POLLIN } };

        make_query(&query, name, type);
        if (send(fd, query.data, query.length, 0) < 0)
                return false;
        while (poll(items, 2, WAIT_MS) > 0) {
                _cleanup_buf_ Buf answer = { 0 };
                struct sockaddr_in peer;
                socklen_t size = sizeof(peer);
                DnsQuery parsed;
                ssize_t length;

                if (items[0].revents) {
                        reply->length = recv(fd, reply->data, sizeof(reply->data), 0);
                        return reply->length >= DNS_HEADER;
                }
                length = recvfrom(scene->upstream_udp, reply->data, sizeof(reply->data), 0,
                                  (struct sockaddr *)&peer, &size);
                if (length < 0 || dns_query_parse(reply->data, (size_t)length, &parsed) != 0)
                        return false;
                dns_reply_start(&answer, reply->data, &parsed, DNS_NOERROR);
                (void)dns_reply_address(&answer, (IpAddress){ 0x08080808, AF_INET }, DNS_UDP_SIZE);
                (void)sendto(scene->upstream_udp, answer.data, answer.length, 0,
                             (struct sockaddr *)&peer, size);
        }
        return false;
}

static int answers_in(const Reply *reply) {
        return reply->data[6] << 8 | reply->data[7];
}

/* The last four bytes are those of the last answer's address. */
static uint32_t last_address(const Reply *reply) {
        uint32_t address;

        memcpy(&address, reply->data + reply->length - 4, 4);
        return ntohl(address);
}

/* ---- tests ---- */

TEST(names) {
        static const struct {
                const char *name;
                uint32_t address;
        } rows[] = {
                { "web", 0xac1c0002 },          { "WEB", 0xac1c0002 },
                { "www", 0xac1c0002 },          { "Storage", 0xac1c0003 }, /* its own link */
                { "aaaaaaaaaaaa", 0xac1c0002 }, { "db", 0xac1c0003 },
                { "db.front", 0xac1c0003 },     { "bbbbbbbbbbbb.front", 0xac1c0003 },
        };
        _cleanup_(scene_done) Scene scene;
        Error err = { 0 };
        Reply reply;

        ASSERT_OK(scene_new(&scene, &err), &err);
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                ASSERT(ask(&scene, scene.web_netns, rows[i].name, DNS_TYPE_A, &reply));
                ASSERT_INT(dns_rcode(reply.data), DNS_NOERROR);
                ASSERT_INT(answers_in(&reply), 1);
                ASSERT_INT(last_address(&reply), rows[i].address);
                ASSERT_INT(dns_id(reply.data), 0x1234);
        }
}

TEST(shared_alias_is_shuffled) {
        _cleanup_(scene_done) Scene scene;
        Error err = { 0 };
        bool seen[2] = { false };

        ASSERT_OK(scene_new(&scene, &err), &err);
        for (int i = 0; i < 64 && !(seen[0] && seen[1]); i++) {
                Reply reply;

                ASSERT(ask(&scene, scene.web_netns, "shared", DNS_TYPE_A, &reply));
                ASSERT_INT(answers_in(&reply), 2);
                seen[last_address(&reply) & 1] = true;
        }
        ASSERT(seen[0] && seen[1]);
}

TEST(other_types) {
        _cleanup_(scene_done) Scene scene;
        Error err = { 0 };
        Reply reply;

        ASSERT_OK(scene_new(&scene, &err), &err);
        ASSERT(ask(&scene, scene.web_netns, "db", DNS_TYPE_AAAA, &reply));
        ASSERT_INT(dns_rcode(reply.data), DNS_NOERROR);
        ASSERT_INT(answers_in(&reply), 0);
        ASSERT(ask(&scene, scene.web_netns, "3.0.28.172.in-addr.arpa", DNS_TYPE_PTR, &reply));
        ASSERT_INT(answers_in(&reply), 1);
        ASSERT(memcmp(reply.data + reply.length - 10, "\2db\5front", 9) == 0);
}

TEST(ipv6) {
        static const uint8_t address[] = { 0xfd, 0, 0, 0x28, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2 };
        _cleanup_(scene_done) Scene scene;
        Error err = { 0 };
        Reply reply;

        ASSERT_OK(scene_new(&scene, &err), &err);
        ASSERT(ask(&scene, scene.web_netns, "web", DNS_TYPE_AAAA, &reply));
        ASSERT_INT(answers_in(&reply), 1);
        ASSERT(memcmp(reply.data + reply.length - sizeof(address), address, sizeof(address)) == 0);
        ASSERT(ask(&scene, scene.web_netns, "shared", DNS_TYPE_AAAA, &reply));
        ASSERT_INT(answers_in(&reply), 1); /* of the two that are called so, one has IPv6 */
        ASSERT(ask(&scene, scene.web_netns,
                   "2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.2.0.0.0.0.d.f.ip6.arpa",
                   DNS_TYPE_PTR, &reply));
        ASSERT_INT(answers_in(&reply), 1);
        ASSERT(memcmp(reply.data + reply.length - 11, "\3web\5front", 10) == 0);
}

TEST(forwarded) {
        _cleanup_(scene_done) Scene scene;
        Error err = { 0 };
        Reply reply;

        ASSERT_OK(scene_new(&scene, &err), &err);
        ASSERT(ask(&scene, scene.web_netns, "example.org", DNS_TYPE_A, &reply));
        ASSERT_INT(answers_in(&reply), 1);
        ASSERT_INT(last_address(&reply), 0x08080808);
        ASSERT_INT(dns_id(reply.data), 0x1234);
        resolver_drop(scene.resolver, "1", DB);
        ASSERT(ask(&scene, scene.web_netns, "db", DNS_TYPE_A, &reply));
        ASSERT_INT(last_address(&reply), 0x08080808);
}

/* CVE-2024-29018: a question is a way out for data. */
TEST(internal_is_not_forwarded) {
        _cleanup_(scene_done) Scene scene;
        Error err = { 0 };
        Reply reply;

        ASSERT_OK(scene_new(&scene, &err), &err);
        ASSERT(ask(&scene, scene.spy_netns, "example.org", DNS_TYPE_A, &reply));
        ASSERT_INT(dns_rcode(reply.data), DNS_NXDOMAIN);
        ASSERT(ask(&scene, scene.spy_netns, "web", DNS_TYPE_A, &reply));
        ASSERT_INT(dns_rcode(reply.data), DNS_NXDOMAIN);
        ASSERT(ask(&scene, scene.spy_netns, "spy", DNS_TYPE_A, &reply));
        ASSERT_INT(answers_in(&reply), 1);
}

static bool ask_stream(int fd, const char *name, Reply *reply) {
        _cleanup_buf_ Buf query = { 0 };
        uint8_t size[2] = { 0 };

        make_query(&query, name, DNS_TYPE_A);
        size[1] = (uint8_t)query.length;
        if (send(fd, size, 2, MSG_NOSIGNAL) != 2 ||
            send(fd, query.data, query.length, MSG_NOSIGNAL) != (ssize_t)query.length ||
            !readable(fd) || fd_read_full(fd, size, 2) != 2)
                return false;
        reply->length = fd_read_full(fd, reply->data, dns_id(size));
        return reply->length >= DNS_HEADER;
}

TEST(over_tcp) {
        _cleanup_(scene_done) Scene scene;
        _cleanup_close_ int fd = -1;
        Error err = { 0 };
        Reply reply;

        ASSERT_OK(scene_new(&scene, &err), &err);
        fd = client(scene.web_netns, SOCK_STREAM);
        ASSERT(fd >= 0);
        for (int i = 0; i < 3; i++) {
                ASSERT(ask_stream(fd, "db", &reply));
                ASSERT_INT(last_address(&reply), 0xac1c0003);
        }
}

/* Upstream is asked over TCP too, where the client asks so. */
static int64_t processor_time(void) {
        struct timespec time;

        (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
        return time.tv_sec * NSEC_PER_SEC + time.tv_nsec;
}

/* A connection for which there is no descriptor waits until there is one, and the thread does not
 * turn meanwhile. */
TEST(no_descriptor_for_a_connection) {
        _cleanup_(scene_done) Scene scene;
        _cleanup_close_ int fd = -1;
        struct rlimit old, none;
        struct pollfd item;
        int64_t before;
        Error err = { 0 };
        Reply reply;
        int r;

        ASSERT_OK(scene_new(&scene, &err), &err);
        ASSERT(ask(&scene, scene.web_netns, "web", DNS_TYPE_A, &reply)); /* it is attached */
        ASSERT_INT(getrlimit(RLIMIT_NOFILE, &old), 0);
        none = (struct rlimit){ .rlim_cur = 3, .rlim_max = old.rlim_max };
        fd = client_socket(scene.web_netns, SOCK_STREAM);
        item = (struct pollfd){ .fd = fd, .events = POLLIN };
        ASSERT_INT(setrlimit(RLIMIT_NOFILE, &none), 0);
        r = connect_client(fd);
        before = processor_time();
        (void)poll(&item, 1, 400); /* how long it is watched */
        before = processor_time() - before;
        ASSERT_INT(setrlimit(RLIMIT_NOFILE, &old), 0);
        ASSERT_INT(r, 0);
        ASSERT(before < 60 * NSEC_PER_MSEC);
        ASSERT(ask_stream(fd, "db", &reply));
        ASSERT_INT(answers_in(&reply), 1);
}

/* False where the connection was closed at once. */
static bool is_served(int fd) {
        Reply reply;

        return fd >= 0 && ask_stream(fd, "db", &reply);
}

#define CROWD 33

/* One container has 32 connections, all together 1024. */
TEST(connections_are_bounded) {
        _cleanup_(scene_done) Scene scene;
        static int fds[CROWD * 32];
        int netns[CROWD];
        size_t served = 0;
        struct rlimit old, all;
        Error err = { 0 };

        ASSERT_INT(getrlimit(RLIMIT_NOFILE, &old), 0);
        all = (struct rlimit){ old.rlim_max, old.rlim_max };
        ASSERT_INT(setrlimit(RLIMIT_NOFILE, &all), 0);
        if (old.rlim_max < 4096)
                return; /* it would be another bound */
        ASSERT_OK(scene_new(&scene, &err), &err);
        for (size_t i = 0; i < CROWD; i++) {
                char id[ID_LENGTH + 1];
                Endpoint one = { .container_id = id };

                id_new(id);
                ASSERT_OK(netns_new(&netns[i], &err), &err);
                resolver_add(scene.resolver, &front, &one, (IpAddress[NAMES_ADDRESSES]){});
                ASSERT_OK(resolver_open(scene.resolver, id, netns[i], NULL, false, &err), &err);
                for (size_t n = 0; n < 32; n++)
                        served += is_served(fds[i * 32 + n] = client(netns[i], SOCK_STREAM));
                if (i == 0) {
                        _cleanup_close_ int more = client(netns[i], SOCK_STREAM);

                        ASSERT(!is_served(more));
                }
        }
        ASSERT_INT(served, 1024);
        for (size_t i = 0; i < ELEMENTS(fds); i++)
                close_fd(&fds[i]);
        for (size_t i = 0; i < CROWD; i++)
                close_fd(&netns[i]);
        ASSERT_INT(setrlimit(RLIMIT_NOFILE, &old), 0);
}

TEST(forwarded_over_tcp) {
        _cleanup_(scene_done) Scene scene;
        _cleanup_close_ int fd = -1, peer = -1;
        _cleanup_buf_ Buf query = { 0 }, answer = { 0 };
        Error err = { 0 };
        uint8_t size[2] = { 0 }, question[DNS_UDP_SIZE];
        DnsQuery parsed;
        Reply reply;

        ASSERT_OK(scene_new(&scene, &err), &err);
        fd = client(scene.web_netns, SOCK_STREAM);
        make_query(&query, "example.org", DNS_TYPE_A);
        size[1] = (uint8_t)query.length;
        ASSERT(send(fd, size, 2, 0) == 2);
        ASSERT(send(fd, query.data, query.length, 0) == (ssize_t)query.length);
        ASSERT(readable(scene.upstream_tcp));
        /* cppcheck-suppress nullPointer ; the address may be NULL: accept(2) */
        peer = accept4(scene.upstream_tcp, NULL, NULL, SOCK_CLOEXEC);
        ASSERT(readable(peer) && fd_read_full(peer, size, 2) == 2);
        ASSERT(fd_read_full(peer, question, dns_id(size)) == (ssize_t)query.length);
        ASSERT_INT(dns_query_parse(question, query.length, &parsed), 0);
        dns_reply_start(&answer, question, &parsed, DNS_NOERROR);
        (void)dns_reply_address(&answer, (IpAddress){ 0x09090909, AF_INET }, DNS_UDP_SIZE);
        dns_set_id(size, (uint16_t)answer.length);
        ASSERT(send(peer, size, 2, 0) == 2 && send(peer, answer.data, answer.length, 0) > 0);
        ASSERT(readable(fd) && fd_read_full(fd, size, 2) == 2);
        reply.length = fd_read_full(fd, reply.data, dns_id(size));
        ASSERT_INT(last_address(&reply), 0x09090909);
        ASSERT_INT(dns_id(reply.data), 0x1234);
}

/* ---- the host's servers ---- */

static void write_host_file(const char *text) {
        int fd = open("/etc/resolv.conf", O_WRONLY | O_TRUNC | O_CLOEXEC);

        if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
                abort();
        close_fd(&fd);
}

/* A file of the test's own in the place of the host's, in a mount namespace of the test's own. */
static bool replace_host_file(void) {
        char path[] = "/tmp/brig-resolv-XXXXXX";
        int fd = mkostemp(path, O_CLOEXEC);
        bool done = fd >= 0 && unshare(CLONE_NEWNS) == 0 &&
                    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
                    mount(path, "/etc/resolv.conf", NULL, MS_BIND, NULL) == 0;

        close_fd(&fd);
        (void)unlink(path);
        return done;
}

/* A container that runs while its host moves to another network asks the new servers. */
TEST(the_host_changes_its_servers) {
        const int64_t end = clock_monotonic() + 20 * NSEC_PER_SEC;
        Error err = { 0 };
        Reply reply;

        ASSERT(replace_host_file());
        _cleanup_(scene_done) Scene scene;
        write_host_file("nameserver 127.0.0.9\n"); /* nobody */
        ASSERT_OK(scene_new(&scene, &err), &err);
        ASSERT_OK(resolver_open(scene.resolver, WEB, scene.web_netns, NULL, false, &err), &err);
        ASSERT(ask(&scene, scene.web_netns, "example.org", DNS_TYPE_A, &reply));
        ASSERT_INT(dns_rcode(reply.data), DNS_SERVFAIL);
        write_host_file("nameserver no-address\nnameserver 127.0.0.1\n");
        do
                ASSERT(ask(&scene, scene.web_netns, "example.org", DNS_TYPE_A, &reply));
        while (dns_rcode(reply.data) != DNS_NOERROR && clock_monotonic() < end);
        ASSERT_INT(last_address(&reply), 0x08080808);
}

/* More at once than the socket's usual room holds, while the thread has no turn. */
TEST(a_burst_is_not_dropped) {
        enum { COUNT = 3000 };
        _cleanup_(scene_done) Scene scene;
        _cleanup_buf_ Buf query = { 0 };
        _cleanup_close_ int fd = -1;
        const int room = 8 << 20;
        Error err = { 0 };
        uint8_t answer[DNS_UDP_SIZE];
        int answers = 0;

        ASSERT_OK(scene_new(&scene, &err), &err);
        fd = client(scene.web_netns, SOCK_DGRAM);
        ASSERT_INT(setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)), 0);
        make_query(&query, "web", DNS_TYPE_A);
        for (int i = 0; i < COUNT; i++)
                ASSERT(send(fd, query.data, query.length, 0) == (ssize_t)query.length);
        while (answers < COUNT && readable(fd) && recv(fd, answer, sizeof(answer), 0) > 0)
                answers++;
        ASSERT_INT(answers, COUNT);
}

/* The container's own server may have port 53. */
TEST(port_53_stays_free) {
        _cleanup_(scene_done) Scene scene;
        struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(53) };
        _cleanup_close_ int udp = -1, tcp = -1;
        Error err = { 0 };
        Reply reply;
        int home = -1;

        ASSERT_OK(scene_new(&scene, &err), &err);
        ASSERT_OK(netns_enter(scene.web_netns, &home, &err), &err);
        udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        netns_return(&home);
        ASSERT_INT(bind(udp, (struct sockaddr *)&any, sizeof(any)), 0);
        ASSERT_INT(bind(tcp, (struct sockaddr *)&any, sizeof(any)), 0);
        ASSERT_INT(listen(tcp, 1), 0);
        ASSERT(ask(&scene, scene.web_netns, "db", DNS_TYPE_A, &reply));
        ASSERT_INT(last_address(&reply), 0xac1c0003);
}

TEST(attached_again) {
        char *upstream[] = { TEXT("127.0.0.1"), NULL };
        _cleanup_(scene_done) Scene scene;
        Error err = { 0 };
        Reply reply;

        ASSERT_OK(scene_new(&scene, &err), &err);
        ASSERT_OK(resolver_open(scene.resolver, WEB, scene.web_netns, upstream, true, &err), &err);
        ASSERT(ask(&scene, scene.web_netns, "db", DNS_TYPE_A, &reply));
        ASSERT_INT(last_address(&reply), 0xac1c0003);
        resolver_close(scene.resolver, WEB);
        upstream[0] = TEXT("nonsense");
        ASSERT(resolver_open(scene.resolver, WEB, scene.web_netns, upstream, true, &err) < 0);
        ASSERT_INT(err.kind, ERROR_INVALID);
}

TEST_MAIN()
