/* spread.c: see dir_spread in fd.h. */
#include <errno.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/fd.h"
#include "base/log.h"

/* chattr(1), "T": ext4 then spreads the directories in it over its groups of inodes. In one group,
 * each file that is made is looked for past all that were deleted within the last minutes (without
 * a journal, five), which with thousands of them is most of the work. Other file systems refuse the
 * flag and need none. */
void dir_spread(int fd) {
        int flags;

        if (ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0 || (flags & FS_TOPDIR_FL))
                return;
        flags |= FS_TOPDIR_FL;
        if (ioctl(fd, FS_IOC_SETFLAGS, &flags) < 0)
                log_debug("the file system does not spread directories: %s", strerror(errno));
}
