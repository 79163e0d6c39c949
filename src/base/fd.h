/* fd.h: reading, writing and passing descriptors. Paths are relative to a directory descriptor
 * wherever one is at hand. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/str.h"

#define FDS_MAX 64 /* descriptors in one message */

/* Reads until `length` bytes or the end; retries EINTR. Returns the count, or a negative errno. */
ssize_t fd_read_full(int fd, void *data, size_t length);
/* Writes all of it, waiting (poll) where a descriptor is non-blocking. 0 or a negative errno. */
int fd_write_full(int fd, const void *data, size_t length);
/* Appends to buf what is left in fd; more than `limit` bytes is -EFBIG. */
int fd_read_all(int fd, size_t limit, Buf *buf);

/* Reads the file `path` below dir_fd (AT_FDCWD for none) into *ret, which is NUL-terminated and the
 * caller's. */
int file_read_at(int dir_fd, const char *path, size_t limit, char **ret, size_t *ret_length,
                 Error *err);
/* Writes a small control file (procfs, cgroupfs): one write, no creation. */
int file_write_control_at(int dir_fd, const char *path, const char *text, Error *err);
/* Replaces path: temporary file, (fdatasync if durable), rename, (directory synced if durable). */
int file_replace_at(int dir_fd, const char *path, const void *data, size_t length, mode_t mode,
                    bool durable, Error *err);

/* mkdir -p below dir_fd; existing directories are fine. */
int dir_make_at(int dir_fd, const char *path, mode_t mode, Error *err);
/* Opens a directory (creating it, with its parents, if mode is not 0). */
int dir_open_at(int dir_fd, const char *path, mode_t create_mode, int *ret_fd, Error *err);
/* What is made in this directory has nothing to do with each other, and may lie apart on the disk.
 */
void dir_spread(int fd);
/* The same of one that is there and is no link: somebody else may have put one in its place. */
int dir_open_real_at(int dir_fd, const char *path, int *ret_fd, Error *err);
/* rm -r below dir_fd, following no symbolic link and crossing into no other mount; a missing path
 * is success. */
int dir_remove_at(int dir_fd, const char *path, Error *err);

/* The same, but stop(data) is asked before each file: true ends it with -ECANCELED. */
int dir_remove_until(int dir_fd, const char *path, bool (*stop)(void *data), void *data,
                     Error *err);

int fd_set_nonblocking(int fd, bool on);
int fd_set_cloexec(int fd, bool on);

/* One message of bytes and descriptors over a Unix socket. recv sets *ret_fd_count to how many came
 * (all close-on-exec, the caller's); returns the byte count, 0 at the end of the stream, or a
 * negative errno; -EMFILE: the message is gone, as there was no room for its descriptors. */
int fd_send(int socket_fd, const void *data, size_t length, const int *fds, size_t fd_count);
ssize_t fd_receive(int socket_fd, void *data, size_t length, int *fds, size_t fd_max,
                   size_t *ret_fd_count);
