/* nfnetlink.h: transactions on one nftables table, and notices of what others do to it. Rules are
 * arrays of terms, so that a ruleset reads as a table; knows no ruleset of its own. */
#pragma once

#include <linux/netfilter/nf_tables.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/ip.h"

/* A transaction on the table `family` (NFPROTO_*) `table` of the network namespace in which the
 * calling thread is when it is opened. One thread at a time. */
typedef struct Nft Nft;

int nft_open(uint8_t family, const char *table, Nft **ret, Error *err);
/* Over a socket that is open already and is then its own: a test's, which answers itself. */
Nft *nft_adopt(uint8_t family, const char *table, int fd);
Nft *nft_close(Nft *nft);
/* Its socket, which is then the caller's to close: nft_close only frees what is left. */
int nft_take_fd(Nft *nft);
DEFINE_CLEANUP(Nft *, nft_close)

/* ---- terms of a rule: one expression of the kernel's each ---- */

typedef enum NftTermKind {
        NFT_TERM_META,    /* a: key, reg */
        NFT_TERM_CT,      /* a: key, reg */
        NFT_TERM_PAYLOAD, /* a: base, b: offset, c: length, reg */
        NFT_TERM_WRITE, /* reg to a: base, b: offset, c: length; d: offset of the Internet checksum,
                           0: there is none */
        NFT_TERM_SET_META, /* a: key, from reg */
        NFT_TERM_VALUE,    /* reg = data */
        NFT_TERM_COMPARE,  /* reg, a: NFT_CMP_*, data */
        NFT_TERM_MASK,     /* reg &= a (32 bits) */
        NFT_TERM_FIB_TYPE, /* reg: the type of the destination's route, RTN_* */
        NFT_TERM_LOOKUP,   /* text: a set, reg, a: 1 inverts */
        NFT_TERM_MAP,      /* text: a map, reg, a: the register of the result */
        NFT_TERM_DNAT,     /* to the address in reg, the port in register a; b: NFPROTO_* */
        NFT_TERM_SNAT,     /* from the address in reg; b: NFPROTO_* */
        NFT_TERM_MASQUERADE,
        NFT_TERM_VERDICT, /* a: NF_ACCEPT, NFT_JUMP …; text: a chain or NULL */
} NftTermKind;

typedef struct NftTerm {
        NftTermKind kind;
        uint32_t reg, a, b, c, d;
        const char *text;
        uint8_t data[16], data_length;
} NftTerm;

typedef struct NftRule {
        const char *chain;
        const NftTerm *terms;
        size_t count;
} NftRule;

typedef struct NftChain {
        const char *name, *type; /* type: filter, nat; NULL: only jumped to */
        uint32_t hook;           /* NF_INET_* */
        int32_t priority;
} NftChain;

#define NFT_FIELDS_MAX 4
typedef struct NftSet {
        const char *name;
        uint32_t flags;               /* NFT_SET_INTERVAL, NFT_SET_MAP */
        uint8_t key[NFT_FIELDS_MAX];  /* NFT_FIELD_*, several make a concatenation; ends with 0 */
        uint8_t data[NFT_FIELDS_MAX]; /* of a map */
} NftSet;

/* The numbers by which nft(8) knows the types, so that it lists the sets legibly. */
enum {
        NFT_FIELD_IPV4 = 7,
        NFT_FIELD_IPV6 = 8,
        NFT_FIELD_MAC = 9,
        NFT_FIELD_PROTOCOL = 12,
        NFT_FIELD_PORT = 13,
        NFT_FIELD_CLASS = 23, /* a packet's priority: a number of four bytes */
        NFT_FIELD_LINK = 41
};

/* A key or value: the fields one after the other, each padded to four bytes. */
typedef struct NftValue {
        uint8_t bytes[48];
        uint8_t length;
} NftValue;

typedef struct NftElement {
        const char *set;
        NftValue key, end,
                data;      /* end: of an interval in a concatenation, its last; data: a map's */
        bool interval_end; /* key is the first value behind an interval */
} NftElement;

void nft_value_ip(NftValue *value, IpAddress address);
void nft_value_protocol(NftValue *value, uint8_t protocol);
void nft_value_port(NftValue *value, uint16_t port); /* host byte order */
void nft_value_link(NftValue *value, const char *name);
void nft_value_class(NftValue *value, uint32_t class);
void nft_value_mac(NftValue *value, const uint8_t mac[6]);

/* ---- keeping a table from others ---- */

/* `nft flush ruleset` passes a table by that belongs to an open netlink socket, and nobody but that
 * socket changes it. */
typedef enum NftKeeping {
        NFT_KEEP_NOT, /* Linux before 5.12 */
        /* Before 6.9 such a table goes with its socket. The table is an open one, which stays, and
         * all that is put into it is put into "<table>-twin" as well, which is the socket's. */
        NFT_KEEP_TWIN,
        NFT_KEEP_OWNED, /* the table is the socket's; once that is closed, anybody's */
} NftKeeping;
/* Finds out what the kernel can do; at_most: and no more than that. For every table of this Nft
 * from now on that is made by nft_put_kept_table. */
NftKeeping nft_keep(Nft *nft, NftKeeping at_most);
/* Whether the table is another open socket's. Not while a transaction is queued. */
bool nft_is_anothers(Nft *nft);

/* ---- the transaction: all of it happens, or nothing ---- */

/* From now on it is the table of this name in another family that is spoken of, in the same
 * transaction. */
void nft_use_family(Nft *nft, uint8_t family);
void nft_put_table(Nft *nft);
void nft_put_kept_table(Nft *nft);   /* kept as nft_keep found out; there may be none yet */
void nft_put_new_table(Nft *nft);    /* -EEXIST if there is one */
void nft_put_delete_table(Nft *nft); /* an error if there is none: put the table first */
void nft_put_chain(Nft *nft, const NftChain *chain);
void nft_put_set(Nft *nft, const NftSet *set);
void nft_put_rule(Nft *nft, const NftRule *rule);
void nft_put_element(Nft *nft, const NftElement *element, bool add);

/* Sends it and waits for the answer; nothing is queued afterwards. An empty one is success. */
int nft_commit(Nft *nft, Error *err);
void nft_cancel(Nft *nft); /* forgets what is queued */

/* Whether the table has this chain. Not while a transaction is queued. */
int nft_has_chain(Nft *nft, const char *chain, bool *ret, Error *err);

/* ---- notices ---- */

/* A non-blocking socket that becomes readable when any table changes by another than `own`. Its own
 * transactions can have more notices than fit into a socket: lost ones would read as a change. */
int nft_watch_open(const Nft *own, int *ret_fd, Error *err);
/* Reads all that waits. True if another than `own` changed a table of the name that `own` is for,
 * of any family, or if notices were lost. */
bool nft_watch_read(int fd, const Nft *own);
