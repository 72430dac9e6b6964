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

#endif
