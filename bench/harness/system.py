"""The product under measurement: its store, its processes, its users and their tokens."""

import concurrent.futures
import http.client
import json
import random
import socket
import threading
import time

from harness.processes import PROGRAM, Failed, Process, family, free_port, run, tool

PASSWORD = "a password of every user"
SECRET_KEY = "only-for-measurements-0123456789abcdef"
MESSAGE = "Welcome, Authenticated user! Limited access."
ADMIN_MESSAGE = "Welcome, Admin! You have full access."
LOGIN_THREADS = 8


def fill_store(folder, users, admins, method="yescrypt", cost=0):
    """A store of `users` users; returns the hash they share."""
    arguments = [f"lmdb:{folder}", users, admins, PASSWORD, method, cost]
    return run([tool("fill_store"), *map(str, arguments)], 120).strip()


class Service:
    """What both kinds of system have: ports, settings, a process."""

    def __init__(self, folder, store, command, **settings):
        self.ports = {name: free_port() for name in ("gateway", "auth", "message")}
        self.settings = {
            "SECRET_KEY": SECRET_KEY,
            "ACCESS_TOKEN_EXPIRE_MINUTES": 600,
            "DATABASE_URL": f"lmdb:{store}",
            "USER_SERVICE_URL": f"http://127.0.0.1:{self.ports['gateway']}/",
            "GATEWAY_LISTEN": f"127.0.0.1:{self.ports['gateway']}",
            "AUTH_SERVICE_URL": f"http://127.0.0.1:{self.ports['auth']}/",
            "MESSAGE_SERVICE_URL": f"http://127.0.0.1:{self.ports['message']}/",
            "GATEWAY_METRICS_LISTEN": f"127.0.0.1:{free_port()}",
            "LOG_LEVEL": "warn",  # no line for each request: nginx writes none either
            "LOG_FORMAT": "json",
            "THROTTLE": "off",
            **settings,
        }
        self.process = Process([str(PROGRAM), command], self.settings, folder)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.close()


class Auth(Service):
    """auth alone."""

    def __init__(self, folder, store, **settings):
        super().__init__(folder, store, "auth", **settings)
        self.port = self.ports["auth"]
        try:
            self.process.wait_for_port(self.port)
        except Failed:
            self.process.close()
            raise


class System(Service):
    """All three under `up`."""

    def __init__(self, folder, store, internal="tcp", **settings):
        self.sockets = {name: folder / f"{name}.socket" for name in ("auth", "message")} if internal == "unix" else {}
        for name, path in self.sockets.items():
            settings[f"{name.upper()}_SERVICE_URL"] = settings[f"{name.upper()}_LISTEN"] = f"unix:{path}"
        super().__init__(folder, store, "up", **settings)
        self.port = self.ports["gateway"]

    def address(self, name):
        """Where auth or message listens, as nginx writes it."""
        return f"unix:{self.sockets[name]}" if name in self.sockets else f"127.0.0.1:{self.ports[name]}"

    def wait_for_message(self, token, timeout_s=20):
        """Asks until a message is answered; returns when that was, in seconds since the start."""
        request = f"GET /user/message HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
        while True:
            seconds = time.monotonic() - self.process.started
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
                    connection.sendall(request)
                    if connection.recv(4096).startswith(b"HTTP/1.1 200 "):
                        return time.monotonic() - self.process.started
            except OSError:
                pass
            if seconds > timeout_s or self.process.child.poll() is not None:
                self.process.close()
                raise Failed(f"up answered no message: {self.process.tail()}")
            time.sleep(0.0005)

    def pids(self):
        return family(self.process.pid)


class Client:
    """One keep-alive connection to one port."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def ask(self, method, path, body=None, headers=None):
        """Status, headers and body; JSON where it is some."""
        headers = dict(headers or {})
        if body is not None:
            body = json.dumps(body)
            headers["Content-Type"] = "application/json"
        self.connection.request(method, path, body=body, headers=headers)
        answer = self.connection.getresponse()
        data = answer.read()
        return answer.status, answer.headers, data

    def close(self):
        self.connection.close()


def log_in(port, names, path="/user/login", member="detail"):
    """Real logins, in parallel: the access tokens in the order of the names."""
    local = threading.local()
    clients = []

    def one(name):
        if not hasattr(local, "client"):
            local.client = Client(port)
            clients.append(local.client)
        status, _, data = local.client.ask("POST", path, {"username": name, "password": PASSWORD})
        if status != 200:
            raise Failed(f"a login was answered {status}: {data[:200]!r}")
        return json.loads(data)[member]["access_token"]

    with concurrent.futures.ThreadPoolExecutor(LOGIN_THREADS) as pool:
        tokens = list(pool.map(one, names))
    for client in clients:
        client.close()
    return tokens


def check_answers(port, method, path, header, tokens, expected, count=20):
    """Right answers to a few requests with tokens drawn at random, and 401 to a forged one; else Failed."""
    client = Client(port)
    for token in random.sample(tokens, min(count, len(tokens))):
        status, _, data = client.ask(method, path, headers={header[0]: header[1] + token})
        if status != 200 or expected.encode() not in data:
            raise Failed(f"{path} was answered {status}: {data[:200]!r}")
    forged = tokens[0][:-4] + ("AAAA" if tokens[0][-4:] != "AAAA" else "BBBB")
    status, _, data = client.ask(method, path, headers={header[0]: header[1] + forged})
    if status != 401:
        raise Failed(f"{path} with a forged token was answered {status}: {data[:200]!r}")
    client.close()
