/* upstream.h: the servers that containers' questions are forwarded to: a list that was given, or
 * the host's own as they are at the time. */
#pragma once

#include <sys/socket.h>
#include <sys/stat.h>

#include "base/error.h"

/* Three are asked, as in resolv.conf(5); more would only make a client wait longer. */
#define SERVERS_MAX 3

typedef struct Servers {
        struct sockaddr_storage names[SERVERS_MAX];
        size_t count;
} Servers;

/* The first three of `texts`, each an address, an IPv6 one perhaps with its link ("fe80::1%eth0").
 * Invalid for one that is none. */
int servers_parse(char *const *texts, Servers *ret, Error *err);
socklen_t server_length(const struct sockaddr_storage *server);

/* What was read of the host's /etc/resolv.conf. Zeroed to begin with; one thread's. */
typedef struct HostServers {
        Servers servers;
        struct stat read;  /* the file then */
        int64_t looked_at; /* clock_monotonic; 0: never */
} HostServers;

/* The host's servers. A file that changed is read again; whether it did is looked at once a second
 * at most. Lines that name no address are passed over, as the C library does. */
const Servers *host_servers(HostServers *host);
