/* SPDX-License-Identifier: Apache-2.0 */
#include "lxd/stream.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/net.h"
#include "base/random.h"

static void fill_random(void *context, void *out, size_t length)
{
    (void)context;
    random_bytes(out, length);
}

static const char *phase(const struct stream *stream)
{
    return tls_state(&stream->tls) == TLS_HANDSHAKE ? "the TLS handshake" : "a request";
}

/* Alerts by which a server finds fault with a client's certificate (RFC 9846 6.2). */
static bool is_about_certificate(int alert)
{
    switch (alert) {
    case TLS_ALERT_BAD_CERTIFICATE:
    case TLS_ALERT_UNSUPPORTED_CERTIFICATE:
    case TLS_ALERT_CERTIFICATE_REVOKED:
    case TLS_ALERT_CERTIFICATE_EXPIRED:
    case TLS_ALERT_CERTIFICATE_UNKNOWN:
    case TLS_ALERT_UNKNOWN_CA:
    case TLS_ALERT_ACCESS_DENIED:
    case TLS_ALERT_CERTIFICATE_REQUIRED:
        return true;
    default:
        return false;
    }
}

/* The error of an engine in state TLS_FAILED. */
static int tls_error(const struct stream *stream, struct error *error)
{
    const struct tls *tls = &stream->tls;

    if (tls_origin(tls) == TLS_ORIGIN_PEER && is_about_certificate(tls_alert(tls)))
        return error_set(error, ERROR_UNTRUSTED, "refuses our certificate (TLS alert %s)",
                         tls_alert_name(tls_alert(tls)));
    return error_set(error,
                     tls_origin(tls) == TLS_ORIGIN_CERTIFICATE ? ERROR_IDENTITY : ERROR_UNAVAILABLE,
                     "%s", tls_failure(tls));
}

static int wait_for(const struct stream *stream, short events, int64_t deadline,
                    struct error *error)
{
    if (net_wait(stream->fd, events, deadline, error) != 0)
        return error_set(error, ERROR_UNAVAILABLE, "timed out during %s", phase(stream));
    return 0;
}

/* Hand the engine what one recv brings, without waiting. Returns recv's result. */
static ssize_t receive_now(struct stream *stream)
{
    size_t room;
    uint8_t *input = tls_input(&stream->tls, &room);
    ssize_t count = recv(stream->fd, input, room, 0);

    if (count > 0)
        tls_input_done(&stream->tls, (size_t)count);
    else if (count == 0)
        tls_input_end(&stream->tls);
    return count;
}

/* The socket failed with code. Where the peer said why before, in an alert that still lies in the
 * socket's buffer, that is the better error. */
static int broken(struct stream *stream, int code, struct error *error)
{
    const char *during = phase(stream);
    size_t room;

    while (tls_input(&stream->tls, &room), room != 0) {
        if (receive_now(stream) <= 0)
            break;
    }
    if (tls_state(&stream->tls) == TLS_FAILED && tls_origin(&stream->tls) == TLS_ORIGIN_PEER)
        return tls_error(stream, error);
    return error_set(error, ERROR_UNAVAILABLE, "broke the connection during %s: %s", during,
                     strerror(code));
}

static bool is_temporary(int code)
{
    return code == EAGAIN || code == EINTR;
}

/* Receive something, or the end. */
static int receive(struct stream *stream, int64_t deadline, struct error *error)
{
    while (receive_now(stream) < 0) {
        if (!is_temporary(errno))
            return broken(stream, errno, error);
        if (wait_for(stream, POLLIN, deadline, error) != 0)
            return -1;
    }
    return 0;
}

static int send_output(struct stream *stream, int64_t deadline, struct error *error)
{
    size_t length;
    const uint8_t *output;

    while (output = tls_output(&stream->tls, &length), length != 0) {
        ssize_t count = send(stream->fd, output, length, MSG_NOSIGNAL);
        if (count >= 0)
            tls_output_done(&stream->tls, (size_t)count);
        else if (!is_temporary(errno))
            return broken(stream, errno, error);
        else if (wait_for(stream, POLLOUT, deadline, error) != 0)
            return -1;
    }
    return 0;
}

/* The last flight stays in the output, to leave together with the first request. */
static int shake_hands(struct stream *stream, int64_t deadline, struct error *error)
{
    while (tls_state(&stream->tls) == TLS_HANDSHAKE) {
        if (send_output(stream, deadline, error) != 0 || receive(stream, deadline, error) != 0)
            return -1;
    }
    return tls_state(&stream->tls) == TLS_OPEN ? 0 : tls_error(stream, error);
}

int stream_open(struct stream *stream, const struct endpoint *endpoint,
                const struct tls_configuration *configuration, int64_t deadline,
                struct error *error)
{
    int64_t latest = net_clock_ms() + STREAM_OPEN_MS;

    if (deadline > latest)
        deadline = latest;
    stream->fd = net_connect(endpoint->host, endpoint->port, deadline, error);
    if (stream->fd < 0) {
        struct error cause = *error;
        return error_set(error, cause.kind, "unreachable: %s", cause.text);
    }
    struct tls_configuration complete = *configuration;
    complete.server_name = endpoint_is_address(endpoint) ? NULL : endpoint->host;
    complete.random = fill_random;
    tls_start(&stream->tls, &complete);
    if (shake_hands(stream, deadline, error) != 0) {
        stream_close(stream);
        return -1;
    }
    return 0;
}

static long read_some(void *context, void *data, size_t size, int64_t deadline, struct error *error)
{
    struct stream *stream = context;

    for (;;) {
        size_t count = tls_read(&stream->tls, data, size);
        if (count != 0)
            return (long)count;
        if (tls_state(&stream->tls) == TLS_CLOSED)
            return 0;
        if (tls_state(&stream->tls) != TLS_OPEN)
            return tls_error(stream, error);
        if (send_output(stream, deadline, error) != 0 || receive(stream, deadline, error) != 0)
            return -1;
    }
}

static int write_all(void *context, const void *data, size_t length, int64_t deadline,
                     struct error *error)
{
    struct stream *stream = context;
    const uint8_t *next = data;

    while (length != 0) {
        if (tls_state(&stream->tls) == TLS_CLOSED)
            return error_set(error, ERROR_UNAVAILABLE, "closed the connection");
        if (tls_state(&stream->tls) != TLS_OPEN)
            return tls_error(stream, error);
        size_t taken = tls_write(&stream->tls, next, length);
        next += taken;
        length -= taken;
        if (send_output(stream, deadline, error) != 0)
            return -1;
    }
    return 0;
}

struct http_stream stream_http(struct stream *stream)
{
    return (struct http_stream){.context = stream, .read = read_some, .write = write_all};
}

void stream_close(struct stream *stream)
{
    struct error ignored;

    if (stream->fd < 0)
        return;
    tls_close(&stream->tls);
    send_output(stream, net_clock_ms(), &ignored); /* close_notify, or the alert of a failure */
    tls_wipe(&stream->tls);
    close(stream->fd);
    stream->fd = -1;
}
