/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LXD_SOFTWARE_H
#define LXD_SOFTWARE_H

/* LXD, or Incus, which has come from it: what differs in the words that people read and type. */

/* Until a server has said what it is, it is called LXD. */
enum lxd_software { LXD_LXD, LXD_INCUS };

/* As statuses name it: "LXD", "Incus". */
const char *lxd_name(enum lxd_software software);

/* The program that an administrator manages it with: "lxc", "incus". */
const char *lxd_program(enum lxd_software software);

/* What to do about a certificate that is not trusted: run "lxc config trust add FILE". Incus' own
 * "config trust add FILE" would make a token called FILE, and exit with 0. */
const char *lxd_trust_remedy(enum lxd_software software);

#endif
