/* template-fuzz.c: any text as a template, run on a small document. */
#include <stdint.h>

#include "cli/template.h"
#include "format/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const char document[] = "{\"A\":{\"B\":[1,2.5,\"x\",null,true]},\"C\":\"text\","
                                       "\"Labels\":null,\"D\":{\"k\":\"v\"}}";
        _cleanup_free_ char *text = str_copy_n((const char *)data, size);
        _cleanup_(template_freep) Template *template = NULL;
        _cleanup_json_ json_object *dot = NULL;
        _cleanup_buf_ Buf out = {};
        TemplateData parts = { .typed = size & 1, .headers = size & 2 };
        Error err = {};

        if (json_parse_any(document, sizeof(document) - 1, &dot, &err) < 0)
                __builtin_trap();
        parts.dot = dot;
        if (template_parse(text, &template, &err) == 0)
                (void)template_run(template, &parts, &out, &err);
        return 0;
}
