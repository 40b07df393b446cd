/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NIST's vectors for P-384, in the files that BoringSSL makes of them: key agreement (SP 800-56A
 * ECCCDH primitive), signing and verifying (FIPS 186-4), and BoringSSL's own of multiples of the
 * generator and of signatures at the edges. Usage: nist FOLDER, BoringSSL's crypto/.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ec/ec_all.h"
#include "vectors.h"

#define CURVE BR_EC_secp384r1
#define BYTES 48
#define POINT 97

/* A number of the vector, which is as long as the curve's or longer. */
static void get(const struct vectors *vector, const char *name, uint8_t number[BYTES])
{
    if (vectors_hex(vector, name, number, BYTES) != BYTES) {
        fprintf(stderr, "%s:%u: %s is too short\n", vector->path, vector->line, name);
        exit(1);
    }
}

static void get_point(const struct vectors *vector, const char *x, const char *y,
                      uint8_t point[POINT])
{
    point[0] = 4;
    get(vector, x, point + 1);
    get(vector, y, point + 1 + BYTES);
}

/* The multiple of the generator by the number of that name is the vector's point. */
static bool is_multiple(const struct vectors *vector, const char *name)
{
    uint8_t scalar[BYTES], expected[POINT], point[POINT];

    get(vector, name, scalar);
    get_point(vector, "X", "Y", expected);
    return ec_all.mulgen(point, scalar, BYTES, CURVE) == POINT &&
           memcmp(point, expected, POINT) == 0;
}

static bool agrees(const struct vectors *vector)
{
    uint8_t scalar[BYTES], secret[BYTES], point[POINT];

    get(vector, "Private", scalar);
    get(vector, "Z", secret);
    get_point(vector, "PeerX", "PeerY", point);
    return ec_all.mul(point, POINT, scalar, BYTES, CURVE) == 1 &&
           memcmp(point + 1, secret, BYTES) == 0 && is_multiple(vector, "Private");
}

static bool is_multiple_of_generator(const struct vectors *vector)
{
    return is_multiple(vector, "N");
}

static bool verifies(const struct vectors *vector)
{
    uint8_t point[POINT], digest[64], signature[2 * BYTES];
    br_ec_public_key key = {.curve = CURVE, .q = point, .qlen = POINT};

    get_point(vector, "X", "Y", point);
    size_t length = vectors_hex(vector, "Digest", digest, sizeof digest);
    get(vector, "R", signature);
    get(vector, "S", signature + BYTES);
    return br_ecdsa_i31_vrfy_raw(&ec_all, digest, length, &key, signature, sizeof signature) == 1;
}

static bool is_judged_right(const struct vectors *vector)
{
    return verifies(vector) == !vectors_have(vector, "Invalid");
}

/* Ours chooses another nonce. So: the signature verifies, and its R is the nonce's, the key its
 * own. */
static bool was_signed_right(const struct vectors *vector)
{
    uint8_t nonce[BYTES], r[BYTES], point[POINT];

    get(vector, "K", nonce);
    get(vector, "R", r);
    return verifies(vector) && is_multiple(vector, "Private") &&
           ec_all.mulgen(point, nonce, BYTES, CURVE) == POINT && memcmp(point + 1, r, BYTES) == 0;
}

static const struct suite {
    const char *file;
    bool (*check)(const struct vectors *vector);
    unsigned count; /* of vectors for P-384 */
} suites[] = {
    {"ecdh_extra/ecdh_tests.txt", agrees, 25},
    {"fipsmodule/ec/ec_scalar_base_mult_tests.txt", is_multiple_of_generator, 129},
    {"fipsmodule/ecdsa/ecdsa_verify_tests.txt", is_judged_right, 85},
    {"fipsmodule/ecdsa/ecdsa_sign_tests.txt", was_signed_right, 62},
};

static unsigned run_suite(const char *folder, const struct suite *suite)
{
    struct vectors vectors;
    char path[512];
    unsigned good = 0, bad = 0;

    snprintf(path, sizeof path, "%s/%s", folder, suite->file);
    vectors_open(&vectors, path);
    while (vectors_next(&vectors)) {
        if (strcmp(vectors_text(&vectors, "Curve"), "P-384") != 0)
            continue;
        if (suite->check(&vectors)) {
            good++;
        } else {
            bad++;
            printf("%s:%u: failed\n", path, vectors.line);
        }
    }
    vectors_close(&vectors);
    if (good + bad != suite->count) {
        printf("%s: %u vectors, but they should be %u\n", path, good + bad, suite->count);
        bad++;
    }
    printf("  %-45s %4u passed, %u failed\n", suite->file, good, bad);
    return bad;
}

int main(int argc, char **argv)
{
    unsigned failed = 0;

    if (argc != 2) {
        fprintf(stderr, "usage: nist FOLDER\n");
        return 2;
    }
    for (size_t i = 0; i < sizeof suites / sizeof suites[0]; i++)
        failed += run_suite(argv[1], &suites[i]);
    return failed != 0;
}
