/* SPDX-License-Identifier: Apache-2.0 */
#include "ec/ec_all.h"

#include "ec/ec_p384_m64.h"

static const br_ec_impl *implementation(int curve)
{
#ifdef EC_P384_M64
    if (curve == BR_EC_secp384r1)
        return &ec_p384_m64;
#endif
    (void)curve;
    return &br_ec_all_m31;
}

static const unsigned char *generator(int curve, size_t *length)
{
    return implementation(curve)->generator(curve, length);
}

static const unsigned char *order(int curve, size_t *length)
{
    return implementation(curve)->order(curve, length);
}

static size_t x_offset(int curve, size_t *length)
{
    return implementation(curve)->xoff(curve, length);
}

static uint32_t multiply(unsigned char *point, size_t point_length, const unsigned char *scalar,
                         size_t scalar_length, int curve)
{
    return implementation(curve)->mul(point, point_length, scalar, scalar_length, curve);
}

static size_t multiply_generator(unsigned char *point, const unsigned char *scalar,
                                 size_t scalar_length, int curve)
{
    return implementation(curve)->mulgen(point, scalar, scalar_length, curve);
}

static uint32_t multiply_add(unsigned char *a, const unsigned char *b, size_t length,
                             const unsigned char *x, size_t x_length, const unsigned char *y,
                             size_t y_length, int curve)
{
    return implementation(curve)->muladd(a, b, length, x, x_length, y, y_length, curve);
}

const br_ec_impl ec_all = {
    .supported_curves = 1U << BR_EC_secp256r1 | 1U << BR_EC_secp384r1 | 1U << BR_EC_secp521r1 |
                        1U << BR_EC_curve25519,
    .generator = generator,
    .order = order,
    .xoff = x_offset,
    .mul = multiply,
    .mulgen = multiply_generator,
    .muladd = multiply_add,
};
