"""What the gateway makes of services that are down, slow, broken or rude: the fault of the table, and never twice."""

import json
import re
import signal
import socket
import time

import pytest

from support import wire
from support.fake_upstream import (
    FakeUpstream, answer, close_at_once, drip, gathered, http_bytes, reset, send_and_close,
)
from support.ports import free_port
from support.process import wait_until
from support.sentences import AUTH_DOWN, BUSY, LIMITED, MESSAGE_DOWN, REFUSED
from support.system import PASSWORD, System, assert_envelope, unique_name

TIMEOUT_MS = 1000
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl"  # of the right shape; judged by the fake

SIGNED_UP = {"detail": "User created successfully, user ID 1!", "user": {"email": "a@b", "username": "a"},
             "date_time": "2024-11-21 14:31:34"}
PAIR = {"token_type": "bearer", "access_token": "a.a.a", "refresh_token": "r.r.r", "expires_in": 1800}
LOGGED_IN = {"detail": "Login successful", "date_time": "2024-11-21 14:31:34", "token": PAIR}
VALID = {"status": 200, "user": "a", "user_id": 1, "is_admin": False}  # an entry of auth's answer, and of message's
GREETING = {"status": 200, "message": LIMITED}
ENTRIES = {"/validate-tokens": VALID, "/get-messages": GREETING}

GOOD = {
    "/signup": answer(201, SIGNED_UP), "/login": answer(200, LOGGED_IN),
    "/validate-tokens": gathered(lambda _token: VALID), "/get-messages": gathered(lambda _request: GREETING),
}


class Between:
    """A gateway between a client and two scripted services that answer well until told otherwise."""

    def __init__(self, system, auth, message):
        self.system = system
        self.auth = auth
        self.message = message
        self.reset()

    def reset(self):
        for path, behaviour in GOOD.items():
            (self.message if path == "/get-messages" else self.auth).on(path, behaviour)

    def post(self, path, body=None, headers=(), version="http1"):
        content = json.dumps(body or {"username": "a", "password": PASSWORD, "email": "a@b"}).encode()
        return self.system.ask(version, "POST", path, [("Content-Type", "application/json"), *headers], content)

    def get_message(self, headers=(), version="http1", token=TOKEN):
        return self.system.ask(version, "GET", "/user/message", [("Authorization", f"Bearer {token}"), *headers])

    def ask(self, path):
        """The public request that makes the gateway call this internal path."""
        return self.get_message() if path in ("/validate-tokens", "/get-messages") else self.post("/user" + path)


@pytest.fixture(scope="module")
def lasting(tmp_path_factory):
    """One gateway and two scripted services for all tests of this file."""
    auth, message = FakeUpstream(), FakeUpstream()
    system = System(tmp_path_factory.mktemp("between"), services=("gateway",), AUTH_SERVICE_URL=auth.url,
                    MESSAGE_SERVICE_URL=message.url + "/", RELAY_TIMEOUT_MS=TIMEOUT_MS,
                    RELAY_CONNECT_TIMEOUT_MS=TIMEOUT_MS, RELAY_ANSWER_MAX="256KiB", PASSWORD_QUEUE_AGE_MS=100)
    try:
        system.wait_ready()
        yield Between(system, auth, message)
        system.close()
    finally:
        system.kill()
        auth.close()
        message.close()


@pytest.fixture
def between(lasting):
    """The same, with services that answer well and have seen no request yet."""
    lasting.reset()
    lasting.auth.forget()
    lasting.message.forget()
    return lasting


def test_the_scripted_services_are_believed_when_they_answer_well(between):
    assert_envelope(between.post("/user/signup"), 201, SIGNED_UP["detail"])
    assert assert_envelope(between.post("/user/login"), 200) == PAIR
    assert_envelope(between.get_message(), 200, GREETING["message"])


# --- every way to fail, at every call ------------------------------------------------------------------------------

RIGHT = {"/signup": json.dumps(SIGNED_UP).encode(), "/login": json.dumps(LOGGED_IN).encode(),
         **{path: json.dumps({"results": [entry]}).encode() for path, entry in ENTRIES.items()}}
STATUS = {"/signup": 201, "/login": 200, "/validate-tokens": 200, "/get-messages": 200}


def whole(path):
    return http_bytes(STATUS[path], RIGHT[path], [("Content-Type", "application/json")])


def broken_in_body(path):
    return send_and_close(whole(path)[:-5])


BROKEN = {
    "closes without a byte": lambda path: close_at_once,
    "resets the connection": lambda path: reset,
    "breaks off within the status line": lambda path: send_and_close(whole(path)[:7]),
    "breaks off within the headers": lambda path: send_and_close(whole(path)[:40]),
    "breaks off before the body": lambda path: send_and_close(whole(path).split(b"\r\n\r\n")[0] + b"\r\n\r\n"),
    "breaks off within the body": broken_in_body,
    "claims a longer body": lambda path: send_and_close(
        http_bytes(STATUS[path], RIGHT[path], length=len(RIGHT[path]) + 10)),
    "claims a shorter body": lambda path: send_and_close(
        http_bytes(STATUS[path], RIGHT[path], length=len(RIGHT[path]) - 4)),
    "claims a negative length": lambda path: send_and_close(http_bytes(STATUS[path], RIGHT[path], length=-1)),
    "breaks off within chunks": lambda path: send_and_close(
        b"HTTP/1.1 %d X\r\nTransfer-Encoding: chunked\r\n\r\n20\r\n{\"detail\"" % STATUS[path]),
    "sends garbage": lambda path: send_and_close(b"\x00\xff\x13garbage\r\n\r\n" * 20),
    "speaks another protocol": lambda path: send_and_close(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "speaks HTTP/0.9": lambda path: send_and_close(RIGHT[path]),
    "sends a body over the limit": lambda path: answer(STATUS[path], b'{"detail": "' + b"x" * 400_000 + b'"}'),
    "sends endless chunks": lambda path: send_and_close(
        b"HTTP/1.1 %d X\r\nTransfer-Encoding: chunked\r\n\r\n" % STATUS[path] + (b"4000\r\n" + b"x" * 0x4000 + b"\r\n") * 40),
    "sends endless headers": lambda path: send_and_close(
        b"HTTP/1.1 %d X\r\n" % STATUS[path] + b"".join(b"X-%d: %s\r\n" % (n, b"v" * 1000) for n in range(1000))),
    "answers 204": lambda path: send_and_close(b"HTTP/1.1 204 No Content\r\n\r\n"),
    "answers 302": lambda path: answer(302, RIGHT[path], [("Location", "http://127.0.0.1:1/")]),
    "answers 418": lambda path: answer(418, RIGHT[path]),
    "answers 500": lambda path: answer(500, {"detail": "Traceback (most recent call last): secret"}),
    "answers 502": lambda path: answer(502, {"detail": "upstream"}),
    "answers 504": lambda path: answer(504, {"detail": "upstream"}),
    "answers 999": lambda path: answer(999, RIGHT[path]),
    "answers 405": lambda path: answer(405, {"detail": "Method Not Allowed"}),
    "answers an empty body": lambda path: answer(STATUS[path], b""),
    "answers what is not JSON": lambda path: answer(STATUS[path], b"<html>It works!</html>"),
    "answers cut JSON": lambda path: answer(STATUS[path], RIGHT[path][:-1]),
    "answers JSON and more": lambda path: answer(STATUS[path], RIGHT[path] + b"x"),
    "answers a list": lambda path: answer(STATUS[path], b"[" + RIGHT[path] + b"]"),
    "answers null": lambda path: answer(STATUS[path], b"null"),
    "answers an empty object": lambda path: answer(STATUS[path], b"{}"),
}


@pytest.mark.parametrize("path", GOOD)
@pytest.mark.parametrize("case", BROKEN)
def test_a_service_that_fails_is_502(between, case, path):
    upstream = between.message if path == "/get-messages" else between.auth
    upstream.on(path, BROKEN[case](path))
    got = between.ask(path)
    assert_envelope(got, 502, MESSAGE_DOWN if path == "/get-messages" else AUTH_DOWN)
    sent = [request for request in upstream.requests if request.path == path]
    if path in ("/signup", "/login"):
        assert len(sent) == 1, "sent more than once"
    between.reset()
    assert between.ask(path).status_code == STATUS[path]


def without(entry, key):
    return {name: value for name, value in entry.items() if name != key}


WRONG_ENTRIES = {
    "/validate-tokens": [
        {**VALID, "is_admin": "true"}, {**VALID, "is_admin": 1}, {**VALID, "is_admin": None}, without(VALID, "is_admin"),
        {**VALID, "user_id": "1"}, {**VALID, "user_id": 0}, {**VALID, "user_id": -1}, {**VALID, "user_id": 1.5},
        {**VALID, "user_id": None}, {**VALID, "user_id": True}, {**VALID, "user_id": 2**60}, without(VALID, "user_id"),
        {"status": 200}],
    "/get-messages": [
        {**GREETING, "message": 5}, {**GREETING, "message": None}, {**GREETING, "message": ["x"]},
        {"status": 200, "detail": "text"}, {"status": 200}],
}
WRONG_STATUSES = (None, True, "200", [200], 0, -200, 200.5, 100, 201, 204, 299, 300, 302, 400, 403, 404, 422, 429, 500, 503,
                  2**40, 1e300)
for _path, _entry in ENTRIES.items():
    WRONG_ENTRIES[_path] += [{**_entry, "status": status} for status in WRONG_STATUSES] + [without(_entry, "status")]
    WRONG_ENTRIES[_path] += [None, True, 200, 5, "text", [], [_entry], {}]

WRONG_TYPES = {
    "/signup": [{"detail": 5}, {"detail": None}, {"user": {}}],
    "/login": [{"detail": "Login successful"}, {**LOGGED_IN, "token": "text"}, {**LOGGED_IN, "token": None}],
    **{path: [{"results": [entry]} for entry in WRONG_ENTRIES[path]]
       + [{"results": results} for results in (None, True, 1, "text", {}, {"0": good}, [], [good] * 2, [good] * 64,
                                               [good] * 65, [[good]])]
       + [good, {"result": [good]}, {"Results": [good]}]
       for path, good in ENTRIES.items()},
}


@pytest.mark.parametrize("path", WRONG_TYPES)
def test_an_answer_of_wrong_types_is_502(between, path):
    upstream = between.message if path == "/get-messages" else between.auth
    for body in WRONG_TYPES[path]:
        upstream.on(path, answer(STATUS[path], body))
        got = between.ask(path)
        assert got.status_code == 502, f"{got.status_code} after {str(body)[:200]}"
        assert_envelope(got, 502, MESSAGE_DOWN if path == "/get-messages" else AUTH_DOWN)
    if path == "/validate-tokens":
        assert not between.message.requests, "message was asked although auth did not say yes"
    between.reset()
    assert between.ask(path).status_code == STATUS[path]


@pytest.mark.parametrize("path", GOOD)
@pytest.mark.parametrize("case", ["accepts and stalls", "drips", "stalls within the headers", "stalls within the body"])
def test_a_service_that_is_too_slow_is_504(between, path, case):
    upstream = between.message if path == "/get-messages" else between.auth

    def send_and_stall(size):
        def behave(sock, _request):
            sock.sendall(whole(path)[:size])
            return upstream.stall()
        return behave

    upstream.on(path, {
        "accepts and stalls": upstream.stall,
        "drips": drip(whole(path), 0.05),
        "stalls within the headers": send_and_stall(20),
        "stalls within the body": send_and_stall(-3),
    }[case])
    started = time.monotonic()
    got = between.ask(path)
    took_ms = (time.monotonic() - started) * 1000
    assert_envelope(got, 504, MESSAGE_DOWN if path == "/get-messages" else AUTH_DOWN)
    assert TIMEOUT_MS * 0.9 <= took_ms < TIMEOUT_MS * 5, took_ms
    assert len([request for request in upstream.requests if request.path == path]) == 1, "sent more than once"


def test_a_service_that_does_not_accept_is_504(start_system):
    """A listener whose queue is full: the connection is never made."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        system = start_system(services=("gateway",), AUTH_SERVICE_URL=url, RELAY_TIMEOUT_MS=TIMEOUT_MS,
                              RELAY_CONNECT_TIMEOUT_MS=TIMEOUT_MS, PASSWORD_QUEUE_AGE_MS=100)
        assert_envelope(system.api().login("someone"), 504, AUTH_DOWN)
        system.close()
        for filler in fillers:
            filler.close()


@pytest.mark.parametrize("before", [
    b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 3,
], ids=["100", "103 three times"])
def test_interim_answers_are_skipped(between, before):
    between.auth.on("/signup", answer(201, SIGNED_UP, before=before))
    assert_envelope(between.post("/user/signup"), 201, SIGNED_UP["detail"])


# --- what is passed on -------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 429, 503])
@pytest.mark.parametrize("path", ["/signup", "/login"])
def test_auths_verdicts_are_passed_on_in_the_envelope(between, path, status):
    detail = [{"loc": ["body"], "msg": "Field required", "type": "missing"}] if status == 422 else f"Verdict {status}"
    headers = [("Error-Code", "SOME_NAME"), ("X-Internal", "secret"), ("Set-Cookie", "a=b")]
    if status in (429, 503):
        headers.append(("Retry-After", "17"))
    if status == 401:
        headers.append(("WWW-Authenticate", 'Bearer error="invalid_token"'))
    between.auth.on(path, answer(status, {"detail": detail}, headers))
    got = between.post("/user" + path)
    assert_envelope(got, status, detail)
    assert got.headers["Error-Code"] == "SOME_NAME"
    assert got.headers.get("Retry-After") == ("17" if status in (429, 503) else None)
    assert got.headers.get("WWW-Authenticate") == ('Bearer error="invalid_token"' if status == 401 else None)
    assert "X-Internal" not in got.headers and "Set-Cookie" not in got.headers


@pytest.mark.parametrize("status", [429, 503])
def test_auths_verdicts_on_a_message_are_passed_on_too(between, status):
    headers = [("Retry-After", "17"), ("Error-Code", "WAIT")]
    between.auth.on("/validate-tokens", answer(status, {"detail": "Wait"}, headers))
    got = between.get_message()
    assert_envelope(got, status, "Wait")
    assert got.headers["Retry-After"] == "17"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 429, 503])
def test_a_verdict_without_a_detail_is_502(between, status):
    for body in (b"<html>", b"", b"{}", b"[]"):
        between.auth.on("/login", answer(status, body))
        assert_envelope(between.post("/user/login"), 502, AUTH_DOWN)


@pytest.mark.parametrize("status", [400, 401, 404, 422, 429, 503])
def test_a_verdict_of_messages_own_is_502(between, status):
    between.message.on("/get-messages", answer(status, {"detail": "no"}, [("Retry-After", "17")]))
    assert_envelope(between.get_message(), 502, MESSAGE_DOWN)
    between.message.on("/get-messages", gathered(lambda _request: {"status": status, "detail": "no"}))
    assert_envelope(between.get_message(), 502, MESSAGE_DOWN)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422])
def test_a_refusal_of_the_whole_call_is_nobodys_verdict(between, status):
    """401 too: the call was refused, not a token."""
    between.auth.on("/validate-tokens", answer(status, {"detail": "Could not validate credentials"}))
    assert_envelope(between.get_message(), 502, AUTH_DOWN)
    assert not between.message.requests


def test_a_refused_token_is_the_public_401_whatever_auth_called_it(between):
    for sentence in ("Token has expired", "Could not validate credentials"):
        between.auth.on("/validate-tokens", gathered(lambda _token: {"status": 401, "detail": sentence}))
        got = between.get_message()
        assert_envelope(got, 401, REFUSED)
        assert got.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    assert not between.message.requests


def test_a_header_of_a_verdict_cannot_break_out(between):
    between.auth.on("/login", answer(429, {"detail": "x"}, [("Retry-After", "1\x01\x02"), ("Error-Code", "A" * 5000)]))
    got = between.post("/user/login")
    assert got.status_code in (429, 502)
    assert len(got.headers.get("Error-Code", "")) <= 255
    assert not set("\x01\x02") & set(got.headers.get("Retry-After", ""))


# --- what auth and message are told --------------------------------------------------------------------------------------

FORGED = [("X-Service-Key", "k" * 40), ("X-Client-Address", "203.0.113.9"), ("X-Auth-User", "admin_user"),
          ("X-Auth-Role", "admin"), ("X-Auth-User-Id", "1"), ("x-auth-anything", "y"), ("Cookie", "session=1")]


@pytest.mark.parametrize("version", ["http1", "http2"])
def test_what_clients_claim_to_be_is_dropped(between, version):
    between.post("/user/signup", headers=FORGED, version=version)
    between.post("/user/login", headers=FORGED, version=version)
    between.get_message(headers=FORGED, version=version)
    requests = between.auth.requests + between.message.requests
    assert [request.path for request in requests] == ["/signup", "/login", "/validate-tokens", "/get-messages"]
    for request in requests:
        names = [name for name, _ in request.headers]
        assert "x-service-key" not in names and "cookie" not in names
        assert not [name for name in names if name.startswith("x-auth-")]
        assert request.header("x-client-address") in ("127.0.0.1", None)
    for request in between.auth.requests[:2]:
        assert request.header("x-client-address") == "127.0.0.1"


def test_the_service_key_is_sent_where_one_is_set(start_system, fake_upstream):
    auth, message = fake_upstream(), fake_upstream()
    system = start_system(services=("gateway",), AUTH_SERVICE_URL=auth.url, MESSAGE_SERVICE_URL=message.url,
                          SERVICE_KEY="k" * 40)
    system.remember_secret("k" * 40)
    between = Between(system, auth, message)
    assert_envelope(between.get_message(headers=[("X-Service-Key", "forged")]), 200)
    assert_envelope(between.post("/user/login"), 200)
    for request in auth.requests + message.requests:
        assert request.header("x-service-key") == "k" * 40


def test_the_request_id_is_passed_on_with_signups_and_logins(between):
    between.post("/user/signup", headers=[("X-Request-Id", "trace-me.1_2")])
    between.post("/user/login", headers=[("X-Request-Id", "trace-me.3")])
    assert [request.header("x-request-id") for request in between.auth.requests] == ["trace-me.1_2", "trace-me.3"]


def test_a_gathered_call_has_an_id_of_its_own(between):
    """It may carry the questions of many requests; which ones is in their log lines."""
    for _ in range(3):
        between.get_message(headers=[("X-Request-Id", "trace-me.1_2")])
    requests = between.auth.requests + between.message.requests
    ids = [request.header("x-request-id") for request in requests]
    assert len(set(ids)) == len(ids) == 6
    assert all(re.match(r"^[A-Za-z0-9._-]{1,64}$", each) for each in ids), ids
    assert "trace-me" not in str([(request.headers, request.body) for request in requests])


def test_bodies_are_forwarded_unchanged(between):
    content = b'{ "password":"12345678" ,\t"username":"\\u00e4\xc3\xa4", "email":"a@b", "more":[1,{"x":null}], "is_admin":"NO"}\n'
    for path in ("/user/signup", "/user/login"):
        between.system.ask("http1", "POST", path, [("Content-Type", "application/json; charset=utf-8")], content)
    assert [request.body for request in between.auth.requests] == [content, content]
    assert all(request.header("content-type").startswith("application/json") for request in between.auth.requests)


def test_what_the_gateway_checks_itself_never_reaches_auth(between):
    for path in ("/user/signup", "/user/login"):
        json_type = [("Content-Type", "application/json")]
        between.system.ask("http1", "POST", path, json_type, b"x" * 20000)
        between.system.ask("http1", "POST", path, [("Content-Type", "text/plain")], b"{}")
        between.system.ask("http1", "PUT", path, json_type, b"{}")
    for value in ("", "Bearer", "Bearer not-a-token", "Bearer a..b", "Basic x", "Bearer " + "a" * 5000 + ".b.c",
                  "Bearer a.b.c.d", "Bearer a b"):
        between.system.ask("http1", "GET", "/user/message", [("Authorization", value)])
    assert between.auth.requests == [] and between.message.requests == []


def test_the_token_goes_to_auth_alone_and_the_verdict_to_message(between):
    between.auth.on("/validate-tokens", gathered(lambda _token: {**VALID, "is_admin": True}))
    assert_envelope(between.get_message(), 200)
    validate, greet = between.auth.requests[0], between.message.requests[0]
    assert (validate.method, validate.path, validate.json()) == ("POST", "/validate-tokens", {"tokens": [TOKEN]})
    assert (greet.method, greet.path) == ("POST", "/get-messages")
    assert greet.json() == {"requests": [{"is_valid": True, "is_admin": True}]}
    for request in (validate, greet):
        assert request.header("content-type") == "application/json"
        assert TOKEN not in str(request.headers)
    assert TOKEN not in greet.body.decode()


def test_authorization_goes_to_auth_with_a_signup_and_never_to_message(between):
    between.post("/user/signup", headers=[("Authorization", f"Bearer {TOKEN}")])
    assert between.auth.requests[0].header("authorization") == f"Bearer {TOKEN}"
    between.get_message()
    assert between.message.requests[0].header("authorization") is None


# --- nothing is sent twice ---------------------------------------------------------------------------------------------

@pytest.mark.parametrize("fault", [close_at_once, reset], ids=["closed", "reset"])
def test_a_signup_is_sent_exactly_once_even_when_its_connection_breaks(between, fault):
    for _ in range(3):
        assert between.get_message().status_code == 200  # leaves a kept-alive connection behind
    between.auth.on("/signup", fault)
    assert_envelope(between.post("/user/signup"), 502, AUTH_DOWN)
    assert len([request for request in between.auth.requests if request.path == "/signup"]) == 1


def test_every_signup_has_a_connection_of_its_own(between):
    for _ in range(3):
        assert between.get_message().status_code == 200
        assert between.post("/user/signup").status_code == 201
    others = {request.connection for request in between.auth.requests if request.path != "/signup"}
    signups = [request.connection for request in between.auth.requests if request.path == "/signup"]
    assert len(set(signups)) == 3 and not others & set(signups)


def test_messages_reuse_connections(between):
    for _ in range(20):
        assert between.get_message().status_code == 200
    assert len({request.connection for request in between.message.requests}) <= 4  # one a loop, at the most a few


def test_a_kept_connection_that_the_service_closes_does_no_harm(between):
    def answer_and_close(sock, _request):
        GOOD["/validate-tokens"](sock, _request)
        return False

    between.auth.on("/validate-tokens", answer_and_close)
    for _ in range(10):
        assert_envelope(between.get_message(), 200)


def test_a_kept_connection_that_breaks_at_its_next_use_does_no_harm(between):
    for _ in range(6):
        assert_envelope(between.get_message(), 200)
    before = len(between.auth.requests)
    broken = set()

    def break_old_connections(sock, request):
        if request.connection in old and request.connection not in broken:
            broken.add(request.connection)
            return False
        return GOOD["/validate-tokens"](sock, request)

    old = {request.connection for request in between.auth.requests}
    between.auth.on("/validate-tokens", break_old_connections)
    for _ in range(6):
        assert_envelope(between.get_message(), 200)
    assert len(between.auth.requests) > before


def test_connections_that_each_break_at_their_second_use_do_no_harm_however_often(between):
    used = set()

    def break_at_second_use(sock, request):
        if request.connection in used:
            return False
        used.add(request.connection)
        return GOOD["/validate-tokens"](sock, request)

    between.auth.on("/validate-tokens", break_at_second_use)
    for _ in range(20):
        assert_envelope(between.get_message(), 200)
    assert len(between.auth.requests) > 30, "too few were asked again to show anything"


# --- real services that go and come back --------------------------------------------------------------------------------

def test_with_auth_stopped_the_gateway_answers_502_at_once_and_serves_again_when_it_is_back(fresh_system):
    api = fresh_system.api()
    name = api.new_user()
    token = api.token(name)
    fresh_system.stop("auth")
    for _ in range(3):
        for got in (api.login(name), api.signup(unique_name()), api.message(token)):
            assert_envelope(got, 502, AUTH_DOWN)
            assert got.elapsed.total_seconds() < 1
    assert_envelope(api.message(), 400)
    assert fresh_system.ask("http1", "GET", "/").status_code == 200
    fresh_system.start("auth")
    assert_envelope(api.message(token), 200)
    assert_envelope(api.login(name), 200)


def test_with_message_stopped_only_messages_are_502(fresh_system):
    api = fresh_system.api()
    name = api.new_user()
    token = api.token(name)
    fresh_system.stop("message")
    assert_envelope(api.message(token), 502, MESSAGE_DOWN)
    assert_envelope(api.message("a.b.c"), 401)
    assert_envelope(api.login(name), 200)
    assert_envelope(api.signup(unique_name()), 201)
    assert fresh_system.ask("http1", "GET", "/health/ready").status_code == 200
    fresh_system.start("message")
    assert_envelope(api.message(token), 200)


def test_with_auth_frozen_the_gateway_answers_504_and_everything_else(start_system):
    system = start_system(RELAY_TIMEOUT_MS=2500, PASSWORD_QUEUE_AGE_MS=1500)
    api = system.api()
    token = api.token(api.new_user())
    system["auth"].signal(signal.SIGSTOP)
    try:
        assert_envelope(api.message(token), 504, AUTH_DOWN)
        assert_envelope(api.login("someone"), 504, AUTH_DOWN)
        assert system.ask("http1", "GET", "/").status_code == 200
    finally:
        system["auth"].signal(signal.SIGCONT)
    system.wait_ready()
    assert_envelope(api.message(token), 200)


def test_the_gateway_is_ready_when_auth_is_and_live_all_the_same(fresh_system):
    def status(path):
        return fresh_system.ask("http1", "GET", path).status_code

    assert (status("/health/live"), status("/health/ready")) == (200, 200)
    fresh_system.stop("auth")
    wait_until(lambda: status("/health/ready") == 503, 10, "the gateway to notice that auth is down")
    assert status("/health/live") == 200
    fresh_system.start("auth")
    fresh_system.wait_ready()


def test_a_gateway_that_starts_before_auth_serves_once_auth_is_there(start_system):
    system = start_system(services=("gateway", "message"))
    assert_envelope(system.api().login("someone"), 502, AUTH_DOWN)
    system.start("auth")
    system.wait_ready()
    assert_envelope(system.api().login("someone"), 401)


def test_a_client_that_leaves_while_it_waits_harms_nobody(between):
    between.auth.on("/login", between.auth.stall)
    body = json.dumps({"username": "a", "password": PASSWORD}).encode()
    json_type = [("Content-Type", "application/json")]
    for _ in range(5):
        with wire.connect(between.system.port()) as sock:
            sock.sendall(wire.http1_request("POST", "/user/login", json_type, body))
        with wire.Http2Connection(between.system.port()) as connection:
            streams = [connection.start("POST", "/user/login", json_type, body) for _ in range(3)]
            connection.h2.reset_stream(streams[1])
            connection.flush()
    between.auth.wait_for_requests(5)
    between.reset()
    assert_envelope(between.post("/user/login"), 200)


def test_too_many_calls_at_once_are_503(start_system, fake_upstream):
    auth = fake_upstream()
    system = start_system(services=("gateway",), AUTH_SERVICE_URL=auth.url, MESSAGE_SERVICE_URL=auth.url, LOOPS=1,
                          RELAY_CALLS_MAX=2, RELAY_TIMEOUT_MS=5000)
    auth.on("/login", auth.stall)
    body = json.dumps({"username": "a", "password": PASSWORD}).encode()
    with wire.Http2Connection(system.port()) as connection:
        streams = [connection.start("POST", "/user/login", [("Content-Type", "application/json")], body)
                   for _ in range(6)]
        refused = connection.answers(streams[3:])
    for got in refused.values():
        assert_envelope(got, 503, BUSY)
        assert int(got.headers["Retry-After"]) >= 1
    assert len(auth.requests) <= 3


def test_an_unused_port_is_502_at_once(start_system):
    system = start_system(services=("gateway",), AUTH_SERVICE_URL=f"http://127.0.0.1:{free_port()}")
    got = system.api().login("someone")
    assert_envelope(got, 502, AUTH_DOWN)
    assert got.elapsed.total_seconds() < 1
