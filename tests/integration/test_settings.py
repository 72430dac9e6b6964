"""Settings that existing deployments have, and refusals to start: one sentence that names the setting."""

import datetime
import json
import secrets
import sqlite3

import jwt
import pytest

from support import wire
from support.ports import free_port
from support.process import Process, StartFailed, run
from support.system import PASSWORD, assert_envelope


def secret():
    return secrets.token_urlsafe(48)


def base_settings(folder):
    """The least that auth needs to start on its own."""
    return {"AUTH_LISTEN": f"127.0.0.1:{free_port()}", "DATABASE_URL": f"lmdb:{folder}/data", "LMDB_MAP_SIZE": "16MiB",
            "SECRET_KEY": secret(), "LOOPS": "1", "LOG_FORMAT": "json"}


@pytest.fixture
def auth(tmp_path):
    """auth(NAME=value, ...): starts auth with these settings on top of the least (None unsets)."""
    started = []

    def start(**settings):
        started.append(Process("auth", {**base_settings(tmp_path), **settings}, tmp_path))
        return started[-1]

    try:
        yield start
        for process in started:
            if process.is_running():
                process.stop()
    finally:
        for process in started:
            process.kill()


def refusal(tmp_path, service="auth", **settings):
    """What the service says when it refuses to start; the refusal must be quick, clear and clean."""
    with pytest.raises(StartFailed) as failed:
        made = Process(service, {**base_settings(tmp_path), **settings}, tmp_path)
        made.kill()
    assert isinstance(failed.value.returncode, int) and 0 < failed.value.returncode < 99, failed.value.returncode
    said = failed.value.stderr.strip()
    assert said and len(said.splitlines()) <= 2, said
    for value in settings.values():
        if isinstance(value, str) and "ecret" in value:
            assert value not in said or len(value) < 8
    return said


def port_of(process, name="AUTH_LISTEN"):
    return int(process.settings[name].rsplit(":", 1)[1])


def login_token(port, username="someone"):
    """Signs up and logs in at auth itself; returns the access token."""
    json_type = [("Content-Type", "application/json")]
    body = {"username": username, "password": PASSWORD, "email": f"{username}@example.org"}
    assert wire.http1(port, "POST", "/signup", json_type, json.dumps(body).encode()).status_code in (201, 409)
    answer = wire.http1(port, "POST", "/login", json_type, json.dumps(body).encode())
    assert answer.status_code == 200, answer.text
    return answer.json()["token"]["access_token"]


# --- secrets ------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("value", [None, "", "Secret_Key-2024", "s" * 31, "short", " " * 31],
                         ids=["missing", "empty", "the old example", "31 bytes", "short", "blank"])
def test_auth_refuses_a_missing_weak_or_known_secret_and_says_how_to_make_a_good_one(tmp_path, value):
    said = refusal(tmp_path, SECRET_KEY=value)
    assert "SECRET_KEY" in said
    assert "openssl" in said or "random" in said or "/dev/urandom" in said or "token_urlsafe" in said, said
    assert not value or not value.strip() or value not in said


@pytest.mark.parametrize("value", ["Secret_Key-2024", "s" * 31], ids=["the old example", "31 bytes"])
def test_auth_refuses_a_weak_previous_secret(tmp_path, value):
    said = refusal(tmp_path, SECRET_KEY_PREVIOUS=value)
    assert "SECRET_KEY_PREVIOUS" in said
    assert value not in said


def test_a_secret_of_32_bytes_is_enough(auth):
    key = "0123456789abcdef0123456789ABCDEF"
    process = auth(SECRET_KEY=key)
    assert jwt.decode(login_token(port_of(process)), key, algorithms=["HS256"])["sub"] == "someone"


def test_gateway_and_message_need_no_secret(start_system):
    system = start_system(services=("auth", "message"))
    system.start("gateway", SECRET_KEY=None)
    system.stop("message")
    system.start("message", SECRET_KEY=None)
    system.wait_ready()
    api = system.api()
    assert_envelope(api.message(api.token(api.new_user())), 200)


@pytest.mark.parametrize("service", ["gateway", "message"])
def test_a_setting_that_a_service_does_not_read_cannot_stop_it(start_system, service):
    system = start_system(services=(service,), SECRET_KEY="short", ALGORITHM="RS256")
    assert wire.http1(system.port(service), "GET", "/").status_code == 200


@pytest.mark.parametrize("value", ["RS256", "none", "HS512", "ES256", "nonsense"])
def test_another_algorithm_is_refused_by_name(tmp_path, value):
    said = refusal(tmp_path, ALGORITHM=value)
    assert "ALGORITHM" in said and value in said and "HS256" in said


@pytest.mark.parametrize("name, value", [
    ("ACCESS_TOKEN_EXPIRE_MINUTES", "0"), ("ACCESS_TOKEN_EXPIRE_MINUTES", "-5"), ("ACCESS_TOKEN_EXPIRE_MINUTES", "abc"),
    ("ACCESS_TOKEN_EXPIRE_MINUTES", "30m"), ("ACCESS_TOKEN_EXPIRE_MINUTES", "99999999999999999999"),
    ("REFRESH_TOKEN_EXPIRE_DAYS", "0"), ("ADMIN_SIGNUP", "maybe"), ("LOG_LEVEL", "loud"), ("LOOPS", "-1"),
    ("LMDB_MAP_SIZE", "1"), ("LMDB_MAP_SIZE", "lots"), ("PASSWORD_METHOD", "md5"), ("PASSWORD_METHOD", "descrypt"),
    ("PASSWORD_COST", "9999"), ("AUTH_LISTEN", "nonsense"),
    ("AUTH_LISTEN", "127.0.0.1:99999"), ("PASSWORD_QUEUE_MAX", "0"), ("BODY_MAX", "1GiB"),
])
def test_a_value_out_of_range_is_refused_with_the_settings_name(tmp_path, name, value):
    assert name in refusal(tmp_path, **{name: value})


@pytest.mark.parametrize("value, what", [("postgres://x", "postgres"), ("data", "lmdb:"), ("lmdb:", "lmdb:"),
                                         ("sqlite:///./users.db", "sqlite")])
def test_a_database_of_another_kind_is_one_clear_sentence(tmp_path, value, what):
    said = refusal(tmp_path, DATABASE_URL=value)
    assert what in said and len(said.splitlines()) == 1


def test_queue_age_plus_hash_time_must_stay_under_the_gateways_deadline(tmp_path):
    said = refusal(tmp_path, PASSWORD_QUEUE_AGE_MS="9990", RELAY_TIMEOUT_MS="5000")
    assert "PASSWORD_QUEUE_AGE_MS" in said


def test_a_taken_port_is_one_clear_sentence(tmp_path, auth):
    first = auth()
    said = refusal(tmp_path, AUTH_LISTEN=first.settings["AUTH_LISTEN"], DATABASE_URL=f"lmdb:{tmp_path}/other")
    assert str(port_of(first)) in said


# --- .env ----------------------------------------------------------------------------------------------------------

def test_a_dotenv_file_in_the_working_directory_is_read_as_python_dotenv_reads_it(tmp_path, auth):
    key = secret()
    (tmp_path / ".env").write_text(
        "# a comment\n"
        "\n"
        "UNKNOWN_NAME=whatever\n"
        f'export SECRET_KEY="{key}" # the key\n'
        "HALF=2\n"
        "ACCESS_TOKEN_EXPIRE_MINUTES=1${HALF} # twelve\n"
        "REFRESH_TOKEN_EXPIRE_DAYS = '3'\n", encoding="utf-8")
    process = auth(SECRET_KEY=None)
    claims = jwt.decode(login_token(port_of(process)), key, algorithms=["HS256"])
    assert claims["exp"] - claims["iat"] == 12 * 60


def test_the_environment_overrides_dotenv(tmp_path, auth):
    key = secret()
    (tmp_path / ".env").write_text(f"SECRET_KEY={secret()}\nACCESS_TOKEN_EXPIRE_MINUTES=5\n", encoding="utf-8")
    process = auth(SECRET_KEY=key, ACCESS_TOKEN_EXPIRE_MINUTES="7")
    claims = jwt.decode(login_token(port_of(process)), key, algorithms=["HS256"])
    assert claims["exp"] - claims["iat"] == 7 * 60


def test_a_weak_secret_in_dotenv_is_refused_too(tmp_path):
    (tmp_path / ".env").write_text("SECRET_KEY=Secret_Key-2024\n", encoding="utf-8")
    assert "SECRET_KEY" in refusal(tmp_path, SECRET_KEY=None)


# --- the database --------------------------------------------------------------------------------------------------

def test_the_default_database_is_lmdb_in_data(tmp_path, auth):
    process = auth(DATABASE_URL=None)
    login_token(port_of(process))
    assert (tmp_path / "data").is_dir()
    assert (tmp_path / "data").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("url", ["sqlite:///./users.db", "sqlite:///users.db", "sqlite:///{folder}/users.db"])
def test_auth_refuses_to_start_where_the_old_database_exists_and_no_new_one_is_named(tmp_path, url):
    sqlite3.connect(tmp_path / "users.db").close()
    (tmp_path / "users.db").touch()
    said = refusal(tmp_path, DATABASE_URL=None, SQLALCHEMY_DATABASE_URL=url.format(folder=tmp_path))
    assert "SQLALCHEMY_DATABASE_URL" in said and "DATABASE_URL" in said.replace("SQLALCHEMY_DATABASE_URL", "")
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("url", ["sqlite:///./users.db", "postgresql://user:pass@host/db"])
def test_auth_warns_where_the_old_database_does_not_exist(tmp_path, auth, url):
    process = auth(DATABASE_URL=None, SQLALCHEMY_DATABASE_URL=url)
    process.stop()
    warnings = [line for line in process.stderr().splitlines() if "SQLALCHEMY_DATABASE_URL" in line]
    assert warnings
    assert "user:pass" not in process.stderr()


def test_a_new_database_url_ends_the_talk_of_the_old_one(tmp_path, auth):
    (tmp_path / "users.db").touch()
    process = auth(SQLALCHEMY_DATABASE_URL="sqlite:///./users.db")
    process.stop()
    assert "SQLALCHEMY_DATABASE_URL" not in process.stderr()


def test_an_unreadable_database_is_one_clear_sentence(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "data.mdb").write_bytes(b"this is no database" * 1000)
    assert refusal(tmp_path)


def test_a_file_where_the_folder_should_be_is_one_clear_sentence(tmp_path):
    (tmp_path / "data").write_text("a file", encoding="utf-8")
    assert refusal(tmp_path)


# --- URLs and addresses --------------------------------------------------------------------------------------------

@pytest.mark.parametrize("tail", ["", "/"], ids=["without a slash", "with a slash"])
def test_urls_may_end_with_a_slash_or_not(start_system, tail):
    system = start_system(USER_SERVICE_URL="http://127.0.0.1:{gateway}" + tail,
                          AUTH_SERVICE_URL="http://127.0.0.1:{auth}" + tail,
                          MESSAGE_SERVICE_URL="http://127.0.0.1:{message}" + tail)
    api = system.api()
    assert_envelope(api.message(api.token(api.new_user())), 200)


def test_localhost_in_urls_works(start_system):
    system = start_system(AUTH_SERVICE_URL="http://localhost:{auth}/", MESSAGE_SERVICE_URL="http://localhost:{message}/")
    api = system.api()
    assert_envelope(api.message(api.token(api.new_user())), 200)


def test_where_listen_is_unset_it_follows_the_port_of_the_url(start_system):
    system = start_system(GATEWAY_LISTEN=None, AUTH_LISTEN=None, MESSAGE_LISTEN=None)
    api = system.api()
    assert_envelope(api.message(api.token(api.new_user())), 200)


@pytest.mark.parametrize("name", ["AUTH_SERVICE_URL", "MESSAGE_SERVICE_URL"])
@pytest.mark.parametrize("value", ["nonsense", "ftp://127.0.0.1:1/", "http://", "http://127.0.0.1:0/",
                                   "http://user:pass@127.0.0.1:1/", "http://127.0.0.1:1/path", "https://127.0.0.1:1/"])
def test_the_gateway_refuses_a_url_it_cannot_call(tmp_path, name, value):
    listen = f"127.0.0.1:{free_port()}"
    assert name in refusal(tmp_path, "gateway", GATEWAY_LISTEN=listen, **{name: value})


def test_proxy_variables_do_not_divert_what_the_services_ask_each_other(start_system):
    proxy = "http://127.0.0.1:9"
    system = start_system(http_proxy=proxy, HTTP_PROXY=proxy, all_proxy=proxy, ALL_PROXY=proxy, https_proxy=proxy)
    api = system.api()
    assert_envelope(api.message(api.token(api.new_user())), 200)


def test_date_time_is_local_time(start_system):
    """A zone whose minutes no other has: east of Greenwich by 5:45."""
    system = start_system(TZ="XYZ-05:45")
    answer = system.ask("http1", "GET", "/nothing")
    said = datetime.datetime.strptime(answer.json()["date_time"], "%Y-%m-%d %H:%M:%S")
    expected = datetime.datetime.utcnow() + datetime.timedelta(hours=5, minutes=45)
    assert abs((said - expected).total_seconds()) < 30


def test_the_user_command_needs_no_secret(tmp_path):
    ended = run(["user", "list"], {"DATABASE_URL": f"lmdb:{tmp_path}/data", "LMDB_MAP_SIZE": "16MiB"}, tmp_path)
    assert ended.returncode in (0, 1)
    assert "SECRET_KEY" not in ended.stderr
