/* error.c: formats errors; the only place that maps an errno to a kind and back. */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The functions themselves, not the analysers' stand-ins. */
#undef error_set
#undef error_kind
#undef error_prefix

static const struct {
        int number;
        ErrorKind kind;
} kinds[] = {
        { EINVAL, ERROR_INVALID },     { EACCES, ERROR_FORBIDDEN }, { EPERM, ERROR_FORBIDDEN },
        { ENOENT, ERROR_NOT_FOUND },   { EEXIST, ERROR_CONFLICT },  { ENOTSUP, ERROR_UNSUPPORTED },
        { EAGAIN, ERROR_UNAVAILABLE }, { EIO, ERROR_INTERNAL },     { ENOKEY, ERROR_UNAUTHORIZED },
};

static ErrorKind kind_of(int number) {
        for (size_t i = 0; i < ELEMENTS(kinds); i++)
                if (kinds[i].number == number)
                        return kinds[i].kind;
        return ERROR_INTERNAL;
}

int error_number_of(ErrorKind kind) {
        for (size_t i = 0; i < ELEMENTS(kinds); i++)
                if (kinds[i].kind == kind)
                        return -kinds[i].number;
        return -EIO;
}

int error_set(Error *err, int number, const char *format, ...) {
        va_list args;
        int used;

        if (number < 0)
                number = -number;
        if (!err)
                return -number;
        err->kind = kind_of(number);
        err->number = number;
        va_start(args, format);
        used = vsnprintf(err->message, sizeof(err->message), format, args);
        va_end(args);
        if (used >= 0 && (size_t)used < sizeof(err->message))
                (void)snprintf(err->message + used, sizeof(err->message) - (size_t)used, ": %s",
                               strerrordesc_np(number) ?: "unknown error");
        return -number;
}

int error_kind(Error *err, ErrorKind kind, const char *format, ...) {
        va_list args;

        if (err) {
                err->kind = kind;
                err->number = -error_number_of(kind);
                va_start(args, format);
                (void)vsnprintf(err->message, sizeof(err->message), format, args);
                va_end(args);
        }
        return error_number_of(kind);
}

int error_prefix(Error *err, const char *format, ...) {
        char rest[sizeof(err->message)];
        va_list args;
        int used;

        if (!err)
                return -EIO;
        memcpy(rest, err->message, sizeof(rest));
        va_start(args, format);
        used = vsnprintf(err->message, sizeof(err->message), format, args);
        va_end(args);
        if (used >= 0 && (size_t)used < sizeof(err->message))
                (void)snprintf(err->message + used, sizeof(err->message) - (size_t)used, ": %s",
                               rest);
        return err->number > 0 ? -err->number : -EIO;
}
