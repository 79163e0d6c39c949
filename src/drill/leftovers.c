/* leftovers.c: what a run makes bears its name (run-name.c): a label, or a part of a directory's
 * name. So the next run knows what one that was killed has left, and removes it; what belongs to a
 * run that lives stays. What cannot go is told and ends no run. Images are not marked: their
 * repository is the drills' own. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "drill/drill.h"

#define PLACE "/var/tmp"
#define DIRECTORY "brig-drill."
#define BUNDLE "brig-drill-bundle."

typedef struct Leftovers {
        Cli *cli;
        const Host *host;
        bool others; /* another run lives, or may */
        size_t containers, networks, policies, caches, images, directories;
} Leftovers;

void run_label(json_object *request) {
        json_object *labels = json_object_new_object();
        _cleanup_free_ char *name = run_name(), *project = str_format(RUN_PROJECT "%s", name);

        (void)json_object_object_add(labels, RUN_LABEL, json_object_new_string(name));
        (void)json_object_object_add(labels, "com.docker.compose.project",
                                     json_object_new_string(project));
        (void)json_object_object_add(request, "Labels", labels);
}

int run_place(bool bundle, char **ret, Error *err) {
        _cleanup_free_ char *name = run_name();
        _cleanup_free_ char *path =
                str_format(PLACE "/%s%s.XXXXXX", bundle ? BUNDLE : DIRECTORY, name);

        if (!mkdtemp(path))
                return error_set(err, errno, "make a directory in " PLACE);
        *ret = TAKE_PTR(path);
        return 0;
}

static bool is_left(Leftovers *left, const char *text, bool directory) {
        Owner owner = run_owner(text, directory);

        left->others = left->others || owner == OWNER_LIVES;
        return owner == OWNER_ENDED;
}

/* Says what stays, and why, where r is an error. What another run that begins now removes at the
 * same time is gone as well. */
static void note(int r, const Error *err, size_t *count, const char *what, const char *name) {
        *count += r == 0;
        if (r < 0 && err->kind != ERROR_NOT_FOUND)
                (void)fprintf(stderr,
                              "brig-drill: what an earlier run left stays, the next run tries "
                              "again: %s%s: %s\n",
                              what, name, err->message);
}

/* ---- in the engine ---- */

typedef void (*Remove)(Leftovers *left, const char *id);

static void remove_container(Leftovers *left, const char *id) {
        Error err = {};

        box_adopt(id);
        note(box_end(left->cli, id, 0, &err), &err, &left->containers, "container ", id);
}

static void remove_network(Leftovers *left, const char *id) {
        _cleanup_free_ char *path = str_format("/networks/%s", id);
        Error err = {};

        note(api_do(left->cli, "DELETE", path, &err), &err, &left->networks, "network ", id);
}

static int remove_labelled(Leftovers *left, const char *list, Remove remove, Error *err) {
        char *const filters[] = { (char *)"label=" RUN_LABEL, NULL };
        _cleanup_free_ char *path = str_copy(list);
        _cleanup_json_ json_object *found = NULL;
        int r;

        path_filters(&path, filters);
        r = api_json(left->cli, "GET", path, NULL, &found, err);
        if (r < 0) {
                left->others = true; /* for all that is known */
                return r;
        }
        for (size_t i = 0; i < json_object_array_length(found); i++) {
                json_object *one = json_object_array_get_idx(found, i);

                if (is_left(left, json_words(json_member(one, "Labels"), RUN_LABEL), false))
                        remove(left, json_words(one, "Id"));
        }
        return 0;
}

static int remove_policies(Leftovers *left, Error *err) {
        _cleanup_json_ json_object *found = NULL;
        int r = api_json(left->cli, "GET", POLICIES, NULL, &found, err);

        if (r < 0) { /* a daemon that knows no policies has none of another run's */
                left->others = left->others || err->kind != ERROR_NOT_FOUND;
                return r;
        }
        for (size_t i = 0; i < json_object_array_length(found); i++) {
                json_object *metadata =
                        json_member(json_object_array_get_idx(found, i), "metadata");
                const char *name = json_words(metadata, "name"),
                           *run = str_after(name, RUN_PROJECT);
                _cleanup_free_ char *path =
                        path_format(POLICIES "/%s/%s", json_words(metadata, "namespace"), name);
                Error one = {};

                if (run && is_left(left, run, false))
                        note(api_do(left->cli, "DELETE", path, &one), &one, &left->policies,
                             "network policy ", name);
        }
        return 0;
}

/* One that cannot go keeps no other from it: err and the answer are those of the first. */
static int keep_first(int r, int now, const Error *now_err, size_t *count, Error *err) {
        *count += now == 0;
        if (r < 0 || now == 0 || now_err->kind == ERROR_NOT_FOUND)
                return r;
        *err = *now_err;
        return now;
}

int caches_drop(Cli *cli, bool (*wanted)(void *data, const char *description), void *data,
                size_t *count, Error *err) {
        _cleanup_json_ json_object *usage = NULL;
        json_object *caches;
        int r = api_json(cli, "GET", "/system/df?type=build-cache", NULL, &usage, err);

        if (r < 0)
                return r;
        caches = json_member(usage, "BuildCache");
        for (size_t i = 0; i < json_object_array_length(caches); i++) {
                json_object *cache = json_object_array_get_idx(caches, i);
                _cleanup_free_ char *filter = str_format("id=%s", json_words(cache, "ID"));
                _cleanup_free_ char *path = str_copy("/build/prune?all=1");
                char *const filters[] = { filter, NULL };
                Error one = {};

                if (!wanted(data, json_words(cache, "Description")))
                        continue;
                path_filters(&path, filters);
                r = keep_first(r, api_do(cli, "POST", path, &one), &one, count, err);
        }
        return r;
}

/* One that is named after the directory of a run: see drills-build.c. */
static bool is_left_cache(void *data, const char *description) {
        const char *place = strstr(description, PLACE "/" DIRECTORY);
        const char *name = place ? str_after(place, PLACE "/" DIRECTORY) : "";
        _cleanup_free_ char *whole = str_copy_n(name, strcspn(name, " ,/'\""));

        return is_left(data, whole, true);
}

int images_remove(Cli *cli, size_t *count, Error *err) {
        _cleanup_free_ char *path = NULL;
        _cleanup_json_ json_object *images = NULL;
        char *const filters[] = { (char *)"reference=brig-drill", NULL };
        int r;

        path = str_copy("/images/json");
        path_filters(&path, filters);
        r = api_json(cli, "GET", path, NULL, &images, err);
        if (r < 0)
                return r;
        for (size_t i = 0; i < json_object_array_length(images); i++) {
                json_object *tags = json_member(json_object_array_get_idx(images, i), "RepoTags");

                for (size_t k = 0; k < json_object_array_length(tags); k++) {
                        const char *tag =
                                json_object_get_string(json_object_array_get_idx(tags, k));
                        _cleanup_free_ char *image = path_format("/images/%s?force=1", tag);
                        Error one = {};

                        if (str_after(tag, "brig-drill:"))
                                r = keep_first(r, api_do(cli, "DELETE", image, &one), &one, count,
                                               err);
                }
        }
        return r;
}

/* ---- on the host ---- */

/* Anybody may make a directory there, but only root one of root's. */
static bool is_roots(int dir_fd, const char *name) {
        struct stat status;

        return fstatat(dir_fd, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
               S_ISDIR(status.st_mode) && status.st_uid == 0;
}

static void remove_directory(Leftovers *left, int dir_fd, const char *name, bool bundle) {
        _cleanup_free_ char *path = str_format(PLACE "/%s", name);
        Error err = {};

        if (bundle)
                bundle_delete_left(left->host, path);
        note(dir_remove_at(dir_fd, name, &err), &err, &left->directories, "directory ", path);
}

static int remove_directories(Leftovers *left, Error *err) {
        _cleanup_(cleanup_closedirp) DIR *dir = opendir(PLACE);
        const struct dirent *entry;

        if (!dir) {
                left->others = true;
                return error_set(err, errno, "read '" PLACE "'");
        }
        while ((entry = readdir(dir))) {
                const char *bundle = str_after(entry->d_name, BUNDLE);
                const char *name = bundle ?: str_after(entry->d_name, DIRECTORY);

                if (name && is_roots(dirfd(dir), entry->d_name) && is_left(left, name, true))
                        remove_directory(left, dirfd(dir), entry->d_name, bundle);
        }
        return 0;
}

/* ---- all of it ---- */

static void add_count(Buf *text, size_t count, const char *what) {
        if (count > 0)
                buf_format(text, "%s%zu %s%s", text->length > 0 ? ", " : "", count, what,
                           count == 1 ? "" : "s");
}

static void tell(const Leftovers *left) {
        _cleanup_buf_ Buf text = {};

        add_count(&text, left->containers, "container");
        add_count(&text, left->networks, "network");
        add_count(&text, left->policies, "policy document");
        add_count(&text, left->images, "image");
        add_count(&text, left->caches, "build cache");
        if (left->directories > 0)
                buf_format(&text, "%s%zu in " PLACE, text.length > 0 ? ", " : "",
                           left->directories);
        if (text.length > 0)
                (void)fprintf(stderr,
                              "brig-drill: removed what a run that was killed had left: %s\n",
                              text.data);
}

void leftovers_remove(Cli *cli, const Host *host) {
        Leftovers left = { .cli = cli, .host = host };
        size_t lists = 0;
        Error err = {};

        note(remove_labelled(&left, "/containers/json?all=1", remove_container, &err), &err, &lists,
             "containers", "");
        note(remove_labelled(&left, "/networks", remove_network, &err), &err, &lists, "networks",
             "");
        note(remove_policies(&left, &err), &err, &lists, "network policies", "");
        note(caches_drop(cli, is_left_cache, &left, &left.caches, &err), &err, &lists,
             "build caches", "");
        note(remove_directories(&left, &err), &err, &lists, "directories", "");
        if (!left.others)
                note(images_remove(cli, &left.images, &err), &err, &lists, "images", "");
        tell(&left);
}
