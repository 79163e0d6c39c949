/* git-answers-fuzz.c: anything as what git prints: refs, submodules, complaints. The first byte
 * divides what follows. */
#include <stdint.h>

#include "format/git-source.h"
#include "image/git-answers.h"
#include "image/git-run.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_modules(const uint8_t *data, size_t size, size_t cut) {
        _cleanup_buf_ Buf config = {}, tree = {};
        GitModules modules = {};

        buf_add(&config, data, cut);
        buf_add(&tree, data + cut, size - cut);
        if (git_modules_read(&config, &tree, &modules, NULL) < 0)
                return;
        for (size_t i = 0; i < modules.count; i++)
                if (modules.items[i].path[0] == '/' || str_after(modules.items[i].path, "../") ||
                    !git_is_commit(modules.items[i].commit))
                        abort();
        git_modules_done(&modules);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        size_t cut = size > 1 ? MIN((size_t)data[0], size - 1) : 0;
        _cleanup_free_ char *text = str_copy_n((const char *)data, size), *complaint = NULL;
        _cleanup_free_ char *ref = size > 1 ? str_copy_n((const char *)data + 1, cut) : NULL;
        _cleanup_(git_found_done) GitFound found = {};

        if (git_refs_find(text, ref, &found, NULL) == 0 &&
            (!git_is_commit(found.object) || !git_is_commit(found.commit)))
                abort();
        if (size > 1)
                read_modules(data + 1, size - 1, cut);
        complaint = git_complaint(text);
        if (strpbrk(complaint, "\n\r\033"))
                abort();
        return 0;
}
