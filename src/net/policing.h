/* policing.h: the policies in force, and what of them is in the kernel. Decides nothing (policy.h
 * does); knows the networks' members. Net's lock guards it. */
#pragma once

#include "net/net.h"
#include "net/policy-elements.h"

typedef struct Network Network;
typedef struct Member Member;

typedef struct Policing {
        Policy *policies; /* its own */
        size_t count;
        PolicyPlan *plan;       /* of these policies; NULL: there are none */
        PolicyElements applied; /* what the kernel has */
        PolicyElements next;    /* what it has once the queued transaction is through */
        bool queued;            /* there is such a transaction */
} Policing;

void policing_done(Policing *policing);
static inline bool policing_is_on(const Policing *policing) {
        return policing->count > 0;
}

/* Queues what makes the kernel's elements those of all members that are `enforced`: every one of
 * them (whole: the table is new and empty), or what changed. */
int policing_put(Net *net, bool whole, Error *err);
/* After the transaction: whether it went through. */
void policing_settle(Net *net, bool done);

/* Makes the kernel's elements those of all members, where the container of an address may have
 * become one of another class. A packet looks its class up first and then what that may do, and the
 * kernel may take a change of the two sets over between the look-ups. So what fresh classes may do
 * is there before any address is of them, and what old ones could do is there until no address is:
 * a transaction each, and the change itself in one between them. */
int policing_change(Net *net, Error *err);
/* Whether policies can be enforced for a member: forbidden where its network's driver passes the
 * firewall by. */
int policing_check(const Net *net, const Member *member, Error *err);

/* Before a member gets its link: it is judged from now on, or (forbidden, unsupported) may not
 * join. Nothing where there are no policies. */
int policing_admit(Net *net, Member *member, Error *err);
/* After it lost its link: its connections are forgotten as well. */
void policing_dismiss(Net *net, Member *member);
/* Deletes the connections that no policy allows (any more). */
int policing_sweep(Net *net, Error *err);
