/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include <stddef.h>
#include <stdint.h>

/* Base64 (RFC 4648 4), padded, in one line. Owned by the caller (free). What the bytes are shows in
 * no branch and no index. */
char *base64_encode(const uint8_t *data, size_t length);

/* Room that length characters of base64 need at most. */
#define BASE64_DECODED_SIZE(length) ((length) / 4 * 3 + 3)

/*
 * Decode; blanks and line ends are skipped. Returns the number of bytes written, or -1 where
 * anything else is there, the padding is missing or wrong, or unused bits are set. Which
 * characters the digits are shows in no branch and no index: private keys pass through here.
 */
long base64_decode(uint8_t *out, const char *text, size_t length);

#endif
