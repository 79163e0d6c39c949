/* tree-digest.c: the digest of what is selected. One thread walks and adds entries up in order;
 * contents that the memo does not know are read by others, from a ring of bounded length, so that
 * memory stays flat. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/sysmacros.h>

#include "base/clock.h"
#include "build/tree-private.h"

#define RING 256u
#define THREADS_MAX 8u
#define READ_SIZE ((size_t)256 << 10)

/* Within one tick of the file system's clock a file can change and keep its times: what was changed
 * so lately is not remembered. Whole seconds mean a clock that has only those. */
#define TICK (20 * NSEC_PER_MSEC)
#define COARSE_TICK (2 * NSEC_PER_SEC)

/* An entry whose turn has not come. */
typedef struct Pending {
        char *name, *path;
        char *head; /* all of it but the content */
        bool has_content;
        FileStamp stamp;
        char *attributes; /* of what has content and is to be read: a part of what is remembered */
        char content[DIGEST_TEXT_MAX];
        bool done;
        int r;
        Error *err; /* where r is negative */
} Pending;

typedef struct Digesting {
        const Tree *tree;
        const SelectOptions *options;
        const TreeJob *job;
        Digester total;
        Pending ring[RING]; /* [first, next) are used, [claim, next) wait for a reader */
        size_t first, claim, next;
        bool stop;
        pthread_mutex_t lock;
        pthread_cond_t wake_readers, wake_walker;
        pthread_t readers[THREADS_MAX];
        unsigned reader_count;
        bool started;
} Digesting;

/* ---- contents ---- */

static bool is_settled(const FileStamp *stamp) {
        bool coarse = stamp->ctime % NSEC_PER_SEC == 0;

        return clock_now() - MAX(stamp->ctime, stamp->mtime) > (coarse ? COARSE_TICK : TICK);
}

static int read_content(const Digesting *digesting, Pending *pending, int fd, Error *err) {
        /* A byte more than a small file has, so that its end is seen at once. */
        const size_t capacity = MIN((size_t)pending->stamp.size + 1, READ_SIZE);
        _cleanup_free_ char *buffer = alloc_resize(NULL, 1, capacity);
        uint64_t left = pending->stamp.size;
        Digester digester;

        digester_init(&digester);
        for (;;) {
                ssize_t length = read(fd, buffer, capacity);
                int r;

                if (length < 0 && errno == EINTR)
                        continue;
                if (length < 0)
                        return error_set(err, errno, "read '%s'", pending->path);
                if (length == 0 || left == 0)
                        break;
                /* What is beyond its size belongs to a file that grows, or is told by its stamp. */
                digester_add(&digester, buffer, (size_t)MIN((uint64_t)length, left));
                left -= MIN((uint64_t)length, left);
                if (digesting->job && digesting->job->read)
                        digesting->job->read(digesting->job->data, (size_t)length);
                r = (size_t)length == capacity ? tree_check_cancelled(digesting->job, err) : 0;
                if (r < 0)
                        return r;
        }
        digester_end(&digester, pending->content);
        return 0;
}

/* Both change the stamp, so both are remembered as one, and an unchanged file has neither read. */
static void join_attributes(Pending *pending) {
        Digester digester;

        if (str_empty(pending->attributes))
                return;
        digester_init(&digester);
        digester_add(&digester, pending->attributes, strlen(pending->attributes));
        digester_add(&digester, pending->content, strlen(pending->content));
        digester_end(&digester, pending->content);
}

static int check_stamp(const Digesting *digesting, const Pending *pending, int fd, bool *ret_grows,
                       Error *err) {
        struct stat status;
        FileStamp stamp;

        if (fstat(fd, &status) < 0)
                return error_set(err, errno, "'%s'", pending->path);
        *ret_grows = tree_grows(digesting->tree, &status);
        stamp = stamp_of(&status);
        return S_ISREG(status.st_mode) && stamp_equal(&stamp, &pending->stamp)
                       ? 0
                       : changed_during(pending->path, err);
}

static int digest_file(const Digesting *digesting, Pending *pending, Error *err) {
        const FileMemo *memo = digesting->tree->memo;
        const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
        _cleanup_close_ int fd =
                tree_open(digesting->tree->root_fd, pending->path, flags | O_NOATIME);
        bool grows = false;
        int r;

        if (fd == -EPERM) /* only its owner may leave its access time alone */
                fd = tree_open(digesting->tree->root_fd, pending->path, flags);
        if (fd == -ELOOP || fd == -ENOTDIR || fd == -ENOENT) /* it was a file a moment ago */
                return changed_during(pending->path, err);
        if (fd < 0)
                return error_set(err, fd, "open '%s'", pending->path);
        r = check_stamp(digesting, pending, fd, &grows, err);
        if (r == 0)
                r = read_content(digesting, pending, fd, err);
        if (r == 0)
                r = check_stamp(digesting, pending, fd, &grows, err);
        if (r == 0)
                join_attributes(pending);
        if (r == 0 && memo && !grows && is_settled(&pending->stamp))
                memo->put(memo->data, &pending->stamp, pending->content);
        return r;
}

static void fill_content(const Digesting *digesting, Pending *pending) {
        Error err = {};

        pending->r = digest_file(digesting, pending, &err);
        if (pending->r < 0)
                pending->err = alloc_copy(&err, sizeof(err));
}

/* ---- readers ---- */

static void *read_contents(void *data) {
        Digesting *digesting = data;

        (void)pthread_mutex_lock(&digesting->lock);
        for (;;) {
                Pending *pending;

                while (!digesting->stop && digesting->claim == digesting->next)
                        (void)pthread_cond_wait(&digesting->wake_readers, &digesting->lock);
                if (digesting->stop)
                        break;
                pending = &digesting->ring[digesting->claim++ % RING];
                if (pending->done)
                        continue;
                (void)pthread_mutex_unlock(&digesting->lock);
                fill_content(digesting, pending);
                (void)pthread_mutex_lock(&digesting->lock);
                pending->done = true;
                if (pending == &digesting->ring[digesting->first % RING])
                        (void)pthread_cond_signal(&digesting->wake_walker);
        }
        (void)pthread_mutex_unlock(&digesting->lock);
        return NULL;
}

static unsigned wanted_threads(const TreeJob *job) {
        cpu_set_t set;
        int count = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;

        return MIN(job && job->threads ? job->threads : (unsigned)count, THREADS_MAX);
}

/* Only once a content is to be read; a thread that cannot be had is done without. */
static void start_readers(Digesting *digesting) {
        unsigned wanted;

        if (digesting->started)
                return;
        digesting->started = true;
        wanted = wanted_threads(digesting->job);
        while (wanted > 1 && digesting->reader_count < wanted &&
               pthread_create(&digesting->readers[digesting->reader_count], NULL, read_contents,
                              digesting) == 0)
                digesting->reader_count++;
}

static void stop_readers(Digesting *digesting) {
        (void)pthread_mutex_lock(&digesting->lock);
        digesting->stop = true;
        (void)pthread_cond_broadcast(&digesting->wake_readers);
        (void)pthread_mutex_unlock(&digesting->lock);
        for (unsigned i = 0; i < digesting->reader_count; i++)
                (void)pthread_join(digesting->readers[i], NULL);
}

/* ---- adding up ---- */

static void pending_done(Pending *pending) {
        free(pending->name);
        free(pending->path);
        free(pending->head);
        free(pending->attributes);
        free(pending->err);
        *pending = (Pending){};
}

/* pending's turn has come. */
static int add_up(Digesting *digesting, Pending *pending, Error *err) {
        Digester digester;
        char digest[DIGEST_TEXT_MAX];
        int r = pending->r;

        if (r < 0) {
                if (err)
                        *err = *pending->err;
                return r;
        }
        digester_init(&digester);
        digester_add(&digester, pending->head, strlen(pending->head));
        if (pending->has_content)
                digester_add(&digester, pending->content, strlen(pending->content));
        digester_end(&digester, digest);
        digester_add(&digesting->total, pending->name, strlen(pending->name) + 1);
        digester_add(&digesting->total, digest, DIGEST_LENGTH);
        if (digesting->job && digesting->job->sink)
                digesting->job->sink(digesting->job->data, pending->path, digest);
        return 0;
}

/* Adds up what is done at the front of the ring; waits until no more than `most` are left in it. */
static int drain(Digesting *digesting, size_t most, Error *err) {
        int r = 0;

        (void)pthread_mutex_lock(&digesting->lock);
        while (r == 0 && digesting->first < digesting->next) {
                Pending *pending = &digesting->ring[digesting->first % RING];

                if (!pending->done) {
                        if (digesting->next - digesting->first <= most)
                                break;
                        (void)pthread_cond_wait(&digesting->wake_walker, &digesting->lock);
                        continue;
                }
                (void)pthread_mutex_unlock(&digesting->lock);
                r = add_up(digesting, pending, err);
                (void)pthread_mutex_lock(&digesting->lock);
                pending_done(pending);
                digesting->first++;
                digesting->claim = MAX(digesting->claim, digesting->first);
        }
        (void)pthread_mutex_unlock(&digesting->lock);
        return r;
}

/* Takes what pending owns. */
static int enqueue(Digesting *digesting, Pending *pending, Error *err) {
        int r = drain(digesting, RING - 1, err);

        if (r == 0 && pending->done && digesting->first == digesting->next) {
                r = add_up(digesting, pending, err);
        } else if (r == 0) {
                (void)pthread_mutex_lock(&digesting->lock);
                digesting->ring[digesting->next++ % RING] = *pending;
                if (!pending->done)
                        (void)pthread_cond_signal(&digesting->wake_readers);
                (void)pthread_mutex_unlock(&digesting->lock);
                return 0;
        }
        pending_done(pending);
        return r;
}

/* ---- an entry's head ---- */

static int add_attributes(Buf *head, const WalkEntry *entry, Error *err) {
        Attributes attributes = {};
        int r = attributes_read(entry->dir_fd, entry->base, &attributes, err);

        if (r < 0)
                return error_prefix(err, "'%s'", entry->path);
        for (size_t i = 0; i < attributes.count; i++) {
                char digest[DIGEST_TEXT_MAX];

                digest_of(attributes.items[i].value, attributes.items[i].size, digest);
                buf_format(head, "xattr %zu:%s %s\n", strlen(attributes.items[i].name),
                           attributes.items[i].name, digest);
        }
        attributes_done(&attributes);
        return 0;
}

/* With chmod the mode that results, so that what it overrides does not count. */
static int add_mode(const Digesting *digesting, Buf *head, const struct stat *status, Error *err) {
        unsigned mode = status->st_mode & PERMISSION_BITS;
        int r = 0;

        if (S_ISLNK(status->st_mode))
                return 0;
        if (digesting->options && digesting->options->chmod)
                r = mode_apply(digesting->options->chmod, mode, S_ISDIR(status->st_mode), &mode,
                               err);
        buf_format(head, "mode %o\n", mode);
        return r;
}

/* Whether of a directory whose content is selected more is seen than that. */
static bool shown_itself(const Digesting *digesting, const WalkEntry *entry) {
        return digesting->options && digesting->options->itself &&
               (*entry->path || !digesting->tree->neutral_owner);
}

static bool has_content(const struct stat *status) {
        return S_ISREG(status->st_mode) && status->st_size > 0;
}

static int build_head(const Digesting *digesting, const WalkEntry *entry, Buf *head, Error *err) {
        const struct stat *status = entry->status;
        int r;

        buf_format(head, "type %o\n", (unsigned)(status->st_mode & S_IFMT));
        if (*entry->name == '\0' && !shown_itself(digesting, entry))
                return 0;
        r = add_mode(digesting, head, status, err);
        if (!digesting->options || !digesting->options->chown)
                buf_format(head, "owner %u:%u\n",
                           digesting->tree->neutral_owner ? 0 : (unsigned)status->st_uid,
                           digesting->tree->neutral_owner ? 0 : (unsigned)status->st_gid);
        if (entry->chosen) /* what ADD makes of an archive depends on it */
                buf_add_str(head, "chosen\n");
        if (S_ISREG(status->st_mode))
                buf_format(head, "size %lld\n", (long long)status->st_size);
        if (S_ISBLK(status->st_mode) || S_ISCHR(status->st_mode))
                buf_format(head, "device %u:%u\n", major(status->st_rdev), minor(status->st_rdev));
        if (r == 0 && S_ISLNK(status->st_mode)) {
                _cleanup_free_ char *target = NULL;

                r = link_target(entry->dir_fd, entry->base, entry->path, &target, err);
                if (r == 0)
                        buf_format(head, "link %zu:%s\n", strlen(target), target);
        }
        return r < 0 || has_content(status) ? r : add_attributes(head, entry, err);
}

static int digest_entry(void *data, const WalkEntry *entry, Error *err) {
        Digesting *digesting = data;
        const FileMemo *memo = digesting->tree->memo;
        _cleanup_buf_ Buf head = {}, attributes = {};
        Pending pending = { .done = true, .has_content = has_content(entry->status) };
        int r = build_head(digesting, entry, &head, err);

        if (r == 0 && pending.has_content) {
                pending.stamp = stamp_of(entry->status);
                pending.done = memo && memo->get(memo->data, &pending.stamp, pending.content);
        }
        if (r == 0 && !pending.done)
                r = add_attributes(&attributes, entry, err);
        if (r < 0)
                return r;
        pending.attributes = attributes.length ? buf_take(&attributes) : NULL;
        pending.name = str_copy(entry->name);
        pending.path = str_copy(entry->path);
        pending.head = buf_take(&head);
        if (!pending.done)
                start_readers(digesting);
        if (!pending.done && digesting->reader_count == 0) {
                fill_content(digesting, &pending);
                pending.done = true;
        }
        return enqueue(digesting, &pending, err);
}

static int ignore_leave(void *data, const WalkEntry *entry, Error *err) {
        (void)data;
        (void)entry;
        (void)err;
        return 0;
}

/* Several things demand a directory at the destination, one does not. */
static void add_count(Digesting *digesting, const Selection *selection) {
        char count[24];
        int length = snprintf(count, sizeof(count), "%zu", selection->count);

        digester_add(&digesting->total, count, (size_t)length + 1);
}

static int walk_and_add(Digesting *digesting, const Selection *selection,
                        const IgnorePatterns *excludes, Error *err) {
        static const WalkVisitor visitor = { digest_entry, ignore_leave, digest_entry };
        Walk walk = {
                .tree = digesting->tree,
                .excludes = excludes,
                .job = digesting->job,
                .visitor = &visitor,
                .data = digesting,
                .parents = digesting->options && digesting->options->parents,
                .base_fd = -1,
        };
        int r = walk_selection(&walk, selection, err);

        walk_done(&walk);
        return r < 0 ? r : drain(digesting, 0, err);
}

DEFINE_CLEANUP(IgnorePatterns *, ignore_free)

int tree_digest(const Tree *tree, const Selection *selection, const SelectOptions *options,
                const TreeJob *job, char digest[DIGEST_TEXT_MAX], Error *err) {
        _cleanup_(ignore_freep) IgnorePatterns *excludes = NULL;
        _cleanup_free_ Digesting *digesting = NULL;
        int r = options && options->excludes ? ignore_from_list(options->excludes, &excludes, err)
                                             : 0;

        if (r < 0)
                return r;
        digesting = NEW(Digesting);
        digesting->tree = tree;
        digesting->options = options;
        digesting->job = job;
        (void)pthread_mutex_init(&digesting->lock, NULL);
        (void)pthread_cond_init(&digesting->wake_readers, NULL);
        (void)pthread_cond_init(&digesting->wake_walker, NULL);
        digester_init(&digesting->total);
        add_count(digesting, selection);
        r = walk_and_add(digesting, selection, excludes, err);
        stop_readers(digesting);
        for (size_t i = 0; i < RING; i++)
                pending_done(&digesting->ring[i]);
        (void)pthread_cond_destroy(&digesting->wake_walker);
        (void)pthread_cond_destroy(&digesting->wake_readers);
        (void)pthread_mutex_destroy(&digesting->lock);
        if (r == 0)
                digester_end(&digesting->total, digest);
        return r;
}
