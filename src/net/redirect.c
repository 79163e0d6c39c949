/* redirect.c: binds ports that the kernel chooses and has nftables rewrite port 53 to them and
 * back. A socket on port 53 itself would keep the container's own DNS server from binding it on all
 * addresses. Rewriting is stateless, so connections are not tracked for its sake. */
#include "net/redirect.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/bug.h"
#include "base/cleanup.h"
#include "net/netns.h"
#include "net/ruleset-terms.h"
#include "net/ruleset.h"
#include "os/nfnetlink.h"

#define DNS_ADDRESS                                                                                \
        { 127, 0, 0, 11 }
#define DNS_PORT                                                                                   \
        { 0, 53 }

/* Before connections are tracked there, and after it back, so that a container that does track them
 * sees one connection. */
static const NftChain chains[] = {
        { "ask", "filter", NF_INET_LOCAL_OUT, -300 },
        { "answer", "filter", NF_INET_LOCAL_OUT, 300 },
};

/* The four rules differ in: the address's and port's offsets, the protocol and its checksum's. */
typedef struct Direction {
        const char *chain;
        uint32_t address_offset, port_offset;
} Direction;

static const Direction directions[] = { { "ask", 16, 2 }, { "answer", 12, 0 } };

static const struct {
        uint8_t protocol;
        uint32_t checksum_offset;
} transports[] = { { IPPROTO_UDP, 6 }, { IPPROTO_TCP, 16 } };

static void put_rule(Nft *nft, size_t direction, size_t transport, uint16_t port) {
        const Direction *way = &directions[direction];
        uint8_t own[2] = { (uint8_t)(port >> 8), (uint8_t)port }, known[2] = DNS_PORT;
        const uint8_t *from = direction == 0 ? known : own, *to = direction == 0 ? own : known;
        NftTerm terms[] = {
                { NFT_TERM_PAYLOAD, .reg = NFT_REG_1, .a = NFT_PAYLOAD_NETWORK_HEADER,
                  .b = way->address_offset, .c = 4 },
                { NFT_TERM_COMPARE, .reg = NFT_REG_1, .a = NFT_CMP_EQ, .data = DNS_ADDRESS,
                  .data_length = 4 },
                { NFT_TERM_META, .reg = NFT_REG_1, .a = NFT_META_L4PROTO },
                { NFT_TERM_COMPARE, .reg = NFT_REG_1, .a = NFT_CMP_EQ,
                  .data = { transports[transport].protocol }, .data_length = 1 },
                { NFT_TERM_PAYLOAD, .reg = NFT_REG_1, .a = NFT_PAYLOAD_TRANSPORT_HEADER,
                  .b = way->port_offset, .c = 2 },
                { NFT_TERM_COMPARE, .reg = NFT_REG_1, .a = NFT_CMP_EQ, .data = { from[0], from[1] },
                  .data_length = 2 },
                { NFT_TERM_VALUE, .reg = NFT_REG_1, .data = { to[0], to[1] }, .data_length = 2 },
                { NFT_TERM_WRITE, .reg = NFT_REG_1, .a = NFT_PAYLOAD_TRANSPORT_HEADER,
                  .b = way->port_offset, .c = 2, .d = transports[transport].checksum_offset },
        };

        nft_put_rule(nft, &(NftRule){ way->chain, terms, ELEMENTS(terms) });
}

/* The bug of CVE-2021-20199: every connection to the container is its own. */
static void put_loopback_source(Nft *nft) {
        static const NftChain chain = { "sources", "nat", NF_INET_LOCAL_IN, 100 };
        static const NftTerm terms[] = { IIF(NFT_REG_1),
                                         NOT_LO(NFT_REG_1),
                                         META(NFT_META_L4PROTO, NFT_REG_1),
                                         EQUALS_BYTE(NFT_REG_1, IPPROTO_TCP),
                                         { NFT_TERM_VALUE, .reg = NFT_REG_1,
                                           .data = { 127, 0, 0, 1 }, .data_length = 4 },
                                         SNAT_TO(NFPROTO_IPV4, NFT_REG_1) };

        nft_put_chain(nft, &chain);
        nft_put_rule(nft, &(NftRule)RULE("sources", terms));
}

static void put_rules(Nft *nft, const uint16_t ports[2]) {
        if (BUG("loopback-sources"))
                put_loopback_source(nft);

        for (size_t i = 0; i < ELEMENTS(chains); i++)
                nft_put_chain(nft, &chains[i]);
        for (size_t direction = 0; direction < ELEMENTS(directions); direction++)
                for (size_t transport = 0; transport < ELEMENTS(transports); transport++)
                        put_rule(nft, direction, transport, ports[transport]);
}

/* A table is deleted only where there is one: a removal costs the kernel a grace period. */
static int put_table(Nft *nft, const uint16_t ports[2], Error *err) {
        int r;

        nft_put_new_table(nft);
        put_rules(nft, ports);
        r = nft_commit(nft, err);
        if (r != -EEXIST)
                return r;
        nft_put_table(nft);
        nft_put_delete_table(nft);
        nft_put_table(nft);
        put_rules(nft, ports);
        return nft_commit(nft, err);
}

/* In the container's namespace. */
static int apply(const uint16_t ports[2], Closer *closer, Error *err) {
        _cleanup_(nft_closep) Nft *nft = NULL;
        int r = nft_open(NFPROTO_IPV4, RULESET_TABLE, &nft, err);

        if (r < 0)
                return r;
        r = put_table(nft, ports, err);
        closer_take(closer, nft_take_fd(nft));
        return r;
}

static int bind_any(int type, int *ret_fd, uint16_t *ret_port, Error *err) {
        _cleanup_close_ int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        struct sockaddr_in name = { .sin_family = AF_INET };
        const uint8_t address[4] = DNS_ADDRESS;
        socklen_t length = sizeof(name);

        memcpy(&name.sin_addr, address, sizeof(address));
        if (fd < 0 || bind(fd, (struct sockaddr *)&name, sizeof(name)) < 0 ||
            getsockname(fd, (struct sockaddr *)&name, &length) < 0 ||
            (type == SOCK_STREAM && listen(fd, 64) < 0))
                return error_set(err, errno, "bind 127.0.0.11");
        *ret_port = ntohs(name.sin_port);
        *ret_fd = TAKE_FD(fd);
        return 0;
}

#define UDP_ROOM (4 << 20) /* questions that wait while the thread has others: bytes */

/* More than net.core.rmem_max allows an unprivileged program. */
static int make_room(int fd, Error *err) {
        const int room = UDP_ROOM;

        return setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) < 0
                       ? error_set(err, errno, "make room for DNS questions")
                       : 0;
}

int redirect_open(int netns_fd, Closer *closer, int *ret_udp, int *ret_tcp, Error *err) {
        _cleanup_netns_ int home = -1;
        _cleanup_close_ int udp = -1, tcp = -1;
        uint16_t ports[2];
        int r = netns_enter(netns_fd, &home, err);

        if (r == 0)
                r = bind_any(SOCK_DGRAM, &udp, &ports[0], err);
        if (r == 0)
                r = make_room(udp, err);
        if (r == 0)
                r = bind_any(SOCK_STREAM, &tcp, &ports[1], err);
        if (r == 0)
                r = apply(ports, closer, err);
        if (r < 0)
                return r;
        *ret_udp = TAKE_FD(udp);
        *ret_tcp = TAKE_FD(tcp);
        return 0;
}
