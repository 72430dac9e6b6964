"""A store made by the version before opens and works: users, passwords, roles, ids, and that there was an administrator."""

import base64
import json
import lzma
import time

import pytest

from support.process import ROOT
from support.sentences import FULL, LIMITED, REFUSED
from support.system import PASSWORD, System, assert_envelope

OLD_PASSWORD = "a password of the version before"
FIXTURE = ROOT / "tests" / "fixtures" / "store-format-1.txt"


def old_store(folder):
    """Unpacks the store that the fixture holds; its text begins with what is in it, then an empty line."""
    folder.mkdir(parents=True, mode=0o700)
    _, packed = FIXTURE.read_text(encoding="utf-8").split("\n\n", 1)
    (folder / "data.mdb").write_bytes(lzma.decompress(base64.b64decode(packed)))


@pytest.fixture
def upgraded(tmp_path):
    """upgraded(NAME=value, ...): a system on the old store."""
    made = []

    def start(**settings):
        folder = tmp_path / f"old-{len(made)}"
        old_store(folder / "data")
        made.append(System(folder, **settings))
        return made[-1]

    try:
        yield start
        for system in made:
            system.close()
    finally:
        for system in made:
            system.kill()


def test_everybody_logs_in_as_before(upgraded):
    system = upgraded()
    api = system.api()
    for name, number, text in (("keeper", 1, FULL), ("ordinary", 2, LIMITED), ("\u00dcn\u00ef c\u00f6d\u00e9", 5, LIMITED)):
        token = api.token(name, OLD_PASSWORD)
        assert system.claims(token)["uid"] == number
        assert_envelope(api.message(token), 200, text)
    for name, password in (("sleeper", OLD_PASSWORD), ("gone", OLD_PASSWORD), ("ordinary", PASSWORD)):
        assert_envelope(api.login(name, password), 401)


def test_sessions_work_for_them(upgraded):
    system = upgraded()
    api = system.api()
    first, other = api.tokens("ordinary", OLD_PASSWORD), api.tokens("ordinary", OLD_PASSWORD)
    second = api.refreshed(first["refresh_token"])
    assert len(api.sessions(second["access_token"])) == 2
    assert_envelope(api.change_password(second["access_token"], OLD_PASSWORD, PASSWORD), 200)
    assert_envelope(api.message(other["access_token"]), 401, REFUSED)
    assert_envelope(api.logout(second["access_token"]), 200)
    assert_envelope(api.message(second["access_token"]), 401, REFUSED)
    assert_envelope(api.login("ordinary", PASSWORD), 200)


def test_tokens_of_the_version_before_belong_to_no_session(upgraded):
    """Their session was never kept anywhere: everybody logs in anew, once."""
    system = upgraded()
    api = system.api()
    claims = system.claims(api.token("ordinary", OLD_PASSWORD))
    now = int(time.time())
    old = {**claims, "sid": "o" * 22, "jti": "p" * 22, "iat": now - 60, "exp": now + 600}
    assert_envelope(api.message(system.sign(old)), 401, REFUSED)
    assert_envelope(api.refresh(system.sign({**old, "use": "refresh", "aud": "token-relay:refresh"})), 401, REFUSED)


def test_ids_go_on_and_what_was_taken_is_taken(upgraded):
    api = upgraded().api()
    assert_envelope(api.signup("Keeper"), 409)
    assert_envelope(api.signup("else", email="ORDINARY@example.org"), 409)
    assert_envelope(api.signup("newcomer"), 201, "User created successfully, user ID 6!")
    assert_envelope(api.signup("gone"), 201, "User created successfully, user ID 7!")


def test_that_there_was_an_administrator_is_not_forgotten(upgraded):
    assert_envelope(upgraded().api().signup("boss", is_admin=True), 403)


def test_the_administrator_runs_the_accounts(upgraded):
    system = upgraded()
    api = system.api()
    token = api.token("keeper", OLD_PASSWORD)
    users = assert_envelope(api.request("GET", "/admin/users", token), 200)["users"]
    assert [(user["user_id"], user["is_admin"], user["is_active"]) for user in users] == [
        (1, True, True), (2, False, True), (3, False, False), (5, False, True)]
    assert users[0]["created_at"].startswith("2026-") and users[2]["deactivated_at"] is not None
    assert_envelope(api.request("PATCH", "/admin/users/3", token, {"is_active": True}), 200)
    assert_envelope(api.login("sleeper", OLD_PASSWORD), 200)
    assert_envelope(api.request("DELETE", "/admin/users/1", token), 409)


def test_the_upgrade_survives_a_kill_and_is_done_once(upgraded):
    system = upgraded()
    api = system.api()
    tokens = api.tokens("ordinary", OLD_PASSWORD)
    system.restart("auth", "kill")
    assert_envelope(api.message(tokens["access_token"]), 200, LIMITED)
    system.restart("auth")
    api.refreshed(tokens["refresh_token"])


def test_the_user_command_opens_it_too_and_upgrades_it(tmp_path):
    old_store(tmp_path / "data")
    system = System(tmp_path, services=())
    system.user("promote", "ordinary")
    listed = json.loads(system.user("list", "--json"))["users"]
    assert [(user["user_id"], user["is_admin"]) for user in listed] == [(1, True), (2, True), (3, False), (5, False)]
    system.services = ("auth", "message", "gateway")
    for name in system.services:
        system.start(name)
    try:
        system.wait_ready()
        assert_envelope(system.api().message(system.api().token("ordinary", OLD_PASSWORD)), 200, FULL)
        system.close()
    finally:
        system.kill()


def test_looking_with_the_command_leaves_every_user_as_it_was(tmp_path):
    old_store(tmp_path / "data")
    system = System(tmp_path, services=())
    first = json.loads(system.user("list", "--json"))
    system.user("show", "ordinary")
    assert json.loads(system.user("list", "--json")) == first
