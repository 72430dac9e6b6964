"""Help, version, and what is said to those who mistype."""

import pytest

from support.process import run

COMMANDS = ("up", "check", "user", "gateway", "auth", "message", "settings")
USER_COMMANDS = ("add", "list", "show", "promote", "demote", "activate", "deactivate", "passwd", "delete")


def test_help_names_every_command(tmp_path):
    ended = run(["--help"], {}, tmp_path)
    assert ended.returncode == 0 and ended.stderr == ""
    for name in COMMANDS:
        assert f"\n  {name} " in ended.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(tmp_path, command):
    ended = run([command, "--help"], {}, tmp_path)
    assert ended.returncode == 0 and ended.stderr == ""
    assert ended.stdout.startswith(f"token-relay {command} ")
    assert "--help" in ended.stdout
    assert run([command, "-h"], {}, tmp_path).stdout == ended.stdout


@pytest.mark.parametrize("command", USER_COMMANDS)
def test_every_user_command_has_help(tmp_path, command):
    ended = run(["user", command, "--help"], {}, tmp_path)
    assert ended.returncode == 0
    assert ended.stdout.startswith(f"token-relay user {command} ")


def test_version_is_printed(tmp_path):
    ended = run(["--version"], {}, tmp_path)
    assert ended.returncode == 0
    name, version = ended.stdout.split()
    assert name == "token-relay" and version[0].isdigit()


@pytest.mark.parametrize("arguments, hint", [
    (["gatway"], "did you mean gateway?"),
    (["--versoin"], "did you mean --version?"),
    (["check", "--dem"], "did you mean --demo?"),
    (["user", "lst"], "did you mean list?"),
    (["user", "list", "--limt", "3"], "did you mean --limit?"),
    (["user", "add", "ada", "ada@example.org", "--amdin"], "did you mean --admin?"),
    (["frobnicate"], "See token-relay --help."),
    (["user"], "See token-relay user --help."),
    ([], "See token-relay --help."),
    (["user", "add", "ada"], "token-relay user add NAME EMAIL"),
    (["user", "show", "ada", "bob"], "See token-relay user show --help."),
    (["user", "show"], "--id"),
    (["user", "show", "ada", "--id", "1"], "--id"),
    (["user", "show", "--id"], "a value is missing"),
    (["user", "show", "--id", "-1"], "--id takes a number"),
    (["user", "list", "--limit", "0"], "--limit takes a number from 1"),
    (["settings", "--env=1"], "no value"),
    (["settings", "--env", "--markdown"], "say one of"),
    (["settings", "--env", "--metrics"], "say one of"),
    (["up", "now"], "See token-relay up --help."),
])
def test_what_is_not_understood_ends_with_2_and_a_hint(tmp_path, arguments, hint):
    ended = run(arguments, {}, tmp_path)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert hint in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_mistyped_word_is_shown_in_printable_ascii(tmp_path):
    ended = run(["\x1b[31mred\u00e9"], {}, tmp_path)
    assert ended.returncode == 2
    assert ended.stderr.rstrip("\n").isascii() and ended.stderr.rstrip("\n").isprintable()


@pytest.mark.parametrize("form, beginning", [([], ""), (["--env"], "#"), (["--markdown"], "")])
def test_settings_prints_every_form(tmp_path, form, beginning):
    ended = run(["settings", *form], {}, tmp_path)
    assert ended.returncode == 0
    assert ended.stdout.startswith(beginning)
    assert "SECRET_KEY" in ended.stdout and "DRAIN_TIMEOUT_MS" in ended.stdout


def test_settings_prints_the_metrics_too(tmp_path):
    ended = run(["settings", "--metrics"], {}, tmp_path)
    assert ended.returncode == 0
    assert "| `token_relay_requests_total` | counter | `status` |" in ended.stdout


@pytest.mark.parametrize("service", ["gateway", "auth", "message", "up"])
def test_a_bad_setting_is_one_sentence_that_names_it(tmp_path, service):
    ended = run([service], {"LOOPS": "many", "SECRET_KEY": "x" * 40}, tmp_path)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"token-relay {service}: ") and "LOOPS" in ended.stderr
    assert ended.stderr.count("\n") == 1
