/* SPDX-License-Identifier: Apache-2.0 */
#ifndef X509_PEM_H
#define X509_PEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define PEM_LABEL_SIZE 64

/*
 * PEM (RFC 7468), read leniently as operators paste it: CRLF or LF, text before, between and
 * behind the blocks, blanks anywhere (a block folded into one line, too), headers (RFC 1421 4.6)
 * before the base64, no final newline.
 * Strict inside: a block that does not end, whose END label differs, that is empty or whose base64
 * is malformed is an error, not skipped. Errors quote nothing but the label.
 */
struct pem_block {
    char label[PEM_LABEL_SIZE]; /* "CERTIFICATE", "EC PRIVATE KEY", ... */
    uint8_t *der;               /* owned */
    size_t length;              /* bytes */
};

/* The next block at *cursor (a NUL-terminated text), which moves behind it.
 * Returns 1 with a block, 0 at the end of the text, -1 with ERROR_INPUT. */
int pem_next(const char **cursor, struct pem_block *block, struct error *error);

/* Any kind of private key, by the label. */
bool pem_is_private_key(const struct pem_block *block);

void pem_block_free(struct pem_block *block); /* wipes: it may have been a key */

/* One "CERTIFICATE"-style block, 64 columns, LF; owned by the caller (free; a key's is to be
 * wiped). */
char *pem_encode(const char *label, const uint8_t *der, size_t length);

#endif
