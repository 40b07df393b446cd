/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"

static void sets_kind_and_text(void **state)
{
    struct error error;

    (void)state;
    assert_int_equal(error_set(&error, ERROR_HOOK, "%s: %d", "exit", 3), -1);
    assert_int_equal(error.kind, ERROR_HOOK);
    assert_string_equal(error.text, "exit: 3");
}

static void prefix_keeps_the_kind(void **state)
{
    struct error error;

    (void)state;
    error_set(&error, ERROR_INPUT, "not a port");
    assert_int_equal(error_prefix(&error, "option \"%s\"", "lxd_endpoint"), -1);
    assert_int_equal(error.kind, ERROR_INPUT);
    assert_string_equal(error.text, "option \"lxd_endpoint\": not a port");
}

static void unprintable_becomes_a_question_mark(void **state)
{
    struct error error;

    (void)state;
    error_set(&error, ERROR_REFUSED, "a\nb\tc\x1b[31m\x7f\xc3\xab~");
    assert_string_equal(error.text, "a?b?c?[31m???~");
    error_prefix(&error, "\r");
    assert_string_equal(error.text, "?: a?b?c?[31m???~");
}

static void long_texts_are_cut(void **state)
{
    struct error error;
    char wide[2000];

    (void)state;
    memset(wide, 'x', sizeof wide - 1);
    wide[sizeof wide - 1] = '\0';
    error_set(&error, ERROR_INPUT, "%s", wide);
    assert_int_equal(strlen(error.text), sizeof error.text - 1);
    error_prefix(&error, "%s", "prefix");
    assert_int_equal(strlen(error.text), sizeof error.text - 1);
    assert_memory_equal(error.text, "prefix: x", 9);
    error_prefix(&error, "%s", wide);
    assert_int_equal(strlen(error.text), sizeof error.text - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sets_kind_and_text),
        cmocka_unit_test(prefix_keeps_the_kind),
        cmocka_unit_test(unprintable_becomes_a_question_mark),
        cmocka_unit_test(long_texts_are_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
