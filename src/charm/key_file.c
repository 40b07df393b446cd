/* SPDX-License-Identifier: Apache-2.0 */
#include "charm/key_file.h"

#include <stdlib.h>

#include "charm/private_file.h"
#include "x509/self_signed.h"

#define NAME "client-key.pem"

static int load(const char *path, const char *common_name, struct buffer *pem, struct error *error)
{
    bool found;

    if (private_file_read(path, pem, &found, error) != 0)
        return -1;
    if (found)
        return 0;
    self_signed_make(pem, common_name);
    return private_file_write(path, pem, error);
}

int key_file_load(const char *folder, const char *common_name, struct certificate *certificate,
                  struct private_key *key, struct error *error)
{
    char *path = mem_printf("%s/" NAME, folder);
    struct buffer pem = {0};
    int result = load(path, common_name, &pem, error);

    if (result == 0 && self_signed_read(buffer_string(&pem), certificate, key, error) != 0)
        result = error_prefix(error, "%s: delete it to have another one made", NAME);
    buffer_wipe(&pem);
    free(path);
    return result;
}
