"""Throttling that cannot be turned against the victim: decided before a hash is spent, and by network."""

import itertools
import json
import re
import time

import pytest

from support import wire
from support.clock import Clock
from support.concurrent import all_at_once
from support.process import wait_until
from support.sentences import TOO_MANY
from support.system import BEHIND_A_PROXY, CHEAP_HASHES, PASSWORD, assert_envelope, at, unique_name

WRONG = "wrong-" + PASSWORD
ITEM = r'"[a-z-]+"((?:;[a-z]+=\d+)+)'
_hosts = itertools.count(1)


def elsewhere():
    """An address in a network that no test has used."""
    number = next(_hosts)
    return f"198.18.{number // 250}.{number % 250 + 1}"


def wrong(api, name, address, password=WRONG):
    return api.login(name, password, headers=at(address))


def failures(api, name, address, count):
    """So many failed logins, none of which is held up."""
    for _ in range(count):
        assert_envelope(wrong(api, name, address), 401, "Incorrect username or password")


def assert_held_up(answer):
    """429 with all its headers; the seconds to wait."""
    assert_envelope(answer, 429, TOO_MANY)
    wait_s = int(answer.headers["Retry-After"])
    assert wait_s >= 1
    return wait_s


def parameters(value):
    """The parameters of a structured field that is a list of one string."""
    match = re.fullmatch(ITEM, value)
    assert match, value
    return {key: int(number) for key, number in re.findall(r";([a-z]+)=(\d+)", match.group(1))}


@pytest.fixture
def throttled(start_system):
    """throttled(LOGIN_FREE=3, ...): a system whose numbers are small where named and out of the way elsewhere."""
    def start(**numbers):
        settings = {"LOGIN_FREE": 1000, "NETWORK_FREE": 1000, "NAME_FREE": 1000, "SIGNUP_FREE": 1000, **numbers}
        return start_system(THROTTLE="on", **BEHIND_A_PROXY, **CHEAP_HASHES,
                            **{f"THROTTLE_{name}": str(value) for name, value in settings.items()})
    return start


@pytest.fixture
def clocked(throttled, tmp_path):
    """The same, and the clock of its auth."""
    def start(**numbers):
        clock = Clock(tmp_path)
        system = throttled(**numbers)
        system.restart("auth", **clock.settings)
        return system, clock
    return start


def advance(system, clock, seconds):
    clock.advance(seconds)
    system.wait_ready("auth")
    system.wait_ready()


def grow_wait(system, clock, attempt, doublings):
    """Makes attempts that count until one has to wait for 2^doublings seconds, and leaves that running."""
    while (answer := attempt()).status_code != 429:
        pass
    for _ in range(doublings):
        advance(system, clock, assert_held_up(answer))
        assert attempt().status_code in (201, 401)
        answer = attempt()
    assert assert_held_up(answer) >= 2**doublings - 2


# --- by name and network ---------------------------------------------------------------------------------------------

def test_failures_with_one_name_from_one_network_are_held_up(throttled):
    system = throttled(LOGIN_FREE=3)
    api = system.api()
    name, here, there = api.new_user(), elsewhere(), elsewhere()
    failures(api, name, here, 3)
    assert_held_up(wrong(api, name, here))
    assert_held_up(api.login(name, headers=at(here)))
    assert_envelope(wrong(api, name, there), 401)
    assert_envelope(wrong(api, unique_name(), here), 401)
    assert_envelope(api.login(name, headers=at(there)), 200)


def test_waits_grow_and_are_as_long_as_they_say(clocked):
    system, clock = clocked(LOGIN_FREE=2, LOGIN_FORGET_SECONDS=86400)
    api = system.api()
    name, here = api.new_user(), elsewhere()
    failures(api, name, here, 2)
    waits = []
    for _ in range(6):
        wait_s = assert_held_up(wrong(api, name, here))
        waits.append(wait_s)
        if wait_s > 2:
            advance(system, clock, wait_s - 2)
            assert 1 <= assert_held_up(wrong(api, name, here)) <= 2
        advance(system, clock, min(wait_s, 2))
        assert_envelope(wrong(api, name, here), 401)
    assert waits == [1, 2, 4, 8, 16, 32]


def test_the_wait_is_over_by_itself(throttled):
    system = throttled(LOGIN_FREE=2)
    api = system.api()
    name, here = api.new_user(), elsewhere()
    failures(api, name, here, 2)
    begun = time.monotonic()
    assert_held_up(wrong(api, name, here))
    wait_until(lambda: api.login(name, headers=at(here)).status_code == 200, 5, "the wait to be over")
    assert time.monotonic() - begun > 0.5


def test_no_wait_is_longer_than_the_longest(clocked):
    system, clock = clocked(LOGIN_FREE=1, WAIT_MAX_SECONDS=5, LOGIN_FORGET_SECONDS=86400)
    api = system.api()
    name, here = api.new_user(), elsewhere()
    failures(api, name, here, 1)
    for _ in range(8):
        wait_s = assert_held_up(wrong(api, name, here))
        assert wait_s <= 5
        advance(system, clock, wait_s)
        assert_envelope(wrong(api, name, here), 401)
    assert assert_held_up(wrong(api, name, here)) == 5


def test_what_is_held_up_does_not_count(clocked):
    """Whoever keeps knocking does not wait any longer for it."""
    system, clock = clocked(LOGIN_FREE=2, LOGIN_FORGET_SECONDS=86400)
    api = system.api()
    name, here = api.new_user(), elsewhere()
    failures(api, name, here, 2)
    grow_wait(system, clock, lambda: wrong(api, name, here), 6)
    for _ in range(50):
        wait_s = assert_held_up(wrong(api, name, here))
        assert assert_held_up(api.login(name, headers=at(here))) <= wait_s <= 64
    advance(system, clock, 64)
    assert_envelope(api.login(name, headers=at(here)), 200)


def test_a_right_password_forgets_what_failed_before(throttled):
    system = throttled(LOGIN_FREE=3)
    api = system.api()
    name, here = api.new_user(), elsewhere()
    for _ in range(4):
        failures(api, name, here, 2)
        assert_envelope(api.login(name, headers=at(here)), 200)


def test_failures_are_forgotten_in_time(clocked):
    system, clock = clocked(LOGIN_FREE=3, LOGIN_FORGET_SECONDS=60)
    api = system.api()
    name, here = api.new_user(), elsewhere()
    failures(api, name, here, 3)
    assert_held_up(wrong(api, name, here))
    advance(system, clock, 3 * 60 + 1)
    failures(api, name, here, 3)
    assert_held_up(wrong(api, name, here))


def test_a_name_counts_without_regard_to_ascii_case(throttled):
    system = throttled(LOGIN_FREE=4)
    api = system.api()
    name, here = api.new_user("Mixed"), elsewhere()
    for spelling in (name, name.upper(), name.lower(), name.swapcase()):
        failures(api, spelling, here, 1)
    assert_held_up(wrong(api, name, here))


def trace(api, name, address, count):
    """Everything a client can see of so many failed logins, but what names the moment."""
    seen = []
    for _ in range(count):
        answer = wrong(api, name, address)
        headers = {key: value for key, value in answer.headers.items()
                   if key not in ("date", "x-request-id", "ratelimit", "retry-after")}
        limit = parameters(answer.headers["RateLimit"])["r"] if "RateLimit" in answer.headers else None
        body = answer.json()
        del body["date_time"]
        seen.append((answer.status_code, headers, limit, body))
    return seen


def test_whether_the_name_exists_makes_no_difference(throttled):
    system = throttled(LOGIN_FREE=3, NAME_FREE=5)
    api = system.api()
    known, deactivated = api.new_user(), api.new_user()
    system.user("deactivate", deactivated)
    unknown = unique_name("user")
    traces = {}
    for name in (known, unknown, deactivated):
        from_one = trace(api, name, elsewhere(), 5)
        from_many = [step for _ in range(4) for step in trace(api, name, elsewhere(), 1)]
        traces[name] = from_one + from_many
    assert [step[0] for step in traces[known]] == [401, 401, 401, 429, 429, 401, 401, 429, 429]
    assert traces[unknown] == traces[known] == traces[deactivated]


@pytest.mark.parametrize("name", ["", "x" * 5000, "a:b", "\u202e", "line\nbreak", "\U0001f600" * 100], ids=lambda n: ascii(n)[:12])
def test_names_that_nobody_can_have_are_held_up_like_others(throttled, name):
    system = throttled(LOGIN_FREE=2)
    api = system.api()
    here = elsewhere()
    failures(api, name, here, 2)
    assert_held_up(wrong(api, name, here))


# --- by network --------------------------------------------------------------------------------------------------------

def test_failures_from_one_network_are_held_up_whatever_the_names(throttled):
    system = throttled(NETWORK_FREE=6)
    api = system.api()
    name, here, there = api.new_user(), elsewhere(), elsewhere()
    for _ in range(6):
        failures(api, unique_name(), here, 1)
    assert_held_up(wrong(api, unique_name(), here))
    assert_held_up(api.login(name, headers=at(here)))
    assert_envelope(api.login(name, headers=at(there)), 200)


def test_logins_of_ones_own_do_not_clear_the_way_for_guessing_at_others(throttled):
    system = throttled(NETWORK_FREE=6)
    api = system.api()
    own, here = api.new_user(), elsewhere()
    for _ in range(3):
        failures(api, unique_name(), here, 1)
        assert_envelope(api.login(own, headers=at(here)), 200)
        failures(api, unique_name(), here, 1)
    assert_held_up(wrong(api, unique_name(), here))


def test_a_network_is_one_ipv4_address(throttled):
    system = throttled(NETWORK_FREE=2)
    api = system.api()
    for _ in range(2):
        failures(api, unique_name(), "192.0.2.1", 1)
    assert_held_up(wrong(api, unique_name(), "192.0.2.1"))
    assert_held_up(wrong(api, unique_name(), "::ffff:192.0.2.1"))
    assert_envelope(wrong(api, unique_name(), "192.0.2.2"), 401)


def test_a_network_is_one_64_of_ipv6(throttled):
    system = throttled(NETWORK_FREE=3)
    api = system.api()
    for host in ("::1", ":1:2:3:4", ":ffff:ffff:ffff:ffff"):
        failures(api, unique_name(), f"2001:db8:0:1{host}", 1)
    assert_held_up(wrong(api, unique_name(), "2001:db8:0:1::abcd"))
    assert_envelope(wrong(api, unique_name(), "2001:db8:0:2::1"), 401)


# --- by name over all networks -------------------------------------------------------------------------------------------

def test_failures_with_one_name_from_everywhere_are_held_up_everywhere_else(throttled):
    system = throttled(NAME_FREE=5)
    api = system.api()
    name = api.new_user()
    for _ in range(5):
        failures(api, name, elsewhere(), 1)
    assert_held_up(wrong(api, name, elsewhere()))
    assert_held_up(api.login(name, headers=at(elsewhere())))
    assert_envelope(wrong(api, unique_name(), elsewhere()), 401)


def test_the_owners_own_network_is_never_locked_out_by_failures_from_elsewhere(throttled):
    system = throttled(LOGIN_FREE=3, NAME_FREE=5)
    api = system.api()
    name, home = api.new_user(), elsewhere()
    assert_envelope(api.login(name, headers=at(home)), 200)
    for _ in range(5):
        failures(api, name, elsewhere(), 1)
    for _ in range(3):
        assert_held_up(wrong(api, name, elsewhere()))
        assert_envelope(api.login(name, headers=at(home)), 200)
    # A slip of the finger at home is no worse than it ever was: three of them, and no fewer.
    failures(api, name, home, 2)
    assert_envelope(api.login(name, headers=at(home)), 200)


def test_the_owners_network_is_a_64_of_ipv6_too(throttled):
    system = throttled(NAME_FREE=3)
    api = system.api()
    name = api.new_user()
    assert_envelope(api.login(name, headers=at("2001:db8:cafe:1::1")), 200)
    for _ in range(3):
        failures(api, name, elsewhere(), 1)
    assert_held_up(wrong(api, name, "2001:db8:cafe:2::1"))
    assert_envelope(api.login(name, headers=at("2001:db8:cafe:1:a:b:c:d")), 200)


def test_the_owners_network_is_remembered_over_logout_deactivation_of_sessions_and_a_kill(throttled):
    system = throttled(NAME_FREE=3)
    api = system.api()
    name, home = api.new_user(), elsewhere()
    detail = assert_envelope(api.login(name, headers=at(home)), 200)
    assert_envelope(api.logout(detail["access_token"]), 200)
    system.restart("auth", "kill")
    for _ in range(3):
        failures(api, name, elsewhere(), 1)
    assert_held_up(wrong(api, name, elsewhere()))
    assert_envelope(api.login(name, headers=at(home)), 200)


def test_failures_at_home_do_not_hold_up_others_who_fail_elsewhere(throttled):
    """Home is exempt from that count: it does not add to it either."""
    system = throttled(NAME_FREE=3)
    api = system.api()
    name, home = api.new_user(), elsewhere()
    assert_envelope(api.login(name, headers=at(home)), 200)
    failures(api, name, home, 10)
    assert_envelope(wrong(api, name, elsewhere()), 401)


@pytest.mark.parametrize("where", ["at home", "from new networks"])
def test_the_owners_login_does_not_clear_the_way_for_who_fails_everywhere(throttled, where):
    system = throttled(NAME_FREE=4)
    api = system.api()
    name, home = api.new_user(), elsewhere()
    assert_envelope(api.login(name, headers=at(home)), 200)
    for _ in range(2):
        failures(api, name, elsewhere(), 1)
        assert_envelope(api.login(name, headers=at(home if where == "at home" else elsewhere())), 200)
        failures(api, name, elsewhere(), 1)
    assert_held_up(wrong(api, name, elsewhere()))


def test_one_users_network_is_not_anothers(throttled):
    system = throttled(NAME_FREE=3)
    api = system.api()
    victim, attacker, office = api.new_user(), api.new_user(), elsewhere()
    assert_envelope(api.login(attacker, headers=at(office)), 200)
    for _ in range(3):
        failures(api, victim, elsewhere(), 1)
    assert_held_up(wrong(api, victim, office))


# --- headers ---------------------------------------------------------------------------------------------------------------

def test_429_tells_the_policy_and_the_limit_as_structured_fields(throttled):
    system = throttled(LOGIN_FREE=3, LOGIN_FORGET_SECONDS=100)
    api = system.api()
    name, here = api.new_user(), elsewhere()
    failures(api, name, here, 3)
    answer = wrong(api, name, here)
    wait_s = assert_held_up(answer)
    policy, limit = parameters(answer.headers["RateLimit-Policy"]), parameters(answer.headers["RateLimit"])
    assert policy == {"q": 3, "w": 300}
    assert limit == {"r": 0, "t": wait_s}
    assert answer.headers["RateLimit"].split(";")[0] == answer.headers["RateLimit-Policy"].split(";")[0]
    assert answer.headers["Error-Code"] == "TOO_MANY_ATTEMPTS"


def test_a_refusal_that_was_judged_asks_nobody_to_wait(throttled):
    system = throttled(LOGIN_FREE=4)
    api = system.api()
    name, here = api.new_user(), elsewhere()
    for _ in range(4):
        answer = wrong(api, name, here)
        assert_envelope(answer, 401)
        assert "Retry-After" not in answer.headers


@pytest.mark.parametrize("setting, name", [("LOGIN_FREE", "login"), ("NETWORK_FREE", "login-network"),
                                           ("NAME_FREE", "login-name")])
def test_the_policy_that_holds_one_up_is_named(throttled, setting, name):
    system = throttled(**{setting: 1})
    api = system.api()
    user, here = api.new_user(), elsewhere()
    failures(api, user, here, 1)
    answer = wrong(api, user, here)
    assert_held_up(answer)
    assert answer.headers["RateLimit-Policy"].startswith(f'"{name}";q=1;')


def test_messages_carry_no_such_headers(throttled):
    system = throttled()
    api = system.api()
    answer = api.message(api.token(api.new_user()))
    assert not {"ratelimit", "ratelimit-policy", "retry-after"} & set(answer.headers)


# --- before a hash is spent --------------------------------------------------------------------------------------------------

def test_no_hash_is_spent_on_what_is_held_up(start_system):
    system = start_system(THROTTLE="on", THROTTLE_LOGIN_FREE="3", PASSWORD_METHOD="bcrypt", PASSWORD_COST="12",
                          **BEHIND_A_PROXY)
    api = system.api()
    name, here = api.new_user(), elsewhere()
    hashed, held_up = [], []
    for _ in range(3):
        hashed.append(wrong(api, name, here).elapsed.total_seconds())
    for _ in range(9):
        answer = wrong(api, name, here)
        if answer.status_code == 429:
            held_up.append(answer.elapsed.total_seconds())
    assert len(held_up) >= 3
    assert sorted(held_up)[len(held_up) // 2] < sorted(hashed)[0] / 4, (hashed, held_up)


def test_guesses_in_parallel_are_bounded(throttled):
    """Waits are not to be outrun: no more attempts are under way than may fail."""
    system = throttled(LOGIN_FREE=4)
    api = system.api()
    for name in (api.new_user(), unique_name()):
        headers = [("Content-Type", "application/json"), *at(elsewhere()).items()]
        body = json.dumps({"username": name, "password": WRONG}).encode()
        request = wire.http1_request("POST", "/user/login", headers, body, system.port())
        answers = all_at_once(system.port(), [request] * 40)
        statuses = [answer.status_code for answer in answers]
        assert set(statuses) == {401, 429}
        assert 4 <= statuses.count(401) <= 5, statuses
        for answer in answers:
            if answer.status_code == 429:
                assert_held_up(answer)


def test_right_passwords_in_parallel_all_come_through_in_the_end(throttled):
    system = throttled(LOGIN_FREE=4)
    api = system.api()
    name, here = api.new_user(), elsewhere()
    headers = [("Content-Type", "application/json"), *at(here).items()]
    request = wire.http1_request("POST", "/user/login", headers,
                                 json.dumps({"username": name, "password": PASSWORD}).encode(), system.port())
    answers = all_at_once(system.port(), [request] * 12)
    for answer in answers:
        system.remember_pair(answer)
    assert {answer.status_code for answer in answers} <= {200, 429}
    assert_envelope(api.login(name, headers=at(here)), 200)


def test_422_comes_before_429(throttled):
    system = throttled(LOGIN_FREE=1)
    api = system.api()
    name, here = api.new_user(), elsewhere()
    failures(api, name, here, 1)
    assert_held_up(wrong(api, name, here))
    assert_envelope(api.post("/user/login", {"username": name}, at(here)), 422)
    assert_envelope(api.login(name, "p" * 512, headers=at(here)), 422)


def test_malformed_logins_do_not_count(throttled):
    system = throttled(LOGIN_FREE=2)
    api = system.api()
    name, here = api.new_user(), elsewhere()
    for _ in range(10):
        assert_envelope(api.login(name, "", headers=at(here)), 422)
    failures(api, name, here, 2)
    assert_held_up(wrong(api, name, here))


def test_who_is_logged_in_notices_nothing(throttled):
    system = throttled(LOGIN_FREE=1, NETWORK_FREE=1, NAME_FREE=1)
    api = system.api()
    name, here = api.new_user(), elsewhere()
    tokens = assert_envelope(api.login(name, headers=at(here)), 200)
    failures(api, name, here, 1)
    assert_held_up(wrong(api, name, here))
    assert_envelope(api.request("GET", "/user/message", tokens["access_token"], headers=at(here)), 200)
    assert_envelope(api.refresh(tokens["refresh_token"], headers=at(here)), 200)


def test_clients_cannot_choose_their_network(throttled):
    """What stands left of the proxy's own entry is the client's word; X-Client-Address is nobody's."""
    system = throttled(LOGIN_FREE=3)
    api = system.api()
    name, here = api.new_user(), elsewhere()
    for _ in range(3):
        answer = api.login(name, WRONG, headers=at(f"{elsewhere()}, {here}", **{"X-Client-Address": elsewhere(),
                                                                                "Forwarded": f"for={elsewhere()}"}))
        assert_envelope(answer, 401)
    assert_held_up(api.login(name, WRONG, headers=at(f"{elsewhere()}, {here}")))


# --- signups -----------------------------------------------------------------------------------------------------------------

def signup(api, address, name=None):
    return api.signup(name or unique_name(), headers=at(address))


def test_signups_are_limited_per_network(throttled):
    system = throttled(SIGNUP_FREE=3)
    api = system.api()
    here = elsewhere()
    for _ in range(3):
        assert_envelope(signup(api, here), 201)
    answer = signup(api, here)
    assert_held_up(answer)
    assert answer.headers["RateLimit-Policy"].startswith('"signup";q=3;')
    assert_envelope(signup(api, elsewhere()), 201)


def test_a_signup_that_is_held_up_makes_nobody(throttled):
    system = throttled(SIGNUP_FREE=1)
    api = system.api()
    here, name = elsewhere(), unique_name()
    assert_envelope(signup(api, here), 201)
    assert_held_up(signup(api, here, name))
    assert_envelope(signup(api, elsewhere(), name), 201)


def test_taken_names_cannot_be_asked_for_without_end(throttled):
    system = throttled(SIGNUP_FREE=3)
    api = system.api()
    name, here = api.new_user(), elsewhere()
    for _ in range(3):
        assert_envelope(signup(api, here, name), 409)
    assert_held_up(signup(api, here, name))


def test_signups_that_are_422_do_not_count(throttled):
    system = throttled(SIGNUP_FREE=1)
    api = system.api()
    here = elsewhere()
    for _ in range(5):
        assert_envelope(api.signup("", headers=at(here)), 422)
    assert_envelope(signup(api, here), 201)


# --- a restart is no way around ----------------------------------------------------------------------------------------------

def test_a_restart_forgets_nothing(clocked):
    """Each of the four counts: a name from a network, a network, a name from everywhere, signups."""
    system, clock = clocked(LOGIN_FREE=2, NAME_FREE=4, NETWORK_FREE=4, SIGNUP_FREE=2, LOGIN_FORGET_SECONDS=86400,
                            NETWORK_FORGET_SECONDS=86400, NAME_FORGET_SECONDS=86400, SIGNUP_FORGET_SECONDS=86400)
    api = system.api()
    one, crowd, here, many, signups = api.new_user(), unique_name(), elsewhere(), elsewhere(), elsewhere()
    attempts = [lambda: wrong(api, one, here), lambda: wrong(api, unique_name(), many),
                lambda: wrong(api, crowd, elsewhere()), lambda: signup(api, signups)]
    for doublings, attempt in zip((8, 7, 6, 5), attempts):
        grow_wait(system, clock, attempt, doublings)
    for attempt in attempts:
        assert_held_up(attempt())
    system.restart("auth", **clock.settings)
    for attempt in attempts:
        assert_held_up(attempt())


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_waits_go_on_over_a_restart_where_they_were(clocked, how):
    """Of a kill the last seconds may be lost, but never a whole budget of guesses."""
    system, clock = clocked(LOGIN_FREE=4, LOGIN_FORGET_SECONDS=86400)
    api = system.api()
    name, here = api.new_user(), elsewhere()
    failures(api, name, here, 4)
    grow_wait(system, clock, lambda: wrong(api, name, here), 6)
    if how == "kill":
        data = system.folder / "data" / "data.mdb"
        before = data.stat().st_mtime_ns
        advance(system, clock, 20)
        wait_until(lambda: data.stat().st_mtime_ns != before, 30, "the counts to be kept")
    system.restart("auth", how, **clock.settings)
    assert assert_held_up(wrong(api, name, here)) >= 20
    assert_envelope(wrong(api, name, elsewhere()), 401)


def test_a_kill_before_anything_was_kept_starts_well(throttled):
    system = throttled(LOGIN_FREE=2)
    api = system.api()
    name, here = api.new_user(), elsewhere()
    failures(api, name, here, 1)
    system.restart("auth", "kill")
    assert_envelope(api.login(name, headers=at(here)), 200)


# --- bounded -------------------------------------------------------------------------------------------------------------------

def test_a_flood_of_other_names_does_not_wash_away_who_is_held_up(throttled):
    system = throttled(LOGIN_FREE=3, NETWORK_FREE=1000000, NAME_FREE=1000000, ENTRIES_MAX=1000,
                       LOGIN_FORGET_SECONDS=86400)
    api = system.api()
    name, here, flood = api.new_user(), elsewhere(), elsewhere()
    failures(api, name, here, 3)
    wait_until(lambda: wrong(api, name, here).status_code == 401, 5, "the first wait to be over")
    for number in range(1200):
        assert wrong(api, f"flood_{number}", flood, "x").status_code == 401
    wait_until(lambda: wrong(api, name, here).status_code in (401, 429), 1, "an answer")
    assert_held_up(wrong(api, name, here))


def test_a_full_table_gives_up_the_oldest_and_counts_the_newest(throttled):
    """1,000 entries is the least there can be: further names take the places of those that failed longest ago."""
    api = throttled(LOGIN_FREE=2, NETWORK_FREE=1000000, ENTRIES_MAX=1000, LOGIN_FORGET_SECONDS=86400).api()
    oldest, newest, flood = elsewhere(), elsewhere(), elsewhere()
    failures(api, "oldest", oldest, 1)
    for number in range(1200):
        assert wrong(api, f"flood_{number}", flood, "x").status_code == 401
    failures(api, "newest", newest, 2)
    assert_held_up(wrong(api, "newest", newest))
    failures(api, "oldest", oldest, 2)  # the very first is forgotten, or the second of these were held up
    assert_held_up(wrong(api, "oldest", oldest))


# --- off -----------------------------------------------------------------------------------------------------------------------

def test_off_turns_all_of_it_off(start_system):
    system = start_system(THROTTLE="off", THROTTLE_LOGIN_FREE="1", THROTTLE_NETWORK_FREE="1", THROTTLE_NAME_FREE="1",
                          THROTTLE_SIGNUP_FREE="1", **CHEAP_HASHES)
    api = system.api()
    name = api.new_user()
    for _ in range(20):
        answer = api.login(name, WRONG)
        assert_envelope(answer, 401)
        assert not {"ratelimit", "ratelimit-policy", "retry-after"} & set(answer.headers)
    for _ in range(5):
        api.new_user()
    token = api.token(name)
    for _ in range(5):
        assert_envelope(api.change_password(token, WRONG, "a password of the day"), 403)


def test_on_is_what_is_set_where_nothing_is(start_system):
    system = start_system(THROTTLE=None, **CHEAP_HASHES)
    api = system.api()
    name = api.new_user()
    statuses = [api.login(name, WRONG).status_code for _ in range(11)]
    assert statuses == [401] * 10 + [429]
