# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The initramfs images that a node boots with, which hold copies of /etc/modprobe.d."""

from __future__ import annotations

import os

#: Where Debian's and Red Hat's families keep a kernel's image.
_NAMES = ("initrd.img-{}", "initramfs-{}.img")
BOOT = "/boot"
#: What makes the images of all kernels anew: Debian's family, Red Hat's family.
BUILDERS = (
    ("update-initramfs", "-u", "-k", "all"),
    ("dracut", "--force", "--regenerate-all"),
)


def images_of(kernel: str, boot: str = BOOT) -> list[str]:
    """Return the images that the kernel boots with: none in a container, one elsewhere."""
    paths = (os.path.join(boot, name.format(kernel)) for name in _NAMES)
    return [path for path in paths if os.path.exists(path)]


def is_stale(images: list[str], source: str) -> bool:
    """Return whether an image is older than the file that it should hold a copy of."""
    youngest = os.stat(source).st_mtime
    return any(os.stat(image).st_mtime < youngest for image in images)
