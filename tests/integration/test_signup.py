"""POST /user/signup, row by row of the API contract."""

import itertools
import json
import re

import pytest

from support.system import PASSWORD, System, assert_envelope, unique_name

CREATED = re.compile(r"^User created successfully, user ID (\d+)!$")
ADMIN_REFUSED = "Only an administrator can create an administrator"


def created_id(answer):
    """The user id that a signup answered."""
    match = CREATED.match(assert_envelope(answer, 201))
    assert match, answer.text
    return int(match.group(1))


def fault(field, message, kind):
    return {"loc": ["body", field], "msg": message, "type": kind}


def is_admin(api, username):
    return api.message(api.token(username)).json()["detail"].startswith("Welcome, Admin!")


def test_signup_answers_201_with_the_user_id(api):
    assert created_id(api.signup(unique_name())) >= 1


def test_ids_count_from_1_and_are_never_reused(fresh_system):
    api = fresh_system.api()
    assert [created_id(api.signup(f"number_{n}")) for n in (1, 2, 3)] == [1, 2, 3]
    fresh_system.user("delete", "number_3", "--yes")
    assert created_id(api.signup("number_3")) == 4
    fresh_system.user("delete", "number_3", "--yes")
    fresh_system.stop("auth")
    fresh_system.start("auth")
    fresh_system.wait_ready()
    assert created_id(api.signup("number_5")) == 5


def test_a_refused_signup_uses_no_id_up(fresh_system):
    api = fresh_system.api()
    assert created_id(api.signup("first")) == 1
    assert api.signup("first", email="other@example.org").status_code == 409
    assert api.signup("x" * 65).status_code == 422
    assert created_id(api.signup("second")) == 2


def test_what_was_signed_up_can_log_in(api):
    name = unique_name()
    number = created_id(api.signup(name, password="pass word: ünï\\\"✓"))
    token = api.token(name, "pass word: ünï\\\"✓")
    assert api.system.claims(token)["uid"] == number


# --- is_admin -------------------------------------------------------------------------------------------------

READS_TRUE = [True, "true", "True", "TRUE", "tRuE", "1", "yes", "YES", "on", "On", "t", "T", "y", "Y", 1, 1.0]
READS_FALSE = [False, "false", "False", "FALSE", "0", "no", "NO", "off", "Off", "f", "F", "n", "N", 0, 0.0]


@pytest.mark.parametrize("value", READS_TRUE, ids=repr)
def test_is_admin_reads_as_true(system, value):
    api = system.api()
    assert is_admin(api, api.new_user(is_admin=value))


@pytest.mark.parametrize("value", READS_FALSE, ids=repr)
def test_is_admin_reads_as_false(system, value):
    api = system.api()
    assert not is_admin(api, api.new_user(is_admin=value))


def test_is_admin_absent_is_false(api):
    assert not is_admin(api, api.new_user())


@pytest.mark.parametrize("value", ["", "maybe", "truee", "2", "-1", " true", "yes ", "null", "1.0", 2, -1], ids=repr)
def test_is_admin_that_does_not_read_as_a_boolean_is_bool_parsing(system, value):
    detail = assert_envelope(system.api().signup(unique_name(), is_admin=value), 422)
    assert detail == [fault("is_admin", "Input should be a valid boolean, unable to interpret input", "bool_parsing")]


@pytest.mark.parametrize("value", [None, [], [True], {}], ids=repr)
def test_is_admin_of_a_wrong_type_is_bool_type(api, value):
    detail = assert_envelope(api.signup(unique_name(), is_admin=value), 422)
    assert detail == [fault("is_admin", "Input should be a valid boolean", "bool_type")]


def test_is_admin_half_true_is_refused(api):
    detail = assert_envelope(api.signup(unique_name(), is_admin=0.5), 422)
    assert len(detail) == 1 and detail[0]["loc"] == ["body", "is_admin"]
    assert detail[0]["type"] in ("bool_type", "bool_parsing")


# --- taken ----------------------------------------------------------------------------------------------------

def test_a_taken_username_is_409(api):
    name = api.new_user()
    answer = api.signup(name, email=f"other-{name}@example.org")
    assert_envelope(answer, 409, f"Username: {name}, already registered")


def test_a_taken_email_is_409(api):
    name = api.new_user()
    answer = api.signup(unique_name(), email=f"{name}@example.org")
    assert_envelope(answer, 409, f"Email ID: {name}@example.org, already registered")


def test_the_username_is_checked_before_the_email(api):
    name = api.new_user()
    assert_envelope(api.signup(name), 409, f"Username: {name}, already registered")


def test_usernames_are_taken_without_regard_to_case_and_the_answer_says_what_was_sent(api):
    name = api.new_user("MixedCase")
    for other in (name.upper(), name.lower(), name.swapcase()):
        answer = api.signup(other, email=f"e-{other}@else.example")
        assert_envelope(answer, 409, f"Username: {other}, already registered")


def test_emails_are_taken_without_regard_to_case(api):
    name = api.new_user("MixedCase")
    email = f"{name}@example.org".swapcase()
    assert_envelope(api.signup(unique_name(), email=email), 409, f"Email ID: {email}, already registered")


def test_only_ascii_case_is_folded(api):
    name = unique_name("ÄÖ")
    assert created_id(api.signup(name, email=f"{unique_name()}@example.org"))
    other = name.replace("ÄÖ", "äö")
    assert created_id(api.signup(other, email=f"{unique_name()}@example.org"))


def test_the_spelling_given_is_kept(api):
    name = unique_name("KeptSpelling")
    number = created_id(api.signup(name, email=f"{name}@Example.ORG"))
    claims = api.system.claims(api.token(name.lower()))
    assert (claims["sub"], claims["uid"]) == (name, number)


def test_usernames_are_not_normalised(api):
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    tail = unique_name()
    first = created_id(api.signup(composed + tail, email=f"{unique_name()}@example.org"))
    second = created_id(api.signup(decomposed + tail, email=f"{unique_name()}@example.org"))
    assert first != second


# --- limits ---------------------------------------------------------------------------------------------------

_serial = itertools.count(100000)


def sized_name(code_points, fill="a"):
    """A username of so many code points that was not used before."""
    number = str(next(_serial))
    return (fill * code_points + number)[-code_points:] if code_points > len(number) else number[-code_points:]


def sized_email(size):
    number = str(next(_serial))
    tail = f"{number}@example.org"
    return "e" * (size - len(tail)) + tail


GOOD_USERNAMES = {
    "one code point": "\u03a9",
    "64 code points": None,
    "64 code points of 4 bytes": None,
    "inner space": "in ner",
    "at sign": "at@name",
    "quotes and backslash": "q\"'\\",
    "slash, percent, question mark": "a/b%00?c",
    "less than": "<script>",
    "emoji": "\U0001f600",
}


@pytest.mark.parametrize("case", GOOD_USERNAMES)
def test_username_within_limits_is_taken(fresh_store_api, case):
    name = GOOD_USERNAMES[case]
    if name is None:
        name = sized_name(64, "\U0001f600" if "bytes" in case else "a")
    email = f"{unique_name()}@example.org"
    assert created_id(fresh_store_api.signup(name, email=email))
    assert fresh_store_api.login(name).status_code == 200


@pytest.fixture(scope="module")
def fresh_store_api(tmp_path_factory):
    """A system whose usernames no other test has used."""
    made = System(tmp_path_factory.mktemp("names"))
    try:
        yield made.api()
        made.close()
    finally:
        made.kill()


TOO_SHORT_OR_LONG = {
    "empty": ("", "string_too_short", 1),
    "65 code points": ("a" * 65, "string_too_long", 64),
    "65 code points of 4 bytes": ("\U0001f600" * 65, "string_too_long", 64),
    "6,000 code points": ("a" * 6000, "string_too_long", 64),
}


@pytest.mark.parametrize("case", TOO_SHORT_OR_LONG)
def test_username_of_a_wrong_length_is_422(api, case):
    name, kind, limit = TOO_SHORT_OR_LONG[case]
    detail = assert_envelope(api.signup(name, email="length@example.org"), 422)
    least = "least" if kind == "string_too_short" else "most"
    words = "character" if limit == 1 else "characters"
    assert len(detail) == 1 and detail[0]["type"] == kind and detail[0]["loc"] == ["body", "username"]
    assert detail[0]["msg"] in (f"String should have at {least} {limit} {words}",
                                f"String should have at {least} {limit} characters")


BAD_USERNAMES = {
    "colon": "a:b",
    "leading space": " zqxj",
    "trailing space": "zqxj ",
    "leading tab": "\tzqxj",
    "trailing no-break space": "zqxj\u00a0",
    "leading ideographic space": "\u3000zqxj",
    "only spaces": "   ",
    "newline inside": "na\nme",
    "carriage return inside": "na\rme",
    "escape": "na\x1bme",
    "delete": "na\x7fme",
    "C1 control": "na\x85me",
    "C1 CSI": "na\x9bme",
    "zero-width space": "na\u200bme",
    "zero-width non-joiner": "na\u200cme",
    "zero-width joiner": "na\u200dme",
    "word joiner": "na\u2060me",
    "byte order mark": "na\ufeffme",
    "left-to-right mark": "na\u200eme",
    "right-to-left mark": "na\u200fme",
    "arabic letter mark": "na\u061cme",
    "left-to-right embedding": "na\u202ame",
    "pop directional formatting": "na\u202cme",
    "right-to-left override": "na\u202eme",
    "left-to-right isolate": "na\u2066me",
    "pop directional isolate": "na\u2069me",
    "line separator": "na\u2028me",
    "paragraph separator": "na\u2029me",
}


@pytest.mark.parametrize("case", BAD_USERNAMES)
def test_username_with_a_forbidden_character_is_422(system, case):
    detail = assert_envelope(system.api().signup(BAD_USERNAMES[case], email="forbidden@example.org"), 422)
    assert [(entry["loc"], entry["type"]) for entry in detail] == [(["body", "username"], "value_error")]
    assert detail[0]["msg"] and "zqxj" not in detail[0]["msg"]


GOOD_PASSWORDS = {
    "8 bytes": "8-bytes!",
    "4 code points of 2 bytes": "\u00e9\u00e8\u00ea\u00eb",
    "511 bytes": "p" * 511,
    "spaces at both ends": "  password  ",
    "control characters": "\x01\x02\t\n\r\x7fabc",
}


@pytest.mark.parametrize("case", GOOD_PASSWORDS)
def test_password_within_limits_is_taken_whole(api, case):
    password = GOOD_PASSWORDS[case]
    name = api.new_user(password=password)
    assert api.login(name, password).status_code == 200
    assert api.login(name, password[:-1] + "x").status_code == 401
    assert api.login(name, password[:-1]).status_code == 401
    assert api.login(name, password.strip()).status_code == (200 if password.strip() == password else 401)


BAD_PASSWORDS = {
    "empty": ("", "string_too_short", "String should have at least 8 bytes"),
    "7 bytes": ("1234567", "string_too_short", "String should have at least 8 bytes"),
    "3 code points, 7 bytes": ("\u20ac\u20aca", "string_too_short", "String should have at least 8 bytes"),
    "512 bytes": ("p" * 512, "string_too_long", "String should have at most 511 bytes"),
    "256 code points, 512 bytes": ("\u00e9" * 256, "string_too_long", "String should have at most 511 bytes"),
}


@pytest.mark.parametrize("case", BAD_PASSWORDS)
def test_password_of_a_wrong_length_is_422(api, case):
    password, kind, message = BAD_PASSWORDS[case]
    detail = assert_envelope(api.signup(unique_name(), password=password), 422)
    assert detail == [fault("password", message, kind)]


@pytest.mark.parametrize("email", ["a@b", "a.b+c@d", "\u00e9@\u00fc.example", "\"q\"@x", "user@localhost", None],
                         ids=["3 bytes", "plus", "not ASCII", "quotes", "no dot", "254 bytes"])
def test_email_within_limits_is_taken(fresh_store_api, email):
    assert created_id(fresh_store_api.signup(unique_name(), email=email or sized_email(254)))


@pytest.mark.parametrize("email, kind, message", [
    ("a@", "string_too_short", "String should have at least 3 bytes"),
    ("e" * 243 + "@example.org", "string_too_long", "String should have at most 254 bytes"),
    ("\u00e9" * 122 + "@example.org", "string_too_long", "String should have at most 254 bytes"),
], ids=["2 bytes", "255 bytes", "256 bytes in 134 code points"])
def test_email_of_a_wrong_length_is_422(api, email, kind, message):
    detail = assert_envelope(api.signup(unique_name(), email=email), 422)
    assert detail == [fault("email", message, kind)]


@pytest.mark.parametrize("email", [
    "no-at-sign", "@domain", "local@", "two@at@signs", "@@@", "a b@example.org", "a@exa mple.org", " a@example.org",
    "a@example.org ", "a@\texample.org", "a@example.org\n", "a\x01@example.org", "a@b\x7f",
    "a@b\u00a0c", "a@b\u2028c", "a@\u0085b",
], ids=ascii)
def test_email_that_is_none_is_422(system, email):
    detail = assert_envelope(system.api().signup(unique_name(), email=email), 422)
    assert [(entry["loc"], entry["type"]) for entry in detail] == [(["body", "email"], "value_error")]


@pytest.mark.parametrize("field", ["username", "password", "email", "is_admin", "ignored"])
def test_a_nul_anywhere_is_json_invalid(api, field):
    body = {"username": unique_name(), "password": PASSWORD, "email": "nul@example.org", field: "before\0after"}
    detail = assert_envelope(api.post("/user/signup", body), 422)
    assert [entry["type"] for entry in detail] == ["json_invalid"]


# --- who may create an administrator ----------------------------------------------------------------------------

def test_first_lets_one_administrator_through_on_loopback(fresh_system):
    api = fresh_system.api()
    assert created_id(api.signup("boss", is_admin=True)) == 1
    assert is_admin(api, "boss")
    assert_envelope(api.signup("second", is_admin=True), 403, ADMIN_REFUSED)
    assert created_id(api.signup("plain", is_admin=False)) == 2


def test_first_lets_an_administrators_token_through(fresh_system):
    api = fresh_system.api()
    created_id(api.signup("boss", is_admin=True))
    token = api.token("boss")
    for name, value in (("with_scheme", f"Bearer {token}"), ("bare", token)):
        created_id(api.signup(name, is_admin="yes", headers={"Authorization": value}))
        assert is_admin(api, name)


def test_first_refuses_anything_but_an_administrators_access_token(fresh_system):
    api = fresh_system.api()
    created_id(api.signup("boss", is_admin=True))
    created_id(api.signup("plain"))
    tokens = api.tokens("boss")
    claims = fresh_system.claims(tokens["access_token"])
    refused = {
        "another user's": f"Bearer {api.token('plain')}",
        "refresh": f"Bearer {tokens['refresh_token']}",
        "expired": f"Bearer {fresh_system.sign({**claims, 'exp': claims['iat'] - 10})}",
        "forged": f"Bearer {fresh_system.sign(claims, key='f' * 48)}",
        "malformed": "Bearer a.b.c",
        "other scheme": "Basic Ym9zczpib3Nz",
        "alone": "Bearer",
    }
    for case, value in refused.items():
        answer = api.signup("x_" + case, email=f"{len(case)}@example.org", is_admin=True,
                            headers={"Authorization": value})
        assert_envelope(answer, 403, ADMIN_REFUSED)
    fresh_system.user("add", "other_boss", "ob@example.org", "--admin", input_text=PASSWORD + "\n")
    fresh_system.user("deactivate", "boss")
    answer = api.signup("late", is_admin=True, headers={"Authorization": f"Bearer {tokens['access_token']}"})
    assert_envelope(answer, 403, ADMIN_REFUSED)


@pytest.mark.parametrize("header, value", [
    ("X-Forwarded-For", "127.0.0.1"), ("X-Forwarded-For", ""), ("Forwarded", "for=127.0.0.1"),
    ("X-Forwarded-For", "203.0.113.7, 127.0.0.1"),
], ids=["X-Forwarded-For", "X-Forwarded-For empty", "Forwarded", "X-Forwarded-For list"])
def test_first_lets_nobody_through_who_was_forwarded(fresh_system, version, header, value):
    body = json.dumps({"username": "boss", "password": PASSWORD, "email": "b@c", "is_admin": True}).encode()
    headers = [("Content-Type", "application/json"), (header, value)]
    answer = fresh_system.ask(version, "POST", "/user/signup", headers, body)
    assert_envelope(answer, 403, ADMIN_REFUSED)
    answer = fresh_system.ask(version, "POST", "/user/signup", headers[:1], body)
    assert created_id(answer) == 1


def test_first_lets_nobody_through_whose_address_is_not_loopback(fresh_system):
    body = {"username": "boss", "password": PASSWORD, "email": "b@c", "is_admin": True}
    answer = fresh_system.internal("auth", "POST", "/signup", body, {"X-Client-Address": "203.0.113.7"})
    assert (answer.status_code, answer.json()) == (403, {"detail": ADMIN_REFUSED})


def test_an_administrator_made_by_the_user_command_counts_as_the_first(fresh_system):
    api = fresh_system.api()
    created_id(api.signup("plain"))
    fresh_system.user("promote", "plain")
    assert_envelope(api.signup("boss", is_admin=True), 403, ADMIN_REFUSED)


def test_that_there_was_an_administrator_is_never_forgotten(fresh_system):
    api = fresh_system.api()
    created_id(api.signup("boss", is_admin=True))
    created_id(api.signup("next"))
    fresh_system.user("promote", "next")
    fresh_system.user("delete", "boss", "--yes")
    fresh_system.stop("auth")
    fresh_system.start("auth")
    fresh_system.wait_ready()
    assert_envelope(api.signup("boss", is_admin=True), 403, ADMIN_REFUSED)


def test_open_always_allows_it(start_system):
    api = start_system(ADMIN_SIGNUP="open").api()
    for name in ("one", "two"):
        created_id(api.signup(name, is_admin=True, headers={"X-Forwarded-For": "203.0.113.7"}))
        assert is_admin(api, name)


def test_closed_never_allows_it(start_system):
    system = start_system(ADMIN_SIGNUP="closed")
    api = system.api()
    assert_envelope(api.signup("boss", is_admin=True), 403, ADMIN_REFUSED)
    created_id(api.signup("boss"))
    system.user("promote", "boss")
    answer = api.signup("two", is_admin=True, headers={"Authorization": f"Bearer {api.token('boss')}"})
    assert_envelope(answer, 403, ADMIN_REFUSED)


def test_authorization_is_looked_at_only_when_is_admin_is_true(api):
    for value in ("Bearer nonsense", "Basic x", "", "Bearer"):
        answer = api.signup(unique_name(), is_admin=False, headers={"Authorization": value})
        assert created_id(answer)


def test_403_comes_before_409(fresh_system):
    api = fresh_system.api()
    created_id(api.signup("boss", is_admin=True))
    assert_envelope(api.signup("boss", is_admin=True), 403, ADMIN_REFUSED)


def test_422_comes_before_403(fresh_system):
    api = fresh_system.api()
    created_id(api.signup("boss", is_admin=True))
    assert_envelope(api.signup("", is_admin=True), 422)
