/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server that breaks one rule of RFC 9846 at a time, and the alert that the client must answer
 * with. The handshake around the fault is right in every other respect (transcript, signature,
 * Finished), so that nothing but the fault can be what was found.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tls_server.h"

static struct tls tls;
static struct server server;

/* ---- Faults in handshake messages ---- */

struct fault {
    const char *name;
    int message; /* the type it is applied to */
    void (*apply)(struct message *message);
    int alert;
    const char *sentence; /* part of tls_failure() */
    uint16_t group;       /* 0: x25519; another one: with HelloRetryRequest before */
    bool retry;           /* HelloRetryRequest with a cookie */
    bool at_retry;        /* apply to the HelloRetryRequest, not to the ServerHello */
};

static const struct fault *current;

static void put16(struct message *message, size_t at, unsigned value)
{
    message->bytes[at] = (uint8_t)(value >> 8);
    message->bytes[at + 1] = (uint8_t)value;
}

static void truncate_extensions(struct message *message, size_t left)
{
    message->length = HELLO_EXTENSIONS + 2 + left;
    put16(message, HELLO_EXTENSIONS, (unsigned)left);
    message_set_length(message);
}

static void legacy_version(struct message *m)
{
    put16(m, HELLO_LEGACY_VERSION, 0x0302);
}
static void only_tls12(struct message *m)
{
    m->length = HELLO_EXTENSIONS;
    message_set_length(m);
}
static void no_version(struct message *m)
{
    memmove(m->bytes + HELLO_EXTENSIONS + 2, m->bytes + HELLO_EXTENSIONS + 8, m->length - 82);
    m->length -= 6;
    put16(m, HELLO_EXTENSIONS, (unsigned)(m->length - HELLO_EXTENSIONS - 2));
    message_set_length(m);
}
static void version_12(struct message *m)
{
    put16(m, HELLO_VERSION, 0x0303);
}
static void version_13_draft(struct message *m)
{
    put16(m, HELLO_VERSION, 0x7f1c);
}
static void tls12_with_sentinel(struct message *m)
{
    only_tls12(m);
    memcpy(m->bytes + HELLO_RANDOM + 24, "DOWNGRD\1", 8);
}
static void tls11_with_sentinel(struct message *m)
{
    only_tls12(m);
    put16(m, HELLO_LEGACY_VERSION, 0x0302);
    memcpy(m->bytes + HELLO_RANDOM + 24, "DOWNGRD", 8);
}
static void session_id(struct message *m)
{
    m->bytes[HELLO_SESSION_ID + 5] ^= 1;
}
static void empty_session_id(struct message *m)
{
    m->bytes[HELLO_SESSION_ID] = 0;
    memmove(m->bytes + HELLO_SESSION_ID + 1, m->bytes + HELLO_SUITE, m->length - HELLO_SUITE);
    m->length -= 32;
    message_set_length(m);
}
static void unknown_suite(struct message *m)
{
    put16(m, HELLO_SUITE, 0x1304);
}
static void tls12_suite(struct message *m)
{
    put16(m, HELLO_SUITE, 0xc02b);
}
static void other_suite(struct message *m)
{
    put16(m, HELLO_SUITE, 0x1303);
}
static void compression(struct message *m)
{
    m->bytes[HELLO_COMPRESSION] = 1;
}
static void no_share(struct message *m)
{
    truncate_extensions(m, 6);
}
static void other_group(struct message *m)
{
    put16(m, HELLO_GROUP, TLS_SECP256R1);
}
static void unknown_group(struct message *m)
{
    put16(m, HELLO_GROUP, 25); /* secp521r1 */
}
static void first_group(struct message *m)
{
    put16(m, HELLO_GROUP, TLS_X25519);
}
static void zero_share(struct message *m)
{
    memset(m->bytes + HELLO_SHARE + 2, 0, 32);
}
static void small_order_share(struct message *m)
{
    memset(m->bytes + HELLO_SHARE + 2, 0, 32);
    m->bytes[HELLO_SHARE + 2] = 1;
}
static void short_share(struct message *m)
{
    put16(m, HELLO_SHARE - 4, 4 + 31);
    put16(m, HELLO_SHARE, 31);
    m->length--;
    put16(m, HELLO_EXTENSIONS, (unsigned)(m->length - HELLO_EXTENSIONS - 2));
    message_set_length(m);
}
/* Lengths of ServerHello and share follow. */
static void resize_share(struct message *m, size_t length)
{
    m->length = HELLO_SHARE + 2 + length;
    put16(m, HELLO_SHARE - 4, (unsigned)length + 4);
    put16(m, HELLO_SHARE, (unsigned)length);
    put16(m, HELLO_EXTENSIONS, (unsigned)(m->length - HELLO_EXTENSIONS - 2));
    message_set_length(m);
}
#define HYBRID (MLKEM768_CIPHERTEXT + 32)
static void hybrid_short(struct message *m)
{
    resize_share(m, HYBRID - 1);
}
static void hybrid_long(struct message *m)
{
    m->bytes[m->length] = 0;
    resize_share(m, HYBRID + 1);
}
static void hybrid_without_curve(struct message *m)
{
    resize_share(m, MLKEM768_CIPHERTEXT);
}
static void hybrid_of_curve_alone(struct message *m)
{
    resize_share(m, 32);
}
static void hybrid_empty(struct message *m)
{
    resize_share(m, 0);
}
static void hybrid_zeros(struct message *m)
{
    memset(m->bytes + m->length - 32, 0, 32);
}
static void hybrid_ciphertext(struct message *m)
{
    m->bytes[HELLO_SHARE + 2 + 700] ^= 4;
}
static void bad_point(struct message *m)
{
    m->bytes[m->length - 1] ^= 1;
}
static void compressed_point(struct message *m)
{
    m->bytes[HELLO_SHARE + 2] = 2;
}
static void share_with_tail(struct message *m)
{
    put16(m, HELLO_SHARE - 4, 4 + 33);
    message_append(m, "", 1);
    put16(m, HELLO_EXTENSIONS, (unsigned)(m->length - HELLO_EXTENSIONS - 2));
    message_set_length(m);
}
static void version_with_tail(struct message *m)
{
    memmove(m->bytes + HELLO_VERSION + 3, m->bytes + HELLO_VERSION + 2,
            m->length - HELLO_VERSION - 2);
    m->length++;
    m->bytes[HELLO_VERSION - 1] = 3;
    put16(m, HELLO_EXTENSIONS, (unsigned)(m->length - HELLO_EXTENSIONS - 2));
    message_set_length(m);
}
static void hello_unknown_extension(struct message *m)
{
    message_add_extension(m, HELLO_EXTENSIONS, 0xfafa, "x", 1);
}
static void hello_not_offered(struct message *m)
{
    message_add_extension(m, HELLO_EXTENSIONS, 41, "\0", 2); /* pre_shared_key */
}
static void hello_misplaced(struct message *m)
{
    message_add_extension(m, HELLO_EXTENSIONS, TLS_EXTENSION_SUPPORTED_GROUPS, "\0\2\0\x1d", 4);
}
static void hello_duplicate(struct message *m)
{
    message_add_extension(m, HELLO_EXTENSIONS, TLS_EXTENSION_SUPPORTED_VERSIONS, "\3\4", 2);
}
static void hello_cookie(struct message *m)
{
    message_add_extension(m, HELLO_EXTENSIONS, TLS_EXTENSION_COOKIE, "\0\1x", 3);
}
static void tail(struct message *m)
{
    message_append(m, "", 1);
    message_set_length(m);
}
static void extensions_too_long(struct message *m)
{
    m->bytes[HELLO_EXTENSIONS + 1]++;
}
static void shortened(struct message *m)
{
    m->length--;
    message_set_length(m);
}
static void empty(struct message *m)
{
    m->length = 4;
    message_set_length(m);
}

static void retry_changes_nothing(struct message *m)
{
    truncate_extensions(m, 6);
}
static void retry_same_group(struct message *m)
{
    put16(m, HELLO_GROUP, TLS_X25519);
}
static void retry_secp521r1(struct message *m)
{
    put16(m, HELLO_GROUP, 25);
}
static void retry_empty_cookie(struct message *m)
{
    truncate_extensions(m, 6);
    message_add_extension(m, HELLO_EXTENSIONS, TLS_EXTENSION_COOKIE, "\0", 2);
}
static void retry_two_cookies(struct message *m)
{
    message_add_extension(m, HELLO_EXTENSIONS, TLS_EXTENSION_COOKIE, "\0\1x", 3);
}
static void retry_hybrid(struct message *m)
{
    put16(m, HELLO_GROUP, TLS_X25519MLKEM768);
}
static void retry_huge_cookie(struct message *m)
{
    enum { LENGTH = 65452 }; /* as much as a HelloRetryRequest of TLS_MAX_MESSAGE holds */
    static uint8_t cookie[2 + LENGTH] = {LENGTH >> 8, LENGTH & 255};

    truncate_extensions(m, 6);
    message_add_extension(m, HELLO_EXTENSIONS, TLS_EXTENSION_COOKIE, cookie, sizeof cookie);
}
static void retry_again(struct message *m)
{
    static const uint8_t retry[32] = {0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11,
                                      0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
                                      0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e,
                                      0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c};

    memcpy(m->bytes + HELLO_RANDOM, retry, sizeof retry);
}

/* The block of EncryptedExtensions stands at 4, that of CertificateRequest at 5. */
static void encrypted_unknown(struct message *m)
{
    message_add_extension(m, 4, 0xfafa, "", 0);
}
static void encrypted_alpn(struct message *m)
{
    message_add_extension(m, 4, 16, "\0\3\2h2", 5);
}
static void encrypted_key_share(struct message *m)
{
    message_add_extension(m, 4, TLS_EXTENSION_KEY_SHARE, "", 0);
}
static void encrypted_versions(struct message *m)
{
    message_add_extension(m, 4, TLS_EXTENSION_SUPPORTED_VERSIONS, "\3\4", 2);
}
static void encrypted_cookie(struct message *m)
{
    message_add_extension(m, 4, TLS_EXTENSION_COOKIE, "\0\1x", 3);
}
static void encrypted_algorithms(struct message *m)
{
    message_add_extension(m, 4, TLS_EXTENSION_SIGNATURE_ALGORITHMS, "\0\2\4\3", 4);
}
static void encrypted_authorities(struct message *m)
{
    message_add_extension(m, 4, TLS_EXTENSION_CERTIFICATE_AUTHORITIES, "\0\3\0\1x", 5);
}
static void encrypted_server_name(struct message *m)
{
    message_add_extension(m, 4, TLS_EXTENSION_SERVER_NAME, "x", 1);
}
static void encrypted_twice(struct message *m)
{
    message_add_extension(m, 4, TLS_EXTENSION_SUPPORTED_GROUPS, "\0\2\0\x1d", 4);
    message_add_extension(m, 4, TLS_EXTENSION_SUPPORTED_GROUPS, "\0\2\0\x1d", 4);
}
static void request_context(struct message *m)
{
    memmove(m->bytes + 6, m->bytes + 5, m->length - 5);
    m->bytes[4] = 1;
    m->bytes[5] = 7;
    m->length++;
    message_set_length(m);
}
static void request_without_algorithms(struct message *m)
{
    m->length = 7;
    put16(m, 5, 0);
    message_set_length(m);
}
static void request_odd_algorithms(struct message *m)
{
    m->bytes[12] = 5; /* of six bytes */
}
static void request_no_algorithm(struct message *m)
{
    m->length = 13;
    put16(m, 5, 6);
    put16(m, 9, 2);
    put16(m, 11, 0);
    message_set_length(m);
}
static void request_algorithms_twice(struct message *m)
{
    message_add_extension(m, 5, TLS_EXTENSION_SIGNATURE_ALGORITHMS, "\0\2\4\3", 4);
}
static void request_key_share(struct message *m)
{
    message_add_extension(m, 5, TLS_EXTENSION_KEY_SHARE, "\0\x1d", 2);
}
static void request_versions(struct message *m)
{
    message_add_extension(m, 5, TLS_EXTENSION_SUPPORTED_VERSIONS, "\3\4", 2);
}
static void request_cookie(struct message *m)
{
    message_add_extension(m, 5, TLS_EXTENSION_COOKIE, "\0\1x", 3);
}
static void request_groups(struct message *m)
{
    message_add_extension(m, 5, TLS_EXTENSION_SUPPORTED_GROUPS, "\0\2\0\x1d", 4);
}
static void request_server_name(struct message *m)
{
    message_add_extension(m, 5, TLS_EXTENSION_SERVER_NAME, "", 0);
}
static void request_no_authority(struct message *m)
{
    message_add_extension(m, 5, TLS_EXTENSION_CERTIFICATE_AUTHORITIES, "\0\0", 2);
}
static void request_empty_authority(struct message *m)
{
    message_add_extension(m, 5, TLS_EXTENSION_CERTIFICATE_AUTHORITIES, "\0\5\0\1x\0\0", 7);
}
static void request_cut_authority(struct message *m)
{
    message_add_extension(m, 5, TLS_EXTENSION_CERTIFICATE_AUTHORITIES, "\0\3\0\2x", 5);
}
static void request_authorities_with_tail(struct message *m)
{
    message_add_extension(m, 5, TLS_EXTENSION_CERTIFICATE_AUTHORITIES, "\0\3\0\1xy", 6);
}
static void request_cut_extension(struct message *m)
{
    message_append(m, "\xfa\xfa\0\2x", 5);
    put16(m, 5, (unsigned)(m->length - 7));
    message_set_length(m);
}

static void certificate_context(struct message *m)
{
    request_context(m);
}
static void certificate_none(struct message *m)
{
    m->length = 8;
    memset(m->bytes + 4, 0, 4);
    message_set_length(m);
}
static void certificate_empty(struct message *m)
{
    static const uint8_t body[] = {0, 0, 0, 5, 0, 0, 0, 0, 0};

    m->length = 4;
    message_append(m, body, sizeof body);
    message_set_length(m);
}
static void certificate_with(struct message *m, uint16_t type)
{
    message_add_extension(m, m->length - 2, type, "\1\0\0\1x", 5);
    size_t list = m->length - 8;
    m->bytes[6] = (uint8_t)(list >> 8);
    m->bytes[7] = (uint8_t)list;
}
static void certificate_with_status(struct message *m)
{
    certificate_with(m, 5);
}
static void certificate_with_key_share(struct message *m)
{
    certificate_with(m, TLS_EXTENSION_KEY_SHARE);
}
static void certificate_with_algorithms(struct message *m)
{
    certificate_with(m, TLS_EXTENSION_SIGNATURE_ALGORITHMS);
}
static void certificate_with_half(struct message *m)
{
    certificate_with(m, 5);
    m->bytes[m->length - 6] = 9; /* the extension is longer than its block */
}
static void certificate_other(struct message *m)
{
    m->bytes[m->length - 20] ^= 1; /* in its signature */
}
static void certificate_twenty(struct message *m)
{
    static uint8_t body[4 + 20 * 6] = {0, 0, 0, 120};

    for (size_t i = 0; i < 20; i++)
        body[4 + 6 * i + 2] = 1;
    m->length = 4;
    message_append(m, body, sizeof body);
    message_set_length(m);
}

static void verify_pkcs1(struct message *m)
{
    put16(m, 4, 0x0401);
}
static void verify_sha1(struct message *m)
{
    put16(m, 4, 0x0203);
}
static void verify_ed25519(struct message *m)
{
    put16(m, 4, 0x0807);
}
static void verify_other_curve(struct message *m)
{
    put16(m, 4, 0x0503);
}
static void verify_rsa(struct message *m)
{
    put16(m, 4, 0x0804);
}
static void verify_wrong(struct message *m)
{
    m->bytes[m->length - 1] ^= 1;
}
static void verify_empty(struct message *m)
{
    m->length = 8;
    put16(m, 6, 0);
    message_set_length(m);
}
static void verify_long_form(struct message *m) /* the DER length in two bytes instead of one */
{
    memmove(m->bytes + 10, m->bytes + 9, m->length - 9);
    m->bytes[9] = 0x81;
    m->length++;
    put16(m, 6, (unsigned)(m->length - 8));
    message_set_length(m);
}
static void finished_wrong(struct message *m)
{
    m->bytes[4] ^= 0x80;
}

/* A message of this type instead of the one that is due. */
#define INSTEAD(type)                             \
    static void instead_##type(struct message *m) \
    {                                             \
        m->bytes[0] = type;                       \
    }
INSTEAD(TLS_CLIENT_HELLO)
INSTEAD(TLS_NEW_SESSION_TICKET)
INSTEAD(TLS_ENCRYPTED_EXTENSIONS)
INSTEAD(TLS_CERTIFICATE)
INSTEAD(TLS_CERTIFICATE_VERIFY)
INSTEAD(TLS_FINISHED)
INSTEAD(TLS_KEY_UPDATE)
INSTEAD(6)
INSTEAD(TLS_MESSAGE_HASH)

static void left_out(struct message *m)
{
    m->length = 0;
}

static void two_in_a_record(struct message *m)
{
    /* An empty EncryptedExtensions behind it, in the same record. */
    message_append(m, "\x08\0\0\2\0\0", 6);
}

#define SH TLS_SERVER_HELLO
#define EE TLS_ENCRYPTED_EXTENSIONS
#define CR TLS_CERTIFICATE_REQUEST
#define CT TLS_CERTIFICATE
#define CV TLS_CERTIFICATE_VERIFY
#define FIN TLS_FINISHED
#define VERSION_ALERT TLS_ALERT_PROTOCOL_VERSION
#define ILLEGAL TLS_ALERT_ILLEGAL_PARAMETER
#define DECODE TLS_ALERT_DECODE_ERROR
#define UNSUPPORTED TLS_ALERT_UNSUPPORTED_EXTENSION
#define UNEXPECTED TLS_ALERT_UNEXPECTED_MESSAGE

#pragma GCC diagnostic ignored "-Wmissing-field-initializers" /* most have no option */
static const struct fault faults[] = {
    {"legacy_version 0x0302", SH, legacy_version, VERSION_ALERT, "only TLS 1.2 or older"},
    {"ServerHello of TLS 1.2", SH, only_tls12, VERSION_ALERT, "only TLS 1.2 or older"},
    {"no supported_versions", SH, no_version, VERSION_ALERT, "only TLS 1.2 or older"},
    {"supported_versions 1.2", SH, version_12, ILLEGAL, "version 0x0303"},
    {"supported_versions draft", SH, version_13_draft, ILLEGAL, "version 0x7f1c"},
    {"TLS 1.2 of a server of 1.3", SH, tls12_with_sentinel, ILLEGAL, "in between"},
    {"TLS 1.1 of a server of 1.3", SH, tls11_with_sentinel, ILLEGAL, "in between"},
    {"session id differs", SH, session_id, ILLEGAL, "session id"},
    {"session id empty", SH, empty_session_id, ILLEGAL, "session id"},
    {"suite unknown", SH, unknown_suite, ILLEGAL, "0x1304"},
    {"suite of TLS 1.2", SH, tls12_suite, ILLEGAL, "0xc02b"},
    {"compression", SH, compression, ILLEGAL, "compression"},
    {"no key share", SH, no_share, TLS_ALERT_MISSING_EXTENSION, "no key share"},
    {"group without share", SH, other_group, ILLEGAL, "group 23"},
    {"group not offered", SH, unknown_group, ILLEGAL, "group 25"},
    {"x25519 share of zeros", SH, zero_share, ILLEGAL, "invalid key share"},
    {"x25519 share of small order", SH, small_order_share, ILLEGAL, "invalid key share"},
    {"x25519 share of 31 bytes", SH, short_share, ILLEGAL, "invalid key share"},
    {"hybrid share too short", SH, hybrid_short, ILLEGAL, "invalid key share", TLS_X25519MLKEM768},
    {"hybrid share too long", SH, hybrid_long, ILLEGAL, "invalid key share", TLS_X25519MLKEM768},
    {"hybrid share without x25519", SH, hybrid_without_curve, ILLEGAL, "invalid key share",
     TLS_X25519MLKEM768},
    {"hybrid share without ML-KEM", SH, hybrid_of_curve_alone, ILLEGAL, "invalid key share",
     TLS_X25519MLKEM768},
    {"hybrid share empty", SH, hybrid_empty, ILLEGAL, "invalid key share", TLS_X25519MLKEM768},
    {"hybrid share with x25519 zeros", SH, hybrid_zeros, ILLEGAL, "invalid key share",
     TLS_X25519MLKEM768},
    {"P-256 point off the curve", SH, bad_point, ILLEGAL, "invalid key share", TLS_SECP256R1},
    {"P-384 point off the curve", SH, bad_point, ILLEGAL, "invalid key share", TLS_SECP384R1},
    {"P-256 point compressed", SH, compressed_point, ILLEGAL, "invalid key share", TLS_SECP256R1},
    {"key share with a tail", SH, share_with_tail, DECODE, "extension 51"},
    {"supported_versions with a tail", SH, version_with_tail, DECODE, "extension 43"},
    {"ServerHello extension unknown", SH, hello_unknown_extension, UNSUPPORTED, "64250"},
    {"ServerHello pre_shared_key", SH, hello_not_offered, UNSUPPORTED, "extension 41"},
    {"ServerHello extension misplaced", SH, hello_misplaced, ILLEGAL, "extension 10"},
    {"ServerHello extension twice", SH, hello_duplicate, ILLEGAL, "extension 43 twice"},
    {"ServerHello cookie", SH, hello_cookie, ILLEGAL, "extension 44"},
    {"ServerHello cookie after retry", SH, hello_cookie, ILLEGAL, "extension 44", 0, true},
    {"ServerHello with a tail", SH, tail, DECODE, "ServerHello"},
    {"ServerHello extensions too long", SH, extensions_too_long, DECODE, "ServerHello"},
    {"ServerHello shortened", SH, shortened, DECODE, "ServerHello"},
    {"ServerHello empty", SH, empty, DECODE, "ServerHello"},
    {"data behind ServerHello", SH, two_in_a_record, UNEXPECTED, "keys change"},

    {"retry that changes nothing", SH, retry_changes_nothing, ILLEGAL, "changes nothing",
     TLS_SECP256R1, false, true},
    {"retry for the group sent", SH, retry_same_group, ILLEGAL, "group 29", TLS_SECP256R1, false,
     true},
    {"retry for the other group sent", SH, retry_hybrid, ILLEGAL, "group 4588", TLS_SECP256R1,
     false, true},
    {"retry for a group not offered", SH, retry_secp521r1, ILLEGAL, "group 25", TLS_SECP256R1,
     false, true},
    {"retry with an empty cookie", SH, retry_empty_cookie, DECODE, "extension 44", 0, true, true},
    {"retry with two cookies", SH, retry_two_cookies, ILLEGAL, "twice", 0, true, true},
    {"retry with a huge cookie", SH, retry_huge_cookie, ILLEGAL, "no room", 0, true, true},
    {"retry with a session id", SH, session_id, ILLEGAL, "session id", 0, true, true},
    {"retry with compression", SH, compression, ILLEGAL, "compression", 0, true, true},
    {"retry without version", SH, no_version, VERSION_ALERT, "TLS 1.2", 0, true, true},
    {"retry with an unknown suite", SH, unknown_suite, ILLEGAL, "0x1304", 0, true, true},
    {"retry with an unknown extension", SH, hello_unknown_extension, UNSUPPORTED, "64250", 0, true,
     true},
    {"retry with a tail", SH, tail, DECODE, "ServerHello", 0, true, true},
    {"data behind the retry", SH, two_in_a_record, UNEXPECTED, "keys change", 0, true, true},
    {"second retry", SH, retry_again, UNEXPECTED, "HelloRetryRequest out of order", 0, true},
    {"version gone after the retry", SH, no_version, ILLEGAL, "changed the TLS version", 0, true},
    {"suite changed after the retry", SH, other_suite, ILLEGAL, "changed the cipher suite", 0,
     true},
    {"group changed after the retry", SH, unknown_group, ILLEGAL, "group 25", TLS_SECP256R1},
    {"first group after the retry", SH, first_group, ILLEGAL, "group 29", TLS_SECP256R1},

    {"EncryptedExtensions unknown", EE, encrypted_unknown, UNSUPPORTED, "64250"},
    {"EncryptedExtensions ALPN", EE, encrypted_alpn, UNSUPPORTED, "extension 16"},
    {"EncryptedExtensions key_share", EE, encrypted_key_share, ILLEGAL, "extension 51"},
    {"EncryptedExtensions versions", EE, encrypted_versions, ILLEGAL, "extension 43"},
    {"EncryptedExtensions cookie", EE, encrypted_cookie, ILLEGAL, "extension 44"},
    {"EncryptedExtensions algorithms", EE, encrypted_algorithms, ILLEGAL, "extension 13"},
    {"EncryptedExtensions authorities", EE, encrypted_authorities, ILLEGAL, "extension 47"},
    {"EncryptedExtensions server_name", EE, encrypted_server_name, DECODE, "server_name"},
    {"EncryptedExtensions twice", EE, encrypted_twice, ILLEGAL, "twice"},
    {"EncryptedExtensions with a tail", EE, tail, DECODE, "EncryptedExtensions"},
    {"EncryptedExtensions empty", EE, empty, DECODE, "EncryptedExtensions"},
    {"EncryptedExtensions left out", EE, left_out, UNEXPECTED, "out of order"},

    {"request with a context", CR, request_context, ILLEGAL, "context"},
    {"request without algorithms", CR, request_without_algorithms, TLS_ALERT_MISSING_EXTENSION,
     "signature_algorithms"},
    {"request with odd algorithms", CR, request_odd_algorithms, DECODE, "signature_algorithms"},
    {"request with no algorithm", CR, request_no_algorithm, DECODE, "signature_algorithms"},
    {"request with algorithms twice", CR, request_algorithms_twice, ILLEGAL, "twice"},
    {"request with key_share", CR, request_key_share, ILLEGAL, "51 in CertificateRequest"},
    {"request with supported_versions", CR, request_versions, ILLEGAL, "43 in CertificateRequest"},
    {"request with a cookie", CR, request_cookie, ILLEGAL, "44 in CertificateRequest"},
    {"request with supported_groups", CR, request_groups, ILLEGAL, "10 in CertificateRequest"},
    {"request with server_name", CR, request_server_name, ILLEGAL, "0 in CertificateRequest"},
    {"request with no authority", CR, request_no_authority, DECODE, "certificate_authorities"},
    {"request with an empty authority", CR, request_empty_authority, DECODE,
     "certificate_authorities"},
    {"request with a cut authority", CR, request_cut_authority, DECODE, "certificate_authorities"},
    {"request with authorities and a tail", CR, request_authorities_with_tail, DECODE,
     "certificate_authorities"},
    {"request with half an extension", CR, request_cut_extension, DECODE, "CertificateRequest"},
    {"request with a tail", CR, tail, DECODE, "CertificateRequest"},

    {"certificate with a context", CT, certificate_context, ILLEGAL, "context"},
    {"no certificate", CT, certificate_none, DECODE, "Certificate"},
    {"empty certificate", CT, certificate_empty, DECODE, "Certificate"},
    {"certificate with OCSP", CT, certificate_with_status, UNSUPPORTED, "extension"},
    {"certificate with key_share", CT, certificate_with_key_share, ILLEGAL, "51 in Certificate"},
    {"certificate with algorithms", CT, certificate_with_algorithms, ILLEGAL, "13 in Certificate"},
    {"certificate with half an extension", CT, certificate_with_half, DECODE, "Certificate"},
    {"certificate with a tail", CT, tail, DECODE, "Certificate"},
    {"certificate of another", CT, certificate_other, TLS_ALERT_BAD_CERTIFICATE,
     "not the expected one"},
    {"twenty certificates", CT, certificate_twenty, TLS_ALERT_BAD_CERTIFICATE, "more than 16"},
    {"certificate left out", CT, left_out, UNEXPECTED, "out of order"},

    {"CertificateVerify PKCS#1", CV, verify_pkcs1, ILLEGAL, "0x0401"},
    {"CertificateVerify SHA-1", CV, verify_sha1, ILLEGAL, "0x0203"},
    {"CertificateVerify Ed25519", CV, verify_ed25519, ILLEGAL, "0x0807"},
    {"CertificateVerify other curve", CV, verify_other_curve, ILLEGAL, "does not fit"},
    {"CertificateVerify RSA", CV, verify_rsa, ILLEGAL, "does not fit"},
    {"CertificateVerify wrong", CV, verify_wrong, TLS_ALERT_DECRYPT_ERROR, "private key"},
    {"CertificateVerify no signature", CV, verify_empty, TLS_ALERT_DECRYPT_ERROR, "private key"},
    {"CertificateVerify not DER", CV, verify_long_form, TLS_ALERT_DECRYPT_ERROR, "private key"},
    {"CertificateVerify with a tail", CV, tail, DECODE, "CertificateVerify"},
    {"CertificateVerify left out", CV, left_out, UNEXPECTED, "out of order"},

    {"Finished wrong", FIN, finished_wrong, TLS_ALERT_DECRYPT_ERROR, "Finished"},
    {"Finished with a tail", FIN, tail, DECODE, "Finished"},
    {"Finished shortened", FIN, shortened, DECODE, "Finished"},
    {"data behind Finished", FIN, two_in_a_record, UNEXPECTED, "keys change"},

    {"ClientHello for ServerHello", SH, instead_TLS_CLIENT_HELLO, UNEXPECTED, "ClientHello out"},
    {"retry by its type in drafts", SH, instead_6, UNEXPECTED, "message 6,"},
    {"Finished for ServerHello", SH, instead_TLS_FINISHED, UNEXPECTED, "Finished out"},
    {"Certificate for EncryptedExtensions", EE, instead_TLS_CERTIFICATE, UNEXPECTED,
     "Certificate out"},
    {"KeyUpdate during the handshake", EE, instead_TLS_KEY_UPDATE, UNEXPECTED, "KeyUpdate out"},
    {"message_hash on the wire", EE, instead_TLS_MESSAGE_HASH, UNEXPECTED, "254,"},
    {"ticket for Certificate", CT, instead_TLS_NEW_SESSION_TICKET, UNEXPECTED,
     "NewSessionTicket out"},
    {"CertificateVerify for Certificate", CT, instead_TLS_CERTIFICATE_VERIFY, UNEXPECTED,
     "CertificateVerify out"},
    {"Finished for CertificateVerify", CV, instead_TLS_FINISHED, UNEXPECTED, "Finished out"},
    {"EncryptedExtensions for Finished", FIN, instead_TLS_ENCRYPTED_EXTENSIONS, UNEXPECTED,
     "EncryptedExtensions out"},
};
#define FAULTS (sizeof faults / sizeof faults[0])

static void apply_current(struct server *the_server, struct message *message)
{
    bool is_retry = message->bytes[0] == SH && message->bytes[HELLO_RANDOM] == 0xcf &&
                    message->bytes[HELLO_RANDOM + 1] == 0x21;

    (void)the_server;
    if (message->bytes[0] == current->message && is_retry == current->at_retry)
        current->apply(message);
}

static void start(void)
{
    struct tls_configuration configuration = server_client_configuration();

    server_init(&server, &tls);
    tls_start(&tls, &configuration);
}

static void assert_refused(int alert, const char *sentence)
{
    server_receive(&server);
    assert_int_equal(tls_state(&tls), TLS_FAILED);
    if (strstr(tls_failure(&tls), sentence) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", tls_failure(&tls), sentence);
    assert_int_equal(tls_alert(&tls), alert);
    assert_int_equal(server.alert, alert);
    assert_false(server.client_finished);
    assert_int_equal(tls_write(&tls, "x", 1), 0);
}

static void fault(void **state)
{
    current = *state;
    start();
    if (current->group != 0)
        server.group = current->group;
    server.send_retry = current->retry;
    server.request_certificate = current->message == CR;
    server.tamper = apply_current;
    server_handshake(&server);
    assert_refused(current->alert, current->sentence);
}

/* ---- Faults in records, during the handshake and after it ---- */

static void connect_to_server(void)
{
    start();
    server_handshake(&server);
    assert_int_equal(tls_state(&tls), TLS_OPEN);
    server.client_finished = false; /* for assert_refused() */
}

#define RECORD_FAULT(name, setup, alert, sentence, ...) \
    static void name(void **state)                      \
    {                                                   \
        (void)state;                                    \
        setup();                                        \
        __VA_ARGS__;                                    \
        assert_refused(alert, sentence);                \
    }

/* The shortest that is legal. */
static const uint8_t small_ticket[] = {4, 0, 0, 14, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 'x', 0, 0};
static const uint8_t ccs[] = {20, 3, 3, 0, 1, 1};
static uint8_t big[TLS_MAX_RECORD + 1024];

RECORD_FAULT(first_record_plain_http, start, UNEXPECTED, "plain HTTP",
             server_send_raw(&server, "HTTP/1.1 400 Bad Request\r\n", 26))
RECORD_FAULT(first_record_ssh, start, UNEXPECTED, "does not speak TLS",
             server_send_raw(&server, "SSH-2.0-OpenSSH_9.2\r\n", 21))
RECORD_FAULT(record_type_unknown, start, UNEXPECTED, "does not speak TLS",
             server_send_raw(&server, "\x18\3\3\0\1\1", 6))
RECORD_FAULT(record_too_long_announced, start, TLS_ALERT_RECORD_OVERFLOW, "2^14",
             server_send_raw(&server, "\x16\3\3\x41\1", 5))
RECORD_FAULT(plaintext_record_too_long, start, TLS_ALERT_RECORD_OVERFLOW, "2^14",
             memcpy(big, "\x16\3\3\x40\1", 5);
             server_send_raw(&server, big, 5 + 0x4001))
RECORD_FAULT(empty_handshake_record, start, UNEXPECTED, "empty handshake record",
             server_send_raw(&server, "\x16\3\3\0\0", 5))
RECORD_FAULT(application_data_before_hello, start, UNEXPECTED, "application data",
             server_send_raw(&server, "\x17\3\3\0\1x", 6))
RECORD_FAULT(alert_malformed, start, DECODE, "malformed alert",
             server_send_raw(&server, "\x15\3\3\0\1\2", 6))
RECORD_FAULT(alert_empty, start, UNEXPECTED, "empty alert",
             server_send_raw(&server, "\x15\3\3\0\0", 5))
RECORD_FAULT(message_too_long, start, ILLEGAL, "65537",
             server_send_raw(&server, "\x16\3\3\0\4\2\1\0\1", 9))
RECORD_FAULT(message_interrupted, start, UNEXPECTED, "interrupted",
             server_send_raw(&server, "\x16\3\3\0\2\2\0", 7);
             server_send_raw(&server, "\x15\3\3\0\2\2\x28", 7))
RECORD_FAULT(message_interrupted_by_ccs, start, UNEXPECTED, "ChangeCipherSpec",
             server_send_raw(&server, "\x16\3\3\0\2\2\0", 7);
             server_send_raw(&server, ccs, sizeof ccs))
RECORD_FAULT(ccs_of_two, start, UNEXPECTED, "ChangeCipherSpec",
             server_send_raw(&server, "\x14\3\3\0\2\1\1", 7))
RECORD_FAULT(ccs_with_another_value, start, UNEXPECTED, "ChangeCipherSpec",
             server_send_raw(&server, "\x14\3\3\0\1\2", 6))
RECORD_FAULT(ccs_without_end, start, UNEXPECTED, "empty records",
             for (int i = 0; i <= TLS_MAX_IDLE_RECORDS; i++)
                 server_send_raw(&server, ccs, sizeof ccs))

RECORD_FAULT(ccs_after_handshake, connect_to_server, UNEXPECTED, "ChangeCipherSpec",
             server_send_raw(&server, ccs, sizeof ccs))
RECORD_FAULT(ccs_protected, connect_to_server, UNEXPECTED, "unknown type 20",
             server_send_inner(&server, 23, "\1\x14", 2))
RECORD_FAULT(plaintext_alert_after_keys, connect_to_server, UNEXPECTED, "unprotected record",
             server_send_raw(&server, "\x15\3\3\0\2\1\0", 7))
RECORD_FAULT(plaintext_handshake_after_keys, connect_to_server, UNEXPECTED, "unprotected record",
             server_send_raw(&server, "\x16\3\3\0\4\0\0\0\0", 9))
RECORD_FAULT(outer_type_wrong, connect_to_server, UNEXPECTED, "unprotected record",
             server_send_inner(&server, 22, "x\x17", 2))
RECORD_FAULT(tag_wrong, connect_to_server, TLS_ALERT_BAD_RECORD_MAC, "authenticate",
             server.write_keys.iv[0] ^= 1;
             server_send(&server, 23, "x", 1))
RECORD_FAULT(record_shorter_than_tag, connect_to_server, TLS_ALERT_BAD_RECORD_MAC, "authenticate",
             server_send_raw(&server,
                             "\x17\3\3\0\x0f"
                             "0123456789abcde",
                             20))
RECORD_FAULT(record_replayed, connect_to_server, TLS_ALERT_BAD_RECORD_MAC, "authenticate",
             server_send(&server, 23, "", 0);
             server_send_raw(&server, server.wire + server.wire_length - 22, 22))
RECORD_FAULT(padding_alone, connect_to_server, UNEXPECTED, "padding alone",
             server_send_inner(&server, 23, "\0\0\0\0", 4))
RECORD_FAULT(inner_record_too_long, connect_to_server, TLS_ALERT_RECORD_OVERFLOW, "2^14",
             memset(big, 23, sizeof big);
             server_send_inner(&server, 23, big, TLS_MAX_PLAINTEXT + 2))
RECORD_FAULT(inner_type_unknown, connect_to_server, UNEXPECTED, "unknown type 99",
             server_send_inner(&server, 23, "xc", 2))
RECORD_FAULT(inner_handshake_empty, connect_to_server, UNEXPECTED, "empty handshake",
             server_send(&server, TLS_HANDSHAKE_RECORD, "", 0))
RECORD_FAULT(inner_alert_empty, connect_to_server, UNEXPECTED, "empty alert",
             server_send(&server, TLS_ALERT, "", 0))
RECORD_FAULT(alert_of_three, connect_to_server, DECODE, "malformed alert",
             server_send(&server, TLS_ALERT, "\1\0\0", 3))
RECORD_FAULT(empty_records_without_end, connect_to_server, UNEXPECTED, "empty records",
             for (int i = 0; i <= TLS_MAX_IDLE_RECORDS; i++)
                 server_send(&server, TLS_APPLICATION_DATA, "", 0))
RECORD_FAULT(user_canceled_without_end, connect_to_server, UNEXPECTED, "user_canceled",
             for (int i = 0; i <= TLS_MAX_USER_CANCELED; i++)
                 server_send(&server, TLS_ALERT, "\1\x5a", 2))
RECORD_FAULT(key_update_of_unknown_kind, connect_to_server, ILLEGAL, "unknown kind 2",
             server_send(&server, TLS_HANDSHAKE_RECORD, "\x18\0\0\1\2", 5))
RECORD_FAULT(key_update_empty, connect_to_server, DECODE, "KeyUpdate",
             server_send(&server, TLS_HANDSHAKE_RECORD, "\x18\0\0\0", 4))
RECORD_FAULT(key_update_with_tail, connect_to_server, DECODE, "KeyUpdate",
             server_send(&server, TLS_HANDSHAKE_RECORD, "\x18\0\0\2\0\0", 6))
RECORD_FAULT(key_update_not_at_the_end, connect_to_server, UNEXPECTED, "keys change",
             server_send(&server, TLS_HANDSHAKE_RECORD, "\x18\0\0\1\0\x18", 6))
RECORD_FAULT(
    key_updates_without_end, connect_to_server, UNEXPECTED, "KeyUpdates",
    for (int i = 0; i <= TLS_MAX_KEY_UPDATES; i++) {
        server_send(&server, TLS_HANDSHAKE_RECORD, "\x18\0\0\1\0", 5);
        server_update_keys(&server);
    })
RECORD_FAULT(certificate_request_after_handshake, connect_to_server, UNEXPECTED,
             "CertificateRequest out",
             server_send(&server, TLS_HANDSHAKE_RECORD, "\x0d\0\0\3\0\0\0", 7))
RECORD_FAULT(hello_request_after_handshake, connect_to_server, UNEXPECTED, "message 0,",
             server_send(&server, TLS_HANDSHAKE_RECORD, "\0\0\0\0", 4))
RECORD_FAULT(server_hello_after_handshake, connect_to_server, UNEXPECTED, "ServerHello out",
             server_send(&server, TLS_HANDSHAKE_RECORD, "\2\0\0\0", 4))
RECORD_FAULT(finished_after_handshake, connect_to_server, UNEXPECTED, "Finished out",
             server_send(&server, TLS_HANDSHAKE_RECORD, "\x14\0\0\0", 4))
RECORD_FAULT(ticket_malformed, connect_to_server, DECODE, "NewSessionTicket",
             server_send(&server, TLS_HANDSHAKE_RECORD, "\4\0\0\5\0\0\0\0\0", 9))
RECORD_FAULT(ticket_empty, connect_to_server, DECODE, "NewSessionTicket",
             server_send(&server, TLS_HANDSHAKE_RECORD, "\4\0\0\x0d\0\0\0\0\0\0\0\0\0\0\0\0\0", 17))
RECORD_FAULT(
    tickets_without_end, connect_to_server, UNEXPECTED, "NewSessionTickets",
    for (int i = 0; i <= TLS_MAX_TICKETS; i++) {
        server_send(&server, TLS_HANDSHAKE_RECORD, small_ticket, sizeof small_ticket);
        server_send(&server, TLS_APPLICATION_DATA, "", 0);
    })
RECORD_FAULT(ticket_too_long, connect_to_server, DECODE, "131339",
             server_send(&server, TLS_HANDSHAKE_RECORD, "\4\2\1\x0b", 4))
RECORD_FAULT(ticket_interrupted, connect_to_server, UNEXPECTED, "interrupted",
             server_send(&server, TLS_HANDSHAKE_RECORD, small_ticket, sizeof small_ticket - 1);
             server_send(&server, TLS_ALERT, "\1\x5a", 2))
RECORD_FAULT(ticket_interrupted_by_data, connect_to_server, UNEXPECTED, "interrupted",
             server_send(&server, TLS_HANDSHAKE_RECORD, small_ticket, sizeof small_ticket - 1);
             server_send(&server, TLS_APPLICATION_DATA, "x", 1))

static void application_data_in_the_handshake(struct server *the_server, int type)
{
    if (type == FIN)
        server_send(the_server, TLS_APPLICATION_DATA, "early", 5);
}
static void plaintext_during_the_handshake(struct server *the_server, int type)
{
    if (type == EE) /* EncryptedExtensions in the clear */
        server_send_raw(the_server, "\x16\3\3\0\6\x08\0\0\2\0\0", 11);
}
static void message_split_by_data(struct server *the_server, int type)
{
    if (type != FIN)
        return;
    server_send(the_server, TLS_HANDSHAKE_RECORD, "\x14\0", 2);
    server_send(the_server, TLS_ALERT, "\1\x5a", 2);
}

static void refused_before(void (*before_send)(struct server *, int), const char *sentence)
{
    start();
    server.before_send = before_send;
    server_handshake(&server);
    assert_refused(UNEXPECTED, sentence);
}

static void data_before_finished(void **state)
{
    (void)state;
    refused_before(application_data_in_the_handshake, "application data");
}
static void encrypted_extensions_in_the_clear(void **state)
{
    (void)state;
    refused_before(plaintext_during_the_handshake, "unprotected record");
}
static void message_split_by_another_record(void **state)
{
    (void)state;
    refused_before(message_split_by_data, "interrupted");
}

/* An alert of the peer ends it, whatever its level says; nothing is sent back. */
static void fatal_alerts(void **state)
{
    static const uint8_t alerts[] = {10, 20, 22, 40, 42, 43,  44,  45,  46,  47,  48,  49,  50,
                                     51, 70, 71, 80, 86, 109, 110, 112, 113, 115, 116, 120, 255};

    (void)state;
    for (size_t i = 0; i < 2 * sizeof alerts; i++) {
        uint8_t alert[2] = {(uint8_t)(1 + i % 2), alerts[i / 2]};
        connect_to_server();
        server_send(&server, TLS_ALERT, alert, sizeof alert);
        server_receive(&server);
        assert_int_equal(tls_state(&tls), TLS_FAILED);
        assert_int_equal(tls_origin(&tls), TLS_ORIGIN_PEER);
        assert_int_equal(tls_alert(&tls), alert[1]);
        assert_int_equal(server.alert, -1);
        assert_non_null(strstr(tls_failure(&tls), tls_alert_name(alert[1])));
    }
}

/* Nobody says so: the secrets differ (FIPS 203 6.3), and nothing that is protected opens. */
static void hybrid_ciphertext_bent(void **state)
{
    static const struct fault bent = {.message = SH, .apply = hybrid_ciphertext};

    (void)state;
    current = &bent;
    start();
    server.group = TLS_X25519MLKEM768;
    server.tamper = apply_current;
    server.keys_differ = true;
    server_handshake(&server);
    assert_int_equal(tls_state(&tls), TLS_FAILED);
    assert_int_equal(tls_alert(&tls), TLS_ALERT_BAD_RECORD_MAC);
}

static void alert_before_finished(struct server *the_server, int type)
{
    if (type == FIN)
        server_send(the_server, TLS_ALERT, "\2\x30", 2);
}

/* In the clear or protected: until its Finished was right, anybody may have sent it. */
static void alerts_before_finished(void **state)
{
    (void)state;
    start();
    server_send_raw(&server, "\x15\3\3\0\2\2\x30", 7); /* unknown_ca */
    assert_int_equal(tls_state(&tls), TLS_FAILED);
    assert_int_equal(tls_origin(&tls), TLS_ORIGIN_ANYBODY);
    assert_int_equal(tls_alert(&tls), TLS_ALERT_UNKNOWN_CA);

    start();
    server.before_send = alert_before_finished;
    server_handshake(&server);
    assert_int_equal(tls_state(&tls), TLS_FAILED);
    assert_int_equal(tls_origin(&tls), TLS_ORIGIN_ANYBODY);
}

/* Those of RFC 9846 6, and of its predecessors. */
static void every_alert_has_a_name(void **state)
{
    static const uint8_t alerts[] = {0,   10,  20,  21,  22,  30,  40,  41,  42,  43,  44,  45,
                                     46,  47,  48,  49,  50,  51,  60,  70,  71,  80,  86,  90,
                                     100, 109, 110, 111, 112, 113, 114, 115, 116, 117, 120, 121};

    (void)state;
    for (size_t i = 0; i < sizeof alerts; i++)
        assert_string_not_equal(tls_alert_name(alerts[i]), "unknown");
    assert_string_equal(tls_alert_name(117), "general_error");
    assert_string_equal(tls_alert_name(255), "unknown");
}

static void protocol_version_alert_is_explained(void **state)
{
    (void)state;
    start();
    server_send_raw(&server, "\x15\3\3\0\2\2\x46", 7);
    assert_int_equal(tls_state(&tls), TLS_FAILED);
    assert_non_null(strstr(tls_failure(&tls), "only TLS 1.2 or older"));
}

static void close_notify_in_the_handshake(void **state)
{
    (void)state;
    start();
    server_send_raw(&server, "\x15\3\3\0\2\1\0", 7);
    assert_int_equal(tls_state(&tls), TLS_FAILED);
    assert_non_null(strstr(tls_failure(&tls), "during the handshake"));
}

int main(void)
{
    static struct CMUnitTest fault_tests[FAULTS];
    const struct CMUnitTest record_tests[] = {
        cmocka_unit_test(first_record_plain_http),
        cmocka_unit_test(first_record_ssh),
        cmocka_unit_test(record_type_unknown),
        cmocka_unit_test(record_too_long_announced),
        cmocka_unit_test(plaintext_record_too_long),
        cmocka_unit_test(empty_handshake_record),
        cmocka_unit_test(application_data_before_hello),
        cmocka_unit_test(alert_malformed),
        cmocka_unit_test(alert_empty),
        cmocka_unit_test(message_too_long),
        cmocka_unit_test(message_interrupted),
        cmocka_unit_test(message_interrupted_by_ccs),
        cmocka_unit_test(ccs_of_two),
        cmocka_unit_test(ccs_with_another_value),
        cmocka_unit_test(ccs_without_end),
        cmocka_unit_test(ccs_after_handshake),
        cmocka_unit_test(ccs_protected),
        cmocka_unit_test(plaintext_alert_after_keys),
        cmocka_unit_test(plaintext_handshake_after_keys),
        cmocka_unit_test(outer_type_wrong),
        cmocka_unit_test(tag_wrong),
        cmocka_unit_test(record_shorter_than_tag),
        cmocka_unit_test(record_replayed),
        cmocka_unit_test(padding_alone),
        cmocka_unit_test(inner_record_too_long),
        cmocka_unit_test(inner_type_unknown),
        cmocka_unit_test(inner_handshake_empty),
        cmocka_unit_test(inner_alert_empty),
        cmocka_unit_test(alert_of_three),
        cmocka_unit_test(empty_records_without_end),
        cmocka_unit_test(user_canceled_without_end),
        cmocka_unit_test(key_update_of_unknown_kind),
        cmocka_unit_test(key_update_empty),
        cmocka_unit_test(key_update_with_tail),
        cmocka_unit_test(key_update_not_at_the_end),
        cmocka_unit_test(key_updates_without_end),
        cmocka_unit_test(certificate_request_after_handshake),
        cmocka_unit_test(hello_request_after_handshake),
        cmocka_unit_test(server_hello_after_handshake),
        cmocka_unit_test(finished_after_handshake),
        cmocka_unit_test(ticket_malformed),
        cmocka_unit_test(ticket_empty),
        cmocka_unit_test(tickets_without_end),
        cmocka_unit_test(ticket_too_long),
        cmocka_unit_test(ticket_interrupted),
        cmocka_unit_test(ticket_interrupted_by_data),
        cmocka_unit_test(hybrid_ciphertext_bent),
        cmocka_unit_test(alerts_before_finished),
        cmocka_unit_test(every_alert_has_a_name),
        cmocka_unit_test(data_before_finished),
        cmocka_unit_test(encrypted_extensions_in_the_clear),
        cmocka_unit_test(message_split_by_another_record),
        cmocka_unit_test(fatal_alerts),
        cmocka_unit_test(protocol_version_alert_is_explained),
        cmocka_unit_test(close_notify_in_the_handshake),
    };

    for (size_t i = 0; i < FAULTS; i++) {
        fault_tests[i] = (struct CMUnitTest){.name = faults[i].name,
                                             .test_func = fault,
                                             .initial_state = (void *)(uintptr_t)&faults[i]};
    }
    int failed = cmocka_run_group_tests(fault_tests, NULL, NULL);
    failed += cmocka_run_group_tests(record_tests, NULL, NULL);
    return failed;
}
