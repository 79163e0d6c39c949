/* test-bus.h: a bus, or a service, that a test plays: what it answers is in the socket before it is
 * asked. */
#pragma once

#include <sys/socket.h>

#include "base/alloc.h"
#include "base/str.h"
#include "os/dbus.h"

/* A message of type 2 (return), 3 (error), 4 (signal); text NULL: without a body. A number is
 * written in decimal. */
typedef struct Saying {
        char type;
        uint32_t reply_serial;
        const char *interface, *member, *error, *signature, *texts[4], *sender;
} Saying;

static void pad(Buf *buf, size_t to) {
        while (buf->length % to)
                buf_add_char(buf, '\0');
}

static void put_number(Buf *buf, uint32_t number) {
        pad(buf, 4);
        buf_add(buf, &number, 4);
}

static void put_field(Buf *buf, char code, char type, const char *text) {
        pad(buf, 8);
        buf_add(buf, (const char[]){ code, 1, type, 0 }, 4);
        if (type == 'g')
                buf_add_char(buf, (char)strlen(text));
        else
                put_number(buf, (uint32_t)strlen(text));
        buf_add(buf, text, strlen(text) + 1);
}

static void build(const Saying *saying, Buf *ret) {
        Buf fields = { 0 }, body = { 0 };

        if (saying->reply_serial) {
                buf_add(&fields, "\5\1u", 4);
                put_number(&fields, saying->reply_serial);
        }
        if (saying->interface)
                put_field(&fields, 2, 's', saying->interface);
        if (saying->member)
                put_field(&fields, 3, 's', saying->member);
        if (saying->error)
                put_field(&fields, 4, 's', saying->error);
        put_field(&fields, 7, 's', saying->sender ?: ":1.7");
        if (saying->signature)
                put_field(&fields, 8, 'g', saying->signature);
        for (size_t i = 0; i < ELEMENTS(saying->texts) && saying->texts[i]; i++) {
                if (saying->signature[i] == 'u') {
                        put_number(&body, (uint32_t)strtoul(saying->texts[i], NULL, 10));
                        continue;
                }
                put_number(&body, (uint32_t)strlen(saying->texts[i]));
                buf_add(&body, saying->texts[i], strlen(saying->texts[i]) + 1);
        }
        buf_add(ret, (const char[]){ 'l', saying->type, 1, 1 }, 4);
        put_number(ret, (uint32_t)body.length);
        put_number(ret, 99);
        put_number(ret, (uint32_t)fields.length);
        buf_add(ret, fields.data, fields.length);
        pad(ret, 8);
        if (body.length)
                buf_add(ret, body.data, body.length);
        buf_done(&fields);
        buf_done(&body);
}

typedef struct Stage {
        DBus *bus;
        int other;
} Stage;

static void stage_done(Stage *stage) {
        dbus_close(stage->bus);
        close_fd(&stage->other);
}

static void stage_open(Stage *stage, bool is_peer) {
        int pair[2];

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
                abort();
        *stage = (Stage){ dbus_adopt(pair[0], is_peer, 50), pair[1] };
}

/* Of the message's bytes only the first `length`; 0: all. */
static bool say(const Stage *stage, const Saying *saying, size_t length) {
        Buf message = { 0 };
        ssize_t sent;

        build(saying, &message);
        length = length ?: message.length;
        sent = send(stage->other, message.data, length, 0);
        buf_done(&message);
        return sent == (ssize_t)length;
}

#define _cleanup_stage_ _cleanup_(stage_done)
