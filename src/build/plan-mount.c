/* plan-mount.c: RUN --mount=: its fields, their defaults by type, and what does not go together. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <strings.h>

#include "build/ignore.h"
#include "build/plan-private.h"
#include "build/stages.h"

/* ---- fields ---- */

/* One field of CSV from *text on: in quotes "" stands for '"'. *text is behind its comma then. */
static int read_field(const char **text, char **ret, Error *err) {
        _cleanup_buf_ Buf field = {};
        const char *at = *text;
        bool quoted = *at == '"';

        if (!quoted) {
                buf_add(&field, at, strcspn(at, ","));
                at += field.length;
                if (field.length && strchr(field.data, '"'))
                        return error_kind(err, ERROR_INVALID,
                                          "failed to parse csv mounts: bare '\"' in a field that "
                                          "does not begin with one: %.200s",
                                          field.data);
        }
        for (at += quoted; quoted; at++) {
                if (*at == '"' && at[1] != '"')
                        break;
                if (!*at)
                        return error_kind(err, ERROR_INVALID,
                                          "failed to parse csv mounts: '\"' is not closed: %.200s",
                                          *text);
                at += *at == '"';
                buf_add_char(&field, *at);
        }
        at += quoted;
        if (*at && *at != ',')
                return error_kind(err, ERROR_INVALID,
                                  "failed to parse csv mounts: text behind a quoted field: %.200s",
                                  *text);
        *text = at;
        *ret = buf_take(&field);
        return 0;
}

int mount_fields(const char *text, char ***ret, Error *err) {
        _cleanup_strv_ char **fields = strv_new(0);
        bool more = *text != '\0';

        for (size_t count = 0; more; count++) {
                char *field = NULL;
                int r = read_field(&text, &field, err);

                if (r < 0)
                        return r;
                strv_take_at(&fields, count, field);
                more = *text == ',';
                text += more;
        }
        *ret = TAKE_PTR(fields);
        return 0;
}

/* "KEY=value": the key in lower case, the caller's; *ret_value borrowed, NULL without '='. */
static char *field_key(const char *field, const char **ret_value) {
        size_t length = strcspn(field, "=");

        *ret_value = field[length] ? field + length + 1 : NULL;
        return str_lower(str_copy_n(field, length));
}

int mount_from(const char *text, char **ret, Error *err) {
        _cleanup_strv_ char **fields = NULL;
        _cleanup_free_ char *from = NULL;
        int r = mount_fields(text, &fields, err);

        for (char **field = fields; r == 0 && *field; field++) {
                const char *value;
                _cleanup_free_ char *key = field_key(*field, &value);

                if (!value || !str_equal(key, "from"))
                        continue;
                const char *dollar = strchr(value, '$');
                if (dollar && dollar[1])
                        return error_kind(err, ERROR_INVALID,
                                          "'from' doesn't support variable expansion, define alias "
                                          "stage instead");
                str_replace(&from, value);
        }
        if (r == 0)
                *ret = TAKE_PTR(from);
        return r;
}

/* ---- values ---- */

typedef struct MountText {
        MountKind kind;
        char *from, *source, *target, *id, *env, *sharing_text;
        bool readonly, access_given, required;
        CacheSharing sharing;
        int64_t size, uid, gid, mode; /* uid, gid and mode: -1 where they are not given */
} MountText;

static const char *const kinds[] = {
        [MOUNT_BIND] = "bind",     [MOUNT_CACHE] = "cache", [MOUNT_TMPFS] = "tmpfs",
        [MOUNT_SECRET] = "secret", [MOUNT_SSH] = "ssh",     NULL
};
static const char *const sharings[] = { [SHARING_SHARED] = "shared",
                                        [SHARING_PRIVATE] = "private",
                                        [SHARING_LOCKED] = "locked",
                                        NULL };

static void mount_text_done(MountText *text) {
        free(text->from);
        free(text->source);
        free(text->target);
        free(text->id);
        free(text->env);
        free(text->sharing_text);
}

static int choose(const char *value, const char *const *names, const char *what, int *ret,
                  Error *err) {
        for (int i = 0; names[i]; i++)
                if (!strcasecmp(names[i], value)) {
                        *ret = i;
                        return 0;
                }
        _cleanup_free_ char *hint = name_hint(value, (char *const *)names);
        return error_kind(err, ERROR_INVALID, "unsupported %s \"%.100s\"%s", what, value, hint);
}

/* Go's strconv.ParseBool. */
static int read_bool(const char *key, const char *value, bool *ret, Error *err) {
        static const char *const words[][6] = { { "0", "f", "F", "false", "FALSE", "False" },
                                                { "1", "t", "T", "true", "TRUE", "True" } };

        for (size_t i = 0; i < 12; i++)
                if (str_equal(words[i / 6][i % 6], value)) {
                        *ret = i / 6;
                        return 0;
                }
        return error_kind(err, ERROR_INVALID, "invalid value for %s: %.100s", key, value);
}

static int read_number(const char *key, const char *value, int base, int64_t *ret, Error *err) {
        const char *digits = base == 8 ? "01234567" : "0123456789";
        bool fine = *value && !value[strspn(value, digits)] && strlen(value) < 18;
        int64_t number = fine ? strtoll(value, NULL, base) : 0;

        if (!fine || number > UINT32_MAX)
                return error_kind(err, ERROR_INVALID, "invalid value %.100s for %s", value, key);
        *ret = number;
        return 0;
}

/* Go's units.RAMInBytes. */
static int read_size(const char *value, int64_t *ret, Error *err) {
        static const char letters[] = "kmgtp";
        size_t digits = strspn(value, "0123456789.");
        _cleanup_free_ char *number = str_copy_n(value, digits);
        _cleanup_free_ char *unit = str_lower(str_copy(value + digits + (value[digits] == ' ')));
        const char *letter = *unit ? strchr(letters, *unit) : NULL, *rest = unit + (letter != NULL);
        double size = 0;
        int r = digits ? str_to_double(number, &size) : -EINVAL;

        if (letter)
                size = ldexp(size, 10 * (int)(letter - letters + 1));
        if (letter && rest[0] == 'i' && rest[1] == 'b')
                rest += 2;
        else if (*rest == 'b')
                rest++;
        if (r < 0 || *rest || size >= 9.2e18)
                return error_kind(err, ERROR_INVALID, "invalid value for size: %.100s", value);
        *ret = (int64_t)size;
        return 0;
}

static int unexpected(const MountText *text, const char *key, Error *err) {
        return error_kind(err, ERROR_INVALID, "unexpected key '%s' for mount type '%s'", key,
                          kinds[text->kind]);
}

/* ---- keys ---- */

typedef int MountSetter(MountText *text, const char *key, const char *value, Error *err);

static int set_type(MountText *text, const char *key, const char *value, Error *err) {
        int kind = 0;
        int r = choose(value, kinds, "mount type", &kind, err);

        if (r == 0)
                text->kind = (MountKind)kind;
        return r;
}

static int set_from(MountText *text, const char *key, const char *value, Error *err) {
        str_replace(&text->from, value);
        return 0;
}

static int set_source(MountText *text, const char *key, const char *value, Error *err) {
        str_replace(&text->source, value);
        return 0;
}

static int set_target(MountText *text, const char *key, const char *value, Error *err) {
        str_replace(&text->target, value);
        return 0;
}

static int set_id(MountText *text, const char *key, const char *value, Error *err) {
        str_replace(&text->id, value);
        return 0;
}

static int set_env(MountText *text, const char *key, const char *value, Error *err) {
        str_replace(&text->env, value);
        return 0;
}

static int set_readonly(MountText *text, const char *key, const char *value, Error *err) {
        text->access_given = true;
        return read_bool(key, value, &text->readonly, err);
}

static int set_writable(MountText *text, const char *key, const char *value, Error *err) {
        bool writable = false;
        int r = read_bool(key, value, &writable, err);

        text->access_given = true;
        text->readonly = !writable;
        return r;
}

static int set_required(MountText *text, const char *key, const char *value, Error *err) {
        if (text->kind != MOUNT_SECRET && text->kind != MOUNT_SSH)
                return unexpected(text, key, err);
        return read_bool(key, value, &text->required, err);
}

static int set_size(MountText *text, const char *key, const char *value, Error *err) {
        if (text->kind != MOUNT_TMPFS)
                return unexpected(text, key, err);
        return read_size(value, &text->size, err);
}

static int set_sharing(MountText *text, const char *key, const char *value, Error *err) {
        int sharing = 0;
        int r = choose(value, sharings, "sharing value", &sharing, err);

        str_replace(&text->sharing_text, value);
        text->sharing = (CacheSharing)sharing;
        return r;
}

static int set_mode(MountText *text, const char *key, const char *value, Error *err) {
        return read_number(key, value, 8, &text->mode, err);
}

static int set_uid(MountText *text, const char *key, const char *value, Error *err) {
        return read_number(key, value, 10, &text->uid, err);
}

static int set_gid(MountText *text, const char *key, const char *value, Error *err) {
        return read_number(key, value, 10, &text->gid, err);
}

/* alone: the key may stand without a value, which is "true" then. */
static const struct {
        const char *key;
        MountSetter *set;
        bool alone;
} keys[] = {
        { "type", set_type, false },
        { "from", set_from, false },
        { "source", set_source, false },
        { "src", set_source, false },
        { "target", set_target, false },
        { "dst", set_target, false },
        { "destination", set_target, false },
        { "readonly", set_readonly, true },
        { "ro", set_readonly, true },
        { "readwrite", set_writable, true },
        { "rw", set_writable, true },
        { "required", set_required, true },
        { "size", set_size, false },
        { "id", set_id, false },
        { "sharing", set_sharing, false },
        { "mode", set_mode, false },
        { "uid", set_uid, false },
        { "gid", set_gid, false },
        { "env", set_env, false },
};

static int unknown_key(const char *key, const char *field, Error *err) {
        _cleanup_strv_ char **names = NULL;

        for (size_t i = 0; i < ELEMENTS(keys); i++)
                strv_add(&names, keys[i].key);
        _cleanup_free_ char *hint = name_hint(key, names);
        return error_kind(err, ERROR_INVALID, "unexpected key '%.100s' in '%.200s'%s", key, field,
                          hint);
}

static int set_field(Dispatch *dispatch, MountText *text, const char *field, Error *err) {
        const char *written;
        _cleanup_free_ char *key = field_key(field, &written);
        _cleanup_free_ char *value = NULL;
        size_t i = 0;
        Error why = {};

        while (i < ELEMENTS(keys) && !str_equal(keys[i].key, key))
                i++;
        if (!written && (i == ELEMENTS(keys) || !keys[i].alone))
                return dispatch_error(dispatch, err,
                                      "invalid field '%.200s' must be a key=value pair", field);
        int r = dispatch_expand(dispatch, written ?: "true", &value, err);
        if (r == 0)
                r = dispatch_count(dispatch, strlen(value), err);
        if (r < 0)
                return r;
        r = i < ELEMENTS(keys) ? keys[i].set(text, key, value, &why)
                               : unknown_key(key, field, &why);
        return r < 0 ? dispatch_error(dispatch, err, "%s", why.message) : 0;
}

/* ---- what goes together ---- */

static int check_owner(const MountText *text, Error *err) {
        const char *given = text->mode >= 0  ? "mode"
                            : text->uid >= 0 ? "uid"
                            : text->gid >= 0 ? "gid"
                                             : NULL;

        if (!given || (text->kind != MOUNT_BIND && text->kind != MOUNT_TMPFS))
                return 0;
        return error_kind(err, ERROR_INVALID, "%s not allowed for \"%s\" type mounts", given,
                          kinds[text->kind]);
}

static int check_secret(const MountText *text, Error *err) {
        const char *what = NULL;

        if (!str_empty(text->from))
                what = "secret mount should not have a from";
        else if (text->sharing_text)
                what = "secret mount should not define sharing";
        else if (str_empty(text->source) && str_empty(text->target) && str_empty(text->id))
                what = "invalid secret mount. one of source, target required";
        else if (!str_empty(text->source) && !str_empty(text->id))
                what = "both source and id can't be set";
        return what ? error_kind(err, ERROR_INVALID, "%s", what) : 0;
}

static int check_text(const MountText *text, Error *err) {
        int r = check_owner(text, err);

        if (r == 0 && text->kind == MOUNT_SECRET)
                r = check_secret(text, err);
        if (r < 0)
                return r;
        if (text->sharing_text && text->kind != MOUNT_CACHE)
                return error_kind(err, ERROR_INVALID, "invalid cache sharing set for %s mount",
                                  kinds[text->kind]);
        if (text->kind == MOUNT_SSH && !str_empty(text->source))
                return error_kind(err, ERROR_INVALID, "ssh does not support source");
        return 0;
}

/* ---- the mount ---- */

static const char *last_name(const char *path) {
        const char *slash = strrchr(path, '/');

        return slash ? slash + 1 : path;
}

static int fill_from(Dispatch *dispatch, const MountText *text, RunMount *mount, Error *err) {
        if (str_empty(text->from)) {
                mount->from =
                        (Input){ .kind = text->kind == MOUNT_BIND ? INPUT_CONTEXT : INPUT_SCRATCH };
                if (text->kind == MOUNT_BIND)
                        mount->from.name = str_copy("");
        } else {
                int r = plan_from_input(dispatch->plan, text->from, true, dispatch->at,
                                        &mount->from, err);

                if (r == 0)
                        r = plan_check_order(dispatch->plan, dispatch->index, &mount->from, true,
                                             dispatch->at, err);
                if (r < 0)
                        return r;
        }
        if (dispatch->trigger)
                plan_add_input(dispatch->stage, &mount->from);
        return 0;
}

/* bind, cache and tmpfs: a directory at the target. */
static int fill_directory(Dispatch *dispatch, const MountText *text, RunMount *mount, Error *err) {
        mount->source = path_below("/", text->source ?: "");
        mount->target = path_below(dispatch->step.cwd, text->target ?: "");
        if (str_equal(mount->target, "/"))
                return dispatch_error(dispatch, err, "invalid mount target \"/\"");
        if (text->kind == MOUNT_CACHE)
                mount->id = str_empty(text->id) ? ignore_clean_path(text->target ?: "")
                                                : str_copy(text->id);
        return text->kind == MOUNT_TMPFS ? 0 : fill_from(dispatch, text, mount, err);
}

static int fill_secret(const MountText *text, RunMount *mount) {
        mount->id = str_copy(!str_empty(text->source) ? text->source
                             : !str_empty(text->id)   ? text->id
                                                      : last_name(text->target));
        if (text->env)
                mount->env = str_copy(*text->env ? text->env : mount->id);
        if (!str_empty(text->target))
                mount->target = path_below("/", text->target);
        else if (!text->env)
                mount->target = str_format("/run/secrets/%s", last_name(mount->id));
        return 0;
}

static int fill_ssh(const RunStep *run, const MountText *text, RunMount *mount) {
        size_t number = 0;

        for (size_t i = 0; i < run->mount_count; i++)
                number += run->mounts[i].kind == MOUNT_SSH;
        mount->id = str_copy(str_empty(text->id) ? "default" : text->id);
        mount->target = str_empty(text->target) ? str_format("/run/buildkit/ssh_agent.%zu", number)
                                                : path_below("/", text->target);
        return 0;
}

/* What a cache begins with has an owner and a mode of its own, unless others are wanted. */
static void keep_owner(const MountText *text, RunMount *mount) {
        if (mount->kind != MOUNT_CACHE || mount->from.kind == INPUT_SCRATCH)
                return;
        mount->uid = text->uid;
        mount->gid = text->gid;
        mount->mode = text->mode;
}

static int fill_mount(Dispatch *dispatch, const MountText *text, Error *err) {
        static const int64_t modes[] = {
                [MOUNT_CACHE] = 0755, [MOUNT_SECRET] = 0400, [MOUNT_SSH] = 0600
        };
        RunStep *run = &dispatch->step.run;

        GROW(run->mounts, run->mount_count);
        RunMount *mount = &run->mounts[run->mount_count];
        *mount = (RunMount){
                .kind = text->kind,
                .required = text->required,
                .sharing = text->sharing,
                .size = text->size,
                .uid = MAX(text->uid, 0),
                .gid = MAX(text->gid, 0),
                .mode = text->mode >= 0 ? text->mode : modes[text->kind],
                .readonly = text->access_given
                                    ? text->readonly
                                    : text->kind != MOUNT_CACHE && text->kind != MOUNT_TMPFS,
        };
        int r = text->kind == MOUNT_SECRET ? fill_secret(text, mount)
                : text->kind == MOUNT_SSH  ? fill_ssh(run, text, mount)
                                           : fill_directory(dispatch, text, mount, err);
        keep_owner(text, mount);
        /* Counted in any case: it is freed with the step. */
        run->mount_count++;
        return r;
}

static int read_mount(Dispatch *dispatch, const char *value, Error *err) {
        _cleanup_(mount_text_done) MountText text = { .uid = -1, .gid = -1, .mode = -1 };
        _cleanup_strv_ char **fields = NULL;
        _cleanup_free_ char *from = NULL;
        Error why = {};

        if (mount_from(value, &from, &why) < 0 || mount_fields(value, &fields, &why) < 0)
                return dispatch_error(dispatch, err, "%s", why.message);
        for (char **field = fields; *field; field++) {
                int r = set_field(dispatch, &text, *field, err);

                if (r < 0)
                        return r;
        }
        if (check_text(&text, &why) < 0)
                return dispatch_error(dispatch, err, "%s", why.message);
        return fill_mount(dispatch, &text, err);
}

int dispatch_mounts(Dispatch *dispatch, Error *err) {
        const Instruction *at = dispatch->instruction;
        int r = 0;

        for (size_t i = 0; r == 0 && i < at->flag_count; i++)
                if (str_equal(at->flags[i].name, "mount"))
                        r = read_mount(dispatch, at->flags[i].value, err);
        return r;
}
