/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/net.h"

/* A listening socket on loopback and its port. */
static int listen_on_loopback(int backlog, uint16_t *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(fd, backlog), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static int64_t soon(void)
{
    return net_clock_ms() + 5000;
}

static void check_fails(const char *host, uint16_t port, int64_t deadline, const char *message)
{
    struct error error = {0};

    assert_int_equal(net_connect(host, port, deadline, &error), -1);
    assert_int_equal(error.kind, ERROR_UNREACHABLE);
    assert_string_equal(error.text, message);
}

static void connects(void **state)
{
    static const char *const hosts[] = {"127.0.0.1", "localhost"};
    struct error error;
    uint16_t port;
    int listener = listen_on_loopback(5, &port);

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        int nodelay = 0;
        socklen_t size = sizeof nodelay;
        int fd = net_connect(hosts[i], port, soon(), &error);

        assert_true(fd >= 0);
        assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
        assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
        assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &nodelay, &size), 0);
        assert_true(nodelay);
        close(fd);
    }
    close(listener);
}

static void connection_refused(void **state)
{
    uint16_t port;

    (void)state;
    close(listen_on_loopback(1, &port));
    check_fails("127.0.0.1", port, soon(), "connection refused");
}

static void names_that_do_not_resolve(void **state)
{
    struct error error = {0};

    (void)state;
    assert_int_equal(net_connect("no-such-host.invalid", 8443, soon(), &error), -1);
    assert_int_equal(error.kind, ERROR_UNREACHABLE);
    assert_memory_equal(error.text, "name does not resolve", 21); /* and why, without a network */
}

/* Linux drops what comes in when the backlog is full: a host that does not answer. */
static void timed_out_while_connecting(void **state)
{
    struct error error;
    uint16_t port;
    int listener = listen_on_loopback(0, &port), fds[4], count = 0;

    (void)state;
    while (count < 4 &&
           (fds[count] = net_connect("127.0.0.1", port, net_clock_ms() + 200, &error)) >= 0)
        count++;
    assert_in_range(count, 1, 3);
    int64_t start = net_clock_ms();
    check_fails("127.0.0.1", port, start + 100, "timed out while connecting");
    assert_in_range(net_clock_ms() - start, 90, 2000);
    check_fails("127.0.0.1", port, start - 1000, "timed out while connecting");
    while (count > 0)
        close(fds[--count]);
    close(listener);
}

static void waits(void **state)
{
    struct error error = {0};
    int pair[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    int64_t start = net_clock_ms();
    assert_int_equal(net_wait(pair[0], POLLIN, start + 50, &error), -1);
    assert_in_range(net_clock_ms() - start, 45, 2000);
    assert_int_equal(error.kind, ERROR_UNREACHABLE);
    assert_string_equal(error.text, "timed out");
    assert_int_equal(net_wait(pair[0], POLLOUT, soon(), &error), 0);
    assert_int_equal(write(pair[1], "x", 1), 1);
    assert_int_equal(net_wait(pair[0], POLLIN, soon(), &error), 0);
    assert_int_equal(net_wait(pair[0], POLLIN, start, &error), 0); /* ready, though late */
    close(pair[1]);
    assert_int_equal(net_wait(pair[0], POLLIN, soon(), &error), 0);
    close(pair[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connects),
        cmocka_unit_test(connection_refused),
        cmocka_unit_test(names_that_do_not_resolve),
        cmocka_unit_test(timed_out_while_connecting),
        cmocka_unit_test(waits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
