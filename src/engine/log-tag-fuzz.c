/* log-tag-fuzz.c: tags of logs, as users give them. */
#include <stdlib.h>

#include "base/str.h"
#include "engine/log-tag.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static Pairs fields;
        _cleanup_free_ char *text = str_copy_n((const char *)data, size);
        _cleanup_free_ char *tag = NULL;

        if (fields.count == 0) {
                pairs_put(&fields, "ID", "0123");
                pairs_put(&fields, "Name", "web");
        }
        if (log_tag_expand(text, &fields, &tag, NULL) < 0)
                return 0;
        /* A value is not read as a template again, so no action is left but for single braces. */
        if (strstr(tag, "{{.ID}}") && !strstr(text, "}}.ID"))
                abort();
        return 0;
}
