/* drills-build.c: drills that are hostile builds: contexts of our own, sent as Docker's classic
 * builder sends them. */
#include "drill/drill.h"

/* 0: it was built; 1: refused, for the reason that why is part of. */
static int build(Attempt *attempt, const char *dockerfile, const char *why, Error *err) {
        _cleanup_buf_ Buf tar = {};

        tar_add(&tar, &(TarEntry){ "Dockerfile", NULL, TAR_FILE, 0644, dockerfile,
                                   strlen(dockerfile), NULL });
        tar_end(&tar);
        return box_send_tar(attempt->cli, "/build?t=brig-drill:built&nocache=1", &tar, why, err);
}

static int run_security(const Drill *drill, Attempt *attempt, Error *err) {
        static const char dockerfile[] =
                "FROM brig-drill:guest\nRUN --security=insecure [\"/guest\", \"user\"]\n";
        int r = build(attempt, dockerfile, "security.insecure is not allowed", err);

        (void)drill;
        if (r == 0)
                buf_add_str(attempt->got, "a step runs that is confined by nothing\n");
        return MIN(r, 0);
}

/* A step whose guest ends well where it got at something of the host. */
static int must_fail(Attempt *attempt, const char *dockerfile, const char *got, Error *err) {
        int r = build(attempt, dockerfile, "returned a non-zero code: 1", err);

        if (r == 0)
                buf_format(attempt->got, "%s\n", got);
        return MIN(r, 0);
}

/* An image that has a directory by the name of the host's, and a link to it: it is the image's. */
static int import_source(const Attempt *attempt, Error *err) {
        const char *names[] = { "var", "var/tmp", str_after(attempt->directory, "/") };
        _cleanup_buf_ Buf tar = {};

        for (size_t i = 0; i < ELEMENTS(names); i++)
                tar_add(&tar, &(TarEntry){ .path = names[i], .type = TAR_DIRECTORY, .mode = 0755 });
        tar_add(&tar, &(TarEntry){ "abs", attempt->directory, TAR_LINK, 0777, NULL, 0, NULL });
        tar_end(&tar);
        return box_import(attempt->cli, "source", &tar, NULL, err);
}

static int run_source(const Drill *drill, Attempt *attempt, Error *err) {
        static const char dockerfile[] =
                "FROM brig-drill:guest\nRUN --mount=type=bind,from=brig-drill:source,source=/abs,"
                "target=/m [\"/guest\", \"mounted\"]\n";
        int r = import_source(attempt, err);

        (void)drill;
        return r < 0 ? r
                     : must_fail(attempt, dockerfile, "a step's mount has the host's files", err);
}

/* The cache mounts that are named after the attempt's directory: no user's. */
static bool is_of_attempt(void *data, const char *description) {
        const Attempt *attempt = data;

        return strstr(description, attempt->directory);
}

/* A new cache that is named after a directory of the host's. */
static int run_cache_ids(const Drill *drill, Attempt *attempt, Error *err) {
        _cleanup_free_ char *dockerfile =
                str_format("FROM brig-drill:guest\nRUN --mount=type=cache,target=/m,id=../../../../"
                           "../../../../../../../..%s [\"/guest\", \"mounted\"]\n",
                           attempt->directory);
        Error second = {};
        size_t count = 0;
        int r, dropped;

        (void)drill;
        r = must_fail(attempt, dockerfile, "a step's cache is a directory of the host's", err);
        /* A build that failed has made some, too. */
        dropped = caches_drop(attempt->cli, is_of_attempt, attempt, &count, r < 0 ? &second : err);
        return r < 0 ? r : dropped;
}

static int run_environment(const Drill *drill, Attempt *attempt, Error *err) {
        (void)drill;
        return must_fail(attempt, "FROM brig-drill:guest\nRUN [\"/guest\", \"environment\"]\n",
                         "a step sees an environment that is not its image's", err);
}

static const Drill drills[] = {
        { "build-security", "CVE-2024-23653", "A step that asks to be confined by nothing",
          "report it: a build gets what neither its client nor the daemon allows", run_security,
          NULL },
        { "build-source", "CVE-2024-23651", "A mount's source through an image's link",
          "report it: a step's mount is found outside of its image", run_source, NULL },
        { "build-cache-ids", "", "A cache mount whose id has ../",
          "report it: a cache's id reaches a path unread", run_cache_ids, NULL },
        { "build-environment", "CVE-2021-3602", "The daemon's environment in a step",
          "report it: a step is given the daemon's environment", run_environment, NULL },
};

const DrillSet build_drills = { drills, ELEMENTS(drills) };
