"""GET /user/message, row by row of the API contract."""

import time

import pytest

from support.sentences import FULL, LIMITED, MISSING, REFUSED
from support.system import assert_envelope, keys



@pytest.fixture(scope="module")
def token(system):
    """An access token of an ordinary user."""
    api = system.api()
    return api.token(api.new_user("reader"))


def ask(system, version, *values):
    """GET /user/message with these Authorization headers, byte for byte."""
    return system.ask(version, "GET", "/user/message", [("Authorization", value) for value in values])


def assert_refused(answer, token_given=True):
    assert_envelope(answer, 401, REFUSED)
    if token_given is not None:
        expected = 'Bearer error="invalid_token"' if token_given else "Bearer"
        assert answer.headers["WWW-Authenticate"] == expected
    else:
        assert answer.headers["WWW-Authenticate"] in ("Bearer", 'Bearer error="invalid_token"')


def test_an_administrator_is_welcomed_as_one(api):
    assert_envelope(api.message(api.token(api.new_user(is_admin=True))), 200, FULL)


def test_any_other_user_is_welcomed_with_limited_access(api):
    assert_envelope(api.message(api.token(api.new_user())), 200, LIMITED)


@pytest.mark.parametrize("form", [
    "Bearer {}", "bearer {}", "BEARER {}", "bEaReR {}", "Bearer    {}", "Bearer\t{}", "Bearer \t {}",
    "{}", "  {}", "{}  ", "\t{}\t", "  Bearer {}  ",
], ids=repr)
def test_every_way_to_send_the_token_is_taken(system, version, token, form):
    assert_envelope(ask(system, version, form.format(token)), 200, LIMITED)


@pytest.mark.parametrize("value", [None, "", " ", "\t", "Bearer", "bearer", "BEARER", "Bearer ", "Bearer\t", " Bearer  "],
                         ids=repr)
def test_a_missing_token_is_400(system, version, value):
    answer = ask(system, version, *([] if value is None else [value]))
    assert_envelope(answer, 400, MISSING)
    assert "WWW-Authenticate" not in answer.headers


@pytest.mark.parametrize("form", ["Basic {}", "Token {}", "Digest {}", "BearerX {}", "Bearer{} {}", "{} {}", "JWT {}"],
                         ids=repr)
def test_another_scheme_is_401(system, version, token, form):
    assert_refused(ask(system, version, form.format(token, token)), token_given=None)


def test_two_tokens_after_bearer_are_401(system, version, token):
    assert_refused(ask(system, version, f"Bearer {token} {token}"), token_given=None)
    assert_refused(ask(system, version, f"Bearer Bearer {token}"), token_given=None)


def test_the_header_twice_is_401(system, version, token):
    assert_refused(ask(system, version, f"Bearer {token}", f"Bearer {token}"), token_given=None)
    assert_refused(ask(system, version, "", f"Bearer {token}"), token_given=None)
    assert_refused(ask(system, version, f"Bearer {token}", ""), token_given=None)


def padded(system, token, size):
    """The token's claims signed anew, with a claim of padding that makes it so many bytes long."""
    claims = system.claims(token)
    for pad in range(size * 3 // 4 - 600, size * 3 // 4):
        made = system.sign({**claims, "pad": "p" * pad})
        if len(made) == size:
            return made
    raise AssertionError(f"no padding makes a token of {size} bytes")


def test_a_token_of_4096_bytes_is_judged_and_one_of_4097_is_401(system, version, token):
    assert_envelope(ask(system, version, padded(system, token, 4096)), 200, LIMITED)
    assert_refused(ask(system, version, padded(system, token, 4097)), token_given=None)
    assert_refused(ask(system, version, f"Bearer {padded(system, token, 4097)}"), token_given=None)
    assert_refused(ask(system, version, "Bearer " + "a" * 8000), token_given=None)


@pytest.mark.parametrize("make", [
    lambda t: "a.b.c", lambda t: "x", lambda t: "..", lambda t: ".".join(t.split(".")[:2]), lambda t: t + ".x",
    lambda t: t[:-1], lambda t: t + "=", lambda t: t.replace(".", ".."), lambda t: t[1:], lambda t: "null",
    lambda t: t.split(".")[0] + ".." + t.split(".")[2], lambda t: t.rsplit(".", 1)[0] + ".", lambda t: "%s",
    lambda t: t.replace(".", "!"), lambda t: t + ",", lambda t: "\"" + t + "\"", lambda t: "\xff\xfe" + t,
], ids=["short", "one part", "dots", "two parts", "four parts", "cut", "padded", "double dots", "beheaded", "null",
        "no payload", "no signature", "format", "no dots", "comma", "quoted", "not ASCII"])
def test_a_malformed_token_is_401(system, version, token, make):
    assert_refused(ask(system, version, f"Bearer {make(token)}"))
    assert_refused(ask(system, version, make(token)))


def test_a_forged_token_is_401(system, version, token):
    claims = system.claims(token)
    assert_refused(ask(system, version, f"Bearer {system.sign(claims, key='k' * 48)}"))
    head, payload, _ = token.split(".")
    _, other_payload, other_signature = system.sign({**claims, "uid": claims["uid"] + 1}).split(".")
    assert_refused(ask(system, version, f"Bearer {head}.{payload}.{other_signature}"))
    assert_refused(ask(system, version, f"Bearer {head}.{other_payload}.{token.split('.')[2]}"))


def test_an_expired_token_is_401_without_leeway(system, version, token):
    claims = system.claims(token)
    now = int(time.time())
    for exp in (now, now - 1, now - 3600, 1):
        assert_refused(ask(system, version, f"Bearer {system.sign({**claims, 'exp': exp})}"))
    assert_envelope(ask(system, version, f"Bearer {system.sign({**claims, 'exp': now + 30})}"), 200, LIMITED)


def test_a_refresh_token_is_401(api):
    assert_refused(api.message(api.tokens(api.new_user())["refresh_token"]))


@pytest.mark.parametrize("claim", ["sub", "exp", "uid", "iat", "jti", "sid", "use"])
def test_a_token_without_our_claims_is_401(system, version, token, claim):
    claims = {key: value for key, value in system.claims(token).items() if key != claim}
    assert_refused(ask(system, version, f"Bearer {system.sign(claims)}"))


def test_a_deactivated_users_token_is_401_from_the_next_request_on(api):
    name = api.new_user()
    token = api.token(name)
    assert_envelope(api.message(token), 200, LIMITED)
    api.system.user("deactivate", name)
    assert_refused(api.message(token))


def test_a_deleted_users_token_is_401_from_the_next_request_on(api):
    name = api.new_user()
    token = api.token(name)
    assert_envelope(api.message(token), 200, LIMITED)
    api.system.user("delete", name, "--yes")
    assert_refused(api.message(token))


def test_a_name_taken_over_later_opens_nothing(api):
    name = api.new_user()
    token = api.token(name)
    api.system.user("delete", name, "--yes")
    assert api.signup(name).status_code == 201
    assert_refused(api.message(token))
    assert_envelope(api.message(api.token(name)), 200, LIMITED)


def test_a_role_takes_effect_at_the_next_request(api):
    name = api.new_user()
    token = api.token(name)
    assert_envelope(api.message(token), 200, LIMITED)
    api.system.user("promote", name)
    assert_envelope(api.message(token), 200, FULL)
    keeper = api.new_user(is_admin=True)  # the last administrator could not be demoted
    assert keeper != name
    api.system.user("demote", name)
    assert_envelope(api.message(token), 200, LIMITED)


def test_what_a_token_says_of_roles_is_not_believed(api):
    claims = api.system.claims(api.token(api.new_user()))
    for more in ({"is_admin": True}, {"role": "admin"}, {"use": "access", "admin": 1}):
        assert_envelope(api.message(api.system.sign({**claims, **more})), 200, LIMITED)


def test_a_token_in_the_query_is_not_looked_at(system, version, token):
    answer = system.ask(version, "GET", f"/user/message?token={token}&Authorization=Bearer+{token}")
    assert_envelope(answer, 400, MISSING)


@pytest.mark.parametrize("service, words", [
    ("gateway", "User Service is up and running!"),
    ("auth", "Auth Service is up and running!"),
    ("message", "Message Service is up and running!"),
])
def test_get_slash_says_that_the_service_is_up(system, version, service, words):
    answer = system.ask(version, "GET", "/", service=service)
    assert answer.status_code == 200
    assert answer.json() == {"message": words}
    assert keys(answer.text) == ["message"]
    assert answer.headers["Content-Type"].startswith("application/json")
