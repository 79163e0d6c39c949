#!/usr/bin/env python3
"""away.py DIRECTORY FLAG: a file system of a server of files, an empty directory, mounted on DIRECTORY by FUSE until its end. What it is asked
while the file FLAG exists it never answers, as a server that is away. Its end does: whoever waits gets an error."""
import ctypes, errno, os, struct, sys, time

LOOKUP, FORGET, GETATTR, STATFS, INIT, OPENDIR, READDIR, RELEASEDIR, INTERRUPT, BATCH_FORGET = 1, 2, 3, 17, 26, 27, 28, 29, 36, 42
place, flag = sys.argv[1:]
now = int(time.time())
ATTRIBUTES = struct.pack("<6Q10I", 1, 0, 0, now, now, now, 0, 0, 0, 0o40755, 2, 0, 0, 0, 4096, 0)
ANSWERS = {
    INIT: struct.pack("<4I2H2I2HI28x", 7, 31, 65536, 0, 12, 9, 65536, 1, 16, 0, 0),
    GETATTR: struct.pack("<QII", 0, 0, 0) + ATTRIBUTES,
    STATFS: bytes(80),
    OPENDIR: struct.pack("<QII", 0, 0, 0),
    READDIR: b"",
    RELEASEDIR: b"",
}

device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
libc = ctypes.CDLL(None, use_errno=True)
if libc.mount(b"away", place.encode(), b"fuse", 0, b"fd=%d,rootmode=40000,user_id=0,group_id=0" % device) < 0:
    sys.exit(f"mount '{place}': {os.strerror(ctypes.get_errno())}")
while True:
    try:
        request = os.read(device, 1 << 18)
    except OSError as error:
        if error.errno == errno.ENODEV:  # unmounted
            break
        if error.errno in (errno.ENOENT, errno.EINTR, errno.EAGAIN):
            continue
        raise
    _, opcode, unique = struct.unpack_from("<IIQ", request)
    if opcode in (FORGET, INTERRUPT, BATCH_FORGET) or os.path.exists(flag):
        continue
    answer = ANSWERS.get(opcode)
    failure = 0 if answer is not None else -(errno.ENOENT if opcode == LOOKUP else errno.ENOSYS)
    os.write(device, struct.pack("<IiQ", 16 + len(answer or b""), failure, unique) + (answer or b""))
