/* policy-plan.h: what policies come to in a firewall. Containers that no selector tells apart are
 * one class, so what may pass is said between classes and blocks of addresses, not between pairs of
 * containers. Pure: knows no firewall. */
#pragma once

#include "net/policy.h"

#define POLICY_BLOCKS_MAX 4096 /* of addresses, for one class and direction */

typedef struct PolicyClass {
        uint32_t number; /* never 0 */
        PolicyPod pod;   /* one that is like all of it; the plan's own */
        Pairs labels;
        bool selected[POLICY_DIRECTIONS];
} PolicyClass;

typedef struct PolicyPlan PolicyPlan;

/* policies are lent and must outlive the plan. */
PolicyPlan *policy_plan_new(const Policy *policies, size_t count);
PolicyPlan *policy_plan_free(PolicyPlan *plan);
DEFINE_CLEANUP(PolicyPlan *, policy_plan_free)

/* The pod's class, made if there is none yet; the plan's own. */
PolicyClass *policy_plan_class(PolicyPlan *plan, const PolicyPod *pod);
size_t policy_plan_classes(const PolicyPlan *plan, PolicyClass ***ret); /* borrowed */

/* What selectors let the class do with another class. *ret must be zeroed. */
void policy_plan_ports(const PolicyPlan *plan, PolicyDirection direction, const PolicyClass *class,
                       const PolicyClass *peer, PortSet *ret);

/* What rules for addresses, and for everybody, let it do: disjoint ranges of addresses of the
 * family, in order, each with its ports. */
typedef struct PolicySpan {
        IpAddress first, last;
        PortSet ports;
} PolicySpan;
int policy_plan_spans(const PolicyPlan *plan, PolicyDirection direction, const PolicyClass *class,
                      int family, PolicySpan **ret, size_t *ret_count, Error *err);
void policy_spans_free(PolicySpan *spans, size_t count);
