/* systemd.c: see systemd.h. Over its own socket systemd is the peer, and says all to each; on the
 * bus it says what was subscribed to. */
#include "os/systemd.h"

#include <errno.h>
#include <unistd.h>

#include "base/clock.h"

#define SERVICE "org.freedesktop.systemd1"
#define OBJECT "/org/freedesktop/systemd1"
#define MANAGER "org.freedesktop.systemd1.Manager"
#define BUS "org.freedesktop.DBus"
#define PATIENCE_MS 10000 /* for one answer: systemd may be reading all units again */
#define SLICE ".slice"

bool systemd_runs(void) {
        return access("/run/systemd/system/", F_OK) == 0;
}

/* ---- slices ---- */

static int no_slice(const char *slice, Error *err) {
        return error_kind(err, ERROR_INVALID,
                          "'%s' is no name of a slice: give one such as 'a.slice' or 'a-b.slice'",
                          slice);
}

int systemd_slice_path(const char *slice, char **ret, Error *err) {
        const size_t length = strlen(slice);
        Buf path = { 0 };
        bool bad = !str_ends(slice, SLICE) || length == strlen(SLICE) || strchr(slice, '/');

        if (str_equal(slice, "-" SLICE)) {
                *ret = str_copy("");
                return 0;
        }
        /* "a-b" lies in "a", its every prefix that ends before a dash. */
        for (size_t i = 0; !bad && i <= length - strlen(SLICE); i++) {
                const bool ends = i == length - strlen(SLICE);

                if (!ends && slice[i] != '-')
                        continue;
                bad = i == 0 || slice[i - 1] == '-';
                buf_format(&path, "/%.*s" SLICE, (int)i, slice);
        }
        if (bad) {
                buf_done(&path);
                return no_slice(slice, err);
        }
        *ret = buf_take(&path);
        return 0;
}

/* ---- the connection ---- */

/* All that is waited for. */
static const char *const heard[] = { "JobRemoved", "UnitRemoved", NULL };

static int subscribe(DBus *bus, Error *err) {
        static const DBusCall match = { BUS,
                                        "/org/freedesktop/DBus",
                                        BUS,
                                        "AddMatch",
                                        { "type='signal',sender='" SERVICE "',interface='" MANAGER
                                          "'" } };
        static const DBusCall call = { SERVICE, OBJECT, MANAGER, "Subscribe", { NULL } };
        int r = dbus_call(bus, &match, err);

        return r < 0 ? r : dbus_call(bus, &call, err);
}

int systemd_connect(DBus **ret, Error *err) {
        _cleanup_(dbus_closep) DBus *bus = NULL;
        int r = dbus_open_peer(SYSTEMD_PRIVATE_SOCKET, PATIENCE_MS, &bus, NULL);

        if (r < 0) {
                r = dbus_open(DBUS_SYSTEM_SOCKET, PATIENCE_MS, -1, &bus, err);
                if (r == 0)
                        r = subscribe(bus, err);
        }
        if (r < 0)
                return error_prefix(err, "systemd does not answer at " SYSTEMD_PRIVATE_SOCKET);
        dbus_hear_only(bus, MANAGER, heard);
        *ret = TAKE_PTR(bus);
        return 0;
}

/* ---- scopes ---- */

static void add_text_property(Buf *body, const char *name, const char *value) {
        dbus_begin_struct(body);
        dbus_add_string(body, name);
        dbus_add_signature(body, "s");
        dbus_add_string(body, value);
}

static void add_bool_property(Buf *body, const char *name, bool value) {
        dbus_begin_struct(body);
        dbus_add_string(body, name);
        dbus_add_signature(body, "b");
        dbus_add_number(body, value);
}

static void add_pids_property(Buf *body, pid_t pid) {
        DBusArray array;

        dbus_begin_struct(body);
        dbus_add_string(body, "PIDs");
        dbus_add_signature(body, "au");
        array = dbus_begin_array(body, 4);
        dbus_add_number(body, (uint32_t)pid);
        dbus_end_array(body, array);
}

/* StartTransientUnit(name, mode, properties, auxiliary units). */
static void build_scope(const SystemdScope *scope, Buf *body) {
        DBusArray properties, none;

        dbus_add_string(body, scope->name);
        dbus_add_string(body, "fail");
        properties = dbus_begin_array(body, 8);
        add_text_property(body, "Description", scope->description);
        add_text_property(body, "Slice", scope->slice);
        add_pids_property(body, scope->pid);
        add_bool_property(body, "Delegate", true);
        add_bool_property(body, "DefaultDependencies", false);
        add_text_property(body, "CollectMode", "inactive-or-failed");
        dbus_end_array(body, properties);
        none = dbus_begin_array(body, 8);
        dbus_end_array(body, none);
}

static int ask_for_scope(DBus *bus, const SystemdScope *scope, char **ret_job, Error *err) {
        Buf body = { 0 };
        const DBusCall call = { .destination = SERVICE,
                                .path = OBJECT,
                                .interface = MANAGER,
                                .member = "StartTransientUnit",
                                .signature = "ssa(sv)a(sa(sv))",
                                .body = &body };
        int r;

        build_scope(scope, &body);
        r = dbus_ask_text(bus, &call, ret_job, err);
        buf_done(&body);
        return r;
}

/* Waits for one signal of which that argument is `text`. */
static int wait_for_signal(DBus *bus, int64_t end, const char *member, size_t argument,
                           const char *text, DBusSignal *ret, Error *err) {
        for (;;) {
                DBusSignal signal = { 0 };
                int r = dbus_wait(bus, end, &signal, err);

                if (r < 0)
                        return r;
                if (str_equal(signal.member, member) &&
                    str_equal(signal.arguments[argument], text)) {
                        *ret = signal;
                        return 0;
                }
                dbus_signal_done(&signal);
        }
}

/* JobRemoved(id, job, unit, result). */
static int wait_for_job(DBus *bus, int64_t end, const char *job, Error *err) {
        DBusSignal signal = { 0 };
        int r = wait_for_signal(bus, end, "JobRemoved", 1, job, &signal, err);

        if (r == 0 && !str_equal(signal.arguments[3], "done"))
                r = error_kind(err, ERROR_UNAVAILABLE, "its job ended as '%s'",
                               signal.arguments[3] ?: "");
        dbus_signal_done(&signal);
        return r;
}

/* A scope that has no processes any more is there until systemd has noticed, and one that failed
 * until somebody says that he knows. Both calls fail where the other one was the right one. */
static int wait_until_gone(DBus *bus, int64_t end, const char *name, Error *err) {
        const DBusCall reset = { SERVICE, OBJECT, MANAGER, "ResetFailedUnit", { name } };
        DBusSignal signal = { 0 };
        int r = dbus_call(bus, &reset, err);

        if (r == 0 || r == -EREMOTEIO)
                r = wait_for_signal(bus, end, "UnitRemoved", 0, name, &signal, err);
        dbus_signal_done(&signal);
        if (r == -ETIMEDOUT)
                return error_kind(err, ERROR_CONFLICT, "it is there already: systemctl stop %s",
                                  name);
        return r;
}

static bool is_there_already(int r, const Error *err) {
        return r == -EREMOTEIO && str_after(err->message, SERVICE ".UnitExists:");
}

int systemd_start_scope(DBus *bus, const SystemdScope *scope, int64_t timeout, Error *err) {
        const int64_t end = clock_monotonic() + timeout;
        _cleanup_free_ char *job = NULL;
        Error why = { 0 };
        int r = ask_for_scope(bus, scope, &job, &why);

        if (is_there_already(r, &why)) {
                r = wait_until_gone(bus, end, scope->name, &why);
                if (r == 0)
                        r = ask_for_scope(bus, scope, &job, &why);
        }
        if (r == 0)
                r = wait_for_job(bus, end, job, &why);
        if (r == 0)
                return 0;
        if (err)
                *err = why;
        return error_prefix(err, "systemd: make scope '%s'", scope->name);
}
