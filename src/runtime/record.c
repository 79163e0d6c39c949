/* record.c: what brig-runtime remembers of a container between its commands: a directory of its own
 * below --root, with the record, a copy of the document, and, while it has not been started, the
 * socket at which its init waits. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "os/cgroup.h"
#include "os/pidfd.h"
#include "runtime/cli.h"
#include "runtime/seccomp.h"

#define CONFIG_MAX (16 << 20)
#define SECCOMP_CACHE "@seccomp" /* below --root; '@' is in no id */

const char *const status_names[] = { "created", "running", "paused", "stopped" };

static const JsonField record_fields[] = {
        JSON_FIELD(Record, "ociVersion", JSON_STRING, version, JSON_REQUIRED),
        JSON_FIELD(Record, "id", JSON_STRING, id, JSON_REQUIRED),
        JSON_FIELD(Record, "pid", JSON_INT, pid, JSON_REQUIRED),
        JSON_FIELD(Record, "startTime", JSON_UINT, start_time, JSON_REQUIRED),
        JSON_FIELD(Record, "bundle", JSON_STRING, bundle, 0),
        JSON_FIELD(Record, "rootfs", JSON_STRING, rootfs, 0),
        JSON_FIELD(Record, "cgroup", JSON_STRING, cgroup, JSON_REQUIRED),
        JSON_FIELD(Record, "owner", JSON_STRING, owner, 0),
        JSON_FIELD(Record, "created", JSON_TIME, created, 0),
        JSON_FIELD(Record, "annotations", JSON_PAIRS, annotations, JSON_OMIT_EMPTY),
};
const JsonTable record_table = JSON_TABLE(Record, "state.json", record_fields);

void record_done(Record *record) {
        json_done(&record_table, record);
}

int id_check(const char *id, Error *err) {
        size_t length =
                strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-.");

        if (length == 0 || id[length] || length > 255 || str_equal(id, ".") || str_equal(id, ".."))
                return error_kind(err, ERROR_INVALID, "invalid container ID format: '%s'", id);
        return 0;
}

int root_directory(const Options *options, bool make, int *ret_fd, Error *err) {
        return dir_open_at(AT_FDCWD, options->root, make ? 0700 : 0, ret_fd, err);
}

int record_directory_make(const Options *options, const char *id, int *ret_root_fd, int *ret_fd,
                          Error *err) {
        _cleanup_close_ int root_fd = -1;
        int fd, r = id_check(id, err);

        if (r == 0)
                r = root_directory(options, true, &root_fd, err);
        if (r < 0)
                return r;
        if (mkdirat(root_fd, id, 0700) < 0) {
                if (errno == EEXIST)
                        return error_kind(err, ERROR_CONFLICT, "container with id exists: %s", id);
                return error_set(err, errno, "make the directory of container '%s'", id);
        }
        fd = openat(root_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return error_set(err, errno, "open the directory of container '%s'", id);
        *ret_root_fd = TAKE_FD(root_fd);
        *ret_fd = fd;
        return 0;
}

int record_directory_open(const Options *options, const char *id, int *ret_fd, Error *err) {
        _cleanup_close_ int root_fd = -1;
        int fd, r = id_check(id, err);

        if (r < 0)
                return r;
        fd = root_directory(options, false, &root_fd, NULL) < 0
                     ? -1
                     : openat(root_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return error_kind(err, ERROR_NOT_FOUND, "container does not exist: %s", id);
        *ret_fd = fd;
        return 0;
}

int record_write(int dir_fd, const Record *record, Error *err) {
        _cleanup_free_ char *text = json_text(&record_table, record);

        return file_replace_at(dir_fd, STATE_FILE, text, strlen(text), 0600, false, err);
}

int record_read(int dir_fd, Record *ret, Error *err) {
        _cleanup_free_ char *text = NULL;
        size_t length;
        int r = file_read_at(dir_fd, STATE_FILE, CONFIG_MAX, &text, &length, err);

        if (r == 0)
                r = json_parse(&record_table, text, length, ret, err);
        return r;
}

int config_read(int dir_fd, const char *path, OciConfig *ret, char **ret_text, Error *err) {
        _cleanup_free_ char *text = NULL;
        size_t length;
        int r = file_read_at(dir_fd, path, CONFIG_MAX, &text, &length, err);

        if (r < 0)
                return r == -ENOENT ? error_kind(err, ERROR_NOT_FOUND,
                                                 "JSON specification file %s not found", path)
                                    : r;
        r = json_parse(&oci_config_table, text, length, ret, err);
        if (r < 0)
                return error_prefix(err, "%s", path);
        if (ret_text)
                *ret_text = TAKE_PTR(text);
        return 0;
}

int config_compile_seccomp(const Options *options, const OciConfig *config, SeccompProgram *ret,
                           Error *err) {
        const OciSeccomp *document = config->linux_->seccomp;
        _cleanup_close_ int root_fd = -1, cache_fd = -1;

        /* Without a cache it takes longer. */
        if (document && root_directory(options, false, &root_fd, NULL) == 0)
                (void)dir_open_at(root_fd, SECCOMP_CACHE, 0700, &cache_fd, NULL);
        return seccomp_compile(document, SECCOMP_SELF, cache_fd, ret, err);
}

bool config_has_own_pids(const OciConfig *config) {
        const OciNamespace *list = config->linux_ ? config->linux_->namespaces.items : NULL;

        for (size_t i = 0; list && i < config->linux_->namespaces.count; i++)
                if (str_equal(list[i].type, "pid"))
                        return str_empty(list[i].path);
        return false;
}

/* The record's process, if it is still the one that was recorded. */
static int open_process(const Record *record, int *ret_pidfd) {
        _cleanup_close_ int pidfd = -1;
        uint64_t start;

        if (pidfd_of((pid_t)record->pid, &pidfd, NULL) < 0 ||
            process_start_time((pid_t)record->pid, &start, NULL) < 0 ||
            start != record->start_time || pidfd_wait_end(pidfd, 0) == 0)
                return -ESRCH;
        *ret_pidfd = TAKE_FD(pidfd);
        return 0;
}

int record_load(const Options *options, const char *id, Record *ret, int *ret_dir_fd,
                int *ret_pidfd, ContainerStatus *ret_status, Error *err) {
        _cleanup_close_ int dir_fd = -1, pidfd = -1;
        bool frozen = false;
        int r = record_directory_open(options, id, &dir_fd, err);

        if (r == 0)
                r = record_read(dir_fd, ret, err);
        if (r < 0)
                return r == -ENOENT ? error_kind(err, ERROR_NOT_FOUND,
                                                 "container does not exist: %s", id)
                                    : r;
        if (open_process(ret, &pidfd) < 0)
                *ret_status = STATUS_STOPPED;
        else if (faccessat(dir_fd, START_SOCKET, F_OK, 0) == 0)
                *ret_status = STATUS_CREATED;
        else
                *ret_status = cgroup_is_frozen(ret->cgroup, &frozen, NULL) == 0 && frozen
                                      ? STATUS_PAUSED
                                      : STATUS_RUNNING;
        *ret_dir_fd = TAKE_FD(dir_fd);
        *ret_pidfd = TAKE_FD(pidfd);
        return 0;
}
