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

int build_directory_open(const char *path, const char *what, int *ret_fd, Error *err) {
        _cleanup_close_ int fd = -1;
        int r = dir_open_at(AT_FDCWD, path, 0777, &fd, err);

        if (r < 0)
                return r;
        if (faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) < 0)
                return error_set(err, errno, "write %s to '%s'", what, path);
        *ret_fd = TAKE_FD(fd);
        return 0;
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

/* A new file beside path, or what path is if that is no regular file: a device, a pipe, a link. */
static int open_file(BuildOutput *output, const char *path, Error *err) {
        struct stat st;

        if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
                return error_kind(err, ERROR_INVALID, "output '%s' is a directory: name a file",
                                  path);
        output->fd = output_file_is_new(path) ? open_new(output, path) : output_file_open(path);
        return output->fd < 0 ? error_set(err, errno, "open output '%s'", path) : 0;
}

static int open_standard_output(const BuildOutput *output, int *ret_fd, Error *err) {
        if (isatty(STDOUT_FILENO))
                return error_kind(err, ERROR_INVALID,
                                  "refusing to write an archive to a terminal: redirect it, or "
                                  "name a file: type=%s,dest=PATH",
                                  output->spec.type);
        *ret_fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
        return *ret_fd < 0 ? error_set(err, errno, "standard output") : 0;
}

static int open_output(BuildOutput *output, Error *err) {
        const OutputSpec *spec = &output->spec;

        if (!spec->dest)
                return 0;
        if (str_equal(spec->type, "local") || spec->layout)
                return build_directory_open(spec->dest, "output", &output->fd, err);
        if (str_equal(spec->dest, "-"))
                return open_standard_output(output, &output->fd, err);
        return open_file(output, spec->dest, err);
}

static BuildOutput *new_output(BuildOutputs *outputs, OutputSpec spec) {
        BuildOutput *output;

        GROW(outputs->list, outputs->count);
        output = &outputs->list[outputs->count++];
        *output = (BuildOutput){ .spec = spec, .fd = -1 };
        return output;
}

static int add_output(BuildOutputs *outputs, const char *text, Error *err) {
        OutputSpec spec = {};
        int r = output_spec_parse(text, &spec, err);

        for (size_t i = 0; r == 0 && spec.dest && i < outputs->count; i++)
                if (str_equal(spec.dest, outputs->list[i].spec.dest))
                        r = error_kind(err, ERROR_INVALID,
                                       "invalid output '%s': another one goes to '%s', too", text,
                                       spec.dest);
        if (r < 0) {
                output_spec_done(&spec);
                return r;
        }
        return open_output(new_output(outputs, spec), err);
}

static bool has_image(const BuildOutputs *outputs) {
        for (size_t i = 0; i < outputs->count; i++)
                if (str_equal(outputs->list[i].spec.type, "image"))
                        return true;
        return false;
}

int build_outputs_open(const BuildOptions *options, BuildOutputs *ret, Error *err) {
        for (char **text = options->outputs; text && *text; text++) {
                int r = add_output(ret, *text, err);

                if (r < 0)
                        return r;
        }
        if ((options->load || options->push || !options->outputs) && !has_image(ret))
                (void)new_output(ret, (OutputSpec){ .type = str_copy("image") });
        for (size_t i = 0; i < ret->count; i++)
                ret->list[i].spec.push |=
                        options->push && str_equal(ret->list[i].spec.type, "image");
        return 0;
}

static int add_document(const BuildOutput *output, char *const *tags, BuildDocument *document,
                        BuildFds *fds, Error *err) {
        static const JsonTable size = { .size = sizeof(BuildOutputDocument) };
        const OutputSpec *spec = &output->spec;
        BuildOutputDocument *added;
        int fd = -1;

        if (output->fd >= 0 && (fd = fcntl(output->fd, F_DUPFD_CLOEXEC, 3)) < 0)
                return error_set(err, errno, "the output's descriptor");
        added = json_append(&document->outputs, &size);
        added->type = str_copy(spec->type);
        added->layout = spec->layout;
        added->push = spec->push;
        added->by_digest = spec->push && spec->by_digest;
        added->names = strv_copy(spec->names || !added->by_digest ? spec->names : tags);
        added->compression = str_copy(spec->compression);
        added->force_compression = spec->force_compression;
        added->docker_media_types = spec->docker_media_types;
        build_annotations_copy(&added->annotations, &spec->annotations);
        if (spec->has_level) {
                added->compression_level = NEW(int64_t);
                *added->compression_level = spec->level;
        }
        if (fd >= 0) {
                added->fd = NEW(int64_t);
                *added->fd = build_fds_add(fds, fd);
        }
        return 0;
}

int build_outputs_add(const BuildOutputs *outputs, char *const *tags, BuildDocument *document,
                      BuildFds *fds, Error *err) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < outputs->count; i++)
                if (!str_equal(outputs->list[i].spec.type, "cacheonly"))
                        r = add_document(&outputs->list[i], tags, document, fds, err);
        return r;
}

bool build_outputs_use_stdout(const BuildOutputs *outputs) {
        for (size_t i = 0; i < outputs->count; i++)
                if (str_equal(outputs->list[i].spec.dest, "-"))
                        return true;
        return false;
}

static int finish(BuildOutput *output, Error *err) {
        _cleanup_free_ char *link = str_format("/proc/self/fd/%d", output->fd);

        if (!output->temporary)
                return 0;
        if (!output->named &&
            linkat(AT_FDCWD, link, AT_FDCWD, output->temporary, AT_SYMLINK_FOLLOW) < 0)
                return error_set(err, errno, "name the output '%s'", output->temporary);
        output->named = true;
        if (rename(output->temporary, output->spec.dest) < 0)
                return error_set(err, errno, "rename the output to '%s'", output->spec.dest);
        output->named = false;
        return 0;
}

int build_outputs_finish(BuildOutputs *outputs, Error *err) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < outputs->count; i++)
                r = finish(&outputs->list[i], err);
        return r;
}

void build_outputs_done(BuildOutputs *outputs) {
        for (size_t i = 0; i < outputs->count; i++) {
                BuildOutput *output = &outputs->list[i];

                if (output->named)
                        (void)unlink(output->temporary);
                close_fd(&output->fd);
                output_spec_done(&output->spec);
                free(output->temporary);
        }
        free(outputs->list);
        *outputs = (BuildOutputs){};
}

void build_result_done(BuildResult *result) {
        free(result->image);
        free(result->pushed);
        free(result->media_type);
        *result = (BuildResult){};
}

/* ---- --iidfile, --metadata-file ---- */

static int prepare_file(const char *option, const char *path, Error *err) {
        struct stat st;
        int r;

        if (str_empty(path))
                return 0;
        r = output_file_check(path, err);
        if (r < 0)
                return error_prefix(err, "%s", option);
        if (lstat(path, &st) == 0 && S_ISREG(st.st_mode) && unlink(path) < 0)
                return error_set(err, errno, "%s: remove '%s'", option, path);
        return 0;
}

int build_files_prepare(const BuildOptions *options, Error *err) {
        int r = prepare_file("--iidfile", options->iid_file, err);

        return r < 0 ? r : prepare_file("--metadata-file", options->metadata_file, err);
}

/* In full; a repository that was pushed to by digest stays one. */
static void add_full_names(char *const *tags, bool by_digest, char ***names) {
        for (; tags && *tags; tags++) {
                _cleanup_(reference_done) Reference reference = {};
                _cleanup_free_ char *full = NULL;

                if (reference_parse(*tags, &reference, NULL) < 0)
                        continue; /* it was checked before the build */
                if (!by_digest)
                        reference_default_tag(&reference);
                full = reference_full(&reference);
                if (!strv_has(*names, full))
                        strv_take(names, TAKE_PTR(full));
        }
}

/* Those that the build gave. */
static char *all_names(char *const *tags, const BuildOutputs *outputs) {
        _cleanup_strv_ char **names = NULL;

        add_full_names(tags, false, &names);
        for (size_t i = 0; i < outputs->count; i++) {
                const OutputSpec *spec = &outputs->list[i].spec;

                add_full_names(spec->names, spec->push && spec->by_digest, &names);
        }
        return strv_join(names, ",");
}

static void add_text(json_object *document, const char *key, const char *value) {
        if (!str_empty(value))
                (void)json_object_object_add(document, key, json_object_new_string(value));
}

static void gather(const JsonArray *list, const char *of, Pairs *ret) {
        const BuildAnnotation *annotations = list->items;

        for (size_t i = 0; i < list->count; i++)
                if (str_equal(annotations[i].of, of))
                        pairs_put(ret, annotations[i].key, annotations[i].value);
}

/* What BuildKit says there, too: annotations of the descriptor that names what was pushed last. */
static void add_annotations(const Build *build, bool is_index, json_object *descriptor) {
        const char *of = is_index ? "index-descriptor" : "manifest-descriptor";
        const BuildOutput *last = NULL;
        Pairs annotations = {};

        for (size_t i = 0; i < build->outputs.count; i++)
                if (build->outputs.list[i].spec.push)
                        last = &build->outputs.list[i];
        gather(&build->document.annotations, of, &annotations);
        if (last)
                gather(&last->spec.annotations, of, &annotations);
        if (annotations.count > 0)
                (void)json_object_object_add(descriptor, "annotations",
                                             json_write_pairs(&annotations));
        pairs_done(&annotations);
}

static json_object *descriptor_of(const Build *build, bool is_index) {
        const BuildResult *result = &build->result;
        json_object *descriptor = json_object_new_object();

        add_text(descriptor, "mediaType", result->media_type);
        add_text(descriptor, "digest", result->pushed);
        (void)json_object_object_add(descriptor, "size", json_object_new_int64(result->size));
        add_annotations(build, is_index, descriptor);
        return descriptor;
}

/* The digest is the pushed manifest's where there is one; an index has no configuration. */
static json_object *metadata(const Build *build, bool is_index) {
        const BuildResult *result = &build->result;
        json_object *document = json_object_new_object();
        _cleanup_free_ char *names = all_names(build->tags, &build->outputs), *reference = NULL;
        char id[ID_LENGTH + 1];

        id_new(id);
        reference = str_format("default/default/%.25s", id);
        add_text(document, "buildx.build.ref", reference);
        if (!is_index)
                add_text(document, "containerimage.config.digest", result->image);
        if (result->pushed)
                (void)json_object_object_add(document, "containerimage.descriptor",
                                             descriptor_of(build, is_index));
        add_text(document, "containerimage.digest", result->pushed ?: result->image);
        add_text(document, "image.name", names);
        return document;
}

static int write_file(const char *path, const char *text, Error *err) {
        return output_file_write(path, text, strlen(text), 0666, err);
}

int build_files_write(const Build *build, Error *err) {
        const BuildOptions *options = build->options;
        const BuildResult *result = &build->result;
        _cleanup_json_ json_object *document = metadata(build, strv_length(options->platforms) > 1);
        const char *text = json_object_to_json_string_ext(
                document,
                JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE);
        int r = 0;

        if (!str_empty(options->iid_file) && result->image)
                r = write_file(options->iid_file, result->image, err);
        if (r == 0 && !str_empty(options->metadata_file))
                r = write_file(options->metadata_file, text, err);
        return r;
}
