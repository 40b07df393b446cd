/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <netinet/in.h>
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
        [REFUSES] = "unreachable: connection refused",
        [DROPS] = "unreachable: timed out while connecting",
        [SILENT] = "unreachable: timed out during the TLS handshake",
        [NAMELESS] = "unreachable: nameserver 127.255.255.254 does not answer (connection refused)",
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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_all_fail_at_the_same_time)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
