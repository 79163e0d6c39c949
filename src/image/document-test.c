/* document-test.c: manifests and indexes, what is refused, and the choice of a platform. */
#include "base/test.h"
#include "image/assembly.h"

#define HEX "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define BLOB(type) "{\"mediaType\":\"" type "\",\"digest\":\"sha256:" HEX "\",\"size\":3}"
#define MANIFEST(more)                                                                             \
        "{\"schemaVersion\":2,\"config\":" BLOB("c") ",\"layers\":[" BLOB("l") "]" more "}"

static int parse(const char *text, const char *type, Document *ret, Error *err) {
        return document_parse(text, strlen(text), type, ret, err);
}

TEST(a_manifest) {
        Document document = {};
        Error err = {};

        ASSERT_OK(parse(MANIFEST(""), MEDIA_OCI_MANIFEST, &document, &err), &err);
        ASSERT(!document.is_index);
        ASSERT_INT(document.manifest.layers.count, 1);
        document_done(&document);
}

TEST(what_is_refused) {
        static const struct {
                const char *text, *type, *reason;
        } cases[] = {
                { MANIFEST(",\"manifests\":[]"), NULL, "both layers and manifests" },
                { MANIFEST(""), MEDIA_OCI_INDEX, "belies" },
                { MANIFEST(",\"mediaType\":\"" MEDIA_DOCKER_LIST "\""), NULL, "belies" },
                { "{\"schemaVersion\":2,\"manifests\":[]}", MEDIA_DOCKER_MANIFEST, "belies" },
                { "{\"schemaVersion\":1,\"fsLayers\":[]}", NULL, "version 1" },
                { "{\"schemaVersion\":2}", NULL, "no image" },
                { "[]", NULL, "no image" },
                { "{", NULL, "JSON" },
                { "{\"schemaVersion\":2,\"config\":{\"digest\":\"md5:1\",\"size\":1},\"layers\":[]"
                  "}",
                  NULL, "sha256" },
                { "{\"schemaVersion\":2,\"config\":{\"digest\":\"sha256:" HEX
                  "\",\"size\":-1},\"layers\":[]}",
                  NULL, "negative" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                Document document = {};
                Error err = {};

                ASSERT(parse(cases[i].text, cases[i].type, &document, &err) < 0);
                if (!strstr(err.message, cases[i].reason))
                        printf("# %zu: %s\n", i, err.message);
                ASSERT(strstr(err.message, cases[i].reason));
        }
}

static const char *choose(const char *index_text, const char *platform_name) {
        static char chosen[8];
        Document document = {};
        ImagePlatform platform = {};
        const Descriptor *descriptor;

        if (platform_parse(platform_name, &platform, NULL) < 0 ||
            parse(index_text, MEDIA_OCI_INDEX, &document, NULL) < 0)
                return "error";
        descriptor = index_choose(&document.index, &platform);
        (void)snprintf(chosen, sizeof(chosen), "%.2s",
                       descriptor ? digest_hex(descriptor->digest) : "-");
        platform_done(&platform);
        document_done(&document);
        return chosen;
}

TEST(platforms) {
        /* Each digest has its number in the first two digits. */
        static const char *const offers[] = {
                "\"linux\",\"architecture\":\"amd64\"",
                "\"linux\",\"architecture\":\"arm\",\"variant\":\"v6\"",
                "\"linux\",\"architecture\":\"arm\",\"variant\":\"v7\"",
                "\"windows\",\"architecture\":\"amd64\"",
                "\"linux\",\"architecture\":\"arm64\",\"variant\":\"v8\"",
        };
        Buf text = {};
        _cleanup_free_ char *index = NULL;

        buf_add_str(&text, "{\"schemaVersion\":2,\"manifests\":[");
        for (size_t i = 0; i < ELEMENTS(offers); i++)
                buf_format(
                        &text,
                        "%s{\"digest\":\"sha256:%02zu%.62s\",\"size\":1,\"platform\":{\"os\":%s}}",
                        i ? "," : "", i + 1, HEX, offers[i]);
        buf_add_str(&text, "]}");
        index = buf_take(&text);
        ASSERT_STR(choose(index, "linux/amd64"), "01");
        ASSERT_STR(choose(index, "linux/x86_64"), "01");
        ASSERT_STR(choose(index, "amd64"), "01");
        ASSERT_STR(choose(index, "linux/arm/v7"), "03");
        ASSERT_STR(choose(index, "linux/arm/v6"), "02");
        ASSERT_STR(choose(index, "linux/arm/v5"), "-");
        ASSERT_STR(choose(index, "linux/arm64"), "05");
        ASSERT_STR(choose(index, "linux/s390x"), "-");
        ASSERT_STR(choose(index, "linux//v7"), "error");
        ASSERT_STR(choose(index, "a/b/c/d"), "error");
}

static bool fits(const char *wanted, const char *architecture, const char *variant) {
        const ImageConfig config = { .architecture = (char *)architecture,
                                     .variant = (char *)variant };
        ImagePlatform platform = {};
        bool r = platform_parse(wanted, &platform, NULL) == 0 && platform_fits(&config, &platform);

        platform_done(&platform);
        return r;
}

TEST(an_image_fits_the_variants_that_run_it) {
        ASSERT(fits("linux/arm/v7", "arm", "v7"));
        ASSERT(fits("linux/arm/v7", "arm", "v6"));
        ASSERT(!fits("linux/arm/v6", "arm", "v7"));
        ASSERT(fits("linux/arm/v6", "arm", NULL));
        ASSERT(fits("linux/arm/v6", "arm", ""));
        ASSERT(fits("linux/arm64", "arm64", "v8"));
        ASSERT(fits("linux/arm64", NULL, NULL));
        ASSERT(!fits("linux/arm64", "amd64", NULL));
        ASSERT(!fits("windows/amd64", "amd64", NULL));
}

TEST_MAIN()
