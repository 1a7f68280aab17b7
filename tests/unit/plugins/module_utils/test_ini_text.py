"""Claims about edits of INI files."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ini_text import (
    with_block,
    with_key,
)

BLOCK = "# BEGIN rackforge.gpu_cluster os_base\n{}# END rackforge.gpu_cluster os_base\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", "[global]\nindex-url = NEW\n", id="new-file"),
        pytest.param(
            "[global]\ntimeout = 60\n\n[install]\nuser = no\n",
            "[global]\ntimeout = 60\nindex-url = NEW\n\n[install]\nuser = no\n",
            id="other-keys-stay",
        ),
        pytest.param(
            "[global]\nindex_url: https://old.example\n  continued\ntimeout = 60",
            "[global]\nindex-url = NEW\ntimeout = 60\n",
            id="replaced-in-its-place",
        ),
        pytest.param(
            "[install]\nindex-url = x\n",
            "[install]\nindex-url = x\n\n[global]\nindex-url = NEW\n",
            id="another-sections-key-stays",
        ),
        pytest.param(
            "[global]\n# index-url = x\nextra-index-url = y\n",
            "[global]\n# index-url = x\nextra-index-url = y\nindex-url = NEW\n",
            id="comments-and-longer-names-stay",
        ),
    ],
)
def test_one_key_is_set(text: str, expected: str) -> None:
    assert with_key(text, "global", "index-url", "NEW") == expected
    assert with_key(expected, "global", "index-url", "NEW") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "[main]\ngpgcheck=1\nproxy=http://old.example\n",
            "[main]\ngpgcheck=1\nproxy=http://old.example\n" + BLOCK.format("proxy=NEW\n"),
            id="after-the-owners-line",
        ),
        pytest.param(
            "[main]\ngpgcheck=1\n\n[updates]\nenabled=1",
            "[main]\ngpgcheck=1\n" + BLOCK.format("proxy=NEW\n") + "\n[updates]\nenabled=1\n",
            id="inside-its-section",
        ),
        pytest.param("", BLOCK.format("[main]\nproxy=NEW\n"), id="section-and-all"),
    ],
)
def test_a_block_stands_last_in_its_section(text: str, expected: str) -> None:
    assert with_block(text, "os_base", ["proxy=NEW"], "main") == expected
    assert with_block(expected, "os_base", ["proxy=NEW"], "main") == expected


def test_a_block_without_content_goes() -> None:
    text = "[main]\na=1\n" + BLOCK.format("b=2\n") + "[x]\n"
    assert with_block(text, "os_base", [], "main") == "[main]\na=1\n[x]\n"
    assert with_block("[main]\na=1", "os_base", [], "main") == "[main]\na=1"


def test_a_block_of_another_role_stays() -> None:
    text = "[main]\n# BEGIN rackforge.gpu_cluster docker\nx=1\n# END rackforge.gpu_cluster docker\n"
    assert with_block(text, "os_base", ["y=2"], "main") == text + BLOCK.format("y=2\n")
