/* dbus.c: see dbus.h. What comes from the bus is taken for any text: every length is checked. Any
 * user of the host may send messages here, which the bus checked and to which it wrote the sender:
 * what is of no interest, or not understood, is passed over and never ends the connection. */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/str.h"
#include "os/dbus-private.h"

#define MESSAGE_MAX (1U << 16) /* longer ones are passed over */
#define PROTOCOL_MAX                                                                               \
        (1U << 27) /* "the maximum length of a message"; the bus passes on no longer               \
                    */
#define HEADER_LENGTH 16
#define SIGNALS_MAX 256 /* that wait; more are the same again */
#define RECEIVE_MAX 64  /* at once: who floods does not keep a caller for good */
#define BUS_NAME "org.freedesktop.DBus"

struct DBus {
        int fd, stop_fd, timeout_ms;
        bool is_peer;     /* the service itself is at the other end: nobody writes senders */
        const char *only; /* of this interface signals are kept; NULL: of each */
        const char *const *members; /* and of it, these */
        uint32_t serial;
        Buf in;      /* what came and is not yet a whole message */
        size_t skip; /* bytes to come of a message that is passed over */
        char *peer;  /* the unique name of the service that answered last, or NULL */
        DBusSignal signals[SIGNALS_MAX];
        size_t signal_count;
};

void dbus_signal_done(DBusSignal *signal) {
        free(signal->interface);
        free(signal->member);
        for (size_t i = 0; i < DBUS_SIGNAL_ARGUMENTS; i++)
                free(signal->arguments[i]);
        *signal = (DBusSignal){ 0 };
}

DBus *dbus_adopt(int fd, bool is_peer, int timeout_ms) {
        DBus *bus = NEW(DBus);

        bus->is_peer = is_peer;
        bus->fd = fd;
        bus->stop_fd = -1;
        bus->timeout_ms = timeout_ms;
        return bus;
}

DBus *dbus_close(DBus *bus) {
        if (!bus)
                return NULL;
        close_fd(&bus->fd);
        buf_done(&bus->in);
        free(bus->peer);
        for (size_t i = 0; i < bus->signal_count; i++)
                dbus_signal_done(&bus->signals[i]);
        free(bus);
        return NULL;
}

int dbus_fd(const DBus *bus) {
        return bus->fd;
}

/* ---- bytes ---- */

static int wait_for(const DBus *bus, short events, int64_t end, Error *err) {
        struct pollfd items[] = { { .fd = bus->fd, .events = events },
                                  { .fd = bus->stop_fd, .events = POLLIN } };
        int64_t left = (end - clock_monotonic()) / NSEC_PER_MSEC;
        int n = poll(items, ELEMENTS(items), left > 0 ? (int)left : 0);

        if (n < 0 && errno != EINTR)
                return error_set(err, errno, "wait for the message bus");
        if (n > 0 && items[1].revents)
                return error_set(err, ECANCELED, "wait for the message bus");
        return n == 0 ? error_set(err, ETIMEDOUT, "wait for the message bus") : 0;
}

/* Somebody may send without end: what is awaited must come in time all the same. */
static int check_time(int64_t end, Error *err) {
        return clock_monotonic() > end ? error_set(err, ETIMEDOUT, "wait for the message bus") : 0;
}

static int64_t deadline(const DBus *bus) {
        return clock_monotonic() + bus->timeout_ms * NSEC_PER_MSEC;
}

static int send_all(DBus *bus, const char *data, size_t length, Error *err) {
        const int64_t end = deadline(bus);

        while (length > 0) {
                ssize_t n = send(bus->fd, data, length, MSG_NOSIGNAL);
                int r = 0;

                if (n > 0) {
                        data += n;
                        length -= (size_t)n;
                } else if (errno == EAGAIN) {
                        r = wait_for(bus, POLLOUT, end, err);
                } else if (errno != EINTR) {
                        r = error_set(err, errno, "send to the message bus");
                }
                if (r < 0)
                        return r;
        }
        return 0;
}

/* Takes what is here: 1; 0: nothing is. */
static int receive(DBus *bus, Error *err) {
        char data[4096];
        ssize_t n = recv(bus->fd, data, sizeof(data), 0);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        if (n <= 0)
                return error_set(err, n < 0 ? errno : ECONNRESET, "read from the message bus");
        buf_add(&bus->in, data, (size_t)n);
        return 1;
}

/* ---- reading messages ---- */

/* at > length: what was to be read is not there. */
typedef struct Reader {
        const char *data;
        size_t length, at;
} Reader;

static const char *take(Reader *reader, size_t alignment, size_t length) {
        size_t at = (reader->at + alignment - 1) / alignment * alignment;

        if (at > reader->length || length > reader->length - at) {
                reader->at = reader->length + 1;
                return NULL;
        }
        reader->at = at + length;
        return reader->data + at;
}

static uint32_t take_number(Reader *reader) {
        const char *data = take(reader, 4, sizeof(uint32_t));
        uint32_t number = 0;

        if (data)
                memcpy(&number, data, sizeof(number));
        return number;
}

/* A text with its NUL behind it; NULL: there is none. */
static const char *take_text(Reader *reader, bool is_signature) {
        const char *text = is_signature ? take(reader, 1, 1) : NULL;
        size_t length = text ? (uint8_t)*text : 0;

        if (!is_signature)
                length = take_number(reader);
        text = length < MESSAGE_MAX ? take(reader, 1, length + 1) : NULL;
        if (!text || text[length] || strlen(text) != length) {
                reader->at = reader->length + 1;
                return NULL;
        }
        return text;
}

typedef struct Message {
        uint8_t type;
        uint32_t reply_serial;
        const char *interface, *member, *error, *sender, *signature;
        Reader body;
} Message;

static void read_field(Reader *reader, Message *message) {
        const char *code = take(reader, 8, 1), *type = take_text(reader, true), *text;

        if (!code || !type)
                return;
        if (str_equal(type, "u")) {
                uint32_t number = take_number(reader);

                if (*code == FIELD_REPLY_SERIAL)
                        message->reply_serial = number;
                return;
        }
        if (!str_equal(type, "s") && !str_equal(type, "o") && !str_equal(type, "g")) {
                reader->at = reader->length + 1; /* of no field that the specification knows */
                return;
        }
        text = take_text(reader, *type == 'g');
        if (*code == FIELD_INTERFACE)
                message->interface = text;
        if (*code == FIELD_MEMBER)
                message->member = text;
        if (*code == FIELD_ERROR)
                message->error = text;
        if (*code == FIELD_SENDER)
                message->sender = text;
        if (*code == FIELD_SIGNATURE)
                message->signature = text;
}

static size_t padded(size_t length) {
        return (length + 7) / 8 * 8;
}

/* The length of the message that begins here, in either order of bytes; 0: its header is not whole.
 */
static int measure(const char *data, size_t length, size_t *ret, Error *err) {
        uint32_t body, fields;

        *ret = 0;
        if (length < HEADER_LENGTH)
                return 0;
        memcpy(&body, data + 4, sizeof(body));
        memcpy(&fields, data + 12, sizeof(fields));
        body = data[0] == 'B' ? be32toh(body) : le32toh(body);
        fields = data[0] == 'B' ? be32toh(fields) : le32toh(fields);
        if ((data[0] != 'l' && data[0] != 'B') || body > PROTOCOL_MAX || fields > PROTOCOL_MAX)
                return error_set(err, EBADMSG, "read from the message bus");
        *ret = HEADER_LENGTH + padded(fields) + body;
        return 0;
}

/* The message is of as many bytes as measure said. False: it is not understood. */
static bool parse(const char *data, size_t length, Message *ret) {
        Reader fields = { data + HEADER_LENGTH, 0, 0 };
        uint32_t number;

        if (data[0] != 'l')
                return false;
        memcpy(&number, data + 12, sizeof(number));
        fields.length = number;
        *ret = (Message){ .type = (uint8_t)data[1] };
        while (fields.at < fields.length)
                read_field(&fields, ret);
        ret->body = (Reader){ fields.data + padded(number), length - HEADER_LENGTH - padded(number),
                              0 };
        return fields.at == fields.length;
}

/* A text, or a number in decimal; NULL: the arguments end here, or go on with something else. The
 * caller's. */
static char *next_argument(Message *message) {
        const char type = message->signature ? message->signature[0] : '\0';
        uint32_t number;

        if (type == '\0' || !strchr("sou", type))
                return NULL;
        message->signature++;
        if (type != 'u')
                return str_copy(take_text(&message->body, false));
        number = take_number(&message->body);
        return message->body.at > message->body.length ? NULL : str_format("%" PRIu32, number);
}

static bool is_wanted(const DBus *bus, const Message *message) {
        if (bus->only && (!str_equal(message->interface, bus->only) ||
                          !strv_has((char *const *)bus->members, message->member)))
                return false;
        if (bus->is_peer)
                return true;
        return message->sender &&
               (str_equal(message->sender, BUS_NAME) || str_equal(message->sender, bus->peer));
}

/* Those of others are not stored, so they push out none. */
static void keep_signal(DBus *bus, Message *message) {
        DBusSignal *signal = &bus->signals[bus->signal_count];

        if (bus->signal_count == SIGNALS_MAX || !is_wanted(bus, message))
                return;
        *signal = (DBusSignal){ .interface = str_copy(message->interface),
                                .member = str_copy(message->member) };
        for (size_t i = 0; i < DBUS_SIGNAL_ARGUMENTS; i++)
                signal->arguments[i] = next_argument(message);
        bus->signal_count++;
}

/* ---- conversation ---- */

typedef struct Answer {
        uint32_t serial; /* of the call; 0: none is waited for */
        bool by_bus;     /* the bus itself was called */
        bool by_peer;    /* by whom does not matter: there is one */
        bool came;
        int result;
        uint32_t number; /* what it says, if that is a number */
        char *text;      /* the same of a text or a path; the caller's */
        Error *err;
} Answer;

static bool does_not_run(const char *error) {
        return str_equal(error, "org.freedesktop.DBus.Error.ServiceUnknown") ||
               str_equal(error, "org.freedesktop.DBus.Error.NameHasNoOwner");
}

static void take_answer(Message *message, Answer *answer) {
        _cleanup_free_ char *text = NULL;

        answer->came = true;
        if (message->type == METHOD_RETURN && str_equal(message->signature, "u"))
                answer->number = take_number(&message->body);
        else if (message->type == METHOD_RETURN)
                answer->text = next_argument(message);
        if (message->type == METHOD_RETURN)
                return;
        text = next_argument(message);
        (void)error_kind(answer->err, ERROR_UNAVAILABLE, "%s: %s", message->error ?: "error",
                         text ?: "");
        answer->result = does_not_run(message->error) ? -ENOENT : -EREMOTEIO;
}

static bool is_answer(const Message *message, const Answer *answer) {
        if (message->type != METHOD_RETURN && message->type != METHOD_ERROR)
                return false;
        if (!answer->serial || message->reply_serial != answer->serial || answer->came)
                return false;
        if (answer->by_peer)
                return true;
        return answer->by_bus ? str_equal(message->sender, BUS_NAME) : message->sender != NULL;
}

static void take_message(DBus *bus, Message *message, Answer *answer) {
        if (message->type == SIGNAL)
                keep_signal(bus, message);
        if (message->type == SIGNAL || !is_answer(message, answer))
                return;
        if (!answer->by_bus && !answer->by_peer)
                str_replace(&bus->peer, message->sender);
        take_answer(message, answer);
}

/* Reads the messages that are whole. */
static int digest(DBus *bus, Answer *answer, Error *err) {
        size_t at = 0, length;
        int r;

        for (;;) {
                const size_t gone =
                        bus->skip < bus->in.length - at ? bus->skip : bus->in.length - at;
                Message message;

                bus->skip -= gone;
                at += gone;
                r = measure(bus->in.data + at, bus->in.length - at, &length, err);
                if (r < 0 || length == 0)
                        break;
                if (length > MESSAGE_MAX) {
                        bus->skip = length;
                        continue;
                }
                if (length > bus->in.length - at)
                        break;
                if (parse(bus->in.data + at, length, &message))
                        take_message(bus, &message, answer);
                at += length;
        }
        buf_drop_front(&bus->in, at);
        return r;
}

/* answer->text is the caller's whatever the result. */
static int ask(DBus *bus, const DBusCall *call, Answer *answer, Error *err) {
        const int64_t end = deadline(bus);
        Buf message = { 0 };
        int r;

        *answer = (Answer){ .serial = ++bus->serial,
                            .by_bus = str_equal(call->destination, BUS_NAME),
                            .by_peer = bus->is_peer,
                            .err = err };
        dbus_build_call(call, answer->serial, &message);
        r = send_all(bus, message.data, message.length, err);
        buf_done(&message);
        while (r == 0 && !answer->came) {
                r = wait_for(bus, POLLIN, end, err);
                if (r == 0)
                        r = receive(bus, err);
                if (r >= 0)
                        r = digest(bus, answer, err);
                if (r == 0 && !answer->came)
                        r = check_time(end, err);
        }
        if (r == 0)
                r = answer->result;
        return r;
}

int dbus_ask(DBus *bus, const DBusCall *call, uint32_t *ret, Error *err) {
        Answer answer;
        int r = ask(bus, call, &answer, err);

        free(answer.text);
        if (r == 0)
                *ret = answer.number;
        return r;
}

int dbus_ask_text(DBus *bus, const DBusCall *call, char **ret, Error *err) {
        Answer answer;
        int r = ask(bus, call, &answer, err);

        if (r == 0 && !answer.text)
                r = error_kind(err, ERROR_INTERNAL, "%s answers with no text", call->member);
        if (r == 0)
                *ret = TAKE_PTR(answer.text);
        free(answer.text);
        return r;
}

void dbus_hear_only(DBus *bus, const char *interface, const char *const *members) {
        bus->only = interface;
        bus->members = members;
}

int dbus_call(DBus *bus, const DBusCall *call, Error *err) {
        uint32_t nothing;

        return dbus_ask(bus, call, &nothing, err);
}

int dbus_next(DBus *bus, DBusSignal *ret, Error *err) {
        Answer none = { 0 };
        int r = 1;

        /* No more is read than what is there to be given out: none is lost to a burst. */
        for (size_t i = 0; r > 0 && bus->signal_count == 0 && i < RECEIVE_MAX; i++) {
                r = receive(bus, err);
                if (r > 0 && digest(bus, &none, err) < 0)
                        r = -EBADMSG;
        }
        if (bus->signal_count == 0)
                return MIN(r, 0);
        *ret = bus->signals[0];
        bus->signal_count--;
        memmove(&bus->signals[0], &bus->signals[1], bus->signal_count * sizeof(DBusSignal));
        return 1;
}

int dbus_wait(DBus *bus, int64_t end, DBusSignal *ret, Error *err) {
        for (;;) {
                int r = dbus_next(bus, ret, err);

                if (r == 0)
                        r = check_time(end, err);
                if (r == 0)
                        r = wait_for(bus, POLLIN, end, err);
                if (r != 0)
                        return r < 0 ? r : 0;
        }
}

/* ---- the beginning ---- */

/* SASL EXTERNAL: the kernel says who we are. */
static int authenticate(DBus *bus, Error *err) {
        _cleanup_free_ char *uid = str_format("%u", (unsigned)geteuid());
        const int64_t end = deadline(bus);
        Buf text = { 0 };
        int r;

        buf_add(&text, "\0AUTH EXTERNAL ", 15);
        for (const char *c = uid; *c; c++)
                buf_format(&text, "%02x", (unsigned)*c);
        buf_add_str(&text, "\r\n");
        r = send_all(bus, text.data, text.length, err);
        buf_done(&text);
        while (r == 0 && !(bus->in.length && memchr(bus->in.data, '\n', bus->in.length))) {
                r = wait_for(bus, POLLIN, end, err);
                if (r == 0 && receive(bus, err) < 0)
                        r = -ECONNRESET;
                if (r == 0 && bus->in.length > MESSAGE_MAX)
                        r = error_set(err, EBADMSG, "read from the message bus");
                if (r == 0)
                        r = check_time(end, err);
        }
        if (r < 0)
                return r;
        if (bus->in.length < 3 || memcmp(bus->in.data, "OK ", 3) != 0)
                return error_set(err, EACCES, "the message bus");
        buf_clear(&bus->in); /* the bus says nothing before it is spoken to */
        return send_all(bus, "BEGIN\r\n", 7, err);
}

/* Connected and believed. */
static int connect_to(const char *path, int timeout_ms, int stop_fd, bool is_peer, DBus **ret,
                      Error *err) {
        _cleanup_(dbus_closep) DBus *bus = dbus_adopt(-1, is_peer, timeout_ms);
        struct sockaddr_un name = { .sun_family = AF_UNIX };
        int r;

        bus->stop_fd = stop_fd;
        bus->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (bus->fd < 0)
                return error_set(err, errno, "open a socket");
        (void)snprintf(name.sun_path, sizeof(name.sun_path), "%s", path);
        if (connect(bus->fd, (struct sockaddr *)&name, sizeof(name)) < 0)
                return error_set(err, errno, "connect to the message bus at %s", path);
        r = authenticate(bus, err);
        if (r == 0)
                *ret = TAKE_PTR(bus);
        return r;
}

int dbus_open(const char *path, int timeout_ms, int stop_fd, DBus **ret, Error *err) {
        static const DBusCall hello = {
                BUS_NAME, "/org/freedesktop/DBus", BUS_NAME, "Hello", { NULL }
        };
        _cleanup_(dbus_closep) DBus *bus = NULL;
        int r = connect_to(path, timeout_ms, stop_fd, false, &bus, err);

        if (r == 0)
                r = dbus_call(bus, &hello, err);
        if (r == 0)
                *ret = TAKE_PTR(bus);
        return r;
}

int dbus_open_peer(const char *path, int timeout_ms, DBus **ret, Error *err) {
        return connect_to(path, timeout_ms, -1, true, ret, err);
}
