/* apparmor.c: AppArmor's files in sysfs, securityfs and procfs. */
#include "os/apparmor.h"

#include <errno.h>
#include <fcntl.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "os/procfs.h"

#define ENABLED "/sys/module/apparmor/parameters/enabled"
#define PROFILES "/sys/kernel/security/apparmor/profiles"
#define PROFILES_MAX (4 << 20) /* bytes: a distribution's all are some thousand lines */

bool apparmor_enabled(void) {
        _cleanup_free_ char *text = NULL;
        size_t length;

        return file_read_at(AT_FDCWD, ENABLED, 64, &text, &length, NULL) == 0 && text[0] == 'Y';
}

/* A name may have blanks and brackets itself: the mode is behind the last one. */
static size_t name_length(const char *line, size_t length) {
        for (size_t i = length; i > 1; i--)
                if (line[i - 1] == '(' && line[i - 2] == ' ')
                        return i - 2;
        return length;
}

bool apparmor_lists(const char *text, const char *profile) {
        const size_t wanted = strlen(profile);

        for (const char *line = text; *line;) {
                const size_t length = strcspn(line, "\n");

                if (name_length(line, length) == wanted && strncmp(line, profile, wanted) == 0)
                        return true;
                line += length + (line[length] == '\n');
        }
        return false;
}

int apparmor_has(const char *profile, bool *ret, Error *err) {
        _cleanup_free_ char *text = NULL;
        size_t length;
        int r = file_read_at(AT_FDCWD, PROFILES, PROFILES_MAX, &text, &length, err);

        if (r < 0)
                return error_prefix(err, "list AppArmor's profiles (is securityfs mounted?)");
        *ret = apparmor_lists(text, profile);
        return 0;
}

int apparmor_on_exec(int proc_fd, const char *profile, Error *err) {
        _cleanup_free_ char *text = str_format("exec %s", profile);
        int r = procfs_write(proc_fd, "self/attr/apparmor/exec", text, err);

        if (r == -ENOENT)
                return error_kind(err, ERROR_NOT_FOUND,
                                  "unable to apply apparmor profile '%s': the kernel has none of "
                                  "that name: load it with apparmor_parser",
                                  profile);
        return r < 0 ? error_prefix(err, "unable to apply apparmor profile '%s'", profile) : 0;
}

int apparmor_of(pid_t pid, char **ret, Error *err) {
        _cleanup_free_ char *path = str_format("%d/attr/apparmor/current", (int)pid), *text = NULL;
        _cleanup_close_ int proc_fd = -1;
        int r = procfs_open(&proc_fd, err);

        if (r == 0)
                r = procfs_read(proc_fd, path, &text, err);
        if (r == 0 && text)
                *ret = str_copy_n(text, name_length(text, strcspn(text, "\n")));
        return r;
}
