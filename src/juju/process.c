/* SPDX-License-Identifier: Apache-2.0 */
#include "juju/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/net.h"

#define CHUNK (16 * 1024)

struct child {
    pid_t pid;
    int streams[3]; /* our ends of its stdin, stdout and stderr; -1 once closed */
};

static void close_stream(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* The child gets the other ends of three pipes, and SIGPIPE as programs expect it. Returns an errno
 * value; what is open then is in `streams`. */
static int spawn(struct child *child, const char *const arguments[])
{
    int theirs[3] = {-1, -1, -1};
    int failure = 0;

    for (int i = 0; i < 3 && failure == 0; i++) {
        int ends[2];

        if (pipe2(ends, O_CLOEXEC) != 0) {
            failure = errno;
            break;
        }
        child->streams[i] = ends[i == STDIN_FILENO];
        theirs[i] = ends[i != STDIN_FILENO];
        if (fcntl(child->streams[i], F_SETFL, O_NONBLOCK) != 0)
            failure = errno;
    }
    if (failure == 0) {
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attributes;
        sigset_t defaults;

        posix_spawn_file_actions_init(&actions);
        for (int i = 0; i < 3; i++)
            posix_spawn_file_actions_adddup2(&actions, theirs[i], i);
        posix_spawnattr_init(&attributes);
        sigemptyset(&defaults);
        sigaddset(&defaults, SIGPIPE);
        posix_spawnattr_setsigdefault(&attributes, &defaults);
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
        failure = posix_spawnp(&child->pid, arguments[0], &actions, &attributes,
                               (char *const *)arguments, environ);
        posix_spawnattr_destroy(&attributes);
        posix_spawn_file_actions_destroy(&actions);
    }
    for (int i = 0; i < 3; i++)
        close_stream(&theirs[i]);
    return failure;
}

/* Write what the pipe takes; close it when all is written or nobody reads it any more. */
static void feed(int *fd, const char **input, size_t *length)
{
    ssize_t written = *length != 0 ? write(*fd, *input, *length) : 0;

    if (written < 0 && errno == EAGAIN)
        return;
    if (written < 0)
        *length = 0;
    else {
        *input += written;
        *length -= (size_t)written;
    }
    if (*length == 0)
        close_stream(fd);
}

/* Read a chunk and keep of it what fits below the limit. Returns whether something was lost. By way
 * of the stack: most answers are a few bytes, for which nobody asks the kernel for pages then. */
static bool drain(int *fd, struct buffer *buffer, size_t limit)
{
    char chunk[CHUNK];
    ssize_t got = read(*fd, chunk, sizeof chunk);

    if (got < 0 && errno == EAGAIN)
        return false;
    if (got <= 0) {
        close_stream(fd);
        return false;
    }
    size_t room = limit - buffer->length;
    buffer_append(buffer, chunk, (size_t)got < room ? (size_t)got : room);
    bytes_wipe(chunk, (size_t)got);
    return (size_t)got > room;
}

/* Move bytes until the child has closed its outputs. Returns -1 at the deadline. */
static int exchange(struct child *child, const char *input, size_t length, int64_t deadline,
                    struct juju_reply *reply)
{
    int *streams = child->streams;

    while (streams[1] >= 0 || streams[2] >= 0) {
        struct pollfd ready[3] = {
            {streams[0], POLLOUT, 0}, {streams[1], POLLIN, 0}, {streams[2], POLLIN, 0}};
        int64_t left = deadline - net_clock_ms();
        int count = poll(ready, 3, left > 0 ? (int)left : 0);

        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return -1;
        if (ready[0].revents != 0)
            feed(&streams[0], &input, &length);
        if (ready[1].revents != 0 && drain(&streams[1], &reply->output, JUJU_MAX_OUTPUT))
            reply->cut = true;
        if (ready[2].revents != 0)
            drain(&streams[2], &reply->message, JUJU_MAX_MESSAGE);
    }
    return 0;
}

/*
 * Wait for the end of a child that has closed its outputs: it is about to exit, but need not.
 * Kernels before 5.3 have no pidfd; there its word is taken for it.
 */
static int await(const struct child *child, int64_t deadline)
{
    struct error ignored;
    int fd = (int)syscall(SYS_pidfd_open, child->pid, 0);

    if (fd < 0)
        return 0;
    int result = net_wait(fd, POLLIN, deadline, &ignored);
    close(fd);
    return result;
}

int process_run(const char *const arguments[], const void *input, size_t length, int timeout_ms,
                struct juju_reply *reply, struct error *error)
{
    struct child child = {.pid = -1, .streams = {-1, -1, -1}};
    int64_t deadline = net_clock_ms() + timeout_ms;
    bool ended = false;
    int status = 0;

    int failure = spawn(&child, arguments);
    if (failure == 0) {
        ended =
            exchange(&child, input, length, deadline, reply) == 0 && await(&child, deadline) == 0;
        if (!ended)
            kill(child.pid, SIGKILL);
        while (waitpid(child.pid, &status, 0) < 0 && errno == EINTR)
            ;
    }
    for (int i = 0; i < 3; i++)
        close_stream(&child.streams[i]);

    if (failure != 0)
        return error_set(error, ERROR_HOOK, "%s cannot be run: %s", arguments[0],
                         strerror(failure));
    if (!ended)
        return error_set(error, ERROR_HOOK, "%s did not end within %d s", arguments[0],
                         timeout_ms / 1000);
    if (!WIFEXITED(status))
        return error_set(error, ERROR_HOOK, "%s was ended by signal %d", arguments[0],
                         WTERMSIG(status));
    reply->code = WEXITSTATUS(status);
    return 0;
}

static int process_call(void *context, const char *const arguments[], const void *input,
                        size_t length, struct juju_reply *reply, struct error *error)
{
    (void)context;
    return process_run(arguments, input, length, JUJU_CALL_MS, reply, error);
}

const struct juju_transport process_transport = {.call = process_call};
