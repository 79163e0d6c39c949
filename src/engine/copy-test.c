/* copy-test.c: who holds a container's layer is no less there where no descriptor is left to wait
 * for it with. */
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/test.h"
#include "engine/copy.h"
#include "engine/engine-private.h"
#include "engine/events.h"
#include "engine/registry.h"
#include "engine/state.h"

static Container container = { .lock = PTHREAD_MUTEX_INITIALIZER,
                               .state_lock = PTHREAD_MUTEX_INITIALIZER,
                               .state.status = CONTAINER_EXITED,
                               .pidfd = -1 };
static int process[2] = { -1, -1 }; /* the first stands for a program that goes on */
static int started;                 /* programs */
static int start_result;
static int (*meanwhile)(Error *err);

/* The linker puts these in the engine's way: one container, and programs that never end. */
int __wrap_container_lookup(Engine *engine, const char *ref, Container **ret, Error *err);
Container *__wrap_container_unref(Container *unused);
void __wrap_container_event(Container *of, const char *action, const Pairs *attributes);
int __wrap_container_check_exists(const Container *of, const char *doing, Error *err);
int __wrap_container_root_build(Container *of, bool writable, ContainerRoot *ret, Error *err);
int __wrap_image_copy_start(ImageStore *store, const CopyRoot *root, const CopyRequest *request,
                            ImageCopy **ret, Error *err);
int __wrap_image_copy_found(ImageCopy *copy, const CopyPatience *patience, CopyStat *ret,
                            Error *err);
int __wrap_image_copy_read(ImageCopy *copy, int *ret_fd, Error *err);
int __wrap_image_copy_finish(ImageCopy *copy, const CopyPatience *patience, Error *err);
int __wrap_image_copy_process(const ImageCopy *copy);
ImageCopy *__wrap_image_copy_free(ImageCopy *copy);

int __wrap_container_lookup(Engine *engine, const char *ref, Container **ret, Error *err) {
        (void)engine;
        (void)ref;
        (void)err;
        *ret = &container;
        return 0;
}

Container *__wrap_container_unref(Container *unused) {
        (void)unused;
        return NULL;
}

void __wrap_container_event(Container *of, const char *action, const Pairs *attributes) {
        (void)of;
        (void)action;
        (void)attributes;
}

int __wrap_container_check_exists(const Container *of, const char *doing, Error *err) {
        (void)of;
        (void)doing;
        (void)err;
        return 0;
}

int __wrap_container_root_build(Container *of, bool writable, ContainerRoot *ret, Error *err) {
        (void)of;
        (void)writable;
        (void)err;
        *ret = (ContainerRoot){ .fd = -1 };
        return 0;
}

int __wrap_image_copy_start(ImageStore *store, const CopyRoot *root, const CopyRequest *request,
                            ImageCopy **ret, Error *err) {
        (void)store;
        (void)root;
        (void)request;
        (void)ret;
        (void)err;
        started++;
        return 0;
}

int __wrap_image_copy_found(ImageCopy *copy, const CopyPatience *patience, CopyStat *ret,
                            Error *err) {
        (void)copy;
        (void)patience;
        (void)ret;
        return meanwhile(err);
}

int __wrap_image_copy_read(ImageCopy *copy, int *ret_fd, Error *err) {
        (void)copy;
        (void)err;
        *ret_fd = -1;
        return 0;
}

int __wrap_image_copy_finish(ImageCopy *copy, const CopyPatience *patience, Error *err) {
        (void)copy;
        (void)patience;
        return meanwhile(err);
}

int __wrap_image_copy_process(const ImageCopy *copy) {
        (void)copy;
        return process[0];
}

ImageCopy *__wrap_image_copy_free(ImageCopy *copy) {
        (void)copy;
        return NULL;
}

/* ---- what happens while a copy goes on ---- */

/* Takes all descriptors that there are, or gives them back. */
static void limit_descriptors(bool on) {
        static struct rlimit before;
        struct rlimit now;
        int next = dup(process[0]);

        (void)close(next);
        if (on && getrlimit(RLIMIT_NOFILE, &before) == 0) {
                now = (struct rlimit){ .rlim_cur = (rlim_t)next, .rlim_max = before.rlim_max };
                (void)setrlimit(RLIMIT_NOFILE, &now);
        } else {
                (void)setrlimit(RLIMIT_NOFILE, &before);
        }
}

static int start_meanwhile(Error *err) {
        limit_descriptors(true);
        start_result = container_copies_end(&container, "was started", err);
        limit_descriptors(false);
        return start_result;
}

static int nothing_meanwhile(Error *err) {
        (void)err;
        return 0;
}

static int copy_in(Error *err) {
        const CopyInOptions options = { .path = "/" };

        return engine_copy_in(NULL, "c", &options, -1, -1, err);
}

static int copy_in_meanwhile(Error *err) {
        meanwhile = nothing_meanwhile;
        limit_descriptors(true);
        int r = copy_in(err);
        limit_descriptors(false);
        return r;
}

/* ---- tests ---- */

static bool begin(int (*what)(Error *err)) {
        static Engine engine;

        container.engine = &engine;
        started = 0;
        meanwhile = what;
        return process[0] >= 0 || pipe2(process, O_CLOEXEC) == 0;
}

TEST(no_start_beside_a_copy_without_a_descriptor_to_wait_for_it_with) {
        Error err = {};
        CopyStat stat = {};

        ASSERT(begin(start_meanwhile));
        ASSERT(engine_copy_stat(NULL, "c", "/", -1, &stat, &err) < 0);
        ASSERT_INT(start_result, -EMFILE);
        ASSERT_INT(started, 1);
        ASSERT(!container.copies);
}

TEST(no_second_copy_into_a_layer_without_a_descriptor_to_wait_for_the_first_with) {
        Error err = {};

        ASSERT(begin(copy_in_meanwhile));
        ASSERT_INT(copy_in(&err), -EMFILE);
        ASSERT(strstr(err.message, "Too many open files"));
        ASSERT_INT(started, 1);
        /* It has ended: the next one is alone. */
        ASSERT(!container.copies);
        ASSERT_OK(copy_in(&err), &err);
        ASSERT_INT(started, 2);
}

TEST_MAIN()
