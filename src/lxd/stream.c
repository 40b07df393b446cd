/* SPDX-License-Identifier: Apache-2.0 */
#include "lxd/stream.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/random.h"

#define TAKEN 64 /* receives in a row, of 16 KiB at most */

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

/* What a failed engine means for whoever decides by it. What is said of our certificate counts only
 * where the server said it: before its Finished anybody in between may have. */
static enum error_kind failure_kind(const struct tls *tls)
{
    switch (tls_origin(tls)) {
    case TLS_ORIGIN_CERTIFICATE:
        return ERROR_IDENTITY;
    case TLS_ORIGIN_TRUNCATION:
        return ERROR_UNREACHABLE;
    case TLS_ORIGIN_ANYBODY:
        return tls_alert(tls) == TLS_ALERT_PROTOCOL_VERSION ? ERROR_NONSENSE : ERROR_UNREACHABLE;
    case TLS_ORIGIN_PEER:
        if (tls_alert(tls) == TLS_ALERT_CLOSE_NOTIFY)
            return ERROR_UNREACHABLE;
        return is_about_certificate(tls_alert(tls)) ? ERROR_UNTRUSTED : ERROR_NONSENSE;
    default:
        return ERROR_NONSENSE;
    }
}

/* The error of an engine in state TLS_FAILED or TLS_CLOSED. */
static int tls_error(const struct stream *stream, struct error *error)
{
    const struct tls *tls = &stream->tls;
    enum error_kind kind = failure_kind(tls);

    if (kind == ERROR_UNTRUSTED)
        return error_set(error, kind, "refuses our certificate (TLS alert %s)",
                         tls_alert_name(tls_alert(tls)));
    return error_set(error, kind, "%s", tls_failure(tls));
}

static int timed_out(const struct stream *stream, struct error *error)
{
    bool silent = stream->fd >= 0 && !tls_heard(&stream->tls) && !stream->configuration.small_hello;

    return error_set(error, ERROR_UNREACHABLE, "timed out during %s%s", phase(stream),
                     silent ? " (is the ClientHello dropped?)" : "");
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

/* Hand the engine what lies in the socket, without end where the peer sends as fast as this reads;
 * so TAKEN receives at most. Returns what the last recv did, and 1 where none was due. */
static ssize_t receive_waiting(struct stream *stream)
{
    ssize_t count = 1;
    size_t room;

    for (unsigned i = 0; i < TAKEN && count > 0 && (tls_input(&stream->tls, &room), room != 0); i++)
        count = receive_now(stream);
    return count;
}

/* The socket failed with code. Where the peer said why before, in an alert that still lies in the
 * socket's buffer, that is the better error. */
static int broken(struct stream *stream, int code, struct error *error)
{
    const char *during = phase(stream);

    receive_waiting(stream);
    if (tls_origin(&stream->tls) == TLS_ORIGIN_PEER ||
        tls_origin(&stream->tls) == TLS_ORIGIN_ANYBODY)
        return tls_error(stream, error);
    return error_set(error, ERROR_UNREACHABLE, "broke the connection during %s: %s", during,
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

static struct proxy_settings proxies;

void stream_use_proxy(const char *proxy, const char *exceptions)
{
    proxy_settings_read(&proxies, proxy, exceptions);
}

/* Returns 1 where TLS can begin. */
static int dial_step(struct stream *stream, const struct net_watch *watch)
{
    int result = net_dial_step(&stream->dial, watch, &stream->error);

    if (result <= 0)
        return result;
    stream->fd = stream->dial.fd;
    if (stream->proxy == NULL) {
        stream->phase = STREAM_SHAKING;
        return 1;
    }
    stream->phase = STREAM_TUNNELLING;
    proxy_request(&stream->tunnel, stream->proxy, stream->endpoint);
    return 0;
}

/* The proxy said no: what would help? */
static int refused_by_proxy(struct stream *stream, int status)
{
    const char *host = stream->endpoint->host;
    char remedy[sizeof stream->endpoint->host + 32];

    if (status == 407)
        snprintf(remedy, sizeof remedy, "set user and password in juju-https-proxy");
    else if (status >= 500)
        snprintf(remedy, sizeof remedy, "it does not reach %s", host);
    else
        snprintf(remedy, sizeof remedy, "add %s to juju-no-proxy", host);
    return error_set(&stream->error, ERROR_UNREACHABLE, "(%d): %s", status, remedy);
}

static int tunnel_failed(struct stream *stream, const char *why)
{
    return error_set(&stream->error, ERROR_UNREACHABLE, "%s", why);
}

/* Tell the proxy where to, hear what it says. Returns 1 once the tunnel is there. */
static int tunnel_step(struct stream *stream)
{
    struct buffer *tunnel = &stream->tunnel;
    ssize_t count;

    if (stream->told < tunnel->length) {
        count = send(stream->fd, tunnel->data + stream->told, tunnel->length - stream->told,
                     MSG_NOSIGNAL);
        if (count < 0)
            return is_temporary(errno) ? 0 : tunnel_failed(stream, strerror(errno));
        stream->told += (size_t)count;
        if (stream->told < tunnel->length)
            return 0;
        buffer_wipe(tunnel);
        stream->told = SIZE_MAX;
    }
    buffer_reserve(tunnel, PROXY_MAX_ANSWER);
    count = recv(stream->fd, tunnel->data + tunnel->length, PROXY_MAX_ANSWER - tunnel->length, 0);
    if (count < 0)
        return is_temporary(errno) ? 0 : tunnel_failed(stream, strerror(errno));
    if (count == 0)
        return tunnel_failed(stream, "it closed the connection");
    tunnel->length += (size_t)count;
    int status = proxy_status(tunnel);
    if (status == 0)
        return 0;
    buffer_free(tunnel);
    if (status < 0)
        return tunnel_failed(stream, "it does not answer like an HTTP proxy");
    if (status / 100 != 2)
        return refused_by_proxy(stream, status);
    stream->phase = STREAM_SHAKING;
    return 1;
}

/* The last flight and what is to leave first go out together. */
static int shake_step(struct stream *stream)
{
    if (tls_state(&stream->tls) == TLS_OPEN) {
        tls_write(&stream->tls, stream->first.data, stream->first.length);
        buffer_wipe(&stream->first);
        stream->opening = false;
        stream->opened = net_clock_ms();
    } else if (tls_state(&stream->tls) != TLS_HANDSHAKE) {
        return tls_error(stream, &stream->error);
    }
    return send_now(stream, &stream->error);
}

/* Go on as far as that goes without waiting: what was waited for is there, or its time is over. */
static int step(struct stream *stream, const struct net_watch *watch, bool ready)
{
    int result = 1;

    if (stream->phase == STREAM_DIALLING)
        result = dial_step(stream, watch);
    else if (stream->phase == STREAM_TUNNELLING)
        result = ready ? tunnel_step(stream) : tunnel_failed(stream, "it does not answer");
    else if (!ready)
        return timed_out(stream, &stream->error);
    else if (receive_now(stream) < 0 && !is_temporary(errno))
        return broken(stream, errno, &stream->error);
    return result > 0 ? shake_step(stream) : result;
}

/* Was the connection closed or reset before a byte of ServerHello? A middlebox may not bear a
 * ClientHello with a share of ML-KEM. */
static bool is_hello_killed(const struct stream *stream, bool ready)
{
    return ready && stream->fd >= 0 && stream->phase == STREAM_SHAKING &&
           !tls_heard(&stream->tls) && !stream->configuration.small_hello;
}

static void begin(struct stream *stream, const struct net_watch *watch);

static void go_on(struct stream *stream, const struct net_watch *watch, bool ready)
{
    if (step(stream, watch, ready) == 0)
        return;
    if (is_hello_killed(stream, ready)) {
        tls_wipe(&stream->tls);
        close(stream->fd);
        stream->fd = -1;
        stream->configuration.small_hello = true;
        stream->phase = STREAM_DIALLING;
        stream->told = 0;
        begin(stream, watch);
        return;
    }
    stream->opening = false;
    buffer_wipe(&stream->first);
    buffer_wipe(&stream->tunnel);
    if (stream->fd < 0)
        tls_wipe(&stream->tls);
    stream_close(stream);
}

static void watch_stream(struct stream *stream, struct net_watch *watch)
{
    bool out = stream->phase == STREAM_TUNNELLING ? stream->told < stream->tunnel.length
                                                  : has_output(stream);

    if (stream->phase == STREAM_DIALLING)
        net_dial_watch(&stream->dial, watch);
    else
        stream->number = net_watch_add(watch, stream->fd, out ? POLLOUT : POLLIN);
    net_watch_until(watch, stream->deadline);
}

/* Wait for one of those that are being opened; false where there is none. */
static bool wait_for_any(struct stream *const streams[], size_t count, struct net_watch *watch)
{
    bool any = false;

    net_watch_clear(watch);
    for (size_t i = 0; i < count; i++) {
        if (streams[i]->opening) {
            watch_stream(streams[i], watch);
            any = true;
        }
    }
    if (any)
        net_watch_wait(watch);
    return any;
}

void stream_start(struct stream *stream, const struct endpoint *endpoint,
                  const struct tls_configuration *configuration, int64_t deadline)
{
    bool through_proxy = proxies.in_use && !proxy_excepts(proxies.exceptions, endpoint);

    stream->fd = -1;
    stream->endpoint = endpoint;
    stream->deadline = deadline;
    stream->proxy = through_proxy ? &proxies.proxy : NULL;
    stream->phase = STREAM_DIALLING;
    stream->told = 0;
    stream->configuration = *configuration;
    stream->configuration.server_name = endpoint_is_address(endpoint) ? NULL : endpoint->host;
    stream->configuration.random = fill_random;
    stream->opening = !through_proxy || proxies.error.kind == 0;
    if (!stream->opening)
        stream->error = proxies.error;
}

/* The ClientHello is made while the connection is under way. */
static void begin(struct stream *stream, const struct net_watch *watch)
{
    int64_t latest = net_clock_ms() + STREAM_OPEN_MS;
    const struct proxy *proxy = stream->proxy;
    char name[ENDPOINT_DIAL_NAME_SIZE];

    if (stream->deadline > latest)
        stream->deadline = latest;
    endpoint_dial_name(stream->endpoint, name);
    net_dial_start(&stream->dial, proxy != NULL ? proxy->host : name,
                   proxy != NULL ? proxy->port : stream->endpoint->port, stream->deadline);
    go_on(stream, watch, false);
    if (stream->opening)
        tls_start(&stream->tls, &stream->configuration);
}

void stream_open(struct stream *const streams[], size_t count)
{
    struct net_watch watch = {0};

    for (size_t i = 0; i < count; i++) {
        if (streams[i]->opening)
            begin(streams[i], &watch);
    }
    while (wait_for_any(streams, count, &watch)) {
        for (size_t i = 0; i < count; i++) {
            struct stream *stream = streams[i];

            if (!stream->opening)
                continue;
            bool dialling = stream->phase == STREAM_DIALLING;
            bool late = net_clock_ms() >= stream->deadline; /* also while something keeps coming */
            bool ready = !dialling && !late && net_watch_is_ready(&watch, stream->number);
            if (dialling || ready || late)
                go_on(stream, &watch, ready);
        }
    }
    net_watch_free(&watch);
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
            return error_set(error, ERROR_UNREACHABLE, "closed the connection");
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

bool stream_has_input(struct stream *stream)
{
    size_t room;

    if (receive_waiting(stream) < 0)
        return !is_temporary(errno); /* the read says what it is */
    tls_input(&stream->tls, &room);
    return room == 0;
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
