/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"

/*
 * Small files: one bounded reader, one atomic writer. Errors are ERROR_INPUT, "<file>: <reason>".
 */

/* What a path may lead to. */
enum file_kind {
    FILE_OF_USER, /* whatever can be read: through links, from a pipe, from /dev/stdin */
    FILE_OF_OURS, /* a plain file that stands there itself; nothing else is opened or waited for */
};

enum file_outcome {
    FILE_FINE,
    FILE_ABSENT,
    FILE_IS_FOLDER,
    FILE_UNUSABLE, /* a link or device where it is to be ours, longer than limit, unreadable */
};

/* Append all of a file of at most limit bytes to content, which the caller frees (a secret: wipes)
 * whatever comes of it. *error is filled in all cases but FILE_FINE. */
enum file_outcome file_read(struct buffer *content, const char *path, enum file_kind kind,
                            size_t limit, struct error *error);

/* The same with what is open as fd; name is for the error. */
enum file_outcome file_read_open(struct buffer *content, int fd, const char *name, size_t limit,
                                 struct error *error);

/* Have the file hold the content, readable for nobody else (0600): all of it or, whenever the
 * machine stops, what was there before. A link in its place is replaced, a folder is not. Writes
 * "<path>.new" on the way. */
int file_write(const char *path, const struct buffer *content, struct error *error);

#endif
