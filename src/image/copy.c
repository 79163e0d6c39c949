/* copy.c: see copy.h. */
#include "image/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "base/clock.h"
#include "image/store.h"
#include "os/pidfd.h"

struct ImageCopy {
        Helper helper;
        int pidfd;     /* the helper's */
        int output_fd; /* COPY_OUT: the archive */
};

void copy_stat_done(CopyStat *stat) {
        free(stat->name);
        free(stat->link);
        *stat = (CopyStat){};
}

/* ---- asking ---- */

static int send_mounts(const ImageCopy *copy, const CopyRoot *root) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < root->mount_count; i++) {
                const ImageMessage message = { .kind = (char *)"mount",
                                               .name = root->mounts[i].destination };

                r = image_message_send(copy->helper.socket, &message, &root->mounts[i].fd, 1);
        }
        return r;
}

static int ask(const ImageCopy *copy, const CopyRoot *root, const CopyRequest *request,
               Error *err) {
        static const char *const names[] = {
                [COPY_STAT] = "stat", [COPY_OUT] = "out", [COPY_IN] = "in", [COPY_PLACES] = "places"
        };
        const ImageMessage start = {
                .kind = (char *)"start",
                .name = (char *)names[request->action],
                .path = (char *)request->path,
                .hidden = (char **)root->hidden,
                .live = root->live,
                .remapped = root->remapped,
                .read_only = root->read_only,
                .keep_types = request->keep_types,
                .uid = (int64_t *)request->uid,
                .gid = (int64_t *)request->gid,
        };
        int r = send_mounts(copy, root);

        if (r == 0)
                r = image_message_send(copy->helper.socket, &start, NULL, 0);
        /* An end before the question has its reason in the socket still. */
        return r < 0 && r != -EPIPE ? error_set(err, r, "ask brig-image") : 0;
}

int image_copy_start(ImageStore *store, const CopyRoot *root, const CopyRequest *request,
                     ImageCopy **ret, Error *err) {
        _cleanup_(image_copy_freep) ImageCopy *copy = NEW(ImageCopy);
        _cleanup_close_ int write_fd = -1;
        int ends[2], r;

        copy->helper.socket = copy->pidfd = copy->output_fd = -1;
        if (request->action == COPY_OUT) {
                if (pipe2(ends, O_CLOEXEC) < 0)
                        return error_set(err, errno, "make a pipe");
                copy->output_fd = ends[0];
                write_fd = ends[1];
        }
        const SpawnFd fds[] = {
                { request->action == COPY_IN ? request->input_fd : -1, IMAGE_FD_INPUT },
                { root->fd, IMAGE_FD_TARGET },
                { write_fd, IMAGE_FD_OUTPUT },
        };
        r = helper_start(store->helper, "copy", fds, ELEMENTS(fds), &copy->helper, err);
        if (r == 0)
                r = pidfd_of(copy->helper.pid, &copy->pidfd, err);
        if (r == 0)
                r = ask(copy, root, request, err);
        if (r == 0)
                *ret = TAKE_PTR(copy);
        return r;
}

/* ---- answers ---- */

/* Until the program says something or ends. */
static int wait_for_answer(const ImageCopy *copy, const CopyPatience *patience, Error *err) {
        const int64_t end = patience->timeout < 0 ? -1 : clock_monotonic() + patience->timeout;
        struct pollfd fds[] = { { .fd = copy->helper.socket, .events = POLLIN },
                                { .fd = patience->cancel_fd, .events = POLLRDHUP } };

        for (;;) {
                int64_t left = end < 0 ? -1 : MAX(end - clock_monotonic(), 0);
                struct timespec limit = { .tv_sec = left / NSEC_PER_SEC,
                                          .tv_nsec = left % NSEC_PER_SEC };
                int n = ppoll(fds, ELEMENTS(fds), left < 0 ? NULL : &limit, NULL);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return error_set(err, errno, "copy: wait for brig-image");
                if (n == 0)
                        return error_set(err, ETIMEDOUT, "copy: the files give no answer");
                return fds[0].revents ? 0 : error_set(err, ECANCELED, "copy");
        }
}

int image_copy_found(ImageCopy *copy, const CopyPatience *patience, CopyStat *ret, Error *err) {
        _cleanup_(image_message_done) ImageMessage message = {};
        int r = wait_for_answer(copy, patience, err);

        if (r == 0)
                r = helper_report(&copy->helper, &message, err);
        if (r < 0)
                return r;
        if (str_empty(message.name))
                return error_kind(err, ERROR_INTERNAL, "copy: brig-image gave a wrong answer");
        *ret = (CopyStat){ .size = message.size, .mode = message.mode, .time = message.time };
        ret->name = TAKE_PTR(message.name);
        ret->link = TAKE_PTR(message.link);
        return 0;
}

int image_copy_read(ImageCopy *copy, int *ret_fd, Error *err) {
        const ImageMessage go = { .kind = (char *)"go" };
        int r = image_message_send(copy->helper.socket, &go, NULL, 0);

        if (r < 0)
                return error_set(err, r, "ask brig-image for the archive");
        *ret_fd = TAKE_FD(copy->output_fd);
        return 0;
}

int image_copy_finish(ImageCopy *copy, const CopyPatience *patience, Error *err) {
        _cleanup_(image_message_done) ImageMessage message = {};
        int r = wait_for_answer(copy, patience, err);

        if (r == 0)
                r = helper_report(&copy->helper, &message, err);
        return MIN(r, 0);
}

int image_copy_process(const ImageCopy *copy) {
        return copy->pidfd;
}

ImageCopy *image_copy_free(ImageCopy *copy) {
        if (!copy)
                return NULL;
        helper_end(&copy->helper);
        close_fd(&copy->pidfd);
        close_fd(&copy->output_fd);
        free(copy);
        return NULL;
}
