/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LXD_ENDPOINT_H
#define LXD_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define ENDPOINT_DEFAULT_PORT 8443
#define ENDPOINTS_MAX 64 /* in a list */

/* Where an LXD server listens. */
struct endpoint {
    char host[256]; /* DNS name or address, as given, without brackets and final dot */
    bool complete;  /* a name with a final dot: it is looked up in no search domain */
    uint16_t port;
    char url[280]; /* complete: "https://host:port", IPv6 in brackets; what is published */
};

/*
 * Accepts https://h:p, https://h, h:p, h, http://... (made https), [v6], [v6]:p, a trailing
 * slash and blanks around it, a name's final dot; default port 8443. ERROR_INPUT quotes the value
 * and says what is wrong: unix:// and other schemes by name, empty, a path, a bad port, a
 * link-local address or its zone, an address as only some programs read it (127.1, 0x7f000001), a
 * name with letters outside ASCII, what is no host. Not quoted is what may hold a secret: a
 * password before the host, or a key in the wrong place, which has blanks in it or is long.
 */
int endpoint_parse(struct endpoint *endpoint, const char *text, struct error *error);

/* Do both lead to the same place, as far as their text tells? */
bool endpoint_equal(const struct endpoint *a, const struct endpoint *b);

/* Is the host an IP address (so that it goes into no SNI)? */
bool endpoint_is_address(const struct endpoint *endpoint);

/* What net.h takes for its host: the final dot included. */
#define ENDPOINT_DIAL_NAME_SIZE (sizeof(((struct endpoint *)0)->host) + 1)
void endpoint_dial_name(const struct endpoint *endpoint, char name[ENDPOINT_DIAL_NAME_SIZE]);

/* Distinct endpoints, in the order in which they were given. Zero-initialise. */
struct endpoints {
    struct endpoint *items;
    size_t count;
};

/* One or more, separated by commas; one that is there twice counts once. */
int endpoints_parse(struct endpoints *endpoints, const char *text, struct error *error);

/* Add one, as endpoint_parse reads it. */
int endpoints_add(struct endpoints *endpoints, const char *text, struct error *error);
bool endpoints_contain(const struct endpoints *endpoints, const struct endpoint *endpoint);
void endpoints_free(struct endpoints *endpoints);

#endif
