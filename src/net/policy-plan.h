/* policy-plan.h: what policies come to in a firewall. Containers that no selector tells apart are
 * one class, so what may pass is said of classes, not of pairs of containers. What was computed of
 * a class is kept. Pure: knows no firewall. */
#pragma once

#include "net/policy.h"

#define POLICY_BLOCKS_MAX 4096 /* of addresses, for one class and direction */

typedef struct PolicyClass {
        uint32_t number; /* never 0 */
        size_t index;    /* in its plan */
        PolicyPod pod;   /* one that is like all of it; the plan's own */
        Pairs labels;
        bool selected[POLICY_DIRECTIONS];
        bool used; /* policy_elements's: a container is of it */
        struct PolicyMemo *memo;
} PolicyClass;

typedef struct PolicyPlan PolicyPlan;

/* policies are lent and must outlive the plan. No class has a number that one of the plan before it
 * has, which may be NULL: the firewall knows both for a moment. */
PolicyPlan *policy_plan_new(const Policy *policies, size_t count, const PolicyPlan *before);
PolicyPlan *policy_plan_free(PolicyPlan *plan);
DEFINE_CLEANUP(PolicyPlan *, policy_plan_free)

/* The pod's class, made if there is none yet; the plan's own. */
PolicyClass *policy_plan_class(PolicyPlan *plan, const PolicyPod *pod);
size_t policy_plan_classes(const PolicyPlan *plan, PolicyClass ***ret); /* borrowed */

/* What selectors let the class do with another class; the plan's own. */
const PortSet *policy_plan_ports(PolicyPlan *plan, PolicyDirection direction, PolicyClass *class,
                                 const PolicyClass *peer);

/* What rules for addresses, and for everybody, let it do: disjoint ranges of addresses of the
 * family, in order, each with its ports; the plan's own. */
typedef struct PolicySpan {
        IpAddress first, last;
        PortSet ports;
} PolicySpan;
typedef struct PolicySpans {
        PolicySpan *items;
        size_t count;
        bool known;
} PolicySpans;
int policy_plan_spans(PolicyPlan *plan, PolicyDirection direction, PolicyClass *class, int family,
                      const PolicySpans **ret, Error *err);
