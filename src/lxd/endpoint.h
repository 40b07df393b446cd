/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LXD_ENDPOINT_H
#define LXD_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#define ENDPOINT_DEFAULT_PORT 8443

/* Where an LXD server listens. */
struct endpoint {
    char host[256]; /* DNS name or address, as given, without brackets */
    uint16_t port;
    char url[280]; /* complete: "https://host:port", IPv6 in brackets; what is published */
};

/*
 * Accepts https://h:p, https://h, h:p, h, http://... (made https), [v6], [v6]:p, a trailing
 * slash and blanks around it; default port 8443. ERROR_INPUT quotes the value and says what is
 * wrong: unix:// and other schemes by name, empty, a path, a bad port, an IPv6 zone, what is no
 * host. A value with a user before the host is not quoted: there may be a password in it.
 */
int endpoint_parse(struct endpoint *endpoint, const char *text, struct error *error);

/* Is the host an IP address (so that it goes into no SNI)? */
bool endpoint_is_address(const struct endpoint *endpoint);

#endif
