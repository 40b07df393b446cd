/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stddef.h>

/* Fill out with the kernel's randomness. */
void random_bytes(void *out, size_t length);

#endif
