/* ruleset-terms.h: the words in which rules are written down. Registers: 1, 2, 3 are of 16 bytes,
 * NFT_REG32_00 + n is the n-th four bytes of them. For the files that hold rules alone. */
#pragma once

#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/rtnetlink.h>

#include "os/nfnetlink.h"

#define META(key, to)                                                                              \
        { NFT_TERM_META, .reg = (to), .a = (key) }
#define EQUALS_BYTE(in, byte)                                                                      \
        { NFT_TERM_COMPARE, .reg = (in), .a = NFT_CMP_EQ, .data = { (byte) }, .data_length = 1 }
#define IS_IPV4 META(NFT_META_NFPROTO, NFT_REG_1), EQUALS_BYTE(NFT_REG_1, NFPROTO_IPV4)
#define IS_IPV6 META(NFT_META_NFPROTO, NFT_REG_1), EQUALS_BYTE(NFT_REG_1, NFPROTO_IPV6)
#define IIF(to) META(NFT_META_IIFNAME, to)
#define OIF(to) META(NFT_META_OIFNAME, to)
#define NOT_LO(in)                                                                                 \
        { NFT_TERM_COMPARE, .reg = (in), .a = NFT_CMP_NEQ, .data = "lo", .data_length = 16 }
#define NETWORK(offset, length, to)                                                                \
        {                                                                                          \
                NFT_TERM_PAYLOAD, .reg = (to), .a = NFT_PAYLOAD_NETWORK_HEADER, .b = (offset),     \
                                  .c = (length)                                                    \
        }
#define SADDR4(to) NETWORK(12, 4, to)
#define DADDR4(to) NETWORK(16, 4, to)
#define SADDR6(to) NETWORK(8, 16, to)
#define DADDR6(to) NETWORK(24, 16, to)
#define ISNT_BYTE(in, byte)                                                                        \
        { NFT_TERM_COMPARE, .reg = (in), .a = NFT_CMP_NEQ, .data = { (byte) }, .data_length = 1 }
/* Not link-local (fe80::/10, and what else begins so is nobody's); not multicast either. */
#define SADDR6_IS_ROUTED NETWORK(8, 1, NFT_REG_1), ISNT_BYTE(NFT_REG_1, 0xfe)
#define DADDR6_IS_ROUTED                                                                           \
        NETWORK(24, 1, NFT_REG_1), ISNT_BYTE(NFT_REG_1, 0xfe), ISNT_BYTE(NFT_REG_1, 0xff)
#define FROM_LOOPBACK NETWORK(12, 1, NFT_REG_1), EQUALS_BYTE(NFT_REG_1, 127)
#define TO_LOOPBACK NETWORK(16, 1, NFT_REG_1), EQUALS_BYTE(NFT_REG_1, 127)
#define IS_LOOPBACK6(address)                                                                      \
        address(NFT_REG_1), {                                                                      \
                NFT_TERM_COMPARE, .reg = NFT_REG_1, .a = NFT_CMP_EQ, .data = { [15] = 1 },         \
                                  .data_length = 16                                                \
        }
#define DPORT(to)                                                                                  \
        { NFT_TERM_PAYLOAD, .reg = (to), .a = NFT_PAYLOAD_TRANSPORT_HEADER, .b = 2, .c = 2 }
#define IN(set, key)                                                                               \
        { NFT_TERM_LOOKUP, .reg = (key), .text = (set) }
#define NOT_IN(set, key)                                                                           \
        { NFT_TERM_LOOKUP, .reg = (key), .text = (set), .a = 1 }
#define MAPPED(map, key, to)                                                                       \
        { NFT_TERM_MAP, .reg = (key), .text = (map), .a = (to) }
#define NON_ZERO(in)                                                                               \
        { NFT_TERM_COMPARE, .reg = (in), .a = NFT_CMP_NEQ, .data_length = 4 }
#define NON_ZERO6(in)                                                                              \
        { NFT_TERM_COMPARE, .reg = (in), .a = NFT_CMP_NEQ, .data_length = 16 }
#define CT_BITS(key, bits)                                                                         \
        { NFT_TERM_CT, .reg = NFT_REG_1, .a = (key) },                                             \
                { NFT_TERM_MASK, .reg = NFT_REG_1, .a = (bits) }, NON_ZERO(NFT_REG_1)
#define IS_DNATED CT_BITS(NFT_CT_STATUS, IPS_DST_NAT)
#define STATE_BIT(state) (1u << ((state) % IP_CT_IS_REPLY + 1))
#define IS_KNOWN CT_BITS(NFT_CT_STATE, STATE_BIT(IP_CT_ESTABLISHED) | STATE_BIT(IP_CT_RELATED))
#define IS_INVALID CT_BITS(NFT_CT_STATE, 1)
/* The type is of four bytes in the host's order. */
#define LOCAL_TYPE                                                                                 \
        { RTN_LOCAL }
#define DADDR_LOCAL(op)                                                                            \
        { NFT_TERM_FIB_TYPE, .reg = NFT_REG_1 }, {                                                 \
                NFT_TERM_COMPARE, .reg = NFT_REG_1, .a = (op), .data = LOCAL_TYPE,                 \
                                  .data_length = 4                                                 \
        }
#define DNAT_TO(family, address, port)                                                             \
        { NFT_TERM_DNAT, .reg = (address), .a = (port), .b = (family) }
#define SNAT_TO(family, address)                                                                   \
        { NFT_TERM_SNAT, .reg = (address), .b = (family) }
#define MASQUERADE                                                                                 \
        { NFT_TERM_MASQUERADE }
#define VERDICT(verdict, chain)                                                                    \
        { NFT_TERM_VERDICT, .a = (uint32_t)(verdict), .text = (chain) }
#define DROP VERDICT(NF_DROP, NULL)
#define ACCEPT VERDICT(NF_ACCEPT, NULL)

#define RULE(chain, terms)                                                                         \
        { chain, terms, ELEMENTS(terms) }

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "LOCAL_TYPE is written for little-endian machines");
