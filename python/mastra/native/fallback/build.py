"""What stands in for the facts of a build when there is none."""

from __future__ import annotations

import platform
from typing import Any


def build_info() -> dict[str, Any]:
    """What this build of the core is: version, compiler, architecture, debug."""
    return {"version": "", "compiler": "none", "architecture": platform.machine(), "debug": False}
