/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The traces of RFC 8448 against the engine, byte for byte: it is given the client's hellos,
 * ephemeral keys and, as RSA-PSS is randomised, the signature; every record it sends must then be
 * the recorded one, every record the server sent must be accepted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tls/internal.h"
#include "vectors.h"

/* Everything of signature.c but signing, which stays within reach under another name. */
static size_t sign_afresh(uint16_t scheme, const struct tls_configuration *configuration,
                          const uint8_t *transcript_hash, size_t hash_length, uint8_t *out);
#define tls_signature_sign sign_afresh
#include "tls/signature.c"
#undef tls_signature_sign

static struct vectors trace;
static struct tls tls;

static void open_trace(const char *name)
{
    static char path[256];

    snprintf(path, sizeof path, "%s/rfc8448/%s.txt", VECTORS_DIR, name);
    vectors_open(&trace, path);
    assert_true(vectors_next(&trace));
}

/* ---- What the traces' client did by chance ---- */

static void use_ephemeral_key(struct tls_key_exchange *exchange, uint16_t group, const char *name)
{
    exchange->group = group;
    exchange->private_length = vectors_hex(&trace, name, exchange->private_key, 32);
    exchange->point_length = br_ec_all_m31.mulgen(exchange->point, exchange->private_key,
                                                  exchange->private_length, group);
}

static void note_offers(struct tls *client, struct reader hello)
{
    reader_bytes(&hello, 4 + 2 + 32);
    struct reader session_id = reader_vector(&hello, 1);
    assert_non_null(session_id.data);
    client->session_id_length = session_id.left;
    memcpy(client->session_id, session_id.data, session_id.left);
    reader_vector(&hello, 2); /* suites */
    reader_vector(&hello, 1); /* compression methods */
    struct reader extensions = reader_vector(&hello, 2);
    while (extensions.left != 0 && !extensions.bad) {
        uint32_t type = reader_number(&extensions, 2);
        reader_vector(&extensions, 2);
        if (type < 64)
            client->offered |= UINT64_C(1) << type;
    }
    assert_true(reader_done(&hello) && reader_done(&extensions));
}

/* In the place of client_hello.c. */
void tls_client_hello(struct tls *client, struct writer *writer)
{
    bool second = client->expectation != TLS_WAIT_SERVER_HELLO;
    bool retried = vectors_have(&trace, "client_record_client_hello_1");
    uint8_t record[1024];
    size_t length = vectors_hex(
        &trace, retried && !second ? "client_record_client_hello_1" : "client_record_client_hello",
        record, sizeof record);

    writer_bytes(writer, record + TLS_RECORD_HEADER, length - TLS_RECORD_HEADER);
    note_offers(client, reader_over(record + TLS_RECORD_HEADER, length - TLS_RECORD_HEADER));
    if (second)
        assert_int_equal(client->retry_group, TLS_SECP256R1);
    use_ephemeral_key(&client->exchange, second ? TLS_SECP256R1 : TLS_X25519,
                      second ? "p256_private" : "x25519_private");
}

size_t tls_signature_sign(uint16_t scheme, const struct tls_configuration *configuration,
                          const uint8_t *transcript_hash, size_t hash_length, uint8_t *out)
{
    uint8_t message[256];

    if (!vectors_have(&trace, "client_certificate_verify"))
        return sign_afresh(scheme, configuration, transcript_hash, hash_length, out);
    size_t length = vectors_hex(&trace, "client_certificate_verify", message, sizeof message);
    memcpy(out, message + 8, length - 8); /* behind header, scheme and length */
    return length - 8;
}

/* ---- Playing a trace ---- */

/* The one certificate of a recorded Certificate message. */
static struct reader certificate_of(const char *name, uint8_t *message, size_t size)
{
    struct reader reader = reader_over(message, vectors_hex(&trace, name, message, size));

    reader_bytes(&reader, 4 + 1 + 3);
    struct reader certificate = reader_vector(&reader, 3);
    assert_false(certificate.bad);
    return certificate;
}

static int check_certificate(void *context, const uint8_t *const der[], const size_t length[],
                             size_t count)
{
    uint8_t message[1024];
    struct reader expected = certificate_of("server_certificate", message, sizeof message);

    (void)context;
    assert_int_equal(count, 1);
    assert_int_equal(length[0], expected.left);
    assert_memory_equal(der[0], expected.data, expected.left);
    return 0;
}

static void no_random(void *context, void *data, size_t length)
{
    (void)context;
    (void)data;
    (void)length;
    fail_msg("the engine wants random bytes where the trace has them all");
}

static void start(const char *name)
{
    static uint8_t message[1024];
    static const br_rsa_private_key any_key = {.n_bitlen = 1024};
    struct tls_configuration configuration = {
        .server_name = "server",
        .check_certificate = check_certificate,
        .random = no_random,
    };

    open_trace(name);
    if (vectors_have(&trace, "client_certificate")) {
        struct reader certificate = certificate_of("client_certificate", message, sizeof message);
        configuration.certificate = certificate.data;
        configuration.certificate_length = certificate.left;
        configuration.rsa_key = &any_key;
    }
    tls_start(&tls, &configuration);
}

static void expect_sent(const char *name)
{
    uint8_t record[1024];
    size_t expected = vectors_hex(&trace, name, record, sizeof record), length;
    const uint8_t *sent = tls_output(&tls, &length);

    assert_true(length >= expected);
    assert_memory_equal(sent, record, expected);
    tls_output_done(&tls, expected);
}

static void expect_nothing_sent(void)
{
    size_t length;

    tls_output(&tls, &length);
    assert_int_equal(length, 0);
}

/* Let the engine receive a record, at most step bytes at a time. */
static void receive(const char *name, size_t step)
{
    uint8_t record[1024];
    size_t left = vectors_hex(&trace, name, record, sizeof record);

    for (const uint8_t *next = record; left != 0;) {
        size_t room;
        uint8_t *input = tls_input(&tls, &room);
        size_t length = left < step ? left : step;
        assert_true(room >= length);
        memcpy(input, next, length);
        tls_input_done(&tls, length);
        next += length;
        left -= length;
    }
    if (tls_state(&tls) == TLS_FAILED)
        fail_msg("%s: the server %s", name, tls_failure(&tls));
}

static void expect_read(const char *name)
{
    uint8_t expected[256], data[256];
    size_t length = vectors_hex(&trace, name, expected, sizeof expected);

    assert_int_equal(tls_read(&tls, data, sizeof data), length);
    assert_memory_equal(data, expected, length);
}

static void finish(size_t step)
{
    tls_close(&tls);
    expect_sent("client_record_close_notify");
    receive("server_record_close_notify", step);
    assert_int_equal(tls_state(&tls), TLS_CLOSED);
    expect_nothing_sent();
    tls_wipe(&tls);
    vectors_close(&trace);
}

static void play_simple_1rtt(size_t step)
{
    uint8_t data[256];

    start("simple-1rtt");
    expect_sent("client_record_client_hello");
    receive("server_record_server_hello", step);
    receive("server_record_flight", step);
    assert_int_equal(tls_state(&tls), TLS_OPEN);
    expect_sent("client_record_finished");
    receive("server_record_new_session_ticket", step);
    expect_nothing_sent();
    size_t length = vectors_hex(&trace, "client_data", data, sizeof data);
    assert_int_equal(tls_write(&tls, data, length), length);
    expect_sent("client_record_data");
    receive("server_record_data", step);
    expect_read("server_data");
    finish(step);
}

static void play_hello_retry_request(size_t step)
{
    start("hello-retry-request");
    expect_sent("client_record_client_hello_1");
    receive("server_record_hello_retry_request", step);
    expect_sent("client_record_client_hello");
    receive("server_record_server_hello", step);
    receive("server_record_flight", step);
    assert_int_equal(tls_state(&tls), TLS_OPEN);
    expect_sent("client_record_finished");
    finish(step);
}

static void play_client_authentication(size_t step)
{
    start("client-authentication");
    expect_sent("client_record_client_hello");
    receive("server_record_server_hello", step);
    receive("server_record_flight", step);
    assert_int_equal(tls_state(&tls), TLS_OPEN);
    expect_sent("client_record_flight");
    finish(step);
}

static void play_compatibility_mode(size_t step)
{
    start("compatibility-mode");
    expect_sent("client_record_client_hello");
    receive("server_record_server_hello", step);
    receive("server_record_change_cipher_spec", step);
    receive("server_record_flight", step);
    assert_int_equal(tls_state(&tls), TLS_OPEN);
    expect_sent("client_record_change_cipher_spec");
    expect_sent("client_record_finished");
    finish(step);
}

/* Record by record, byte by byte, and in pieces that fit neither headers nor messages. */
static void play_in_steps(void (*play)(size_t step))
{
    play(SIZE_MAX);
    play(1);
    play(7);
}

static void test_simple_1rtt(void **state)
{
    (void)state;
    play_in_steps(play_simple_1rtt);
}

static void test_hello_retry_request(void **state)
{
    (void)state;
    play_in_steps(play_hello_retry_request);
}

static void test_client_authentication(void **state)
{
    (void)state;
    play_in_steps(play_client_authentication);
}

static void test_compatibility_mode(void **state)
{
    (void)state;
    play_in_steps(play_compatibility_mode);
}

/* ---- The key schedule by itself, so that a fault is found where it is ---- */

static const br_hash_class *const sha256 = &br_sha256_vtable;

static void expect_hex(const char *name, const uint8_t *actual)
{
    uint8_t expected[64];
    size_t length = vectors_hex(&trace, name, expected, sizeof expected);

    if (memcmp(actual, expected, length) != 0)
        fail_msg("%s: %s differs", trace.path, name);
}

static void expect_keys(const char *direction, const uint8_t *secret)
{
    char name[64];
    uint8_t key[16], iv[12];

    tls_hkdf_expand_label(sha256, key, sizeof key, secret, "key", NULL, 0);
    tls_hkdf_expand_label(sha256, iv, sizeof iv, secret, "iv", NULL, 0);
    snprintf(name, sizeof name, "%s_key", direction);
    expect_hex(name, key);
    snprintf(name, sizeof name, "%s_iv", direction);
    expect_hex(name, iv);
}

static void expect_traffic_secret(const char *direction, const char *label, const uint8_t *secret,
                                  const uint8_t *transcript_hash)
{
    char name[64];
    uint8_t traffic[TLS_MAX_HASH];

    tls_schedule_traffic(sha256, traffic, secret, label, transcript_hash);
    snprintf(name, sizeof name, "%s_secret", direction);
    expect_hex(name, traffic);
    expect_keys(direction, traffic);
}

/* Add a recorded message, skipping the record header where there is one. */
static void add_message(struct tls_transcript *transcript, const char *name, size_t skip)
{
    uint8_t message[1024];

    if (vectors_have(&trace, name)) {
        size_t length = vectors_hex(&trace, name, message, sizeof message);
        tls_transcript_add(transcript, message + skip, length - skip);
    }
}

/* A recorded Finished holds what follows from the secret and the transcript before it. */
static void expect_finished(const char *name, const char *secret_name,
                            const struct tls_transcript *transcript)
{
    uint8_t message[64], secret[TLS_MAX_HASH], hash[TLS_MAX_HASH], verify_data[TLS_MAX_HASH];

    assert_int_equal(vectors_hex(&trace, name, message, sizeof message), 4 + 32);
    vectors_hex(&trace, secret_name, secret, sizeof secret);
    tls_transcript_hash(transcript, sha256, hash);
    tls_finished_data(sha256, secret, hash, verify_data);
    assert_memory_equal(verify_data, message + 4, 32);
}

static void check_schedule(const char *name)
{
    struct tls_transcript transcript;
    uint8_t shared[64], secret[TLS_MAX_HASH], hash[TLS_MAX_HASH];

    open_trace(name);
    tls_transcript_start(&transcript);
    if (vectors_have(&trace, "client_record_client_hello_1")) {
        add_message(&transcript, "client_record_client_hello_1", TLS_RECORD_HEADER);
        tls_transcript_retry(&transcript, sha256);
        add_message(&transcript, "server_record_hello_retry_request", TLS_RECORD_HEADER);
    }
    add_message(&transcript, "client_record_client_hello", TLS_RECORD_HEADER);
    add_message(&transcript, "server_record_server_hello", TLS_RECORD_HEADER);
    tls_transcript_hash(&transcript, sha256, hash);
    expect_hex("hash_server_hello", hash);

    size_t length = vectors_hex(&trace, "shared_secret", shared, sizeof shared);
    tls_schedule_handshake(sha256, secret, shared, length);
    expect_hex("handshake_secret", secret);
    expect_traffic_secret("client_handshake", "c hs traffic", secret, hash);
    expect_traffic_secret("server_handshake", "s hs traffic", secret, hash);

    add_message(&transcript, "encrypted_extensions", 0);
    add_message(&transcript, "certificate_request", 0);
    add_message(&transcript, "server_certificate", 0);
    add_message(&transcript, "server_certificate_verify", 0);
    expect_finished("server_finished", "server_handshake_secret", &transcript);
    add_message(&transcript, "server_finished", 0);
    tls_transcript_hash(&transcript, sha256, hash);
    expect_hex("hash_server_finished", hash);

    tls_schedule_master(sha256, secret);
    expect_hex("master_secret", secret);
    expect_traffic_secret("client_application", "c ap traffic", secret, hash);
    expect_traffic_secret("server_application", "s ap traffic", secret, hash);
    add_message(&transcript, "client_certificate", 0);
    add_message(&transcript, "client_certificate_verify", 0);
    expect_finished("client_finished", "client_handshake_secret", &transcript);
    vectors_close(&trace);
}

static void test_key_schedule(void **state)
{
    (void)state;
    check_schedule("simple-1rtt");
    check_schedule("hello-retry-request");
    check_schedule("client-authentication");
    check_schedule("compatibility-mode");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_key_schedule),        cmocka_unit_test(test_simple_1rtt),
        cmocka_unit_test(test_hello_retry_request), cmocka_unit_test(test_client_authentication),
        cmocka_unit_test(test_compatibility_mode),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
