// links: core/config.c core/config_parse.c core/config_print.c core/config_table.c
// links: core/dotenv.c core/dotenv_text.c
// defines: SOURCE_ROOT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/config.h"
#include "core/config_table.h"

#define EVERYBODY (CONFIG_GATEWAY | CONFIG_AUTH | CONFIG_MESSAGE | CONFIG_TOOL | CONFIG_UP)

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

static char *printed(enum config_print form)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    assert_non_null(out);
    config_print(out, form);
    fclose(out);
    return text;
}

static void env_example_is_what_is_printed(void **state)
{
    (void)state;
    char *text = printed(CONFIG_PRINT_ENV);
    size_t length = strlen(text);
    char *file_text = calloc(1, length + 2);
    assert_non_null(file_text);
    FILE *file = fopen(SOURCE_ROOT "/.env.example", "r");
    assert_non_null(file);
    size_t file_length = fread(file_text, 1, length + 1, file);
    fclose(file);
    assert_int_equal(file_length, length);
    assert_string_equal(file_text, text);
    free(file_text);
    free(text);
}

static void env_example_as_it_is_sets_nothing_and_without_its_marks_all_defaults(void **state)
{
    (void)state;
    char *text = printed(CONFIG_PRINT_ENV);
    write_dotenv(text);
    struct config config = load(EVERYBODY);
    assert_false(config.database_url_is_set);
    config_free(&config);
    for (char *at = text; (at = strstr(at, "\n#")) != NULL; at += 2)
        if (at[2] != ' ')
            at[1] = ' ';
    write_dotenv(text);
    config = load(EVERYBODY);
    assert_true(config.database_url_is_set);
    assert_int_equal(config.log_queue_max, 4 << 20);
    config_free(&config);
    free(text);
}

static void every_setting_is_printed_in_every_form(void **state)
{
    (void)state;
    for (int form = CONFIG_PRINT_ENV; form <= CONFIG_PRINT_TEXT; form++) {
        char *text = printed((enum config_print)form);
        for (size_t i = 0; i < config_rows_count; i++)
            if (config_rows[i].name != NULL && strstr(text, config_rows[i].name) == NULL)
                fail_msg("%s is missing in form %d", config_rows[i].name, form);
        free(text);
    }
}

static void every_line_but_of_tables_fits_a_terminal(void **state)
{
    (void)state;
    static const enum config_print forms[] = {CONFIG_PRINT_ENV, CONFIG_PRINT_TEXT};
    for (size_t i = 0; i < 2; i++) {
        char *text = printed(forms[i]);
        for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1)
            assert_true(strcspn(line, "\n") <= 100);
        free(text);
    }
}

static void choices_have_the_words_of_their_sentence(void **state)
{
    (void)state;
    for (size_t i = 0; i < config_rows_count; i++) {
        if (config_rows[i].name == NULL || config_rows[i].kind != CONFIG_KIND_CHOICE)
            continue;
        const char *const *words = config_choice_words(config_rows[i].name);
        for (size_t w = 0; words[w] != NULL; w++)
            assert_non_null(strstr(config_rows[i].sentence, words[w]));
    }
    assert_string_equal(config_choice_word("ADMIN_SIGNUP", ADMIN_SIGNUP_FIRST), "first");
    assert_string_equal(config_choice_word("ADMIN_SIGNUP", ADMIN_SIGNUP_CLOSED), "closed");
    assert_string_equal(config_choice_word("LOG_LEVEL", CONFIG_LOG_ERROR), "error");
    assert_string_equal(config_choice_word("LOG_FORMAT", CONFIG_LOG_TEXT), "text");
    assert_string_equal(config_choice_word("PASSWORD_METHOD", 0), "yescrypt");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(env_example_is_what_is_printed),
        TEST(env_example_as_it_is_sets_nothing_and_without_its_marks_all_defaults),
        TEST(every_setting_is_printed_in_every_form),
        TEST(every_line_but_of_tables_fits_a_terminal),
        TEST(choices_have_the_words_of_their_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
