/* head.h: the request line and the header fields of an HTTP/1.1 request (RFC 9112), parsed in
 * place. Knows no sockets and no bodies. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/macro.h"

#define HTTP_LINE_MAX (32 * 1024) /* request line: filters travel in it */
#define HTTP_HEAD_MAX (64 * 1024) /* request line and fields: X-Registry-Auth can be long */
#define HTTP_HEADERS_MAX 96
#define HTTP_FDS_MAX 32 /* descriptors that come along with one request */

typedef enum HttpMethod {
        HTTP_GET,
        HTTP_HEAD,
        HTTP_POST,
        HTTP_PUT,
        HTTP_DELETE,
        HTTP_OPTIONS,
        HTTP_OTHER, /* a method by its form, but none of the above */
} HttpMethod;

typedef struct HttpHeader {
        char *name, *value;
} HttpHeader;

/* Strings point into the text that was parsed. */
typedef struct HttpHead {
        HttpMethod method;
        int minor;   /* HTTP/1.<minor>, 0 or 1 */
        char *path;  /* percent-decoded, without the query; "/…" or "*" */
        char *query; /* as it came; "" if there is none */
        HttpHeader headers[HTTP_HEADERS_MAX];
        size_t header_count;
        bool chunked;
        bool has_length;
        int64_t length; /* Content-Length, 0 if there is none */
        bool keep_alive, expect_continue;
} HttpHead;

/* Where the head at the front of data ends (one past its empty line), or 0: not there yet. *scanned
 * is how far earlier calls looked. */
size_t http_head_end(const char *data, size_t length, size_t *scanned);

/* Parses text, which has `length` bytes and a NUL, ends in an empty line and is changed. Returns 0,
 * or the status with which the request is to be refused (*why says why; constant). What could be
 * read in two ways by two servers (both length and chunked, a length twice, folded fields, bare
 * line feeds) is refused.
 */
int http_head_parse(char *text, size_t length, HttpHead *ret, const char **why);

/* The field's value, borrowed, or NULL. Names are compared regardless of case. */
const char *http_head_get(const HttpHead *head, const char *name);
/* True if the field is a comma-separated list that has token, regardless of case. */
bool http_head_has_token(const HttpHead *head, const char *name, const char *token);

/* Decodes %XX (and + to a space where `plus`) in place; false on a bad or a zero escape. */
bool http_percent_decode(char *text, bool plus);
