/* user-fuzz.c: an image's passwd and group files, and the user that is asked for: the user on the
 * first line, then the files, parted by an empty line. */
#include "engine/ocispec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *text = str_copy_n((const char *)data, size);
        char *user = text, *passwd = strchr(text, '\n'), *group;
        OciUser result = { 0 };
        Error err = { 0 };

        if (!passwd)
                return 0;
        *passwd++ = '\0';
        group = strstr(passwd, "\n\n");
        if (group)
                *group++ = '\0';
        char *add[] = { user, NULL };
        if (user_lookup(passwd, group, user, add, USER_ID_MAX, &result, &err) == 0 &&
            (result.uid < 0 || result.uid > INT32_MAX || result.gid < 0 || result.gid > INT32_MAX))
                abort();
        free(result.additional_gids.items);
        return 0;
}
