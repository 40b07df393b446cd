/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/internal.h"

#include "base/bytes.h"

static const struct tls_suite aes_128_gcm = {0x1301, &br_sha256_vtable, 16, true};
static const struct tls_suite aes_256_gcm = {0x1302, &br_sha384_vtable, 32, true};
static const struct tls_suite chacha20_poly1305 = {0x1303, &br_sha256_vtable, 32, false};

/* AES by the CPU's own instructions, or NULL. What a CPU can do is asked once: a virtual machine's
 * takes its time to answer. */
static const br_block_ctr_class *hardware_aes(void)
{
    static const br_block_ctr_class *_Atomic found;

    if (found == NULL)
        found = br_aes_x86ni_ctr_get_vtable();
    if (found == NULL)
        found = br_aes_pwr8_ctr_get_vtable();
    return found;
}

/* Bitsliced, so constant-time, in the word size of the machine. */
static const br_block_ctr_class *software_aes(void)
{
    return sizeof(void *) == 8 ? &br_aes_ct64_ctr_vtable : &br_aes_ct_ctr_vtable;
}

static br_ghash best_ghash(void)
{
    static _Atomic(br_ghash) found;

    if (found == NULL)
        found = br_ghash_pclmul_get();
    if (found == NULL)
        found = br_ghash_pwr8_get();
    if (found == NULL)
        found = sizeof(void *) == 8 ? br_ghash_ctmul64 : br_ghash_ctmul32;
    return found;
}

static br_chacha20_run best_chacha20(void)
{
    br_chacha20_run chacha20 = br_chacha20_sse2_get();

    return chacha20 != NULL ? chacha20 : br_chacha20_ct_run;
}

/* With ctmulq an answer of LXD's would be read a few microseconds sooner, by 2 KB of code more. */
static const br_poly1305_run poly1305 = br_poly1305_ctmul_run;

const struct tls_suite *const *tls_suites(size_t *count)
{
    static const struct tls_suite *const with_aes[] = {&aes_128_gcm, &aes_256_gcm,
                                                       &chacha20_poly1305};
    static const struct tls_suite *const without_aes[] = {&chacha20_poly1305, &aes_128_gcm,
                                                          &aes_256_gcm};

    *count = 3;
    return hardware_aes() != NULL ? with_aes : without_aes;
}

const struct tls_suite *tls_suite_find(uint16_t id)
{
    size_t count;
    const struct tls_suite *const *suites = tls_suites(&count);

    for (size_t i = 0; i < count; i++) {
        if (suites[i]->id == id)
            return suites[i];
    }
    return NULL;
}

void tls_keys_set(struct tls_keys *keys, const struct tls_suite *suite, const uint8_t *secret)
{
    uint8_t key[32];

    tls_hkdf_expand_label(suite->hash, key, suite->key_length, secret, "key", NULL, 0);
    tls_hkdf_expand_label(suite->hash, keys->iv, sizeof keys->iv, secret, "iv", NULL, 0);
    keys->suite = suite;
    keys->sequence = 0;
    if (suite->is_aes) {
        const br_block_ctr_class *aes = hardware_aes();
        if (aes == NULL)
            aes = software_aes();
        aes->init(&keys->aes.vtable, key, suite->key_length);
        br_gcm_init(&keys->gcm, &keys->aes.vtable, best_ghash());
    } else {
        memcpy(keys->chacha20, key, sizeof keys->chacha20);
    }
    bytes_wipe(key, sizeof key);
}

/*
 * Encrypt or decrypt in place; the record header is the additional data (RFC 9846 5.2), the nonce
 * is the IV with the sequence number added in (5.3). Computes the tag over the ciphertext.
 */
static void run_aead(struct tls_keys *keys, bool encrypt, const uint8_t *header, uint8_t *data,
                     size_t length, uint8_t tag[static TLS_TAG])
{
    uint8_t nonce[12];

    memcpy(nonce, keys->iv, sizeof nonce);
    for (size_t i = 0; i < 8; i++)
        nonce[4 + i] ^= (uint8_t)(keys->sequence >> (56 - 8 * i));
    keys->sequence++;
    if (keys->suite->is_aes) {
        br_gcm_reset(&keys->gcm, nonce, sizeof nonce);
        br_gcm_aad_inject(&keys->gcm, header, TLS_RECORD_HEADER);
        br_gcm_flip(&keys->gcm);
        br_gcm_run(&keys->gcm, encrypt, data, length);
        br_gcm_get_tag(&keys->gcm, tag);
    } else {
        poly1305(keys->chacha20, nonce, data, length, header, TLS_RECORD_HEADER, tag,
                 best_chacha20(), encrypt);
    }
}

size_t tls_record_seal(struct tls_keys *keys, uint8_t *out, int type, uint16_t version,
                       const uint8_t *data, size_t length)
{
    struct writer writer = {.data = out, .capacity = TLS_MAX_RECORD};
    bool protected = keys->suite != NULL;
    size_t body_length = protected ? length + 1 + TLS_TAG : length;

    writer_number(&writer, 1, protected ? TLS_APPLICATION_DATA : (uint32_t)type);
    writer_number(&writer, 2, version);
    writer_number(&writer, 2, (uint32_t)body_length);
    writer_bytes(&writer, data, length);
    if (protected) {
        uint8_t *body = out + TLS_RECORD_HEADER;
        body[length] = (uint8_t)type;
        run_aead(keys, true, out, body, length + 1, body + length + 1);
    }
    return TLS_RECORD_HEADER + body_length;
}

bool tls_record_open(struct tls_keys *keys, const uint8_t header[static TLS_RECORD_HEADER],
                     uint8_t *body, size_t *length)
{
    uint8_t tag[TLS_TAG];

    if (*length < TLS_TAG)
        return false;
    *length -= TLS_TAG;
    run_aead(keys, false, header, body, *length, tag);
    if (bytes_equal_ct(tag, body + *length, TLS_TAG))
        return true;
    bytes_wipe(body, *length); /* nobody may see what did not authenticate */
    return false;
}
