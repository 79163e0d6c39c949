/* build-context.c: a build's contexts: directories that the client has open, archives that it
 * sends, archives that the engine fetches; and the two files that are read of them. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/log.h"
#include "engine/build-private.h"
#include "engine/engine-private.h"
#include "engine/ocispec.h"
#include "engine/room.h"
#include "format/git-source.h"

#define CONTEXT_MAX ((int64_t)64 << 30)
#define DOCKERFILE_MAX ((size_t)16 << 20)
#define IGNORE_MAX ((size_t)1 << 20)

/* ---- directories of the engine's own ---- */

int build_scratch_directory(Builder *builder, int *ret_fd, Error *err) {
        char id[ID_LENGTH + 1];

        id_new(id);
        return dir_open_at(builder->contexts_fd, id, 0700, ret_fd, err);
}

static int unpack_context(Engine *engine, int tar_fd, const TreeUnpack *options, int *ret_dir_fd,
                          Error *err) {
        _cleanup_close_ int dir_fd = -1;
        int r = build_scratch_directory(engine->builder, &dir_fd, err);

        if (r < 0)
                return r;
        r = image_unpack_tree(engine->images, tar_fd, dir_fd, options, err);
        if (r < 0) {
                room_explain(engine, true, err);
                engine_build_context_done(engine, TAKE_FD(dir_fd));
                return error_prefix(err, "read the build context");
        }
        *ret_dir_fd = TAKE_FD(dir_fd);
        return 0;
}

int engine_build_context(Engine *engine, int tar_fd, int *ret_dir_fd, Error *err) {
        static const TreeUnpack options = {};

        return unpack_context(engine, tar_fd, &options, ret_dir_fd, err);
}

/* Large ones take minutes on a busy disk, which no build's answer waits for. */
static int remove_context(Builder *builder, const char *name, Error *err) {
        if (renameat(builder->contexts_fd, name, builder->removed_fd, name) < 0)
                return dir_remove_at(builder->contexts_fd, name, err);
        remover_add(&builder->remover, builder->removed_fd, name);
        return 0;
}

/* A full disk may have no room for another name; none is ever used again. */
static void discard_left(Builder *builder, int dir_fd, const char *name) {
        if (dir_fd == builder->contexts_fd &&
            renameat(dir_fd, name, builder->removed_fd, name) == 0)
                dir_fd = builder->removed_fd;
        remover_add(&builder->remover, dir_fd, name);
}

static int remove_all_in(Builder *builder, int dir_fd, Error *err) {
        _cleanup_closedir_ DIR *dir = NULL;
        _cleanup_close_ int fd = dup(dir_fd);
        struct dirent *entry;

        if (fd < 0 || !(dir = fdopendir(fd)))
                return error_set(err, errno, "look for contexts of earlier builds");
        TAKE_FD(fd);
        while ((entry = readdir(dir)))
                if (!str_equal(entry->d_name, ".") && !str_equal(entry->d_name, ".."))
                        discard_left(builder, dir_fd, entry->d_name);
        return 0;
}

int build_contexts_open(Builder *builder, Error *err) {
        int r = dir_open_at(builder->dir_fd, "removed", 0700, &builder->removed_fd, err);

        if (r == 0)
                r = dir_open_at(builder->dir_fd, "contexts", 0700, &builder->contexts_fd, err);
        if (r == 0) {
                dir_spread(builder->contexts_fd);
                r = remove_all_in(builder, builder->removed_fd, err);
        }
        return r < 0 ? r : remove_all_in(builder, builder->contexts_fd, err);
}

void engine_build_context_done(Engine *engine, int dir_fd) {
        _cleanup_close_ UNUSED int closed = dir_fd;
        char link[32], path[PATH_MAX];
        Error error = {};

        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", dir_fd);
        ssize_t n = readlink(link, path, sizeof(path) - 1);
        if (n <= 0)
                return;
        path[n] = '\0';
        const char *name = strrchr(path, '/');
        if (name && remove_context(engine->builder, name + 1, &error) < 0)
                log_warn("remove a build's context: %s", error.message);
}

/* ---- progress ---- */

typedef struct Reading {
        Build *build;
        const BuildContext *context;
} Reading;

static int report(void *data, const ImageProgress *progress) {
        const Reading *reading = data;
        Build *build = reading->build;
        const char *name = reading->context->name;
        _cleanup_free_ char *what =
                *name ? str_format("the context '%s'", name) : str_copy("the context");
        const BuildEvent event = { .kind = BUILD_STATUS,
                                   .status = what,
                                   .current = progress->current,
                                   .total = progress->total };

        return build_cancelled(build) ? -ECANCELED : build_event(build, &event);
}

/* ---- URLs ---- */

/* An archive becomes a directory; anything else is a Dockerfile, as Docker has it. */
static int fetch(Build *build, const BuildContext *context, int *ret_dir_fd, Error *err) {
        static const TreeUnpack options = { .detect = true, .limit = CONTEXT_MAX };
        ImageStore *images = build->engine->images;
        _cleanup_close_ int fd =
                openat(build->builder->dir_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        _cleanup_close_ int dir_fd = -1;
        _cleanup_free_ char *name = NULL;
        _cleanup_buf_ Buf text = {};
        char digest[DIGEST_TEXT_MAX];
        Reading reading = { build, context };
        int64_t time;
        int r;

        if (fd < 0)
                return error_set(err, errno, "make a file for context '%s'", context->url);
        r = image_download(images, context->url, fd, CONTEXT_MAX, report, &reading, &time, &name,
                           digest, err);
        if (r == 0 && lseek(fd, 0, SEEK_SET) < 0)
                r = error_set(err, errno, "read context '%s'", context->url);
        if (r == 0)
                r = build_scratch_directory(build->builder, &dir_fd, err);
        if (r < 0)
                return r;
        r = image_unpack_tree(images, fd, dir_fd, &options, err);
        if (r == 0 && (*context->name || fd_read_all(fd, DOCKERFILE_MAX, &text) < 0))
                r = error_kind(err, ERROR_INVALID, "context '%s' is no archive", context->url);
        if (r < 0) {
                engine_build_context_done(build->engine, TAKE_FD(dir_fd));
                return r;
        }
        if (r == 0) {
                build->dockerfile_length = text.length;
                build->dockerfile = buf_take(&text);
        }
        *ret_dir_fd = TAKE_FD(dir_fd);
        return 0;
}

static bool is_true(const char *value) {
        static const char *const words[] = { "1", "t", "T", "TRUE", "true", "True", NULL };

        return value && strv_has((char *const *)words, value);
}

/* BuildKit's argument keeps the .git of the build's own context. */
static int fetch_git(Build *build, const BuildContext *context, int *ret_dir_fd, Error *err) {
        const char *keep = env_get(build->request->args, "BUILDKIT_CONTEXT_KEEP_GIT_DIR");
        const GitAsk ask = { .url = context->url,
                             .context = true,
                             .keep_git_dir = !*context->name && is_true(keep) };

        return build_git_open(build, &ask, ret_dir_fd, err);
}

/* ---- trees ---- */

/* What the files are now that will grow; one that is no regular file counts as it is. */
static void note_growing(BuildTree *tree, char *const *names) {
        tree->growing = NEW_ARRAY(struct stat, strv_length(names) + 1);
        for (; names && *names; names++) {
                _cleanup_close_ int fd =
                        open_in_root(tree->tree.root_fd, *names, O_PATH | O_NOFOLLOW,
                                     RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);

                if (fd >= 0 && fstat(fd, &tree->growing[tree->tree.growing_count]) == 0)
                        tree->tree.growing_count++;
        }
        tree->tree.growing = tree->growing;
}

static BuildTree *add_tree(Build *build, const BuildContext *context, int root_fd, int own_fd) {
        BuildTree *tree = &build->trees[build->tree_count++];

        tree->name = str_copy(context->name);
        tree->fd = own_fd;
        tree->memo = build_cache_memo(build->builder->cache);
        tree->tree = (Tree){ .root_fd = root_fd, .memo = &tree->memo, .neutral_owner = true };
        return tree;
}

static int open_url(Build *build, const BuildContext *context, Error *err) {
        GitSource source = {};
        int dir_fd = -1, r = git_source_parse(context->url, true, &source, err);
        bool is_git = r == GIT_SOURCE;

        git_source_done(&source);
        if (r >= 0)
                r = is_git ? fetch_git(build, context, &dir_fd, err)
                           : fetch(build, context, &dir_fd, err);
        if (r == 0)
                add_tree(build, context, dir_fd, dir_fd)->is_layer = is_git;
        return r;
}

static int open_tar(Build *build, const BuildContext *context, Error *err) {
        Reading reading = { build, context };
        const TreeUnpack options = { .progress = report, .data = &reading };
        int dir_fd = -1;
        int r = unpack_context(build->engine, context->tar_fd, &options, &dir_fd, err);

        if (r == 0)
                add_tree(build, context, dir_fd, dir_fd)->unpacked = true;
        return r;
}

int build_open_contexts(Build *build, Error *err) {
        const BuildRequest *request = build->request;
        int r = 0;

        build->trees = NEW_ARRAY(BuildTree, request->context_count + 1);
        for (size_t i = 0; r == 0 && i < request->context_count; i++) {
                const BuildContext *context = &request->contexts[i];

                if (context->dir_fd >= 0) {
                        BuildTree *tree = add_tree(build, context, context->dir_fd, -1);

                        tree->unpacked = context->unpacked;
                        note_growing(tree, context->growing);
                } else if (context->tar_fd >= 0) {
                        r = open_tar(build, context, err);
                } else if (context->url) {
                        r = open_url(build, context, err);
                }
        }
        return r;
}

void build_close_contexts(Build *build) {
        for (size_t i = 0; i < build->tree_count; i++) {
                BuildTree *tree = &build->trees[i];

                if (tree->fd >= 0 && tree->is_layer)
                        close_fd(&tree->fd);
                else if (tree->fd >= 0)
                        engine_build_context_done(build->engine, TAKE_FD(tree->fd));
                ignore_free(tree->ignored);
                free(tree->growing);
                free(tree->name);
        }
        free(build->trees);
        free(build->dockerfile);
}

const BuildTree *build_tree(const Build *build, const char *name) {
        for (size_t i = 0; i < build->tree_count; i++)
                if (str_equal(build->trees[i].name, name))
                        return &build->trees[i];
        return NULL;
}

/* ---- files of a context ---- */

/* 1 and *ret, or 0: there is none. */
static int read_file(const BuildTree *tree, const char *path, size_t limit, char **ret,
                     size_t *ret_length, Error *err) {
        _cleanup_close_ int fd =
                open_in_root(tree->tree.root_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY,
                             RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
        _cleanup_buf_ Buf text = {};
        struct stat st;
        int r;

        if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
                return 0;
        if (fd < 0 || fstat(fd, &st) < 0)
                return error_set(err, errno, "open %s", path);
        if (!S_ISREG(st.st_mode))
                return error_kind(err, ERROR_INVALID, "read %s: it is no regular file", path);
        r = fd_read_all(fd, limit, &text);
        if (r < 0)
                return error_set(err, r, "read %s", path);
        *ret_length = text.length;
        *ret = buf_take(&text);
        return 1;
}

static const char *dockerfile_name(const Build *build) {
        return str_empty(build->request->dockerfile_name) ? "Dockerfile"
                                                          : build->request->dockerfile_name;
}

int build_read_dockerfile(const Build *build, char **ret, size_t *ret_length, Error *err) {
        const BuildRequest *request = build->request;
        const BuildTree *tree = build_tree(build, "");
        const char *text = request->dockerfile ?: build->dockerfile;
        int r;

        if (text) {
                *ret_length =
                        request->dockerfile ? request->dockerfile_length : build->dockerfile_length;
                *ret = alloc_zero(1, *ret_length + 1);
                memcpy(*ret, text, *ret_length);
                return 0;
        }
        if (!tree)
                return error_kind(
                        err, ERROR_INVALID,
                        "the build has neither a Dockerfile nor a context to find one in");
        r = read_file(tree, dockerfile_name(build), DOCKERFILE_MAX, ret, ret_length, err);
        if (r == 0)
                r = error_kind(err, ERROR_NOT_FOUND, "open %s: no such file or directory",
                               dockerfile_name(build));
        return r < 0 ? error_prefix(err, "failed to read dockerfile") : 0;
}

typedef struct IgnoreFile {
        char *name, *text; /* NULL: there is none */
        size_t length;
} IgnoreFile;

static void ignore_file_done(IgnoreFile *file) {
        free(file->name);
        free(file->text);
}

static int find_ignore(const Build *build, const BuildTree *tree, IgnoreFile *ret, Error *err) {
        const BuildRequest *request = build->request;
        bool is_main = !*tree->name;
        int r = 0;

        if (is_main && request->ignore) {
                ret->name = str_copy(request->ignore_name ?: ".dockerignore");
                ret->length = request->ignore_length;
                ret->text = alloc_zero(1, ret->length + 1);
                memcpy(ret->text, request->ignore, ret->length);
                return 0;
        }
        ret->name = str_format("%s.dockerignore", dockerfile_name(build));
        if (is_main && !request->dockerfile)
                r = read_file(tree, ret->name, IGNORE_MAX, &ret->text, &ret->length, err);
        if (r != 0)
                return MIN(r, 0);
        str_replace(&ret->name, ".dockerignore");
        r = read_file(tree, ret->name, IGNORE_MAX, &ret->text, &ret->length, err);
        return MIN(r, 0);
}

static int read_ignore_of(Build *build, BuildTree *tree, Error *err) {
        _cleanup_(ignore_file_done) IgnoreFile file = {};
        int r = find_ignore(build, tree, &file, err);

        if (r < 0)
                return r;
        if (file.text)
                r = ignore_parse(file.text, file.length, &tree->ignored, err);
        tree->tree.ignored = tree->ignored;
        return r < 0 ? error_prefix(err, "error reading %s", file.name) : 0;
}

int build_read_ignore(Build *build, Error *err) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < build->tree_count; i++)
                r = read_ignore_of(build, &build->trees[i], err);
        return r;
}

int build_tell_texts(Build *build, const char *dockerfile, size_t length, Error *err) {
        const BuildTree *tree = build_tree(build, "");
        _cleanup_(ignore_file_done) IgnoreFile file = {};
        const BuildEvent text = { .kind = BUILD_DOCKERFILE,
                                  .name = dockerfile_name(build),
                                  .text = dockerfile,
                                  .length = length };
        int r = tree ? find_ignore(build, tree, &file, err) : 0;

        if (r < 0)
                return r;
        const BuildEvent ignore = {
                .kind = BUILD_IGNORE, .name = file.name, .text = file.text, .length = file.length
        };
        if (build_event(build, &text) < 0 || (file.text && build_event(build, &ignore) < 0))
                return error_set(err, ECANCELED, "the build was cancelled");
        return 0;
}
