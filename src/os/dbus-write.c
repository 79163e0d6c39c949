/* dbus-write.c: writes method calls (D-Bus Specification, "Message Protocol" and "Marshaling"), in
 * this machine's order of bytes, which is little. */
#include <stdlib.h>

#include "os/dbus-private.h"

#define NO_AUTO_START 2

static void align(Buf *buf, size_t to) {
        while (buf->length % to)
                buf_add_char(buf, '\0');
}

void dbus_add_number(Buf *body, uint32_t number) {
        align(body, 4);
        buf_add(body, &number, sizeof(number));
}

void dbus_add_string(Buf *body, const char *text) {
        dbus_add_number(body, (uint32_t)strlen(text));
        buf_add(body, text, strlen(text) + 1);
}

void dbus_add_signature(Buf *body, const char *text) {
        buf_add_char(body, (char)strlen(text));
        buf_add(body, text, strlen(text) + 1);
}

void dbus_begin_struct(Buf *body) {
        align(body, 8);
}

/* The padding before the first element does not count. */
DBusArray dbus_begin_array(Buf *body, size_t alignment) {
        DBusArray array;

        dbus_add_number(body, 0);
        array.length_at = body->length - sizeof(uint32_t);
        align(body, alignment);
        array.begin = body->length;
        return array;
}

void dbus_end_array(Buf *body, DBusArray array) {
        const uint32_t length = (uint32_t)(body->length - array.begin);

        memcpy(body->data + array.length_at, &length, sizeof(length));
}

static void add_field(Buf *buf, char code, char type, const char *text) {
        const char signature[] = { code, 1, type, 0 };

        align(buf, 8);
        buf_add(buf, signature, sizeof(signature));
        if (type == 'g')
                dbus_add_signature(buf, text);
        else
                dbus_add_string(buf, text);
}

static void add_strings(const DBusCall *call, Buf *body, char signature[DBUS_ARGUMENTS + 1]) {
        for (size_t i = 0; i < DBUS_ARGUMENTS && call->arguments[i]; i++) {
                dbus_add_string(body, call->arguments[i]);
                signature[i] = 's';
        }
}

/* The header's fields begin at a multiple of eight, so they are aligned as if at 0. */
void dbus_build_call(const DBusCall *call, uint32_t serial, Buf *message) {
        Buf fields = { 0 }, strings = { 0 };
        const Buf *body = call->body ?: &strings;
        char signature[DBUS_ARGUMENTS + 1] = "";

        if (!call->body)
                add_strings(call, &strings, signature);
        add_field(&fields, FIELD_PATH, 'o', call->path);
        add_field(&fields, FIELD_INTERFACE, 's', call->interface);
        add_field(&fields, FIELD_MEMBER, 's', call->member);
        add_field(&fields, FIELD_DESTINATION, 's', call->destination);
        if (call->body || signature[0])
                add_field(&fields, FIELD_SIGNATURE, 'g', call->body ? call->signature : signature);
        buf_add(message, (const char[]){ 'l', METHOD_CALL, NO_AUTO_START, 1 }, 4);
        dbus_add_number(message, (uint32_t)body->length);
        dbus_add_number(message, serial);
        dbus_add_number(message, (uint32_t)fields.length);
        buf_add(message, fields.data, fields.length);
        align(message, 8);
        if (body->length)
                buf_add(message, body->data, body->length);
        buf_done(&fields);
        buf_done(&strings);
}
