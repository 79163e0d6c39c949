/* tree.c: files from outside, for builds: an archive into a directory as it is, and a download.
 * Both are brig-image's work; this is brigd's end. See image.h. */
#include <errno.h>
#include <unistd.h>

#include "image/store.h"

static void helper_endp(Helper *helper) {
        helper_end(helper);
}

/* ---- an archive ---- */

static int wait_for_tree(const Helper *helper, const TreeUnpack *options, Error *err) {
        for (;;) {
                _cleanup_(image_message_done) ImageMessage message = {};
                ImageProgress progress = { .status = "Extracting" };
                int r = helper_report(helper, &message, err);

                if (r < 0)
                        return r;
                if (r > 0 && options->ret_bytes)
                        *options->ret_bytes = message.size;
                if (r > 0)
                        return message.number != 0;
                progress.current = message.current;
                if (options->progress && options->progress(options->data, &progress) < 0)
                        return error_set(err, ECANCELED, "stopped");
        }
}

int image_unpack_tree(ImageStore *store, int input_fd, int target_fd, const TreeUnpack *options,
                      Error *err) {
        _cleanup_(helper_endp) Helper helper = { .socket = -1 };
        const ImageMessage request = { .kind = (char *)"start",
                                       .devices = options->devices,
                                       .detect = options->detect,
                                       .probe = options->probe,
                                       .size = options->limit };
        const SpawnFd fds[] = { { input_fd, IMAGE_FD_INPUT }, { target_fd, IMAGE_FD_TARGET } };
        off_t start_offset = lseek(input_fd, 0, SEEK_CUR); /* -1: a pipe */
        int r = helper_ask(store->helper, "tree", fds, ELEMENTS(fds), &request, &helper, err);

        if (r == 0)
                r = wait_for_tree(&helper, options, err);
        if ((r == 0 || (r > 0 && options->probe)) && start_offset >= 0) {
                helper_end(&helper); /* it shares the offset */
                if (lseek(input_fd, start_offset, SEEK_SET) < 0)
                        return error_set(err, errno, "go back to the start of the file");
        }
        return r;
}

/* ---- a download ---- */

static int check_url(const char *url, Error *err) {
        if (str_after(url, "http://") || str_after(url, "https://"))
                return 0;
        return error_kind(err, ERROR_INVALID, "Get \"%s\": only http and https URLs can be fetched",
                          url);
}

static int check_answer(const ImageMessage *message, int64_t limit, Error *err) {
        const char *name = message->name ? message->name : "";

        if (digest_valid(message->digest) && message->size >= 0 && message->size <= limit &&
            message->time >= 0 && !strchr(name, '/') && !str_equal(name, ".") &&
            !str_equal(name, ".."))
                return 0;
        return error_kind(err, ERROR_INTERNAL, "download: brig-image gave a wrong answer");
}

typedef struct Watcher {
        ImageProgressFn progress;
        void *data;
} Watcher;

static int wait_for_download(const Helper *helper, const Watcher *watcher, ImageMessage *message,
                             Error *err) {
        for (;;) {
                ImageProgress progress = { .status = "Downloading" };
                int r = helper_report(helper, message, err);

                if (r != 0)
                        return r;
                progress.current = message->current;
                progress.total = message->total;
                image_message_done(message);
                if (watcher->progress && watcher->progress(watcher->data, &progress) < 0)
                        return error_set(err, ECANCELED, "stopped");
        }
}

int image_download(ImageStore *store, const char *url, int fd, int64_t limit,
                   ImageProgressFn progress, void *data, int64_t *ret_time, char **ret_name,
                   char ret_digest[], Error *err) {
        _cleanup_(helper_endp) Helper helper = { .socket = -1 };
        _cleanup_(image_message_done) ImageMessage message = {};
        const ImageMessage request = { .kind = (char *)"start",
                                       .path = (char *)url,
                                       .size = limit };
        const SpawnFd fds[] = { { fd, IMAGE_FD_TARGET } };
        const Watcher watcher = { progress, data };
        int r = check_url(url, err);

        if (r == 0)
                r = helper_ask(store->helper, "download", fds, ELEMENTS(fds), &request, &helper,
                               err);
        if (r == 0)
                r = wait_for_download(&helper, &watcher, &message, err);
        if (r >= 0)
                r = check_answer(&message, limit, err);
        if (r < 0)
                return r;
        *ret_time = message.time;
        *ret_name = message.name ? TAKE_PTR(message.name) : str_copy("");
        memcpy(ret_digest, message.digest, DIGEST_TEXT_MAX);
        return 0;
}
