/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TLS_ENGINE_H
#define TLS_ENGINE_H

#include <bearssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A TLS 1.3 client (RFC 9846, which replaces RFC 8446) on BearSSL's primitives, without I/O: the
 * caller moves bytes between the engine and a connection, the engine never blocks, reads a clock,
 * opens a file or allocates. This header is the whole interface.
 *
 *   suites      TLS_AES_128_GCM_SHA256, TLS_AES_256_GCM_SHA384, TLS_CHACHA20_POLY1305_SHA256
 *   groups      X25519MLKEM768 and x25519 (shares sent), secp256r1, secp384r1 (by
 * HelloRetryRequest) signatures  ecdsa_secp256r1_sha256, ecdsa_secp384r1_sha384,
 * ecdsa_secp521r1_sha512, rsa_pss_rsae_sha256, _sha384, _sha512; both sides not         PSK,
 * resumption, 0-RTT, ALPN, renegotiation, post-handshake authentication
 *
 * Use:
 *
 *   tls_start(&tls, &configuration);
 *   for (;;) {
 *       send what tls_output() offers, tell tls_output_done() how much went out;
 *       tls_state() is TLS_OPEN: tls_read(), tls_write(), tls_close();
 *       TLS_CLOSED or TLS_FAILED: stop (send the last output first: it holds the alert);
 *       receive into tls_input(), tell tls_input_done() how much came;
 *   }
 *   tls_wipe(&tls);
 */

enum tls_state {
    TLS_HANDSHAKE, /* not yet authenticated: no application data in or out */
    TLS_OPEN,      /* handshake complete */
    TLS_CLOSED,    /* the peer sent close_notify: what it sent before is complete */
    TLS_FAILED,    /* see tls_alert() and tls_failure() */
};

/* Alert descriptions (RFC 9846 6). */
enum tls_alert {
    TLS_ALERT_CLOSE_NOTIFY = 0,
    TLS_ALERT_UNEXPECTED_MESSAGE = 10,
    TLS_ALERT_BAD_RECORD_MAC = 20,
    TLS_ALERT_RECORD_OVERFLOW = 22,
    TLS_ALERT_HANDSHAKE_FAILURE = 40,
    TLS_ALERT_BAD_CERTIFICATE = 42,
    TLS_ALERT_UNSUPPORTED_CERTIFICATE = 43,
    TLS_ALERT_CERTIFICATE_REVOKED = 44,
    TLS_ALERT_CERTIFICATE_EXPIRED = 45,
    TLS_ALERT_CERTIFICATE_UNKNOWN = 46,
    TLS_ALERT_ILLEGAL_PARAMETER = 47,
    TLS_ALERT_UNKNOWN_CA = 48,
    TLS_ALERT_ACCESS_DENIED = 49,
    TLS_ALERT_DECODE_ERROR = 50,
    TLS_ALERT_DECRYPT_ERROR = 51,
    TLS_ALERT_PROTOCOL_VERSION = 70,
    TLS_ALERT_INSUFFICIENT_SECURITY = 71,
    TLS_ALERT_INTERNAL_ERROR = 80,
    TLS_ALERT_USER_CANCELED = 90,
    TLS_ALERT_MISSING_EXTENSION = 109,
    TLS_ALERT_UNSUPPORTED_EXTENSION = 110,
    TLS_ALERT_UNRECOGNIZED_NAME = 112,
    TLS_ALERT_CERTIFICATE_REQUIRED = 116,
    TLS_ALERT_NO_APPLICATION_PROTOCOL = 120,
};

/* Where an engine stopped, for callers that decide by it; people read tls_failure(). */
enum tls_origin {
    TLS_ORIGIN_NONE,
    TLS_ORIGIN_US,          /* we found a fault in what the peer sent */
    TLS_ORIGIN_PEER,        /* the peer, whose Finished was right, sent a fatal alert */
    TLS_ORIGIN_ANYBODY,     /* a fatal alert came before that: whoever is in between can send one */
    TLS_ORIGIN_CERTIFICATE, /* check_certificate refused the peer */
    TLS_ORIGIN_TRUNCATION,  /* the connection ended without close_notify */
};

#define TLS_MAX_CHAIN 16

struct tls_configuration {
    /* DNS name for server_name (RFC 6066), or NULL: an IP address has none. Borrowed. */
    const char *server_name;

    /*
     * Decides whether the server is the right one, before its key is used. der[0..count-1] is
     * the chain as sent, leaf first, each length[i] bytes. Returns 0 to accept, or the alert to
     * abort with. There is no default: a NULL refuses every server.
     */
    int (*check_certificate)(void *context, const uint8_t *const der[], const size_t length[],
                             size_t count);
    void *check_context;

    /*
     * Our certificate (one X.509 DER) and its key, exactly one of ec and rsa; or all NULL: then a
     * CertificateRequest is answered with an empty Certificate. Borrowed until tls_wipe().
     */
    const uint8_t *certificate;
    size_t certificate_length;
    const br_ec_private_key *ec_key;
    const br_rsa_private_key *rsa_key;

    /* Leave X25519MLKEM768 out: then the ClientHello has some 200 bytes, not 1,400, which some
     * middleboxes do not bear, the less so where they come in two packets. */
    bool small_hello;

    /* Fills data with length cryptographically secure random bytes. It must not fail. */
    void (*random)(void *context, void *data, size_t length);
    void *random_context;
};

struct tls; /* about 150 KiB, no pointers into the heap; must not be moved once started */

/* Put the ClientHello into the output. An engine that was in use before is to be wiped first. */
void tls_start(struct tls *tls, const struct tls_configuration *configuration);

enum tls_state tls_state(const struct tls *tls);

/* Bytes to send to the peer, *length of them; 0 where there is nothing. */
const uint8_t *tls_output(const struct tls *tls, size_t *length);
void tls_output_done(struct tls *tls, size_t length);

/*
 * Room for bytes from the peer; *length is 0 when the engine wants none: application data waits
 * for tls_read(), or the engine is closed or failed.
 */
uint8_t *tls_input(struct tls *tls, size_t *length);
void tls_input_done(struct tls *tls, size_t length);

/* The connection ended (read returned 0). Without a close_notify before, this is a failure. */
void tls_input_end(struct tls *tls);

/* Has the peer sent a single byte yet? */
bool tls_heard(const struct tls *tls);

/* Take up to size bytes of application data; 0 where there is none now. */
size_t tls_read(struct tls *tls, void *data, size_t size);

/* Encrypt up to length bytes into the output; returns how many were taken, 0 where the output is
 * full or the state is not TLS_OPEN. */
size_t tls_write(struct tls *tls, const void *data, size_t length);

/* Queue a close_notify; nothing can be written after it. */
void tls_close(struct tls *tls);

/* After TLS_FAILED: the alert sent or received, whose finding it was, and a sentence without a
 * subject, to follow "the server ": "speaks only TLS 1.2 or older". The sentence is there after
 * TLS_CLOSED too. */
int tls_alert(const struct tls *tls);
enum tls_origin tls_origin(const struct tls *tls);
const char *tls_failure(const struct tls *tls);

/* The name of an alert as RFC 9846 and its predecessors write it, "unknown" for others. */
const char *tls_alert_name(int alert);

/* Overwrite all that was in use since tls_start(). */
void tls_wipe(struct tls *tls);

/* Internals: only for sizeof and storage. */
#include "tls/internal.h"

#endif
