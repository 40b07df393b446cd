/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ML-KEM-768 against Go's crypto/mlkem: everything is drawn from one SHAKE128 stream and gathered
 * in another, whose digest Go's own test states (TestAccumulated). Wycheproof's and NIST's vectors
 * are in tests/tls/wycheproof.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "tls/keccak.h"
#include "tls/mlkem.h"

/* In an emulator ten thousand rounds take a minute. */
#ifdef __SANITIZE_ADDRESS__
#define ROUNDS 10000
#define DIGEST "8a518cc63da366322a8e7a818c7a0d63483cb3528d34a4cf42f35d5ad73f22fc"
#else
#define ROUNDS 100
#define DIGEST "1114b1b6699ed191734fa339376afa7e285c9e6acf6ff0177d346696ce564415"
#endif

static void accumulated(void **state)
{
    struct keccak source, total;
    struct mlkem768 key;
    uint8_t seed[MLKEM768_SEED], random[32], ciphertext[MLKEM768_CIPHERTEXT];
    uint8_t sent[MLKEM768_SECRET], received[MLKEM768_SECRET], digest[32];
    char text[65];

    (void)state;
    keccak_start(&source, SHAKE128);
    keccak_turn(&source, KECCAK_XOF);
    keccak_start(&total, SHAKE128);
    for (int i = 0; i < ROUNDS; i++) {
        keccak_squeeze(&source, seed, sizeof seed);
        mlkem768_generate(&key, seed);
        keccak_absorb(&total, key.encapsulation_key, sizeof key.encapsulation_key);
        keccak_squeeze(&source, random, sizeof random);
        assert_true(mlkem768_encapsulate(key.encapsulation_key, random, ciphertext, sent));
        keccak_absorb(&total, ciphertext, sizeof ciphertext);
        keccak_absorb(&total, sent, sizeof sent);
        mlkem768_decapsulate(&key, ciphertext, received);
        assert_memory_equal(received, sent, sizeof sent);
        keccak_squeeze(&source, ciphertext, sizeof ciphertext);
        mlkem768_decapsulate(&key, ciphertext, received);
        keccak_absorb(&total, received, sizeof received);
    }
    keccak_turn(&total, KECCAK_XOF);
    keccak_squeeze(&total, digest, sizeof digest);
    bytes_to_hex(text, digest, sizeof digest);
    assert_string_equal(text, DIGEST);
}

/* Every bit of a ciphertext counts: with one bent the secret is another, and always the same. */
static void implicit_rejection(void **state)
{
    uint8_t seed[MLKEM768_SEED] = {1}, random[32] = {2}, ciphertext[MLKEM768_CIPHERTEXT];
    uint8_t good[MLKEM768_SECRET], first[MLKEM768_SECRET], second[MLKEM768_SECRET];
    struct mlkem768 key;

    (void)state;
    mlkem768_generate(&key, seed);
    assert_true(mlkem768_encapsulate(key.encapsulation_key, random, ciphertext, good));
    for (size_t bit = 0; bit < 8 * sizeof ciphertext; bit += 37) {
        ciphertext[bit / 8] ^= (uint8_t)(1 << bit % 8);
        mlkem768_decapsulate(&key, ciphertext, first);
        mlkem768_decapsulate(&key, ciphertext, second);
        assert_memory_not_equal(first, good, sizeof good);
        assert_memory_equal(first, second, sizeof first);
        ciphertext[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

/* FIPS 203 7.2: every coefficient of 3329 and more, at each place. */
static void encapsulation_key_is_checked(void **state)
{
    uint8_t seed[MLKEM768_SEED] = {3}, random[32] = {0}, ciphertext[MLKEM768_CIPHERTEXT];
    uint8_t secret[MLKEM768_SECRET];
    struct mlkem768 key;

    (void)state;
    mlkem768_generate(&key, seed);
    for (size_t i = 0; i < 1152; i += 3) {
        uint8_t kept[3];

        memcpy(kept, key.encapsulation_key + i, sizeof kept);
        key.encapsulation_key[i] = 0x01; /* 0xd01 is 3329 */
        key.encapsulation_key[i + 1] = 0x0d;
        assert_false(mlkem768_encapsulate(key.encapsulation_key, random, ciphertext, secret));
        memcpy(key.encapsulation_key + i, kept, sizeof kept);
        key.encapsulation_key[i + 1] = (uint8_t)(kept[1] | 0xf0);
        key.encapsulation_key[i + 2] = 0xff;
        assert_false(mlkem768_encapsulate(key.encapsulation_key, random, ciphertext, secret));
        memcpy(key.encapsulation_key + i, kept, sizeof kept);
    }
    assert_true(mlkem768_encapsulate(key.encapsulation_key, random, ciphertext, secret));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accumulated),
        cmocka_unit_test(implicit_rejection),
        cmocka_unit_test(encapsulation_key_is_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
