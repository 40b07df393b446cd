/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LXD_HTTP_H
#define LXD_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

#define HTTP_MAX_HEAD 65536 /* status line and header of one response, 1xx before it included */
#define HTTP_MAX_BODY (1024 * 1024) /* of one that is kept as a whole */

/* The byte stream below, TLS or a test. Both block until the deadline (net_clock_ms). */
struct http_stream {
    void *context;
    /* Returns bytes read (> 0), 0 at an orderly end (close_notify), -1 with error. */
    long (*read)(void *context, void *data, size_t size, int64_t deadline, struct error *error);
    int (*write)(void *context, const void *data, size_t length, int64_t deadline,
                 struct error *error);
};

/*
 * An HTTP/1.1 client connection (RFC 9112). Zero-initialise and set stream.
 */
struct http_connection {
    struct http_stream stream;
    struct buffer input; /* bytes received ... */
    size_t consumed;     /* ... of which so many are done with */
    unsigned pending;    /* requests sent whose responses have not been received */
    bool used;           /* a response came over this connection before */
    bool closed;         /* no further request can be sent on it, no response received */
    bool stale;          /* closed, see below */
};

struct http_response {
    int status;
    struct buffer body; /* owned by the caller, who wipes it where it may hold secrets */
};

/* Where a body goes that may have any length: to take, piece by piece as it arrives. -1 with error
 * (as below) ends the response and the connection. */
struct http_sink {
    int (*take)(void *context, const char *data, size_t length, struct error *error);
    void *context;
};

/* Append the text of a request. body may be NULL (then no Content-Length), else it is JSON. */
void http_compose(struct buffer *text, const char *host, const char *method, const char *path,
                  const char *body);

/*
 * Send a request, and receive the response to the first one that is pending: several may be sent
 * before the first response is received. The first byte has to come until `first`, which is no
 * later than deadline, the last one until deadline; what is here already is always taken.
 *
 * The body of a 200 goes into the sink, where there is one; any other has HTTP_MAX_BODY at most. No
 * redirect is followed, 1xx are skipped.
 *
 * ERROR_UNREACHABLE where the connection ends too early (the text is the reason alone), or what the
 * stream says; ERROR_NONSENSE for all else that is no complete HTTP/1.1 response within the bounds,
 * in words to follow "LXD at <endpoint> ". The connection is closed then, and what came of the body
 * is wiped. It is stale where it had served before and ended, before the deadline, without a single
 * byte of this response: the caller may reconnect and try once more.
 */
int http_send(struct http_connection *connection, const struct buffer *text, int64_t deadline,
              struct error *error);
int http_receive(struct http_connection *connection, int64_t first, int64_t deadline,
                 const struct http_sink *sink, struct http_response *response, struct error *error);

/* Is something of the next response here already, so that no socket tells of it? */
bool http_has_input(const struct http_connection *connection);

/* Also wipes: what came may have held secrets. */
void http_connection_free(struct http_connection *connection);

#endif
