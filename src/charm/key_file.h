/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARM_KEY_FILE_H
#define CHARM_KEY_FILE_H

#include "x509/certificate.h"
#include "x509/private_key.h"

/*
 * A key and certificate of our own in a file of the charm's folder, which survives a refresh of the
 * charm. Read it, or make it where there is none, readable for nobody else; before the sandbox
 * closes. ERROR_INPUT where the file is of no use or cannot be written.
 */
int key_file_load(const char *folder, const char *common_name, struct certificate *certificate,
                  struct private_key *key, struct error *error);

#endif
