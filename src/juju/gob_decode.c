/* SPDX-License-Identifier: Apache-2.0 */
#include "juju/gob.h"

#include <stdlib.h>
#include <string.h>

/* ---- types ---- */

enum kind {
    KIND_NUMBER,
    KIND_COMPLEX,
    KIND_BYTES,
    KIND_INTERFACE,
    KIND_LIST,
    KIND_MAP,
    KIND_STRUCT
};

struct field {
    char *name;
    int64_t type;
};

struct gob_type {
    int64_t number;
    enum kind kind;
    int64_t key, element; /* of lists and maps: types */
    struct field *fields; /* of structs */
    size_t field_count;
};

static void free_type(struct gob_type *type)
{
    for (size_t i = 0; i < type->field_count; i++)
        free(type->fields[i].name);
    free(type->fields);
}

void gob_types_free(struct gob_types *types)
{
    for (size_t i = 0; i < types->count; i++)
        free_type(&types->items[i]);
    free(types->items);
    *types = (struct gob_types){0};
}

static const struct gob_type *find_type(const struct gob_types *types, int64_t number)
{
    static const struct gob_type basic[] = {
        /* by their numbers */
        {.number = GOB_BOOL, .kind = KIND_NUMBER},
        {.number = GOB_INT, .kind = KIND_NUMBER},
        {.number = GOB_UINT, .kind = KIND_NUMBER},
        {.number = GOB_FLOAT, .kind = KIND_NUMBER},
        {.number = GOB_BYTES, .kind = KIND_BYTES},
        {.number = GOB_STRING, .kind = KIND_BYTES},
        {.number = GOB_COMPLEX, .kind = KIND_COMPLEX},
        {.number = GOB_INTERFACE, .kind = KIND_INTERFACE},
    };

    if (number >= GOB_BOOL && number <= GOB_INTERFACE)
        return &basic[number - GOB_BOOL];
    for (size_t i = 0; i < types->count; i++) {
        if (types->items[i].number == number)
            return &types->items[i];
    }
    return NULL;
}

/* ---- reading ---- */

/* Returns how many bytes the number takes, 0 where there are too few to tell, -1 if malformed. */
static int get_uint(const uint8_t *data, size_t available, uint64_t *value)
{
    if (available == 0)
        return 0;
    *value = data[0];
    if (data[0] <= 0x7f)
        return 1;
    size_t size = 0x100U - data[0];
    if (size > sizeof *value)
        return -1;
    if (size >= available)
        return 0;
    *value = 0;
    for (size_t i = 1; i <= size; i++)
        *value = *value << 8 | data[i];
    return (int)size + 1;
}

/* After a fault all reads give zero, so that only loops and decisions need to look. */
struct reader {
    struct gob_types *types;
    const uint8_t *next, *end;
    const char *fault;
};

static void fail(struct reader *reader, const char *fault)
{
    if (reader->fault == NULL)
        reader->fault = fault;
    reader->next = reader->end;
}

static size_t left(const struct reader *reader)
{
    return (size_t)(reader->end - reader->next);
}

static uint64_t read_uint(struct reader *reader)
{
    uint64_t value;
    int size = get_uint(reader->next, left(reader), &value);

    if (size <= 0) {
        fail(reader, "a number is cut off or too large");
        return 0;
    }
    reader->next += size;
    return value;
}

static int64_t read_int(struct reader *reader)
{
    uint64_t bits = read_uint(reader);

    return (int64_t)((bits & 1) != 0 ? ~(bits >> 1) : bits >> 1);
}

/* The number of things of at least a byte each that are to follow. */
static size_t read_count(struct reader *reader)
{
    uint64_t count = read_uint(reader);

    if (count > left(reader)) {
        fail(reader, "more is announced than there is");
        return 0;
    }
    return (size_t)count;
}

static struct gob_bytes read_bytes(struct reader *reader)
{
    struct gob_bytes bytes = {.length = read_count(reader)};

    bytes.data = (const char *)reader->next;
    reader->next += bytes.length;
    return bytes;
}

/* Step to the next field of a struct, from -1 on. False at the end of the struct, or at a fault. */
static bool next_field(struct reader *reader, int *field)
{
    uint64_t delta = read_uint(reader);

    if (delta > GOB_MAX_FIELDS || *field + (int)delta >= GOB_MAX_FIELDS) {
        fail(reader, "a struct has too many fields");
        return false;
    }
    *field += (int)delta;
    return delta != 0;
}

/* ---- reading definitions ---- */

/* A CommonType or fieldType: name and type number, each 0 or empty where absent. */
static int64_t read_name_and_type(struct reader *reader, struct gob_bytes *name)
{
    int64_t type = 0;

    *name = (struct gob_bytes){"", 0};
    for (int field = -1; next_field(reader, &field);) {
        if (field == 0)
            *name = read_bytes(reader);
        else if (field == 1)
            type = read_int(reader);
        else
            fail(reader, "a definition has an unknown field");
    }
    return type;
}

static void read_fields(struct reader *reader, struct gob_type *type)
{
    size_t count = read_count(reader);

    if (count > GOB_MAX_FIELDS) {
        fail(reader, "a struct has too many fields");
        return;
    }
    type->fields = mem_alloc(count * sizeof *type->fields);
    while (type->field_count < count) {
        struct field *field = &type->fields[type->field_count++];
        struct gob_bytes name;

        field->type = read_name_and_type(reader, &name);
        field->name = mem_string_n(name.data, name.length);
    }
}

/* One field of an ArrayType, SliceType, StructType or MapType. */
static void read_kind_field(struct reader *reader, int field, struct gob_type *type)
{
    struct gob_bytes name;

    if (field == 0)
        read_name_and_type(reader, &name); /* what it is called matters to Go alone */
    else if (type->kind == KIND_STRUCT && field == 1)
        read_fields(reader, type);
    else if (type->kind == KIND_MAP && field == 1)
        type->key = read_int(reader);
    else if (field == (type->kind == KIND_MAP ? 2 : 1))
        type->element = read_int(reader);
    else if (type->kind == KIND_LIST && field == 2)
        read_int(reader); /* the length of an array: its values tell it again */
    else
        fail(reader, "a definition has an unknown field");
}

/* A wireType: just one of its fields. The last three are types that marshal themselves. */
static void read_wire_type(struct reader *reader, struct gob_type *type)
{
    static const enum kind kinds[] = {KIND_LIST,  KIND_LIST,  KIND_STRUCT, KIND_MAP,
                                      KIND_BYTES, KIND_BYTES, KIND_BYTES};
    int wire = -1;

    if (!next_field(reader, &wire) || wire >= (int)(sizeof kinds / sizeof *kinds)) {
        fail(reader, "a definition is of no known kind");
        return;
    }
    type->kind = kinds[wire];
    for (int field = -1; next_field(reader, &field);)
        read_kind_field(reader, field, type);
    if (next_field(reader, &wire))
        fail(reader, "a definition is of two kinds");
}

/* number is the one in the message: the type's, negative. */
static void read_definition(struct reader *reader, int64_t number)
{
    struct gob_types *types = reader->types;

    if (number > -GOB_FIRST_TYPE || number < -INT32_MAX || find_type(types, -number) != NULL) {
        fail(reader, "a type has a number that is not free");
        return;
    }
    if (types->count == GOB_MAX_TYPES) {
        fail(reader, "there are too many types");
        return;
    }
    if (types->items == NULL) /* once for all: they do not move while values are read */
        types->items = mem_alloc(GOB_MAX_TYPES * sizeof *types->items);
    struct gob_type *type = &types->items[types->count++];
    type->number = -number;
    read_wire_type(reader, type);
}

/* ---- reading values ---- */

static void skip(struct reader *reader, int64_t number, int depth);

static bool has_field(const struct gob_type *type, const char *name)
{
    for (size_t i = 0; i < type->field_count; i++) {
        if (strcmp(type->fields[i].name, name) == 0)
            return true;
    }
    return false;
}

static void read_target(struct reader *reader, const struct gob_target *target)
{
    if (target->type == GOB_INT)
        *(int64_t *)target->to = read_int(reader);
    else if (target->type == GOB_UINT)
        *(uint64_t *)target->to = read_uint(reader);
    else
        *(struct gob_bytes *)target->to = read_bytes(reader);
}

static void read_field(struct reader *reader, const struct field *field, int depth,
                       const struct gob_target *targets, size_t count)
{
    size_t i = 0;

    while (i < count && strcmp(targets[i].name, field->name) != 0)
        i++;
    if (i == count)
        skip(reader, field->type, depth);
    else if (targets[i].type != field->type)
        fail(reader, "a field is of an unexpected type");
    else
        read_target(reader, &targets[i]);
}

static void read_struct(struct reader *reader, const struct gob_type *type, int depth,
                        const struct gob_target *targets, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!has_field(type, targets[i].name))
            fail(reader, "a struct lacks a field");
    }
    for (int field = -1; next_field(reader, &field);) {
        if ((size_t)field < type->field_count)
            read_field(reader, &type->fields[field], depth, targets, count);
        else
            fail(reader, "a struct has a field that its type has not");
    }
}

/* The name of a type, its number, and a value with its length in front. */
static void skip_interface(struct reader *reader)
{
    if (read_bytes(reader).length == 0) /* nil */
        return;
    if (read_int(reader) < 0)
        fail(reader, "an interface brings a type that is not yet defined");
    read_bytes(reader);
}

static void skip_elements(struct reader *reader, const struct gob_type *type, int depth)
{
    for (size_t count = read_count(reader); count != 0 && reader->fault == NULL; count--) {
        if (type->kind == KIND_MAP)
            skip(reader, type->key, depth);
        skip(reader, type->element, depth);
    }
}

static void skip(struct reader *reader, int64_t number, int depth)
{
    const struct gob_type *type = find_type(reader->types, number);

    if (type == NULL || depth == GOB_MAX_DEPTH) {
        fail(reader, type == NULL ? "a type is not defined" : "values are nested too deep");
        return;
    }
    switch (type->kind) {
    case KIND_COMPLEX:
        read_uint(reader);
        read_uint(reader);
        break;
    case KIND_NUMBER:
        read_uint(reader);
        break;
    case KIND_BYTES:
        read_bytes(reader);
        break;
    case KIND_INTERFACE:
        skip_interface(reader);
        break;
    case KIND_LIST:
    case KIND_MAP:
        skip_elements(reader, type, depth + 1);
        break;
    case KIND_STRUCT:
        read_struct(reader, type, depth + 1, NULL, 0);
        break;
    }
}

enum gob_result gob_read(struct gob_types *types, const void *message, size_t length,
                         const struct gob_target *targets, size_t count, const char **fault)
{
    const uint8_t *data = message;
    struct reader reader = {.types = types, .next = data, .end = data + length};
    int64_t number = read_int(&reader);
    const struct gob_type *type = find_type(types, number);

    if (number < 0)
        read_definition(&reader, number);
    else if (type != NULL && type->kind == KIND_STRUCT)
        read_struct(&reader, type, 0, targets, count);
    else
        fail(&reader, "a value is no struct");
    if (left(&reader) != 0)
        fail(&reader, "something follows where it should end");
    *fault = reader.fault;
    if (reader.fault != NULL)
        return GOB_FAULT;
    return number < 0 ? GOB_DEFINITION : GOB_VALUE;
}

int gob_read_length(const void *data, size_t available, uint64_t *length)
{
    return get_uint(data, available, length);
}
