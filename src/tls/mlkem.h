/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TLS_MLKEM_H
#define TLS_MLKEM_H

#include <stdbool.h>
#include <stdint.h>

/*
 * ML-KEM-768 (FIPS 203), the key encapsulation that a quantum computer does not break: one side
 * makes a key pair and sends the encapsulation key, the other answers with a ciphertext, and both
 * have a shared secret of 32 bytes.
 *
 * No allocation, no randomness of its own; no branch and no address depends on a secret, and no
 * division is done. What is in here is secret but for encapsulation_key and hash; the caller wipes
 * it. About 6 KiB of stack, which is wiped.
 */
enum {
    MLKEM768_SEED = 64, /* d and z of FIPS 203, random */
    MLKEM768_ENCAPSULATION_KEY = 1184,
    MLKEM768_CIPHERTEXT = 1088,
    MLKEM768_SECRET = 32,
};

/* As the decapsulation key stands in FIPS 203: 2400 bytes. */
struct mlkem768 {
    uint8_t vector[1152];
    uint8_t encapsulation_key[MLKEM768_ENCAPSULATION_KEY];
    uint8_t hash[32]; /* of the encapsulation key */
    uint8_t rejection[32];
};

void mlkem768_generate(struct mlkem768 *key, const uint8_t seed[static MLKEM768_SEED]);

/* There is no failure: a ciphertext that was not made for this key gives a secret that nobody has
 * (implicit rejection). */
void mlkem768_decapsulate(const struct mlkem768 *key,
                          const uint8_t ciphertext[static MLKEM768_CIPHERTEXT],
                          uint8_t secret[static MLKEM768_SECRET]);

/* The other side, with 32 random bytes. False where the key is none (FIPS 203 7.2). A client has no
 * use for it; tests do. */
bool mlkem768_encapsulate(const uint8_t encapsulation_key[static MLKEM768_ENCAPSULATION_KEY],
                          const uint8_t random[static 32],
                          uint8_t ciphertext[static MLKEM768_CIPHERTEXT],
                          uint8_t secret[static MLKEM768_SECRET]);

#endif
