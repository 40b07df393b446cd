/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "charm/remover.h"
#include "fake_juju.h"

#define LEADER "is-leader --format=json"
#define GOAL "goal-state --format=json"
#define ALIVE "{\"status\":\"active\"}"
#define DYING "{\"status\":\"dying\"}"

static void assert_fate(const char *goal_state, enum remover_fate fate)
{
    cJSON *value = cJSON_Parse(goal_state);

    assert_non_null(value);
    assert_int_equal(remover_judge(value, "a/0"), fate);
    cJSON_Delete(value);
}

static void test_fates(void **state)
{
    (void)state;
    assert_fate("{\"units\":{\"a/0\":" ALIVE "}}", REMOVER_STAYS);
    assert_fate("{\"units\":{\"a/0\":" ALIVE ",\"a/1\":" DYING "}}", REMOVER_STAYS);
    assert_fate("{\"units\":{\"a/0\":" DYING ",\"a/1\":" ALIVE "}}", REMOVER_LEAVES);
    assert_fate("{\"units\":{\"a/0\":" DYING ",\"a/1\":" DYING ",\"a/2\":" ALIVE "}}",
                REMOVER_LEAVES);
    assert_fate("{\"units\":{\"a/0\":" DYING "}}", REMOVER_LAST);
    assert_fate("{\"units\":{\"a/0\":" DYING ",\"a/1\":" DYING "}}", REMOVER_LAST);
}

/* A dead unit is left out of goal-state: in the remove hook it may be us. */
static void test_unit_that_is_left_out(void **state)
{
    (void)state;
    assert_fate("{\"units\":{\"a/1\":" ALIVE "}}", REMOVER_LEAVES);
    assert_fate("{\"units\":{\"a/1\":" DYING "}}", REMOVER_LAST);
}

static void test_no_knowledge(void **state)
{
    (void)state;
    assert_fate("{}", REMOVER_STAYS);
    assert_fate("{\"units\":{}}", REMOVER_STAYS);
    assert_fate("{\"units\":[]}", REMOVER_STAYS);
    assert_fate("{\"units\":{\"a/0\":null}}", REMOVER_STAYS);
}

static bool is_allowed(enum event_kind kind, const struct fake_answer *answers, size_t calls)
{
    struct fake_juju fake = {.answers = answers};
    struct juju_transport juju = fake_juju_transport(&fake);
    struct event event = {.kind = kind, .unit = "a/0"};
    bool allowed = remover_allowed(&juju, &event);

    assert_int_equal(fake.calls.count, calls);
    fake_juju_free(&fake);
    return allowed;
}

static void test_who_may(void **state)
{
    static const struct {
        const char *goal_state;
        const char *leader;
        bool allowed;
        size_t calls;
    } cases[] = {
        {"{\"units\":{\"a/0\":" ALIVE "}}", "true", true, 2},
        {"{\"units\":{\"a/0\":" ALIVE "}}", "false", false, 2},
        {"{\"units\":{\"a/0\":" DYING ",\"a/1\":" ALIVE "}}", "true", false, 1},
        {"{\"units\":{\"a/0\":" DYING ",\"a/1\":" DYING "}}", "false", true, 1},
    };
    static const enum event_kind kinds[] = {EVENT_RELATION_DEPARTED, EVENT_RELATION_BROKEN,
                                            EVENT_STOP};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct fake_answer answers[] = {
            {GOAL, 0, cases[i].goal_state, NULL}, {LEADER, 0, cases[i].leader, NULL}, {0}};

        for (size_t j = 0; j < sizeof kinds / sizeof *kinds; j++)
            assert_int_equal(is_allowed(kinds[j], answers, cases[i].calls), cases[i].allowed);
        /* While nobody goes, goal-state is not asked. */
        assert_int_equal(is_allowed(EVENT_OTHER, answers, 1), strcmp(cases[i].leader, "true") == 0);
    }
}

static void test_doubt_is_a_no(void **state)
{
    static const struct fake_answer no_goal[] = {
        {GOAL, 1, NULL, "ERROR permission denied"}, {LEADER, 0, "true", NULL}, {0}};
    static const struct fake_answer no_leader[] = {
        {GOAL, 0, "{\"units\":{\"a/0\":" ALIVE "}}", NULL},
        {LEADER, 1, NULL, "ERROR leadership status unknown: timeout"},
        {0}};

    (void)state;
    assert_false(is_allowed(EVENT_STOP, no_goal, 1));
    assert_false(is_allowed(EVENT_STOP, no_leader, 2));
    assert_false(is_allowed(EVENT_OTHER, no_leader, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fates),         cmocka_unit_test(test_unit_that_is_left_out),
        cmocka_unit_test(test_no_knowledge),  cmocka_unit_test(test_who_may),
        cmocka_unit_test(test_doubt_is_a_no),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
