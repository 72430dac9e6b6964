"""Services that meet over Unix sockets (unix:PATH): what clients see is the same, and the files come and go."""

import json
import os
import shlex
import signal
import socket
import stat
import subprocess

import httpx
import pytest

from support.process import StartFailed, run, wait_until
from support.system import PASSWORD, assert_envelope
from support.up import Up

ADMIN_REFUSED = "Only an administrator can create an administrator"


def over_unix(path):
    """An httpx client over a Unix socket."""
    return httpx.Client(base_url="http://localhost", transport=httpx.HTTPTransport(uds=str(path)), timeout=30)


def settings_for(folder, *names):
    """Every named service on a socket in `folder`; …_LISTEN follows …_SERVICE_URL."""
    return {key: value for name in names for key, value in (
        (f"{name.upper()}_SERVICE_URL", f"unix:{folder / name}.socket"), (f"{name.upper()}_LISTEN", None))}


@pytest.fixture
def folder(tmp_path_factory):
    """A folder with a short name: a socket's path has at most 107 bytes."""
    return tmp_path_factory.mktemp("s")


@pytest.fixture
def unix_system(start_system, folder):
    """A whole system whose auth and message have no port."""
    return start_system(**settings_for(folder, "auth", "message"))


def signup_body(name="boss", **more):
    return {"username": name, "password": PASSWORD, "email": f"{name}@example.org", **more}


def is_listened_on(path):
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


# --- the system ---

def test_signup_login_message_and_health_work(unix_system, version):
    api = unix_system.api(version)
    name = api.new_user()
    assert assert_envelope(api.message(api.token(name)), 200)
    assert_envelope(api.login(name, "another-password"), 401)
    assert_envelope(api.message("a.b.c"), 401)
    assert_envelope(api.signup(name), 409)
    assert api.get("/health/ready").status_code == 200
    for service in ("auth", "message"):
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", unix_system.port(service))) != 0


def test_auth_and_message_do_not_get_each_others_calls(unix_system):
    api = unix_system.api()
    token = api.token(api.new_user())
    for _ in range(20):
        assert_envelope(api.message(token), 200)
    for service, paths in (("auth", {"/signup", "/login", "/validate-tokens", "/health/ready"}),
                           ("message", {"/get-messages", "/health/ready"})):
        asked = {entry["path"] for entry in unix_system[service].requests()}
        assert asked <= paths, asked


def test_the_socket_is_for_its_owner_alone(unix_system, folder):
    for service in ("auth", "message"):
        status = os.stat(folder / f"{service}.socket")
        assert stat.S_ISSOCK(status.st_mode)
        assert stat.S_IMODE(status.st_mode) == 0o600


def test_the_log_names_the_socket(unix_system, folder):
    started = [entry for entry in unix_system["auth"].logs() if entry.get("event") == "started"]
    assert [entry["socket"] for entry in started] == [f"{folder}/auth.socket"]
    assert "port" not in started[0]


def test_metrics_are_served_there(unix_system, folder):
    with over_unix(folder / "auth.socket") as client:
        assert "token_relay_" in client.get("/metrics").text


def test_listen_and_url_may_be_said_apart_and_in_relative_paths(start_system):
    system = start_system(AUTH_LISTEN="unix:auth.socket", AUTH_SERVICE_URL="unix:./auth.socket")
    assert is_listened_on(system.folder / "auth.socket")
    assert_envelope(system.api().message(system.api().token(system.api().new_user())), 200)


def test_the_gateway_may_listen_on_one_too_and_then_counts_no_addresses(start_system, folder):
    path = folder / "gateway.socket"
    system = start_system(services=("auth", "message"))
    system.start("gateway", GATEWAY_LISTEN=f"unix:{path}", CONNECTIONS_PER_ADDRESS_MAX="1")
    with over_unix(path) as one, over_unix(path) as other:
        assert one.get("/health/live").status_code == 200
        assert other.get("/health/live").status_code == 200
        assert_envelope(other.post("/user/signup", json=signup_body("ada")), 201)


# --- files ---

@pytest.mark.parametrize("service", ["auth", "message"])
def test_after_kill_9_a_left_socket_is_replaced(unix_system, folder, service):
    api = unix_system.api()
    token = api.token(api.new_user())
    path = folder / f"{service}.socket"
    unix_system.kill_service(service)
    assert path.exists() and not is_listened_on(path)
    assert_envelope(api.message(token), 502)
    unix_system.start(service)
    unix_system.wait_ready()
    assert_envelope(api.message(token), 200)


def test_a_second_instance_is_refused_and_the_first_goes_on(unix_system, folder):
    ended = run(["message"], unix_system.settings, unix_system.folder)
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == \
        f"token-relay message: cannot listen on unix:{folder}/message.socket: address already in use"
    assert_envelope(unix_system.api().message(unix_system.api().token(unix_system.api().new_user())), 200)


def test_a_clean_stop_removes_the_file(unix_system, folder):
    for service in ("gateway", "auth", "message"):
        unix_system.stop(service)
    assert list(folder.iterdir()) == []


def test_a_start_that_fails_later_removes_the_file(start_system, folder):
    with pytest.raises(StartFailed) as failed:
        start_system(services=("auth",), DATABASE_URL="lmdb:/dev/null/nowhere", **settings_for(folder, "auth"))
    assert "in use" not in failed.value.stderr
    assert list(folder.iterdir()) == []


def test_a_stop_leaves_the_socket_of_a_successor(unix_system, folder):
    path = folder / "message.socket"
    path.unlink()
    first = unix_system.processes.pop("message")
    unix_system.start("message")
    first.stop()
    assert is_listened_on(path)
    unix_system.wait_ready()


def test_a_file_that_is_no_socket_is_left_alone(start_system, folder):
    path = folder / "message.socket"
    path.write_text("precious", encoding="utf-8")
    with pytest.raises(StartFailed) as failed:
        start_system(services=("message",), **settings_for(folder, "message"))
    assert f"cannot listen on unix:{path}: a file that is no socket has that name" in failed.value.stderr
    assert path.read_text(encoding="utf-8") == "precious"


def test_a_missing_folder_is_told(start_system, folder):
    with pytest.raises(StartFailed) as failed:
        start_system(services=("message",), MESSAGE_LISTEN=f"unix:{folder}/none/message.socket")
    assert f"cannot listen on unix:{folder}/none/message.socket: its directory does not exist" in failed.value.stderr


@pytest.mark.parametrize("name", ["AUTH_SERVICE_URL", "AUTH_LISTEN"])
def test_a_path_too_long_is_told(start_system, name):
    with pytest.raises(StartFailed) as failed:
        start_system(services=("auth",), **{name: f"unix:/{'p' * 107}"})
    assert f"{name}=unix:/ppp" in failed.value.stderr
    assert "must have a path of at most 107 bytes behind unix:" in failed.value.stderr


# --- who is near ---

def test_without_a_service_key_a_unix_socket_is_enough(unix_system, folder):
    assert "SERVICE_KEY" not in unix_system.settings
    with over_unix(folder / "message.socket") as client:
        answer = client.post("/get-message", json={"is_valid": True, "is_admin": False})
        assert answer.status_code == 200


def test_with_a_service_key_it_is_asked_for_there_too(start_system, folder):
    system = start_system(SERVICE_KEY="k" * 40, **settings_for(folder, "auth", "message"))
    with over_unix(folder / "message.socket") as client:
        answer = client.post("/get-message", json={"is_valid": True, "is_admin": False})
        assert answer.status_code == 401
    assert_envelope(system.api().message(system.api().token(system.api().new_user())), 200)


def test_the_first_administrator_comes_through_the_gateway_from_loopback(unix_system):
    api = unix_system.api()
    assert_envelope(api.signup("boss", is_admin=True, headers={"X-Forwarded-For": "127.0.0.1"}), 403, ADMIN_REFUSED)
    assert_envelope(api.signup("boss", is_admin=True), 201)
    assert_envelope(api.signup("second", is_admin=True), 403, ADMIN_REFUSED)


def test_who_asks_auth_itself_over_its_socket_may_be_the_first_administrator(unix_system, folder):
    with over_unix(folder / "auth.socket") as client:
        for address in ("203.0.113.7", "unknown", "unix"):
            answer = client.post("/signup", json=signup_body(is_admin=True), headers={"X-Client-Address": address})
            assert (answer.status_code, answer.json()) == (403, {"detail": ADMIN_REFUSED}), address
        assert client.post("/signup", json=signup_body(is_admin=True)).status_code == 201


def test_a_client_of_a_gateway_on_a_unix_socket_is_not_on_loopback(start_system, folder):
    """Most likely it is a proxy, and whom it speaks for nobody knows."""
    path = folder / "gateway.socket"
    system = start_system(services=("auth", "message"))
    system.start("gateway", GATEWAY_LISTEN=f"unix:{path}")
    with over_unix(path) as client:
        assert_envelope(client.post("/user/signup", json=signup_body(is_admin=True)), 403, ADMIN_REFUSED)


# --- under `up` ---

@pytest.fixture
def start_up(tmp_path):
    started = []

    def start(**changes):
        started.append(Up(tmp_path, **changes))
        return started[-1]

    try:
        yield start
        for up in started:
            up.close()
    finally:
        for up in started:
            up.kill()


def test_up_runs_over_unix_sockets_and_restarts_who_was_killed(start_up, folder):
    up = start_up(AUTH_SERVICE_URL=f"unix:{folder}/auth.socket", MESSAGE_SERVICE_URL=f"unix:{folder}/message.socket")
    text = up.process.stdout()
    assert f"unix:{folder}/auth.socket" in text and f"unix:{folder}/message.socket" in text
    assert up.is_ready()
    for name in ("auth", "message"):
        os.kill(up.pid_of(name), signal.SIGKILL)
        up.wait_for_event("child_restarted", child=name)
        wait_until(lambda name=name: is_listened_on(folder / f"{name}.socket"), 30, f"{name} to listen again")
    wait_until(up.is_ready, 30, "the gateway to be ready again")
    up.process.stop()
    assert list(folder.iterdir()) == []


def test_up_and_check_work_where_no_service_has_a_port(start_up, folder):
    up = start_up(**{f"{name}_LISTEN": f"unix:{folder}/{name.lower()}.socket" for name in ("GATEWAY", "AUTH", "MESSAGE")},
                  **{f"{name}_SERVICE_URL": f"unix:{folder}/{name.lower()}.socket" for name in ("AUTH", "MESSAGE")},
                  GATEWAY_METRICS_LISTEN="off")
    text = up.process.stdout()
    curl = next(line.strip() for line in text.splitlines() if line.strip().startswith("curl "))
    answer = subprocess.run(shlex.split(curl), capture_output=True, text=True, timeout=30, check=True)
    assert json.loads(answer.stdout)["status_code"] == 201
    checked = run(["check", f"unix:{folder}/gateway.socket"], up.settings, up.folder)
    assert checked.returncode == 0, checked.stdout + checked.stderr
