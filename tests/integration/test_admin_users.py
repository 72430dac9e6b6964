"""/admin/users: for administrators alone, decided by auth, and in force with the next request."""

import threading

import pytest

from support.sentences import FULL, LIMITED, MISSING, REFUSED
from support.system import PASSWORD, TIME, assert_envelope, pairs, unique_name

LAST = "The last administrator cannot be removed"
KEYS = ["user_id", "username", "email", "is_admin", "is_active", "created_at", "updated_at", "deactivated_at"]
ROUTES = [("GET", "/admin/users"), ("GET", "/admin/users/{id}"), ("PATCH", "/admin/users/{id}"),
          ("DELETE", "/admin/users/{id}"), ("DELETE", "/admin/users/{id}/sessions")]


@pytest.fixture(scope="module")
def admin(system):
    """An administrator's access token; another administrator is there as well, so this one is not the last."""
    api = system.api()
    api.new_admin("spare")
    return api.new_admin("admin")[1]


def ask(api, method, path, token, number=0, body=None):
    if method == "PATCH" and body is None:
        body = {"is_active": True}
    return api.request(method, path.format(id=number), token, body)


def patch(api, token, number, **changes):
    return api.request("PATCH", f"/admin/users/{number}", token, changes)


def listed(api, token, query=""):
    return assert_envelope(api.request("GET", "/admin/users" + query, token), 200)


# --- for whom ------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("method, path", ROUTES)
def test_others_get_403_and_nothing_happens(api, method, path):
    name, victim = api.new_user(), api.new_user()
    theirs = api.token(victim)
    number = api.system.claims(theirs)["uid"]
    for whom in (number, api.user_id(name), 10**9):
        answer = ask(api, method, path, api.token(name), whom)
        detail = assert_envelope(answer, 403)
        assert isinstance(detail, str) and victim not in answer.text
    assert_envelope(api.message(theirs), 200, LIMITED)


@pytest.mark.parametrize("method, path", ROUTES)
def test_without_a_good_token_it_is_400_or_401(api, method, path):
    assert_envelope(ask(api, method, path, None, 1), 400, MISSING)
    assert_envelope(ask(api, method, path, "a.b.c", 1), 401, REFUSED)


@pytest.mark.parametrize("method, path", ROUTES)
def test_whoever_was_demoted_gets_403_with_the_next_request(api, admin, method, path):
    name, token = api.new_admin()
    number = api.system.claims(token)["uid"]
    victim = api.user_id(api.new_user())
    assert_envelope(patch(api, admin, number, is_admin=False), 200)
    assert_envelope(ask(api, method, path, token, victim), 403)


def test_the_role_of_a_token_made_before_a_promotion_counts_now(api, admin):
    name = api.new_user()
    token = api.token(name)
    assert_envelope(api.request("GET", "/admin/users", token), 403)
    assert_envelope(patch(api, admin, api.system.claims(token)["uid"], is_admin=True), 200)
    listed(api, token)
    assert_envelope(api.message(token), 200, FULL)


# --- a listing -------------------------------------------------------------------------------------------------------

@pytest.fixture
def populated(fresh_system):
    """A store of its own: boss (an administrator), user_1 ... user_6, of which user_2 is inactive, user_3 an admin."""
    api = fresh_system.api()
    api.signup("boss", is_admin=True)
    for number in range(1, 7):
        assert api.signup(f"user_{number}").status_code == 201
    fresh_system.user("deactivate", "user_2")
    fresh_system.user("promote", "user_3")
    return api, api.token("boss")


def names(detail):
    return [user["username"] for user in detail["users"]]


def test_the_list_tells_everything_but_the_hash_in_this_order(populated):
    api, token = populated
    answer = api.request("GET", "/admin/users", token)
    detail = assert_envelope(answer, 200)
    assert list(detail) == ["users", "next_after"] and detail["next_after"] is None
    assert [user["user_id"] for user in detail["users"]] == [1, 2, 3, 4, 5, 6, 7]
    for user in dict(dict(pairs(answer.text))["detail"])["users"]:
        assert [key for key, _ in user] == KEYS
    one, _, inactive = detail["users"][:3]
    assert (one["username"], one["email"], one["is_admin"], one["is_active"]) == ("boss", "boss@example.org", True, True)
    assert one["deactivated_at"] is None and TIME.match(one["created_at"]) and TIME.match(one["updated_at"])
    assert inactive["is_active"] is False and TIME.match(inactive["deactivated_at"])
    assert "$" not in answer.text and "hash" not in answer.text


def test_pages_follow_each_other_without_gap_or_repeat(populated):
    api, token = populated
    for limit in (1, 2, 3, 7, 100):
        after, seen = "", []
        for _ in range(20):
            detail = listed(api, token, f"?limit={limit}{after}")
            assert len(detail["users"]) <= limit
            seen += [user["user_id"] for user in detail["users"]]
            if detail["next_after"] is None:
                break
            assert detail["next_after"] == seen[-1]
            after = f"&after={detail['next_after']}"
        assert seen == [1, 2, 3, 4, 5, 6, 7], limit


def test_after_the_last_there_is_an_empty_page(populated):
    api, token = populated
    for after in ("7", "8", str(2**53), str(2**63 - 1)):
        assert listed(api, token, f"?after={after}") == {"users": [], "next_after": None}


def test_the_limit_is_100_where_none_is_given(start_system):
    system = start_system(PASSWORD_METHOD="sha256crypt", PASSWORD_COST="1000")
    api = system.api()
    api.signup("boss", is_admin=True)
    for number in range(105):
        assert api.signup(f"user_{number}").status_code == 201
    token = api.token("boss")
    detail = listed(api, token)
    assert len(detail["users"]) == 100 and detail["next_after"] == 100
    assert len(listed(api, token, "?limit=1000")["users"]) == 106


@pytest.mark.parametrize("query, expected", [
    ("?username=user_4", ["user_4"]), ("?username=USER_4", ["user_4"]), ("?username=user_", []), ("?username=nobody", []),
    ("?username=user%5F4", ["user_4"]), ("?is_admin=true", ["boss", "user_3"]),
    ("?is_admin=false", ["user_1", "user_2", "user_4", "user_5", "user_6"]), ("?is_active=false", ["user_2"]),
    ("?is_active=true&is_admin=true", ["boss", "user_3"]), ("?is_active=false&is_admin=true", []),
    ("?username=user_2&is_active=true", []), ("?username=user_2&is_active=false", ["user_2"]),
    ("?is_admin=false&limit=2", ["user_1", "user_2"]), ("?is_admin=true&after=1", ["user_3"]),
    ("?unknown=parameter&is_active=false", ["user_2"]),
])
def test_filters(populated, query, expected):
    api, token = populated
    assert names(listed(api, token, query)) == expected


def test_filtered_pages_lead_to_every_match(populated):
    api, token = populated
    after, seen = "0", []
    while after is not None:
        detail = listed(api, token, f"?is_admin=true&limit=1&after={after}")
        seen += names(detail)
        after = detail["next_after"]
    assert seen == ["boss", "user_3"]


def test_a_name_of_any_script_is_found(populated):
    api, token = populated
    name = "n\u00e4me & co=\u2713 +"
    assert api.signup(name, email="n@example.org").status_code == 201
    answer = api.http.get("/admin/users", params={"username": name}, headers={"Authorization": f"Bearer {token}"})
    assert names(assert_envelope(answer, 200)) == [name]


@pytest.mark.parametrize("query", [
    "?limit=0", "?limit=1001", "?limit=-1", "?limit=x", "?limit=", "?limit=1e2", "?limit=99999999999999999999",
    "?after=-1", "?after=x", "?after=1.5", "?after=99999999999999999999", "?is_admin=maybe", "?is_active=",
])
def test_parameters_out_of_limits_are_422(api, admin, query):
    detail = assert_envelope(api.request("GET", "/admin/users" + query, admin), 422)
    assert detail[0]["loc"] == ["query", query[1:].split("=")[0]]


# --- one user --------------------------------------------------------------------------------------------------------

def test_a_user_is_shown_by_id(api, admin):
    name = api.new_user()
    number = api.user_id(name)
    answer = api.request("GET", f"/admin/users/{number}", admin)
    user = assert_envelope(answer, 200)
    assert [key for key, _ in dict(pairs(answer.text))["detail"]] == KEYS
    assert (user["user_id"], user["username"], user["email"]) == (number, name, f"{name}@example.org")
    assert (user["is_admin"], user["is_active"], user["deactivated_at"]) == (False, True, None)


@pytest.mark.parametrize("method, path", ROUTES[1:])
@pytest.mark.parametrize("number", ["1000000000", "0", "9223372036854775807", "18446744073709551615",
                                    "99999999999999999999999", "-1", "1x", "x", "01", "1.0"])
def test_an_id_that_nobody_has_is_404(system, admin, method, path, number):
    assert_envelope(ask(system.api(), method, path, admin, number), 404)


def test_patch_answers_the_user_as_it_is_now(api, admin):
    number = api.user_id(api.new_user())
    answer = patch(api, admin, number, is_admin=True)
    user = assert_envelope(answer, 200)
    assert [key for key, _ in dict(pairs(answer.text))["detail"]] == KEYS
    assert user["is_admin"] is True and user["updated_at"] > user["created_at"]
    user = assert_envelope(patch(api, admin, number, is_admin=False, is_active=False), 200)
    assert (user["is_admin"], user["is_active"]) == (False, False) and TIME.match(user["deactivated_at"])
    user = assert_envelope(patch(api, admin, number, is_active=True), 200)
    assert user["is_active"] is True and user["deactivated_at"] is None
    assert assert_envelope(api.request("GET", f"/admin/users/{number}", admin), 200) == user


@pytest.mark.parametrize("body", [{"is_admin": None}, {"is_active": []}, {"is_active": "maybe"}, {"is_admin": {}}], ids=str)
def test_patch_with_what_is_no_boolean_is_422(api, admin, body):
    number = api.user_id(api.new_user())
    detail = assert_envelope(api.request("PATCH", f"/admin/users/{number}", admin, body), 422)
    assert detail[0]["loc"] == ["body", next(iter(body))]


def test_patch_changes_nothing_but_role_and_state(api, admin):
    name = api.new_user()
    number = api.user_id(name)
    answer = patch(api, admin, number, is_active=True, username="other", password="hacked-password", email="x@y", user_id=1)
    user = assert_envelope(answer, 200)
    assert (user["user_id"], user["username"], user["email"]) == (number, name, f"{name}@example.org")
    assert_envelope(api.login(name), 200)


# --- in force with the next request ----------------------------------------------------------------------------------

def test_deactivation_ends_all_sessions_with_the_next_request(api, admin):
    name = api.new_user()
    sessions = [api.tokens(name) for _ in range(3)]
    number = api.system.claims(sessions[0]["access_token"])["uid"]
    assert_envelope(patch(api, admin, number, is_active=False), 200)
    for tokens in sessions:
        assert_envelope(api.message(tokens["access_token"]), 401, REFUSED)
        assert_envelope(api.refresh(tokens["refresh_token"]), 401, REFUSED)
    assert_envelope(api.login(name), 401, "Incorrect username or password")
    assert_envelope(patch(api, admin, number, is_active=True), 200)
    for tokens in sessions:
        assert_envelope(api.message(tokens["access_token"]), 401, REFUSED)
    assert_envelope(api.message(api.token(name)), 200, LIMITED)


def test_promotion_and_demotion_count_with_the_next_request_and_end_no_session(api, admin):
    token = api.token(api.new_user())
    number = api.system.claims(token)["uid"]
    assert_envelope(patch(api, admin, number, is_admin=True), 200)
    assert_envelope(api.message(token), 200, FULL)
    assert_envelope(patch(api, admin, number, is_admin=False), 200)
    assert_envelope(api.message(token), 200, LIMITED)


def test_deletion_ends_all_sessions_and_frees_the_name_but_not_the_id(api, admin):
    name = api.new_user()
    sessions = [api.tokens(name) for _ in range(2)]
    number = api.system.claims(sessions[0]["access_token"])["uid"]
    assert_envelope(api.request("DELETE", f"/admin/users/{number}", admin), 200)
    for tokens in sessions:
        assert_envelope(api.message(tokens["access_token"]), 401, REFUSED)
        assert_envelope(api.refresh(tokens["refresh_token"]), 401, REFUSED)
    assert_envelope(api.request("GET", f"/admin/users/{number}", admin), 404)
    assert_envelope(api.request("DELETE", f"/admin/users/{number}", admin), 404)
    assert api.signup(name).status_code == 201
    assert_envelope(api.message(sessions[0]["access_token"]), 401, REFUSED)
    assert api.user_id(name) > number


def test_all_sessions_of_a_user_are_ended(api, admin):
    name = api.new_user()
    sessions, bystander = [api.tokens(name) for _ in range(3)], api.token(api.new_user())
    number = api.system.claims(sessions[0]["access_token"])["uid"]
    assert_envelope(api.request("DELETE", f"/admin/users/{number}/sessions", admin), 200)
    for tokens in sessions:
        assert_envelope(api.message(tokens["access_token"]), 401, REFUSED)
        assert_envelope(api.refresh(tokens["refresh_token"]), 401, REFUSED)
    assert_envelope(api.message(bystander), 200, LIMITED)
    assert_envelope(api.message(admin), 200, FULL)
    assert_envelope(api.message(api.token(name)), 200, LIMITED)


def test_ending_no_sessions_is_well_too(api, admin):
    name = unique_name()
    assert api.signup(name).status_code == 201
    user, = listed(api, admin, f"?username={name}")["users"]
    assert_envelope(api.request("DELETE", f"/admin/users/{user['user_id']}/sessions", admin), 200)


# --- the last administrator --------------------------------------------------------------------------------------------

@pytest.mark.parametrize("change", ["demote", "deactivate", "delete"])
def test_the_last_administrator_stays(fresh_system, change):
    api = fresh_system.api()
    api.signup("boss", is_admin=True)
    api.signup("sleeping")
    fresh_system.user("promote", "sleeping")
    fresh_system.user("deactivate", "sleeping")
    token = api.token("boss")
    changes = {"demote": {"is_admin": False}, "deactivate": {"is_active": False}}
    if change == "delete":
        answer = api.request("DELETE", "/admin/users/1", token)
    else:
        answer = patch(api, token, 1, **changes[change])
    assert_envelope(answer, 409, LAST)
    assert_envelope(api.message(token), 200, FULL)
    fresh_system.user("activate", "sleeping")
    other = api.token("sleeping")
    if change == "delete":
        answer = api.request("DELETE", "/admin/users/1", other)
    else:
        answer = patch(api, token, 1, **changes[change])
    assert_envelope(answer, 200)
    assert_envelope(patch(api, other, 2, is_admin=False), 409, LAST)


def test_of_two_administrators_who_remove_each_other_one_stays(fresh_system):
    api = fresh_system.api()
    api.signup("boss", is_admin=True)
    for turn in range(5):
        name = f"rival_{turn}"
        api.signup(name)
        fresh_system.user("promote", name)
        admins = [user["username"] for user in listed(api, api.token(name), "?is_admin=true")["users"]]
        assert len(admins) == 2
        tokens = {admin: api.token(admin) for admin in admins}
        ids = {admin: fresh_system.claims(token)["uid"] for admin, token in tokens.items()}
        statuses = []

        def demote(by, whom):
            own = type(api)(fresh_system)
            statuses.append(patch(own, tokens[by], ids[whom], is_admin=False).status_code)
            own.close()

        threads = [threading.Thread(target=demote, args=(by, whom)) for by, whom in (admins, admins[::-1])]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert 200 in statuses and set(statuses) <= {200, 403, 409}
        left = [admin for admin in admins if api.message(tokens[admin]).json()["detail"] == FULL]
        assert len(left) == 1


def test_an_administrator_may_delete_itself_where_another_is(api, admin):
    name, token = api.new_admin()
    assert_envelope(api.request("DELETE", f"/admin/users/{api.system.claims(token)['uid']}", token), 200)
    assert_envelope(api.message(token), 401, REFUSED)
    assert_envelope(api.login(name, PASSWORD), 401)


@pytest.mark.parametrize("path", ["/admin", "/admin/", "/admin/users/", "/admin/users//sessions", "/admin/users/1/x",
                                  "/admin/users/1/sessions/2", "/admin/users/%31", "/admin/users/../users"])
def test_other_paths_under_admin_are_not_found(system, admin, path):
    answer = system.ask("http1", "GET", path, [("Authorization", f"Bearer {admin}")])
    if answer.status_code == 307:
        assert answer.headers["Location"] == path.rstrip("/").rsplit("/", 1)[1] or answer.headers["Location"] == path[:-1]
        return
    assert_envelope(answer, 404, "Not Found")


@pytest.mark.parametrize("method, path, allowed", [
    ("POST", "/admin/users", "GET, HEAD"), ("PUT", "/admin/users/1", "GET, HEAD, PATCH, DELETE"),
    ("GET", "/admin/users/1/sessions", "DELETE"),
])
def test_other_methods_are_405(api, admin, method, path, allowed):
    answer = api.request(method, path, admin)
    assert_envelope(answer, 405)
    assert set(answer.headers["Allow"].split(", ")) == set(allowed.split(", "))
