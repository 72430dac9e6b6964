// links: core/router.c core/memory.c
// libs: h2o-evloop ssl crypto
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "core/reply.h"
#include "core/router.h"
#include "core/service.h"

#define SEGMENT64 "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-"

/* What came of a request. */
static struct {
    unsigned count;
    const char *handler; /* NULL: none */
    char segment[ROUTE_SEGMENT_MAX_BYTES + 1];
    enum fault fault; /* FAULT_COUNT: none */
    char allow[128];
    char location[128];
} came;

static void handled(struct exchange *x, const char *handler)
{
    came.count++;
    came.handler = handler;
    snprintf(came.segment, sizeof came.segment, "%.*s", (int)x->segment.len,
             x->segment.base == NULL ? "" : x->segment.base);
}

static void on_list(struct exchange *x)
{
    assert_null(x->segment.base);
    handled(x, "list");
}

static void on_get(struct exchange *x)
{
    handled(x, "get");
}

static void on_patch(struct exchange *x)
{
    handled(x, "patch");
}

static void on_delete(struct exchange *x)
{
    handled(x, "delete");
}

static void on_end(struct exchange *x)
{
    handled(x, "end");
}

static const struct route routes[] = {
    {"GET", "/things", NULL, on_list, 0},
    {"GET", "/things/{id}", NULL, on_get, 0},
    {"PATCH", "/things/{id}", NULL, on_patch, 0},
    {"DELETE", "/things/{id}", NULL, on_delete, 0},
    {"DELETE", "/things/{id}/parts", NULL, on_end, 0},
};

static void on_greet(struct exchange *x)
{
    handled(x, "greet");
}

static const struct route common[] = {{"GET", "/", NULL, on_greet, 0}};

void reply_fault(struct exchange *x, enum fault fault)
{
    (void)x;
    came.count++;
    came.fault = fault;
}

void reply_method_not_allowed(struct exchange *x, const char *allow)
{
    reply_fault(x, FAULT_METHOD_NOT_ALLOWED);
    snprintf(came.allow, sizeof came.allow, "%s", allow);
}

void reply_redirect(struct exchange *x, const char *location, size_t length)
{
    (void)x;
    came.count++;
    snprintf(came.location, sizeof came.location, "%.*s", (int)length, location);
}

h2o_iovec_t exchange_header(const struct exchange *x, const char *name, size_t *count)
{
    (void)x, (void)name;
    *count = 0;
    return h2o_iovec_init(NULL, 0);
}

/* One request, as exchange.c hands it in. */
static void ask(const char *method, const char *target)
{
    static const struct service_definition definition = {.has_envelope = true};
    static const struct entrance entrance = {
        .sets = {{routes, sizeof routes / sizeof routes[0]}, {common, sizeof common / sizeof common[0]}}};
    static const struct config config = {.body_max = 100, .service_key = ""};
    struct service service = {.definition = &definition, .config = &config};
    struct loop loop = {.service = &service};
    const char *query = strchr(target, '?');
    h2o_req_t req;
    struct exchange x = {.req = &req, .loop = &loop, .entrance = &entrance};

    memset(&came, 0, sizeof came);
    came.fault = FAULT_COUNT;
    memset(&req, 0, sizeof req);
    h2o_mem_init_pool(&req.pool);
    req.method = h2o_iovec_init(method, strlen(method));
    req.path = h2o_iovec_init(target, strlen(target));
    req.query_at = query == NULL ? SIZE_MAX : (size_t)(query - target);
    x.route = router_find(&entrance, &req);
    router_enter(&x);
    h2o_mem_clear_pool(&req.pool);
    assert_int_equal(came.count, 1);
}

static void assert_handled(const char *method, const char *target, const char *handler, const char *segment)
{
    ask(method, target);
    assert_non_null(came.handler);
    assert_string_equal(came.handler, handler);
    assert_string_equal(came.segment, segment);
}

static void assert_not_found(const char *target)
{
    ask("GET", target);
    if (came.fault != FAULT_NOT_FOUND)
        print_error("found: %s\n", target);
    assert_int_equal(came.fault, FAULT_NOT_FOUND);
}

static void a_segment_is_handed_to_the_handler(void **state)
{
    (void)state;
    assert_handled("GET", "/things/7", "get", "7");
    assert_handled("GET", "/things/" SEGMENT64, "get", SEGMENT64);
    assert_handled("DELETE", "/things/Aa0_-/parts", "end", "Aa0_-");
    assert_handled("PATCH", "/things/7?a=b/c", "patch", "7");
    assert_handled("GET", "/things/parts", "get", "parts");
}

static void a_path_without_one_has_none(void **state)
{
    (void)state;
    assert_handled("GET", "/things", "list", "");
    assert_handled("GET", "/things?after=7", "list", "");
    assert_handled("GET", "/", "greet", "");
}

static void other_bytes_and_lengths_are_not_found(void **state)
{
    char target[] = "/things/a?";

    (void)state;
    assert_not_found("/things/" SEGMENT64 "x");
    assert_not_found("/things/1/2");
    assert_not_found("/things//parts");
    assert_not_found("/things/%31");
    assert_not_found("/things/../parts");
    assert_not_found("/things/{id}");
    assert_not_found("/things/1/parts/2");
    assert_not_found("/thing/1");
    assert_not_found("/xthings/1");
    for (int c = 1; c < 256; c++) {
        const bool good = c < 128 && strchr(SEGMENT64, c) != NULL;
        target[8] = (char)c;
        target[9] = '\0';
        if (!good && c != '?' && c != '/')
            assert_not_found(target);
        else if (good)
            assert_handled("GET", target, "get", target + 8);
    }
}

static void head_is_answered_as_get(void **state)
{
    (void)state;
    assert_handled("HEAD", "/things/7", "get", "7");
}

static void allow_names_every_method_of_the_path(void **state)
{
    static const struct {
        const char *method;
        const char *target;
        const char *allow;
    } cases[] = {
        {"POST", "/things/7", "GET, HEAD, PATCH, DELETE"},
        {"OPTIONS", "/things/7?a=b", "GET, HEAD, PATCH, DELETE"},
        {"get", "/things/7", "GET, HEAD, PATCH, DELETE"},
        {"GET", "/things/7/parts", "DELETE"},
        {"DELETE", "/things", "GET, HEAD"},
        {"POST", "/", "GET, HEAD"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ask(cases[i].method, cases[i].target);
        assert_int_equal(came.fault, FAULT_METHOD_NOT_ALLOWED);
        assert_string_equal(came.allow, cases[i].allow);
    }
}

static void one_slash_too_many_leads_to_the_path_without_it(void **state)
{
    (void)state;
    ask("DELETE", "/things/7/");
    assert_string_equal(came.location, "/things/7");
    ask("DELETE", "/things/7/parts/?a=b");
    assert_string_equal(came.location, "/things/7/parts?a=b");
    ask("GET", "/things/");
    assert_string_equal(came.location, "/things");
    assert_not_found("/things/7//");
    assert_not_found("/things/%37/");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_segment_is_handed_to_the_handler),
        cmocka_unit_test(a_path_without_one_has_none),
        cmocka_unit_test(other_bytes_and_lengths_are_not_found),
        cmocka_unit_test(head_is_answered_as_get),
        cmocka_unit_test(allow_names_every_method_of_the_path),
        cmocka_unit_test(one_slash_too_many_leads_to_the_path_without_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
