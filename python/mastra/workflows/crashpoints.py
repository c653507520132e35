"""Named places where a test kills the process. Without the environment variable they cost one comparison."""

from __future__ import annotations

import os
import random
import signal

# "name" or "name:probability", several separated by commas.
_WANTED = os.environ.get("MASTRA_CRASH_AT", "")
NAMES = (
    "before-effect", "after-effect", "before-record", "after-record", "before-commit", "after-commit",
    "before-start", "after-start", "in-recovery",
)  # fmt: skip


def _parse(text: str) -> dict[str, float]:
    wanted: dict[str, float] = {}
    for part in text.split(","):
        name, _, chance = part.partition(":")
        if name.strip():
            wanted[name.strip()] = float(chance or 1.0)
    return wanted


_POINTS = _parse(_WANTED)


def reach(name: str) -> None:
    """Die here when this point is asked for; nothing is flushed, closed or said."""
    if _POINTS and name in _POINTS and random.random() < _POINTS[name]:  # noqa: S311 - chooses a moment, guards nothing
        os.kill(os.getpid(), signal.SIGKILL)
