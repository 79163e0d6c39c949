/* seccomp.c: has documents compiled, and keeps compiled programs. */
#include "runtime/seccomp.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <seccomp.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "runtime/seccomp-private.h"

bool seccomp_program_fits(size_t length) {
        return length > 0 && length % sizeof(struct sock_filter) == 0 &&
               length / sizeof(struct sock_filter) <= BPF_MAXINSNS;
}

void seccomp_program_done(SeccompProgram *program) {
        free(program->filter);
        free(program->listener_path);
        free(program->listener_metadata);
        *program = (SeccompProgram){};
}

/* A program, with what is kept beside it, in bytes. */
#define PROGRAM_FILE_MAX (1 << 20)
#define PROGRAMS_MAX 512 /* in a cache */

/* ---- cache ---- */

typedef struct CacheHeader {
        char magic[8];
        uint32_t version;      /* of libseccomp: it decides which names are known */
        uint32_t key, program; /* bytes of each, in this order after the header */
} CacheHeader;

#define CACHE_MAGIC "brigsc4"

static CacheHeader header_for(size_t key, size_t program) {
        const struct scmp_version *version = seccomp_version();
        CacheHeader header = { .magic = CACHE_MAGIC,
                               .key = (uint32_t)key,
                               .program = (uint32_t)program };

        header.version = version->major << 16 | version->minor << 8 | version->micro;
        return header;
}

static void key_number(Buf *key, int64_t number) {
        buf_add(key, &number, sizeof(number));
}

static void key_text(Buf *key, const char *text) {
        key_number(key, text ? (int64_t)strlen(text) : -1);
        buf_add(key, text ?: "", text ? strlen(text) : 0);
}

static void key_texts(Buf *key, char *const *list) {
        for (; list && *list; list++)
                key_text(key, *list);
        key_text(key, NULL);
}

/* One that may be missing. */
static void key_maybe(Buf *key, const int64_t *number) {
        key_number(key, number != NULL);
        key_number(key, number ? *number : 0);
}

static void key_rule(Buf *key, const OciSyscall *rule) {
        const OciSeccompArg *args = rule->args.items;

        key_texts(key, rule->names);
        key_text(key, rule->action);
        key_maybe(key, rule->errno_ret);
        key_number(key, (int64_t)rule->args.count);
        for (size_t i = 0; i < rule->args.count; i++) {
                key_number(key, args[i].index);
                key_number(key, (int64_t)args[i].value);
                key_number(key, (int64_t)args[i].value_two);
                key_text(key, args[i].op);
        }
}

/* All that a program follows from, each part with its length before it: no two documents with
 * different programs have one key. Made at each start, so not by way of JSON. */
static void make_key(const OciSeccomp *document, Buf *key) {
        const OciSyscall *rules = document->syscalls.items;

        key_text(key, document->default_action);
        key_maybe(key, document->default_errno_ret);
        key_texts(key, document->architectures);
        for (size_t i = 0; i < document->syscalls.count; i++)
                key_rule(key, &rules[i]);
}

/* FNV-1a: only a file name; the key itself is compared. */
static void name_of(const Buf *key, char name[24]) {
        uint64_t hash = 0xcbf29ce484222325;

        for (size_t i = 0; i < key->length; i++)
                hash = (hash ^ (unsigned char)key->data[i]) * 0x100000001b3;
        (void)snprintf(name, 24, "%016llx", (unsigned long long)hash);
}

static bool cache_read(int cache_fd, const char *name, const Buf *key, SeccompProgram *ret) {
        _cleanup_free_ char *file = NULL;
        CacheHeader header, want = header_for(key->length, 0);
        size_t length;

        if (file_read_at(cache_fd, name, PROGRAM_FILE_MAX, &file, &length, NULL) < 0 ||
            length < sizeof(header))
                return false;
        memcpy(&header, file, sizeof(header));
        want.program = header.program;
        if (memcmp(&header, &want, sizeof(header)) != 0 ||
            length != sizeof(header) + key->length + header.program ||
            memcmp(file + sizeof(header), key->data, key->length) != 0 ||
            !seccomp_program_fits(header.program))
                return false;
        ret->length = header.program;
        ret->filter = alloc_copy(file + sizeof(header) + key->length, header.program);
        return true;
}

/* Profiles that are made for each container would fill the disk: too many programs all go, and
 * those in use are compiled once more. */
static void cache_trim(int cache_fd) {
        _cleanup_close_ int fd = openat(cache_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        size_t count = 0;

        if (!dir)
                return;
        fd = -1; /* dir's */
        while (count <= PROGRAMS_MAX && readdir(dir))
                count++;
        if (count <= PROGRAMS_MAX)
                return;
        rewinddir(dir);
        for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
                (void)unlinkat(cache_fd, entry->d_name, 0); /* "." and ".." stay */
}

/* A cache that cannot be written costs the next start time, nothing else. */
static void cache_write(int cache_fd, const OciSeccomp *document, const SeccompProgram *program) {
        _cleanup_buf_ Buf key = {}, file = {};
        CacheHeader header;
        char name[24];

        make_key(document, &key);
        name_of(&key, name);
        header = header_for(key.length, program->length);
        if (sizeof(header) + key.length + program->length > PROGRAM_FILE_MAX)
                return;
        cache_trim(cache_fd);
        buf_add(&file, &header, sizeof(header));
        buf_add(&file, key.data, key.length);
        buf_add(&file, program->filter, program->length);
        (void)file_replace_at(cache_fd, name, file.data, file.length, 0600, false, NULL);
}

/* Whether calls are to be answered by an agent: then it must be named, and the process that loads
 * the filter must be able to say so, which it does by write(2). */
static int check_notify(const OciSeccomp *document, bool *ret, Error *err) {
        const OciSyscall *rules = document->syscalls.items;
        bool notifies = false;

        if (str_equal(document->default_action, "SCMP_ACT_NOTIFY"))
                return error_kind(err, ERROR_INVALID,
                                  "linux.seccomp.defaultAction: SCMP_ACT_NOTIFY cannot be used for "
                                  "every call: name the calls");
        for (size_t i = 0; i < document->syscalls.count; i++) {
                if (!str_equal(rules[i].action, "SCMP_ACT_NOTIFY"))
                        continue;
                notifies = true;
                if (strv_has(rules[i].names, "write"))
                        return error_kind(err, ERROR_INVALID,
                                          "linux.seccomp: SCMP_ACT_NOTIFY cannot be used for the "
                                          "write syscall");
        }
        if (notifies && str_empty(document->listener_path))
                return error_kind(err, ERROR_INVALID,
                                  "linux.seccomp.listenerPath: must be given for SCMP_ACT_NOTIFY");
        *ret = notifies;
        return 0;
}

/* What a program has beside its instructions. */
static int read_frame(const OciSeccomp *document, SeccompProgram *ret, Error *err) {
        bool notifies = false;
        int r = seccomp_flags_of(document->flags, &ret->flags, err);

        if (r == 0)
                r = check_notify(document, &notifies, err);
        if (r == 0 && notifies) {
                ret->listener_path = str_copy(document->listener_path);
                ret->listener_metadata =
                        document->listener_metadata ? str_copy(document->listener_metadata) : NULL;
        }
        return r;
}

int seccomp_recall(const OciSeccomp *document, int cache_fd, SeccompProgram *ret, Error *err) {
        _cleanup_(seccomp_program_done) SeccompProgram program = {};
        _cleanup_buf_ Buf key = {};
        char name[24];
        int r = read_frame(document, &program, err);

        if (r < 0 || cache_fd < 0)
                return r;
        make_key(document, &key);
        name_of(&key, name);
        if (!cache_read(cache_fd, name, &key, &program))
                return 0;
        *ret = program;
        program = (SeccompProgram){};
        return 1;
}

int seccomp_compile(const OciSeccomp *document, const char *compiler, int cache_fd,
                    SeccompProgram *ret, Error *err) {
        _cleanup_(seccomp_program_done) SeccompProgram program = {};
        int r;

        *ret = (SeccompProgram){};
        if (!document)
                return 0;
        r = seccomp_recall(document, cache_fd, ret, err);
        if (r != 0)
                return MIN(r, 0);
        r = read_frame(document, &program, err);
        if (r == 0)
                r = seccomp_compile_apart(document, compiler, &program, err);
        if (r < 0)
                return r;
        if (cache_fd >= 0)
                cache_write(cache_fd, document, &program);
        *ret = program;
        program = (SeccompProgram){};
        return 0;
}
