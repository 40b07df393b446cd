/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SERVED_H
#define TESTS_SERVED_H

#include "charm/publish.h"
#include "world.h"

/* Two servers, https://10.0.0.1:8443 and https://10.0.0.2:8443, and what came of a world's wishes
 * there. Servers are the first of them, unless a test sets their count to 2. */
struct served {
    struct server items[2];
    struct servers servers;
    struct endpoints endpoints;
    struct answers answers;
};

/* For zero-initialised memory that stays where it is. */
void served_open(struct served *served);
void served_close(struct served *served);

/* Collect the wishes anew, and judge them by what the stores have. */
void served_judge(struct served *served, struct world *world);

#endif
