"""Reads the fixtures of AMD GPUs: file trees in one text, and what AMD's tools print."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.amd_kfd import KfdNode

FIXTURES = Path(__file__).parents[3] / "fixtures" / "gpu" / "amd"


def names(kind: str) -> list[str]:
    """Return the fixtures whose name starts with ``kind``: kfd, amd-smi or rocm-smi."""
    return sorted(each.name for each in FIXTURES.iterdir() if each.name.startswith(kind))


def text(name: str, file: str) -> str:
    """Return a file of a fixture, "" where it has none; foreign bytes are replaced."""
    path = FIXTURES / name / file
    return path.read_bytes().decode("utf-8", "replace") if path.exists() else ""


def tree(name: str) -> dict[str, str]:
    """Return path and text of each file in tree.txt, which head(1) would have printed so."""
    parts = text(name, "tree.txt").split("==> ")[1:]
    return {path: body for path, _, body in (part.partition(" <==\n") for part in parts)}


def kfd_nodes(name: str) -> list[KfdNode]:
    """Return the topology nodes of a fixture."""
    return nodes_of(tree(name))


def nodes_of(files: dict[str, str]) -> list[KfdNode]:
    """Return the topology nodes that files named nodes/<n>/... make."""
    numbers = sorted({int(path.split("/")[1]) for path in files})
    return [
        KfdNode(
            number,
            files.get(f"nodes/{number}/properties", ""),
            files.get(f"nodes/{number}/gpu_id", ""),
            tuple(
                body
                for path, body in files.items()
                if path.startswith(f"nodes/{number}/mem_banks/")
            ),
        )
        for number in numbers
    ]
