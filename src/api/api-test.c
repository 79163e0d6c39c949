/* api-test.c: requests as clients send them, over a socket pair, to the API with a fake engine. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "api/ask.h"
#include "api/auth.h"
#include "api/fake-engine.h"
#include "api/route.h"
#include "api/stream.h"
#include "base/build-info.h"
#include "base/fd.h"
#include "base/test.h"

TEST(ping) {
        ASK("GET /_ping", 200, "OK");
        ASSERT(strstr(answer, "\r\nApi-Version: 1.51\r\n"));
        ASSERT(strstr(answer, "\r\nDocker-Experimental: true\r\n"));
        ASSERT(strstr(answer, "\r\nOstype: linux\r\n"));
        ASSERT(strstr(answer, "\r\nBuilder-Version: 1\r\n"));
        ASSERT(strstr(answer, "\r\nSwarm: inactive\r\n"));
        ASSERT(strstr(answer, "\r\nServer: brig/"));
        ASK("HEAD /v1.24/_ping", 200, "");
        ASSERT(strstr(answer, "\r\nContent-Length: 0\r\n"));
}

TEST(versions) {
        ASK("GET /v1.23/info", 400,
            "{\"message\":\"client version 1.23 is too old. Minimum supported API version is 1.24, "
            "please upgrade your client to a newer version\"}\n");
        ASK("GET /v1.52/info", 400,
            "{\"message\":\"client version 1.52 is too new. Maximum supported API version is "
            "1.51\"}\n");
        ASK("GET /v2.0/info", 400,
            "{\"message\":\"client version 2.0 is too new. Maximum supported API version is "
            "1.51\"}\n");
        ASK("GET /v1.51/info", 200, "{}\n");
        ASK("GET /info", 200, "{}\n");
        ASK("GET /version/", 404, "{\"message\":\"page not found\"}\n");
        ASK("GET /v1.x/info", 404, "{\"message\":\"page not found\"}\n");
        ASK("PUT /info", 404, "{\"message\":\"page not found\"}\n");
        ask("GET /version", "", NULL);
        ASSERT(strstr(body(), "\"ApiVersion\":\"1.51\",\"MinAPIVersion\":\"1.24\""));
        ASSERT(strstr(body(), "\"Components\":[{\"Name\":\"Engine\""));
}

/* What the sources do not tell is not there; the document's own GitCommit alone is always written.
 */
TEST(says_what_it_was_built_from) {
        _cleanup_free_ char *commit = str_format("\"GitCommit\":\"%s\"", build_info.commit);
        _cleanup_free_ char *built = str_format("\"BuildTime\":\"%s\"", build_info.time);
        _cleanup_free_ char *details = NULL;
        const char *start;

        ask("GET /version", "", NULL);
        start = strstr(body(), "\"Details\":{");
        ASSERT(start);
        details = str_copy_n(start, strcspn(start, "}"));
        ASSERT_INT(strstr(details, commit) != NULL, *build_info.commit != '\0');
        ASSERT_INT(strstr(details, built) != NULL, *build_info.time != '\0');
        ASSERT(strstr(start + strlen(details), commit));
        ASSERT_INT(strstr(start + strlen(details), built) != NULL, *build_info.time != '\0');
}

TEST(not_served) {
        ASK("POST /v1.41/swarm/init", 501,
            "{\"message\":\"swarm is not supported by brig yet\"}\n");
        ASK("POST /plugins/pull", 501,
            "{\"message\":\"installing plugins is not supported by brig yet\"}\n");
        ASK("GET /v1.41/plugins", 200, "[]\n");
        ASK("DELETE /containers/c/a?link=1", 204, "");
        ASSERT_STR(fake_asked, "unlink c a");
        ASK("DELETE /containers/c/a", 404, "{\"message\":\"No such container: c/a\"}\n");
        ASK("DELETE /plugins/a/b:1", 404, "{\"message\":\"plugin \\\"a/b:1\\\" not found\"}\n");
        ASK("POST /plugins/a/b:1/enable", 404,
            "{\"message\":\"plugin \\\"a/b:1\\\" not found\"}\n");
        ASK("POST /swarm/leave", 503, "{\"message\":\"This node is not part of a swarm\"}\n");
        ask("GET /services?filters=x", "", NULL);
        ASSERT_INT(status(), 503);
        ASSERT(strstr(body(), "This node is not a swarm manager. Use \\\"docker swarm init\\\""));
}

TEST(routes) {
        static const struct {
                const char *pattern, *path, *capture; /* NULL: does not match */
        } cases[] = {
                { "/images/{name*}/json", "/images/a:5/b/c/json", "a:5/b/c" },
                { "/images/{name*}/json", "/images/json/json", "json" },
                { "/images/{name*}/json", "/images//json", NULL },
                { "/images/{name*}/json", "/images/json", NULL },
                { "/images/{name*}", "/images/a/json", "a/json" },
                { "/containers/{id}/json", "/containers/a/b/json", NULL },
                { "/containers/{id}/json", "/containers//json", NULL },
                { "/containers/{id}", "/containers/a", "a" },
                { "/containers/{id}", "/containers/a/", NULL },
                { "/networks/{id*}/connect", "/networks/a/b/connect", "a/b" },
                { "/networks/{id*}/connect", "/networks/connect/connect", "connect" },
                { "/info", "/inf", NULL },
                { "/info", "/info2", NULL },
                { "/info", "/infx", NULL },
                { "/containers/{id}/json", "/containers/a/jsox", NULL },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                char *captures[API_CAPTURES];
                bool matches = route_match(cases[i].pattern, cases[i].path, captures);

                ASSERT_INT(matches, cases[i].capture != NULL);
                ASSERT_STR(captures[0], cases[i].capture);
                free(captures[0]);
        }
}

TEST(containers) {
        ASK("GET /containers/json?all=1&limit=3&filters=%7B%22name%22:%5B%22x%22%5D%7D", 200,
            "[]\n");
        ASSERT_STR(fake_asked, "list 1 0 3 x");
        ASK("GET /containers/json?all=False&filters=%7B%22name%22:%7B%22y%22:true%7D%7D", 200,
            "[]\n");
        ASSERT_STR(fake_asked, "list 0 0 0 y");
        ask("GET /containers/json?filters=%7B%22name%22:%5B%22parts%22%5D%7D", "", NULL);
        ASSERT_INT(status(), 200);
        ASSERT_STR(chunks(), "[1,2]\n");
        /* What older clients do not know does not make their lists be held back. */
        ask("GET /v1.45/containers/json?filters=%7B%22name%22:%5B%22parts%22%5D%7D", "", NULL);
        ASSERT_STR(fake_asked, "list 0 0 0 parts plain");
        ASSERT_STR(chunks(), "[1,2]\n");
        ASK("GET /containers/c/json?size=none", 200, "{\"Id\":\"abc\"}\n");
        ASSERT_STR(fake_asked, "inspect c 0");
        ASK("GET /containers/d/json", 404, "{\"message\":\"No such container: d\"}\n");
        ASK("POST /containers/c/start", 204, "");
        ASK("POST /containers/running/start", 304, "");
        ASSERT(!strstr(answer, "Content-Length"));
        ASK("POST /containers/c/stop?t=5&signal=INT", 204, "");
        ASSERT_STR(fake_asked, "stop c INT 5");
        ASK("POST /containers/c/restart", 204, "");
        ASSERT_STR(fake_asked, "restart c - -100");
        ASK("POST /containers/c/rename?name=d", 409,
            "{\"message\":\"the name \\\"d\\\" is taken\"}\n");
        ASK("DELETE /containers/c?force=1&v=0", 204, "");
        ASSERT_STR(fake_asked, "remove c 1 0");
        ASK("POST /containers/c/resize?w=80&h=24", 200, "");
        ASSERT_STR(fake_asked, "resize c 80 24");
        ASK("POST /containers/c/resize?w=80&h=x", 400,
            "{\"message\":\"h: 'x' is not a whole number\"}\n");
}

TEST(checkpoints) {
        ASK_JSON("POST /containers/c/checkpoints",
                 "{\"CheckpointID\":\"one\",\"CheckpointDir\":\"/d\",\"Exit\":true}", 201, "");
        ASSERT_STR(fake_asked, "checkpoint c /d/one exit");
        ASK_JSON("POST /containers/c/checkpoints", "{\"CheckpointID\":\"one\"}", 201, "");
        ASSERT_STR(fake_asked, "checkpoint c /one");
        ASK("POST /containers/c/checkpoints", 400,
            "{\"message\":\"invalid JSON: got EOF while reading request body\"}\n");
        ASK("GET /containers/c/checkpoints", 200, "[{\"Name\":\"one\"}]\n");
        ASK("GET /containers/c/checkpoints?dir=/d", 200, "[{\"Name\":\"one\"}]\n");
        ASSERT_STR(fake_asked, "checkpoints c /d");
        ASK("DELETE /containers/c/checkpoints/one?dir=/d", 204, "");
        ASSERT_STR(fake_asked, "remove checkpoint c /d/one");
        ASK("POST /containers/c/start?checkpoint=one&checkpoint-dir=/d", 204, "");
        ASSERT_STR(fake_asked, "start c from /d/one");
        ASK("POST /containers/c/start?checkpoint=", 204, "");
        ASSERT_STR(fake_asked, "start c");
}

TEST(stats) {
        ask("GET /containers/c/stats", "", NULL);
        ASSERT_INT(status(), 200);
        ASSERT_STR(body(), "b\r\n{\"read\":1}\n\r\nb\r\n{\"read\":1}\n\r\n0\r\n\r\n");
        ASSERT_STR(fake_asked, "stats c 1 0");
        ask("GET /containers/c/stats?stream=0&one-shot=1", "", NULL);
        ASSERT_STR(body(), "b\r\n{\"read\":1}\n\r\n0\r\n\r\n");
        ASSERT_STR(fake_asked, "stats c 0 1");
        ask("GET /v1.40/containers/c/stats?stream=0&one-shot=1", "", NULL);
        ASSERT_STR(fake_asked, "stats c 0 0");
        ASK("GET /containers/c/stats?one-shot=1", 400,
            "{\"message\":\"cannot have stream=true and one-shot=true\"}\n");
        ASK("GET /containers/d/stats", 404, "{\"message\":\"No such container: d\"}\n");
}

TEST(update) {
        ASK_JSON("POST /containers/c/update",
                 "{\"Labels\":{\"b\":\"2\",\"a\":\"\"},\"LabelsRemoved\":[\"c\"]}", 200,
                 "{\"Warnings\":null}\n");
        ASSERT_STR(fake_asked,
                   "update c {\"RestartPolicy\":{\"Name\":\"\",\"MaximumRetryCount\":0},"
                   "\"Labels\":{\"a\":\"\",\"b\":\"2\"},\"LabelsRemoved\":[\"c\"]}");
        /* What docker's client sends of what nobody gave is nothing. */
        ASK_JSON("POST /containers/c/update",
                 "{\"Memory\":0,\"CpusetCpus\":\"\",\"Devices\":[],\"PidsLimit\":null,"
                 "\"RestartPolicy\":{\"Name\":\"\",\"MaximumRetryCount\":0}}",
                 200, "{\"Warnings\":null}\n");
        ASSERT_STR(fake_asked,
                   "update c {\"RestartPolicy\":{\"Name\":\"\",\"MaximumRetryCount\":0}}");
        ASK_JSON("POST /containers/d/update", "{}", 404,
                 "{\"message\":\"No such container: d\"}\n");
        ASK_JSON("POST /containers/c/update",
                 "{\"Memory\":7,\"PidsLimit\":0,\"RestartPolicy\":{\"Name\":\"always\"}}", 200,
                 "{\"Warnings\":null}\n");
        ASSERT_STR(fake_asked, "update c {\"Memory\":7,\"PidsLimit\":0,\"RestartPolicy\":{\"Name\":"
                               "\"always\",\"MaximumRetryCount\":0}}");
        ASK_JSON("POST /v1.39/containers/c/update", "{\"PidsLimit\":5}", 200,
                 "{\"Warnings\":null}\n");
        ASSERT(!strstr(fake_asked, "PidsLimit"));
        ASK_JSON("POST /containers/c/update", "{\"KernelMemory\":1}", 501,
                 "{\"message\":\"KernelMemory cannot be changed of a container that is there: "
                 "remove it and run it anew with the other value\"}\n");
        ASK_JSON("POST /containers/c/update", "{\"Labels\":{\"\":\"x\"}}", 400,
                 "{\"message\":\"Labels: a label has no name\"}\n");
        ASK_JSON("POST /containers/c/update", "{\"labels\":{\"x\":\"\"},\"LabelsRemoved\":[\"x\"]}",
                 400, "{\"message\":\"label 'x' is to be given and to be removed\"}\n");
        ASK_JSON("POST /containers/c/update", "{\"Labels\":{\"x\":1}}", 400,
                 "{\"message\":\"Labels: must be a string\"}\n");
        ASK_JSON("POST /containers/c/update", "null", 400,
                 "{\"message\":\"update: must be an object\"}\n");
}

TEST(create) {
        ASK_JSON("POST /containers/create?name=n",
                 "{\"Image\":\"i\",\"HostConfig\":{\"NetworkMode\":\"none\"}}", 201,
                 "{\"Id\":\"abc\",\"Warnings\":[\"a \\\"warning\\\"\"]}\n");
        ASSERT_STR(fake_asked, "create n i none");
        ASK_JSON("POST /containers/create", "{\"Image\":\"j\"}", 404,
                 "{\"message\":\"No such image: j\"}\n");
        ASK_JSON("POST /containers/create", "{}", 400,
                 "{\"message\":\"Config cannot be empty in order to create a container\"}\n");
        ASK_JSON("POST /containers/create", "null", 400,
                 "{\"message\":\"Config cannot be empty in order to create a container\"}\n");
        ASK("POST /containers/create", 400,
            "{\"message\":\"invalid JSON: got EOF while reading request body\"}\n");
        ask("POST /containers/create", "Content-Type: text/plain\r\n", "{\"Image\":\"i\"}");
        ASSERT_INT(status(), 400);
        ASSERT_STR(body(), "{\"message\":\"unsupported Content-Type header (text/plain): must be "
                           "'application/json'\"}\n");
        ask("POST /containers/create", JSON_TYPE, "{\"Image\":");
        ASSERT_INT(status(), 400);
}

TEST(wait) {
        ask("POST /containers/c/wait?condition=next-exit", "", NULL);
        ASSERT_INT(status(), 200);
        ASSERT_STR(body(), "12\r\n{\"StatusCode\":42}\n\r\n0\r\n\r\n");
        ASSERT_STR(fake_asked, "wait c 1");
        ASK("POST /containers/c/wait?condition=x", 400,
            "{\"message\":\"invalid condition: \\\"x\\\"\"}\n");
        ASK("POST /containers/d/wait", 404, "{\"message\":\"No such container: d\"}\n");
}

/* HTTP/1.0: the body comes without chunks. The caller's. */
static char *ask_old(const char *line) {
        _cleanup_free_ char *text = str_format("%s HTTP/1.0\r\n\r\n", line);

        return ask_raw(text, strlen(text));
}

TEST(logs) {
        static const char frames[] = "\1\0\0\0\0\0\0\4out\n\2\0\0\0\0\0\0\4err\n"
                                     "\3\0\0\0\0\0\0\50Error grabbing logs: the log is damaged\n";
        _cleanup_free_ char *text =
                ask_old("GET /containers/c/logs?stdout=1&stderr=1&since=1.5&tail=7");
        const char *end = strstr(text, "\r\n\r\n");

        ASSERT(end);
        ASSERT(memcmp(end + 4, frames, sizeof(frames) - 1) == 0);
        ASSERT(strstr(text, "\r\nContent-Type: application/vnd.docker.multiplexed-stream\r\n"));
        ASSERT_STR(fake_asked, "logs c 0110 1500000000 0 7");
        free(text);
        text = ask_old("GET /v1.41/containers/tty/logs?stdout=1&follow=1&tail=all");
        ASSERT(str_ends(text, "\r\n\r\nout\nerr\n"));
        ASSERT(strstr(text, "\r\nContent-Type: application/vnd.docker.raw-stream\r\n"));
        ASSERT_STR(fake_asked, "logs tty 1100 0 0 -1");
        ASK("POST /containers/c/logs/clear", 204, "");
        ASSERT_STR(fake_asked, "logs clear c");
        ASK("GET /containers/c/logs", 400,
            "{\"message\":\"Bad parameters: you must choose at least one stream\"}\n");
        ASK("GET /containers/c/logs?stdout=1&since=x", 400,
            "{\"message\":\"since: 'x' is not a time: give seconds since 1970\"}\n");
}

TEST(attach) {
        static const char request[] =
                "POST /containers/c/attach?stream=1&stdin=1&detachKeys=ctrl-x HTTP/1.1\r\nHost: "
                "d\r\n"
                "Content-Type: text/plain\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nearly";

        free(answer);
        answer = ask_raw(request, sizeof(request) - 1);
        ASSERT(str_after(answer, "HTTP/1.1 101 UPGRADED\r\n"
                                 "Content-Type: application/vnd.docker.multiplexed-stream\r\n"
                                 "Connection: Upgrade\r\nUpgrade: tcp\r\n"));
        ASSERT_STR(body(), "attached");
        ASSERT_STR(fake_asked, "attach c 01100 ctrl-x early");
        ASK("POST /containers/d/attach?stream=1", 404, "{\"message\":\"No such container: d\"}\n");
}

/* As a client that waits for the close frame before it leaves. */
static char *ask_socket(const char *line, const char *fields, const char *early, bool refused) {
        _cleanup_free_ char *text =
                str_format("GET %s HTTP/1.1\r\nHost: localhost:1\r\nConnection: keep-alive, "
                           "Upgrade\r\nUpgrade: "
                           "websocket\r\n%s\r\n%s",
                           line, fields, early);
        int pair[2];

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                abort();
        return refused ? ask_over(pair, text, strlen(text)) : ask_open(pair, text, strlen(text));
}

#define HANDSHAKE "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

TEST(attach_over_a_websocket) {
        free(answer);
        answer =
                ask_socket("/containers/c/attach/ws?stream=1&stdin=1",
                           HANDSHAKE "Sec-WebSocket-Protocol: a, b\r\n", "\x89\x81....\x1f", false);
        ASSERT(str_after(answer, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
                                 "Upgrade: websocket\r\n"));
        ASSERT(strstr(answer, "\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
        ASSERT(strstr(answer, "\r\nSec-WebSocket-Protocol: a\r\n"));
        ASSERT_STR(body(), "\x8a\x01"
                           "1\x82\x08"
                           "attached\x88\x02\x03\xe8");
        ASSERT_STR(fake_asked, "attach c 01100 - ");
        /* Before 1.28 frames are text; before 1.42 all three streams are wanted. */
        free(answer);
        answer = ask_socket("/v1.27/containers/c/attach/ws?stream=1&detachKeys=ctrl-x", HANDSHAKE,
                            "", false);
        ASSERT_STR(body(), "\x81\x08"
                           "attached\x88\x02\x03\xe8");
        ASSERT_STR(fake_asked, "attach c 01111 ctrl-x ");
}

TEST(a_websocket_that_is_none) {
        static const char *const wrong[] = {
                "Sec-WebSocket-Version: 8\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
                "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: c2hvcnQ=\r\n",
                "Sec-WebSocket-Version: 13\r\n",
        };

        for (size_t i = 0; i < ELEMENTS(wrong); i++) {
                free(answer);
                answer = ask_socket("/containers/c/attach/ws?stream=1", wrong[i], "", true);
                ASSERT_INT(status(), 400);
                ASSERT_STR(fake_asked, "");
        }
        ask("GET /containers/c/attach/ws?stream=1", HANDSHAKE, NULL);
        ASSERT_INT(status(), 400);
        free(answer);
        answer = ask_socket("/containers/d/attach/ws", HANDSHAKE, "", true);
        ASSERT_INT(status(), 404);
}

TEST(check) {
        ask("POST /brig/check?quick=1", "", NULL);
        ASSERT_INT(status(), 200);
        ASSERT(strstr(answer, "Content-Type: application/x-ndjson"));
        ASSERT_STR(
                chunks(),
                "{\"Finding\":{\"Kind\":\"blob\",\"Name\":\"b\",\"Problem\":\"\",\"Remedy\":\"\","
                "\"Size\":7,\"Repairable\":true,\"Repaired\":false}}\n"
                "{\"Summary\":{\"Found\":1,\"Repaired\":0,\"Size\":7}}\n");
        ask("POST /brig/check?repair=1", "", NULL);
        ASSERT(str_ends(chunks(), "\"Repaired\":true}}\n"
                                  "{\"Summary\":{\"Found\":1,\"Repaired\":1,\"Size\":7}}\n"));
}

TEST(exec) {
        ASK("GET /exec/json", 200, "[]\n");
        ASSERT_STR(fake_asked, "execs - 0");
        ASK("GET /exec/json?container=c&all=1", 200, "[]\n");
        ASSERT_STR(fake_asked, "execs c 1");
        ASK("POST /exec/e/kill?signal=TERM", 204, "");
        ASSERT_STR(fake_asked, "exec kill e TERM");
        ASK("POST /exec/ended/kill", 304, "");
        ASK_JSON("POST /containers/c/exec", "{\"Cmd\":[\"true\"]}", 201, "{\"Id\":\"e\"}\n");
        ASK_JSON("POST /containers/c/exec", "{}", 400,
                 "{\"message\":\"No exec command specified\"}\n");
        ASK_JSON("POST /exec/e/start", "{\"Detach\":true}", 200, "");
        ASSERT_STR(fake_asked, "exec e 0 0 0");
        ASK_JSON("POST /exec/f/start", "{}", 404, "{\"message\":\"No such exec instance: f\"}\n");
        ask("POST /exec/e/start", JSON_TYPE, "{\"ConsoleSize\":[24,80]}");
        ASSERT_INT(status(), 200);
        ASSERT_STR(fake_asked, "exec e 1 80 24");
        ASSERT(memcmp(body(), "\1\0\0\0\0\0\0\16no such file\r\n", 22) == 0);
}

TEST(images) {
        ASK("GET /images/127.0.0.1:5000/a/b:c/json", 200, "{}\n");
        ASSERT_STR(fake_asked, "image 127.0.0.1:5000/a/b:c");
        ASK("GET /images/json?shared-size=1", 200, "[]\n");
        ASSERT_STR(fake_asked, "images 0 1 1");
        ASK("GET /images/a%2Fb/history", 200, "[]\n");
        ASSERT_STR(fake_asked, "history a/b");
        ASK("POST /images/i/tag?repo=x/y&tag=z", 201, "");
        ASSERT_STR(fake_asked, "tag i x/y:z");
        ASK("DELETE /images/x/y:z?force=1", 200, "[]\n");
        ASSERT_STR(fake_asked, "rmi x/y:z 1 0");
        ASK("DELETE "
            "/v1.50/images/x?platforms=linux/arm64&platforms=%7B%22architecture%22%3A%22arm%22"
            "%2C%22os%22%3A%22linux%22%7D",
            200, "[]\n");
        ASSERT_STR(fake_asked, "remove x of linux/arm64 linux/arm 0");
}

TEST(exploring_an_image) {
        ASK("GET /images/none/explore", 404, "{\"message\":\"No such image: none\"}\n");
        ask("GET /images/i/explore", "", NULL);
        ASSERT_INT(status(), 200);
        ASSERT(strstr(answer, "Content-Type: application/x-ndjson"));
        ASSERT_STR(chunks(), "{\"File\":{\"Path\":\"a\",\"Layer\":0}}\n{\"Summary\":{}}\n");
        ask("GET /images/long/explore", "", NULL); /* fails after the first block went out */
        ASSERT_INT(status(), 200);
        ASSERT(strlen(chunks()) > (size_t)64 * 1024);
        ASSERT(str_ends(chunks(), "}}\n{\"error\":\"the disk is \\\"gone\\\"\"}\n"));
}

TEST(pull) {
        ask("POST /images/create?fromImage=i&tag=latest",
            "X-Registry-Auth: eyJ1c2VybmFtZSI6InUifQ\r\n", NULL);
        ASSERT_INT(status(), 200);
        ASSERT_STR(fake_asked, "pull i:latest - u");
        ASSERT_STR(
                chunks(),
                "{\"status\":\"Pulling from x\",\"progressDetail\":{},\"id\":\"latest\"}\r\n"
                "{\"status\":\"Downloading\",\"progressDetail\":{\"current\":1500,\"total\":3000},"
                "\"progress\":\"[=========================>                         ]    "
                "1.5kB/3kB\",\"id\":\"aa\"}\r\n{\"status\":\"Status: done\"}\r\n");
        ASK("POST /images/create?fromImage=nothing&tag=latest", 404,
            "{\"message\":\"no such repository\"}\n");
        ask("POST /images/create?fromImage=full&tag=sha256:1", "X-Registry-Auth: !\r\n", NULL);
        ASSERT_STR(fake_asked, "pull full@sha256:1 - -");
        ASSERT(str_ends(chunks(), "{\"errorDetail\":{\"message\":\"the disk is full\"},"
                                  "\"error\":\"the disk is full\"}\r\n"));
        ASK("POST /images/create", 400,
            "{\"message\":\"give what to make the image from: 'fromImage' or 'fromSrc'\"}\n");
        ask("POST /images/create?fromImage=127.0.0.1:5000/i&platform=linux/arm64", "", NULL);
        ASSERT_INT(status(), 200);
        ASSERT_STR(fake_asked, "pull all 127.0.0.1:5000/i linux/arm64 -");
}

TEST(push) {
        ask("POST /images/i/push?tag=v1", "X-Registry-Auth: eyJ1c2VybmFtZSI6InUifQ\r\n", NULL);
        ASSERT_INT(status(), 200);
        ASSERT_STR(fake_asked, "push i:v1 u");
        ASSERT_STR(chunks(), "{\"status\":\"Preparing\",\"progressDetail\":{},\"id\":\"aa\"}\r\n"
                             "{\"progressDetail\":{},\"aux\":{\"Tag\":\"v1\"}}\r\n");
        ask("POST /images/127.0.0.1:5000/a/b/push", "", NULL);
        ASSERT_STR(fake_asked, "push 127.0.0.1:5000/a/b -");
        ASSERT(str_ends(chunks(), "{\"errorDetail\":{\"message\":\"denied: no\"},"
                                  "\"error\":\"denied: no\"}\r\n"));
        ASK("POST /images/nothing/push", 404, "{\"message\":\"no such thing\"}\n");
        /* as docker sends it, {"architecture":"arm","os":"linux","variant":"v7"} */
        ask("POST /images/i/push?tag=v1&platform=%7B%22architecture%22%3A%22arm%22%2C%22os%22%3A"
            "%22linux%22%2C%22variant%22%3A%22v7%22%7D",
            "", NULL);
        ASSERT_STR(fake_asked, "push i:v1 - linux/arm/v7");
        ask("GET /v1.48/images/i/get?platform=linux/arm64", "", NULL);
        ASSERT_STR(fake_asked, "save i - linux/arm64");
        ask("GET /v1.47/images/get?names=i&names=j&platform=linux/arm64", "", NULL);
        ASSERT_STR(fake_asked, "save i j");
        ask("GET /images/i/json?platform=linux/arm64", "", NULL);
        ASSERT_STR(fake_asked, "image i linux/arm64");
        ASK("GET /images/i/json?platform=%7B%22os%22%3A%22linux%22%7D", 400,
            "{\"message\":\"platform: give os and architecture, as in "
            "{\\\"os\\\":\\\"linux\\\",\\\"architecture\\\":\\\"arm64\\\"}\"}\n");
}

TEST(manifests) {
        ASK("GET /distribution/127.0.0.1:5000/a/b:v1/manifest?insecure=1", 200, "{}\n");
        ASSERT_STR(fake_asked, "manifest 127.0.0.1:5000/a/b:v1 1 -");
        ask("GET /distribution/nothing/manifest", "",
            NULL); /* a client must not ask for a password */
        ASSERT_INT(status(), 500);
        ask("POST /distribution/a:v1/manifest", "Content-Type: application/json\r\n",
            "{\"Raw\":\"{}\",\"MediaType\":\"m\",\"Sources\":[\"b@sha256:2\"]}");
        ASSERT_INT(status(), 200);
        ASSERT_STR(fake_asked, "manifest push a:v1 0 m {} b@sha256:2");
        ask("POST /distribution/a:v1/manifest", "Content-Type: application/json\r\n", "{}");
        ASSERT_INT(status(), 400);
}

TEST(login) {
        const char *json = "Content-Type: application/json\r\n";

        ask("POST /auth", json,
            "{\"username\":\"u\",\"password\":\"p\",\"serveraddress\":\"h:1\"}");
        ASSERT_INT(status(), 200);
        ASSERT_STR(fake_asked, "auth h:1 u p");
        ASSERT(strstr(answer, "{\"Status\":\"Login Succeeded\",\"IdentityToken\":\"\"}\n"));
        ask("POST /auth", json, "{\"password\":\"token\"}");
        ASSERT(strstr(answer, "\"IdentityToken\":\"a \\\"token\\\"\"}"));
        ask("POST /auth", json, "{\"password\":\"wrong\"}");
        ASSERT_INT(status(), 401);
        ask("POST /auth", json, "{\"password\":1}");
        ASSERT_INT(status(), 400);
}

TEST(search_and_distribution) {
        ASK("GET /images/search?term=a%20b&limit=5&filters=%7B%22stars%22:%5B%223%22%5D%7D", 200,
            "[]\n");
        ASSERT_STR(fake_asked, "search a b 5 3");
        ask("GET /images/search", "", NULL);
        ASSERT_INT(status(), 400);
        ask("GET /images/search?term=a&limit=x", "", NULL);
        ASSERT_INT(status(), 400);
        ASK("GET /distribution/127.0.0.1:5000/a/b:v1/json", 200, "{}\n");
        ASSERT_STR(fake_asked, "distribution 127.0.0.1:5000/a/b:v1 -");
}

TEST(archives) {
        ask("POST /images/load?quiet=1", "", "archive");
        ASSERT_STR(chunks(), "{\"stream\":\"Loaded image: i:latest\\n\"}\r\n");
        ASSERT_STR(fake_asked, "archive 0 archive");
        ask("POST /images/load", "", "bad");
        ASSERT_INT(status(), 200);
        ASSERT_STR(chunks(), "{\"errorDetail\":{\"message\":\"this is no archive\"},"
                             "\"error\":\"this is no archive\"}\r\n");
        ask("POST /images/create?fromSrc=-&repo=r&tag=t&message=m&changes=A&changes=B", "", "tar");
        ASSERT_STR(chunks(), "{\"status\":\"sha256:r:t:m:B\"}\r\n");
        ask("GET /images/get?names=a&names=b", "", NULL);
        ASSERT_STR(fake_asked, "save a b");
        ASSERT_STR(chunks(), "archive");
        ASSERT(str_ends(answer, "\r\n0\r\n\r\n"));
        ask("GET /images/x/half/get", "", NULL);
        ASSERT_STR(fake_asked, "save x/half -");
        ask("GET /images/half/get", "", NULL);
        ASSERT(!str_ends(answer, "\r\n0\r\n\r\n")); /* seen to be broken off */
        ASK("GET /images/get?names=nothing", 404, "{\"message\":\"No such image: nothing\"}\n");
}

TEST(files_of_a_container) {
        /* {"name":"a\"b","size":5,"mode":13631908,"mtime":"1970-01-01T00:00:01.5Z","linkTarget":""}
         */
        ASK("HEAD /containers/c/archive?path=/f", 200, "");
        ASSERT_STR(fake_asked, "stat c /f");
        ASSERT(strstr(
                answer,
                "\r\nX-Docker-Container-Path-Stat: eyJuYW1lIjoiYVwiYiIsInNpemUiOjUsIm1vZGUiOjE"));
        /* 0 is a time here: "mtime":"1970-01-01T00:00:00Z" */
        ASK("HEAD /containers/c/archive?path=/1970", 200, "");
        ASSERT(strstr(answer, "eyJuYW1lIjoiYVwiYiIsInNpemUiOjUsIm1vZGUiOjEzNjMxOTA4LCJtdGltZSI6"
                              "IjE5NzAtMDEtMDFUMDA6MDA6MDBaIiwibGlua1RhcmdldCI6IiJ9"));
        ASK("HEAD /containers/c/archive?path=/none", 404, "");
        ASK("GET /containers/c/archive", 400,
            "{\"message\":\"bad parameter: path cannot be empty\"}\n");
        ASK("GET /containers/c/archive?path=/none", 404,
            "{\"message\":\"Could not find the file /none in container c\"}\n");
        ask("GET /containers/c/archive?path=/link", "", NULL);
        ASSERT_INT(status(), 200);
        ASSERT(strstr(answer, "Content-Type: application/x-tar\r\n"));
        ASSERT(strstr(answer, "X-Docker-Container-Path-Stat: "));
        ASSERT_STR(chunks(), "archive");
        ask("GET /containers/c/archive?path=/half", "", NULL);
        ASSERT(!str_ends(answer, "\r\n0\r\n\r\n")); /* seen to be broken off */
        ask("PUT /containers/c/archive?path=/d&noOverwriteDirNonDir=true", "", "tar");
        ASSERT_STR(fake_asked, "in c /d 1 0 0 tar");
        ask("PUT /containers/c/archive?path=/d&copyUIDGID=1&noOverwriteDirNonDir=0", "", "tar");
        ASSERT_STR(fake_asked, "in c /d 0 1 0 tar");
        ASK("PUT /containers/c/archive", 400,
            "{\"message\":\"bad parameter: path cannot be empty\"}\n");
}

TEST(what_a_container_changed) {
        ASK("GET /containers/c/changes", 200, "null\n");
        ask("GET /containers/c/export", "", NULL);
        ASSERT(strstr(answer, "Content-Type: application/octet-stream\r\n"));
        ASSERT(strstr(answer, "root"));
        ASK("GET /containers/nothing/export", 404,
            "{\"message\":\"No such container: nothing\"}\n");
        ASK("POST /commit?container=c&repo=r&tag=t&changes=CMD+x", 201,
            "{\"Id\":\"sha256:CMD x\"}\n");
        ASK("POST /commit", 400, "{\"message\":\"give the container to commit: 'container'\"}\n");
}

TEST(policies) {
        ask("POST /brig/policies?namespace=n", "", "kind: x");
        ASSERT_INT(status(), 200);
        ASSERT_STR(fake_asked, "policies kind: x n");
        ASK("GET /brig/policies", 200, "[]\n");
        ASSERT_STR(fake_asked, "policies of -");
        ASK("GET /brig/policies/n/p", 200, "{}\n");
        ASSERT_STR(fake_asked, "policy n/p");
        ASK("DELETE /brig/policies/n/p", 404, "{\"message\":\"No such policy: n/p\"}\n");
        ASK("GET /brig/policies/test", 200, "{}\n");
        ASSERT_STR(fake_asked, "table");
        ASK("GET /brig/policies/test?from=a&to=b&port=80", 200, "{}\n");
        ASSERT_STR(fake_asked, "test a b 80/tcp");
        ASK("GET /brig/policies/test?from=a&to=b&port=0", 400,
            "{\"message\":\"give from, to and port (a number from 1 to 65535), or none of "
            "them\"}\n");
}

TEST(networks_and_volumes) {
        ASK_JSON("POST /networks/create", "{\"Name\":\"x\",\"Driver\":\"bridge\"}", 201,
                 "{\"Id\":\"n\",\"Warning\":\"\"}\n");
        ASSERT_STR(fake_asked, "network x bridge");
        /* A block may be written as one of its addresses before 1.45. */
        static const char blocks[] = "{\"Name\":\"x\",\"IPAM\":{\"Config\":[{\"Subnet\":\"fd00::1/"
                                     "64\",\"IPRange\":\"fd00::ab00:1/120\"}]}}";
        ASK_JSON("POST /v1.44/networks/create", blocks, 201, "{\"Id\":\"n\",\"Warning\":\"\"}\n");
        ASSERT_STR(fake_asked, "network x - fd00::/64 fd00::ab00:0/120");
        ASK_JSON("POST /v1.45/networks/create", blocks, 201, "{\"Id\":\"n\",\"Warning\":\"\"}\n");
        ASSERT_STR(fake_asked, "network x - fd00::1/64 fd00::ab00:1/120");
        ASK_JSON("POST /networks/n/connect",
                 "{\"Container\":\"c\",\"EndpointConfig\":{\"IPAMConfig\":{\"IPv4Address\":"
                 "\"10.0.0.9\"}}}",
                 200, "");
        ASSERT_STR(fake_asked, "connect n c 10.0.0.9");
        ASK_JSON("POST /v1.48/networks/n/connect",
                 "{\"Container\":\"c\",\"EndpointConfig\":{\"GwPriority\":5}}", 200, "");
        ASSERT_STR(fake_asked, "connect n c - first");
        ASK_JSON("POST /v1.47/networks/n/connect",
                 "{\"Container\":\"c\",\"EndpointConfig\":{\"GwPriority\":5}}", 200, "");
        ASSERT_STR(fake_asked, "connect n c -");
        ASK_JSON("POST /networks/n/disconnect", "{\"Container\":\"c\",\"Force\":true}", 200, "");
        ASSERT_STR(fake_asked, "disconnect n c 1");
        ASK_JSON("POST /networks/a/b/connect", "{\"Container\":\"c\"}", 200, "");
        ASSERT_STR(fake_asked, "connect a/b c -");
        ASK_JSON("POST /networks/a%2Fb/disconnect", "{\"Container\":\"c\"}", 200, "");
        ASSERT_STR(fake_asked, "disconnect a/b c 0");
        ASK("GET /networks/a%2Fb", 200, "{}\n");
        ASK("DELETE /networks/../../x", 403, "{\"message\":\"../../x is in use\"}\n");
        ASK("DELETE /networks/n", 403, "{\"message\":\"n is in use\"}\n");
        ASK("GET /networks/n?scope=swarm", 404, "{\"message\":\"network n not found\"}\n");
        ASK_JSON("POST /volumes/create", "{\"Name\":\"v\"}", 201, "{}\n");
        ASSERT_STR(fake_asked, "volume v");
        ASK("DELETE /volumes/v?force=1", 204, "");
        ASSERT_STR(fake_asked, "volume rm v 1");
}

TEST(prunes) {
        static const struct {
                const char *line, *asked;
        } cases[] = {
                { "POST /containers/prune", "container prune" },
                { "POST /containers/prune?filters=%7B%22until%22:%5B%2224h%22%5D%7D",
                  "container prune until=24h" },
                { "POST /images/prune?filters=%7B%22dangling%22:%7B%22false%22:true%7D%7D",
                  "image prune dangling=false" },
                { "POST /networks/prune?filters=%7B%22label%21%22:%5B%22a%22,%22b%22%5D%7D",
                  "network prune label!=a,b" },
                { "POST /v1.44/volumes/prune", "volume prune" },
                { "POST /v1.41/volumes/prune?filters=%7B%22label%22:%5B%22a%22%5D%7D",
                  "volume prune label=a all=true" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                ASK(cases[i].line, 200, "{\"SpaceReclaimed\":0}\n");
                ASSERT_STR(fake_asked, cases[i].asked);
        }
        ASK("POST /volumes/prune?filters=%7B%22wrong%22:%5B%22a%22%5D%7D", 400,
            "{\"message\":\"Invalid filter 'wrong'\"}\n");
        ask("POST /images/prune?filters=x", "", NULL);
        ASSERT_INT(status(), 400);
}

TEST(events) {
        ask("GET /events?since=10&until=20.000000001", "", NULL);
        ASSERT_STR(fake_asked, "events 10000000000 20000000001");
        ASSERT_STR(chunks(), "{\"Type\":\"container\"}\n");
        ask("GET /events?since=20&until=10", "", NULL);
        ASSERT_INT(status(), 400);
        ask("GET /events?filters=%7B%22wrong%22:%5B%22x%22%5D%7D", "", NULL);
        ASSERT_INT(status(), 400);
}

/* A connected pair over TCP on the loopback. */
static bool tcp_pair(int pair[2]) {
        struct sockaddr_in address = { .sin_family = AF_INET,
                                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t size = sizeof(address);
        _cleanup_close_ int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        pair[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (bind(listener, (const struct sockaddr *)&address, size) < 0 ||
            listen(listener, 1) < 0 ||
            getsockname(listener, (struct sockaddr *)&address, &size) < 0 ||
            connect(pair[0], (const struct sockaddr *)&address, size) < 0)
                return false;
        pair[1] = accept4(listener, (struct sockaddr *)&address, &size, SOCK_CLOEXEC);
        return pair[1] >= 0;
}

TEST(browsers) {
        static const struct {
                const char *fields;
                int status;
        } cases[] = {
                { "Host: localhost:2375\r\n", 200 },
                { "Host: 127.0.0.1\r\n", 200 },
                { "Host: [::1]:2375\r\n", 200 },
                { "Host: localhost:2375\r\nOrigin: http://a\r\n", 403 },
                { "Host: 127.0.0.1.example.org:2375\r\n", 403 },
                { "Host: rebound.example\r\n", 403 },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_free_ char *text = str_format(
                        "GET /info HTTP/1.1\r\nConnection: close\r\n%s\r\n", cases[i].fields);
                int pair[2];

                ASSERT(tcp_pair(pair));
                free(answer);
                answer = ask_over(pair, text, strlen(text));
                ASSERT_INT(status(), cases[i].status);
        }
}

TEST(bar) {
        static const struct {
                int64_t current, total;
                const char *text;
        } cases[] = {
                { 0, 0, "" },
                { 1234567, 0, " 1.235MB" },
                { 20, 0, "     20B" },
                { 0, 100, "[>                                                  ]       0B/100B" },
                { 100, 100, "[==================================================>]     100B/100B" },
                { 101, 100, "[==================================================>]     101B" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_buf_ Buf text = { 0 };

                stream_bar(&text, cases[i].current, cases[i].total);
                ASSERT_STR(text.data ?: "", cases[i].text);
        }
}

TEST(release) {
        ask_done(); /* so that a leak checker sees nothing of ours */
}

TEST_MAIN()
