/* leftovers.c: what a run makes bears its name: a label, or a part of a directory's name. So the
 * next run knows what one that was killed has left, and removes it; what belongs to a run that
 * lives stays. Images are not marked: their repository is the drills' own. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "drill/drill.h"
#include "os/pidfd.h"

#define LABEL "brig-drill.run"
#define PLACE "/var/tmp"
#define DIRECTORY "brig-drill."
#define BUNDLE "brig-drill-bundle."
#define BOOT_LENGTH 6
/* A process's number and start time name it for good in one boot, in its namespace. */
#define NAME_FORMAT "%.6s-%llx-%x-%llx"
#define NAME_PARSE "%6[0-9a-f]-%llx-%x-%llx"

typedef struct RunName {
        char boot[BOOT_LENGTH + 1];   /* the begin of its boot's id */
        unsigned long long namespace; /* of process numbers: the file's number */
        unsigned pid;
        unsigned long long start; /* process_start_time */
} RunName;

typedef enum Owner {
        OWNER_NONE,  /* no run's name */
        OWNER_ENDED, /* the run's process is no more */
        OWNER_LIVES, /* or cannot be seen from here */
} Owner;

typedef struct Leftovers {
        Cli *cli;
        const Host *host;
        bool others; /* another run lives */
        size_t containers, networks, caches, images, directories;
} Leftovers;

static RunName own;

int run_name_begin(Error *err) {
        _cleanup_free_ char *boot = NULL;
        struct stat namespace;
        uint64_t start;
        int r = file_read_at(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 64, &boot, NULL, err);

        if (r == 0)
                r = process_start_time(getpid(), &start, err);
        if (r < 0)
                return r;
        if (stat("/proc/self/ns/pid", &namespace) < 0)
                return error_set(err, errno, "stat '/proc/self/ns/pid'");
        own = (RunName){ .namespace = namespace.st_ino, .pid = (unsigned)getpid(), .start = start };
        memcpy(own.boot, boot, MIN(strlen(boot), (size_t)BOOT_LENGTH));
        return 0;
}

static char *own_name(void) {
        return str_format(NAME_FORMAT, own.boot, own.namespace, own.pid, own.start);
}

void run_label(json_object *request) {
        json_object *labels = json_object_new_object();
        _cleanup_free_ char *name = own_name();

        (void)json_object_object_add(labels, LABEL, json_object_new_string(name));
        (void)json_object_object_add(request, "Labels", labels);
}

int run_place(bool bundle, char **ret, Error *err) {
        _cleanup_free_ char *name = own_name();
        _cleanup_free_ char *path =
                str_format(PLACE "/%s%s.XXXXXX", bundle ? BUNDLE : DIRECTORY, name);

        if (!mkdtemp(path))
                return error_set(err, errno, "make a directory in " PLACE);
        *ret = TAKE_PTR(path);
        return 0;
}

/* ---- whose it is ---- */

/* A process that has ended and that nobody has waited for has its number and start time still. */
static bool lives(const RunName *run) {
        _cleanup_close_ int fd = -1;
        Error ignored = {};
        uint64_t start;

        return pidfd_of((pid_t)run->pid, &fd, &ignored) == 0 &&
               process_start_time((pid_t)run->pid, &start, &ignored) == 0 && start == run->start &&
               pidfd_wait_end(fd, 0) == -ETIMEDOUT;
}

/* text begins with a run's name, or not. A process of another namespace cannot be asked after. */
static Owner owner_of(Leftovers *left, const char *text) {
        RunName run;
        bool same_boot, is_own;

        if (sscanf(text, NAME_PARSE, run.boot, &run.namespace, &run.pid, &run.start) != 4)
                return OWNER_NONE;
        same_boot = str_equal(run.boot, own.boot);
        if (!same_boot || (run.namespace == own.namespace && !lives(&run)))
                return OWNER_ENDED;
        is_own = run.namespace == own.namespace && run.pid == own.pid;
        left->others = left->others || !is_own;
        return OWNER_LIVES;
}

/* ---- in the engine ---- */

typedef int (*Remove)(Leftovers *left, const char *id, Error *err);

static int remove_container(Leftovers *left, const char *id, Error *err) {
        int r;

        box_adopt(id);
        r = box_end(left->cli, id, 0, err);

        left->containers += r == 0;
        return r;
}

static int remove_network(Leftovers *left, const char *id, Error *err) {
        _cleanup_free_ char *path = str_format("/networks/%s", id);
        int r = api_do(left->cli, "DELETE", path, err);

        left->networks += r == 0;
        return r;
}

/* What another run that begins now removes at the same time is gone as well. */
static int remove_labelled(Leftovers *left, const char *list, Remove remove, Error *err) {
        char *const filters[] = { (char *)"label=" LABEL, NULL };
        _cleanup_free_ char *path = str_copy(list);
        _cleanup_json_ json_object *found = NULL;
        int r;

        path_filters(&path, filters);
        r = api_json(left->cli, "GET", path, NULL, &found, err);
        for (size_t i = 0; r == 0 && i < json_object_array_length(found); i++) {
                json_object *one = json_object_array_get_idx(found, i);

                if (owner_of(left, json_words(json_member(one, "Labels"), LABEL)) != OWNER_ENDED)
                        continue;
                r = remove(left, json_words(one, "Id"), err);
                if (r < 0 && err->kind == ERROR_NOT_FOUND) {
                        *err = (Error){};
                        r = 0;
                }
        }
        return r;
}

int caches_drop(Cli *cli, bool (*wanted)(void *data, const char *description), void *data,
                size_t *count, Error *err) {
        _cleanup_json_ json_object *usage = NULL;
        json_object *caches;
        int r = api_json(cli, "GET", "/system/df?type=build-cache", NULL, &usage, err);

        caches = json_member(usage, "BuildCache");
        for (size_t i = 0; r == 0 && i < json_object_array_length(caches); i++) {
                json_object *cache = json_object_array_get_idx(caches, i);
                _cleanup_free_ char *filter = str_format("id=%s", json_words(cache, "ID"));
                _cleanup_free_ char *path = str_copy("/build/prune?all=1");
                char *const filters[] = { filter, NULL };

                if (!wanted(data, json_words(cache, "Description")))
                        continue;
                path_filters(&path, filters);
                r = api_do(cli, "POST", path, err);
                *count += r == 0;
        }
        return r;
}

/* One that is named after the directory of a run: see drills-build.c. */
static bool is_left_cache(void *data, const char *description) {
        const char *place = strstr(description, PLACE "/" DIRECTORY);

        return place && owner_of(data, str_after(place, PLACE "/" DIRECTORY)) == OWNER_ENDED;
}

int images_remove(Cli *cli, size_t *count, Error *err) {
        _cleanup_free_ char *path = NULL;
        _cleanup_json_ json_object *images = NULL;
        char *const filters[] = { (char *)"reference=brig-drill", NULL };
        int r;

        path = str_copy("/images/json");
        path_filters(&path, filters);
        r = api_json(cli, "GET", path, NULL, &images, err);
        for (size_t i = 0; r == 0 && i < json_object_array_length(images); i++) {
                json_object *tags = json_member(json_object_array_get_idx(images, i), "RepoTags");

                for (size_t k = 0; r == 0 && k < json_object_array_length(tags); k++) {
                        const char *tag =
                                json_object_get_string(json_object_array_get_idx(tags, k));
                        _cleanup_free_ char *one = str_after(tag, "brig-drill:")
                                                           ? path_format("/images/%s?force=1", tag)
                                                           : NULL;

                        r = one ? api_do(cli, "DELETE", one, err) : 0;
                        *count += one && r == 0;
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

static int remove_directories(Leftovers *left, Error *err) {
        _cleanup_(cleanup_closedirp) DIR *dir = opendir(PLACE);
        const struct dirent *entry;
        int r = 0;

        if (!dir)
                return error_set(err, errno, "read '" PLACE "'");
        while (r == 0 && (entry = readdir(dir))) {
                const char *bundle = str_after(entry->d_name, BUNDLE);
                const char *name = bundle ?: str_after(entry->d_name, DIRECTORY);
                _cleanup_free_ char *path = str_format(PLACE "/%s", entry->d_name);

                if (!name || !is_roots(dirfd(dir), entry->d_name) ||
                    owner_of(left, name) != OWNER_ENDED)
                        continue;
                if (bundle)
                        bundle_delete_left(left->host, path);
                r = dir_remove_at(dirfd(dir), entry->d_name, err);
                left->directories += r == 0;
        }
        return r;
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

int leftovers_remove(Cli *cli, const Host *host, Error *err) {
        Leftovers left = { .cli = cli, .host = host };
        int r = remove_labelled(&left, "/containers/json?all=1", remove_container, err);

        if (r == 0)
                r = remove_labelled(&left, "/networks", remove_network, err);
        if (r == 0)
                r = caches_drop(cli, is_left_cache, &left, &left.caches, err);
        if (r == 0)
                r = remove_directories(&left, err);
        if (r == 0 && !left.others)
                r = images_remove(cli, &left.images, err);
        tell(&left);
        return r < 0 ? error_prefix(err, "remove what an earlier run left") : 0;
}
