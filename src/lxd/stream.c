/* SPDX-License-Identifier: Apache-2.0 */
#include "lxd/stream.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

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

/* The error of an engine in state TLS_FAILED or TLS_CLOSED. What is said of our certificate counts
 * only where the server said it: before its Finished anybody in between may have. */
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

static int timed_out(const struct stream *stream, struct error *error)
{
    bool silent = stream->fd >= 0 && !tls_heard(&stream->tls) && !stream->configuration.small_hello;

    return error_set(error, ERROR_UNAVAILABLE, "unreachable: timed out during %s%s", phase(stream),
                     silent ? " without a byte from it (a firewall may drop the ClientHello: "
                              "1,400 bytes)"
                            : "");
}

static int wait_for(const struct stream *stream, short events, int64_t deadline,
                    struct error *error)
{
    return net_wait(stream->fd, events, deadline, error) == 0 ? 0 : timed_out(stream, error);
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
    if (tls_origin(&stream->tls) == TLS_ORIGIN_PEER ||
        tls_origin(&stream->tls) == TLS_ORIGIN_ANYBODY)
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

/* Send what goes out without waiting. */
static int send_now(struct stream *stream, struct error *error)
{
    size_t length;
    const uint8_t *output;

    while (output = tls_output(&stream->tls, &length), length != 0) {
        ssize_t count = send(stream->fd, output, length, MSG_NOSIGNAL);
        if (count >= 0)
            tls_output_done(&stream->tls, (size_t)count);
        else if (is_temporary(errno))
            break;
        else
            return broken(stream, errno, error);
    }
    return 0;
}

static bool has_output(const struct stream *stream)
{
    size_t length;

    tls_output(&stream->tls, &length);
    return length != 0;
}

static int send_output(struct stream *stream, int64_t deadline, struct error *error)
{
    for (;;) {
        if (send_now(stream, error) != 0)
            return -1;
        if (!has_output(stream))
            return 0;
        if (wait_for(stream, POLLOUT, deadline, error) != 0)
            return -1;
    }
}

/* ---- opening ---- */

static bool is_connecting(const struct stream *stream)
{
    return stream->dial.list != NULL;
}

static int64_t time_limit(const struct stream *stream)
{
    return is_connecting(stream) ? stream->dial.until : stream->deadline;
}

static int connect_step(struct stream *stream, bool ready)
{
    int result = net_dial_step(&stream->dial, ready, &stream->error);

    if (result < 0)
        error_prefix(&stream->error, "unreachable");
    stream->fd = stream->dial.fd;
    return result;
}

/* The last flight and what is to leave first go out together. */
static int shake_step(struct stream *stream)
{
    if (tls_state(&stream->tls) == TLS_OPEN) {
        tls_write(&stream->tls, stream->first.data, stream->first.length);
        buffer_free(&stream->first);
        stream->opening = false;
        stream->opened = net_clock_ms();
    } else if (tls_state(&stream->tls) != TLS_HANDSHAKE) {
        return tls_error(stream, &stream->error);
    }
    return send_now(stream, &stream->error);
}

/* Go on as far as that goes without waiting: what was waited for is there, or its time is over. */
static int step(struct stream *stream, bool ready)
{
    if (is_connecting(stream)) {
        int result = connect_step(stream, ready);
        return result > 0 ? shake_step(stream) : result;
    }
    if (!ready)
        return timed_out(stream, &stream->error);
    if (receive_now(stream) < 0 && !is_temporary(errno))
        return broken(stream, errno, &stream->error);
    return shake_step(stream);
}

/* Was the connection closed or reset before a byte of ServerHello? A middlebox may not bear a
 * ClientHello with a share of ML-KEM. */
static bool is_hello_killed(const struct stream *stream, bool ready)
{
    return ready && stream->fd >= 0 && !is_connecting(stream) && !tls_heard(&stream->tls) &&
           !stream->configuration.small_hello;
}

static void begin(struct stream *stream);

static void go_on(struct stream *stream, bool ready)
{
    if (step(stream, ready) == 0)
        return;
    if (is_hello_killed(stream, ready)) {
        tls_wipe(&stream->tls);
        close(stream->fd);
        stream->fd = -1;
        stream->configuration.small_hello = true;
        if (net_dial_start(&stream->dial, stream->endpoint->host, stream->endpoint->port,
                           &stream->error) == 0) {
            begin(stream);
            return;
        }
        error_prefix(&stream->error, "unreachable");
    }
    stream->opening = false;
    buffer_free(&stream->first);
    if (stream->fd < 0)
        tls_wipe(&stream->tls);
    stream_close(stream);
}

/* Wait for one of those that are being opened; false where there is none. */
static bool wait_for_any(struct stream *const streams[], struct pollfd *entries, size_t count)
{
    int64_t earliest = INT64_MAX;
    bool any = false;

    for (size_t i = 0; i < count; i++) {
        const struct stream *stream = streams[i];
        bool out = is_connecting(stream) || has_output(stream);

        entries[i] = (struct pollfd){.fd = -1, .events = out ? POLLOUT : POLLIN};
        if (!stream->opening)
            continue;
        any = true;
        entries[i].fd = stream->fd;
        if (time_limit(stream) < earliest)
            earliest = time_limit(stream);
    }
    if (any)
        net_poll(entries, count, earliest);
    return any;
}

void stream_start(struct stream *stream, const struct endpoint *endpoint,
                  const struct tls_configuration *configuration, int64_t deadline)
{
    stream->fd = -1;
    stream->endpoint = endpoint;
    stream->deadline = deadline;
    stream->configuration = *configuration;
    stream->configuration.server_name = endpoint_is_address(endpoint) ? NULL : endpoint->host;
    stream->configuration.random = fill_random;
    stream->opening =
        net_dial_start(&stream->dial, endpoint->host, endpoint->port, &stream->error) == 0;
    if (!stream->opening)
        error_prefix(&stream->error, "unreachable");
}

/* The ClientHello is made while the connection is under way. */
static void begin(struct stream *stream)
{
    int64_t latest = net_clock_ms() + STREAM_OPEN_MS;

    if (stream->deadline > latest)
        stream->deadline = latest;
    stream->dial.deadline = stream->deadline;
    go_on(stream, false);
    if (stream->opening)
        tls_start(&stream->tls, &stream->configuration);
}

void stream_open(struct stream *const streams[], size_t count)
{
    struct pollfd *entries = mem_alloc(count * sizeof *entries);

    for (size_t i = 0; i < count; i++) {
        if (streams[i]->opening)
            begin(streams[i]);
    }
    while (wait_for_any(streams, entries, count)) {
        for (size_t i = 0; i < count; i++) {
            bool ready = entries[i].revents != 0;

            if (streams[i]->opening && (ready || net_clock_ms() >= time_limit(streams[i])))
                go_on(streams[i], ready);
        }
    }
    free(entries);
}

/* ---- reading and writing ---- */

static long read_some(void *context, void *data, size_t size, int64_t deadline, struct error *error)
{
    struct stream *stream = context;

    /* The deadline holds also while something keeps coming. */
    while (net_clock_ms() < deadline) {
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
    return timed_out(stream, error);
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
    send_now(stream, &ignored); /* close_notify, or the alert of a failure */
    tls_wipe(&stream->tls);
    close(stream->fd);
    stream->fd = -1;
}
