/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "x509/der.h"

#define DER(text) ((struct der){(const uint8_t *)(text), sizeof(text) - 1})

static void reads_elements_in_turn(void **state)
{
    struct der der = DER("\x02\x01\x05\x04\x00\x30\x03\x05\x01\xaa"), content;
    uint8_t tag;

    (void)state;
    assert_true(der_next(&der, &tag, &content));
    assert_int_equal(tag, DER_INTEGER);
    assert_true(der_equals(&content, "\x05", 1));
    assert_false(der_read(&der, DER_INTEGER, &content));
    assert_true(der_read(&der, DER_OCTET_STRING, &content));
    assert_int_equal(content.length, 0);
    assert_true(der_at(&der, DER_SEQUENCE));
    assert_true(der_skip_optional(&der, DER_EXPLICIT(0)));
    assert_true(der_read(&der, DER_SEQUENCE, &content));
    assert_int_equal(content.length, 3);
    assert_int_equal(der.length, 0);
    assert_false(der_next(&der, &tag, &content));
    assert_false(der_at(&der, DER_SEQUENCE));
    assert_true(der_skip_optional(&der, DER_SEQUENCE));
}

static void long_lengths(void **state)
{
    static uint8_t data[3 + 0x80] = {0x04, 0x81, 0x80}, wide[4 + 0x100] = {0x04, 0x82, 0x01, 0x00};
    struct der content;

    (void)state;
    assert_true(der_open(data, sizeof data, DER_OCTET_STRING, &content));
    assert_int_equal(content.length, 0x80);
    assert_true(der_open(wide, sizeof wide, DER_OCTET_STRING, &content));
    assert_int_equal(content.length, 0x100);
    assert_false(der_open(wide, sizeof wide - 1, DER_OCTET_STRING, &content));
}

static void refuses_bad_headers(void **state)
{
    static const struct der bad[] = {
        {(const uint8_t *)"\x04", 1},                             /* no length */
        {(const uint8_t *)"\x04\x01", 2},                         /* no content */
        {(const uint8_t *)"\x30\x80\x00\x00", 4},                 /* indefinite */
        {(const uint8_t *)"\x04\x81\x01\xaa", 4},                 /* not the shortest length */
        {(const uint8_t *)"\x04\x82\x00\x01\xaa", 5},             /* the same */
        {(const uint8_t *)"\x04\x81", 2},                         /* length cut off */
        {(const uint8_t *)"\x04\x84\xff\xff\xff\xff\xaa", 7},     /* huge */
        {(const uint8_t *)"\x04\x85\x01\x00\x00\x00\x00\xaa", 8}, /* huger */
        {(const uint8_t *)"\x04\xff\xaa", 3},                     /* reserved */
        {(const uint8_t *)"\x1f\x21\x00", 3},                     /* tag of several bytes */
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct der der = bad[i], content;
        uint8_t tag;

        assert_false(der_next(&der, &tag, &content));
        assert_false(der_skip(&der, bad[i].data[0]));
        assert_false(der_skip_optional(&der, bad[i].data[0]));
        assert_ptr_equal(der.data, bad[i].data);
        assert_int_equal(der.length, bad[i].length);
    }
}

static void open_wants_the_whole(void **state)
{
    struct der content;

    (void)state;
    assert_true(der_open((const uint8_t *)"\x30\x00", 2, DER_SEQUENCE, &content));
    assert_false(der_open((const uint8_t *)"\x30\x00\x00", 3, DER_SEQUENCE, &content));
    assert_false(der_open((const uint8_t *)"\x31\x00", 2, DER_SEQUENCE, &content));
    assert_false(der_open((const uint8_t *)"", 0, DER_SEQUENCE, &content));
}

static void unsigned_numbers(void **state)
{
    struct der zero = DER("\x02\x01\x00"), high = DER("\x02\x02\x00\x80"),
               low = DER("\x02\x01\x7f");
    struct der bad[] = {DER("\x02\x00"), DER("\x02\x01\x80"), DER("\x02\x02\x00\x7f"),
                        DER("\x04\x01\x01")};
    struct der number;

    (void)state;
    assert_true(der_read_unsigned(&zero, &number));
    assert_int_equal(number.length, 0);
    assert_true(der_read_unsigned(&high, &number));
    assert_true(der_equals(&number, "\x80", 1));
    assert_true(der_read_unsigned(&low, &number));
    assert_true(der_equals(&number, "\x7f", 1));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(der_read_unsigned(&bad[i], &number));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_elements_in_turn), cmocka_unit_test(long_lengths),
        cmocka_unit_test(refuses_bad_headers),    cmocka_unit_test(open_wants_the_whole),
        cmocka_unit_test(unsigned_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
