/* registry.c: push and search. */
#include "cli/commands.h"
#include "cli/credentials.h"
#include "cli/list.h"
#include "cli/progress.h"
#include "cli/values.h"
#include "format/reference.h"

/* ---- push ---- */

typedef struct PushOptions {
        bool all, trust, quiet;
        char *platform;
} PushOptions;

static const Option push_rows[] = {
        { "all-tags", 'a', OPTION_BOOL, offsetof(PushOptions, all),
          "Push every tag of the repository" },
        { "disable-content-trust", 0, OPTION_BOOL, offsetof(PushOptions, trust), "Sign nothing",
          NULL, "true" },
        { "platform", 0, OPTION_STRING, offsetof(PushOptions, platform),
          "Push this platform's image only, os/architecture" },
        { "quiet", 'q', OPTION_BOOL, offsetof(PushOptions, quiet), "Show the image's name only" },
};

static int send_push(Cli *cli, const Reference *reference, const PushOptions *o, Error *err) {
        _cleanup_free_ char *repository = reference_familiar_repository(reference);
        _cleanup_free_ char *path = path_format("/images/%s/push", repository);
        _cleanup_free_ char *auth = credentials_header(cli, reference->domain);
        _cleanup_reply_ HttpReply *reply = NULL;
        Pairs headers = {};
        HttpRequest request = { .method = "POST", .headers = &headers };
        int r = path_platform(cli, &path, o->platform, err);

        if (r < 0)
                return r;
        if (reference->tag)
                path_query(&path, "tag", reference->tag);
        pairs_put(&headers, "X-Registry-Auth", auth);
        r = api_send(cli, &request, path, &reply, err);
        pairs_done(&headers);
        return r < 0 ? r : progress_show(reply, stdout, o->quiet, err);
}

static int run_push(Cli *cli, const Options *options, Error *err) {
        const PushOptions *o = options->values;
        _cleanup_(reference_done) Reference reference = {};
        _cleanup_free_ char *full = NULL;
        int r = reference_parse(options->arguments[0], &reference, err);

        if (r < 0)
                return r;
        if (o->all && (reference.tag || reference.digest))
                return error_kind(err, ERROR_INVALID, "tag can't be used with --all-tags/-a");
        if (reference.digest)
                return error_kind(err, ERROR_INVALID, "cannot push a digest reference");
        if (!o->all && !reference.tag) {
                reference_default_tag(&reference);
                if (!o->quiet)
                        (void)printf("Using default tag: %s\n", reference.tag);
        }
        r = send_push(cli, &reference, o, err);
        if (r < 0 || !o->quiet)
                return r;
        full = reference.tag ? reference_full(&reference) : reference_repository(&reference);
        (void)printf("%s\n", full);
        return 0;
}

const Command push_command = { "[OPTIONS] NAME[:TAG]",
                               "Upload an image to a registry",
                               { push_rows, ELEMENTS(push_rows), sizeof(PushOptions) },
                               run_push,
                               1,
                               1 };

/* ---- search ---- */

typedef struct SearchOptions {
        char **filters, *format;
        int64_t limit;
        bool no_trunc;
} SearchOptions;

static const Option search_rows[] = {
        { "filter", 'f', OPTION_FILTER, offsetof(SearchOptions, filters),
          "Show only what fits (key=value)" },
        { "format", 0, OPTION_STRING, offsetof(SearchOptions, format),
          "Format: table, json, or a Go template" },
        { "limit", 0, OPTION_INT, offsetof(SearchOptions, limit), "Show so many results at most" },
        { "no-trunc", 0, OPTION_BOOL, offsetof(SearchOptions, no_trunc), "Do not cut the output" },
};

static const ListColumn search_columns[] = {
        { "Name", "NAME" },
        { "Description", "DESCRIPTION" },
        { "StarCount", "STARS" },
        { "IsOfficial", "OFFICIAL" },
};

static const ListKind search_kind = {
        "*registry.searchContext",
        "{{.Name}}\t{{.Description}}\t{{.StarCount}}\t{{.IsOfficial}}",
        NULL,
        NULL,
        NULL,
        search_columns,
        ELEMENTS(search_columns)
};

/* In a table a fact is "[OK]" or nothing; as JSON it is a word. */
static json_object *search_row(json_object *result, const SearchOptions *o) {
        json_object *row = json_object_new_object();
        bool official = json_truth(result, "is_official"), words = str_equal(o->format, "json");
        _cleanup_free_ char *description = str_copy(json_words(result, "description"));

        for (char *c = description; *c; c++)
                if (*c == '\n' || *c == '\r')
                        *c = ' ';
        row_take(row, "Description",
                 o->no_trunc ? str_copy(description) : text_ellipsis(description, 45));
        row_put(row, "IsOfficial", words ? official ? "true" : "false" : official ? "[OK]" : "");
        row_put(row, "Name", json_words(result, "name"));
        row_take(row, "StarCount",
                 str_format("%lld", (long long)json_number(result, "star_count")));
        return row;
}

/* A term with a host is for that registry, anything else for Docker Hub. */
static char *search_auth(Cli *cli, const char *term) {
        size_t length = strcspn(term, "/");
        _cleanup_free_ char *host = str_copy_n(term, length);
        bool named = term[length] && (strpbrk(host, ".:") || str_equal(host, "localhost"));

        return credentials_header(cli, named ? host : "docker.io");
}

static int run_search(Cli *cli, const Options *options, Error *err) {
        const SearchOptions *o = options->values;
        const char *term = options->arguments[0];
        _cleanup_free_ char *path = str_copy("/images/search"), *auth = search_auth(cli, term),
                            *limit = str_format("%lld", (long long)o->limit);
        _cleanup_reply_ HttpReply *reply = NULL;
        _cleanup_json_ json_object *all = NULL;
        _cleanup_buf_ Buf held = {};
        _cleanup_(list_done) List list = {};
        Pairs headers = {};
        HttpRequest request = { .method = "GET", .headers = &headers };
        int r;

        path_query(&path, "term", term);
        if (o->limit != 0)
                path_query(&path, "limit", limit);
        path_filters(&path, o->filters);
        pairs_put(&headers, "X-Registry-Auth", auth);
        r = api_send(cli, &request, path, &reply, err);
        pairs_done(&headers);
        if (r == 0)
                r = MIN(api_next_json(reply, &held, &all, err), 0);
        if (r < 0)
                return r;
        for (size_t i = 0;
             json_object_is_type(all, json_type_array) && i < json_object_array_length(all); i++)
                list_add(&list, search_row(json_object_array_get_idx(all, i), o), NULL);
        return list_print(&search_kind, list_format(cli, &search_kind, o->format, false), NULL,
                          false, &list, err);
}

const Command search_command = { "[OPTIONS] TERM",
                                 "Search Docker Hub for images",
                                 { search_rows, ELEMENTS(search_rows), sizeof(SearchOptions) },
                                 run_search,
                                 1,
                                 1 };
