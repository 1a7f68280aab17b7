"""Settings of the property tests: the same examples in every run, and no clock."""

from __future__ import annotations

from pathlib import Path

from hypothesis import settings
from hypothesis.configuration import set_hypothesis_home_dir

ROOT = Path(__file__).resolve().parents[3]

set_hypothesis_home_dir(ROOT / ".cache" / "hypothesis")
settings.register_profile("rackforge", deadline=None, derandomize=True, database=None)
settings.load_profile("rackforge")
