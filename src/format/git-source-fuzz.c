/* git-source-fuzz.c: any text as a git source and as a submodule's URL; nothing that is taken may
 * be an option to git or ssh, or lead out of the repository. */
#include <stdint.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "format/git-source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_remote(const GitRemote *remote) {
        if (remote->url[0] == '-' || remote->host[0] == '-' || strpbrk(remote->url, " \n\"\\\t"))
                abort();
        if (remote->origin && strchr(remote->origin, '@'))
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *text = str_copy_n((const char *)data, size), *shown = NULL;
        _cleanup_free_ char *joined = git_remote_join("https://h.example/a/b.git", text);
        GitSource source = {};
        GitRemote remote = {};

        if (git_remote_parse(joined, &remote, NULL) == 0)
                check_remote(&remote);
        git_remote_done(&remote);
        if (git_source_parse(text, true, &source, NULL) != GIT_SOURCE)
                return 0;
        check_remote(&source.remote);
        shown = git_source_text(&source);
        if (source.ref && source.ref[0] == '-')
                abort();
        if (source.subdir && (source.subdir[0] == '/' || str_after(source.subdir, "../") ||
                              str_equal(source.subdir, "..") || strstr(source.subdir, "/../")))
                abort();
        git_source_done(&source);
        return 0;
}
