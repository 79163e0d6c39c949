/* dbus-fuzz.c: whatever comes from the bus, before and after an answer is waited for. */
#include <stdint.h>
#include <sys/socket.h>

#include "base/str.h"
#include "os/dbus.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const DBusCall call = { "a.b", "/a", "a.b", "C", { "d" } };
        _cleanup_(dbus_closep) DBus *bus = NULL;
        DBusSignal signal = { 0 };
        int pair[2];

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
                return 0;
        bus = dbus_adopt(pair[0], 0);
        (void)!send(pair[1], data, size, MSG_NOSIGNAL);
        (void)dbus_call(bus, &call, NULL);
        while (dbus_next(bus, &signal, NULL) > 0)
                dbus_signal_done(&signal);
        close_fd(&pair[1]);
        return 0;
}
