"""SIGNUP=open|admin|closed: who may sign up at all."""

import pytest

from support.process import StartFailed
from support.sentences import FULL
from support.system import PASSWORD, assert_envelope, bearer, unique_name


def add(system, name, *options):
    system.user("add", name, f"{name}@example.org", *options, input_text=PASSWORD + "\n")
    return name


def signup(api, token=None, **more):
    return api.signup(unique_name(), headers=None if token is None else bearer(token), **more)


def test_open_is_what_is_set_where_nothing_is(start_system):
    assert_envelope(signup(start_system().api()), 201)
    assert_envelope(signup(start_system(SIGNUP="Open").api()), 201)


def test_admin_lets_administrators_sign_others_up_and_nobody_else(start_system):
    system = start_system(SIGNUP="admin")
    api = system.api()
    admin = api.tokens(add(system, "boss", "--admin"))
    plain = api.token(add(system, "plain"))
    detail = assert_envelope(signup(api), 403)
    assert isinstance(detail, str)
    claims = system.claims(admin["access_token"])
    for token in (plain, admin["refresh_token"], "a.b.c", system.sign(claims, key="k" * 48),
                  system.sign({**claims, "exp": claims["iat"] - 1})):
        assert_envelope(signup(api, token), 403, detail)
    name = unique_name()
    assert_envelope(api.signup(name, headers=bearer(admin["access_token"])), 201)
    assert_envelope(api.login(name), 200)


def test_admin_lets_administrators_make_administrators(start_system):
    system = start_system(SIGNUP="admin")
    api = system.api()
    admin = api.token(add(system, "boss", "--admin"))
    name = unique_name()
    assert_envelope(api.signup(name, is_admin=True, headers=bearer(admin)), 201)
    assert_envelope(api.message(api.token(name)), 200, FULL)


def test_admin_counts_what_the_administrator_is_now(start_system):
    system = start_system(SIGNUP="admin")
    api = system.api()
    add(system, "spare", "--admin")
    admin = api.token(add(system, "boss", "--admin"))
    assert_envelope(signup(api, admin), 201)
    system.user("demote", "boss")
    assert_envelope(signup(api, admin), 403)
    system.user("promote", "boss")
    assert_envelope(api.logout(admin), 200)
    assert_envelope(signup(api, admin), 403)


def test_closed_lets_nobody_sign_up(start_system):
    system = start_system(SIGNUP="closed")
    api = system.api()
    admin = api.token(add(system, "boss", "--admin"))
    for token in (None, admin):
        assert_envelope(signup(api, token), 403)
        assert_envelope(signup(api, token, is_admin=True), 403)
    assert_envelope(api.login(add(system, "added")), 200)


@pytest.mark.parametrize("mode", ["admin", "closed"])
def test_403_tells_nothing_about_who_is_there_and_comes_after_422(start_system, mode):
    system = start_system(SIGNUP=mode)
    api = system.api()
    add(system, "taken")
    free, taken = api.signup("free"), api.signup("taken")
    assert_envelope(free, 403)
    assert free.json()["detail"] == assert_envelope(taken, 403)
    assert_envelope(api.post("/user/signup", {"username": "x"}), 422)
    assert_envelope(api.login("free"), 401)


def test_another_word_is_refused_at_start_by_name(start_system):
    with pytest.raises(StartFailed) as failed:
        start_system(services=("auth",), SIGNUP="sometimes")
    assert failed.value.returncode == 1 and "SIGNUP" in failed.value.stderr
