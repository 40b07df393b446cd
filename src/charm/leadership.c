/* SPDX-License-Identifier: Apache-2.0 */
#include "charm/leadership.h"

#include "juju/hook_tools.h"

bool leadership_held(struct leadership *leadership)
{
    struct error error;
    bool leader = false;

    if (leadership->answer == LEADERSHIP_NOT_ASKED) {
        if (juju_is_leader(leadership->juju, &leader, &error) != 0)
            juju_log(leadership->juju, JUJU_LOG_WARNING, "LXD is not changed in this hook: %s",
                     error.text);
        leadership->answer = leader ? LEADERSHIP_HELD : LEADERSHIP_NOT_HELD;
    }
    return leadership->answer == LEADERSHIP_HELD;
}

void leadership_renew(struct leadership *leadership)
{
    if (leadership->answer == LEADERSHIP_HELD)
        leadership->answer = LEADERSHIP_NOT_ASKED;
}
