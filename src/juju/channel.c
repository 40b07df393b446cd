/* SPDX-License-Identifier: Apache-2.0 */
#include "juju/channel.h"

#include <stdlib.h>
#include <string.h>

#include "juju/hook_tools.h"
#include "juju/process.h"

static int channel_call(void *context, const char *const arguments[], const void *input,
                        size_t length, struct juju_reply *reply, struct error *error)
{
    struct channel *channel = context;

    if (channel->way != CHANNEL_COMMANDS && channel->forced != CHANNEL_COMMANDS) {
        if (channel->agent != NULL || agent_open(&channel->agent, JUJU_CALL_MS, error) == 0) {
            struct juju_transport agent = agent_transport(channel->agent);

            if (agent.call(agent.context, arguments, input, length, reply, error) == 0) {
                channel->way = CHANNEL_AGENT;
                return 0;
            }
        }
        if (channel->way == CHANNEL_AGENT || channel->forced == CHANNEL_AGENT)
            return -1;
        agent_close(channel->agent); /* it waits for that */
        channel->agent = NULL;
        channel->way = CHANNEL_COMMANDS;
        juju_log(&channel->juju, JUJU_LOG_DEBUG,
                 "the unit agent is reached through hook commands: %s", error->text);
    }
    channel->way = CHANNEL_COMMANDS;
    return process_transport.call(process_transport.context, arguments, input, length, reply,
                                  error);
}

static void channel_enclose(void *context)
{
    struct channel *channel = context;

    channel->shut_in(&channel->juju, channel->way);
}

static enum channel_way forced_way(const struct juju_transport *juju)
{
    const char *value = getenv("LXD_INTEGRATOR_IO");

    if (value == NULL || *value == '\0')
        return CHANNEL_UNDECIDED;
    if (strcmp(value, "agent") == 0)
        return CHANNEL_AGENT;
    if (strcmp(value, "exec") == 0)
        return CHANNEL_COMMANDS;
    juju_log(juju, JUJU_LOG_WARNING, "LXD_INTEGRATOR_IO is \"%s\", not \"agent\" or \"exec\"",
             value);
    return CHANNEL_UNDECIDED;
}

void channel_open(struct channel *channel,
                  void (*shut_in)(const struct juju_transport *juju, enum channel_way way))
{
    *channel = (struct channel){
        .juju = {.context = channel, .call = channel_call, .enclose = channel_enclose},
        .shut_in = shut_in,
    };
    channel->forced = forced_way(&channel->juju);
}

int channel_close(struct channel *channel)
{
    bool lost = channel->way == CHANNEL_AGENT && agent_is_broken(channel->agent);

    agent_close(channel->agent);
    channel->agent = NULL;
    return lost ? -1 : 0;
}
