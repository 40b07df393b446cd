/* SPDX-License-Identifier: Apache-2.0 */
/* P-384: a byte that chooses, then scalars and a point, by our code and by BearSSL's general one.
 */
#include "fuzz.h"

#include "ec/ec_all.h"

#define CURVE BR_EC_secp384r1
#define BYTES 48
#define POINT 97

/* Up to 48 bytes of the input, from the front; short ones are short scalars. */
static size_t take(struct input *input, uint8_t out[BYTES])
{
    size_t length = input->size < BYTES ? input->size : BYTES;

    if (length != 0)
        memcpy(out, input->data, length);
    input->data += length;
    input->size -= length;
    return length;
}

/* BearSSL says what it does only for a scalar in 1..n-1. */
static bool is_in_range(const uint8_t *scalar, size_t length)
{
    size_t order_length;
    const uint8_t *order = br_ec_prime_i31.order(CURVE, &order_length);
    uint8_t bits = 0;

    for (size_t i = 0; i < length; i++)
        bits |= scalar[i];
    return bits != 0 && (length < BYTES || memcmp(scalar, order, BYTES) < 0);
}

/* As given where that is a point, else y times the generator. */
static void choose_point(uint8_t point[POINT], bool given, const uint8_t coordinates[2 * BYTES],
                         const uint8_t *y, size_t y_length)
{
    static const uint8_t one[] = {1};
    uint8_t copy[POINT] = {4};

    memcpy(copy + 1, coordinates, 2 * BYTES);
    memcpy(point, copy, POINT);
    uint32_t good = ec_all.mul(copy, POINT, one, 1, CURVE);
    MUST(good == 0 || memcmp(copy, point, POINT) == 0);
    memcpy(copy, point, POINT);
    MUST(br_ec_prime_i31.mul(copy, POINT, one, 1, CURVE) == good);
    if (!given || good == 0)
        MUST(br_ec_prime_i31.mulgen(point, y, y_length, CURVE) == POINT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    uint8_t choice = input_byte(&input), x[BYTES], y[BYTES], coordinates[2 * BYTES] = {0};
    uint8_t ours[POINT], theirs[POINT], point[POINT];

    size_t x_length = take(&input, x);
    size_t y_length = take(&input, y);
    take(&input, coordinates);
    take(&input, coordinates + BYTES);
    if (!is_in_range(x, x_length) || !is_in_range(y, y_length)) {
        /* It has to end all the same. */
        ec_all.mulgen(ours, x, x_length, CURVE);
        ec_all.muladd(ours, NULL, POINT, x, x_length, y, y_length, CURVE);
        return 0;
    }
    ec_all.mulgen(ours, x, x_length, CURVE);
    br_ec_prime_i31.mulgen(theirs, x, x_length, CURVE);
    MUST(memcmp(ours, theirs, POINT) == 0);
    choose_point(point, choice & 1, coordinates, y, y_length);
    memcpy(ours, point, POINT);
    memcpy(theirs, point, POINT);
    MUST(ec_all.mul(ours, POINT, x, x_length, CURVE) == 1);
    MUST(br_ec_prime_i31.mul(theirs, POINT, x, x_length, CURVE) == 1);
    MUST(memcmp(ours, theirs, POINT) == 0);
    memcpy(ours, point, POINT);
    memcpy(theirs, point, POINT);
    const uint8_t *other = choice & 2 ? point : NULL;
    uint32_t result = ec_all.muladd(ours, other, POINT, x, x_length, y, y_length, CURVE);
    MUST(br_ec_prime_i31.muladd(theirs, other, POINT, x, x_length, y, y_length, CURVE) == result);
    MUST(result == 0 || memcmp(ours, theirs, POINT) == 0);
    return 0;
}
