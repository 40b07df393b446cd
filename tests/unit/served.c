/* SPDX-License-Identifier: Apache-2.0 */
#include "served.h"

#include "fake_lxd.h"

void served_open(struct served *served)
{
    struct error error;

    fake_lxd_server(&served->items[0], "https://10.0.0.1:8443", "leaf.crt");
    fake_lxd_server(&served->items[1], "https://10.0.0.2:8443", "leaf-rsa.crt");
    endpoints_parse(&served->endpoints, "10.0.0.1,10.0.0.2", &error);
    served->servers =
        (struct servers){.items = served->items, .count = 1, .endpoints = &served->endpoints};
}

void served_close(struct served *served)
{
    answers_free(&served->answers);
    for (size_t i = 0; i < 2; i++)
        server_free(&served->items[i]);
    endpoints_free(&served->endpoints);
}

void served_judge(struct served *served, struct world *world)
{
    answers_free(&served->answers);
    world_collect(world);
    for (size_t i = 0; i < served->servers.count; i++)
        plan_free(&served->items[i].plan);
    servers_plan(&served->servers, &world->terms);
    servers_judge(&served->servers, &world->terms);
    answers_make(&served->answers, &world->relations, &world->wishes, &served->servers);
}
