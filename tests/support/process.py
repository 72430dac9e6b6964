"""One process of the program under test: started on an event, stopped by a signal, its log read as JSON lines."""

import json
import os
import pathlib
import select
import signal
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("TOKEN_RELAY_BINARY", ROOT / "build/dev/token-relay"))
PLAIN_BINARY = pathlib.Path(os.environ.get("TOKEN_RELAY_PLAIN_BINARY", ROOT / "build/release/token-relay"))

START_TIMEOUT_S = 30
STOP_TIMEOUT_S = 30
SANITIZER_MARKS = ("AddressSanitizer", "runtime error:", "LeakSanitizer", "ThreadSanitizer")


class StartFailed(Exception):
    """The process ended before it listened."""

    def __init__(self, name, returncode, stderr):
        super().__init__(f"{name} ended with {returncode} before it listened:\n{stderr}")
        self.returncode = returncode
        self.stderr = stderr


def environment(settings):
    """A clean environment: nothing of ours leaks in, proxies least of all."""
    clean = {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "HOME": "/nonexistent",
        "LC_ALL": "C.UTF-8",
        "ASAN_OPTIONS": "exitcode=99:detect_stack_use_after_return=1",
        "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1:exitcode=99",
        "TSAN_OPTIONS": "exitcode=99:halt_on_error=1",
    }
    clean.update({name: str(value) for name, value in settings.items() if value is not None})
    return clean


def sanitizer_report(text):
    """The part of a text from the first sanitizer report on, or None."""
    at = [text.find(mark) for mark in SANITIZER_MARKS if mark in text]
    return text[max(0, min(at) - 200) :] if at else None


def run(arguments, settings, cwd, input_text=None, timeout_s=30, binary=None):
    """Runs a command of the program to its end; a sanitizer's report fails the test."""
    ended = subprocess.run(
        [str(binary or BINARY), *arguments],
        env=environment(settings),
        cwd=cwd,
        input=input_text,
        stdin=subprocess.DEVNULL if input_text is None else None,
        capture_output=True,
        text=True,
        errors="backslashreplace",
        timeout=timeout_s,
        check=False,
    )
    report = sanitizer_report(ended.stderr)
    assert report is None, report
    assert 0 <= ended.returncode < 126, f"{arguments} ended with {ended.returncode}: {ended.stderr}"
    return ended


class Process:
    """`token-relay NAME`, running. Its standard output and error go to files in its folder."""

    _serial = 0

    def __init__(self, name, settings, folder, arguments=None, wrapper=(), binary=None,
                 start_timeout_s=START_TIMEOUT_S):
        Process._serial += 1
        self.name = name
        self.settings = dict(settings)
        self.folder = pathlib.Path(folder)
        self.stderr_path = self.folder / f"{name}-{Process._serial}.stderr"
        self.stdout_path = self.folder / f"{name}-{Process._serial}.stdout"
        self._start([*wrapper, str(binary or BINARY), *(arguments or [name])], start_timeout_s)

    def _start(self, command, timeout_s):
        ready_read, ready_write = os.pipe()
        try:
            env = environment({**self.settings, "TOKEN_RELAY_READY_FD": ready_write})
            with open(self.stderr_path, "wb") as stderr, open(self.stdout_path, "wb") as stdout:
                self.child = subprocess.Popen(
                    command, env=env, cwd=self.folder, stdin=subprocess.DEVNULL,
                    stdout=stdout, stderr=stderr, pass_fds=(ready_write,),
                )
            os.close(ready_write)
            ready_write = -1
            readable, _, _ = select.select([ready_read], [], [], timeout_s)
            if not readable:
                self.kill()
                raise StartFailed(self.name, "nothing (not ready in time)", self.stderr())
            if os.read(ready_read, 1) == b"":
                self.child.wait(timeout=STOP_TIMEOUT_S)
                raise StartFailed(self.name, self.child.returncode, self.stderr())
        finally:
            os.close(ready_read)
            if ready_write >= 0:
                os.close(ready_write)

    def stderr(self):
        return self.stderr_path.read_text(encoding="utf-8", errors="backslashreplace")

    def stdout(self):
        return self.stdout_path.read_text(encoding="utf-8", errors="backslashreplace")

    def logs(self, path=None):
        """Every whole line of the log so far, as objects; a line that is no JSON object fails the test."""
        text = self.stderr() if path is None else pathlib.Path(path).read_text(encoding="utf-8")
        lines = text.split("\n")[:-1]
        entries = []
        for line in lines:
            entry = json.loads(line)
            assert isinstance(entry, dict), f"{self.name} logged something else than an object: {line!r}"
            entries.append(entry)
        return entries

    def requests(self, **wanted):
        """The request lines that have all the given members."""
        return [entry for entry in self.logs() if entry.get("event") == "request"
                and all(entry.get(key) == value for key, value in wanted.items())]

    def wait_for_request_log(self, timeout_s=10, **wanted):
        """The first request line with the given members; lines are written by a thread of their own."""
        return wait_until(lambda: self.requests(**wanted), timeout_s, f"a {self.name} log line with {wanted}")[0]

    def is_running(self):
        return self.child.poll() is None

    def signal(self, number):
        self.child.send_signal(number)

    def stop(self, expected_code=0, timeout_s=STOP_TIMEOUT_S):
        """SIGTERM, then a clean end: the expected code and no sanitizer's report."""
        if self.is_running():
            self.signal(signal.SIGTERM)
        try:
            code = self.child.wait(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not end within {timeout_s} s of SIGTERM:\n"
                                 f"{self.stderr()[-2000:]}") from None
        report = sanitizer_report(self.stderr())
        assert report is None, f"{self.name}: {report}"
        if expected_code is not None:
            assert code == expected_code, f"{self.name} ended with {code}:\n{self.stderr()[-2000:]}"
        return code

    def kill(self):
        """SIGKILL, whatever state it is in."""
        if self.is_running():
            self.child.kill()
        self.child.wait()


def wait_until(look, timeout_s, what):
    """Waits for an event that can only be seen by looking; returns what `look` found."""
    deadline = time.monotonic() + timeout_s
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, f"waited {timeout_s} s for {what}"
        time.sleep(0.02)
