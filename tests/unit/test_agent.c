/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent_bytes.h"
#include "base/buffer.h"
#include "juju/agent.h"

#define CONTEXT "u/0-x-1"
#define CALL_MS 1000

static const char *const is_leader[] = {"is-leader", "--format=json", NULL};

/* ---- the unit agent ---- */

/* Its end of the connection. What it says may be said before it is asked. */
struct peer {
    int listener, connection;
    char path[64];
    struct agent *agent;
};

static int set_up(void **state)
{
    struct peer *peer = mem_alloc(sizeof *peer);
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    snprintf(peer->path, sizeof peer->path, "/tmp/test-agent-%d.socket", (int)getpid());
    strcpy(address.sun_path, peer->path);
    peer->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(peer->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(peer->listener, 1), 0);
    setenv("JUJU_AGENT_SOCKET_NETWORK", "unix", 1);
    setenv("JUJU_AGENT_SOCKET_ADDRESS", peer->path, 1);
    setenv("JUJU_CONTEXT_ID", CONTEXT, 1);
    assert_int_equal(chdir("/"), 0);
    *state = peer;
    return 0;
}

static void connect_peer(struct peer *peer)
{
    struct error error;

    if (agent_open(&peer->agent, CALL_MS, &error) != 0)
        fail_msg("%s", error.text);
    peer->connection = accept(peer->listener, NULL, NULL);
    assert_true(peer->connection >= 0);
}

static void disconnect_peer(struct peer *peer)
{
    agent_close(peer->agent);
    close(peer->connection);
    peer->agent = NULL;
}

static int tear_down(void **state)
{
    struct peer *peer = *state;

    close(peer->listener);
    unlink(peer->path);
    free(peer);
    return 0;
}

static void say(const struct peer *peer, const char *hex)
{
    uint8_t data[2048];
    size_t length = from_hex(data, hex);

    assert_int_equal(write(peer->connection, data, length), length);
}

/* All that the client has sent, and nothing else. */
static void assert_heard(const struct peer *peer, const char *hex)
{
    uint8_t expected[2048], data[2048];
    size_t length = from_hex(expected, hex);

    assert_int_equal(recv(peer->connection, data, sizeof data, MSG_DONTWAIT), length);
    assert_memory_equal(data, expected, length);
}

static int call(struct peer *peer, const char *const arguments[], struct juju_reply *reply,
                struct error *error)
{
    struct juju_transport transport = agent_transport(peer->agent);

    *reply = (struct juju_reply){0};
    return transport.call(transport.context, arguments, NULL, 0, reply, error);
}

static void reply_free(struct juju_reply *reply)
{
    buffer_free(&reply->output);
    buffer_free(&reply->message);
}

static void assert_answer(struct peer *peer, int code, const char *output, const char *message)
{
    struct juju_reply reply;
    struct error error;

    if (call(peer, is_leader, &reply, &error) != 0)
        fail_msg("%s", error.text);
    assert_int_equal(reply.code, code);
    assert_string_equal(buffer_string(&reply.output), output);
    assert_string_equal(buffer_string(&reply.message), message);
    assert_false(reply.cut);
    reply_free(&reply);
}

static void assert_no_answer(struct peer *peer, const char *expected)
{
    struct juju_reply reply;
    struct error error;

    assert_int_equal(call(peer, is_leader, &reply, &error), -1);
    assert_int_equal(error.kind, ERROR_HOOK);
    assert_string_equal(error.text, expected);
    reply_free(&reply);
}

/* ---- calls ---- */

static void test_exact_bytes(void **state)
{
    struct peer *peer = *state;

    connect_peer(peer);
    say(peer, FIRST_REPLY);
    assert_answer(peer, 0, "true\n", "");
    assert_heard(peer, DEFINE_HEADER HEADER_0 DEFINE_REQUEST REQUEST);
    say(peer, RESPONSE_1 ANSWER_FAILED);
    assert_answer(peer, 1, "", "ERROR no\n");
    assert_heard(peer, HEADER_1 REQUEST);
    disconnect_peer(peer);
}

static void test_standard_input(void **state)
{
    static const char *const arguments[] = {"x", NULL};
    struct peer *peer = *state;
    struct juju_reply reply = {0};
    struct error error;

    connect_peer(peer);
    struct juju_transport transport = agent_transport(peer->agent);
    say(peer, FIRST_REPLY);
    assert_int_equal(transport.call(transport.context, arguments, "in", 2, &reply, &error), 0);
    assert_heard(peer, DEFINE_HEADER HEADER_0 DEFINE_REQUEST REQUEST_IN);
    reply_free(&reply);
    say(peer, RESPONSE_1 ANSWER_TRUE);
    assert_int_equal(transport.call(transport.context, arguments, "", 0, &reply, &error), 0);
    assert_heard(peer, HEADER_1 REQUEST_EMPTY);
    reply_free(&reply);
    disconnect_peer(peer);
}

/* A refused call is told apart from a command that failed, and does not end the connection. */
static void test_refusal(void **state)
{
    struct peer *peer = *state;

    connect_peer(peer);
    say(peer, FIRST_REPLY);
    assert_answer(peer, 0, "true\n", "");
    say(peer, REFUSAL_1 DEFINE_NOTHING NOTHING);
    assert_no_answer(peer,
                     "is-leader: the unit agent refused it: bad request: unknown command: nope");
    assert_false(agent_is_broken(peer->agent));
    say(peer, RESPONSE_2 ANSWER_TRUE);
    assert_answer(peer, 0, "true\n", "");
    disconnect_peer(peer);
}

/* Read a request of at least so many bytes, then answer, as a process of its own. */
static pid_t serve(const struct peer *peer, size_t request, const struct buffer *reply)
{
    pid_t pid = fork();
    char data[65536];

    if (pid != 0)
        return pid;
    alarm(10);
    agent_close(peer->agent); /* so that the end of the test is the end of this one */
    while (request > 0) {
        ssize_t count = read(peer->connection, data, sizeof data);
        if (count <= 0)
            _exit(1);
        request -= (size_t)count < request ? (size_t)count : request;
    }
    for (size_t sent = 0; sent < reply->length;) {
        ssize_t count = write(peer->connection, reply->data + sent, reply->length - sent);
        if (count <= 0)
            _exit(2);
        sent += (size_t)count;
    }
    _exit(0);
}

/* A field's value, or a message, with its length in front. */
static void add(struct buffer *stream, const void *data, size_t length)
{
    const uint8_t bytes[] = {(uint8_t)(length >> 24), (uint8_t)(length >> 16),
                             (uint8_t)(length >> 8), (uint8_t)length};

    buffer_append(stream, "\xfc", 1);
    buffer_append(stream, bytes, sizeof bytes);
    buffer_append(stream, data, length);
}

/* More than sockets hold, both ways, and more than is kept. */
static void test_much(void **state)
{
    static const char *const arguments[] = {"x", NULL};
    static const size_t input_length = 2 * 1024 * 1024, output_length = JUJU_MAX_OUTPUT + 1;
    struct peer *peer = *state;
    char *input = mem_alloc(input_length), *output = mem_alloc(output_length);
    struct buffer stream = {0}, body = {0};
    uint8_t types[512];
    struct juju_reply reply = {0};
    struct error error;
    int status;

    buffer_append(&body, "\xff\x8a\x01\x06\x01", 5); /* Code 3, Stdout */
    add(&body, output, output_length);
    buffer_append(&body, "\x01", 1); /* Stderr */
    add(&body, output, JUJU_MAX_MESSAGE + 1);
    buffer_append(&body, "", 1);
    buffer_append(&stream, types, from_hex(types, DEFINE_RESPONSE RESPONSE_0 DEFINE_ANSWER));
    add(&stream, body.data, body.length);
    connect_peer(peer);
    pid_t server = serve(peer, input_length, &stream);
    struct juju_transport transport = agent_transport(peer->agent);
    if (transport.call(transport.context, arguments, input, input_length, &reply, &error) != 0)
        fail_msg("%s", error.text);
    assert_int_equal(reply.code, 3);
    assert_true(reply.cut);
    assert_int_equal(reply.output.length, JUJU_MAX_OUTPUT);
    assert_int_equal(reply.message.length, JUJU_MAX_MESSAGE);
    disconnect_peer(peer);
    assert_int_equal(waitpid(server, &status, 0), server);
    assert_int_equal(status, 0);
    reply_free(&reply);
    buffer_free(&stream);
    buffer_free(&body);
    free(input);
    free(output);
}

/* ---- what goes wrong ---- */

static void assert_broken(struct peer *peer, const char *said, const char *expected)
{
    connect_peer(peer);
    say(peer, said);
    shutdown(peer->connection, SHUT_WR);
    assert_no_answer(peer, expected);
    assert_true(agent_is_broken(peer->agent));
    assert_no_answer(peer, "is-leader: the connection to the unit agent is broken");
    disconnect_peer(peer);
}

static void test_every_truncation(void **state)
{
    char said[] = FIRST_REPLY;

    for (size_t length = sizeof said - 1; length > 0; length -= 2) {
        said[length - 2] = '\0';
        assert_broken(*state, said, "is-leader: the unit agent closed the connection");
    }
}

#define ODD "is-leader: the unit agent answers in a way that is not understood: "

static void test_wrong_shapes(void **state)
{
    struct peer *peer = *state;

    assert_broken(peer, "0548656c6c6f", ODD "a value is no struct");
    assert_broken(peer, DEFINE_RESPONSE RESPONSE_1 DEFINE_ANSWER ANSWER_TRUE,
                  ODD "it is about another call");
    assert_broken(peer, FIRST_REPLY RESPONSE_1 ANSWER_TRUE,
                  ODD "something follows where it should end");
    assert_broken(peer, DEFINE_RESPONSE RESPONSE_0 DEFINE_ANSWER "07ff8a01fe020000",
                  ODD "an exit status is not within 0 and 255");
}

/* An announcement is waited for; one of too much ends it. */
static void test_announced_lengths(void **state)
{
    struct peer *peer = *state;

    connect_peer(peer);
    say(peer, "fc07000000"); /* 112 MiB */
    shutdown(peer->connection, SHUT_WR);
    assert_no_answer(peer, "is-leader: the unit agent closed the connection");
    disconnect_peer(peer);
    assert_broken(peer, "fc07000001", ODD "it is over 112 MiB");
    assert_broken(peer, "f8ffffffffffffffff", ODD "it is over 112 MiB");
    assert_broken(peer, "80", ODD "it is over 112 MiB");
}

static void test_silence(void **state)
{
    struct peer *peer = *state;

    connect_peer(peer);
    say(peer, DEFINE_RESPONSE);
    assert_no_answer(peer, "is-leader: the unit agent did not answer within 1 s");
    assert_true(agent_is_broken(peer->agent));
    disconnect_peer(peer);
}

/* It goes before it is asked: no SIGPIPE. */
static void test_hanging_up(void **state)
{
    struct peer *peer = *state;

    connect_peer(peer);
    close(peer->connection);
    assert_no_answer(peer, "is-leader: the unit agent broke the connection: Broken pipe");
    disconnect_peer(peer);
}

/* ---- connecting ---- */

static void assert_not_opened(const char *expected)
{
    struct agent *agent = NULL;
    struct error error;

    assert_int_equal(agent_open(&agent, CALL_MS, &error), -1);
    assert_null(agent);
    assert_int_equal(error.kind, ERROR_HOOK);
    assert_string_equal(error.text, expected);
}

static void test_no_agent(void **state)
{
    char expected[512], path[200];

    (void)state;
    setenv("JUJU_AGENT_SOCKET_NETWORK", "tcp", 1);
    assert_not_opened("JUJU_AGENT_SOCKET_NETWORK is \"tcp\", not \"unix\"");
    setenv("JUJU_AGENT_SOCKET_NETWORK", "", 1);
    assert_not_opened("JUJU_AGENT_SOCKET_NETWORK is not set");
    setenv("JUJU_AGENT_SOCKET_NETWORK", "unix", 1);
    unsetenv("JUJU_CONTEXT_ID");
    assert_not_opened("JUJU_CONTEXT_ID is not set");
    setenv("JUJU_CONTEXT_ID", CONTEXT, 1);
    setenv("JUJU_AGENT_SOCKET_ADDRESS", "/nonexistent", 1);
    assert_not_opened("the unit agent's socket /nonexistent: No such file or directory");
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    setenv("JUJU_AGENT_SOCKET_ADDRESS", path, 1);
    snprintf(expected, sizeof expected, "the unit agent's socket %s: its path is too long", path);
    assert_not_opened(expected);
    unsetenv("JUJU_AGENT_SOCKET_ADDRESS");
    assert_not_opened("JUJU_AGENT_SOCKET_ADDRESS is not set");
}

static void test_abstract_socket(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct peer *peer = *state;
    char name[64];

    int length = snprintf(name, sizeof name, "@test-agent-%d", (int)getpid());
    memcpy(address.sun_path + 1, name + 1, (size_t)length - 1);
    close(peer->listener);
    peer->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(peer->listener, (struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)length)),
                     0);
    assert_int_equal(listen(peer->listener, 1), 0);
    setenv("JUJU_AGENT_SOCKET_ADDRESS", name, 1);
    connect_peer(peer);
    say(peer, FIRST_REPLY);
    assert_answer(peer, 0, "true\n", "");
    disconnect_peer(peer);
}

/* The agent ends a hook when nobody holds its socket any more. */
static void test_socket_is_let_go(void **state)
{
    struct peer *peer = *state;
    int lowest = dup(STDIN_FILENO);
    char byte;

    close(lowest);
    connect_peer(peer);
    assert_int_equal(fcntl(lowest, F_GETFD), FD_CLOEXEC);
    agent_close(peer->agent);
    assert_int_equal(read(peer->connection, &byte, 1), 0);
    close(peer->connection);
    agent_close(NULL);
}

#define test(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_exact_bytes),       test(test_standard_input),
        test(test_refusal),           test(test_much),
        test(test_every_truncation),  test(test_wrong_shapes),
        test(test_announced_lengths), test(test_silence),
        test(test_hanging_up),        test(test_no_agent),
        test(test_abstract_socket),   test(test_socket_is_let_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
