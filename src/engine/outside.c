/* outside.c: see outside.h. */
#include "engine/outside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "base/bounded.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"

#define LOOK_TIMEOUT (5 * NSEC_PER_SEC)
/* What hangs here is not to take all that bounded_run has: volumes want some of it. Those that are
 * merely under way do not count, or a busy machine's would be refused. */
#define HANGING_MAX 8
static atomic_int hanging; /* that nobody waits for any more, and that have not ended */

typedef struct Look {
        void (*run)(void *data);
        void (*drop)(void *data);
        void *data;
} Look;

static void look_run(void *data) {
        const Look *look = data;

        look->run(look->data);
}

/* At the end of one that hung. */
static void look_drop(void *data) {
        Look *look = data;

        look->drop(look->data);
        free(look);
        atomic_fetch_sub(&hanging, 1);
}

static int look_now(const char *path, Look *look, Error *err) {
        int count = atomic_load(&hanging);

        if (count >= HANGING_MAX)
                return error_kind(err, ERROR_UNAVAILABLE,
                                  "look at '%s': %d others have had no answer yet: look whether "
                                  "their servers are there",
                                  path, count);
        int r = bounded_run(look_run, look, look_drop, LOOK_TIMEOUT);
        if (r == -ETIMEDOUT) {
                atomic_fetch_add(&hanging, 1);
                (void)error_kind(err, ERROR_UNAVAILABLE,
                                 "look at '%s': no answer in %d seconds: look whether its server "
                                 "is there",
                                 path, (int)(LOOK_TIMEOUT / NSEC_PER_SEC));
                return r;
        }
        if (r == -EBUSY)
                return error_kind(err, ERROR_UNAVAILABLE,
                                  "look at '%s': too many calls have had no answer yet", path);
        return r < 0 ? error_set(err, -r, "have a thread look at '%s'", path) : 0;
}

int outside_look(const char *path, void (*run)(void *data), void *data, void (*drop)(void *data),
                 Error *err) {
        Look *look = NEW(Look);
        int r;

        *look = (Look){ .run = run, .drop = drop, .data = data };
        r = look_now(path, look, err);
        if (r == -ETIMEDOUT) /* look and data are the call's from now on */
                return error_number_of(ERROR_UNAVAILABLE);
        if (r < 0)
                drop(data);
        free(look);
        return r;
}

/* ---- whether there is something ---- */

typedef struct Place {
        char *path;
        bool make;
        int r;
        Error error;
} Place;

static void place_free(void *data) {
        Place *place = data;

        free(place->path);
        free(place);
}

static int find_or_make(const Place *place, Error *err) {
        struct stat status;
        int r;

        if (stat(place->path, &status) == 0)
                return 1;
        if (errno != ENOENT)
                return error_set(err, errno, "look at '%s'", place->path);
        if (!place->make)
                return 0;
        r = dir_make_at(AT_FDCWD, place->path, 0755, err);
        return r < 0 ? r : 1;
}

static void place_look(void *data) {
        Place *place = data;

        place->r = find_or_make(place, &place->error);
}

int outside_exists(const char *path, bool make, Error *err) {
        Place *place = NEW(Place);
        int r;

        *place = (Place){ .path = str_copy(path), .make = make };
        r = outside_look(path, place_look, place, place_free, err);
        if (r < 0)
                return r;
        r = place->r;
        if (r < 0 && err)
                *err = place->error;
        place_free(place);
        return r;
}
