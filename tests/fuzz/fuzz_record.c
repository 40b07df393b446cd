/* SPDX-License-Identifier: Apache-2.0 */
/* The record layer: what was sealed opens as it was, and nothing else opens. */
#include "fuzz.h"

#include "tls/internal.h"

static struct tls_keys sender, receiver;
static uint8_t record[TLS_MAX_RECORD];

static void forge(const struct input *input, const struct tls_suite *suite, const uint8_t *secret)
{
    size_t size = input->size < sizeof record ? input->size : sizeof record;
    uint8_t *body = record + TLS_RECORD_HEADER;

    if (size < TLS_RECORD_HEADER)
        return;
    memcpy(record, input->data, size);
    size_t length = size - TLS_RECORD_HEADER;
    tls_keys_set(&receiver, suite, secret);
    MUST(!tls_record_open(&receiver, record, body, &length));
    if (size < TLS_RECORD_HEADER + TLS_TAG)
        return;
    for (size_t i = 0; i < length; i++)
        MUST(body[i] == 0); /* nobody may see what did not authenticate */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    size_t count;
    const struct tls_suite *suite = tls_suites(&count)[input_byte(&input) % 3];
    uint8_t type = input_byte(&input), secret[TLS_MAX_HASH];
    size_t flip = (size_t)input_byte(&input) << 8 | input_byte(&input);
    unsigned records = 1 + input_byte(&input) % 4;

    memset(secret, input_byte(&input), sizeof secret);
    forge(&input, suite, secret);
    if (input.size > TLS_MAX_PLAINTEXT)
        input.size = TLS_MAX_PLAINTEXT;
    tls_keys_set(&sender, suite, secret);
    tls_keys_set(&receiver, suite, secret);
    for (unsigned i = 0; i < records; i++) {
        size_t sealed = tls_record_seal(&sender, record, type, 0x0303, input.data, input.size);
        size_t length = sealed - TLS_RECORD_HEADER;
        MUST(length == input.size + 1 + TLS_TAG);
        MUST(((size_t)record[3] << 8 | record[4]) == length);
        MUST(tls_record_open(&receiver, record, record + TLS_RECORD_HEADER, &length));
        MUST(length == input.size + 1 && record[TLS_RECORD_HEADER + input.size] == type);
        MUST(input.size == 0 || memcmp(record + TLS_RECORD_HEADER, input.data, input.size) == 0);
    }
    /* One bit of it another, be it of the header. */
    size_t sealed = tls_record_seal(&sender, record, type, 0x0303, input.data, input.size);
    size_t length = sealed - TLS_RECORD_HEADER;
    record[flip / 8 % sealed] ^= (uint8_t)(1 << flip % 8);
    MUST(!tls_record_open(&receiver, record, record + TLS_RECORD_HEADER, &length));
    return 0;
}
