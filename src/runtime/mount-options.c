/* mount-options.c: the words of a mount's options: attributes of the mount, propagation, kinds of
 * bind; what is none of these belongs to the file system. runtime-spec 1.3, config.md "Linux mount
 * options". */
#include <sys/mount.h>

#include "os/mount.h"
#include "runtime/private.h"

typedef enum OptionKind { ATTRIBUTE, PROPAGATION, BIND, COPY_UP, IDMAP, IGNORED } OptionKind;

typedef struct Option {
        const char *name; /* with "r" before it: recursive (attributes and propagation) */
        OptionKind kind;
        uint64_t set, clear;
} Option;

static const Option options[] = {
        { "ro", ATTRIBUTE, MOUNT_ATTR_RDONLY, 0 },
        { "rw", ATTRIBUTE, 0, MOUNT_ATTR_RDONLY },
        { "nosuid", ATTRIBUTE, MOUNT_ATTR_NOSUID, 0 },
        { "suid", ATTRIBUTE, 0, MOUNT_ATTR_NOSUID },
        { "nodev", ATTRIBUTE, MOUNT_ATTR_NODEV, 0 },
        { "dev", ATTRIBUTE, 0, MOUNT_ATTR_NODEV },
        { "noexec", ATTRIBUTE, MOUNT_ATTR_NOEXEC, 0 },
        { "exec", ATTRIBUTE, 0, MOUNT_ATTR_NOEXEC },
        { "noatime", ATTRIBUTE, MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME },
        { "atime", ATTRIBUTE, 0, MOUNT_ATTR__ATIME },
        { "relatime", ATTRIBUTE, 0, MOUNT_ATTR__ATIME },
        { "norelatime", ATTRIBUTE, 0, MOUNT_ATTR__ATIME },
        { "strictatime", ATTRIBUTE, MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME },
        { "nostrictatime", ATTRIBUTE, 0, MOUNT_ATTR__ATIME },
        { "nodiratime", ATTRIBUTE, MOUNT_ATTR_NODIRATIME, 0 },
        { "diratime", ATTRIBUTE, 0, MOUNT_ATTR_NODIRATIME },
        { "nosymfollow", ATTRIBUTE, MOUNT_ATTR_NOSYMFOLLOW, 0 },
        { "symfollow", ATTRIBUTE, 0, MOUNT_ATTR_NOSYMFOLLOW },
        { "private", PROPAGATION, MS_PRIVATE, 0 },
        { "shared", PROPAGATION, MS_SHARED, 0 },
        { "slave", PROPAGATION, MS_SLAVE, 0 },
        { "unbindable", PROPAGATION, MS_UNBINDABLE, 0 },
        { "bind", BIND, false, 0 },
        { "rbind", BIND, true, 0 },
        { "defaults", IGNORED, 0, 0 },
        { "remount", IGNORED, 0, 0 },
        { "silent", IGNORED, 0, 0 },
        { "loud", IGNORED, 0, 0 },
        { "iversion", IGNORED, 0, 0 },
        { "noiversion", IGNORED, 0, 0 },
        { "tmpcopyup", COPY_UP, 0, 0 },
        { "idmap", IDMAP, false, 0 },
        { "ridmap", IDMAP, true, 0 },
};

static const Option *find(const char *name) {
        for (size_t i = 0; i < ELEMENTS(options); i++)
                if (str_equal(options[i].name, name))
                        return &options[i];
        return NULL;
}

/* "rro" is recursive "ro"; "ro" and "rw" are themselves, though they start with "r". */
static const Option *find_recursive(const char *name, bool *ret_recursive) {
        const Option *option = find(name);

        *ret_recursive = false;
        if (option || name[0] != 'r')
                return option;
        option = find(name + 1);
        *ret_recursive = true;
        return option && (option->kind == ATTRIBUTE || option->kind == PROPAGATION) ? option : NULL;
}

char **mount_option_list(void) {
        char **list = NULL;

        for (size_t i = 0; i < ELEMENTS(options); i++) {
                _cleanup_free_ char *recursive = str_format("r%s", options[i].name);

                strv_add(&list, options[i].name);
                if (options[i].kind == ATTRIBUTE || options[i].kind == PROPAGATION)
                        strv_add(&list, recursive);
        }
        return list;
}

bool propagation_parse(const char *word, uint64_t *ret, bool *ret_recursive) {
        const Option *option = find_recursive(word, ret_recursive);

        if (!option || option->kind != PROPAGATION)
                return false;
        *ret = option->set;
        return true;
}

/* A later word overrides an earlier one. */
static void add_attribute(const Option *option, uint64_t *set, uint64_t *clear) {
        *set = (*set & ~option->clear) | option->set;
        *clear = (*clear & ~(option->set & ~MOUNT_ATTR__ATIME)) | option->clear;
}

static int add(const OciMount *mount, const char *word, MountOptions *ret, Error *err) {
        bool recursive;
        const Option *option = find_recursive(word, &recursive);

        if (!option) {
                if (!str_empty(word))
                        strv_add(&ret->data, word);
                return 0;
        }
        switch (option->kind) {
        case ATTRIBUTE:
                add_attribute(option, recursive ? &ret->recursive_set : &ret->set,
                              recursive ? &ret->recursive_clear : &ret->clear);
                break;
        case PROPAGATION:
                ret->propagation = option->set;
                ret->propagation_recursive = recursive;
                break;
        case BIND:
                ret->bind = true;
                ret->recursive = option->set;
                break;
        case IDMAP:
                ret->map_ids = true;
                ret->map_recursive = option->set;
                break;
        case COPY_UP:
                if (!str_equal(mount->type, "tmpfs"))
                        return error_kind(err, ERROR_INVALID,
                                          "mount '%s': option '%s' is for a tmpfs",
                                          mount->destination, word);
                ret->copy_up = true;
                break;
        case IGNORED:
                break;
        }
        return 0;
}

int mount_options_parse(const OciMount *mount, MountOptions *ret, Error *err) {
        int r = 0;

        ret->bind = str_equal(mount->type, "bind");
        /* The document should say the option, too, for runtimes that know no mappings. */
        ret->map_ids = mount->uid_mappings.count + mount->gid_mappings.count > 0;
        for (char **word = mount->options; r == 0 && word && *word; word++)
                r = add(mount, *word, ret, err);
        if (r == 0 && ret->copy_up && ret->bind)
                r = error_kind(err, ERROR_INVALID,
                               "mount '%s': option 'tmpcopyup' is for a tmpfs, not for a bind",
                               mount->destination);
        return r;
}

void mount_options_done(MountOptions *mount_options) {
        mount_options->data = strv_free(mount_options->data);
}
