/* policy-elements.h: a plan and the endpoints that it is for, as elements of the sets of
 * ruleset-policy.c. Knows neither the kernel nor who is on a network: policing.c does. */
#pragma once

#include "net/policy-plan.h"
#include "os/nfnetlink.h"

#define POLICY_ELEMENTS_MAX 65536 /* of what is allowed, for all containers together */
#define POLICY_MAC_LENGTH 6

typedef struct PolicyElement {
        bool bridge; /* of the bridge family's table, else of the inet family's */
        NftElement element;
} PolicyElement;

typedef struct PolicyElements {
        PolicyElement *items;
        size_t count;
} PolicyElements;

typedef struct PolicyEndpoint {
        const char *link; /* the bridge's port */
        const IpAddress *addresses;
        size_t address_count; /* those of no family are none */
        PolicyClass *class;
        bool beside_selected;              /* its network has an endpoint that a policy selects */
        uint8_t router[POLICY_MAC_LENGTH]; /* the bridge's own hardware address */
} PolicyEndpoint;

/* All that must be in the sets, in order, each once. */
int policy_elements(PolicyPlan *plan, const PolicyEndpoint *endpoints, size_t count,
                    PolicyElements *ret, Error *err);
/* base, and what `other` allows to classes to which base allows nothing; in order. */
void policy_elements_with(const PolicyElements *base, const PolicyElements *other,
                          PolicyElements *ret);
void policy_elements_done(PolicyElements *elements);
int policy_element_compare(const void *left, const void *right);
