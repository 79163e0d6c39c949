/* events.c: what has happened lately, in a ring, and those who listen. Emitting never blocks and
 * takes no lock but the ring's own, which is below all others. */
#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>

#include "base/clock.h"
#include "engine/engine-private.h"
#include "engine/events.h"
#include "engine/filters.h"
#include "engine/labels.h"

#define RING_SIZE 1024                /* Docker keeps 256 */
#define RING_BYTES ((size_t)16 << 20) /* labels come with each event, however long */
#define IMAGE_NAME_END ':'

typedef struct Event {
        atomic_int references;
        int64_t when; /* ns since 1970 */
        char *type, *action, *actor;
        Pairs attributes;
        char *json;
} Event;

typedef struct Reader {
        int wake_fd;   /* an eventfd */
        uint64_t next; /* number of the event that it has not seen yet */
        uint64_t live; /* that of the first one that came after it */
        struct Reader *link;
} Reader;

struct Events {
        pthread_mutex_t lock;
        Event *ring[RING_SIZE];
        uint64_t first; /* number of the oldest that is kept */
        uint64_t count; /* events so far: the next one's number */
        size_t bytes;   /* of what is kept */
        bool closed;
        Reader *readers;
};

static Event *event_unref(Event *event) {
        if (!event || atomic_fetch_sub(&event->references, 1) != 1)
                return NULL;
        free(event->type);
        free(event->action);
        free(event->actor);
        pairs_done(&event->attributes);
        free(event->json);
        free(event);
        return NULL;
}
DEFINE_CLEANUP(Event *, event_unref)

/* ---- the document ---- */

static int by_key(const void *a, const void *b) {
        return strcmp(((const Pair *)a)->key, ((const Pair *)b)->key);
}

static void add_member(Buf *json, const char *name, const char *value) {
        buf_format(json, "\"%s\":", name);
        json_add_quoted(json, value);
        buf_add_char(json, ',');
}

/* status, id and from are older than the rest; clients read either. */
static char *event_text(const Event *event) {
        bool is_container = str_equal(event->type, "container");
        Buf json = { 0 };

        buf_add_char(&json, '{');
        if (is_container || str_equal(event->type, "image")) {
                add_member(&json, "status", event->action);
                add_member(&json, "id", event->actor);
        }
        if (is_container)
                add_member(&json, "from", pairs_get(&event->attributes, "image") ?: "");
        add_member(&json, "Type", event->type);
        add_member(&json, "Action", event->action);
        buf_add_str(&json, "\"Actor\":{\"ID\":");
        json_add_quoted(&json, event->actor);
        buf_add_str(&json, ",\"Attributes\":{");
        for (size_t i = 0; i < event->attributes.count; i++) {
                buf_add_str(&json, i > 0 ? "," : "");
                json_add_quoted(&json, event->attributes.items[i].key);
                buf_add_char(&json, ':');
                json_add_quoted(&json, event->attributes.items[i].value);
        }
        buf_format(&json, "}},\"scope\":\"local\",\"time\":%lld,\"timeNano\":%lld}",
                   (long long)(event->when / NSEC_PER_SEC), (long long)event->when);
        return buf_take(&json);
}

/* lock held. */
static void drop_oldest(Events *events) {
        Event **slot = &events->ring[events->first++ % RING_SIZE];

        events->bytes -= strlen((*slot)->json);
        *slot = event_unref(*slot);
}

/* lock held; the event is the ring's from now on. */
static void ring_add(Events *events, Event *event) {
        if (events->count - events->first == RING_SIZE)
                drop_oldest(events);
        events->ring[events->count++ % RING_SIZE] = event;
        events->bytes += strlen(event->json);
        while (events->bytes > RING_BYTES && events->count - events->first > 1)
                drop_oldest(events);
}

void engine_event_emit(Engine *engine, const char *type, const char *action, const char *actor,
                       const Pairs *attributes) {
        Events *events = engine->events;
        Event *event;

        if (!events)
                return;
        event = NEW(Event);
        atomic_init(&event->references, 1);
        event->type = str_copy(type);
        event->action = str_copy(action);
        event->actor = str_copy(actor);
        if (attributes)
                pairs_copy(&event->attributes, attributes);
        if (event->attributes.count > 1)
                qsort(event->attributes.items, event->attributes.count, sizeof(Pair), by_key);
        pthread_mutex_lock(&events->lock);
        event->when = clock_now();
        event->json = event_text(event);
        ring_add(events, event);
        for (Reader *reader = events->readers; reader; reader = reader->link)
                (void)eventfd_write(reader->wake_fd, 1);
        pthread_mutex_unlock(&events->lock);
}

void container_event(Container *container, const char *action, const Pairs *more) {
        _cleanup_snapshot_ ContainerSnapshot *snapshot = container_snapshot(container);
        Pairs attributes = { 0 };

        pairs_copy(&attributes, snapshot_labels(container, snapshot));
        pairs_put(&attributes, "image", container->spec.config.image ?: "");
        pairs_put(&attributes, "name", snapshot ? snapshot->name : container->name);
        if (more)
                pairs_copy(&attributes, more);
        engine_event_emit(container->engine, "container", action, container->id, &attributes);
        pairs_done(&attributes);
}

/* ---- filters ---- */

static const char *const accepted[] = { "config", "container", "daemon", "event",  "image",
                                        "label",  "network",   "node",   "plugin", "scope",
                                        "secret", "service",   "type",   "volume", NULL };

/* "exec_start" matches "exec_start: sh -c …" too. */
static bool action_matches(const Event *event, char *const *wanted) {
        if (!wanted)
                return true;
        _cleanup_free_ char *first = str_copy_n(event->action, strcspn(event->action, ":"));
        return strv_has(wanted, event->action) || strv_has(wanted, first);
}

static bool starts_any(const char *text, char *const *wanted) {
        for (; text && wanted && *wanted; wanted++)
                if (str_after(text, *wanted))
                        return true;
        return false;
}

static bool name_matches(const Event *event, const char *type, char *const *wanted) {
        if (!wanted)
                return true;
        if (!str_equal(event->type, type) && !pairs_get(&event->attributes, type))
                return false;
        return starts_any(event->actor, wanted) ||
               starts_any(pairs_get(&event->attributes, "name"), wanted) ||
               starts_any(pairs_get(&event->attributes, type), wanted);
}

/* With and without its tag. */
static bool image_matches(const Event *event, char *const *wanted) {
        const char *image = str_equal(event->type, "image")
                                    ? pairs_get(&event->attributes, "name")
                                    : pairs_get(&event->attributes, "image");

        if (!wanted)
                return true;
        if (str_equal(event->type, "image") && strv_has(wanted, event->actor))
                return true;
        if (!image)
                return false;
        const char *colon = strrchr(image, IMAGE_NAME_END);
        _cleanup_free_ char *untagged = colon && !strchr(colon, '/')
                                                ? str_copy_n(image, (size_t)(colon - image))
                                                : str_copy(image);
        return strv_has(wanted, image) || strv_has(wanted, untagged);
}

static bool event_matches(const Event *event, const Filters *filters) {
        static const char *const types[] = { "container", "network", "volume", "daemon" };
        char *const *type = filters_get(filters, "type");
        char *const *scope = filters_get(filters, "scope");

        if ((type && !strv_has(type, event->type)) || (scope && !strv_has(scope, "local")))
                return false;
        if (!action_matches(event, filters_get(filters, "event")))
                return false;
        for (size_t i = 0; i < ELEMENTS(types); i++)
                if (!name_matches(event, types[i], filters_get(filters, types[i])))
                        return false;
        return image_matches(event, filters_get(filters, "image")) &&
               labels_match(&event->attributes, filters_get(filters, "label"));
}

/* ---- reading ---- */

static void reader_add(Events *events, Reader *reader, bool replay) {
        pthread_mutex_lock(&events->lock);
        reader->live = events->count;
        reader->next = replay ? events->first : events->count;
        reader->link = events->readers;
        events->readers = reader;
        pthread_mutex_unlock(&events->lock);
}

static void reader_drop(Events *events, Reader *reader) {
        pthread_mutex_lock(&events->lock);
        for (Reader **slot = &events->readers; *slot; slot = &(*slot)->link) {
                if (*slot == reader) {
                        *slot = reader->link;
                        break;
                }
        }
        pthread_mutex_unlock(&events->lock);
}

/* A reference to the next event, or NULL: there is none yet. One who is too slow misses some. */
static Event *reader_next(Events *events, Reader *reader, bool *ret_closed) {
        Event *event = NULL;

        pthread_mutex_lock(&events->lock);
        *ret_closed = events->closed;
        reader->next = MAX(reader->next, events->first);
        if (reader->next < events->count) {
                event = events->ring[reader->next++ % RING_SIZE];
                (void)atomic_fetch_add(&event->references, 1);
        }
        pthread_mutex_unlock(&events->lock);
        return event;
}

/* 1: woken, 0: until has come, -ECANCELED. */
static int reader_wait(Reader *reader, int64_t deadline, int cancel_fd) {
        struct pollfd fds[] = { { .fd = reader->wake_fd, .events = POLLIN },
                                { .fd = cancel_fd, .events = POLLRDHUP } };
        int timeout = -1;
        eventfd_t woken;

        if (deadline) {
                int64_t left = deadline - clock_boot();

                if (left <= 0)
                        return 0;
                timeout = (int)MIN(left / NSEC_PER_MSEC + 1, INT32_MAX);
        }
        int r = poll(fds, cancel_fd >= 0 ? 2 : 1, timeout);
        if (r < 0)
                return errno == EINTR ? 1 : -errno;
        if (r > 0 && cancel_fd >= 0 && fds[1].revents)
                return -ECANCELED;
        (void)eventfd_read(reader->wake_fd, &woken);
        return 1;
}

/* What comes while it is read is of after `since` and before `until`, whatever the clock was set to
 * meanwhile. */
static int events_read(Events *events, Reader *reader, int64_t since, int64_t until,
                       const Filters *filters, EventSink sink, void *data, int cancel_fd) {
        const int64_t deadline = until ? MAX(until - clock_now(), 0) + clock_boot() : 0;

        for (;;) {
                bool closed;
                _cleanup_(event_unrefp) Event *event = reader_next(events, reader, &closed);
                int r;

                if (event) {
                        bool earlier = reader->next <= reader->live;
                        if (until && !earlier && clock_boot() >= deadline)
                                return 0;
                        if ((earlier && (event->when < since || (until && event->when > until))) ||
                            !event_matches(event, filters))
                                continue;
                        r = sink(data, event->json);
                        if (r < 0)
                                return r;
                        continue;
                }
                r = closed ? 0 : reader_wait(reader, deadline, cancel_fd);
                if (r <= 0)
                        return r == -ECANCELED ? 0 : r;
        }
}

int engine_events_check(const Filters *filters, Error *err) {
        return filters_check(filters, accepted, err);
}

int engine_events(Engine *engine, int64_t since, int64_t until, const Filters *filters,
                  EventSink sink, void *data, int cancel_fd, Error *err) {
        Reader reader = { 0 };

        reader.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (reader.wake_fd < 0)
                return error_set(err, errno, "listen to events");
        reader_add(engine->events, &reader, since || until);
        int r = events_read(engine->events, &reader, since, until, filters, sink, data, cancel_fd);
        reader_drop(engine->events, &reader);
        close_fd(&reader.wake_fd);
        return r < 0 ? error_set(err, -r, "send events") : 0;
}

/* ---- life ---- */

int events_new(Engine *engine, Events **ret, Error *err) {
        Events *events = NEW(Events);

        pthread_mutex_init(&events->lock, NULL);
        *ret = events;
        return 0;
}

Events *events_free(Events *events) {
        if (!events)
                return NULL;
        pthread_mutex_lock(&events->lock);
        events->closed = true;
        for (Reader *reader = events->readers; reader; reader = reader->link)
                (void)eventfd_write(reader->wake_fd, 1);
        pthread_mutex_unlock(&events->lock);
        for (size_t i = 0; i < RING_SIZE; i++)
                event_unref(events->ring[i]);
        pthread_mutex_destroy(&events->lock);
        free(events);
        return NULL;
}
