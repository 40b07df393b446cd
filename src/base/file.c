/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE 4096

static int fail(struct error *error, const char *name, const char *reason)
{
    return error_set(error, ERROR_INPUT, "%s: %s", name, reason);
}

enum file_outcome file_read_open(struct buffer *content, int fd, const char *name, size_t limit,
                                 struct error *error)
{
    size_t before = content->length;

    for (;;) {
        buffer_reserve(content, PIECE);
        ssize_t got = read(fd, content->data + content->length, PIECE);
        if (got == 0)
            return FILE_FINE;
        if (got < 0) {
            fail(error, name, strerror(errno));
            return FILE_UNUSABLE;
        }
        content->length += (size_t)got;
        content->data[content->length] = '\0';
        if (content->length - before > limit) {
            error_set(error, ERROR_INPUT, "%s: longer than %zu KiB", name, limit / 1024);
            return FILE_UNUSABLE;
        }
    }
}

enum file_outcome file_read(struct buffer *content, const char *path, enum file_kind kind,
                            size_t limit, struct error *error)
{
    const char *slash = strrchr(path, '/');
    const char *name = kind == FILE_OF_OURS && slash != NULL ? slash + 1 : path;
    /* A pipe in the place of our file would have us wait for whoever writes into it. */
    int flags = kind == FILE_OF_OURS ? O_NOFOLLOW | O_NONBLOCK : 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | flags);
    struct stat about;

    if (fd < 0) {
        enum file_outcome outcome = errno == ENOENT ? FILE_ABSENT : FILE_UNUSABLE;

        fail(error, name, errno == ELOOP && flags != 0 ? "it is a link" : strerror(errno));
        return outcome;
    }
    enum file_outcome outcome = FILE_UNUSABLE;
    if (fstat(fd, &about) != 0) {
        fail(error, name, strerror(errno));
    } else if (S_ISDIR(about.st_mode)) {
        fail(error, name, "it is a folder");
        outcome = FILE_IS_FOLDER;
    } else if (kind == FILE_OF_OURS && !S_ISREG(about.st_mode)) {
        fail(error, name, "it is no plain file");
    } else {
        outcome = file_read_open(content, fd, name, limit, error);
    }
    close(fd);
    return outcome;
}

/* errno tells why not. */
static bool write_new(const char *path, const struct buffer *content)
{
    unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0)
        return false;
    errno = ENOSPC; /* where only a part is written */
    bool written =
        write(fd, content->data, content->length) == (ssize_t)content->length && fsync(fd) == 0;
    int reason = errno;
    close(fd);
    errno = reason;
    return written;
}

/* Have the machine remember what is in the file's folder. */
static void keep_folder(const char *path, const char *name)
{
    char *folder = name == path ? mem_string(".") : mem_string_n(path, (size_t)(name - path));
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    free(folder);
}

int file_write(const char *path, const struct buffer *content, struct error *error)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    char *new_path = mem_printf("%s.new", path);
    bool written = write_new(new_path, content) && rename(new_path, path) == 0;

    if (written)
        keep_folder(path, name);
    else
        error_set(error, ERROR_INPUT, "%s: cannot be written: %s", name, strerror(errno));
    free(new_path);
    return written ? 0 : -1;
}
