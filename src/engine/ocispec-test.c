/* ocispec-test.c: containers as OCI documents: defaults, options, and what is refused. */
#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/test.h"
#include "engine/apparmor.h"
#include "engine/create-parts.h"
#include "engine/engine-private.h"
#include "engine/filters.h"
#include "engine/namespaces.h"
#include "engine/ocispec.h"
#include "engine/seccomp.h"
#include "engine/snapshot.h"
#include "os/apparmor.h"
#include "os/cgroup.h"
#include "os/pidfd.h"

/* A container whose image is empty, as create would have made it. */
typedef struct Box {
        char root[32];
        Engine engine;
        Container container;
        OciConfig config;
        Error err;
} Box;

static void box_done(Box *box) {
        settings_end(&box->engine);
        (void)dir_remove_at(AT_FDCWD, box->root, NULL);
        close_fd(&box->engine.data_root_fd);
        container_create_done(&box->container.spec);
        json_done(&oci_config_table, &box->config);
        free(box->container.path);
        strv_free(box->container.args);
}

static int box_new(const char *request, Box *box) {
        _cleanup_json_ json_object *body = NULL;
        const Image image = { .config.config.cmd = (char *[]){ (char *)"sh", NULL } };
        const OcispecContext context = { .cgroup = "/brig/x",
                                         .netfiles_id = "x",
                                         .own_netns = true };
        char **warnings = NULL;

        *box = (Box){ .root = "/tmp/ocispec-test.XXXXXX", .engine.data_root_fd = -1 };
        box->container.engine = &box->engine;
        settings_start(&box->engine);
        (void)snprintf(box->container.id, sizeof(box->container.id), "%064d", 1);
        if (!mkdtemp(box->root))
                return -1;
        _cleanup_free_ char *upper = str_format("containers/%s/upper", box->container.id);
        box->engine.options.data_root = box->root;
        box->engine.options.init_program = "/usr/libexec/brig-init";
        box->engine.data_root_fd = open(box->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int r = dir_make_at(box->engine.data_root_fd, upper, 0755, &box->err);
        if (r == 0)
                r = json_parse_any(request, strlen(request), &body, &box->err);
        if (r == 0)
                r = container_create_read(body, &box->container.spec, &box->err);
        if (r == 0)
                r = container_spec_check(&box->engine, &box->container.spec, &warnings, &box->err);
        strv_free(warnings);
        if (r == 0)
                r = image_defaults_merge(&box->container, &image, &box->err);
        return r < 0 ? r : ocispec_build(&box->container, &context, &box->config, &box->err);
}

#define BOX(name, request)                                                                         \
        _cleanup_(box_done) Box name;                                                              \
        ASSERT_OK(box_new(request, &name), &name.err)

#define ASSERT_REFUSED(request, words)                                                             \
        do {                                                                                       \
                _cleanup_(box_done) Box box_;                                                      \
                ASSERT(box_new(request, &box_) < 0);                                               \
                ASSERT_STR(box_.err.message, words);                                               \
        } while (0)

static const OciMount *mount_at(const Box *box, const char *destination) {
        const OciMount *mounts = box->config.mounts.items;

        for (size_t i = 0; i < box->config.mounts.count; i++)
                if (str_equal(mounts[i].destination, destination))
                        return &mounts[i];
        return NULL;
}

static bool has_namespace(const Box *box, const char *type) {
        const OciNamespace *list = box->config.linux_->namespaces.items;

        for (size_t i = 0; i < box->config.linux_->namespaces.count; i++)
                if (str_equal(list[i].type, type))
                        return true;
        return false;
}

TEST(a_value_is_one_line) {
        BOX(box, "{\"Hostname\":\"box\\n\",\"HostConfig\":{\"DnsSearch\":[\"a b\\tc\\r\\n\"]}}");
        ASSERT_STR(box.container.spec.config.hostname, "box");
        ASSERT_STR(box.container.spec.host.dns_search[0], "a b\tc");
        static const char *const requests[][2] = {
                { "Hostname", "{\"Hostname\":\"a\\nb\"}" },
                { "Domainname", "{\"Domainname\":\"a\\rb\"}" },
                { "Dns", "{\"HostConfig\":{\"Dns\":[\"1.1.1.1\",\"1.1.1.1\\nsearch x\"]}}" },
                { "DnsSearch", "{\"HostConfig\":{\"DnsSearch\":[\"a\\nb\"]}}" },
                { "DnsOptions", "{\"HostConfig\":{\"DnsOptions\":[\"a\\nb\"]}}" },
                { "Links", "{\"HostConfig\":{\"Links\":[\"a:b\\nc\"]}}" },
        };
        for (size_t i = 0; i < ELEMENTS(requests); i++) {
                _cleanup_free_ char *words =
                        str_format("%s: a line break within, which would make two lines of it in "
                                   "the container's files: leave it out",
                                   requests[i][0]);

                ASSERT_REFUSED(requests[i][1], words);
        }
}

TEST(defaults) {
        BOX(box, "{\"Hostname\":\"box\"}");
        const OciProcess *process = box.config.process;
        ASSERT_STR(process->args[0], "sh");
        ASSERT_STR(process->cwd, "/");
        ASSERT_STR(env_get(process->env, "HOSTNAME"), "box");
        ASSERT(!env_get(process->env, "TERM"));
        ASSERT_INT(strv_length(process->capabilities->bounding), 14);
        ASSERT(!process->capabilities->inheritable && !process->capabilities->ambient);
        ASSERT_INT(process->user.uid, 0);
        ASSERT_INT(strv_length(box.config.linux_->masked_paths), 10);
        ASSERT_INT(strv_length(box.config.linux_->readonly_paths), 5);
        ASSERT(has_namespace(&box, "pid") && has_namespace(&box, "network"));
        ASSERT(strv_has(mount_at(&box, "/sys")->options, "ro"));
        ASSERT(strv_has(mount_at(&box, "/dev/shm")->options, "size=67108864"));
        ASSERT(mount_at(&box, "/etc/hosts") != NULL);
        ASSERT_STR(pairs_get(&box.config.linux_->sysctl, "net.ipv4.ip_unprivileged_port_start"),
                   "0");
}

/* A process that has ended and whose number, or another that is taken for it, is in use. */
static int ended_child(int *ret_pidfd, Error *err) {
        int go[2], r;

        if (pipe2(go, O_CLOEXEC) < 0)
                return error_set(err, errno, "pipe");
        pid_t pid = fork();
        if (pid == 0) {
                char byte;

                close_fd(&go[1]);
                _exit((int)read(go[0], &byte, 1));
        }
        r = pid < 0 ? error_set(err, errno, "fork") : pidfd_of(pid, ret_pidfd, err);
        close_fd(&go[0]);
        close_fd(&go[1]);
        if (pid > 0 && waitpid(pid, NULL, 0) != pid)
                return error_set(err, errno, "waitpid");
        return r;
}

TEST(a_number_that_is_another_processs_is_not_joined) {
        Container donor = { .pidfd = -1, .state.pid = getpid(), .name = (char *)"donor" };
        _cleanup_close_ int fd = -1;
        int pidfd = -1;
        Error err;

        (void)snprintf(donor.id, sizeof(donor.id), "%064d", 2);
        pthread_mutex_init(&donor.state_lock, NULL);
        container_publish(&donor);
        ASSERT(container_namespace_open(&donor, "PID", "pid", &fd, &err) < 0);
        ASSERT_INT(err.kind, ERROR_CONFLICT);
        ASSERT_OK(ended_child(&pidfd, &err), &err);
        container_set_pidfd(&donor, pidfd);
        ASSERT(container_namespace_open(&donor, "PID", "pid", &fd, &err) < 0);
        ASSERT_INT(err.kind, ERROR_CONFLICT);
        ASSERT(strstr(err.message, "cannot join PID of a non running container: 0"));
        ASSERT_OK(pidfd_of(getpid(), &pidfd, &err), &err);
        container_set_pidfd(&donor, pidfd);
        ASSERT_OK(container_namespace_open(&donor, "PID", "pid", &fd, &err), &err);
        ASSERT_INT(ioctl(fd, NS_GET_NSTYPE), CLONE_NEWPID);
        container_set_pidfd(&donor, -1);
        snapshot_unref(donor.snapshot);
}

TEST(environment) {
        BOX(box, "{\"Tty\":true,\"Env\":[\"PATH=/x\",\"A=1\",\"HOSTNAME\"]}");
        _cleanup_free_ char *text = strv_join(box.config.process->env, " ");
        ASSERT_STR(text, "PATH=/x TERM=xterm A=1");
}

TEST(resources) {
        BOX(box,
            "{\"HostConfig\":{\"Memory\":67108864,\"NanoCpus\":500000000,\"PidsLimit\":77,"
            "\"CpusetCpus\":\"0\",\"Ulimits\":[{\"Name\":\"nofile\",\"Soft\":1,\"Hard\":-1}]}}");
        const OciResources *resources = box.config.linux_->resources;
        ASSERT_INT(*resources->memory->limit, 67108864);
        ASSERT_INT(*resources->memory->swap, 2 * 67108864);
        ASSERT_INT(*resources->cpu->quota, 50000);
        ASSERT_INT(*resources->cpu->period, 100000);
        ASSERT_INT(resources->pids->limit, 77);
        const OciRlimit *rlimit = box.config.process->rlimits.items;
        ASSERT_STR(rlimit->type, "RLIMIT_NOFILE");
        ASSERT(rlimit->hard == UINT64_MAX);
}

/* Each of HostConfig's limits, and what of the document it becomes. */
TEST(every_limit) {
        static const struct {
                const char *host, *document;
        } cases[] = {
                { "\"Memory\":67108864", "\"limit\":67108864" },
                { "\"Memory\":67108864,\"MemorySwap\":-1", "\"swap\":-1" },
                { "\"MemoryReservation\":33554432", "\"reservation\":33554432" },
                { "\"CpuShares\":300", "\"shares\":300" },
                { "\"CpuQuota\":20000,\"CpuPeriod\":50000", "\"quota\":20000,\"period\":50000" },
                { "\"NanoCpus\":250000000", "\"quota\":25000,\"period\":100000" },
                { "\"CpusetCpus\":\"0\"", "\"cpus\":\"0\"" },
                { "\"CpusetMems\":\"0\"", "\"mems\":\"0\"" },
                { "\"PidsLimit\":7", "\"pids\":{\"limit\":7}" },
                { "\"BlkioWeight\":300", "\"blockIO\":{\"weight\":300}" },
                { "\"DeviceCgroupRules\":[\"c 42:* rwm\"]",
                  "{\"allow\":true,\"type\":\"c\",\"major\":42,\"access\":\"rwm\"}" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_free_ char *request = str_format("{\"HostConfig\":{%s}}", cases[i].host);
                _cleanup_free_ char *text = NULL;
                BOX(box, request);

                text = json_text(&oci_resources_table, box.config.linux_->resources);
                if (!strstr(text, cases[i].document))
                        printf("# %s: %s\n", cases[i].host, text);
                ASSERT(strstr(text, cases[i].document));
        }
}

/* What version 2 of the control groups has no file for is said, and is in no document. */
TEST(limits_of_version_1) {
        BOX(box, "{\"HostConfig\":{\"MemorySwappiness\":20,\"OomKillDisable\":true,"
                 "\"KernelMemoryTCP\":8388608}}");
        _cleanup_free_ char *text = json_text(&oci_resources_table, box.config.linux_->resources);
        CgroupMode mode;

        ASSERT_OK(cgroup_mode(&mode, &box.err), &box.err);
        ASSERT_INT(strstr(text, "\"swappiness\":20") != NULL, mode != CGROUP_V2);
        ASSERT_INT(strstr(text, "\"disableOOMKiller\":true") != NULL, mode != CGROUP_V2);
        ASSERT_INT(strstr(text, "\"kernelTCP\":8388608") != NULL, mode != CGROUP_V2);
}

TEST(devices_that_are_none) {
        ASSERT_REFUSED(
                "{\"HostConfig\":{\"BlkioDeviceReadBps\":[{\"Path\":\"/dev/null\",\"Rate\":1}]}}",
                "BlkioDeviceReadBps: '/dev/null' is not a block device");
        ASSERT_REFUSED(
                "{\"HostConfig\":{\"BlkioWeightDevice\":[{\"Path\":\"/dev/none\",\"Weight\":20}]}}",
                "BlkioWeightDevice: device '/dev/none': No such file or directory");
        ASSERT_REFUSED(
                "{\"HostConfig\":{\"BlkioWeightDevice\":[{\"Path\":\"/dev/x\",\"Weight\":2}]}}",
                "BlkioWeightDevice: weight 2 of '/dev/x' is not from 10 to 1000");
}

TEST(privileged) {
        BOX(box, "{\"HostConfig\":{\"Privileged\":true}}");
        ASSERT(!box.config.linux_->masked_paths && !box.config.linux_->readonly_paths);
        ASSERT(!strv_has(mount_at(&box, "/sys")->options, "ro"));
        ASSERT(box.config.linux_->devices.count > 0);
        _cleanup_free_ char *key = NULL;
        ASSERT_OK(seccomp_profile_key(&box.container, false, &key, &box.err), &box.err);
        ASSERT(!key);
}

TEST(init) {
        BOX(box, "{\"Cmd\":[\"a\",\"b\"],\"HostConfig\":{\"Init\":true}}");
        _cleanup_free_ char *args = strv_join(box.config.process->args, " ");
        ASSERT_STR(args, "/sbin/docker-init -- a b");
        ASSERT_STR(mount_at(&box, "/sbin/docker-init")->source, "/usr/libexec/brig-init");
}

TEST(modes) {
        BOX(host,
            "{\"HostConfig\":{\"PidMode\":\"host\",\"IpcMode\":\"host\",\"UTSMode\":\"host\"}}");
        ASSERT(!has_namespace(&host, "pid") && !has_namespace(&host, "ipc"));
        ASSERT(!has_namespace(&host, "uts") && !host.config.hostname);
        ASSERT_STR(mount_at(&host, "/dev/shm")->type, "bind");
        BOX(none, "{\"HostConfig\":{\"IpcMode\":\"none\"}}");
        ASSERT(has_namespace(&none, "ipc") && !mount_at(&none, "/dev/shm"));
}

TEST(refused) {
        ASSERT_REFUSED("{\"HostConfig\":{\"Memory\":1000}}", "Minimum memory limit allowed is 6MB");
        ASSERT_REFUSED("{\"HostConfig\":{\"Memory\":67108864,\"MemorySwap\":33554432}}",
                       "Minimum memoryswap limit should be larger than memory limit, see usage");
        ASSERT_REFUSED("{\"HostConfig\":{\"CapAdd\":[\"NONSENSE\"]}}",
                       "invalid CapAdd: unknown capability: \"CAP_NONSENSE\"");
        ASSERT_REFUSED("{\"HostConfig\":{\"IpcMode\":\"nonsense\"}}", "Invalid IPC mode: nonsense");
        ASSERT_REFUSED("{\"HostConfig\":{\"Sysctls\":{\"kernel.nonsense\":\"1\"}}}",
                       "sysctl \"kernel.nonsense\" is not in a separate kernel namespace");
        ASSERT_REFUSED("{\"HostConfig\":{\"LogConfig\":{\"Type\":\"nonsense\"}}}",
                       "error looking up logging plugin nonsense: plugin \"nonsense\" not found");
        ASSERT_REFUSED("{\"StopSignal\":\"NONSENSE\"}", "Invalid signal: NONSENSE");
        ASSERT_REFUSED("{\"Entrypoint\":[\"\"]}", "No command specified");
        ASSERT_REFUSED("{\"HostConfig\":{\"Devices\":[{\"PathOnHost\":\"/dev/nothing\"}]}}",
                       "error gathering device information while adding custom device "
                       "\"/dev/nothing\": no such file or directory");
        ASSERT_REFUSED("{\"HostConfig\":{\"DeviceCgroupRules\":[\"x 1:2 r\"]}}",
                       "invalid device cgroup rule format: 'x 1:2 r'");
        if (!apparmor_enabled())
                ASSERT_REFUSED(
                        "{\"HostConfig\":{\"SecurityOpt\":[\"apparmor=mine\"]}}",
                        "AppArmor is not enabled on this host: --security-opt apparmor=mine; use "
                        "apparmor=unconfined");
}

static const char *profile_of(const Engine *engine, bool privileged, const char *option) {
        char *options[] = { (char *)option, NULL };
        const HostConfig host = { .privileged = privileged, .security_opt = options };
        SecurityOptions security;

        if (security_parse(&engine->options.defaults, options, &security, NULL) < 0)
                return "?";
        return apparmor_profile(engine, &host, &security);
}

TEST(apparmor_profiles) {
        static const Engine with = { .apparmor = true }, without;

        ASSERT_STR(profile_of(&with, false, NULL), "brig-default");
        ASSERT_STR(profile_of(&with, true, NULL), "unconfined");
        ASSERT_STR(profile_of(&with, false, "apparmor=unconfined"), "unconfined");
        ASSERT_STR(profile_of(&with, false, "apparmor:mine"), "mine");
        ASSERT_STR(profile_of(&with, true, "apparmor=mine"), "mine");
        ASSERT_STR(profile_of(&with, false, "apparmor="), "brig-default");
        ASSERT(!profile_of(&without, false, NULL) && !profile_of(&without, true, NULL));
        ASSERT(!profile_of(&without, false, "apparmor=unconfined"));
        ASSERT_STR(profile_of(&without, false, "apparmor=mine"), "mine");
}

static void write_at(const Box *box, const char *path, const char *text) {
        int fd = openat(box->engine.data_root_fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
                        0644);

        if (fd >= 0 && write(fd, text, strlen(text)) < 0)
                (void)printf("# %s is not written\n", path);
        close_fd(&fd);
}

/* What the layers, topmost first, hold in etc/passwd; NULL: no such file. */
static char *read_passwd(const Box *box) {
        Buf text = { 0 };
        int fd;

        if (rootfs_open_file(&box->container, "etc/passwd", &fd, NULL) < 0)
                return str_copy("error");
        if (fd < 0)
                return NULL;
        (void)fd_read_all(fd, 4096, &text);
        close_fd(&fd);
        return buf_take(&text);
}

#define ASSERT_PASSWD(box, wanted)                                                                 \
        do {                                                                                       \
                _cleanup_free_ char *text_ = read_passwd(box);                                     \
                ASSERT_STR(text_, wanted);                                                         \
        } while (0)

TEST(files_of_layers) {
        BOX(box, "{}");
        char *lowers[] = { (char *)"top", (char *)"base", NULL };
        int root = box.engine.data_root_fd;
        ASSERT_OK(dir_make_at(root, "top/etc", 0755, &box.err), &box.err);
        ASSERT_OK(dir_make_at(root, "base/etc", 0755, &box.err), &box.err);
        ASSERT_OK(dir_make_at(root, "base/usr", 0755, &box.err), &box.err);
        box.container.lowers = lowers;
        ASSERT_PASSWD(&box, NULL);
        write_at(&box, "base/etc/passwd", "base");
        ASSERT_PASSWD(&box, "base");
        write_at(&box, "top/etc/passwd", "top");
        ASSERT_PASSWD(&box, "top");
        ASSERT(unlinkat(root, "top/etc/passwd", 0) == 0);
        ASSERT(mkfifoat(root, "top/etc/passwd", 0644) == 0);
        ASSERT_PASSWD(&box, NULL);
        ASSERT(unlinkat(root, "top/etc/passwd", 0) == 0);
        if (geteuid() != 0)
                return; /* whiteouts and overlays are root's */
        ASSERT(mknodat(root, "top/etc/passwd", S_IFCHR, 0) == 0);
        ASSERT_PASSWD(&box, NULL);
        /* An absolute link of the image leads into the image. */
        ASSERT(unlinkat(root, "top/etc/passwd", 0) == 0);
        ASSERT(symlinkat("/../usr/passwd", root, "top/etc/passwd") == 0);
        write_at(&box, "base/usr/passwd", "linked");
        ASSERT_PASSWD(&box, "linked");
        ASSERT(unlinkat(root, "top/etc/passwd", 0) == 0);
        ASSERT(symlinkat("/proc/self/environ", root, "top/etc/passwd") == 0);
        ASSERT_PASSWD(&box, NULL);
}

TEST(tmpfs_options_override) {
        char *given[] = { (char *)"exec", (char *)"size=1m", NULL };
        _cleanup_strv_ char **options = tmpfs_options(given);
        _cleanup_free_ char *text = strv_join(options, ",");
        ASSERT_STR(text, "nosuid,nodev,exec,size=1m");
}

TEST(capabilities) {
        char *all[] = { (char *)"all", NULL }, *one[] = { (char *)"net_admin", NULL };
        HostConfig dropped = { .cap_drop = all, .cap_add = one };
        _cleanup_strv_ char **list = capabilities_of(&dropped, false);
        ASSERT_INT(strv_length(list), 1);
        ASSERT_STR(list[0], "CAP_NET_ADMIN");
}

TEST(seccomp_default) {
        BOX(box, "{}");
        OciSeccomp *profile = NULL;
        bool clone_is_limited = false;
        ASSERT_OK(seccomp_profile_build(&box.container, false, &profile, &box.err), &box.err);
        const OciSyscall *rules = profile->syscalls.items;
        for (size_t i = 0; i < profile->syscalls.count; i++) {
                ASSERT(!strv_has(rules[i].names, "unshare"));
                ASSERT(!strv_has(rules[i].names, "keyctl"));
                ASSERT(!strv_has(rules[i].names, "io_uring_setup"));
                ASSERT(!strv_has(rules[i].names, "userfaultfd"));
                clone_is_limited |= strv_has(rules[i].names, "clone") && rules[i].args.count == 1;
        }
        ASSERT(clone_is_limited);
        json_free(&oci_seccomp_table, profile);
}

TEST(seccomp_documents) {
        static const char text[] =
                "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"archMap\":[{\"architecture\":"
                "\"SCMP_ARCH_X86_64\",\"subArchitectures\":[\"SCMP_ARCH_X86\"]}],\"syscalls\":["
                "{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ALLOW\"},"
                "{\"names\":[\"bpf\"],\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"caps\":["
                "\"CAP_BPF\"]}},"
                "{\"names\":[\"ptrace\"],\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{"
                "\"minKernel\":\"4.8\"}},"
                "{\"names\":[\"never\"],\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{"
                "\"minKernel\":\"999.0\"}}]}";
        char *capabilities[] = { (char *)"CAP_CHOWN", NULL };
        OciSeccomp *profile = NULL;
        Error err = { 0 };
        ASSERT_OK(seccomp_document_read(text, capabilities, &profile, &err), &err);
        ASSERT_INT(profile->syscalls.count, 2);
        json_free(&oci_seccomp_table, profile);
        ASSERT(seccomp_document_read("{}", capabilities, &profile, &err) < 0);
}

TEST(filter_values) {
        char *names[] = { (char *)"^web", NULL }, *labels[] = { (char *)"a", (char *)"b=1", NULL };
        Pairs pairs = { 0 };
        ASSERT(text_matches("web1", names) && !text_matches("my-web", names));
        pairs_put(&pairs, "a", "");
        ASSERT(!labels_match(&pairs, labels));
        pairs_put(&pairs, "b", "1");
        ASSERT(labels_match(&pairs, labels));
        pairs_done(&pairs);
}

TEST_MAIN()
