/* manifest.c: manifest create, inspect, push and rm: lists of manifests that are at a
 * registry. The lists are files here; what a registry knows, brigd asks it. */
#include <errno.h>

#include "base/base64.h"
#include "cli/commands.h"
#include "cli/credentials.h"
#include "cli/manifest-store.h"

#define DOCKER_LIST "application/vnd.docker.distribution.manifest.list.v2+json"
#define OCI_INDEX "application/vnd.oci.image.index.v1+json"
#define OCI_MANIFEST "application/vnd.oci.image.manifest.v1+json"

/* ---- the registry ---- */

static int need_brigd(Cli *cli, Error *err) {
        int r = cli_connect(cli, err);

        return r < 0 || cli->is_brigd
                       ? r
                       : error_kind(err, ERROR_UNSUPPORTED,
                                    "manifest asks registries by way of brigd, and %s is none: use "
                                    "`docker manifest` there",
                                    cli->host);
}

/* Asks brigd for what a name is at its registry; body: what is pushed there, or NULL. */
static int ask(Cli *cli, const char *name, bool insecure, json_object *body, json_object **ret,
               Error *err) {
        _cleanup_free_ char *path = path_format("/distribution/%s/manifest", name), *auth = NULL;
        _cleanup_(reference_done) Reference reference = {};
        _cleanup_reply_ HttpReply *reply = NULL;
        _cleanup_buf_ Buf held = {};
        Pairs headers = {};
        HttpRequest request = { .method = body ? "POST" : "GET", .headers = &headers };
        int r = reference_parse(name, &reference, err);

        if (r == 0)
                r = need_brigd(cli, err);
        if (r < 0)
                return r;
        if (insecure)
                path_query(&path, "insecure", "1");
        if (body) {
                request.content_type = "application/json";
                request.body = json_object_to_json_string_ext(
                        body, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
                request.length = strlen(request.body);
        }
        auth = credentials_header(cli, reference.domain);
        pairs_put(&headers, "X-Registry-Auth", auth);
        r = api_send(cli, &request, path, &reply, err);
        pairs_done(&headers);
        return r < 0 ? r : MIN(api_next_json(reply, &held, ret, err), 0);
}

static bool is_list(json_object *answer) {
        const char *type = json_words(json_member(answer, "Descriptor"), "mediaType");

        return str_equal(type, DOCKER_LIST) || str_equal(type, OCI_INDEX);
}

/* The list's own entry, or the registry's manifest. */
static int get_manifest(Cli *cli, const char *list, const char *name, bool insecure,
                        json_object **ret, Error *err) {
        _cleanup_json_ json_object *answer = NULL;
        int r = manifest_load(cli, list, name, ret, err);

        if (r != -ENOENT)
                return r;
        r = ask(cli, name, insecure, NULL, &answer, err);
        if (r < 0)
                return r;
        if (is_list(answer))
                return error_kind(err, ERROR_INVALID, "%s is a manifest list", name);
        *ret = manifest_of_answer(answer);
        return 0;
}

/* ---- a list as a document ---- */

static void add_member(json_object *to, json_object *from, const char *name) {
        json_object *member = json_member(from, name);

        if (member)
                (void)json_object_object_add(to, name, json_object_get(member));
}

static json_object *list_platform(json_object *platform) {
        json_object *object = json_object_new_object();
        static const char *const optional[] = { "os.version", "os.features", "variant" };

        (void)json_object_object_add(object, "architecture",
                                     json_object_new_string(json_words(platform, "architecture")));
        (void)json_object_object_add(object, "os",
                                     json_object_new_string(json_words(platform, "os")));
        for (size_t i = 0; i < ELEMENTS(optional); i++)
                add_member(object, platform, optional[i]);
        return object;
}

/* Descriptors to Docker's document, in its order and indentation, as its digest hangs on them. The
 * first manifest's media type decides the list's. */
static void write_list(json_object *descriptors, const char **ret_type, Buf *out) {
        _cleanup_json_ json_object *list = json_object_new_object();
        json_object *manifests = json_object_new_array(), *descriptor;

        *ret_type = DOCKER_LIST;
        for (size_t i = 0; i < json_object_array_length(descriptors); i++) {
                json_object *entry = json_object_new_object();

                descriptor = json_object_array_get_idx(descriptors, i);
                add_member(entry, descriptor, "mediaType");
                add_member(entry, descriptor, "size");
                add_member(entry, descriptor, "digest");
                (void)json_object_object_add(entry, "platform",
                                             list_platform(json_member(descriptor, "platform")));
                (void)json_object_array_add(manifests, entry);
                if (i == 0 && str_equal(json_words(descriptor, "mediaType"), OCI_MANIFEST))
                        *ret_type = OCI_INDEX;
        }
        (void)json_object_object_add(list, "schemaVersion", json_object_new_int(2));
        (void)json_object_object_add(list, "mediaType", json_object_new_string(*ret_type));
        (void)json_object_object_add(list, "manifests", manifests);
        json_add_reindented(out,
                            json_object_to_json_string_ext(
                                    list, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
                            "   ");
}

static json_object *descriptors_of(json_object *manifests) {
        json_object *descriptors = json_object_new_array();

        for (size_t i = 0; i < json_object_array_length(manifests); i++)
                (void)json_object_array_add(
                        descriptors,
                        json_object_get(json_member(json_object_array_get_idx(manifests, i),
                                                    "Descriptor")));
        return descriptors;
}

/* ---- create ---- */

typedef struct CreateOptions {
        bool amend, insecure;
} CreateOptions;

static const Option create_rows[] = {
        { "amend", 'a', OPTION_BOOL, offsetof(CreateOptions, amend),
          "Add to a list that is there" },
        { "insecure", 0, OPTION_BOOL, offsetof(CreateOptions, insecure),
          "Speak to a registry without TLS, too" },
};

static int run_create(Cli *cli, const Options *options, Error *err) {
        const CreateOptions *o = options->values;
        _cleanup_free_ char *list = NULL;
        Error why = {};

        if (manifest_name(options->arguments[0], &list, NULL, &why) < 0)
                return error_kind(err, ERROR_INVALID,
                                  "error parsing name for manifest list %s: %.700s",
                                  options->arguments[0], why.message);
        if (!o->amend && manifest_list_exists(cli, list))
                return error_kind(err, ERROR_CONFLICT,
                                  "refusing to amend an existing manifest list with no --amend "
                                  "flag");
        for (size_t i = 1; i < options->count; i++) {
                _cleanup_json_ json_object *manifest = NULL;
                _cleanup_free_ char *name = NULL;
                int r = manifest_name(options->arguments[i], &name, NULL, err);

                if (r == 0)
                        r = get_manifest(cli, list, name, o->insecure, &manifest, err);
                if (r == 0)
                        r = manifest_save(cli, list, name, manifest, err);
                if (r < 0)
                        return r;
        }
        (void)printf("Created manifest list %s\n", list);
        return 0;
}

const Command manifest_create_command = {
        "MANIFEST_LIST MANIFEST [MANIFEST...]",
        "Put manifests of a registry together to a list",
        { create_rows, ELEMENTS(create_rows), sizeof(CreateOptions) },
        run_create,
        2,
        -1,
};

/* ---- inspect ---- */

typedef struct InspectOptions {
        bool insecure, verbose;
} InspectOptions;

static const Option inspect_rows[] = {
        { "insecure", 0, OPTION_BOOL, offsetof(InspectOptions, insecure),
          "Speak to a registry without TLS, too" },
        { "verbose", 'v', OPTION_BOOL, offsetof(InspectOptions, verbose),
          "Show what is known besides" },
};

static void print_text(const char *text, const char *unit) {
        _cleanup_buf_ Buf out = {};

        json_add_reindented(&out, text, unit);
        (void)printf("%s\n", out.data ? out.data : "");
}

static void print_object(json_object *object) {
        print_text(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN |
                                                                  JSON_C_TO_STRING_NOSLASHESCAPE),
                   "\t");
}

static int print_manifest(json_object *manifest, bool verbose, Error *err) {
        _cleanup_buf_ Buf raw = {};

        if (verbose) {
                print_object(manifest);
                return 0;
        }
        if (base64_decode_any(json_words(manifest, "Raw"), &raw) < 0)
                return error_kind(err, ERROR_INVALID, "%s: its text is not base64",
                                  json_words(manifest, "Ref"));
        print_text(raw.data ? raw.data : "", "\t");
        return 0;
}

static void print_list(json_object *descriptors) {
        _cleanup_buf_ Buf out = {};
        const char *type;

        write_list(descriptors, &type, &out);
        (void)printf("%s\n", out.data);
}

/* A registry's list: what it names, or each manifest of it. */
static int inspect_remote_list(Cli *cli, const char *name, json_object *answer, bool insecure,
                               bool verbose, Error *err) {
        _cleanup_json_ json_object *document = NULL, *all = json_object_new_array();
        const char *raw = json_words(answer, "Raw");
        _cleanup_(reference_done) Reference reference = {};
        _cleanup_free_ char *repository = NULL;
        json_object *descriptors;
        int r = json_parse_any(raw, strlen(raw), &document, err);

        if (r == 0)
                r = reference_parse(name, &reference, err);
        if (r < 0)
                return r;
        descriptors = json_member(document, "manifests");
        if (!json_object_is_type(descriptors, json_type_array))
                return error_kind(err, ERROR_INVALID, "%s names no manifests", name);
        repository = reference_repository(&reference);
        if (!verbose) {
                print_list(descriptors);
                return 0;
        }
        for (size_t i = 0; i < json_object_array_length(descriptors); i++) {
                json_object *descriptor = json_object_array_get_idx(descriptors, i), *manifest;
                _cleanup_free_ char *one =
                        str_format("%s@%s", repository, json_words(descriptor, "digest"));
                _cleanup_json_ json_object *part = NULL;

                r = ask(cli, one, insecure, NULL, &part, err);
                if (r < 0)
                        return r;
                manifest = manifest_of_answer(part);
                (void)json_object_object_add(manifest, "Descriptor", json_object_get(descriptor));
                (void)json_object_array_add(all, manifest);
        }
        print_object(all);
        return 0;
}

static int inspect_one(Cli *cli, const char *name, const InspectOptions *o, Error *err) {
        _cleanup_json_ json_object *all = NULL, *answer = NULL, *manifest = NULL;
        int r = manifest_load_all(cli, name, &all, err);

        if (r == 0) {
                _cleanup_json_ json_object *descriptors = descriptors_of(all);

                if (o->verbose)
                        print_object(all);
                else
                        print_list(descriptors);
                return 0;
        }
        if (r != -ENOENT)
                return r;
        r = ask(cli, name, o->insecure, NULL, &answer, err);
        if (r < 0)
                return r;
        if (is_list(answer))
                return inspect_remote_list(cli, name, answer, o->insecure, o->verbose, err);
        manifest = manifest_of_answer(answer);
        return print_manifest(manifest, o->verbose, err);
}

static int run_inspect(Cli *cli, const Options *options, Error *err) {
        const InspectOptions *o = options->values;
        _cleanup_free_ char *list = NULL, *name = NULL;
        _cleanup_json_ json_object *manifest = NULL;
        int r = manifest_name(options->arguments[0], &list, NULL, err);

        if (r < 0 || options->count == 1)
                return r < 0 ? r : inspect_one(cli, list, o, err);
        r = manifest_name(options->arguments[1], &name, NULL, err);
        if (r == 0)
                r = manifest_load(cli, list, name, &manifest, err);
        return r < 0 ? r : print_manifest(manifest, o->verbose, err);
}

const Command manifest_inspect_command = {
        "[OPTIONS] [MANIFEST_LIST] MANIFEST",
        "Show a manifest, or a list of them",
        { inspect_rows, ELEMENTS(inspect_rows), sizeof(InspectOptions) },
        run_inspect,
        1,
        2,
};

/* ---- push ---- */

typedef struct PushOptions {
        bool insecure, purge;
} PushOptions;

static const Option push_rows[] = {
        { "insecure", 0, OPTION_BOOL, offsetof(PushOptions, insecure),
          "Speak to a registry without TLS, too" },
        { "purge", 'p', OPTION_BOOL, offsetof(PushOptions, purge),
          "Forget the list here once it is pushed" },
};

/* Each has to say for what it is, and to be of the list's registry. Those of other repositories are
 * appended to *sources, as the registry has to copy them. */
static int check_manifest(json_object *manifest, const Reference *list, json_object *sources,
                          Error *err) {
        json_object *descriptor = json_member(manifest, "Descriptor");
        json_object *platform = json_member(descriptor, "platform");
        const char *ref = json_words(manifest, "Ref"), *digest = json_words(descriptor, "digest");
        _cleanup_(reference_done) Reference reference = {};
        _cleanup_free_ char *repository = NULL, *source = NULL;
        int r = reference_parse(ref, &reference, err);

        if (r < 0)
                return r;
        if (!*json_words(platform, "os") || !*json_words(platform, "architecture"))
                return error_kind(err, ERROR_INVALID,
                                  "manifest %s must have an OS and Architecture to be pushed to a "
                                  "registry",
                                  ref);
        if (!str_equal(reference.domain, list->domain))
                return error_kind(err, ERROR_INVALID,
                                  "cannot use source images from a different registry than the "
                                  "target image: %s != %s",
                                  reference.domain, list->domain);
        if (str_equal(reference.path, list->path))
                return 0;
        repository = reference_repository(&reference);
        source = str_format("%s@%s", repository, digest);
        (void)json_object_array_add(sources, json_object_new_string(source));
        return 0;
}

static int send_list(Cli *cli, const char *name, const Reference *list, json_object *manifests,
                     bool insecure, Error *err) {
        _cleanup_json_ json_object *body = json_object_new_object(), *answer = NULL,
                                   *descriptors = descriptors_of(manifests);
        json_object *sources = json_object_new_array();
        _cleanup_free_ char *repository = reference_repository(list);
        _cleanup_buf_ Buf raw = {};
        const char *type;
        int r = 0;

        (void)json_object_object_add(body, "Sources", sources);
        for (size_t i = 0; r == 0 && i < json_object_array_length(manifests); i++)
                r = check_manifest(json_object_array_get_idx(manifests, i), list, sources, err);
        if (r < 0)
                return r;
        write_list(descriptors, &type, &raw);
        (void)json_object_object_add(body, "MediaType", json_object_new_string(type));
        (void)json_object_object_add(body, "Raw", json_object_new_string(raw.data));
        r = ask(cli, name, insecure, body, &answer, err);
        if (r < 0)
                return r;
        for (size_t i = 0; i < json_object_array_length(sources); i++) {
                const char *source = json_object_get_string(json_object_array_get_idx(sources, i));
                const char *digest = strchr(source, '@') + 1;

                (void)printf("Pushed ref %s@%s with digest: %s\n", repository, digest, digest);
        }
        (void)printf("%s\n", json_words(answer, "Digest"));
        return 0;
}

static int run_push(Cli *cli, const Options *options, Error *err) {
        const PushOptions *o = options->values;
        _cleanup_(reference_done) Reference list = {};
        _cleanup_json_ json_object *manifests = NULL;
        _cleanup_free_ char *name = NULL;
        int r = manifest_name(options->arguments[0], &name, &list, err);

        if (r == 0)
                r = manifest_load_all(cli, name, &manifests, err);
        if (r == 0)
                r = send_list(cli, name, &list, manifests, o->insecure, err);
        if (r == 0 && o->purge)
                r = manifest_drop(cli, name, err);
        return r;
}

const Command manifest_push_command = {
        "[OPTIONS] MANIFEST_LIST",
        "Push a list of manifests to its registry",
        { push_rows, ELEMENTS(push_rows), sizeof(PushOptions) },
        run_push,
        1,
        1,
};

/* ---- rm ---- */

static int rm_one(const Cli *cli, const char *name, Error *err) {
        _cleanup_free_ char *list = NULL;
        int r = manifest_name(name, &list, NULL, err);

        return r < 0 ? r : manifest_drop(cli, list, err);
}

static int run_rm(Cli *cli, const Options *options, Error *err) {
        int code = 0;

        for (size_t i = 0; i < options->count; i++) {
                Error why = {};

                if (rm_one(cli, options->arguments[i], &why) < 0)
                        code = cli_complain(&why);
        }
        return code;
}

const Command manifest_rm_command = {
        "MANIFEST_LIST [MANIFEST_LIST...]", "Forget lists of manifests", {}, run_rm, 1, -1
};
