/* room.c: see room.h. SQLite writes to its log before anything is deleted, and a layer goes only
 * after its row: without a reserve a disk that is quite full could not be freed. */
#include "engine/room.h"
#include "engine/engine-private.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/fd.h"
#include "base/log.h"

#define RESERVE "reserve"
#define RESERVE_BYTES ((off_t)2 << 20)
#define RESERVE_STEP ((off_t)64 << 10)
#define NO_BYTES ((uint64_t)4 << 20) /* with less, or fewer inodes, hardly anything works */
#define NO_INODES 64u

typedef struct Room {
        uint64_t bytes, inodes;
        bool full;
} Room;

/* File systems without a number of inodes say that they have none at all, and those without blocks,
 * as a pipe's, that none is free. */
static Room room_of(int fd) {
        struct statvfs info;
        Room room = { .bytes = UINT64_MAX, .inodes = UINT64_MAX };

        if (fstatvfs(fd, &info) < 0 || info.f_blocks == 0)
                return room;
        room.bytes = (uint64_t)info.f_bavail * info.f_frsize;
        if (info.f_files > 0)
                room.inodes = info.f_favail;
        room.full = room.bytes < NO_BYTES || room.inodes < NO_INODES;
        return room;
}

void room_explain(const Engine *engine, bool ours, Error *err) {
        static const char remedy[] = "'brig builder prune -a' or 'brig system prune'";
        Room room = room_of(engine->data_root_fd);
        size_t used;

        if (!err || strstr(err->message, remedy) ||
            !(room.full || (ours && (err->number == ENOSPC || err->number == EDQUOT))))
                return;
        used = strnlen(err->message, sizeof(err->message));
        /* The remedy is what must not be cut off. */
        used = MIN(used, sizeof(err->message) - 320);
        (void)snprintf(err->message + used, sizeof(err->message) - used,
                       ": the file system of %.100s %s (%llu kB and %llu inodes left): make room, "
                       "e.g. with %s",
                       engine->options.data_root, room.full ? "is full" : "was full",
                       (unsigned long long)(room.bytes >> 10), (unsigned long long)room.inodes,
                       remedy);
}

bool room_is_full(int fd) {
        return room_of(fd).full;
}

Engine *room_release(Engine *engine) {
        (void)pthread_mutex_lock(&engine->room_lock);
        engine->removing++;
        if (room_of(engine->data_root_fd).full && unlinkat(engine->data_root_fd, RESERVE, 0) == 0)
                log_info("the file system of '%s' is full: the reserve of %lld kB is given up for "
                         "what is removed",
                         engine->options.data_root, (long long)(RESERVE_BYTES >> 10));
        (void)pthread_mutex_unlock(&engine->room_lock);
        return engine;
}

/* All of it, or as much of it as there is room for: removing several things one by one on a full
 * disk shall not end with the first. */
static off_t reserve_size(const Engine *engine, off_t present) {
        Room room = room_of(engine->data_root_fd);
        off_t more = room.bytes >= (uint64_t)RESERVE_BYTES
                             ? RESERVE_BYTES
                             : (off_t)room.bytes / RESERVE_STEP * RESERVE_STEP;

        return MIN(present + more, RESERVE_BYTES);
}

static int enlarge(int fd, off_t present, off_t size) {
        int r = posix_fallocate(fd, 0, size);

        if (r != 0 && ftruncate(fd, present) < 0) /* what it had in part */
                return -errno;
        return -r;
}

static void make_reserve(const Engine *engine) {
        _cleanup_close_ int fd = -1;
        struct stat st;
        off_t present = fstatat(engine->data_root_fd, RESERVE, &st, AT_SYMLINK_NOFOLLOW) == 0
                                ? st.st_size
                                : 0,
              size;

        if (present >= RESERVE_BYTES)
                return;
        size = reserve_size(engine, present);
        if (size > present)
                fd = openat(engine->data_root_fd, RESERVE,
                            O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
        if ((fd >= 0 && enlarge(fd, present, size) == 0) || present > 0)
                return;
        log_warn("no room in '%s' for a reserve: removing may fail on a full disk",
                 engine->options.data_root);
        (void)unlinkat(engine->data_root_fd, RESERVE, 0);
}

void room_reserve(Engine *engine) {
        (void)pthread_mutex_lock(&engine->room_lock);
        if (--engine->removing == 0)
                make_reserve(engine);
        (void)pthread_mutex_unlock(&engine->room_lock);
}

void room_refill(Engine *engine) {
        (void)pthread_mutex_lock(&engine->room_lock);
        if (engine->removing == 0)
                make_reserve(engine);
        (void)pthread_mutex_unlock(&engine->room_lock);
}
