/* stream.c: see stream.h. One poll loop: nothing blocks but writing to our own output. */
#include "cli/stream.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "cli/wait.h"

#define READ_SIZE 32768
#define HEADER_SIZE 8
#define OUTPUT_ENDED 2 /* beside STREAM_DETACHED */

/* What a signal proxy passes on: all but those that the kernel or the terminal means for us. */
static void proxied_signals(sigset_t *set) {
        static const int ours[] = { SIGCHLD, SIGPIPE, SIGURG, SIGWINCH, SIGTSTP, SIGTTIN, SIGTTOU,
                                    SIGSEGV, SIGBUS,  SIGFPE, SIGILL,   SIGABRT, SIGTRAP, SIGSYS };

        (void)sigfillset(set);
        for (size_t i = 0; i < ELEMENTS(ours); i++)
                (void)sigdelset(set, ours[i]);
}

void stream_init(Stream *stream, Cli *cli, bool tty) {
        *stream = (Stream){ .cli = cli, .fd = -1, .signal_fd = -1, .ending_fd = -1, .tty = tty };
        (void)detach_keys_parse(NULL, &stream->detach, NULL);
}

/* Those that end a program end the wait for an answer, too; nobody reads this descriptor. */
static int heed_signals(Stream *stream, Error *err) {
        static const int ending[] = { SIGINT, SIGTERM, SIGQUIT, SIGHUP };
        sigset_t set;

        (void)sigemptyset(&set);
        for (size_t i = 0; i < ELEMENTS(ending); i++)
                (void)sigaddset(&set, ending[i]);
        stream->ending_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        if (stream->ending_fd < 0)
                return error_set(err, errno, "signalfd");
        (void)http_client_give_up_on(stream->cli->http, stream->ending_fd);
        return 0;
}

static int block_signals(Stream *stream, Error *err) {
        sigset_t set;

        (void)sigemptyset(&set);
        if (stream->proxy)
                proxied_signals(&set);
        if (stream->resize)
                (void)sigaddset(&set, SIGWINCH);
        (void)sigprocmask(SIG_BLOCK, &set, NULL);
        stream->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        if (stream->signal_fd < 0)
                return error_set(err, errno, "signalfd");
        return stream->proxy ? heed_signals(stream, err) : 0;
}

int stream_open(Stream *stream, const char *path, json_object *body, Error *err) {
        HttpRequest request = { .method = "POST", .upgrade = true, .content_type = "text/plain" };
        _cleanup_reply_ HttpReply *reply = NULL;
        int r;

        r = block_signals(stream, err);
        if (r < 0)
                return r;
        if (body) {
                request.body = json_object_to_json_string_ext(body, JSON_C_TO_STRING_PLAIN);
                request.length = strlen(request.body);
                request.content_type = "application/json";
        }
        r = api_send(stream->cli, &request, path, &reply, err);
        if (r < 0)
                return r;
        if (http_reply_status(reply) != 101 && http_reply_status(reply) != 200)
                return error_kind(err, ERROR_INTERNAL, "unable to upgrade to tcp, received %d",
                                  http_reply_status(reply));
        stream->fd = http_reply_take_stream(reply, &stream->input);
        return 0;
}

void stream_done(Stream *stream) {
        terminal_restore();
        close_fd(&stream->fd);
        if (stream->ending_fd >= 0)
                (void)http_client_give_up_on(stream->cli->http, -1);
        close_fd(&stream->ending_fd);
        close_fd(&stream->signal_fd);
        buf_done(&stream->input);
        buf_done(&stream->output);
        free(stream->resize);
        stream->resize = NULL;
}

static int send_size(Stream *stream, unsigned rows, unsigned columns) {
        _cleanup_free_ char *path = str_format("%s?h=%u&w=%u", stream->resize, rows, columns);
        Error ignored = {};

        return api_do(stream->cli, "POST", path, &ignored);
}

static bool have_size(Stream *stream, unsigned *rows, unsigned *columns) {
        return stream->resize && terminal_size(STDOUT_FILENO, rows, columns) &&
               (*rows > 0 || *columns > 0);
}

void stream_resize(Stream *stream) {
        unsigned rows, columns;

        if (have_size(stream, &rows, &columns))
                stream->size_pending = send_size(stream, rows, columns) < 0;
}

void stream_redraw(Stream *stream) {
        unsigned rows, columns;

        if (have_size(stream, &rows, &columns))
                (void)send_size(stream, rows + 1, columns + 1);
        stream_resize(stream);
}

/* ---- output ---- */

static int write_frame(void *data, int fd, const char *bytes, size_t length, Error *err) {
        int r = fd_write_full(fd, bytes, length);

        return r < 0 ? error_set(err, -r, "write output") : 0;
}

static bool take_frame(Buf *buf, FrameTakeFn take, void *data, int *r, Error *err) {
        const unsigned char *head = (const unsigned char *)buf->data;
        size_t length;

        *r = 0;
        if (buf->length < HEADER_SIZE)
                return false;
        length = (size_t)head[4] << 24 | (size_t)head[5] << 16 | (size_t)head[6] << 8 | head[7];
        if (buf->length < HEADER_SIZE + length)
                return false;
        if (head[0] == 3)
                *r = error_kind(err, ERROR_INTERNAL, "error from daemon in stream: %.*s",
                                (int)length, buf->data + HEADER_SIZE);
        else if (head[0] > 3)
                *r = error_kind(err, ERROR_INTERNAL, "unrecognized stream: %u", head[0]);
        else
                *r = take(data, head[0] == 2 ? STDERR_FILENO : STDOUT_FILENO,
                          buf->data + HEADER_SIZE, length, err);
        buf_drop_front(buf, HEADER_SIZE + length);
        return true;
}

bool frame_write(Buf *buf, int *r, Error *err) {
        return take_frame(buf, write_frame, NULL, r, err);
}

static int write_raw(Buf *buf, Error *err) {
        int r = buf->length ? fd_write_full(STDOUT_FILENO, buf->data, buf->length) : 0;

        buf_clear(buf);
        return r < 0 ? error_set(err, -r, "write output") : 0;
}

static int write_input(Buf *buf, bool raw, Error *err) {
        int r = 0;

        if (raw)
                return write_raw(buf, err);
        while (r == 0 && frame_write(buf, &r, err))
                continue;
        return r;
}

/* As much as there is: a positive number, 0 at the end of the body, or a negative errno. */
static ssize_t read_more(HttpReply *reply, Buf *input, Error *err) {
        ssize_t got;

        buf_reserve(input, READ_SIZE);
        got = http_reply_read(reply, input->data + input->length, READ_SIZE, err);
        if (got > 0)
                input->length += (size_t)got;
        return got;
}

int frames_read(HttpReply *reply, FrameTakeFn take, void *data, Error *err) {
        _cleanup_buf_ Buf input = {};

        for (;;) {
                ssize_t got = read_more(reply, &input, err);
                int r = 0;

                if (got <= 0)
                        return (int)got;
                while (r == 0 && take_frame(&input, take, data, &r, err))
                        continue;
                if (r < 0)
                        return r;
        }
}

int frames_copy(HttpReply *reply, bool raw, Error *err) {
        _cleanup_buf_ Buf input = {};

        for (;;) {
                ssize_t got = read_more(reply, &input, err);
                int r;

                if (got <= 0)
                        return (int)got;
                r = write_input(&input, raw, err);
                if (r < 0)
                        return r;
        }
}

/* OUTPUT_ENDED at the end of the connection. */
static int read_connection(Stream *stream, Error *err) {
        ssize_t got;

        buf_reserve(&stream->input, READ_SIZE);
        got = read(stream->fd, stream->input.data + stream->input.length, READ_SIZE);
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
                return 0;
        if (got < 0 && errno != ECONNRESET)
                return error_set(err, errno, "read from the container");
        if (got <= 0)
                return OUTPUT_ENDED;
        stream->input.length += (size_t)got;
        if (stream->size_pending)
                stream_resize(stream);
        return write_input(&stream->input, stream->tty, err);
}

/* ---- input ---- */

/* Sends what waits without blocking; the half-close follows the last byte. */
static int send_output(Stream *stream) {
        while (stream->output.length > 0) {
                ssize_t sent = send(stream->fd, stream->output.data, stream->output.length,
                                    MSG_NOSIGNAL | MSG_DONTWAIT);

                if (sent < 0 && errno == EINTR)
                        continue;
                if (sent < 0 && errno == EAGAIN)
                        return 0;
                if (sent < 0) { /* it reads no more; its output ends in its own time */
                        stream->stdin_ended = true;
                        buf_clear(&stream->output);
                        return 0;
                }
                buf_drop_front(&stream->output, (size_t)sent);
        }
        if (stream->stdin_ended)
                (void)shutdown(stream->fd, SHUT_WR);
        return 0;
}

/* STREAM_DETACHED once the detach keys were typed. */
static int read_stdin(Stream *stream) {
        char data[READ_SIZE];
        ssize_t got = read(STDIN_FILENO, data, sizeof(data));

        if (got < 0 && (errno == EINTR || errno == EAGAIN))
                return 0;
        if (got <= 0)
                stream->stdin_ended = true;
        else if (!stream->tty)
                buf_add(&stream->output, data, (size_t)got);
        else if (detach_keys_filter(&stream->detach, data, (size_t)got, &stream->output))
                return STREAM_DETACHED;
        return send_output(stream);
}

/* The monitor carries the stream on when the daemon is away, but only the daemon sends signals: the
 * first one is said to be lost, the second one is for us. */
static int signal_lost(Stream *stream, const char *name, Error *err) {
        if (stream->signal_was_lost)
                return error_kind(err, ERROR_UNAVAILABLE,
                                  "interrupted while the daemon at %s was away: the container runs "
                                  "on",
                                  stream->cli->host);
        stream->signal_was_lost = true;
        (void)fprintf(stderr,
                      "%s: the daemon at %s is away: SIG%s was not passed on; once more ends %s\n",
                      stream->cli->program, stream->cli->host, name, stream->cli->program);
        return 0;
}

int signal_send(Cli *cli, const char *id, int number, Error *err) {
        _cleanup_free_ char *path = path_format("/containers/%s/kill", id);
        int r, before;

        path_query(&path, "signal", sigabbrev_np(number) ?: "TERM");
        before = http_client_give_up_on(cli->http, HTTP_NOW);
        r = api_do(cli, "POST", path, err);
        (void)http_client_give_up_on(cli->http, before);
        return r;
}

static int pass_signal(Stream *stream, Error *err) {
        struct signalfd_siginfo info;
        Error why = {};

        if (read(stream->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
                return 0;
        if (info.ssi_signo == SIGWINCH) {
                stream_resize(stream);
                return 0;
        }
        /* Another failure means that the process is gone already. */
        if (signal_send(stream->cli, stream->proxy, (int)info.ssi_signo, &why) == 0 ||
            (!cli_lost(&why) && why.number != EINTR))
                return 0;
        return signal_lost(stream, sigabbrev_np((int)info.ssi_signo) ?: "TERM", err);
}

/* Waits for something to do, and does it; OUTPUT_ENDED, STREAM_DETACHED, or a negative errno. */
static int take_turn(Stream *stream, Error *err) {
        bool read_more = !stream->stdin_ended && stream->output.length == 0;
        struct pollfd fds[] = {
                { stream->fd, (short)(POLLIN | (stream->output.length ? POLLOUT : 0)), 0 },
                { stream->signal_fd, POLLIN, 0 },
                { read_more ? STDIN_FILENO : -1, POLLIN, 0 },
                { stream->waiting ? waiting_watch(stream->waiting) : -1, POLLIN, 0 },
        };
        int r = 0;

        if (poll(fds, ELEMENTS(fds), -1) < 0 && errno != EINTR)
                return error_set(err, errno, "poll");
        if (fds[3].revents)
                waiting_look(stream->waiting);
        if (fds[1].revents)
                r = pass_signal(stream, err);
        if (r == 0 && fds[0].revents & POLLOUT)
                r = send_output(stream);
        if (r == 0 && fds[2].revents)
                r = read_stdin(stream);
        if (r == 0 && fds[0].revents & (POLLIN | POLLHUP | POLLERR))
                r = read_connection(stream, err);
        return r;
}

int stream_run(Stream *stream, Error *err) {
        int r;

        if (stream->tty && stream->with_stdin) {
                r = terminal_raw(STDIN_FILENO, err);
                if (r < 0)
                        return r;
        }
        stream->stdin_ended = !stream->with_stdin;
        if (stream->stdin_ended)
                (void)shutdown(stream->fd, SHUT_WR);
        r = write_input(&stream->input, stream->tty, err);
        while (r == 0)
                r = take_turn(stream, err);
        terminal_restore();
        return r == OUTPUT_ENDED ? 0 : r;
}
