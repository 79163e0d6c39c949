/* drill-test.c: the drills' archives, names and reports. */
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/test.h"
#include "drill/drill.h"

TEST(archives_are_ustar) {
        _cleanup_buf_ Buf tar = {};

        tar_add(&tar, &(TarEntry){ "../a", NULL, TAR_FILE, 0644, "abc", 3, NULL });
        tar_end(&tar);
        ASSERT_INT(tar.length, 512 + 512 + 1024);
        ASSERT_STR(tar.data, "../a");
        ASSERT_STR(tar.data + 124, "00000000003");
        ASSERT_STR(tar.data + 257, "ustar");
        ASSERT(memcmp(tar.data + 512, "abc", 4) == 0);
}

TEST(a_pax_record_counts_itself) {
        _cleanup_buf_ Buf tar = {};

        tar_add(&tar, &(TarEntry){ "a", NULL, TAR_FILE, 0644, "abc", 3,
                                   "size=9223372036854775808\na=b" });
        ASSERT_INT(tar.data[156], 'x');
        ASSERT_STR(tar.data + 512, "28 size=9223372036854775808\n6 a=b\n");
        ASSERT_INT(tar.length, 4 * 512);
}

TEST(every_drill_says_what_to_change) {
        for (const DrillSet *const *set = drill_sets; *set; set++)
                for (size_t i = 0; i < (*set)->count; i++) {
                        const Drill *drill = &(*set)->drills[i];

                        ASSERT(drill->run && !str_empty(drill->summary));
                        ASSERT(!str_empty(drill->remedy) && strlen(drill->name) <= 22);
                }
}

/* A container of before that goes while the next drill runs is no difference, nor is a mount whose
 * directory somebody removed; another mount is. */
TEST(what_is_let_go_is_no_harm) {
        char *const before[] = { (char *)"descriptor /data/containers/a",
                                 (char *)"mount / at /nonesuch/a", (char *)"mount / at /tmp",
                                 (char *)"process 7", NULL };
        char *const after[] = { (char *)"descriptor /data/image", NULL };
        _cleanup_buf_ Buf got = {};

        host_differences(before, after, &got);
        ASSERT_STR(got.data, "new on the host: descriptor /data/image\n"
                             "gone from the host: mount / at /tmp\n");
}

/* As --format junit: what a container says is data. */
TEST(junit_escapes) {
        _cleanup_free_ char *text = NULL;
        size_t length = 0;
        FILE *out = open_memstream(&text, &length);
        Result result = { .drill = &api_drills.drills[0],
                          .verdict = VERDICT_BROKEN,
                          .detail = (char *)"<got> \"through\" & \033[2J\n",
                          .duration = NSEC_PER_SEC / 2 };

        ASSERT(out);
        report_write("junit", &result, 1, out);
        ASSERT_INT(fclose(out), 0);
        ASSERT(strstr(text, "failures=\"1\" errors=\"0\""));
        ASSERT(strstr(text, "&lt;got&gt; &quot;through&quot; &amp; ?[2J"));
        ASSERT(strstr(text, "time=\"0.500\""));
}

/* Another run, which goes on until it is killed. */
static pid_t begin_run(char *ret, size_t size) {
        int ends[2];
        ssize_t got;
        pid_t pid;

        if (pipe(ends) < 0)
                return -1;
        pid = fork();
        if (pid == 0) {
                Error err = {};
                _cleanup_free_ char *name = run_name_begin(&err) == 0 ? run_name() : NULL;

                if (!name || write(ends[1], name, strlen(name)) < 0)
                        _exit(1);
                for (;;)
                        (void)pause();
        }
        (void)close(ends[1]);
        got = read(ends[0], ret, size - 1);
        (void)close(ends[0]);
        ret[MAX(got, 0)] = '\0';
        return pid;
}

static Owner owner_without_descriptors(const char *name) {
        struct rlimit limit = {}, none;
        Owner owner;

        (void)getrlimit(RLIMIT_NOFILE, &limit);
        none = (struct rlimit){ 0, limit.rlim_max };
        (void)setrlimit(RLIMIT_NOFILE, &none);
        owner = run_owner(name, false);
        (void)setrlimit(RLIMIT_NOFILE, &limit);
        return owner;
}

/* Only what has certainly ended has. */
TEST(a_run_lives_until_its_process_has_ended) {
        char name[100];
        _cleanup_free_ char *later = NULL;
        Error err = {};
        Owner living, blind, other, zombie, gone;
        pid_t pid;

        ASSERT_OK(run_name_begin(&err), &err);
        pid = begin_run(name, sizeof(name));
        ASSERT(pid > 0);
        living = run_owner(name, false);
        blind = owner_without_descriptors(name);
        later = str_format("%s0", name); /* a start time that is another's */
        other = run_owner(later, false);
        (void)kill(pid, SIGKILL);
        ASSERT_INT(waitid(P_PID, (id_t)pid, &(siginfo_t){}, WEXITED | WNOWAIT), 0);
        zombie = run_owner(name, false);
        ASSERT_INT(waitpid(pid, NULL, 0), pid);
        gone = run_owner(name, false);
        ASSERT_INT(living, OWNER_LIVES);
        ASSERT_INT(blind, OWNER_LIVES);
        ASSERT_INT(other, OWNER_ENDED);
        ASSERT_INT(zombie, OWNER_ENDED);
        ASSERT_INT(gone, OWNER_ENDED);
}

static Owner owner_with(const char *machine, const char *boot, const char *rest) {
        _cleanup_free_ char *name = str_format("%s-%s-%s", machine, boot, rest);

        return run_owner(name, false);
}

/* An earlier boot of this machine is over; another machine's run, or one in another namespace,
 * cannot be asked after. */
TEST(a_run_of_elsewhere_lives) {
        Error err = {};
        _cleanup_free_ char *name = NULL, *machine = NULL, *boot = NULL;

        ASSERT_OK(run_name_begin(&err), &err);
        name = run_name();
        ASSERT_INT(run_owner(name, false), OWNER_SELF);
        machine = str_copy_n(name, 8);
        boot = str_copy_n(name + 9, 6);
        ASSERT_INT(owner_with("0badcafe", "0badca", "1-1-1"), OWNER_LIVES);
        ASSERT_INT(owner_with("0badcafe", boot, "1-1-1"), OWNER_LIVES);
        ASSERT_INT(owner_with(machine, boot, "1-1-1"), OWNER_LIVES);
        ASSERT_INT(owner_with(machine, "0badca", "1-1-1"),
                   str_equal(machine, "00000000") ? OWNER_LIVES : OWNER_ENDED);
}

TEST(a_runs_name_is_the_whole_text) {
        static const char *const others[] = { "",
                                              "a-1-1-1",
                                              "0badcafe-a-1-1-1",
                                              "0badcaf-0badca-1-1-1",
                                              "0badcafe-0badca-1-0-1",
                                              "0badcafe-0badca-1-80000000-1",
                                              "0badcafe-0badca-01-1-1",
                                              "0badcafe-0badca- 1-1-1",
                                              "0badcafe-0badca-1-1-1 ",
                                              "0badcafe-0badca-1-1-1.aaaaaa" };
        static const char *const directories[] = { "0badcafe-0badca-1-1-1",
                                                   "0badcafe-0badca-1-1-1.aaaaa",
                                                   "0badcafe-0badca-1-1-1.aaaaaaa",
                                                   "0badcafe-0badca-1-1-1.aaaa-a" };
        Error err = {};

        ASSERT_OK(run_name_begin(&err), &err);
        ASSERT_INT(run_owner("0badcafe-0badca-1-1-1", false), OWNER_LIVES);
        ASSERT_INT(run_owner("0badcafe-0badca-1-1-1.aZ09aa", true), OWNER_LIVES);
        for (size_t i = 0; i < ELEMENTS(others); i++)
                ASSERT_INT(run_owner(others[i], false), OWNER_NONE);
        for (size_t i = 0; i < ELEMENTS(directories); i++)
                ASSERT_INT(run_owner(directories[i], true), OWNER_NONE);
}

TEST_MAIN()
