/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LXD_TOKEN_H
#define LXD_TOKEN_H

#include <stdint.h>

#include "base/error.h"
#include "lxd/client.h"
#include "lxd/endpoint.h"

/*
 * A trust token: base64 of JSON, {"client_name":..,"fingerprint":..,"addresses":[..],"secret":..,
 * "expires_at":..} and, of a fine-grained identity, "type" (lxd: shared/api/certificate.go
 * CertificateAddToken). Whoever has it can have LXD trust a key: wipe it.
 */
struct token {
    enum lxd_token kind;
    char *base64;         /* the token proper, as LXD wants it back; owned */
    char digest[65];      /* SHA-256 of that, as hex digits: tells tokens apart, gives none away */
    char *name;           /* that the entry in the trust store will have; owned */
    char fingerprint[65]; /* of the certificate that the server presents */
    struct endpoints addresses; /* those of them that are any, ENDPOINTS_MAX at most */
    int64_t expires;            /* seconds since 1970, 0: never */
};

/*
 * Read what the command prints: the token is the last word, so a heading above it, blanks and line
 * ends around and within it do not matter. An address that is none is passed over, and so is what
 * is more than ENDPOINTS_MAX. ERROR_INPUT: "not a trust token", or "the token has no usable
 * address". Nothing is ever quoted.
 */
int token_parse(struct token *token, const char *text, struct error *error);

void token_wipe(struct token *token);

#endif
