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
/* What hangs here is not to take all that bounded_run has: volumes want some of it. */
#define LOOKS_MAX 8
static atomic_int looks; /* that have not ended, also those that nobody waits for any more */

typedef struct Look {
        void (*run)(void *data);
        void (*drop)(void *data);
        void *data;
} Look;

static void look_run(void *data) {
        const Look *look = data;

        look->run(look->data);
}

static void look_end(Look *look) {
        free(look);
        atomic_fetch_sub(&looks, 1);
}

static void look_drop(void *data) {
        Look *look = data;

        look->drop(look->data);
        look_end(look);
}

static int look_begin(const char *path, Error *err) {
        if (atomic_fetch_add(&looks, 1) < LOOKS_MAX)
                return 0;
        atomic_fetch_sub(&looks, 1);
        return error_kind(err, ERROR_UNAVAILABLE,
                          "look at '%s': %d others have had no answer yet: look whether their "
                          "servers are there",
                          path, LOOKS_MAX);
}

int outside_look(const char *path, void (*run)(void *data), void *data, void (*drop)(void *data),
                 Error *err) {
        Look *look;
        int r = look_begin(path, err);

        if (r < 0) {
                drop(data);
                return r;
        }
        look = NEW(Look);
        *look = (Look){ .run = run, .drop = drop, .data = data };
        r = bounded_run(look_run, look, look_drop, LOOK_TIMEOUT);
        if (r == -ETIMEDOUT) /* look is the call's from now on */
                return error_kind(err, ERROR_UNAVAILABLE,
                                  "look at '%s': no answer in %d seconds: look whether its server "
                                  "is there",
                                  path, (int)(LOOK_TIMEOUT / NSEC_PER_SEC));
        look_end(look);
        if (r < 0) {
                drop(data);
                return r == -EBUSY ? error_kind(err, ERROR_UNAVAILABLE,
                                                "look at '%s': too many calls have had no answer "
                                                "yet",
                                                path)
                                   : error_set(err, -r, "have a thread look at '%s'", path);
        }
        return 0;
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

static void place_look(void *data) {
        Place *place = data;
        struct stat status;

        if (stat(place->path, &status) == 0)
                place->r = 1;
        else if (errno != ENOENT)
                place->r = error_set(&place->error, errno, "look at '%s'", place->path);
        else if (place->make)
                place->r = dir_make_at(AT_FDCWD, place->path, 0755, &place->error);
        if (place->make && place->r == 0)
                place->r = 1;
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
