"""The gathered forms and the headers form of what auth and message promise: literal shapes, each entry judged alone."""

import json
import time
import urllib.parse

import pytest

from support.sentences import FULL, LIMITED
from support.system import keys, pairs, unique_name

EXPIRED = {"status": 401, "detail": "Token has expired"}
NOT_VALID = {"status": 401, "detail": "Could not validate credentials"}
ADMIN = {"status": 200, "message": FULL}
OTHERS = {"status": 200, "message": LIMITED}
DENIED = {"status": 200, "message": "Access denied. Invalid user."}
MISSING = {"status": 400, "detail": "Missing 'is_valid' field"}

PATHS = {"auth": ("/validate-tokens", "tokens", "a.b.c"),
         "message": ("/get-messages", "requests", {"is_valid": True, "is_admin": True})}
BODY_MAX = 256 * 1024
RUBBISH = [None, True, False, 0, 1, -1.5, 1e300, [], {}, [["a"]], {"x": None}, {"token": "a.b.c"}]


@pytest.fixture(scope="module")
def people(system):
    """Tokens of an administrator, of another user, and what auth says of them."""
    api = system.api()
    found = []
    for is_admin in (True, False):
        name = api.new_user("gathered", is_admin=is_admin)
        token = api.token(name)
        entry = {"status": 200, "user": name, "user_id": system.claims(token)["uid"], "is_admin": is_admin}
        found.append((token, entry))
    return found


def call(system, service, entries, version="http1"):
    path, name, _ = PATHS[service]
    body = json.dumps({name: entries}).encode()
    return system.ask(version, "POST", path, [("Content-Type", "application/json")], body, service)


def assert_results(answer, wanted):
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"].startswith("application/json")
    assert answer.text == json.dumps({"results": wanted}, separators=(",", ":"), ensure_ascii=False)


# --- auth: POST /validate-tokens ----------------------------------------------------------------------------------

def test_tokens_are_judged_in_the_order_asked(system, people, version):
    (admin, admin_entry), (user, user_entry) = people
    expired = system.sign({**system.claims(user), "exp": int(time.time())})
    forged = system.sign(system.claims(admin), key="k" * 40)
    answer = call(system, "auth", [admin, forged, user, expired, user, "a.b.c"], version)
    assert_results(answer, [admin_entry, NOT_VALID, user_entry, EXPIRED, user_entry, NOT_VALID])


def test_one_token_alone_is_a_call(system, people):
    for token, entry in people:
        assert_results(call(system, "auth", [token]), [entry])


def test_the_judgement_is_that_of_the_single_form(system, people):
    api = system.api()
    gone = api.new_user()
    pair = api.tokens(gone)
    (admin, _), (user, _) = people
    claims = system.claims(user)
    tokens = [
        admin, user, pair["access_token"], pair["refresh_token"], "a.b.c", "nonsense", user[:-2], "x" * 5000,
        "." * 20, "a..c", f"Bearer {user}", " ", user + ".", "." + user, user.swapcase(), user + "\n",
        system.sign(claims, key="k" * 40), system.sign({**claims, "use": "refresh"}), system.sign({**claims, "uid": 10**9}),
        system.sign({**claims, "sub": "somebody"}), system.sign({**claims, "exp": 1}),
        system.sign({**claims, "exp": 1}, key="k" * 40), system.sign({**claims, "uid": system.claims(admin)["uid"]}),
    ]
    system.user("deactivate", gone)
    entries = call(system, "auth", tokens).json()["results"]
    assert len(entries) == len(tokens)
    for token, entry in zip(tokens, entries):
        if token.strip() != token:
            assert entry == NOT_VALID  # cannot be sent as a header
            continue
        single = system.internal("auth", "POST", "/validate-token", headers={"token": token})
        assert entry["status"] == single.status_code, token
        if single.status_code == 200:
            assert entry == {"status": 200, **{key: single.json()[key] for key in ("user", "user_id", "is_admin")}}
        else:
            assert entry == {"status": 401, "detail": single.json()["detail"]}


def test_a_name_is_escaped_as_json(system):
    api = system.api()
    name = unique_name('q"uo\\te/<\u00e4\u2713\U0001f600')
    assert api.signup(name, email=f"{unique_name()}@example.org").status_code == 201
    answer = call(system, "auth", [api.token(name)])
    assert answer.json()["results"][0]["user"] == name
    assert [key for key, _ in dict(pairs(answer.text))["results"][0]] == ["status", "user", "user_id", "is_admin"]


def test_what_is_no_text_is_no_token_and_harms_no_other(system, people):
    (admin, admin_entry), (user, user_entry) = people
    entries, wanted = [admin], [admin_entry]
    for rubbish in [*RUBBISH, "", "\t", "\u0001\u007f", "\ud83d\ude00" * 500, "%s%n", "'; --", "x" * 100_000]:
        entries += [rubbish, user]
        wanted += [NOT_VALID, user_entry]
    assert_results(call(system, "auth", entries), wanted)


def test_a_text_with_escapes_is_the_text_it_stands_for(system, people):
    token, entry = people[1]
    escaped = "".join(f"\\u{ord(char):04x}" for char in token)
    answer = system.internal("auth", "POST", "/validate-tokens", b'{"tokens": ["%s"]}' % escaped.encode())
    assert_results(answer, [entry])


# --- message: POST /get-messages ----------------------------------------------------------------------------------

def test_requests_are_answered_in_the_order_asked(system, version):
    roles = [(True, False), (True, True), (False, True), (True, True), (False, False), (True, False)]
    answer = call(system, "message", [{"is_valid": valid, "is_admin": admin} for valid, admin in roles], version)
    assert_results(answer, [OTHERS, ADMIN, DENIED, ADMIN, DENIED, OTHERS])


def test_an_absent_field_and_a_wrong_type_are_that_entrys_own(system):
    good = {"is_valid": True, "is_admin": True}
    absent = [{}, {"is_valid": True}, {"is_admin": True}, {"is_valid": None, "is_admin": True},
              {"is_valid": True, "is_admin": None}, {"IS_VALID": True, "is_admin": True}]
    wrong = [{**good, field: value} for field in good for value in ("true", 1, 0, [], {}, "")]
    wrong += [{"is_valid": "true"}, {"is_admin": 1}]
    entries = [good]
    for entry in absent + wrong:
        entries += [entry, good]
    got = call(system, "message", entries).json()["results"]
    assert got[::2] == [ADMIN] * (len(absent) + len(wrong) + 1)
    assert got[1::2][: len(absent)] == [MISSING] * len(absent)
    for entry in got[1::2][len(absent) :]:
        assert list(entry) == ["status", "detail"]
        assert entry["status"] == 422 and isinstance(entry["detail"], str)


@pytest.mark.parametrize("rubbish", [each for each in RUBBISH if not isinstance(each, dict)] + ["", "true"], ids=repr)
def test_what_is_no_object_is_422_for_that_entry(system, rubbish):
    """As it is for the single form's body."""
    good = {"is_valid": True, "is_admin": False}
    got = call(system, "message", [good, rubbish, good]).json()["results"]
    assert got[0] == got[2] == OTHERS
    assert got[1]["status"] == 422 and list(got[1]) == ["status", "detail"]


# --- both: the call as a whole ------------------------------------------------------------------------------------

@pytest.mark.parametrize("service", PATHS)
def test_a_call_has_one_to_sixty_four_entries(system, service):
    _, name, entry = PATHS[service]
    for count in (1, 2, 63, 64):
        answer = call(system, service, [entry] * count)
        assert answer.status_code == 200 and len(answer.json()["results"]) == count
    for count, kind in ((0, "too_short"), (65, "too_long"), (1000, "too_long")):
        answer = call(system, service, [entry] * count)
        assert answer.status_code == 422 and keys(answer.text) == ["detail"]
        assert [(each["loc"], each["type"]) for each in answer.json()["detail"]] == [(["body", name], kind)]


@pytest.mark.parametrize("service", PATHS)
def test_what_is_no_list_is_422(system, service):
    path, name, entry = PATHS[service]
    for body, loc, kind in (
        ({}, ["body", name], "missing"), ({name.upper(): [entry]}, ["body", name], "missing"),
        ({name: None}, ["body", name], "list_type"), ({name: entry}, ["body", name], "list_type"),
        ({name: {"0": entry}}, ["body", name], "list_type"), ({name: 5}, ["body", name], "list_type"),
        ([entry], ["body"], "model_attributes_type"), (None, ["body"], "model_attributes_type"),
    ):
        answer = system.internal(service, "POST", path, json.dumps(body).encode())
        assert answer.status_code == 422, body
        assert [(each["loc"], each["type"]) for each in answer.json()["detail"]] == [(loc, kind)]
    for content, kind in ((b"", "missing"), (b"nonsense", "json_invalid"), (b'{"%s": [' % name.encode(), "json_invalid"),
                          (b'{"%s": ["\xff"]}' % name.encode(), "json_invalid")):
        answer = system.internal(service, "POST", path, content)
        assert answer.status_code == 422
        assert [each["type"] for each in answer.json()["detail"]] == [kind]


@pytest.mark.parametrize("service", PATHS)
def test_a_body_may_have_256_kib_and_no_more(system, service, version):
    path, name, entry = PATHS[service]
    body = json.dumps({name: [entry]}).encode()
    json_type = [("Content-Type", "application/json")]
    answer = system.ask(version, "POST", path, json_type, body + b" " * (BODY_MAX - len(body)), service)
    assert answer.status_code == 200
    answer = system.ask("http1", "POST", path, json_type, body + b" " * (BODY_MAX + 1 - len(body)), service)
    assert answer.status_code == 413
    assert answer.json() == {"detail": "Request body too large"}
    assert answer.headers["Error-Code"]


def test_the_single_forms_keep_their_limit(system):
    answer = system.internal("message", "POST", "/get-message", b'{"is_valid": true, "is_admin": true}' + b" " * 17000)
    assert answer.status_code == 413


@pytest.mark.parametrize("service", PATHS)
def test_errors_common_to_all_hold_for_gathered_calls(system, service):
    path, name, entry = PATHS[service]
    content = json.dumps({name: [entry]}).encode()
    for headers in ([], [("Content-Type", "text/plain")], [("Content-Type", "application/x-www-form-urlencoded")]):
        answer = system.ask("http1", "POST", path, headers, content, service)
        assert (answer.status_code, answer.json()["detail"]) == (415, "Unsupported media type, send application/json")
    answer = system.ask("http1", "GET", path, service=service)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    assert system.ask("http1", "POST", path + "x", [("Content-Type", "application/json")], content, service).status_code == 404


# --- auth: GET /verify --------------------------------------------------------------------------------------------

def verify(system, authorization=None, version="http1", method="GET", more=()):
    headers = [] if authorization is None else [("Authorization", authorization)]
    return system.ask(version, method, "/verify", [*headers, *more], None, "auth")


def assert_no_body(answer):
    assert answer.content == b"" and answer.headers.get("Content-Length") == "0"
    assert "Content-Type" not in answer.headers


def test_verify_answers_in_headers_alone(system, people, version):
    for token, entry in people:
        for authorization in (f"Bearer {token}", token, f"  bEARER \t {token} "):
            answer = verify(system, authorization, version)
            assert answer.status_code == 200
            assert_no_body(answer)
            assert answer.headers["X-Auth-User"] == entry["user"]
            assert answer.headers["X-Auth-User-Id"] == str(entry["user_id"])
            assert answer.headers["X-Auth-Role"] == ("admin" if entry["is_admin"] else "user")
            assert "WWW-Authenticate" not in answer.headers


def test_verify_encodes_a_name_as_in_a_url(system, version):
    api = system.api()
    name = unique_name("J\u00fcrgen \"M\\%/\u2713;,=~.-_+'@\U0001f600")
    assert api.signup(name, email=f"{unique_name()}@example.org").status_code == 201
    answer = verify(system, api.token(name), version)
    assert answer.status_code == 200
    assert answer.headers["X-Auth-User"] == urllib.parse.quote(name, safe="-._~")
    assert answer.headers["X-Auth-User"].isascii()


def test_verify_refuses_in_headers_alone(system, people, version):
    token = people[0][0]
    claims = system.claims(token)
    given = 'Bearer error="invalid_token"'
    cases = [(None, "Bearer"), ("", "Bearer"), ("Bearer", "Bearer"), ("Basic YTpi", "Bearer"),
             ("Bearer a.b.c", given), ("Bearer " + token[:-3], given), ("x" * 5000, given),
             ("Bearer " + system.sign({**claims, "exp": int(time.time())}), given),
             ("Bearer " + system.sign(claims, key="k" * 40), given)]
    for authorization, wanted in cases:
        answer = verify(system, authorization, version)
        assert answer.status_code == 401, authorization
        assert_no_body(answer)
        assert answer.headers["WWW-Authenticate"] == wanted, authorization
        assert not [name for name in answer.headers if name.lower().startswith("x-auth-")]
    twice = verify(system, f"Bearer {token}", version, more=[("Authorization", f"Bearer {token}")])
    assert (twice.status_code, twice.headers["WWW-Authenticate"]) == (401, given)


def test_verify_believes_no_header_but_authorization(system, people):
    forged = [("X-Auth-User", "admin"), ("X-Auth-Role", "admin"), ("X-Auth-User-Id", "1"), ("token", people[0][0])]
    assert verify(system, None, more=forged).status_code == 401
    answer = verify(system, people[1][0], more=forged)
    assert (answer.headers["X-Auth-Role"], answer.headers["X-Auth-User"]) == ("user", people[1][1]["user"])


def test_verify_is_get_and_head(system, people):
    token = f"Bearer {people[0][0]}"
    assert verify(system, token, method="HEAD").headers["X-Auth-Role"] == "admin"
    answer = verify(system, token, method="POST")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD")


def test_verify_follows_the_store_at_once(system):
    api = system.api()
    name = api.new_user()
    token = api.token(name)
    assert verify(system, token).headers["X-Auth-Role"] == "user"
    system.user("promote", name)
    assert verify(system, token).headers["X-Auth-Role"] == "admin"
    system.user("deactivate", name)
    assert verify(system, token).status_code == 401
