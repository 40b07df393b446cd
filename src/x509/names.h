/* SPDX-License-Identifier: Apache-2.0 */
#ifndef X509_NAMES_H
#define X509_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "x509/der.h"

/*
 * Names in certificates (RFC 5280 4.1.2.4, 4.2.1.6, 4.2.1.10): who signed whom, which hosts a
 * certificate is for, and which of them its CAs may vouch for. What is compared is the content of
 * an element; a certificate's names are hostile.
 */

/* Are two Names the same (RFC 5280 7.1)? Blanks and the case of ASCII letters do not count, nor
 * does the kind of a string; this is OpenSSL's comparison. */
bool names_equal(struct der a, struct der b);

/*
 * Is one of the alternative names this host's (RFC 9525 6.3)? An address is compared with
 * iPAddress alone, a DNS name with dNSName alone, where "*" may stand as the whole left-most label
 * for exactly one label, two labels before the end at least. Letters' case does not matter.
 */
bool names_match_host(struct der alternative_names, const char *host);

/* For people: "a.example, *.b.example, 10.0.0.1 and 5 more", or "no host"; printable ASCII. */
void names_describe(char *text, size_t size, struct der alternative_names);

/* NameConstraints: lists of GeneralSubtree, each empty where it is not there. */
struct name_constraints {
    struct der permitted, excluded;
};

/* Returns NULL, or what is wrong, in words to follow "with". */
const char *name_constraints_read(struct name_constraints *constraints, struct der extension,
                                  bool critical);

enum name_verdict {
    NAME_ALLOWED,
    NAME_FORBIDDEN,
    NAME_UNDECIDED, /* more comparisons than are left */
};

/*
 * Does a CA with these constraints vouch for a certificate's subject and alternative names? Kept
 * are dNSName, iPAddress, directoryName, rfc822Name and uniformResourceIdentifier; a name of
 * another kind is forbidden where that kind is constrained at all. Each comparison of a name with a
 * subtree takes one from *comparisons.
 */
enum name_verdict name_constraints_check(const struct name_constraints *constraints,
                                         struct der subject, struct der alternative_names,
                                         unsigned *comparisons);

#endif
