/* head.c: strict where two readers could differ, as a proxy in front must not see another request
 * than we do. */
#include "http/head.h"

#include <strings.h>

#include "base/bug.h"

size_t http_head_end(const char *data, size_t length, size_t *scanned) {
        size_t from = *scanned > 3 ? *scanned - 3 : 0;
        const char *end = length > from ? memmem(data + from, length - from, "\r\n\r\n", 4) : NULL;

        *scanned = length;
        return end ? (size_t)(end - data) + 4 : 0;
}

static int hex_value(char digit) {
        if (digit >= '0' && digit <= '9')
                return digit - '0';
        if (digit >= 'a' && digit <= 'f')
                return digit - 'a' + 10;
        if (digit >= 'A' && digit <= 'F')
                return digit - 'A' + 10;
        return -1;
}

bool http_percent_decode(char *text, bool plus) {
        char *to = text;

        for (const char *from = text; *from; from++) {
                int high, low;

                if (*from == '+' && plus) {
                        *to++ = ' ';
                        continue;
                }
                if (*from != '%') {
                        *to++ = *from;
                        continue;
                }
                high = hex_value(from[1]);
                low = high < 0 ? -1 : hex_value(from[2]);
                if (low < 0 || high + low == 0)
                        return false;
                *to++ = (char)(high << 4 | low);
                from += 2;
        }
        *to = '\0';
        return true;
}

/* tchar of RFC 9110, 5.6.2 */
static bool is_token_character(unsigned char c) {
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
                return true;
        return c && strchr("!#$%&'*+-.^_`|~", c);
}

static bool is_token(const char *text) {
        if (!*text)
                return false;
        for (; *text; text++)
                if (!is_token_character((unsigned char)*text))
                        return false;
        return true;
}

static HttpMethod method_of(const char *name) {
        static const char *const names[] = {
                [HTTP_GET] = "GET", [HTTP_HEAD] = "HEAD",     [HTTP_POST] = "POST",
                [HTTP_PUT] = "PUT", [HTTP_DELETE] = "DELETE", [HTTP_OPTIONS] = "OPTIONS",
        };

        for (size_t i = 0; i < ELEMENTS(names); i++)
                if (strcmp(name, names[i]) == 0)
                        return (HttpMethod)i;
        return HTTP_OTHER;
}

static int refuse(const char **why, int status, const char *words) {
        *why = words;
        return status;
}

static int parse_target(char *target, HttpHead *ret, const char **why) {
        char *query;

        for (const char *c = target; *c; c++)
                if ((unsigned char)*c <= ' ' || *c == 0x7f)
                        return refuse(why, 400, "malformed request target");
        if (strncasecmp(target, "http://", 7) == 0) {
                /* absolute-form, as to a proxy: the authority adds nothing here */
                target = strchr(target + 7, '/');
                if (!target)
                        return refuse(why, 400, "request target has no path");
        }
        if (*target != '/' && strcmp(target, "*") != 0)
                return refuse(why, 400, "malformed request target");
        query = strchr(target, '?');
        if (query)
                *query++ = '\0';
        if (!http_percent_decode(target, false))
                return refuse(why, 400, "malformed escape in the request target");
        ret->path = target;
        ret->query = query ?: target + strlen(target);
        return 0;
}

static int parse_version(const char *version, HttpHead *ret, const char **why) {
        if (strncmp(version, "HTTP/", 5) != 0 || version[5] < '0' || version[5] > '9' ||
            version[6] != '.' || version[7] < '0' || version[7] > '9' || version[8])
                return refuse(why, 400, "malformed HTTP version");
        if (version[5] != '1')
                return refuse(why, 505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
        ret->minor = version[7] == '0' ? 0 : 1;
        return 0;
}

static int parse_request_line(char *line, HttpHead *ret, const char **why) {
        char *target, *version;
        int status;

        if (strlen(line) > HTTP_LINE_MAX)
                return refuse(why, 414, "request line too long");
        target = strchr(line, ' ');
        version = target ? strchr(target + 1, ' ') : NULL;
        if (!version)
                return refuse(why, 400, "malformed request line");
        *target++ = '\0';
        *version++ = '\0';
        if (!is_token(line))
                return refuse(why, 400, "malformed method");
        ret->method = method_of(line);
        status = parse_version(version, ret, why);
        return status ?: parse_target(target, ret, why);
}

static char *trim(char *value) {
        char *end;

        value += strspn(value, " \t");
        end = value + strlen(value);
        while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
                end--;
        *end = '\0';
        return value;
}

static int parse_field(char *line, HttpHead *ret, const char **why) {
        char *colon = strchr(line, ':');

        if (*line == ' ' || *line == '\t')
                return refuse(why, 400, "folded header field");
        if (!colon)
                return refuse(why, 400, "malformed header field");
        *colon = '\0';
        if (!is_token(line))
                return refuse(why, 400, "malformed header field name");
        if (ret->header_count == HTTP_HEADERS_MAX)
                return refuse(why, 431, "too many header fields");
        for (const unsigned char *c = (unsigned char *)colon + 1; *c; c++)
                if ((*c < ' ' && *c != '\t') || *c == 0x7f)
                        return refuse(why, 400, "control character in a header field");
        ret->headers[ret->header_count++] = (HttpHeader){ line, trim(colon + 1) };
        return 0;
}

const char *http_head_get(const HttpHead *head, const char *name) {
        for (size_t i = 0; i < head->header_count; i++)
                if (strcasecmp(head->headers[i].name, name) == 0)
                        return head->headers[i].value;
        return NULL;
}

static bool list_has(const char *list, const char *token) {
        size_t length = strlen(token);

        while (*list) {
                size_t item;

                list += strspn(list, " \t,");
                item = strcspn(list, " \t,");
                if (item == length && strncasecmp(list, token, length) == 0)
                        return true;
                list += item;
        }
        return false;
}

bool http_head_has_token(const HttpHead *head, const char *name, const char *token) {
        for (size_t i = 0; i < head->header_count; i++)
                if (strcasecmp(head->headers[i].name, name) == 0 &&
                    list_has(head->headers[i].value, token))
                        return true;
        return false;
}

static size_t count_fields(const HttpHead *head, const char *name) {
        size_t count = 0;

        for (size_t i = 0; i < head->header_count; i++)
                count += strcasecmp(head->headers[i].name, name) == 0;
        return count;
}

/* RFC 9112, 6: how the body is framed. */
static int read_framing(HttpHead *head, const char **why) {
        size_t lengths = count_fields(head, "Content-Length");
        size_t encodings = count_fields(head, "Transfer-Encoding");
        const char *length = http_head_get(head, "Content-Length");

        if ((lengths > 1 || (lengths && encodings)) && !BUG("request-framing"))
                return refuse(why, 400, "the body's length is given twice");
        if (encodings) {
                const char *encoding = http_head_get(head, "Transfer-Encoding");

                if (head->minor == 0)
                        return refuse(why, 400, "HTTP/1.0 has no Transfer-Encoding");
                if (encodings > 1 || strcasecmp(encoding, "chunked") != 0)
                        return refuse(why, 501, "only the transfer encoding 'chunked' is known");
                head->chunked = true;
        }
        if (!length)
                return 0;
        if (!*length || strlen(length) > 18 || strspn(length, "0123456789") != strlen(length))
                return refuse(why, 400, "malformed Content-Length");
        for (; *length; length++)
                head->length = head->length * 10 + (*length - '0');
        head->has_length = true;
        return 0;
}

static int read_connection(HttpHead *head, const char **why) {
        const char *expect = http_head_get(head, "Expect");
        size_t hosts = count_fields(head, "Host");

        if (hosts > 1 || (hosts == 0 && head->minor > 0))
                return refuse(why, 400, "exactly one Host header is required");
        if (expect && strcasecmp(expect, "100-continue") != 0)
                return refuse(why, 417, "only the expectation '100-continue' is known");
        head->expect_continue = expect && head->minor > 0;
        head->keep_alive = head->minor > 0 ? !http_head_has_token(head, "Connection", "close")
                                           : http_head_has_token(head, "Connection", "keep-alive");
        return 0;
}

int http_head_parse(char *text, size_t length, HttpHead *ret, const char **why) {
        char *line = text, *end = text + length;
        int status = 0;
        bool first = true;

        memset(ret, 0, sizeof(*ret));
        if (memchr(text, '\0', length))
                return refuse(why, 400, "zero byte in the request's head");
        while (line < end) {
                char *stop = line + strcspn(line, "\r");

                if (end - stop < 2 || stop[1] != '\n')
                        return refuse(why, 400, "malformed end of line");
                *stop = '\0';
                if (strchr(line, '\n'))
                        return refuse(why, 400, "malformed end of line");
                if (stop == line)
                        break;
                status = first ? parse_request_line(line, ret, why) : parse_field(line, ret, why);
                if (status)
                        return status;
                first = false;
                line = stop + 2;
        }
        if (first)
                return refuse(why, 400, "empty request");
        status = read_framing(ret, why);
        return status ?: read_connection(ret, why);
}
