/* mount-spec.c: --mount and -v; see specs.h. */
#include <errno.h>
#include <unistd.h>

#include "base/id.h"
#include "cli/specs.h"
#include "cli/values.h"

/* ---- --mount ---- */

typedef struct MountKey {
        const char *name;
        const char *type; /* of the mount that may have it; NULL: any */
        int (*set)(MountSpec *mount, const char *value, Error *err);
} MountKey;

static int bad_value(const char *key, const char *value, Error *err) {
        return error_kind(err, ERROR_INVALID, "invalid value for %s: %s", key, value);
}

static MountBindOptions *bind_of(MountSpec *mount) {
        return mount->bind ?: (mount->bind = NEW(MountBindOptions));
}

static MountVolumeOptions *volume_of(MountSpec *mount) {
        return mount->volume ?: (mount->volume = NEW(MountVolumeOptions));
}

static MountTmpfsOptions *tmpfs_of(MountSpec *mount) {
        return mount->tmpfs ?: (mount->tmpfs = NEW(MountTmpfsOptions));
}

static MountImageOptions *image_of(MountSpec *mount) {
        return mount->image ?: (mount->image = NEW(MountImageOptions));
}

static MountDriverConfig *driver_of(MountSpec *mount) {
        MountVolumeOptions *volume = volume_of(mount);

        return volume->driver_config ?: (volume->driver_config = NEW(MountDriverConfig));
}

static void put_pair(Pairs *pairs, const char *text) {
        size_t length = strcspn(text, "=");
        _cleanup_free_ char *key = str_copy_n(text, length);

        pairs_put(pairs, key, text[length] ? text + length + 1 : "");
}

static int set_type(MountSpec *mount, const char *value, Error *err) {
        str_replace(&mount->type, value);
        (void)str_lower(mount->type);
        return 0;
}

static int set_source(MountSpec *mount, const char *value, Error *err) {
        _cleanup_free_ char *here = NULL;

        if (strncmp(value, "./", 2) != 0 && strncmp(value, "../", 3) != 0 &&
            !str_equal(value, ".") && !str_equal(value, "..")) {
                str_replace(&mount->source, value);
                return 0;
        }
        here = realpath(value, NULL);
        if (!here)
                return error_set(err, errno, "%s", value);
        str_replace(&mount->source, here);
        return 0;
}

static int set_target(MountSpec *mount, const char *value, Error *err) {
        str_replace(&mount->target, value);
        return 0;
}

static int set_readonly(MountSpec *mount, const char *value, Error *err) {
        return value_bool(&mount->read_only, value, NULL) < 0 ? bad_value("readonly", value, err)
                                                              : 0;
}

static int set_consistency(MountSpec *mount, const char *value, Error *err) {
        str_replace(&mount->consistency, value);
        return 0;
}

static int set_propagation(MountSpec *mount, const char *value, Error *err) {
        str_replace(&bind_of(mount)->propagation, value);
        return 0;
}

/* With its name, as -v has it. */
static int set_idmap(MountSpec *mount, const char *value, Error *err) {
        MountBindOptions *bind = bind_of(mount);

        free(bind->idmap);
        bind->idmap = *value ? str_format("idmap=%s", value) : str_copy("idmap");
        return 0;
}

static int set_create(MountSpec *mount, const char *value, Error *err) {
        return value_bool(&bind_of(mount)->create_mountpoint, value, NULL) < 0
                       ? bad_value("bind-create-src", value, err)
                       : 0;
}

static int set_recursive(MountSpec *mount, const char *value, Error *err) {
        MountBindOptions *bind = bind_of(mount);

        if (str_equal(value, "disabled"))
                bind->non_recursive = true;
        else if (str_equal(value, "writable"))
                bind->read_only_non_recursive = true;
        else if (str_equal(value, "readonly"))
                bind->read_only_force_recursive = true;
        else if (!str_equal(value, "enabled"))
                return error_kind(err, ERROR_INVALID,
                                  "invalid value for bind-recursive: %s (must be \"enabled\", "
                                  "\"disabled\", \"writable\", or \"readonly\")",
                                  value);
        return 0;
}

static int set_nocopy(MountSpec *mount, const char *value, Error *err) {
        return value_bool(&volume_of(mount)->no_copy, value, NULL) < 0
                       ? bad_value("volume-nocopy", value, err)
                       : 0;
}

static int set_subpath(MountSpec *mount, const char *value, Error *err) {
        str_replace(&volume_of(mount)->subpath, value);
        return 0;
}

static int set_image_subpath(MountSpec *mount, const char *value, Error *err) {
        str_replace(&image_of(mount)->subpath, value);
        return 0;
}

static int set_label(MountSpec *mount, const char *value, Error *err) {
        put_pair(&volume_of(mount)->labels, value);
        return 0;
}

static int set_driver(MountSpec *mount, const char *value, Error *err) {
        str_replace(&driver_of(mount)->name, value);
        return 0;
}

static int set_option(MountSpec *mount, const char *value, Error *err) {
        put_pair(&driver_of(mount)->options, value);
        return 0;
}

static int set_size(MountSpec *mount, const char *value, Error *err) {
        return str_to_size(value, &tmpfs_of(mount)->size_bytes) < 0
                       ? bad_value("tmpfs-size", value, err)
                       : 0;
}

static int set_mode(MountSpec *mount, const char *value, Error *err) {
        char *end;
        long mode = strtol(value, &end, 8);

        if (!*value || *end || mode < 0 || mode > 07777)
                return bad_value("tmpfs-mode", value, err);
        tmpfs_of(mount)->mode = mode;
        return 0;
}

static const MountKey keys[] = {
        { "type", NULL, set_type },
        { "source", NULL, set_source },
        { "src", NULL, set_source },
        { "target", NULL, set_target },
        { "dst", NULL, set_target },
        { "destination", NULL, set_target },
        { "readonly", NULL, set_readonly },
        { "ro", NULL, set_readonly },
        { "consistency", NULL, set_consistency },
        { "bind-propagation", "bind", set_propagation },
        { "bind-create-src", "bind", set_create },
        { "bind-recursive", "bind", set_recursive },
        { "idmap", "bind", set_idmap },
        { "volume-nocopy", "volume", set_nocopy },
        { "volume-subpath", "volume", set_subpath },
        { "volume-label", "volume", set_label },
        { "volume-driver", "volume", set_driver },
        { "volume-opt", "volume", set_option },
        { "image-subpath", "image", set_image_subpath },
        { "tmpfs-size", "tmpfs", set_size },
        { "tmpfs-mode", "tmpfs", set_mode },
};

static int set_key(MountSpec *mount, const char *field, Error *err) {
        size_t length = strcspn(field, "=");
        _cleanup_free_ char *name = str_lower(str_copy_n(field, length));
        const char *value = field[length] ? field + length + 1 : NULL;
        bool flag = str_equal(name, "readonly") || str_equal(name, "ro") ||
                    str_equal(name, "volume-nocopy") || str_equal(name, "bind-nonrecursive");

        if (!value && str_equal(name, "idmap"))
                value = "";
        if (!value && !flag)
                return error_kind(err, ERROR_INVALID, "invalid field '%s' must be a key=value pair",
                                  field);
        for (size_t i = 0; i < ELEMENTS(keys); i++)
                if (str_equal(keys[i].name, name))
                        return keys[i].set(mount, value ?: "true", err);
        return error_kind(err, ERROR_INVALID, "unexpected key '%s' in '%s'", name, field);
}

/* An option of one type used with another. */
static int check_mount(const MountSpec *mount, Error *err) {
        const struct {
                bool used;
                const char *type;
        } uses[] = { { mount->volume != NULL, "volume" },
                     { mount->bind != NULL, "bind" },
                     { mount->tmpfs != NULL, "tmpfs" },
                     { mount->image != NULL, "image" } };

        if (str_empty(mount->type))
                return error_kind(err, ERROR_INVALID, "type is required");
        if (str_empty(mount->target))
                return error_kind(err, ERROR_INVALID, "target is required");
        for (size_t i = 0; i < ELEMENTS(uses); i++)
                if (uses[i].used && !str_equal(mount->type, uses[i].type))
                        return error_kind(err, ERROR_INVALID,
                                          "cannot mix '%s-*' options with mount type '%s'",
                                          uses[i].type, mount->type);
        return 0;
}

char *csv_field(const char **text) {
        Buf field = {};
        const char *next = *text;
        bool quoted = *next == '"';

        if (!*next)
                return NULL;
        next += quoted;
        while (*next && (quoted || *next != ',')) {
                if (quoted && *next == '"') {
                        next++;
                        quoted = *next == '"'; /* two stand for one; else it was the closing one */
                        if (!quoted)
                                continue;
                }
                buf_add_char(&field, *next++);
        }
        *text = *next == ',' ? next + 1 : next;
        return buf_take(&field);
}

int mount_parse(void *member, const char *text, Error *err) {
        MountSpec mount = {};
        const char *rest = text;
        int r = 0;

        if (!*text)
                return error_kind(err, ERROR_INVALID, "EOF");
        mount.type = str_copy("volume");
        while (r == 0) {
                _cleanup_free_ char *field = csv_field(&rest);

                if (!field)
                        break;
                r = set_key(&mount, field, err);
        }
        if (r == 0)
                r = check_mount(&mount, err);
        if (r < 0) {
                json_done(&mount_spec_table, &mount);
                return r;
        }
        *(MountSpec *)json_append(member, &mount_spec_table) = mount;
        return 0;
}

/* ---- -v ---- */

/* ".", "./x", "../x" and "~" are paths; other names are volumes'. */
static bool is_relative_path(const char *source) {
        return str_equal(source, ".") || str_equal(source, "..") || strncmp(source, "./", 2) == 0 ||
               strncmp(source, "../", 3) == 0;
}

static char *absolute(const char *path) {
        _cleanup_free_ char *here = getcwd(NULL, 0);
        _cleanup_strv_ char **parts = str_split(path, '/');
        Buf out = {};

        buf_add_str(&out, here ?: "");
        for (char **part = parts; *part; part++) {
                char *slash;

                if (!**part || str_equal(*part, "."))
                        continue;
                if (!str_equal(*part, "..")) {
                        buf_format(&out, "/%s", *part);
                        continue;
                }
                slash = out.length ? strrchr(out.data, '/') : NULL;
                if (slash) {
                        out.length = (size_t)(slash - out.data);
                        *slash = '\0';
                }
        }
        if (out.length == 0)
                buf_add_char(&out, '/');
        return buf_take(&out);
}

int volume_parse(const char *text, char ***binds, char ***volumes, Error *err) {
        _cleanup_strv_ char **parts = str_split(text, ':');
        size_t count = strv_length(parts);
        _cleanup_free_ char *source = NULL;

        if (count == 0)
                return error_kind(err, ERROR_INVALID, "invalid empty volume spec");
        for (char **part = parts; *part; part++)
                if (!**part)
                        return error_kind(err, ERROR_INVALID,
                                          "invalid spec: %s: empty section between colons", text);
        if (count == 1) {
                strv_add(volumes, text);
                return 0;
        }
        if (!is_relative_path(parts[0])) {
                strv_add(binds, text);
                return 0;
        }
        source = absolute(parts[0]);
        strv_format(binds, "%s%s", source, strchr(text, ':'));
        return 0;
}
