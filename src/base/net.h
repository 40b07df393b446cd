/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_NET_H
#define BASE_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

#define NET_ADDRESS_SIZE 46 /* bytes of any address as text, NUL included */

/* Milliseconds of CLOCK_MONOTONIC. A deadline is an absolute value of this clock. */
int64_t net_clock_ms(void);

/* The end of an even share of the time until deadline, for the first of `count` that share it. */
int64_t net_share(int64_t deadline, size_t count);

/*
 * A connection on its way to the first address of a host that answers; each of several addresses
 * gets an even share of the time.
 */
struct net_dial {
    int fd;           /* wait for POLLOUT on it ... */
    int64_t until;    /* ... no longer than this */
    int64_t deadline; /* for all addresses together; to be set before the first step */
    struct addrinfo *list, *next;
};

/* Resolve host. This takes as long as resolv.conf has it take: getaddrinfo knows no deadline.
 * ERROR_UNREACHABLE where the name does not resolve. */
int net_dial_start(struct net_dial *dial, const char *host, uint16_t port, struct error *error);

/*
 * Go on without waiting; at first, and whenever fd is ready or its time is over. Returns 1 once fd
 * is a connected, non-blocking, close-on-exec TCP socket with TCP_NODELAY, which is the caller's
 * then, 0 where it has to be waited for, or -1 with ERROR_UNREACHABLE ("connection refused",
 * "no route to host", ...). The end, either way, frees all else.
 */
int net_dial_step(struct net_dial *dial, bool ready, struct error *error);

/* All of it for one connection, with the waiting, until deadline. Returns the socket or -1. */
int net_connect(const char *host, uint16_t port, int64_t deadline, struct error *error);

/* The addresses of a host, as text. ERROR_UNREACHABLE where it has none. */
int net_resolve(const char *host, struct strings *addresses, struct error *error);

/* The address that the socket is connected to, as text. False where there is none. */
bool net_peer(int fd, char address[NET_ADDRESS_SIZE]);

struct pollfd;

/* poll(2) until the deadline: how many are ready, 0 at the deadline, or -1 with errno. */
int net_poll(struct pollfd *entries, size_t count, int64_t deadline);

/* Wait until fd is ready for events (POLLIN, POLLOUT). ERROR_UNREACHABLE at the deadline. */
int net_wait(int fd, short events, int64_t deadline, struct error *error);

#endif
