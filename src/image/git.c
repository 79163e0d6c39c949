/* git.c: see git.h; the other end is job-git.c. */
#include "image/git.h"

#include <errno.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "format/git-source.h"
#include "image/store.h"

#define END_MS 10000

/* The child that runs git sees its socket's end, and ends with all that it started; only then its
 * directory is free. */
static void end(Helper *helper) {
        _cleanup_close_ int pidfd =
                helper->pid > 0 ? (int)syscall(SYS_pidfd_open, helper->pid, 0) : -1;
        struct pollfd ended = { .fd = pidfd, .events = POLLIN };

        close_fd(&helper->socket);
        if (pidfd >= 0)
                while (poll(&ended, 1, END_MS) < 0 && errno == EINTR)
                        ;
        helper_end(helper);
}

static int report(const GitRequest *request, const char *line) {
        _cleanup_free_ char *status = line ? str_format("%s: %s", request->url, line) : NULL;
        const ImageProgress progress = { .status = status };

        return request->progress ? request->progress(request->data, &progress) : 0;
}

/* The last message, the caller's. */
static int wait_done(const Helper *helper, const GitRequest *request, ImageMessage *ret,
                     Error *err) {
        for (;;) {
                int r = helper_report(helper, ret, err);

                if (r != 0)
                        return r < 0 ? r : 0;
                r = report(request, ret->name);
                image_message_done(ret);
                if (r < 0)
                        return error_set(err, ECANCELED, "stopped");
        }
}

static int ask(ImageStore *store, const GitRequest *request, const ImageMessage *message,
               int dir_fd, ImageMessage *ret, Error *err) {
        const SpawnFd fds[] = { { dir_fd, IMAGE_FD_TARGET },
                                { request->agent_fd, IMAGE_FD_AGENT } };
        _cleanup_(end) Helper helper = { .socket = -1 };
        int r = helper_ask(store->helper, "git", fds, ELEMENTS(fds), message, &helper, err);

        if (r == 0)
                r = wait_done(&helper, request, ret, err);
        if (r == 0 && !git_is_commit(ret->commit))
                r = error_kind(err, ERROR_INTERNAL, "git: brig-image gave no commit");
        return r;
}

int image_git_find(ImageStore *store, const GitRequest *request, const char *ref, GitFound *ret,
                   Error *err) {
        _cleanup_(image_message_done) ImageMessage answer = {};
        const ImageMessage question = { .kind = (char *)"start",
                                        .name = (char *)"refs",
                                        .path = (char *)request->url,
                                        .ref = (char *)ref,
                                        .headers = (char **)request->headers,
                                        .environment = (char **)request->environment };
        int r = ask(store, request, &question, -1, &answer, err);

        if (r < 0)
                return r;
        if (!git_is_commit(answer.object) || (answer.ref && git_ref_check(answer.ref, NULL) < 0))
                return error_kind(err, ERROR_INTERNAL, "git: brig-image gave no ref");
        *ret = (GitFound){ .name = answer.ref };
        answer.ref = NULL;
        (void)snprintf(ret->object, sizeof(ret->object), "%s", answer.object);
        (void)snprintf(ret->commit, sizeof(ret->commit), "%s", answer.commit);
        return 0;
}

int image_git_checkout(ImageStore *store, const GitRequest *request, const GitWanted *wanted,
                       int dir_fd, Error *err) {
        _cleanup_(image_message_done) ImageMessage answer = {};
        const ImageMessage question = { .kind = (char *)"start",
                                        .name = (char *)"checkout",
                                        .path = (char *)request->url,
                                        .object = (char *)wanted->object,
                                        .ref = (char *)wanted->ref,
                                        .keep_git_dir = wanted->keep_git_dir,
                                        .submodules = !wanted->no_submodules,
                                        .headers = (char **)request->headers,
                                        .environment = (char **)request->environment };

        return ask(store, request, &question, dir_fd, &answer, err);
}
