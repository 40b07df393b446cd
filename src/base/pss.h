/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_PSS_H
#define BASE_PSS_H

#include <bearssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * RSASSA-PSS (RFC 8017 8.1, 9.1) with MGF1 over the same hash, on BearSSL's raw RSA: release 0.6
 * has none of its own. Moduli of 512 to 4096 bits. `digest` is the message's, of that hash.
 */
bool pss_verify(const br_rsa_public_key *key, const br_hash_class *hash, const uint8_t *digest,
                size_t salt_length, const uint8_t *signature, size_t length);

/* The salt is as long as the hash. Writes (n_bitlen + 7) / 8 bytes. */
bool pss_sign(const br_rsa_private_key *key, const br_hash_class *hash, const uint8_t *digest,
              const uint8_t *salt, uint8_t *out);

#endif
