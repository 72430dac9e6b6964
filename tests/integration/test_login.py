"""POST /user/login, row by row of the API contract."""

import pytest

from support.system import PASSWORD, assert_envelope, pairs, unique_name

REFUSED = "Incorrect username or password"


def test_login_answers_both_tokens_in_this_order(api):
    answer = api.login(api.new_user())
    detail = assert_envelope(answer, 200)
    assert [key for key, _ in dict(pairs(answer.text))["detail"]] == [
        "token_type", "access_token", "refresh_token", "expires_in"]
    assert detail["token_type"] == "bearer"
    assert detail["expires_in"] == 1800
    assert detail["access_token"] != detail["refresh_token"]
    assert all(detail[name].count(".") == 2 for name in ("access_token", "refresh_token"))


def test_each_login_gets_tokens_and_a_session_of_its_own(api):
    name = api.new_user()
    first, second = (api.system.claims(api.token(name)) for _ in range(2))
    assert first["jti"] != second["jti"]
    assert first["sid"] != second["sid"]


def test_names_are_found_without_regard_to_ascii_case(api):
    name = api.new_user("CaseLess")
    assert api.login(name.upper()).status_code == 200
    assert api.login(name.lower()).status_code == 200


def refusals(api):
    """Every way to be refused: its name, the username and the password."""
    known = api.new_user()
    deactivated = api.new_user()
    api.system.user("deactivate", deactivated)
    deleted = api.new_user()
    api.system.user("delete", deleted, "--yes")
    return [
        ("wrong password", known, "wrong-" + PASSWORD),
        ("other case", known, PASSWORD.upper()),
        ("one byte more", known, PASSWORD + "x"),
        ("one byte less", known, PASSWORD[:-1]),
        ("unknown name", unique_name(), PASSWORD),
        ("deactivated", deactivated, PASSWORD),
        ("deactivated, wrong password", deactivated, "wrong-" + PASSWORD),
        ("deleted", deleted, PASSWORD),
    ]


def test_every_refusal_is_one_and_the_same_answer(api):
    seen = set()
    for case, name, password in refusals(api):
        answer = api.login(name, password)
        assert_envelope(answer, 401, REFUSED)
        headers = {key: value for key, value in answer.headers.items() if key not in ("date", "x-request-id")}
        body = answer.json()
        del body["date_time"]
        seen.add((case and None, str(sorted(headers.items())), str(body)))
    assert len(seen) == 1, seen


def test_an_activated_account_can_log_in_again(api):
    name = api.new_user()
    api.system.user("deactivate", name)
    assert_envelope(api.login(name), 401, REFUSED)
    api.system.user("activate", name)
    assert_envelope(api.login(name), 200)


@pytest.mark.parametrize("name", [
    "", " ", "a:b", " padded ", "x" * 65, "x" * 5000, "line\nbreak", "\u202e", "\U0001f600" * 100, "'; DROP TABLE users",
    "a@b", "/../../etc/passwd",
], ids=lambda name: ascii(name)[:20])
def test_login_takes_any_name(api, name):
    assert_envelope(api.login(name), 401, REFUSED)


@pytest.mark.parametrize("password", ["x", "short", "p" * 511, "\u00e9" * 255, "\x01\x7f\n"],
                         ids=["1 byte", "5 bytes", "511 bytes", "510 bytes in 255", "controls"])
def test_login_takes_passwords_of_1_to_511_bytes(api, password):
    assert_envelope(api.login(api.new_user(), password), 401, REFUSED)


@pytest.mark.parametrize("password, kind", [
    ("", "string_too_short"), ("p" * 512, "string_too_long"), ("\u00e9" * 256, "string_too_long"),
], ids=["empty", "512 bytes", "512 bytes in 256"])
def test_login_refuses_passwords_of_no_or_over_511_bytes_as_422(api, password, kind):
    detail = assert_envelope(api.login(api.new_user(), password), 422)
    assert [(entry["loc"], entry["type"]) for entry in detail] == [(["body", "password"], kind)]


def test_username_and_password_are_never_trimmed(api):
    name = api.new_user()
    assert_envelope(api.login(f" {name}"), 401, REFUSED)
    assert_envelope(api.login(f"{name} "), 401, REFUSED)
    assert_envelope(api.login(name, f" {PASSWORD}"), 401, REFUSED)
    assert_envelope(api.login(name, f"{PASSWORD} "), 401, REFUSED)
    assert_envelope(api.login(name, f"{PASSWORD}\n"), 401, REFUSED)


def test_login_does_not_look_at_authorization(api):
    name = api.new_user()
    answer = api.login(name, headers={"Authorization": "Bearer nonsense"})
    assert_envelope(answer, 200)


def test_login_ignores_unknown_fields(api):
    name = api.new_user()
    answer = api.post("/user/login", {"username": name, "password": PASSWORD, "is_admin": [], "scope": {"a": None}})
    assert_envelope(answer, 200)
    for token in ("access_token", "refresh_token"):
        api.system.remember_secret(answer.json()["detail"][token])


def test_refusals_of_unknown_names_take_as_long_as_those_of_known_ones(system):
    """Coarse by nature: medians of several tries, a factor of three between them would be a give-away."""
    api = system.api()
    known, unknown = api.new_user(), unique_name()
    times = {known: [], unknown: []}
    for _ in range(9):
        for name, seen in times.items():
            answer = api.login(name, "wrong-" + PASSWORD)
            assert answer.status_code == 401
            seen.append(answer.elapsed.total_seconds())
    medians = sorted(sorted(seen)[4] for seen in times.values())
    assert medians[1] < 3 * medians[0], times


def test_refusals_take_as_long_as_the_slowest_method_in_the_store(start_system):
    """A store moved from a slow method to a fast one must not tell the old users from names that do not exist."""
    system = start_system(PASSWORD_METHOD="bcrypt", PASSWORD_COST="11")
    api = system.api()
    slow = api.new_user()
    system.stop("auth")
    system.start("auth", PASSWORD_METHOD="sha256crypt", PASSWORD_COST="5000")
    system.wait_ready()
    fast = api.new_user()
    times = {slow: [], fast: [], unique_name(): []}
    for _ in range(5):
        for name, seen in times.items():
            answer = api.login(name, "wrong-" + PASSWORD)
            assert answer.status_code == 401
            seen.append(answer.elapsed.total_seconds())
    medians = sorted(sorted(seen)[2] for seen in times.values())
    assert medians[-1] < 2 * medians[0], times
