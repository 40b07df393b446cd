/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "lxd/stream.h"
#include "tls_server.h"

/* A listening socket on loopback and its endpoint. */
static int listen_on_loopback(int backlog, struct endpoint *endpoint)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct error error;

    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(fd, backlog), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    char *text = mem_printf("127.0.0.1:%u", (unsigned)ntohs(address.sin_port));
    assert_int_equal(endpoint_parse(endpoint, text, &error), 0);
    free(text);
    return fd;
}

/* As many connections as it takes before Linux drops what comes. */
static void fill(const struct endpoint *endpoint, int fds[4])
{
    struct error ignored;

    for (int i = 0; i < 4; i++)
        fds[i] = net_connect(endpoint->host, endpoint->port, net_clock_ms() + 100, &ignored);
    assert_int_equal(fds[3], -1);
}

/* Nothing listens on port 53 of this address of loopback's. */
static void know_no_names(void)
{
    char path[] = "/tmp/test_stream.XXXXXX";
    static const char text[] = "nameserver 127.255.255.254";
    struct strings warnings = {0};
    int fd = mkstemp(path);

    assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
    close(fd);
    net_read_configuration(path, "/nonexistent", &warnings);
    assert_int_equal(warnings.count, 0);
    unlink(path);
}

enum { REFUSES, DROPS, SILENT, NAMELESS, COUNT };

/* None of them takes the others' time, or they would not come as far as they do until then. */
static void test_all_fail_at_the_same_time(void **state)
{
    static const char *const errors[] = {
        [REFUSES] = "connection refused",
        [DROPS] = "timed out while connecting",
        [SILENT] = "timed out during the TLS handshake (is the ClientHello dropped?)",
        [NAMELESS] = "nameserver 127.255.255.254 does not answer (connection refused)",
    };
    static const struct tls_configuration configuration;
    static struct stream streams[COUNT];
    struct endpoint endpoints[COUNT] = {[NAMELESS] = {.host = "no-such-host.invalid", .port = 1}};
    struct stream *all[COUNT];
    int listeners[NAMELESS], fds[4];

    (void)state;
    know_no_names();
    for (int i = 0; i < NAMELESS; i++)
        listeners[i] = listen_on_loopback(i == DROPS ? 0 : 5, &endpoints[i]);
    close(listeners[REFUSES]);
    fill(&endpoints[DROPS], fds);
    for (int i = COUNT - 1; i >= 0; i--) {
        all[i] = &streams[i];
        stream_start(all[i], &endpoints[i], &configuration, net_clock_ms() + 500);
        buffer_append_string(&all[i]->first, "GET");
    }
    stream_open(all, COUNT);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(streams[i].fd, -1);
        assert_false(streams[i].opening);
        assert_int_equal(streams[i].error.kind, ERROR_UNREACHABLE);
        assert_memory_equal(streams[i].error.text, errors[i], strlen(errors[i]));
        buffer_free(&streams[i].first);
    }
    for (int i = 0; i < 4; i++)
        close(fds[i]);
    close(listeners[DROPS]);
    close(listeners[SILENT]);
}

/* ---- A ClientHello that does not come through ---- */

struct middlebox {
    int listener;
    size_t hellos[4]; /* lengths of the first record on each connection */
    int count;
    bool resets;
    bool answers_small; /* with an alert: something came through */
};

/* Takes a ClientHello and closes, or resets, without a byte. */
static void *run_middlebox(void *context)
{
    struct middlebox *middlebox = context;
    uint8_t data[4096];

    while (middlebox->count < 4) {
        int fd = accept(middlebox->listener, NULL, NULL);
        size_t length = 0;

        if (fd < 0)
            break;
        while (length < 5 || length < 5 + ((size_t)data[3] << 8 | data[4])) {
            ssize_t count = recv(fd, data + length, sizeof data - length, 0);
            if (count <= 0)
                break;
            length += (size_t)count;
        }
        middlebox->hellos[middlebox->count++] = length;
        if (middlebox->answers_small && length < 1000)
            send(fd, "\x15\3\3\0\2\2\x28", 7, MSG_NOSIGNAL);
        if (middlebox->resets) {
            const struct linger now = {.l_onoff = 1};
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        }
        close(fd);
    }
    return NULL;
}

static void open_through(struct middlebox *middlebox, struct stream *stream)
{
    struct tls_configuration configuration = server_client_configuration();
    struct stream *all[] = {stream};
    struct endpoint endpoint;
    pthread_t thread;

    middlebox->listener = listen_on_loopback(5, &endpoint);
    assert_int_equal(pthread_create(&thread, NULL, run_middlebox, middlebox), 0);
    *stream = (struct stream){0};
    stream_start(stream, &endpoint, &configuration, net_clock_ms() + 5000);
    stream_open(all, 1);
    assert_int_equal(stream->fd, -1);
    shutdown(middlebox->listener, SHUT_RDWR);
    pthread_join(thread, NULL);
    close(middlebox->listener);
    assert_int_equal(stream->error.kind, ERROR_UNREACHABLE);
}

/* Once, with a small hello, and never a third time. */
static void test_large_hello_is_killed(void **state)
{
    static struct stream stream;

    (void)state;
    for (int i = 0; i < 4; i++) {
        struct middlebox middlebox = {.resets = i % 2 != 0, .answers_small = i >= 2};

        open_through(&middlebox, &stream);
        assert_int_equal(middlebox.count, 2);
        assert_true(middlebox.hellos[0] > 1300 && middlebox.hellos[1] < 600);
        if (i == 2) /* the alert counts, and it is not about our certificate */
            assert_non_null(strstr(stream.error.text, "handshake_failure"));
    }
}

/* ---- Reading ---- */

/* What keeps coming does not move the deadline. */
static void test_deadline_holds_while_data_comes(void **state)
{
    static struct stream stream;
    static struct server server;
    struct tls_configuration configuration = server_client_configuration();
    struct error error = {0};
    char byte;
    int fds[2];

    (void)state;
    stream = (struct stream){0};
    server_init(&server, &stream.tls);
    tls_start(&stream.tls, &configuration);
    server_handshake(&server);
    assert_int_equal(tls_state(&stream.tls), TLS_OPEN);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    stream.fd = fds[0];

    struct http_stream http = stream_http(&stream);
    server_send(&server, TLS_APPLICATION_DATA, "abc", 3);
    assert_int_equal(http.read(&stream, &byte, 1, net_clock_ms() + 1000, &error), 1);
    assert_int_equal(http.read(&stream, &byte, 1, net_clock_ms(), &error), -1);
    assert_int_equal(error.kind, ERROR_UNREACHABLE);
    assert_non_null(strstr(error.text, "timed out during a request"));
    assert_int_equal(http.read(&stream, &byte, 1, net_clock_ms() + 1000, &error), 1);
    assert_int_equal(byte, 'b');
    close(fds[1]);
    stream_close(&stream);
}

/* Tickets of a legal size, in records of one byte each, padded as far as they may be: whoever looks
 * whether an answer is here does not read on for as long as they come. */
static void send_flood(int fd, struct server *server)
{
    static uint8_t inner[TLS_MAX_PLAINTEXT + 1] = {[1] = TLS_HANDSHAKE_RECORD};
    static const uint8_t start[] = {4, 0, 0xff, 0xff};

    server->record_only = true;
    for (size_t i = 0; i < 200; i++) {
        inner[0] = i < sizeof start ? start[i] : 'x';
        server->wire_length = 0;
        server_send_inner(server, TLS_APPLICATION_DATA, inner, sizeof inner);
        assert_int_equal(send(fd, server->wire, server->wire_length, 0), server->wire_length);
    }
}

static void test_flood_is_left_after_a_while(void **state)
{
    static struct stream stream;
    static struct server server;
    struct tls_configuration configuration = server_client_configuration();
    int fds[2], room = 16 << 20;
    char byte;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    if (setsockopt(fds[1], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room) != 0) {
        close(fds[0]);
        close(fds[1]);
        skip(); /* not root */
    }
    stream = (struct stream){.fd = fds[0]};
    server_init(&server, &stream.tls);
    tls_start(&stream.tls, &configuration);
    server_handshake(&server);
    send_flood(fds[1], &server);
    assert_false(stream_has_input(&stream));
    assert_int_equal(recv(fds[0], &byte, 1, MSG_PEEK), 1);
    while (!stream_has_input(&stream) && recv(fds[0], &byte, 1, MSG_PEEK) == 1)
        ;
    assert_int_equal(tls_state(&stream.tls), TLS_OPEN);
    stream_close(&stream);
    close(fds[1]);
}

/* Nothing came of the handshake but its end, and the text says so. */
static void test_closed_with_the_handshake(void **state)
{
    static struct stream stream;
    static struct server server;
    struct tls_configuration configuration = server_client_configuration();
    struct error error = {0};
    char byte;

    (void)state;
    stream = (struct stream){.fd = -1};
    server_init(&server, &stream.tls);
    tls_start(&stream.tls, &configuration);
    server_handshake(&server);
    server_send(&server, TLS_ALERT, "\1", 2);
    assert_int_equal(tls_state(&stream.tls), TLS_CLOSED);
    struct http_stream http = stream_http(&stream);
    assert_int_equal(http.write(&stream, "x", 1, net_clock_ms() + 1000, &error), -1);
    assert_string_equal(error.text, "closed the connection");
    assert_int_equal(http.read(&stream, &byte, 1, net_clock_ms() + 1000, &error), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_fail_at_the_same_time),
        cmocka_unit_test(test_large_hello_is_killed),
        cmocka_unit_test(test_deadline_holds_while_data_comes),
        cmocka_unit_test(test_flood_is_left_after_a_while),
        cmocka_unit_test(test_closed_with_the_handshake),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
