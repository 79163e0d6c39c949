/* ruleset.c: what the table "brig" decides. Rules are the engine's, never a container's: networks
 * and ports are elements of the sets, so a packet meets the same few rules however many there are.
 * A verdict of accept ends only this table's say: the host's own firewall is still asked. */
#include "net/ruleset.h"

#include <arpa/inet.h>

#include "net/ruleset-policy.h"
#include "net/ruleset-terms.h"

/* ---- sets ---- */

const NftSet ruleset_sets[] = {
        /* our bridges; those of internal networks; those whose containers may not talk */
        { "bridges", 0, { NFT_FIELD_LINK }, { 0 } },
        { "internal", 0, { NFT_FIELD_LINK }, { 0 } },
        { "icc_off", 0, { NFT_FIELD_LINK }, { 0 } },
        /* bridge . the same bridge: how a rule says "back where it came from" */
        { "same", 0, { NFT_FIELD_LINK, NFT_FIELD_LINK }, { 0 } },
        /* bridge . its subnet; the subnets that nothing outside speaks to; those whose packets
         * leave under the host's address */
        { "home4", NFT_SET_INTERVAL, { NFT_FIELD_LINK, NFT_FIELD_IPV4 }, { 0 } },
        { "guard4", NFT_SET_INTERVAL, { NFT_FIELD_IPV4 }, { 0 } },
        { "masq4", NFT_SET_INTERVAL, { NFT_FIELD_IPV4 }, { 0 } },
        /* bridge . the address of a container there, on no internal network: of what is in home4,
         * what is looked up most; an exact key is found in a third of an interval's time */
        { "known4", 0, { NFT_FIELD_LINK, NFT_FIELD_IPV4 }, { 0 } },
        { "known6", 0, { NFT_FIELD_LINK, NFT_FIELD_IPV6 }, { 0 } },
        { "home6", NFT_SET_INTERVAL, { NFT_FIELD_LINK, NFT_FIELD_IPV6 }, { 0 } },
        { "guard6", NFT_SET_INTERVAL, { NFT_FIELD_IPV6 }, { 0 } },
        { "masq6", NFT_SET_INTERVAL, { NFT_FIELD_IPV6 }, { 0 } },
        /* published ports: of one host address, of every host address */
        { "pub4_ip",
          NFT_SET_MAP,
          { NFT_FIELD_IPV4, NFT_FIELD_PROTOCOL, NFT_FIELD_PORT },
          { NFT_FIELD_IPV4, NFT_FIELD_PORT } },
        { "pub4_any",
          NFT_SET_MAP,
          { NFT_FIELD_PROTOCOL, NFT_FIELD_PORT },
          { NFT_FIELD_IPV4, NFT_FIELD_PORT } },
        { "pub6_ip",
          NFT_SET_MAP,
          { NFT_FIELD_IPV6, NFT_FIELD_PROTOCOL, NFT_FIELD_PORT },
          { NFT_FIELD_IPV6, NFT_FIELD_PORT } },
        { "pub6_any",
          NFT_SET_MAP,
          { NFT_FIELD_PROTOCOL, NFT_FIELD_PORT },
          { NFT_FIELD_IPV6, NFT_FIELD_PORT } },
        /* subnets whose packets leave under a certain address of the host's */
        { "snat4", NFT_SET_MAP | NFT_SET_INTERVAL, { NFT_FIELD_IPV4 }, { NFT_FIELD_IPV4 } },
        { "snat6", NFT_SET_MAP | NFT_SET_INTERVAL, { NFT_FIELD_IPV6 }, { NFT_FIELD_IPV6 } },
        /* subnets that are spoken to directly: on their published ports, which are in open4; on
         * every port; on every port, but only through certain links of the host */
        { "routed4", NFT_SET_INTERVAL, { NFT_FIELD_IPV4 }, { 0 } },
        { "routed6", NFT_SET_INTERVAL, { NFT_FIELD_IPV6 }, { 0 } },
        { "open4", 0, { NFT_FIELD_IPV4, NFT_FIELD_PROTOCOL, NFT_FIELD_PORT }, { 0 } },
        { "open6", 0, { NFT_FIELD_IPV6, NFT_FIELD_PROTOCOL, NFT_FIELD_PORT }, { 0 } },
        { "unprotected4", NFT_SET_INTERVAL, { NFT_FIELD_IPV4 }, { 0 } },
        { "unprotected6", NFT_SET_INTERVAL, { NFT_FIELD_IPV6 }, { 0 } },
        { "trusted4", NFT_SET_INTERVAL, { NFT_FIELD_LINK, NFT_FIELD_IPV4 }, { 0 } },
        { "trusted6", NFT_SET_INTERVAL, { NFT_FIELD_LINK, NFT_FIELD_IPV6 }, { 0 } },
};
const size_t ruleset_set_count = ELEMENTS(ruleset_sets);

/* ---- chains ---- */

const NftChain ruleset_chains[] = {
        { "direct", NULL, 0, 0 },
        { "leaving_internal", NULL, 0, 0 },
        { "inside", NULL, 0, 0 },
        { "guard", "filter", NF_INET_PRE_ROUTING, -300 },
        { "publish", NULL, 0, 0 },
        { "nat_in", "nat", NF_INET_PRE_ROUTING, -100 },
        { "nat_local", "nat", NF_INET_LOCAL_OUT, -100 },
        { "nat_out", "nat", NF_INET_POST_ROUTING, 100 },
        { "foreign", NULL, 0, 0 },
        { "forward", "filter", NF_INET_FORWARD, 0 },
};
const size_t ruleset_chain_count = ELEMENTS(ruleset_chains);

/* ---- guard: packets that no connection of ours can be ---- */

/* What claims to come for loopback from outside: ports published on 127.0.0.1 stay there, though
 * route_localnet is on. */
static const NftTerm remote_loopback[] = { IS_IPV4, TO_LOOPBACK, IIF(NFT_REG_1), NOT_LO(NFT_REG_1),
                                           DROP };
/* Nothing in chain inside has anything against it: what is in known4 is in home4, and its bridge is
 * of no internal network. Its packets are most of all, and a look-up is most of what a rule costs.
 */
static const NftTerm from_known[] = { IS_IPV4, IIF(NFT_REG_1), SADDR4(NFT_REG_2),
                                      IN("known4", NFT_REG_1), VERDICT(NFT_GOTO, "direct") };
static const NftTerm from_known6[] = { IS_IPV6, IIF(NFT_REG_1), SADDR6(NFT_REG_2),
                                       IN("known6", NFT_REG_1), VERDICT(NFT_GOTO, "direct") };
static const NftTerm from_inside[] = { IIF(NFT_REG_1), IN("bridges", NFT_REG_1),
                                       VERDICT(NFT_JUMP, "inside") };
static const NftTerm to_direct[] = { VERDICT(NFT_GOTO, "direct") };

/* A container speaks from its network's subnet only; 0.0.0.0 is DHCP's. */
static const NftTerm spoofed[] = { IS_IPV4,
                                   SADDR4(NFT_REG_1),
                                   NON_ZERO(NFT_REG_1),
                                   IIF(NFT_REG_1),
                                   SADDR4(NFT_REG_2),
                                   NOT_IN("home4", NFT_REG_1),
                                   DROP };
static const NftTerm from_internal_network[] = { IIF(NFT_REG_1), IN("internal", NFT_REG_1),
                                                 VERDICT(NFT_GOTO, "leaving_internal") };
/* An internal network reaches nothing but itself, whatever routes a container makes. */
static const NftTerm leaving_internal[] = { IS_IPV4, IIF(NFT_REG_1), DADDR4(NFT_REG_2),
                                            NOT_IN("home4", NFT_REG_1), DROP };
/* Link-local addresses are its neighbours', never the host's own. */
static const NftTerm host_link_local[] = { IS_IPV4,
                                           NETWORK(16, 2, NFT_REG_1),
                                           { NFT_TERM_COMPARE, .reg = NFT_REG_1, .a = NFT_CMP_EQ,
                                             .data = { 169, 254 }, .data_length = 2 },
                                           DADDR_LOCAL(NFT_CMP_EQ),
                                           DROP };
/* A container's own address is no address for the outside; the host's, though on a bridge, are. */
static const NftTerm direct[] = { IS_IPV4,
                                  DADDR4(NFT_REG_1),
                                  IN("guard4", NFT_REG_1),
                                  IIF(NFT_REG_1),
                                  DADDR4(NFT_REG_2),
                                  NOT_IN("home4", NFT_REG_1),
                                  NOT_IN("trusted4", NFT_REG_1),
                                  DADDR_LOCAL(NFT_CMP_NEQ),
                                  DROP };
/* The same of IPv6, where :: is a neighbour's question whether an address is free. The kernel
 * itself drops what claims to come for ::1 from outside. */
static const NftTerm spoofed6[] = { IS_IPV6,
                                    SADDR6_IS_ROUTED,
                                    SADDR6(NFT_REG_2),
                                    NON_ZERO6(NFT_REG_2),
                                    IIF(NFT_REG_1),
                                    NOT_IN("home6", NFT_REG_1),
                                    DROP };
static const NftTerm leaving_internal6[] = {
        IS_IPV6,           DADDR6_IS_ROUTED,           IIF(NFT_REG_1),
        DADDR6(NFT_REG_2), NOT_IN("home6", NFT_REG_1), DROP
};
static const NftTerm direct6[] = { IS_IPV6,
                                   DADDR6(NFT_REG_1),
                                   IN("guard6", NFT_REG_1),
                                   IIF(NFT_REG_1),
                                   DADDR6(NFT_REG_2),
                                   NOT_IN("home6", NFT_REG_1),
                                   NOT_IN("trusted6", NFT_REG_1),
                                   DADDR_LOCAL(NFT_CMP_NEQ),
                                   DROP };

/* ---- publish: from a host port to a container's ---- */

static const NftTerm publish_address[] = { IS_IPV4,
                                           DADDR4(NFT_REG_1),
                                           META(NFT_META_L4PROTO, NFT_REG32_01),
                                           DPORT(NFT_REG32_02),
                                           MAPPED("pub4_ip", NFT_REG_1, NFT_REG_1),
                                           DNAT_TO(NFPROTO_IPV4, NFT_REG_1, NFT_REG32_01) };
static const NftTerm publish_any[] = { IS_IPV4, META(NFT_META_L4PROTO, NFT_REG_1),
                                       DPORT(NFT_REG32_01),
                                       MAPPED("pub4_any", NFT_REG_1, NFT_REG_1),
                                       DNAT_TO(NFPROTO_IPV4, NFT_REG_1, NFT_REG32_01) };
static const NftTerm publish_address6[] = { IS_IPV6,
                                            DADDR6(NFT_REG_1),
                                            META(NFT_META_L4PROTO, NFT_REG32_04),
                                            DPORT(NFT_REG32_05),
                                            MAPPED("pub6_ip", NFT_REG_1, NFT_REG_1),
                                            DNAT_TO(NFPROTO_IPV6, NFT_REG_1, NFT_REG32_04) };
static const NftTerm publish_any6[] = { IS_IPV6, META(NFT_META_L4PROTO, NFT_REG_1),
                                        DPORT(NFT_REG32_01),
                                        MAPPED("pub6_any", NFT_REG_1, NFT_REG_1),
                                        DNAT_TO(NFPROTO_IPV6, NFT_REG_1, NFT_REG32_04) };
static const NftTerm to_host[] = { DADDR_LOCAL(NFT_CMP_EQ), VERDICT(NFT_JUMP, "publish") };

/* ---- nat_out: whose answers would not come back here otherwise ---- */

/* A container that asks the host's address for a port of its own network, or of itself. It is told
 * by its source, not by the link that it came through: br_netfilter knows none by now. */
static const NftTerm hairpin[] = {
        IS_DNATED, IS_IPV4, OIF(NFT_REG_1), SADDR4(NFT_REG_2), IN("home4", NFT_REG_1), MASQUERADE
};
static const NftTerm hairpin6[] = {
        IS_DNATED, IS_IPV6, OIF(NFT_REG_1), SADDR6(NFT_REG_2), IN("home6", NFT_REG_1), MASQUERADE
};
static const NftTerm from_loopback[] = {
        IS_DNATED, IS_IPV4, FROM_LOOPBACK, OIF(NFT_REG_1), IN("bridges", NFT_REG_1), MASQUERADE
};
static const NftTerm snat[] = { IS_IPV4,
                                OIF(NFT_REG_1),
                                SADDR4(NFT_REG_2),
                                NOT_IN("home4", NFT_REG_1),
                                NOT_LO(NFT_REG_1),
                                SADDR4(NFT_REG_1),
                                MAPPED("snat4", NFT_REG_1, NFT_REG_1),
                                SNAT_TO(NFPROTO_IPV4, NFT_REG_1) };
static const NftTerm snat6[] = { IS_IPV6,
                                 OIF(NFT_REG_1),
                                 SADDR6(NFT_REG_2),
                                 NOT_IN("home6", NFT_REG_1),
                                 NOT_LO(NFT_REG_1),
                                 SADDR6(NFT_REG_1),
                                 MAPPED("snat6", NFT_REG_1, NFT_REG_1),
                                 SNAT_TO(NFPROTO_IPV6, NFT_REG_1) };
static const NftTerm egress[] = { IS_IPV4,        SADDR4(NFT_REG_1), IN("masq4", NFT_REG_1),
                                  OIF(NFT_REG_1), SADDR4(NFT_REG_2), NOT_IN("home4", NFT_REG_1),
                                  OIF(NFT_REG_1), NOT_LO(NFT_REG_1), MASQUERADE };
static const NftTerm from_loopback6[] = {
        IS_DNATED, IS_IPV6, IS_LOOPBACK6(SADDR6), OIF(NFT_REG_1), IN("bridges", NFT_REG_1),
        MASQUERADE
};
static const NftTerm egress6[] = { IS_IPV6,        SADDR6(NFT_REG_1), IN("masq6", NFT_REG_1),
                                   OIF(NFT_REG_1), SADDR6(NFT_REG_2), NOT_IN("home6", NFT_REG_1),
                                   OIF(NFT_REG_1), NOT_LO(NFT_REG_1), MASQUERADE };

/* ---- forward ---- */

static const NftTerm not_ours[] = { IIF(NFT_REG_1), NOT_IN("bridges", NFT_REG_1), OIF(NFT_REG_1),
                                    NOT_IN("bridges", NFT_REG_1), VERDICT(NFT_GOTO, "foreign") };
/* Others' connections, too: chain closed has nothing against them either. */
static const NftTerm known[] = { IS_KNOWN, ACCEPT };
static const NftTerm invalid[] = { IS_INVALID, DROP };
/* What a policy forbids is dropped there; else the others decide. */
static const NftTerm policies[] = { VERDICT(NFT_JUMP, POLICY_CHAIN) };
/* Only isolated ports (icc off), policies, a hairpin or br_netfilter bring a bridge's own packets
 * here. */
static const NftTerm neighbours[] = { IIF(NFT_REG_1),
                                      OIF(NFT_REG_2),
                                      IN("same", NFT_REG_1),
                                      IIF(NFT_REG_1),
                                      NOT_IN("icc_off", NFT_REG_1),
                                      ACCEPT };
static const NftTerm to_internal[] = { OIF(NFT_REG_1), IN("internal", NFT_REG_1), DROP };
static const NftTerm from_internal[] = { IIF(NFT_REG_1), IN("internal", NFT_REG_1), DROP };
static const NftTerm published[] = { IS_DNATED, ACCEPT };
/* What follows is for packets from elsewhere. */
static const NftTerm apart[] = { IIF(NFT_REG_1), OIF(NFT_REG_2), IN("same", NFT_REG_1), DROP };
static const NftTerm trusted[] = { IS_IPV4, IIF(NFT_REG_1), DADDR4(NFT_REG_2),
                                   IN("trusted4", NFT_REG_1), ACCEPT };
static const NftTerm trusted6[] = { IS_IPV6, IIF(NFT_REG_1), DADDR6(NFT_REG_2),
                                    IN("trusted6", NFT_REG_1), ACCEPT };
static const NftTerm unprotected[] = { IS_IPV4, DADDR4(NFT_REG_1), IN("unprotected4", NFT_REG_1),
                                       ACCEPT };
static const NftTerm unprotected6[] = { IS_IPV6, DADDR6(NFT_REG_1), IN("unprotected6", NFT_REG_1),
                                        ACCEPT };
static const NftTerm opened[] = { IS_IPV4,
                                  DADDR4(NFT_REG_1),
                                  META(NFT_META_L4PROTO, NFT_REG32_01),
                                  DPORT(NFT_REG32_02),
                                  IN("open4", NFT_REG_1),
                                  ACCEPT };
static const NftTerm opened6[] = { IS_IPV6,
                                   DADDR6(NFT_REG_1),
                                   META(NFT_META_L4PROTO, NFT_REG32_04),
                                   DPORT(NFT_REG32_05),
                                   IN("open6", NFT_REG_1),
                                   ACCEPT };
/* As Docker has it, a routed container answers pings. */
static const NftTerm pinged[] = { IS_IPV4,
                                  DADDR4(NFT_REG_1),
                                  IN("routed4", NFT_REG_1),
                                  META(NFT_META_L4PROTO, NFT_REG_1),
                                  EQUALS_BYTE(NFT_REG_1, IPPROTO_ICMP),
                                  ACCEPT };
static const NftTerm pinged6[] = { IS_IPV6,
                                   DADDR6(NFT_REG_1),
                                   IN("routed6", NFT_REG_1),
                                   META(NFT_META_L4PROTO, NFT_REG_1),
                                   EQUALS_BYTE(NFT_REG_1, IPPROTO_ICMPV6),
                                   ACCEPT };
/* Another network's container, a neighbour with icc off, or a port that is not published. */
static const NftTerm unpublished[] = { OIF(NFT_REG_1), IN("bridges", NFT_REG_1), DROP };

const NftRule ruleset_rules[] = {
        RULE("guard", remote_loopback),
        RULE("guard", from_known),
        RULE("guard", from_known6),
        RULE("guard", from_inside),
        RULE("guard", to_direct),
        RULE("inside", spoofed),
        RULE("inside", spoofed6),
        RULE("inside", from_internal_network),
        RULE("leaving_internal", leaving_internal),
        RULE("leaving_internal", host_link_local),
        RULE("leaving_internal", leaving_internal6),
        RULE("direct", direct),
        RULE("direct", direct6),
        RULE("publish", publish_address),
        RULE("publish", publish_address6),
        RULE("publish", publish_any),
        RULE("publish", publish_any6),
        RULE("nat_in", to_host),
        RULE("nat_local", to_host),
        RULE("nat_out", hairpin),
        RULE("nat_out", hairpin6),
        RULE("nat_out", from_loopback),
        RULE("nat_out", from_loopback6),
        RULE("nat_out", snat),
        RULE("nat_out", snat6),
        RULE("nat_out", egress),
        RULE("nat_out", egress6),
        RULE("forward", known),
        RULE("forward", not_ours),
        RULE("forward", invalid),
        RULE("forward", policies),
        RULE("forward", neighbours),
        RULE("forward", to_internal),
        RULE("forward", from_internal),
        RULE("forward", published),
        RULE("forward", apart),
        RULE("forward", trusted),
        RULE("forward", trusted6),
        RULE("forward", unprotected),
        RULE("forward", unprotected6),
        RULE("forward", opened),
        RULE("forward", opened6),
        RULE("forward", pinged),
        RULE("forward", pinged6),
        RULE("forward", unpublished),
};
const size_t ruleset_rule_count = ELEMENTS(ruleset_rules);

static const NftTerm to_loopback6[] = { IS_IPV6, IS_LOOPBACK6(DADDR6), VERDICT(NFT_RETURN, NULL) };
const NftRule ruleset_no_loopback6 = RULE("publish", to_loopback6);

/* ---- closed ---- */

static const NftTerm close_foreign[] = { IS_IPV4, VERDICT(NFT_GOTO, "closed") };
static const NftTerm close_foreign6[] = { IS_IPV6, VERDICT(NFT_GOTO, "closed6") };
static const NftTerm closed_known[] = { IS_KNOWN, ACCEPT };
static const NftTerm closed_drop[] = { DROP };

static const NftRule closed_rules[] = {
        RULE("foreign", close_foreign),
        RULE("closed", closed_known),
        RULE("closed", closed_drop),
};
static const NftRule closed_rules6[] = {
        RULE("foreign", close_foreign6),
        RULE("closed6", closed_known),
        RULE("closed6", closed_drop),
};

const RulesetClosed ruleset_closed[RULESET_CLOSED_COUNT] = {
        { AF_INET, { "closed", NULL, 0, 0 }, closed_rules, ELEMENTS(closed_rules) },
        { AF_INET6, { "closed6", NULL, 0, 0 }, closed_rules6, ELEMENTS(closed_rules6) },
};
