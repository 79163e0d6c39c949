/* build-run-mounts.c: RUN --mount: each source is attached below the exec root, where the runtime
 * finds it by a path that only the daemon changes. Secrets lie in a tmpfs of the step's own, and an
 * agent is reached through a relay. What the root lacks as mount points is build-run-layers.c's. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/bug.h"
#include "base/fd.h"
#include "base/log.h"
#include "engine/build-run.h"
#include "engine/engine-private.h"
#include "engine/ocispec.h"
#include "os/mount.h"

#define SECRETS "secrets"

/* ---- sources ---- */

/* Of a name in the mounts' directory; the caller's. */
static char *source_path(const RunMounts *mounts, const char *name) {
        return str_format("%s/build/%s/%s", mounts->build->engine->options.exec_root, mounts->name,
                          name);
}

/* An empty directory or file to attach to; its path is the caller's. */
static int make_target(RunMounts *mounts, const char *name, bool directory, char **ret_path,
                       Error *err) {
        int r = directory ? mkdirat(mounts->dir_fd, name, 0700)
                          : mknodat(mounts->dir_fd, name, S_IFREG | 0600, 0);

        if (r < 0)
                return error_set(err, errno, "make a place for a build's mount");
        *ret_path = source_path(mounts, name);
        return 0;
}

static int is_directory(int fd, bool *ret, Error *err) {
        struct stat st;

        if (fstat(fd, &st) < 0)
                return error_set(err, errno, "look at the source of a build's mount");
        *ret = S_ISDIR(st.st_mode);
        return 0;
}

/* What fd has open (a detached root, a directory, a file) becomes the source. */
static int attach(RunMounts *mounts, int fd, bool detached, const char *name, MountPoint *point,
                  Error *err) {
        _cleanup_close_ int copy = -1;
        bool directory = false;
        int r = is_directory(fd, &directory, err);

        if (r == 0 && !detached)
                r = mount_clone(fd, true, &copy, err);
        if (r == 0)
                r = make_target(mounts, name, directory, &point->source, err);
        return r < 0 ? r : mount_attach_at(detached ? fd : copy, mounts->dir_fd, name, err);
}

/* Attaches a root as a whole, then what is wanted of it: a part of a detached mount cannot be
 * copied before Linux 6.15. */
static int attach_part(RunMounts *mounts, int root_fd, const char *path, size_t number,
                       MountPoint *point, Error *err) {
        _cleanup_free_ char *whole = str_format("%zu.root", number);
        _cleanup_free_ char *part = str_format("%zu", number);
        _cleanup_close_ int attached = -1, part_fd = -1;
        MountPoint root = {};
        int r = attach(mounts, root_fd, true, whole, &root, err);

        free(root.source);
        if (r == 0)
                r = dir_open_at(mounts->dir_fd, whole, 0, &attached, err);
        if (r < 0)
                return r;
        if (BUG("build-source"))
                part_fd = open_in_root(attached, path + strspn(path, "/"), O_PATH, 0);
        else
                part_fd = open_in_root(attached, path, O_PATH,
                                       RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
        if (part_fd < 0)
                return error_set(err, errno, "mount source '%s'", path);
        return attach(mounts, part_fd, false, part, point, err);
}

static bool mounts_cancelled(void *data) {
        return build_cancelled(data);
}

/* A bind that may be written to, whose writes are dropped: an overlay of its own. */
static int writable_root(RunMounts *mounts, const SolveInput *input, size_t number, bool remapped,
                         int *ret_fd, Error *err) {
        _cleanup_free_ char *name = str_format("%zu.upper", number);
        _cleanup_free_ char *path = str_format("containers/%s/%s", mounts->name, name);
        _cleanup_close_ int state_fd = -1, upper_fd = -1;
        int r = dir_open_at(mounts->build->engine->containers_fd, mounts->name, 0, &state_fd, err);

        if (r == 0)
                r = dir_open_at(state_fd, name, 0700, &upper_fd, err);
        if (r == 0 && remapped)
                return builder_mount_remapped(mounts->build->builder, input->layers, path, ret_fd,
                                              err);
        return r < 0 ? r
                     : builder_mount(mounts->build->builder, input->layers, upper_fd, ret_fd, err);
}

/* A context is copied: without what its ignore file names, and as 0:0's, as COPY has it. */
static int bind_context(RunMounts *mounts, const RunMount *mount, const Tree *tree, size_t number,
                        MountPoint *point, Error *err) {
        char *patterns[] = { (char *)mount->source + 1, NULL };
        const SelectOptions select = { .patterns = patterns, .literal = true };
        const CopyOptions copy = { .dest = "/", .uid = 0, .gid = 0, .epoch = -1, .itself = true };
        const TreeJob job = { .cancelled = mounts_cancelled, .data = mounts->build };
        _cleanup_(selection_done) Selection selection = {};
        _cleanup_free_ char *name = str_format("%zu", number);
        _cleanup_close_ int part_fd = -1;
        int dir_fd;
        int r = build_scratch_directory(mounts->build->builder, &dir_fd, err);

        if (r < 0)
                return r;
        GROW(mounts->copies, mounts->copy_count);
        mounts->copies[mounts->copy_count++] = dir_fd;
        if (fchmod(dir_fd, 0755) < 0)
                return error_set(err, errno, "copy a build context");
        r = tree_select(tree, &select, &selection, err);
        if (r == 0)
                r = tree_copy(tree, &selection, dir_fd, &copy, &job, err);
        if (r < 0)
                return r;
        if (selection.count == 1 && !selection.items[0].directory)
                part_fd = openat(dir_fd, selection.items[0].name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        else
                part_fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 3);
        if (part_fd < 0)
                return error_set(err, errno, "mount source '%s'", mount->source);
        return attach(mounts, part_fd, false, name, point, err);
}

/* An overlay's owners cannot be mapped once it is mounted: its layers' are. */
static int make_bind(RunMounts *mounts, const RunMount *mount, const SolveInput *input,
                     size_t number, const Container *container, MountPoint *point, Error *err) {
        bool remapped = container_is_remapped(container);
        _cleanup_close_ int root_fd = -1;
        int r;

        point->rw = !mount->readonly;
        point->is_own = input->tree != NULL;
        if (input->tree)
                return bind_context(mounts, mount, input->tree, number, point, err);
        if (!mount->readonly)
                r = writable_root(mounts, input, number, remapped, &root_fd, err);
        else if (remapped)
                r = builder_mount_remapped(mounts->build->builder, input->layers, NULL, &root_fd,
                                           err);
        else
                r = builder_mount(mounts->build->builder, input->layers, -1, &root_fd, err);
        return r < 0 ? r : attach_part(mounts, root_fd, mount->source, number, point, err);
}

/* Of the directory that a cache mount begins with; a context is copied as 0:0's. */
static int read_owner(const RunMount *mount, const Tree *root, bool is_context, struct stat *owner,
                      Error *err) {
        _cleanup_close_ int fd = open_in_root(root->root_fd, mount->source, O_PATH,
                                              RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);

        if (fd < 0 || fstat(fd, owner) < 0)
                return error_set(err, errno, "mount source '%s'", mount->source);
        if (!S_ISDIR(owner->st_mode))
                owner->st_mode = 0755;
        if (is_context)
                owner->st_uid = owner->st_gid = 0;
        return 0;
}

/* What a new cache mount begins with. */
static int fill_cache(RunMounts *mounts, const RunMount *mount, const SolveInput *input, int dir_fd,
                      struct stat *owner, Error *err) {
        char *patterns[] = { (char *)mount->source + 1, NULL };
        const SelectOptions select = { .patterns = patterns, .literal = true };
        const CopyOptions copy = { .dest = "/", .uid = -1, .gid = -1, .epoch = -1 };
        const TreeJob job = { .cancelled = mounts_cancelled, .data = mounts->build };
        _cleanup_(selection_done) Selection selection = {};
        _cleanup_close_ int root_fd = -1;
        Tree root = {};
        int r = 0;

        if (!input->layers && !input->tree)
                return 0;
        if (!input->tree)
                r = builder_mount(mounts->build->builder, input->layers, -1, &root_fd, err);
        root.root_fd = root_fd;
        if (r == 0)
                r = tree_select(input->tree ?: &root, &select, &selection, err);
        if (r == 0)
                r = tree_copy(input->tree ?: &root, &selection, dir_fd, &copy, &job, err);
        return r < 0 ? r : read_owner(mount, input->tree ?: &root, input->tree, owner, err);
}

/* The id that comes next in order; NULL: none. The sharing that all mounts of that id agree to. */
static const char *next_cache(const RunStep *run, const char *after, CacheSharing *ret_sharing) {
        const char *id = NULL;

        for (size_t i = 0; i < run->mount_count; i++) {
                const RunMount *mount = &run->mounts[i];

                if (mount->kind != MOUNT_CACHE || (after && strcmp(mount->id, after) <= 0))
                        continue;
                if (!id || strcmp(mount->id, id) < 0) {
                        id = mount->id;
                        *ret_sharing = mount->sharing;
                } else if (str_equal(mount->id, id)) {
                        *ret_sharing = MAX(*ret_sharing, mount->sharing);
                }
        }
        return id;
}

/* Each id once, and all steps in the same order: what is locked is waited for, and nobody waits for
 * himself or in a circle. */
static int take_caches(RunMounts *mounts, const RunStep *run, Error *err) {
        static const MountSharing sharings[] = { [SHARING_SHARED] = MOUNT_SHARED,
                                                 [SHARING_PRIVATE] = MOUNT_PRIVATE_,
                                                 [SHARING_LOCKED] = MOUNT_LOCKED };
        Build *build = mounts->build;
        CacheSharing sharing;
        int r = 0;

        for (const char *id = NULL; r == 0 && (id = next_cache(run, id, &sharing));) {
                StepCache cache = { .id = id, .dir_fd = -1 };

                r = build_cache_mount(build->builder->cache, id, sharings[sharing],
                                      mounts_cancelled, build, &cache.mount, &cache.dir_fd,
                                      &cache.is_new, err);
                if (r < 0)
                        return r;
                GROW(mounts->caches, mounts->cache_count);
                mounts->caches[mounts->cache_count++] = cache;
        }
        return r;
}

static int begin_cache(RunMounts *mounts, const RunMount *mount, const SolveInput *input,
                       StepCache *cache, Error *err) {
        struct stat owner = { .st_mode = 0755 };
        int r = fill_cache(mounts, mount, input, cache->dir_fd, &owner, err);

        if (mount->uid >= 0)
                owner.st_uid = (uid_t)mount->uid;
        if (mount->gid >= 0)
                owner.st_gid = (gid_t)mount->gid;
        if (mount->mode >= 0)
                owner.st_mode = (mode_t)mount->mode;
        if (r == 0 && (fchown(cache->dir_fd, owner.st_uid, owner.st_gid) < 0 ||
                       fchmod(cache->dir_fd, owner.st_mode & 07777) < 0))
                r = error_set(err, errno, "make cache mount '%s'", mount->id);
        if (r == 0)
                r = cache_mount_ready(cache->mount, err);
        cache->is_new = r < 0;
        return r;
}

static int make_cache(RunMounts *mounts, const RunMount *mount, const SolveInput *input,
                      size_t number, MountPoint *point, Error *err) {
        _cleanup_free_ char *name = str_format("%zu", number);
        StepCache *cache = mounts->caches;
        int r = 0;

        while (!str_equal(cache->id, mount->id))
                cache++;
        if (cache->is_new)
                r = begin_cache(mounts, mount, input, cache, err);
        point->rw = !mount->readonly;
        return r < 0 ? r : attach(mounts, cache->dir_fd, false, name, point, err);
}

static const BuildSecret *find_secret(const BuildRequest *request, const char *id) {
        for (size_t i = 0; i < request->secret_count; i++)
                if (str_equal(request->secrets[i].id, id))
                        return &request->secrets[i];
        return NULL;
}

/* A tmpfs, so that no secret is ever on a disk. */
static int open_secrets(RunMounts *mounts, int *ret_fd, Error *err) {
        static char *const options[] = { (char *)"mode=0700", NULL };
        _cleanup_close_ int mount_fd = -1;
        int r;

        if (mkdirat(mounts->dir_fd, SECRETS, 0700) == 0) {
                r = mount_new("tmpfs", "tmpfs", options, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID,
                              &mount_fd, err);
                if (r == 0)
                        r = mount_attach_at(mount_fd, mounts->dir_fd, SECRETS, err);
                if (r < 0)
                        return r;
        } else if (errno != EEXIST) {
                return error_set(err, errno, "make a place for a build's secrets");
        }
        return dir_open_at(mounts->dir_fd, SECRETS, 0, ret_fd, err);
}

static int make_secret(RunMounts *mounts, const RunMount *mount, const BuildSecret *secret,
                       size_t number, const Container *container, MountPoint *point, Error *err) {
        _cleanup_free_ char *name = str_format("%zu", number);
        _cleanup_free_ char *path = str_format(SECRETS "/%s", name);
        _cleanup_close_ int dir_fd = -1, fd = -1;
        int r = open_secrets(mounts, &dir_fd, err);

        if (r < 0)
                return r;
        fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0)
                return error_set(err, errno, "write secret '%s'", mount->id);
        r = fd_write_full(fd, secret->data, secret->length);
        if (r < 0)
                return error_set(err, r, "write secret '%s'", mount->id);
        if (fchown(fd, userns_uid(container, mount->uid), userns_gid(container, mount->gid)) < 0 ||
            fchmod(fd, (mode_t)mount->mode) < 0)
                return error_set(err, errno, "write secret '%s'", mount->id);
        point->source = source_path(mounts, path);
        return 0;
}

/* The agent lets in its user and root alone; the step's program may be neither. */
static int relay_agent(RunMounts *mounts, const RunMount *mount, int agent_fd, size_t number,
                       const Container *container, MountPoint *point, Error *err) {
        const AgentAccess access = { .uid = userns_uid(container, mount->uid),
                                     .gid = userns_gid(container, mount->gid),
                                     .mode = (mode_t)mount->mode };
        _cleanup_free_ char *name = str_format("%zu", number);
        AgentRelay *relay;
        int r = agent_relay_new(agent_fd, mounts->dir_fd, name, &access, &relay, err);

        if (r < 0)
                return r;
        GROW(mounts->relays, mounts->relay_count);
        mounts->relays[mounts->relay_count++] = relay;
        point->rw = true;
        point->source = source_path(mounts, name);
        return 0;
}

static int make_ssh(RunMounts *mounts, const RunMount *mount, size_t number,
                    const Container *container, MountPoint *point, bool *ret_skip, Error *err) {
        const BuildRequest *request = mounts->build->request;

        for (size_t i = 0; i < request->ssh_count; i++)
                if (str_equal(request->ssh[i].id, mount->id))
                        return relay_agent(mounts, mount, request->ssh[i].socket_fd, number,
                                           container, point, err);
        *ret_skip = true;
        return mount->required ? error_kind(err, ERROR_INVALID,
                                            "unset ssh forward key %s: give it with --ssh %s",
                                            mount->id, mount->id)
                               : 0;
}

/* ---- each mount ---- */

static int secret_wanted(const RunMounts *mounts, const RunMount *mount, Container *container,
                         const BuildSecret **ret, Error *err) {
        const BuildSecret *secret = find_secret(mounts->build->request, mount->id);
        _cleanup_free_ char *value = NULL;

        *ret = secret;
        if (!secret)
                return mount->required
                               ? error_kind(err, ERROR_INVALID,
                                            "secret %s: not found: give it with --secret id=%s,…",
                                            mount->id, mount->id)
                               : 0;
        if (!mount->env)
                return 0;
        value = str_copy_n(secret->data, secret->length);
        env_put(&container->spec.config.env, mount->env, value);
        return 0;
}

static int make_source(RunMounts *mounts, const SolveJob *job, size_t number,
                       const Container *container, MountPoint *point, const BuildSecret *secret,
                       bool *ret_skip, Error *err) {
        const RunMount *mount = &job->step->run.mounts[number];
        const SolveInput *input = &job->inputs[number];

        switch (mount->kind) {
        case MOUNT_BIND:
                return make_bind(mounts, mount, input, number, container, point, err);
        case MOUNT_CACHE:
                point->is_own = true;
                return make_cache(mounts, mount, input, number, point, err);
        case MOUNT_TMPFS:
                str_replace(&point->type, "tmpfs");
                point->rw = true;
                strv_add(&point->options, "exec");
                if (mount->size > 0)
                        strv_format(&point->options, "size=%lld", (long long)mount->size);
                return 0;
        case MOUNT_SECRET:
                *ret_skip = !secret || !mount->target;
                return *ret_skip
                               ? 0
                               : make_secret(mounts, mount, secret, number, container, point, err);
        case MOUNT_SSH:
                return make_ssh(mounts, mount, number, container, point, ret_skip, err);
        }
        return 0;
}

static int make_one(RunMounts *mounts, const SolveJob *job, size_t number, Container *container,
                    Error *err) {
        const RunMount *mount = &job->step->run.mounts[number];
        const BuildSecret *secret = NULL;
        bool skip = false;
        MountPoint point = { .type = str_copy("bind"),
                             .destination = str_copy(mount->target),
                             .ro_below = true };
        int r = 0;

        if (mount->kind == MOUNT_SECRET)
                r = secret_wanted(mounts, mount, container, &secret, err);
        if (r == 0)
                r = make_source(mounts, job, number, container, &point, secret, &skip, err);
        if (r < 0 || skip) {
                json_done(&mount_point_table, &point);
                return r;
        }
        *(MountPoint *)json_append(&container->mounts, &mount_point_table) = point;
        if (mount->kind == MOUNT_SSH)
                env_put(&container->spec.config.env, "SSH_AUTH_SOCK", mount->target);
        return 0;
}

/* RUN <<EOF with a shebang: the script as a file. */
static int make_script(RunMounts *mounts, const RunStep *run, Container *container, Error *err) {
        MountPoint *point;
        _cleanup_close_ int fd = -1;
        int r;

        if (!run->script_path)
                return 0;
        fd = openat(mounts->dir_fd, "script", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
        if (fd < 0)
                return error_set(err, errno, "write the step's script");
        r = fd_write_full(fd, run->script, strlen(run->script));
        if (r < 0)
                return error_set(err, r, "write the step's script");
        point = json_append(&container->mounts, &mount_point_table);
        point->type = str_copy("bind");
        point->destination = str_copy(run->script_path);
        point->source = source_path(mounts, "script");
        if (fchown(fd, userns_uid(container, 0), userns_gid(container, 0)) < 0)
                return error_set(err, errno, "give the step its script");
        return 0;
}

/* ---- together ---- */

void run_mounts_drop(RunMounts *mounts) {
        Error error = {};

        if (!mounts->build)
                return;
        for (size_t i = 0; i < mounts->relay_count; i++)
                agent_relay_free(mounts->relays[i]);
        free(mounts->relays);
        builder_detach(mounts->build->builder, mounts->name, &error);
        for (size_t i = 0; i < mounts->cache_count; i++) {
                close_fd(&mounts->caches[i].dir_fd);
                cache_mount_release(mounts->caches[i].mount);
        }
        if (mounts->cache_count > 0)
                builder_collect(mounts->build->builder);
        for (size_t i = 0; i < mounts->copy_count; i++)
                engine_build_context_done(mounts->build->engine, mounts->copies[i]);
        free(mounts->copies);
        free(mounts->caches);
        free(mounts->name);
        close_fd(&mounts->dir_fd);
        *mounts = (RunMounts){ .dir_fd = -1 };
}

int run_mounts_make(RunMounts *mounts, Build *build, const SolveJob *job, Container *container,
                    Error *err) {
        const RunStep *run = &job->step->run;
        int r;

        *mounts = (RunMounts){ .build = build, .name = str_copy(container->id), .dir_fd = -1 };
        if (run->mount_count == 0 && !run->script_path)
                return 0;
        r = dir_open_at(build->builder->run_fd, container->id, 0700, &mounts->dir_fd, err);
        if (r == 0)
                r = take_caches(mounts, run, err);
        for (size_t i = 0; r == 0 && i < run->mount_count; i++)
                r = make_one(mounts, job, i, container, err);
        if (r == 0)
                r = make_script(mounts, run, container, err);
        if (r < 0)
                run_mounts_drop(mounts);
        return r;
}
