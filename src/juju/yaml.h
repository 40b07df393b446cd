/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JUJU_YAML_H
#define JUJU_YAML_H

#include <cJSON.h>

#include "base/buffer.h"

/*
 * Write an object of strings so that it reads the same as JSON and as YAML 1.1: relation-set
 * --file takes YAML (go-yaml v2), which knows no UTF-16 surrogate escapes, folds
 * U+0085, U+2028 and U+2029 into blanks, and refuses U+007F..U+009F and U+FEFF. Such characters are
 * escaped, all others stay UTF-8; malformed UTF-8 becomes U+FFFD. Members that are no strings are
 * left out.
 */
void yaml_print(struct buffer *out, const cJSON *strings);

#endif
