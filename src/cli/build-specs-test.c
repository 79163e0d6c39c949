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

static char *output(const char *text) {
        OutputSpec spec = {};
        _cleanup_free_ char *names = NULL;
        Error err = {};
        char *made;

        if (output_spec_parse(text, &spec, &err) < 0)
                return str_copy(err.message);
        names = strv_join(spec.names, "+");
        made = str_format("%s|%s|%s", spec.type, spec.dest ?: "", names ?: "");
        output_spec_done(&spec);
        return made;
}

static char *context(const char *text) {
        ContextSpec spec = {};
        Error err = {};
        char *made;

        if (context_spec_parse(text, &spec, &err) < 0)
                return str_copy(err.message);
        made = str_format("%s|%s|%s|%s", spec.name, spec.image ?: "", spec.url ?: "",
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
        ASSERT_SPEC(output, "type=docker", "docker||");
        ASSERT_SPEC(output, "type=docker,dest=x", "docker|x|");
        ASSERT_SPEC(output, "type=image,\"name=a,b:1\",push=false", "image||a+b:1");
        ASSERT_SPEC(output, "type=image,name=", "image||");
        ASSERT_SPEC(output, "type=image,dest=x",
                    "invalid output 'type=image,dest=x': type=image has no dest: type=oci or "
                    "type=docker has one");
        ASSERT_SPEC(output, "type=image,push=true",
                    "invalid output 'type=image,push=true': push=true is not done: build with a "
                    "tag, then push that");
        ASSERT_SPEC(output, "type=oci,tar=false,dest=x",
                    "invalid output 'type=oci,tar=false,dest=x': tar=false is not done: unpack the "
                    "archive");
        ASSERT_SPEC(output, "type=registry",
                    "invalid output 'type=registry': type=registry is not done: build with a tag, "
                    "then push that");
        ASSERT_SPEC(output, "type=tar",
                    "invalid output 'type=tar': dest is missing: dest=PATH, or "
                    "dest=-");
        ASSERT_SPEC(output, "type=local",
                    "invalid output 'type=local': dest is missing: dest=PATH");
        ASSERT_SPEC(output, "type=local,dest=-",
                    "invalid output 'type=local,dest=-': dest cannot be stdout for a directory: "
                    "type=tar");
        ASSERT_SPEC(output, "type=x",
                    "invalid output 'type=x': type is x: local, tar, oci, docker or image");
        ASSERT_SPEC(output, "dest=x",
                    "invalid output 'dest=x': type is missing: local, tar, oci, docker or image");
        ASSERT_SPEC(output, "type=oci,dest=x,compression=zstd",
                    "invalid output 'type=oci,dest=x,compression=zstd': compression=zstd is not "
                    "done: outputs have type, dest and name");
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
        ASSERT_SPEC(context, "a=oci-layout://x",
                    "invalid context value 'a=oci-layout://x': not done: load the image, and give "
                    "it as docker-image://NAME");
        ASSERT_SPEC(context, "a=https://h/r.git#main",
                    "invalid context value 'a=https://h/r.git#main': 'https://h/r.git#main': a "
                    "repository of git as a context is not done: clone it, and give the directory");
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
                    "invalid cache 'type=inline': type=inline is read as type=registry,ref=IMAGE");
        ASSERT_SPEC(to, "type=inline,mode=max",
                    "invalid cache 'type=inline,mode=max': mode=max is not done: an image has its "
                    "own layers only: type=registry has those of all stages");
        ASSERT_SPEC(to, "type=registry", "invalid cache 'type=registry': ref is missing: ref=NAME");
        ASSERT_SPEC(from, "type=local",
                    "invalid cache 'type=local': src is missing: src=DIRECTORY");
        ASSERT_SPEC(to, "type=local,src=x",
                    "invalid cache 'type=local,src=x': src=x is not done: a cache has type, ref, "
                    "src or dest, tag, digest, mode and ignore-error");
        ASSERT_SPEC(to, "type=gha",
                    "invalid cache 'type=gha': type=gha is not done: registry, local or inline");
        ASSERT_SPEC(to, "mode=max",
                    "invalid cache 'mode=max': type is missing: registry, local or inline");
        ASSERT_SPEC(to, "type=registry,ref=a,mode=some",
                    "invalid cache 'type=registry,ref=a,mode=some': mode is some: min or max");
        ASSERT_SPEC(to, "type=local,dest=x,ref=a",
                    "invalid cache 'type=local,dest=x,ref=a': ref is for type=registry");
        ASSERT_SPEC(to, "type=registry,ref=a,oci-mediatypes=false",
                    "invalid cache 'type=registry,ref=a,oci-mediatypes=false': "
                    "oci-mediatypes=false is not done: the cache is an OCI image manifest: leave "
                    "it out");
        ASSERT_SPEC(from, "type=registry,ref=A:B:C",
                    "invalid cache 'type=registry,ref=A:B:C': invalid reference format: "
                    "repository name (library/A:B) must be lowercase");
}

TEST(addresses) {
        ASSERT(is_git_address("git@github.com:a/b.git"));
        ASSERT(is_git_address("github.com/a/b"));
        ASSERT(is_git_address("https://h/a.git#v1:dir"));
        ASSERT(!is_git_address("https://h/a.tar.gz"));
        ASSERT(!is_git_address("dir/a.git"));
        ASSERT(is_web_address("http://h/x") && !is_web_address("httpd"));
}

TEST(annotations) {
        Pairs pairs = {};
        Error err = {};

        ASSERT_OK(annotation_parse("org.x.title=a=b", &pairs, &err), &err);
        ASSERT_OK(annotation_parse("manifest:k=v", &pairs, &err), &err);
        ASSERT_STR(pairs_get(&pairs, "org.x.title"), "a=b");
        ASSERT_STR(pairs_get(&pairs, "k"), "v");
        ASSERT(annotation_parse("index:k=v", &pairs, &err) < 0);
        ASSERT(annotation_parse("manifest[linux/amd64]:k=v", &pairs, &err) < 0);
        ASSERT(annotation_parse("k", &pairs, &err) < 0);
        ASSERT_STR(err.message, "invalid annotation \"k\": expected key=value");
        pairs_done(&pairs);
}

TEST_MAIN()
