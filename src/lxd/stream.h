/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LXD_STREAM_H
#define LXD_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/net.h"
#include "lxd/endpoint.h"
#include "lxd/http.h"
#include "tls/engine.h"

#define STREAM_OPEN_MS 5000 /* for connecting and shaking hands together */

/* TLS over TCP: drives the engine with a socket and a deadline. About 150 KiB; does not move. */
struct stream {
    int fd; /* -1: not open */
    bool opening;
    int64_t deadline; /* for opening it */
    int64_t opened;   /* when that was done */
    const struct endpoint *endpoint;
    struct net_dial dial;
    struct buffer first; /* what leaves together with the last flight of the handshake */
    struct error error;  /* why it could not be opened */
    struct tls_configuration configuration;
    struct tls tls;
};

/*
 * Prepare to connect: resolve the host's name. The configuration needs the certificate check and
 * our certificate with its key; server name and randomness are set here. What the configuration
 * refers to must live as long as the stream, the endpoint as well. Something may be put into
 * `first` afterwards, a few KiB.
 */
void stream_start(struct stream *stream, const struct endpoint *endpoint,
                  const struct tls_configuration *configuration, int64_t deadline);

/*
 * Connect and shake hands with all that were started, at the same time, each within STREAM_OPEN_MS
 * and until its deadline. Those that could not be opened have fd -1 and an error. Where a
 * connection is closed or reset before a byte of ServerHello, it is tried once more with a
 * small ClientHello (tls_configuration's small_hello), in the time that is
 * left.
 *
 * Errors are in words to follow "LXD at <endpoint> ", here and in what stream_http gives:
 * ERROR_IDENTITY where check_certificate refused the server (the text is tls_failure's; the check
 * knows better), ERROR_UNTRUSTED where the server, once it has proved who it is, refuses our
 * certificate by an alert, which in TLS 1.3 may arrive only with the first read, else
 * ERROR_UNAVAILABLE. The stream is closed then.
 */
void stream_open(struct stream *const streams[], size_t count);

/* How HTTP reads and writes an open stream. */
struct http_stream stream_http(struct stream *stream);

/* Say close_notify if it goes out at once, close, wipe. Does nothing where fd is -1. */
void stream_close(struct stream *stream);

#endif
