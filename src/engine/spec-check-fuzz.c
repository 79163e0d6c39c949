/* spec-check-fuzz.c: bodies of POST /containers/create, judged: devices, sysctls, ulimits, security
 * options, namespaces, log options. Who is refused is told why. */
#include "engine/create-parts.h"
#include "engine/engine-private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static Engine engine;
        _cleanup_json_ json_object *body = NULL;
        _cleanup_(container_create_done) ContainerCreate create = { 0 };
        _cleanup_strv_ char **warnings = NULL;
        Error err = { 0 };

        if (!engine.settings)
                settings_start(&engine);
        if (json_parse_any((const char *)data, size, &body, &err) < 0 ||
            container_create_read(body, &create, &err) < 0)
                return 0;
        if (container_spec_check(&engine, &create, &warnings, &err) < 0 && !err.message[0])
                abort();
        return 0;
}
