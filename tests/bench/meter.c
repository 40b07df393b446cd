/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tells what of the charm's CPU time goes into TLS, and what into the system calls on connections
 * over the network: these functions are linked in front of the true ones (ld's --wrap), and the
 * last line on stderr is "meter: tls NS network NS".
 */
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>

#include "tls/engine.h"

enum { MAX_SOCKETS = 64 };

static int64_t in_tls, in_network;
static bool is_network[MAX_SOCKETS]; /* by file descriptor */

static int64_t now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static int64_t *sum_of(int fd)
{
    return fd >= 0 && fd < MAX_SOCKETS && is_network[fd] ? &in_network : NULL;
}

/* What a function takes is added to *sum, if there is one. Parameters and arguments come in
 * parentheses. */
#define METER(sum, type, name, parameters, arguments) \
    type __real_##name parameters;                    \
    type __wrap_##name parameters;                    \
    type __wrap_##name parameters                     \
    {                                                 \
        int64_t *meter = sum;                         \
        int64_t start = meter != NULL ? now() : 0;    \
        type result = __real_##name arguments;        \
        if (meter != NULL)                            \
            *meter += now() - start;                  \
        return result;                                \
    }

/* The same for one that returns nothing. */
#define METER_VOID(sum, name, parameters, arguments) \
    void __real_##name parameters;                   \
    void __wrap_##name parameters;                   \
    void __wrap_##name parameters                    \
    {                                                \
        int64_t start = now();                       \
        __real_##name arguments;                     \
        *(sum) += now() - start;                     \
    }

METER_VOID(&in_tls, tls_start, (struct tls * tls, const struct tls_configuration *configuration),
           (tls, configuration))
METER_VOID(&in_tls, tls_input_done, (struct tls * tls, size_t length), (tls, length))
METER(&in_tls, size_t, tls_read, (struct tls * tls, void *data, size_t size), (tls, data, size))
METER(&in_tls, size_t, tls_write, (struct tls * tls, const void *data, size_t length),
      (tls, data, length))
METER_VOID(&in_tls, tls_close, (struct tls * tls), (tls))
METER_VOID(&in_tls, tls_wipe, (struct tls * tls), (tls))

METER(sum_of(fd), int, connect, (int fd, const struct sockaddr *address, socklen_t size),
      (fd, address, size))
METER(sum_of(fd), ssize_t, send, (int fd, const void *data, size_t length, int flags),
      (fd, data, length, flags))
METER(sum_of(fd), ssize_t, recv, (int fd, void *data, size_t size, int flags),
      (fd, data, size, flags))
METER(sum_of(entries->fd), int, poll, (struct pollfd * entries, nfds_t count, int timeout),
      (entries, count, timeout))
METER(sum_of(fd), int, close, (int fd), (fd))

int __real_socket(int family, int type, int protocol);
int __wrap_socket(int family, int type, int protocol);
int __wrap_socket(int family, int type, int protocol)
{
    int fd = __real_socket(family, type, protocol);

    if (fd >= 0 && fd < MAX_SOCKETS)
        is_network[fd] = family != AF_UNIX;
    return fd;
}

__attribute__((destructor)) static void report(void)
{
    fprintf(stderr, "meter: tls %lld network %lld\n", (long long)in_tls, (long long)in_network);
}
