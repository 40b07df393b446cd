/* SPDX-License-Identifier: Apache-2.0 */
#include "ec/ec_p384_m64.h"

#ifdef EC_P384_M64

#include <stdbool.h>
#include <string.h>

#include "base/bytes.h"
#include "ec/ec_p384_field.h"

/* A scalar decides about no branch and no address: a look-up reads its whole table. */

#define BYTES 48
#define POINT_BYTES (1 + 2 * BYTES)

/* The curve is y^2 = x^3 - 3 x + b. */
static const word curve_b[WORDS] = {0x2a85c8edd3ec2aef, 0xc656398d8a2ed19d, 0x0314088f5013875a,
                                    0x181d9c6efe814112, 0x988e056be3f82d19, 0xb3312fa7e23ee7e4};
/* The order of the curve's group, a number. */
static const word order_n[WORDS] = {0xecec196accc52973, 0x581a0db248b0a77a, 0xc7634d81f4372ddf,
                                    0xffffffffffffffff, 0xffffffffffffffff, 0xffffffffffffffff};

/*
 * d = 1 / a, and 0 for 0: a^(p - 2) (Fermat). From the highest bit on, p - 2 is 255 ones, a zero,
 * 32 ones, 64 zeros, 30 ones, a zero and a one.
 */
static void field_invert(word d[static WORDS], const word a[static WORDS])
{
    /* powers[i + 1] = powers[from]^(2^squarings) powers[by]; powers[0] is a, to the power 1. */
    static const struct {
        unsigned char from, squarings, by;
    } steps[] = {
        {0, 1, 0},   /* 1: to the power of 2 ones, 2^2 - 1 */
        {1, 1, 0},   /* 2: 3 ones */
        {2, 3, 2},   /* 3: 6 */
        {3, 6, 3},   /* 4: 12 */
        {4, 3, 2},   /* 5: 15 */
        {5, 15, 5},  /* 6: 30 */
        {6, 2, 1},   /* 7: 32 */
        {6, 30, 6},  /* 8: 60 */
        {8, 60, 8},  /* 9: 120 */
        {9, 120, 9}, /* 10: 240 */
        {10, 15, 5}, /* 11: 255 */
        {11, 33, 7}, /* 12: a zero and 32 ones more */
        {12, 94, 6}, /* 13: 64 zeros and 30 ones more */
        {13, 2, 0},  /* 14: a zero and a one more */
    };
    word powers[sizeof steps / sizeof *steps + 1][WORDS];

    memcpy(powers[0], a, sizeof powers[0]);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        memcpy(powers[i + 1], powers[steps[i].from], sizeof powers[0]);
        for (int j = 0; j < steps[i].squarings; j++)
            field_multiply(powers[i + 1], powers[i + 1], powers[i + 1]);
        field_multiply(powers[i + 1], powers[i + 1], powers[steps[i].by]);
    }
    memcpy(d, powers[sizeof steps / sizeof *steps], sizeof powers[0]);
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
        borrow = subtract_borrow(&difference[i], d[i], order_n[i], borrow);
    select_words(d, difference, borrow - 1);
    for (int i = 0; i < WORDS; i++)
        d[i] &= fits;
    bytes_wipe(difference, sizeof difference);
}

/* ---- Points ---- */

/* In Jacobian coordinates: (x / z^2, y / z^3), and the point at infinity where z is 0. */
struct point {
    word x[WORDS], y[WORDS], z[WORDS];
};

struct affine {
    word x[WORDS], y[WORDS];
};

/*
 * s = 4 x y^2, m = 3 (x + z^2) (x - z^2), x' = m^2 - 2 s, y' = m (s - x') - 8 y^4, z' = 2 y z.
 * Right for every point: infinity stays there, and no point has y = 0, for the order is odd.
 */
static void point_double(struct point *d, const struct point *a)
{
    word m[WORDS], s[WORDS], t[WORDS], u[WORDS];

    field_multiply(t, a->z, a->z);
    field_subtract(u, a->x, t);
    field_add(t, a->x, t);
    field_multiply(t, t, u);
    field_add(m, t, t);
    field_add(m, m, t);
    field_multiply(t, a->y, a->z);
    field_add(d->z, t, t);
    field_multiply(t, a->y, a->y);
    field_add(t, t, t);
    field_multiply(s, a->x, t);
    field_add(s, s, s);
    field_multiply(u, t, t);
    field_add(u, u, u);
    field_multiply(t, m, m);
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
    field_multiply(t, h, h);
    field_multiply(u1, u1, t);
    field_multiply(h, h, t);
    field_multiply(s1, s1, h);
    field_multiply(t, r, r);
    field_subtract(t, t, h);
    field_subtract(t, t, u1);
    field_subtract(d->x, t, u1);
    field_subtract(u1, u1, d->x);
    field_multiply(u1, u1, r);
    field_subtract(d->y, u1, s1);
    return equal;
}

/* d = a + b where neither is infinity and they are not equal. Returns a mask of whether they are,
 * right if neither is infinity. */
static word point_add(struct point *d, const struct point *a, const struct point *b)
{
    word u1[WORDS], s1[WORDS], u2[WORDS], s2[WORDS];

    field_multiply(s1, b->z, b->z);
    field_multiply(u1, a->x, s1);
    field_multiply(s1, s1, b->z);
    field_multiply(s1, s1, a->y);
    field_multiply(s2, a->z, a->z);
    field_multiply(u2, b->x, s2);
    field_multiply(s2, s2, a->z);
    field_multiply(s2, s2, b->y);
    field_multiply(d->z, a->z, b->z);
    return point_add_chord(d, u1, s1, u2, s2);
}

/* d = d + a in the same cases, with less work, where a's z is 1. */
static void point_add_affine(struct point *d, const struct point *a)
{
    word u1[WORDS], s1[WORDS], u2[WORDS], s2[WORDS];

    memcpy(u1, d->x, sizeof u1);
    memcpy(s1, d->y, sizeof s1);
    field_multiply(s2, d->z, d->z);
    field_multiply(u2, a->x, s2);
    field_multiply(s2, s2, d->z);
    field_multiply(s2, s2, a->y);
    point_add_chord(d, u1, s1, u2, s2);
}

static void point_select(struct point *d, const struct point *a, word mask)
{
    select_words(d->x, a->x, mask);
    select_words(d->y, a->y, mask);
    select_words(d->z, a->z, mask);
}

/* d = d + a where neither is infinity; they may be equal. */
static void point_add_or_double(struct point *d, const struct point *a)
{
    struct point doubled;

    point_double(&doubled, a);
    word equal = point_add(d, d, a);
    point_select(d, &doubled, equal);
}

/* y = -y where the mask says so. */
static void negate(word y[static WORDS], word mask)
{
    static const word zero[WORDS];
    word negative[WORDS];

    field_subtract(negative, zero, y);
    select_words(y, negative, mask);
}

/* Returns whether it is a point of the curve. */
static bool point_decode(struct point *d, const unsigned char *bytes, size_t length)
{
    word t[WORDS], u[WORDS], borrow_x = 0, borrow_y = 0;

    if (length != POINT_BYTES || bytes[0] != 4)
        return false;
    number_decode(d->x, bytes + 1, BYTES);
    number_decode(d->y, bytes + 1 + BYTES, BYTES);
    memset(d->z, 0, sizeof d->z);
    d->z[0] = 1;
    for (int i = 0; i < WORDS; i++) {
        borrow_x = subtract_borrow(&t[i], d->x[i], field_p[i], borrow_x);
        borrow_y = subtract_borrow(&t[i], d->y[i], field_p[i], borrow_y);
    }
    if (borrow_x == 0 || borrow_y == 0)
        return false;
    field_multiply(t, d->x, d->x);
    field_multiply(t, t, d->x);
    for (int i = 0; i < 3; i++)
        field_subtract(t, t, d->x);
    field_add(t, t, curve_b);
    field_multiply(u, d->y, d->y);
    return memcmp(t, u, sizeof t) == 0;
}

/* Infinity becomes zeros. */
static void point_encode(unsigned char bytes[static POINT_BYTES], const struct point *a)
{
    word inverse[WORDS], t[WORDS], x[WORDS];

    field_invert(inverse, a->z);
    field_multiply(t, inverse, inverse);
    field_multiply(x, a->x, t);
    field_multiply(t, t, inverse);
    field_multiply(t, a->y, t);
    bytes[0] = 4;
    number_encode(bytes + 1, x);
    number_encode(bytes + 1 + BYTES, t);
}

/* ---- Multiplication ---- */

/* d = table[index], or zeros where there is none, of count entries of size bytes. */
static void look_up(void *d, const void *table, size_t count, size_t size, word index)
{
    const word *from = table;
    word *to = d;

    memset(d, 0, size);
    for (word i = 0; i < count; i++) {
        word mask = mask_if_zero(i ^ index);
        for (size_t j = 0; j < size / sizeof(word); j++)
            to[j] |= *from++ & mask;
    }
}

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
    *negative = -(bits >> WINDOW_BITS);
    bits ^= *negative & ((2 << WINDOW_BITS) - 1); /* 63 - bits, if so */
    return (bits >> 1) + (bits & 1);
}

/*
 * d = scalar * a, for a scalar below n, from the highest digit on: d = 32 d + digit a.
 *
 * d is A a, where A is what the digits so far make: the scalar without the bits of those to come,
 * and 1 more if the highest of these bits is set. So A is never negative, and below 2^379 + 2
 * before the last digit. Where A or the digit is 0 the sum is selected, not computed. Else
 * point_add is right unless 32 A = digit modulo n. (32 A = -digit gives infinity, as it should.)
 * With a digit before the last one 32 A is at least 32 and, being the next A less the digit, below
 * 2^379 + 18: neither is it equal to the digit, which is 16 at most, nor n above it. With the last
 * digit 32 A + digit is the scalar, which is below n; so with 32 A = n + digit the digit would be
 * negative and n - |digit| a multiple of 32, but n = 19 modulo 32.
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
        look_up(&entry, table, WINDOW_POINTS, sizeof entry, digit - 1);
        negate(entry.y, negative);
        point_add(&sum, d, &entry);
        word empty = field_mask_if_zero(d->z);
        point_select(d, &sum, ~mask_if_zero(digit));
        point_select(d, &entry, empty);
    }
    bytes_wipe(&entry, sizeof entry);
    bytes_wipe(&sum, sizeof sum);
}

#include "ec/ec_p384_table.h"

#define COMB_POINTS (sizeof comb / sizeof comb[0])

/*
 * d = scalar * G, for a scalar below n.
 *
 * The scalar, or the scalar less n, is odd: K, with |K| < 2^384. Each such number is a sum of all
 * powers of two from 0 to 383, each plus or minus: plus where (K + 2^384 - 1) / 2 has the bit. With
 * bit i of each word, which is a column of the comb, there are six at once, 2^64 apart. comb has
 * the multiples of G for all signs, as long as the last word's is plus; the others are opposites.
 *
 * When column i is added, d has just been doubled: it is E G for a sum E of powers from 2 on, so
 * E is even. The entry is F G with an F that has the power 1, so F is odd: E = F and E = -F cannot
 * be. Nor can they modulo n, in the columns before the last: E and F have no power in common and
 * none above 2^(383 - i), so that sum and difference are less than 2^383 away from 0, and n is
 * more. For the same reason d is never infinity. In column 0 the result is the scalar's: infinity
 * for 0, which is right; but there are scalars for which E = F modulo n.
 */
static void point_multiply_generator(struct point *d, const word scalar[static WORDS])
{
    struct point entry = {.z = {1}};
    word bits[WORDS], carry = 0;

    /* 2^384 - 1, less n if the scalar is even. */
    word even = (scalar[0] & 1) - 1;
    for (int i = 0; i < WORDS; i++)
        carry = add_carry(&bits[i], scalar[i], ~(order_n[i] & even), carry);
    for (int i = 0; i < WORDS; i++)
        bits[i] = bits[i] >> 1 | (i + 1 < WORDS ? bits[i + 1] : carry) << (WORD_BITS - 1);
    for (int i = WORD_BITS - 1; i >= 0; i--) {
        word index = 0;
        for (int j = 0; j < WORDS; j++)
            index |= (bits[j] >> i & 1) << j;
        word negative = (index >> (WORDS - 1)) - 1;
        look_up(&entry, comb, COMB_POINTS, sizeof comb[0], (index ^ negative) & (COMB_POINTS - 1));
        negate(entry.y, negative);
        if (i == WORD_BITS - 1) {
            *d = entry;
            continue;
        }
        point_double(d, d);
        if (i == 0)
            point_add_or_double(d, &entry);
        else
            point_add_affine(d, &entry);
    }
    bytes_wipe(bits, sizeof bits);
    bytes_wipe(&entry, sizeof entry);
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
    if (!point_decode(&a, point, point_length))
        return 0;
    scalar_decode(k, scalar, scalar_length);
    point_multiply(&product, &a, k);
    point_encode(point, &product);
    word infinity = field_mask_if_zero(product.z);
    bytes_wipe(k, sizeof k);
    bytes_wipe(&product, sizeof product);
    return (uint32_t)(~infinity & 1);
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
    return POINT_BYTES;
}

/* Without b it is the generator. */
static uint32_t multiply_add_points(unsigned char *a, const unsigned char *b, size_t length,
                                    const unsigned char *x, size_t x_length, const unsigned char *y,
                                    size_t y_length, int curve)
{
    struct point first, second, product;
    word k[WORDS];

    (void)curve;
    if (!point_decode(&first, a, length) || (b != NULL && !point_decode(&second, b, length)))
        return 0;
    scalar_decode(k, x, x_length);
    point_multiply(&product, &first, k);
    scalar_decode(k, y, y_length);
    if (b != NULL)
        point_multiply(&first, &second, k);
    else
        point_multiply_generator(&first, k);
    word infinity = field_mask_if_zero(product.z);
    second = product;
    point_add_or_double(&product, &first);
    point_select(&product, &second, field_mask_if_zero(first.z));
    infinity |= field_mask_if_zero(product.z);
    point_encode(a, &product);
    bytes_wipe(k, sizeof k);
    bytes_wipe(&first, sizeof first);
    bytes_wipe(&second, sizeof second);
    bytes_wipe(&product, sizeof product);
    return (uint32_t)(~infinity & 1);
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
