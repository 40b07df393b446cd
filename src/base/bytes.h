/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Overwrite a secret; the compiler may not drop the call. */
static inline void bytes_wipe(void *data, size_t length)
{
    explicit_bzero(data, length);
}

/* Compare in a time that depends on length only. */
static inline bool bytes_equal_ct(const void *a, const void *b, size_t length)
{
    const uint8_t *x = a, *y = b;
    uint8_t difference = 0;

    for (size_t i = 0; i < length; i++)
        difference |= x[i] ^ y[i];
    return difference == 0;
}

/* Write 2 * length lower-case hex digits and a NUL. */
static inline void bytes_to_hex(char *out, const uint8_t *data, size_t length)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < length; i++) {
        out[2 * i] = digits[data[i] >> 4];
        out[2 * i + 1] = digits[data[i] & 15];
    }
    out[2 * length] = '\0';
}

#endif
