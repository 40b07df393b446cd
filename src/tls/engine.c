/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/internal.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/bytes.h"

#define CONTROL_RESERVE 128 /* bytes of output that application data leaves for an alert */

/* ---- Stopping ---- */

static void wipe_secrets(struct tls *tls)
{
    bytes_wipe(&tls->exchange, sizeof tls->exchange);
    bytes_wipe(tls->secret, sizeof tls->secret);
    bytes_wipe(tls->client_secret, sizeof tls->client_secret);
    bytes_wipe(tls->server_secret, sizeof tls->server_secret);
    bytes_wipe(&tls->read_keys, sizeof tls->read_keys);
    bytes_wipe(&tls->write_keys, sizeof tls->write_keys);
}

static void send_alert(struct tls *tls, enum tls_alert alert)
{
    uint8_t body[2] = {alert == TLS_ALERT_CLOSE_NOTIFY ? 1 : 2, (uint8_t)alert};

    tls_send(tls, TLS_ALERT, body, sizeof body);
    tls->closing = true;
}

static void stop(struct tls *tls, enum tls_origin origin, int alert)
{
    tls->state = TLS_FAILED;
    tls->origin = origin;
    tls->alert = alert;
    wipe_secrets(tls);
}

int tls_fail(struct tls *tls, enum tls_alert alert, const char *format, ...)
{
    va_list arguments;

    if (tls->state == TLS_FAILED) /* the first fault counts */
        return -1;
    va_start(arguments, format);
    vsnprintf(tls->failure, sizeof tls->failure, format, arguments);
    va_end(arguments);
    tls->state = TLS_FAILED; /* before the alert: sending it must not fail in turn */
    if (!tls->closing)
        send_alert(tls, alert);
    stop(tls, TLS_ORIGIN_US, alert);
    return -1;
}

/* What a person can make of an alert, where that is known. */
static const char *alert_meaning(int alert)
{
    switch (alert) {
    case TLS_ALERT_PROTOCOL_VERSION:
        return ": it speaks only TLS 1.2 or older";
    case TLS_ALERT_HANDSHAKE_FAILURE:
    case TLS_ALERT_INSUFFICIENT_SECURITY:
        return ": it has no cipher suite, group or kind of key in common with us";
    default:
        return "";
    }
}

static int peer_failed(struct tls *tls, int alert)
{
    snprintf(tls->failure, sizeof tls->failure, "refused with alert %s (%d)%s",
             tls_alert_name(alert), alert, alert_meaning(alert));
    stop(tls, TLS_ORIGIN_PEER, alert);
    return -1;
}

/* ---- Output ---- */

static size_t output_room(struct tls *tls)
{
    if (tls->output_start != 0) {
        memmove(tls->output, tls->output + tls->output_start, tls->output_end - tls->output_start);
        tls->output_end -= tls->output_start;
        tls->output_start = 0;
    }
    return sizeof tls->output - tls->output_end;
}

/* Before our first protected record, for middleboxes (RFC 9846 appendix E.4). */
static void send_change_cipher_spec(struct tls *tls)
{
    static const uint8_t record[] = {TLS_CHANGE_CIPHER_SPEC, 3, 3, 0, 1, 1};

    if (tls->change_cipher_spec_sent || tls->session_id_length == 0)
        return;
    tls->change_cipher_spec_sent = true;
    memcpy(tls->output + tls->output_end, record, sizeof record);
    tls->output_end += sizeof record;
}

static int send_record(struct tls *tls, enum tls_content_type type, const uint8_t *data,
                       size_t length)
{
    bool first = tls->expectation == TLS_WAIT_SERVER_HELLO;

    if (output_room(tls) < length + TLS_RECORD_HEADER + 1 + TLS_TAG + 6)
        return tls_fail(tls, TLS_ALERT_INTERNAL_ERROR, "cannot be answered: output is full");
    if (tls->write_keys.sequence >= TLS_MAX_KEY_RECORDS)
        return tls_fail(tls, TLS_ALERT_INTERNAL_ERROR,
                        "cannot be answered: too many records under one key");
    if (!first)
        send_change_cipher_spec(tls);
    /* 0x0301 in the first hello for old servers (RFC 9846 5.1). */
    tls->output_end += tls_record_seal(&tls->write_keys, tls->output + tls->output_end, type,
                                       first ? 0x0301 : 0x0303, data, length);
    tls_reach(&tls->output_reached, tls->output_end);
    return 0;
}

int tls_send(struct tls *tls, enum tls_content_type type, const uint8_t *data, size_t length)
{
    do {
        size_t step = length < TLS_MAX_PLAINTEXT ? length : TLS_MAX_PLAINTEXT;
        if (send_record(tls, type, data, step) != 0)
            return -1;
        data += step;
        length -= step;
    } while (length != 0);
    return 0;
}

/* Answer KeyUpdates before the next application data; one answer is enough for several that came
 * while we were silent (RFC 9846 4.7.3). */
static void pay_key_update(struct tls *tls)
{
    static const uint8_t update[] = {TLS_KEY_UPDATE, 0, 0, 1, 0};

    if (!tls->key_update_owed || tls->closing || tls->state != TLS_OPEN ||
        output_room(tls) < 2 * CONTROL_RESERVE)
        return;
    tls->key_update_owed = false;
    if (tls_send(tls, TLS_HANDSHAKE_RECORD, update, sizeof update) != 0)
        return;
    tls_schedule_update(tls->suite->hash, tls->client_secret);
    tls_keys_set(&tls->write_keys, tls->suite, tls->client_secret);
}

const uint8_t *tls_output(const struct tls *tls, size_t *length)
{
    *length = tls->output_end - tls->output_start;
    return tls->output + tls->output_start;
}

void tls_output_done(struct tls *tls, size_t length)
{
    tls->output_start += length;
}

/* ---- Records coming in ---- */

/* Of the message that is being put together: 4 until its header is known, then all of it. */
static size_t message_size(const struct tls *tls)
{
    struct reader header = reader_over(tls->message + 1, 3);

    return tls->message_length < 4 ? 4 : 4 + reader_number(&header, 3);
}

static int check_message_header(struct tls *tls)
{
    int type = tls->message[0];
    size_t length = message_size(tls) - 4;

    if (!tls_handshake_expects(tls, type))
        return tls_fail(tls, TLS_ALERT_UNEXPECTED_MESSAGE, "sent handshake message %d out of order",
                        type);
    if (length > TLS_MAX_MESSAGE)
        return tls_fail(tls, TLS_ALERT_ILLEGAL_PARAMETER,
                        "announced a handshake message of %zu bytes, more than %d", length,
                        TLS_MAX_MESSAGE);
    return 0;
}

/* Messages may span records and share them (RFC 9846 5.1). */
static int receive_handshake(struct tls *tls, const uint8_t *data, size_t length)
{
    if (length == 0)
        return tls_fail(tls, TLS_ALERT_UNEXPECTED_MESSAGE, "sent an empty handshake record");
    while (length != 0) {
        size_t step = message_size(tls) - tls->message_length;
        if (step > length)
            step = length;
        memcpy(tls->message + tls->message_length, data, step);
        tls->message_length += step;
        tls_reach(&tls->message_reached, tls->message_length);
        data += step;
        length -= step;

        if (tls->message_length < 4)
            break;
        if (check_message_header(tls) != 0)
            return -1;
        if (tls->message_length < message_size(tls))
            continue;
        if (tls_handshake_message(tls, length == 0) != 0)
            return -1;
        tls->message_length = 0;
    }
    return 0;
}

static int receive_alert(struct tls *tls, const uint8_t *data, size_t length)
{
    if (length != 2)
        return tls_fail(tls, TLS_ALERT_DECODE_ERROR, "sent a malformed alert");
    switch (data[1]) {
    case TLS_ALERT_CLOSE_NOTIFY:
        if (tls->state == TLS_OPEN) {
            tls->state = TLS_CLOSED;
            return 0;
        }
        snprintf(tls->failure, sizeof tls->failure, "closed the connection during the handshake");
        stop(tls, TLS_ORIGIN_PEER, TLS_ALERT_CLOSE_NOTIFY);
        return -1;
    case TLS_ALERT_USER_CANCELED: /* a close_notify follows (RFC 9846 6.1) */
        if (++tls->user_canceled > TLS_MAX_USER_CANCELED)
            return tls_fail(tls, TLS_ALERT_UNEXPECTED_MESSAGE, "keeps sending user_canceled");
        return 0;
    default: /* fatal whatever its level (RFC 9846 6) */
        return peer_failed(tls, data[1]);
    }
}

static int receive_application_data(struct tls *tls, const uint8_t *data, size_t length)
{
    if (tls->state != TLS_OPEN)
        return tls_fail(tls, TLS_ALERT_UNEXPECTED_MESSAGE,
                        "sent application data during the handshake");
    tls->data = data;
    tls->data_left = length;
    if (length != 0)
        tls->key_updates = 0;
    return 0;
}

static int receive_content(struct tls *tls, int type, const uint8_t *data, size_t length)
{
    if (tls->message_length != 0 && type != TLS_HANDSHAKE_RECORD)
        return tls_fail(tls, TLS_ALERT_UNEXPECTED_MESSAGE,
                        "interrupted a handshake message with another record");
    switch (type) {
    case TLS_HANDSHAKE_RECORD:
        return receive_handshake(tls, data, length);
    case TLS_ALERT:
        return receive_alert(tls, data, length);
    case TLS_APPLICATION_DATA:
        return receive_application_data(tls, data, length);
    default:
        return tls_fail(tls, TLS_ALERT_UNEXPECTED_MESSAGE, "sent a record of unknown type %d",
                        type);
    }
}

/* Records that carry nothing are legal, an endless row of them is an attack. */
static int count_idle_record(struct tls *tls, bool idle)
{
    if (!idle) {
        tls->idle_records = 0;
        return 0;
    }
    if (++tls->idle_records > TLS_MAX_IDLE_RECORDS)
        return tls_fail(tls, TLS_ALERT_UNEXPECTED_MESSAGE, "keeps sending empty records");
    return 0;
}

/* Dropped between our first hello and the server's Finished (RFC 9846 5). */
static int receive_change_cipher_spec(struct tls *tls, const uint8_t *data, size_t length)
{
    if (tls->state != TLS_HANDSHAKE || length != 1 || data[0] != 1 || tls->message_length != 0)
        return tls_fail(tls, TLS_ALERT_UNEXPECTED_MESSAGE, "sent a misplaced ChangeCipherSpec");
    return count_idle_record(tls, true);
}

static int receive_protected(struct tls *tls, const uint8_t *header, uint8_t *body, size_t length)
{
    if (header[0] != TLS_APPLICATION_DATA)
        return tls_fail(tls, TLS_ALERT_UNEXPECTED_MESSAGE,
                        "sent an unprotected record (type %d) after keys were agreed", header[0]);
    if (tls->read_keys.sequence >= TLS_MAX_KEY_RECORDS)
        return tls_fail(tls, TLS_ALERT_INTERNAL_ERROR, "sent too many records under one key");
    if (!tls_record_open(&tls->read_keys, header, body, &length))
        return tls_fail(tls, TLS_ALERT_BAD_RECORD_MAC, "sent a record that does not authenticate");
    if (length > TLS_MAX_PLAINTEXT + 1)
        return tls_fail(tls, TLS_ALERT_RECORD_OVERFLOW, "sent a record longer than 2^14 bytes");
    while (length != 0 && body[length - 1] == 0) /* padding (5.4) */
        length--;
    if (length == 0)
        return tls_fail(tls, TLS_ALERT_UNEXPECTED_MESSAGE, "sent a record of padding alone");
    length--;
    if (count_idle_record(tls, length == 0) != 0)
        return -1;
    return receive_content(tls, body[length], body, length);
}

static int receive_record(struct tls *tls, const uint8_t *header, uint8_t *body, size_t length)
{
    if (header[0] == TLS_CHANGE_CIPHER_SPEC)
        return receive_change_cipher_spec(tls, body, length);
    if (tls->read_keys.suite != NULL)
        return receive_protected(tls, header, body, length);
    if (length > TLS_MAX_PLAINTEXT)
        return tls_fail(tls, TLS_ALERT_RECORD_OVERFLOW, "sent a record longer than 2^14 bytes");
    if (count_idle_record(tls, length == 0) != 0)
        return -1;
    return receive_content(tls, header[0], body, length);
}

static int check_header(struct tls *tls, const uint8_t *header, size_t length)
{
    bool first = tls->read_keys.suite == NULL && tls->expectation == TLS_WAIT_SERVER_HELLO;

    if (first && memcmp(header, "HTTP/", 5) == 0)
        return tls_fail(tls, TLS_ALERT_UNEXPECTED_MESSAGE, "answers in plain HTTP, not TLS");
    if (header[0] < TLS_CHANGE_CIPHER_SPEC || header[0] > TLS_APPLICATION_DATA || header[1] != 3)
        return tls_fail(tls,
                        header[1] != 3 ? TLS_ALERT_PROTOCOL_VERSION : TLS_ALERT_UNEXPECTED_MESSAGE,
                        first ? "does not speak TLS" : "sent something that is no TLS record");
    if (length > TLS_MAX_PLAINTEXT + 256)
        return tls_fail(tls, TLS_ALERT_RECORD_OVERFLOW, "sent a record longer than 2^14 bytes");
    return 0;
}

/* Work through the complete records of the input, until application data waits for a reader. */
static void process_input(struct tls *tls)
{
    while (tls->state <= TLS_OPEN && tls->data_left == 0) {
        uint8_t *header = tls->input + tls->input_start;
        size_t available = tls->input_end - tls->input_start;
        if (available < TLS_RECORD_HEADER)
            return;
        size_t length = (size_t)header[3] << 8 | header[4];
        if (check_header(tls, header, length) != 0 || available < TLS_RECORD_HEADER + length)
            return;
        tls->input_start += TLS_RECORD_HEADER + length;
        if (receive_record(tls, header, header + TLS_RECORD_HEADER, length) != 0)
            return;
    }
}

uint8_t *tls_input(struct tls *tls, size_t *length)
{
    *length = 0;
    if (tls->state > TLS_OPEN || tls->data_left != 0)
        return tls->input;
    if (tls->input_start != 0) {
        memmove(tls->input, tls->input + tls->input_start, tls->input_end - tls->input_start);
        tls->input_end -= tls->input_start;
        tls->input_start = 0;
    }
    *length = sizeof tls->input - tls->input_end;
    return tls->input + tls->input_end;
}

void tls_input_done(struct tls *tls, size_t length)
{
    tls->input_end += length;
    tls_reach(&tls->input_reached, tls->input_end);
    process_input(tls);
}

void tls_input_end(struct tls *tls)
{
    if (tls->state > TLS_OPEN)
        return;
    snprintf(tls->failure, sizeof tls->failure,
             tls->state == TLS_OPEN ? "closed the connection without close_notify: data may be "
                                      "missing"
                                    : "closed the connection during the handshake");
    stop(tls, TLS_ORIGIN_TRUNCATION, TLS_ALERT_CLOSE_NOTIFY);
}

/* ---- Application data ---- */

size_t tls_read(struct tls *tls, void *data, size_t size)
{
    size_t length = tls->data_left < size ? tls->data_left : size;

    if (length == 0)
        return 0;
    memcpy(data, tls->data, length);
    tls->data += length;
    tls->data_left -= length;
    process_input(tls);
    return length;
}

size_t tls_write(struct tls *tls, const void *data, size_t length)
{
    const size_t overhead = TLS_RECORD_HEADER + 1 + TLS_TAG + CONTROL_RESERVE;

    pay_key_update(tls);
    if (tls->state != TLS_OPEN || tls->closing || tls->key_update_owed || length == 0)
        return 0;
    size_t room = output_room(tls);
    if (room <= overhead)
        return 0;
    if (length > room - overhead)
        length = room - overhead;
    if (length > TLS_MAX_PLAINTEXT)
        length = TLS_MAX_PLAINTEXT;
    return tls_send(tls, TLS_APPLICATION_DATA, data, length) == 0 ? length : 0;
}

void tls_close(struct tls *tls)
{
    if (tls->state != TLS_FAILED && !tls->closing)
        send_alert(tls, TLS_ALERT_CLOSE_NOTIFY);
}

/* ---- The rest of the interface ---- */

void tls_start(struct tls *tls, const struct tls_configuration *configuration)
{
    /* Here and in tls_wipe(), of the buffers no more than was filled: memory that nothing touches
     * costs nothing. */
    memset(tls, 0, offsetof(struct tls, input));
    tls->configuration = *configuration;
    tls_transcript_start(&tls->transcript);
    if (configuration->certificate_length > TLS_MAX_OUR_CERTIFICATE)
        tls_fail(tls, TLS_ALERT_INTERNAL_ERROR,
                 "cannot be asked: the client certificate has %zu bytes, more than %d",
                 configuration->certificate_length, TLS_MAX_OUR_CERTIFICATE);
    else
        tls_send_client_hello(tls);
}

enum tls_state tls_state(const struct tls *tls)
{
    return tls->state;
}

int tls_alert(const struct tls *tls)
{
    return tls->alert;
}

enum tls_origin tls_origin(const struct tls *tls)
{
    return tls->origin;
}

const char *tls_failure(const struct tls *tls)
{
    return tls->failure;
}

const char *tls_alert_name(int alert)
{
    static const struct {
        int alert;
        const char *name;
    } names[] = {
        {TLS_ALERT_CLOSE_NOTIFY, "close_notify"},
        {TLS_ALERT_UNEXPECTED_MESSAGE, "unexpected_message"},
        {TLS_ALERT_BAD_RECORD_MAC, "bad_record_mac"},
        {TLS_ALERT_RECORD_OVERFLOW, "record_overflow"},
        {TLS_ALERT_HANDSHAKE_FAILURE, "handshake_failure"},
        {TLS_ALERT_BAD_CERTIFICATE, "bad_certificate"},
        {TLS_ALERT_UNSUPPORTED_CERTIFICATE, "unsupported_certificate"},
        {TLS_ALERT_CERTIFICATE_REVOKED, "certificate_revoked"},
        {TLS_ALERT_CERTIFICATE_EXPIRED, "certificate_expired"},
        {TLS_ALERT_CERTIFICATE_UNKNOWN, "certificate_unknown"},
        {TLS_ALERT_ILLEGAL_PARAMETER, "illegal_parameter"},
        {TLS_ALERT_UNKNOWN_CA, "unknown_ca"},
        {TLS_ALERT_ACCESS_DENIED, "access_denied"},
        {TLS_ALERT_DECODE_ERROR, "decode_error"},
        {TLS_ALERT_DECRYPT_ERROR, "decrypt_error"},
        {TLS_ALERT_PROTOCOL_VERSION, "protocol_version"},
        {TLS_ALERT_INSUFFICIENT_SECURITY, "insufficient_security"},
        {TLS_ALERT_INTERNAL_ERROR, "internal_error"},
        {TLS_ALERT_USER_CANCELED, "user_canceled"},
        {TLS_ALERT_MISSING_EXTENSION, "missing_extension"},
        {TLS_ALERT_UNSUPPORTED_EXTENSION, "unsupported_extension"},
        {TLS_ALERT_UNRECOGNIZED_NAME, "unrecognized_name"},
        {TLS_ALERT_CERTIFICATE_REQUIRED, "certificate_required"},
        {TLS_ALERT_NO_APPLICATION_PROTOCOL, "no_application_protocol"},
    };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (names[i].alert == alert)
            return names[i].name;
    }
    return "unknown";
}

#define STACK_REACHED 32768 /* bytes below tls_wipe() that BearSSL's deepest call may have used */

/* BearSSL leaves keys behind in stack frames that are gone: overwrite what they reached. */
__attribute__((noinline)) static void wipe_stack(void)
{
    uint8_t frames[STACK_REACHED];

    bytes_wipe(frames, sizeof frames);
}

void tls_wipe(struct tls *tls)
{
    bytes_wipe(tls->input, tls->input_reached);
    bytes_wipe(tls->output, tls->output_reached);
    bytes_wipe(tls->message, tls->message_reached);
    bytes_wipe(tls, offsetof(struct tls, input));
    wipe_stack();
}
