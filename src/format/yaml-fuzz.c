/* yaml-fuzz.c: any text as YAML: it is read or refused with a line, and freed. */
#include "base/str.h"
#include "format/json.h"
#include "format/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_json_ json_object *documents = NULL;
        Error err = {};

        if (yaml_parse((const char *)data, size, &documents, &err) < 0 &&
            !str_after(err.message, "line "))
                abort();
        return 0;
}
