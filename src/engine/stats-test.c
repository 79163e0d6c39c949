/* stats-test.c: a sample as Docker's document, and the machine's own counters. */
#include "engine/stats.h"

#include "base/test.h"
#include "engine/documents.h"

static json_object *member_at(json_object *object, const char *path) {
        _cleanup_strv_ char **names = str_split(path, '/');

        for (char **name = names; object && name && *name; name++)
                object = json_member(object, *name);
        return object;
}

static int64_t number_at(json_object *object, const char *path) {
        return json_object_get_int64(member_at(object, path));
}

typedef struct Box {
        StatsSample sample, before;
        json_object *document;
} Box;

static void box_init(Box *box, bool running) {
        *box = (Box){ 0 };
        box->sample = (StatsSample){ .running = running, .when = 2000000000LL, .generation = 2 };
        box->before = (StatsSample){ .running = true, .when = 1000000000LL, .generation = 2 };
}

static void box_write(Box *box, const StatsSample *before) {
        _cleanup_free_ char *text = stats_document("abc", "web", &box->sample, before);

        (void)json_parse_any(text, strlen(text), &box->document, NULL);
}

static void box_done(Box *box) {
        json_putp(&box->document);
}

TEST(a_container_that_does_not_run_has_a_name_and_nothing_else) {
        _cleanup_(box_done) Box box;

        box_init(&box, false);
        box_write(&box, NULL);
        ASSERT_STR(json_member_string(box.document, "read"), "0001-01-01T00:00:00Z");
        ASSERT_STR(json_member_string(box.document, "name"), "/web");
        ASSERT_STR(json_member_string(box.document, "id"), "abc");
        ASSERT_STR(json_object_to_json_string_ext(member_at(box.document, "memory_stats"), 0),
                   "{}");
        ASSERT_STR(json_object_to_json_string_ext(member_at(box.document, "cpu_stats"), 0),
                   "{\"cpu_usage\":{\"total_usage\":0,\"usage_in_kernelmode\":0,"
                   "\"usage_in_usermode\":0},\"throttling_data\":{\"periods\":0,"
                   "\"throttled_periods\":0,\"throttled_time\":0}}");
        ASSERT(!member_at(box.document, "blkio_stats/io_service_bytes_recursive"));
        ASSERT(!member_at(box.document, "networks"));
}

TEST(what_it_uses_and_used_before) {
        CgroupCount memory[] = { { (char *)"cache", 7 } };
        uint64_t each[] = { 30, 40 };
        StatsLink link = { .name = (char *)"eth0", .rx_bytes = 5, .tx_dropped = 6 };
        _cleanup_(box_done) Box box;

        box_init(&box, true);
        box.before.cgroup.cpu_total = 50;
        box.before.system_cpu = 900;
        box.sample.cgroup = (CgroupStats){ .cpu_total = 70,
                                           .cpu_each = each,
                                           .cpu_count = 2,
                                           .cpu_throttled = 9,
                                           .memory_usage = 4096,
                                           .memory = memory,
                                           .memory_count = 1,
                                           .pids_current = 3 };
        box.sample.memory_limit = 8192;
        box.sample.system_cpu = 1000;
        box.sample.online = 2;
        box.sample.links = &link;
        box.sample.link_count = 1;
        box_write(&box, &box.before);
        ASSERT_STR(json_member_string(box.document, "read"), "1970-01-01T00:00:02Z");
        ASSERT_STR(json_member_string(box.document, "preread"), "1970-01-01T00:00:01Z");
        ASSERT_INT(number_at(box.document, "cpu_stats/cpu_usage/total_usage"), 70);
        ASSERT_STR(json_object_to_json_string_ext(
                           member_at(box.document, "cpu_stats/cpu_usage/percpu_usage"), 0),
                   "[30,40]");
        ASSERT_INT(number_at(box.document, "cpu_stats/online_cpus"), 2);
        ASSERT_INT(number_at(box.document, "cpu_stats/system_cpu_usage"), 1000);
        ASSERT_INT(number_at(box.document, "cpu_stats/throttling_data/throttled_time"), 9);
        ASSERT_INT(number_at(box.document, "precpu_stats/cpu_usage/total_usage"), 50);
        ASSERT_INT(number_at(box.document, "precpu_stats/system_cpu_usage"), 900);
        ASSERT_INT(number_at(box.document, "memory_stats/stats/cache"), 7);
        ASSERT_INT(number_at(box.document, "memory_stats/limit"), 8192);
        ASSERT_INT(number_at(box.document, "pids_stats/current"), 3);
        ASSERT_INT(number_at(box.document, "networks/eth0/rx_bytes"), 5);
        ASSERT_INT(number_at(box.document, "networks/eth0/tx_dropped"), 6);
}

TEST(what_another_run_used_does_not_count) {
        _cleanup_(box_done) Box box;

        box_init(&box, true);
        box.before.generation = 1;
        box.before.cgroup.cpu_total = 50;
        box_write(&box, &box.before);
        ASSERT_STR(json_member_string(box.document, "preread"), "0001-01-01T00:00:00Z");
        ASSERT_INT(number_at(box.document, "precpu_stats/cpu_usage/total_usage"), 0);
}

TEST(processors) {
        uint64_t ticks;
        int64_t online;

        stats_parse_processors("cpu  1 2 3 4 5 6 7 100 100 100\ncpu0 9\ncpu3 9\nintr 5\n", &ticks,
                               &online);
        ASSERT_INT(ticks, 28);
        ASSERT_INT(online, 2);
        stats_parse_processors("", &ticks, &online);
        ASSERT_INT(ticks, 0);
        ASSERT_INT(online, 0);
}

TEST_MAIN()
