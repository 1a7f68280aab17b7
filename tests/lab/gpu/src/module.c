/* Copyright (c) 2026 rackforge contributors
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What modinfo reads of a kernel module, and nothing else: no kernel can load this.
 */
#define FIELD(name, text) \
    static const char name[] __attribute__((section(".modinfo"), used, aligned(1))) = #name "=" text

FIELD(license, MODULE_LICENSE);
FIELD(version, MODULE_VERSION);
FIELD(description, "stand-in for test nodes, made by tests/lab/gpu");
#ifdef MODULE_SIGNER
FIELD(signer, MODULE_SIGNER);
FIELD(sig_key, "5A:11");
FIELD(sig_hashalgo, "sha512");
#endif
