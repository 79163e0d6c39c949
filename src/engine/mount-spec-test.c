/* mount-spec-test.c: -v, --mount, --tmpfs and --volumes-from in Docker's grammar. */
#include <json.h>

#include "base/test.h"
#include "engine/mount-spec.h"

static void point_done(MountPoint *point) {
        json_done(&mount_point_table, point);
}
#define POINT(name) _cleanup_(point_done) MountPoint name = { 0 }

TEST(binds) {
        POINT(bind);
        POINT(read_only);
        Error err = { 0 };
        ASSERT_OK(mount_parse_bind("/src/../a//b:/x/", &bind, &err), &err);
        ASSERT_STR(bind.type, "bind");
        ASSERT_STR(bind.source, "/a/b");
        ASSERT_STR(bind.destination, "/x");
        ASSERT_STR(bind.propagation, "rprivate");
        ASSERT(bind.rw);
        ASSERT_OK(mount_parse_bind("/a:/x:ro,rslave,z", &read_only, &err), &err);
        ASSERT(!read_only.rw);
        ASSERT_STR(read_only.propagation, "rslave");
        ASSERT_STR(read_only.mode, "ro,rslave,z");
}

TEST(owners_are_mapped_as_asked) {
        static const struct {
                const char *text, *words;
        } refused[] = {
                { "/a:/x:idmap=", "both are needed" },
                { "/a:/x:idmap=uids=0-1-1", "both are needed" },
                { "/a:/x:idmap=uids=0-1-1;gids=", "invalid mount option" },
                { "/a:/x:idmap=uids=0-1;gids=0-1-1", "0-1:" },
                { "/a:/x:idmap=uids=0-1-0;gids=0-1-1", "0-1-0" },
                { "/a:/x:idmap=uids=0-4294967295-1;gids=0-1-1", "0-4294967295-1" },
                { "/a:/x:idmap=uids=0-1-1;uids=5-6-1;gids=0-1-1", "twice" },
                { "/a:/x:idmap=uids=@0-1-1;gids=0-1-1", "relative" },
                { "/a:/x:idmap=nonsense", "nonsense" },
                { "/a:/x:idmap,idmap", "invalid mode" },
                { "/a:/x:idmapped", "invalid mode" },
        };
        POINT(own);
        POINT(given);
        Error err = { 0 };
        ASSERT_OK(mount_parse_bind("data:/x:idmap", &own, &err), &err);
        ASSERT_STR(own.idmap, "idmap");
        ASSERT_OK(mount_parse_bind("/a:/x:ro,idmap=uids=1000-0-1#0-1-1000;gids=5-6-7,z", &given,
                                   &err),
                  &err);
        ASSERT_STR(given.idmap, "idmap=uids=1000-0-1#0-1-1000;gids=5-6-7");
        ASSERT(!given.rw);
        for (size_t i = 0; i < ELEMENTS(refused); i++) {
                POINT(point);

                ASSERT(mount_parse_bind(refused[i].text, &point, &err) < 0);
                ASSERT_INT(err.kind, ERROR_INVALID);
                ASSERT(strstr(err.message, refused[i].words));
        }
}

TEST(read_only_below) {
        MountBindOptions options = { .read_only_non_recursive = true };
        const MountSpec spec = { .type = (char *)"bind",
                                 .source = (char *)"/a",
                                 .target = (char *)"/x",
                                 .read_only = true,
                                 .bind = &options };
        POINT(either);
        POINT(both);
        Error err = { 0 };
        ASSERT_OK(mount_parse_spec(&spec, &either, &err), &err);
        ASSERT(!either.rw);
        options.read_only_force_recursive = true;
        ASSERT(mount_parse_spec(&spec, &both, &err) < 0);
        ASSERT_INT(err.kind, ERROR_INVALID);
        ASSERT(strstr(err.message, "ReadOnlyNonRecursive && ReadOnlyForceRecursive"));
}

TEST(volumes) {
        POINT(named);
        POINT(anonymous);
        Error err = { 0 };
        ASSERT_OK(mount_parse_bind("data:/x:nocopy", &named, &err), &err);
        ASSERT_STR(named.type, "volume");
        ASSERT_STR(named.name, "data");
        ASSERT(named.no_copy);
        ASSERT_OK(mount_parse_bind("/x", &anonymous, &err), &err);
        ASSERT(!anonymous.name);
}

TEST(binds_refused) {
        static const struct {
                const char *text, *words;
        } cases[] = {
                { "", "invalid volume specification: ''" },
                { ":/x", "invalid volume specification: ':/x'" },
                { "/a:/b:ro:more", "invalid volume specification: '/a:/b:ro:more'" },
                { "/a:ro", "invalid volume specification: '/a:ro'" },
                { "/a:/x:nonsense", "invalid mode: nonsense" },
                { "/a:/x:ro,rw", "invalid mode: ro,rw" },
                { "/x:relative",
                  "invalid volume specification: '/x:relative': invalid mount config for type "
                  "\"bind\": invalid mount path: 'relative' mount path must be absolute" },
                { "/a:/..",
                  "invalid volume specification: '/a:/..': invalid mount config for type \"bind\": "
                  "invalid specification: destination can't be '/'" },
        };
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                POINT(point);
                Error err = { 0 };
                ASSERT(mount_parse_bind(cases[i].text, &point, &err) < 0);
                ASSERT_STR(err.message, cases[i].words);
                ASSERT_INT(err.kind, ERROR_INVALID);
        }
}

TEST(specs) {
        POINT(tmpfs);
        POINT(more);
        POINT(unknown);
        POINT(without);
        POINT(wrong);
        Error err = { 0 };
        MountTmpfsOptions options = { .size_bytes = 4096, .mode = 01777 };
        MountSpec spec = { .type = (char *)"tmpfs", .target = (char *)"/t", .tmpfs = &options };
        ASSERT_OK(mount_parse_spec(&spec, &tmpfs, &err), &err);
        ASSERT_STR(tmpfs.options[0], "size=4096");
        ASSERT_STR(tmpfs.options[1], "mode=1777");
        options.options = json_tokener_parse("[[\"exec\"],[\"nr_inodes\",\"100\"]]");
        ASSERT_OK(mount_parse_spec(&spec, &more, &err), &err);
        ASSERT_STR(more.options[2], "exec");
        ASSERT_STR(more.options[3], "nr_inodes=100");
        json_object_put(options.options);
        options.options = json_tokener_parse("[[\"upperdir\",\"/\"]]");
        ASSERT(mount_parse_spec(&spec, &unknown, &err) < 0);
        json_object_put(options.options);
        options.options = json_tokener_parse("[[]]");
        ASSERT(mount_parse_spec(&spec, &without, &err) < 0);
        json_object_put(options.options);
        options.options = NULL;
        spec.type = (char *)"nonsense";
        ASSERT(mount_parse_spec(&spec, &wrong, &err) < 0);
        ASSERT_STR(err.message, "invalid mount config for type \"nonsense\": mount type unknown");
        spec.type = (char *)"bind";
        ASSERT(mount_parse_spec(&spec, &wrong, &err) < 0);
        ASSERT_STR(err.message,
                   "invalid mount config for type \"bind\": field Source must not be empty");
}

static bool is_refused(const MountSpec *spec, const char *words) {
        POINT(point);
        Error err = { 0 };

        return mount_parse_spec(spec, &point, &err) < 0 && strstr(err.message, words);
}

TEST(images) {
        POINT(point);
        Error err = { 0 };
        MountImageOptions options = { .subpath = (char *)"etc/ssl" };
        MountVolumeOptions volume = { 0 };
        MountSpec spec = { .type = (char *)"image",
                           .source = (char *)"busybox",
                           .target = (char *)"/x/",
                           .image = &options };

        ASSERT_OK(mount_parse_spec(&spec, &point, &err), &err);
        ASSERT_STR(point.image_name, "busybox");
        ASSERT_STR(point.subpath, "etc/ssl");
        ASSERT(!point.rw && !point.name);
        options.subpath = (char *)"etc/../../x";
        ASSERT(is_refused(&spec, "subpath must be a relative path within the image"));
        spec.volume = &volume;
        ASSERT(is_refused(&spec, "field VolumeOptions must not be specified"));
        spec = (MountSpec){ .type = (char *)"bind",
                            .target = (char *)"/x",
                            .source = (char *)"/y",
                            .image = &options };
        ASSERT(is_refused(&spec, "field ImageOptions must not be specified"));
}

TEST(tmpfs_and_from) {
        POINT(point);
        POINT(wrong);
        Error err = { 0 };
        bool read_only;
        ASSERT_OK(mount_parse_tmpfs("/t", "size=1m,exec", &point, &err), &err);
        ASSERT_INT(strv_length(point.options), 2);
        ASSERT(mount_parse_tmpfs("/t", "nonsense", &wrong, &err) < 0);
        _cleanup_free_ char *ref = NULL;
        ASSERT_OK(mount_parse_from("box:ro", &ref, &read_only, &err), &err);
        ASSERT_STR(ref, "box");
        ASSERT(read_only);
}

TEST_MAIN()
