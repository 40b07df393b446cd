/* SPDX-License-Identifier: Apache-2.0 */
/* What a unit agent answers, to the call that the first byte of the input chooses, once in one
 * piece and once in pieces. */
#include "fuzz.h"

#include "juju/gob.h"

static volatile char sink;

/* Bytes of a reply must lie in it: read them all. */
static void look_at(const uint8_t *data, struct gob_bytes bytes)
{
    for (size_t i = 0; i < bytes.length; i++)
        sink = (char)data[bytes.start + i];
}

/* From memory of its own: what lies behind it is out of bounds. */
static enum gob_result read_reply(struct gob_client *client, const uint8_t *data, size_t length,
                                  const char **fault)
{
    uint8_t *received = malloc(length);

    memcpy(received, data, length);
    enum gob_result result = gob_read_reply(client, received, length, fault);
    if (result == GOB_REPLY) {
        MUST(client->reply.code >= 0 && client->reply.code <= 255);
        look_at(received, client->reply.refusal);
        look_at(received, client->reply.output);
        look_at(received, client->reply.message);
    }
    MUST(client->type_count <= GOB_MAX_TYPES && client->field_count <= GOB_MAX_FIELDS);
    free(received);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    uint64_t calls = input_byte(&input) % 4;
    struct gob_client whole = {.calls = calls}, pieces = {.calls = calls};
    const char *fault = NULL, *other_fault = NULL;
    enum gob_result result, other;
    size_t length = 0;

    if (input.size == 0)
        return 0;
    result = read_reply(&whole, input.data, input.size, &fault);
    MUST((result == GOB_FAULT) == (fault != NULL));
    do {
        length += length < 64 ? 1 : input.size - length;
        other = read_reply(&pieces, input.data, length, &other_fault);
    } while (other == GOB_MORE && length < input.size);
    if (length < input.size && other == GOB_REPLY) {
        MUST(result == GOB_FAULT); /* something follows */
        return 0;
    }
    MUST(other == result && fault == other_fault);
    MUST(memcmp(&whole.reply, &pieces.reply, sizeof whole.reply) == 0);
    MUST(whole.type_count == pieces.type_count && whole.field_count == pieces.field_count);
    return 0;
}
