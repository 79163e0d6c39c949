/* nfnetlink-watch.c: notices of what others do to a table. Transactions are nfnetlink.c's. */
#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/filter.h>
#include <linux/netfilter/nfnetlink.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/str.h"
#include "os/nfnetlink-private.h"
#include "os/nlmsg.h"

/* The notices of a transaction come in datagrams of their own, each with its sender's address in
 * the first header. */
static int pass_over_own(int fd, uint32_t port) {
        struct sock_filter code[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_pid)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(port), 0, 1),
                BPF_STMT(BPF_RET | BPF_K, 0),
                BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
        };
        const struct sock_fprog program = { ELEMENTS(code), code };

        return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ? -errno
                                                                                           : 0;
}

int nft_watch_open(const Nft *own, int *ret_fd, Error *err) {
        _cleanup_close_ int fd = -1;
        const int group = NFNLGRP_NFTABLES;
        int r = nft_socket(SOCK_NONBLOCK, &fd, err);

        if (r < 0)
                return r;
        r = pass_over_own(fd, nft_port(own));
        if (r == 0 &&
            setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
                r = -errno;
        if (r < 0)
                return error_set(err, -r, "watch nftables");
        *ret_fd = TAKE_FD(fd);
        return 0;
}

static int note_table(const struct nlattr *attribute, void *data) {
        /* Attribute 1 of every message about a table's content is the table's name. */
        if (mnl_attr_get_type(attribute) == NFTA_TABLE_NAME &&
            mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) >= 0)
                *(const char **)data = mnl_attr_get_str(attribute);
        return MNL_CB_OK;
}

static bool concerns(const struct nlmsghdr *header, const Nft *own) {
        const char *table = NULL;

        if (header->nlmsg_pid == nft_port(own) || header->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES ||
            (header->nlmsg_type & 0xff) == NFT_MSG_NEWGEN ||
            mnl_nlmsg_get_payload_len(header) < sizeof(struct nfgenmsg))
                return false;
        (void)mnl_attr_parse(header, sizeof(struct nfgenmsg), note_table, &table);
        return str_equal(table, nft_table(own));
}

bool nft_watch_read(int fd, const Nft *own) {
        _Alignas(struct nlmsghdr) char data[16384];
        bool changed = false;

        for (;;) {
                ssize_t length = recv(fd, data, sizeof(data), 0);
                const struct nlmsghdr *header = (const struct nlmsghdr *)data;
                int left = (int)length;

                if (length < 0 && errno == EINTR)
                        continue;
                if (length < 0 && errno == ENOBUFS) {
                        changed = true;
                        continue;
                }
                if (length < 0)
                        return changed;
                for (; nlmsg_ok(header, left); header = mnl_nlmsg_next(header, &left))
                        changed |= concerns(header, own);
        }
}
