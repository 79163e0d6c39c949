/* stages.c: see stages.h. */
#include <strings.h>
#include <sys/utsname.h>

#include "build/stages.h"
#include "build/words.h"

/* ---- names ---- */

char *name_nearest(const char *name, char *const *names) {
        char *best = NULL;
        unsigned least = 3;

        for (; names && *names; names++) {
                _cleanup_free_ char *other = str_copy_n(*names, strcspn(*names, "="));
                /* A distance takes the product of the lengths. */
                unsigned distance = strlen(name) < 256 && strlen(other) < 256
                                            ? str_distance(name, other)
                                            : least;

                if (distance == 0) {
                        free(best);
                        return NULL;
                }
                if (distance < least) {
                        least = distance;
                        str_replace(&best, other);
                }
        }
        return best;
}

char *name_hint(const char *name, char *const *names) {
        _cleanup_free_ char *best = name_nearest(name, names);

        return best ? str_format(" (did you mean %s?)", best) : str_copy("");
}

int target_error(const char *target, char *const *names, Error *err) {
        _cleanup_free_ char *hint = name_hint(target, names);

        return error_kind(err, ERROR_INVALID, "target stage \"%.200s\" could not be found%s",
                          target, hint);
}

/* ---- platforms ---- */

/* Names that users and machines have for an architecture; variant NULL: the one that is written. */
static const struct {
        const char *name, *architecture, *variant;
} architectures[] = {
        { "i386", "386", "" },     { "i686", "386", "" },      { "x86_64", "amd64", "" },
        { "x86-64", "amd64", "" }, { "aarch64", "arm64", "" }, { "armhf", "arm", "v7" },
        { "armv7l", "arm", "v7" }, { "armel", "arm", "v6" },   { "armv6l", "arm", "v6" },
};

/* Variants that an architecture's name alone stands for, and those without their 'v'. */
static const struct {
        const char *architecture, *written, *variant;
} variants[] = {
        { "amd64", "v1", "" }, { "arm64", "8", "" }, { "arm64", "v8", "" }, { "arm", "", "v7" },
        { "arm", "5", "v5" },  { "arm", "6", "v6" }, { "arm", "7", "v7" },  { "arm", "8", "v8" },
};

static const char *const systems[] = { "linux",  "windows", "darwin", "freebsd",
                                       "netbsd", "openbsd", "solaris" };

/* architecture, and with it variant where the name implies one. */
static void name_architecture(const char **architecture, const char **variant) {
        for (size_t i = 0; i < ELEMENTS(architectures); i++)
                if (!strcasecmp(architectures[i].name, *architecture)) {
                        *architecture = architectures[i].architecture;
                        *variant = **variant ? *variant : architectures[i].variant;
                        break;
                }
        for (size_t i = 0; i < ELEMENTS(variants); i++)
                if (!strcmp(variants[i].architecture, *architecture) &&
                    !strcmp(variants[i].written, *variant)) {
                        *variant = variants[i].variant;
                        break;
                }
}

static bool is_system(const char *name) {
        size_t i = 0;

        while (i < ELEMENTS(systems) && strcasecmp(systems[i], name) != 0)
                i++;
        return i < ELEMENTS(systems);
}

static bool is_architecture(const char *name) {
        static const char *const known[] = { "386",      "amd64",   "arm",     "arm64", "loong64",
                                             "mips64le", "ppc64le", "riscv64", "s390x" };

        for (size_t i = 0; i < ELEMENTS(architectures); i++)
                if (!strcasecmp(architectures[i].name, name))
                        return true;
        for (size_t i = 0; i < ELEMENTS(known); i++)
                if (!strcasecmp(known[i], name))
                        return true;
        return false;
}

static bool is_component(const char *text) {
        static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                      "0123456789_.-";

        return *text && !text[strspn(text, allowed)];
}

static const char *machine_architecture(struct utsname *name) {
        return uname(name) == 0 ? name->machine : "x86_64";
}

int platform_normal(const char *text, char **ret, Error *err) {
        _cleanup_free_ char *lower = str_lower(str_copy(text));
        _cleanup_strv_ char **parts = str_split(lower, '/');
        size_t count = strv_length(parts);
        const char *os = "linux", *architecture, *variant = count == 3 ? parts[2] : "";
        struct utsname machine;
        bool fine = count >= 1 && count <= 3;

        for (size_t i = 0; i < count && fine; i++)
                fine = is_component(parts[i]);
        if (!fine || (count == 1 && !is_system(parts[0]) && !is_architecture(parts[0])))
                return error_kind(err, ERROR_INVALID,
                                  "\"%.200s\" is no platform: write os/architecture[/variant], as "
                                  "linux/arm64",
                                  text);
        if (count > 1 || is_system(parts[0]))
                os = parts[0];
        architecture = count > 1             ? parts[1]
                       : is_system(parts[0]) ? machine_architecture(&machine)
                                             : parts[0];
        name_architecture(&architecture, &variant);
        *ret = str_format("%s/%s%s%s", os, architecture, *variant ? "/" : "", variant);
        return 0;
}

char *platform_machine(void) {
        struct utsname machine;
        const char *architecture = machine_architecture(&machine), *variant = "";

        name_architecture(&architecture, &variant);
        return str_format("linux/%s%s%s", architecture, *variant ? "/" : "", variant);
}

/* ---- arguments ---- */

static void put_platform(char ***env, const char *side, const char *platform) {
        _cleanup_strv_ char **parts = str_split(platform, '/');
        static const char *const names[] = { "OS", "ARCH", "VARIANT", "OSVERSION" };
        _cleanup_free_ char *whole = str_format("%sPLATFORM", side);
        size_t count = strv_length(parts);

        env_put(env, whole, platform);
        for (size_t i = 0; i < ELEMENTS(names); i++) {
                _cleanup_free_ char *name = str_format("%s%s", side, names[i]);

                env_put(env, name, i < MIN(count, 3u) ? parts[i] : "");
        }
}

void platform_args_put(char ***env, const char *build, const char *target, const char *stage,
                       char *const *given) {
        put_platform(env, "BUILD", build);
        put_platform(env, "TARGET", target);
        env_put(env, "TARGETSTAGE", str_empty(stage) ? "default" : stage);
        for (char **slot = *env; given && *slot; slot++) {
                _cleanup_free_ char *name = str_copy_n(*slot, strcspn(*slot, "="));
                const char *value = env_get(given, name);

                if (value) {
                        free(*slot);
                        *slot = str_format("%s=%s", name, value);
                }
        }
}

static int put_args(const Dockerfile *file, const Instruction *arg, char *const *given, char ***env,
                    Error *err) {
        for (size_t k = 0; k + 1 < arg->word_count; k += 2) {
                const char *value = env_get(given, arg->words[k]);
                WordRules rules = { .escape = file->directives.escape, .env = *env };
                _cleanup_free_ char *made = NULL;
                Error why = {};

                if (!value && arg->has_value[k / 2]) {
                        if (word_expand(arg->words[k + 1], &rules, &made, &why) < 0)
                                return dockerfile_error(file, arg->at, err, "%s", why.message);
                        value = made;
                }
                if (value)
                        env_put(env, arg->words[k], value);
        }
        return 0;
}

int global_args_put(const Dockerfile *file, char *const *given, char ***env, Error *err) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < file->count; i++) {
                if (file->instructions[i].kind == INSTRUCTION_FROM)
                        break;
                if (file->instructions[i].kind == INSTRUCTION_ARG)
                        r = put_args(file, &file->instructions[i], given, env, err);
        }
        return r;
}
