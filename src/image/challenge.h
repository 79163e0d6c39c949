/* challenge.h: the WWW-Authenticate header, RFC 9110 section 11.6.1, and what a registry means by
 * it (distribution-spec, "token authentication"). Knows no network. */
#pragma once

#include <stdbool.h>

#include "base/error.h"

typedef struct Challenge {
        char *realm, *service, *scope;
} Challenge;
void challenge_done(Challenge *challenge);

/* The first challenge of that scheme ("bearer", any case) in a header's value, which may hold
 * several. False: there is none. Damaged parameters end the header. */
bool challenge_parse(const char *header, const char *scheme, Challenge *ret);
