/* runtime-test.c: what can be tested of the runtime without making a container; tests/runtime.bats
 * makes them. */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/fd.h"
#include "base/test.h"
#include "os/mount.h"
#include "runtime/private.h"
#include "runtime/seccomp.h"

/* ---- options of mounts ---- */

static int parse_options(const char *words, MountOptions *ret, Error *err) {
        _cleanup_strv_ char **list = str_split(words, ',');
        OciMount mount = { .destination = (char[]){ "/x" }, .options = list };

        return mount_options_parse(&mount, ret, err);
}

static const struct {
        const char *words;
        uint64_t set, clear, recursive_set, propagation;
        bool bind, recursive;
        const char *data;
} parsed[] = {
        { "ro,nosuid", MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID, 0, 0, 0, false, false, "" },
        { "ro,rw", 0, MOUNT_ATTR_RDONLY, 0, 0, false, false, "" },
        { "rw,ro", MOUNT_ATTR_RDONLY, 0, 0, 0, false, false, "" },
        { "rbind,rro", 0, 0, MOUNT_ATTR_RDONLY, 0, true, true, "" },
        { "bind,rprivate", 0, 0, 0, MS_PRIVATE, true, false, "" },
        { "size=1k,mode=755,shared", 0, 0, 0, MS_SHARED, false, false, "size=1k,mode=755" },
        { "strictatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME, 0, 0, false, false, "" },
        { "noatime,relatime", 0, MOUNT_ATTR__ATIME, 0, 0, false, false, "" },
        { "defaults,remount", 0, 0, 0, 0, false, false, "" },
};

TEST(mount_options_are_sorted_into_kinds) {
        for (size_t i = 0; i < ELEMENTS(parsed); i++) {
                MountOptions options = {};
                Error err = {};
                _cleanup_free_ char *data = NULL;

                ASSERT_OK(parse_options(parsed[i].words, &options, &err), &err);
                data = strv_join(options.data, ",");
                mount_options_done(&options);
                ASSERT_INT(options.set, parsed[i].set);
                ASSERT_INT(options.clear, parsed[i].clear);
                ASSERT_INT(options.recursive_set, parsed[i].recursive_set);
                ASSERT_INT(options.propagation, parsed[i].propagation);
                ASSERT_INT(options.bind, parsed[i].bind);
                ASSERT_INT(options.recursive, parsed[i].recursive);
                ASSERT_STR(data, parsed[i].data);
        }
}

TEST(mount_options_map_ids_alone_or_recursively) {
        MountOptions alone = {}, below = {};
        Error err = {};

        ASSERT_OK(parse_options("ro,idmap", &alone, &err), &err);
        ASSERT(alone.map_ids && !alone.map_recursive && !alone.data);
        ASSERT_OK(parse_options("rbind,ridmap", &below, &err), &err);
        ASSERT(below.map_ids && below.map_recursive && below.recursive);
        mount_options_done(&alone);
        mount_options_done(&below);
}

/* ---- documents ---- */

TEST(default_documents_are_valid) {
        for (int rootless = 0; rootless < 2; rootless++) {
                OciConfig config = {};
                Error err = {};
                int r;

                runtime_default_config(&config, rootless);
                r = runtime_validate(&config, &err);
                json_done(&oci_config_table, &config);
                ASSERT_OK(r, &err);
        }
}

TEST(cgroup_paths) {
        OciLinux linux_ = {};
        OciConfig config = { .linux_ = &linux_ };
        _cleanup_free_ char *plain = runtime_cgroup_path(&config, "id", NULL),
                            *below = runtime_cgroup_path(&config, "id", "/brig");
        _cleanup_free_ char *own = NULL;

        linux_.cgroups_path = (char[]){ "a/b" };
        own = runtime_cgroup_path(&config, "id", "/brig");
        ASSERT_STR(plain, "/id");
        ASSERT_STR(below, "/brig/id");
        ASSERT_STR(own, "/a/b");
}

TEST(scopes_of_systemd) {
        static const struct {
                const char *text, *slice, *name, *cgroup;
        } good[] = {
                { NULL, "system.slice", "brig-id.scope", "/system.slice/brig-id.scope/container" },
                { "", "system.slice", "brig-id.scope", "/system.slice/brig-id.scope/container" },
                { "a-b.slice:docker:x", "a-b.slice", "docker-x.scope",
                  "/a.slice/a-b.slice/docker-x.scope/container" },
                { "::x", "system.slice", "x.scope", "/system.slice/x.scope/container" },
                { "-.slice:p:x", "-.slice", "p-x.scope", "/p-x.scope/container" },
        };
        static const char *const bad[][2] = { { "/a/b", "SLICE:PREFIX:NAME" },
                                              { "a:b", "SLICE:PREFIX:NAME" },
                                              { "a:b:c:d", "SLICE:PREFIX:NAME" },
                                              { "a:b:c", "'a' is no name of a slice" },
                                              { "a.slice:b:../c", "no name of a scope" },
                                              { "a.slice::", "no name of a scope" },
                                              { "a.slice:b:c d", "no name of a scope" },
                                              { "a.slice:b:c.slice", "not a slice itself" } };
        Error err = {};

        for (size_t i = 0; i < ELEMENTS(good); i++) {
                RuntimeScope scope = {};

                ASSERT_OK(runtime_scope_parse(good[i].text, "id", &scope, &err), &err);
                ASSERT_STR(scope.slice, good[i].slice);
                ASSERT_STR(scope.name, good[i].name);
                ASSERT_STR(scope.cgroup, good[i].cgroup);
                runtime_scope_done(&scope);
        }
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                RuntimeScope scope = {};

                ASSERT(runtime_scope_parse(bad[i][0], "id", &scope, &err) < 0);
                ASSERT(strstr(err.message, bad[i][1]));
        }
}

TEST(names_of_capabilities_and_limits) {
        ASSERT_INT(capability_number("CAP_CHOWN"), 0);
        ASSERT_INT(capability_number("CAP_SYS_ADMIN"), 21);
        ASSERT_INT(capability_number("CAP_CHECKPOINT_RESTORE"), 40);
        ASSERT(capability_number("CHOWN") < 0);
        ASSERT(rlimit_number("RLIMIT_NOFILE") >= 0);
        ASSERT(rlimit_number("NOFILE") < 0);
}

/* ---- paths in a root ---- */

TEST(paths_stay_inside_the_root) {
        char directory[] = "/tmp/brig-root-test-XXXXXX";
        _cleanup_close_ int root_fd = -1, made_fd = -1, file_fd = -1, link_fd = -1;
        Error err = {};
        struct stat status;

        ASSERT(mkdtemp(directory));
        root_fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
        ASSERT_INT(symlinkat("/../../outside", root_fd, "link"), 0);
        ASSERT_INT(symlinkat("loop", root_fd, "loop"), 0);
        ASSERT_OK(root_make(root_fd, "/b/c/", true, &made_fd, &err), &err);
        ASSERT_INT(fstatat(root_fd, "b/c", &status, 0), 0);
        ASSERT_OK(root_make(root_fd, "/link/in", true, &link_fd, &err), &err);
        ASSERT_INT(fstatat(root_fd, "outside/in", &status, 0), 0);
        ASSERT_OK(root_make(root_fd, "/x/file", false, &file_fd, &err), &err);
        ASSERT_INT(fstatat(root_fd, "x/file", &status, 0), 0);
        ASSERT(S_ISREG(status.st_mode));
        close_fd(&made_fd);
        ASSERT(root_make(root_fd, "/loop/x", true, &made_fd, &err) < 0);
        ASSERT_OK(dir_remove_at(AT_FDCWD, directory, &err), &err);
}

/* ---- parent and child ---- */

TEST(an_error_crosses_over) {
        int pair[2];
        Error sent = {}, got = {};
        SyncKind kind = SYNC_GO;

        ASSERT_INT(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
        (void)error_kind(&sent, ERROR_NOT_FOUND, "no such thing");
        ASSERT_INT(sync_send(pair[0], SYNC_READY, -1), 0);
        ASSERT_INT(sync_send_error(pair[0], &sent), 0);
        close_fd(&pair[0]);
        ASSERT_INT(sync_receive(pair[1], &kind, NULL, "the other", &got), 0);
        ASSERT_INT(kind, SYNC_READY);
        ASSERT(sync_receive(pair[1], &kind, NULL, "the other", &got) < 0);
        ASSERT_STR(got.message, "no such thing");
        ASSERT_INT(got.kind, ERROR_NOT_FOUND);
        ASSERT(sync_receive(pair[1], &kind, NULL, "the other", &got) < 0);
        ASSERT(str_after(got.message, "the other ended without a word"));
        close_fd(&pair[1]);
}

TEST(an_error_crosses_over_what_was_left_unread) {
        int pair[2];
        Error sent = {}, got = {};
        SyncKind kind = SYNC_GO;

        ASSERT_INT(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
        (void)error_kind(&sent, ERROR_NOT_FOUND, "no such thing");
        ASSERT_INT(sync_send(pair[1], SYNC_GO, -1), 0);
        ASSERT_INT(sync_send_error(pair[0], &sent), 0);
        close_fd(&pair[0]);
        ASSERT(sync_receive(pair[1], &kind, NULL, "the other", &got) < 0);
        ASSERT_STR(got.message, "no such thing");
        close_fd(&pair[1]);
}

/* ---- seccomp ---- */

static const char profile[] = "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{\"names\":["
                              "\"read\",\"nonesuch\"],\"action\":\"SCMP_ACT_ALLOW\"},"
                              "{\"names\":[\"kill\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{"
                              "\"index\":1,\"value\":9,\"op\":\"SCMP_CMP_EQ\"},"
                              "{\"index\":1,\"value\":15,\"op\":\"SCMP_CMP_EQ\"}]}]}";

/* brig-runtime, which is built beside this test. */
static const char *compiler(void) {
        static char path[PATH_MAX];
        ssize_t length = readlink("/proc/self/exe", path, sizeof(path));
        char *slash = length > 0 ? memrchr(path, '/', (size_t)length) : NULL;

        if (!slash)
                abort();
        (void)snprintf(slash, (size_t)(path + sizeof(path) - slash), "/brig-runtime");
        return path;
}

TEST(seccomp_programs_come_from_the_cache) {
        char directory[] = "/tmp/brig-seccomp-test-XXXXXX";
        _cleanup_close_ int cache_fd = -1;
        OciSeccomp document = {};
        SeccompProgram first = {}, second = {}, third = {};
        Error err = {};

        ASSERT(mkdtemp(directory));
        cache_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ASSERT_OK(json_parse(&oci_seccomp_table, profile, sizeof(profile) - 1, &document, &err),
                  &err);
        ASSERT_OK(seccomp_compile(&document, compiler(), -1, &first, &err), &err);
        ASSERT_OK(seccomp_compile(&document, compiler(), cache_fd, &second, &err), &err);
        ASSERT_OK(seccomp_compile(&document, compiler(), cache_fd, &third, &err), &err);
        ASSERT_INT(first.length, third.length);
        ASSERT(first.length > 0 && first.length % sizeof(struct sock_filter) == 0);
        ASSERT_INT(memcmp(first.filter, third.filter, first.length), 0);
        ASSERT_INT(memcmp(first.filter, second.filter, first.length), 0);
        seccomp_program_done(&first);
        seccomp_program_done(&second);
        seccomp_program_done(&third);
        json_done(&oci_seccomp_table, &document);
        ASSERT_OK(dir_remove_at(AT_FDCWD, directory, &err), &err);
}

/* 1,000 files lie in the cache; what is written next has but few beside it. */
TEST(a_full_cache_of_seccomp_programs_is_emptied) {
        char directory[] = "/tmp/brig-seccomp-test-XXXXXX", name[16];
        _cleanup_close_ int cache_fd = -1;
        OciSeccomp document = {};
        SeccompProgram program = {};
        Error err = {};
        int left = 0;

        ASSERT(mkdtemp(directory));
        cache_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        for (int i = 0; i < 1000; i++) {
                (void)snprintf(name, sizeof(name), "%d", i);
                ASSERT_OK(file_replace_at(cache_fd, name, "x", 1, 0600, false, &err), &err);
        }
        ASSERT_OK(json_parse(&oci_seccomp_table, profile, sizeof(profile) - 1, &document, &err),
                  &err);
        ASSERT_OK(seccomp_compile(&document, compiler(), cache_fd, &program, &err), &err);
        seccomp_program_done(&program);
        json_done(&oci_seccomp_table, &document);
        for (int i = 0; i < 1000; i++) {
                (void)snprintf(name, sizeof(name), "%d", i);
                left += faccessat(cache_fd, name, F_OK, 0) == 0;
        }
        ASSERT_INT(left, 0);
        ASSERT_OK(dir_remove_at(AT_FDCWD, directory, &err), &err);
}

static const struct {
        const char *text;
        ErrorKind kind;
} bad_profiles[] = {
        { "{\"defaultAction\":\"X\"}", ERROR_INVALID },
        { "{\"defaultAction\":\"SCMP_ACT_NOTIFY\"}", ERROR_INVALID },
        { "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"flags\":[\"X\"]}", ERROR_UNSUPPORTED },
        { "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"architectures\":[\"SCMP_ARCH_X\"]}",
          ERROR_INVALID },
        { "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"read\"],\"action\":"
          "\"SCMP_ACT_ERRNO\",\"errnoRet\":70000}]}",
          ERROR_INVALID },
        { "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"read\"],\"action\":"
          "\"SCMP_ACT_KILL\","
          "\"args\":[{\"index\":6,\"value\":0,\"op\":\"SCMP_CMP_EQ\"}]}]}",
          ERROR_INVALID },
};

/* Nothing is named, nothing is changed, as in runc. */
TEST(a_seccomp_rule_without_names_is_none) {
        static const char text[] = "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{"
                                   "\"names\":[],\"action\":\"SCMP_ACT_ALLOW\"}]}";
        OciSeccomp document = {};
        SeccompProgram program = {};
        Error err = {};

        ASSERT_OK(json_parse(&oci_seccomp_table, text, sizeof(text) - 1, &document, &err), &err);
        ASSERT_OK(seccomp_compile(&document, compiler(), -1, &program, &err), &err);
        ASSERT(program.length > 0);
        seccomp_program_done(&program);
        json_done(&oci_seccomp_table, &document);
}

TEST(bad_seccomp_documents_are_refused) {
        for (size_t i = 0; i < ELEMENTS(bad_profiles); i++) {
                OciSeccomp document = {};
                SeccompProgram program = {};
                Error err = {};
                int r;

                ASSERT_OK(json_parse(&oci_seccomp_table, bad_profiles[i].text,
                                     strlen(bad_profiles[i].text), &document, &err),
                          &err);
                r = seccomp_compile(&document, compiler(), -1, &program, &err);
                json_done(&oci_seccomp_table, &document);
                ASSERT(r < 0);
                ASSERT_INT(err.kind, bad_profiles[i].kind);
        }
}

/* Four rules for read(2), each of six arguments that must be at least so large. */
static void write_endless_profile(Buf *text) {
        static const int least[4][6] = { { 2, 1, 0, 2, 1, 0 },
                                         { 0, 1, 2, 0, 1, 2 },
                                         { 1, 0, 2, 1, 0, 2 },
                                         { 0, 0, 1, 1, 2, 2 } };

        buf_add_str(text, "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[");
        for (size_t i = 0; i < ELEMENTS(least); i++) {
                buf_format(text, "%s{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[",
                           i ? "," : "");
                for (int j = 0; j < 6; j++)
                        buf_format(text, "%s{\"index\":%d,\"value\":%d,\"op\":\"SCMP_CMP_GE\"}",
                                   j ? "," : "", j, least[i][j]);
                buf_add_str(text, "]}");
        }
        buf_add_str(text, "]}");
}

/* libseccomp 2.5.4 never comes back from this. */
TEST(a_seccomp_document_without_end_is_refused) {
        _cleanup_buf_ Buf text = {};
        OciSeccomp document = {};
        SeccompProgram program = {};
        Error err = {};
        int r;

        write_endless_profile(&text);
        ASSERT_OK(json_parse(&oci_seccomp_table, text.data, text.length, &document, &err), &err);
        r = seccomp_compile(&document, compiler(), -1, &program, &err);
        json_done(&oci_seccomp_table, &document);
        ASSERT(r < 0);
        ASSERT_INT(err.kind, ERROR_INVALID);
        ASSERT(strstr(err.message, "fewer rules with several conditions"));
}

/* ---- the agent of a seccomp listener ---- */

TEST(an_agent_that_accepts_nobody_is_not_waited_for_without_end) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        char directory[] = "/tmp/runtime-test.XXXXXX";
        _cleanup_close_ int agent = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        _cleanup_close_ int first = -1;
        int second = -1;
        Error err = {};

        ASSERT(mkdtemp(directory));
        (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/agent", directory);
        ASSERT_INT(bind(agent, (struct sockaddr *)&address, sizeof(address)), 0);
        ASSERT_INT(listen(agent, 0), 0);
        ASSERT_OK(listener_connect(address.sun_path, 10, &first, &err), &err);
        ASSERT_INT(listener_connect(address.sun_path, 10, &second, &err), -ETIMEDOUT);
        ASSERT_INT(second, -1);
        ASSERT_OK(dir_remove_at(AT_FDCWD, directory, &err), &err);
}

TEST_MAIN()
