/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls/mlkem.c, compiled as it is for the binary. The matrix that is drawn from rho is public, and
 * so rho is: SHAKE128 is used for nothing else. And so is the encapsulation key, which is sent.
 */
#include "secrets.h"

#include "tls/keccak.h"

static void real_generate(struct mlkem768 *key, const uint8_t seed[static MLKEM768_SEED]);

static void absorb(struct keccak *keccak, const void *data, size_t length)
{
    if (keccak->rate == SHAKE128)
        MAKE_PUBLIC(data, length);
    keccak_absorb(keccak, data, length);
}

#define mlkem768_generate real_generate
#define keccak_absorb absorb
#include "tls/mlkem.c"
#undef mlkem768_generate
#undef keccak_absorb

void mlkem768_generate(struct mlkem768 *key, const uint8_t seed[static MLKEM768_SEED])
{
    real_generate(key, seed);
    MAKE_PUBLIC(key->encapsulation_key, sizeof key->encapsulation_key);
    MAKE_PUBLIC(key->hash, sizeof key->hash);
}
