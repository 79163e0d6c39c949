/* target-user.c: see target-user.h. The files come as an archive, from a container that is not
 * trusted: they are text of at most a megabyte, and only numbers, and where in it a link leads, are
 * taken out of them. pax(1), "ustar Interchange Format" and "pax Extended Header". */
#include "cli/target-user.h"

#include <errno.h>

#include "format/tar.h"

#define ARCHIVE_MAX ((size_t)1 << 20)
#define LINKS_MAX 8 /* /etc/passwd may be a link, to one more */

static bool is_digit(char c) {
        return c >= '0' && c <= '9';
}

static bool is_number(const char *text) {
        return *text && strlen(text) <= 10 && strspn(text, "0123456789") == strlen(text);
}

int64_t account_number(const char *text, const char *name, size_t wanted) {
        _cleanup_strv_ char **lines = str_split(text, '\n');

        for (char **line = lines; line && *line; line++) {
                _cleanup_strv_ char **columns = str_split(*line, ':');

                if (strv_length(columns) > MAX(wanted, (size_t)2) && is_number(columns[wanted]) &&
                    (str_equal(columns[0], name) || str_equal(columns[2], name)))
                        return strtoll(columns[wanted], NULL, 10);
        }
        return -1;
}

/* Of records "LENGTH KEY=VALUE\n", where LENGTH counts all of that; the caller's, NULL: none. */
static char *pax_value(const char *records, size_t length, const char *key) {
        const size_t name = strlen(key);

        while (length > 0) {
                size_t size = 0, at = 0;

                for (; at < length && is_digit(records[at]) && size <= length; at++)
                        size = size * 10 + (size_t)(records[at] - '0');
                if (at == length || records[at] != ' ' || size <= ++at || size > length)
                        return NULL;
                if (size - at >= name + 2 && memcmp(records + at, key, name) == 0 &&
                    records[at + name] == '=')
                        return str_copy_n(records + at + name + 1, size - at - name - 2);
                records += size;
                length -= size;
        }
        return NULL;
}

/* Bytes of the entry whose header this is. */
static size_t entry_size(const char *header) {
        _cleanup_free_ char *digits = str_copy_n(header + 124, 12);

        return strtoull(digits, NULL, 8);
}

void archive_entry(const char *bytes, size_t length, char **ret_text, char **ret_link) {
        _cleanup_free_ char *link = NULL;

        *ret_text = *ret_link = NULL;
        while (length >= TAR_BLOCK) {
                const char *content = bytes + TAR_BLOCK;
                const char type = bytes[156];
                size_t size = MIN(entry_size(bytes), length - TAR_BLOCK), padded;

                if (type == '2') {
                        *ret_link = TAKE_PTR(link)
                                            ?: str_copy_n(bytes + 157, strnlen(bytes + 157, 100));
                        break;
                }
                if (type != 'x' && type != 'g') {
                        *ret_text = str_copy_n(content, size);
                        break;
                }
                if (type == 'x' && !link)
                        link = pax_value(content, size, "linkpath");
                padded = TAR_BLOCK + (size + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
                padded = MIN(padded, length);
                bytes += padded;
                length -= padded;
        }
        if (!*ret_text)
                *ret_text = str_copy("");
}

/* *ret_text is "" where there is no such file. */
static int read_entry(Cli *cli, const char *id, const char *path, char **ret_text, char **ret_link,
                      Error *err) {
        _cleanup_free_ char *url = path_format("/containers/%s/archive", id);
        _cleanup_reply_ HttpReply *reply = NULL;
        _cleanup_buf_ Buf archive = { 0 };
        int r;

        path_query(&url, "path", path);
        r = api_call(cli, "GET", url, NULL, &reply, err);
        if (r < 0 && err->kind == ERROR_NOT_FOUND) {
                *ret_text = str_copy("");
                return 0;
        }
        if (r == 0)
                r = http_reply_read_all(reply, ARCHIVE_MAX, &archive, err);
        if (r == 0)
                archive_entry(archive.data, archive.length, ret_text, ret_link);
        return r;
}

/* The file, or what a link there leads to; "" where there is none. The caller's. */
static int read_file(Cli *cli, const char *id, const char *path, char **ret, Error *err) {
        _cleanup_free_ char *at = str_copy(path);

        for (int links = 0; links <= LINKS_MAX; links++) {
                _cleanup_free_ char *text = NULL, *link = NULL, *next = NULL;
                int r = read_entry(cli, id, at, &text, &link, err);

                if (r == 0 && !link)
                        *ret = TAKE_PTR(text);
                if (r < 0 || !link)
                        return r;
                next = *link == '/' ? TAKE_PTR(link)
                                    : str_format("%.*s/%s", (int)(strrchr(at, '/') - at), at, link);
                str_replace(&at, next);
        }
        return error_kind(err, ERROR_INVALID,
                          "the container's %s leads from link to link: give --user with a number",
                          path);
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
