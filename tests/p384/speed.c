/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What P-384 costs: signing, verifying and a multiplication of a point, by BearSSL's general code,
 * by ours and by OpenSSL's libcrypto, in turn. Usage: speed ROUNDS. Prints a line "CODE OPERATION
 * MICROSECONDS" of CPU time for each of them in each round.
 */
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ec/ec_all.h"

#define CURVE BR_EC_secp384r1
#define BYTES 48
#define POINT 97

static const uint8_t digest[BYTES] = {7};

static void demand(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "speed: %s failed\n", what);
    exit(1);
}

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

/* ---- BearSSL's interface ---- */

static const br_ec_impl *impl;
static uint8_t scalar[BYTES] = {0x5a, 0x17, [47] = 9};
static br_ec_private_key private = {.curve = CURVE, .x = scalar, .xlen = BYTES};
static uint8_t point[POINT], signature[104];
static br_ec_public_key public;
static size_t signature_length;

static void use_impl(const br_ec_impl *other)
{
    impl = other;
    br_ec_compute_pub(impl, &public, point, &private);
}

static void impl_sign(void)
{
    signature_length = br_ecdsa_i31_sign_asn1(impl, &br_sha384_vtable, digest, &private, signature);
}

static void impl_verify(void)
{
    demand(br_ecdsa_i31_vrfy_asn1(impl, digest, sizeof digest, &public, signature,
                                  signature_length) == 1,
           "verifying");
}

static void impl_multiply(void)
{
    uint8_t copy[POINT];

    memcpy(copy, point, POINT);
    demand(impl->mul(copy, POINT, scalar, BYTES, CURVE) == 1, "multiplying");
}

static void bearssl(void)
{
    use_impl(&br_ec_all_m31);
}

static void ours(void)
{
    use_impl(&ec_all);
}

/* ---- OpenSSL's ---- */

static EVP_PKEY_CTX *signing, *verifying;
static EC_GROUP *group;
static EC_POINT *a, *product;
static BIGNUM *factor;
static uint8_t their_signature[128];
static size_t their_length;

static void openssl(void)
{
    if (group != NULL)
        return;
    EVP_PKEY *key = EVP_EC_gen("P-384");
    signing = EVP_PKEY_CTX_new(key, NULL);
    verifying = EVP_PKEY_CTX_new(key, NULL);
    demand(EVP_PKEY_sign_init(signing) == 1 && EVP_PKEY_verify_init(verifying) == 1, "OpenSSL");
    group = EC_GROUP_new_by_curve_name(NID_secp384r1);
    a = EC_POINT_new(group);
    product = EC_POINT_new(group);
    factor = BN_bin2bn(scalar, BYTES, NULL);
    demand(EC_POINT_oct2point(group, a, point, POINT, NULL) == 1, "OpenSSL's decoding");
}

static void openssl_sign(void)
{
    their_length = sizeof their_signature;
    demand(EVP_PKEY_sign(signing, their_signature, &their_length, digest, sizeof digest) == 1,
           "OpenSSL's signing");
}

static void openssl_verify(void)
{
    demand(EVP_PKEY_verify(verifying, their_signature, their_length, digest, sizeof digest) == 1,
           "OpenSSL's verifying");
}

static void openssl_multiply(void)
{
    uint8_t encoded[POINT];

    demand(EC_POINT_mul(group, product, NULL, a, factor, NULL) == 1 &&
               EC_POINT_point2oct(group, product, POINT_CONVERSION_UNCOMPRESSED, encoded, POINT,
                                  NULL) == POINT,
           "OpenSSL's multiplying");
}

/* ---- */

static const struct {
    const char *name;
    void (*choose)(void);
    void (*operations[3])(void);
} codes[] = {
    {"BearSSL", bearssl, {impl_sign, impl_verify, impl_multiply}},
    {"ours", ours, {impl_sign, impl_verify, impl_multiply}},
    {"OpenSSL", openssl, {openssl_sign, openssl_verify, openssl_multiply}},
};

int main(int argc, char **argv)
{
    static const char *const names[] = {"sign", "verify", "mul"};

    if (argc != 2) {
        fprintf(stderr, "usage: speed ROUNDS\n");
        return 2;
    }
    for (long round = strtol(argv[1], NULL, 10); round > 0; round--) {
        for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
            codes[i].choose();
            for (size_t j = 0; j < 3; j++) {
                double start = now();
                for (int k = 0; k < 5; k++)
                    codes[i].operations[j]();
                printf("%s %s %.2f\n", codes[i].name, names[j], (now() - start) / 5);
            }
        }
    }
    return 0;
}
