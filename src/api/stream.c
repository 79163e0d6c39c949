/* stream.c: see stream.h. */
#include "api/stream.h"

#include "base/fd.h"

const char *stream_type(const ApiRequest *request, bool tty) {
        return tty || request->version < 42 ? STREAM_RAW : STREAM_MULTIPLEXED;
}

void stream_header(unsigned char header[STREAM_HEADER], int stream, size_t length) {
        header[0] = (unsigned char)stream;
        header[1] = header[2] = header[3] = 0;
        for (int i = 0; i < 4; i++)
                header[4 + i] = (unsigned char)(length >> (24 - 8 * i));
}

void api_stream_error(int fd, bool tty, const Error *err) {
        unsigned char header[STREAM_HEADER];
        _cleanup_free_ char *text = str_format("%s\r\n", err->message);

        stream_header(header, 1, strlen(text));
        if (!tty && fd_write_full(fd, header, sizeof(header)) < 0)
                return; /* the client left */
        (void)fd_write_full(fd, text, strlen(text));
}

void stream_size(Buf *text, double bytes) {
        static const char *const units[] = { "B", "kB", "MB", "GB", "TB", "PB" };
        size_t unit = 0;

        for (; bytes >= 1000 && unit + 1 < ELEMENTS(units); unit++)
                bytes /= 1000;
        buf_format(text, "%.4g%s", bytes, units[unit]);
}

void stream_bar(Buf *text, int64_t current, int64_t total) {
        static const char filled[] = "==================================================";
        _cleanup_buf_ Buf size = { 0 };
        int part;

        if (current <= 0 && total <= 0)
                return;
        stream_size(&size, (double)current);
        if (total <= 0) {
                buf_format(text, "%8s", size.data);
                return;
        }
        part = (int)((double)current / (double)total * 100) / 2;
        part = MAX(MIN(part, 50), 0);
        buf_format(text, "[%.*s>%*s] %8s", part, filled, 50 - part, "", size.data);
        if (current <= total) {
                buf_add_char(text, '/');
                stream_size(text, (double)total);
        }
}

static int send_object(Progress *progress, Buf *json) {
        int r = http_begin(progress->exchange, 200, "application/json");

        if (r < 0)
                return r;
        buf_add_str(json, "}\r\n");
        return http_write(progress->exchange, json->data, json->length);
}

int progress_send(void *data, const ImageProgress *step) {
        Progress *progress = data;
        _cleanup_buf_ Buf json = { 0 };
        _cleanup_buf_ Buf bar = { 0 };

        if (progress->quiet)
                return 0;
        if (step->aux) {
                buf_format(&json, "{\"progressDetail\":{},\"aux\":%s", step->aux);
                return send_object(progress, &json);
        }
        buf_add_str(&json, "{\"status\":");
        json_add_quoted(&json, step->status);
        stream_bar(&bar, step->current, step->total);
        if (bar.length > 0) {
                buf_format(&json, ",\"progressDetail\":{\"current\":%lld",
                           (long long)step->current);
                if (step->total > 0)
                        buf_format(&json, ",\"total\":%lld", (long long)step->total);
                buf_add_str(&json, "},\"progress\":");
                json_add_quoted(&json, bar.data);
        } else if (step->id) {
                buf_add_str(&json, ",\"progressDetail\":{}");
        }
        if (step->id) {
                buf_add_str(&json, ",\"id\":");
                json_add_quoted(&json, step->id);
        }
        return send_object(progress, &json);
}

int progress_text(Progress *progress, const char *member, const char *text) {
        _cleanup_buf_ Buf json = { 0 };

        buf_format(&json, "{\"%s\":", member);
        json_add_quoted(&json, text);
        return send_object(progress, &json);
}

int progress_fail(Progress *progress, int r, const Error *err) {
        _cleanup_buf_ Buf json = { 0 };

        if (!http_answered(progress->exchange))
                return r;
        buf_add_str(&json, "{\"errorDetail\":{\"message\":");
        json_add_quoted(&json, err->message);
        buf_add_str(&json, "},\"error\":");
        json_add_quoted(&json, err->message);
        (void)send_object(progress, &json); /* a client that left does not hear it */
        return 0;
}
