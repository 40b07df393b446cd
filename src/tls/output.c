/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/internal.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/bytes.h"

/* ---- Alerts ---- */

/* All that were ever registered: a server of an older version may send an older one. */
static const struct {
    uint8_t alert;
    const char *name;
} names[] = {
    {0, "close_notify"},
    {10, "unexpected_message"},
    {20, "bad_record_mac"},
    {21, "decryption_failed"},
    {22, "record_overflow"},
    {30, "decompression_failure"},
    {40, "handshake_failure"},
    {41, "no_certificate"},
    {42, "bad_certificate"},
    {43, "unsupported_certificate"},
    {44, "certificate_revoked"},
    {45, "certificate_expired"},
    {46, "certificate_unknown"},
    {47, "illegal_parameter"},
    {48, "unknown_ca"},
    {49, "access_denied"},
    {50, "decode_error"},
    {51, "decrypt_error"},
    {52, "too_many_cids_requested"},
    {60, "export_restriction"},
    {70, "protocol_version"},
    {71, "insufficient_security"},
    {80, "internal_error"},
    {86, "inappropriate_fallback"},
    {90, "user_canceled"},
    {100, "no_renegotiation"},
    {109, "missing_extension"},
    {110, "unsupported_extension"},
    {111, "certificate_unobtainable"},
    {112, "unrecognized_name"},
    {113, "bad_certificate_status_response"},
    {114, "bad_certificate_hash_value"},
    {115, "unknown_psk_identity"},
    {116, "certificate_required"},
    {117, "general_error"},
    {120, "no_application_protocol"},
    {121, "ech_required"},
};

const char *tls_alert_name(int alert)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (names[i].alert == alert)
            return names[i].name;
    }
    return "unknown";
}

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

void tls_send_alert(struct tls *tls, enum tls_alert alert)
{
    uint8_t body[2] = {alert == TLS_ALERT_CLOSE_NOTIFY ? 1 : 2, (uint8_t)alert};

    tls_send(tls, TLS_ALERT, body, sizeof body);
    tls->closing = true;
}

void tls_stop(struct tls *tls, enum tls_origin origin, int alert)
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
        tls_send_alert(tls, alert);
    tls_stop(tls, TLS_ORIGIN_US, alert);
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

int tls_peer_failed(struct tls *tls, int alert)
{
    snprintf(tls->failure, sizeof tls->failure, "refused with alert %s (%d)%s",
             tls_alert_name(alert), alert, alert_meaning(alert));
    tls_stop(tls, tls->state == TLS_OPEN ? TLS_ORIGIN_PEER : TLS_ORIGIN_ANYBODY, alert);
    return -1;
}

/* ---- Output ---- */

size_t tls_output_room(struct tls *tls)
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

    if (tls_output_room(tls) < length + TLS_RECORD_HEADER + 1 + TLS_TAG + 6)
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
