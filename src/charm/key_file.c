/* SPDX-License-Identifier: Apache-2.0 */
#include "charm/key_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "x509/self_signed.h"

#define NAME "client-key.pem"
#define NEW_NAME NAME ".new"
#define MAX_SIZE 4096

static int fail(const char *what, struct error *error)
{
    return error_set(error, ERROR_INPUT, "%s cannot be %s: %s", NAME, what, strerror(errno));
}

/* False where there is no such file. */
static int read_file(int folder, struct buffer *pem, bool *found, struct error *error)
{
    int fd = openat(folder, NAME, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

    *found = fd >= 0;
    if (fd < 0)
        return errno == ENOENT ? 0 : fail("opened", error);
    buffer_reserve(pem, MAX_SIZE);
    ssize_t count = read(fd, pem->data, MAX_SIZE);
    if (count < 0)
        fail("read", error);
    else
        pem->length = (size_t)count;
    pem->data[pem->length] = '\0';
    close(fd);
    return count < 0 ? -1 : 0;
}

/* All of it is there or nothing, whenever the machine stops. */
static int write_file(int folder, const struct buffer *pem, struct error *error)
{
    unlinkat(folder, NEW_NAME, 0);
    int fd = openat(folder, NEW_NAME, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0)
        return fail("created", error);
    bool written = write(fd, pem->data, pem->length) == (ssize_t)pem->length && fsync(fd) == 0;
    close(fd);
    if (!written || renameat(folder, NEW_NAME, folder, NAME) != 0)
        return fail("written", error);
    return 0;
}

static int load(int folder, const char *common_name, struct buffer *pem, struct error *error)
{
    bool found;

    if (read_file(folder, pem, &found, error) != 0)
        return -1;
    if (found)
        return 0;
    self_signed_make(pem, common_name);
    return write_file(folder, pem, error);
}

int key_file_load(const char *folder, const char *common_name, struct certificate *certificate,
                  struct private_key *key, struct error *error)
{
    struct buffer pem = {0};
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return fail("found", error);
    int result = load(fd, common_name, &pem, error);
    close(fd);
    if (result == 0 && self_signed_read(pem.data, certificate, key, error) != 0)
        result = error_prefix(error, "%s: delete it to have another one made", NAME);
    buffer_wipe(&pem);
    return result;
}
