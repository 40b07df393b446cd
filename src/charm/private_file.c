/* SPDX-License-Identifier: Apache-2.0 */
#include "charm/private_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int fail(const char *path, const char *what, struct error *error)
{
    const char *slash = strrchr(path, '/');

    return error_set(error, ERROR_INPUT, "%s cannot be %s: %s", slash != NULL ? slash + 1 : path,
                     what, strerror(errno));
}

int private_file_read(const char *path, struct buffer *content, bool *found, struct error *error)
{
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

    *found = fd >= 0;
    if (fd < 0)
        return errno == ENOENT ? 0 : fail(path, "opened", error);
    buffer_reserve(content, PRIVATE_FILE_MAX);
    ssize_t count = read(fd, content->data, PRIVATE_FILE_MAX);
    close(fd);
    if (count < 0)
        return fail(path, "read", error);
    content->length = (size_t)count;
    content->data[count] = '\0';
    return 0;
}

static int write_new(const char *path, const char *new_path, const struct buffer *content,
                     struct error *error)
{
    unlink(new_path);
    int fd = open(new_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0)
        return fail(path, "created", error);
    bool written =
        write(fd, content->data, content->length) == (ssize_t)content->length && fsync(fd) == 0;
    close(fd);
    if (!written || rename(new_path, path) != 0)
        return fail(path, "written", error);
    return 0;
}

int private_file_write(const char *path, const struct buffer *content, struct error *error)
{
    char *new_path = mem_printf("%s.new", path);
    int result = write_new(path, new_path, content, error);

    free(new_path);
    return result;
}
