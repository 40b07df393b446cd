/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_BYTES_H
#define AGENT_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* What Go 1.19's net/rpc sends, in hex, message by message. */

/* Types of a client: rpc.Request, jujuc's Request and []string. */
#define DEFINE_HEADER                                                     \
    "2fff81030101075265717565737401ff82000102010d536572766963654d6574686" \
    "f64010c000103536571010600000"                                        \
    "0"
#define DEFINE_REQUEST                                                    \
    "5cff83030101075265717565737401ff840001060109436f6e746578744964010c0" \
    "00103446972010c00010b436f6d6d616e644e616d65010c0001044172677301ff86" \
    "000108537464696e5365740102000105537464696e010a000000"                \
    "16ff85020101085b5d737472696e6701ff8600010c0000"

#define HEADER_0 "0fff82010a4a756a75632e4d61696e00"
#define HEADER_1 "11ff82010a4a756a75632e4d61696e010100"

/* u/0-x-1 in /: is-leader --format=json */
#define REQUEST \
    "2aff840107752f302d782d3101012f010969732d6c656164657201010d2d2d666f726d61743d6a736f6e00"

/* u/0-x-1 in /: x, with the standard input "in", and with one that is empty */
#define REQUEST_IN "18ff840107752f302d782d3101012f01017802010102696e00"
#define REQUEST_EMPTY "14ff840107752f302d782d3101012f010178020100"

/* A server's types: rpc.Response, exec.ExecResponse, and the struct{} of refusals. */
#define DEFINE_RESPONSE                                                 \
    "3aff8703010108526573706f6e736501ff88000103010d536572766963654d657" \
    "4686f64010c00010353657101060001054572726f72010c000000"
#define DEFINE_ANSWER                                                  \
    "39ff890301010c45786563526573706f6e736501ff8a0001030104436f646501" \
    "040001065374646f7574010a000106537464657272010a000000"
#define DEFINE_NOTHING "0aff8b030102ff8c000000"

#define RESPONSE_0 "0fff88010a4a756a75632e4d61696e00"
#define RESPONSE_1 "11ff88010a4a756a75632e4d61696e010100"
#define RESPONSE_2 "11ff88010a4a756a75632e4d61696e010200"
#define ANSWER_TRUE "0aff8a0205747275650a00"               /* stdout "true\n" */
#define ANSWER_FAILED "10ff8a010202094552524f52206e6f0a00" /* 1, stderr "ERROR no\n" */
#define NOTHING "03ff8c00"

/* Error "bad request: unknown command: nope", of call 0 and of call 1 */
#define REFUSAL_0                                              \
    "33ff88010a4a756a75632e4d61696e02226261642072657175657374" \
    "3a20756e6b6e6f776e20636f6d6d616e643a206e6f706500"
#define REFUSAL_1                                              \
    "35ff88010a4a756a75632e4d61696e01010122626164207265717565" \
    "73743a20756e6b6e6f776e20636f6d6d616e643a206e6f706500"

#define FIRST_REPLY DEFINE_RESPONSE RESPONSE_0 DEFINE_ANSWER ANSWER_TRUE

static inline size_t from_hex(uint8_t *out, const char *hex)
{
    size_t length = 0;

    for (; *hex != '\0'; hex += 2)
        out[length++] = (uint8_t)strtoul((char[]){hex[0], hex[1], '\0'}, NULL, 16);
    return length;
}

#endif
