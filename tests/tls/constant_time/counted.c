/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The same operation with other secrets and other input: run under callgrind, which counts the
 * instructions of each, it must take the same number of them. What memcheck cannot tell, because a
 * length or a loop is decided by something that was said to be public, shows here.
 *
 * Each run is a dump with "operation, input" as its reason; suite_constant_time compares them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <valgrind/callgrind.h>

#include "tls/internal.h"
#include "x509/pem.h"
#include "x509/private_key.h"
#include "x509_files.h"

#define INPUTS 7 /* the first warms up: the dynamic linker has its part in it */

static void demand(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "counted: %s\n", what);
    exit(1);
}

static void fill(void *context, void *data, size_t length)
{
    static uint32_t state = 7;
    uint8_t *bytes = data;

    (void)context;
    for (size_t i = 0; i < length; i++) {
        state = state * 1664525 + 1013904223;
        bytes[i] = (uint8_t)(state >> 24);
    }
}

#define COUNTED(operation, input, ...)                                \
    do {                                                              \
        char reason[64];                                              \
        snprintf(reason, sizeof reason, "%s, %zu", operation, input); \
        CALLGRIND_ZERO_STATS;                                         \
        __VA_ARGS__;                                                  \
        CALLGRIND_DUMP_STATS_AT(reason);                              \
    } while (0)

static void load(struct private_key *key, const char *name)
{
    struct error error;
    char *text = x509_file(name);

    demand(private_key_from_pem(key, text, &error) == 0, error.text);
    free(text);
}

/* The first byte of RFC 6979's nonce for a digest, as br_ecdsa_i31_sign_raw draws it. */
static uint8_t nonce_begins(const br_ec_private_key *key, const uint8_t digest[static 32])
{
    br_hmac_drbg_context drbg;
    uint8_t seed[64], nonce[32];

    memcpy(seed, key->x, 32);
    memcpy(seed + 32, digest, 32); /* below the order: its first byte is small */
    br_hmac_drbg_init(&drbg, &br_sha256_vtable, seed, sizeof seed);
    br_hmac_drbg_generate(&drbg, nonce, sizeof nonce);
    return nonce[0];
}

/* With the last of the inputs the nonce has a word less than it might have. */
static void ecdsa(void)
{
    static const char *const names[] = {"ec-p256.key", "ec-p384-pkcs8.key", "ec-p521.key"};
    static const br_hash_class *const hashes[] = {&br_sha256_vtable, &br_sha384_vtable,
                                                  &br_sha512_vtable};
    uint8_t digest[64], signature[132];

    for (size_t i = 0; i < 3; i++) {
        struct private_key key = {0};

        load(&key, names[i]);
        for (size_t input = 0; input < INPUTS; input++) {
            do {
                fill(NULL, digest, sizeof digest);
                digest[0] &= 0x7f;
            } while (i == 0 && input == INPUTS - 1 && nonce_begins(&key.ec, digest) != 0);
            COUNTED(names[i], input,
                    demand(br_ecdsa_i31_sign_raw(&br_ec_all_m31, hashes[i], digest, &key.ec,
                                                 signature) != 0,
                           "signature"));
        }
        private_key_wipe(&key);
    }
}

static void rsa(void)
{
    uint8_t block[512];

    struct private_key key = {0};
    load(&key, "rsa-2048.key");
    for (size_t input = 0; input < INPUTS; input++) {
        fill(NULL, block, sizeof block);
        /* Small and large numbers as well: all stay below the modulus. */
        memset(block, 0, input == 1 ? 255 : 1 + 20 * (input % 3));
        COUNTED("rsa-2048.key", input,
                demand(br_rsa_private_get_default()(block, &key.rsa) == 1, "RSA"));
    }
    private_key_wipe(&key);
}

/* With keys as they come, and with one of few bits. */
static void key_exchanges(void)
{
    static const struct {
        uint16_t group;
        const char *name;
    } groups[] = {{TLS_X25519, "x25519"}, {TLS_SECP256R1, "P-256"}, {TLS_SECP384R1, "P-384"}};
    static struct tls_key_exchange ours, theirs;
    uint8_t secret[TLS_MAX_SECRET];

    for (size_t i = 0; i < 3; i++) {
        tls_key_exchange_start(&theirs, groups[i].group, fill, NULL);
        for (size_t input = 0; input < INPUTS; input++) {
            tls_key_exchange_start(&ours, groups[i].group, fill, NULL);
            if (input == 1)
                memset(ours.private_key, 0, ours.private_length - 2);
            COUNTED(groups[i].name, input,
                    demand(tls_key_exchange_finish(&ours, groups[i].group, theirs.point,
                                                   theirs.point_length, secret) != 0,
                           "key exchange"));
        }
    }
}

/* Ciphertexts that are meant for the key, and others. (How the matrix is drawn is public, and
 * differs from key to key: there is one.) */
static void mlkem(void)
{
    static struct mlkem768 key;
    uint8_t seed[MLKEM768_SEED], random[32], ciphertext[MLKEM768_CIPHERTEXT];
    uint8_t secret[MLKEM768_SECRET];

    fill(NULL, seed, sizeof seed);
    mlkem768_generate(&key, seed);
    for (size_t input = 0; input < INPUTS; input++) {
        fill(NULL, random, sizeof random);
        demand(mlkem768_encapsulate(key.encapsulation_key, random, ciphertext, secret), "ML-KEM");
        if (input % 2 != 0)
            fill(NULL, ciphertext, sizeof ciphertext);
        COUNTED("ML-KEM", input, mlkem768_decapsulate(&key, ciphertext, secret));
    }
}

int main(void)
{
    ecdsa();
    rsa();
    key_exchanges();
    mlkem();
    return 0;
}
