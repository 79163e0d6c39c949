/* build-specs-fuzz.c: any text as each of a build's specs. */
#include <stdint.h>

#include "cli/build-specs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *text = str_copy_n((const char *)data, size);
        ContextSpec context = {};
        OutputSpec output = {};
        CacheSpec cache = {};
        SecretSpec secret = {};
        SshSpec ssh = {};
        JsonArray annotations = {};
        Error err = {};

        (void)secret_spec_parse(text, &secret, &err);
        (void)ssh_spec_parse(text, &ssh, &err);
        (void)output_spec_parse(text, &output, &err);
        (void)context_spec_parse(text, &context, &err);
        (void)cache_spec_parse(text, size % 2 == 0, &cache, &err);
        (void)annotation_parse(text, &annotations, &err);
        secret_spec_done(&secret);
        ssh_spec_done(&ssh);
        output_spec_done(&output);
        context_spec_done(&context);
        cache_spec_done(&cache);
        build_annotations_done(&annotations);
        return 0;
}
