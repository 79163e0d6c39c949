/* prune.c: container, image, network, volume and system prune: asks first, then has the daemon
 * remove what nothing uses. */
#include "cli/commands.h"
#include "cli/config.h"
#include "cli/values.h"

typedef struct PruneOptions {
        bool all, force, volumes;
        char **filters;
} PruneOptions;

/* ---- what there is to prune ---- */

typedef struct PruneKind {
        const char *path;
        const char *member; /* of the answer */
        const char *title;
        void (*ask)(const PruneOptions *o, char ***filters, char **path); /* NULL: filters alone */
} PruneKind;

static void ask_images(const PruneOptions *o, char ***filters, char **path) {
        (void)path;
        strv_format(filters, "dangling=%s", o->all ? "false" : "true");
}

static void ask_volumes(const PruneOptions *o, char ***filters, char **path) {
        (void)path;
        /* Of system prune, --all is about images. */
        if (o->all && !o->volumes)
                strv_add(filters, "all=true");
}

static void ask_cache(const PruneOptions *o, char ***filters, char **path) {
        (void)filters;
        if (o->all)
                path_query(path, "all", "1");
}

static const PruneKind containers = { "/containers/prune", "ContainersDeleted",
                                      "Deleted Containers:", NULL };
static const PruneKind networks = { "/networks/prune", "NetworksDeleted",
                                    "Deleted Networks:", NULL };
static const PruneKind volumes = { "/volumes/prune", "VolumesDeleted",
                                   "Deleted Volumes:", ask_volumes };
static const PruneKind images = { "/images/prune", "ImagesDeleted", "Deleted Images:", ask_images };
static const PruneKind cache = { "/build/prune", "CachesDeleted",
                                 "Deleted build cache objects:", ask_cache };

/* ---- filters ---- */

/* Those of the command line, then config.json's pruneFilters but for those that say the contrary.
 * The caller's. */
static char **all_filters(Cli *cli, const PruneOptions *o) {
        json_object *own = json_member(config_get(cli), "pruneFilters");
        size_t count =
                json_object_is_type(own, json_type_array) ? json_object_array_length(own) : 0;
        char **filters = strv_copy(o->filters);

        for (size_t i = 0; i < count; i++) {
                const char *text = json_object_get_string(json_object_array_get_idx(own, i));
                const char *with = str_after(text ?: "", "label=");
                const char *without = str_after(text ?: "", "label!=");
                _cleanup_free_ char *contrary = with      ? str_format("label!=%s", with)
                                                : without ? str_format("label=%s", without)
                                                          : NULL;

                if (text && strchr(text, '=') && !(contrary && strv_has(filters, contrary)) &&
                    !strv_has(filters, text))
                        strv_add(&filters, text);
        }
        return filters;
}

static bool has_filter(char *const *filters, const char *key) {
        for (; filters && *filters; filters++) {
                const char *rest = str_after(*filters, key);

                if (rest && *rest == '=')
                        return true;
        }
        return false;
}

/* ---- asking the user ---- */

static bool confirmed(const char *warning) {
        _cleanup_free_ char *line = NULL;
        size_t capacity = 0;

        (void)printf("%sAre you sure you want to continue? [y/N] ", warning);
        (void)fflush(stdout);
        return getline(&line, &capacity, stdin) > 0 && str_equal(str_lower(str_trim(line)), "y");
}

/* ---- asking the daemon ---- */

static void print_item(json_object *item) {
        const char *deleted = json_member_string(item, "Deleted");

        if (json_object_is_type(item, json_type_object))
                (void)printf("%s: %s\n", deleted ? "deleted" : "untagged",
                             deleted ?: json_words(item, "Untagged"));
        else
                (void)printf("%s\n", json_object_get_string(item));
}

static void print_deleted(const PruneKind *kind, json_object *items) {
        size_t count =
                json_object_is_type(items, json_type_array) ? json_object_array_length(items) : 0;

        if (count == 0)
                return;
        (void)printf("%s\n", kind->title);
        for (size_t i = 0; i < count; i++)
                print_item(json_object_array_get_idx(items, i));
        (void)printf("\n");
}

/* Adds to *bytes. */
static int prune(Cli *cli, const PruneKind *kind, const PruneOptions *o, char *const *given,
                 int64_t *bytes, Error *err) {
        _cleanup_strv_ char **filters = strv_copy(given);
        _cleanup_free_ char *path = str_copy(kind->path);
        _cleanup_json_ json_object *answer = NULL;
        int r;

        if (kind->ask)
                kind->ask(o, &filters, &path);
        path_filters(&path, filters);
        r = api_json(cli, "POST", path, NULL, &answer, err);
        if (r < 0)
                return r;
        print_deleted(kind, json_member(answer, kind->member));
        *bytes += json_number(answer, "SpaceReclaimed");
        return 0;
}

static void print_total(int64_t bytes) {
        char text[SIZE_TEXT_MAX];

        (void)printf("Total reclaimed space: %s\n", size_human((double)bytes, 4, text));
}

static int prune_one(Cli *cli, const PruneKind *kind, const PruneOptions *o, const char *warning,
                     Error *err) {
        _cleanup_strv_ char **filters = all_filters(cli, o);
        int64_t bytes = 0;
        int r;

        if (!o->force && !confirmed(warning))
                return 0;
        r = prune(cli, kind, o, filters, &bytes, err);
        if (r == 0 && kind != &networks)
                print_total(bytes);
        return r;
}

/* ---- the commands ---- */

#define FILTER_ROW                                                                                 \
        {                                                                                          \
                "filter", 0, OPTION_FILTER, offsetof(PruneOptions, filters),                       \
                        "Remove only what fits (\"until=24h\", \"label=x\")"                       \
        }
#define FORCE_ROW                                                                                  \
        { "force", 'f', OPTION_BOOL, offsetof(PruneOptions, force), "Do not ask first" }

static const Option prune_rows[] = { FILTER_ROW, FORCE_ROW };

static int run_containers(Cli *cli, const Options *options, Error *err) {
        return prune_one(cli, &containers, options->values,
                         "WARNING! This will remove all stopped containers.\n", err);
}

const Command container_prune_command = { "[OPTIONS]",
                                          "Remove all stopped containers",
                                          { prune_rows, ELEMENTS(prune_rows),
                                            sizeof(PruneOptions) },
                                          run_containers,
                                          0,
                                          0 };

static int run_networks(Cli *cli, const Options *options, Error *err) {
        return prune_one(cli, &networks, options->values,
                         "WARNING! This will remove all custom networks not used by at least one "
                         "container.\n",
                         err);
}

const Command network_prune_command = { "[OPTIONS]",
                                        "Remove all unused networks",
                                        { prune_rows, ELEMENTS(prune_rows), sizeof(PruneOptions) },
                                        run_networks,
                                        0,
                                        0 };

static const Option image_rows[] = {
        { "all", 'a', OPTION_BOOL, offsetof(PruneOptions, all),
          "Remove every unused image, not only those without a name" },
        FILTER_ROW,
        FORCE_ROW,
};

static int run_images(Cli *cli, const Options *options, Error *err) {
        const PruneOptions *o = options->values;

        return prune_one(cli, &images, o,
                         o->all ? "WARNING! This will remove all images without at least one "
                                  "container associated to them.\n"
                                : "WARNING! This will remove all dangling images.\n",
                         err);
}

const Command image_prune_command = { "[OPTIONS]",
                                      "Remove unused images",
                                      { image_rows, ELEMENTS(image_rows), sizeof(PruneOptions) },
                                      run_images,
                                      0,
                                      0 };

static const Option volume_rows[] = {
        { "all", 'a', OPTION_BOOL, offsetof(PruneOptions, all),
          "Remove every unused volume, not only anonymous ones" },
        FILTER_ROW,
        FORCE_ROW,
};

/* A daemon before API 1.42 knows no difference: all of them go. */
static int run_volumes(Cli *cli, const Options *options, Error *err) {
        const PruneOptions *o = options->values;
        int r = cli_connect(cli, err);

        if (r < 0)
                return r;
        if (o->all && !api_at_least(cli, 42))
                return error_kind(err, ERROR_UNSUPPORTED,
                                  "\"--all\" requires API version 1.42, but the Docker daemon API "
                                  "version is %s",
                                  cli->api);
        if (o->all && has_filter(o->filters, "all"))
                return error_kind(
                        err, ERROR_INVALID,
                        "conflicting options: cannot specify both --all and --filter all=1");
        return prune_one(cli, &volumes, o,
                         o->all || !api_at_least(cli, 42)
                                 ? "WARNING! This will remove all local volumes not used by at "
                                   "least one container.\n"
                                 : "WARNING! This will remove anonymous local volumes not used by "
                                   "at least one container.\n",
                         err);
}

const Command volume_prune_command = { "[OPTIONS]",
                                       "Remove unused local volumes",
                                       { volume_rows, ELEMENTS(volume_rows), sizeof(PruneOptions) },
                                       run_volumes,
                                       0,
                                       0 };

/* ---- system prune ---- */

static const Option system_rows[] = {
        { "all", 'a', OPTION_BOOL, offsetof(PruneOptions, all),
          "Remove every unused image, not only those without a name, and all of the build cache" },
        FILTER_ROW,
        FORCE_ROW,
        { "volumes", 0, OPTION_BOOL, offsetof(PruneOptions, volumes),
          "Remove unused anonymous volumes, too" },
};

static int compare_texts(const void *a, const void *b) {
        return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *system_warning(const Cli *cli, const PruneOptions *o, char *const *filters) {
        _cleanup_strv_ char **sorted = strv_copy(filters);
        Buf text = {};

        buf_add_str(&text, "WARNING! This will remove:\n"
                           "  - all stopped containers\n"
                           "  - all networks not used by at least one container\n");
        if (o->volumes)
                buf_format(&text, "  - all %svolumes not used by at least one container\n",
                           api_at_least(cli, 42) ? "anonymous " : "");
        buf_format(&text, "  - all %s\n",
                   o->all ? "images without at least one container associated to them"
                          : "dangling images");
        buf_format(&text, "  - %s build cache\n\n", o->all ? "all" : "unused");
        if (sorted) {
                qsort(sorted, strv_length(sorted), sizeof(*sorted), compare_texts);
                buf_add_str(&text, "  Items to be pruned will be filtered with:\n");
                for (char **filter = sorted; *filter; filter++)
                        buf_format(&text, "  - %s\n", *filter);
                buf_add_char(&text, '\n');
        }
        return buf_take(&text);
}

static int run_system(Cli *cli, const Options *options, Error *err) {
        static const PruneKind *const kinds[] = { &containers, &networks, &volumes, &images,
                                                  &cache };
        const PruneOptions *o = options->values;
        _cleanup_strv_ char **filters = all_filters(cli, o);
        _cleanup_free_ char *warning = NULL;
        int64_t bytes = 0;
        int r = cli_connect(cli, err);

        if (r < 0)
                return r;
        if (o->volumes && has_filter(filters, "until"))
                return error_kind(err, ERROR_INVALID,
                                  "ERROR: The \"until\" filter is not supported with "
                                  "\"--volumes\"");
        warning = system_warning(cli, o, filters);
        if (!o->force && !confirmed(warning))
                return 0;
        for (size_t i = 0; r == 0 && i < ELEMENTS(kinds); i++)
                if (o->volumes || kinds[i] != &volumes)
                        r = prune(cli, kinds[i], o, filters, &bytes, err);
        if (r == 0)
                print_total(bytes);
        return r;
}

const Command system_prune_command = { "[OPTIONS]",
                                       "Remove unused data",
                                       { system_rows, ELEMENTS(system_rows), sizeof(PruneOptions) },
                                       run_system,
                                       0,
                                       0 };
