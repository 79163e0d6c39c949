/* network-map-test.c: the map of two answers of the API, in each form. */
#include "base/test.h"
#include "cli/cli.h"
#include "cli/network-map.h"

static const char networks_text[] =
        "[{\"Id\":\"2\",\"Name\":\"front\",\"Driver\":\"bridge\",\"Internal\":false,"
        "\"IPAM\":{\"Config\":[{\"Subnet\":\"172.28.0.0/16\",\"Gateway\":\"172.28.0.1\"},"
        "{\"Subnet\":\"fd00:28::/64\"}]},"
        "\"Options\":{\"com.docker.network.bridge.name\":\"mybr0\"}},"
        "{\"Id\":\"1\",\"Name\":\"back\",\"Driver\":\"bridge\",\"Internal\":true,\"IPAM\":{},"
        "\"Options\":{}},"
        "{\"Id\":\"3\",\"Name\":\"<b>&\",\"Driver\":\"macvlan\",\"Options\":{\"parent\":\"eth0."
        "50\"}}"
        "]";
static const char containers_text[] =
        "[{\"Id\":\"b\",\"Names\":[\"/web\"],\"Image\":\"nginx\",\"Ports\":["
        "{\"IP\":\"0.0.0.0\",\"PrivatePort\":80,\"PublicPort\":8080,\"Type\":\"tcp\"},"
        "{\"IP\":\"::\",\"PrivatePort\":80,\"PublicPort\":8080,\"Type\":\"tcp\"},"
        "{\"PrivatePort\":9000,\"Type\":\"udp\"}],\"NetworkSettings\":{\"Networks\":{"
        "\"front\":{\"IPAddress\":\"172.28.0.2\",\"GlobalIPv6Address\":\"fd00:28::2\"},"
        "\"back\":{\"IPAddress\":\"10.0.0.2\",\"GlobalIPv6Address\":\"\"}}}},"
        "{\"Id\":\"a\",\"Names\":[\"/db\"],\"Image\":\"\\u001b[31m\",\"NetworkSettings\":{"
        "\"Networks\":{\"back\":{\"IPAddress\":\"10.0.0.3\"}}}},"
        "{\"Id\":\"c\",\"Names\":[\"/alone\"],\"Image\":\"x\"}]";

static void read_example(NetworkMap *map, bool joined_only) {
        _cleanup_json_ json_object *networks = json_tokener_parse(networks_text);
        _cleanup_json_ json_object *containers = json_tokener_parse(containers_text);

        network_map_read(networks, containers, joined_only, map);
}

TEST(text) {
        _cleanup_(network_map_done) NetworkMap map;
        _cleanup_buf_ Buf out = {};

        read_example(&map, false);
        network_map_text(&map, &out);
        ASSERT_STR(out.data,
                   "<b>&  (macvlan eth0.50)\n"
                   "\n"
                   "back  (bridge, internal)\n"
                   "├─ db   10.0.0.3\n"
                   "└─ web  10.0.0.2  0.0.0.0:8080 → 80/tcp, [::]:8080 → 80/tcp  also on front\n"
                   "\n"
                   "front  (bridge mybr0)  172.28.0.0/16 via 172.28.0.1, fd00:28::/64\n"
                   "└─ web  172.28.0.2  fd00:28::2  0.0.0.0:8080 → 80/tcp, [::]:8080 → 80/tcp"
                   "  also on back\n");
}

TEST(json) {
        _cleanup_(network_map_done) NetworkMap map;
        _cleanup_buf_ Buf out = {};
        _cleanup_json_ json_object *parsed = NULL;
        json_object *back;

        read_example(&map, false);
        network_map_json(&map, &out);
        parsed = json_tokener_parse(out.data);
        ASSERT_INT(json_object_array_length(parsed), 3);
        back = json_object_array_get_idx(parsed, 1);
        ASSERT_STR(json_words(back, "Name"), "back");
        ASSERT(json_truth(back, "Internal"));
        ASSERT_INT(json_object_array_length(json_member(back, "Containers")), 2);
}

static const char policies_text[] =
        "{\"Containers\":[{\"Name\":\"alone\"},"
        "{\"Name\":\"db\",\"Ingress\":[\"shop/db\",\"shop/<x>\"],\"Egress\":[\"shop/db\"]},"
        "{\"Name\":\"gone\",\"Ingress\":[\"a/b\"]},{\"Name\":\"web\"}],\"Pairs\":["
        "{\"From\":\"alone\",\"To\":\"web\",\"Apart\":true},"
        "{\"From\":\"db\",\"To\":\"db\",\"All\":true},{\"From\":\"db\",\"To\":\"web\"},"
        "{\"From\":\"gone\",\"To\":\"db\",\"All\":true},"
        "{\"From\":\"web\",\"To\":\"alone\",\"All\":true},{\"From\":\"web\",\"To\":\"db\","
        "\"Ports\":["
        "{\"Protocol\":\"tcp\",\"Port\":80,\"EndPort\":80},"
        "{\"Protocol\":\"tcp\",\"Port\":90,\"EndPort\":99}]}]}";

static void read_judged(NetworkMap *map) {
        _cleanup_json_ json_object *table = json_tokener_parse(policies_text);

        read_example(map, false);
        network_map_read_policies(table, map);
}

TEST(policies) {
        _cleanup_(network_map_done) NetworkMap map;
        _cleanup_buf_ Buf text = {}, drawing = {}, json = {};
        _cleanup_json_ json_object *parsed = NULL;
        json_object *places, *peers;

        read_judged(&map);
        network_map_text(&map, &text);
        ASSERT_STR(strstr(text.data, "\nSelected"),
                   "\nSelected by policies\n"
                   "└─ db  ingress by shop/db, shop/<x>  egress by shop/db\n"
                   "\nWhat they leave between containers\n"
                   "└─ web → db  tcp/80,90-99\n");
        network_map_svg(&map, &drawing);
        ASSERT(strstr(drawing.data, "class=\"box judged\"><title>ingress by shop/db, "
                                    "shop/&lt;x&gt;; egress by shop/db</title>"));
        ASSERT(strstr(drawing.data, ">web → db tcp/80,90-99<title>"));
        network_map_json(&map, &json);
        parsed = json_tokener_parse(json.data);
        places = json_member(json_object_array_get_idx(parsed, 1), "Containers");
        peers = json_member(json_member(json_object_array_get_idx(places, 0), "Ingress"),
                            "Containers");
        ASSERT_STR(json_words(json_object_array_get_idx(peers, 0), "Name"), "web");
        ASSERT(!json_member(json_object_array_get_idx(places, 1), "Ingress"));
}

/* What a name may hold is text in the drawing, never markup; and XML has no control characters. */
TEST(drawing) {
        _cleanup_(network_map_done) NetworkMap map;
        _cleanup_buf_ Buf out = {};

        read_example(&map, false);
        network_map_html(&map, &out);
        ASSERT(strstr(out.data, "&lt;b&gt;&amp;"));
        ASSERT(!strstr(out.data, "<b>"));
        ASSERT(!strchr(out.data, '\x1b'));
        ASSERT(strstr(out.data, ">fd00:28::2</text>"));
        ASSERT(strstr(out.data, ">alone<title>"));
        ASSERT(strstr(out.data, "stroke-dasharray")); /* back is internal */
        ASSERT(str_ends(out.data, "</svg>\n</div></body></html>\n"));
}

TEST(of_certain_networks) {
        _cleanup_(network_map_done) NetworkMap map;

        read_example(&map, true);
        ASSERT_INT(map.container_count, 2);
}

TEST(of_nothing) {
        _cleanup_(network_map_done) NetworkMap map;
        _cleanup_buf_ Buf text = {}, drawing = {};

        network_map_read(NULL, NULL, false, &map);
        network_map_text(&map, &text);
        network_map_svg(&map, &drawing);
        ASSERT_INT(text.length, 0);
        ASSERT(str_after(drawing.data, "<svg "));
}

TEST_MAIN()
