"""bench/run: that it runs, judges its loads, and leaves nothing running. Its figures are not for tests."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import xml.etree.ElementTree as xml

import pytest

from support.process import PLAIN_BINARY, ROOT, wait_until

BUILD = pathlib.Path(os.environ.get("BENCH_BUILD", PLAIN_BINARY.parent))
TOOLS = ("wrk", "h2load", "nginx")
FIGURES = ["message", "message vs nginx", "message, HTTP/2", "login", "storm", "validate", "idle memory", "start"]
SEARCH_PATH = os.environ.get("PATH", "") + ":/usr/sbin"

missing = [name for name in TOOLS if shutil.which(name, path=SEARCH_PATH) is None]
pytestmark = [
    pytest.mark.skipif(bool(missing), reason=f"not installed (./dev setup does it): {' '.join(missing)}"),
    pytest.mark.skipif(not (BUILD / "bench").exists(), reason="a release build is needed (./dev build makes it)"),
]


def start(folder, *arguments):
    """bench/run, briefly, with its temporary folder in `folder`/tmp."""
    (folder / "tmp").mkdir()
    return subprocess.Popen(
        [sys.executable, str(ROOT / "bench/run"), "--smoke", "--out", str(folder / "out"), *arguments],
        env={**os.environ, "TMPDIR": str(folder / "tmp"), "BENCH_BUILD": str(BUILD)}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def left_running(folder):
    """Processes that work in the folder, or were told of it."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (str(folder) in os.readlink(entry / "cwd") or
                                         str(folder).encode() in (entry / "cmdline").read_bytes()):
                found.append((entry / "cmdline").read_bytes())
        except OSError:
            continue
    return found


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A whole short run: its folder, and what it printed."""
    folder = tmp_path_factory.mktemp("bench")
    with start(folder) as child:
        try:
            out, errors = child.communicate(timeout=150)
        finally:
            child.kill()
    assert child.returncode == 0, out + errors
    return folder, out


def test_every_figure_is_measured_and_counts(finished):
    folder, out = finished
    result = json.loads((folder / "out/results/latest.json").read_text(encoding="utf-8"))
    assert [figure["name"] for figure in result["figures"]] == FIGURES
    for figure in result["figures"]:
        assert figure["fault"] == "" and figure["value"] > 0, figure
        assert len(figure["ours"]) == 1, figure
        assert figure["name"] in out
    assert result["machine"]["cores"] == os.cpu_count()
    assert set(result) >= {"commit", "settings", "taken_at"}


def test_the_report_has_the_table(finished):
    folder, _ = finished
    report = (folder / "out/results/report.md").read_text(encoding="utf-8")
    for name in FIGURES:
        assert re.search(rf"^\| {re.escape(name)} \|.*(reached|MISSED) \|$", report, re.MULTILINE)


def test_charts_are_svg_with_text(finished):
    folder, _ = finished
    for name in ("throughput", "latency"):
        root = xml.parse(folder / f"out/charts/{name}.svg").getroot()
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert len(root.findall("{http://www.w3.org/2000/svg}text")) > 5


def test_a_run_leaves_nothing_behind(finished):
    folder, _ = finished
    assert left_running(folder) == []
    assert list((folder / "tmp").iterdir()) == []


def test_a_signal_ends_what_was_started(tmp_path):
    with start(tmp_path, "--seconds", "60") as child:
        try:
            wait_until(lambda: "message: 1 of 1" in child.stderr.readline(), 60, "the first load to begin")
            wait_until(lambda: any(b"wrk" in line for line in left_running(tmp_path)), 60, "wrk to run")
            child.send_signal(signal.SIGTERM)
            child.communicate(timeout=60)
        finally:
            child.kill()
    assert child.returncode == 128 + signal.SIGTERM
    assert left_running(tmp_path) == []
    assert list((tmp_path / "tmp").iterdir()) == []


def count(folder, system, load, token, expected):
    """What a load program counts of one kind of request: right ones, wrong ones."""
    sys.path.insert(0, str(ROOT / "bench"))
    try:
        from harness import load as loads
    finally:
        sys.path.pop(0)
    make = {"open_loop": loads.message_request, "streams": loads.message_header_block}[load]
    path = loads.write_requests(folder / "requests", [(make(token), expected)])
    port = system.ports["gateway"]
    arguments = {"open_loop": [f"--port={port}", f"--requests={path}", "--rate=50", "--seconds=0.5"],
                 "streams": [port, path, 1, 2, 0.3, 1]}[load]
    ended = subprocess.run([str(word) for word in [BUILD / "bench" / load, *arguments]], capture_output=True, text=True,
                           timeout=60, check=True)
    result = json.loads(ended.stdout)
    return result["right" if load == "open_loop" else "requests"], result["wrong"]


@pytest.mark.parametrize("load", ["open_loop", "streams"])
def test_only_the_expected_answer_counts_as_right(tmp_path, system, load):
    api = system.api()
    token = api.token(api.new_user())
    right, wrong = count(tmp_path, system, load, token, "Welcome, Authenticated user!")
    assert right > 0 and wrong == 0
    right, wrong = count(tmp_path, system, load, token, "Welcome, Admin!")
    assert right == 0 and wrong > 0
    right, wrong = count(tmp_path, system, load, "no.such.token", "access denied")
    assert right == 0 and wrong > 0
