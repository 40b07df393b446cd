/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JUJU_GOB_H
#define JUJU_GOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

/*
 * Go's encoding/gob (https://pkg.go.dev/encoding/gob), without I/O: what it takes to send structs
 * of integers, strings and lists of strings, and to find some fields of structs in whatever is
 * received. A stream is a sequence of messages, each preceded by its length; a message is the
 * definition of a type or one value.
 */

/* Types that every stream has, and the lowest number of its own ones. */
enum {
    GOB_BOOL = 1,
    GOB_INT = 2,
    GOB_UINT = 3,
    GOB_FLOAT = 4,
    GOB_BYTES = 5,
    GOB_STRING = 6,
    GOB_COMPLEX = 7,
    GOB_INTERFACE = 8,
    GOB_FIRST_TYPE = 64,
};

/* A field of a struct. */
struct gob_field {
    const char *name;
    int64_t type;
};

/* ---- writing ---- */

/* Append the message that defines a type. */
void gob_define_struct(struct buffer *stream, int64_t type, const char *name,
                       const struct gob_field *fields, size_t count);
void gob_define_slice(struct buffer *stream, int64_t type, const char *name, int64_t element);

/*
 * One struct at a time is written as a message: begin, fields in the order of their numbers (from 0
 * on), end. A field that is zero or empty is left out, as Go does.
 */
struct gob_writer {
    struct buffer body;
    int last; /* number of the field that was written last */
};

void gob_begin(struct gob_writer *writer, int64_t type);
void gob_write_bool(struct gob_writer *writer, int field, bool value);
void gob_write_uint(struct gob_writer *writer, int field, uint64_t value);
void gob_write_bytes(struct gob_writer *writer, int field, const void *data, size_t length);
void gob_write_string(struct gob_writer *writer, int field, const char *text);
void gob_write_strings(struct gob_writer *writer, int field,
                       const char *const list[]);               /* to NULL */
void gob_end(struct gob_writer *writer, struct buffer *stream); /* appends the message */

/* ---- reading ---- */

/* Bounds of what a stream may define, and of how deep values may nest. */
#define GOB_MAX_TYPES 64
#define GOB_MAX_FIELDS 64
#define GOB_MAX_DEPTH 32

/* The types that a stream has defined so far. Zero-initialise. */
struct gob_types {
    struct gob_type *items;
    size_t count;
};

void gob_types_free(struct gob_types *types);

/*
 * Look at the length in front of a message, in the first bytes of a stream. Returns how many bytes
 * it takes itself, 0 where there are too few to tell, -1 where it is malformed.
 */
int gob_read_length(const void *data, size_t available, uint64_t *length);

/* A run of bytes inside a message. */
struct gob_bytes {
    const char *data;
    size_t length;
};

/* A field that the caller wants: `to` is where its value goes, by its type an int64_t (GOB_INT), a
 * uint64_t (GOB_UINT) or a struct gob_bytes (GOB_STRING, GOB_BYTES). */
struct gob_target {
    const char *name;
    int64_t type;
    void *to;
};

enum gob_result {
    GOB_VALUE,      /* the message was a struct, the targets are filled */
    GOB_DEFINITION, /* it was a definition, which the types have taken in */
    GOB_FAULT,      /* it was neither, or not what was wanted: see fault */
};

/*
 * Read one message. Fields are matched by name; the struct's type must have all that are wanted.
 * One that the value leaves out, being zero, leaves its target untouched. Others are skipped,
 * whatever they are (but for an interface whose type is not yet defined: Go cuts the message in two
 * there, which is a fault here). Nothing is allocated for values, and for definitions only what
 * they hold. *fault, where the message is faulty, is a constant sentence.
 */
enum gob_result gob_read(struct gob_types *types, const void *message, size_t length,
                         const struct gob_target *targets, size_t count, const char **fault);

#endif
