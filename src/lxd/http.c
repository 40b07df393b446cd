/* SPDX-License-Identifier: Apache-2.0 */
#include "lxd/http.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/net.h"

#define USER_AGENT "lxd-integrator" /* LXD treats "Mozilla..." and "lxd-cluster-..." specially */
#define READ_SIZE 16384
#define MAX_CHUNK_LINE 1024
#define BLANKS " \t"
#define DIGITS "0123456789"
#define HEX_DIGITS DIGITS "abcdefABCDEF"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define TOO_LARGE "answers with more than 1 MiB"
#define TOKEN "!#$%&'*+-.^_`|~" DIGITS LETTERS /* RFC 9110 5.6.2 */

/* One response while it is being read. */
struct reader {
    struct http_connection *connection;
    int64_t first;                /* until when the first byte has to come, ... */
    int64_t deadline;             /* ... and the last one */
    bool answered;                /* at least one byte came */
    size_t head_left;             /* bytes that header and trailer lines may still take */
    const char *malformed;        /* the sentence for what is being read now */
    const struct http_sink *sink; /* NULL: the body is kept, ... */
    struct buffer *body;          /* ... here */
    struct error *error;
};

/* What the head says about the message (RFC 9112 6). */
struct head {
    int status;
    bool http_1_0;
    bool close;
    bool chunked;
    bool has_length;
    size_t length;
};

static int fail(const struct reader *reader, const char *sentence)
{
    return error_set(reader->error, ERROR_NONSENSE, "%s", sentence);
}

static char *unread(const struct http_connection *connection)
{
    return connection->input.data + connection->consumed;
}

static size_t available(const struct http_connection *connection)
{
    return connection->input.length - connection->consumed;
}

static void drop_consumed(struct http_connection *connection)
{
    if (connection->consumed == 0)
        return;
    memmove(connection->input.data, unread(connection), available(connection));
    connection->input.length -= connection->consumed;
    connection->consumed = 0;
}

/* Read more bytes behind those available. Returns 1, 0 at the end of the stream, or -1. */
static int receive(struct reader *reader)
{
    struct http_connection *connection = reader->connection;
    struct buffer *input = &connection->input;

    drop_consumed(connection);
    buffer_reserve(input, READ_SIZE);
    long count =
        connection->stream.read(connection->stream.context, input->data + input->length, READ_SIZE,
                                reader->answered ? reader->deadline : reader->first, reader->error);
    if (count <= 0)
        return (int)count;
    input->length += (size_t)count;
    reader->answered = true;
    return 1;
}

/* The same where the end of the stream is not the end of the message. */
static int receive_more(struct reader *reader)
{
    int result = receive(reader);

    if (result == 0)
        return error_set(reader->error, ERROR_UNREACHABLE, "closed the connection %s",
                         reader->answered ? "in the middle of a response" : "without a response");
    return result < 0 ? -1 : 0;
}

static int find_line_end(struct reader *reader, size_t limit, size_t *length)
{
    size_t searched = 0;

    for (;;) {
        size_t present = available(reader->connection);
        if (present > searched) {
            const char *start = unread(reader->connection);
            const char *end = memchr(start + searched, '\n', present - searched);
            *length = end != NULL ? (size_t)(end - start) + 1 : present;
            if (*length > limit)
                return fail(reader, "answers with an HTTP header or chunk size that is too long");
            if (end != NULL)
                return 0;
        }
        searched = present;
        if (receive_more(reader) != 0)
            return -1;
    }
}

/*
 * A line of at most limit bytes, CRLF included; *line is it without CRLF, until the next
 * receive. A NUL, a bare CR or a bare LF makes it malformed (RFC 9112 2.2 leaves that to us).
 */
static int read_line(struct reader *reader, size_t limit, char **line, size_t *length)
{
    if (find_line_end(reader, limit, length) != 0)
        return -1;
    *line = unread(reader->connection);
    reader->connection->consumed += *length;
    char *end = memchr(*line, '\r', *length);
    if (end == NULL || end + 2 != *line + *length || memchr(*line, '\0', *length) != NULL)
        return fail(reader, reader->malformed);
    *end = '\0';
    return 0;
}

static int read_head_line(struct reader *reader, char **line)
{
    size_t length;

    if (read_line(reader, reader->head_left, line, &length) != 0)
        return -1;
    reader->head_left -= length;
    return 0;
}

/* HTTP/1.x SP 3DIGIT [SP [reason]] (RFC 9112 4; the second blank may be missing where no reason is
 * given, as some servers have it) */
static int parse_status_line(const struct reader *reader, const char *line, struct head *head)
{
    static const char pattern[] = "HTTP/1.d ddd";

    for (size_t i = 0; pattern[i] != '\0'; i++) {
        bool digit = line[i] >= '0' && line[i] <= '9';
        if (pattern[i] == 'd' ? !digit : line[i] != pattern[i])
            return fail(reader, reader->malformed);
    }
    if (line[sizeof pattern - 1] != '\0' && line[sizeof pattern - 1] != ' ')
        return fail(reader, reader->malformed);
    head->http_1_0 = line[7] == '0';
    head->close = head->http_1_0;
    head->status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
    return head->status >= 100 ? 0 : fail(reader, reader->malformed);
}

static int note_length(const struct reader *reader, const char *value, struct head *head)
{
    if (*value == '\0' || value[strspn(value, DIGITS)] != '\0')
        return fail(reader, reader->malformed);
    size_t length = strtoul(value, NULL, 10); /* ULONG_MAX where it does not fit */
    if (head->has_length && head->length != length)
        return fail(reader, "answers with contradictory lengths");
    head->has_length = true;
    head->length = length;
    return 0;
}

static int note_transfer_encoding(const struct reader *reader, const char *value, struct head *head)
{
    if (head->chunked || strcasecmp(value, "chunked") != 0)
        return fail(reader, "answers in a transfer coding other than chunked");
    head->chunked = true;
    return 0;
}

static void note_connection(char *value, struct head *head)
{
    char *rest;

    for (char *option = strtok_r(value, BLANKS ",", &rest); option != NULL;
         option = strtok_r(NULL, BLANKS ",", &rest)) {
        if (strcasecmp(option, "close") == 0)
            head->close = true;
    }
}

/* name ":" OWS value OWS (RFC 9112 5); no blank before the colon, so no line folding either. */
static int note_field(const struct reader *reader, char *line, struct head *head)
{
    size_t name = strspn(line, TOKEN);

    if (name == 0 || line[name] != ':')
        return fail(reader, reader->malformed);
    line[name] = '\0';
    char *value = line + name + 1;
    value += strspn(value, BLANKS);
    size_t length = strlen(value);
    while (length != 0 && strchr(BLANKS, value[length - 1]) != NULL)
        value[--length] = '\0';
    if (strcasecmp(line, "Content-Length") == 0)
        return note_length(reader, value, head);
    if (strcasecmp(line, "Transfer-Encoding") == 0)
        return note_transfer_encoding(reader, value, head);
    if (strcasecmp(line, "Connection") == 0)
        note_connection(value, head);
    return 0;
}

static int read_head(struct reader *reader, struct head *head)
{
    char *line;

    *head = (struct head){0};
    reader->malformed = "answers with no valid HTTP status line";
    if (read_head_line(reader, &line) != 0 || parse_status_line(reader, line, head) != 0)
        return -1;
    reader->malformed = "answers with a malformed HTTP header";
    for (;;) {
        if (read_head_line(reader, &line) != 0)
            return -1;
        if (*line == '\0')
            break;
        if (note_field(reader, line, head) != 0)
            return -1;
    }
    /* RFC 9112 6.1: either may be an attempt at smuggling. */
    if (head->chunked && (head->has_length || head->http_1_0))
        return fail(reader, "answers with contradictory lengths");
    return 0;
}

/* How much of the body may still come. */
static size_t room(const struct reader *reader)
{
    return reader->sink != NULL ? SIZE_MAX : HTTP_MAX_BODY - reader->body->length;
}

/* Give on what is here of the body, limit bytes at most; *count says how much that was. */
static int take_available(struct reader *reader, size_t limit, size_t *count)
{
    struct http_connection *connection = reader->connection;
    const char *data = unread(connection);

    *count = available(connection) < limit ? available(connection) : limit;
    connection->consumed += *count;
    if (reader->sink != NULL)
        return reader->sink->take(reader->sink->context, data, *count, reader->error);
    buffer_append(reader->body, data, *count);
    return 0;
}

static int read_length(struct reader *reader, size_t length)
{
    for (;;) {
        size_t count;

        if (take_available(reader, length, &count) != 0)
            return -1;
        length -= count;
        if (length == 0)
            return 0;
        if (receive_more(reader) != 0)
            return -1;
    }
}

static int read_to_end(struct reader *reader)
{
    size_t count;
    int result;

    do {
        if (available(reader->connection) > room(reader))
            return fail(reader, TOO_LARGE);
        if (take_available(reader, SIZE_MAX, &count) != 0)
            return -1;
        result = receive(reader);
    } while (result > 0);
    return result;
}

/* 1*HEXDIG [chunk-ext] (RFC 9112 7.1); extensions are skipped. */
static int read_chunk_size(struct reader *reader, size_t *size)
{
    char *line;
    size_t length;

    if (read_line(reader, MAX_CHUNK_LINE, &line, &length) != 0)
        return -1;
    size_t digits = strspn(line, HEX_DIGITS);
    const char *rest = line + digits;
    if (digits == 0 || (*rest != '\0' && rest[strspn(rest, BLANKS)] != ';'))
        return fail(reader, reader->malformed);
    *size = strtoul(line, NULL, 16); /* ULONG_MAX where it does not fit */
    if (*size > room(reader))
        return fail(reader, TOO_LARGE);
    return 0;
}

/* Fields that nobody asked for; they have to look like fields. */
static int skip_trailer(struct reader *reader)
{
    char *line;

    for (;;) {
        if (read_head_line(reader, &line) != 0)
            return -1;
        if (*line == '\0')
            return 0;
        size_t name = strspn(line, TOKEN);
        if (name == 0 || line[name] != ':')
            return fail(reader, reader->malformed);
    }
}

static int read_chunked(struct reader *reader)
{
    char *line;
    size_t size = 0, length;

    reader->malformed = "answers with a malformed chunk";
    for (;;) {
        if (read_chunk_size(reader, &size) != 0)
            return -1;
        if (size == 0)
            return skip_trailer(reader);
        if (read_length(reader, size) != 0 ||
            read_line(reader, MAX_CHUNK_LINE, &line, &length) != 0)
            return -1;
        if (*line != '\0')
            return fail(reader, reader->malformed);
    }
}

/* RFC 9112 6.3 */
static int read_body(struct reader *reader, struct head *head)
{
    if (head->status != 200)
        reader->sink = NULL;
    if (head->status == 204 || head->status == 304)
        return 0;
    if (head->chunked)
        return read_chunked(reader);
    if (head->has_length)
        return head->length > room(reader) ? fail(reader, TOO_LARGE)
                                           : read_length(reader, head->length);
    head->close = true;
    return read_to_end(reader);
}

static int read_response(struct reader *reader, struct head *head)
{
    do {
        if (read_head(reader, head) != 0)
            return -1;
        if (head->status == 101)
            return fail(reader, "answers by switching to another protocol");
    } while (head->status < 200);
    return read_body(reader, head);
}

/* Header and body in one piece: they leave in one TLS record and one packet where they fit. */
void http_compose(struct buffer *text, const char *host, const char *method, const char *path,
                  const char *body)
{
    buffer_printf(text, "%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: " USER_AGENT "\r\n", method,
                  path, host);
    if (body != NULL)
        buffer_printf(text, "Content-Type: application/json\r\nContent-Length: %zu\r\n",
                      strlen(body));
    buffer_append_string(text, "\r\n");
    if (body != NULL)
        buffer_append_string(text, body);
}

/* Is it only that the connection lay idle for too long? */
static int broken(struct http_connection *connection, bool answered, int64_t deadline,
                  const struct error *error)
{
    connection->closed = true;
    connection->stale = connection->used && !answered && error->kind == ERROR_UNREACHABLE &&
                        net_clock_ms() < deadline;
    return -1;
}

int http_send(struct http_connection *connection, const struct buffer *text, int64_t deadline,
              struct error *error)
{
    if (connection->stream.write(connection->stream.context, text->data, text->length, deadline,
                                 error) != 0)
        return broken(connection, false, deadline, error);
    connection->pending++;
    return 0;
}

int http_receive(struct http_connection *connection, int64_t first, int64_t deadline,
                 const struct http_sink *sink, struct http_response *response, struct error *error)
{
    struct reader reader = {.connection = connection,
                            .first = first,
                            .deadline = deadline,
                            .answered = available(connection) != 0,
                            .head_left = HTTP_MAX_HEAD,
                            .sink = sink,
                            .body = &response->body,
                            .error = error};
    struct head head;

    *response = (struct http_response){0};
    if (read_response(&reader, &head) != 0) {
        buffer_wipe(&response->body);
        return broken(connection, reader.answered, first, error);
    }
    response->status = head.status;
    connection->used = true;
    connection->pending--;
    /* Bytes behind the last response answer nothing that was asked (RFC 9112 9.2). */
    connection->closed = head.close || (connection->pending == 0 && available(connection) != 0);
    return 0;
}

bool http_has_input(const struct http_connection *connection)
{
    return available(connection) != 0;
}

/* What came may have held secrets: LXD's configuration is in the answer to /1.0. */
void http_connection_free(struct http_connection *connection)
{
    buffer_wipe(&connection->input);
    connection->closed = true;
}
