/* hosts-fuzz.c: any text as a hosts.toml: what is taken has hosts that are whole. Paths in it are
 * below a directory that is not there. */
#include <string.h>

#include "image/hosts.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
        Endpoint *endpoints = NULL;
        size_t count = 0;
        Error err = {};
        int r;

        /* An absolute path would read what the host has. */
        if (size > 0 && (memmem(data, size, "\"/", 2) || memmem(data, size, "'/", 2) ||
                         memmem(data, size, "\"\\", 2)))
                return 0;
        r = hosts_parse((const char *)data, size, "/nowhere", "docker.io", NULL, &endpoints, &count,
                        &err);
        for (size_t i = 0; r == 0 && i < count; i++)
                if (!endpoints[i].url || !strstr(endpoints[i].url, "://") || !endpoints[i].path)
                        abort();
        (void)endpoints_free(endpoints, count);
        return 0;
}
