/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMAND_LINE_H
#define COMMAND_LINE_H

/*
 * The program as people start it: lxd-integrator probe | fingerprint | --version | --help.
 * Returns the exit status: 0, 1 where what was asked for failed, 2 for wrong use; the last two
 * with one sentence on stderr.
 */
int command_line_run(int argc, char *argv[]);

#endif
