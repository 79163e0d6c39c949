/* main.c: brig-tls: TLS for programs that have none: brigd's side of it, and brig's. message.h has
 * the command line. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "tls/message.h"
#include "tls/serve.h"

int tls_report(char kind, const char *words, int fd) {
        char text[TLS_WORDS_MAX + 1];
        int n = snprintf(text, sizeof(text), "%c%s", kind, words);

        return fd_send(TLS_FD_REPORT, text, MIN((size_t)n, sizeof(text) - 1), &fd, fd >= 0 ? 1 : 0);
}

static TlsFiles files_of(char **words) {
        return (TlsFiles){ .ca = words[0],
                           .cert = words[1],
                           .key = words[2],
                           .verify = str_equal(words[3], "1") };
}

int main(int argc, char **argv) {
        Error err = { 0 };
        TlsFiles files;
        int r;

        (void)signal(SIGPIPE, SIG_IGN);
        if (argc == 6 && str_equal(argv[1], "serve")) {
                files = files_of(argv + 2);
                r = tls_serve(&files, &err);
        } else if (argc == 8 && str_equal(argv[1], "connect")) {
                files = files_of(argv + 4);
                r = tls_connect(argv[2], argv[3], &files, &err);
        } else {
                (void)fprintf(stderr, "brig-tls: brigd and brig start this program themselves\n");
                return 125;
        }
        if (r < 0)
                (void)tls_report(TLS_ERROR, err.message, -1);
        return r < 0 ? 1 : 0;
}
