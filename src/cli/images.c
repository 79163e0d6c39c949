/* images.c: pull, images, rmi, tag and history. */
#include <errno.h>

#include "cli/commands.h"
#include "cli/list.h"
#include "cli/progress.h"
#include "cli/values.h"
#include "format/reference.h"

/* ---- pull ---- */

typedef struct PullOptions {
        bool all, trust, quiet;
        char *platform;
} PullOptions;

static const Option pull_rows[] = {
        { "all-tags", 'a', OPTION_BOOL, offsetof(PullOptions, all),
          "Pull every tag of the repository" },
        { "disable-content-trust", 0, OPTION_BOOL, offsetof(PullOptions, trust),
          "Skip the check of the image's signature", NULL, "true" },
        { "platform", 0, OPTION_STRING, offsetof(PullOptions, platform),
          "Platform of the image, os/architecture" },
        { "quiet", 'q', OPTION_BOOL, offsetof(PullOptions, quiet), "Show the image's name only" },
};

static int run_pull(Cli *cli, const Options *options, Error *err) {
        const PullOptions *o = options->values;
        _cleanup_(reference_done) Reference reference = {};
        _cleanup_free_ char *name = NULL, *full = NULL;
        int r = reference_parse(options->arguments[0], &reference, err);

        if (r < 0)
                return r;
        if (o->all && (reference.tag || reference.digest))
                return error_kind(err, ERROR_INVALID, "tag can't be used with --all-tags/-a");
        if (o->all) {
                name = reference_familiar_repository(&reference);
                full = reference_repository(&reference);
        } else {
                if (!reference.tag && !reference.digest && !o->quiet)
                        (void)printf("Using default tag: latest\n");
                reference_default_tag(&reference);
                name = reference_familiar(&reference);
                full = reference_full(&reference);
        }
        r = image_pull(cli, name, o->platform, stdout, o->quiet, err);
        if (r == 0)
                (void)printf("%s\n", full);
        return r;
}

const Command pull_command = { "[OPTIONS] NAME[:TAG|@DIGEST]",
                               "Download an image from a registry",
                               { pull_rows, ELEMENTS(pull_rows), sizeof(PullOptions) },
                               run_pull,
                               1,
                               1 };

/* ---- images ---- */

typedef struct ImagesOptions {
        bool all, digests, no_trunc, quiet;
        char **filters, *format;
} ImagesOptions;

static const Option images_rows[] = {
        { "all", 'a', OPTION_BOOL, offsetof(ImagesOptions, all), "Show intermediate images, too" },
        { "digests", 0, OPTION_BOOL, offsetof(ImagesOptions, digests), "Show digests" },
        { "filter", 'f', OPTION_FILTER, offsetof(ImagesOptions, filters),
          "Show only what fits (key=value)" },
        { "format", 0, OPTION_STRING, offsetof(ImagesOptions, format),
          "Format: table, json, or a Go template" },
        { "no-trunc", 0, OPTION_BOOL, offsetof(ImagesOptions, no_trunc), "Do not cut the output" },
        { "quiet", 'q', OPTION_BOOL, offsetof(ImagesOptions, quiet), "Show IDs only" },
        { .name = "tree",
          .type = OPTION_BOOL,
          .help = "Show platforms as a tree",
          .flags = OPTION_REFUSED },
};

static const ListColumn image_columns[] = {
        { "ID", "IMAGE ID" },
        { "Repository", "REPOSITORY" },
        { "Tag", "TAG" },
        { "Digest", "DIGEST" },
        { "CreatedSince", "CREATED" },
        { "CreatedAt", "CREATED AT" },
        { "Size", "SIZE" },
        { "Containers", "CONTAINERS" },
        { "VirtualSize", "SIZE" },
        { "SharedSize", "SHARED SIZE" },
        { "UniqueSize", "UNIQUE SIZE" },
};

#define IMAGE_END "\t{{.ID}}\t{{if .CreatedSince }}{{.CreatedSince}}{{else}}N/A{{end}}\t{{.Size}}"
#define IMAGE_TABLE "{{.Repository}}\t{{.Tag}}" IMAGE_END
#define DIGEST_TABLE "{{.Repository}}\t{{.Tag}}\t{{.Digest}}" IMAGE_END

static const ListKind image_kind = {
        "*formatter.imageContext", IMAGE_TABLE, "{{.ID}}", "imagesFormat", NULL, image_columns,
        ELEMENTS(image_columns)
};

static json_object *image_row(json_object *image, const char *repository, const char *tag,
                              const char *digest, bool whole) {
        json_object *row = json_object_new_object();
        const char *id = json_words(image, "Id");
        int64_t created = json_number(image, "Created");
        double size = (double)json_number(image, "Size");
        char text[SIZE_TEXT_MAX];

        row_put(row, "Containers", "N/A");
        row_take(row, "CreatedAt", go_time(created));
        row_take(row, "CreatedSince", created > 0 ? time_ago(created) : str_copy("N/A"));
        row_put(row, "Digest", digest);
        row_take(row, "ID", whole ? str_copy(id) : short_id(id));
        row_put(row, "Repository", repository);
        row_put(row, "SharedSize", "N/A");
        row_put(row, "Size", size_human(size, 3, text));
        row_put(row, "Tag", tag);
        row_put(row, "UniqueSize", "N/A");
        row_put(row, "VirtualSize", size_human(size, 4, text));
        return row;
}

static json_object *element(json_object *array, size_t i) {
        return json_object_is_type(array, json_type_array) && i < json_object_array_length(array)
                       ? json_object_array_get_idx(array, i)
                       : NULL;
}

/* The repository of a text, "<none>" where the API gives that. */
static char *repository_of(const char *text, const char **ret_rest) {
        const char *at = strchr(text, '@');
        const char *end = at ?: strrchr(text, ':');

        if (!end)
                end = text + strlen(text);
        *ret_rest = *end ? end + 1 : "";
        return str_copy_n(text, (size_t)(end - text));
}

/* The digest under which the repository has the image, or "<none>". */
static const char *digest_for(json_object *digests, const char *repository) {
        json_object *text;

        for (size_t i = 0; (text = element(digests, i)); i++) {
                const char *digest;
                _cleanup_free_ char *of = repository_of(json_object_get_string(text), &digest);

                if (str_equal(of, repository))
                        return digest;
        }
        return "<none>";
}

static bool has_tag(json_object *tags, const char *repository) {
        json_object *text;

        for (size_t i = 0; (text = element(tags, i)); i++) {
                const char *tag;
                _cleanup_free_ char *of = repository_of(json_object_get_string(text), &tag);

                if (str_equal(of, repository))
                        return true;
        }
        return false;
}

/* A row for each tag, one for each digest without a tag, or one of <none>. */
static void add_image(List *list, json_object *image, const ImagesOptions *o, bool digests_shown) {
        json_object *tags = json_member(image, "RepoTags");
        json_object *digests = json_member(image, "RepoDigests"), *text;
        const char *of_index = json_words(json_member(image, "Descriptor"), "digest");
        size_t before = list->count;

        for (size_t i = 0; (text = element(tags, i)); i++) {
                const char *tag;
                _cleanup_free_ char *repository = repository_of(json_object_get_string(text), &tag);

                if (!str_equal(repository, "<none>"))
                        list_add(list,
                                 image_row(image, repository, tag,
                                           digests_shown ? digest_for(digests, repository)
                                                         : "<none>",
                                           o->no_trunc),
                                 NULL);
        }
        for (size_t i = 0; (text = element(digests, i)); i++) {
                const char *digest;
                _cleanup_free_ char *repository =
                        repository_of(json_object_get_string(text), &digest);

                if (!str_equal(repository, "<none>") && !has_tag(tags, repository) &&
                    (digests_shown || list->count == before))
                        list_add(list, image_row(image, repository, "<none>", digest, o->no_trunc),
                                 NULL);
        }
        /* One of an index is known by that one's digest, whatever else it lacks. */
        if (list->count == before)
                list_add(list,
                         image_row(image, "<none>", "<none>",
                                   str_empty(of_index) ? "<none>" : of_index, o->no_trunc),
                         NULL);
}

static int run_images(Cli *cli, const Options *options, Error *err) {
        const ImagesOptions *o = options->values;
        const char *format = list_format(cli, &image_kind, o->format, o->quiet);
        _cleanup_strv_ char **filters = strv_copy(o->filters);
        _cleanup_free_ char *path = str_copy("/images/json");
        _cleanup_json_ json_object *all = NULL;
        _cleanup_(list_done) List list = {};
        bool digests = o->digests || (format && strstr(format, "{{.Digest}}"));
        json_object *image;
        int r;

        if (options->count > 0)
                strv_format(&filters, "reference=%s", options->arguments[0]);
        if (o->all)
                path_query(&path, "all", "1");
        path_filters(&path, filters);
        r = api_json(cli, "GET", path, NULL, &all, err);
        if (r < 0)
                return r;
        for (size_t i = 0; (image = element(all, i)); i++)
                add_image(&list, image, o, digests);
        return list_print(&image_kind, format, o->digests ? DIGEST_TABLE : NULL, o->quiet, &list,
                          err);
}

const Command images_command = { "[OPTIONS] [REPOSITORY[:TAG]]",
                                 "List images",
                                 { images_rows, ELEMENTS(images_rows), sizeof(ImagesOptions) },
                                 run_images,
                                 0,
                                 1 };

/* ---- rmi and tag ---- */

typedef struct RmiOptions {
        bool force, no_prune;
        char **platforms;
} RmiOptions;

static const Option rmi_rows[] = {
        { "force", 'f', OPTION_BOOL, offsetof(RmiOptions, force),
          "Remove it even if it is in use or has several names" },
        { "no-prune", 0, OPTION_BOOL, offsetof(RmiOptions, no_prune),
          "Keep parents without a tag" },
        { "platform", 0, OPTION_STRINGS, offsetof(RmiOptions, platforms),
          "Remove these platforms' images only, os/architecture" },
};

static int rmi_one(Cli *cli, const RmiOptions *o, const char *name, Error *err) {
        _cleanup_free_ char *path = path_format("/images/%s", name);
        _cleanup_json_ json_object *answer = NULL;
        json_object *item;
        int r;

        if (o->force)
                path_query(&path, "force", "1");
        if (o->no_prune)
                path_query(&path, "noprune", "1");
        for (char **platform = o->platforms; platform && *platform; platform++)
                path_query(&path, "platforms", *platform);
        r = api_json(cli, "DELETE", path, NULL, &answer, err);
        for (size_t i = 0; r == 0 && (item = element(answer, i)); i++) {
                const char *deleted = json_member_string(item, "Deleted");

                (void)printf("%s: %s\n", deleted ? "Deleted" : "Untagged",
                             deleted ?: json_words(item, "Untagged"));
        }
        return r;
}

static int run_rmi(Cli *cli, const Options *options, Error *err) {
        const RmiOptions *o = options->values;
        int code = 0;

        /* Docker of the version that is spoken to would take the whole image. */
        int r = o->platforms ? cli_need_brigd(cli, "images of some platforms are removed", err) : 0;

        if (r < 0)
                return r;

        for (size_t i = 0; i < options->count; i++) {
                Error why = {};

                if (rmi_one(cli, o, options->arguments[i], &why) == 0)
                        continue;
                (void)cli_complain(&why);
                if (!o->force || why.kind != ERROR_NOT_FOUND)
                        code = 1;
        }
        return code;
}

const Command rmi_command = { "[OPTIONS] IMAGE [IMAGE...]",
                              "Remove one or more images",
                              { rmi_rows, ELEMENTS(rmi_rows), sizeof(RmiOptions) },
                              run_rmi,
                              1,
                              -1 };

static int run_tag(Cli *cli, const Options *options, Error *err) {
        const char *target = options->arguments[1];
        _cleanup_(reference_done) Reference reference = {};
        _cleanup_free_ char *path = path_format("/images/%s/tag", options->arguments[0]);
        _cleanup_free_ char *repository = NULL;
        Error why = {};

        if (reference_parse(target, &reference, &why) < 0)
                return error_kind(err, ERROR_INVALID,
                                  "Error parsing reference: \"%s\" is not a valid repository/tag: "
                                  "%.700s",
                                  target, why.message);
        if (reference.digest)
                return error_kind(err, ERROR_INVALID,
                                  "refusing to create a tag with a digest reference");
        reference_default_tag(&reference);
        repository = reference_familiar_repository(&reference);
        path_query(&path, "repo", repository);
        path_query(&path, "tag", reference.tag);
        return api_do(cli, "POST", path, err);
}

const Command tag_command = {
        "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]", "Give an image another name", {}, run_tag, 2, 2
};

/* ---- history ---- */

typedef struct HistoryOptions {
        bool human, no_trunc, quiet;
        char *format, *platform;
} HistoryOptions;

static const Option history_rows[] = {
        { "format", 0, OPTION_STRING, offsetof(HistoryOptions, format),
          "Format: table, json, or a Go template" },
        { "human", 'H', OPTION_BOOL, offsetof(HistoryOptions, human), "Sizes and dates for people",
          NULL, "true" },
        { "no-trunc", 0, OPTION_BOOL, offsetof(HistoryOptions, no_trunc), "Do not cut the output" },
        { "platform", 0, OPTION_STRING, offsetof(HistoryOptions, platform),
          "History of this platform's image, os/architecture" },
        { "quiet", 'q', OPTION_BOOL, offsetof(HistoryOptions, quiet), "Show IDs only" },
};

static const ListColumn history_columns[] = {
        { "ID", "IMAGE" },
        { "CreatedSince", "CREATED" },
        { "CreatedAt", "CREATED AT" },
        { "CreatedBy", "CREATED BY" },
        { "Size", "SIZE" },
        { "Comment", "COMMENT" },
};

#define HISTORY_TABLE(created) "{{.ID}}\t{{." created "}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}"

static const ListKind history_kind = { "*formatter.historyContext",
                                       HISTORY_TABLE("CreatedSince"),
                                       "{{.ID}}",
                                       NULL,
                                       NULL,
                                       history_columns,
                                       ELEMENTS(history_columns) };

static json_object *history_row(json_object *layer, const HistoryOptions *o, bool human) {
        json_object *row = json_object_new_object();
        const char *id = json_words(layer, "Id");
        int64_t created = json_number(layer, "Created");
        _cleanup_free_ char *by = str_copy(json_words(layer, "CreatedBy"));
        char text[CLOCK_TEXT_MAX], size[SIZE_TEXT_MAX];
        const char *at = created > 0 ? clock_format(created * NSEC_PER_SEC, text) : "";

        for (char *next = by; *next; next++)
                if (*next == '\t')
                        *next = ' ';
        row_put(row, "Comment", json_words(layer, "Comment"));
        row_put(row, "CreatedAt", at);
        row_take(row, "CreatedBy", o->no_trunc ? str_copy(by) : text_ellipsis(by, 45));
        row_take(row, "CreatedSince",
                 !human        ? str_copy(at)
                 : created > 0 ? time_ago(created)
                               : str_copy("N/A"));
        row_take(row, "ID",
                 o->no_trunc || str_equal(id, "<missing>") ? str_copy(id) : short_id(id));
        if (human)
                row_put(row, "Size", size_human((double)json_number(layer, "Size"), 3, size));
        else
                row_take(row, "Size", str_format("%lld", (long long)json_number(layer, "Size")));
        return row;
}

static int run_history(Cli *cli, const Options *options, Error *err) {
        const HistoryOptions *o = options->values;
        bool human = !options_given(options, "human") || o->human;
        _cleanup_free_ char *path = path_format("/images/%s/history", options->arguments[0]);
        _cleanup_json_ json_object *all = NULL;
        _cleanup_(list_done) List list = {};
        json_object *layer;
        int r = path_platform(cli, &path, o->platform, err);

        if (r == 0)
                r = api_json(cli, "GET", path, NULL, &all, err);
        if (r < 0)
                return r;
        for (size_t i = 0; (layer = element(all, i)); i++)
                list_add(&list, history_row(layer, o, human), NULL);
        return list_print(&history_kind, list_format(cli, &history_kind, o->format, o->quiet),
                          human ? NULL : HISTORY_TABLE("CreatedAt"), o->quiet, &list, err);
}

const Command history_command = { "[OPTIONS] IMAGE",
                                  "Show how an image came to be",
                                  { history_rows, ELEMENTS(history_rows), sizeof(HistoryOptions) },
                                  run_history,
                                  1,
                                  1 };
