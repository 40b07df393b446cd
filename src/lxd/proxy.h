/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LXD_PROXY_H
#define LXD_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "lxd/endpoint.h"

#define PROXY_MAX_ANSWER 4096 /* bytes of the head that answers CONNECT */

/* An HTTP proxy that opens tunnels (CONNECT, RFC 9110 9.3.6). */
struct proxy {
    char host[256];
    uint16_t port;
    char *authorization; /* owned, a secret: base64 of "user:password", or NULL */
};

/*
 * Reads http://[user:password@]host[:port], or the same without http://; the port is 80 where none
 * is given. User and password are percent-decoded. ERROR_INPUT names other schemes (https, socks5)
 * and quotes nothing that may hold a password.
 */
int proxy_parse(struct proxy *proxy, const char *text, struct error *error);
void proxy_wipe(struct proxy *proxy);

/*
 * Does a list as of no_proxy except the endpoint? Its items are separated by commas or blanks: a
 * name (the same), ".suffix" or "*.suffix" (names that end so), "*" (everything), an address, or
 * addresses as 10.0.0.0/8 or fd00::/8. Brackets around an IPv6 address are fine, and a final dot; a
 * port behind an item restricts it to that port.
 */
bool proxy_excepts(const char *list, const struct endpoint *endpoint);

/* Append the request for a tunnel to the endpoint. A secret, where the proxy has a password. */
void proxy_request(struct buffer *request, const struct proxy *proxy,
                   const struct endpoint *endpoint);

/* The status of what came so far, 0 where the head is not complete yet, -1 where it is no answer to
 * CONNECT, too long, or something follows it, which TLS servers do not do unasked. */
int proxy_status(const struct buffer *answer);

/* For a whole process: what its model says about proxies, NULL or "" for nothing. */
struct proxy_settings {
    bool in_use;
    struct proxy proxy;
    char *exceptions;
    struct error error; /* kind 0, or why the proxy cannot be used */
};
void proxy_settings_read(struct proxy_settings *settings, const char *proxy,
                         const char *exceptions);
void proxy_settings_wipe(struct proxy_settings *settings);

#endif
