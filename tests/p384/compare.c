/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ec_all's P-384 against OpenSSL's and BearSSL's general code. Usage: compare STEPS SEED
 * [BEARSSL_STEPS]
 *
 * A walk has a random point Q and goes from random x and y by random dx and dy: in each step ours
 * computes x Q, y G, x Q + y G and the sum of the first two points from the start, while OpenSSL
 * adds dx Q and dy G to the last ones, which takes less time than three multiplications. After 64
 * steps another walk begins, with multiplications of OpenSSL's. BearSSL computes as ours does, in
 * the first BEARSSL_STEPS.
 */
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ec/ec_all.h"

#define CURVE BR_EC_secp384r1
#define BYTES 48
#define POINT 97
#define WALK 64

static EC_GROUP *group;
static BN_CTX *context;
static const BIGNUM *order;
static unsigned long checks;

#define DEMAND(condition)                                                                  \
    do {                                                                                   \
        if (!(condition)) {                                                                \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
            exit(1);                                                                       \
        }                                                                                  \
    } while (0)

static uint64_t state;

static uint64_t random_word(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state * UINT64_C(0x2545f4914f6cdd1d);
}

/* Below the order; a quarter of the words is of those at which something overflows. */
static void random_scalar(BIGNUM *number)
{
    static const uint64_t edges[] = {0,
                                     1,
                                     ~UINT64_C(0),
                                     UINT64_C(1) << 63,
                                     ~UINT64_C(0) >> 1,
                                     ~UINT64_C(1),
                                     UINT64_C(0xffffffff),
                                     UINT64_C(0xffffffff) << 32};
    uint8_t bytes[BYTES];

    do {
        for (int i = 0; i < BYTES; i += 8) {
            uint64_t word = random_word();
            if (word % 4 == 0)
                word = edges[word / 4 % 8];
            memcpy(bytes + i, &word, 8);
        }
        DEMAND(BN_bin2bn(bytes, sizeof bytes, number) != NULL);
    } while (BN_is_zero(number) || BN_cmp(number, order) >= 0);
}

static void to_bytes(uint8_t bytes[BYTES], const BIGNUM *number)
{
    DEMAND(BN_bn2binpad(number, bytes, BYTES) == BYTES);
}

static void encode(uint8_t bytes[POINT], const EC_POINT *point)
{
    DEMAND(EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, bytes, POINT, context) ==
           POINT);
}

/* What ours (or BearSSL's) gives is OpenSSL's point, or an error where that is infinity. */
static void expect(uint32_t result, const uint8_t ours[POINT], const EC_POINT *point)
{
    uint8_t theirs[POINT];

    checks++;
    if (EC_POINT_is_at_infinity(group, point)) {
        DEMAND(result == 0);
        return;
    }
    encode(theirs, point);
    DEMAND(result == 1);
    DEMAND(memcmp(ours, theirs, POINT) == 0);
}

static void check(const br_ec_impl *impl, const BIGNUM *x, const EC_POINT *q, const BIGNUM *y,
                  const EC_POINT *xq, const EC_POINT *yg, const EC_POINT *sum)
{
    static const uint8_t infinity[POINT] = {4};
    uint8_t x_bytes[BYTES], y_bytes[BYTES], q_bytes[POINT], generator[POINT], point[POINT];
    bool zero = EC_POINT_is_at_infinity(group, xq); /* then the sum is refused */

    to_bytes(x_bytes, x);
    to_bytes(y_bytes, y);
    encode(q_bytes, q);
    encode(generator, EC_GROUP_get0_generator(group));
    memcpy(point, q_bytes, POINT);
    expect(impl->mul(point, POINT, x_bytes, BYTES, CURVE), point, xq);
    DEMAND(impl->mulgen(point, y_bytes, BYTES, CURVE) == POINT);
    expect(memcmp(point, infinity, POINT) != 0, point, yg);
    for (int i = 0; i < 2; i++) {
        memcpy(point, q_bytes, POINT);
        uint32_t result = impl->muladd(point, i == 0 ? NULL : generator, POINT, x_bytes, BYTES,
                                       y_bytes, BYTES, CURVE);
        if (zero)
            DEMAND(result == 0);
        else
            expect(result, point, sum);
        if (random_word() % 8 != 0)
            break; /* with B as a point now and then: it is like mul */
    }
    if (zero || EC_POINT_is_at_infinity(group, yg))
        return; /* points that cannot be written */
    static const uint8_t one[] = {1};
    encode(point, xq);
    encode(generator, yg);
    expect(impl->muladd(point, generator, POINT, one, 1, one, 1, CURVE), point, sum);
}

struct walk {
    EC_POINT *q, *xq, *yg, *sum, *dxq, *dyg;
    BIGNUM *x, *y, *dx, *dy;
};

static void walk_new(struct walk *walk)
{
    EC_POINT **points[] = {&walk->q, &walk->xq, &walk->yg, &walk->sum, &walk->dxq, &walk->dyg};
    BIGNUM **numbers[] = {&walk->x, &walk->y, &walk->dx, &walk->dy};

    for (size_t i = 0; i < sizeof points / sizeof *points; i++)
        DEMAND((*points[i] = EC_POINT_new(group)) != NULL);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        DEMAND((*numbers[i] = BN_new()) != NULL);
}

static void multiply(EC_POINT *out, const EC_POINT *point, const BIGNUM *scalar)
{
    DEMAND(EC_POINT_mul(group, out, NULL, point, scalar, context) == 1);
}

static void walk_start(struct walk *walk)
{
    random_scalar(walk->x);
    multiply(walk->q, EC_GROUP_get0_generator(group), walk->x);
    random_scalar(walk->x);
    random_scalar(walk->y);
    random_scalar(walk->dx);
    random_scalar(walk->dy);
    multiply(walk->xq, walk->q, walk->x);
    multiply(walk->yg, EC_GROUP_get0_generator(group), walk->y);
    multiply(walk->dxq, walk->q, walk->dx);
    multiply(walk->dyg, EC_GROUP_get0_generator(group), walk->dy);
}

static void walk_on(struct walk *walk)
{
    DEMAND(BN_mod_add(walk->x, walk->x, walk->dx, order, context) == 1);
    DEMAND(BN_mod_add(walk->y, walk->y, walk->dy, order, context) == 1);
    DEMAND(EC_POINT_add(group, walk->xq, walk->xq, walk->dxq, context) == 1);
    DEMAND(EC_POINT_add(group, walk->yg, walk->yg, walk->dyg, context) == 1);
}

static void random_walks(unsigned long steps, unsigned long bearssl_steps)
{
    struct walk walk;

    walk_new(&walk);
    for (unsigned long i = 0; i < steps; i++) {
        if (i % WALK == 0)
            walk_start(&walk);
        else
            walk_on(&walk);
        DEMAND(EC_POINT_add(group, walk.sum, walk.xq, walk.yg, context) == 1);
        check(&ec_all, walk.x, walk.q, walk.y, walk.xq, walk.yg, walk.sum);
        if (i < bearssl_steps)
            check(&br_ec_prime_i31, walk.x, walk.q, walk.y, walk.xq, walk.yg, walk.sum);
    }
}

/* 0, 1, 2, ..., n-2, n-1, n, n+1, ..., 2^384-1, and those at which mulgen's last addition doubles.
 */
static void edge_scalar(BIGNUM *number, int i)
{
    static const char *const others[] = {
        "000000000000000200000000000000020000000000000002000000000000000200000000000000020000000000"
        "000002",
        "fffffffffffffffdfffffffffffffffdfffffffffffffffdc7634d81f4372ddd581a0db248b0a778ecec196acc"
        "c52971",
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
        "ffffff",
        "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000ff"
        "ffffff",
        "800000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
        "0000",
        "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
        "ffffff",
    };

    if (i < 6)
        DEMAND(BN_set_word(number, (BN_ULONG)i) == 1);
    else if (i < 13)
        DEMAND(BN_copy(number, order) != NULL && (i < 9 ? BN_sub_word(number, (BN_ULONG)(9 - i))
                                                        : BN_add_word(number, (BN_ULONG)(i - 9))));
    else
        DEMAND(BN_hex2bn(&number, others[i - 13]) > 0);
}
#define EDGES 19

/* Q is G, -G, 2 G, -2 G, another: x Q and y G are often equal or opposite. */
static void edges(void)
{
    struct walk walk;

    walk_new(&walk);
    for (int i = 0; i < 5 * EDGES * EDGES; i++) {
        int point = i / EDGES / EDGES;
        if (point > 1 && i % 5 != 0)
            continue;
        edge_scalar(walk.x, i % EDGES);
        edge_scalar(walk.y, i / EDGES % EDGES);
        random_scalar(walk.dx);
        if (point < 4)
            DEMAND(BN_set_word(walk.dx, point < 2 ? 1 : 2) == 1);
        multiply(walk.q, EC_GROUP_get0_generator(group), walk.dx);
        if (point == 1 || point == 3)
            DEMAND(EC_POINT_invert(group, walk.q, context) == 1);
        multiply(walk.xq, walk.q, walk.x);
        multiply(walk.yg, EC_GROUP_get0_generator(group), walk.y);
        DEMAND(EC_POINT_add(group, walk.sum, walk.xq, walk.yg, context) == 1);
        check(&ec_all, walk.x, walk.q, walk.y, walk.xq, walk.yg, walk.sum);
    }
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: compare STEPS SEED [BEARSSL_STEPS]\n");
        return 2;
    }
    group = EC_GROUP_new_by_curve_name(NID_secp384r1);
    context = BN_CTX_new();
    DEMAND(group != NULL && context != NULL);
    order = EC_GROUP_get0_order(group);
    state = strtoul(argv[2], NULL, 10) * 2 + 1;
    edges();
    random_walks(strtoul(argv[1], NULL, 10), argc > 3 ? strtoul(argv[3], NULL, 10) : 0);
    printf("  %lu results are the same\n", checks);
    return 0;
}
