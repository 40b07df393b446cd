/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARM_PRIVATE_FILE_H
#define CHARM_PRIVATE_FILE_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/error.h"

#define PRIVATE_FILE_MAX 32768

/*
 * Small files in the charm's folder that nobody else may read (0600), and that survive a refresh of
 * the charm; only before the sandbox closes. ERROR_INPUT names the file.
 */

/* *found is false where there is no such file. */
int private_file_read(const char *path, struct buffer *content, bool *found, struct error *error);

/* All of it is there or nothing, whenever the machine stops. */
int private_file_write(const char *path, const struct buffer *content, struct error *error);

#endif
