/* toml-fuzz.c: any text as TOML: it is read or refused with a line, and freed. */
#include "base/str.h"
#include "format/toml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        TomlNode *root = NULL;
        Error err = {};

        if (toml_parse((const char *)data, size, &root, &err) == 0)
                (void)toml_free(root);
        else if (!str_after(err.message, "line "))
                abort();
        return 0;
}
