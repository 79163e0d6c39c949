/* context-store.c: see context-store.h. */
#include "cli/context-store.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/config.h"
#include "format/digest.h"

#define META_MAX ((size_t)1 << 20)
#define PEM_MAX ((size_t)1 << 20)

static const char *const pem_names[] = { "ca.pem", "cert.pem", "key.pem" };

void context_done(Context *context) {
        free(context->name);
        free(context->description);
        free(context->host);
        free(context->ca);
        free(context->cert);
        free(context->key);
        (void)json_object_put(context->document);
        *context = (Context){ 0 };
}

/* ---- names ---- */

int context_name_check(const char *name, Error *err) {
        bool valid = isalnum((unsigned char)*name) && name[1];

        for (const char *c = name; *c; c++)
                valid &= isalnum((unsigned char)*c) || strchr("_.+-", *c);
        if (valid)
                return 0;
        return error_kind(err, ERROR_INVALID,
                          "context name \"%s\" is invalid, names are validated against regexp "
                          "\"^[a-zA-Z0-9][a-zA-Z0-9_.+-]+$\"",
                          name);
}

static char *folder_of(const Cli *cli, const char *what, const char *name) {
        _cleanup_free_ char *directory = config_directory(cli);
        char digest[DIGEST_TEXT_MAX];

        digest_of(name, strlen(name), digest);
        return str_format("%s/contexts/%s/%s", directory, what, digest_hex(digest));
}

char *context_meta_folder(const Cli *cli, const char *name) {
        return folder_of(cli, "meta", name);
}

char *context_tls_folder(const Cli *cli, const char *name) {
        _cleanup_free_ char *folder = folder_of(cli, "tls", name);

        return str_format("%s/docker", folder);
}

static char *meta_path(const Cli *cli, const char *name) {
        _cleanup_free_ char *folder = context_meta_folder(cli, name);

        return str_format("%s/meta.json", folder);
}

bool context_exists(const Cli *cli, const char *name) {
        _cleanup_free_ char *path = meta_path(cli, name);

        return access(path, F_OK) == 0;
}

/* ---- reading ---- */

static char *pem_path(const Cli *cli, const char *name, const char *file) {
        _cleanup_free_ char *folder = context_tls_folder(cli, name);
        _cleanup_free_ char *path = str_format("%s/%s", folder, file);

        return access(path, F_OK) == 0 ? TAKE_PTR(path) : NULL;
}

static int read_document(const char *path, json_object **ret, Error *err) {
        _cleanup_free_ char *text = NULL;
        size_t length;
        int r = file_read_at(AT_FDCWD, path, META_MAX, &text, &length, err);

        return r < 0 ? r : json_parse_any(text, length, ret, err);
}

int context_read(const Cli *cli, const char *name, Context *ret, Error *err) {
        _cleanup_free_ char *path = meta_path(cli, name);
        json_object *endpoint;
        int r = context_name_check(name, err);

        if (r == 0)
                r = read_document(path, &ret->document, err);
        if (r == -ENOENT)
                return error_kind(err, ERROR_NOT_FOUND,
                                  "context \"%s\": context not found: open %s: no such file or "
                                  "directory",
                                  name, path);
        if (r < 0)
                return error_prefix(err, "context \"%s\"", name);
        endpoint = json_member(json_member(ret->document, "Endpoints"), "docker");
        if (str_empty(json_member_string(endpoint, "Host")))
                return error_kind(err, ERROR_INVALID,
                                  "context \"%s\" has no endpoint of docker's: see '%s context "
                                  "inspect %s'",
                                  name, cli->program, name);
        ret->name = str_copy(name);
        ret->description =
                str_copy(json_member_string(json_member(ret->document, "Metadata"), "Description"));
        ret->host = str_copy(json_member_string(endpoint, "Host"));
        ret->skip_verify = json_object_get_boolean(json_member(endpoint, "SkipTLSVerify"));
        ret->ca = pem_path(cli, name, pem_names[0]);
        ret->cert = pem_path(cli, name, pem_names[1]);
        ret->key = pem_path(cli, name, pem_names[2]);
        return 0;
}

static int by_name(const void *a, const void *b) {
        return strcmp(*(char *const *)a, *(char *const *)b);
}

char **context_names(const Cli *cli) {
        _cleanup_free_ char *directory = config_directory(cli);
        _cleanup_free_ char *path = str_format("%s/contexts/meta", directory);
        _cleanup_closedir_ DIR *dir = opendir(path);
        char **names = NULL;

        for (struct dirent *entry; dir && (entry = readdir(dir));) {
                _cleanup_free_ char *file = str_format("%s/%s/meta.json", path, entry->d_name);
                _cleanup_json_ json_object *document = NULL;
                const char *name;

                if (entry->d_name[0] == '.' || read_document(file, &document, NULL) < 0)
                        continue;
                name = json_member_string(document, "Name");
                if (!str_empty(name))
                        strv_add(&names, name);
        }
        if (names)
                qsort(names, strv_length(names), sizeof(*names), by_name);
        return names;
}

/* ---- writing ---- */

json_object *context_metadata(const Context *context) {
        json_object *metadata = json_object_new_object();

        if (!str_empty(context->description))
                (void)json_object_object_add(metadata, "Description",
                                             json_object_new_string(context->description));
        return metadata;
}

json_object *context_endpoints(const Context *context) {
        json_object *endpoints = json_object_new_object(), *endpoint = json_object_new_object();

        (void)json_object_object_add(endpoint, "Host", json_object_new_string(context->host));
        (void)json_object_object_add(endpoint, "SkipTLSVerify",
                                     json_object_new_boolean(context->skip_verify));
        (void)json_object_object_add(endpoints, "docker", endpoint);
        return endpoints;
}

json_object *context_document(const Context *context) {
        json_object *document =
                context->document ? json_object_get(context->document) : json_object_new_object();

        (void)json_object_object_add(document, "Name", json_object_new_string(context->name));
        (void)json_object_object_add(document, "Metadata", context_metadata(context));
        (void)json_object_object_add(document, "Endpoints", context_endpoints(context));
        return document;
}

static int copy_pem(const char *from, const char *folder, const char *name, Error *err) {
        _cleanup_free_ char *path = str_format("%s/%s", folder, name), *text = NULL;
        size_t length;
        int r;

        if (!from) {
                if (unlink(path) < 0 && errno != ENOENT && errno != ENOTDIR)
                        return error_set(err, errno, "remove '%s'", path);
                return 0;
        }
        r = file_read_at(AT_FDCWD, from, PEM_MAX, &text, &length, err);
        if (r == 0)
                r = dir_make_at(AT_FDCWD, folder, 0700, err);
        return r < 0 ? r : file_replace_at(AT_FDCWD, path, text, length, 0600, false, err);
}

static int write_pems(const Cli *cli, const Context *context, Error *err) {
        _cleanup_free_ char *folder = context_tls_folder(cli, context->name);
        const char *const files[] = { context->ca, context->cert, context->key };

        for (size_t i = 0; i < ELEMENTS(files); i++) {
                int r = copy_pem(files[i], folder, pem_names[i], err);

                if (r < 0)
                        return r;
        }
        return 0;
}

int context_write_document(const Cli *cli, const char *name, json_object *document, Error *err) {
        _cleanup_free_ char *folder = context_meta_folder(cli, name);
        _cleanup_free_ char *path = meta_path(cli, name);
        const char *text;
        int r = dir_make_at(AT_FDCWD, folder, 0755, err);

        (void)json_object_object_add(document, "Name", json_object_new_string(name));
        text = json_object_to_json_string_ext(document, JSON_C_TO_STRING_PLAIN |
                                                                JSON_C_TO_STRING_NOSLASHESCAPE);
        return r < 0 ? r : file_replace_at(AT_FDCWD, path, text, strlen(text), 0644, false, err);
}

int context_write_tls(const Cli *cli, const char *name, const char *names, const void *bytes,
                      size_t length, Error *err) {
        _cleanup_free_ char *folder = folder_of(cli, "tls", name);
        _cleanup_free_ char *path = str_format("%s/%s", folder, names);
        _cleanup_free_ char *below = str_copy_n(path, (size_t)(strrchr(path, '/') - path));
        int r = dir_make_at(AT_FDCWD, below, 0700, err);

        return r < 0 ? r : file_replace_at(AT_FDCWD, path, bytes, length, 0600, false, err);
}

int context_write(const Cli *cli, const Context *context, Error *err) {
        _cleanup_json_ json_object *document = context_document(context);
        /* The files first: a context that is there has them. */
        int r = write_pems(cli, context, err);

        return r < 0 ? r : context_write_document(cli, context->name, document, err);
}

int context_remove(const Cli *cli, const char *name, Error *err) {
        _cleanup_free_ char *meta = context_meta_folder(cli, name);
        _cleanup_free_ char *tls = folder_of(cli, "tls", name);
        /* Its keys first: until they are gone it is there, and can be removed again. */
        int r = dir_remove_at(AT_FDCWD, tls, err);

        return r < 0 ? r : dir_remove_at(AT_FDCWD, meta, err);
}
