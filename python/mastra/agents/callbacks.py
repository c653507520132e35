"""Callbacks of the user: their errors are logged and never end a run."""

from __future__ import annotations

import inspect
import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mastra.agents.run import Run
    from mastra.types.chunks import Chunk

log = logging.getLogger("mastra.agents")


def listen(run: Run, on_chunk: Any) -> None:
    """Call `on_chunk` for every chunk, beside whoever reads the stream."""
    push = run.push

    def both(chunk: Chunk) -> bool:
        try:
            said = on_chunk(chunk)
            if inspect.isawaitable(said):
                run.services.background.spawn(tell(run, "on_chunk", lambda: said), f"on_chunk {run.run_id}")
        except Exception:
            log.exception("on_chunk of run %s failed", run.run_id)
        return push(chunk) if push is not None else False

    run.push = both


async def tell(run: Run, name: str, callback: Any, *values: Any) -> None:
    """Call a callback of the user; its errors are logged and never end a run."""
    try:
        said = callback(*values)
        if inspect.isawaitable(said):
            await said
    except Exception:
        log.exception("%s of run %s failed", name, run.run_id)
