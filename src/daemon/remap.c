/* remap.c: userns-remap's user, and his lines of /etc/subuid and /etc/subgid. What is made of them
 * is the engine's. */
#include "daemon/remap.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/program.h"

#define DEFAULT_USER "dockremap"
#define SUBUID "/etc/subuid"
#define SUBGID "/etc/subgid"
#define FILE_MAX ((size_t)1 << 20)
#define FIRST_RANGE 100000 /* as dockerd gives them */
#define RANGE_SIZE 65536
#define INVALID(...) error_kind(err, ERROR_INVALID, __VA_ARGS__)

extern char **environ;

void remap_done(Remap *remap) {
        free(remap->uids);
        free(remap->gids);
        *remap = (Remap){};
}

/* ---- subuid(5) ---- */

static int parse_line(const char *file, size_t number, const char *line, char **ret_name,
                      int64_t *ret_first, int64_t *ret_count, Error *err) {
        _cleanup_strv_ char **parts = str_split(line, ':');

        if (strv_length(parts) != 3 || !*parts[0] || str_to_int64(parts[1], ret_first) < 0 ||
            str_to_int64(parts[2], ret_count) < 0 || *ret_first < 0 || *ret_count <= 0 ||
            *ret_first >= UINT32_MAX || *ret_count > UINT32_MAX - *ret_first)
                return INVALID("%s, line %zu: '%s' is no NAME:FIRST:COUNT", file, number, line);
        *ret_name = str_copy(parts[0]);
        return 0;
}

static int check_range(const char *file, const IdRange *ranges, size_t count, int64_t first,
                       int64_t size, Error *err) {
        if (first == 0)
                return INVALID("%s: the range %lld:%lld holds the host's root", file,
                               (long long)first, (long long)size);
        for (size_t i = 0; i < count; i++)
                if (first < ranges[i].outside + ranges[i].count && ranges[i].outside < first + size)
                        return INVALID("%s: the ranges %lld:%lld and %lld:%lld overlap", file,
                                       (long long)ranges[i].outside, (long long)ranges[i].count,
                                       (long long)first, (long long)size);
        return 0;
}

typedef struct Ranges {
        IdRange *items;
        size_t count;
} Ranges;

static int add_range(const char *file, Ranges *ranges, int64_t first, int64_t size, Error *err) {
        const IdRange *last = ranges->count ? &ranges->items[ranges->count - 1] : NULL;
        int64_t inside = last ? last->inside + last->count : 0;
        int r = check_range(file, ranges->items, ranges->count, first, size, err);

        if (r < 0)
                return r;
        GROW(ranges->items, ranges->count);
        ranges->items[ranges->count++] = (IdRange){ inside, first, size };
        return 0;
}

static void ranges_done(Ranges *ranges) {
        free(ranges->items);
}

int subid_read(const char *file, const char *text, const char *name, int64_t id, IdRange **ret,
               size_t *ret_count, Error *err) {
        _cleanup_strv_ char **lines = str_split(text, '\n');
        _cleanup_free_ char *number = str_format("%lld", (long long)id);
        _cleanup_(ranges_done) Ranges ranges = {};
        int r = 0;

        for (size_t i = 0; r == 0 && lines && lines[i]; i++) {
                _cleanup_free_ char *who = NULL;
                int64_t first, size;

                if (!*lines[i] || *lines[i] == '#')
                        continue;
                r = parse_line(file, i + 1, lines[i], &who, &first, &size, err);
                if (r == 0 && (str_equal(who, name) || str_equal(who, number)))
                        r = add_range(file, &ranges, first, size, err);
        }
        if (r < 0)
                return r;
        if (ranges.count == 0)
                return error_kind(err, ERROR_NOT_FOUND,
                                  "%s has no range for user '%s': add one, as in usermod "
                                  "--add-subuids %d-%d --add-subgids %d-%d %s",
                                  file, name, FIRST_RANGE, FIRST_RANGE + RANGE_SIZE - 1,
                                  FIRST_RANGE, FIRST_RANGE + RANGE_SIZE - 1, name);
        *ret = TAKE_PTR(ranges.items);
        *ret_count = ranges.count;
        return 0;
}

static int read_file(const char *file, char **ret, Error *err) {
        size_t length;
        int r = file_read_at(AT_FDCWD, file, FILE_MAX, ret, &length, err);

        if (r != -ENOENT)
                return r;
        *ret = str_copy("");
        return 0;
}

static int read_ranges(const char *file, const char *name, int64_t id, IdRange **ret,
                       size_t *ret_count, Error *err) {
        _cleanup_free_ char *text = NULL;
        int r = read_file(file, &text, err);

        return r < 0 ? r : subid_read(file, text, name, id, ret, ret_count, err);
}

/* ---- the user ---- */

typedef struct Person {
        char *name, *group; /* group: where USER:GROUP says one */
        int64_t uid, gid;
} Person;

static void person_done(Person *person) {
        free(person->name);
        free(person->group);
}

static bool is_number(const char *text, int64_t *ret) {
        return str_to_int64(text, ret) == 0 && *ret >= 0 && *ret <= INT32_MAX;
}

static int no_entry(const char *text, const char *what, const char *file, Error *err) {
        int64_t id;

        return is_number(text, &id) ? INVALID("userns-remap: %cid %lld has no entry in %s", *what,
                                              (long long)id, file)
                                    : INVALID("userns-remap: there is no %s '%s'", what, text);
}

static int look_up_user(const char *text, Person *ret, Error *err) {
        int64_t id;
        const struct passwd *found = is_number(text, &id) ? getpwuid((uid_t)id) : getpwnam(text);

        if (!found)
                return no_entry(text, "user", "/etc/passwd", err);
        ret->name = str_copy(found->pw_name);
        ret->uid = found->pw_uid;
        ret->gid = found->pw_gid;
        return 0;
}

/* Without one, the group that is called as the user, or has his number, as dockerd takes it. */
static int look_up_group(const char *text, Person *ret, Error *err) {
        int64_t id;
        const struct group *found = is_number(text, &id) ? getgrgid((gid_t)id) : getgrnam(text);

        if (!found)
                return no_entry(text, "group", "/etc/group", err);
        ret->group = str_copy(found->gr_name);
        ret->gid = found->gr_gid;
        return 0;
}

/* ---- dockremap ---- */

static int run_program(char *const *argv, Error *err) {
        const Spawn spawn = { .program = argv[0], .argv = argv, .environment = environ };
        int status = 0, r;
        pid_t pid;

        r = program_spawn(&spawn, &pid);
        if (r < 0)
                return error_set(err, -r, "start '%s'", argv[0]);
        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return error_set(err, errno, "wait for '%s'", argv[0]);
        return WIFEXITED(status) && WEXITSTATUS(status) == 0
                       ? 0
                       : error_kind(err, ERROR_INTERNAL, "'%s' failed", argv[0]);
}

/* Behind all that are given out. */
static int next_range(const char *file, int64_t *ret, Error *err) {
        _cleanup_free_ char *text = NULL;
        _cleanup_strv_ char **lines = NULL;
        int r = read_file(file, &text, err);

        lines = r < 0 ? NULL : str_split(text, '\n');
        *ret = FIRST_RANGE;
        for (size_t i = 0; r == 0 && lines && lines[i]; i++) {
                _cleanup_free_ char *who = NULL;
                int64_t first, size;

                if (!*lines[i] || *lines[i] == '#')
                        continue;
                r = parse_line(file, i + 1, lines[i], &who, &first, &size, err);
                if (r == 0)
                        *ret = MAX(*ret, first + size);
        }
        if (r == 0 && *ret > UINT32_MAX - RANGE_SIZE)
                return INVALID("%s: there is no room for %d more ids", file, RANGE_SIZE);
        return r;
}

static bool has_range(const char *file) {
        IdRange *ranges = NULL;
        size_t count;
        Error ignored = {};
        const struct passwd *found = getpwnam(DEFAULT_USER);
        bool has = found &&
                   read_ranges(file, DEFAULT_USER, found->pw_uid, &ranges, &count, &ignored) == 0;

        free(ranges);
        return has;
}

static int give_range(const char *file, const char *flag, Error *err) {
        char *argv[] = { (char *)"/usr/sbin/usermod", (char *)flag, NULL, (char *)DEFAULT_USER,
                         NULL };
        _cleanup_free_ char *range = NULL;
        int64_t first;
        int r;

        if (has_range(file))
                return 0;
        r = next_range(file, &first, err);
        if (r < 0)
                return r;
        range = str_format("%lld-%lld", (long long)first, (long long)(first + RANGE_SIZE - 1));
        argv[2] = range;
        return run_program(argv, err);
}

static int make_default_user(Error *err) {
        char *argv[] = { (char *)"/usr/sbin/useradd",
                         (char *)"--system",
                         (char *)"--user-group",
                         (char *)"--shell",
                         (char *)"/bin/false",
                         (char *)DEFAULT_USER,
                         NULL };
        int r = getpwnam(DEFAULT_USER) ? 0 : run_program(argv, err);

        if (r == 0)
                r = give_range(SUBUID, "--add-subuids", err);
        if (r == 0)
                r = give_range(SUBGID, "--add-subgids", err);
        return r < 0 ? error_prefix(err, "userns-remap \"default\": make the user " DEFAULT_USER
                                         " (or make him with useradd, and his ranges in " SUBUID
                                         " and " SUBGID ")")
                     : 0;
}

/* ---- together ---- */

static int resolve_person(const char *text, Person *ret, Error *err) {
        _cleanup_strv_ char **parts = str_split(text, ':');
        size_t count = strv_length(parts);
        const char *user = count > 0 ? parts[0] : "";
        int r = 0;

        if (count < 1 || count > 2 || !*user || (count == 2 && !*parts[1]))
                return INVALID("userns-remap: invalid user or group '%s': give default, USER or "
                               "USER:GROUP",
                               text);
        if (str_equal(user, "default")) {
                r = make_default_user(err);
                user = DEFAULT_USER;
        }
        if (r == 0)
                r = look_up_user(user, ret, err);
        return r < 0 ? r : look_up_group(count == 2 ? parts[1] : user, ret, err);
}

/* By the user's name, as subgid(5) has it; dockerd before 20.10 went by the group's. */
static int read_groups(const Person *person, Remap *remap, Error *err) {
        Error ignored = {};
        int r = read_ranges(SUBGID, person->name, person->uid, &remap->gids, &remap->gid_count,
                            err);

        if (r == -ENOENT && read_ranges(SUBGID, person->group, person->gid, &remap->gids,
                                        &remap->gid_count, &ignored) == 0)
                return 0;
        return r;
}

int remap_resolve(const char *text, Remap *ret, Error *err) {
        _cleanup_(person_done) Person person = {};
        _cleanup_(remap_done) Remap remap = {};
        int r = resolve_person(text, &person, err);

        if (r < 0)
                return r;
        if (person.uid == 0) {
                log_warn("userns-remap: root is not remapped to itself; user namespaces are off");
                return 0;
        }
        r = read_ranges(SUBUID, person.name, person.uid, &remap.uids, &remap.uid_count, err);
        if (r == 0)
                r = read_groups(&person, &remap, err);
        if (r < 0)
                return error_prefix(err, "userns-remap");
        *ret = remap;
        remap = (Remap){};
        return 0;
}

int remap_check(const Remap *remap, const char *data_root, Error *err) {
        const IdMap map = { remap->uids, remap->gids, remap->uid_count, remap->gid_count };
        _cleanup_close_ int dir_fd = -1, userns_fd = -1, view_fd = -1;
        struct utsname name;
        int major = 0, minor = 0, r;

        if (remap->uid_count == 0)
                return 0;
        if (uname(&name) == 0 && sscanf(name.release, "%d.%d", &major, &minor) == 2 &&
            (major < 5 || (major == 5 && minor < 19)))
                return error_kind(err, ERROR_UNSUPPORTED,
                                  "userns-remap: this kernel is Linux %s, and overlayfs takes "
                                  "id-mapped layers from 5.19 on",
                                  name.release);
        dir_fd = open(data_root, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (dir_fd < 0)
                return error_set(err, errno, "open '%s'", data_root);
        r = userns_new(&map, &userns_fd, NULL, err);
        if (r == 0)
                r = userns_view(dir_fd, userns_fd, &view_fd, err);
        return r < 0 ? error_prefix(err, "userns-remap: data root '%s'", data_root) : 0;
}
