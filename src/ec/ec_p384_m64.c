/* SPDX-License-Identifier: Apache-2.0 */
#include "ec/ec_p384_m64.h"

#ifdef EC_P384_M64

#include <stdbool.h>
#include <string.h>

#include "base/bytes.h"

/*
 * What may be secret decides about no branch and no address: conditions are masks, words of all
 * ones or all zeros, and a look-up reads its whole table.
 *
 * The arithmetic needs nothing of its words but that they have an even number of bits: the unit
 * test's model of it has words of 8, where every carry is frequent.
 */
#ifndef WORD_BITS
#define WORD_BITS 64
typedef uint64_t word;
__extension__ typedef unsigned __int128 wide; /* a product of two words, and two words more */
__extension__ typedef __int128 signed_wide;   /* >> is arithmetic: gcc and clang say so */
#endif
#define HALF_BITS (WORD_BITS / 2)
#define WORDS 6
#define BYTES 48

/* ---- The field: integers modulo p, least significant word first ---- */

/*
 * With B = 2^WORD_BITS and H = 2^HALF_BITS
 *
 *     p = B^6 - B^2 - B H + H - 1 = 2^384 - 2^128 - 2^96 + 2^32 - 1
 *
 * Elements are in Montgomery's representation, x B^6 mod p for x, and always in 0..p-1, so that
 * each has one form. Operands and result of each function may be the same array.
 */
static const word p[WORDS] = {((word)1 << HALF_BITS) - 1,
                              (word)((word)-1 << HALF_BITS),
                              (word)-2,
                              (word)-1,
                              (word)-1,
                              (word)-1};

/* d = mask ? a : d */
static void select_words(word *d, const word *a, word mask, size_t count)
{
    for (size_t i = 0; i < count; i++)
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

/* *sum = a + b + carry, for a carry of 0 or 1; returns the next one. 2 (B - 1) + 1 < 2 B. */
static inline word add_carry(word *sum, word a, word b, word carry)
{
    wide total = (wide)((wide)a + b + carry);

    *sum = (word)total;
    return (word)(total >> WORD_BITS);
}

/* *difference = a - b - borrow, for a borrow of 0 or 1; returns the next one. */
static inline word subtract_borrow(word *difference, word a, word b, word borrow)
{
    wide total = (wide)((wide)a - b - borrow); /* from -B on: its higher word is 0 or all ones */

    *difference = (word)total;
    return (word)(total >> WORD_BITS) & 1;
}

/* d = a + top B^6, less p unless it is below p. It must be below 2 p. */
static void reduce_once(word d[static WORDS], const word a[static WORDS], word top)
{
    word difference[WORDS], borrow = 0;

    for (int i = 0; i < WORDS; i++)
        borrow = subtract_borrow(&difference[i], a[i], p[i], borrow);
    /* It is below p if top is 0 and there was a borrow. If top is 1 there was one too, for what is
     * left is below 2 p - B^6 < p. So a top of 0 with no borrow, or 1 with one, takes the
     * difference. */
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
        carry = add_carry(&d[i], difference[i], p[i] & negative, carry);
}

/*
 * d = t / B^6 mod p, for t < p B^6.
 *
 * Montgomery's reduction: with m = -t / p mod B^6 the sum t + m p is a multiple of B^6, and its
 * quotient is below p + p. The words of m come one after the other: each makes the lowest word left
 * zero. The lowest word of p is H - 1, and (H - 1) (H + 1) = B - 1 = -1 mod B: so m_k is the lowest
 * word times H + 1. And m p = m B^6 - m B^2 - m B H + m H - m needs no multiplication.
 * Column k, the factor of B^k, gets
 *
 *     t_k  + m_(k-6)  - m_(k-2)  - m_(k-1) H  + m_k H - m_k  + what the column below leaves
 *
 * where m has words 0 to 5. Columns 0 to 5 end as multiples of B. With low for the lowest word of
 * all but m_k H - m_k, and o = 1 where low + low H mod B overflowed (then m_k < low), m_k is
 * low + (low H mod B) - o B. So low + (m_k H mod B) - m_k = o B, for m_k and low are the same in
 * their lower halves: the column leaves its higher word, and m_k / H, and o.
 *
 * It leaves (c + t_k - m_(k-2) - m_(k-1) H + m_k (H - 1)) / B for a c from below. If c is in
 * -(H+1)..H, so is that: at least (c - (B-1) (H+1)) / B, which is -(H+1) for the least c, and at
 * most (c + (B-1) H) / B, which is H for the largest. In the columns from 6 on there is one word
 * more and no m_k (H - 1): they leave -(H+1) to 2, and the last one leaves how often B^6 is in the
 * result, 0 or 1. So a column is always less than B H + 3 B away from 0; a signed_wide has room
 * for B^2 / 2.
 */
static void reduce(word d[static WORDS], const word t[static 2 * WORDS])
{
    word m[WORDS + 2] = {0}; /* m_k is m[k + 2] */
    signed_wide column = 0;

    for (int k = 0; k < WORDS; k++) {
        column += t[k];
        column -= (signed_wide)((wide)m[k + 1] << HALF_BITS);
        column -= m[k];
        word low = (word)column;
        word factor = (word)(low + (word)(low << HALF_BITS));
        column = (column >> WORD_BITS) + (factor >> HALF_BITS) + (factor < low);
        m[k + 2] = factor;
    }
    word quotient[WORDS];
    for (int k = 0; k < WORDS; k++) {
        column += t[WORDS + k];
        column += m[k + 2];
        if (k == 0)
            column -= (signed_wide)((wide)m[WORDS + 1] << HALF_BITS);
        if (k < 2)
            column -= m[WORDS + k];
        quotient[k] = (word)column;
        column >>= WORD_BITS;
    }
    reduce_once(d, quotient, (word)column);
}

/* *sum += a * b + carry; returns what is above the word. (B - 1)^2 + 2 (B - 1) = B^2 - 1. */
static inline word multiply_add(word *sum, word a, word b, word carry)
{
    wide total = (wide)((wide)a * b + *sum + carry);

    *sum = (word)total;
    return (word)(total >> WORD_BITS);
}

static void field_multiply(word d[static WORDS], const word a[static WORDS],
                           const word b[static WORDS])
{
    word t[2 * WORDS] = {0};

    for (int i = 0; i < WORDS; i++) {
        word carry = 0;
        for (int j = 0; j < WORDS; j++)
            carry = multiply_add(&t[i + j], a[i], b[j], carry);
        t[i + WORDS] = carry;
    }
    reduce(d, t);
}

/* Products of different words once and doubled, then the squares. Doubled, they are below a^2. */
static void field_square(word d[static WORDS], const word a[static WORDS])
{
    word t[2 * WORDS] = {0}, carry;

    for (int i = 0; i < WORDS - 1; i++) {
        carry = 0;
        for (int j = i + 1; j < WORDS; j++)
            carry = multiply_add(&t[i + j], a[i], a[j], carry);
        t[i + WORDS] = carry;
    }
    for (int i = 2 * WORDS - 1; i > 0; i--)
        t[i] = (word)(t[i] << 1 | t[i - 1] >> (WORD_BITS - 1));
    carry = 0;
    for (int i = 0; i < WORDS; i++) {
        wide square = (wide)((wide)a[i] * a[i]);
        carry = add_carry(&t[2 * i], t[2 * i], (word)square, carry);
        carry = add_carry(&t[2 * i + 1], t[2 * i + 1], (word)(square >> WORD_BITS), carry);
    }
    reduce(d, t);
}

#if WORD_BITS == 64
/* B^6 mod p: the one. */
static const word one[WORDS] = {0xffffffff00000001, 0x00000000ffffffff, 1};
/* B^12 mod p: what a number is multiplied by to become an element. */
static const word one_squared[WORDS] = {
    0xfffffffe00000001, 0x0000000200000000, 0xfffffffe00000000, 0x0000000200000000, 1};
/* The curve is y^2 = x^3 - 3 x + b. */
static const word b[WORDS] = {0x081188719d412dcc, 0xf729add87a4c32ec, 0x77f2209b1920022e,
                              0xe3374bee94938ae2, 0xb62b21f41f022094, 0xcd08114b604fbff9};
/* The order of the curve's group, a number. */
static const word n[WORDS] = {0xecec196accc52973, 0x581a0db248b0a77a, 0xc7634d81f4372ddf,
                              0xffffffffffffffff, 0xffffffffffffffff, 0xffffffffffffffff};

/* d = d^(2^count) a */
static void field_square_multiply(word d[static WORDS], int count, const word a[static WORDS])
{
    for (int i = 0; i < count; i++)
        field_square(d, d);
    field_multiply(d, d, a);
}

/*
 * d = 1 / a, and 0 for 0: a^(p - 2) (Fermat). From the highest bit on, p - 2 is 255 ones, a zero,
 * 32 ones, 64 zeros, 30 ones, a zero and a one. ones_k is a to the number that is k ones.
 */
static void field_invert(word d[static WORDS], const word a[static WORDS])
{
    word ones_2[WORDS], ones_3[WORDS], ones_15[WORDS], ones_30[WORDS], ones_32[WORDS];
    word x[WORDS], y[WORDS];

    memcpy(x, a, sizeof x);
    field_square_multiply(x, 1, a);
    memcpy(ones_2, x, sizeof x);
    field_square_multiply(x, 1, a);
    memcpy(ones_3, x, sizeof x);
    field_square_multiply(x, 3, ones_3);
    memcpy(y, x, sizeof x);
    field_square_multiply(x, 6, y); /* 12 */
    field_square_multiply(x, 3, ones_3);
    memcpy(ones_15, x, sizeof x);
    field_square_multiply(x, 15, ones_15);
    memcpy(ones_30, x, sizeof x);
    field_square_multiply(x, 2, ones_2);
    memcpy(ones_32, x, sizeof x);
    memcpy(x, ones_30, sizeof x);
    for (int count = 30; count < 240; count *= 2) {
        memcpy(y, x, sizeof x);
        field_square_multiply(x, count, y);
    }
    field_square_multiply(x, 15, ones_15);
    field_square_multiply(x, 1 + 32, ones_32);
    field_square_multiply(x, 64 + 30, ones_30);
    field_square_multiply(x, 2, a);
    memcpy(d, x, sizeof x);
}

/* ---- Numbers: scalars and coordinates as bytes ---- */

/* The last 48 of length big-endian bytes; those in front count as zeros. Returns a mask of whether
 * they are. */
static word number_decode(word d[static WORDS], const unsigned char *bytes, size_t length)
{
    unsigned excess = 0;

    while (length > BYTES) {
        excess |= *bytes++;
        length--;
    }
    memset(d, 0, WORDS * sizeof *d);
    for (size_t i = 0; i < length; i++)
        d[i / 8] |= (word)bytes[length - 1 - i] << 8 * (i % 8);
    return mask_if_zero(excess);
}

static void number_encode(unsigned char bytes[static BYTES], const word a[static WORDS])
{
    for (size_t i = 0; i < BYTES; i++)
        bytes[i] = (unsigned char)(a[(BYTES - 1 - i) / 8] >> 8 * ((BYTES - 1 - i) % 8));
}

/* The scalar modulo n, 0 where it is longer than 48 bytes. 2^384 < 2 n: once less n is enough. */
static void scalar_decode(word d[static WORDS], const unsigned char *bytes, size_t length)
{
    word difference[WORDS], borrow = 0;

    word fits = number_decode(d, bytes, length);
    for (int i = 0; i < WORDS; i++)
        borrow = subtract_borrow(&difference[i], d[i], n[i], borrow);
    select_words(d, difference, borrow - 1, WORDS);
    for (int i = 0; i < WORDS; i++)
        d[i] &= fits;
    bytes_wipe(difference, sizeof difference);
}

/* ---- Points ---- */

/* In Jacobian coordinates: (x / z^2, y / z^3), and the point at infinity where z is 0. */
struct point {
    word x[WORDS], y[WORDS], z[WORDS];
};
#define POINT_WORDS (sizeof(struct point) / sizeof(word))

struct affine {
    word x[WORDS], y[WORDS];
};
#define AFFINE_WORDS (sizeof(struct affine) / sizeof(word))

/*
 * s = 4 x y^2, m = 3 (x + z^2) (x - z^2), x' = m^2 - 2 s, y' = m (s - x') - 8 y^4, z' = 2 y z.
 * Right for every point: infinity stays there, and no point has y = 0, for the order is odd.
 */
static void point_double(struct point *d, const struct point *a)
{
    word m[WORDS], s[WORDS], t[WORDS], u[WORDS];

    field_square(t, a->z);
    field_subtract(u, a->x, t);
    field_add(t, a->x, t);
    field_multiply(t, t, u);
    field_add(m, t, t);
    field_add(m, m, t);
    field_multiply(t, a->y, a->z);
    field_add(d->z, t, t);
    field_square(t, a->y);
    field_add(t, t, t);
    field_multiply(s, a->x, t);
    field_add(s, s, s);
    field_square(u, t);
    field_add(u, u, u);
    field_square(t, m);
    field_subtract(t, t, s);
    field_subtract(d->x, t, s);
    field_subtract(s, s, d->x);
    field_multiply(s, s, m);
    field_subtract(d->y, s, u);
}

/*
 * The second half of an addition, once the points have the same z, but for the factor that is in
 * d->z: with their coordinates (u1, s1) and (u2, s2)
 *
 *     h = u2 - u1, r = s2 - s1
 *     x' = r^2 - h^3 - 2 u1 h^2, y' = r (u1 h^2 - x') - s1 h^3, z' = h z
 *
 * h = 0 where the points are equal or opposite. Opposite ones have r != 0, and z' = 0 is right;
 * for equal ones it is wrong. Returns a mask of whether h and r are both 0.
 */
static word point_add_chord(struct point *d, word u1[static WORDS], word s1[static WORDS],
                            word h[static WORDS], word r[static WORDS])
{
    word t[WORDS];

    field_subtract(h, h, u1);
    field_subtract(r, r, s1);
    word equal = field_mask_if_zero(h) & field_mask_if_zero(r);
    field_multiply(d->z, d->z, h);
    field_square(t, h);
    field_multiply(u1, u1, t);
    field_multiply(h, h, t);
    field_multiply(s1, s1, h);
    field_square(t, r);
    field_subtract(t, t, h);
    field_subtract(t, t, u1);
    field_subtract(d->x, t, u1);
    field_subtract(u1, u1, d->x);
    field_multiply(u1, u1, r);
    field_subtract(d->y, u1, s1);
    return equal;
}

/* d = a + b where neither is infinity and they are not equal. Returns a mask of whether they are
 * equal, if neither is infinity. */
static word point_add(struct point *d, const struct point *a, const struct point *c)
{
    word u1[WORDS], s1[WORDS], u2[WORDS], s2[WORDS];

    field_square(s1, c->z);
    field_multiply(u1, a->x, s1);
    field_multiply(s1, s1, c->z);
    field_multiply(s1, s1, a->y);
    field_square(s2, a->z);
    field_multiply(u2, c->x, s2);
    field_multiply(s2, s2, a->z);
    field_multiply(s2, s2, c->y);
    field_multiply(d->z, a->z, c->z);
    return point_add_chord(d, u1, s1, u2, s2);
}

/* The same, with less work, for a second point whose z is 1. */
static void point_add_affine(struct point *d, const struct affine *c)
{
    word u1[WORDS], s1[WORDS], u2[WORDS], s2[WORDS];

    memcpy(u1, d->x, sizeof u1);
    memcpy(s1, d->y, sizeof s1);
    field_square(s2, d->z);
    field_multiply(u2, c->x, s2);
    field_multiply(s2, s2, d->z);
    field_multiply(s2, s2, c->y);
    point_add_chord(d, u1, s1, u2, s2);
}

static void point_select(struct point *d, const struct point *a, word mask)
{
    select_words(d->x, a->x, mask, WORDS);
    select_words(d->y, a->y, mask, WORDS);
    select_words(d->z, a->z, mask, WORDS);
}

/* d = d + a, for all points. */
static void point_add_any(struct point *d, const struct point *a)
{
    struct point sum, doubled;

    word equal = point_add(&sum, d, a);
    point_double(&doubled, a);
    point_select(&sum, &doubled, equal);
    point_select(&sum, d, field_mask_if_zero(a->z));
    point_select(&sum, a, field_mask_if_zero(d->z));
    *d = sum;
}

/* y = -y where the mask says so. */
static void negate(word y[static WORDS], word mask)
{
    static const word zero[WORDS];
    word negative[WORDS];

    field_subtract(negative, zero, y);
    select_words(y, negative, mask, WORDS);
}

/* Returns a mask of whether it is a point of the curve. */
static word point_decode(struct point *d, const unsigned char *bytes, size_t length)
{
    word x[WORDS], y[WORDS], t[WORDS], borrow_x = 0, borrow_y = 0;

    if (length != 1 + 2 * BYTES || bytes[0] != 4)
        return 0;
    number_decode(x, bytes + 1, BYTES);
    number_decode(y, bytes + 1 + BYTES, BYTES);
    for (int i = 0; i < WORDS; i++) {
        borrow_x = subtract_borrow(&t[i], x[i], p[i], borrow_x);
        borrow_y = subtract_borrow(&t[i], y[i], p[i], borrow_y);
    }
    /* One of p and more is still below B^6: their product is below p B^6. */
    field_multiply(d->x, x, one_squared);
    field_multiply(d->y, y, one_squared);
    memcpy(d->z, one, sizeof one);
    field_square(t, d->x);
    field_multiply(t, t, d->x);
    for (int i = 0; i < 3; i++)
        field_subtract(t, t, d->x);
    field_add(t, t, b);
    field_square(y, d->y);
    field_subtract(t, t, y);
    return (word)-(borrow_x & borrow_y) & field_mask_if_zero(t);
}

/* Infinity becomes zeros. */
static void point_encode(unsigned char bytes[static 1 + 2 * BYTES], const struct point *a)
{
    static const word number_one[WORDS] = {1};
    word inverse[WORDS], t[WORDS], x[WORDS];

    field_invert(inverse, a->z);
    field_square(t, inverse);
    field_multiply(x, a->x, t);
    field_multiply(t, t, inverse);
    field_multiply(t, a->y, t);
    field_multiply(x, x, number_one);
    field_multiply(t, t, number_one);
    bytes[0] = 4;
    number_encode(bytes + 1, x);
    number_encode(bytes + 1 + BYTES, t);
}

/* ---- Multiplication ---- */

#define WINDOW_BITS 5
#define WINDOW_POINTS (1 << (WINDOW_BITS - 1))
#define WINDOWS (8 * BYTES / WINDOW_BITS + 1) /* 385 bits */

/*
 * The scalar's digit number i, one of -16..16 (Booth): bits 5 i to 5 i + 4 as a number, of which
 * the highest counts negative, and one more where the bit below is set. Returns its absolute value;
 * *negative is a mask.
 */
static word scalar_digit(const word scalar[static WORDS], int i, word *negative)
{
    int first = WINDOW_BITS * i - 1; /* of 6 bits */
    word bits;

    if (first < 0) {
        bits = scalar[0] << 1;
    } else {
        bits = scalar[first / WORD_BITS] >> first % WORD_BITS;
        if (first % WORD_BITS > WORD_BITS - WINDOW_BITS - 1 && first / WORD_BITS + 1 < WORDS)
            bits |= scalar[first / WORD_BITS + 1] << (WORD_BITS - first % WORD_BITS);
    }
    bits &= (2 << WINDOW_BITS) - 1;
    *negative = (word) - (bits >> WINDOW_BITS);
    bits ^= *negative & ((2 << WINDOW_BITS) - 1); /* 63 - bits, if so */
    return (bits >> 1) + (bits & 1);
}

/* d = table[digit - 1], or zeros for a digit of 0. */
static void window_look_up(struct point *d, const struct point table[static WINDOW_POINTS],
                           word digit)
{
    memset(d, 0, sizeof *d);
    for (word i = 0; i < WINDOW_POINTS; i++)
        point_select(d, &table[i], mask_if_zero(digit ^ (i + 1)));
}

/*
 * d = scalar * a, for a scalar below n, from the highest digit on: d = 32 d + digit a.
 *
 * d, as a multiple A of a, is the sum of the digits so far: 0 <= A, and 32 A + digit is at most
 * what is left of the scalar (shifted to the right), and 1. A = 0 and digits of 0 are selected. In
 * all other cases the sum is right unless 32 A = digit modulo n (for -digit the result is infinity,
 * and right). Before the last digit 32 <= 32 A <= 2^384 / 32 + 32, which is neither the digit nor
 * the digit and n. With the last digit the scalar is 32 A + digit < n; 32 A = digit + n would mean
 * digit < 0, and n - |digit| a multiple of 32; but n = 19 modulo 32 and |digit| <= 16.
 */
static void point_multiply(struct point *d, const struct point *a, const word scalar[static WORDS])
{
    struct point table[WINDOW_POINTS], entry, sum;

    table[0] = *a;
    for (size_t i = 1; i < WINDOW_POINTS; i += 2) {
        point_double(&table[i], &table[i / 2]);
        if (i + 1 < WINDOW_POINTS)
            point_add(&table[i + 1], &table[i], a);
    }
    memset(d, 0, sizeof *d);
    for (int i = WINDOWS - 1; i >= 0; i--) {
        word negative, digit = scalar_digit(scalar, i, &negative);
        for (int j = 0; j < WINDOW_BITS; j++)
            point_double(d, d);
        window_look_up(&entry, table, digit);
        negate(entry.y, negative);
        point_add(&sum, d, &entry);
        word empty = field_mask_if_zero(d->z);
        point_select(d, &sum, (word)~mask_if_zero(digit));
        point_select(d, &entry, empty);
    }
    bytes_wipe(&entry, sizeof entry);
    bytes_wipe(&sum, sizeof sum);
}

#include "ec/ec_p384_table.h"

#define COMB_POINTS 32
#define COMB_COLUMNS 32

/*
 * The sum of the bits of one column of the comb: bit i of each word, plus where it is set, else
 * minus. comb has the sums in which the last word's is plus: the others are their opposites.
 */
static void comb_look_up(struct affine *d, const struct affine table[static COMB_POINTS],
                         const word bits[static WORDS], int i)
{
    word index = 0;

    for (int j = 0; j < WORDS; j++)
        index |= (bits[j] >> i & 1) << j;
    word negative = (index >> (WORDS - 1)) - 1;
    index = (index ^ negative) & (COMB_POINTS - 1);
    memset(d, 0, sizeof *d);
    for (word j = 0; j < COMB_POINTS; j++) {
        word mask = mask_if_zero(index ^ j);
        select_words(d->x, table[j].x, mask, WORDS);
        select_words(d->y, table[j].y, mask, WORDS);
    }
    negate(d->y, negative);
}

/*
 * d = scalar * G, for a scalar below n.
 *
 * The scalar, or the scalar less n, is odd: K, with |K| < 2^384. Every such number is a sum of all
 * the powers of two from 0 to 383, each plus or minus: plus where (K + 2^384 - 1) / 2 has the bit.
 * comb[0] has the sums of powers 0, 64, ... 320, comb[1] those of 32, 96, ... 352, as multiples of
 * G: in each of 32 columns two of them are added.
 *
 * Before column i of 31..1, after the doubling, d is a sum E of different powers, of which 2 is the
 * least: a multiple of 2, not of 4. The entry from comb[1] is a multiple of 2^32, that from comb[0]
 * is odd. So neither equals what it is added to, nor the opposite of it, as numbers. Nor modulo n:
 * all of the powers are different and less than 2^(384 - i), so that every sum or difference is less
 * than 2^383 < n. In column 0 they may be equal modulo n, where K is one of a few numbers; and
 * the result may be infinity, in between too.
 */
static void point_multiply_generator(struct point *d, const word scalar[static WORDS])
{
    struct affine entry;
    struct point last;
    word bits[WORDS], carry = 0;

    /* Plus 2^384 - 1, less n if the scalar is even. */
    word even = (scalar[0] & 1) - 1;
    for (int i = 0; i < WORDS; i++)
        carry = add_carry(&bits[i], scalar[i], (word)~(n[i] & even), carry);
    for (int i = 0; i < WORDS; i++)
        bits[i] = bits[i] >> 1 | (i + 1 < WORDS ? bits[i + 1] : carry) << (WORD_BITS - 1);
    memcpy(last.z, one, sizeof one);
    for (int i = COMB_COLUMNS - 1; i >= 0; i--) {
        if (i != COMB_COLUMNS - 1)
            point_double(d, d);
        for (int half = 1; half >= 0; half--) {
            comb_look_up(&entry, comb[half], bits, COMB_COLUMNS * half + i);
            memcpy(last.x, entry.x, sizeof last.x);
            memcpy(last.y, entry.y, sizeof last.y);
            if (i == 0)
                point_add_any(d, &last);
            else if (i == COMB_COLUMNS - 1 && half == 1)
                *d = last;
            else
                point_add_affine(d, &entry);
        }
    }
    bytes_wipe(bits, sizeof bits);
    bytes_wipe(&entry, sizeof entry);
    bytes_wipe(&last, sizeof last);
}

/* ---- The interface (bearssl_ec.h) ---- */

static const unsigned char *generator(int curve, size_t *length)
{
    return br_ec_prime_i31.generator(curve, length);
}

static const unsigned char *order(int curve, size_t *length)
{
    return br_ec_prime_i31.order(curve, length);
}

static size_t x_offset(int curve, size_t *length)
{
    (void)curve;
    *length = BYTES;
    return 1;
}

static uint32_t multiply(unsigned char *point, size_t point_length, const unsigned char *scalar,
                         size_t scalar_length, int curve)
{
    struct point a, product;
    word k[WORDS];

    (void)curve;
    if (point_decode(&a, point, point_length) == 0)
        return 0;
    scalar_decode(k, scalar, scalar_length);
    point_multiply(&product, &a, k);
    point_encode(point, &product);
    word infinity = field_mask_if_zero(product.z);
    bytes_wipe(k, sizeof k);
    bytes_wipe(&product, sizeof product);
    return 1 + (uint32_t)infinity;
}

static size_t multiply_generator(unsigned char *point, const unsigned char *scalar,
                                 size_t scalar_length, int curve)
{
    struct point product;
    word k[WORDS];

    (void)curve;
    scalar_decode(k, scalar, scalar_length);
    point_multiply_generator(&product, k);
    point_encode(point, &product);
    bytes_wipe(k, sizeof k);
    bytes_wipe(&product, sizeof product);
    return 1 + 2 * BYTES;
}

/* What is called c and y here is called B and y there; without c it is the generator. */
static uint32_t multiply_add_points(unsigned char *a, const unsigned char *c, size_t length,
                                    const unsigned char *x, size_t x_length,
                                    const unsigned char *y, size_t y_length, int curve)
{
    struct point first, second, product;
    word k[WORDS];

    (void)curve;
    if (point_decode(&first, a, length) == 0 ||
        (c != NULL && point_decode(&second, c, length) == 0))
        return 0;
    scalar_decode(k, x, x_length);
    point_multiply(&product, &first, k);
    scalar_decode(k, y, y_length);
    if (c != NULL)
        point_multiply(&first, &second, k);
    else
        point_multiply_generator(&first, k);
    /* Neither may be infinity, so says bearssl_ec.h. */
    word infinity = field_mask_if_zero(product.z) | field_mask_if_zero(first.z);
    point_add_any(&product, &first);
    infinity |= field_mask_if_zero(product.z);
    point_encode(a, &product);
    bytes_wipe(k, sizeof k);
    bytes_wipe(&first, sizeof first);
    bytes_wipe(&product, sizeof product);
    return 1 + (uint32_t)infinity;
}

const br_ec_impl ec_p384_m64 = {
    .supported_curves = 1U << BR_EC_secp384r1,
    .generator = generator,
    .order = order,
    .xoff = x_offset,
    .mul = multiply,
    .mulgen = multiply_generator,
    .muladd = multiply_add_points,
};

#endif
#endif
