/* context-transfer.c: context export and import: a context as docker's archive, with its keys. The
 * archive's form is context-archive.c's, what is kept where context-store.c's. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/commands.h"
#include "cli/context-archive.h"
#include "cli/context-store.h"
#include "format/tar.h"

/* ---- export ---- */

static void put_entry(Buf *tar, const char *name, char type, unsigned mode, const void *bytes,
                      size_t length) {
        static const char zeros[TAR_BLOCK];
        const TarHeader header = { .name = name, .type = type, .mode = mode, .size = length };
        unsigned char block[TAR_BLOCK];

        tar_header(&header, block);
        buf_add(tar, block, sizeof(block));
        buf_add(tar, bytes, length);
        buf_add(tar, zeros, (TAR_BLOCK - length % TAR_BLOCK) % TAR_BLOCK);
}

static int put_pem(Buf *tar, const char *path, const char *name, Error *err) {
        _cleanup_free_ char *entry = str_format("tls/docker/%s", name), *text = NULL;
        size_t length;
        int r = file_read_at(AT_FDCWD, path, CONTEXT_ARCHIVE_MAX, &text, &length, err);

        if (r == 0)
                put_entry(tar, entry, '0', 0600, text, length);
        return r;
}

static int put_pems(Buf *tar, const Context *context, Error *err) {
        const char *const files[] = { context->ca, context->cert, context->key };
        static const char *const names[] = { "ca.pem", "cert.pem", "key.pem" };
        bool any = false;
        int r = 0;

        put_entry(tar, "tls", '5', 0700, NULL, 0);
        for (size_t i = 0; r == 0 && i < ELEMENTS(files); i++) {
                if (files[i] && !any)
                        put_entry(tar, "tls/docker", '5', 0700, NULL, 0);
                any |= files[i] != NULL;
                if (files[i])
                        r = put_pem(tar, files[i], names[i], err);
        }
        return r;
}

/* The entries and their order are docker's. */
static int pack(Cli *cli, const char *name, Buf *tar, Error *err) {
        static const char end[2 * TAR_BLOCK];
        _cleanup_(context_done) Context context = { 0 };
        _cleanup_json_ json_object *document = NULL;
        const char *text;
        int r = context_find(cli, name, &context, err);

        if (r < 0)
                return r;
        document =
                context.document ? json_object_get(context.document) : context_document(&context);
        text = json_object_to_json_string_ext(document, JSON_C_TO_STRING_PLAIN |
                                                                JSON_C_TO_STRING_NOSLASHESCAPE);
        put_entry(tar, "meta.json", '0', 0644, text, strlen(text));
        r = put_pems(tar, &context, err);
        buf_add(tar, end, sizeof(end));
        return r;
}

/* The file has keys in it, so it is its owner's alone, and takes no other's place. */
static int write_file(const char *path, const Buf *tar, Error *err) {
        _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        int r;

        if (fd < 0)
                return error_set(err, errno, "open %s", path);
        r = fd_write_full(fd, tar->data, tar->length);
        if (r < 0) {
                (void)unlink(path);
                return error_set(err, -r, "write '%s'", path);
        }
        (void)fprintf(stderr, "Written file \"%s\"\n", path);
        return 0;
}

static int run_export(Cli *cli, const Options *options, Error *err) {
        const char *name = options->arguments[0], *given = options->arguments[1];
        _cleanup_free_ char *usual = str_format("%s.dockercontext", name);
        const char *path = given ?: usual;
        _cleanup_buf_ Buf tar = { 0 };
        bool out = str_equal(path, "-");
        int r;

        if (out && isatty(STDOUT_FILENO))
                return error_kind(err, ERROR_INVALID,
                                  "cowardly refusing to export to a terminal, specify a file "
                                  "path");
        r = pack(cli, name, &tar, err);
        if (r < 0)
                return r;
        if (!out)
                return write_file(path, &tar, err);
        r = fd_write_full(STDOUT_FILENO, tar.data, tar.length);
        return r < 0 ? error_set(err, -r, "write to standard output") : 0;
}

const Command context_export_command = {
        "CONTEXT [FILE|-]",
        "Export a context to a tar archive FILE or a tar stream on STDOUT.",
        {},
        run_export,
        1,
        2
};

/* ---- import ---- */

typedef struct Import {
        const Cli *cli;
        const char *name;
        json_object *document;
} Import;

/* The first pass: whether all of it is what it should be. */
static int check_file(void *data, const char *path, const void *bytes, size_t length, Error *err) {
        Import *import = data;
        _cleanup_free_ char *text = NULL;
        int r;

        if (!str_equal(path, "meta.json"))
                return 0;
        text = str_copy_n(bytes, length);
        r = json_parse_any(text, strlen(text), &import->document, err);
        if (r == 0 && !json_object_is_type(import->document, json_type_object))
                r = error_kind(err, ERROR_INVALID, "it is no JSON object");
        return r < 0 ? error_prefix(err, "meta.json") : 0;
}

/* The second: its keys, before it is there. */
static int keep_file(void *data, const char *path, const void *bytes, size_t length, Error *err) {
        const Import *import = data;
        const char *names = str_after(path, "tls/");

        return names ? context_write_tls(import->cli, import->name, names, bytes, length, err) : 0;
}

static int unpack(Import *import, const Buf *archive, Error *err) {
        int r = context_archive_read(archive->data, archive->length, check_file, import, err);

        if (r < 0)
                return r;
        /* Of what an import that was interrupted left. */
        r = context_remove(import->cli, import->name, err);
        if (r == 0)
                r = context_archive_read(archive->data, archive->length, keep_file, import, err);
        if (r == 0)
                r = context_write_document(import->cli, import->name, import->document, err);
        if (r < 0)
                (void)context_remove(import->cli, import->name, NULL);
        return r;
}

static int read_archive(const char *path, Buf *ret, Error *err) {
        bool input = str_equal(path, "-");
        _cleanup_close_ int fd = input ? -1 : open(path, O_RDONLY | O_CLOEXEC);
        int r;

        if (!input && fd < 0)
                return error_set(err, errno, "open %s", path);
        r = fd_read_all(input ? STDIN_FILENO : fd, CONTEXT_ARCHIVE_MAX, ret);
        if (r == -EFBIG)
                return error_kind(err, ERROR_INVALID,
                                  "read exceeds the defined limit: an archive of a context has "
                                  "at most 10 MiB");
        return r < 0 ? error_set(err, -r, "read '%s'", path) : 0;
}

static int run_import(Cli *cli, const Options *options, Error *err) {
        Import import = { .cli = cli, .name = options->arguments[0] };
        _cleanup_buf_ Buf archive = { 0 };
        int r = context_new_check(cli, import.name, err);

        if (r == 0)
                r = read_archive(options->arguments[1], &archive, err);
        if (r == 0)
                r = unpack(&import, &archive, err);
        (void)json_object_put(import.document);
        if (r < 0)
                return r;
        (void)printf("%s\n", import.name);
        (void)fflush(stdout);
        (void)fprintf(stderr, "Successfully imported context \"%s\"\n", import.name);
        return 0;
}

const Command context_import_command = {
        "CONTEXT FILE|-", "Import a context from a tar or zip file", {}, run_import, 2, 2
};
