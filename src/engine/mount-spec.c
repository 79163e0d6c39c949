/* mount-spec.c: reads the words of -v, --mount and --tmpfs in Docker's grammar. mounts.c makes
 * mount points of them. */
#include "engine/mount-spec.h"

#include "engine/idmap-spec.h"

typedef enum ModeClass {
        MODE_ACCESS,
        MODE_LABEL,
        MODE_PROPAGATION,
        MODE_COPY,
        MODE_CONSISTENCY,
        MODE_IDMAP, /* up to a comma or the end of the mode */
        MODE_CLASSES
} ModeClass;

static const struct {
        const char *word;
        ModeClass class;
} modes[] = {
        { "rw", MODE_ACCESS },
        { "ro", MODE_ACCESS },
        { "z", MODE_LABEL },
        { "Z", MODE_LABEL },
        { "shared", MODE_PROPAGATION },
        { "rshared", MODE_PROPAGATION },
        { "slave", MODE_PROPAGATION },
        { "rslave", MODE_PROPAGATION },
        { "private", MODE_PROPAGATION },
        { "rprivate", MODE_PROPAGATION },
        { "nocopy", MODE_COPY },
        { "consistent", MODE_CONSISTENCY },
        { "cached", MODE_CONSISTENCY },
        { "delegated", MODE_CONSISTENCY },
};

/* The word of each class in a mode "ro,z,rshared"; false where a word is unknown or its class comes
 * twice. */
static bool mode_parse(const char *mode, const char *found[MODE_CLASSES]) {
        _cleanup_strv_ char **words = str_split(mode, ',');
        size_t at = 0;

        memset(found, 0, MODE_CLASSES * sizeof(*found));
        for (char **word = words; word && *word; at += strlen(*word++) + 1) {
                bool known = str_equal(*word, "idmap") || str_after(*word, "idmap=");

                if (known && found[MODE_IDMAP])
                        return false;
                if (known)
                        found[MODE_IDMAP] = mode + at;
                for (size_t i = 0; i < ELEMENTS(modes); i++) {
                        if (!str_equal(modes[i].word, *word))
                                continue;
                        if (found[modes[i].class])
                                return false;
                        found[modes[i].class] = modes[i].word;
                        known = true;
                }
                if (!known)
                        return false;
        }
        return true;
}

char *path_clean(const char *path) {
        _cleanup_strv_ char **parts = str_split(path, '/');
        _cleanup_strv_ char **kept = NULL;
        size_t count = 0;

        for (char **part = parts; part && *part; part++) {
                if (!**part || str_equal(*part, "."))
                        continue;
                if (str_equal(*part, "..")) {
                        if (count > 0) {
                                free(kept[--count]);
                                kept[count] = NULL;
                        }
                        continue;
                }
                strv_add(&kept, *part);
                count++;
        }
        _cleanup_free_ char *joined = strv_join(kept, "/");
        return str_format("/%s", joined ?: "");
}

static int destination_check(const char *destination, const char *type, Error *err) {
        if (destination[0] != '/')
                return error_kind(err, ERROR_INVALID,
                                  "invalid mount config for type \"%s\": invalid mount path: '%s' "
                                  "mount path must be absolute",
                                  type, destination);
        _cleanup_free_ char *clean = path_clean(destination);
        if (str_equal(clean, "/"))
                return error_kind(err, ERROR_INVALID,
                                  "invalid mount config for type \"%s\": invalid specification: "
                                  "destination can't be '/'",
                                  type);
        return 0;
}

static int invalid_spec(const char *text, Error *err) {
        return error_kind(err, ERROR_INVALID, "invalid volume specification: '%s'", text);
}

/* Splits into at most three parts at colons; -1 where there are more or the first is empty. */
static int split(const char *text, char ***ret) {
        size_t count;

        *ret = str_split(text, ':');
        count = strv_length(*ret);
        return count == 0 || count > 3 || !*(*ret)[0] ? -1 : (int)count;
}

/* word: up to a comma; NULL: nothing is mapped. */
static int take_idmap(const char *word, MountPoint *ret, Error *err) {
        _cleanup_idmap_ IdmapSpec spec = {};

        if (!word)
                return 0;
        ret->idmap = str_copy_n(word, strcspn(word, ","));
        return idmap_parse(ret->idmap, &spec, err);
}

static int parse_parts(const char *text, char **parts, int count, MountPoint *ret, Error *err) {
        const char *found[MODE_CLASSES];
        const char *mode = count == 3 ? parts[2] : "";
        const char *destination = parts[count > 1 ? 1 : 0];
        bool is_bind = count > 1 && parts[0][0] == '/';

        if (count == 2 && *parts[1] && mode_parse(parts[1], found))
                return invalid_spec(text, err);
        if (!mode_parse(mode, found))
                return error_kind(err, ERROR_INVALID, "invalid mode: %s", mode);
        int r = destination_check(destination, is_bind ? "bind" : "volume", err);
        if (r < 0)
                return error_prefix(err, "invalid volume specification: '%s'", text);
        if (!is_bind && found[MODE_PROPAGATION])
                return invalid_spec(text, err);
        if (is_bind && found[MODE_COPY])
                return invalid_spec(text, err);
        ret->type = str_copy(is_bind ? "bind" : "volume");
        ret->destination = path_clean(destination);
        ret->rw = !str_equal(found[MODE_ACCESS], "ro");
        ret->no_copy = found[MODE_COPY] != NULL;
        ret->mode = str_copy(!*mode && !is_bind && count > 1 ? "z" : mode);
        if (is_bind) {
                ret->source = path_clean(parts[0]);
                ret->propagation = str_copy(found[MODE_PROPAGATION] ?: "rprivate");
        } else {
                ret->name = count > 1 ? str_copy(parts[0]) : NULL;
                ret->driver = str_copy("local");
        }
        return take_idmap(found[MODE_IDMAP], ret, err);
}

int mount_parse_bind(const char *text, MountPoint *ret, Error *err) {
        _cleanup_strv_ char **parts = NULL;

        int count = split(text, &parts);
        if (count < 0)
                return invalid_spec(text, err);
        return parse_parts(text, parts, count, ret, err);
}

/* ---- --mount ---- */

static int spec_invalid(const MountSpec *spec, const char *why, Error *err) {
        return error_kind(err, ERROR_INVALID, "invalid mount config for type \"%s\": %s",
                          spec->type ?: "", why);
}

static int parse_spec_bind(const MountSpec *spec, MountPoint *ret, Error *err) {
        const char *found[MODE_CLASSES] = { NULL };
        const MountBindOptions *options = spec->bind;

        if (str_empty(spec->source))
                return spec_invalid(spec, "field Source must not be empty", err);
        if (spec->source[0] != '/') {
                _cleanup_free_ char *why = str_format(
                        "invalid mount path: '%s' mount path must be absolute", spec->source);
                return spec_invalid(spec, why, err);
        }
        if (spec->volume)
                return spec_invalid(spec, "field VolumeOptions must not be specified", err);
        if (spec->image)
                return spec_invalid(spec, "field ImageOptions must not be specified", err);
        if (options && !str_empty(options->propagation) &&
            (!mode_parse(options->propagation, found) || !found[MODE_PROPAGATION]))
                return spec_invalid(spec, "invalid propagation mode", err);
        if (options && options->read_only_non_recursive && options->read_only_force_recursive)
                return spec_invalid(spec,
                                    "mount options conflict: ReadOnlyNonRecursive && "
                                    "ReadOnlyForceRecursive",
                                    err);
        ret->source = path_clean(spec->source);
        ret->propagation = str_copy(found[MODE_PROPAGATION] ?: "rprivate");
        if (options && options->non_recursive)
                strv_add(&ret->options, "bind");
        if (options && !str_empty(options->idmap))
                return take_idmap(options->idmap, ret, err);
        return 0;
}

/* As written; where links lead is seen when it is opened. */
static bool is_within(const char *path) {
        _cleanup_strv_ char **parts = str_split(path, '/');
        int depth = 0;

        for (char **part = parts; *part && depth >= 0; part++)
                depth += str_equal(*part, "..") ? -1 : **part && !str_equal(*part, ".");
        return *path != '/' && depth >= 0;
}

static int parse_spec_volume(const MountSpec *spec, MountPoint *ret, Error *err) {
        const MountVolumeOptions *options = spec->volume;
        const MountDriverConfig *driver = options ? options->driver_config : NULL;

        if (spec->bind)
                return spec_invalid(spec, "field BindOptions must not be specified", err);
        if (spec->image)
                return spec_invalid(spec, "field ImageOptions must not be specified", err);
        if (driver && !str_empty(driver->name) && !str_equal(driver->name, "local"))
                return error_kind(err, ERROR_INVALID,
                                  "error looking up volume plugin %s: plugin \"%s\" not found",
                                  driver->name, driver->name);
        if (options && !str_empty(options->subpath)) {
                if (!is_within(options->subpath))
                        return spec_invalid(
                                spec, "subpath must be a relative path within the volume", err);
                ret->subpath = str_copy(options->subpath);
        }
        ret->name = str_empty(spec->source) ? NULL : str_copy(spec->source);
        ret->driver = str_copy("local");
        /* The image's files belong at the volume's root, or nowhere. */
        ret->no_copy = options && (options->no_copy || ret->subpath);
        str_replace(&ret->mode, "z");
        return 0;
}

static bool tmpfs_option_is_known(const char *option) {
        static const char *const flags[] = { "exec",     "noexec",     "suid",     "nosuid",
                                             "dev",      "nodev",      "ro",       "rw",
                                             "sync",     "async",      "atime",    "noatime",
                                             "diratime", "nodiratime", "relatime", "strictatime" };
        static const char *const values[] = { "size=",      "mode=",      "uid=", "gid=",
                                              "nr_inodes=", "nr_blocks=", "mpol=" };

        for (size_t i = 0; i < ELEMENTS(flags); i++)
                if (str_equal(flags[i], option))
                        return true;
        for (size_t i = 0; i < ELEMENTS(values); i++)
                if (!str_empty(str_after(option, values[i])))
                        return true;
        return false;
}

/* ["noexec"] or ["nr_inodes", "100"]. */
static int add_tmpfs_option(const MountSpec *spec, json_object *option, MountPoint *ret,
                            Error *err) {
        size_t count =
                json_object_is_type(option, json_type_array) ? json_object_array_length(option) : 0;
        const char *words[2] = { 0 };
        _cleanup_free_ char *text = NULL;

        for (size_t i = 0; i < count && i < ELEMENTS(words); i++)
                words[i] = json_object_get_string(json_object_array_get_idx(option, i));
        if (count == 0 || count > ELEMENTS(words))
                return spec_invalid(spec, "invalid option array of length (must be 1 or 2)", err);
        text = str_format("%s%s%s", words[0] ?: "", count > 1 ? "=" : "", words[1] ?: "");
        if (!tmpfs_option_is_known(text))
                return error_kind(err, ERROR_INVALID, "invalid tmpfs option [\"%s\"]", text);
        strv_add(&ret->options, text);
        return 0;
}

static int add_tmpfs_options(const MountSpec *spec, MountPoint *ret, Error *err) {
        json_object *options = spec->tmpfs->options;
        int r = 0;

        if (options && !json_object_is_type(options, json_type_array))
                return spec_invalid(spec, "TmpfsOptions.Options is an array of arrays", err);
        for (size_t i = 0; r == 0 && options && i < json_object_array_length(options); i++)
                r = add_tmpfs_option(spec, json_object_array_get_idx(options, i), ret, err);
        return r;
}

static int parse_spec_tmpfs(const MountSpec *spec, MountPoint *ret, Error *err) {
        if (!str_empty(spec->source))
                return spec_invalid(spec, "field Source must not be specified", err);
        if (spec->image)
                return spec_invalid(spec, "field ImageOptions must not be specified", err);
        if (spec->tmpfs && spec->tmpfs->size_bytes > 0)
                strv_format(&ret->options, "size=%lld", (long long)spec->tmpfs->size_bytes);
        if (spec->tmpfs && spec->tmpfs->mode > 0)
                strv_format(&ret->options, "mode=%llo", (unsigned long long)spec->tmpfs->mode);
        if (spec->read_only)
                strv_add(&ret->options, "ro");
        return spec->tmpfs ? add_tmpfs_options(spec, ret, err) : 0;
}

/* Never writable, whatever is asked for, as with dockerd. */
static int parse_spec_image(const MountSpec *spec, MountPoint *ret, Error *err) {
        const char *subpath = spec->image ? spec->image->subpath : NULL;

        if (spec->bind)
                return spec_invalid(spec, "field BindOptions must not be specified", err);
        if (spec->volume)
                return spec_invalid(spec, "field VolumeOptions must not be specified", err);
        if (spec->tmpfs)
                return spec_invalid(spec, "field TmpfsOptions must not be specified", err);
        if (str_empty(spec->source))
                return spec_invalid(spec, "field Source must not be empty", err);
        if (!str_empty(subpath)) {
                if (!is_within(subpath))
                        return spec_invalid(
                                spec, "subpath must be a relative path within the image", err);
                ret->subpath = str_copy(subpath);
        }
        ret->image_name = str_copy(spec->source);
        ret->rw = false;
        return 0;
}

/* brig's own: another container's root. */
static int parse_spec_container(const MountSpec *spec, MountPoint *ret, Error *err) {
        if (spec->bind || spec->volume || spec->tmpfs || spec->image)
                return spec_invalid(spec, "it has no options", err);
        if (str_empty(spec->source))
                return spec_invalid(spec, "field Source must not be empty", err);
        ret->source = str_copy(spec->source);
        return 0;
}

static const struct {
        const char *type;
        int (*parse)(const MountSpec *spec, MountPoint *ret, Error *err);
} types[] = {
        { "bind", parse_spec_bind },           { "volume", parse_spec_volume },
        { "tmpfs", parse_spec_tmpfs },         { "image", parse_spec_image },
        { "container", parse_spec_container },
};

int mount_parse_spec(const MountSpec *spec, MountPoint *ret, Error *err) {
        if (str_empty(spec->target))
                return spec_invalid(spec, "field Target must not be empty", err);
        for (size_t i = 0; i < ELEMENTS(types); i++) {
                if (!str_equal(types[i].type, spec->type))
                        continue;
                int r = destination_check(spec->target, spec->type, err);
                if (r < 0)
                        return r;
                ret->type = str_copy(spec->type);
                ret->destination = path_clean(spec->target);
                ret->rw = !spec->read_only;
                ret->mode = str_copy("");
                return types[i].parse(spec, ret, err);
        }
        return spec_invalid(spec, "mount type unknown", err);
}

/* ---- --tmpfs, --volumes-from ---- */

int mount_parse_tmpfs(const char *destination, const char *options, MountPoint *ret, Error *err) {
        _cleanup_strv_ char **words = str_split(options ?: "", ',');

        int r = destination_check(destination, "tmpfs", err);
        if (r < 0)
                return r;
        for (char **word = words; word && *word; word++)
                if (**word && !tmpfs_option_is_known(*word))
                        return error_kind(err, ERROR_INVALID, "invalid tmpfs option [\"%s\"]",
                                          *word);
        ret->type = str_copy("tmpfs");
        ret->destination = path_clean(destination);
        ret->rw = !strv_has(words, "ro");
        ret->mode = str_copy(options ?: "");
        ret->options = TAKE_PTR(words);
        return 0;
}

int mount_parse_from(const char *text, char **ret_ref, bool *ret_read_only, Error *err) {
        const char *colon = strchr(text, ':');
        const char *found[MODE_CLASSES] = { NULL };

        if (!*text || colon == text)
                return error_kind(err, ERROR_INVALID, "invalid volumes-from specification: '%s'",
                                  text);
        if (colon && (!mode_parse(colon + 1, found) || found[MODE_COPY] ||
                      found[MODE_PROPAGATION] || found[MODE_IDMAP]))
                return error_kind(err, ERROR_INVALID, "invalid mode: %s", colon + 1);
        *ret_ref = colon ? str_copy_n(text, (size_t)(colon - text)) : str_copy(text);
        *ret_read_only = str_equal(found[MODE_ACCESS], "ro");
        return 0;
}
