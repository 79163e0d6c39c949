/* cgroup-private.h: what cgroup.c shares with the two versions: the hierarchies found, and the
 * vtable. */
#pragma once

#include "base/cleanup.h"
#include "base/str.h"
#include "os/cgroup.h"

typedef struct Hierarchy {
        char name[64]; /* the directory below /sys/fs/cgroup: "cpu,cpuacct", "systemd", "unified";
                          "" for v2 */
        int fd;        /* its root, O_PATH */
} Hierarchy;

typedef struct Cgroups Cgroups;

typedef struct CgroupVersion {
        /* base: see cgroup_create_below; NULL: there is none. */
        int (*create)(const char *base, const char *path, Error *err);
        int (*kill)(const char *path, int64_t timeout, Error *err);
        int (*freeze)(const char *path, bool frozen, int64_t timeout, Error *err);
        int (*is_frozen)(const char *path, bool *ret, Error *err);
        /* Fills *ret, which is zeroed; what is missing is no error. */
        void (*stats)(const Cgroups *groups, const char *path, CgroupStats *ret);
} CgroupVersion;

struct Cgroups {
        CgroupMode mode;
        const CgroupVersion *version;
        Hierarchy v1[CGROUP_HIERARCHIES_MAX];
        size_t v1_count;
        Hierarchy unified; /* fd -1: there is none */
};

extern const CgroupVersion cgroup_v1, cgroup_v2;

/* The path checked, then the same: what every public call starts with. */
int cgroups_enter(const char *path, const Cgroups **ret, Error *err);
int cgroups_get(const Cgroups **ret, Error *err);
const Hierarchy *cgroups_find(const Cgroups *groups, const char *controller); /* NULL: none */

/* path relative to a hierarchy's root, as …at calls want it: "." for "/". */
const char *cgroup_relative(const char *path);
/* Makes path with its parents; *ret_made: the last component is new. made_level is called for each
 * new directory. */
typedef int (*CgroupLevel)(const Hierarchy *hierarchy, const char *level, Error *err);
int cgroup_make(const Hierarchy *hierarchy, const char *path, CgroupLevel level, Error *err);
/* Reads path/file of a hierarchy; not_found where it is missing. */
int cgroup_file_read(const Hierarchy *hierarchy, const char *path, const char *file, char **ret,
                     Error *err);
int cgroup_file_write(const Hierarchy *hierarchy, const char *path, const char *file,
                      const char *text, Error *err);
/* The number in a file, or after "key " in a file of lines; 0 where there is none or it says "max".
 */
uint64_t cgroup_number(const Hierarchy *hierarchy, const char *path, const char *file,
                       const char *key);
/* Waits until "key value" stands in the group's cgroup.events (v2); ns. -ETIMEDOUT. */
int cgroup_wait_event(const Hierarchy *unified, const char *path, const char *line,
                      int64_t timeout);

/* ---- cgroup-stats.c: the kernel's statistics as text ---- */
/* Lines of "name number"; adds them. */
void cgroup_parse_counts(const char *text, CgroupCount **list, size_t *count);
/* Numbers that spaces part. */
void cgroup_parse_numbers(const char *text, uint64_t **list, size_t *count);
/* v1: lines "8:0 Read 4096" or "8:0 4096"; the sum at the end is left out. */
void cgroup_parse_io(const char *text, CgroupIoCounts *ret);
/* v2's io.stat: "8:0 rbytes=1 wbytes=2 rios=3 wios=4 …"; first and second are its keys, added as
 * operations "read" and "write". */
void cgroup_parse_io_stat(const char *text, const char *first, const char *second,
                          CgroupIoCounts *ret);
/* The file's text, NULL where there is none; the caller's. hierarchy may be NULL. */
char *cgroup_text(const Hierarchy *hierarchy, const char *path, const char *file);
