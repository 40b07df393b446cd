/* SPDX-License-Identifier: Apache-2.0 */
#include "tls_server.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"

/* A P-256 certificate and its key, in DER; tests/vectors/tls/server.sh made them. */
static uint8_t certificate[1024];
static size_t certificate_length;
static uint8_t key_bytes[32];
static br_ec_private_key key = {BR_EC_secp256r1, key_bytes, sizeof key_bytes};

static void demand(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "test server: %s\n", what);
    abort();
}

static size_t load(const char *name, uint8_t *out, size_t size)
{
    FILE *file = fopen(name, "rb");

    demand(file != NULL, name);
    size_t length = fread(out, 1, size, file);
    demand(length > 0 && length < size + 1, name);
    fclose(file);
    return length;
}

static void load_credentials(void)
{
    if (certificate_length != 0)
        return;
    certificate_length = load(VECTORS_DIR "/tls/server-p256.der", certificate, sizeof certificate);
    demand(load(VECTORS_DIR "/tls/server-p256.scalar", key_bytes, sizeof key_bytes) == 32, "key");
}

/* Deterministic: tests are repeatable, and nothing here needs secrets. */
static void weak_random(void *context, void *data, size_t length)
{
    static uint32_t state = 1;
    uint8_t *bytes = data;

    (void)context;
    for (size_t i = 0; i < length; i++) {
        state = state * 1664525 + 1013904223;
        bytes[i] = (uint8_t)(state >> 24);
    }
}

static int accept_ours(void *context, const uint8_t *const der[], const size_t length[],
                       size_t count)
{
    (void)context;
    if (count == 1 && length[0] == certificate_length &&
        memcmp(der[0], certificate, certificate_length) == 0)
        return 0;
    return TLS_ALERT_BAD_CERTIFICATE;
}

struct tls_configuration server_client_configuration(void)
{
    load_credentials();
    return (struct tls_configuration){
        .server_name = "server.example",
        .check_certificate = accept_ours,
        .certificate = certificate, /* client and server share one: nobody minds here */
        .certificate_length = certificate_length,
        .ec_key = &key,
        .random = weak_random,
    };
}

void server_init(struct server *server, struct tls *client)
{
    load_credentials();
    memset(server, 0, sizeof *server);
    server->client = client;
    server->suite_id = 0x1301;
    server->group = TLS_X25519;
    server->cookie_length = 6;
    server->record_version = 0x0303;
    server->alert = -1;
}

/* ---- Editing messages ---- */

void message_append(struct message *message, const void *data, size_t length)
{
    demand(message->length + length <= sizeof message->bytes, "message too long");
    memcpy(message->bytes + message->length, data, length);
    message->length += length;
}

void message_set_length(struct message *message)
{
    size_t length = message->length - 4;

    message->bytes[1] = (uint8_t)(length >> 16);
    message->bytes[2] = (uint8_t)(length >> 8);
    message->bytes[3] = (uint8_t)length;
}

void message_add_extension(struct message *message, size_t block, uint16_t type, const void *data,
                           size_t length)
{
    uint8_t header[4] = {(uint8_t)(type >> 8), (uint8_t)type, (uint8_t)(length >> 8),
                         (uint8_t)length};
    size_t total = (size_t)message->bytes[block] << 8 | message->bytes[block + 1];
    size_t end = block + 2 + total;
    size_t added = sizeof header + length;

    demand(message->length + added <= sizeof message->bytes, "message too long");
    memmove(message->bytes + end + added, message->bytes + end, message->length - end);
    memcpy(message->bytes + end, header, sizeof header);
    if (length != 0)
        memcpy(message->bytes + end + sizeof header, data, length);
    message->length += added;
    message->bytes[block] = (uint8_t)((total + added) >> 8);
    message->bytes[block + 1] = (uint8_t)(total + added);
    message_set_length(message);
}

/* ---- Records to the client ---- */

static void feed(struct tls *client, const uint8_t *data, size_t length)
{
    while (length != 0) {
        size_t room;
        uint8_t *input = tls_input(client, &room);
        if (room == 0)
            return; /* it has stopped, or waits for its reader */
        if (room > length)
            room = length;
        memcpy(input, data, room);
        tls_input_done(client, room);
        data += room;
        length -= room;
    }
}

void server_send_raw(struct server *server, const void *data, size_t length)
{
    demand(server->wire_length + length <= sizeof server->wire, "too much sent");
    memcpy(server->wire + server->wire_length, data, length);
    server->wire_length += length;
    if (!server->record_only)
        feed(server->client, data, length);
}

void server_send(struct server *server, int type, const void *data, size_t length)
{
    uint8_t record[TLS_MAX_RECORD];
    const uint8_t *bytes = data;

    do {
        size_t step = length < TLS_MAX_PLAINTEXT ? length : TLS_MAX_PLAINTEXT;
        size_t sealed =
            tls_record_seal(&server->write_keys, record, type, server->record_version, bytes, step);
        server_send_raw(server, record, sealed);
        bytes += step;
        length -= step;
    } while (length != 0);
}

void server_send_inner(struct server *server, int outer_type, const void *data, size_t length)
{
    /* Sealing takes the last byte as the type: it appends that one itself. */
    static uint8_t record[TLS_MAX_RECORD + 1024];
    const uint8_t *bytes = data;
    uint8_t header[TLS_RECORD_HEADER] = {
        (uint8_t)outer_type, 3, 3, (uint8_t)((length + TLS_TAG) >> 8), (uint8_t)(length + TLS_TAG)};
    struct tls_keys *keys = &server->write_keys;
    uint8_t nonce[12];

    demand(keys->suite->is_aes, "server_send_inner is for AES suites");
    memcpy(record, header, sizeof header);
    memcpy(record + sizeof header, bytes, length);
    memcpy(nonce, keys->iv, sizeof nonce);
    for (size_t i = 0; i < 8; i++)
        nonce[4 + i] ^= (uint8_t)(keys->sequence >> (56 - 8 * i));
    keys->sequence++;
    br_gcm_reset(&keys->gcm, nonce, sizeof nonce);
    br_gcm_aad_inject(&keys->gcm, header, sizeof header);
    br_gcm_flip(&keys->gcm);
    br_gcm_run(&keys->gcm, 1, record + sizeof header, length);
    br_gcm_get_tag(&keys->gcm, record + sizeof header + length);
    server_send_raw(server, record, sizeof header + length + TLS_TAG);
}

static void flush(struct server *server)
{
    if (server->pending_length != 0)
        server_send(server, TLS_HANDSHAKE_RECORD, server->pending, server->pending_length);
    server->pending_length = 0;
}

/* Let the test bend the message, add it to the transcript, send it. */
static void send_message(struct server *server, struct message *message)
{
    int type = message->bytes[0];

    if (server->tamper != NULL)
        server->tamper(server, message);
    if (server->before_send != NULL)
        server->before_send(server, type);
    if (message->length == 0) /* left out */
        return;
    tls_transcript_add(&server->transcript, message->bytes, message->length);
    if (server->one_record && type != TLS_SERVER_HELLO) {
        demand(server->pending_length + message->length <= sizeof server->pending, "flight");
        memcpy(server->pending + server->pending_length, message->bytes, message->length);
        server->pending_length += message->length;
    } else {
        server_send(server, TLS_HANDSHAKE_RECORD, message->bytes, message->length);
    }
}

/* ---- Records from the client ---- */

static void check_cookie(struct server *server, struct reader content)
{
    struct reader cookie = reader_vector(&content, 2);

    demand(reader_done(&content) && cookie.left == server->cookie_length, "cookie");
    for (size_t i = 0; i < cookie.left; i++)
        demand(cookie.data[i] == (uint8_t)i, "cookie's bytes");
    server->cookie_came = true;
}

static void client_hello(struct server *server, const uint8_t *data, size_t length)
{
    struct reader hello = reader_over(data, length);

    reader_bytes(&hello, 4 + 2 + 32);
    struct reader session_id = reader_vector(&hello, 1);
    reader_vector(&hello, 2);
    reader_vector(&hello, 1);
    struct reader extensions = reader_vector(&hello, 2);
    demand(reader_done(&hello) && session_id.left == 32, "ClientHello");
    memcpy(server->session_id, session_id.data, 32);
    server->client_share_length = 0;
    while (extensions.left != 0) {
        uint32_t type = reader_number(&extensions, 2);
        struct reader content = reader_vector(&extensions, 2);
        if (type == TLS_EXTENSION_COOKIE)
            check_cookie(server, content);
        if (type != TLS_EXTENSION_KEY_SHARE)
            continue;
        struct reader list = reader_vector(&content, 2);
        while (list.left != 0) {
            uint16_t group = (uint16_t)reader_number(&list, 2);
            struct reader share = reader_vector(&list, 2);
            demand(!list.bad && share.left <= sizeof server->client_share, "key share");
            if (group != server->group)
                continue;
            memcpy(server->client_share, share.data, share.left);
            server->client_share_length = share.left;
        }
    }
    tls_transcript_add(&server->transcript, data, length);
}

static void client_certificate_verify(struct server *server, const uint8_t *data, size_t length)
{
    br_x509_decoder_context decoder;
    uint8_t transcript[TLS_MAX_HASH];
    struct reader body = reader_over(data + 4, length - 4);
    uint16_t scheme = (uint16_t)reader_number(&body, 2);
    struct reader signature = reader_vector(&body, 2);

    br_x509_decoder_init(&decoder, NULL, NULL);
    br_x509_decoder_push(&decoder, server->client_certificate, server->client_certificate_length);
    tls_transcript_hash(&server->transcript, server->suite->hash, transcript);
    demand(br_x509_decoder_last_error(&decoder) == 0, "client certificate");
    demand(tls_signature_verify(scheme, br_x509_decoder_get_pkey(&decoder), false, transcript,
                                tls_hash_length(server->suite->hash), signature.data,
                                signature.left),
           "client's CertificateVerify");
}

static void client_finished(struct server *server, const uint8_t *data)
{
    uint8_t transcript[TLS_MAX_HASH], expected[TLS_MAX_HASH];
    size_t length = tls_hash_length(server->suite->hash);

    tls_transcript_hash(&server->transcript, server->suite->hash, transcript);
    tls_finished_data(server->suite->hash, server->client_secret, transcript, expected);
    demand(memcmp(expected, data + 4, length) == 0, "client's Finished");
    server->client_finished = true;
    tls_schedule_traffic(server->suite->hash, server->client_secret, server->secret, "c ap traffic",
                         server->finished_hash);
    tls_keys_set(&server->read_keys, server->suite, server->client_secret);
}

static void client_message(struct server *server, const uint8_t *data, size_t length)
{
    struct reader body = reader_over(data + 4, length - 4);

    switch (data[0]) {
    case TLS_CLIENT_HELLO:
        client_hello(server, data, length);
        return;
    case TLS_CERTIFICATE: {
        reader_vector(&body, 1);
        struct reader list = reader_vector(&body, 3);
        struct reader first = reader_vector(&list, 3);
        if (!first.bad) {
            memcpy(server->client_certificate, first.data, first.left);
            server->client_certificate_length = first.left;
        }
        break;
    }
    case TLS_CERTIFICATE_VERIFY:
        client_certificate_verify(server, data, length);
        break;
    case TLS_FINISHED:
        client_finished(server, data);
        return;
    case TLS_KEY_UPDATE:
        server->key_updates++;
        tls_schedule_update(server->suite->hash, server->client_secret);
        tls_keys_set(&server->read_keys, server->suite, server->client_secret);
        return;
    default:
        demand(false, "unknown message from the client");
    }
    tls_transcript_add(&server->transcript, data, length);
}

/* Messages may span records. */
static void client_messages(struct server *server, const uint8_t *data, size_t length)
{
    size_t size, at = 0;

    demand(server->partial_length + length <= sizeof server->partial, "message from the client");
    memcpy(server->partial + server->partial_length, data, length);
    length += server->partial_length;
    while (length - at >= 4 && (size = 4 + ((size_t)server->partial[at + 1] << 16 |
                                            (size_t)server->partial[at + 2] << 8 |
                                            server->partial[at + 3])) <= length - at) {
        client_message(server, server->partial + at, size);
        at += size;
    }
    memmove(server->partial, server->partial + at, length - at);
    server->partial_length = length - at;
}

static void client_record(struct server *server, uint8_t *record, size_t length)
{
    int type = record[0];
    uint8_t *body = record + TLS_RECORD_HEADER;

    length -= TLS_RECORD_HEADER;
    if (type == TLS_CHANGE_CIPHER_SPEC)
        return;
    if (server->read_keys.suite != NULL && server->keys_differ)
        return;
    if (server->read_keys.suite != NULL && type == TLS_APPLICATION_DATA) {
        demand(tls_record_open(&server->read_keys, record, body, &length),
               "record from the client");
        type = body[--length];
    }
    switch (type) {
    case TLS_ALERT:
        demand(length == 2, "alert from the client");
        server->alert = body[1];
        break;
    case TLS_APPLICATION_DATA:
        demand(server->data_length + length <= sizeof server->data, "data from the client");
        memcpy(server->data + server->data_length, body, length);
        server->data_length += length;
        break;
    default:
        client_messages(server, body, length);
    }
}

void server_receive(struct server *server)
{
    for (;;) {
        static uint8_t record[TLS_MAX_RECORD];
        size_t available;
        const uint8_t *output = tls_output(server->client, &available);
        if (available == 0)
            return;
        size_t length = TLS_RECORD_HEADER + ((size_t)output[3] << 8 | output[4]);
        demand(length <= available && length <= sizeof record, "half a record from the client");
        memcpy(record, output, length);
        tls_output_done(server->client, length);
        client_record(server, record, length);
    }
}

/* ---- The server's messages ---- */

static struct writer begin(struct message *message, int type)
{
    struct writer writer = {.data = message->bytes, .capacity = sizeof message->bytes};

    writer_number(&writer, 1, (uint32_t)type);
    writer_number(&writer, 3, 0);
    return writer;
}

static void end(struct message *message, const struct writer *writer)
{
    demand(!writer->bad, "message too long");
    message->length = writer->length;
    message_set_length(message);
}

static struct writer begin_hello(struct server *server, struct message *message,
                                 const uint8_t *random)
{
    struct writer writer = begin(message, TLS_SERVER_HELLO);

    writer_number(&writer, 2, 0x0303);
    writer_bytes(&writer, random, 32);
    writer_number(&writer, 1, 32);
    writer_bytes(&writer, server->session_id, 32);
    writer_number(&writer, 2, server->suite_id);
    writer_number(&writer, 1, 0);
    return writer;
}

static void hello_retry_request(struct server *server)
{
    static const char text[] = "HelloRetryRequest";
    static struct message message;
    br_sha256_context hash;
    uint8_t random[32];

    br_sha256_init(&hash);
    br_sha256_update(&hash, text, sizeof text - 1);
    br_sha256_out(&hash, random);
    struct writer writer = begin_hello(server, &message, random);
    size_t block = writer_open(&writer, 2);
    writer_number(&writer, 2, TLS_EXTENSION_SUPPORTED_VERSIONS);
    writer_number(&writer, 2, 2);
    writer_number(&writer, 2, 0x0304);
    if (server->client_share_length == 0) {
        writer_number(&writer, 2, TLS_EXTENSION_KEY_SHARE);
        writer_number(&writer, 2, 2);
        writer_number(&writer, 2, server->group);
    }
    if (server->send_retry) {
        writer_number(&writer, 2, TLS_EXTENSION_COOKIE);
        size_t extension = writer_open(&writer, 2);
        size_t cookie = writer_open(&writer, 2);
        for (size_t i = 0; i < server->cookie_length; i++)
            writer_number(&writer, 1, i & 255);
        writer_close(&writer, cookie, 2);
        writer_close(&writer, extension, 2);
    }
    writer_close(&writer, block, 2);
    end(&message, &writer);
    tls_transcript_retry(&server->transcript, server->suite->hash);
    server->retried = true;
    send_message(server, &message);
}

/* Our share for the client's, and the secret. */
static void exchange_keys(struct server *server, struct writer *share, uint8_t *shared,
                          size_t *length)
{
    static struct tls_key_exchange exchange;
    uint16_t curve = server->group == TLS_X25519MLKEM768 ? TLS_X25519 : server->group;
    size_t offset = 0;

    if (server->group == TLS_X25519MLKEM768) {
        uint8_t random[32], ciphertext[MLKEM768_CIPHERTEXT];

        weak_random(NULL, random, sizeof random);
        demand(mlkem768_encapsulate(server->client_share, random, ciphertext, shared),
               "client's encapsulation key");
        writer_bytes(share, ciphertext, sizeof ciphertext);
        offset = MLKEM768_ENCAPSULATION_KEY;
        shared += MLKEM768_SECRET;
    }
    tls_key_exchange_start(&exchange, curve, weak_random, NULL);
    writer_bytes(share, exchange.point, exchange.point_length);
    *length = tls_key_exchange_finish(&exchange, curve, server->client_share + offset,
                                      server->client_share_length - offset, shared);
    demand(*length != 0, "client's key share");
    if (offset != 0)
        *length += MLKEM768_SECRET;
}

static void server_hello(struct server *server)
{
    static struct message message;
    uint8_t random[32], shared[TLS_MAX_SECRET], transcript[TLS_MAX_HASH];
    const br_hash_class *hash = server->suite->hash;
    size_t length;

    weak_random(NULL, random, sizeof random);
    struct writer writer = begin_hello(server, &message, random);
    size_t block = writer_open(&writer, 2);
    writer_number(&writer, 2, TLS_EXTENSION_SUPPORTED_VERSIONS);
    writer_number(&writer, 2, 2);
    writer_number(&writer, 2, 0x0304);
    writer_number(&writer, 2, TLS_EXTENSION_KEY_SHARE);
    size_t extension = writer_open(&writer, 2);
    writer_number(&writer, 2, server->group);
    size_t share = writer_open(&writer, 2);
    exchange_keys(server, &writer, shared, &length);
    writer_close(&writer, share, 2);
    writer_close(&writer, extension, 2);
    writer_close(&writer, block, 2);
    end(&message, &writer);
    send_message(server, &message);

    tls_transcript_hash(&server->transcript, hash, transcript);
    tls_schedule_handshake(hash, server->secret, shared, length);
    tls_schedule_traffic(hash, server->client_secret, server->secret, "c hs traffic", transcript);
    tls_schedule_traffic(hash, server->server_secret, server->secret, "s hs traffic", transcript);
    tls_keys_set(&server->write_keys, server->suite, server->server_secret);
    tls_keys_set(&server->read_keys, server->suite, server->client_secret);
}

static void encrypted_extensions(struct server *server)
{
    static struct message message;
    struct writer writer = begin(&message, TLS_ENCRYPTED_EXTENSIONS);

    writer_number(&writer, 2, 0);
    end(&message, &writer);
    send_message(server, &message);
}

static void certificate_request(struct server *server)
{
    static const uint8_t body[] = {0, 0, 12, 0, 13, 0, 8, 0, 6, 8, 4, 4, 3, 8, 7};
    static struct message message;
    struct writer writer = begin(&message, TLS_CERTIFICATE_REQUEST);

    writer_bytes(&writer, body, sizeof body);
    end(&message, &writer);
    send_message(server, &message);
}

static void server_certificate(struct server *server)
{
    static struct message message;
    struct writer writer = begin(&message, TLS_CERTIFICATE);

    writer_number(&writer, 1, 0);
    size_t list = writer_open(&writer, 3);
    writer_number(&writer, 3, (uint32_t)certificate_length);
    writer_bytes(&writer, certificate, certificate_length);
    writer_number(&writer, 2, 0);
    writer_close(&writer, list, 3);
    end(&message, &writer);
    send_message(server, &message);
}

static void certificate_verify(struct server *server)
{
    static struct message message;
    static const char text[] = "TLS 1.3, server CertificateVerify";
    struct writer writer = begin(&message, TLS_CERTIFICATE_VERIFY);
    uint8_t transcript[TLS_MAX_HASH], spaces[64], digest[32], signature[80];
    br_sha256_context hash;

    tls_transcript_hash(&server->transcript, server->suite->hash, transcript);
    memset(spaces, ' ', sizeof spaces);
    br_sha256_init(&hash);
    br_sha256_update(&hash, spaces, sizeof spaces);
    br_sha256_update(&hash, text, sizeof text);
    br_sha256_update(&hash, transcript, tls_hash_length(server->suite->hash));
    br_sha256_out(&hash, digest);
    size_t length =
        br_ecdsa_i31_sign_asn1(&br_ec_all_m31, &br_sha256_vtable, digest, &key, signature);
    writer_number(&writer, 2, 0x0403);
    size_t vector = writer_open(&writer, 2);
    writer_bytes(&writer, signature, length);
    writer_close(&writer, vector, 2);
    end(&message, &writer);
    send_message(server, &message);
}

static void finished(struct server *server)
{
    static struct message message;
    struct writer writer = begin(&message, TLS_FINISHED);
    const br_hash_class *hash = server->suite->hash;
    uint8_t transcript[TLS_MAX_HASH], verify_data[TLS_MAX_HASH];

    tls_transcript_hash(&server->transcript, hash, transcript);
    tls_finished_data(hash, server->server_secret, transcript, verify_data);
    writer_bytes(&writer, verify_data, tls_hash_length(hash));
    end(&message, &writer);
    send_message(server, &message);
    flush(server);

    tls_transcript_hash(&server->transcript, hash, transcript);
    tls_schedule_master(hash, server->secret);
    tls_schedule_traffic(hash, server->server_secret, server->secret, "s ap traffic", transcript);
    tls_keys_set(&server->write_keys, server->suite, server->server_secret);
    memcpy(server->finished_hash, transcript, sizeof transcript);
}

void server_update_keys(struct server *server)
{
    tls_schedule_update(server->suite->hash, server->server_secret);
    tls_keys_set(&server->write_keys, server->suite, server->server_secret);
}

void server_handshake(struct server *server)
{
    server->suite = tls_suite_find(server->suite_id);
    tls_transcript_start(&server->transcript);
    server_receive(server);
    if (server->client_share_length == 0 || server->send_retry) {
        hello_retry_request(server);
        server_receive(server);
        if (server->alert >= 0 || server->client_share_length == 0)
            return;
    }
    server_hello(server);
    encrypted_extensions(server);
    if (server->request_certificate)
        certificate_request(server);
    server_certificate(server);
    certificate_verify(server);
    finished(server);
    server_receive(server);
}
