"""Questions between network namespaces, and servers there that answer with their name and the address that they were asked from. One process
asks and answers all: each socket is made inside its namespace and used from outside of it.

TCP and SCTP: a connection on which the server says it. UDP: a datagram for a datagram. Where the kernel has no SCTP of its own: its first two
packets (RFC 9260, 3.3.2 and 3.3.3) through raw sockets, which connection tracking and translation take for what they are; the answer is in the
state cookie."""
import errno
import os
import resource
import select
import socket
import struct
import time

from world import SERVED, Inside  # which knows where stage is
from stage import SCTP, crc32c, sctp_init

PATIENCE = float(os.environ.get("WAIT_SECONDS", 60)) / 4  # seconds, for who must answer
SILENCE = 0.3  # after the last who must, in which nobody else may
AGAIN = 0.1  # between two datagrams of one question at first; then twice as long each time
FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}
IP_PKTINFO = 8  # ip(7); Python has no name for it
IPV6_RECVPKTINFO, IPV6_PKTINFO = socket.IPV6_RECVPKTINFO, socket.IPV6_PKTINFO
TAG = 0x1234  # of sctp_init
INIT, INIT_ACK, STATE_COOKIE = 1, 2, 7


def kernel_has_sctp():
    try:
        socket.socket(socket.AF_INET, socket.SOCK_STREAM, SCTP).close()
        return True
    except OSError as error:
        if error.errno not in (errno.EPROTONOSUPPORT, errno.ESOCKTNOSUPPORT):
            raise
        return False


def sctp_init_ack(source_port, port, name):
    cookie = struct.pack("!HH", STATE_COOKIE, 4 + len(name)) + name + bytes(-len(name) % 4)
    chunk = struct.pack("!BBHIIHHI", INIT_ACK, 0, 20 + len(cookie), TAG, 65535, 10, 10, 1) + cookie
    head = struct.pack("!HHI", source_port, port, TAG)
    return head + struct.pack("<I", crc32c(head + bytes(4) + chunk)) + chunk


def answer(name, sender):
    return ("%s as %s" % (name, sender[0])).encode()


def source_address(question):
    """The one from which the kernel asks. SCTP left to itself tells its peer all that the machine has, which no translation reaches."""
    with socket.socket(FAMILY[question.family], socket.SOCK_DGRAM) as one:
        one.connect((question.address, question.port))
        return one.getsockname()[0]


class Question:
    def __init__(self, source, target, address, port, family, protocol):
        self.source, self.target, self.address, self.port = source, target, address, port
        self.family, self.protocol = family, protocol
        self.expected = self.observed = None  # "NAME as ADDRESS", or None: nobody


class Prober:
    def __init__(self, world):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, 65536), hard), hard))
        self.world = world
        self.raw_sctp = not kernel_has_sctp()
        self.poll = select.epoll()
        self.takers = {}  # descriptor → what is done when it can be read
        self.raw = {}  # (place's name, family) → socket
        self.asked = {}  # (place's name, family, port) → question, of raw SCTP
        self.next_port = 20000
        for place in world.places.values():
            if not place.other:
                with Inside(place.fd):
                    self.serve(place)

    def watch(self, one, take):
        self.takers[one.fileno()] = (one, take)
        self.poll.register(one.fileno(), select.EPOLLIN)

    def forget(self, one):
        self.poll.unregister(one.fileno())
        del self.takers[one.fileno()]
        one.close()

    # ---- servers ----

    def serve(self, place):
        # One for each address, not for all: SCTP tells its peer all that it is bound to, which no translation reaches.
        for address in place.all_addresses():
            family = 6 if ":" in address else 4
            if place.by_host and address in ("127.0.0.1", "::1"):
                continue
            for port in SERVED:
                self.serve_connections(place, family, address, port, socket.IPPROTO_TCP)
                self.serve_datagrams(place, family, address, port)
                if not self.raw_sctp:
                    self.serve_connections(place, family, address, port, SCTP)
        if self.raw_sctp:
            for family in FAMILY:
                self.serve_raw(place, family)

    def serve_connections(self, place, family, address, port, protocol):
        one = socket.socket(FAMILY[family], socket.SOCK_STREAM, protocol)
        if protocol == socket.IPPROTO_TCP:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind((address, port))
        one.listen(1024)
        one.setblocking(False)
        self.watch(one, lambda: self.take_connection(one, place.name))

    def take_connection(self, one, name):
        connection, sender = one.accept()
        connection.setblocking(False)
        connection.send(answer(name, sender))
        self.watch(connection, lambda: self.take_end(connection))

    def take_end(self, connection):
        """The client goes first, so that no port of a server's is left waiting."""
        try:
            gone = connection.recv(64) == b""
        except ConnectionError:
            gone = True
        if gone:
            self.forget(connection)

    def serve_datagrams(self, place, family, address, port):
        one = socket.socket(FAMILY[family], socket.SOCK_DGRAM)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        one.bind((address, port))
        one.setblocking(False)
        self.watch(one, lambda: self.take_datagram(one, place.name))

    def take_datagram(self, one, name):
        _, sender = one.recvfrom(64)
        one.sendto(answer(name, sender), sender)

    def serve_raw(self, place, family):
        one = socket.socket(FAMILY[family], socket.SOCK_RAW, SCTP)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        if family == 6:
            one.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
        one.setblocking(False)
        self.raw[place.name, family] = one
        self.watch(one, lambda: self.take_raw(one, place, family))

    def take_raw(self, one, place, family):
        """An answer's source is the address that was asked."""
        data, control, _, sender = one.recvmsg(2048, 64)
        if family == 4:
            asked, data = data[16:20], data[(data[0] & 15) * 4:]
            answer_from = (socket.IPPROTO_IP, IP_PKTINFO, struct.pack("i4s4s", 0, asked, bytes(4)))
        else:
            asked = next(value[:16] for _, kind, value in control if kind == IPV6_PKTINFO)
            answer_from = (socket.IPPROTO_IPV6, IPV6_PKTINFO, asked + struct.pack("i", 0))
        from_port, to_port, _, _, kind = struct.unpack_from("!HHIIB", data)
        if kind == INIT and to_port in SERVED:
            packet = sctp_init_ack(to_port, from_port, answer(place.name, sender))
            one.sendmsg([packet], [answer_from], 0, (sender[0], 0) + tuple(sender[2:]))
        elif kind == INIT_ACK and (place.name, family, to_port) in self.asked:
            length = struct.unpack_from("!H", data, 34)[0]
            self.settle(self.asked[place.name, family, to_port], data[36:32 + length].decode())

    # ---- questions ----

    def settle(self, question, name):
        if question.observed not in (None, name):
            name = "%s and %s" % (question.observed, name)
        question.observed = name
        self.unanswered.discard(question)

    def ask(self, questions):
        """All at once; sets `observed` of each. They are of one family and protocol."""
        self.unanswered = {question for question in questions if question.expected}
        self.clients, self.again = [], []
        by_place = {}
        for question in questions:
            by_place.setdefault(self.world.self_of(self.world.places[question.source]).name, []).append(question)
        for name, some in by_place.items():
            with Inside(self.world.places[name].fd):
                for question in some:
                    self.send(name, question)
            self.serve_for(0)
        self.wait()
        for one in self.clients:
            if one.fileno() in self.takers:
                self.forget(one)
        self.asked.clear()
        while self.serve_for(0):
            pass

    def send(self, name, question):
        if question.protocol == "sctp" and self.raw_sctp:
            self.next_port = 20000 + (self.next_port - 19999) % 40000
            self.asked[name, question.family, self.next_port] = question
            packet, one = sctp_init(self.next_port, question.port), self.raw[name, question.family]
            self.repeat(lambda: one.sendto(packet, (question.address, 0)), question)
            return
        stream = question.protocol != "udp"
        one = socket.socket(FAMILY[question.family], socket.SOCK_STREAM if stream else socket.SOCK_DGRAM, SCTP if question.protocol == "sctp" else 0)
        one.setblocking(False)
        try:
            if question.protocol == "sctp":
                one.bind((source_address(question), 0))
        except OSError:
            one.close()
            return
        if one.connect_ex((question.address, question.port)) not in (0, errno.EINPROGRESS):
            one.close()
            return
        self.clients.append(one)
        self.watch(one, lambda: self.take_answer(one, question, stream))
        if not stream:
            self.repeat(lambda: one.send(b"?"), question)

    def repeat(self, send, question):
        """A datagram may be lost to a neighbour that is not known yet."""
        self.again.append((send, question))
        try:
            send()
        except OSError:
            pass

    def take_answer(self, one, question, stream):
        try:
            name = one.recv(64).decode()
        except BlockingIOError:
            raise
        except OSError:  # refused; a datagram's refusal may be of an earlier one
            name = ""
        if name:
            self.settle(question, name)
        if stream:
            self.forget(one)

    def serve_for(self, seconds):
        events = self.poll.poll(seconds)
        for fd, _ in events:
            while fd in self.takers and self.take(fd):
                pass
        return len(events)

    def take(self, fd):
        """Whether there may be more."""
        one, take = self.takers[fd]
        try:
            take()
        except OSError as error:  # nothing more, or who asked is gone, or his way
            if error.errno in (errno.EBADF, errno.EINVAL):
                raise
            return False
        return self.takers.get(fd, (None, None))[0] is one

    def wait(self):
        begin = time.monotonic()
        end, pause = None, AGAIN
        again = begin + pause
        while True:
            now = time.monotonic()
            if end is None and not self.unanswered:
                end = now + SILENCE
            if now > (end or begin + PATIENCE):
                return
            if now > again:
                pause *= 2
                again = now + pause
                self.send_again()
            self.serve_for(0.02)

    def send_again(self):
        self.again = [(send, question) for send, question in self.again if question.observed is None]
        for send, question in self.again:
            try:
                send()
            except OSError:  # what became of the one before
                pass
