/*
 * common_passwords.h - passwords that guessers try first: the 17,950 of 8 bytes and more among 49,233 common
 * ones (source and license: common_passwords.LICENSE), and the user's own names. Pure; any thread; about half
 * a microsecond.
 *
 * At signup and at a change of password, where the fields are judged (422, a value_error of the field
 * "password" or "new_password"); never at login.
 */
#ifndef AUTH_COMMON_PASSWORDS_H
#define AUTH_COMMON_PASSWORDS_H

#include <stddef.h>

/*
 * NULL: none of these. Else one static sentence: equal to the username, to the e-mail address, or to a common
 * password, each without regard to ASCII case.
 */
const char *password_weakness(const char *password, size_t password_length, const char *username,
                              size_t username_length, const char *email, size_t email_length);

/* The same as a rule of a form, which knows no names: common passwords alone. */
const char *common_password_rule(const char *password, size_t length);

#endif
