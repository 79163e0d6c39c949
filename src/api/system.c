/* system.c: the daemon itself: ping, version, info, events, disk usage. */
#include <errno.h>
#include <sys/utsname.h>

#include "api/request.h"
#include "api/versions.h"
#include "base/build-info.h"

int on_ping(ApiRequest *request, Error *err) {
        (void)err;
        http_header(request->exchange, "Builder-Version", "1");
        http_header(request->exchange, "Swarm", "inactive");
        http_header(request->exchange, "Cache-Control", "no-cache, no-store, must-revalidate");
        http_header(request->exchange, "Pragma", "no-cache");
        http_answer(request->exchange, 200, "text/plain; charset=utf-8", "OK",
                    request->head->method == HTTP_HEAD ? 0 : 2);
        return 0;
}

/* GOARCH, as Docker's clients know it. */
static const char *architecture(const char *machine) {
        static const struct {
                const char *machine, *name;
        } names[] = {
                { "x86_64", "amd64" },    { "aarch64", "arm64" },   { "i686", "386" },
                { "armv7l", "arm" },      { "ppc64le", "ppc64le" }, { "s390x", "s390x" },
                { "riscv64", "riscv64" },
        };

        for (size_t i = 0; i < ELEMENTS(names); i++)
                if (str_equal(names[i].machine, machine))
                        return names[i].name;
        return machine;
}

typedef struct PlatformDocument {
        char *name;
} PlatformDocument;

typedef struct ComponentDocument {
        char *name, *version;
        Pairs details;
} ComponentDocument;

typedef struct VersionDocument {
        PlatformDocument platform;
        JsonArray components; /* of ComponentDocument */
        char *version, *api_version, *api_version_min, *commit, *go_version, *os, *arch, *kernel,
                *build_time;
} VersionDocument;

static const JsonField platform_fields[] = {
        JSON_FIELD(PlatformDocument, "Name", JSON_STRING, name, 0),
};
static const JsonTable platform_table = JSON_TABLE(PlatformDocument, "Platform", platform_fields);

static const JsonField component_fields[] = {
        JSON_FIELD(ComponentDocument, "Name", JSON_STRING, name, 0),
        JSON_FIELD(ComponentDocument, "Version", JSON_STRING, version, 0),
        JSON_FIELD(ComponentDocument, "Details", JSON_PAIRS, details, 0),
};
static const JsonTable component_table =
        JSON_TABLE(ComponentDocument, "Component", component_fields);

static const JsonField version_fields[] = {
        JSON_NESTED(VersionDocument, "Platform", JSON_INLINE, platform, 0, &platform_table),
        JSON_NESTED(VersionDocument, "Components", JSON_ARRAY, components, 0, &component_table),
        JSON_FIELD(VersionDocument, "Version", JSON_STRING, version, 0),
        JSON_FIELD(VersionDocument, "ApiVersion", JSON_STRING, api_version, 0),
        JSON_FIELD(VersionDocument, "MinAPIVersion", JSON_STRING, api_version_min, 0),
        JSON_FIELD(VersionDocument, "GitCommit", JSON_STRING, commit, 0),
        JSON_FIELD(VersionDocument, "GoVersion", JSON_STRING, go_version, 0),
        JSON_FIELD(VersionDocument, "Os", JSON_STRING, os, 0),
        JSON_FIELD(VersionDocument, "Arch", JSON_STRING, arch, 0),
        JSON_FIELD(VersionDocument, "KernelVersion", JSON_STRING, kernel, 0),
        JSON_FIELD(VersionDocument, "BuildTime", JSON_STRING, build_time, JSON_OMIT_EMPTY),
};
static const JsonTable version_table = JSON_TABLE(VersionDocument, "version", version_fields);

static void fill_version(VersionDocument *document, const struct utsname *host) {
        ComponentDocument *engine;

        document->platform.name = str_copy("brig");
        document->version = str_copy(BRIG_VERSION);
        document->api_version = str_copy(API_VERSION);
        document->api_version_min = str_copy(API_VERSION_MIN);
        document->commit = str_copy(build_info.commit);
        document->build_time = str_copy(build_info.time);
        document->go_version = str_copy("");
        document->os = str_copy("linux");
        document->arch = str_copy(architecture(host->machine));
        document->kernel = str_copy(host->release);
        engine = json_append(&document->components, &component_table);
        engine->name = str_copy("Engine");
        engine->version = str_copy(BRIG_VERSION);
        pairs_put(&engine->details, "ApiVersion", API_VERSION);
        pairs_put(&engine->details, "MinAPIVersion", API_VERSION_MIN);
        if (*build_info.commit)
                pairs_put(&engine->details, "GitCommit", build_info.commit);
        if (*build_info.time)
                pairs_put(&engine->details, "BuildTime", build_info.time);
        pairs_put(&engine->details, "Os", "linux");
        pairs_put(&engine->details, "Arch", document->arch);
        pairs_put(&engine->details, "KernelVersion", host->release);
        pairs_put(&engine->details, "Experimental", "true");
}

int on_version(ApiRequest *request, Error *err) {
        VersionDocument document = { 0 };
        _cleanup_buf_ Buf json = { 0 };
        struct utsname host;

        (void)err;
        (void)uname(&host);
        fill_version(&document, &host);
        json_add_text(&json, &version_table, &document);
        json_done(&version_table, &document);
        return api_answer(request, 200, &json);
}

static const VersionRule info_rules[] = {
        { .path = "CDISpecDirs", .since = 44 },
        { .path = "FirewallBackend", .since = 49 },
        { .path = "DiscoveredDevices", .since = 50 },
        { .path = "BridgeNfIptables", .until = 49, .put = "false" },
        { .path = "BridgeNfIp6tables", .until = 49, .put = "false" },
        { .path = "RegistryConfig/AllowNondistributableArtifactsCIDRs",
          .until = 48,
          .put = "null" },
        { .path = "RegistryConfig/AllowNondistributableArtifactsHostnames",
          .until = 48,
          .put = "null" },
};

int on_info(ApiRequest *request, Error *err) {
        _cleanup_buf_ Buf json = { 0 };
        int r = engine_info(request->engine, &json, err);

        if (r == 0)
                r = version_edit(info_rules, ELEMENTS(info_rules), request->version, NULL, &json,
                                 err);
        return r < 0 ? r : api_answer(request, 200, &json);
}

static int send_event(void *data, const char *json) {
        ApiRequest *request = data;
        _cleanup_buf_ Buf line = { 0 };

        buf_add_str(&line, json);
        buf_add_char(&line, '\n');
        return http_write(request->exchange, line.data, line.length);
}

int on_events(ApiRequest *request, Error *err) {
        _cleanup_(filters_done) Filters filters = { 0 };
        int64_t since, until;
        int r = api_filters(request, &filters, err);

        if (r >= 0)
                r = engine_events_check(&filters, err);
        if (r >= 0)
                r = api_time(request, "since", &since, err);
        if (r >= 0)
                r = api_time(request, "until", &until, err);
        if (r < 0)
                return r;
        if (until > 0 && since > until)
                return error_kind(err, ERROR_INVALID,
                                  "`since` time (%lld) cannot be after `until` time (%lld)",
                                  (long long)(since / 1000000000), (long long)(until / 1000000000));
        if (http_begin(request->exchange, 200, "application/json") < 0)
                return 0;
        r = engine_events(request->engine, since, until, &filters, send_event, request,
                          http_request_socket(request->exchange), err);
        return r == -ECANCELED || r == -EPIPE || r == -ECONNRESET ? 0 : r;
}

static const VersionRule usage_rules[] = {
        { .path = "Images/*/VirtualSize", .until = 43, .copy = "Size" },
        { .path = "Images/*/Descriptor", .since = 48 },
};

int on_disk_usage(ApiRequest *request, Error *err) {
        static const char *const known[] = { "container", "image", "volume", "build-cache", NULL };
        _cleanup_strv_ char **types = http_query_all(&request->query, "type");
        _cleanup_buf_ Buf json = { 0 };
        int r;

        for (size_t i = 0; i < strv_length(types); i++)
                if (!strv_has((char *const *)known, types[i]))
                        return error_kind(err, ERROR_INVALID, "unknown object type: %s", types[i]);
        r = engine_disk_usage(request->engine, types, &json, err);
        if (r == 0)
                r = version_edit(usage_rules, ELEMENTS(usage_rules), request->version, NULL, &json,
                                 err);
        return r < 0 ? r : api_answer(request, 200, &json);
}
