/* lan.h: networks whose containers are on the LAN of one of the host's links: what macvlan and
 * ipvlan share. Their packets do not pass through this host. */
#pragma once

#include "net/state.h"
#include "os/rtnetlink.h"

typedef struct LanKind {
        RtnlSublinkKind sublink;
        const char *own_parent; /* how the name of a network's own parent begins */
        /* Refuses a network beside another one of the same kind upon the same parent. */
        int (*check_beside)(const Network *network, const Network *other, Error *err);
} LanKind;

/* One value of an option, and what it means to the kernel. */
typedef struct LanWord {
        const char *word;
        uint32_t value;
} LanWord;

/* The value of the option, which is one of words; the first where it is not given. False: it is
 * none of them. */
bool lan_option(const Network *network, const char *option, const LanWord *words, size_t count,
                uint32_t *ret);
/* Takes over the options that both have: parent and MTU. */
int lan_configure(Network *network, const LanKind *kind, Error *err);

/* Of NetDriver. */
int lan_create(const Net *net, Network *network, Error *err);
int lan_remove(const Net *net, Network *network, Error *err);
int lan_join(Net *net, Member *member, int netns_fd, Error *err);
void lan_leave(Net *net, Member *member);
bool lan_rejoin(Member *member, int netns_fd);
