/* SPDX-License-Identifier: Apache-2.0 */
/* The same without protection: every state of a connection can be reached. */
#include "unprotected.c"

#include "fuzz_tls.c"
