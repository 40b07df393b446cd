/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "charm/expiry.h"

#define NOW 1769817600 /* 2026-01-31 */
#define DAY 86400

static void note(struct expiry *expiry, int64_t not_after)
{
    struct certificate certificate = {.fingerprint = "0123456789abcdef", .not_after = not_after};

    expiry_note(expiry, &certificate, "our client certificate");
}

static void test_sooner_or_later(void **state)
{
    struct expiry expiry;

    (void)state;
    expiry_begin(&expiry, NOW, 30);
    note(&expiry, NOW + 30 * DAY);
    assert_int_equal(expiry.sentences.count, 0);
    note(&expiry, NOW + 30 * DAY - 1);
    note(&expiry, NOW + DAY);
    note(&expiry, NOW + 2 * DAY);
    assert_int_equal(expiry.sentences.count, 3);
    assert_int_equal(expiry.first, NOW + DAY);
    assert_string_equal(expiry.sentences.items[1],
                        "our client certificate 0123456789ab... expires on 2026-02-01: renew it");
    expiry_free(&expiry);
}

static void test_the_same_counts_once(void **state)
{
    struct expiry expiry;

    (void)state;
    expiry_begin(&expiry, NOW, 30);
    note(&expiry, NOW);
    note(&expiry, NOW);
    assert_int_equal(expiry.sentences.count, 1);
    expiry_free(&expiry);
}

static void test_what_has_ended(void **state)
{
    struct expiry expiry;

    (void)state;
    expiry_begin(&expiry, NOW, 0);
    note(&expiry, NOW - 1);
    assert_string_equal(expiry.sentences.items[0],
                        "our client certificate 0123456789ab... expired on 2026-01-30: renew it");
    expiry_free(&expiry);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sooner_or_later),
        cmocka_unit_test(test_the_same_counts_once),
        cmocka_unit_test(test_what_has_ended),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
