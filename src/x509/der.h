/* SPDX-License-Identifier: Apache-2.0 */
#ifndef X509_DER_H
#define X509_DER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A bounded reader of DER (X.690): the bytes not read yet. An element's content is read by a
 * reader of its own, so that nothing can be read past its end. Tags of one byte and definite
 * lengths in the fewest bytes only. All functions return false, and leave the reader where it
 * was, when the next element is not what was asked for.
 */
struct der {
    const uint8_t *data; /* borrowed */
    size_t length;
};

enum der_tag {
    DER_BOOLEAN = 0x01,
    DER_INTEGER = 0x02,
    DER_BIT_STRING = 0x03,
    DER_OCTET_STRING = 0x04,
    DER_NULL = 0x05,
    DER_OID = 0x06,
    DER_UTF8_STRING = 0x0c,
    DER_PRINTABLE_STRING = 0x13,
    DER_T61_STRING = 0x14,
    DER_IA5_STRING = 0x16,
    DER_UTC_TIME = 0x17,
    DER_GENERALIZED_TIME = 0x18,
    DER_VISIBLE_STRING = 0x1a,
    DER_UNIVERSAL_STRING = 0x1c,
    DER_BMP_STRING = 0x1e,
    DER_SEQUENCE = 0x30,
    DER_SET = 0x31,
};

#define DER_CONTEXT(number) (0x80 | (number))  /* [n] IMPLICIT of a primitive type */
#define DER_EXPLICIT(number) (0xa0 | (number)) /* [n], constructed */

/* The next element of whatever tag. */
bool der_next(struct der *der, uint8_t *tag, struct der *content);

/* The next element, which must have this tag. */
bool der_read(struct der *der, uint8_t tag, struct der *content);
bool der_skip(struct der *der, uint8_t tag);

/* Skip the next element if it has this tag; false only where that element is malformed. */
bool der_skip_optional(struct der *der, uint8_t tag);

/* Does an element of this tag come next? */
bool der_at(const struct der *der, uint8_t tag);

/* A whole object: one element of this tag and nothing behind it. */
bool der_open(const uint8_t *data, size_t length, uint8_t tag, struct der *content);

/* A non-negative INTEGER, big-endian without leading zeros; zero is empty. */
bool der_read_unsigned(struct der *der, struct der *number);

bool der_equals(const struct der *der, const void *bytes, size_t length);

#endif
