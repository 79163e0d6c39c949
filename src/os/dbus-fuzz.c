/* dbus-fuzz.c: whatever comes from the bus or from a service, before and after an answer is waited
 * for. The last byte's lowest bit says
 * from which. */
#include <stdint.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/str.h"
#include "os/systemd.h"

static const SystemdScope scope = { "x.scope", "a.slice", "x", 1 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const DBusCall call = { "a.b", "/a", "a.b", "C", { "d" } };
        const bool is_peer = size > 0 && data[size - 1] & 1;
        _cleanup_(dbus_closep) DBus *bus = NULL;
        DBusSignal signal = { 0 };
        int pair[2];

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
                return 0;
        bus = dbus_adopt(pair[0], is_peer, 0);
        (void)!send(pair[1], data, size, MSG_NOSIGNAL);
        if (is_peer)
                (void)systemd_start_scope(bus, &scope, 0, NULL);
        else
                (void)dbus_call(bus, &call, NULL);
        while (dbus_next(bus, &signal, NULL) > 0)
                dbus_signal_done(&signal);
        close_fd(&pair[1]);
        return 0;
}
