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

#define CHUNK (16 * 1024 - 1) /* with its NUL a power of two */

/* Bytes that an answer of some size is kept in. musl asks the kernel for the pages of such pieces,
 * and gives them back with the last one; so one is held, and the others come and go beside it. */
#define TYPICAL 4096

struct agent {
    int fd; /* -1: broken */
    int call_ms;
    const char *context_id;
    char directory[PATH_MAX];
    struct gob_client client;
    struct buffer input; /* of one call; may hold a private key, and is wiped after it */
    void *held;          /* see TYPICAL */
};

/* ---- connecting ---- */

static int variable(const char *name, const char **value, struct error *error)
{
    *value = getenv(name);
    if (*value == NULL || **value == '\0')
        return error_set(error, ERROR_HOOK, "%s is not set", name);
    return 0;
}

/* text is a path, or with '@' in front the name of an abstract socket. Returns the socket, or -1.
 */
static int connect_to(const char *text, struct error *error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(text);

    if (length >= sizeof address.sun_path)
        return error_set(error, ERROR_HOOK, "the unit agent's socket %s: its path is too long",
                         text);
    memcpy(address.sun_path, text, length);
    if (text[0] == '@')
        address.sun_path[0] = '\0';
    else
        length++; /* the NUL of a path counts, an abstract name has none */
    length += offsetof(struct sockaddr_un, sun_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, (socklen_t)length) == 0)
        return fd;
    error_set(error, ERROR_HOOK, "the unit agent's socket %s: %s", text, strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

int agent_open(struct agent **agent, int call_ms, struct error *error)
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
    opened->call_ms = call_ms;
    opened->context_id = context_id;
    buffer_reserve(&opened->input, CHUNK);
    opened->held = mem_alloc(TYPICAL);
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
    buffer_free(&agent->input);
    free(agent->held);
    free(agent);
}

/* ---- calls: errors are in words to follow "the unit agent" ---- */

static int wait_for(const struct agent *agent, short events, int64_t deadline, struct error *error)
{
    if (net_wait(agent->fd, events, deadline, error) != 0)
        return error_set(error, ERROR_HOOK, "did not answer within %d s", agent->call_ms / 1000);
    return 0;
}

static int send_call(const struct agent *agent, const struct gob_call *call, int64_t deadline,
                     struct error *error)
{
    size_t size = gob_write_call(&agent->client, NULL, call), sent = 0;
    char *data = mem_alloc(size);
    int result = 0;

    gob_write_call(&agent->client, data, call);
    while (sent < size && result == 0) {
        ssize_t count = send(agent->fd, data + sent, size - sent, MSG_NOSIGNAL);

        if (count >= 0)
            sent += (size_t)count;
        else if (errno == EAGAIN || errno == EINTR)
            result = wait_for(agent, POLLOUT, deadline, error);
        else
            result = error_set(error, ERROR_HOOK, "broke the connection: %s", strerror(errno));
    }
    free(data);
    return result;
}

static int receive_reply(struct agent *agent, int64_t deadline, struct error *error)
{
    struct buffer *input = &agent->input;
    enum gob_result result = GOB_MORE;
    const char *fault;

    while (result == GOB_MORE) {
        if (wait_for(agent, POLLIN, deadline, error) != 0)
            return -1;
        buffer_reserve(input, CHUNK);
        ssize_t count = recv(agent->fd, input->data + input->length, CHUNK, 0);
        if (count < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (count < 0)
            return error_set(error, ERROR_HOOK, "broke the connection: %s", strerror(errno));
        if (count == 0)
            return error_set(error, ERROR_HOOK, "closed the connection");
        input->length += (size_t)count;
        result = gob_read_reply(&agent->client, input->data, input->length, &fault);
    }
    if (result == GOB_FAULT)
        return error_set(error, ERROR_HOOK, "answers in a way that is not understood: %s", fault);
    return 0;
}

static void keep(struct buffer *kept, const struct agent *agent, struct gob_bytes bytes,
                 size_t limit)
{
    buffer_append(kept, agent->input.data + bytes.start,
                  bytes.length < limit ? bytes.length : limit);
}

static int agent_call(void *context, const char *const arguments[], const void *input,
                      size_t length, struct juju_reply *reply, struct error *error)
{
    struct agent *agent = context;
    const struct gob_reply *answer = &agent->client.reply;
    const struct gob_call call = {agent->context_id, agent->directory, arguments, input, length};
    int64_t deadline = net_clock_ms() + agent->call_ms;
    struct error cause;

    if (agent_is_broken(agent))
        return error_set(error, ERROR_HOOK, "%s: the connection to the unit agent is broken",
                         arguments[0]);
    int result = send_call(agent, &call, deadline, &cause);
    if (result == 0)
        result = receive_reply(agent, deadline, &cause);
    if (result != 0) {
        hang_up(agent);
    } else if (answer->refusal.length != 0) {
        result = error_set(&cause, ERROR_HOOK, "refused it: %.*s", (int)answer->refusal.length,
                           agent->input.data + answer->refusal.start);
    } else {
        reply->code = answer->code;
        reply->cut = answer->output.length > JUJU_MAX_OUTPUT;
        keep(&reply->output, agent, answer->output, JUJU_MAX_OUTPUT);
        keep(&reply->message, agent, answer->message, JUJU_MAX_MESSAGE);
    }
    if (agent->input.length != 0)
        bytes_wipe(agent->input.data, agent->input.length);
    buffer_clear(&agent->input);
    if (result != 0)
        error_set(error, ERROR_HOOK, "%s: the unit agent %s", arguments[0], cause.text);
    return result;
}

struct juju_transport agent_transport(struct agent *agent)
{
    return (struct juju_transport){.context = agent, .call = agent_call};
}
