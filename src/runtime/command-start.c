/* command-start.c: start lets the init of a created container run the user's program. */
#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "runtime/cli.h"
#include "runtime/private.h"

static int connect_gate(int dir_fd, int *ret_fd, Error *err) {
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        (void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s", dir_fd,
                       START_SOCKET);
        if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
                return error_set(err, errno, "connect to the container's init");
        *ret_fd = TAKE_FD(fd);
        return 0;
}

static int run_poststart(int dir_fd, const Record *record, Error *err) {
        HookState state = { .id = record->id,
                            .status = "running",
                            .bundle = record->bundle,
                            .pid = (pid_t)record->pid,
                            .annotations = &record->annotations,
                            .version = record->version };
        OciConfig config = {};
        int r = config_read(dir_fd, CONFIG_FILE, &config, NULL, err);

        if (r == 0 && config.hooks)
                r = hooks_run(&config.hooks->poststart, "poststart", &state, environ, err);
        json_done(&oci_config_table, &config);
        return r;
}

static int start(int dir_fd, const Record *record, ContainerStatus status, Error *err) {
        _cleanup_close_ int gate_fd = -1;
        int r;

        if (status == STATUS_STOPPED)
                return error_kind(err, ERROR_CONFLICT, "cannot start a container that has stopped");
        if (status != STATUS_CREATED)
                return error_kind(err, ERROR_CONFLICT, "cannot start an already running container");
        r = connect_gate(dir_fd, &gate_fd, err);
        if (r == 0)
                r = container_release(gate_fd, err);
        if (r < 0)
                return r;
        if (unlinkat(dir_fd, START_SOCKET, 0) < 0)
                return error_set(err, errno, "remove the start socket");
        return run_poststart(dir_fd, record, err);
}

static int run_start(const Options *options, char **words, Error *err) {
        _cleanup_close_ int dir_fd = -1, pidfd = -1;
        ContainerStatus status = STATUS_STOPPED;
        Record record = {};
        int r = record_load(options, words[0], &record, &dir_fd, &pidfd, &status, err);

        if (r == 0)
                r = start(dir_fd, &record, status, err);
        record_done(&record);
        return r;
}

const Command command_start = {
        "start", "<container-id>", "run the program of a created container", 1, 1, NULL, run_start
};
