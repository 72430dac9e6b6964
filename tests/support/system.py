"""The whole system, or a part of it, as real processes on ports and in a folder of their own."""

import itertools
import json
import pathlib
import re
import secrets
import socket

import httpcore
import httpx
import jwt
from httpcore.backends.sync import SyncBackend

from support import wire
from support.ports import free_port
from support.process import Process, StartFailed, run, wait_until

PASSWORD = "correct-horse-battery-staple"
SERVICES = ("auth", "message", "gateway")
DATE_TIME = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$")
TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")  # RFC 3339, UTC

# Hashes that cost next to nothing, for tests of many logins.
CHEAP_HASHES = {"PASSWORD_METHOD": "sha256crypt", "PASSWORD_COST": "1000"}

# The gateway believes the tests where their client is: at("203.0.113.7") are the headers of such a request.
BEHIND_A_PROXY = {"TRUSTED_PROXIES": "127.0.0.1", "CLIENT_ADDRESS_HEADER": "X-Forwarded-For"}


def at(address, **more):
    return {"X-Forwarded-For": address, **more}


def bearer(token, **more):
    return {"Authorization": f"Bearer {token}", **more}

_names = itertools.count(1)


def unique_name(prefix="user"):
    """A username that no other test uses."""
    return f"{prefix}_{next(_names)}_{secrets.token_hex(3)}"


def pairs(text):
    """JSON with its objects as lists of pairs, so that the order of keys can be compared."""
    return json.loads(text, object_pairs_hook=list)


def keys(text):
    """The keys of a JSON object in their order."""
    return [key for key, _ in pairs(text)]


def assert_envelope(answer, status, detail=None):
    """The public envelope, whole; `detail` is compared where given. Returns the detail."""
    assert answer.status_code == status, f"{answer.status_code}: {answer.text}"
    assert keys(answer.text) == ["status_code", "detail", "date_time"]
    body = answer.json()
    assert body["status_code"] == status
    assert DATE_TIME.match(body["date_time"]), body["date_time"]
    assert answer.headers["Content-Type"].split(";")[0].strip() == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    if status >= 400:
        assert re.match(r"^[A-Za-z][A-Za-z0-9_-]*$", answer.headers.get("Error-Code", "")), answer.headers
    else:
        assert "Error-Code" not in answer.headers
    if detail is not None:
        assert body["detail"] == detail
    return body["detail"]


class PromptBackend(SyncBackend):
    """Connections without Nagle's delay, which costs 40 ms where a client sends headers and body by two writes."""

    def connect_tcp(self, *arguments, **named):
        stream = super().connect_tcp(*arguments, **named)
        stream.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return stream


def http_client(base_url, version="http1"):
    """An httpx client of one HTTP version (HTTP/2: prior knowledge) that no proxy diverts."""
    versions = {"http1": version == "http1", "http2": version == "http2"}
    transport = httpx.HTTPTransport(verify=False, trust_env=False, **versions)
    transport._pool = httpcore.ConnectionPool(network_backend=PromptBackend(), **versions)
    return httpx.Client(base_url=base_url, transport=transport, trust_env=False, timeout=30)


class Api:
    """What a client does, over one HTTP version. Answers are httpx.Response."""

    def __init__(self, system, version="http1"):
        self.system = system
        self.version = version
        self.http = http_client(system.url("gateway"), version)

    def close(self):
        self.http.close()

    def get(self, path, headers=None):
        return self.http.get(path, headers=headers)

    def post(self, path, body, headers=None):
        return self.http.post(path, json=body, headers=headers)

    def request(self, method, path, token=None, body=None, headers=None):
        """Any request, with an access token, a body as JSON, or neither."""
        sent = {**(bearer(token) if token is not None else {}), **(headers or {})}
        return self.http.request(method, path, headers=sent, **({} if body is None else {"json": body}))

    def post_raw(self, path, content, headers=None):
        sent = {"Content-Type": "application/json"} if headers is None else headers
        return self.http.post(path, content=content, headers=sent)

    def signup(self, username, password=PASSWORD, email=None, headers=None, **more):
        body = {"username": username, "password": password, "email": email or f"{username}@example.org", **more}
        self.system.remember_secret(password)
        return self.post("/user/signup", body, headers)

    def login(self, username, password=PASSWORD, headers=None):
        self.system.remember_secret(password)
        answer = self.post("/user/login", {"username": username, "password": password}, headers)
        self.system.remember_pair(answer)
        return answer

    def refresh(self, refresh_token, headers=None):
        answer = self.post("/user/refresh", {"refresh_token": refresh_token}, headers)
        self.system.remember_pair(answer)
        return answer

    def refreshed(self, refresh_token):
        """Refreshes and returns the detail of the answer: the next pair."""
        return assert_envelope(self.refresh(refresh_token), 200)

    def logout(self, token=None, refresh_token=None, headers=None):
        body = None if refresh_token is None else {"refresh_token": refresh_token}
        return self.request("POST", "/user/logout", token, body, headers)

    def me(self, token):
        return self.request("GET", "/user/me", token)

    def sessions(self, token):
        """One's own sessions, as the list that was answered."""
        detail = assert_envelope(self.request("GET", "/user/sessions", token), 200)
        assert list(detail) == ["sessions"]
        return detail["sessions"]

    def end_session(self, token, sid):
        return self.request("DELETE", f"/user/sessions/{sid}", token)

    def change_password(self, token, current, new, headers=None):
        for password in (current, new):
            self.system.remember_secret(password)
        body = {"current_password": current, "new_password": new}
        return self.request("PUT", "/user/password", token, body, headers)

    def new_admin(self, prefix="admin"):
        """Makes an administrator by the user command, and returns the name and an access token."""
        name = self.new_user(prefix)
        self.system.user("promote", name)
        return name, self.token(name)

    def user_id(self, username):
        return self.system.claims(self.token(username))["uid"]

    def message(self, token=None, authorization=None):
        if token is not None:
            authorization = f"Bearer {token}"
        return self.get("/user/message", None if authorization is None else {"Authorization": authorization})

    def new_user(self, prefix="user", **more):
        """Signs a user up and returns the name."""
        name = unique_name(prefix)
        answer = self.signup(name, **more)
        assert answer.status_code == 201, answer.text
        return name

    def tokens(self, username, password=PASSWORD):
        """Logs in and returns the detail of the answer: both tokens."""
        answer = self.login(username, password)
        assert answer.status_code == 200, answer.text
        return answer.json()["detail"]

    def token(self, username, password=PASSWORD):
        return self.tokens(username, password)["access_token"]


class System:
    """Some of the services, each with its settings; `settings` overrides what is said here (None unsets)."""

    def __init__(self, folder, services=SERVICES, **settings):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.services = tuple(services)
        self.overrides = dict(settings)
        self.binary = self.overrides.pop("binary", None)
        self.wrapper = self.overrides.pop("wrapper", {})
        self.start_timeout_s = self.overrides.pop("start_timeout_s", 30)
        self.secret_key = settings.get("SECRET_KEY") or secrets.token_urlsafe(48)
        self.secrets = {self.secret_key}
        self.processes = {}
        self.past = []
        self._apis = {}
        self._start_all()

    def _start_all(self):
        for attempt in range(3):
            self.ports = {name: free_port() for name in (*SERVICES, "metrics")}
            self.settings = self._settings()
            try:
                for name in SERVICES:
                    if name in self.services:
                        self.start(name)
                if "gateway" in self.services and "auth" in self.services:
                    self.wait_ready("gateway")
                return
            except StartFailed as failed:
                self.kill()
                taken = re.search(r"in use|taken", failed.stderr)
                if not taken or attempt == 2:
                    raise
            except BaseException:
                self.kill()
                raise

    def _settings(self):
        settings = {
            "GATEWAY_LISTEN": f"127.0.0.1:{self.ports['gateway']}",
            "GATEWAY_METRICS_LISTEN": f"127.0.0.1:{self.ports['metrics']}",
            "AUTH_LISTEN": f"127.0.0.1:{self.ports['auth']}",
            "MESSAGE_LISTEN": f"127.0.0.1:{self.ports['message']}",
            "USER_SERVICE_URL": self.url("gateway") + "/",
            "AUTH_SERVICE_URL": self.url("auth") + "/",
            "MESSAGE_SERVICE_URL": self.url("message") + "/",
            "DATABASE_URL": f"lmdb:{self.folder / 'data'}",
            "LMDB_MAP_SIZE": "64MiB",
            "THROTTLE": "off",
            "SECRET_KEY": self.secret_key,
            "LOG_FORMAT": "json",
            "LOG_LEVEL": "info",
            "LOOPS": "2",
            "KEEPALIVE_TIMEOUT_MS": "600000",  # a client that tests share may be idle for minutes
        }
        for name, value in self.overrides.items():
            settings[name] = value.format(**self.ports) if isinstance(value, str) else value
        return settings

    def url(self, name):
        return f"http://127.0.0.1:{self.ports[name]}"

    def port(self, name="gateway"):
        return self.ports[name]

    def __getitem__(self, name):
        """The running process of a service."""
        return self.processes[name]

    def start(self, name, **changes):
        """Starts one service (again); returns once it listens."""
        assert name not in self.processes
        settings = {**self.settings, **changes}
        self.processes[name] = Process(name, settings, self.folder, wrapper=self.wrapper.get(name, ()),
                                       binary=self.binary, start_timeout_s=self.start_timeout_s)
        return self.processes[name]

    def stop(self, name, expected_code=0):
        process = self.processes.pop(name)
        self.past.append(process)
        return process.stop(expected_code)

    def kill_service(self, name):
        """SIGKILL for one service, as a crash would do it."""
        process = self.processes.pop(name)
        self.past.append(process)
        process.kill()

    def kill(self):
        for process in self.processes.values():
            process.kill()
        self.past.extend(self.processes.values())
        self.processes = {}

    def close(self):
        """Drains everything, gateway first, and checks what must hold for every run."""
        for api in self._apis.values():
            api.close()
        try:
            for name in reversed(SERVICES):
                if name in self.processes:
                    self.stop(name)
        finally:
            self.kill()
        self.assert_no_secret_was_logged()

    def wait_ready(self, name="gateway", timeout_s=30):
        """Until /health/ready answers 200."""
        def ready():
            try:
                return wire.http1(self.ports[name], "GET", "/health/ready").status_code == 200
            except (OSError, AssertionError):
                return False
        wait_until(ready, timeout_s, f"{name} to be ready")

    def api(self, version="http1"):
        if version not in self._apis:
            self._apis[version] = Api(self, version)
        return self._apis[version]

    def ask(self, version, method, path, headers=(), body=None, service="gateway"):
        """One raw request on a connection of its own: the path is sent byte for byte."""
        return wire.WIRES[version](self.ports[service], method, path, headers, body)

    def internal(self, name, method, path, body=None, headers=None):
        """A request straight to an internal service, body as JSON (bytes: as they are)."""
        with http_client(self.url(name)) as http:
            if isinstance(body, bytes):
                return http.request(method, path, content=body,
                                    headers={"Content-Type": "application/json", **(headers or {})})
            return http.request(method, path, json=body, headers=headers)

    def user(self, *arguments, input_text=None, expected_code=0):
        """`token-relay user ...` on this system's store."""
        ended = run(["user", *arguments], self.settings, self.folder, input_text, binary=self.binary)
        assert ended.returncode == expected_code, f"user {arguments}: {ended.returncode}: {ended.stderr}"
        return ended.stdout

    def claims(self, token, verify=True):
        """The claims of a token as PyJWT reads them, whatever the time is."""
        return jwt.decode(token, self.secret_key, algorithms=["HS256"],
                          options={"verify_signature": verify, "verify_aud": False, "verify_exp": False,
                                   "verify_iat": False})

    def sign(self, claims, key=None, algorithm="HS256", headers=None):
        """A token as PyJWT signs it."""
        token = jwt.encode(claims, self.secret_key if key is None else key, algorithm=algorithm, headers=headers)
        self.remember_secret(token)
        return token

    def remember_secret(self, text):
        """From now on this text must not turn up in any log (of a token: its signature neither)."""
        if not isinstance(text, str) or len(text) < 8 or text in "/user/password":
            return  # a word of a path is in every log
        self.secrets.add(text)
        if text.count(".") == 2 and len(text.rsplit(".", 1)[1]) >= 16:
            self.secrets.add(text.rsplit(".", 1)[1])

    def remember_pair(self, answer):
        """The same of the tokens in an answer to a login or a refresh."""
        if answer.status_code == 200:
            for name in ("access_token", "refresh_token"):
                self.remember_secret(answer.json()["detail"][name])

    def restart(self, name, how="stop", **changes):
        """Stops (SIGTERM) or kills (SIGKILL) one service and starts it again; returns once all is ready."""
        if how == "kill":
            self.kill_service(name)
        else:
            self.stop(name)
        self.start(name, **changes)
        self.wait_ready()

    def events(self, event, **members):
        """The lines of that event in auth's log that have the given members."""
        return [entry for entry in self["auth"].logs() if entry.get("event") == event
                and all(entry.get(key) == value for key, value in members.items())]

    def wait_for_event(self, event, **members):
        """The first such line; lines are written by a thread of their own."""
        return wait_until(lambda: self.events(event, **members), 10, f"event {event} with {members}")[0]

    def store_bytes(self):
        """What the store takes on disk."""
        return (self.folder / "data" / "data.mdb").stat().st_blocks * 512

    def assert_no_secret_was_logged(self):
        for process in [*self.past, *self.processes.values()]:
            for path in (process.stderr_path, process.stdout_path):
                text = path.read_text(encoding="utf-8", errors="backslashreplace")
                found = [secret for secret in self.secrets if secret in text]
                assert not found, f"{process.name} logged a secret: {found[0][:4]}..."
