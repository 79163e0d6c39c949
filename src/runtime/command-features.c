/* command-features.c: features prints what this runtime understands, as runtime-spec features.md
 * and features-linux.md have it. The lists come from the tables that do the work. */
#include "runtime/cli.h"
#include "runtime/private.h"
#include "runtime/seccomp.h"

static const char *const hooks[] = { "prestart",       "createRuntime", "createContainer",
                                     "startContainer", "poststart",     "poststop" };

static void add_texts(Buf *to, const char *name, const char *const *texts, size_t count) {
        buf_format(to, "\"%s\":[", name);
        for (size_t i = 0; i < count; i++) {
                buf_add_str(to, i ? "," : "");
                json_add_quoted(to, texts[i]);
        }
        buf_add_char(to, ']');
}

static void add_strv(Buf *to, const char *name, char *const *texts) {
        add_texts(to, name, (const char *const *)texts, strv_length(texts));
}

static void add_namespaces(Buf *to) {
        const char *names[NAMESPACE_COUNT];

        for (size_t i = 0; i < NAMESPACE_COUNT; i++)
                names[i] = namespace_types[i].name;
        add_texts(to, "namespaces", names, NAMESPACE_COUNT);
}

static void add_capabilities(Buf *to) {
        _cleanup_strv_ char **names = capability_list();

        add_strv(to, "capabilities", names);
}

static void add_mount_options(Buf *to) {
        _cleanup_strv_ char **names = mount_option_list();

        add_strv(to, "mountOptions", names);
}

static void add_seccomp(Buf *to) {
        _cleanup_strv_ char **actions = seccomp_action_list(),
                            **operators = seccomp_operator_list(), **flags = seccomp_flag_list(),
                            **archs = seccomp_arch_list();

        buf_add_str(to, "\"seccomp\":{\"enabled\":true,");
        add_strv(to, "actions", actions);
        buf_add_char(to, ',');
        add_strv(to, "operators", operators);
        buf_add_char(to, ',');
        add_strv(to, "archs", archs);
        buf_add_char(to, ',');
        add_strv(to, "knownFlags", flags);
        buf_add_char(to, ',');
        add_strv(to, "supportedFlags", flags);
        buf_add_str(to, "},");
}

static void add_linux(Buf *to) {
        buf_add_str(to, "\"linux\":{");
        add_namespaces(to);
        buf_add_char(to, ',');
        add_capabilities(to);
        buf_add_str(to, ",\"cgroup\":{\"v1\":true,\"v2\":true,\"systemd\":true,"
                        "\"systemdUser\":false,\"rdma\":false},");
        add_seccomp(to);
        buf_add_str(to, "\"apparmor\":{\"enabled\":true},\"selinux\":{\"enabled\":false},"
                        "\"intelRdt\":{\"enabled\":false},"
                        "\"mountExtensions\":{\"idmap\":{\"enabled\":true}},"
                        "\"netDevices\":{\"enabled\":false}}");
}

static int run_features(const Options *options, char **words, Error *err) {
        _cleanup_buf_ Buf text = {};
        _cleanup_json_ json_object *object = NULL;
        int r;

        (void)options;
        (void)words;
        buf_add_str(&text, "{\"ociVersionMin\":\"1.0.0\",\"ociVersionMax\":\"" SPEC_VERSION "\",");
        add_texts(&text, "hooks", hooks, ELEMENTS(hooks));
        buf_add_char(&text, ',');
        add_mount_options(&text);
        buf_add_char(&text, ',');
        add_linux(&text);
        buf_add_str(&text, ",\"annotations\":{\"brig.version\":\"" BRIG_VERSION "\"},"
                           "\"potentiallyUnsafeConfigAnnotations\":[]}");
        r = json_parse_any(text.data, text.length, &object, err);
        if (r == 0)
                (void)puts(json_object_to_json_string_ext(
                        object, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
                                        JSON_C_TO_STRING_NOSLASHESCAPE));
        return r;
}

const Command command_features = { "features",  "", "print what this runtime understands",
                                   0,           0,  NULL,
                                   run_features };
