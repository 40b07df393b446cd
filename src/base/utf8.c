/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"

/* How many continuation bytes follow a lead byte, and the lead byte's share of the value. */
static int sequence_start(unsigned char lead, uint32_t *value)
{
    if (lead < 0x80) {
        *value = lead;
        return 0;
    }
    if (lead >= 0xc2 && lead < 0xe0) {
        *value = lead & 0x1fU;
        return 1;
    }
    if (lead >= 0xe0 && lead < 0xf0) {
        *value = lead & 0x0fU;
        return 2;
    }
    if (lead >= 0xf0 && lead < 0xf5) {
        *value = lead & 0x07U;
        return 3;
    }
    *value = UTF8_REPLACEMENT;
    return -1;
}

size_t utf8_decode(const char *text, uint32_t *value)
{
    static const uint32_t smallest[] = {0, 0x80, 0x800, 0x10000}; /* none written overlong */
    int more = sequence_start((unsigned char)text[0], value);

    for (int i = 1; i <= more; i++) {
        unsigned char next = (unsigned char)text[i];

        if ((next & 0xc0) != 0x80) {
            more = -1;
            break;
        }
        *value = *value << 6 | (next & 0x3fU);
    }
    if (more < 0 || *value < smallest[more] || *value > 0x10ffff ||
        (*value >= 0xd800 && *value <= 0xdfff)) {
        *value = UTF8_REPLACEMENT;
        return 1;
    }
    return (size_t)more + 1;
}

void utf8_mend(char *text)
{
    uint32_t value;

    while (*text != '\0') {
        size_t length = utf8_decode(text, &value);

        if (value == UTF8_REPLACEMENT && length == 1)
            *text = '?';
        text += length;
    }
}
