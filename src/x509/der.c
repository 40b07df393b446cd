/* SPDX-License-Identifier: Apache-2.0 */
#include "x509/der.h"

#include <string.h>

/* The length octets at data (X.690 8.1.3, 10.1): how many there are, or 0. */
static size_t read_length(const uint8_t *data, size_t available, size_t *length)
{
    if (available == 0)
        return 0;
    *length = data[0];
    if (data[0] < 0x80)
        return 1;
    size_t count = data[0] & 0x7f;
    if (count == 0 || count > 4 || count >= available || data[1] == 0)
        return 0;
    *length = 0;
    for (size_t i = 1; i <= count; i++)
        *length = *length << 8 | data[i];
    return *length < 0x80 ? 0 : 1 + count;
}

bool der_next(struct der *der, uint8_t *tag, struct der *content)
{
    size_t length;

    if (der->length == 0 || (der->data[0] & 0x1f) == 0x1f)
        return false;
    size_t octets = read_length(der->data + 1, der->length - 1, &length);
    if (octets == 0 || length > der->length - 1 - octets)
        return false;
    *tag = der->data[0];
    *content = (struct der){der->data + 1 + octets, length};
    der->data = content->data + length;
    der->length -= 1 + octets + length;
    return true;
}

bool der_read(struct der *der, uint8_t tag, struct der *content)
{
    uint8_t found;

    return der_at(der, tag) && der_next(der, &found, content);
}

bool der_skip(struct der *der, uint8_t tag)
{
    struct der content;

    return der_read(der, tag, &content);
}

bool der_skip_optional(struct der *der, uint8_t tag)
{
    return !der_at(der, tag) || der_skip(der, tag);
}

bool der_at(const struct der *der, uint8_t tag)
{
    return der->length != 0 && der->data[0] == tag;
}

bool der_open(const uint8_t *data, size_t length, uint8_t tag, struct der *content)
{
    struct der der = {data, length};

    return der_read(&der, tag, content) && der.length == 0;
}

bool der_read_unsigned(struct der *der, struct der *number)
{
    struct der rest = *der, content;

    if (!der_read(&rest, DER_INTEGER, &content) || content.length == 0)
        return false;
    if (content.data[0] >= 0x80)
        return false;
    if (content.length > 1 && content.data[0] == 0 && content.data[1] < 0x80)
        return false; /* X.690 8.3.2: in the fewest octets */
    if (content.data[0] == 0) {
        content.data++;
        content.length--;
    }
    *number = content;
    *der = rest;
    return true;
}

bool der_equals(const struct der *der, const void *bytes, size_t length)
{
    return der->length == length && memcmp(der->data, bytes, length) == 0;
}
