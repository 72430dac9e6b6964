#include "core/router.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "core/config.h"
#include "core/reply.h"
#include "core/service.h"

#define LARGE_BODY_MAX_BYTES (256u * 1024)

/* Bytes of the one segment of a path that may vary (exchange.h). */
static bool is_segment(h2o_iovec_t text)
{
    if (text.len == 0 || text.len > ROUTE_SEGMENT_MAX_BYTES)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        const char c = text.base[i];
        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
              c == '-'))
            return false;
    }
    return true;
}

static bool same(h2o_iovec_t text, const char *word)
{
    return h2o_memis(text.base, text.len, word, strlen(word));
}

static h2o_iovec_t path_of(const h2o_req_t *req)
{
    return h2o_iovec_init(req->path.base, req->query_at == SIZE_MAX ? req->path.len : req->query_at);
}

static bool method_matches(const struct route *route, h2o_iovec_t method)
{
    return same(method, route->method) || (strcmp(route->method, "GET") == 0 && same(method, "HEAD"));
}

/* Byte for byte, but for a "{name}" in the route's path; *segment is what stands there, or {NULL, 0}. */
static bool path_matches(const struct route *route, h2o_iovec_t path, h2o_iovec_t *segment)
{
    const char *open = strchr(route->path, '{');
    const char *close = open == NULL ? NULL : strchr(open, '}');

    *segment = h2o_iovec_init(NULL, 0);
    if (open == NULL)
        return same(path, route->path);
    assert(close != NULL && strchr(close, '{') == NULL);
    const size_t before = (size_t)(open - route->path);
    const size_t after = strlen(close + 1);
    if (path.len <= before + after || memcmp(path.base, route->path, before) != 0 ||
        memcmp(path.base + path.len - after, close + 1, after) != 0)
        return false;
    *segment = h2o_iovec_init(path.base + before, path.len - before - after);
    return is_segment(*segment);
}

/*
 * The next route with this path after `previous`. Routes are few: a walk over lengths is faster than any
 * table.
 */
static const struct route *next_with_path(const struct entrance *entrance, h2o_iovec_t path,
                                          const struct route *previous)
{
    bool passed = previous == NULL;
    h2o_iovec_t segment;

    for (size_t s = 0; s < ROUTE_SETS_MAX; s++)
        for (size_t i = 0; i < entrance->sets[s].count; i++) {
            const struct route *route = &entrance->sets[s].routes[i];
            if (passed && path_matches(route, path, &segment))
                return route;
            passed = passed || route == previous;
        }
    return NULL;
}

const struct route *router_find(const struct entrance *entrance, const h2o_req_t *req)
{
    const h2o_iovec_t path = path_of(req);
    const struct route *route = NULL;

    while ((route = next_with_path(entrance, path, route)) != NULL)
        if (method_matches(route, req->method))
            return route;
    return NULL;
}

static void list_methods(const struct entrance *entrance, h2o_iovec_t path,
                         char allow[ROUTER_ALLOW_MAX_BYTES])
{
    const struct route *route = NULL;

    *allow = '\0';
    while ((route = next_with_path(entrance, path, route)) != NULL) {
        const size_t used = strlen(allow);
        snprintf(allow + used, ROUTER_ALLOW_MAX_BYTES - used, "%s%s%s", used > 0 ? ", " : "", route->method,
                 strcmp(route->method, "GET") == 0 ? ", HEAD" : "");
    }
}

static void refuse_method(struct exchange *x, h2o_iovec_t path)
{
    char allow[ROUTER_ALLOW_MAX_BYTES];

    list_methods(x->entrance, path, allow);
    reply_method_not_allowed(x, allow);
}

enum fault router_judge_early(const h2o_req_t *req, char allow[ROUTER_ALLOW_MAX_BYTES])
{
    const h2o_pathconf_t *path = &req->hostconf->paths.entries[0];
    const struct entrance *entrance = (const struct entrance *)path->handlers.entries[0];

    if (router_find(entrance, req) != NULL)
        return FAULT_COUNT;
    list_methods(entrance, path_of(req), allow);
    return *allow == '\0' ? FAULT_NOT_FOUND : FAULT_METHOD_NOT_ALLOWED;
}

/* A query is handed back in Location only if it could not break a header (HTTP/2 does not check :path). */
static bool is_visible_ascii(h2o_iovec_t text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.base[i] <= ' ' || text.base[i] > '~')
            return false;
    return true;
}

static void refuse_path(struct exchange *x)
{
    const h2o_iovec_t path = path_of(x->req);
    h2o_iovec_t shorter = path;

    if (next_with_path(x->entrance, path, NULL) != NULL) {
        refuse_method(x, path);
        return;
    }
    if (path.len > 2 && path.base[path.len - 1] == '/') {
        shorter.len--;
        if (next_with_path(x->entrance, shorter, NULL) != NULL) {
            const h2o_iovec_t query = h2o_iovec_init(path.base + path.len, x->req->path.len - path.len);
            const bool keep = is_visible_ascii(query);
            const h2o_iovec_t location =
                h2o_concat(&x->req->pool, shorter, h2o_iovec_init(query.base, keep ? query.len : 0));
            reply_redirect(x, location.base, location.len);
            return;
        }
    }
    reply_fault(x, FAULT_NOT_FOUND);
}

static bool key_is_right(struct exchange *x)
{
    const char *key = x->loop->service->config->service_key;
    const size_t length = strlen(key);
    size_t count;

    if (x->loop->service->definition->has_envelope || length == 0 || (x->route->flags & ROUTE_NEEDS_NO_KEY))
        return true;
    const h2o_iovec_t sent = exchange_header(x, "x-service-key", &count);
    return count == 1 && sent.len == length && CRYPTO_memcmp(sent.base, key, length) == 0;
}

/* application/json or application/SOMETHING+json (RFC 6839, section 3.1), parameters ignored. */
static bool is_json_type(h2o_iovec_t type)
{
    static const char prefix[] = "application/";
    const char *end = memchr(type.base, ';', type.len);
    size_t length = end == NULL ? type.len : (size_t)(end - type.base);

    while (length > 0 && (type.base[length - 1] == ' ' || type.base[length - 1] == '\t'))
        length--;
    if (h2o_lcstris(type.base, length, H2O_STRLIT("application/json")))
        return true;
    return length > sizeof prefix - 1 + 5 &&
           h2o_lcstris(type.base, sizeof prefix - 1, prefix, sizeof prefix - 1) &&
           h2o_lcstris(type.base + length - 5, 5, H2O_STRLIT("+json"));
}

static bool type_is_right(struct exchange *x)
{
    size_t count;

    if (!(x->route->flags & ROUTE_TAKES_JSON) || x->req->entity.len == 0)
        return true;
    const h2o_iovec_t type = exchange_header(x, "content-type", &count);
    return count == 1 && type.len > 0 && is_json_type(type);
}

void router_enter(struct exchange *x)
{
    if (x->route == NULL) {
        refuse_path(x);
        return;
    }

    const bool matches = path_matches(x->route, path_of(x->req), &x->segment);
    assert(matches);
    const uint64_t body_max =
        x->route->flags & ROUTE_LARGE_BODY ? LARGE_BODY_MAX_BYTES : x->loop->service->config->body_max;
    if (!key_is_right(x))
        reply_fault(x, FAULT_SERVICE_KEY_REFUSED);
    else if (x->req->entity.len > body_max)
        reply_fault(x, FAULT_BODY_TOO_LARGE);
    else if (!type_is_right(x))
        reply_fault(x, FAULT_UNSUPPORTED_MEDIA_TYPE);
    else
        x->route->handle(x);
}
