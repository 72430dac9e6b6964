"""A 201 means that the user is on disk: kill -9 in a storm of signups loses none that was answered."""

import http.client
import json
import re
import threading
import time

from support.sentences import BUSY, FULL
from support.system import PASSWORD, assert_envelope

STORM_S = 5
WRITERS = 8


class Storm:
    """Concurrent signups over kept-alive connections; remembers exactly what was answered 201."""

    def __init__(self, system):
        self.system = system
        self.created = {}
        self.other = []
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self._write, args=(number,)) for number in range(WRITERS)]

    def start(self):
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def _write(self, writer):
        number = 0
        while not self.stopping.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", self.system.port(), timeout=20)
            try:
                while not self.stopping.is_set():
                    number += 1
                    self._sign_up(connection, f"storm_{writer}_{number}")
            except (OSError, http.client.HTTPException):
                pass
            finally:
                connection.close()

    def _sign_up(self, connection, name):
        body = {"username": name, "password": PASSWORD, "email": f"{name}@example.org"}
        connection.request("POST", "/user/signup", json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        with self.lock:
            if answer.status == 201:
                number = re.search(rb"user ID (\d+)!", text)
                self.created[name] = int(number.group(1))
            else:
                self.other.append(answer.status)


def assert_all_there(system, created):
    """Every user can log in and has the id that the 201 named."""
    names = list(created.items())
    wrong = []

    def check(part):
        api = type(system.api())(system)
        for name, number in part:
            answer = api.login(name)
            if answer.status_code != 200 or system.claims(answer.json()["detail"]["access_token"])["uid"] != number:
                wrong.append((name, number, answer.status_code))
        api.close()

    threads = [threading.Thread(target=check, args=(names[at::4],)) for at in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong, f"{len(wrong)} of {len(names)} lost: {wrong[:5]}"


def test_kill_in_five_seconds_of_concurrent_signups_loses_none_that_was_answered_201(fresh_system):
    storm = Storm(fresh_system)
    storm.start()
    time.sleep(STORM_S)  # the length of the storm is the test's input, not a wait for something
    fresh_system.kill_service("auth")
    storm.stop()
    assert len(storm.created) >= 20, storm.other[:5]
    assert len(set(storm.created.values())) == len(storm.created), "an id was given twice"
    assert set(storm.other) <= {502, 503, 504}
    fresh_system.start("auth")
    fresh_system.wait_ready()
    assert_all_there(fresh_system, storm.created)
    next_id = fresh_system.api().signup("after_the_storm")
    assert_envelope(next_id, 201)
    assert int(re.search(r"ID (\d+)!", next_id.json()["detail"]).group(1)) > max(storm.created.values())


def test_kill_again_and_again_loses_nothing_and_gives_no_id_twice(fresh_system):
    created = {}
    for _ in range(3):
        storm = Storm(fresh_system)
        storm._sign_up = lambda connection, name, run=len(created), own=storm: Storm._sign_up(own, connection, f"{name}_{run}")
        storm.start()
        time.sleep(1)
        fresh_system.kill_service("auth")
        storm.stop()
        assert not set(created.values()) & set(storm.created.values()), "an id was given twice"
        created.update(storm.created)
        fresh_system.start("auth")
        fresh_system.wait_ready()
    assert len(created) >= 10
    assert_all_there(fresh_system, created)


def test_a_drain_in_a_storm_of_signups_finishes_what_it_took(fresh_system):
    storm = Storm(fresh_system)
    storm.start()
    time.sleep(1)
    fresh_system.stop("auth")
    storm.stop()
    fresh_system.start("auth")
    fresh_system.wait_ready()
    assert storm.created
    assert_all_there(fresh_system, storm.created)


def test_a_role_set_by_the_command_while_auth_runs_is_kept_over_a_kill(fresh_system):
    api = fresh_system.api()
    api.signup("chosen")
    fresh_system.user("promote", "chosen")
    fresh_system.kill_service("auth")
    fresh_system.start("auth")
    fresh_system.wait_ready()
    assert_envelope(api.message(api.token("chosen")), 200, FULL)


def test_a_full_store_refuses_what_grows_it_with_503_and_keeps_serving(start_system):
    system = start_system(LMDB_MAP_SIZE="1MiB", PASSWORD_METHOD="sha256crypt", PASSWORD_COST="1000")
    api = system.api()
    token = api.token(api.new_user())
    created = []
    for number in range(20000):
        name = f"filler_{number}_" + "\U0001f600" * 40
        answer = api.signup(name, email=f"{'e' * 200}{number}@example.org")
        if answer.status_code != 201:
            break
        created.append(name)
    assert len(created) > 50
    logins = [api.login(name) for name in created]
    assert {login.status_code for login in logins[:50]} == {200}  # accounts alone keep nobody out
    while logins[-1].status_code == 200:
        assert len(logins) < 20000
        logins.append(api.login(created[len(logins) % len(created)]))
    for refused in (answer, logins[-1]):
        assert_envelope(refused, 503, BUSY)
        assert int(refused.headers["Retry-After"]) >= 1
    assert_envelope(api.message(token), 200)
    statuses = []
    for name in created[:len(created) // 2]:
        system.user("delete", name, "--yes")
        statuses = [api.signup("room_again").status_code, api.login(created[-1]).status_code]
        if statuses[0] in (201, 409) and statuses[1] == 200:
            break
    assert statuses[1:] == [200]
    assert_envelope(api.login("room_again"), 200)
