"""Claims about a cluster's kubeconfig on the control node."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.kubeconfig import (
    KubeconfigError,
    back_up,
    for_cluster,
    is_private,
    merged,
    parse_kubeconfig,
    read_config,
    write_config,
)

#: As k3s writes it.
WRITTEN = """\
apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: Q0E=
    server: https://127.0.0.1:6443
  name: default
contexts:
- context:
    cluster: default
    user: default
  name: default
current-context: default
kind: Config
preferences: {}
users:
- name: default
  user:
    client-certificate-data: Q0VSVA==
    client-key-data: S0VZ
"""
OWNERS: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Config",
    "preferences": {"colors": True},
    "clusters": [{"name": "work", "cluster": {"server": "https://work:6443"}}],
    "contexts": [{"name": "work", "context": {"cluster": "work", "user": "me"}}],
    "users": [{"name": "me", "user": {"token": "t"}}],
    "current-context": "work",
}


def ours(server: str = "https://198.19.1.11:6443") -> dict[str, Any]:
    """Return the kubeconfig of the cluster called lab."""
    return for_cluster(parse_kubeconfig(WRITTEN, "there"), "lab", server, "there")


def test_everything_in_it_has_the_clusters_name_and_the_servers_address() -> None:
    assert ours() == {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "lab",
                "cluster": {
                    "certificate-authority-data": "Q0E=",
                    "server": "https://198.19.1.11:6443",
                },
            }
        ],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "lab"}}],
        "users": [
            {
                "name": "lab",
                "user": {"client-certificate-data": "Q0VSVA==", "client-key-data": "S0VZ"},
            }
        ],
        "current-context": "lab",
    }


def test_a_new_entry_leaves_everything_of_the_owner_as_it_was() -> None:
    result = merged(OWNERS, ours())
    assert [row["name"] for row in result["clusters"]] == ["work", "lab"]
    assert result["clusters"][0] == OWNERS["clusters"][0]
    assert result["users"][0] == OWNERS["users"][0]
    assert (result["current-context"], result["preferences"]) == ("work", {"colors": True})


def test_an_entry_of_the_clusters_name_is_replaced_in_its_place() -> None:
    before = merged(OWNERS, ours("https://old:6443"))
    before["clusters"].append({"name": "last", "cluster": {"server": "https://x"}})
    result = merged(before, ours())
    assert [row["name"] for row in result["clusters"]] == ["work", "lab", "last"]
    assert result["clusters"][1]["cluster"]["server"] == "https://198.19.1.11:6443"


def test_a_namespace_that_the_owner_chose_for_the_context_stays() -> None:
    before = merged(OWNERS, ours())
    before["contexts"][1]["context"]["namespace"] = "mine"
    context = merged(before, ours())["contexts"][1]["context"]
    assert context == {"cluster": "lab", "user": "lab", "namespace": "mine"}


def test_merging_twice_is_merging_once() -> None:
    once = merged(OWNERS, ours())
    assert merged(once, ours()) == once


def test_only_a_new_file_gets_a_current_context() -> None:
    without = {key: value for key, value in OWNERS.items() if key != "current-context"}
    assert merged({}, ours())["current-context"] == "lab"
    assert "current-context" not in merged(without, ours())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            "a: [secret\nb: 1", "f: is no YAML in line 2; mend it or move it away", id="half"
        ),
        pytest.param(
            "- secret", "f: is no kubeconfig, expected a mapping; move it away", id="list"
        ),
        pytest.param(
            "clusters: secret",
            "f: is no kubeconfig, expected a list of named entries in 'clusters'; move it away",
            id="no-entries",
        ),
        pytest.param(
            "users: [{user: secret}]",
            "f: is no kubeconfig, expected a list of named entries in 'users'; move it away",
            id="no-names",
        ),
        pytest.param("\0secret", "f: is no YAML; mend it or move it away", id="binary"),
    ],
)
def test_a_file_that_is_no_kubeconfig_is_refused_without_showing_it(
    text: str, message: str
) -> None:
    with pytest.raises(KubeconfigError) as caught:
        parse_kubeconfig(text, "f")
    assert str(caught.value) == message


def test_an_empty_file_is_an_empty_kubeconfig() -> None:
    assert parse_kubeconfig("# nothing\n", "f") == {}


def test_a_servers_file_with_several_clusters_is_refused() -> None:
    two = {**ours(), "clusters": ours()["clusters"] * 2}
    with pytest.raises(KubeconfigError, match=r"expected one entry in 'clusters'.* saw 2"):
        for_cluster(two, "lab", "https://x", "there")


def test_a_file_is_written_for_its_owner_only_whatever_it_was(tmp_path: Path) -> None:
    path = tmp_path / "new" / "kubeconfig"
    write_config(str(path), ours())
    path.chmod(0o644)
    assert not is_private(str(path))
    write_config(str(path), ours())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert yaml.safe_load(path.read_text()) == ours()
    assert [each.name for each in path.parent.iterdir()] == ["kubeconfig"]


def test_a_file_that_is_not_there_is_none(tmp_path: Path) -> None:
    assert read_config(str(tmp_path / "none")) is None


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(KubeconfigError, match="is no text, expected a kubeconfig"):
        read_config(str(tmp_path / "config"))


def test_the_copy_is_for_its_owner_only_and_says_when(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("# mine\n")
    copy = Path(back_up(str(tmp_path / "config"), 0.0))
    assert copy.name.startswith("config.19")
    assert copy.name.endswith("~")
    assert (copy.read_text(), stat.S_IMODE(copy.stat().st_mode)) == ("# mine\n", 0o600)
