/* SPDX-License-Identifier: Apache-2.0 */
#include "juju/gob.h"

#include <string.h>

/* ---- numbers ---- */

/* Up to 127 in one byte; else minus the number of bytes, and the bytes, most significant first. */
static void put_uint(struct buffer *out, uint64_t value)
{
    uint8_t bytes[1 + sizeof value];
    size_t start = sizeof bytes;

    do {
        bytes[--start] = (uint8_t)value;
        value >>= 8;
    } while (value != 0);
    if (start != sizeof bytes - 1 || bytes[start] > 0x7f) {
        uint8_t size = (uint8_t)(sizeof bytes - start);

        bytes[--start] = (uint8_t)-size;
    }
    buffer_append(out, bytes + start, sizeof bytes - start);
}

/* The sign is the lowest bit; a negative number is complemented first. */
static void put_int(struct buffer *out, int64_t value)
{
    uint64_t bits = (uint64_t)value;

    put_uint(out, value < 0 ? ~bits << 1 | 1 : bits << 1);
}

static void put_bytes(struct buffer *out, const void *data, size_t length)
{
    put_uint(out, length);
    buffer_append(out, data, length);
}

/* ---- structs ---- */

/*
 * A struct is its fields, each preceded by how far its number is from the one before, and a zero.
 * A definition is a struct wireType, whose field 1 is a slice and field 2 a struct; the field 0 of
 * both is a CommonType: name and type number.
 */
static void start_struct(struct gob_writer *writer)
{
    writer->last = -1;
}

static void start_field(struct gob_writer *writer, int field)
{
    put_uint(&writer->body, (uint64_t)(field - writer->last));
    writer->last = field;
}

static void end_struct(struct gob_writer *writer)
{
    put_uint(&writer->body, 0);
}

static void write_name_and_type(struct gob_writer *writer, const char *name, int64_t type)
{
    start_struct(writer);
    gob_write_string(writer, 0, name);
    start_field(writer, 1);
    put_int(&writer->body, type);
    end_struct(writer);
}

enum { WIRE_SLICE = 1, WIRE_STRUCT = 2 }; /* fields of wireType */

/* Write a definition up to where its kind's own fields begin. */
static void begin_definition(struct gob_writer *writer, int wire, int64_t type, const char *name)
{
    gob_begin(writer, -type);
    start_field(writer, wire);
    start_struct(writer);
    start_field(writer, 0);
    write_name_and_type(writer, name, type);
    writer->last = 0;
}

static void end_definition(struct gob_writer *writer, struct buffer *stream)
{
    end_struct(writer);
    gob_end(writer, stream);
}

void gob_define_struct(struct buffer *stream, int64_t type, const char *name,
                       const struct gob_field *fields, size_t count)
{
    struct gob_writer writer;

    begin_definition(&writer, WIRE_STRUCT, type, name);
    start_field(&writer, 1);
    put_uint(&writer.body, count);
    for (size_t i = 0; i < count; i++)
        write_name_and_type(&writer, fields[i].name, fields[i].type);
    end_definition(&writer, stream);
}

void gob_define_slice(struct buffer *stream, int64_t type, const char *name, int64_t element)
{
    struct gob_writer writer;

    begin_definition(&writer, WIRE_SLICE, type, name);
    start_field(&writer, 1);
    put_int(&writer.body, element);
    end_definition(&writer, stream);
}

void gob_begin(struct gob_writer *writer, int64_t type)
{
    *writer = (struct gob_writer){0};
    put_int(&writer->body, type);
    start_struct(writer);
}

void gob_write_bool(struct gob_writer *writer, int field, bool value)
{
    gob_write_uint(writer, field, value);
}

void gob_write_uint(struct gob_writer *writer, int field, uint64_t value)
{
    if (value == 0)
        return;
    start_field(writer, field);
    put_uint(&writer->body, value);
}

void gob_write_bytes(struct gob_writer *writer, int field, const void *data, size_t length)
{
    if (length == 0)
        return;
    start_field(writer, field);
    put_bytes(&writer->body, data, length);
}

void gob_write_string(struct gob_writer *writer, int field, const char *text)
{
    gob_write_bytes(writer, field, text, strlen(text));
}

void gob_write_strings(struct gob_writer *writer, int field, const char *const list[])
{
    size_t count = 0;

    while (list[count] != NULL)
        count++;
    if (count == 0)
        return;
    start_field(writer, field);
    put_uint(&writer->body, count);
    for (size_t i = 0; i < count; i++)
        put_bytes(&writer->body, list[i], strlen(list[i]));
}

void gob_end(struct gob_writer *writer, struct buffer *stream)
{
    end_struct(writer);
    put_bytes(stream, writer->body.data, writer->body.length);
    buffer_wipe(&writer->body);
}
