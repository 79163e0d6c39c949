/* checkpoint-mounts.c: brig's own description of a checkpoint. criu saves the file systems that are
 * the container's alone; what is bound from the host it is told by name, and told again where it is
 * restored. The kernel's list of mounts says which there are, the document whose they are. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "os/procfs.h"
#include "runtime/checkpoint.h"

#define MOUNTINFO_MAX (16 << 20)
#define DESCRIPTION_MAX (16 << 20)

static const JsonField mount_fields[] = {
        JSON_FIELD(CheckpointMount, "cookie", JSON_STRING, cookie, JSON_REQUIRED),
        JSON_FIELD(CheckpointMount, "path", JSON_STRING, path, JSON_REQUIRED),
        JSON_FIELD(CheckpointMount, "destination", JSON_STRING, destination, JSON_OMIT_EMPTY),
        JSON_FIELD(CheckpointMount, "below", JSON_STRING, below, JSON_OMIT_EMPTY),
        JSON_FIELD(CheckpointMount, "hierarchy", JSON_STRING, hierarchy, JSON_OMIT_EMPTY),
};
static const JsonTable mount_table = JSON_TABLE(CheckpointMount, "mount", mount_fields);

static const JsonField checkpoint_fields[] = {
        JSON_FIELD(Checkpoint, "version", JSON_INT, version, JSON_REQUIRED),
        JSON_FIELD(Checkpoint, "descriptors", JSON_STRINGS, descriptors, 0),
        JSON_FIELD(Checkpoint, "terminal", JSON_BOOL, terminal, JSON_OMIT_EMPTY),
        JSON_FIELD(Checkpoint, "netns", JSON_STRING, netns, JSON_OMIT_EMPTY),
        JSON_NESTED(Checkpoint, "mounts", JSON_ARRAY, mounts, 0, &mount_table),
};
const JsonTable checkpoint_table = JSON_TABLE(Checkpoint, CHECKPOINT_FILE, checkpoint_fields);

void checkpoint_done(Checkpoint *checkpoint) {
        json_done(&checkpoint_table, checkpoint);
}

int checkpoint_write(int images_fd, const Checkpoint *checkpoint, Error *err) {
        _cleanup_free_ char *text = json_text(&checkpoint_table, checkpoint);

        return file_replace_at(images_fd, CHECKPOINT_FILE, text, strlen(text), 0600, true, err);
}

int checkpoint_read(int images_fd, Checkpoint *ret, Error *err) {
        _cleanup_free_ char *text = NULL;
        size_t length;
        int r = file_read_at(images_fd, CHECKPOINT_FILE, DESCRIPTION_MAX, &text, &length, err);

        if (r == -ENOENT)
                return error_kind(err, ERROR_NOT_FOUND,
                                  "no %s: this is no checkpoint that brig has made whole",
                                  CHECKPOINT_FILE);
        if (r == 0)
                r = json_parse(&checkpoint_table, text, length, ret, err);
        if (r == 0 && ret->version != CHECKPOINT_VERSION)
                r = error_kind(err, ERROR_UNSUPPORTED,
                               "%s: a checkpoint of version %lld, and this program knows %d",
                               CHECKPOINT_FILE, (long long)ret->version, CHECKPOINT_VERSION);
        return r;
}

/* ---- the container's mounts ---- */

/* A line of mountinfo, in place (proc_pid_mountinfo(5)). */
typedef struct MountLine {
        char *id, *path, *type;
} MountLine;

static bool read_line(char *line, MountLine *ret) {
        enum { ID, PARENT, DEVICE, ROOT, PATH, FIELDS };
        char *fields[FIELDS], *type;

        for (int i = 0; i < FIELDS; i++) {
                char *end = strchr(line, ' ');

                if (!end)
                        return false;
                *end = '\0';
                fields[i] = line;
                line = end + 1;
        }
        type = strstr(line, " - ");
        if (!type)
                return false;
        type += 3;
        type[strcspn(type, " ")] = '\0';
        mountinfo_unescape(fields[PATH]);
        *ret = (MountLine){ .id = fields[ID], .path = fields[PATH], .type = type };
        return true;
}

typedef struct Describer {
        const OciConfig *config;
        char **places; /* where each mount of the document is, links resolved; "": nowhere */
        Checkpoint *checkpoint;
} Describer;

static char *resolve(int root_fd, const char *path) {
        _cleanup_close_ int fd = -1;
        char link[64], target[4096];
        ssize_t n;

        if (root_open(root_fd, path, O_PATH, &fd, NULL) < 0)
                return str_copy("");
        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        n = readlinkat(AT_FDCWD, link, target, sizeof(target));
        return n > 0 ? str_copy_n(target, (size_t)n) : str_copy("");
}

static void find_places(Describer *describer, int root_fd) {
        const OciMount *mounts = describer->config->mounts.items;

        for (size_t i = 0; i < describer->config->mounts.count; i++)
                strv_take(&describer->places, resolve(root_fd, mounts[i].destination));
}

/* What of path is below place ("" where it is that), or NULL. */
static const char *below(const char *path, const char *place) {
        const char *rest = str_empty(place) ? NULL : str_after(path, place);

        return rest && (!*rest || *rest == '/') ? rest : NULL;
}

/* The document's mount that a mount belongs to; NULL: none. */
static const OciMount *owner_of(const Describer *describer, const char *path,
                                const char **ret_below) {
        const OciMount *mounts = describer->config->mounts.items, *owner = NULL;
        size_t longest = 0;

        for (size_t i = 0; i < describer->config->mounts.count; i++) {
                const char *rest = below(path, describer->places[i]);

                if (!rest || strlen(describer->places[i]) < longest)
                        continue;
                longest = strlen(describer->places[i]);
                owner = &mounts[i];
                *ret_below = rest;
        }
        return owner;
}

static bool is_bind(const OciMount *mount) {
        MountOptions options = {};
        bool bind = mount_options_parse(mount, &options, NULL) == 0 && options.bind;

        mount_options_done(&options);
        return bind;
}

static CheckpointMount *add_mount(const Describer *describer, const MountLine *line) {
        CheckpointMount *mount = json_append(&describer->checkpoint->mounts, &mount_table);

        mount->cookie = str_format("brig-%zu", describer->checkpoint->mounts.count - 1);
        mount->path = str_copy(line->path);
        return mount;
}

static bool is_cgroup(const char *type) {
        return str_equal(type, "cgroup") || str_equal(type, "cgroup2");
}

/* Of the document's own mount of control groups: it, or a hierarchy's directly below. The name
 * becomes part of a path of the host's. */
static int describe_cgroup(const Describer *describer, const MountLine *line, const OciMount *owner,
                           const char *rest, Error *err) {
        const char *name = *rest ? rest + 1 : "";

        if (!owner || !is_cgroup(owner->type) || strchr(name, '/'))
                return error_kind(err, ERROR_UNSUPPORTED,
                                  "a container with control groups mounted at '%s', which its "
                                  "document has not, has no checkpoints: unmount them",
                                  line->path);
        add_mount(describer, line)->hierarchy = str_copy(name);
        return 0;
}

static int describe_mount(const Describer *describer, const MountLine *line, Error *err) {
        char **masked = describer->config->linux_ ? describer->config->linux_->masked_paths : NULL;
        const char *rest = "";
        const OciMount *owner = owner_of(describer, line->path, &rest);
        CheckpointMount *mount;

        if (str_equal(line->path, "/"))
                return 0;
        if (is_cgroup(line->type) && (!owner || !is_bind(owner)))
                return describe_cgroup(describer, line, owner, rest, err);
        /* Masks are of the container's own /dev and of a tmpfs. */
        if (!owner || !is_bind(owner) ||
            (strv_has(masked, line->path) && str_equal(line->type, "tmpfs")))
                return 0;
        mount = add_mount(describer, line);
        mount->destination = str_copy(owner->destination);
        mount->below = str_copy(rest);
        return 0;
}

/* ---- standard streams ---- */

static bool is_inside(char *const *mount_ids, int proc_fd, pid_t pid, int number) {
        _cleanup_free_ char *path = str_format("%d/fdinfo/%d", (int)pid, number), *text = NULL,
                            *id = NULL;
        const char *line;

        if (procfs_read(proc_fd, path, &text, NULL) < 0 || !(line = strstr(text, "mnt_id:")))
                return true;
        line += strlen("mnt_id:");
        line += strspn(line, " \t");
        id = str_copy_n(line, strcspn(line, "\n"));
        return strv_has(mount_ids, id);
}

/* What criu knows a file by that is none of the container's. */
static char *outside_name(int proc_fd, pid_t pid, int number) {
        _cleanup_free_ char *path = str_format("%d/fd/%d", (int)pid, number),
                            *info = str_format("%d/fdinfo/%d", (int)pid, number), *text = NULL;
        const char *line;
        struct stat status;

        if (fstatat(proc_fd, path, &status, 0) < 0 || procfs_read(proc_fd, info, &text, NULL) < 0 ||
            !(line = strstr(text, "mnt_id:")))
                return str_copy("");
        return str_format("file[%lx:%lx]", strtoul(line + strlen("mnt_id:"), NULL, 10),
                          (unsigned long)status.st_ino);
}

static char *name_stream(char *const *mount_ids, int proc_fd, pid_t pid, int number) {
        _cleanup_free_ char *path = str_format("%d/fd/%d", (int)pid, number);
        char target[4096];
        ssize_t n = readlinkat(proc_fd, path, target, sizeof(target) - 1);

        if (n <= 0)
                return str_copy("");
        target[n] = '\0';
        if (str_after(target, "pipe:[") || str_after(target, "socket:["))
                return str_copy(target);
        return target[0] != '/' || is_inside(mount_ids, proc_fd, pid, number)
                       ? str_copy("")
                       : outside_name(proc_fd, pid, number);
}

int checkpoint_describe(const OciConfig *config, pid_t pid, Checkpoint *ret, Error *err) {
        _cleanup_close_ int proc_fd = -1, root_fd = -1;
        _cleanup_free_ char *info_path = str_format("%d/mountinfo", (int)pid),
                            *root_path = str_format("%d/root", (int)pid),
                            *netns = str_format("%d/ns/net", (int)pid), *text = NULL;
        _cleanup_strv_ char **lines = NULL, **ids = NULL, **places = NULL;
        Describer describer = { .config = config, .checkpoint = ret };
        struct stat theirs, ours;
        int r = procfs_open(&proc_fd, err);

        if (r == 0)
                r = procfs_read(proc_fd, info_path, &text, err);
        if (r < 0)
                return r;
        root_fd = openat(proc_fd, root_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (root_fd < 0 || fstatat(proc_fd, netns, &theirs, 0) < 0 ||
            fstatat(proc_fd, "self/ns/net", &ours, 0) < 0)
                return error_set(err, errno, "look at process %d", (int)pid);
        find_places(&describer, root_fd);
        places = describer.places;
        lines = str_split(text, '\n');
        for (char **line = lines; r == 0 && line && *line; line++) {
                MountLine mount;

                if (!read_line(*line, &mount))
                        continue;
                strv_add(&ids, mount.id);
                r = describe_mount(&describer, &mount, err);
        }
        if (r < 0)
                return r;
        ret->version = CHECKPOINT_VERSION;
        ret->terminal = config->process && config->process->terminal;
        for (int i = 0; i < 3; i++)
                strv_take(&ret->descriptors,
                          ret->terminal ? str_copy("") : name_stream(ids, proc_fd, pid, i));
        if (theirs.st_ino != ours.st_ino || theirs.st_dev != ours.st_dev)
                ret->netns = str_format("net[%lu]", (unsigned long)theirs.st_ino);
        return 0;
}
