"""Sessions: what a login opens, who may see and end it, and how long it lives."""

import base64
import json
import re
import threading
import time

import pytest

from support.clock import Clock
from support.sentences import LIMITED, MISSING, REFUSED
from support.system import BEHIND_A_PROXY, CHEAP_HASHES, PASSWORD, TIME, assert_envelope, at, pairs

KEYS = ["sid", "created_at", "refreshed_at", "ends_at", "client_address", "user_agent", "current"]
DAY_S = 24 * 3600


def login_as(api, name, agent):
    answer = api.login(name, headers={"User-Agent": agent})
    return assert_envelope(answer, 200)


# --- one's own ---------------------------------------------------------------------------------------------------

def test_a_login_opens_a_session_with_times_address_and_agent(api):
    name = api.new_user()
    tokens = login_as(api, name, "browser/1.0 (of a test)")
    answer = api.request("GET", "/user/sessions", tokens["access_token"])
    detail = assert_envelope(answer, 200)
    entry, = detail["sessions"]
    (_, (listed,)), = dict(pairs(answer.text))["detail"]
    assert [key for key, _ in listed] == KEYS
    assert entry["sid"] == api.system.claims(tokens["access_token"])["sid"]
    assert (entry["client_address"], entry["user_agent"]) == ("127.0.0.1", "browser/1.0 (of a test)")
    assert entry["current"] is True
    assert all(TIME.match(entry[key]) for key in ("created_at", "refreshed_at", "ends_at")), entry
    assert entry["created_at"] == entry["refreshed_at"] < entry["ends_at"]


def test_session_ids_are_128_random_bits(api):
    name = api.new_user()
    ids = [api.system.claims(api.token(name))["sid"] for _ in range(8)]
    assert len(set(ids)) == 8
    for sid in ids:
        assert re.match(r"^[A-Za-z0-9_-]{22}$", sid)
        assert len(base64.urlsafe_b64decode(sid + "==")) == 16
    assert len({sid[:4] for sid in ids}) == 8 and len({sid[-4:] for sid in ids}) == 8


def test_the_list_is_of_ones_own_oldest_first_and_marks_the_current_one(api):
    name = api.new_user()
    api.token(api.new_user())
    tokens = [login_as(api, name, f"agent-{number}")["access_token"] for number in range(4)]
    listed = api.sessions(tokens[2])
    assert [entry["user_agent"] for entry in listed] == [f"agent-{number}" for number in range(4)]
    assert [entry["sid"] for entry in listed] == [api.system.claims(token)["sid"] for token in tokens]
    assert [entry["current"] for entry in listed] == [False, False, True, False]


def test_a_refresh_shows_in_the_list(api):
    tokens = api.tokens(api.new_user())
    before, = api.sessions(tokens["access_token"])
    second = api.refreshed(tokens["refresh_token"])
    after, = api.sessions(second["access_token"])
    assert after.pop("refreshed_at") > before.pop("refreshed_at")
    assert after == before


@pytest.mark.parametrize("agent, kept", [
    ("x" * 255, "x" * 255), ("quote\" and \\ and {}", "quote\" and \\ and {}"), ("<script>", "<script>"),
])
def test_the_user_agent_is_kept_as_it_was_sent(api, agent, kept):
    tokens = login_as(api, api.new_user(), agent)
    assert api.sessions(tokens["access_token"])[0]["user_agent"] == kept


@pytest.mark.parametrize("agent", [b"", b"\xff\xfe\x80", b"tab\there", b"a" * 3000], ids=["empty", "bytes", "tab", "long"])
def test_an_odd_user_agent_harms_nothing(system, version, agent):
    api = system.api()
    name = api.new_user()
    body = json.dumps({"username": name, "password": PASSWORD}).encode()
    answer = system.ask(version, "POST", "/user/login", [("Content-Type", "application/json"), (b"User-Agent", agent)], body)
    system.remember_pair(answer)
    entry, = api.sessions(assert_envelope(answer, 200)["access_token"])
    assert entry["user_agent"] is None or len(entry["user_agent"].encode()) <= 255


def test_messages_write_nothing(start_system):
    system = start_system()
    api = system.api()
    token = api.token(api.new_user())
    data = system.folder / "data" / "data.mdb"
    api.message(token)
    before = data.stat().st_mtime_ns, data.read_bytes()
    for _ in range(50):
        assert_envelope(api.message(token), 200, LIMITED)
    api.sessions(token)
    assert (data.stat().st_mtime_ns, data.read_bytes()) == before


# --- ended from the list -------------------------------------------------------------------------------------------

def test_a_session_is_ended_from_another(api):
    name = api.new_user()
    here, there = api.tokens(name), api.tokens(name)
    sid = api.system.claims(there["access_token"])["sid"]
    assert_envelope(api.end_session(here["access_token"], sid), 200, "Session ended")
    assert_envelope(api.message(there["access_token"]), 401, REFUSED)
    assert_envelope(api.refresh(there["refresh_token"]), 401, REFUSED)
    assert_envelope(api.message(here["access_token"]), 200, LIMITED)
    assert [entry["current"] for entry in api.sessions(here["access_token"])] == [True]


def test_the_current_session_can_be_ended_too(api):
    token = api.token(api.new_user())
    assert_envelope(api.end_session(token, api.system.claims(token)["sid"]), 200, "Session ended")
    assert_envelope(api.message(token), 401, REFUSED)


def test_anothers_session_is_404_and_lives_on(api):
    mine, theirs = api.token(api.new_user()), api.token(api.new_user())
    assert_envelope(api.end_session(mine, api.system.claims(theirs)["sid"]), 404)
    assert_envelope(api.message(theirs), 200, LIMITED)


def test_an_administrator_ends_anothers_session_by_this_path_no_more_than_others(api):
    _, admin = api.new_admin()
    theirs = api.token(api.new_user())
    assert_envelope(api.end_session(admin, api.system.claims(theirs)["sid"]), 404)
    assert_envelope(api.message(theirs), 200, LIMITED)


def test_what_was_ended_what_never_was_and_what_is_anothers_are_one_answer(api):
    name = api.new_user()
    mine, ended = api.token(name), api.token(name)
    ended_sid = api.system.claims(ended)["sid"]
    assert_envelope(api.end_session(mine, ended_sid), 200)
    theirs = api.system.claims(api.token(api.new_user()))["sid"]
    answers = [api.end_session(mine, sid) for sid in (ended_sid, "A" * 22, theirs)]
    details = {str(assert_envelope(answer, 404)) for answer in answers}
    assert len(details) == 1
    assert len({answer.headers["Error-Code"] for answer in answers}) == 1


@pytest.mark.parametrize("sid", ["x", "A" * 21, "A" * 23, "A" * 100, "A" * 21 + "!", "1", "null", "A" * 2000], ids=lambda s: s[:8])
def test_what_is_no_session_id_is_404(api, sid):
    assert_envelope(api.end_session(api.token(api.new_user()), sid), 404)


@pytest.mark.parametrize("method, path", [("GET", "/user/sessions"), ("DELETE", "/user/sessions/" + "A" * 22)])
def test_sessions_need_a_token(api, method, path):
    assert_envelope(api.request(method, path), 400, MISSING)
    assert_envelope(api.request(method, path, "a.b.c"), 401, REFUSED)


def test_methods_that_sessions_do_not_know_are_405(api):
    assert_envelope(api.request("DELETE", "/user/sessions"), 405)
    answer = api.request("GET", "/user/sessions/" + "A" * 22)
    assert_envelope(answer, 405)
    assert answer.headers["Allow"] == "DELETE"


# --- not without bound ---------------------------------------------------------------------------------------------

def test_a_login_beyond_the_number_that_a_user_may_have_ends_the_oldest(start_system):
    system = start_system(SESSIONS_PER_USER_MAX="3")
    api = system.api()
    name, other = api.new_user(), api.new_user()
    others = api.token(other)
    tokens = [api.token(name) for _ in range(5)]
    for token in tokens[:2]:
        assert_envelope(api.message(token), 401, REFUSED)
    for token in (*tokens[2:], others):
        assert_envelope(api.message(token), 200, LIMITED)
    assert [entry["sid"] for entry in api.sessions(tokens[4])] == [system.claims(token)["sid"] for token in tokens[2:]]


# --- how long they live --------------------------------------------------------------------------------------------

@pytest.fixture
def clocked(start_system, tmp_path):
    """clocked(NAME=value ...): a system, and the clock of its auth."""
    def start(**settings):
        clock = Clock(tmp_path)
        system = start_system(**settings)
        system.restart("auth", **clock.settings)
        return system, clock
    return start


def advance(system, clock, seconds):
    """Kept connections may be closed by the leap: the next request finds everything ready."""
    clock.advance(seconds)
    system.wait_ready("auth")
    system.wait_ready()


def long_lived(system, token):
    """The same access token with a year to live: what refuses it is the session's end, not its own."""
    return system.sign({**system.claims(token), "exp": int(time.time()) + 365 * DAY_S})


def test_a_session_that_is_not_refreshed_ends_after_its_idle_time(clocked):
    system, clock = clocked(SESSION_IDLE_MINUTES="60")
    api = system.api()
    name = api.new_user()
    tokens = api.tokens(name)
    token = long_lived(system, tokens["access_token"])
    for _ in range(5):
        advance(system, clock, 11 * 60)
        assert_envelope(api.message(token), 200, LIMITED)
    advance(system, clock, 4 * 60)
    assert_envelope(api.message(token), 200, LIMITED)
    advance(system, clock, 61)
    assert_envelope(api.message(token), 401, REFUSED)
    assert_envelope(api.refresh(tokens["refresh_token"]), 401, REFUSED)
    assert [entry["current"] for entry in api.sessions(long_lived(system, api.token(name)))] == [True]


def test_idle_counts_from_the_last_refresh(clocked):
    system, clock = clocked(SESSION_IDLE_MINUTES="60")
    api = system.api()
    tokens = api.tokens(api.new_user())
    for _ in range(4):
        advance(system, clock, 50 * 60)
        tokens = api.refreshed(tokens["refresh_token"])
        assert_envelope(api.message(tokens["access_token"]), 200, LIMITED)
    advance(system, clock, 61 * 60)
    assert_envelope(api.message(long_lived(system, tokens["access_token"])), 401, REFUSED)
    assert_envelope(api.refresh(tokens["refresh_token"]), 401, REFUSED)


def test_a_replay_is_no_refresh_for_the_idle_time(clocked):
    system, clock = clocked(SESSION_IDLE_MINUTES="2", REFRESH_REPLAY_SECONDS="300")
    api = system.api()
    first = api.tokens(api.new_user())
    second = api.refreshed(first["refresh_token"])
    advance(system, clock, 60)
    assert api.refreshed(first["refresh_token"])["access_token"] == second["access_token"]
    advance(system, clock, 65)
    assert_envelope(api.message(second["access_token"]), 401, REFUSED)
    assert_envelope(api.refresh(second["refresh_token"]), 401, REFUSED)


def test_a_session_ends_after_its_absolute_time_however_often_it_is_refreshed(clocked):
    system, clock = clocked(SESSION_EXPIRE_DAYS="2", REFRESH_TOKEN_EXPIRE_DAYS="7")
    api = system.api()
    tokens = api.tokens(api.new_user())
    ends_at = api.sessions(tokens["access_token"])[0]["ends_at"]
    for _ in range(3):
        advance(system, clock, 15 * 3600)
        tokens = api.refreshed(tokens["refresh_token"])
        assert api.sessions(tokens["access_token"])[0]["ends_at"] == ends_at
    advance(system, clock, 3 * 3600 - 60)
    token = long_lived(system, tokens["access_token"])
    assert_envelope(api.message(token), 200, LIMITED)
    advance(system, clock, 61)
    assert_envelope(api.message(token), 401, REFUSED)
    assert_envelope(api.refresh(tokens["refresh_token"]), 401, REFUSED)


def test_a_refresh_token_ends_with_its_own_time(clocked):
    system, clock = clocked(REFRESH_TOKEN_EXPIRE_DAYS="1", SESSION_IDLE_MINUTES="10080")
    api = system.api()
    tokens = api.tokens(api.new_user())
    advance(system, clock, DAY_S + 1)
    assert_envelope(api.refresh(tokens["refresh_token"]), 401, REFUSED)


def test_the_replay_window_is_ten_seconds_where_nothing_else_is_set(clocked):
    system, clock = clocked()
    api = system.api()
    early, late = (api.tokens(api.new_user()) for _ in range(2))
    second = api.refreshed(early["refresh_token"])
    advance(system, clock, 8)
    assert api.refreshed(early["refresh_token"])["refresh_token"] == second["refresh_token"]
    api.refreshed(late["refresh_token"])
    advance(system, clock, 11)
    assert_envelope(api.refresh(late["refresh_token"]), 401, REFUSED)
    assert_envelope(api.message(late["access_token"]), 401, REFUSED)


# --- the store does not grow ---------------------------------------------------------------------------------------

COME_AND_GO = 3000
CLIENTS = 8
SLACK_BYTES = 256 * 1024  # of 3,000 sessions that stayed there would be over a megabyte
ROUNDS = 2
MANY = "10000"  # sessions of a user: more than all rounds open, so that this limit is not what keeps the store small


def by_many(api, name, count, live):
    """Logs in so often, by several clients at once, and does with each session what `live` does."""
    faults = []

    def work():
        own = type(api)(api.system)
        try:
            for number in range(count // CLIENTS):
                live(own, own.tokens(name), number)
        except AssertionError as fault:
            faults.append(fault)
        finally:
            own.close()

    threads = [threading.Thread(target=work) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults, faults[:3]


def come_and_go(api, name, count):
    """So many sessions that are opened, refreshed now and then, and logged out."""
    def live(own, tokens, number):
        if number % 10 == 0:
            tokens = own.refreshed(tokens["refresh_token"])
        assert own.logout(tokens["access_token"]).status_code == 200
    by_many(api, name, count, live)


def assert_stops_growing(system, again):
    """A reader that the machine holds up keeps pages from being used again, so a single round may add some, once;
    what stays in the store adds to it in every round."""
    sizes = [system.store_bytes()]
    for _ in range(ROUNDS):
        again()
        sizes.append(system.store_bytes())
        if sizes[-1] <= sizes[-2] + SLACK_BYTES:
            return
    raise AssertionError(f"grows with every round: {sizes}")


def test_sessions_that_come_and_go_do_not_grow_the_store(start_system):
    system = start_system(**CHEAP_HASHES, LOG_LEVEL="warn", SESSIONS_PER_USER_MAX=MANY)
    api = system.api()
    name = api.new_user()
    come_and_go(api, name, COME_AND_GO)
    assert_stops_growing(system, lambda: come_and_go(api, name, COME_AND_GO))


def test_sessions_that_expire_do_not_grow_the_store(clocked):
    system, clock = clocked(**CHEAP_HASHES, SESSIONS_PER_USER_MAX=MANY, SESSION_IDLE_MINUTES="60", LOG_LEVEL="warn")
    api = system.api()
    name = api.new_user()

    def expire():
        """The store is swept as it is opened (and then once a minute)."""
        by_many(api, name, COME_AND_GO // 3, lambda own, tokens, number: None)
        clock.advance(61 * 60)
        system.restart("auth", **clock.settings)

    def thrice():
        for _ in range(3):
            expire()

    thrice()
    assert_stops_growing(system, thrice)
    assert len(api.sessions(api.token(name))) == 1


def test_addresses_in_the_list_are_the_clients(start_system):
    system = start_system(**BEHIND_A_PROXY)
    api = system.api()
    name = api.new_user()
    for address in ("203.0.113.7", "2001:db8::7"):
        api.login(name, headers=at(address))
    listed = api.sessions(api.token(name))
    assert [entry["client_address"] for entry in listed[:2]] == ["203.0.113.7", "2001:db8::7"]
