/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/net.h"
#include "base/sandbox.h"
#include "charm/actions.h"
#include "charm/event.h"
#include "charm/pass.h"
#include "charm/upgrade.h"
#include "command_line.h"
#include "juju/channel.h"
#include "juju/hook_tools.h"
#include "lxd/stream.h"

static int run_charm(const struct juju_transport *juju, const struct event *event,
                     struct error *error)
{
    struct pass pass;

    if (event->kind == EVENT_ACTION)
        return action_run(juju, event, error);
    upgrade_clean(juju, event->charm_folder);
    pass_begin(&pass, juju, event);
    int result = pass_run(&pass, error);
    pass_end(&pass);
    return result;
}

/* 0 for all that a person or time will mend; -1 has Juju drop the hook's writes and try again. */
static int run_event(const struct juju_transport *juju)
{
    struct event event = {0};
    struct error error;
    int result = -1;

    if (event_read(&event, &error) != 0)
        goto out;
    result = run_charm(juju, &event, &error);
out:
    if (result != 0)
        juju_log(juju, JUJU_LOG_ERROR, "hook \"%s\" failed: %s", event.name, error.text);
    event_free(&event);
    return result;
}

static void read_network_configuration(const struct juju_transport *juju)
{
    struct strings warnings = {0};

    net_read_configuration(NET_RESOLV_CONF, NET_HOSTS, &warnings);
    stream_use_proxy(getenv("JUJU_CHARM_HTTPS_PROXY"), getenv("JUJU_CHARM_NO_PROXY"));
    for (size_t i = 0; i < warnings.count; i++)
        juju_log(juju, JUJU_LOG_WARNING, "%s", warnings.items[i]);
    strings_free(&warnings);
}

/* What comes from relations and from LXD is read in the sandbox. Before it closes comes what may
 * touch files, and is the operator's and Juju's: configuration, credentials, the machine's files
 * about names. */
static void shut_in(const struct juju_transport *juju, enum channel_way way)
{
    read_network_configuration(juju);
    const char *lacking = sandbox_enter(way == CHANNEL_AGENT ? SANDBOX_CLOSED : SANDBOX_PROGRAMS);

    if (lacking != NULL)
        juju_log(juju, JUJU_LOG_DEBUG,
                 "the sandbox is without %s, which this kernel does not offer", lacking);
}

/* What nameservers were asked, and what they said. */
static void log_questions(const struct juju_transport *juju)
{
    struct strings lines = {0};

    net_take_log(&lines);
    juju_log_lines(juju, JUJU_LOG_DEBUG, &lines, "answers of nameservers");
    strings_free(&lines);
}

static int run_hook(void)
{
    struct channel channel;

    sandbox_hide_memory();
    channel_open(&channel, shut_in);
    channel.juju.captured = event_is_action();
    int result = run_event(&channel.juju);
    log_questions(&channel.juju);
    stream_use_proxy(NULL, NULL); /* its password is wiped */
    if (channel_close(&channel) != 0)
        result = -1;
    return result == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char *argv[])
{
    const char *context = getenv("JUJU_CONTEXT_ID");

    signal(SIGPIPE, SIG_IGN);
    umask(077);
    if (context != NULL && *context != '\0')
        return run_hook();
    return command_line_run(argc, argv);
}
