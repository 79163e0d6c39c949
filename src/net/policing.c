/* policing.c: see policing.h. The elements of all members are computed anew at each change and
 * compared with what the kernel has, so that only the difference goes there. */
#include "net/policing.h"

#include <errno.h>
#include <net/if.h>
#include <sys/ioctl.h>

#include "base/log.h"
#include "net/conntrack.h"
#include "net/state.h"
#include "os/rtnetlink.h"

void policing_done(Policing *policing) {
        policy_plan_free(policing->plan);
        policies_free(policing->policies, policing->count);
        policy_elements_done(&policing->applied);
        policy_elements_done(&policing->next);
        *policing = (Policing){ 0 };
}

static PolicyPod pod_of(const Member *member) {
        return (PolicyPod){ member->namespace ?: POLICY_NAMESPACE, &member->labels };
}

/* ---- what should be ---- */

/* The hardware address of a bridge; zeros, which lead nowhere, where it is gone. */
static void read_router(const char *bridge, uint8_t mac[POLICY_MAC_LENGTH]) {
        _cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        struct ifreq request = { 0 };

        memset(mac, 0, POLICY_MAC_LENGTH);
        (void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", bridge);
        if (fd >= 0 && ioctl(fd, SIOCGIFHWADDR, &request) == 0)
                memcpy(mac, request.ifr_hwaddr.sa_data, POLICY_MAC_LENGTH);
}

typedef struct Gathering {
        PolicyPlan *plan;
        PolicyEndpoint *endpoints;
        IpAddress (*addresses)[NET_FAMILIES];
        size_t count;
} Gathering;

static void gather_network(Gathering *to, const Network *network) {
        const size_t begin = to->count;
        uint8_t router[POLICY_MAC_LENGTH];
        bool selected = false;
        const char *container;
        Member *member;

        read_router(network->config.bridge, router);
        MAP_EACH(&network->members, container, member) {
                const PolicyPod pod = pod_of(member);
                PolicyEndpoint *endpoint = &to->endpoints[to->count];

                if (!member->enforced)
                        continue;
                for (size_t i = 0; i < NET_FAMILIES; i++)
                        to->addresses[to->count][i] = member->places[i].address;
                *endpoint = (PolicyEndpoint){ .link = member->endpoint.host_link,
                                              .addresses = to->addresses[to->count],
                                              .address_count = NET_FAMILIES,
                                              .class = policy_plan_class(to->plan, &pod) };
                memcpy(endpoint->router, router, POLICY_MAC_LENGTH);
                selected |= endpoint->class->selected[POLICY_EGRESS] ||
                            endpoint->class->selected[POLICY_INGRESS];
                to->count++;
        }
        for (size_t i = begin; i < to->count; i++)
                to->endpoints[i].beside_selected = selected;
}

static int compute(const Net *net, PolicyElements *ret, Error *err) {
        Gathering gathering = { .plan = net->policing.plan };
        const char *id;
        Network *network;
        size_t members = 0;
        int r;

        MAP_EACH(&net->networks, id, network)
                members += network->members.count;
        gathering.endpoints = NEW_ARRAY(PolicyEndpoint, members + 1);
        gathering.addresses = alloc_zero(members + 1, sizeof(*gathering.addresses));
        MAP_EACH(&net->networks, id, network)
                if (network->driver->routed)
                        gather_network(&gathering, network);
        r = policy_elements(gathering.plan, gathering.endpoints, gathering.count, ret, err);
        free(gathering.endpoints);
        free(gathering.addresses);
        return r;
}

/* ---- what changes ---- */

/* What is in `in` but not in `without`; both are sorted. */
static void subtract(const PolicyElements *in, const PolicyElements *without, PolicyElements *ret) {
        size_t at = 0;

        for (size_t i = 0; i < in->count; i++) {
                while (at < without->count &&
                       policy_element_compare(&without->items[at], &in->items[i]) < 0)
                        at++;
                if (at < without->count &&
                    policy_element_compare(&without->items[at], &in->items[i]) == 0)
                        continue;
                GROW(ret->items, ret->count);
                ret->items[ret->count++] = in->items[i];
        }
}

/* False: there is none. */
static bool queue_difference(Firewall *firewall, const PolicyElements *from,
                             const PolicyElements *to) {
        PolicyElements old = { 0 }, new = { 0 };
        bool any;

        subtract(from, to, &old);
        subtract(to, from, &new);
        any = old.count > 0 || new.count > 0;
        firewall_put_policy(firewall, &old, false);
        firewall_put_policy(firewall, &new, true);
        policy_elements_done(&old);
        policy_elements_done(&new);
        return any;
}

/* Takes what shall be in the kernel over. */
static void set_next(Policing *policing, const PolicyElements *next) {
        policy_elements_done(&policing->next);
        policing->next = *next;
        policing->queued = true;
}

int policing_put(Net *net, bool whole, Error *err) {
        Policing *policing = &net->policing;
        PolicyElements next = { 0 };
        int r = policing_is_on(policing) ? compute(net, &next, err) : 0;

        if (r < 0)
                return r;
        set_next(policing, &next);
        if (whole)
                firewall_put_policy(net->firewall, &next, true);
        else
                (void)queue_difference(net->firewall, &policing->applied, &next);
        return 0;
}

/* What the kernel knows between what it has and `next`; see policing_change. */
typedef enum Between { FRESH_CLASSES, OTHER_CLASSES, NO_OLD_CLASSES, STEPS } Between;

static void elements_between(const PolicyElements *applied, const PolicyElements *next,
                             Between step, PolicyElements *ret) {
        const PolicyElements none = { 0 };

        if (step == FRESH_CLASSES)
                policy_elements_with(applied, next, ret);
        else
                policy_elements_with(next, step == OTHER_CLASSES ? applied : &none, ret);
}

int policing_change(Net *net, Error *err) {
        Policing *policing = &net->policing;
        PolicyElements next = { 0 };
        int r = policing_is_on(policing) ? compute(net, &next, err) : 0;

        for (Between step = FRESH_CLASSES; r == 0 && step < STEPS; step++) {
                PolicyElements target;

                elements_between(&policing->applied, &next, step, &target);
                set_next(policing, &target);
                if (queue_difference(net->firewall, &policing->applied, &target))
                        r = net_apply_queued(net, err);
                else
                        policing_settle(net, true);
        }
        policy_elements_done(&next);
        return r;
}

void policing_settle(Net *net, bool done) {
        Policing *policing = &net->policing;

        if (done && policing->queued) {
                policy_elements_done(&policing->applied);
                policing->applied = policing->next;
                policing->next = (PolicyElements){ 0 };
        }
        policing->queued = false;
}

/* ---- members ---- */

/* The first policy that selects the pod; NULL: it is open. */
static const Policy *selecting(const Policing *policing, const PolicyPod *pod) {
        for (size_t i = 0; i < policing->count; i++)
                for (PolicyDirection d = 0; d < POLICY_DIRECTIONS; d++)
                        if (policy_selects(&policing->policies[i], pod, d))
                                return &policing->policies[i];
        return NULL;
}

int policing_check(const Net *net, const Member *member, Error *err) {
        const PolicyPod pod = pod_of(member);
        const Policy *policy = selecting(&net->policing, &pod);

        if (!policy || member->network->driver->routed || !member->network->driver->addresses)
                return 0;
        return error_kind(err, ERROR_FORBIDDEN,
                          "policy %s/%s selects container %s, and policies cannot be enforced on "
                          "network %s of driver %s: put it on a network of driver bridge",
                          policy->namespace, policy->name,
                          member->endpoint.container_name ?: member->endpoint.container_id,
                          member->network->config.name, member->network->config.driver);
}

int policing_admit(Net *net, Member *member, Error *err) {
        int r;

        if (!policing_is_on(&net->policing))
                return 0;
        r = policing_check(net, member, err);
        if (r < 0 || !member->network->driver->routed)
                return r;
        member->enforced = true;
        r = policing_put(net, false, err);
        if (r == 0)
                r = net_apply_queued(net, err);
        if (r < 0)
                member->enforced = false;
        return r < 0 ? error_prefix(err, "apply the network policies to container %s",
                                    member->endpoint.container_name ?: "")
                     : 0;
}

void policing_dismiss(Net *net, Member *member) {
        Error err = { 0 };
        int r;

        if (!member->enforced)
                return;
        member->enforced = false;
        r = policing_put(net, false, &err);
        if (r == 0)
                r = net_apply_queued(net, &err);
        if (r < 0)
                log_error("take container %.12s out of the network policies: %s",
                          member->endpoint.container_id, err.message);
        for (size_t i = 0; i < NET_FAMILIES; i++)
                if (member->places[i].address.family)
                        reaper_forget_address(net->reaper, member->places[i].address);
}

/* ---- connections ---- */

typedef struct Holder {
        IpAddress address;
        const Member *member; /* NULL: the host itself */
} Holder;

typedef struct Sweep {
        const Policing *policing;
        Holder *holders; /* sorted */
        size_t count;
} Sweep;

static int compare_holders(const void *left, const void *right) {
        const IpAddress a = ((const Holder *)left)->address, b = ((const Holder *)right)->address;

        if (a.family != b.family)
                return a.family < b.family ? -1 : 1;
        return a.number < b.number ? -1 : a.number > b.number;
}

static void add_holder(Sweep *sweep, IpAddress address, const Member *member) {
        if (!address.family)
                return;
        GROW(sweep->holders, sweep->count);
        sweep->holders[sweep->count++] = (Holder){ address, member };
}

static void on_host_address(void *data, const RtnlAddress *address) {
        add_holder(data, address->address, NULL);
}

static int gather_holders(Net *net, Sweep *sweep, Error *err) {
        _cleanup_(rtnl_closep) Rtnl *rtnl = NULL;
        const char *id, *container;
        Network *network;
        Member *member;
        int r = rtnl_open(&rtnl, err);

        if (r == 0)
                r = rtnl_each_address(rtnl, on_host_address, sweep, err);
        if (r < 0)
                return r;
        MAP_EACH(&net->networks, id, network)
                for (size_t cursor = 0;
                     map_next(&network->members, &cursor, &container, (void **)&member);)
                        for (size_t i = 0; member->enforced && i < NET_FAMILIES; i++)
                                add_holder(sweep, member->places[i].address, member);
        if (sweep->count > 1)
                qsort(sweep->holders, sweep->count, sizeof(Holder), compare_holders);
        return 0;
}

static const Holder *find_holder(const Sweep *sweep, IpAddress address) {
        const Holder key = { .address = address };

        return sweep->count ? bsearch(&key, sweep->holders, sweep->count, sizeof(Holder),
                                      compare_holders)
                            : NULL;
}

/* What comes from the host is always allowed. */
static bool is_forbidden(void *data, const ConntrackFlow *flow) {
        const Sweep *sweep = data;
        const Holder *from = find_holder(sweep, flow->source);
        const Holder *to = find_holder(sweep, flow->answerer);
        PolicyReason reasons[POLICY_DIRECTIONS];
        PolicyPod pods[2];

        if (to && !to->member)
                to = NULL;
        if ((!from && !to) || (from && !from->member) || (from && to && from->member == to->member))
                return false;
        if (from)
                pods[0] = pod_of(from->member);
        if (to)
                pods[1] = pod_of(to->member);
        return !policies_decide(sweep->policing->policies, sweep->policing->count,
                                (PolicyParty){ from ? &pods[0] : NULL, flow->source },
                                (PolicyParty){ to ? &pods[1] : NULL, flow->answerer },
                                flow->protocol, flow->answerer_port, reasons);
}

/* The socket stays open: its close could wait for as long as the kernel frees what was removed from
 * nftables. */
static int forget_forbidden(Net *net, Sweep *sweep, Error *err) {
        int r = net->conntrack_fd < 0 ? conntrack_open(&net->conntrack_fd, err) : 0;

        if (r < 0)
                return r;
        conntrack_wait_for_packets();
        r = conntrack_forget_if(net->conntrack_fd, is_forbidden, sweep, err);
        if (r < 0) /* what is left of a list in it would be taken for the next one */
                close_fd(&net->conntrack_fd);
        return r;
}

int policing_sweep(Net *net, Error *err) {
        Sweep sweep = { .policing = &net->policing };
        int r = gather_holders(net, &sweep, err);

        if (r == 0)
                r = forget_forbidden(net, &sweep, err);
        free(sweep.holders);
        return r;
}

/* ---- public ---- */

/* Who is on a network now is judged from now on, or no longer. */
static int set_enforced(Net *net, Error *err) {
        const char *id, *container;
        Network *network;
        Member *member;
        int r = 0;

        MAP_EACH(&net->networks, id, network)
                for (size_t cursor = 0;
                     map_next(&network->members, &cursor, &container, (void **)&member);) {
                        if (r == 0 && member->joined)
                                r = policing_check(net, member, err);
                        member->enforced = policing_is_on(&net->policing) &&
                                           network->driver->routed &&
                                           !str_empty(member->endpoint.host_link);
                }
        firewall_enforce(net->firewall, policing_is_on(&net->policing));
        return r;
}

/* The first policy and the last bring or take a table, which goes with the whole. */
static int apply_policies(Net *net, bool was_on, Error *err) {
        int r = set_enforced(net, err);

        if (r < 0)
                return r;
        if (was_on != policing_is_on(&net->policing))
                return net_apply(net, err);
        return policing_change(net, err);
}

static void exchange(Policing *policing, Policy **policies, size_t *count, PolicyPlan **plan) {
        const Policing old = *policing;

        policing->policies = *policies;
        policing->count = *count;
        policing->plan = *plan;
        *policies = old.policies;
        *count = old.count;
        *plan = old.plan;
}

static int replace_policies(Net *net, Policy *policies, size_t count, Error *err) {
        Policing *policing = &net->policing;
        PolicyPlan *plan = policy_plan_new(policies, count, policing->plan);
        const bool was_on = policing_is_on(policing);
        Error why = { 0 };
        int r;

        exchange(policing, &policies, &count, &plan);
        r = apply_policies(net, was_on, err);
        if (r == 0)
                r = policing_sweep(net, err);
        if (r < 0) {
                exchange(policing, &policies, &count, &plan);
                if (apply_policies(net, count > 0, &why) < 0 || policing_sweep(net, &why) < 0)
                        log_error("go back to the network policies before: %s", why.message);
                policy_plan_free(plan);
                return r;
        }
        policy_plan_free(plan);
        policies_free(policies, count);
        return 0;
}

/* Without a table: at the daemon's start, or in a second one, whose containers no policy may select
 * as it has no network that could protect them. */
static int keep_policies(Net *net, Policy *policies, size_t count, Error *err) {
        Policing *policing = &net->policing;
        PolicyPlan *plan = policy_plan_new(policies, count, policing->plan);
        int r;

        exchange(policing, &policies, &count, &plan);
        r = set_enforced(net, err);
        if (r < 0) {
                exchange(policing, &policies, &count, &plan);
                (void)set_enforced(net, NULL); /* they were accepted before */
        } else {
                policies_free(policies, count);
        }
        policy_plan_free(plan);
        return r;
}

int net_set_policies(Net *net, Policy *policies, size_t count, Error *err) {
        int r;

        net_lock(net);
        r = firewall_applied(net->firewall) ? replace_policies(net, policies, count, err)
                                            : keep_policies(net, policies, count, err);
        net_unlock(net);
        return r;
}
