"""`token-relay user`: the operator's tool on the store, beside a running auth and without one."""

import json
import os
import pty
import select
import subprocess
import termios

import pytest

from support.process import BINARY, environment, run

PASSWORD = "a password of the operator"


@pytest.fixture
def store(tmp_path):
    """Settings of a store that does not exist yet, in the test's own folder."""
    return {"DATABASE_URL": f"lmdb:{tmp_path / 'data'}", "LMDB_MAP_SIZE": "64MiB"}


@pytest.fixture
def user(store, tmp_path):
    """user("list", ..., text=...): runs a command on the store; `code` is what it must end with."""
    def call(*arguments, text=None, code=0):
        ended = run(["user", *arguments], store, tmp_path, text)
        assert ended.returncode == code, f"{arguments}: {ended.returncode}: {ended.stdout} {ended.stderr}"
        if code == 1:
            assert ended.stdout == "" and ended.stderr.count("\n") == 1, ended.stderr
            return ended.stderr
        return ended.stdout
    return call


def users_of(user):
    return {entry["username"]: entry for entry in json.loads(user("list", "--json"))["users"]}


def add(user, name, *options):
    return user("add", name, f"{name}@example.org", *options, text=f"{PASSWORD}\n")


def test_add_makes_a_user_and_the_store(user, tmp_path):
    assert add(user, "ada") == "Added ada, user ID 1.\n"
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
    assert users_of(user)["ada"]["is_admin"] is False


def test_an_administrator_is_added(user):
    add(user, "boss", "--admin")
    assert users_of(user)["boss"]["is_admin"] is True


@pytest.mark.parametrize("arguments", [["list"], ["show", "ada"], ["promote", "ada"], ["delete", "ada", "--yes"]])
def test_looking_does_not_make_a_store(user, tmp_path, arguments):
    assert "there is no user store" in user(*arguments, code=1)
    assert not (tmp_path / "data").exists()


def test_list_is_a_table_and_json_by_pages(user):
    for name in ("ada", "bob", "cyd"):
        add(user, name)
    lines = user("list").splitlines()
    assert lines[0].split() == ["ID", "USERNAME", "E-MAIL", "ROLE", "STATE", "CREATED"]
    assert [line.split()[1] for line in lines[1:]] == ["ada", "bob", "cyd"]
    first = json.loads(user("list", "--json", "--limit", "2"))
    assert [entry["user_id"] for entry in first["users"]] == [1, 2] and first["next_after"] == 2
    rest = json.loads(user("list", "--json", "--after", "2"))
    assert [entry["username"] for entry in rest["users"]] == ["cyd"] and rest["next_after"] is None


def test_show_tells_all_but_the_hash(user):
    add(user, "ada")
    text = user("show", "ada")
    for word in ("ada@example.org", "active", "created"):
        assert word in text
    assert len([line for line in text.splitlines() if line.startswith("password")][0]) < 45
    assert user("show", "--id", "1") == text == user("show", "ADA")


def test_every_change_is_made(user):
    add(user, "boss", "--admin")
    add(user, "ada")
    assert user("promote", "ada") == "Promoted ada, user ID 2.\n"
    assert users_of(user)["ada"]["is_admin"]
    user("demote", "--id", "2")
    assert not users_of(user)["ada"]["is_admin"]
    user("deactivate", "ada")
    assert not users_of(user)["ada"]["is_active"]
    assert "deactivated" in user("show", "ada")
    user("activate", "ada")
    assert users_of(user)["ada"]["is_active"]
    user("delete", "ada", "--yes")
    assert list(users_of(user)) == ["boss"]


@pytest.mark.parametrize("arguments", [["demote"], ["deactivate"], ["delete", "--yes"]])
def test_the_last_active_administrator_stays(user, arguments):
    add(user, "boss", "--admin")
    add(user, "ada")
    command, *options = arguments
    assert "last active administrator" in user(command, "boss", *options, code=1)
    assert users_of(user)["boss"]["is_admin"] and users_of(user)["boss"]["is_active"]
    user("promote", "ada")
    user(command, "boss", *options)


def test_an_unknown_user_is_one_sentence(user):
    add(user, "ada")
    assert 'there is no user named "bob"' in user("show", "bob", code=1)
    assert "there is no user with the ID 7" in user("promote", "--id", "7", code=1)


def test_taken_names_are_refused_without_regard_to_case(user):
    add(user, "ada")
    assert "username" in user("add", "ADA", "other@example.org", text=f"{PASSWORD}\n", code=1)
    assert "e-mail" in user("add", "bob", "ADA@example.org", text=f"{PASSWORD}\n", code=1)


@pytest.mark.parametrize("name, email", [
    ("", "a@b"), ("a" * 65, "a@b"), ("a:b", "a@b"), (" ada", "a@b"), ("a\x1bb", "a@b"), ("a\u202eb", "a@b"),
    ("ada", "nobody"), ("ada", "a @b"), ("ada", "@b"), ("ada", "a@" + "b" * 253), ("ada", "ab"),
])
def test_the_limits_of_signup_hold(user, tmp_path, name, email):
    user("add", "--", name, email, text=f"{PASSWORD}\n", code=1)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("text", ["", "\n", "seven77\n", "x" * 512 + "\n"], ids=["none", "empty", "short", "long"])
def test_a_password_out_of_limits_is_refused(user, text):
    assert "assword" in user("add", "ada", "a@b", text=text, code=1)
    assert users_of(user) == {}


@pytest.mark.parametrize("text, password", [
    ("eig8-t88\n", "eig8-t88"), ("no line end", "no line end"), ("  spaces kept  \nmore\n", "  spaces kept  "),
    ("x" * 511 + "\n", "x" * 511), ("p\u00e4ssw\u00f6rter\n", "p\u00e4ssw\u00f6rter"),
], ids=["shortest", "no line end", "spaces", "longest", "utf-8"])
def test_a_password_from_standard_input_is_the_first_line_untouched(fresh_system, text, password):
    fresh_system.user("add", "ada", "a@b", input_text=text)
    assert fresh_system.api().login("ada", password).status_code == 200
    assert fresh_system.api().login("ada", password[1:]).status_code == 401


def test_it_works_beside_a_running_auth(fresh_system):
    api = fresh_system.api()
    fresh_system.user("add", "boss", "boss@example.org", "--admin", input_text=f"{PASSWORD}\n")
    token = api.token("boss", PASSWORD)
    assert api.message(token).json()["detail"] == "Welcome, Admin! You have full access."
    name = api.new_user()
    assert name in fresh_system.user("list")
    fresh_system.user("promote", name)
    fresh_system.user("demote", "boss")
    assert api.message(token).json()["detail"] == "Welcome, Authenticated user! Limited access."
    fresh_system.user("deactivate", "boss")
    assert api.message(token).status_code == 401
    fresh_system.user("activate", "boss")
    assert api.message(token).status_code == 401, "deactivation ended the session"
    token = api.token("boss", PASSWORD)
    assert api.message(token).status_code == 200
    fresh_system.user("delete", "boss", "--yes")
    assert api.message(token).status_code == 401


def test_sessions_are_shown_and_ended(fresh_system):
    api = fresh_system.api()
    name = api.new_user()
    tokens = [api.token(name) for _ in range(3)]
    sids = [fresh_system.claims(token)["sid"] for token in tokens]
    shown = json.loads(fresh_system.user("sessions", name, "--json"))["sessions"]
    assert [entry["sid"] for entry in shown] == sids
    assert {entry["client_address"] for entry in shown} == {"127.0.0.1"}
    assert all(sid in fresh_system.user("sessions", name) for sid in sids)
    assert fresh_system.user("sessions", name, "--end", sids[1]).startswith(f"Ended a session of {name}")
    assert [api.message(token).status_code for token in tokens] == [200, 401, 200]
    fresh_system.user("sessions", name, "--end", sids[1], expected_code=1)
    fresh_system.user("sessions", name, "--end", "x", expected_code=1)
    assert fresh_system.user("sessions", "--id", "1", "--end-all").startswith(f"Ended 2 sessions of {name}")
    assert [api.message(token).status_code for token in tokens] == [401, 401, 401]
    assert json.loads(fresh_system.user("sessions", name, "--json")) == {"sessions": []}
    fresh_system.user("sessions", name, "--end", sids[0], "--end-all", expected_code=2)


def test_a_session_of_another_user_is_not_ended(fresh_system):
    api = fresh_system.api()
    token = api.token(api.new_user())
    fresh_system.user("sessions", api.new_user(), "--end", fresh_system.claims(token)["sid"], expected_code=1)
    assert api.message(token).status_code == 200


def test_a_new_password_ends_the_sessions(fresh_system):
    api = fresh_system.api()
    name = api.new_user()
    token = api.token(name)
    fresh_system.user("passwd", name, input_text=f"{PASSWORD}\n")
    assert api.message(token).status_code == 401


@pytest.mark.parametrize("password, word", [("password123", "common"), ("adalovelace", "username"),
                                            ("ADALOVELACE@example.org", "address")])
def test_a_weak_password_is_refused(user, password, word):
    assert word in user("add", "adalovelace", "adalovelace@example.org", text=f"{password}\n", code=1)


def test_list_takes_filters(user):
    for name in ("ada", "bob", "cyd", "dot"):
        add(user, name)
    user("promote", "bob")
    user("deactivate", "cyd")

    def names(*options):
        return [entry["username"] for entry in json.loads(user("list", "--json", *options))["users"]]

    assert names("--name", "BOB") == ["bob"] and names("--name", "bo") == []
    assert names("--admin", "yes") == ["bob"] and names("--admin", "no") == ["ada", "cyd", "dot"]
    assert names("--active", "no") == ["cyd"] and names("--active", "yes", "--admin", "no") == ["ada", "dot"]
    assert names("--admin", "no", "--limit", "2", "--after", "1") == ["cyd", "dot"]
    user("list", "--admin", "perhaps", code=2)


def test_a_new_password_replaces_the_old_one(fresh_system):
    api = fresh_system.api()
    name = api.new_user()
    fresh_system.user("passwd", name, input_text=f"{PASSWORD}\n")
    assert api.login(name).status_code == 401
    assert api.login(name, PASSWORD).status_code == 200


def test_what_is_added_while_auth_is_down_is_there_when_it_is_back(fresh_system):
    fresh_system.stop("auth")
    fresh_system.user("add", "ada", "ada@example.org", input_text=f"{PASSWORD}\n")
    fresh_system.start("auth")
    fresh_system.wait_ready()
    assert fresh_system.api().login("ada", PASSWORD).status_code == 200


def test_an_administrator_made_here_is_the_first_one(fresh_system):
    fresh_system.user("add", "boss", "boss@example.org", "--admin", input_text=f"{PASSWORD}\n")
    assert fresh_system.api().signup("eve", is_admin=True).status_code == 403


def test_delete_asks_and_without_a_terminal_needs_yes(user):
    add(user, "ada")
    assert "--yes" in user("delete", "ada", text="yes\n", code=1)
    assert list(users_of(user)) == ["ada"]


def test_names_are_printed_in_printable_ascii(user):
    add(user, "zo\u00eb")
    for command in (["list"], ["show", "zo\u00eb"], ["list", "--json"], ["promote", "zo\u00eb"]):
        text = user(*command)
        assert "zo\\u00eb" in text and text.replace("\n", "").isprintable() and text.isascii()


@pytest.mark.parametrize("closed", ["<&- >&-", ">&- 2>&-", "<&- 2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("arguments", ["list", "promote nobody"])
def test_closed_standard_descriptors_do_the_store_no_harm(user, store, tmp_path, closed, arguments):
    add(user, "ada")
    subprocess.run(["sh", "-c", f'"$0" user {arguments} {closed}', str(BINARY)], env=environment(store), cwd=tmp_path,
                   timeout=30, check=False)
    assert set(users_of(user)) == {"ada"}


def test_a_memory_store_cannot_be_reached(store, user):
    store["DATABASE_URL"] = "memory:"
    assert "memory:" in user("list", code=1)
    assert "memory:" in user("add", "ada", "a@b", text=f"{PASSWORD}\n", code=1)


@pytest.mark.parametrize("url", ["postgres://x", "nonsense"])
def test_an_unknown_store_is_refused(store, user, url):
    store["DATABASE_URL"] = url
    user("list", code=1)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_store_of_another_user_is_refused(user, tmp_path):
    add(user, "ada")
    os.chown(tmp_path / "data", 65534, 65534)
    assert "owner" in user("list", code=1)
    os.chown(tmp_path / "data", 0, 0)
    os.chown(tmp_path / "data" / "data.mdb", 65534, 65534)
    assert "owner" in user("promote", "ada", code=1)


# On a terminal.

class Terminal:
    """The command with a terminal as its standard input."""

    def __init__(self, arguments, settings, cwd):
        self.side, other = pty.openpty()
        self.other = os.dup(other)
        self.child = subprocess.Popen([BINARY, "user", *arguments], env=environment(settings), cwd=cwd, stdin=other,
                                      stdout=subprocess.PIPE, stderr=other, start_new_session=True)
        os.close(other)
        self.seen = ""

    def until(self, text):
        while text not in self.seen:
            assert select.select([self.side], [], [], 20)[0], f"waited for {text!r}, saw {self.seen!r}"
            self.seen += os.read(self.side, 4096).decode()

    def type(self, text):
        os.write(self.side, text.encode())

    def echoes(self):
        return bool(termios.tcgetattr(self.other)[3] & termios.ECHO)

    def end(self):
        stdout, _ = self.child.communicate(timeout=20)
        while select.select([self.side], [], [], 0)[0]:
            self.seen += os.read(self.side, 4096).decode()
        return self.child.returncode, stdout.decode()

    def close(self):
        if self.child.poll() is None:
            self.child.kill()
            self.child.wait()
        os.close(self.side)
        os.close(self.other)


@pytest.fixture
def terminal(store, tmp_path):
    opened = []

    def start(*arguments):
        opened.append(Terminal(arguments, store, tmp_path))
        return opened[-1]
    yield start
    for one in opened:
        one.close()


def test_a_password_is_asked_twice_without_echo(terminal, user):
    shown = terminal("add", "ada", "ada@example.org")
    shown.until("Password: ")
    assert not shown.echoes()
    shown.type(PASSWORD + "\n")
    shown.until("Once more: ")
    shown.type(PASSWORD + "\n")
    assert shown.end() == (0, "Added ada, user ID 1.\n")
    assert PASSWORD not in shown.seen and shown.echoes()
    assert list(users_of(user)) == ["ada"]


def test_passwords_that_differ_change_nothing(terminal, user):
    shown = terminal("add", "ada", "ada@example.org")
    shown.until("Password: ")
    shown.type(PASSWORD + "\n")
    shown.until("Once more: ")
    shown.type(PASSWORD + "?\n")
    assert shown.end() == (1, "")
    assert "differ" in shown.seen
    assert users_of(user) == {}


def test_an_interrupt_brings_the_echo_back(terminal):
    shown = terminal("add", "ada", "ada@example.org")
    shown.until("Password: ")
    assert not shown.echoes()
    shown.child.send_signal(2)
    code, _ = shown.end()
    assert code == -2 and shown.echoes()


@pytest.mark.parametrize("reply, code, left", [("yes", 0, []), ("no", 1, ["ada"]), ("", 1, ["ada"])])
def test_delete_asks_on_a_terminal(terminal, user, reply, code, left):
    add(user, "ada")
    shown = terminal("delete", "ada")
    shown.until("Type yes: ")
    shown.type(reply + "\n")
    assert shown.end()[0] == code
    assert list(users_of(user)) == left
