/* dbus-private.h: what dbus.c shares with dbus-write.c: the messages' numbers, and how a call is
 * written. */
#pragma once

#include "os/dbus.h"

enum { METHOD_CALL = 1, METHOD_RETURN, METHOD_ERROR, SIGNAL };
enum {
        FIELD_PATH = 1,
        FIELD_INTERFACE,
        FIELD_MEMBER,
        FIELD_ERROR,
        FIELD_REPLY_SERIAL,
        FIELD_DESTINATION,
        FIELD_SENDER,
        FIELD_SIGNATURE
};

/* Adds the whole message to *message, which is empty. */
void dbus_build_call(const DBusCall *call, uint32_t serial, Buf *message);
