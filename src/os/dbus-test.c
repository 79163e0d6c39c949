/* dbus-test.c: the test plays the bus. What it answers is in the socket before it is asked. */
#include <errno.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/test.h"
#include "os/dbus.h"

/* A message of type 2 (return), 3 (error), 4 (signal); text NULL: without a body. */
typedef struct Saying {
        char type;
        uint32_t reply_serial;
        const char *interface, *member, *error, *signature, *texts[3], *sender;
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

static void stage_new(Stage *stage) {
        int pair[2];

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
                abort();
        *stage = (Stage){ dbus_adopt(pair[0], 50), pair[1] };
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

static const DBusCall call = {
        "org.example", "/org/example", "org.example.Thing", "Do", { "one", "two" }
};
static const Saying done = { .type = 2, .reply_serial = 1 };
static const Saying changed = { .type = 4,
                                .interface = "org.freedesktop.DBus",
                                .member = "NameOwnerChanged",
                                .sender = "org.freedesktop.DBus",
                                .signature = "sss",
                                .texts = { "a", "", "ccc" } };
#define _cleanup_stage_ _cleanup_(stage_done)

TEST(a_call_as_it_is_sent) {
        _cleanup_stage_ Stage stage = { 0 };
        Error err = { 0 };
        char data[512];
        ssize_t length;
        uint32_t body;

        stage_new(&stage);
        ASSERT(say(&stage, &done, 0));
        ASSERT_OK(dbus_call(stage.bus, &call, &err), &err);
        length = recv(stage.other, data, sizeof(data), 0);
        ASSERT(length > 16);
        memcpy(&body, data + 4, 4);
        ASSERT_INT(body, 16); /* 4 + "one" and its NUL, twice */
        ASSERT(memcmp(data + length - 16, "\3\0\0\0one\0\3\0\0\0two", 16) == 0);
        ASSERT_INT(data[0], 'l');
        ASSERT_INT(data[1], 1);
        ASSERT_INT(length % 8, 0);
        ASSERT(memmem(data, (size_t)length, "\10\1g\0\2ss", 8));
}

TEST(refusals_and_services_that_do_not_run) {
        const Saying refused = { .type = 3,
                                 .reply_serial = 1,
                                 .error = "org.example.No",
                                 .signature = "s",
                                 .texts = { "INVALID_ZONE: brig" } };
        const Saying absent = { .type = 3,
                                .reply_serial = 2,
                                .error = "org.freedesktop.DBus.Error.ServiceUnknown" };
        _cleanup_stage_ Stage stage = { 0 };
        Error err = { 0 };

        stage_new(&stage);
        ASSERT(say(&stage, &refused, 0));
        ASSERT_INT(dbus_call(stage.bus, &call, &err), -EREMOTEIO);
        ASSERT_STR(err.message, "org.example.No: INVALID_ZONE: brig");
        ASSERT(say(&stage, &absent, 0));
        ASSERT_INT(dbus_call(stage.bus, &call, &err), -ENOENT);
}

TEST(signals_wait_while_an_answer_is_read) {
        _cleanup_stage_ Stage stage = { 0 };
        DBusSignal signal = { 0 };
        Error err = { 0 };

        stage_new(&stage);
        ASSERT(say(&stage, &changed, 0));
        ASSERT(say(&stage, &done, 0));
        ASSERT_OK(dbus_call(stage.bus, &call, &err), &err);
        ASSERT_INT(dbus_next(stage.bus, &signal, &err), 1);
        ASSERT_STR(signal.interface, "org.freedesktop.DBus");
        ASSERT_STR(signal.member, "NameOwnerChanged");
        ASSERT_STR(signal.arguments[0], "a");
        ASSERT_STR(signal.arguments[1], "");
        ASSERT_STR(signal.arguments[2], "ccc");
        dbus_signal_done(&signal);
        ASSERT_INT(dbus_next(stage.bus, &signal, &err), 0);
}

TEST(a_message_in_parts) {
        _cleanup_stage_ Stage stage = { 0 };
        DBusSignal signal = { 0 };
        Error err = { 0 };
        Buf message = { 0 };

        stage_new(&stage);
        build(&changed, &message);
        for (size_t i = 0; i < message.length; i++) {
                ASSERT_INT(dbus_next(stage.bus, &signal, &err), 0);
                ASSERT_INT(send(stage.other, message.data + i, 1, 0), 1);
        }
        buf_done(&message);
        ASSERT_INT(dbus_next(stage.bus, &signal, &err), 1);
        ASSERT_STR(signal.member, "NameOwnerChanged");
        dbus_signal_done(&signal);
}

TEST(silence_and_a_bus_that_ends) {
        _cleanup_stage_ Stage stage = { 0 };
        DBusSignal signal = { 0 };
        Error err = { 0 };

        stage_new(&stage);
        ASSERT(say(&stage, &done, 20));
        ASSERT_INT(dbus_call(stage.bus, &call, &err), -ETIMEDOUT);
        close_fd(&stage.other);
        ASSERT(dbus_next(stage.bus, &signal, &err) < 0);
}

static bool send_whole(const Stage *stage, const char *data, size_t length) {
        return send(stage->other, data, length, 0) == (ssize_t)length;
}

/* Whether the one signal that is here is `changed`. */
static bool hears_changed(const Stage *stage) {
        DBusSignal signal = { 0 }, second = { 0 };
        Error err = { 0 };
        bool result = dbus_next(stage->bus, &signal, &err) == 1 &&
                      str_equal(signal.arguments[2], "ccc") &&
                      dbus_next(stage->bus, &second, &err) == 0;

        dbus_signal_done(&signal);
        dbus_signal_done(&second);
        return result;
}

TEST(others_signals_are_passed_over_and_push_out_none) {
        Saying foreign = changed;
        _cleanup_stage_ Stage stage = { 0 };

        stage_new(&stage);
        foreign.sender = ":1.8";
        foreign.texts[2] = "forged";
        for (size_t i = 0; i < 100; i++)
                ASSERT(say(&stage, &foreign, 0));
        ASSERT(say(&stage, &changed, 0));
        ASSERT(hears_changed(&stage));
}

TEST(the_service_that_answered_is_heard) {
        Saying its = changed;
        _cleanup_stage_ Stage stage = { 0 };
        Error err = { 0 };

        stage_new(&stage);
        its.sender = ":1.7";
        ASSERT(say(&stage, &its, 0)); /* nobody knows yet who that is */
        ASSERT(say(&stage, &done, 0));
        ASSERT_OK(dbus_call(stage.bus, &call, &err), &err);
        ASSERT(say(&stage, &its, 0));
        ASSERT(hears_changed(&stage));
}

TEST(a_message_of_the_other_byte_order_is_passed_over) {
        /* A signal with a body of 4 bytes and a path "/a" as its header's one field. */
        static const char message[] = {
                'B', 4, 1, 1, 0, 0, 0,   4,   0, 0, 0, 9, 0, 0, 0, 11, 1, 1,
                'o', 0, 0, 0, 0, 2, '/', 'a', 0, 0, 0, 0, 0, 0, 1, 2,  3, 4
        };
        _cleanup_stage_ Stage stage = { 0 };

        stage_new(&stage);
        ASSERT(send_whole(&stage, message, sizeof(message)));
        ASSERT(say(&stage, &changed, 0));
        ASSERT(hears_changed(&stage));
}

TEST(a_message_with_an_unknown_field_is_passed_over) {
        _cleanup_stage_ Stage stage = { 0 };
        Buf message = { 0 };

        stage_new(&stage);
        build(&changed, &message);
        message.data[18] = 'x'; /* the first field's type */
        ASSERT(send_whole(&stage, message.data, message.length));
        buf_done(&message);
        ASSERT(say(&stage, &changed, 0));
        ASSERT(hears_changed(&stage));
}

/* More than is ever stored, in parts: what follows is heard. */
TEST(a_message_that_is_too_long_is_passed_over) {
        const uint32_t length = 1U << 22, fields = 0;
        static const char part[1U << 14];
        _cleanup_stage_ Stage stage = { 0 };
        DBusSignal signal = { 0 };
        Error err = { 0 };

        stage_new(&stage);
        ASSERT(send_whole(&stage, (const char[]){ 'l', 4, 1, 1 }, 4));
        ASSERT(send_whole(&stage, (const char *)&length, 4));
        ASSERT(send_whole(&stage, (const char[]){ 9, 0, 0, 0 }, 4));
        ASSERT(send_whole(&stage, (const char *)&fields, 4));
        for (size_t sent = 0; sent < length; sent += sizeof(part)) {
                ASSERT(send_whole(&stage, part, sizeof(part)));
                ASSERT_INT(dbus_next(stage.bus, &signal, &err), 0);
        }
        ASSERT(say(&stage, &changed, 0));
        ASSERT(hears_changed(&stage));
}

TEST(only_answers_answer) {
        const Saying call_to_us = { .type = 1, .reply_serial = 1, .member = "Do" };
        const Saying anothers = { .type = 2, .reply_serial = 7 };
        static const DBusCall to_bus = {
                "org.freedesktop.DBus", "/", "org.freedesktop.DBus", "Do", { NULL }
        };
        Saying by_bus = { .type = 2, .reply_serial = 2, .sender = "org.freedesktop.DBus" };
        _cleanup_stage_ Stage stage = { 0 };
        Error err = { 0 };

        stage_new(&stage);
        ASSERT(say(&stage, &call_to_us, 0) && say(&stage, &anothers, 0));
        ASSERT_INT(dbus_call(stage.bus, &call, &err), -ETIMEDOUT);
        ASSERT(say(&stage, &by_bus, 0));
        ASSERT_OK(dbus_call(stage.bus, &to_bus, &err), &err);
        by_bus = (Saying){ .type = 2, .reply_serial = 3, .sender = ":1.7" };
        ASSERT(say(&stage, &by_bus, 0));
        ASSERT_INT(dbus_call(stage.bus, &to_bus, &err), -ETIMEDOUT);
}

TEST(lengths_that_lie) {
        static const char text_behind_the_body[] = { 0x7f, 0, 0, 0, 'a', 0 };
        Buf message = { 0 };
        Error err = { 0 };

        build(&changed, &message);
        for (size_t i = 0; i < message.length; i++) {
                _cleanup_stage_ Stage stage = { 0 };
                DBusSignal signal = { 0 };
                char before = message.data[i];
                int r;

                stage_new(&stage);
                message.data[i] = text_behind_the_body[i % sizeof(text_behind_the_body)];
                ASSERT_INT(send(stage.other, message.data, message.length, 0), message.length);
                message.data[i] = before;
                r = dbus_next(stage.bus, &signal, &err);
                ASSERT(r == 0 || r == 1 || r == -EBADMSG);
                dbus_signal_done(&signal);
        }
        buf_done(&message);
}

TEST_MAIN()
