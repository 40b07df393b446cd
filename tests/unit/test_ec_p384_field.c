/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A model of P-384's field with words of 8 bits: the same code, and p = 2^48 - 2^16 - 2^12 + 2^4
 * - 1. A carry or a borrow that comes once in 2^64 there comes once in 256 times here. The judge is
 * plain arithmetic in 64 bits.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define WORD_BITS 8
typedef uint8_t word;
typedef uint16_t wide;
typedef int16_t signed_wide;
#include "ec/ec_p384_field.h"

#ifndef ROUNDS
#define ROUNDS 400000
#endif

#define P ((UINT64_C(1) << 48) - (1 << 16) - (1 << 12) + (1 << 4) - 1)

static uint64_t number(const word words[WORDS])
{
    uint64_t x = 0;

    for (int i = WORDS; i-- > 0;)
        x = x << 8 | words[i];
    return x;
}

static void set(word words[WORDS], uint64_t x)
{
    for (int i = 0; i < WORDS; i++)
        words[i] = (word)(x >> 8 * i);
}

/* a * b mod P, for a below 2^48 + 2^15 or so and any b: 8 bits of b at a time. */
static uint64_t product(uint64_t a, uint64_t b)
{
    uint64_t x = 0;

    for (int shift = 56; shift >= 0; shift -= 8)
        x = ((x << 8) + a * (b >> shift & 255)) % P;
    return x;
}

static uint64_t state = 1;

static uint64_t random_number(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/* Half of the words are one of those at which something overflows. */
static uint64_t random_words(int count)
{
    static const uint8_t edges[] = {0, 1, 0x0f, 0x10, 0x7f, 0x80, 0xf0, 0xfe, 0xff};
    uint64_t x = random_number(), choice = random_number();

    for (int i = 0; i < count; i++) {
        if (choice >> 8 * i & 1) {
            x &= ~(UINT64_C(255) << 8 * i);
            x |= (uint64_t)edges[(choice >> 8 * i & 255) % sizeof edges] << 8 * i;
        }
    }
    return x & ((UINT64_C(1) << 8 * count) - 1);
}

static uint64_t random_element(void)
{
    uint64_t x = random_words(WORDS);

    return x % 16 == 3 ? P - 1 - x % 4096 : x % P;
}

static void test_prime(void **unused)
{
    (void)unused;
    assert_true(number(field_p) == P);
}

static void compute(uint64_t a, uint64_t b)
{
    word x[WORDS], y[WORDS], d[WORDS];

    set(x, a);
    set(y, b);
    field_add(d, x, y);
    assert_true(number(d) == (a + b) % P);
    field_subtract(d, x, y);
    assert_true(number(d) == (a + P - b) % P);
    field_multiply(d, x, y);
    assert_true(number(d) == product(a, b));
    assert_true(field_mask_if_zero(x) == (a == 0 ? 255 : 0));
    select_words(y, x, a % 2 == 0 ? 255 : 0);
    assert_true(number(y) == (a % 2 == 0 ? a : b));
}

static void test_arithmetic(void **unused)
{
    (void)unused;
    for (uint64_t a = 0; a < 40; a++) {
        for (uint64_t b = 0; b < 40; b++) {
            compute(a, b);
            compute(P - 1 - a, b);
            compute(a, P - 1 - b);
            compute(P - 1 - a, P - 1 - b);
        }
    }
    for (long i = 0; i < ROUNDS; i++)
        compute(random_element(), random_element());
}

/* Operands and result in one array. */
static void test_in_place(void **unused)
{
    (void)unused;
    for (int i = 0; i < 1000; i++) {
        uint64_t a = random_element();
        word x[WORDS];
        set(x, a);
        field_multiply(x, x, x);
        assert_true(number(x) == product(a, a));
        set(x, a);
        field_add(x, x, x);
        assert_true(number(x) == 2 * a % P);
        set(x, a);
        field_subtract(x, x, x);
        assert_true(number(x) == 0);
    }
}

/* What no product of two elements may be, too. */
static void test_reduction(void **unused)
{
    (void)unused;
    for (long i = 0; i < ROUNDS; i++) {
        uint64_t low = random_words(WORDS), high = random_words(WORDS);
        word t[2 * WORDS], d[WORDS];
        set(t, low);
        set(t + WORDS, high);
        reduce(d, t);
        assert_true(number(d) == (product(high, UINT64_C(1) << 48) + low) % P);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prime),
        cmocka_unit_test(test_arithmetic),
        cmocka_unit_test(test_in_place),
        cmocka_unit_test(test_reduction),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
