/* room-test.c: whether a file system is full, and when the reserve is there. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/test.h"
#include "engine/engine-private.h"
#include "engine/room.h"

/* What goes to a program has no file system that could be. */
TEST(a_pipe_is_not_full) {
        int ends[2];

        ASSERT_INT(pipe(ends), 0);
        ASSERT(!room_is_full(ends[1]));
        close(ends[0]);
        close(ends[1]);
}

static bool is_reserved(const Engine *engine) {
        struct stat st;

        return fstatat(engine->data_root_fd, "reserve", &st, 0) == 0 && st.st_size > 0;
}

/* Who removes something may be using what the reserve was. */
TEST(the_last_who_removes_makes_the_reserve_again) {
        char path[] = "/tmp/brig-room-XXXXXX";
        Engine engine = { .room_lock = PTHREAD_MUTEX_INITIALIZER };

        ASSERT(mkdtemp(path) != NULL);
        engine.data_root_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ASSERT(engine.data_root_fd >= 0);
        (void)room_release(&engine);
        (void)room_release(&engine);
        room_refill(&engine); /* what goes on in the background has ended */
        ASSERT(!is_reserved(&engine));
        room_reserve(&engine);
        ASSERT(!is_reserved(&engine));
        room_reserve(&engine);
        ASSERT(is_reserved(&engine));
        ASSERT_INT(unlinkat(engine.data_root_fd, "reserve", 0), 0);
        room_refill(&engine);
        ASSERT(is_reserved(&engine));
        close(engine.data_root_fd);
        ASSERT_INT(dir_remove_at(AT_FDCWD, path, NULL), 0);
}

TEST_MAIN()
