"""Many requests, good and bad, and nothing that a sanitizer or valgrind could report."""

import json
import random
import re
import shutil
import socket
import struct
import threading

import pytest

from support import wire
from support.process import PLAIN_BINARY
from support.system import PASSWORD, assert_envelope

REQUESTS = 50_000
CLIENTS = 6
BATCH = 25
JSON = [("Content-Type", "application/json")]


class Kinds:
    """Requests, as they are sent, with the statuses they may have; drawn by weight."""

    def __init__(self, system):
        api = system.api()
        token = api.token(api.new_user(is_admin=False))
        admin = api.token(api.new_user(is_admin=True))
        claims = system.claims(token)
        forged = system.sign(claims, key="k" * 40)
        expired = system.sign({**claims, "exp": claims["iat"] - 1})
        wrong = json.dumps({"username": "nobody_here", "password": PASSWORD}).encode()

        def bearer(value):
            return [("Authorization", f"Bearer {value}")]

        #        weight, statuses, method, path, headers, body
        self.rows = [
            (300, {200}, "GET", "/user/message", bearer(token), None),
            (100, {200}, "GET", "/user/message", bearer(admin), None),
            (100, {200}, "GET", "/user/message", [("Authorization", token)], None),
            (40, {401}, "GET", "/user/message", bearer(forged), None),
            (40, {401}, "GET", "/user/message", bearer(expired), None),
            (40, {401}, "GET", "/user/message", bearer("a.b.c"), None),
            (40, {401}, "GET", "/user/message", bearer("x" * 5000), None),
            (40, {401}, "GET", "/user/message", bearer(token) * 2, None),
            (40, {400}, "GET", "/user/message", [], None),
            (40, {404}, "GET", "/%00/../user//message", [], None),
            (40, {405}, "DELETE", "/user/message", [], None),
            (40, {307}, "GET", "/user/message/?a=b", [], None),
            (20, {200}, "HEAD", "/user/message", bearer(token), None),
            (20, {200}, "GET", "/", [], None),
            (20, {413}, "POST", "/user/signup", JSON, b"x" * 17000),
            (20, {415}, "POST", "/user/signup", [("Content-Type", "text/plain")], b"{}"),
            (40, {422}, "POST", "/user/signup", JSON, b'{"username": 5, "password": [], "x": "\\u0000"}'),
            (40, {422}, "POST", "/user/signup", JSON, b'{"username": "\xff"}'),
            (40, {422}, "POST", "/user/login", JSON, b'{"a": ' + b"[" * 3000),
            (40, {422}, "POST", "/user/login", JSON, b""),
            (40, {422}, "POST", "/user/login", JSON, b'{"username": null, "password": "' + b"p" * 600 + b'"}'),
            (3, {401, 503}, "POST", "/user/login", JSON, wrong),
            (3, {409, 503}, "POST", "/user/signup", JSON, None),
        ]
        taken = api.new_user()
        body = json.dumps({"username": taken, "password": PASSWORD, "email": "taken@example.org"}).encode()
        self.rows[-1] = self.rows[-1][:5] + (body,)
        self.weights = [row[0] for row in self.rows]

    def draw(self, dice, count):
        return dice.choices(self.rows, self.weights, k=count)


class Client:
    """One client's share: pipelined HTTP/1.1, HTTP/2 streams, and now and then rudeness."""

    def __init__(self, system, kinds, seed, count):
        self.system = system
        self.kinds = kinds
        self.dice = random.Random(seed)
        self.count = count
        self.faults = []
        self.done = 0
        self.thread = threading.Thread(target=self._run)

    def _run(self):
        try:
            while self.done < self.count:
                if self.dice.random() < 0.3:
                    self._http2(self.dice.randint(1, 20))
                else:
                    self._http1(self.dice.randint(1, 20))
                if self.dice.random() < 0.5:
                    self._rude()
        except Exception as error:  # told to the test, which fails by it
            self.faults.append(repr(error))

    def _judge(self, row, status):
        self.done += 1
        if status not in row[1]:
            self.faults.append(f"{row[2]} {row[3]}: {status}, not {row[1]}")

    def _http1(self, batches):
        with wire.connect(self.system.port()) as sock, sock.makefile("rb") as file:
            for _ in range(batches):
                rows = self.kinds.draw(self.dice, BATCH)
                sock.sendall(b"".join(wire.http1_request(*row[2:]) for row in rows))
                for row in rows:
                    self._judge(row, wire.read_http1_answer(file, row[2]).status_code)

    def _http2(self, batches):
        with wire.Http2Connection(self.system.port()) as connection:
            for _ in range(batches):
                rows = self.kinds.draw(self.dice, BATCH)
                streams = {connection.start(*row[2:]): row for row in rows}
                for stream, answer in connection.answers(streams).items():
                    if isinstance(answer, wire.StreamReset):
                        raise answer
                    self._judge(streams[stream], answer.status_code)

    def _rude(self):
        """Half a request, garbage, a reset in the middle: no answer is expected."""
        kind = self.dice.randrange(5)
        row = self.kinds.draw(self.dice, 1)[0]
        data = wire.http1_request(*row[2:])
        try:
            if kind == 4:
                with wire.Http2Connection(self.system.port()) as connection:
                    stream = connection.start(*row[2:])
                    connection.h2.reset_stream(stream) if stream in connection.h2.streams else None
                    connection.flush()
                return
            with wire.connect(self.system.port()) as sock:
                if kind == 0:
                    sock.sendall(data[: self.dice.randrange(len(data))])
                elif kind == 1:
                    sock.sendall(self.dice.randbytes(self.dice.randint(1, 2000)))
                elif kind == 2:
                    sock.sendall(data * 3)
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                else:
                    sock.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + self.dice.randbytes(200))
        except (OSError, ValueError):
            pass


@pytest.mark.timeout(600)
def test_50_000_mixed_good_and_bad_requests_leave_no_report(start_system):
    system = start_system(ADMIN_SIGNUP="open", PASSWORD_QUEUE_MAX=16, LOG_LEVEL="warn")
    kinds = Kinds(system)
    clients = [Client(system, kinds, seed, REQUESTS // CLIENTS + 1) for seed in range(CLIENTS)]
    for client in clients:
        client.thread.start()
    for client in clients:
        client.thread.join()
    faults = [fault for client in clients for fault in client.faults]
    assert not faults, f"{len(faults)}: {faults[:10]}"
    assert sum(client.done for client in clients) >= REQUESTS
    assert_envelope(system.api().login("nobody_here"), 401)
    system.close()  # exit 0 and no sanitizer's report, for each service


# --- valgrind -----------------------------------------------------------------------------------------------------------

@pytest.mark.timeout(600)
@pytest.mark.skipif(not PLAIN_BINARY.exists(), reason=f"there is no {PLAIN_BINARY.name} without sanitizers")
@pytest.mark.skipif(shutil.which("valgrind") is None, reason="valgrind is not installed")
def test_valgrind_shows_no_leak_after_a_drain(start_system, tmp_path):
    names = ("auth", "message", "gateway")
    reports = {name: tmp_path / f"{name}.valgrind" for name in names}
    wrapper = {name: ["valgrind", "--leak-check=full", "--show-leak-kinds=definite,indirect",
                      "--errors-for-leak-kinds=definite,indirect", "--num-callers=25",
                      f"--log-file={reports[name]}"] for name in names}
    system = start_system(binary=PLAIN_BINARY, wrapper=wrapper, start_timeout_s=120, LMDB_MAP_SIZE="64MiB",
                          ADMIN_SIGNUP="open", RELAY_TIMEOUT_MS=60000, PASSWORD_WORKERS=1)
    api = system.api()
    name = api.new_user()
    token = api.token(name)
    assert_envelope(api.message(token), 200)
    assert_envelope(api.message(token[:-3]), 401)
    assert_envelope(api.message(), 400)
    assert_envelope(api.signup(name), 409)
    assert_envelope(api.login(name, "wrong-" + PASSWORD), 401)
    assert_envelope(api.post("/user/signup", {}), 422)
    assert_envelope(system.ask("http2", "GET", "/user/message", [("Authorization", token)]), 200)
    assert_envelope(system.ask("http1", "GET", "/nothing"), 404)
    assert_envelope(system.ask("http1", "POST", "/user/login", JSON, b"x" * 20000), 413)
    with wire.Http2Connection(system.port()) as connection:  # a client that leaves while its login is hashed
        stream = connection.start("POST", "/user/login", JSON,
                                  json.dumps({"username": name, "password": PASSWORD}).encode())
        connection.h2.reset_stream(stream)
        connection.flush()
    system.close()
    for service, report in reports.items():
        text = report.read_text(encoding="utf-8", errors="replace")
        if "no leaks are possible" not in text:
            for kind in ("definitely", "indirectly"):
                lost = re.search(rf"{kind} lost: ([\d,]+) bytes", text)
                assert lost and lost.group(1) == "0", f"{service}:\n{text[-6000:]}"
        assert re.search(r"ERROR SUMMARY: 0 errors", text), f"{service}:\n{text[-6000:]}"
