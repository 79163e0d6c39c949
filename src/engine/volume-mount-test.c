/* volume-mount-test.c: of a volume whose server of files does not answer, one mount at a time is
 * waited for. */
#include <errno.h>

#include "base/bounded.h"
#include "base/test.h"
#include "engine/volumes.h"

static VolumeMount volume;
static int asked;                /* mounts that were begun */
static void *left;               /* what belongs to the last one's thread */
static void (*drop)(void *data); /* which that calls at its end */

int __wrap_bounded_run(void (*run)(void *data), void *data, void (*end)(void *data),
                       int64_t timeout);
VolumeMount *__wrap_volume_mount_of(Engine *engine, const char *name);
int __wrap_volume_open_place(Engine *engine, const char *name, int *ret_fd, Error *err);

/* The linker puts these in the engine's way: a server that never answers, and its volume. */
int __wrap_bounded_run(void (*run)(void *data), void *data, void (*end)(void *data),
                       int64_t timeout) {
        (void)run;
        (void)timeout;
        asked++;
        left = data;
        drop = end;
        return -ETIMEDOUT;
}

VolumeMount *__wrap_volume_mount_of(Engine *engine, const char *name) {
        (void)engine;
        (void)name;
        return &volume;
}

int __wrap_volume_open_place(Engine *engine, const char *name, int *ret_fd, Error *err) {
        (void)engine;
        (void)name;
        (void)err;
        *ret_fd = -1;
        return 0;
}

TEST(a_mount_that_hangs_is_waited_for_once) {
        Engine engine = { .options = { .data_root = (char *)"/nowhere" } };
        Pairs options = {};
        Error err = {};

        pairs_put(&options, "type", "nfs");
        pairs_put(&options, "device", ":/files");
        pairs_put(&options, "o", "addr=192.0.2.1");
        volume_mount_init(&volume, &options);

        ASSERT(volume_activate(&engine, "v", "one", &err) < 0);
        ASSERT(strstr(err.message, ":/files: no answer in 30 seconds"));
        ASSERT_INT(asked, 1);
        ASSERT(volume_activate(&engine, "v", "two", &err) < 0);
        ASSERT(strstr(err.message, ":/files: an earlier call still waits"));
        ASSERT_INT(asked, 1);
        /* It ends, with or without an answer: the next one asks again. */
        drop(left);
        ASSERT(volume_activate(&engine, "v", "three", &err) < 0);
        ASSERT(strstr(err.message, ":/files: no answer in 30 seconds"));
        ASSERT_INT(asked, 2);
        /* The volume goes first. */
        volume_mount_done(&volume);
        drop(left);
        pairs_done(&options);
}

TEST_MAIN()
