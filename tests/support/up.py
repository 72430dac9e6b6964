"""`token-relay up`, running, and what it leaves behind: every process of a test carries a mark in its environment."""

import os
import pathlib
import secrets

from support.ports import free_port
from support.process import BINARY, Process, wait_until
from support.wire import http1

MARK = "TOKEN_RELAY_TEST_MARK"
SERVICES = ("auth", "message", "gateway")


def settings(folder, **changes):
    """Settings of a system on free ports, its store in `folder`, without a SECRET_KEY; None unsets."""
    ports = {name: free_port() for name in SERVICES}
    made = {
        "USER_SERVICE_URL": f"http://127.0.0.1:{ports['gateway']}/",
        "AUTH_SERVICE_URL": f"http://127.0.0.1:{ports['auth']}/",
        "MESSAGE_SERVICE_URL": f"http://127.0.0.1:{ports['message']}/",
        "GATEWAY_METRICS_LISTEN": f"127.0.0.1:{free_port()}",
        "DATABASE_URL": f"lmdb:{pathlib.Path(folder) / 'data'}",
        "LMDB_MAP_SIZE": "64MiB",
        "LOG_FORMAT": "json",
        "LOOPS": "1",
        "THROTTLE": "off",
        MARK: secrets.token_hex(8),
    }
    made.update(changes)
    return made


def port_of(given, name):
    """The port that a service gets by its URL."""
    key = {"gateway": "USER", "auth": "AUTH", "message": "MESSAGE"}[name]
    return int(given[f"{key}_SERVICE_URL"].rstrip("/").rsplit(":", 1)[1])


def processes(mark):
    """{pid: command name} of the processes that carry a mark; zombies have no environment."""
    found = {}
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            environ = (entry / "environ").read_bytes().split(b"\0")
            if f"{MARK}={mark}".encode() in environ:
                found[int(entry.name)] = (entry / "cmdline").read_bytes().split(b"\0")[1].decode()
        except (OSError, IndexError):
            continue
    return found


class Up:
    """A system under `up`; close() drains it."""

    def __init__(self, folder, wrapper=(), **changes):
        self.folder = pathlib.Path(folder)
        self.settings = settings(folder, **changes)
        self.process = Process("up", self.settings, folder, wrapper=wrapper, binary=BINARY)

    @property
    def pid(self):
        return self.process.child.pid

    def port(self, name="gateway"):
        return port_of(self.settings, name)

    def processes(self):
        return processes(self.settings[MARK])

    def pid_of(self, name):
        """The pid of a running service, or None."""
        return next((pid for pid, command in self.processes().items() if command == name), None)

    def environ_of(self, name):
        data = pathlib.Path(f"/proc/{self.pid_of(name)}/environ").read_bytes()
        return dict(entry.split("=", 1) for entry in data.decode().split("\0") if "=" in entry)

    def wait_for_event(self, event, **members):
        def look():
            return [entry for entry in self.process.logs() if entry.get("service") == "up"
                    and entry.get("event") == event and all(entry.get(key) == value for key, value in members.items())]
        return wait_until(look, 30, f"event {event} {members}")

    def is_ready(self, name="gateway"):
        try:
            return http1(self.port(name), "GET", "/health/ready").status_code == 200
        except (OSError, AssertionError):
            return False

    def wait_gone(self):
        wait_until(lambda: not self.processes(), 30, "every process to end")

    def close(self, expected_code=0):
        try:
            self.process.stop(expected_code)
            assert self.processes() == {}
        finally:
            self.kill()

    def kill(self):
        self.process.kill()
        for pid in self.processes():
            try:
                os.kill(pid, 9)
            except ProcessLookupError:
                pass
