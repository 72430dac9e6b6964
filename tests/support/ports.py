"""Ports of our own: outside the kernel's ephemeral range, so that no outgoing connection ever sits on one."""

import os
import random
import re
import socket

_FIRST, _LAST, _PARTS = 10000, 32000, 8


def _range():
    """This test process's part of the range (pytest-xdist runs several)."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
        ephemeral_first = int(file.read().split()[0])
    last = min(_LAST, ephemeral_first - 1)
    match = re.search(r"\d+", os.environ.get("PYTEST_XDIST_WORKER", "gw0"))
    part = int(match.group()) % _PARTS
    size = (last - _FIRST) // _PARTS
    return _FIRST + part * size, size


_start, _size = _range()
_next = random.SystemRandom().randrange(_size)


def free_port():
    """A port on which nobody listens, handed out once per round through the range."""
    global _next
    for _ in range(_size):
        _next = (_next + 1) % _size
        port = _start + _next
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("0.0.0.0", port))
                return port
            except OSError:
                continue
    raise RuntimeError("no free port")
