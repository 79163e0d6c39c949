/* streams.c: see streams.h. One chunk is read at a time and goes to the log and to every client
 * before the next is read, so no more than a chunk waits anywhere and a slow client slows the
 * process. */
#include "monitor/streams.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/fd.h"

void streams_init(Streams *streams, Loop *loop) {
        *streams = (Streams){ .loop = loop, .console = -1, .slave = -1, .stdin_fd = -1 };
        for (int i = 0; i < 2; i++)
                streams->outputs[i] = (Output){ .streams = streams, .fd = -1, .stream = i + 1 };
}

static void close_stdin(Streams *streams) {
        streams->stdin_source = loop_remove(streams->stdin_source);
        close_fd(&streams->stdin_fd);
        buf_done(&streams->input);
}

static void close_output(Output *output) {
        Streams *streams = output->streams;
        Error err = {};

        output->source = loop_remove(output->source);
        close_fd(&output->fd);
        if (streams->log && logfile_end(streams->log, output->stream, &err) < 0 &&
            streams->on_warning)
                streams->on_warning(streams->data, &err);
}

void streams_done(Streams *streams) {
        streams_drop_clients(streams);
        close_stdin(streams);
        for (int i = 0; i < 2; i++)
                if (streams->outputs[i].fd >= 0)
                        close_output(&streams->outputs[i]);
        close_fd(&streams->slave);
        close_fd(&streams->console);
}

void streams_child_done(StreamsChild *child) {
        for (int i = 0; i < 3; i++)
                close_fd(&child->fds[i]);
}

/* One pipe whose end at `ours` is non-blocking: 0 reads, 1 writes. */
static int open_pipe(int ours, const StreamsWants *wants, int *ret_ours, int *ret_childs,
                     Error *err) {
        int fds[2], r;

        if (pipe2(fds, O_CLOEXEC) < 0)
                return error_set(err, errno, "make a pipe for a standard stream");
        r = fd_set_nonblocking(fds[ours], true);
        *ret_ours = fds[ours];
        *ret_childs = fds[!ours];
        if (r < 0)
                return error_set(err, -r, "make a standard stream non-blocking");
        if ((wants->owner || wants->group) && fchown(*ret_childs, wants->owner, wants->group) < 0)
                return error_set(err, errno, "give a standard stream to %u", wants->owner);
        return 0;
}

int streams_open(Streams *streams, StreamsWants wants, ProcessIo *io, StreamsChild *child,
                 Error *err) {
        int r = 0;

        *child = (StreamsChild){ { -1, -1, -1 } };
        *io = (ProcessIo){ .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1, .console_socket = -1 };
        streams->terminal = wants.terminal;
        if (wants.terminal) {
                io->ret_console = &streams->console;
                return 0;
        }
        if (wants.stdin_)
                r = open_pipe(1, &wants, &streams->stdin_fd, &child->fds[0], err);
        if (r == 0 && wants.stdout_)
                r = open_pipe(0, &wants, &streams->outputs[0].fd, &child->fds[1], err);
        if (r == 0 && wants.stderr_)
                r = open_pipe(0, &wants, &streams->outputs[1].fd, &child->fds[2], err);
        if (r < 0) {
                streams_child_done(child);
                return r;
        }
        io->stdin_fd = child->fds[0];
        io->stdout_fd = child->fds[1];
        io->stderr_fd = child->fds[2];
        return 0;
}

/* The master is read and written through two descriptors, so that each is watched by itself. */
static int open_console(Streams *streams, Error *err) {
        int r = fd_set_nonblocking(streams->console, true);

        if (r < 0)
                return error_set(err, -r, "make a terminal non-blocking");
        streams->outputs[0].fd = fcntl(streams->console, F_DUPFD_CLOEXEC, 0);
        streams->stdin_fd = fcntl(streams->console, F_DUPFD_CLOEXEC, 0);
        if (streams->outputs[0].fd < 0 || streams->stdin_fd < 0)
                return error_set(err, errno, "duplicate a terminal's descriptor");
        return 0;
}

void streams_process_ended(Streams *streams) {
        streams->process_ended = true;
        close_fd(&streams->slave);
}

int streams_prepare(Streams *streams, Error *err) {
        return streams->terminal && streams->console >= 0 ? open_console(streams, err) : 0;
}

void streams_run(Streams *streams) {
        streams->running = true;
        streams_update(streams);
}

int streams_resize(Streams *streams, int64_t width, int64_t height, Error *err) {
        struct winsize size = {};

        if (width < 0 || width > UINT16_MAX || height < 0 || height > UINT16_MAX)
                return error_kind(err, ERROR_INVALID,
                                  "a terminal cannot have %lld x %lld characters", (long long)width,
                                  (long long)height);
        if (streams->console < 0)
                return error_kind(err, ERROR_CONFLICT, "the process has no terminal to resize");
        size.ws_col = (unsigned short)width;
        size.ws_row = (unsigned short)height;
        if (ioctl(streams->console, TIOCSWINSZ, &size) < 0)
                return error_set(err, errno, "resize the terminal");
        return 0;
}

/* ---- input ---- */

bool streams_takes_input(const Streams *streams) {
        return streams->input.length == 0;
}

static void write_input(Streams *streams) {
        ssize_t n = write(streams->stdin_fd, streams->input.data, streams->input.length);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n < 0) { /* the process has closed its input: what comes is dropped */
                close_stdin(streams);
                return;
        }
        if ((size_t)n < streams->input.length)
                buf_drop_front(&streams->input, (size_t)n);
        else
                buf_done(&streams->input);
}

static void on_stdin(void *data, int fd, uint32_t events) {
        Streams *streams = data;

        (void)fd;
        (void)events;
        write_input(streams);
        streams_update(streams);
}

void streams_input(Streams *streams, const void *data, size_t length) {
        /* Before the process is let go its terminal is not open yet: input is kept for it. */
        if (streams->stdin_fd < 0 && (streams->running || !streams->terminal))
                return;
        buf_add(&streams->input, data, length);
        if (streams->stdin_fd >= 0)
                write_input(streams);
}

void streams_close_stdin(Streams *streams) {
        streams->input_ends = true;
        if (streams->input.length == 0 && !streams->terminal)
                close_stdin(streams);
}

static void update_stdin(Streams *streams) {
        Error err = {};

        if (streams->input.length > 0 && streams->stdin_fd >= 0) {
                if (!streams->stdin_source &&
                    loop_add_fd(streams->loop, streams->stdin_fd, EPOLLOUT, on_stdin, streams,
                                &streams->stdin_source, &err) < 0)
                        close_stdin(streams);
                return;
        }
        streams->stdin_source = loop_remove(streams->stdin_source);
        if (streams->input_ends && !streams->terminal)
                close_stdin(streams);
}

/* ---- output ---- */

/* A terminal that nobody has open reads EIO, but a process that closed it, or hung it up, may open
 * it again: until it has ended, its other end is opened here. False where that cannot be done. */
static bool hold_terminal(Streams *streams) {
        if (!streams->terminal || streams->process_ended)
                return false;
        close_fd(&streams->slave);
        streams->slave = ioctl(streams->console, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
        return streams->slave >= 0;
}

/* One read, handed on. Positive: bytes; 0: the end; -EAGAIN: nothing now. */
static ssize_t read_output(Output *output) {
        Streams *streams = output->streams;
        char data[STREAMS_CHUNK];
        Error err = {};
        ssize_t n;

        do
                n = read(output->fd, data, sizeof(data));
        while (n < 0 && errno == EINTR);
        if (n < 0 && (errno == EAGAIN || (errno == EIO && hold_terminal(streams))))
                return -EAGAIN;
        if (n <= 0)
                return 0;
        if (streams->log &&
            logfile_write(streams->log, output->stream, data, (size_t)n, &err) < 0 &&
            streams->on_warning)
                streams->on_warning(streams->data, &err);
        for (Attachment *attachment = streams->attachments; attachment;
             attachment = attachment->next)
                attachment_output(attachment, output->stream, data, (size_t)n);
        return n;
}

static void on_output(void *data, int fd, uint32_t events) {
        Output *output = data;

        (void)fd;
        (void)events;
        if (read_output(output) == 0)
                close_output(output);
        streams_update(output->streams);
}

static void update_output(Output *output, bool read) {
        Error err = {};

        if (output->fd < 0)
                return;
        /* Not just another event mask: a hang-up would be reported whatever the mask is. */
        if (!read)
                output->source = loop_remove(output->source);
        else if (!output->source && loop_add_fd(output->streams->loop, output->fd, EPOLLIN,
                                                on_output, output, &output->source, &err) < 0)
                close_output(output);
}

bool streams_outputs_ended(const Streams *streams) {
        return streams->outputs[0].fd < 0 && streams->outputs[1].fd < 0;
}

/* ---- clients ---- */

static void free_dead(Streams *streams) {
        for (Attachment **at = &streams->attachments; *at;) {
                Attachment *attachment = *at;

                if (!attachment_dead(attachment)) {
                        at = &attachment->next;
                        continue;
                }
                *at = attachment->next;
                attachment_free(attachment);
        }
}

void streams_update(Streams *streams) {
        bool waiting = streams->log && logfile_waits(streams->log);

        for (Attachment *attachment = streams->attachments; attachment;
             attachment = attachment->next)
                attachment_update(attachment);
        free_dead(streams);
        for (Attachment *attachment = streams->attachments; attachment;
             attachment = attachment->next)
                waiting |=
                        !attachment->ending && attachment_waiting(attachment) && !BUG("exec-flood");
        update_stdin(streams);
        for (int i = 0; i < 2; i++)
                update_output(&streams->outputs[i],
                              streams->running && (!waiting || streams->overflowing));
        if (streams->on_change)
                streams->on_change(streams->data);
}

int streams_attach(Streams *streams, int client_fd, const MonitorRequest *request, Error *err) {
        Attachment *attachment;
        int r = attachment_new(streams, client_fd, request, &attachment, err);

        if (r < 0)
                return r;
        attachment->next = streams->attachments;
        streams->attachments = attachment;
        streams_update(streams);
        return 0;
}

/* ---- the end ---- */

static void drain_output(Output *output, int64_t deadline) {
        size_t total = 0;

        while (output->fd >= 0 && total < STREAMS_PENDING_MAX) {
                int64_t left = (deadline - clock_monotonic()) / NSEC_PER_MSEC;
                struct pollfd poll_fd = { .fd = output->fd, .events = POLLIN };
                ssize_t n = read_output(output);

                if (n > 0)
                        total += (size_t)n;
                else if (n == 0 || left <= 0 || poll(&poll_fd, 1, (int)left) == 0)
                        break;
        }
        if (output->fd >= 0)
                close_output(output);
}

void streams_drain(Streams *streams, int timeout_ms) {
        int64_t deadline = clock_monotonic() + timeout_ms * NSEC_PER_MSEC;

        streams->overflowing = true;
        for (int i = 0; i < 2; i++)
                drain_output(&streams->outputs[i], deadline);
}

void streams_end(Streams *streams) {
        close_stdin(streams);
        for (Attachment *attachment = streams->attachments; attachment;
             attachment = attachment->next)
                attachment_end(attachment);
        streams_update(streams);
}

void streams_drop_clients(Streams *streams) {
        while (streams->attachments) {
                Attachment *attachment = streams->attachments;

                streams->attachments = attachment->next;
                attachment_free(attachment);
        }
}
