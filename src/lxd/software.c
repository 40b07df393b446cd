/* SPDX-License-Identifier: Apache-2.0 */
#include "lxd/software.h"

const char *lxd_name(enum lxd_software software)
{
    return software == LXD_INCUS ? "Incus" : "LXD";
}

const char *lxd_program(enum lxd_software software)
{
    return software == LXD_INCUS ? "incus" : "lxc";
}

const char *lxd_trust_remedy(enum lxd_software software)
{
    return software == LXD_INCUS ? "run \"incus config trust add-certificate FILE\""
                                 : "run \"lxc config trust add FILE\"";
}
