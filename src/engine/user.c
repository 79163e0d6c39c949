/* user.c: who a container's process is: "name|uid[:group|gid]" and further groups, looked up in the
 * container's own passwd and group files. passwd(5), group(5). Numbers are read strictly and never
 * become root by accident. */
#include <unistd.h>

#include "base/bug.h"
#include "base/fd.h"
#include "engine/ocispec.h"

#define FILE_MAX ((size_t)10 << 20) /* bytes of passwd or group */

typedef struct UserEntry {
        char *name;
        int64_t uid, gid;
} UserEntry;

/* One line as its fields; false at the end of the text. The fields are the caller's list. */
static bool next_line(const char **cursor, char ***ret_fields) {
        size_t length = strcspn(*cursor, "\n");
        _cleanup_free_ char *line = str_copy_n(*cursor, length);

        if (!**cursor)
                return false;
        *cursor += length + ((*cursor)[length] == '\n');
        *ret_fields = str_split(str_trim(line), ':');
        return true;
}

static bool id_parse(const char *text, int64_t *ret) {
        return text[0] >= '0' && text[0] <= '9' && str_to_int64(text, ret) == 0;
}

static int id_check(int64_t id, int64_t most, Error *err) {
        if ((id >= 0 && id <= most) || BUG("user-range"))
                return 0;
        return error_kind(err, ERROR_INVALID, "uids and gids must be in range 0-%lld",
                          (long long)most);
}

/* Only digits, if too many for a number: an id that is out of range, not a name. */
static bool is_digits(const char *text) {
        return *text && text[strspn(text, "0123456789")] == '\0';
}

/* By name, or by number; true if found. A line whose ids are no numbers is not a user. */
static bool passwd_find(const char *passwd, const char *wanted, UserEntry *ret) {
        int64_t number = -1;
        bool numeric = id_parse(wanted, &number);

        for (const char *cursor = passwd ?: ""; *cursor;) {
                _cleanup_strv_ char **fields = NULL;
                int64_t uid, gid;

                if (!next_line(&cursor, &fields) || strv_length(fields) < 4)
                        continue;
                if (!id_parse(fields[2], &uid) || !id_parse(fields[3], &gid))
                        continue;
                if (!str_equal(fields[0], wanted) && !(numeric && uid == number))
                        continue;
                *ret = (UserEntry){ str_copy(fields[0]), uid, gid };
                return true;
        }
        return false;
}

static bool group_find(const char *group, const char *wanted, int64_t *ret_gid) {
        int64_t number = -1;
        bool numeric = id_parse(wanted, &number);

        for (const char *cursor = group ?: ""; *cursor;) {
                _cleanup_strv_ char **fields = NULL;
                int64_t gid;

                if (!next_line(&cursor, &fields) || strv_length(fields) < 3)
                        continue;
                if (!id_parse(fields[2], &gid))
                        continue;
                if (str_equal(fields[0], wanted) || (numeric && gid == number)) {
                        *ret_gid = gid;
                        return true;
                }
        }
        return false;
}

static void gid_add(OciUser *user, int64_t gid) {
        int64_t *gids = user->additional_gids.items;

        for (size_t i = 0; i < user->additional_gids.count; i++)
                if (gids[i] == gid)
                        return;
        GROW(gids, user->additional_gids.count);
        gids[user->additional_gids.count++] = gid;
        user->additional_gids.items = gids;
}

/* Groups that list the user as a member. */
static int add_memberships(const char *group, const char *name, OciUser *user, int64_t most,
                           Error *err) {
        for (const char *cursor = group ?: ""; *cursor;) {
                _cleanup_strv_ char **fields = NULL, **members = NULL;
                int64_t gid;

                if (!next_line(&cursor, &fields) || strv_length(fields) < 4)
                        continue;
                members = str_split(fields[3], ',');
                if (!strv_has(members, name) || !id_parse(fields[2], &gid))
                        continue;
                int r = id_check(gid, most, err);
                if (r < 0)
                        return r;
                gid_add(user, gid);
        }
        return 0;
}

static int resolve_group(const char *group, const char *wanted, int64_t *ret, int64_t most,
                         Error *err) {
        if (!group_find(group, wanted, ret) && !id_parse(wanted, ret)) {
                if (is_digits(wanted))
                        return id_check(-1, most, err);
                return error_kind(err, ERROR_INVALID,
                                  "unable to find group %s: no matching entries in group file",
                                  wanted);
        }
        return id_check(*ret, most, err);
}

static int resolve_user(const char *passwd, const char *wanted, UserEntry *ret, int64_t most,
                        Error *err) {
        *ret = (UserEntry){ 0 };
        if (!passwd_find(passwd, wanted, ret) && !id_parse(wanted, &ret->uid)) {
                if (is_digits(wanted))
                        return id_check(-1, most, err);
                return error_kind(err, ERROR_INVALID,
                                  "unable to find user %s: no matching entries in passwd file",
                                  wanted);
        }
        int r = id_check(ret->uid, most, err);
        return r < 0 ? r : id_check(ret->gid, most, err);
}

int user_lookup(const char *passwd, const char *group, const char *user, char *const *group_add,
                int64_t most, OciUser *ret, Error *err) {
        const char *colon = user ? strchr(user, ':') : NULL;
        _cleanup_free_ char *name =
                str_copy_n(user ?: "", colon ? (size_t)(colon - user) : strlen(user ?: ""));
        bool has_group = colon && colon[1];
        UserEntry entry = {};
        int64_t gid;

        int r = resolve_user(passwd, *name ? name : "0", &entry, most, err);
        _cleanup_free_ char *entry_name = entry.name;
        if (r == 0 && has_group)
                r = resolve_group(group, colon + 1, &entry.gid, most, err);
        if (r < 0)
                return r;
        ret->uid = BUG("user-range") ? (uint32_t)entry.uid : entry.uid;
        ret->gid = entry.gid;
        /* In the list too, so that dropping it by setgroups loses no access rule (CVE-2022-36109).
         */
        if (!BUG("groups"))
                gid_add(ret, entry.gid);
        if (entry_name && !has_group)
                r = add_memberships(group, entry_name, ret, most, err);
        for (; r == 0 && group_add && *group_add; group_add++) {
                r = resolve_group(group, *group_add, &gid, most, err);
                if (r == 0)
                        gid_add(ret, gid);
        }
        return r;
}

static int read_root_file(const Container *container, const char *path, char **ret, Error *err) {
        _cleanup_close_ int fd = -1;
        _cleanup_buf_ Buf text = { 0 };

        int r = rootfs_open_file(container, path, &fd, err);
        if (r < 0 || fd < 0)
                return r;
        r = fd_read_all(fd, FILE_MAX, &text);
        if (r < 0)
                return error_set(err, -r, "read /%s of the container (at most 10 MiB)", path);
        *ret = buf_take(&text);
        return 0;
}

int user_resolve(const Container *container, const char *user, char *const *group_add, OciUser *ret,
                 Error *err) {
        _cleanup_free_ char *passwd = NULL, *group = NULL;

        int r = read_root_file(container, "etc/passwd", &passwd, err);
        if (r == 0)
                r = read_root_file(container, "etc/group", &group, err);
        return r < 0 ? r : user_lookup(passwd, group, user, group_add, USER_ID_MAX, ret, err);
}
