/* hosts.c: see hosts.h. */
#include "image/hosts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>

#include "base/fd.h"
#include "base/str.h"
#include "format/toml.h"

#define FILE_NAME "hosts.toml"
#define FILE_MAX ((size_t)1 << 20)
#define HUB "docker.io"

typedef struct HostsFile {
        const char *directory, *registry;
        Endpoint *endpoint; /* the one that is being set */
} HostsFile;

static int wrong(const TomlNode *node, Error *err, const char *what) {
        return error_kind(err, ERROR_INVALID, "line %u: '%.80s' %s", node->line,
                          node->key ? node->key : "", what);
}

static int need(const TomlNode *node, TomlType type, Error *err) {
        if (node->type == type)
                return 0;
        return error_kind(err, ERROR_INVALID, "line %u: '%.80s' must be %s, not %s", node->line,
                          node->key ? node->key : "", toml_type_text(type),
                          toml_type_text(node->type));
}

/* A string, or an array of strings. */
static int read_words(const TomlNode *node, char ***ret, Error *err) {
        if (node->type == TOML_STRING) {
                strv_add(ret, node->text);
                return 0;
        }
        if (node->type != TOML_ARRAY)
                return wrong(node, err, "must be a string or an array of strings");
        for (size_t i = 0; i < node->count; i++) {
                if (node->items[i]->type != TOML_STRING)
                        return wrong(node, err, "must be an array of strings");
                strv_add(ret, node->items[i]->text);
        }
        return 0;
}

static char *path_in(const HostsFile *file, const char *path) {
        return *path == '/' ? str_copy(path) : str_format("%s/%s", file->directory, path);
}

/* ---- settings ---- */

static int set_capabilities(HostsFile *file, const TomlNode *node, Error *err) {
        static const struct {
                const char *word;
                unsigned can;
        } words[] = { { "pull", HOST_PULL }, { "resolve", HOST_RESOLVE }, { "push", HOST_PUSH } };
        _cleanup_strv_ char **list = NULL;
        int r = need(node, TOML_ARRAY, err);

        if (r == 0)
                r = read_words(node, &list, err);
        if (r < 0)
                return r;
        file->endpoint->can = 0;
        for (size_t i = 0; list && list[i]; i++) {
                unsigned can = 0;

                for (size_t j = 0; j < ELEMENTS(words); j++)
                        if (strcasecmp(list[i], words[j].word) == 0)
                                can = words[j].can;
                if (!can)
                        return error_kind(err, ERROR_INVALID,
                                          "line %u: there is no capability '%.80s': give pull, "
                                          "resolve, push",
                                          node->line, list[i]);
                file->endpoint->can |= can;
        }
        return 0;
}

/* Appends the file's certificates to the endpoint's authorities. */
static int add_authority(Endpoint *endpoint, const char *path, Error *err) {
        _cleanup_free_ char *text = NULL, *all = NULL;
        int r = file_read_at(AT_FDCWD, path, FILE_MAX, &text, NULL, err);

        if (r < 0)
                return r;
        if (!strstr(text, "-----BEGIN CERTIFICATE-----"))
                return error_kind(err, ERROR_INVALID, "'%s' holds no certificate in PEM", path);
        all = str_format("%s%s\n", endpoint->authorities ?: "", text);
        str_replace(&endpoint->authorities, all);
        return 0;
}

static int set_ca(HostsFile *file, const TomlNode *node, Error *err) {
        _cleanup_strv_ char **list = NULL;
        int r = read_words(node, &list, err);

        for (size_t i = 0; r == 0 && list && list[i]; i++) {
                _cleanup_free_ char *path = path_in(file, list[i]);

                r = add_authority(file->endpoint, path, err);
                if (r < 0)
                        r = error_prefix(err, "line %u", node->line);
        }
        return r;
}

/* "both.pem", ["cert.pem", "key.pem"], or containerd's array of such. */
static int set_client(HostsFile *file, const TomlNode *node, Error *err) {
        _cleanup_strv_ char **pair = NULL;
        const TomlNode *inner = node;
        size_t count;
        int r;

        if (node->type == TOML_ARRAY && node->count > 0 && node->items[0]->type == TOML_ARRAY)
                inner = node->items[0];
        if (inner != node && node->count > 1)
                return wrong(node, err, "has several certificates: brig shows one to a host");
        r = read_words(inner, &pair, err);
        if (r < 0)
                return r;
        count = strv_length(pair);
        if (count < 1 || count > 2 || (inner == node && node->type == TOML_ARRAY && count == 1))
                return wrong(node, err,
                             "must be a file of certificate and key, or a pair of such files");
        free(file->endpoint->certificate);
        free(file->endpoint->key);
        file->endpoint->certificate = path_in(file, pair[0]);
        file->endpoint->key = path_in(file, pair[count - 1]);
        return 0;
}

static int set_skip_verify(HostsFile *file, const TomlNode *node, Error *err) {
        int r = need(node, TOML_BOOL, err);

        if (r == 0 && node->truth)
                file->endpoint->insecure = true;
        return r;
}

static bool is_header_name(const char *name) {
        return *name && !name[strspn(name, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                                           "ABCDEFGHIJKLMNOPQRSTUVWXYZ")];
}

static int set_header(HostsFile *file, const TomlNode *node, Error *err) {
        int r = need(node, TOML_TABLE, err);

        for (size_t i = 0; r == 0 && i < node->count; i++) {
                const TomlNode *item = node->items[i];
                _cleanup_strv_ char **values = NULL;

                if (!is_header_name(item->key))
                        return wrong(item, err, "is no name of a header");
                r = read_words(item, &values, err);
                for (size_t j = 0; r == 0 && values && values[j]; j++) {
                        if (strpbrk(values[j], "\r\n"))
                                return wrong(item, err, "has a value of several lines");
                        strv_format(&file->endpoint->headers, "%s: %s", item->key, values[j]);
                }
        }
        return r;
}

/* The path is done when all of the table has been read. */
static int set_override_path(HostsFile *file, const TomlNode *node, Error *err) {
        return need(node, TOML_BOOL, err);
}

static const struct {
        const char *key;
        int (*set)(HostsFile *file, const TomlNode *node, Error *err);
} settings[] = {
        { "capabilities", set_capabilities },
        { "ca", set_ca },
        { "client", set_client },
        { "skip_verify", set_skip_verify },
        { "header", set_header },
        { "override_path", set_override_path },
};

static int set_one(HostsFile *file, const TomlNode *node, Error *err) {
        for (size_t i = 0; i < ELEMENTS(settings); i++)
                if (str_equal(settings[i].key, node->key))
                        return settings[i].set(file, node, err);
        return wrong(node, err, "is no setting of a host that brig knows");
}

/* ---- hosts ---- */

/* Unless it says override_path, the API is below /v2 of what it says. */
static void finish_path(Endpoint *endpoint, bool overridden) {
        char *path;

        if (overridden || str_ends(endpoint->path, "/v2"))
                return;
        path = str_format("%s/v2", endpoint->path);
        free(endpoint->path);
        endpoint->path = path;
}

/* "localhost:5000/v2", and not "localhost.example". */
static bool is_loopback_name(const char *address) {
        _cleanup_free_ char *host = str_copy_n(address, strcspn(address, "/"));

        return registry_is_insecure(host, NULL);
}

static int add_host(HostsFile *file, const TomlNode *node, const char *address,
                    Endpoint **endpoints, size_t *count, Error *err) {
        bool tls = str_after(address, "https://"), plain = str_after(address, "http://");
        _cleanup_free_ char *url =
                tls || plain ? str_copy(address)
                             : str_format("%s://%s", is_loopback_name(address) ? "http" : "https",
                                          address);
        const char *host = strstr(url, "://") + 3;

        if (!*host || *host == '/' || strpbrk(url, "?# @\"\\") ||
            (!tls && !plain && strstr(address, "://")))
                return error_kind(err, ERROR_INVALID,
                                  "line %u: '%.200s' is no address of a host: give "
                                  "https://host[:port][/path]",
                                  node->line, address);
        file->endpoint = endpoint_add(endpoints, count, url);
        host = strstr(file->endpoint->url, "://") + 3;
        file->endpoint->lists_namespace =
                !str_equal(host, file->registry) &&
                !(str_equal(file->registry, HUB) && str_equal(host, "registry-1.docker.io"));
        return 0;
}

/* members: of the host's table, or of the file's root, where they are the server's. */
static int set_all(HostsFile *file, const TomlNode *members, bool root, Error *err) {
        const TomlNode *overridden = toml_get(members, "override_path");
        int r = 0;

        for (size_t i = 0; r == 0 && i < members->count; i++) {
                const char *key = members->items[i]->key;

                if (!root || (!str_equal(key, "server") && !str_equal(key, "host")))
                        r = set_one(file, members->items[i], err);
        }
        if (r == 0)
                finish_path(file->endpoint, overridden && overridden->truth);
        return r;
}

/* A mirror gets what is pushed only where its capabilities say so. */
static int read_mirror(HostsFile *file, const TomlNode *node, Endpoint **endpoints, size_t *count,
                       Error *err) {
        int r = need(node, TOML_TABLE, err);

        if (r == 0)
                r = add_host(file, node, node->key, endpoints, count, err);
        if (r < 0)
                return r;
        file->endpoint->mirror = true;
        file->endpoint->can = HOST_PULL | HOST_RESOLVE;
        return set_all(file, node, false, err);
}

static int read_server(HostsFile *file, const TomlNode *root, char *const *insecure,
                       Endpoint **endpoints, size_t *count, Error *err) {
        const TomlNode *server = toml_get(root, "server");
        size_t first = *count;
        int r = server ? need(server, TOML_STRING, err) : 0;

        if (r == 0 && server)
                r = add_host(file, server, server->text, endpoints, count, err);
        else if (r == 0)
                endpoints_own(file->registry, insecure, endpoints, count);
        for (size_t i = first; r == 0 && i < *count; i++) {
                file->endpoint = &(*endpoints)[i];
                r = set_all(file, root, true, err);
        }
        return r;
}

int hosts_parse(const char *text, size_t length, const char *directory, const char *registry,
                char *const *insecure, Endpoint **endpoints, size_t *count, Error *err) {
        HostsFile file = { .directory = directory, .registry = registry };
        _cleanup_(toml_freep) TomlNode *root = NULL;
        const TomlNode *hosts;
        int r = toml_parse(text, length, &root, err);

        if (r < 0)
                return r;
        hosts = toml_get(root, "host");
        if (hosts)
                r = need(hosts, TOML_TABLE, err);
        for (size_t i = 0; r == 0 && hosts && i < hosts->count; i++)
                r = read_mirror(&file, hosts->items[i], endpoints, count, err);
        return r < 0 ? r : read_server(&file, root, insecure, endpoints, count, err);
}

/* ---- files ---- */

/* The name of the registry's directory: 0 as it is, 1 as containerd has it where a colon is not
 * allowed, 2 that of all others; NULL: no more. */
static char *directory_name(const char *registry, int which) {
        const char *colon = strrchr(registry, ':');

        if (which == 0)
                return str_copy(registry);
        if (which == 1 && colon && !strchr(colon, ']'))
                return str_format("%.*s_%s_", (int)(colon - registry), registry, colon + 1);
        return which <= 2 ? str_copy("_default") : NULL;
}

static int read_file(const char *directory, const char *registry, char *const *insecure,
                     Endpoint **endpoints, size_t *count, Error *err) {
        _cleanup_free_ char *path = str_format("%s/" FILE_NAME, directory), *text = NULL;
        size_t length = 0;
        int r = file_read_at(AT_FDCWD, path, FILE_MAX, &text, &length, err);

        if (r == -ENOENT || r == -ENOTDIR)
                return 0;
        if (r < 0)
                return r;
        r = hosts_parse(text, length, directory, registry, insecure, endpoints, count, err);
        return r < 0 ? error_prefix(err, "%s", path) : 1;
}

int hosts_read(char *const *directories, const char *registry, char *const *insecure,
               Endpoint **endpoints, size_t *count, Error *err) {
        /* A name becomes a path: none has a slash, as a reference's domain, nor may it go up. */
        if (!*registry || strchr(registry, '/') || *registry == '.')
                return 0;
        for (size_t i = 0; directories && directories[i]; i++)
                for (int which = 0; which <= 2; which++) {
                        _cleanup_free_ char *name = directory_name(registry, which);
                        _cleanup_free_ char *path = str_format("%s/%s", directories[i], name);
                        int r = read_file(path, registry, insecure, endpoints, count, err);

                        if (r != 0)
                                return r;
                }
        return 0;
}

static int by_name(const void *a, const void *b) {
        return strcmp(*(char *const *)a, *(char *const *)b);
}

/* None where there is no such directory; one that can't be read may have what the registry needs.
 */
static int files_of(const char *directory, char ***ret, Error *err) {
        _cleanup_closedir_ DIR *dir = opendir(directory);
        const struct dirent *entry;

        if (!dir && (errno == ENOENT || errno == ENOTDIR))
                return 0;
        if (!dir)
                return error_set(err, errno, "read the registry's certificates in '%s'", directory);
        while ((entry = readdir(dir)))
                strv_add(ret, entry->d_name);
        if (*ret)
                qsort(*ret, strv_length(*ret), sizeof(char *), by_name);
        return 0;
}

static int take_files(const char *directory, Endpoint *endpoint, Error *err) {
        _cleanup_strv_ char **names = NULL;
        int r = files_of(directory, &names, err);

        for (size_t i = 0; r == 0 && names && names[i]; i++) {
                size_t stem = strlen(names[i]) - MIN(strlen(names[i]), (size_t)5);
                _cleanup_free_ char *path = str_format("%s/%s", directory, names[i]);
                _cleanup_free_ char *key = str_format("%.*s.key", (int)stem, names[i]);

                if (str_ends(names[i], ".crt"))
                        r = add_authority(endpoint, path, err);
                if (!str_ends(names[i], ".cert") || endpoint->certificate)
                        continue;
                if (!strv_has(names, key))
                        return error_kind(err, ERROR_INVALID,
                                          "missing key %s for client certificate %s: Docker's "
                                          "certificates come in pairs of .cert and .key",
                                          key, path);
                endpoint->certificate = TAKE_PTR(path);
                endpoint->key = str_format("%s/%s", directory, key);
        }
        return r;
}

int hosts_certificates(char *const *directories, const char *registry, Endpoint *endpoints,
                       size_t count, Error *err) {
        int r = 0;

        if (!*registry || strchr(registry, '/') || *registry == '.')
                return 0;
        for (size_t i = 0; directories && directories[i]; i++) {
                _cleanup_free_ char *directory = str_format("%s/%s", directories[i], registry);

                for (size_t j = 0; r == 0 && j < count; j++)
                        if (!endpoints[j].mirror)
                                r = take_files(directory, &endpoints[j], err);
        }
        return r;
}
