"""Attacks on connections, and clients that stall: each is ended, others are served, and memory and time stay bounded."""

import itertools
import json
import os
import pathlib
import resource
import signal

import pytest

from support import frames, wire
from support.frames import Raw, frame
from support.process import StartFailed, wait_until
from support.system import assert_envelope

JSON = [("Content-Type", "application/json")]
LOGIN = b'{"username": "somebody", "password": "12345678"}'
SLACK_S = 8  # a sweep comes once a second; the rest is for slow machines


@pytest.fixture
def start_gateway(start_system):
    """start_gateway(NAME=value, ...): a gateway alone, with a loop of its own; what it asks auth is 502."""
    def start(**settings):
        return start_system(services=("gateway",), **{"LOOPS": "1", **settings})
    return start


@pytest.fixture
def stalled_gateway(start_gateway, fake_upstream):
    """stalled_gateway(NAME=value, ...): (gateway, auth), where auth takes logins and never answers."""
    def start(**settings):
        upstream = fake_upstream()
        upstream.on("/login", upstream.stall)
        return start_gateway(AUTH_SERVICE_URL=upstream.url, **settings), upstream
    return start


def resident_kib(process):
    status = pathlib.Path(f"/proc/{process.child.pid}/status").read_text(encoding="ascii")
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS:")).split()[1])


def cpu_s(process):
    fields = pathlib.Path(f"/proc/{process.child.pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def assert_serves(system, version="http1"):
    assert system.ask(version, "GET", "/").status_code == 200


def cut_reasons(system):
    """Why connections were cut, as logged. Builds with a sanitizer leave descriptor 2 to libh2o's own lines."""
    lines = [line for line in system["gateway"].stderr().split("\n")[:-1] if line.startswith("{")]
    return [entry["reason"] for entry in map(json.loads, lines) if entry["event"] == "connection_cut"]


def login_bytes(port):
    return wire.http1_request("POST", "/user/login", JSON, LOGIN, port)


# --- HTTP/2: what libh2o leaves open ----------------------------------------------------------------------------

def test_a_header_bomb_is_refused_and_takes_no_memory(start_gateway):
    system = start_gateway()
    assert_serves(system, "http2")
    before = resident_kib(system["gateway"])
    # One field of 3,900 bytes in the table, then a byte for each time it is used: 12,000 fields in 16,000 bytes.
    bomb = frames.POST_BLOCK + frames.literal(b"x", b"y" * 3900, index=True) + b"\xbe" * 12000
    for _ in range(20):
        with Raw(system.port()) as raw:
            for stream in range(1, 41, 2):
                raw.send(frame(frames.HEADERS, frames.END_HEADERS, stream, bomb))
            raw.wait_for_end()
            assert raw.goaway() in (frames.ENHANCE_YOUR_CALM, None)  # None: a reset overtook it
    assert resident_kib(system["gateway"]) - before < 48 * 1024
    assert_serves(system, "http2")
    assert "too many HTTP/2 header fields" in wait_until(lambda: cut_reasons(system), 10, "the log")


def test_one_field_too_many_is_refused(start_gateway):
    system = start_gateway(HEADER_COUNT_MAX="20")
    def block(count):
        return frames.GET_BLOCK + frames.literal(b"a", b"b") * count
    with Raw(system.port()) as raw:
        raw.send(frame(frames.HEADERS, frames.END_HEADERS | frames.END_STREAM, 1, block(20)))
        raw.wait_for_frame(frames.HEADERS, stream=1)
        raw.send(frame(frames.HEADERS, frames.END_HEADERS | frames.END_STREAM, 3, block(21)))
        raw.wait_for_end()
        assert raw.goaway() == frames.ENHANCE_YOUR_CALM


def test_a_header_block_that_is_too_large_is_refused(start_gateway):
    system = start_gateway(HEADER_BYTES_MAX="2KiB")
    piece = frames.literal(b"a", b"b" * 100) * 9
    with Raw(system.port()) as raw:
        raw.send(frame(frames.HEADERS, frames.END_STREAM, 1, frames.GET_BLOCK + piece)
                 + frame(frames.CONTINUATION, 0, 1, piece)
                 + frame(frames.CONTINUATION, frames.END_HEADERS, 1, piece))
        raw.wait_for_end()
        assert raw.goaway() == frames.ENHANCE_YOUR_CALM


def test_rapid_reset_is_cut(start_gateway):
    system = start_gateway(HTTP2_RESETS_PER_SECOND="50")
    with Raw(system.port()) as raw:
        for stream in range(1, 1001, 2):
            if not raw.send(frame(frames.HEADERS, frames.END_HEADERS, stream, frames.POST_BLOCK)
                            + frames.reset(stream)):
                break
        raw.wait_for_end()
    assert_serves(system, "http2")
    assert "too many HTTP/2 streams reset" in wait_until(lambda: cut_reasons(system), 10, "the log")


def test_made_you_reset_is_cut(start_gateway):
    """A window beyond 2^31 - 1 makes the server reset the stream itself (CVE-2025-8671)."""
    system = start_gateway(HTTP2_RESETS_PER_SECOND="50", HTTP2_FRAMES_PER_SECOND="100000")
    with Raw(system.port()) as raw:
        for stream in range(1, 1001, 2):
            if not raw.send(frame(frames.HEADERS, frames.END_HEADERS, stream, frames.POST_BLOCK)
                            + frames.window_update(stream, 0x7FFFFFFF)):
                break
        raw.wait_for_end()
    assert "too many HTTP/2 streams reset" in wait_until(lambda: cut_reasons(system), 10, "the log")


def test_a_client_that_cancels_now_and_then_is_served(start_gateway):
    system = start_gateway(HTTP2_RESETS_PER_SECOND="50")
    with Raw(system.port()) as raw:
        for stream in range(1, 81, 2):
            raw.send(frame(frames.HEADERS, frames.END_HEADERS, stream, frames.POST_BLOCK) + frames.reset(stream))
        raw.send(frame(frames.HEADERS, frames.END_HEADERS | frames.END_STREAM, 81, frames.GET_BLOCK))
        raw.wait_for_frame(frames.HEADERS, stream=81)


FLOODS = {
    "ping": (b"", frame(frames.PING, 0, 0, b"12345678")),
    "settings": (b"", frame(frames.SETTINGS)),
    "window update": (b"", frames.window_update(0, 1)),
    "priority": (b"", frame(frames.PRIORITY, 0, 3, b"\0\0\0\0\x10")),
    "unknown": (b"", frame(0x55)),
    "empty data": (frame(frames.HEADERS, frames.END_HEADERS, 1, frames.POST_BLOCK), frame(frames.DATA, 0, 1)),
    "tiny data": (frame(frames.HEADERS, frames.END_HEADERS, 1, frames.POST_BLOCK), frame(frames.DATA, 0, 1, b"x")),
    "empty continuation": (frame(frames.HEADERS, 0, 1, frames.POST_BLOCK), frame(frames.CONTINUATION, 0, 1)),
}


@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_of_frames_that_carry_no_request_is_cut(start_gateway, flood):
    system = start_gateway(HTTP2_FRAMES_PER_SECOND="200")
    first, each = FLOODS[flood]
    with Raw(system.port()) as raw:
        raw.send(first)
        for _ in range(50):
            if not raw.send(each * 100):
                break
        raw.wait_for_end(timeout_s=5)
        assert raw.goaway() in (frames.ENHANCE_YOUR_CALM, None)  # None: a reset overtook it
    assert "too many HTTP/2 frames without a request" in wait_until(lambda: cut_reasons(system), 10, "the log")


def test_a_busy_client_earns_its_frames_by_requests(start_gateway):
    """500 requests on one connection with four such frames each, where 200 a second are allowed."""
    system = start_gateway(HTTP2_FRAMES_PER_SECOND="200")
    with Raw(system.port()) as raw:
        for batch in range(25):
            streams = range(batch * 40 + 1, batch * 40 + 41, 2)
            for stream in streams:
                raw.send(frame(frames.HEADERS, frames.END_HEADERS | frames.END_STREAM, stream, frames.GET_BLOCK)
                         + frames.window_update(0, 100) * 2 + frames.window_update(stream, 100)
                         + frame(frames.PRIORITY, 0, stream, b"\0\0\0\0\x10"))
            raw.wait_for_frame(frames.HEADERS, stream=streams[-1])
        assert raw.goaway() is None


def test_continuation_while_draining_does_not_keep_the_service_from_ending(stalled_gateway):
    """In a connection that ends, libh2o reads a CONTINUATION for ever, at full load."""
    system, upstream = stalled_gateway(DRAIN_TIMEOUT_MS="20000", RELAY_TIMEOUT_MS="15000")
    login = (b"\x83\x86" + frames.literal(b":path", b"/user/login")
             + frames.literal(b"content-type", b"application/json"))
    with Raw(system.port()) as raw:
        raw.send(frame(frames.HEADERS, frames.END_HEADERS, 1, login)
                 + frame(frames.DATA, frames.END_STREAM, 1, LOGIN)
                 + frame(frames.HEADERS, 0, 3, frames.GET_BLOCK))
        upstream.wait_for_requests(1)
        system["gateway"].signal(signal.SIGTERM)
        raw.wait_for_frame(frames.GOAWAY, count=2)
        raw.send(frame(frames.CONTINUATION, frames.END_HEADERS, 3))
        raw.wait_for_end()
        assert system["gateway"].child.wait(timeout=10) == 0


# --- clients that stall -----------------------------------------------------------------------------------------

@pytest.mark.parametrize("start", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\n", frames.PREFACE[:20]],
                         ids=["nothing", "request line", "headers", "preface"])
def test_a_first_request_that_does_not_come_is_cut(start_gateway, start):
    system = start_gateway(REQUEST_TIMEOUT_MS="300")
    with Raw(system.port(), http2=False) as raw:
        raw.send(start)
        raw.wait_for_end(SLACK_S)
    assert_serves(system)


def test_trickled_http1_headers_are_cut(start_gateway):
    system = start_gateway(REQUEST_TIMEOUT_MS="500")
    letters = itertools.cycle(b"abcdefghijklmnopqrstuvwxyz")
    with Raw(system.port(), http2=False) as raw:
        raw.send(wire.http1_request("GET", "/", port=system.port()))  # a good request does not buy more time
        raw.wait_for_bytes(b"running")
        raw.send(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        raw.wait_for_end(SLACK_S, trickle=lambda: bytes([next(letters)]))


def test_a_trickled_http1_body_is_cut(start_gateway):
    system = start_gateway(REQUEST_TIMEOUT_MS="500")
    with Raw(system.port(), http2=False) as raw:
        raw.send(b"POST /user/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                 b"Content-Length: 10000\r\n\r\n")
        raw.wait_for_end(SLACK_S, trickle=lambda: b"x")
    assert "request not complete in time" in wait_until(lambda: cut_reasons(system), 10, "the log")


@pytest.mark.parametrize("stalled, trickle", [
    (frame(frames.HEADERS, frames.END_HEADERS, 3, frames.POST_BLOCK), frame(frames.DATA, 0, 3, b"x")),
    (frame(frames.HEADERS, 0, 3, frames.POST_BLOCK), frame(frames.CONTINUATION, 0, 3, frames.literal(b"a", b"b"))),
    (frame(frames.HEADERS, frames.END_HEADERS, 3, frames.POST_BLOCK)
     + frame(frames.HEADERS, frames.END_STREAM, 3, frames.literal(b"a", b"b")),
     frame(frames.CONTINUATION, 0, 3)),
], ids=["body", "headers", "trailers"])
def test_a_trickled_http2_request_is_cut(start_gateway, stalled, trickle):
    system = start_gateway(REQUEST_TIMEOUT_MS="500")
    with Raw(system.port()) as raw:
        raw.send(frame(frames.HEADERS, frames.END_HEADERS | frames.END_STREAM, 1, frames.GET_BLOCK))
        raw.wait_for_frame(frames.HEADERS, stream=1)
        raw.send(stalled)
        raw.wait_for_end(SLACK_S, trickle=lambda: trickle)
    assert "request not complete in time" in wait_until(lambda: cut_reasons(system), 10, "the log")


def test_an_answer_that_nobody_takes_is_cut(start_gateway):
    """A window of 0: the head of the answer leaves, the body may not, and PINGs keep the connection alive."""
    system = start_gateway(RESPONSE_TIMEOUT_MS="500")
    with Raw(system.port(), settings=frames.setting(frames.INITIAL_WINDOW_SIZE, 0)) as raw:
        raw.send(frame(frames.HEADERS, frames.END_HEADERS | frames.END_STREAM, 1, frames.GET_BLOCK))
        raw.wait_for_frame(frames.HEADERS, stream=1)
        raw.wait_for_end(SLACK_S, trickle=lambda: frame(frames.PING, 0, 0, b"12345678"))
    assert "answer not taken in time" in wait_until(lambda: cut_reasons(system), 10, "the log")


def test_a_request_that_is_being_worked_on_is_not_cut(stalled_gateway):
    """The service is slow, not the client: it gets its 504 after far more than any of the client's own limits."""
    system, _ = stalled_gateway(REQUEST_TIMEOUT_MS="300", RESPONSE_TIMEOUT_MS="300", KEEPALIVE_TIMEOUT_MS="1000",
                                RELAY_TIMEOUT_MS="3000")
    for version in ("http1", "http2"):
        assert_envelope(system.ask(version, "POST", "/user/login", JSON, LOGIN), 504)


def test_requests_that_wait_for_their_turn_are_not_cut(stalled_gateway):
    system, _ = stalled_gateway(REQUEST_TIMEOUT_MS="300", HTTP2_STREAMS_MAX="1", RELAY_TIMEOUT_MS="1300")
    with wire.Http2Connection(system.port()) as connection:
        streams = [connection.start("POST", "/user/login", JSON, LOGIN) for _ in range(3)]
        for answer in connection.answers(streams).values():
            assert_envelope(answer, 504)


@pytest.mark.parametrize("http2", [False, True], ids=["http1", "http2"])
def test_a_quiet_connection_is_closed(start_gateway, http2):
    system = start_gateway(KEEPALIVE_TIMEOUT_MS="1000")
    with Raw(system.port(), http2=http2) as raw:
        if http2:
            raw.send(frame(frames.HEADERS, frames.END_HEADERS | frames.END_STREAM, 1, frames.GET_BLOCK))
            raw.wait_for_frame(frames.DATA, stream=1)
            raw.wait_for_end(SLACK_S, trickle=lambda: frame(frames.PING, 0, 0, b"12345678"))
        else:
            raw.send(wire.http1_request("GET", "/", port=system.port()))
            raw.wait_for_bytes(b"running")
            raw.wait_for_end(SLACK_S)


# --- how many ---------------------------------------------------------------------------------------------------

def test_connections_beyond_the_limit_wait_until_one_ends(stalled_gateway):
    system, upstream = stalled_gateway(CONNECTIONS_MAX="4", RELAY_TIMEOUT_MS="20000")
    busy = [Raw(system.port(), http2=False) for _ in range(4)]
    for raw in busy:
        raw.send(login_bytes(system.port()))
    upstream.wait_for_requests(4)
    with Raw(system.port(), http2=False) as fifth:
        fifth.send(wire.http1_request("GET", "/", port=system.port()))
        assert not fifth.wait(0.3) and fifth.received == b""
        upstream.close()  # all four are answered 502, and their connections may be closed
        for raw in busy:
            raw.wait_for_bytes(b"Auth service is unavailable")
            raw.sock.close()
        fifth.wait_for_bytes(b"running")


def test_idle_connections_make_room_for_new_ones(start_gateway):
    system = start_gateway(CONNECTIONS_MAX="10", KEEPALIVE_TIMEOUT_MS="600000", REQUEST_TIMEOUT_MS="600000")
    idle = [Raw(system.port(), http2=False) for _ in range(10)]
    idle[0].send(wire.http1_request("GET", "/", port=system.port()))
    idle[0].wait_for_bytes(b"running")
    with Raw(system.port(), http2=False, timeout_s=SLACK_S) as late:
        late.send(wire.http1_request("GET", "/", port=system.port()))
        late.wait_for_bytes(b"running")
    for raw in idle:
        raw.sock.close()


def test_one_address_cannot_take_all_connections(start_gateway):
    system = start_gateway(CONNECTIONS_PER_ADDRESS_MAX="3")
    def served(source):
        raw = Raw(system.port(), source=source, http2=False)
        raw.send(wire.http1_request("GET", "/", port=system.port()))
        raw.wait_for_bytes(b"running")
        return raw
    kept = [served("127.0.0.2") for _ in range(3)]
    with Raw(system.port(), source="127.0.0.2", http2=False) as refused:
        refused.wait_for_end()
        assert refused.received == b""
    served("127.0.0.3").sock.close()
    kept.pop().sock.close()

    def again():
        try:
            served("127.0.0.2").sock.close()
            return True
        except AssertionError:
            return False  # the gateway has not yet seen that one left
    wait_until(again, 10, "a place of this address")
    for raw in kept:
        raw.sock.close()


def test_too_few_descriptors_limit_the_connections_and_do_not_spin(start_gateway):
    system = start_gateway(RELAY_CALLS_MAX="8", CONNECTIONS_MAX="10000",
                           wrapper={"gateway": ("prlimit", "--nofile=160:160")})
    limited = wait_until(lambda: [entry for entry in system["gateway"].logs()
                                  if entry["event"] == "connections_limited"], 10, "the log")
    assert len(limited) == 1 and 0 < limited[0]["connections_max"] < 160
    crowd = [Raw(system.port(), http2=False) for _ in range(200)]
    crowd[0].send(login_bytes(system.port()))
    crowd[0].wait_for_bytes(b"HTTP/1.1")
    before = cpu_s(system["gateway"])
    crowd[-1].wait(0.5)
    assert cpu_s(system["gateway"]) - before < 0.3
    for raw in crowd:
        raw.sock.close()
    wire.http1(system.port(), "GET", "/")


def test_hardly_any_descriptors_are_refused_at_start(start_gateway):
    with pytest.raises(StartFailed) as refused:
        start_gateway(wrapper={"gateway": ("prlimit", "--nofile=48:48")})
    assert "file descriptors (ulimit -n) are too few" in refused.value.stderr


def test_no_descriptors_left_pauses_accepting_and_does_not_spin(start_gateway):
    system = start_gateway()
    gateway = system["gateway"]
    assert_serves(system)
    limits = resource.prlimit(gateway.child.pid, resource.RLIMIT_NOFILE)
    open_now = len(os.listdir(f"/proc/{gateway.child.pid}/fd"))
    resource.prlimit(gateway.child.pid, resource.RLIMIT_NOFILE, (open_now + 2, limits[1]))
    crowd = [Raw(system.port(), http2=False) for _ in range(20)]
    paused = wait_until(lambda: [entry for entry in gateway.logs() if entry["event"] == "accept_paused"], 10,
                        "a pause")
    assert paused[0]["reason"] == "Too many open files"
    before = cpu_s(gateway)
    crowd[-1].wait(0.5)
    assert cpu_s(gateway) - before < 0.3
    resource.prlimit(gateway.child.pid, resource.RLIMIT_NOFILE, limits)
    crowd[-1].send(wire.http1_request("GET", "/", port=system.port()))
    crowd[-1].wait_for_bytes(b"running")
    for raw in crowd:
        raw.sock.close()


# --- what H2O answers itself ------------------------------------------------------------------------------------

@pytest.mark.parametrize("headers, body, status", [
    ([("Expect", "miracles")], LOGIN, 417),
    ([("Transfer-Encoding", "chunked")], b"zz\r\n", 400),
    ([("Transfer-Encoding", "gzip, chunked")], b"0\r\n\r\n", 400),
    ([("Content-Length", "ten")], b"", 400),
    ([("Content-Length", "10000000")], b"", 413),
], ids=["expectation", "chunk", "encoding", "length", "size"])
def test_what_h2o_refuses_on_http1_wears_the_envelope(start_gateway, headers, body, status):
    system = start_gateway()
    assert_envelope(wire.http1(system.port(), "POST", "/user/login", [*JSON, *headers], body), status)


def test_what_h2o_refuses_on_http2_wears_the_envelope(start_gateway):
    system = start_gateway()
    assert_envelope(wire.http2(system.port(), "GET", "/", [("x-wrong", b"a\nb")]), 400)


@pytest.mark.parametrize("method, path, status", [("GET", "/nowhere", 404), ("DELETE", "/user/login", 405)])
def test_errors_wear_the_envelope_on_both_protocols(start_gateway, version, method, path, status):
    system = start_gateway()
    assert_envelope(system.ask(version, method, path), status)


def test_a_body_of_a_megabyte_resets_its_stream_and_leaves_the_connection(start_gateway):
    system = start_gateway()
    with Raw(system.port()) as raw:
        raw.send(frame(frames.HEADERS, frames.END_HEADERS, 1, frames.POST_BLOCK)
                 + frame(frames.DATA, 0, 1, b"x" * 16384) * 64)
        raw.wait_for_frame(frames.RST_STREAM, stream=1)
        raw.send(frame(frames.HEADERS, frames.END_HEADERS | frames.END_STREAM, 3, frames.GET_BLOCK))
        raw.wait_for_frame(frames.HEADERS, stream=3)
