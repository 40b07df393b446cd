/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VECTORS_H
#define VECTORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/*
 * Test vectors as text, the form of tests/vectors/rfc8448 and of Wycheproof's vectors as BoringSSL
 * converts them: lines "name = value", the value hex digits or a word; a line that begins with a
 * blank continues the value above it; '#' begins a comment line; an empty line ends a vector.
 * "[name = value]" belongs to every vector up to the next group of such lines.
 *
 * Whatever is wrong with a file or a name ends the process: a test must not pass for lack of
 * vectors.
 */
struct vectors {
    FILE *file;
    const char *path;
    unsigned line;
    size_t count;
    size_t group_count; /* of them, from the front, belong to the group */
    struct vectors_entry {
        char *name;
        char *value;
    } entries[96];
};

void vectors_open(struct vectors *vectors, const char *path);

/* Go to the next vector; false at the end of the file. */
bool vectors_next(struct vectors *vectors);

bool vectors_have(const struct vectors *vectors, const char *name);
const char *vectors_text(const struct vectors *vectors, const char *name);

/* Decode hex to out, which holds size bytes. Returns the number of bytes. */
size_t vectors_hex(const struct vectors *vectors, const char *name, uint8_t *out, size_t size);

void vectors_close(struct vectors *vectors);

#endif
