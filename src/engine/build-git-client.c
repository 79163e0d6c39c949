/* build-git-client.c: who asks for a repository: the credentials that a build's secrets, a URL's
 * user and an agent give, as git is told of them. See build-git.h. */
#include "engine/build-git.h"

#include <errno.h>
#include <fcntl.h>

#include "base/base64.h"
#include "base/fd.h"
#include "base/id.h"

#define TOKEN "GIT_AUTH_TOKEN"
#define HEADER "GIT_AUTH_HEADER"

static void headers_freep(char ***headers) {
        for (char **header = *headers; header && *header; header++)
                explicit_bzero(*header, strlen(*header));
        strv_free(*headers);
}

static const BuildSecret *find_secret(const BuildRequest *request, const char *name,
                                      const char *host) {
        _cleanup_free_ char *id = host ? str_format("%s.%s", name, host) : str_copy(name);

        for (size_t i = 0; i < request->secret_count; i++)
                if (str_equal(request->secrets[i].id, id))
                        return &request->secrets[i];
        return NULL;
}

static void add_basic(char ***headers, const char *origin, const char *user) {
        _cleanup_free_ char *encoded = base64_encode(user, strlen(user));

        strv_format(headers, "%s Authorization: basic %s", origin, encoded);
        explicit_bzero(encoded, strlen(encoded));
}

/* A file's last line ends with a newline that is no part of the secret. */
static void add_secret(char ***headers, const char *origin, const BuildSecret *secret, bool token) {
        _cleanup_free_ char *data = str_copy_n(secret->data, secret->length);
        const char *value = str_trim(data);
        _cleanup_free_ char *user = str_format("x-access-token:%s", value);

        if (token)
                add_basic(headers, origin, user);
        else
                strv_format(headers, "%s Authorization: %s", origin, value);
        explicit_bzero(user, strlen(user));
        explicit_bzero(data, strlen(data));
}

/* Adds what is known for a host; general: what is given for no host in particular counts, too. */
static bool add_for_host(const BuildRequest *request, const char *host, const char *origin,
                         bool general, char ***headers) {
        const struct {
                const char *name, *host;
        } names[] = { { HEADER, host }, { TOKEN, host }, { HEADER, NULL }, { TOKEN, NULL } };

        for (size_t i = 0; i < (general ? 4 : 2); i++) {
                const BuildSecret *secret = find_secret(request, names[i].name, names[i].host);

                if (!secret)
                        continue;
                add_secret(headers, origin, secret, str_equal(names[i].name, TOKEN));
                return true;
        }
        return false;
}

/* Submodules may lie on other hosts, for which secrets of their own are given. */
static void add_other_hosts(const BuildRequest *request, const char *known, char ***headers) {
        for (size_t i = 0; i < request->secret_count; i++) {
                const char *id = request->secrets[i].id;
                const char *token = str_after(id, TOKEN "."), *header = str_after(id, HEADER ".");
                const char *host = token ?: header;
                _cleanup_free_ char *url = host ? str_format("https://%s/x", host) : NULL;
                GitRemote remote = {};

                if (!host || str_equal(host, known) ||
                    (token && find_secret(request, HEADER, host)))
                        continue;
                if (git_remote_parse(url, &remote, NULL) == 0 && str_equal(remote.host, host))
                        (void)add_for_host(request, host, remote.origin, false, headers);
                git_remote_done(&remote);
        }
}

static char **make_headers(const BuildRequest *request, const GitRemote *remote) {
        char **headers = NULL;

        if (remote->origin && remote->user)
                add_basic(&headers, remote->origin, remote->user);
        else if (remote->origin)
                (void)add_for_host(request, remote->host, remote->origin, true, &headers);
        add_other_hosts(request, remote->host, &headers);
        return headers;
}

/* Those of the build's arguments, else the daemon's own; libcurl reads the small ones. */
static char **make_environment(const BuildRequest *request) {
        static const char *const names[][2] = { { "http_proxy", "HTTP_PROXY" },
                                                { "https_proxy", "HTTPS_PROXY" },
                                                { "no_proxy", "NO_PROXY" },
                                                { "all_proxy", "ALL_PROXY" } };
        char **environment = NULL;

        for (size_t i = 0; i < ELEMENTS(names); i++) {
                const char *value = env_get(request->args, names[i][0])
                                            ?: env_get(request->args, names[i][1])
                                                       ?: getenv(names[i][0])
                                                                  ?: getenv(names[i][1]);

                if (!str_empty(value))
                        strv_format(&environment, "%s=%s", names[i][0], value);
        }
        return environment;
}

static int find_agent(const BuildRequest *request) {
        for (size_t i = 0; i < request->ssh_count; i++)
                if (str_equal(request->ssh[i].id, "default"))
                        return request->ssh[i].socket_fd;
        return -1;
}

static int report(void *data, const ImageProgress *progress) {
        Build *build = data;
        const BuildEvent event = { .kind = BUILD_STATUS, .status = progress->status };

        if (build_cancelled(build))
                return -ECANCELED;
        return progress->status ? build_event(build, &event) : 0;
}

void git_asking_done(GitAsking *asking) {
        agent_relay_free(asking->relay);
        close_fd(&asking->agent_fd);
        headers_freep(&asking->headers);
        strv_free(asking->environment);
}

/* git's user is nobody that an agent lets in. */
static int relay_agent(Build *build, int agent_fd, GitAsking *asking, Error *err) {
        const AgentAccess access = { .uid = GIT_USER, .gid = GIT_USER, .mode = 0600 };
        int run_fd = build->builder->run_fd, r;
        char name[ID_LENGTH + 1];

        id_new(name);
        r = agent_relay_new(agent_fd, run_fd, name, &access, &asking->relay, err);
        if (r < 0)
                return r;
        asking->agent_fd = openat(run_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        return asking->agent_fd < 0 ? error_set(err, errno, "open the ssh agent's socket") : 0;
}

int git_asking_init(Build *build, const GitRemote *remote, GitAsking *ret, Error *err) {
        int agent_fd = find_agent(build->request);
        int r = agent_fd < 0 ? 0 : relay_agent(build, agent_fd, ret, err);

        ret->headers = make_headers(build->request, remote);
        ret->environment = make_environment(build->request);
        ret->request = (GitRequest){ .url = remote->url,
                                     .headers = ret->headers,
                                     .environment = ret->environment,
                                     .agent_fd = ret->agent_fd,
                                     .progress = report,
                                     .data = build };
        return r;
}

int git_digest_client(const Build *build, const GitRemote *remote, char digest[DIGEST_TEXT_MAX],
                      Error *err) {
        const int64_t uid = build->request->client_uid;
        _cleanup_(headers_freep) char **headers =
                uid < 0 ? make_headers(build->request, remote) : NULL;
        _cleanup_free_ char *user = uid < 0 ? NULL : str_format("%lld", (long long)uid);
        const char *kind = user ? "user" : "shows";
        char secret[ID_LENGTH + 1];
        KeyedDigester digester;
        int r = build_cache_secret(build->builder->cache, secret, err);

        if (r < 0)
                return r;
        keyed_digester_init(&digester, secret, ID_LENGTH);
        explicit_bzero(secret, sizeof(secret));
        keyed_digester_add(&digester, kind, strlen(kind) + 1);
        if (user)
                keyed_digester_add(&digester, user, strlen(user) + 1);
        for (char **header = headers; header && *header; header++)
                keyed_digester_add(&digester, *header, strlen(*header) + 1);
        keyed_digester_end(&digester, digest);
        return 0;
}

bool git_shows_credentials(const Build *build, const GitRemote *remote) {
        _cleanup_(headers_freep) char **headers = make_headers(build->request, remote);

        return strv_length(headers) > 0 || find_agent(build->request) >= 0;
}
