/* SPDX-License-Identifier: Apache-2.0 */
#include "base/random.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/random.h>

void random_bytes(void *out, size_t length)
{
    uint8_t *next = out;

    while (length != 0) {
        ssize_t count = getrandom(next, length, 0);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            abort(); /* no kernel we run on; and nothing may go on without */
        next += count;
        length -= (size_t)count;
    }
}
