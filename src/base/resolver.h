/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_RESOLVER_H
#define BASE_RESOLVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

/*
 * A stub resolver (RFC 1034 5.3.1) for addresses, without I/O: it says what is to be asked of
 * which nameserver and over what, and is told what came back. Sockets, files and the clock are the
 * caller's (net.c is one). It does as glibc's getaddrinfo with "hosts: files dns" does, but for
 * the time that it takes; charm/network.md has the table. Times are milliseconds of any clock that
 * only goes forward.
 */

#define RESOLVER_SERVERS 3    /* of resolv.conf's nameservers, the first */
#define RESOLVER_DOMAINS 32   /* to search in */
#define RESOLVER_ADDRESSES 16 /* of a name; the first that come */
#define RESOLVER_QUESTIONS 16 /* of a name, under way at the same time */

struct resolver_address {
    int family;    /* AF_INET, AF_INET6 */
    uint32_t zone; /* number of an interface, 0: none; only ever a nameserver's */
    uint8_t bytes[16];
};

struct resolver_server {
    struct resolver_address address; /* zone: to be set by the caller, from */
    char zone[32];                   /* what stands behind the "%", or "" */
    char text[80];                   /* as it is written, for sentences */
};

/* What resolv.conf(5) and hosts(5) say. Zero-initialise; owned, resolver_settings_free. */
struct resolver_settings {
    struct resolver_server servers[RESOLVER_SERVERS];
    size_t server_count;
    struct strings domains;
    struct buffer hosts; /* the file's text */
    unsigned ndots, timeout, attempts;
    bool no_aaaa, use_vc;
};

/*
 * Read the text of resolv.conf ("" where there is none) and keep that of hosts, which may hold
 * anything. host_name is this machine's: where no domain is set, its domain is searched. What
 * glibc ignores is ignored.
 */
void resolver_settings_read(struct resolver_settings *settings, const char *resolv_conf,
                            size_t length, const char *host_name);
void resolver_settings_free(struct resolver_settings *settings);

enum resolver_state {
    RESOLVER_ASKING,
    RESOLVER_FOUND, /* addresses has one or more; others may follow while questions are open */
    RESOLVER_FAILED,
};

/* A question to a nameserver. It wants a socket of its own, that is connected to the server. */
struct resolver_question {
    uint32_t serial; /* 0: nothing here. Another number: another question, and another socket */
    unsigned sends;  /* how often it is to have been sent by now */
    bool tcp;        /* else UDP */
    uint8_t server;  /* its number in the settings */
    uint8_t kind;    /* 0: A, 1: AAAA */
    uint8_t candidate;
    uint16_t id;
};

/* One name that is being looked up. */
struct resolver_lookup {
    enum resolver_state state;
    int64_t found_at; /* when the first address came */
    struct resolver_address addresses[RESOLVER_ADDRESSES];
    size_t address_count;
    struct resolver_question questions[RESOLVER_QUESTIONS];
    struct strings log; /* a line for each question that was answered, or was not */

    /* the resolver's own */
    const struct resolver_settings *settings;
    char name[256];  /* without a final dot */
    bool complete;   /* it had one */
    uint32_t serial; /* the last one given */
    size_t candidate;
    bool exhausted; /* no candidate is left: only late answers can come */
    int64_t give_up;
    struct {
        bool pending;    /* not answered, and not given up */
        unsigned step;   /* which server in which round */
        uint32_t latest; /* the question asked last */
        int64_t next_at; /* when the next server gets its turn, ... */
        int64_t until;   /* ... which none gets from then on */
    } kinds[2];
    bool none;               /* some server said that there is no such name, or no address: */
    bool none_as_it_stands;  /* of the name itself, else in a search domain; ... */
    uint8_t none_server;     /* ... which server, ... */
    char none_reason[16];    /* ... and which of both */
    bool refused;            /* some server could not or would not answer: */
    uint8_t refused_server;  /* which, ... */
    bool unreachable;        /* ... whether it was not even reached, ... */
    char refused_reason[40]; /* ... and what it said */
};

/*
 * Begin. The settings have to outlive the lookup. A name that is an address, stands in hosts or is
 * localhost is found at once. A final dot says that the name is complete.
 */
void resolver_start(struct resolver_lookup *lookup, const struct resolver_settings *settings,
                    const char *name, int64_t now);

/*
 * Let time pass; call it whenever anything has happened, and when the time it returned has come
 * (INT64_MAX: there is no such time). After this and the two below, see which sockets are wanted.
 */
int64_t resolver_tick(struct resolver_lookup *lookup, int64_t now);

/* The message for a question. For TCP its length stands before it (RFC 1035 4.2.2). */
#define RESOLVER_MAX_QUERY (2 + 12 + 255 + 4)
size_t resolver_query(const struct resolver_lookup *lookup, size_t question,
                      uint8_t out[RESOLVER_MAX_QUERY]);

/* A whole message came on a question's socket, without TCP's length. */
void resolver_answer(struct resolver_lookup *lookup, size_t question, const uint8_t *message,
                     size_t length, int64_t now);

/* A question's socket failed, for a reason in a few words. */
void resolver_fail(struct resolver_lookup *lookup, size_t question, const char *reason,
                   int64_t now);

/* Has everything been asked, so that only late answers can still bring an address? */
bool resolver_is_done(const struct resolver_lookup *lookup);

/* Why no address is there (yet): ERROR_UNREACHABLE. Returns -1. */
int resolver_error(const struct resolver_lookup *lookup, struct error *error);

void resolver_end(struct resolver_lookup *lookup);

#endif
