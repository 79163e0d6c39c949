/* cgroup-saved.c: the limits of a group as they were, to go back to them. Linux
 * Documentation/admin-guide/cgroup-v1, cgroup-v2.rst. */
#include "os/cgroup-private.h"

typedef struct SavedFile {
        const char *controller, *file;
        char *text; /* its first line; NULL: there is no such file */
} SavedFile;

/* Those of version 2 have no controller's name. */
static const SavedFile limits[] = {
        { .controller = "memory", .file = "memory.limit_in_bytes" },
        { .controller = "memory", .file = "memory.memsw.limit_in_bytes" },
        { .controller = "memory", .file = "memory.soft_limit_in_bytes" },
        { .controller = "cpu", .file = "cpu.shares" },
        { .controller = "cpu", .file = "cpu.cfs_period_us" },
        { .controller = "cpu", .file = "cpu.cfs_quota_us" },
        { .controller = "cpu", .file = "cpu.rt_period_us" },
        { .controller = "cpu", .file = "cpu.rt_runtime_us" },
        { .controller = "cpuset", .file = "cpuset.cpus" },
        { .controller = "cpuset", .file = "cpuset.mems" },
        { .controller = "pids", .file = "pids.max" },
        { .controller = "blkio", .file = "blkio.weight" },
        { .controller = "blkio", .file = "blkio.bfq.weight" },
        { .controller = "memory", .file = "memory.max" },
        { .controller = "memory", .file = "memory.swap.max" },
        { .controller = "memory", .file = "memory.low" },
        { .controller = "cpu", .file = "cpu.weight" },
        { .controller = "cpu", .file = "cpu.max" },
        { .controller = "io", .file = "io.weight" },
        { .controller = "io", .file = "io.bfq.weight" },
};

struct CgroupSaved {
        char *path;
        SavedFile files[ELEMENTS(limits)];
};

/* NULL where there is no such file. */
static char *first_line(const char *path, const SavedFile *file) {
        _cleanup_free_ char *text = NULL;

        if (cgroup_read(path, file->controller, file->file, &text, NULL) < 0)
                return NULL;
        return str_copy_n(text, strcspn(text, "\n"));
}

CgroupSaved *cgroup_save(const char *path) {
        CgroupSaved *saved = NEW(CgroupSaved);

        saved->path = str_copy(path);
        for (size_t i = 0; i < ELEMENTS(limits); i++) {
                saved->files[i] = limits[i];
                saved->files[i].text = first_line(path, &limits[i]);
        }
        return saved;
}

/* True where the file holds again what it held. */
static bool write_back(const CgroupSaved *saved, const SavedFile *file, Error *err) {
        _cleanup_free_ char *now = file->text ? first_line(saved->path, file) : NULL;

        if (!now || str_equal(now, file->text))
                return true;
        /* No bytes at all would be no write. */
        return cgroup_write(saved->path, file->controller, file->file,
                            *file->text ? file->text : "\n", err) == 0;
}

/* One limit may have to wait for another, as memory for memory and swap together: each round puts
 * back what it can, and a round that puts back nothing more is the last. */
int cgroup_restore(const CgroupSaved *saved, Error *err) {
        size_t left = ELEMENTS(limits), before;
        Error why = { 0 };

        do {
                before = left;
                left = 0;
                for (size_t i = 0; i < ELEMENTS(limits); i++)
                        left += !write_back(saved, &saved->files[i], &why);
        } while (left > 0 && left < before);
        return left == 0 ? 0 : error_kind(err, ERROR_INTERNAL, "%s", why.message);
}

CgroupSaved *cgroup_saved_free(CgroupSaved *saved) {
        if (!saved)
                return NULL;
        for (size_t i = 0; i < ELEMENTS(limits); i++)
                free(saved->files[i].text);
        free(saved->path);
        free(saved);
        return NULL;
}
