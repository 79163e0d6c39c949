/* box.c: images and containers of the drills, through the API as anybody would make them. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "drill/drill.h"

#define GUEST_MAX ((size_t)16 << 20)
#define ANSWER_MAX ((size_t)1 << 20)

/* ---- images ---- */

/* Progress is a stream of documents; its last may be an error. The caller's, NULL where it is none.
 */
static char *refusal_of(const Buf *answer) {
        const char *error = answer->data ? strstr(answer->data, "\"error\":\"") : NULL;

        const char *end;

        if (!error)
                return NULL;
        error += strlen("\"error\":\"");
        for (end = error; *end && *end != '"'; end++)
                end += *end == '\\' && end[1]; /* what stands behind it is a part of the text */
        return str_copy_n(error, (size_t)(end - error));
}

int box_remove_image(Cli *cli, const char *tag, Error *err) {
        _cleanup_free_ char *path = str_format("/images/brig-drill:%s?force=1", tag);
        int r = api_do(cli, "DELETE", path, err);

        if (r == 0 || err->kind != ERROR_NOT_FOUND)
                return r;
        *err = (Error){};
        return 0;
}

int box_send_tar(Cli *cli, const char *path, const Buf *tar, const char *why, Error *err) {
        HttpRequest request = { .method = "POST",
                                .content_type = "application/x-tar",
                                .body = tar->data,
                                .length = tar->length };
        _cleanup_reply_ HttpReply *reply = NULL;
        _cleanup_buf_ Buf answer = {};
        _cleanup_free_ char *refusal = NULL;
        int r = api_send(cli, &request, path, &reply, err);

        if (r < 0 && err->kind == ERROR_INVALID) {
                refusal = str_copy(err->message);
                r = 0;
        } else if (r == 0) {
                r = http_reply_read_all(reply, ANSWER_MAX, &answer, err);
                refusal = r == 0 ? refusal_of(&answer) : NULL;
        }
        if (r < 0 || !refusal)
                return r;
        if (why && strstr(refusal, why))
                return 1;
        return why ? error_kind(err, ERROR_INTERNAL, "refused for another reason than '%s': %s",
                                why, refusal)
                   : error_kind(err, ERROR_INTERNAL, "refused: %s", refusal);
}

int box_import(Cli *cli, const char *tag, const Buf *tar, const char *why, Error *err) {
        _cleanup_free_ char *path =
                str_format("/images/create?fromSrc=-&repo=brig-drill&tag=%s", tag);
        int r = box_remove_image(cli, tag, err);

        if (r == 0)
                r = box_send_tar(cli, path, tar, why, err);
        return r < 0 ? error_prefix(err, "image brig-drill:%s", tag) : r;
}

int box_guest(char **ret, size_t *ret_length, Error *err) {
        char self[4096];
        ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
        _cleanup_free_ char *path = NULL;
        int r;

        self[MAX(length, 0)] = '\0';
        path = str_format("%s-guest", self);
        r = file_read_at(AT_FDCWD, path, GUEST_MAX, ret, ret_length, err);
        return r < 0 ? error_prefix(err, "the guest") : 0;
}

int box_guest_tar(Buf *tar, Error *err) {
        static const char passwd[] = "root:x:0:0:root:/:/guest\nweb:x:1000:1000:web:/:/guest\n";
        static const char group[] = "root:x:0:\nweb:x:1000:\nextra:x:2000:web\n";
        static const char *const directories[] = { "etc", "dev", "tmp" };
        _cleanup_free_ char *guest = NULL;
        size_t length;
        int r = box_guest(&guest, &length, err);

        if (r < 0)
                return r;
        for (size_t i = 0; i < ELEMENTS(directories); i++)
                tar_add(tar,
                        &(TarEntry){ .path = directories[i], .type = TAR_DIRECTORY, .mode = 0755 });
        tar_add(tar, &(TarEntry){ "guest", NULL, TAR_FILE, 0755, guest, length, NULL });
        tar_add(tar,
                &(TarEntry){ "etc/passwd", NULL, TAR_FILE, 0644, passwd, strlen(passwd), NULL });
        tar_add(tar, &(TarEntry){ "etc/group", NULL, TAR_FILE, 0644, group, strlen(group), NULL });
        return 0;
}

/* ---- containers ---- */

static char **ids; /* this program's, to its end */

char *const *box_ids(void) {
        return ids;
}

void box_adopt(const char *id) {
        strv_add(&ids, id);
}

static void put_text(json_object *object, const char *name, const char *text) {
        (void)json_object_object_add(object, name, json_object_new_string(text));
}

json_object *box_words(const char *program, const char *argument) {
        json_object *words = json_object_new_array();

        (void)json_object_array_add(words, json_object_new_string(program));
        (void)json_object_array_add(words, json_object_new_string(argument));
        return words;
}

int box_import_link(const Attempt *attempt, const char *tag, const char *path, Error *err) {
        _cleanup_buf_ Buf tar = {};
        int r = box_guest_tar(&tar, err);

        if (r < 0)
                return r;
        tar_add(&tar, &(TarEntry){ path, attempt->directory, TAR_LINK, 0777, NULL, 0, NULL });
        tar_end(&tar);
        return box_import(attempt->cli, tag, &tar, NULL, err);
}

json_object *box_request(const char *image, const char *argument) {
        json_object *request = json_object_new_object(), *host = json_object_new_object();

        put_text(request, "Image", image);
        (void)json_object_object_add(request, "Cmd", box_words("/guest", argument));
        (void)json_object_object_add(request, "HostConfig", host);
        put_text(host, "NetworkMode", "none");
        return request;
}

json_object *box_host(json_object *request) {
        return json_member(request, "HostConfig");
}

void box_end_done(BoxEnd *end) {
        free(end->output);
        *end = (BoxEnd){};
}

static int take_output(void *data, int fd, const char *bytes, size_t length, Error *err) {
        Buf *output = data;

        (void)fd;
        (void)err;
        buf_add(output, bytes, MIN(length, ANSWER_MAX - MIN(output->length, ANSWER_MAX)));
        return 0;
}

static int read_output(Cli *cli, const char *id, bool tty, char **ret, Error *err) {
        _cleanup_free_ char *path = str_format("/containers/%s/logs?stdout=1&stderr=1", id);
        _cleanup_reply_ HttpReply *reply = NULL;
        _cleanup_buf_ Buf output = {};
        int r = api_call(cli, "GET", path, NULL, &reply, err);

        if (r == 0)
                r = tty ? http_reply_read_all(reply, ANSWER_MAX, &output, err)
                        : frames_read(reply, take_output, &output, err);
        if (r < 0)
                return r;
        *ret = buf_take(&output);
        return 0;
}

static int finish(Cli *cli, const char *id, bool tty, BoxEnd *ret, Error *err) {
        _cleanup_free_ char *path = str_format("/containers/%s/wait", id);
        _cleanup_json_ json_object *answer = NULL;
        int r = api_json(cli, "POST", path, NULL, &answer, err);

        if (r < 0)
                return r;
        ret->code = (int)json_number(answer, "StatusCode");
        return read_output(cli, id, tty, &ret->output, err);
}

/* What the engine will not have is an end like another, and so is what fails in the
 * container's init: the first container did start. That the engine is at fault or out of
 * something says nothing of what was tried. */
static int refused(BoxEnd *ret, int r, Error *err) {
        bool is_refusal = err->kind == ERROR_INVALID || err->kind == ERROR_FORBIDDEN ||
                          err->kind == ERROR_UNSUPPORTED ||
                          strstr(err->message, "error during container init: ");

        if (r >= 0 || !is_refusal || cli_lost(err))
                return r;
        ret->refused = true;
        ret->output = str_copy(err->message);
        *err = (Error){};
        return 0;
}

int box_create(Cli *cli, json_object *request, char **ret_id, Error *err) {
        _cleanup_json_ json_object *created = NULL;
        int r = interrupt_check(err);

        run_label(request);
        if (r == 0)
                r = api_json(cli, "POST", "/containers/create", request, &created, err);
        if (r < 0)
                return r;
        *ret_id = str_copy(json_words(created, "Id"));
        box_adopt(*ret_id);
        return 0;
}

static int start(Cli *cli, const char *id, Error *err) {
        _cleanup_free_ char *path = str_format("/containers/%s/start", id);

        return api_do(cli, "POST", path, err);
}

int box_end(Cli *cli, const char *id, int r, Error *err) {
        _cleanup_free_ char *path = str_format("/containers/%s?force=1&v=1", id);
        Error ignored = {};
        int removed = api_do(cli, "DELETE", path, r < 0 ? &ignored : err);

        return r < 0 ? r : removed;
}

int box_run(Cli *cli, json_object *request, BoxEnd *ret, Error *err) {
        _cleanup_free_ char *id = NULL;
        int r = refused(ret, box_create(cli, request, &id, err), err);

        if (r < 0 || ret->refused)
                return r;
        r = refused(ret, start(cli, id, err), err);
        if (r == 0 && !ret->refused)
                r = finish(cli, id, json_truth(request, "Tty"), ret, err);
        return box_end(cli, id, r, err);
}

/* ---- containers that go on ---- */

int box_begin(Cli *cli, json_object *request, char **ret_id, Error *err) {
        _cleanup_free_ char *id = NULL;
        int r = box_create(cli, request, &id, err);

        if (r < 0)
                return r;
        r = start(cli, id, err);
        if (r < 0)
                return box_end(cli, id, r, err);
        *ret_id = TAKE_PTR(id);
        return 0;
}

static int exec_create(Cli *cli, const char *id, json_object *words, const char *directory,
                       char **ret, Error *err) {
        _cleanup_json_ json_object *request = json_object_new_object(), *created = NULL;
        _cleanup_free_ char *path = str_format("/containers/%s/exec", id);
        int r;

        (void)json_object_object_add(request, "AttachStdout", json_object_new_boolean(true));
        (void)json_object_object_add(request, "AttachStderr", json_object_new_boolean(true));
        (void)json_object_object_add(request, "Cmd", words);
        if (directory)
                put_text(request, "WorkingDir", directory);
        r = api_json(cli, "POST", path, request, &created, err);
        if (r == 0)
                *ret = str_copy(json_words(created, "Id"));
        return r;
}

/* To the end of what it says, which is its own end. */
static int exec_follow(Cli *cli, const char *exec, BoxEnd *ret, Error *err) {
        _cleanup_json_ json_object *request = json_object_new_object(), *answer = NULL;
        _cleanup_free_ char *start_path = str_format("/exec/%s/start", exec);
        _cleanup_free_ char *path = str_format("/exec/%s/json", exec);
        _cleanup_reply_ HttpReply *reply = NULL;
        _cleanup_buf_ Buf output = {};
        int r;

        (void)json_object_object_add(request, "Detach", json_object_new_boolean(false));
        r = api_call(cli, "POST", start_path, request, &reply, err);
        if (r == 0)
                r = frames_read(reply, take_output, &output, err);
        if (r == 0)
                r = api_json(cli, "GET", path, NULL, &answer, err);
        if (r < 0)
                return r;
        ret->code = (int)json_number(answer, "ExitCode");
        ret->output = buf_take(&output);
        return 0;
}

int box_exec(Cli *cli, const char *id, json_object *words, const char *directory, BoxEnd *ret,
             Error *err) {
        _cleanup_free_ char *exec = NULL;
        int r = refused(ret, exec_create(cli, id, words, directory, &exec, err), err);

        if (r == 0 && !ret->refused)
                r = refused(ret, exec_follow(cli, exec, ret, err), err);
        /* What fails after the answer has begun is told in it. */
        ret->refused = ret->refused || str_after(ret->output, "OCI runtime exec failed: ");
        return r;
}

int box_running(Cli *cli, const char *id, bool *ret, Error *err) {
        _cleanup_free_ char *path = str_format("/containers/%s/json", id);
        _cleanup_json_ json_object *answer = NULL;
        int r = api_json(cli, "GET", path, NULL, &answer, err);

        *ret = r == 0 && json_truth(json_member(answer, "State"), "Running");
        return r;
}

int box_finish(Cli *cli, const char *id, BoxEnd *ret, Error *err) {
        return finish(cli, id, false, ret, err);
}

/* ---- what a guest says ---- */

int box_take(Attempt *attempt, const BoxEnd *end, Error *err) {
        if (end->refused || end->code != 0)
                return error_kind(err, ERROR_INTERNAL, "the guest did not try it: %s (code %d)",
                                  str_trim(end->output), end->code);
        buf_add_str(attempt->got, end->output);
        return 0;
}

int box_attempt(Attempt *attempt, json_object *request, Error *err) {
        _cleanup_(box_end_done) BoxEnd end = {};
        int r = box_run(attempt->cli, request, &end, err);

        return r < 0 ? r : box_take(attempt, &end, err);
}

int box_call(Cli *cli, const char *method, const char *path, const Buf *body, int *ret,
             Buf *ret_answer, Error *err) {
        HttpRequest request = { .method = method, .path = path };
        _cleanup_reply_ HttpReply *reply = NULL;
        _cleanup_buf_ Buf answer = {};
        int r;

        if (body) {
                request.body = body->data;
                request.length = body->length;
                request.content_type = "application/x-tar";
        }
        r = http_client_send(cli->http, &request, &reply, err);
        if (r == 0)
                r = http_reply_read_all(reply, ANSWER_MAX, ret_answer ?: &answer, err);
        if (r == 0)
                *ret = http_reply_status(reply);
        return r;
}
