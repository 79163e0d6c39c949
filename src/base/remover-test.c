/* remover-test.c: what is removed, in which order, and who hears of the end of it. */
#include "base/remover.h"

#include <fcntl.h>
#include <semaphore.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/test.h"

typedef struct Place {
        char path[40];
        int fd;
        Remover remover;
        sem_t told, go;
        bool held; /* who is told waits for go */
} Place;

static void idle(void *data) {
        Place *place = data;
        bool held = place->held;

        (void)sem_post(&place->told);
        if (held)
                (void)sem_wait(&place->go);
}

static void place_init(Place *place) {
        *place = (Place){ .path = "/tmp/brig-remover-XXXXXX" };
        if (!mkdtemp(place->path) ||
            dir_open_at(AT_FDCWD, place->path, 0700, &place->fd, NULL) < 0 ||
            sem_init(&place->told, 0, 0) < 0 || sem_init(&place->go, 0, 0) < 0)
                abort();
        remover_init(&place->remover, "test");
}

static void place_done(Place *place) {
        (void)close(place->fd);
        (void)dir_remove_at(AT_FDCWD, place->path, NULL);
        (void)sem_destroy(&place->told);
        (void)sem_destroy(&place->go);
}

static bool make(const Place *place, const char *name) {
        return mkdirat(place->fd, name, 0755) == 0;
}

static bool is_there(const Place *place, const char *name) {
        struct stat st;

        return fstatat(place->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

TEST(all_is_removed_and_the_owner_is_told) {
        Place place;

        place_init(&place);
        remover_on_idle(&place.remover, idle, &place);
        ASSERT(make(&place, "one") && make(&place, "one/below") && make(&place, "two"));
        remover_add(&place.remover, place.fd, "one");
        remover_add(&place.remover, place.fd, "two");
        remover_add(&place.remover, place.fd, "never there");
        remover_wait(&place.remover, 0);
        ASSERT(!is_there(&place, "one") && !is_there(&place, "two"));
        ASSERT_INT(sem_wait(&place.told), 0);
        remover_wait(&place.remover, 0); /* there is nothing to wait for */
        remover_done(&place.remover);
        place_done(&place);
}

/* "one" is removed, and "two" waits for a remover that does nothing from here on. */
static bool begin_held(Place *place) {
        place_init(place);
        place->held = true;
        remover_on_idle(&place->remover, idle, place);
        if (!make(place, "one") || !make(place, "two"))
                return false;
        remover_add(&place->remover, place->fd, "one");
        if (sem_wait(&place->told) < 0)
                return false;
        remover_add(&place->remover, place->fd, "two");
        return true;
}

TEST(a_wait_ends_in_time_and_the_end_drops_what_is_left) {
        Place place;

        ASSERT(begin_held(&place));
        remover_wait(&place.remover, NSEC_PER_MSEC);
        ASSERT(is_there(&place, "two"));
        atomic_store(&place.remover.stop, true);
        ASSERT_INT(sem_post(&place.go), 0);
        remover_done(&place.remover);
        ASSERT(is_there(&place, "two"));
        place_done(&place);
}

static void *hurry(void *data) {
        remover_hurry(&((Place *)data)->remover);
        return NULL;
}

TEST(who_waits_goes_on_when_the_process_ends) {
        pthread_t thread;
        Place place;

        ASSERT(begin_held(&place));
        ASSERT_INT(pthread_create(&thread, NULL, hurry, &place), 0);
        remover_wait(&place.remover, 0);
        ASSERT(is_there(&place, "two"));
        ASSERT_INT(pthread_join(thread, NULL), 0);
        atomic_store(&place.remover.stop, true);
        ASSERT_INT(sem_post(&place.go), 0);
        remover_done(&place.remover);
        place_done(&place);
}

TEST_MAIN()
