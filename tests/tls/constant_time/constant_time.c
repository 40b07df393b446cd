/* SPDX-License-Identifier: Apache-2.0 */
/*
 * No branch and no address depends on a secret: the client's code runs under valgrind's memcheck
 * with its secrets marked undefined (secrets.h). Prints how many reports each case had.
 */
#include "secrets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "ec/ec_all.h"
#include "tls_server.h"
#include "x509/pem.h"
#include "x509_files.h"

#include "base/base64.c"

static size_t public_point(const br_ec_impl *impl, br_ec_public_key *public, void *out,
                           const br_ec_private_key *key)
{
    size_t length = br_ec_compute_pub(impl, public, out, key);

    MAKE_PUBLIC(&length, sizeof length);
    MAKE_PUBLIC(out, length);
    return length;
}
#define br_ec_compute_pub public_point
#include "x509/private_key.c"
#undef br_ec_compute_pub

struct tls client;
static struct server server;

static void demand(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "constant_time: %s\n", what);
    exit(1);
}

/* ---- What must be reported, else the rest says nothing ---- */

static volatile unsigned sink;

static void branch_on_secret(void)
{
    unsigned char secret = (unsigned char)sink;

    MAKE_SECRET(&secret, sizeof secret);
    if (secret == 7)
        sink = 1;
}

static void index_by_secret(void)
{
    static volatile const unsigned char table[256] = {1};
    unsigned char secret = (unsigned char)sink;

    MAKE_SECRET(&secret, sizeof secret);
    sink = table[secret];
}

static void compare_with_memcmp(void)
{
    unsigned char secret[32] = {0}, expected[32] = {0};

    MAKE_SECRET(secret, sizeof secret);
    sink = memcmp(secret, expected, 16 + sink % 2) == 0 ? 1 : 0;
}

/* ---- Connections: key exchange, key schedule, Finished, records ---- */

static const uint16_t suites[] = {0x1301, 0x1302, 0x1303};
static const uint16_t groups[] = {TLS_X25519MLKEM768, TLS_X25519, TLS_SECP256R1, TLS_SECP384R1};

static void start(const struct tls_configuration *configuration, uint16_t suite, uint16_t group)
{
    server_init(&server, &client);
    server.suite_id = suite;
    server.group = group;
    tls_start(&client, configuration);
}

static void talk(void)
{
    static const uint8_t update_please[] = {TLS_KEY_UPDATE, 0, 0, 1, 1};
    uint8_t data[1000] = {0};

    for (int i = 0; i < 2; i++) {
        size_t before = server.data_length;
        demand(tls_write(&client, data, sizeof data) == sizeof data, "write");
        server_receive(&server);
        demand(server.data_length == before + sizeof data, "data for the server");
        server_send(&server, TLS_APPLICATION_DATA, data, sizeof data);
        demand(tls_read(&client, data, sizeof data) == sizeof data, "read");
        server_send(&server, TLS_HANDSHAKE_RECORD, update_please, sizeof update_please);
        server_update_keys(&server);
    }
    demand(server.key_updates == 1, "KeyUpdate");
    tls_close(&client);
    server_receive(&server);
    demand(server.alert == TLS_ALERT_CLOSE_NOTIFY, "close_notify");
}

static void connections(void)
{
    struct tls_configuration configuration = server_client_configuration();

    for (size_t i = 0; i < 12; i++) {
        start(&configuration, suites[i % 3], groups[i / 3]);
        server_handshake(&server);
        demand(server.client_finished, "handshake");
        talk();
        tls_wipe(&client);
    }
}

/* Implicit rejection: that a ciphertext was not meant for us stays between it and us. */
static void stray_ciphertexts(void)
{
    uint8_t seed[MLKEM768_SEED] = {1}, random[32] = {2}, ciphertext[MLKEM768_CIPHERTEXT];
    uint8_t sent[MLKEM768_SECRET], received[MLKEM768_SECRET];
    struct mlkem768 key;

    MAKE_SECRET(seed, sizeof seed);
    mlkem768_generate(&key, seed);
    demand(mlkem768_encapsulate(key.encapsulation_key, random, ciphertext, sent), "encapsulation");
    for (size_t i = 0; i < 4; i++) {
        ciphertext[300 * i] ^= (uint8_t)(i != 0);
        mlkem768_decapsulate(&key, ciphertext, received);
        MAKE_PUBLIC(received, sizeof received);
        demand((memcmp(sent, received, sizeof sent) == 0) == (i == 0), "decapsulation");
    }
    bytes_wipe(&key, sizeof key);
}

static void connections_without_hardware(void)
{
    without_hardware = true;
    connections();
    without_hardware = false;
}

static void spoil_finished(struct server *unused, struct message *message)
{
    (void)unused;
    if (message->bytes[0] == TLS_FINISHED)
        message->bytes[message->length - 1] ^= 1;
}

static void wrong_finished(void)
{
    struct tls_configuration configuration = server_client_configuration();

    start(&configuration, 0x1302, TLS_X25519);
    server.tamper = spoil_finished;
    server_handshake(&server);
    demand(tls_alert(&client) == TLS_ALERT_DECRYPT_ERROR, "a wrong Finished");
}

static void wrong_tag(void)
{
    struct tls_configuration configuration = server_client_configuration();
    uint8_t record[TLS_RECORD_HEADER + 40] = {TLS_APPLICATION_DATA, 3, 3, 0, 40};

    for (size_t i = 0; i < 3; i++) {
        start(&configuration, suites[i], TLS_X25519);
        server_handshake(&server);
        server_send_raw(&server, record, sizeof record);
        demand(tls_alert(&client) == TLS_ALERT_BAD_RECORD_MAC, "a wrong tag");
    }
}

/* ---- Private keys ---- */

static struct pem_block read_block(const char *name)
{
    struct pem_block block;
    struct error error;
    char *text = x509_file(name);
    const char *cursor = text;

    while (pem_next(&cursor, &block, &error) == 1 && !pem_is_private_key(&block))
        pem_block_free(&block);
    demand(block.der != NULL, name);
    free(text);
    return block;
}

/* Mark the bytes of a number where they are in the block. The first one stays: by it DER decides
 * how long the encoding is, which everybody may see. */
static void hide_number(const struct pem_block *block, const struct pem_block *copy,
                        const unsigned char *number, size_t length)
{
    const uint8_t *found = memmem(copy->der, copy->length, number, length);

    demand(found != NULL && length > 1, "a number of the key");
    MAKE_SECRET(block->der + (found - copy->der) + 1, length - 1);
}

static void load_secret_key(struct private_key *key, const char *name)
{
    struct pem_block block = read_block(name), copy = read_block(name);
    struct error error;

    *key = (struct private_key){0};
    demand(read_key(key, &copy, &error) == 0, error.text);
    if (key->type == BR_KEYTYPE_EC) {
        hide_number(&block, &copy, key->ec.x, key->ec.xlen);
    } else {
        hide_number(&block, &copy, key->rsa.p, key->rsa.plen);
        hide_number(&block, &copy, key->rsa.q, key->rsa.qlen);
        hide_number(&block, &copy, key->rsa.dp, key->rsa.dplen);
        hide_number(&block, &copy, key->rsa.dq, key->rsa.dqlen);
        hide_number(&block, &copy, key->rsa.iq, key->rsa.iqlen);
    }
    *key = (struct private_key){0};
    demand(read_key(key, &block, &error) == 0, error.text);
    pem_block_free(&block);
    pem_block_free(&copy);
}

static void keys_and_signatures(void)
{
    static const struct {
        const char *key, *certificate;
        uint16_t scheme;
    } cases[] = {
        {"ec-p256.key", "ec-p256.crt", 0x0403},
        {"ec-p384-pkcs8.key", "ec-p384.crt", 0x0503},
        {"ec-p521.key", "ec-p521.crt", 0x0603},
        {"rsa-2048.key", "rsa-2048.crt", 0x0804},
        {"rsa-2048-pkcs8.key", "rsa-2048.crt", 0x0806},
    };
    uint8_t hash[32] = {1}, signature[512];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tls_configuration configuration = server_client_configuration();
        struct certificate certificate = x509_certificate(cases[i].certificate);
        struct private_key key;
        struct error error;

        load_secret_key(&key, cases[i].key);
        demand(private_key_matches(&key, &certificate, &error) == 0, error.text);
        configuration.certificate = certificate.der;
        configuration.certificate_length = certificate.length;
        configuration.ec_key = key.type == BR_KEYTYPE_EC ? &key.ec : NULL;
        configuration.rsa_key = key.type == BR_KEYTYPE_RSA ? &key.rsa : NULL;
        demand(tls_signature_sign(cases[i].scheme, &configuration, hash, sizeof hash, signature) !=
                   0,
               cases[i].key);
        private_key_wipe(&key);
        certificate_free(&certificate);
    }
}

static void client_authentication(void)
{
    struct tls_configuration configuration = server_client_configuration();
    br_ec_private_key key = *configuration.ec_key;
    uint8_t scalar[32];

    memcpy(scalar, key.x, sizeof scalar); /* the server has the same key, and no secrets */
    MAKE_SECRET(scalar, sizeof scalar);
    key.x = scalar;
    configuration.ec_key = &key;
    start(&configuration, 0x1301, TLS_X25519);
    server.request_certificate = true;
    server_handshake(&server);
    demand(server.client_finished && server.client_certificate_length != 0, "authentication");
}

/* ---- P-384: every operation on the curve, also with scalars that ECDSA keeps public ---- */

static void multiply_by_secret(const uint8_t secret[48])
{
    uint8_t x[48], y[48], generator[97], point[97];
    size_t length;

    memcpy(generator, ec_all.generator(BR_EC_secp384r1, &length), sizeof generator);
    memcpy(x, secret, sizeof x);
    memcpy(y, secret, sizeof y);
    MAKE_SECRET(x, sizeof x);
    MAKE_SECRET(y, sizeof y);
    demand(ec_all.mulgen(point, x, sizeof x, BR_EC_secp384r1) == sizeof point, "mulgen");
    for (int i = 0; i < 3; i++) {
        memcpy(point, generator, sizeof point);
        if (i == 0)
            sink = ec_all.mul(point, sizeof point, x, sizeof x, BR_EC_secp384r1) & 0;
        else
            sink = ec_all.muladd(point, i == 1 ? NULL : generator, sizeof point, x, sizeof x, y,
                                 sizeof y, BR_EC_secp384r1) &
                   0;
    }
}

/* Ordinary ones, 0, n, and one at which the generator's last addition is a doubling. */
static void secret_scalars(void)
{
    static const uint8_t doubling[48] = {[7] = 2, [15] = 2, [23] = 2, [31] = 2, [39] = 2, [47] = 2};
    uint8_t scalar[48] = {0};
    size_t length;

    multiply_by_secret(scalar);
    multiply_by_secret(doubling);
    multiply_by_secret(ec_all.order(BR_EC_secp384r1, &length));
    for (size_t i = 0; i < sizeof scalar; i++)
        scalar[i] = (uint8_t)(151 * i + 7);
    multiply_by_secret(scalar);
}

/* ---- Base64 ---- */

static void digits(void)
{
    for (int c = 0; c < 256; c++) {
        int digit = c;

        MAKE_SECRET(&digit, sizeof digit);
        sink = (unsigned)digit_value(digit) & 0;
    }
}

static void base64(void)
{
    char text[] = "c2VjcmV0IGJ5dGVzIG9mIGEga2V5\nc2VjcmV0IGJ5dGVzIG9mIGEga2V5PDE+Pz8=\n";
    uint8_t out[sizeof text];

    for (size_t i = 0; text[i] != '\0'; i++) {
        if (text[i] != '\n' && text[i] != '=')
            MAKE_SECRET(&text[i], 1);
    }
    long length = base64_decode(out, text, sizeof text - 1);
    MAKE_PUBLIC(&length, sizeof length);
    demand(length == 47, "base64");
}

/* All digits between the BEGIN and the END line. */
static void pem(void)
{
    char *text = x509_file("ec-p384-pkcs8.key");
    const char *cursor = text;
    struct pem_block block;
    struct error error;

    char *end = strstr(text, "\n-----END");
    for (char *c = strchr(text, '\n'); c < end; c++) {
        if (*c != '\n' && *c != '=')
            MAKE_SECRET(c, 1);
    }
    int result = pem_next(&cursor, &block, &error);
    MAKE_PUBLIC(&result, sizeof result);
    MAKE_PUBLIC(&block, sizeof block);
    demand(result == 1 && block.length == 185, "PEM");
    pem_block_free(&block);
    free(text);
}

/* ---- */

static const struct {
    const char *name;
    void (*run)(void);
    bool leaks; /* must be reported */
} cases[] = {
    {"a branch on a secret is reported", branch_on_secret, true},
    {"an index by a secret is reported", index_by_secret, true},
    {"memcmp of a secret is reported", compare_with_memcmp, true},
    {"every suite and group", connections, false},
    {"the same without the CPU's AES", connections_without_hardware, false},
    {"stray ciphertexts of ML-KEM", stray_ciphertexts, false},
    {"wrong Finished", wrong_finished, false},
    {"wrong tag", wrong_tag, false},
    {"private keys and signatures", keys_and_signatures, false},
    {"client authentication", client_authentication, false},
    {"scalars of P-384", secret_scalars, false},
    {"digits of base64", digits, false},
    {"base64", base64, false},
    {"PEM", pem, false},
};

int main(void)
{
    unsigned failed = 0, count = sizeof cases / sizeof *cases;

    for (unsigned i = 0; i < count; i++) {
        unsigned long before = VALGRIND_COUNT_ERRORS;
        cases[i].run();
        unsigned long reports = VALGRIND_COUNT_ERRORS - before;
        bool good = (reports != 0) == cases[i].leaks;
        printf("  %-35s %4lu reports%s\n", cases[i].name, reports, good ? "" : ", FAILED");
        fflush(stdout);
        failed += !good;
    }
    printf("constant_time: %u passed, %u failed\n", count - failed, failed);
    return failed != 0;
}
