/* security.c: --security-opt. Labels of SELinux are not set by brig; what Docker accepts on a host
 * without is accepted. */
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "engine/ocispec.h"

static int no_new_privileges(const char *value, SecurityOptions *ret, Error *err) {
        static const char *const yes[] = { "1", "t", "T", "true", "TRUE", "True" };
        static const char *const no[] = { "0", "f", "F", "false", "FALSE", "False" };

        for (size_t i = 0; i < ELEMENTS(yes); i++) {
                if (str_equal(value, yes[i]) || str_equal(value, no[i])) {
                        ret->no_new_privileges = str_equal(value, yes[i]);
                        return 0;
                }
        }
        return error_kind(err, ERROR_INVALID,
                          "invalid --security-opt: \"no-new-privileges=%s\": say true or false",
                          value);
}

static int seccomp(const char *value, SecurityOptions *ret, Error *err) {
        ret->unconfined = str_equal(value, "unconfined");
        ret->seccomp = ret->unconfined || str_equal(value, "builtin") ? NULL : value;
        ret->own_seccomp = true;
        return 0;
}

static int apparmor(const char *value, SecurityOptions *ret, Error *err) {
        ret->apparmor = str_empty(value) ? NULL : value;
        return 0;
}

static int label(const char *value, SecurityOptions *ret, Error *err) {
        return 0; /* without SELinux labels mean nothing, and Docker says nothing */
}

static int systempaths(const char *value, SecurityOptions *ret, Error *err) {
        if (!str_equal(value, "unconfined"))
                return error_kind(err, ERROR_INVALID,
                                  "invalid --security-opt: \"systempaths=%s\": say unconfined",
                                  value);
        ret->systempaths_unconfined = true;
        return 0;
}

static const struct {
        const char *name;
        int (*set)(const char *value, SecurityOptions *ret, Error *err);
} keys[] = {
        { "no-new-privileges", no_new_privileges },
        { "seccomp", seccomp },
        { "apparmor", apparmor },
        { "label", label },
        { "systempaths", systempaths },
};

static int parse_one(const char *option, SecurityOptions *ret, Error *err) {
        const char *separator = strchr(option, '=') ?: strchr(option, ':');

        if (str_equal(option, "no-new-privileges")) {
                ret->no_new_privileges = true;
                return 0;
        }
        if (str_equal(option, "disable"))
                return 0; /* of labels */
        if (!separator)
                return error_kind(err, ERROR_INVALID, "invalid --security-opt 1: \"%s\"", option);
        for (size_t i = 0; i < ELEMENTS(keys); i++)
                if (strlen(keys[i].name) == (size_t)(separator - option) &&
                    strncmp(keys[i].name, option, strlen(keys[i].name)) == 0)
                        return keys[i].set(separator + 1, ret, err);
        return error_kind(err, ERROR_INVALID, "invalid --security-opt 2: \"%s\"", option);
}

int security_parse(const ContainerDefaults *defaults, char *const *options, SecurityOptions *ret,
                   Error *err) {
        *ret = (SecurityOptions){ .no_new_privileges = defaults->no_new_privileges };
        if (defaults->seccomp) {
                (void)seccomp(defaults->seccomp, ret, err);
                ret->own_seccomp = false;
        }
        for (; options && *options; options++) {
                int r = parse_one(*options, ret, err);

                if (r < 0)
                        return r;
        }
        return 0;
}
