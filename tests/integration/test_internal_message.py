"""What message promises to the services that call it."""

import json

import pytest

from support.sentences import FULL, LIMITED
from support.system import keys

DENIED = "Access denied. Invalid user."
MISSING = "Missing 'is_valid' field"


def get_message(system, body, headers=None):
    return system.internal("message", "POST", "/get-message", body, headers)


@pytest.mark.parametrize("is_valid, is_admin, message", [
    (True, True, FULL), (True, False, LIMITED), (False, True, DENIED), (False, False, DENIED),
])
def test_the_text_follows_the_role(system, version, is_valid, is_admin, message):
    body = json.dumps({"is_valid": is_valid, "is_admin": is_admin}).encode()
    answer = system.ask(version, "POST", "/get-message", [("Content-Type", "application/json")], body, "message")
    assert answer.status_code == 200
    assert keys(answer.text) == ["message"]
    assert answer.json() == {"message": message}


@pytest.mark.parametrize("body", [
    {}, {"is_admin": True}, {"is_valid": None, "is_admin": True}, {"is_valid": True}, {"is_valid": True, "is_admin": None},
    {"IS_VALID": True, "is_admin": True},
], ids=str)
def test_a_field_absent_or_null_is_400(system, body):
    answer = get_message(system, body)
    assert (answer.status_code, answer.json()) == (400, {"detail": MISSING})


@pytest.mark.parametrize("field", ["is_valid", "is_admin"])
@pytest.mark.parametrize("value", ["true", 1, 0, 1.0, "yes", [], {}, ""], ids=repr)
def test_another_type_is_422(system, field, value):
    answer = get_message(system, {"is_valid": True, "is_admin": True, field: value})
    assert answer.status_code == 422
    assert keys(answer.text) == ["detail"]
    assert [(entry["loc"], entry["type"]) for entry in answer.json()["detail"]] == [(["body", field], "bool_type")]


def test_422_comes_before_400(system):
    assert get_message(system, {"is_valid": "true"}).status_code == 422


@pytest.mark.parametrize("method, path, headers, body, status, detail", [
    ("GET", "/nothing", {}, None, 404, "Not Found"),
    ("GET", "/get-message", {}, None, 405, "Method Not Allowed"),
    ("POST", "/get-message", {}, b"x" * 17000, 413, "Request body too large"),
    ("POST", "/get-message", {"Content-Type": "text/plain"}, b"{}", 415,
     "Unsupported media type, send application/json"),
    ("POST", "/get-message", {}, b"", 422, [{"loc": ["body"], "msg": "Field required", "type": "missing"}]),
], ids=str)
def test_errors_common_to_all_are_a_detail_alone(system, method, path, headers, body, status, detail):
    answer = system.internal("message", method, path, body, headers)
    assert (answer.status_code, answer.json()) == (status, {"detail": detail})


@pytest.mark.parametrize("body, kind", [(b"[]", "model_attributes_type"), (b"nonsense", "json_invalid"),
                                        (b'{"is_valid": true, "is_valid": false}', "json_invalid")], ids=repr)
def test_what_is_no_object_is_422(system, body, kind):
    answer = get_message(system, body)
    assert answer.status_code == 422
    assert [entry["type"] for entry in answer.json()["detail"]] == [kind]
