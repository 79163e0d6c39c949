/* build-worker.c: what the solver asks for: contexts, files of URLs, roots; images are
 * build-images.c's; and each step given to who does it. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include "base/fd.h"
#include "engine/build-private.h"
#include "engine/engine-private.h"
#include "engine/room.h"

#define DOWNLOAD_MAX ((int64_t)16 << 30)
#define UNNAMED "__unnamed__"       /* what BuildKit calls a file whose URL ends in no name */
#define ADD_MAX ((int64_t)64 << 30) /* of one build, as a context may have */

/* ---- contexts ---- */

static const char *find_alias(void *data, const char *name) {
        const Build *build = data;

        for (size_t i = 0; i < build->request->context_count; i++)
                if (str_equal(build->request->contexts[i].name, name))
                        return build->request->contexts[i].image;
        return NULL;
}

static int find_context(void *data, const char *name, const Tree **ret, Error *err) {
        const BuildTree *tree = build_tree(data, name);

        if (!tree)
                return *name ? error_kind(err, ERROR_NOT_FOUND, "no build context named '%s'", name)
                             : error_kind(err, ERROR_INVALID,
                                          "the build has no context to copy files from: name a "
                                          "directory, as in 'build .'");
        *ret = &tree->tree;
        return 0;
}

/* ---- downloads ---- */

static const Download *find_download(const Build *build, const char *url) {
        const Download *download = build->downloads;

        while (download && !str_equal(download->url, url))
                download = download->next;
        return download;
}

const Download *build_download(Build *build, const char *url) {
        const Download *download;

        (void)pthread_mutex_lock(&build->lock);
        download = find_download(build, url);
        (void)pthread_mutex_unlock(&build->lock);
        return download;
}

/* The first one stays: a key may have its digest, and another may have other bytes. */
static bool keep_download(Build *build, Download *download) {
        bool is_first;

        (void)pthread_mutex_lock(&build->lock);
        is_first = !find_download(build, download->url);
        if (is_first) {
                download->next = build->downloads;
                build->downloads = download;
        }
        (void)pthread_mutex_unlock(&build->lock);
        return is_first;
}

void download_free(Download *download) {
        close_fd(&download->fd);
        free(download->url);
        free(download->name);
        free(download);
}

static int report_download(void *data, const ImageProgress *progress) {
        (void)progress;
        return build_cancelled(data) ? -ECANCELED : 0;
}

int64_t build_add_left(Build *build) {
        int64_t left;

        (void)pthread_mutex_lock(&build->lock);
        left = ADD_MAX - build->added;
        (void)pthread_mutex_unlock(&build->lock);
        return MAX(left, 1);
}

int build_add_explain(int r, Error *err) {
        return r == -EFBIG ? error_kind(err, ERROR_INVALID,
                                        "all that the ADDs of a build download and unpack may be "
                                        "%lld GiB: COPY the files, or fetch and unpack them in a "
                                        "RUN step",
                                        (long long)(ADD_MAX >> 30))
                           : r;
}

int build_add_count(Build *build, int64_t bytes, Error *err) {
        bool more;

        (void)pthread_mutex_lock(&build->lock);
        build->added += bytes;
        more = build->added > ADD_MAX;
        (void)pthread_mutex_unlock(&build->lock);
        return build_add_explain(more ? -EFBIG : 0, err);
}

static int download(Build *build, const char *url, Error *err) {
        int64_t left = build_add_left(build);
        Download *download = NEW(Download);
        struct stat st = {};
        int r;

        download->url = str_copy(url);
        download->fd = openat(build->builder->dir_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        if (download->fd < 0) {
                r = error_set(err, errno, "make a file for '%s'", url);
                download_free(download);
                return r;
        }
        r = image_download(build->engine->images, url, download->fd, MIN(left, DOWNLOAD_MAX),
                           report_download, build, &download->time, &download->name,
                           download->digest, err);
        if (left < DOWNLOAD_MAX)
                r = build_add_explain(r, err);
        if (r == 0 && str_empty(download->name))
                str_replace(&download->name, UNNAMED);
        if (r == 0 && fstat(download->fd, &st) == 0)
                r = build_add_count(build, st.st_size, err);
        if (r < 0 || !keep_download(build, download))
                download_free(download);
        return r;
}

static int fetch(void *data, const char *url, const char *checksum, char digest[DIGEST_TEXT_MAX],
                 Error *err) {
        Build *build = data;
        const Download *found = build_download(build, url);

        if (!found) {
                int r = download(build, url, err);

                if (r < 0)
                        return r;
                found = build_download(build, url);
        }
        if (!str_empty(checksum) && !str_equal(checksum, found->digest))
                return error_kind(err, ERROR_INVALID, "digest mismatch %s: %s for %s",
                                  found->digest, checksum, url);
        memcpy(digest, found->digest, DIGEST_TEXT_MAX);
        return 0;
}

static int find_git(void *data, const char *url, const char *checksum, bool keep_git_dir,
                    SolveGit *ret, Error *err) {
        const GitAsk ask = { .url = url, .checksum = checksum, .keep_git_dir = keep_git_dir };
        int r = build_git_state(data, &ask, ret, err);

        return r < 0 ? error_prefix(err, "ADD") : 0;
}

/* ---- roots and steps ---- */

static int open_root(void *data, char *const *layers, int *ret_fd, Error *err) {
        Build *build = data;

        return builder_mount(build->builder, layers, -1, ret_fd, err);
}

/* A Dockerfile of a thousand stages must not be a thousand containers at once. */
static int take_slot(Builder *builder, const SolveJob *job, Error *err) {
        struct timespec until;

        for (;;) {
                (void)clock_gettime(CLOCK_MONOTONIC, &until);
                until.tv_sec++;
                if (sem_clockwait(&builder->slots, CLOCK_MONOTONIC, &until) == 0)
                        return 0;
                if (errno != ETIMEDOUT && errno != EINTR)
                        return error_set(err, errno, "wait for a build's turn");
                if (job->cancelled(job->data))
                        return error_set(err, ECANCELED, "the build was cancelled");
        }
}

static int execute(void *data, const SolveJob *job, Error *err) {
        static int (*const kinds[])(Build * build, const SolveJob *job, Error *err) = {
                [STEP_RUN] = build_run,
                [STEP_COPY] = build_copy,
                [STEP_WORKDIR] = build_workdir,
        };
        Builder *builder = ((Build *)data)->builder;
        int r = take_slot(builder, job, err);

        if (r < 0)
                return r;
        r = kinds[job->step->kind](data, job, err);
        if (r < 0) /* while the layer is there: a program that found no room says no more than 1 */
                room_explain(builder->engine, true, err);
        (void)sem_post(&builder->slots);
        if (r == 0)
                r = dir_remove_at(job->layer_fd, "work", err);
        return r;
}

const SolveWorker build_worker = {
        .image = build_image,
        .bring_image = build_image_bring,
        .mismatch = build_mismatch,
        .can_run = build_can_run,
        .alias = find_alias,
        .context = find_context,
        .fetch = fetch,
        .git = find_git,
        .open = open_root,
        .execute = execute,
        .recall = build_recall,
        .bring = build_bring,
        .keep = build_keep,
};
