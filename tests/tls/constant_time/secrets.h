/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_TLS_CONSTANT_TIME_SECRETS_H
#define TESTS_TLS_CONSTANT_TIME_SECRETS_H

#include <valgrind/memcheck.h>

#include "tls/internal.h"

/*
 * valgrind reports branches and addresses that depend on undefined bytes: so secrets are marked
 * undefined, and what is computed from them is undefined too until it is said to be public.
 */
#define MAKE_SECRET(data, length) ((void)VALGRIND_MAKE_MEM_UNDEFINED(data, length))
#define MAKE_PUBLIC(data, length) ((void)VALGRIND_MAKE_MEM_DEFINED(data, length))

/* The client under test. Its server is in the same process and has no secrets. */
extern struct tls client;

/* Leave CPU's AES, carry-less multiplication and SSE2 unused. */
extern bool without_hardware;

#endif
