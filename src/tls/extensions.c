/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/internal.h"

/*
 * The extensions that we know and the messages of a server which they may stand in (the table of
 * RFC 9846 4.3). Elsewhere they are illegal; others answer nothing that was asked.
 */
static const struct {
    uint16_t type;
    unsigned places;
} known[] = {
    {TLS_EXTENSION_SERVER_NAME, TLS_IN_ENCRYPTED_EXTENSIONS},
    {TLS_EXTENSION_SUPPORTED_GROUPS, TLS_IN_ENCRYPTED_EXTENSIONS},
    {TLS_EXTENSION_SIGNATURE_ALGORITHMS, TLS_IN_CERTIFICATE_REQUEST},
    {TLS_EXTENSION_SUPPORTED_VERSIONS, TLS_IN_SERVER_HELLO | TLS_IN_RETRY},
    {TLS_EXTENSION_COOKIE, TLS_IN_RETRY},
    {TLS_EXTENSION_CERTIFICATE_AUTHORITIES, TLS_IN_CERTIFICATE_REQUEST},
    {TLS_EXTENSION_SIGNATURE_ALGORITHMS_CERT, TLS_IN_CERTIFICATE_REQUEST},
    {TLS_EXTENSION_KEY_SHARE, TLS_IN_SERVER_HELLO | TLS_IN_RETRY},
};

static const char *name_of(enum tls_place place)
{
    switch (place) {
    case TLS_IN_SERVER_HELLO:
        return "ServerHello";
    case TLS_IN_RETRY:
        return "HelloRetryRequest";
    case TLS_IN_ENCRYPTED_EXTENSIONS:
        return "EncryptedExtensions";
    case TLS_IN_CERTIFICATE_REQUEST:
        return "CertificateRequest";
    case TLS_IN_CERTIFICATE:
    default:
        return "Certificate";
    }
}

/* Were it an answer, did we ask? A cookie comes unasked (4.3.2), a request asks by itself. */
static bool may_come(const struct tls *tls, uint16_t type, enum tls_place place)
{
    if (place == TLS_IN_CERTIFICATE_REQUEST ||
        (type == TLS_EXTENSION_COOKIE && place == TLS_IN_RETRY))
        return true;
    return type < 64 && (tls->offered >> type & 1) != 0;
}

int tls_next_extension(struct tls *tls, struct reader *block, enum tls_place place, uint64_t *seen,
                       uint16_t *type, struct reader *content)
{
    unsigned places = ~0U;

    if (block->left == 0 && !block->bad)
        return 0;
    *type = (uint16_t)reader_number(block, 2);
    *content = reader_vector(block, 2);
    if (block->bad)
        return tls_fail(tls, TLS_ALERT_DECODE_ERROR, "sent a malformed list of extensions in %s",
                        name_of(place));
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (known[i].type == *type)
            places = known[i].places;
    }
    if ((places & place) == 0)
        return tls_fail(tls, TLS_ALERT_ILLEGAL_PARAMETER,
                        "sent extension %u in %s, where it does not belong", *type, name_of(place));
    if (!may_come(tls, *type, place))
        return tls_fail(tls, TLS_ALERT_UNSUPPORTED_EXTENSION,
                        "sent extension %u in %s, which was not offered", *type, name_of(place));
    uint64_t bit = *type < 64 ? UINT64_C(1) << *type : 0;
    if ((*seen & bit) != 0)
        return tls_fail(tls, TLS_ALERT_ILLEGAL_PARAMETER, "sent extension %u twice in %s", *type,
                        name_of(place));
    *seen |= bit;
    return 1;
}
