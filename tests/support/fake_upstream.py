"""An upstream that does what a test tells it: answers well, badly, late, too much, or not at all.

A behaviour is a function (connection, request) that returns True to keep the connection. Behaviours are set per path
("/login") and used for every request to it; what the gateway asks on its own (/health/...) is answered 200 and kept
apart from the requests that tests count.
"""

import json
import socket
import threading
import time


class Request:
    """One request as it arrived, and the number of the connection it came on."""

    def __init__(self, method, path, headers, body, connection):
        self.method = method
        self.path = path
        self.headers = headers  # [(lower-case name, value)]
        self.body = body
        self.connection = connection

    def header(self, name):
        values = [value for key, value in self.headers if key == name.lower()]
        assert len(values) <= 1, f"{name} came {len(values)} times"
        return values[0] if values else None

    def json(self):
        return json.loads(self.body)


def http_bytes(status, body=b"", headers=(), length=None, reason="Whatever"):
    """An answer's bytes; `length` lies about the body's."""
    lines = [f"HTTP/1.1 {status} {reason}"]
    lines += [f"{name}: {value}" for name, value in headers]
    lines.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def answer(status, body, headers=(), before=b""):
    """A proper answer: JSON of an object, or bytes as they are; `before` is sent first (1xx answers)."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    data = before + http_bytes(status, content, [("Content-Type", "application/json"), *headers])

    def behave(sock, _request):
        sock.sendall(data)
        return True
    return behave


def gathered(entry_of):
    """A proper answer to a gathered call: `entry_of(question)` for each question of the body's one list, in order."""
    def behave(sock, request):
        (questions,) = request.json().values()
        return answer(200, {"results": [entry_of(question) for question in questions]})(sock, request)
    return behave


def send_and_close(data):
    """Sends bytes, then closes."""
    def behave(sock, _request):
        sock.sendall(data)
        return False
    return behave


def close_at_once(_sock, _request):
    """Reads the request and closes without a byte."""
    return False


def reset(sock, _request):
    """Reads the request and resets the connection."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    return False


def drip(data, pause_s=0.1):
    """Sends byte by byte for as long as the other side takes it."""
    def behave(sock, _request):
        for at in range(len(data)):
            sock.sendall(data[at : at + 1])
            time.sleep(pause_s)
        return False
    return behave


def in_turn(*behaviours):
    """The first behaviour for the first request, and so on; the last one stays."""
    left = list(behaviours)
    lock = threading.Lock()

    def behave(sock, request):
        with lock:
            now = left.pop(0) if len(left) > 1 else left[0]
        return now(sock, request)
    return behave


class FakeUpstream:
    """A threaded HTTP/1.1 server on a port of its own."""

    def __init__(self):
        self._lock = threading.Lock()
        self._arrived = threading.Condition(self._lock)
        self._behaviours = {}
        self._requests = []
        self._probes = []
        self._connections = {}
        self._connection_count = 0
        self._closing = threading.Event()
        self.healthy = True
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(64)
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def on(self, path, behaviour):
        """From now on requests to this path are answered so."""
        with self._lock:
            self._behaviours[path] = behaviour

    def stall(self, _sock=None, _request=None):
        """A behaviour: takes the request and never answers (until the test ends)."""
        self._closing.wait()
        return False

    @property
    def requests(self):
        """What came, without the gateway's own probes."""
        with self._lock:
            return list(self._requests)

    def forget(self):
        """Forgets the requests that came so far."""
        with self._lock:
            self._requests.clear()

    @property
    def connection_count(self):
        with self._lock:
            return self._connection_count

    def wait_for_requests(self, count, timeout_s=10):
        """Waits until that many requests came; returns them."""
        with self._arrived:
            came = self._arrived.wait_for(lambda: len(self._requests) >= count, timeout_s)
            assert came, f"{len(self._requests)} requests came, not {count}"
            return list(self._requests)

    def close(self):
        """Stops listening and cuts every connection."""
        self._closing.set()
        with self._lock:
            sockets = list(self._connections.values())
        for sock in [self._listener, *sockets]:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            sock.close()

    def _accept(self):
        while not self._closing.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self._connection_count += 1
                number = self._connection_count
                self._connections[number] = sock
            threading.Thread(target=self._serve, args=(sock, number), daemon=True).start()

    def _serve(self, sock, number):
        try:
            with sock, sock.makefile("rb") as file:
                while (request := self._read(sock, file, number)) is not None:
                    if not self._behaviour(request)(sock, request):
                        return
        except (OSError, ValueError):
            pass
        finally:
            with self._lock:
                self._connections.pop(number, None)

    def _read(self, sock, file, number):
        line = file.readline()
        if not line:
            return None
        method, path, _ = line.decode("latin-1").split(" ", 2)
        headers = []
        while (line := file.readline()) not in (b"\r\n", b""):
            name, _, value = line.decode("latin-1").rstrip("\r\n").partition(":")
            headers.append((name.lower(), value.strip()))
        fields = dict(headers)
        if fields.get("expect", "").lower() == "100-continue":
            sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = file.read(int(fields.get("content-length", "0")))
        return Request(method, path, headers, body, number)

    def _behaviour(self, request):
        with self._arrived:
            if request.path.startswith("/health/") and request.path not in self._behaviours:
                self._probes.append(request)
                return answer(200 if self.healthy else 503, {"status": "ready"})
            self._requests.append(request)
            self._arrived.notify_all()
            return self._behaviours.get(request.path, answer(404, {"detail": "Not Found"}))
