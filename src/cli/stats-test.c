/* stats-test.c: the figures of brig stats, from documents of both versions of the control groups.
 */
#include "cli/stats.h"

#include "base/test.h"
#include "format/json.h"

#define ASSERT_NEAR(actual, expected)                                                              \
        ASSERT((actual) > (expected)-0.0001 && (actual) < (expected) + 0.0001)

static void take(const char *text, StatsFigures *figures) {
        _cleanup_json_ json_object *document = NULL;

        if (json_parse_any(text, strlen(text), &document, NULL) == 0)
                stats_figures(document, figures);
}

TEST(a_share_of_the_processors) {
        StatsFigures figures = { 0 };

        take("{\"cpu_stats\":{\"cpu_usage\":{\"total_usage\":300},\"system_cpu_usage\":2000,"
             "\"online_cpus\":4},\"precpu_stats\":{\"cpu_usage\":{\"total_usage\":100},"
             "\"system_cpu_usage\":1000}}",
             &figures);
        ASSERT_NEAR(figures.cpu, 80.0); /* 200 of 1000, of four processors */
        ASSERT(figures.has_before);
}

TEST(what_came_before_is_kept_where_the_document_lacks_it) {
        StatsFigures figures = { 0 };

        take("{\"cpu_stats\":{\"cpu_usage\":{\"total_usage\":100,\"percpu_usage\":[60,40]},"
             "\"system_cpu_usage\":1000}}",
             &figures);
        ASSERT(!figures.has_before);
        ASSERT_NEAR(figures.cpu, 0);
        take("{\"cpu_stats\":{\"cpu_usage\":{\"total_usage\":600,\"percpu_usage\":[300,300]},"
             "\"system_cpu_usage\":2000}}",
             &figures);
        ASSERT_NEAR(figures.cpu, 100.0);
        /* It was started anew: its counter is smaller. */
        take("{\"cpu_stats\":{\"cpu_usage\":{\"total_usage\":5},\"system_cpu_usage\":3000,"
             "\"online_cpus\":2}}",
             &figures);
        ASSERT_NEAR(figures.cpu, 0);
}

TEST(memory_without_what_the_kernel_takes_back) {
        StatsFigures figures = { 0 };

        take("{\"memory_stats\":{\"usage\":1000,\"limit\":4000,\"stats\":{\"inactive_file\":1,"
             "\"total_inactive_file\":200}}}",
             &figures);
        ASSERT_NEAR(figures.memory, 800);
        ASSERT_NEAR(figures.memory_percent, 20);
        take("{\"memory_stats\":{\"usage\":1000,\"stats\":{\"inactive_file\":300}}}", &figures);
        ASSERT_NEAR(figures.memory, 700);
        ASSERT_NEAR(figures.memory_percent, 0);
        take("{\"memory_stats\":{\"usage\":1000,\"stats\":{\"inactive_file\":1300}}}", &figures);
        ASSERT_NEAR(figures.memory, 1000);
}

TEST(networks_and_devices_add_up) {
        StatsFigures figures = { 0 };

        take("{\"networks\":{\"eth0\":{\"rx_bytes\":1,\"tx_bytes\":2},\"eth1\":{\"rx_bytes\":4,"
             "\"tx_bytes\":8}},\"blkio_stats\":{\"io_service_bytes_recursive\":[{\"op\":\"Read\","
             "\"value\":16},{\"op\":\"write\",\"value\":32},{\"op\":\"read\",\"value\":64},"
             "{\"op\":\"Total\",\"value\":128}]},\"pids_stats\":{\"current\":3}}",
             &figures);
        ASSERT_NEAR(figures.received, 5);
        ASSERT_NEAR(figures.sent, 10);
        ASSERT_NEAR(figures.read, 80);
        ASSERT_NEAR(figures.written, 32);
        ASSERT_INT(figures.pids, 3);
        take("{\"blkio_stats\":{\"io_service_bytes_recursive\":null}}", &figures);
        ASSERT_NEAR(figures.received + figures.read, 0);
}

TEST_MAIN()
