/* ruleset-policy.h: what of the tables "brig" enforces network policies, as data: sets and chains
 * beside ruleset.h's in the inet family, and what is there only while there are policies: chain
 * "input" and a table of the bridge family. */
#pragma once

#include "net/ruleset.h"

/* What ruleset.c's chain "forward" jumps to with new connections. */
#define POLICY_CHAIN "policies"

typedef struct RulesetPart {
        const NftSet *sets;
        size_t set_count;
        const NftChain *chains;
        size_t chain_count;
        const NftRule *rules;
        size_t rule_count;
} RulesetPart;

extern const RulesetPart ruleset_policy; /* family inet */
extern const RulesetPart ruleset_input;  /* family inet, while there are policies */
extern const RulesetPart ruleset_bridge; /* family bridge */
#define BRIDGE_CHAIN "route"             /* one of it: to see whether the table is there */
