/* run-name.c: the name that a run gives to what it makes, so that later ones know whose it is. Who
 * cannot be asked after lives: nothing of such a one is removed. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "drill/drill.h"
#include "format/digest.h"
#include "os/pidfd.h"

#define MACHINE_LENGTH 8
#define BOOT_LENGTH 6
#define NO_MACHINE "00000000"
/* A process's number and start time name it for good in one boot of a machine, in its namespace.
 * Paths of archives (up to 100 bytes) have it in them. */
#define NAME_FORMAT "%s-%s-%llx-%x-%llx"
#define NAME_PARSE "%8[0-9a-f]-%6[0-9a-f]-%llx-%x-%llx"
#define SUFFIX ".XXXXXX" /* mkdtemp(3) */
#define SUFFIX_CHARACTERS "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

typedef struct RunName {
        char machine[MACHINE_LENGTH + 1]; /* the begin of its id's digest, or NO_MACHINE */
        char boot[BOOT_LENGTH + 1];       /* the begin of its boot's id */
        unsigned long long namespace;     /* of process numbers: the file's number */
        unsigned pid;
        unsigned long long start; /* process_start_time */
} RunName;

static RunName own;

/* machine-id(5) wants its id told to nobody. Where there is none yet, it has no such form. */
static void find_machine(char ret[MACHINE_LENGTH + 1]) {
        _cleanup_free_ char *id = NULL, *words = NULL;
        char digest[DIGEST_TEXT_MAX];

        memcpy(ret, NO_MACHINE, sizeof(NO_MACHINE));
        if (file_read_at(AT_FDCWD, "/etc/machine-id", 64, &id, NULL, NULL) < 0 ||
            strspn(id, "0123456789abcdef") != 32)
                return;
        words = str_format("brig-drill %.32s", id);
        digest_of(words, strlen(words), digest);
        memcpy(ret, digest_hex(digest), MACHINE_LENGTH);
}

int run_name_begin(Error *err) {
        _cleanup_free_ char *boot = NULL;
        struct stat namespace;
        uint64_t start;
        int r = file_read_at(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 64, &boot, NULL, err);

        if (r == 0)
                r = process_start_time(getpid(), &start, err);
        if (r < 0)
                return r;
        if (stat("/proc/self/ns/pid", &namespace) < 0)
                return error_set(err, errno, "stat '/proc/self/ns/pid'");
        own = (RunName){ .namespace = namespace.st_ino, .pid = (unsigned)getpid(), .start = start };
        find_machine(own.machine);
        memcpy(own.boot, boot, MIN(strlen(boot), (size_t)BOOT_LENGTH));
        return 0;
}

static char *text_of(const RunName *run) {
        return str_format(NAME_FORMAT, run->machine, run->boot, run->namespace, run->pid,
                          run->start);
}

char *run_name(void) {
        return text_of(&own);
}

/* What mkdtemp has made of SUFFIX. */
static bool is_suffix(const char *text) {
        return text[0] == '.' && strlen(text) == strlen(SUFFIX) &&
               strspn(text + 1, SUFFIX_CHARACTERS) == strlen(SUFFIX) - 1;
}

/* All of the text, as it was written. */
static bool parse(const char *text, bool directory, RunName *ret) {
        _cleanup_free_ char *again = NULL;
        const char *rest;

        if (sscanf(text, NAME_PARSE, ret->machine, ret->boot, &ret->namespace, &ret->pid,
                   &ret->start) != 5)
                return false;
        again = text_of(ret);
        rest = str_after(text, again);
        return rest && (directory ? is_suffix(rest) : rest[0] == '\0') &&
               strlen(ret->machine) == MACHINE_LENGTH && strlen(ret->boot) == BOOT_LENGTH &&
               ret->pid > 0 && ret->pid <= INT_MAX;
}

/* A process that has ended and that nobody has waited for has its number and start time still. No
 * answer, as without a free descriptor, is no end. */
static bool has_ended(const RunName *run) {
        _cleanup_close_ int fd = -1;
        uint64_t start;
        int r = pidfd_of((pid_t)run->pid, &fd, NULL);

        if (r == -ENOENT)
                return true;
        if (process_start_time((pid_t)run->pid, &start, NULL) == 0 && start != run->start)
                return true;
        return r == 0 && pidfd_wait_end(fd, 0) == 0;
}

Owner run_owner(const char *text, bool directory) {
        RunName run = {};

        if (!parse(text, directory, &run))
                return OWNER_NONE;
        if (!str_equal(run.machine, own.machine))
                return OWNER_LIVES;
        if (!str_equal(run.boot, own.boot))
                return str_equal(own.machine, NO_MACHINE) ? OWNER_LIVES : OWNER_ENDED;
        if (run.namespace != own.namespace)
                return OWNER_LIVES;
        if (run.pid == own.pid && run.start == own.start)
                return OWNER_SELF;
        return has_ended(&run) ? OWNER_ENDED : OWNER_LIVES;
}
