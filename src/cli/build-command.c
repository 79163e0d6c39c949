/* build-command.c: brig build: its options, and the request that they make. What they name is
 * opened by build-context.c and build-output.c; build-follow.c shows how it goes. */
#include <errno.h>
#include <fcntl.h>

#include "base/fd.h"
#include "cli/build-follow.h"
#include "cli/commands.h"
#include "cli/credentials.h"
#include "cli/specs.h"
#include "cli/values.h"
#include "format/reference.h"
#include "http/head.h"

/* ---- options ---- */

/* --provenance=false and --sbom=false ask for nothing; anything else does. */
static int attestation_parse(void *member, const char *text, Error *err) {
        bool wanted = true;

        if (value_bool(&wanted, text, NULL) == 0 && !wanted)
                return 0;
        return error_kind(err, ERROR_UNSUPPORTED,
                          "attestations are not done: leave it out, or say false");
}

static void build_options_done(void *values) {
        BuildOptions *options = values;

        for (size_t i = 0; i < options->ulimits.count; i++)
                json_done(&ulimit_table, (Ulimit *)options->ulimits.items + i);
        free(options->ulimits.items);
        options->ulimits = (JsonArray){};
        options->hosts = strv_free(options->hosts);
        options->cache_names = strv_free(options->cache_names);
}

#define REFUSED(name_, letter_, type_, help_, remedy_)                                             \
        {                                                                                          \
                .name = name_, .letter = letter_, .type = type_, .help = help_,                    \
                .flags = OPTION_REFUSED, .remedy = remedy_                                         \
        }
#define IGNORED(name_, help_)                                                                      \
        {                                                                                          \
                .name = name_, .type = OPTION_BOOL, .offset = offsetof(BuildOptions, ignored),     \
                .help = help_, .flags = OPTION_IGNORED | OPTION_HIDDEN                             \
        }
#define LIMIT(name_, letter_, type_)                                                               \
        REFUSED(name_, letter_, type_, "Limit what a step uses",                                   \
                "limit the daemon's own cgroup, or leave it out")

static const Option build_rows[] = {
        { "add-host", 0, OPTION_PARSED, offsetof(BuildOptions, hosts),
          "Add a name to /etc/hosts of every step (\"host:ip\")", "strings", NULL, 0,
          extra_host_parse },
        REFUSED("allow", 0, OPTION_LIST, "Allow what a step may ask for",
                "a step's --security=insecure is not done; leave it out"),
        { "annotation", 0, OPTION_LIST, offsetof(BuildOptions, annotations),
          "Annotate the image's manifest (key=value)" },
        REFUSED("attest", 0, OPTION_LIST, "Attach attestations", "leave it out"),
        { "build-arg", 0, OPTION_ENV, offsetof(BuildOptions, args), "Set build-time variables" },
        { "build-context", 0, OPTION_LIST, offsetof(BuildOptions, contexts),
          "Another context (name=path, name=docker-image://image, name=https://…)" },
        { "builder", 0, OPTION_STRING, offsetof(BuildOptions, builder),
          "Name of the builder; only \"default\" is done" },
        { "cache-from", 0, OPTION_LIST, offsetof(BuildOptions, cache_from),
          "Another cache to read from (\"type=registry,ref=name\", \"type=local,src=path\")" },
        { "cache-to", 0, OPTION_LIST, offsetof(BuildOptions, cache_to),
          "Where to write the cache to (\"type=inline\", \"type=registry,ref=name,mode=max\", "
          "\"type=local,dest=path\")" },
        { "call", 0, OPTION_STRING, offsetof(BuildOptions, call),
          "What to do: \"build\" or \"check\"", NULL, "\"build\"" },
        REFUSED("cgroup-parent", 0, OPTION_STRING, "Cgroup of the steps",
                "start brigd with --cgroup-parent"),
        { "check", 0, OPTION_BOOL, offsetof(BuildOptions, check), "Check the Dockerfile only" },
        IGNORED("compress", "Compress the context"),
        LIMIT("cpu-period", 0, OPTION_INT),
        LIMIT("cpu-quota", 0, OPTION_INT),
        LIMIT("cpu-shares", 'c', OPTION_INT),
        LIMIT("cpuset-cpus", 0, OPTION_STRING),
        LIMIT("cpuset-mems", 0, OPTION_STRING),
        { "debug", 'D', OPTION_BOOL, offsetof(BuildOptions, debug),
          "Show calls to the daemon, and the lines that warnings are about" },
        IGNORED("disable-content-trust", "Skip the check of images' signatures"),
        { "file", 'f', OPTION_STRING, offsetof(BuildOptions, file),
          "Name of the Dockerfile; \"-\": standard input", NULL, "\"PATH/Dockerfile\"" },
        IGNORED("force-rm", "Remove intermediate containers"),
        { "format", 0, OPTION_STRING, offsetof(BuildOptions, format),
          "Format of the check: text, json, or sarif", NULL, "\"text\"" },
        { "iidfile", 0, OPTION_STRING, offsetof(BuildOptions, iid_file),
          "Write the image's ID to this file" },
        REFUSED("isolation", 0, OPTION_STRING, "Isolation of the steps",
                "there is one kind on Linux; leave it out"),
        { "label", 0, OPTION_LABEL, offsetof(BuildOptions, labels), "Set metadata of the image" },
        { "load", 0, OPTION_BOOL, offsetof(BuildOptions, load),
          "Put the image among the engine's, also where --output says another thing" },
        LIMIT("memory", 'm', OPTION_BYTES),
        LIMIT("memory-swap", 0, OPTION_SWAP),
        { "metadata-file", 0, OPTION_STRING, offsetof(BuildOptions, metadata_file),
          "Write what was built to this file, as JSON" },
        { "network", 0, OPTION_STRING, offsetof(BuildOptions, network),
          "Network of the steps: default, none, or host", NULL, "\"default\"" },
        { "no-cache", 0, OPTION_BOOL, offsetof(BuildOptions, no_cache), "Use no cache" },
        { "no-cache-filter", 0, OPTION_STRINGS, offsetof(BuildOptions, no_cache_filter),
          "Use no cache for these stages" },
        { "output", 'o', OPTION_LIST, offsetof(BuildOptions, outputs),
          "Where the result goes (\"type=local|tar|oci|docker,dest=path\", "
          "\"type=image|registry\", "
          "\"type=cacheonly\", or a directory)" },
        { "platform", 0, OPTION_STRINGS, offsetof(BuildOptions, platforms),
          "Platforms that are built for (\"linux/amd64,linux/arm64\")" },
        { "progress", 0, OPTION_STRING, offsetof(BuildOptions, progress),
          "How it goes: auto, plain, tty, rawjson, or quiet", NULL, "\"auto\"" },
        { "provenance", 0, OPTION_PARSED, offsetof(BuildOptions, attest),
          "Attach provenance; only \"false\" is done", NULL, NULL, 0, attestation_parse },
        { "pull", 0, OPTION_BOOL, offsetof(BuildOptions, pull),
          "Ask the registry for newer base images" },
        { "push", 0, OPTION_BOOL, offsetof(BuildOptions, push),
          "Push the image to the registries of its names" },
        { "quiet", 'q', OPTION_BOOL, offsetof(BuildOptions, quiet), "Show the image's ID only" },
        IGNORED("rm", "Remove intermediate containers after a build"),
        { "sbom", 0, OPTION_PARSED, offsetof(BuildOptions, attest),
          "Attach a bill of materials; only \"false\" is done", NULL, NULL, 0, attestation_parse },
        { "secret", 0, OPTION_LIST, offsetof(BuildOptions, secrets),
          "Secret for steps that ask for it (\"id=name[,src=path|,env=variable]\")" },
        REFUSED("security-opt", 0, OPTION_LIST, "Security options", "leave it out"),
        { "shm-size", 0, OPTION_BYTES, offsetof(BuildOptions, shm_size),
          "Size of /dev/shm in steps" },
        REFUSED("squash", 0, OPTION_BOOL, "Make one layer of all",
                "write the Dockerfile with a stage that copies the result"),
        { "ssh", 0, OPTION_LIST, offsetof(BuildOptions, ssh),
          "Agent for steps that ask for it (\"default|id[=socket]\")" },
        { "tag", 't', OPTION_LIST, offsetof(BuildOptions, tags), "Name of the image (name:tag)" },
        { "target", 0, OPTION_STRING, offsetof(BuildOptions, target),
          "Stage to build, or to check" },
        { "ulimit", 0, OPTION_PARSED, offsetof(BuildOptions, ulimits), "Ulimit of the steps",
          "ulimit", NULL, 0, ulimit_parse },
};

/* ---- what can be said before a daemon is asked ---- */

/* --call METHOD[,format=FORMAT]; a format that --format names as well is --call's. */
static int check_call(BuildOptions *options, bool *ret_check, Error *err) {
        const char *call = str_empty(options->call) ? "build" : options->call;
        const char *format = strchr(call, ',');
        _cleanup_free_ char *method =
                str_copy_n(call, format ? (size_t)(format - call) : strlen(call));

        *ret_check = options->check || str_equal(method, "check") || str_equal(method, "lint");
        if (!*ret_check && !str_equal(method, "build"))
                return error_kind(err, ERROR_UNSUPPORTED, "--call %s is not done: build or check",
                                  method);
        if (!format)
                return 0;
        if (!str_after(format, ",format="))
                return error_kind(err, ERROR_INVALID,
                                  "invalid --call \"%s\": METHOD or METHOD,format=FORMAT", call);
        str_replace(&options->format, str_after(format, ",format="));
        return 0;
}

static int check_options(const BuildOptions *options, Error *err) {
        const char *network = options->network;

        if (!str_empty(options->builder) && !str_equal(options->builder, "default"))
                return error_kind(err, ERROR_UNSUPPORTED,
                                  "builder '%s': builders other than 'default' are not done: use "
                                  "-H for another daemon",
                                  options->builder);
        if (!str_empty(network) && !str_equal(network, "default") && !str_equal(network, "none") &&
            !str_equal(network, "host"))
                return error_kind(err, ERROR_UNSUPPORTED,
                                  "network '%s': steps have the network default, none or host",
                                  network);
        return build_caches_check(options, err);
}

static int add_tags(char *const *names, char ***tags, Error *err) {
        for (; names && *names; names++) {
                _cleanup_(reference_done) Reference reference = {};

                if (reference_parse(*names, &reference, err) < 0)
                        return error_prefix(err, "invalid tag \"%s\"", *names);
                if (reference.digest)
                        return error_kind(err, ERROR_INVALID,
                                          "invalid tag \"%s\": a digest is no tag", *names);
                strv_add(tags, *names);
        }
        return 0;
}

/* A NAME alone has the environment's value, and is dropped where that has none. */
static void resolve_args(BuildOptions *options) {
        char **args = NULL;

        for (char **arg = options->args; arg && *arg; arg++) {
                const char *value = strchr(*arg, '=') ? NULL : getenv(*arg);

                if (strchr(*arg, '='))
                        strv_add(&args, *arg);
                else if (value)
                        strv_format(&args, "%s=%s", *arg, value);
        }
        (void)strv_free(options->args);
        options->args = args;
}

/* ---- the request ---- */

/* All that a build has open on this side. */
typedef struct Build {
        Cli *cli;
        BuildOptions *options;
        BuildSource source;
        BuildOutputs outputs;
        BuildFds fds;
        BuildPump *pump; /* of an archive on standard input */
        BuildDocument document;
        char **tags;
        BuildResult result;
} Build;

static void build_done(Build *build) {
        json_done(&build_document_table, &build->document);
        build_fds_done(&build->fds);
        build_outputs_done(&build->outputs);
        build->pump = build_pump_stop(build->pump);
        build_source_done(&build->source);
        (void)strv_free(build->tags);
        build_result_done(&build->result);
}

static int add_source(Build *build, Error *err) {
        static const JsonTable size = { .size = sizeof(BuildContextDocument) };
        BuildDocument *document = &build->document;
        BuildContextDocument *context;
        int fd;

        document->dockerfile = str_copy(build->source.dockerfile);
        document->dockerfile_name = str_copy(build->source.name);
        document->ignore = str_copy(build->source.ignore);
        if (build->source.kind == SOURCE_DOCKERFILE)
                return 0;
        fd = build->source.kind == SOURCE_DIRECTORY ? TAKE_FD(build->source.dir_fd) : -1;
        context = json_append(&document->contexts, &size);
        context->name = str_copy("");
        context->url = str_copy(build->source.url);
        if (fd >= 0) {
                context->fd = NEW(int64_t);
                *context->fd = build_fds_add(&build->fds, fd);
        }
        if (build->source.kind == SOURCE_ARCHIVE) {
                int r = build_pump_start(&build->source, &build->pump, &fd, err);

                if (r < 0)
                        return r;
                context->tar = NEW(int64_t);
                *context->tar = build_fds_add(&build->fds, fd);
        }
        return 0;
}

static void add_plain_options(const BuildOptions *options, BuildDocument *document) {
        document->args = strv_copy(options->args);
        document->labels = strv_copy(options->labels);
        document->no_cache_filter = strv_copy(options->no_cache_filter);
        document->extra_hosts = strv_copy(options->hosts);
        document->target = str_copy(options->target);
        document->platform = options->platforms ? strv_join(options->platforms, ",") : NULL;
        document->network = str_copy(options->network);
        document->shm_size = options->shm_size;
        document->no_cache = options->no_cache;
        document->pull = options->pull;
        for (size_t i = 0; i < options->ulimits.count; i++)
                json_copy(&ulimit_table, (const Ulimit *)options->ulimits.items + i,
                          json_append(&document->ulimits, &ulimit_table));
}

static int make_document(Build *build, Error *err) {
        const BuildOptions *options = build->options;
        BuildDocument *document = &build->document;
        int r = add_source(build, err);

        add_plain_options(options, document);
        document->tags = strv_copy(build->tags);
        if (r == 0)
                r = build_contexts_add(options->contexts, document, &build->fds, err);
        if (r == 0)
                r = build_secrets_add(options->secrets, document, err);
        if (r == 0)
                r = build_ssh_add(options->ssh, document, &build->fds, err);
        if (r == 0)
                r = build_caches_add(options, document, &build->fds, err);
        for (char **text = options->annotations; r == 0 && text && *text; text++)
                r = annotation_parse(*text, &document->annotations, err);
        return r < 0 ? r : build_outputs_add(&build->outputs, document, &build->fds, err);
}

static int send_document(Build *build, HttpReply **ret, Error *err) {
        _cleanup_free_ char *registries = credentials_all_header(build->cli), *text = NULL;
        HttpRequest request = { .method = "POST", .content_type = BUILD_DOCUMENT_TYPE };
        Pairs headers = {};
        int r = make_document(build, err);

        if (r < 0)
                return r;
        if (build->fds.count > HTTP_FDS_MAX)
                return error_kind(
                        err, ERROR_UNSUPPORTED,
                        "%zu contexts, agents, caches and outputs are more than the %d that one "
                        "build may have",
                        build->fds.count, HTTP_FDS_MAX);
        text = json_text(&build_document_table, &build->document);
        pairs_put(&headers, "X-Registry-Config", registries);
        request.headers = &headers;
        request.body = text;
        request.length = strlen(text);
        request.fds = build->fds.fds;
        request.fd_count = build->fds.count;
        r = api_send(build->cli, &request, "/build", ret, err);
        explicit_bzero(text, request.length); /* secrets are in it */
        pairs_done(&headers);
        /* The daemon has its own now. The end of an output is seen once all have closed it. */
        build_fds_done(&build->fds);
        return r;
}

static int run_with_descriptors(Build *build, const BuildView *view, Error *err) {
        _cleanup_(build_display_done) BuildDisplay display = {};
        _cleanup_reply_ HttpReply *reply = NULL;
        int r = send_document(build, &reply, err);

        if (r < 0)
                return r;
        build_display_init(&display, view, clock_now());
        display.source_name = build->source.name;
        display.source = build->source.dockerfile;
        display.debug = build->options->debug || build->cli->debug;
        display.color = str_empty(getenv("NO_COLOR"));
        r = build_follow(reply, &display, err);
        build->result.image = TAKE_PTR(display.image);
        build->result.size = display.pushed_size;
        build->result.pushed = TAKE_PTR(display.pushed);
        build->result.media_type = TAKE_PTR(display.pushed_type);
        return r;
}

/* A daemon on a Unix socket that is brigd takes descriptors; DOCKER_BUILDKIT=0 asks for the classic
 * builder, whose output scripts read. */
static bool takes_descriptors(const Build *build) {
        return build->cli->is_brigd && str_after(build->cli->host, "unix://") &&
               !str_equal(getenv("DOCKER_BUILDKIT"), "0");
}

static int check_names(const Build *build, const OutputSpec *spec, Error *err) {
        _cleanup_strv_ char **names = NULL;
        int r = add_tags(spec->names, &names, err);

        if (r == 0 && spec->push && !build->tags && !names)
                return error_kind(err, ERROR_INVALID,
                                  "tag is needed when pushing to registry: -t NAME, or name=NAME "
                                  "of the output");
        return r;
}

static int write_files(const Build *build, Error *err) {
        _cleanup_strv_ char **names = strv_copy(build->tags);

        for (size_t i = 0; i < build->outputs.count; i++)
                for (char **name = build->outputs.list[i].spec.names; name && *name; name++)
                        if (!strv_has(names, *name))
                                strv_add(&names, *name);
        return build_files_write(build->options, names, &build->result, err);
}

static int run_opened(Build *build, Error *err) {
        const BuildOptions *options = build->options;
        const BuildView *view = NULL;
        bool quiet;
        int r = build_view_choose(options, &view, err);

        if (r == 0)
                r = add_tags(options->tags, &build->tags, err);
        if (r == 0)
                r = build_outputs_open(options, &build->outputs, err);
        for (size_t i = 0; r == 0 && i < build->outputs.count; i++)
                r = check_names(build, &build->outputs.list[i].spec, err);
        if (r == 0)
                r = build_files_clear(options, err);
        if (r == 0)
                r = cli_connect(build->cli, err);
        if (r < 0)
                return r;
        quiet = view == &build_view_quiet;
        build->options->quiet = quiet;
        r = takes_descriptors(build) ? run_with_descriptors(build, view, err)
                                     : build_classic(build->cli, build->options, build->tags,
                                                     &build->source, &build->result.image, err);
        if (r != 0)
                return r;
        r = build_outputs_finish(&build->outputs, err);
        if (r == 0)
                r = write_files(build, err);
        if (r == 0 && quiet && build->result.image && !build_outputs_use_stdout(&build->outputs))
                (void)printf("%s\n", build->result.image);
        return r;
}

static int run_build(Cli *cli, const Options *options, Error *err) {
        _cleanup_(build_done) Build build = { .cli = cli, .options = options->values };
        bool check = false;
        int r;

        build.source.dir_fd = -1;
        cli->debug |= build.options->debug;
        resolve_args(build.options);
        r = check_call(build.options, &check, err);
        if (r == 0)
                r = check_options(build.options, err);
        if (r == 0)
                r = build_source_open(build.options, options->arguments[0], &build.source, err);
        if (r == 0 && check)
                r = build_check(build.options, &build.source, err);
        else if (r == 0)
                r = run_opened(&build, err);
        return r < 0 ? error_prefix(err, "ERROR: failed to build") : r;
}

const Command build_command = { "[OPTIONS] PATH|URL|-",
                                "Build an image from a Dockerfile",
                                { build_rows, ELEMENTS(build_rows), sizeof(BuildOptions),
                                  build_options_done },
                                run_build,
                                1,
                                1 };
