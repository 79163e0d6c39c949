/* flight.c: see flight.h. One condition for all: a build has a handful of steps at a time. */
#include "build/flight.h"

#include <pthread.h>
#include <time.h>

#include "base/clock.h"
#include "base/map.h"

struct Flights {
        pthread_mutex_t lock;
        pthread_cond_t changed;
        Map going; /* key → itself */
};

Flights *flights_new(void) {
        Flights *flights = NEW(Flights);
        pthread_condattr_t attributes;

        (void)pthread_mutex_init(&flights->lock, NULL);
        (void)pthread_condattr_init(&attributes);
        (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        (void)pthread_cond_init(&flights->changed, &attributes);
        (void)pthread_condattr_destroy(&attributes);
        return flights;
}

Flights *flights_free(Flights *flights) {
        if (!flights)
                return NULL;
        map_done(&flights->going, NULL);
        (void)pthread_cond_destroy(&flights->changed);
        (void)pthread_mutex_destroy(&flights->lock);
        free(flights);
        return NULL;
}

static void wait_a_little(Flights *flights) {
        struct timespec until;

        (void)clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += 100 * NSEC_PER_MSEC;
        until.tv_sec += until.tv_nsec / NSEC_PER_SEC;
        until.tv_nsec %= NSEC_PER_SEC;
        (void)pthread_cond_timedwait(&flights->changed, &flights->lock, &until);
}

FlightResult flight_begin(Flights *flights, const char *key, bool (*cancelled)(void *data),
                          void *data) {
        FlightResult result = FLIGHT_OURS;

        (void)pthread_mutex_lock(&flights->lock);
        while (map_get(&flights->going, key)) {
                result = FLIGHT_LANDED;
                (void)pthread_mutex_unlock(&flights->lock);
                bool stop = cancelled && cancelled(data);
                (void)pthread_mutex_lock(&flights->lock);
                if (stop) {
                        result = FLIGHT_CANCELLED;
                        break;
                }
                if (map_get(&flights->going, key))
                        wait_a_little(flights);
        }
        if (result == FLIGHT_OURS)
                (void)map_put(&flights->going, key, flights);
        (void)pthread_mutex_unlock(&flights->lock);
        return result;
}

void flight_end(Flights *flights, const char *key) {
        (void)pthread_mutex_lock(&flights->lock);
        (void)map_drop(&flights->going, key);
        (void)pthread_cond_broadcast(&flights->changed);
        (void)pthread_mutex_unlock(&flights->lock);
}
