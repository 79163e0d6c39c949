/* drill-test.c: the drills' archives, names and reports. */
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

/* A container of before that goes while the next drill runs is no difference; a mount is. */
TEST(what_is_let_go_is_no_harm) {
        char *const before[] = { (char *)"descriptor /data/containers/a",
                                 (char *)"mount / at /data/a", (char *)"process 7", NULL };
        char *const after[] = { (char *)"descriptor /data/image", NULL };
        _cleanup_buf_ Buf got = {};

        host_differences(before, after, &got);
        ASSERT_STR(got.data, "new on the host: descriptor /data/image\n"
                             "gone from the host: mount / at /data/a\n");
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

TEST_MAIN()
