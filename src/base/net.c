/* SPDX-License-Identifier: Apache-2.0 */
#include "base/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

int64_t net_clock_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int milliseconds_until(int64_t deadline)
{
    int64_t left = deadline - net_clock_ms();

    if (left < 0)
        return 0;
    return left < INT_MAX ? (int)left : INT_MAX;
}

/* 0 where fd is ready, else an errno: ETIMEDOUT at the deadline. */
static int wait_ready(int fd, short events, int64_t deadline)
{
    struct pollfd entry = {.fd = fd, .events = events};
    int ready;

    do {
        ready = poll(&entry, 1, milliseconds_until(deadline));
    } while (ready < 0 && errno == EINTR);
    if (ready < 0)
        return errno;
    return ready > 0 ? 0 : ETIMEDOUT;
}

int net_wait(int fd, short events, int64_t deadline, struct error *error)
{
    int code = wait_ready(fd, events, deadline);

    if (code == 0)
        return 0;
    return error_set(error, ERROR_UNAVAILABLE, "%s",
                     code == ETIMEDOUT ? "timed out" : strerror(code));
}

static struct addrinfo *resolve(const char *host, uint16_t port, struct error *error)
{
    static const struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    char service[sizeof "65535"];

    snprintf(service, sizeof service, "%u", (unsigned)port);
    int code = getaddrinfo(host, service, &hints, &list);
    if (code == 0)
        return list;
    if (code == EAI_NONAME || code == EAI_NODATA)
        error_set(error, ERROR_UNAVAILABLE, "name does not resolve");
    else
        error_set(error, ERROR_UNAVAILABLE, "name does not resolve (%s)", gai_strerror(code));
    return NULL;
}

int net_resolve(const char *host, struct strings *addresses, struct error *error)
{
    struct addrinfo *list = resolve(host, 0, error);

    if (list == NULL)
        return -1;
    for (const struct addrinfo *each = list; each != NULL; each = each->ai_next) {
        bool six = each->ai_family == AF_INET6;
        char text[INET6_ADDRSTRLEN];

        inet_ntop(each->ai_family,
                  six ? (const void *)&((struct sockaddr_in6 *)each->ai_addr)->sin6_addr
                      : (const void *)&((struct sockaddr_in *)each->ai_addr)->sin_addr,
                  text, sizeof text);
        strings_add(addresses, text);
    }
    freeaddrinfo(list);
    return 0;
}

/* 0 where the connection stands, else an errno. */
static int finish_connect(int fd, int64_t deadline)
{
    int code = wait_ready(fd, POLLOUT, deadline);
    socklen_t size = sizeof code;

    if (code == 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size) != 0)
        code = errno;
    return code;
}

/* A connected socket, or -1 with errno. */
static int connect_address(const struct addrinfo *address, int64_t deadline)
{
    int type = address->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC;
    int fd = socket(address->ai_family, type, address->ai_protocol);
    int code = 0;

    if (fd < 0)
        return -1;
    if (connect(fd, address->ai_addr, address->ai_addrlen) != 0)
        code = errno == EINPROGRESS || errno == EINTR ? finish_connect(fd, deadline) : errno;
    if (code == 0 && setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)) != 0)
        code = errno;
    if (code == 0)
        return fd;
    close(fd);
    errno = code;
    return -1;
}

static const char *connect_failure(int code)
{
    switch (code) {
    case ECONNREFUSED:
        return "connection refused";
    case EHOSTUNREACH:
        return "no route to host";
    case ENETUNREACH:
        return "network unreachable";
    case ETIMEDOUT:
        return "timed out while connecting";
    default:
        return strerror(code);
    }
}

static int64_t count_addresses(const struct addrinfo *list)
{
    int64_t count = 0;

    for (; list != NULL; list = list->ai_next)
        count++;
    return count;
}

int net_connect(const char *host, uint16_t port, int64_t deadline, struct error *error)
{
    struct addrinfo *list = resolve(host, port, error);
    int fd = -1;

    if (list == NULL)
        return -1;
    int64_t left = count_addresses(list);
    for (const struct addrinfo *each = list; each != NULL && fd < 0; each = each->ai_next) {
        int64_t now = net_clock_ms();

        /* An even share of the time for each, so that a silent one does not eat it all. */
        fd = connect_address(each, now + (deadline - now) / left--);
    }
    if (fd < 0)
        error_set(error, ERROR_UNAVAILABLE, "%s", connect_failure(errno));
    freeaddrinfo(list);
    return fd;
}
