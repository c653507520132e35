"""Callbacks of the user: their errors are logged and never end a run."""

from __future__ import annotations

import inspect
import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mastra.agents.run import Run

log = logging.getLogger("mastra.agents")


async def tell(run: Run, name: str, callback: Any, *values: Any) -> None:
    """Call a callback of the user; its errors are logged and never end a run."""
    try:
        said = callback(*values)
        if inspect.isawaitable(said):
            await said
    except Exception:
        log.exception("%s of run %s failed", name, run.run_id)
