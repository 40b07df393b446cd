/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "charm/leadership.h"
#include "fake_juju.h"

#define ASK "is-leader --format=json"

/* Four questions, with a renewal in between. */
static bool asks(const struct fake_answer *answers, size_t expected_calls)
{
    struct fake_juju fake = {.answers = answers};
    struct juju_transport juju = fake_juju_transport(&fake);
    struct leadership leadership = {.juju = &juju};
    size_t count = 0;

    bool held = leadership_held(&leadership);
    assert_true(leadership_held(&leadership) == held);
    leadership_renew(&leadership);
    assert_true(leadership_held(&leadership) == held);
    assert_true(leadership_held(&leadership) == held);
    for (size_t i = 0; i < fake.calls.count; i++)
        count += strcmp(fake.calls.items[i], ASK) == 0;
    assert_int_equal(count, expected_calls);
    fake_juju_free(&fake);
    return held;
}

/* A yes is asked for anew, a no is not. */
static void test_answers(void **state)
{
    static const struct fake_answer yes[] = {{ASK, 0, "true\n", NULL}, {0}};
    static const struct fake_answer no[] = {{ASK, 0, "false\n", NULL}, {0}};
    static const struct fake_answer failure[] = {{ASK, 1, NULL, "ERROR timeout\n"}, {0}};

    (void)state;
    assert_true(asks(yes, 2));
    assert_false(asks(no, 1));
    assert_false(asks(failure, 1));
}

static void test_leadership_that_ends(void **state)
{
    static const struct fake_answer yes[] = {{ASK, 0, "true\n", NULL}, {0}};
    static const struct fake_answer no[] = {{ASK, 0, "false\n", NULL}, {0}};
    struct fake_juju fake = {.answers = yes};
    struct juju_transport juju = fake_juju_transport(&fake);
    struct leadership leadership = {.juju = &juju};

    (void)state;
    assert_true(leadership_held(&leadership));
    fake.answers = no;
    assert_true(leadership_held(&leadership));
    leadership_renew(&leadership);
    assert_false(leadership_held(&leadership));
    fake.answers = yes;
    leadership_renew(&leadership);
    assert_false(leadership_held(&leadership));
    fake_juju_free(&fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_leadership_that_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
