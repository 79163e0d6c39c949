/* seccomp-document.c: Docker's form of a seccomp profile: rules may hold for some capabilities,
 * architectures or kernels only. They are sorted out here; what is left is runtime-spec's form. */
#include <stdio.h>
#include <sys/utsname.h>

#include "engine/ocispec.h"
#include "engine/seccomp.h"

typedef struct Condition {
        char **caps, **arches, *min_kernel;
} Condition;

typedef struct Rule {
        char **names, *name, *action;
        int64_t *errno_ret;
        JsonArray args; /* of OciSeccompArg */
        Condition includes, excludes;
} Rule;

typedef struct ArchMap {
        char *architecture;
        char **sub;
} ArchMap;

typedef struct Profile {
        char *default_action;
        int64_t *default_errno_ret;
        char **architectures, **flags;
        JsonArray arch_map, rules;
} Profile;

static const JsonField condition_fields[] = {
        JSON_FIELD(Condition, "caps", JSON_STRINGS, caps, 0),
        JSON_FIELD(Condition, "arches", JSON_STRINGS, arches, 0),
        JSON_FIELD(Condition, "minKernel", JSON_STRING, min_kernel, 0),
};
static const JsonTable condition_table = JSON_TABLE(Condition, "condition", condition_fields);

static const JsonField arg_fields[] = {
        JSON_FIELD(OciSeccompArg, "index", JSON_INT, index, 0),
        JSON_FIELD(OciSeccompArg, "value", JSON_UINT, value, 0),
        JSON_FIELD(OciSeccompArg, "valueTwo", JSON_UINT, value_two, 0),
        JSON_FIELD(OciSeccompArg, "op", JSON_STRING, op, JSON_REQUIRED),
};
static const JsonTable arg_table = JSON_TABLE(OciSeccompArg, "arg", arg_fields);

static const JsonField rule_fields[] = {
        JSON_FIELD(Rule, "names", JSON_STRINGS, names, 0),
        JSON_FIELD(Rule, "name", JSON_STRING, name, 0),
        JSON_FIELD(Rule, "action", JSON_STRING, action, JSON_REQUIRED),
        JSON_FIELD(Rule, "errnoRet", JSON_MAYBE_INT, errno_ret, 0),
        JSON_NESTED(Rule, "args", JSON_ARRAY, args, 0, &arg_table),
        JSON_NESTED(Rule, "includes", JSON_INLINE, includes, 0, &condition_table),
        JSON_NESTED(Rule, "excludes", JSON_INLINE, excludes, 0, &condition_table),
};
static const JsonTable rule_table = JSON_TABLE(Rule, "syscalls", rule_fields);

static const JsonField arch_map_fields[] = {
        JSON_FIELD(ArchMap, "architecture", JSON_STRING, architecture, 0),
        JSON_FIELD(ArchMap, "subArchitectures", JSON_STRINGS, sub, 0),
};
static const JsonTable arch_map_table = JSON_TABLE(ArchMap, "archMap", arch_map_fields);

static const JsonField profile_fields[] = {
        JSON_FIELD(Profile, "defaultAction", JSON_STRING, default_action, JSON_REQUIRED),
        JSON_FIELD(Profile, "defaultErrnoRet", JSON_MAYBE_INT, default_errno_ret, 0),
        JSON_FIELD(Profile, "architectures", JSON_STRINGS, architectures, 0),
        JSON_FIELD(Profile, "flags", JSON_STRINGS, flags, 0),
        JSON_NESTED(Profile, "archMap", JSON_ARRAY, arch_map, 0, &arch_map_table),
        JSON_NESTED(Profile, "syscalls", JSON_ARRAY, rules, 0, &rule_table),
};
static const JsonTable profile_table = JSON_TABLE(Profile, "seccomp profile", profile_fields);

#if defined(__x86_64__)
static const char *const native[] = { "amd64", "x32", "x86" };
#define NATIVE_ARCH "SCMP_ARCH_X86_64"
#else
static const char *const native[] = { "arm64", "arm" };
#define NATIVE_ARCH "SCMP_ARCH_AARCH64"
#endif

static bool has_native(char *const *arches) {
        for (size_t i = 0; i < ELEMENTS(native); i++)
                if (strv_has(arches, native[i]))
                        return true;
        return false;
}

static bool has_all(char *const *list, char *const *wanted) {
        for (; wanted && *wanted; wanted++)
                if (!strv_has(list, *wanted))
                        return false;
        return true;
}

static bool has_any(char *const *list, char *const *wanted) {
        for (; wanted && *wanted; wanted++)
                if (strv_has(list, *wanted))
                        return true;
        return false;
}

/* "4.8" */
static bool kernel_is_at_least(const char *wanted) {
        struct utsname host;
        unsigned have_major = 0, have_minor = 0, major = 0, minor = 0;

        if (uname(&host) < 0 || sscanf(host.release, "%u.%u", &have_major, &have_minor) != 2 ||
            sscanf(wanted, "%u.%u", &major, &minor) != 2)
                return false;
        return have_major > major || (have_major == major && have_minor >= minor);
}

static bool applies(const Rule *rule, char *const *capabilities) {
        const Condition *in = &rule->includes, *out = &rule->excludes;

        if (out->arches && has_native(out->arches))
                return false;
        if (has_any(capabilities, out->caps))
                return false;
        if (!str_empty(out->min_kernel) && kernel_is_at_least(out->min_kernel))
                return false;
        if (in->arches && !has_native(in->arches))
                return false;
        if (!has_all(capabilities, in->caps))
                return false;
        return str_empty(in->min_kernel) || kernel_is_at_least(in->min_kernel);
}

static void add_rule(const Rule *rule, OciSeccomp *ret) {
        OciSyscall *item = json_append(&ret->syscalls, &oci_syscall_table);
        const OciSeccompArg *args = rule->args.items;

        item->action = str_copy(rule->action);
        item->names = strv_copy(rule->names);
        if (!str_empty(rule->name))
                strv_add(&item->names, rule->name);
        if (rule->errno_ret)
                item->errno_ret = PUT_INT(int64_t, *rule->errno_ret);
        for (size_t i = 0; i < rule->args.count; i++) {
                OciSeccompArg *arg = json_append(&item->args, &oci_seccomp_arg_table);

                *arg = args[i];
                arg->op = str_copy(args[i].op);
        }
}

static void add_architectures(const Profile *profile, OciSeccomp *ret) {
        const ArchMap *map = profile->arch_map.items;
        size_t count;

        ret->architectures = strv_copy(profile->architectures);
        count = strv_length(ret->architectures);
        for (size_t i = 0; i < profile->arch_map.count; i++) {
                if (!str_equal(map[i].architecture, NATIVE_ARCH))
                        continue;
                strv_take_at(&ret->architectures, count++, str_copy(map[i].architecture));
                for (char **sub = map[i].sub; sub && *sub; sub++)
                        strv_take_at(&ret->architectures, count++, str_copy(*sub));
        }
}

static void profile_done(Profile *profile) {
        json_done(&profile_table, profile);
}

int seccomp_document_read(const char *text, char *const *capabilities, OciSeccomp **ret,
                          Error *err) {
        _cleanup_(profile_done) Profile profile = { 0 };

        int r = json_parse(&profile_table, text, strlen(text), &profile, err);
        if (r < 0)
                return error_prefix(err, "Decoding seccomp profile failed");
        if (profile.architectures && profile.arch_map.count > 0)
                return error_kind(err, ERROR_INVALID,
                                  "'architectures' and 'archMap' were specified in the seccomp "
                                  "profile, use either 'architectures' or 'archMap'");
        OciSeccomp *result = NEW(OciSeccomp);
        result->default_action = str_copy(profile.default_action);
        if (profile.default_errno_ret)
                result->default_errno_ret = PUT_INT(int64_t, *profile.default_errno_ret);
        result->flags = strv_copy(profile.flags);
        add_architectures(&profile, result);
        const Rule *rules = profile.rules.items;
        for (size_t i = 0; i < profile.rules.count; i++)
                if (applies(&rules[i], capabilities))
                        add_rule(&rules[i], result);
        *ret = result;
        return 0;
}
