/* target-user.c: see target-user.h. The files come as an archive, from a container that is not
 * trusted: they are text of at most a megabyte, and only numbers are taken out of them. */
#include "cli/target-user.h"

#include <errno.h>

#define ARCHIVE_MAX ((size_t)1 << 20)
#define BLOCK ((size_t)512)

static bool is_number(const char *text) {
        return *text && strlen(text) <= 10 && strspn(text, "0123456789") == strlen(text);
}

int64_t account_number(const char *text, const char *name, size_t wanted) {
        _cleanup_strv_ char **lines = str_split(text, '\n');

        for (char **line = lines; *line; line++) {
                _cleanup_strv_ char **columns = str_split(*line, ':');

                if (strv_length(columns) > MAX(wanted, (size_t)2) && is_number(columns[wanted]) &&
                    (str_equal(columns[0], name) || str_equal(columns[2], name)))
                        return strtoll(columns[wanted], NULL, 10);
        }
        return -1;
}

/* The file that is the archive's first; "" where there is none. The caller's. */
static int read_file(Cli *cli, const char *id, const char *path, char **ret, Error *err) {
        _cleanup_free_ char *url = path_format("/containers/%s/archive", id);
        _cleanup_reply_ HttpReply *reply = NULL;
        _cleanup_buf_ Buf archive = { 0 };
        size_t size;
        int r;

        path_query(&url, "path", path);
        r = api_call(cli, "GET", url, NULL, &reply, err);
        if (r < 0 && err->kind == ERROR_NOT_FOUND) {
                *ret = str_copy("");
                return 0;
        }
        if (r == 0)
                r = http_reply_read_all(reply, ARCHIVE_MAX, &archive, err);
        if (r < 0)
                return r;
        size = archive.length > BLOCK ? strtoull(archive.data + 124, NULL, 8) : 0;
        *ret = archive.length > BLOCK
                       ? str_copy_n(archive.data + BLOCK, MIN(size, archive.length - BLOCK))
                       : str_copy("");
        return 0;
}

static int not_known(const char *what, const char *name, Error *err) {
        return error_kind(err, ERROR_INVALID,
                          "the container's %s '%s' is not in its /etc/%s: give --user with a "
                          "number",
                          what, name, str_equal(what, "user") ? "passwd" : "group");
}

/* group: NULL: the user's own. */
static int look_up(Cli *cli, const char *id, const char *name, const char *group, char **ret,
                   Error *err) {
        _cleanup_free_ char *passwd = NULL, *groups = NULL;
        int64_t uid, gid;
        int r = read_file(cli, id, "/etc/passwd", &passwd, err);

        if (r == 0 && group && !is_number(group))
                r = read_file(cli, id, "/etc/group", &groups, err);
        if (r < 0)
                return r;
        uid = is_number(name) ? strtoll(name, NULL, 10) : account_number(passwd, name, 2);
        if (uid < 0)
                return not_known("user", name, err);
        gid = !group             ? MAX(account_number(passwd, name, 3), (int64_t)0)
              : is_number(group) ? strtoll(group, NULL, 10)
                                 : account_number(groups, group, 2);
        if (gid < 0)
                return not_known("group", group, err);
        *ret = str_format("%lld:%lld", (long long)uid, (long long)gid);
        return 0;
}

int target_user(Cli *cli, const char *id, const char *user, char **ret, Error *err) {
        const char *colon = strchr(user, ':');
        _cleanup_free_ char *name = str_copy_n(user, strcspn(user, ":"));

        if (str_empty(name))
                str_replace(&name, "0");
        if (is_number(name) && (str_empty(user) || (colon && is_number(colon + 1)))) {
                *ret = str_format("%s:%s", name, colon ? colon + 1 : "0");
                return 0;
        }
        return look_up(cli, id, name, colon ? colon + 1 : NULL, ret, err);
}
