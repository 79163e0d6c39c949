/* build-command.c: brig build: its options, and the request that they make. What they name is
 * opened by build-context.c and build-output.c, build-send.c sends it, build-follow.c shows how it
 * goes. */
#include "cli/build-follow.h"
#include "cli/commands.h"
#include "cli/config.h"
#include "cli/specs.h"
#include "cli/values.h"
#include "format/reference.h"

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
        options->named_args = strv_free(options->named_args);
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
#define LIMIT(name_, letter_, type_, member_, help_)                                               \
        { name_, letter_, type_, offsetof(BuildOptions, member_), help_ }

static const Option build_rows[] = {
        { "add-host", 0, OPTION_PARSED, offsetof(BuildOptions, hosts),
          "Add a name to /etc/hosts of every step (\"host:ip\")", "strings", NULL, 0,
          extra_host_parse },
        { "allow", 0, OPTION_STRINGS, offsetof(BuildOptions, allow),
          "Let steps have what they ask for, if the daemon does, too (security.insecure, "
          "network.host)" },
        { "annotation", 0, OPTION_LIST, offsetof(BuildOptions, annotations),
          "Annotate the image's manifest (key=value)" },
        REFUSED("attest", 0, OPTION_LIST, "Attach attestations", "leave it out"),
        { "build-arg", 0, OPTION_ENV, offsetof(BuildOptions, args), "Set build-time variables" },
        { "build-context", 0, OPTION_LIST, offsetof(BuildOptions, contexts),
          "Another context (name=path, name=docker-image://image, "
          "name=oci-layout://path[:tag|@digest], name=https://…)" },
        { "builder", 0, OPTION_STRING, offsetof(BuildOptions, builder),
          "Name of the builder; only \"default\" is done" },
        { "cache-from", 0, OPTION_LIST, offsetof(BuildOptions, cache_from),
          "Another cache to read from (\"type=registry,ref=name\", \"type=local,src=path\")" },
        { "cache-to", 0, OPTION_LIST, offsetof(BuildOptions, cache_to),
          "Where to write the cache to (\"type=inline\", \"type=registry,ref=name,mode=max\", "
          "\"type=local,dest=path\")" },
        { "call", 0, OPTION_STRING, offsetof(BuildOptions, call),
          "What to do: \"build\" or \"check\"", NULL, "\"build\"" },
        LIMIT("cgroup-parent", 0, OPTION_STRING, cgroup_parent,
              "Cgroup that those of the steps are in"),
        { "check", 0, OPTION_BOOL, offsetof(BuildOptions, check), "Check the Dockerfile only" },
        IGNORED("compress", "Compress the context"),
        LIMIT("cpu-period", 0, OPTION_INT, cpu_period,
              "Length of a period of --cpu-quota, microseconds"),
        LIMIT("cpu-quota", 0, OPTION_INT, cpu_quota,
              "Processor time of a step in a period, microseconds"),
        LIMIT("cpu-shares", 'c', OPTION_INT, cpu_shares, "Share of processor time of a step"),
        LIMIT("cpuset-cpus", 0, OPTION_STRING, cpuset_cpus, "Processors of the steps (\"0-3\")"),
        LIMIT("cpuset-mems", 0, OPTION_STRING, cpuset_mems, "Memory nodes of the steps (\"0-1\")"),
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
        LIMIT("memory", 'm', OPTION_BYTES, memory, "Memory of a step"),
        LIMIT("memory-swap", 0, OPTION_SWAP, memory_swap, "Memory and swap of a step; -1: any"),
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

/* One of --call's fields behind the method, as buildx has them; a format that --format names as
 * well is --call's. */
static int read_call_field(BuildOptions *options, const char *field, Error *err) {
        const char *format = str_after(field, "format="),
                   *value = str_after(field, "ignorestatus=");

        if (format) {
                str_replace(&options->format, format);
                return 0;
        }
        if (str_equal(value, "true") || str_equal(value, "false")) {
                options->ignore_status = str_equal(value, "true");
                return 0;
        }
        if (str_after(field, "error="))
                return error_kind(err, ERROR_INVALID,
                                  "invalid --call field \"%s\": a check always exits 1 where there "
                                  "are findings; for builds write `# check=error=true` into the "
                                  "Dockerfile, or give --build-arg "
                                  "BUILDKIT_DOCKERFILE_CHECK=error=true",
                                  field);
        return error_kind(err, ERROR_INVALID,
                          "invalid --call field \"%s\": METHOD, METHOD,format=FORMAT or "
                          "METHOD,ignorestatus=true",
                          field);
}

/* --call METHOD[,FIELD…] */
static int check_call(BuildOptions *options, bool *ret_check, Error *err) {
        _cleanup_strv_ char **fields =
                str_split(str_empty(options->call) ? "build" : options->call, ',');
        const char *method = fields[0];
        int r = 0;

        *ret_check = options->check || str_equal(method, "check") || str_equal(method, "lint");
        if (!*ret_check && !str_equal(method, "build"))
                return error_kind(err, ERROR_UNSUPPORTED, "--call %s is not done: build or check",
                                  method);
        for (size_t i = 1; r == 0 && fields[i]; i++)
                r = read_call_field(options, fields[i], err);
        return r;
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
        int r = build_allow_check(options->allow, err);

        return r < 0 ? error_prefix(err, "invalid --allow") : build_caches_check(options, err);
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

/* A NAME alone has the environment's value, and is dropped where that has none; but then it is
 * named all the same, and nothing else gives it one. */
static void resolve_args(BuildOptions *options) {
        static const char epoch[] = "SOURCE_DATE_EPOCH";
        char **args = NULL;

        for (char **arg = options->args; arg && *arg; arg++) {
                const char *value = strchr(*arg, '=') ? NULL : getenv(*arg);

                if (strchr(*arg, '='))
                        strv_add(&args, *arg);
                else if (value)
                        strv_format(&args, "%s=%s", *arg, value);
        }
        if (!words_name(options->args, epoch) && !str_empty(getenv(epoch)))
                strv_format(&args, "%s=%s", epoch, getenv(epoch));
        (void)strv_free(options->named_args);
        options->named_args = options->args;
        options->args = args;
}

/* ---- the build ---- */

static void build_done(Build *build) {
        json_done(&build_document_table, &build->document);
        build_fds_done(&build->fds);
        build_outputs_done(&build->outputs);
        (void)build_pump_end(&build->pump, NULL);
        build_source_done(&build->source);
        (void)strv_free(build->tags);
        build_result_done(&build->result);
}

static int run_with_descriptors(Build *build, const BuildView *view, Error *err) {
        _cleanup_(build_display_done) BuildDisplay display = {};
        _cleanup_reply_ HttpReply *reply = NULL;
        int r = build_send(build, &reply, err);

        if (r < 0) { /* unless it is but what became of an error here */
                int sent = build_pump_end(&build->pump, err);

                return sent < 0 ? sent : r;
        }
        build_display_init(&display, view, clock_now());
        display.source_name = build->source.name;
        display.source = build->source.dockerfile;
        display.debug = build->options->debug || build->cli->debug;
        display.color = str_empty(getenv("NO_COLOR"));
        r = build_follow(reply, &display, &build->pump, err);
        build->result.image = TAKE_PTR(display.image);
        build->result.size = display.pushed_size;
        build->result.pushed = TAKE_PTR(display.pushed);
        build->result.media_type = TAKE_PTR(display.pushed_type);
        return r;
}

/* What goes by its digest alone is a repository's. */
static int check_repositories(char *const *names, Error *err) {
        for (; names && *names; names++) {
                _cleanup_(reference_done) Reference reference = {};
                _cleanup_free_ char *full = NULL;
                int r = reference_parse(*names, &reference, err);

                if (r < 0)
                        return r;
                full = reference_full(&reference);
                if (reference.tag)
                        return error_kind(err, ERROR_INVALID,
                                          "can't push tagged ref %s by digest: name the "
                                          "repository alone",
                                          full);
        }
        return 0;
}

static int check_names(const Build *build, const OutputSpec *spec, Error *err) {
        _cleanup_strv_ char **names = NULL;
        int r = add_tags(spec->names, &names, err);

        if (r == 0 && spec->canonical && !spec->push)
                return error_kind(err, ERROR_UNSUPPORTED,
                                  "name-canonical=true is not done without a push: an image has "
                                  "its name with the digest once it is pushed");
        if (r == 0 && spec->push && spec->by_digest)
                r = check_repositories(spec->names ?: build->tags, err);

        if (r == 0 && spec->push && !build->tags && !names)
                return error_kind(err, ERROR_INVALID,
                                  "tag is needed when pushing to registry: -t NAME, or name=NAME "
                                  "of the output");
        return r;
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
                r = build_files_prepare(options, err);
        if (r == 0)
                r = cli_connect(build->cli, err);
        if (r < 0)
                return r;
        config_proxies(build->cli, options->named_args, &build->options->args);
        quiet = view == &build_view_quiet;
        build->options->quiet = quiet;
        r = build_takes_descriptors(build->cli)
                    ? run_with_descriptors(build, view, err)
                    : build_classic(build->cli, build->options, build->tags, &build->source,
                                    &build->result.image, err);
        if (r != 0)
                return r;
        r = build_outputs_finish(&build->outputs, err);
        if (r == 0)
                r = build_files_write(build, err);
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
        if (r == 0 && check && !build.source.dockerfile)
                r = build_fetch_texts(&build, err);
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
