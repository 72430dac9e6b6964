"""Who the client is: the peer, or whom a trusted proxy names. Told by the session that a login opens."""

import json

import pytest

from support.process import StartFailed
from support.system import BEHIND_A_PROXY, PASSWORD, System, assert_envelope

JSON = ("Content-Type", "application/json")


def started(tmp_path_factory, **settings):
    return System(tmp_path_factory.mktemp("addresses"), SESSIONS_PER_USER_MAX="1", **settings)


@pytest.fixture(scope="module")
def behind(tmp_path_factory):
    """A system behind proxies: the tests on loopback, 10.0.0.0/8, 192.0.2.1 and 2001:db8:a::/48."""
    made = started(tmp_path_factory, CLIENT_ADDRESS_HEADER="X-Forwarded-For",
                   TRUSTED_PROXIES="127.0.0.1, 10.0.0.0/8 192.0.2.1,2001:db8:a::/48")
    try:
        yield made
        made.close()
    finally:
        made.kill()


@pytest.fixture(scope="module")
def by_forwarded(tmp_path_factory):
    made = started(tmp_path_factory, CLIENT_ADDRESS_HEADER="Forwarded", TRUSTED_PROXIES="127.0.0.0/8,10.0.0.0/8")
    try:
        yield made
        made.close()
    finally:
        made.kill()


def seen_as(system, version, *headers):
    """The client address of a login with these headers, byte for byte."""
    api = system.api()
    if not hasattr(system, "visitor"):
        system.visitor = api.new_user("visitor")
    body = json.dumps({"username": system.visitor, "password": PASSWORD}).encode()
    answer = system.ask(version, "POST", "/user/login", [JSON, *headers], body)
    system.remember_pair(answer)
    entry, = api.sessions(assert_envelope(answer, 200)["access_token"])
    return entry["client_address"]


def xff(*values):
    return [("X-Forwarded-For", value) for value in values]


# --- nobody is believed ------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name, value", [
    ("X-Forwarded-For", "203.0.113.7"), ("Forwarded", "for=203.0.113.7"), ("X-Real-IP", "203.0.113.7"),
    ("X-Client-Address", "203.0.113.7"), ("X-Auth-Client-Address", "203.0.113.7"), ("True-Client-IP", "203.0.113.7"),
])
def test_without_trusted_proxies_the_client_is_the_peer(system, version, name, value):
    api = system.api()
    user = api.new_user()
    body = json.dumps({"username": user, "password": PASSWORD}).encode()
    answer = system.ask(version, "POST", "/user/login", [JSON, (name, value)], body)
    system.remember_pair(answer)
    assert api.sessions(assert_envelope(answer, 200)["access_token"])[0]["client_address"] == "127.0.0.1"


@pytest.mark.parametrize("settings", [
    {"TRUSTED_PROXIES": "10.0.0.0/8,127.0.0.2,::1", "CLIENT_ADDRESS_HEADER": "X-Forwarded-For"},
    {"CLIENT_ADDRESS_HEADER": "X-Forwarded-For"},
], ids=["another proxy", "no proxy"])
def test_a_peer_that_is_no_trusted_proxy_is_not_believed(start_system, settings):
    system = start_system(SESSIONS_PER_USER_MAX="1", **settings)
    assert seen_as(system, "http1", *xff("203.0.113.7")) == "127.0.0.1"


# --- a trusted proxy -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("values, expected", [
    (["203.0.113.7"], "203.0.113.7"),
    (["198.51.100.1, 203.0.113.7"], "203.0.113.7"),
    (["198.51.100.1,203.0.113.7,10.1.2.3"], "203.0.113.7"),
    (["203.0.113.7, 10.1.2.3, 192.0.2.1, 2001:db8:a:1::5"], "203.0.113.7"),
    (["203.0.113.7, 192.0.2.2"], "192.0.2.2"),
    (["198.51.100.1", "203.0.113.7"], "203.0.113.7"),
    (["203.0.113.7", "10.9.9.9"], "203.0.113.7"),
    (["2001:db8::1"], "2001:db8::1"),
    (["2001:DB8:0:0:0:0:0:1"], "2001:db8::1"),
    (["198.51.100.1, 2001:db8:b::1"], "2001:db8:b::1"),
    (["203.0.113.7:4711"], "203.0.113.7"),
    (["[2001:db8::1]:4711"], "2001:db8::1"),
    (["::ffff:203.0.113.7"], "203.0.113.7"),
    (["nonsense, 203.0.113.7"], "203.0.113.7"),
    (["  203.0.113.7\t"], "203.0.113.7"),
    ([", ,203.0.113.7, "], "203.0.113.7"),
], ids=str)
def test_the_client_is_the_rightmost_that_is_no_trusted_proxy(behind, version, values, expected):
    assert seen_as(behind, version, *xff(*values)) == expected


def test_where_the_proxy_names_nobody_the_client_is_not_taken_for_someone(behind, version):
    assert seen_as(behind, version) in ("127.0.0.1", "unknown")


@pytest.mark.parametrize("value", ["nonsense", "203.0.113.7, nonsense", "203.0.113.999", "<script>", "1.2.3", "%00",
                                   "203.0.113.7, unknown", "'; --", "a" * 3000, "127.0.0.1\", \"x"], ids=lambda v: v[:24])
def test_what_cannot_be_read_is_nobodys_address(behind, version, value):
    assert seen_as(behind, version, *xff(value)) in ("unknown", "127.0.0.1")


@pytest.mark.parametrize("value", ["127.0.0.1", "::1", "127.8.8.8", "::ffff:127.0.0.1"])
def test_no_header_makes_a_client_a_local_one(start_system, value):
    """Who is local may make the first administrator."""
    system = start_system(**{**BEHIND_A_PROXY, "TRUSTED_PROXIES": "127.0.0.1,10.0.0.0/8"})
    answer = system.internal("auth", "GET", "/")
    assert answer.status_code == 200
    answer = system.api().signup("boss", is_admin=True, headers={"X-Forwarded-For": value})
    assert_envelope(answer, 403)


def test_only_the_header_that_is_named_counts(behind, version):
    others = [("Forwarded", "for=198.51.100.9"), ("X-Real-IP", "198.51.100.9"), ("X-Client-Address", "198.51.100.9")]
    assert seen_as(behind, version, *xff("203.0.113.7"), *others) == "203.0.113.7"
    assert seen_as(behind, version, *others) in ("127.0.0.1", "unknown")


def test_a_header_of_the_operators_own_is_read_as_a_list_of_addresses(start_system):
    system = start_system(SESSIONS_PER_USER_MAX="1", TRUSTED_PROXIES="127.0.0.1", CLIENT_ADDRESS_HEADER="X-Real-IP")
    assert seen_as(system, "http1", ("x-real-ip", "203.0.113.7")) == "203.0.113.7"
    assert seen_as(system, "http2", ("X-REAL-IP", "2001:db8::7")) == "2001:db8::7"


@pytest.mark.parametrize("values, expected", [
    (["for=203.0.113.7"], "203.0.113.7"),
    (["For=203.0.113.7;proto=https;by=10.0.0.1"], "203.0.113.7"),
    (["proto=https;for=203.0.113.7"], "203.0.113.7"),
    (['for="203.0.113.7:4711"'], "203.0.113.7"),
    (['for="[2001:db8::1]:4711"'], "2001:db8::1"),
    (['for="[2001:db8::1]"'], "2001:db8::1"),
    (["for=198.51.100.1, for=203.0.113.7, for=10.2.3.4"], "203.0.113.7"),
    (["for=198.51.100.1", "for=203.0.113.7;proto=http"], "203.0.113.7"),
    (['for=198.51.100.1;host="a,b;for=198.51.100.2", for=203.0.113.7'], "203.0.113.7"),
    (["for=203.0.113.7, for=_hidden"], "unknown"),
    (["for=unknown"], "unknown"),
], ids=str)
def test_forwarded_is_read_by_its_own_grammar(by_forwarded, version, values, expected):
    assert seen_as(by_forwarded, version, *[("Forwarded", value) for value in values]) == expected


# --- settings ----------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name, value", [
    ("TRUSTED_PROXIES", "proxy.example.org"), ("TRUSTED_PROXIES", "10.0.0.0/33"), ("TRUSTED_PROXIES", "10.0.0.1,,x"),
    ("TRUSTED_PROXIES", "10.0.0/8"), ("TRUSTED_PROXIES", "2001:db8::/129"), ("CLIENT_ADDRESS_HEADER", "X Forwarded"),
    ("CLIENT_ADDRESS_HEADER", "X-F:"), ("CLIENT_ADDRESS_HEADER", "\u00e4"),
])
def test_a_setting_that_is_wrong_is_refused_at_start_by_name(start_system, name, value):
    settings = {"TRUSTED_PROXIES": "10.0.0.1", "CLIENT_ADDRESS_HEADER": "X-Forwarded-For", name: value}
    with pytest.raises(StartFailed) as failed:
        start_system(services=("gateway",), **settings)
    assert failed.value.returncode == 1
    assert failed.value.stderr.count("\n") == 1 and name in failed.value.stderr
