/* error.h: why something failed, in words for a person and in a kind for a program. */
#pragma once

#include <stdbool.h>

#include "base/macro.h"

/* What the API layer turns into an HTTP status and the commands into an exit code. */
typedef enum ErrorKind {
        ERROR_INTERNAL = 0, /* 500: our fault or the system's */
        ERROR_INVALID,      /* 400: the request makes no sense */
        ERROR_UNAUTHORIZED, /* 401: who are you */
        ERROR_FORBIDDEN,    /* 403: you may not */
        ERROR_NOT_FOUND,    /* 404: no such object */
        ERROR_CONFLICT,     /* 409: it clashes with what exists */
        ERROR_UNAVAILABLE,  /* 503: not now, or not here */
        ERROR_UNSUPPORTED,  /* 501: not done; says so by name */
} ErrorKind;

typedef struct Error {
        ErrorKind kind;
        int number; /* the errno behind it, positive; 0 if there is none */
        char message[1024];
} Error;

/* Sets err to "<words>: <strerror(number)>", its kind derived from number (ENOENT → not found,
 * EEXIST → conflict, EINVAL → invalid, EPERM and EACCES → forbidden, ENOTSUP → unsupported, EAGAIN
 * → unavailable, ENOKEY → unauthorized, else internal), which may be negative. err may be NULL.
 * Returns the negative errno. */
int error_set(Error *err, int number, const char *format, ...) PRINTF_LIKE(3, 4);

/* Sets err to the words alone, with that kind. err may be NULL. Returns the negative errno that
 * stands for the kind. */
int error_kind(Error *err, ErrorKind kind, const char *format, ...) PRINTF_LIKE(3, 4);

/* Puts "<words>: " before the message that err carries already, keeping its kind. Returns the
 * negative errno that err carries, so that a caller can write `return error_prefix(err, …)`. */
int error_prefix(Error *err, const char *format, ...) PRINTF_LIKE(2, 3);

/* The negative errno that stands for kind. */
int error_number_of(ErrorKind kind);

/* What the static analysers can't see from outside error.c: that none of these returns 0. Without
 * it they follow callers onto paths where an output was never set. */
#if defined(__clang_analyzer__) || defined(BRIG_ANALYZER)
static inline int error_negative(int r) {
        if (r >= 0)
                __builtin_unreachable();
        return r;
}
#define error_set(...) error_negative(error_set(__VA_ARGS__))
#define error_kind(...) error_negative(error_kind(__VA_ARGS__))
#define error_prefix(...) error_negative(error_prefix(__VA_ARGS__))
#endif
