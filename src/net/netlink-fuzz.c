/* netlink-fuzz.c: bytes as what comes from netlink sockets. The first byte says who reads; then
 * each datagram is two bytes of length and its bytes. */
#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "net/conntrack.h"
#include "os/nfnetlink.h"
#include "os/rtnetlink.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_link(void *data, const RtnlLink *link) {
        *(size_t *)data += strlen(link->name) + strlen(link->alias) + strlen(link->kind);
}

static void read_route(void *data, const RtnlRoute *route) {
        *(size_t *)data +=
                (size_t)route->destination.address.number + route->destination.prefix + route->link;
}

static void read_address(void *data, const RtnlAddress *address) {
        *(size_t *)data += (size_t)address->address.number + address->prefix + address->link;
}

static void try_commit(Rtnl *rtnl, size_t *sum) {
        Error err;

        rtnl_put_up(rtnl, 3);
        rtnl_put_delete(rtnl, "veth0");
        rtnl_put_vlan(rtnl, "eth0.10", "brig", 2, 10);
        rtnl_put_sublink(rtnl, &(RtnlSublink){ .kind = RTNL_IPVLAN, .name = "eth0", .parent = 2 });
        *sum += rtnl_commit(rtnl, &err) == 0;
}

static void try_links(Rtnl *rtnl, size_t *sum) {
        (void)rtnl_each_link(rtnl, read_link, sum, NULL);
}

static void try_routes(Rtnl *rtnl, size_t *sum) {
        (void)rtnl_each_route(rtnl, read_route, sum, NULL);
}

static void try_addresses(Rtnl *rtnl, size_t *sum) {
        (void)rtnl_each_address(rtnl, read_address, sum, NULL);
}

static void try_state(Rtnl *rtnl, size_t *sum) {
        *sum += rtnl_settle(rtnl, 3, 0);
}

static void try_transaction(Nft *nft, size_t *sum) {
        Error err;

        nft_put_table(nft);
        nft_put_delete_table(nft);
        *sum += nft_commit(nft, &err) == 0;
}

static void try_chain(Nft *nft, size_t *sum) {
        bool has = false;
        Error err;

        *sum += nft_has_chain(nft, "c", &has, &err) == 0 && has;
}

static void (*const rtnl_readers[])(Rtnl *rtnl, size_t *sum) = { try_commit, try_links, try_routes,
                                                                 try_addresses, try_state };
static void (*const nft_readers[])(Nft *nft, size_t *sum) = { try_transaction, try_chain };

static bool is_wanted(void *data, const ConntrackFlow *flow) {
        (void)data;
        return flow->protocol == IPPROTO_UDP;
}

/* Takes the descriptor. */
static void read_with(size_t reader, int fd) {
        size_t sum = 0;

        if (reader < ELEMENTS(rtnl_readers)) {
                Rtnl *rtnl = rtnl_adopt(fd);

                rtnl_readers[reader](rtnl, &sum);
                rtnl_close(rtnl);
        } else if (reader < ELEMENTS(rtnl_readers) + ELEMENTS(nft_readers)) {
                Nft *nft = nft_adopt(NFPROTO_INET, "brig", fd);

                nft_readers[reader - ELEMENTS(rtnl_readers)](nft, &sum);
                nft_close(nft);
        } else if (reader % 2 == 0) {
                Nft *nft = nft_adopt(NFPROTO_INET, "brig", -1);

                (void)nft_watch_read(fd, nft);
                nft_close(nft);
                close_fd(&fd);
        } else {
                (void)conntrack_forget_if(fd, is_wanted, NULL, NULL);
                close_fd(&fd);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        int pair[2];

        if (size == 0 ||
            socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
                return 0;
        for (size_t at = 1; at + 2 < size;) {
                size_t length = MIN((size_t)data[at] << 8 | data[at + 1], size - at - 2);

                if (length > 0 && send(pair[0], data + at + 2, length, 0) < 0)
                        break;
                at += 2 + length;
        }
        read_with(data[0] % 9, pair[1]);
        close_fd(&pair[0]);
        return 0;
}
