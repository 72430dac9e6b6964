"""The errors common to all, in the order in which they are checked, and the 422 list."""

import json
import re
import threading

import pytest

from support import wire
from support.sentences import BUSY, MISSING, REFUSED
from support.system import PASSWORD, assert_envelope, pairs, unique_name

JSON = [("Content-Type", "application/json")]
BIG = b'{"username": "' + b"x" * 17000 + b'"}'
SIGNUP = {"username": "someone", "password": PASSWORD, "email": "someone@example.org"}

ROUTES = {"/user/signup": "POST", "/user/login": "POST", "/user/message": "GET"}
POSTS = [path for path, method in ROUTES.items() if method == "POST"]


def fault(field, message, kind):
    return {"loc": ["body", field], "msg": message, "type": kind}


def missing(field):
    return fault(field, "Field required", "missing")


# --- 404, 405, 413, 415 -----------------------------------------------------------------------------------------

@pytest.mark.parametrize("path", ["/nothing", "/user", "/user/nothing", "/signup", "/validate-token", "/admin/nothing",
                                  "/user/signup/more", "/get-message", "/favicon.ico"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_an_unknown_path_is_404(system, version, method, path):
    assert_envelope(system.ask(version, method, path), 404, "Not Found")


@pytest.mark.parametrize("path, method", [
    (path, method) for path, right in ROUTES.items()
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get", "post")
    if method != right
])
def test_a_known_path_with_another_method_is_405_and_names_the_right_one(system, version, path, method):
    answer = system.ask(version, method, path)
    assert_envelope(answer, 405, "Method Not Allowed")
    allowed = {name.strip() for name in answer.headers["Allow"].split(",")}
    assert allowed == ({"POST"} if ROUTES[path] == "POST" else {"GET", "HEAD"})


@pytest.mark.parametrize("path", POSTS)
def test_head_of_a_post_path_is_405(system, version, path):
    answer = system.ask(version, "HEAD", path)
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "POST"


@pytest.mark.parametrize("path, method", ROUTES.items())
def test_a_body_over_16_kib_is_413(system, version, path, method):
    assert_envelope(system.ask(version, method, path, JSON, BIG), 413, "Request body too large")


def test_a_body_of_16_kib_is_read_and_one_byte_more_is_413(system, version):
    def body(size):
        start = b'{"username": "nobody_at_all", "password": "12345678", "pad": "'
        return start + b"p" * (size - len(start) - 2) + b'"}'
    assert_envelope(system.ask(version, "POST", "/user/login", JSON, body(16 * 1024)), 401)
    assert_envelope(system.ask(version, "POST", "/user/login", JSON, body(16 * 1024 + 1)), 413)


def test_a_body_of_a_megabyte_is_413_in_the_envelope(system):
    answer = wire.http1(system.port(), "POST", "/user/login", JSON, b"x" * 1_000_000)
    assert_envelope(answer, 413, "Request body too large")


@pytest.mark.parametrize("method, path, status", [("POST", "/nowhere", 404), ("PUT", "/user/login", 405)])
def test_path_and_method_come_before_a_body_that_is_far_too_large(system, method, path, status):
    answer = system.ask("http1", method, path, JSON, b"x" * 100_000)
    assert_envelope(answer, status)
    assert answer.headers.get("Allow") == ("POST" if status == 405 else None)


def test_a_chunked_body_over_16_kib_is_413(system):
    chunk = b"1000\r\n" + b"x" * 4096 + b"\r\n"
    answer = wire.http1(system.port(), "POST", "/user/login", [*JSON, ("Transfer-Encoding", "chunked")],
                        chunk * 5 + b"0\r\n\r\n")
    assert_envelope(answer, 413, "Request body too large")


def test_an_http2_body_beyond_64_kib_is_reset_or_413(system):
    with wire.Http2Connection(system.port()) as connection:
        stream = connection.start("POST", "/user/login", JSON, b"x" * (64 * 1024 + 16384))
        answer = connection.answers([stream])[stream]
    if not isinstance(answer, wire.StreamReset):
        assert_envelope(answer, 413)


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("value", [
    None, "", "text/plain", "text/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
    "application/jsonx", "application/xjson", "application/json+xml", "application/+jso", "json", "application/ json",
    "application/json, text/plain", "application", "image/svg+json",
], ids=repr)
def test_another_content_type_is_415(system, version, path, value):
    headers = [] if value is None else [("Content-Type", value)]
    answer = system.ask(version, "POST", path, headers, json.dumps(SIGNUP).encode())
    assert_envelope(answer, 415, "Unsupported media type, send application/json")


@pytest.mark.parametrize("value", [
    "application/json", "APPLICATION/JSON", "Application/Json; Charset=UTF-8", "application/json;charset=utf-8",
    "application/json ; charset=utf-8", "application/vnd.api+json", "application/problem+JSON; a=b",
], ids=repr)
def test_json_content_types_are_taken_whatever_their_case_and_parameters(system, version, value):
    body = json.dumps({"username": unique_name(), "password": PASSWORD}).encode()
    assert_envelope(system.ask(version, "POST", "/user/login", [("Content-Type", value)], body), 401)


# --- the order --------------------------------------------------------------------------------------------------

PLAIN = [("Content-Type", "text/plain")]


def test_404_comes_before_405_413_415_and_422(system, version):
    assert_envelope(system.ask(version, "PUT", "/user/nothing", PLAIN, BIG), 404)


def test_405_comes_before_413_415_and_422(system, version):
    assert_envelope(system.ask(version, "PUT", "/user/signup", PLAIN, BIG), 405)


def test_413_comes_before_415_and_422(system, version):
    assert_envelope(system.ask(version, "POST", "/user/signup", PLAIN, BIG), 413)


def test_415_comes_before_422(system, version):
    assert_envelope(system.ask(version, "POST", "/user/signup", PLAIN, b"no json"), 415)


def test_422_comes_before_401(api):
    assert_envelope(api.post("/user/login", {"username": 5, "password": "x"}), 422)


UNAUTHORIZED = [  # Authorization lines, the refusal
    ([], 400, MISSING),
    (["Bearer"], 400, MISSING),
    (["Basic eDp5"], 401, REFUSED),
    (["a.b.c"], 401, REFUSED),
    (["Bearer not-a-jws"], 401, REFUSED),
    (["Bearer a.b.c", "Bearer a.b.c"], 401, REFUSED),
    (["Bearer " + "x" * 5000], 401, REFUSED),
]


@pytest.mark.parametrize("lines, status, detail", UNAUTHORIZED, ids=lambda value: str(value)[:30])
@pytest.mark.parametrize("method, path, good, bad", [
    ("PUT", "/user/password", {"current_password": PASSWORD, "new_password": PASSWORD + "-2"}, {"new_password": 5}),
    ("PATCH", "/admin/users/1", {"is_active": False}, {"is_active": "no"}),
], ids=["password", "admin"])
def test_422_comes_before_a_missing_or_unusable_token(system, version, method, path, good, bad, lines, status, detail):
    headers = JSON + [("Authorization", line) for line in lines]
    for body in (json.dumps(bad).encode(), b"{", b""):
        assert_envelope(system.ask(version, method, path, headers, body), 422)
    answer = system.ask(version, method, path, headers, json.dumps(good).encode())
    assert_envelope(answer, status, detail)
    alike = system.ask(version, "GET", "/user/me", headers[len(JSON):])
    assert_envelope(alike, status, detail)
    for name in ("WWW-Authenticate", "Error-Code"):
        assert answer.headers.get(name) == alike.headers.get(name)


def test_422_comes_before_409(api):
    name = api.new_user()
    assert_envelope(api.signup(name, password="short"), 422)


# --- 422 --------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("body, expected", [
    ({}, [missing("username"), missing("password"), missing("email")]),
    ({"username": "a"}, [missing("password"), missing("email")]),
    ({"email": "a@b", "password": PASSWORD}, [missing("username")]),
    ({"USERNAME": "a", "Password": PASSWORD, "email": "a@b"}, [missing("username"), missing("password")]),
    ({"is_admin": None, "email": 7, "password": [], "username": None}, [
        fault("username", "Input should be a valid string", "string_type"),
        fault("password", "Input should be a valid string", "string_type"),
        fault("email", "Input should be a valid string", "string_type"),
        fault("is_admin", "Input should be a valid boolean", "bool_type")]),
    ({"is_admin": "perhaps", "password": "short", "username": {}, "email": "x" * 300}, [
        fault("username", "Input should be a valid string", "string_type"),
        fault("password", "String should have at least 8 bytes", "string_too_short"),
        fault("email", "String should have at most 254 bytes", "string_too_long"),
        fault("is_admin", "Input should be a valid boolean, unable to interpret input", "bool_parsing")]),
    ({**SIGNUP, "username": True}, [fault("username", "Input should be a valid string", "string_type")]),
    ({**SIGNUP, "password": 12345678}, [fault("password", "Input should be a valid string", "string_type")]),
    ({**SIGNUP, "email": ["a@b"]}, [fault("email", "Input should be a valid string", "string_type")]),
    ({**SIGNUP, "username": "x" * 65}, [
        fault("username", "String should have at most 64 characters", "string_too_long")]),
], ids=["nothing", "only a name", "no name", "keys are case-sensitive", "all types wrong", "one fault each", "true",
        "number", "list", "too long"])
def test_signup_reports_every_fault_in_the_order_of_the_fields(api, body, expected):
    assert assert_envelope(api.post("/user/signup", body), 422) == expected


@pytest.mark.parametrize("body, expected", [
    ({}, [missing("username"), missing("password")]),
    ({"password": "x"}, [missing("username")]),
    ({"password": 1, "username": 2}, [
        fault("username", "Input should be a valid string", "string_type"),
        fault("password", "Input should be a valid string", "string_type")]),
    ({"username": None, "password": None}, [
        fault("username", "Input should be a valid string", "string_type"),
        fault("password", "Input should be a valid string", "string_type")]),
], ids=["nothing", "no name", "numbers", "nulls"])
def test_login_reports_every_fault_in_the_order_of_the_fields(api, body, expected):
    assert assert_envelope(api.post("/user/login", body), 422) == expected


def test_an_entry_has_its_keys_in_this_order(api):
    answer = api.post("/user/login", {})
    for entry in dict(pairs(answer.text))["detail"]:
        assert [key for key, _ in entry] == ["loc", "msg", "type"]


@pytest.mark.parametrize("path", POSTS)
def test_an_empty_body_is_missing_with_or_without_a_content_type(system, version, path):
    for headers in (JSON, [], PLAIN):
        for body in (b"", None):
            answer = system.ask(version, "POST", path, headers, body)
            assert assert_envelope(answer, 422) == [{"loc": ["body"], "msg": "Field required", "type": "missing"}]


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("body", [b"[]", b'[{"username": "a"}]', b'"text"', b"5", b"true", b"null", b"1e3"], ids=repr)
def test_a_body_that_is_no_object_is_model_attributes_type(api, path, body):
    detail = assert_envelope(api.post_raw(path, body), 422)
    assert [(entry["loc"], entry["type"]) for entry in detail] == [(["body"], "model_attributes_type")]
    assert detail[0]["msg"]


NOT_JSON = {
    "white space alone": b"  \n",
    "a word": b"nonsense",
    "cut": b'{"username": "a", "passw',
    "cut after the value": b'{"username": "a"',
    "trailing comma": b'{"username": "a",}',
    "trailing text": b'{"username": "a"} x',
    "two objects": b'{"username": "a"}{"password": "b"}',
    "single quotes": b"{'username': 'a'}",
    "unquoted key": b'{username: "a"}',
    "comment": b'{"username": "a" /* no */}',
    "leading zero": b'{"username": "a", "n": 01}',
    "plus": b'{"n": +1}',
    "dot without digits": b'{"n": 1.}',
    "NaN": b'{"n": NaN}',
    "Infinity": b'{"n": -Infinity}',
    "hex": b'{"n": 0x10}',
    "True": b'{"is_admin": True}',
    "raw newline in a string": b'{"username": "a\nb"}',
    "raw NUL in a string": b'{"username": "a\x00b"}',
    "NUL after the object": b'{"username": "a"}\x00',
    "unknown escape": b'{"username": "\\x41"}',
    "short unicode escape": b'{"username": "\\u12"}',
    "lone high surrogate": b'{"username": "\\ud800"}',
    "lone low surrogate": b'{"username": "\\udc00"}',
    "byte order mark": b'\xef\xbb\xbf{"username": "a"}',
    "UTF-16": '{"username": "a"}'.encode("utf-16"),
    "not UTF-8": b'{"username": "\xff"}',
    "not UTF-8 in a key": b'{"\xc3\x28": 1}',
    "overlong UTF-8": b'{"username": "\xc0\xaf"}',
    "UTF-8 surrogate": b'{"username": "\xed\xa0\x80"}',
    "beyond U+10FFFF": b'{"username": "\xf4\x90\x80\x80"}',
    "duplicate key": b'{"username": "a", "username": "b"}',
    "duplicate key, escaped": b'{"username": "a", "\\u0075sername": "b"}',
    "duplicate unknown key": b'{"x": 1, "x": 1}',
    "duplicate key deep inside": b'{"x": [{"y": 1, "y": 2}]}',
    "escaped NUL in a value": b'{"username": "a\\u0000b"}',
    "escaped NUL in a key": b'{"username\\u0000": "a"}',
    "escaped NUL deep inside": b'{"x": [["\\u0000"]]}',
    "too deep": b'{"x": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    "form encoding": b"username=a&password=b",
}


@pytest.mark.parametrize("case", NOT_JSON)
def test_what_is_not_json_is_json_invalid_with_an_offset(api, case):
    body = NOT_JSON[case]
    detail = assert_envelope(api.post_raw("/user/signup", body), 422)
    assert len(detail) == 1 and detail[0]["type"] == "json_invalid" and detail[0]["msg"]
    where, offset = detail[0]["loc"]
    assert where == "body" and isinstance(offset, int) and 0 <= offset <= len(body)


@pytest.mark.parametrize("body", [b'\n\t {"username": "nobody_x", "password": "12345678"} \r\n',
                                  b'{"username": "nobody_x", "password": "1234\\u00e9\\ud83d\\ude00"}',
                                  b'{"x": {"username": 1}, "username": "nobody_x", "password": "12345678", "": 0}'],
                         ids=["white space around", "escapes", "nested"])
def test_odd_but_right_json_is_taken(api, body):
    assert_envelope(api.post_raw("/user/login", body), 401)


def test_no_422_echoes_input(system, version):
    marks = ["eChOeD", "pAsSwOrDeChO"]
    bodies = [
        {"username": marks[0] * 20, "password": marks[1] * 60, "email": marks[0], "is_admin": marks[1]},
        {"username": {marks[0]: marks[1]}, "password": [marks[1]], marks[0]: 1},
        {"username": f"{marks[0]}:", "password": "x", "email": f"{marks[0]} @{marks[1]}"},
    ]
    contents = [json.dumps(body).encode() for body in bodies]
    contents += [b'{"eChOeD": "pAsSwOrDeChO', b'{"eChOeD": 1, "eChOeD": 2}']
    for content in contents:
        answer = system.ask(version, "POST", "/user/signup", JSON, content)
        assert_envelope(answer, 422)
        for mark in marks:
            assert mark.lower() not in answer.text.lower()


# --- 503 when a queue is full ------------------------------------------------------------------------------------

def test_a_full_queue_is_503_with_retry_after(start_system):
    system = start_system(PASSWORD_QUEUE_MAX=1, PASSWORD_WORKERS=1)
    name = system.api().new_user()
    body = json.dumps({"username": name, "password": "wrong-" + PASSWORD}).encode()
    answers = []
    barrier = threading.Barrier(16)

    def login():
        barrier.wait()
        for _ in range(4):
            answers.append(system.ask("http1", "POST", "/user/login", JSON, body))

    threads = [threading.Thread(target=login) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 64
    busy = [answer for answer in answers if answer.status_code != 401]
    assert busy and len(busy) < 64
    for answer in busy:
        assert_envelope(answer, 503, BUSY)
        assert int(answer.headers["Retry-After"]) >= 1
    assert_envelope(system.api().login(name), 200)


# --- what no answer contains -------------------------------------------------------------------------------------

def test_no_error_tells_of_what_is_inside(system, version):
    answers = [
        system.ask(version, "GET", "/%00"),
        system.ask(version, "GET", "/etc/passwd"),
        system.ask(version, "POST", "/user/signup", JSON, b"{"),
        system.ask(version, "POST", "/user/login", JSON, b'{"username": "%s%n", "password": "%s%n%p"}'),
        system.ask(version, "GET", "/user/message", [("Authorization", "Bearer a.b.c")]),
        system.ask(version, "DELETE", "/user/login"),
    ]
    inside = re.compile(r"/tmp|/usr|/root|lmdb|mdb_|curl|cjson|jansson|libjwt|crypt|errno|127\.0\.0\.1|localhost|"
                        rf"{system.port('auth')}|{system.port('message')}|0x[0-9a-f]{{6}}|\.c:", re.IGNORECASE)
    for answer in answers:
        assert answer.status_code >= 400
        assert not inside.search(answer.text), answer.text


def test_what_is_not_http_gets_a_plain_400_and_harms_nobody(system):
    for garbage in (b"\x00\x01\x02\x03\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/1.1\r\nbad header\r\n\r\n",
                    b"POST /user/login HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
                    b"POST /user/login HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n"):
        with wire.connect(system.port()) as sock:
            sock.sendall(garbage)
            sock.shutdown(1)
            data = b""
            while part := sock.recv(65536):
                data += part
        assert data == b"" or re.match(rb"HTTP/1\.\d (400|413) ", data), data
    assert system.ask("http1", "GET", "/").status_code == 200
