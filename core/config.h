/*
 * config.h - the settings, read once at start: from the environment, then from .env in the working directory,
 * then the default (config.def). Read-only afterwards, so any thread may look.
 */
#ifndef CORE_CONFIG_H
#define CORE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Who reads a setting: a value that is wrong is refused by those who read it, and by nobody else. */
enum config_user {
    CONFIG_GATEWAY = 1,
    CONFIG_AUTH = 2,
    CONFIG_MESSAGE = 4,
    CONFIG_TOOL = 8, /* the `user` command: the settings of the store and of passwords */
    CONFIG_UP = 16,  /* the runner: checks what all services read, before it starts them */
};

/* The values of CHOICE settings, in the order of their words. */
enum config_signup { CONFIG_SIGNUP_OPEN, CONFIG_SIGNUP_ADMIN, CONFIG_SIGNUP_CLOSED };
enum config_throttle { CONFIG_THROTTLE_ON, CONFIG_THROTTLE_OFF };
enum admin_signup { ADMIN_SIGNUP_FIRST, ADMIN_SIGNUP_OPEN, ADMIN_SIGNUP_CLOSED };
enum config_log_level { CONFIG_LOG_DEBUG, CONFIG_LOG_INFO, CONFIG_LOG_WARN, CONFIG_LOG_ERROR };
enum config_log_format { CONFIG_LOG_AUTO, CONFIG_LOG_JSON, CONFIG_LOG_TEXT };

#define CONFIG_UNIX_SCHEME           "unix:"
#define CONFIG_SOCKET_PATH_MAX_BYTES 107 /* what sockaddr_un has room for */

/* A URL of another service, taken apart: "http://host:port" with or without a slash at the end, or
 * "unix:PATH"; nothing else. A Unix socket has the host "localhost" and port 0. */
struct config_url {
    char host[256]; /* name, IPv4 or IPv6 without brackets */
    uint16_t port;
    char socket_path[CONFIG_SOCKET_PATH_MAX_BYTES + 1]; /* "": TCP */
    char base[300]; /* "http://host:port", no slash at the end, or "unix:PATH": as relay.h takes it */
};

/* Where to listen: "host:port", "[ipv6]:port" or ":port" (all addresses: 0.0.0.0), port 0: any that is free;
 * or "unix:PATH", as above. */
struct config_address {
    char host[256]; /* "" after config_load only where ADDRESS_OR_OFF is off */
    uint16_t port;
    char socket_path[CONFIG_SOCKET_PATH_MAX_BYTES + 1];
};

typedef const char *config_text;   /* never NULL; "" where unset */
typedef const char *config_secret; /* the same; never printed */
typedef uint64_t config_count;
typedef uint64_t config_size; /* bytes */
typedef unsigned config_choice;

#define SECTION(title)
#define CHOICES(NAME, ...)
#define SETTING(field, NAME, kind, default_value, min, max, used_by, sentence) CONFIG_TYPE_##kind field;
#define CONFIG_TYPE_TEXT                                                       config_text
#define CONFIG_TYPE_SECRET                                                     config_secret
#define CONFIG_TYPE_COUNT                                                      config_count
#define CONFIG_TYPE_SIZE                                                       config_size
#define CONFIG_TYPE_CHOICE                                                     config_choice
#define CONFIG_TYPE_ADDRESS                                                    struct config_address
#define CONFIG_TYPE_ADDRESS_OR_OFF                                             struct config_address
#define CONFIG_TYPE_URL                                                        struct config_url
struct config {
#include "core/config.def"
    bool database_url_is_set; /* DATABASE_URL was given, not defaulted */
};
#undef SECTION
#undef CHOICES
#undef SETTING

/*
 * Reads the settings that `users` (a set of enum config_user) read, into *config; the others keep their
 * defaults. A name that is set but empty counts as not set. The .env file is ".env" in the working directory;
 * absent is fine, unreadable or over 1 MiB is not; a line of it that cannot be read is told of on standard
 * error and skipped. Unset …_LISTEN are filled in from …_SERVICE_URL. An unset SECRET_KEY is no fault here:
 * auth asks for it. False: error holds one sentence that names the setting and what would be right (never a
 * secret's value). *config is then untouched. Texts live until config_free.
 */
bool config_load(struct config *config, unsigned users, char *error, size_t error_size);

/* Wipes secrets and frees texts. */
void config_free(struct config *config);

/* Prints all settings with their defaults: as .env.example, as the Markdown table of README.md, or for a
 * terminal. */
enum config_print { CONFIG_PRINT_ENV, CONFIG_PRINT_MARKDOWN, CONFIG_PRINT_TEXT };
void config_print(FILE *out, enum config_print form);

/* The word of a CHOICE setting: config_choice_word("PASSWORD_METHOD", config->password_method) is "yescrypt".
 */
const char *config_choice_word(const char *name, config_choice value);

/* True if only this machine reaches a listen address: 127.0.0.0/8, ::1, localhost, a Unix socket. */
bool config_address_is_loopback(const struct config_address *address);

#endif
