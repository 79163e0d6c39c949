/* relay.c: see relay.h. A record stays in the socket until the target has it: a relay that is
 * killed leaves it to the next one. */
#include "logger/relay.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/fd.h"
#include "logger/target.h"
#include "monitor/message.h"

#define RECORDS_FD 0
#define OPTIONS_FD 1
#define LAST_WORDS_FD 2
/* The pause between two tries doubles from the one to the other. */
#define PAUSE_MIN_MS 100
#define PAUSE_MAX_MS 5000

typedef struct Relay {
        const TargetKind *kind;
        Target *target;
        bool away;      /* the monitor was told that it does not take records */
        int64_t since;  /* of that (clock_monotonic) */
        int64_t orphan; /* since when there is no monitor; 0: there is one */
        char message[sizeof(LoggerHead) + LOGGER_TEXT_MAX];
} Relay;

/* ---- words ---- */

static void say(char kind, const char *words) {
        _cleanup_free_ char *text = str_format("%c%s", kind, words);

        if (send(RECORDS_FD, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
                (void)dprintf(LAST_WORDS_FD, "%s\n", words);
}

static void note_away(Relay *relay, const Error *err) {
        _cleanup_free_ char *words = str_format("log driver %s: %s; it is tried again",
                                                relay->kind->driver, err->message);

        if (relay->away)
                return;
        relay->away = true;
        relay->since = clock_monotonic();
        say(LOGGER_AWAY, words);
}

static void note_back(Relay *relay) {
        if (!relay->away)
                return;
        relay->away = false;
        _cleanup_free_ char *words =
                str_format("log driver %s takes records again after %lld s", relay->kind->driver,
                           (long long)((clock_monotonic() - relay->since) / NSEC_PER_SEC));
        say(LOGGER_READY, words);
}

/* ---- records ---- */

/* False once nobody waits for the records any more. */
static bool pause_for(Relay *relay, int milliseconds) {
        struct pollfd fds[] = { { .fd = relay->orphan ? -1 : RECORDS_FD, .events = 0 } };

        if (poll(fds, 1, milliseconds) > 0 && fds[0].revents)
                relay->orphan = clock_monotonic();
        return !relay->orphan || clock_monotonic() - relay->orphan < RELAY_PATIENCE * NSEC_PER_SEC;
}

static int deliver(Relay *relay, const LogEntry *entry, Error *err) {
        int pause = PAUSE_MIN_MS;

        for (;;) {
                int r = failpoint("logger.record", err);

                if (r == 0)
                        r = relay->kind->send(relay->target, entry, err);
                if (r == 0) {
                        note_back(relay);
                        return 0;
                }
                note_away(relay, err);
                if (!pause_for(relay, pause))
                        return r;
                pause = MIN(pause * 2, PAUSE_MAX_MS);
        }
}

/* Waits for a record, and mends a connection that ends meanwhile. */
static void wait_record(Relay *relay) {
        int pause = PAUSE_MIN_MS;

        for (;;) {
                struct pollfd fds[] = { { .fd = RECORDS_FD, .events = POLLIN },
                                        { .fd = relay->kind->fd(relay->target),
                                          .events = POLLIN | POLLRDHUP } };
                Error err = {};
                bool lost = fds[1].fd < 0 && relay->away;

                if (poll(fds, 2, lost ? pause : -1) < 0 || fds[0].revents)
                        return;
                if (relay->kind->mend(relay->target, &err) == 0) {
                        note_back(relay);
                        /* One that accepts and ends is not dialed as fast as it answers. */
                        if (poll(fds, 1, pause) != 0)
                                return;
                } else {
                        note_away(relay, &err);
                }
                pause = MIN(pause * 2, PAUSE_MAX_MS);
        }
}

/* 1: *ret is the next record, which stays in the socket; 0: there are no more. */
static int next_record(Relay *relay, LogEntry *ret) {
        LoggerHead head;
        ssize_t n;

        do {
                wait_record(relay);
                n = recv(RECORDS_FD, relay->message, sizeof(relay->message), MSG_PEEK);
        } while (n < 0 && (errno == EINTR || errno == EAGAIN));
        if (n < (ssize_t)sizeof(head))
                return 0;
        memcpy(&head, relay->message, sizeof(head));
        *ret = (LogEntry){ .text = relay->message + sizeof(head),
                           .length = (size_t)n - sizeof(head),
                           .stream = head.stream == 2 ? 2 : 1,
                           .partial = head.partial != 0,
                           .when = head.when };
        return 1;
}

static void drop_record(void) {
        char byte;

        (void)recv(RECORDS_FD, &byte, 1, 0);
}

/* What is left when the patience is over. */
static void give_up(const Relay *relay, const Error *err) {
        char byte;
        size_t count = 0;

        while (recv(RECORDS_FD, &byte, 1, MSG_DONTWAIT) > 0)
                count++;
        (void)dprintf(LAST_WORDS_FD,
                      "log driver %s: %zu records did not arrive within %d s of the container's "
                      "end: %s\n",
                      relay->kind->driver, count, RELAY_PATIENCE, err->message);
}

static int pass_on(Relay *relay, Error *err) {
        LogEntry entry;

        while (next_record(relay, &entry) > 0) {
                int r = deliver(relay, &entry, err);

                if (r < 0) {
                        give_up(relay, err);
                        return r;
                }
                drop_record();
        }
        return 0;
}

/* What the kernel had taken of, and the target did not acknowledge. */
static void note_lost(const Relay *relay, size_t count) {
        if (count > 0)
                (void)dprintf(LAST_WORDS_FD,
                              "log driver %s: %zu records were sent at the container's end and not "
                              "acknowledged: they may be lost\n",
                              relay->kind->driver, count);
}

/* ---- the whole ---- */

static const TargetKind *const kinds[] = { &syslog_target, &journald_target };

static int read_options(LoggerOptions *ret, Error *err) {
        _cleanup_free_ char *text = NULL;
        size_t length;
        int r = memfd_read(OPTIONS_FD, LOGGER_TEXT_MAX * 16, &text, &length, err);

        return r < 0 ? r : json_parse(&logger_options_table, text, length, ret, err);
}

static int open_target(Relay *relay, const LoggerOptions *options, bool again, Error *err) {
        for (size_t i = 0; i < ELEMENTS(kinds); i++)
                if (str_equal(kinds[i]->driver, options->driver))
                        relay->kind = kinds[i];
        if (!relay->kind)
                return error_kind(err, ERROR_UNSUPPORTED, "no log driver '%s'", options->driver);
        return relay->kind->open(options, again, &relay->target, err);
}

static Relay the_relay; /* too large for a stack */

int relay_run(bool again, Error *err) {
        Relay *relay = &the_relay;
        LoggerOptions options = {};
        int r = read_options(&options, err);

        if (r == 0)
                r = failpoint("logger.start", err);
        if (r == 0)
                r = open_target(relay, &options, again, err);
        if (r < 0) {
                say(LOGGER_AWAY, err->message);
        } else {
                if (!again)
                        say(LOGGER_READY, "");
                r = pass_on(relay, err);
                note_lost(relay, relay->kind->close(relay->target));
        }
        json_done(&logger_options_table, &options);
        return r;
}
