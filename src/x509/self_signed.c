/* SPDX-License-Identifier: Apache-2.0 */
#include "x509/self_signed.h"

#include <bearssl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "base/random.h"
#include "ec/ec_all.h"
#include "x509/der.h"
#include "x509/pem.h"
#include "x509/public_key.h"

#define SECONDS_GOOD (3650LL * 86400)
#define CLOCK_SKEW 60 /* seconds by which a server's clock may be behind */
#define SERIAL_LENGTH 16
#define SEED_LENGTH 48
#define SIGNATURE_MAX (2 * 48 + 9) /* bearssl_ec.h */

/* Complete elements. */
#define VERSION_3 "\xa0\x03\x02\x01\x02"
#define ECDSA_WITH_SHA384 "\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03"
#define EC_P384 "\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22"
#define COMMON_NAME "\x06\x03\x55\x04\x03"
/* [3] { keyUsage, critical: digitalSignature; extendedKeyUsage: clientAuth;
 *       basicConstraints, critical: no CA } */
#define EXTENSIONS                                                                         \
    "\xa3\x35\x30\x33"                                                                     \
    "\x30\x0e\x06\x03\x55\x1d\x0f\x01\x01\xff\x04\x04\x03\x02\x07\x80"                     \
    "\x30\x13\x06\x03\x55\x1d\x25\x04\x0c\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x02" \
    "\x30\x0c\x06\x03\x55\x1d\x13\x01\x01\xff\x04\x02\x30\x00"

struct key {
    br_ec_private_key private;
    br_ec_public_key public;
    unsigned char private_bytes[BR_EC_KBUF_PRIV_MAX_SIZE];
    unsigned char public_bytes[BR_EC_KBUF_PUB_MAX_SIZE];
};

#define APPEND(out, literal) buffer_append(out, literal, sizeof(literal) - 1)

static void append_element(struct buffer *out, uint8_t tag, const void *content, size_t length)
{
    uint8_t head[4] = {tag, 0x82, (uint8_t)(length >> 8), (uint8_t)length};
    size_t size = 4;

    if (length < 0x100) {
        head[1] = 0x81;
        head[2] = (uint8_t)length;
        size = 3;
    }
    if (length < 0x80) {
        head[1] = (uint8_t)length;
        size = 2;
    }
    buffer_append(out, head, size);
    buffer_append(out, content, length);
}

/* Make an element of all that the buffer has. */
static void wrap(struct buffer *content, uint8_t tag)
{
    struct buffer element = {0};

    append_element(&element, tag, buffer_string(content), content->length);
    buffer_free(content);
    *content = element;
}

/* The content goes into out. */
static void move(struct buffer *out, struct buffer *content)
{
    buffer_append(out, content->data, content->length);
    buffer_free(content);
}

static void append_serial(struct buffer *out)
{
    uint8_t serial[SERIAL_LENGTH];

    random_bytes(serial, sizeof serial);
    serial[0] = (serial[0] & 0x3f) | 0x40; /* positive, and no leading zero */
    append_element(out, DER_INTEGER, serial, sizeof serial);
}

static void append_name(struct buffer *out, const char *common_name)
{
    struct buffer name = {0};

    APPEND(&name, COMMON_NAME);
    append_element(&name, DER_UTF8_STRING, common_name, strlen(common_name));
    wrap(&name, DER_SEQUENCE);
    wrap(&name, DER_SET);
    wrap(&name, DER_SEQUENCE);
    move(out, &name);
}

/* RFC 5280 4.1.2.5: UTCTime through 2049. */
static void append_time(struct buffer *out, time_t seconds)
{
    const struct tm *tm = gmtime(&seconds);
    char *text = mem_printf("%04d%02d%02d%02d%02d%02dZ", tm->tm_year + 1900, tm->tm_mon + 1,
                            tm->tm_mday, tm->tm_hour, tm->tm_min, tm->tm_sec);

    if (tm->tm_year < 150)
        append_element(out, DER_UTC_TIME, text + 2, strlen(text) - 2);
    else
        append_element(out, DER_GENERALIZED_TIME, text, strlen(text));
    free(text);
}

static void append_validity(struct buffer *out, time_t now)
{
    struct buffer validity = {0};

    append_time(&validity, now - CLOCK_SKEW);
    append_time(&validity, now + SECONDS_GOOD);
    wrap(&validity, DER_SEQUENCE);
    move(out, &validity);
}

/* A BIT STRING of whole bytes. */
static void append_bits(struct buffer *out, const void *data, size_t length)
{
    struct buffer bits = {0};

    APPEND(&bits, "\0");
    buffer_append(&bits, data, length);
    wrap(&bits, DER_BIT_STRING);
    move(out, &bits);
}

static void append_public_key(struct buffer *out, const struct key *key)
{
    struct buffer info = {0};

    APPEND(&info, EC_P384);
    append_bits(&info, key->public.q, key->public.qlen);
    wrap(&info, DER_SEQUENCE);
    move(out, &info);
}

static void append_signature(struct buffer *out, const struct key *key,
                             const struct buffer *signed_)
{
    unsigned char signature[SIGNATURE_MAX], digest[br_sha384_SIZE];
    br_sha384_context context;

    br_sha384_init(&context);
    br_sha384_update(&context, signed_->data, signed_->length);
    br_sha384_out(&context, digest);
    size_t length =
        br_ecdsa_i31_sign_asn1(&ec_all, &br_sha384_vtable, digest, &key->private, signature);
    append_bits(out, signature, length);
}

static void make_certificate(struct buffer *certificate, const struct key *key,
                             const char *common_name)
{
    struct buffer tbs = {0};

    APPEND(&tbs, VERSION_3);
    append_serial(&tbs);
    APPEND(&tbs, ECDSA_WITH_SHA384);
    append_name(&tbs, common_name);
    append_validity(&tbs, time(NULL));
    append_name(&tbs, common_name);
    append_public_key(&tbs, key);
    APPEND(&tbs, EXTENSIONS);
    wrap(&tbs, DER_SEQUENCE);
    buffer_append(certificate, tbs.data, tbs.length);
    APPEND(certificate, ECDSA_WITH_SHA384);
    append_signature(certificate, key, &tbs);
    wrap(certificate, DER_SEQUENCE);
    buffer_free(&tbs);
}

static void make_key(struct key *key)
{
    br_hmac_drbg_context random;
    uint8_t seed[SEED_LENGTH];

    random_bytes(seed, sizeof seed);
    br_hmac_drbg_init(&random, &br_sha384_vtable, seed, sizeof seed);
    br_ec_keygen(&random.vtable, &ec_all, &key->private, key->private_bytes, BR_EC_secp384r1);
    br_ec_compute_pub(&ec_all, &key->public, key->public_bytes, &key->private);
    bytes_wipe(seed, sizeof seed);
    bytes_wipe(&random, sizeof random);
}

/* The block's bytes are wiped behind it. */
static void append_block(struct buffer *pem, const char *label, void *der, size_t length)
{
    char *block = pem_encode(label, der, length);

    buffer_append_string(pem, block);
    bytes_wipe(block, strlen(block));
    bytes_wipe(der, length);
    free(block);
}

void self_signed_make(struct buffer *pem, const char *common_name)
{
    unsigned char der[256]; /* SEC1 takes 167 bytes */
    struct buffer certificate = {0};
    struct key key;

    make_key(&key);
    make_certificate(&certificate, &key, common_name);
    append_block(pem, "CERTIFICATE", certificate.data, certificate.length);
    size_t length = br_encode_ec_raw_der(der, &key.private, &key.public);
    append_block(pem, "EC PRIVATE KEY", der, length);
    buffer_free(&certificate);
    bytes_wipe(&key, sizeof key);
}

int self_signed_read(const char *pem, struct certificate *certificate, struct private_key *key,
                     struct error *error)
{
    const char *cursor = pem;
    struct pem_block block;
    int found = pem_next(&cursor, &block, error);

    if (found < 0)
        return -1;
    if (found == 0)
        return error_set(error, ERROR_INPUT, "holds no certificate");
    int result = certificate_from_block(certificate, &block, error);
    pem_block_free(&block);
    if (result != 0)
        return -1;
    if (private_key_from_pem(key, cursor, error) == 0 &&
        private_key_matches(key, certificate, error) == 0)
        return 0;
    private_key_wipe(key);
    certificate_free(certificate);
    return -1;
}
