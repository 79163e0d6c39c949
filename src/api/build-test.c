/* build-test.c: POST /build in brig's own form, clients that leave, and the calls on the cache,
 * with the fake engine's scripted builds. */
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "api/ask.h"
#include "api/build.h"
#include "api/fake-engine.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/test.h"
#include "spec/build.h"

#define IMAGE "sha256:abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789"

/* ---- brig's own form ---- */

/* What a request brings along. */
typedef enum Brought { DIRECTORY, DIRECTORY_PATH, AGENT, FILE_READ, FILE_WRITE } Brought;

#define OUTPUT(text) "{\"dockerfile\":\"\",\"outputs\":[{" text "}]}"

static int open_thing(Brought what) {
        int pair[2], fd = -1;
        _cleanup_free_ char *path = NULL;

        if (what == DIRECTORY)
                return open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (what == DIRECTORY_PATH)
                return open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (what == AGENT) {
                if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                        abort();
                close_fd(&pair[1]);
                return pair[0];
        }
        fd = memfd_create("test", MFD_CLOEXEC);
        if (what == FILE_WRITE)
                return fd;
        path = str_format("/proc/self/fd/%d", fd);
        pair[0] = open(path, O_RDONLY | O_CLOEXEC);
        close_fd(&fd);
        return pair[0];
}

/* Sends the document with what it brings. */
static void ask_build(const char *document, const Brought *brought, size_t count) {
        _cleanup_free_ char *text = str_format(
                "POST /build HTTP/1.1\r\nHost: d\r\nConnection: close\r\nContent-Type: %s\r\n"
                "Content-Length: %zu\r\n\r\n%s",
                BUILD_DOCUMENT_TYPE, strlen(document), document);
        int pair[2], fds[8] = { 0 };

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                abort();
        for (size_t i = 0; i < count; i++)
                fds[i] = open_thing(brought[i]);
        fake_build[0] = '\0';
        if (fd_send(pair[0], text, strlen(text), fds, count) < 0)
                abort();
        for (size_t i = 0; i < count; i++)
                close_fd(&fds[i]);
        ask_done();
        answer = ask_over(pair, "", 0);
}

TEST(document_request) {
        static const Brought brought[] = { AGENT, DIRECTORY, FILE_WRITE, DIRECTORY };
        size_t before = open_fds();

        ask_build(
                "{\"dockerfile\":\"FROM "
                "x\",\"ignore\":\"*\",\"contexts\":[{\"name\":\"\",\"fd\":1},"
                "{\"name\":\"i\",\"image\":\"busybox\"},{\"name\":\"u\",\"url\":\"http://u\"}],"
                "\"args\":[\"A=1\"],\"labels\":[\"l=v\"],\"tags\":[\"t\"],\"noCacheFilter\":[\"s\"]"
                ","
                "\"extraHosts\":[\"h:1\"],\"allow\":[\"security.insecure\",\"network.host\"],"
                "\"platform\":\"linux/amd64,linux/"
                "arm64\",\"network\":\"none\","
                "\"ulimits\":[{\"Name\":\"core\",\"Soft\":1,\"Hard\":2}],\"shmSize\":3,\"memory\":"
                "4,\"memorySwap\":-1,\"cpuShares\":5,\"cpuPeriod\":6,"
                "\"cpuQuota\":7,\"cpusetCpus\":\"0\",\"cpusetMems\":\"1\",\"cgroupParent\":\"/p\","
                "\"annotations\":[{\"of\":\"index\",\"key\":\"k\",\"value\":\"v\"}],\"secrets\":[{"
                "\"id\":\"s\",\"value\":\"c2VjcmV0\"}],"
                "\"ssh\":[{\"id\":\"default\",\"fd\":0}],\"noCache\":true,\"pull\":true,"
                "\"outputs\":[{\"type\":\"tar\",\"fd\":2}]}",
                brought, ELEMENTS(brought));
        ASSERT_INT(status(), 200);
        ASSERT_STR(fake_build,
                   "text FROM x\nfile Dockerfile\nignore *\ncontext '' \n"
                   "context 'i' busybox\ncontext 'u' http://u\nsecret s secret\n"
                   "ssh default 1\nulimit core 1:2\nargs A=1\nlabels l=v\n"
                   "tags docker.io/library/t:latest\nfilter s\nhosts h:1\n"
                   "allow security.insecure network.host\n"
                   "platform linux/amd64 linux/arm64\nnetwork none\nshm 3\nmemory 4\nswap "
                   "-1\nshares 5\n"
                   "period 6\nquota 7\ncpus 0\nmems 1\nparent /p\nnocache 1\npull 1\n index:k=v\n"
                   "output tar 1 owner 1\n");
        ASSERT_INT(open_fds(), before);
        ask_build("{\"contexts\":[{\"name\":\"\",\"fd\":1}],\"outputs\":[{\"type\":\"local\","
                  "\"fd\":3},"
                  "{\"type\":\"image\",\"push\":true,\"names\":[\"h:1/a\",\"b\"],"
                  "\"compression\":\"zstd\",\"compressionLevel\":7,\"forceCompression\":true,"
                  "\"annotations\":[{\"of\":\"index\",\"key\":\"k\",\"value\":\"v\"}]},"
                  "{\"type\":\"image\",\"push\":true,\"byDigest\":true,\"names\":[\"b\"],"
                  "\"compression\":\"uncompressed\",\"compressionLevel\":99},"
                  "{\"type\":\"oci\",\"fd\":2,\"compressionLevel\":1,\"dockerMediaTypes\":true}]}",
                  brought, ELEMENTS(brought));
        ASSERT_STR(fake_build,
                   "file Dockerfile\ncontext '' \noutput local 1 owner 1\n"
                   "output image 0 owner 1 push h:1/a:latest docker.io/library/b:latest form 2 "
                   "level 7 force 1 docker 0 index:k=v\n"
                   "output image 0 owner 1 push by digest docker.io/library/b form 3 level -1\n"
                   "output oci 1 owner 1 form 1 level 1 force 0 docker 1\n");
        ASSERT_INT(open_fds(), before);
        ask_build("{\"contexts\":[{\"name\":\"\",\"tar\":1}]}", (Brought[]){ AGENT, FILE_READ }, 2);
        ASSERT_STR(fake_build, "file Dockerfile\ncontext '' tar\n");
        ASSERT_INT(open_fds(), before);
        ask_build("{\"dockerfile\":\"\",\"contexts\":[{\"name\":\"l\",\"layout\":1,\"path\":\"p\","
                  "\"tag\":\"v1\",\"digest\":\"d\"}]}",
                  brought, 2);
        ASSERT_STR(fake_build, "text \nfile Dockerfile\ncontext 'l' oci-layout://l p:v1@d\n");
        ASSERT_INT(open_fds(), before);
}

TEST(document_progress) {
        static const struct {
                const char *kind, *text, *part;
        } lines[] = {
                { "planned", NULL, "\"total\":3" },
                { "status", NULL, "\"layer\":\"aa\"" },
                { "cached", NULL, "\"name\":\"[1/3] FROM busybox\"" },
                { "started", NULL, "\"why\":\"the command changed\"" },
                { "output", "hi \"you\"\n", "\"stream\":1" },
                { "output", "b/9wcwo=", "\"encoded\":true" },
                { "done", NULL, "\"step\":1" },
                { "started", NULL, "\"step\":2" },
                { "done", NULL, "\"layer\":\"\"" },
                { "warning", "a finding", "\"line\":2,\"endLine\":3" },
                { "warning", "no sense", "warning" },
                { "image", IMAGE, "image" },
                { "tagged", "docker.io/library/t:latest", "tagged" },
                { "end", NULL, "\"image\":\"" IMAGE "\"" },
        };
        _cleanup_strv_ char **got = NULL;

        ask_build("{\"dockerfile\":\"FROM x\"}", NULL, 0);
        ASSERT_INT(status(), 200);
        ASSERT(strstr(answer, "\r\nContent-Type: " BUILD_DOCUMENT_TYPE "\r\n"));
        got = str_split(chunks(), '\n');
        ASSERT_INT(strv_length(got), ELEMENTS(lines) + 1);
        for (size_t i = 0; i < ELEMENTS(lines); i++) {
                BuildProgress progress = { 0 };
                Error err = { 0 };

                ASSERT_OK(
                        json_parse(&build_progress_table, got[i], strlen(got[i]), &progress, &err),
                        &err);
                ASSERT_STR(progress.kind, lines[i].kind);
                ASSERT_STR(progress.text, lines[i].text);
                ASSERT(!progress.error);
                ASSERT(strstr(got[i], lines[i].part));
                json_done(&build_progress_table, &progress);
        }
}

TEST(document_texts_and_readings) {
        ask_build("{\"texts\":true,\"contexts\":[{\"name\":\"\",\"tar\":0}]}",
                  (Brought[]){ FILE_READ }, 1);
        ASSERT_STR(fake_build, "file Dockerfile\ncontext '' tar\ntexts 1\n");
        ASSERT(str_after(chunks(),
                         "{\"kind\":\"dockerfile\",\"name\":\"Dockerfile\",\"text\":"
                         "\"RlJPTSD/\",\"encoded\":true}\n"
                         "{\"kind\":\"ignore\",\"name\":\".dockerignore\",\"text\":\"*\\n\"}\n"
                         "{\"kind\":\"end\","));
        ask_build("{\"dockerfile\":\"FROM x\",\"target\":\"reading\"}", NULL, 0);
        ASSERT(strstr(chunks(), "{\"kind\":\"reading\",\"step\":3,\"total\":18,\"current\":18,"
                                "\"name\":\"[internal] load build context\"}\n"));
        ASSERT(strstr(chunks(), "\"inputs\":[0,7]"));
        /* Docker's stream has no words for that. */
        ask("POST /build?target=reading", "", "FROM x");
        ASSERT_INT(status(), 200);
        ASSERT(!strstr(chunks(), "load build context"));
}

TEST(document_errors) {
        size_t before = open_fds();

        ask_build("{\"dockerfile\":\"x\",\"target\":\"early\"}", NULL, 0);
        ASSERT_INT(status(), 400);
        ASSERT_STR(body(), "{\"message\":\"Dockerfile:1:1: unknown instruction\"}\n");
        ask_build("{\"dockerfile\":\"x\",\"target\":\"failing\"}", NULL, 0);
        ASSERT_INT(status(), 200);
        ASSERT(strstr(chunks(), "{\"kind\":\"failed\",\"step\":2,\"text\":\"it failed\"}\n"));
        ASSERT(str_ends(chunks(),
                        "\"error\":\"The command '/bin/sh -c c' returned a non-zero code: "
                        "7\"}\n"));
        ASSERT_INT(open_fds(), before);
}

static const struct {
        const char *document;
        Brought brought[2];
        const char *part;
} refusals[] = {
        { "{}", { DIRECTORY, AGENT }, "give the Dockerfile's text" },
        { "{\"allow\":[\"network.host\",\"all\"]}",
          { DIRECTORY, AGENT },
          "allow all: no such thing can be allowed" },
        { "[]", { DIRECTORY, AGENT }, "build: must be an object" },
        { "", { DIRECTORY, AGENT }, "" },
        { "{\"contexts\":[{\"name\":\"\",\"fd\":2}]}",
          { DIRECTORY, AGENT },
          "context '': descriptor 2 did not come along with the request, which brought 2" },
        { "{\"contexts\":[{\"name\":\"\",\"fd\":-1}]}", { DIRECTORY, AGENT }, "descriptor -1" },
        { "{\"contexts\":[{\"name\":\"\",\"fd\":1}]}",
          { DIRECTORY, AGENT },
          "context '': its descriptor is no directory" },
        { "{\"contexts\":[{\"name\":\"\",\"fd\":0},{\"name\":\"a\",\"fd\":0}]}",
          { DIRECTORY, AGENT },
          "context 'a': descriptor 0 is named twice" },
        { "{\"contexts\":[{\"name\":\"\",\"fd\":0},{\"name\":\"\",\"url\":\"http://x\"}]}",
          { DIRECTORY, AGENT },
          "one directory, archive or URL" },
        { "{\"contexts\":[{\"name\":\"a\"}]}", { DIRECTORY, AGENT }, "context 'a': give one of" },
        { "{\"contexts\":[{\"name\":\"a\",\"fd\":0,\"image\":\"b\"}]}",
          { DIRECTORY, AGENT },
          "context 'a': give one of" },
        { "{\"contexts\":[{\"name\":\"a\",\"fd\":0,\"tag\":\"v1\"}]}",
          { DIRECTORY, AGENT },
          "context 'a': 'path', 'tag' and 'digest' are of a 'layout'" },
        { "{\"contexts\":[{\"name\":\"a\",\"fd\":0,\"path\":\"p\"}]}",
          { DIRECTORY, AGENT },
          "context 'a': 'path', 'tag' and 'digest' are of a 'layout'" },
        { "{\"contexts\":[{\"name\":\"a\",\"fd\":0,\"layout\":0}]}",
          { DIRECTORY, AGENT },
          "context 'a': give one of" },
        { "{\"contexts\":[{\"name\":\"a\",\"layout\":1}]}",
          { DIRECTORY, AGENT },
          "context 'a': its descriptor is no directory" },
        { "{\"contexts\":[{\"name\":\"\",\"layout\":0}]}",
          { DIRECTORY, AGENT },
          "one directory, archive or URL" },
        { "{\"dockerfile\":\"\",\"ssh\":[{\"id\":\"s\",\"fd\":0}]}",
          { DIRECTORY, AGENT },
          "ssh 's': its descriptor is no socket" },
        { "{\"dockerfile\":\"\",\"secrets\":[{\"id\":\"s\",\"value\":\"!\"}]}",
          { DIRECTORY, AGENT },
          "secret 's': not base64" },
        { OUTPUT("\"type\":\"x\",\"fd\":0"), { DIRECTORY, AGENT }, "output 'x' is none of" },
        { OUTPUT("\"type\":\"tar\""), { DIRECTORY, AGENT }, "output 'tar' needs 'fd'" },
        { OUTPUT("\"type\":\"image\",\"fd\":0"),
          { DIRECTORY, AGENT },
          "output 'image' has no 'fd'" },
        { OUTPUT("\"fd\":0"), { DIRECTORY, AGENT }, "type" },
        { OUTPUT("\"type\":\"tar\",\"fd\":0"),
          { DIRECTORY, AGENT },
          "output 'tar': its descriptor cannot be written to" },
        { OUTPUT("\"type\":\"tar\",\"fd\":1"),
          { DIRECTORY, FILE_READ },
          "output 'tar': its descriptor cannot be written to" },
        { OUTPUT("\"type\":\"oci\",\"layout\":true,\"fd\":1"),
          { DIRECTORY, FILE_WRITE },
          "output 'oci': its descriptor is no directory" },
        { OUTPUT("\"type\":\"tar\",\"layout\":true,\"fd\":1"),
          { DIRECTORY, FILE_WRITE },
          "output 'tar' is no layout" },
        { OUTPUT("\"type\":\"local\",\"fd\":1"),
          { DIRECTORY, FILE_WRITE },
          "output 'local': its descriptor is no directory" },
        { OUTPUT("\"type\":\"oci\",\"fd\":1,\"push\":true"),
          { DIRECTORY, FILE_WRITE },
          "output 'oci' cannot be pushed" },
        { OUTPUT("\"type\":\"image\",\"compression\":\"lz4\""),
          { DIRECTORY, AGENT },
          "output 'image': invalid compression 'lz4': gzip, zstd or uncompressed" },
        { OUTPUT("\"type\":\"image\",\"compressionLevel\":10"),
          { DIRECTORY, AGENT },
          "output 'image': compression level 10: gzip has 0 to 9" },
        { OUTPUT("\"type\":\"image\",\"push\":true,\"byDigest\":true,\"names\":[\"a:1\"]"),
          { DIRECTORY, AGENT },
          "output 'image': can't push tagged ref docker.io/library/a:1 by digest" },
        { OUTPUT("\"type\":\"image\",\"push\":true,\"byDigest\":true"),
          { DIRECTORY, AGENT },
          "output 'image': 'byDigest' needs 'names'" },
        { OUTPUT("\"type\":\"image\",\"annotations\":[{\"of\":\"layer\",\"key\":\"k\","
                 "\"value\":\"v\"}]"),
          { DIRECTORY, AGENT },
          "output 'image': an annotation of 'layer'" },
        { OUTPUT("\"type\":\"image\",\"names\":[\"A\"]"),
          { DIRECTORY, AGENT },
          "output 'image': invalid reference format" },
        { "{\"contexts\":[{\"name\":\"\",\"tar\":0}]}",
          { DIRECTORY, AGENT },
          "context '': its descriptor cannot be read from" },
        { "{\"contexts\":[{\"name\":\"\",\"fd\":0}]}",
          { DIRECTORY_PATH, AGENT },
          "context '': its descriptor is not open for reading" },
        { "{\"dockerfile\":\"\",\"tags\":[\"A\"]}",
          { DIRECTORY, AGENT },
          "invalid reference format" },
        { "{\"dockerfile\":\"\",\"memorySwap\":-2}", { DIRECTORY, AGENT }, "memorySwap: -2" },
        { "{\"dockerfile\":\"\",\"shmSize\":-1}", { DIRECTORY, AGENT }, "shmSize: " },
};

TEST(document_refused) {
        size_t before = open_fds();

        for (size_t i = 0; i < ELEMENTS(refusals); i++) {
                ask_build(refusals[i].document, refusals[i].brought, 2);
                ASSERT_INT(status(), 400);
                ASSERT(strstr(body(), refusals[i].part));
                ASSERT_STR(fake_build, "");
                ASSERT_INT(open_fds(), before);
        }
}

TEST(a_network_that_no_step_can_have) {
        static const Brought brought[] = { DIRECTORY, AGENT };

        ask_build("{\"dockerfile\":\"\",\"network\":\"container:a\"}", brought, 2);
        ASSERT_INT(status(), 501);
        ASSERT(strstr(
                body(),
                "network 'container:a': steps have the network default, none, host, or one of "
                "your own by its name"));
        ASSERT_STR(fake_build, "");
}

TEST(outputs_of_files_have_nothing_of_an_image) {
        static const char *const cases[][2] = {
                { "\"names\":[\"a\"]", "names" },
                { "\"compression\":\"gzip\"", "compression" },
                { "\"compressionLevel\":1", "compressionLevel" },
                { "\"forceCompression\":true", "forceCompression" },
                { "\"dockerMediaTypes\":true", "dockerMediaTypes" },
                { "\"annotations\":[{\"of\":\"index\",\"key\":\"k\",\"value\":\"v\"}]",
                  "annotations" },
        };
        static const char *const types[] = { "tar", "local" };
        static const Brought brought[] = { FILE_WRITE, DIRECTORY };

        for (size_t i = 0; i < ELEMENTS(cases); i++)
                for (size_t type = 0; type < 2; type++) {
                        _cleanup_free_ char *text =
                                str_format("{\"dockerfile\":\"\",\"outputs\":[{\"type\":\"%s\","
                                           "\"fd\":%zu,%s}]}",
                                           types[type], type, cases[i][0]);
                        _cleanup_free_ char *part =
                                str_format("output '%s' has no '%s': it is files, not an image",
                                           types[type], cases[i][1]);

                        ask_build(text, brought, 2);
                        ASSERT_INT(status(), 400);
                        ASSERT(strstr(body(), part));
                        ASSERT_STR(fake_build, "");
                }
}

/* ---- a client that leaves ---- */

typedef struct Live {
        Loop *loop;
        Api *api;
        HttpServer *server;
        int fd;
} Live;

static void live_open(Live *live) {
        HttpServerOptions options = { .handler = api_handle };
        int pair[2];

        (void)signal(SIGPIPE, SIG_IGN);
        live->api = options.data = api_new(NULL);
        if (loop_new(&live->loop, NULL) < 0 ||
            http_server_new(live->loop, &options, &live->server, NULL) < 0 ||
            socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                abort();
        live->fd = pair[0];
        http_server_serve(live->server, pair[1]);
}

static bool live_close(Live *live) {
        bool ended = http_server_stop(live->server, 20 * NSEC_PER_SEC);

        if (!ended)
                abort();
        (void)http_server_free(live->server);
        (void)loop_free(live->loop);
        (void)api_free(live->api);
        return ended;
}

/* Reads up to the first output of a build. */
static bool read_output(int fd) {
        char text[4096];
        size_t length = 0;

        while (length < sizeof(text) - 1) {
                ssize_t n = recv(fd, text + length, sizeof(text) - 1 - length, 0);

                if (n <= 0)
                        return false;
                length += (size_t)n;
                text[length] = '\0';
                if (strstr(text, "a1\\n"))
                        return true;
        }
        return false;
}

TEST(client_leaves) {
        static const char *const requests[] = {
                "POST /build?target=wait HTTP/1.1\r\nHost: d\r\nContent-Length: 3\r\n\r\ntar",
                "POST /build HTTP/1.1\r\nHost: d\r\nContent-Type: " BUILD_DOCUMENT_TYPE
                "\r\nContent-Length: 37\r\n\r\n{\"dockerfile\":\"FROM\",\"target\":\"wait\"}",
        };
        size_t before = open_fds();

        for (size_t i = 0; i < ELEMENTS(requests); i++) {
                int cancelled = fake_cancelled;
                Live live;

                live_open(&live);
                ASSERT_INT(fd_write_full(live.fd, requests[i], strlen(requests[i])), 0);
                ASSERT(read_output(live.fd));
                close_fd(&live.fd);
                ASSERT(live_close(&live));
                ASSERT_INT(fake_cancelled, cancelled + 1);
                ASSERT_INT(fake_contexts, 0);
                ASSERT_INT(open_fds(), before);
        }
}

/* A context that breaks off is no build. */
TEST(client_leaves_in_the_context) {
        static const char request[] =
                "POST /build HTTP/1.1\r\nHost: d\r\nContent-Length: 100\r\n\r\nhalf of it";
        size_t before = open_fds();

        fake_build[0] = '\0';
        ask_done();
        answer = ask_raw(request, sizeof(request) - 1);
        ASSERT_INT(status(), 500);
        ASSERT_STR(fake_build, "");
        ASSERT_INT(fake_contexts, 0);
        ASSERT_INT(open_fds(), before);
}

/* ---- the rest ---- */

TEST(cache_and_disk_usage) {
        ASK("POST /build/prune?all=1&keep-storage=5&filters=%7B%22until%22:%7B%2224h%22:true%7D%7D",
            200, "{\"CachesDeleted\":[],\"SpaceReclaimed\":0}\n");
        ASSERT_STR(fake_asked, "prune 1 5 24h");
        ASK("POST /build/prune", 200, "{\"CachesDeleted\":[],\"SpaceReclaimed\":0}\n");
        ASSERT_STR(fake_asked, "prune 0 0 -");
        ask("GET /build/mounts?id=a", "", NULL);
        ASSERT_INT(status(), 200);
        ASSERT(strstr(body(), "archive"));
        ASSERT_STR(fake_asked, "mounts a");
        ask("GET /build/mounts", "", NULL);
        ASSERT_STR(fake_asked, "mounts -");
        ASK("GET /build/mounts?id=none", 404, "{\"message\":\"no cache mount 'none'\"}\n");
        ASK("POST /build/mounts", 200, "{\"Mounts\":[\"a\"]}\n");
        ASK("POST /build/prune?keep-storage=-1", 400,
            "{\"message\":\"keep-storage: -1 is no number of bytes\"}\n");
        ASK("POST /build/prune?filters=%7B%22wrong%22:%5B%22a%22%5D%7D", 400,
            "{\"message\":\"Invalid filter 'wrong'\"}\n");
        ASK("GET /system/df", 200, "{\"LayersSize\":0}\n");
        ASSERT_STR(fake_asked, "df ");
        ASK("GET /system/df?type=image&type=build-cache", 200, "{\"LayersSize\":0}\n");
        ASSERT_STR(fake_asked, "df image,build-cache");
        ASK("GET /system/df?type=x", 400, "{\"message\":\"unknown object type: x\"}\n");
        ask("POST /build/cancel?id=x", "", NULL);
        ASSERT_INT(status(), 501);
}

TEST(release) {
        ask_done(); /* so that a leak checker sees nothing of ours */
}

TEST_MAIN()
