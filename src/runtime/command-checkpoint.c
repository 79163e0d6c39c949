/* command-checkpoint.c: checkpoint, and the options that it shares with restore. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "runtime/checkpoint-options.h"

#define DEFAULT_IMAGES "checkpoint"

static const CommandOption dump_options[] = {
        CHECKPOINT_OPTIONS,
        { "parent-path", 0, OPTION_TEXT, offsetof(Options, parent_path),
          "images of an earlier dump, below those of this one: only memory that changed is saved" },
        { "leave-running", 0, OPTION_FLAG, offsetof(Options, leave_running),
          "let the container run on" },
        { "pre-dump", 0, OPTION_FLAG, offsetof(Options, pre_dump),
          "save memory alone, and let the container run on" },
        { "link-remap", 0, OPTION_FLAG, offsetof(Options, link_remap),
          "link files that were unlinked back where that is possible" },
        { "tcp-skip-in-flight", 0, OPTION_FLAG, offsetof(Options, tcp_skip_in_flight),
          "leave out TCP connections that are being made" },
        { "status-fd", 0, OPTION_TEXT, offsetof(Options, status_fd), "refused" },
        { "page-server", 0, OPTION_TEXT, offsetof(Options, page_server), "refused" },
        {},
};

/* ---- options ---- */

static int refuse(const Options *options, Error *err) {
        const struct {
                bool given;
                const char *name, *remedy;
        } refused[] = {
                { options->lazy_pages, "lazy-pages", "restore without: pages are read at once" },
                { options->status_fd, "status-fd", "it belongs to --lazy-pages" },
                { options->page_server, "page-server", "copy the directory of images" },
                { options->lsm_mount_context, "lsm-mount-context", "SELinux is not done" },
        };

        for (size_t i = 0; i < ELEMENTS(refused); i++)
                if (refused[i].given)
                        return error_kind(err, ERROR_UNSUPPORTED, "--%s is not done: %s",
                                          refused[i].name, refused[i].remedy);
        return 0;
}

static int check_words(const Options *options, Error *err) {
        const char *mode = options->cgroups_mode;

        if (str_equal(mode, "full") || str_equal(mode, "strict"))
                return error_kind(err, ERROR_UNSUPPORTED,
                                  "--manage-cgroups-mode %s is not done: groups are made as the "
                                  "document says; give soft or ignore",
                                  mode);
        if (!str_empty(mode) && !str_equal(mode, "soft") && !str_equal(mode, "ignore"))
                return error_kind(err, ERROR_INVALID,
                                  "--manage-cgroups-mode '%s': soft, full, strict and ignore are "
                                  "known",
                                  mode);
        for (char **name = options->empty_namespaces; name && *name; name++)
                if (!str_equal(*name, "network"))
                        return error_kind(err, ERROR_INVALID, "namespace \"%s\" is not supported",
                                          *name);
        return refuse(options, err);
}

/* As runc has it: below the images, so that the whole can be moved. */
static int check_parent(int images_fd, const char *parent, Error *err) {
        struct stat status;

        if (!parent)
                return 0;
        if (parent[0] == '/')
                return error_kind(err, ERROR_INVALID, "--parent-path must be relative");
        if (fstatat(images_fd, parent, &status, 0) < 0)
                return error_set(err, errno, "invalid --parent-path '%s'", parent);
        return S_ISDIR(status.st_mode)
                       ? 0
                       : error_kind(err, ERROR_INVALID,
                                    "invalid --parent-path '%s': not a directory", parent);
}

void checkpoint_options_done(CheckpointOptions *options) {
        close_fd(&options->images_fd);
        close_fd(&options->work_fd);
}

int checkpoint_options(const Options *options, bool make, CheckpointOptions *ret, Error *err) {
        CheckpointOptions read = { .criu = options->criu,
                                   .images_fd = -1,
                                   .work_fd = -1,
                                   .parent = str_empty(options->parent_path) ? NULL
                                                                             : options->parent_path,
                                   .pre_dump = options->pre_dump,
                                   .leave_running = options->leave_running,
                                   .link_remap = options->link_remap,
                                   .tcp_skip_in_flight = options->tcp_skip_in_flight,
                                   .tcp_established = options->tcp_established,
                                   .ext_unix_sk = options->ext_unix_sk,
                                   .shell_job = options->shell_job,
                                   .file_locks = options->file_locks,
                                   .auto_dedup = options->auto_dedup,
                                   .lsm_profile = options->lsm_profile,
                                   .stage_fd = -1 };
        int r = check_words(options, err);

        if (r == 0)
                r = dir_open_at(AT_FDCWD, options->image_path ?: DEFAULT_IMAGES, make ? 0700 : 0,
                                &read.images_fd, err);
        if (r == 0 && options->work_path)
                r = dir_open_at(AT_FDCWD, options->work_path, 0700, &read.work_fd, err);
        if (r == 0)
                r = check_parent(read.images_fd, read.parent, err);
        if (r < 0) {
                checkpoint_options_done(&read);
                return r;
        }
        *ret = read;
        return 0;
}

/* ---- checkpoint ---- */

static int dump(int dir_fd, const Record *record, int pidfd, const CheckpointOptions *options,
                Error *err) {
        RuntimeContainer container = { .pid = (pid_t)record->pid,
                                       .pidfd = pidfd,
                                       .cgroup = record->cgroup };
        OciConfig config = {};
        int r = config_read(dir_fd, CONFIG_FILE, &config, NULL, err);

        if (r == 0)
                r = container_checkpoint(&config, &container, options, err);
        json_done(&oci_config_table, &config);
        return r;
}

static int run_checkpoint(const Options *options, char **words, Error *err) {
        _cleanup_close_ int dir_fd = -1, pidfd = -1;
        CheckpointOptions checkpoint = { .images_fd = -1, .work_fd = -1 };
        ContainerStatus status = STATUS_STOPPED;
        Record record = {};
        int r = record_load(options, words[0], &record, &dir_fd, &pidfd, &status, err);

        if (r == 0 && (status == STATUS_STOPPED || status == STATUS_CREATED))
                r = error_kind(err, ERROR_CONFLICT, "Container cannot be checkpointed in %s state",
                               status_names[status]);
        if (r == 0)
                r = checkpoint_options(options, true, &checkpoint, err);
        if (r == 0)
                r = dump(dir_fd, &record, pidfd, &checkpoint, err);
        if (r == 0 && !options->leave_running && !options->pre_dump)
                r = record_delete(options, dir_fd, pidfd, &record, status, true, err);
        checkpoint_options_done(&checkpoint);
        record_done(&record);
        return r;
}

const Command command_checkpoint = {
        "checkpoint", "<container-id>", "save a running container into images", 1, 1,
        dump_options, run_checkpoint
};
