/* SPDX-License-Identifier: Apache-2.0 */
/* What it costs to start and end a static program. */
int main(void)
{
    return 0;
}
