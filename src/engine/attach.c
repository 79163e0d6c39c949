/* attach.c: hands clients' sockets to a container's monitor, which owns the stream from then on.
 * Those who come before the start wait here, so that they miss no output. */
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>

#include "base/clock.h"
#include "base/fd.h"
#include "engine/attach.h"
#include "engine/events.h"
#include "engine/registry.h"
#include "engine/snapshot.h"
#include "engine/state.h"

#define PENDING_MAX 256 /* clients that wait for one container's start */
#define HEAD_PATIENCE_MS 20

/* ---- requests ---- */

void attach_request(const AttachOptions *options, bool tty, bool open_stdin, MonitorRequest *ret) {
        *ret = (MonitorRequest){
                .want_stdin = options->stdin_ && open_stdin,
                .want_stdout = options->stdout_,
                .want_stderr = options->stderr_,
                .multiplex = !tty,
                .early = monitor_early(options->early, options->early_length),
                .detach_keys = str_copy(options->detach_keys),
        };
}

void attach_request_done(MonitorRequest *request) {
        free(request->early);
        free(request->detach_keys);
        free(request->note);
        *request = (MonitorRequest){ 0 };
}

typedef struct PendingAttach {
        int client_fd;
        MonitorRequest request;
} PendingAttach;

static void pending_done(PendingAttach *pending) {
        close_fd(&pending->client_fd);
        attach_request_done(&pending->request);
}

/* Both ways are closed; one that only sends no more still reads. */
static bool has_left(int fd) {
        struct pollfd client = { .fd = fd };

        return poll(&client, 1, 0) > 0 && client.revents;
}

/* lock held. Nobody else notices that a client gave up before the start. */
static void pending_prune(Container *container) {
        PendingAttach *items = container->pending.items;
        size_t kept = 0;

        for (size_t i = 0; i < container->pending.count; i++) {
                if (has_left(items[i].client_fd))
                        pending_done(&items[i]);
                else
                        items[kept++] = items[i];
        }
        container->pending.count = kept;
}

/* lock held. */
static int pending_add(Container *container, MonitorRequest *request, int client_fd, Error *err) {
        pending_prune(container);
        if (container->pending.count >= PENDING_MAX)
                return error_kind(err, ERROR_CONFLICT,
                                  "%d clients wait already for the start of container %s: start "
                                  "it, or end some of them",
                                  PENDING_MAX, container->id);
        PendingAttach *items = container->pending.items;
        int fd = fcntl(client_fd, F_DUPFD_CLOEXEC, 0);

        if (fd < 0)
                return error_set(err, errno, "keep the client's connection");
        GROW(items, container->pending.count);
        container->pending.items = items;
        items[container->pending.count++] = (PendingAttach){ fd, *request };
        *request = (MonitorRequest){ 0 };
        return 0;
}

int attach_start_pending(Container *container, Error *err) {
        PendingAttach *items = container->pending.items;
        int r = 0;

        for (size_t i = 0; i < container->pending.count; i++) {
                Error error = { 0 };

                /* One client that has left must not keep the container from starting. */
                r = monitor_attach(container->monitor, items[i].client_fd, &items[i].request,
                                   &error);
                if (r < 0 && error.number != EPIPE && error.number != ECONNRESET) {
                        if (err)
                                *err = error;
                        break;
                }
                r = 0;
        }
        attach_drop_pending(container);
        return r;
}

void attach_drop_pending(Container *container) {
        PendingAttach *items = container->pending.items;

        for (size_t i = 0; i < container->pending.count; i++)
                pending_done(&items[i]);
        free(items);
        container->pending = (JsonArray){ 0 };
}

void attach_detached(Container *container, const MonitorReply *reply) {
        Pairs attributes = { 0 };

        if (reply->exec)
                pairs_put(&attributes, "execID", reply->exec);
        container_event(container, reply->exec ? "exec_detach" : "detach", &attributes);
        pairs_done(&attributes);
}

/* ---- what was logged before ---- */

typedef struct Replay {
        int fd;
        bool multiplex;
} Replay;

enum { FRAME_HEADER = 8 };

static int replay_line(void *data, int stream, const char *bytes, size_t length) {
        const Replay *replay = data;
        const unsigned char header[FRAME_HEADER] = { (unsigned char)stream,
                                                     0,
                                                     0,
                                                     0,
                                                     (unsigned char)(length >> 24),
                                                     (unsigned char)(length >> 16),
                                                     (unsigned char)(length >> 8),
                                                     (unsigned char)length };
        int r = replay->multiplex ? fd_write_full(replay->fd, header, sizeof(header)) : 0;

        return r < 0 ? r : fd_write_full(replay->fd, bytes, length);
}

/* Python's client reads the answer's head through a buffer and what follows from the bare socket:
 * what comes along with the head is lost to it. dockerd is slower than that; we look whether the
 * head has been taken, for 20 ms at the most. Over TCP the kernel tells of its arrival only.
 * unix(7), tcp(7), SIOCOUTQ. */
void attach_let_head_be_read(int fd) {
        const struct timespec pause = { .tv_nsec = NSEC_PER_MSEC / 5 };

        for (int i = 0; i < HEAD_PATIENCE_MS * 5; i++) {
                int queued = 0;

                if (ioctl(fd, SIOCOUTQ, &queued) < 0 || queued == 0)
                        return;
                (void)nanosleep(&pause, NULL);
        }
}

static int replay(Engine *engine, const Container *container, const AttachOptions *options, int fd,
                  Error *err) {
        Replay job = { fd, !container->spec.config.tty && !options->raw };
        const LogOptions logs = { .stdout_ = options->stdout_,
                                  .stderr_ = options->stderr_,
                                  .tail = -1 };

        return engine_container_logs(engine, container->id, &logs, replay_line, &job, -1, err);
}

/* ---- the API's calls ---- */

int engine_container_attach_check(Engine *engine, const char *ref, bool *ret_tty, Error *err) {
        _cleanup_container_ Container *container = NULL;

        int r = container_lookup(engine, ref, &container, err);
        if (r < 0)
                return r;
        _cleanup_snapshot_ ContainerSnapshot *snapshot = container_snapshot(container);
        if (snapshot->state.status == CONTAINER_PAUSED)
                return error_kind(err, ERROR_CONFLICT,
                                  "Container %s is paused, unpause the container before attach",
                                  ref);
        if (snapshot->state.status == CONTAINER_RESTARTING)
                return error_kind(err, ERROR_CONFLICT,
                                  "Container %s is restarting, wait until the container is running",
                                  ref);
        *ret_tty = container->spec.config.tty;
        return 0;
}

static int ready(const AttachOptions *options, Error *err) {
        return options->ready ? options->ready(options->ready_data, err) : 0;
}

int engine_container_attach(Engine *engine, const char *ref, const AttachOptions *options,
                            int client_fd, Error *err) {
        _cleanup_container_ Container *container = NULL;
        MonitorRequest request;

        int r = container_lookup(engine, ref, &container, err);
        /* Else the keys would keep a container from starting that they wait for. */
        if (r == 0 && !str_empty(options->detach_keys))
                r = monitor_detach_keys_check(options->detach_keys, err);
        if (r < 0)
                return r;
        if (options->logs) {
                r = ready(options, err);
                if (r == 0) {
                        attach_let_head_be_read(client_fd);
                        r = replay(engine, container, options, client_fd, err);
                }
        } else if (!options->stream) {
                r = ready(options, err);
        }
        if (r < 0 || !options->stream)
                return r;
        const ContainerConfig *config = &container->spec.config;
        attach_request(options, config->tty || options->raw, config->open_stdin, &request);
        CONTAINER_LOCKED(container);
        /* A start waits for the lock, so whoever hears "ready" and starts is attached by then. */
        if (container->state.status == CONTAINER_REMOVING)
                r = error_kind(err, ERROR_CONFLICT, "container %s is marked for removal", ref);
        else if (!options->logs)
                r = ready(options, err);
        if (r == 0)
                r = container_is_running(container)
                            ? monitor_attach(container->monitor, client_fd, &request, err)
                            : pending_add(container, &request, client_fd, err);
        attach_request_done(&request);
        if (r == 0)
                container_event(container, "attach", NULL);
        return r;
}
