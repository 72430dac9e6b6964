"""Fixtures of the black-box tests. Every system owns its ports and its folder; nothing is left running."""

import pathlib
import signal
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support.fake_upstream import FakeUpstream  # noqa: E402
from support.process import BINARY  # noqa: E402
from support.system import System  # noqa: E402

VERSIONS = ("http1", "http2")

# Started in the background, a shell hands SIGINT on ignored, and so would we to every process that we start.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_sessionstart(session):
    if not session.config.option.collectonly and not BINARY.exists():
        pytest.exit(f"{BINARY} does not exist: build it, or name it in TOKEN_RELAY_BINARY", returncode=2)


@pytest.fixture(scope="session")
def system(tmp_path_factory):
    """A whole system that tests share; tests take usernames of their own and leave its services running."""
    shared = System(tmp_path_factory.mktemp("system"), ADMIN_SIGNUP="open")
    try:
        yield shared
        shared.close()
    finally:
        shared.kill()


@pytest.fixture
def start_system(tmp_path):
    """start_system(services=("auth", ...), NAME=value, ...): a system of the test's own."""
    started = []

    def start(**settings):
        folder = tmp_path / f"system-{len(started)}"
        made = System(folder, **settings)
        started.append(made)
        return made

    try:
        yield start
        for made in started:
            made.close()
    finally:
        for made in started:
            made.kill()


@pytest.fixture
def fresh_system(start_system):
    """A whole system with an empty store."""
    return start_system()


@pytest.fixture
def fake_upstream():
    """fake_upstream(): a scripted HTTP server (support/fake_upstream.py)."""
    made = []

    def start():
        made.append(FakeUpstream())
        return made[-1]

    try:
        yield start
    finally:
        for upstream in made:
            upstream.close()


@pytest.fixture(params=VERSIONS)
def version(request):
    """Both HTTP versions."""
    return request.param


@pytest.fixture
def api(system, version):
    """A client of the shared system, once per HTTP version."""
    return system.api(version)
