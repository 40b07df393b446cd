/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

#define UTF8_REPLACEMENT 0xfffd /* what stands for malformed bytes */

/* Decode the character at text (RFC 3629), which does not end there. Returns its length; where it
 * is malformed 1, and *value is UTF8_REPLACEMENT. */
size_t utf8_decode(const char *text, uint32_t *value);

/* Make each malformed byte, as cutting a text leaves them, a question mark. */
void utf8_mend(char *text);

#endif
