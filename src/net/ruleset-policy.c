/* ruleset-policy.c: network policies in nftables. In the inet family every new connection of a
 * container that a policy selects is judged, by its class and the other side's address. What
 * containers of one bridge say to each other does not come there by itself: the bridge family's
 * table sends what is to be judged up to the host, which routes it, and lets nobody speak or be
 * spoken to under another's address. */
#include "net/ruleset-policy.h"

/* Before the kernel's headers, which leave out what the C library's have. */
#include <netinet/in.h>

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/netfilter.h>
#include <linux/netfilter_bridge.h>
#include <netinet/icmp6.h>

#include "net/ruleset-terms.h"

/* ---- family inet: sets ---- */

static const NftSet policy_sets[] = {
        /* the class of each container's address; all while there are policies */
        { "class4", NFT_SET_MAP, { NFT_FIELD_IPV4 }, { NFT_FIELD_CLASS } },
        { "class6", NFT_SET_MAP, { NFT_FIELD_IPV6 }, { NFT_FIELD_CLASS } },
        /* the addresses of containers that a policy selects: at all, for egress, for ingress */
        { "judged4", 0, { NFT_FIELD_IPV4 }, { 0 } },
        { "judged6", 0, { NFT_FIELD_IPV6 }, { 0 } },
        { "judge_out4", 0, { NFT_FIELD_IPV4 }, { 0 } },
        { "judge_out6", 0, { NFT_FIELD_IPV6 }, { 0 } },
        { "judge_in4", 0, { NFT_FIELD_IPV4 }, { 0 } },
        { "judge_in6", 0, { NFT_FIELD_IPV6 }, { 0 } },
        /* an address . itself */
        { "self4", 0, { NFT_FIELD_IPV4, NFT_FIELD_IPV4 }, { 0 } },
        { "self6", 0, { NFT_FIELD_IPV6, NFT_FIELD_IPV6 }, { 0 } },
        /* what is allowed: the class that is judged . the other side's address . protocol . port */
        { "to4",
          NFT_SET_INTERVAL,
          { NFT_FIELD_CLASS, NFT_FIELD_IPV4, NFT_FIELD_PROTOCOL, NFT_FIELD_PORT },
          { 0 } },
        { "to6",
          NFT_SET_INTERVAL,
          { NFT_FIELD_CLASS, NFT_FIELD_IPV6, NFT_FIELD_PROTOCOL, NFT_FIELD_PORT },
          { 0 } },
        { "from4",
          NFT_SET_INTERVAL,
          { NFT_FIELD_CLASS, NFT_FIELD_IPV4, NFT_FIELD_PROTOCOL, NFT_FIELD_PORT },
          { 0 } },
        { "from6",
          NFT_SET_INTERVAL,
          { NFT_FIELD_CLASS, NFT_FIELD_IPV6, NFT_FIELD_PROTOCOL, NFT_FIELD_PORT },
          { 0 } },
};

static const NftChain policy_chains[] = {
        { "passed", NULL, 0, 0 }, { "leaving", NULL, 0, 0 },    { "entering", NULL, 0, 0 },
        { "judge", NULL, 0, 0 },  { POLICY_CHAIN, NULL, 0, 0 },
};

/* ---- family inet: rules; a chain that returns has nothing against the packet ---- */

#define RETURN VERDICT(NFT_RETURN, NULL)
#define PROTOCOL(to) META(NFT_META_L4PROTO, to)

#define ICMP6_TYPE(op, type)                                                                       \
        { NFT_TERM_PAYLOAD, .reg = NFT_REG_1, .a = NFT_PAYLOAD_TRANSPORT_HEADER, .b = 0, .c = 1 }, \
        {                                                                                          \
                NFT_TERM_COMPARE, .reg = NFT_REG_1, .a = (op), .data = { (type) },                 \
                                  .data_length = 1                                                 \
        }

/* Neighbour discovery comes here where br_netfilter shows it; no router passes it on. */
static const NftTerm discovery[] = { IS_IPV6,
                                     PROTOCOL(NFT_REG_1),
                                     EQUALS_BYTE(NFT_REG_1, IPPROTO_ICMPV6),
                                     ICMP6_TYPE(NFT_CMP_GTE, ND_ROUTER_SOLICIT),
                                     ICMP6_TYPE(NFT_CMP_LTE, ND_REDIRECT),
                                     RETURN };
static const NftTerm from_judged[] = { IS_IPV4, SADDR4(NFT_REG_1), IN("judged4", NFT_REG_1),
                                       VERDICT(NFT_GOTO, "judge") };
static const NftTerm from_judged6[] = { IS_IPV6, SADDR6(NFT_REG_1), IN("judged6", NFT_REG_1),
                                        VERDICT(NFT_GOTO, "judge") };
static const NftTerm to_judged[] = { IS_IPV4, DADDR4(NFT_REG_1), IN("judged4", NFT_REG_1),
                                     VERDICT(NFT_GOTO, "judge") };
static const NftTerm to_judged6[] = { IS_IPV6, DADDR6(NFT_REG_1), IN("judged6", NFT_REG_1),
                                      VERDICT(NFT_GOTO, "judge") };

/* A connection that was forgotten, or made while nobody looked, is not taken up from its middle:
 * who began it could not be told. */
#define TCP_SYN 2
static const NftTerm midway[] = {
        PROTOCOL(NFT_REG_1),
        EQUALS_BYTE(NFT_REG_1, IPPROTO_TCP),
        { NFT_TERM_PAYLOAD, .reg = NFT_REG_1, .a = NFT_PAYLOAD_TRANSPORT_HEADER, .b = 13, .c = 1 },
        { NFT_TERM_MASK, .reg = NFT_REG_1, .a = TCP_SYN },
        { NFT_TERM_COMPARE, .reg = NFT_REG_1, .a = NFT_CMP_EQ, .data_length = 4 },
        DROP
};
static const NftTerm judge_leaving[] = { IS_IPV4, SADDR4(NFT_REG_1), IN("judge_out4", NFT_REG_1),
                                         VERDICT(NFT_JUMP, "leaving") };
static const NftTerm judge_leaving6[] = { IS_IPV6, SADDR6(NFT_REG_1), IN("judge_out6", NFT_REG_1),
                                          VERDICT(NFT_JUMP, "leaving") };
static const NftTerm judge_entering[] = { IS_IPV4, DADDR4(NFT_REG_1), IN("judge_in4", NFT_REG_1),
                                          VERDICT(NFT_JUMP, "entering") };
static const NftTerm judge_entering6[] = { IS_IPV6, DADDR6(NFT_REG_1), IN("judge_in6", NFT_REG_1),
                                           VERDICT(NFT_JUMP, "entering") };

static const NftTerm itself[] = { IS_IPV4, SADDR4(NFT_REG_1), DADDR4(NFT_REG32_01),
                                  IN("self4", NFT_REG_1), RETURN };
static const NftTerm itself6[] = { IS_IPV6, SADDR6(NFT_REG_1), DADDR6(NFT_REG_2),
                                   IN("self6", NFT_REG_1), RETURN };

/* The class waits in the packet's priority, which forwarding derives from the type of service
 * anyway and only queues look at: nft(8) has no word for what is looked up twice in one key. */
#define NOTE_CLASS(address, map)                                                                   \
        address(NFT_REG_1), MAPPED(map, NFT_REG_1, NFT_REG_1), {                                   \
                NFT_TERM_SET_META, .reg = NFT_REG_1, .a = NFT_META_PRIORITY                        \
        }
#define CLASS(to) META(NFT_META_PRIORITY, to)
#define PASS VERDICT(NFT_GOTO, "passed")
#define ALLOWED4(peer, set)                                                                        \
        CLASS(NFT_REG32_00), peer(NFT_REG32_01), PROTOCOL(NFT_REG32_02), DPORT(NFT_REG32_03),      \
                IN(set, NFT_REG_1), PASS
#define ALLOWED6(peer, set)                                                                        \
        CLASS(NFT_REG32_00), peer(NFT_REG32_01), PROTOCOL(NFT_REG32_05), DPORT(NFT_REG32_06),      \
                IN(set, NFT_REG_1), PASS

static const NftTerm leaving_class[] = { IS_IPV4, NOTE_CLASS(SADDR4, "class4") };
static const NftTerm leaving_class6[] = { IS_IPV6, NOTE_CLASS(SADDR6, "class6") };
static const NftTerm leaving_allowed[] = { IS_IPV4, ALLOWED4(DADDR4, "to4") };
static const NftTerm leaving_allowed6[] = { IS_IPV6, ALLOWED6(DADDR6, "to6") };
static const NftTerm entering_class[] = { IS_IPV4, NOTE_CLASS(DADDR4, "class4") };
static const NftTerm entering_class6[] = { IS_IPV6, NOTE_CLASS(DADDR6, "class6") };
static const NftTerm entering_allowed[] = { IS_IPV4, ALLOWED4(SADDR4, "from4") };
static const NftTerm entering_allowed6[] = { IS_IPV6, ALLOWED6(SADDR6, "from6") };
static const NftTerm forget_class[] = {
        { NFT_TERM_VALUE, .reg = NFT_REG_1, .data_length = 4 },
        { NFT_TERM_SET_META, .reg = NFT_REG_1, .a = NFT_META_PRIORITY },
};
static const NftTerm deny[] = { DROP };

static const NftRule policy_rules[] = {
        RULE(POLICY_CHAIN, discovery),
        RULE(POLICY_CHAIN, from_judged),
        RULE(POLICY_CHAIN, from_judged6),
        RULE(POLICY_CHAIN, to_judged),
        RULE(POLICY_CHAIN, to_judged6),
        RULE("judge", midway),
        RULE("judge", judge_leaving),
        RULE("judge", judge_leaving6),
        RULE("judge", judge_entering),
        RULE("judge", judge_entering6),
        RULE("leaving", itself),
        RULE("leaving", itself6),
        RULE("leaving", leaving_class),
        RULE("leaving", leaving_class6),
        RULE("leaving", leaving_allowed),
        RULE("leaving", leaving_allowed6),
        RULE("leaving", deny),
        RULE("entering", itself),
        RULE("entering", itself6),
        RULE("entering", entering_class),
        RULE("entering", entering_class6),
        RULE("entering", entering_allowed),
        RULE("entering", entering_allowed6),
        RULE("entering", deny),
        RULE("passed", forget_class),
};

const RulesetPart ruleset_policy = {
        policy_sets,  ELEMENTS(policy_sets),  policy_chains, ELEMENTS(policy_chains),
        policy_rules, ELEMENTS(policy_rules),
};

/* Nothing but a policy concerns what is for the host itself. */
static const NftChain input_chains[] = { { "input", "filter", NF_INET_LOCAL_IN, 0 } };
static const NftTerm known[] = { IS_KNOWN, ACCEPT };
static const NftTerm to_policies[] = { VERDICT(NFT_JUMP, POLICY_CHAIN) };
static const NftRule input_rules[] = { RULE("input", known), RULE("input", to_policies) };

const RulesetPart ruleset_input = {
        NULL, 0, input_chains, ELEMENTS(input_chains), input_rules, ELEMENTS(input_rules),
};

/* ---- family bridge: sets ---- */

static const NftSet bridge_sets[] = {
        /* the ports of bridges on which a container is judged */
        { "ports", 0, { NFT_FIELD_LINK }, { 0 } },
        /* port . the hardware address of its bridge: what is for the host, or routed by it */
        { "router", 0, { NFT_FIELD_LINK, NFT_FIELD_MAC }, { 0 } },
        /* port . the address of the container behind it */
        { "own4", 0, { NFT_FIELD_LINK, NFT_FIELD_IPV4 }, { 0 } },
        { "own6", 0, { NFT_FIELD_LINK, NFT_FIELD_IPV6 }, { 0 } },
        /* the address of a container that is judged → its bridge's hardware address */
        { "up4", NFT_SET_MAP, { NFT_FIELD_IPV4 }, { NFT_FIELD_MAC } },
        { "up6", NFT_SET_MAP, { NFT_FIELD_IPV6 }, { NFT_FIELD_MAC } },
};

static const NftChain bridge_chains[] = {
        { "arp", NULL, 0, 0 },
        { "icmp6", NULL, 0, 0 },
        { "up", NULL, 0, 0 },
        { BRIDGE_CHAIN, "filter", NF_BR_PRE_ROUTING, -300 },
        { "deliver", "filter", NF_BR_FORWARD, 0 },
};

/* ---- family bridge: rules ---- */

#define IS_ETHERTYPE(type)                                                                         \
        META(NFT_META_PROTOCOL, NFT_REG_1), {                                                      \
                NFT_TERM_COMPARE, .reg = NFT_REG_1, .a = NFT_CMP_EQ,                               \
                                  .data = { (type) >> 8, (type)&0xff }, .data_length = 2           \
        }
#define ETHER_DADDR(length, to)                                                                    \
        { NFT_TERM_PAYLOAD, .reg = (to), .a = NFT_PAYLOAD_LL_HEADER, .b = 0, .c = (length) }
#define IS_V4 IS_ETHERTYPE(ETH_P_IP)
#define IS_V6 IS_ETHERTYPE(ETH_P_IPV6)

/* A port of another program's on a bridge that was adopted: its packets to those who are judged go
 * up, too. */
static const NftTerm foreign_port[] = { IIF(NFT_REG_1), NOT_IN("ports", NFT_REG_1),
                                        VERDICT(NFT_GOTO, "up") };
static const NftTerm is_arp[] = { IS_ETHERTYPE(ETH_P_ARP), VERDICT(NFT_GOTO, "arp") };
static const NftTerm own_source[] = { IS_V4, IIF(NFT_REG_1), SADDR4(NFT_REG_2),
                                      NOT_IN("own4", NFT_REG_1), DROP };
static const NftTerm own_source6[] = { IS_V6,
                                       SADDR6_IS_ROUTED,
                                       SADDR6(NFT_REG_2),
                                       NON_ZERO6(NFT_REG_2),
                                       IIF(NFT_REG_1),
                                       NOT_IN("own6", NFT_REG_1),
                                       DROP };
static const NftTerm is_icmp6[] = { IS_V6, META(NFT_META_L4PROTO, NFT_REG_1),
                                    EQUALS_BYTE(NFT_REG_1, IPPROTO_ICMPV6),
                                    VERDICT(NFT_JUMP, "icmp6") };
/* What begins with fe is link-local, or nobody's: it says nothing of who speaks. What neighbours
 * must say to each other came before. */
static const NftTerm from_link_local[] = { IS_V6, NETWORK(8, 1, NFT_REG_1),
                                           EQUALS_BYTE(NFT_REG_1, 0xfe), DROP };
static const NftTerm to_router[] = { IIF(NFT_REG_1), ETHER_DADDR(6, NFT_REG_2),
                                     IN("router", NFT_REG_1), ACCEPT };
/* To everybody on the bridge: nothing that could be judged. */
static const NftTerm to_group[] = { ETHER_DADDR(1, NFT_REG_1),
                                    { NFT_TERM_MASK, .reg = NFT_REG_1, .a = 1 },
                                    NON_ZERO(NFT_REG_1),
                                    DROP };
static const NftTerm try_up[] = { VERDICT(NFT_JUMP, "up") };
static const NftTerm between_others[] = { IS_V4, ACCEPT };
static const NftTerm between_others6[] = { IS_V6, DADDR6_IS_ROUTED, ACCEPT };
/* Other protocols, and link-local addresses, which say nothing of who speaks. */
static const NftTerm nothing_else[] = { DROP };

/* The sender's address of an ARP packet (RFC 826); 0: a question whether one is free. */
#define ARP_SENDER(to) NETWORK(14, 4, to)
static const NftTerm arp_own[] = { IIF(NFT_REG_1), ARP_SENDER(NFT_REG_2), IN("own4", NFT_REG_1),
                                   ACCEPT };
static const NftTerm arp_probe[] = { ARP_SENDER(NFT_REG_1),
                                     { NFT_TERM_COMPARE, .reg = NFT_REG_1, .a = NFT_CMP_EQ,
                                       .data_length = 4 },
                                     ACCEPT };

/* Neighbour discovery (RFC 4861) and the groups that it needs (RFC 2710, RFC 3810), but for what
 * only a router may say; an advertisement is of the sender's own address. */
static const NftTerm advert_own[] = { ICMP6_TYPE(NFT_CMP_EQ, ND_NEIGHBOR_ADVERT), IIF(NFT_REG_1),
                                      NETWORK(48, 16, NFT_REG_2), IN("own6", NFT_REG_1), ACCEPT };
static const NftTerm advert_local[] = { ICMP6_TYPE(NFT_CMP_EQ, ND_NEIGHBOR_ADVERT),
                                        NETWORK(48, 1, NFT_REG_1), EQUALS_BYTE(NFT_REG_1, 0xfe),
                                        ACCEPT };
static const NftTerm solicit[] = { ICMP6_TYPE(NFT_CMP_EQ, ND_NEIGHBOR_SOLICIT), ACCEPT };
static const NftTerm router_solicit[] = { ICMP6_TYPE(NFT_CMP_EQ, ND_ROUTER_SOLICIT), ACCEPT };
static const NftTerm groups[] = { ICMP6_TYPE(NFT_CMP_GTE, MLD_LISTENER_QUERY),
                                  ICMP6_TYPE(NFT_CMP_LTE, MLD_LISTENER_REDUCTION), ACCEPT };
#define MLD_LISTENER_REPORT_2 143
static const NftTerm groups2[] = { ICMP6_TYPE(NFT_CMP_EQ, MLD_LISTENER_REPORT_2), ACCEPT };
static const NftTerm no_neighbour[] = { ICMP6_TYPE(NFT_CMP_GTE, ND_ROUTER_SOLICIT),
                                        ICMP6_TYPE(NFT_CMP_LTE, ND_REDIRECT), DROP };

/* The packet is for the host now, which routes it through the inet family's chains. */
#define UP(key, map)                                                                               \
        key, MAPPED(map, NFT_REG_1, NFT_REG_2),                                                    \
                { NFT_TERM_WRITE, .reg = NFT_REG_2, .a = NFT_PAYLOAD_LL_HEADER, .b = 0, .c = 6 },  \
                { NFT_TERM_VALUE, .reg = NFT_REG_3, .data = { PACKET_HOST }, .data_length = 1 },   \
                { NFT_TERM_SET_META, .reg = NFT_REG_3, .a = NFT_META_PKTTYPE }, ACCEPT
static const NftTerm up_source[] = { IS_V4, UP(SADDR4(NFT_REG_1), "up4") };
static const NftTerm up_target[] = { IS_V4, UP(DADDR4(NFT_REG_1), "up4") };
static const NftTerm up_source6[] = { IS_V6, UP(SADDR6(NFT_REG_1), "up6") };
static const NftTerm up_target6[] = { IS_V6, UP(DADDR6(NFT_REG_1), "up6") };

/* What stays on the bridge reaches a container under its own address only. */
static const NftTerm own_target[] = { IS_V4,
                                      OIF(NFT_REG_1),
                                      IN("ports", NFT_REG_1),
                                      OIF(NFT_REG_1),
                                      DADDR4(NFT_REG_2),
                                      NOT_IN("own4", NFT_REG_1),
                                      DROP };
static const NftTerm own_target6[] = { IS_V6,
                                       DADDR6_IS_ROUTED,
                                       OIF(NFT_REG_1),
                                       IN("ports", NFT_REG_1),
                                       OIF(NFT_REG_1),
                                       DADDR6(NFT_REG_2),
                                       NOT_IN("own6", NFT_REG_1),
                                       DROP };

static const NftRule bridge_rules[] = {
        RULE(BRIDGE_CHAIN, foreign_port),
        RULE(BRIDGE_CHAIN, is_arp),
        RULE(BRIDGE_CHAIN, own_source),
        RULE(BRIDGE_CHAIN, own_source6),
        RULE(BRIDGE_CHAIN, is_icmp6),
        RULE(BRIDGE_CHAIN, from_link_local),
        RULE(BRIDGE_CHAIN, to_router),
        RULE(BRIDGE_CHAIN, to_group),
        RULE(BRIDGE_CHAIN, try_up),
        RULE(BRIDGE_CHAIN, between_others),
        RULE(BRIDGE_CHAIN, between_others6),
        RULE(BRIDGE_CHAIN, nothing_else),
        RULE("arp", arp_own),
        RULE("arp", arp_probe),
        RULE("arp", deny),
        RULE("icmp6", advert_own),
        RULE("icmp6", advert_local),
        RULE("icmp6", solicit),
        RULE("icmp6", router_solicit),
        RULE("icmp6", groups),
        RULE("icmp6", groups2),
        RULE("icmp6", no_neighbour),
        RULE("up", up_source),
        RULE("up", up_target),
        RULE("up", up_source6),
        RULE("up", up_target6),
        RULE("deliver", own_target),
        RULE("deliver", own_target6),
};

const RulesetPart ruleset_bridge = {
        bridge_sets,  ELEMENTS(bridge_sets),  bridge_chains, ELEMENTS(bridge_chains),
        bridge_rules, ELEMENTS(bridge_rules),
};
