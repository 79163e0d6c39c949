/* dns.h: DNS messages (RFC 1035, EDNS(0) of RFC 6891): reads questions, writes answers. Knows no
 * sockets and no names of its own. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/ip.h"
#include "base/str.h"

enum { DNS_TYPE_A = 1, DNS_TYPE_PTR = 12, DNS_TYPE_AAAA = 28, DNS_TYPE_OPT = 41 };
enum { DNS_CLASS_IN = 1 };
enum {
        DNS_NOERROR = 0,
        DNS_FORMERR = 1,
        DNS_SERVFAIL = 2,
        DNS_NXDOMAIN = 3,
        DNS_NOTIMP = 4,
        DNS_REFUSED = 5,
};

#define DNS_HEADER 12
#define DNS_NAME_MAX 256 /* as text, with a NUL */
#define DNS_MESSAGE_MAX 65535
#define DNS_UDP_SIZE 512 /* what every client can take */
#define DNS_UDP_MAX 4096 /* more than this is not sent, whatever the client says */

typedef struct DnsQuery {
        uint16_t id, flags, type, class;
        char name[DNS_NAME_MAX]; /* lower case, without the last dot */
        bool strange;            /* a label holds a dot or a control character: not one of ours */
        size_t question_end;     /* offset behind the one question */
        bool edns;
        uint16_t udp_size; /* the largest answer that the client takes over UDP */
} DnsQuery;

/* 0; an rcode with which to answer a message that has a readable header (dns_reply_error); or
 * -EBADMSG for one that deserves no answer, as it is an answer itself or too short. */
int dns_query_parse(const uint8_t *data, size_t length, DnsQuery *ret);

/* Starts an answer to the query that was parsed from `data`. */
void dns_reply_start(Buf *reply, const uint8_t *data, const DnsQuery *query, int rcode);
/* An answer without even the question, for a query that did not parse. */
void dns_reply_error(Buf *reply, const uint8_t *data, int rcode);
/* Appends an answer record for the question's name, of an address A or AAAA (RFC 3596). False, and
 * the reply is marked as truncated, if it would be longer than `limit`. */
bool dns_reply_address(Buf *reply, IpAddress address, size_t limit);
bool dns_reply_pointer(Buf *reply, const char *name, size_t limit);
/* Appends what EDNS asks for. */
void dns_reply_end(Buf *reply, const DnsQuery *query);

/* The address of "4.3.2.1.in-addr.arpa", or of 32 digits below ip6.arpa (RFC 3596, 2.5). -EINVAL.
 */
int dns_reverse_parse(const char *name, IpAddress *ret);

/* Whether answer (from elsewhere) is one to the query with that id: same question, an answer. */
bool dns_answers(const uint8_t *answer, size_t length, const uint8_t *query, const DnsQuery *parsed,
                 uint16_t id);
uint16_t dns_id(const uint8_t *data);
void dns_set_id(uint8_t *data, uint16_t id);
int dns_rcode(const uint8_t *data);
