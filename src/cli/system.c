/* system.c: version and info. */
#include <errno.h>
#include <time.h>

#include "base/build-info.h"
#include "base/clock.h"
#include "cli/commands.h"
#include "cli/list.h"
#include "cli/template.h"
#include "cli/values.h"

typedef struct FormatOption {
        char *format;
} FormatOption;

static const Option format_rows[] = {
        { "format", 'f', OPTION_STRING, offsetof(FormatOption, format),
          "Format: json, or a Go template" },
};

static const char *arch_name(void) {
#if defined(__x86_64__)
        return "amd64";
#elif defined(__aarch64__)
        return "arm64";
#else
        return "unknown";
#endif
}

/* ---- version ---- */

static json_object *client_version(const Cli *cli) {
        json_object *client = json_object_new_object();

        row_put(client, "Version", BRIG_VERSION);
        row_put(client, "ApiVersion", cli->api ?: API_VERSION);
        row_put(client, "DefaultAPIVersion", API_VERSION);
        row_put(client, "GitCommit", build_info.commit);
        row_put(client, "BuildTime", build_info.time);
        row_put(client, "Os", "linux");
        row_put(client, "Arch", arch_name());
        row_put(client, "Context", "default");
        return client;
}

static void print_line(const char *indent, const char *name, int width, const char *value) {
        (void)printf("%s%-*s%s\n", indent, width, name, value);
}

/* What the sources did not tell is left out. The time as Go's time.ANSIC has it, as docker does. */
static void print_built(const char *indent, int width, const char *commit, const char *built) {
        char text[sizeof("Mon Jan _2 15:04:05 2006") + 16];
        int64_t when;
        struct tm tm;

        if (*commit)
                print_line(indent, "Git commit:", width, commit);
        if (clock_parse(built, &when) < 0)
                return;
        if (gmtime_r(&(time_t){ when / NSEC_PER_SEC }, &tm) &&
            strftime(text, sizeof(text), "%a %b %e %H:%M:%S %Y", &tm) > 0)
                print_line(indent, "Built:", width, text);
}

static void print_client(const Cli *cli) {
        _cleanup_free_ char *api = NULL, *platform = str_format("linux/%s", arch_name());

        api = !cli->api || str_equal(cli->api, API_VERSION)
                      ? str_copy(API_VERSION)
                      : str_format("%s (downgraded from " API_VERSION ")", cli->api);
        (void)printf("Client:\n");
        print_line(" ", "Version:", 19, BRIG_VERSION);
        print_line(" ", "API version:", 19, api);
        print_built(" ", 19, build_info.commit, build_info.time);
        print_line(" ", "OS/Arch:", 19, platform);
        print_line(" ", "Context:", 19, "default");
}

static void print_component(json_object *component) {
        json_object *details = json_member(component, "Details");
        _cleanup_free_ char *api =
                str_format("%s (minimum version %s)", json_words(details, "ApiVersion"),
                           json_words(details, "MinAPIVersion"));
        _cleanup_free_ char *platform =
                str_format("%s/%s", json_words(details, "Os"), json_words(details, "Arch"));

        (void)printf(" %s:\n", json_words(component, "Name"));
        print_line("  ", "Version:", 18, json_words(component, "Version"));
        if (!str_equal(json_words(component, "Name"), "Engine")) {
                print_line("  ", "GitCommit:", 18, json_words(details, "GitCommit"));
                return;
        }
        print_line("  ", "API version:", 18, api);
        if (*json_words(details, "GoVersion"))
                print_line("  ", "Go version:", 18, json_words(details, "GoVersion"));
        print_built("  ", 18, json_words(details, "GitCommit"), json_words(details, "BuildTime"));
        print_line("  ", "OS/Arch:", 18, platform);
        print_line("  ", "Experimental:", 18, json_words(details, "Experimental"));
}

static void print_server(json_object *server) {
        const char *platform = json_words(json_member(server, "Platform"), "Name");
        json_object *components = json_member(server, "Components");

        (void)printf("\nServer:%s%s\n", *platform ? " " : "", platform);
        for (size_t i = 0; json_object_is_type(components, json_type_array) &&
                           i < json_object_array_length(components);
             i++)
                print_component(json_object_array_get_idx(components, i));
}

/* Templates may use the document's names or those of Go's fields. */
static void add_go_names(json_object *version) {
        const char *api = json_member_string(version, "ApiVersion");

        if (api)
                row_put(version, "APIVersion", api);
}

static int print_version_as(const char *format, json_object *client, json_object *server,
                            Error *err) {
        _cleanup_json_ json_object *all = json_object_new_object();
        TemplateData data = { .dot = all, .type = "system.versionInfo" };
        _cleanup_buf_ Buf out = {};
        int r;

        (void)json_object_object_add(all, "Client", json_object_get(client));
        (void)json_object_object_add(all, "Server", json_object_get(server));
        if (!str_equal(format, "json")) {
                add_go_names(client);
                add_go_names(server);
        }
        r = format_document(format, &data, &out, err);
        if (r <= 0)
                (void)printf("%s\n", out.data ?: "");
        return r;
}

static int run_version(Cli *cli, const Options *options, Error *err) {
        const FormatOption *o = options->values;
        _cleanup_json_ json_object *client = NULL, *server = NULL;
        Error failed = {};
        int got = api_json(cli, "GET", "/version", NULL, &server, &failed), r = 0;

        client = client_version(cli);
        if (!str_empty(o->format)) {
                r = print_version_as(o->format, client, server, err);
        } else {
                print_client(cli);
                if (got == 0)
                        print_server(server);
        }
        if (r != 0)
                return r;
        return got < 0 ? cli_complain(&failed) : 0;
}

const Command version_command = { "[OPTIONS]",
                                  "Show the versions of the command and of the daemon",
                                  { format_rows, ELEMENTS(format_rows), sizeof(FormatOption) },
                                  run_version,
                                  0,
                                  0 };

/* ---- info ---- */

/* A line of info: the member's text, number, bytes or truth. */
typedef enum InfoKind { INFO_TEXT, INFO_NUMBER, INFO_BYTES, INFO_TRUTH, INFO_WORDS } InfoKind;

typedef struct InfoLine {
        const char *label, *member;
        InfoKind kind;
        bool always; /* even if empty */
} InfoLine;

static void print_info_line(json_object *info, const InfoLine *line) {
        json_object *member = json_member(info, line->member);
        char size[SIZE_TEXT_MAX];

        switch (line->kind) {
        case INFO_TEXT:
                if (line->always || *json_words(info, line->member))
                        (void)printf(" %s: %s\n", line->label, json_words(info, line->member));
                break;
        case INFO_NUMBER:
                (void)printf(" %s: %lld\n", line->label,
                             (long long)json_number(info, line->member));
                break;
        case INFO_BYTES:
                (void)printf(" %s: %s\n", line->label,
                             size_binary((double)json_number(info, line->member), size));
                break;
        case INFO_TRUTH:
                (void)printf(" %s: %s\n", line->label,
                             json_truth(info, line->member) ? "true" : "false");
                break;
        case INFO_WORDS:
                for (size_t i = 0; json_object_is_type(member, json_type_array) &&
                                   i < json_object_array_length(member);
                     i++)
                        (void)printf("%s%s%s  %s\n", i ? "" : " ", i ? "" : line->label,
                                     i ? "" : ":\n",
                                     json_object_get_string(json_object_array_get_idx(member, i)));
                break;
        }
}

static void print_lines(json_object *info, const InfoLine *lines, size_t count) {
        for (size_t i = 0; i < count; i++)
                print_info_line(info, &lines[i]);
}

static void print_driver_status(json_object *info) {
        json_object *status = json_member(info, "DriverStatus");

        for (size_t i = 0;
             json_object_is_type(status, json_type_array) && i < json_object_array_length(status);
             i++) {
                json_object *pair = json_object_array_get_idx(status, i);

                if (json_object_is_type(pair, json_type_array))
                        (void)printf("  %s: %s\n",
                                     json_object_get_string(json_object_array_get_idx(pair, 0)),
                                     json_object_get_string(json_object_array_get_idx(pair, 1)));
        }
}

static void print_plugins(json_object *info) {
        json_object *plugins = json_member(info, "Plugins");
        const char *const types[] = { "Volume", "Network", "Authorization", "Log" };

        (void)printf(" Plugins:\n");
        for (size_t i = 0; i < ELEMENTS(types); i++) {
                json_object *names = json_member(plugins, types[i]);

                if (!json_object_is_type(names, json_type_array) ||
                    json_object_array_length(names) == 0)
                        continue;
                (void)printf("  %s:", types[i]);
                for (size_t j = 0; j < json_object_array_length(names); j++)
                        (void)printf(" %s",
                                     json_object_get_string(json_object_array_get_idx(names, j)));
                (void)printf("\n");
        }
}

static void print_runtimes(json_object *info) {
        json_object *runtimes = json_member(info, "Runtimes");
        json_object *swarm = json_member(info, "Swarm");

        (void)printf(" Swarm: %s\n", json_words(swarm, "LocalNodeState"));
        if (!json_object_is_type(runtimes, json_type_object))
                return;
        (void)printf(" Runtimes:");
        json_object_object_foreach(runtimes, name, runtime) {
                (void)runtime;
                (void)printf(" %s", name);
        }
        (void)printf("\n");
}

static void print_commits(json_object *info) {
        static const struct {
                const char *label, *member;
        } commits[] = { { "containerd", "ContainerdCommit" },
                        { "runc", "RuncCommit" },
                        { "init", "InitCommit" } };

        for (size_t i = 0; i < ELEMENTS(commits); i++)
                (void)printf(" %s version: %s\n", commits[i].label,
                             json_words(json_member(info, commits[i].member), "ID"));
}

/* "name=seccomp,profile=default" → "  seccomp", "   Profile: default" */
static void print_security(json_object *info) {
        json_object *all = json_member(info, "SecurityOptions");

        if (!json_object_is_type(all, json_type_array) || json_object_array_length(all) == 0)
                return;
        (void)printf(" Security Options:\n");
        for (size_t i = 0; i < json_object_array_length(all); i++) {
                _cleanup_strv_ char **parts =
                        str_split(json_object_get_string(json_object_array_get_idx(all, i)), ',');

                for (char **part = parts; part && *part; part++) {
                        const char *name = str_after(*part, "name=");
                        const char *profile = str_after(*part, "profile=");

                        if (name)
                                (void)printf("  %s\n", name);
                        else if (profile)
                                (void)printf("   Profile: %s\n", profile);
                }
        }
}

static void print_registries(json_object *info) {
        json_object *registry = json_member(info, "RegistryConfig");
        json_object *indexes = json_member(registry, "IndexConfigs");
        json_object *ranges = json_member(registry, "InsecureRegistryCIDRs");
        json_object *mirrors = json_member(registry, "Mirrors");

        (void)printf(" Insecure Registries:\n");
        if (json_object_is_type(indexes, json_type_object)) {
                json_object_object_foreach(indexes, name, index)
                        if (!json_truth(index, "Secure"))
                                (void)printf("  %s\n", name);
        }
        for (size_t i = 0;
             json_object_is_type(ranges, json_type_array) && i < json_object_array_length(ranges);
             i++)
                (void)printf("  %s\n",
                             json_object_get_string(json_object_array_get_idx(ranges, i)));
        if (!json_object_is_type(mirrors, json_type_array) ||
            json_object_array_length(mirrors) == 0)
                return;
        (void)printf(" Registry Mirrors:\n");
        for (size_t i = 0; i < json_object_array_length(mirrors); i++)
                (void)printf("  %s\n",
                             json_object_get_string(json_object_array_get_idx(mirrors, i)));
}

static void print_engine(json_object *info) {
        static const InfoLine first[] = {
                { "Containers", "Containers", INFO_NUMBER },
                { " Running", "ContainersRunning", INFO_NUMBER },
                { " Paused", "ContainersPaused", INFO_NUMBER },
                { " Stopped", "ContainersStopped", INFO_NUMBER },
                { "Images", "Images", INFO_NUMBER },
                { "Server Version", "ServerVersion", INFO_TEXT },
                { "Storage Driver", "Driver", INFO_TEXT },
        };
        static const InfoLine drivers[] = {
                { "Logging Driver", "LoggingDriver", INFO_TEXT },
                { "Cgroup Driver", "CgroupDriver", INFO_TEXT },
                { "Cgroup Version", "CgroupVersion", INFO_TEXT },
        };
        static const InfoLine runtime[] = {
                { "Default Runtime", "DefaultRuntime", INFO_TEXT },
                { "Init Binary", "InitBinary", INFO_TEXT },
        };
        static const InfoLine machine[] = {
                { "Kernel Version", "KernelVersion", INFO_TEXT },
                { "Operating System", "OperatingSystem", INFO_TEXT },
                { "OSType", "OSType", INFO_TEXT },
                { "Architecture", "Architecture", INFO_TEXT },
                { "CPUs", "NCPU", INFO_NUMBER },
                { "Total Memory", "MemTotal", INFO_BYTES },
                { "Name", "Name", INFO_TEXT },
                { "ID", "ID", INFO_TEXT },
                { "Docker Root Dir", "DockerRootDir", INFO_TEXT },
                { "Debug Mode", "Debug", INFO_TRUTH },
                { "HTTP Proxy", "HttpProxy", INFO_TEXT },
                { "HTTPS Proxy", "HttpsProxy", INFO_TEXT },
                { "No Proxy", "NoProxy", INFO_TEXT },
                { "Labels", "Labels", INFO_WORDS },
                { "Experimental", "ExperimentalBuild", INFO_TRUTH },
        };

        print_lines(info, first, ELEMENTS(first));
        print_driver_status(info);
        print_lines(info, drivers, ELEMENTS(drivers));
        print_plugins(info);
        print_runtimes(info);
        print_lines(info, runtime, ELEMENTS(runtime));
        print_commits(info);
        print_security(info);
        print_lines(info, machine, ELEMENTS(machine));
        print_registries(info);
        (void)printf(" Live Restore Enabled: %s\n",
                     json_truth(info, "LiveRestoreEnabled") ? "true" : "false");
}

static void print_warnings(json_object *info) {
        json_object *warnings = json_member(info, "Warnings");

        (void)fflush(stdout);
        for (size_t i = 0; json_object_is_type(warnings, json_type_array) &&
                           i < json_object_array_length(warnings);
             i++)
                (void)fprintf(stderr, "%s\n",
                              json_object_get_string(json_object_array_get_idx(warnings, i)));
}

static int print_info_as(const Cli *cli, const char *format, json_object *info, Error *err) {
        TemplateData data = { .dot = info, .type = "system.dockerInfo" };
        json_object *client = client_version(cli);
        _cleanup_buf_ Buf out = {};
        int r;

        (void)json_object_object_add(client, "Debug", json_object_new_boolean(cli->debug));
        (void)json_object_object_add(info, "ClientInfo", client);
        r = format_document(format, &data, &out, err);
        if (r <= 0)
                (void)printf("%s\n", r == 0 && out.data ? out.data : "");
        return r;
}

static int run_info(Cli *cli, const Options *options, Error *err) {
        const FormatOption *o = options->values;
        _cleanup_json_ json_object *info = NULL;
        Error failed = {};
        int got = api_json(cli, "GET", "/info", NULL, &info, &failed);

        if (!str_empty(o->format)) {
                int r;

                if (!info)
                        info = json_object_new_object();
                r = print_info_as(cli, o->format, info, err);
                return r != 0 ? r : got < 0 ? cli_complain(&failed) : 0;
        }
        (void)printf("Client:\n Version:    %s\n Context:    default\n Debug Mode: %s\n\nServer:\n",
                     BRIG_VERSION, cli->debug ? "true" : "false");
        if (got < 0) {
                (void)fflush(stdout);
                (void)fprintf(stderr, "%s\n", failed.message);
                return 1;
        }
        print_engine(info);
        (void)printf("\n");
        print_warnings(info);
        return 0;
}

const Command info_command = { "[OPTIONS]",
                               "Show what the engine is and has",
                               { format_rows, ELEMENTS(format_rows), sizeof(FormatOption) },
                               run_info,
                               0,
                               0 };
