/* dns-fuzz.c: bytes as a container's question, and as an upstream server's answer to one. */
#include <stddef.h>
#include <stdint.h>

#include "net/dns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void answer(const uint8_t *data, const DnsQuery *query) {
        _cleanup_buf_ Buf reply = { 0 };
        DnsQuery echo;
        IpAddress address = { .family = AF_INET };

        (void)dns_reverse_parse(query->name, &address);
        dns_reply_start(&reply, data, query, DNS_NOERROR);
        while (dns_reply_address(&reply, address, query->udp_size))
                address.number++;
        (void)dns_reply_pointer(&reply, query->name, DNS_MESSAGE_MAX);
        dns_reply_end(&reply, query);
        /* An answer is no question, and one to its own. */
        if (dns_query_parse((const uint8_t *)reply.data, reply.length, &echo) >= 0 ||
            !dns_answers((const uint8_t *)reply.data, reply.length, data, query, query->id))
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        DnsQuery query;
        size_t cut = size > 0 ? data[0] % size : 0;

        if (dns_query_parse(data, size, &query) == 0)
                answer(data, &query);
        if (size > DNS_HEADER && cut > 0 && dns_query_parse(data, cut, &query) == 0)
                (void)dns_answers(data + cut, size - cut, data, &query, query.id);
        return 0;
}
