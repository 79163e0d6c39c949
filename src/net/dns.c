/* dns.c: see dns.h. Every byte of a message comes from a container or from the network, so each is
 * checked against the length before it is read. */
#include "net/dns.h"

#include <ctype.h>
#include <errno.h>

#define TTL 600 /* seconds, as Docker answers */
#define FLAG_ANSWER 0x8000
#define FLAG_OPCODE 0x7800
#define FLAG_TRUNCATED 0x0200
#define FLAG_WANT_RECURSION 0x0100
#define FLAG_RECURSION 0x0080
#define NAME_OF_QUESTION (0xc000 | DNS_HEADER) /* a pointer to it (RFC 1035, 4.1.4) */

static uint16_t get16(const uint8_t *data) {
        return (uint16_t)(data[0] << 8 | data[1]);
}

static void set16(uint8_t *data, uint16_t value) {
        data[0] = (uint8_t)(value >> 8);
        data[1] = (uint8_t)value;
}

static void add16(Buf *buf, uint16_t value) {
        uint8_t data[2];

        set16(data, value);
        buf_add(buf, data, sizeof(data));
}

uint16_t dns_id(const uint8_t *data) {
        return get16(data);
}

void dns_set_id(uint8_t *data, uint16_t id) {
        set16(data, id);
}

int dns_rcode(const uint8_t *data) {
        return data[3] & 15;
}

/* ---- reading ---- */

static bool add_label(DnsQuery *query, size_t *used, const uint8_t *label, size_t length) {
        if (*used + length + 2 > sizeof(query->name))
                return false;
        if (*used)
                query->name[(*used)++] = '.';
        for (size_t i = 0; i < length; i++) {
                query->strange |= label[i] == '.' || label[i] <= ' ' || label[i] >= 127;
                query->name[(*used)++] = (char)(label[i] ? tolower(label[i]) : '?');
        }
        query->name[*used] = '\0';
        return true;
}

/* A question's name has no pointers: there is nothing before it to point to. */
static bool read_name(const uint8_t *data, size_t length, size_t *offset, DnsQuery *query) {
        size_t used = 0;

        query->name[0] = '\0';
        for (;;) {
                size_t label;

                if (*offset >= length)
                        return false;
                label = data[(*offset)++];
                if (label == 0)
                        return true;
                if (label > 63 || *offset + label > length ||
                    !add_label(query, &used, data + *offset, label))
                        return false;
                *offset += label;
        }
}

/* Looks for the OPT record, which has the root as its name. Anything else there is not for us. */
static void read_additional(const uint8_t *data, size_t length, DnsQuery *query) {
        const uint8_t *record = data + query->question_end;

        if (get16(data + 6) || get16(data + 8) || get16(data + 10) == 0 ||
            length - query->question_end < 11 || record[0] != 0 ||
            get16(record + 1) != DNS_TYPE_OPT)
                return;
        query->edns = true;
        query->udp_size =
                MIN(MAX(get16(record + 3), (uint16_t)DNS_UDP_SIZE), (uint16_t)DNS_UDP_MAX);
}

int dns_query_parse(const uint8_t *data, size_t length, DnsQuery *ret) {
        size_t offset = DNS_HEADER;

        *ret = (DnsQuery){ .udp_size = DNS_UDP_SIZE };
        if (length < DNS_HEADER || (get16(data + 2) & FLAG_ANSWER))
                return -EBADMSG;
        ret->id = get16(data);
        ret->flags = get16(data + 2);
        if (ret->flags & FLAG_OPCODE)
                return DNS_NOTIMP;
        if (get16(data + 4) != 1 || !read_name(data, length, &offset, ret) || length - offset < 4)
                return DNS_FORMERR;
        ret->type = get16(data + offset);
        ret->class = get16(data + offset + 2);
        ret->question_end = offset + 4;
        read_additional(data, length, ret);
        return 0;
}

bool dns_answers(const uint8_t *answer, size_t length, const uint8_t *query, const DnsQuery *parsed,
                 uint16_t id) {
        if (length < parsed->question_end || get16(answer) != id ||
            !(get16(answer + 2) & FLAG_ANSWER) || get16(answer + 4) != 1)
                return false;
        for (size_t i = DNS_HEADER; i < parsed->question_end; i++)
                if (tolower(answer[i]) != tolower(query[i]))
                        return false;
        return true;
}

#define DIGITS (2 * IP_BYTES_MAX) /* of an IPv6 address, a label each */

static int reverse_ipv6(char *const *labels, IpAddress *ret) {
        IpAddress address = { .family = AF_INET6 };

        for (size_t i = DIGITS; i-- > 0;) {
                const char digit = labels[i][0];

                if (!isxdigit((unsigned char)digit) || labels[i][1])
                        return -EINVAL;
                address.number =
                        address.number << 4 |
                        (unsigned)(isdigit((unsigned char)digit) ? digit - '0'
                                                                 : (digit | 32) - 'a' + 10);
        }
        *ret = address;
        return 0;
}

int dns_reverse_parse(const char *name, IpAddress *ret) {
        _cleanup_strv_ char **labels = str_split(name, '.');
        _cleanup_free_ char *text = NULL;
        const size_t count = strv_length(labels);

        if (count == DIGITS + 2 && str_equal(labels[DIGITS], "ip6") &&
            str_equal(labels[DIGITS + 1], "arpa"))
                return reverse_ipv6(labels, ret);
        if (count != 6 || !str_equal(labels[4], "in-addr") || !str_equal(labels[5], "arpa"))
                return -EINVAL;
        text = str_format("%s.%s.%s.%s", labels[3], labels[2], labels[1], labels[0]);
        return ip_parse(text, ret);
}

/* ---- writing ---- */

static void add_header(Buf *reply, const uint8_t *data, int rcode, uint16_t questions) {
        uint8_t header[DNS_HEADER] = { data[0], data[1] };
        uint16_t asked = get16(data + 2);

        set16(header + 2, (uint16_t)(FLAG_ANSWER | FLAG_RECURSION | rcode |
                                     (asked & (FLAG_OPCODE | FLAG_WANT_RECURSION))));
        set16(header + 4, questions);
        buf_add(reply, header, sizeof(header));
}

void dns_reply_start(Buf *reply, const uint8_t *data, const DnsQuery *query, int rcode) {
        add_header(reply, data, rcode, 1);
        buf_add(reply, data + DNS_HEADER, query->question_end - DNS_HEADER);
}

void dns_reply_error(Buf *reply, const uint8_t *data, int rcode) {
        add_header(reply, data, rcode, 0);
}

/* Adds one to the count at that offset of the header. */
static void count(Buf *reply, size_t offset) {
        uint8_t *counter = (uint8_t *)reply->data + offset;

        set16(counter, (uint16_t)(get16(counter) + 1));
}

static bool add_record(Buf *reply, uint16_t type, const void *data, size_t length, size_t limit) {
        uint8_t *flags = (uint8_t *)reply->data + 2;

        if (reply->length + 12 + length > limit) {
                set16(flags, get16(flags) | FLAG_TRUNCATED);
                return false;
        }
        add16(reply, NAME_OF_QUESTION);
        add16(reply, type);
        add16(reply, DNS_CLASS_IN);
        add16(reply, 0);
        add16(reply, TTL);
        add16(reply, (uint16_t)length);
        buf_add(reply, data, length);
        count(reply, 6);
        return true;
}

bool dns_reply_address(Buf *reply, IpAddress address, size_t limit) {
        uint8_t bytes[IP_BYTES_MAX];
        const size_t length = ip_bytes(address, bytes);

        return add_record(reply, address.family == AF_INET ? DNS_TYPE_A : DNS_TYPE_AAAA, bytes,
                          length, limit);
}

bool dns_reply_pointer(Buf *reply, const char *name, size_t limit) {
        _cleanup_buf_ Buf data = { 0 };
        _cleanup_strv_ char **labels = str_split(name, '.');

        for (size_t i = 0; labels && labels[i]; i++) {
                size_t length = strlen(labels[i]);

                if (length == 0 || length > 63)
                        return false; /* no DNS name can say it */
                buf_add_char(&data, (char)length);
                buf_add(&data, labels[i], length);
        }
        buf_add_char(&data, '\0');
        return add_record(reply, DNS_TYPE_PTR, data.data, data.length, limit);
}

void dns_reply_end(Buf *reply, const DnsQuery *query) {
        static const uint8_t name_of_root = 0;

        if (!query->edns)
                return;
        buf_add(reply, &name_of_root, 1);
        add16(reply, DNS_TYPE_OPT);
        add16(reply, DNS_UDP_MAX);
        add16(reply, 0);
        add16(reply, 0);
        add16(reply, 0);
        count(reply, 10);
}
