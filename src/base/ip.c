/* ip.c: see ip.h. */
#include "base/ip.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"

unsigned ip_width(int family) {
        return family == AF_INET ? 32 : 128;
}

/* ---- addresses ---- */

IpAddress ip_from_bytes(int family, const void *bytes) {
        const uint8_t *from = bytes;
        IpAddress address = { .family = family };

        for (size_t i = 0; i < ip_width(family) / 8; i++)
                address.number = address.number << 8 | from[i];
        return address;
}

size_t ip_bytes(IpAddress address, uint8_t *bytes) {
        size_t length = ip_width(address.family) / 8;

        for (size_t i = length; i-- > 0; address.number >>= 8)
                bytes[i] = (uint8_t)address.number;
        return length;
}

int ip_parse(const char *text, IpAddress *ret) {
        uint8_t bytes[IP_BYTES_MAX];

        for (size_t i = 0; text && i < 2; i++) {
                int family = i == 0 ? AF_INET : AF_INET6;

                if (inet_pton(family, text, bytes) != 1)
                        continue;
                *ret = ip_from_bytes(family, bytes);
                return 0;
        }
        return -EINVAL;
}

void ip_format(IpAddress address, char text[IP_TEXT_MAX]) {
        uint8_t bytes[IP_BYTES_MAX];

        (void)ip_bytes(address, bytes);
        if (!inet_ntop(address.family, bytes, text, IP_TEXT_MAX))
                text[0] = '\0'; /* of no family */
}

bool ip_equal(IpAddress a, IpAddress b) {
        return a.family == b.family && a.number == b.number;
}

/* ---- subnets ---- */

IpNumber subnet_host_mask(Subnet subnet) {
        unsigned bits = ip_width(subnet.address.family) - subnet.prefix;

        return bits == 128 ? ~(IpNumber)0 : ((IpNumber)1 << bits) - 1;
}

IpNumber subnet_last(Subnet subnet) {
        return subnet.address.number | subnet_host_mask(subnet);
}

bool subnet_has(Subnet subnet, IpAddress address) {
        return address.family == subnet.address.family && address.number >= subnet.address.number &&
               address.number <= subnet_last(subnet);
}

bool subnets_overlap(Subnet a, Subnet b) {
        return subnet_has(a, b.address) || subnet_has(b, a.address);
}

void subnet_format(Subnet subnet, char text[IP_TEXT_MAX]) {
        size_t used;

        ip_format(subnet.address, text);
        used = strlen(text);
        (void)snprintf(text + used, IP_TEXT_MAX - used, "/%u", subnet.prefix);
}

int cidr_parse(const char *text, Subnet *ret) {
        const char *slash = strchr(text, '/');
        _cleanup_free_ char *address_text = slash ? str_copy_n(text, (size_t)(slash - text)) : NULL;
        IpAddress address;
        int prefix;

        if (!slash || ip_parse(address_text, &address) < 0 ||
            str_to_int_in(slash + 1, 1, (int)ip_width(address.family), &prefix) < 0)
                return -EINVAL;
        *ret = (Subnet){ address, (unsigned)prefix };
        ret->address.number &= ~subnet_host_mask(*ret);
        return ip_equal(ret->address, address) ? 0 : -ERANGE;
}

int subnet_parse(const char *text, Subnet *ret, Error *err) {
        char right[IP_TEXT_MAX];

        switch (cidr_parse(text, ret)) {
        case 0:
                return 0;
        case -ERANGE:
                subnet_format(*ret, right);
                return error_kind(err, ERROR_INVALID, "invalid subnet %s: it should be %s", text,
                                  right);
        default:
                return error_kind(err, ERROR_INVALID,
                                  "Invalid subnet %s : invalid CIDR address: %s", text, text);
        }
}
