/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base64.h"

#include <stdbool.h>

#include "base/buffer.h"

/* All ones where low <= c <= high, else 0. */
static int within(int c, int low, int high)
{
    return ((low - 1 - c) & (c - high - 1)) >> 8;
}

static char digit(uint32_t group, int shift)
{
    int value = (int)(group >> shift & 63);

    return (char)(value + 'A' + (within(value, 26, 63) & ('a' - 'A' - 26)) +
                  (within(value, 52, 63) & ('0' - 'a' - 26)) +
                  (within(value, 62, 62) & ('+' - '0' - 10)) +
                  (within(value, 63, 63) & ('/' - '0' - 11)));
}

char *base64_encode(const uint8_t *data, size_t length)
{
    char *text = mem_alloc((length + 2) / 3 * 4 + 1);
    char *out = text;

    for (size_t i = 0; i < length; i += 3) {
        bool second = i + 1 < length, third = i + 2 < length;
        uint32_t group = (uint32_t)data[i] << 16;

        if (second)
            group |= (uint32_t)data[i + 1] << 8;
        if (third)
            group |= data[i + 2];
        *out++ = digit(group, 18);
        *out++ = digit(group, 12);
        *out++ = second ? digit(group, 6) : '=';
        *out++ = third ? digit(group, 0) : '=';
    }
    return text;
}

/* The value of a digit, or -1. */
static int digit_value(int c)
{
    return -1 + (within(c, 'A', 'Z') & (c - 'A' + 1)) + (within(c, 'a', 'z') & (c - 'a' + 27)) +
           (within(c, '0', '9') & (c - '0' + 53)) + (within(c, '+', '+') & 63) +
           (within(c, '/', '/') & 64);
}

static bool is_blank(char c)
{
    return c == '\n' || c == '\r' || c == ' ' || c == '\t';
}

long base64_decode(uint8_t *out, const char *text, size_t length)
{
    uint32_t pending = 0; /* its low `bits` bits are not written yet */
    unsigned bits = 0, padding = 0;
    long written = 0;

    for (size_t i = 0; i < length; i++) {
        int value = digit_value((unsigned char)text[i]);
        if (value < 0 && is_blank(text[i]))
            continue;
        if (text[i] == '=') {
            padding++;
            continue;
        }
        if (value < 0 || padding != 0)
            return -1;
        pending = pending << 6 | (uint32_t)value;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out[written++] = (uint8_t)(pending >> bits);
        }
    }
    /* 4 bits are left behind two digits, 2 bits behind three, 6 bits behind a lone one. */
    if (padding != bits / 2 || bits == 6 || (pending & ((1U << bits) - 1)) != 0)
        return -1;
    return written;
}
