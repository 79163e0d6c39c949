/* confine.c: see confine.h. */
#include "image/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/capability.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "base/cleanup.h"

#define MEMORY_MAX (2ull << 30)
#define FILE_SIZE_MAX (300ull << 30)
#define FILES_MAX 64

/* Writing any owner, mode, device, capability and trusted.overlay.* attribute. */
static const cap_value_t layer_capabilities[] = {
        CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID, CAP_MKNOD, CAP_SETFCAP, CAP_SYS_ADMIN,
};

static int set_limits(Error *err) {
        const struct {
                int resource;
                rlim_t value;
        } limits[] = {
                { RLIMIT_AS, MEMORY_MAX },
                { RLIMIT_FSIZE, FILE_SIZE_MAX },
                { RLIMIT_NOFILE, FILES_MAX },
                { RLIMIT_CORE, 0 },
        };

        for (size_t i = 0; i < ELEMENTS(limits); i++) {
                struct rlimit limit = {};

                if (getrlimit((__rlimit_resource_t)limits[i].resource, &limit) < 0)
                        return error_set(err, errno, "read a resource limit");
                limit.rlim_max = MIN(limit.rlim_max, limits[i].value);
                limit.rlim_cur = limit.rlim_max;
                if (setrlimit((__rlimit_resource_t)limits[i].resource, &limit) < 0)
                        return error_set(err, errno, "set a resource limit");
        }
        return 0;
}

static void cap_freep(cap_t *capabilities) {
        if (*capabilities)
                (void)cap_free(*capabilities);
}

static int keep_capabilities(const cap_value_t *kept, size_t count, Error *err) {
        _cleanup_(cap_freep) cap_t capabilities = cap_init();

        if (!capabilities)
                return error_set(err, errno, "drop capabilities");
        for (int capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++)
                if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0 && errno != EPERM)
                        return error_set(err, errno, "drop capability %d", capability);
        if (count > 0 &&
            (cap_set_flag(capabilities, CAP_PERMITTED, (int)count, kept, CAP_SET) < 0 ||
             cap_set_flag(capabilities, CAP_EFFECTIVE, (int)count, kept, CAP_SET) < 0))
                return error_set(err, errno, "choose capabilities");
        if (cap_set_proc(capabilities) < 0)
                return error_set(err, errno, "drop capabilities");
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return error_set(err, errno, "set no_new_privs");
        return 0;
}

/* pivot_root(2) with "." twice: the old root lies below the new one, and is let go. */
static int enter_directory(int directory_fd, Error *err) {
        _cleanup_close_
        int tree = -1;

        /* A mount of the old namespace can't be cloned from the new one. */
        tree = (int)syscall(SYS_open_tree, directory_fd, "",
                            OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
        if (tree < 0)
                return error_set(err, errno, "clone the directory's mount");
        if (unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) < 0)
                return error_set(err, errno, "make namespaces");
        if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                return error_set(err, errno, "make mounts private");
        if (syscall(SYS_move_mount, tree, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0)
                return error_set(err, errno, "mount the directory");
        if (fchdir(tree) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
            umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
                return error_set(err, errno, "make the directory the root");
        return dup3(tree, directory_fd, O_CLOEXEC) < 0
                       ? error_set(err, errno, "enter the directory")
                       : 0;
}

int confine_to_directory(int directory_fd, Error *err) {
        int r = enter_directory(directory_fd, err);

        if (r == 0)
                r = set_limits(err);
        if (r == 0)
                r = keep_capabilities(layer_capabilities, ELEMENTS(layer_capabilities), err);
        return r < 0 ? error_prefix(err, "confine brig-image") : 0;
}

int confine_to_network(Error *err) {
        int r = set_limits(err);

        if (r == 0)
                r = keep_capabilities(NULL, 0, err);
        return r < 0 ? error_prefix(err, "confine brig-image") : 0;
}
