/* conntrack.c: ctnetlink: lists the connections and deletes those that match, as the kernel deletes
 * by a whole tuple only. */
#include "net/conntrack.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/membarrier.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "os/nlmsg.h"

typedef struct Walk {
        ConntrackMatch matches;
        void *data;
        Buf deletions;              /* complete messages */
        uint32_t sequence, listing; /* listing: the sequence number of the list */
} Walk;

/* One direction of a connection. */
typedef struct Tuple {
        IpAddress source, destination;
        uint16_t source_port, port;
        uint8_t protocol;
} Tuple;

static int take_address(const struct nlattr *attribute, void *data) {
        const uint16_t type = mnl_attr_get_type(attribute);
        const int family = type == CTA_IP_V4_DST || type == CTA_IP_V4_SRC ? AF_INET : AF_INET6;
        const bool source = type == CTA_IP_V4_SRC || type == CTA_IP_V6_SRC;
        Tuple *tuple = data;

        if (type >= CTA_IP_V4_SRC && type <= CTA_IP_V6_DST &&
            mnl_attr_get_payload_len(attribute) == ip_width(family) / 8)
                *(source ? &tuple->source : &tuple->destination) =
                        ip_from_bytes(family, mnl_attr_get_payload(attribute));
        return MNL_CB_OK;
}

static int take_protocol(const struct nlattr *attribute, void *data) {
        Tuple *tuple = data;

        if (mnl_attr_get_type(attribute) == CTA_PROTO_NUM &&
            mnl_attr_validate(attribute, MNL_TYPE_U8) >= 0)
                tuple->protocol = mnl_attr_get_u8(attribute);
        if (mnl_attr_get_type(attribute) == CTA_PROTO_DST_PORT &&
            mnl_attr_validate(attribute, MNL_TYPE_U16) >= 0)
                tuple->port = ntohs(mnl_attr_get_u16(attribute));
        if (mnl_attr_get_type(attribute) == CTA_PROTO_SRC_PORT &&
            mnl_attr_validate(attribute, MNL_TYPE_U16) >= 0)
                tuple->source_port = ntohs(mnl_attr_get_u16(attribute));
        return MNL_CB_OK;
}

static int take_tuple(const struct nlattr *attribute, void *data) {
        if (mnl_attr_get_type(attribute) == CTA_TUPLE_IP)
                (void)mnl_attr_parse_nested(attribute, take_address, data);
        else if (mnl_attr_get_type(attribute) == CTA_TUPLE_PROTO)
                (void)mnl_attr_parse_nested(attribute, take_protocol, data);
        return MNL_CB_OK;
}

typedef struct Tuples {
        const struct nlattr *original, *reply;
} Tuples;

static int find_tuples(const struct nlattr *attribute, void *data) {
        Tuples *tuples = data;

        if (mnl_attr_get_type(attribute) == CTA_TUPLE_ORIG)
                tuples->original = attribute;
        if (mnl_attr_get_type(attribute) == CTA_TUPLE_REPLY)
                tuples->reply = attribute;
        return MNL_CB_OK;
}

/* family: AF_UNSPEC for all. */
static struct nlmsghdr *start(char *data, int family, uint16_t message, uint16_t flags,
                              uint32_t sequence) {
        struct nlmsghdr *header = mnl_nlmsg_put_header(data);
        struct nfgenmsg *body = mnl_nlmsg_put_extra_header(header, sizeof(*body));

        header->nlmsg_type = (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | message);
        header->nlmsg_flags = NLM_F_REQUEST | flags;
        header->nlmsg_seq = sequence;
        body->nfgen_family = (uint8_t)family;
        body->version = NFNETLINK_V0;
        return header;
}

static void consider(Walk *walk, const struct nlmsghdr *header) {
        _Alignas(struct nlmsghdr) char data[1024];
        struct nlmsghdr *deletion;
        Tuples tuples = { 0 };
        Tuple tuple = { 0 }, reply = { 0 };
        ConntrackFlow flow;

        if (mnl_nlmsg_get_payload_len(header) < sizeof(struct nfgenmsg))
                return;
        (void)mnl_attr_parse(header, sizeof(struct nfgenmsg), find_tuples, &tuples);
        if (!tuples.original || mnl_attr_get_payload_len(tuples.original) > 512)
                return;
        (void)mnl_attr_parse_nested(tuples.original, take_tuple, &tuple);
        if (tuples.reply)
                (void)mnl_attr_parse_nested(tuples.reply, take_tuple, &reply);
        flow = (ConntrackFlow){ .source = tuple.source,
                                .destination = tuple.destination,
                                .answerer = reply.source,
                                .port = tuple.port,
                                .answerer_port = reply.source_port,
                                .protocol = tuple.protocol };
        if (!walk->matches(walk->data, &flow))
                return;
        deletion = start(data, tuple.destination.family, IPCTNL_MSG_CT_DELETE, 0, ++walk->sequence);
        mnl_attr_put(deletion, CTA_TUPLE_ORIG | NLA_F_NESTED,
                     mnl_attr_get_payload_len(tuples.original),
                     mnl_attr_get_payload(tuples.original));
        buf_add(&walk->deletions, deletion, MNL_ALIGN(deletion->nlmsg_len));
}

/* 1 at the end of the list. */
static int take_list(Walk *walk, const char *data, size_t length, Error *err) {
        const struct nlmsghdr *header = (const struct nlmsghdr *)data;
        int left = (int)length;

        for (; nlmsg_ok(header, left); header = mnl_nlmsg_next(header, &left)) {
                if (header->nlmsg_seq != walk->listing)
                        continue;
                if (header->nlmsg_type == NLMSG_DONE || header->nlmsg_type == NLMSG_ERROR) {
                        int number = nlmsg_errno(header);

                        /* A kernel that tracks nothing yet has no list. */
                        return number == 0 || number == EOPNOTSUPP || number == EINVAL
                                       ? 1
                                       : error_set(err, number, "list connections");
                }
                consider(walk, header);
        }
        return 0;
}

static int list(int fd, Walk *walk, Error *err) {
        _Alignas(struct nlmsghdr) char data[32768];
        struct nlmsghdr *header =
                start(data, AF_UNSPEC, IPCTNL_MSG_CT_GET, NLM_F_DUMP, ++walk->sequence);
        int r = 0;

        walk->listing = walk->sequence;
        if (send(fd, header, header->nlmsg_len, 0) < 0)
                return error_set(err, errno, "ask for the list of connections");
        while (r == 0) {
                ssize_t length = recv(fd, data, sizeof(data), 0);

                /* ENOBUFS: errors that came unasked, see below, were more than the socket holds;
                 * the list itself waits for its reader. */
                if (length < 0 && (errno == EINTR || errno == ENOBUFS))
                        continue;
                r = length < 0 ? error_set(err, errno, "read the list of connections")
                               : take_list(walk, data, (size_t)length, err);
        }
        return r < 0 ? r : 0;
}

int conntrack_open(int *ret_fd, Error *err) {
        int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);

        if (fd < 0)
                return error_set(err, errno, "open a netfilter socket");
        *ret_fd = fd;
        return 0;
}

int conntrack_forget_if(int fd, ConntrackMatch matches, void *data, Error *err) {
        Walk walk = { .matches = matches, .data = data };
        int r = list(fd, &walk, err);

        /* One by one: an entry that timed out meanwhile is none the worse, so no answer is asked
         * for; an error that comes unasked is read, and passed over, with the next list. */
        for (size_t offset = 0; r == 0 && offset < walk.deletions.length;) {
                const struct nlmsghdr *header =
                        (const struct nlmsghdr *)(walk.deletions.data + offset);

                if (send(fd, header, header->nlmsg_len, 0) < 0)
                        r = error_set(err, errno, "delete a connection");
                offset += MNL_ALIGN(header->nlmsg_len);
        }
        buf_done(&walk.deletions);
        return r;
}

/* A packet that met the firewall's elements as they were may be on its way still, and its
 * connection would come onto the list behind our back, for good where the client never pauses. The
 * kernel handles a packet that came in within one read-side section, and this waits for all of
 * them. EINVAL: a kernel with tickless processors cannot tell; then as before. */
void conntrack_wait_for_packets(void) {
        (void)syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
}
