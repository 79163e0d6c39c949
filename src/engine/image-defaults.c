/* image-defaults.c: what a container takes from its image's run configuration, by the rules of
 * `docker run`: what the request gives wins, lists of names are merged. */
#include "engine/create-parts.h"
#include "engine/health.h"

static void merge_env(ContainerConfig *config, char *const *image_env) {
        for (char *const *entry = image_env; entry && *entry; entry++) {
                _cleanup_free_ char *name = str_copy_n(*entry, strcspn(*entry, "="));

                if (!env_get(config->env, name) && !strv_has(config->env, name))
                        strv_add(&config->env, *entry);
        }
}

static void merge_set(char ***set, char *const *image_set) {
        for (char *const *entry = image_set; entry && *entry; entry++)
                if (!strv_has(*set, *entry))
                        strv_add(set, *entry);
}

/* "80" and "80/tcp" are the same port. */
static void merge_ports(char ***ports, char *const *image_ports) {
        for (char *const *port = image_ports; port && *port; port++) {
                _cleanup_free_ char *full =
                        strchr(*port, '/') ? str_copy(*port) : str_format("%s/tcp", *port);

                if (!strv_has(*ports, *port) && !strv_has(*ports, full))
                        strv_add(ports, full);
        }
}

static void merge_labels(Pairs *labels, const Pairs *image_labels) {
        for (size_t i = 0; i < image_labels->count; i++)
                if (!pairs_get(labels, image_labels->items[i].key))
                        pairs_put(labels, image_labels->items[i].key, image_labels->items[i].value);
}

static void merge_text(char **text, const char *image_text) {
        if (str_empty(*text) && !str_empty(image_text))
                str_replace(text, image_text);
}

/* An entrypoint that was given takes the image's command away. */
static void merge_command(ContainerConfig *config, const ImageRunConfig *image) {
        if (strv_length(config->entrypoint) > 0) {
                /* [""]: neither the image's nor another. */
                if (strv_length(config->entrypoint) == 1 && str_empty(config->entrypoint[0])) {
                        config->entrypoint = strv_free(config->entrypoint);
                        config->has_entrypoint = false;
                }
                return;
        }
        if (strv_length(config->cmd) == 0) {
                config->cmd = strv_free(config->cmd);
                config->cmd = strv_copy(image->cmd);
                config->has_cmd = image->cmd != NULL;
                config->args_escaped = image->args_escaped;
        }
        if (!config->has_entrypoint) {
                config->entrypoint = strv_copy(image->entrypoint);
                config->has_entrypoint = image->entrypoint != NULL;
        }
}

static void set_path_and_args(Container *container) {
        const ContainerConfig *config = &container->spec.config;
        _cleanup_strv_ char **words =
                strv_length(config->entrypoint) > 0 ? strv_copy(config->entrypoint) : NULL;

        for (char **word = config->cmd; word && *word; word++)
                strv_add(&words, *word);
        str_replace(&container->path, words ? words[0] : NULL);
        container->args = strv_free(container->args);
        for (char **word = words ? words + 1 : NULL; word && *word; word++)
                strv_add(&container->args, *word);
}

int image_defaults_merge(Container *container, const Image *image, Error *err) {
        ContainerConfig *config = &container->spec.config;
        const ImageRunConfig *defaults = &image->config.config;

        merge_text(&config->user, defaults->user);
        merge_text(&config->working_dir, defaults->working_dir);
        merge_text(&config->stop_signal, defaults->stop_signal);
        merge_ports(&config->exposed_ports, defaults->exposed_ports);
        merge_set(&config->volumes, defaults->volumes);
        merge_env(config, defaults->env);
        merge_labels(&config->labels, &defaults->labels);
        merge_command(config, defaults);
        if (!config->shell)
                config->shell = strv_copy(defaults->shell);
        health_config_inherit(&config->health, defaults->health);
        set_path_and_args(container);
        if (!container->path)
                return error_kind(err, ERROR_INVALID, "No command specified");
        if (!str_empty(config->working_dir) && config->working_dir[0] != '/')
                return error_kind(err, ERROR_INVALID,
                                  "the working directory '%s' is invalid, it needs to be an "
                                  "absolute path",
                                  config->working_dir);
        return 0;
}
