/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JUJU_AGENT_H
#define JUJU_AGENT_H

#include "base/error.h"
#include "juju/transport.h"

/*
 * Hook commands without processes. A hook command is a small client of the unit agent, which it
 * calls over a Unix socket. This is the same client for all commands of a hook, over one
 * connection; gob.h has what is said there. It is Juju's own affair, so be ready to fall back on
 * the commands.
 */
struct agent;

/*
 * Connect to the agent that JUJU_AGENT_SOCKET_NETWORK, JUJU_AGENT_SOCKET_ADDRESS and
 * JUJU_CONTEXT_ID name; a call may take call_ms milliseconds. ERROR_HOOK where that is not
 * possible. Close it before the process ends: the agent waits for that.
 */
int agent_open(struct agent **agent, int call_ms, struct error *error);

/*
 * The transport of an open agent: the agent is its context. A call fails, beyond what transport.h
 * says, where the agent refuses it ("bad request: ..."). Where the agent does not answer in time,
 * or not as it should, the connection is closed, and all further calls fail.
 */
struct juju_transport agent_transport(struct agent *agent);

/* Has the connection been closed by a failed call? */
bool agent_is_broken(const struct agent *agent);

void agent_close(struct agent *agent); /* may be NULL */

#endif
