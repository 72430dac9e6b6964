"""Requests byte for byte, over HTTP/1.1 and HTTP/2, for what a well-behaved client library refuses to send."""

import socket

import h2.config
import h2.connection
import h2.events
import httpx

TIMEOUT_S = 20


def connect(port, host="127.0.0.1", timeout_s=TIMEOUT_S):
    return socket.create_connection((host, port), timeout=timeout_s)


def _encoded(text):
    return text if isinstance(text, bytes) else text.encode("latin-1")


def http1_request(method, target, headers=(), body=None, port=0):
    """The bytes of one request. A Host and a Content-Length are added where the headers name none."""
    names = {_encoded(name).lower() for name, _ in headers}
    lines = [b"%s %s HTTP/1.1" % (_encoded(method), _encoded(target))]
    if b"host" not in names:
        lines.append(b"Host: 127.0.0.1:%d" % port)
    lines += [b"%s: %s" % (_encoded(name), _encoded(value)) for name, value in headers]
    if body is not None and not names & {b"content-length", b"transfer-encoding"}:
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + (body or b"")


def read_http1_answer(file, method="GET"):
    """One answer from a buffered reader, as an httpx.Response; None where the peer closed before one began."""
    while True:
        status_line = file.readline()
        if not status_line:
            return None
        status = int(status_line.split(b" ", 2)[1])
        headers = []
        while (line := file.readline()) not in (b"\r\n", b""):
            name, _, value = line.rstrip(b"\r\n").partition(b":")
            headers.append((name, value.strip()))
        if status >= 200:
            break
    fields = {name.lower(): value for name, value in headers}
    if method == "HEAD" or status in (204, 304):
        body = b""
    elif fields.get(b"transfer-encoding", b"").lower() == b"chunked":
        body = _read_chunks(file)
    elif b"content-length" in fields:
        length = int(fields[b"content-length"])
        body = file.read(length)
        assert len(body) == length, "the answer broke off"
    else:
        body = file.read()
    kept = [pair for pair in headers if pair[0].lower() not in (b"transfer-encoding",)]
    return httpx.Response(status, headers=kept, content=body)


def _read_chunks(file):
    body = b""
    while True:
        size = int(file.readline().split(b";")[0], 16)
        body += file.read(size)
        file.readline()
        if size == 0:
            return body


def http1(port, method, target, headers=(), body=None, host="127.0.0.1", timeout_s=TIMEOUT_S):
    """One request on a connection of its own."""
    with connect(port, host, timeout_s) as sock, sock.makefile("rb") as file:
        try:
            sock.sendall(http1_request(method, target, headers, body, port))
        except (BrokenPipeError, ConnectionResetError):
            pass  # answered before the whole body was sent
        answer = read_http1_answer(file, method)
    assert answer is not None, "closed without an answer"
    return answer


class StreamReset(Exception):
    """The server reset the stream (error_code) or closed the connection (None)."""

    def __init__(self, error_code):
        super().__init__(f"stream reset: {error_code}")
        self.error_code = error_code


class Http2Connection:
    """A cleartext HTTP/2 connection with prior knowledge that checks nothing of what it is told to send."""

    def __init__(self, port, host="127.0.0.1", timeout_s=TIMEOUT_S):
        self.port = port
        self.sock = connect(port, host, timeout_s)
        self.h2 = h2.connection.H2Connection(config=h2.config.H2Configuration(
            header_encoding=None, validate_outbound_headers=False, normalize_outbound_headers=False))
        self._events = []
        self.h2.initiate_connection()
        self.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def flush(self):
        self.sock.sendall(self.h2.data_to_send())

    def start(self, method, path, headers=(), body=None):
        """Sends a request; returns its stream id."""
        stream = self.h2.get_next_available_stream_id()
        block = [(b":method", _encoded(method)), (b":scheme", b"http"),
                 (b":authority", b"127.0.0.1:%d" % self.port), (b":path", _encoded(path))]
        block += [(_encoded(name).lower(), _encoded(value)) for name, value in headers]
        if body is not None and not any(name == b"content-length" for name, _ in block):
            block.append((b"content-length", b"%d" % len(body)))
        self.h2.send_headers(stream, block, end_stream=not body)
        self._send_body(stream, body or b"")
        self.flush()
        return stream

    def _send_body(self, stream, body):
        """As much of the body as the server takes: waits for its windows, ends when it resets the stream."""
        while body:
            room = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size, len(body))
            if room > 0:
                self.h2.send_data(stream, body[:room], end_stream=room == len(body))
                body = body[room:]
                continue
            self.flush()
            if not self._receive() or stream not in self.h2.streams or self.h2.streams[stream].closed:
                return

    def _receive(self):
        """Takes in what came; False where the peer has closed."""
        data = self.sock.recv(65536)
        self._events += self.h2.receive_data(data) if data else []
        return bool(data)

    def answers(self, streams):
        """Waits until every given stream has its answer; {stream: httpx.Response or StreamReset}."""
        wanted, done = set(streams), {}
        heads, bodies = {}, {stream: b"" for stream in streams}
        while wanted - set(done):
            if not self._events and not self._receive():
                for stream in wanted - set(done):
                    done[stream] = StreamReset(None)
                break
            events, self._events = self._events, []
            for event in events:
                if isinstance(event, h2.events.ResponseReceived):
                    heads[event.stream_id] = event.headers
                elif isinstance(event, h2.events.DataReceived):
                    bodies[event.stream_id] = bodies.get(event.stream_id, b"") + event.data
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, h2.events.StreamEnded):
                    head = heads[event.stream_id]
                    status = int(dict(head)[b":status"])
                    kept = [(name, value) for name, value in head if not name.startswith(b":")]
                    done[event.stream_id] = httpx.Response(status, headers=kept,
                                                           content=bodies[event.stream_id])
                elif isinstance(event, h2.events.StreamReset):
                    done.setdefault(event.stream_id, StreamReset(event.error_code))
                elif isinstance(event, h2.events.ConnectionTerminated):
                    for stream in wanted - set(done):
                        if stream > (event.last_stream_id or 0):
                            done[stream] = StreamReset(event.error_code)
            try:
                self.flush()
            except OSError:
                pass
        return done

    def ask(self, method, path, headers=(), body=None):
        stream = self.start(method, path, headers, body)
        answer = self.answers([stream])[stream]
        if isinstance(answer, StreamReset):
            raise answer
        return answer


def http2(port, method, path, headers=(), body=None, host="127.0.0.1", timeout_s=TIMEOUT_S):
    """One request on a connection of its own."""
    with Http2Connection(port, host, timeout_s) as connection:
        return connection.ask(method, path, headers, body)


WIRES = {"http1": http1, "http2": http2}
