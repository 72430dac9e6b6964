"""Paths match byte for byte; HEAD, OPTIONS, queries and trailing slashes."""

import pytest

from support.sentences import MISSING
from support.system import assert_envelope, unique_name

GOOD_PATHS = ["/user/message", "/user/login", "/user/signup"]


@pytest.mark.parametrize("path", [
    "/user%2Fmessage", "/user/%6Dessage", "/user/messag%65", "/%75ser/message", "/user/message%00", "/user/message%20",
    "/user/message%3F", "//user/message", "/user//message", "///user/message", "/./user/message", "/user/./message",
    "/user/../user/message", "/x/../user/message", "/user/message/.", "/user/message/..", "/User/message",
    "/USER/MESSAGE", "/user/messages", "/user/messag", "/user/message/x", "/user/message//", "/user\\message",
    "/user/message;a=b", "/user/message&a=b", "//", "/%2e/user/message",
], ids=ascii)
def test_a_path_that_is_not_byte_for_byte_the_same_is_404(system, version, path):
    assert_envelope(system.ask(version, "GET", path), 404, "Not Found")


@pytest.mark.parametrize("target", ["user/message", "?", "*", "http://127.0.0.1/user/message"], ids=repr)
def test_a_target_that_is_no_path_is_refused(system, target):
    answer = system.ask("http1", "GET", target)
    assert answer.status_code in (400, 404)


@pytest.mark.parametrize("path", GOOD_PATHS + ["/health/ready"])
@pytest.mark.parametrize("query", ["", "?", "?a=b", "?a=b&c=%20d&next=/user/", "?x=//evil.example/"], ids=repr)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_one_trailing_slash_too_many_is_307_to_the_path_without_it(system, version, path, query, method):
    answer = system.ask(version, method, f"{path}/{query}")
    assert answer.status_code == 307
    assert answer.headers["Location"] == path + query
    if path.startswith("/user/"):
        assert_envelope(answer, 307)


def test_two_trailing_slashes_are_404(system, version):
    assert_envelope(system.ask(version, "GET", "/user/message//"), 404)
    assert_envelope(system.ask(version, "GET", "//"), 404)


def test_an_unknown_path_with_a_trailing_slash_is_404(system, version):
    for path in ("/user/nothing/", "/user/", "/nothing/"):
        assert_envelope(system.ask(version, "GET", path), 404)


def test_location_never_leaves_the_host(system, version):
    for path in ("//evil.example/user/message/", "/\\evil.example/user/message/", "/user/message/\\evil.example/"):
        answer = system.ask(version, "GET", path)
        assert answer.status_code == 404
        assert "Location" not in answer.headers


@pytest.mark.parametrize("path, status", [("/", 200), ("/user/message", 400), ("/health/live", 200), ("/nothing", 404)])
def test_head_answers_as_get_without_a_body(system, version, path, status):
    get, head = (system.ask(version, method, path) for method in ("GET", "HEAD"))
    assert get.status_code == head.status_code == status
    assert head.content == b""
    changing = ("date", "x-request-id")
    assert [pair for pair in head.headers.items() if pair[0] not in changing] == \
           [pair for pair in get.headers.items() if pair[0] not in changing]
    assert int(head.headers["Content-Length"]) == len(get.content)


def test_head_with_a_token_answers_200(system, version):
    token = system.api().token(system.api().new_user())
    answer = system.ask(version, "HEAD", "/user/message", [("Authorization", f"Bearer {token}")])
    assert answer.status_code == 200
    assert answer.content == b""


@pytest.mark.parametrize("path", GOOD_PATHS)
def test_options_is_405(system, version, path):
    answer = system.ask(version, "OPTIONS", path, [("Origin", "http://example.org"),
                                                   ("Access-Control-Request-Method", "POST")])
    assert_envelope(answer, 405, "Method Not Allowed")
    assert not [name for name in answer.headers if name.startswith("access-control-")]


@pytest.mark.parametrize("query", ["?", "?a", "?a=b", "?%", "?%00", "?" + "q" * 2000, "??", "?/user/login"], ids=lambda q: q[:8])
def test_unknown_query_parameters_are_ignored(system, version, query):
    assert_envelope(system.ask(version, "GET", f"/user/message{query}"), 400, MISSING)
    body = b'{"username": "%s", "password": "12345678"}' % unique_name().encode()
    answer = system.ask(version, "POST", f"/user/login{query}", [("Content-Type", "application/json")], body)
    assert_envelope(answer, 401)


@pytest.mark.parametrize("service", ["auth", "message"])
@pytest.mark.parametrize("path, method, status", [
    ("/nothing", "GET", 404), ("/user/signup", "POST", 404), ("//", "GET", 404),
])
def test_internal_services_match_paths_the_same_way(system, version, service, path, method, status):
    answer = system.ask(version, method, path, service=service)
    assert (answer.status_code, answer.json()) == (status, {"detail": "Not Found"})
