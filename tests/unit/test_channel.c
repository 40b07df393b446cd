/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "juju/channel.h"

/* An agent and hook commands that do as they are told, in the place of the real ones. */
struct agent {
    bool broken;
};

static struct {
    struct agent agent;
    bool unreachable; /* the agent */
    bool failing;     /* the agent, with whatever is called */
    unsigned opened, closed, agent_calls, commands;
    unsigned enclosed;
    enum channel_way way; /* as it was then */
} world;

int agent_open(struct agent **agent, struct error *error)
{
    world.opened++;
    if (world.unreachable)
        return error_set(error, ERROR_HOOK, "no agent");
    *agent = &world.agent;
    return 0;
}

bool agent_is_broken(const struct agent *agent)
{
    return agent->broken;
}

void agent_close(struct agent *agent)
{
    world.closed += agent != NULL;
}

static int call_of_agent(void *context, const char *const arguments[], const void *input,
                         size_t length, struct juju_reply *reply, struct error *error)
{
    (void)context, (void)arguments, (void)input, (void)length;
    world.agent_calls++;
    if (world.failing)
        return error_set(error, ERROR_HOOK, "agent failed");
    reply->code = 1; /* a command that fails is an answer, too */
    return 0;
}

struct juju_transport agent_transport(struct agent *agent)
{
    return (struct juju_transport){.context = agent, .call = call_of_agent};
}

static int call_of_commands(void *context, const char *const arguments[], const void *input,
                            size_t length, struct juju_reply *reply, struct error *error)
{
    (void)context, (void)arguments, (void)input, (void)length, (void)error;
    world.commands++;
    reply->code = 2;
    return 0;
}

const struct juju_transport juju_process_transport = {.call = call_of_commands};

static void shut_in(const struct juju_transport *juju, enum channel_way way)
{
    assert_non_null(juju);
    world.enclosed++;
    world.way = way;
}

static int set_up(void **state)
{
    (void)state;
    memset(&world, 0, sizeof world);
    unsetenv("LXD_INTEGRATOR_IO");
    return 0;
}

/* Returns the exit status, or -1. */
static int call(struct channel *channel)
{
    static const char *const arguments[] = {"is-leader", NULL};
    struct juju_reply reply = {0};
    struct error error;

    if (channel->juju.call(channel->juju.context, arguments, NULL, 0, &reply, &error) == 0)
        return reply.code;
    assert_int_equal(error.kind, ERROR_HOOK);
    return -1;
}

static void test_agent(void **state)
{
    struct channel channel;

    (void)state;
    channel_open(&channel, shut_in);
    assert_int_equal(call(&channel), 1);
    assert_int_equal(world.enclosed, 0);
    juju_enclose(&channel.juju);
    assert_int_equal(call(&channel), 1);
    assert_int_equal(channel_close(&channel), 0);
    assert_int_equal(world.enclosed, 1);
    assert_int_equal(world.way, CHANNEL_AGENT);
    assert_int_equal(world.opened, 1);
    assert_int_equal(world.closed, 1);
    assert_int_equal(world.agent_calls, 2);
    assert_int_equal(world.commands, 0);
}

/* Once commands are run, the agent is left alone. */
static void assert_commands_are_run(unsigned opened, unsigned agent_calls)
{
    struct channel channel;

    channel_open(&channel, shut_in);
    assert_int_equal(call(&channel), 2);
    world.unreachable = world.failing = false;
    assert_int_equal(call(&channel), 2);
    juju_enclose(&channel.juju);
    assert_int_equal(channel_close(&channel), 0);
    assert_int_equal(world.enclosed, 1);
    assert_int_equal(world.way, CHANNEL_COMMANDS);
    assert_int_equal(world.opened, opened);
    assert_int_equal(world.agent_calls, agent_calls);
    assert_int_equal(world.commands, 2);
}

static void test_no_agent(void **state)
{
    (void)state;
    world.unreachable = true;
    assert_commands_are_run(1, 0);
}

static void test_first_call_fails(void **state)
{
    (void)state;
    world.failing = true;
    assert_commands_are_run(1, 1);
    assert_int_equal(world.closed, 1);
}

static void test_no_way_back(void **state)
{
    struct channel channel;

    (void)state;
    channel_open(&channel, shut_in);
    assert_int_equal(call(&channel), 1);
    world.failing = world.agent.broken = true;
    assert_int_equal(call(&channel), -1);
    assert_int_equal(call(&channel), -1);
    assert_int_equal(world.commands, 0);
    assert_int_equal(channel_close(&channel), -1);
    assert_int_equal(world.closed, 1);
}

static void test_forced_commands(void **state)
{
    (void)state;
    setenv("LXD_INTEGRATOR_IO", "exec", 1);
    assert_commands_are_run(0, 0);
}

static void test_forced_agent(void **state)
{
    struct channel channel;

    (void)state;
    setenv("LXD_INTEGRATOR_IO", "agent", 1);
    world.unreachable = true;
    channel_open(&channel, shut_in);
    assert_int_equal(call(&channel), -1);
    world.unreachable = false;
    world.failing = true;
    assert_int_equal(call(&channel), -1);
    world.failing = false;
    assert_int_equal(call(&channel), 1);
    assert_int_equal(world.commands, 0);
    assert_int_equal(channel_close(&channel), 0);
}

static void test_forced_nonsense(void **state)
{
    struct channel channel;

    (void)state;
    setenv("LXD_INTEGRATOR_IO", "smoke signals", 1);
    channel_open(&channel, shut_in);
    assert_int_equal(call(&channel), 1);
    assert_int_equal(channel_close(&channel), 0);
}

#define test(function) cmocka_unit_test_setup(function, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_agent),           test(test_no_agent),        test(test_first_call_fails),
        test(test_no_way_back),     test(test_forced_commands), test(test_forced_agent),
        test(test_forced_nonsense),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
