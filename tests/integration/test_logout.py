"""POST /user/logout: a session ends with its answer, and no request that starts after it is let through."""

import threading
import time

import pytest

from support import wire
from support.sentences import LIMITED, MISSING, REFUSED
from support.system import assert_envelope, bearer



def test_logout_answers_logged_out_and_ends_the_session(api):
    tokens = api.tokens(api.new_user())
    assert_envelope(api.logout(tokens["access_token"]), 200, "Logged out")
    assert_envelope(api.message(tokens["access_token"]), 401, REFUSED)
    assert_envelope(api.refresh(tokens["refresh_token"]), 401, REFUSED)


def test_logout_takes_a_refresh_token_in_the_body(api):
    tokens = api.tokens(api.new_user())
    assert_envelope(api.logout(refresh_token=tokens["refresh_token"]), 200, "Logged out")
    assert_envelope(api.message(tokens["access_token"]), 401, REFUSED)
    assert_envelope(api.refresh(tokens["refresh_token"]), 401, REFUSED)


def test_logout_takes_the_token_without_a_scheme(api):
    token = api.token(api.new_user())
    assert_envelope(api.request("POST", "/user/logout", headers={"Authorization": token}), 200, "Logged out")
    assert_envelope(api.message(token), 401, REFUSED)


def test_logout_ends_every_access_token_of_the_session(api):
    first = api.tokens(api.new_user())
    second = api.refreshed(first["refresh_token"])
    assert_envelope(api.logout(first["access_token"]), 200, "Logged out")
    for token in (first["access_token"], second["access_token"]):
        assert_envelope(api.message(token), 401, REFUSED)
    assert_envelope(api.refresh(second["refresh_token"]), 401, REFUSED)


def test_logout_ends_no_other_session(api):
    name = api.new_user()
    one, other = api.tokens(name), api.tokens(name)
    assert_envelope(api.logout(one["access_token"]), 200)
    assert_envelope(api.message(other["access_token"]), 200, LIMITED)
    api.refreshed(other["refresh_token"])


def test_what_was_signed_anew_from_an_ended_sessions_claims_is_refused(api):
    token = api.token(api.new_user())
    claims = api.system.claims(token)
    assert_envelope(api.logout(token), 200)
    assert_envelope(api.message(api.system.sign({**claims, "jti": "x" * 22, "exp": int(time.time()) + 60})), 401, REFUSED)


def test_a_second_logout_is_refused(api):
    tokens = api.tokens(api.new_user())
    assert_envelope(api.logout(tokens["access_token"]), 200)
    assert_envelope(api.logout(tokens["access_token"]), 401, REFUSED)
    assert_envelope(api.logout(refresh_token=tokens["refresh_token"]), 401, REFUSED)


def test_without_a_token_logout_is_400(api):
    answer = api.logout()
    assert_envelope(answer, 400, MISSING)
    assert "WWW-Authenticate" not in answer.headers


@pytest.mark.parametrize("value", ["Bearer a.b.c", "Bearer x", "Basic eDp5", "Bearer"], ids=str)
def test_a_bad_access_token_ends_nothing(api, value):
    token = api.token(api.new_user())
    answer = api.request("POST", "/user/logout", headers={"Authorization": value})
    assert answer.status_code == (400 if value == "Bearer" else 401)
    assert_envelope(api.message(token), 200, LIMITED)


def test_a_forged_token_logs_nobody_out(system):
    api = system.api()
    tokens = api.tokens(api.new_user())
    for kind in ("access_token", "refresh_token"):
        forged = system.sign(system.claims(tokens[kind]), key="f" * 48)
        answer = api.logout(forged) if kind == "access_token" else api.logout(refresh_token=forged)
        assert_envelope(answer, 401, REFUSED)
    assert_envelope(api.message(tokens["access_token"]), 200, LIMITED)


def test_each_kind_of_token_has_its_place(api):
    tokens = api.tokens(api.new_user())
    assert_envelope(api.logout(refresh_token=tokens["access_token"]), 401, REFUSED)
    assert_envelope(api.logout(tokens["refresh_token"]), 401, REFUSED)
    assert_envelope(api.message(tokens["access_token"]), 200, LIMITED)


@pytest.mark.parametrize("token", [5, None, ["x"], {}], ids=repr)
def test_a_body_with_no_refresh_token_in_it_is_422_without_an_access_token(api, token):
    detail = assert_envelope(api.post("/user/logout", {"refresh_token": token}), 422)
    assert [entry["loc"] for entry in detail] == [["body", "refresh_token"]]


def test_after_a_logout_one_can_log_in_again(api):
    name = api.new_user()
    first = api.token(name)
    assert_envelope(api.logout(first), 200)
    second = api.token(name)
    assert_envelope(api.message(second), 200, LIMITED)
    assert_envelope(api.message(first), 401, REFUSED)


def test_a_logout_is_refused_to_whoever_is_gone(api):
    name = api.new_user()
    token = api.token(name)
    api.system.user("deactivate", name)
    assert_envelope(api.logout(token), 401, REFUSED)


# --- the very next request ---------------------------------------------------------------------------------------

class Hammer:
    """GET /user/message, over and over with one token, until told to stop: when each began, ended, and its answer."""

    def __init__(self, system, token, clients=6, streams=12):
        self.system = system
        self.headers = list(bearer(token).items())
        self.seen = []
        self.faults = []
        self.stopping = threading.Event()
        self.busy = threading.Barrier(clients + 2 + 1)
        self.threads = [threading.Thread(target=self._guarded, args=(self._http1,)) for _ in range(clients)]
        self.threads += [threading.Thread(target=self._guarded, args=(self._http2, streams)) for _ in range(2)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        self.busy.wait(timeout=wire.TIMEOUT_S)
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join()
        assert not self.faults, self.faults[:3]

    def _guarded(self, work, *arguments):
        try:
            work(*arguments)
        except Exception as fault:  # noqa: BLE001 - told to the test, which fails
            self.faults.append(fault)
            self.busy.abort()

    def _http1(self):
        request = wire.http1_request("GET", "/user/message", self.headers, None, self.system.port())
        with wire.connect(self.system.port()) as sock, sock.makefile("rb") as file:
            for turn in range(10**6):
                if turn == 5:
                    self.busy.wait(timeout=wire.TIMEOUT_S)
                if self.stopping.is_set():
                    return
                begun = time.monotonic_ns()
                sock.sendall(request)
                status = wire.read_http1_answer(file).status_code
                self.seen.append((begun, time.monotonic_ns(), status))

    def _http2(self, streams):
        """Many requests of one connection at once: auth is asked about them in gathered calls."""
        with wire.Http2Connection(self.system.port()) as connection:
            for turn in range(10**6):
                if turn == 5:
                    self.busy.wait(timeout=wire.TIMEOUT_S)
                if self.stopping.is_set():
                    return
                begun = {}
                for _ in range(streams):
                    now = time.monotonic_ns()
                    begun[connection.start("GET", "/user/message", self.headers)] = now
                for stream, answer in connection.answers(begun).items():
                    self.seen.append((begun[stream], time.monotonic_ns(), answer.status_code))

    def wait_for_more(self, count):
        """Until so many further requests have been answered."""
        wanted = len(self.seen) + count
        deadline = time.monotonic() + wire.TIMEOUT_S
        while len(self.seen) < wanted and not self.faults:
            assert time.monotonic() < deadline, "the load stands still"
            time.sleep(0.001)


def end_under_load(system, token, end):
    """Calls `end` while messages are asked for; milliseconds from its answer to the first refusal that began then."""
    with Hammer(system, token) as hammer:
        hammer.wait_for_more(100)
        end()
        ended = time.monotonic_ns()
        hammer.wait_for_more(200)
    before = [status for begun, done, status in hammer.seen if done < ended]
    after = [(begun, done, status) for begun, done, status in hammer.seen if begun > ended]
    assert before.count(200) >= 100 and len(after) >= 50
    let_through = [begun - ended for begun, _, status in after if status != 401]
    assert not let_through, f"{len(let_through)} let through, the last {max(let_through) / 1e6} ms after the answer"
    assert {status for _, _, status in hammer.seen} == {200, 401}
    return (min(done for _, done, _ in after) - ended) / 1e6


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    """A system whose relays gather as much as they can."""
    from support.system import System
    made = System(tmp_path_factory.mktemp("loaded"), GATHER_CALLS_MAX="1", LOG_LEVEL="debug")
    try:
        yield made
        made.close()
    finally:
        made.kill()


def test_no_request_that_starts_after_the_logouts_answer_is_let_through_under_full_load(loaded, record_property):
    api = loaded.api()
    name = api.new_user()
    first_refusals_ms = []
    for turn in range(6):
        tokens = api.tokens(name)
        other = type(api)(loaded)

        def end():
            if turn % 2 == 0:
                assert_envelope(other.logout(tokens["access_token"]), 200, "Logged out")
            else:
                assert_envelope(other.logout(refresh_token=tokens["refresh_token"]), 200, "Logged out")

        first_refusals_ms.append(end_under_load(loaded, tokens["access_token"], end))
        other.close()
    record_property("logout_to_first_refusal_ms", first_refusals_ms)
    print("logout to first refusal, ms:", [round(ms, 2) for ms in first_refusals_ms])
    assert max(first_refusals_ms) < 5000
    assert loaded["auth"].requests(path="/validate-tokens"), "nothing was gathered"


@pytest.mark.parametrize("how", ["session ended from another", "password changed", "deactivated", "deleted",
                                 "sessions ended by an administrator", "deactivated by the command", "theft"])
def test_every_other_end_of_a_session_holds_for_the_very_next_request_under_load_too(loaded, how):
    api = loaded.api()
    _, admin = api.new_admin()
    name = api.new_user()
    tokens, mine = api.tokens(name), api.token(name)
    number = loaded.claims(mine)["uid"]
    other = type(api)(loaded)

    def end():
        if how == "session ended from another":
            answer = other.end_session(mine, loaded.claims(tokens["access_token"])["sid"])
        elif how == "password changed":
            from support.system import PASSWORD
            answer = other.change_password(mine, PASSWORD, "another " + PASSWORD)
        elif how == "deactivated":
            answer = other.request("PATCH", f"/admin/users/{number}", admin, {"is_active": False})
        elif how == "deleted":
            answer = other.request("DELETE", f"/admin/users/{number}", admin)
        elif how == "sessions ended by an administrator":
            answer = other.request("DELETE", f"/admin/users/{number}/sessions", admin)
        elif how == "theft":
            spent = tokens["refresh_token"]
            successor = other.refreshed(spent)["refresh_token"]
            other.refreshed(successor)
            assert_envelope(other.refresh(spent), 401, REFUSED)
            return
        else:
            loaded.user("deactivate", name)
            return
        assert answer.status_code == 200, answer.text

    end_under_load(loaded, tokens["access_token"], end)
    other.close()
