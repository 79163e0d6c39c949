/* git-config.c: see git-job.h. A file in the job's own memory: what is secret is on no command line
 * and in no environment, and ends with the job. git-config(1). */
#include <errno.h>
#include <fcntl.h>

#include "base/fd.h"
#include "image/confine.h"
#include "image/git-job.h"

/* Nothing of the repository is executed, and nothing but these protocols is spoken. */
static const char fixed[] = "[core]\n"
                            "\thooksPath = /dev/null\n"
                            "\tfsmonitor = false\n"
                            "\tbigFileThreshold = 64m\n"
                            "[protocol]\n"
                            "\tallow = never\n"
                            "[protocol \"http\"]\n"
                            "\tallow = always\n"
                            "[protocol \"https\"]\n"
                            "\tallow = always\n"
                            "[protocol \"ssh\"]\n"
                            "\tallow = always\n"
                            "[protocol \"git\"]\n"
                            "\tallow = always\n"
                            "[credential]\n"
                            "\thelper =\n"
                            "[gc]\n"
                            "\tauto = 0\n"
                            "[maintenance]\n"
                            "\tauto = false\n"
                            "[fetch]\n"
                            "\trecurseSubmodules = false\n"
                            "[pack]\n"
                            "\tthreads = 2\n"
                            "[advice]\n"
                            "\tdetachedHead = false\n"
                            "[init]\n"
                            "\tdefaultBranch = main\n"
                            "[http]\n"
                            "\tfollowRedirects = initial\n"
                            "\tlowSpeedLimit = 1\n"
                            "\tlowSpeedTime = 60\n";

static int add_quoted(Buf *buf, const char *text, Error *err) {
        buf_add_char(buf, '"');
        for (; *text; text++) {
                if ((unsigned char)*text < ' ' || *text == 127)
                        return error_kind(err, ERROR_INVALID,
                                          "a header for git has a control character in it: a "
                                          "secret such as GIT_AUTH_TOKEN is one line");
                if (*text == '"' || *text == '\\')
                        buf_add_char(buf, '\\');
                buf_add_char(buf, *text);
        }
        buf_add_char(buf, '"');
        return 0;
}

/* "https://host/ Authorization: basic …": for what lies below that URL. git would send it on to
 * where the server redirects: git-remote.c. */
static int add_header(Buf *buf, const char *header, Error *err) {
        size_t length = strcspn(header, " ");
        _cleanup_free_ char *origin = str_copy_n(header, length);
        int r;

        buf_add_str(buf, "[http ");
        r = add_quoted(buf, origin, err);
        buf_add_str(buf, "]\n\tfollowRedirects = false\n\textraHeader = ");
        if (r == 0)
                r = add_quoted(buf, header[length] ? header + length + 1 : "", err);
        buf_add_char(buf, '\n');
        return r;
}

int git_config_text(const char *url, char *const *headers, Buf *ret, Error *err) {
        int r;

        buf_add_str(ret, fixed);
        buf_add_str(ret, "[remote \"origin\"]\n\turl = ");
        r = add_quoted(ret, url, err);
        buf_add_char(ret, '\n');
        for (; r == 0 && headers && *headers; headers++)
                r = add_header(ret, *headers, err);
        return r;
}

int git_config_write(const char *url, char *const *headers, Error *err) {
        _cleanup_close_ int fd =
                open(GIT_TEMPORARY "/config", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        _cleanup_buf_ Buf text = {};
        int r;

        if (fd < 0)
                return error_set(err, errno, "write git's configuration");
        r = git_config_text(url, headers, &text, err);
        if (r < 0)
                return r;
        r = fd_write_full(fd, text.data, text.length);
        explicit_bzero(text.data, text.length);
        return r < 0 ? error_set(err, r, "write git's configuration") : 0;
}

void git_kept_config(const char *url, bool sha256, Buf *ret) {
        buf_format(ret,
                   "[core]\n\trepositoryformatversion = %d\n\tfilemode = true\n"
                   "\tbare = false\n\tlogallrefupdates = true\n",
                   sha256);
        if (sha256)
                buf_add_str(ret, "[extensions]\n\tobjectformat = sha256\n");
        /* A URL has neither quotes nor backslashes: git-source.h. */
        buf_format(ret,
                   "[remote \"origin\"]\n\turl = \"%s\"\n"
                   "\tfetch = +refs/heads/*:refs/remotes/origin/*\n",
                   url);
}
