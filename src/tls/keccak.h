/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TLS_KECCAK_H
#define TLS_KECCAK_H

#include <stddef.h>
#include <stdint.h>

/*
 * The sponge of FIPS 202: absorb input in pieces, turn it around once, squeeze output in pieces.
 * Nothing is allocated and nothing depends on the input's value but the output. The state holds
 * whatever was absorbed: keccak_wipe() it where that was secret.
 */
struct keccak {
    uint64_t lanes[25];
    size_t rate;     /* bytes a permutation takes or gives */
    size_t position; /* how many of them are used */
};

/* A function of FIPS 202 is a rate and what is appended to its input. */
enum keccak_rate { SHA3_256 = 136, SHA3_512 = 72, SHAKE128 = 168, SHAKE256 = 136 };
enum keccak_suffix { KECCAK_HASH = 0x06, KECCAK_XOF = 0x1f };

void keccak_start(struct keccak *keccak, enum keccak_rate rate);
void keccak_absorb(struct keccak *keccak, const void *data, size_t length);
void keccak_turn(struct keccak *keccak, enum keccak_suffix suffix);
void keccak_squeeze(struct keccak *keccak, void *out, size_t length);
void keccak_wipe(struct keccak *keccak);

#endif
