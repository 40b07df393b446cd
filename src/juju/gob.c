/* SPDX-License-Identifier: Apache-2.0 */
#include "juju/gob.h"

#include <string.h>

/* ---- writing ---- */

/* What a Go program writes of its own types, each before its first value. As type 65, net/rpc's
 * Request{ServiceMethod string; Seq uint}: */
static const char header_types[] = "\x2f\xff\x81\x03\x01\x01\x07Request\x01\xff\x82\x00\x01\x02\x01"
                                   "\x0dServiceMethod\x01\x0c\x00\x01\x03Seq\x01\x06\x00\x00\x00";

/* As type 66, jujuc's Request{ContextId, Dir, CommandName string; Args []string; StdinSet bool;
 * Stdin []byte}, and as type 67, []string: */
static const char request_types[] =
    "\x5c\xff\x83\x03\x01\x01\x07Request\x01\xff\x84\x00\x01\x06\x01\x09\x43ontextId\x01\x0c\x00"
    "\x01"
    "\x03\x44ir\x01\x0c\x00\x01\x0b\x43ommandName\x01\x0c\x00\x01\x04\x41rgs\x01\xff\x86\x00\x01"
    "\x08"
    "StdinSet\x01\x02\x00\x01\x05Stdin\x01\x0a\x00\x00\x00"
    "\x16\xff\x85\x02\x01\x01\x08[]string\x01\xff\x86\x00\x01\x0c\x00\x00";

struct writer {
    uint8_t *out; /* NULL: it only counts */
    size_t length;
};

static void put(struct writer *writer, const void *data, size_t length)
{
    if (writer->out != NULL && length != 0)
        memcpy(writer->out + writer->length, data, length);
    writer->length += length;
}

/* Up to 127 in one byte; else minus the number of bytes, and the bytes, most significant first. */
static void put_uint(struct writer *writer, uint64_t value)
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
    put(writer, bytes + start, sizeof bytes - start);
}

static void put_bytes(struct writer *writer, const void *data, size_t length)
{
    put_uint(writer, length);
    put(writer, data, length);
}

/* A struct is its type, its fields, each with the step from the one before it in front, and a zero.
 * Fields that are zero or empty are left out. */
static void put_header(struct writer *writer, uint64_t sequence)
{
    put(writer, "\xff\x82\x01\x0aJujuc.Main", 14);
    if (sequence != 0) {
        put_uint(writer, 1);
        put_uint(writer, sequence);
    }
    put_uint(writer, 0);
}

static void put_request(struct writer *writer, const struct gob_call *call)
{
    const char *const texts[] = {call->context_id, call->directory, call->arguments[0]};
    const char *const *arguments = call->arguments + 1;
    size_t count = 0;

    put(writer, "\xff\x84", 2);
    for (size_t i = 0; i < 3; i++) {
        put_uint(writer, 1);
        put_bytes(writer, texts[i], strlen(texts[i]));
    }
    while (arguments[count] != NULL)
        count++;
    if (count != 0) {
        put_uint(writer, 1);
        put_uint(writer, count);
    }
    for (size_t i = 0; i < count; i++)
        put_bytes(writer, arguments[i], strlen(arguments[i]));
    if (call->input != NULL) {
        put_uint(writer, count != 0 ? 1 : 2);
        put_uint(writer, true);
    }
    if (call->input != NULL && call->input_length != 0) {
        put_uint(writer, 1);
        put_bytes(writer, call->input, call->input_length);
    }
    put_uint(writer, 0);
}

size_t gob_write_call(const struct gob_client *client, void *out, const struct gob_call *call)
{
    struct writer writer = {.out = out}, header = {0}, request = {0};

    put_header(&header, client->calls);
    put_request(&request, call);
    if (client->calls == 0)
        put(&writer, header_types, sizeof header_types - 1);
    put_uint(&writer, header.length);
    put_header(&writer, client->calls);
    if (client->calls == 0)
        put(&writer, request_types, sizeof request_types - 1);
    put_uint(&writer, request.length);
    put_request(&writer, call);
    return writer.length;
}

/* ---- reading ---- */

/* Types that every Go program knows, and the first of its own. */
enum { BOOL = 1, INT, UINT, FLOAT, BYTES, STRING, COMPLEX, INTERFACE, FIRST_OWN = 64 };

/* A definition is a struct wireType with just one of these fields, which is its kind. */
enum { ARRAY, SLICE, STRUCT, MAP, GOB_ENCODER, BINARY_MARSHALER, TEXT_MARSHALER, KINDS };

/* The fields of net/rpc's Response and of juju/utils' exec.ExecResponse that are looked for. */
enum { OTHER, SEQUENCE, REFUSAL, CODE, OUTPUT, MESSAGE };
enum { HEADER = 1 << SEQUENCE | 1 << REFUSAL, ANSWER = 1 << CODE | 1 << OUTPUT | 1 << MESSAGE };

/* Of one message. After a fault all reads give zero, so that only loops and decisions look. */
struct reader {
    struct gob_client *client;
    const uint8_t *data, *next, *end; /* data: where the reply begins */
    const char *fault;
    uint64_t sequence;
};

static void fail(struct reader *reader, const char *fault)
{
    if (reader->fault == NULL)
        reader->fault = fault;
    reader->next = reader->end;
}

/* Returns how many bytes the number takes, 0 where there are too few to tell, -1 if malformed. */
static int get_uint(const uint8_t *data, size_t available, uint64_t *value)
{
    *value = 0;
    if (available == 0)
        return 0;
    if (data[0] <= 0x7f) {
        *value = data[0];
        return 1;
    }
    size_t size = 0x100U - data[0];
    if (size > sizeof *value)
        return -1;
    if (size >= available)
        return 0;
    for (size_t i = 1; i <= size; i++)
        *value = *value << 8 | data[i];
    return (int)size + 1;
}

static uint64_t read_uint(struct reader *reader)
{
    uint64_t value;
    int size = get_uint(reader->next, (size_t)(reader->end - reader->next), &value);

    if (size <= 0) {
        fail(reader, "a number is cut off or too large");
        return 0;
    }
    reader->next += size;
    return value;
}

/* The sign is the lowest bit; a negative number is complemented. */
static int32_t read_int(struct reader *reader)
{
    uint64_t bits = read_uint(reader);

    if (bits >> 1 >= INT32_MAX) {
        fail(reader, "a number is cut off or too large");
        return 0;
    }
    return (bits & 1) != 0 ? -1 - (int32_t)(bits >> 1) : (int32_t)(bits >> 1);
}

/* The number of things of at least a byte each that are to follow. */
static size_t read_count(struct reader *reader)
{
    uint64_t count = read_uint(reader);

    if (count > (size_t)(reader->end - reader->next)) {
        fail(reader, "more is announced than there is");
        return 0;
    }
    return (size_t)count;
}

static struct gob_bytes read_bytes(struct reader *reader)
{
    size_t length = read_count(reader);
    struct gob_bytes bytes = {(size_t)(reader->next - reader->data), length};

    reader->next += length;
    return bytes;
}

/* Step to the next field of a struct that has `count`, from -1 on. False at its end or a fault. */
static bool next_field(struct reader *reader, size_t count, int *field)
{
    uint64_t step = read_uint(reader);

    if (step >= count - (size_t)*field) {
        fail(reader, "a struct has a field that its type has not");
        return false;
    }
    *field += (int)step;
    return step != 0;
}

/* A fieldType or CommonType: name and type, each 0 or empty where absent. */
static struct gob_field read_name_and_type(struct reader *reader)
{
    static const struct {
        const char *name;
        int32_t type;
    } known[] = {{"", 0},       {"Seq", UINT},     {"Error", STRING},
                 {"Code", INT}, {"Stdout", BYTES}, {"Stderr", BYTES}};
    struct gob_bytes name = {0};
    struct gob_field read = {0};

    for (int field = -1; next_field(reader, 2, &field);) {
        if (field == 0)
            name = read_bytes(reader);
        else
            read.type = read_int(reader);
    }
    for (int i = SEQUENCE; i <= MESSAGE; i++) {
        if (read.type == known[i].type && name.length == strlen(known[i].name) &&
            memcmp(reader->data + name.start, known[i].name, name.length) == 0)
            read.known = (uint8_t)i;
    }
    return read;
}

static const struct gob_type *find_type(const struct gob_client *client, int32_t number)
{
    for (size_t i = 0; i < client->type_count; i++) {
        if (client->types[i].number == number)
            return &client->types[i];
    }
    return NULL;
}

static void add_field(struct reader *reader, struct gob_type *type, struct gob_field field)
{
    struct gob_client *client = reader->client;

    if (client->field_count == GOB_MAX_FIELDS) {
        fail(reader, "there are too many fields");
        return;
    }
    client->fields[client->field_count++] = field;
    type->field_count++;
    type->known |= (uint8_t)(1U << field.known);
}

/* What a list or map consists of, and how long an array is, counts as its fields. */
static void read_definition(struct reader *reader, int32_t number)
{
    static const uint8_t fields[KINDS] = {3, 2, 2, 3, 1, 1, 1};
    struct gob_client *client = reader->client;

    if (number < FIRST_OWN || find_type(client, number) != NULL)
        fail(reader, "a type has a number that is not free");
    if (client->type_count == GOB_MAX_TYPES)
        fail(reader, "there are too many types");
    int kind = -1;
    if (!next_field(reader, KINDS, &kind)) {
        fail(reader, "a definition is of no kind");
        return;
    }
    struct gob_type *type = &client->types[client->type_count++];
    *type = (struct gob_type){.number = number, .kind = (uint8_t)kind};
    type->first_field = (uint16_t)client->field_count;
    for (int field = -1; next_field(reader, fields[kind], &field);) {
        if (field == 0)
            read_name_and_type(reader); /* a CommonType: the name matters to Go alone */
        else if (kind != STRUCT)
            add_field(reader, type, (struct gob_field){.type = read_int(reader)});
        else
            for (size_t count = read_count(reader); count != 0 && reader->fault == NULL; count--)
                add_field(reader, type, read_name_and_type(reader));
    }
    if (next_field(reader, KINDS, &kind))
        fail(reader, "a definition is of two kinds");
}

static void skip(struct reader *reader, int32_t number, int depth);

/* What is wanted of it, as a set of known fields, goes into the reply; the rest is skipped. */
static void read_struct(struct reader *reader, const struct gob_type *type, int wanted, int depth)
{
    struct gob_reply *reply = &reader->client->reply;

    for (int i = -1; next_field(reader, type->field_count, &i);) {
        const struct gob_field *field = &reader->client->fields[type->first_field + i];

        switch ((wanted & 1 << field->known) != 0 ? field->known : OTHER) {
        case SEQUENCE:
            reader->sequence = read_uint(reader);
            break;
        case REFUSAL:
            reply->refusal = read_bytes(reader);
            break;
        case CODE:
            reply->code = read_int(reader);
            break;
        case OUTPUT:
            reply->output = read_bytes(reader);
            break;
        case MESSAGE:
            reply->message = read_bytes(reader);
            break;
        default:
            skip(reader, field->type, depth);
        }
    }
}

static void skip_own(struct reader *reader, int32_t number, int depth)
{
    const struct gob_type *type = find_type(reader->client, number);

    if (type == NULL) {
        fail(reader, "a type is not defined");
    } else if (depth == GOB_MAX_DEPTH) {
        fail(reader, "values are nested too deep");
    } else if (type->kind == STRUCT) {
        read_struct(reader, type, 0, depth + 1);
    } else if (type->kind >= GOB_ENCODER) {
        read_bytes(reader);
    } else {
        const struct gob_field *fields = &reader->client->fields[type->first_field];
        int parts = type->kind == MAP ? 2 : 1;

        if (type->field_count < parts)
            fail(reader, "a type is not defined");
        for (size_t count = read_count(reader); count != 0 && reader->fault == NULL; count--) {
            for (int i = 0; i < parts; i++)
                skip(reader, fields[i].type, depth + 1);
        }
    }
}

static void skip(struct reader *reader, int32_t number, int depth)
{
    switch (number) {
    case COMPLEX:
        read_uint(reader);
        read_uint(reader);
        break;
    case BOOL:
    case INT:
    case UINT:
    case FLOAT:
        read_uint(reader);
        break;
    case BYTES:
    case STRING:
        read_bytes(reader);
        break;
    case INTERFACE: /* the name of a type, its number, and a value with its length in front */
        if (read_bytes(reader).length == 0)
            break; /* nil */
        if (read_int(reader) < 0)
            fail(reader, "an interface brings a type that is not yet defined");
        read_bytes(reader);
        break;
    default:
        skip_own(reader, number, depth);
    }
}

/* A message is the definition of a type, under its number made negative, or one value. Returns
 * whether it was the reply's second value, which is its last. */
static bool read_message(struct reader *reader)
{
    struct gob_client *client = reader->client;
    struct gob_reply *reply = &client->reply;
    bool is_body = client->has_header;
    int32_t number = read_int(reader);

    if (number < 0) {
        read_definition(reader, -number);
        return false;
    }
    const struct gob_type *type = find_type(client, number);
    int wanted = !is_body ? HEADER : reply->refusal.length == 0 ? ANSWER : 0;
    if (type == NULL || type->kind != STRUCT)
        fail(reader, "a value is no struct");
    else if ((type->known & wanted) != wanted)
        fail(reader, "a struct lacks a field");
    else
        read_struct(reader, type, wanted, 0);
    if (!is_body && reader->sequence != client->calls)
        fail(reader, "it is about another call");
    if (reply->code < 0 || reply->code > UINT8_MAX)
        fail(reader, "an exit status is not within 0 and 255");
    client->has_header = true;
    return is_body;
}

enum gob_result gob_read_reply(struct gob_client *client, const void *data, size_t length,
                               const char **fault)
{
    if (client->used == 0)
        client->reply = (struct gob_reply){0};
    for (bool done = false; !done;) {
        const uint8_t *next = (const uint8_t *)data + client->used;
        size_t available = length - client->used;
        uint64_t size;
        int prefix = get_uint(next, available, &size);

        if (prefix < 0 || size > GOB_MAX_REPLY || client->used + size > GOB_MAX_REPLY) {
            *fault = "it is over 112 MiB";
            return GOB_FAULT;
        }
        if (prefix == 0 || size > available - (size_t)prefix)
            return GOB_MORE;
        next += prefix;
        struct reader reader = {.client = client, .data = data, .next = next, .end = next + size};
        client->used += (size_t)prefix + (size_t)size;
        done = read_message(&reader);
        if (reader.next != reader.end || (done && client->used != length))
            fail(&reader, "something follows where it should end");
        if (reader.fault != NULL) {
            *fault = reader.fault;
            return GOB_FAULT;
        }
    }
    client->calls++;
    client->used = 0;
    client->has_header = false;
    return GOB_REPLY;
}
