/* dial.h: connections to a daemon that another program makes: brig-tls, as brig itself has no TLS,
 * and ssh. */
#pragma once

#include "cli/endpoint.h"

/* A connection to tcp://HOST:PORT, or a negative errno; the caller's. */
int dial_over_tls(const Endpoint *endpoint, Error *err);
/* The same to the daemon that `brig system dial-stdio` finds on ssh://[USER@]HOST[:PORT][/SOCKET].
 */
int dial_over_ssh(const char *url, Error *err);

/* The parts of such an address; -EINVAL. The caller frees them by ssh_address_done. */
typedef struct SshAddress {
        char *user, *host, *port, *path; /* NULL where it has none; never host */
} SshAddress;
int ssh_address_parse(const char *url, SshAddress *ret, Error *err);
void ssh_address_done(SshAddress *address);
