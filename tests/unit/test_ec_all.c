/* SPDX-License-Identifier: Apache-2.0 */
/*
 * P-384 at its edges, against BearSSL's general code and RFC 6979's signatures; a machine without
 * code of its own for it has BearSSL's twice here. Many random operations, against OpenSSL too, are
 * in tests/p384, and vectors of NIST and of Wycheproof in tests/tls/wycheproof.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ec/ec_all.h"
#include "ec/ec_p384_m64.h"

#define CURVE BR_EC_secp384r1
#define BYTES 48
#define POINT 97

static const br_ec_impl *const judge = &br_ec_prime_i31;

static void from_hex(uint8_t *out, const char *hex)
{
    for (size_t i = 0; hex[2 * i] != '\0'; i++) {
        unsigned byte;
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
        out[i] = (uint8_t)byte;
    }
}

static void order(uint8_t n[BYTES])
{
    size_t length;

    memcpy(n, ec_all.order(CURVE, &length), BYTES);
    assert_int_equal(length, BYTES);
}

static void generator(uint8_t point[POINT])
{
    size_t length;

    memcpy(point, ec_all.generator(CURVE, &length), POINT);
    assert_int_equal(length, POINT);
}

/* x = x + small */
static void add_small(uint8_t x[BYTES], int small)
{
    for (int i = BYTES - 1; i >= 0; i--) {
        small += x[i];
        x[i] = (uint8_t)small;
        small >>= 8;
    }
}

/* x = n - x */
static void negate(uint8_t x[BYTES])
{
    uint8_t n[BYTES];
    int borrow = 0;

    order(n);
    for (int i = BYTES - 1; i >= 0; i--) {
        borrow += n[i] - x[i];
        x[i] = (uint8_t)borrow;
        borrow >>= 8;
    }
}

#define P                                              \
    "ffffffffffffffffffffffffffffffffffffffffffffffff" \
    "fffffffffffffffeffffffff0000000000000000ffffffff"

static void some_point(uint8_t point[POINT])
{
    static const uint8_t scalar[] = {0x12, 0x34, 0x56};

    assert_int_equal(judge->mulgen(point, scalar, sizeof scalar, CURVE), POINT);
}

/* Multiply G and another point by a scalar in 1..n-1. */
static void check_scalar(const uint8_t scalar[BYTES])
{
    uint8_t ours[POINT], theirs[POINT];

    assert_int_equal(ec_all.mulgen(ours, scalar, BYTES, CURVE), POINT);
    judge->mulgen(theirs, scalar, BYTES, CURVE);
    assert_memory_equal(ours, theirs, POINT);
    generator(ours);
    assert_int_equal(ec_all.mul(ours, POINT, scalar, BYTES, CURVE), 1);
    assert_memory_equal(ours, theirs, POINT);
    some_point(ours);
    some_point(theirs);
    assert_int_equal(ec_all.mul(ours, POINT, scalar, BYTES, CURVE), 1);
    assert_int_equal(judge->mul(theirs, POINT, scalar, BYTES, CURVE), 1);
    assert_memory_equal(ours, theirs, POINT);
}

static void test_small_scalars(void **unused)
{
    (void)unused;
    for (int i = 1; i <= 34; i++) {
        uint8_t scalar[BYTES] = {0};
        add_small(scalar, i);
        check_scalar(scalar);
        order(scalar);
        add_small(scalar, -i);
        check_scalar(scalar);
    }
}

static void test_patterns(void **unused)
{
    static const char *const scalars[] = {
        /* those at which the comb's last column adds two equal points */
        "000000000000000200000000000000020000000000000002000000000000000200000000000000020000000000"
        "000002",
        "fffffffffffffffdfffffffffffffffdfffffffffffffffdc7634d81f4372ddd581a0db248b0a778ecec196acc"
        "c52971",
        /* words of all ones or zeros */
        "00000000000000000000000000000000000000000000000000000000000000000000000000000000ffffffffff"
        "ffffff",
        "00000000000000000000000000000000ffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
        "ffffff",
        "ffffffffffffffff00000000000000000000000000000000000000000000000000000000000000000000000000"
        "000001",
        "fffffffffffffffeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
        "ffffff",
        "0000000000000000ffffffffffffffff0000000000000000ffffffffffffffff0000000000000000ffffffffff"
        "ffffff",
        "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
        "ffffff",
        "800000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
        "000000",
        /* digits of 16, of -16, of 1 and of -1 alone */
        "842108421084210842108421084210842108421084210842108421084210842108421084210842108421084210"
        "842108",
        "5ad6b5ad6b5ad6b5ad6b5ad6b5ad6b5ad6b5ad6b5ad6b5ad6b5ad6b5ad6b5ad6b5ad6b5ad6b5ad6b5ad6b5ad6b"
        "5ad6b5",
        "084210842108421084210842108421084210842108421084210842108421084210842108421084210842108421"
        "084210",
        "7bdef7bdef7bdef7bdef7bdef7bdef7bdef7bdef7bdef7bdef7bdef7bdef7bdef7bdef7bdef7bdef7bdef7bdef"
        "7bdef7",
    };

    (void)unused;
    for (size_t i = 0; i < sizeof scalars / sizeof *scalars; i++) {
        uint8_t scalar[BYTES];
        from_hex(scalar, scalars[i]);
        check_scalar(scalar);
    }
    for (int bit = 0; bit < 384; bit += 13) {
        uint8_t scalar[BYTES] = {0};
        scalar[bit / 8] = (uint8_t)(1 << bit % 8);
        check_scalar(scalar);
    }
}

/* A scalar may be short, and may have leading zeros. */
static void test_scalar_lengths(void **unused)
{
    static const uint8_t scalar[60] = {[57] = 1, [58] = 2, [59] = 3};
    uint8_t expected[POINT], point[POINT];

    (void)unused;
    judge->mulgen(expected, scalar + 57, 3, CURVE);
    for (size_t length = 3; length <= sizeof scalar; length++) {
        assert_int_equal(ec_all.mulgen(point, scalar + 60 - length, length, CURVE), POINT);
        assert_memory_equal(point, expected, POINT);
        generator(point);
        assert_int_equal(ec_all.mul(point, POINT, scalar + 60 - length, length, CURVE), 1);
        assert_memory_equal(point, expected, POINT);
    }
}

#ifdef EC_P384_M64
/* Modulo n from there to 2^384; then, and without any bytes, as 0. */
static void test_large_scalars(void **unused)
{
    static const uint8_t infinity[POINT] = {4};
    uint8_t scalar[1 + BYTES] = {0}, small[BYTES] = {0}, expected[POINT], point[POINT];

    (void)unused;
    for (int i = 1; i < 20; i++) {
        add_small(small, 1);
        order(scalar + 1);
        add_small(scalar + 1, i);
        judge->mulgen(expected, small, BYTES, CURVE);
        ec_all.mulgen(point, scalar + 1, BYTES, CURVE);
        assert_memory_equal(point, expected, POINT);
        generator(point);
        assert_int_equal(ec_all.mul(point, POINT, scalar + 1, BYTES, CURVE), 1);
        assert_memory_equal(point, expected, POINT);
    }
    /* 2^384 - 1, which is ~n and n */
    memset(scalar + 1, 0xff, BYTES);
    order(small);
    for (int i = 0; i < BYTES; i++)
        small[i] = (uint8_t)~small[i];
    judge->mulgen(expected, small, BYTES, CURVE);
    ec_all.mulgen(point, scalar + 1, BYTES, CURVE);
    assert_memory_equal(point, expected, POINT);

    scalar[0] = 1;
    ec_all.mulgen(point, scalar, sizeof scalar, CURVE);
    assert_memory_equal(point, infinity, POINT);
    generator(point);
    assert_int_equal(ec_all.mul(point, POINT, scalar, sizeof scalar, CURVE), 0);
}

/* An error, but for mulgen, which cannot tell, and for B. (BearSSL's code tells nowhere.) */
static void test_zero(void **unused)
{
    static const uint8_t infinity[POINT] = {4}, one[] = {1};
    uint8_t scalars[2][BYTES] = {{0}}, point[POINT], b[POINT];

    (void)unused;
    order(scalars[1]);
    some_point(b);
    for (int i = 0; i < 4; i++) {
        const uint8_t *scalar = scalars[i / 2];
        size_t length = i % 2 == 0 ? BYTES : 0;
        assert_int_equal(ec_all.mulgen(point, scalar, length, CURVE), POINT);
        assert_memory_equal(point, infinity, POINT);
        some_point(point);
        assert_int_equal(ec_all.mul(point, POINT, scalar, length, CURVE), 0);
        for (int j = 0; j < 2; j++) {
            const uint8_t *other = j == 0 ? b : NULL;
            some_point(point);
            assert_int_equal(ec_all.muladd(point, other, POINT, scalar, length, one, 1, CURVE), 0);
            some_point(point);
            assert_int_equal(ec_all.muladd(point, other, POINT, one, 1, scalar, length, CURVE), 1);
            assert_memory_equal(point, b, POINT);
            some_point(point);
            assert_int_equal(
                ec_all.muladd(point, other, POINT, scalar, length, scalar, length, CURVE), 0);
        }
    }
}
#endif

/* x A + y B and x A + y G */
static void check_sum(const uint8_t x[BYTES], const uint8_t y[BYTES], const uint8_t b[POINT],
                      uint32_t result)
{
    uint8_t ours[POINT], theirs[POINT];

    some_point(ours);
    some_point(theirs);
    assert_int_equal(ec_all.muladd(ours, b, POINT, x, BYTES, y, BYTES, CURVE), result);
    assert_int_equal(judge->muladd(theirs, b, POINT, x, BYTES, y, BYTES, CURVE), result);
    if (result == 1)
        assert_memory_equal(ours, theirs, POINT);
}

static void test_sums(void **unused)
{
    uint8_t x[BYTES], y[BYTES], b[POINT];

    (void)unused;
    some_point(b);
    for (int i = 1; i < 20; i++) {
        memset(x, 17 * i, BYTES - 1);
        x[BYTES - 1] = (uint8_t)i;
        x[0] &= 0x7f;
        check_sum(x, x, b, 1); /* equal */
        memcpy(y, x, BYTES);
        negate(y);
        check_sum(x, y, b, 0); /* opposite */
        add_small(y, 1);
        check_sum(x, y, b, 1);
        check_sum(x, y, NULL, 1);
    }
    /* With A = 0x123456 G: the same, for a B that is G. */
    memset(x, 0, BYTES);
    memset(y, 0, BYTES);
    add_small(x, 2);
    add_small(y, 0x123456 * 2);
    check_sum(x, y, NULL, 1);
    negate(y);
    check_sum(x, y, NULL, 0);
}

static void refuse(const uint8_t *point, size_t length)
{
    static const uint8_t one[] = {1};
    uint8_t *copy = malloc(length), good[POINT]; /* of its own: what lies behind is out of bounds */

    memcpy(copy, point, length);
    assert_int_equal(ec_all.mul(copy, length, one, 1, CURVE), 0);
    memcpy(copy, point, length);
    assert_int_equal(ec_all.muladd(copy, NULL, length, one, 1, one, 1, CURVE), 0);
    if (length == POINT) {
        some_point(good);
        assert_int_equal(ec_all.muladd(good, point, POINT, one, 1, one, 1, CURVE), 0);
    }
    free(copy);
}

static void test_points_that_are_none(void **unused)
{
    uint8_t point[POINT + 1] = {4}, good[POINT + 1];

    (void)unused;
    refuse(point, POINT); /* (0, 0) */
    some_point(good);
    good[POINT] = 0;
    for (size_t length = 0; length <= POINT + 1; length++) {
        if (length != POINT)
            refuse(good, length);
    }
    for (int first = 0; first < 256; first++) {
        memcpy(point, good, POINT);
        point[0] = (uint8_t)first;
        if (first != 4)
            refuse(point, POINT);
    }
    for (size_t i = 1; i < POINT; i++) {
        memcpy(point, good, POINT);
        point[i] ^= 1;
        refuse(point, POINT);
    }
    memset(point + 1, 0xff, 2 * BYTES);
    refuse(point, POINT);
}

/* The points with x = 0 and x = 2 are good, and with x + p for x they are none. */
static void test_coordinates_from_p_on(void **unused)
{
    static const char *const points[][2] = {
        {"000000000000000000000000000000000000000000000000"
         "000000000000000000000000000000000000000000000000",
         "c306610fb0ae5a159cf45c06069f22a6c5eb3641c602d42d"
         "ea2c4b4f75550793406d80d2b91ad54f9048bd487af1ade1"},
        {"000000000000000000000000000000000000000000000000"
         "000000000000000000000000000000000000000000000002",
         "8cdeadbbd04911a3c1931e26df3fa6439dca9c7eb286fbd4"
         "6fc319f0e2bb780232baf57825fc0c1912ada2fefe84024c"},
    };
    static const uint8_t one[] = {1};
    uint8_t point[POINT] = {4}, copy[POINT];

    (void)unused;
    for (size_t i = 0; i < 2; i++) {
        from_hex(point + 1, points[i][0]);
        from_hex(point + 1 + BYTES, points[i][1]);
        memcpy(copy, point, POINT);
        assert_int_equal(ec_all.mul(copy, POINT, one, 1, CURVE), 1);
        assert_memory_equal(copy, point, POINT);
        from_hex(point + 1, P);
        add_small(point + 1, 2 * (int)i);
        refuse(point, POINT);
    }
}

/* RFC 6979 A.2.6, with SHA-384 */
static void check_signature(const char *message, const char *expected)
{
    uint8_t x[BYTES], q[POINT] = {4}, digest[48], signature[96], bytes[96], point[POINT];
    br_ec_private_key private = {.curve = CURVE, .x = x, .xlen = sizeof x};
    br_ec_public_key public = {.curve = CURVE, .q = q, .qlen = sizeof q};
    br_sha384_context context;

    from_hex(x, "6b9d3dad2e1b8c1c05b19875b6659f4de23c3b667bf297ba9aa47740787137d8"
                "96d5724e4c70a825f872c9ea60d2edf5");
    from_hex(q + 1, "ec3a4e415b4e19a4568618029f427fa5da9a8bc4ae92e02e06aae5286b300c64"
                    "def8f0ea9055866064a254515480bc138015d9b72d7d57244ea8ef9ac0c62189"
                    "6708a59367f9dfb9f54ca84b3f1c9db1288b231c3ae0d4fe7344fd2533264720");
    assert_int_equal(br_ec_compute_pub(&ec_all, NULL, point, &private), POINT);
    assert_memory_equal(point, q, POINT);
    br_sha384_init(&context);
    br_sha384_update(&context, message, strlen(message));
    br_sha384_out(&context, digest);
    assert_int_equal(br_ecdsa_i31_sign_raw(&ec_all, &br_sha384_vtable, digest, &private, signature),
                     96);
    from_hex(bytes, expected);
    assert_memory_equal(signature, bytes, 96);
    assert_int_equal(br_ecdsa_i31_vrfy_raw(&ec_all, digest, 48, &public, signature, 96), 1);
    for (size_t i = 0; i < 96; i += 19) {
        signature[i] ^= 0x10;
        assert_int_equal(br_ecdsa_i31_vrfy_raw(&ec_all, digest, 48, &public, signature, 96), 0);
        signature[i] ^= 0x10;
    }
}

static void test_signatures(void **unused)
{
    (void)unused;
    check_signature("sample", "94edbb92a5ecb8aad4736e56c691916b3f88140666ce9fa73d64c4ea95ad133c"
                              "81a648152e44acf96e36dd1e80fabe4699ef4aeb15f178cea1fe40db2603138f"
                              "130e740a19624526203b6351d0a3a94fa329c145786e679e7b82c71a38628ac8");
    check_signature("test", "8203b63d3c853e8d77227fb377bcf7b7b772e97892a80f36ab775d509d7a5feb"
                            "0542a7f0812998da8f1dd3ca3cf023dbddd0760448d42d8a43af45af836fce4d"
                            "e8be06b485e9b61b827c2f13173923e06a739f040649a667bf3b828246baa5a5");
}

/* Every curve by its own code. */
static void test_curves(void **unused)
{
    static const int curves[] = {BR_EC_secp256r1, BR_EC_secp384r1, BR_EC_secp521r1,
                                 BR_EC_curve25519};
    uint8_t scalar[32] = {7}, ours[133], theirs[133];
    size_t our_length, their_length;

    (void)unused;
    assert_int_equal(ec_all.supported_curves, br_ec_all_m31.supported_curves);
    for (size_t i = 0; i < sizeof curves / sizeof *curves; i++) {
        int curve = curves[i];
        const uint8_t *our = ec_all.order(curve, &our_length);
        const uint8_t *their = br_ec_all_m31.order(curve, &their_length);
        assert_int_equal(our_length, their_length);
        assert_memory_equal(our, their, our_length);
        our = ec_all.generator(curve, &our_length);
        their = br_ec_all_m31.generator(curve, &their_length);
        assert_int_equal(our_length, their_length);
        assert_memory_equal(our, their, our_length);
        assert_int_equal(ec_all.xoff(curve, &our_length), br_ec_all_m31.xoff(curve, &their_length));
        assert_int_equal(our_length, their_length);
        assert_int_equal(ec_all.mulgen(ours, scalar, sizeof scalar, curve),
                         br_ec_all_m31.mulgen(theirs, scalar, sizeof scalar, curve));
        ec_all.generator(curve, &our_length);
        assert_memory_equal(ours, theirs, our_length);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small_scalars),
        cmocka_unit_test(test_patterns),
        cmocka_unit_test(test_scalar_lengths),
#ifdef EC_P384_M64
        cmocka_unit_test(test_large_scalars),
        cmocka_unit_test(test_zero),
#endif
        cmocka_unit_test(test_sums),
        cmocka_unit_test(test_points_that_are_none),
        cmocka_unit_test(test_coordinates_from_p_on),
        cmocka_unit_test(test_signatures),
        cmocka_unit_test(test_curves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
