# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write a file that at no moment is open to more eyes than it is meant for."""

from __future__ import annotations

import os
import tempfile

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.text_file import make_parents

#: Beginning of a draft's name, which no reader of a directory's *.json takes for a file of its own.
DRAFT = ".rackforge-new-"


def put_owned(path: str, text: str, mode: int, uid: int, gid: int) -> None:
    """Have ``text`` at ``path``, whole or not at all, with mode and owner from its first moment."""
    make_parents(path)
    handle, draft = tempfile.mkstemp(dir=os.path.dirname(path), prefix=DRAFT)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode("utf-8", "surrogateescape"))
            os.fchown(file.fileno(), uid, gid)
            os.fchmod(file.fileno(), mode)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except BaseException:
        os.unlink(draft)
        raise
