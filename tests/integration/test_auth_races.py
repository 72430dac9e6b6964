"""What several requests at once may not come to: each pair of claims below is decided by one transaction."""

import threading

import pytest

from support.system import CHEAP_HASHES, PASSWORD, bearer

COUNT = 8


def at_once(jobs):
    """Runs the jobs, each on a thread of its own, from one moment on; their results in order."""
    results = [None] * len(jobs)
    start = threading.Barrier(len(jobs))

    def run(index):
        start.wait(timeout=30)
        results[index] = jobs[index]()

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert None not in results
    return results


@pytest.fixture
def quick(start_system):
    return start_system(**CHEAP_HASHES)


def change(system, token, new):
    body = {"current_password": PASSWORD, "new_password": new}
    return lambda: system.internal("auth", "PUT", "/password", body, bearer(token)).status_code


def test_of_several_changes_of_a_password_one_wins(quick):
    api = quick.api()
    for _ in range(5):
        name = api.new_user()
        token = api.token(name)
        words = [f"the new password {index} of {name}" for index in range(COUNT)]
        statuses = at_once([change(quick, token, word) for word in words])
        assert sorted(statuses) == [200] + [403] * (COUNT - 1)
        assert [api.login(name, word).status_code for word in words] == [
            200 if status == 200 else 401 for status in statuses]


def test_of_changes_from_several_sessions_one_wins_and_its_session_alone_stays(quick):
    api = quick.api()
    for _ in range(5):
        name = api.new_user()
        tokens = [api.token(name) for _ in range(COUNT)]
        words = [f"the new password {index} of {name}" for index in range(COUNT)]
        statuses = at_once([change(quick, token, word) for token, word in zip(tokens, words)])
        assert statuses.count(200) == 1 and set(statuses) <= {200, 401, 403}
        winner = statuses.index(200)
        assert api.login(name, words[winner]).status_code == 200
        assert [api.message(token).status_code for token in tokens] == [
            200 if index == winner else 401 for index in range(COUNT)]


def test_a_hash_renewed_by_a_login_does_not_refuse_a_change(start_system):
    system = start_system(**CHEAP_HASHES)
    api = system.api()
    name = api.new_user()
    token = api.token(name)
    system.restart("auth", PASSWORD_COST="2000")
    body = {"username": name, "password": PASSWORD}
    logins = [lambda: system.internal("auth", "POST", "/login", body).status_code] * 4
    statuses = at_once([change(system, token, "the new password of today"), *logins])
    assert statuses[0] == 200
    assert api.login(name, "the new password of today").status_code == 200
