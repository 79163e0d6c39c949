/* manifest-store.c: see manifest-store.h. */
#include "cli/manifest-store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/base64.h"
#include "base/fd.h"
#include "cli/config.h"

#define MANIFEST_MAX ((size_t)16 << 20)
#define OCI_MANIFEST "application/vnd.oci.image.manifest.v1+json"

int manifest_name(const char *text, char **ret_name, Reference *ret, Error *err) {
        Reference reference = {};
        int r = reference_parse(text, &reference, err);

        if (r < 0)
                return r;
        reference_default_tag(&reference);
        if (reference.digest) {
                _cleanup_free_ char *repository = reference_repository(&reference);

                *ret_name = str_format("%s@%s", repository, reference.digest);
        } else {
                *ret_name = reference_full(&reference);
        }
        if (ret)
                *ret = reference;
        else
                reference_done(&reference);
        return 0;
}

/* ---- files ---- */

/* As Docker names them. */
static char *file_name(const char *name) {
        char *text = str_copy(name);

        for (char *c = text; *c; c++) {
                if (*c == ':')
                        *c = '-';
                if (*c == '/')
                        *c = '_';
        }
        return text;
}

static char *list_path(const Cli *cli, const char *list) {
        _cleanup_free_ char *directory = config_directory(cli), *name = file_name(list);

        return str_format("%s/manifests/%s", directory, name);
}

static int read_file(const char *path, json_object **ret, Error *err) {
        _cleanup_free_ char *text = NULL;
        size_t length = 0;
        int r = file_read_at(AT_FDCWD, path, MANIFEST_MAX, &text, &length, err);

        if (r == 0)
                r = json_parse_any(text, length, ret, err);
        return r < 0 && r != -ENOENT ? error_prefix(err, "%s", path) : r;
}

int manifest_load(const Cli *cli, const char *list, const char *name, json_object **ret,
                  Error *err) {
        _cleanup_free_ char *directory = list_path(cli, list), *file = file_name(name);
        _cleanup_free_ char *path = str_format("%s/%s", directory, file);
        int r = read_file(path, ret, err);

        return r == -ENOENT ? error_kind(err, ERROR_NOT_FOUND, "No such manifest: %s", name) : r;
}

int manifest_save(const Cli *cli, const char *list, const char *name, json_object *manifest,
                  Error *err) {
        _cleanup_free_ char *directory = list_path(cli, list), *file = file_name(name);
        _cleanup_free_ char *path = str_format("%s/%s", directory, file);
        const char *text = json_object_to_json_string_ext(
                manifest, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
        int r = dir_make_at(AT_FDCWD, directory, 0755, err);

        return r < 0 ? r : file_replace_at(AT_FDCWD, path, text, strlen(text), 0644, false, err);
}

bool manifest_list_exists(const Cli *cli, const char *list) {
        _cleanup_free_ char *path = list_path(cli, list);
        struct stat st;

        return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int visible(const struct dirent *entry) {
        return entry->d_name[0] != '.';
}

static int read_all(const char *directory, struct dirent **entries, int count, json_object *all,
                    Error *err) {
        for (int i = 0; i < count; i++) {
                _cleanup_free_ char *path = str_format("%s/%s", directory, entries[i]->d_name);
                json_object *manifest = NULL;
                int r = read_file(path, &manifest, err);

                if (r < 0)
                        return r;
                (void)json_object_array_add(all, manifest);
        }
        return 0;
}

int manifest_load_all(const Cli *cli, const char *list, json_object **ret, Error *err) {
        _cleanup_free_ char *directory = list_path(cli, list);
        _cleanup_json_ json_object *all = json_object_new_array();
        struct dirent **entries = NULL;
        int count = scandir(directory, &entries, visible, alphasort), r;

        if (count < 0 && errno == ENOENT)
                return error_kind(err, ERROR_NOT_FOUND, "No such manifest: %s", list);
        if (count < 0)
                return error_set(err, errno, "read %s", directory);
        r = read_all(directory, entries, count, all, err);
        for (int i = 0; i < count; i++)
                free(entries[i]);
        free(entries);
        if (r == 0)
                *ret = TAKE_PTR(all);
        return r;
}

int manifest_drop(const Cli *cli, const char *list, Error *err) {
        _cleanup_free_ char *path = list_path(cli, list);

        if (!manifest_list_exists(cli, list))
                return error_kind(err, ERROR_NOT_FOUND, "No such manifest: %s", list);
        return dir_remove_at(AT_FDCWD, path, err);
}

/* ---- forms ---- */

json_object *manifest_of_answer(json_object *answer) {
        json_object *manifest = json_object_new_object(), *descriptor = NULL, *document = NULL;
        const char *raw = json_words(answer, "Raw");
        _cleanup_free_ char *encoded = base64_encode(raw, strlen(raw));
        bool oci;

        descriptor = json_member(answer, "Descriptor");
        oci = str_equal(json_words(descriptor, "mediaType"), OCI_MANIFEST);
        (void)json_object_object_add(manifest, "Ref", json_object_get(json_member(answer, "Ref")));
        (void)json_object_object_add(manifest, "Descriptor", json_object_get(descriptor));
        (void)json_object_object_add(manifest, "Raw", json_object_new_string(encoded));
        if (json_parse_any(raw, strlen(raw), &document, NULL) == 0)
                (void)json_object_object_add(manifest, oci ? "OCIManifest" : "SchemaV2Manifest",
                                             document);
        return manifest;
}

static void break_line(Buf *out, const char *unit, unsigned depth) {
        buf_add_char(out, '\n');
        for (unsigned i = 0; i < depth; i++)
                buf_add_str(out, unit);
}

/* From its quote to its other one. What steers a terminal, which strict JSON has not, as JSON
 * writes it. */
static const char *add_string(Buf *out, const char *text) {
        const char *end = text + 1;

        while (*end && *end != '"')
                end += *end == '\\' && end[1] ? 2 : 1;
        end += *end == '"';
        for (; text < end; text++)
                if ((unsigned char)*text < ' ' || *text == 0x7f)
                        buf_format(out, "\\u%04x", (unsigned)*text);
                else
                        buf_add_char(out, *text);
        return end;
}

void json_add_reindented(Buf *out, const char *text, const char *unit) {
        unsigned depth = 0;
        bool opened = false; /* a bracket, of which is not known yet whether it is empty */

        for (const char *c = text; *c;) {
                if (strchr(" \t\r\n", *c)) {
                        c++;
                        continue;
                }
                if (opened && *c != '}' && *c != ']')
                        break_line(out, unit, ++depth);
                if (*c == '"') {
                        opened = false;
                        c = add_string(out, c);
                        continue;
                }
                if ((*c == '}' || *c == ']') && !opened && depth > 0)
                        break_line(out, unit, --depth);
                buf_add_char(out, *c);
                opened = *c == '{' || *c == '[';
                if (*c == ',')
                        break_line(out, unit, depth);
                if (*c == ':')
                        buf_add_char(out, ' ');
                c++;
        }
}
