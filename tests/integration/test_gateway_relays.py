"""What the gateway makes of each public path: the call that auth gets, and the answer that comes of auth's.

Auth is scripted here; what it decides is tested elsewhere.
"""

import json
import threading

import pytest

from support import wire
from support.fake_upstream import FakeUpstream, answer, close_at_once
from support.process import wait_until
from support.sentences import AUTH_DOWN, MISSING, REFUSED
from support.system import System, assert_envelope

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl"  # of the right shape; judged by the fake
BEARER = [("Authorization", f"Bearer {TOKEN}")]
JSON = [("Content-Type", "application/json")]
SID = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-"

PAIR = {"token_type": "bearer", "access_token": "a.a.a", "refresh_token": "r.r.r", "expires_in": 1800}
USER = {"user_id": 7, "username": "a", "email": "a@b", "is_admin": False, "created_at": "2026-01-02T03:04:05Z"}
DATE = "2024-11-21 14:31:34"


class Route:
    """A public route: what is asked of it, the internal path, and what auth answers when all is well."""

    def __init__(self, method, path, inside, detail, body=None, needs_token=True, status=200, member="detail"):
        self.method, self.path, self.inside, self.detail = method, path, inside, detail
        self.body = None if body is None else json.dumps(body).encode()
        self.needs_token, self.status, self.member = needs_token, status, member
        self.auths = {"date_time": DATE, "detail": "Done", member: detail}

    def __str__(self):
        return f"{self.method} {self.path}"


ROUTES = [
    Route("POST", "/user/signup", "/signup", "User created successfully, user ID 1!", {"username": "a"},
          needs_token=False, status=201),
    Route("POST", "/user/login", "/login", PAIR, {"username": "a"}, needs_token=False, member="token"),
    Route("POST", "/user/refresh", "/refresh", PAIR, {"refresh_token": "r.r.r"}, needs_token=False),
    Route("POST", "/user/logout", "/logout", "Logged out"),
    Route("GET", "/user/me", "/me", USER),
    Route("PUT", "/user/password", "/password", "Password changed", {"current_password": "a", "new_password": "b"}),
    Route("GET", "/user/sessions", "/sessions", {"sessions": [{"sid": SID}]}),
    Route("DELETE", f"/user/sessions/{SID}", f"/sessions/{SID}", "Session ended"),
    Route("GET", "/admin/users", "/admin/users", {"users": [USER], "next_after": None}),
    Route("GET", "/admin/users/7", "/admin/users/7", USER),
    Route("PATCH", "/admin/users/7", "/admin/users/7", USER, {"is_active": False}),
    Route("DELETE", "/admin/users/7", "/admin/users/7", "User deleted"),
    Route("DELETE", "/admin/users/7/sessions", "/admin/users/7/sessions", "Sessions ended"),
]
CHANGES = [route for route in ROUTES if route.method != "GET"]
READS = [route for route in ROUTES if route.method == "GET"]
WITH_TOKEN = [route for route in ROUTES if route.needs_token]
TELL_AGENT = ("/user/signup", "/user/login", "/user/refresh")


class Gateway:
    """A gateway in front of a scripted auth."""

    def __init__(self, system, auth):
        self.system = system
        self.auth = auth

    def ask(self, route, version="http1", headers=None, path=None, method=None, body=None):
        """The route's request as it should be, but for what is given."""
        sent = BEARER if headers is None and route.needs_token else headers or []
        content = route.body if body is None else body
        return self.system.ask(version, method or route.method, path or route.path,
                               [*sent, *(JSON if content else [])], content)

    def only_request(self):
        """What came of it at auth."""
        assert len(self.auth.requests) == 1, [request.path for request in self.auth.requests]
        return self.auth.requests[0]


@pytest.fixture(scope="module")
def lasting(tmp_path_factory):
    auth = FakeUpstream()
    system = System(tmp_path_factory.mktemp("relays"), services=("gateway",), AUTH_SERVICE_URL=auth.url + "/",
                    MESSAGE_SERVICE_URL=auth.url, RELAY_TIMEOUT_MS=1000, PASSWORD_QUEUE_AGE_MS=100)
    try:
        system.wait_ready()
        yield Gateway(system, auth)
        system.close()
    finally:
        system.kill()
        auth.close()


@pytest.fixture
def gateway(lasting):
    """The same for all, with an auth that answers well and has seen no request yet."""
    methods = {}
    for route in ROUTES:
        methods.setdefault(route.inside, {})[route.method] = answer(route.status, route.auths)
    for path, behaviours in methods.items():
        lasting.auth.on(path, lambda sock, request, known=behaviours: known[request.method](sock, request))
    lasting.auth.forget()
    return lasting


def each(routes):
    return pytest.mark.parametrize("route", routes, ids=str)


# --- what auth is asked --------------------------------------------------------------------------------------------

@each(ROUTES)
def test_auth_is_asked_by_the_path_without_user_and_its_detail_wears_the_envelope(gateway, version, route):
    assert assert_envelope(gateway.ask(route, version), route.status) == route.detail
    request = gateway.only_request()
    assert (request.method, request.path) == (route.method, route.inside)
    assert request.body == (route.body or b"")
    assert request.header("Content-Type") == ("application/json" if route.body else None)
    assert request.header("Authorization") == (f"Bearer {TOKEN}" if route.needs_token else None)
    assert request.header("X-Client-Address") == "127.0.0.1"


@each(ROUTES)
def test_auth_is_told_the_request_id_and_the_client_cannot_speak_for_the_gateway(gateway, route):
    own = [("X-Request-Id", "an-id.7"), ("X-Client-Address", "1.2.3.4"), ("X-Service-Key", "k"),
           ("X-Auth-User", "root"), ("X-Auth-User-Id", "1"), ("Cookie", "a=b")]
    reply = gateway.ask(route, headers=[*(BEARER if route.needs_token else []), *own])
    assert reply.headers["X-Request-Id"] == "an-id.7"
    request = gateway.only_request()
    assert request.header("X-Request-Id") == "an-id.7"
    assert request.header("X-Client-Address") == "127.0.0.1"
    for name in ("X-Service-Key", "X-Auth-User", "X-Auth-User-Id", "Cookie"):
        assert request.header(name) is None


@each(ROUTES)
def test_the_user_agent_is_told_where_auth_keeps_it(gateway, route):
    agent = "Mozilla/5.0 (X11; Linux x86_64) ~"
    gateway.ask(route, headers=[*(BEARER if route.needs_token else []), ("User-Agent", agent)])
    assert gateway.only_request().header("User-Agent") == (agent if route.path in TELL_AGENT else None)


@pytest.mark.parametrize("agents", [[], ["x" * 256], ["caf\u00e9"], ["a\tb"], ["a", "b"]], ids=ascii)
def test_a_user_agent_that_cannot_be_told_is_left_out(gateway, agents):
    login = ROUTES[1]
    assert_envelope(gateway.ask(login, headers=[("User-Agent", agent) for agent in agents]), 200)
    assert gateway.only_request().header("User-Agent") is None


def test_the_longest_user_agent_is_told(gateway):
    gateway.ask(ROUTES[1], headers=[("User-Agent", "x" * 255)])
    assert gateway.only_request().header("User-Agent") == "x" * 255


@pytest.mark.parametrize("query, told", [
    ("?after=7&limit=20&username=a%20b+c&is_admin=true", None), ("?limit=%zz&&=&x", None), ("?a=b?/../", None),
    ("?", ""), ("?a=b#c", "?a=b%23c"), ("?a=caf\u00e9", "?a=caf%E9"),
], ids=ascii)
def test_the_query_of_the_list_reaches_auth(gateway, version, query, told):
    route = next(route for route in ROUTES if route.path == "/admin/users")
    told = query if told is None else told
    gateway.auth.on("/admin/users" + told, answer(200, route.auths))
    assert_envelope(gateway.ask(route, version, path="/admin/users" + query), 200)
    assert gateway.only_request().path == "/admin/users" + told


def test_a_query_beyond_measure_is_422(gateway):
    route = next(route for route in ROUTES if route.path == "/admin/users")
    for query, status in (("?" + "q" * 4095, 200), ("?" + "q" * 4096, 422), ("?" + "\u00e9" * 1366, 422)):
        gateway.auth.on("/admin/users" + query, answer(200, route.auths))
        assert_envelope(gateway.ask(route, path="/admin/users" + query), status)
    assert len(gateway.auth.requests) == 1


@each([route for route in ROUTES if route.path != "/admin/users"])
def test_other_paths_ignore_a_query(gateway, version, route):
    assert_envelope(gateway.ask(route, version, path=route.path + "?a=b&c"), route.status)
    assert gateway.only_request().path == route.inside


@each([route for route in ROUTES if route.body is None and route.method != "POST"])
def test_a_body_where_none_belongs_goes_nowhere(gateway, route):
    assert_envelope(gateway.ask(route, body=b"not json"), 200)
    assert gateway.only_request().body == b""


@each(READS)
def test_head_asks_as_get(gateway, version, route):
    reply = gateway.ask(route, version, method="HEAD")
    assert (reply.status_code, reply.content) == (200, b"")
    assert gateway.only_request().method == "GET"


# --- connections ---------------------------------------------------------------------------------------------------

@each(CHANGES)
def test_what_changes_something_goes_over_a_fresh_connection(gateway, route):
    for _ in range(2):
        gateway.ask(ROUTES[4])  # leaves a kept connection behind
        assert_envelope(gateway.ask(route), route.status)
    changes = [request.connection for request in gateway.auth.requests if request.method != "GET"]
    others = {request.connection for request in gateway.auth.requests if request.method == "GET"}
    assert len(set(changes)) == 2 and not others & set(changes)


@each(READS)
def test_what_only_reads_shares_kept_connections(gateway, route):
    for _ in range(6):
        assert_envelope(gateway.ask(route), 200)
    assert len({request.connection for request in gateway.auth.requests}) < 6


@each(CHANGES)
def test_what_changes_something_is_never_sent_twice(gateway, route):
    gateway.auth.on(route.inside, close_at_once)
    assert_envelope(gateway.ask(route), 502, AUTH_DOWN)
    assert len(gateway.auth.requests) == 1


# --- tokens --------------------------------------------------------------------------------------------------------

BAD = {"no shape": "Bearer abc", "two parts": "Bearer a.b", "too long": "Bearer " + "a" * 4100 + ".b.c",
       "bare, no shape": "abc", "wrong bytes": "Bearer a.b.c+"}


@each([route for route in WITH_TOKEN if not route.body])
def test_a_token_is_looked_at_before_auth_is_asked(gateway, version, route):
    for headers in ([], [("Authorization", "")], [("Authorization", "Bearer")]):
        reply = gateway.ask(route, version, headers=[*headers, ("X-A", "b")])
        assert_envelope(reply, 400, MISSING)
        assert reply.headers["Error-Code"] == "AUTHORIZATION_MISSING"
    for value in BAD.values():
        reply = gateway.ask(route, version, headers=[("Authorization", value)])
        assert_envelope(reply, 401, REFUSED)
        assert reply.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    reply = gateway.ask(route, version, headers=[*BEARER, *BEARER])
    assert_envelope(reply, 401, REFUSED)
    reply = gateway.ask(route, version, headers=[("Authorization", "Basic YTpi")])
    assert_envelope(reply, 401, REFUSED)
    assert reply.headers["WWW-Authenticate"] == "Bearer"
    assert gateway.auth.requests == []


@each([route for route in WITH_TOKEN if route.body])
def test_where_a_body_is_judged_first_auth_hears_of_a_bad_token_but_never_what_it_was(gateway, version, route):
    cases = [([], None), ([""], None), (["Bearer"], None), (["Basic YTpi"], "Other -")]
    cases += [([value], "Bearer -") for value in BAD.values()]
    cases += [([f"Bearer {TOKEN}"] * 2, "Bearer -")]
    for values, told in cases:
        gateway.auth.forget()
        gateway.ask(route, version, headers=[("X-A", "b"), *[("Authorization", value) for value in values]])
        assert gateway.only_request().header("Authorization") == told
        assert gateway.only_request().body == route.body


@each(WITH_TOKEN)
def test_a_token_in_any_accepted_spelling_goes_to_auth_as_bearer(gateway, route):
    for value in (TOKEN, f"bearer \t{TOKEN} ", f"BEARER {TOKEN}"):
        assert_envelope(gateway.ask(route, headers=[("Authorization", value)]), 200)
    assert {request.header("Authorization") for request in gateway.auth.requests} == {f"Bearer {TOKEN}"}


def test_logout_takes_a_body_in_place_of_a_token(gateway, version):
    logout, body = ROUTES[3], b'{"refresh_token": "r.r.r"}'
    assert_envelope(gateway.ask(logout, version, headers=[("X-A", "b")], body=body), 200, "Logged out")
    assert gateway.only_request().body == body
    assert gateway.only_request().header("Authorization") is None
    gateway.auth.forget()
    assert_envelope(gateway.ask(logout, version, body=body), 200)
    assert gateway.only_request().header("Authorization") == f"Bearer {TOKEN}"
    for value in BAD.values():
        assert_envelope(gateway.ask(logout, version, headers=[("Authorization", value)], body=body), 401, REFUSED)
    assert len(gateway.auth.requests) == 1


@pytest.mark.parametrize("route", [route for route in ROUTES[1:3]], ids=str)
def test_login_and_refresh_need_and_send_no_token(gateway, route):
    for value in (f"Bearer {TOKEN}", "Basic YTpi", "Bearer x"):
        assert_envelope(gateway.ask(route, headers=[("Authorization", value)]), 200)
    assert {request.header("Authorization") for request in gateway.auth.requests} == {None}


# --- paths and methods ---------------------------------------------------------------------------------------------

@pytest.mark.parametrize("path", [
    "/user/sessions/" + "a" * 65, "/user/sessions/a.b", "/user/sessions/%61", "/user/sessions/a/b", "/user/sessions/a%2F",
    "/user/sessions/{sid}", "/user/sessions/..", "/admin/users/1/session", "/admin/users/1/sessions/2",
    "/admin/users//sessions", "/admin/users/1%20", "/admin/users/+1", "/admin//users", "/admin", "/auth", "/me",
    "/sessions", "/user/admin/users", "/user/verify", "/verify", "/refresh",
], ids=lambda path: path[:30])
def test_a_segment_is_letters_digits_underscores_and_hyphens(gateway, version, path):
    for method in ("GET", "DELETE"):
        assert_envelope(gateway.system.ask(version, method, path, BEARER), 404, "Not Found")
    assert gateway.auth.requests == []


ALLOW = {"/user/refresh": "POST", "/user/logout": "POST", "/user/me": "GET, HEAD", "/user/password": "PUT",
         "/user/sessions": "GET, HEAD", "/user/sessions/x": "DELETE", "/admin/users": "GET, HEAD",
         "/admin/users/7": "GET, HEAD, PATCH, DELETE", "/admin/users/7/sessions": "DELETE", "/auth/verify": "GET, HEAD"}


@pytest.mark.parametrize("path", ALLOW)
def test_allow_names_every_method_of_a_path(gateway, version, path):
    for method in ("OPTIONS", "TRACE", "BREW"):
        reply = gateway.system.ask(version, method, path, BEARER)
        assert_envelope(reply, 405, "Method Not Allowed")
        assert reply.headers["Allow"] == ALLOW[path]
    assert gateway.auth.requests == []


@pytest.mark.parametrize("path", ALLOW)
def test_one_trailing_slash_too_many_is_307(gateway, version, path):
    reply = gateway.system.ask(version, "DELETE", path + "/?a=b", BEARER)
    assert (reply.status_code, reply.headers["Location"]) == (307, path + "?a=b")


@each([route for route in ROUTES if route.body is not None] + [ROUTES[3]])
def test_a_body_must_be_json_and_small_before_auth_is_asked(gateway, route):
    headers = BEARER if route.needs_token else []
    reply = gateway.system.ask("http1", route.method, route.path, [*headers, ("Content-Type", "text/plain")], b"{}")
    assert_envelope(reply, 415)
    assert_envelope(gateway.ask(route, body=b" " * (16 * 1024 + 1)), 413)
    assert gateway.auth.requests == []


# --- what auth answers ---------------------------------------------------------------------------------------------

@each(ROUTES)
@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 429, 503])
def test_a_refusal_is_passed_on_with_its_headers(gateway, version, route, status):
    headers = [("Error-Code", "SOME_FAULT"), ("Retry-After", "17"), ("WWW-Authenticate", "Bearer"),
               ("RateLimit", '"logins";r=0;t=17'), ("RateLimit-Policy", '"logins";q=10;w=60'), ("X-Secret", "s")]
    gateway.auth.on(route.inside, answer(status, {"detail": ["No", {"why": "because"}]}, headers))
    reply = gateway.ask(route, version)
    assert assert_envelope(reply, status) == ["No", {"why": "because"}]
    for name, value in headers[:-1]:
        assert reply.headers[name] == value
    assert "X-Secret" not in reply.headers


@each(ROUTES)
def test_a_success_carries_none_of_them(gateway, route):
    gateway.auth.on(route.inside, answer(route.status, route.auths, [("RateLimit", '"a";r=1;t=1'), ("Retry-After", "1")]))
    reply = gateway.ask(route)
    assert_envelope(reply, route.status)
    assert "RateLimit" not in reply.headers and "Retry-After" not in reply.headers


@each(ROUTES)
def test_anything_else_is_502(gateway, route):
    for behaviour in (answer(500, {"detail": "x"}), answer(418, {"detail": "x"}), answer(204, b""), answer(202, route.auths),
                      answer(200, b"{}"), answer(200, b"[]"), answer(200, b'{"detail": '), answer(302, {"detail": "x"}),
                      answer(401, {"detail": "x"}, [("Error-Code", "SERVICE_KEY_REFUSED")])):
        gateway.auth.on(route.inside, behaviour)
        assert_envelope(gateway.ask(route), 502, AUTH_DOWN)


@each(ROUTES)
def test_an_auth_that_is_too_slow_is_504(gateway, route):
    gateway.auth.on(route.inside, gateway.auth.stall)
    assert_envelope(gateway.ask(route), 504, AUTH_DOWN)


@pytest.mark.parametrize("route", [route for route in ROUTES if not isinstance(route.detail, str)], ids=str)
def test_a_detail_is_passed_on_with_its_digits_and_order(gateway, route):
    text = b'{"z":1.0,"a":[null,true,12345678901234567890,"\\u00e9\\ud83d\\ude00"],"b":{}}'
    gateway.auth.on(route.inside, answer(route.status, b'{"%s": %s}' % (route.member.encode(), text)))
    reply = gateway.ask(route)
    assert_envelope(reply, route.status)
    assert json.loads(reply.content)["detail"] == json.loads(text)
    assert b'"z":1.0,"a":[null,true,12345678901234567890,' in reply.content


def test_a_page_of_a_thousand_users_fits(gateway):
    users = [{**USER, "user_id": n, "username": f"user_{n}", "email": f"user_{n}@example.org"} for n in range(1000)]
    gateway.auth.on("/admin/users", answer(200, {"detail": {"users": users, "next_after": 1000}}))
    route = next(route for route in ROUTES if route.path == "/admin/users")
    assert assert_envelope(gateway.ask(route), 200) == {"users": users, "next_after": 1000}


# --- clients that leave --------------------------------------------------------------------------------------------

@pytest.fixture
def patient(start_system, fake_upstream):
    auth = fake_upstream()
    system = start_system(services=("gateway",), AUTH_SERVICE_URL=auth.url, MESSAGE_SERVICE_URL=auth.url)
    return Gateway(system, auth)


@each(ROUTES[:4])
def test_only_a_login_is_given_up_when_its_client_leaves(patient, route):
    left = threading.Event()
    ends = []

    def watch(sock, _request):
        """What comes of the call's connection once the client has left: closed, or still waited on."""
        assert left.wait(20)
        sock.settimeout(20 if route.path == "/user/login" else 0)
        try:
            ends.append("closed" if sock.recv(1) == b"" else "more")
        except BlockingIOError:
            ends.append("open")
        return answer(route.status, route.auths)(sock, None)

    patient.auth.on(route.inside, watch)
    headers = [*(BEARER if route.needs_token else []), *(JSON if route.body else [])]
    with wire.Http2Connection(patient.system.port()) as connection:
        stream = connection.start(route.method, route.path, headers, route.body)
        patient.auth.wait_for_requests(1)
        connection.h2.reset_stream(stream)
        connection.flush()
        patient.system["gateway"].wait_for_request_log(path=route.path, status=499)
        left.set()
        wait_until(lambda: ends, 20, "the end of auth's connection")
    assert ends == ["closed" if route.path == "/user/login" else "open"]


# --- GET /auth/verify ----------------------------------------------------------------------------------------------

LONGEST_NAME = "%F0%9F%98%80" * 64


def assert_bare(reply, status):
    """An answer without a body, outside the envelope."""
    assert (reply.status_code, reply.content) == (status, b""), reply.text
    assert reply.headers["Content-Length"] == "0"
    assert reply.headers["Cache-Control"] == "no-store"
    assert "Content-Type" not in reply.headers


def verified(user="a%20b", user_id="7", role="user"):
    names = {"X-Auth-User": user, "X-Auth-User-Id": user_id, "X-Auth-Role": role}
    return answer(200, b"", [(name, value) for name, value in names.items() if value is not None])


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("name", ["a%20b", LONGEST_NAME], ids=lambda name: name[:8])
def test_verify_tells_who_it_is_in_headers(gateway, version, method, name):
    gateway.auth.on("/verify", verified(name, "9007199254740991", "admin"))
    reply = gateway.system.ask(version, method, "/auth/verify?x=y", [("Authorization", TOKEN), ("X-Auth-User", "root")])
    assert_bare(reply, 200)
    told = {key: value for key, value in reply.headers.items() if key.startswith("x-auth-")}
    assert told == {"x-auth-user": name, "x-auth-user-id": "9007199254740991", "x-auth-role": "admin"}
    request = gateway.only_request()
    assert (request.method, request.path, request.body) == ("GET", "/verify", b"")
    assert request.header("Authorization") == f"Bearer {TOKEN}"
    assert request.header("X-Client-Address") == "127.0.0.1"
    assert request.header("X-Request-Id") == reply.headers["X-Request-Id"]
    assert request.header("X-Auth-User") is None


def test_verify_refuses_a_bad_token_before_auth_is_asked(gateway, version):
    for values in ([], [""], ["Bearer"], ["Basic YTpi"]):
        reply = gateway.system.ask(version, "GET", "/auth/verify", [("Authorization", value) for value in values])
        assert_bare(reply, 401)
        assert reply.headers["WWW-Authenticate"] == "Bearer"
    for values in [*([value] for value in BAD.values()), [f"Bearer {TOKEN}"] * 2]:
        reply = gateway.system.ask(version, "GET", "/auth/verify", [("Authorization", value) for value in values])
        assert_bare(reply, 401)
        assert reply.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    assert gateway.auth.requests == []


def test_verify_passes_a_refusal_on_without_a_name(gateway, version):
    gateway.auth.on("/verify", answer(401, b"", [("WWW-Authenticate", 'Bearer error="invalid_token"'), ("X-Auth-User", "a")]))
    reply = gateway.system.ask(version, "GET", "/auth/verify", BEARER)
    assert_bare(reply, 401)
    assert reply.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    assert not [name for name in reply.headers if name.startswith("x-auth-")]


def test_verify_says_yes_to_nothing_less_than_a_whole_yes(gateway):
    for behaviour in (verified(user=None), verified(user_id=None), verified(role=None), verified(user="caf\u00e9"),
                      verified(user=LONGEST_NAME + "x"), answer(201, b"", [("X-Auth-User", "a")]), answer(204, b""),
                      answer(302, b""), answer(404, {"detail": "Not Found"}), answer(500, b""), close_at_once,
                      answer(401, {"detail": "x"}, [("Error-Code", "SERVICE_KEY_REFUSED"), ("WWW-Authenticate", "Bearer")])):
        gateway.auth.on("/verify", behaviour)
        reply = gateway.system.ask("http1", "GET", "/auth/verify", BEARER)
        assert_bare(reply, 502)
        assert reply.headers["Error-Code"] == "AUTH_UNAVAILABLE"
        assert not [name for name in reply.headers if name.startswith("x-auth-")]


def test_verify_tells_a_busy_auth_from_a_slow_one(gateway):
    gateway.auth.on("/verify", answer(503, {"detail": "x"}))
    reply = gateway.system.ask("http1", "GET", "/auth/verify", BEARER)
    assert_bare(reply, 503)
    assert int(reply.headers["Retry-After"]) >= 1
    gateway.auth.on("/verify", gateway.auth.stall)
    assert_bare(gateway.system.ask("http1", "GET", "/auth/verify", BEARER), 504)


def test_verify_shares_kept_connections(gateway):
    gateway.auth.on("/verify", verified())
    for _ in range(6):
        assert_bare(gateway.system.ask("http1", "GET", "/auth/verify", BEARER), 200)
    assert len({request.connection for request in gateway.auth.requests}) < 6
