/* dbus.h: method calls on a message bus, or to a service itself, and signals from it (D-Bus
 * Specification, protocol 1). Knows no service. */
#pragma once

#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"

#define DBUS_SYSTEM_SOCKET "/run/dbus/system_bus_socket"

/* A connection; one thread at a time. */
typedef struct DBus DBus;

/* Connects to the bus that listens at path and says hello. Every wait of this connection is of
 * timeout_ms at the most, and ends with -ECANCELED when stop_fd (borrowed; -1: none) is readable.
 */
int dbus_open(const char *path, int timeout_ms, int stop_fd, DBus **ret, Error *err);
/* The same to a service that listens at path itself, without a bus between: nobody else is there.
 */
int dbus_open_peer(const char *path, int timeout_ms, DBus **ret, Error *err);
/* Over a socket that is open already, non-blocking, and is then its own; nothing is said: a test's.
 */
DBus *dbus_adopt(int fd, bool is_peer, int timeout_ms);
DBus *dbus_close(DBus *bus);
DEFINE_CLEANUP(DBus *, dbus_close)
int dbus_fd(const DBus *bus); /* readable when something came; the connection's */

#define DBUS_ARGUMENTS 3
typedef struct DBusCall {
        const char *destination, *path, *interface, *member;
        const char *arguments[DBUS_ARGUMENTS + 1]; /* strings; or else, in their place: */
        const char *signature;
        const Buf *body; /* borrowed; NULL: there are the strings */
} DBusCall;

/* A call's body, argument after argument, each with its padding before it ("Marshaling"). What the
 * parts are is said by the signature alone: a variant is a signature and one value of that type. */
void dbus_add_number(Buf *body, uint32_t number);     /* u; b: 0 or 1 */
void dbus_add_string(Buf *body, const char *text);    /* s, o */
void dbus_add_signature(Buf *body, const char *text); /* g, and what a variant begins with */
void dbus_begin_struct(Buf *body);                    /* its members follow */
typedef struct DBusArray {
        size_t length_at, begin;
} DBusArray;
DBusArray dbus_begin_array(Buf *body, size_t alignment); /* of an element: a structure's is 8 */
void dbus_end_array(Buf *body, DBusArray array);

/* Waits for the answer, which says no more than that it was done. A service that does not run is
 * not started for it. If the service refuses, err has its name of the error and what it says, and
 * the return is -EREMOTEIO; -ENOENT: it does not run. After any other error the connection is of no
 * use any more. Signals that come meanwhile wait for dbus_next. */
int dbus_call(DBus *bus, const DBusCall *call, Error *err);
/* The same of a method that answers with a number; 0: it did not. */
int dbus_ask(DBus *bus, const DBusCall *call, uint32_t *ret, Error *err);
/* The same of one that answers with a text or an object's path; the caller's. An answer of another
 * kind is an error. */
int dbus_ask_text(DBus *bus, const DBusCall *call, char **ret, Error *err);

#define DBUS_SIGNAL_ARGUMENTS 4
typedef struct DBusSignal {
        char *interface, *member;
        char *arguments[DBUS_SIGNAL_ARGUMENTS]; /* the first ones, as far as they are texts, paths
                                                   or numbers, which are in decimal */
} DBusSignal;
void dbus_signal_done(DBusSignal *signal);

/* The next signal that is here already: 1; 0: there is none (dbus_fd may be readable all the same,
 * if much came). To hear some, AddMatch is called. Only those of the bus itself and of the service
 * that answered last are taken: any user may send any signal to any connection, but under his own
 * name. */
int dbus_next(DBus *bus, DBusSignal *ret, Error *err);
/* Waits for it until end (clock_monotonic; -ETIMEDOUT): 0. */
int dbus_wait(DBus *bus, int64_t end, DBusSignal *ret, Error *err);
/* Other signals than these members (NULL at the end) of the interface are passed over from now on;
 * the texts are borrowed for good. A busy service says more than waits here. */
void dbus_hear_only(DBus *bus, const char *interface, const char *const *members);
