/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_TLS_SERVER_H
#define TESTS_TLS_SERVER_H

#include "tls/internal.h"

/*
 * A TLS 1.3 server for tests, in the process of the client: it drives the engine through its
 * public interface and shares nothing with it but schedule and records, which have vectors of
 * their own. It keeps to the rules unless a test bends a message (tamper) or a record on its way.
 */

struct message {
    uint8_t bytes[4 + TLS_MAX_MESSAGE + 1024];
    size_t length;
};

struct server {
    /* The test's choices, before server_start() */
    uint16_t suite_id; /* default TLS_AES_128_GCM_SHA256 */
    uint16_t group;    /* X25519; one without a share of the client: by HelloRetryRequest */
    bool send_retry;   /* HelloRetryRequest with a cookie even where there is a share */
    size_t cookie_length;
    uint16_t record_version; /* in the headers of our records */
    bool request_certificate;
    bool keys_differ; /* what the client protects is not looked at: a test made it so */
    bool one_record;  /* put EncryptedExtensions to Finished into one record */
    void (*tamper)(struct server *server, struct message *message); /* sees every message */
    void (*before_send)(struct server *server, int message_type);   /* may send something first */

    struct tls *client;
    const struct tls_suite *suite;
    struct tls_transcript transcript;
    struct tls_keys read_keys, write_keys;
    uint8_t secret[TLS_MAX_HASH], client_secret[TLS_MAX_HASH], server_secret[TLS_MAX_HASH];
    uint8_t finished_hash[TLS_MAX_HASH]; /* transcript up to our Finished */
    uint8_t session_id[32];
    uint8_t client_share[MLKEM768_ENCAPSULATION_KEY + 97]; /* for our group */
    size_t client_share_length;                            /* 0: there was none */
    bool retried;
    bool cookie_came;       /* as it was sent */
    uint8_t pending[65536]; /* handshake messages for one record */
    size_t pending_length;
    uint8_t wire[1 << 18]; /* everything that was sent to the client */
    size_t wire_length;
    bool record_only; /* wire only: do not feed the client */

    /* What came from the client */
    int alert;            /* the last alert, -1: none */
    bool client_finished; /* its Finished came and was right */
    uint8_t client_certificate[4096];
    size_t client_certificate_length;
    uint8_t data[1 << 17];
    size_t data_length;
    unsigned key_updates;
    uint8_t partial[TLS_MAX_MESSAGE + 1024]; /* a message that is not complete */
    size_t partial_length;
};

/* The configuration of a client that accepts this server. */
struct tls_configuration server_client_configuration(void);

void server_init(struct server *server, struct tls *client);

/* Play the handshake up to where the client stops or has finished. */
void server_handshake(struct server *server);

/* Take what the client has to say. */
void server_receive(struct server *server);

/* One record under the current keys, straight to the client. */
void server_send(struct server *server, int type, const void *data, size_t length);
void server_send_raw(struct server *server, const void *data, size_t length);
/* A protected record with this inner plaintext (type and padding included). */
void server_send_inner(struct server *server, int outer_type, const void *data, size_t length);
void server_update_keys(struct server *server);

/* Editing a handshake message: lengths of message and extension block follow. */
void message_append(struct message *message, const void *data, size_t length);
void message_set_length(struct message *message);
/* Add an extension to the block whose two length bytes stand at `block`. */
void message_add_extension(struct message *message, size_t block, uint16_t type, const void *data,
                           size_t length);

/* Offsets in a ServerHello or HelloRetryRequest of ours. */
enum {
    HELLO_LEGACY_VERSION = 4,
    HELLO_RANDOM = 6,
    HELLO_SESSION_ID = 38,
    HELLO_SUITE = 71,
    HELLO_COMPRESSION = 73,
    HELLO_EXTENSIONS = 74,
    HELLO_VERSION = 80,
    HELLO_GROUP = 86,
    HELLO_SHARE = 88,
};

#endif
