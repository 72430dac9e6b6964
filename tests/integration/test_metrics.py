"""Metrics: what an operator's Prometheus reads, and that clients do not."""

import json
import re
import socket
import threading
import time

import pytest

from support import wire
from support.exposition import Exposition
from support.fake_upstream import answer as answering
from support.fake_upstream import gathered, send_and_close
from support.process import ROOT, StartFailed, run, wait_until
from support.system import assert_envelope
from support.up import MARK, SERVICES, Up, processes
from support.up import settings as up_settings

KEY = "k" * 40
JSON = [("Content-Type", "application/json")]
TOKEN = [("Authorization", "Bearer aa.bb.cc")]  # of a token's shape, so that auth is asked
PORTS = {"gateway": "metrics", "auth": "auth", "message": "message"}


def scrape(system, service="gateway", headers=()):
    answer = wire.http1(system.ports[PORTS[service]], "GET", "/metrics", headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    return Exposition(answer.text)


def watch(system, service, name, **labels):
    """A function that tells by how much a value has grown since now."""
    before = scrape(system, service).value(name, **labels)
    return lambda: scrape(system, service).value(name, **labels) - before


# --- what is said, and where

@pytest.mark.parametrize("service", SERVICES)
def test_every_service_speaks_the_text_format(system, service):
    said = scrape(system, service)
    assert said.value("token_relay_build_info", version="0.1.0") == 1
    for (name, labels) in said.samples:
        assert (dict(labels).get("service") == service) == name.startswith("token_relay_"), name
        assert name.startswith(("token_relay_", "process_"))


@pytest.mark.parametrize("service", SERVICES)
def test_process_figures_are_of_the_process(system, service):
    said = scrape(system, service)
    assert abs(said.value("process_start_time_seconds") - time.time()) < 3600
    assert 1 << 20 < said.value("process_resident_memory_bytes") < 1 << 36
    assert 0 < said.value("process_cpu_seconds_total") < 3600


def test_readme_names_what_is_served(system):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    table = text.split("<!-- metrics -->")[1].split("<!-- end of metrics -->")[0]
    named = dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", table, re.MULTILINE))
    served = {}
    for service in SERVICES:
        served.update(scrape(system, service).types)
    assert served == named


def test_the_public_port_does_not_serve_metrics(system, version):
    assert_envelope(system.ask(version, "GET", "/metrics"), 404, "Not Found")


@pytest.mark.parametrize("host", ["inside", "INSIDE", "inside:65535", "default", "127.0.0.1:8191", ""])
def test_no_host_header_leads_to_metrics(system, host):
    assert_envelope(system.ask("http1", "GET", "/metrics", [("Host", host)]), 404, "Not Found")


def test_the_metrics_port_serves_health_and_nothing_of_the_api(system):
    port = system.ports["metrics"]
    assert wire.http1(port, "GET", "/health/live").status_code == 200
    assert wire.http1(port, "GET", "/health/ready").status_code == 200
    assert wire.http1(port, "HEAD", "/metrics").status_code == 200
    assert wire.http1(port, "POST", "/metrics").status_code == 405
    assert wire.http1(port, "GET", "/user/message").status_code == 404
    assert wire.http1(port, "POST", "/user/login", JSON, b"{}").status_code == 404


def test_http2_reads_metrics_too(system):
    answer = wire.WIRES["http2"](system.ports["metrics"], "GET", "/metrics")
    assert Exposition(answer.text).value("token_relay_connections") >= 1


@pytest.mark.parametrize("service", ["auth", "message"])
def test_a_service_key_is_wanted_where_one_is_set(start_system, service):
    system = start_system(services=(service,), SERVICE_KEY=KEY)
    assert wire.http1(system.port(service), "GET", "/metrics").status_code == 401
    assert wire.http1(system.port(service), "GET", "/metrics", [("X-Service-Key", "x" * 40)]).status_code == 401
    assert scrape(system, service, [("X-Service-Key", KEY)]).value("token_relay_connections") >= 1


def test_scrapes_are_not_logged_as_requests(start_system):
    system = start_system(services=("message",))
    scrape(system, "message")
    system.ask("http1", "GET", "/", service="message")
    system["message"].wait_for_request_log(path="/")
    assert not system["message"].requests(path="/metrics")


# --- figures

def test_requests_are_counted_by_status(fresh_system):
    api = fresh_system.api()
    statuses = {status: watch(fresh_system, "gateway", "token_relay_requests_total", status=str(status))
                for status in (201, 400, 401, 404, 405, 422)}
    durations = watch(fresh_system, "gateway", "token_relay_request_duration_seconds_count")
    name = api.new_user()
    api.login(name, "a wrong password")
    api.message()
    api.get("/nothing")
    api.get("/user/login")
    api.post("/user/login", {})
    assert {status: grown() for status, grown in statuses.items()} == dict.fromkeys(statuses, 1)
    assert durations() >= 6


def test_durations_are_in_seconds(fresh_system):
    total = watch(fresh_system, "gateway", "token_relay_request_duration_seconds_sum")
    began = time.monotonic()
    fresh_system.api().new_user()
    took = time.monotonic() - began
    assert 0.0005 < total() < took + 1


def test_every_loop_is_counted(start_system):
    system = start_system(services=("message",), LOOPS="4")
    grown = watch(system, "message", "token_relay_requests_total", status="200")
    accepted = watch(system, "message", "token_relay_connections_accepted_total")
    for _ in range(40):
        assert system.ask("http1", "GET", "/", service="message").status_code == 200
    looks = 3  # the first, before; then one for each of the two
    assert 40 < grown() <= 40 + looks
    assert 40 < accepted() <= 40 + looks


def test_requests_that_h2o_refuses_itself_are_counted(start_system):
    system = start_system(services=("gateway",))
    grown = watch(system, "gateway", "token_relay_requests_total", status="417")
    wire.http1(system.port(), "POST", "/user/login", [*JSON, ("Expect", "something")], b"{}")
    assert grown() == 1


def test_open_connections_and_requests_in_flight_are_shown(start_system, fake_upstream):
    upstream = fake_upstream()
    upstream.on("/login", upstream.stall)
    system = start_system(services=("gateway",), AUTH_SERVICE_URL=upstream.url)
    body = json.dumps({"username": "somebody", "password": "12345678"}).encode()
    with wire.Http2Connection(system.port()) as client:
        streams = [client.start("POST", "/user/login", JSON, body) for _ in range(3)]
        client.flush()
        # The scrape itself is one more; probes of health come and go among the calls.
        wait_until(lambda: scrape(system).value("token_relay_requests_in_flight") == 4, 10, "three requests in flight")
        assert scrape(system).value("token_relay_relay_calls_in_flight") >= 3
        wait_until(lambda: scrape(system).value("token_relay_connections") == 2, 10, "the client and the scrape")
        for stream in streams:
            client.h2.reset_stream(stream)
        client.flush()
        wait_until(lambda: scrape(system).value("token_relay_requests_in_flight") == 1, 10, "them to be gone")
    wait_until(lambda: scrape(system).value("token_relay_connections") == 1, 10, "the connection to be gone")
    said = scrape(system)
    assert said.value("token_relay_requests_total", status="499") == 3
    assert said.value("token_relay_relay_calls_total", outcome="cancelled") == 3


def test_a_peer_that_is_down_is_seen_in_outcomes_and_readiness(start_system):
    system = start_system(services=("gateway", "message"))
    unreachable = watch(system, "gateway", "token_relay_relay_calls_total", outcome="unreachable")
    wire.http1(system.port(), "POST", "/user/login", JSON, b'{"username": "u", "password": "12345678"}')
    assert unreachable() >= 1
    wait_until(lambda: scrape(system).value("token_relay_peer_ready", peer="message") == 1, 10, "message")
    assert scrape(system).value("token_relay_peer_ready", peer="auth") == 0


def test_connections_that_are_cut_are_counted_by_reason(start_system):
    system = start_system(services=("message",), REQUEST_TIMEOUT_MS="200")
    slow = watch(system, "message", "token_relay_connections_cut_total", reason="no_request")
    with wire.connect(system.port("message")) as connection:
        assert connection.recv(1) == b""
    assert slow() == 1


def test_an_address_with_too_many_connections_is_counted_and_metrics_stay_readable(start_system):
    system = start_system(services=("gateway",), CONNECTIONS_PER_ADDRESS_MAX="2")
    held = [wire.connect(system.port()) for _ in range(2)]
    try:
        wait_until(lambda: scrape(system).value("token_relay_connections") == 3, 10, "both to be accepted")
        with wire.connect(system.port()) as refused:
            assert refused.recv(1) == b""
        assert scrape(system).value("token_relay_connections_cut_total", reason="address_limit") == 1
    finally:
        for connection in held:
            connection.close()


def test_metrics_are_readable_when_clients_hold_every_connection(start_system):
    system = start_system(services=("gateway",), CONNECTIONS_MAX="4", LOOPS="1")
    held = [wire.connect(system.port()) for _ in range(4)]
    try:
        # The kernel completes connections; that all are taken is seen in the figure.
        wait_until(lambda: scrape(system).value("token_relay_connections") == 5, 10, "all to be accepted")
    finally:
        for connection in held:
            connection.close()


# --- gathered calls

def test_a_message_is_one_question_in_one_call_to_each(fresh_system):
    api = fresh_system.api()
    token = api.token(api.new_user())
    assert_envelope(api.message(token), 200)
    said = scrape(fresh_system)
    for target in ("tokens", "messages"):
        assert said.value("token_relay_gather_calls_total", target=target, outcome="answered") == 1
        assert said.value("token_relay_gather_questions_per_call_count", target=target) == 1
        assert said.value("token_relay_gather_questions_per_call_sum", target=target) == 1
        assert said.value("token_relay_gather_queue", target=target) == 0
        assert said.value("token_relay_gather_calls_in_flight", target=target) == 0
    assert len(token) < said.value("token_relay_gather_call_bytes_sum", target="tokens") < len(token) + 64
    assert 0 < said.value("token_relay_gather_call_bytes_sum", target="messages") < 256


def test_many_at_once_share_calls_and_the_queue_shows_who_waits(start_system, fake_upstream):
    """One call at a time, which auth holds: the others wait, are seen to, and go out together."""
    upstream = fake_upstream()
    go_on = threading.Event()

    refuse = gathered(lambda _: {"status": 401, "detail": "Token has expired"})

    def hold(sock, request):
        go_on.wait(20)
        return refuse(sock, request)

    upstream.on("/validate-tokens", hold)
    system = start_system(services=("gateway",), AUTH_SERVICE_URL=upstream.url, LOOPS="1", GATHER_CALLS_MAX="1")
    clients = [wire.connect(system.port()) for _ in range(9)]
    try:
        clients[0].sendall(wire.http1_request("GET", "/user/message", TOKEN))
        wait_until(lambda: scrape(system).value("token_relay_gather_calls_in_flight", target="tokens") == 1, 10,
                   "the first call")
        for client in clients[1:]:
            client.sendall(wire.http1_request("GET", "/user/message", TOKEN))
        wait_until(lambda: scrape(system).value("token_relay_gather_queue", target="tokens") == 8, 10, "the queue")
        go_on.set()
        for client in clients:
            with client.makefile("rb") as file:
                assert wire.read_http1_answer(file).status_code == 401
    finally:
        go_on.set()
        for client in clients:
            client.close()
    said = scrape(system)
    assert said.value("token_relay_gather_queue", target="tokens") == 0
    assert said.value("token_relay_gather_questions_per_call_count", target="tokens") == 2
    assert said.value("token_relay_gather_questions_per_call_sum", target="tokens") == 9
    assert said.value("token_relay_gather_questions_per_call_bucket", target="tokens", le="8") == 2
    assert said.value("token_relay_gather_questions_per_call_bucket", target="tokens", le="4") == 1


def test_a_full_queue_is_counted(start_system, fake_upstream):
    upstream = fake_upstream()
    upstream.on("/validate-tokens", upstream.stall)
    system = start_system(services=("gateway",), AUTH_SERVICE_URL=upstream.url, LOOPS="1", GATHER_CALLS_MAX="1",
                          GATHER_QUEUE_MAX="1", DRAIN_TIMEOUT_MS="2000")
    request = wire.http1_request("GET", "/user/message", TOKEN)
    with wire.connect(system.port()) as called, wire.connect(system.port()) as queued:
        called.sendall(request)
        wait_until(lambda: scrape(system).value("token_relay_gather_calls_in_flight", target="tokens") == 1, 10, "a call")
        queued.sendall(request)
        wait_until(lambda: scrape(system).value("token_relay_gather_queue", target="tokens") == 1, 10, "the queue")
        assert_envelope(wire.http1(system.port(), "GET", "/user/message", TOKEN), 503)
        assert scrape(system).value("token_relay_gather_refused_total", target="tokens") == 1


@pytest.mark.parametrize("outcome, behave", [
    ("not_as_wanted", answering(200, {"results": []})),
    ("not_as_wanted", answering(500, {})),
    ("unreachable", send_and_close(b"")),
], ids=["too few answers", "500", "broken off"])
def test_gathered_calls_are_counted_by_outcome(start_system, fake_upstream, outcome, behave):
    upstream = fake_upstream()
    upstream.on("/validate-tokens", behave)
    system = start_system(services=("gateway",), AUTH_SERVICE_URL=upstream.url)
    assert_envelope(wire.http1(system.port(), "GET", "/user/message", TOKEN), 502)
    assert scrape(system).value("token_relay_gather_calls_total", target="tokens", outcome=outcome) == 1


# --- auth's own

def test_hashing_and_the_store_are_counted(fresh_system):
    api = fresh_system.api()
    name = api.new_user()
    api.token(name)
    said = scrape(fresh_system, "auth")
    jobs = said.value("token_relay_workers_jobs_total", outcome="ran")
    assert jobs >= 2  # and what auth hashes for itself, to know how long a refusal must take
    assert said.value("token_relay_workers_run_seconds_count") == jobs
    assert said.value("token_relay_workers_wait_seconds_count") == jobs
    assert 0 < said.value("token_relay_workers_run_seconds_sum") < 60
    assert said.value("token_relay_workers_queue") == 0
    assert said.value("token_relay_store_users") == 1
    assert said.value("token_relay_store_healthy") == 1
    assert 0 < said.value("token_relay_store_used_ratio") < 0.1


def test_logins_that_find_the_queue_full_are_counted(start_system):
    system = start_system(services=("auth",), PASSWORD_METHOD="bcrypt", PASSWORD_COST="10", PASSWORD_WORKERS="1",
                          PASSWORD_QUEUE_MAX="1", LOOPS="1")
    body = json.dumps({"username": "somebody", "password": "12345678"}).encode()
    clients = [wire.connect(system.port("auth")) for _ in range(8)]
    for client in clients:
        client.sendall(wire.http1_request("POST", "/login", JSON, body))
    statuses = []
    for client in clients:
        with client, client.makefile("rb") as file:
            statuses.append(wire.read_http1_answer(file).status_code)
    refused = statuses.count(503)
    assert refused > 0
    assert scrape(system, "auth").value("token_relay_workers_refused_total") == refused


def test_no_secret_and_no_name_is_in_a_figure(fresh_system):
    api = fresh_system.api()
    name = api.new_user("somebody_named")
    token = api.token(name)
    api.message(token)
    for service in SERVICES:
        answer = wire.http1(fresh_system.ports[PORTS[service]], "GET", "/metrics")
        assert name not in answer.text
        assert not any(secret in answer.text for secret in fresh_system.secrets)


# --- where the gateway listens for it

def test_off_is_no_listener(start_system):
    system = start_system(services=("gateway",), GATEWAY_METRICS_LISTEN="off")
    with pytest.raises(ConnectionRefusedError):
        wire.connect(system.ports["metrics"])
    assert_envelope(system.ask("http1", "GET", "/metrics"), 404)


def test_port_0_is_any_free_port_and_logged(start_system):
    system = start_system(services=("gateway",), GATEWAY_METRICS_LISTEN="127.0.0.1:0")
    (line,) = wait_until(lambda: [entry for entry in system["gateway"].logs()
                                  if entry.get("event") == "metrics_served"], 10, "the log")
    answer = wire.http1(line["port"], "GET", "/metrics")
    assert Exposition(answer.text).value("token_relay_connections") == 1


@pytest.mark.parametrize("host, warned", [("0.0.0.0", True), ("127.0.0.1", False)])
def test_an_address_beyond_loopback_is_allowed_and_warned_of_once(start_system, host, warned):
    system = start_system(services=("gateway",), GATEWAY_METRICS_LISTEN=host + ":{metrics}")
    assert scrape(system).value("token_relay_connections") == 1
    process = system["gateway"]
    system.stop("gateway")
    warnings = [entry for entry in process.logs() if entry.get("event") == "metrics_beyond_loopback"]
    assert [entry["level"] for entry in warnings] == ["warn"] * warned


@pytest.mark.parametrize("value", ["nonsense", "127.0.0.1", "127.0.0.1:99999", "none"])
def test_a_wrong_address_is_refused_by_name(start_system, value):
    with pytest.raises(StartFailed) as failed:
        start_system(services=("gateway",), GATEWAY_METRICS_LISTEN=value)
    assert "GATEWAY_METRICS_LISTEN" in failed.value.stderr


def test_a_taken_metrics_port_is_one_clear_sentence_also_of_up(tmp_path):
    given = up_settings(tmp_path, SECRET_KEY=KEY)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        given["GATEWAY_METRICS_LISTEN"] = f"127.0.0.1:{port}"
        ended = run(["up"], given, tmp_path)
    assert ended.returncode == 1
    assert processes(given[MARK]) == {}
    sentences = [line for line in ended.stderr.splitlines() if line.startswith("token-relay ")]
    assert len(sentences) == 1, ended.stderr
    assert f"cannot listen on 127.0.0.1:{port}: address already in use" in sentences[0]


def test_up_says_where_metrics_are(tmp_path):
    up = Up(tmp_path, SECRET_KEY=KEY)
    try:
        assert f"http://{up.settings['GATEWAY_METRICS_LISTEN']}/metrics" in up.process.stdout()
        up.process.stop()
    finally:
        up.process.kill()


def test_a_drain_ends_although_a_scraper_keeps_its_connection(start_system):
    system = start_system(services=("gateway",))
    with wire.connect(system.ports["metrics"]) as scraper:
        scraper.sendall(wire.http1_request("GET", "/metrics"))
        with scraper.makefile("rb") as file:
            assert wire.read_http1_answer(file).status_code == 200
            system.stop("gateway")
            assert file.read(1) == b""
