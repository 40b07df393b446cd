/* SPDX-License-Identifier: Apache-2.0 */
#include "x509/pem.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/buffer.h"
#include "base/bytes.h"

#define DASHES "-----"
#define BEGIN DASHES "BEGIN "
#define END DASHES "END "
#define COLUMNS 64

/* Read "LABEL-----" at *cursor, which moves behind it. Lower case is no label: errors quote
 * labels, and what stands in the place of one may be the base64 of a key. */
static bool read_label(const char **cursor, char *label)
{
    size_t length = strspn(*cursor, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ");
    const char *end = *cursor + length;

    if (length == 0 || length >= PEM_LABEL_SIZE || strncmp(end, DASHES, strlen(DASHES)) != 0)
        return false;
    memcpy(label, *cursor, length);
    label[length] = '\0';
    *cursor = end + strlen(DASHES);
    return true;
}

/* Where the text goes on with dashes, and a mark that begins with them. Not strstr: musl's indexes
 * a table by the bytes of the text, and these may be the base64 of a key. */
static const char *find(const char *text, const char *mark)
{
    while ((text = strchr(text, '-')) != NULL && strncmp(text, mark, strlen(mark)) != 0)
        text++;
    return text;
}

/* RFC 1421 4.6.1.1 */
static bool is_encrypted(const char *body)
{
    static const char header[] = "Proc-Type: 4,ENCRYPTED";

    while (*body == '\r' || *body == '\n')
        body++;
    return strncmp(body, header, strlen(header)) == 0;
}

/* The end of the line that begins here, or of the body. */
static const char *line_end(const char *line, const char *end)
{
    const char *newline = memchr(line, '\n', (size_t)(end - line));

    return newline != NULL ? newline + 1 : end;
}

static bool has_colon(const char *line, const char *end)
{
    return memchr(line, ':', (size_t)(line_end(line, end) - line)) != NULL;
}

/* What comes after headers (RFC 1421 4.6), "Name: value" each: after the empty line that ends them,
 * or after the last of them where there is none. */
static const char *skip_headers(const char *body, const char *end)
{
    while (body < end && (*body == '\r' || *body == '\n'))
        body++;
    if (!has_colon(body, end))
        return body;
    for (const char *line = body; line < end; line = line_end(line, end)) {
        if (*line == '\n' || (*line == '\r' && line[1] == '\n'))
            return line;
    }
    while (has_colon(body, end))
        body = line_end(body, end);
    return body;
}

static int decode_body(struct pem_block *block, const char *body, size_t length,
                       struct error *error)
{
    if (is_encrypted(body))
        return error_set(error, ERROR_INPUT,
                         "%s is encrypted: decrypt it first with \"openssl pkey\"", block->label);
    if (!pem_is_private_key(block)) { /* whose text no branch may depend on */
        const char *headed = body;

        body = skip_headers(body, body + length);
        length -= (size_t)(body - headed);
    }
    block->der = mem_alloc(BASE64_DECODED_SIZE(length));
    long decoded = base64_decode(block->der, body, length);
    if (decoded > 0) {
        block->length = (size_t)decoded;
        return 0;
    }
    block->length = BASE64_DECODED_SIZE(length); /* all of it is to be wiped */
    pem_block_free(block);
    return error_set(error, ERROR_INPUT, "PEM block is malformed: what it holds is not base64");
}

int pem_next(const char **cursor, struct pem_block *block, struct error *error)
{
    char end_label[PEM_LABEL_SIZE];

    *block = (struct pem_block){0};
    const char *begin = find(*cursor, BEGIN);
    if (begin == NULL) {
        *cursor += strlen(*cursor);
        return 0;
    }
    const char *body = begin + strlen(BEGIN);
    if (!read_label(&body, block->label))
        return error_set(error, ERROR_INPUT, "PEM block is malformed: its BEGIN line has no label");
    const char *body_end = find(body, DASHES);
    if (body_end == NULL || strncmp(body_end, END, strlen(END)) != 0)
        return error_set(error, ERROR_INPUT, "PEM block is cut off: no \"-----END %s-----\"",
                         block->label);
    *cursor = body_end + strlen(END);
    if (!read_label(cursor, end_label) || strcmp(end_label, block->label) != 0)
        return error_set(error, ERROR_INPUT, "PEM block begins as %s and ends otherwise",
                         block->label);
    return decode_body(block, body, (size_t)(body_end - body), error) == 0 ? 1 : -1;
}

bool pem_is_private_key(const struct pem_block *block)
{
    return strstr(block->label, "PRIVATE KEY") != NULL;
}

void pem_block_free(struct pem_block *block)
{
    if (block->der != NULL)
        bytes_wipe(block->der, block->length);
    free(block->der);
    *block = (struct pem_block){0};
}

char *pem_encode(const char *label, const uint8_t *der, size_t length)
{
    char *base64 = base64_encode(der, length);
    struct buffer text = {0};

    buffer_printf(&text, BEGIN "%s" DASHES "\n", label);
    for (const char *line = base64; *line != '\0'; line += strnlen(line, COLUMNS))
        buffer_printf(&text, "%.*s\n", COLUMNS, line);
    buffer_printf(&text, END "%s" DASHES "\n", label);
    bytes_wipe(base64, strlen(base64));
    free(base64);
    return text.data;
}
