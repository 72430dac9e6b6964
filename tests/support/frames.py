"""HTTP/2 frames by hand, for attacks that no library would send."""

import errno
import select
import socket
import struct
import time

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS = 0x1, 0x1, 0x4
PROTOCOL_ERROR, ENHANCE_YOUR_CALM = 1, 11
INITIAL_WINDOW_SIZE = 4

# HPACK by the static table: GET or POST, path "/", scheme "http" (RFC 7541, appendix A).
GET_BLOCK = b"\x82\x84\x86"
POST_BLOCK = b"\x83\x84\x86"


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def literal(name, value, index=False):
    """A header field as a literal, without Huffman; with `index` it enters the dynamic table. Up to 126 bytes of name."""
    length = bytes([len(value)]) if len(value) < 127 else b"\x7f" + varint(len(value) - 127)
    return (b"\x40" if index else b"\x00") + bytes([len(name)]) + name + length + value


def varint(number):
    out = b""
    while number >= 128:
        out += bytes([number % 128 + 128])
        number //= 128
    return out + bytes([number])


def reset(stream, code=8):
    return frame(RST_STREAM, 0, stream, struct.pack(">I", code))


def window_update(stream, increment):
    return frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", increment))


def setting(name, value):
    return frame(SETTINGS, 0, 0, struct.pack(">HI", name, value))


class Raw:
    """A connection on which bytes are sent as they are and whatever comes back is kept."""

    def __init__(self, port, source=None, http2=True, settings=b"", timeout_s=10):
        self.timeout_s = timeout_s
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=timeout_s,
                                             source_address=None if source is None else (source, 0))
        self.received = b""
        self.ended = False
        if http2:
            self.send(PREFACE + (settings or frame(SETTINGS)))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, data):
        """Sends; False once the other side has closed."""
        try:
            self.sock.sendall(data)
            return True
        except OSError as fault:
            assert fault.errno in (errno.EPIPE, errno.ECONNRESET), fault
            return False

    def wait(self, timeout_s):
        """Takes in what comes within that time; True once the other side has closed."""
        if not self.ended and select.select([self.sock], [], [], timeout_s)[0]:
            try:
                data = self.sock.recv(65536)
            except ConnectionResetError:
                data = b""
            self.received += data
            self.ended = not data
        return self.ended

    def wait_for_end(self, timeout_s=None, trickle=None, pause_s=0.05):
        """Waits until the other side closes; sends `trickle()` meanwhile, every `pause_s`. Returns how long it took."""
        start = sent = time.monotonic()
        while not self.wait(pause_s):
            now = time.monotonic()
            assert now - start < (timeout_s or self.timeout_s), "the connection was not cut"
            if trickle is not None and now - sent >= pause_s:
                self.send(trickle())
                sent = now
        return time.monotonic() - start

    def wait_for_bytes(self, wanted):
        """Waits until these bytes have come."""
        deadline = time.monotonic() + self.timeout_s
        while wanted not in self.received:
            assert not self.wait(0.05), f"closed after {self.received!r}"
            assert time.monotonic() < deadline, f"only {self.received!r} came"

    def frames(self):
        """Every whole frame that came: (kind, flags, stream, payload)."""
        at, found = 0, []
        while at + 9 <= len(self.received):
            length = int.from_bytes(self.received[at : at + 3], "big")
            if at + 9 + length > len(self.received):
                break
            stream = int.from_bytes(self.received[at + 5 : at + 9], "big")
            found.append((self.received[at + 3], self.received[at + 4], stream,
                          self.received[at + 9 : at + 9 + length]))
            at += 9 + length
        return found

    def wait_for_frame(self, kind, stream=None, count=1):
        """Waits until that many frames of a kind have come; returns them."""
        deadline = time.monotonic() + self.timeout_s
        while True:
            found = [each for each in self.frames() if each[0] == kind and stream in (None, each[2])]
            if len(found) >= count:
                return found
            assert not self.wait(0.05) or len(self.frames()) > 0, "closed"
            assert time.monotonic() < deadline, f"no frame {kind} in {self.frames()}"

    def goaway(self):
        """The error code of the last GOAWAY frame, or None."""
        codes = [int.from_bytes(payload[4:8], "big") for kind, _, _, payload in self.frames() if kind == GOAWAY]
        return codes[-1] if codes else None
