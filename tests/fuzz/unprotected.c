/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS without its protection, for fuzzing: records are in the clear with a tag of zeros, every
 * signature and every Finished of 0x46 bytes is right. What is behind these checks can then be
 * reached by chance. Takes the place of three files of src/tls.
 */
#include "tls/internal.h"

#define UNUSED __attribute__((unused))

UNUSED static size_t real_record_seal(struct tls_keys *keys, uint8_t *out, int type,
                                      uint16_t version, const uint8_t *data, size_t length);
UNUSED static bool real_record_open(struct tls_keys *keys,
                                    const uint8_t header[static TLS_RECORD_HEADER], uint8_t *body,
                                    size_t *length);
UNUSED static bool real_signature_verify(uint16_t scheme, const br_x509_pkey *key, bool by_server,
                                         const uint8_t *transcript_hash, size_t hash_length,
                                         const uint8_t *signature, size_t length);
UNUSED static void real_finished_data(const br_hash_class *hash, const uint8_t *traffic_secret,
                                      const uint8_t *transcript_hash, uint8_t *out);

#define tls_record_seal real_record_seal
#define tls_record_open real_record_open
#include "tls/record.c"
#undef tls_record_seal
#undef tls_record_open

#define tls_signature_verify real_signature_verify
#include "tls/signature.c"
#undef tls_signature_verify

#define tls_finished_data real_finished_data
#include "tls/schedule.c"
#undef tls_finished_data

size_t tls_record_seal(struct tls_keys *keys, uint8_t *out, int type, uint16_t version,
                       const uint8_t *data, size_t length)
{
    const struct tls_suite *suite = keys->suite;

    if (suite == NULL)
        return real_record_seal(keys, out, type, version, data, length);
    /* As the real one lays it out, but for what the AEAD would do. */
    keys->suite = NULL;
    size_t sealed = real_record_seal(keys, out, TLS_APPLICATION_DATA, version, data, length);
    keys->suite = suite;
    keys->sequence++;
    out[sealed++] = (uint8_t)type;
    memset(out + sealed, 0, TLS_TAG);
    sealed += TLS_TAG;
    out[3] = (uint8_t)((sealed - TLS_RECORD_HEADER) >> 8);
    out[4] = (uint8_t)(sealed - TLS_RECORD_HEADER);
    return sealed;
}

bool tls_record_open(struct tls_keys *keys, const uint8_t header[static TLS_RECORD_HEADER],
                     uint8_t *body, size_t *length)
{
    (void)header;
    (void)body;
    keys->sequence++;
    if (*length < TLS_TAG)
        return false;
    *length -= TLS_TAG;
    return true;
}

bool tls_signature_verify(uint16_t scheme, const br_x509_pkey *key, bool by_server,
                          const uint8_t *transcript_hash, size_t hash_length,
                          const uint8_t *signature, size_t length)
{
    (void)by_server;
    (void)transcript_hash;
    (void)hash_length;
    (void)signature;
    return tls_signature_fits(scheme, key) && length != 0;
}

void tls_finished_data(const br_hash_class *hash, const uint8_t *traffic_secret,
                       const uint8_t *transcript_hash, uint8_t *out)
{
    (void)traffic_secret;
    (void)transcript_hash;
    memset(out, 'F', tls_hash_length(hash));
}
