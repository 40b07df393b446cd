/* SPDX-License-Identifier: Apache-2.0 */
#include "charm/reconcile.h"

#include "charm/upgrade.h"

int reconcile_pass(struct pass *pass, struct status *status, struct error *error)
{
    struct error trouble;

    if (pass_observe(pass, &trouble) == 0 && pass_carry_out(pass, &trouble) == 0) {
        pass_summarise(pass, status);
    } else if (trouble.kind == ERROR_HOOK) {
        *error = trouble;
        return -1;
    } else {
        status_of_error(status, &trouble, 0, NULL);
        pass_log_trouble(pass, &trouble);
    }
    return pass_report(pass, status, error);
}

int reconcile(const struct juju_transport *juju, const struct event *event, struct error *error)
{
    struct pass pass;
    struct status status;

    upgrade_clean(juju, event->charm_folder);
    pass_begin(&pass, juju, event);
    int result = reconcile_pass(&pass, &status, error);
    pass_end(&pass);
    return result;
}
