/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/internal.h"

#include "base/bytes.h"

/* SHA-256 of "HelloRetryRequest" (RFC 9846 4.2.3) */
static const uint8_t retry_random[32] = {
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
};

/* How the random of a TLS 1.2, or of an older, ServerHello ends where the server could have spoken
 * TLS 1.3 (4.2.3), but for the last byte. */
static const uint8_t downgrade[7] = {'D', 'O', 'W', 'N', 'G', 'R', 'D'};

static bool is_downgrade(const uint8_t random[static 32])
{
    return memcmp(random + 24, downgrade, sizeof downgrade) == 0 && random[31] <= 1;
}

bool tls_is_hello_retry_request(const uint8_t *body, size_t length)
{
    return length >= 34 && memcmp(body + 2, retry_random, sizeof retry_random) == 0;
}

/* What ServerHello and HelloRetryRequest, the same message on the wire, can say. */
struct hello {
    uint16_t legacy_version;
    const uint8_t *random;
    struct reader session_id;
    uint16_t suite;
    unsigned compression;
    bool has_version, has_share, has_cookie;
    uint16_t version;
    uint16_t group;
    struct reader share;
    struct reader cookie;
};

static bool parse_key_share(struct hello *hello, struct reader *content, bool is_retry)
{
    hello->has_share = true;
    hello->group = (uint16_t)reader_number(content, 2);
    if (!is_retry)
        hello->share = reader_vector(content, 2);
    return reader_done(content) && !hello->share.bad;
}

static int parse_extension(struct tls *tls, struct hello *hello, uint16_t type,
                           struct reader *content, bool is_retry)
{
    bool well_formed = true;

    switch (type) {
    case TLS_EXTENSION_SUPPORTED_VERSIONS:
        hello->has_version = true;
        hello->version = (uint16_t)reader_number(content, 2);
        well_formed = reader_done(content);
        break;
    case TLS_EXTENSION_KEY_SHARE:
        well_formed = parse_key_share(hello, content, is_retry);
        break;
    case TLS_EXTENSION_COOKIE:
        hello->has_cookie = true;
        hello->cookie = reader_vector(content, 2);
        well_formed = reader_done(content) && hello->cookie.left != 0;
        break;
    }
    if (!well_formed)
        return tls_fail(tls, TLS_ALERT_DECODE_ERROR, "sent a malformed extension %u", type);
    return 0;
}

/* Without supported_versions it is a hello of TLS 1.2 or older. */
static int refuse_version(struct tls *tls, const struct hello *hello)
{
    if (tls->suite != NULL) /* it spoke TLS 1.3 a moment ago (RFC 9846 4.2.4) */
        return tls_fail(tls, TLS_ALERT_ILLEGAL_PARAMETER,
                        "changed the TLS version after its HelloRetryRequest");
    if (is_downgrade(hello->random))
        return tls_fail(tls, TLS_ALERT_ILLEGAL_PARAMETER,
                        "speaks TLS 1.3, but somebody in between made it choose an older version");
    return tls_fail(tls, TLS_ALERT_PROTOCOL_VERSION, "speaks only TLS 1.2 or older");
}

static int parse_hello(struct tls *tls, struct hello *hello, struct reader *body, bool is_retry)
{
    struct reader content;
    uint64_t seen = 0;
    uint16_t type;
    int more;

    hello->legacy_version = (uint16_t)reader_number(body, 2);
    hello->random = reader_bytes(body, 32);
    hello->session_id = reader_vector(body, 1);
    hello->suite = (uint16_t)reader_number(body, 2);
    hello->compression = reader_number(body, 1);
    /* A ServerHello of TLS 1.2 may end here, without extensions. */
    struct reader extensions = body->left != 0 ? reader_vector(body, 2) : reader_over(NULL, 0);
    if (!reader_done(body) || extensions.bad)
        return tls_fail(tls, TLS_ALERT_DECODE_ERROR, "sent a malformed ServerHello");

    /* The version decides how the rest is to be understood: look for it first. */
    struct reader scan = extensions;
    while (scan.left != 0 && !scan.bad) {
        type = (uint16_t)reader_number(&scan, 2);
        content = reader_vector(&scan, 2);
        if (type == TLS_EXTENSION_SUPPORTED_VERSIONS)
            hello->has_version = true;
    }
    if (hello->legacy_version != 0x0303 || !hello->has_version)
        return refuse_version(tls, hello);

    while (
        (more = tls_next_extension(tls, &extensions, is_retry ? TLS_IN_RETRY : TLS_IN_SERVER_HELLO,
                                   &seen, &type, &content)) > 0) {
        if (parse_extension(tls, hello, type, &content, is_retry) != 0)
            return -1;
    }
    return more;
}

/* What holds for both kinds of hello (RFC 9846 4.2.3). */
static int check_hello(struct tls *tls, const struct hello *hello)
{
    if (hello->version != 0x0304)
        return tls_fail(tls, TLS_ALERT_ILLEGAL_PARAMETER, "chose TLS version 0x%04x",
                        hello->version);
    if (hello->session_id.left != tls->session_id_length ||
        memcmp(hello->session_id.data, tls->session_id, tls->session_id_length) != 0)
        return tls_fail(tls, TLS_ALERT_ILLEGAL_PARAMETER, "did not echo the session id");
    if (hello->compression != 0)
        return tls_fail(tls, TLS_ALERT_ILLEGAL_PARAMETER, "chose a compression method");

    const struct tls_suite *suite = tls_suite_find(hello->suite);
    if (suite == NULL)
        return tls_fail(tls, TLS_ALERT_ILLEGAL_PARAMETER,
                        "chose cipher suite 0x%04x, which was not offered", hello->suite);
    /* The suite of the HelloRetryRequest binds the ServerHello (4.2.4). */
    if (tls->suite != NULL && tls->suite != suite)
        return tls_fail(tls, TLS_ALERT_ILLEGAL_PARAMETER,
                        "changed the cipher suite after its HelloRetryRequest");
    tls->suite = suite;
    return 0;
}

int tls_receive_server_hello(struct tls *tls, struct reader *body)
{
    struct hello hello = {0};
    uint8_t shared[TLS_MAX_SECRET];

    if (parse_hello(tls, &hello, body, false) != 0 || check_hello(tls, &hello) != 0)
        return -1;
    if (!hello.has_share)
        return tls_fail(tls, TLS_ALERT_MISSING_EXTENSION, "sent no key share");
    if (!tls_key_exchange_offers(&tls->exchange, hello.group))
        return tls_fail(tls, TLS_ALERT_ILLEGAL_PARAMETER,
                        "chose group %u, for which no share was sent", hello.group);
    size_t length = tls_key_exchange_finish(&tls->exchange, hello.group, hello.share.data,
                                            hello.share.left, shared);
    bytes_wipe(&tls->exchange, sizeof tls->exchange);
    tls->group = hello.group;
    if (length == 0)
        return tls_fail(tls, TLS_ALERT_ILLEGAL_PARAMETER, "sent an invalid key share");
    tls_schedule_handshake(tls->suite->hash, tls->secret, shared, length);
    bytes_wipe(shared, sizeof shared);
    return 0;
}

int tls_receive_hello_retry_request(struct tls *tls, struct reader *body)
{
    struct hello hello = {0};

    if (parse_hello(tls, &hello, body, true) != 0 || check_hello(tls, &hello) != 0)
        return -1;
    if (!hello.has_share && !hello.has_cookie)
        return tls_fail(tls, TLS_ALERT_ILLEGAL_PARAMETER,
                        "sent a HelloRetryRequest that changes nothing");
    if (hello.has_share) {
        if (!tls_group_offered(&tls->configuration, hello.group) ||
            tls_key_exchange_offers(&tls->exchange, hello.group))
            return tls_fail(tls, TLS_ALERT_ILLEGAL_PARAMETER,
                            "asked for group %u, which was not offered or already sent",
                            hello.group);
        tls->retry_group = hello.group;
    }
    tls->cookie = hello.cookie.data;
    tls->cookie_length = hello.cookie.left;
    tls_transcript_retry(&tls->transcript, tls->suite->hash);
    return 0;
}
