/* store_support.h - for tests of the user store: folders of their own, and writes in one line. */
#ifndef TESTS_SUPPORT_STORE_SUPPORT_H
#define TESTS_SUPPORT_STORE_SUPPORT_H

#include "storage/user_store.h"

#define FOLDER_MAX_BYTES 200

/* Makes an empty folder; removes it with all it holds. */
void folder_make(char path[FOLDER_MAX_BYTES]);
void folder_remove(const char *path);

/* Opens or fails the test. Problems are counted, and the last sentence kept. */
struct user_store *store_open(const char *url, uint64_t map_size_bytes);
struct user_store *store_open_in(const char *folder, uint64_t map_size_bytes);
extern _Atomic unsigned problem_count;

/* A write that creates NAME, with NAME@example.org, hash "$y$NAME" and method "yescrypt". */
struct store_write creation_of(const char *name, bool is_admin);

enum store_outcome create_user(struct user_store *store, const char *name, bool is_admin, uint64_t *id);
enum store_outcome set_admin(struct user_store *store, uint64_t id, bool is_admin);
enum store_outcome set_active(struct user_store *store, uint64_t id, bool is_active);
enum store_outcome set_password(struct user_store *store, uint64_t id, const char *hash, const char *method);
enum store_outcome renew_hash(struct user_store *store, uint64_t id, const char *expected, const char *hash,
                              const char *method);
enum store_outcome delete_user(struct user_store *store, uint64_t id);
bool has_user(struct user_store *store, const char *name);
struct store_status status_of(struct user_store *store);

#define HOUR_US INT64_C(3600000000)
int64_t wall_clock_us(void);

/* An id of the right length that begins with the text. */
void id_make(char out[SESSION_ID_LENGTH + 1], const char *text);

/* A write that opens the session TEXT of a user, with tokens "a-TEXT" and "r-TEXT", for an hour from now. */
struct store_write opening_of(uint64_t user_id, const char *text);
/* A write that exchanges the refresh token PRESENTED of the session TEXT for "a-NEXT" and "r-NEXT". */
struct store_write refresh_of(uint64_t user_id, const char *text, const char *presented, const char *next);

enum store_outcome open_session(struct user_store *store, uint64_t user_id, const char *text);
enum store_outcome end_session(struct user_store *store, uint64_t user_id, const char *text);
enum store_outcome end_user_sessions(struct user_store *store, uint64_t user_id, const char *keep,
                                     uint64_t *ended);
bool has_session(struct user_store *store, uint64_t user_id, const char *text);

#endif
