/* flight.h: what is being made right now, by name: the same thing is not made twice at once. Knows
 * nothing of what is made. Thread-safe. */
#pragma once

#include <stdbool.h>

#include "base/cleanup.h"

typedef struct Flights Flights;

Flights *flights_new(void);
Flights *flights_free(Flights *flights); /* when nothing is claimed */
DEFINE_CLEANUP(Flights *, flights_free)

typedef enum FlightResult {
        FLIGHT_OURS,      /* the caller makes it, and calls flight_end in any case */
        FLIGHT_LANDED,    /* another has ended making it, well or not: look again */
        FLIGHT_CANCELLED, /* cancelled said so while another was making it */
} FlightResult;
/* cancelled is asked ten times a second. */
FlightResult flight_begin(Flights *flights, const char *key, bool (*cancelled)(void *data),
                          void *data);
void flight_end(Flights *flights, const char *key);
