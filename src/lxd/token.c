/* SPDX-License-Identifier: Apache-2.0 */
#include "lxd/token.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/base64.h"
#include "base/bytes.h"
#include "base/json.h"
#include "x509/certificate.h"

#define MAX_TEXT (64 * 1024)

static bool is_given(const char *text)
{
    return text != NULL && *text != '\0';
}

/* RFC 3339, as Go writes it: 2026-03-23T17:38:37.753398689-04:00. The year 1 stands for never. */
static int64_t parse_time(const char *text)
{
    struct tm tm = {0};
    int hours = 0, minutes = 0;

    /* NOLINTBEGIN(cert-err34-c): so few digits overflow nothing */
    if (text == NULL || sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d", &tm.tm_year, &tm.tm_mon,
                               &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec) != 6)
        return 0;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    const char *zone = strpbrk(text + strcspn(text, "T"), "+-");
    if (zone != NULL)
        sscanf(zone + 1, "%2d:%2d", &hours, &minutes);
    /* NOLINTEND(cert-err34-c) */
    int64_t offset = (hours * 60 + minutes) * 60 * (zone != NULL && *zone == '-' ? -1 : 1);
    int64_t seconds = (int64_t)timegm(&tm) - offset;
    return seconds > 0 ? seconds : 0;
}

static void read_addresses(struct endpoints *addresses, const cJSON *content)
{
    const cJSON *item;
    struct error ignored;

    cJSON_ArrayForEach(item, json_array(content, "addresses"))
    {
        /* One too many is an error like another, after which there are only more of these. */
        if (cJSON_IsString(item))
            endpoints_add(addresses, item->valuestring, &ignored);
    }
}

/* The JSON in base64 text, kept as the token proper; NULL where there is none. */
static cJSON *decode(struct token *token, const char *text)
{
    size_t size = BASE64_DECODED_SIZE(strlen(text));
    uint8_t *json = mem_alloc(size);
    long length = base64_decode(json, text, strlen(text));
    cJSON *content = NULL;
    struct error ignored;

    if (length > 0 &&
        json_parse(&content, (char *)json, (size_t)length, "", ERROR_INPUT, &ignored) == 0)
        token->base64 = base64_encode(json, (size_t)length);
    bytes_wipe(json, size);
    free(json);
    return content;
}

static const char *last_word(const char *text)
{
    const char *end = text + strlen(text);

    while (end > text && isspace((unsigned char)end[-1]) != 0)
        end--;
    while (end > text && isspace((unsigned char)end[-1]) == 0)
        end--;
    return end;
}

int token_parse(struct token *token, const char *text, struct error *error)
{
    cJSON *content = NULL;
    int result = -1;

    *token = (struct token){0};
    if (strlen(text) <= MAX_TEXT) {
        /* The heading ends with a colon, unless it is in another language. */
        const char *colon = strrchr(text, ':');

        content = decode(token, colon != NULL ? colon + 1 : text);
        if (content == NULL)
            content = decode(token, last_word(text));
    }
    const char *name = json_string(content, "client_name");
    const char *fingerprint = json_string(content, "fingerprint");
    /* lxd-5.0.2:shared/cert.go CertificateTokenDecode */
    if (!is_given(name) || !is_given(json_string(content, "secret")) ||
        !certificate_is_fingerprint(fingerprint)) {
        error_set(error, ERROR_INPUT, "not a trust token");
        goto out;
    }
    read_addresses(&token->addresses, content);
    if (token->addresses.count == 0) {
        error_set(error, ERROR_INPUT, "the token has no usable address");
        goto out;
    }
    token->kind =
        is_given(json_string(content, "type")) ? LXD_TOKEN_IDENTITY : LXD_TOKEN_CERTIFICATE;
    token->name = mem_string(name);
    memcpy(token->fingerprint, fingerprint, sizeof token->fingerprint);
    token->expires = parse_time(json_string(content, "expires_at"));
    certificate_fingerprint(token->digest, token->base64, strlen(token->base64));
    result = 0;
out:
    json_wipe(content);
    if (result != 0)
        token_wipe(token);
    return result;
}

void token_wipe(struct token *token)
{
    if (token->base64 != NULL)
        bytes_wipe(token->base64, strlen(token->base64));
    free(token->base64);
    free(token->name);
    endpoints_free(&token->addresses);
    *token = (struct token){0};
}
