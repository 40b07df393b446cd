/* SPDX-License-Identifier: Apache-2.0 */
/* A stream of gob messages, read for what juju/agent.c wants of it. The first byte of the input
 * chooses how many fields. */
#include "fuzz.h"

#include "juju/gob.h"

static volatile char sink;

/* Bytes of a message must lie in it: read them all. */
static void look_at(struct gob_bytes bytes)
{
    for (size_t i = 0; i < bytes.length; i++)
        sink = bytes.data[i];
}

static enum gob_result read_message(struct gob_types *types, const uint8_t *data, size_t length,
                                    size_t count)
{
    int64_t code = 0;
    struct gob_bytes text = {"", 0}, bytes = {"", 0};
    const struct gob_target targets[] = {
        {"Code", GOB_INT, &code}, {"Error", GOB_STRING, &text}, {"Stdout", GOB_BYTES, &bytes}};
    uint8_t *message = malloc(length); /* of its own: what lies behind it is out of bounds */
    const char *fault;

    memcpy(message, data, length);
    enum gob_result result = gob_read(types, message, length, targets, count, &fault);
    MUST((result == GOB_FAULT) == (fault != NULL));
    look_at(text);
    look_at(bytes);
    free(message);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    size_t count = input_byte(&input) % 4;
    struct gob_types types = {0};
    uint64_t length;
    int prefix;

    while ((prefix = gob_read_length(input.data, input.size, &length)) > 0 &&
           length <= input.size - (size_t)prefix) {
        if (read_message(&types, input.data + prefix, length, count) == GOB_FAULT)
            break;
        input.data += (size_t)prefix + length;
        input.size -= (size_t)prefix + length;
    }
    MUST(types.count <= GOB_MAX_TYPES);
    gob_types_free(&types);
    return 0;
}
