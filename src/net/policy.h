/* policy.h: network policies in Kubernetes' form (networking.k8s.io/v1, NetworkPolicy): read from
 * files, and asked who may reach whom. Pure: knows no firewall, and of containers only what
 * selectors look at. */
#pragma once

#include <stdint.h>

#include "base/ip.h"
#include "base/map.h"
#include "format/json.h"
#include "net/portset.h"

#define POLICY_NAMESPACE "default" /* of what names none */
#define POLICY_NAMESPACE_LABEL "kubernetes.io/metadata.name"

typedef enum PolicyDirection { POLICY_EGRESS, POLICY_INGRESS, POLICY_DIRECTIONS } PolicyDirection;
const char *policy_direction_name(PolicyDirection direction); /* "egress", "ingress" */

/* ---- documents ---- */

/* All must hold; none at all selects everything. */
typedef struct PolicySelector {
        Pairs labels;
        JsonArray expressions; /* of PolicyExpression */
} PolicySelector;

typedef struct PolicyExpression {
        char *key, *operator; /* In, NotIn, Exists, DoesNotExist */
        char **values;
} PolicyExpression;

typedef struct PolicyBlock {
        char *cidr;
        char **except;
} PolicyBlock;

typedef struct PolicyPeer {
        PolicySelector *pods, *namespaces; /* both: both must hold */
        PolicyBlock *block;
} PolicyPeer;

typedef struct PolicyPort {
        char *protocol;      /* NULL: TCP */
        json_object *number; /* NULL: every port of the protocol */
        int64_t *last;       /* endPort */
} PolicyPort;

typedef struct PolicyRule {
        JsonArray ports; /* of PolicyPort; empty: every port of every protocol */
        JsonArray peers; /* of PolicyPeer; empty: everybody */
} PolicyRule;

typedef struct Policy {
        char *api_version, *kind;
        char *name, *namespace;
        Pairs labels, annotations;
        PolicySelector *pods;
        JsonArray rules[POLICY_DIRECTIONS]; /* of PolicyRule */
        char **types;                       /* Ingress, Egress: never empty once it is read */
} Policy;

/* Reads one document, checked whole: a name that is not known, or a value that could mean anything
 * else than what is done, is refused with its path. *ret must be zeroed; policy_done it in any
 * case. */
int policy_read(json_object *document, Policy *ret, Error *err);
/* The same from a YAML file of one or more documents (also a List of them). Those without a
 * namespace are put into default_namespace. *ret: an array of *ret_count, the caller's with
 * policies_free. Names that come twice are refused. */
int policy_parse(const char *text, size_t length, const char *default_namespace, Policy **ret,
                 size_t *ret_count, Error *err);
json_object *policy_write(const Policy *policy); /* the document, the caller's reference */
void policy_done(Policy *policy);
void policies_free(Policy *policies, size_t count);
/* "namespace/name", the caller's. */
char *policy_key(const Policy *policy);
/* Whether text can be a name (RFC 1123, subdomain). */
bool policy_name_valid(const char *text);

/* ---- decisions ---- */

/* What selectors look at. Both are lent. */
typedef struct PolicyPod {
        const char *namespace;
        const Pairs *labels;
} PolicyPod;

/* One side of a connection; pod NULL: something outside. */
typedef struct PolicyParty {
        const PolicyPod *pod;
        IpAddress address;
} PolicyParty;

bool selector_matches(const PolicySelector *selector, const Pairs *labels);
/* Whether the policy selects the pod for that direction. */
bool policy_selects(const Policy *policy, const PolicyPod *pod, PolicyDirection direction);
/* Whether a rule's peer, in a policy of that namespace, is this party by its selectors (blocks do
 * not count), or by its block. */
bool peer_selects(const PolicyPeer *peer, const char *namespace, const PolicyPod *pod);
bool peer_has_address(const PolicyPeer *peer, IpAddress address);
/* Adds what the rule's ports are. */
void rule_add_ports(const PolicyRule *rule, PortSet *to);

/* On what ports pod, for its direction, may reach (egress) or be reached by (ingress) the peer:
 * everything where no policy selects it, else what any rule of any of these allows. *ret must be
 * zeroed; port_set_done it. True if a policy selects pod. */
bool policies_ports(const Policy *policies, size_t count, PolicyDirection direction,
                    const PolicyPod *pod, PolicyParty peer, PortSet *ret);

/* What decided in one direction: the first policy and rule that allows; else the first policy that
 * selects, and rule -1; else (open) no policy. */
typedef struct PolicyReason {
        bool allowed;
        const Policy *policy;
        int rule; /* from 0 */
} PolicyReason;

/* A new flow from one to the other, to that port of that protocol (IPPROTO_*; port 0 where the
 * protocol has none): allowed if both directions allow it. A side without a pod is open. */
bool policies_decide(const Policy *policies, size_t count, PolicyParty from, PolicyParty to,
                     uint8_t protocol, uint16_t port, PolicyReason reasons[POLICY_DIRECTIONS]);
