/* config.c: see config.h. */
#include "cli/config.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/specs.h"

#define CONFIG_MAX (1u << 20)

char *config_directory(const Cli *cli) {
        const char *directory = cli->config_dir ?: getenv("DOCKER_CONFIG");
        const char *home = getenv("HOME");

        if (!str_empty(directory))
                return str_copy(directory);
        return str_format("%s/.docker", home ?: "");
}

char *config_path(const Cli *cli) {
        _cleanup_free_ char *directory = config_directory(cli);

        return str_format("%s/config.json", directory);
}

json_object *config_get(Cli *cli) {
        _cleanup_free_ char *path = NULL, *text = NULL;
        size_t length;
        Error err = {};

        if (cli->config_read)
                return cli->config;
        cli->config_read = true;
        path = config_path(cli);
        if (file_read_at(AT_FDCWD, path, CONFIG_MAX, &text, &length, &err) == -ENOENT)
                return NULL;
        if (!text || json_parse_any(text, length, &cli->config, &err) < 0)
                (void)fprintf(stderr, "WARNING: Error loading config file: %s: %s\n", path,
                              err.message);
        return cli->config;
}

const char *config_string(Cli *cli, const char *name) {
        return json_member_string(config_get(cli), name);
}

/* ---- proxies ---- */

void config_proxies(Cli *cli, char *const *given, char ***list) {
        static const struct {
                const char *member, *names[2];
        } rows[] = {
                { "httpProxy", { "HTTP_PROXY", "http_proxy" } },
                { "httpsProxy", { "HTTPS_PROXY", "https_proxy" } },
                { "ftpProxy", { "FTP_PROXY", "ftp_proxy" } },
                { "noProxy", { "NO_PROXY", "no_proxy" } },
                { "allProxy", { "ALL_PROXY", "all_proxy" } },
        };
        json_object *daemons = json_member(config_get(cli), "proxies");
        json_object *proxies = json_member(daemons, cli->host) ?: json_member(daemons, "default");

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                const char *value = json_member_string(proxies, rows[i].member);

                for (size_t k = 0; !str_empty(value) && k < ELEMENTS(rows[i].names); k++)
                        if (!words_name(given, rows[i].names[k]) &&
                            !words_name(*list, rows[i].names[k]))
                                strv_format(list, "%s=%s", rows[i].names[k], value);
        }
}

/* ---- writing ---- */

/* What is there must have been understood, or it would be lost. */
static int config_check(Cli *cli, const char *path, Error *err) {
        if (config_get(cli) || (access(path, F_OK) < 0 && errno == ENOENT))
                return 0;
        return error_kind(err, ERROR_INVALID,
                          "%s cannot be read as JSON: repair or remove it, it is not overwritten",
                          path);
}

int config_edit(Cli *cli, json_object **ret, Error *err) {
        _cleanup_free_ char *path = config_path(cli);
        int r = config_check(cli, path, err);

        if (r < 0)
                return r;
        if (!cli->config)
                cli->config = json_object_new_object();
        if (!json_object_is_type(cli->config, json_type_object))
                return error_kind(err, ERROR_INVALID, "%s is no JSON object", path);
        *ret = cli->config;
        return 0;
}

int config_write(Cli *cli, Error *err) {
        _cleanup_free_ char *directory = config_directory(cli), *path = config_path(cli),
                            *target = NULL;
        const char *text = json_object_to_json_string_ext(
                cli->config, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_PRETTY_TAB |
                                     JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE);
        int r = dir_make_at(AT_FDCWD, directory, 0700, err);

        if (r < 0)
                return r;
        target = realpath(path, NULL); /* a link stays one */
        return file_replace_at(AT_FDCWD, target ?: path, text, strlen(text), 0600, true, err);
}
