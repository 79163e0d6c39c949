/* drills-image.c: drills that are hostile archives and documents; and what of the catalogue is not
 * tried. */
#include "drill/drill.h"
#include "format/digest.h"

/* ---- archives ---- */

/* Refused for the reason that why is part of, and nothing of it on the host. */
static int must_refuse(Attempt *attempt, const char *what, const char *why, const TarEntry *entries,
                       size_t count, Error *err) {
        _cleanup_buf_ Buf tar = {};
        int r;

        for (size_t i = 0; i < count; i++)
                tar_add(&tar, &entries[i]);
        tar_end(&tar);
        r = box_import(attempt->cli, "hostile", &tar, why, err);
        if (r == 0)
                buf_format(attempt->got, "an archive is taken with %s\n", what);
        return r < 0 ? error_prefix(err, "an archive with %s", what) : 0;
}

static int run_dots(const Drill *drill, Attempt *attempt, Error *err) {
        _cleanup_free_ char *up =
                str_format("../../../../../../../..%s/canary", attempt->directory);
        const struct {
                const char *what;
                TarEntry entry;
        } cases[] = { { "'..' at a name's start", { up, NULL, TAR_FILE, 0644, "evil\n", 5, NULL } },
                      { "'..' inside a name",
                        { "a/../../b", NULL, TAR_FILE, 0644, "evil\n", 5, NULL } },
                      { "'..' itself", { "..", NULL, TAR_DIRECTORY, 0777, NULL, 0, NULL } } };
        int r = 0;

        (void)drill;
        for (size_t i = 0; r == 0 && i < ELEMENTS(cases); i++)
                r = must_refuse(attempt, cases[i].what, "'..' in its name", &cases[i].entry, 1,
                                err);
        return r;
}

/* Links count as inside the archive's root, where absolute ones are legitimate: the oracle judges.
 */
static int run_link_parents(const Drill *drill, Attempt *attempt, Error *err) {
        _cleanup_free_ char *up = str_format("../../../../../../../..%s", attempt->directory);
        _cleanup_free_ char *canary = str_format("%s/canary", attempt->directory);
        const TarEntry entries[][3] = {
                { { "link", attempt->directory, TAR_LINK, 0777, NULL, 0, NULL },
                  { "link/canary", NULL, TAR_FILE, 0644, "evil\n", 5, NULL } },
                { { "link", up, TAR_LINK, 0777, NULL, 0, NULL },
                  { "link/new", NULL, TAR_FILE, 0644, "evil\n", 5, NULL } },
                { { "link", attempt->directory, TAR_LINK, 0777, NULL, 0, NULL },
                  { "hard", "link/canary", TAR_HARD_LINK, 0644, NULL, 0, NULL },
                  { "hard", NULL, TAR_FILE, 0644, "evil\n", 5, NULL } },
                { { "hard", canary, TAR_HARD_LINK, 0644, NULL, 0, NULL },
                  { "hard", NULL, TAR_FILE, 0644, "evil\n", 5, NULL } },
                { { "canary", canary, TAR_LINK, 0777, NULL, 0, NULL },
                  { "canary", NULL, TAR_FILE, 0644, "evil\n", 5, NULL } },
        };
        int r = 0;

        (void)drill;
        for (size_t i = 0; r >= 0 && i < ELEMENTS(entries); i++) {
                _cleanup_buf_ Buf tar = {};

                for (size_t k = 0; k < 3 && entries[i][k].path; k++)
                        tar_add(&tar, &entries[i][k]);
                tar_end(&tar);
                r = box_import(attempt->cli, "hostile", &tar, "refused archive entry", err);
        }
        return MIN(r, 0);
}

/* The first is a file of four bytes and a hole, as GNU tar writes one: a few hundred bytes that
 * unpack to more than a layer may hold. */
static int run_sizes(const Drill *drill, Attempt *attempt, Error *err) {
        static const struct {
                const char *records, *why;
        } cases[] = {
                { "GNU.sparse.size=300000000000\nGNU.sparse.numblocks=1\nGNU.sparse.map=0,4",
                  "the archive holds more than" },
                { "size=4611686018427387904", "the archive holds more than" },
                { "size=9223372036854775808", "damaged tar archive" },
                { "size=18446744073709551621", "damaged tar archive" },
                { "size=-1", "damaged tar archive" },
        };
        int r = 0;

        (void)drill;
        for (size_t i = 0; r == 0 && i < ELEMENTS(cases); i++) {
                const TarEntry entry = { "big", NULL, TAR_FILE, 0644, "data", 4, cases[i].records };

                r = must_refuse(attempt, cases[i].records, cases[i].why, &entry, 1, err);
        }
        return r;
}

static int run_whiteouts(const Drill *drill, Attempt *attempt, Error *err) {
        static const char *const names[] = { ".wh.", ".wh..", ".wh...", "a/.wh.." };
        int r = 0;

        (void)drill;
        for (size_t i = 0; r == 0 && i < ELEMENTS(names); i++) {
                const TarEntry entry = { names[i], NULL, TAR_FILE, 0644, NULL, 0, NULL };

                r = must_refuse(attempt, names[i], "a deletion mark without a name", &entry, 1,
                                err);
        }
        return r;
}

/* ---- documents ---- */

static void add_blob(Buf *tar, const char *text, char digest[DIGEST_TEXT_MAX]) {
        _cleanup_free_ char *path = NULL;

        digest_of(text, strlen(text), digest);
        path = str_format("blobs/sha256/%s", str_after(digest, "sha256:"));
        tar_add(tar, &(TarEntry){ path, NULL, TAR_FILE, 0644, text, strlen(text), NULL });
}

/* A manifest that is an index as well: who checks one and uses the other has checked nothing. */
static int run_ambiguous(const Drill *drill, Attempt *attempt, Error *err) {
        static const char config[] =
                "{\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\","
                "\"diff_ids\":[]}}";
        static const char layout[] = "{\"imageLayoutVersion\":\"1.0.0\"}";
        char config_digest[DIGEST_TEXT_MAX], digest[DIGEST_TEXT_MAX];
        _cleanup_free_ char *manifest = NULL, *index = NULL;
        _cleanup_buf_ Buf tar = {};
        int r;

        (void)drill;
        add_blob(&tar, config, config_digest);
        manifest = str_format(
                "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\","
                "\"config\":{\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\"digest\":"
                "\"%s\",\"size\":%zu},\"layers\":[],\"manifests\":[]}",
                config_digest, strlen(config));
        add_blob(&tar, manifest, digest);
        index = str_format("{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":"
                           "\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"%s\","
                           "\"size\":%zu,\"annotations\":{\"io.containerd.image.name\":"
                           "\"docker.io/library/brig-drill:ambiguous\",\"org.opencontainers.image."
                           "ref.name\":\"ambiguous\"}}]}",
                           digest, strlen(manifest));
        tar_add(&tar,
                &(TarEntry){ "oci-layout", NULL, TAR_FILE, 0644, layout, strlen(layout), NULL });
        tar_add(&tar,
                &(TarEntry){ "index.json", NULL, TAR_FILE, 0644, index, strlen(index), NULL });
        tar_end(&tar);
        r = box_send_tar(attempt->cli, "/images/load?quiet=1", &tar, "refused as ambiguous", err);
        if (r == 0)
                buf_add_str(attempt->got, "a manifest with layers and manifests is loaded\n");
        return MIN(r, 0);
}

#define REPORT_UNPACK "report it: the archive's reader takes what it must refuse"

static const Drill drills[] = {
        { "unpack-dots", "", "Archives whose names have '..'", REPORT_UNPACK, run_dots, NULL },
        { "unpack-links", "", "Parents that are links, hard links through links, to the host",
          REPORT_UNPACK, run_link_parents, NULL },
        { "unpack-sizes", "", "Sparse maps; PAX sizes of 2^63, 2^64, below zero", REPORT_UNPACK,
          run_sizes, NULL },
        { "unpack-whiteouts", "", "Whiteouts of '.', '..' and nothing", REPORT_UNPACK,
          run_whiteouts, NULL },
        { "ambiguous-manifest", "CVE-2021-41190", "A manifest that is an index as well",
          "report it: a document is taken in two ways", run_ambiguous, NULL },
};

const DrillSet image_drills = { drills, ELEMENTS(drills) };
