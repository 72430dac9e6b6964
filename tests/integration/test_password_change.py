"""PUT /user/password: needs the current one, ends all other sessions."""

import pytest

from support.process import wait_until
from support.sentences import LIMITED, MISSING, REFUSED, TOO_MANY
from support.system import CHEAP_HASHES, PASSWORD, assert_envelope, bearer

NEW = "a new password, not common at all"


def test_the_new_password_is_taken_and_the_old_one_no_more(api):
    name = api.new_user()
    assert_envelope(api.change_password(api.token(name), PASSWORD, NEW), 200, "Password changed")
    assert_envelope(api.login(name), 401, "Incorrect username or password")
    assert_envelope(api.login(name, NEW), 200)


def test_all_other_sessions_end_and_this_one_stays(api):
    name, bystander = api.new_user(), api.token(api.new_user())
    mine, others = api.tokens(name), [api.tokens(name) for _ in range(3)]
    assert_envelope(api.change_password(mine["access_token"], PASSWORD, NEW), 200)
    for tokens in others:
        assert_envelope(api.message(tokens["access_token"]), 401, REFUSED)
        assert_envelope(api.refresh(tokens["refresh_token"]), 401, REFUSED)
    for token in (mine["access_token"], bystander):
        assert_envelope(api.message(token), 200, LIMITED)
    assert len(api.sessions(mine["access_token"])) == 1
    api.refreshed(mine["refresh_token"])


def test_a_wrong_current_password_is_403_and_changes_nothing(api):
    name = api.new_user()
    mine, other = api.token(name), api.token(name)
    for wrong in ("wrong-" + PASSWORD, PASSWORD + " ", PASSWORD[:-1], "x"):
        answer = api.change_password(mine, wrong, NEW)
        detail = assert_envelope(answer, 403)
        assert isinstance(detail, str) and "WWW-Authenticate" not in answer.headers
    for token in (mine, other):
        assert_envelope(api.message(token), 200, LIMITED)
    assert_envelope(api.login(name), 200)
    assert_envelope(api.login(name, NEW), 401)


def test_it_needs_a_token(api):
    body = {"current_password": PASSWORD, "new_password": NEW}
    assert_envelope(api.request("PUT", "/user/password", body=body), 400, MISSING)
    assert_envelope(api.request("PUT", "/user/password", "a.b.c", body), 401, REFUSED)


def test_a_token_of_an_ended_session_or_a_refresh_token_changes_nothing(api):
    name = api.new_user()
    ended, tokens = api.tokens(name), api.tokens(name)
    assert_envelope(api.logout(ended["access_token"]), 200)
    for token in (ended["access_token"], tokens["refresh_token"]):
        assert_envelope(api.change_password(token, PASSWORD, NEW), 401, REFUSED)
    assert_envelope(api.login(name), 200)


@pytest.mark.parametrize("body, faults", [
    ({}, [("current_password", "missing"), ("new_password", "missing")]),
    ({"current_password": PASSWORD}, [("new_password", "missing")]),
    ({"new_password": NEW}, [("current_password", "missing")]),
    ({"current_password": 5, "new_password": NEW}, [("current_password", "string_type")]),
    ({"current_password": "", "new_password": NEW}, [("current_password", "string_too_short")]),
    ({"current_password": PASSWORD, "new_password": "7 bytes"}, [("new_password", "string_too_short")]),
    ({"current_password": PASSWORD, "new_password": "p" * 512}, [("new_password", "string_too_long")]),
], ids=lambda value: str(value)[:40])
def test_what_is_not_as_wanted_is_422_in_the_order_of_the_fields(api, body, faults):
    token = api.token(api.new_user())
    detail = assert_envelope(api.request("PUT", "/user/password", token, body), 422)
    assert [(entry["loc"], entry["type"]) for entry in detail] == [(["body", name], kind) for name, kind in faults]


def test_a_body_of_another_type_is_415_and_other_methods_405(api):
    token = api.token(api.new_user())
    answer = api.http.put("/user/password", content=b"x=y", headers=bearer(
        token, **{"Content-Type": "application/x-www-form-urlencoded"}))
    assert_envelope(answer, 415)
    assert_envelope(api.request("POST", "/user/password", token, {"current_password": "x", "new_password": NEW}), 405)


@pytest.mark.parametrize("password", ["p" * 511, "  spaces at both ends  ", "\u00e9\u00e8\u00ea\u00eb"],
                         ids=["511 bytes", "spaces", "8 bytes in 4"])
def test_new_passwords_within_limits_are_taken_whole(api, password):
    name = api.new_user()
    assert_envelope(api.change_password(api.token(name), PASSWORD, password), 200)
    assert_envelope(api.login(name, password), 200)
    assert_envelope(api.login(name, password.strip()[:-1]), 401)


def test_wrong_ones_are_throttled_like_logins_and_share_their_count(start_system):
    system = start_system(THROTTLE="on", THROTTLE_LOGIN_FREE="4", **CHEAP_HASHES)
    api = system.api()
    name = api.new_user()
    token = api.token(name)
    for _ in range(2):
        assert_envelope(api.change_password(token, "wrong-" + PASSWORD, NEW), 403)
        assert_envelope(api.login(name, "wrong-" + PASSWORD), 401)
    for answer in (api.change_password(token, "wrong-" + PASSWORD, NEW), api.change_password(token, PASSWORD, NEW),
                   api.login(name)):
        assert_envelope(answer, 429, TOO_MANY)
        assert int(answer.headers["Retry-After"]) >= 1
    assert_envelope(api.message(token), 200, LIMITED)
    wait_until(lambda: api.login(name).status_code == 200, 5, "the wait to be over")


def test_a_changed_password_is_kept_over_a_kill(fresh_system):
    api = fresh_system.api()
    name = api.new_user()
    mine, other = api.token(name), api.token(name)
    assert_envelope(api.change_password(mine, PASSWORD, NEW), 200)
    fresh_system.restart("auth", "kill")
    assert_envelope(api.login(name), 401)
    assert_envelope(api.login(name, NEW), 200)
    assert_envelope(api.message(mine), 200, LIMITED)
    assert_envelope(api.message(other), 401, REFUSED)
