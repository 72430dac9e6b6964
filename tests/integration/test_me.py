"""GET /user/me, and GET /auth/verify for reverse proxies: who is it that this token is of?"""

import urllib.parse

import pytest

from support.sentences import MISSING, REFUSED
from support.system import PASSWORD, TIME, assert_envelope, bearer, pairs, unique_name



def test_me_tells_who_one_is_in_this_order(api):
    name = api.new_user()
    token = api.token(name)
    answer = api.me(token)
    detail = assert_envelope(answer, 200)
    assert [key for key, _ in dict(pairs(answer.text))["detail"]] == [
        "user_id", "username", "email", "is_admin", "created_at"]
    assert TIME.match(detail.pop("created_at"))
    assert detail == {"user_id": api.system.claims(token)["uid"], "username": name, "email": f"{name}@example.org",
                      "is_admin": False}


def test_me_tells_the_role_of_now_not_of_the_token(api):
    name = api.new_user()
    token = api.token(name)
    api.system.user("promote", name)
    assert assert_envelope(api.me(token), 200)["is_admin"] is True
    other, _ = api.new_admin()
    assert other
    api.system.user("demote", name)
    assert assert_envelope(api.me(token), 200)["is_admin"] is False


def test_me_keeps_the_spelling_of_the_signup(api):
    name = unique_name("MiXed \u00fc\u2713 \"quoted\\")
    assert api.signup(name, email=f"{unique_name('Mail')}@Example.ORG").status_code == 201
    detail = assert_envelope(api.me(api.token(name.lower())), 200)
    assert detail["username"] == name and detail["email"].endswith("@Example.ORG")


def test_me_needs_a_token(api):
    answer = api.me(None)
    assert_envelope(answer, 400, MISSING)
    answer = api.me("a.b.c")
    assert_envelope(answer, 401, REFUSED)
    assert answer.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'


def test_me_takes_no_other_method(api):
    answer = api.request("POST", "/user/me", api.token(api.new_user()), {})
    assert_envelope(answer, 405)
    assert answer.headers["Allow"] == "GET, HEAD"


# --- GET /auth/verify --------------------------------------------------------------------------------------------

def verify(api, token=None, **headers):
    return api.request("GET", "/auth/verify", token, headers=headers)


def assert_no_body(answer):
    assert answer.content == b"" and answer.headers.get("Content-Length", "0") == "0"
    assert answer.headers["Cache-Control"] == "no-store"


def test_verify_answers_by_headers_and_has_no_body(api):
    name = api.new_user()
    token = api.token(name)
    answer = verify(api, token)
    assert answer.status_code == 200
    assert_no_body(answer)
    assert answer.headers["X-Auth-User"] == name
    assert answer.headers["X-Auth-User-Id"] == str(api.system.claims(token)["uid"])
    assert answer.headers["X-Auth-Role"] == "user"


def test_verify_tells_administrators_by_the_store(api):
    name = api.new_user()
    token = api.token(name)
    api.system.user("promote", name)
    assert verify(api, token).headers["X-Auth-Role"] == "admin"


@pytest.mark.parametrize("name", ["n\u00e4me with space", "100% \u2713", "a,b;c=\"d\"", "\U0001f600" * 60, "a/b?c#d&e"],
                         ids=ascii)
def test_the_user_is_percent_encoded(api, name):
    name = (name + unique_name(""))[:64] if "\U0001f600" not in name else name
    answer = api.signup(name, email=f"{unique_name()}@example.org")
    assert answer.status_code in (201, 409)
    told = verify(api, api.token(name)).headers["X-Auth-User"]
    assert urllib.parse.unquote(told, errors="strict") == name
    assert all(char.isalnum() or char in "%-._~" for char in told) and told.isascii()


def test_verify_is_401_without_a_good_token(api):
    tokens = api.tokens(api.new_user())
    refused = {"none": None, "malformed": "a.b.c", "refresh": tokens["refresh_token"],
               "forged": api.system.sign(api.system.claims(tokens["access_token"]), key="k" * 48)}
    for case, token in refused.items():
        answer = verify(api, token)
        assert answer.status_code == 401, case
        assert_no_body(answer)
        assert answer.headers["WWW-Authenticate"] == ("Bearer" if token is None else 'Bearer error="invalid_token"')
        assert not [name for name in answer.headers if name.startswith("x-auth")]


def test_verify_takes_the_token_as_messages_do(system, version):
    api = system.api()
    token = api.token(api.new_user())
    for value in (token, f"bearer  {token}", f" Bearer\t{token} "):
        answer = system.ask(version, "GET", "/auth/verify", [("Authorization", value)])
        assert answer.status_code == 200


def test_verify_refuses_with_the_next_request_after_a_logout(api):
    token = api.token(api.new_user())
    assert verify(api, token).status_code == 200
    assert_envelope(api.logout(token), 200)
    assert verify(api, token).status_code == 401


def test_verify_believes_no_x_auth_header_that_a_client_sends(api):
    name = api.new_user()
    answer = verify(api, api.token(name), **{"X-Auth-User": "root", "X-Auth-Role": "admin", "X-Auth-User-Id": "1"})
    assert (answer.headers["X-Auth-User"], answer.headers["X-Auth-Role"]) == (name, "user")
    assert verify(api, None, **{"X-Auth-User": "root", "X-Auth-Role": "admin"}).status_code == 401


def test_verify_passes_its_answer_on_to_head_as_well(system, version):
    api = system.api()
    answer = system.ask(version, "HEAD", "/auth/verify", list(bearer(api.token(api.new_user())).items()))
    assert answer.status_code == 200 and answer.headers["X-Auth-Role"] == "user"


def test_a_password_never_turns_up_in_what_one_is_told(api):
    name = api.new_user()
    text = api.me(api.token(name)).text
    assert PASSWORD not in text and "$" not in text
