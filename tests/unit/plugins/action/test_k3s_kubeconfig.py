"""Claims about what k3s_kubeconfig does to files of the control node."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from ansible_collections.rackforge.gpu_cluster.plugins.action.k3s_kubeconfig import (
    ActionModule,
    server_url,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.kubeconfig import (
    KubeconfigError,
)

CONFIG: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [{"name": "lab", "cluster": {"server": "https://198.19.1.11:6443"}}],
    "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "lab"}}],
    "users": [{"name": "lab", "user": {"client-key-data": "S0VZ"}}],
    "current-context": "lab",
}


def action(*, check: bool = False) -> ActionModule:
    """Return the action without the connection, which these claims do not need."""
    made = ActionModule.__new__(ActionModule)
    made._play_context = SimpleNamespace(check_mode=check)
    return made


@pytest.mark.parametrize(
    ("address", "url"),
    [("198.19.1.11", "https://198.19.1.11:6443"), ("fd00::1", "https://[fd00::1]:6443")],
    ids=["ipv4", "ipv6"],
)
def test_the_api_is_asked_at_the_node_address(address: str, url: str) -> None:
    assert server_url(address, 6443) == url


@pytest.mark.parametrize("fails", [False, True], ids=["read", "broken-off"])
@pytest.mark.parametrize("before", [False, True], ids=["open", "closed"])
def test_nobody_prints_the_key_while_it_is_read(fails: bool, before: bool) -> None:
    made = action()
    made._play_context.no_log = before
    seen = []

    def execute(**arguments: Any) -> dict[str, Any]:
        seen.append((arguments["module_args"], made._play_context.no_log))
        if fails:
            raise ConnectionError
        return {"content": "eA=="}

    made._execute_module = execute
    with pytest.raises(ConnectionError) if fails else nullcontext():
        assert made._slurp("/etc/rancher/k3s/k3s.yaml", {}) == {"content": "eA=="}
    assert seen == [({"src": "/etc/rancher/k3s/k3s.yaml"}, True)]
    assert made._play_context.no_log is before


def test_the_clusters_file_is_written_once(tmp_path: Path) -> None:
    path = str(tmp_path / "kubeconfig")
    assert action()._keep(path, CONFIG) is True
    assert action()._keep(path, CONFIG) is False


OLDER: dict[str, Any] = {
    **CONFIG,
    "clusters": [{"name": "lab", "cluster": {"server": "https://198.19.1.99:6443"}}],
    "users": [{"name": "lab", "user": {"client-key-data": "T0xE"}}],
}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param(yaml.safe_dump(OLDER), id="our-older-one"),
        pytest.param(yaml.safe_dump(CONFIG), id="open-to-others"),
    ],
)
def test_the_clusters_own_file_is_brought_up_to_date(tmp_path: Path, text: str) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(text)
    path.chmod(0o644)
    assert action()._keep(str(path), CONFIG) is True
    assert (path.stat().st_mode & 0o777, yaml.safe_load(path.read_text())) == (0o600, CONFIG)


@pytest.mark.parametrize("check", [True, False], ids=["check-mode", "for-real"])
@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(
            yaml.safe_dump({**CONFIG, "users": [*CONFIG["users"], {"name": "me", "user": {}}]}),
            "saw clusters [lab], contexts [lab], users [lab, me], expected clusters [lab], "
            "contexts [lab], users [lab] (k3s_cluster_name)",
            id="one-more-user",
        ),
        pytest.param(
            yaml.safe_dump({"clusters": [{"name": "work", "cluster": {}}]}),
            "saw clusters [work], contexts [], users [], expected",
            id="another-cluster",
        ),
        pytest.param("current-context: work\n", "saw clusters [], contexts []", id="no-entries"),
        pytest.param("[", "is no YAML", id="no-yaml"),
        pytest.param("- a\n", "is no kubeconfig", id="no-kubeconfig"),
    ],
)
def test_somebody_elses_file_is_refused_and_stays_as_it_is(
    tmp_path: Path, text: str, words: str, check: bool
) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(KubeconfigError) as caught:
        action(check=check)._keep(str(path), CONFIG)
    assert str(caught.value).startswith(f"{path}: ")
    assert words in str(caught.value)
    assert path.read_text() == text


def test_a_refused_file_points_to_the_way_of_merging(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump({"users": [{"name": "me", "user": {"token": "dG9rZW4"}}]}))
    with pytest.raises(KubeconfigError, match="k3s_kubeconfig_merge and") as caught:
        action()._keep(str(path), CONFIG)
    assert "dG9rZW4" not in str(caught.value)


def test_check_mode_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "config"
    assert action(check=True)._keep(str(path), CONFIG) is True
    assert action(check=True)._merge(str(path), CONFIG) == ("", True)
    assert not path.exists()


def test_a_new_file_of_the_owners_needs_no_copy(tmp_path: Path) -> None:
    path = str(tmp_path / "config")
    assert action()._merge(path, CONFIG) == ("", True)
    assert action()._merge(path, CONFIG) == ("", False)


def test_the_owners_file_is_copied_before_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text("# mine\ncurrent-context: work\n")
    backup, changed = action()._merge(str(path), CONFIG)
    assert changed
    assert Path(backup).read_text() == "# mine\ncurrent-context: work\n"
    assert yaml.safe_load(path.read_text())["current-context"] == "work"


def test_the_owners_file_that_is_no_kubeconfig_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text("[")
    with pytest.raises(KubeconfigError):
        action()._merge(str(path), CONFIG)
    assert [each.name for each in tmp_path.iterdir()] == ["config"]
    assert path.read_text() == "["
