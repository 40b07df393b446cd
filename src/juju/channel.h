/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JUJU_CHANNEL_H
#define JUJU_CHANNEL_H

#include "juju/agent.h"
#include "juju/transport.h"

/*
 * Which way a hook reaches Juju. The unit agent's socket comes first. Whatever goes wrong there
 * before a call is answered leads to the hook commands instead, and a DEBUG line says why; after
 * that there is no way back, since what a hook writes is one transaction.
 *
 * LXD_INTEGRATOR_IO=agent or =exec in the environment leaves no choice.
 */
enum channel_way { CHANNEL_UNDECIDED, CHANNEL_AGENT, CHANNEL_COMMANDS };

struct channel {
    struct juju_transport juju; /* to be used; the rest is the channel's own */
    enum channel_way way, forced;
    struct agent *agent;
    void (*shut_in)(const struct juju_transport *juju, enum channel_way way);
};

/* `shut_in` is what juju_enclose calls, once a call has decided the way. The channel does not move
 * while it is open. */
void channel_open(struct channel *channel,
                  void (*shut_in)(const struct juju_transport *juju, enum channel_way way));

/* Returns -1 where the agent was lost midway: the hook must fail then, whatever else it thinks. */
int channel_close(struct channel *channel);

#endif
