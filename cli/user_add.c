/*
 * user_add.c - token-relay user add: the limits of a signup, without a signup.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "auth/common_passwords.h"
#include "auth/names.h"
#include "auth/password.h"
#include "cli/commands.h"
#include "cli/user_desk.h"
#include "cli/user_password.h"
#include "core/utf8.h"

#define NAME_MAX_CODE_POINTS 64
#define EMAIL_MIN_BYTES      3

/* Code points of UTF-8, or SIZE_MAX if it is something else. */
static size_t count_code_points(const char *text, size_t length)
{
    size_t count = 0;

    for (size_t at = 0; at < length; count++) {
        const size_t size = utf8_length(text + at, length - at);
        if (size == 0)
            return SIZE_MAX;
        at += size;
    }
    return count;
}

/* The limits of a signup. NULL, or a sentence without its full stop. */
static const char *fault_of_names(const char *username, const char *email)
{
    const size_t username_length = strlen(username);
    const size_t email_length = strlen(email);
    const size_t code_points = count_code_points(username, username_length);

    if (code_points == SIZE_MAX)
        return "Username must be UTF-8";
    if (code_points < 1 || code_points > NAME_MAX_CODE_POINTS)
        return "Username must have from 1 to 64 characters";
    const char *fault = username_rule(username, username_length);
    if (fault != NULL)
        return fault;
    if (count_code_points(email, email_length) == SIZE_MAX)
        return "E-mail address must be UTF-8";
    if (email_length < EMAIL_MIN_BYTES || email_length > USER_EMAIL_MAX_BYTES)
        return "E-mail address must have from 3 to 254 bytes";
    return email_rule(email, email_length);
}

/* True: too weak, and one sentence was printed. */
static bool is_weak(const struct desk *desk, const struct user *user, const struct new_password *password)
{
    const char *weakness = password_weakness(password->text, password->length, user->username,
                                             strlen(user->username), user->email, strlen(user->email));

    if (weakness != NULL)
        command_fail(desk->command, "%s.", weakness);
    return weakness != NULL;
}

bool desk_set_password(const struct desk *desk, struct user *user)
{
    struct password_policy policy;
    struct new_password password;
    char error[CLI_SENTENCE_MAX_BYTES];

    const char *method = config_choice_word("PASSWORD_METHOD", desk->config.password_method);
    if (!password_policy_set(&policy, method, desk->config.password_cost, error, sizeof error) ||
        !new_password_read(&password, password_policy_max_bytes(&policy), error, sizeof error)) {
        command_fail(desk->command, "%s", error);
        return false;
    }
    if (is_weak(desk, user, &password)) {
        password_wipe(&password, sizeof password);
        return false;
    }
    struct password_hasher *hasher = password_hasher_open();
    const bool hashed = password_hash(hasher, &policy, password.text, password.length, user->password_hash);
    password_hasher_close(hasher);
    password_wipe(&password, sizeof password);
    if (!hashed) {
        command_fail(desk->command, "the password could not be hashed.");
        return false;
    }
    password_label(user->password_hash, user->password_method);
    return true;
}

int user_add_run(const struct arguments *arguments)
{
    const char *username = arguments->positional[0];
    const char *email = arguments->positional[1];
    struct store_write write = {.kind = STORE_CREATE_USER};
    struct desk desk;

    const char *fault = fault_of_names(username, email);
    if (fault != NULL)
        return command_fail(arguments->command, "%s.", fault);
    if (!desk_open(&desk, arguments->command, true))
        return EXIT_FAILURE;
    assert(strlen(username) <= USER_NAME_MAX_BYTES && strlen(email) <= USER_EMAIL_MAX_BYTES);
    strcpy(write.user.username, username);
    strcpy(write.user.email, email);
    write.user.is_active = true;
    write.user.is_admin = arguments_option(arguments, "--admin") != NULL;
    int code = EXIT_FAILURE;
    if (desk_set_password(&desk, &write.user))
        code = desk_write(&desk, &write);
    if (code == EXIT_SUCCESS)
        user_say("Added", &write.user);
    password_wipe(&write, sizeof write);
    desk_close(&desk);
    return code;
}
