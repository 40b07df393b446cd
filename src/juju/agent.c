/* SPDX-License-Identifier: Apache-2.0 */
#include "juju/agent.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/net.h"
#include "juju/gob.h"

#define MAX_REPLY (64 * 1024 * 1024) /* of all messages of one reply together */
#define CHUNK (16 * 1024 - 1)        /* with its NUL a power of two */

struct agent {
    int fd; /* -1: broken */
    const char *context_id;
    char directory[PATH_MAX]; /* what a hook command would run in */
    uint64_t calls;           /* made so far */
    struct gob_types types;   /* that the agent has defined */
    struct buffer input;      /* of one call; may hold a private key, and is wiped after it */
};

/* ---- connecting ---- */

static int variable(const char *name, const char **value, struct error *error)
{
    *value = getenv(name);
    if (*value == NULL || **value == '\0')
        return error_set(error, ERROR_HOOK, "%s is not set", name);
    return 0;
}

/* A path, or with '@' in front the name of an abstract socket. Returns its size, 0 if too long. */
static socklen_t parse_address(struct sockaddr_un *address, const char *text)
{
    size_t length = strlen(text);

    if (length >= sizeof address->sun_path)
        return 0;
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(address->sun_path, text, length);
    if (text[0] == '@')
        address->sun_path[0] = '\0';
    else
        length++; /* the NUL of a path counts, an abstract name has none */
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
}

/* Returns the socket, or -1. */
static int connect_to(const char *text, struct error *error)
{
    struct sockaddr_un address;
    socklen_t size = parse_address(&address, text);

    if (size == 0)
        return error_set(error, ERROR_HOOK, "the unit agent's socket %s: its path is too long",
                         text);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, size) == 0)
        return fd;
    error_set(error, ERROR_HOOK, "the unit agent's socket %s: %s", text, strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

int agent_open(struct agent **agent, struct error *error)
{
    const char *network, *address, *context_id;

    if (variable("JUJU_AGENT_SOCKET_NETWORK", &network, error) != 0 ||
        variable("JUJU_AGENT_SOCKET_ADDRESS", &address, error) != 0 ||
        variable("JUJU_CONTEXT_ID", &context_id, error) != 0)
        return -1;
    if (strcmp(network, "unix") != 0)
        return error_set(error, ERROR_HOOK, "JUJU_AGENT_SOCKET_NETWORK is \"%s\", not \"unix\"",
                         network);
    struct agent *opened = mem_alloc(sizeof *opened);
    opened->fd = -1;
    opened->context_id = context_id;
    buffer_reserve(&opened->input, CHUNK);
    if (getcwd(opened->directory, sizeof opened->directory) == NULL)
        error_set(error, ERROR_HOOK, "the working directory has no name: %s", strerror(errno));
    else
        opened->fd = connect_to(address, error);
    if (opened->fd < 0) {
        agent_close(opened);
        return -1;
    }
    *agent = opened;
    return 0;
}

static void hang_up(struct agent *agent)
{
    if (agent->fd >= 0)
        close(agent->fd);
    agent->fd = -1;
}

bool agent_is_broken(const struct agent *agent)
{
    return agent->fd < 0;
}

void agent_close(struct agent *agent)
{
    if (agent == NULL)
        return;
    hang_up(agent);
    gob_types_free(&agent->types);
    buffer_free(&agent->input);
    free(agent);
}

/* ---- requests ---- */

/* What we send: net/rpc's Request, which is a header, and that of Juju's jujuc. */
enum { HEADER_TYPE = GOB_FIRST_TYPE + 1, REQUEST_TYPE, STRINGS_TYPE };
enum { METHOD, SEQUENCE, HEADER_FIELDS };
enum { CONTEXT_ID, DIRECTORY, COMMAND_NAME, ARGUMENTS, STDIN_SET, STDIN, REQUEST_FIELDS };

static void define_header(struct buffer *stream)
{
    static const struct gob_field fields[HEADER_FIELDS] = {
        [METHOD] = {"ServiceMethod", GOB_STRING},
        [SEQUENCE] = {"Seq", GOB_UINT},
    };

    gob_define_struct(stream, HEADER_TYPE, "Request", fields, HEADER_FIELDS);
}

static void define_request(struct buffer *stream)
{
    static const struct gob_field fields[REQUEST_FIELDS] = {
        [CONTEXT_ID] = {"ContextId", GOB_STRING}, /* in this order */
        [DIRECTORY] = {"Dir", GOB_STRING},        [COMMAND_NAME] = {"CommandName", GOB_STRING},
        [ARGUMENTS] = {"Args", STRINGS_TYPE},     [STDIN_SET] = {"StdinSet", GOB_BOOL},
        [STDIN] = {"Stdin", GOB_BYTES},
    };

    gob_define_struct(stream, REQUEST_TYPE, "Request", fields, REQUEST_FIELDS);
    gob_define_slice(stream, STRINGS_TYPE, "[]string", GOB_STRING);
}

static void write_header(struct buffer *stream, uint64_t sequence)
{
    struct gob_writer writer;

    gob_begin(&writer, HEADER_TYPE);
    gob_write_string(&writer, METHOD, "Jujuc.Main");
    gob_write_uint(&writer, SEQUENCE, sequence);
    gob_end(&writer, stream);
}

static void write_request(struct buffer *stream, const struct agent *agent,
                          const char *const arguments[], const void *input, size_t length)
{
    struct gob_writer writer;

    gob_begin(&writer, REQUEST_TYPE);
    gob_write_string(&writer, CONTEXT_ID, agent->context_id);
    gob_write_string(&writer, DIRECTORY, agent->directory);
    gob_write_string(&writer, COMMAND_NAME, arguments[0]);
    gob_write_strings(&writer, ARGUMENTS, arguments + 1);
    gob_write_bool(&writer, STDIN_SET, input != NULL);
    gob_write_bytes(&writer, STDIN, input, length);
    gob_end(&writer, stream);
}

/* Types are defined by the first call, each before its first value. */
static void write_call(struct buffer *stream, const struct agent *agent,
                       const char *const arguments[], const void *input, size_t length)
{
    if (agent->calls == 0)
        define_header(stream);
    write_header(stream, agent->calls);
    if (agent->calls == 0)
        define_request(stream);
    write_request(stream, agent, arguments, input, length);
}

/* ---- the connection ---- */

/* One call's time on the connection. Errors are in words to follow "the unit agent". */
struct exchange {
    struct agent *agent;
    int64_t deadline;
    size_t used; /* how much of the input is read */
};

static int wait_for(const struct exchange *exchange, short events, struct error *error)
{
    if (net_wait(exchange->agent->fd, events, exchange->deadline, error) != 0)
        return error_set(error, ERROR_HOOK, "did not answer within %d s", JUJU_CALL_MS / 1000);
    return 0;
}

static int lost(struct error *error)
{
    return error_set(error, ERROR_HOOK, "broke the connection: %s", strerror(errno));
}

static int send_all(const struct exchange *exchange, const struct buffer *stream,
                    struct error *error)
{
    size_t sent = 0;

    while (sent < stream->length) {
        ssize_t count =
            send(exchange->agent->fd, stream->data + sent, stream->length - sent, MSG_NOSIGNAL);
        if (count >= 0)
            sent += (size_t)count;
        else if (errno != EAGAIN && errno != EINTR)
            return lost(error);
        else if (wait_for(exchange, POLLOUT, error) != 0)
            return -1;
    }
    return 0;
}

static int receive(struct exchange *exchange, struct error *error)
{
    struct buffer *input = &exchange->agent->input;
    ssize_t count;

    buffer_reserve(input, CHUNK);
    do {
        if (wait_for(exchange, POLLIN, error) != 0)
            return -1;
        count = recv(exchange->agent->fd, input->data + input->length, CHUNK, 0);
    } while (count < 0 && (errno == EAGAIN || errno == EINTR));
    if (count < 0)
        return lost(error);
    if (count == 0)
        return error_set(error, ERROR_HOOK, "closed the connection");
    input->length += (size_t)count;
    return 0;
}

/* The next message; the next call may move it. */
static int receive_message(struct exchange *exchange, struct gob_bytes *message,
                           struct error *error)
{
    const struct buffer *input = &exchange->agent->input;
    uint64_t length;
    int prefix;

    while ((prefix = gob_read_length(input->data + exchange->used, input->length - exchange->used,
                                     &length)) == 0) {
        if (receive(exchange, error) != 0)
            return -1;
    }
    if (prefix < 0 || length > MAX_REPLY || exchange->used + length > MAX_REPLY)
        return error_set(error, ERROR_HOOK, "answers more than %d MiB", MAX_REPLY / 1024 / 1024);
    exchange->used += (size_t)prefix;
    while (input->length - exchange->used < length) {
        if (receive(exchange, error) != 0)
            return -1;
    }
    *message = (struct gob_bytes){input->data + exchange->used, (size_t)length};
    exchange->used += (size_t)length;
    return 0;
}

/* ---- replies ---- */

/* The next value, with the definitions before it. */
static int read_value(struct exchange *exchange, const struct gob_target *targets, size_t count,
                      struct error *error)
{
    struct gob_bytes message = {"", 0};
    const char *fault;

    for (;;) {
        if (receive_message(exchange, &message, error) != 0)
            return -1;
        switch (gob_read(&exchange->agent->types, message.data, message.length, targets, count,
                         &fault)) {
        case GOB_VALUE:
            return 0;
        case GOB_DEFINITION:
            break;
        case GOB_FAULT:
            return error_set(error, ERROR_HOOK, "answers in a way that is not understood: %s",
                             fault);
        }
    }
}

/* A reply begins with net/rpc's Response: which call it is about, and whether the call was refused.
 */
static int read_header(struct exchange *exchange, bool *refused, struct error *error)
{
    uint64_t sequence = 0;
    struct gob_bytes refusal = {"", 0};
    const struct gob_target header[] = {{"Seq", GOB_UINT, &sequence},
                                        {"Error", GOB_STRING, &refusal}};

    if (read_value(exchange, header, 2, error) != 0)
        return -1;
    if (sequence != exchange->agent->calls)
        return error_set(error, ERROR_HOOK, "answers another call");
    *refused = refusal.length != 0;
    if (*refused)
        error_set(error, ERROR_HOOK, "refused it: %.*s", (int)refusal.length, refusal.data);
    return 0;
}

static void keep(struct buffer *buffer, const struct gob_bytes *bytes, size_t limit)
{
    buffer_append(buffer, bytes->data, bytes->length < limit ? bytes->length : limit);
}

/* The body is a reply's last message. */
static int read_body(struct exchange *exchange, const struct gob_target *targets, size_t count,
                     struct error *error)
{
    if (read_value(exchange, targets, count, error) != 0)
        return -1;
    if (exchange->used != exchange->agent->input.length)
        return error_set(error, ERROR_HOOK, "answers more than one call");
    return 0;
}

/* What the command did (juju/utils: exec.ExecResponse). */
static int read_answer(struct exchange *exchange, struct juju_reply *reply, struct error *error)
{
    int64_t code = 0;
    struct gob_bytes output = {"", 0}, message = {"", 0};
    const struct gob_target answer[] = {
        {"Code", GOB_INT, &code}, {"Stdout", GOB_BYTES, &output}, {"Stderr", GOB_BYTES, &message}};

    if (read_body(exchange, answer, 3, error) != 0)
        return -1;
    if (code < 0 || code > UINT8_MAX)
        return error_set(error, ERROR_HOOK, "answers with exit status %lld", (long long)code);
    reply->code = (int)code;
    reply->cut = output.length > JUJU_MAX_OUTPUT;
    keep(&reply->output, &output, JUJU_MAX_OUTPUT);
    keep(&reply->message, &message, JUJU_MAX_MESSAGE);
    return 0;
}

/* Make a call. -1: the connection is of no use any more. */
static int exchange_with(struct exchange *exchange, const struct buffer *stream, bool *refused,
                         struct juju_reply *reply, struct error *error)
{
    if (send_all(exchange, stream, error) != 0 || read_header(exchange, refused, error) != 0)
        return -1;
    if (*refused)
        return read_body(exchange, NULL, 0, &(struct error){0});
    return read_answer(exchange, reply, error);
}

static int agent_call(void *context, const char *const arguments[], const void *input,
                      size_t length, struct juju_reply *reply, struct error *error)
{
    struct agent *agent = context;
    struct exchange exchange = {.agent = agent, .deadline = net_clock_ms() + JUJU_CALL_MS};
    struct buffer stream = {0};
    bool refused = false;

    if (agent_is_broken(agent))
        return error_set(error, ERROR_HOOK, "%s: the connection to the unit agent is broken",
                         arguments[0]);
    write_call(&stream, agent, arguments, input, length);
    int result = exchange_with(&exchange, &stream, &refused, reply, error);
    agent->calls++;
    if (result != 0)
        hang_up(agent);
    buffer_free(&stream);
    if (agent->input.length != 0)
        bytes_wipe(agent->input.data, agent->input.length);
    buffer_clear(&agent->input);
    if (result == 0 && !refused)
        return 0;
    struct error cause = *error;
    return error_set(error, ERROR_HOOK, "%s: the unit agent %s", arguments[0], cause.text);
}

struct juju_transport agent_transport(struct agent *agent)
{
    return (struct juju_transport){.context = agent, .call = agent_call};
}
