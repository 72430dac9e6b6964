"""Processes of our own: started, watched, ended by their id, and gone when the measurement ends."""

import os
import pathlib
import signal
import socket
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("BENCH_BUILD", ROOT / "build/release"))
PROGRAM = BUILD / "token-relay"
STOP_TIMEOUT_S = 20


class Failed(Exception):
    """What was measured is worth nothing; the sentence says why."""


def tool(name):
    """The path of one of bench/'s own programs."""
    path = BUILD / "bench" / name
    if not path.exists():
        raise Failed(f"{path} does not exist: ./dev build makes it")
    return str(path)


def environment(settings):
    """A clean environment: settings of whoever runs this do not leak in."""
    clean = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/nonexistent", "LC_ALL": "C.UTF-8"}
    clean.update({name: str(value) for name, value in settings.items()})
    return clean


def free_port():
    """A port on which nobody listens, outside the kernel's ephemeral range where that leaves room."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
        last = min(32000, int(file.read().split()[0]) - 1)
    for _ in range(1000):
        port = 12000 + int.from_bytes(os.urandom(4), "big") % max(1, last - 12000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise Failed("no port is free")


def run(command, timeout_s, settings=None):
    """Runs a program to its end and returns what it printed."""
    try:
        ended = subprocess.run(command, env=environment(settings or {}), stdin=subprocess.DEVNULL,
                               capture_output=True, text=True, timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired:
        raise Failed(f"{command[0]} took longer than {timeout_s} s") from None
    except FileNotFoundError:
        raise Failed(f"{command[0]} is not installed: ./dev bench installs it") from None
    if ended.returncode != 0:
        raise Failed(f"{os.path.basename(command[0])} ended with {ended.returncode}: {ended.stderr.strip()[-500:]}")
    return ended.stdout


class Process:
    """A server, running until close()."""

    def __init__(self, command, settings, folder):
        folder.mkdir(parents=True, exist_ok=True)
        self.name = " ".join(os.path.basename(word) for word in command[:2])
        self.log = folder / "output"
        self.started = time.monotonic()
        with open(self.log, "wb") as output:
            self.child = subprocess.Popen(command, env=environment(settings), cwd=folder,
                                          stdin=subprocess.DEVNULL, stdout=output, stderr=output)

    @property
    def pid(self):
        return self.child.pid

    def wait_for_port(self, port, timeout_s=20):
        deadline = time.monotonic() + timeout_s
        while True:
            if self.child.poll() is not None:
                raise Failed(f"{self.name} ended: {self.tail()}")
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise Failed(f"{self.name} did not listen: {self.tail()}") from None
                time.sleep(0.01)

    def tail(self):
        return self.log.read_text(encoding="utf-8", errors="replace").strip()[-500:]

    def close(self):
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
            try:
                self.child.wait(timeout=STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def family(pid):
    """A process and all that descend from it."""
    found = [pid]
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text(encoding="ascii").split():
            found += family(int(child))
    return found


def pss_kib(pids):
    """Proportional set size: memory shared by several counts in parts (proc(5))."""
    total = 0
    for pid in pids:
        text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
        total += next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
    return total
