"""Logins in a storm: hashing is bounded, spent only on those who still wait, and nobody else pays for it."""

import json
import threading

import pytest

from support import wire
from support.system import PASSWORD
from support.process import wait_until

# One worker and a hash that takes long, so that logins queue.
SLOW = {"PASSWORD_METHOD": "bcrypt", "PASSWORD_COST": "11", "PASSWORD_WORKERS": "1", "LOOPS": "1",
        "PASSWORD_QUEUE_AGE_MS": "9000"}
WAITING = 12


def login_body(name):
    return json.dumps({"username": name, "password": PASSWORD}).encode()


def start_login(port, path, name):
    """A login sent, its answer not read."""
    connection = wire.connect(port)
    connection.sendall(wire.http1_request("POST", path, [("Content-Type", "application/json")], login_body(name)))
    return connection


def logins(service, status):
    return [line for line in service.requests(status=status) if line["path"].endswith("/login")]


def test_a_login_whose_client_has_left_is_not_hashed_for(start_system):
    system = start_system(services=("auth",), **SLOW)
    auth = system["auth"]
    left = [start_login(system.port("auth"), "/login", f"nobody{i}") for i in range(WAITING)]
    for connection in left:
        connection.close()
    answer = wire.http1(system.port("auth"), "POST", "/login", [("Content-Type", "application/json")],
                        login_body("somebody"))
    assert answer.status_code == 401
    wait_until(lambda: len(logins(auth, 401)) + len(logins(auth, 499)) == WAITING + 1, 10, "every login's line")
    hashed = len(logins(auth, 401)) - 1
    assert hashed <= 2, f"{hashed} of {WAITING} were hashed for nobody"


def test_a_login_that_its_client_resets_at_the_gateway_is_not_hashed_for_by_auth(start_system):
    system = start_system(**SLOW)
    auth = system["auth"]
    with wire.Http2Connection(system.port("gateway")) as client:
        headers = [("content-type", "application/json")]
        streams = [client.start("POST", "/user/login", headers, login_body(f"nobody{i}")) for i in range(WAITING)]
        client.flush()
        for stream in streams:
            client.h2.reset_stream(stream)
        client.flush()
        wait_until(lambda: len(logins(system["gateway"], 499)) == WAITING, 10, "the gateway to see the resets")
    answer = wire.http1(system.port("auth"), "POST", "/login", [("Content-Type", "application/json")],
                        login_body("somebody"))
    assert answer.status_code == 401
    assert len(logins(auth, 401)) - 1 <= 2, "logins were hashed for nobody"


def test_a_full_queue_refuses_at_once_and_messages_are_answered_meanwhile(start_system):
    system = start_system(PASSWORD_QUEUE_MAX="4", **SLOW)
    api = system.api()
    name = api.new_user()
    token = api.token(name)
    answers = []

    def log_in():
        answers.append(wire.http1(system.port("gateway"), "POST", "/user/login",
                                  [("Content-Type", "application/json")], login_body(name)))

    threads = [threading.Thread(target=log_in) for _ in range(WAITING)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert api.message(token).status_code == 200
    for thread in threads:
        thread.join()
    refused = [answer for answer in answers if answer.status_code == 503]
    assert {answer.status_code for answer in answers} == {200, 503}
    assert len(refused) >= WAITING - 6
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in refused)


@pytest.mark.parametrize("age_ms, refused", [("60", {503}), ("8000", set())])
def test_a_login_that_has_waited_too_long_is_refused(start_system, age_ms, refused):
    system = start_system(services=("auth",), **{**SLOW, "PASSWORD_QUEUE_AGE_MS": age_ms})
    waiting = [start_login(system.port("auth"), "/login", f"nobody{i}") for i in range(6)]
    statuses = {wire.read_http1_answer(connection.makefile("rb")).status_code for connection in waiting}
    for connection in waiting:
        connection.close()
    assert statuses - {401} == refused
