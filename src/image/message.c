/* message.c: see message.h. Linked by brigd and by brig-image. */
#include "image/message.h"

#include <errno.h>
#include <string.h>

#include "base/fd.h"

#define MESSAGE_MAX (128 * 1024)

#define ROW(name, type, member) JSON_FIELD(ImageMessage, name, type, member, JSON_OMIT_EMPTY)
static const JsonField message_fields[] = {
        JSON_FIELD(ImageMessage, "kind", JSON_STRING, kind, JSON_REQUIRED),
        ROW("devices", JSON_BOOL, devices),
        ROW("detect", JSON_BOOL, detect),
        ROW("probe", JSON_BOOL, probe),
        ROW("current", JSON_INT, current),
        ROW("total", JSON_INT, total),
        ROW("name", JSON_STRING, name),
        ROW("link", JSON_STRING, link),
        ROW("number", JSON_INT, number),
        ROW("time", JSON_INT, time),
        ROW("digest", JSON_STRING, digest),
        ROW("size", JSON_INT, size),
        ROW("mediaType", JSON_STRING, media_type),
        ROW("message", JSON_STRING, message),
        ROW("errorKind", JSON_INT, error_kind),
        ROW("errorNumber", JSON_INT, error_number),
        ROW("registry", JSON_STRING, registry),
        ROW("repository", JSON_STRING, repository),
        ROW("username", JSON_STRING, username),
        ROW("password", JSON_STRING, password),
        ROW("identityToken", JSON_STRING, identity_token),
        ROW("registryToken", JSON_STRING, registry_token),
        ROW("insecure", JSON_STRINGS, insecure),
        ROW("mirrors", JSON_STRINGS, mirrors),
        ROW("hostDirectories", JSON_STRINGS, host_directories),
        ROW("attempts", JSON_INT, attempts),
        ROW("noMirrors", JSON_BOOL, no_mirrors),
        ROW("endpoint", JSON_STRING, endpoint),
        ROW("authorization", JSON_STRING, authorization),
        ROW("path", JSON_STRING, path),
        ROW("accept", JSON_STRINGS, accept),
        ROW("scopes", JSON_STRINGS, scopes),
        ROW("offline", JSON_BOOL, offline),
        ROW("sources", JSON_STRINGS, sources),
        ROW("outcome", JSON_STRING, outcome),
        ROW("source", JSON_STRING, source),
        ROW("status", JSON_INT, status),
        ROW("code", JSON_STRING, code),
        ROW("ref", JSON_STRING, ref),
        ROW("object", JSON_STRING, object),
        ROW("commit", JSON_STRING, commit),
        ROW("environment", JSON_STRINGS, environment),
        ROW("headers", JSON_STRINGS, headers),
        ROW("keepGitDir", JSON_BOOL, keep_git_dir),
        ROW("submodules", JSON_BOOL, submodules),
        ROW("hidden", JSON_STRINGS, hidden),
        ROW("live", JSON_BOOL, live),
        ROW("remapped", JSON_BOOL, remapped),
        ROW("readOnly", JSON_BOOL, read_only),
        ROW("keepTypes", JSON_BOOL, keep_types),
        ROW("uid", JSON_MAYBE_INT, uid),
        ROW("gid", JSON_MAYBE_INT, gid),
        ROW("mode", JSON_INT, mode),
};
static const JsonTable message_table = JSON_TABLE(ImageMessage, "message", message_fields);

void image_message_done(ImageMessage *message) {
        json_done(&message_table, message);
        *message = (ImageMessage){};
}

int image_message_send(int socket_fd, const ImageMessage *message, const int *fds,
                       size_t fd_count) {
        _cleanup_buf_ Buf text = {};

        json_add_text(&text, &message_table, message);
        return text.length > MESSAGE_MAX
                       ? -EMSGSIZE
                       : fd_send(socket_fd, text.data, text.length, fds, fd_count);
}

int image_message_receive(int socket_fd, ImageMessage *ret, int *fds, size_t fd_max,
                          size_t *ret_fd_count, Error *err) {
        _cleanup_free_ char *text = alloc_zero(1, MESSAGE_MAX);
        size_t fd_count = 0;
        ssize_t n;
        int r;

        /* A peer that ended without reading all that was sent to it is reported once as an error,
         * before its own last words. */
        do
                n = fd_receive(socket_fd, text, MESSAGE_MAX, fds, fd_max, &fd_count);
        while (n == -ECONNRESET);
        if (ret_fd_count)
                *ret_fd_count = fd_count;
        if (n == 0)
                return 0;
        if (n < 0)
                return error_set(err, (int)-n, "receive from brig-image");
        r = json_parse(&message_table, text, (size_t)n, ret, err);
        if (r < 0) {
                image_message_done(ret);
                for (size_t i = 0; i < fd_count; i++)
                        close_fd(&fds[i]);
                return r;
        }
        return 1;
}

void image_message_send_error(int socket_fd, const Error *err) {
        ImageMessage message = {
                .kind = (char *)"error",
                .message = (char *)err->message,
                .error_kind = (int64_t)err->kind,
                .error_number = err->number,
        };

        (void)image_message_send(socket_fd, &message, NULL,
                                 0); /* a peer that left needs no report */
}

int image_message_to_error(const ImageMessage *message, Error *err) {
        ErrorKind kind =
                message->error_kind >= ERROR_INTERNAL && message->error_kind <= ERROR_UNSUPPORTED
                        ? (ErrorKind)message->error_kind
                        : ERROR_INTERNAL;
        int r = error_kind(err, kind, "%s",
                           message->message ? message->message : "brig-image failed");

        if (err && message->error_number > 0 && message->error_number < 4096) {
                err->number = (int)message->error_number;
                r = -err->number;
        }
        return r;
}
