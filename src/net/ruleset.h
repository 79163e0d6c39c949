/* ruleset.h: the chains, sets and rules of the table "brig", as data. */
#pragma once

#include "os/nfnetlink.h"

#define RULESET_TABLE "brig"

extern const NftChain ruleset_chains[];
extern const size_t ruleset_chain_count;
extern const NftSet ruleset_sets[];
extern const size_t ruleset_set_count;
extern const NftRule ruleset_rules[];
extern const size_t ruleset_rule_count;
/* Before the others where br_netfilter shows IPv6 packets: answers for ::1 would be lost on a
 * bridge, so nobody is to wait for them. */
extern const NftRule ruleset_no_loopback6;

/* Added when the host is closed to foreign traffic of a family; the chain's presence is the record
 * of it. */
typedef struct RulesetClosed {
        int family;
        NftChain chain;
        const NftRule *rules;
        size_t count;
} RulesetClosed;
#define RULESET_CLOSED_COUNT 2
extern const RulesetClosed ruleset_closed[RULESET_CLOSED_COUNT];
