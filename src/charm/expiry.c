/* SPDX-License-Identifier: Apache-2.0 */
#include "charm/expiry.h"

#include <stdlib.h>

#define SECONDS_A_DAY 86400

void expiry_begin(struct expiry *expiry, int64_t now, int days)
{
    *expiry = (struct expiry){.now = now, .limit = now + (int64_t)days * SECONDS_A_DAY};
}

void expiry_note(struct expiry *expiry, const struct certificate *certificate, const char *whose)
{
    char date[CERTIFICATE_DATE_SIZE];

    if (certificate->not_after >= expiry->limit)
        return;
    certificate_date(date, certificate->not_after);
    char *sentence = mem_printf("%s %.12s... %s on %s: renew it", whose, certificate->fingerprint,
                                certificate->not_after < expiry->now ? "expired" : "expires", date);
    if (!strings_contain(&expiry->sentences, sentence)) {
        if (expiry->sentences.count == 0 || certificate->not_after < expiry->first)
            expiry->first = certificate->not_after;
        strings_add(&expiry->sentences, sentence);
    }
    free(sentence);
}

void expiry_free(struct expiry *expiry)
{
    strings_free(&expiry->sentences);
}
