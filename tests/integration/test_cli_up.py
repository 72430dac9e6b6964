"""`token-relay up`: starts, keeps running and ends the three services."""

import json
import os
import shlex
import signal
import socket
import stat
import subprocess
import time

import pytest

from support.process import BINARY, environment, run, wait_until
from support.up import MARK, SERVICES, Up, port_of, processes, settings

SECRET = "a-secret-for-tests-with-more-than-32-bytes"


@pytest.fixture
def start_up(tmp_path):
    """start_up(NAME=value, ...): a system under `up`, drained at the end."""
    started = []

    def start(**changes):
        folder = changes.pop("folder", tmp_path)
        started.append(Up(folder, **changes))
        return started[-1]

    try:
        yield start
        for up in started:
            if up.process.is_running():
                up.close()
            assert up.processes() == {}
    finally:
        for up in started:
            up.kill()


def first_curl(text):
    return next(line.strip() for line in text.splitlines() if line.strip().startswith("curl "))


def test_its_first_curl_works_when_pasted(start_up):
    up = start_up()
    arguments = shlex.split(first_curl(up.process.stdout()))
    answer = subprocess.run([*arguments, "--noproxy", "*"], capture_output=True, text=True, timeout=30, check=True)
    assert json.loads(answer.stdout)["status_code"] == 201
    assert json.loads(answer.stdout)["detail"] == "User created successfully, user ID 1!"


def test_it_says_where_everything_is(start_up, tmp_path):
    up = start_up(SECRET_KEY=SECRET)
    text = up.process.stdout()
    for name in SERVICES:
        assert f"http://127.0.0.1:{up.port(name)}" in text
    assert str(tmp_path / "data") in text
    assert "Ctrl-C" in text
    assert SECRET not in text and "SECRET_KEY" not in text
    assert "\x1b" not in text


def test_ready_means_that_a_message_is_answered(start_up):
    up = start_up()
    assert up.is_ready("gateway") and up.is_ready("auth") and up.is_ready("message")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_everything_and_ends_with_0(start_up, number):
    up = start_up()
    assert sorted(up.processes().values()) == ["auth", "gateway", "message", "up"]
    up.process.signal(number)
    assert up.process.child.wait(timeout=30) == 0
    assert up.processes() == {}


def test_the_gateway_is_drained_before_the_others(start_up):
    up = start_up()
    up.process.stop()
    ended = [entry["child"] for entry in up.process.logs() if entry.get("event") == "child_ended"]
    assert ended[0] == "gateway" and sorted(ended) == sorted(SERVICES)


def test_children_are_not_in_the_terminals_process_group(start_up):
    up = start_up()
    groups = {name: os.getpgid(up.pid_of(name)) for name in SERVICES}
    assert groups == {name: up.pid_of(name) for name in SERVICES}


@pytest.mark.parametrize("name", SERVICES)
def test_a_killed_child_is_started_again(start_up, name):
    up = start_up()
    before = up.processes()
    killed = up.pid_of(name)
    os.kill(killed, signal.SIGKILL)
    up.wait_for_event("child_died", child=name, signal=9)
    up.wait_for_event("child_restarted", child=name)
    wait_until(lambda: up.is_ready(name), 30, f"{name} to be ready again")
    assert up.pid_of(name) != killed
    for pid, other in before.items():
        assert other == name or up.processes().get(pid) == other, f"{other} was touched"
    wait_until(up.is_ready, 30, "the gateway to be ready again")


def test_restarts_pause_longer_each_time(start_up):
    up = start_up()
    for deaths in (1, 2, 3):
        os.kill(wait_until(lambda: up.pid_of("message"), 30, "message"), signal.SIGKILL)
        wait_until(lambda: len(up.wait_for_event("child_restarted")) == deaths, 30, f"restart {deaths}")
    times = [entry["time"] for entry in up.process.logs()
             if entry.get("event") in ("child_died", "child_restarted")]
    seconds = [float(text[-10:-1]) for text in times]
    pauses = [(after - before) % 60 for before, after in zip(seconds[::2], seconds[1::2])]
    assert pauses[0] < pauses[1] < pauses[2], pauses


def test_up_killed_leaves_no_children(start_up):
    up = start_up()
    os.kill(up.pid, signal.SIGKILL)
    up.process.child.wait()
    up.wait_gone()


def test_sighup_opens_the_log_file_again(start_up, tmp_path):
    log = tmp_path / "log"
    up = start_up(LOG_FILE=log)
    wait_until(lambda: '"ready"' in log.read_text(), 30, "the log")
    log.rename(tmp_path / "log.old")
    up.process.signal(signal.SIGHUP)
    wait_until(log.exists, 30, "a new log file")
    up.process.stop()
    services = {json.loads(line)["service"] for line in log.read_text().splitlines()}
    assert services == {"up", *SERVICES}


def test_health_of_each_is_logged(start_up):
    up = start_up()
    health = up.wait_for_event("health")[0]
    assert {name: health[name] for name in SERVICES} == {name: "ready" for name in SERVICES}


def test_only_auth_is_handed_the_secret(start_up):
    up = start_up(SECRET_KEY=SECRET, SECRET_KEY_PREVIOUS=SECRET[::-1])
    assert up.environ_of("auth")["SECRET_KEY"] == SECRET
    assert up.environ_of("auth")["SECRET_KEY_PREVIOUS"] == SECRET[::-1]
    for name in ("gateway", "message"):
        assert not any(key.startswith("SECRET_KEY") for key in up.environ_of(name))


# What stops it from starting: one sentence, at once, nothing left running.

def refused(folder, given, cwd=None):
    """Runs `up`, which must refuse; returns its one sentence."""
    began = time.monotonic()
    ended = run(["up"], given, cwd or folder)
    assert time.monotonic() - began < 15
    assert ended.returncode == 1
    assert processes(given[MARK]) == {}
    sentences = [line for line in ended.stderr.splitlines() if line.startswith("token-relay ")]
    assert len(sentences) == 1, ended.stderr
    others = [line for line in ended.stderr.splitlines() if line not in sentences]
    assert all(line.startswith("{") for line in others), ended.stderr
    assert "is up" not in ended.stdout
    return sentences[0]


@pytest.mark.parametrize("name", SERVICES)
def test_a_taken_port_is_refused(tmp_path, name):
    given = settings(tmp_path, SECRET_KEY=SECRET)
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("0.0.0.0", port_of(given, name)))
        taken.listen()
        sentence = refused(tmp_path, given)
    assert sentence.startswith(f"token-relay {name}: ") and str(port_of(given, name)) in sentence


def test_a_port_that_nobody_would_know_is_refused(tmp_path):
    given = settings(tmp_path, SECRET_KEY=SECRET, GATEWAY_LISTEN="127.0.0.1:0")
    assert "port 0" in refused(tmp_path, given)


@pytest.mark.parametrize("setting, value", [
    ("CONNECTIONS_MAX", "lots"), ("AUTH_SERVICE_URL", "ftp://x"), ("SECRET_KEY", "Secret_Key-2024"),
    ("ALGORITHM", "RS256"), ("LOG_FILE", "/nonexistent/folder/log"),
])
def test_a_bad_setting_is_refused(tmp_path, setting, value):
    given = settings(tmp_path, **{"SECRET_KEY": SECRET, setting: value})
    if setting == "LOG_FILE":
        assert "token-relay up: " in refused(tmp_path, given)
        return
    sentence = refused(tmp_path, given)
    assert sentence.startswith("token-relay up: ") and setting in sentence
    assert not (tmp_path / "data").exists()


def test_an_unreadable_database_is_refused(tmp_path):
    (tmp_path / "data").mkdir(mode=0o700)
    (tmp_path / "data" / "data.mdb").write_bytes(b"this is no database" * 1000)
    assert refused(tmp_path, settings(tmp_path, SECRET_KEY=SECRET)).startswith("token-relay auth: ")


def test_a_database_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "data").write_text("a file")
    assert refused(tmp_path, settings(tmp_path, SECRET_KEY=SECRET)).startswith("token-relay auth: ")


# The secret of the first run.

def secret_in(path):
    lines = [line for line in path.read_text().splitlines() if line.startswith("SECRET_KEY=")]
    return lines[-1].partition("=")[2]


def test_the_first_run_makes_a_secret_and_keeps_it(start_up, tmp_path):
    first = start_up()
    path = tmp_path / ".env"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    secret = secret_in(path)
    assert len(secret) == 64
    text = first.process.stdout()
    assert "SECRET_KEY" in text and ".env" in text and secret not in text
    assert secret not in first.process.stderr()
    assert first.environ_of("auth")["SECRET_KEY"] == secret
    first.process.stop()

    before = path.read_bytes()
    second = start_up()
    assert path.read_bytes() == before
    assert second.environ_of("auth")["SECRET_KEY"] == secret
    assert "SECRET_KEY" not in second.process.stdout()


def test_two_first_runs_make_different_secrets(start_up, tmp_path):
    found = set()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        start_up(folder=tmp_path / name).process.stop()
        found.add(secret_in(tmp_path / name / ".env"))
    assert len(found) == 2


@pytest.mark.parametrize("mode, wanted", [(0o644, 0o600), (0o600, 0o600), (0o400, 0o400)])
def test_an_env_file_keeps_what_it_held(start_up, tmp_path, mode, wanted):
    path = tmp_path / ".env"
    path.write_text("# mine\nLOG_LEVEL=debug\nSECRET_KEY=\nOTHER='a b'")
    path.chmod(mode)
    up = start_up()
    text = path.read_text()
    assert text.startswith("# mine\nLOG_LEVEL=debug\nSECRET_KEY=\nOTHER='a b'\n")
    assert up.environ_of("auth")["SECRET_KEY"] == secret_in(path) != ""
    assert stat.S_IMODE(path.stat().st_mode) == wanted
    assert [entry.name for entry in tmp_path.iterdir() if entry.name.startswith(".env")] == [".env"]


def test_an_env_file_that_is_a_link_stays_one(start_up, tmp_path):
    (tmp_path / "real").write_text("A=1\n")
    (tmp_path / ".env").symlink_to("real")
    start_up()
    assert (tmp_path / ".env").is_symlink()
    assert (tmp_path / "real").read_text().startswith("A=1\n") and secret_in(tmp_path / "real")


def test_an_empty_variable_does_not_hide_the_secret_of_the_file(start_up, tmp_path):
    (tmp_path / ".env").write_text(f"SECRET_KEY={SECRET}\n")
    up = start_up(SECRET_KEY="")
    assert up.environ_of("auth")["SECRET_KEY"] == SECRET
    assert (tmp_path / ".env").read_text() == f"SECRET_KEY={SECRET}\n"


def test_where_env_cannot_be_written_it_refuses(tmp_path):
    # Not even root can make a file there.
    sentence = refused(tmp_path, settings(tmp_path), cwd="/proc")
    assert sentence.startswith("token-relay up: ") and "SECRET_KEY" in sentence and ".env" in sentence
    assert not (tmp_path / "data").exists()


def test_an_env_file_with_an_open_quote_still_takes_the_secret(start_up, tmp_path):
    (tmp_path / ".env").write_text("NAME='never closed\n")
    up = start_up()
    assert (tmp_path / ".env").read_text().startswith("NAME='never closed\n")
    assert up.environ_of("auth")["SECRET_KEY"] == secret_in(tmp_path / ".env")


def test_a_second_interrupt_ends_everything_at_once(start_up):
    up = start_up(DRAIN_TIMEOUT_MS="60000")
    # A stopped gateway cannot drain.
    os.kill(up.pid_of("gateway"), signal.SIGSTOP)
    up.process.signal(signal.SIGINT)
    up.wait_for_event("draining")
    up.process.signal(signal.SIGINT)
    assert up.process.child.wait(timeout=20) == 1
    assert up.processes() == {}


def test_a_drain_that_takes_too_long_is_cut_short_and_said(start_up):
    up = start_up(DRAIN_TIMEOUT_MS="100")
    os.kill(up.pid_of("gateway"), signal.SIGSTOP)
    up.process.signal(signal.SIGTERM)
    assert up.process.child.wait(timeout=30) == 1
    assert up.processes() == {}


def test_a_signal_while_starting_ends_with_0(tmp_path):
    given = settings(tmp_path, SECRET_KEY=SECRET)
    with subprocess.Popen([BINARY, "up"], env=environment(given), cwd=tmp_path, stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        wait_until(lambda: "auth" in processes(given[MARK]).values(), 30, "the first child")
        child.send_signal(signal.SIGTERM)
        assert child.wait(timeout=30) == 0
    assert processes(given[MARK]) == {}
