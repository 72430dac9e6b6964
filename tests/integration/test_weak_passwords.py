"""Weak passwords: among the most common ones, or one's own name or address. Refused where they are set, by a sentence."""

import pytest

from support.system import PASSWORD, assert_envelope, unique_name

# At least 8 bytes, and near the top of every list that was ever published.
COMMON = ["password", "12345678", "123456789", "1234567890", "password1", "iloveyou", "sunshine", "princess", "football",
          "baseball", "superman", "trustno1", "qwertyuiop", "1q2w3e4r", "1qaz2wsx", "11111111", "jennifer",
          "starwars", "computer", "michelle", "corvette", "mercedes", "internet", "whatever", "password123"]
UNCOMMON = ["a quite long phrase of mine", "Tr0ub4dor&3 and more", "8-bytes!", "xkcd-936-staple", "p" * 511,
            "\u5bc6\u7801\u5bc6\u7801", "password of the day"]


def assert_weak(answer, field):
    """422 with one sentence about the field that does not repeat the password."""
    entry, = assert_envelope(answer, 422)
    assert set(entry) == {"loc", "msg", "type"}
    assert (entry["loc"], entry["type"]) == (["body", field], "value_error")
    assert isinstance(entry["msg"], str) and " " in entry["msg"]
    return entry["msg"]


@pytest.mark.parametrize("password", COMMON)
def test_a_common_password_is_refused_at_signup(system, password):
    body = {"username": unique_name(), "password": password, "email": f"{unique_name()}@example.org"}
    sentence = assert_weak(system.api().post("/user/signup", body), "password")
    assert "common" in sentence.lower()


@pytest.mark.parametrize("password", ["password", "1q2w3e4r", "iloveyou"])
def test_a_common_password_is_refused_at_change(api, password):
    name = api.new_user()
    body = {"current_password": PASSWORD, "new_password": password}
    assert_weak(api.request("PUT", "/user/password", api.token(name), body), "new_password")
    assert_envelope(api.login(name), 200)


@pytest.mark.parametrize("password", UNCOMMON, ids=lambda password: ascii(password)[:20])
def test_others_are_taken_at_signup_and_change(api, password):
    name = api.new_user(password=password)
    assert_envelope(api.login(name, password), 200)
    other = api.new_user()
    assert_envelope(api.change_password(api.token(other), PASSWORD, password), 200)


@pytest.mark.parametrize("spelling", [str, str.upper, str.lower, str.title], ids=["same", "upper", "lower", "title"])
def test_ones_own_name_is_refused_in_any_case(api, spelling):
    name = unique_name("Eleonora")
    assert_weak(api.post("/user/signup", {"username": name, "password": spelling(name), "email": f"{unique_name()}@e"}),
                "password")
    name = api.new_user("Eleonora")
    body = {"current_password": PASSWORD, "new_password": spelling(name)}
    assert_weak(api.request("PUT", "/user/password", api.token(name), body), "new_password")


@pytest.mark.parametrize("spelling", [str, str.upper], ids=["same", "upper"])
def test_ones_own_address_is_refused(api, spelling):
    name = unique_name()
    email = f"{name}@Example.org"
    assert_weak(api.post("/user/signup", {"username": name, "password": spelling(email), "email": email}), "password")
    assert api.signup(name, email=email).status_code == 201
    body = {"current_password": PASSWORD, "new_password": spelling(email)}
    assert_weak(api.request("PUT", "/user/password", api.token(name), body), "new_password")


def test_a_name_with_something_more_is_taken(api):
    name = unique_name()
    assert api.signup(name, password=f"{name} and more", email=f"{unique_name()}@e").status_code == 201


def test_anothers_name_is_taken(api):
    other = api.new_user("Someoneelse")
    body = {"username": unique_name(), "password": other, "email": f"{unique_name()}@example.org"}
    assert_envelope(api.post("/user/signup", body), 201)


def test_faults_of_other_fields_are_told_beside_it_in_the_order_of_the_fields(api):
    answer = api.post("/user/signup", {"username": "", "password": "password", "email": "no address"})
    detail = assert_envelope(answer, 422)
    assert [entry["loc"][1] for entry in detail] == ["username", "password", "email"]


def test_too_short_is_told_before_common(api):
    detail = assert_envelope(api.post("/user/signup", {"username": unique_name(), "password": "qwerty", "email": "q@e"}), 422)
    assert [entry["type"] for entry in detail] == ["string_too_short"]


def test_login_takes_weak_passwords_as_any_other(api):
    assert_envelope(api.post("/user/login", {"username": api.new_user(), "password": "password"}), 401,
                    "Incorrect username or password")


def test_a_weak_password_is_refused_before_a_taken_name_is_told(api):
    name = api.new_user()
    assert_weak(api.post("/user/signup", {"username": name, "password": "iloveyou", "email": "t@e"}), "password")


def test_the_list_has_its_source_and_licence_named():
    from support.process import ROOT
    texts = [path.read_text(encoding="utf-8") for pattern in ("*.md", "docs/**/*.md") for path in ROOT.glob(pattern)]
    texts += [path.read_text(encoding="utf-8")[:4000] for path in (ROOT / "auth").glob("*common*")]
    texts += [path.read_text(encoding="utf-8")[:4000] for path in (ROOT / "auth").glob("*password*")]
    about = [text for text in texts if "common password" in text.lower() and "licen" in text.lower()]
    assert about, "no text names where the list of common passwords is from and under which licence"
