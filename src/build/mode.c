/* mode.c: mode_apply of tree.h: the modes of chmod(1), POSIX.1-2017 "chmod", as COPY --chmod has
 * them: no umask, and '=' takes set-id bits of directories, too, so that the result depends on the
 * text and the mode alone. */
#include <sys/stat.h>

#include "base/str.h"
#include "build/tree-private.h"

#define ALL_EXECUTE (S_IXUSR | S_IXGRP | S_IXOTH)
#define OCTAL_DIGITS_MAX 5 /* "07777" */

/* Which bits each class of users has. */
static const struct {
        char letter;
        unsigned bits, shift;
} classes[] = {
        { 'u', S_IRWXU | S_ISUID, 6 },
        { 'g', S_IRWXG | S_ISGID, 3 },
        { 'o', S_IRWXO | S_ISVTX, 0 },
};

static const struct {
        char letter;
        unsigned bits;
} permissions[] = {
        { 'r', S_IRUSR | S_IRGRP | S_IROTH },
        { 'w', S_IWUSR | S_IWGRP | S_IWOTH },
        { 'x', ALL_EXECUTE },
        { 's', S_ISUID | S_ISGID },
        { 't', S_ISVTX },
};

static int refuse(const char *text, const char *why, Error *err) {
        return error_kind(err, ERROR_INVALID,
                          "invalid mode '%.100s': %s; write it as chmod(1) takes it, \"755\" or "
                          "\"u=rwX,go=rX\"",
                          text, why);
}

static bool is_octal(const char *text) {
        size_t length = strspn(text, "01234567");

        return length > 0 && length <= OCTAL_DIGITS_MAX && text[length] == '\0';
}

/* The classes before an operator; all of them where none is named. */
static unsigned read_who(const char **at) {
        unsigned who = 0;

        for (;; (*at)++) {
                unsigned bits = **at == 'a' ? PERMISSION_BITS : 0;

                for (size_t i = 0; i < ELEMENTS(classes); i++)
                        if (**at == classes[i].letter)
                                bits = classes[i].bits;
                if (bits == 0)
                        return who ?: PERMISSION_BITS;
                who |= bits;
        }
}

/* What a class has now, given to every class. */
static unsigned spread(unsigned mode, unsigned shift) {
        unsigned bits = mode >> shift & S_IRWXO;

        return bits << 6 | bits << 3 | bits;
}

static bool read_copied(const char **at, unsigned mode, unsigned *bits) {
        for (size_t i = 0; i < ELEMENTS(classes); i++)
                if (**at == classes[i].letter) {
                        *bits = spread(mode, classes[i].shift);
                        (*at)++;
                        return true;
                }
        return false;
}

static unsigned read_permissions(const char **at, unsigned mode, bool directory) {
        unsigned bits = 0;

        for (;; (*at)++) {
                bool known = **at == 'X';

                if (known && (directory || (mode & ALL_EXECUTE)))
                        bits |= ALL_EXECUTE;
                for (size_t i = 0; i < ELEMENTS(permissions); i++)
                        if (**at == permissions[i].letter) {
                                bits |= permissions[i].bits;
                                known = true;
                        }
                if (!known)
                        return bits;
        }
}

static unsigned operate(char operator, unsigned mode, unsigned who, unsigned bits) {
        if (operator== '+')
                return mode | (bits & who);
        if (operator== '-')
                return mode & ~(bits & who);
        return (mode & ~who) | (bits & who);
}

/* One clause up to ',' or the end. */
static int apply_clause(const char *text, const char **at, unsigned *mode, bool directory,
                        Error *err) {
        unsigned who = read_who(at);

        if (!**at || !strchr("+-=", **at))
                return refuse(text, "+, - or = is missing", err);
        while (**at && strchr("+-=", **at)) {
                char operator= *(*at)++;
                unsigned bits;

                if (!read_copied(at, *mode, &bits))
                        bits = read_permissions(at, *mode, directory);
                *mode = operate(operator, * mode, who, bits);
        }
        return **at && **at != ',' ? refuse(text, "an unknown letter", err) : 0;
}

int mode_apply(const char *text, unsigned mode, bool directory, unsigned *ret, Error *err) {
        const char *at = text;

        mode &= PERMISSION_BITS;
        if (is_octal(text)) {
                unsigned long value = strtoul(text, NULL, 8);

                if (value > PERMISSION_BITS)
                        return refuse(text, "it is above 7777", err);
                *ret = (unsigned)value;
                return 0;
        }
        for (;; at++) {
                int r = apply_clause(text, &at, &mode, directory, err);

                if (r < 0)
                        return r;
                if (*at == '\0')
                        break;
        }
        *ret = mode;
        return 0;
}
