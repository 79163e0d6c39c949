/* build-allow.c: what steps of a build may have beyond others: only what both its client asked for
 * and the daemon's administrator allows. Of what is refused it says which of the two is missing,
 * and how that is set. The names are BuildKit's, the administrator's are those of dockerd's
 * daemon.json. */
#include "base/bug.h"
#include "engine/build-private.h"
#include "engine/engine-private.h"
#include "engine/network-mode.h"
#include "engine/networks.h"
#include "spec/build.h"

static const struct {
        const char *name, *ask; /* ask: how the client does */
        const char *setting;
} entitlements[ENTITLEMENTS] = {
        [ENTITLEMENT_INSECURE] = { BUILD_ALLOW_INSECURE,
                                   "`brig build --allow " BUILD_ALLOW_INSECURE
                                   "` on the daemon's Unix socket; Docker's classic API can't",
                                   "\"security-insecure\": true" },
        [ENTITLEMENT_HOST_NETWORK] = { BUILD_ALLOW_HOST_NETWORK,
                                       "`brig build --allow " BUILD_ALLOW_HOST_NETWORK
                                       "` on the daemon's Unix socket, or --network host",
                                       "\"network-host\": true" },
};

/* A build whose steps are all in the host's network has asked for that. */
static bool is_asked(const BuildRequest *request, Entitlement which) {
        return strv_has(request->allow, entitlements[which].name) ||
               (which == ENTITLEMENT_HOST_NETWORK && str_equal(request->network, "host"));
}

static bool is_allowed(const EngineOptions *options, Entitlement which) {
        return which == ENTITLEMENT_INSECURE ? options->build_insecure
                                             : !options->build_no_host_network;
}

void build_grant(const Build *build, BuildGrants *texts, PlanGrant grants[ENTITLEMENTS]) {
        for (Entitlement i = 0; i < ENTITLEMENTS; i++) {
                bool asked = is_asked(build->request, i) || BUG("build-security");
                bool allowed = is_allowed(&build->engine->options, i) || BUG("build-security");
                _cleanup_buf_ Buf text = {};

                if (!asked)
                        buf_format(&text, "the build did not ask for it (%s)", entitlements[i].ask);
                if (!allowed)
                        buf_format(&text,
                                   "%sthe daemon does not allow it (\"builder\": "
                                   "{\"entitlements\": {%s}} in its daemon.json, and a restart)",
                                   asked ? "" : ", and ", entitlements[i].setting);
                texts->text[i] = asked && allowed ? NULL : buf_take(&text);
                grants[i] = (PlanGrant){ asked && allowed, texts->text[i] };
        }
}

void build_grants_done(BuildGrants *texts) {
        for (size_t i = 0; i < ENTITLEMENTS; i++)
                free(texts->text[i]);
        *texts = (BuildGrants){};
}

int build_network_find(const Build *build, Error *err) {
        const char *name = build->request->network;
        _cleanup_network_ NetworkObject *network = NULL;

        if (str_empty(name) || str_equal(name, "default") || !network_mode_is_user(name))
                return 0;
        int r = network_lookup(build->engine, name, &network, err);
        if (r < 0)
                return r;
        /* By its id, the host's would pass for one that nobody has to allow. */
        if (!network_mode_is_user(network->config.name))
                return error_kind(err, ERROR_INVALID, "network %s: call it by its name, %s", name,
                                  network->config.name);
        return 0;
}
