/* create.c: makes a container's record and its directories. What the request may hold is ocispec's,
 * mounts' and networks' to judge; nothing runs yet. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "engine/create-parts.h"
#include "engine/endpoints.h"
#include "engine/engine-private.h"
#include "engine/events.h"
#include "engine/links.h"
#include "engine/mounts.h"
#include "engine/network-mode.h"
#include "engine/ocispec.h"
#include "engine/registry.h"
#include "engine/snapshot.h"
#include "engine/state.h"
#include "engine/steps.h"

#define NAME_ATTEMPTS 16

typedef struct CreateJob {
        Engine *engine;
        const char *name, *platform; /* as asked, may be NULL */
        char ***warnings;
        Image image;
        Container *container;
} CreateJob;

static void create_job_done(CreateJob *job) {
        image_done(&job->image);
        container_unref(job->container);
}

/* ---- image ---- */

static int create_image(void *data, Error *err) {
        CreateJob *job = data;
        const char *ref = job->container->spec.config.image;

        if (str_empty(ref))
                return error_kind(err, ERROR_INVALID, "no image was given: set Image");
        /* Of a platform that is not here: the words make docker's client pull it and try again. */
        int r = image_find_platform(job->engine->images, ref, job->platform, &job->image, err);
        if (r < 0)
                return r;
        job->container->image_id = str_copy(job->image.id);
        job->container->platform =
                str_copy(str_empty(job->image.config.os) ? "linux" : job->image.config.os);
        return image_defaults_merge(job->container, &job->image, err);
}

static int create_layers(void *data, Error *err) {
        CreateJob *job = data;
        _cleanup_strv_ char **lowers = NULL, **paths = NULL;
        char *layer = NULL;

        int r = image_layers(job->engine->images, &job->image, &lowers, err);
        if (r == 0 && !lowers)
                return error_kind(err, ERROR_INVALID,
                                  "image '%s' has no layers, so nothing to run: use one that has",
                                  job->container->spec.config.image);
        for (char **lower = lowers; r == 0 && *lower; lower++)
                strv_format(&paths, IMAGE_DIRECTORY "%s", *lower);
        if (r == 0)
                r = init_layer(job->engine, paths, &layer, err);
        if (r < 0)
                return r;
        strv_take(&job->container->lowers, layer);
        for (char **path = paths; *path; path++)
                strv_add(&job->container->lowers, *path);
        return 0;
}

/* ---- name and host name ---- */

static int create_name(void *data, Error *err) {
        CreateJob *job = data;
        Container *container = job->container;

        if (!str_empty(job->name)) {
                const char *name = job->name[0] == '/' ? job->name + 1 : job->name;
                if (!name_valid(name))
                        return error_kind(err, ERROR_INVALID,
                                          "Invalid container name (%s), only "
                                          "[a-zA-Z0-9][a-zA-Z0-9_.-] are allowed",
                                          job->name);
                int r = registry_reserve_name(job->engine, name, container->id, err);
                if (r < 0)
                        return r;
                container->name = str_copy(name);
                return 0;
        }
        for (int attempt = 0;; attempt++) {
                _cleanup_free_ char *name = name_random(attempt);
                int r = registry_reserve_name(job->engine, name, container->id, err);
                if (r == 0) {
                        container->name = TAKE_PTR(name);
                        return 0;
                }
                if (attempt == NAME_ATTEMPTS)
                        return error_prefix(err, "could not find a free name");
        }
}

static void create_name_undo(void *data) {
        CreateJob *job = data;

        registry_release_name(job->engine, job->container->name);
}

/* Containers of one network namespace have one name. */
static int hostname_of_owner(Container *container, Error *err) {
        _cleanup_container_ Container *owner = NULL;

        int r = container_network_owner(container, &owner, err);
        if (r < 0)
                return r;
        str_replace(&container->spec.config.hostname, owner->spec.config.hostname);
        str_replace(&container->spec.config.domainname, owner->spec.config.domainname);
        return 0;
}

static int create_hostname(Container *container, Error *err) {
        ContainerConfig *config = &container->spec.config;
        const char *mode = container_network_mode(container);

        if (str_after(mode, "container:"))
                return hostname_of_owner(container, err);
        if (!str_empty(config->hostname))
                return 0;
        if (str_equal(mode, "host") || str_equal(container->spec.host.uts_mode, "host")) {
                struct utsname host;
                if (uname(&host) < 0)
                        return error_set(err, errno, "read the host's name");
                str_replace(&config->hostname, host.nodename);
                return 0;
        }
        free(config->hostname);
        config->hostname = str_copy_n(container->id, ID_SHORT);
        return 0;
}

static int create_namespaces(void *data, Error *err) {
        CreateJob *job = data;

        return namespaces_resolve(job->container, err);
}

static int create_networks(void *data, Error *err) {
        CreateJob *job = data;

        int r = endpoints_plan(job->container, err);
        if (r >= 0)
                r = links_resolve(job->container, err);
        if (r >= 0)
                r = create_hostname(job->container, err);
        /* "Not found" is the image's at a create: clients would go and pull it. */
        if (r == -ENOENT && err && err->kind == ERROR_NOT_FOUND)
                err->kind = ERROR_CONFLICT;
        return r;
}

/* ---- what is made ---- */

/* The directory is the intent: a daemon that finds one that no row knows takes back what was made
 * for it. */
static int create_intent(void *data, Error *err) {
        CreateJob *job = data;

        if (mkdirat(job->engine->containers_fd, job->container->id, 0710) < 0)
                return error_set(err, errno, "make the container's directory");
        return 0;
}

static void create_intent_undo(void *data) {
        CreateJob *job = data;
        Error error = { 0 };

        if (dir_remove_at(job->engine->containers_fd, job->container->id, &error) < 0)
                log_warn("remove the directory of container %s: %s", job->container->id,
                         error.message);
}

static int create_directories(void *data, Error *err) {
        CreateJob *job = data;
        const char *id = job->container->id;
        int dir_fd = job->engine->containers_fd;
        _cleanup_free_ char *upper = str_format("%s/upper", id), *work = str_format("%s/work", id);

        /* upper is the container's root directory as its processes see it. */
        if (mkdirat(dir_fd, upper, 0755) < 0 || mkdirat(dir_fd, work, 0700) < 0)
                return error_set(err, errno, "make the container's directories");
        return 0;
}

static int create_hold(void *data, Error *err) {
        CreateJob *job = data;

        /* Removed since it was found, there is nothing to hold. */
        return image_hold(job->engine->images, job->image.id, job->container->id, err);
}

static void create_hold_undo(void *data) {
        CreateJob *job = data;
        Error error = { 0 };

        if (image_release(job->engine->images, job->container->id, &error) < 0)
                log_warn("release the image of container %s: %s", job->container->id,
                         error.message);
}

static int create_mounts(void *data, Error *err) {
        CreateJob *job = data;

        return mounts_resolve(job->container, &job->image, err);
}

static void create_mounts_undo(void *data) {
        CreateJob *job = data;

        mounts_undo(job->container);
}

static int create_record(void *data, Error *err) {
        CreateJob *job = data;

        return container_save_new(job->container, err);
}

static void create_record_undo(void *data) {
        CreateJob *job = data;
        Error error = { 0 };

        if (db_delete(job->engine->db, DB_CONTAINERS, job->container->id, false, &error) < 0)
                log_warn("forget container %s: %s", job->container->id, error.message);
}

/* From here on others see it. */
static int create_ready(void *data, Error *err) {
        CreateJob *job = data;

        container_publish(job->container);
        container_event(job->container, "create", NULL);
        registry_add(job->engine, job->container);
        return 0;
}

static const JobStep create_steps[] = {
        { "create.image", create_image, NULL },
        { "create.name", create_name, create_name_undo },
        { "create.namespaces", create_namespaces, NULL },
        { "create.networks", create_networks, NULL },
        { "create.intent", create_intent, create_intent_undo },
        { "create.hold", create_hold, create_hold_undo },
        { "create.layers", create_layers, NULL },
        { "create.directories", create_directories, NULL },
        { "create.mounts", create_mounts, create_mounts_undo },
        { "create.record", create_record, create_record_undo },
        { "create.ready", create_ready, NULL },
};

/* A copy of its own, by the documents' own tables. */
static int create_copy(const ContainerCreate *from, ContainerCreate *to, Error *err) {
        _cleanup_json_ json_object *document = container_create_write(from);

        return container_create_read(document, to, err);
}

int engine_container_create(Engine *engine, const char *name, const char *platform,
                            const ContainerCreate *create, char **ret_id, char ***warnings,
                            Error *err) {
        _cleanup_(create_job_done) CreateJob job = {
                .engine = engine, .name = name, .platform = platform, .warnings = warnings
        };
        char id[ID_LENGTH + 1];

        int r = container_create_refused(create, err);
        if (r < 0)
                return r;
        id_new(id);
        job.container = container_new(engine, id);
        job.container->created = clock_now();
        r = create_copy(create, &job.container->spec, err);
        if (r < 0)
                return r;
        job.container->spec.shallow_read_only = create->shallow_read_only;
        EndpointSettings *endpoints = job.container->spec.endpoints.items;
        for (size_t i = 0; i < job.container->spec.endpoints.count; i++)
                endpoints[i].ipv6_optional = create->ipv6_optional;
        r = network_mode_check(&job.container->spec, err);
        if (r < 0)
                return r;
        r = container_spec_check(engine, &job.container->spec, warnings, err);
        if (r < 0)
                return r;
        r = steps_run(create_steps, ELEMENTS(create_steps), &job, err);
        if (r < 0)
                return r;
        if (job.container->spec.host.links)
                atomic_store(&engine->linked, true);
        *ret_id = str_copy(id);
        return 0;
}
