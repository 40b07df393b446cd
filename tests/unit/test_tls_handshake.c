/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The handshake table against the client state machine of RFC 9846 appendix A.1, written down here
 * once more as the RFC draws it and reduced to what this client can meet: no PSK, no 0-RTT.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tls/handshake.c"

static const char *const names[] = {"WAIT_SH",   "WAIT_SH again", "WAIT_EE",       "WAIT_CERT_CR",
                                    "WAIT_CERT", "WAIT_CV",       "WAIT_FINISHED", "CONNECTED"};

static const struct edge {
    const char *from;
    int message;
    const char *to;
    bool changes_keys; /* or the transcript's meaning: nothing may follow in the record (5.1) */
} edges[] = {
    {"WAIT_SH", 256, "WAIT_SH again", true},  {"WAIT_SH", 2, "WAIT_EE", true},
    {"WAIT_SH again", 2, "WAIT_EE", true},    {"WAIT_EE", 8, "WAIT_CERT_CR", false},
    {"WAIT_CERT_CR", 13, "WAIT_CERT", false}, {"WAIT_CERT_CR", 11, "WAIT_CV", false},
    {"WAIT_CERT", 11, "WAIT_CV", false},      {"WAIT_CV", 15, "WAIT_FINISHED", false},
    {"WAIT_FINISHED", 20, "CONNECTED", true}, {"CONNECTED", 4, "CONNECTED", false},
    {"CONNECTED", 24, "CONNECTED", true},
};
#define EDGES (sizeof edges / sizeof edges[0])

static const struct edge *edge_find(const char *from, int message)
{
    for (size_t i = 0; i < EDGES; i++) {
        if (strcmp(edges[i].from, from) == 0 && edges[i].message == message)
            return &edges[i];
    }
    return NULL;
}

static void table_is_the_graph(void **state)
{
    size_t found = 0;

    (void)state;
    for (int from = TLS_WAIT_SERVER_HELLO; from <= TLS_CONNECTED; from++) {
        for (int message = 0; message <= 256; message++) {
            const struct transition *transition =
                transition_find((enum tls_expectation)from, message);
            const struct edge *edge = edge_find(names[from], message);
            if ((transition == NULL) != (edge == NULL))
                fail_msg("%s: message %d is in one of table and graph only", names[from], message);
            if (edge == NULL)
                continue;
            found++;
            assert_string_equal(names[transition->next], edge->to);
            assert_int_equal(transition->ends_record, edge->changes_keys);
        }
    }
    assert_int_equal(found, EDGES);
    assert_int_equal(sizeof transitions / sizeof transitions[0], EDGES);
}

/* Every way through the graph ends in CONNECTED and passes the server's authentication. */
static void no_way_around_authentication(void **state)
{
    unsigned reachable = 1U << TLS_WAIT_SERVER_HELLO;

    (void)state;
    /* Without edges for CertificateVerify, and then for Finished, CONNECTED is out of reach. */
    for (int without = 15; without <= 20; without += 5) {
        reachable = 1U << TLS_WAIT_SERVER_HELLO;
        for (size_t round = 0; round < EDGES; round++) {
            for (size_t i = 0; i < EDGES; i++) {
                if ((int)transitions[i].message != without &&
                    (reachable & 1U << transitions[i].state) != 0)
                    reachable |= 1U << transitions[i].next;
            }
        }
        assert_int_equal(reachable & 1U << TLS_CONNECTED, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_is_the_graph),
        cmocka_unit_test(no_way_around_authentication),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
