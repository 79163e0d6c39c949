#!/usr/bin/env python3
"""Packets that no honest program sends, for tests/firewall.bats; in the network namespace of the caller.

packets.py udp LINK TO-MAC PORT SOURCE DESTINATION...  datagrams "forged" under any addresses (IPv4)
packets.py arp LINK ADDRESS                          tells everybody that ADDRESS is at LINK
packets.py advertise LINK PREFIX/64                  a router's advertisement with a default route and a prefix
packets.py stream ADDRESS PORT                       talks to an echo server until standard input ends; prints how often, or fails
packets.py probe PORT ADDRESS...                     sends a datagram to each, again and again, until standard input ends
"""
import ipaddress, select, socket, struct, sys


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def mac_of(link):
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as s:
        s.bind((link, 0))
        return s.getsockname()[4]


def send_frame(link, to, ethertype, payload):
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as s:
        s.bind((link, 0))
        s.send(to + mac_of(link) + struct.pack("!H", ethertype) + payload)


def udp(link, to, port, *pairs):
    for source, destination in zip(pairs[::2], pairs[1::2]):
        forge(link, to, source, destination, port)


def forge(link, to, source, destination, port):
    addresses = socket.inet_aton(source) + socket.inet_aton(destination)
    body = struct.pack("!HHHH", 5555, int(port), 15, 0) + b"forged\n"
    check = checksum(addresses + struct.pack("!BBH", 0, 17, len(body)) + body)
    body = body[:6] + struct.pack("!H", check) + body[8:]
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 1, 0, 64, 17, 0)
    head = head[:10] + struct.pack("!H", checksum(head + addresses)) + addresses
    send_frame(link, bytes.fromhex(to.replace(":", "")), 0x0800, head + body)


def arp(link, address):
    own = mac_of(link) + socket.inet_aton(address)
    send_frame(link, b"\xff" * 6, 0x0806, struct.pack("!HHBBH", 1, 0x0800, 6, 4, 2) + own + own)


def advertise(link, prefix):
    network = ipaddress.IPv6Network(prefix)
    mac = mac_of(link)
    source = b"\xfe\x80" + bytes(6) + bytes([mac[0] ^ 2]) + mac[1:3] + b"\xff\xfe" + mac[3:]
    everybody = socket.inet_pton(socket.AF_INET6, "ff02::1")
    body = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) + b"\x01\x01" + mac
    body += struct.pack("!BBBBIII", 3, 4, 64, 0xC0, 1800, 1800, 0) + network.network_address.packed
    check = checksum(source + everybody + struct.pack("!II", len(body), 58) + body)
    body = body[:2] + struct.pack("!H", check) + body[4:]
    head = struct.pack("!IHBB", 6 << 28, len(body), 58, 255) + source + everybody
    send_frame(link, b"\x33\x33\0\0\0\x01", 0x86DD, head + body)


def ended():
    """A pause as well: who talks without any takes the processors from what is tested."""
    return select.select([sys.stdin], [], [], 0.001)[0]


def stream(address, port):
    with socket.create_connection((address, int(port)), 10) as s:
        s.settimeout(10)
        count = 0
        print("connected", flush=True)
        while not ended():
            word = b"%08d" % count
            s.sendall(word)
            answer = b""
            while len(answer) < len(word):
                part = s.recv(len(word) - len(answer))
                if not part:
                    sys.exit(f"closed after {count}")
                answer += part
            if answer != word:
                sys.exit(f"{answer} is not {word}")
            count += 1
    print(count, flush=True)


def probe(port, *addresses):
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in addresses]
    count = 0
    while not ended():
        for s, address in zip(sockets, addresses):
            try:
                s.sendto(b"probe\n", (address, int(port)))
            except OSError:
                pass  # that it was refused is what one hopes for
        count += 1
    print(count, flush=True)


if __name__ == "__main__":
    {f.__name__: f for f in (udp, arp, advertise, stream, probe)}[sys.argv[1]](*sys.argv[2:])
