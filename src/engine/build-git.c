/* build-git.c: repositories of git as contexts and as sources of ADD. What a ref points at is asked
 * once a build; the files of a commit are a layer of the build cache, found by the commit, so that
 * what did not move is not fetched again, and the collector has it. image/git.h asks and fetches.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>

#include "base/clock.h"
#include "base/fd.h"
#include "engine/build-git.h"
#include "engine/engine-private.h"
#include "engine/ocispec.h"

#define KEY_VERSION "brig-git-2" /* raised when the same commit gives other files */

/* What a ref pointed at when it was asked for. */
typedef struct GitRef {
        struct GitRef *next;
        char *url, *ref;
        GitFound found;
} GitRef;

void build_git_done(Build *build) {
        while (build->git_refs) {
                GitRef *ref = build->git_refs;

                build->git_refs = ref->next;
                git_found_done(&ref->found);
                free(ref->url);
                free(ref->ref);
                free(ref);
        }
        build_cache_used(build->builder->cache, build->git_layers, clock_now());
        for (char **layer = build->git_layers; layer && *layer; layer++)
                build_cache_release(build->builder->cache, *layer);
        strv_free(build->git_layers);
}

/* ---- what a ref points at ---- */

static const GitFound *look_up_ref(const Build *build, const GitSource *source) {
        const GitRef *ref = build->git_refs;

        while (ref &&
               !(str_equal(ref->url, source->remote.url) && str_equal(ref->ref, source->ref)))
                ref = ref->next;
        return ref ? &ref->found : NULL;
}

static const GitFound *known_ref(Build *build, const GitSource *source) {
        const GitFound *found;

        (void)pthread_mutex_lock(&build->lock);
        found = look_up_ref(build, source);
        (void)pthread_mutex_unlock(&build->lock);
        return found;
}

/* Takes *found. Two stages may have asked at once: the first answer is the build's. */
static const GitFound *keep_ref(Build *build, const GitSource *source, GitFound *found) {
        const GitFound *known;

        (void)pthread_mutex_lock(&build->lock);
        known = look_up_ref(build, source);
        if (!known) {
                GitRef *ref = NEW(GitRef);

                ref->next = build->git_refs;
                ref->url = str_copy(source->remote.url);
                ref->ref = str_copy(source->ref);
                ref->found = *found;
                *found = (GitFound){};
                build->git_refs = ref;
                known = &ref->found;
        }
        (void)pthread_mutex_unlock(&build->lock);
        git_found_done(found);
        return known;
}

static int check_sum(const GitFound *found, const char *checksum, Error *err) {
        if (!checksum || str_after(found->object, checksum) || str_after(found->commit, checksum))
                return 0;
        return error_kind(err, ERROR_INVALID, "expected checksum to match %s, got %s", checksum,
                          found->commit);
}

static int ask_ref(Build *build, const GitSource *source, const char *ref, GitFound *ret,
                   Error *err) {
        _cleanup_(git_asking_done) GitAsking asking = { .agent_fd = -1 };
        int r = git_asking_init(build, &source->remote, &asking, err);

        return r < 0 ? r : image_git_find(build->engine->images, &asking.request, ref, ret, err);
}

/* A full commit is what it is: nobody is asked, but whether the client may read the repository,
 * where it might hold what not everybody may. That there is no HEAD is an answer, too. */
static int take_commit(Build *build, const GitSource *source, GitFound *ret, Error *err) {
        GitFound head = {};
        Error why = {};
        int r = git_shows_credentials(build, &source->remote)
                        ? ask_ref(build, source, NULL, &head, &why)
                        : 0;

        git_found_done(&head);
        if (r < 0 && why.kind != ERROR_NOT_FOUND) {
                *err = why;
                return r;
        }
        memcpy(ret->object, source->ref, strlen(source->ref) + 1);
        memcpy(ret->commit, source->ref, strlen(source->ref) + 1);
        return 0;
}

static int resolve(Build *build, const GitSource *source, const GitFound **ret, Error *err) {
        const GitFound *known = known_ref(build, source);
        GitFound found = {};
        int r = 0;

        if (!known && git_is_commit(source->ref))
                r = take_commit(build, source, &found, err);
        else if (!known)
                r = ask_ref(build, source, source->ref, &found, err);
        if (r == 0)
                *ret = known ?: keep_ref(build, source, &found);
        return r;
}

/* ---- the source, read and resolved ---- */

typedef struct Located {
        GitSource source;
        const GitFound *found; /* the build's */
        bool keep_git_dir;     /* only the root has one */
        bool restricted;       /* it is found again by who may read the repository */
} Located;

static void located_done(Located *located) {
        git_source_done(&located->source);
}

static int locate(Build *build, const GitAsk *ask, Located *ret, Error *err) {
        int r = git_source_parse(ask->url, ask->context, &ret->source, err);

        if (r == 0)
                return error_kind(err, ERROR_INVALID, "'%s' is no git repository", ask->url);
        if (r > 0)
                r = resolve(build, &ret->source, &ret->found, err);
        if (r == 0)
                r = check_sum(ret->found, ask->checksum ?: ret->source.checksum, err);
        if (r < 0)
                return r;
        ret->restricted = git_shows_credentials(build, &ret->source.remote);
        ret->keep_git_dir = (ask->keep_git_dir || ret->source.keep_git_dir) && !ret->source.subdir;
        return 0;
}

/* What the files of a commit depend on. */
static char *files_of(const Located *located) {
        const GitFound *found = located->found;
        _cleanup_buf_ Buf files = {};

        buf_add_str(&files, located->keep_git_dir ? found->object : found->commit);
        if (located->keep_git_dir)
                buf_format(&files, ".git %s#%s", located->source.remote.url, found->name ?: "");
        if (located->source.no_submodules)
                buf_add_str(&files, " without submodules");
        return buf_take(&files);
}

/* Those that credentials were shown for are not found by their commit alone, which is in many a
 * log: whoever comes with credentials has been let in by that repository (resolve). What is in its
 * submodules other hosts have let this client see. "": anybody finds them. */
static int whose(const Build *build, const Located *located, char **ret, Error *err) {
        const char *url = located->source.remote.url;
        char client[DIGEST_TEXT_MAX] = "";
        int r = 0;

        if (located->restricted && !located->source.no_submodules)
                r = git_digest_client(build, &located->source.remote, client, err);
        if (r == 0)
                *ret = located->restricted ? str_format(" of %s for %s", url, client)
                                           : str_copy("");
        return r;
}

int build_git_state(Build *build, const GitAsk *ask, SolveGit *ret, Error *err) {
        _cleanup_(located_done) Located located = {};
        _cleanup_free_ char *files = NULL;
        int r = locate(build, ask, &located, err);

        if (r == 0)
                r = whose(build, &located, &ret->whose, err);
        if (r < 0)
                return r;
        files = files_of(&located);
        ret->files = str_format("%s:%s", files, located.source.subdir ?: "");
        return 0;
}

/* ---- its files ---- */

static bool git_cancelled(void *data) {
        return build_cancelled(data);
}

static void hold_layer(Build *build, const char *layer) {
        (void)pthread_mutex_lock(&build->lock);
        strv_add(&build->git_layers, layer);
        (void)pthread_mutex_unlock(&build->lock);
}

/* CACHE_FOUND: *ret is the layer, held to the build's end. */
static int find_files(Build *build, const char *key, char **ret, Error *err) {
        CacheRecord record = {};
        int r = build_cache_find(build->builder->cache, key, &record, err);

        if (r == CACHE_FOUND) {
                hold_layer(build, record.layer);
                *ret = TAKE_PTR(record.layer);
        }
        cache_record_done(&record);
        return r;
}

static int record_files(Build *build, const Located *located, const char *key, char *layer,
                        Error *err) {
        _cleanup_free_ char *shown = git_source_text(&located->source);
        _cleanup_free_ char *description = str_format("git %s %s", shown, located->found->commit);
        char *const keys[] = { (char *)key, NULL };
        CacheRecord record = {
                .layer = layer, .description = description, .size = -1, .created_at = clock_now()
        };

        (void)snprintf(record.result, sizeof(record.result), "%s", key);
        return build_cache_put(build->builder->cache, keys, &record, err);
}

static int fetch_files(Build *build, const Located *located, const char *key, char **ret,
                       Error *err) {
        const GitFound *found = located->found;
        const GitWanted wanted = { .object = located->keep_git_dir ? found->object : found->commit,
                                   .ref = found->name,
                                   .keep_git_dir = located->keep_git_dir,
                                   .no_submodules = located->source.no_submodules };
        _cleanup_(git_asking_done) GitAsking asking = { .agent_fd = -1 };
        _cleanup_close_ int layer_fd = -1;
        _cleanup_free_ char *layer = NULL;
        int r = build_cache_layer_new(build->builder->cache, &layer, &layer_fd, err);

        if (r < 0)
                return r;
        r = git_asking_init(build, &located->source.remote, &asking, err);
        if (r == 0)
                r = image_git_checkout(build->engine->images, &asking.request, &wanted, layer_fd,
                                       err);
        if (r == 0)
                r = record_files(build, located, key, layer, err);
        if (r < 0) {
                build_cache_release(build->builder->cache, layer);
                return r;
        }
        hold_layer(build, layer);
        *ret = TAKE_PTR(layer);
        return 0;
}

/* Of two builds that want the same commit one fetches it. */
static int bring_files(Build *build, const Located *located, char **ret, Error *err) {
        Flights *flights = build->builder->flights;
        _cleanup_free_ char *files = files_of(located), *owner = NULL, *text = NULL;
        char key[DIGEST_TEXT_MAX];
        int r = whose(build, located, &owner, err);

        if (r < 0)
                return r;
        text = str_format(KEY_VERSION "\n%s%s", files, owner);
        digest_of(text, strlen(text), key);
        for (;;) {
                r = find_files(build, key, ret, err);
                if (r != 0)
                        return r < 0 ? r : 0;
                switch (flight_begin(flights, key, git_cancelled, build)) {
                case FLIGHT_CANCELLED:
                        return error_set(err, ECANCELED, "the build was cancelled");
                case FLIGHT_LANDED:
                        continue;
                case FLIGHT_OURS:
                        break;
                }
                break;
        }
        /* It may have landed between the look and the claim. */
        r = find_files(build, key, ret, err);
        if (r == 0)
                r = fetch_files(build, located, key, ret, err);
        flight_end(flights, key);
        return r < 0 ? r : 0;
}

static int open_subdir(int files_fd, const GitSource *source, int *ret_fd, Error *err) {
        const char *path = source->subdir ?: ".";
        int fd = open_in_root(files_fd, path, O_RDONLY | O_DIRECTORY,
                              RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS);

        if (fd < 0 && errno == ENOENT)
                return error_kind(err, ERROR_NOT_FOUND, "'%s' has no directory '%s'",
                                  source->remote.url, path);
        if (fd < 0 && errno == EXDEV)
                return error_kind(err, ERROR_INVALID,
                                  "'%s': the directory '%s' is a link that leads out of the "
                                  "repository",
                                  source->remote.url, path);
        if (fd < 0)
                return error_set(err, errno, "'%s': open the directory '%s'", source->remote.url,
                                 path);
        *ret_fd = fd;
        return 0;
}

int build_git_open(Build *build, const GitAsk *ask, int *ret_fd, Error *err) {
        _cleanup_(located_done) Located located = {};
        _cleanup_free_ char *layer = NULL, *path = NULL;
        _cleanup_close_ int files_fd = -1;
        int r = locate(build, ask, &located, err);

        if (r == 0)
                r = bring_files(build, &located, &layer, err);
        if (r < 0)
                return r;
        path = str_format("%s/fs", layer);
        r = dir_open_real_at(build->builder->layers_fd, path, &files_fd, err);
        return r < 0 ? r : open_subdir(files_fd, &located.source, ret_fd, err);
}
