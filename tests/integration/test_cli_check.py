"""`token-relay check`: the demonstration client."""

import re

import pytest

from support.fake_upstream import FakeUpstream, answer
from support.ports import free_port
from support.process import run

DEMO = {"admin_user": "Admin-Demo-2024!", "normal_user": "Normal-Demo-2024!"}
TOKEN = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+")


def check(system, *arguments, **settings):
    return run(["check", *arguments], {**system.settings, **settings}, system.folder)


def test_demo_ends_with_0_on_a_fresh_store(fresh_system):
    ended = check(fresh_system, "--demo")
    assert ended.returncode == 0, ended.stdout
    assert "FAILED" not in ended.stdout and "Left out" not in ended.stdout
    assert "Welcome, Admin! You have full access." in ended.stdout
    assert "Welcome, Authenticated user! Limited access." in ended.stdout
    for name, password in DEMO.items():
        assert fresh_system.api().login(name, password).status_code == 200


def test_demo_ends_with_0_a_second_time(fresh_system):
    assert check(fresh_system, "--demo").returncode == 0
    again = check(fresh_system, "--demo")
    assert again.returncode == 0, again.stdout
    assert "normal_user, already registered" in again.stdout


def test_demo_fails_where_another_is_the_administrator(fresh_system):
    fresh_system.user("add", "boss", "boss@example.org", "--admin", input_text="a password of the boss\n")
    ended = check(fresh_system, "--demo")
    assert ended.returncode == 1
    assert "FAILED" in ended.stdout


def test_each_request_and_response_is_shown_and_no_secret_in_full(fresh_system):
    ended = check(fresh_system, "--demo")
    for line in ("> POST /user/signup", "> POST /user/login", "> GET /user/message", "< 201", "< 200", "< 400", "< 401",
                 "> Authorization: Bearer eyJhbG... ("):
        assert line in ended.stdout
    assert not TOKEN.search(ended.stdout)
    for password in DEMO.values():
        assert password not in ended.stdout
    assert ended.stdout.isascii() and "\x1b" not in ended.stdout


def test_without_an_administrator_it_says_what_it_left_out(system):
    ended = check(system)
    assert ended.returncode == 0, ended.stdout
    assert "Left out: the administrator's half" in ended.stdout and "CHECK_ADMIN_USER" in ended.stdout


def test_the_administrators_half_runs_with_the_environments_account(system):
    name = system.api().new_user("admin", is_admin=True)
    password = "correct-horse-battery-staple"
    ended = check(system, CHECK_ADMIN_USER=name, CHECK_ADMIN_PASSWORD=password)
    assert ended.returncode == 0, ended.stdout
    assert "Welcome, Admin!" in ended.stdout and "Left out" not in ended.stdout
    assert password not in ended.stdout


def test_an_administrator_who_is_none_fails_the_check(system):
    name = system.api().new_user()
    ended = check(system, CHECK_ADMIN_USER=name, CHECK_ADMIN_PASSWORD="correct-horse-battery-staple")
    assert ended.returncode == 1
    assert "FAILED" in ended.stdout


def test_the_url_may_be_given(system, tmp_path):
    ended = run(["check", system.url("gateway") + "/"], {}, tmp_path)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_a_dead_url_is_one_sentence_and_1(tmp_path):
    url = f"http://127.0.0.1:{free_port()}"
    ended = run(["check", url], {}, tmp_path)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"token-relay check: {url}: ") and ended.stderr.count("\n") == 1


@pytest.mark.parametrize("url", ["ftp://127.0.0.1", "127.0.0.1:8181", "http://", "http://h:99999", "http://h/path"])
def test_a_url_that_is_none_is_refused(tmp_path, url):
    ended = run(["check", url], {}, tmp_path)
    assert ended.returncode == 1
    assert ended.stderr.startswith("token-relay check: the URL ") and ended.stdout == ""


@pytest.mark.parametrize("url", ["http://192.0.2.1:8181", "http://example.org"])
def test_demo_accounts_are_made_on_loopback_only(tmp_path, url):
    ended = run(["check", "--demo", url], {}, tmp_path)
    assert ended.returncode == 1
    assert "loopback" in ended.stderr and ended.stdout == ""


@pytest.mark.parametrize("status, body", [
    (200, {"status_code": 200, "detail": "User created successfully, user ID 1!", "date_time": "x"}),
    (201, {"status_code": 200, "detail": "User created successfully, user ID 1!", "date_time": "x"}),
    (201, {"status_code": 201, "detail": "Something else", "date_time": "x"}),
    (201, {"detail": "User created successfully, user ID 1!"}),
    (201, b"<html>"), (201, b""), (201, b"\x1b[31m\xff\x00"),
], ids=["status", "status_code", "detail", "members", "html", "empty", "binary"])
def test_an_answer_that_is_not_as_it_should_be_fails_the_check(tmp_path, status, body):
    upstream = FakeUpstream()
    try:
        upstream.on("/user/signup", answer(status, body))
        ended = run(["check", upstream.url], {}, tmp_path)
    finally:
        upstream.close()
    assert ended.returncode == 1
    assert "FAILED" in ended.stdout.split("2. ")[0]
    assert ended.stdout.isascii() and "\x1b" not in ended.stdout
