/* cgroup.h: control groups, v1, hybrid and v2, behind one set of calls. Linux
 * Documentation/admin-guide/cgroup-v1, cgroup-v2.rst. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

/* Paths are absolute, without "." and ".." components; anything else is invalid. */

typedef enum CgroupMode { CGROUP_V1, CGROUP_HYBRID, CGROUP_V2 } CgroupMode;

int cgroup_mode(CgroupMode *ret, Error *err); /* read once from /sys/fs/cgroup */

/* path: below the mount point of each hierarchy, e.g. "/brig/<id>". Created with its parents in
 * every hierarchy in use. */
int cgroup_create(const char *path, Error *err);
/* Only what cgroup_clone_fd needs of it; cgroup_create makes the rest. */
int cgroup_create_unified(const char *path, Error *err);
/* A descriptor for CLONE_INTO_CGROUP: v2, and the unified hierarchy of hybrid; pure v1 has none: -1
 * in *ret_fd. */
int cgroup_clone_fd(const char *path, int *ret_fd, Error *err);
/* v1 and hybrid: the files in which a process that was just cloned writes "0" to move itself into
 * each hierarchy that cgroup_clone_fd does not cover (the kernel then takes no global lock, as it
 * does for cgroup_attach). v2: none. */
#define CGROUP_HIERARCHIES_MAX 24
int cgroup_join_fds(const char *path, int fds[CGROUP_HIERARCHIES_MAX], size_t *ret_count,
                    Error *err);
/* The same for groups below path: each text is "sub/path", for every hierarchy, or
 * "controller,controller:sub/path". A group that is missing is an error. */
int cgroup_join_subgroups(const char *path, char *const *texts, int fds[CGROUP_HIERARCHIES_MAX],
                          size_t *ret_count, Error *err);
int cgroup_check_subgroup(const char *text, Error *err);
char *cgroup_subgroup(const char *path, const char *text); /* the caller's */
/* Moves a process by number, in every hierarchy. */
int cgroup_attach(const char *path, pid_t pid, Error *err);
/* Writes one control file: controller "memory", file "memory.limit_in_bytes"; on v2 the controller
 * is ignored. */
int cgroup_write(const char *path, const char *controller, const char *file, const char *text,
                 Error *err);
/* The same for each of several texts, which a file such as devices.allow takes one a write. */
int cgroup_write_each(const char *path, const char *controller, const char *file,
                      char *const *texts, Error *err);
/* Whether a hierarchy with this controller exists and the group was made in it. */
bool cgroup_has(const char *path, const char *controller);
int cgroup_read(const char *path, const char *controller, const char *file, char **ret, Error *err);
/* SIGKILLs every member (cgroup.kill, or the freezer and pidfds) and waits at most timeout (ns)
 * until it is empty. */
int cgroup_kill(const char *path, int64_t timeout, Error *err);
int cgroup_freeze(const char *path, bool frozen, int64_t timeout, Error *err);
int cgroup_is_frozen(const char *path, bool *ret, Error *err);
int cgroup_remove(const char *path, Error *err); /* with its children; missing is success */
/* The names of the groups right below path, of any hierarchy, each once; the caller's. None where
 * it is not there. */
int cgroup_children(const char *path, char ***ret, Error *err);
bool cgroup_exists(const char *path); /* where members are counted or frozen */
/* Removes the group where it has neither members nor children. Whether nothing of it is left. */
bool cgroup_remove_empty(const char *path);
int cgroup_pids(const char *path, pid_t **ret, size_t *ret_count,
                Error *err); /* recursive; the caller's array */

typedef struct CgroupCount {
        char *name;
        uint64_t value;
} CgroupCount;

/* What one block device did: operation is the kernel's word ("Read", "write"), "" where it has
 * none. */
typedef struct CgroupIoCount {
        uint64_t major, minor, value;
        char operation[16];
} CgroupIoCount;

typedef enum CgroupIoKind {
        CGROUP_IO_BYTES,
        CGROUP_IO_OPERATIONS,
        CGROUP_IO_QUEUED,
        CGROUP_IO_SERVICE_TIME, /* ns, as the wait */
        CGROUP_IO_WAIT_TIME,
        CGROUP_IO_MERGED,
        CGROUP_IO_TIME,
        CGROUP_IO_SECTORS,
        CGROUP_IO_KINDS
} CgroupIoKind;

typedef struct CgroupIoCounts {
        CgroupIoCount *items;
        size_t count;
} CgroupIoCounts;

/* What a group and those below it use: bytes, ns, and counts. What a hierarchy lacks stays 0; a
 * limit is 0 where there is none. */
typedef struct CgroupStats {
        uint64_t memory_usage, memory_max_usage, memory_limit, memory_failures, oom_kills;
        uint64_t cpu_total, cpu_user, cpu_system;
        uint64_t cpu_periods, cpu_throttled_periods, cpu_throttled;
        uint64_t pids_current, pids_limit;
        uint64_t *cpu_each; /* of each processor; v1 alone has it */
        size_t cpu_count;
        CgroupCount *memory; /* memory.stat, in the kernel's order */
        size_t memory_count;
        CgroupIoCounts io[CGROUP_IO_KINDS]; /* v2: bytes and operations */
} CgroupStats;
/* not_found where there is no such group. cgroup_stats_done frees it. */
int cgroup_stats(const char *path, CgroupStats *ret, Error *err);
void cgroup_stats_done(CgroupStats *stats);
uint64_t cgroup_stats_memory(const CgroupStats *stats, const char *name); /* 0: it has none */

/* The limits that a group has, so that a change of several of them can be taken back as a whole. */
typedef struct CgroupSaved CgroupSaved;
CgroupSaved *cgroup_save(const char *path); /* never NULL */
/* Writes back what differs. The error is about the last file that did not take it. */
int cgroup_restore(const CgroupSaved *saved, Error *err);
CgroupSaved *cgroup_saved_free(CgroupSaved *saved); /* NULL is fine; returns NULL */
