/* ip.h: addresses and subnets of both IP families, as numbers that can be counted with and as text
 * (RFC 791, RFC 4291, RFC 4632; IPv6 is written as RFC 5952 says). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/error.h"

__extension__ typedef unsigned __int128 IpNumber;

typedef struct IpAddress {
        IpNumber number; /* host byte order; an IPv4 address in the lower 32 bits */
        int family;      /* AF_INET, AF_INET6; 0: no address */
} IpAddress;

typedef struct Subnet {
        IpAddress address; /* the network's own, host bits 0 */
        unsigned prefix;
} Subnet;

#define IP_TEXT_MAX 50 /* the longest IPv6 address, "/128" and a NUL */
#define IP_BYTES_MAX 16

/* The bits of an address: 32 or 128. */
unsigned ip_width(int family);
/* -EINVAL; NULL too is no address. */
int ip_parse(const char *text, IpAddress *ret);
void ip_format(IpAddress address, char text[IP_TEXT_MAX]);
/* Writes the address in network byte order, as the kernel and DNS have it: 4 or 16 bytes, whose
 * number is returned. */
size_t ip_bytes(IpAddress address, uint8_t *bytes);
/* family: AF_INET or AF_INET6, of as many bytes. */
IpAddress ip_from_bytes(int family, const void *bytes);
bool ip_equal(IpAddress a, IpAddress b);
static inline bool ip_is_any(IpAddress address) { /* 0.0.0.0 or :: */
        return address.family && !address.number;
}
static inline bool ip_is_link_local(IpAddress address) { /* 169.254.0.0/16, fe80::/10 */
        return address.family == AF_INET ? address.number >> 16 == 0xa9fe
                                         : address.family && address.number >> 118 == 0x3fa;
}

/* "172.28.0.0/16", "fd00:1::/64". -EINVAL for what is no such text; -ERANGE, with *ret what it
 * should be, for an address with host bits. */
int cidr_parse(const char *text, Subnet *ret);
/* The same with Docker's words for what is refused. */
int subnet_parse(const char *text, Subnet *ret, Error *err);
void subnet_format(Subnet subnet, char text[IP_TEXT_MAX]);
IpNumber subnet_host_mask(Subnet subnet);
IpNumber subnet_last(Subnet subnet);
bool subnet_has(Subnet subnet, IpAddress address);
bool subnets_overlap(Subnet a, Subnet b); /* never those of two families */
