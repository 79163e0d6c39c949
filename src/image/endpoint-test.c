/* endpoint-test.c: where a registry is looked for, and what counts as insecure. */
#include "base/test.h"
#include "image/endpoint.h"

TEST(insecure_registries) {
        char *listed[] = { (char *)"10.1.0.0/16", (char *)"reg.example:5000",
                           (char *)"plain.example", (char *)"fd00::/8", NULL };

        ASSERT(registry_is_insecure("127.0.0.1:5000", NULL));
        ASSERT(registry_is_insecure("127.9.9.9", NULL));
        ASSERT(registry_is_insecure("localhost:1", NULL));
        ASSERT(registry_is_insecure("[::1]:5000", NULL));
        ASSERT(registry_is_insecure("10.1.2.3:5000", listed));
        ASSERT(registry_is_insecure("reg.example:5000", listed));
        ASSERT(registry_is_insecure("plain.example:80", listed));
        ASSERT(registry_is_insecure("[fd12::1]:5000", listed));
        ASSERT(!registry_is_insecure("reg.example:5001", listed));
        ASSERT(!registry_is_insecure("10.2.0.1", listed));
        ASSERT(!registry_is_insecure("127.0.0.1.example", NULL));
        ASSERT(!registry_is_insecure("docker.io", listed));
}

static Endpoint *hosts(const char *registry, size_t *ret_count) {
        char *mirrors[] = { (char *)"https://mirror.example/", (char *)"http://plain.example/hub",
                            NULL };
        const EndpointOptions options = { .mirrors = mirrors };
        Endpoint *endpoints = NULL;

        if (endpoints_of(registry, &options, &endpoints, ret_count, NULL) < 0)
                abort();
        return endpoints;
}

TEST(order) {
        size_t count;
        Endpoint *endpoints = hosts("docker.io", &count);

        ASSERT_INT(count, 3);
        ASSERT_STR(endpoints[0].url, "https://mirror.example");
        ASSERT_STR(endpoints[0].path, "/v2");
        ASSERT(endpoints[0].mirror && !endpoints[0].insecure && !endpoints[0].lists_namespace);
        ASSERT(!(endpoints[0].can & HOST_PUSH));
        ASSERT_STR(endpoints[1].url, "http://plain.example");
        ASSERT_STR(endpoints[1].path, "/hub/v2");
        ASSERT_STR(endpoints[2].url, "https://registry-1.docker.io");
        ASSERT(!endpoints[2].mirror);
        (void)endpoints_free(endpoints, count);
        endpoints = hosts("127.0.0.1:5000", &count);
        ASSERT_INT(count, 2);
        ASSERT_STR(endpoints[0].url, "http://127.0.0.1:5000");
        (void)endpoints_free(endpoints, count);
        endpoints = hosts("quay.io", &count);
        ASSERT_INT(count, 1);
        ASSERT_STR(endpoints[0].url, "https://quay.io");
        ASSERT(!endpoints[0].insecure);
        (void)endpoints_free(endpoints, count);
}

TEST_MAIN()
