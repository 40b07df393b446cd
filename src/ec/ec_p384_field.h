/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EC_EC_P384_FIELD_H
#define EC_EC_P384_FIELD_H

#include <stddef.h>
#include <stdint.h>

/*
 * Arithmetic for ec_p384_m64.c: integers modulo p, the prime of P-384, in six words, the least
 * significant first. With B = 2^WORD_BITS and H = 2^HALF_BITS
 *
 *     p = B^6 - B^2 - B H + H - 1 = 2^384 - 2^128 - 2^96 + 2^32 - 1
 *
 * An element is always one of 0..p-1, and operands have to be elements. Operands and result may be
 * the same array.
 *
 * What may be secret decides about no branch and no address: conditions are masks, words of all
 * ones or all zeros.
 *
 * Nothing here depends on how long a word is, but that it has an even number of bits. The unit
 * test's model has words of 8 bits, where every carry is frequent.
 */
#ifndef WORD_BITS
#define WORD_BITS 64
typedef uint64_t word;
__extension__ typedef unsigned __int128 wide; /* a product of two words, and two words more */
__extension__ typedef __int128 signed_wide;   /* >> is arithmetic: gcc and clang say so */
#endif
#define HALF_BITS (WORD_BITS / 2)
#define WORDS 6

static const word field_p[WORDS] = {((word)1 << HALF_BITS) - 1,
                                    (word)((word)-1 << HALF_BITS),
                                    (word)-2,
                                    (word)-1,
                                    (word)-1,
                                    (word)-1};

/* d = mask ? a : d. Inlined it would be 400 bytes more. */
__attribute__((noinline)) static void select_words(word d[static WORDS], const word a[static WORDS],
                                                   word mask)
{
    for (int i = 0; i < WORDS; i++)
        d[i] ^= mask & (d[i] ^ a[i]);
}

/* All ones where x is 0: only then has neither x nor -x its highest bit set. */
static word mask_if_zero(word x)
{
    return (word)(((word)(x | (word)-x) >> (WORD_BITS - 1)) - 1);
}

static word field_mask_if_zero(const word a[static WORDS])
{
    return mask_if_zero(a[0] | a[1] | a[2] | a[3] | a[4] | a[5]);
}

/* *sum = a + b + carry, for a carry of 0 or 1; returns the next one, again 0 or 1: if the first
 * addition overflows it gives 0, and then the second one does not. */
static inline word add_carry(word *sum, word a, word b, word carry)
{
    word partial = (word)(a + carry);

    *sum = (word)(partial + b);
    return (partial < carry) + (*sum < b);
}

/* *difference = a - b - borrow, for a borrow of 0 or 1; returns the next one: if the first
 * subtraction underflows it gives B - 1, and then the second one does not. */
static inline word subtract_borrow(word *difference, word a, word b, word borrow)
{
    word partial = (word)(a - borrow);

    *difference = (word)(partial - b);
    return (a < borrow) + (partial < b);
}

/* d = a + top B^6, less p unless it is below p already; it must be below 2 p. */
static void reduce_once(word d[static WORDS], const word a[static WORDS], word top)
{
    word difference[WORDS], borrow = 0;

    for (int i = 0; i < WORDS; i++)
        borrow = subtract_borrow(&difference[i], a[i], field_p[i], borrow);
    /* Below p it is with a top of 0 and a borrow. With a top of 1 there always is a borrow, for a
     * is then less than 2 p - B^6, so less than p. */
    word below = (word)(top - borrow);
    for (int i = 0; i < WORDS; i++)
        d[i] = difference[i] ^ (below & (difference[i] ^ a[i]));
}

static void field_add(word d[static WORDS], const word a[static WORDS], const word b[static WORDS])
{
    word sum[WORDS], carry = 0;

    for (int i = 0; i < WORDS; i++)
        carry = add_carry(&sum[i], a[i], b[i], carry);
    reduce_once(d, sum, carry);
}

/* Where a - b is negative p is added: the carry out of that takes back the borrow. */
static void field_subtract(word d[static WORDS], const word a[static WORDS],
                           const word b[static WORDS])
{
    word difference[WORDS], borrow = 0, carry = 0;

    for (int i = 0; i < WORDS; i++)
        borrow = subtract_borrow(&difference[i], a[i], b[i], borrow);
    word negative = (word)-borrow;
    for (int i = 0; i < WORDS; i++)
        carry = add_carry(&d[i], difference[i], field_p[i] & negative, carry);
}

/* The lowest word of a column; what is above it, also where that is negative, stays for the next.
 */
static inline word take_word(signed_wide *column)
{
    word low = (word)*column;

    *column >>= WORD_BITS;
    return low;
}

/* The lower half of one word above the higher half of another. */
static inline word halves(word high, word low)
{
    return (word)((word)(high << HALF_BITS) | low >> HALF_BITS);
}

/*
 * d = t mod p, for every t.
 *
 * B^6 = B^2 + B H - H + 1 modulo p. So the higher half h of t comes to the lower one as h B^2, h B
 * H, -h H and h; word k of h H is s_k, and word k + 1 of h B H as well. Then what is above the
 * lower half, a number u, comes to it in the same way.
 *
 * The first sum is below B^6 (1 + B^2 + B H), so that u is below 2 B^2: its third word is 0 or 1.
 * The second is below B^6 + 2 B^2 2 B^2, which is below 2 p. Neither is negative, for h is not and
 * B^2 + B H - H + 1 is not. But a column may be: it is a sum of at most four words, less one, and
 * of what the column below leaves. If that is -1 to 4, the column is from -B to 4 B and leaves -1
 * to 4.
 */
static void reduce(word d[static WORDS], const word t[static 2 * WORDS])
{
    const word *h = t + WORDS;
    word v[WORDS];

    word s0 = halves(h[0], 0), s1 = halves(h[1], h[0]), s2 = halves(h[2], h[1]);
    word s3 = halves(h[3], h[2]), s4 = halves(h[4], h[3]), s5 = halves(h[5], h[4]);
    word s6 = halves(0, h[5]);
    signed_wide column = (signed_wide)t[0] + h[0] - s0;
    v[0] = take_word(&column);
    column = column + t[1] + h[1] + s0 - s1;
    v[1] = take_word(&column);
    column = column + t[2] + h[2] + h[0] + s1 - s2;
    v[2] = take_word(&column);
    column = column + t[3] + h[3] + h[1] + s2 - s3;
    v[3] = take_word(&column);
    column = column + t[4] + h[4] + h[2] + s3 - s4;
    v[4] = take_word(&column);
    column = column + t[5] + h[5] + h[3] + s4 - s5;
    v[5] = take_word(&column);
    column = column + h[4] + s5 - s6;
    word u0 = take_word(&column);
    column = column + h[5] + s6;
    word u1 = take_word(&column);
    word u2 = (word)column;

    s0 = halves(u0, 0), s1 = halves(u1, u0), s2 = halves(u2, u1);
    column = (signed_wide)v[0] + u0 - s0;
    v[0] = take_word(&column);
    column = column + v[1] + u1 + s0 - s1;
    v[1] = take_word(&column);
    column = column + v[2] + u2 + u0 + s1 - s2;
    v[2] = take_word(&column);
    column = column + v[3] + u1 + s2;
    v[3] = take_word(&column);
    column = column + v[4] + u2;
    v[4] = take_word(&column);
    column = column + v[5];
    v[5] = take_word(&column);
    reduce_once(d, v, (word)column);
}

/* *sum += a * b + carry; returns what is above the word. (B - 1)^2 + 2 (B - 1) = B^2 - 1. */
static inline word multiply_add(word *sum, word a, word b, word carry)
{
    wide total = (wide)((wide)a * b + *sum + carry);

    *sum = (word)total;
    return (word)(total >> WORD_BITS);
}

/* t += a * b, for a t of 6 words; then there is a seventh. */
static inline void add_row(word t[static WORDS + 1], word a, const word b[static WORDS])
{
    word carry = multiply_add(&t[0], a, b[0], 0);

    carry = multiply_add(&t[1], a, b[1], carry);
    carry = multiply_add(&t[2], a, b[2], carry);
    carry = multiply_add(&t[3], a, b[3], carry);
    carry = multiply_add(&t[4], a, b[4], carry);
    t[6] = multiply_add(&t[5], a, b[5], carry);
}

/* Squares too: code of their own for them is 1 KB for 2 % of the time. */
static void field_multiply(word d[static WORDS], const word a[static WORDS],
                           const word b[static WORDS])
{
    word t[2 * WORDS] = {0};

    add_row(&t[0], a[0], b);
    add_row(&t[1], a[1], b);
    add_row(&t[2], a[2], b);
    add_row(&t[3], a[3], b);
    add_row(&t[4], a[4], b);
    add_row(&t[5], a[5], b);
    reduce(d, t);
}

#endif
