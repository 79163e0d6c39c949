/* guest-network.c: what the guest tries of networks. See guest.c. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/if_ether.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netpacket/packet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "drill/guest.h"

/* ---- the host, and other containers ---- */

static int file_number(const char *path) {
        char text[32] = "";
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

        if (fd >= 0)
                (void)close(fd);
        return length > 0 ? (int)strtol(text, NULL, 10) : -1;
}

int try_advertisements(void) {
        int accepts = file_number("/proc/sys/net/ipv6/conf/eth0/accept_ra");

        if (access("/proc/sys/net/ipv4/conf/eth0", F_OK) < 0)
                return 2;
        if (accepts > 0)
                (void)printf("eth0 takes a stranger's router advertisements (accept_ra %d)\n",
                             accepts);
        return 0;
}

/* The address of the host, as a route of the container's: proc(5), /proc/net/route. */
static int find_gateway(struct in_addr *ret) {
        char line[512];
        FILE *file = fopen("/proc/net/route", "re");
        unsigned target, gateway;
        int found = 0;

        while (file && !found && fgets(line, sizeof(line), file))
                found = sscanf(line, "%*s %x %x", &target, &gateway) == 2 && target == 0;
        if (file)
                (void)fclose(file);
        if (found)
                ret->s_addr = gateway;
        return found;
}

/* Whether an engine answers there, to whoever asks. */
static int has_engine(struct in_addr address, in_port_t port) {
        static const char request[] = "GET /_ping HTTP/1.0\r\n\r\n";
        struct sockaddr_in peer = { .sin_family = AF_INET,
                                    .sin_port = htons(port),
                                    .sin_addr = address };
        struct timeval second = { .tv_sec = 1 };
        char answer[1024] = "";
        ssize_t length = -1;
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (fd < 0)
                return 0;
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &second, sizeof(second));
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof(second));
        if (connect(fd, (struct sockaddr *)&peer, sizeof(peer)) == 0 &&
            send(fd, request, strlen(request), MSG_NOSIGNAL) > 0)
                length = recv(fd, answer, sizeof(answer) - 1, MSG_WAITALL);
        (void)close(fd);
        return length > 0 && strcasestr(answer, "\napi-version:") != NULL;
}

/* A closed port that answers is as much an answer as an open one. */
static int is_reached(const char *text) {
        struct sockaddr_in peer = { .sin_family = AF_INET, .sin_port = htons(7777) };
        struct timeval patience = { .tv_usec = 700000 };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), reached;

        if (fd < 0 || inet_pton(AF_INET, text, &peer.sin_addr) != 1)
                return -1;
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
        reached = connect(fd, (struct sockaddr *)&peer, sizeof(peer)) == 0 || errno == ECONNREFUSED;
        (void)close(fd);
        return reached;
}

/* What PEER1 and PEER2 say, addresses. */
int try_peers(void) {
        static const char *const names[] = { "PEER1", "PEER2" };
        int tried = 0;

        for (size_t i = 0; i < COUNT(names); i++) {
                const char *address = getenv(names[i]);
                int reached = address ? is_reached(address) : 0;

                tried += address && reached >= 0;
                if (reached > 0)
                        (void)printf("a container is reached: %s, %s\n", names[i], address);
        }
        return tried > 0 ? 0 : 2;
}

/* Docker's ports, without TLS and with, and Podman's. */
int try_ports(void) {
        static const in_port_t ports[] = { 2375, 2376, 2377, 4243, 8080, 8888 };
        struct in_addr gateway;

        if (!find_gateway(&gateway))
                return 2;
        for (size_t i = 0; i < COUNT(ports); i++)
                if (has_engine(gateway, ports[i]))
                        (void)printf("the engine's API answers a container at port %d\n",
                                     (int)ports[i]);
        return 0;
}

/* ---- names: RFC 1035 ---- */

#define DNS_HEADER 12
#define DNS_MAX 512
#define LAST "last.brig-drill.test"

/* What the message's question asks for, as text; returns where the question ends, 0: it has none.
 */
static size_t read_question(const unsigned char *message, size_t length, char name[256]) {
        size_t at = DNS_HEADER, used = 0;

        while (at < length && message[at] > 0 && message[at] < 64) {
                size_t label = message[at];

                if (at + 1 + label >= length || used + label + 1 >= 255)
                        return 0;
                if (used > 0)
                        name[used++] = '.';
                memcpy(name + used, message + at + 1, label);
                used += label;
                at += 1 + label;
        }
        name[used] = '\0';
        return at + 5 <= length && message[at] == 0 ? at + 5 : 0;
}

/* Of type A and class IN. */
static size_t write_question(unsigned char message[DNS_MAX], const char *name) {
        static const unsigned char header[DNS_HEADER] = { 'b', 'd', 1, 0, 0, 1 };
        static const unsigned char kind[] = { 0, 0, 1, 0, 1 };
        size_t at = DNS_HEADER;

        memcpy(message, header, sizeof(header));
        while (*name) {
                size_t label = strcspn(name, ".");

                message[at++] = (unsigned char)label;
                memcpy(message + at, name, label);
                at += label;
                name += label + (name[label] == '.');
        }
        memcpy(message + at, kind, sizeof(kind));
        return at + sizeof(kind);
}

static int open_names(const char *address, int seconds, struct sockaddr_in *ret) {
        const struct timeval patience = { .tv_sec = seconds };
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        *ret = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(53) };
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        return inet_pton(AF_INET, address, &ret->sin_addr) == 1 ? fd : -1;
}

/* Asks the engine for the address of what QUESTION says. */
int ask_name(void) {
        const char *name = getenv("QUESTION");
        unsigned char message[DNS_MAX];
        struct sockaddr_in server;
        int fd = open_names("127.0.0.11", 10, &server);
        size_t length;
        ssize_t got;

        if (fd < 0 || !name || strlen(name) > 200)
                return 2;
        length = write_question(message, name);
        if (connect(fd, (struct sockaddr *)&server, sizeof(server)) < 0 ||
            send(fd, message, length, 0) < 0)
                return 2;
        got = recv(fd, message, sizeof(message), 0);
        (void)close(fd);
        if (got < DNS_HEADER)
                return 2;
        if ((message[3] & 15) == 0 && message[7] > 0)
                (void)printf("%s is answered\n", name);
        return 0;
}

/* Answers every question with 192.0.2.1 and says what it was, until LAST is asked for. */
int serve_names(void) {
        static const unsigned char answer[] = { 0xc0, DNS_HEADER, 0, 1, 0,   1, 0, 0,
                                                0,    1,          0, 4, 192, 0, 2, 1 };
        unsigned char message[DNS_MAX + sizeof(answer)];
        char name[256] = "";
        struct sockaddr_in own, client;
        int fd = open_names("0.0.0.0", 120, &own);

        if (fd < 0 || bind(fd, (struct sockaddr *)&own, sizeof(own)) < 0)
                return 2;
        while (strcmp(name, LAST) != 0) {
                socklen_t size = sizeof(client);
                ssize_t got = recvfrom(fd, message, DNS_MAX, 0, (struct sockaddr *)&client, &size);
                size_t end = got < DNS_HEADER ? 0 : read_question(message, (size_t)got, name);

                if (got < 0)
                        return 2;
                if (end == 0)
                        continue;
                (void)printf("asked for %s\n", name);
                message[2] = 0x85; /* an answer, with authority */
                message[3] = 0x80;
                memset(message + 6, 0, 6);
                message[7] = 1;
                memcpy(message + end, answer, sizeof(answer));
                (void)sendto(fd, message, end + sizeof(answer), 0, (struct sockaddr *)&client,
                             size);
        }
        (void)close(fd);
        return 0;
}

/* ---- published ports ---- */

/* Where the first connection to port 7777 comes from. */
int look_at_source(void) {
        const struct timeval patience = { .tv_sec = 30 };
        struct sockaddr_in own = { .sin_family = AF_INET, .sin_port = htons(7777) }, peer = {};
        socklen_t size = sizeof(peer);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), client;

        (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        if (fd < 0 || bind(fd, (struct sockaddr *)&own, sizeof(own)) < 0 || listen(fd, 8) < 0)
                return 2;
        client = accept(fd, (struct sockaddr *)&peer, &size);
        if (client < 0)
                return 2;
        if (ntohl(peer.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET)
                (void)printf("what comes through a published port comes from %s\n",
                             inet_ntoa(peer.sin_addr));
        (void)close(client);
        (void)close(fd);
        return 0;
}

/* ---- addresses that are another's: RFC 826 ---- */

#define CLAIM_MS 2000 /* Linux takes no other answer within a second: arp(7), locktime */
#define PAUSE_MS 20

typedef struct Claim {
        int fd;
        unsigned char own[ETH_ALEN];
        struct in_addr address;
} Claim;

/* "ADDRESS is at my hardware address", to everybody. */
static int send_claim(const Claim *claim) {
        struct {
                struct ether_header ethernet;
                struct ether_arp arp;
        } __attribute__((packed)) frame = { 0 };

        memset(frame.ethernet.ether_dhost, 0xff, ETH_ALEN);
        memcpy(frame.ethernet.ether_shost, claim->own, ETH_ALEN);
        frame.ethernet.ether_type = htons(ETHERTYPE_ARP);
        frame.arp.ea_hdr.ar_hrd = htons(ARPHRD_ETHER);
        frame.arp.ea_hdr.ar_pro = htons(ETHERTYPE_IP);
        frame.arp.ea_hdr.ar_hln = ETH_ALEN;
        frame.arp.ea_hdr.ar_pln = sizeof(claim->address);
        frame.arp.ea_hdr.ar_op = htons(ARPOP_REPLY);
        memcpy(frame.arp.arp_sha, claim->own, ETH_ALEN);
        memcpy(frame.arp.arp_spa, &claim->address, sizeof(claim->address));
        memcpy(frame.arp.arp_tha, claim->own, ETH_ALEN);
        memcpy(frame.arp.arp_tpa, &claim->address, sizeof(claim->address));
        return send(claim->fd, &frame, sizeof(frame), 0) == sizeof(frame);
}

/* A packet for the address that has come here. */
static int receive_claimed(const Claim *claim) {
        unsigned char frame[2048];
        ssize_t length = recv(claim->fd, frame, sizeof(frame), MSG_DONTWAIT);
        const struct ether_header *ethernet = (const void *)frame;
        struct iphdr ip;

        if (length < (ssize_t)(sizeof(*ethernet) + sizeof(ip)) ||
            ethernet->ether_type != htons(ETHERTYPE_IP) ||
            memcmp(ethernet->ether_dhost, claim->own, ETH_ALEN) != 0)
                return 0;
        memcpy(&ip, frame + sizeof(*ethernet), sizeof(ip));
        return ip.daddr == claim->address.s_addr;
}

static int open_claim(Claim *ret) {
        const char *address = getenv("CLAIM");
        struct ifreq request = { .ifr_name = "eth0" };
        struct sockaddr_ll link = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };

        if (!address || inet_pton(AF_INET, address, &ret->address) != 1)
                return 0;
        ret->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
        if (ret->fd < 0 || ioctl(ret->fd, SIOCGIFHWADDR, &request) < 0)
                return 0;
        memcpy(ret->own, request.ifr_hwaddr.sa_data, ETH_ALEN);
        link.sll_ifindex = (int)if_nametoindex("eth0");
        return bind(ret->fd, (struct sockaddr *)&link, sizeof(link)) == 0;
}

static long long now_ms(void) {
        struct timespec now;

        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Claims the address that CLAIM says, and looks whether its packets come. */
int claim_address(void) {
        long long end = now_ms() + CLAIM_MS;
        Claim claim;

        if (!open_claim(&claim))
                return 2;
        while (now_ms() < end) {
                struct pollfd poll_fd = { .fd = claim.fd, .events = POLLIN };

                if (!send_claim(&claim))
                        return 2;
                for (long long pause = now_ms() + PAUSE_MS; now_ms() < pause;)
                        if (poll(&poll_fd, 1, PAUSE_MS) > 0 && receive_claimed(&claim)) {
                                (void)printf("who claims a neighbour's address gets its packets\n");
                                return 0;
                        }
        }
        (void)close(claim.fd);
        return 0;
}

/* Packets to PEER1 for as long as the container is wanted. */
int send_forever(void) {
        const struct timespec pause = { .tv_nsec = PAUSE_MS * 1000000L };
        struct sockaddr_in peer = { .sin_family = AF_INET, .sin_port = htons(7777) };
        const char *address = getenv("PEER1");
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        if (fd < 0 || !address || inet_pton(AF_INET, address, &peer.sin_addr) != 1)
                return 2;
        for (;;) {
                /* What was not taken is no end: there will be more. */
                (void)sendto(fd, "drill", 5, 0, (struct sockaddr *)&peer, sizeof(peer));
                (void)nanosleep(&pause, NULL);
        }
}
