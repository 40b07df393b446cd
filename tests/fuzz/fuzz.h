/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What libFuzzer calls, with one input after another. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must hold whatever the input is; libFuzzer reports the abort. */
#define MUST(condition)                                                                    \
    do {                                                                                   \
        if (!(condition)) {                                                                \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                                       \
        }                                                                                  \
    } while (0)

/* An input is taken apart from the front: bytes that choose first, the rest is the text. */
struct input {
    const uint8_t *data;
    size_t size;
};

static inline uint8_t input_byte(struct input *input)
{
    if (input->size == 0)
        return 0;
    input->size--;
    return *input->data++;
}

/* The rest as text, up to its first NUL. Owned by the caller (free). */
static inline char *input_text(const struct input *input)
{
    size_t length = input->size != 0 ? strnlen((const char *)input->data, input->size) : 0;
    char *text = calloc(1, length + 1);

    MUST(text != NULL);
    if (length != 0)
        memcpy(text, input->data, length);
    return text;
}

#endif
