/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The charm without X25519MLKEM768: this is linked in front of tls_start (ld's --wrap). It keeps
 * the configurations, of which an engine uses the one that it was given as long as it lives.
 */
#include <stdlib.h>

#include "tls/engine.h"

enum { CONNECTIONS = 8 };

void __real_tls_start(struct tls *tls, const struct tls_configuration *configuration);
void __wrap_tls_start(struct tls *tls, const struct tls_configuration *configuration);

void __wrap_tls_start(struct tls *tls, const struct tls_configuration *configuration)
{
    static struct tls_configuration small[CONNECTIONS];
    static size_t count;

    if (count == CONNECTIONS)
        abort();
    small[count] = *configuration;
    small[count].small_hello = true;
    __real_tls_start(tls, &small[count++]);
}
