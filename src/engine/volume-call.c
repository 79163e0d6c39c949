/* volume-call.c: see volume-call.h; and the calls that need no more than the volume's directory:
 * volume-mount.c has those that mount. */
#include "engine/volume-call.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>

#include "base/bounded.h"
#include "base/clock.h"
#include "base/fd.h"
#include "engine/ocispec.h"

/* As long as a container's start, which holds its lock, waits for a server of files or of names. */
#define CALL_TIMEOUT (30 * NSEC_PER_SEC)

VolumeCall *volume_call_new(const char *name, int (*make)(VolumeCall *call, Error *err)) {
        VolumeCall *call = NEW(VolumeCall);

        call->make = make;
        call->name = str_copy(name);
        call->place_fd = call->fd = -1;
        call->owners = 1;
        return call;
}

void volume_call_unref(VolumeCall *call) {
        if (!call || --call->owners > 0)
                return;
        close_fd(&call->place_fd);
        close_fd(&call->fd);
        pairs_done(&call->options);
        free(call->subpath);
        free(call->name);
        free(call);
}

static void on_thread(void *data) {
        VolumeCall *call = data;

        call->result = call->make(call, &call->error);
}

/* Of one that was left alone: what it holds of the file system goes at once. */
static void on_end(void *data) {
        VolumeCall *call = data;

        close_fd(&call->fd);
        close_fd(&call->place_fd);
        call->over = true;
        volume_call_unref(call);
}

void volume_mount_init(VolumeMount *mount, const Pairs *options) {
        *mount = (VolumeMount){ .options = options };
        pthread_mutex_init(&mount->lock, NULL);
        pthread_mutex_init(&mount->call_lock, NULL);
}

void volume_mount_done(VolumeMount *mount) {
        volume_call_unref(TAKE_PTR(mount->hanging));
        strv_free(mount->active);
        pthread_mutex_destroy(&mount->call_lock);
        pthread_mutex_destroy(&mount->lock);
}

/* The last one that was left alone; NULL: it is over. */
static void set_hanging(VolumeMount *mount, VolumeCall *call) {
        pthread_mutex_lock(&mount->call_lock);
        volume_call_unref(mount->hanging);
        mount->hanging = call;
        pthread_mutex_unlock(&mount->call_lock);
}

/* While one goes on no other is made, each to wait for as long. */
static int still_hangs(VolumeMount *mount, Error *err) {
        pthread_mutex_lock(&mount->call_lock);
        if (mount->hanging && mount->hanging->over)
                volume_call_unref(TAKE_PTR(mount->hanging));
        bool hangs = mount->hanging != NULL;
        pthread_mutex_unlock(&mount->call_lock);
        return hangs ? error_kind(err, ERROR_UNAVAILABLE,
                                  "%s: an earlier call still waits for an answer: look whether its "
                                  "server is there, and try again",
                                  pairs_get(mount->options, "device"))
                     : 0;
}

static int explain(const char *device, int r, Error *err) {
        if (r == -EBUSY)
                return error_kind(
                        err, ERROR_UNAVAILABLE,
                        "%s: %d calls of servers that do not answer are waited for: bring "
                        "those servers back or restart brigd, and try again",
                        device, BOUNDED_LEFT_MAX);
        if (r == -ETIMEDOUT)
                return error_kind(err, ERROR_UNAVAILABLE,
                                  "%s: no answer in %d seconds: look whether its server is there",
                                  device, (int)(CALL_TIMEOUT / NSEC_PER_SEC));
        return error_set(err, -r, "%s", device);
}

int volume_call_make(VolumeMount *mount, VolumeCall *call, Error *err) {
        if (!mount || !volume_may_hang(mount->options))
                return call->make(call, err);
        int r = still_hangs(mount, err);
        if (r < 0)
                return r;
        call->owners++; /* the thread's, if it is left alone */
        r = bounded_run(on_thread, call, on_end, CALL_TIMEOUT);
        if (r != -ETIMEDOUT)
                call->owners--;
        if (r == -ETIMEDOUT) {
                call->owners++;
                set_hanging(mount, call);
        }
        if (r < 0)
                return explain(pairs_get(mount->options, "device"), r, err);
        if (call->result < 0 && err)
                *err = call->error;
        return call->result;
}

/* ---- what is in a volume ---- */

static int open_subpath(VolumeCall *call, Error *err) {
        _cleanup_close_ int root_fd =
                openat(call->place_fd, "_data", O_PATH | O_DIRECTORY | O_CLOEXEC);

        if (root_fd < 0)
                return error_set(err, errno, "open volume %s", call->name);
        call->fd = open_in_root(root_fd, call->subpath, O_PATH,
                                RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS);
        if (call->fd >= 0)
                return 0;
        if (errno == EXDEV)
                return error_kind(err, ERROR_FORBIDDEN,
                                  "subpath '%s' of volume %s leads out of the volume",
                                  call->subpath, call->name);
        int r = errno;
        return error_kind(err, ERROR_INVALID, "cannot access subpath '%s' of volume %s: %s",
                          call->subpath, call->name, strerror(r));
}

int volume_open_subpath(Engine *engine, const char *name, const char *subpath, int *ret_fd,
                        Error *err) {
        _cleanup_call_ VolumeCall *call = volume_call_new(name, open_subpath);

        call->subpath = str_copy(subpath);
        int r = volume_open_place(engine, name, &call->place_fd, err);
        if (r == 0)
                r = volume_call_make(volume_mount_of(engine, name), call, err);
        if (r == 0)
                *ret_fd = TAKE_FD(call->fd);
        return r;
}

static bool is_empty(int fd) {
        _cleanup_closedir_ DIR *dir = fdopendir(fcntl(fd, F_DUPFD_CLOEXEC, 0));
        struct dirent *entry;

        if (dir)
                rewinddir(dir);
        while (dir && (entry = readdir(dir)))
                if (!str_equal(entry->d_name, ".") && !str_equal(entry->d_name, ".."))
                        return false;
        return dir != NULL;
}

static int open_and_look(VolumeCall *call, Error *err) {
        int r = dir_open_at(call->place_fd, "_data", 0755, &call->fd, err);

        call->empty = r == 0 && is_empty(call->fd);
        return r;
}

int volume_open_empty(Engine *engine, const char *name, int *ret_fd, Error *err) {
        _cleanup_call_ VolumeCall *call = volume_call_new(name, open_and_look);
        int r = volume_open_place(engine, name, &call->place_fd, err);

        if (r == 0)
                r = volume_call_make(volume_mount_of(engine, name), call, err);
        if (r == 0 && call->empty)
                *ret_fd = TAKE_FD(call->fd);
        return r;
}
