/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The field's arithmetic with words of 2 bits, for every operand: p = 2^12 - 2^4 - 2^3 + 2 - 1 =
 * 4073, every pair of elements for what has two of them, and every number of 24 bits for the
 * reduction. The judge is C's %. Words of 2 bits are clang's (C23).
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define WORD_BITS 2
typedef unsigned _BitInt(2) word;
typedef unsigned _BitInt(4) wide;
typedef signed _BitInt(6) signed_wide; /* two words, signed, and room for a sum of five */
#include "ec/ec_p384_field.h"

#define P 4073U

#define DEMAND(condition)                                                                  \
    do {                                                                                   \
        if (!(condition)) {                                                                \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
            exit(1);                                                                       \
        }                                                                                  \
    } while (0)

static unsigned number(const word words[WORDS])
{
    unsigned x = 0;

    for (int i = WORDS; i-- > 0;)
        x = x << 2 | (unsigned)words[i];
    return x;
}

static void set(word *words, int count, unsigned x)
{
    for (int i = 0; i < count; i++)
        words[i] = (word)(x >> 2 * i);
}

int main(void)
{
    word x[WORDS], y[WORDS], d[WORDS], t[2 * WORDS];

    DEMAND(number(field_p) == P);
    for (unsigned a = 0; a < P; a++) {
        set(x, WORDS, a);
        DEMAND(field_mask_if_zero(x) == (word)(a == 0 ? 3 : 0));
        for (unsigned b = 0; b < P; b++) {
            set(y, WORDS, b);
            field_add(d, x, y);
            DEMAND(number(d) == (a + b) % P);
            field_subtract(d, x, y);
            DEMAND(number(d) == (a + P - b) % P);
            field_multiply(d, x, y);
            DEMAND(number(d) == a * b % P);
            select_words(y, x, (word)(a % 2 == 0 ? 3 : 0));
            DEMAND(number(y) == (a % 2 == 0 ? a : b));
        }
    }
    for (unsigned n = 0; n < 1U << 24; n++) {
        set(t, 2 * WORDS, n);
        reduce(d, t);
        DEMAND(number(d) == n % P);
    }
    printf("  every operand of a field with words of 2 bits\n");
    return 0;
}
