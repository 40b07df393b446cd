/* SPDX-License-Identifier: Apache-2.0 */
#include "base/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NAME_PORT 53
#define MAX_DATAGRAM 4096   /* nobody was told that we take more than 512 */
#define OTHER_FAMILY_MS 50  /* RFC 8305 8: Resolution Delay, */
#define NEXT_ADDRESS_MS 250 /* and Connection Attempt Delay */
#define RESOLVE_MS 5000
#define MAX_LOG 256 /* lines, until somebody takes them */

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

/* ---- waiting ---- */

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

void net_watch_clear(struct net_watch *watch)
{
    watch->count = 0;
    watch->until = INT64_MAX;
}

size_t net_watch_add(struct net_watch *watch, int fd, short events)
{
    if (watch->count == watch->room) {
        watch->room = watch->room != 0 ? 2 * watch->room : 16;
        watch->entries = mem_resize(watch->entries, watch->room * sizeof *watch->entries);
    }
    watch->entries[watch->count] = (struct pollfd){.fd = fd, .events = events};
    return watch->count++;
}

void net_watch_until(struct net_watch *watch, int64_t time)
{
    if (time < watch->until)
        watch->until = time;
}

void net_watch_wait(struct net_watch *watch)
{
    net_poll(watch->entries, watch->count, watch->until);
}

bool net_watch_is_ready(const struct net_watch *watch, size_t number)
{
    return number < watch->count && watch->entries[number].revents != 0;
}

void net_watch_free(struct net_watch *watch)
{
    free(watch->entries);
    *watch = (struct net_watch){0};
}

/* ---- sockets ---- */

bool net_peer(int fd, char address[NET_ADDRESS_SIZE])
{
    struct sockaddr_storage peer = {.ss_family = AF_UNSPEC};
    socklen_t size = sizeof peer;

    if (getpeername(fd, (struct sockaddr *)&peer, &size) != 0)
        return false;
    if (peer.ss_family == AF_INET6)
        return inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)&peer)->sin6_addr, address,
                         NET_ADDRESS_SIZE) != NULL;
    return inet_ntop(AF_INET, &((const struct sockaddr_in *)&peer)->sin_addr, address,
                     NET_ADDRESS_SIZE) != NULL;
}

static const struct net_socket no_socket = {.fd = -1};

static void watch_socket(struct net_socket *socket, struct net_watch *watch, short events)
{
    socket->watched = socket->fd >= 0;
    if (socket->watched)
        socket->number = net_watch_add(watch, socket->fd, events);
}

static bool is_ready(const struct net_socket *socket, const struct net_watch *watch)
{
    return socket->watched && net_watch_is_ready(watch, socket->number);
}

static void close_socket(struct net_socket *socket)
{
    if (socket->fd >= 0)
        close(socket->fd);
    *socket = no_socket;
}

/* A socket that is connected to the address, or on its way (TCP); -1 with errno. */
static int connect_socket(const struct resolver_address *address, uint16_t port, int type)
{
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 six = {
        .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_scope_id = address->zone};
    bool is_six = address->family == AF_INET6;
    const void *name = is_six ? (const void *)&six : &four;
    socklen_t size = is_six ? sizeof six : sizeof four;

    memcpy(&four.sin_addr, address->bytes, sizeof four.sin_addr);
    memcpy(&six.sin6_addr, address->bytes, sizeof six.sin6_addr);
    int fd = socket(address->family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if ((type != SOCK_STREAM ||
         setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)) == 0) &&
        (connect(fd, name, size) == 0 || errno == EINPROGRESS || errno == EINTR))
        return fd;
    int code = errno;
    close(fd);
    errno = code;
    return -1;
}

/* 0 where the connection stands, else an errno. */
static int connect_result(int fd)
{
    int code = 0;
    socklen_t size = sizeof code;

    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size) != 0 ? errno : code;
}

static bool is_temporary(int code)
{
    return code == EAGAIN || code == EINTR;
}

static const char *failure_text(int code)
{
    switch (code) {
    case ECONNREFUSED:
        return "connection refused";
    case EHOSTUNREACH:
    case EINVAL: /* a link-local address, whose link nobody knows */
        return "no route to host";
    case ENETUNREACH:
    case EADDRNOTAVAIL:
        return "network unreachable";
    case ETIMEDOUT:
        return "timed out while connecting";
    default:
        return strerror(code);
    }
}

/* ---- how names are looked up ---- */

static struct resolver_settings settings;
static struct strings log_lines;

/* Up to the last whole line that fits. */
static void read_file(const char *path, size_t limit, struct buffer *text, struct strings *warnings)
{
    char *warning = NULL;
    struct stat status;
    ssize_t got = 0;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        if (fd >= 0)
            errno = EINVAL;
        if (errno != ENOENT)
            warning = mem_printf("cannot read %s: %s", path, strerror(errno));
    } else {
        do {
            buffer_reserve(text, 4096);
            got = read(fd, text->data + text->length, 4096);
            text->length += got > 0 ? (size_t)got : 0;
        } while (got > 0 && text->length <= limit);
        if (got < 0)
            warning = mem_printf("cannot read %s: %s", path, strerror(errno));
        if (text->length > limit) {
            const char *end = memrchr(text->data, '\n', limit);

            text->length = end != NULL ? (size_t)(end - text->data) + 1 : 0;
            warning = mem_printf("%s is larger than %zu KiB: what is behind that is not read", path,
                                 limit / 1024);
        }
    }
    if (fd >= 0)
        close(fd);
    if (warning != NULL)
        strings_add(warnings, warning);
    free(warning);
}

/* As glibc has it: a name where the address needs one, else a number. */
static void look_up_zones(void)
{
    for (size_t i = 0; i < settings.server_count; i++) {
        struct resolver_server *server = &settings.servers[i];

        if (*server->zone == '\0')
            continue;
        server->address.zone = if_nametoindex(server->zone);
        if (server->address.zone == 0)
            server->address.zone = (uint32_t)strtoul(server->zone, NULL, 10);
    }
}

void net_read_configuration(const char *resolv_conf, const char *hosts, struct strings *warnings)
{
    char host_name[HOST_NAME_MAX + 1] = "";
    struct buffer text = {0};

    resolver_settings_free(&settings);
    read_file(resolv_conf, NET_MAX_RESOLV_CONF, &text, warnings);
    read_file(hosts, NET_MAX_HOSTS, &settings.hosts, warnings);
    gethostname(host_name, sizeof host_name - 1);
    resolver_settings_read(&settings, buffer_string(&text), text.length, host_name);
    look_up_zones();
    buffer_free(&text);
}

static const struct resolver_settings *configuration(void)
{
    if (settings.server_count == 0)
        resolver_settings_read(&settings, "", 0, "");
    return &settings;
}

void net_take_log(struct strings *lines)
{
    for (size_t i = 0; i < log_lines.count; i++)
        strings_add(lines, log_lines.items[i]);
    strings_free(&log_lines);
}

/* ---- looking up ---- */

static void close_question(struct net_dial *dial, size_t number)
{
    close_socket(&dial->questions[number].socket);
    buffer_free(&dial->questions[number].input);
    dial->questions[number].serial = 0;
    dial->questions[number].sends = 0;
}

/* Returns 0 or an errno. */
static int send_question(struct net_dial *dial, size_t number)
{
    uint8_t query[RESOLVER_MAX_QUERY];
    size_t length = resolver_query(&dial->lookup, number, query);
    ssize_t sent = send(dial->questions[number].socket.fd, query, length, MSG_NOSIGNAL);

    if (sent < 0 && !is_temporary(errno))
        return errno;
    dial->questions[number].sends = dial->lookup.questions[number].sends;
    return 0;
}

/* Have the sockets that the resolver wants, and ask what is to be asked. */
static void ask_questions(struct net_dial *dial, int64_t now)
{
    struct resolver_lookup *lookup = &dial->lookup;

    for (size_t i = 0; i < RESOLVER_QUESTIONS; i++) {
        const struct resolver_question *question = &lookup->questions[i];
        int code = 0;

        if (dial->questions[i].serial != question->serial)
            close_question(dial, i);
        if (question->serial == 0)
            continue;
        struct net_socket *socket = &dial->questions[i].socket;
        if (socket->fd < 0) {
            socket->fd = connect_socket(&lookup->settings->servers[question->server].address,
                                        NAME_PORT, question->tcp ? SOCK_STREAM : SOCK_DGRAM);
            code = socket->fd < 0 ? errno : 0;
            dial->questions[i].serial = question->serial;
        }
        /* Over TCP it has to be connected first. */
        if (code == 0 && !question->tcp && dial->questions[i].sends < question->sends)
            code = send_question(dial, i);
        if (code != 0) {
            resolver_fail(lookup, i, failure_text(code), now);
            i = (size_t)-1; /* another place may have a new question now */
        }
    }
}

static void receive_datagram(struct net_dial *dial, size_t number, int64_t now)
{
    uint8_t message[MAX_DATAGRAM];
    ssize_t length = recv(dial->questions[number].socket.fd, message, sizeof message, 0);

    if (length >= 0)
        resolver_answer(&dial->lookup, number, message, (size_t)length, now);
    else if (!is_temporary(errno))
        resolver_fail(&dial->lookup, number, failure_text(errno), now);
}

/* Whole messages, each with its length before it; what is no answer to the question is dropped. */
static void take_messages(struct net_dial *dial, size_t number, int64_t now)
{
    struct buffer *input = &dial->questions[number].input;
    const uint8_t *next = (const uint8_t *)input->data;
    size_t left = input->length;

    while (left >= 2 && left - 2 >= ((size_t)next[0] << 8 | next[1])) {
        size_t length = (size_t)next[0] << 8 | next[1];

        resolver_answer(&dial->lookup, number, next + 2, length, now);
        if (dial->lookup.questions[number].serial != dial->questions[number].serial)
            return;
        next += 2 + length;
        left -= 2 + length;
    }
    if (left != input->length)
        memmove(input->data, next, left);
    input->length = left;
}

/* The connection stands, or brings a piece of the answer. */
static void receive_stream(struct net_dial *dial, size_t number, int64_t now)
{
    struct buffer *input = &dial->questions[number].input;
    int fd = dial->questions[number].socket.fd, code = 0;

    if (dial->questions[number].sends == 0) {
        code = connect_result(fd);
        if (code == 0)
            code = send_question(dial, number);
    } else {
        buffer_reserve(input, MAX_DATAGRAM);
        ssize_t got = recv(fd, input->data + input->length, MAX_DATAGRAM, 0);
        if (got > 0)
            input->length += (size_t)got;
        else
            code = got == 0 ? ECONNRESET : is_temporary(errno) ? 0 : errno;
    }
    if (code != 0)
        resolver_fail(&dial->lookup, number, failure_text(code), now);
    else
        take_messages(dial, number, now);
}

static void look_up(struct net_dial *dial, const struct net_watch *watch, int64_t now)
{
    for (size_t i = 0; i < RESOLVER_QUESTIONS; i++) {
        /* An answer may have ended other questions: their sockets are no longer listened to. */
        if (dial->questions[i].serial != dial->lookup.questions[i].serial ||
            !is_ready(&dial->questions[i].socket, watch))
            continue;
        if (dial->lookup.questions[i].tcp)
            receive_stream(dial, i, now);
        else
            receive_datagram(dial, i, now);
    }
    resolver_tick(&dial->lookup, now);
    ask_questions(dial, now);
    dial->look_again = resolver_tick(&dial->lookup, now);
}

static void watch_questions(struct net_dial *dial, struct net_watch *watch)
{
    for (size_t i = 0; i < RESOLVER_QUESTIONS; i++) {
        bool connecting = dial->lookup.questions[i].tcp && dial->questions[i].sends == 0;

        watch_socket(&dial->questions[i].socket, watch, connecting ? POLLOUT : POLLIN);
    }
    net_watch_until(watch, dial->look_again);
    net_watch_until(watch, dial->deadline);
}

/* ---- connecting ---- */

/* Would packets to it go anywhere? */
static bool has_route(const struct resolver_address *address)
{
    int fd = connect_socket(address, NAME_PORT, SOCK_DGRAM);

    if (fd < 0)
        return false;
    close(fd);
    return true;
}

/* The address to be tried next, or the count of all where there is none. */
static size_t next_address(struct net_dial *dial)
{
    const struct resolver_lookup *lookup = &dial->lookup;
    size_t best = lookup->address_count;
    int best_rank = INT_MAX;

    for (; dial->checked < lookup->address_count && lookup->address_count > 1; dial->checked++)
        dial->routeless[dial->checked] = !has_route(&lookup->addresses[dial->checked]);
    for (size_t i = 0; i < lookup->address_count; i++) {
        int rank = 2 * dial->routeless[i] + (lookup->addresses[i].family == dial->last_family);

        if (!dial->tried[i] && rank < best_rank) {
            best = i;
            best_rank = rank;
        }
    }
    return best;
}

static void note_failure(struct net_dial *dial, int code, int64_t now)
{
    if (dial->failure == 0)
        dial->failure = code;
    dial->next_at = now;
}

/* The other family is waited for a little. */
static int64_t connect_time(const struct net_dial *dial)
{
    int64_t wait = resolver_is_done(&dial->lookup) ? 0 : OTHER_FAMILY_MS;
    int64_t time = dial->lookup.found_at + wait;

    return dial->next_at > time ? dial->next_at : time;
}

static bool has_next(struct net_dial *dial)
{
    return dial->lookup.state == RESOLVER_FOUND && next_address(dial) < dial->lookup.address_count;
}

/* Begin with one more address if it is time, or with several where they fail at once. */
static void try_next(struct net_dial *dial, int64_t now)
{
    while (has_next(dial) && now >= connect_time(dial)) {
        size_t next = next_address(dial);

        dial->tried[next] = true;
        dial->last_family = dial->lookup.addresses[next].family;
        dial->next_at = now + NEXT_ADDRESS_MS;
        dial->attempts[next].fd =
            connect_socket(&dial->lookup.addresses[next], dial->port, SOCK_STREAM);
        if (dial->attempts[next].fd < 0)
            note_failure(dial, errno, now);
    }
}

/* Take the first connection that stands; close those that failed. */
static void look_after_attempts(struct net_dial *dial, const struct net_watch *watch, int64_t now)
{
    for (size_t i = 0; i < RESOLVER_ADDRESSES && dial->fd < 0; i++) {
        struct net_socket *attempt = &dial->attempts[i];

        if (!is_ready(attempt, watch))
            continue;
        int code = connect_result(attempt->fd);
        if (code == 0) {
            dial->fd = attempt->fd;
            attempt->fd = -1;
        } else {
            note_failure(dial, code, now);
        }
        close_socket(attempt);
    }
}

static bool is_connecting(const struct net_dial *dial)
{
    for (size_t i = 0; i < RESOLVER_ADDRESSES; i++) {
        if (dial->attempts[i].fd >= 0)
            return true;
    }
    return false;
}

static int end(struct net_dial *dial, int result)
{
    for (size_t i = 0; i < RESOLVER_QUESTIONS; i++)
        close_question(dial, i);
    for (size_t i = 0; i < RESOLVER_ADDRESSES; i++)
        close_socket(&dial->attempts[i]);
    for (size_t i = 0; i < dial->lookup.log.count && log_lines.count < MAX_LOG; i++)
        strings_add(&log_lines, dial->lookup.log.items[i]);
    resolver_end(&dial->lookup);
    return result;
}

void net_dial_start(struct net_dial *dial, const char *host, uint16_t port, int64_t deadline)
{
    *dial = (struct net_dial){.fd = -1, .deadline = deadline, .port = port, .last_family = AF_INET};
    for (size_t i = 0; i < RESOLVER_QUESTIONS; i++)
        dial->questions[i].socket = no_socket;
    for (size_t i = 0; i < RESOLVER_ADDRESSES; i++)
        dial->attempts[i] = no_socket;
    resolver_start(&dial->lookup, configuration(), host, net_clock_ms());
}

void net_dial_watch(struct net_dial *dial, struct net_watch *watch)
{
    watch_questions(dial, watch);
    for (size_t i = 0; i < RESOLVER_ADDRESSES; i++)
        watch_socket(&dial->attempts[i], watch, POLLOUT);
    if (has_next(dial))
        net_watch_until(watch, connect_time(dial));
}

int net_dial_step(struct net_dial *dial, const struct net_watch *watch, struct error *error)
{
    int64_t now = net_clock_ms();
    bool over = now >= dial->deadline;

    look_up(dial, watch, now);
    look_after_attempts(dial, watch, now);
    if (dial->fd >= 0)
        return end(dial, 1);
    if (!over)
        try_next(dial, now);
    bool connecting = is_connecting(dial);
    if (!over && (connecting || has_next(dial) || !resolver_is_done(&dial->lookup)))
        return 0;
    if (dial->lookup.state != RESOLVER_FOUND)
        resolver_error(&dial->lookup, error);
    else
        error_set(error, ERROR_UNREACHABLE, "%s",
                  failure_text(dial->failure != 0 && !connecting ? dial->failure : ETIMEDOUT));
    return end(dial, -1);
}

int net_connect(const char *host, uint16_t port, int64_t deadline, struct error *error)
{
    struct net_watch watch = {0};
    struct net_dial dial;
    int result;

    net_dial_start(&dial, host, port, deadline);
    while ((result = net_dial_step(&dial, &watch, error)) == 0) {
        net_watch_clear(&watch);
        net_dial_watch(&dial, &watch);
        net_watch_wait(&watch);
    }
    net_watch_free(&watch);
    return result > 0 ? dial.fd : -1;
}

int net_resolve(const char *host, struct strings *addresses, struct error *error)
{
    int64_t now = net_clock_ms(), deadline = now + RESOLVE_MS;
    struct net_watch watch = {0};
    struct net_dial dial;

    net_dial_start(&dial, host, 0, deadline);
    while (look_up(&dial, &watch, now), !resolver_is_done(&dial.lookup) && now < deadline) {
        net_watch_clear(&watch);
        watch_questions(&dial, &watch);
        net_watch_wait(&watch);
        now = net_clock_ms();
    }
    for (size_t i = 0; i < dial.lookup.address_count; i++) {
        char text[INET6_ADDRSTRLEN];

        inet_ntop(dial.lookup.addresses[i].family, dial.lookup.addresses[i].bytes, text,
                  sizeof text);
        strings_add(addresses, text);
    }
    net_watch_free(&watch);
    if (dial.lookup.address_count == 0)
        return end(&dial, resolver_error(&dial.lookup, error));
    return end(&dial, 0);
}
