/* git-remote.c: see git-job.h. git sends the headers of its configuration wherever it asks, and
 * follows a redirection with all that comes after it: a server could send a secret on to any other.
 * So with a header nothing is followed by git; where its server leads is asked here, and followed
 * within the origin that the header is for. git-config(1), http.followRedirects. */
#include <errno.h>

#include "format/git-source.h"
#include "image/git-job.h"
#include "image/http-get.h"

#define QUESTION "/info/refs?service=git-upload-pack"
#define REDIRECTS_MAX 5

static void curl_freep(CURL **curl) {
        curl_easy_cleanup(*curl);
}

static void get_donep(HttpGet *get) {
        http_get_done(get);
}

/* "The requested URL returned error: 301" */
static bool is_redirection(const Error *err) {
        const char *code = strstr(err->message, "returned error: 30");

        return code && strspn(code + strlen("returned error: "), "0123456789") == 3;
}

/* Those of the URL's origin, without it; the list is the caller's. */
static char **headers_of(const GitRemote *remote, char *const *headers) {
        char **result = NULL;

        for (; remote->origin && headers && *headers; headers++) {
                const char *rest = str_after(*headers, remote->origin);

                if (rest && *rest == ' ')
                        strv_add(&result, rest + 1);
        }
        return result;
}

static void wipe_headers(char **headers) {
        for (char **header = headers; header && *header; header++)
                explicit_bzero(*header, strlen(*header));
        strv_free(headers);
}

/* Where the server leads: the whole URL; the caller's. */
static int ask_server(const GitRemote *remote, char *const *headers, char **ret, Error *err) {
        _cleanup_free_ char *url = str_format("%s" QUESTION, remote->url);
        char **ours = headers_of(remote, headers);
        _cleanup_(curl_freep) CURL *curl = curl_easy_init();
        _cleanup_(get_donep)
                HttpGet get = { .url = url, .headers = ours, .stays = true, .no_registry = true };
        int r = curl ? http_get(curl, &get, err)
                     : error_kind(err, ERROR_INTERNAL, "libcurl does not begin");

        wipe_headers(ours);
        if (r == 0 && !get.redirect)
                r = error_kind(err, ERROR_UNAVAILABLE, "its server redirects to nowhere");
        if (r == 0)
                *ret = TAKE_PTR(get.redirect);
        return r;
}

/* The repository's address of that URL, if it is of the same origin. */
static int check_target(const GitRemote *remote, const char *target, char **ret, Error *err) {
        size_t length = strlen(target), tail = strlen(QUESTION);
        _cleanup_free_ char *url = NULL;
        GitRemote there = {};
        int r;

        if (length <= tail || !str_equal(target + length - tail, QUESTION))
                return error_kind(err, ERROR_INVALID,
                                  "its server redirects to '%.300s', which is no repository",
                                  target);
        url = str_copy_n(target, length - tail);
        r = git_remote_parse(url, &there, err);
        if (r == 0 && (there.user || !str_equal(there.origin, remote->origin)))
                r = error_kind(err, ERROR_FORBIDDEN,
                               "its server redirects to '%.300s', where the secret for %s is not "
                               "sent: name that address, and its secret with --secret "
                               "id=GIT_AUTH_TOKEN.%s",
                               there.url, remote->host, there.host);
        if (r == 0)
                *ret = TAKE_PTR(there.url);
        git_remote_done(&there);
        return r;
}

/* Makes where it leads the remote. */
static int follow(GitJob *job, Error *err) {
        _cleanup_free_ char *target = NULL, *url = NULL;
        GitRemote remote = {};
        int r = git_remote_parse(job->url, &remote, err);

        if (r == 0)
                r = ask_server(&remote, job->request->headers, &target, err);
        if (r == 0)
                r = check_target(&remote, target, &url, err);
        if (r == 0)
                r = git_remote_set(job, url, err);
        git_remote_done(&remote);
        return r;
}

int git_remote_set(GitJob *job, const char *url, Error *err) {
        int r = git_config_write(url, job->request->headers, err);

        if (r == 0)
                str_replace(&job->url, url);
        return r;
}

int git_remote_run(GitJob *job, char *const *arguments, char *const *extra, GitOutput *output,
                   Error *err) {
        for (unsigned redirects = 0;; redirects++) {
                Error why = {};
                int r = git_run(&job->runner, arguments, extra, output, &why);

                if (r == 0)
                        return 0;
                if (!is_redirection(&why) || redirects == REDIRECTS_MAX) {
                        *err = why;
                        return r;
                }
                if (output)
                        git_output_done(output);
                r = follow(job, err);
                if (r < 0)
                        return r;
        }
}
