/* drills-api.c: drills that are calls of the API: ids that lead elsewhere, and copies through an
 * image's links. */
#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "drill/drill.h"

#define PATIENCE_S 60

/* ---- ids ---- */

/* Everything that takes a name, with names that lead out of the data root. */
static int run_ids(const Drill *drill, Attempt *attempt, Error *err) {
        static const char *const names[] = { "..%2f..%2f..%2fetc", "%2e%2e", "..",
                                             "a%2f..%2fb",         ".%00",   "%2fetc%2fpasswd" };
        static const char *const calls[][2] = {
                { "DELETE", "/containers/%s" }, { "GET", "/containers/%s/json" },
                { "GET", "/volumes/%s" },       { "DELETE", "/volumes/%s" },
                { "GET", "/networks/%s" },      { "GET", "/exec/%s/json" },
                { "GET", "/images/%s/json" },   { "GET", "/containers/%s/logs?stdout=1" },
        };
        int r = cli_connect(attempt->cli, err);

        (void)drill;
        for (size_t i = 0; r == 0 && i < ELEMENTS(calls) * ELEMENTS(names); i++) {
                const char *const *call = calls[i / ELEMENTS(names)];
                const char *slot = strstr(call[1], "%s");
                _cleanup_free_ char *path =
                        str_format("%.*s%s%s", (int)(slot - call[1]), call[1],
                                   names[i % ELEMENTS(names)], slot + strlen("%s"));
                int status = 0;

                r = box_call(attempt->cli, call[0], path, NULL, &status, NULL, err);
                if (r == 0 && (status < 300 || status >= 500))
                        buf_format(attempt->got, "%s %s answers %d\n", call[0], path, status);
        }
        return r;
}

/* A name that a volume or container gets, and that would be a path. */
static int run_names(const Drill *drill, Attempt *attempt, Error *err) {
        static const char *const names[] = { "../../brig-drill", "a/../../b", "..", "a\nb" };
        int r = 0;

        for (size_t i = 0; r == 0 && i < ELEMENTS(names); i++) {
                _cleanup_json_ json_object *body = json_object_new_object(), *answer = NULL;

                (void)json_object_object_add(body, "Name", json_object_new_string(names[i]));
                r = api_json(attempt->cli, "POST", "/volumes/create", body, &answer, err);
                if (r == 0)
                        buf_format(attempt->got, "a volume is named '%s'\n", names[i]);
                else if (err->kind == ERROR_INVALID)
                        r = 0;
        }
        if (r == 0)
                *err = (Error){};
        return r;
}

/* ---- requests ---- */

/* The answer to a request that is sent as it is, with its end. */
static int send_raw(Cli *cli, const Buf *request, Buf *answer, Error *err) {
        const struct timeval patience = { .tv_sec = PATIENCE_S };
        _cleanup_close_ int fd = http_client_dial(cli->http, err);
        int r;

        if (fd < 0)
                return fd;
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        r = fd_write_full(fd, request->data, request->length);
        /* Whoever refused it closed the connection, perhaps before the end of it. */
        if (r < 0 && r != -EPIPE && r != -ECONNRESET)
                return error_set(err, -r, "send a request");
        r = fd_read_all(fd, 1 << 16, answer);
        if (r < 0 && r != -ECONNRESET)
                return error_set(err, -r, "read the answer to a request");
        return 0;
}

/* What the request's body would make, if it is there: it is taken back. */
static int take_back(Attempt *attempt, const char *name, const char *what, Error *err) {
        _cleanup_free_ char *path = str_format("/containers/%s/json", name);
        _cleanup_json_ json_object *answer = NULL;
        int r = api_json(attempt->cli, "GET", path, NULL, &answer, err);

        if (r < 0 && err->kind == ERROR_NOT_FOUND) {
                *err = (Error){};
                return 0;
        }
        if (r < 0)
                return r;
        buf_format(attempt->got, "a request's body is taken that %s\n", what);
        box_adopt(json_words(answer, "Id"));
        return box_end(attempt->cli, json_words(answer, "Id"), 0, err);
}

typedef struct Framing {
        const char *what, *fields; /* fields: with %zu where the body's length belongs */
        bool chunked;              /* the body is */
} Framing;

static int send_framed(Attempt *attempt, const Framing *framing, const char *name, const char *body,
                       Error *err) {
        const char *slot = strstr(framing->fields, "%zu");
        size_t before = slot ? (size_t)(slot - framing->fields) : strlen(framing->fields);
        _cleanup_buf_ Buf request = {}, answer = {};

        buf_format(&request,
                   "POST /containers/create?name=%s HTTP/1.1\r\nHost: brig\r\nConnection: close\r\n"
                   "Content-Type: application/json\r\n%.*s",
                   name, (int)before, framing->fields);
        if (slot)
                buf_format(&request, "%zu%s", strlen(body), slot + strlen("%zu"));
        buf_add_str(&request, "\r\n");
        if (framing->chunked)
                buf_format(&request, "%zx\r\n%s\r\n0\r\n\r\n", strlen(body), body);
        else
                buf_add_str(&request, body);
        return send_raw(attempt->cli, &request, &answer, err);
}

/* Without an answer it may be taken as well. */
static int try_framing(Attempt *attempt, const Framing *framing, const char *name, const char *body,
                       Error *err) {
        Error second = {};
        int r = send_framed(attempt, framing, name, body, err);
        int taken = take_back(attempt, name, framing->what, r < 0 ? &second : err);

        return r < 0 ? r : taken;
}

/* Who stands before the engine and looks at what is asked sees no body, and the engine one: what
 * authorization plugins were got past with. The last one is whole, and must be taken. */
static int run_framing(const Drill *drill, Attempt *attempt, Error *err) {
        static const Framing framings[] = {
                { "has two lengths", "Content-Length: 0\r\nContent-Length: %zu\r\n", false },
                { "has two lengths", "Content-Length: %zu\r\nContent-Length: 0\r\n", false },
                { "has length 0 and is chunked",
                  "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", true },
                { "is chunked and has length 0",
                  "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", true },
                { "has length 0", "Content-Length: 0\r\n", false },
                { "has no length", "", false },
                { "has a length with a sign", "Content-Length: +%zu\r\n", false },
                { "is chunked by a name with a blank", "Transfer-Encoding : chunked\r\n", true },
                { "is chunked in two ways", "Transfer-Encoding: chunked, identity\r\n", true },
        };
        static const Framing plain = { "is whole", "Content-Length: %zu\r\n", false };
        _cleanup_json_ json_object *request = box_request(attempt->image, "wait");
        _cleanup_free_ char *run = run_name(), *name = str_format("brig-drill-framed-%s", run);
        _cleanup_buf_ Buf taken = {};
        Attempt control = *attempt;
        const char *body;
        int r = cli_connect(attempt->cli, err);

        (void)drill;
        run_label(request);
        body = json_object_to_json_string_ext(request, JSON_C_TO_STRING_PLAIN);
        for (size_t i = 0; r == 0 && i < ELEMENTS(framings); i++)
                r = try_framing(attempt, &framings[i], name, body, err);
        control.got = &taken;
        if (r == 0)
                r = try_framing(&control, &plain, name, body, err);
        if (r == 0 && taken.length == 0)
                return error_kind(err, ERROR_INTERNAL, "a request that is whole is not taken");
        return r;
}

/* ---- lines ---- */

/* One create request; what it has of "\nintruder:…" must be no line of a file. */
static int try_lines(Attempt *attempt, const char *field, const char *text, Error *err) {
        _cleanup_json_ json_object *request = box_request(attempt->image, "lines");
        _cleanup_(box_end_done) BoxEnd end = {};
        json_object *value = json_object_new_string(text);
        bool is_host = str_equal(field, "ExtraHosts") || str_after(field, "Dns");
        int r;

        if (is_host || str_equal(field, "Env")) {
                json_object *list = json_object_new_array();

                (void)json_object_array_add(list, value);
                value = list;
        }
        (void)json_object_object_add(is_host ? box_host(request) : request, field, value);
        if (str_equal(field, "Env"))
                (void)json_object_object_add(request, "User", json_object_new_string("1234"));
        r = box_run(attempt->cli, request, &end, err);
        if (r < 0 || end.refused)
                return r;
        if (end.code != 0)
                return error_kind(err, ERROR_INTERNAL, "the guest did not try it: %s (code %d)",
                                  str_trim(end.output), end.code);
        if (!str_empty(end.output))
                buf_format(attempt->got, "by %s: %s", field, end.output);
        return 0;
}

static int run_lines(const Drill *drill, Attempt *attempt, Error *err) {
        static const char *const fields[][2] = {
                { "Env", "HOME=/\nintruder:x:0:0::/:/guest" },
                { "WorkingDir", "/tmp/a\nintruder:x:0:0::/:/guest" },
                { "Hostname", "a\nintruder" },
                { "Domainname", "a\nintruder" },
                { "ExtraHosts", "a\nintruder:192.0.2.1" },
                { "ExtraHosts", "a:192.0.2.1\nintruder" },
                { "ExtraHosts", "a=192.0.2.1\rintruder" },
                { "Dns", "192.0.2.1\nintruder" },
                { "DnsSearch", "a.test\nintruder" },
                { "DnsOptions", "ndots:1\nintruder" },
        };
        int r = 0;

        (void)drill;
        for (size_t i = 0; r == 0 && i < ELEMENTS(fields); i++)
                r = try_lines(attempt, fields[i][0], fields[i][1], err);
        return r;
}

/* ---- copies ---- */

/* An image in which /abs and more lead to the attempt's directory on the host, by every way there
 * is. */
static int import_links(const Attempt *attempt, Error *err) {
        _cleanup_free_ char *up = str_format("../../../../../../../../..%s", attempt->directory);
        _cleanup_buf_ Buf tar = {};
        int r = box_guest_tar(&tar, err);

        if (r < 0)
                return r;
        tar_add(&tar, &(TarEntry){ "abs", attempt->directory, TAR_LINK, 0777, NULL, 0, NULL });
        tar_add(&tar, &(TarEntry){ "rel", up, TAR_LINK, 0777, NULL, 0, NULL });
        tar_add(&tar, &(TarEntry){ "cwd", "/proc/self/cwd", TAR_LINK, 0777, NULL, 0, NULL });
        tar_add(&tar, &(TarEntry){ "root", "/proc/1/root", TAR_LINK, 0777, NULL, 0, NULL });
        tar_end(&tar);
        return box_import(attempt->cli, "links", &tar, NULL, err);
}

/* Reads what is at the end of each link; writes there. Nothing of the host is read, and the oracle
 * sees what is written. */
static int copy_through(const Attempt *attempt, const char *id, Error *err) {
        static const char *const links[] = { "abs", "rel", "cwd", "root" };
        _cleanup_buf_ Buf tar = {};
        int r = 0;

        tar_add(&tar, &(TarEntry){ "canary", NULL, TAR_FILE, 0644, "evil\n", 5, NULL });
        tar_end(&tar);
        for (size_t i = 0; r == 0 && i < ELEMENTS(links); i++) {
                bool whole = i >= 2; /* these lead to the root, from where the way is long */
                _cleanup_free_ char *directory =
                        str_format("/%s%s", links[i], whole ? attempt->directory : "");
                _cleanup_free_ char *file = str_format("%s/canary", directory);
                _cleanup_free_ char *out = path_format("/containers/%s/archive?path=%s", id, file);
                _cleanup_free_ char *in =
                        path_format("/containers/%s/archive?path=%s", id, directory);
                int status = 0;

                r = box_call(attempt->cli, "GET", out, NULL, &status, NULL, err);
                if (r == 0 && status < 300)
                        buf_format(attempt->got, "the host's file is read through /%s\n", links[i]);
                if (r == 0)
                        r = box_call(attempt->cli, "PUT", in, &tar, &status, NULL, err);
        }
        return r;
}

static int run_copy_links(const Drill *drill, Attempt *attempt, Error *err) {
        _cleanup_json_ json_object *request = box_request("brig-drill:links", "user");
        _cleanup_free_ char *id = NULL;
        int r = import_links(attempt, err);

        (void)drill;
        if (r == 0)
                r = box_create(attempt->cli, request, &id, err);
        return r < 0 ? r : box_end(attempt->cli, id, copy_through(attempt, id, err), err);
}

/* The same where the container exchanges directory and link all the time. */
static int copy_rounds(const Attempt *attempt, const char *id, Error *err) {
        _cleanup_free_ char *out = path_format("/containers/%s/archive?path=/tmp/place/canary", id);
        _cleanup_free_ char *in = path_format("/containers/%s/archive?path=/tmp/place", id);
        _cleanup_buf_ Buf tar = {};
        int64_t found = 0;
        bool running = false;
        int r = 0;

        tar_add(&tar, &(TarEntry){ "canary", NULL, TAR_FILE, 0644, "evil\n", 5, NULL });
        tar_end(&tar);
        for (int64_t round = 0; r == 0 && round < attempt->rounds && attempt->got->length == 0;
             round++) {
                _cleanup_buf_ Buf answer = {};
                int status = 0;

                r = box_call(attempt->cli, "GET", out, NULL, &status, &answer, err);
                found += r == 0 && status < 300;
                if (r == 0 && answer.data &&
                    memmem(answer.data, answer.length, CANARY, strlen(CANARY)))
                        buf_format(attempt->got, "the host's file is read, in round %lld\n",
                                   (long long)round);
                if (r == 0)
                        r = box_call(attempt->cli, "PUT", in, &tar, &status, NULL, err);
        }
        if (r == 0)
                r = box_running(attempt->cli, id, &running, err);
        if (r == 0 && (found == 0 || !running))
                return error_kind(err, ERROR_INTERNAL,
                                  found == 0
                                          ? "no round of %lld found the container's own directory"
                                          : "the guest ended before round %lld",
                                  (long long)attempt->rounds);
        return r;
}

static int run_copy_race(const Drill *drill, Attempt *attempt, Error *err) {
        _cleanup_json_ json_object *request = box_request("brig-drill:race", drill->guest);
        _cleanup_free_ char *id = NULL;
        int r = box_import_link(attempt, "race", "tmp/link", err);

        if (r == 0)
                r = box_begin(attempt->cli, request, &id, err);
        return r < 0 ? r : box_end(attempt->cli, id, copy_rounds(attempt, id, err), err);
}

/* Mounts and a working directory below an image's links: made in the container or not at all. */
static int run_mount_links(const Drill *drill, Attempt *attempt, Error *err) {
        static const char *const places[] = { "/abs/made", "/rel/made", "/cwd/made" };
        int r = import_links(attempt, err);

        (void)drill;
        for (size_t i = 0; r == 0 && i < ELEMENTS(places); i++) {
                _cleanup_json_ json_object *request = box_request("brig-drill:links", "directory");
                _cleanup_(box_end_done) BoxEnd end = {};
                json_object *tmpfs = json_object_new_object(), *volumes = json_object_new_object();

                (void)json_object_object_add(tmpfs, places[i], json_object_new_string(""));
                (void)json_object_object_add(box_host(request), "Tmpfs", tmpfs);
                (void)json_object_object_add(volumes, "/abs", json_object_new_object());
                if (i > 0)
                        (void)json_object_object_add(request, "Volumes", volumes);
                else
                        (void)json_object_put(volumes);
                (void)json_object_object_add(request, "WorkingDir",
                                             json_object_new_string("/rel/deep/er"));
                r = box_run(attempt->cli, request, &end, err);
                if (r == 0 && !end.refused)
                        buf_add_str(attempt->got, end.output);
        }
        return r;
}

/* What a volume gets of its image is the image's. */
static int run_volume_copies(const Drill *drill, Attempt *attempt, Error *err) {
        _cleanup_json_ json_object *request = box_request("brig-drill:links", drill->guest);
        json_object *volumes = json_object_new_object();
        int r = import_links(attempt, err);

        (void)json_object_object_add(volumes, "/abs", json_object_new_object());
        (void)json_object_object_add(request, "Volumes", volumes);
        return r < 0 ? r : box_attempt(attempt, request, err);
}

/* An image whose passwd file is a link to the host's, in which a user is root, or is none at all.
 */
static int run_passwd(const Drill *drill, Attempt *attempt, Error *err) {
        _cleanup_free_ char *canary = str_format("%s/canary", attempt->directory);
        const TarEntry entries[] = {
                { "etc/passwd", canary, TAR_LINK, 0777, NULL, 0, NULL },
                { "etc/passwd", "/proc/self/fd/0", TAR_LINK, 0777, NULL, 0, NULL },
                { "etc/passwd", NULL, TAR_FIFO, 0644, NULL, 0, NULL },
                { "etc/passwd", NULL, TAR_DIRECTORY, 0755, NULL, 0, NULL },
        };
        int r = 0;

        for (size_t i = 0; r == 0 && i < ELEMENTS(entries); i++) {
                _cleanup_json_ json_object *request =
                        box_request("brig-drill:passwd", drill->guest);
                _cleanup_(box_end_done) BoxEnd end = {};
                _cleanup_buf_ Buf tar = {};

                r = box_guest_tar(&tar, err);
                if (r == 0) {
                        tar_add(&tar, &entries[i]);
                        tar_end(&tar);
                        r = box_import(attempt->cli, "passwd", &tar, NULL, err);
                }
                (void)json_object_object_add(request, "User", json_object_new_string("intruder"));
                if (r == 0)
                        r = box_run(attempt->cli, request, &end, err);
                if (r == 0 && !end.refused)
                        buf_format(attempt->got, "a user of no passwd file runs: %s\n", end.output);
        }
        return r;
}

/* What others on the host may reach: stat(2), of the daemon's directory and socket. */
static int run_modes(const Drill *drill, Attempt *attempt, Error *err) {
        _cleanup_json_ json_object *info = NULL;
        int r = api_json(attempt->cli, "GET", "/info", NULL, &info, err);
        const char *places[] = { NULL, str_after(attempt->cli->host, "unix://") };
        struct stat status;

        (void)drill;
        if (r < 0)
                return r;
        places[0] = json_words(info, "DockerRootDir");
        for (size_t i = 0; i < ELEMENTS(places); i++) {
                if (stat(places[i], &status) < 0)
                        return error_set(err, errno, "look at '%s'", places[i]);
                if (status.st_uid != 0 || (status.st_mode & 07))
                        buf_format(attempt->got, "%s is open to others: mode %o, user %u\n",
                                   places[i], (unsigned)status.st_mode & 07777,
                                   (unsigned)status.st_uid);
        }
        return 0;
}

static const Drill drills[] = {
        { "ids", "", "Ids with ../ and encoded slashes, in every call",
          "report it: an id reaches a path unread", run_ids, NULL },
        { "names", "", "Volumes whose names are paths", "report it: a name reaches a path unread",
          run_names, NULL },
        { "request-framing", "CVE-2024-41110", "Requests whose body is there for one reader only",
          "report it: who checks requests before the engine sees others than it", run_framing,
          NULL },
        { "file-lines", "CVE-2022-4318",
          "Lines for the files that the engine writes for a container",
          "report it: a value is a line of a container's file", run_lines, "lines" },
        { "copy-links", "CVE-2018-15664", "Files are copied in and out through an image's links",
          "report it: copies follow a link out of the container", run_copy_links, NULL },
        { "copy-race", "CVE-2018-15664", "The same while directory and link are exchanged",
          "report it: a copy looks a path up twice", run_copy_race, "swap" },
        { "mount-links", "CVE-2021-30465", "Mounts, volumes, directories below an image's links",
          "report it: a mount's target is found outside of the container", run_mount_links, NULL },
        { "volume-copies", "CVE-2022-23648", "A volume at an image's link is filled",
          "report it: a volume is filled with the host's files", run_volume_copies, "copied" },
        { "passwd-links", "", "Passwd files that are links to the host, FIFOs, directories",
          "report it: an image's passwd file is read outside of the container", run_passwd,
          "user" },
        { "modes", "CVE-2021-41091", "The data root and the socket, as others on the host see them",
          "take others' rights away: chmod o= what is named", run_modes, NULL },
};

const DrillSet api_drills = { drills, ELEMENTS(drills) };
