/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tests/x509 cannot tell apart by a verdict: texts for people, bounds, and names that no
 * certificate has whole.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "x509/names.h"

#define BYTES(bytes) (const uint8_t *)(bytes), sizeof(bytes) - 1
#define DER(bytes) ((struct der){BYTES(bytes)})

static void described(void **state)
{
    static const struct {
        struct der names;
        const char *text;
    } cases[] = {
        {{BYTES("")}, "no host"},
        {{BYTES("\x81\x03"
                "a@b")},
         "no host"},
        {{BYTES("\x82\x01"
                "a\x87\x04\x0a\0\0\x01")},
         "a, 10.0.0.1"},
        {{BYTES("\x87\x10\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01")}, "fd00::1"},
        {{BYTES("\x82\x01"
                "a\x82\x01"
                "b\x82\x01"
                "c\x82\x01"
                "d\x82\x01"
                "e")},
         "a, b, c and 2 more"},
        {{BYTES("\x82\x04"
                "a\0\n\xff")},
         "a???"},
        {{BYTES("\x87\x03"
                "abc")},
         "no host"},
    };
    char text[128];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        names_describe(text, sizeof text, cases[i].names);
        assert_string_equal(text, cases[i].text);
    }
}

/* However long the names are, and however short the text. */
static void described_within_bounds(void **state)
{
    uint8_t names[3 * 252];
    char text[128];

    (void)state;
    memset(names, 'x', sizeof names);
    for (size_t i = 0; i < sizeof names; i += 252)
        memcpy(names + i, "\x82\x81\xf9", 3);
    for (size_t size = 1; size <= sizeof text; size++) {
        memset(text, '#', sizeof text);
        names_describe(text, size, (struct der){names, sizeof names});
        assert_true(strlen(text) < size);
        for (size_t i = size; i < sizeof text; i++)
            assert_int_equal(text[i], '#');
    }
}

static void hosts(void **state)
{
    (void)state;
    assert_true(names_match_host(DER("\x82\x01"
                                     "a"),
                                 "a"));
    assert_true(names_match_host(DER("\x82\x01"
                                     "a"),
                                 "a."));
    assert_false(names_match_host(DER("\x82\x02"
                                      "a."),
                                  "a"));
    assert_false(names_match_host(DER("\x82\0"), ""));
    assert_false(names_match_host(DER("\x82\0"), "."));
    assert_false(names_match_host(DER("\x82\x05"
                                      "*.a.b"),
                                  ".a.b"));
    assert_false(names_match_host(DER("\x82\x04"
                                      "*.a."),
                                  "b.a"));
    assert_false(names_match_host(DER("\x82\x01"
                                      "*"),
                                  "a"));
    assert_false(names_match_host(DER("\x82\x01"
                                      "@"),
                                  "`"));
    assert_false(names_match_host(DER("\x87\x04"
                                      "1.2.3.4"),
                                  "1.2.3.4"));
}

/* A list of names that is cut ends where it is whole. */
static void cut_names(void **state)
{
    (void)state;
    assert_true(names_match_host(DER("\x82\x01"
                                     "a\x82\x05"
                                     "b"),
                                 "a"));
    assert_false(names_match_host(DER("\x82\x05"
                                      "b"),
                                  "b"));
}

static void comparisons_are_counted(void **state)
{
    const struct der extension = DER("\x30\x0e\xa0\x0c\x30\x03\x82\x01"
                                     "a\x30\x05\x82\x03"
                                     "b.c");
    const struct der names = DER("\x82\x03"
                                 "x.a\x82\x03"
                                 "b.c");
    struct name_constraints constraints;
    unsigned left;

    (void)state;
    assert_null(name_constraints_read(&constraints, extension, true));
    left = 4; /* two names, two subtrees */
    assert_int_equal(name_constraints_check(&constraints, DER(""), names, &left), NAME_ALLOWED);
    assert_int_equal(left, 0);
    for (unsigned few = 0; few < 4; few++) {
        left = few;
        assert_int_equal(name_constraints_check(&constraints, DER(""), names, &left),
                         NAME_UNDECIDED);
    }
    left = 100;
    assert_int_equal(name_constraints_check(&constraints, DER(""),
                                            DER("\x82\x01"
                                                "d"),
                                            &left),
                     NAME_FORBIDDEN);
    assert_int_equal(name_constraints_check(&constraints, DER(""),
                                            DER("\x87\x01"
                                                "d"),
                                            &left),
                     NAME_ALLOWED);
}

/* Of every kind of string, cut in the middle of a character as well. */
static void equal_names(void **state)
{
    const struct der one = DER("\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x0c\x01"
                               "a");

    (void)state;
    assert_true(names_equal(one, one));
    assert_true(names_equal(one, DER("\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x13\x01"
                                     "A")));
    assert_true(names_equal(one, DER("\x31\x0b\x30\x09\x06\x03\x55\x04\x03\x1e\x02\0a")));
    assert_true(names_equal(one, DER("\x31\x0d\x30\x0b\x06\x03\x55\x04\x03\x1c\x04\0\0\0a")));
    assert_true(names_equal(one, DER("\x31\x0c\x30\x0a\x06\x03\x55\x04\x03\x0c\x03 a\t")));
    assert_false(names_equal(one, DER("\x31\x0b\x30\x09\x06\x03\x55\x04\x03\x0c\x02"
                                      "a\xe2")));
    assert_false(names_equal(one, DER("\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x1e\x01"
                                      "b")));
    assert_false(names_equal(one, DER("")));
    assert_false(names_equal(DER(""), one));
    assert_true(names_equal(DER(""), DER("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(described),   cmocka_unit_test(described_within_bounds),
        cmocka_unit_test(hosts),       cmocka_unit_test(cut_names),
        cmocka_unit_test(equal_names), cmocka_unit_test(comparisons_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
