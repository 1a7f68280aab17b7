"""Where colours change. The values are those of the alert rules, so red means that one fires."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Step = tuple[float | None, str]

GREEN, ORANGE, RED, BLUE, GREY = "green", "orange", "red", "blue", "#808080"

STATE_COLORS = {"ok": GREEN, "degraded": ORANGE, "failed": RED, "unknown": GREY}

# One colour whatever the value is: a number that is neither good nor bad.
PLAIN: tuple[Step, ...] = ((None, BLUE),)
# Any at all is bad.
NONE_WANTED: tuple[Step, ...] = ((None, GREEN), (1, RED))
NONE_BETTER: tuple[Step, ...] = ((None, GREEN), (1, ORANGE))
# Fewer than one is bad.
ONE_WANTED: tuple[Step, ...] = ((None, RED), (1, GREEN))

GPU_TEMPERATURE: tuple[Step, ...] = ((None, GREEN), (80, ORANGE), (85, RED))
GPU_MEMORY: tuple[Step, ...] = ((None, GREEN), (90, ORANGE), (95, RED))
NODE_MEMORY: tuple[Step, ...] = ((None, GREEN), (80, ORANGE), (90, RED))
DISK: tuple[Step, ...] = ((None, GREEN), (80, ORANGE), (90, RED))
CLOCK: tuple[Step, ...] = ((None, GREEN), (0.5, ORANGE), (2, RED))
BUSY: tuple[Step, ...] = ((None, GREEN), (80, ORANGE), (95, RED))
DAY_SECONDS = 86400
CERTIFICATE: tuple[Step, ...] = (
    (None, RED),
    (21 * DAY_SECONDS, ORANGE),
    (30 * DAY_SECONDS, GREEN),
)
COLLECTOR_AGE: tuple[Step, ...] = ((None, GREEN), (180, ORANGE), (300, RED))


def thresholds(steps: Sequence[Step]) -> dict[str, Any]:
    """Return ``steps`` the way Grafana writes them."""
    return {
        "mode": "absolute",
        "steps": [{"value": value, "color": color} for value, color in steps],
    }
