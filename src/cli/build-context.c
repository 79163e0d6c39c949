/* build-context.c: what a build is made of, as far as it is on this side: the context, the
 * Dockerfile, the ignore file, secrets and agents' sockets. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/base64.h"
#include "base/fd.h"
#include "cli/build-options.h"

#define TEXT_LIMIT ((size_t)16 << 20)
#define SECRET_LIMIT ((size_t)500 * 1024) /* BuildKit's */
#define HEAD_SIZE 512                     /* a tar header */

/* Appending to an array of a document needs no more of a table. */
static const JsonTable secret_size = { .size = sizeof(BuildSecretDocument) },
                       ssh_size = { .size = sizeof(BuildSshDocument) };

/* ---- standard input ---- */

/* Docker's rule: what is compressed, or begins with a tar header, is an archive. */
static bool is_archive(const Buf *head) {
        static const struct {
                const char *bytes;
                size_t length;
        } magic[] = { { "\x1f\x8b\x08", 3 },
                      { "BZh", 3 },
                      { "\xfd"
                        "7zXZ",
                        5 },
                      { "\x28\xb5\x2f\xfd", 4 } };
        unsigned sum = 0, written = 0;

        for (size_t i = 0; i < ELEMENTS(magic); i++)
                if (head->length >= magic[i].length &&
                    memcmp(head->data, magic[i].bytes, magic[i].length) == 0)
                        return true;
        if (head->length < HEAD_SIZE)
                return false;
        for (size_t i = 0; i < HEAD_SIZE; i++)
                sum += i >= 148 && i < 156 ? ' ' : (unsigned char)head->data[i];
        for (size_t i = 148; i < 156 && strchr(" 01234567", head->data[i]) && head->data[i]; i++)
                if (head->data[i] != ' ')
                        written = written * 8 + (unsigned)(head->data[i] - '0');
        return sum == written;
}

/* What is sent is text, and the reader of a text sees it end at a NUL. */
static int refuse_nul(const char *name, const char *text, size_t length, Error *err) {
        return memchr(text, '\0', length)
                       ? error_kind(err, ERROR_INVALID,
                                    "'%s' has a NUL character: it must be text in UTF-8", name)
                       : 0;
}

static int read_input(BuildSource *source, Error *err) {
        int r = fd_read_all(STDIN_FILENO, TEXT_LIMIT, &source->head);

        if (r < 0)
                return error_set(err, r, "read the Dockerfile from standard input");
        source->dockerfile_length = source->head.length;
        source->dockerfile = buf_take(&source->head);
        return refuse_nul("-", source->dockerfile, source->dockerfile_length, err);
}

static int open_input(BuildSource *source, Error *err) {
        ssize_t got;

        buf_reserve(&source->head, HEAD_SIZE);
        got = fd_read_full(STDIN_FILENO, source->head.data, HEAD_SIZE);
        if (got < 0)
                return error_set(err, (int)-got, "read standard input");
        if (got == 0)
                return error_kind(err, ERROR_INVALID,
                                  "standard input is empty: it must be a tar archive or a "
                                  "Dockerfile");
        source->head.length = (size_t)got;
        source->head.data[got] = '\0';
        if (is_archive(&source->head)) {
                source->kind = SOURCE_ARCHIVE;
                return 0;
        }
        source->kind = SOURCE_DOCKERFILE;
        return read_input(source, err);
}

/* ---- the Dockerfile and its ignore file ---- */

/* path as seen from the directory, or NULL if it is not in it. The caller's. */
static char *path_below(const char *path, const char *directory) {
        _cleanup_free_ char *file = realpath(path, NULL), *top = realpath(directory, NULL);
        const char *rest = file && top ? str_after(file, str_equal(top, "/") ? "" : top) : NULL;

        return rest && *rest == '/' && rest[1] ? str_copy(rest + 1) : NULL;
}

/* What lies in a directory that others may have filled: a FIFO or a device there is not waited for.
 */
static int read_found(const char *path, char **ret, size_t *ret_length, Error *err) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        _cleanup_buf_ Buf text = {};
        struct stat st;
        int r;

        if (fd < 0 || fstat(fd, &st) < 0)
                return error_set(err, errno, "open '%s'", path);
        if (!S_ISREG(st.st_mode))
                return error_kind(err, ERROR_INVALID, "read '%s': it is no regular file", path);
        r = fd_read_all(fd, TEXT_LIMIT, &text);
        if (r < 0)
                return error_set(err, r, "read '%s'", path);
        *ret_length = text.length;
        *ret = buf_take(&text);
        return 0;
}

/* NAME.dockerignore before the context's .dockerignore; neither is needed. */
static int read_ignore(BuildSource *source, const char *path, const char *context, Error *err) {
        _cleanup_free_ char *own = str_format("%s.dockerignore", path);
        _cleanup_free_ char *shared = str_format("%s/.dockerignore", context);
        char *const paths[] = { own, shared };

        for (size_t i = str_equal(path, "-") ? 1 : 0; i < ELEMENTS(paths); i++) {
                int r = read_found(paths[i], &source->ignore, &source->ignore_length, err);

                if (r == -ENOENT)
                        continue;
                source->ignore_name = str_copy(paths[i]);
                return r < 0 ? r : refuse_nul(paths[i], source->ignore, source->ignore_length, err);
        }
        return 0;
}

int build_source_read_ignore(const char *path, BuildSource *source, Error *err) {
        return read_ignore(source, "-", path, err);
}

/* named: by the user, who may mean a pipe. */
static int read_dockerfile(BuildSource *source, const char *path, bool named, const char *context,
                           Error *err) {
        int r = named ? file_read_at(AT_FDCWD, path, TEXT_LIMIT, &source->dockerfile,
                                     &source->dockerfile_length, err)
                      : read_found(path, &source->dockerfile, &source->dockerfile_length, err);

        if (r == 0)
                r = refuse_nul(path, source->dockerfile, source->dockerfile_length, err);
        if (r < 0)
                return error_prefix(err, "failed to read dockerfile");
        source->below = path_below(path, context);
        source->name = str_copy(source->below
                                        ?: strrchr(path, '/') ? strrchr(path, '/') + 1
                                                              : path);
        return 0;
}

/* -f, else Dockerfile in the context, else dockerfile. The caller's. */
static char *dockerfile_path(const char *file, const char *context) {
        _cleanup_free_ char *usual = str_format("%s/Dockerfile", context);
        _cleanup_free_ char *lower = str_format("%s/dockerfile", context);

        if (!str_empty(file))
                return str_copy(file);
        return access(usual, F_OK) < 0 && access(lower, F_OK) == 0 ? TAKE_PTR(lower)
                                                                   : TAKE_PTR(usual);
}

static int open_directory(const BuildOptions *options, const char *context, BuildSource *source,
                          Error *err) {
        _cleanup_free_ char *path = dockerfile_path(options->file, context);
        int r;

        source->kind = SOURCE_DIRECTORY;
        source->dir_fd = open(context, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (source->dir_fd < 0 && errno == ENOENT)
                return error_kind(err, ERROR_NOT_FOUND,
                                  "unable to prepare context: path \"%s\" not found", context);
        if (source->dir_fd < 0)
                return error_set(err, errno, "unable to prepare context: open '%s'", context);
        r = str_equal(path, "-")
                    ? read_input(source, err)
                    : read_dockerfile(source, path, !str_empty(options->file), context, err);
        return r < 0 ? r : read_ignore(source, path, context, err);
}

/* A Dockerfile that is not in the context's files may still be ours. */
static int open_elsewhere(const BuildOptions *options, BuildSource *source, Error *err) {
        if (str_equal(options->file, "-"))
                return read_input(source, err);
        source->name = str_copy(options->file);
        return 0;
}

int build_source_open(const BuildOptions *options, const char *context, BuildSource *ret,
                      Error *err) {
        bool from_input = str_equal(options->file, "-");
        int git, r;

        *ret = (BuildSource){ .dir_fd = -1 };
        git = is_git_address(context, err);
        if (git < 0)
                return git;
        if (str_equal(context, "-") && from_input)
                return error_kind(err, ERROR_INVALID,
                                  "can't use standard input for both the build's context and the "
                                  "Dockerfile");
        if (str_equal(context, "-")) {
                r = open_input(ret, err);
                if (r == 0 && ret->kind == SOURCE_DOCKERFILE && !str_empty(options->file))
                        r = error_kind(err, ERROR_INVALID,
                                       "ambiguous Dockerfile source: both standard input and -f "
                                       "name one");
                if (r == 0 && ret->kind == SOURCE_ARCHIVE)
                        r = open_elsewhere(options, ret, err);
        } else if (git > 0 || is_web_address(context)) {
                ret->kind = SOURCE_URL;
                ret->url = context;
                r = open_elsewhere(options, ret, err);
        } else {
                r = open_directory(options, context, ret, err);
        }
        if (r == 0 && str_empty(ret->name))
                str_replace(&ret->name, "Dockerfile");
        return r;
}

void build_source_done(BuildSource *source) {
        close_fd(&source->dir_fd);
        buf_done(&source->head);
        free(source->name);
        free(source->below);
        free(source->dockerfile);
        free(source->ignore);
        free(source->ignore_name);
        *source = (BuildSource){ .dir_fd = -1 };
}

/* ---- descriptors ---- */

int64_t build_fds_add(BuildFds *fds, int fd) {
        GROW(fds->fds, fds->count);
        fds->fds[fds->count] = fd;
        return (int64_t)fds->count++;
}

void build_fds_done(BuildFds *fds) {
        for (size_t i = 0; i < fds->count; i++)
                close_fd(&fds->fds[i]);
        free(fds->fds);
        *fds = (BuildFds){};
}

/* ---- secrets ---- */

static int read_secret(const SecretSpec *spec, char **ret, size_t *ret_length, Error *err) {
        const char *value = spec->path ? NULL : getenv(spec->env ?: spec->id);
        const char *path = spec->path ?: spec->id;
        int r;

        /* A variable that is not set is an empty secret, as in buildx: scripts rely on it. */
        if (spec->env && !value)
                value = "";
        if (value) {
                *ret = str_copy(value);
                *ret_length = strlen(value);
                return 0;
        }
        r = file_read_at(AT_FDCWD, path, SECRET_LIMIT, ret, ret_length, err);
        if (r == -EFBIG)
                return error_kind(err, ERROR_INVALID,
                                  "secret '%s': '%s' is larger than the 500 KiB that one may have",
                                  spec->id, path);
        return r < 0 ? error_prefix(err, "secret '%s'", spec->id) : 0;
}

static int add_secret(const char *text, BuildDocument *document, Error *err) {
        _cleanup_(secret_spec_done) SecretSpec spec = {};
        _cleanup_free_ char *value = NULL;
        BuildSecretDocument *secret;
        size_t length = 0;
        int r = secret_spec_parse(text, &spec, err);

        if (r == 0)
                r = read_secret(&spec, &value, &length, err);
        if (r < 0)
                return r;
        secret = json_append(&document->secrets, &secret_size);
        secret->id = TAKE_PTR(spec.id);
        secret->value = base64_encode(value, length);
        return 0;
}

int build_secrets_add(char *const *specs, BuildDocument *document, Error *err) {
        for (; specs && *specs; specs++) {
                int r = add_secret(*specs, document, err);

                if (r < 0)
                        return r;
        }
        return 0;
}

/* ---- agents ---- */

static int open_agent(const SshSpec *spec, int *ret_fd, Error *err) {
        const char *path = spec->path ?: getenv("SSH_AUTH_SOCK");
        _cleanup_close_ int fd = -1;
        struct stat st;

        if (str_empty(path))
                return error_kind(err, ERROR_INVALID,
                                  "ssh agent '%s': SSH_AUTH_SOCK is not set: start an agent, or "
                                  "write %s=SOCKET",
                                  spec->id, spec->id);
        fd = open(path, O_PATH | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0)
                return error_set(err, errno, "ssh agent '%s': open '%s'", spec->id, path);
        if (!S_ISSOCK(st.st_mode))
                return error_kind(err, ERROR_UNSUPPORTED,
                                  "ssh agent '%s': '%s' is no socket; keys are not read: add them "
                                  "to an agent with ssh-add and give its socket",
                                  spec->id, path);
        *ret_fd = TAKE_FD(fd);
        return 0;
}

int build_ssh_add(char *const *specs, BuildDocument *document, BuildFds *fds, Error *err) {
        for (; specs && *specs; specs++) {
                _cleanup_(ssh_spec_done) SshSpec spec = {};
                BuildSshDocument *ssh;
                int fd = -1;
                int r = ssh_spec_parse(*specs, &spec, err);

                if (r == 0)
                        r = open_agent(&spec, &fd, err);
                if (r < 0)
                        return r;
                ssh = json_append(&document->ssh, &ssh_size);
                ssh->id = TAKE_PTR(spec.id);
                ssh->fd = build_fds_add(fds, fd);
        }
        return 0;
}
