/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FAKE_LXD_H
#define TESTS_FAKE_LXD_H

#include "base/buffer.h"
#include "charm/server.h"

#define FAKE_LXD_MAX_ENTRIES 64
#define FAKE_LXD_MAX_FAULTS 8

/* What goes wrong with a request. */
struct fake_fault {
    const char *request; /* as in the journal; NULL ends the list */
    int status;   /* what it is answered; 0: the connection ends instead, -1: nothing comes */
    bool applies; /* although it is done */
    int times;    /* 0: always */
};

/*
 * An LXD that has a trust store of certificates by number (world.h), with unique names, and
 * projects; its answers come over no socket. Zero-initialise; set what it is; then fake_lxd_start
 * leads to it. It remembers what it was asked: "GET /1.0", "GET certificates", "GET projects", "GET
 * members", "GET identity", and "GET 7", "POST 7", "PATCH 7", "DELETE 7" for certificate 7.
 */
struct fake_lxd {
    const char *url;
    const char *presents;                 /* a file of tests/vectors/x509; NULL: leaf.crt */
    bool down, untrusted, clustered, old; /* old: it cannot restrict */
    bool identities;                      /* it has fine-grained ones */
    const char *permissions;              /* of ours, which is one; NULL: it is none */
    bool hides_own;                       /* from the list */
    bool hides_all;                       /* it shows ours only */
    const char *addresses;                /* JSON strings */
    const char *members;                  /* JSON objects: FAKE_MEMBER */
    const char *projects;                 /* "a b" */
    const char *later_projects;           /* from the second time on that they are asked for */
    struct lxd_certificate entries[FAKE_LXD_MAX_ENTRIES];
    size_t count;
    struct fake_fault faults[FAKE_LXD_MAX_FAULTS];
    struct strings journal;
    unsigned project_lists;

    /* The connection. */
    struct buffer input;
    struct strings answers;
    size_t answered, position;
    bool ended, silent;
};

#define FAKE_MEMBER(name, url, status) \
    "{\"server_name\":\"" name "\",\"url\":\"" url "\",\"status\":\"" status "\"}"

/* Put an entry into its trust store: world_entry. */
void fake_lxd_put(struct fake_lxd *lxd, unsigned number, const char *name, const char *type,
                  const char *projects);

/* NULL where there is none. */
const struct lxd_certificate *fake_lxd_find(const struct fake_lxd *lxd, unsigned number);

/* "GET /1.0, GET certificates, POST 7": the journal behind these that were asked first. Owned. */
char *fake_lxd_journal(const struct fake_lxd *lxd, size_t from);

/* Those that there are, NULL at the end; an endpoint of none of them refuses the connection. */
extern struct fake_lxd *fake_lxds[8];

/* An interest's start. */
struct lxd_client *fake_lxd_start(const struct endpoint *endpoint,
                                  const struct lxd_credentials *credentials, int64_t deadline);

/* A standalone server as if it had been observed, with nothing in its trust store. */
void fake_lxd_server(struct server *server, const char *url, const char *presents);
void fake_lxd_free(struct fake_lxd *lxd);

#endif
