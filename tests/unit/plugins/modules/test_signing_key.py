"""Claims about the signing_key module."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.modules import signing_key
from ansible_collections.rackforge.gpu_cluster.plugins.modules.signing_key import main

from tests.unit.plugins.module_utils.test_openpgp import FINGERPRINT, ONE, OTHER, binary
from tests.unit.plugins.modules.conftest import Node

SPACED = "61e3 5d67 400e cd98 b147  936a aac0 ae94 04be 1b44"


class Served:
    """What a mirror answers."""

    def __init__(self, content: bytes | Exception) -> None:
        self.content = content
        self.asked = 0

    def __call__(self, _url: str, timeout: int) -> Served:
        """Stand in for open_url."""
        assert timeout > 0
        self.asked += 1
        return self

    def read(self) -> bytes:
        """Return the content."""
        if isinstance(self.content, Exception):
            raise self.content
        return self.content


def serve(monkeypatch: pytest.MonkeyPatch, content: bytes | Exception) -> Served:
    """Put a mirror in place of the network."""
    served = Served(content)
    monkeypatch.setattr(signing_key, "open_url", served)
    return served


@pytest.mark.parametrize("content", [ONE.encode(), binary(ONE)], ids=["armoured", "binary"])
def test_the_right_key_is_written_once(
    node: Node, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes
) -> None:
    served, path = serve(monkeypatch, content), tmp_path / "keyrings" / "docker.asc"
    arguments: dict[str, Any] = {
        "url": "https://mirror.example/gpg",
        "fingerprint": SPACED,
        "dest": str(path),
    }
    result = node.run(main, **arguments)
    assert (result["changed"], result["fingerprint"]) == (True, FINGERPRINT)
    assert path.read_bytes() == content
    assert path.stat().st_mode & 0o777 == 0o644
    assert node.run(main, **arguments)["changed"] is False
    assert served.asked == 1


def test_a_key_of_the_control_node_needs_no_network(
    node: Node, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    served, path = serve(monkeypatch, OSError("no route")), tmp_path / "docker.asc"
    result = node.run(main, key_file="x", key=ONE, fingerprint=FINGERPRINT, dest=str(path))
    assert (result["changed"], path.read_text(), served.asked) == (True, ONE, 0)


def test_check_mode_predicts_and_fetches_nothing(
    node: Node, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    served, path = serve(monkeypatch, ONE.encode()), tmp_path / "docker.asc"
    result = node.run(
        main, check=True, url="https://mirror.example", fingerprint=FINGERPRINT, dest=str(path)
    )
    assert (result["changed"], path.exists(), served.asked) == (True, False, 0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(
            OTHER.encode(),
            "The signing key has the fingerprint 48F76E51CA0599F1CC1B01695048611B65740FDA, expected"
            f" {FINGERPRINT}; nothing was written. Do not go on before you know why",
            id="another-key",
        ),
        pytest.param(
            (ONE + OTHER).encode(),
            "What came as signing key is none: there is more than one key block",
            id="a-strangers-key-added",
        ),
        pytest.param(
            b"<html>log in</html>",
            "What came as signing key is none: no OpenPGP packet; nothing was written",
            id="captive-portal",
        ),
        pytest.param(
            OSError("Name or service not known"),
            "Could not fetch the signing key from https://mirror.example: Name or service not"
            " known; check the node's way there (DNS, proxy, CA), or hand the key in as"
            " key_file",
            id="mirror-away",
        ),
    ],
)
def test_a_wrong_key_is_never_written(
    node: Node,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    content: bytes | Exception,
    message: str,
) -> None:
    serve(monkeypatch, content)
    path = tmp_path / "docker.asc"
    path.write_text("the old one")
    result = node.run(main, url="https://mirror.example", fingerprint=FINGERPRINT, dest=str(path))
    assert result["failed"] is True
    assert message in result["msg"]
    assert path.read_text() == "the old one"
