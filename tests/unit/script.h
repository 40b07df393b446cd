/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SCRIPT_H
#define TESTS_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "lxd/http.h"

/* A peer that says what is written here, and remembers what it was told. Zero-initialise. */
struct script {
    const char *input;
    size_t length; /* of input; 0: it is a string */
    size_t step;   /* bytes a read gives at most; 0: as many as it has room for */
    bool breaks;   /* what comes behind the input is an error, not an orderly end */
    bool deaf;     /* writing fails */
    bool slow;     /* behind the input nothing comes until the deadline */
    size_t position;
    unsigned writes;
    int64_t deadline; /* of the last read */
    struct buffer output;
};

struct http_stream script_stream(struct script *script);

#endif
