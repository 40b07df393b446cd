/* SPDX-License-Identifier: Apache-2.0 */
#include "lxd/endpoint.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buffer.h"

#define MAX_QUOTED 100
#define MAX_NAME 253 /* of a DNS name in text (RFC 1035 2.3.4) */
#define MAX_LABEL 63
#define BLANKS " \t\r\n"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

/* A part of the text that is being parsed. */
struct span {
    const char *start;
    size_t length;
};

static bool is_one_of(struct span span, const char *word)
{
    return span.length == strlen(word) && strncasecmp(span.start, word, span.length) == 0;
}

static struct span without_first(struct span span, size_t count)
{
    return (struct span){span.start + count, span.length - count};
}

static struct span trimmed(const char *text, size_t length)
{
    struct span span = {text, length};

    while (span.length != 0 && strchr(BLANKS, span.start[0]) != NULL)
        span = without_first(span, 1);
    while (span.length != 0 && strchr(BLANKS, span.start[span.length - 1]) != NULL)
        span.length--;
    return span;
}

/* Take "scheme://" off the front of *rest. */
static int parse_scheme(struct span *rest, struct error *error)
{
    struct span scheme = {rest->start, strcspn(rest->start, ":")};

    if (scheme.length == 0 || scheme.length + 3 > rest->length ||
        strncmp(rest->start + scheme.length, "://", 3) != 0)
        return 0;
    if (!is_one_of(scheme, "https") && !is_one_of(scheme, "http"))
        return error_set(error, ERROR_INPUT, "scheme %.*s is not supported: use https://host:port",
                         (int)scheme.length, scheme.start);
    *rest = without_first(*rest, scheme.length + 3);
    return 0;
}

static int parse_port(struct endpoint *endpoint, struct span text, struct error *error)
{
    char digits[6] = "";
    unsigned long port = 0;

    if (text.length < sizeof digits) {
        memcpy(digits, text.start, text.length);
        if (strspn(digits, DIGITS) == text.length)
            port = strtoul(digits, NULL, 10);
    }
    if (port == 0 || port > UINT16_MAX)
        return error_set(error, ERROR_INPUT, "the port must be a number from 1 to 65535");
    endpoint->port = (uint16_t)port;
    return 0;
}

static bool is_address(int family, const char *host)
{
    struct in6_addr address;

    return inet_pton(family, host, &address) == 1;
}

static bool is_link_local(const char *host)
{
    struct in6_addr address;

    return inet_pton(AF_INET6, host, &address) == 1 && IN6_IS_ADDR_LINKLOCAL(&address);
}

/* Dot-separated labels. The characters are those in use, which are more than RFC 952 names. */
static bool is_name(const char *host)
{
    const char *label = host;

    for (;;) {
        size_t length = strspn(label, LETTERS DIGITS "-_");
        if (length == 0 || length > MAX_LABEL)
            return false;
        if (label[length] == '\0')
            return true;
        if (label[length] != '.')
            return false;
        label += length + 1;
    }
}

/* Its last label is a number: some programs would take "10.1" for 10.0.0.1, others look it up. */
static bool is_like_address(const char *name)
{
    const char *dot = strrchr(name, '.'), *label = dot != NULL ? dot + 1 : name;

    if (label[0] == '0' && (label[1] == 'x' || label[1] == 'X'))
        return label[2 + strspn(label + 2, DIGITS "abcdefABCDEF")] == '\0';
    return label[strspn(label, DIGITS)] == '\0';
}

/* Of some other writing than ASCII, but not what a key could be, which is all of ASCII. */
static bool is_foreign(const char *host)
{
    bool foreign = false;

    for (; *host != '\0'; host++) {
        unsigned char c = (unsigned char)*host;

        if (c <= ' ')
            return false;
        foreign |= c >= 0x80;
    }
    return foreign;
}

/* What was taken for a name, which it need not be. */
static int check_name(struct endpoint *endpoint, struct error *error)
{
    char *host = endpoint->host;
    size_t length = strlen(host);

    if (is_address(AF_INET, host))
        return 0;
    if (is_foreign(host))
        return error_set(error, ERROR_INPUT,
                         "a name with letters outside ASCII: write it as "
                         "xn--..., as DNS has it");
    endpoint->complete = length > 1 && host[length - 1] == '.';
    if (endpoint->complete)
        host[length - 1] = '\0';
    if (is_name(host) && is_like_address(host))
        return error_set(error, ERROR_INPUT,
                         "\"%s\" is no host name, and an address is written like 10.0.0.1", host);
    if (!is_name(host))
        return error_set(error, ERROR_INPUT, "\"%s\" is no host name", host);
    return 0;
}

static int set_host(struct endpoint *endpoint, struct span host, struct error *error)
{
    if (host.length == 0)
        return error_set(error, ERROR_INPUT, "it names no host: use https://host:port");
    if (host.length > MAX_NAME + (host.start[host.length - 1] == '.'))
        return error_set(error, ERROR_INPUT, "the host is longer than %d characters", MAX_NAME);
    memcpy(endpoint->host, host.start, host.length);
    return 0;
}

/* [v6] or [v6]:port */
static int parse_bracketed(struct endpoint *endpoint, struct span text, struct error *error)
{
    const char *end = memchr(text.start, ']', text.length);

    if (end == NULL)
        return error_set(error, ERROR_INPUT, "the bracket is not closed");
    struct span host = {text.start + 1, (size_t)(end - text.start) - 1};
    struct span rest = without_first(text, host.length + 2);
    if (memchr(host.start, '%', host.length) != NULL)
        return error_set(error, ERROR_INPUT,
                         "an address with a zone means nothing to other machines");
    if (set_host(endpoint, host, error) != 0)
        return -1;
    if (!is_address(AF_INET6, endpoint->host))
        return error_set(error, ERROR_INPUT, "there is no IPv6 address between the brackets");
    if (is_link_local(endpoint->host))
        return error_set(error, ERROR_INPUT,
                         "a link-local address means nothing without its link: use another one");
    if (rest.length == 0)
        return 0;
    if (rest.start[0] != ':')
        return error_set(error, ERROR_INPUT, "only a port may follow the brackets");
    return parse_port(endpoint, without_first(rest, 1), error);
}

/* host or host:port */
static int parse_plain(struct endpoint *endpoint, struct span text, struct error *error)
{
    const char *colon = memchr(text.start, ':', text.length);
    struct span host = text;

    if (colon != NULL) {
        host.length = (size_t)(colon - text.start);
        struct span port = without_first(text, host.length + 1);
        if (memchr(port.start, ':', port.length) != NULL)
            return error_set(error, ERROR_INPUT, "an IPv6 address must stand in brackets");
        if (parse_port(endpoint, port, error) != 0)
            return -1;
    }
    if (set_host(endpoint, host, error) != 0)
        return -1;
    return check_name(endpoint, error);
}

static int parse(struct endpoint *endpoint, struct span text, struct error *error)
{
    if (parse_scheme(&text, error) != 0)
        return -1;
    if (text.length != 0 && text.start[text.length - 1] == '/')
        text.length--;
    for (size_t i = 0; i < text.length; i++) {
        if (strchr("/?#", text.start[i]) != NULL)
            return error_set(error, ERROR_INPUT, "a path is not supported: use https://host:port");
    }
    if (text.length != 0 && text.start[0] == '[')
        return parse_bracketed(endpoint, text, error);
    return parse_plain(endpoint, text, error);
}

/* May an error quote it? Anything else could be a key that was put into the wrong place. */
static bool is_quotable(struct span text)
{
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.start[i];

        if (c <= ' ' || c == 0x7f)
            return false;
    }
    return text.length <= MAX_QUOTED;
}

static int parse_span(struct endpoint *endpoint, struct span span, struct error *error)
{
    *endpoint = (struct endpoint){.port = ENDPOINT_DEFAULT_PORT};
    if (memchr(span.start, '@', span.length) != NULL)
        return error_set(error, ERROR_INPUT,
                         "the endpoint has a user before its host: use https://host:port");
    if (parse(endpoint, span, error) != 0) {
        if (!is_quotable(span))
            return error_set(error, ERROR_INPUT,
                             "the endpoint is no address: use https://host:port");
        return error_prefix(error, "endpoint \"%.*s\"", (int)span.length, span.start);
    }
    bool brackets = strchr(endpoint->host, ':') != NULL;
    snprintf(endpoint->url, sizeof endpoint->url, brackets ? "https://[%s]:%u" : "https://%s:%u",
             endpoint->host, endpoint->port);
    return 0;
}

int endpoint_parse(struct endpoint *endpoint, const char *text, struct error *error)
{
    return parse_span(endpoint, trimmed(text, strlen(text)), error);
}

bool endpoint_equal(const struct endpoint *a, const struct endpoint *b)
{
    return strcasecmp(a->url, b->url) == 0;
}

bool endpoint_is_address(const struct endpoint *endpoint)
{
    return is_address(AF_INET, endpoint->host) || is_address(AF_INET6, endpoint->host);
}

void endpoint_dial_name(const struct endpoint *endpoint, char name[ENDPOINT_DIAL_NAME_SIZE])
{
    snprintf(name, ENDPOINT_DIAL_NAME_SIZE, "%s%s", endpoint->host, endpoint->complete ? "." : "");
}

/* ---- lists ---- */

bool endpoints_contain(const struct endpoints *endpoints, const struct endpoint *endpoint)
{
    for (size_t i = 0; i < endpoints->count; i++) {
        if (endpoint_equal(&endpoints->items[i], endpoint))
            return true;
    }
    return false;
}

static int add_span(struct endpoints *endpoints, struct span span, struct error *error)
{
    struct endpoint endpoint;

    if (parse_span(&endpoint, span, error) != 0)
        return -1;
    if (endpoints_contain(endpoints, &endpoint))
        return 0;
    if (endpoints->count == ENDPOINTS_MAX)
        return error_set(error, ERROR_INPUT, "more than %d endpoints", ENDPOINTS_MAX);
    endpoints->items = mem_grow(endpoints->items, endpoints->count, sizeof *endpoints->items);
    endpoints->items[endpoints->count++] = endpoint;
    return 0;
}

int endpoints_add(struct endpoints *endpoints, const char *text, struct error *error)
{
    return add_span(endpoints, trimmed(text, strlen(text)), error);
}

int endpoints_parse(struct endpoints *endpoints, const char *text, struct error *error)
{
    *endpoints = (struct endpoints){0};
    for (;;) {
        size_t length = strcspn(text, ",");

        if (add_span(endpoints, trimmed(text, length), error) != 0) {
            endpoints_free(endpoints);
            return -1;
        }
        if (text[length] == '\0')
            return 0;
        text += length + 1;
    }
}

void endpoints_free(struct endpoints *endpoints)
{
    free(endpoints->items);
    *endpoints = (struct endpoints){0};
}
