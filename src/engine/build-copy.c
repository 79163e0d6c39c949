/* build-copy.c: COPY, ADD and WORKDIR in the root that they change: an overlay whose upper
 * directory becomes the layer. What is selected and copied is build/tree.h's. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "engine/build-private.h"
#include "engine/engine-private.h"
#include "engine/ocispec.h"

#define FILE_LIMIT ((size_t)16 << 20)
#define MODE_DOWNLOADED 0600
#define MODE_INLINE 0644

/* ---- owners ---- */

static int read_root_file(int root_fd, const char *path, char **ret, Error *err) {
        _cleanup_close_ int fd = open_in_root(root_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY,
                                              RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
        _cleanup_buf_ Buf text = {};
        int r;

        if (fd < 0)
                return 0;
        r = fd_read_all(fd, FILE_LIMIT, &text);
        if (r < 0)
                return error_set(err, r, "read /%s of the image", path);
        *ret = buf_take(&text);
        return 0;
}

int build_owner(int root_fd, const char *text, int64_t *ret_uid, int64_t *ret_gid, Error *err) {
        _cleanup_free_ char *passwd = NULL, *group = NULL;
        OciUser user = {};
        int r = read_root_file(root_fd, "etc/passwd", &passwd, err);

        if (r == 0)
                r = read_root_file(root_fd, "etc/group", &group, err);
        if (r == 0)
                r = user_lookup(passwd, group, text, NULL, OWNER_ID_MAX, &user, err);
        if (r < 0)
                return r;
        *ret_uid = user.uid;
        /* Docker: "--chown=55" is 55:55, "--chown=name" the name's own group. */
        *ret_gid = !strchr(text, ':') && text[strspn(text, "0123456789")] == '\0' ? user.uid
                                                                                  : user.gid;
        free(user.username);
        free(user.additional_gids.items);
        return 0;
}

/* ---- copying ---- */

typedef struct Copying {
        Build *build;
        const SolveJob *job;
        const CopyStep *step;
        int root_fd; /* the root that changes */
        CopyOptions options;
        TreeJob tree_job;
} Copying;

/* By their first bytes: a tar archive, or what may hold one; most files are neither. */
static bool may_be_archive(int file_fd, bool *ret_tar) {
        static const struct {
                const char *bytes;
                size_t length;
        } magics[] = { { "\x1f\x8b", 2 },
                       { "BZh", 3 },
                       { "\xfd"
                         "7zXZ",
                         5 },
                       { "\x28\xb5\x2f\xfd", 4 } };
        char head[512] = "";
        ssize_t n = pread(file_fd, head, sizeof(head), 0);

        *ret_tar = n == sizeof(head) && memcmp(head + 257, "ustar", 5) == 0;
        for (size_t i = 0; i < ELEMENTS(magics); i++)
                if (n > 8 && memcmp(head, magics[i].bytes, magics[i].length) == 0)
                        return true;
        return *ret_tar;
}

/* Whether it holds one is told by its first entry, which takes a directory that it could go to. */
static int is_archive(Build *build, int file_fd, Error *err) {
        static const TreeUnpack options = { .devices = true, .detect = true, .probe = true };
        int dir_fd, r;
        bool tar;

        if (!may_be_archive(file_fd, &tar) || tar)
                return tar;
        r = build_scratch_directory(build->builder, &dir_fd, err);
        if (r < 0)
                return r;
        r = image_unpack_tree(build->engine->images, file_fd, dir_fd, &options, err);
        engine_build_context_done(build->engine, dir_fd);
        return r;
}

static int unpack_archive(void *data, int file_fd, int target_fd, Error *err) {
        Build *build = data;
        int64_t bytes = 0;
        const TreeUnpack options = {
                .devices = true, .detect = true, .limit = build_add_left(build), .ret_bytes = &bytes
        };
        int r, counted;

        if (target_fd < 0)
                return is_archive(build, file_fd, err);
        r = image_unpack_tree(build->engine->images, file_fd, target_fd, &options, err);
        if (r < 0)
                return build_add_explain(r, err);
        counted = build_add_count(build, bytes, err);
        return counted < 0 ? counted : r;
}

static int init_copying(Copying *copying, Error *err) {
        const CopyStep *step = copying->step;
        CopyOptions *options = &copying->options;
        bool unpacks = step->add && (!step->unpack || *step->unpack);
        /* A named context may be an image, whose files keep their owners: its key says so, too. */
        bool owned = step->chown ||
                     (step->from.kind == INPUT_CONTEXT && !copying->job->inputs[0].layers);

        *options = (CopyOptions){ .dest = step->dest,
                                  .uid = owned ? 0 : -1,
                                  .gid = owned ? 0 : -1,
                                  .chmod = step->chmod,
                                  .epoch = copying->job->epoch,
                                  .excludes = step->excludes,
                                  .parents = step->parents,
                                  .replace_links = step->link && !step->chmod,
                                  .unpack = unpacks ? unpack_archive : NULL,
                                  .unpack_data = copying->build };
        copying->tree_job =
                (TreeJob){ .cancelled = copying->job->cancelled, .data = copying->job->data };
        return step->chown ? build_owner(copying->root_fd, step->chown, &options->uid,
                                         &options->gid, err)
                           : 0;
}

/* All files of one COPY are selected together, as they must agree on what the destination is. */
static int copy_files(const Copying *copying, Error *err) {
        const SolveJob *job = copying->job;
        const SolveInput *input = &job->inputs[0];
        const CopyStep *step = copying->step;
        _cleanup_free_ char **patterns = NEW_ARRAY(char *, step->source_count + 1);
        _cleanup_(selection_done) Selection selection = {};
        _cleanup_close_ int source_fd = -1;
        Tree root = {};
        const Tree *tree = input->tree;
        size_t count = 0;
        int r = 0;

        for (size_t i = 0; i < step->source_count; i++)
                if (step->sources[i].kind == COPY_FILES)
                        patterns[count++] = step->sources[i].path;
        if (count == 0)
                return 0;
        if (!tree) {
                r = builder_mount(copying->build->builder, input->layers, -1, &source_fd, err);
                root.root_fd = source_fd;
                tree = &root;
        }
        const SelectOptions options = { .patterns = patterns,
                                        .excludes = step->excludes,
                                        .parents = step->parents,
                                        .allow_nothing = true };
        if (r == 0)
                r = tree_select(tree, &options, &selection, err);
        return r < 0 ? r
                     : tree_copy(tree, &selection, copying->root_fd, &copying->options,
                                 &copying->tree_job, err);
}

/* Into a directory, which is made where it isn't. 1: unpacked. */
static int unpack_download(const Copying *copying, const Download *download, Error *err) {
        const CopyOptions *options = &copying->options;
        _cleanup_close_ int target_fd = -1, fd = -1;
        char link[32];
        bool made;
        int r = tree_make_directory(copying->root_fd, options->dest, options->uid, options->gid,
                                    &made, err);

        if (r < 0)
                return r;
        /* With an offset of its own: another stage may read it, too. */
        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", download->fd);
        fd = open(link, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return error_set(err, errno, "read what was downloaded from '%s'", download->url);
        target_fd = open_in_root(copying->root_fd, options->dest + 1, O_RDONLY | O_DIRECTORY,
                                 RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
        if (target_fd < 0)
                return error_set(err, errno, "open %s of the image", options->dest);
        return unpack_archive(copying->build, fd, target_fd, err);
}

/* ADD of a URL: an archive is unpacked only where --unpack says so. Its time is what the server
 * says. */
static int copy_download(const Copying *copying, const char *url, Error *err) {
        const Download *download = build_download(copying->build, url);
        CopyOptions options = copying->options;
        struct stat st;
        void *data;
        int r;

        if (copying->step->unpack && *copying->step->unpack) {
                r = unpack_download(copying, download, err);
                if (r != 0)
                        return r < 0 ? r : 0;
        }
        if (fstat(download->fd, &st) < 0)
                return error_set(err, errno, "read what was downloaded from '%s'", url);
        data = st.st_size ? mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, download->fd, 0)
                          : NULL;
        if (data == MAP_FAILED)
                return error_set(err, errno, "read what was downloaded from '%s'", url);
        if (options.epoch < 0 || options.epoch > download->time)
                options.epoch = download->time;
        r = tree_put_file(copying->root_fd, download->name, data, (size_t)st.st_size,
                          MODE_DOWNLOADED, &options, err);
        if (data)
                (void)munmap(data, (size_t)st.st_size);
        return r;
}

/* The content of the directory, as of a context: nothing in it is unpacked or ignored. */
static int copy_git(const Copying *copying, const char *url, Error *err) {
        static char *const all[] = { (char *)".", NULL };
        const CopyStep *step = copying->step;
        const GitAsk ask = { .url = url,
                             .checksum = step->checksum,
                             .keep_git_dir = step->keep_git_dir };
        const SelectOptions select = { .patterns = all, .excludes = step->excludes };
        _cleanup_(selection_done) Selection selection = {};
        _cleanup_close_ int dir_fd = -1;
        CopyOptions options = copying->options;
        int r = build_git_open(copying->build, &ask, &dir_fd, err);
        const Tree tree = { .root_fd = dir_fd, .neutral_owner = true };

        options.parents = false;
        options.unpack = NULL;
        if (r == 0)
                r = tree_select(&tree, &select, &selection, err);
        return r < 0 ? r
                     : tree_copy(&tree, &selection, copying->root_fd, &options, &copying->tree_job,
                                 err);
}

static int copy_others(const Copying *copying, Error *err) {
        const CopyStep *step = copying->step;
        int r = 0;

        for (size_t i = 0; r == 0 && i < step->source_count; i++) {
                const CopySource *source = &step->sources[i];

                if (source->kind == COPY_INLINE)
                        r = tree_put_file(copying->root_fd, source->path, source->content,
                                          strlen(source->content), MODE_INLINE, &copying->options,
                                          err);
                else if (source->kind == COPY_URL)
                        r = copy_download(copying, source->path, err);
                else if (source->kind == COPY_GIT)
                        r = copy_git(copying, source->path, err);
        }
        return r;
}

/* A layer that shall fit upon anything is written as it is: an overlay over an empty root would
 * mark each directory in it as one that hides what lies below. */
static int open_target(Build *build, const SolveJob *job, int *ret_fd, Error *err) {
        int r;

        if (!copy_is_linked(&job->step->copy))
                return builder_mount(build->builder, job->layers, job->layer_fd, ret_fd, err);
        r = builder_layer_prepare(build->builder, NULL, job->layer_fd, err);
        return r < 0 ? r : dir_open_at(job->layer_fd, "fs", 0, ret_fd, err);
}

int build_copy(Build *build, const SolveJob *job, Error *err) {
        _cleanup_close_ int root_fd = -1;
        Copying copying = { .build = build, .job = job, .step = &job->step->copy };
        int r = open_target(build, job, &root_fd, err);

        if (r < 0)
                return r;
        copying.root_fd = root_fd;
        r = init_copying(&copying, err);
        if (r == 0)
                r = copy_files(&copying, err);
        return r < 0 ? r : copy_others(&copying, err);
}

/* USER may name one that the image does not have, as long as nothing runs: root makes the
 * directory then, as with BuildKit. */
static int workdir_owner(int root_fd, const char *user, int64_t *ret_uid, int64_t *ret_gid,
                         Error *err) {
        Error unknown = {};
        int r = build_owner(root_fd, user, ret_uid, ret_gid, &unknown);

        if (r < 0 && unknown.kind == ERROR_INVALID) {
                *ret_uid = *ret_gid = 0;
                return 0;
        }
        if (r < 0)
                *err = unknown;
        return r;
}

int build_workdir(Build *build, const SolveJob *job, Error *err) {
        const char *user = job->step->user;
        _cleanup_close_ int root_fd = -1;
        int64_t uid = 0, gid = 0;
        bool made;
        int r = builder_mount(build->builder, job->layers, job->layer_fd, &root_fd, err);

        if (r == 0 && !str_empty(user))
                r = workdir_owner(root_fd, user, &uid, &gid, err);
        return r < 0 ? r : tree_make_directory(root_fd, job->step->workdir, uid, gid, &made, err);
}
