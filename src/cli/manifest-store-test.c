/* manifest-store-test.c: lists of manifests as files, under Docker's names, and JSON as Go indents
 * it. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/test.h"
#include "cli/manifest-store.h"

TEST(names) {
        _cleanup_free_ char *short_name = NULL, *digest = NULL, *wrong = NULL;
        const char *by_digest = "127.0.0.1:5000/x@sha256:"
                                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        Error err = {};

        ASSERT_OK(manifest_name("x", &short_name, NULL, &err), &err);
        ASSERT_STR(short_name, "docker.io/library/x:latest");
        ASSERT_OK(manifest_name(by_digest, &digest, NULL, &err), &err);
        ASSERT_STR(digest, by_digest);
        ASSERT(manifest_name("X", &wrong, NULL, &err) < 0);
}

TEST(a_list_is_files_under_docker_s_names) {
        char path[] = "/tmp/brig-manifest-XXXXXX";
        Cli cli = { .config_dir = path };
        _cleanup_json_ json_object *answer = NULL, *manifest = NULL, *read = NULL, *all = NULL;
        _cleanup_free_ char *file = NULL;
        const char *list = "docker.io/library/l:v1", *one = "127.0.0.1:5000/a/b:v2";
        const char *text = "{\"Ref\":\"127.0.0.1:5000/a/b:v2\",\"Descriptor\":{\"mediaType\":"
                           "\"application/vnd.oci.image.manifest.v1+json\"},\"Raw\":\"{}\"}";
        struct stat st;
        Error err = {};

        ASSERT(mkdtemp(path));
        ASSERT_OK(json_parse_any(text, strlen(text), &answer, &err), &err);
        manifest = manifest_of_answer(answer);
        ASSERT_STR(json_words(manifest, "Raw"), "e30=");
        ASSERT(json_member(manifest, "OCIManifest"));
        ASSERT(!manifest_list_exists(&cli, list));
        ASSERT_INT(manifest_load(&cli, list, one, &read, &err), -ENOENT);
        ASSERT_STR(err.message, "No such manifest: 127.0.0.1:5000/a/b:v2");
        ASSERT_OK(manifest_save(&cli, list, one, manifest, &err), &err);
        file = str_format("%s/manifests/docker.io_library_l-v1/127.0.0.1-5000_a_b-v2", path);
        ASSERT_INT(stat(file, &st), 0);
        ASSERT_OK(manifest_load(&cli, list, one, &read, &err), &err);
        ASSERT_STR(json_words(read, "Ref"), one);
        ASSERT_OK(manifest_load_all(&cli, list, &all, &err), &err);
        ASSERT_INT(json_object_array_length(all), 1);
        ASSERT_OK(manifest_drop(&cli, list, &err), &err);
        ASSERT(!manifest_list_exists(&cli, list));
        ASSERT(manifest_drop(&cli, list, &err) < 0);
        ASSERT_OK(dir_remove_at(AT_FDCWD, path, &err), &err);
}

TEST(json_is_indented_as_go_does_it) {
        static const struct {
                const char *text, *indented;
        } cases[] = {
                { "{}", "{}" },
                { "{\"a\":[1,{\"b\":\"x\\\",}\"}], \"c\":{ },\n\"d\":[]}",
                  "{\n\t\"a\": [\n\t\t1,\n\t\t{\n\t\t\t\"b\": "
                  "\"x\\\",}\"\n\t\t}\n\t],\n\t\"c\": {},\n\t\"d\": []\n}" },
                { "[true,null]", "[\n\ttrue,\n\tnull\n]" },
                { "[\"\x1b[31m\"]", "[\n\t\"\\u001b[31m\"\n]" },
                { "]", "]" },
                { "\"open", "\"open" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_buf_ Buf out = {};

                json_add_reindented(&out, cases[i].text, "\t");
                ASSERT_STR(out.data, cases[i].indented);
        }
}

TEST_MAIN()
