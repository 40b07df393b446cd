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

int64_t net_share(int64_t deadline, size_t count)
{
    int64_t now = net_clock_ms();

    return now + (deadline - now) / (int64_t)count;
}

static int milliseconds_until(int64_t deadline)
{
    int64_t left = deadline - net_clock_ms();

    if (left < 0)
        return 0;
    return left < INT_MAX ? (int)left : INT_MAX;
}

int net_poll(struct pollfd *entries, size_t count, int64_t deadline)
{
    int ready;

    do {
        ready = poll(entries, count, milliseconds_until(deadline));
    } while (ready < 0 && errno == EINTR);
    return ready;
}

int net_wait(int fd, short events, int64_t deadline, struct error *error)
{
    struct pollfd entry = {.fd = fd, .events = events};
    int ready = net_poll(&entry, 1, deadline);

    if (ready > 0)
        return 0;
    return error_set(error, ERROR_UNREACHABLE, "%s", ready == 0 ? "timed out" : strerror(errno));
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
        error_set(error, ERROR_UNREACHABLE, "name does not resolve");
    else
        error_set(error, ERROR_UNREACHABLE, "name does not resolve (%s)", gai_strerror(code));
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

bool net_peer(int fd, char address[NET_ADDRESS_SIZE])
{
    struct sockaddr_storage peer;
    socklen_t size = sizeof peer;

    if (getpeername(fd, (struct sockaddr *)&peer, &size) != 0)
        return false;
    if (peer.ss_family == AF_INET6)
        return inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)&peer)->sin6_addr, address,
                         NET_ADDRESS_SIZE) != NULL;
    return inet_ntop(AF_INET, &((const struct sockaddr_in *)&peer)->sin_addr, address,
                     NET_ADDRESS_SIZE) != NULL;
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

static size_t count_addresses(const struct addrinfo *list)
{
    size_t count = 0;

    for (; list != NULL; list = list->ai_next)
        count++;
    return count;
}

/* A socket on its way to the address, or -1 with errno. */
static int begin_connect(const struct addrinfo *address)
{
    int type = address->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC;
    int fd = socket(address->ai_family, type, address->ai_protocol);

    if (fd >= 0 && setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)) == 0 &&
        (connect(fd, address->ai_addr, address->ai_addrlen) == 0 || errno == EINPROGRESS ||
         errno == EINTR))
        return fd;
    if (fd >= 0) {
        int code = errno;

        close(fd);
        errno = code;
    }
    return -1;
}

/* 0 where the connection stands, else an errno. */
static int connect_result(int fd)
{
    int code = 0;
    socklen_t size = sizeof code;

    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size) != 0 ? errno : code;
}

int net_dial_start(struct net_dial *dial, const char *host, uint16_t port, struct error *error)
{
    dial->fd = -1;
    dial->list = dial->next = resolve(host, port, error);
    return dial->list != NULL ? 0 : -1;
}

static int end_dial(struct net_dial *dial, int result)
{
    freeaddrinfo(dial->list);
    dial->list = NULL;
    return result;
}

int net_dial_step(struct net_dial *dial, bool ready, struct error *error)
{
    int code = ETIMEDOUT;

    if (dial->fd >= 0) {
        if (ready && (code = connect_result(dial->fd)) == 0)
            return end_dial(dial, 1);
        close(dial->fd);
        dial->fd = -1;
    }
    for (const struct addrinfo *each; (each = dial->next) != NULL;) {
        /* So that a silent one does not eat all the time. */
        dial->until = net_share(dial->deadline, count_addresses(each));
        dial->next = each->ai_next;
        dial->fd = begin_connect(each);
        if (dial->fd >= 0)
            return 0;
        code = errno;
    }
    return end_dial(dial, error_set(error, ERROR_UNREACHABLE, "%s", connect_failure(code)));
}

int net_connect(const char *host, uint16_t port, int64_t deadline, struct error *error)
{
    struct net_dial dial = {.deadline = deadline};
    struct error ignored;
    bool ready = false;
    int result;

    if (net_dial_start(&dial, host, port, error) != 0)
        return -1;
    while ((result = net_dial_step(&dial, ready, error)) == 0)
        ready = net_wait(dial.fd, POLLOUT, dial.until, &ignored) == 0;
    return result > 0 ? dial.fd : -1;
}
