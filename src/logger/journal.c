/* journal.c: the target "journald": its datagram socket, and a sealed memory file for what is too
 * large for a datagram. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "logger/journal-format.h"
#include "logger/target.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define WRITE_S 10 /* then journald counts as away */
#define JOURNAL_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)

struct Target {
        int fd; /* -1: lost */
        JournalForm form;
};

static int dial(Target *target, Error *err) {
        static const struct sockaddr_un address = { .sun_family = AF_UNIX,
                                                    .sun_path = JOURNAL_SOCKET };
        const struct timeval write_time = { .tv_sec = WRITE_S };
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        if (fd < 0)
                return error_set(err, errno, "make a socket");
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &write_time, sizeof(write_time));
        if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
                return error_kind(err, ERROR_UNAVAILABLE, "journald is not enabled on this host");
        target->fd = TAKE_FD(fd);
        return 0;
}

static int journal_open(const LoggerOptions *options, bool later, Target **ret, Error *err) {
        Target *target = NEW(Target);
        int r;

        target->fd = -1;
        r = later ? 0 : dial(target, err);
        if (r < 0) {
                free(target);
                return r;
        }
        journal_form_init(&target->form, &options->fields);
        *ret = target;
        return 0;
}

static int send_memfd(int fd, const Buf *record, Error *err) {
        _cleanup_close_ int memfd = memfd_create("journal-record", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        int r = memfd < 0 ? -errno : fd_write_full(memfd, record->data, record->length);

        if (r == 0 && fcntl(memfd, F_ADD_SEALS, JOURNAL_SEALS) < 0)
                r = -errno;
        if (r == 0)
                r = fd_send(fd, "", 0, &memfd, 1);
        return r < 0 ? error_set(err, -r, "send a record to journald in a memory file") : 0;
}

static int journal_send(Target *target, const LogEntry *entry, Error *err) {
        _cleanup_buf_ Buf record = {};
        JournalForm form = target->form; /* of a record that was not taken nothing is counted */
        int r = target->fd < 0 ? dial(target, err) : 0;

        if (r < 0)
                return r;
        journal_format(&record, &form, entry);
        if (send(target->fd, record.data, record.length, MSG_NOSIGNAL) < 0)
                r = errno == EMSGSIZE || errno == ENOBUFS
                            ? send_memfd(target->fd, &record, err)
                            : error_set(err, errno, "write to journald");
        if (r < 0) {
                close_fd(&target->fd);
                return r;
        }
        target->form = form;
        return 0;
}

static int journal_fd(const Target *target) {
        (void)target;
        return -1; /* a datagram's receiver cannot hang up */
}

static int journal_mend(Target *target, Error *err) {
        return target->fd < 0 ? dial(target, err) : 0;
}

static size_t journal_close(Target *target) {
        close_fd(&target->fd);
        free(target);
        return 0;
}

const TargetKind journald_target = {
        "journald", journal_open, journal_send, journal_fd, journal_mend, journal_close,
};
