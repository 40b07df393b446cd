/* SPDX-License-Identifier: Apache-2.0 */
#include "juju/yaml.h"

#include <stdint.h>
#include <string.h>

#define REPLACEMENT 0xfffd

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
    *value = REPLACEMENT;
    return -1;
}

/* Decode the character at text (RFC 3629) into *value; returns its length, 1 if malformed. */
static size_t decode(const char *text, uint32_t *value)
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
        *value = REPLACEMENT;
        return 1;
    }
    return (size_t)more + 1;
}

static bool stands_for_itself(uint32_t value)
{
    if (value < 0x80)
        return value >= 0x20 && value < 0x7f;
    return value >= 0xa0 && value != 0x2028 && value != 0x2029 && value != 0xfeff &&
           value != REPLACEMENT && value != 0xfffe && value != 0xffff;
}

static void print_string(struct buffer *out, const char *text)
{
    uint32_t value;

    buffer_append(out, "\"", 1);
    while (*text != '\0') {
        size_t length = decode(text, &value);

        if (value == '"' || value == '\\')
            buffer_append(out, "\\", 1);
        if (stands_for_itself(value))
            buffer_append(out, text, length);
        else
            buffer_printf(out, "\\u%04x", (unsigned)value);
        text += length;
    }
    buffer_append(out, "\"", 1);
}

void yaml_print(struct buffer *out, const cJSON *strings)
{
    const cJSON *member;
    const char *separator = "";

    buffer_append(out, "{", 1);
    cJSON_ArrayForEach(member, strings)
    {
        if (!cJSON_IsString(member))
            continue;
        buffer_append_string(out, separator);
        print_string(out, member->string);
        buffer_append(out, ":", 1);
        print_string(out, member->valuestring);
        separator = ",";
    }
    buffer_append(out, "}", 1);
}
