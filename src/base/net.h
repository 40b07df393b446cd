/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_NET_H
#define BASE_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/resolver.h"

#define NET_RESOLV_CONF "/etc/resolv.conf"
#define NET_HOSTS "/etc/hosts"
#define NET_MAX_RESOLV_CONF (64 * 1024)
#define NET_MAX_HOSTS (1024 * 1024)

#define NET_ADDRESS_SIZE 46 /* bytes of any address as text, NUL included */

/* Milliseconds of CLOCK_MONOTONIC. A deadline is an absolute value of this clock. */
int64_t net_clock_ms(void);

/* The end of an even share of the time until deadline, for the first of `count` that share it. */
int64_t net_share(int64_t deadline, size_t count);

/*
 * Read how names are looked up, for the whole process, from files like /etc/resolv.conf and
 * /etc/hosts. Before the sandbox closes: without it, no nameserver but loopback's is known. Adds a
 * sentence to warnings for a file that is too large, whose beginning counts then, or that cannot be
 * read; one that is not there is fine.
 */
void net_read_configuration(const char *resolv_conf, const char *hosts, struct strings *warnings);

/* What was asked of nameservers since the last call, a line for each question, for the log. The
 * lines are added to those that are there. */
void net_take_log(struct strings *lines);

/* The address that the socket is connected to, as text. False where there is none. */
bool net_peer(int fd, char address[NET_ADDRESS_SIZE]);

/* What poll waits for: descriptors of several connections, and a time. Zero-initialise. */
struct pollfd;
struct net_watch {
    struct pollfd *entries;
    size_t count, room;
    int64_t until;
};

void net_watch_clear(struct net_watch *watch);
size_t net_watch_add(struct net_watch *watch, int fd, short events); /* returns its number */
void net_watch_until(struct net_watch *watch, int64_t time);         /* no longer than this */
void net_watch_wait(struct net_watch *watch);
bool net_watch_is_ready(const struct net_watch *watch, size_t number);
void net_watch_free(struct net_watch *watch);

/* A socket and where it stands in the watch. */
struct net_socket {
    int fd; /* -1: none */
    size_t number;
    bool watched; /* number counts */
};

/*
 * A connection on its way to a host: its name is looked up, and its addresses are tried, those
 * without a route last, IPv6 and IPv4 in turn, the next one after 250 ms or as soon as one fails
 * (RFC 8305). With one family answered the other is waited for 50 ms. All of it ends at deadline.
 */
struct net_dial {
    int fd; /* the connected socket, once it is there */
    int64_t deadline;

    /* net.c's own */
    uint16_t port;
    struct resolver_lookup lookup;
    int64_t look_again; /* when time alone changes something about it */
    struct {
        struct net_socket socket;
        uint32_t serial;
        unsigned sends;
        struct buffer input; /* what came over TCP so far */
    } questions[RESOLVER_QUESTIONS];
    struct net_socket attempts[RESOLVER_ADDRESSES]; /* by address */
    bool tried[RESOLVER_ADDRESSES], routeless[RESOLVER_ADDRESSES];
    size_t checked;  /* how many addresses were looked for a route */
    int last_family; /* of the address that was tried last */
    int64_t next_at; /* when the next one may be */
    int failure;     /* errno of the first that failed, 0: none has */
};

/* Begin; nothing blocks. host is a name or an address; a final dot says that the name is complete.
 */
void net_dial_start(struct net_dial *dial, const char *host, uint16_t port, int64_t deadline);

/* Add what it waits for. */
void net_dial_watch(struct net_dial *dial, struct net_watch *watch);

/*
 * Go on without waiting; at first (with any watch), and after each wait. Returns 1 once fd is a
 * connected, non-blocking, close-on-exec TCP socket with TCP_NODELAY, which is the caller's then, 0
 * where it has to be waited for, or -1 with ERROR_UNREACHABLE ("connection refused", "name ... not
 * found ...", "no route to host", ...). The end, either way, frees all else.
 */
int net_dial_step(struct net_dial *dial, const struct net_watch *watch, struct error *error);

/* All of it for one connection, with the waiting, until deadline. Returns the socket or -1. */
int net_connect(const char *host, uint16_t port, int64_t deadline, struct error *error);

/* The addresses of a host, as text; within 5 s. ERROR_UNREACHABLE where it has none. */
int net_resolve(const char *host, struct strings *addresses, struct error *error);

/* Wait until fd is ready for events (POLLIN, POLLOUT). ERROR_UNREACHABLE at the deadline. */
int net_wait(int fd, short events, int64_t deadline, struct error *error);

/* poll(2) until the deadline: how many are ready, 0 at the deadline, or -1 with errno. */
int net_poll(struct pollfd *entries, size_t count, int64_t deadline);

#endif
