/* guest.h: the parts of brig-drill-guest. */
#pragma once

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* guest-network.c; each is one of `guest NAME`'s, see guest.c. */
int try_advertisements(void);
int try_peers(void);
int try_ports(void);
int ask_name(void);
int serve_names(void);
int look_at_source(void);
int claim_address(void);
int send_forever(void);
