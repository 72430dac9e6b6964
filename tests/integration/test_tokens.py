"""Tokens, judged and made by an independent implementation (PyJWT) in both directions."""

import base64
import hashlib
import hmac
import json
import time

import jwt
import pytest

from support.sentences import REFUSED
from support.system import assert_envelope

OURS = ("sub", "exp", "uid", "iat", "jti", "sid", "use")


@pytest.fixture(scope="module")
def owner(system):
    """A user's name and both tokens."""
    api = system.api()
    name = api.new_user("owner")
    return name, api.tokens(name)


@pytest.fixture(scope="module")
def claims(system, owner):
    return system.claims(owner[1]["access_token"])


def part(value):
    """base64url without padding, of bytes or of an object as JSON."""
    data = value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def made_by_hand(system, header, payload, digest=hashlib.sha256, key=None):
    """A token whose parts are exactly these (bytes, or objects as JSON), with a right HMAC over them."""
    signed = f"{part(header)}.{part(payload)}"
    mac = hmac.new((key or system.secret_key).encode(), signed.encode(), digest).digest()
    token = f"{signed}.{part(mac)}"
    system.remember_secret(token)
    return token


def assert_accepted(system, token):
    assert_envelope(system.api().message(token), 200)


def assert_refused(system, token):
    assert_envelope(system.api().message(token), 401, REFUSED)
    answer = system.internal("auth", "POST", "/validate-token", headers={"token": token})
    assert (answer.status_code, answer.json()) == (401, {"detail": "Could not validate credentials"})


# --- what we issue ------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_the_header_is_alg_and_typ(owner, kind):
    header = owner[1][kind].split(".")[0]
    assert base64.urlsafe_b64decode(header + "==") in (b'{"alg":"HS256","typ":"JWT"}', b'{"typ":"JWT","alg":"HS256"}')


def test_pyjwt_verifies_an_access_token_given_the_secret(system, owner):
    claims = jwt.decode(owner[1]["access_token"], system.secret_key, algorithms=["HS256"],
                        options={"require": ["sub", "exp", "iat", "jti"]})
    assert claims["sub"] == owner[0]


def test_an_access_token_has_our_claims_of_the_right_types(claims):
    assert set(claims) == set(OURS)
    assert claims["use"] == "access"
    assert all(isinstance(claims[name], int) and not isinstance(claims[name], bool) for name in ("exp", "iat", "uid"))
    assert all(isinstance(claims[name], str) and len(claims[name]) >= 16 for name in ("jti", "sid"))
    assert claims["exp"] - claims["iat"] == 30 * 60
    assert abs(claims["iat"] - time.time()) < 60


def test_a_refresh_token_has_an_audience_that_keeps_it_from_passing_as_an_access_token(system, owner):
    refresh = owner[1]["refresh_token"]
    with pytest.raises(jwt.InvalidAudienceError):
        jwt.decode(refresh, system.secret_key, algorithms=["HS256"])
    claims = jwt.decode(refresh, system.secret_key, algorithms=["HS256"], audience="token-relay:refresh")
    assert set(claims) == {*OURS, "aud"}
    assert (claims["use"], claims["aud"]) == ("refresh", "token-relay:refresh")
    assert claims["exp"] - claims["iat"] == 7 * 24 * 3600


def test_both_tokens_of_a_login_share_the_session_but_not_the_id(system, owner):
    access, refresh = (system.claims(owner[1][kind]) for kind in ("access_token", "refresh_token"))
    assert (access["sid"], access["uid"], access["sub"]) == (refresh["sid"], refresh["uid"], refresh["sub"])
    assert access["jti"] != refresh["jti"]


def test_lifetimes_follow_the_settings(start_system):
    system = start_system(ACCESS_TOKEN_EXPIRE_MINUTES=5, REFRESH_TOKEN_EXPIRE_DAYS=2)
    api = system.api()
    tokens = api.tokens(api.new_user())
    assert tokens["expires_in"] == 300
    access, refresh = (system.claims(tokens[kind]) for kind in ("access_token", "refresh_token"))
    assert access["exp"] - access["iat"] == 300
    assert refresh["exp"] - refresh["iat"] == 2 * 24 * 3600


def test_names_of_any_script_survive_the_token(system):
    api = system.api()
    name = "n\u00e4me \"q\" \\ \U0001f600"
    answer = api.signup(name, email="scripts@example.org")
    assert answer.status_code in (201, 409)
    token = api.token(name)
    assert system.claims(token)["sub"] == name
    assert system.internal("auth", "POST", "/validate-token", headers={"token": token}).json()["user"] == name


# --- what others sign anew ------------------------------------------------------------------------------------------

def test_what_pyjwt_signs_anew_is_accepted(system, claims):
    assert_accepted(system, system.sign(claims))
    assert_accepted(system, system.sign({**claims, "exp": int(time.time()) + 60}))
    assert_accepted(system, system.sign(dict(reversed(list(claims.items())))))
    assert_accepted(system, system.sign({**claims, "extra": {"nested": [1, 2.5, None]}}))


def test_the_order_and_white_space_of_the_header_do_not_matter(system, claims):
    assert_accepted(system, made_by_hand(system, b'{"typ":"JWT","alg":"HS256"}', claims))
    assert_accepted(system, made_by_hand(system, b'{ "alg" : "HS256" , "typ" : "JWT" }', claims))


# --- what is forged ---------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("header", [
    {"alg": "none", "typ": "JWT"}, {"alg": "None"}, {"alg": "NONE", "typ": "JWT"}, {"alg": "nOnE"}, {"typ": "JWT"}, {},
], ids=str)
@pytest.mark.parametrize("signature", ["", "AA", "right"])
def test_alg_none_is_refused_whatever_the_signature(system, claims, header, signature):
    token = made_by_hand(system, header, claims)
    if signature != "right":
        token = f"{token.rsplit('.', 1)[0]}.{signature}"
    assert_refused(system, token)


@pytest.mark.parametrize("algorithm, digest", [("HS384", hashlib.sha384), ("HS512", hashlib.sha512)])
def test_the_algorithm_comes_from_the_configuration(system, claims, algorithm, digest):
    assert_refused(system, system.sign(claims, algorithm=algorithm))
    assert_refused(system, made_by_hand(system, {"alg": algorithm, "typ": "JWT"}, claims))
    assert_refused(system, made_by_hand(system, {"alg": "HS256", "typ": "JWT"}, claims, digest))


@pytest.mark.parametrize("header", [
    {"alg": "RS256", "typ": "JWT"}, {"alg": "ES256", "typ": "JWT"}, {"alg": "hs256", "typ": "JWT"}, {"alg": 256},
    {"alg": ["HS256"]}, {"alg": None}, {"alg": "HS256\x00"}, {"alg": "HS2567"}, {"alg": ""},
], ids=str)
def test_another_alg_is_refused_even_with_a_right_hs256_signature(system, claims, header):
    assert_refused(system, made_by_hand(system, header, claims))


def test_another_key_is_refused(system, claims):
    for key in ("x" * 48, system.secret_key[:-1], system.secret_key + "x", "", "Secret_Key-2024"):
        if key:
            assert_refused(system, system.sign(claims, key=key))
    signed = f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part(claims)}"
    assert_refused(system, f"{signed}.{part(hmac.new(b'', signed.encode(), hashlib.sha256).digest())}")


def test_a_changed_payload_is_refused(system, owner, claims):
    head, _, signature = owner[1]["access_token"].split(".")
    for changed in ({**claims, "uid": claims["uid"] + 1}, {**claims, "exp": claims["exp"] + 1}, {**claims, "sub": "admin_user"}):
        assert_refused(system, f"{head}.{part(changed)}.{signature}")


def test_a_changed_signature_is_refused(system, owner):
    head, payload, signature = owner[1]["access_token"].split(".")
    mac = bytearray(base64.urlsafe_b64decode(signature + "="))
    for at in (0, 15, 31):
        changed = bytearray(mac)
        changed[at] ^= 1
        assert_refused(system, f"{head}.{payload}.{part(bytes(changed))}")
    for other in (part(bytes(mac[:16])), part(bytes(mac) + b"\0"), part(b"\0" * 32), signature * 2):
        assert_refused(system, f"{head}.{payload}.{other}")


def test_a_signature_has_one_spelling_only(system, owner):
    """The last character of 43 carries two spare bits; a lax decoder takes four spellings of one signature."""
    head, payload, signature = owner[1]["access_token"].split(".")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    at = alphabet.index(signature[-1])
    assert at % 4 == 0
    others = [signature[:-1] + alphabet[at + spare] for spare in (1, 2, 3)]
    for other in (*others, signature + "=", signature + "A"):
        assert_envelope(system.api().message(f"{head}.{payload}.{other}"), 401)


@pytest.mark.parametrize("name", OURS)
def test_a_missing_claim_is_refused(system, claims, name):
    assert_refused(system, system.sign({key: value for key, value in claims.items() if key != name}))


WRONG_TYPES = {
    "sub": [5, None, "", [], {"a": 1}], "uid": ["{}", 0, -1, 1.5, None, True, 2**70, [1]],
    "jti": [5, None], "sid": [5, None], "iat": ["now", None, True], "exp": ["9999999999", None, True, [9999999999]],
    "use": ["refresh", "ACCESS", "", 1, None, True, ["access"]],
}


@pytest.mark.parametrize("name, value", [(name, value) for name, values in WRONG_TYPES.items() for value in values],
                         ids=str)
def test_a_claim_of_a_wrong_type_or_value_is_refused(system, claims, name, value):
    if value == "{}":
        value = str(claims["uid"])
    assert_refused(system, made_by_hand(system, {"alg": "HS256", "typ": "JWT"}, {**claims, name: value}))


def test_a_user_id_that_does_not_match_the_record_is_refused(system, claims):
    other = system.api().new_user()
    other_id = system.claims(system.api().token(other))["uid"]
    assert_refused(system, system.sign({**claims, "uid": other_id}))
    assert_refused(system, system.sign({**claims, "sub": other}))
    assert_refused(system, system.sign({**claims, "uid": claims["uid"] + 10**6}))


def test_a_refresh_token_dressed_as_an_access_token_needs_the_key(system, owner):
    refresh = system.claims(owner[1]["refresh_token"])
    assert_refused(system, owner[1]["refresh_token"])
    assert_refused(system, system.sign({**refresh, "use": "refresh"}))


@pytest.mark.parametrize("payload", [b"", b"[]", b"null", b"5", b'"text"', b"{", b'{"sub":', b"\xff\xfe", b"{}",
                                     b"[" * 1500, b'{"a":' * 400], ids=lambda payload: ascii(payload)[:12])
def test_a_payload_that_is_no_claims_is_refused_even_when_signed(system, payload):
    token = made_by_hand(system, {"alg": "HS256", "typ": "JWT"}, payload)
    assert_refused(system, token)


def test_a_duplicate_claim_cannot_smuggle_another_user_in(system, claims):
    """Two `uid` members: readers differ in which one they take, so neither user may be opened by the pair."""
    other = system.claims(system.api().token(system.api().new_user()))
    text = json.dumps(claims)[:-1] + f', "uid": {other["uid"]}}}'
    answer = system.api().message(made_by_hand(system, {"alg": "HS256", "typ": "JWT"}, text.encode()))
    assert answer.status_code == 401


def test_expiry_has_no_leeway(system, claims):
    now = int(time.time())
    for exp in (now, now - 1, 0, -1):
        assert_envelope(system.api().message(system.sign({**claims, "exp": exp})), 401)
    assert_accepted(system, system.sign({**claims, "exp": now + 20}))


# --- keys change ----------------------------------------------------------------------------------------------------

def test_tokens_of_the_previous_key_are_still_accepted_while_a_new_one_comes_in(start_system):
    system = start_system()
    api = system.api()
    name = api.new_user()
    old_key, old_token = system.secret_key, api.token(name)
    new_key = "n" * 24 + old_key[:24]

    system.stop("auth")
    system.start("auth", SECRET_KEY=new_key, SECRET_KEY_PREVIOUS=old_key)
    system.wait_ready()
    assert_envelope(api.message(old_token), 200)
    new_token = api.token(name)
    assert jwt.decode(new_token, new_key, algorithms=["HS256"])["sub"] == name
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(new_token, old_key, algorithms=["HS256"])

    system.stop("auth")
    system.start("auth", SECRET_KEY=new_key)
    system.wait_ready()
    assert_envelope(api.message(old_token), 401, REFUSED)
    assert_envelope(api.message(new_token), 200)
