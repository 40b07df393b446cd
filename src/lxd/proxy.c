/* SPDX-License-Identifier: Apache-2.0 */
#include "lxd/proxy.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/base64.h"
#include "base/bytes.h"

#define DEFAULT_PORT 80
#define BLANKS " \t\r\n"
#define SEPARATORS BLANKS ","
#define DIGITS "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define OPTION "juju-https-proxy"

/* ---- the proxy ---- */

/* 0 where the digits are no port. */
static unsigned long parse_port(const char *digits)
{
    size_t length = strspn(digits, DIGITS);
    unsigned long port =
        length != 0 && length <= 5 && digits[length] == '\0' ? strtoul(digits, NULL, 10) : 0;

    return port <= UINT16_MAX ? port : 0;
}

/* host, host:port, [v6], [v6]:port; cut into its two parts. Returns the port's text or NULL. */
static char *cut_port(char **host)
{
    char *end = *host;

    if (*end == '[') {
        end = strchr(++*host, ']');
        if (end == NULL) {
            **host = '\0'; /* no host, then */
            return NULL;
        }
        *end++ = '\0';
        if (*end != '\0' && *end != ':')
            **host = '\0';
    }
    char *colon = strchr(end, ':');
    if (colon == NULL || strchr(colon + 1, ':') != NULL)
        return NULL;
    *colon = '\0';
    return colon + 1;
}

static int hex_digit(char c)
{
    const char *digits = "0123456789abcdef", *found = strchr(digits, c | 0x20);

    return c != '\0' && found != NULL && *found != '\0' ? (int)(found - digits) : -1;
}

/* Percent-decode in place (RFC 3986 2.1). */
static size_t decode(char *text)
{
    char *out = text;

    for (const char *in = text; *in != '\0'; in++) {
        int high = *in == '%' ? hex_digit(in[1]) : -1, low = high >= 0 ? hex_digit(in[2]) : -1;

        *out++ = low >= 0 ? (char)(high * 16 + low) : *in;
        in += low >= 0 ? 2 : 0;
    }
    return (size_t)(out - text);
}

/* What has other characters is no scheme (RFC 3986 3.1), and may be a password. */
static int parse_scheme(char **text, struct error *error)
{
    char *separator = *text + strspn(*text, LETTERS DIGITS "+.-");

    if (strncmp(separator, "://", 3) != 0)
        return 0;
    *separator = '\0';
    if (strcasecmp(*text, "http") != 0)
        return error_set(error, ERROR_INPUT,
                         OPTION ": a proxy of kind %.20s:// is not supported, only http://", *text);
    *text = separator + 3;
    return 0;
}

static bool is_ascii(const char *text)
{
    while (*text != '\0' && (unsigned char)*text < 0x80)
        text++;
    return *text == '\0';
}

/* text is spoilt. */
static int parse(struct proxy *proxy, char *text, struct error *error)
{
    if (parse_scheme(&text, error) != 0)
        return -1;
    char *at = strrchr(text, '@');
    if (at != NULL) {
        *at = '\0';
        char *pair = mem_printf("%s%s", text, strchr(text, ':') != NULL ? "" : ":");
        size_t room = strlen(pair), used = decode(pair);
        proxy->authorization = base64_encode((const uint8_t *)pair, used);
        bytes_wipe(pair, room);
        free(pair);
        text = at + 1;
    }
    size_t length = strlen(text);
    if (length != 0 && text[length - 1] == '/')
        text[--length] = '\0';
    bool brackets = *text == '[';
    char *port = cut_port(&text);
    unsigned long number = port != NULL ? parse_port(port) : DEFAULT_PORT;
    if (!is_ascii(text))
        return error_set(error, ERROR_INPUT,
                         OPTION ": a name with letters outside ASCII: write it as xn--..., as DNS "
                                "has it");
    if (*text == '\0' || strlen(text) >= sizeof proxy->host || text[strcspn(text, "/?#" BLANKS)] ||
        number == 0 || (strchr(text, ':') != NULL && !brackets))
        return error_set(error, ERROR_INPUT, OPTION ": it is not of the form http://host:port");
    snprintf(proxy->host, sizeof proxy->host, "%s", text);
    proxy->port = (uint16_t)number;
    return 0;
}

int proxy_parse(struct proxy *proxy, const char *text, struct error *error)
{
    size_t length;

    text += strspn(text, BLANKS);
    for (length = strlen(text); length != 0 && strchr(BLANKS, text[length - 1]) != NULL;)
        length--;
    char *copy = mem_string_n(text, length);
    *proxy = (struct proxy){0};
    int result = parse(proxy, copy, error);
    bytes_wipe(copy, length);
    free(copy);
    if (result != 0)
        proxy_wipe(proxy);
    return result;
}

void proxy_wipe(struct proxy *proxy)
{
    if (proxy->authorization != NULL)
        bytes_wipe(proxy->authorization, strlen(proxy->authorization));
    free(proxy->authorization);
    *proxy = (struct proxy){0};
}

/* ---- exceptions ---- */

static bool parse_address(const char *text, int *family, uint8_t bytes[16])
{
    *family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;
    return inet_pton(*family, text, bytes) == 1;
}

/* Are the first bits the same? */
static bool is_same(const uint8_t *a, const uint8_t *b, unsigned long bits)
{
    size_t whole = bits / 8;

    return memcmp(a, b, whole) == 0 &&
           (bits % 8 == 0 || ((a[whole] ^ b[whole]) >> (8 - bits % 8)) == 0);
}

/* item is spoilt. */
static bool contains_address(char *item, const char *host)
{
    uint8_t ours[16], theirs[16];
    int our_family, family;
    char *slash = strchr(item, '/');

    if (slash != NULL)
        *slash++ = '\0';
    if (!parse_address(host, &our_family, ours) || !parse_address(item, &family, theirs) ||
        our_family != family)
        return false;
    unsigned long most = family == AF_INET ? 32 : 128, bits = most;
    if (slash != NULL && (*slash == '\0' || slash[strspn(slash, DIGITS)] != '\0' ||
                          (bits = strtoul(slash, NULL, 10)) > most))
        return false;
    return is_same(ours, theirs, bits);
}

/* item is spoilt. */
static bool covers(char *item, const struct endpoint *endpoint)
{
    const char *host = endpoint->host;
    size_t length = strlen(host), end = strlen(item);
    char *bracket = *item == '[' ? strstr(item, "]/") : NULL;

    if (end > 1 && item[end - 1] == '.')
        item[end - 1] = '\0';
    if (bracket != NULL) { /* [fd00::]/8 */
        memmove(bracket, bracket + 1, strlen(bracket));
        item++;
    }
    const char *port = cut_port(&item);
    if (port != NULL && parse_port(port) != endpoint->port)
        return false;
    if (strcmp(item, "*") == 0)
        return true;
    if (item[0] == '*' && item[1] == '.')
        item++;
    if (item[0] == '.')
        return length > strlen(item) && strcasecmp(host + length - strlen(item), item) == 0;
    return strcasecmp(item, host) == 0 || contains_address(item, host);
}

bool proxy_excepts(const char *list, const struct endpoint *endpoint)
{
    char *copy = mem_string(list), *rest;
    bool found = false;

    for (char *item = strtok_r(copy, SEPARATORS, &rest); item != NULL && !found;
         item = strtok_r(NULL, SEPARATORS, &rest))
        found = covers(item, endpoint);
    free(copy);
    return found;
}

/* ---- the tunnel ---- */

void proxy_request(struct buffer *request, const struct proxy *proxy,
                   const struct endpoint *endpoint)
{
    const char *where = endpoint->url + strlen("https://");

    buffer_printf(request, "CONNECT %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: lxd-integrator\r\n",
                  where, where);
    if (proxy->authorization != NULL)
        buffer_printf(request, "Proxy-Authorization: Basic %s\r\n", proxy->authorization);
    buffer_append_string(request, "\r\n");
}

/* The status line as in http.c, of any HTTP/1; the rest of the head is of no interest. */
int proxy_status(const struct buffer *answer)
{
    static const char pattern[] = "HTTP/1.d ddd";
    const size_t code_end = sizeof pattern - 1;
    const char *text = answer->data;

    for (size_t i = 0; i < answer->length && i < code_end; i++) {
        bool digit = text[i] >= '0' && text[i] <= '9';
        if (pattern[i] == 'd' ? !digit : text[i] != pattern[i])
            return -1;
    }
    if (answer->length > code_end && text[code_end] != ' ' && text[code_end] != '\r')
        return -1;
    const char *end = answer->length != 0 ? memmem(text, answer->length, "\r\n\r\n", 4) : NULL;
    if (end == NULL)
        return answer->length < PROXY_MAX_ANSWER ? 0 : -1;
    int status = (text[9] - '0') * 100 + (text[10] - '0') * 10 + (text[11] - '0');
    if (status / 100 == 1) { /* the answer follows (RFC 9110 15.2) */
        end += 4;
        return proxy_status(
            &(struct buffer){(char *)end, (size_t)(text + answer->length - end), 0});
    }
    /* What refuses has a body to say why. */
    return status / 100 == 2 && end + 4 != text + answer->length ? -1 : status;
}

/* ---- settings ---- */

void proxy_settings_read(struct proxy_settings *settings, const char *proxy, const char *exceptions)
{
    proxy_settings_wipe(settings);
    if (proxy == NULL || proxy[strspn(proxy, BLANKS)] == '\0')
        return;
    settings->in_use = true;
    settings->exceptions = mem_string(exceptions != NULL ? exceptions : "");
    proxy_parse(&settings->proxy, proxy, &settings->error);
}

void proxy_settings_wipe(struct proxy_settings *settings)
{
    proxy_wipe(&settings->proxy);
    free(settings->exceptions);
    *settings = (struct proxy_settings){0};
}
