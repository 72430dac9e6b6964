"""POST /user/refresh: a new pair for a refresh token, once; a lost answer is told again; a stolen token ends it all."""

import json
import threading
import time

import pytest

from support import wire
from support.concurrent import all_at_once
from support.process import wait_until
from support.sentences import FULL, LIMITED, REFUSED
from support.system import assert_envelope, pairs

PAIR = ("access_token", "refresh_token")


def pair_of(answer):
    detail = assert_envelope(answer, 200)
    return detail["access_token"], detail["refresh_token"]


def refresh_request(system, refresh_token):
    """The bytes of a refresh."""
    body = json.dumps({"refresh_token": refresh_token}).encode()
    return wire.http1_request("POST", "/user/refresh", [("Content-Type", "application/json")], body, system.port())


def assert_ended(api, *access_tokens):
    for token in access_tokens:
        assert_envelope(api.message(token), 401, REFUSED)


@pytest.fixture
def strict(start_system):
    """A system without a replay window: the second use of a token is theft at once."""
    return start_system(REFRESH_REPLAY_SECONDS="0")


# --- a new pair --------------------------------------------------------------------------------------------------

def test_refresh_answers_a_pair_as_login_does(api):
    tokens = api.tokens(api.new_user())
    answer = api.refresh(tokens["refresh_token"])
    detail = assert_envelope(answer, 200)
    assert [key for key, _ in dict(pairs(answer.text))["detail"]] == [
        "token_type", "access_token", "refresh_token", "expires_in"]
    assert (detail["token_type"], detail["expires_in"]) == ("bearer", 1800)
    assert all(detail[name] != tokens[name] for name in PAIR)
    assert_envelope(api.message(detail["access_token"]), 200, LIMITED)


def test_the_new_pair_is_of_the_same_session_and_user_with_ids_of_its_own(api):
    name = api.new_user()
    first = api.tokens(name)
    second = api.refreshed(first["refresh_token"])
    for kind in PAIR:
        old, new = api.system.claims(first[kind]), api.system.claims(second[kind])
        assert (new["sid"], new["uid"], new["sub"], new["use"]) == (old["sid"], old["uid"], name, old["use"])
        assert new["jti"] != old["jti"]
        assert new["exp"] - new["iat"] == old["exp"] - old["iat"]
    refresh = api.system.claims(second["refresh_token"])
    assert (refresh["use"], refresh["aud"]) == ("refresh", "token-relay:refresh")


def test_a_session_can_be_refreshed_again_and_again(api):
    tokens = api.tokens(api.new_user())
    seen = {tokens["refresh_token"]}
    for _ in range(20):
        tokens = api.refreshed(tokens["refresh_token"])
        assert tokens["refresh_token"] not in seen
        seen.add(tokens["refresh_token"])
    assert_envelope(api.message(tokens["access_token"]), 200, LIMITED)


def test_access_tokens_of_before_stay_valid_while_the_session_lives(api):
    first = api.tokens(api.new_user())
    api.refreshed(first["refresh_token"])
    assert_envelope(api.message(first["access_token"]), 200, LIMITED)


def test_a_refresh_touches_no_other_session(api):
    name = api.new_user()
    one, other = api.tokens(name), api.tokens(name)
    api.refreshed(one["refresh_token"])
    assert_envelope(api.message(other["access_token"]), 200, LIMITED)
    api.refreshed(other["refresh_token"])


def test_a_refreshed_token_tells_what_the_user_is_now(api):
    tokens = api.tokens(api.new_user())
    api.system.user("promote", api.system.claims(tokens["access_token"])["sub"])
    second = api.refreshed(tokens["refresh_token"])
    assert_envelope(api.message(second["access_token"]), 200, FULL)


# --- what is refused ---------------------------------------------------------------------------------------------

def test_an_access_token_is_no_refresh_token(api):
    tokens = api.tokens(api.new_user())
    assert_envelope(api.refresh(tokens["access_token"]), 401, REFUSED)
    api.refreshed(tokens["refresh_token"])


@pytest.mark.parametrize("method, path", [
    ("GET", "/user/message"), ("GET", "/user/me"), ("GET", "/user/sessions"), ("POST", "/user/logout"),
    ("GET", "/admin/users"), ("DELETE", "/user/sessions/AAAAAAAAAAAAAAAAAAAAAA"),
])
def test_a_refresh_token_is_no_access_token(system, method, path):
    api = system.api()
    tokens = api.tokens(api.new_user())
    assert_envelope(api.request(method, path, tokens["refresh_token"]), 401, REFUSED)
    assert_envelope(api.message(tokens["access_token"]), 200, LIMITED)
    api.refreshed(tokens["refresh_token"])


def test_what_is_forged_expired_or_not_ours_is_refused_and_ends_nothing(system):
    api = system.api()
    tokens = api.tokens(api.new_user())
    claims = system.claims(tokens["refresh_token"])
    now = int(time.time())
    refused = {
        "other key": system.sign(claims, key="k" * 48),
        "expired": system.sign({**claims, "exp": now - 1}),
        "expires now": system.sign({**claims, "exp": now}),
        "no audience": system.sign({key: value for key, value in claims.items() if key != "aud"}),
        "other audience": system.sign({**claims, "aud": "someone:else"}),
        "access": system.sign({**claims, "use": "access"}),
        "other session": system.sign({**claims, "sid": "A" * 22}),
        "other user": system.sign({**claims, "uid": claims["uid"] + 10**6}),
        "other name": system.sign({**claims, "sub": "admin_user"}),
        "no session": system.sign({key: value for key, value in claims.items() if key != "sid"}),
        "malformed": "a.b.c", "text": "refresh", "empty parts": "..",
    }
    for case, token in refused.items():
        answer = api.refresh(token)
        assert answer.status_code == 401, f"{case}: {answer.text}"
        assert_envelope(answer, 401, REFUSED)
    assert_envelope(api.message(tokens["access_token"]), 200, LIMITED)
    api.refreshed(tokens["refresh_token"])


def test_one_session_cannot_be_refreshed_with_the_token_of_another(system):
    """A token whose id was never the session's own is not an honest mistake, whoever signed it."""
    api = system.api()
    name = api.new_user()
    one, other = (system.claims(api.tokens(name)["refresh_token"]) for _ in range(2))
    assert_envelope(api.refresh(system.sign({**one, "sid": other["sid"]})), 401, REFUSED)


def test_a_token_signed_anew_from_its_claims_is_the_same_token(api):
    tokens = api.tokens(api.new_user())
    again = api.system.sign(api.system.claims(tokens["refresh_token"]))
    api.refreshed(again)


@pytest.mark.parametrize("body, kind", [
    ({}, "missing"), ({"refresh_token": None}, "string_type"), ({"refresh_token": 5}, "string_type"),
    ({"refresh_token": ["x"]}, "string_type"), ({"Refresh_Token": "x"}, "missing"),
])
def test_a_body_that_names_no_token_is_422(api, body, kind):
    detail = assert_envelope(api.post("/user/refresh", body), 422)
    assert [(entry["loc"], entry["type"]) for entry in detail] == [(["body", "refresh_token"], kind)]


@pytest.mark.parametrize("how", ["deactivate", "delete"])
def test_the_refresh_token_of_a_user_who_is_gone_is_refused(api, how):
    name = api.new_user()
    tokens = api.tokens(name)
    api.system.user(how, name, *(["--yes"] if how == "delete" else []))
    assert_envelope(api.refresh(tokens["refresh_token"]), 401, REFUSED)


def test_activation_brings_no_session_back(api):
    name = api.new_user()
    tokens = api.tokens(name)
    api.system.user("deactivate", name)
    api.system.user("activate", name)
    assert_envelope(api.refresh(tokens["refresh_token"]), 401, REFUSED)
    assert_ended(api, tokens["access_token"])


# --- a lost answer, two tabs -------------------------------------------------------------------------------------

def test_a_replay_within_the_window_gets_the_same_successor(api):
    tokens = api.tokens(api.new_user())
    first = pair_of(api.refresh(tokens["refresh_token"]))
    for _ in range(3):
        assert pair_of(api.refresh(tokens["refresh_token"])) == first
    assert_envelope(api.message(first[0]), 200, LIMITED)
    api.refreshed(first[1])


def test_fifty_concurrent_refreshes_of_one_token_give_one_pair(system):
    api = system.api()
    for _ in range(4):
        tokens = api.tokens(api.new_user())
        answers = all_at_once(system.port(), [refresh_request(system, tokens["refresh_token"])] * 50)
        for answer in answers:
            system.remember_pair(answer)
        seen = {pair_of(answer) for answer in answers}
        assert len(seen) == 1
        (access, refresh), = seen
        assert refresh != tokens["refresh_token"]
        assert_envelope(api.message(access), 200, LIMITED)
        api.refreshed(refresh)


def test_concurrent_refreshes_on_one_http2_connection_give_one_pair(system):
    api = system.api()
    tokens = api.tokens(api.new_user())
    body = json.dumps({"refresh_token": tokens["refresh_token"]}).encode()
    with wire.Http2Connection(system.port()) as connection:
        streams = [connection.start("POST", "/user/refresh", [("Content-Type", "application/json")], body)
                   for _ in range(50)]
        answers = connection.answers(streams).values()
    assert len({pair_of(answer) for answer in answers}) == 1


def test_a_replay_after_the_successor_was_spent_ends_the_session(api):
    tokens = api.tokens(api.new_user())
    second = api.refreshed(tokens["refresh_token"])
    third = api.refreshed(second["refresh_token"])
    assert_envelope(api.refresh(tokens["refresh_token"]), 401, REFUSED)
    assert_ended(api, tokens["access_token"], second["access_token"], third["access_token"])
    assert_envelope(api.refresh(third["refresh_token"]), 401, REFUSED)


def test_without_a_window_the_second_use_ends_the_session(strict):
    api = strict.api()
    tokens = api.tokens(api.new_user())
    second = api.refreshed(tokens["refresh_token"])
    assert_envelope(api.refresh(tokens["refresh_token"]), 401, REFUSED)
    assert_ended(api, tokens["access_token"], second["access_token"])
    assert_envelope(api.refresh(second["refresh_token"]), 401, REFUSED)


# --- theft -------------------------------------------------------------------------------------------------------

def test_a_spent_token_after_the_window_ends_the_whole_session(start_system):
    system = start_system(REFRESH_REPLAY_SECONDS="1")
    api = system.api()
    name = api.new_user()
    tokens, other = api.tokens(name), api.tokens(name)
    spent_at = time.monotonic()
    second = pair_of(api.refresh(tokens["refresh_token"]))
    assert pair_of(api.refresh(tokens["refresh_token"])) == second

    def reused():
        answer = api.refresh(tokens["refresh_token"])
        if answer.status_code == 200:
            assert pair_of(answer) == second
            return None
        return answer

    refusal = wait_until(reused, 10, "the window to close")
    assert time.monotonic() - spent_at >= 0.9
    assert_envelope(refusal, 401, REFUSED)
    assert_ended(api, tokens["access_token"], second[0])
    assert_envelope(api.refresh(second[1]), 401, REFUSED)
    assert_envelope(api.message(other["access_token"]), 200, LIMITED)
    assert len(api.sessions(other["access_token"])) == 1


def test_replays_do_not_move_the_end_of_the_window(start_system):
    """The window counts from the first use: whoever keeps replaying cannot keep it open."""
    system = start_system(REFRESH_REPLAY_SECONDS="1")
    api = system.api()
    tokens = api.tokens(api.new_user())
    api.refreshed(tokens["refresh_token"])
    begun = time.monotonic()
    wait_until(lambda: api.refresh(tokens["refresh_token"]).status_code == 401, 5, "replays to be refused")
    assert time.monotonic() - begun < 3


def test_theft_refuses_the_very_next_request_in_a_gathered_relay(strict):
    api = strict.api()
    name = api.new_user()
    tokens, bystander = api.tokens(name), api.tokens(name)["access_token"]
    api.refreshed(tokens["refresh_token"])
    assert_envelope(api.refresh(tokens["refresh_token"]), 401)
    with wire.Http2Connection(strict.port()) as connection:
        dead = [connection.start("GET", "/user/message", [("Authorization", f"Bearer {tokens['access_token']}")])
                for _ in range(10)]
        alive = [connection.start("GET", "/user/message", [("Authorization", f"Bearer {bystander}")])
                 for _ in range(10)]
        answers = connection.answers(dead + alive)
    assert {answers[stream].status_code for stream in dead} == {401}
    assert {answers[stream].status_code for stream in alive} == {200}


def test_of_concurrent_refreshes_of_a_stolen_token_none_gets_a_pair(strict):
    api = strict.api()
    tokens = api.tokens(api.new_user())
    second = api.refreshed(tokens["refresh_token"])
    answers = all_at_once(strict.port(), [refresh_request(strict, tokens["refresh_token"])] * 20)
    assert {answer.status_code for answer in answers} == {401}
    assert_envelope(api.refresh(second["refresh_token"]), 401, REFUSED)


def test_refreshes_of_many_sessions_at_once_do_not_mix_them_up(system):
    api = system.api()
    name = api.new_user()
    before = [api.tokens(name)["refresh_token"] for _ in range(24)]
    answers = all_at_once(system.port(), [refresh_request(system, token) for token in before])
    after = [pair_of(answer) for answer in answers]
    for token, (access, refresh) in zip(before, after):
        system.remember_secret(access)
        system.remember_secret(refresh)
        assert {system.claims(each)["sid"] for each in (token, access, refresh)} == {system.claims(token)["sid"]}
    assert len(set(after)) == 24


def test_a_logout_in_a_race_with_refreshes_ends_the_session(system):
    """Whichever comes first: afterwards nothing that any of them answered is worth anything."""
    api = system.api()
    for _ in range(8):
        tokens = api.tokens(api.new_user())
        logout = wire.http1_request("POST", "/user/logout", [("Authorization", f"Bearer {tokens['access_token']}")],
                                    None, system.port())
        answers = all_at_once(system.port(), [refresh_request(system, tokens["refresh_token"])] * 6 + [logout])
        assert_envelope(answers[-1], 200, "Logged out")
        for answer in answers[:-1]:
            assert answer.status_code in (200, 401)
            if answer.status_code == 200:
                system.remember_pair(answer)
                access, refresh = pair_of(answer)
                assert_ended(api, access)
                assert_envelope(api.refresh(refresh), 401, REFUSED)


# --- what the store keeps ----------------------------------------------------------------------------------------

def test_the_store_holds_no_token(start_system):
    system = start_system()
    api = system.api()
    tokens = api.tokens(api.new_user())
    second = api.refreshed(tokens["refresh_token"])
    system.stop("auth")
    data = (system.folder / "data" / "data.mdb").read_bytes()
    for token in (tokens, second):
        for kind in PAIR:
            head, payload, signature = token[kind].split(".")
            assert signature.encode() not in data and payload.encode() not in data
    assert system.claims(second["refresh_token"])["sid"].encode() in data
    system.start("auth")


def test_one_client_that_leaves_does_not_undo_the_refresh(system):
    """The answer is lost, the token is spent: the replay brings the pair."""
    api = system.api()
    tokens = api.tokens(api.new_user())
    sid = system.claims(tokens["access_token"])["sid"]
    with wire.connect(system.port()) as sock:
        sock.sendall(refresh_request(system, tokens["refresh_token"]))
    system.wait_for_event("refresh", sid=sid)
    first = pair_of(api.refresh(tokens["refresh_token"]))
    assert pair_of(api.refresh(tokens["refresh_token"])) == first
    assert len(system.events("refresh", sid=sid)) == 1


def test_refresh_under_load_keeps_every_session_alive(system):
    """Honest clients, each with its own session, are never taken for thieves."""
    api = system.api()
    faults = []

    def live(refresh_token):
        own = type(api)(system)
        try:
            for _ in range(10):
                answer = own.refresh(refresh_token)
                if answer.status_code != 200:
                    faults.append(answer.text)
                    return
                refresh_token = answer.json()["detail"]["refresh_token"]
        finally:
            own.close()

    name = api.new_user()
    threads = [threading.Thread(target=live, args=(api.tokens(name)["refresh_token"],)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults, faults[:3]
