/* home.c: reads the container's /etc/passwd, an untrusted file: a regular one of at most 10 MiB, or
 * it is not read. */
#include "runtime/home.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "runtime/private.h"

#define PASSWD_MAX (10 << 20)

/* The sixth field of the line whose third is uid: name:password:uid:gid:gecos:home:shell. */
static char *home_in(const char *text, uid_t uid) {
        for (const char *line = text; line && *line;
             line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
                _cleanup_free_ char *copy = str_copy_n(line, strcspn(line, "\n"));
                _cleanup_strv_ char **fields = str_split(copy, ':');
                uint64_t number;

                if (strv_length(fields) >= 6 && str_to_uint64(fields[2], &number) == 0 &&
                    number == uid && fields[5][0] == '/')
                        return str_copy(fields[5]);
        }
        return NULL;
}

char *home_of(uid_t uid) {
        _cleanup_close_ int root_fd = openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC),
                            fd = -1;
        _cleanup_buf_ Buf text = {};
        struct stat status;
        char *home = NULL;

        if (root_fd >= 0 &&
            root_open(root_fd, "/etc/passwd", O_RDONLY | O_NONBLOCK | O_NOCTTY, &fd, NULL) == 0 &&
            fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
            fd_read_all(fd, PASSWD_MAX, &text) == 0)
                home = home_in(text.data, uid);
        return home ? home : str_copy("/");
}
