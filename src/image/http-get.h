/* http-get.h: one request with libcurl, mostly a GET: what comes goes to a sink, what failed is
 * worded as Docker's clients are used to. Knows no registry. Part of brig-image. */
#pragma once

#include <curl/curl.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

/* What is small, so that it goes into memory, may take so long: a server that sends a byte now and
 * then holds nobody up for ever. */
#define HTTP_DOCUMENT_S 300

typedef struct HttpGet {
        /* request */
        const char *url;
        char *const *headers;      /* "Accept: …" */
        const char *user_password; /* "user:password" or NULL: basic authentication with this host
                                      only */
        const char *form;          /* the body of a POST, or NULL */
        const char *method;        /* NULL: GET, or POST of a form. POST, PUT and PATCH follow no
                                      redirection */
        int body_fd; /* of a PUT or PATCH: sent_length bytes of it from sent_offset on */
        int64_t sent_offset, sent_length; /* length 0: an empty body */
        void (*on_sent)(void *data,
                        int64_t sent); /* may be NULL; sent: bytes of this body so far */
        bool insecure;                 /* certificates are not checked */
        const char *authorities;       /* more of them than the system's, in PEM; or NULL */
        const char *certificate, *key; /* files of a client's certificate, or NULL */
        bool no_registry;              /* errors say nothing of what helps with a registry */
        bool stays;                    /* no redirection is followed: see `redirect` */
        int64_t within; /* seconds that all of it may take; 0: HTTP_DOCUMENT_S where there is
                           neither a sink nor a body, else as long as it goes on */
        int64_t offset; /* resume: the first byte wanted */
        /* the body of a 2xx answer; negative ends the transfer. NULL: into `body` */
        int (*sink)(void *data, const void *bytes, size_t length, Error *err);
        void *data;
        /* answer */
        long status;
        char *challenge;        /* WWW-Authenticate, several joined by commas */
        char *media_type;       /* Content-Type without parameters */
        int64_t length;         /* Content-Length; -1: not said */
        char *location, *range; /* Location and Range as they came, or NULL */
        char *redirect;         /* where it stays: the whole URL that it is sent to, or NULL */
        int64_t retry_after;    /* seconds; -1: not said */
        int64_t last_modified;  /* seconds since 1970; -1: not said */
        char *disposition;      /* Content-Disposition */
        char *link;             /* Link */
        bool redirected;        /* the answer is of another URL than the one asked */
        Buf body;               /* of any other answer, the first 64 KiB */
        bool passed;            /* some of the body went to the sink */
        bool transport_failed;  /* trying again may help */
} HttpGet;

/* 0: there is an answer, whatever its status. Else the error says `Get "url": dial tcp …` and the
 * like. */
int http_get(CURL *curl, HttpGet *get, Error *err);
void http_get_done(HttpGet *get);
