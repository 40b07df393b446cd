/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The public-key cryptography of one handshake and no more, with the charm's own library: key share
 * and shared secret (X25519), and with P-384 our signature and the check of the server's. What a
 * hook's CPU time exceeds this program's by is all the rest.
 *
 *  crypto          each once
 *  crypto ROUNDS   CPU time of each in ms, medians, one line each; of a public key's computing too
 *
 * The private key is 1: its public key is known, and it takes as long as any other.
 */
#include <bearssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CURVE = BR_EC_secp384r1, KEY_SIZE = 48, MAX_ROUNDS = 1000 };

static unsigned char scalar[KEY_SIZE], share[32], secret[32], hash[KEY_SIZE], signature[150];
static size_t signature_length;
static const br_ec_private_key private_key = {CURVE, scalar, sizeof scalar};

static void fail(const char *what)
{
    fprintf(stderr, "crypto: %s failed\n", what);
    exit(1);
}

static void make_share(void)
{
    if (br_ec_all_m31.mulgen(share, scalar, sizeof share, BR_EC_curve25519) != sizeof share)
        fail("X25519");
}

static void agree(void)
{
    memcpy(secret, share, sizeof secret);
    if (br_ec_all_m31.mul(secret, sizeof secret, scalar, sizeof secret, BR_EC_curve25519) == 0)
        fail("X25519");
}

static void compute_public(void)
{
    unsigned char point[BR_EC_KBUF_PUB_MAX_SIZE];

    if (br_ec_compute_pub(&br_ec_all_m31, NULL, point, &private_key) == 0)
        fail("the public key");
}

static void sign(void)
{
    signature_length =
        br_ecdsa_i31_sign_asn1(&br_ec_all_m31, &br_sha384_vtable, hash, &private_key, signature);
    if (signature_length == 0)
        fail("signing");
}

static void verify(void)
{
    br_ec_public_key key = {.curve = CURVE};

    key.q = (unsigned char *)br_ec_all_m31.generator(CURVE, &key.qlen);
    if (br_ecdsa_i31_vrfy_asn1(&br_ec_all_m31, hash, sizeof hash, &key, signature,
                               signature_length) != 1)
        fail("verifying");
}

static const struct {
    const char *name;
    void (*run)(void);
} steps[] = {
    {"key share", make_share}, {"shared secret", agree},       {"sign", sign},
    {"verify", verify},        {"public key", compute_public}, /* the last: no part of a handshake
                                                                */
};

enum { STEPS = sizeof steps / sizeof *steps };

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec * 1000 + (double)time.tv_nsec / 1e6;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(void (*run)(void), int rounds)
{
    static double times[MAX_ROUNDS];

    for (int i = 0; i < rounds; i++) {
        double start = now();
        run();
        times[i] = now() - start;
    }
    qsort(times, (size_t)rounds, sizeof *times, compare);
    return times[rounds / 2];
}

int main(int argc, char *argv[])
{
    int rounds = argc > 1 ? atoi(argv[1]) : 0;

    if (rounds < 0 || rounds > MAX_ROUNDS)
        fail("counting");
    scalar[sizeof scalar - 1] = 1;
    for (size_t i = 0; i < sizeof hash; i++)
        hash[i] = (unsigned char)(i * 73 + 5);
    for (size_t i = 0; i < STEPS - (rounds == 0); i++) {
        steps[i].run();
        if (rounds != 0)
            printf("%-24s %.3f\n", steps[i].name, median(steps[i].run, rounds));
    }
    return 0;
}
