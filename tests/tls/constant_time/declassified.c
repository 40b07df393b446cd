/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of src/tls with, after each step that publishes something, a word to valgrind that it is
 * public from there on: ciphertext, key shares, signatures; that a comparison came out equal; and
 * what was decrypted, since every parser branches on what it parses.
 */
#include "secrets.h"

#include "base/bytes.h"

bool without_hardware;

static bool equal_and_public(const void *a, const void *b, size_t length)
{
    bool equal = bytes_equal_ct(a, b, length);

    MAKE_PUBLIC(&equal, sizeof equal);
    return equal;
}

static size_t real_record_seal(struct tls_keys *keys, uint8_t *out, int type, uint16_t version,
                               const uint8_t *data, size_t length);
static bool real_record_open(struct tls_keys *keys, const uint8_t header[static TLS_RECORD_HEADER],
                             uint8_t *body, size_t *length);
static void real_exchange_start(struct tls_key_exchange *exchange, uint16_t group,
                                void (*random)(void *context, void *data, size_t length),
                                void *context);
static size_t real_exchange_finish(const struct tls_key_exchange *exchange, uint16_t group,
                                   const uint8_t *share, size_t length,
                                   uint8_t secret[static TLS_MAX_SECRET]);
static size_t real_signature_sign(uint16_t scheme, const struct tls_configuration *configuration,
                                  const uint8_t *transcript_hash, size_t hash_length, uint8_t *out);
static bool real_pss_sign(const br_rsa_private_key *key, const br_hash_class *hash,
                          const uint8_t *digest, const uint8_t *salt, uint8_t *out);

#define bytes_equal_ct equal_and_public
#include "tls/handshake.c"

#define br_aes_x86ni_ctr_get_vtable() (without_hardware ? NULL : br_aes_x86ni_ctr_get_vtable())
#define br_ghash_pclmul_get() (without_hardware ? NULL : br_ghash_pclmul_get())
#define br_chacha20_sse2_get() (without_hardware ? NULL : br_chacha20_sse2_get())
#define tls_record_seal real_record_seal
#define tls_record_open real_record_open
#include "tls/record.c"
#undef tls_record_seal
#undef tls_record_open

#define tls_key_exchange_start real_exchange_start
#define tls_key_exchange_finish real_exchange_finish
#include "tls/groups.c"
#undef tls_key_exchange_start
#undef tls_key_exchange_finish

#define tls_signature_sign real_signature_sign
#include "tls/signature.c"
#undef tls_signature_sign

#define tls_rsa_pss_sign real_pss_sign
#include "tls/rsa_pss.c"
#undef tls_rsa_pss_sign

size_t tls_record_seal(struct tls_keys *keys, uint8_t *out, int type, uint16_t version,
                       const uint8_t *data, size_t length)
{
    size_t sealed = real_record_seal(keys, out, type, version, data, length);

    MAKE_PUBLIC(out, sealed);
    return sealed;
}

bool tls_record_open(struct tls_keys *keys, const uint8_t header[static TLS_RECORD_HEADER],
                     uint8_t *body, size_t *length)
{
    bool opened = real_record_open(keys, header, body, length);

    if (opened)
        MAKE_PUBLIC(body, *length);
    return opened;
}

static void secret_random(void *context, void *data, size_t length)
{
    const struct tls_configuration *configuration = context;

    configuration->random(configuration->random_context, data, length);
    MAKE_SECRET(data, length);
}

void tls_key_exchange_start(struct tls_key_exchange *exchange, uint16_t group,
                            void (*random)(void *context, void *data, size_t length), void *context)
{
    if (exchange == &client.exchange)
        real_exchange_start(exchange, group, secret_random, &client.configuration);
    else
        real_exchange_start(exchange, group, random, context);
    MAKE_PUBLIC(exchange->point, exchange->point_length);
}

size_t tls_key_exchange_finish(const struct tls_key_exchange *exchange, uint16_t group,
                               const uint8_t *share, size_t length,
                               uint8_t secret[static TLS_MAX_SECRET])
{
    size_t secret_length = real_exchange_finish(exchange, group, share, length, secret);

    MAKE_PUBLIC(&secret_length, sizeof secret_length);
    return secret_length;
}

size_t tls_signature_sign(uint16_t scheme, const struct tls_configuration *configuration,
                          const uint8_t *transcript_hash, size_t hash_length, uint8_t *out)
{
    size_t length = real_signature_sign(scheme, configuration, transcript_hash, hash_length, out);

    MAKE_PUBLIC(&length, sizeof length);
    MAKE_PUBLIC(out, length);
    return length;
}

bool tls_rsa_pss_sign(const br_rsa_private_key *key, const br_hash_class *hash,
                      const uint8_t *digest, const uint8_t *salt, uint8_t *out)
{
    bool done = real_pss_sign(key, hash, digest, salt, out);

    MAKE_PUBLIC(&done, sizeof done);
    MAKE_PUBLIC(out, (key->n_bitlen + 7) / 8);
    return done;
}
