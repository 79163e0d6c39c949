/* remote.c: what a registry has under a name, and later that very image. See image.h. */
#include "image/pull.h"

void image_remote_done(ImageRemote *remote) {
        free(remote->digest);
        free(remote->id);
        json_done(&image_config_table, &remote->config);
        strv_free(remote->chain_ids);
        *remote = (ImageRemote){};
}

int image_remote(ImageStore *store, const char *name, const char *platform,
                 const RegistryAuth *auth, const RegistryOptions *options, ImageRemote *ret,
                 Error *err) {
        const PullRequest request = { .store = store,
                                      .platform = platform,
                                      .any_platform = true,
                                      .auth = auth,
                                      .options = options };
        _cleanup_(pull_done) Pull pull = {};
        _cleanup_(session_done) Session session = { .helper = { .socket = -1 } };
        int r = pull_begin(&pull, &request, name, err);

        if (r == 0)
                r = session_start(&pull.options, NULL, &session, err);
        if (r == 0)
                r = pull_resolve(&pull, &session, err);
        if (r < 0)
                return r;
        *ret = (ImageRemote){ .digest = str_copy(pull.top),
                              .id = str_copy(pull.assembly.record.id),
                              .config = pull.assembly.config };
        ret->chain_ids = TAKE_PTR(pull.assembly.record.chains);
        pull.assembly.config = (ImageConfig){};
        return 0;
}

int image_pull_remote(ImageStore *store, const char *name, const char *digest, const char *platform,
                      const char *holder, const RegistryAuth *auth, const RegistryOptions *options,
                      ImageProgressFn progress, void *data, char **ret_id, Error *err) {
        const PullRequest request = { .store = store,
                                      .platform = platform,
                                      .holder = holder,
                                      .pinned = digest,
                                      .any_platform = true,
                                      .auth = auth,
                                      .options = options,
                                      .progress = progress,
                                      .data = data };
        bool newer = false;

        return pull_one(&request, name, ret_id, &newer, err);
}
