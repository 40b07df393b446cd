/* SPDX-License-Identifier: Apache-2.0 */
/* Looks up each name that it is given, by /etc/resolv.conf and /etc/hosts as they are where it
 * runs: a line each, with its addresses or "-" and why there are none. */
#include <stdio.h>

#include "base/net.h"

/* Then, on stderr, how many milliseconds all of them took. */
int main(int argc, char *argv[])
{
    struct strings warnings = {0};

    int64_t start = net_clock_ms();
    net_read_configuration(NET_RESOLV_CONF, NET_HOSTS, &warnings);
    for (int i = 1; i < argc; i++) {
        struct strings addresses = {0};
        struct error error;

        if (net_resolve(argv[i], &addresses, &error) != 0)
            printf("- %s", error.text);
        for (size_t j = 0; j < addresses.count; j++)
            printf("%s%s", j != 0 ? " " : "", addresses.items[j]);
        putchar('\n');
        strings_free(&addresses);
    }
    strings_free(&warnings);
    fprintf(stderr, "%lld\n", (long long)(net_clock_ms() - start));
    return 0;
}
