# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a GPU role cannot do what its inputs ask for: its error, and the finding of preflight."""

from __future__ import annotations

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import (
    Finding,
    Severity,
)

#: How the errors of both roles part what is wrong from what to do.
_END = "Nothing was changed"


class PlanError(Exception):
    """The node cannot be as asked; nothing was changed.

    The text is the role's error. ``code``, ``variable`` and ``fix`` are those of the finding.
    """

    def __init__(
        self, text: str, code: str = "plan-impossible", variable: str = "", fix: str = ""
    ) -> None:
        super().__init__(text)
        self.code = code
        self.variable = variable
        self.fix = fix

    def finding(self, host: str) -> Finding:
        """Return the error as a finding about ``host``; without a fix of its own, the text's."""
        problem, _, advice = str(self).partition(_END)
        return Finding(
            severity=Severity.ERROR,
            code=self.code,
            host=host,
            message=_sentence(problem),
            fix=self.fix or advice.strip(" ;.,"),
            variable=self.variable,
        )


def _sentence(text: str) -> str:
    """Return a text as one: with a full stop, and a capital unless it begins with an input."""
    text = text.strip(" .;,")
    first = text.split(" ")[0]
    is_word = first.isalpha()
    return f"{text[:1].upper() if is_word else text[:1]}{text[1:]}."
