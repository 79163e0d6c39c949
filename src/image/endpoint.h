/* endpoint.h: where a registry is: the URLs to try for its name, in order, and how far each is
 * trusted. Knows no HTTP. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

typedef struct Endpoint {
        char *url;     /* "https://registry-1.docker.io", without a slash at the end */
        bool insecure; /* certificates are not checked */
        bool mirror;   /* no credentials go there, and what it lacks is asked of the next */
} Endpoint;

/* insecure: host[:port] or CIDR, 127.0.0.0/8 and ::1 implied. mirrors: URLs for docker.io. The
 * caller's; free with endpoints_free. */
Endpoint *endpoints_of(const char *registry, char *const *insecure, char *const *mirrors,
                       size_t *ret_count);
Endpoint *endpoints_free(Endpoint *endpoints, size_t count);
bool registry_is_insecure(const char *registry, char *const *insecure);
