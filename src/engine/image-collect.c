/* image-collect.c: removes images that nothing uses, by when they were last used, as the setting
 * image-gc says; off unless it says something. A job on a worker looks at the daemon's start, after
 * something that may have changed the answer, and each hour. What a container has is never taken,
 * nor what a build or a pull is about to use: it was just used. Removing is images.c's, as for a
 * prune. */
#include "engine/image-collect.h"
#include "base/clock.h"
#include "base/log.h"
#include "engine/engine-private.h"
#include "engine/prune.h"
#include "engine/room.h"

#define INTERVAL (3600 * NSEC_PER_SEC)

struct ImageCollector {
        Engine *engine;
        pthread_mutex_t lock;
        bool running, wanted;
        LoopSource *timer; /* the loop thread's alone */
};

static bool is_on(const ImageGcBounds *bounds) {
        return bounds->size > 0 || bounds->unused > 0;
}

/* ---- what goes ---- */

static int compare_use(const void *a, const void *b) {
        int64_t one = (*(const Image *const *)a)->used_at,
                other = (*(const Image *const *)b)->used_at;

        return one < other ? -1 : one > other;
}

char *image_collect_reason(const ImageGcBounds *bounds, int64_t unused, int64_t size) {
        char age[DURATION_TEXT_MAX];

        if (bounds->unused > 0 && unused > bounds->unused)
                return str_format("it was last used %s ago", duration_human(unused, age));
        if (bounds->size > 0 && size > bounds->size && unused >= bounds->age)
                return str_format("images take %lld bytes, of %lld that they may", (long long)size,
                                  (long long)bounds->size);
        return NULL;
}

/* The oldest first, until what is left is within bounds. */
static int collect_sorted(Engine *engine, ImagePrune *prune, const Image **sorted, Error *err) {
        const ImageGcBounds *bounds = engine_image_gc(engine);
        int64_t size = 0;
        int r = image_size_in_use(engine->images, &size, err);

        for (size_t i = 0; r == 0 && i < prune->count && !atomic_load(&engine->stopping); i++) {
                _cleanup_free_ char *why = image_collect_reason(
                        bounds, clock_age(&engine->started, sorted[i]->used_at), size);

                if (!why || !image_prune_unused(prune, sorted[i]))
                        continue;
                log_info("image-gc: image %s (%s) was removed: %s", sorted[i]->id,
                         sorted[i]->names ? sorted[i]->names[0] : "<none>", why);
                r = image_size_in_use(engine->images, &size, err);
        }
        return r;
}

static void collect(Engine *engine) {
        ImagePrune prune = { .engine = engine, .answer = { .kind = "image" } };
        const Image **sorted;
        Image *images = NULL;
        Error error = { 0 };

        ROOM_TO_REMOVE(engine);
        int r = image_list(engine->images, &images, &prune.count, &error);
        if (r == 0) {
                prune.images = images;
                sorted = NEW_ARRAY(const Image *, prune.count + 1);
                for (size_t i = 0; i < prune.count; i++)
                        sorted[i] = &images[i];
                qsort(sorted, prune.count, sizeof(*sorted), compare_use);
                r = collect_sorted(engine, &prune, sorted, &error);
                free(sorted);
        }
        if (r < 0)
                log_warn("image-gc: %s", error.message);
        for (size_t i = 0; i < prune.count; i++)
                image_done(&images[i]);
        free(images);
        (void)json_object_put(prune.answer.deleted);
}

/* ---- when ---- */

static void on_timer(void *data) {
        ImageCollector *collector = data;

        collector->timer = NULL;
        image_collect_soon(collector->engine);
}

/* On the loop's thread. */
static void arm(void *data) {
        ImageCollector *collector = data;

        if (!collector->timer && is_on(engine_image_gc(collector->engine)) &&
            !atomic_load(&collector->engine->stopping))
                collector->timer = loop_add_timer(
                        collector->engine->loop, clock_monotonic() + INTERVAL, on_timer, collector);
}

static void run(void *data) {
        ImageCollector *collector = data;

        (void)pthread_mutex_lock(&collector->lock);
        while (collector->wanted) {
                collector->wanted = false;
                (void)pthread_mutex_unlock(&collector->lock);
                collect(collector->engine);
                (void)pthread_mutex_lock(&collector->lock);
        }
        collector->running = false;
        (void)pthread_mutex_unlock(&collector->lock);
        loop_post(collector->engine->loop, arm, collector);
}

void image_collect_soon(Engine *engine) {
        ImageCollector *collector = engine->collector;
        bool start;

        if (!collector || !is_on(engine_image_gc(engine)) || atomic_load(&engine->stopping))
                return;
        (void)pthread_mutex_lock(&collector->lock);
        start = !collector->running;
        collector->running = collector->wanted = true;
        (void)pthread_mutex_unlock(&collector->lock);
        if (start)
                workers_post(engine->workers, run, collector);
}

void image_collector_start(Engine *engine) {
        ImageCollector *collector = NEW(ImageCollector);

        collector->engine = engine;
        (void)pthread_mutex_init(&collector->lock, NULL);
        engine->collector = collector;
        image_collect_soon(engine);
}

ImageCollector *image_collector_free(ImageCollector *collector) {
        if (!collector)
                return NULL;
        loop_remove(collector->timer);
        (void)pthread_mutex_destroy(&collector->lock);
        free(collector);
        return NULL;
}
