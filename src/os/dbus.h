/* dbus.h: method calls on a message bus, and signals from it (D-Bus Specification, protocol 1).
 * Only what brig says and hears: arguments are strings. Knows no service. */
#pragma once

#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"

#define DBUS_SYSTEM_SOCKET "/run/dbus/system_bus_socket"

/* A connection; one thread at a time. */
typedef struct DBus DBus;

/* Connects to the bus that listens at path and says hello. Every wait of this connection is of
 * timeout_ms at the most, and ends with -ECANCELED when stop_fd (borrowed; -1: none) is readable.
 */
int dbus_open(const char *path, int timeout_ms, int stop_fd, DBus **ret, Error *err);
/* Over a socket that is open already, non-blocking, and is then its own; nothing is said: a test's.
 */
DBus *dbus_adopt(int fd, int timeout_ms);
DBus *dbus_close(DBus *bus);
DEFINE_CLEANUP(DBus *, dbus_close)
int dbus_fd(const DBus *bus); /* readable when something came; the connection's */

#define DBUS_ARGUMENTS 3
typedef struct DBusCall {
        const char *destination, *path, *interface, *member;
        const char *arguments[DBUS_ARGUMENTS + 1];
} DBusCall;

/* Waits for the answer, which says no more than that it was done. A service that does not run is
 * not started for it. If the service refuses, err has its name of the error and what it says, and
 * the return is -EREMOTEIO; -ENOENT: it does not run. After any other error the connection is of no
 * use any more. Signals that come meanwhile wait for dbus_next. */
int dbus_call(DBus *bus, const DBusCall *call, Error *err);
/* The same of a method that answers with a number; 0: it did not. */
int dbus_ask(DBus *bus, const DBusCall *call, uint32_t *ret, Error *err);

typedef struct DBusSignal {
        char *interface, *member;
        char *arguments[DBUS_ARGUMENTS]; /* the first ones, as far as they are strings */
} DBusSignal;
void dbus_signal_done(DBusSignal *signal);

/* The next signal that is here already: 1; 0: there is none (dbus_fd may be readable all the same,
 * if much came). To hear some, AddMatch is called. Only those of the bus itself and of the service
 * that answered last are taken: any user may send any signal to any connection, but under his own
 * name. */
int dbus_next(DBus *bus, DBusSignal *ret, Error *err);
