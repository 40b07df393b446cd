/* SPDX-License-Identifier: Apache-2.0 */
#include "charm/upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "juju/hook_tools.h"

static const char *const leftovers[] = {".unit-state.db", "client.key", "client.crt", "server.crt"};

void upgrade_clean(const struct juju_transport *juju, const char *charm_folder)
{
    struct buffer deleted = {0};
    int folder = open(charm_folder, O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (folder < 0)
        return;
    for (size_t i = 0; i < sizeof leftovers / sizeof *leftovers; i++) {
        if (unlinkat(folder, leftovers[i], 0) == 0)
            buffer_printf(&deleted, "%s%s", deleted.length != 0 ? ", " : "", leftovers[i]);
        else if (errno != ENOENT)
            juju_log(juju, JUJU_LOG_WARNING, "%s cannot be deleted: %s: delete it by hand",
                     leftovers[i], strerror(errno));
    }
    close(folder);
    if (deleted.length != 0)
        juju_log(juju, JUJU_LOG_INFO, "deleted what an earlier charm left behind: %s",
                 deleted.data);
    buffer_free(&deleted);
}
