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

static const Drill drills[] = {
        { "build-security", "CVE-2024-23653", "A step that asks to be confined by nothing",
          "report it: a build gets what neither its client nor the daemon allows", run_security,
          NULL },
};

const DrillSet build_drills = { drills, ELEMENTS(drills) };
