"""Claims about a role's marked block in somebody else's file."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.marked_block import with_lines

BLOCK = "# BEGIN rackforge.gpu_cluster os_base\nserver a\n# END rackforge.gpu_cluster os_base\n"


@pytest.mark.parametrize(
    ("text", "lines", "expected"),
    [
        pytest.param("", ["server a"], BLOCK, id="empty-file"),
        pytest.param("pool p\n", ["server a"], "pool p\n" + BLOCK, id="comes-last"),
        pytest.param("pool p", ["server a"], "pool p\n" + BLOCK, id="no-line-feed"),
        pytest.param("a\n" + BLOCK + "z\n", ["server a"], "a\n" + BLOCK + "z\n", id="equal"),
        pytest.param(
            "a\n" + BLOCK.replace("server a", "old\nolder") + "z\n",
            ["server a"],
            "a\n" + BLOCK + "z\n",
            id="keeps-its-place",
        ),
        pytest.param("a\n" + BLOCK + "z\n", [], "a\nz\n", id="goes"),
        pytest.param(
            "a\n" + BLOCK + "b\n" + BLOCK, ["server a"], "a\n" + BLOCK + "b\n", id="doubled"
        ),
        pytest.param(
            "# BEGIN rackforge.gpu_cluster os_base\nowner\n", [], "owner\n", id="begin-without-end"
        ),
        pytest.param(
            "# BEGIN rackforge.gpu_cluster docker\nx\n# END rackforge.gpu_cluster docker\n",
            [],
            "# BEGIN rackforge.gpu_cluster docker\nx\n# END rackforge.gpu_cluster docker\n",
            id="another-role's",
        ),
    ],
)
def test_block(text: str, lines: list[str], expected: str) -> None:
    assert with_lines(text, "os_base", lines) == expected
