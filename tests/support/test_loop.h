/*
 * test_loop.h - a loop of a test's own, without a service around it. Opened, turned and closed on one thread.
 */
#ifndef SUPPORT_TEST_LOOP_H
#define SUPPORT_TEST_LOOP_H

#include <string.h>

#include "core/loop.h"

struct test_loop {
    h2o_globalconf_t conf;
    struct loop loop;
};

static inline void test_loop_open(struct test_loop *own)
{
    memset(own, 0, sizeof *own);
    h2o_config_init(&own->conf);
    h2o_config_register_host(&own->conf, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    loop_open(&own->loop, NULL, 0, &own->conf);
}

static inline void test_loop_close(struct test_loop *own)
{
    loop_close(&own->loop);
    h2o_config_dispose(&own->conf);
}

#endif
