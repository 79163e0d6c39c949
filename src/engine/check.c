/* check.c: whether disk, kernel and record agree, beyond what the daemon's start looks at: what
 * nobody knows is told, and freed where that is asked for. What a container's object stands for, or
 * a job has just made, is somebody's. The image store looks after its own; check-kernel.c has the
 * kernel's part. */
#include "engine/check.h"
#include "engine/engine-private.h"
#include "engine/mounts.h"
#include "engine/registry.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/size.h"
#include "engine/documents.h"
#include "engine/volumes.h"

#define YOUNG_S 600 /* seconds in which a job records what it has made */

int check_tell(EngineChecking *checking, CheckFinding *finding, CheckRepair repair) {
        Error err = { 0 };

        finding->repairable = repair != NULL;
        if (repair && checking->sink.repair) {
                finding->repaired = repair(checking, finding->name, &err) >= 0;
                if (!finding->repaired)
                        finding->error = err.message;
        }
        return checking->sink.found(checking->sink.data, finding);
}

/* ---- names ---- */

static int list_names(int dir_fd, char ***ret, Error *err) {
        _cleanup_close_ int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_closedir_ DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

        if (!dir)
                return error_set(err, errno, "read the engine's directories");
        TAKE_FD(fd);
        for (const struct dirent *entry; (entry = readdir(dir));)
                if (entry->d_name[0] != '.')
                        strv_add(ret, entry->d_name);
        return 0;
}

static int add_id(void *data, const DbRecord *record, Error *err) {
        (void)err;
        (void)map_put(data, record->id, data);
        return 0;
}

typedef struct SoughtRow {
        const char *id;
        bool is_there;
} SoughtRow;

static int is_id(void *data, const DbRecord *record, Error *err) {
        SoughtRow *row = data;

        (void)err;
        row->is_there |= str_equal(record->id, row->id);
        return 0;
}

bool check_has_row(const EngineChecking *checking, const char *id) {
        SoughtRow row = { id, false };

        return db_each(checking->engine->db, DB_CONTAINERS, is_id, &row, NULL) < 0 || row.is_there;
}

static int64_t size_below(int dir_fd, const char *name) {
        int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        return fd < 0 ? 0 : directory_size(fd);
}

/* ---- containers' directories ---- */

static int drop_directory(EngineChecking *checking, int dir_fd, const char *id, Error *err) {
        if (container_is_alive(checking->engine, id))
                return 0;
        return dir_remove_at(dir_fd, id, err);
}

static int drop_container_directory(EngineChecking *checking, const char *id, Error *err) {
        Engine *engine = checking->engine;

        if (!container_is_alive(engine, id))
                mounts_abandon(engine, id);
        int r = drop_directory(checking, engine->containers_fd, id, err);
        return r < 0 ? r : image_release(engine->images, id, err);
}

static int drop_run_directory(EngineChecking *checking, const char *id, Error *err) {
        return drop_directory(checking, checking->engine->run_fd, id, err);
}

/* A row that cannot be read has no object, and its directory stays. */
static int look_at_directories(EngineChecking *checking, int dir_fd, const char *kind,
                               CheckRepair repair, Error *err) {
        _cleanup_strv_ char **names = NULL;
        Map rows = { 0 };
        int r = list_names(dir_fd, &names, err);

        if (r == 0)
                r = db_each(checking->engine->db, DB_CONTAINERS, add_id, &rows, err);
        for (size_t i = 0; r == 0 && names && names[i]; i++) {
                CheckFinding finding = {
                        .kind = (char *)kind,
                        .name = names[i],
                        .problem = (char *)"no container has it",
                        .remedy = (char *)"it can be removed: --repair",
                };

                if (!id_valid(names[i]) || map_get(&rows, names[i]) ||
                    container_is_alive(checking->engine, names[i]) ||
                    faccessat(dir_fd, names[i], F_OK, AT_SYMLINK_NOFOLLOW) < 0)
                        continue;
                finding.size = size_below(dir_fd, names[i]);
                r = check_tell(checking, &finding, repair);
        }
        map_done(&rows, NULL);
        return r;
}

static int check_container_directories(EngineChecking *checking, Error *err) {
        return look_at_directories(checking, checking->engine->containers_fd, "container-directory",
                                   drop_container_directory, err);
}

static int check_run_directories(EngineChecking *checking, Error *err) {
        return look_at_directories(checking, checking->engine->run_fd, "run-directory",
                                   drop_run_directory, err);
}

static int check_containers(EngineChecking *checking, Error *err) {
        int r = 0;

        (void)err;
        _cleanup_roster_ Roster *all = containers_all(checking->engine);
        for (size_t i = 0; r == 0 && i < all->count; i++) {
                Container *container = all->items[i];
                _cleanup_snapshot_ ContainerSnapshot *snapshot = container_snapshot(container);
                CheckFinding finding = {
                        .kind = (char *)"container",
                        .name = snapshot->name,
                        .problem = (char *)"its directory is gone, and what it wrote with it",
                        .remedy = (char *)"remove it and run it anew: brig rm",
                };

                if (faccessat(checking->engine->containers_fd, container->id, F_OK,
                              AT_SYMLINK_NOFOLLOW) < 0 &&
                    errno == ENOENT && snapshot->state.status != CONTAINER_REMOVING)
                        r = check_tell(checking, &finding, NULL);
        }
        return r;
}

/* ---- volumes ---- */

/* What was there before the daemon started is no running job's. */
static bool is_young(const Engine *engine, const struct stat *st) {
        const int64_t changed = st->st_ctim.tv_sec * NSEC_PER_SEC + st->st_ctim.tv_nsec;

        return clock_is_after(&engine->started, changed) &&
               clock_age(&engine->started, changed) < YOUNG_S * NSEC_PER_SEC;
}

/* Nobody but a user knows whether what is in it is wanted: so it becomes a volume again. */
static int adopt_volume(EngineChecking *checking, const char *name, Error *err) {
        const VolumeCreate create = { .name = (char *)name, .driver = (char *)"local" };
        _cleanup_buf_ Buf json = { 0 };

        return engine_volume_create(checking->engine, &create, &json, err);
}

static int look_at_volume_directories(EngineChecking *checking, int fd, const Map *rows,
                                      char *const *names) {
        int r = 0;

        for (size_t i = 0; r == 0 && names && names[i]; i++) {
                struct stat st;
                CheckFinding finding = {
                        .kind = (char *)"volume-directory",
                        .name = names[i],
                        .problem = (char *)"no volume has it",
                        .remedy =
                                (char *)"make it a volume again: --repair; then keep or remove it",
                        .keeps = true,
                };

                if (map_get(rows, names[i]) ||
                    fstatat(fd, names[i], &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode) ||
                    is_young(checking->engine, &st))
                        continue;
                finding.size = size_below(fd, names[i]);
                r = check_tell(checking, &finding, adopt_volume);
        }
        return r;
}

static int look_at_volumes(EngineChecking *checking, int fd) {
        VolumeInfo *volumes;
        size_t count;
        int r = 0;

        volumes_all(checking->engine, &volumes, &count);
        for (size_t i = 0; r == 0 && i < count; i++) {
                /* What options mount may be a server's that is away. */
                _cleanup_free_ char *path = str_format(
                        "%s%s", volumes[i].name, volumes[i].options.count > 0 ? "" : "/_data");
                CheckFinding finding = {
                        .kind = (char *)"volume",
                        .name = volumes[i].name,
                        .problem = (char *)"its directory is gone, and its files with it",
                        .remedy = (char *)"bring them back, or remove it: brig volume rm; a "
                                          "container that starts with it gets an empty one",
                };

                if (faccessat(fd, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
                        r = check_tell(checking, &finding, NULL);
        }
        volumes_free_all(volumes, count);
        return r;
}

static int check_volumes(EngineChecking *checking, Error *err) {
        _cleanup_strv_ char **names = NULL;
        _cleanup_close_ int fd = -1;
        Map rows = { 0 };
        int r = dir_open_at(checking->engine->data_root_fd, "volumes", 0, &fd, err);

        if (r == 0)
                r = list_names(fd, &names, err);
        if (r == 0)
                r = db_each(checking->engine->db, DB_VOLUMES, add_id, &rows, err);
        if (r == 0)
                r = look_at_volume_directories(checking, fd, &rows, names);
        map_done(&rows, NULL);
        return r < 0 ? r : look_at_volumes(checking, fd);
}

/* ---- all ---- */

static const struct {
        const char *name;
        int (*check)(EngineChecking *checking, Error *err);
} steps[] = {
        /* What has processes or mounts on it goes before the directories. */
        { "processes", check_processes },
        { "control groups", check_control_groups },
        { "mounts", check_mounts },
        { "containers", check_containers },
        { "container directories", check_container_directories },
        { "run directories", check_run_directories },
        { "links", check_links },
        { "volumes", check_volumes },
};

int engine_check(Engine *engine, const CheckSink *sink, bool contents, Error *err) {
        EngineChecking checking = { engine, *sink };
        int r = 0;

        for (size_t i = 0; r == 0 && i < ELEMENTS(steps); i++) {
                r = sink->progress(sink->data, steps[i].name, 0, 0);
                if (r == 0)
                        r = steps[i].check(&checking, err);
        }
        if (r == 0)
                r = sink->progress(sink->data, "images", 0, 0);
        return r < 0 ? r : image_check(engine->images, sink, contents, err);
}
