/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent_bytes.h"
#include "juju/channel.h"

/* ---- a unit agent, and a hook command is-leader on PATH that exits with 2 ---- */

static struct {
    char folder[32], socket[64], command[64];
    int listener;
    pthread_t thread;
    const char *const *answers; /* one a call, then it hangs up; NULL: there is no agent */
    atomic_uint opened, closed, calls;
} agent;

static struct {
    unsigned count;
    enum channel_way way; /* as it was then */
} enclosed;

/* With exit status 1: a command that fails is an answer, too. */
static const char first[] = DEFINE_RESPONSE RESPONSE_0 DEFINE_ANSWER ANSWER_FAILED;
static const char second[] = RESPONSE_1 ANSWER_FAILED;
static const char refusal[] = DEFINE_RESPONSE REFUSAL_0 DEFINE_NOTHING NOTHING;

static void *serve(void *unused)
{
    const char *const *answer = agent.answers;
    int connection;

    while ((connection = accept(agent.listener, NULL, NULL)) >= 0) {
        uint8_t data[4096];

        agent.opened++;
        while (recv(connection, data, sizeof data, 0) > 0) {
            agent.calls++;
            if (*answer == NULL)
                break;
            size_t length = from_hex(data, *answer++);
            if (write(connection, data, length) != (ssize_t)length)
                break;
        }
        close(connection);
        agent.closed++;
    }
    return unused;
}

static int set_up(void **state)
{
    (void)state;
    memset(&agent, 0, sizeof agent);
    memset(&enclosed, 0, sizeof enclosed);
    strcpy(agent.folder, "/tmp/test-channel-XXXXXX");
    assert_non_null(mkdtemp(agent.folder));
    snprintf(agent.socket, sizeof agent.socket, "%s/agent.socket", agent.folder);
    snprintf(agent.command, sizeof agent.command, "%s/is-leader", agent.folder);
    FILE *script = fopen(agent.command, "w");
    fputs("#!/bin/sh\nexit 2\n", script);
    fclose(script);
    assert_int_equal(chmod(agent.command, 0755), 0);
    setenv("PATH", agent.folder, 1);
    setenv("JUJU_CONTEXT_ID", "u/0-x-1", 1);
    setenv("JUJU_AGENT_SOCKET_NETWORK", "unix", 1);
    setenv("JUJU_AGENT_SOCKET_ADDRESS", agent.socket, 1);
    unsetenv("LXD_INTEGRATOR_IO");
    return 0;
}

static void start_agent(const char *const answers[])
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    strcpy(address.sun_path, agent.socket);
    agent.answers = answers;
    agent.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(agent.listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(agent.listener, 1), 0);
    assert_int_equal(pthread_create(&agent.thread, NULL, serve, NULL), 0);
}

/* Once all is closed on our side, which the agent waits for. */
static void assert_agent(unsigned opened, unsigned calls)
{
    shutdown(agent.listener, SHUT_RDWR);
    pthread_join(agent.thread, NULL);
    close(agent.listener);
    assert_int_equal(agent.opened, opened);
    assert_int_equal(agent.closed, opened);
    assert_int_equal(agent.calls, calls);
}

static int tear_down(void **state)
{
    (void)state;
    unlink(agent.socket);
    unlink(agent.command);
    return rmdir(agent.folder);
}

static void shut_in(const struct juju_transport *juju, enum channel_way way)
{
    assert_non_null(juju);
    enclosed.count++;
    enclosed.way = way;
}

/* Returns the exit status: 1 comes from the agent, 2 from the command; or -1. */
static int call(struct channel *channel)
{
    static const char *const arguments[] = {"is-leader", NULL};
    struct juju_reply reply = {0};
    struct error error;

    int result = channel->juju.call(channel->juju.context, arguments, NULL, 0, &reply, &error);
    buffer_free(&reply.output);
    buffer_free(&reply.message);
    if (result == 0)
        return reply.code;
    assert_int_equal(error.kind, ERROR_HOOK);
    return -1;
}

/* ---- which way it goes ---- */

static void test_agent(void **state)
{
    static const char *const answers[] = {first, second, NULL};
    struct channel channel;

    (void)state;
    start_agent(answers);
    channel_open(&channel, shut_in);
    assert_int_equal(call(&channel), 1);
    assert_int_equal(enclosed.count, 0);
    juju_enclose(&channel.juju);
    assert_int_equal(call(&channel), 1);
    assert_int_equal(channel_close(&channel), 0);
    assert_int_equal(enclosed.count, 1);
    assert_int_equal(enclosed.way, CHANNEL_AGENT);
    assert_agent(1, 2);
}

static void assert_commands_are_run(void)
{
    struct channel channel;

    channel_open(&channel, shut_in);
    assert_int_equal(call(&channel), 2);
    assert_int_equal(call(&channel), 2);
    juju_enclose(&channel.juju);
    assert_int_equal(channel_close(&channel), 0);
    assert_int_equal(enclosed.count, 1);
    assert_int_equal(enclosed.way, CHANNEL_COMMANDS);
}

static void test_no_agent(void **state)
{
    (void)state;
    assert_commands_are_run();
}

/* Once commands are run, the agent is left alone: whether it hangs up, refuses or talks nonsense.
 */
static void test_first_call_fails(void **state)
{
    static const char *const answers[][2] = {{NULL}, {refusal, NULL}, {"00", NULL}};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        enclosed.count = agent.opened = agent.closed = agent.calls = 0;
        start_agent(answers[i]);
        assert_commands_are_run();
        assert_agent(1, 1);
        unlink(agent.socket);
    }
}

static void test_no_way_back(void **state)
{
    static const char *const answers[] = {first, NULL};
    struct channel channel;

    (void)state;
    start_agent(answers);
    channel_open(&channel, shut_in);
    assert_int_equal(call(&channel), 1);
    assert_int_equal(call(&channel), -1);
    assert_int_equal(call(&channel), -1);
    assert_int_equal(channel_close(&channel), -1);
    assert_agent(1, 2);
}

static void test_forced_commands(void **state)
{
    static const char *const answers[] = {NULL};

    (void)state;
    setenv("LXD_INTEGRATOR_IO", "exec", 1);
    start_agent(answers);
    assert_commands_are_run();
    assert_agent(0, 0);
}

static void test_forced_agent(void **state)
{
    static const char *const answers[] = {refusal, RESPONSE_1 DEFINE_ANSWER ANSWER_FAILED, NULL};
    struct channel channel;

    (void)state;
    setenv("LXD_INTEGRATOR_IO", "agent", 1);
    channel_open(&channel, shut_in);
    assert_int_equal(call(&channel), -1);
    start_agent(answers);
    assert_int_equal(call(&channel), -1);
    assert_int_equal(call(&channel), 1);
    assert_int_equal(channel_close(&channel), 0);
    assert_agent(1, 2);
}

static void test_forced_nonsense(void **state)
{
    static const char *const answers[] = {refusal, NULL};
    struct channel channel;

    (void)state;
    setenv("LXD_INTEGRATOR_IO", "smoke signals", 1);
    start_agent(answers);
    channel_open(&channel, shut_in); /* a WARNING, which needs no call */
    assert_int_equal(call(&channel), 2);
    assert_int_equal(channel_close(&channel), 0);
    assert_agent(1, 1);
}

#define test(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_agent),           test(test_no_agent),        test(test_first_call_fails),
        test(test_no_way_back),     test(test_forced_commands), test(test_forced_agent),
        test(test_forced_nonsense),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
