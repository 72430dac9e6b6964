"""What auth promises to the services that call it: literal shapes, statuses and the service key."""

import secrets
import time

import pytest

from support.process import StartFailed
from support.sentences import AUTH_DOWN
from support.system import DATE_TIME, PASSWORD, System, assert_envelope, keys, pairs, unique_name

NOT_VALID = {"detail": "Could not validate credentials"}


def signup_body(name=None, **more):
    name = name or unique_name()
    return {"username": name, "password": PASSWORD, "email": f"{name}@example.org", **more}


@pytest.fixture(scope="module")
def token(system):
    api = system.api()
    return api.token(api.new_user("judged"))


def validate(system, token, name="token"):
    return system.internal("auth", "POST", "/validate-token", headers={name: token})


def assert_detail(answer, status, detail):
    assert (answer.status_code, answer.json()) == (status, {"detail": detail})
    assert answer.headers["Content-Type"].startswith("application/json")
    assert answer.headers.get("Error-Code")


def test_signup_answers_detail_user_and_date_time_in_this_order(system):
    body = signup_body()
    answer = system.internal("auth", "POST", "/signup", body)
    assert answer.status_code == 201
    assert keys(answer.text) == ["detail", "user", "date_time"]
    got = answer.json()
    assert got["detail"].startswith("User created successfully, user ID ")
    assert [key for key, _ in dict(pairs(answer.text))["user"]] == ["email", "username"]
    assert got["user"] == {"email": body["email"], "username": body["username"]}
    assert DATE_TIME.match(got["date_time"])


def test_signup_refusals_are_a_detail_alone(system):
    body = signup_body()
    assert system.internal("auth", "POST", "/signup", body).status_code == 201
    answer = system.internal("auth", "POST", "/signup", body)
    assert_detail(answer, 409, f"Username: {body['username']}, already registered")
    answer = system.internal("auth", "POST", "/signup", signup_body(email=body["email"]))
    assert_detail(answer, 409, f"Email ID: {body['email']}, already registered")
    answer = system.internal("auth", "POST", "/signup", {**signup_body(), "password": 5})
    assert_detail(answer, 422, [{"loc": ["body", "password"], "msg": "Input should be a valid string",
                                 "type": "string_type"}])


def test_login_answers_detail_date_time_and_token_in_this_order(system):
    name = system.api().new_user()
    answer = system.internal("auth", "POST", "/login", {"username": name, "password": PASSWORD})
    assert answer.status_code == 200
    assert keys(answer.text) == ["detail", "date_time", "token"]
    got = answer.json()
    assert got["detail"] == "Login successful"
    assert DATE_TIME.match(got["date_time"])
    assert [key for key, _ in dict(pairs(answer.text))["token"]] == [
        "token_type", "access_token", "refresh_token", "expires_in"]
    assert (got["token"]["token_type"], got["token"]["expires_in"]) == ("bearer", 1800)
    for kind in ("access_token", "refresh_token"):
        system.remember_secret(got["token"][kind])


def test_login_refusals_are_a_detail_alone(system):
    answer = system.internal("auth", "POST", "/login", {"username": unique_name(), "password": PASSWORD})
    assert_detail(answer, 401, "Incorrect username or password")


@pytest.mark.parametrize("admin", [True, False])
def test_validate_token_answers_five_members_in_this_order(system, admin):
    api = system.api()
    name = api.new_user(is_admin=admin)
    token = api.token(name)
    answer = validate(system, token)
    assert answer.status_code == 200
    assert keys(answer.text) == ["is_valid", "date_time", "user", "is_admin", "user_id"]
    got = answer.json()
    assert DATE_TIME.match(got.pop("date_time"))
    assert got == {"is_valid": True, "user": name, "is_admin": admin, "user_id": system.claims(token)["uid"]}
    assert isinstance(got["user_id"], int)


def test_validate_token_says_when_a_token_has_expired(system, token):
    claims = system.claims(token)
    for exp in (int(time.time()), int(time.time()) - 100):
        assert_detail(validate(system, system.sign({**claims, "exp": exp})), 401, "Token has expired")


def test_validate_token_says_no_more_of_other_tokens(system, token):
    claims = system.claims(token)
    api = system.api()
    gone = api.new_user()
    gone_token, gone_refresh = (api.tokens(gone)[kind] for kind in ("access_token", "refresh_token"))
    assert_detail(validate(system, gone_refresh), 401, NOT_VALID["detail"])
    system.user("deactivate", gone)
    for other in (
        "a.b.c", "nonsense", token[:-2], "x" * 5000, gone_token,
        system.sign(claims, key="k" * 40), system.sign({**claims, "use": "refresh"}),
        system.sign({**claims, "uid": 10**9}), system.sign({**claims, "exp": 1}, key="k" * 40),
        f"Bearer {token}",
    ):
        assert_detail(validate(system, other), 401, NOT_VALID["detail"])
    system.user("delete", gone, "--yes")
    assert_detail(validate(system, gone_token), 401, NOT_VALID["detail"])


def test_validate_token_without_the_header_is_400(system):
    assert_detail(system.internal("auth", "POST", "/validate-token"), 400, "Token is missing")
    answer = system.internal("auth", "POST", "/validate-token", headers={"Authorization": "Bearer x"})
    assert_detail(answer, 400, "Token is missing")


@pytest.mark.parametrize("method, path, headers, body, status, detail", [
    ("GET", "/nothing", {}, None, 404, "Not Found"),
    ("GET", "/signup", {}, None, 405, "Method Not Allowed"),
    ("GET", "/validate-token", {}, None, 405, "Method Not Allowed"),
    ("PUT", "/login", {}, None, 405, "Method Not Allowed"),
    ("POST", "/login", {}, b"x" * 17000, 413, "Request body too large"),
    ("POST", "/signup", {"Content-Type": "text/plain"}, b"{}", 415,
     "Unsupported media type, send application/json"),
    ("POST", "/login", {}, b"", 422, [{"loc": ["body"], "msg": "Field required", "type": "missing"}]),
], ids=str)
def test_errors_common_to_all_are_a_detail_alone(system, method, path, headers, body, status, detail):
    answer = system.internal("auth", method, path, body, headers)
    assert_detail(answer, status, detail)
    if status == 405:
        assert answer.headers["Allow"] == "POST"


# --- the service key --------------------------------------------------------------------------------------------

KEY = secrets.token_urlsafe(32)


@pytest.mark.parametrize("service, setting", [("auth", "AUTH_LISTEN"), ("message", "MESSAGE_LISTEN")])
@pytest.mark.parametrize("key", [None, "", "k" * 31], ids=["unset", "empty", "31 bytes"])
def test_beyond_loopback_they_refuse_to_start_without_a_service_key_of_32_bytes(start_system, service, setting, key):
    with pytest.raises(StartFailed) as failed:
        start_system(services=(service,), SERVICE_KEY=key, **{setting: "0.0.0.0:{%s}" % service})
    assert failed.value.returncode not in (0, None) and failed.value.returncode > 0
    assert "SERVICE_KEY" in failed.value.stderr


@pytest.fixture(scope="module")
def keyed(tmp_path_factory):
    """A system whose internal services listen on all addresses, with the right key everywhere."""
    made = System(tmp_path_factory.mktemp("keyed"), SERVICE_KEY=KEY, AUTH_LISTEN="0.0.0.0:{auth}",
                  MESSAGE_LISTEN="0.0.0.0:{message}")
    made.remember_secret(KEY)
    try:
        yield made
        made.close()
    finally:
        made.kill()


def test_with_a_key_what_the_gateway_relays_works(keyed):
    api = keyed.api()
    assert_envelope(api.message(api.token(api.new_user())), 200)


@pytest.mark.parametrize("key", [None, "", "wrong", KEY[:-1], KEY + "x", KEY.swapcase(), "k" * 5000],
                         ids=["none", "empty", "wrong", "one byte less", "one byte more", "other case", "long"])
@pytest.mark.parametrize("service, path", [("auth", "/signup"), ("auth", "/login"), ("auth", "/validate-token"),
                                           ("message", "/get-message")])
def test_without_the_right_key_every_internal_path_is_401(keyed, service, path, key):
    headers = {} if key is None else {"X-Service-Key": key}
    answer = keyed.internal(service, "POST", path, {"is_valid": True, "is_admin": True}, headers)
    assert answer.status_code == 401
    assert keys(answer.text) == ["detail"]


def test_the_right_key_opens(keyed):
    answer = keyed.internal("message", "POST", "/get-message", {"is_valid": True, "is_admin": True},
                            {"X-Service-Key": KEY})
    assert answer.status_code == 200
    answer = keyed.internal("auth", "POST", "/validate-token", headers={"X-Service-Key": KEY, "token": "a.b.c"})
    assert (answer.status_code, answer.json()) == (401, NOT_VALID)


def test_the_key_sent_twice_is_401(keyed):
    headers = [("X-Service-Key", KEY), ("X-Service-Key", KEY), ("Content-Type", "application/json")]
    answer = keyed.ask("http1", "POST", "/get-message", headers, b'{"is_valid": true, "is_admin": true}', "message")
    assert answer.status_code == 401


@pytest.mark.parametrize("key", [None, "w" * 48], ids=["no key", "a wrong key"])
def test_a_gateway_without_the_right_key_answers_502(start_system, key):
    system = start_system(services=("auth", "message"), SERVICE_KEY=KEY, AUTH_LISTEN="0.0.0.0:{auth}",
                          MESSAGE_LISTEN="0.0.0.0:{message}")
    system.start("gateway", SERVICE_KEY=key)
    api = system.api()
    assert_envelope(api.signup("someone"), 502, AUTH_DOWN)
    assert_envelope(api.login("someone"), 502, AUTH_DOWN)
    assert_envelope(api.message("a.b.c" * 20), 401)
    assert_envelope(api.message(system.sign({"sub": "x"})), 502, AUTH_DOWN)


def test_a_clients_own_service_key_opens_nothing(start_system):
    system = start_system(services=("auth", "message"), SERVICE_KEY=KEY, AUTH_LISTEN="0.0.0.0:{auth}",
                          MESSAGE_LISTEN="0.0.0.0:{message}")
    system.start("gateway", SERVICE_KEY=None)
    assert_envelope(system.api().login("someone", headers={"X-Service-Key": KEY}), 502)
