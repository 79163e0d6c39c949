/* build-output.c: the files that a build leaves on this side: its output, the image's id, the
 * metadata. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/id.h"
#include "cli/build-options.h"
#include "cli/files.h"
#include "format/reference.h"

/* ---- --output ---- */

static int open_directory(const char *path, int *ret_fd, Error *err) {
        return dir_open_at(AT_FDCWD, path, 0777, ret_fd, err);
}

/* A file without a name where the file system has that: a signal then leaves nothing behind. */
static int open_new(BuildOutput *output, const char *path) {
        const char *slash = strrchr(path, '/');
        _cleanup_free_ char *folder =
                slash ? str_copy_n(path, (size_t)(slash - path) + 1) : str_copy(".");
        int fd = open(folder, O_WRONLY | O_TMPFILE | O_CLOEXEC, 0666);

        output->temporary = str_format("%s.tmp-%d", path, (int)getpid());
        if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
                fd = open(output->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
                output->named = fd >= 0;
        }
        return fd;
}

/* A new file beside path, or what path is if that is no regular file: a device, a pipe. */
static int open_file(BuildOutput *output, const char *path, Error *err) {
        struct stat st;

        if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
                return error_kind(err, ERROR_INVALID, "output '%s' is a directory: name a file",
                                  path);
        output->fd = stat(path, &st) == 0 && !S_ISREG(st.st_mode) ? open(path, O_WRONLY | O_CLOEXEC)
                                                                  : open_new(output, path);
        return output->fd < 0 ? error_set(err, errno, "open output '%s'", path) : 0;
}

static int open_standard_output(const BuildOutput *output, int *ret_fd, Error *err) {
        if (isatty(STDOUT_FILENO))
                return error_kind(err, ERROR_INVALID,
                                  "refusing to write an archive to a terminal: redirect it, or "
                                  "name a file: type=%s,dest=PATH",
                                  output->type);
        *ret_fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
        return *ret_fd < 0 ? error_set(err, errno, "standard output") : 0;
}

static int open_output(BuildOutput *output, OutputSpec *spec, Error *err) {
        output->type = TAKE_PTR(spec->type);
        output->path = TAKE_PTR(spec->dest);
        if (str_equal(output->type, "local"))
                return open_directory(output->path, &output->fd, err);
        if (str_equal(output->path, "-"))
                return open_standard_output(output, &output->fd, err);
        return open_file(output, output->path, err);
}

static int add_output(BuildOutput *output, const char *text, Error *err) {
        _cleanup_(output_spec_done) OutputSpec spec = {};
        int r = output_spec_parse(text, &spec, err);

        if (r < 0)
                return r;
        for (char **name = spec.names; name && *name; name++)
                strv_add(&output->names, *name);
        if (!spec.dest) {
                output->image = true;
                return 0;
        }
        if (output->fd >= 0)
                return error_kind(err, ERROR_UNSUPPORTED,
                                  "invalid output '%s': a second output beside '%s' is not done: "
                                  "build again, from the cache",
                                  text, output->path);
        return open_output(output, &spec, err);
}

int build_output_open(const BuildOptions *options, BuildOutput *ret, Error *err) {
        *ret = (BuildOutput){ .fd = -1, .image = options->load || !options->outputs };
        for (char **text = options->outputs; text && *text; text++) {
                int r = add_output(ret, *text, err);

                if (r < 0)
                        return r;
        }
        return 0;
}

int build_output_finish(BuildOutput *output, Error *err) {
        _cleanup_free_ char *link = str_format("/proc/self/fd/%d", output->fd);

        if (!output->temporary)
                return 0;
        if (!output->named &&
            linkat(AT_FDCWD, link, AT_FDCWD, output->temporary, AT_SYMLINK_FOLLOW) < 0)
                return error_set(err, errno, "name the output '%s'", output->temporary);
        output->named = true;
        if (rename(output->temporary, output->path) < 0)
                return error_set(err, errno, "rename the output to '%s'", output->path);
        output->named = false;
        return 0;
}

void build_output_done(BuildOutput *output) {
        if (output->named)
                (void)unlink(output->temporary);
        close_fd(&output->fd);
        free(output->type);
        free(output->path);
        free(output->temporary);
        (void)strv_free(output->names);
        *output = (BuildOutput){ .fd = -1 };
}

/* ---- --iidfile, --metadata-file ---- */

/* A file of an earlier build must not be taken for this one's. */
int build_files_clear(const BuildOptions *options, Error *err) {
        struct stat st;

        if (!str_empty(options->iid_file) && lstat(options->iid_file, &st) == 0 &&
            S_ISREG(st.st_mode) && unlink(options->iid_file) < 0)
                return error_set(err, errno, "remove '%s'", options->iid_file);
        return 0;
}

static char *full_names(char *const *tags) {
        _cleanup_strv_ char **names = NULL;

        for (; tags && *tags; tags++) {
                _cleanup_(reference_done) Reference reference = {};

                if (reference_parse(*tags, &reference, NULL) < 0)
                        continue; /* it was checked before the build */
                reference_default_tag(&reference);
                strv_take(&names, reference_full(&reference));
        }
        return strv_join(names, ",");
}

/* image: an image's id or, of several platforms, an index's digest. */
static json_object *metadata(char *const *tags, const char *image, bool is_index) {
        json_object *document = json_object_new_object();
        _cleanup_free_ char *names = full_names(tags), *reference = NULL;
        char id[ID_LENGTH + 1];

        id_new(id);
        reference = str_format("default/default/%.25s", id);
        (void)json_object_object_add(document, "buildx.build.ref",
                                     json_object_new_string(reference));
        if (image && !is_index)
                (void)json_object_object_add(document, "containerimage.config.digest",
                                             json_object_new_string(image));
        if (image)
                (void)json_object_object_add(document, "containerimage.digest",
                                             json_object_new_string(image));
        if (!str_empty(names))
                (void)json_object_object_add(document, "image.name", json_object_new_string(names));
        return document;
}

static int write_file(const char *path, const char *text, Error *err) {
        return output_file_write(path, text, strlen(text), 0666, err);
}

int build_files_write(const BuildOptions *options, char *const *tags, const char *image,
                      Error *err) {
        _cleanup_json_ json_object *document =
                metadata(tags, image, strv_length(options->platforms) > 1);
        const char *text = json_object_to_json_string_ext(
                document,
                JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE);
        int r = 0;

        if (!str_empty(options->iid_file) && image)
                r = write_file(options->iid_file, image, err);
        if (r == 0 && !str_empty(options->metadata_file))
                r = write_file(options->metadata_file, text, err);
        return r;
}
