/* volumes-test.c: a removal that fails, also where the record cannot be told; and that one volume's
 * filling holds up no other's. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/test.h"
#include "engine/db.h"
#include "engine/events.h"
#include "engine/ocispec.h"
#include "engine/volumes.h"

static bool updates_fail, removals_fail;
static char *row; /* the state that the record has of the last volume that was changed */
static int slow[2], begun[2]; /* pipes: the filling of "slow" says so, and waits */

int __wrap_db_each(Db *db, DbTable table, DbRow each, void *data, Error *err);
int __wrap_db_insert(Db *db, DbTable table, const DbRecord *record, bool durable, Error *err);
int __wrap_db_update(Db *db, DbTable table, const DbRecord *record, bool durable, Error *err);
int __wrap_db_delete(Db *db, DbTable table, const char *id, bool durable, Error *err);
void __wrap_engine_event_emit(Engine *engine, const char *type, const char *action, const char *id,
                              const Pairs *attributes);
int __wrap_dir_remove_at(int dir_fd, const char *path, Error *err);
int __real_dir_remove_at(int dir_fd, const char *path, Error *err);
int __wrap_rootfs_open_image(const Container *container, int *ret_fd, Error *err);
int __wrap_directory_copy(int from_fd, int to_fd, Error *err);

/* The linker puts these in the place of the record, the events and the images. */
int __wrap_db_each(Db *db, DbTable table, DbRow each, void *data, Error *err) {
        (void)db, (void)table, (void)each, (void)data, (void)err;
        return 0;
}

int __wrap_db_insert(Db *db, DbTable table, const DbRecord *record, bool durable, Error *err) {
        (void)db, (void)table, (void)record, (void)durable, (void)err;
        return 0;
}

int __wrap_db_update(Db *db, DbTable table, const DbRecord *record, bool durable, Error *err) {
        (void)db, (void)table, (void)durable;
        /* The disk is full once the removal has begun. */
        if (updates_fail && !strstr(record->state, "removing"))
                return error_set(err, ENOSPC, "write the state");
        str_replace(&row, record->state);
        return 0;
}

int __wrap_db_delete(Db *db, DbTable table, const char *id, bool durable, Error *err) {
        (void)db, (void)table, (void)id, (void)durable, (void)err;
        str_replace(&row, NULL);
        return 0;
}

void __wrap_engine_event_emit(Engine *engine, const char *type, const char *action, const char *id,
                              const Pairs *attributes) {
        (void)engine, (void)type, (void)action, (void)id, (void)attributes;
}

int __wrap_dir_remove_at(int dir_fd, const char *path, Error *err) {
        return removals_fail ? error_set(err, EBUSY, "remove '%s'", path)
                             : __real_dir_remove_at(dir_fd, path, err);
}

int __wrap_rootfs_open_image(const Container *container, int *ret_fd, Error *err) {
        (void)container, (void)err;
        *ret_fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return 0;
}

static bool is_slow(int fd) {
        char path[64], target[256];

        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        ssize_t length = readlink(path, target, sizeof(target) - 1);
        target[MAX(length, 0)] = '\0';
        return strstr(target, "/slow/");
}

int __wrap_directory_copy(int from_fd, int to_fd, Error *err) {
        char byte;

        (void)from_fd, (void)err;
        if (!is_slow(to_fd))
                return 0;
        (void)!write(begun[1], "x", 1);
        (void)!read(slow[0], &byte, 1);
        return 0;
}

typedef struct World {
        char root[32];
        Engine engine;
} World;

static bool world_init(World *world) {
        Error err = {};

        *world = (World){ .root = "/tmp/brig-volumes-XXXXXX",
                          .engine = { .room_lock = PTHREAD_MUTEX_INITIALIZER } };
        if (!mkdtemp(world->root))
                return false;
        world->engine.options.data_root = world->root;
        world->engine.data_root_fd = open(world->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return volumes_new(&world->engine, &world->engine.volumes, &err) == 0;
}

static void world_done(World *world) {
        volumes_free(world->engine.volumes);
        close_fd(&world->engine.data_root_fd);
        removals_fail = updates_fail = false;
        str_replace(&row, NULL);
        (void)__real_dir_remove_at(AT_FDCWD, world->root, NULL);
}
#define _cleanup_world_ _cleanup_(world_done)

static int use(World *world, const char *name, Error *err) {
        const VolumeCreate create = {};
        _cleanup_free_ char *taken = NULL;
        bool made;

        return volume_use(&world->engine, name, "user", &create, false, &taken, &made, err);
}

static int make_unused(World *world, const char *name, Error *err) {
        int r = use(world, name, err);

        volume_unuse(&world->engine, name, "user");
        return r;
}

TEST(a_removal_that_fails_is_taken_back_in_the_record) {
        _cleanup_world_ World world;
        Error err = {};

        ASSERT(world_init(&world));
        ASSERT_OK(make_unused(&world, "data", &err), &err);
        removals_fail = true;
        ASSERT_INT(engine_volume_remove(&world.engine, "data", false, &err), -EBUSY);
        ASSERT_STR(row, "{}");
        ASSERT_OK(make_unused(&world, "data", &err), &err);
        removals_fail = false;
        ASSERT_OK(engine_volume_remove(&world.engine, "data", false, &err), &err);
}

/* The next daemon would finish the removal, so that nobody may have put anything there. */
TEST(what_the_record_keeps_as_being_removed_can_only_be_removed) {
        _cleanup_world_ World world;
        VolumeInfo *volumes;
        Error err = {};
        size_t count;

        ASSERT(world_init(&world));
        ASSERT_OK(make_unused(&world, "data", &err), &err);
        removals_fail = updates_fail = true;
        ASSERT_INT(engine_volume_remove(&world.engine, "data", false, &err), -EBUSY);
        ASSERT(use(&world, "data", &err) < 0);
        ASSERT(strstr(err.message, "volume data is being removed"));
        volumes_all(&world.engine, &volumes, &count); /* it is seen, for who cleans up */
        volumes_free_all(volumes, count);
        ASSERT_INT(count, 1);
        removals_fail = updates_fail = false;
        ASSERT_OK(engine_volume_remove(&world.engine, "data", false, &err), &err);
        ASSERT_STR(row, NULL);
        ASSERT_OK(make_unused(&world, "data", &err), &err);
}

typedef struct Filling {
        Container *container;
        int result;
} Filling;

static void *fill_slow(void *data) {
        Filling *filling = data;
        Error err = {};

        filling->result = volume_fill(filling->container, "slow", "/", &err);
        return NULL;
}

/* One that hung here would be ended by the alarm. */
TEST(a_volume_that_is_being_filled_holds_up_no_other) {
        _cleanup_world_ World world;
        Container container = { .engine = &world.engine };
        Filling filling = { &container, -1 };
        pthread_t thread;
        Error err = {};
        char byte;

        ASSERT(world_init(&world));
        ASSERT(pipe2(slow, O_CLOEXEC) == 0 && pipe2(begun, O_CLOEXEC) == 0);
        ASSERT_OK(use(&world, "slow", &err), &err);
        ASSERT_OK(use(&world, "quick", &err), &err);
        ASSERT_INT(pthread_create(&thread, NULL, fill_slow, &filling), 0);
        ASSERT_INT(read(begun[0], &byte, 1), 1);
        (void)alarm(20);
        ASSERT_OK(volume_fill(&container, "quick", "/", &err), &err);
        (void)alarm(0);
        ASSERT_INT(write(slow[1], "x", 1), 1);
        ASSERT_INT(pthread_join(thread, NULL), 0);
        ASSERT_INT(filling.result, 0);
        for (int i = 0; i < 2; i++) {
                close_fd(&slow[i]);
                close_fd(&begun[i]);
        }
}

TEST_MAIN()
