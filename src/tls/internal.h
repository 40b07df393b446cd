/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TLS_INTERNAL_H
#define TLS_INTERNAL_H

#include "tls/engine.h"
#include "tls/mlkem.h"
#include "tls/wire.h"
#include "x509/public_key.h"

#define TLS_MAX_HASH 48
#define TLS_MAX_PLAINTEXT 16384 /* RFC 9846 5.1 */
#define TLS_RECORD_HEADER 5
#define TLS_TAG 16
#define TLS_MAX_RECORD (TLS_RECORD_HEADER + TLS_MAX_PLAINTEXT + 256)
#define TLS_MAX_MESSAGE 65536 /* bytes of one handshake message that we accept */
#define TLS_MAX_OUR_CERTIFICATE 16384
#define TLS_MAX_IDLE_RECORDS 32 /* records in a row that carry nothing */
#define TLS_MAX_KEY_UPDATES 32  /* KeyUpdates in a row without application data */
#define TLS_MAX_TICKETS 32      /* NewSessionTickets in a row without application data */
#define TLS_MAX_USER_CANCELED 4
#define TLS_MAX_KEY_RECORDS (UINT64_C(1) << 24) /* of ours; RFC 9846 5.5 allows 2^24.5 */

/* What is legal (RFC 9846 4.7.1): numbers, nonce, ticket and extensions. */
#define TLS_MIN_TICKET (4 + 4 + 1 + (2 + 1) + 2)
#define TLS_MAX_TICKET (4 + 4 + (1 + 255) + (2 + 65535) + (2 + 65535))

enum tls_content_type {
    TLS_CHANGE_CIPHER_SPEC = 20,
    TLS_ALERT = 21,
    TLS_HANDSHAKE_RECORD = 22,
    TLS_APPLICATION_DATA = 23,
};

enum tls_message_type {
    TLS_CLIENT_HELLO = 1,
    TLS_SERVER_HELLO = 2,
    TLS_NEW_SESSION_TICKET = 4,
    TLS_ENCRYPTED_EXTENSIONS = 8,
    TLS_CERTIFICATE = 11,
    TLS_CERTIFICATE_REQUEST = 13,
    TLS_CERTIFICATE_VERIFY = 15,
    TLS_FINISHED = 20,
    TLS_KEY_UPDATE = 24,
    TLS_MESSAGE_HASH = 254,
    TLS_HELLO_RETRY_REQUEST = 256, /* ours: on the wire a server_hello with a fixed random */
};

enum tls_extension {
    TLS_EXTENSION_SERVER_NAME = 0,
    TLS_EXTENSION_SUPPORTED_GROUPS = 10,
    TLS_EXTENSION_SIGNATURE_ALGORITHMS = 13,
    TLS_EXTENSION_SUPPORTED_VERSIONS = 43,
    TLS_EXTENSION_COOKIE = 44,
    TLS_EXTENSION_CERTIFICATE_AUTHORITIES = 47,
    TLS_EXTENSION_SIGNATURE_ALGORITHMS_CERT = 50,
    TLS_EXTENSION_KEY_SHARE = 51,
};

enum tls_group {
    TLS_SECP256R1 = 23,
    TLS_SECP384R1 = 24,
    TLS_X25519 = 29,
    TLS_X25519MLKEM768 = 0x11ec,
};

/* What the client waits for: the states of RFC 9846 appendix A.1, and one for the time between
 * HelloRetryRequest and ServerHello. */
enum tls_expectation {
    TLS_WAIT_SERVER_HELLO,
    TLS_WAIT_SECOND_SERVER_HELLO,
    TLS_WAIT_ENCRYPTED_EXTENSIONS,
    TLS_WAIT_CERTIFICATE_OR_REQUEST,
    TLS_WAIT_CERTIFICATE,
    TLS_WAIT_CERTIFICATE_VERIFY,
    TLS_WAIT_FINISHED,
    TLS_CONNECTED,
};

/* ---- suites and records: record.c ---- */

struct tls_suite {
    uint16_t id;
    const br_hash_class *hash;
    size_t key_length;
    bool is_aes;
};

/* The keys of one direction. br_gcm_context points into its neighbour: never copy the struct. */
struct tls_keys {
    const struct tls_suite *suite; /* NULL: records go in the clear */
    uint64_t sequence;
    uint8_t iv[12];
    uint8_t chacha20[32];
    br_aes_gen_ctr_keys aes;
    br_gcm_context gcm;
};

/* Suites in the order we offer them: AES first where the CPU does it; *count of them. */
const struct tls_suite *const *tls_suites(size_t *count);
const struct tls_suite *tls_suite_find(uint16_t id);

void tls_keys_set(struct tls_keys *keys, const struct tls_suite *suite, const uint8_t *secret);

/*
 * Protect a record: out gets header, ciphertext and tag; returns its length, at most
 * length + 22. With keys->suite NULL a plaintext record of the given type and version.
 */
size_t tls_record_seal(struct tls_keys *keys, uint8_t *out, int type, uint16_t version,
                       const uint8_t *data, size_t length);

/* Unprotect the body of a record in place (header apart). Returns false where the tag is wrong;
 * the body is then wiped. On success *length is the inner plaintext with type and padding. */
bool tls_record_open(struct tls_keys *keys, const uint8_t header[static TLS_RECORD_HEADER],
                     uint8_t *body, size_t *length);

/* ---- transcript and key schedule (RFC 9846 4.1, 7.1): schedule.c ---- */

/* Both hashes run until the suite is known. */
struct tls_transcript {
    br_sha256_context sha256;
    br_sha384_context sha384;
};

void tls_transcript_start(struct tls_transcript *transcript);
void tls_transcript_add(struct tls_transcript *transcript, const void *data, size_t length);
void tls_transcript_hash(const struct tls_transcript *transcript, const br_hash_class *hash,
                         uint8_t out[static TLS_MAX_HASH]);
/* Replace ClientHello1 by its hash, for HelloRetryRequest. */
void tls_transcript_retry(struct tls_transcript *transcript, const br_hash_class *hash);

size_t tls_hash_length(const br_hash_class *hash);
void tls_hkdf_extract(const br_hash_class *hash, uint8_t *out, const uint8_t *salt,
                      size_t salt_length, const uint8_t *input, size_t input_length);
/* length <= hash length: one block. */
void tls_hkdf_expand_label(const br_hash_class *hash, uint8_t *out, size_t length,
                           const uint8_t *secret, const char *label, const uint8_t *context,
                           size_t context_length);
/* verify_data of a Finished under a traffic secret. */
void tls_finished_data(const br_hash_class *hash, const uint8_t *traffic_secret,
                       const uint8_t *transcript_hash, uint8_t *out);

/* From the (EC)DHE secret to the handshake secret; from there to the master secret. */
void tls_schedule_handshake(const br_hash_class *hash, uint8_t *secret, const uint8_t *shared,
                            size_t shared_length);
void tls_schedule_master(const br_hash_class *hash, uint8_t *secret);
void tls_schedule_traffic(const br_hash_class *hash, uint8_t *out, const uint8_t *secret,
                          const char *label, const uint8_t *transcript_hash);
void tls_schedule_update(const br_hash_class *hash, uint8_t *traffic_secret);

/* ---- key exchange: groups.c ---- */

#define TLS_MAX_SECRET 64

struct tls_key_exchange {
    uint16_t group;
    uint8_t private_key[48]; /* of the curve */
    size_t private_length;
    uint8_t point[97]; /* its public key */
    size_t point_length;
    struct mlkem768 mlkem; /* of a hybrid */
};

/* The list for supported_groups, and is a group in it? */
void tls_groups_offer(const struct tls_configuration *configuration, struct writer *writer);
bool tls_group_offered(const struct tls_configuration *configuration, uint16_t group);

/* The one that the first ClientHello has a share for. */
uint16_t tls_group_first(const struct tls_configuration *configuration);

/* Make keys for a group, from random bytes. What was there before is overwritten. */
void tls_key_exchange_start(struct tls_key_exchange *exchange, uint16_t group,
                            void (*random)(void *context, void *data, size_t length),
                            void *context);

/* Is there a share for the group? X25519MLKEM768 has one for x25519 too. */
bool tls_key_exchange_offers(const struct tls_key_exchange *exchange, uint16_t group);

/* The shares, as they stand in a ClientHello's key_share (RFC 9846 4.3.8). */
void tls_key_exchange_write(const struct tls_key_exchange *exchange, struct writer *writer);

/* The shared secret with the peer's share for a group that was offered; 0 where that share has
 * another length or is no valid point. */
size_t tls_key_exchange_finish(const struct tls_key_exchange *exchange, uint16_t group,
                               const uint8_t *share, size_t length,
                               uint8_t secret[static TLS_MAX_SECRET]);

/* ---- signatures (RFC 9846 4.5.2): signature.c, rsa_pss.c ---- */

/* Schemes we accept from a server, most wanted first; then those for certificates only. */
void tls_signature_offer(struct writer *writer);
bool tls_signature_acceptable(uint16_t scheme);

/* Which of the schemes in a server's list fits our key? 0 where none does. */
uint16_t tls_signature_choose(const struct tls_configuration *configuration, struct reader list);

/* Does the key fit the scheme at all (curve, type)? */
bool tls_signature_fits(uint16_t scheme, const br_x509_pkey *key);
bool tls_signature_verify(uint16_t scheme, const br_x509_pkey *key, bool by_server,
                          const uint8_t *transcript_hash, size_t hash_length,
                          const uint8_t *signature, size_t length);
/* Signature as a client; at most 512 bytes. Returns 0 on failure. */
size_t tls_signature_sign(uint16_t scheme, const struct tls_configuration *configuration,
                          const uint8_t *transcript_hash, size_t hash_length, uint8_t *out);

/* Is this a DER ECDSA-Sig-Value with both numbers positive, minimal, at most size bytes? */
bool tls_ecdsa_signature_is_der(const uint8_t *signature, size_t length, size_t size);

/* RSASSA-PSS (RFC 8017 8.1), MGF1 and salt length of the same hash. digest is the message's. */
bool tls_rsa_pss_verify(const br_rsa_public_key *key, const br_hash_class *hash,
                        const uint8_t *digest, const uint8_t *signature, size_t length);
bool tls_rsa_pss_sign(const br_rsa_private_key *key, const br_hash_class *hash,
                      const uint8_t *digest, const uint8_t *salt, uint8_t *out);

/* ---- the connection ---- */

struct tls {
    struct tls_configuration configuration;
    enum tls_state state;
    enum tls_expectation expectation;
    bool closing; /* close_notify is queued: nothing more goes out */

    int alert;
    enum tls_origin origin;
    char failure[160];

    /* Handshake */
    uint8_t random[32];
    uint8_t session_id[32];
    size_t session_id_length; /* 32 in middlebox compatibility mode, else 0 */
    uint64_t offered;         /* bit n: extension n was in the ClientHello */
    bool change_cipher_spec_sent;
    uint16_t retry_group;  /* from HelloRetryRequest, 0 where it named none */
    const uint8_t *cookie; /* inside `message`, until the second ClientHello is written */
    size_t cookie_length;
    struct tls_key_exchange exchange;
    uint16_t group; /* that the server chose */
    const struct tls_suite *suite;
    struct tls_transcript transcript;
    uint8_t secret[TLS_MAX_HASH];        /* the key schedule's: handshake, then master */
    uint8_t client_secret[TLS_MAX_HASH]; /* traffic secrets of the current epoch */
    uint8_t server_secret[TLS_MAX_HASH];
    bool certificate_requested;
    uint16_t signature_scheme;    /* for our CertificateVerify, 0: we have no fitting key */
    struct public_key server_key; /* of the certificate that it presented; it points to */
    uint8_t server_key_bytes[PUBLIC_KEY_BYTES];

    /* Records */
    struct tls_keys read_keys;
    struct tls_keys write_keys;
    unsigned idle_records;
    unsigned key_updates;
    unsigned tickets;
    unsigned user_canceled;
    bool key_update_owed;

    size_t input_start, input_end; /* records not yet looked at */
    const uint8_t *data;           /* application data not yet read, inside input */
    size_t data_left;
    size_t output_start, output_end;
    size_t message_length; /* bytes of the handshake message so far, with its header */
    size_t ticket_left;    /* bytes of a NewSessionTicket that are still to be skipped */

    /* How far each of the buffers was ever filled. */
    size_t input_reached, output_reached, message_reached;

    uint8_t input[TLS_MAX_RECORD];
    uint8_t output[4 * TLS_MAX_RECORD + 4096]; /* a ClientHello with the largest cookie fits */
    uint8_t message[4 + TLS_MAX_MESSAGE];
};

/* A buffer was filled up to end. */
static inline void tls_reach(size_t *reached, size_t end)
{
    if (end > *reached)
        *reached = end;
}

/* ---- stopping and sending: output.c ---- */

/* Stop with an alert and a sentence (see tls_failure()). Returns -1. */
__attribute__((format(printf, 3, 4))) int tls_fail(struct tls *tls, enum tls_alert alert,
                                                   const char *format, ...);

/* The peer has stopped, with this alert. Returns -1. */
int tls_peer_failed(struct tls *tls, int alert);

/* Queue an alert, behind which nothing goes out any more. */
void tls_send_alert(struct tls *tls, enum tls_alert alert);

/* No more goes in or out, and all secrets are wiped; tls->failure says why. */
void tls_stop(struct tls *tls, enum tls_origin origin, int alert);

/* How many bytes the output takes now. */
size_t tls_output_room(struct tls *tls);

/* Queue a record (split at the maximum) under the write keys. */
int tls_send(struct tls *tls, enum tls_content_type type, const uint8_t *data, size_t length);

/* ---- handshake messages: client_hello.c, server_hello.c, handshake.c ---- */

/*
 * Write the (first or second) ClientHello, as a handshake message with header: makes random,
 * session id and key shares, and notes what was offered.
 */
void tls_client_hello(struct tls *tls, struct writer *writer);

/* Handle the complete handshake message in tls->message; at_end: it ended its record. */
int tls_handshake_message(struct tls *tls, bool at_end);
/* Is a message of this type legal now? */
bool tls_handshake_expects(const struct tls *tls, int type);
/* A message of this type, which is not: returns -1 after tls_fail(). */
int tls_handshake_out_of_order(struct tls *tls, int type);
/* Send the (first or second) ClientHello. */
int tls_send_client_hello(struct tls *tls);

/* Handlers of handshake.c's table; see there. */
int tls_receive_server_hello(struct tls *tls, struct reader *body);
int tls_receive_hello_retry_request(struct tls *tls, struct reader *body);
bool tls_is_hello_retry_request(const uint8_t *body, size_t length);

/* ---- extensions.c ---- */

enum tls_place {
    TLS_IN_SERVER_HELLO = 1,
    TLS_IN_RETRY = 2,
    TLS_IN_ENCRYPTED_EXTENSIONS = 4,
    TLS_IN_CERTIFICATE_REQUEST = 8,
    TLS_IN_CERTIFICATE = 16,
};

/*
 * The next extension of a block: its type goes to *type, its content to *content. Returns 1, or 0
 * at the end, or -1 after tls_fail(): malformed, one that we know and that does not belong there,
 * one that was not offered, or a duplicate. `seen` is 0 before the first.
 */
int tls_next_extension(struct tls *tls, struct reader *block, enum tls_place place, uint64_t *seen,
                       uint16_t *type, struct reader *content);

#endif
