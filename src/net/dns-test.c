/* dns-test.c: DNS messages that are right, cut short, or made to mislead. */
#include <errno.h>

#include "base/test.h"
#include "net/dns.h"

#define HEADER "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
#define QUESTION "\3Web\5front\0\0\1\0\1"
#define BYTES(text) (const uint8_t *)(text), sizeof(text) - 1

TEST(question) {
        DnsQuery query;

        ASSERT_INT(dns_query_parse(BYTES(HEADER QUESTION), &query), 0);
        ASSERT_STR(query.name, "web.front");
        ASSERT_INT(query.type, DNS_TYPE_A);
        ASSERT_INT(query.class, DNS_CLASS_IN);
        ASSERT_INT(query.id, 0x1234);
        ASSERT_INT(query.question_end, DNS_HEADER + 15);
        ASSERT_INT(query.udp_size, DNS_UDP_SIZE);
        ASSERT(!query.edns && !query.strange);
}

TEST(edns) {
        DnsQuery query;

        ASSERT_INT(dns_query_parse(BYTES("\x12\x34\x01\x00\x00\x01\0\0\0\0\0\1" QUESTION
                                         "\0\0\x29\x05\0\0\0\0\0\0\0"),
                                   &query),
                   0);
        ASSERT(query.edns);
        ASSERT_INT(query.udp_size, 1280);
}

TEST(bad_messages) {
        static const struct {
                const char *data;
                size_t length;
                int result;
        } rows[] = {
                { "", 0, -EBADMSG },
                { HEADER, 11, -EBADMSG },
                { "\x12\x34\x81\x00\x00\x01\0\0\0\0\0\0" QUESTION, 27, -EBADMSG }, /* an answer */
                { "\x12\x34\x28\x00\x00\x01\0\0\0\0\0\0" QUESTION, 27, DNS_NOTIMP },
                { "\x12\x34\x01\x00\x00\x00\0\0\0\0\0\0", 12, DNS_FORMERR }, /* no question */
                { "\x12\x34\x01\x00\x00\x02\0\0\0\0\0\0" QUESTION, 27, DNS_FORMERR },
                { HEADER, 12, DNS_FORMERR },
                { HEADER "\3we", 15, DNS_FORMERR },
                { HEADER QUESTION, 26, DNS_FORMERR },           /* one byte short */
                { HEADER "\xc0\x0c\0\1\0\1", 18, DNS_FORMERR }, /* a pointer to itself */
                { HEADER "\x40xx\0\0\1\0\1", 20, DNS_FORMERR },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                DnsQuery query;

                ASSERT_INT(dns_query_parse((const uint8_t *)rows[i].data, rows[i].length, &query),
                           rows[i].result);
        }
}

TEST(long_names) {
        _cleanup_buf_ Buf data = { 0 };
        DnsQuery query;

        buf_add(&data, HEADER, DNS_HEADER);
        for (int i = 0; i < 5; i++) {
                buf_add_char(&data, 60);
                for (int n = 0; n < 60; n++)
                        buf_add_char(&data, 'a');
        }
        buf_add(&data, "\0\0\1\0\1", 5);
        ASSERT_INT(dns_query_parse((uint8_t *)data.data, data.length, &query), DNS_FORMERR);
}

TEST(strange_labels) {
        DnsQuery query;

        ASSERT_INT(dns_query_parse(BYTES(HEADER "\3a.b\0\0\1\0\1"), &query), 0);
        ASSERT(query.strange);
}

TEST(reply) {
        const uint8_t *data = (const uint8_t *)HEADER QUESTION;
        _cleanup_buf_ Buf reply = { 0 };
        DnsQuery query;

        ASSERT_INT(dns_query_parse(BYTES(HEADER QUESTION), &query), 0);
        dns_reply_start(&reply, data, &query, DNS_NOERROR);
        ASSERT(dns_reply_address(&reply, (IpAddress){ 0x01020304, AF_INET }, DNS_UDP_SIZE));
        ASSERT_INT(reply.length, 27 + 16);
        ASSERT(memcmp(reply.data, "\x12\x34\x81\x80\0\1\0\1\0\0\0\0", DNS_HEADER) == 0);
        ASSERT(memcmp(reply.data + 27, "\xc0\x0c\0\1\0\1\0\0\x02\x58\0\4\1\2\3\4", 16) == 0);
        ASSERT(dns_answers((uint8_t *)reply.data, reply.length, data, &query, 0x1234));
        ASSERT(!dns_answers((uint8_t *)reply.data, reply.length, data, &query, 0x1235));
        ASSERT(!dns_answers(data, 27, data, &query, 0x1234)); /* no answer */
        reply.data[DNS_HEADER + 1] = 'x';
        ASSERT(!dns_answers((uint8_t *)reply.data, reply.length, data, &query, 0x1234));
}

TEST(reply_of_ipv6) {
        const uint8_t *data = (const uint8_t *)HEADER QUESTION;
        _cleanup_buf_ Buf reply = { 0 };
        IpAddress address;
        DnsQuery query;

        ASSERT_INT(dns_query_parse(BYTES(HEADER QUESTION), &query), 0);
        ASSERT_INT(ip_parse("fd00::1:2", &address), 0);
        dns_reply_start(&reply, data, &query, DNS_NOERROR);
        ASSERT(dns_reply_address(&reply, address, DNS_UDP_SIZE));
        ASSERT_INT(reply.length, 27 + 28);
        ASSERT(memcmp(reply.data + 27, "\xc0\x0c\0\x1c\0\1\0\0\x02\x58\0\x10", 12) == 0);
        ASSERT(memcmp(reply.data + 39, "\xfd\0\0\0\0\0\0\0\0\0\0\0\0\1\0\2", 16) == 0);
}

TEST(truncation) {
        const uint8_t *data = (const uint8_t *)HEADER QUESTION;
        _cleanup_buf_ Buf reply = { 0 };
        DnsQuery query;
        int count = 0;

        ASSERT_INT(dns_query_parse(BYTES(HEADER QUESTION), &query), 0);
        dns_reply_start(&reply, data, &query, DNS_NOERROR);
        while (dns_reply_address(&reply, (IpAddress){ 1, AF_INET }, DNS_UDP_SIZE))
                count++;
        ASSERT_INT(count, (DNS_UDP_SIZE - 27) / 16);
        ASSERT(reply.length <= DNS_UDP_SIZE);
        ASSERT(reply.data[2] & 2);
}

TEST(reverse) {
        char text[IP_TEXT_MAX];
        IpAddress address;

        ASSERT_INT(dns_reverse_parse("3.0.28.172.in-addr.arpa", &address), 0);
        ip_format(address, text);
        ASSERT_STR(text, "172.28.0.3");
        ASSERT_INT(
                dns_reverse_parse("2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.0.0.d.f"
                                  ".ip6.arpa",
                                  &address),
                0);
        ip_format(address, text);
        ASSERT_STR(text, "fd00:2001:db8::2");
        ASSERT_INT(
                dns_reverse_parse("g.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.0.0.d.f"
                                  ".ip6.arpa",
                                  &address),
                -EINVAL);
        ASSERT_INT(dns_reverse_parse("2.0.0.d.f.ip6.arpa", &address), -EINVAL);
        ASSERT_INT(dns_reverse_parse("3.0.28.172", &address), -EINVAL);
        ASSERT_INT(dns_reverse_parse("x.0.28.172.in-addr.arpa", &address), -EINVAL);
        ASSERT_INT(dns_reverse_parse("1.3.0.28.172.in-addr.arpa", &address), -EINVAL);
}

TEST_MAIN()
