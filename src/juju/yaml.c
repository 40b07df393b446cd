/* SPDX-License-Identifier: Apache-2.0 */
#include "juju/yaml.h"

#include <stdint.h>

#include "base/utf8.h"

static bool stands_for_itself(uint32_t value)
{
    if (value < 0x80)
        return value >= 0x20 && value < 0x7f;
    return value >= 0xa0 && value != 0x2028 && value != 0x2029 && value != 0xfeff &&
           value != UTF8_REPLACEMENT && value != 0xfffe && value != 0xffff;
}

static void print_string(struct buffer *out, const char *text)
{
    uint32_t value;

    buffer_append(out, "\"", 1);
    while (*text != '\0') {
        size_t length = utf8_decode(text, &value);

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
