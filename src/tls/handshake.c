/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/internal.h"

#include "base/bytes.h"

static int decode_error(struct tls *tls, const char *message)
{
    return tls_fail(tls, TLS_ALERT_DECODE_ERROR, "sent a malformed %s", message);
}

/* ---- ServerHello: keys for the rest of the handshake ---- */

static int after_server_hello(struct tls *tls)
{
    const br_hash_class *hash = tls->suite->hash;
    uint8_t transcript[TLS_MAX_HASH];

    tls_transcript_hash(&tls->transcript, hash, transcript);
    tls_schedule_traffic(hash, tls->client_secret, tls->secret, "c hs traffic", transcript);
    tls_schedule_traffic(hash, tls->server_secret, tls->secret, "s hs traffic", transcript);
    tls_keys_set(&tls->write_keys, tls->suite, tls->client_secret);
    tls_keys_set(&tls->read_keys, tls->suite, tls->server_secret);
    return 0;
}

/* ---- EncryptedExtensions (RFC 9846 4.4.1) ---- */

static int receive_encrypted_extensions(struct tls *tls, struct reader *body)
{
    struct reader extensions = reader_vector(body, 2), content;
    uint64_t seen = 0;
    uint16_t type;
    int more;

    if (!reader_done(body))
        return decode_error(tls, "EncryptedExtensions");
    while ((more = tls_next_extension(tls, &extensions, TLS_IN_ENCRYPTED_EXTENSIONS, &seen, &type,
                                      &content)) > 0) {
        /* server_name is an acknowledgement, empty; supported_groups a hint for later. */
        if (type == TLS_EXTENSION_SERVER_NAME && content.left != 0)
            return decode_error(tls, "server_name extension");
    }
    return more;
}

/* ---- CertificateRequest (RFC 9846 4.4.2) ---- */

/* The one that fits our key goes to tls->signature_scheme. */
static int choose_signature_scheme(struct tls *tls, struct reader content)
{
    struct reader list = reader_vector(&content, 2);

    if (!reader_done(&content) || list.left == 0 || list.left % 2 != 0)
        return decode_error(tls, "signature_algorithms extension");
    tls->signature_scheme = tls_signature_choose(&tls->configuration, list);
    return 0;
}

/* Names of authorities, none empty. LXD knows our certificate by itself: they change nothing. */
static int check_authorities(struct tls *tls, struct reader content)
{
    struct reader list = reader_vector(&content, 2);
    bool any = list.left != 0, empty = false;

    while (list.left != 0 && !list.bad)
        empty |= reader_vector(&list, 2).left == 0;
    if (!reader_done(&content) || list.bad || empty || !any)
        return decode_error(tls, "certificate_authorities extension");
    return 0;
}

static int receive_certificate_request(struct tls *tls, struct reader *body)
{
    struct reader context = reader_vector(body, 1);
    struct reader extensions = reader_vector(body, 2), content;
    uint64_t seen = 0;
    uint16_t type;
    int more, result = 0;

    if (!reader_done(body))
        return decode_error(tls, "CertificateRequest");
    if (context.left != 0)
        return tls_fail(tls, TLS_ALERT_ILLEGAL_PARAMETER,
                        "sent a CertificateRequest with a context during the handshake");
    /* Unknown extensions are ignored here: these are the server's offers, not its answers. */
    while ((more = tls_next_extension(tls, &extensions, TLS_IN_CERTIFICATE_REQUEST, &seen, &type,
                                      &content)) > 0) {
        if (type == TLS_EXTENSION_SIGNATURE_ALGORITHMS)
            result = choose_signature_scheme(tls, content);
        else if (type == TLS_EXTENSION_CERTIFICATE_AUTHORITIES)
            result = check_authorities(tls, content);
        if (result != 0)
            return -1;
    }
    if (more == 0 && (seen >> TLS_EXTENSION_SIGNATURE_ALGORITHMS & 1) == 0)
        return tls_fail(tls, TLS_ALERT_MISSING_EXTENSION,
                        "sent a CertificateRequest without signature_algorithms");
    tls->certificate_requested = true;
    return more;
}

/* ---- Certificate (RFC 9846 4.5.1) ---- */

static int decode_server_key(struct tls *tls, const uint8_t *der, size_t length)
{
    struct der info;

    if (!public_key_find(&info, der, length))
        return tls_fail(tls, TLS_ALERT_BAD_CERTIFICATE, "has a malformed certificate");
    const char *fault = public_key_read(&tls->server_key, info);
    if (fault == NULL && tls->server_key.pss_only)
        fault = "an RSASSA-PSS key, which is not supported";
    if (fault != NULL)
        return tls_fail(tls, TLS_ALERT_UNSUPPORTED_CERTIFICATE, "has a certificate with %s", fault);
    public_key_keep(&tls->server_key, tls->server_key_bytes);
    return 0;
}

static int check_server_chain(struct tls *tls, const uint8_t *const der[], const size_t length[],
                              size_t count)
{
    const struct tls_configuration *configuration = &tls->configuration;
    int alert = TLS_ALERT_BAD_CERTIFICATE;

    if (configuration->check_certificate != NULL)
        alert = configuration->check_certificate(configuration->check_context, der, length, count);
    if (alert == 0)
        return 0;
    tls_fail(tls, (enum tls_alert)alert, "has a certificate that is not the expected one");
    tls->origin = TLS_ORIGIN_CERTIFICATE;
    return -1;
}

/* None is legal: neither OCSP nor SCT was asked for. */
static int check_entry_extensions(struct tls *tls, struct reader extensions)
{
    struct reader content;
    uint64_t seen = 0;
    uint16_t type;

    return tls_next_extension(tls, &extensions, TLS_IN_CERTIFICATE, &seen, &type, &content);
}

static int receive_certificate(struct tls *tls, struct reader *body)
{
    const uint8_t *der[TLS_MAX_CHAIN];
    size_t length[TLS_MAX_CHAIN];
    size_t count = 0;
    struct reader context = reader_vector(body, 1);
    struct reader list = reader_vector(body, 3);

    if (!reader_done(body) || list.left == 0)
        return decode_error(tls, "Certificate");
    if (context.left != 0)
        return tls_fail(tls, TLS_ALERT_ILLEGAL_PARAMETER, "sent a Certificate with a context");
    while (list.left != 0) {
        struct reader certificate = reader_vector(&list, 3);
        struct reader extensions = reader_vector(&list, 2);
        if (list.bad || certificate.left == 0)
            return decode_error(tls, "Certificate");
        if (check_entry_extensions(tls, extensions) != 0)
            return -1;
        if (count == TLS_MAX_CHAIN)
            return tls_fail(tls, TLS_ALERT_BAD_CERTIFICATE, "sent more than %d certificates",
                            TLS_MAX_CHAIN);
        der[count] = certificate.data;
        length[count++] = certificate.left;
    }
    if (check_server_chain(tls, der, length, count) != 0)
        return -1;
    return decode_server_key(tls, der[0], length[0]);
}

/* ---- CertificateVerify (RFC 9846 4.5.2) ---- */

static int receive_certificate_verify(struct tls *tls, struct reader *body)
{
    const br_x509_pkey *key = &tls->server_key.key;
    uint16_t scheme = (uint16_t)reader_number(body, 2);
    struct reader signature = reader_vector(body, 2);
    const br_hash_class *hash = tls->suite->hash;
    uint8_t transcript[TLS_MAX_HASH];

    if (!reader_done(body))
        return decode_error(tls, "CertificateVerify");
    if (!tls_signature_acceptable(scheme))
        return tls_fail(tls, TLS_ALERT_ILLEGAL_PARAMETER,
                        "signed with scheme 0x%04x, which was not offered", scheme);
    if (!tls_signature_fits(scheme, key))
        return tls_fail(tls, TLS_ALERT_ILLEGAL_PARAMETER,
                        "signed with scheme 0x%04x, which does not fit its certificate", scheme);
    tls_transcript_hash(&tls->transcript, hash, transcript);
    if (!tls_signature_verify(scheme, key, true, transcript, tls_hash_length(hash), signature.data,
                              signature.left))
        return tls_fail(tls, TLS_ALERT_DECRYPT_ERROR,
                        "does not hold the private key of its certificate");
    return 0;
}

/* ---- Finished (RFC 9846 4.5.3), and our own flight ---- */

static int receive_finished(struct tls *tls, struct reader *body)
{
    const br_hash_class *hash = tls->suite->hash;
    size_t length = tls_hash_length(hash);
    uint8_t transcript[TLS_MAX_HASH], expected[TLS_MAX_HASH];

    tls_transcript_hash(&tls->transcript, hash, transcript);
    tls_finished_data(hash, tls->server_secret, transcript, expected);
    const uint8_t *sent = reader_bytes(body, length);
    if (!reader_done(body))
        return decode_error(tls, "Finished");
    if (!bytes_equal_ct(sent, expected, length))
        return tls_fail(tls, TLS_ALERT_DECRYPT_ERROR,
                        "sent a Finished that does not match the handshake");
    return 0;
}

/* Close the message that was opened at `start` and add it to the transcript. */
static void end_message(struct tls *tls, struct writer *flight, size_t start, size_t opened)
{
    writer_close(flight, opened, 3);
    if (!flight->bad)
        tls_transcript_add(&tls->transcript, flight->data + start, flight->length - start);
}

static void write_certificate(struct tls *tls, struct writer *flight)
{
    size_t start = flight->length;

    writer_number(flight, 1, TLS_CERTIFICATE);
    size_t message = writer_open(flight, 3);
    writer_number(flight, 1, 0); /* the context of the request: none */
    size_t list = writer_open(flight, 3);
    if (tls->signature_scheme != 0) {
        size_t certificate = writer_open(flight, 3);
        writer_bytes(flight, tls->configuration.certificate, tls->configuration.certificate_length);
        writer_close(flight, certificate, 3);
        writer_number(flight, 2, 0); /* no extensions */
    }
    writer_close(flight, list, 3);
    end_message(tls, flight, start, message);
}

static int write_certificate_verify(struct tls *tls, struct writer *flight)
{
    const br_hash_class *hash = tls->suite->hash;
    uint8_t transcript[TLS_MAX_HASH], signature[512];
    size_t start = flight->length;

    tls_transcript_hash(&tls->transcript, hash, transcript);
    size_t length = tls_signature_sign(tls->signature_scheme, &tls->configuration, transcript,
                                       tls_hash_length(hash), signature);
    if (length == 0)
        return tls_fail(tls, TLS_ALERT_INTERNAL_ERROR,
                        "cannot be answered: signing with the client key failed (does it match "
                        "the client certificate?)");
    writer_number(flight, 1, TLS_CERTIFICATE_VERIFY);
    size_t message = writer_open(flight, 3);
    writer_number(flight, 2, tls->signature_scheme);
    size_t vector = writer_open(flight, 2);
    writer_bytes(flight, signature, length);
    writer_close(flight, vector, 2);
    end_message(tls, flight, start, message);
    return 0;
}

static void write_finished(struct tls *tls, struct writer *flight)
{
    const br_hash_class *hash = tls->suite->hash;
    uint8_t transcript[TLS_MAX_HASH], verify_data[TLS_MAX_HASH];
    size_t start = flight->length;

    tls_transcript_hash(&tls->transcript, hash, transcript);
    tls_finished_data(hash, tls->client_secret, transcript, verify_data);
    writer_number(flight, 1, TLS_FINISHED);
    size_t message = writer_open(flight, 3);
    writer_bytes(flight, verify_data, tls_hash_length(hash));
    end_message(tls, flight, start, message);
}

/* The application secrets cover the server's Finished and nothing behind it: derive them before our
 * flight enters the transcript, use them behind it. */
static int after_finished(struct tls *tls)
{
    const br_hash_class *hash = tls->suite->hash;
    uint8_t transcript[TLS_MAX_HASH], client_secret[TLS_MAX_HASH];
    /* The message that was just handled is done with: its room is free. */
    struct writer flight = {.data = tls->message, .capacity = sizeof tls->message};

    tls_transcript_hash(&tls->transcript, hash, transcript);
    tls_schedule_master(hash, tls->secret);
    tls_schedule_traffic(hash, client_secret, tls->secret, "c ap traffic", transcript);
    tls_schedule_traffic(hash, tls->server_secret, tls->secret, "s ap traffic", transcript);
    bytes_wipe(tls->secret, sizeof tls->secret);

    if (tls->certificate_requested) {
        write_certificate(tls, &flight);
        if (tls->signature_scheme != 0 && write_certificate_verify(tls, &flight) != 0)
            return -1;
    }
    write_finished(tls, &flight);
    tls_reach(&tls->message_reached, flight.length);
    if (tls_send(tls, TLS_HANDSHAKE_RECORD, flight.data, flight.length) != 0)
        return -1;

    memcpy(tls->client_secret, client_secret, sizeof client_secret);
    bytes_wipe(client_secret, sizeof client_secret);
    tls_keys_set(&tls->write_keys, tls->suite, tls->client_secret);
    tls_keys_set(&tls->read_keys, tls->suite, tls->server_secret);
    tls->state = TLS_OPEN;
    return 0;
}

/* ---- After the handshake ---- */

/* RFC 9846 4.7.3 */
static int receive_key_update(struct tls *tls, struct reader *body)
{
    uint32_t request = reader_number(body, 1);

    if (!reader_done(body))
        return decode_error(tls, "KeyUpdate");
    if (request > 1)
        return tls_fail(tls, TLS_ALERT_ILLEGAL_PARAMETER, "sent a KeyUpdate of unknown kind %u",
                        (unsigned)request);
    if (++tls->key_updates > TLS_MAX_KEY_UPDATES)
        return tls_fail(tls, TLS_ALERT_UNEXPECTED_MESSAGE, "keeps sending KeyUpdates");
    tls_schedule_update(tls->suite->hash, tls->server_secret);
    tls_keys_set(&tls->read_keys, tls->suite, tls->server_secret);
    if (request == 1)
        tls->key_update_owed = true;
    return 0;
}

/* ---- The handshake as a table ---- */

/*
 * Which message is legal in which state, and where it leads: the client's state machine of
 * RFC 9846 appendix A.1. `receive` sees the transcript without the message, `after` with it.
 * A message that a key change follows must end its record (5.1).
 */
static const struct transition {
    enum tls_expectation state;
    enum tls_message_type message;
    enum tls_expectation next;
    bool ends_record;
    int (*receive)(struct tls *tls, struct reader *body);
    int (*after)(struct tls *tls);
} transitions[] = {
    {TLS_WAIT_SERVER_HELLO, TLS_SERVER_HELLO, TLS_WAIT_ENCRYPTED_EXTENSIONS, true,
     tls_receive_server_hello, after_server_hello},
    {TLS_WAIT_SERVER_HELLO, TLS_HELLO_RETRY_REQUEST, TLS_WAIT_SECOND_SERVER_HELLO, true,
     tls_receive_hello_retry_request, tls_send_client_hello},
    {TLS_WAIT_SECOND_SERVER_HELLO, TLS_SERVER_HELLO, TLS_WAIT_ENCRYPTED_EXTENSIONS, true,
     tls_receive_server_hello, after_server_hello},
    {TLS_WAIT_ENCRYPTED_EXTENSIONS, TLS_ENCRYPTED_EXTENSIONS, TLS_WAIT_CERTIFICATE_OR_REQUEST,
     false, receive_encrypted_extensions, NULL},
    {TLS_WAIT_CERTIFICATE_OR_REQUEST, TLS_CERTIFICATE_REQUEST, TLS_WAIT_CERTIFICATE, false,
     receive_certificate_request, NULL},
    {TLS_WAIT_CERTIFICATE_OR_REQUEST, TLS_CERTIFICATE, TLS_WAIT_CERTIFICATE_VERIFY, false,
     receive_certificate, NULL},
    {TLS_WAIT_CERTIFICATE, TLS_CERTIFICATE, TLS_WAIT_CERTIFICATE_VERIFY, false, receive_certificate,
     NULL},
    {TLS_WAIT_CERTIFICATE_VERIFY, TLS_CERTIFICATE_VERIFY, TLS_WAIT_FINISHED, false,
     receive_certificate_verify, NULL},
    {TLS_WAIT_FINISHED, TLS_FINISHED, TLS_CONNECTED, true, receive_finished, after_finished},
    /* Never complete: the engine skips its body (4.7.1). */
    {TLS_CONNECTED, TLS_NEW_SESSION_TICKET, TLS_CONNECTED, false, NULL, NULL},
    {TLS_CONNECTED, TLS_KEY_UPDATE, TLS_CONNECTED, true, receive_key_update, NULL},
};

static const struct transition *transition_find(enum tls_expectation state, int message)
{
    for (size_t i = 0; i < sizeof transitions / sizeof transitions[0]; i++) {
        if (transitions[i].state == state && (int)transitions[i].message == message)
            return &transitions[i];
    }
    return NULL;
}

/* A message's name as the RFC writes it, or NULL. */
static const char *name_of(int message)
{
    switch (message) {
    case TLS_CLIENT_HELLO:
        return "ClientHello";
    case TLS_SERVER_HELLO:
        return "ServerHello";
    case TLS_HELLO_RETRY_REQUEST:
        return "HelloRetryRequest";
    case TLS_NEW_SESSION_TICKET:
        return "NewSessionTicket";
    case TLS_ENCRYPTED_EXTENSIONS:
        return "EncryptedExtensions";
    case TLS_CERTIFICATE:
        return "Certificate";
    case TLS_CERTIFICATE_REQUEST:
        return "CertificateRequest";
    case TLS_CERTIFICATE_VERIFY:
        return "CertificateVerify";
    case TLS_FINISHED:
        return "Finished";
    case TLS_KEY_UPDATE:
        return "KeyUpdate";
    default:
        return NULL;
    }
}

int tls_handshake_out_of_order(struct tls *tls, int type)
{
    const char *name = name_of(type);

    if (name != NULL)
        return tls_fail(tls, TLS_ALERT_UNEXPECTED_MESSAGE, "sent %s out of order", name);
    return tls_fail(tls, TLS_ALERT_UNEXPECTED_MESSAGE,
                    "sent handshake message %d, which nothing asked for", type);
}

bool tls_handshake_expects(const struct tls *tls, int type)
{
    return transition_find(tls->expectation, type) != NULL;
}

int tls_handshake_message(struct tls *tls, bool at_end)
{
    int type = tls->message[0];
    size_t length = tls->message_length;
    struct reader body = reader_over(tls->message + 4, length - 4);

    if (type == TLS_SERVER_HELLO && tls_is_hello_retry_request(body.data, body.left))
        type = TLS_HELLO_RETRY_REQUEST;
    const struct transition *transition = transition_find(tls->expectation, type);
    if (transition == NULL)
        return tls_handshake_out_of_order(tls, type);
    if (transition->ends_record && !at_end)
        return tls_fail(tls, TLS_ALERT_UNEXPECTED_MESSAGE,
                        "sent data behind %s, at which keys change", name_of(type));
    if (transition->receive(tls, &body) != 0)
        return -1;
    if (transition->next != TLS_CONNECTED || transition->state != TLS_CONNECTED)
        tls_transcript_add(&tls->transcript, tls->message, length);
    tls->expectation = transition->next;
    return transition->after != NULL ? transition->after(tls) : 0;
}

int tls_send_client_hello(struct tls *tls)
{
    struct writer hello = {.data = tls->message, .capacity = sizeof tls->message};

    /* The cookie lies in the message over which the hello is written: out of its way with it. Where
     * the two meet, the hello does not fit either. */
    if (tls->cookie_length != 0) {
        tls->cookie = memmove(tls->message + sizeof tls->message - tls->cookie_length, tls->cookie,
                              tls->cookie_length);
        tls_reach(&tls->message_reached, sizeof tls->message);
    }
    tls_client_hello(tls, &hello);
    tls_reach(&tls->message_reached, hello.length);
    if (hello.bad)
        return tls_fail(tls, TLS_ALERT_ILLEGAL_PARAMETER,
                        "sent a cookie of %zu bytes, for which a ClientHello has no room",
                        tls->cookie_length);
    tls_transcript_add(&tls->transcript, hello.data, hello.length);
    return tls_send(tls, TLS_HANDSHAKE_RECORD, hello.data, hello.length);
}
