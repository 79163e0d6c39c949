/* endpoint.c: see endpoint.h. Contexts are context-store.h's, connections over other programs
 * dial.h's. */
#include "cli/endpoint.h"

#include "cli/config.h"
#include "cli/context-store.h"
#include "cli/dial.h"

static bool in_environment(const char *name) {
        return !str_empty(getenv(name));
}

/* ---- the context ---- */

const char *endpoint_context(Cli *cli) {
        const char *current;

        if (!str_empty(cli->context))
                return cli->context;
        if (strv_length(cli->hosts) > 0 || in_environment("BRIG_HOST") ||
            in_environment("DOCKER_HOST"))
                return "default";
        if (in_environment("DOCKER_CONTEXT"))
                return getenv("DOCKER_CONTEXT");
        current = config_string(cli, "currentContext");
        return str_empty(current) ? "default" : current;
}

static int from_context(Cli *cli, const char *name, Endpoint *ret, Error *err) {
        _cleanup_(context_done) Context context = { 0 };
        int r = context_read(cli, name, &context, err);

        if (r < 0)
                return r;
        ret->host = TAKE_PTR(context.host);
        ret->ca = TAKE_PTR(context.ca);
        ret->cert = TAKE_PTR(context.cert);
        ret->key = TAKE_PTR(context.key);
        ret->tls = context.skip_verify || ret->ca || ret->cert || ret->key;
        ret->verify = ret->tls && !context.skip_verify;
        return 0;
}

/* ---- flags and environment ---- */

/* The flag's file, or the usual one, if there is one. The caller's. */
static char *certificate(Cli *cli, const char *flag, const char *name) {
        const char *folder = getenv("DOCKER_CERT_PATH");
        _cleanup_free_ char *usual = str_empty(folder) ? config_directory(cli) : str_copy(folder);
        _cleanup_free_ char *path = NULL;

        if (flag)
                return str_copy(flag);
        path = str_format("%s/%s", usual, name);
        return access(path, F_OK) == 0 ? TAKE_PTR(path) : NULL;
}

static void set_tls(Cli *cli, Endpoint *ret) {
        ret->verify = cli->tls_verify || in_environment("DOCKER_TLS_VERIFY");
        ret->tls = ret->verify || cli->tls || in_environment("DOCKER_TLS") || cli->tls_ca ||
                   cli->tls_cert || cli->tls_key;
        if (!ret->tls)
                return;
        ret->ca = certificate(cli, cli->tls_ca, "ca.pem");
        ret->cert = certificate(cli, cli->tls_cert, "cert.pem");
        ret->key = certificate(cli, cli->tls_key, "key.pem");
}

static int choose_host(const Cli *cli, Endpoint *ret, Error *err) {
        const char *host = strv_length(cli->hosts) ? cli->hosts[0] : NULL;

        if (strv_length(cli->hosts) > 1)
                return error_kind(err, ERROR_INVALID, "specify only one -H");
        if (str_empty(host))
                host = getenv("BRIG_HOST");
        if (str_empty(host))
                host = getenv("DOCKER_HOST");
        if (!host || !*host)
                host = ENDPOINT_DEFAULT_HOST;
        ret->host = strstr(host, "://") ? str_copy(host) : str_format("tcp://%s", host);
        return 0;
}

int endpoint_find(Cli *cli, Endpoint *ret, Error *err) {
        const char *context = endpoint_context(cli);

        if (!str_empty(cli->context) && strv_length(cli->hosts) > 0)
                return error_kind(err, ERROR_INVALID,
                                  "conflicting options: cannot specify both --host and --context");
        ret->context = str_copy(context);
        if (!str_equal(context, "default"))
                return from_context(cli, context, ret, err);
        set_tls(cli, ret);
        return choose_host(cli, ret, err);
}

void endpoint_done(Endpoint *endpoint) {
        free(endpoint->context);
        free(endpoint->host);
        free(endpoint->ca);
        free(endpoint->cert);
        free(endpoint->key);
        *endpoint = (Endpoint){ 0 };
}

/* ---- the client ---- */

static int dial_tls(void *data, Error *err) {
        return dial_over_tls(data, err);
}

static int dial_ssh(void *data, Error *err) {
        return dial_over_ssh(((const Endpoint *)data)->host, err);
}

static const char *tcp_of(const Endpoint *endpoint) {
        return str_after(endpoint->host, "tcp://") ?: str_after(endpoint->host, "https://");
}

bool endpoint_is_dialed(const Endpoint *endpoint) {
        return (endpoint->tls && tcp_of(endpoint)) || str_after(endpoint->host, "ssh://");
}

int endpoint_client(const Endpoint *endpoint, HttpClient **ret, Error *err) {
        const char *rest = tcp_of(endpoint);
        _cleanup_free_ char *host = rest ? str_copy_n(rest, strcspn(rest, "/")) : NULL;

        if (str_after(endpoint->host, "ssh://"))
                *ret = http_client_new_dialed(endpoint->host, "docker.example.com", dial_ssh,
                                              (void *)endpoint);
        else if (endpoint->tls && rest)
                *ret = http_client_new_dialed(endpoint->host, host, dial_tls, (void *)endpoint);
        else
                return http_client_new(endpoint->host, ret, err);
        return 0;
}
