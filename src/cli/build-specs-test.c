/* build-specs-test.c: --secret, --ssh, --output, --build-context, --annotation. */
#include "base/test.h"
#include "cli/build-specs.h"

static char *secret(const char *text) {
        SecretSpec spec = {};
        Error err = {};
        char *made;

        if (secret_spec_parse(text, &spec, &err) < 0)
                return str_copy(err.message);
        made = str_format("%s|%s|%s", spec.id, spec.path ?: "", spec.env ?: "");
        secret_spec_done(&spec);
        return made;
}

static char *ssh(const char *text) {
        SshSpec spec = {};
        Error err = {};
        char *made;

        if (ssh_spec_parse(text, &spec, &err) < 0)
                return str_copy(err.message);
        made = str_format("%s|%s", spec.id, spec.path ?: "");
        ssh_spec_done(&spec);
        return made;
}

static void list_annotations(Buf *text, const JsonArray *list) {
        const BuildAnnotation *annotations = list->items;

        for (size_t i = 0; i < list->count; i++) {
                const char *platform = annotations[i].platform;

                buf_format(text, "|%s%s%s%s %s=%s", annotations[i].of, platform ? "[" : "",
                           platform ?: "", platform ? "]" : "", annotations[i].key,
                           annotations[i].value);
        }
}

static char *output(const char *text) {
        OutputSpec spec = {};
        _cleanup_free_ char *names = NULL;
        Buf text_of = {};
        Error err = {};

        if (output_spec_parse(text, &spec, &err) < 0)
                return str_copy(err.message);
        names = strv_join(spec.names, "+");
        buf_format(&text_of, "%s|%s|%s", spec.type, spec.dest ?: "", names ?: "");
        if (spec.push)
                buf_add_str(&text_of, spec.by_digest ? "|push by digest" : "|push");
        if (spec.layout)
                buf_add_str(&text_of, "|layout");
        if (spec.canonical)
                buf_add_str(&text_of, "|canonical");
        if (spec.compression)
                buf_format(&text_of, "|%s", spec.compression);
        if (spec.has_level)
                buf_format(&text_of, "|%lld", (long long)spec.level);
        if (spec.force_compression || spec.docker_media_types)
                buf_format(&text_of, "|force %d docker %d", spec.force_compression,
                           spec.docker_media_types);
        list_annotations(&text_of, &spec.annotations);
        output_spec_done(&spec);
        return buf_take(&text_of);
}

static char *context(const char *text) {
        ContextSpec spec = {};
        Error err = {};
        char *made;

        if (context_spec_parse(text, &spec, &err) < 0)
                return str_copy(err.message);
        made = spec.layout ? str_format("%s|%s|%s|%s", spec.name, spec.layout, spec.tag ?: "",
                                        spec.digest ?: "")
                           : str_format("%s|%s|%s|%s", spec.name, spec.image ?: "", spec.url ?: "",
                                        spec.path ?: "");
        context_spec_done(&spec);
        return made;
}

static char *cache(const char *text, bool to) {
        CacheSpec spec = {};
        Error err = {};
        char *made;

        if (cache_spec_parse(text, to, &spec, &err) < 0)
                return str_copy(err.message);
        made = str_format("%s|%s|%s|%s|%s|%s%s", spec.type, spec.ref ?: "", spec.path ?: "",
                          spec.tag ?: "", spec.digest ?: "", spec.max ? "max" : "min",
                          spec.ignore_error ? "|ignore" : "");
        cache_spec_done(&spec);
        return made;
}

static char *from(const char *text) {
        return cache(text, false);
}

static char *to(const char *text) {
        return cache(text, true);
}

#define ASSERT_SPEC(make, text, expected)                                                          \
        do {                                                                                       \
                _cleanup_free_ char *made_ = make(text);                                           \
                ASSERT_STR(made_, expected);                                                       \
        } while (0)

TEST(secrets) {
        ASSERT_SPEC(secret, "id=a,src=/b", "a|/b|");
        ASSERT_SPEC(secret, "src=b,ID=a", "a|b|");
        ASSERT_SPEC(secret, "id=a,source=b=c", "a|b=c|");
        ASSERT_SPEC(secret, "id=a,env=B", "a||B");
        ASSERT_SPEC(secret, "type=env,id=a,src=B", "a||B");
        ASSERT_SPEC(secret, "type=file,id=a,src=B", "a|B|");
        ASSERT_SPEC(secret, "id=a", "a||");
        ASSERT_SPEC(secret, "id=a,\"src=b,c\"", "a|b,c|");
        ASSERT_SPEC(secret, "src=/b", "invalid secret 'src=/b': an id is missing: id=NAME");
        ASSERT_SPEC(secret, "a", "invalid secret 'a': invalid field 'a' must be a key=value pair");
        ASSERT_SPEC(secret, "id=a,mode=1",
                    "invalid secret 'id=a,mode=1': unexpected key 'mode' in 'mode=1'");
        ASSERT_SPEC(secret, "id=a,type=x",
                    "invalid secret 'id=a,type=x': unsupported secret type \"x\": file or env");
        ASSERT_SPEC(secret, "id=a,src=b,env=C",
                    "invalid secret 'id=a,src=b,env=C': both src and env are given: a secret is a "
                    "file or a variable");
        ASSERT_SPEC(secret, "", "invalid secret '': an id is missing: id=NAME");
}

TEST(agents) {
        ASSERT_SPEC(ssh, "default", "default|");
        ASSERT_SPEC(ssh, "default=", "default|");
        ASSERT_SPEC(ssh, "work=/run/agent.1", "work|/run/agent.1");
        ASSERT_SPEC(ssh, "", "invalid ssh agent '': write default, or ID=SOCKET");
        ASSERT_SPEC(ssh, "a=/b,/c",
                    "invalid ssh agent 'a=/b,/c': several keys for one id are not done: add them "
                    "to an agent with ssh-add and give its socket");
}

TEST(outputs) {
        ASSERT_SPEC(output, "out", "local|out|");
        ASSERT_SPEC(output, "-", "tar|-|");
        ASSERT_SPEC(output, "type=local,dest=out", "local|out|");
        ASSERT_SPEC(output, "type=tar,dest=-", "tar|-|");
        ASSERT_SPEC(output, "dest=a.tar,type=oci", "oci|a.tar|");
        ASSERT_SPEC(output, "type=oci,tar=true,dest=x", "oci|x|");
        ASSERT_SPEC(output, "type=docker", "image||");
        ASSERT_SPEC(output, "type=docker,dest=x", "docker|x|");
        ASSERT_SPEC(output, "type=image,\"name=a,b:1\",push=false", "image||a+b:1");
        ASSERT_SPEC(output, "type=image,name=", "image||");
        ASSERT_SPEC(output, "type=image,push=true", "image|||push");
        ASSERT_SPEC(output, "type=registry,name=h:1/a", "image||h:1/a|push");
        ASSERT_SPEC(output, "type=registry,push=false", "image||");
        ASSERT_SPEC(output, "type=cacheonly", "cacheonly||");
        ASSERT_SPEC(output, "type=oci,dest=x,compression=zstd,compression-level=22",
                    "oci|x||zstd|22");
        ASSERT_SPEC(output, "type=image,compression-level=0,force-compression=true",
                    "image|||0|force 1 docker 0");
        ASSERT_SPEC(output,
                    "type=image,oci-mediatypes=false,unpack=true,store=true,rewrite-timestamp=true",
                    "image|||force 0 docker 1");
        ASSERT_SPEC(output, "type=oci,tar=false,dest=x", "oci|x||layout");
        ASSERT_SPEC(output, "type=docker,tar=true,dest=x", "docker|x|");
        /* BuildKit ignores it, too. */
        ASSERT_SPEC(output, "type=image,compression=uncompressed,compression-level=99",
                    "image|||uncompressed|99");
        ASSERT_SPEC(output, "type=registry,name=r/x,push-by-digest=true,name-canonical=true",
                    "image||r/x|push by digest|canonical");
        ASSERT_SPEC(output, "type=docker,dest=x,annotation.a.b=c,annotation-manifest.d=e=f",
                    "docker|x||manifest a.b=c|manifest d=e=f");
}

#define ASSERT_OUTPUT_REFUSED(text, why)                                                           \
        ASSERT_SPEC(output, text, "invalid output '" text "': " why)

TEST(outputs_refused) {
        ASSERT_OUTPUT_REFUSED("type=image,dest=x",
                              "type=image has no dest: type=oci or type=docker has one");
        ASSERT_OUTPUT_REFUSED("type=cacheonly,dest=x",
                              "type=cacheonly has no dest: type=oci or type=docker has one");
        ASSERT_OUTPUT_REFUSED("type=oci,tar=false", "dest is missing: dest=PATH");
        ASSERT_OUTPUT_REFUSED("type=docker,tar=false", "type=docker without dest has no tar");
        ASSERT_OUTPUT_REFUSED("type=oci,tar=false,dest=-",
                              "dest cannot be stdout for a directory: tar=true");
        ASSERT_OUTPUT_REFUSED("type=tar", "dest is missing: dest=PATH, or dest=-");
        ASSERT_OUTPUT_REFUSED("type=local", "dest is missing: dest=PATH");
        ASSERT_OUTPUT_REFUSED("type=local,dest=-",
                              "dest cannot be stdout for a directory: type=tar");
        ASSERT_OUTPUT_REFUSED("type=x",
                              "type is x: local, tar, oci, docker, image, registry or cacheonly");
        ASSERT_OUTPUT_REFUSED(
                "dest=x", "type is missing: local, tar, oci, docker, image, registry or cacheonly");
        ASSERT_OUTPUT_REFUSED("type=tar,dest=x,compression=zstd", "type=tar has no compression");
        ASSERT_OUTPUT_REFUSED("type=local,dest=x,annotation.a=b", "type=local has no annotation.a");
        ASSERT_OUTPUT_REFUSED("type=oci,dest=x,push=true", "type=oci with dest has no push");
        ASSERT_OUTPUT_REFUSED("type=image,tar=true", "type=image without dest has no tar");
        ASSERT_OUTPUT_REFUSED("type=cacheonly,name=a", "type=cacheonly has no name");
        ASSERT_OUTPUT_REFUSED("type=image,compression=xz",
                              "invalid compression 'xz': gzip, zstd or uncompressed");
        ASSERT_OUTPUT_REFUSED("type=image,compression=estargz",
                              "compression=estargz is not done: gzip, zstd or uncompressed");
        ASSERT_OUTPUT_REFUSED("type=image,compression-level=10",
                              "compression-level=10: gzip has 0 to 9");
        ASSERT_OUTPUT_REFUSED("type=image,compression=zstd,compression-level=-1",
                              "compression-level=-1: zstd has 0 to 22");
        ASSERT_OUTPUT_REFUSED("type=image,push=perhaps", "invalid value for push: perhaps");
        ASSERT_OUTPUT_REFUSED("type=oci,dest=x,push-by-digest=true",
                              "type=oci with dest has no push-by-digest");
        ASSERT_OUTPUT_REFUSED("type=image,push-by-digest=maybe",
                              "invalid value for push-by-digest: maybe");
        ASSERT_OUTPUT_REFUSED("type=image,annotation-layer.a=b",
                              "unknown annotation type \"layer\": manifest, manifest-descriptor, "
                              "index or index-descriptor");
        ASSERT_OUTPUT_REFUSED("type=image,annotation[linux.a=b",
                              "invalid annotation type \"manifest[linux\", expected type and "
                              "optional platform in square brackets");
        ASSERT_OUTPUT_REFUSED("type=image,annotation-index.=b",
                              "annotation-index.=b: write annotation.KEY=VALUE, "
                              "annotation-OF.KEY=VALUE or annotation-OF[PLATFORM].KEY=VALUE");
        ASSERT_OUTPUT_REFUSED("type=image,annotations.a=b",
                              "annotations.a=b: write annotation.KEY=VALUE, "
                              "annotation-OF.KEY=VALUE or annotation-OF[PLATFORM].KEY=VALUE");
        ASSERT_OUTPUT_REFUSED(
                "type=image,colour=red",
                "colour=red is not done: outputs have type, dest, name, push, push-by-digest, "
                "name-canonical, compression, compression-level, force-compression, "
                "oci-mediatypes, rewrite-timestamp, store, "
                "unpack, tar, annotation.KEY");
}

TEST(contexts) {
        ASSERT_SPEC(context, "a=docker-image://busybox:1", "a|busybox:1||");
        ASSERT_SPEC(context, "a=https://h/x.tar", "a||https://h/x.tar|");
        ASSERT_SPEC(context, "a=../b=c", "a|||../b=c");
        ASSERT_SPEC(context, "a", "invalid context value 'a': expected key=value");
        ASSERT_SPEC(context, "=a", "invalid context value '=a': expected key=value");
        ASSERT_SPEC(context, "a=docker-image://",
                    "invalid context value 'a=docker-image://': docker-image:// is not followed by "
                    "a name");
        ASSERT_SPEC(context, "a=target:x",
                    "invalid context value 'a=target:x': not done: that is for docker bake: name a "
                    "stage in the Dockerfile");
        ASSERT_SPEC(context, "a=https://h/r.git#main", "a||https://h/r.git#main|");
        ASSERT_SPEC(context, "a=git@h:r", "a||git@h:r|");
        ASSERT_SPEC(context, "a=ssh://h/r#--x",
                    "invalid context value 'a=ssh://h/r#--x': invalid git ref '--x': it begins "
                    "with '-'");
}

#define HEX "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

TEST(layouts) {
        ASSERT_SPEC(context, "a=oci-layout://x", "a|x||");
        ASSERT_SPEC(context, "a=oci-layout:///x/y:v1.0", "a|/x/y|v1.0|");
        ASSERT_SPEC(context, "a=oci-layout://x@sha256:" HEX, "a|x||sha256:" HEX);
        ASSERT_SPEC(context, "a=oci-layout://x:v1@sha256:" HEX, "a|x|v1|sha256:" HEX);
        /* What is neither a tag nor a digest belongs to the path. */
        ASSERT_SPEC(context, "a=oci-layout://x:y/z", "a|x:y/z||");
        ASSERT_SPEC(context, "a=oci-layout://x:1:2", "a|x:1|2|");
        ASSERT_SPEC(context, "a=oci-layout://x:", "a|x:||");
        ASSERT_SPEC(context, "a=oci-layout://x@y:z", "a|x@y|z|");
        ASSERT_SPEC(context, "a=oci-layout://",
                    "invalid context value 'a=oci-layout://': oci-layout:// is not followed by a "
                    "directory");
        ASSERT_SPEC(context, "a=oci-layout://:v1",
                    "invalid context value 'a=oci-layout://:v1': oci-layout:// is not followed by "
                    "a directory");
        ASSERT_SPEC(context, "a=oci-layout://x@sha256:12",
                    "invalid context value 'a=oci-layout://x@sha256:12': 'sha256:12' is no digest: "
                    "sha256: and 64 hexadecimal digits");
}

TEST(caches) {
        ASSERT_SPEC(from, "busybox", "registry|busybox||||min");
        ASSERT_SPEC(to, "h:5000/a:b", "registry|h:5000/a:b||||min");
        ASSERT_SPEC(to, "type=registry,ref=a,mode=max,image-manifest=true,oci-mediatypes=1",
                    "registry|a||||max");
        ASSERT_SPEC(to, "type=registry,ref=a,ignore-error=true,compression=gzip",
                    "registry|a||||min|ignore");
        ASSERT_SPEC(to, "TYPE=local,dest=a b,tag=c", "local||a b|c||min");
        ASSERT_SPEC(from, "type=local,src=x,digest=y", "local||x||y|min");
        ASSERT_SPEC(to, "type=inline", "inline|||||min");
        ASSERT_SPEC(from, "type=inline",
                    "invalid --cache-from 'type=inline': type=inline is read as "
                    "type=registry,ref=IMAGE");
        ASSERT_SPEC(
                to, "type=inline,mode=max",
                "invalid --cache-to 'type=inline,mode=max': mode=max is not done: an image has its "
                "own layers only: type=registry has those of all stages");
        ASSERT_SPEC(to, "type=registry",
                    "invalid --cache-to 'type=registry': ref is missing: ref=NAME");
        ASSERT_SPEC(from, "type=local",
                    "invalid --cache-from 'type=local': src is missing: src=DIRECTORY");
        ASSERT_SPEC(
                to, "type=local,src=x",
                "invalid --cache-to 'type=local,src=x': src=x is not done: a cache has type, ref, "
                "src or dest, tag, digest, mode and ignore-error");
        ASSERT_SPEC(to, "type=gha",
                    "invalid --cache-to 'type=gha': type=gha is not done: type=registry,ref=NAME, "
                    "type=local,dest=DIRECTORY or type=inline");
        ASSERT_SPEC(to, "mode=max",
                    "invalid --cache-to 'mode=max': type is missing: type=registry,ref=NAME, "
                    "type=local,dest=DIRECTORY or type=inline");
        ASSERT_SPEC(to, "type=s3,bucket=x",
                    "invalid --cache-to 'type=s3,bucket=x': type=s3 is not done: "
                    "type=registry,ref=NAME, "
                    "type=local,dest=DIRECTORY or type=inline");
        ASSERT_SPEC(from, "type=typo",
                    "invalid --cache-from 'type=typo': there is no type 'typo': "
                    "type=registry,ref=NAME or "
                    "type=local,src=DIRECTORY");
        ASSERT_SPEC(to, "type=registry,ref=a,mode=some",
                    "invalid --cache-to 'type=registry,ref=a,mode=some': mode is some: min or max");
        ASSERT_SPEC(to, "type=local,dest=x,ref=a",
                    "invalid --cache-to 'type=local,dest=x,ref=a': ref is for type=registry");
        ASSERT_SPEC(to, "type=registry,ref=a,oci-mediatypes=false",
                    "invalid --cache-to 'type=registry,ref=a,oci-mediatypes=false': "
                    "oci-mediatypes=false is not done: the cache is an OCI image manifest: leave "
                    "it out");
        ASSERT_SPEC(from, "type=registry,ref=A:B:C",
                    "invalid --cache-from 'type=registry,ref=A:B:C': invalid reference format: "
                    "repository name (library/A:B) must be lowercase");
}

TEST(addresses) {
        static const struct {
                const char *text;
                int expected;
        } cases[] = { { "git@github.com:a/b.git", 1 },
                      { "github.com/a/b", 1 },
                      { "https://h/a.git#v1:dir", 1 },
                      { "https://h/a.tar.gz", 0 },
                      { "dir/a.git", 0 },
                      { "/", 0 } };

        for (size_t i = 0; i < ELEMENTS(cases); i++)
                ASSERT_INT(is_git_address(cases[i].text, NULL), cases[i].expected);
        ASSERT(is_git_address("git://h/a#b..c", NULL) < 0);
        ASSERT(is_web_address("http://h/x") && !is_web_address("httpd"));
}

TEST(annotations) {
        static const struct {
                const char *text, *made;
        } cases[] = {
                { "org.x.title=a=b", "|manifest org.x.title=a=b" },
                { "manifest:k=", "|manifest k=" },
                { "index,manifest[linux/arm64]:k=a:b", "|index k=a:b|manifest[linux/arm64] k=a:b" },
                { "index-descriptor,manifest-descriptor:k:l=v",
                  "|index-descriptor k:l=v|manifest-descriptor k:l=v" },
        };
        static const struct {
                const char *text, *error;
        } refused[] = {
                { "k", "invalid annotation \"k\": expected key=value" },
                { "index:=v", "invalid annotation \"index:=v\": expected key=value" },
                { "org.x:k=v",
                  "invalid annotation \"org.x:k=v\": unknown annotation type \"org.x\": manifest, "
                  "manifest-descriptor, index or index-descriptor" },
                { ":k=v", "invalid annotation \":k=v\": unknown annotation type \"\": manifest, "
                          "manifest-descriptor, index or index-descriptor" },
                { "manifest[]:k=v",
                  "invalid annotation \"manifest[]:k=v\": invalid annotation type \"manifest[]\", "
                  "expected type and optional platform in square brackets" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                JsonArray list = {};
                Buf text = {};
                Error err = {};

                ASSERT_OK(annotation_parse(cases[i].text, &list, &err), &err);
                list_annotations(&text, &list);
                ASSERT_STR(text.data, cases[i].made);
                buf_done(&text);
                build_annotations_done(&list);
        }
        for (size_t i = 0; i < ELEMENTS(refused); i++) {
                JsonArray list = {};
                Error err = {};

                ASSERT(annotation_parse(refused[i].text, &list, &err) < 0);
                ASSERT_STR(err.message, refused[i].error);
                build_annotations_done(&list);
        }
}

TEST_MAIN()
