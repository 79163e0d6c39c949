/* streams.c: wait, logs and attach, whose answers last as long as a container may. Their headers
 * are sent at once, as `docker run` waits for them before it starts the container. */
#include <errno.h>

#include "api/stream.h"
#include "base/cleanup.h"

/* ---- wait ---- */

static int wait_condition(const ApiRequest *request, WaitCondition *ret, Error *err) {
        static const struct {
                const char *name;
                WaitCondition condition;
        } conditions[] = {
                { "", WAIT_NOT_RUNNING },
                { "not-running", WAIT_NOT_RUNNING },
                { "next-exit", WAIT_NEXT_EXIT },
                { "removed", WAIT_REMOVED },
        };
        const char *name = api_query(request, "condition") ?: "";

        for (size_t i = 0; i < ELEMENTS(conditions); i++)
                if (str_equal(name, conditions[i].name)) {
                        *ret = conditions[i].condition;
                        return 0;
                }
        return error_kind(err, ERROR_INVALID, "invalid condition: \"%s\"", name);
}

static void add_wait_error(Buf *json, const char *message) {
        if (str_empty(message))
                return;
        buf_add_str(json, ",\"Error\":{\"Message\":");
        json_add_quoted(json, message);
        buf_add_char(json, '}');
}

int on_container_wait(ApiRequest *request, Error *err) {
        WaitCondition condition = WAIT_NOT_RUNNING;
        EngineWait *wait;
        _cleanup_free_ char *message = NULL;
        _cleanup_buf_ Buf json = { 0 };
        int64_t code = -1;
        int r, begun;

        r = wait_condition(request, &condition, err);
        if (r < 0)
                return r;
        r = engine_wait_begin(request->engine, api_name(request), condition, &wait, err);
        if (r < 0)
                return r;
        begun = http_begin(request->exchange, 200, "application/json");
        r = engine_wait_end(wait, http_request_socket(request->exchange), &code, &message, err);
        if (begun < 0 || r == -ECANCELED)
                return 0;
        buf_format(&json, "{\"StatusCode\":%lld", (long long)code);
        add_wait_error(&json, r < 0 ? err->message : message);
        buf_add_str(&json, "}\n");
        (void)http_write(request->exchange, json.data, json.length); /* or the client left */
        return 0;
}

/* ---- logs ---- */

#define LOG_BUFFER ((size_t)32 * 1024)

typedef struct LogOutput {
        HttpExchange *exchange;
        bool frames, at_once;
        Buf buf; /* lines that wait for company, where nobody waits for them */
} LogOutput;

static int flush_log(LogOutput *output) {
        int r = http_write(output->exchange, output->buf.data, output->buf.length);

        buf_clear(&output->buf);
        return r;
}

static int send_log(void *data, int stream, const char *bytes, size_t length) {
        LogOutput *output = data;
        unsigned char header[STREAM_HEADER];

        if (output->frames) {
                stream_header(header, stream, length);
                buf_add(&output->buf, header, sizeof(header));
        }
        buf_add(&output->buf, bytes, length);
        return output->at_once || output->buf.length >= LOG_BUFFER ? flush_log(output) : 0;
}

static int read_log_options(const ApiRequest *request, LogOptions *ret, Error *err) {
        const char *tail = api_query(request, "tail");
        int r;

        *ret = (LogOptions){
                .follow = api_flag(request, "follow"),
                .stdout_ = api_flag(request, "stdout"),
                .stderr_ = api_flag(request, "stderr"),
                .timestamps = api_flag(request, "timestamps"),
                .details = api_flag(request, "details"),
                .tail = -1,
        };
        if (!ret->stdout_ && !ret->stderr_)
                return error_kind(err, ERROR_INVALID,
                                  "Bad parameters: you must choose at least one stream");
        r = api_time(request, "since", &ret->since, err);
        if (r >= 0)
                r = api_time(request, "until", &ret->until, err);
        if (r < 0)
                return r;
        /* As Docker has it, what is no number ("all") means every line. */
        if (!tail || str_to_int64(tail, &ret->tail) < 0 || ret->tail < 0)
                ret->tail = -1;
        return 0;
}

int on_container_logs(ApiRequest *request, Error *err) {
        LogOptions options;
        LogOutput output = { .exchange = request->exchange };
        Error failure = { 0 };
        bool tty;
        int r;

        r = read_log_options(request, &options, err);
        if (r < 0)
                return r;
        r = engine_container_logs_check(request->engine, api_name(request), &tty, err);
        if (r < 0)
                return r;
        if (http_begin(request->exchange, 200, stream_type(request, tty)) < 0)
                return 0;
        output.frames = !tty;
        output.at_once = options.follow;
        r = engine_container_logs(request->engine, api_name(request), &options, send_log, &output,
                                  http_request_socket(request->exchange), &failure);
        /* Stream 3 is how Docker reports what went wrong behind the header. */
        if (r < 0 && r != -ECANCELED && r != -EPIPE && failure.message[0] && !tty) {
                _cleanup_free_ char *text =
                        str_format("Error grabbing logs: %s\n", failure.message);

                (void)send_log(&output, 3, text, strlen(text));
        }
        (void)flush_log(&output); /* or the client left */
        buf_done(&output.buf);
        return 0;
}

int on_container_logs_clear(ApiRequest *request, Error *err) {
        return api_answer_done(
                request, engine_container_logs_clear(request->engine, api_name(request), err));
}

/* ---- stats ---- */

/* The header goes with the first document: errors before it are plain answers. */
static int send_stats(void *data, const char *json) {
        HttpExchange *exchange = data;
        _cleanup_buf_ Buf line = { 0 };
        int r = http_answered(exchange) ? 0 : http_begin(exchange, 200, "application/json");

        buf_add_str(&line, json);
        buf_add_char(&line, '\n');
        return r < 0 ? r : http_write(exchange, line.data, line.length);
}

int on_container_stats(ApiRequest *request, Error *err) {
        const StatsOptions options = {
                .stream = http_query_bool(&request->query, "stream", true),
                .one_shot = request->version >= 41 && api_flag(request, "one-shot"),
        };
        int r;

        if (options.stream && options.one_shot)
                return error_kind(err, ERROR_INVALID, "cannot have stream=true and one-shot=true");
        r = engine_container_stats(request->engine, api_name(request), &options, send_stats,
                                   request->exchange, http_request_socket(request->exchange), err);
        if (r < 0 && http_answered(request->exchange)) {
                http_abort(request->exchange); /* no client takes half a stream for its end */
                return 0;
        }
        return r;
}

/* ---- attach ---- */

typedef struct Attachment {
        ApiRequest *request;
        bool tty;
        int fd; /* the connection once it is taken over, else -1 */
} Attachment;

/* The stream begins. */
static int take_connection(void *data, Error *err) {
        Attachment *attachment = data;

        return http_hijack(attachment->request->exchange,
                           stream_type(attachment->request, attachment->tty), &attachment->fd, err);
}

/* A body cannot be told from the stream that follows it: there must be none. */
static int read_no_body(ApiRequest *request, Error *err) {
        _cleanup_buf_ Buf body = { 0 };

        return http_request_body(request->exchange, 1024, &body, err);
}

int on_container_attach(ApiRequest *request, Error *err) {
        _cleanup_buf_ Buf early = { 0 };
        Attachment attachment = { .request = request, .fd = -1 };
        const char *keys = api_query(request, "detachKeys");
        AttachOptions options = {
                .logs = api_flag(request, "logs"),
                .stream = api_flag(request, "stream"),
                .stdin_ = api_flag(request, "stdin"),
                .stdout_ = api_flag(request, "stdout"),
                .stderr_ = api_flag(request, "stderr"),
                .detach_keys = str_empty(keys) ? NULL : keys,
                .ready = take_connection,
                .ready_data = &attachment,
        };
        int r = read_no_body(request, err);

        if (r >= 0)
                r = engine_container_attach_check(request->engine, api_name(request),
                                                  &attachment.tty, err);
        if (r < 0)
                return r;
        http_early_bytes(request->exchange, &early);
        options.early = early.data;
        options.early_length = early.length;
        r = engine_container_attach(request->engine, api_name(request), &options,
                                    http_request_socket(request->exchange), err);
        if (r < 0 && attachment.fd >= 0)
                api_stream_error(attachment.fd, attachment.tty, err);
        close_fd(&attachment.fd);
        return r;
}
