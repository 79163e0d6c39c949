/* session.c: see session.h. */
#include "image/session.h"

#include <errno.h>
#include <unistd.h>

#include "base/fd.h"

int session_start(const SessionOptions *options, const Session *known, Session *ret, Error *err) {
        Session session = { .helper = { .socket = -1 } };
        const RegistryAuth none = {}, *auth = options->auth ? options->auth : &none;
        const ImageMessage request = {
                .kind = (char *)"start",
                .registry = options->reference->domain,
                .repository = options->reference->path,
                .username = auth->username,
                .password = auth->password,
                .identity_token = auth->identity_token,
                .registry_token = auth->registry_token,
                .insecure = options->options ? options->options->insecure : NULL,
                .mirrors = options->options ? options->options->mirrors : NULL,
                .host_directories = options->options ? options->options->host_directories : NULL,
                .attempts = options->options ? options->options->attempts : 0,
                .no_mirrors = options->no_mirrors,
                .scopes = (char **)options->scopes,
                .offline = options->offline,
                .endpoint = known ? known->endpoint : NULL,
                .authorization = known ? known->authorization : NULL,
        };
        int r = helper_start(options->store->helper, "fetch", NULL, 0, &session.helper, err);

        if (r < 0)
                return r;
        r = image_message_send(session.helper.socket, &request, NULL, 0);
        if (r < 0) {
                session_done(&session);
                return error_set(err, -r, "ask brig-image");
        }
        *ret = session;
        return 0;
}

void session_done(Session *session) {
        helper_end(&session->helper);
        free(session->endpoint);
        free(session->authorization);
        free(session->link);
        free(session->code);
        *session = (Session){ .helper = { .socket = -1 } };
}

int session_ask(Session *session, const char *path, char *const *accept, int64_t size, int64_t have,
                int file_fd, int pipe_fd, Error *err) {
        const int fds[] = { file_fd, pipe_fd };
        const ImageMessage request = {
                .kind = (char *)"get",
                .path = (char *)path,
                .accept = (char **)accept,
                .size = size,
                .current = have,
        };
        int r = image_message_send(session->helper.socket, &request, fds, pipe_fd < 0 ? 1 : 2);

        /* An end before the question has its reason in the socket still. */
        return r < 0 && r != -EPIPE ? error_set(err, -r, "ask brig-image") : 0;
}

int session_request(Session *session, const ImageMessage *request, int file_fd, Error *err) {
        int r = image_message_send(session->helper.socket, request, &file_fd, file_fd < 0 ? 0 : 1);

        return r < 0 && r != -EPIPE ? error_set(err, -r, "ask brig-image") : 0;
}

int session_step(Session *session, ImageMessage *ret, Error *err) {
        ImageMessage message = {};
        int r = image_message_receive(session->helper.socket, &message, NULL, 0, NULL, err);

        if (r < 0)
                return r;
        if (r == 0)
                return error_kind(err, ERROR_INTERNAL, "fetch: brig-image ended without an answer");
        if (str_equal(message.kind, "error")) {
                session->status = message.status;
                str_replace(&session->code, message.code);
                r = image_message_to_error(&message, err);
                image_message_done(&message);
                return r;
        }
        if (str_equal(message.kind, "done")) {
                str_replace(&session->endpoint, message.endpoint);
                str_replace(&session->authorization, message.authorization);
                str_replace(&session->link, message.link);
                if (!digest_valid(message.digest)) {
                        image_message_done(&message);
                        return error_kind(err, ERROR_INTERNAL, "fetch: brig-image gave no digest");
                }
        }
        r = str_equal(message.kind, "done");
        *ret = message;
        return r;
}

static int receive_document(Session *session, char digest[DIGEST_TEXT_MAX], char **media_type,
                            Error *err) {
        int r;

        do {
                _cleanup_(image_message_done) ImageMessage message = {};

                r = session_step(session, &message, err);
                if (r > 0) { /* session_step has seen that the digest is one */
                        (void)snprintf(digest, DIGEST_TEXT_MAX, "%s", message.digest ?: "");
                        *media_type = TAKE_PTR(message.media_type);
                }
        } while (r == 0);
        return r < 0 ? r : 0;
}

int session_document(Session *session, ImageStore *store, const char *path, char *const *accept,
                     int64_t limit, Buf *text, char digest[DIGEST_TEXT_MAX], char **media_type,
                     Error *err) {
        _cleanup_(blob_temp_done) BlobTemp temp = { .fd = -1 };
        char sent[DIGEST_TEXT_MAX];
        int r = blob_temp_new(store, &temp, err);

        if (r == 0)
                r = session_ask(session, path, accept, limit, 0, temp.fd, -1, err);
        if (r == 0)
                r = receive_document(session, sent, media_type, err);
        if (r < 0)
                return r;
        if (lseek(temp.fd, 0, SEEK_SET) < 0)
                return error_set(err, errno, "read the document");
        r = fd_read_all(temp.fd, (size_t)limit, text);
        if (r < 0)
                return error_set(err, -r, "read the document");
        digest_of(text->data ? text->data : "", text->length, digest);
        return str_equal(sent, digest) ? 0
                                       : error_kind(err, ERROR_INTERNAL, "the document changed");
}
