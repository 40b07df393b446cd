/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_NET_H
#define BASE_NET_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

/* Milliseconds of CLOCK_MONOTONIC. A deadline is an absolute value of this clock. */
int64_t net_clock_ms(void);

/*
 * Resolve host and connect to the first address that answers, until deadline; each of several
 * addresses gets an even share of the time. (Resolving takes as long as resolv.conf has it take:
 * getaddrinfo knows no deadline.) Returns a non-blocking, close-on-exec TCP socket with
 * TCP_NODELAY, owned by the caller, or -1 with ERROR_UNAVAILABLE ("connection refused",
 * "no route to host", "name does not resolve", ...).
 */
int net_connect(const char *host, uint16_t port, int64_t deadline, struct error *error);

/* The addresses of a host, as text. ERROR_UNAVAILABLE where it has none. */
int net_resolve(const char *host, struct strings *addresses, struct error *error);

/* Wait until fd is ready for events (POLLIN, POLLOUT). ERROR_UNAVAILABLE at the deadline. */
int net_wait(int fd, short events, int64_t deadline, struct error *error);

#endif
