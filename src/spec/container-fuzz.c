/* container-fuzz.c: bodies of POST /containers/create; what was read must be written and read again
 * as it was. */
#include "spec/container.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_json_ json_object *body = NULL, *written = NULL;
        _cleanup_(container_create_done) ContainerCreate create = { 0 };
        _cleanup_(container_create_done) ContainerCreate again = { 0 };
        Error err = { 0 };

        if (json_parse_any((const char *)data, size, &body, &err) < 0)
                return 0;
        if (container_create_read(body, &create, &err) < 0)
                return 0;
        (void)container_create_refused(&create, &err);
        written = container_create_write(&create);
        if (container_create_read(written, &again, &err) < 0)
                abort();
        return 0;
}
