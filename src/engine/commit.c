/* commit.c: a container's changes become an image: its own layer, copied, upon those of its image,
 * and its configuration as the image's. */
#include <errno.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "engine/engine-private.h"
#include "engine/events.h"
#include "engine/health.h"
#include "engine/labels.h"
#include "engine/registry.h"
#include "engine/state.h"
#include "engine/stop.h"
#include "format/digest.h"
#include "image/change.h"

/* The layer of a container that changed nothing: an archive of two blocks of zeros. */
#define EMPTY_LAYER "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"

typedef struct Commit {
        Engine *engine;
        const CommitOptions *options;
        Container *container;
        Image image;        /* that the container was made of */
        char holder[80];    /* of the new layer until the image has it */
        char **chains;      /* base first */
        ImageConfig config; /* of the new image */
        bool paused, empty; /* paused: by us; empty: there is no new layer */
} Commit;

static void commit_done(Commit *commit) {
        Error err = { 0 };

        if (commit->paused)
                (void)engine_container_unpause(commit->engine, commit->container->id, &err);
        if (*commit->holder)
                (void)image_release(commit->engine->images, commit->holder, &err);
        commit->chains = strv_free(commit->chains);
        json_done(&image_config_table, &commit->config);
        image_done(&commit->image);
        (void)container_unref(commit->container);
}

static int find(Commit *commit, Error *err) {
        int r = container_lookup(commit->engine, commit->options->container, &commit->container,
                                 err);

        if (r == 0)
                r = container_check_exists(commit->container, "commit", err);
        return r < 0 ? r
                     : image_find(commit->engine->images, commit->container->image_id,
                                  &commit->image, err);
}

/* ---- the configuration ---- */

static void set_run_config(Commit *commit) {
        _cleanup_snapshot_ ContainerSnapshot *snapshot = container_snapshot(commit->container);
        const ContainerConfig *from = &commit->container->spec.config;
        ImageRunConfig *to = &commit->config.config;

        to->user = str_copy(from->user);
        to->working_dir = str_copy(from->working_dir);
        to->stop_signal = str_copy(from->stop_signal);
        to->env = strv_copy(from->env);
        to->cmd = strv_copy(from->cmd);
        to->entrypoint = strv_copy(from->entrypoint);
        to->shell = strv_copy(from->shell);
        to->exposed_ports = strv_copy(from->exposed_ports);
        to->volumes = strv_copy(from->volumes);
        to->args_escaped = from->args_escaped;
        pairs_copy(&to->labels, snapshot_labels(commit->container, snapshot));
        health_config_inherit(&to->health, from->health);
}

static int set_config(Commit *commit, Error *err) {
        const CommitOptions *options = commit->options;
        ImageConfig *config = &commit->config;
        int r = 0;

        json_copy(&image_config_table, &commit->image.config, config);
        image_config_inherit(config);
        json_done(&image_run_config_table, &config->config);
        set_run_config(commit);
        for (char *const *change = options->changes; r == 0 && change && *change; change++)
                r = change_apply(&config->config, *change, err);
        /* As dockerd: what a HEALTHCHECK among the changes leaves out is the container's. */
        health_config_inherit(&config->config.health, commit->container->spec.config.health);
        config->created = clock_now();
        config->container = str_copy(commit->container->id);
        config->parent = str_copy(commit->image.id);
        config->container_config = container_config_write(&commit->container->spec.config);
        str_replace(&config->author, str_empty(options->author) ? NULL : options->author);
        str_replace(&config->comment, str_empty(options->comment) ? NULL : options->comment);
        return r;
}

static void add_history(Commit *commit) {
        ImageHistory *history = json_append(&commit->config.history, &image_history_table);

        history->created = commit->config.created;
        history->author = str_copy(commit->config.author);
        history->comment = str_copy(commit->config.comment);
        history->created_by = strv_join(commit->container->spec.config.cmd, " ");
        history->empty_layer = commit->empty;
}

/* ---- the layer ---- */

/* r, or 0 where the container is no longer as it was: it ended meanwhile, and writes no more. */
static int unless_ended(const Commit *commit, ContainerStatus was, int r, const Error *why,
                        Error *err) {
        _cleanup_snapshot_ ContainerSnapshot *snapshot = container_snapshot(commit->container);

        if (r == 0 || why->kind == ERROR_CONFLICT || snapshot->state.status != (int64_t)was)
                return 0;
        *err = *why;
        return r;
}

/* What runs stands still meanwhile; what is paused already stays so. */
static int pause_it(Commit *commit, Error *err) {
        _cleanup_snapshot_ ContainerSnapshot *snapshot = container_snapshot(commit->container);
        Error why = { 0 };
        int r;

        if (!commit->options->pause || snapshot->state.status != CONTAINER_RUNNING)
                return 0;
        r = container_pause_for(commit->engine, commit->container->id, true, &why);
        commit->paused = r == 0;
        return unless_ended(commit, CONTAINER_RUNNING, r, &why, err);
}

static int unpause_it(Commit *commit, Error *err) {
        Error why = { 0 };
        int r;

        if (!commit->paused)
                return 0;
        commit->paused = false;
        r = container_unpause_for_commit(commit->engine, commit->container->id, &why);
        return unless_ended(commit, CONTAINER_PAUSED, r, &why, err);
}

static int add_layer(Commit *commit, Error *err) {
        size_t count = strv_length(commit->image.chain_ids);
        char diff[DIGEST_TEXT_MAX], chain[DIGEST_TEXT_MAX], id[ID_LENGTH + 1];
        _cleanup_close_ int upper_fd = -1;
        LayerAdd add = {
                .holder = commit->holder,
                .epoch = -1,
                .parent_chain = count > 0 ? commit->image.chain_ids[count - 1] : NULL,
        };
        int64_t size;
        int r = container_open_upper(commit->container, &upper_fd, err);

        if (r < 0)
                return r;
        id_new(id);
        (void)snprintf(commit->holder, sizeof(commit->holder), "commit-%.64s", id);
        r = image_layer_copy(commit->engine->images, upper_fd, &add, diff, chain, &size, err);
        if (r == 0) /* a removal may have taken files that were not read yet */
                r = container_check_exists(commit->container, "commit", err);
        if (r < 0)
                return r;
        commit->chains = strv_copy(commit->image.chain_ids);
        commit->empty = str_equal(diff, EMPTY_LAYER);
        if (!commit->empty)
                strv_add(&commit->chains, chain);
        return 0;
}

static void tell(Commit *commit, const char *id) {
        Pairs attributes = { 0 };

        pairs_put(&attributes, "comment", commit->options->comment ?: "");
        pairs_put(&attributes, "imageID", id);
        pairs_put(&attributes, "imageRef", commit->options->name ?: "");
        container_event(commit->container, "commit", &attributes);
        pairs_done(&attributes);
}

int engine_container_commit(Engine *engine, const CommitOptions *options, char **ret_id,
                            Error *err) {
        _cleanup_(commit_done) Commit commit = { .engine = engine, .options = options };
        _cleanup_strv_ char **names = NULL;
        _cleanup_free_ char *id = NULL;
        int r = find(&commit, err);

        if (r == 0)
                r = set_config(&commit, err); /* a wrong instruction costs nothing */
        if (r == 0)
                r = pause_it(&commit, err);
        if (r == 0)
                r = failpoint("commit.paused", err);
        if (r == 0)
                r = add_layer(&commit, err);
        if (r == 0)
                r = failpoint("commit.layer", err);
        if (r == 0)
                r = unpause_it(&commit, err);
        if (r == 0)
                r = failpoint("commit.image", err);
        if (r < 0)
                return r;
        add_history(&commit);
        if (options->name)
                strv_add(&names, options->name);
        const ImageMake make = { .config = &commit.config,
                                 .chains = commit.chains,
                                 .names = names };
        r = image_make_as(engine->images, &make, &id, err);
        if (r < 0)
                return r;
        tell(&commit, id);
        *ret_id = TAKE_PTR(id);
        return 0;
}
