/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/internal.h"

#include "base/bytes.h"

void tls_transcript_start(struct tls_transcript *transcript)
{
    br_sha256_init(&transcript->sha256);
    br_sha384_init(&transcript->sha384);
}

void tls_transcript_add(struct tls_transcript *transcript, const void *data, size_t length)
{
    br_sha256_update(&transcript->sha256, data, length);
    br_sha384_update(&transcript->sha384, data, length);
}

void tls_transcript_hash(const struct tls_transcript *transcript, const br_hash_class *hash,
                         uint8_t out[static TLS_MAX_HASH])
{
    if (hash == &br_sha384_vtable)
        br_sha384_out(&transcript->sha384, out);
    else
        br_sha256_out(&transcript->sha256, out);
}

void tls_transcript_retry(struct tls_transcript *transcript, const br_hash_class *hash)
{
    uint8_t first_hello[TLS_MAX_HASH];
    uint8_t header[4] = {TLS_MESSAGE_HASH, 0, 0, (uint8_t)tls_hash_length(hash)};

    tls_transcript_hash(transcript, hash, first_hello);
    tls_transcript_start(transcript);
    tls_transcript_add(transcript, header, sizeof header);
    tls_transcript_add(transcript, first_hello, tls_hash_length(hash));
}

size_t tls_hash_length(const br_hash_class *hash)
{
    return (hash->desc >> BR_HASHDESC_OUT_OFF) & BR_HASHDESC_OUT_MASK;
}

/* RFC 5869 2.2. br_hkdf joins both steps and never lets the pseudorandom key out. */
void tls_hkdf_extract(const br_hash_class *hash, uint8_t *out, const uint8_t *salt,
                      size_t salt_length, const uint8_t *input, size_t input_length)
{
    br_hmac_key_context key;
    br_hmac_context hmac;

    br_hmac_key_init(&key, hash, salt, salt_length);
    br_hmac_init(&hmac, &key, 0);
    br_hmac_update(&hmac, input, input_length);
    br_hmac_out(&hmac, out);
    bytes_wipe(&key, sizeof key);
    bytes_wipe(&hmac, sizeof hmac);
}

/* RFC 9846 7.1. No output of TLS 1.3 is longer than the hash, so RFC 5869 2.3 is one block. */
void tls_hkdf_expand_label(const br_hash_class *hash, uint8_t *out, size_t length,
                           const uint8_t *secret, const char *label, const uint8_t *context,
                           size_t context_length)
{
    uint8_t info[2 + 1 + 6 + 12 + 1 + TLS_MAX_HASH + 1];
    uint8_t block[64];
    struct writer writer = {.data = info, .capacity = sizeof info};
    br_hmac_key_context key;
    br_hmac_context hmac;

    writer_number(&writer, 2, (uint32_t)length);
    size_t opened = writer_open(&writer, 1);
    writer_bytes(&writer, "tls13 ", 6);
    writer_bytes(&writer, label, strlen(label));
    writer_close(&writer, opened, 1);
    opened = writer_open(&writer, 1);
    writer_bytes(&writer, context, context_length);
    writer_close(&writer, opened, 1);
    writer_number(&writer, 1, 1); /* T(1) */

    br_hmac_key_init(&key, hash, secret, tls_hash_length(hash));
    br_hmac_init(&hmac, &key, 0);
    br_hmac_update(&hmac, info, writer.length);
    br_hmac_out(&hmac, block);
    memcpy(out, block, length);
    bytes_wipe(block, sizeof block);
    bytes_wipe(&key, sizeof key);
    bytes_wipe(&hmac, sizeof hmac);
}

void tls_finished_data(const br_hash_class *hash, const uint8_t *traffic_secret,
                       const uint8_t *transcript_hash, uint8_t *out)
{
    uint8_t key[TLS_MAX_HASH];
    size_t length = tls_hash_length(hash);

    tls_hkdf_expand_label(hash, key, length, traffic_secret, "finished", NULL, 0);
    tls_hkdf_extract(hash, out, key, length, transcript_hash, length); /* plain HMAC */
    bytes_wipe(key, sizeof key);
}

/* The step between two extractions: Derive-Secret(secret, "derived", ""). */
static void derive(const br_hash_class *hash, uint8_t *secret)
{
    struct tls_transcript nothing;
    uint8_t empty[TLS_MAX_HASH];

    tls_transcript_start(&nothing);
    tls_transcript_hash(&nothing, hash, empty);
    tls_hkdf_expand_label(hash, secret, tls_hash_length(hash), secret, "derived", empty,
                          tls_hash_length(hash));
}

void tls_schedule_handshake(const br_hash_class *hash, uint8_t *secret, const uint8_t *shared,
                            size_t shared_length)
{
    static const uint8_t zeros[TLS_MAX_HASH];
    size_t length = tls_hash_length(hash);

    tls_hkdf_extract(hash, secret, zeros, length, zeros, length); /* no PSK: the early secret */
    derive(hash, secret);
    tls_hkdf_extract(hash, secret, secret, length, shared, shared_length);
}

void tls_schedule_master(const br_hash_class *hash, uint8_t *secret)
{
    static const uint8_t zeros[TLS_MAX_HASH];
    size_t length = tls_hash_length(hash);

    derive(hash, secret);
    tls_hkdf_extract(hash, secret, secret, length, zeros, length);
}

void tls_schedule_traffic(const br_hash_class *hash, uint8_t *out, const uint8_t *secret,
                          const char *label, const uint8_t *transcript_hash)
{
    size_t length = tls_hash_length(hash);

    tls_hkdf_expand_label(hash, out, length, secret, label, transcript_hash, length);
}

void tls_schedule_update(const br_hash_class *hash, uint8_t *traffic_secret)
{
    tls_hkdf_expand_label(hash, traffic_secret, tls_hash_length(hash), traffic_secret,
                          "traffic upd", NULL, 0);
}
