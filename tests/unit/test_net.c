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
#include <stdio.h>
#include <stdlib.h>
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

static char file[] = "/tmp/test_net.XXXXXX";

/* The configuration for the rest of the test: nobody is asked. */
static void configure(const char *resolv_conf, const char *hosts)
{
    struct strings warnings = {0};
    const char *texts[] = {resolv_conf, hosts};
    char *paths[2];

    for (int i = 0; i < 2; i++) {
        paths[i] = mem_printf("%s.%d", file, i);
        int fd = open(paths[i], O_WRONLY | O_CREAT | O_TRUNC, 0600);

        assert_int_equal(write(fd, texts[i], strlen(texts[i])), strlen(texts[i]));
        close(fd);
    }
    net_read_configuration(paths[0], paths[1], &warnings);
    assert_int_equal(warnings.count, 0);
    for (int i = 0; i < 2; i++) {
        unlink(paths[i]);
        free(paths[i]);
    }
}

/* Nothing listens on port 53 of this address of loopback's. */
static void names_that_do_not_resolve(void **state)
{
    struct strings log = {0};

    (void)state;
    configure("nameserver 127.255.255.254\n", "");
    check_fails("no-such-host.invalid", 8443, soon(),
                "nameserver 127.255.255.254 does not answer (connection refused)");
    net_take_log(&log);
    assert_int_equal(log.count, 4); /* of both families, twice */
    assert_string_equal(log.items[0],
                        "nameserver 127.255.255.254, asked for no-such-host.invalid A: "
                        "connection refused");
    strings_free(&log);
    net_take_log(&log);
    assert_int_equal(log.count, 0);
}

/* The first address refuses; the connection is the second's. */
static void goes_on_to_the_next_address(void **state)
{
    struct error error;
    uint16_t port;
    int listener = listen_on_loopback(5, &port);

    (void)state;
    configure("nameserver 127.255.255.254\n", "127.0.0.9 lxd\n127.0.0.1 lxd\n");
    int64_t start = net_clock_ms();
    int fd = net_connect("LXD", port, soon(), &error);
    assert_true(fd >= 0);
    assert_in_range(net_clock_ms() - start, 0, 200); /* not NEXT_ADDRESS_MS later */
    close(fd);
    close(listener);
    check_fails("lxd", port, soon(), "connection refused");
}

static void resolves(void **state)
{
    struct strings addresses = {0};
    struct error error;

    (void)state;
    configure("", "10.0.0.1 lxd\nfd00::1 lxd\n");
    assert_int_equal(net_resolve("lxd", &addresses, &error), 0);
    assert_int_equal(addresses.count, 2);
    assert_string_equal(addresses.items[0], "10.0.0.1");
    assert_string_equal(addresses.items[1], "fd00::1");
    strings_free(&addresses);
    assert_int_equal(net_resolve("fd00::2", &addresses, &error), 0);
    assert_string_equal(addresses.items[0], "fd00::2");
    strings_free(&addresses);
}

/* What fits counts, up to the last whole line. */
static void large_files(void **state)
{
    struct strings warnings = {0}, addresses = {0};
    struct error error;
    char *path = mem_printf("%s.large", file);
    FILE *large = fopen(path, "w");

    (void)state;
    fputs("10.0.0.1 lxd\n", large);
    for (int i = 0; i < NET_MAX_HOSTS / 8; i++)
        fputs("# 45678\n", large);
    fputs("10.0.0.2 lxd\n", large);
    fclose(large);
    net_read_configuration("/nonexistent", path, &warnings);
    assert_int_equal(warnings.count, 1);
    char *expected =
        mem_printf("%s is larger than 1024 KiB: what is behind that is not read", path);
    assert_string_equal(warnings.items[0], expected);
    assert_int_equal(net_resolve("lxd", &addresses, &error), 0);
    assert_int_equal(addresses.count, 1);
    strings_free(&warnings);
    strings_free(&addresses);

    net_read_configuration(path, "/proc", &warnings);
    assert_int_equal(warnings.count, 2);
    assert_non_null(strstr(warnings.items[0], "is larger than 64 KiB"));
    assert_string_equal(warnings.items[1], "cannot read /proc: Invalid argument");
    strings_free(&warnings);
    unlink(path);
    free(path);
    free(expected);
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
        cmocka_unit_test(goes_on_to_the_next_address),
        cmocka_unit_test(resolves),
        cmocka_unit_test(large_files),
        cmocka_unit_test(timed_out_while_connecting),
        cmocka_unit_test(waits),
    };

    close(mkstemp(file));
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(file);
    return failed;
}
