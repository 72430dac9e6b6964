// links: core/config.c core/config_parse.c core/config_table.c
// links: core/dotenv.c core/dotenv_text.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/config.h"
#include "core/config_parse.h"
#include "core/config_table.h"

#define EVERYBODY   (CONFIG_GATEWAY | CONFIG_AUTH | CONFIG_MESSAGE | CONFIG_TOOL | CONFIG_UP)
#define GOOD_SECRET "0123456789abcdef0123456789abcdef"

static char folder[64];

/* Each test starts in an empty folder, with none of the settings in the environment. */
static int set_up(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/test_config.XXXXXX");
    if (mkdtemp(folder) == NULL || chdir(folder) != 0)
        return -1;
    for (size_t i = 0; i < config_rows_count; i++)
        if (config_rows[i].name != NULL)
            unsetenv(config_rows[i].name);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(".env");
    rmdir(".env");
    return chdir("/") == 0 ? rmdir(folder) : -1;
}

static void write_dotenv(const char *text)
{
    FILE *file = fopen(".env", "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static struct config load(unsigned users)
{
    struct config config;
    char error[512] = "";
    if (!config_load(&config, users, error, sizeof(error)))
        fail_msg("%s", error);
    return config;
}

static void assert_refused(unsigned users, const char *sentence)
{
    struct config config;
    struct config untouched;
    memset(&config, 0x5A, sizeof(config));
    untouched = config;
    char error[512] = "";
    assert_false(config_load(&config, users, error, sizeof(error)));
    assert_string_equal(error, sentence);
    assert_memory_equal(&config, &untouched, sizeof(config));
}

static void assert_refused_value(const char *name, const char *value, const char *sentence)
{
    setenv(name, value, 1);
    assert_refused(EVERYBODY, sentence);
    unsetenv(name);
}

static void nothing_set_gives_the_defaults(void **state)
{
    (void)state;
    struct config config = load(EVERYBODY);
    assert_string_equal(config.secret_key, "");
    assert_int_equal(config.access_token_expire_minutes, 30);
    assert_int_equal(config.refresh_token_expire_days, 7);
    assert_string_equal(config.database_url, "lmdb:./data");
    assert_false(config.database_url_is_set);
    assert_int_equal(config.body_max, 16384);
    assert_int_equal(config.lmdb_map_size, UINT64_C(34359738368));
    assert_string_equal(config.auth_service_url.host, "localhost");
    assert_int_equal(config.auth_service_url.port, 8282);
    assert_string_equal(config.auth_service_url.base, "http://localhost:8282");
    assert_string_equal(config.log_file, "");
    assert_int_equal(config.log_level, CONFIG_LOG_INFO);
    assert_int_equal(config.admin_signup, ADMIN_SIGNUP_FIRST);
    config_free(&config);
}

static void environment_goes_before_dotenv_before_default(void **state)
{
    (void)state;
    write_dotenv("LOOPS=2\nSTORE_QUEUE_MAX=5\nNOBODY_KNOWS_ME=1\nDATABASE_URL=${LOOPS}:\n");
    setenv("LOOPS", "3", 1);
    struct config config = load(EVERYBODY);
    assert_int_equal(config.loops, 3);
    assert_int_equal(config.store_queue_max, 5);
    assert_int_equal(config.password_queue_max, 256);
    assert_string_equal(config.database_url, "3:");
    assert_true(config.database_url_is_set);
    config_free(&config);
}

static void set_but_empty_counts_as_not_set(void **state)
{
    (void)state;
    write_dotenv("LOOPS=2\nBODY_MAX=\nDATABASE_URL=\n");
    setenv("LOOPS", "", 1);
    struct config config = load(EVERYBODY);
    assert_int_equal(config.loops, 2);
    assert_int_equal(config.body_max, 16384);
    assert_false(config.database_url_is_set);
    config_free(&config);
}

static void white_space_around_numbers_and_words_is_nothing(void **state)
{
    (void)state;
    setenv("LOOPS", " 3\n", 1);
    setenv("LOG_LEVEL", " WARN ", 1);
    struct config config = load(EVERYBODY);
    assert_int_equal(config.loops, 3);
    assert_int_equal(config.log_level, CONFIG_LOG_WARN);
    config_free(&config);
}

static void listen_addresses_follow_the_urls(void **state)
{
    (void)state;
    setenv("USER_SERVICE_URL", "http://example.org:9001", 1);
    setenv("AUTH_SERVICE_URL", "http://10.0.0.9:9002/", 1);
    setenv("MESSAGE_LISTEN", "[::1]:9003", 1);
    struct config config = load(EVERYBODY);
    assert_string_equal(config.gateway_listen.host, "0.0.0.0");
    assert_int_equal(config.gateway_listen.port, 9001);
    assert_string_equal(config.auth_listen.host, "127.0.0.1");
    assert_int_equal(config.auth_listen.port, 9002);
    assert_string_equal(config.message_listen.host, "::1");
    assert_int_equal(config.message_listen.port, 9003);
    config_free(&config);
}

static void old_example_secret_is_refused_and_how_to_make_one_told(void **state)
{
    (void)state;
    assert_refused_value(
        "SECRET_KEY", "Secret_Key-2024",
        "SECRET_KEY is the key of the old example, which everybody knows; make one with: openssl "
        "rand -base64 48 (set in the environment)");
    write_dotenv("SECRET_KEY=short\n");
    assert_refused(CONFIG_AUTH,
                   "SECRET_KEY has 5 bytes, but at least 32 are needed; make one with: openssl rand "
                   "-base64 48 (set in .env)");
}

static void secrets_of_other_services_are_not_held(void **state)
{
    (void)state;
    setenv("SECRET_KEY", GOOD_SECRET, 1);
    struct config config = load(CONFIG_GATEWAY);
    assert_string_equal(config.secret_key, "");
    config_free(&config);
    config = load(CONFIG_AUTH);
    assert_string_equal(config.secret_key, GOOD_SECRET);
    config_free(&config);
    assert_null(config.secret_key);
}

static void settings_of_others_are_not_judged(void **state)
{
    (void)state;
    setenv("SECRET_KEY", "short", 1);
    setenv("RELAY_CALLS_MAX", "many", 1);
    struct config config = load(CONFIG_MESSAGE);
    assert_int_equal(config.relay_calls_max, 1024);
    config_free(&config);
    assert_refused(CONFIG_GATEWAY,
                   "RELAY_CALLS_MAX=many must be a whole number from 1 to 100000 (set in the environment)");
}

static void other_algorithms_are_refused_by_name(void **state)
{
    (void)state;
    assert_refused_value("ALGORITHM", "RS256",
                         "ALGORITHM=RS256 is not supported; use HS256 (set in the environment)");
    setenv("ALGORITHM", "HS256", 1);
    struct config config = load(CONFIG_AUTH);
    assert_int_equal(config.algorithm, 0);
    config_free(&config);
}

static void words_other_than_the_choices_are_refused(void **state)
{
    (void)state;
    assert_refused_value("ADMIN_SIGNUP", "always",
                         "ADMIN_SIGNUP=always must be first, open or closed (set in the environment)");
    assert_refused_value("LOG_FORMAT", "js\x1b[2Jon",
                         "LOG_FORMAT=js?[2Jon must be auto, json or text (set in the environment)");
}

static void counts_are_whole_numbers_in_range(void **state)
{
    (void)state;
    static const char *const bad[] = {"-1",  "+1", "1.5", "0x10", "257", "1e2", "18446744073709551616",
                                      "ten", "1 2"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char sentence[200];
        snprintf(sentence, sizeof(sentence),
                 "LOOPS=%s must be a whole number from 0 to 256 (set in the environment)", bad[i]);
        assert_refused_value("LOOPS", bad[i], sentence);
    }
    uint64_t number = 0;
    assert_true(config_parse_count("18446744073709551615", &number));
    assert_int_equal(number, UINT64_MAX);
}

static void listen_addresses_follow_a_url_that_is_a_unix_socket(void **state)
{
    (void)state;
    setenv("AUTH_SERVICE_URL", "unix:/run/auth.socket", 1);
    setenv("MESSAGE_SERVICE_URL", "unix:/run/message.socket", 1);
    setenv("MESSAGE_LISTEN", "127.0.0.1:8383", 1);
    struct config config = load(CONFIG_UP | CONFIG_AUTH | CONFIG_MESSAGE);
    assert_string_equal(config.auth_listen.socket_path, "/run/auth.socket");
    assert_int_equal(config.auth_listen.port, 0);
    assert_true(config_address_is_loopback(&config.auth_listen));
    assert_string_equal(config.message_listen.socket_path, "");
    assert_int_equal(config.message_listen.port, 8383);
    assert_string_equal(config.message_service_url.base, "unix:/run/message.socket");
    assert_string_equal(config.gateway_listen.socket_path, "");
    config_free(&config);
    unsetenv("AUTH_SERVICE_URL");
    unsetenv("MESSAGE_SERVICE_URL");
    unsetenv("MESSAGE_LISTEN");
}

static void a_password_in_a_url_is_not_repeated(void **state)
{
    (void)state;
    assert_refused_value("AUTH_SERVICE_URL", "http://user:hidden@host:1/",
                         "AUTH_SERVICE_URL must not carry a user name or password (set in the environment)");
    assert_refused_value(
        "AUTH_SERVICE_URL", "https://user:hidden@host:1/",
        "AUTH_SERVICE_URL must start with http://, since the services speak plain HTTP with each "
        "other (set in the environment)");
}

static bool is_loopback(const char *host)
{
    struct config_address address = {.port = 1};
    strcpy(address.host, host);
    return config_address_is_loopback(&address);
}

static void loopback_is_known(void **state)
{
    (void)state;
    assert_true(is_loopback("127.0.0.1"));
    assert_true(is_loopback("127.255.0.9"));
    assert_true(is_loopback("::1"));
    assert_true(is_loopback("0:0:0:0:0:0:0:1"));
    assert_true(is_loopback("::ffff:127.0.0.1"));
    assert_true(is_loopback("LocalHost"));
    assert_false(is_loopback("0.0.0.0"));
    assert_false(is_loopback("128.0.0.1"));
    assert_false(is_loopback("::"));
    assert_false(is_loopback("::ffff:10.0.0.1"));
    assert_false(is_loopback("127.0.0.1.example.org"));
    assert_false(is_loopback("localhost.example.org"));
}

static void texts_have_a_length(void **state)
{
    (void)state;
    char text[4098];
    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    assert_refused_value("LOG_FILE", text,
                         "LOG_FILE has 4097 bytes, but must have from 1 to 4096 (set in the environment)");
}

static void a_dotenv_that_cannot_be_read_is_an_error(void **state)
{
    (void)state;
    assert_int_equal(mkdir(".env", 0700), 0);
    assert_refused(CONFIG_MESSAGE, "cannot read .env: Is a directory");
    rmdir(".env");
    assert_int_equal(symlink(".env", ".env"), 0);
    assert_refused(CONFIG_MESSAGE, "cannot read .env: Too many levels of symbolic links");
}

static void a_dotenv_over_a_mebibyte_is_an_error(void **state)
{
    (void)state;
    write_dotenv("LOOPS=1\n");
    assert_int_equal(truncate(".env", (1 << 20) - 1), 0);
    struct config config = load(CONFIG_MESSAGE);
    config_free(&config);
    assert_int_equal(truncate(".env", 1 << 20), 0);
    assert_refused(CONFIG_MESSAGE, "cannot read .env: File too large");
}

static void a_bad_line_of_dotenv_is_skipped_with_a_warning(void **state)
{
    (void)state;
    write_dotenv("LOOPS=1\n=nothing\nBODY_MAX=2048\n");
    int kept = dup(STDERR_FILENO);
    FILE *warnings = tmpfile();
    assert_non_null(warnings);
    dup2(fileno(warnings), STDERR_FILENO);
    struct config config = load(CONFIG_MESSAGE);
    dup2(kept, STDERR_FILENO);
    close(kept);
    assert_int_equal(config.loops, 1);
    assert_int_equal(config.body_max, 2048);
    char line[100] = "";
    rewind(warnings);
    assert_non_null(fgets(line, sizeof(line), warnings));
    assert_string_equal(line, "warning: .env line 2 cannot be read and is skipped\n");
    fclose(warnings);
    config_free(&config);
}

static void free_takes_nothing_and_twice(void **state)
{
    (void)state;
    config_free(NULL);
    struct config config = load(CONFIG_UP);
    config_free(&config);
    config_free(&config);
}

static void the_address_of_metrics_may_be_off(void **state)
{
    (void)state;
    struct config config = load(CONFIG_GATEWAY);
    assert_string_equal(config.gateway_metrics_listen.host, "127.0.0.1");
    assert_int_equal(config.gateway_metrics_listen.port, 8191);
    config_free(&config);
    setenv("GATEWAY_METRICS_LISTEN", " Off", 1);
    config = load(CONFIG_GATEWAY);
    assert_string_equal(config.gateway_metrics_listen.host, "");
    config_free(&config);
    setenv("GATEWAY_METRICS_LISTEN", "", 1);
    config = load(CONFIG_GATEWAY);
    assert_int_equal(config.gateway_metrics_listen.port, 8191);
    config_free(&config);
    unsetenv("GATEWAY_METRICS_LISTEN");
}

static void sizes_and_addresses_are_refused_with_what_is_right(void **state)
{
    (void)state;
    assert_refused_value(
        "BODY_MAX", "1GiB",
        "BODY_MAX=1GiB must be a size from 1024 to 65536 bytes, as a plain number or with KiB, MiB "
        "or GiB behind it (set in the environment)");
    assert_refused_value(
        "AUTH_LISTEN", "8282",
        "AUTH_LISTEN=8282 must be like HOST:PORT, [IPV6]:PORT or :PORT, with a port from 0 to 65535, or "
        "unix:PATH (set in the environment)");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_set_gives_the_defaults),
        TEST(environment_goes_before_dotenv_before_default),
        TEST(set_but_empty_counts_as_not_set),
        TEST(white_space_around_numbers_and_words_is_nothing),
        TEST(listen_addresses_follow_the_urls),
        TEST(old_example_secret_is_refused_and_how_to_make_one_told),
        TEST(secrets_of_other_services_are_not_held),
        TEST(settings_of_others_are_not_judged),
        TEST(other_algorithms_are_refused_by_name),
        TEST(words_other_than_the_choices_are_refused),
        TEST(counts_are_whole_numbers_in_range),
        TEST(listen_addresses_follow_a_url_that_is_a_unix_socket),
        TEST(a_password_in_a_url_is_not_repeated),
        TEST(loopback_is_known),
        TEST(texts_have_a_length),
        TEST(a_dotenv_that_cannot_be_read_is_an_error),
        TEST(a_dotenv_over_a_mebibyte_is_an_error),
        TEST(a_bad_line_of_dotenv_is_skipped_with_a_warning),
        TEST(free_takes_nothing_and_twice),
        TEST(the_address_of_metrics_may_be_off),
        TEST(sizes_and_addresses_are_refused_with_what_is_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
