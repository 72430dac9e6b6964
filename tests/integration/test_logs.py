"""One structured line per request, the same id at every hop, and no secret in any of them."""

import json
import os
import re
import secrets
import signal

import pytest

from support.process import wait_until
from support.system import PASSWORD, unique_name

KEYS = {"time", "level", "service", "event", "request_id", "method", "path", "status", "duration_us"}
ID = re.compile(r"^[A-Za-z0-9._-]{1,64}$")


def new_id():
    return f"test.{secrets.token_hex(8)}"


def line_of(system, service, request_id, **more):
    return system[service].wait_for_request_log(request_id=request_id, **more)


def test_a_request_leaves_one_line_with_these_keys(system, version):
    request_id = new_id()
    answer = system.ask(version, "GET", "/user/message?secret=query", [("X-Request-Id", request_id)])
    assert answer.status_code == 400
    line = line_of(system, "gateway", request_id)
    assert KEYS <= set(line)
    assert (line["service"], line["event"], line["level"]) == ("gateway", "request", "info")
    assert (line["method"], line["path"], line["status"]) == ("GET", "/user/message", 400)
    assert isinstance(line["duration_us"], int) and 0 <= line["duration_us"] < 10_000_000
    assert re.match(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$", line["time"]), line["time"]
    system.ask(version, "GET", "/", [("X-Request-Id", "after-" + request_id)])
    line_of(system, "gateway", "after-" + request_id)
    assert len(system["gateway"].requests(request_id=request_id)) == 1


@pytest.mark.parametrize("method, path, status", [
    ("GET", "/", 200), ("GET", "/nothing", 404), ("PUT", "/user/login", 405), ("POST", "/user/login", 422),
    ("HEAD", "/", 200), ("GET", "/user/message/", 307),
])
def test_every_answer_is_logged_with_its_method_path_and_status(system, method, path, status):
    request_id = new_id()
    assert system.ask("http1", method, path, [("X-Request-Id", request_id)]).status_code == status
    line = line_of(system, "gateway", request_id)
    assert (line["method"], line["path"], line["status"]) == (method, path, status)


@pytest.mark.parametrize("size, chars", [(1, "a"), (64, "Z"), (10, "._-"), (36, "0123456789abcdef-")])
def test_a_good_request_id_is_returned(system, version, size, chars):
    request_id = (chars * 64)[:size]
    answer = system.ask(version, "GET", "/", [("X-Request-Id", request_id)])
    assert answer.headers["X-Request-Id"] == request_id


@pytest.mark.parametrize("bad", [None, "", " ", "a b", "a" * 65, "a/b", "a\"b", "{}", "\u00e4", "a;b", "<b>", "a%00", "\t"],
                         ids=ascii)
def test_a_bad_request_id_is_replaced(system, version, bad):
    answer = system.ask(version, "GET", "/", [] if bad is None else [("X-Request-Id", bad)])
    made = answer.headers["X-Request-Id"]
    assert ID.match(made) and made != bad
    again = system.ask(version, "GET", "/", [] if bad is None else [("X-Request-Id", bad)])
    assert again.headers["X-Request-Id"] != made


def test_errors_return_the_request_id_too(system, version):
    for path, method in (("/nothing", "GET"), ("/user/login", "PUT"), ("/user/message", "GET")):
        request_id = new_id()
        answer = system.ask(version, method, path, [("X-Request-Id", request_id)])
        assert answer.headers["X-Request-Id"] == request_id


def test_the_same_id_is_in_the_logs_of_both_services_a_login_goes_through(system):
    api = system.api()
    name = api.new_user()
    request_id = new_id()
    assert api.login(name, headers={"X-Request-Id": request_id}).status_code == 200
    paths = {service: line_of(system, service, request_id)["path"] for service in ("gateway", "auth")}
    assert paths == {"gateway": "/user/login", "auth": "/login"}


def test_a_messages_line_names_the_gathered_calls_that_carried_it(system, version):
    """Each call has an id of its own, by which the called service logged it."""
    api = system.api(version)
    token = api.token(api.new_user())
    request_id = new_id()
    answer = api.get("/user/message", {"Authorization": f"Bearer {token}", "X-Request-Id": request_id})
    assert answer.status_code == 200
    calls = line_of(system, "gateway", request_id, path="/user/message")["calls"].split(",")
    assert len(set(calls)) == 2 and all(ID.match(call) for call in calls), calls
    assert line_of(system, "auth", calls[0])["path"] == "/validate-tokens"
    assert line_of(system, "message", calls[1])["path"] == "/get-messages"
    for service in ("auth", "message"):
        assert not system[service].requests(request_id=request_id)


def test_a_refused_tokens_line_names_the_one_call_that_carried_it(system):
    request_id = new_id()
    answer = system.api().get("/user/message", {"Authorization": "Bearer a.b.c", "X-Request-Id": request_id})
    assert answer.status_code == 401
    call = line_of(system, "gateway", request_id)["calls"]
    assert ID.match(call)
    line = line_of(system, "auth", call)
    assert (line["path"], line["status"]) == ("/validate-tokens", 200)


def test_what_no_gathered_call_carried_names_none(system):
    for path, headers in (("/", {}), ("/user/message", {}), ("/user/message", {"Authorization": "Bearer no-token"})):
        request_id = new_id()
        system.api().get(path, {"X-Request-Id": request_id, **headers})
        assert "calls" not in line_of(system, "gateway", request_id)


def test_a_made_id_is_passed_on_as_well(system):
    api = system.api()
    made = api.login(api.new_user()).headers["X-Request-Id"]
    assert line_of(system, "auth", made)["path"] == "/login"
    assert line_of(system, "gateway", made)["path"] == "/user/login"


def test_the_user_id_is_logged_where_it_is_known(system):
    api = system.api()
    name = api.new_user()
    token = api.token(name)
    number = system.claims(token)["uid"]
    ids = {}
    for what, path in (("login", "/user/login"), ("message", "/user/message")):
        ids[what] = new_id()
        if what == "login":
            api.login(name, headers={"X-Request-Id": ids[what]})
        else:
            api.get(path, {"Authorization": f"Bearer {token}", "X-Request-Id": ids[what]})
    assert line_of(system, "auth", ids["login"])["user_id"] == number
    line = line_of(system, "gateway", ids["message"])
    assert line["user_id"] == number
    assert "user_id" not in line_of(system, "auth", line["calls"].split(",")[0]), "a call may be about many users"
    refused = new_id()
    api.login(unique_name(), headers={"X-Request-Id": refused})
    assert "user_id" not in line_of(system, "auth", refused)


def test_levels_follow_the_status(start_system):
    system = start_system(services=("gateway",))
    request_id = new_id()
    assert system.api().login("someone", headers={"X-Request-Id": request_id}).status_code == 502
    assert line_of(system, "gateway", request_id)["level"] == "warn"


def test_at_level_warn_good_requests_leave_no_line(start_system):
    system = start_system(services=("gateway",), LOG_LEVEL="warn")
    assert system.ask("http1", "GET", "/").status_code == 200
    request_id = new_id()
    assert system.api().login("someone", headers={"X-Request-Id": request_id}).status_code == 502
    line_of(system, "gateway", request_id)
    assert [line["status"] for line in system["gateway"].requests()] == [502]


def test_no_password_token_or_secret_is_ever_logged_even_at_level_debug(start_system):
    system = start_system(LOG_LEVEL="debug", ADMIN_SIGNUP="open")
    api = system.api()
    marks = {name: f"{name}-{secrets.token_hex(12)}" for name in ("good", "bad", "odd", "cut", "path", "query", "head")}
    for mark in marks.values():
        system.remember_secret(mark)
    name = api.new_user(password=marks["good"])
    tokens = api.tokens(name, marks["good"])
    assert api.login(name, marks["bad"]).status_code == 401
    api.post("/user/signup", {"username": {"x": marks["odd"]}, "password": [marks["odd"]], "email": 5})
    api.post_raw("/user/login", b'{"username": "a", "password": "%s' % marks["cut"].encode())
    api.signup(name, password=marks["good"])
    for token in (tokens["access_token"], tokens["refresh_token"], system.sign({"sub": name}), "a." + marks["head"] + ".c"):
        api.message(token)
        api.get(f"/user/message?access_token={token}")
        system.internal("auth", "POST", "/validate-token", headers={"token": token})
        system.internal("auth", "POST", "/validate-tokens", {"tokens": [token, [token], {token: token}]})
        system.internal("auth", "POST", "/validate-tokens", {token: token})
        system.internal("auth", "GET", "/verify", headers={"Authorization": f"Bearer {token}"})
    api.get(f"/user/message?token={marks['query']}", {"Authorization": f"Basic {marks['head']}", "Cookie": marks["head"]})
    for service in ("gateway", "message", "auth"):
        system.stop(service)
        assert system.past[-1].requests()
    system.assert_no_secret_was_logged()
    everything = "".join(process.stderr() for process in system.past)
    assert "$y$" not in everything, "a password hash was logged"


def test_text_from_clients_is_escaped_to_printable_ascii(system):
    for nasty, status in ((b"/\xff\xe2\x80\xae\xc2\x9b\"\\", 404), (b"/\x1b[31mred\x7f", 400)):
        answer = system.ask("http2", "GET", nasty)
        assert answer.status_code == status
        request_id = answer.headers["X-Request-Id"]
        line_of(system, "gateway", request_id)
        raw = next(line for line in system["gateway"].stderr_path.read_bytes().split(b"\n")
                   if request_id.encode() in line)
        assert all(0x20 <= byte < 0x7F for byte in raw), raw
        assert json.loads(raw)["path"].startswith("/")


def test_a_line_break_in_a_path_makes_no_second_line(system):
    request_id = new_id()
    forged = b'/x\n{"event":"request","request_id":"forged-' + request_id.encode() + b'"}\r\n'
    try:
        system.ask("http2", "GET", forged, [("X-Request-Id", request_id)])
    except Exception:  # refused by the server's own parser: just as well
        pass
    after = new_id()
    system.ask("http1", "GET", "/", [("X-Request-Id", after)])
    line_of(system, "gateway", after)
    assert not system["gateway"].requests(request_id="forged-" + request_id)


def test_a_long_path_does_not_make_an_endless_line(system):
    request_id = new_id()
    answer = system.ask("http1", "GET", "/" + "long" * 1000, [("X-Request-Id", request_id)])
    assert answer.status_code == 404
    assert len(json.dumps(line_of(system, "gateway", request_id))) < 8192


def test_log_file_is_opened_again_on_sighup(start_system, tmp_path):
    file = tmp_path / "gateway.log"
    system = start_system(services=("gateway",), LOG_FILE=str(file))
    gateway = system["gateway"]

    def line_in(path, request_id):
        return path.exists() and [line for line in gateway.logs(path) if line.get("request_id") == request_id]

    before, after = new_id(), new_id()
    system.ask("http1", "GET", "/", [("X-Request-Id", before)])
    wait_until(lambda: line_in(file, before), 10, "the line in the log file")
    rotated = tmp_path / "gateway.log.1"
    os.rename(file, rotated)
    gateway.signal(signal.SIGHUP)
    wait_until(file.exists, 10, "the log file to be opened again")
    system.ask("http1", "GET", "/", [("X-Request-Id", after)])
    wait_until(lambda: line_in(file, after), 10, "the line in the new log file")
    assert not line_in(rotated, after) and not line_in(file, before)
    assert gateway.is_running()
    assert before not in gateway.stderr() and after not in gateway.stderr()


def test_a_log_file_that_cannot_be_opened_is_one_clear_sentence(start_system, tmp_path):
    from support.process import StartFailed

    with pytest.raises(StartFailed) as failed:
        start_system(services=("gateway",), LOG_FILE=str(tmp_path / "no" / "such" / "folder" / "x.log"))
    assert "LOG_FILE" in failed.value.stderr or "x.log" in failed.value.stderr
    assert failed.value.returncode == 1


def test_every_line_of_every_service_is_a_json_object_that_names_its_service(fresh_system):
    api = fresh_system.api()
    api.message(api.token(api.new_user()))
    for service in ("gateway", "message", "auth"):
        fresh_system.stop(service)
        lines = fresh_system.past[-1].logs()
        assert lines
        for line in lines:
            assert {"time", "level", "service", "event"} <= set(line)
            assert line["service"] == service


def test_a_reader_that_is_stuck_stalls_nobody(start_system):
    """Standard error is a pipe that nobody reads: requests are served all the same."""
    import subprocess

    from support import wire
    from support.process import BINARY, environment

    system = start_system(services=("auth", "message"))
    read_end, write_end = os.pipe()
    ready_read, ready_write = os.pipe()
    gateway = subprocess.Popen(
        [str(BINARY), "gateway"], cwd=system.folder, stdin=subprocess.DEVNULL, stderr=write_end, pass_fds=(ready_write,),
        env=environment({**system.settings, "LOG_QUEUE_MAX": "65536", "TOKEN_RELAY_READY_FD": ready_write}))
    try:
        os.close(write_end)
        os.close(ready_write)
        assert os.read(ready_read, 1)
        with wire.connect(system.port()) as sock, sock.makefile("rb") as file:
            for _ in range(40):
                sock.sendall(wire.http1_request("GET", "/" + "x" * 500) * 50)
                for _ in range(50):
                    assert wire.read_http1_answer(file).status_code == 404
        gateway.send_signal(signal.SIGTERM)
        assert gateway.wait(timeout=20) == 0
    finally:
        if gateway.poll() is None:
            gateway.kill()
        gateway.wait()
        for descriptor in (read_end, ready_read):
            os.close(descriptor)


def test_text_form_is_for_people(start_system):
    system = start_system(services=("gateway",), LOG_FORMAT="text")
    request_id = new_id()
    system.ask("http1", "GET", "/user/message", [("X-Request-Id", request_id)])
    wait_until(lambda: request_id in system["gateway"].stderr(), 10, "the line")
    line = next(line for line in system["gateway"].stderr().splitlines() if request_id in line)
    assert not line.startswith("{") and "/user/message" in line and "400" in line
    assert PASSWORD not in line
