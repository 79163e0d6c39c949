/* nfnetlink.c: one batch of nftables messages, built with libnftnl and sent in one system call. */
#include "os/nfnetlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <libnftnl/udata.h>
#include <linux/filter.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/str.h"
#include "os/nfnetlink-term.h"
#include "os/nlmsg.h"

#define MESSAGE_MAX 65536
#define SEND_BUFFER (8 << 20)

struct Nft {
        int fd;
        uint8_t family;
        char *table, *twin;
        NftKeeping keeping;
        uint32_t port;             /* this socket's netlink address */
        uint32_t sequence, begun;  /* the last message's; the batch's first */
        Buf batch;                 /* complete messages */
        size_t last;               /* offset of the last one in batch */
        char **labels;             /* what each message behind the first does */
        struct nftnl_set *pending; /* elements that wait to share a message */
        size_t pending_count;
        bool pending_add;
        _Alignas(struct nlmsghdr) char scratch[MESSAGE_MAX];
};

static int open_socket(int flags, int *ret_fd, Error *err) {
        _cleanup_close_ int fd =
                socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | flags, NETLINK_NETFILTER);
        struct sockaddr_nl address = { .nl_family = AF_NETLINK };

        if (fd < 0)
                return error_set(err, errno, "open a netfilter socket");
        if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
                return error_set(err, errno, "bind a netfilter socket");
        *ret_fd = TAKE_FD(fd);
        return 0;
}

Nft *nft_adopt(uint8_t family, const char *table, int fd) {
        Nft *nft = NEW(Nft);

        nft->fd = fd;
        nft->family = family;
        nft->table = str_copy(table);
        nft->twin = str_format("%s-twin", table);
        return nft;
}

int nft_open(uint8_t family, const char *table, Nft **ret, Error *err) {
        _cleanup_(nft_closep) Nft *nft = nft_adopt(family, table, -1);
        struct sockaddr_nl address = { 0 };
        socklen_t length = sizeof(address);
        int size = SEND_BUFFER, r;

        r = open_socket(0, &nft->fd, err);
        if (r < 0)
                return r;
        if (getsockname(nft->fd, (struct sockaddr *)&address, &length) < 0)
                return error_set(err, errno, "read a netfilter socket's address");
        nft->port = address.nl_pid;
        /* A batch is one message to the kernel, however large: thousands of ports must fit. */
        if (setsockopt(nft->fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
                (void)setsockopt(nft->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
        *ret = TAKE_PTR(nft);
        return 0;
}

Nft *nft_close(Nft *nft) {
        if (!nft)
                return NULL;
        nft_cancel(nft);
        buf_done(&nft->batch);
        close_fd(&nft->fd);
        free(nft->table);
        free(nft->twin);
        free(nft);
        return NULL;
}

int nft_take_fd(Nft *nft) {
        return TAKE_FD(nft->fd);
}

/* ---- values ---- */

static void add_field(NftValue *value, const void *data, size_t length) {
        size_t padded = (length + 3) & ~(size_t)3;

        if (value->length + padded > sizeof(value->bytes))
                abort(); /* the sets are ours: only a bug gets here */
        memcpy(value->bytes + value->length, data, length);
        value->length = (uint8_t)(value->length + padded);
}

void nft_value_ip(NftValue *value, IpAddress address) {
        uint8_t bytes[IP_BYTES_MAX];
        size_t length = ip_bytes(address, bytes);

        add_field(value, bytes, length);
}

void nft_value_protocol(NftValue *value, uint8_t protocol) {
        add_field(value, &protocol, sizeof(protocol));
}

void nft_value_port(NftValue *value, uint16_t port) {
        uint16_t network = htons(port);

        add_field(value, &network, sizeof(network));
}

void nft_value_link(NftValue *value, const char *name) {
        char padded[IFNAMSIZ] = "";

        (void)snprintf(padded, sizeof(padded), "%s", name);
        add_field(value, padded, sizeof(padded));
}

void nft_value_class(NftValue *value, uint32_t class) {
        add_field(value, &class, sizeof(class));
}

void nft_value_mac(NftValue *value, const uint8_t mac[6]) {
        add_field(value, mac, 6);
}

/* ---- the batch ---- */

static void put_edge(Nft *nft, uint16_t type) {
        struct nlmsghdr *header = mnl_nlmsg_put_header(nft->scratch);
        struct nfgenmsg *message = mnl_nlmsg_put_extra_header(header, sizeof(*message));

        header->nlmsg_type = type;
        header->nlmsg_flags = NLM_F_REQUEST;
        header->nlmsg_seq = ++nft->sequence;
        message->nfgen_family = AF_UNSPEC;
        message->version = NFNETLINK_V0;
        message->res_id = htons(NFNL_SUBSYS_NFTABLES);
        buf_add(&nft->batch, header, MNL_ALIGN(header->nlmsg_len));
}

static struct nlmsghdr *start_message(Nft *nft, uint16_t type, uint16_t flags, char *label) {
        if (nft->batch.length == 0) {
                put_edge(nft, NFNL_MSG_BATCH_BEGIN);
                nft->begun = nft->sequence;
        }
        strv_take(&nft->labels, label);
        return nftnl_nlmsg_build_hdr(nft->scratch, type, nft->family, flags, ++nft->sequence);
}

static void end_message(Nft *nft, const struct nlmsghdr *header) {
        nft->last = nft->batch.length;
        buf_add(&nft->batch, header, MNL_ALIGN(header->nlmsg_len));
}

/* Queues what build makes of a model: for the table, and for its twin. */
typedef void (*Build)(Nft *nft, const char *table, const void *model);
static void put(Nft *nft, Build build, const void *model) {
        build(nft, nft->table, model);
        if (nft->keeping == NFT_KEEP_TWIN)
                build(nft, nft->twin, model);
}

static void build_elements(Nft *nft, const char *table, const void *model) {
        const char *set = nftnl_set_get_str(nft->pending, NFTNL_SET_NAME);
        struct nlmsghdr *header = start_message(
                nft, nft->pending_add ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM,
                nft->pending_add ? NLM_F_CREATE : 0,
                str_format("%s set '%s'", nft->pending_add ? "add to" : "take from", set));

        (void)model;
        (void)nftnl_set_set_str(nft->pending, NFTNL_SET_TABLE, table);
        nftnl_set_elems_nlmsg_build_payload(header, nft->pending);
        end_message(nft, header);
}

static void flush_elements(Nft *nft) {
        if (!nft->pending)
                return;
        put(nft, build_elements, NULL);
        nftnl_set_free(nft->pending);
        nft->pending = NULL;
        nft->pending_count = 0;
}

void nft_use_family(Nft *nft, uint8_t family) {
        if (family == nft->family)
                return;
        flush_elements(nft);
        nft->family = family;
}

/* A message about a whole table; kept: it is made such that others leave it alone. */
typedef struct TableModel {
        uint16_t type, flags;
        bool kept;
} TableModel;

#define TABLE_OWNED ((uint32_t)NFT_TABLE_F_OWNER)
#define TABLE_PERSISTS 4U /* NFT_TABLE_F_PERSIST, since Linux 6.9 */

static uint32_t table_flags(const Nft *nft, const char *table) {
        if (nft->keeping == NFT_KEEP_OWNED)
                return TABLE_OWNED | TABLE_PERSISTS;
        return table == nft->twin ? TABLE_OWNED : 0;
}

static void build_table(Nft *nft, const char *name, const void *data) {
        const TableModel *model = data;
        struct nftnl_table *table = nftnl_table_alloc();
        struct nlmsghdr *header;

        if (!table)
                abort();
        header = start_message(nft, model->type, model->flags, str_format("table '%s'", name));
        (void)nftnl_table_set_str(table, NFTNL_TABLE_NAME, name);
        nftnl_table_set_u32(table, NFTNL_TABLE_FAMILY, nft->family);
        if (model->kept)
                nftnl_table_set_u32(table, NFTNL_TABLE_FLAGS, table_flags(nft, name));
        nftnl_table_nlmsg_build_payload(header, table);
        end_message(nft, header);
        nftnl_table_free(table);
}

static void put_whole_table(Nft *nft, TableModel model) {
        flush_elements(nft);
        put(nft, build_table, &model);
}

void nft_put_table(Nft *nft) {
        put_whole_table(nft, (TableModel){ NFT_MSG_NEWTABLE, NLM_F_CREATE, false });
}

void nft_put_new_table(Nft *nft) {
        put_whole_table(nft, (TableModel){ NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL, false });
}

void nft_put_kept_table(Nft *nft) {
        put_whole_table(nft, (TableModel){ NFT_MSG_NEWTABLE, NLM_F_CREATE, true });
}

void nft_put_delete_table(Nft *nft) {
        put_whole_table(nft, (TableModel){ NFT_MSG_DELTABLE, 0, false });
}

static void build_chain(Nft *nft, const char *table, const void *data) {
        const NftChain *model = data;
        struct nftnl_chain *chain = nftnl_chain_alloc();
        struct nlmsghdr *header;

        if (!chain)
                abort();
        header = start_message(nft, NFT_MSG_NEWCHAIN, NLM_F_CREATE,
                               str_format("chain '%s'", model->name));
        (void)nftnl_chain_set_str(chain, NFTNL_CHAIN_TABLE, table);
        (void)nftnl_chain_set_str(chain, NFTNL_CHAIN_NAME, model->name);
        if (model->type) {
                (void)nftnl_chain_set_str(chain, NFTNL_CHAIN_TYPE, model->type);
                nftnl_chain_set_u32(chain, NFTNL_CHAIN_HOOKNUM, model->hook);
                nftnl_chain_set_s32(chain, NFTNL_CHAIN_PRIO, model->priority);
                nftnl_chain_set_u32(chain, NFTNL_CHAIN_POLICY, NF_ACCEPT);
        }
        nftnl_chain_nlmsg_build_payload(header, chain);
        end_message(nft, header);
        nftnl_chain_free(chain);
}

void nft_put_chain(Nft *nft, const NftChain *model) {
        flush_elements(nft);
        put(nft, build_chain, model);
}

/* ---- sets ---- */

static uint32_t field_length(uint8_t field) {
        switch (field) {
        case NFT_FIELD_IPV4:
                return 4;
        case NFT_FIELD_IPV6:
                return 16;
        case NFT_FIELD_PROTOCOL:
                return 1;
        case NFT_FIELD_PORT:
                return 2;
        case NFT_FIELD_MAC:
                return 6;
        case NFT_FIELD_CLASS:
                return 4;
        default:
                return IFNAMSIZ;
        }
}

/* nft(8) packs a concatenation's types into six bits each. */
static void describe(const uint8_t *fields, uint32_t *ret_type, uint32_t *ret_length,
                     uint8_t lengths[NFT_FIELDS_MAX], size_t *ret_count) {
        size_t count = 0;

        *ret_type = *ret_length = 0;
        for (; count < NFT_FIELDS_MAX && fields[count]; count++) {
                lengths[count] = (uint8_t)field_length(fields[count]);
                *ret_type = *ret_type << 6 | fields[count];
                *ret_length += (lengths[count] + 3u) & ~3u;
        }
        if (count == 1)
                *ret_length = lengths[0];
        *ret_count = count;
}

/* nft(8) lists names of links rightly only if it is told that they are in the host's byte order. */
static void describe_as_text(struct nftnl_set *set) {
        struct nftnl_udata_buf *buf = nftnl_udata_buf_alloc(64);

        if (!buf)
                abort();
        (void)nftnl_udata_put_u32(buf, NFTNL_UDATA_SET_KEYBYTEORDER, 1);
        (void)nftnl_set_set_data(set, NFTNL_SET_USERDATA, nftnl_udata_buf_data(buf),
                                 nftnl_udata_buf_len(buf));
        nftnl_udata_buf_free(buf);
}

static void build_set(Nft *nft, const char *table, const void *data) {
        const NftSet *model = data;
        struct nftnl_set *set = nftnl_set_alloc();
        struct nlmsghdr *header;
        uint32_t type, length, flags = model->flags;
        uint8_t lengths[NFT_FIELDS_MAX];
        size_t count;

        if (!set)
                abort();
        header = start_message(nft, NFT_MSG_NEWSET, NLM_F_CREATE,
                               str_format("set '%s'", model->name));
        describe(model->key, &type, &length, lengths, &count);
        (void)nftnl_set_set_str(set, NFTNL_SET_TABLE, table);
        (void)nftnl_set_set_str(set, NFTNL_SET_NAME, model->name);
        nftnl_set_set_u32(set, NFTNL_SET_FAMILY, nft->family);
        nftnl_set_set_u32(set, NFTNL_SET_ID, nft->sequence);
        nftnl_set_set_u32(set, NFTNL_SET_KEY_TYPE, type);
        nftnl_set_set_u32(set, NFTNL_SET_KEY_LEN, length);
        if (count > 1 && (flags & NFT_SET_INTERVAL)) {
                flags |= NFT_SET_CONCAT;
                (void)nftnl_set_set_data(set, NFTNL_SET_DESC_CONCAT, lengths, (uint32_t)count);
        }
        nftnl_set_set_u32(set, NFTNL_SET_FLAGS, flags);
        if (count == 1 && model->key[0] == NFT_FIELD_LINK)
                describe_as_text(set);
        if (flags & NFT_SET_MAP) {
                describe(model->data, &type, &length, lengths, &count);
                nftnl_set_set_u32(set, NFTNL_SET_DATA_TYPE, type);
                nftnl_set_set_u32(set, NFTNL_SET_DATA_LEN, length);
        }
        nftnl_set_nlmsg_build_payload(header, set);
        end_message(nft, header);
        nftnl_set_free(set);
}

void nft_put_set(Nft *nft, const NftSet *model) {
        flush_elements(nft);
        put(nft, build_set, model);
}

static void start_elements(Nft *nft, const char *set, bool add) {
        flush_elements(nft);
        nft->pending = nftnl_set_alloc();
        if (!nft->pending)
                abort();
        (void)nftnl_set_set_str(nft->pending, NFTNL_SET_NAME, set);
        nft->pending_add = add;
}

void nft_put_element(Nft *nft, const NftElement *model, bool add) {
        struct nftnl_set_elem *element = nftnl_set_elem_alloc();

        if (!element)
                abort();
        /* 256 elements of at most some 150 bytes stay within a message and an attribute. */
        if (!nft->pending || nft->pending_add != add || nft->pending_count == 256 ||
            !str_equal(nftnl_set_get_str(nft->pending, NFTNL_SET_NAME), model->set))
                start_elements(nft, model->set, add);
        (void)nftnl_set_elem_set(element, NFTNL_SET_ELEM_KEY, model->key.bytes, model->key.length);
        if (model->end.length)
                (void)nftnl_set_elem_set(element, NFTNL_SET_ELEM_KEY_END, model->end.bytes,
                                         model->end.length);
        if (model->data.length)
                (void)nftnl_set_elem_set(element, NFTNL_SET_ELEM_DATA, model->data.bytes,
                                         model->data.length);
        if (model->interval_end)
                nftnl_set_elem_set_u32(element, NFTNL_SET_ELEM_FLAGS, NFT_SET_ELEM_INTERVAL_END);
        nftnl_set_elem_add(nft->pending, element);
        nft->pending_count++;
}

/* ---- rules ---- */

static void build_rule(Nft *nft, const char *table, const void *data) {
        const NftRule *model = data;
        struct nftnl_rule *rule = nftnl_rule_alloc();
        struct nlmsghdr *header;

        if (!rule)
                abort();
        header = start_message(nft, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND,
                               str_format("rule of chain '%s'", model->chain));
        (void)nftnl_rule_set_str(rule, NFTNL_RULE_TABLE, table);
        (void)nftnl_rule_set_str(rule, NFTNL_RULE_CHAIN, model->chain);
        nftnl_rule_set_u32(rule, NFTNL_RULE_FAMILY, nft->family);
        for (size_t i = 0; i < model->count; i++)
                nftnl_rule_add_expr(rule, nft_term_build(&model->terms[i]));
        nftnl_rule_nlmsg_build_payload(header, rule);
        end_message(nft, header);
        nftnl_rule_free(rule);
}

void nft_put_rule(Nft *nft, const NftRule *model) {
        flush_elements(nft);
        put(nft, build_rule, model);
}

/* ---- sending ---- */

void nft_cancel(Nft *nft) {
        if (nft->pending)
                nftnl_set_free(nft->pending);
        nft->pending = NULL;
        nft->pending_count = 0;
        buf_clear(&nft->batch);
        nft->labels = strv_free(nft->labels);
}

/* Notes the first failure of one read's answers; true once the last message's answer is among them.
 */
static bool take_answers(Nft *nft, const char *data, size_t length, uint32_t last, int *result,
                         Error *err) {
        const struct nlmsghdr *header = (const struct nlmsghdr *)data;
        int left = (int)length;
        bool done = false;

        for (; nlmsg_ok(header, left); header = mnl_nlmsg_next(header, &left)) {
                uint32_t number = header->nlmsg_seq - nft->begun;
                int why = header->nlmsg_type == NLMSG_ERROR ? nlmsg_errno(header) : 0;

                /* What an earlier batch's reader left behind says nothing about this one. */
                if (header->nlmsg_type != NLMSG_ERROR || number > last + 1 - nft->begun)
                        continue;
                /* The batch's own first message answers when the batch as a whole is refused. */
                done |= header->nlmsg_seq == last || number == 0;
                if (why == 0 || *result < 0)
                        continue;
                *result = error_set(err, why, "nftables: %s",
                                    number > 0 && number <= strv_length(nft->labels)
                                            ? nft->labels[number - 1]
                                            : "transaction");
        }
        return done;
}

static int read_answers(Nft *nft, uint32_t last, Error *err) {
        int result = 0;

        for (;;) {
                ssize_t length = recv(nft->fd, nft->scratch, sizeof(nft->scratch), 0);

                if (length < 0 && errno == EINTR)
                        continue;
                if (length < 0)
                        return result < 0 ? result : error_set(err, errno, "nftables: answer");
                if (take_answers(nft, nft->scratch, (size_t)length, last, &result, err))
                        return result;
        }
}

int nft_commit(Nft *nft, Error *err) {
        uint32_t last;
        int r;

        flush_elements(nft);
        if (nft->batch.length == 0)
                return 0;
        last = nft->sequence;
        ((struct nlmsghdr *)(nft->batch.data + nft->last))->nlmsg_flags |= NLM_F_ACK;
        put_edge(nft, NFNL_MSG_BATCH_END);
        r = send(nft->fd, nft->batch.data, nft->batch.length, 0) < 0
                    ? error_set(err, errno, "nftables: send a transaction of %zu bytes",
                                nft->batch.length)
                    : read_answers(nft, last, err);
        nft_cancel(nft);
        return r;
}

/* Whether this kernel makes such tables: one is made and deleted in the same transaction. */
static bool can_keep(NftKeeping keeping, uint8_t family) {
        _cleanup_(nft_closep) Nft *nft = NULL;

        if (nft_open(family, "brig-probe", &nft, NULL) < 0)
                return false;
        nft->keeping = keeping;
        nft_put_kept_table(nft);
        nft_put_delete_table(nft);
        return nft_commit(nft, NULL) == 0;
}

NftKeeping nft_keep(Nft *nft, NftKeeping at_most) {
        while (at_most > NFT_KEEP_NOT && !can_keep(at_most, nft->family))
                at_most--;
        nft->keeping = at_most;
        return at_most;
}

bool nft_is_anothers(Nft *nft) {
        nft_put_table(nft);
        nft_put_new_table(nft); /* fails, if the first did not, and nothing is changed */
        return nft_commit(nft, NULL) == -EPERM;
}

/* The answer to the last message, in nft->scratch; NULL: none came. */
static const struct nlmsghdr *read_answer(Nft *nft, Error *err) {
        for (;;) {
                const struct nlmsghdr *header = (const struct nlmsghdr *)nft->scratch;
                ssize_t length = recv(nft->fd, nft->scratch, sizeof(nft->scratch), 0);

                if (length < 0 && errno == EINTR)
                        continue;
                if (length < 0 || !nlmsg_ok(header, (int)length)) {
                        (void)error_set(err, length < 0 ? errno : EBADMSG, "nftables: answer");
                        return NULL;
                }
                if (header->nlmsg_seq == nft->sequence)
                        return header;
        }
}

int nft_has_chain(Nft *nft, const char *name, bool *ret, Error *err) {
        struct nftnl_chain *chain = nftnl_chain_alloc();
        const struct nlmsghdr *answer;
        struct nlmsghdr *header;
        int number;

        if (!chain)
                abort();
        header = nftnl_nlmsg_build_hdr(nft->scratch, NFT_MSG_GETCHAIN, nft->family, 0,
                                       ++nft->sequence);
        (void)nftnl_chain_set_str(chain, NFTNL_CHAIN_TABLE, nft->table);
        (void)nftnl_chain_set_str(chain, NFTNL_CHAIN_NAME, name);
        nftnl_chain_nlmsg_build_payload(header, chain);
        nftnl_chain_free(chain);
        if (send(nft->fd, header, header->nlmsg_len, 0) < 0)
                return error_set(err, errno, "nftables: ask for chain '%s'", name);
        answer = read_answer(nft, err);
        if (!answer)
                return error_prefix(err, "ask for chain '%s'", name);
        *ret = answer->nlmsg_type != NLMSG_ERROR;
        number = *ret ? 0 : nlmsg_errno(answer);
        if (*ret || number == ENOENT)
                return 0;
        return error_set(err, number ?: EBADMSG, "nftables: ask for chain '%s'", name);
}

/* ---- notices ---- */

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
        int r = open_socket(SOCK_NONBLOCK, &fd, err);

        if (r < 0)
                return r;
        r = pass_over_own(fd, own->port);
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

        if (header->nlmsg_pid == own->port || header->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES ||
            (header->nlmsg_type & 0xff) == NFT_MSG_NEWGEN ||
            mnl_nlmsg_get_payload_len(header) < sizeof(struct nfgenmsg))
                return false;
        (void)mnl_attr_parse(header, sizeof(struct nfgenmsg), note_table, &table);
        return str_equal(table, own->table);
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
