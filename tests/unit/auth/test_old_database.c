// links: auth/old_database.c core/memory.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auth/old_database.h"
#include "core/log.h"

static unsigned warnings;
static char said[512];

void log_event_fields(enum log_level level, const char *event, const struct log_field *fields, size_t count)
{
    assert_int_equal(level, LOG_WARN);
    assert_string_equal(event, "old_database_ignored");
    assert_int_equal(count, 1);
    snprintf(said, sizeof said, "%.*s", (int)fields[0].length, fields[0].text);
    warnings++;
}

/* An old database, in a folder that is the working directory. */
static char folder[PATH_MAX];
static char before[PATH_MAX];
static char absolute_url[PATH_MAX + 64];

static int open_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "%s/old-database-XXXXXX",
             getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp");
    if (getcwd(before, sizeof before) == NULL || mkdtemp(folder) == NULL || chdir(folder) != 0)
        return -1;
    const int fd = open("users.db", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0)
        return -1;
    close(fd);
    snprintf(absolute_url, sizeof absolute_url, "sqlite:///%s/users.db", folder);
    warnings = 0;
    return 0;
}

static int close_folder(void **state)
{
    (void)state;
    return unlink("users.db") + chdir(before) + rmdir(folder);
}

static bool may_start(const char *url, bool database_url_is_set, char error[512])
{
    const struct config config = {.sqlalchemy_database_url = url, .database_url_is_set = database_url_is_set};

    warnings = 0;
    *error = '\0';
    return old_database_check(&config, error, 512);
}

static void a_database_that_exists_stops_the_start(void **state)
{
    const char *const urls[] = {"sqlite:///users.db", "sqlite:///./users.db", "sqlite+pysqlite:///users.db",
                                "sqlite+aiosqlite:///users.db", absolute_url};
    char error[512];

    (void)state;
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        assert_false(may_start(urls[i], false, error));
        assert_int_equal(warnings, 0);
        assert_non_null(strstr(error, "SQLALCHEMY_DATABASE_URL"));
        assert_non_null(strstr(error, "DATABASE_URL is not set"));
    }
}

static void options_behind_the_path_do_not_hide_the_database(void **state)
{
    char error[512];

    (void)state;
    assert_false(may_start("sqlite:///users.db?check_same_thread=false", false, error));
    assert_true(may_start("sqlite:///other.db?check_same_thread=false", false, error));
}

static void the_refusal_is_one_sentence_that_names_no_path(void **state)
{
    char error[512];

    (void)state;
    assert_false(may_start(absolute_url, false, error));
    assert_null(strstr(error, folder));
    assert_null(strchr(error, '\n'));
    assert_true(strlen(error) < 300);
}

static void what_does_not_exist_or_cannot_be_looked_for_is_warned_of(void **state)
{
    static const char *const urls[] = {"sqlite:///other.db",
                                       "sqlite:////no/such/folder/users.db",
                                       "sqlite:///",
                                       "sqlite://",
                                       "sqlite:///:memory:",
                                       "postgresql://user:secret@db/users",
                                       "postgresql:///users.db",
                                       "users.db",
                                       "rubbish"};
    char error[512];

    (void)state;
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        assert_true(may_start(urls[i], false, error));
        assert_int_equal(warnings, 1);
        assert_string_equal(error, "");
        assert_non_null(strstr(said, "SQLALCHEMY_DATABASE_URL"));
        assert_null(strstr(said, "secret"));
    }
}

static void who_chose_a_new_database_hears_nothing_of_the_old_one(void **state)
{
    char error[512];

    (void)state;
    assert_true(may_start("sqlite:///users.db", true, error));
    assert_true(may_start("postgresql://db/users", true, error));
    assert_int_equal(warnings, 0);
}

static void who_never_had_an_old_one_hears_nothing(void **state)
{
    char error[512];

    (void)state;
    assert_true(may_start("", false, error));
    assert_int_equal(warnings, 0);
    assert_true(may_start("", true, error));
    assert_int_equal(warnings, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_database_that_exists_stops_the_start),
        cmocka_unit_test(options_behind_the_path_do_not_hide_the_database),
        cmocka_unit_test(the_refusal_is_one_sentence_that_names_no_path),
        cmocka_unit_test(what_does_not_exist_or_cannot_be_looked_for_is_warned_of),
        cmocka_unit_test(who_chose_a_new_database_hears_nothing_of_the_old_one),
        cmocka_unit_test(who_never_had_an_old_one_hears_nothing),
    };
    return cmocka_run_group_tests(tests, open_folder, close_folder);
}
