/* request.c: what a daemon may ask for, by the request's kind. */
#include "monitor/supervisor.h"
#include "os/pidfd.h"

typedef int (*RequestHandler)(Supervisor *supervisor, Exchange *exchange, Error *err);

static int on_go(Supervisor *supervisor, Exchange *exchange, Error *err) {
        int r = supervisor_go(supervisor, err);

        if (r < 0)
                return r;
        exchange->connection->endings = exchange->request.endings;
        exchange->reply.kind = str_copy("started");
        exchange->reply.pid = supervisor->init->pid;
        exchange->reply.at = supervisor->started_at;
        return 0;
}

static int on_cancel(Supervisor *supervisor, Exchange *exchange, Error *err) {
        Error why = {};

        (void)exchange;
        if (supervisor->started)
                return error_kind(err, ERROR_CONFLICT,
                                  "the container runs already and cannot be cancelled");
        (void)error_kind(&why, ERROR_UNAVAILABLE, "the start was cancelled");
        supervisor_give_up(supervisor, &why);
        return 0;
}

static int on_attach(Supervisor *supervisor, Exchange *exchange, Error *err) {
        Process *process = process_find(supervisor, exchange->request.exec, err);

        if (!process)
                return error_number_of(err->kind);
        if (exchange->fd_count != 1)
                return error_kind(err, ERROR_INVALID, "attach needs the client's socket");
        return streams_attach(&process->streams, exchange->fds[0], &exchange->request, err);
}

static int on_resize(Supervisor *supervisor, Exchange *exchange, Error *err) {
        Process *process = process_find(supervisor, exchange->request.exec, err);

        if (!process)
                return error_number_of(err->kind);
        return streams_resize(&process->streams, exchange->request.width, exchange->request.height,
                              err);
}

static int on_stdin_close(Supervisor *supervisor, Exchange *exchange, Error *err) {
        Process *process = process_find(supervisor, exchange->request.exec, err);

        if (!process)
                return error_number_of(err->kind);
        streams_close_stdin(&process->streams);
        return 0;
}

static int on_signal(Supervisor *supervisor, Exchange *exchange, Error *err) {
        Process *process = process_find(supervisor, exchange->request.exec, err);

        if (!process)
                return error_number_of(err->kind);
        return exchange->request.group
                       ? process_signal_group(process, (int)exchange->request.signal, err)
                       : pidfd_signal(process->pidfd, (int)exchange->request.signal, err);
}

static int on_state(Supervisor *supervisor, Exchange *exchange, Error *err) {
        Process *process = process_find(supervisor, NULL, err);

        if (!process)
                return error_number_of(err->kind);
        exchange->connection->endings = exchange->request.endings;
        exchange->reply.kind = str_copy("state");
        exchange->reply.version = MONITOR_VERSION;
        exchange->reply.pid = process->pid;
        exchange->reply.at = supervisor->started_at;
        exchange->reply_fd = process->pidfd;
        execs_list(supervisor, &exchange->reply.execs);
        return 0;
}

static int on_reopen_log(Supervisor *supervisor, Exchange *exchange, Error *err) {
        (void)exchange;
        return logfile_reopen(&supervisor->log, err);
}

static int on_clear_log(Supervisor *supervisor, Exchange *exchange, Error *err) {
        (void)exchange;
        return logfile_clear(&supervisor->log, err);
}

static int on_seen(Supervisor *supervisor, Exchange *exchange, Error *err) {
        Connection *connection = exchange->connection;

        (void)err;
        exchange->silent = true;
        if (exchange->request.exec)
                exec_seen(supervisor, exchange->request.exec);
        connection->unseen -= connection->unseen > 0;
        return 0;
}

static int on_exec_seen(Supervisor *supervisor, Exchange *exchange, Error *err) {
        (void)err;
        exchange->silent = true;
        exec_seen(supervisor, exchange->request.exec);
        return 0;
}

static const struct {
        const char *kind;
        RequestHandler handler;
} handlers[] = {
        { "go", on_go },
        { "cancel", on_cancel },
        { "attach", on_attach },
        { "exec", supervisor_exec },
        { "exec-kill", supervisor_exec_kill },
        { "resize", on_resize },
        { "stdin-close", on_stdin_close },
        { "signal", on_signal },
        { "state", on_state },
        { "reopen-log", on_reopen_log },
        { "clear-log", on_clear_log },
        { "seen", on_seen },
        { "exec-seen", on_exec_seen },
};

int request_handle(Supervisor *supervisor, Exchange *exchange, Error *err) {
        for (size_t i = 0; i < ELEMENTS(handlers); i++)
                if (str_equal(handlers[i].kind, exchange->request.kind))
                        return handlers[i].handler(supervisor, exchange, err);
        return error_kind(
                err, ERROR_UNSUPPORTED,
                "unknown request '%s': the container's monitor is of an earlier brig than "
                "the daemon: restart the container",
                exchange->request.kind);
}
