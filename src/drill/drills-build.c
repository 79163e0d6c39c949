/* drills-build.c: drills that are hostile builds: contexts of our own, sent as Docker's classic
 * builder sends them. */
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "drill/drill.h"
#include "format/digest.h"

#define PATIENCE (60 * NSEC_PER_SEC)

/* The Dockerfile, and a file. */
static void write_context(Buf *tar, const char *dockerfile) {
        tar_add(tar, &(TarEntry){ "Dockerfile", NULL, TAR_FILE, 0644, dockerfile,
                                  strlen(dockerfile), NULL });
        tar_add(tar, &(TarEntry){ "file", NULL, TAR_FILE, 0644, "good\n", 5, NULL });
        tar_end(tar);
}

/* As brig-drill:built. 0: it was built; 1: refused, for the reason that why is part of. */
static int build_from(const Attempt *attempt, const char *dockerfile, const char *query,
                      const char *why, Error *err) {
        _cleanup_free_ char *path = str_format("/build?t=brig-drill:built%s", query);
        _cleanup_buf_ Buf tar = {};
        int r = box_remove_image(attempt->cli, "built", err);

        write_context(&tar, dockerfile);
        return r < 0 ? r : box_send_tar(attempt->cli, path, &tar, why, err);
}

static int build(const Attempt *attempt, const char *dockerfile, const char *why, Error *err) {
        return build_from(attempt, dockerfile, "&nocache=1", why, err);
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

/* Those of builds that failed, too. */
static int drop_caches(Attempt *attempt, int r, Error *err) {
        Error second = {};
        size_t count = 0;
        int dropped =
                caches_drop(attempt->cli, is_of_attempt, attempt, &count, r < 0 ? &second : err);

        return r < 0 ? r : dropped;
}

/* A new cache that is named after a directory of the host's. */
static int run_cache_ids(const Drill *drill, Attempt *attempt, Error *err) {
        _cleanup_free_ char *dockerfile =
                str_format("FROM brig-drill:guest\nRUN --mount=type=cache,target=/m,id=../../../../"
                           "../../../../../../../..%s [\"/guest\", \"mounted\"]\n",
                           attempt->directory);
        int r = must_fail(attempt, dockerfile, "a step's cache is a directory of the host's", err);

        (void)drill;
        return drop_caches(attempt, r, err);
}

static int run_environment(const Drill *drill, Attempt *attempt, Error *err) {
        (void)drill;
        return must_fail(attempt, "FROM brig-drill:guest\nRUN [\"/guest\", \"environment\"]\n",
                         "a step sees an environment that is not its image's", err);
}

/* ---- what is left of a step's mount points ---- */

/* Mount points by way of the image's link, named as what the host has at its end: who removes them
 * by their names removes that. */
static int run_mounts(const Drill *drill, Attempt *attempt, Error *err) {
        _cleanup_free_ char *dockerfile =
                str_format("FROM brig-drill:linked\nRUN --mount=type=tmpfs,target=/abs/canary "
                           "--mount=type=cache,target=/abs/cache,id=%s [\"/guest\", \"user\"]\n",
                           attempt->directory);
        int r = box_import_link(attempt, "linked", "abs", err);

        (void)drill;
        if (r == 0)
                r = build(attempt, dockerfile, NULL, err);
        return drop_caches(attempt, r, err);
}

/* ---- a cache that another step changes ---- */

#define RACES_MAX 4
#define PLACES 12 /* each a mount point of a step */

/* A build whose step exchanges names in the cache, until *ret_fd is closed. */
static int begin_exchange(const Attempt *attempt, int *ret_fd, Error *err) {
        const struct timeval patience = { .tv_sec = PATIENCE / NSEC_PER_SEC };
        _cleanup_free_ char *dockerfile =
                str_format("FROM brig-drill:guest\nENV LINK=%s\nRUN --mount=type=cache,target=/tmp,"
                           "id=%s [\"/guest\", \"swap\"]\n",
                           attempt->directory, attempt->directory);
        _cleanup_close_ int fd = http_client_dial(attempt->cli->http, err);
        _cleanup_buf_ Buf tar = {}, request = {}, answer = {};
        int r;

        if (fd < 0)
                return fd;
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        write_context(&tar, dockerfile);
        buf_format(&request,
                   "POST /build?nocache=1 HTTP/1.1\r\nHost: brig\r\nContent-Type: "
                   "application/x-tar\r\nContent-Length: %zu\r\n\r\n",
                   tar.length);
        buf_add(&request, tar.data, tar.length);
        r = fd_write_full(fd, request.data, request.length);
        if (r < 0)
                return error_set(err, -r, "send a build");
        while (!answer.data || !strstr(answer.data, "exchanging")) {
                char bytes[4096];
                ssize_t n = read(fd, bytes, sizeof(bytes));

                if (n <= 0)
                        return error_kind(err, ERROR_INTERNAL, "no step exchanged names: %s",
                                          answer.data ?: "no answer");
                buf_add(&answer, bytes, (size_t)n);
        }
        *ret_fd = TAKE_FD(fd);
        return 0;
}

/* Mounts below what the other step exchanges: made there, refused, or made where the link leads
 * inside of the step's own root. */
static int mount_below(Attempt *attempt, Error *err) {
        _cleanup_free_ char *place = str_format("%s/made", attempt->directory);
        _cleanup_buf_ Buf dockerfile = {};
        int r;

        buf_format(&dockerfile, "FROM brig-drill:guest\nRUN --mount=type=cache,target=/c,id=%s",
                   attempt->directory);
        for (size_t i = 0; i < PLACES; i++)
                buf_format(&dockerfile, " --mount=type=tmpfs,target=/c/place/made%zu", i);
        buf_add_str(&dockerfile, " [\"/guest\", \"user\"]\n");
        r = build(attempt, dockerfile.data, "in the container's root", err);
        for (size_t i = 0; r >= 0 && i < PLACES; i++) {
                _cleanup_free_ char *made = str_format("%s%zu", place, i);

                if (access(made, F_OK) == 0) {
                        buf_add_str(attempt->got, "a step's mount point is made on the host\n");
                        break;
                }
        }
        return MIN(r, 0);
}

/* The step that exchanges ends a moment after its client has gone; its cache stays until then. */
static int drop_caches_in_use(Attempt *attempt, int r, Error *err) {
        int64_t end = clock_monotonic() + PATIENCE;
        size_t count = 1;

        while (count > 0 && clock_monotonic() < end) {
                Error second = {};
                int dropped;

                count = 0;
                dropped = caches_drop(attempt->cli, is_of_attempt, attempt, &count,
                                      r < 0 ? &second : err);
                if (dropped < 0)
                        return r < 0 ? r : dropped;
                if (count > 0)
                        (void)poll(NULL, 0, 50);
        }
        return r < 0 || count == 0 ? r
                                   : error_kind(err, ERROR_INTERNAL,
                                                "the cache of a build that was cancelled stays");
}

static int run_cache_race(const Drill *drill, Attempt *attempt, Error *err) {
        int64_t races = MIN(attempt->rounds, RACES_MAX);
        _cleanup_close_ int fd = -1;
        int r = cli_connect(attempt->cli, err);

        (void)drill;
        if (r == 0)
                r = begin_exchange(attempt, &fd, err);
        for (int64_t i = 0; r == 0 && i < races && attempt->got->length == 0; i++)
                r = mount_below(attempt, err);
        close_fd(&fd);
        return drop_caches_in_use(attempt, r, err);
}

/* ---- histories ---- */

/* One of the two cases: what the image stands upon. */
typedef struct Below {
        const char *base; /* of the Dockerfile */
        const Buf *layer; /* the same as an archive, NULL: nothing */
} Below;

static const char evil[] = "evil\n";

static void make_layer(Buf *tar, char digest[DIGEST_TEXT_MAX]) {
        tar_add(tar, &(TarEntry){ "file", NULL, TAR_FILE, 0644, evil, strlen(evil), NULL });
        tar_end(tar);
        digest_of(tar->data, tar->length, digest);
}

/* Its history is that of what the Dockerfile makes, its last layer is not. As `docker save` writes
 * images. */
static int load_history(const Attempt *attempt, const Below *below, const Buf *layer,
                        const char *digest, Error *err) {
        static const char manifest[] =
                "[{\"Config\":\"c.json\",\"RepoTags\":[\"brig-drill:history\"],"
                "\"Layers\":[%s\"evil.tar\"]}]";
        _cleanup_free_ char *index = str_format(manifest, below->layer ? "\"below.tar\"," : "");
        _cleanup_free_ char *first = NULL, *config = NULL;
        _cleanup_buf_ Buf tar = {};
        char under[DIGEST_TEXT_MAX];

        if (below->layer) {
                digest_of(below->layer->data, below->layer->length, under);
                first = str_format("\"%s\",", under);
                tar_add(&tar, &(TarEntry){ "below.tar", NULL, TAR_FILE, 0644, below->layer->data,
                                           below->layer->length, NULL });
        }
        config =
                str_format("{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{},\"history\":"
                           "[%s{\"created_by\":\"COPY file %s/file # buildkit\"}],\"rootfs\":{"
                           "\"type\":\"layers\",\"diff_ids\":[%s\"%s\"]}}",
                           first ? "{\"comment\":\"Imported from -\"}," : "", attempt->directory,
                           first ?: "", digest);
        tar_add(&tar,
                &(TarEntry){ "evil.tar", NULL, TAR_FILE, 0644, layer->data, layer->length, NULL });
        tar_add(&tar, &(TarEntry){ "c.json", NULL, TAR_FILE, 0644, config, strlen(config), NULL });
        tar_add(&tar,
                &(TarEntry){ "manifest.json", NULL, TAR_FILE, 0644, index, strlen(index), NULL });
        tar_end(&tar);
        return box_send_tar(attempt->cli, "/images/load?quiet=1", &tar, NULL, err);
}

static int build_copy(const Attempt *attempt, const Below *below, Error *err) {
        _cleanup_free_ char *dockerfile =
                str_format("FROM %s\nCOPY file %s/file\n", below->base, attempt->directory);

        return build_from(attempt, dockerfile, "", NULL, err);
}

static int try_history(Attempt *attempt, const Below *below, Error *err) {
        _cleanup_json_ json_object *image = NULL;
        _cleanup_buf_ Buf layer = {};
        char digest[DIGEST_TEXT_MAX];
        json_object *layers;
        int r;

        make_layer(&layer, digest);
        r = box_remove_image(attempt->cli, "history", err);
        if (r == 0)
                r = load_history(attempt, below, &layer, digest, err);
        if (r == 0)
                r = build_copy(attempt, below, err);
        if (r == 0)
                r = api_json(attempt->cli, "GET", "/images/brig-drill:built/json", NULL, &image,
                             err);
        if (r < 0)
                return r;
        layers = json_member(json_member(image, "RootFS"), "Layers");
        for (size_t i = 0; i < json_object_array_length(layers); i++)
                if (str_equal(json_object_get_string(json_object_array_get_idx(layers, i)), digest))
                        buf_format(attempt->got,
                                   "a build FROM %s takes a layer of an image whose history is "
                                   "like its own\n",
                                   below->base);
        return 0;
}

static int run_history(const Drill *drill, Attempt *attempt, Error *err) {
        _cleanup_buf_ Buf guest = {};
        const Below belows[] = { { "scratch", NULL }, { "brig-drill:guest", &guest } };
        int r = box_guest_tar(&guest, err);

        (void)drill;
        if (r < 0)
                return r;
        tar_end(&guest);
        for (size_t i = 0; r == 0 && i < ELEMENTS(belows); i++)
                r = try_history(attempt, &belows[i], err);
        return drop_caches(attempt, r, err);
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
        { "build-mounts", "CVE-2024-23652", "A step's mount points by way of an image's link",
          "report it: what a step's mounts left is removed by name", run_mounts, NULL },
        { "build-cache-race", "CVE-2024-23651",
          "Mounts in a cache that another step changes meanwhile",
          "report it: a step's mount point is made outside of its root", run_cache_race, NULL },
        { "build-history", "CVE-2024-24557", "An image whose history is that of another's build",
          "report it: a build takes files that its Dockerfile did not make", run_history, NULL },
};

const DrillSet build_drills = { drills, ELEMENTS(drills) };
