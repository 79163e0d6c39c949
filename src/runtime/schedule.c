/* schedule.c: how the kernel is to run a process: its policy, its priorities, its processors, its
 * personality. runtime-spec config.md "Scheduler", "IO Priority", "execCPUAffinity";
 * config-linux.md "Personality". */
#include <errno.h>
#include <linux/ioprio.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/personality.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/private.h"

/* sched_setattr(2); the kernel's header cannot be included beside the C library's. */
typedef struct SchedulingAttributes {
        uint32_t size, sched_policy;
        uint64_t sched_flags;
        int32_t sched_nice;
        uint32_t sched_priority;
        uint64_t sched_runtime, sched_deadline, sched_period;
} SchedulingAttributes;

typedef struct Word {
        const char *name;
        uint64_t value;
} Word;

static const Word io_classes[] = {
        { "IOPRIO_CLASS_RT", IOPRIO_CLASS_RT },
        { "IOPRIO_CLASS_BE", IOPRIO_CLASS_BE },
        { "IOPRIO_CLASS_IDLE", IOPRIO_CLASS_IDLE },
        {},
};
static const Word policies[] = {
        { "SCHED_OTHER", SCHED_OTHER },
        { "SCHED_FIFO", SCHED_FIFO },
        { "SCHED_RR", SCHED_RR },
        { "SCHED_BATCH", SCHED_BATCH },
        { "SCHED_ISO", 4 },
        { "SCHED_IDLE", SCHED_IDLE },
        { "SCHED_DEADLINE", 6 },
        {},
};
static const Word flags[] = {
        { "SCHED_FLAG_RESET_ON_FORK", SCHED_FLAG_RESET_ON_FORK },
        { "SCHED_FLAG_RECLAIM", SCHED_FLAG_RECLAIM },
        { "SCHED_FLAG_DL_OVERRUN", SCHED_FLAG_DL_OVERRUN },
        { "SCHED_FLAG_KEEP_POLICY", SCHED_FLAG_KEEP_POLICY },
        { "SCHED_FLAG_KEEP_PARAMS", SCHED_FLAG_KEEP_PARAMS },
        { "SCHED_FLAG_UTIL_CLAMP_MIN", SCHED_FLAG_UTIL_CLAMP_MIN },
        { "SCHED_FLAG_UTIL_CLAMP_MAX", SCHED_FLAG_UTIL_CLAMP_MAX },
        {},
};
static const Word domains[] = { { "LINUX", PER_LINUX }, { "LINUX32", PER_LINUX32 }, {} };

static const Word *find(const Word *words, const char *name) {
        for (; words->name; words++)
                if (str_equal(words->name, name))
                        return words;
        return NULL;
}

static int check(const Word *words, const char *field, const char *name, Error *err) {
        return find(words, name)
                       ? 0
                       : error_kind(err, ERROR_INVALID, "%s: '%s' is not known", field, name ?: "");
}

static int parse_processors(const char *field, const char *text, cpu_set_t *ret, Error *err) {
        _cleanup_strv_ char **parts = str_split(text, ',');

        CPU_ZERO(ret);
        for (char **part = parts; part && *part; part++) {
                char *dash = strchr(*part, '-');
                int first, last;

                if (dash)
                        *dash = '\0';
                if (str_to_int_in(*part, 0, CPU_SETSIZE - 1, &first) < 0 ||
                    str_to_int_in(dash ? dash + 1 : *part, first, CPU_SETSIZE - 1, &last) < 0)
                        return error_kind(err, ERROR_INVALID, "%s: '%s' is no list of processors",
                                          field, text);
                for (int i = first; i <= last; i++)
                        CPU_SET((size_t)i, ret);
        }
        return 0;
}

static int check_scheduler(const OciScheduler *scheduler, Error *err) {
        int r = check(policies, "process.scheduler.policy", scheduler->policy, err);

        for (char **flag = scheduler->flags; r == 0 && flag && *flag; flag++)
                r = check(flags, "process.scheduler.flags", *flag, err);
        if (r == 0 && (scheduler->nice < -20 || scheduler->nice > 19))
                r = error_kind(err, ERROR_INVALID,
                               "process.scheduler.nice: must be between -20 and 19");
        if (r == 0 && (scheduler->priority < 0 || scheduler->priority > 99))
                r = error_kind(err, ERROR_INVALID,
                               "process.scheduler.priority: must be between 0 and 99");
        return r;
}

int schedule_validate(const OciProcess *process, Error *err) {
        const OciCpuAffinity *affinity = process->exec_cpu_affinity;
        cpu_set_t set;
        int r = process->io_priority ? check(io_classes, "process.ioPriority.class",
                                             process->io_priority->class_, err)
                                     : 0;

        if (r == 0 && process->io_priority &&
            (process->io_priority->priority < 0 || process->io_priority->priority > 7))
                r = error_kind(err, ERROR_INVALID,
                               "process.ioPriority.priority: must be between 0 and 7");
        if (r == 0 && process->scheduler)
                r = check_scheduler(process->scheduler, err);
        if (r == 0 && affinity && !str_empty(affinity->initial))
                r = parse_processors("process.execCPUAffinity.initial", affinity->initial, &set,
                                     err);
        if (r == 0 && affinity && !str_empty(affinity->final))
                r = parse_processors("process.execCPUAffinity.final", affinity->final, &set, err);
        return r;
}

int personality_validate(const OciPersonality *wanted, Error *err) {
        if (wanted->flags && *wanted->flags)
                return error_kind(err, ERROR_INVALID,
                                  "linux.personality.flags: '%s': no flags are defined",
                                  *wanted->flags);
        return check(domains, "linux.personality.domain", wanted->domain, err);
}

static int set_scheduler(const OciScheduler *scheduler, Error *err) {
        SchedulingAttributes attributes = {
                .size = sizeof(attributes),
                .sched_policy = (uint32_t)find(policies, scheduler->policy)->value,
                .sched_nice = (int32_t)scheduler->nice,
                .sched_priority = (uint32_t)scheduler->priority,
                .sched_runtime = scheduler->runtime,
                .sched_deadline = scheduler->deadline,
                .sched_period = scheduler->period
        };

        for (char **flag = scheduler->flags; flag && *flag; flag++)
                attributes.sched_flags |= find(flags, *flag)->value;
        if (syscall(SYS_sched_setattr, 0, &attributes, 0) < 0)
                return error_set(err, errno, "process.scheduler: %s", scheduler->policy);
        return 0;
}

int schedule_process(const OciProcess *process, Error *err) {
        const OciIoPriority *priority = process->io_priority;
        int r = process->scheduler ? set_scheduler(process->scheduler, err) : 0;

        if (r == 0 && priority &&
            syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0,
                    IOPRIO_PRIO_VALUE((int)find(io_classes, priority->class_)->value,
                                      (int)priority->priority)) < 0)
                return error_set(err, errno, "process.ioPriority: %s %lld", priority->class_,
                                 (long long)priority->priority);
        return r;
}

int schedule_on(const char *processors, Error *err) {
        cpu_set_t set;
        int r;

        if (str_empty(processors))
                return 0;
        r = parse_processors("process.execCPUAffinity", processors, &set, err);
        if (r == 0 && sched_setaffinity(0, sizeof(set), &set) < 0)
                return error_set(err, errno, "process.execCPUAffinity: processors '%s'",
                                 processors);
        return r;
}

int personality_set(const OciPersonality *wanted, Error *err) {
        if (personality((unsigned long)find(domains, wanted->domain)->value) < 0)
                return error_set(err, errno, "linux.personality: %s", wanted->domain);
        return 0;
}
