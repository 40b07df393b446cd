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
#include "lxd/proxy.h"
#include "tls/engine.h"

#define STREAM_OPEN_MS 5000 /* for connecting and shaking hands together */

/* TLS over TCP: drives the engine with a socket and a deadline. About 150 KiB; does not move. */
struct stream {
    int fd; /* -1: not open */
    bool opening;
    int64_t deadline; /* for opening it */
    int64_t opened;   /* when that was done */
    const struct endpoint *endpoint;
    const struct proxy *proxy;                                         /* NULL: straight on */
    enum { STREAM_DIALLING, STREAM_TUNNELLING, STREAM_SHAKING } phase; /* of opening it */
    struct net_dial dial;
    size_t number;        /* of fd among what is waited for, after that */
    struct buffer tunnel; /* what the proxy is told, then what it says */
    size_t told;          /* bytes of it */
    struct buffer first;  /* what leaves together with the last flight of the handshake */
    struct error error;   /* why it could not be opened */
    struct tls_configuration configuration;
    struct tls tls;
};

/*
 * For the whole process: go through this HTTP proxy (proxy.h says how it is written; NULL or "":
 * none) to all endpoints but the exceptions. One that cannot be used is the error of each stream
 * that would go through it, ERROR_INPUT: never is one silently direct. NULL wipes its password.
 */
void stream_use_proxy(const char *proxy, const char *exceptions);

/*
 * Prepare to connect; nothing blocks. The configuration needs the certificate check and
 * our certificate with its key; server name and randomness are set here. What the configuration
 * refers to must live as long as the stream, the endpoint as well. Something may be put into
 * `first` afterwards, a few KiB.
 */
void stream_start(struct stream *stream, const struct endpoint *endpoint,
                  const struct tls_configuration *configuration, int64_t deadline);

/*
 * Look up the names, connect and shake hands of all that were started, at the same time, each
 * within STREAM_OPEN_MS and until its deadline. Those that could not be opened have fd -1 and an
 * error. Where a connection is closed or reset before a byte of ServerHello, it is tried once more
 * with a small ClientHello (tls_configuration's small_hello), in the time that is left.
 *
 * Errors, here and in what stream_http gives: ERROR_UNREACHABLE where the connection could not be
 * had or ended; the text is the reason alone. The others' are in words to follow
 * "LXD at <endpoint> ": ERROR_IDENTITY where check_certificate refused the server (the text is
 * tls_failure's; the check knows better), ERROR_UNTRUSTED where the server refuses our certificate
 * by an alert once it has proved who it is, which in TLS 1.3 may arrive only with the first read,
 * ERROR_NONSENSE where it speaks
 * no TLS that we can speak. The stream is closed then.
 */
void stream_open(struct stream *const streams[], size_t count);

/* How HTTP reads and writes an open stream. */
struct http_stream stream_http(struct stream *stream);

/* Would a read return at once? Takes what the socket has without waiting, which may be no data of
 * the application's: session tickets, half a record. */
bool stream_has_input(struct stream *stream);

/* Say close_notify if it goes out at once, close, wipe. Does nothing where fd is -1. */
void stream_close(struct stream *stream);

#endif
