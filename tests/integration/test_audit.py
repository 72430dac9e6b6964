"""The audit trail: who did what on whom, when, from where, as log events of their own kind with stable names."""

import secrets

import pytest

from support.system import (BEHIND_A_PROXY, CHEAP_HASHES, PASSWORD, assert_envelope, at, unique_name)

CLIENT = "203.0.113.7"
NEW = "another password, not a common one"


@pytest.fixture(scope="module")
def audited(tmp_path_factory):
    """A system behind a proxy that throttles nothing and where the second use of a refresh token is a replay."""
    from support.system import System
    made = System(tmp_path_factory.mktemp("audited"), ADMIN_SIGNUP="open", REFRESH_REPLAY_SECONDS="300", **BEHIND_A_PROXY)
    try:
        yield made
        made.close()
    finally:
        made.kill()


class Trail:
    """Requests of one client with ids of their own, and the event that each leaves."""

    def __init__(self, system):
        self.system = system
        self.api = system.api()

    def ask(self, method, path, token=None, body=None, status=200):
        """The id of a request that got this status."""
        request_id = f"audit.{secrets.token_hex(8)}"
        answer = self.api.request(method, path, token, body, headers=at(CLIENT, **{"X-Request-Id": request_id}))
        assert answer.status_code == status, answer.text
        if path in ("/user/login", "/user/refresh"):
            self.system.remember_pair(answer)
        self.detail = answer.json()["detail"]
        return request_id

    def event(self, name, request_id):
        """The one event that a request left; what all events have in common holds."""
        event = self.system.wait_for_event(name, request_id=request_id)
        assert event["kind"] == "audit" and event["service"] == "auth"
        assert event["client_address"] == CLIENT
        assert event["level"] in ("info", "warn") and event["time"]
        same = [entry for entry in self.system["auth"].logs()
                if entry.get("kind") == "audit" and entry.get("request_id") == request_id]
        assert same == [event], "one request, one event"
        return event

    def login(self, name, password=PASSWORD):
        self.login_id = self.ask("POST", "/user/login", body={"username": name, "password": password})
        return self.detail


@pytest.fixture
def trail(audited):
    return Trail(audited)


@pytest.fixture(scope="module")
def admin(audited):
    """The token and id of an administrator; another one stays behind."""
    audited.api().new_user("spare", is_admin=True)
    name = audited.api().new_user("auditor", is_admin=True)
    token = audited.api().token(name)
    return token, audited.claims(token)["uid"]


def test_signup(trail):
    name = unique_name()
    made = trail.ask("POST", "/user/signup", status=201,
                     body={"username": name, "password": PASSWORD, "email": f"{name}@example.org"})
    event = trail.event("signup", made)
    assert (event["subject"], event["subject_id"]) == (name, trail.api.user_id(name))


def test_login_and_login_failed(trail):
    name = trail.api.new_user()
    tokens = trail.login(name)
    claims = trail.system.claims(tokens["access_token"])
    event = trail.event("login", trail.login_id)
    assert (event["subject_id"], event["sid"]) == (claims["uid"], claims["sid"])
    failed = trail.ask("POST", "/user/login", body={"username": name, "password": "wrong-" + PASSWORD}, status=401)
    event = trail.event("login_failed", failed)
    assert event["subject_id"] == claims["uid"] and "sid" not in event


def test_a_name_that_nobody_has_is_not_logged_because_it_may_be_a_password(trail):
    typed = "my-very-own-" + secrets.token_hex(8)
    trail.system.remember_secret(typed)
    failed = trail.ask("POST", "/user/login", body={"username": typed, "password": PASSWORD}, status=401)
    event = trail.event("login_failed", failed)
    assert "subject" not in event and "subject_id" not in event


def test_refresh_replay_and_theft(trail):
    first = trail.login(trail.api.new_user())
    claims = trail.system.claims(first["access_token"])
    spend = {"refresh_token": first["refresh_token"]}
    event = trail.event("refresh", trail.ask("POST", "/user/refresh", body=spend))
    assert (event["sid"], event["actor_id"]) == (claims["sid"], claims["uid"])
    second = trail.detail
    for _ in range(2):
        event = trail.event("refresh_replay", trail.ask("POST", "/user/refresh", body=spend))
        assert event["sid"] == claims["sid"]
    assert len(trail.system.events("refresh_replay", sid=claims["sid"])) == 2
    trail.ask("POST", "/user/refresh", body={"refresh_token": second["refresh_token"]})
    event = trail.event("refresh_theft", trail.ask("POST", "/user/refresh", body=spend, status=401))
    assert (event["sid"], event["level"]) == (claims["sid"], "warn")
    assert claims["uid"] in (event.get("subject_id"), event.get("actor_id"))


def test_logout_by_either_token(trail):
    name = trail.api.new_user()
    for kind in ("access_token", "refresh_token"):
        tokens = trail.login(name)
        claims = trail.system.claims(tokens[kind])
        if kind == "access_token":
            made = trail.ask("POST", "/user/logout", tokens[kind])
        else:
            made = trail.ask("POST", "/user/logout", body={kind: tokens[kind]})
        event = trail.event("logout", made)
        assert (event["actor_id"], event["sid"]) == (claims["uid"], claims["sid"])


def test_a_session_ended_from_another(trail):
    name = trail.api.new_user()
    here, there = trail.login(name), trail.login(name)
    sid = trail.system.claims(there["access_token"])["sid"]
    event = trail.event("session_ended", trail.ask("DELETE", f"/user/sessions/{sid}", here["access_token"]))
    assert event["sid"] == sid and event["actor_id"] == trail.system.claims(here["access_token"])["uid"]


def test_password_changed_and_refused(trail):
    name = trail.api.new_user()
    tokens, _ = trail.login(name), trail.login(name)
    number = trail.system.claims(tokens["access_token"])["uid"]
    trail.system.remember_secret(NEW)
    refused = trail.ask("PUT", "/user/password", tokens["access_token"],
                        {"current_password": "wrong-" + PASSWORD, "new_password": NEW}, 403)
    assert trail.event("password_refused", refused)["actor_id"] == number
    changed = trail.ask("PUT", "/user/password", tokens["access_token"],
                        {"current_password": PASSWORD, "new_password": NEW})
    event = trail.event("password_changed", changed)
    assert (event["actor_id"], event["ended_sessions"]) == (number, 1)


def test_user_changed_says_what_by_whom_and_on_whom(trail, admin):
    token, by = admin
    name = trail.api.new_user()
    trail.login(name)
    number = trail.api.user_id(name)
    event = trail.event("user_changed", trail.ask("PATCH", f"/admin/users/{number}", token, {"is_admin": True}))
    assert (event["actor_id"], event["subject_id"], event["subject"]) == (by, number, name)
    assert "is_admin=true" in event["change"]
    event = trail.event("user_changed", trail.ask("PATCH", f"/admin/users/{number}", token,
                                                  {"is_admin": False, "is_active": False}))
    assert "is_admin=false" in event["change"] and "is_active=false" in event["change"]
    assert event["ended_sessions"] == 2


def test_sessions_ended_and_user_deleted(trail, admin):
    token, by = admin
    name = trail.api.new_user()
    trail.login(name)
    number = trail.api.user_id(name)
    event = trail.event("sessions_ended", trail.ask("DELETE", f"/admin/users/{number}/sessions", token))
    assert (event["actor_id"], event["subject_id"], event["ended_sessions"]) == (by, number, 2)
    event = trail.event("user_deleted", trail.ask("DELETE", f"/admin/users/{number}", token))
    assert (event["actor_id"], event["subject_id"], event["subject"]) == (by, number, name)


def test_admin_refused(trail):
    tokens = trail.login(trail.api.new_user())
    event = trail.event("admin_refused", trail.ask("GET", "/admin/users", tokens["access_token"], status=403))
    assert event["actor_id"] == trail.system.claims(tokens["access_token"])["uid"]


def test_throttled(start_system):
    system = start_system(THROTTLE="on", THROTTLE_LOGIN_FREE="2", THROTTLE_SIGNUP_FREE="2", **BEHIND_A_PROXY, **CHEAP_HASHES)
    trail = Trail(system)
    name = unique_name()
    for _ in range(2):
        trail.ask("POST", "/user/login", body={"username": name, "password": "wrong-" + PASSWORD}, status=401)
    held = trail.ask("POST", "/user/login", body={"username": name, "password": "wrong-" + PASSWORD}, status=429)
    event = trail.event("throttled", held)
    assert event["level"] == "warn" and event["change"]
    for _ in range(2):
        name = unique_name()
        trail.ask("POST", "/user/signup", body={"username": name, "password": PASSWORD, "email": f"{name}@e"}, status=201)
    held = trail.ask("POST", "/user/signup", body={"username": "x", "password": PASSWORD, "email": "x@e"}, status=429)
    assert trail.event("throttled", held)["change"] != event["change"]


def test_what_was_not_done_leaves_no_event(trail, admin):
    """A request that was refused before anything was decided, or that changed nothing, is no event of its kind."""
    token, _ = admin
    for made in (trail.ask("POST", "/user/login", body={"username": "x"}, status=422),
                 trail.ask("POST", "/user/logout", "a.b.c", status=401),
                 trail.ask("DELETE", "/admin/users/1000000000", token, status=404),
                 trail.ask("GET", "/admin/users", token)):
        trail.system["auth"].wait_for_request_log(request_id=made) if made else None
        events = [entry for entry in trail.system["auth"].logs()
                  if entry.get("kind") == "audit" and entry.get("request_id") == made]
        assert events == []


def test_a_theft_is_told_even_where_the_log_tells_no_more_than_warnings(start_system):
    system = start_system(LOG_LEVEL="warn")
    api = system.api()
    tokens = api.tokens(api.new_user())
    second = api.refreshed(tokens["refresh_token"])
    api.refreshed(second["refresh_token"])
    assert_envelope(api.refresh(tokens["refresh_token"]), 401)
    system.wait_for_event("refresh_theft", sid=system.claims(tokens["access_token"])["sid"])


def test_every_event_is_listed_in_the_docs():
    from support.process import ROOT
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    docs = readme + "".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs").rglob("*.md"))
    for name in ("signup", "login", "login_failed", "refresh", "refresh_replay", "refresh_theft", "logout",
                 "password_changed", "user_changed", "user_deleted", "throttled"):
        assert f"`{name}`" in docs, name
