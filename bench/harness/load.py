"""Loads: what each program is given, what it counts, and when its count is worth nothing."""

import json
import math
import os
import random
import re

from harness.processes import ROOT, Failed, run, tool

LOAD_LUA = ROOT / "bench/load.lua"
HTTP2_CONNECTIONS, HTTP2_STREAMS = 16, 32


def write_requests(path, records):
    """A file of (bytes, expected) as bench/requests.h has it."""
    with open(path, "wb") as file:
        for data, expected in records:
            file.write(f"{len(data)} {expected}\n".encode() + data)
    return str(path)


def message_request(token):
    return f"GET /user/message HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n".encode()


def validate_request(token):
    return f"POST /validate-token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\ntoken: {token}\r\n\r\n".encode()


def login_request(name, password):
    body = json.dumps({"username": name, "password": password})
    return ("POST /user/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}").encode()


def _hpack_integer(value, prefix_bits, first):
    """RFC 7541, section 5.1."""
    limit = (1 << prefix_bits) - 1
    if value < limit:
        return bytes([first | value])
    out, value = [first | limit], value - limit
    while value >= 128:
        out.append(value % 128 + 128)
        value //= 128
    return bytes([*out, value])


def _hpack_literal(static_index, value):
    """A field that is not added to the dynamic table (RFC 7541, section 6.2.2), its name from the static one."""
    return _hpack_integer(static_index, 4, 0) + _hpack_integer(len(value), 7, 0) + value.encode()


def message_header_block(token):
    """The same request for HTTP/2: `:method: GET` is 2 in the static table, `:scheme: http` 6."""
    return (b"\x82\x86" + _hpack_literal(4, "/user/message") + _hpack_literal(1, "localhost") +
            _hpack_literal(23, f"Bearer {token}"))


def wrk(port, requests, connections, seconds, threads=1):
    """Requests a second by wrk."""
    text = run(["wrk", f"-t{threads}", f"-c{connections}", f"-d{math.ceil(seconds)}s", "--timeout", "10s",
                "-s", str(LOAD_LUA), f"http://127.0.0.1:{port}/", "--", requests, str(random.randrange(1 << 30))],
               seconds + 60)
    found = re.search(r"^result (\{.*\})$", text, re.MULTILINE)
    if not found:
        raise Failed(f"wrk printed no result: {text[-300:]}")
    result = json.loads(found.group(1))
    if result["wrong"] or not result["requests"]:
        raise Failed(f"wrk counted {result['wrong']} wrong answers among {result['requests']}")
    return result["requests"] / result["seconds"]


def streams(port, requests, seconds):
    """Requests a second over HTTP/2, a random token for each."""
    result = json.loads(run([tool("streams"), str(port), requests, str(HTTP2_CONNECTIONS), str(HTTP2_STREAMS),
                             str(seconds), str(random.randrange(1 << 30))], seconds + 60))
    if result["wrong"] or not result["requests"]:
        raise Failed(f"streams counted {result['wrong']} wrong answers among {result['requests']}")
    return result["requests_per_second"]


def h2load(port, token, seconds):
    """Requests a second over HTTP/2 by h2load, which sends one token only."""
    text = run(["h2load", f"-c{HTTP2_CONNECTIONS}", f"-m{HTTP2_STREAMS}", "-t1", f"-D{math.ceil(seconds)}",
                "-H", f"authorization: Bearer {token}", f"http://127.0.0.1:{port}/user/message"], seconds + 60)
    rate = re.search(r"([\d.]+) req/s", text)
    counts = re.search(r"(\d+) failed, (\d+) errored, (\d+) timeout", text)
    codes = re.search(r"(\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", text)
    if not (rate and counts and codes):
        raise Failed(f"h2load printed no result: {text[-300:]}")
    wrong = sum(map(int, counts.groups())) + sum(map(int, codes.groups()[1:]))
    if wrong or not int(codes.group(1)):
        raise Failed(f"h2load counted {wrong} wrong answers")
    return float(rate.group(1))


def open_loop_command(port, requests, rate, seconds, connections, warm_up=0.0, may_refuse=False):
    command = [tool("open_loop"), f"--port={port}", f"--requests={requests}", f"--rate={rate}",
               f"--seconds={seconds}", f"--connections={connections}", f"--warm-up={warm_up}",
               f"--seed={random.randrange(1 << 30)}"]
    return command + (["--may-refuse"] if may_refuse else [])


def open_loop_result(text):
    """What open_loop printed; Failed if any answer was wrong or missing."""
    result = json.loads(text)
    if result["wrong"] or result["unanswered"] or not result["right"]:
        raise Failed(f"open_loop counted {result['wrong']} wrong answers and {result['unanswered']} missing ones")
    return result


def percentile(result, wanted):
    return next(value for at, value in result["percentiles_us"] if at == wanted)


def can_tell(result, wanted):
    """Does at least one answer lie beyond this percentile?"""
    return wanted == 100 or result["counted"] * (100 - wanted) >= 100


def raw_crypt(hashed, password, seconds):
    """Verifications a second of crypt(3) on all cores."""
    text = run([tool("raw_crypt"), hashed, password, str(seconds), str(os.cpu_count())], seconds + 60)
    return json.loads(text)["verifications_per_second"]
