"""Gathered calls from the outside: nobody gets another's answer, nobody pays for another's fault, and nothing is judged
by what was true before."""

import http.client
import json
import random
import socket
import threading
import time

import pytest

from support import wire
from support.fake_upstream import answer, gathered
from support.process import wait_until
from support.sentences import AUTH_DOWN, BUSY, FULL, LIMITED, MESSAGE_DOWN, REFUSED
from support.system import assert_envelope

TEXTS = {True: FULL, False: LIMITED}
VALID = {"status": 200, "user": "a", "user_id": 1, "is_admin": False}
GREETING = {"status": 200, "message": TEXTS[False]}


def token_of(word, size=20):
    """A token of the right shape, judged by a fake."""
    return f"eyJ.{word}{'x' * (size - len(word) - 8)}.sig"


def authorization(token, request_id=None):
    more = [] if request_id is None else [("X-Request-Id", request_id)]
    return [("Authorization", f"Bearer {token}"), *more]


def start(connection, token, request_id=None):
    return connection.start("GET", "/user/message", authorization(token, request_id))


def tokens_in(request):
    return request.json()["tokens"]


@pytest.fixture
def start_between(start_system, fake_upstream):
    """start_between(NAME=value, ...): a gateway of one loop between a client and two scripted services."""
    def begin(**settings):
        auth, message = fake_upstream(), fake_upstream()
        auth.on("/validate-tokens", gathered(lambda _token: VALID))
        message.on("/get-messages", gathered(lambda _request: GREETING))
        system = start_system(services=("gateway",), AUTH_SERVICE_URL=auth.url, MESSAGE_SERVICE_URL=message.url,
                              **{"LOOPS": 1, **settings})
        system.wait_ready()
        return system, auth, message
    return begin


class Gate:
    """A behaviour that waits with calls that carry a certain token until they are let through; all are answered well."""

    def __init__(self, upstream, word, entry=VALID):
        self.word = word.encode()
        self.held = threading.Semaphore(0)
        self.let = threading.Semaphore(0)
        self.behave = gathered(lambda _question: entry)
        upstream.on("/validate-tokens", self)

    def __call__(self, sock, request):
        if self.word in request.body:
            self.held.release()
            self.let.acquire(timeout=20)
        return self.behave(sock, request)

    def wait_for_call(self):
        assert self.held.acquire(timeout=10), "the call did not come"


# --- the settings -----------------------------------------------------------------------------------------------------

class Meter:
    """A behaviour that answers well after a moment and notes how many calls were at it at once."""

    def __init__(self, upstream, path, entry, pause_s=0.02):
        self.lock = threading.Lock()
        self.at_once = self.most_at_once = 0
        self.behave = gathered(lambda _question: entry)
        self.pause_s = pause_s
        upstream.on(path, self)

    def __call__(self, sock, request):
        with self.lock:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        time.sleep(self.pause_s)  # so that calls would overlap if they could
        with self.lock:
            self.at_once -= 1
        return self.behave(sock, request)


def ask_all(system, tokens, connections=4):
    """Asks for a message with each token, as much at once as there may be; all must be answered 200."""
    opened = [wire.Http2Connection(system.port()) for _ in range(connections)]
    try:
        streams = [(connection, [start(connection, token) for token in tokens[at::connections]])
                   for at, connection in enumerate(opened)]
        for connection, ids in streams:
            for got in connection.answers(ids).values():
                assert_envelope(got, 200, GREETING["message"])
    finally:
        for connection in opened:
            connection.__exit__()


def test_a_lone_request_is_one_question_in_a_call_of_its_own(start_between):
    system, auth, message = start_between()
    for number in range(5):
        assert_envelope(system.ask("http1", "GET", "/user/message", authorization(token_of(f"n{number}"))), 200)
    assert [tokens_in(request) for request in auth.requests] == [[token_of(f"n{number}")] for number in range(5)]
    assert [request.json() for request in message.requests] == [
        {"requests": [{"is_valid": True, "is_admin": False}]}] * 5


@pytest.mark.parametrize("questions, calls", [(1, 1), (5, 1), (5, 3), (64, 1), (64, 2)])
def test_questions_in_a_call_and_calls_at_once_are_bounded(start_between, questions, calls):
    system, auth, _ = start_between(GATHER_QUESTIONS_MAX=questions, GATHER_CALLS_MAX=calls)
    meter = Meter(auth, "/validate-tokens", VALID)
    tokens = [token_of(f"number{number}-") for number in range(100)]
    ask_all(system, tokens)
    sizes = [len(tokens_in(request)) for request in auth.requests]
    assert sorted(token for request in auth.requests for token in tokens_in(request)) == sorted(tokens)
    assert max(sizes) <= questions and meter.most_at_once <= calls, (sizes, meter.most_at_once)
    if questions > 1:
        assert max(sizes) > 1, "nothing was gathered"


def test_a_calls_bytes_are_bounded(start_between):
    system, auth, _ = start_between(GATHER_BYTES_MAX="8KiB", GATHER_CALLS_MAX=1)
    Meter(auth, "/validate-tokens", VALID)
    ask_all(system, [token_of(f"number{number}-", size=3000) for number in range(24)], connections=6)
    sizes = [len(tokens_in(request)) for request in auth.requests]
    assert sum(sizes) == 24 and max(sizes) == 2, sizes
    assert max(len(request.body) for request in auth.requests) <= 8192 + 2


def test_equal_roles_are_asked_once_in_a_call(start_between):
    system, auth, message = start_between(GATHER_CALLS_MAX=1)
    auth.on("/validate-tokens", gathered(lambda token: {**VALID, "is_admin": "admin" in token}))
    message.on("/get-messages", gathered(lambda request: {"status": 200, "message": TEXTS[request["is_admin"]]}))
    with wire.Http2Connection(system.port()) as connection:
        roles = {start(connection, token_of(f"{'admin' if number % 3 else 'user'}{number}-")): bool(number % 3)
                 for number in range(30)}
        for stream, got in connection.answers(list(roles)).items():
            assert_envelope(got, 200, TEXTS[roles[stream]])
    for request in message.requests:
        asked = [json.dumps(entry, sort_keys=True) for entry in request.json()["requests"]]
        assert len(set(asked)) == len(asked) <= 2


def test_beyond_the_queue_requests_are_503_at_once(start_between):
    system, auth, _ = start_between(GATHER_QUEUE_MAX=3, GATHER_CALLS_MAX=1, GATHER_QUESTIONS_MAX=1)
    gate = Gate(auth, "held")
    with wire.Http2Connection(system.port()) as connection:
        streams = [start(connection, token_of("held"))]
        gate.wait_for_call()
        streams += [start(connection, token_of(f"waits{number}")) for number in range(6)]
        for got in connection.answers(streams[4:]).values():
            assert_envelope(got, 503, BUSY)
            assert int(got.headers["Retry-After"]) >= 1
        gate.let.release()
        for got in connection.answers(streams[:4]).values():
            assert_envelope(got, 200)


def test_without_room_for_a_call_requests_are_503(start_between):
    system, auth, _ = start_between(RELAY_CALLS_MAX=1)
    auth.on("/login", auth.stall)
    body = json.dumps({"username": "a", "password": "some password"}).encode()
    with wire.Http2Connection(system.port()) as connection:
        def login_is_waiting():
            connection.start("POST", "/user/login", [("Content-Type", "application/json")], body)
            return [request for request in auth.requests if request.path == "/login"]
        wait_until(login_is_waiting, 10, "the login to take the only place")  # a probe may have it for a moment
        got = system.ask("http1", "GET", "/user/message", authorization(token_of("a")))
        assert_envelope(got, 503, BUSY)
        assert int(got.headers["Retry-After"]) >= 1


# --- deadlines --------------------------------------------------------------------------------------------------------

TIMEOUT_MS = 1500


def test_a_stalled_call_is_504_for_its_askers_and_the_others_get_theirs(start_between):
    system, auth, _ = start_between(RELAY_TIMEOUT_MS=TIMEOUT_MS)
    gate = Gate(auth, "stalled")
    with wire.Http2Connection(system.port()) as connection, wire.Http2Connection(system.port()) as other:
        began = time.monotonic()
        stalled = start(connection, token_of("stalled"))
        gate.wait_for_call()
        for number in range(10):
            assert_envelope(other.ask("GET", "/user/message", authorization(token_of(f"n{number}"))), 200)
        assert time.monotonic() - began < TIMEOUT_MS / 1000, "too slow to tell"
        got = connection.answers([stalled])[stalled]
        assert_envelope(got, 504, AUTH_DOWN)
        assert time.monotonic() - began >= TIMEOUT_MS / 1000 * 0.9


def test_who_waits_behind_a_stalled_call_is_served_once_it_is_given_up(start_between):
    """The one call under way stalls; who asked later has a later deadline."""
    system, auth, _ = start_between(RELAY_TIMEOUT_MS=TIMEOUT_MS, GATHER_CALLS_MAX=1)
    gate = Gate(auth, "stalled")
    with wire.Http2Connection(system.port()) as connection:
        streams = [start(connection, token_of("stalled"))]
        gate.wait_for_call()
        time.sleep(TIMEOUT_MS / 1000 / 2)
        late = [start(connection, token_of(f"late{number}")) for number in range(10)]
        got = connection.answers(streams + late)
        assert_envelope(got[streams[0]], 504, AUTH_DOWN)
        for stream in late:
            assert_envelope(got[stream], 200)


def test_a_stalled_message_call_is_504_for_its_askers_alone(start_between):
    system, auth, message = start_between(RELAY_TIMEOUT_MS=TIMEOUT_MS)
    auth.on("/validate-tokens", gathered(lambda token: {**VALID, "is_admin": "admin" in token}))
    arrived = threading.Event()

    def stall_admins(sock, request):
        if b'"is_admin":true' in request.body:
            arrived.set()
            return message.stall()
        return gathered(lambda _request: GREETING)(sock, request)

    message.on("/get-messages", stall_admins)
    with wire.Http2Connection(system.port()) as connection, wire.Http2Connection(system.port()) as other:
        admin = start(connection, token_of("admin"))
        assert arrived.wait(10)
        for _ in range(5):
            assert_envelope(other.ask("GET", "/user/message", authorization(token_of("user"))), 200)
        assert_envelope(connection.answers([admin])[admin], 504, MESSAGE_DOWN)


# --- leaving ----------------------------------------------------------------------------------------------------------

def test_who_left_the_queue_is_not_asked_for(start_between):
    system, auth, _ = start_between(GATHER_CALLS_MAX=1)
    gate = Gate(auth, "held")
    with wire.Http2Connection(system.port()) as connection:
        held = start(connection, token_of("held"))
        gate.wait_for_call()
        streams = [start(connection, token_of(f"waits{number}")) for number in range(6)]
        for stream in streams[::2]:
            connection.h2.reset_stream(stream)
        connection.flush()
        assert connection.ask("GET", "/").status_code == 200  # answered behind the resets
        gate.let.release()
        for got in connection.answers([held, *streams[1::2]]).values():
            assert_envelope(got, 200)
    asked = [token for request in auth.requests for token in tokens_in(request)]
    assert asked == [token_of("held")] + [token_of(f"waits{number}") for number in (1, 3, 5)]


def test_who_left_a_call_harms_nobody_in_it(start_between):
    system, auth, _ = start_between(GATHER_CALLS_MAX=1)
    gate = Gate(auth, "held")
    with wire.Http2Connection(system.port()) as connection, wire.Http2Connection(system.port()) as leaver:
        first = start(connection, token_of("held1"))
        gate.wait_for_call()
        streams = [start(connection, token_of(f"held2{number}")) for number in range(6)]
        left = [start(leaver, token_of(f"held3{number}")) for number in range(6)]
        assert leaver.ask("GET", "/").status_code == 200
        assert connection.ask("GET", "/").status_code == 200
        gate.let.release()
        assert_envelope(connection.answers([first])[first], 200)
        gate.wait_for_call()  # of all the others together
        for stream in streams[::2]:
            connection.h2.reset_stream(stream)
        for stream in left[:3]:
            leaver.h2.reset_stream(stream)
        connection.flush()
        leaver.flush()
        assert connection.ask("GET", "/").status_code == 200
        leaver.sock.close()
        gate.let.release()
        for got in connection.answers(streams[1::2]).values():
            assert_envelope(got, 200)
    assert [len(tokens_in(request)) for request in auth.requests] == [1, 12]


def test_a_drain_ends_although_a_call_hangs_that_everyone_left(start_between):
    system, auth, _ = start_between(RELAY_TIMEOUT_MS=60000, DRAIN_TIMEOUT_MS=20000)
    gate = Gate(auth, "held")
    with wire.Http2Connection(system.port()) as connection:
        stream = start(connection, token_of("held"))
        gate.wait_for_call()
        connection.h2.reset_stream(stream)
        connection.flush()
        assert connection.ask("GET", "/").status_code == 200
    began = time.monotonic()
    system.stop("gateway")
    assert time.monotonic() - began < 15
    gate.let.release()


# --- a storm: whose answer is whose -----------------------------------------------------------------------------------

class Faulty:
    """Stands before the real auth: most calls pass, some slowly, some fail; what became of each is noted by its id."""

    FATES = ["pass"] * 12 + ["slow"] * 2 + ["close", "500", "rubbish", "few", "many", "stall"]

    def __init__(self, upstream, port):
        self.upstream = upstream
        self.port = port
        self.fates = {}
        self.random = random.Random(4)
        self.lock = threading.Lock()

    def __call__(self, sock, request):
        with self.lock:
            fate = self.random.choice(self.FATES)
            self.fates[request.header("x-request-id")] = fate
        if fate == "stall":
            return self.upstream.stall()
        if fate == "close":
            return False
        results = self._judged(request)
        if fate == "slow":
            time.sleep(0.1)
        if fate == "few":
            results = results[:-1]
        if fate == "many":
            results = results + results[:1]
        if fate in ("500", "rubbish"):
            return answer(*((500, {"results": results}) if fate == "500" else (200, b"rubbish")))(sock, request)
        return answer(200, {"results": results})(sock, request)

    def _judged(self, request):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("POST", request.path, request.body, {"Content-Type": "application/json"})
            got = connection.getresponse()
            assert got.status == 200
            return json.loads(got.read())["results"]
        finally:
            connection.close()


STATUS_OF_FATE = {"pass": {200, 401}, "slow": {200, 401, 504}, "stall": {504}, "close": {502}, "500": {502},
                  "rubbish": {502}, "few": {502}, "many": {502}}


class Asker:
    """What one client presents, and what it must get unless a service fails it."""

    def __init__(self, token, status, detail, user_id=None):
        self.token, self.status, self.detail, self.user_id = token, status, detail, user_id


def make_askers(system):
    """Users of both roles, and the tokens of those who must not come in."""
    api = system.api()
    askers, victims = [], []
    for number in range(16):
        name = api.new_user("stormy", is_admin=number % 3 == 0)
        pair = api.tokens(name)
        token = pair["access_token"]
        claims = system.claims(token)
        askers.append(Asker(token, 200, TEXTS[number % 3 == 0], claims["uid"]))
        victims.append((claims, pair["refresh_token"]))
    (admin, refresh), (other, _) = victims[0], victims[1]
    gone = api.new_user("gone", is_admin=True)
    gone_token = api.token(gone)
    system.user("deactivate", gone)
    hostile = [
        refresh, gone_token, "a.b.c", "." * 10, "a" * 4092 + ".b.c", "a" * 5000 + ".b.c", 'a".b.c', "a.b.c\\", "{}.[].c",
        system.sign(admin, key="k" * 40), system.sign({**admin, "exp": 1}), system.sign({**other, "uid": admin["uid"]}),
        system.sign({**admin, "uid": 10**9}), system.sign({**admin, "use": "refresh"}),
        system.sign({**other, "sub": admin["sub"]}), askers[0].token[:-4], askers[0].token + "AAAA",
        ".".join([*askers[0].token.split(".")[:2], askers[1].token.split(".")[2]]),
        system.sign({**admin, "more": "x" * 2500}, key="k" * 40),
    ]
    return askers + [Asker(token, 401, REFUSED) for token in hostile]


class Storm:
    """Clients that ask at once, some of whom leave; what each was answered is kept under its request's id."""

    def __init__(self, port, askers, rounds):
        self.port, self.askers, self.rounds = port, askers, rounds
        self.answered = []  # (request id, asker, answer)
        self.problems = []

    def run(self, count):
        threads = [threading.Thread(target=self._guarded, args=(number,)) for number in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not self.problems, self.problems[0]

    def _guarded(self, number):
        try:
            self._client(number, random.Random(number))
        except Exception as problem:  # told by run, on the test's own thread
            self.problems.append(repr(problem))

    def _client(self, number, dice):
        connection = wire.Http2Connection(self.port)
        for turn in range(self.rounds):
            asked = {}
            for at in range(dice.randrange(1, 30)):
                asker = dice.choice(self.askers)
                request_id = f"storm.{number}.{turn}.{at}"
                asked[start(connection, asker.token, request_id)] = (request_id, asker)
            if dice.random() < 0.15:  # leaves with all its questions
                if dice.random() < 0.5:
                    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
                connection.sock.close()
                connection = wire.Http2Connection(self.port)
                continue
            for stream in dice.sample(sorted(asked), dice.randrange(min(4, len(asked)))):
                connection.h2.reset_stream(stream)
                del asked[stream]
            connection.flush()
            for stream, got in connection.answers(list(asked)).items():
                assert not isinstance(got, wire.StreamReset), got
                self.answered.append((*asked[stream], got))
        connection.sock.close()


def check_answer(asker, got):
    if got.status_code in (502, 504):
        assert_envelope(got, got.status_code, AUTH_DOWN)
    else:
        assert_envelope(got, asker.status, asker.detail)


def test_an_answer_never_reaches_another_asker_whatever_fails(start_system, fake_upstream):
    system = start_system(services=("auth", "message"), ADMIN_SIGNUP="open")
    system.start("gateway")
    askers = make_askers(system)
    system.stop("gateway")
    between = fake_upstream()
    faulty = Faulty(between, system.port("auth"))
    between.on("/validate-tokens", faulty)
    gateway = system.start("gateway", AUTH_SERVICE_URL=between.url, RELAY_TIMEOUT_MS=1000, GATHER_QUESTIONS_MAX=8,
                           GATHER_CALLS_MAX=8, LOG_QUEUE_MAX="64MiB")
    storm = Storm(system.port(), askers, rounds=10)
    storm.run(6)
    between.on("/validate-tokens", lambda sock, request: answer(200, {"results": faulty._judged(request)})(sock, request))
    for asker in askers:  # and after it all is as it was
        got = system.ask("http2", "GET", "/user/message", authorization(asker.token))
        assert_envelope(got, asker.status, asker.detail)
    system.stop("gateway")
    lines = {line["request_id"]: line for line in gateway.requests()}
    seen = set()
    for request_id, asker, got in storm.answered:
        check_answer(asker, got)
        line = lines[request_id]
        assert line["status"] == got.status_code
        if got.status_code == 200:
            assert line["user_id"] == asker.user_id, "judged as somebody else"
        calls = line.get("calls", "").split(",")
        fate = faulty.fates.get(calls[0])
        seen.add((fate, got.status_code))
        if fate is not None:
            assert got.status_code in STATUS_OF_FATE[fate], (fate, got.status_code)
        else:  # never in a call: refused by its shape, or its time passed in the queue
            assert got.status_code == 504 or (got.status_code == 401 and calls == [""]), (calls, got.status_code)
    assert {("pass", 200), ("pass", 401), ("stall", 504)} <= seen and any(status == 502 for _, status in seen), seen


def test_a_storm_without_faults_is_answered_without_a_fault(start_system):
    system = start_system(ADMIN_SIGNUP="open")
    storm = Storm(system.port(), make_askers(system), rounds=10)
    storm.run(6)
    assert len(storm.answered) > 300
    for _, asker, got in storm.answered:
        assert_envelope(got, asker.status, asker.detail)


# --- nothing is judged by what was true before ------------------------------------------------------------------------

class Hammer:
    """A thread that asks for a message again and again, and keeps when each request began and what came."""

    def __init__(self, port, token):
        self.port, self.token = port, token
        self.seen = []  # (began, status)
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run)

    def _run(self):
        request = wire.http1_request("GET", "/user/message", authorization(self.token))
        with wire.connect(self.port) as sock, sock.makefile("rb") as file:
            while not self.stopping.is_set():
                began = time.monotonic()
                sock.sendall(request)
                self.seen.append((began, wire.read_http1_answer(file).status_code))


def test_a_deactivated_user_is_refused_by_the_next_request_in_the_middle_of_a_storm(start_system):
    system = start_system()
    api = system.api()
    name = api.new_user()
    victim, others = api.token(name), [api.token(api.new_user()) for _ in range(3)]
    hammers = [Hammer(system.port(), token) for token in [victim, victim, victim, *others]]
    changes = []  # (began, ended, status from then on)
    try:
        for hammer in hammers:
            hammer.thread.start()
        for change, status in (("deactivate", 401), ("activate", 401)):
            counts = [len(hammer.seen) for hammer in hammers]
            wait_until(lambda: all(len(hammer.seen) >= count + 5 for hammer, count in zip(hammers, counts)), 20, "requests")
            began = time.monotonic()
            system.user(change, name)
            changes.append((began, time.monotonic(), status))
        counts = [len(hammer.seen) for hammer in hammers]
        wait_until(lambda: all(len(hammer.seen) >= count + 5 for hammer, count in zip(hammers, counts)), 20, "requests")
    finally:
        for hammer in hammers:
            hammer.stopping.set()
        for hammer in hammers:
            if hammer.thread.ident is not None:
                hammer.thread.join()
    for hammer in hammers[3:]:
        assert {status for _, status in hammer.seen} == {200}
    for (_, since, status), (until, _, _) in zip(changes, [*changes[1:], (float("inf"), 0, 0)]):
        for hammer in hammers[:3]:
            # The last one that began before the next change may have been judged after it.
            got = [code for began, code in hammer.seen if since <= began < until][:-1]
            assert got and set(got) == {status}, f"{got} after the change to {status}"


MEMORIES = pytest.mark.parametrize("places", [0, 1, 8192])


@MEMORIES
def test_a_change_of_the_user_counts_at_once_however_many_tokens_are_remembered(start_system, places):
    system = start_system(TOKEN_MEMORY_MAX=places, LOOPS=1)
    api = system.api()
    system.user("add", "boss", "boss@example.org", "--admin", input_text="a password of the boss\n")
    name, doomed, other = api.new_user(), api.new_user(), api.new_user()
    tokens = {each: api.token(each) for each in (name, doomed, other)}

    def expect(who, status, detail):
        for _ in range(3):
            assert_envelope(api.message(tokens[who]), status, detail)
            assert_envelope(api.message(tokens[other]), 200, TEXTS[False])

    expect(name, 200, TEXTS[False])
    expect(doomed, 200, TEXTS[False])
    for change, status, detail in (("promote", 200, TEXTS[True]), ("demote", 200, TEXTS[False]),
                                   ("deactivate", 401, REFUSED), ("activate", 401, REFUSED)):
        system.user(change, name)
        expect(name, status, detail)
    system.user("delete", doomed, "--yes")
    expect(doomed, 401, REFUSED)
    assert api.signup(doomed).status_code == 201  # another user of that name
    expect(doomed, 401, REFUSED)


@MEMORIES
def test_a_token_expires_although_it_is_remembered(start_system, places):
    system = start_system(TOKEN_MEMORY_MAX=places, LOOPS=1)
    api = system.api()
    claims = system.claims(api.token(api.new_user()))
    exp = int(time.time()) + 3
    token = system.sign({**claims, "exp": exp})
    before = 0
    while time.time() < exp - 0.5:
        assert_envelope(api.message(token), 200)
        before += 1
    assert before > 1
    wait_until(lambda: time.time() >= exp, 10, "the token to expire")
    for _ in range(3):
        assert_envelope(api.message(token), 401, REFUSED)
    answer = system.internal("auth", "POST", "/validate-token", headers={"token": token})
    assert (answer.status_code, answer.json()) == (401, {"detail": "Token has expired"})
    assert system.internal("auth", "POST", "/validate-tokens", {"tokens": [token]}).json() == {
        "results": [{"status": 401, "detail": "Token has expired"}]}


@MEMORIES
def test_what_only_resembles_a_remembered_token_is_refused(start_system, places):
    system = start_system(TOKEN_MEMORY_MAX=places, LOOPS=1)
    api = system.api()
    token = api.token(api.new_user())
    other = api.token(api.new_user())
    for _ in range(2):
        assert_envelope(api.message(token), 200)
    header, payload, signature = token.split(".")
    near = [f"{header}.{payload}.{other.split('.')[2]}", f"{header}.{other.split('.')[1]}.{signature}",
            f"{payload}.{header}.{signature}", f"{header}.{payload}.{signature}A", token[1:], token[:-1],
            f"{header}.{payload}.{signature[-20:]}", f"{header}.{payload[:-1]}.{signature}", f"x{token}"]
    for at in (0, 5, len(header) + 1, len(header) + 20, len(token) - 43, len(token) - 20, len(token) - 5):
        near.append(token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :])
    for each in near:
        assert_envelope(api.message(each), 401, REFUSED)
        assert_envelope(api.message(token), 200)


def test_many_more_tokens_than_are_remembered_are_all_judged_rightly(start_system):
    system = start_system(TOKEN_MEMORY_MAX=4, ADMIN_SIGNUP="open", LOOPS=1)
    askers = make_askers(system)
    storm = Storm(system.port(), askers, rounds=5)
    storm.run(3)
    for _, asker, got in storm.answered:
        assert_envelope(got, asker.status, asker.detail)
