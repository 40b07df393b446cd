/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/internal.h"

#include <stdio.h>

#include "base/bytes.h"

#define CONTROL_RESERVE 128 /* bytes of output that application data leaves for an alert */

/* ---- Output ---- */

/* Answer KeyUpdates before the next application data; one answer is enough for several that came
 * while we were silent (RFC 9846 4.7.3). */
static void pay_key_update(struct tls *tls)
{
    static const uint8_t update[] = {TLS_KEY_UPDATE, 0, 0, 1, 0};

    if (!tls->key_update_owed || tls->closing || tls->state != TLS_OPEN ||
        tls_output_room(tls) < 2 * CONTROL_RESERVE)
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

/*
 * We resume nothing, so tickets of any legal size are skipped without a look at them (RFC 9846
 * 4.7.1). An endless row of them is an attack.
 */
static int begin_ticket(struct tls *tls, size_t length)
{
    if (length < TLS_MIN_TICKET || length > TLS_MAX_TICKET)
        return tls_fail(tls, TLS_ALERT_DECODE_ERROR, "sent a NewSessionTicket of %zu bytes",
                        length);
    if (++tls->tickets > TLS_MAX_TICKETS)
        return tls_fail(tls, TLS_ALERT_UNEXPECTED_MESSAGE, "keeps sending NewSessionTickets");
    tls->ticket_left = length;
    tls->message_length = 0;
    return 0;
}

static size_t skip_ticket(struct tls *tls, size_t length)
{
    size_t step = tls->ticket_left < length ? tls->ticket_left : length;

    tls->ticket_left -= step;
    return step;
}

static int check_message_header(struct tls *tls)
{
    int type = tls->message[0];
    size_t length = message_size(tls) - 4;

    if (!tls_handshake_expects(tls, type))
        return tls_handshake_out_of_order(tls, type);
    if (type == TLS_NEW_SESSION_TICKET)
        return begin_ticket(tls, length);
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
        if (tls->ticket_left != 0) {
            size_t skipped = skip_ticket(tls, length);
            data += skipped;
            length -= skipped;
            continue;
        }
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
        if (tls->ticket_left != 0 || tls->message_length < message_size(tls))
            continue;
        if (tls_handshake_message(tls, length == 0) != 0)
            return -1;
        tls->message_length = 0;
    }
    return 0;
}

static int receive_alert(struct tls *tls, const uint8_t *data, size_t length)
{
    if (length == 0) /* 5.4 */
        return tls_fail(tls, TLS_ALERT_UNEXPECTED_MESSAGE, "sent an empty alert record");
    if (length != 2)
        return tls_fail(tls, TLS_ALERT_DECODE_ERROR, "sent a malformed alert");
    switch (data[1]) {
    case TLS_ALERT_CLOSE_NOTIFY:
        if (tls->state == TLS_OPEN) {
            snprintf(tls->failure, sizeof tls->failure, "closed the connection");
            tls->state = TLS_CLOSED;
            return 0;
        }
        snprintf(tls->failure, sizeof tls->failure, "closed the connection during the handshake");
        tls_stop(tls, TLS_ORIGIN_ANYBODY, TLS_ALERT_CLOSE_NOTIFY);
        return -1;
    case TLS_ALERT_USER_CANCELED: /* a close_notify follows (RFC 9846 6.1) */
        if (++tls->user_canceled > TLS_MAX_USER_CANCELED)
            return tls_fail(tls, TLS_ALERT_UNEXPECTED_MESSAGE, "keeps sending user_canceled");
        return 0;
    default: /* fatal whatever its level (RFC 9846 6) */
        return tls_peer_failed(tls, data[1]);
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
        tls->key_updates = tls->tickets = 0;
    return 0;
}

static int receive_content(struct tls *tls, int type, const uint8_t *data, size_t length)
{
    if ((tls->message_length != 0 || tls->ticket_left != 0) && type != TLS_HANDSHAKE_RECORD)
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

/* Of the header's version nothing is to be made, not even of the first (RFC 9846 5.1). */
static int check_header(struct tls *tls, const uint8_t *header, size_t length)
{
    bool first = tls->read_keys.suite == NULL && tls->expectation == TLS_WAIT_SERVER_HELLO;

    if (first && memcmp(header, "HTTP/", 5) == 0)
        return tls_fail(tls, TLS_ALERT_UNEXPECTED_MESSAGE, "answers in plain HTTP, not TLS");
    if (header[0] < TLS_CHANGE_CIPHER_SPEC || header[0] > TLS_APPLICATION_DATA)
        return tls_fail(tls, TLS_ALERT_UNEXPECTED_MESSAGE,
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
    tls_stop(tls, TLS_ORIGIN_TRUNCATION, TLS_ALERT_CLOSE_NOTIFY);
}

bool tls_heard(const struct tls *tls)
{
    return tls->input_reached != 0;
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
    size_t room = tls_output_room(tls);
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
        tls_send_alert(tls, TLS_ALERT_CLOSE_NOTIFY);
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
