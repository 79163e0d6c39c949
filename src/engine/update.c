/* update.c: changes a container that is there: its labels, its limits, its restart policy, its
 * published ports, its mounts; all that one request asks for, or nothing of it. Ports are in force
 * before they are recorded, as only then their numbers are known: the next daemon takes away what
 * the record does not have. Volumes are in use before that, and those that are not any more until
 * after it. Network policies select by labels: a change of them is in force before it is recorded,
 * so nothing that was acknowledged is ever not in force, and a daemon that is killed in between
 * goes back to what was. Limits are recorded before they are in force: the next daemon puts those
 * of the record in force. */
#include "base/log.h"
#include "engine/container-limits.h"
#include "engine/engine-private.h"
#include "engine/events.h"
#include "engine/labels.h"
#include "engine/mounts-change.h"
#include "engine/policies.h"
#include "engine/publish.h"
#include "engine/registry.h"
#include "engine/state.h"
#include "engine/steps.h"

typedef struct UpdateJob {
        Container *container;
        LabelSet *labels; /* the new ones, NULL: they stay; once exchanged, the old ones */
        LimitSet *limits;
        PublishSet *published;
        const ContainerUpdate *update;
        MountsChange mounts;
        bool with_labels, with_limits, with_ports, with_mounts;
        PublishBefore before; /* the endpoints' ports */
        bool for_group; /* of the limits, one that the control group has; else the restart policy */
        bool recorded;
} UpdateJob;

static void update_job_done(UpdateJob *job) {
        label_set_unref(job->labels);
        limit_set_unref(job->limits);
        publish_set_unref(job->published);
        publish_before_done(&job->before);
        mounts_change_done(&job->mounts);
}

/* lock held. What the endpoints were lent follows the labels. */
static void exchange(UpdateJob *job) {
        Container *container = job->container;
        ContainerEndpoint *endpoints = container->endpoints.items;

        if (job->with_limits) {
                LimitSet *old = container->limits;

                container->limits = job->limits;
                job->limits = old;
        }
        if (job->with_ports) {
                PublishSet *old = container->published;

                container->published = job->published;
                job->published = old;
        }
        if (job->with_mounts) {
                MountSet *old = container->mounted;

                container->mounted = job->mounts.set;
                job->mounts.set = old;
        }
        if (!job->with_labels)
                return;
        LabelSet *old = container->labels;
        container->labels = job->labels;
        job->labels = old;
        for (size_t i = 0; i < container->endpoints.count; i++)
                endpoint_lend_labels(container, &endpoints[i].endpoint);
}

static int put_labels_in_force(const UpdateJob *job, Error *err) {
        const Container *container = job->container;
        const Pairs *labels = container_labels(container);

        if (!job->with_labels)
                return 0;
        return net_relabel(container->engine->net, container->id, labels_namespace(labels), labels,
                           err);
}

static int save(UpdateJob *job, Error *err) {
        return container_save(job->container, container_is_kept(job->container), err);
}

/* ---- steps ---- */

static int update_mounts(void *data, Error *err) {
        UpdateJob *job = data;

        return job->with_mounts
                       ? mounts_change_begin(job->container, job->update, &job->mounts, err)
                       : 0;
}

static void update_mounts_undo(void *data) {
        UpdateJob *job = data;

        if (job->with_mounts)
                mounts_change_undo(job->container, &job->mounts);
}

static int update_apply(void *data, Error *err) {
        UpdateJob *job = data;
        int r;

        exchange(job);
        r = put_labels_in_force(job, err);
        if (r < 0)
                exchange(job);
        return r;
}

static void update_apply_undo(void *data) {
        UpdateJob *job = data;
        Error why = { 0 };

        exchange(job);
        if (put_labels_in_force(job, &why) < 0)
                log_error("take back the labels of container %s: %s", job->container->id,
                          why.message);
        if (job->recorded && save(job, &why) < 0)
                log_error("record container %s as it was: %s", job->container->id, why.message);
}

static int update_ports(void *data, Error *err) {
        UpdateJob *job = data;
        const Container *container = job->container;

        if (!job->with_ports)
                return 0;
        return publish_apply(job->container,
                             job->published ? &job->published->bindings
                                            : &container->spec.host.port_bindings,
                             &job->before, err);
}

static void update_ports_undo(void *data) {
        UpdateJob *job = data;

        if (job->with_ports)
                publish_restore(job->container, &job->before);
}

static int update_record(void *data, Error *err) {
        UpdateJob *job = data;
        char **begun = TAKE_PTR(job->container->state.volumes_begun);
        int r = save(job, err);

        job->recorded = r == 0;
        if (r < 0)
                job->container->state.volumes_begun = TAKE_PTR(begun);
        strv_free(begun);
        return r;
}

static int update_limits(void *data, Error *err) {
        UpdateJob *job = data;

        return job->for_group && container_is_running(job->container)
                       ? container_limits_apply(job->container, err)
                       : 0;
}

static const JobStep update_steps[] = {
        { "update.mounts", update_mounts, update_mounts_undo },
        { "update.apply", update_apply, update_apply_undo },
        { "update.ports", update_ports, update_ports_undo },
        { "update.record", update_record, NULL },
        { "update.limits", update_limits, NULL },
};

int engine_container_update(Engine *engine, const char *ref, const ContainerUpdate *update,
                            Error *err) {
        _cleanup_container_ Container *container = NULL;
        _cleanup_(update_job_done) UpdateJob job = { 0 };
        HostLimits group; /* borrowed: what of the limits is not the engine's own */
        int r = container_lookup(engine, ref, &container, err);

        if (r < 0)
                return r;
        CONTAINER_LOCKED(container);
        r = container_check_exists(container, "update", err);
        if (r < 0)
                return r;
        job.container = container;
        group = update->limits;
        group.restart_policy = (RestartPolicy){ 0 };
        job.for_group = host_limits_any(&group);
        if (host_limits_any(&update->limits))
                r = container_limits_change(container, &update->limits, &job.limits, err);
        if (r == 0)
                r = publish_change(container, update, &job.published, err);
        job.update = update;
        job.with_mounts = update->mounts_added.count > 0 || update->mounts_removed;
        if (r == 0 && job.with_mounts)
                r = mounts_change_check(container, update, err);
        if (r < 0)
                return r;
        job.labels = labels_change(container, update);
        job.with_labels = job.labels != NULL;
        job.with_limits = job.limits != NULL;
        job.with_ports = job.published != NULL;
        if (!job.with_labels && !job.with_limits && !job.with_ports && !job.with_mounts)
                return 0;
        r = steps_run(update_steps, ELEMENTS(update_steps), &job, err);
        if (r < 0)
                return r;
        if (job.with_mounts)
                mounts_change_settle(container, &job.mounts);
        container_publish(container);
        container_event(container, "update", NULL);
        return 0;
}
