/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TLS_WIRE_H
#define TLS_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * The one way bytes from the wire are read: a cursor that never leaves its span. Reading past
 * the end yields zeros and marks the reader bad for good, so a parser runs straight through and
 * asks reader_done() once at its end.
 */
struct reader {
    const uint8_t *data;
    size_t left;
    bool bad;
};

static inline struct reader reader_over(const uint8_t *data, size_t length)
{
    return (struct reader){.data = data, .left = length};
}

/* The next length bytes, or NULL. */
static inline const uint8_t *reader_bytes(struct reader *reader, size_t length)
{
    if (reader->bad || length > reader->left) {
        reader->bad = true;
        return NULL;
    }
    const uint8_t *bytes = reader->data;
    reader->data += length;
    reader->left -= length;
    return bytes;
}

/* A big-endian number of size (1 to 3) bytes. */
static inline uint32_t reader_number(struct reader *reader, size_t size)
{
    const uint8_t *bytes = reader_bytes(reader, size);
    uint32_t number = 0;

    for (size_t i = 0; bytes != NULL && i < size; i++)
        number = number << 8 | bytes[i];
    return number;
}

/* A vector whose length is a number of size bytes (RFC 9846 3.4), as a reader of its own. */
static inline struct reader reader_vector(struct reader *reader, size_t size)
{
    size_t length = reader_number(reader, size);
    const uint8_t *bytes = reader_bytes(reader, length);

    if (bytes == NULL)
        return (struct reader){.bad = true};
    return reader_over(bytes, length);
}

/* Was everything there, and nothing more? */
static inline bool reader_done(const struct reader *reader)
{
    return !reader->bad && reader->left == 0;
}

/* The counterpart: writing past the end writes nothing and marks the writer bad for good. What is
 * written may come from the room that is written to, further on. */
struct writer {
    uint8_t *data;
    size_t length;
    size_t capacity;
    bool bad;
};

static inline void writer_bytes(struct writer *writer, const void *data, size_t length)
{
    if (writer->bad || length > writer->capacity - writer->length) {
        writer->bad = true;
        return;
    }
    if (length != 0)
        memmove(writer->data + writer->length, data, length);
    writer->length += length;
}

static inline void writer_number(struct writer *writer, size_t size, uint32_t number)
{
    uint8_t bytes[4] = {(uint8_t)(number >> 24), (uint8_t)(number >> 16), (uint8_t)(number >> 8),
                        (uint8_t)number};

    writer_bytes(writer, bytes + 4 - size, size);
}

/* Begin a vector: its length, of size bytes, is filled in by writer_close(). */
static inline size_t writer_open(struct writer *writer, size_t size)
{
    writer_number(writer, size, 0);
    return writer->length;
}

static inline void writer_close(struct writer *writer, size_t opened, size_t size)
{
    if (writer->bad)
        return;
    size_t length = writer->length - opened;
    for (size_t i = 1; i <= size; i++, length >>= 8)
        writer->data[opened - i] = (uint8_t)length;
    if (length != 0)
        writer->bad = true;
}

#endif
