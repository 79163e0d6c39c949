/* dbus-test.c: the test plays the bus. */
#include <errno.h>

#include "base/clock.h"
#include "base/test.h"
#include "os/test-bus.h"

static void stage_new(Stage *stage) {
        stage_open(stage, false);
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

/* "sa(sv)": the padding of structures, and that before an array's first element, which does not
 * count as its length. */
TEST(a_body_as_it_is_marshalled) {
        static const char wanted[] = "\1\0\0\0a\0\0\0" /* s */
                                     "\26\0\0\0\0\0\0\0"
                                     "\1\0\0\0x\0\1b" /* s, and the variant's signature */
                                     "\0\0\0\0\1\0\0\0"
                                     "\1\0\0\0y\0\1s"; /* the next one's */
        Buf body = { 0 };
        DBusArray array;

        dbus_add_string(&body, "a");
        array = dbus_begin_array(&body, 8);
        dbus_begin_struct(&body);
        dbus_add_string(&body, "x");
        dbus_add_signature(&body, "b");
        dbus_add_number(&body, 1);
        dbus_begin_struct(&body);
        dbus_add_string(&body, "y");
        dbus_add_signature(&body, "s");
        dbus_end_array(&body, array);
        ASSERT_INT(body.length, 16 + 16 + 9);
        body.data[8] = 22;
        ASSERT(memcmp(body.data, wanted, 40) == 0);
        buf_done(&body);
}

TEST(a_call_with_a_body_of_its_own) {
        static const char body_text[] = { 7, 0, 0, 0 };
        const Buf body = { (char *)body_text, sizeof(body_text), 0 };
        const DBusCall own = { .destination = "a.b",
                               .path = "/",
                               .interface = "a.b",
                               .member = "C",
                               .signature = "u",
                               .body = &body };
        _cleanup_stage_ Stage stage = { 0 };
        Error err = { 0 };
        char data[512];
        ssize_t length;

        stage_new(&stage);
        ASSERT(say(&stage, &done, 0));
        ASSERT_OK(dbus_call(stage.bus, &own, &err), &err);
        length = recv(stage.other, data, sizeof(data), 0);
        ASSERT(length > 4 && memcmp(data + length - 4, body_text, 4) == 0);
        ASSERT(memmem(data, (size_t)length, "\10\1g\0\1u", 7));
}

TEST(answers_with_a_path_and_with_none) {
        const Saying path = { .type = 2, .reply_serial = 1, .signature = "o", .texts = { "/a" } },
                     nothing = { .type = 2, .reply_serial = 2 };
        _cleanup_stage_ Stage stage = { 0 };
        _cleanup_free_ char *text = NULL;
        Error err = { 0 };

        stage_new(&stage);
        ASSERT(say(&stage, &path, 0));
        ASSERT_OK(dbus_ask_text(stage.bus, &call, &text, &err), &err);
        ASSERT_STR(text, "/a");
        ASSERT(say(&stage, &nothing, 0));
        ASSERT(dbus_ask_text(stage.bus, &call, &text, &err) < 0);
        ASSERT_STR(err.message, "Do answers with no text");
}

/* A service itself writes no senders; nobody else is there. What it says more is not kept. */
TEST(a_peers_signal_of_numbers_and_paths) {
        const Saying job = { .type = 4,
                             .interface = "a.Manager",
                             .member = "JobRemoved",
                             .signature = "uoss",
                             .texts = { "7", "/job/7", "x.scope", "done" } };
        Saying other = job;
        _cleanup_stage_ Stage stage = { 0 };
        DBusSignal signal = { 0 };
        Error err = { 0 };

        stage_open(&stage, true);
        dbus_hear_only(stage.bus, "a.Manager", (const char *const[]){ "JobRemoved", NULL });
        other.interface = "a.Other";
        for (size_t i = 0; i < 70; i++)
                ASSERT(say(&stage, &other, 0));
        ASSERT(say(&stage, &job, 0));
        ASSERT_OK(dbus_wait(stage.bus, clock_monotonic() + NSEC_PER_SEC, &signal, &err), &err);
        ASSERT_STR(signal.arguments[0], "7");
        ASSERT_STR(signal.arguments[1], "/job/7");
        ASSERT_STR(signal.arguments[3], "done");
        dbus_signal_done(&signal);
        ASSERT_INT(dbus_wait(stage.bus, clock_monotonic() + 1, &signal, &err), -ETIMEDOUT);
}

TEST_MAIN()
