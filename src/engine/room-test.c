/* room-test.c: whether a file system is full. */
#include <unistd.h>

#include "base/test.h"
#include "engine/room.h"

/* What goes to a program has no file system that could be. */
TEST(a_pipe_is_not_full) {
        int ends[2];

        ASSERT_INT(pipe(ends), 0);
        ASSERT(!room_is_full(ends[1]));
        close(ends[0]);
        close(ends[1]);
}

TEST_MAIN()
