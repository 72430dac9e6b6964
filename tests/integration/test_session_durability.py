"""Sessions over a restart and over kill -9: what has ended stays ended, what was rotated stays rotated."""

import itertools
import threading

import pytest

from support.clock import Clock
from support.sentences import FULL, LIMITED, REFUSED
from support.system import PASSWORD, assert_envelope, unique_name

HOW = pytest.mark.parametrize("how", ["stop", "kill"])


@HOW
def test_sessions_live_on(fresh_system, how):
    api = fresh_system.api()
    name = api.new_user()
    tokens = [api.tokens(name) for _ in range(3)]
    before = api.sessions(tokens[0]["access_token"])
    fresh_system.restart("auth", how)
    assert api.sessions(tokens[0]["access_token"]) == before
    for each in tokens:
        assert_envelope(api.message(each["access_token"]), 200, LIMITED)
        api.refreshed(each["refresh_token"])


@HOW
def test_what_has_ended_stays_ended(fresh_system, how):
    api = fresh_system.api()
    _, admin = api.new_admin()
    name, gone, idle, dismissed = (api.new_user() for _ in range(4))
    out, mine, other = (api.tokens(name) for _ in range(3))
    theirs = {user: api.tokens(user) for user in (gone, idle, dismissed)}
    numbers = {user: fresh_system.claims(tokens["access_token"])["uid"] for user, tokens in theirs.items()}
    assert_envelope(api.logout(out["access_token"]), 200)
    assert_envelope(api.end_session(mine["access_token"], fresh_system.claims(other["access_token"])["sid"]), 200)
    assert_envelope(api.request("DELETE", f"/admin/users/{numbers[gone]}", admin), 200)
    assert_envelope(api.request("PATCH", f"/admin/users/{numbers[idle]}", admin, {"is_active": False}), 200)
    assert_envelope(api.request("DELETE", f"/admin/users/{numbers[dismissed]}/sessions", admin), 200)
    fresh_system.restart("auth", how)
    for tokens in (out, other, *theirs.values()):
        assert_envelope(api.message(tokens["access_token"]), 401, REFUSED)
        assert_envelope(api.refresh(tokens["refresh_token"]), 401, REFUSED)
    assert_envelope(api.message(mine["access_token"]), 200, LIMITED)


@HOW
def test_the_replay_window_is_kept(fresh_system, how, tmp_path):
    """The lost answer may well have been lost because of the kill."""
    clock = Clock(tmp_path)
    fresh_system.restart("auth", **clock.settings)
    api = fresh_system.api()
    tokens = api.tokens(api.new_user())
    second = api.refreshed(tokens["refresh_token"])
    fresh_system.restart("auth", how, **clock.settings)
    again = api.refreshed(tokens["refresh_token"])
    assert (again["access_token"], again["refresh_token"]) == (second["access_token"], second["refresh_token"])
    clock.advance(11)
    fresh_system.wait_ready()
    assert_envelope(api.refresh(tokens["refresh_token"]), 401, REFUSED)
    assert_envelope(api.refresh(second["refresh_token"]), 401, REFUSED)


@HOW
def test_what_was_rotated_stays_rotated(fresh_system, how):
    api = fresh_system.api()
    first = api.tokens(api.new_user())
    second = api.refreshed(first["refresh_token"])
    third = api.refreshed(second["refresh_token"])
    fresh_system.restart("auth", how)
    fourth = api.refreshed(third["refresh_token"])
    assert_envelope(api.message(fourth["access_token"]), 200, LIMITED)
    fresh_system.restart("auth", how)
    assert_envelope(api.refresh(first["refresh_token"]), 401, REFUSED)
    for tokens in (first, second, third, fourth):
        assert_envelope(api.message(tokens["access_token"]), 401, REFUSED)


@HOW
def test_theft_stays_told(fresh_system, how):
    api = fresh_system.api()
    first = api.tokens(api.new_user())
    second = api.refreshed(first["refresh_token"])
    third = api.refreshed(second["refresh_token"])
    assert_envelope(api.refresh(first["refresh_token"]), 401, REFUSED)
    fresh_system.restart("auth", how)
    for tokens in (first, second, third):
        assert_envelope(api.message(tokens["access_token"]), 401, REFUSED)
        assert_envelope(api.refresh(tokens["refresh_token"]), 401, REFUSED)


class Storm:
    """Clients that log in, refresh and log out until auth is killed; what each was answered last is what must hold."""

    def __init__(self, system, name, clients=6):
        self.system = system
        self.name = name
        self.ended = []    # access and refresh tokens of sessions whose logout was answered
        self.alive = []    # the same of sessions of which nothing is under way
        self.enough = threading.Semaphore(0)
        self.threads = [threading.Thread(target=self._live) for _ in range(clients)]
        for thread in self.threads:
            thread.start()

    def _live(self):
        own = type(self.system.api())(self.system)
        try:
            for turn in itertools.count():
                answer = own.login(self.name)
                if answer.status_code != 200:
                    return
                tokens = answer.json()["detail"]
                for _ in range(turn % 3):
                    answer = own.refresh(tokens["refresh_token"])
                    if answer.status_code != 200:
                        return
                    tokens = answer.json()["detail"]
                if turn % 2 == 0:
                    self.alive.append(tokens)
                elif own.logout(tokens["access_token"]).status_code == 200:
                    self.ended.append(tokens)
                else:
                    return
                self.enough.release()
        finally:
            own.close()

    def wait(self, count):
        for _ in range(count):
            assert self.enough.acquire(timeout=60)

    def join(self):
        for thread in self.threads:
            thread.join()


def test_kill_in_a_storm_of_logins_refreshes_and_logouts_loses_none_that_was_answered(start_system):
    system = start_system(PASSWORD_METHOD="sha256crypt", PASSWORD_COST="1000", SESSIONS_PER_USER_MAX="10000")
    api = system.api()
    name = api.new_user()
    for _ in range(3):
        storm = Storm(system, name)
        storm.wait(60)
        system.kill_service("auth")
        storm.join()
        system.start("auth")
        system.wait_ready()
        assert storm.ended and storm.alive
        for tokens in storm.ended:
            assert_envelope(api.message(tokens["access_token"]), 401, REFUSED)
            assert_envelope(api.refresh(tokens["refresh_token"]), 401, REFUSED)
        for tokens in storm.alive:
            assert_envelope(api.message(tokens["access_token"]), 200, LIMITED)
            assert assert_envelope(api.refresh(tokens["refresh_token"]), 200)


def test_in_a_full_store_sessions_are_served_refreshed_and_ended(start_system):
    system = start_system(LMDB_MAP_SIZE="1MiB", PASSWORD_METHOD="sha256crypt", PASSWORD_COST="1000")
    api = system.api()
    name = api.new_user()
    tokens, other = api.tokens(name), api.tokens(name)
    for number in range(20000):
        answer = api.signup(f"filler_{number}_" + "\U0001f600" * 40, email=f"{'e' * 200}{number}@example.org")
        if answer.status_code != 201:
            break
    assert_envelope(answer, 503)
    assert_envelope(api.message(tokens["access_token"]), 200, LIMITED)
    for _ in range(20):
        tokens = api.refreshed(tokens["refresh_token"])
    assert_envelope(api.end_session(tokens["access_token"], system.claims(other["access_token"])["sid"]), 200)
    assert_envelope(api.message(other["access_token"]), 401, REFUSED)
    assert_envelope(api.logout(tokens["access_token"]), 200)
    assert_envelope(api.message(tokens["access_token"]), 401, REFUSED)


def test_a_role_and_a_state_set_over_the_api_are_kept_over_a_kill(fresh_system):
    api = fresh_system.api()
    _, admin = api.new_admin()
    promoted, stopped = unique_name(), unique_name()
    for name, change in ((promoted, {"is_admin": True}), (stopped, {"is_active": False})):
        assert api.signup(name).status_code == 201
        assert_envelope(api.request("PATCH", f"/admin/users/{api.user_id(name)}", admin, change), 200)
    fresh_system.restart("auth", "kill")
    assert_envelope(api.message(api.token(promoted)), 200, FULL)
    assert_envelope(api.login(stopped, PASSWORD), 401)
