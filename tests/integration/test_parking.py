"""Connections whose request is being worked on: whatever their clients do meanwhile, nobody spins and nothing is lost."""

import json
import os
import socket

from support import wire
from support.system import PASSWORD

# A hash that takes long enough for a client to do something in between.
SLOW = {"PASSWORD_METHOD": "bcrypt", "PASSWORD_COST": "10", "PASSWORD_WORKERS": "1", "LOOPS": "1",
        "PASSWORD_QUEUE_AGE_MS": "9000"}
JSON = [("Content-Type", "application/json")]


def login_bytes(port, name="nobody"):
    body = json.dumps({"username": name, "password": PASSWORD}).encode()
    return wire.http1_request("POST", "/user/login", JSON, body, port=port)


def cpu_s(process):
    """CPU seconds that a process has used."""
    with open(f"/proc/{process.child.pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_requests_sent_while_one_is_worked_on_are_answered_in_their_order(start_system):
    port = start_system(**SLOW).port("gateway")
    connection = wire.connect(port)
    connection.sendall(login_bytes(port))
    connection.sendall(wire.http1_request("GET", "/", port=port))
    connection.sendall(wire.http1_request("GET", "/nowhere", port=port))
    answers = connection.makefile("rb")
    assert [wire.read_http1_answer(answers).status_code for _ in range(3)] == [401, 200, 404]
    connection.sendall(wire.http1_request("GET", "/health/live", port=port))
    assert wire.read_http1_answer(answers).status_code == 200
    connection.close()


def test_clients_that_leave_while_their_request_is_worked_on_cost_nothing(start_system):
    system = start_system(**SLOW)
    gateway = system["gateway"]
    before_s = cpu_s(gateway)
    for _ in range(5):
        connection = wire.connect(system.port("gateway"))
        connection.sendall(login_bytes(system.port("gateway")))
        connection.close()
    # The last one's answer comes after all others' were worked on.
    answer = wire.http1(system.port("gateway"), "POST", "/user/login", JSON,
                        json.dumps({"username": "nobody", "password": PASSWORD}).encode())
    assert answer.status_code == 401
    assert cpu_s(gateway) - before_s < 0.3, "the loop spun on connections that nobody reads"


def test_a_client_that_sends_its_end_with_its_request_is_answered(start_system):
    port = start_system(**SLOW).port("gateway")
    connection = wire.connect(port)
    connection.sendall(login_bytes(port))
    connection.shutdown(socket.SHUT_WR)
    assert wire.read_http1_answer(connection.makefile("rb")).status_code == 401
    connection.close()


def test_a_connection_serves_many_requests_one_after_the_other(start_system):
    system = start_system(LOOPS="1")
    api = system.api()
    token = api.token(api.new_user())
    connection = wire.connect(system.port("gateway"))
    answers = connection.makefile("rb")
    request = wire.http1_request("GET", "/user/message", [("Authorization", f"Bearer {token}")],
                                 port=system.port("gateway"))
    for turn in range(200):
        connection.sendall(request if turn % 3 else wire.http1_request("GET", "/", port=system.port("gateway")))
        assert wire.read_http1_answer(answers).status_code == 200
    connection.close()
