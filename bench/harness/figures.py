"""The figures: each is two things measured in turn, A B A B ..., and the median of the ratios of the pairs."""

import contextlib
import dataclasses
import statistics
import subprocess
import time

from harness import load
from harness.peers import Bare, Nginx
from harness.processes import Failed, environment, pss_kib
from harness.system import (ADMIN_MESSAGE, MESSAGE, PASSWORD, Auth, Client, System, check_answers, fill_store, log_in)

MEMORY_SETTLE_S = 1.0
STORM_LEAD_S = 1.0  # logins are offered this long before messages are counted
STORM_CONNECTIONS = 512


@dataclasses.dataclass
class Options:
    """How much of everything."""

    seconds: float = 3
    pairs: int = 5
    loops: int = 1
    connections: int = 256
    users: int = 1000
    admins: int = 50
    many_users: int = 1_000_000
    storm_rate: int = 5000
    login_connections: int = 16
    starts: int = 5
    internal: str = "tcp"  # or "unix": what the services of the system talk over


@dataclasses.dataclass
class Figure:
    """One row of the table. A fault means that nothing counts."""

    name: str
    what: str
    unit: str = "requests/s"
    target: float = 0.0
    at_most: bool = False  # reached when the value is at most the target
    ours_is: str = "token-relay"
    other_is: str = ""
    ours: list = dataclasses.field(default_factory=list)
    other: list = dataclasses.field(default_factory=list)
    beside: dict = dataclasses.field(default_factory=dict)  # name: values, measured in the same turns
    details: dict = dataclasses.field(default_factory=dict)
    note: str = ""
    fault: str = ""

    @property
    def values(self):
        """What the target is about: ratios, or ours where nothing is compared."""
        if not self.other:
            return self.ours
        return [ours / other for ours, other in zip(self.ours, self.other)]

    @property
    def value(self):
        return statistics.median(self.values) if self.values else None

    @property
    def reached(self):
        if self.fault or not self.values:
            return False
        return self.value <= self.target if self.at_most else self.value >= self.target


class Bench:
    """The set-up that the figures share, and the figures."""

    def __init__(self, options, folder, say):
        self.options = options
        self.folder = folder
        self.say = say
        self.open = contextlib.ExitStack()
        self.figures = []
        self.login_capacity = 0.0

    # --- set-up

    def __enter__(self):
        try:
            self.set_up()
        except BaseException:
            self.open.close()
            raise
        return self

    def __exit__(self, *_):
        self.open.close()

    def set_up(self):
        options = self.options
        self.say(f"{options.users} users log in")
        self.hashed = fill_store(self.folder / "store", options.users + options.admins, options.admins)
        self.system = self.open.enter_context(
            System(self.folder / "system", self.folder / "store", options.internal, LOOPS=options.loops))
        self.system.process.wait_for_port(self.system.port)
        names = [f"user_{number}" for number in range(1, options.users + options.admins + 1)]
        tokens = log_in(self.system.port, names)
        self.admin_tokens, self.tokens = tokens[:options.admins], tokens[options.admins:]
        self.names = names
        self.write_requests()
        self.bare = self.open.enter_context(Bare(self.folder / "bare", options.loops))
        self.check_ceiling()

    def write_requests(self):
        messages = [(load.message_request(token), MESSAGE) for token in self.tokens]
        admins = [(load.message_request(token), ADMIN_MESSAGE) for token in self.admin_tokens]
        self.messages = load.write_requests(self.folder / "messages", messages)
        self.mixed = load.write_requests(self.folder / "mixed", messages + admins)
        self.blocks = load.write_requests(
            self.folder / "blocks", [(load.message_header_block(token), MESSAGE) for token in self.tokens])
        self.logins = load.write_requests(
            self.folder / "logins", [(load.login_request(name, PASSWORD), '"access_token":') for name in self.names])

    def check_ceiling(self):
        """The ceiling answers as many bytes under the same headers, or it is none."""
        shapes = []
        for port in (self.system.port, self.bare.port):
            client = Client(port)
            status, headers, data = client.ask("GET", "/user/message",
                                               headers={"Authorization": f"Bearer {self.tokens[0]}"})
            client.close()
            shapes.append((status, sorted(name.lower() for name in headers), len(data)))
        if shapes[0] != shapes[1]:
            raise Failed(f"the gateway answers {shapes[0]}, the bare handler {shapes[1]}")

    # --- what is measured

    def wrk(self, port, requests=None):
        return load.wrk(port, requests or self.messages, self.options.connections, self.options.seconds)

    def check_messages(self):
        check_answers(self.system.port, "GET", "/user/message", ("Authorization", "Bearer "), self.tokens, MESSAGE)
        check_answers(self.system.port, "GET", "/user/message", ("Authorization", "Bearer "), self.admin_tokens,
                      ADMIN_MESSAGE)

    def take_pairs(self, figure, other, ours, check, beside=None):
        """A B A B ...: other, ours, and what is measured beside them; answers are looked at after each pair."""
        check()
        for number in range(self.options.pairs):
            self.say(f"{figure.name}: {number + 1} of {self.options.pairs}")
            figure.other.append(other())
            figure.ours.append(ours())
            for name, measure in (beside or {}).items():
                figure.beside.setdefault(name, []).append(measure())
            check()

    def message(self, figure):
        self.take_pairs(figure, lambda: self.wrk(self.bare.port), lambda: self.wrk(self.system.port),
                        self.check_messages)

    def message_nginx(self, figure):
        with Nginx(self.folder / "nginx", self.options.loops, self.system.address("auth"),
                   self.system.address("message")) as nginx:
            authorization = {"Authorization": f"Bearer {self.tokens[0]}"}
            if Client(nginx.port).ask("GET", "/user/message", headers=authorization)[0] == 500:
                raise Failed(f"nginx cannot ask auth's GET /verify: {nginx.tail()}")

            def check():
                self.check_messages()
                check_answers(nginx.port, "GET", "/user/message", ("Authorization", "Bearer "), self.tokens, MESSAGE)
                check_answers(nginx.port, "GET", "/user/message", ("Authorization", "Bearer "), self.admin_tokens,
                              ADMIN_MESSAGE)

            self.take_pairs(figure, lambda: self.wrk(nginx.port), lambda: self.wrk(self.system.port), check)

    def message_http2(self, figure):
        def streams(port):
            return load.streams(port, self.blocks, self.options.seconds)

        self.take_pairs(
            figure, lambda: self.wrk(self.system.port), lambda: streams(self.system.port), self.check_messages,
            {"h2load, one token": lambda: load.h2load(self.system.port, self.tokens[0], self.options.seconds),
             "bare libh2o handler, HTTP/2": lambda: streams(self.bare.port)})

    def login(self, figure):
        def log_in_load():
            return load.wrk(self.system.port, self.logins, self.options.login_connections, self.options.seconds)

        self.take_pairs(
            figure, lambda: load.raw_crypt(self.hashed, PASSWORD, self.options.seconds), log_in_load,
            lambda: log_in(self.system.port, self.names[:4]))
        self.login_capacity = max(figure.other)

    def offer_messages(self):
        command = load.open_loop_command(self.system.port, self.mixed, self.options.storm_rate, self.options.seconds,
                                         self.options.connections)
        return load.open_loop_result(load.run(command, self.options.seconds + 60))

    def offer_messages_in_a_storm(self, capacity, logins):
        seconds = self.options.seconds + 2 * STORM_LEAD_S
        command = load.open_loop_command(self.system.port, self.logins, max(1.0, 2 * capacity), seconds,
                                         STORM_CONNECTIONS, may_refuse=True)
        with subprocess.Popen(command, env=environment({}), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True) as storm:
            try:
                time.sleep(STORM_LEAD_S)
                result = self.offer_messages()
                out, errors = storm.communicate(timeout=seconds + 60)
            finally:
                storm.kill()
        if storm.returncode != 0:
            raise Failed(f"the storm of logins ended with {storm.returncode}: {errors[-300:]}")
        logins.append(load.open_loop_result(out))
        return result

    def storm(self, figure):
        capacity = self.login_capacity or load.raw_crypt(self.hashed, PASSWORD, 1)
        runs = {"quiet": [], "storm": []}
        logins = []

        def take(kind, offer):
            runs[kind].append(offer())
            return load.percentile(runs[kind][-1], 99) / 1000

        self.take_pairs(figure, lambda: take("quiet", self.offer_messages),
                        lambda: take("storm", lambda: self.offer_messages_in_a_storm(capacity, logins)),
                        self.check_messages)
        for kind, results in runs.items():
            figure.details[kind] = [
                [at, statistics.median(load.percentile(result, at) for result in results) / 1000]
                for at, _ in results[0]["percentiles_us"] if load.can_tell(results[0], at)]
        figure.details["logins_per_second"] = [
            {kind: round(result[kind] / result["seconds"], 1) for kind in ("offered", "right", "refused")}
            for result in logins]
        figure.note = (f"{self.options.storm_rate} messages/s offered; "
                       f"{2 * capacity:.0f} logins/s offered in the storm, "
                       f"{statistics.median(entry['right'] for entry in figure.details['logins_per_second']):.0f} "
                       "answered, the rest refused with Retry-After")

    def validate(self, figure):
        cheap = {"PASSWORD_METHOD": "sha256crypt", "PASSWORD_COST": 1000}
        systems = {}
        with contextlib.ExitStack() as stack:
            for users in (self.options.users, self.options.many_users):
                folder = self.folder / f"validate-{users}"
                folder.mkdir()
                fill_store(folder / "store", users, 0, cheap["PASSWORD_METHOD"], cheap["PASSWORD_COST"])
                auth = stack.enter_context(Auth(folder, folder / "store", LOOPS=self.options.loops, **cheap))
                step = users // self.options.users
                tokens = log_in(auth.port, [f"user_{number}" for number in range(step, users + 1, step)], "/login",
                                "token")
                path = load.write_requests(folder / "requests",
                                           [(load.validate_request(token), "") for token in tokens])
                systems[users] = (auth.port, path, tokens)
            few, many = systems[self.options.users], systems[self.options.many_users]

            def check():
                for port, _, tokens in (few, many):
                    check_answers(port, "POST", "/validate-token", ("token", ""), tokens, '"is_valid":true')

            self.take_pairs(figure, lambda: self.wrk(few[0], few[1]), lambda: self.wrk(many[0], many[1]), check)

    def starts(self, memory, start):
        """`up` as users run it: no LOOPS set, the token made before."""
        self.system.process.close()
        for number in range(self.options.starts):
            self.say(f"start: {number + 1} of {self.options.starts}")
            with System(self.folder / f"start-{number}", self.folder / "store", self.options.internal) as system:
                start.ours.append(system.wait_for_message(self.tokens[0]) * 1000)
                time.sleep(MEMORY_SETTLE_S)
                memory.ours.append(pss_kib(system.pids()) * 1024 / 1e6)

    # --- the table

    def take(self, figure, measure):
        self.figures.append(figure)
        try:
            measure(figure)
        except Failed as failed:
            figure.fault = str(failed)

    def take_all(self):
        options = self.options
        bare = "bare libh2o handler"
        ours = "token-relay"
        self.take(Figure("message", "GET /user/message ÷ a bare libh2o handler", target=0.5, other_is=bare,
                         note="aim 0.60"), self.message)
        self.take(Figure("message vs nginx", "GET /user/message ÷ nginx auth_request + proxy_pass", target=2.0,
                         other_is="nginx auth_request + proxy_pass"), self.message_nginx)
        self.take(Figure("message, HTTP/2", "GET /user/message over HTTP/2, 16 × 32 ÷ over HTTP/1.1", target=1.3,
                         ours_is=f"{ours}, HTTP/2", other_is=f"{ours}, HTTP/1.1"), self.message_http2)
        self.take(Figure("login", "POST /user/login ÷ crypt(3) on all cores", unit="logins/s", target=0.95,
                         other_is="crypt(3), all cores"), self.login)
        self.take(Figure("storm", "p99 of messages in a storm of logins ÷ in quiet", unit="ms", target=4.0,
                         at_most=True, ours_is="p99 in a storm", other_is="p99 in quiet"), self.storm)
        self.take(Figure("validate", f"POST /validate-token with {options.many_users:,} users ÷ with "
                         f"{options.users:,}", target=0.9, ours_is=f"{options.many_users:,} users",
                         other_is=f"{options.users:,} users"), self.validate)
        memory = Figure("idle memory", "PSS of up and its three services", unit="MB", target=20, at_most=True)
        start = Figure("start", "from up to the first answered message", unit="ms", target=150, at_most=True)
        self.figures += [memory, start]
        try:
            self.starts(memory, start)
        except Failed as failed:
            memory.fault = start.fault = str(failed)
        return self.figures
