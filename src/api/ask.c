/* ask.c: see ask.h. */
#include "api/ask.h"

#include <signal.h>
#include <sys/socket.h>

#include "api/api.h"
#include "api/fake-engine.h"
#include "base/clock.h"
#include "base/fd.h"

/* What comes back for one request, head and body, without what every answer has. */
static char *ask_pair(int pair[2], const char *text, size_t length, bool ends) {
        HttpServerOptions options = { .handler = api_handle };
        Api *api = api_new(NULL);
        HttpServer *server;
        Loop *loop;
        Buf came = { 0 };

        fake_asked[0] = '\0';
        (void)signal(SIGPIPE, SIG_IGN);
        options.data = api;
        if (loop_new(&loop, NULL) < 0 || http_server_new(loop, &options, &server, NULL) < 0)
                abort();
        http_server_serve(server, pair[1]);
        (void)fd_write_full(pair[0], text, length);
        if (ends)
                (void)shutdown(pair[0], SHUT_WR);
        (void)fd_read_all(pair[0], 100000000, &came);
        close_fd(&pair[0]);
        if (!http_server_stop(server, 20 * NSEC_PER_SEC))
                abort();
        (void)http_server_free(server);
        (void)loop_free(loop);
        (void)api_free(api);
        buf_reserve(&came, 1);
        came.data[came.length] = '\0';
        return came.data;
}

char *ask_over(int pair[2], const char *text, size_t length) {
        return ask_pair(pair, text, length, true);
}

char *ask_open(int pair[2], const char *text, size_t length) {
        return ask_pair(pair, text, length, false);
}

char *ask_raw(const char *text, size_t length) {
        int pair[2];

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                abort();
        return ask_over(pair, text, length);
}

char *answer;

void ask(const char *line, const char *fields, const char *body) {
        _cleanup_free_ char *text =
                str_format("%s HTTP/1.1\r\nHost: d\r\nConnection: close\r\n%s", line, fields);
        _cleanup_free_ char *all =
                body ? str_format("%sContent-Length: %zu\r\n\r\n%s", text, strlen(body), body)
                     : str_format("%s\r\n", text);

        free(answer);
        answer = ask_raw(all, strlen(all));
}

int status(void) {
        int number = 0;

        return sscanf(answer, "HTTP/1.1 %d ", &number) == 1 ? number : -1;
}

const char *body(void) {
        const char *end = strstr(answer, "\r\n\r\n");

        return end ? end + 4 : "";
}

static Buf unframed;

const char *chunks(void) {
        const char *from = body();
        unsigned size;

        buf_clear(&unframed);
        buf_add_str(&unframed, "");
        while (sscanf(from, "%x", &size) == 1 && size > 0) {
                from = strstr(from, "\r\n") + 2;
                buf_add(&unframed, from, size);
                from += size + 2;
        }
        return unframed.data;
}

void ask_done(void) {
        buf_done(&unframed);
        free(answer);
        answer = NULL;
}

size_t open_fds(void) {
        _cleanup_closedir_ DIR *dir = opendir("/proc/self/fd");
        size_t count = 0;

        while (dir && readdir(dir))
                count++;
        return count;
}
